"""The figures of the books, for docs/operations.md and docs/performance.md: python3 tests/bench/books

One throwaway cluster. Times of the sweeps by active accounts, reserve beside the sweeps and across
midnight, reserve against two writes by hand by size, what the sweeps read, and the daemon's memory. After each step the
books are checked: every planted fault was found, and nothing else was changed.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from bench import earlier, page, results, wanted
from bench.books import beside, data, growth, memory, midnight, plans, server, sweeps
from harness import build, postgres
from harness.cluster import Cluster
from harness.progress import duration, ended, progress

STEPS = ("growth", "sweeps", "plans", "beside", "midnight", "memory")
# They work on the same accounts, part of them active.
ON_BOOKS = {"sweeps", "plans", "beside", "midnight"}
HEAD = [*wanted.HEAD[:-1], "by the rate, or as it is"]
QUICK = {"accounts": 50_000, "active": 5_000, "rounds": 2, "seconds": 2, "minute": 10, "midnights": 1}
FULL = {"accounts": 1_000_000, "active": 100_000, "rounds": 5, "seconds": 6, "minute": 60, "midnights": 2}


def main() -> int:
    """Builds, measures, prints and writes."""
    options = arguments()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    build.build_daemon()
    started = time.monotonic()
    with Cluster(install, conf=server.CONF) as cluster:
        on = server.Server(cluster)
        taken_on = machine(on, options)
        found = results.kept(taken_on, results.BOOKS)
        Figures(on, options, found).take()
    took = duration(time.monotonic() - started)
    taken_on["facts"] += f" {', '.join(options.only or ['All'])} taken in {took}."
    found["machines"] |= dict.fromkeys(options.only or STEPS, taken_on)
    results.keep(found, results.BOOKS)
    measured = [found[step] for step in STEPS if step in found]
    told = results.told({step: found["machines"][step]["facts"] for step in STEPS if step in found})
    promised = [HEAD, *(row for part in measured for row in part["wanted"])]
    print(f"\n{told}\n\nWhat is wanted\n{page.plain(promised)}\n")
    if options.write:
        page.write(
            page.OPERATIONS, page.BOOKS, "\n\n".join([told, *(text for part in measured for text in part["texts"])])
        )
        summary = f"{told}\n\n{page.markdown(promised)}"
        page.write(page.PERFORMANCE, page.AT_SIZE, summary)
        progress(f"written into {page.OPERATIONS} and {page.PERFORMANCE}")
    return 0


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line; what it leaves open depends on --quick."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, some minutes; tries the command out")
    helps = {
        "accounts": "accounts",
        "active": "accounts that send today; must divide --accounts",
        "rounds": "rounds of each comparison",
        "seconds": "length of one run of one contender",
        "minute": "length of the minute of midnight",
        "midnights": "how many midnights",
    }
    for name, text in helps.items():
        parser.add_argument(f"--{name}", type=int, help=f"{text} [{FULL[name]:,}; {QUICK[name]:,} with --quick]")
    parser.add_argument("--only", choices=STEPS, action="append", help="only this step; may be given again")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version")
    parser.add_argument(
        "--write",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write both pages, with the other steps as they were measured last [only after a whole run in full size]",
    )
    options = parser.parse_args(given)
    whole = not options.only and not options.quick
    options.write = whole if options.write is None else options.write
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.accounts % 100 or options.accounts < 10_000:
        parser.error("--accounts must be a multiple of 100, and at least 10,000")
    if options.active < 1_000 or options.accounts % options.active or options.active % 10:
        parser.error("--active must divide --accounts, be a multiple of 10, and be at least 1,000")
    return options


class Figures:
    """The steps in an order in which none disturbs the next."""

    def __init__(self, on: server.Server, options: argparse.Namespace, found: dict):
        self.on = on
        self.options = options
        self.steps = set(options.only or STEPS)
        # By step: its tables with their notes, as Markdown, and its rows of what is wanted.
        self.found = found
        found |= {step: {"texts": [], "wanted": []} for step in self.steps}

    def take(self) -> None:
        """Every figure."""
        self.on.set_clock(server.NOON)
        if self.steps != {"memory"}:
            self.load()
        if ON_BOOKS & self.steps:
            self.books()
        if "midnight" in self.steps:
            self.midnight()
        if "memory" in self.steps:
            self.on.cluster.fresh_database("memory", "sendgate")
            self.on.db = "memory"
            self.add("memory", "Memory of the daemon", memory.measure(self.on))

    def load(self) -> None:
        """The databases, and what needs all of them; the largest is in use from then on."""
        accounts, growing = self.options.accounts, "growth" in self.steps
        sizes = {size: f"of_{size}" for size in sorted({accounts // 100, accounts // 10, accounts})}
        for size, db in sizes.items():
            if growing or size == accounts:
                data.load(self.on, db, size)
        if growing and ON_BOOKS & self.steps:
            progress("  copying the largest")
            self.on.db = "postgres"
            self.on.sql(f"CREATE DATABASE books TEMPLATE {sizes[accounts]} STRATEGY file_copy")
        if growing:
            self.growth(sizes)
        self.on.db = "books" if growing else sizes[accounts]

    def growth(self, sizes: dict[int, str]) -> None:
        """Then the databases are in the way."""
        for db in sizes.values():
            growth.prepare(self.on, db)
        self.add(
            "growth", "`reserve` by size", growth.measure(self.on, sizes, self.options.rounds, self.options.seconds)
        )
        self.on.db = "postgres"
        for db in sizes.values():
            self.on.sql(f"DROP DATABASE {db}")

    def books(self) -> None:
        """By active accounts, the plans, with drift, beside reserves, and then what a night brings."""
        options, sweeping = self.options, "sweeps" in self.steps
        if sweeping:
            levels = sorted({options.active // 10, options.active // 2, options.active})
            self.add("sweeps", "Layers 1 and 2 by active accounts", sweeps.layers(self.on, options.accounts, levels))
        elif self.steps & {"plans", "beside"}:
            data.activate(self.on, options.accounts, options.active, 0)
        if "plans" in self.steps:
            self.add("plans", "What layers 1 and 2 read", plans.measure(self.on, options.active))
        if sweeping:
            by_day, checked = sweeps.drift(self.on, options.active)
        if "beside" in self.steps:
            self.add(
                "beside",
                "`reserve` beside the sweeps",
                beside.measure(self.on, options.accounts, options.active, options.rounds, options.seconds),
            )
        if sweeping:
            by_night = [sweeps.midnight(self.on, options.accounts, options.active), sweeps.prune(self.on)]
            told = [*by_day, *(sweep for sweep, _ in by_night)], [checked, *(note for _, note in by_night)]
            self.add("sweeps", "Each sweep", sweeps.each(*told))

    def midnight(self) -> None:
        """Needs every account, so it comes last."""
        options = self.options
        self.add(
            "midnight",
            "`reserve` across midnight",
            midnight.measure(self.on, options.accounts, options.midnights, options.minute),
        )

    def add(self, step: str, title: str, part: tuple) -> None:
        """Shows a part at once, and keeps it, and what it says about what is wanted, for the end."""
        table, notes, *promised = part
        lines = "\n".join(f"- {note[0].upper()}{note[1:]}." for note in notes)
        text = f"### {title}\n\n{table}\n\n{lines}"
        self.found[step]["texts"].append(text)
        self.found[step]["wanted"] += promised[0] if promised else []
        print(f"\n{text}\n", flush=True)


def machine(on: server.Server, options: argparse.Namespace) -> dict:
    """What the numbers were taken on and with."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    shown = {key: value for key, value in server.CONF.items() if not key.startswith("sendgate")}
    settings = ", ".join(f"`{key}` {value}" for key, value in shown.items())
    facts = (
        f"{cores} cores, {model[1] if model else 'unknown processor'}; PostgreSQL {on.cluster.install.version}; "
        f"{options.accounts:,} accounts, {options.active:,} of them active; {data.HISTORY} earlier operations "
        f"each; {server.CLIENTS} clients, prepared statements; {options.rounds} rounds of {options.seconds} s; "
        f"`fsync` and `synchronous_commit` on, {settings}. Ratios hold elsewhere, the rest is the machine's. "
        f"Revision {earlier.present()}, profile {earlier.profile()}."
    )
    return {
        "facts": facts,
        "sources": earlier.sources(),
        "profile": earlier.profile(),
        "quick": options.quick,
        "postgresql": str(on.cluster.install.version),
        "accounts": options.accounts,
    }


if __name__ == "__main__":
    sys.exit(ended(main))
