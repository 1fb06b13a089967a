"""What a machine needs before anything is built: Python, Rust, a C compiler, space. Each check takes moments.

The standard library alone and no import of a neighbour, because this file also runs under a Python
that is too old for the rest (from 3.7 on), to name all that is missing at once.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterable, NamedTuple

REPO = Path(__file__).resolve().parents[2]
PYTHON_MIN = (3, 11)
C_PACKAGES = ["gcc", "libc6-dev"]
PIP_PACKAGES = ["python3-pip"]
RUSTUP = (
    "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
    ' && . "$HOME/.cargo/env"'
)
# What a build and a private PostgreSQL take; target/ alone is that large for one version.
FREE_MIB_MIN = 1500
PROBE_SECONDS_MAX = 10
PROGRAM = '#include <stddef.h>\n#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'


class Problem(NamedTuple):
    """Something that is missing: one line that says what, one that says what to do."""

    what: str
    remedy: str


class Findings(NamedTuple):
    """What a check found: problems stop the command; notes say what it will do by itself."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def problem(what: str, remedy: str) -> Findings:
    """A finding of one problem."""
    return Findings((Problem(what, remedy),))


def note(text: str) -> Findings:
    """A finding of one note."""
    return Findings((), (text,))


def joined(found: Iterable[Findings]) -> Findings:
    """The findings of several checks in one."""
    found = list(found)
    return Findings(
        tuple(problem for one in found for problem in one.problems),
        tuple(note for one in found for note in one.notes),
    )


def packages(what: str, names: Iterable[str], by_itself: bool = True) -> Findings:
    """Debian packages that are missing: the command that installs them, unless root gets that done ``by_itself``."""
    names = " ".join(names)
    if shutil.which("apt-get") is None:
        return problem(what, f"install it with your system's package manager; on Debian: {names}")
    if os.geteuid() == 0 and by_itself:
        return note(f"{what}: apt-get installs {names}")
    sudo = "" if os.geteuid() == 0 else "sudo "
    return problem(what, f"{sudo}apt-get install --no-install-recommends {names}")


def python(version: tuple = tuple(sys.version_info[:2])) -> Findings:
    """Whether this Python is new enough; if not, a newer one that is there already is named."""
    if version >= PYTHON_MIN:
        return Findings()
    wanted = ".".join(map(str, PYTHON_MIN))
    what = f"Python {wanted} or newer is needed; {sys.executable} is {'.'.join(map(str, version))}"
    for minor in range(20, PYTHON_MIN[1] - 1, -1):
        if shutil.which(f"python3.{minor}"):
            return problem(what, f"name the newer one: make PYTHON=python3.{minor} …")
    return problem(what, f"install one, and name it: make PYTHON=python{wanted} …")


def wanted_rust() -> str:
    """The version of Rust that ``rust-toolchain.toml`` asks for, such as ``1.95.0``."""
    text = (REPO / "rust-toolchain.toml").read_text()
    return re.search(r'^channel\s*=\s*"([^"]+)"', text, re.MULTILINE)[1]


def rust(tools: bool = False) -> Findings:
    """Whether cargo is there, with rustfmt and a rustc that is new enough; with ``tools`` also clippy."""
    wanted = wanted_rust()
    if shutil.which("cargo") is None:
        if Path("~/.cargo/bin/cargo").expanduser().exists():
            return problem("cargo is installed, but it is not in PATH", '. "$HOME/.cargo/env"   (or open a new shell)')
        return problem(f"there is no Rust: cargo is not in PATH; {wanted} is needed", RUSTUP)
    toolchains = _rustup_toolchains()
    is_there = any(line.startswith(f"{wanted}-") for line in toolchains)
    if toolchains and not is_there and not os.environ.get("RUSTUP_TOOLCHAIN"):
        if os.environ.get("RUSTUP_AUTO_INSTALL") == "0":
            return problem(f"Rust {wanted} is not installed", f"rustup toolchain install {wanted}")
        return note(f"Rust {wanted} is not installed: rustup fetches it")
    said = _said(["rustc", "--version"])
    version = re.match(r"rustc (\d+)\.(\d+)", said or "")
    if version is None:
        named = os.environ.get("RUSTUP_TOOLCHAIN") or wanted
        return problem(
            "there is a cargo, but no rustc that runs", f"rustup toolchain install {named}" if toolchains else RUSTUP
        )
    if (int(version[1]), int(version[2])) < tuple(map(int, wanted.split(".")[:2])):
        remedy = f"rustup toolchain install {wanted}" if toolchains else RUSTUP
        return problem(f"Rust {wanted} or newer is needed; this rustc is {version[1]}.{version[2]}", remedy)
    return _rust_components({"rustfmt": "rustfmt", **({"clippy": "clippy-driver"} if tools else {})})


def _rust_components(wanted: dict[str, str]) -> Findings:
    """Whether these programs of Rust's run; pgrx's build script runs rustfmt, and fails where there is none."""
    lacking = [name for name, program in wanted.items() if not _said([program, "--version"])]
    if not lacking:
        return Findings()
    return problem(f"{' and '.join(lacking)} cannot be run", f"rustup component add {' '.join(lacking)}")


def c_compiler() -> Findings:
    """Whether ``cc`` compiles and links a program; one without the C library's headers does not."""
    if shutil.which("cc") is None:
        return packages("there is no C compiler (cc)", C_PACKAGES)
    command = ["cc", "-x", "c", "-", "-o", os.devnull]
    try:
        done = subprocess.run(
            command,
            input=PROGRAM,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=PROBE_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return problem(f"the C compiler (cc) does not run: {error}", "mend it, or put another one first in PATH")
    if done.returncode == 0:
        return Findings()
    if re.search(r"stdio\.h|crt[1i]\.o|cannot find -lc\b|cannot find -l?gcc_s", done.stdout):
        return packages("the C compiler (cc) has no C library to compile with", ["libc6-dev"])
    first = (done.stdout.strip().splitlines() or ["it says nothing"])[0]
    return problem(f"the C compiler (cc) cannot build a program: {first}", "mend it, or put another one first in PATH")


def space(directory: Path = REPO, mib_min: int = FREE_MIB_MIN) -> Findings:
    """Whether there is room for what is built, unless most of it is built already."""
    if (directory / "target").exists():
        return Findings()
    free = shutil.disk_usage(str(directory)).free // 2**20
    if free >= mib_min:
        return Findings()
    return problem(
        f"{directory} has {free} MiB free; a build takes up to {mib_min} MiB", "make room, or clone elsewhere"
    )


def writable(directory: Path = REPO) -> Findings:
    """Whether the clone is this user's to write: ``sudo make`` leaves directories that belong to root."""
    closed = [
        path
        for path in (directory, directory / ".run", directory / "target", directory / "tests/results")
        if path.exists() and not os.access(str(path), os.W_OK)
    ]
    if not closed:
        return Findings()
    if os.statvfs(str(closed[0])).f_flag & os.ST_RDONLY:
        return problem(f"{closed[0]} is on a read-only file system", "clone to a directory that is yours to write")
    names = " ".join(map(str, closed))
    return problem(
        f"you may not write {names}", f'sudo chown -R "$(id -un)" {names}   (or clone to a place of your own)'
    )


def pip_here() -> bool:
    """Whether this interpreter has pip."""
    return importlib.util.find_spec("pip") is not None


def pip() -> Findings:
    """Whether this interpreter has pip; asked only if pip has something to fetch."""
    if pip_here():
        return Findings()
    return packages(f"{sys.executable} has no pip", PIP_PACKAGES)


def everything() -> Findings:
    """All of these checks: what a Python that is too old for the rest can say."""
    return joined([python(), rust(), c_compiler(), pip(), space(), writable()])


def told(findings: Findings) -> str:
    """The problems as the reader sees them, two lines each."""
    count = len(findings.problems)
    lines = [f"{count} thing{'s' if count > 1 else ''} to mend first; nothing was fetched, built or changed."]
    for what, remedy in findings.problems:
        lines += [f"  · {what}", f"      {remedy}"]
    return "\n".join(lines)


def _rustup_toolchains() -> list[str]:
    """The toolchains that rustup has, if the cargo in PATH is rustup's."""
    cargo, rustup = shutil.which("cargo"), shutil.which("rustup")
    if not rustup or Path(cargo).parent != Path(rustup).parent:
        return []
    return (_said(["rustup", "toolchain", "list"]) or "").splitlines()


def _said(command: list[str]) -> str | None:
    """What a quick program prints; None if it cannot be run. rustup's stand-ins install nothing meanwhile."""
    try:
        done = subprocess.run(
            command,
            cwd=str(REPO),
            env={**os.environ, "RUSTUP_AUTO_INSTALL": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=PROBE_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.strip() if done.returncode == 0 else None) or None
