"""``make test``: everything that can be tested, on every PostgreSQL version that is asked for.

The last line is "N passed, M failed", and the exit status is not 0 if anything failed. A tool that
is missing is a failure, never a skip.
"""

import argparse
import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Before the imports: this directory has modules named like the standard library's, such as venv.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import build, e2e, places, postgres, rust
from harness.cluster import Cluster
from harness.console import HarnessError, duration, progress
from harness.isolation import ISOLATION
from harness.places import REPO, RESULTS
from harness.postgres import Install
from harness.regress import REGRESS

DEFAULT_VERSIONS = "15,16,18"
ACCEPT_VERSION = "18"
# Versions that the code is compiled for and that nothing here can run.
COMPILED_ONLY = (17,)
# The library must work without preloading, so shared_preload_libraries stays empty here.
CONF = {
    "fsync": "off",  # the machine does not crash in a test, only the server
    "max_prepared_transactions": "0",
    "sendgate.test_clock": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%d ",
}


@dataclass
class Stage:
    """One line of the table at the end."""

    name: str
    seconds: float
    passed: int
    failed: int


class Report:
    """Runs stages, keeps their results and prints the end of the output."""

    def __init__(self):
        self.stages: list[Stage] = []

    def stage(self, name: str, work: Callable[[], tuple[int, int] | None]) -> bool:
        """Run one stage; ``work`` returns (passed, failed). Whether it went well."""
        progress(f"\n== {name}")
        started = time.monotonic()
        try:
            passed, failed = work() or (0, 0)
        except HarnessError as error:
            progress(f"FAILED: {error}")
            passed, failed = 0, 1
        except Exception:
            progress(f"FAILED: {traceback.format_exc()}")
            passed, failed = 0, 1
        self.stages.append(Stage(name, time.monotonic() - started, passed, failed))
        return failed == 0

    def finish(self) -> int:
        """Print the table and, as the last line, the sum; the exit status."""
        width = max((len(stage.name) for stage in self.stages), default=0)
        progress("")
        for stage in self.stages:
            verdict = "FAILED" if stage.failed else "ok"
            counts = f"{stage.passed:5} passed {stage.failed:3} failed"
            progress(f"{stage.name:{width}}  {duration(stage.seconds):>12}  {counts}  {verdict}")
        passed = sum(stage.passed for stage in self.stages)
        failed = sum(stage.failed for stage in self.stages)
        progress("" if passed or failed else "No test was selected; see tests/ for their names.")
        progress(f"{passed} passed, {failed} failed")
        return 1 if failed or not passed else 0


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
    for major, install in installs.items():
        if report.stage(f"pg{major} build", lambda: build.build_and_install(install)):
            version_stages(report, install, only, accept, major == max(installs))
    return report.finish()


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
    report: Report, install: Install, only: str | None, accept: bool, newest: bool
) -> None:
    """Everything that needs a server of this version, on one throwaway cluster."""
    cluster = Cluster(install, conf=CONF)
    version = f"pg{install.major}"
    try:
        if not report.stage(f"{version} start", lambda: start(cluster)):
            return
        for driver in (REGRESS, ISOLATION):
            if driver.names(only):
                report.stage(
                    f"{version} {driver.kind}",
                    lambda: driver.run(cluster, only, accept).counts(),
                )
        if not accept and e2e.picks(only):
            report.stage(f"{version} e2e", lambda: e2e.run(cluster, only, newest).counts())
    finally:
        keep_log(cluster)
        cluster.destroy()


def start(cluster: Cluster) -> None:
    """Create and start the cluster."""
    cluster.create()
    cluster.start()
    progress(f"  PostgreSQL {cluster.install.version} on {cluster.host}:{cluster.port}")


def keep_log(cluster: Cluster) -> None:
    """Keep the server's log beside the other results."""
    log = cluster.datadir / "server.log"
    if log.exists():
        into = RESULTS / f"pg{cluster.install.major}" / "server.log"
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
    majors = [int(major) for major in versions.split(",")]
    return run(majors, arguments.only, arguments.accept)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
