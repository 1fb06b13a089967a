"""One call of every SQL function that writes, and a world in which each of them has something to do.

The list is held against the catalog: a function that is added has to be added here.
"""

from dataclasses import dataclass

from e2e.support import equal, operation

# Functions that write nothing: readings, what constraints call, and triggers that only refuse or tell.
READING = """clock preview credit_forecast sent_as_of sent_in_seven_days_as_of sent_before_days effective_cap breaker_state
next_credit_period window_days_array window_since outside_window why is_sound_history is_sound_operation refusal_counts activity_counts append_only
config_changed suppressions_changed account_leaves account_is_sound
judge_trigger""".split()

READING += ["copied_database", "enforcement_of"]

NOON = "2026-05-20 12:00:00+00"
FROZEN = f"SET sendgate.now = '{NOON}'"
ALERT = "00000000-0000-4000-8000-00000000a1e7"


@dataclass(frozen=True)
class Call:
    """A statement that calls a function; ``before`` makes the world fit, ``after`` undoes that."""

    sql: str
    before: str = ""
    after: str = ""


def _op(number: int) -> str:
    return f"'{operation(number)}'"


def _ops(*numbers: int) -> str:
    return "ARRAY[" + ", ".join(_op(n) for n in numbers) + "]::uuid[]"


def _select(call: str, **world: str) -> Call:
    return Call(f"SELECT sendgate.{call}", **world)


CALLS: dict[str, Call] = {
    "reserve": _select(f"reserve('a', 'inmail', 'p100', 'k', {_op(100)})"),
    "confirm": _select(f"confirm('a', {_op(1)}, 'chat 1')"),
    "rollback": _select(f"rollback('a', {_op(2)}, 'Not enough credits', 'errors/insufficient_credits', 402)"),
    "resolve_unresolved": _select("resolve_unresolved(false, '2026-01-01', '2027-01-01', 'a')"),
    "resolve_operation": _select(f"resolve_operation('a', {_op(3)}, true, 'chat 3', 'seen in the inbox')"),
    "confirm_many": _select(f"confirm_many(ARRAY['a', 'a'], {_ops(4, 5)}, ARRAY['chat 4', 'chat 5'])"),
    "rollback_many": _select(f"rollback_many(ARRAY['a', 'a'], {_ops(6, 7)})"),
    "record_external_send": _select(f"record_external_send('a', 'message', 'p40', 'chat 40', '{NOON}')"),
    "record_credit_balance": _select("record_credit_balance('a', 40, NULL, 'told')"),
    "forget_credit_balance": _select("forget_credit_balance('counted', 'the page is wrong')"),
    "breaker_check": _select("breaker_check('open', 'p21', 'k')"),
    "breaker_report": _select("breaker_report('c', 'p50', 'no credits', 'errors/insufficient_credits')"),
    "breaker_clear": _select("breaker_clear('open', 'topped up')"),
    "breaker_arm": _select("breaker_arm('c', 'empty')"),
    "breaker_probe": _select("breaker_probe('open', 'one')"),
    "breaker_force": _select("breaker_force('open', 'closed', 'never mind')"),
    "upsert_account": _select("upsert_account('new', 'free')"),
    "set_window": _select("set_window('c', '09:00', '17:00', ARRAY[1, 2])"),
    "set_pace": _select("set_pace('c', '5 minutes', 20, true, 'like a person')"),
    "set_enforcement": _select("set_enforcement('c', 'observe', 'first week')"),
    "suppress_prospect": _select("suppress_prospect('p100', 'asked by mail', '2099-01-01')"),
    "unsuppress_prospect": _select(
        "unsuppress_prospect('p60', 'back')",
        before="INSERT INTO sendgate.suppressions (suppressed_at, prospect_id, actor) VALUES ('2026-05-19', 'p60', 'x')",
        after="DELETE FROM sendgate.suppressions",
    ),
    "remove_account": _select("remove_account('leaving', 'asked to leave', 5)"),
    "forget_prospect": _select("forget_prospect('old', 'asked to be forgotten')"),
    "set_status": _select("set_status('c', 'paused', 'holiday')"),
    "set_cap": _select("set_cap('c', 'invite', 5)"),
    "set_tier_cap": _select("set_tier_cap('sales_navigator', 'invite', 7)"),
    "drop_tier_cap": _select("drop_tier_cap('mine', 'message')"),
    "set_error_rule": _select("set_error_rule(7, 'transient', NULL, NULL, '4xx')"),
    "drop_error_rule": _select("drop_error_rule(8)"),
    "pause_all": _select("pause_all('stop')"),
    "quarantine": _select("quarantine('restored')"),
    "resume_all": _select(
        "resume_all()", before="SELECT sendgate.pause_all('stop')", after="DELETE FROM sendgate.pause_switch"
    ),
    "adopt_database": _select(
        "adopt_database('the original is gone')",
        before="UPDATE sendgate.home_database SET database_oid = 1",
        after="""UPDATE sendgate.home_database SET database_oid = oid
                 FROM pg_catalog.pg_database WHERE datname = current_database()""",
    ),
    "clear_cooldown": _select("clear_cooldown('cooling', 'false alarm')"),
    "repair_day": _select("repair_day('ahead', 'the clock is right again')"),
    "enqueue": _select("enqueue('k', 'p60', 'a', 'message', step => 2, payload => '{}')"),
    "enqueue_many": Call(
        """SELECT * FROM sendgate.enqueue_many(ARRAY['k', 'k', 'k'], ARRAY['p60', 'p61', 'p2'], ARRAY['a', 'a', 'a'],
               ARRAY['message', 'message', 'inmail'], are_connections => ARRAY[false, false, true], steps => ARRAY[3, 1, 1])"""
    ),
    "dispatch": Call(f"SELECT * FROM sendgate.dispatch(5, 'message', 'a', {_op(101)})"),
    "cancel": _select("cancel('k', 'p30')"),
    "set_campaign": _select("set_campaign('k', message_limit => 9, note => 'half')"),
    "cancel_prospect": _select("cancel_prospect('p31')"),
    "requeue": _select("requeue('k', 'p34', 'a', 'message')"),
    "pause_campaign": _select("pause_campaign('k')"),
    "resume_campaign": _select("resume_campaign('paused')"),
    "resume_deferred": _select("resume_deferred('open')"),
    "switch_action": _select("switch_action('switched', 'invite', 'message')"),
    "audit_events": Call("SELECT * FROM sendgate.audit_events()"),
    "reconcile_operations": Call("SELECT * FROM sendgate.reconcile_operations()"),
    "midnight_reset": Call("SELECT * FROM sendgate.midnight_reset()"),
    "prune": Call("SELECT * FROM sendgate.prune('60 days', '400 days')"),
    "begin_run": _select("begin_run('prune')"),
    "record_run_failure": _select("record_run_failure('prune', 'it broke')"),
    "tick": Call("CALL sendgate.tick()"),
    "acknowledge_alert": _select(f"acknowledge_alert('{ALERT}', 'seen')"),
    "take_breaker_lines": Call("SELECT * FROM sendgate.take_breaker_lines(10)"),
    "register_webhook": _select("register_webhook('ops', ARRAY['breaker_set', 'alert_opened'])"),
    "take_notifications": Call("SELECT * FROM sendgate.take_notifications('told')"),
    "settle_notification": _select(
        "settle_notification('told', o.account_id, o.id, 'HTTP 500') FROM sendgate.webhook_outbox o ORDER BY o.id LIMIT 1",
        before=f"UPDATE sendgate.webhook_outbox SET attempts = 1, first_tried_at = '{NOON}' WHERE attempts = 0",
        after="UPDATE sendgate.webhook_outbox SET attempts = 0, first_tried_at = NULL",
    ),
    "guard_send": Call("INSERT INTO public.guarded (account_id, prospect_id, campaign_id) VALUES ('a', 'p70', 'k')"),
    "settle_send": Call(f"UPDATE public.guarded SET chat_id = 'chat 8' WHERE operation_id = {_op(8)}"),
    "journal_event": Call(
        f"""INSERT INTO sendgate.linkedin_events (account_id, event_type, prospect_id, chat_id, occurred_at)
            VALUES ('a', 'inmail_sent', 'p80', 'chat 80', '{NOON}')"""
    ),
}
# Other ways through the same functions, each with more to write.
CALLS |= {
    "remove_account, all at once": _select("remove_account('leaving', 'asked to leave', 100000)"),
    "guard_send, an update": Call("UPDATE public.claimed SET status = 'sending' WHERE prospect_id = 'p71'"),
    "guard_send, an update after a failure": Call(
        "UPDATE public.claimed SET status = 'sending' WHERE prospect_id = 'p72'"
    ),
    "settle_send, a failure": Call(f"UPDATE public.guarded SET error = 'busy' WHERE operation_id = {_op(8)}"),
    "reserve, only observed": _select(f"reserve('observed', 'message', 'p100', NULL, {_op(110)})"),
    "reserve, a known credit": _select(f"reserve('credits', 'inmail', 'p100', NULL, {_op(113)})"),
    "rollback, a known credit comes back": _select(f"rollback('credits', {_op(59)})"),
    "rollback, a failure that stops an action": Call(
        f"""SELECT set_config('sendgate.failure_limit', '1', true),
            sendgate.rollback('stopped', {_op(58)}, 'try later', NULL, 503)"""
    ),
    "record_credit_balance, a top-up": _select("record_credit_balance('counted', 40, NULL, 'topped up')"),
    "dispatch, one of a paced account": Call(f"SELECT * FROM sendgate.dispatch(5, 'message', 'paced', {_op(111)})"),
    "dispatch, campaigns in turn": Call(f"SELECT * FROM sendgate.dispatch(5, 'message', 'shared', {_op(112)})"),
}

WORLD = f"""
SELECT sendgate.register_webhook('told',
    ARRAY['alert_opened', 'alert_resolved', 'breaker_set', 'breaker_clear', 'cooldown_set']);
SELECT sendgate.set_tier_cap('mine', 'message', 5);
SELECT sendgate.set_error_rule(8, 'transient', NULL, NULL, '418');
SET sendgate.now = '2026-01-10 12:00:00+00';
SELECT sendgate.upsert_account(id, 'sales_navigator')
FROM unnest(ARRAY['a', 'open', 'c', 'cooling', 'ahead', 'yesterday', 'drifted', 'leaving', 'counted',
                  'observed', 'paced', 'shared', 'stopped', 'credits']) id;
SELECT sendgate.reserve('yesterday', 'message', 'old', NULL, {_op(50)});
SELECT sendgate.rollback('yesterday', {_op(50)});
SELECT sendgate.reserve('leaving', 'message', 'old', 'k', {_op(55)});
SELECT sendgate.confirm('leaving', {_op(55)});
SELECT sendgate.enqueue('k', 'p' || n, 'leaving', 'message') FROM generate_series(1, 3) n;
SET sendgate.now = '2026-08-25 12:00:00+00';
SELECT sendgate.reserve('ahead', 'message', 'p', NULL, {_op(51)});
SET sendgate.now = '2026-05-19 12:00:00+00';
SELECT sendgate.reserve('yesterday', 'message', 'p', NULL, {_op(52)});
{FROZEN};
SELECT sendgate.record_credit_balance('counted', 0, NULL, 'empty');
SELECT sendgate.breaker_check('counted');
SELECT sendgate.enqueue('k', 'p2', 'a', 'inmail', '2031-01-01');
SELECT sendgate.reserve('a', 'inmail', 'p' || n, 'k', ('00000000-0000-4000-8000-00000000000' || n)::uuid)
FROM generate_series(1, 8) n;
SELECT sendgate.rollback('a', {_op(3)}, 'gateway timeout', NULL, 504);
SELECT sendgate.reserve('cooling', 'message', 'p', NULL, {_op(53)});
SELECT sendgate.rollback('cooling', {_op(53)}, 'slow down', NULL, 429);
SELECT sendgate.enqueue('k', 'p2' || n, 'open', 'inmail') FROM generate_series(1, 3) n;
SELECT sendgate.breaker_arm('open', 'empty');
SELECT count(*) FROM sendgate.dispatch(2, 'inmail', 'open');
SELECT sendgate.enqueue('k', 'p3' || n, 'a', 'message') FROM generate_series(0, 2) n;
SELECT sendgate.enqueue('k', 'p34', 'a', 'message', '2031-01-01');
SELECT sendgate.cancel('k', 'p34');
SELECT sendgate.enqueue('paused', 'p90', 'a', 'message');
SELECT sendgate.pause_campaign('paused');
SELECT sendgate.enqueue('switched', 'p91', 'a', 'invite', NULL, true);
SELECT sendgate.reserve('drifted', 'message', 'p', NULL, {_op(54)});
UPDATE sendgate.accounts SET messages_sent_today = 7, inmails_sent_today = 61, inmail_cap_today = 50
WHERE id = 'drifted';
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
VALUES ('{ALERT}', 'a', 'delivered_after_rollback', '2026-05-20', 'to be seen', '{NOON}');
CREATE TABLE public.guarded (account_id text, prospect_id text, campaign_id text, operation_id uuid,
    chat_id text, error text);
INSERT INTO public.guarded VALUES ('a', 'p8', 'k', {_op(8)});
SELECT sendgate.set_enforcement('observed', 'observe', 'first week'), sendgate.set_cap('observed', 'message', 0);
SELECT sendgate.set_pace('paced', '5 minutes');
SELECT sendgate.enqueue('k', 'p' || n, 'paced', 'message') FROM generate_series(1, 2) n;
SELECT sendgate.enqueue('k' || n % 2, 'p' || n, 'shared', 'message') FROM generate_series(1, 4) n;
SELECT sendgate.set_campaign('k0', message_limit => 1);
SELECT sendgate.reserve('stopped', 'message', 'p', NULL, {_op(58)});
SELECT sendgate.record_credit_balance('credits', 5, NULL, 'told');
SELECT sendgate.reserve('credits', 'inmail', 'p', NULL, {_op(59)});
SELECT sendgate.reserve('a', 'message', 'p72', NULL, {_op(57)});
SELECT sendgate.rollback('a', {_op(57)});
CREATE TABLE public.claimed (account_id text, prospect_id text, status text, operation_id uuid UNIQUE, why text);
INSERT INTO public.claimed VALUES ('a', 'p71', 'new', NULL), ('a', 'p72', 'new', {_op(57)});
CREATE TRIGGER guard BEFORE UPDATE ON public.claimed FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account_id', 'message', 'prospect_id', '', 'operation_id', 'reason:why');
CREATE TRIGGER guard BEFORE INSERT ON public.guarded FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account_id', 'message', 'prospect_id', 'campaign_id', 'operation_id', 'error');
CREATE TRIGGER settle AFTER UPDATE ON public.guarded FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error');
"""

FUNCTIONS = """
SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace ORDER BY 1"""


def prepare(env) -> None:
    """Make the world, and see that no function is forgotten."""
    called = {name.partition(",")[0] for name in CALLS}
    equal(env.psql(FUNCTIONS).splitlines(), sorted([*called, *READING]), "functions of the catalog")
    env.psql(WORLD)
