"""Runs PostgreSQL's own test drivers against a running cluster and reads their verdicts."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .build import EXTENSION
from .cluster import Cluster
from .places import REPO, RESULTS
from .progress import HarnessError, note_failure, progress

DIFF_LINES = 200
# Of each test, at the end of the run.
TOLD_LINES = 8
# How pg_regress sets its own databases up, so that expected output is the same everywhere.
DATABASE_SETTINGS = {
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "bytea_output": "hex",
    "timezone_abbreviations": "Default",
    # Many tests hold a row in a transaction block on purpose; one of them is about the warning.
    "sendgate.in_transaction": "allow",
}


@dataclass
class Outcome:
    """Names of the tests that passed and failed."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def counts(self) -> tuple[int, int]:
        """(passed, failed)"""
        return len(self.passed), len(self.failed)


@dataclass(frozen=True)
class Driver:
    """One of the two drivers, and where its tests are; ``setup.sql``, if it is there, runs before the first one."""

    kind: str
    program: str
    inputs: str
    suffix: str

    @property
    def directory(self) -> Path:
        """The directory that holds the inputs and ``expected/``."""
        return REPO / "tests" / self.kind

    @property
    def database(self) -> str:
        """The database in which all its tests run."""
        return f"{EXTENSION}_{self.kind}"

    def names(self, only: str | None = None) -> list[str]:
        """The tests in the order in which they run: by name."""
        found = sorted(path.stem for path in (self.directory / self.inputs).glob(f"*{self.suffix}"))
        return [name for name in found if selected(only, f"{self.kind}/{name}")]

    def run(self, cluster: Cluster, only: str | None = None, accept: bool = False) -> Outcome:
        """Run all tests, one after another, in one fresh database with the extension in it.

        ``accept`` takes what came out as the expected output from now on.
        """
        names = self.names(only)
        outcome = Outcome()
        if not names:
            return outcome
        results = RESULTS / f"pg{cluster.install.major}" / self.kind
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir(parents=True)
        runnable = self._with_expected(names, accept, outcome)
        if runnable:
            status = self._drive(cluster, runnable, results, outcome)
            unreported = set(runnable) - {*outcome.passed, *outcome.failed}
            if unreported or (status != 0 and not outcome.failed):
                progress(f"  {self.program} ended with status {status}; not run: {unreported or 0}")
                outcome.failed += sorted(unreported) or [self.program]
        if outcome.failed and accept:
            self._accept(results, outcome)
        elif outcome.failed:
            self._show(results)
            self._tell(results, outcome)
        return outcome

    def _with_expected(self, names: list[str], accept: bool, outcome: Outcome) -> list[str]:
        """The tests that have expected output; the driver gives up at the first that has none."""
        runnable = []
        for name in names:
            expected = self.directory / "expected" / f"{name}.out"
            if accept and not expected.exists():
                expected.parent.mkdir(exist_ok=True)
                expected.touch()
            if expected.exists():
                runnable.append(name)
            else:
                outcome.failed.append(name)
                progress(f"  FAILED  {name}: no {expected.relative_to(REPO)}; see make accept")
        return runnable

    def _drive(self, cluster: Cluster, names: list[str], results: Path, outcome: Outcome) -> int:
        """Run the driver, report each verdict as it comes, and return its exit status."""
        install = cluster.install
        database = cluster.fresh_database(self.database, EXTENSION)
        for setting, value in DATABASE_SETTINGS.items():
            cluster.psql(f"ALTER DATABASE {database} SET {setting} TO '{value}'")
        if (setup := self.directory / "setup.sql").exists():
            cluster.psql(setup.read_text(), database)
        program = install.pkglibdir / "pgxs/src/test" / self.program
        if not program.exists():
            raise HarnessError(f"{program} is missing; on Debian it is in postgresql-server-dev-{install.major}.")
        command = [
            program, "--use-existing", f"--host={cluster.host}", f"--port={cluster.port}",
            "--user=postgres", f"--dbname={database}", f"--bindir={install.bindir}",
            f"--inputdir={self.directory}", f"--outputdir={results}",
        ]  # fmt: skip
        if install.major >= 16:
            command.append(f"--expecteddir={self.directory}")
        command = [str(part) for part in command + names]
        process = subprocess.Popen(
            command,
            env=install.environment({"PG_REGRESS_DIFF_OPTS": "-U3"}),
            cwd=results,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            with (results / "driver.log").open("w") as log:
                for line in process.stdout:
                    log.write(line)
                    note(line, outcome)
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def _accept(self, results: Path, outcome: Outcome) -> None:
        """Copy the results over the expected output."""
        for name in list(outcome.failed):
            came_out = results / "results" / f"{name}.out"
            if came_out.exists():
                expected = self.directory / "expected" / f"{name}.out"
                shutil.copyfile(came_out, expected)
                outcome.failed.remove(name)
                outcome.passed.append(name)
                progress(f"  accepted {expected.relative_to(REPO)}; read it before you commit it")

    def _show(self, results: Path) -> None:
        """Print the beginning of the differences."""
        diffs = results / "regression.diffs"
        log = results / "driver.log"
        if not diffs.exists():
            if log.exists():  # the driver itself failed, and says why
                progress(log.read_text(errors="replace"))
            return
        lines = diffs.read_text(errors="replace").splitlines()
        progress("\n".join(lines[:DIFF_LINES]))
        if len(lines) > DIFF_LINES:
            progress(f"… {len(lines) - DIFF_LINES} more lines in {diffs.relative_to(REPO)}")

    def _tell(self, results: Path, outcome: Outcome) -> None:
        """Each test's first lines that differ, for the end of the run."""
        diffs = results / "regression.diffs"
        text = diffs.read_text(errors="replace") if diffs.exists() else ""
        for name in outcome.failed:
            of_test = re.search(rf"^diff .*/{re.escape(name)}\.out$(.*?)(?=^diff |\Z)", text, re.MULTILINE | re.DOTALL)
            changed = re.findall(r"^[-+](?![-+]).*$", of_test[1], re.MULTILINE) if of_test else []
            told = changed[:TOLD_LINES] or [f"no difference; see {results.relative_to(REPO)}/driver.log"]
            note_failure(f"{self.kind}/{name}", "\n".join(told))


# PostgreSQL 15: "test basics      ... ok     12 ms"; from 16 on: "not ok 3     - basics    12 ms".
VERDICTS = (
    re.compile(r"^(?:test)?\s+(?P<name>\S+)\s+\.\.\. (?P<verdict>ok|FAILED)\s+(?P<rest>.*)"),
    re.compile(r"^(?P<verdict>ok|not ok) \d+\s+[-+] (?P<name>\S+)\s+(?P<rest>.*)"),
)


def note(line: str, outcome: Outcome) -> None:
    """Read one line of a driver's output and print it if it is a verdict."""
    for pattern in VERDICTS:
        if match := pattern.match(line):
            well = match["verdict"] == "ok"
            (outcome.passed if well else outcome.failed).append(match["name"])
            word = "ok    " if well else "FAILED"
            progress(f"  {word}  {match['name']}  {match['rest'].strip()}")
            return


def selected(only: str | None, name: str) -> bool:
    """Whether ``--only`` picks a test; ``name`` is kind and name, such as ``regress/10_gate``."""
    return only is None or only in name
