"""``reserve`` beside the sweeps: its throughput while layers 1 and 2 run over and over."""

import statistics

from bench import wanted
from bench.page import Table as Rows
from harness.progress import progress

from .planted import same
from .report import Table
from .server import Run, Server
from .sweeps import LAYERS

RESERVE = r"""
\set account :step * random(1, :active)
\set prospect random(1, 1000000000)
SELECT * FROM sendgate.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect);
"""
WANTED = 0.8


def measure(server: Server, accounts: int, active: int, rounds: int, seconds: int) -> tuple[Table, list[str], Rows]:
    """Rounds without and with sweeps, in turns; which comes first alternates."""
    variables = {"active": active, "step": accounts // active}
    server.sql("CHECKPOINT")
    progress("  reserve beside the sweeps: warming up")
    server.pgbench(RESERVE, max(1, seconds // 2), **variables)
    figures: dict[bool, list[Run]] = {False: [], True: []}
    for number in range(rounds):
        for sweeping in (False, True) if number % 2 == 0 else (True, False):
            progress(f"  reserve {'with' if sweeping else 'without'} sweeps, round {number + 1} of {rounds}")
            # Both are watched, so that watching costs both the same.
            sessions = [server.background(f"CALL bench.watch_on('{'beside' if sweeping else 'alone'}')")]
            if sweeping:
                sessions.append(server.background("CALL bench.sweep_on('beside')"))
            figures[sweeping].append(server.pgbench(RESERVE, seconds, **variables))
            server.stop(*sessions)
    server.answer_all()
    rates = {sweeping: [run.rate for run in runs] for sweeping, runs in figures.items()}
    costs = {sweeping: statistics.median(run.cpu for run in runs) for sweeping, runs in figures.items()}
    ratio = statistics.median(rates[True]) / statistics.median(rates[False])
    of_cpu = costs[False] / costs[True]
    head = ("median a second", "min", "max", "ratio", "wanted", "server's µs a call", "ratio of these")
    table = Table("`reserve`, 8 clients", *head)
    for sweeping, name in ((False, "no sweep"), (True, "layers 1 and 2, over and over")):
        taken = rates[sweeping]
        shown = (f"{ratio:.2f}", f"≥ {WANTED:.2f}") if sweeping else ("", "")
        of_these = f"{of_cpu:.2f}" if sweeping else ""
        spread = (f"{figure:,.0f}" for figure in (statistics.median(taken), min(taken), max(taken)))
        table.add(name, *spread, *shown, f"{costs[sweeping]:.0f}", of_these)
    # The sweeps need the processor too, so what is left for the clients is a rate.
    promised = wanted.row("reserve beside both sweeps / without, by the rate", of_cpu, WANTED, ratio, judge=ratio)
    return table, notes(server, ratio), [promised]


def notes(server: Server, ratio: float) -> list[str]:
    """How the sweeps went, that they changed nothing that was right, and what they waited for."""
    swept = [server.swept(job, "beside") for job in LAYERS]
    for sweep in swept:
        same(f"what {sweep.job} found beside reserves, where nothing is wrong", sweep.changed, 0)
    said = ", ".join(
        f"{sweep.batches:,} batches of `{sweep.job}` (median {sweep.median * 1e3:.0f} ms, "
        f"worst {sweep.worst * 1e3:.0f} ms)"
        for sweep in swept
    )
    lines = [f"each time the sweeps went on to their end: {said}; they reported no drift"]
    if ratio < WANTED:
        for label, what in (("beside", "with"), ("alone", "without")):
            waits = server.rows(f"""SELECT event, round(100.0 * count(*) / sum(count(*)) OVER ()) FROM bench.waits
                WHERE label = '{label}' GROUP BY 1 ORDER BY count(*) DESC LIMIT 4""")
            lines.append(
                f"what the clients waited for {what} sweeps: "
                + ", ".join(f"{event} {share} %" for event, share in waits)
            )
    return lines
