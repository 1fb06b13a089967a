"""Runs jobs of the tests side by side, each in a process of its own; every line says whose it is."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from typing import Protocol

from .progress import begin_lines_with, progress
from .report import Report, Stage

# Twice as many as the smallest machine has processors that the tests are made for, because they wait as much
# as they work. Not more: waits with a deadline are among theirs.
WORKERS = 4
# How often a process looks whether its parent is still there.
LOOK_SECONDS = 0.5


class Job(Protocol):
    """What can be handed to another process, and is told apart by its name."""

    @property
    def name(self) -> str: ...


def run(jobs: list[Job], work: Callable[[Report, Job], None]) -> list[Stage]:
    """The stages of all jobs, in the jobs' order. One whose process died is a failed stage."""
    # Fresh processes: nothing of this one's threads and imports goes with them.
    processes = get_context("spawn")
    width = max((len(job.name) for job in jobs), default=0)
    waiting, running, found = deque(jobs), {}, {}
    try:
        while waiting or running:
            while waiting and len(running) < WORKERS:
                job = waiting.popleft()
                answer, its_end = processes.Pipe(duplex=False)
                process = processes.Process(target=_alone, args=(work, job, f"{job.name:{width}} │ ", its_end))
                process.start()
                its_end.close()
                running[answer] = (job, process)
            for answer in connection.wait(list(running)):
                job, process = running[answer]
                found[job.name] = _stages(job, answer)
                process.join()
                del running[answer]
    finally:
        # Ctrl-C reaches them too: they stop their servers.
        for _, process in running.values():
            process.join()
    return [stage for job in jobs for stage in found[job.name]]


def _stages(job: Job, answer: connection.Connection) -> list[Stage]:
    try:
        return answer.recv()
    except EOFError:
        progress(f"FAILED  {job.name}: its process ended without a result")
        return [Stage(job.name, 0, 0, 1, [f"FAILED  {job.name}: its process ended without a result"])]


def _alone(work: Callable[[Report, Job], None], job: Job, prefix: str, answer: connection.Connection) -> None:
    begin_lines_with(prefix)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    report = Report()
    with suppress(KeyboardInterrupt):  # which the one that waits for the answer is told as well
        work(report, job)
        answer.send(report.stages)


def end_with_the_parent() -> None:
    """For a process that was not started from here: it ends itself when the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _end_with_the_run() -> None:
    """End this process when its parent ends. A signal to the run does not reach its jobs, and they and their
    servers would go on."""
    connection.wait([parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
