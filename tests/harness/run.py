"""``make test``: everything that can be tested, on every PostgreSQL version that is asked for.

The last line is "N passed, M failed", and the exit status is not 0 if anything failed. A tool that
is missing is a failure, never a skip.
"""

import argparse
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

# Before the imports: this directory has modules named like the standard library's, such as venv.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import browser, build, debian, e2e, places, pooler, postgres, preflight, rust, side_by_side
from harness.cluster import Cluster
from harness.progress import HarnessError, progress
from harness.isolation import ISOLATION
from harness.places import REPO, RESULTS
from harness.postgres import Install
from harness.regress import REGRESS
from harness.report import Report

DEFAULT_VERSIONS = "15,16,18"
ACCEPT_VERSION = "18"
# Versions that the code is compiled for and that nothing here can run.
COMPILED_ONLY = (17,)
# Small enough that the processes end at about the same time, and few: each starts a server.
PARTS = 6
# The library must work without preloading, so shared_preload_libraries stays empty here.
CONF = {
    "fsync": "off",  # the machine does not crash in a test, only the server
    "max_prepared_transactions": "0",
    "sendgate.test_clock": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%d ",
}


def run(versions: list[int], only: str | None, accept: bool) -> int:
    """All stages; the exit status."""
    report = Report()
    installs: dict[int, Install] = {}

    def prepare(major: int) -> None:
        installs[major] = postgres.for_version(major, progress)

    for major in versions:
        report.stage(f"pg{major} prepare", lambda: prepare(major))
    if not only and not accept:
        rust_stages(report, installs)
    built = [
        install
        for major, install in installs.items()
        if report.stage(f"pg{major} build", lambda: build.build_and_install(install))
    ]
    if only or accept:
        for install in built:
            version_stages(report, Job(install, install.major == max(installs)), only, accept)
        return report.finish()
    report.stage("tools", tools)
    if report.stage("daemon build", lambda: build.build_daemon() and None) and built:
        report.stages += side_by_side.run(jobs(built), version_stages)
    return report.finish()


def tools() -> None:
    """What the tests use and bring along, before several of them want it at the same time."""
    for tool in (browser.ensure, browser.axe, pooler.pgbouncer, debian.prometheus):
        tool()


# SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS; and what PostgreSQL gives up with.
CRASHES = r"^.*(?:was terminated by signal (?:4|5|6|7|8|11|31)\b|PANIC:|TRAP:).*$"


@dataclass(frozen=True)
class Job:
    """The tests of one version on a server of their own, or a part of them."""

    install: Install
    newest: bool
    # Part 0 holds whatever is not split.
    part: int = 0
    parts: int = 1

    @property
    def name(self) -> str:
        """Such as ``pg15``, or ``pg18.2`` for the second part."""
        return f"pg{self.install.major}" + (f".{self.part + 1}" if self.parts > 1 else "")


def jobs(installs: list[Install]) -> list[Job]:
    """What can run side by side, the longest first; the newest version has most tests."""
    newest = max(installs, key=lambda install: install.major)
    whole = [Job(install, False) for install in installs if install is not newest]
    return whole + [Job(newest, True, part, PARTS) for part in range(PARTS)]


def rust_stages(report: Report, installs: dict[int, Install]) -> None:
    """What needs no server; clippy needs the headers of one version, and takes the newest."""
    if not installs:
        return
    newest = installs[max(installs)]
    report.stage("fmt", lambda: rust.formatting(newest))
    report.stage("clippy", lambda: rust.lints(newest))
    for major in COMPILED_ONLY:
        report.stage(f"clippy pg{major}", lambda: rust.lints_without_headers(newest, major))
    report.stage("rust tests", lambda: rust.unit_tests(newest))


def version_stages(
    report: Report, job: Job, only: str | None = None, accept: bool = False
) -> None:
    """Everything that needs a server of this version, on one throwaway cluster."""
    cluster = Cluster(job.install, conf=CONF)
    try:
        if not report.stage(f"{job.name} start", lambda: start(cluster)):
            return
        for driver in (REGRESS, ISOLATION):
            if driver.names(only) and job.part == 0:
                report.stage(
                    f"{job.name} {driver.kind}",
                    lambda: driver.run(cluster, only, accept).counts(),
                )
        if not accept and e2e.picks(only):
            report.stage(
                f"{job.name} e2e",
                lambda: e2e.run(cluster, only, job.newest, (job.part, job.parts)).counts(),
            )
    finally:
        report.stage(f"{job.name} log", lambda: faults(cluster))
        keep_log(cluster, job.name)
        cluster.destroy()


def start(cluster: Cluster) -> None:
    """Create and start the cluster."""
    cluster.create()
    cluster.start()
    progress(f"  PostgreSQL {cluster.install.version} on {cluster.host}:{cluster.port}")


def faults(cluster: Cluster) -> None:
    """No test may pass over a server process that crashed by itself; being killed is another thing."""
    log = cluster.datadir / "server.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    if found := re.findall(CRASHES, text, re.MULTILINE):
        raise HarnessError("a process of the server crashed:\n" + "\n".join(found))


def keep_log(cluster: Cluster, name: str) -> None:
    """Keep the server's log beside the other results."""
    log = cluster.datadir / "server.log"
    if log.exists():
        into = RESULTS / name / "server.log"
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, into)
        progress(f"  server log: {into.relative_to(REPO)}")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pg", help=f"major versions, such as {DEFAULT_VERSIONS} (the default)")
    parser.add_argument("--only", metavar="NAME", help="only tests whose kind/name contains NAME")
    parser.add_argument(
        "--accept", action="store_true", help="take what comes out as the expected output"
    )
    parser.add_argument("--clean", action="store_true", help="remove everything that was made")
    arguments = parser.parse_args()
    if arguments.clean:
        places.clean()
        return 0
    for name in list(os.environ):
        if re.fullmatch(r"PG[A-Z]+", name):
            del os.environ[name]  # PGHOST, PGOPTIONS and the like are for other servers
    versions = arguments.pg
    if not versions and os.environ.get("PG_CONFIG"):
        versions = str(Install.at(os.environ["PG_CONFIG"]).major)
    versions = versions or (ACCEPT_VERSION if arguments.accept else DEFAULT_VERSIONS)
    preflight.check("test", versions.split(","), tools=not arguments.only and not arguments.accept)
    majors = [int(major) for major in versions.split(",")]
    return run(majors, arguments.only, arguments.accept)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
