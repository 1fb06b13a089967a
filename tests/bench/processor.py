"""Processor time of servers' processes, from /proc."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Longest wait for the backends of a run to end.
ENDING_SECONDS_MAX = 10

Said = TypeVar("Said")


def of_process(pid: int) -> float:
    """Seconds that all threads of a running process have used so far."""
    return sum(_times(pid)[:2])


def of_ended(pid: int) -> float:
    """Seconds that all children of a process that have ended have used; a server's backends are its children."""
    return sum(_times(pid)[2:])


def children(pid: int) -> int:
    """How many processes a server has."""
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def spent(pid: int, work: Callable[[], Said]) -> tuple[Said, float]:
    """What a client's program said, and the seconds that its backends at this server needed until they ended."""
    before, processes = of_ended(pid), children(pid)
    said = work()
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    # pgbench does not wait for its backends, whose time counts once they have ended.
    while children(pid) > processes and time.monotonic() < deadline:
        time.sleep(0.01)
    return said, of_ended(pid) - before


def _times(pid: int) -> list[float]:
    """A process's own user and system time, and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15]]
