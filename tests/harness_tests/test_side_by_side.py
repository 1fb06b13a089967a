"""The tests' own jobs: one that dies is a failure and takes no other with it, and none outlives its run."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from e2e.support import equal, wait_for
from harness import side_by_side
from harness.cluster import Cluster
from harness.postgres import Install
from harness.progress import HarnessError
from harness.report import Report

# The subject is the harness.
NEWEST_ONLY = True
TESTS = Path(__file__).resolve().parents[1]
# A run of its own, that can be ended and whose output is not this one's.
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from harness_tests import test_side_by_side
getattr(test_side_by_side, sys.argv[2])(*sys.argv[3:])
"""
NAMES = ("well", "raises", "cannot", "exits", "vanishes", "killed", "interrupted", "last")


@dataclass(frozen=True)
class Job:
    """A job that ends as its name says."""

    name: str
    install: Install | None = None
    note: Path | None = None


def test_a_job_that_dies_is_a_failure_and_the_others_go_on(env):
    said, _ = run("play").communicate()
    stages = json.loads(said.splitlines()[-1])
    well = [["well: work", 1, 0], ["last: work", 1, 0]]
    died = NAMES[1:-1]
    equal(stages, [well[0], *([name, 0, 1] for name in died), well[1]], "stages")
    told = [line for line in said.splitlines() if line.startswith("FAILED")]
    equal(sorted(told), sorted(f"FAILED  {name}: its process ended without a result" for name in died), "lines")


def play() -> None:
    """A run of jobs that end in every way."""
    stages = side_by_side.run([Job(name) for name in NAMES], end_as_named)
    print(json.dumps([(stage.name, stage.passed, stage.failed) for stage in stages]))


def end_as_named(report, job: Job) -> None:
    """The job that the tests hand out."""
    report.stage(f"{job.name}: work", lambda: (1, 0))
    match job.name:
        case "raises":
            raise RuntimeError("a fault of the harness")
        case "cannot":
            raise HarnessError("mend me")
        case "exits":
            sys.exit(0)
        case "vanishes":
            os._exit(0)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "interrupted":
            raise KeyboardInterrupt  # the signal itself may be ignored, as in a shell's background


def test_the_end_of_a_run_says_what_failed_and_why(env):
    """Its last lines alone say where to begin."""
    said, _ = run("fail").communicate()
    told = said[said.index("\nstage of pg18") :]
    for word in (
        "FAILED  pg18 stage of pg18:",
        "mend me",
        "FAILED  pg18 other:",
        "a fault of the harness",
        "FAILED  exits: its process ended without a result",
    ):
        equal(told.count(word), 1, f"{word!r} in {told}")
    equal(told.splitlines()[-1], "1 passed, 3 failed", "last line")


def fail() -> None:
    """A run with three failures, as the tests end theirs."""
    report = Report()
    report.stage("good", lambda: (1, 0))
    report.stages += side_by_side.run([Job("pg18"), Job("exits")], fail_as_named)
    report.finish()


def fail_as_named(report, job: Job) -> None:
    """Two failures that are told, or a death."""

    def failing(error: Exception):
        raise error

    if job.name == "exits":
        sys.exit(0)
    report.stage("stage of pg18", lambda: failing(HarnessError("mend me")))
    report.stage("other", lambda: failing(RuntimeError("a fault of the harness")))


def test_jobs_and_their_servers_end_with_their_run(env):
    """Whether it is asked to end, as CI does, or killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with tempfile.TemporaryDirectory() as directory:
            note = Path(directory, "server")
            with run("serve", env.install.pg_config, note) as process:
                wait_for(note.exists, "the job's server")
                server = Path("/proc", note.read_text())
                assert server.exists(), "the job has no server"
                process.send_signal(number)
                equal(process.wait(), -number, "exit status")
            try:
                wait_for(lambda server=server: not server.exists(), f"the server to end after {number.name}")
            except AssertionError:
                os.killpg(process.pid, signal.SIGTERM)  # the jobs, which stop their servers
                raise


def serve(pg_config: str, note: str) -> None:
    """A run with one job, which has a server and waits."""
    side_by_side.run([Job("serves", Install.at(pg_config), Path(note))], with_a_server)


def with_a_server(report, job: Job) -> None:
    with Cluster(job.install, conf={"fsync": "off"}) as cluster:
        fresh = job.note.with_suffix(".new")
        fresh.write_text(str(cluster.pid))
        fresh.rename(job.note)
        while True:
            signal.pause()


def run(function: str, *arguments) -> subprocess.Popen:
    """A function of this module as a run of its own, in a process group of its own."""
    command = [sys.executable, "-c", RUN, TESTS, function, *arguments]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
