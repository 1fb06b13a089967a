"""The source distribution as PGXN wants it: a zip with META.json in its one directory."""

import json
import zipfile
from pathlib import Path

from harness import build
from harness.places import REPO
from harness.progress import HarnessError, own_environment, quiet

# What PGXN's specification asks for in META.json.
REQUIRED = ("name", "version", "abstract", "maintainer", "license", "provides", "meta-spec")


def write(directory: Path, root: Path = REPO) -> Path:
    """Write the committed files into ``directory``; their times are the commit's."""
    version = build.default_version(root)
    check(root)
    target = directory / f"{build.EXTENSION}-{version}.zip"
    # git writes local times into a zip.
    archive = ["git", "archive", "--format=zip", f"--prefix={build.EXTENSION}-{version}/", f"--output={target}", "HEAD"]
    quiet(archive, env=own_environment({"TZ": "UTC"}), cwd=root)
    with zipfile.ZipFile(target) as written:
        names = set(written.namelist())
        for path in provided(root):
            if f"{build.EXTENSION}-{version}/{path}" not in names:
                raise HarnessError(f"META.json names {path}, which is not committed.\nCommit it, or change META.json.")
    return target


def check(root: Path = REPO) -> None:
    """Whether META.json is what PGXN takes."""
    meta = json.loads((root / "META.json").read_text())
    if lacking := [key for key in REQUIRED if not meta.get(key)]:
        raise HarnessError(f"META.json lacks {', '.join(lacking)}.\nSee https://pgxn.org/spec/.")


def provided(root: Path = REPO) -> list[str]:
    """The files that META.json names."""
    meta = json.loads((root / "META.json").read_text())
    return [path for one in meta["provides"].values() for path in (one["file"], one.get("docfile")) if path]
