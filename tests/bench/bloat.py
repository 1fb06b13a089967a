"""What hours of full load leave behind: python3 tests/bench/bloat.py

Eight clients reserve and confirm, enqueue and dispatch without a pause, on a server whose autovacuum
is as PostgreSQL ships it, and every minute the scheduler's round is called. Sizes, dead rows and
rates are sampled on the way; at the end each table is written anew to see how much of it was air.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":  # elsewhere its packages are in the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import contenders, page
from bench.books.report import Table
from bench.server import CLIENTS, Server
from harness import build, postgres
from harness.cluster import Cluster
from harness.progress import duration, ended, progress

FULL = {"accounts": 100_000, "minutes": 60.0}
QUICK = {"accounts": 10_000, "minutes": 0.5}
CONF = {"shared_buffers": "1GB", "max_wal_size": "8GB", "max_connections": 50}
SAMPLES = 12
# Between two rounds of the scheduler.
ROUND_SECONDS, ROUND_SECONDS_QUICK = 60, 10
TABLES = ("accounts", "send_operations", "linkedin_events", "enrollments", "dispatch_queue")

# One in ten transactions is campaign work: ten pieces are put in, ten are handed out and delivered.
CAMPAIGN = (
    contenders.ARGUMENTS
    + """
SELECT count(sendgate.enqueue('campaign', 'enqueued-' || :prospect || '-' || n, 'account-' || :account, 'invite'))
FROM generate_series(1, 10) n;
WITH handed AS MATERIALIZED (SELECT * FROM sendgate.dispatch(10))
SELECT cardinality(sendgate.confirm_many(array_agg(account_id), array_agg(operation_id), array_agg('chat-' || prospect_id)))
FROM handed HAVING count(*) > 0;
"""
)
SHARES = ((contenders.RESERVE_CONFIRM, 9), (CAMPAIGN, 1))

STATE = """
SELECT s.relname, pg_table_size(s.relid), pg_indexes_size(s.relid), s.n_live_tup, s.n_dead_tup, s.n_tup_upd,
       s.n_tup_hot_upd, s.autovacuum_count
FROM pg_stat_user_tables s WHERE s.schemaname = 'sendgate' AND s.relname = ANY ('{{{tables}}}')
"""
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"


def main() -> int:
    """Builds, loads, watches, prints."""
    options = arguments()
    os.nice(options.nice)
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    with Cluster(install, conf=CONF) as cluster:
        server = Server(cluster, options.accounts)
        # No account is to run out of slots.
        server.psql(
            "SELECT sendgate.set_tier_cap('sales_navigator', action, 10000, 10000)"
            " FROM unnest(ARRAY['inmail', 'invite']) action"
        )
        before = state(server)
        between = ROUND_SECONDS_QUICK if options.quick else ROUND_SECONDS
        table = watch(server, options.minutes * 60, between)
        text = f"{machine(options)}\n\n{table}\n\n{air(server, before)}"
    print(f"\n{text}\n")
    if options.write:
        page.write(page.OPERATIONS, page.BLOAT, text)
        progress(f"written into {page.OPERATIONS}")
    return 0


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it runs")
    parser.add_argument("--minutes", type=float, help=f"how long the load lasts [{FULL['minutes']:g}]")
    parser.add_argument("--accounts", type=int, help=f"accounts [{FULL['accounts']:,}]")
    parser.add_argument(
        "--nice",
        type=int,
        default=0,
        choices=range(20),
        metavar="0-19",
        help="leave the processor to other work: then the rates say little, the rest stays true [0]",
    )
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version")
    parser.add_argument(
        "--write",
        action=argparse.BooleanOptionalAction,
        default=None,
        help=f"write {page.OPERATIONS.name} [only after a run in full size]",
    )
    options = parser.parse_args(given)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.write is None:
        options.write = all(getattr(options, name) >= value for name, value in FULL.items())
    if options.minutes * 60 < SAMPLES:
        parser.error(f"--minutes must leave a second for each of {SAMPLES} samples")
    return options


def watch(server: Server, seconds: float, between: float) -> Table:
    """The load, sampled, with a round of the scheduler every so many seconds."""
    table = Table(
        "after",
        "transactions a second",
        "accounts: table",
        "dead rows",
        "HOT",
        "journal: table + indexes",
        "dead rows",
        "enrollments: table + indexes",
        "dead rows",
    )
    began = last = time.monotonic()
    commits, round_ = int(server.psql(COMMITS)), Round(server, between)
    with server.started(SHARES, seconds, CLIENTS) as load, ThreadPoolExecutor(1) as beside:
        for number in range(1, SAMPLES + 1):
            until = began + number * seconds / SAMPLES
            while time.monotonic() < until and load.poll() is None:
                round_.begin_if_due(beside)
                with suppress(subprocess.TimeoutExpired):
                    load.wait(min(1.0, max(0.01, until - time.monotonic())))
            if load.poll() not in (None, 0):
                break  # and why is said where it is waited for
            now, found, count = time.monotonic(), state(server), int(server.psql(COMMITS))
            row = sample(found, now - began, (count - commits) / (now - last))
            table.add(*row)
            progress("  " + " · ".join(row))
            last, commits = now, count
    return table


class Round:
    """The scheduler's round, every so many seconds; one that takes longer delays the next round only."""

    def __init__(self, server: Server, between: float):
        self.server, self.between = server, between
        self.begun = time.monotonic()
        self.running: Future | None = None

    def begin_if_due(self, beside: ThreadPoolExecutor) -> None:
        """Raises what went wrong in the last one."""
        if self.running and self.running.done():
            self.running = self.running.result() or None
        if self.running is None and time.monotonic() - self.begun >= self.between:
            self.begun = time.monotonic()
            self.running = beside.submit(lambda: self.server.psql("CALL sendgate.tick()") and None)


def sample(found: dict[str, dict], passed: float, rate: float) -> list[str]:
    """A line of the table."""
    accounts, journal, enrollments = found["accounts"], found["send_operations"], found["enrollments"]
    return [
        duration(passed),
        f"{rate:,.0f}",
        mebibytes(accounts["table"]),
        f"{accounts['dead']:,}",
        f"{100 * accounts['hot'] / max(1, accounts['updates']):.1f} %",
        mebibytes(journal["table"] + journal["indexes"]),
        f"{journal['dead']:,}",
        mebibytes(enrollments["table"] + enrollments["indexes"]),
        f"{enrollments['dead']:,}",
    ]


def air(server: Server, before: dict[str, dict]) -> Table:
    """How much smaller each table is when it is written anew."""
    table = Table("table", "before", "after the load", "written anew", "air", "rows", "bytes a row", "autovacuums")
    after = state(server)
    for name in TABLES:
        progress(f"  writing {name} anew")
        server.psql(f"VACUUM (FULL, ANALYZE) sendgate.{name}")
    anew = state(server)
    for name in TABLES:
        first, then, compact = (size(found[name]) for found in (before, after, anew))
        rows = int(server.psql(f"SELECT count(*) FROM sendgate.{name}"))
        table.add(
            f"`{name}`",
            mebibytes(first),
            mebibytes(then),
            mebibytes(compact),
            f"{100 * (1 - compact / max(1, then)):.0f} %",
            f"{rows:,}",
            f"{then / max(1, rows):,.0f}",
            f"{after[name]['vacuums']}",
        )
    return table


def state(server: Server) -> dict[str, dict]:
    """Sizes in bytes and counts of rows, by table."""
    names = ("table", "indexes", "live", "dead", "updates", "hot", "vacuums")
    lines = (line.split("|") for line in server.psql(STATE.format(tables=",".join(TABLES))).splitlines())
    return {name: dict(zip(names, map(int, values), strict=True)) for name, *values in lines}


def size(found: dict) -> int:
    """Of a table with its indexes."""
    return found["table"] + found["indexes"]


def mebibytes(size: int) -> str:
    """For people."""
    return f"{size / 2**20:,.0f} MiB"


def machine(options: argparse.Namespace) -> str:
    """What it was taken with."""
    shown = ", ".join(f"`{key}` {value}" for key, value in CONF.items())
    load = f", at nice {options.nice} beside other work, so the rates say little" if options.nice else ""
    return (
        f"{os.cpu_count()} cores, PostgreSQL {options.pg}, {CLIENTS} clients for {options.minutes:g} minutes{load}; "
        f"{options.accounts:,} accounts; one transaction in ten is campaign work of ten pieces; {shown}, everything else as "
        "PostgreSQL ships it, autovacuum too."
    )


if __name__ == "__main__":
    sys.exit(ended(main))
