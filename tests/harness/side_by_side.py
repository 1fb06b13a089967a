"""Runs jobs of the tests side by side, each in a process of its own; every line says whose it is."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Protocol

from . import console
from .report import Report, Stage

# As many as the smallest machine has processors that the tests are made for. More would be faster
# there, for tests wait much, but waits with a deadline are in them too.
WORKERS = 2


class Job(Protocol):
    """What can be handed to another process, and is told apart by its name."""

    @property
    def name(self) -> str: ...


def run(jobs: list[Job], work: Callable[[Report, Job], None]) -> list[Stage]:
    """The stages of all jobs, in the jobs' order; one whose process died is a failed stage."""
    stages = []
    # A fresh process: nothing of this one's threads and imports goes with it.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        width = max(len(job.name) for job in jobs)
        waiting = [pool.submit(_alone, work, job, f"{job.name:{width}} │ ") for job in jobs]
        try:
            for job, future in zip(jobs, waiting, strict=True):
                stages += _stages(job, future)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return stages


def _stages(job: Job, future) -> list[Stage]:
    try:
        return future.result()
    except Exception as error:
        console.progress(f"FAILED  {job.name}: {error!r}")
        return [Stage(job.name, 0, 0, 1)]


def _alone(work: Callable[[Report, Job], None], job: Job, prefix: str) -> list[Stage]:
    console.prefix = prefix
    report = Report()
    work(report, job)
    return report.stages
