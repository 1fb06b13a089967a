"""What a proxy costs: python3 tests/bench/proxy.py

Four partitions on one server and a proxy on another, both on this machine, and pgbench against the proxy and against the
partitions themselves. The processor time of the two servers is told apart, so that both can be sized. With --write the
tables are put into docs/performance.md.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import page
from harness import build, debian, postgres
from harness.cluster import Cluster
from harness.places import server_dir
from harness.progress import HarnessError, ended, progress

PARTITIONS = 4
PROXY_MAJOR = 15
ACCOUNTS = 20_000
WORK = 200_000
CLIENTS = 8
BATCH = 100
CONF = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "max_connections": 100}
ENDING_SECONDS_MAX = 10
# What is wanted through a proxy, of the rate without one and with all on the same cores.
WANTED = 0.6
# On paper: servers of two cores, used to the half.
CORES, USED = 2, 0.5
ON_PAPER = (1, 2, 4, 8, 16, 32, 64)

RESERVE = r"""
\set account random(1, :accounts)
\set prospect random(1, 1000000000)
SELECT * FROM sendgate.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect);
"""
# Of one partition's accounts, which are numbered from 1.
RESERVE_DIRECTLY = RESERVE.replace("'account-'", "'direct-'")
DISPATCH = f"SELECT count(*) FROM sendgate.dispatch({BATCH});"
LOAD = """
SELECT count(sendgate.upsert_account('{kind}-' || n, 'sales_navigator')) FROM generate_series(1, {accounts}) n;
SELECT sendgate.set_tier_cap('sales_navigator', action, 10000, 10000)
FROM unnest(ARRAY['inmail', 'message']) action;
"""
ENQUEUE = """
SELECT count(*) FROM generate_series(0, {work} / 1000 - 1) batch, LATERAL sendgate.enqueue_many(
    array_fill('k'::text, ARRAY[1000]),
    ARRAY(SELECT 'p' || batch || '-' || n FROM generate_series(1, 1000) n),
    ARRAY(SELECT '{kind}-' || 1 + (n * 7 + batch * 13) % {accounts} FROM generate_series(1, 1000) n),
    array_fill('message'::text, ARRAY[1000]))
"""


@dataclass
class Cost:
    """What a run came to: calls a second, and microseconds of processor time for one call."""

    rate: float
    partitions: float
    proxy: float


def main() -> int:
    """Builds, loads, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pg", type=int, default=PROXY_MAJOR, help=f"version of the partitions [{PROXY_MAJOR}]")
    parser.add_argument("--seconds", type=float, default=15, help="how long each run of reserve lasts [15]")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, in turn [5]")
    parser.add_argument("--quick", action="store_true", help="one short run of each, which shows that all of it works")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write needs a run in full length")
    if options.quick:
        options.seconds, options.rounds = 2, 1
    install, front = postgres.for_version(options.pg), postgres.for_version(PROXY_MAJOR)
    build.build_and_install(install)
    debian.plproxy(front)
    with Cluster(install, conf=CONF) as partitions, Cluster(front, conf=CONF) as proxy:
        prepare(partitions, proxy)
        found: dict[str, list[Cost]] = {}
        for _ in range(options.rounds):
            for name, cluster, database, script in (
                ("reserve, directly", partitions, "p0", RESERVE_DIRECTLY),
                ("reserve, through a proxy", proxy, "app", RESERVE),
                (f"dispatch({BATCH}), directly", partitions, "p0", DISPATCH),
                (f"dispatch({BATCH}), through a proxy", proxy, "app", DISPATCH),
            ):
                enqueue(partitions, proxy, name)
                progress(f"  {name}")
                found.setdefault(name, []).append(run(partitions, proxy, cluster, database, script, options.seconds))
    tables = [("Through a proxy", measured(found)), ("On paper", on_paper(found))]
    said = (
        f"PostgreSQL {install.version} with sendgate built as {build.profile_of(install.major)}, {PARTITIONS} partitions on one "
        f"server; the proxy on PostgreSQL {front.version}; {CLIENTS} clients, {ACCOUNTS:,} accounts, all on the same machine."
    )
    print("\n\n".join([said, *(f"{title}\n{page.plain(rows)}" for title, rows in tables)]))
    if options.write:
        parts = [said, *(f"### {title}\n\n{page.markdown(rows)}" for title, rows in tables)]
        page.write(page.PERFORMANCE, page.PROXY, "\n\n".join(parts))
    return 0


def prepare(partitions: Cluster, proxy: Cluster) -> None:
    """Partitions, a proxy, accounts behind it, and others that only the first partition knows."""
    partitions.psql("CREATE ROLE daemon LOGIN; CREATE ROLE gateway LOGIN")
    for n in range(PARTITIONS):
        partitions.fresh_database(f"p{n}", build.EXTENSION)
    partitions.psql(
        "GRANT sendgate_daemon TO daemon; GRANT sendgate_sender, sendgate_operator, sendgate_daemon TO gateway"
    )
    command = [build.build_daemon(), "proxy-sql", "--proxy-user", "gateway"]
    for n in range(PARTITIONS):
        command += ["--database-url", f"postgres://daemon@{partitions.host}:{partitions.port}/p{n}"]
    done = subprocess.run(command, env={}, capture_output=True, text=True)
    if done.returncode != 0:
        raise HarnessError(done.stderr)
    proxy.fresh_database("app")
    proxy.psql(done.stdout, "app")
    proxy.psql(LOAD.format(kind="account", accounts=ACCOUNTS), "app")
    partitions.psql(LOAD.format(kind="direct", accounts=ACCOUNTS // PARTITIONS), "p0")


def enqueue(partitions: Cluster, proxy: Cluster, name: str) -> None:
    """Work for a run of dispatch, and for no other: earlier work is taken out."""
    if not name.startswith("dispatch"):
        return
    for n in range(PARTITIONS):
        partitions.psql("TRUNCATE sendgate.enrollments, sendgate.dispatch_queue", f"p{n}")
    if "directly" in name:
        partitions.psql(ENQUEUE.format(kind="direct", accounts=ACCOUNTS // PARTITIONS, work=WORK), "p0")
    else:
        proxy.psql(ENQUEUE.format(kind="account", accounts=ACCOUNTS, work=WORK), "app")
    for n in range(PARTITIONS):
        partitions.psql("VACUUM ANALYZE", f"p{n}")


def run(partitions: Cluster, proxy: Cluster, cluster: Cluster, database: str, script: str, seconds: float) -> Cost:
    """pgbench for a while; for dispatch at most as many calls as there is work."""
    how = ["-t", str(WORK // BATCH // CLIENTS // 2)] if script == DISPATCH else ["-T", str(round(seconds))]
    before, processes = (spent(partitions), spent(proxy)), (children(partitions), children(proxy))
    with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "script.sql"
        file.write_text(script)
        accounts = ACCOUNTS if cluster is proxy else ACCOUNTS // PARTITIONS
        command = [cluster.install.program("pgbench"), "-n", "-M", "prepared", "-h", cluster.host]
        command += ["-p", str(cluster.port), "-U", "postgres", "-D", f"accounts={accounts}", "-f", file]
        command += ["-c", str(CLIENTS), "-j", "2", *how, database]
        done = subprocess.run(command, capture_output=True, text=True, env=cluster.install.environment())
    if done.returncode != 0 or "failed transactions: 0 " not in done.stdout:
        raise HarnessError(f"pgbench failed:\n{done.stdout}{done.stderr}")
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    # The time of a backend counts once it has ended.
    while (children(partitions) > processes[0] or children(proxy) > processes[1]) and time.monotonic() < deadline:
        time.sleep(0.01)
    calls = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
    if script == DISPATCH and (handed := handed_out(partitions)) != calls * BATCH:
        raise HarnessError(f"{calls} calls of dispatch({BATCH}) handed out {handed} pieces of work.")
    rate = float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])
    each = [(now - then) * 1e6 / calls for now, then in zip((spent(partitions), spent(proxy)), before, strict=True)]
    return Cost(rate, *each)


def handed_out(partitions: Cluster) -> int:
    """Pieces of work that are handed out now, on all partitions."""
    query = "SELECT count(*) FROM sendgate.enrollments WHERE state = 'sending'"
    return sum(int(partitions.psql(query, f"p{n}")) for n in range(PARTITIONS))


def spent(cluster: Cluster) -> float:
    """Seconds of processor time of all backends that have ended."""
    fields = Path(f"/proc/{cluster.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def children(cluster: Cluster) -> int:
    """How many processes the server has."""
    return len(Path(f"/proc/{cluster.pid}/task/{cluster.pid}/children").read_text().split())


def costs_of(found: dict[str, list[Cost]], name: str) -> Cost:
    """The medians."""
    return Cost(*(median(getattr(cost, what) for cost in found[name]) for what in ("rate", "partitions", "proxy")))


def measured(found: dict[str, list[Cost]]) -> page.Table:
    """The medians of all runs, a row for each call."""
    rows = [["call", "calls/s", "of direct", "wanted", "partition, processor µs a call", "proxy, processor µs a call"]]
    direct = 1.0
    for name in found:
        cost = costs_of(found, name)
        is_direct = "directly" in name
        direct = cost.rate if is_direct else direct
        ratio, wanted = ("", "") if is_direct else (f"{cost.rate / direct:.2f}", f"{WANTED}")
        rows.append([name, f"{cost.rate:,.0f}", ratio, wanted, f"{cost.partitions:,.0f}", f"{cost.proxy:,.0f}"])
    return rows


def on_paper(found: dict[str, list[Cost]]) -> page.Table:
    """What so many servers take, by the formula in docs/performance.md."""
    rows = [
        [
            "partitions, a server each",
            "reserve/s",
            "cores of proxies for it",
            "slots/s by dispatch(100)",
            "cores of proxies for it",
        ]
    ]
    for count in ON_PAPER:
        row = [str(count)]
        for call, size in (("reserve", 1), (f"dispatch({BATCH})", BATCH)):
            cost = costs_of(found, f"{call}, through a proxy")
            rate = count * CORES * USED * 1e6 / cost.partitions
            row += [f"{rate * size:,.0f}", f"{rate * cost.proxy / 1e6 / USED:,.1f}"]
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(ended(main))
