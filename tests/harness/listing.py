"""Names of the Python tests: which there are, and which ``make test ONLY=…`` means."""

import re
from pathlib import Path

from .places import REPO

TESTS = REPO / "tests"
# Where pytest looks; pyproject.toml names the same two.
PLACES = ("e2e", "harness_tests")


def is_asked_for(only: str | None, file: Path, function: str) -> bool:
    """Whether a test is meant by its path and name, such as ``e2e/gate/test_slots.test_one_slot``.

    The subject's folder may be left out.
    """
    if only is None:
        return True
    name = f"{file.stem}.{function}"
    inside = file.relative_to(TESTS)
    return only in f"{inside.parent}/{name}" or only in f"{inside.parts[0]}/{name}"


def asked_for(only: str | None) -> int:
    """How many test functions are meant, without importing them."""
    files = [file for place in PLACES for file in (TESTS / place).rglob("test_*.py")]
    return sum(
        is_asked_for(only, file, function)
        for file in files
        for function in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    )
