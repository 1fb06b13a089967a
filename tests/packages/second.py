"""A second compilation, in another clone with crates elsewhere: the same bytes.

    python3 tests/packages/main.py --case clones

Compared are the newest version's library and the daemon, without the symbols that packages do not have either.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

from harness import build, postgres, verdicts
from harness.places import REPO, run_dir
from harness.progress import HarnessError, progress, quiet

from . import compiled


def compare(majors: list[int]) -> str:
    """Compile once more what packages of these versions hold; an AssertionError names what differs."""
    if changed := verdicts.changed(REPO):
        raise HarnessError(f"{len(changed)} files are not as committed: a clone has others.\nCommit them.")
    told = []
    with _clone() as other:
        for major in majors:
            install = postgres.for_version(major, progress)
            here = compiled.library(install)
            told.append(_same(f"{build.EXTENSION}.so for {major}", here, partial(compiled.library, install, other)))
        told.append(_same(build.DAEMON, compiled.program(), partial(compiled.program, other)))
    return f"compiled in two clones, the same bytes: {', '.join(told)}"


def _same(name: str, here: bytes, elsewhere: Callable[[], bytes]) -> str:
    """The file's name and the beginning of its sum."""
    with _crates_elsewhere():
        there = elsewhere()
    if here != there:
        for kind, content in (("here", here), ("there", there)):
            (run_dir() / f"differs-{kind}").write_bytes(content)
    assert here == there, f"{name} differs when it is compiled in another clone; see .run/differs-*"
    progress(f"  {name}: {hashlib.sha256(here).hexdigest()}")
    return f"{name} {hashlib.sha256(here).hexdigest()[:8]}"


@contextmanager
def _clone() -> Iterator[Path]:
    """Another clone of the commit at hand, with a longer name than this one; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="a-clone-in-another-place-", dir=run_dir()) as name:
        quiet(["git", "clone", "--quiet", "--no-tags", REPO, Path(name, "sendgate")])
        quiet(["git", "-C", Path(name, "sendgate"), "checkout", "--quiet", verdicts.head(REPO)])
        yield Path(name, "sendgate")


@contextmanager
def _crates_elsewhere() -> Iterator[None]:
    """A CARGO_HOME in another place: the crates that were fetched already, as links to the same files."""
    home = Path(os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser())
    with tempfile.TemporaryDirectory(prefix="crates-", dir=run_dir()) as name:
        for part in ("registry", "config.toml", "config"):
            if (home / part).exists():
                _linked(home / part, Path(name, part))
        with mock.patch.dict(os.environ, CARGO_HOME=name):
            yield


def _linked(source: Path, target: Path) -> None:
    """Links to all files, or copies where a link cannot be made."""
    try:
        quiet(["cp", "--archive", "--link", source, target])
    except HarnessError:
        shutil.rmtree(target, ignore_errors=True)
        quiet(["cp", "--archive", "--reflink=auto", source, target])
