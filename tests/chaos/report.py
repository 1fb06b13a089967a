"""A whole run, from an empty database to the verdict and its figures."""

import time
from pathlib import Path

from harness.cluster import Cluster
from harness.progress import duration

from . import load, verdict
from .run import Run
from .world import World

FIGURES = """
SELECT (SELECT count(*) FROM sendgate.send_operations), (SELECT count(*) FROM chaos.ledger),
       (SELECT count(*) FROM chaos.ledger WHERE accepted), (SELECT count(*) FROM sendgate.enrollments),
       (SELECT count(DISTINCT counted_on) FROM sendgate.send_operations),
       (SELECT count(*) FROM sendgate.reconcile_runs WHERE state = 'ok'),
       (SELECT count(*) FROM sendgate.reconcile_runs WHERE state = 'crashed')"""


def play(cluster: Cluster, dbname: str, directory: Path, seed: int, sizes: dict, say) -> tuple[list, str]:
    """The checks and, in words, what the run was."""
    names = ("operations", "kills", "accounts", "singles", "batches", "outboxes", "crons", "batch", "caps")
    dsn = f"host={cluster.host} port={cluster.port} dbname={dbname}"
    world = World(str(directory), dsn, seed, **{name: sizes[name] for name in names})
    with Run(cluster, world, say) as run:
        run.prepare()
        run.play()
        seconds = time.monotonic() - run.started
        run.close_books()
        connection = run.gate.connection()
        load.tables(connection)
        load.files(connection, directory)
        load.memory(connection, run)
        load.indexes(connection)
        checks = verdict.judge(connection)
        return checks, figures(connection, run, seconds)


def figures(connection, run: Run, seconds: float) -> str:
    """What it came to."""
    [(operations, calls, accepted, work, days, sweeps, crashed)] = connection.execute(FIGURES).fetchall()
    kills = ", ".join(f"{count} {kind}" for kind, count in run.kills.most_common())
    return (
        f"seed {run.world.seed}: {operations:,} operations of {run.world.accounts} accounts on {days} days, "
        f"{calls:,} calls to the provider, {accepted:,} accepted; {work:,} pieces of campaign work; "
        f"{run.operator.resolved:,} unknown outcomes settled by people; {sweeps:,} sweeps ended, {crashed:,} died\n"
        f"{sum(run.kills.values())} kills in {duration(seconds)}: {kills}"
    )
