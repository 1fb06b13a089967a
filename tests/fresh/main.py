"""``make test-fresh``: clones, builds and runs in bare Debian roots, as root and as an ordinary user.

    python3 tests/fresh/main.py [--suite bookworm] [--case user]

Needs root and debootstrap. The archive is the one of this system's apt, or MIRROR. Rust is this
system's, mounted read-only. Logs are in tests/results/fresh/; all roots are removed at the end.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from fresh import cases, roots
from harness.places import REPO, run_dir
from harness.progress import HarnessError, duration, ended, progress, quiet

SPACE_MIB_MIN = 6000
PREFIX = "fresh-"


def main() -> int:
    """Read the command line and run; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=roots.SUITES, help="one release of Debian; default: each")
    parser.add_argument("--case", choices=list(cases.CASES), help="one case; default: each")
    arguments = parser.parse_args()
    roots.check_host()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    directory = _directory()
    summary = cases.Summary()
    try:
        workshop = roots.Workshop(directory)
        if quiet(["git", "-C", REPO, "status", "--porcelain"]).strip():
            progress("What is not committed is not part of the clones.")
        for suite in [arguments.suite] if arguments.suite else roots.SUITES:
            cases.suite(summary, workshop, suite, arguments.case)
    finally:
        progress("removing the roots")
        roots.remove(directory)
        _tell(summary)
    return 1 if any(line.problem for line in summary.lines) or not summary.lines else 0


def _directory() -> Path:
    """A new directory for the roots; what a run left that was killed is removed."""
    for leftover in run_dir().glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX).partition("-")[0]).exists():
            roots.remove(leftover)
    free = shutil.disk_usage(run_dir()).free // 2**20
    if free < SPACE_MIB_MIN:
        raise HarnessError(f"{run_dir()} has {free} MiB free; the roots take {SPACE_MIB_MIN} MiB.\nMake room.")
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=run_dir()))
    directory.chmod(0o755)
    return directory


def _tell(summary: cases.Summary) -> None:
    """The summary, and the line with the verdict."""
    if not summary.lines:
        return
    rows = [("Debian", "case", "step", "time", "")]
    rows += [
        (one.suite, one.case, one.step, duration(one.seconds), "FAILED" if one.problem else "ok")
        for one in summary.lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    progress("")
    for row in rows:
        progress("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    failed = sum(line.problem is not None for line in summary.lines)
    progress(f"\n{len(summary.lines) - failed} passed, {failed} failed")


if __name__ == "__main__":
    sys.exit(ended(main))
