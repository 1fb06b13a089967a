"""What the processes of a run share: its sizes, the clock, and how far each of them is."""

import json
import mmap
import struct
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

ACTIONS = ("inmail", "invite", "message", "profile_view", "engagement")
# Logins of the run, by what they may.
SENDER, DAEMON = "chaos_sender", "chaos_daemon"


@dataclass(frozen=True)
class World:
    """A run: where it is and how large."""

    directory: str
    # Of libpq, without a user.
    dsn: str
    seed: int
    operations: int
    kills: int
    accounts: int
    # Workers that reserve, send and answer one by one; and those that dispatch whole batches.
    singles: int
    batches: int
    # Workers with a table of their own, which the triggers guard.
    outboxes: int
    # Schedulers beside the daemon, as pg_cron is one.
    crons: int
    # Rows that a dispatch asks for, at most.
    batch: int
    # Daily caps are between these.
    caps: tuple[int, int]

    @property
    def workers(self) -> int:
        """All of them."""
        return self.singles + self.batches + self.outboxes + self.crons

    def save(self) -> None:
        """For the other processes."""
        (Path(self.directory) / "world.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, directory: str) -> "World":
        """As it was saved."""
        return cls(**json.loads((Path(directory) / "world.json").read_text()))


class Board:
    """Numbers in shared memory. One process writes each of them; they stay when that process is killed."""

    _CLOCK = struct.Struct("d")
    _LINE = struct.Struct("qqq")

    def __init__(self, world: World):
        path = Path(world.directory) / "board"
        size = self._CLOCK.size + world.workers * self._LINE.size
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), size)
        self._workers = world.workers

    @property
    def offset(self) -> float:
        """How far the test clock is ahead, in seconds."""
        return self._CLOCK.unpack_from(self._memory, 0)[0]

    @offset.setter
    def offset(self, seconds: float) -> None:
        self._CLOCK.pack_into(self._memory, 0, seconds)

    def now(self) -> datetime:
        """What the server's clock shows."""
        return datetime.fromtimestamp(time.time() + self.offset, UTC)

    def line(self, worker: int) -> tuple[int, int, int]:
        """Of a worker: rounds that are over, operations that it got, refusals."""
        return self._LINE.unpack_from(self._memory, self._at(worker))

    def write(self, worker: int, rounds: int, operations: int, refusals: int) -> None:
        """To be called by that worker."""
        self._LINE.pack_into(self._memory, self._at(worker), rounds, operations, refusals)

    def lines(self) -> list[tuple[int, int, int]]:
        """Of all of them."""
        return [self.line(worker) for worker in range(self._workers)]

    def operations(self) -> int:
        """How many were handed out and heard of."""
        return sum(operations for _rounds, operations, _refusals in self.lines())

    def _at(self, worker: int) -> int:
        return self._CLOCK.size + worker * self._LINE.size
