"""A throwaway cluster with the extension, the roles that a company would have, and the accounts."""

import csv
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from harness.cluster import Cluster
from harness.places import run_dir
from harness.postgres import Install

from .children import ACCOUNTS
from .terminal import say, step

DATABASE = "demo"
WORKER, APPLICATION, OPERATOR, READER = "demo_worker", "demo_app", "demo_operator", "demo_reader"
DAEMON = "demo_daemon"
GRANTS = {
    WORKER: "sendgate_sender",
    APPLICATION: "sendgate_sender",
    OPERATOR: "sendgate_operator",
    READER: "sendgate_reader",
    DAEMON: "sendgate_daemon",
}
UPSERT = "SELECT sendgate.upsert_account(%(account_id)s, %(tier)s, %(display_name)s, %(time_zone)s)"
RECONNECT_SECONDS_MAX = 30
PROSPECT_COOLDOWN = timedelta(seconds=4)
"""The least time between two sends of one action to one prospect."""
SETTINGS = {
    "max_connections": 40,
    "log_min_duration_statement": "1s",
    "shared_buffers": "64MB",
    # So that a minute shows what takes hours and days: the first wait before work is attempted again, how soon
    # a prospect may get the second message of a sequence …
    "sendgate.retry_backoff": "3s",
    "sendgate.prospect_cooldown": f"{PROSPECT_COOLDOWN.total_seconds():g}s",
    # … and the 1st of the next month, to which the demo sets this server's clock at the end.
    "sendgate.test_clock": "on",
}


@dataclass
class Stage:
    """Where the demo plays."""

    server: Cluster
    """The server with sendgate in it."""
    front: Cluster
    """What the company's programs connect to, to the database `DATABASE`: the same server, or a proxy's."""
    databases: list[str]
    """Those on `server` with sendgate in them."""

    @property
    def is_split(self) -> bool:
        """Whether the accounts are on partitions behind a proxy."""
        return self.front is not self.server


@contextmanager
def one_database(install: Install) -> Iterator[Stage]:
    """A running server with the extension and the demo's roles; gone afterwards."""
    step("a throwaway cluster on a free port")
    with Cluster(install, conf=SETTINGS) as server:
        server.fresh_database(DATABASE, extension="sendgate")
        create_roles(server, GRANTS)
        say(f"  port {server.port}, roles {', '.join(GRANTS)}")
        yield Stage(server, server, [DATABASE])


def create_roles(server: Cluster, grants: dict[str, str]) -> None:
    """Logins, and what each is a member of."""
    for role, granted in grants.items():
        server.psql(f"CREATE ROLE {role} LOGIN; GRANT {granted} TO {role};")


class Session:
    """The demo's own connection for a role: autocommitting, rows as dictionaries, and back again
    after the server was."""

    def __init__(self, server: Cluster, role: str, database: str = DATABASE):
        self.dsn = server.dsn(database, role)
        self.connection = self._connect()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row)

    def rows(self, query: str, values=None) -> list[dict]:
        """All rows of a statement that may be repeated, since it is when the connection breaks."""
        until = time.monotonic() + RECONNECT_SECONDS_MAX
        while True:
            try:
                if self.connection.closed:
                    self.connection = self._connect()
                return self.connection.execute(query, values).fetchall()
            # InternalError is how a proxy says that a partition does not answer.
            except (psycopg.OperationalError, psycopg.InternalError):
                if time.monotonic() > until:
                    raise
                self.connection.close()
                time.sleep(0.2)

    def snapshot(self, *queries: str) -> list[list[dict]]:
        """The rows of several queries at one and the same instant."""
        self.rows("SELECT 1")
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return [self.connection.execute(query).fetchall() for query in queries]

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()


class Readers:
    """The reader's sessions on all databases with sendgate in them, from which the books are read for the verdict."""

    def __init__(self, stage: Stage):
        with ExitStack() as opened:
            self.sessions = [opened.enter_context(Session(stage.server, READER, name)) for name in stage.databases]
            self._opened = opened.pop_all()

    def snapshot(self, *queries: str) -> list[list[dict]]:
        """The rows of several queries in all databases, in each at one and the same instant. An account is in one."""
        parts = [session.snapshot(*queries) for session in self.sessions]
        return [[row for rows in of_query for row in rows] for of_query in zip(*parts, strict=True)]

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *exception) -> None:
        self._opened.close()


def environment(server: Cluster, role: str) -> dict[str, str]:
    """The same for a child: libpq's variables, which node-postgres reads too."""
    return {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": role, "PGDATABASE": DATABASE}


def load(operator: Session) -> None:
    """The accounts into the database."""
    with ACCOUNTS.open(encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    for row in accounts:
        operator.rows(UPSERT, row)
    step(f"{len(accounts)} accounts loaded")


def logs() -> Path:
    """A directory for logs and the ledger. It stays to be looked at until the next run clears it."""
    base = run_dir() / "demo"
    base.mkdir(exist_ok=True)
    for old in base.iterdir():
        if old.name == str(os.getpid()) or not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    directory = base / str(os.getpid())
    directory.mkdir()
    return directory
