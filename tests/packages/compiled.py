"""Compiling for packages, so that two builds are the same bytes; and what compiled files need of a system."""

import os
import re
import tempfile
from pathlib import Path

from harness import build, debian, targets
from harness.places import REPO, run_dir
from harness.postgres import Install
from harness.progress import HarnessError, own_environment, quiet

# A build for a package is the one that is measured. PROFILE=quick is for work on the packaging.
PROFILE = "release"
DAEMON_PROFILE = "daemon"
# The directories of a build are part of its panic messages; these stand for them.
SOURCES, CRATES = "/usr/src/sendgate", "/usr/src/crates"
GLIBC = re.compile(r"\bGLIBC_(\d+(?:\.\d+)+)\b")


def library(install: Install, root: Path = REPO, profile: str | None = None, **variables: str) -> bytes:
    """The extension's library for this PostgreSQL, without debug symbols."""
    profile = profile or chosen_profile()
    target = root / "target/package" / f"pg{install.major}"
    targets.begin(target, profile)
    command = ["cargo", "build", "--locked", "--profile", profile, "-p", build.EXTENSION]
    command += ["--features", f"pg{install.major}", "--target-dir", target]
    what = f"building {build.EXTENSION} {build.default_version(root)} for PostgreSQL {install.major}, for its package"
    environment = build.cargo_environment(install) | same_everywhere(root) | variables
    build.cargo(command, what, environment, f"package-pg{install.major}", root)
    return stripped(target / profile / f"lib{build.EXTENSION}.so")


def chosen_profile() -> str:
    """The profile that the environment names, as for other builds, or that of packages."""
    return os.environ.get("PROFILE") or PROFILE


def program(root: Path = REPO, profile: str = DAEMON_PROFILE, **variables: str) -> bytes:
    """The daemon, without debug symbols."""
    target = root / "target/package/daemon"
    command = ["cargo", "build", "--locked", "--profile", profile, "-p", build.DAEMON, "--target-dir", target]
    debian.compilers()
    environment = own_environment() | same_everywhere(root) | variables
    what = f"building {build.DAEMON} {build.default_version(root)} for its package"
    build.cargo(command, what, environment, "package-daemon", root)
    return stripped(target / profile / build.DAEMON)


def same_everywhere(root: Path) -> dict[str, str]:
    """Compiler flags that keep this machine's directories out of the files."""
    crates = Path(os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser())
    flags = [f"--remap-path-prefix={crates}={CRATES}", f"--remap-path-prefix={root}={SOURCES}"]
    return {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}


def stripped(path: Path) -> bytes:
    """The file without symbols that only a debugger reads."""
    with tempfile.TemporaryDirectory(dir=run_dir()) as directory:
        target = Path(directory, path.name)
        options = ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"]
        quiet(["strip", *options, "-o", target, path])
        return target.read_bytes()


def licences(root: Path, package: str, *features: str) -> bytes:
    """The crates in a compiled file with their licences, one a line."""
    command = ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]
    command += ["--format", "{p} | {l} | {r}", *(["--features", *features] if features else [])]
    said = quiet(command, env=own_environment(), cwd=root)
    # A crate of this repository is named with its directory.
    lines = {re.sub(r" \((?:proc-macro|\*|/[^)]*)\)", "", line).strip() for line in said.splitlines()}
    crates = "".join(f"{line}\n" for line in sorted(lines) if line)
    return f"Crates in {package}, each with its version, licence and home:\n\n{crates}".encode()


def debian_libraries(contents: list[bytes], packages: dict[str, str]) -> list[str]:
    """The packages of the libraries that compiled files need, libc with the least version that does."""
    needed: set[str] = set()
    version = (0,)
    for content in contents:
        libraries, least = needs(content)
        needed |= libraries
        version = max(version, least)
    if unknown := needed - packages.keys():
        raise HarnessError(
            f"no package is known for {', '.join(sorted(unknown))}.\nAdd it to LIBRARIES of packages/deb.py."
        )
    named = sorted({packages[library] for library in needed})
    return [f"{name} (>= {'.'.join(map(str, version))})" if name == "libc6" else name for name in named]


def needs(content: bytes) -> tuple[set[str], tuple[int, ...]]:
    """The shared libraries that a compiled file names, and the least version of glibc that has all it calls."""
    with tempfile.TemporaryDirectory(dir=run_dir()) as directory:
        path = Path(directory, "file")
        path.write_bytes(content)
        said = quiet(["readelf", "--wide", "--dynamic", "--version-info", path], env=own_environment({"LC_ALL": "C"}))
    libraries = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", said))
    versions = [tuple(map(int, found.split("."))) for found in GLIBC.findall(said)]
    return libraries, max(versions, default=(0,))
