"""A throwaway cluster with the extension, the roles that an application would have, and the accounts."""

import csv
import shutil
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from harness.cluster import Cluster
from harness.places import run_dir
from harness.postgres import Install

from .children import ACCOUNTS, PROSPECTS
from .terminal import say, step

DATABASE = "demo"
WORKER, READER = "demo_worker", "demo_reader"
ROLES = f"""
CREATE ROLE {WORKER} LOGIN;
GRANT sendgate_sender TO {WORKER};
CREATE ROLE {READER} LOGIN;
GRANT sendgate_reader TO {READER};
"""
SETTINGS = {
    "max_connections": 40,
    "log_min_duration_statement": "1s",
    "shared_buffers": "64MB",
}


@contextmanager
def cluster(install: Install):
    """A running server with the extension and the demo's roles; gone afterwards."""
    step("a throwaway cluster on a free port")
    with Cluster(install, conf=SETTINGS) as server:
        server.fresh_database(DATABASE, extension="sendgate")
        server.psql(ROLES, DATABASE)
        say(f"  port {server.port}, roles {WORKER} (sendgate_sender) and {READER} (sendgate_reader)")
        yield server


def connect(server: Cluster, role: str) -> psycopg.Connection:
    """An autocommitting connection whose rows are dictionaries."""
    return psycopg.connect(server.dsn(DATABASE, role), autocommit=True, row_factory=dict_row)


def environment(server: Cluster, role: str) -> dict[str, str]:
    """The same for a child: libpq's variables, which node-postgres reads too."""
    return {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": role, "PGDATABASE": DATABASE}


def load(connection: psycopg.Connection) -> None:
    """The accounts into the database. The prospects stay in their file: the workers read it, as an
    application would read its own tables."""
    with ACCOUNTS.open(encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    for row in accounts:
        connection.execute(
            "SELECT sendgate.upsert_account(%(account_id)s, %(tier)s, %(display_name)s, %(time_zone)s)",
            row,
        )
    with PROSPECTS.open(encoding="utf-8") as file:
        prospects = sum(1 for _ in csv.DictReader(file))
    step(f"{len(accounts)} accounts loaded, {prospects:,} prospects to write to")


@contextmanager
def logs(process_id: int):
    """A directory for logs and the ledger. It stays to be looked at until the next run clears it."""
    base = run_dir() / "demo"
    base.mkdir(exist_ok=True)
    for old in base.iterdir():
        if not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    directory = base / str(process_id)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    yield directory
