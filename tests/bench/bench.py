"""`make bench`: what the gate costs, next to the same writes by hand.

    python3 tests/bench/bench.py [--accounts N] [--seconds S] [--rounds R] [--pg 18] [--calls N] [--only-batches]

Every contender runs in the same throwaway cluster, in turn, several rounds; quoted are medians and
their ratios, because absolute numbers are the machine's. Durability is on (fsync, synchronous
commit), statements are prepared, caches are warm, a checkpoint precedes each round.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import batches, contenders
from harness import build, postgres
from harness.cluster import Cluster
from harness.console import HarnessError, progress
from harness.places import server_dir

CLIENTS = 8
CONF = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "max_connections": 50,
}


def main() -> int:
    """Builds, measures and prints."""
    options = arguments()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    with Cluster(install, conf=CONF) as cluster:
        progress(f"  loading {options.accounts:,} accounts")
        cluster.psql(contenders.SETUP.format(accounts=options.accounts), "postgres")
        cluster.psql("VACUUM ANALYZE", "postgres")
        show_machine(cluster, options)
        bench = Bench(cluster, options)
        bench.batches()
        if not options.only_batches:
            bench.throughput()
            bench.causes()
            bench.statements()
            bench.memory()
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts to spread the load over")
    parser.add_argument("--seconds", type=int, default=8, help="length of one run of one contender")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version")
    parser.add_argument("--only-batches", action="store_true", help="measure dispatch and nothing else")
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls for the memory figures")
    return parser.parse_args()


def show_machine(cluster: Cluster, options: argparse.Namespace) -> None:
    """What the numbers were taken on and with."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    settings = ", ".join(f"{key} = {value}" for key, value in CONF.items())
    print(f"\n{cores} cores, {model[1] if model else 'unknown processor'}; "
          f"PostgreSQL {cluster.install.version}; {CLIENTS} clients; {options.accounts:,} accounts; "
          f"{options.rounds} rounds of {options.seconds} s")
    print(f"fsync = on, synchronous_commit = on, {settings}\n")


class Bench:
    """The measurements on one loaded cluster."""

    def __init__(self, cluster: Cluster, options: argparse.Namespace):
        self.cluster = cluster
        self.options = options

    def pgbench(self, script: str, *extra: str) -> str:
        """Runs a script; pgbench's report."""
        with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
            Path(folder).chmod(0o755)
            file = Path(folder) / "script.sql"
            file.write_text(script)
            command = [self.cluster.install.program("pgbench"), "-n", "-M", "prepared", "-f", file,
                       "-h", self.cluster.host, "-p", str(self.cluster.port), "-U", "postgres",
                       "-D", f"accounts={self.options.accounts}", *extra, "postgres"]
            environment = self.cluster.install.environment()
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0 or "failed transactions: 0 " not in done.stdout:
            raise HarnessError(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def tps(self, script: str, seconds: int) -> float:
        """Transactions a second with all clients."""
        report = self.pgbench(script, "-c", str(CLIENTS), "-j", "2", "-T", str(seconds))
        return float(re.search(r"tps = ([0-9.]+)", report)[1])

    def batches(self) -> None:
        """Slots a second of dispatch by slots a call, single reserves in the same rounds."""
        runs = {"reserve, single calls": (contenders.RESERVE, None)}
        for size in batches.SIZES:
            runs[f"dispatch({size})"] = (batches.DISPATCH.format(size=size), size)
        for size in batches.SIZES[1:]:
            runs[f"dispatch({size}) + confirm_many"] = (batches.CONFIRM.format(size=size), size)
        figures = {name: [] for name in runs}
        rounds = min(self.options.rounds, 3)
        for number in range(1, rounds + 1):
            for name, (script, _) in runs.items():
                progress(f"  round {number} of {rounds}: {name}")
                batches.reset(self.cluster, self.options.accounts)
                seconds = min(self.options.seconds, 4)
                self.pgbench(script, "-c", str(CLIENTS), "-j", "2", "-T", "1")
                before = batches.handed(self.cluster)
                self.pgbench(script, "-c", str(CLIENTS), "-j", "2", "-T", str(seconds))
                figures[name].append((batches.handed(self.cluster) - before) / seconds)
        single = statistics.median(figures["reserve, single calls"])
        print(f"{'slots a second':32} {'median':>9} {'min':>9} {'max':>9}  ratio")
        for name, taken in figures.items():
            median = statistics.median(taken)
            print(f"{name:32} {median:9,.0f} {min(taken):9,.0f} {max(taken):9,.0f}  {median / single:.2f}")
        print()

    def throughput(self) -> None:
        """Contenders in turn, round after round; the medians and their ratios."""
        figures = {name: [] for name in contenders.SCRIPTS}
        for name, script in contenders.SCRIPTS.items():
            progress(f"  warming up: {name}")
            self.tps(script, 2)
        for number in range(1, self.options.rounds + 1):
            self.cluster.psql("CHECKPOINT", "postgres")
            for name, script in contenders.SCRIPTS.items():
                progress(f"  round {number} of {self.options.rounds}: {name}")
                figures[name].append(self.tps(script, self.options.seconds))
        print(f"{'contender':24} {'median/s':>9} {'min':>9} {'max':>9}  ratio (wanted)")
        for name, *rest in [*((row[0], row[2], row[3]) for row in contenders.ROWS),
                            *((name,) for name in contenders.BASELINES)]:
            runs = figures[name]
            median = statistics.median(runs)
            line = f"{name:24} {median:9,.0f} {min(runs):9,.0f} {max(runs):9,.0f}"
            if rest:
                against, wanted = rest
                ratio = median / statistics.median(figures[against])
                line += f"  {ratio:.2f} of {against} ({wanted:.2f})"
            print(line)

    def causes(self) -> None:
        """What one call writes: WAL, and updates that stay within their page."""
        print(f"\n{'per call':24} {'WAL bytes':>9} {'WAL records':>11} {'HOT updates':>11}")
        calls = 5_000
        for name in ("reserve", "two writes by hand"):
            schema = "byhand" if "hand" in name else "sendgate"
            self.cluster.psql("CHECKPOINT", "postgres")
            self.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))  # full-page images
            before = self.counters(schema)
            self.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))
            after = self.counters(schema)
            wal, records, updates, hot = (b - a for a, b in zip(before, after))
            print(f"{name:24} {wal / calls:9.0f} {records / calls:11.2f} {hot / max(updates, 1):11.1%}")

    def statements(self) -> None:
        """How many statements one call runs inside, and how often each."""
        self.cluster.configure(shared_preload_libraries="pg_stat_statements", pg_stat_statements__track="all")
        self.cluster.restart()
        self.cluster.psql("CREATE EXTENSION pg_stat_statements", "postgres")
        calls = 1_000
        print(f"\n{'statements per call':24}")
        for name in ("reserve", "reserve + confirm", "preview", "breaker_check, closed"):
            self.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", "10")  # compile the configuration
            self.cluster.psql("SELECT pg_stat_statements_reset()", "postgres")
            self.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))
            rows = self.cluster.psql(STATEMENTS.format(calls=calls), "postgres").splitlines()
            inner = [row.split("|") for row in rows]
            print(f"{name:24} {sum(float(count) for _, count in inner):4.1f}  "
                  + ", ".join(f"{kind.lower()} {float(count):.1f}" for kind, count in inner))

    def counters(self, schema: str) -> list[int]:
        """WAL bytes, WAL records, updates and HOT updates of the accounts so far."""
        # Statistics are shared when the backend that made them ends; all of pgbench's have.
        sql = f"""SELECT wal_bytes::bigint, wal_records, n_tup_upd, n_tup_hot_upd
                  FROM pg_stat_wal, pg_stat_user_tables
                  WHERE schemaname = '{schema}' AND relname = 'accounts'"""
        return [int(text) for text in self.cluster.psql(sql, "postgres").strip().split("|")]

    def memory(self) -> None:
        """Memory contexts of one backend before and after many calls in it."""
        print(f"\n{'backend memory':24} {'first':>12} {'last':>12}  over {self.options.calls:,} calls")
        for name in ("preview", "breaker_check", "reserve and confirm"):
            progress(f"  {self.options.calls:,} calls of {name} in one backend")
            lines = self.cluster.psql(MEMORY[name].format(calls=self.options.calls), "postgres")
            first, last = (int(n) for n in re.findall(r"bytes (\d+)", lines))
            print(f"{name:24} {first:12,} {last:12,}")


# Statements that the functions run, once a call or more; what compiles the configuration is seldom.
STATEMENTS = """
SELECT split_part(ltrim(query), ' ', 1), round(sum(calls) / {calls}.0, 1)
FROM pg_stat_statements
WHERE NOT toplevel AND calls >= {calls}
GROUP BY 1 ORDER BY 1 DESC
"""

USED = "SELECT 'bytes ' || sum(used_bytes) FROM pg_backend_memory_contexts;"


def many(call: str) -> str:
    """Calls in one backend, a transaction each thousand, with the memory in use around them."""
    return f"""
DO $$ BEGIN FOR i IN 1..2000 LOOP {call} END LOOP; END $$;
{USED}
DO $$ BEGIN FOR i IN 1..{{calls}} LOOP {call} IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$;
{USED}
"""


MEMORY = {
    "preview": many("PERFORM sendgate.preview('account-' || (1 + i % 50000), 'inmail', 'p');"),
    "breaker_check": many("PERFORM sendgate.breaker_check('account-' || (1 + i % 50000), 'p');"),
    "reserve and confirm": many(
        "PERFORM sendgate.confirm(d.account, (sendgate.reserve(d.account, 'message', 'm' || i || random())).operation_id,"
        " 'chat') FROM (SELECT 'account-' || (50001 + i % 50000) AS account) d"
        " WHERE (sendgate.preview(d.account, 'message')).proceed;"
    ),
}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
