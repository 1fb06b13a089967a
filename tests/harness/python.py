"""The stages that look at the code without running it; as a command, ``make fmt``'s Python half."""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":  # its neighbours have names of the standard library, such as venv
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import house
from harness import venv
from harness.places import REPO
from harness.progress import HarnessError, ended, own_environment, watched


def lints() -> tuple[int, int]:
    """``ruff check``; like clippy, it adds nothing to the count unless it finds something."""
    return _checked("check")


def formatting() -> tuple[int, int]:
    """``ruff format --check``; ``make fmt`` formats."""
    return _checked("format", "--check")


def in_order() -> tuple[int, int]:
    """Floors, sizes, and every SQL function complete: ``tests/house.py``."""
    if faults := house.faults():
        raise HarnessError("\n".join(faults))
    return 0, 0


# By the names of their stages.
CHECKS = {"house": in_order, "ruff check": lints, "ruff format": formatting}


def _checked(*command: str) -> tuple[int, int]:
    watched([*_ruff(), *command, "."], " ".join(("ruff", *command)), env=own_environment(), cwd=REPO)
    return 0, 0


def _ruff() -> list:
    return [venv.tests(), "-m", "ruff"]


def _format() -> int:
    """Sort imports and format; the exit status."""
    steps = (["check", "--quiet", "--select", "I", "--fix"], ["format"])
    return max(subprocess.run([*_ruff(), *step, "."], cwd=REPO).returncode for step in steps)


if __name__ == "__main__":
    sys.exit(ended(_format))
