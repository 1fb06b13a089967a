"""The stages of a test run: each is one line of the table at the end."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from .console import HarnessError, duration, progress


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
