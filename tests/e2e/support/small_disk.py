"""A file system that can be full, for a server of its own.

It is a tmpfs with a size, mounted in a mount namespace: other processes do not see it, and it is gone with
its keeper. Root mounts it right away, other users in a user namespace. It holds only what the test puts there
(the write-ahead log, or a tablespace); the data directory stays where other processes can read it.
"""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from e2e.support import equal
from harness.cluster import Cluster
from harness.progress import HarnessError

# Nothing of these is written anew by a checkpoint while a test fills the disk.
CONF = {
    "fsync": "off",
    "sendgate.test_clock": "on",
    "checkpoint_timeout": "1h",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "log_line_prefix": "%m [%p] %q%d ",
}
KEEP = 'mount -t tmpfs -o "size=$2m,mode=0777" none "$1" && echo ready && exec sleep infinity'


class SmallDisk:
    """So many MiB at a path, for the processes that are put inside."""

    def __init__(self, path: Path, mebibytes: int, account):
        self.path = path
        self.account = account
        as_root = os.geteuid() == 0
        namespaces = ["--mount"] if as_root else ["--user", "--map-root-user", "--mount"]
        self._keeper = subprocess.Popen(
            ["unshare", *namespaces, "sh", "-c", KEEP, "sh", path, str(mebibytes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self._keeper.stdout.readline()
        if said != "ready\n":
            self.close()
            raise HarnessError(
                f"cannot mount a small file system: {said}\n"
                "Run the tests as root, or let users make namespaces (unshare --user --mount)."
            )
        where = f"/proc/{self._keeper.pid}/ns"
        uid, gid = str(account.uid), str(account.gid)
        if as_root:
            self.inside = [
                "nsenter",
                f"--mount={where}/mnt",
                "setpriv",
                "--reuid",
                uid,
                "--regid",
                gid,
                "--clear-groups",
            ]
        else:
            self.inside = [
                "nsenter",
                f"--user={where}/user",
                f"--mount={where}/mnt",
                "--preserve-credentials",
                "unshare",
                "--user",
                f"--map-user={uid}",
                f"--map-group={gid}",
            ]

    def run(self, script: str, *arguments) -> subprocess.CompletedProcess:
        """A shell's script, inside, as the server's user."""
        return subprocess.run(
            [*self.inside, "sh", "-c", script, "sh", *map(str, arguments)], capture_output=True, text=True, cwd="/"
        )

    def fill(self, leave_kib: int = 0) -> None:
        """Until no more than that is free."""
        done = self.run(
            'head -c "$2K" /dev/zero > "$1/spare"; cat /dev/zero > "$1/balloon"; rm "$1/spare"', self.path, leave_kib
        )
        assert "No space left on device" in done.stderr, done.stderr

    def free(self) -> None:
        """All of that again."""
        equal(self.run('rm "$1/balloon"', self.path).returncode, 0, "removing the balloon")

    def close(self) -> None:
        """What is on it is gone; the server has to be stopped before."""
        self._keeper.kill()
        self._keeper.wait()
        self._keeper.stdout.close()


@contextmanager
def server(env, mebibytes: int, wal: bool = False):
    """A server of its own and a small disk: (cluster, disk). Its log goes there, or whatever is put there."""
    cluster = Cluster(env.install, conf=CONF)
    cluster.create()
    mount = Path(f"{cluster.datadir}-small")
    mount.mkdir()
    cluster.account.owns(mount)
    disk = None
    try:
        disk = SmallDisk(mount, mebibytes, cluster.account)
        cluster.inside = disk.inside
        if wal:
            moved = disk.run(
                'cp -a "$1/pg_wal" "$2/wal" && rm -r "$1/pg_wal" && ln -s "$2/wal" "$1/pg_wal"', cluster.datadir, mount
            )
            equal(moved.returncode, 0, moved.stderr)
        cluster.start()
        yield cluster, disk
    finally:
        cluster.destroy()
        if disk:
            disk.close()
        shutil.rmtree(mount)
