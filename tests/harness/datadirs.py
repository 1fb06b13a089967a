"""Data directories of throwaway servers: new ones, and what killed runs left behind."""

import contextlib
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from .places import is_roomy, memory_dir, server_dir
from .postgres import Install

# Written last when a data directory is made, so its presence says that the directory is whole.
CONF = "harness.conf"
SOCKET_PREFIX = "sendgate-"


def throwaway(install: Install, in_memory: bool = False) -> Path:
    """A new directory below ``data``, in memory where that is wanted and there is room; those that killed runs left
    behind are cleared first."""
    on_disk, memory = server_dir() / "data", memory_dir()
    on_disk.mkdir(exist_ok=True)
    on_disk.chmod(0o755)
    for place in (on_disk, *filter(None, [memory])):
        for old in place.glob("throwaway-*"):
            pid = old.name.split("-")[1]
            if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
                _clear(old)
    base = memory if in_memory and memory and is_roomy(memory) else on_disk
    prefix = f"throwaway-{os.getpid()}-pg{install.major}-"
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    directory.rmdir()
    return directory


def _clear(datadir: Path) -> None:
    """Stop what still runs in a directory whose run is gone, and remove it."""
    if pid := server_pid(datadir):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGQUIT)
    with contextlib.suppress(OSError):
        line = re.search(r"unix_socket_directories = '(.+)'", (datadir / CONF).read_text())
        if line and Path(line[1]).name.startswith(SOCKET_PREFIX):
            shutil.rmtree(line[1], ignore_errors=True)
    shutil.rmtree(datadir, ignore_errors=True)


def server_pid(datadir: Path) -> int | None:
    """The server that runs in this directory; process numbers are recycled, so look closely."""
    try:
        pid = int((datadir / "postmaster.pid").read_text().split("\n", 1)[0])
        if Path("/proc/self").exists():
            return pid if str(datadir) in Path(f"/proc/{pid}/cmdline").read_text() else None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid
