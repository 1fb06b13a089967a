"""Private virtual environments: one with psycopg, for the e2e tests and the demo; one for each tool."""

import importlib
import sys
from pathlib import Path

from .progress import HarnessError, own_environment, progress, quiet, watched
from .places import locked, run_dir
from .wheel import building, is_stamped, pip

REQUIREMENTS = ["psycopg[binary]==3.3.9"]
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
                script.unlink()  # it names the directory before the rename; nobody needs it
            site = next(work.glob("lib/python*/site-packages"))
            command = pip() + ["install", "--only-binary=:all:", "--target", str(site)]
            try:
                watched(command + requirements, f"installing {requirements[0]}")
            except HarnessError as error:
                raise HarnessError(
                    f"{error}\nCould not install {' '.join(requirements)}. Check the network and "
                    "pip's settings (python3 -m pip config list), and run the same command again."
                ) from error
    return python


def stamp_of(requirements: list[str] = REQUIREMENTS) -> str:
    """What an environment is marked with that was completed with these packages for this interpreter."""
    return f"{' '.join(requirements)} for {sys.version} at {sys.base_prefix}\n"


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
