"""Runs the e2e tests: plain functions ``test_…(env)`` in ``tests/e2e/SUBJECT/test_*.py``.

Each gets a fresh database in which the extension is created. What a test leaves behind is cleared
after it: its connections, database, roles and settings, and a server that it stopped is started.
"""

import importlib
import signal
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from . import venv
from .build import EXTENSION
from .cluster import Cluster
from .progress import HarnessError, duration, note_failure, progress
from .driver import Outcome, selected
from .places import REPO
from .postgres import Install
from .report import reason

# A test may set its own by a module constant of this name.
TIMEOUT_SECONDS = 300
# Tests that count what was sent today by the real clock take less.
BEFORE_MIDNIGHT_SECONDS = 120
# Databases are copied from this one, which is faster than creating the extension in each.
TEMPLATE = f"{EXTENSION}_template"
FILES = REPO / "tests" / "e2e"


class Env:
    """What a test is given."""

    def __init__(self, cluster: Cluster, dbname: str):
        self.cluster: Cluster = cluster
        self.install: Install = cluster.install
        self.repo: Path = REPO
        # This test's own database, with the extension in it.
        self.dbname: str = dbname
        self._connections: list = []
        self._databases: list[str] = [dbname]

    def connect(
        self, dbname: str | None = None, user: str = "postgres", autocommit: bool = True, **options
    ):
        """A psycopg connection, closed after the test; ``options`` go to ``psycopg.connect``."""
        import psycopg

        dsn = self.cluster.dsn(dbname or self.dbname, user)
        connection = psycopg.connect(dsn, autocommit=autocommit, **options)
        self._connections.append(connection)
        return connection

    def fresh_database(self, extension: bool = True) -> str:
        """One more database; without the extension if a test wants to create or restore it."""
        name = f"{self.dbname}_{len(self._databases)}"
        template = TEMPLATE if extension else "template1"
        self.cluster.psql(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        self._databases.append(name)
        return name

    def psql(self, sql: str, db: str | None = None, user: str = "postgres") -> str:
        """Run SQL with psql in this test's database; the first error raises."""
        return self.cluster.psql(sql, db or self.dbname, user)

    def close(self) -> None:
        """Close the connections and drop the databases."""
        for connection in self._connections:
            connection.close()
        for name in self._databases:
            self.cluster.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run(
    cluster: Cluster,
    only: str | None = None,
    newest: bool = True,
    part: tuple[int, int] = (0, 1),
) -> Outcome:
    """Run the tests of all modules, in order of name, or part n of m of them; those of a module with NEWEST_ONLY, whose
    subject speaks SQL and does not know the server's version, once a run; those of a module with
    ONLY_ON, which need what exists for some versions alone, on those."""
    outcome = Outcome()
    nth, parts = part
    files = sorted(FILES.glob("*/test_*.py"))[nth::parts]
    if not files:
        return outcome
    venv.use()
    cluster.fresh_database(TEMPLATE, EXTENSION)
    number = 0
    for file in files:
        try:
            module = load(file)
        except Exception as error:
            progress(f"  FAILED  {file.stem}: cannot be imported\n{traceback.format_exc()}")
            note_failure(f"e2e/{file.stem}", reason(error))
            outcome.failed.append(file.stem)
            continue
        if getattr(module, "NEWEST_ONLY", False) and not newest:
            continue
        only_on = getattr(module, "ONLY_ON", (cluster.install.major,))
        if cluster.install.major not in only_on:
            if picked(only, file):
                progress(f"  PostgreSQL {' and '.join(map(str, only_on))} runs {file.stem}")
            continue
        # A test may add to its module, if only by a warning, which Python notes there.
        for name, function in list(vars(module).items()):
            full = f"{file.stem}.{name}"
            if not name.startswith("test_") or not picked(only, file, name):
                continue
            number += 1
            well = run_one(cluster, module, full, function, f"e2e_{number}")
            (outcome.passed if well else outcome.failed).append(full)
    return outcome


def picks(only: str | None) -> bool:
    """Whether ``only`` may pick a test here; the functions are known only after importing."""
    files = FILES.glob("*/test_*.py")
    return any(
        picked(only, file, line[4:].split("(")[0])
        for file in files
        for line in file.read_text().splitlines()
        if line.startswith("def test_")
    )


def picked(only: str | None, file: Path, function: str = "") -> bool:
    """Whether ``only`` picks a test by its path, such as ``e2e/gate/test_slots``, or by its path without the folder."""
    name = f"{file.stem}.{function}"
    return selected(only, f"e2e/{file.parent.name}/{name}") or selected(only, f"e2e/{name}")


def load(file: Path) -> ModuleType:
    """Import a test module by its place below ``tests``."""
    return importlib.import_module(".".join(file.relative_to(FILES.parent).with_suffix("").parts))


def run_one(cluster: Cluster, module: ModuleType, full: str, function, dbname: str) -> bool:
    """Run one test and clear up after it; whether it passed."""
    _past_midnight()
    started = time.monotonic()
    conf = dict(cluster.conf)
    roles = _roles(cluster)
    problem = None
    try:
        cluster.psql(f'CREATE DATABASE "{dbname}" TEMPLATE {TEMPLATE}')
        env = Env(cluster, dbname)
        try:
            with _time_limit(getattr(module, "TIMEOUT_SECONDS", TIMEOUT_SECONDS)):
                function(env)
        except Exception as error:
            note_failure(f"e2e/{full}", reason(error))
            problem = traceback.format_exc() + "\nThe server's log ends:\n" + cluster.log_tail()
        finally:
            _restore(cluster, conf)
            env.close()
            for role in _roles(cluster) - roles:
                cluster.psql(f'DROP ROLE "{role}"')
    except HarnessError as error:
        note_failure(f"e2e/{full}", f"clearing up failed: {error}")
        problem = (problem or "") + f"\nclearing up failed: {error}"
    word = "FAILED" if problem else "ok    "
    progress(f"  {word}  {full}  {duration(time.monotonic() - started)}")
    if problem:
        progress("\n".join("    " + line for line in problem.splitlines()))
    return problem is None


def _past_midnight() -> None:
    """No test begins right before 00:00 UTC: by the real clock its counters would be two days'."""
    if (left := 86_400 - time.time() % 86_400) < BEFORE_MIDNIGHT_SECONDS:
        progress(f"  waiting for midnight UTC, {left:.0f} s")
        time.sleep(left + 61)  # and the minute before this one is of today, too


def _roles(cluster: Cluster) -> set[str]:
    """The roles of the cluster, which databases share."""
    return set(cluster.psql("SELECT rolname FROM pg_roles").splitlines())


def _restore(cluster: Cluster, conf: dict) -> None:
    """Bring the server back to how the test found it."""
    if cluster.conf != conf:
        cluster.stop()
        cluster.conf = conf
    if not cluster.running():
        cluster.start()


@contextmanager
def _time_limit(seconds: int):
    """End a test that hangs; psycopg's waits are interrupted by signals."""

    def expired(_number, _frame):
        raise TimeoutError(f"the test took longer than {seconds} s (TIMEOUT_SECONDS)")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
