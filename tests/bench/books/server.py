"""The throwaway server: its clock, pgbench on it, and a stopwatch for sweeps."""

import datetime
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.cluster import Cluster
from harness.places import server_dir
from harness.progress import HarnessError, progress

from .. import processor

CLIENTS = 8
# For a session to begin or to end.
WAIT_SECONDS = 60
CONF = {
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "maintenance_work_mem": "512MB",
    "max_connections": 50,
    "sendgate.test_clock": "on",
}
# An ordinary noon.
NOON = datetime.datetime(2031, 1, 15, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)

STOPWATCH = """
CREATE SCHEMA bench;
CREATE UNLOGGED TABLE bench.batches (
    at timestamptz NOT NULL DEFAULT clock_timestamp(), label text NOT NULL, job text NOT NULL,
    seconds double precision NOT NULL, checked bigint NOT NULL, changed bigint NOT NULL
);
CREATE UNLOGGED TABLE bench.stop (at timestamptz);

-- A run of a job as the schedulers make it: begun, then batch by batch, a transaction each.
CREATE PROCEDURE bench.sweep(job text, label text) LANGUAGE plpgsql AS $$
DECLARE
    more boolean;
    checked bigint;
    changed bigint;
    began timestamptz;
BEGIN
    -- Due, as if its last run had been yesterday.
    UPDATE sendgate.jobs j SET sweep_started_at = j.sweep_started_at - interval '25 hours',
                               sweep_finished_at = j.sweep_finished_at - interval '25 hours'
    WHERE j.job = sweep.job;
    more := sendgate.begin_run(job);
    COMMIT;
    WHILE more LOOP
        began := clock_timestamp();
        EXECUTE format('SELECT checked, changed, more FROM sendgate.%I()', job) INTO checked, changed, more;
        COMMIT;
        -- The stopwatch asks nothing of the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        INSERT INTO bench.batches (label, job, seconds, checked, changed)
        VALUES (label, job, extract(epoch FROM clock_timestamp() - began), checked, changed);
        COMMIT;
        -- The rest that the schedulers take.
        IF more THEN
            PERFORM pg_sleep(least(2, 3 * extract(epoch FROM clock_timestamp() - began)));
        END IF;
    END LOOP;
END $$;

-- Layer 2 and layer 1 in turn, with no pause but that between batches, until told to stop.
CREATE PROCEDURE bench.sweep_on(label text) LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM bench.stop) LOOP
        CALL bench.sweep('audit_events', label);
        CALL bench.sweep('reconcile_operations', label);
    END LOOP;
END $$;

-- What the sessions of pgbench wait for, twenty times a second.
CREATE UNLOGGED TABLE bench.waits (label text NOT NULL, event text NOT NULL);
CREATE PROCEDURE bench.watch_on(label text) LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM bench.stop) LOOP
        PERFORM set_config('synchronous_commit', 'off', true);
        INSERT INTO bench.waits
        SELECT label, coalesce(wait_event_type || ' ' || wait_event, 'running')
        FROM pg_stat_activity WHERE application_name = 'pgbench' AND state = 'active';
        COMMIT;
        PERFORM pg_sleep(0.05);
    END LOOP;
END $$;
"""

# In bulk, with the events that layer 2 looks for.
ANSWERED = """
SET session_replication_role = replica;
WITH answered AS (
    UPDATE sendgate.send_operations SET state = 'delivered', settled_at = reserved_at
    WHERE state = 'reserved' AND prospect_id LIKE 'prospect-%'
    RETURNING *
)
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id,
    prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), operation_id, reserved_at, reserved_at, counted_on, account_id, prospect_id,
       action || '_sent', 'chat'
FROM answered;
"""


@dataclass
class Run:
    """A run of pgbench: transactions a second, the server's microseconds for one, and (end, milliseconds) of each."""

    rate: float
    cpu: float
    log: list[tuple[float, float]]


@dataclass
class Sweep:
    """One run of a job to its end; the seconds are those at work."""

    job: str
    batches: int
    seconds: float
    median: float
    worst: float
    checked: int
    changed: int


class Server:
    """A cluster with one database in use at a time."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.db = "postgres"

    def sql(self, text: str) -> str:
        """Runs SQL in the database in use."""
        return self.cluster.psql(text, self.db)

    def number(self, text: str) -> int:
        """A single number."""
        return int(self.sql(text))

    def rows(self, text: str) -> list[list[str]]:
        """Rows of columns."""
        return [line.split("|") for line in self.sql(text).splitlines()]

    def set_clock(self, instant: datetime.datetime) -> int:
        """Sets the running clock of every session; how far it is ahead, in seconds."""
        ahead = (instant - datetime.datetime.now(datetime.UTC)).total_seconds()
        self.cluster.configure(sendgate__clock_offset=f"{round(ahead)}")
        return round(ahead)

    def settle(self) -> None:
        """Vacuum, analyse and checkpoint now, so that the server does not do it while it is measured."""
        self.sql("VACUUM ANALYZE")
        self.sql("CHECKPOINT")

    def answer_all(self) -> None:
        """Every operation that waits for its answer is delivered, as workers would have had it by now."""
        self.sql(ANSWERED)
        self.settle()

    # -- pgbench ------------------------------------------------------------------------------

    def pgbench(self, script: str, seconds: int, *, log: bool = False, **variables) -> Run:
        """Runs a script with all clients; each transaction is told apart where that is asked for."""
        with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
            file = Path(folder) / "script.sql"
            file.write_text(script)
            command = [
                self.cluster.install.program("pgbench"),
                "-n",
                "-M",
                "prepared",
                "-f",
                file,
                "-h",
                self.cluster.host,
                "-p",
                str(self.cluster.port),
                "-U",
                "postgres",
                "-c",
                str(CLIENTS),
                "-j",
                "2",
                "-T",
                str(seconds),
            ]
            command += [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
            command += ["--log", f"--log-prefix={folder}/log"] if log else []
            environment = self.cluster.install.environment()
            command += [self.db]
            done, spent = processor.spent(
                self.cluster.pid,
                lambda: subprocess.run(command, capture_output=True, text=True, env=environment),
            )
            if done.returncode != 0 or "failed transactions: 0 " not in done.stdout:
                raise HarnessError(f"pgbench failed:\n{done.stdout}{done.stderr}")
            calls = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
            rate = float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])
            return Run(rate, spent * 1e6 / max(1, calls), _read_logs(Path(folder)))

    # -- sweeps -------------------------------------------------------------------------------

    def sweep(self, job: str, label: str) -> Sweep:
        """Runs a job to its end."""
        progress(f"  {label}: {job}")
        self.sql(f"CALL bench.sweep('{job}', '{label}')")
        return self.swept(job, label)

    def swept(self, job: str, label: str) -> Sweep:
        """What the stopwatch says about the runs of a job under a label."""
        rows = self.rows(
            f"SELECT seconds, checked, changed FROM bench.batches WHERE job = '{job}' AND label = '{label}'"
        )
        if not rows:
            raise HarnessError(f"{job} did not run, which is a bug: was it due?")
        seconds = [float(row[0]) for row in rows]
        checked, changed = (sum(int(row[i]) for row in rows) for i in (1, 2))
        return Sweep(job, len(rows), sum(seconds), statistics.median(seconds), max(seconds), checked, changed)

    def background(self, call: str) -> subprocess.Popen:
        """A session that goes on until ``bench.stop`` has a row; it has begun when this returns."""
        command = [
            self.cluster.install.program("psql"),
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.cluster.dsn(self.db),
            "-c",
            call,
        ]
        session = subprocess.Popen(
            command,
            env=self.cluster.install.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun = f"SELECT count(*) FROM pg_stat_activity WHERE query = $call${call}$call$"
        wait_until(lambda: session.poll() is not None or self.number(begun) > 0, f"{call} did not begin")
        return session

    def stop(self, *sessions: subprocess.Popen) -> None:
        """Ends what runs in the background, in order, and says so if it failed."""
        backends = [
            int(row[0]) for row in self.rows("SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL bench.%'")
        ]
        self.sql("INSERT INTO bench.stop VALUES (now())")
        for session in sessions:
            _, said = session.communicate()
            if session.returncode != 0:
                raise HarnessError(f"a session in the background failed:\n{said}")
        # Their processor time must not be counted for the next run.
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in backends), "a backend did not end")
        self.sql("TRUNCATE bench.stop")


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Waits for a condition that comes soon."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise HarnessError(f"{otherwise} within {WAIT_SECONDS} s")
        time.sleep(0.02)


def _read_logs(folder: Path) -> list[tuple[float, float]]:
    taken = []
    for file in folder.glob("log.*"):
        with file.open() as lines:
            for line in lines:
                _, _, micros, _, epoch, fraction = line.split()[:6]
                taken.append((int(epoch) + int(fraction) / 1e6, int(micros) / 1e3))
    return taken


def percentiles(milliseconds: list[float]) -> tuple[float, float, float]:
    """p50, p99 and p99.9."""
    ordered = sorted(milliseconds)
    if not ordered:
        raise HarnessError("nothing was measured")
    return tuple(ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99, 0.999))
