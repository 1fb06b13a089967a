"""Builds the extension with plain cargo and puts its files into an ``Install``.

Also a command, which is ``make install``; with ``files PG_CONFIG LIBRARY`` it only copies the built files.
"""

import functools
import os
import re
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":  # its neighbours have names of the standard library, such as venv
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import debian, failures, preflight, targets
from harness.places import REPO, locked
from harness.postgres import Install
from harness.progress import CommandFailed, HarnessError, own_environment, progress, watched

EXTENSION = "sendgate"
DAEMON = "sendgated"
CONTROL = f"extension/{EXTENSION}.control"
# The version on which a run of all versions tests the library as it is installed. What the compiler's optimisation
# may break does not depend on the server's version, and building each version that way takes a minute more.
AS_INSTALLED = 18
# The environment variable by which such a run tells its processes how the other versions' libraries are built.
OTHERS = "SENDGATE_PROFILE_OF_OTHERS"


def cargo_environment(install: Install) -> dict[str, str]:
    """The environment in which cargo builds for this PostgreSQL."""
    variables = debian.toolchain() | {"PGRX_PG_CONFIG_PATH": str(install.pg_config)}
    if install.library_path:
        variables["LD_LIBRARY_PATH"] = str(install.library_path)
    return own_environment(variables)


def target_dir(install: Install) -> Path:
    """Each PostgreSQL version has its own: the library has the same name for all, so they would replace each other's."""
    return REPO / "target" / f"pg{install.major}"


def profile_of(major: int) -> str:
    """How the library for this version is built: as it is installed and measured, unless ``PROFILE`` or the run says
    otherwise."""
    others = os.environ.get(OTHERS) if major != AS_INSTALLED else None
    return os.environ.get("PROFILE") or others or "release"


def build(install: Install, profile: str | None = None, with_daemon: bool = False) -> Path:
    """Build the extension for this PostgreSQL, as the caller or ``profile_of`` says; the path of the shared library.

    ``with_daemon`` lets one run of cargo build both where nothing is built yet, see ``is_with_daemon``.
    """
    profile = profile or profile_of(install.major)
    target = target_dir(install)
    both = is_with_daemon(target, profile, with_daemon)
    targets.begin(target, profile)
    packages = [EXTENSION, DAEMON] if both else [EXTENSION]
    command = ["cargo", "build", "--profile", profile, *(part for name in packages for part in ("-p", name))]
    command += ["--features", f"{EXTENSION}/pg{install.major}", "--target-dir", target]
    what = f"building {' and '.join(packages)} for PostgreSQL {install.major}"
    cargo(command, what, cargo_environment(install), f"build-pg{install.major}")
    return target / profile / f"lib{EXTENSION}.so"


def is_with_daemon(target: Path, profile: str, wanted: bool = False) -> bool:
    """Whether the daemon is built together with the extension, in the folder ``target``.

    One run of cargo compiles once what both need, some fifty crates, and keeps every processor busy: a fifth less
    than two runs. But crates then have the features that either asks for, so that a folder stays with what it began
    with, or cargo would compile them anew each time. Where the tests have built a daemon of their own, that one is used.
    """
    if (target.parent / "daemon").exists() or profile != "quick":
        return False
    return (target / profile / DAEMON).exists() or (wanted and not (target / profile).exists())


def build_both(install: Install, profile: str) -> tuple[Path, Path]:
    """The extension's library and the daemon's program, in the least time; what ``make run`` calls."""
    library = build(install, profile, with_daemon=True)
    if is_with_daemon(target_dir(install), profile):
        return library, library.with_name(DAEMON)
    as_tested = (REPO / "target/daemon/daemon").exists()
    return library, build_daemon("daemon" if as_tested else "quick")


@functools.cache
def build_daemon(profile: str = "daemon") -> Path:
    """Build ``sendgated``, once a run and for all PostgreSQL versions; the path of the program."""
    target = REPO / "target" / "daemon"
    command = ["cargo", "build", "--profile", profile, "-p", DAEMON, "--target-dir", target]
    debian.compilers()
    cargo(command, f"building {DAEMON}", own_environment(), "build-daemon")
    return target / profile / DAEMON


def cargo(command: list, what: str, environment: dict[str, str], log: str, root: Path = REPO) -> None:
    """Run cargo; if it fails, the compiler's first error and where the whole log is."""
    try:
        watched(command, what, env=environment, cwd=root)
    except CommandFailed as failure:
        raise failures.explained(failure, what, log) from failure


def install_files(install: Install, library: Path) -> None:
    """Put library, control file and SQL scripts where this PostgreSQL looks for them."""
    extensions = install.sharedir / "extension"
    for directory in (install.pkglibdir, extensions):  # before the first file, so that none is left alone
        if not os.access(directory, os.W_OK):
            raise HarnessError(f"cannot write into {directory}; nothing was installed.")
    _replace(install.pkglibdir / f"{EXTENSION}.so", library.read_bytes(), 0o755)
    scripts = {f"{EXTENSION}--{default_version()}.sql": install_script().encode()}
    for delta in (REPO / "sql").glob(f"{EXTENSION}--*--*.sql"):
        scripts[delta.name] = delta.read_bytes()
    # Files that stay are replaced, never truncated: a server of another run may be reading them.
    for found in extensions.glob(f"{EXTENSION}--*.sql"):
        if found.name not in scripts:
            found.unlink()
    _replace(extensions / f"{EXTENSION}.control", (REPO / CONTROL).read_bytes())
    for name, script in scripts.items():
        _replace(extensions / name, script)


def scripts_lock(install: Install) -> str:
    """The name of the lock for changing which scripts are installed there."""
    return f"scripts-pg{install.major}"


def build_and_install(install: Install, profile: str | None = None) -> None:
    """Both steps; what ``make test`` calls."""
    install_built(install, build(install, profile))


def install_built(install: Install, library: Path) -> None:
    """Install while no other run does."""
    with locked(scripts_lock(install)):
        install_files(install, library)
    progress(f"  {EXTENSION} {default_version()} installed into {install.sharedir.parent}")


def default_version(root: Path = REPO) -> str:
    """The version that ``CREATE EXTENSION`` installs, from the control file of these sources."""
    found = re.search(r"^default_version\s*=\s*'([^']+)'", (root / CONTROL).read_text(), re.MULTILINE)
    if found is None:
        raise HarnessError(f"{root / CONTROL} names no default_version = '…'.")
    return found[1]


def install_script(root: Path = REPO) -> str:
    """The install script: the numbered files of ``sql/`` one after the other."""
    parts = sorted((root / "sql").glob("[0-9][0-9]_*.sql"))
    if not parts:
        raise HarnessError(f"There are no numbered files in {root / 'sql'} to install.")
    return "\n".join(f"-- sql/{part.name}\n{part.read_text()}" for part in parts)


def _replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write beside the file and rename, so that a server never loads half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.chmod(mode)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise HarnessError(f"cannot write {path}: {error.strerror}") from error


def _main() -> None:
    """``make install``: build for PG_CONFIG and install there, unlike everything else here."""
    preflight.check("install")
    install = Install.at(os.environ.get("PG_CONFIG") or shutil.which("pg_config"))
    library = build(install)
    if not all(os.access(place, os.W_OK) for place in (install.pkglibdir, install.sharedir / "extension")):
        # Building needs your cargo, installing needs root: so first the one, then the other.
        raise HarnessError(
            f"Built {library}, but {install.pkglibdir} is not yours to write.\n"
            f"Run: sudo {sys.executable} {__file__} files {install.pg_config} {library}"
        )
    install_files(install, library)
    progress(f"installed; now in psql: CREATE EXTENSION {EXTENSION};")


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["files"]:
            install_files(Install.at(sys.argv[2]), Path(sys.argv[3]))
        else:
            _main()
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
