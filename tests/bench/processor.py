"""Processor time of servers' processes, from /proc."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Longest wait for the backends of a run to end.
ENDING_SECONDS_MAX = 10
# So long a server's processes stay the same once nothing begins and nothing ends.
SETTLED_SECONDS = 0.1

Said = TypeVar("Said")


def of_process(pid: int) -> float:
    """Seconds that all threads of a running process have used so far."""
    return sum(_times(pid)[:2])


def of_ended(pid: int) -> float:
    """Seconds that all children of a process that have ended have used; a server's backends are its children."""
    return sum(_times(pid)[2:])


def children(pid: int) -> set[int]:
    """A server's processes."""
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def spent(pid: int, work: Callable[[], Said]) -> tuple[Said, float]:
    """What a client's program said, and the seconds that its backends at this server needed until they ended."""
    others = settled(pid)
    before = of_ended(pid)
    said = work()
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    # pgbench does not wait for its backends, whose time counts once they have ended.
    while children(pid) - others and time.monotonic() < deadline:
        time.sleep(0.01)
    return said, of_ended(pid) - before


def settled(pid: int) -> set[int]:
    """A server's processes once none of them is about to end, such as the backend of a session that was closed."""
    found = children(pid)
    while True:
        time.sleep(SETTLED_SECONDS)
        again = children(pid)
        if again == found:
            return found
        found = again


def _times(pid: int) -> list[float]:
    """A process's own user and system time, and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15]]
