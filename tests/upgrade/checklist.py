"""``make release-check``: what is still missing for a release of the version at hand, each with what to do.

It reads files, git and the results of earlier runs, in a second, and changes nothing. Status 0: release it.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import build, preflight, verdicts
from harness.places import REPO
from harness.progress import HarnessError, ended, progress, quiet
from packages import content
from upgrade import releases

# The commands that have to have passed on the commit that is released.
TESTS = ("test", "test-packages", "test-fresh")
# Pages with measured figures. Each has to be younger than the release before.
FIGURES = {
    "docs/performance.md": "make bench, make bench-lists, make bench-written",
    "docs/operations.md": "make bench-books, make bench-bloat",
}
RELEASED = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", re.MULTILINE)
UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Missing(NamedTuple):
    """One line that says what, and one that says what to do."""

    what: str
    remedy: str


def committed(root: Path) -> Iterator[Missing]:
    """Everything is committed."""
    if files := verdicts.changed(root):
        yield Missing(
            f"{len(files)} files are not as committed: {', '.join(line[3:] for line in files[:3])}", "commit them"
        )


def versions(root: Path) -> Iterator[Missing]:
    """One version in every file, later than each release, and with no tag yet."""
    try:
        version = content.version(root)
    except HarnessError as error:
        what, _, remedy = str(error).partition("\n")
        yield Missing(what, remedy)
        return
    frozen = [home.name for home in (root / "tests/upgrade/releases").glob("*.*.*")]
    for older in frozen:
        if releases.numbers(older) >= releases.numbers(version):
            yield Missing(
                f"{older} is frozen already, and {version} is at hand", "begin the next version: make release"
            )
    if quiet(["git", "-C", root, "tag", "--list", f"v{version}"]).strip():
        yield Missing(f"there is a tag v{version} already", "begin the next version: make release")


def maintainer(root: Path) -> Iterator[Missing]:
    """Packages name a person who can be reached; META.json is the one place that says who."""
    if content.maintainer(root)[1] is None:
        yield Missing(
            "META.json names no maintainer with an address, which the packages give",
            'write there "maintainer": ["Name <address>"], of a host that receives mail',
        )


def changelog(root: Path) -> Iterator[Missing]:
    """The changes have a heading of this version with a date, and none are left without one."""
    text, version = (root / "CHANGELOG.md").read_text(), build.default_version(root)
    if version not in RELEASED.findall(text):
        yield Missing(
            f"CHANGELOG.md has no heading of {version}", f"write ## [{version}] - YYYY-MM-DD above its changes"
        )
    left = UNRELEASED.search(text)
    if left and left[1].strip():
        yield Missing("CHANGELOG.md has changes under [Unreleased]", f"move them below the heading of {version}")


def upgrades(root: Path) -> Iterator[Missing]:
    """A chain of scripts leads from every release to this version."""
    version = build.default_version(root)
    steps = {tuple(path.stem.split("--")[1:]) for path in (root / "sql").glob("sendgate--*--*.sql")}
    for home in sorted((root / "tests/upgrade/releases").glob("*.*.*")):
        reached = {home.name}
        while new := {to for start, to in steps if start in reached} - reached:
            reached |= new
        if version not in reached:
            yield Missing(
                f"no upgrade scripts lead from {home.name} to {version}", f"write sql/sendgate--…--{version}.sql"
            )
        if not (home / "data.sql").exists():
            yield Missing(f"{home.name} has no rows to be upgraded", f"git checkout -- {home.relative_to(root)}")


def pages(root: Path) -> Iterator[Missing]:
    """The README does not call this version unfinished."""
    version = build.default_version(root)
    if re.search(rf"{re.escape(version)} is in the making", (root / "README.md").read_text()):
        yield Missing(f"README.md says that {version} is in the making", "say that it is there (What is missing)")


def figures(root: Path) -> Iterator[Missing]:
    """Measured figures are of this version: each page was written after the release before."""
    frozen = sorted((root / "tests/upgrade/releases").glob("*.*.*"), key=lambda home: releases.numbers(home.name))
    if not frozen:
        return
    script = f"{frozen[-1].relative_to(root)}/install.sql"
    since = quiet(["git", "-C", root, "log", "-1", "--format=%H", "--", script]).strip()
    for page, command in FIGURES.items():
        if since and not quiet(["git", "-C", root, "log", "--format=%H", f"{since}..HEAD", "--", page]).strip():
            yield Missing(f"the figures of {page} are of {frozen[-1].name} or older", f"{command}; commit the page")


def tested(root: Path) -> Iterator[Missing]:
    """Each command's last whole run was on this commit, and passed."""
    head = verdicts.head(root)
    for command in TESTS:
        verdict = verdicts.last(command, root / "tests/results/verdicts")
        if verdict is None:
            yield Missing(f"make {command} has not been run here as a whole", f"make {command}")
        elif verdict.commit != head or verdict.changed:
            yield Missing(
                f"make {command} was run on {verdict.commit[:9]}, not on {head[:9]} as committed", f"make {command}"
            )
        elif verdict.failed or not verdict.passed:
            yield Missing(
                f"make {command}: {verdict.passed} passed, {verdict.failed} failed", "mend it, and run it again"
            )


def packages(root: Path) -> Iterator[Missing]:
    """dist/ has this version's packages for every PostgreSQL, with their sums, and none of another version."""
    dist, version = root / "dist", build.default_version(root)
    wanted = [f"postgresql-{major}-sendgate_{version}-*.deb" for major in preflight.supported()]
    wanted += [f"sendgate_{major}-{version}-*.rpm" for major in preflight.supported()]
    wanted += [f"sendgated_{version}-*.deb", f"sendgated-{version}-*.rpm", f"sendgate-{version}.zip"]
    lacking = [pattern for pattern in wanted if not list(dist.glob(pattern))]
    if lacking:
        yield Missing(
            f"dist/ lacks {lacking[0]}" + f" and {len(lacking) - 1} more" * (len(lacking) > 1), "make package"
        )
        return
    sums = (dist / "SHA256SUMS").read_text() if (dist / "SHA256SUMS").exists() else ""
    for path in sorted(dist.iterdir()):
        if path.name != "SHA256SUMS" and f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" not in sums:
            yield Missing(f"dist/SHA256SUMS does not have the sum of {path.name}", "rm -r dist && make package")
        if path.name != "SHA256SUMS" and version not in path.name:
            yield Missing(f"dist/{path.name} is of another version", f"rm dist/{path.name} && make package")
    built, head = verdicts.last("package", root / "tests/results/verdicts"), verdicts.head(root)
    if built is None or built.commit != head or built.changed:
        what = f"of {built.commit[:9]}" if built else "of an unknown commit"
        yield Missing(f"the packages are {what}, not of {head[:9]} as committed", "make package")


CHECKS: dict[str, Callable[[Path], Iterator[Missing]]] = {
    "everything is committed": committed,
    "one version in every file": versions,
    "the maintainer": maintainer,
    "the changelog": changelog,
    "upgrade scripts": upgrades,
    "the README": pages,
    "measured figures": figures,
    "tests": tested,
    "packages": packages,
}


def main() -> int:
    """Each check as a line, and under it what is missing; the exit status."""
    count = 0
    for name, check in CHECKS.items():
        found = list(check(REPO))
        count += len(found)
        progress(f"{'missing' if found else 'ok':7}  {name}")
        for what, remedy in found:
            progress(f"           · {what}\n               {remedy}")
    version = build.default_version()
    if count:
        progress(f"\n{version}: {count} thing{'s' * (count > 1)} to do before it is released.")
        return 1
    progress(f"\n{version} can be released: git tag v{version}; publish dist/; then make release NEXT=….")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
