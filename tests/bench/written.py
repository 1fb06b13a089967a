"""What a call writes, and how wide the rows are, in an earlier revision and in this one: python3 tests/bench/written.py

The earlier revision is built into a copy of PostgreSQL (earlier.py), and each has a cluster of its own. Bytes are the same
on every machine, however busy it is, and in every profile. Images of whole pages, which depend on when the last checkpoint
was, are off. With --write the tables are put into docs/performance.md.
"""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":  # elsewhere its packages are in the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import batches, compare, contenders, earlier, page
from bench.page import Table
from bench.server import CONF, Server
from harness import build, postgres
from harness.cluster import Cluster
from harness.postgres import Install
from harness.progress import ended, progress

# The last revision whose sources were 0.2.0.
FROZEN = "7b225fd"
# So many that hardly an account fails as often as would stop it.
ACCOUNTS = 40_000
CALLS = 5_000
SLOTS, SIZE = 10_000, 100

RESERVE = (
    contenders.ARGUMENTS
    + """
SELECT operation_id AS op FROM sendgate.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect) \\gset
"""
)
SCRIPTS = {
    "enqueue": contenders.ARGUMENTS
    + "SELECT sendgate.enqueue('campaign', 'prospect-' || :prospect, 'account-' || :account, 'inmail');\n",
    "reserve": RESERVE,
    "confirm": RESERVE + "SELECT sendgate.confirm('account-' || :account, :op::uuid, 'chat-' || :prospect);\n",
    "rollback, released": RESERVE + "SELECT sendgate.rollback('account-' || :account, :op::uuid);\n",
    "rollback, status 503": RESERVE
    + "SELECT sendgate.rollback('account-' || :account, :op::uuid, 'busy', NULL, 503);\n",
}
# These begin with a reserve, which is subtracted.
AFTER_RESERVE = ("confirm", "rollback, released", "rollback, status 503")
DISPATCH = f"dispatch({SIZE}), a slot"
WIDTHS = {
    "accounts": "accounts, in use",
    "send_operations": "send_operations, from reserve and from dispatch",
    "linkedin_events": "linkedin_events",
    "enrollments": "enrollments, handed out or waiting",
}
WIDTH = "SELECT round(avg(pg_column_size(t.*)), 1) FROM sendgate.{table} t"
WAL = "SELECT wal_bytes::bigint, wal_records FROM pg_stat_wal"
NEW = "accounts, new"

# Of one revision: WAL bytes and records of a call, and bytes of a row, by what it is.
Written = dict[str, tuple[float, float]]
Widths = dict[str, float]


def main() -> int:
    """Builds, measures and prints."""
    options = arguments()
    ours = postgres.for_version(options.pg)
    revision = earlier.Revision.named(options.old)
    installs = {"before": earlier.installed(revision, ours), "after": ours}
    build.build_and_install(ours)
    found = {side: measure(side, install) for side, install in installs.items()}
    written, widths = ({side: parts[i] for side, parts in found.items()} for i in (0, 1))
    heads = {"before": f"{version(installs['before'])} ({revision.commit[:7]})", "after": version(ours)}
    tables = [("WAL of a call", wal_table(written, heads)), ("Width of a row", width_table(widths, heads))]
    said = f"Before: {revision}. After: {earlier.present()}. PostgreSQL {ours.version}, `full_page_writes` off."
    print("\n\n".join([said, *(f"{title}\n{page.plain(rows)}" for title, rows in tables)]))
    if options.write:
        parts = [said, *(f"### {title}\n\n{page.markdown(rows)}" for title, rows in tables)]
        page.write(page.PERFORMANCE, page.WRITTEN, "\n\n".join(parts))
    return 0


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--old", metavar="REVISION", default=FROZEN, help=f"the earlier revision (0.2.0: {FROZEN})")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version (18)")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    return parser.parse_args(given)


def measure(side: str, install: Install) -> tuple[Written, Widths]:
    """What every call writes, and the widths of the rows afterwards."""
    with Cluster(install, conf=CONF | {"full_page_writes": "off"}) as cluster:
        progress(f"  {side}: loading {ACCOUNTS:,} accounts")
        server = Server(cluster, ACCOUNTS, compare.SETUP)
        widths = {NEW: float(server.psql(WIDTH.format(table="accounts")))}
        written = {}
        for name, script in SCRIPTS.items():
            progress(f"  {side}: {name}")
            # What a session writes once is not counted, such as the entries of new pages.
            server.run_calls(script, CALLS // 10, clients=1)
            written[name] = spent(server, script, CALLS, CALLS)
        progress(f"  {side}: {DISPATCH}")
        batches.reset(cluster, ACCOUNTS // 10)
        written[DISPATCH] = spent(server, batches.DISPATCH.format(size=SIZE), SLOTS // SIZE, SLOTS)
        server.run_calls(SCRIPTS["confirm"], CALLS, clients=1)
        for table, name in WIDTHS.items():
            widths[name] = float(server.psql(WIDTH.format(table=table)))
    return alone(written), widths


def version(install: Install) -> str:
    """The version that is installed there."""
    control = (install.sharedir / "extension" / f"{build.EXTENSION}.control").read_text()
    return control.split("default_version")[1].split("'")[1]


def spent(server: Server, script: str, calls: int, things: int) -> tuple[float, float]:
    """WAL bytes and records of each of so many things that so many calls do."""
    before = numbers(server)
    server.run_calls(script, calls, clients=1)
    wal, records = (b - a for a, b in zip(before, numbers(server), strict=True))
    return wal / things, records / things


def alone(written: Written) -> Written:
    """The calls that follow a reserve without it."""
    return {
        name: tuple(all_ - of for all_, of in zip(figures, written["reserve"], strict=True))
        if name in AFTER_RESERVE
        else figures
        for name, figures in written.items()
    }


def numbers(server: Server) -> list[int]:
    """WAL bytes and records so far."""
    return [int(text) for text in server.psql(WAL).strip().split("|")]


def wal_table(written: dict[str, Written], heads: dict[str, str]) -> Table:
    """Bytes and records of both revisions, and the ratio of the bytes."""
    kinds = [f"{what}, {heads[side]}" for what in ("bytes", "records") for side in compare.SIDES]
    rows = [["a call", kinds[0], kinds[1], "after / before", kinds[2], kinds[3]]]
    for name, (before, records_before) in written["before"].items():
        after, records_after = written["after"][name]
        figures = f"{before:,.0f}", f"{after:,.0f}", f"{after / before:.3f}"
        rows.append([name, *figures, f"{records_before:.2f}", f"{records_after:.2f}"])
    return rows


def width_table(widths: dict[str, Widths], heads: dict[str, str]) -> Table:
    """Mean bytes of a row in both revisions."""
    rows = [["mean bytes of a row", *heads.values(), "after - before"]]
    for name, before in widths["before"].items():
        after = widths["after"][name]
        rows.append([name, f"{before:,.0f}", f"{after:,.0f}", f"{after - before:+,.0f}"])
    return rows


if __name__ == "__main__":
    sys.exit(ended(main))
