"""Private virtual environments: one with psycopg, for the demo; one for the Python tests; one for each tool."""

import importlib
import importlib.util
import sys
from pathlib import Path

from .places import locked, run_dir
from .progress import HarnessError, own_environment, progress, quiet, watched
from .wheel import building, is_stamped, pip

REQUIREMENTS = ["psycopg[binary]==3.3.9"]
# What pytest needs is pinned as well, or the tests of one day would run with the packages of another.
TESTS = [
    *REQUIREMENTS,
    "pytest==9.2.0", "iniconfig==2.3.1", "packaging==26.4", "pluggy==1.7.0", "pygments==2.21.0",
    "pytest-timeout==2.4.0", "pytest-xdist==3.8.0", "execnet==2.1.2",
    "ruff==0.17.6",
    # Frameworks whose sessions begin transactions by themselves.
    "sqlalchemy==2.1.9", "typing_extensions==4.16.0",
    "django==5.2.19", "asgiref==3.13.0", "sqlparse==0.6.1",
]  # fmt: skip
PGSPOT = ["pgspot==0.9.4", "pglast==7.21"]


def ensure(name: str = "venv", requirements: list[str] = REQUIREMENTS) -> Path:
    """Make the environment unless it is there already; the path of its interpreter."""
    home = run_dir() / name
    stamp = stamp_of(requirements)
    python = home / "bin" / "python"
    with locked(name):
        if is_stamped(home, stamp):
            return python
        progress(f"making a private Python environment with {' '.join(requirements)} (once)")
        with building(home, stamp) as work:
            # Without pip inside: Debian's python3 has no ensurepip, and the pip outside can do it.
            quiet([sys.executable, "-m", "venv", "--without-pip", work], env=own_environment())
            for script in work.glob("bin/[aA]ctivate*"):
                script.unlink()  # it names the directory before the rename, and is not needed
            site = next(work.glob("lib/python*/site-packages"))
            command = pip() + ["install", "--only-binary=:all:", "--target", str(site)]
            try:
                watched(command + requirements, f"installing {requirements[0]}")
            except HarnessError as error:
                raise HarnessError(
                    f"{error}\nCould not install {' '.join(requirements)}. Check the network and "
                    "pip's settings (python3 -m pip config list), and run the same command again."
                ) from error
            _add_programs(work, site)
            _lend_pip(site)
    return python


def stamp_of(requirements: list[str] = REQUIREMENTS) -> str:
    """What an environment is marked with that was completed with these packages for this interpreter."""
    return f"{' '.join(requirements)} for {sys.version} at {sys.base_prefix}\n"


def tests() -> Path:
    """The interpreter with everything that the Python tests need."""
    return ensure("tests", TESTS)


def _add_programs(home: Path, site: Path) -> None:
    """Programs that people call by their names: pip put them aside, because it installs into a mere directory."""
    if (site / "pytest").exists():
        program = home / "bin" / "pytest"
        program.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pytest "$@"\n')
        program.chmod(0o755)
    if (ruff := site / "bin" / "ruff").exists():
        (home / "bin" / "ruff").symlink_to(Path("..") / ruff.relative_to(home))


def _lend_pip(site: Path) -> None:
    """What runs inside, such as a test, may have to fetch something; the environment has no pip of its own."""
    found = importlib.util.find_spec("pip")
    if found and found.origin:
        (site / "pip").symlink_to(Path(found.origin).parent)


def pgspot() -> list[str]:
    """The command that runs pgspot, which looks for holes in an extension's scripts."""
    return [str(ensure("pgspot", PGSPOT)), "-m", "pgspot"]


def use() -> None:
    """Make the packages importable in this very process."""
    home = ensure().parents[1]
    site = str(next(home.glob("lib/python*/site-packages")))
    if site not in sys.path:
        sys.path.insert(0, site)
        importlib.invalidate_caches()
