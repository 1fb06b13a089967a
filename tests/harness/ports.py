"""Ports for servers that keep theirs over restarts."""

import random
import socket
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Below them are the well-known ones and most services of the machine's own.
LOWEST = 10_240
ATTEMPTS = 100


def free() -> int:
    """A port of 127.0.0.1 on which nothing listens, below the range from which clients get theirs.

    A port of that range is sometimes taken by a connecting client while the server restarts, even by a
    client that tries this very port again and again.
    """
    first_ephemeral = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 0
    for _ in range(ATTEMPTS if first_ephemeral > LOWEST else 0):
        # Not one that a test seeded: runs beside this one would get the same.
        port = random.SystemRandom().randrange(LOWEST, first_ephemeral)
        if _is_free(port):
            return port
    return _any()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
