"""``make test``: everything that can be tested, on every PostgreSQL version that is asked for.

The last line is "N passed, M failed", and the exit status is not 0 if anything failed. A tool that
is missing is a failure, never a skip.
"""

import argparse
import os
import re
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# Before the imports: this directory has modules named like the standard library's, such as venv.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import (
    browser,
    build,
    debian,
    dumps,
    places,
    pooler,
    postgres,
    preflight,
    pytests,
    python,
    rust,
    side_by_side,
    verdicts,
)
from harness.isolation import ISOLATION
from harness.postgres import Install
from harness.progress import HarnessError, progress
from harness.regress import REGRESS
from harness.report import Report
from harness.server import Server

DEFAULT_VERSIONS = "15,16,17,18"
# In a run of all versions, this one runs the SQL contract and the races alone: with all tests such a run would take
# more than half an hour. `make test PG=17` runs them all.
IN_SHORT = 17
# How such a run builds the versions that are not to be tested as they are installed; PROFILE=release overrules it.
PROFILE_OF_OTHERS = "quick"
ACCEPT_VERSION = "18"
# PostgreSQL's own drivers, each with a server of its own.
DRIVERS = {driver.kind: driver for driver in (REGRESS, ISOLATION)}


def run(versions: list[int], only: str | None, accept: bool) -> int:
    """All stages; the exit status."""
    report = Report()
    installs: dict[int, Install] = {}
    in_short = {IN_SHORT} if versions == numbers(DEFAULT_VERSIONS) else set()
    if in_short:
        os.environ[build.OTHERS] = PROFILE_OF_OTHERS

    def prepare(major: int) -> None:
        installs[major] = postgres.for_version(major, progress)

    for major in versions:
        report.stage(f"pg{major} prepare", partial(prepare, major))
    if not only and not accept:
        for name, check in python.CHECKS.items():
            report.stage(name, check)
        rust_stages(report, installs)
    built = [
        install
        for major, install in installs.items()
        if report.stage(f"pg{major} build", partial(build.build_and_install, install))
    ]
    jobs = [Job(install, kind) for kind, driver in DRIVERS.items() if driver.names(only) for install in built]
    if only or accept:
        for job in jobs:
            drive(report, job, only, accept)
    else:
        report.stage("tools", tools)
        report.stages += side_by_side.run(jobs, drive)
        if not report.stage("daemon build", lambda: build.build_daemon() and None):
            return report.finish()
    whole = [install.major for install in built if install.major not in in_short]
    if whole and not accept and pytests.picks(only):
        report.stage("pytest", lambda: pytests.run(whole, only))
    status = report.finish()
    if versions == numbers(DEFAULT_VERSIONS) and not only and not accept:
        verdicts.note("test", *report.counts())
    return status


def numbers(versions: str) -> list[int]:
    """Major versions as they are typed, such as ``15,18``."""
    return [int(major) for major in versions.split(",")]


def check() -> int:
    """What takes less than a minute and needs no server: ``make check``."""
    report = Report()
    for name, stage in (python.CHECKS | rust.CHECKS).items():
        report.stage(name, stage)
    return report.finish()


def tools() -> None:
    """What the tests use and bring along, before several of them want it at the same time."""
    for tool in (browser.ensure, browser.axe, pooler.pgbouncer, debian.prometheus):
        tool()


@dataclass(frozen=True)
class Job:
    """The tests of one of PostgreSQL's drivers on one version."""

    install: Install
    kind: str

    @property
    def name(self) -> str:
        """Such as ``pg15 regress``."""
        return f"pg{self.install.major} {self.kind}"


def rust_stages(report: Report, installs: dict[int, Install]) -> None:
    """What needs no server; clippy needs the headers of one version, and takes the newest."""
    if not installs:
        return
    newest = installs[max(installs)]
    report.stage("fmt", lambda: rust.formatting(newest))
    report.stage("clippy", lambda: rust.lints(newest))
    report.stage("rust tests", lambda: rust.unit_tests(newest))


def drive(report: Report, job: Job, only: str | None = None, accept: bool = False) -> None:
    """Runs the driver on a throwaway server; what all tests of the SQL contract leave behind is dumped."""
    server, driver = Server(job.install, job.name.replace(" ", ".")), DRIVERS[job.kind]

    def work() -> tuple[int, int]:
        server.start()
        counts = driver.run(server.cluster, only, accept).counts()
        server.check_log()
        return counts

    try:
        is_whole = report.stage(job.name, work) and driver.names(only) == driver.names()
        if is_whole and driver is REGRESS:
            report.stage(f"pg{job.install.major} dump", lambda: dumps.of_the_tests(server.cluster, driver))
    finally:
        server.end()


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pg", help=f"major versions, such as {DEFAULT_VERSIONS} (the default)")
    parser.add_argument("--only", metavar="NAME", help="only tests whose kind/name contains NAME")
    parser.add_argument("--accept", action="store_true", help="take what comes out as the expected output")
    parser.add_argument("--check", action="store_true", help="only what takes less than a minute and needs no server")
    parser.add_argument("--clean", action="store_true", help="remove everything that was made")
    arguments = parser.parse_args()
    if arguments.clean:
        places.clean()
        return 0
    if arguments.check:
        return check()
    for name in list(os.environ):
        if re.fullmatch(r"PG[A-Z]+", name):
            del os.environ[name]  # PGHOST, PGOPTIONS and the like are for other servers
    versions = arguments.pg
    if not versions and os.environ.get("PG_CONFIG"):
        versions = str(Install.at(os.environ["PG_CONFIG"]).major)
    versions = versions or (ACCEPT_VERSION if arguments.accept else DEFAULT_VERSIONS)
    preflight.check("test", versions.split(","), tools=not arguments.only and not arguments.accept)
    return run(numbers(versions), arguments.only, arguments.accept)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
