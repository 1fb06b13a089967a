"""A hot standby answers previews and shows the views; it grants nothing."""

from e2e.support import equal, operation, provision
from e2e.support.calls import CALLS, FROZEN, prepare
from e2e.support.replication import caught_up, standby

READERS_VIEWS = """
SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'v' ORDER BY 1"""


def test_a_standby_previews_and_reads_and_grants_nothing(env):
    import psycopg

    provision(env, inmail=2)
    env.psql(f"SELECT sendgate.reserve('a', 'inmail', 'p1', NULL, '{operation(1)}')")
    env.psql("SELECT sendgate.breaker_arm('a', 'empty')")
    env.psql("SELECT sendgate.enqueue('k', 'p' || n, 'a', 'inmail') FROM generate_series(5, 7) n")
    env.psql("SELECT * FROM sendgate.dispatch(1)")
    env.psql("SELECT sendgate.breaker_clear('a', 'topped up')")
    equal(env.psql("SELECT skipped FROM sendgate.skips_today"), "3", "skips")
    with standby(env.cluster) as server:
        connection = psycopg.connect(server.dsn(env.dbname), autocommit=True)
        equal(preview(connection, "p2"), (True, None, 1, 2), "preview")
        equal(preview(connection, "p1")[:2], (False, "operation_in_flight"), "preview of p1")
        for view in env.psql(READERS_VIEWS).splitlines():
            here = connection.execute(f"SELECT count(*) FROM {view}").fetchone()[0]
            equal(str(here), env.psql(f"SELECT count(*) FROM {view}"), f"rows of {view}")
        found = connection.execute("SELECT proceed, reason FROM sendgate.breaker_check('a')").fetchone()
        equal(found, (True, None), "a closed breaker")

        # What an operator does on the primary reaches a session here that is warm already.
        env.psql("SELECT sendgate.set_tier_cap('sales_navigator', 'invite', 7)")
        env.psql("SELECT sendgate.set_cap('a', 'inmail', 1)")
        caught_up(env.cluster, connection)
        equal(preview(connection, "p2")[1:], ("daily_cap_reached", 1, 1), "preview, lower cap")
        equal(preview(connection, "p2", "invite"), (True, None, 0, 7), "preview, tier's cap")
        env.psql("SELECT sendgate.pause_all('stop')")
        caught_up(env.cluster, connection)
        equal(preview(connection, "p2")[1], "paused_by_operator", "preview while paused")
        told = connection.execute("SELECT DISTINCT reason, note FROM sendgate.why('a')").fetchall()
        equal(told, [("paused_by_operator", "stop")], "why while paused")
        connection.close()


def test_on_a_standby_every_function_that_writes_says_so(env):
    """With PostgreSQL's own error, and the session goes on."""
    import psycopg

    prepare(env)
    with standby(env.cluster) as server:
        connection = psycopg.connect(server.dsn(env.dbname), autocommit=True)
        caught_up(env.cluster, connection)
        connection.execute(FROZEN)
        asked = "SELECT (sendgate.preview('c', 'invite', 'p')).proceed"
        for name, call in CALLS.items():
            if call.before:
                env.psql(call.before)
                caught_up(env.cluster, connection)
            try:
                connection.execute(call.sql)
                raise AssertionError(f"{name} went through on a standby")
            except psycopg.errors.ReadOnlySqlTransaction as error:
                said = error.diag.message_primary
                assert "read-only transaction" in said or "during recovery" in said, f"{name}: {said}"
            if call.after:
                env.psql(call.after)
                caught_up(env.cluster, connection)
            equal(connection.execute(asked).fetchone()[0], True, f"a preview after {name}")
        for reading in ("clock() IS NOT NULL", "next_credit_period(1, sendgate.clock()) > sendgate.clock()"):
            equal(connection.execute(f"SELECT sendgate.{reading}").fetchone()[0], True, reading)
        connection.execute("SELECT * FROM sendgate.refusal_counts()")
        connection.close()


def test_a_promoted_standby_goes_on_with_the_gate(env):
    """After a failover the same operation id replays, and the slots are those that were left."""
    import psycopg

    provision(env, inmail=2)
    with standby(env.cluster) as server:
        reserve = "SELECT proceed, reason FROM sendgate.reserve('a', 'inmail', %s, NULL, %s)"
        granted = env.connect().execute(reserve, ("p1", operation(1))).fetchone()
        equal(granted, (True, None), "before the failover")
        with psycopg.connect(server.dsn(env.dbname), autocommit=True) as connection:
            caught_up(env.cluster, connection)
            connection.execute("SELECT pg_promote()")
            # It has its primary's system identifier, so it is no copy.
            equal(connection.execute("SELECT sendgate.copied_database()").fetchone(), (False,), "a copy")
            equal(connection.execute(reserve, ("p1", operation(1))).fetchone(), granted, "replay")
            equal(connection.execute(reserve, ("p2", operation(2))).fetchone()[0], True, "second")
            third = connection.execute(reserve, ("p3", operation(3))).fetchone()
            equal(third, (False, "daily_cap_reached"), "third")


def preview(connection, prospect: str, action: str = "inmail") -> tuple:
    """(proceed, reason, sent_today, daily_cap)"""
    return connection.execute(
        "SELECT proceed, reason, sent_today, daily_cap FROM sendgate.preview('a', %s, %s)",
        (action, prospect),
    ).fetchone()
