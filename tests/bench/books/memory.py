"""Memory of ``sendgated`` over a thousand rounds."""

import time

from bench import wanted
from bench.page import Table as Rows
from harness.progress import HarnessError, progress

from .daemon import WAIT_SECONDS, Daemon
from .report import Table
from .server import Server

ROUNDS = (1, 100, 1_000)
MEBIBYTES_MAX = 30
POLL = "0.01"

# Accounts come and send, breakers open, jobs fall due: what a round can meet.
CHANGES = """
SELECT sendgate.upsert_account('memory-{n}', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('memory-{n}', 'inmail', 'p');
SELECT sendgate.breaker_arm('memory-{n}', 'memory');
SELECT reason FROM sendgate.reserve('memory-{n}', 'inmail', 'q');
UPDATE sendgate.jobs SET sweep_started_at = sweep_started_at - interval '25 hours',
                         sweep_finished_at = sweep_finished_at - interval '25 hours';
"""


def measure(server: Server) -> tuple[Table, list[str], Rows]:
    """Resident memory after so many rounds, with /metrics scraped all the time."""
    table = Table("rounds", "resident memory")
    progress(f"  sendgated: {ROUNDS[-1]:,} rounds")
    seen: dict[int, float] = {}
    scrapes = 0
    with Daemon(server, "--poll", POLL) as daemon:
        deadline = time.monotonic() + WAIT_SECONDS
        while len(seen) < len(ROUNDS):
            if time.monotonic() > deadline:
                raise HarnessError(f"sendgated made no {ROUNDS[-1]:,} rounds within {WAIT_SECONDS} s")
            found = daemon.metrics()
            scrapes += 1
            rounds = found["sendgate_rounds_total"]
            for mark in ROUNDS:
                if rounds >= mark and mark not in seen:
                    seen[mark] = found["process_resident_memory_bytes"] / 2**20
            server.sql(CHANGES.format(n=scrapes))
        runs = sum(value for name, value in found.items() if name.startswith("sendgate_job_runs_total"))
        lines = found["sendgate_breaker_lines_total"]
    for mark, mebibytes in seen.items():
        table.add(f"{mark:,}", f"{mebibytes:.1f} MiB")
    return (
        table,
        [
            f"in it {runs:,.0f} runs of jobs, {lines:,.0f} printed lines and {scrapes:,} scrapes of `/metrics`; "
            f"wanted: flat, and under {MEBIBYTES_MAX} MiB"
        ],
        [wanted.at_most(f"memory of the daemon after {ROUNDS[-1]:,} rounds", seen[ROUNDS[-1]], MEBIBYTES_MAX, " MiB")],
    )
