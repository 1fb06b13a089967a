"""A running ``sendgated`` beside what is measured."""

import json
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from harness import build
from harness.progress import HarnessError

from .server import Server

LOGIN = "books_daemon"
WAIT_SECONDS = 300
JOBS = ("midnight_reset", "audit_events", "reconcile_operations", "prune")


class Daemon:
    """``with Daemon(server) as daemon:`` runs it on a free port of 127.0.0.1."""

    def __init__(self, server: Server, *options: str):
        self.server = server
        self.options = options
        self.log = Path(tempfile.mkdtemp(prefix="sendgated-")) / "log"
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Daemon":
        cluster = self.server.cluster
        exists = self.server.number(f"SELECT count(*) FROM pg_roles WHERE rolname = '{LOGIN}'")
        if not exists:
            self.server.sql(f"CREATE ROLE {LOGIN} LOGIN; GRANT sendgate_daemon TO {LOGIN}")
        url = f"postgres://{LOGIN}@{cluster.host}:{cluster.port}/{self.server.db}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [build.build_daemon(), "run", "--listen", "127.0.0.1:0", *self.options],
                env={"SENDGATED_DATABASE_URL": url},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return self

    def __exit__(self, *_exception) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.unlink()
        self.log.parent.rmdir()

    def metrics(self) -> dict[str, float]:
        """The samples of ``/metrics``."""
        with urllib.request.urlopen(f"http://{self._address()}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def wait_until_idle(self) -> None:
        """Until a whole round has found nothing that is due."""
        quiet_since = None
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = self.metrics()
            runs = sum(found[f'sendgate_job_runs_total{{job="{job}",outcome="ok"}}'] for job in JOBS)
            if quiet_since is None or runs != quiet_since[0]:
                quiet_since = (runs, found["sendgate_rounds_total"])
            elif found["sendgate_rounds_total"] >= quiet_since[1] + 2:
                return
            time.sleep(0.2)
        raise HarnessError(f"sendgated did not come to rest within {WAIT_SECONDS} s:\n{self.log.read_text()}")

    def _address(self) -> str:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line).get("message") == "started":
                    return json.loads(line)["listen"]
            time.sleep(0.05)
        raise HarnessError(f"sendgated did not start:\n{self.log.read_text()}")
