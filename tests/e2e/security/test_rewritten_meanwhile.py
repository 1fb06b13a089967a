"""What is written while a DBA rewrites the table is written: the snapshot is younger than the wait for the lock."""

from e2e.support import at_once, equal, provision, wait_until_blocked

REWRITE = "ALTER TABLE sendgate.{} ADD COLUMN of_a_dba uuid DEFAULT pg_catalog.gen_random_uuid()"
DUE = "SELECT state, next_dispatch_at <= sendgate.clock() FROM sendgate.enrollments"


def test_a_clear_makes_deferred_work_due(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p', 'a', 'inmail')")
    env.psql("SELECT sendgate.breaker_arm('a', 'test'); SELECT sendgate.dispatch(1)")
    equal(env.psql(DUE), "waiting|f", "deferred")
    meanwhile(env, "enrollments", "SELECT sendgate.breaker_clear('a', 'test')")
    equal(env.psql(DUE), "waiting|t", "after the clear")


def test_a_skip_defers_its_enrollment(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p', 'a', 'inmail'); SELECT sendgate.breaker_arm('a', 'test')")
    equal(env.psql(DUE), "waiting|t", "before")
    meanwhile(env, "enrollments", "SELECT sendgate.reserve('a', 'inmail', 'p', 'k')")
    equal(env.psql(DUE), "waiting|f", "deferred by the skip")


def test_a_status_wakes_the_tickets(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p', 'a', 'message'); SELECT sendgate.set_status('a', 'paused', 'test')")
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch(1)"), "0", "nothing while it is paused")
    meanwhile(env, "dispatch_queue", "SELECT sendgate.set_status('a', 'connected', 'test')")
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch(1)"), "1", "handed out")


def test_rules_that_were_rewritten_are_read(env):
    """A session that reads its configuration for the first time, while the caps' table is written anew."""
    provision(env)
    env.psql("SELECT sendgate.set_tier_cap('sales_navigator', 'message', 0)")
    call = "SELECT proceed, reason FROM sendgate.reserve('a', 'message', 'p')"
    found = meanwhile(env, "tier_overrides", call)
    equal(found, (False, "daily_cap_reached"), "under the cap that is in the rewritten table")


def meanwhile(env, table: str, call: str):
    """The answer of a call that waits while the table is rewritten."""
    connection, other = env.connect(), env.connect(autocommit=False)
    other.execute(REWRITE.format(table))

    def work(number: int):
        if number == 0:
            return connection.execute(call).fetchone()
        wait_until_blocked(env, connection.info.backend_pid)
        other.commit()
        return None

    answer = at_once(2, work)[0]
    env.psql(f"ALTER TABLE sendgate.{table} DROP COLUMN of_a_dba CASCADE")
    return answer
