"""Another revision of this repository, built by its own build script into a PostgreSQL of its own.

The PostgreSQL is a copy of the one that the present revision is built for, so both servers run the same
programs. It lies in ``.run/against/COMMIT-PROFILE`` (or where servers can enter, see ``harness/places.py``),
is complete once it carries a stamp, and is used again from then on; it may be copied to another clone. The
source is a git worktree that exists only while the revision is being built.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import build, libclang, wheel
from harness.places import REPO, locked, run_dir, server_dir
from harness.postgres import Install
from harness.progress import HarnessError, own_environment, progress, quiet, watched

DIGITS = 12  # of a commit's name, in a folder's name


@dataclass(frozen=True)
class Revision:
    """A commit of this repository."""

    commit: str
    subject: str

    @classmethod
    def named(cls, name: str) -> "Revision":
        """The commit that a name, such as ``HEAD~3`` or a tag, stands for."""
        try:
            commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except HarnessError as error:
            raise HarnessError(f"{name} is no commit of this repository.\nSee: git log --oneline") from error
        return cls(commit, _git("log", "-1", "--format=%s", commit))

    def __str__(self) -> str:
        return f"{self.commit[:DIGITS]} ({self.subject})"


def present() -> str:
    """The revision that is checked out, and whether its files have been edited since."""
    edited = ", with uncommitted changes" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{Revision.named('HEAD')}{edited}"


def sources() -> str:
    """Names what is built: the same as long as neither the extension nor its SQL changes."""
    named = " ".join(_git("rev-parse", "HEAD:extension", "HEAD:sql").split())
    edited = _git("status", "--porcelain", "--untracked-files=no", "--", "extension", "sql")
    return f"{named} edited" if edited else named


def profile() -> str:
    """The profile of cargo that is built. A revision from before ``PROFILE`` takes no notice of it."""
    return os.environ.get("PROFILE") or "release"


def installed(revision: Revision, ours: Install) -> Install:
    """A copy of our PostgreSQL with the revision's extension in it; built the first time."""
    root = _root(ours)
    folder = run_dir() / "against" if server_dir() == run_dir() else server_dir() / "against"
    target = folder / f"{revision.commit[:DIGITS]}-pg{ours.major}-{profile()}"
    stamp = f"{revision.commit} {ours.version} {profile()}\n"
    with locked("against"):
        if not wheel.is_stamped(target, stamp):
            folder.mkdir(exist_ok=True)
            progress(f"building {revision} for PostgreSQL {ours.version} (once)")
            with wheel.building(target, stamp) as work:
                shutil.copytree(root, work / root.name, symlinks=True)
                copy = _moved(ours, work / root.name)
                _clear(copy)
                _build(revision, copy)
    return _moved(ours, target / root.name)


def _build(revision: Revision, install: Install) -> None:
    """Run the revision's own ``make install`` in a worktree; it stays if that fails, to be looked into."""
    source = run_dir() / "against" / revision.commit[:DIGITS]
    if not (source / ".git").exists():
        # --force: the folder of an earlier worktree may have gone with .run.
        _git("worktree", "add", "--force", "--detach", str(source), revision.commit)
    variables = libclang.environment() | {"PG_CONFIG": str(install.pg_config)}
    command = [sys.executable, source / "tests" / "harness" / "build.py"]
    watched(command, f"building {revision.commit[:DIGITS]}", env=install.environment(variables), cwd=source)
    if not (install.pkglibdir / f"{build.EXTENSION}.so").exists():
        raise HarnessError(f"{revision} was built, and is not in {install.pkglibdir}.")
    _git("worktree", "remove", "--force", str(source))


def _root(install: Install) -> Path:
    """The folder of the private PostgreSQL that can be copied as a whole."""
    inside = install.bindir.relative_to(server_dir())
    return server_dir() / inside.parts[0]


def _moved(install: Install, root: Path) -> Install:
    """The same installation in a copy of its folder."""
    old = _root(install)
    libraries = install.library_path
    if libraries and libraries.is_relative_to(old):
        libraries = root / libraries.relative_to(old)
    return Install.at(root / install.pg_config.relative_to(old), libraries)


def _clear(install: Install) -> None:
    """Remove the present revision's extension, so that nothing of it stays beside the other's."""
    extensions = install.sharedir / "extension"
    for file in (*install.pkglibdir.glob(f"{build.EXTENSION}.so"), *extensions.glob(f"{build.EXTENSION}[.-]*")):
        file.unlink()


def _git(*arguments: str) -> str:
    """What git prints, in this repository."""
    return quiet(["git", *arguments], env=own_environment(), cwd=REPO).strip()
