"""``reserve`` against two writes by hand on the same data, by size."""

import statistics

from bench import contenders
from harness.progress import progress

from .data import HISTORY, TODAY, without_indexes
from .report import Table
from .server import Server, percentiles

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
VACUUM FULL sendgate.accounts;
CREATE SCHEMA byhand;
CREATE TABLE byhand.accounts (LIKE sendgate.accounts INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE byhand.send_operations (LIKE sendgate.send_operations INCLUDING ALL) WITH (fillfactor = 85);
INSERT INTO byhand.accounts SELECT * FROM sendgate.accounts;
"""
COPY = "INSERT INTO byhand.send_operations SELECT * FROM sendgate.send_operations;"


def prepare(server: Server, db: str) -> None:
    """The same rows for the contender."""
    server.db = db
    progress(f"  copying {db} for the writes by hand")
    server.sql(SETUP)
    server.sql(without_indexes("byhand.send_operations", COPY))
    server.settle()


def measure(server: Server, databases: dict[int, str], rounds: int, seconds: int) -> tuple[Table, list[str]]:
    """All sizes and both contenders in turns; ratios are those of medians."""
    tps = {(size, name): [] for size in databases for name in SCRIPTS}
    latency = {key: [] for key in tps}
    for number in range(rounds + 1):
        server.sql("CHECKPOINT")
        for size, db in databases.items():
            server.db = db
            for name in SCRIPTS if number % 2 == 0 else reversed(SCRIPTS):
                progress(f"  {size:,} accounts, {name}: " + (f"round {number} of {rounds}" if number else "warming up"))
                length = seconds if number else max(1, seconds // 2)
                rate, log = server.pgbench(SCRIPTS[name], length, log=True, accounts=size)
                if number:
                    tps[size, name].append(rate)
                    latency[size, name] += [ms for _, ms in log]
    return report(server, databases, tps, latency)


def report(server: Server, databases: dict[int, str], tps: dict, latency: dict) -> tuple[Table, list[str]]:
    """The table, and what is on disk."""
    table = Table(
        "accounts",
        "operations in the journal",
        "`reserve` a second",
        "by hand",
        "ratio",
        "`reserve` p50 / p99 / p99.9",
        "by hand p50 / p99 / p99.9",
    )
    ratios, notes = {}, []
    for size in databases:
        reserve, by_hand = (statistics.median(tps[size, name]) for name in SCRIPTS)
        ratios[size] = reserve / by_hand
        shown = [" / ".join(f"{ms:.2f}" for ms in percentiles(latency[size, name])) + " ms" for name in SCRIPTS]
        table.add(
            f"{size:,}", f"{size * HISTORY:,}", f"{reserve:,.0f}", f"{by_hand:,.0f}", f"{ratios[size]:.2f}", *shown
        )
    smallest, largest = min(databases), max(databases)
    change = ratios[largest] / ratios[smallest]
    notes.append(
        f"the ratio at {largest:,} accounts is {change:.2f} of that at {smallest:,} (wanted: at least {WANTED:.2f})"
    )
    server.db = databases[largest]
    heap, indexes, rows = (
        int(n)
        for n in server.rows("""SELECT pg_table_size(c.oid), pg_indexes_size(c.oid),
        (SELECT count(*) FROM sendgate.send_operations) FROM pg_class c
        WHERE c.oid = 'sendgate.send_operations'::regclass""")[0]
    )
    notes.append(
        f"a million operations are {heap / rows * 1e6 / 2**20:.0f} MiB of table and "
        f"{indexes / rows * 1e6 / 2**20:.0f} MiB of indexes"
    )
    return table, notes
