"""The release before: its sources as git has them, and packages of them, to be upgraded in a test."""

import re
import subprocess
from pathlib import Path

from harness import build, postgres, wheel
from harness.places import REPO, locked, run_dir
from harness.progress import HarnessError, progress, quiet
from upgrade import releases

from . import compiled, content, deb, rpm

# What it does is tested, not how fast: built in a fraction of the time.
QUICK = {"CARGO_PROFILE_QUICK_OPT_LEVEL": "0", "CARGO_PROFILE_QUICK_LTO": "off"}


def sources() -> Path:
    """The sources of the newest frozen release, below ``.run``."""
    version = releases.released()[-1].version
    commit = commit_of(version)
    target = run_dir() / f"before-{version}"
    with locked(target.name):
        if not wheel.is_stamped(target, commit):
            progress(f"exporting the sources of {version} (once)")
            with wheel.building(target, commit) as work:
                archive = subprocess.run(["git", "-C", REPO, "archive", commit], check=True, capture_output=True).stdout
                subprocess.run(["tar", "--extract", "--directory", work], input=archive, check=True)
    if (named := build.default_version(target)) != version:
        raise HarnessError(f"the sources of {version} say that they are {named}.\nTag the right commit: v{version}.")
    return target


def commit_of(version: str) -> str:
    """The release's tag; without one, the commit before the one that froze it."""
    said = quiet(["git", "-C", REPO, "tag", "--list", f"v{version}"]).strip()
    if said:
        return quiet(["git", "-C", REPO, "rev-list", "-1", said]).strip()
    frozen = f"tests/upgrade/releases/{version}/install.sql"
    found = quiet(["git", "-C", REPO, "log", "--diff-filter=A", "--format=%H %P", "--", frozen]).split()
    if len(found) != 2 or not re.fullmatch(r"[0-9a-f]{40}", found[1]):
        raise HarnessError(
            f"git has no sources of {version} here.\nFetch the whole history: git fetch --unshallow --tags"
        )
    return found[1]


def packages(majors: list[int], directory: Path, epoch: int) -> list[Path]:
    """Debian's packages and RPMs of the release before, for these versions and of its daemon, in the directory."""
    root = sources()
    found = []
    for major in majors:
        library = compiled.library(postgres.for_version(major, progress), root, "quick", **QUICK)
        licences = compiled.licences(root, build.EXTENSION, f"pg{major}")
        for kind, layout in ((deb, content.DEBIAN), (rpm, content.PGDG_RPM)):
            found.append(kind.write(content.extension(root, layout, major, library, licences), directory, epoch))
    program = compiled.program(root, "quick", **QUICK)
    licences = compiled.licences(root, build.DAEMON)
    package = content.daemon(root, program, licences)
    found += [kind.write(package, directory, epoch) for kind in (deb, rpm)]
    return found
