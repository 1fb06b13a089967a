"""From the oldest supported PostgreSQL to the newest by pg_dump, as docs/dba.md says."""

from contextlib import contextmanager

import psycopg

from e2e.support import equal, run_program
from harness import build, postgres
from harness.cluster import Cluster
from upgrade import catalog, stock

ONLY_ON = (18,)
OLDEST = 15
# The oldest one may have to be built first, where a run asks for the newest alone.
TIMEOUT_SECONDS = 1200


def test_a_plain_dump_of_the_oldest(env):
    with oldest(env) as source:
        dump = run_program(env, "pg_dump", "--dbname", source.dsn())
        target = env.fresh_database(extension=False)
        run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
        check(env, source, target)


def test_a_custom_dump_of_the_oldest(env):
    with oldest(env) as source:
        dump = run_program(env, "pg_dump", "--format=custom", "--dbname", source.dsn())
        target = env.fresh_database(extension=False)
        run_program(env, "pg_restore", "--exit-on-error", "-d", env.cluster.dsn(target), input=dump)
        check(env, source, target)


@contextmanager
def oldest(env):
    """A server of the oldest version, with something in every table."""
    install = postgres.for_version(OLDEST)
    build.build_and_install(install)
    with Cluster(install, conf=env.cluster.conf) as server:
        server.psql("CREATE EXTENSION sendgate; CREATE ROLE dump_reports LOGIN")
        env.psql("CREATE ROLE dump_reports LOGIN")
        server.psql("GRANT SELECT ON sendgate.linkedin_events TO dump_reports")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            stock.fill(connection)
        yield server


def check(env, source: Cluster, name: str) -> None:
    """Row for row the same, the catalog of an installation here, and a gate that goes on."""
    target = env.connect(name)
    with psycopg.connect(source.dsn(), autocommit=True) as connection:
        equal(stock.tables(target), stock.tables(connection), "tables")
        for table in stock.tables(connection):
            if table not in stock.SHIPPED:
                equal(stock.rows(target, table), stock.rows(connection, table), f"rows of {table}")
    told = catalog.differences(catalog.facts(target), catalog.facts(env.connect()))
    granted = [line for line in told if "SELECT to dump_reports" in line and "linkedin_events" in line]
    equal(told, granted, "catalog of the restored database, against a fresh one with a DBA's grant")
    equal(len(granted), 1, "the DBA's grant")
    target.execute("SELECT sendgate.adopt_database('the newer server is the one that sends')")
    stock.goes_on(target)
