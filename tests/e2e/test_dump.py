"""Dump and restore lose nothing: every row, users' tiers and rules, triggers, grants; and the gate
goes on where it was."""

import subprocess

from support import equal, operation, provision

TABLES = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r' ORDER BY 1"""
TRIGGERS = """
SELECT t.tgrelid::pg_catalog.regclass::text, t.tgname, t.tgenabled, pg_catalog.pg_get_triggerdef(t.oid)
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND NOT t.tgisinternal ORDER BY 1, 2"""
GRANTS = """
SELECT c.relname, c.relowner::pg_catalog.regrole::text, c.relacl::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace
UNION ALL
SELECT p.oid::pg_catalog.regprocedure::text, p.proowner::pg_catalog.regrole::text, p.proacl::text
FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace ORDER BY 1"""


def test_a_plain_dump_restores_everything(env):
    fill(env)
    target = env.fresh_database(extension=False)
    dump = run(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    run(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    check(env, target)


def test_a_custom_dump_restores_everything(env):
    fill(env)
    target = env.fresh_database(extension=False)
    dump = run(env, "pg_dump", "--format=custom", "--dbname", env.cluster.dsn(env.dbname))
    run(env, "pg_restore", "--exit-on-error", "-d", env.cluster.dsn(target), input=dump)
    check(env, target)


def test_a_restored_database_can_be_dumped_again(env):
    """What a restore makes is not only equal, but again the extension's to dump."""
    fill(env)
    target = env.fresh_database(extension=False)
    dump = run(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    run(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    again = run(env, "pg_dump", "--dbname", env.cluster.dsn(target))
    equal(meaningful(again), meaningful(dump), "the second dump")


def test_a_second_database_of_the_server_finds_the_roles(env):
    """Roles are shared; those that the first installation made, with members, are accepted."""
    env.psql("CREATE ROLE dump_app LOGIN IN ROLE sendgate_sender")
    database = env.fresh_database(extension=False)
    env.psql("CREATE EXTENSION sendgate", database)
    env.psql("SELECT sendgate.upsert_account('b', 'recruiter')", database)
    answer = env.psql("SELECT proceed FROM sendgate.preview('b', 'inmail')", database, "dump_app")
    equal(answer, "t", "a preview by a member of sendgate_sender")


def fill(env) -> None:
    """Something in every table, and every state of an operation."""
    provision(env, inmail=9)
    provision(env, "b", "free")
    env.psql(
        f"""
        SELECT sendgate.upsert_account('c', 'recruiter', E'Zoë "C"\\tO\\\\N', 'Europe/Berlin', '22:00',
            '06:00', ARRAY[1, 7], 31, true);
        SELECT sendgate.set_tier_cap('sales_navigator', 'invite', 3, 12, NULL, 40);
        SELECT sendgate.set_tier_cap('sales_navigator', 'message', 30, NULL, '90 seconds', 40);
        SELECT sendgate.set_tier_cap('mine', 'message', 5);
        SELECT sendgate.set_error_rule(7, 'transient', NULL, NULL, '4xx', 'O''Reilly \\ %_');
        SELECT sendgate.reserve('a', 'inmail', 'p1', NULL, '{operation(1)}');
        SELECT sendgate.reserve('a', 'inmail', 'p2', 'c', '{operation(2)}');
        SELECT sendgate.confirm('a', '{operation(2)}', 'chat 2');
        SELECT sendgate.reserve('a', 'inmail', 'p3', 'c', '{operation(3)}');
        SELECT sendgate.rollback('a', '{operation(3)}', 'gateway timeout', NULL, 504);
        SELECT sendgate.reserve('a', 'inmail', 'p4', 'c', '{operation(4)}');
        SELECT sendgate.rollback('a', '{operation(4)}');
        SELECT sendgate.confirm('a', '{operation(4)}', 'chat 4');
        SELECT sendgate.reserve('a', 'invite', 'p5', 'c', '{operation(5)}');
        SELECT sendgate.rollback('a', '{operation(5)}', E'You are out\\nof credits', NULL, 422);
        SELECT sendgate.reserve('a', 'inmail', 'p6', 'c', '{operation(6)}');
        SELECT sendgate.rollback('a', '{operation(6)}', 'out of credits', NULL, 402);
        SELECT sendgate.reserve('a', 'inmail', 'p7', 'c', '{operation(7)}');
        SELECT sendgate.breaker_probe('a', 'probe');
        SELECT sendgate.breaker_force('b', 'closed', 'never mind');
        SELECT sendgate.enqueue('k1', 'p20', 'a', 'profile_view', NULL, true);
        SELECT sendgate.enqueue('k1', 'p21', 'a', 'profile_view');
        SELECT sendgate.enqueue('k2', 'p22', 'a', 'profile_view', '2031-01-01');
        SELECT sendgate.enqueue('k1', 'p6', 'a', 'inmail');
        SELECT count(*) FROM sendgate.dispatch(1, 'profile_view', 'a', '{operation(20)}');
        SELECT sendgate.cancel('k1', 'p21');
        SELECT sendgate.enqueue('k1', 'p23', 'a', 'profile_view');
        SELECT sendgate.pause_campaign('k2');
        UPDATE sendgate.accounts SET messages_sent_today = 3 WHERE id = 'a';
        SELECT sendgate.audit_events(), sendgate.reconcile_operations();
        SELECT sendgate.pause_all('dumped while paused');
        """
    )
    empty = {table for table in tables(env) if env.psql(count(table)) == "0"}
    equal(empty, set(), "tables that this test leaves empty and so does not test")


def check(env, target: str) -> None:
    """The restored database is equal, and works on."""
    equal(tables(env, target), tables(env), "tables")
    for table in tables(env):
        if table != "jobs":
            equal(rows(env, table, target), rows(env, table), f"rows of {table}")
    # When a job last ran is not carried over: what was done to the old server's books says nothing
    # about these, and whatever checks them has to run at once.
    fresh = "SELECT job, every, sweep_started_at, sweep_finished_at, next_day FROM sendgate.jobs"
    equal(env.psql(fresh, target), env.psql(fresh, env.fresh_database()), "jobs")
    for query, what in ((TRIGGERS, "triggers"), (GRANTS, "owners and grants")):
        equal(env.psql(query, target), env.psql(query), what)
    for statement in (
        "DELETE FROM sendgate.linkedin_events",
        "UPDATE sendgate.admin_log SET note = 'changed'",
        "TRUNCATE sendgate.breaker_log",
        "DELETE FROM sendgate.campaign_events",
        "TRUNCATE sendgate.counter_drift",
    ):
        refused = env.connect(target)
        try:
            refused.execute(statement)
            raise AssertionError(f"{statement} went through in the restored database")
        except Exception as error:
            equal(getattr(error, "sqlstate", None), "SG210", f"SQLSTATE of {statement}")

    connection = env.connect(target)
    ask = "SELECT proceed, reason, daily_cap FROM sendgate.reserve('a', %s, %s, %s, %s)"
    again = ("inmail", "p1", None, operation(1))
    equal(connection.execute(ask, again).fetchone()[1], "paused_by_operator", "while paused")
    connection.execute("SELECT sendgate.resume_all()")
    equal(connection.execute(ask, again).fetchone(), (True, None, 9), "the same operation again")
    handed = "SELECT prospect_id, attempt FROM sendgate.dispatch(1, 'profile_view', 'a', %s)"
    equal(connection.execute(handed, (operation(20),)).fetchall(), [("p20", 1)], "the same request")
    equal(connection.execute(handed, (operation(21),)).fetchall(), [("p23", 1)], "what waited")
    equal(connection.execute(handed, (operation(22),)).fetchall(), [], "what is paused")
    resolved = ("inmail", "p2", "c", operation(2))
    equal(connection.execute(ask, resolved).fetchone()[1], "operation_resolved", "a settled one")
    probing = ("inmail", "p8", "c", operation(8))
    equal(connection.execute(ask, probing).fetchone()[0], True, "the probe that was granted")
    invite = ("invite", "p9", "c", operation(9))
    equal(connection.execute(ask, invite).fetchone(), (True, None, 3), "the edited tier")
    outcome = connection.execute(
        "SELECT sendgate.rollback('a', %s, %s, NULL, 418)", (operation(9), "o'reilly \\ %_")
    ).fetchone()
    equal(outcome, ("transient",), "the user's error rule")


def tables(env, database: str | None = None) -> list[str]:
    """The extension's tables."""
    return env.psql(TABLES, database).splitlines()


def count(table: str) -> str:
    return f'SELECT count(*) FROM sendgate."{table}"'


def rows(env, table: str, database: str | None = None) -> str:
    """Every row of a table as text, in an order of their own."""
    return env.psql(f'SELECT t::text FROM sendgate."{table}" t ORDER BY 1', database)


def meaningful(dump: bytes) -> list[bytes]:
    """A dump without its comments and the random key of newer versions."""
    skipped = (b"--", b"\\restrict", b"\\unrestrict")
    return sorted(line for line in dump.splitlines() if line and not line.startswith(skipped))


def run(env, program: str, *arguments: str, input: bytes | None = None) -> bytes:
    """Run a client program of this PostgreSQL; what it printed."""
    done = subprocess.run(
        [str(env.install.program(program)), *arguments],
        input=input,
        env=env.install.environment(),
        capture_output=True,
    )
    assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')}"
    return done.stdout
