"""A streaming standby of a test's server, and a line to it that is slow."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

from e2e.support import wait_for
from harness.cluster import Cluster
from harness.places import server_dir

CHUNK_BYTES = 1 << 16


@contextmanager
def standby(primary: Cluster, port: int | None = None):
    """A running standby, removed afterwards; ``port`` is where it finds its primary."""
    directory = server_dir() / "data" / f"{primary.datadir.name}-standby"
    directory.mkdir(mode=0o700)
    primary.account.owns(directory)
    dsn = primary.dsn() if port is None else primary.dsn().replace(f"port={primary.port}", f"port={port}")
    command = [
        primary.install.program("pg_basebackup"), "--pgdata", directory, "--write-recovery-conf",
        "--checkpoint=fast", "--no-sync", f"--dbname={dsn}",
    ]  # fmt: skip
    server = None
    try:
        subprocess.run(
            [str(part) for part in command],
            env=primary.install.environment(),
            cwd=directory.parent,
            check=True,
            **primary.account.as_popen(),
        )
        server = Cluster(primary.install, datadir=directory, conf=primary.conf)
        server.create()
        server.start()
        streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait_for(lambda: primary.psql(streams) != "0", "the standby to stream")
        yield server
    finally:
        if server:
            server.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


def caught_up(primary: Cluster, connection) -> None:
    """Wait until the standby has replayed everything that the primary has written."""
    position = primary.psql("SELECT pg_current_wal_lsn()")
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
    wait_for(lambda: connection.execute(replayed).fetchone()[0], "the standby to catch up")


def crash(primary: Cluster, line: "Line | None" = None) -> float:
    """End the primary as a power cut does, and its line with it; when that was."""
    at = time.monotonic()
    if line:
        line.cut()  # first, or what it holds back arrives while this process waits for its turn
    os.kill(primary.pid, signal.SIGQUIT)
    primary.stop("immediate")
    return at


class Line:
    """A line to the primary on which everything that the primary says comes ``delay`` seconds late."""

    def __init__(self, primary: Cluster, delay: float):
        self.delay = delay
        self._far = (primary.host, primary.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_exception) -> None:
        self.cut()

    def cut(self) -> None:
        """Lose what is on the way, and take nothing more."""
        self._is_cut = True
        for end in (self._listener, *self._ends):
            # Closing alone would leave the threads in their calls.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        while not self._is_cut:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._far)
            except OSError:
                return
            self._ends += [near, far]
            late: queue.Queue = queue.Queue()
            for work, arguments in (
                (self._forward, (near, far)),
                (self._collect, (far, late)),
                (self._deliver, (late, near)),
            ):
                threading.Thread(target=work, args=arguments, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                target.sendall(data)
        _close(target)

    def _collect(self, source: socket.socket, late: queue.Queue) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                late.put((time.monotonic() + self.delay, data))
        late.put((time.monotonic() + self.delay, b""))

    def _deliver(self, late: queue.Queue, target: socket.socket) -> None:
        with suppress(OSError):
            while True:
                due, data = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if self._is_cut or not data:
                    break
                target.sendall(data)
        _close(target)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
