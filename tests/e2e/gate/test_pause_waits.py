"""pause_all holds for the calls that were waiting when it committed: no yes is given by the configuration of before."""

import psycopg

from e2e.support import at_once, equal, operation, provision, wait_until_blocked

REQUEST = operation(900)
RESERVE = f"SELECT proceed, reason FROM sendgate.reserve('a', 'message', 'p1', NULL, '{operation(1)}')"
DISPATCH = f"SELECT count(*) FROM sendgate.dispatch(1, 'message', 'a', '{REQUEST}')"
# An outbox, guarded where a row is put in and where it is claimed; each answers with the reason of a refusal.
GUARDED = "INSERT INTO public.outbox (account, prospect) VALUES ('a', gen_random_uuid()) RETURNING why"
CLAIMED = "UPDATE public.outbox SET claimed = clock_timestamp(), operation = NULL, prospect = gen_random_uuid() WHERE n = 0 RETURNING why"
OUTBOX = """
CREATE TABLE public.outbox (n serial, account text, prospect text, operation uuid UNIQUE, why text, claimed timestamptz);
INSERT INTO public.outbox VALUES (0, 'a', 'p');
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'message', 'prospect', '', 'operation', 'reason:why')"""


def test_every_yes_is_looked_at_again(env):
    """A call, the table that it waits for, its answer before and when everything was paused meanwhile."""
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p2', 'a', 'message')")
    env.psql(OUTBOX)
    paused = (False, "paused_by_operator")
    calls = (
        ("SELECT proceed, reason FROM sendgate.breaker_check('a')", "accounts", (True, None), paused),
        ("SELECT proceed, reason FROM sendgate.preview('a', 'invite', 'q')", "accounts", (True, None), paused),
        ("SELECT proceed, reason FROM sendgate.preview('a', 'invite', 'q')", "send_operations", (True, None), paused),
        (RESERVE, "accounts", (True, None), paused),
        (RESERVE, "send_operations", (True, None), paused),
        (DISPATCH, "dispatch_requests", (1,), (0,)),
        (DISPATCH, "send_operations", (1,), (0,)),
        (GUARDED, "accounts", (None,), ("paused_by_operator",)),
        (GUARDED, "send_operations", (None,), ("paused_by_operator",)),
        (CLAIMED, "accounts", (None,), ("paused_by_operator",)),
    )
    for call, table, before, after in calls:
        connection, other = env.connect(), env.connect(autocommit=False)
        equal(connection.execute(call).fetchone(), before, f"{call} before")
        other.execute(f"LOCK TABLE sendgate.{table}")

        def work(number: int, connection=connection, other=other, call=call):
            if number == 0:
                return connection.execute(call).fetchone()
            wait_until_blocked(env, connection.info.backend_pid)
            env.psql("SELECT sendgate.pause_all('test')")
            other.rollback()
            return None

        equal(at_once(2, work)[0], after, f"{call} that waited for {table}")
        env.psql("SELECT sendgate.resume_all()")
        equal(connection.execute(call).fetchone(), before, f"{call} afterwards")


def test_a_breaker_check_that_is_observed_or_cleared(env):
    """They wait for the row of the account."""
    provision(env)
    provision(env, "b")
    env.psql("SELECT sendgate.breaker_arm('a', 'test'); SELECT sendgate.set_enforcement('a', 'observe', 'test')")
    call = "SELECT proceed, reason FROM sendgate.breaker_check('a')"
    connection, other = env.connect(), env.connect(autocommit=False)
    equal(connection.execute(call).fetchone(), (True, "account_inmail_credits_exhausted"), "observed")
    other.execute("SELECT 1 FROM sendgate.accounts WHERE id = 'a' FOR UPDATE")

    def work(number: int):
        if number == 0:
            return connection.execute(call).fetchone()
        wait_until_blocked(env, connection.info.backend_pid)
        env.psql("SELECT sendgate.pause_all('test')")
        other.rollback()
        return None

    equal(at_once(2, work)[0], (False, "paused_by_operator"), "a check that waited")
    equal(env.psql("SELECT refusals FROM sendgate.observed_refusals"), "1", "refusals that were observed")


def test_a_replayed_dispatch_waits_no_longer_than_others(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p2', 'a', 'message')")
    connection, other = env.connect(), env.connect(autocommit=False)
    equal(connection.execute(DISPATCH).fetchone(), (1,), "the first call")
    connection.execute("SET sendgate.lock_timeout = '50ms'")
    # Should it wait for longer than that, it is not to wait for ever.
    connection.execute("SET statement_timeout = '10s'")
    for table in ("dispatch_requests", "send_operations"):
        other.execute(f"LOCK TABLE sendgate.{table}")
        try:
            connection.execute(DISPATCH)
        except psycopg.Error as error:
            equal(error.sqlstate, "SG301", f"SQLSTATE with {table} locked")
        else:
            raise AssertionError(f"it did not wait for {table}")
        other.rollback()
