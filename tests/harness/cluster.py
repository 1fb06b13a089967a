"""A throwaway PostgreSQL server: its own data directory, port and socket, on 127.0.0.1 only."""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path

from . import datadirs, ports, seeds, session
from .datadirs import CONF, SOCKET_PREFIX
from .places import owner, reaches, server_account, server_dir
from .postgres import Install
from .progress import CommandFailed, HarnessError

LOG = "server.log"
# Starting includes crash recovery; stopping waits for a checkpoint.
WAIT_SECONDS = 60
CONNECT_SECONDS = 10
PORT_ATTEMPTS = 5
LOG_LINES = 30


class Cluster:
    """A server of one ``Install``.

    ``with Cluster(install) as cluster:`` creates, starts, stops and removes it. With a ``datadir``
    of your own the data stays; a throwaway one may be ``in_memory``. ``create()``, ``start()``,
    ``stop()`` work without ``with`` too; a server that is still running when the process ends is
    stopped then. ``conf`` are lines of postgresql.conf by name.
    """

    def __init__(
        self, install: Install, datadir: Path | None = None, conf: dict | None = None, in_memory: bool = False
    ):
        self.install = install
        self.throwaway = datadir is None
        self.datadir = Path(datadir) if datadir else datadirs.throwaway(install, in_memory)
        self.conf = dict(conf or {})
        self.port = 0
        self.host = "127.0.0.1"
        self.socket_dir: Path | None = None
        # A command before the server's programs, such as one that enters a namespace; it changes the user too.
        self.inside: list[str] = []
        exists = self.datadir.exists() and any(self.datadir.iterdir())
        # A server must run as the owner of its data, who may have been chosen by an earlier run.
        self.account = owner(self.datadir) if exists else server_account()

    def __enter__(self) -> "Cluster":
        try:
            self.create()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception) -> None:
        if self.throwaway:
            self.destroy()
        else:
            self.stop()

    # -- life ---------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the data directory with initdb, unless a whole one is there."""
        _stop_at_exit(self)
        if (self.datadir / CONF).exists():
            self._check_major()
            return
        if self.datadir.exists() and any(self.datadir.iterdir()):
            raise HarnessError(
                f"{self.datadir} is not empty, and not a data directory made by this harness.\n"
                "Choose another one, or remove it."
            )
        self.datadir.parent.mkdir(parents=True, exist_ok=True)
        if not reaches(self.account, self.datadir.parent):
            raise HarnessError(
                f"{self.account.name}, who runs PostgreSQL here, cannot enter "
                f"{self.datadir.parent}.\nChoose a data directory below {server_dir()}."
            )
        # Made beside its place and renamed: killing initdb half-way leaves nothing behind.
        work = Path(tempfile.mkdtemp(prefix=f"{self.datadir.name}.new-", dir=self.datadir.parent))
        try:
            self.account.owns(work)
            if self.throwaway:
                seeds.copy(self.install, self.account, work, self._initdb)
            else:
                self._initdb(work)
            with (work / "postgresql.conf").open("a") as file:
                file.write(f"\ninclude = '{CONF}'\n")
            self._write_conf(work)
            if self.datadir.exists():
                self.datadir.rmdir()
            work.rename(self.datadir)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers; the port stays the same over restarts."""
        if self.running():
            raise HarnessError(
                f"A server already runs in {self.datadir} (pid {self.pid}).\n"
                f"Another run may be using it; otherwise stop it: {self._stop_command()}"
            )
        _stop_at_exit(self)  # again, for a directory that create() was not called for
        first = self.port == 0
        for attempt in range(PORT_ATTEMPTS):
            if first:
                self.port = ports.free()
            self._make_socket_dir()
            self._write_conf(self.datadir)
            before = self._log_size()
            try:
                self.run(
                    "pg_ctl",
                    "start",
                    "--pgdata",
                    self.datadir,
                    "--wait",
                    "--timeout",
                    WAIT_SECONDS,
                    "--log",
                    self.datadir / LOG,
                    "--silent",
                )
                return
            except HarnessError as error:
                said = self.log_from(before).decode(errors="replace")
                if first and "Address already in use" in said and attempt + 1 < PORT_ATTEMPTS:
                    continue
                raise HarnessError(f"{error}\nIts log ends:\n{_tail(said)}") from error
            except BaseException:
                self.stop("immediate")
                raise

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs: ``fast``, or ``immediate``, which is a crash."""
        if self.running():
            try:
                self.run(
                    "pg_ctl",
                    "stop",
                    "--pgdata",
                    self.datadir,
                    "--mode",
                    mode,
                    "--wait",
                    "--timeout",
                    WAIT_SECONDS,
                    "--silent",
                )
            except HarnessError:
                if self.running() and mode == "fast":
                    self.stop("immediate")
                elif self.running():
                    raise
        if self.socket_dir:
            shutil.rmtree(self.socket_dir, ignore_errors=True)
            self.socket_dir = None

    def restart(self, mode: str = "fast") -> None:
        """Stop in that mode and start again on the same port."""
        self.stop(mode)
        self.start()

    def destroy(self) -> None:
        """Stop the server and remove its data."""
        self.stop("immediate")
        shutil.rmtree(self.datadir, ignore_errors=True)

    def running(self) -> bool:
        """Whether the server's main process is alive."""
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """The main process, or None if there is none."""
        return datadirs.server_pid(self.datadir)

    # -- settings -----------------------------------------------------------------------------

    def configure(self, **settings) -> None:
        """Set lines of postgresql.conf (None removes one) and reload; ``__`` stands for a dot.

        ``cluster.configure(sendgate__test_clock="on")``. Settings that need a restart take effect
        with the next one.
        """
        for name, value in settings.items():
            name = name.replace("__", ".")
            if value is None:
                self.conf.pop(name, None)
            else:
                self.conf[name] = value
        self._write_conf(self.datadir)
        if self.running():
            self.run("pg_ctl", "reload", "--pgdata", self.datadir, "--silent")

    # -- use ----------------------------------------------------------------------------------

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """A libpq connection string over TCP."""
        return f"host={self.host} port={self.port} dbname={dbname} user={user}"

    def psql(self, sql: str, db: str = "postgres", user: str = "postgres") -> str:
        """Run SQL (one statement or many) and return unaligned rows; the first error raises."""
        command = self._psql(db, user)
        if session.is_there() and (found := session.statements(sql)) is not None:
            try:
                return session.run(self.dsn(db, user), found, CONNECT_SECONDS).rstrip("\n")
            except session.SessionFailed as error:
                raise CommandFailed(command, error.status, error.output) from error
        done = subprocess.run(
            command,
            input=sql,
            env=self.install.environment({"PGCONNECT_TIMEOUT": str(CONNECT_SECONDS)}),
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
        return done.stdout.rstrip("\n")

    def _psql(self, db: str, user: str) -> list[str]:
        return [
            str(self.install.program("psql")),
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.dsn(db, user),
            "-f",
            "-",
        ]

    def fresh_database(self, name: str, extension: str | None = None) -> str:
        """Create a database, dropping one of that name first; ``extension`` is created in it."""
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.psql(f'CREATE DATABASE "{name}"')
        if extension:
            self.psql(f"CREATE EXTENSION {extension}", name)
        return name

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of the server's log."""
        return _tail(self.log_from(0).decode(errors="replace"), lines)

    def log_from(self, position: int) -> bytes:
        """The server's log from that byte on; empty if there is none."""
        try:
            with (self.datadir / LOG).open("rb") as file:
                file.seek(position)
                return file.read()
        except OSError:
            return b""

    # -- inside -------------------------------------------------------------------------------

    def _initdb(self, directory: Path) -> None:
        how = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.run("initdb", "--pgdata", directory, *how)

    def run(self, program: str, *arguments, directory: Path | None = None) -> None:
        """Run a server program as the account that owns the data, in a directory that it may need to write."""
        command = [*self.inside, str(self.install.program(program)), *map(str, arguments)]
        user = {} if self.inside else self.account.as_popen()
        try:
            with _signals_deferred():
                done = subprocess.run(
                    command,
                    env=self.install.environment({"LC_ALL": "C.UTF-8", "TZ": "UTC"}),
                    cwd=directory or self.datadir.parent,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    # Ctrl-C must not reach the server either: it is stopped in order, from here.
                    start_new_session=True,
                    **user,
                )
        except OSError as error:
            raise HarnessError(f"cannot run {program} as {self.account.name}: {error}") from error
        if done.returncode != 0:
            raise CommandFailed(command, done.returncode, done.stdout + done.stderr)

    def _write_conf(self, directory: Path) -> None:
        settings = {"listen_addresses": self.host} | self.conf
        if self.port:
            settings |= {"port": self.port, "unix_socket_directories": self.socket_dir}
        text = "# Written by tests/harness/cluster.py; edits are lost.\n"
        for name, value in settings.items():
            value = str(value).replace("\\", "\\\\").replace("'", "''")
            text += f"{name} = '{value}'\n"
        fresh = directory / f"{CONF}.new"
        fresh.write_text(text)
        fresh.chmod(0o600)
        self.account.owns(fresh)
        fresh.replace(directory / CONF)

    def _make_socket_dir(self) -> None:
        """A directory of its own with a short name: a socket's path has at most 107 bytes."""
        if self.socket_dir and self.socket_dir.exists():
            return
        base = "/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()
        self.socket_dir = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=base))
        self.socket_dir.chmod(0o755)
        self.account.owns(self.socket_dir)

    def _check_major(self) -> None:
        found = (self.datadir / "PG_VERSION").read_text().strip()
        if found != str(self.install.major):
            raise HarnessError(
                f"{self.datadir} belongs to PostgreSQL {found}, not {self.install.major}.\n"
                "Remove it, or choose another data directory."
            )

    def _stop_command(self) -> str:
        return f"{self.install.program('pg_ctl')} stop -D {self.datadir}"

    def _log_size(self) -> int:
        log = self.datadir / LOG
        return log.stat().st_size if log.exists() else 0


@contextlib.contextmanager
def _signals_deferred():
    """Deliver Ctrl-C and SIGTERM afterwards.

    Interrupted between fork and the pid file, pg_ctl would leave a server that cannot be found again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _frame: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _tail(text: str, lines: int = LOG_LINES) -> str:
    return "\n".join("    " + line for line in text.rstrip().splitlines()[-lines:])


_started: "weakref.WeakSet[Cluster]" = weakref.WeakSet()


def _stop_at_exit(cluster: Cluster) -> None:
    """Make sure that the server ends with this process, also when it is told to terminate."""
    if not _started:
        atexit.register(_stop_all)
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _started.add(cluster)


def _stop_all() -> None:
    for cluster in list(_started):
        with contextlib.suppress(HarnessError):
            if cluster.throwaway:
                cluster.destroy()
            else:
                cluster.stop()
