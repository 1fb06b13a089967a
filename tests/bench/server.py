"""One loaded cluster, and pgbench against it."""

import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cluster import Cluster
from harness.places import server_dir
from harness.progress import HarnessError

from . import contenders, plpgsql, processor

CLIENTS = 8
CONF = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "max_connections": 100,
}


@dataclass
class Cost:
    """What a run of one script came to."""

    # Transactions that were done.
    calls: int
    # Transactions a second.
    rate: float
    # Microseconds of processor time of the server's processes for one transaction.
    cpu: float


class Server:
    """The cluster with its accounts."""

    def __init__(self, cluster: Cluster, accounts: int, setup: str = contenders.SETUP + plpgsql.SETUP):
        self.cluster, self.accounts, self.db = cluster, accounts, "postgres"
        cluster.psql(setup.replace("{accounts}", str(accounts)))
        cluster.psql("VACUUM ANALYZE")

    def psql(self, sql: str) -> str:
        """Runs SQL as the superuser, in the database in use."""
        return self.cluster.psql(sql, self.db)

    def pgbench(self, script: str, *extra: str, options: str = "") -> str:
        """Runs a script as the application, whose sessions set ``options``; pgbench's report."""
        with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
            Path(folder).chmod(0o755)
            file = Path(folder) / "script.sql"
            file.write_text(script)
            command = self._command("-f", file, *extra)
            environment = self.cluster.install.environment({"PGOPTIONS": options})
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0 or "failed transactions: 0 " not in done.stdout:
            raise HarnessError(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def started(self, scripts: list[tuple[str, int]], seconds: float, clients: int):
        """Several scripts by their weights, for a while, beside what else is to be done; the process."""
        with tempfile.TemporaryDirectory(dir=server_dir()) as folder:
            Path(folder).chmod(0o755)
            files = []
            for number, (script, weight) in enumerate(scripts):
                file = Path(folder) / f"script{number}.sql"
                file.write_text(script)
                files += ["-f", f"{file}@{weight}"]
            command = self._command(*files, "-c", str(clients), "-j", "2", "-T", str(round(seconds)))
            environment = self.cluster.install.environment()
            log = Path(folder) / "log"
            with log.open("w") as output:
                process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
            try:
                yield process
                done = process.wait()
            finally:
                process.kill()
                process.wait()
            report = log.read_text()
            if done != 0 or "failed transactions: 0 " not in report:
                raise HarnessError(f"pgbench failed:\n{report[-2000:]}")

    def _command(self, *arguments: str) -> list:
        """pgbench as the application."""
        return [
            self.cluster.install.program("pgbench"),
            "-n",
            "-M",
            "prepared",
            "-h",
            self.cluster.host,
            "-p",
            str(self.cluster.port),
            "-U",
            contenders.APPLICATION,
            "-D",
            f"accounts={self.accounts}",
            *arguments,
            self.db,
        ]

    def run(self, script: str, seconds: float, clients: int = CLIENTS, options: str = "") -> Cost:
        """Runs a script for a while."""
        return self._run(script, clients, "-T", str(round(seconds)), options=options)

    def run_calls(self, script: str, calls: int, clients: int = CLIENTS) -> Cost:
        """Runs a script so many times in all, each client the same number of times."""
        return self._run(script, clients, "-t", str(max(1, calls // clients)))

    def _run(self, script: str, clients: int, *length: str, options: str = "") -> Cost:
        arguments = ("-c", str(clients), "-j", "2", *length)
        report, spent = self.spent(lambda: self.pgbench(script, *arguments, options=options))
        done = int(re.search(r"actually processed: (\d+)", report)[1])
        return Cost(done, float(re.search(r"tps = ([0-9.]+)", report)[1]), spent * 1e6 / max(done, 1))

    def spent(self, work: Callable[[], str]) -> tuple[str, float]:
        """What a client's program said, and the processor seconds of its backends."""
        return processor.spent(self.cluster.pid, work)

    def wal_position(self) -> int:
        """Bytes of WAL so far."""
        return int(self.psql("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"))

    def next_transaction(self) -> int:
        """The transaction id that is given out next; asking takes none."""
        return int(self.psql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))
