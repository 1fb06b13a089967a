"""A running ``sendgated``, for the tests of the daemon."""

import json
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from e2e.support import WAIT_SECONDS, Stopwatch, login, wait_for
from harness import build

# Long enough for any answer; a hang fails the test by its time limit.
HTTP_SECONDS = 20
# From SIGTERM to the end of the process.
STOP_SECONDS_MAX = 5
JOBS = ("midnight_reset", "audit_events", "reconcile_operations", "prune")


class Daemon:
    """``with Daemon(env) as daemon:`` runs it until the end, on a free port of 127.0.0.1."""

    # Where it listens, unless a test says otherwise.
    listen = "127.0.0.1:0"

    def __init__(self, env, user: str | None = None, url: str | None = None, out=None, **environment):
        self.user = user or daemon_login(env)
        self.url = url or url_of(env, self.user)
        self.environment: dict[str, str] = environment
        # Where its standard output goes; by default into a file.
        self.stdout = out
        self.directory = Path(tempfile.mkdtemp(prefix="sendgated-"))
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Daemon":
        command = [build.build_daemon(), "run", "--listen", self.listen]
        with self._file("out").open("w") as out, self._file("err").open("w") as err:
            self.process = subprocess.Popen(
                command,
                env={"SENDGATED_DATABASE_URL": self.url, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out if self.stdout is None else self.stdout,
                stderr=err,
            )
        return self

    def __exit__(self, *_exception) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal and wait for the end: (exit status, seconds)."""
        with Stopwatch() as watch:
            self.process.send_signal(number)
            status = self.process.wait(WAIT_SECONDS)
        return status, watch.seconds

    @property
    def out(self) -> str:
        """Standard output until now."""
        return self._file("out").read_text()

    @property
    def err(self) -> str:
        """Standard error until now."""
        return self._file("err").read_text()

    def lines(self) -> list[dict]:
        """The breaker's lines; the last one may still be half written while it runs."""
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line[-1] == "\n"]

    def log(self) -> list[dict]:
        """The daemon's own log."""
        return [json.loads(line) for line in self.err.splitlines(keepends=True) if line[-1] == "\n"]

    def address(self) -> str:
        """Where it listens, once it does."""
        started = wait_for(
            lambda: next((line for line in self.log() if line["message"] == "started"), None),
            "the daemon to listen",
        )
        return started["listen"]

    def get(self, path: str) -> tuple[int, str]:
        """A page: (status, text)."""
        url = f"http://{self.address()}{path}"
        try:
            with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        """Whether ``/readyz`` says so."""
        return self.get("/readyz")[0] == 200

    def metrics(self) -> dict[str, float]:
        """The samples of ``/metrics``, each by name and labels as they are written."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return samples(text)

    def _file(self, name: str) -> Path:
        return self.directory / name


def daemon_login(env) -> str:
    """A login with the daemon's rights, of this test's own."""
    name = f"daemon_of_{env.dbname}"
    if env.psql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "0":
        login(env, name, "sendgate_daemon")
    return name


def url_of(env, user: str, password: str | None = None) -> str:
    """The database's URL."""
    secret = f":{password}" if password else ""
    return f"postgres://{user}{secret}@{env.cluster.host}:{env.cluster.port}/{env.dbname}"


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format, read strictly."""
    found: dict[str, float] = {}
    described: set[str] = set()
    sample = re.compile(r'([a-z_]+)((?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+)')
    for line in text.splitlines():
        if line.startswith("# "):
            described.add(line.split()[2])
            continue
        match = sample.fullmatch(line)
        assert match, f"this is no sample: {line}"
        assert match[1] in described, f"{match[1]} has no HELP and TYPE"
        assert match[1] + match[2] not in found, f"twice: {line}"
        found[match[1] + match[2]] = float(match[3])
    return found


def states(env, job: str) -> list[str]:
    """The states of a job's runs, oldest first."""
    query = "SELECT state FROM sendgate.reconcile_runs WHERE job = '{}' ORDER BY started_at"
    return env.psql(query.format(job)).split()


def all_ran(env) -> bool:
    """Whether each job has a run that went well."""
    return all("ok" in states(env, job) for job in JOBS)


def make_due(env, *jobs: str) -> None:
    """As if these jobs had last run an hour ago, which for the daily ones was yesterday."""
    for job in jobs:
        env.psql(
            f"""UPDATE sendgate.jobs SET sweep_started_at = sweep_started_at - interval '25 hours',
                sweep_finished_at = sweep_finished_at - interval '25 hours' WHERE job = '{job}'"""
        )


def run(env, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """A command of the daemon's program, to its end; an empty ``url`` is not passed on."""
    url = environment.pop("url", None)
    if url is None:
        url = url_of(env, daemon_login(env))
    return subprocess.run(
        [build.build_daemon(), *arguments],
        env=({"SENDGATED_DATABASE_URL": url} if url else {}) | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def sessions(env) -> str:
    """How many connections the daemon has."""
    return env.psql(
        """SELECT count(*) FROM pg_stat_activity
           WHERE application_name = 'sendgated' AND datname = current_database()"""
    )
