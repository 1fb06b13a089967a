"""What an e2e test is given: a database of its own on a server that it may stop, crash and configure.

What a test leaves behind is cleared after it: its connections, databases, roles and settings, and a
server that it stopped is started. ``tests/conftest.py`` makes the fixture ``env`` of it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .cluster import Cluster
from .places import REPO
from .postgres import Install
from .progress import progress
from .server import TEMPLATE, Server

# Tests that count today's sends by the real clock take less.
BEFORE_MIDNIGHT_SECONDS = 120


class Env:
    """What a test is given."""

    def __init__(self, cluster: Cluster, dbname: str):
        self.cluster: Cluster = cluster
        self.install: Install = cluster.install
        self.repo: Path = REPO
        # This test's own database, with the extension in it.
        self.dbname: str = dbname
        self._connections: list = []
        self._databases: list[str] = [dbname]

    def connect(self, dbname: str | None = None, user: str = "postgres", autocommit: bool = True, **options):
        """A psycopg connection, closed after the test; ``options`` go to ``psycopg.connect``."""
        import psycopg

        dsn = self.cluster.dsn(dbname or self.dbname, user)
        connection = psycopg.connect(dsn, autocommit=autocommit, **options)
        self._connections.append(connection)
        return connection

    def fresh_database(self, extension: bool = True) -> str:
        """One more database; without the extension if a test wants to create or restore it."""
        name = f"{self.dbname}_{len(self._databases)}"
        template = TEMPLATE if extension else "template1"
        self.cluster.psql(copied(name, template))
        self._databases.append(name)
        return name

    def psql(self, sql: str, db: str | None = None, user: str = "postgres") -> str:
        """Run SQL with psql in this test's database; the first error raises."""
        return self.cluster.psql(sql, db or self.dbname, user)

    def close(self) -> None:
        """Close the connections and drop the databases."""
        for connection in self._connections:
            connection.close()
        for name in self._databases:
            self.cluster.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def copied(name: str, template: str) -> str:
    """The statement that copies a database, as files: through the WAL, as PostgreSQL does it by itself, costs twice as much."""
    return f'CREATE DATABASE "{name}" TEMPLATE {template} STRATEGY file_copy'


@contextmanager
def lent(server: Server, number: int) -> Iterator[Env]:
    """A database for one test, and afterwards the server as the test found it.

    ``number`` tells the tests of one server apart.
    """
    _past_midnight()
    cluster = server.cluster
    conf, roles = dict(cluster.conf), _roles(cluster)
    dbname = f"e2e_{number}"
    cluster.psql(copied(dbname, TEMPLATE))
    env = Env(cluster, dbname)
    try:
        yield env
    finally:
        _restore(cluster, conf)
        env.close()
        for role in _roles(cluster) - roles:
            cluster.psql(f'DROP ROLE "{role}"')
        server.check_log()


def _past_midnight() -> None:
    """No test begins right before 00:00 UTC: by the real clock its counters would be two days'."""
    if (left := 86_400 - time.time() % 86_400) < BEFORE_MIDNIGHT_SECONDS:
        progress(f"  waiting for midnight UTC, {left:.0f} s")
        time.sleep(left + 61)  # and the minute before this one is of today, too


def _roles(cluster: Cluster) -> set[str]:
    """The roles of the cluster, which databases share."""
    return set(cluster.psql("SELECT rolname FROM pg_roles").splitlines())


def _restore(cluster: Cluster, conf: dict) -> None:
    """Bring the server back to how the test found it."""
    if cluster.conf != conf:
        cluster.stop()
        cluster.conf = conf
    if not cluster.running():
        cluster.start()
