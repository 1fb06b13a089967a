"""Rows a second of `enqueue_many`, next to single calls of `enqueue`: python3 tests/bench/lists.py

One client, prepared statements, durability as PostgreSQL ships it, new work of 100 campaigns for accounts at random. In
turn, several rounds: single calls that each commit, single calls in one transaction of a thousand, the same within one
statement, and lists of several lengths. Quoted are medians, and the ratio that the contract asks for: a list to the
single calls that each commit. The other two show what is left of it where the commits are shared.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.server import CONF, Server
from harness import build, postgres
from harness.cluster import Cluster
from harness.progress import HarnessError, ended, progress

ACCOUNTS = 100_000
SIZES = (100, 1_000, 10_000)
SINGLE = "enqueue, each committed"
TOGETHER = "enqueue, 1,000 in a transaction"
WITHIN = "enqueue, 1,000 in a statement"
RATIO_MIN = 5
SHARED = 1_000

ENQUEUE = """\\set k random(1, 9000000000000)
SELECT sendgate.enqueue('campaign-' || :k % 100, 'prospect-' || :k, 'account-' || :account, 'message');
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
    """Builds, measures, prints; fails below the ratio."""
    options = arguments()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    rates: dict[str, list[float]] = {}
    with Cluster(install, conf=CONF) as cluster:
        progress(f"  loading {options.accounts:,} accounts")
        server = Server(cluster, options.accounts)
        for number in range(1, options.rounds + 1):
            for name, (script, rows) in contenders().items():
                progress(f"  round {number} of {options.rounds}: {name}")
                server.psql("TRUNCATE sendgate.enrollments, sendgate.dispatch_queue")
                server.psql("CHECKPOINT")
                rates.setdefault(name, []).append(server.run(script, options.seconds, clients=1).tps * rows)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in medians.items():
        print(f"{name:36} {rate:>9,.0f} rows/s {rate / medians[SINGLE]:>7.1f} x")
    best = medians[listed(max(SIZES))] / medians[SINGLE]
    if best < RATIO_MIN:
        raise HarnessError(f"enqueue_many of {max(SIZES):,} is {best:.1f} times single calls, not {RATIO_MIN}")
    return 0


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


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help=f"accounts that the work is for ({ACCOUNTS:,})")
    parser.add_argument("--seconds", type=float, default=4, help="length of one run (4)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version (18)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(ended(main))
