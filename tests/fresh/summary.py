"""The steps done in the roots, and how each ended: a line for each, and the verdict."""

import re
from dataclasses import dataclass, field

from harness.progress import duration, progress

from .roots import Result, Root


@dataclass
class Line:
    """One line of the summary."""

    suite: str
    case: str
    step: str
    seconds: float
    problem: str | None


@dataclass
class Summary:
    """The steps so far, with their results."""

    lines: list[Line] = field(default_factory=list)

    def add(self, root: Root, case: str, step: str, done: Result, *wanted: str, status: int = 0) -> None:
        """Judge a step: its status, and the texts that its output must hold."""
        problem = None
        if (done.status == 0) != (status == 0):
            problem = f"status {done.status}; see {done.log}"
        elif lacking := [text for text in wanted if not re.search(text, done.output)]:
            problem = f"it does not say {lacking[0]!r}; see {done.log}"
        self.lines.append(Line(root.suite, case, step, done.seconds, problem))
        progress(f"  {'FAILED' if problem else 'ok'}  {root.suite}, {case}: {step}, {done.seconds:.0f} s")
        if problem:
            progress("\n".join(f"      {line}" for line in [problem, *done.output.rstrip().splitlines()[-25:]]))

    def counts(self) -> tuple[int, int]:
        """How many steps passed and failed."""
        failed = sum(line.problem is not None for line in self.lines)
        return len(self.lines) - failed, failed

    def status(self) -> int:
        """The exit status: 0 if something was done, and all of it well."""
        return 1 if any(line.problem for line in self.lines) or not self.lines else 0

    def tell(self) -> None:
        """The steps as a table, and the line with the verdict."""
        if not self.lines:
            return
        rows = [("Debian", "case", "step", "time", "")]
        rows += [
            (one.suite, one.case, one.step, duration(one.seconds), "FAILED" if one.problem else "ok")
            for one in self.lines
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        progress("")
        for row in rows:
            progress("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        passed, failed = self.counts()
        progress(f"\n{passed} passed, {failed} failed")
