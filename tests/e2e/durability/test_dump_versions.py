"""From the oldest supported PostgreSQL to the newest by pg_dump and by pg_upgrade, as docs/dba.md says."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg

from e2e.support import equal, run_program
from harness import build, postgres
from harness.cluster import Cluster
from upgrade import catalog, stock

ONLY_ON = (18,)
OLDEST = 15
# Debian's 15 writes notes of its own beside each column, which pg_upgrade of another build of 18 does not take over.
UPGRADED = 16
# The oldest one may have to be built first, where a run asks for the newest alone.
TIMEOUT_SECONDS = 1200


def test_a_plain_dump_of_the_oldest(env):
    with server_of(env, OLDEST) as source:
        dump = run_program(env, "pg_dump", "--dbname", source.dsn())
        target = env.fresh_database(extension=False)
        run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
        check(env, source, env.connect(target))


def test_a_custom_dump_of_the_oldest(env):
    with server_of(env, OLDEST) as source:
        dump = run_program(env, "pg_dump", "--format=custom", "--dbname", source.dsn())
        target = env.fresh_database(extension=False)
        run_program(env, "pg_restore", "--exit-on-error", "-d", env.cluster.dsn(target), input=dump)
        check(env, source, env.connect(target))


def test_pg_upgrade(env):
    """The data directory itself, roles and grants included. Its books are a copy like any other."""
    with server_of(env, UPGRADED) as source, Cluster(env.install, conf=env.cluster.conf, in_memory=True) as target:
        source.stop()
        target.stop()
        # Since 18 initdb turns checksums on, and pg_upgrade wants both to have them or neither.
        target.run("pg_checksums", "--disable", "--no-sync", "--pgdata", target.datadir)
        with tempfile.TemporaryDirectory() as work:
            target.account.owns(Path(work))
            directories = ["--old-datadir", source.datadir, "--new-datadir", target.datadir]
            directories += ["--old-bindir", source.install.bindir, "--new-bindir", env.install.bindir]
            options = ["--username=postgres", "--no-sync", "--socketdir", work]
            target.run("pg_upgrade", *directories, *options, directory=Path(work))
        for server in (source, target):
            server.start()
        granted = "SELECT has_table_privilege('dump_reports', 'sendgate.linkedin_events', 'SELECT')"
        equal(target.psql(granted), "t", "a DBA's grant")
        # A dump that warns has lost something.
        run_program(env, "pg_dump", "--dbname", target.dsn())
        with psycopg.connect(target.dsn(), autocommit=True) as connection:
            same_rows(source, connection)
            # Nothing is paused: the copy alone refuses.
            connection.execute("BEGIN; SELECT sendgate.resume_all()")
            refused = connection.execute("SELECT reason FROM sendgate.preview('a', 'message')").fetchone()
            equal(refused, ("paused_by_operator",), "the upgraded cluster before it is adopted")
            connection.execute("ROLLBACK")
            goes_on(connection)


@contextmanager
def server_of(env, major: int):
    """A server of an older version, with something in every table."""
    install = postgres.for_version(major)
    build.build_and_install(install)
    with Cluster(install, conf=env.cluster.conf, in_memory=True) as server:
        server.psql("CREATE EXTENSION sendgate; CREATE ROLE dump_reports LOGIN")
        env.psql("CREATE ROLE dump_reports LOGIN")
        server.psql("GRANT SELECT ON sendgate.linkedin_events TO dump_reports")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            stock.fill(connection)
        yield server


def check(env, source: Cluster, target: psycopg.Connection) -> None:
    """Row for row the same, the catalog of an installation here, and a gate that goes on."""
    same_rows(source, target)
    told = catalog.differences(catalog.facts(target), catalog.facts(env.connect()))
    granted = [line for line in told if "SELECT to dump_reports" in line and "linkedin_events" in line]
    equal(told, granted, "catalog of the restored database, against a fresh one with a DBA's grant")
    equal(len(granted), 1, "the DBA's grant")
    goes_on(target)


def same_rows(source: Cluster, target: psycopg.Connection) -> None:
    """The same tables, and in each the same rows, but for those that come with the extension."""
    with psycopg.connect(source.dsn(), autocommit=True) as connection:
        equal(stock.tables(target), stock.tables(connection), "tables")
        for table in stock.tables(connection):
            if table not in stock.SHIPPED:
                equal(stock.rows(target, table), stock.rows(connection, table), f"rows of {table}")


def goes_on(target: psycopg.Connection) -> None:
    """The gate of the newer server, after an operator said that it sends."""
    target.execute("SELECT sendgate.adopt_database('the newer server is the one that sends')")
    stock.goes_on(target)
