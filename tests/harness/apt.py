"""Installing packages of the system: as root with apt-get, else by telling the user how."""

import os
import shutil

from .places import locked
from .progress import HarnessError, own_environment, progress, watched

_updated = False


def install_packages(packages: list[str], why: str) -> None:
    """Install packages as root; as another user, raise an error that names the command."""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise HarnessError(
            f"{why}. Install it with your system's package manager; on Debian it would be:\n    {command}"
        )
    if os.geteuid() != 0:
        raise HarnessError(f"{why}. Install it with:\n    sudo {command}")
    progress(f"{why}: installing {' '.join(packages)}")
    # An installer that stops to ask a question would hang a build machine.
    environment = own_environment({"DEBIAN_FRONTEND": "noninteractive"})
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    with locked("apt"):  # a second apt-get would not wait, but fail
        _update_once(environment)
        watched(install, f"installing {' '.join(packages)}", env=environment)


def _update_once(environment: dict[str, str]) -> None:
    """Refresh the package lists, once in the life of this process."""
    global _updated
    if not _updated:
        watched(["apt-get", "update"], "refreshing the package lists", env=environment)
        _updated = True
