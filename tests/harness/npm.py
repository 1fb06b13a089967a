"""Pinned packages of the npm registry, fetched once below ``.run``; no script of theirs runs."""

import shutil
from pathlib import Path

from .apt import install_packages
from .places import locked, run_dir
from .progress import own_environment, progress, watched
from .wheel import building, is_stamped


def package(pin: str) -> Path:
    """The directory of a package, which is named with its version, such as ``axe-core@4.11.0``."""
    name = pin.rpartition("@")[0]
    home = run_dir() / "npm" / name
    home.parent.mkdir(parents=True, exist_ok=True)
    with locked(f"npm-{name}"):
        if not is_stamped(home, pin):
            if shutil.which("npm") is None:
                install_packages(["npm"], f"npm, which fetches {name}, is not installed")
            progress(f"fetching {pin} (once)")
            with building(home, pin) as work:
                command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", work, pin]
                watched(command, f"fetching {pin}", env=own_environment())
    return home / "node_modules" / name
