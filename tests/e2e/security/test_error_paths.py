"""Errors of PostgreSQL's below our functions: the client and the log get all of them, and the backend forgets them."""

import contextlib
from pathlib import Path

import psycopg

from e2e.support import at_once, equal, operation, provision, wait_for, wait_until_blocked

CALLS = 2_000
WARM_UP = 200
# A byte a call would be 2 kB; what PostgreSQL and the allocator take in blocks is more.
CONTEXTS_BYTES_MAX = 64 * 1024
PROCESS_BYTES_MAX = 1024 * 1024

COMPLAIN = """
CREATE OR REPLACE FUNCTION public.complain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the CRM is closed' USING ERRCODE = 'APP01', DETAIL = 'It is Sunday.', TABLE = 'people';
END $$;
CREATE TRIGGER complain BEFORE INSERT ON sendgate.{0} FOR EACH ROW EXECUTE FUNCTION public.complain()"""
AGAIN = """
DO $$ BEGIN
    FOR i IN 1..{1} LOOP
        BEGIN
            PERFORM {0};
            RAISE EXCEPTION 'no error' USING ERRCODE = 'XX001';
        EXCEPTION WHEN SQLSTATE '{2}' THEN NULL;
        END;
    END LOOP;
END $$"""


def test_client_and_log_get_the_whole_error(env):
    provision(env)
    connection = env.connect()
    connection.execute("SET log_error_verbosity = verbose")
    connection.execute("ALTER TABLE sendgate.send_operations ADD CONSTRAINT not_p CHECK (prospect_id <> 'p') NOT VALID")
    begin = len(env.cluster.log_from(0))
    try:
        connection.execute("SELECT sendgate.reserve('a', 'invite', 'p')")
    except psycopg.errors.CheckViolation as error:
        told = error.diag
        named = (told.schema_name, told.table_name, told.constraint_name, told.source_function)
        equal(named, ("sendgate", "send_operations", "not_p", "ExecConstraints"), "what the client is told")
        assert 'SQL statement "WITH taken AS' in told.context, told.context
    else:
        raise AssertionError("a row that no constraint allows")
    wait_for(lambda: b"not_p" in env.cluster.log_from(begin), "the error in the log")
    log = env.cluster.log_from(begin).decode()
    assert 'CONTEXT:  SQL statement "WITH taken AS' in log, log
    assert "LOCATION:  ExecConstraints" in log, log
    connection.execute("ALTER TABLE sendgate.send_operations DROP CONSTRAINT not_p")


def test_the_log_says_who_was_in_a_deadlock(env):
    """PostgreSQL tells their statements to the log alone."""
    provision(env)
    provision(env, "b")
    sessions = [env.connect(autocommit=False) for _ in range(2)]
    begin = len(env.cluster.log_from(0))
    for session, account in zip(sessions, "ab", strict=True):
        session.execute("SET deadlock_timeout = '20ms'")
        session.execute("SET sendgate.in_transaction = 'allow'")
        session.execute(f"SELECT sendgate.reserve('{account}', 'invite', 'p')")

    def cross(number: int) -> str | None:
        if number == 1:
            wait_until_blocked(env, sessions[0].info.backend_pid)
        try:
            sessions[number].execute(f"SELECT sendgate.reserve('{'ba'[number]}', 'invite', 'q')")
        except psycopg.Error as error:
            sessions[number].rollback()
            return error.sqlstate
        sessions[number].rollback()
        return None

    equal(sorted(map(str, at_once(2, cross))), ["40P01", "None"], "one of them gives way")
    log = env.cluster.log_from(begin).decode()
    assert "deadlock detected" in log and "'invite', 'q')" in log.split("deadlock detected")[1].split("HINT")[0], log
    assert "CONTEXT:  while" in log, log


def test_memory_stays_flat(env):
    provision(env)
    env.psql(f"SELECT sendgate.reserve('a', 'message', 'p', NULL, '{operation(1)}')")
    env.psql(
        "CREATE ROLE keeper; CREATE TABLE public.outbox (id int PRIMARY KEY, prospect text, operation uuid UNIQUE)"
    )
    env.psql(
        """CREATE TRIGGER guard BEFORE INSERT ON public.outbox FOR EACH ROW EXECUTE FUNCTION
            sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
        ALTER TABLE public.outbox ADD COLUMN account text DEFAULT 'a';
        ALTER TABLE public.outbox OWNER TO keeper;
        REVOKE ALL ON public.outbox FROM keeper"""
    )
    connection = env.connect()
    stay_flat(connection, "an unknown account", AGAIN, "sendgate.preview('nobody', 'invite')", "SG101")
    # The table's owner may not read it, so the look for what no row holds fails, and the commit with it.
    commit = "INSERT INTO public.outbox VALUES (1, 'p')"
    stay_flat(connection, "a failed commit", commit, error=psycopg.errors.InsufficientPrivilege)
    env.psql(COMPLAIN.format("send_operations"))
    stay_flat(connection, "a trigger's error", AGAIN, "sendgate.reserve('a', 'invite', 'q')", "APP01")
    env.psql("DROP TRIGGER complain ON sendgate.send_operations")
    env.psql(COMPLAIN.format("linkedin_events"))
    confirm = f"sendgate.confirm('a', '{operation(1)}', 'chat')"
    stay_flat(connection, "an error after a first write", AGAIN, confirm, "APP01")
    batch = f"sendgate.confirm_many('{{a}}', '{{{operation(1)}}}', '{{chat}}')"
    stay_flat(connection, "an error in a batch", AGAIN, batch, "APP01")
    env.psql("DROP TRIGGER complain ON sendgate.linkedin_events")
    env.psql("ALTER TABLE sendgate.accounts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    stay_flat(connection, "a look-up that is refused", AGAIN, "sendgate.preview('a', 'invite')", "55000")
    env.psql("ALTER TABLE sendgate.accounts NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")


def stay_flat(connection, what: str, sql: str, call: str = "", sqlstate: str = "", error=None) -> None:
    """Runs what fails so many times; neither PostgreSQL's memory nor the process grows with it."""

    def run(times: int) -> None:
        if error is None:
            connection.execute(sql.format(call, times, sqlstate))
            return
        for _ in range(times):
            with contextlib.suppress(error):
                connection.execute(sql)
                raise AssertionError(f"{what}: no error")

    run(WARM_UP)
    before = memory(connection)
    run(CALLS)
    after = memory(connection)
    grown = tuple(b - a for a, b in zip(before, after, strict=True))
    print(f"{what}: {CALLS:,} calls, {grown[0]:,} bytes of memory contexts, {grown[1]:,} bytes of the process")
    assert grown[0] <= CONTEXTS_BYTES_MAX and grown[1] <= PROCESS_BYTES_MAX, (
        f"{what}: {grown[0]} bytes of memory contexts and {grown[1]} bytes of the process after {CALLS} calls"
    )


def memory(connection) -> tuple[int, int]:
    contexts = connection.execute("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts").fetchone()[0]
    status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return contexts, int(anonymous.split()[1]) * 1024
