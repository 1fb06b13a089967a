"""One loaded cluster, and pgbench against it."""

import os
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cluster import Cluster
from harness.places import server_dir
from harness.progress import HarnessError

from . import contenders, plpgsql

CLIENTS = 8
# Longest wait for the backends of a run to end.
ENDING_SECONDS_MAX = 10
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
    tps: float
    # Microseconds of processor time of the server's processes for one transaction.
    cpu: float


class Server:
    """The cluster with its accounts."""

    def __init__(self, cluster: Cluster, accounts: int, setup: str = contenders.SETUP + plpgsql.SETUP):
        self.cluster, self.accounts = cluster, accounts
        cluster.psql(setup.replace("{accounts}", str(accounts)))
        cluster.psql("VACUUM ANALYZE")

    def psql(self, sql: str) -> str:
        """Runs SQL as the superuser."""
        return self.cluster.psql(sql)

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
            "postgres",
        ]

    def run(self, script: str, seconds: float, clients: int = CLIENTS, options: str = "") -> Cost:
        """Runs a script for a while."""
        before, processes = self.processor_seconds(), self.processes()
        report = self.pgbench(script, "-c", str(clients), "-j", "2", "-T", str(round(seconds)), options=options)
        deadline = time.monotonic() + ENDING_SECONDS_MAX
        # pgbench does not wait for its backends, whose time counts once they have ended.
        while self.processes() > processes and time.monotonic() < deadline:
            time.sleep(0.01)
        spent = self.processor_seconds() - before
        done = int(re.search(r"actually processed: (\d+)", report)[1])
        return Cost(done, float(re.search(r"tps = ([0-9.]+)", report)[1]), spent * 1e6 / max(done, 1))

    def processor_seconds(self) -> float:
        """What all backends that have ended have used so far; those of a run have."""
        fields = Path(f"/proc/{self.cluster.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def processes(self) -> int:
        """How many processes the server has."""
        pid = self.cluster.pid
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def wal_position(self) -> int:
        """Bytes of WAL so far."""
        return int(self.psql("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"))

    def next_transaction(self) -> int:
        """The transaction id that is given out next; asking takes none."""
        return int(self.psql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))
