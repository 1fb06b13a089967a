"""What the run left in files and in memory, put beside the books: in the schema ``chaos`` of the same
database, where the verdict compares them."""

import json
from pathlib import Path

from .kinds import COUNTED, OBSERVED, PACED, kind_of
from .prepare import FEW_A_DAY, GAP_SECONDS

TABLES = """
DROP SCHEMA IF EXISTS chaos CASCADE;
CREATE SCHEMA chaos;
-- The truth: every call to the provider.
CREATE UNLOGGED TABLE chaos.ledger (operation_id uuid, account_id text COLLATE "C", action text COLLATE "C",
    prospect_id text COLLATE "C", campaign_id text COLLATE "C", accepted boolean, answer text, at timestamptz, step smallint);
-- What the gate acknowledged to a worker: got an operation of an account, event of a confirm, outcome of a rollback, the chat
-- id that was written into a guarded row.
CREATE UNLOGGED TABLE chaos.diary (worker text, what text, operation_id uuid, value text);
CREATE UNLOGGED TABLE chaos.caps (account_id text COLLATE "C", action text COLLATE "C", daily int, weekly int);
CREATE UNLOGGED TABLE chaos.enqueued (account_id text COLLATE "C", action text COLLATE "C",
    campaign_id text COLLATE "C", prospect_id text COLLATE "C", step smallint, due timestamptz);
-- Observed accounts with their caps; paced accounts, each until when; accounts whose balance is told.
CREATE UNLOGGED TABLE chaos.observed (account_id text COLLATE "C", action text COLLATE "C", daily int);
CREATE UNLOGGED TABLE chaos.paced (account_id text COLLATE "C", gap interval, until timestamptz);
CREATE UNLOGGED TABLE chaos.counted (account_id text COLLATE "C");
-- What a campaign may take of each account's day.
CREATE UNLOGGED TABLE chaos.limits (campaign_id text COLLATE "C", action text COLLATE "C", daily int);
-- Work that people put back; prospects who had opted out for a while; accounts and prospects that left.
CREATE UNLOGGED TABLE chaos.requeued (account_id text COLLATE "C", campaign_id text COLLATE "C", prospect_id text COLLATE "C",
    action text COLLATE "C", step smallint, at timestamptz);
CREATE UNLOGGED TABLE chaos.came_back (prospect_id text COLLATE "C", since timestamptz, until timestamptz);
CREATE UNLOGGED TABLE chaos.removed (account_id text COLLATE "C", at timestamptz);
CREATE UNLOGGED TABLE chaos.forgotten (prospect_id text COLLATE "C");
CREATE VIEW chaos.opted_out AS
    SELECT prospect_id, suppressed_at AS since, until FROM sendgate.suppressions
    UNION ALL SELECT prospect_id, since, until FROM chaos.came_back;
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
CREATE INDEX ON chaos.requeued (account_id, prospect_id, campaign_id, action);
CREATE INDEX ON chaos.printed (id);
ANALYZE;
"""
# Calls for accounts that are gone have nothing beside them; calls and work for prospects who were forgotten have their new names.
LEFT = """
CREATE UNLOGGED TABLE chaos.of_removed AS SELECT l.* FROM chaos.ledger l JOIN chaos.removed r USING (account_id);
DELETE FROM chaos.ledger l USING chaos.removed r WHERE l.account_id = r.account_id;
DELETE FROM chaos.diary d USING chaos.diary g, chaos.removed r
 WHERE d.operation_id = g.operation_id AND g.what = 'got' AND g.value = r.account_id;
DELETE FROM chaos.enqueued q USING chaos.removed r WHERE q.account_id = r.account_id;
CREATE UNLOGGED TABLE chaos.of_forgotten AS SELECT q.* FROM chaos.enqueued q JOIN chaos.forgotten f USING (prospect_id);
DELETE FROM chaos.enqueued q USING chaos.forgotten f WHERE q.prospect_id = f.prospect_id;
UPDATE chaos.ledger l SET prospect_id = o.prospect_id FROM sendgate.send_operations o, chaos.forgotten f
 WHERE l.prospect_id = f.prospect_id AND (o.account_id, o.operation_id) = (l.account_id, l.operation_id);
"""


def tables(connection) -> None:
    """Empty ones."""
    connection.execute(TABLES)


def indexes(connection) -> None:
    """Once they are filled."""
    connection.execute(INDEXES)
    connection.execute(LEFT)


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
    rows(connection, "caps", [cap for cap in run.caps if kind_of(cap[0]) != OBSERVED])
    rows(connection, "observed", [cap[:3] for cap in run.caps if kind_of(cap[0]) == OBSERVED])
    accounts = sorted({account for account, *_ in run.caps})
    rows(
        connection,
        "paced",
        [(account, f"{GAP_SECONDS} seconds", run.paced_until) for account in accounts if kind_of(account) == PACED],
    )
    rows(connection, "counted", [(account,) for account in accounts if kind_of(account) == COUNTED])
    rows(connection, "limits", [(campaign, "message", FEW_A_DAY) for _, campaign, *_ in run.planner.few])
    rows(connection, "requeued", run.operator.requeued)
    rows(connection, "came_back", run.operator.came_back)
    rows(connection, "removed", run.operator.removed)
    rows(connection, "forgotten", [(prospect,) for prospect in run.operator.forgotten])
    rows(connection, "downs", run.downs)
    rows(connection, "running", [(run_id,) for run_id in run.executioner.running])
    rows(connection, "troubles", [(trouble,) for trouble in run.crowd.troubles])
    rows(connection, "enqueued", run.planner.pieces())
