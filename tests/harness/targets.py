"""cargo's folders: one for each version of PostgreSQL. What they have in common is built once, and then copied.

The library has the same name for all versions, so that in one folder they would replace each other's. But only pgrx
knows the version: some ninety other crates, and the programs that run while it is built, are the same.
"""

import fcntl
import os
import re
import shutil
from pathlib import Path

# Files and folders of the crates that are built for one version, and of the daemon; the hash is cargo's.
OF_ONE_VERSION = re.compile(r"(lib)?(pgrx[-_]pg[-_]sys|pgrx|sendgated?)(-[0-9a-f]{16}.*|\.\w+)?$")
# cargo holds this lock while it builds in the folder.
LOCK = ".cargo-lock"


def begin(target: Path, profile: str) -> None:
    """Give a version's folder that has nothing of the profile yet what another version's has."""
    if (target / profile).exists():
        return
    for other in sorted(target.parent.glob("pg*")):
        if (other / profile / LOCK).exists() and _copied(other / profile, target / profile):
            return


def _copied(source: Path, target: Path) -> bool:
    """Copy all but what is for one version; False if it cannot be, and then cargo builds everything."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with (source / LOCK).open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not while it is being built in
            # Times are kept: cargo compares them with those of the sources.
            shutil.copytree(source, fresh, symlinks=True, ignore=_of_one_version)
        fresh.rename(target)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        return False
    return True


def _of_one_version(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name == LOCK or OF_ONE_VERSION.fullmatch(name)]
