"""What a proxy costs: python3 tests/bench/proxy.py

Four partitions on one server and a proxy on another, both on this machine, and pgbench against the proxy, against the
first partition itself, and against all of them from as many sessions as the proxy has, in turn, by many clients and by
one. The processor time of the two servers is told apart, so that both can be sized. With --write the tables are put into
docs/performance.md.
"""

import argparse
import functools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import earlier, page, processor, server
from harness import build, debian, postgres
from harness.cluster import Cluster
from harness.places import server_dir
from harness.progress import HarnessError, duration, ended, progress

PARTITIONS = 4
PROXY_MAJOR = 15
ACCOUNTS = 20_000
# Pieces of work for the runs of dispatch of one round.
WORK = 160_000
BATCH = 100
# Many clients first; on both sides dispatch finds the same work left.
CLIENTS = (8, 1)
# Calls of each client in a run of dispatch; all runs of a round take far less than the work.
CALLS = {8: 100, 1: 200}
# Two servers share the machine.
CONF = server.CONF | {"shared_buffers": "512MB"}
# The application's login, on both sides.
APPLICATION = "app"
# A random prospect may come twice, and is refused then.
GRANTED_LEAST = 0.999
# What is wanted through a proxy, of what it is without one, with all on the same cores.
WANTED = 0.6
# On paper: servers of two cores, used to the half.
CORES, USED = 2, 0.5
ON_PAPER = (1, 2, 4, 8, 16, 32, 64)

RESERVE, DISPATCH = "reserve", f"dispatch({BATCH})"
# Calls of each client until its sessions on all partitions are open, have read what they need and keep their plans.
CALLS_TO_BEGIN = {RESERVE: 80, DISPATCH: 20}
# How many slots a call takes.
SLOTS = {RESERVE: 1, DISPATCH: BATCH}
SCRIPTS = {
    RESERVE: r"""
\set account random(1, :accounts)
\set prospect random(1, 1000000000)
SELECT * FROM sendgate.reserve('{kind}' || :account, 'inmail', 'prospect-' || :prospect);
""",
    DISPATCH: f"SELECT * FROM sendgate.dispatch({BATCH});",
}
LOAD = """
SELECT count(sendgate.upsert_account('{kind}' || n, 'sales_navigator')) FROM generate_series(1, {accounts}) n;
SELECT sendgate.set_tier_cap('sales_navigator', action, 10000, 10000)
FROM unnest(ARRAY['inmail', 'message']) action;
"""
ENQUEUE = """
SELECT count(*) FROM generate_series(0, {work} / 1000 - 1) batch, LATERAL sendgate.enqueue_many(
    array_fill('k'::text, ARRAY[1000]),
    ARRAY(SELECT 'p{turn}-' || batch || '-' || n FROM generate_series(1, 1000) n),
    ARRAY(SELECT '{kind}' || 1 + (n * 7 + batch * 13) % {accounts} FROM generate_series(1, 1000) n),
    array_fill('message'::text, ARRAY[1000]))
"""
GRANTS = "SELECT count(*) FROM sendgate.send_operations"


DIRECTLY, UNPREPARED, THROUGH = "directly", "directly, not prepared", "through a proxy"
# As a worker calls who needs no proxy: it has a session on each partition.
SPREAD = "directly, a session on each partition"


@dataclass(frozen=True)
class Way:
    """To the accounts: where the calls go, and which accounts are meant."""

    cluster: Cluster
    databases: tuple[str, ...]
    # How their ids begin, and their number.
    kind: str
    accounts: int
    # How pgbench calls: as a driver that prepares statements, or as one that does not.
    mode: str = "prepared"

    def clients_of(self, call: str) -> tuple[int, ...]:
        """Runs with so many clients; some of `reserve` are there to explain it."""
        if self.mode == "prepared" and len(self.databases) == 1:
            return CLIENTS
        if call == DISPATCH:
            return ()
        return CLIENTS if self.mode == "prepared" else CLIENTS[:1]


@dataclass
class Cost:
    """What a run came to: calls a second, and microseconds of processor time for one call."""

    rate: float
    partitions: float
    proxy: float


# By call, clients, and way.
Found = dict[tuple[str, int, str], list[Cost]]


def main() -> int:
    """Builds, loads, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pg", type=int, default=PROXY_MAJOR, help=f"version of the partitions [{PROXY_MAJOR}]")
    parser.add_argument("--seconds", type=float, default=8, help="how long each run of reserve lasts [8]")
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
    load, started = Path("/proc/loadavg").read_text().split()[0], time.monotonic()
    with Cluster(install, conf=CONF) as partitions, Cluster(front, conf=CONF) as proxy:
        found = Bench(partitions, proxy).measure(options.rounds, options.seconds)
    said = (
        f"{os.cpu_count()} cores, PostgreSQL {install.version} with {PARTITIONS} partitions, the proxy on PostgreSQL "
        f"{front.version}, {ACCOUNTS:,} accounts, {options.rounds} rounds, in {duration(time.monotonic() - started)}; load of "
        f"the machine at the start {load}. Revision {earlier.present()}, profile {build.profile_of(install.major)}."
    )
    tables = {
        "Through a proxy": beside(found),
        "Processor time of a call, in microseconds": apart(found),
        "On paper": on_paper(found),
    }
    print("\n\n".join([said, *(f"{title}\n{page.plain(rows)}" for title, rows in tables.items())]))
    if options.write:
        parts = [said, *(f"### {title}\n\n{page.markdown(rows)}" for title, rows in tables.items())]
        page.write(page.PERFORMANCE, page.PROXY, "\n\n".join(parts))
    return 0


class Bench:
    """The servers, loaded."""

    def __init__(self, partitions: Cluster, proxy: Cluster):
        self.partitions, self.proxy = partitions, proxy
        self.names = [f"p{n}" for n in range(PARTITIONS)]
        # How often work was put in.
        self.turn = 0
        # As many accounts for each partition; the proxy knows nothing of those of the direct calls.
        direct = Way(partitions, (self.names[0],), "direct-", ACCOUNTS // PARTITIONS)
        self.ways = {
            DIRECTLY: direct,
            UNPREPARED: replace(direct, mode="extended"),
            THROUGH: Way(proxy, ("app",), "account-", ACCOUNTS),
            # It follows the proxy, whose rate it keeps.
            SPREAD: replace(direct, databases=tuple(self.names)),
        }
        progress(f"  loading {ACCOUNTS:,} accounts")
        partitions.psql(f"CREATE ROLE daemon LOGIN; CREATE ROLE gateway LOGIN; CREATE ROLE {APPLICATION} LOGIN")
        for name in self.names:
            partitions.fresh_database(name, build.EXTENSION)
        partitions.psql(
            f"""GRANT sendgate_daemon TO daemon; GRANT sendgate_sender TO {APPLICATION};
                GRANT sendgate_sender, sendgate_operator, sendgate_daemon TO gateway"""
        )
        proxy.fresh_database("app")
        proxy.psql(self._script(), "app")
        proxy.psql(f"CREATE ROLE {APPLICATION} LOGIN; GRANT sendgate_sender TO {APPLICATION}")
        for way in (self.ways[SPREAD], self.ways[THROUGH]):
            for name in way.databases:
                way.cluster.psql(LOAD.format(kind=way.kind, accounts=way.accounts), name)

    def measure(self, rounds: int, seconds: float) -> Found:
        """All runs, in turn."""
        found: Found = {}
        for number in range(1, rounds + 1):
            for call in (RESERVE, DISPATCH):
                for how, way in self.ways.items():
                    if runs := way.clients_of(call):
                        self._make_ready(call, way)
                    for clients in runs:
                        progress(f"  round {number} of {rounds}: {call}, {how}, clients: {clients}")
                        rate = found[call, clients, THROUGH][-1].rate if how == SPREAD else 0
                        cost = self._run(call, way, clients, seconds, rate)
                        found.setdefault((call, clients, how), []).append(cost)
        return found

    def _make_ready(self, call: str, way: Way) -> None:
        """Work for the runs of dispatch, and for no others: earlier work is taken out. Then nothing is left to be written."""
        if call == DISPATCH:
            for name in self.names:
                self.partitions.psql("TRUNCATE sendgate.enrollments, sendgate.dispatch_queue", name)
            # Those of before are in flight, and are refused.
            self.turn += 1
            enqueue = ENQUEUE.format(kind=way.kind, accounts=way.accounts, work=WORK, turn=self.turn)
            way.cluster.psql(enqueue, way.databases[0])
        for name in self.names:
            self.partitions.psql("VACUUM ANALYZE", name)
        self.partitions.psql("CHECKPOINT")

    def _run(self, call: str, way: Way, clients: int, seconds: float, rate: float) -> Cost:
        """A run of one script, less what its sessions cost to begin with: a proxy has some for each partition. With a rate,
        so many calls a second, of all sessions together."""
        length = ("-T", str(round(seconds))) if call == RESERVE else ("-t", str(CALLS[clients]))
        limit = ("-R", str(rate / len(way.databases))) if rate else ()
        _, begun, to_begin = self._play(call, way, clients, "-t", str(CALLS_TO_BEGIN[call] // len(way.databases)))
        reached, calls, cpu = self._play(call, way, clients, *length, *limit)
        if calls <= begun:
            raise HarnessError(
                f"{calls} calls of {call} are too few: its sessions begin with {begun}. Take more --seconds."
            )
        return Cost(reached, *((all - first) * 1e6 / (calls - begun) for all, first in zip(cpu, to_begin, strict=True)))

    def _play(self, call: str, way: Way, clients: int, *length: str) -> tuple[float, int, tuple[float, float]]:
        """Calls a second, their number, and the seconds of processor time of partitions and proxy. All of the calls are
        granted, or it would measure refusals."""
        before = self._grants()
        script = SCRIPTS[call].replace("{kind}", way.kind)
        said, cpu = self._spent(lambda: pgbench(way, script, clients, *length))
        calls = sum(int(re.search(r"actually processed: (\d+)", one)[1]) for one in said)
        granted, asked = self._grants() - before, calls * SLOTS[call]
        if not asked * GRANTED_LEAST <= granted <= asked:
            raise HarnessError(f"{calls} calls of {call} were granted {granted} slots and not {asked}.")
        return sum(float(re.search(r"tps = ([0-9.]+)", one)[1]) for one in said), calls, cpu

    def _spent(self, work: Callable[[], list[str]]) -> tuple[list[str], tuple[float, float]]:
        """What a client said, and the processor time that the partitions and the proxy took for it."""
        inner = lambda: processor.spent(self.proxy.pid, work)  # noqa: E731
        (said, of_proxy), of_partitions = processor.spent(self.partitions.pid, inner)
        return said, (of_partitions, of_proxy)

    def _grants(self) -> int:
        """Slots that were ever granted, on all partitions."""
        return sum(int(self.partitions.psql(GRANTS, name)) for name in self.names)

    def _script(self) -> str:
        """What makes a database a proxy in front of the partitions."""
        command = [build.build_daemon(), "proxy-sql", "--proxy-user", "gateway"]
        for name in self.names:
            command += ["--database-url", f"postgres://daemon@{self.partitions.host}:{self.partitions.port}/{name}"]
        done = subprocess.run(command, env={}, capture_output=True, text=True)
        if done.returncode != 0:
            raise HarnessError(done.stderr)
        return done.stdout


def pgbench(way: Way, script: str, clients: int, *length: str) -> list[str]:
    """Runs a script as the application, on each of the databases at once with so many sessions; pgbench's reports."""
    with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "script.sql"
        file.write_text(script)
        install = way.cluster.install
        command = [install.program("pgbench"), "-n", "-M", way.mode, "-h", way.cluster.host, "-p", way.cluster.port]
        command += ["-U", APPLICATION, "-D", f"accounts={way.accounts}", "-f", file]
        threads = min(clients, 2) if len(way.databases) == 1 else 1
        command = [*map(str, command), "-c", str(clients), "-j", str(threads), *length]
        begin = functools.partial(
            subprocess.Popen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=install.environment()
        )
        reports = [one.communicate()[0] for one in [begin([*command, name]) for name in way.databases]]
    for report in reports:
        if "failed transactions: 0 " not in report:
            raise HarnessError(f"pgbench failed:\n{report}")
    return reports


def median_of(found: Found, call: str, clients: int, how: str) -> Cost:
    """The medians of all runs."""
    runs = found[call, clients, how]
    return Cost(*(median(getattr(run, what) for run in runs) for what in ("rate", "partitions", "proxy")))


def beside(found: Found) -> page.Table:
    """Calls through a proxy beside direct ones. Processor time judges; prepared calls are what is wanted."""
    rows = [["call", "by processor time", "wanted", "reached", "by the rate", "directly, calls/s", "through a proxy"]]
    for call, clients, how in found:
        if how == THROUGH:
            continue
        direct, through = (median_of(found, call, clients, which) for which in (how, THROUGH))
        ratio = direct.partitions / (through.partitions + through.proxy)
        wanted = [f"{WANTED:.2f}", "yes" if round(ratio, 2) >= WANTED else "no"] if how != UNPREPARED else ["", ""]
        name = f"{call}, {clients} client{'s' if clients > 1 else ''}{how.removeprefix(DIRECTLY)}"
        rates = [f"{through.rate / direct.rate:.2f}", f"{direct.rate:,.0f}", f"{through.rate:,.0f}"]
        # Those keep the proxy's rate.
        rows.append([name, f"{ratio:.2f}", *wanted, *(rates if how != SPREAD else ["", "", rates[-1]])])
    return rows


def apart(found: Found) -> page.Table:
    """Where the processor time goes."""
    ways = (DIRECTLY, UNPREPARED, SPREAD)
    rows = [["call, clients", *ways, "through a proxy: partition", "through a proxy: proxy"]]
    for call in SLOTS:
        for clients in CLIENTS:
            each = {how: median_of(found, *key, how) for *key, how in found if key == [call, clients]}
            through = each[THROUGH]
            direct = [f"{each[how].partitions:,.0f}" if how in each else "" for how in ways]
            rows.append([f"{call}, {clients}", *direct, f"{through.partitions:,.0f}", f"{through.proxy:,.0f}"])
    return rows


def on_paper(found: Found) -> page.Table:
    """What so many servers take, by the formula in docs/performance.md."""
    head = ["partitions, a server each"]
    for what in ("reserve/s", f"slots/s by {DISPATCH}"):
        head += [what, "cores of proxies for it"]
    rows = [head]
    for count in ON_PAPER:
        row = [str(count)]
        for call, size in SLOTS.items():
            cost = median_of(found, call, CLIENTS[0], THROUGH)
            rate = count * CORES * USED * 1e6 / cost.partitions
            row += [f"{rate * size:,.0f}", f"{rate * cost.proxy / 1e6 / USED:,.1f}"]
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(ended(main))
