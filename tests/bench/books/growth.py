"""``reserve`` against two writes by hand on the same data, by size."""

import statistics

from bench import contenders, wanted
from bench.page import Table as Rows
from harness.progress import progress

from .data import HISTORY, TODAY, without_indexes
from .report import Table
from .server import Run, Server, percentiles

WANTED = 0.95
# No account comes near its cap, and the contender's cap does not bind either.
BY_HAND = contenders.BY_HAND.replace("inmails_sent_today < 50", "inmails_sent_today < 10000")
SCRIPTS = {"reserve": contenders.RESERVE, "by hand": BY_HAND}

# The day has begun for every account: its first slot of a day moves its day as well, which is
# indexed, and which the contender knows nothing of.
SETUP = f"""
SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 10000);
UPDATE sendgate.accounts SET day = {TODAY}, inmail_cap_today = 10000,
    sent_before = decode(repeat('00', 30), 'hex');
{contenders.COPIES}
"""
COPY = "INSERT INTO byhand.send_operations SELECT * FROM sendgate.send_operations;"


def prepare(server: Server, db: str) -> None:
    """The same rows for the contender."""
    server.db = db
    progress(f"  copying {db} for the writes by hand")
    server.sql(SETUP)
    server.sql(without_indexes("byhand.send_operations", COPY))
    server.settle()


def measure(server: Server, databases: dict[int, str], rounds: int, seconds: int) -> tuple[Table, list[str], Rows]:
    """All sizes and both contenders in turns; ratios are those of medians."""
    runs: dict[tuple[int, str], list[Run]] = {(size, name): [] for size in databases for name in SCRIPTS}
    for number in range(rounds + 1):
        server.sql("CHECKPOINT")
        for size, db in databases.items():
            server.db = db
            for name in SCRIPTS if number % 2 == 0 else reversed(SCRIPTS):
                progress(f"  {size:,} accounts, {name}: " + (f"round {number} of {rounds}" if number else "warming up"))
                length = seconds if number else max(1, seconds // 2)
                run = server.pgbench(SCRIPTS[name], length, log=True, accounts=size)
                if number:
                    runs[size, name].append(run)
    table, ratios = by_size(list(databases), runs)
    smallest, largest = min(databases), max(databases)
    of_rate, of_cpu = (ratios[largest][i] / ratios[smallest][i] for i in (0, 1))
    what = f"(reserve / by hand) at {largest:,} accounts / the same at {smallest:,}"
    notes = [
        f"by the server's processor time the ratio at {largest:,} accounts is {of_cpu:.2f} of that at {smallest:,} "
        f"(wanted: at least {WANTED:.2f}), by the rate {of_rate:.2f}"
    ]
    server.db = databases[largest]
    return table, [*notes, on_disk(server)], [wanted.row(what, of_cpu, WANTED, of_rate)]


def by_size(sizes: list[int], runs: dict[tuple[int, str], list[Run]]) -> tuple[Table, dict[int, tuple[float, float]]]:
    """A row a size; and by size the ratios of the gate to the writes by hand, by rate and by processor time."""
    table = Table(
        "accounts",
        "operations in the journal",
        "`reserve` a second",
        "by hand",
        "ratio",
        "`reserve`, server's µs",
        "by hand",
        "ratio",
        "`reserve` p50 / p99 / p99.9",
        "by hand p50 / p99 / p99.9",
    )
    ratios = {}
    for size in sizes:
        gate, hand = (runs[size, name] for name in SCRIPTS)
        rates = [statistics.median(run.rate for run in of) for of in (gate, hand)]
        costs = [statistics.median(run.cpu for run in of) for of in (gate, hand)]
        ratios[size] = rates[0] / rates[1], costs[1] / costs[0]
        shown = [
            " / ".join(f"{ms:.2f}" for ms in percentiles([ms for run in of for _, ms in run.log])) + " ms"
            for of in (gate, hand)
        ]
        table.add(
            f"{size:,}",
            f"{size * HISTORY:,}",
            *(f"{rate:,.0f}" for rate in rates),
            f"{ratios[size][0]:.2f}",
            *(f"{cost:.0f}" for cost in costs),
            f"{ratios[size][1]:.2f}",
            *shown,
        )
    return table, ratios


def on_disk(server: Server) -> str:
    """How large a journal is."""
    heap, indexes, rows = (
        int(n)
        for n in server.rows("""SELECT pg_table_size(c.oid), pg_indexes_size(c.oid),
        (SELECT count(*) FROM sendgate.send_operations) FROM pg_class c
        WHERE c.oid = 'sendgate.send_operations'::regclass""")[0]
    )
    return (
        f"a million operations are {heap / rows * 1e6 / 2**20:.0f} MiB of table and "
        f"{indexes / rows * 1e6 / 2**20:.0f} MiB of indexes"
    )
