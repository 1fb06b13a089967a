"""The results of whole test runs, each with the commit that was tested: ``make release-check`` asks for them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .places import REPO, RESULTS
from .progress import HarnessError, quiet

DIRECTORY = RESULTS / "verdicts"


@dataclass(frozen=True)
class Verdict:
    """The result of the last whole run of one command."""

    commit: str
    # Files that were not as committed.
    changed: int
    passed: int
    failed: int


def note(command: str, passed: int, failed: int) -> None:
    """Keep the result of a whole run, such as of ``test``; where there is no git, no result can name its commit."""
    try:
        verdict = Verdict(head(REPO), len(changed(REPO)), passed, failed)
    except HarnessError:
        return
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    (DIRECTORY / f"{command}.json").write_text(json.dumps(asdict(verdict)) + "\n")


def last(command: str, directory: Path = DIRECTORY) -> Verdict | None:
    """The result of the last whole run; None if there was none."""
    path = directory / f"{command}.json"
    return Verdict(**json.loads(path.read_text())) if path.exists() else None


def head(root: Path) -> str:
    """The commit at hand."""
    return quiet(["git", "-C", root, "rev-parse", "HEAD"]).strip()


def changed(root: Path) -> list[str]:
    """Files that are not as committed."""
    return quiet(["git", "-C", root, "status", "--porcelain"]).splitlines()
