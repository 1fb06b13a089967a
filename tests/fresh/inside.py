"""Runs one command in a root, in namespaces that ``unshare`` has just made; its argument is JSON.

Mounts live in this process's mount namespace and end with it, however it ends. Nothing is left to
be unmounted, so removing the root can never reach a directory that was mounted into it.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def main() -> None:
    """Mount, enter, become the user, run."""
    wanted = json.loads(sys.argv[1])
    root = Path(wanted["root"])
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/dev", root / "dev")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", root / "dev/shm")
    for source, place, writable in wanted["binds"]:
        target = root / place.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        mount("--bind", source, target)
        if not writable:
            mount("-o", "remount,bind,ro", target)
    if wanted["offline"]:
        loopback_up()
    uid, gid, home = account(root, wanted["user"])
    os.chroot(root)
    os.chdir(wanted["directory"] or home)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    environment = wanted["environment"] | {"HOME": home, "USER": wanted["user"]}
    os.execvpe("/bin/bash", ["bash", "-c", wanted["command"]], environment)


def mount(*arguments: object) -> None:
    """Mount, in this namespace."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def account(root: Path, name: str) -> tuple[int, int, str]:
    """Numbers and home of a user of that root, whom this system need not know."""
    for line in (root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3]), fields[5]
    raise SystemExit(f"there is no user {name} in {root}")


def loopback_up() -> None:
    """A new network namespace has a loopback interface that is down, and nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    main()
