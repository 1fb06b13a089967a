"""Dump and restore lose nothing: every row, users' tiers and rules, triggers, grants; and the gate
goes on where it was."""

import tempfile
from contextlib import contextmanager

import psycopg

from e2e.support import equal, run_program
from harness.cluster import Cluster
from upgrade import catalog, stock

# A login with grants of a DBA's own, which a dump of the database has to carry as well.
LOGINS = """
CREATE ROLE dump_app LOGIN IN ROLE sendgate_sender;
CREATE ROLE dump_reports LOGIN;
GRANT USAGE ON SCHEMA sendgate TO dump_reports;
GRANT SELECT ON sendgate.linkedin_events TO dump_reports"""

ASKED = "SELECT reason FROM sendgate.preview('a', 'message')"


def test_a_plain_dump_restores_everything(env):
    stock.fill(env.connect())
    with fresh_server(env) as server:
        dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
        run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn(), input=dump)
        check_on(env, server)


def test_a_custom_dump_restores_everything(env):
    """In two jobs, so that tables are not restored in the order in which they were made."""
    stock.fill(env.connect())
    with fresh_server(env) as server:
        dump = run_program(env, "pg_dump", "--format=custom", "--dbname", env.cluster.dsn(env.dbname))
        with tempfile.NamedTemporaryFile() as file:
            file.write(dump)
            file.flush()
            run_program(env, "pg_restore", "--exit-on-error", "--jobs=2", "-d", server.dsn(), file.name)
        check_on(env, server)


def test_a_dump_carries_what_a_dba_granted(env):
    """And what a DBA took away, on the same server."""
    env.psql(LOGINS)
    env.psql("REVOKE SELECT ON sendgate.admin_log FROM sendgate_operator")
    target = env.fresh_database(extension=False)
    dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    told = catalog.differences(catalog.facts(env.connect(target)), catalog.facts(env.connect()))
    equal(told, [], "catalog of the restored database, against the dumped one")
    env.psql("SELECT count(*) FROM sendgate.linkedin_events", target, "dump_reports")


def test_a_restored_database_can_be_dumped_again(env):
    """What a restore makes is not only equal, but again the extension's to dump."""
    stock.fill(env.connect())
    target = env.fresh_database(extension=False)
    dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    again = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(target))
    equal(meaningful(again), meaningful(dump), "the second dump")


def test_a_dump_of_the_schema_needs_the_extension_named(env):
    """Named alone, the schema holds nothing that pg_dump would take: everything in it belongs to the extension."""
    stock.fill(env.connect())
    alone = run_program(env, "pg_dump", "--schema=sendgate", "--dbname", env.cluster.dsn(env.dbname))
    equal([line for line in alone.splitlines() if line.startswith((b"COPY", b"CREATE"))], [], "of the schema alone")
    both = ["--schema=sendgate", "--extension=sendgate"]
    dump = run_program(env, "pg_dump", *both, "--dbname", env.cluster.dsn(env.dbname))
    target = env.fresh_database(extension=False)
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    check(env, env.connect(target))


def test_a_second_database_of_the_server_finds_the_roles(env):
    """Roles are shared; those that the first installation made, with members, are accepted."""
    env.psql("CREATE ROLE dump_app LOGIN IN ROLE sendgate_sender")
    database = env.fresh_database(extension=False)
    env.psql("CREATE EXTENSION sendgate", database)
    env.psql("SELECT sendgate.upsert_account('b', 'recruiter')", database)
    answer = env.psql("SELECT proceed FROM sendgate.preview('b', 'inmail')", database, "dump_app")
    equal(answer, "t", "a preview by a member of sendgate_sender")


@contextmanager
def fresh_server(env):
    """Another server, with the roles of this one as docs/dba.md carries them over, and nothing else."""
    env.psql(LOGINS)
    roles = run_program(env, "pg_dumpall", "--roles-only", "--dbname", env.cluster.dsn())
    # The superuser is there already: the one statement of such a dump that always fails.
    roles = b"\n".join(line for line in roles.splitlines() if line != b"CREATE ROLE postgres;")
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn(), input=roles)
        yield server


def check_on(env, server: Cluster) -> None:
    """Check the restored database of the other server, and that a login of the old one may send."""
    with psycopg.connect(server.dsn(), autocommit=True) as target:
        check(env, target)
    asked = "SELECT proceed IS NOT NULL FROM sendgate.preview('a', 'message')"
    equal(server.psql(asked, user="dump_app"), "t", "a preview by a member of sendgate_sender")
    counted = "SELECT count(*) > 0 FROM sendgate.linkedin_events"
    equal(server.psql(counted, user="dump_reports"), "t", "a reading that a DBA granted")


def check(env, target) -> None:
    """The restored database, to which ``target`` is a superuser's connection, is equal and works on."""
    source = env.connect()
    equal(stock.tables(target), stock.tables(source), "tables")
    for table in stock.tables(source):
        if table not in stock.SHIPPED:
            equal(stock.rows(target, table), stock.rows(source, table), f"rows of {table}")
    told = catalog.differences(catalog.facts(target), catalog.facts(source))
    equal(told, [], "catalog of the restored database, against the dumped one")
    # A dump does not carry when a job last ran: sweeps of the old server's books say nothing about
    # these, so the jobs that check them have to run at once.
    swept = "SELECT count(*) FROM sendgate.jobs WHERE coalesce(sweep_started_at, sweep_finished_at) IS NOT NULL"
    equal(target.execute(swept).fetchone(), (0,), "jobs that are not due after a restore")
    for statement in (
        "DELETE FROM sendgate.linkedin_events",
        "UPDATE sendgate.admin_log SET note = 'changed'",
        "TRUNCATE sendgate.breaker_log",
        "DELETE FROM sendgate.campaign_events",
        "TRUNCATE sendgate.counter_drift",
        "DELETE FROM sendgate.cooldown_log",
        "DELETE FROM sendgate.credit_balances",
        "TRUNCATE sendgate.cooldown_log",
    ):
        try:
            target.execute(statement)
            raise AssertionError(f"{statement} went through in the restored database")
        except Exception as error:
            equal(getattr(error, "sqlstate", None), "SG210", f"SQLSTATE of {statement}")
    adopted(target)
    stock.goes_on(target)


def adopted(target) -> None:
    """The restored books are a copy, which the gate refuses although nothing is paused, until it is adopted."""
    target.execute("BEGIN; SELECT sendgate.resume_all()")
    equal(target.execute(ASKED).fetchone(), ("paused_by_operator",), "a copy")
    target.execute("ROLLBACK; SELECT sendgate.adopt_database('restored')")


def meaningful(dump: bytes) -> list[bytes]:
    """A dump without its comments and the random key of newer versions."""
    skipped = (b"--", b"\\restrict", b"\\unrestrict")
    return sorted(line for line in dump.splitlines() if line and not line.startswith(skipped))
