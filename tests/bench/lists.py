"""Campaign work in numbers: python3 tests/bench/lists.py

1. enqueue: rows a second of `enqueue_many`, next to single calls of `enqueue`. One client, prepared statements, durability
   as PostgreSQL ships it, new work of 100 campaigns for accounts at random. In turn, several rounds: single calls that
   each commit, single calls in one transaction of a thousand, the same within one statement, and lists of several
   lengths. What is asked for is the ratio of a list to the single calls that each commit; the other two show what is left
   of it where the commits are shared.
2. dispatch: slots a second and the server's time for one, by slots a call and by campaigns that share an account, with and
   without limits of campaigns: turns.py.

With --count the second is counted in instructions instead, by valgrind: other work on the machine does not change them.
With --write the tables are put into docs/performance.md.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # elsewhere its packages are in the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import instructions, page, turns
from bench.page import Table
from bench.report import rate_columns
from bench.server import CONF, Cost, Server
from harness import build, postgres
from harness.cluster import Cluster
from harness.progress import HarnessError, duration, ended, progress

PARTS = ("enqueue", "dispatch")
ACCOUNTS = 100_000
SIZES = (100, 1_000, 10_000)
SINGLE = "enqueue, each committed"
TOGETHER = "enqueue, 1,000 in a transaction"
WITHIN = "enqueue, 1,000 in a statement"
RATIO_MIN = 5
SHARED = 1_000

ENQUEUE = """\\set k random(1, 9000000000000)
SELECT sendgate.enqueue('campaign-' || :k::bigint % 100, 'prospect-' || :k, 'account-' || :account, 'message');
"""
ACCOUNT = "\\set account random(1, :accounts)\n"
LIST = """\\set k random(1, 9000000000)
SELECT count(*) FROM (
    SELECT array_agg('campaign-' || n % 100) AS campaigns, array_agg('prospect-' || :k * 1000::bigint + n) AS prospects,
           array_agg('account-' || 1 + (n * 7919::bigint + :k) % :accounts) AS accounts, array_agg('message'::text) AS actions
    FROM generate_series(1, {size}) n
) w, sendgate.enqueue_many(w.campaigns, w.prospects, w.accounts, w.actions) r
WHERE r.result = 'new';
"""
INSIDE = """\\set k random(1, 9000000000)
SELECT count(*) FILTER (WHERE sendgate.enqueue('campaign-' || n % 100, 'prospect-' || :k * 1000::bigint + n,
                                               'account-' || 1 + (n * 7919::bigint + :k) % :accounts, 'message'))
FROM generate_series(1, {size}) n;
"""


def main() -> int:
    """Builds, measures, prints; fails where a list is slower than it has to be."""
    options = arguments()
    started = time.monotonic()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    with Cluster(install, conf=CONF) as cluster:
        progress(f"  loading {options.accounts:,} accounts")
        server = Server(cluster, options.accounts)
        found, best = counted(server) if options.count else measured(server, options)
    tables = "\n\n".join(f"{title}\n{page.plain(rows)}" for title, rows in found)
    print(f"\n{tables}\n\nTaken in {duration(time.monotonic() - started)}.")
    if options.write:
        text = "\n\n".join(f"### {title}\n\n{page.markdown(rows)}" for title, rows in found)
        page.write(page.PERFORMANCE, page.COUNTED if options.count else page.LISTS, text)
    if best is not None and best < RATIO_MIN:
        raise HarnessError(f"enqueue_many of {max(SIZES):,} is {best:.1f} times single calls, not {RATIO_MIN}")
    return 0


def measured(server: Server, options: argparse.Namespace) -> tuple[list[tuple[str, Table]], float | None]:
    """The tables by title, and how many times faster the longest list is than single calls."""
    found, best = [], None
    if "enqueue" in options.only:
        taken = enqueued(server, options)
        best = median(taken[listed(max(SIZES))], "rate") / median(taken[SINGLE], "rate")
        found.append(("Work put in: rows a second", enqueue_table(taken)))
    if "dispatch" in options.only:
        world = turns.QUICK if options.quick else turns.FULL
        taken = turns.measure(server, world, min(options.seconds, 2), min(options.rounds, 2))
        found += turns.tables(taken)
    return found, best


def counted(server: Server) -> tuple[list[tuple[str, Table]], None]:
    """The table of instructions."""
    if not instructions.available():
        raise HarnessError("there is no valgrind in PATH to count instructions with")
    rows = turns.table("instructions a slot", turns.count(server), 0)
    return [("`dispatch` by campaigns of an account: instructions", rows)], None


def enqueued(server: Server, options: argparse.Namespace) -> dict[str, list[Cost]]:
    """What each run came to for a row."""
    taken: dict[str, list[Cost]] = {}
    for number in range(1, options.rounds + 1):
        for name, (script, rows) in contenders().items():
            progress(f"  round {number} of {options.rounds}: {name}")
            server.psql("TRUNCATE sendgate.enrollments, sendgate.dispatch_queue")
            server.psql("CHECKPOINT")
            cost = server.run(script, options.seconds, clients=1)
            taken.setdefault(name, []).append(Cost(cost.calls * rows, cost.rate * rows, cost.cpu / rows))
    return taken


def enqueue_table(taken: dict[str, list[Cost]]) -> Table:
    """Rates with their spread, and the processor time of a row, each beside single calls."""
    made = [["rows put in", "median a second", "min", "max", "ratio", "wanted", "server's µs a row", "ratio of these"]]
    for name, runs in taken.items():
        ratio = median(runs, "rate") / median(taken[SINGLE], "rate")
        cpu = median(runs, "cpu")
        made.append(
            [
                name,
                *rate_columns([cost.rate for cost in runs]),
                f"{ratio:.1f}",
                f"{RATIO_MIN:.1f}" if name == listed(max(SIZES)) else "",
                f"{cpu:.1f}",
                f"{median(taken[SINGLE], 'cpu') / cpu:.1f}",
            ]
        )
    return made


def median(runs: list[Cost], what: str) -> float:
    """Of one figure of all runs."""
    return statistics.median(getattr(cost, what) for cost in runs)


def listed(size: int) -> str:
    """What a list of this length is called."""
    return f"enqueue_many of {size:,}"


def contenders() -> dict[str, tuple[str, int]]:
    """By name: a script of pgbench, and how many rows one run of it puts in."""
    single = ACCOUNT + ENQUEUE
    return {
        SINGLE: (single, 1),
        TOGETHER: ("BEGIN;\n" + single * SHARED + "COMMIT;\n", SHARED),
        WITHIN: (INSIDE.format(size=SHARED), SHARED),
        **{listed(size): (LIST.format(size=size), size) for size in SIZES},
    }


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--count", action="store_true", help="count the instructions of dispatch, and nothing else")
    parser.add_argument("--quick", action="store_true", help="everything, but small: to see that it runs")
    parser.add_argument("--accounts", type=int, help=f"accounts that the work is for ({ACCOUNTS:,})")
    parser.add_argument("--seconds", type=float, help="length of one run (4; of dispatch 2)")
    parser.add_argument("--rounds", type=int, help="runs of each (3; of dispatch 2)")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version (18)")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args(given)
    usual = {"accounts": ACCOUNTS, "seconds": 4.0, "rounds": 3}
    quick = {"accounts": 5_000, "seconds": 1.0, "rounds": 1}
    for name, value in (quick if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.count:
        options.accounts = turns.COUNTED.accounts
    if options.write and options.only:
        parser.error("--write needs both parts: their tables stand together")
    options.only = options.only or list(PARTS)
    return options


if __name__ == "__main__":
    sys.exit(ended(main))
