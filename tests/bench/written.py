"""What a call writes, and how wide the rows are, here and in an earlier revision: python3 tests/bench/written.py

The earlier revision is built from its own sources and measured first, then the sources at hand; the table is
Markdown for docs/performance.md. Bytes are the same on every machine and in every profile, so a busy machine
and PROFILE=quick will do.
"""

import argparse
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import contenders
from bench.server import CONF, Server
from harness import build, postgres
from harness.cluster import Cluster
from harness.places import REPO, RUN
from harness.postgres import Install
from harness.progress import HarnessError, ended, progress

# The last commit whose sources were 0.2.0.
FROZEN = "^release: freeze 0.2.0"
ACCOUNTS = 2_000
CALLS = 5_000

SETUP = """
CREATE EXTENSION sendgate;
SELECT count(sendgate.upsert_account('account-' || n, 'sales_navigator')) FROM generate_series(1, {accounts}) n;
CREATE ROLE app LOGIN;
GRANT sendgate_sender TO app;
"""
ROLLBACK = (
    contenders.ARGUMENTS
    + """
SELECT operation_id AS op FROM sendgate.reserve('account-' || :account, 'invite', 'prospect-' || :prospect) \\gset
SELECT sendgate.rollback('account-' || :account, :op::uuid, 'busy', NULL, 503);
"""
)
SCRIPTS = {
    "`reserve`": contenders.RESERVE,
    "`reserve` + `confirm`": contenders.RESERVE_CONFIRM,
    "`reserve` + `rollback`": ROLLBACK,
}
# In the order in which they are taken: before any call, and after all of them.
WIDTH = "SELECT round(avg(pg_column_size(t.*))) FROM sendgate.{table} t"
WAL = "SELECT wal_bytes::bigint, wal_records FROM pg_stat_wal"


class Plain(Server):
    """Accounts and a login, and none of the contenders, whose tables follow the present columns."""

    def __init__(self, cluster: Cluster):
        self.cluster, self.accounts = cluster, ACCOUNTS
        cluster.psql(SETUP.format(accounts=ACCOUNTS))
        cluster.psql("VACUUM ANALYZE")


def main() -> int:
    """Builds, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--old", metavar="REVISION", help="the earlier revision [the last one of 0.2.0]")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version [18]")
    options = parser.parse_args()
    install = postgres.for_version(options.pg)
    old = _git("rev-parse", options.old or f"{_git('log', '-1', '--format=%H', f'--grep={FROZEN}')}^")
    columns = {}
    with sources_of(old, install) as directory:
        columns[f"{_version(directory)} ({old[:7]})"] = measure(install)
    build.build_and_install(install)
    columns[f"{build.default_version()} at hand"] = measure(install)
    print("\n" + table(columns))
    return 0


@contextmanager
def sources_of(revision: str, install: Install):
    """Builds and installs a revision from a copy of its sources; yields their directory."""
    directory = RUN / "revisions" / revision[:12]
    if not directory.exists():
        directory.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", revision], cwd=REPO, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
    target = build.target_dir(install)  # what the two have in common is built once
    control = directory / "extension" / f"{build.EXTENSION}.control"
    with mock.patch.multiple(build, REPO=directory, CONTROL=control, target_dir=lambda _install: target):
        build.build_and_install(install)
    yield directory


def measure(install: Install) -> dict[str, str]:
    """A line for each figure."""
    found = {}
    with Cluster(install, conf=CONF) as cluster:
        server = Plain(cluster)
        found["`accounts`, a new row, bytes"] = server.psql(WIDTH.format(table="accounts")).strip()
        for name, script in SCRIPTS.items():
            progress(f"  {name}")
            server.psql("CHECKPOINT")
            server.pgbench(script, "-c", "1", "-t", str(CALLS))  # with the images of all pages
            before = _numbers(server)
            server.pgbench(script, "-c", "1", "-t", str(CALLS))
            wal, records = ((b - a) / CALLS for a, b in zip(before, _numbers(server), strict=True))
            found[f"{name}: WAL bytes"], found[f"{name}: WAL records"] = f"{wal:,.0f}", f"{records:.2f}"
        for name in ("accounts", "send_operations", "linkedin_events"):
            found[f"`{name}`, a row in use, bytes"] = server.psql(WIDTH.format(table=name)).strip()
    return found


def table(columns: dict[str, dict[str, str]]) -> str:
    """Markdown."""
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    names = list(next(iter(columns.values())))
    lines += [f"| {name} | " + " | ".join(found[name] for found in columns.values()) + " |" for name in names]
    return "\n".join(lines)


def _numbers(server: Server) -> list[int]:
    return [int(text) for text in server.psql(WAL).strip().split("|")]


def _version(directory: Path) -> str:
    control = (directory / "extension" / f"{build.EXTENSION}.control").read_text()
    return control.split("default_version")[1].split("'")[1]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPO, capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout.strip():
        raise HarnessError(f"git {' '.join(arguments)}: {done.stderr.strip() or 'nothing found'}. Name one with --old.")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(ended(main))
