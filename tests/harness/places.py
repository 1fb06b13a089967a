"""Where private files live, and as whom PostgreSQL runs.

PostgreSQL refuses to run as root. Root therefore starts servers as ``postgres``, or as ``nobody``
where there is no such user; other users start them as themselves. A clone below ``/root`` cannot
be entered by ``postgres``, so everything that a server touches then moves to a directory below the
system's temporary one.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .progress import HarnessError, progress

# Files in memory. The servers of a whole run have a few gigabytes at most, half of it WAL.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 8 * 2**30
REPO = Path(__file__).resolve().parents[2]
RUN = REPO / ".run"
RESULTS = REPO / "tests" / "results"


# What this process has locked: it need not wait for itself.
_held: set[str] = set()


@dataclass(frozen=True)
class Account:
    """An operating-system user that a server can run as."""

    name: str
    uid: int
    gid: int

    def as_popen(self) -> dict:
        """Arguments that make ``subprocess`` start the child as this user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give a file or directory to this user."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """The user that runs PostgreSQL: yourself, or an unprivileged user if you are root."""
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return _account(pwd.getpwnam(name))
    raise HarnessError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody.\n"
        "Create one (useradd --system postgres) or run make as an ordinary user."
    )


def owner(path: Path) -> Account:
    """The user that a file belongs to."""
    status = path.stat()
    try:
        return _account(pwd.getpwuid(status.st_uid))
    except KeyError:
        return Account(str(status.st_uid), status.st_uid, status.st_gid)


def reaches(account: Account, directory: Path) -> bool:
    """Whether that user can enter and list the directory."""
    probe = ["/bin/sh", "-c", 'cd "$1" && test -r .', "sh", str(directory)]
    try:
        done = subprocess.run(probe, cwd="/", capture_output=True, **account.as_popen())
    except PermissionError as error:
        raise HarnessError(
            f"PostgreSQL does not run as root, and this root may not become {account.name}.\n"
            "Run make as an ordinary user."
        ) from error
    return done.returncode == 0


@functools.cache
def server_dir() -> Path:
    """The directory for what servers touch: ``.run``, or a stand-in that they can enter."""
    run_dir()
    account = server_account()
    if reaches(account, RUN):
        return RUN
    for candidate in _stand_ins():
        _own_directory(candidate)
        if reaches(account, candidate):
            progress(f"{account.name} cannot enter {REPO}; server files go to {candidate}")
            return candidate
    raise HarnessError(
        f"The user {account.name}, who runs PostgreSQL here, can enter neither {REPO}\n"
        f"nor {tempfile.gettempdir()}. Clone to a directory that every user can enter."
    )


def memory_dir() -> Path | None:
    """A directory in memory that servers can enter, or None where there is none."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    place = MEMORY / _stand_in()
    _own_directory(place)
    return place if reaches(server_account(), place) else None


def is_roomy(directory: Path) -> bool:
    """Whether the data of a run's servers has room there, and in the machine's memory."""
    status = os.statvfs(directory)
    facts = Path("/proc/meminfo").read_text() if Path("/proc/meminfo").exists() else ""
    left = re.search(r"^MemAvailable: *(\d+) kB", facts, re.MULTILINE)
    return left is not None and min(status.f_bavail * status.f_frsize, int(left[1]) * 1024) >= MEMORY_BYTES_MIN


def run_dir() -> Path:
    """``.run`` in the repository: private tools and data, never committed."""
    if os.geteuid() == 0:
        os.umask(0o022)  # the user who runs the server has to read what is made from here on
    RUN.mkdir(exist_ok=True)
    if RUN.stat().st_uid == os.geteuid():
        RUN.chmod(0o755)
    return RUN


@contextlib.contextmanager
def locked(name: str):
    """One process at a time prepares one thing; a second one waits for the first."""
    if name in _held:
        yield
        return
    path = run_dir() / f"{name}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another run that prepares {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(name)
        try:
            yield
        finally:
            _held.remove(name)


def clean() -> None:
    """Remove everything that was made: ``make clean``."""
    for path in (RUN, RESULTS, REPO / "target", REPO / "dist", *_stand_ins(), MEMORY / _stand_in()):
        if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
            progress(f"removing {path}")
            shutil.rmtree(path)


def _stand_ins() -> list[Path]:
    """Where server files go if the repository is closed to the user who runs the server."""
    return [Path(base, _stand_in()) for base in (tempfile.gettempdir(), "/var/tmp")]


def _stand_in() -> str:
    """The name of a directory of this repository's below a shared one."""
    digest = hashlib.sha256(str(REPO).encode()).hexdigest()[:8]
    return f"sendgate-{os.geteuid()}-{digest}"


def _own_directory(path: Path) -> None:
    """Create a directory below a shared one, and refuse one that another user planted."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o755)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise HarnessError(f"{path} exists and is not a directory of yours; remove it.")
    path.chmod(0o755)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
