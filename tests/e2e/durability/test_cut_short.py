"""Every function that writes, stopped in its middle: at each table that it writes it is made to wait,
and then cancelled, timed out, terminated or left by its client. Nothing of it stays, and it can be called
again."""

from e2e.support import equal, wait_for
from e2e.support.calls import CALLS, FROZEN, Call, prepare
from harness.progress import progress

# What is tried is PostgreSQL's own way of ending a statement, the same in all versions.
NEWEST_ONLY = True

TABLES = """
SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r'
UNION ALL VALUES ('public.guarded'), ('public.claimed') ORDER BY 1"""
# Tables that this session's open transaction has written or locked rows of.
WRITTEN = """
SELECT DISTINCT l.relation::pg_catalog.regclass::text FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind = 'r'
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
  AND c.relnamespace IN ('sendgate'::pg_catalog.regnamespace, 'public'::pg_catalog.regnamespace)
ORDER BY 1"""
LEFT = """
SELECT count(*) FROM pg_catalog.pg_locks
WHERE pid = %s AND (locktype = 'advisory' OR locktype = 'relation' AND mode <> 'AccessShareLock')"""
WAITS = "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE pid = %s AND NOT granted)"
# A wait ends by its own limit long after this test has ended it.
PATIENT = "SET sendgate.lock_timeout = '5min'"
# How many tables it holds besides the one that it waits for.
HELD = """
SELECT count(DISTINCT relation) FROM pg_catalog.pg_locks
WHERE pid = %s AND granted AND mode IN ('RowShareLock', 'RowExclusiveLock')
  AND relation IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'r')"""
CANCELLED = "57014"
# Tables of each call, those last that it comes to last; the same in every database.
POINTS: dict[str, list[str]] = {}


def test_every_function_has_a_middle(env):
    """The list is the catalog's, and most calls have done something when they are made to wait."""
    cuts = points(env)
    several = [name for name in cuts if len(cuts[name]) > 1]
    assert len(several) > len(CALLS) / 2, f"only {several} write more than one table"
    progress(f"    {len(cuts)} calls, {sum(map(len, cuts.values()))} places to stop them")


def test_a_cancelled_call_leaves_nothing_and_the_session_goes_on(env):
    """At each table, one session for all."""
    with_cuts(env, cancelled)


def test_a_call_that_timed_out_leaves_nothing_and_the_session_goes_on(env):
    with_cuts(env, timed_out, last_only=True)


def test_a_client_that_leaves_leaves_nothing(env):
    with_cuts(env, left)


def test_a_terminated_call_leaves_nothing(env):
    with_cuts(env, terminated, last_only=True)


def test_a_client_that_leaves_unnoticed_has_called(env):
    """Without client_connection_check_interval the server sees it only when it answers: then all of the
    call is done, and asking again says so."""
    prepare(env)
    observer, holder, caller = env.connect(), env.connect(autocommit=False), session(env)
    holder.execute("LOCK TABLE sendgate.send_operations IN EXCLUSIVE MODE")
    pid = start(caller, CALLS["reserve"].sql)
    wait_for(lambda: waits(observer, pid), "the call to wait")
    caller.pgconn.finish()
    holder.rollback()
    gone(observer, pid)
    again = session(env)
    proceed = "SELECT (sendgate.reserve('a', 'inmail', 'p100', 'k', %s)).proceed"
    before = contents(observer)
    equal(again.execute(proceed, ("00000000-0000-4000-8000-000000000100",)).fetchone()[0], True, "again")
    equal(contents(observer), before, "what the replay wrote")
    counted = "SELECT count(*) FROM sendgate.send_operations WHERE prospect_id = 'p100'"
    equal(observer.execute(counted).fetchone()[0], 1, "operations")


def with_cuts(env, cut, last_only: bool = False) -> None:
    """Stop each call at each table, or where it has done most; afterwards it does what it always does."""
    cuts = points(env)
    observer, holder, caller = env.connect(), env.connect(autocommit=False), session(env)
    for name, call in CALLS.items():
        if call.before:
            observer.execute(call.before)
        before = contents(observer)
        stopped = 0
        for table in reversed(cuts[name]):
            holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            caller = cut(env, observer, caller, call.sql)
            holder.rollback()
            equal(contents(observer), before, f"the tables after {name} that waited for {table}")
            stopped += 1
            if last_only:
                break
        assert stopped, f"{name} was never stopped"
        # The call that was stopped is made again, from its beginning.
        if not call.sql.startswith("CALL"):
            written(caller, call)
        equal(contents(observer), before, f"the tables after {name} was rolled back")
        if call.after:
            observer.execute(call.after)


def cancelled(_env, observer, caller, sql: str):
    """pg_cancel_backend, as a client's own cancel request does."""
    pid = start(caller, sql)
    wait_for(lambda: waits(observer, pid), f"{sql} to wait")
    observer.execute("SELECT pg_cancel_backend(%s)", (pid,))
    equal(answer(caller), CANCELLED, f"SQLSTATE of {sql}")
    equal(observer.execute(LEFT, (pid,)).fetchone()[0], 0, f"locks after {sql}")
    return caller


def timed_out(_env, observer, caller, sql: str):
    """statement_timeout, long enough to get to the wait."""
    for milliseconds in (50, 200, 1000, 5000):
        caller.execute(f"SET statement_timeout = {milliseconds}")
        pid, waited = start(caller, sql), False
        while caller.pgconn.is_busy():
            waited = waited or waits(observer, pid)
            caller.pgconn.consume_input()
        equal(answer(caller), CANCELLED, f"SQLSTATE of {sql}")
        caller.execute("SET statement_timeout = 0")
        equal(observer.execute(LEFT, (pid,)).fetchone()[0], 0, f"locks after {sql}")
        if waited:
            return caller
    raise AssertionError(f"{sql} never came to its wait")


def left(env, observer, caller, sql: str):
    """The client goes away, and the server looks for that while it waits."""
    caller.execute("SET client_connection_check_interval = '1ms'")
    pid = start(caller, sql)
    wait_for(lambda: waits(observer, pid), f"{sql} to wait")
    caller.pgconn.finish()
    gone(observer, pid)
    return session(env)


def terminated(env, observer, caller, sql: str):
    """pg_terminate_backend."""
    pid = start(caller, sql)
    wait_for(lambda: waits(observer, pid), f"{sql} to wait")
    observer.execute("SELECT pg_terminate_backend(%s)", (pid,))
    gone(observer, pid)
    caller.close()
    return session(env)


def points(env) -> dict[str, list[str]]:
    """The world, and the tables that each call writes or locks rows of."""
    prepare(env)
    if POINTS:
        return POINTS
    observer, holder, caller = env.connect(), env.connect(autocommit=False), session(env)
    for name, call in CALLS.items():
        if call.before:
            observer.execute(call.before)
        # It commits in between: only before that nothing of it may stay.
        tables = ["sendgate.jobs", "sendgate.reconcile_runs"] if name == "tick" else written(caller, call)
        depths = {}
        for table in tables:
            holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            pid = start(caller, call.sql)
            wait_for(lambda pid=pid: waits(observer, pid), f"{name} to wait for {table}")
            depths[table] = observer.execute(HELD, (pid,)).fetchone()[0]
            caller.cancel()
            equal(answer(caller), CANCELLED, f"SQLSTATE of {name}")
            holder.rollback()
        POINTS[name] = sorted(depths, key=depths.get)
        if call.after:
            observer.execute(call.after)
    return POINTS


def written(caller, call: Call) -> list[str]:
    """The tables that a call writes, in a transaction that is rolled back; it has to change something."""
    before = contents(caller)
    caller.execute("BEGIN")
    caller.execute(call.sql)
    tables = [row[0] for row in caller.execute(WRITTEN)]
    assert contents(caller) != before, f"{call.sql} changed nothing"
    caller.execute("ROLLBACK")
    return tables


def session(env):
    """A session of a worker or operator, at the world's time."""
    connection = env.connect()
    connection.execute(FROZEN)
    connection.execute(PATIENT)
    return connection


def start(caller, sql: str) -> int:
    """Send the statement; the backend that runs it."""
    caller.pgconn.send_query(sql.encode())
    while caller.pgconn.flush():
        pass
    return caller.info.backend_pid


def answer(caller) -> str:
    """The SQLSTATE of the error with which it ended."""
    from psycopg.pq import DiagnosticField

    state = ""
    while (result := caller.pgconn.get_result()) is not None:
        field = result.error_field(DiagnosticField.SQLSTATE)
        state = field.decode() if field else state
    return state


def waits(observer, pid: int) -> bool:
    """Whether that backend waits for a lock."""
    return observer.execute(WAITS, (pid,)).fetchone()[0]


def gone(observer, pid: int) -> None:
    """Wait until that backend has ended."""
    lives = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = %s)"
    wait_for(lambda: not observer.execute(lives, (pid,)).fetchone()[0], f"backend {pid} to end")


def contents(observer) -> list[tuple]:
    """Every row of every table."""
    tables = [row[0] for row in observer.execute(TABLES)]
    each = (f"SELECT '{table}', t::text FROM {table} t" for table in tables)
    return observer.execute(" UNION ALL ".join(each) + " ORDER BY 1, 2").fetchall()
