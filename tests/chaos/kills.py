"""The ways in which something dies. Each waits until the server takes connections again."""

import os
import random
import signal
import time
from pathlib import Path

from harness.cluster import Cluster
from harness.progress import HarnessError

from .gate import Gate
from .world import DAEMON, SENDER

# How often each comes: applications' processes die most.
WEIGHTS = {
    "worker": 30,
    "backend": 20,
    "postmaster": 14,
    "immediate": 8,
    "daemon": 10,
    "session": 8,
    "sweep": 10,
}
SERVER_KILLS = ("postmaster", "immediate")
# Longer than a sweep of a large soak on a machine that does other work.
WAIT_SECONDS = 300
POLL_SECONDS = 0.01
# A connection of another program may take the server's port for a moment while the server is down.
START_ATTEMPTS = 20

VICTIMS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = ANY (%s) ORDER BY pid"""
STUCK = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND usename = %s AND cardinality(pg_blocking_pids(pid)) > 0"""
RUNNING = "SELECT run_id::text FROM sendgate.reconcile_runs WHERE state = 'running' AND backend_pid = %s"
# As if the jobs that come often had last run as long ago as they wait between two runs.
MAKE_DUE = """
UPDATE sendgate.jobs SET sweep_started_at = sendgate.clock() - every, sweep_finished_at = sendgate.clock() - every
 WHERE job IN (SELECT j.job FROM sendgate.jobs j WHERE j.every < interval '1 day'
                  AND j.sweep_finished_at IS NOT NULL FOR UPDATE SKIP LOCKED)"""


def schedule(rng: random.Random, operations: int, kills: int) -> list[tuple[int, str]]:
    """After how many operations who dies, in order; each kind comes at least once if there is room."""
    kinds = list(WEIGHTS)[:kills]
    kinds += rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=kills - len(kinds))
    rng.shuffle(kinds)
    step = operations / (kills + 1)
    return [(int((number + 0.5 + rng.random()) * step), kind) for number, kind in enumerate(kinds)]


def wait_for(condition, what: str, seconds: float | None = None, pause: float = POLL_SECONDS):
    """Ask until the answer is true, and return it."""
    seconds = seconds or WAIT_SECONDS
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise HarnessError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)
    return answer


class Executioner:
    """Kills what belongs to the server."""

    def __init__(self, cluster: Cluster, gate: Gate, rng: random.Random):
        self.cluster = cluster
        self.gate = gate
        self.rng = rng
        # Runs of a job that were seen under way when their server was killed.
        self.running: list[str] = []

    def victim(self) -> int | None:
        """Any backend of a worker or the daemon."""
        pids = [pid for (pid,) in self.gate.ask(VICTIMS, ([SENDER, DAEMON],))]
        return self.rng.choice(pids) if pids else None

    def backend(self) -> bool:
        """SIGKILL of a backend takes all sessions down; whether there was one."""
        pid = self.victim()
        try:
            if pid:
                self._kill_backend(pid)
        except ProcessLookupError:
            return False  # it has just gone by itself
        return pid is not None

    def session(self) -> bool:
        """One session ends, and the server goes on."""
        pid = self.victim()
        return bool(pid) and self.gate.ask("SELECT pg_terminate_backend(%s)", (pid,))[0][0]

    def sweep(self, kill=None) -> bool:
        """A job is stopped in the middle of a batch, and dies there."""
        with Trap(self) as trap:
            pid = trap.spring()
            if kill:
                kill()
            else:
                self.running += [run for (run,) in self.gate.ask(RUNNING, (pid,))]
                self._kill_backend(pid)
        return True

    def stop_server(self, kind: str) -> None:
        """The postmaster is killed, or told to crash; everything that belongs to it is gone afterwards."""
        pid = self.cluster.pid
        if kind == "immediate":
            self.cluster.stop("immediate")
            return
        # Stopped first, so that it forks no child that is missing from the list below.
        os.kill(pid, signal.SIGSTOP)
        children = children_of(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(is_alive(child) for child in [pid, *children]), "the server's processes to end")
        if exists(pid):
            # A zombie that has not been reaped yet (in a container, say) makes its lock files look alive.
            for lock in [self.cluster.datadir / "postmaster.pid", *self.cluster.socket_dir.glob(".*.lock")]:
                lock.unlink()

    def start_server(self) -> None:
        """On the same port."""
        for attempt in range(START_ATTEMPTS):
            try:
                self.cluster.start()
                return
            except HarnessError as error:
                if "Address already in use" not in str(error) or attempt + 1 == START_ATTEMPTS:
                    raise

    def _kill_backend(self, pid: int) -> None:
        """Until the server has noticed it still takes connections, which it then ends."""
        bystander = self.gate.connection()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not answers(bystander), "the server to notice")
        self.gate.ask("SELECT 1")


class Trap:
    """A job cannot end its batch while this lasts; nothing that workers do is stopped, but an alert."""

    def __init__(self, executioner: Executioner):
        self.gate = executioner.gate
        self.holder = Gate(executioner.gate.dsn)

    def __enter__(self) -> "Trap":
        def hold(connection) -> None:
            connection.execute("BEGIN")
            connection.execute("LOCK TABLE sendgate.alerts IN SHARE MODE")

        self.holder.insist(hold)
        return self

    def spring(self) -> int:
        """Wait until a backend of the daemon is caught."""

        def caught():
            self.gate.ask(MAKE_DUE)
            return self.gate.ask(STUCK, (DAEMON,))

        return wait_for(caught, "a sweep to be caught")[0][0]

    def __exit__(self, *_exception) -> None:
        self.holder.close()


def answers(connection) -> bool:
    """Whether this connection lives."""
    import psycopg

    try:
        return connection.execute("SELECT true").fetchone()[0]
    except psycopg.Error:
        return False


def children_of(pid: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(status.parent.name))
        except (OSError, IndexError):
            continue
    return found


def exists(pid: int) -> bool:
    """Also as a zombie."""
    return Path(f"/proc/{pid}").exists()


def is_alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
