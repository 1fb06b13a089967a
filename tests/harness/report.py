"""The stages of a test run: each is one line of the table at the end."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .progress import HarnessError, duration, failures, note_failure, progress


@dataclass
class Stage:
    """One line of the table at the end."""

    name: str
    seconds: float
    passed: int
    failed: int
    # What failed and why, in a few lines each.
    why: list[str] = field(default_factory=list)


class Report:
    """Runs stages, keeps their results and prints the end of the output."""

    def __init__(self):
        self.stages: list[Stage] = []

    def stage(self, name: str, work: Callable[[], tuple[int, int] | None]) -> bool:
        """Run one stage; ``work`` returns (passed, failed). Whether it went well."""
        progress(f"\n== {name}")
        started = time.monotonic()
        before = len(failures)
        try:
            passed, failed = work() or (0, 0)
        except Exception as error:
            progress(f"FAILED: {error if isinstance(error, HarnessError) else traceback.format_exc()}")
            note_failure(name, reason(error))
            passed, failed = 0, 1
        why = failures[before:]
        self.stages.append(Stage(name, time.monotonic() - started, passed, failed, why))
        return failed == 0

    def counts(self) -> tuple[int, int]:
        """How many tests of all stages passed and failed."""
        return sum(stage.passed for stage in self.stages), sum(stage.failed for stage in self.stages)

    def finish(self) -> int:
        """Print the table, once more what failed, and as the last line the sum; the exit status."""
        width = max((len(stage.name) for stage in self.stages), default=0)
        progress("")
        for stage in self.stages:
            verdict = "FAILED" if stage.failed else "ok"
            counts = f"{stage.passed:5} passed {stage.failed:3} failed"
            progress(f"{stage.name:{width}}  {duration(stage.seconds):>12}  {counts}  {verdict}")
        passed, failed = self.counts()
        for text in (text for stage in self.stages for text in stage.why):
            progress(f"\n{text}")
        progress("" if passed or failed else "No test was selected; see tests/ for their names.")
        progress(f"{passed} passed, {failed} failed")
        return 1 if failed or not passed else 0


def reason(error: BaseException) -> str:
    """An exception in a few lines: what it says, and which lines of the tests led to it."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "tests" in frame.filename]
    said = "".join(traceback.format_exception_only(error)).strip()
    return f"{' → '.join(places)}\n{said}" if places else said
