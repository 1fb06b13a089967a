"""Data directories as initdb leaves them: made once for each installation, and copied for each throwaway server.

Each copy has an identity of its own, as if initdb had made it: sendgate tells databases apart by it.
"""

import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .places import Account, locked, server_dir
from .postgres import Install
from .progress import HarnessError

# Where ControlFileData keeps the identity, and XLogLongPageHeaderData, which begins each file of the WAL.
IN_CONTROL, IN_WAL = 0, 24
IDENTITY = struct.Struct("=Q")
CHECKSUM = struct.Struct("=I")
# The checksum follows what it is made of, which differs with the version.
CONTROL_BYTES = range(64, 1024, 4)


def copy(install: Install, account: Account, into: Path, initdb: Callable[[Path], None]) -> None:
    """Fill that empty directory of the account's; ``initdb(directory)`` makes what is copied, the first time."""
    seed = _place(install, account)
    with locked(seed.name):
        if not seed.exists():
            work = Path(tempfile.mkdtemp(prefix=f"{seed.name}.new-", dir=seed.parent))
            try:
                account.owns(work)
                initdb(work)
                work.rename(seed)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    subprocess.run(["cp", "-a", f"{seed}/.", str(into)], check=True)
    # As initdb makes it: seconds, microseconds, and the end of the process number.
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    _identify(into, seconds << 32 | rest // 1_000 << 12 | os.getpid() & 0xFFF)


def _place(install: Install, account: Account) -> Path:
    """Another one for another copy of PostgreSQL, and for another user."""
    status = install.program("postgres").stat()
    facts = f"{install.bindir} {status.st_size} {status.st_mtime_ns} {account.uid}"
    base = server_dir() / "data"
    base.mkdir(exist_ok=True)
    return base / f"seed-pg{install.major}-{hashlib.sha256(facts.encode()).hexdigest()[:8]}"


def _identify(datadir: Path, identity: int) -> None:
    """Give a stopped server's data another system identifier."""
    control = datadir / "global" / "pg_control"
    data = bytearray(control.read_bytes())
    size = next((n for n in CONTROL_BYTES if CHECKSUM.unpack_from(data, n)[0] == _crc32c(data[:n])), None)
    if size is None:
        raise HarnessError(f"{control} has no checksum where one is known to be.")
    before = bytes(data[: IDENTITY.size])
    IDENTITY.pack_into(data, IN_CONTROL, identity)
    CHECKSUM.pack_into(data, size, _crc32c(data[:size]))
    for file in (datadir / "pg_wal").iterdir():
        if re.fullmatch("[0-9A-F]{24}", file.name):
            with file.open("r+b") as wal:
                wal.seek(IN_WAL)
                if wal.read(IDENTITY.size) != before:
                    raise HarnessError(f"{file} has no identity where one is known to be.")
                wal.seek(IN_WAL)
                wal.write(IDENTITY.pack(identity))
    control.write_bytes(data)


def _crc32c(data: bytes) -> int:
    """Castagnoli's, as PostgreSQL computes it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0x82F63B78 * (value & 1)
    return value


_TABLE = [_entry(value) for value in range(256)]
