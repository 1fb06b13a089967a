"""What random histories call in the database, and how its tables look beside the model."""

from datetime import UTC, datetime, timedelta

from .dispatch import Row, Witness
from .verbs import Account
from .work import NO_CREDITS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def shown(at: int) -> str:
    return moment(at).isoformat(sep=" ")


# Of one account, whose name comes first.
CALLS = {
    "reserve": "SELECT proceed, reason, retry_at, expires_at, sent_today, daily_cap, remaining"
    " FROM sendgate.reserve(%s, %s, %s, %s, %s)",
    "preview": "SELECT proceed, reason, retry_at, expires_at, sent_today, daily_cap, remaining"
    " FROM sendgate.preview(%s, %s, %s)",
    "enqueue": "SELECT sendgate.enqueue(account_id => %s, campaign_id => %s, prospect_id => %s, action => %s,"
    " dispatch_at => %s, step => %s, priority => %s)",
    "put": "SELECT sendgate.enqueue(account_id => %s, campaign_id => %s, prospect_id => %s, action => %s,"
    " dispatch_at => %s, priority => %s)",
    "requeue": "SELECT sendgate.requeue(account_id => %s, campaign_id => %s, prospect_id => %s, action => %s,"
    " step => %s, dispatch_at => %s)",
    "confirm": "SELECT sendgate.confirm(%s, %s, %s, %s)",
    "rollback": "SELECT sendgate.rollback(%s, %s, %s, %s, %s, %s)",
    "resolve": "SELECT sendgate.resolve_operation(%s, %s, %s, %s, 'a note')",
    "external": "SELECT sendgate.record_external_send(%s, %s, %s, %s, %s)",
    "resume_deferred": "SELECT sendgate.resume_deferred(%s)",
    "set_status": "SELECT sendgate.set_status(%s, %s, 'a note')",
    "set_cap": "SELECT sendgate.set_cap(%s, %s, %s, %s, 'a note')",
    "set_window": "SELECT sendgate.set_window(%s, %s, %s, %s)",
    "set_zone": "SELECT sendgate.upsert_account(%s, time_zone => %s)",
    "set_ramp": "SELECT sendgate.upsert_account(%s, ramp => %s)",
    "clear_cooldown": "SELECT sendgate.clear_cooldown(%s, 'a note', %s)",
    "set_pace": "SELECT sendgate.set_pace(%s, %s, 0, %s, 'a note')",
    "breaker_clear": "SELECT sendgate.breaker_clear(%s, 'a note')",
    "breaker_arm": "SELECT sendgate.breaker_arm(%s, 'a note')",
    "breaker_probe": "SELECT sendgate.breaker_probe(%s, 'a note')",
    "breaker_force": "SELECT sendgate.breaker_force(%s, %s, 'a note')",
    "breaker_check": "SELECT proceed, reason, retry_at, exhausted_at FROM sendgate.breaker_check(%s, %s, %s)",
    "breaker_report": "SELECT sendgate.breaker_report(%s, %s, %s, %s, %s)",
    "tell_balance": "SELECT sendgate.record_credit_balance(%s, %s, %s)",
    "forget_balance": "SELECT sendgate.forget_credit_balance(%s, 'a note')",
    # Writes today's counter past every verb; layer 1 corrects it.
    "tamper": "WITH a AS (SELECT %s::text AS account) UPDATE sendgate.accounts"
    " SET inmails_sent_today = greatest(inmails_sent_today + %s, 0) FROM a"
    " WHERE id = a.account AND day = (sendgate.clock() AT TIME ZONE 'UTC')::date",
}

# Of all accounts.
CALLS_OF_ALL = {
    "dispatch": "SELECT account_id, campaign_id, prospect_id, action, operation_id::text, expires_at, attempt, step"
    " FROM sendgate.dispatch(%s, %s, %s, %s)",
    "confirm_many": "SELECT sendgate.confirm_many(%s, %s, %s)",
    "rollback_many": "SELECT sendgate.rollback_many(%s, %s, %s, %s, %s)",
    "cancel": "SELECT sendgate.cancel(%s, %s, %s)",
    "cancel_prospect": "SELECT sendgate.cancel_prospect(%s)",
    "enqueue_many": "SELECT array_agg(result ORDER BY element) FROM sendgate.enqueue_many(account_ids => %s,"
    " campaign_ids => %s, prospect_ids => %s, actions => %s, dispatch_ats => %s, steps => %s, priorities => %s)",
    "switch_action": "SELECT moved, left_behind FROM sendgate.switch_action(%s, %s, %s)",
    "pause_campaign": "SELECT sendgate.pause_campaign(%s)",
    "resume_campaign": "SELECT sendgate.resume_campaign(%s)",
    "suppress_prospect": "SELECT sendgate.suppress_prospect(%s, 'a note', %s)",
    "unsuppress_prospect": "SELECT sendgate.unsuppress_prospect(%s, 'a note')",
    "set_campaign": "SELECT sendgate.set_campaign(%s, %s, %s)",
    "pause_all": "SELECT sendgate.pause_all('a note')",
    "resume_all": "SELECT sendgate.resume_all()",
    "clear_failures": "SELECT sendgate.clear_cooldown('*', 'a note')",
    "midnight_reset": "SELECT more FROM sendgate.midnight_reset()",
    "reconcile_operations": "SELECT more, changed FROM sendgate.reconcile_operations()",
    "audit_events": "SELECT more, changed FROM sendgate.audit_events()",
}

LOOK = """
SELECT a.id, a.status, a.breaker_mode, a.inmail_credits_exhausted_at, a.breaker_cleared_at,
       a.probe_lease_until, a.probe_operation_id::text, a.cooldown_until,
       (SELECT array_agg(concat_ws(' ', action, sent_today, sent_this_week, daily_cap,
                                   coalesce(weekly_cap, -1)) ORDER BY action)
        FROM sendgate.counters c WHERE c.account_id = a.id AND action IN ('inmail', 'invite')),
       (SELECT array_agg(concat_ws(' ', right(o.operation_id::text, 3), o.origin, o.action, o.prospect_id, o.step,
                                   o.state, coalesce(o.outcome, '-'), o.counted_on, e.chat_id,
                                   extract(epoch FROM e.occurred_at)))
        FROM sendgate.send_operations o
        LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id)
        WHERE o.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', action, reason)) FROM sendgate.breaker_log l WHERE l.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', kind, day)) FROM sendgate.open_alerts l WHERE l.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', prospect_id, campaign_id, action, reason, repeats))
        FROM sendgate.campaign_events c WHERE c.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', campaign_id, prospect_id, action, step, priority, state,
                                   extract(epoch FROM next_dispatch_at), reason, attempts,
                                   right(operation_id::text, 3)))
        FROM sendgate.enrollments e WHERE e.account_id = a.id),
       (SELECT count(*) FROM sendgate.linkedin_events e WHERE e.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', coalesce(action, '-'), cause, coalesce(extract(epoch FROM until)::text, '-')))
        FROM sendgate.cooldown_log l WHERE l.account_id = a.id),
       (SELECT array_agg(concat_ws(' ', f.action, coalesce(n.count, 0), coalesce(n.level, 0),
                                   coalesce(extract(epoch FROM n.failing_since)::text, '-'),
                                   coalesce(extract(epoch FROM n.failing_until)::text, '-'),
                                   coalesce(extract(epoch FROM n.cooldown_until)::text, '-'),
                                   CASE WHEN a.day = (sendgate.clock() AT TIME ZONE 'UTC')::date
                                        THEN f.attempts ELSE 0 END))
        FROM (VALUES ('inmail', a.inmail_attempts_today), ('invite', a.invite_attempts_today)) f (action, attempts)
        LEFT JOIN LATERAL jsonb_to_record(a.failures -> f.action)
            AS n (count int, level int, failing_since timestamptz, failing_until timestamptz,
                  cooldown_until timestamptz) ON true)
FROM sendgate.accounts a ORDER BY a.id
"""
# The state by which dispatch is judged, beside its answer.
PIECES = """SELECT account_id, campaign_id, prospect_id, action, step, state, next_dispatch_at, reason
FROM sendgate.enrollments"""
# How far the ramp is, right after something was counted.
RAMPED = "SELECT ramp_days FROM sendgate.accounts WHERE id = %s"
STAMPS = "SELECT id, inmail_credits_exhausted_at FROM sendgate.accounts"


def pictured(account: Account) -> tuple:
    """The model, as LOOK shows the database."""

    def words(*values):
        return " ".join(str(value) for value in values if value is not None)

    def seconds(at):
        return None if at is None else f"{at / 1e6:.6f}"

    def told(o):
        event = (o.event.chat, seconds(o.event.occurred_at)) if o.event else ()
        number, origin = ("ext", "external") if o.number is None else (o.id()[-3:], "gate")
        return words(number, origin, o.action, o.prospect, o.step, o.state, o.outcome or "-", o.counted_on, *event)

    def counter(action):
        daily, weekly = account.cap(action)
        sent = account.sent_on(action, account.today), account.sent_in_seven_days(action, account.today)
        return words(action, *sent, daily, -1 if weekly is None else weekly)

    def enrolled(e):
        operation = e.operation and e.operation.id()[-3:]
        which = e.campaign, e.prospect, e.action, e.step, e.priority
        return words(*which, e.state, seconds(e.due_at), e.reason, e.attempts, operation)

    def since(at):
        return "-" if at is None else seconds(at)

    def fails(action):
        row, cooldown = account.in_a_row[action], account.action_cooldowns.get(action)
        ends = since(row.since), since(row.until), since(cooldown)
        return words(action, row.count, row.level, *ends, account.attempts(action))

    skips = [words(*key[:2], "inmail", NO_CREDITS, repeats) for key, repeats in account.skips.items()]
    return (
        account.status,
        account.mode,
        account.stamp,
        account.cleared_at,
        account.lease,
        account.taken_by.id() if account.taken_by else None,
        account.cooldown,
        [counter("inmail"), counter("invite")],
        sorted(told(o) for o in account.journal),
        sorted(f"{action} {reason}" for action, reason in account.lines),
        sorted(f"{kind} {day}" for kind, day in account.alerts),
        sorted([*skips, *(words(*refused, 0) for refused in account.refused)]),
        sorted(enrolled(e) for e in account.enrolled),
        sum(o.event is not None for o in account.journal),
        sorted(words(action or "-", cause, since(until)) for action, cause, until in account.cooldown_lines),
        sorted(fails(action) for action in ("inmail", "invite")),
    )


def seen(row: tuple) -> tuple:
    """The database's picture of an account, in the model's terms."""
    values = plain(row[1:])
    places = values[:8] + [sorted(value or ()) for value in values[8:13]]
    # The ids of sends from outside are the database's own.
    places[8] = sorted("ext" + line[3:] if " external " in line else line for line in places[8])
    return (*places, values[13], *(sorted(value or ()) for value in values[14:]))


def plain(row: tuple) -> list:
    return [micros(value) if isinstance(value, datetime) else value for value in row]


def handed(rows: list[tuple]) -> list[Row]:
    return [Row(*plain(row)) for row in rows]


def witness(connection) -> Witness:
    """How the enrollments and the breakers stand."""
    pieces = [plain(row) for row in connection.execute(PIECES, prepare=True)]
    stamps = [plain(row) for row in connection.execute(STAMPS, prepare=True)]
    return Witness({tuple(row[:5]): tuple(row[5:]) for row in pieces}, dict(stamps))
