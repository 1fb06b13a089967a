"""PgBouncer for the tests: one that passes prepared statements through in transaction mode.

Debian 12 has an older one. There, the program of the next release is unpacked below ``.run`` with
the libraries that it was built for, and started by their own dynamic linker; nothing is installed.
"""

import os
import platform
import re
import shutil
from pathlib import Path

from . import debian
from .apt import install_packages
from .progress import HarnessError, quiet

# The first version that knows max_prepared_statements.
PREPARES = (1, 21)
# What the program and its libraries need that an older Debian has in no, or too old, a version.
# The rest belongs to every Debian.
LIBRARIES = ("libc6", "libcares2", "libevent-2.1-7t64", "libpam0g", "libssl3t64", "libsystemd0", "libzstd1")
LINKERS = {"x86_64": "usr/lib64/ld-linux-x86-64.so.2", "aarch64": "usr/lib/ld-linux-aarch64.so.1"}


def pgbouncer() -> Path:
    """A PgBouncer of at least the version `PREPARES`: the installed one, or the next release's."""
    installed = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(installed).exists() and debian.newer_source() is None:
        install_packages(["pgbouncer"], "PgBouncer, which the e2e tests use, is not installed")
    if Path(installed).exists() and version(Path(installed)) >= PREPARES:
        return Path(installed)
    source = debian.newer_source()
    if source is None:
        raise HarnessError(
            f"The e2e tests want PgBouncer {'.'.join(map(str, PREPARES))} or newer, and this system "
            "is no Debian whose next release could lend one.\nInstall a newer pgbouncer into PATH."
        )
    return _borrowed(source)


def version(program: Path) -> tuple[int, int]:
    """Major and minor version of that PgBouncer."""
    said = quiet([program, "--version"])
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    if not found:
        raise HarnessError(f"{program} --version names no version:\n{said}")
    return int(found[1]), int(found[2])


def _borrowed(source: str) -> Path:
    """The next release's program, behind a script that starts it with its own libraries."""
    machine = platform.machine()
    if machine not in LINKERS:
        raise HarnessError(f"PgBouncer is borrowed on {', '.join(LINKERS)} only; this is {machine}.")
    root = debian.unpacked("pgbouncer", also=LIBRARIES, source=source)
    libraries = f"$root/usr/lib/{machine}-linux-gnu"
    fresh, script = root / f"pgbouncer.{os.getpid()}", root / "pgbouncer"
    # Found from the script's own place: a directory of tests may be copied or moved.
    fresh.write_text(
        f"""#!/bin/sh
root=${{0%/*}}
exec "$root/{LINKERS[machine]}" --library-path "{libraries}" "$root/usr/sbin/pgbouncer" "$@"
"""
    )
    fresh.chmod(0o755)
    fresh.rename(script)
    return script
