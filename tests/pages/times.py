"""`make page-times`: how long the server takes for each page of the console.

    python3 tests/pages/times.py [--accounts N] [--operations N] [--rounds R]

The time is what the answer's Server-Timing says: from the request to the last byte of the page, with the
database on the same machine. Prints the table of docs/console.md, and how long all of it took.
"""

import argparse
import re
import statistics
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness.progress import HarnessError, progress
from pages import world
from pages.stage import JOURNALLED_MAX, Stage

PAGES = (
    ("accounts, problems first", "/"),
    ("accounts, by id", "/?after=acc-{middle}"),
    ("accounts, search anywhere", "/?q=CC-{middle}"),
    ("filter: credits exhausted", "/?filter=exhausted&after=acc-{middle}"),
    ("filter: cooling down", "/?filter=cooling&after=acc-{middle}"),
    ("filter: failing", "/?filter=failing"),
    ("filter: cap reached", "/?filter=cap-reached"),
    ("filter: drifting", "/?filter=drifting&after=acc-000100"),
    ("filter: not connected", "/?filter=not-connected&after=acc-{middle}"),
    ("one account", "/account?id=acc-000003"),
    ("campaigns", "/campaigns"),
    ("one campaign", "/campaign?id=spring-1"),
    ("one prospect", "/prospect?id=p-inmail-1"),
    ("campaign events", "/events"),
    ("campaign events of one campaign", "/events?campaign=spring-1"),
    ("alerts", "/alerts"),
    ("unknown outcomes", "/unknown"),
    ("who did what", "/log"),
    ("heartbeats", "/heartbeats"),
    ("asking before an act", "/act?do=clear&id=acc-000003"),
)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument(
        "--operations", type=int, default=10_000_000, help="attempts of the days before, of all accounts"
    )
    parser.add_argument("--rounds", type=int, default=50, help="requests of each page, in turn")
    options = parser.parse_args()
    began = time.monotonic()

    def fill(psql, accounts: int) -> None:
        if options.operations:
            world.live(psql, accounts, options.operations, lambda done: progress(f"  {done:,} operations"))
        world.load(psql, accounts, min(accounts, JOURNALLED_MAX))

    with Stage(options.accounts, fill) as stage:
        times: dict[str, list[float]] = {name: [] for name, _ in PAGES}
        for number in range(options.rounds + 1):
            for name, page in PAGES:
                taken = milliseconds(stage, page.format(middle=f"{options.accounts // 2:06}"))
                if number:  # the first round warms up
                    times[name].append(taken)
    of = f"{options.accounts:,} accounts, {options.operations:,} operations"
    print(f"\n| page, {of} | median ms | worst ms of {options.rounds} |\n| --- | ---: | ---: |")
    for name, taken in times.items():
        print(f"| {name} | {statistics.median(taken):.1f} | {max(taken):.1f} |")
    print(f"\nIt took {(time.monotonic() - began) / 60:.1f} min.")
    return 0


def milliseconds(stage: Stage, page: str) -> float:
    """The time of one request."""
    status, headers = stage.get(page)
    found = re.search(r"dur=([\d.]+)", headers.get("server-timing", ""))
    if status != 200 or not found:
        raise HarnessError(f"{page} answered {status}")
    return float(found[1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
