"""What is written while a DBA rewrites the table is written: the snapshot is younger than the wait for the lock. Where a
transaction keeps an older snapshot, it is told to try again: on that one the rewritten table is empty."""

import itertools

import psycopg

from e2e.support import at_once, books, equal, operation, provision, wait_until_blocked

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


LEVELS = (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE)
REWRITES = (
    REWRITE,
    "ALTER TABLE sendgate.{} SET UNLOGGED",
    "VACUUM FULL sendgate.{}",
    "CLUSTER sendgate.{0} USING {0}_pkey",
)
# These leave every row where a snapshot finds it.
HARMLESS = (
    "ANALYZE sendgate.{}",
    "VACUUM sendgate.{}",
    "REINDEX TABLE sendgate.{}",
)


def test_no_second_slot_on_an_older_snapshot(env):
    provision(env)
    reserve = "SELECT proceed, reason FROM sendgate.reserve('a', 'invite', 'p')"
    equal(env.psql(reserve), "t|", "the first one")
    session = env.connect(autocommit=False)
    for level in LEVELS:
        session.isolation_level = level
        for rewrite, call in itertools.product(REWRITES, ("reserve", "preview")):
            begin(session)
            env.psql(rewrite.format("send_operations"))
            what = f"{call} at {level.name} after {rewrite}"
            equal(outcome(session, f"sendgate.{call}('a', 'invite', 'p')"), "40001", what)
            session.rollback()
            begin(session)
            equal(session.execute(reserve).fetchone(), (False, "operation_in_flight"), "tried again")
            session.rollback()
            env.psql("ALTER TABLE sendgate.send_operations SET LOGGED, DROP COLUMN IF EXISTS of_a_dba")
        for change in HARMLESS:
            begin(session)
            env.psql(change.format("send_operations"))
            equal(session.execute(reserve).fetchone(), (False, "operation_in_flight"), f"after {change}")
            session.rollback()
        # What the transaction itself has written anew, it sees.
        begin(session)
        session.execute(REWRITE.format("send_operations"))
        equal(session.execute(reserve).fetchone(), (False, "operation_in_flight"), "after a rewrite of its own")
        session.rollback()
    equal(books(env, action="invite")["journal"], 1, "operations of the prospect")


def test_each_table_on_an_older_snapshot(env):
    """Each call works on the rows that are there, or says that it has to be tried again."""
    provision(env)
    env.psql(f"SELECT sendgate.reserve('a', 'inmail', 'p', NULL, '{operation(1)}')")
    env.psql("SELECT sendgate.enqueue('k', 'q', 'a', 'message'), sendgate.enqueue('k', 'r', 'a', 'inmail')")
    session, other = env.connect(autocommit=False), env.connect(autocommit=False)
    session.isolation_level = LEVELS[0]
    for table, call in (
        ("accounts", "sendgate.reserve('a', 'message', 's')"),
        ("accounts", "sendgate.set_status('a', 'connected', 'test')"),
        ("accounts", "sendgate.dispatch(1)"),
        ("enrollments", "sendgate.dispatch(1)"),
        ("dispatch_queue", "sendgate.dispatch(1)"),
        ("send_operations", "sendgate.dispatch(1)"),
        ("send_operations", f"sendgate.confirm('a', '{operation(1)}', 'chat')"),
        ("send_operations", f"sendgate.confirm_many('{{a}}', '{{{operation(1)}}}', '{{chat}}')"),
        ("linkedin_events", f"sendgate.confirm('a', '{operation(1)}', 'chat')"),
        ("send_operations", f"sendgate.rollback_many('{{a}}', '{{{operation(1)}}}')"),
        ("enrollments", "sendgate.cancel('k', 'q')"),
        ("enrollments", "sendgate.enqueue('k', 'q', 'a', 'message')"),
        ("send_operations", "sendgate.forget_prospect('p', 'test')"),
    ):
        begin(session)
        env.psql(REWRITE.format(table))
        found = outcome(session, call)
        session.rollback()
        equal(found in ("40001", outcome(other, call)), True, f"{call} after a rewrite of {table}: {found}")
        other.rollback()
        env.psql(f"ALTER TABLE sendgate.{table} DROP COLUMN of_a_dba CASCADE")


def begin(session) -> None:
    """Begins a transaction, whose snapshot is taken at once."""
    session.execute("SET LOCAL sendgate.in_transaction = 'allow'")
    session.execute("SELECT count(*) FROM pg_class")


def outcome(session, call: str) -> str:
    """The SQLSTATE of its error, or how many rows it answers, and the first value of a single one."""
    try:
        rows = session.execute(f"SELECT * FROM {call}").fetchall()
    except psycopg.Error as error:
        return error.sqlstate
    return f"{len(rows)} {rows[0][0] if len(rows) == 1 and isinstance(rows[0][0], str | bool | int) else ''}"


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
