"""What the run left in files and in memory, put beside the books: in the schema ``chaos`` of the same
database, where the verdict compares them."""

import json
from pathlib import Path

TABLES = """
DROP SCHEMA IF EXISTS chaos CASCADE;
CREATE SCHEMA chaos;
-- The truth: every call to the provider.
CREATE UNLOGGED TABLE chaos.ledger (operation_id uuid, account_id text COLLATE "C", action text COLLATE "C",
    prospect_id text COLLATE "C", campaign_id text COLLATE "C", accepted boolean, answer text, at timestamptz);
-- What the gate acknowledged to a worker: got an operation, event of a confirm, outcome of a rollback.
CREATE UNLOGGED TABLE chaos.diary (worker text, what text, operation_id uuid, value text);
CREATE UNLOGGED TABLE chaos.caps (account_id text COLLATE "C", action text COLLATE "C", daily int, weekly int);
CREATE UNLOGGED TABLE chaos.enqueued (account_id text COLLATE "C", action text COLLATE "C",
    campaign_id text COLLATE "C", prospect_id text COLLATE "C");
-- When the server was killed and came back, or the clock alone leapt; and the runs of jobs that
-- were under way when it was killed.
CREATE UNLOGGED TABLE chaos.downs (since timestamptz, until timestamptz, killed boolean);
CREATE UNLOGGED TABLE chaos.running (run_id uuid);
-- Lines of the breaker as daemons printed them.
CREATE UNLOGGED TABLE chaos.printed (daemon int, id uuid);
CREATE UNLOGGED TABLE chaos.troubles (trouble text);
"""
INDEXES = """
CREATE INDEX ON chaos.ledger (operation_id);
CREATE INDEX ON chaos.ledger (account_id, prospect_id, action);
CREATE INDEX ON chaos.diary (operation_id);
CREATE INDEX ON chaos.enqueued (account_id, prospect_id, campaign_id, action);
CREATE INDEX ON chaos.printed (id);
ANALYZE;
"""


def tables(connection) -> None:
    """Empty ones."""
    connection.execute(TABLES)


def indexes(connection) -> None:
    """Once they are filled."""
    connection.execute(INDEXES)


def files(connection, directory: Path) -> None:
    """Ledgers, diaries, and what the daemons printed. A last line that is not whole was never written."""
    for table, pattern in (("ledger", "*.ledger"), ("diary", "*.diary")):
        with connection.cursor().copy(f"COPY chaos.{table} FROM STDIN") as copy:
            for path in sorted(directory.glob(pattern)):
                copy.write(whole_lines(path))
    for path in sorted(directory.glob("daemon-*.out")):
        daemon = int(path.stem.split("-")[1])
        lines = whole_lines(path).decode().splitlines()
        rows(connection, "printed", [(daemon, json.loads(line)["id"]) for line in lines])


def rows(connection, table: str, values: list[tuple]) -> None:
    """Some rows."""
    with connection.cursor().copy(f"COPY chaos.{table} FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)


def whole_lines(path: Path) -> bytes:
    """Without a last one that was cut."""
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1]


def memory(connection, run) -> None:
    """What the run knows by heart."""
    rows(connection, "caps", run.caps)
    rows(connection, "downs", run.downs)
    rows(connection, "running", [(run_id,) for run_id in run.executioner.running])
    rows(connection, "troubles", [(trouble,) for trouble in run.crowd.troubles])
    rows(
        connection,
        "enqueued",
        [
            (account, action, campaign, f"{prospects}-{number}")
            for account, action, campaign, prospects, most in run.planner.enqueued
            for number in range(1, most + 1)
        ],
    )
