"""The processes of a run that are not the server: workers and the daemon, killed and started again."""

import os
import random
import signal
import subprocess
from pathlib import Path

from harness import build, venv
from harness.progress import HarnessError

from .kills import wait_for
from .world import DAEMON, World

# Seconds between two questions of the daemon what is due.
DAEMON_POLL = "0.1"


class Crowd:
    """All processes by number. One that ends without having been killed is noted as trouble."""

    def __init__(self, world: World, rng: random.Random):
        self.world = world
        self.rng = rng
        self.directory = Path(world.directory)
        self.python = venv.ensure()
        self.program = build.build_daemon()
        self.workers: dict[int, subprocess.Popen] = {}
        self.incarnations = dict.fromkeys(range(world.workers), 0)
        self.daemon: subprocess.Popen | None = None
        self.daemons = 0
        self.troubles: list[str] = []

    def start_worker(self, number: int) -> None:
        """Its next life."""
        self.incarnations[number] += 1
        command = [
            self.python,
            Path(__file__).with_name("worker.py"),
            self.world.directory,
            str(number),
            str(self.incarnations[number]),
        ]
        # A file of its own: psycopg's words about a lost server are not for the terminal.
        with (self.directory / f"{number}.err").open("a") as error:
            self.workers[number] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=error,
                stderr=error,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )

    def start_daemon(self) -> None:
        """Its output goes where the verdict reads it."""
        self.daemons += 1
        host, port, dbname = (part.split("=")[1] for part in self.world.dsn.split())
        name = self.directory / f"daemon-{self.daemons}"
        with name.with_suffix(".out").open("w") as out, name.with_suffix(".err").open("w") as error:
            self.daemon = subprocess.Popen(
                [self.program, "run", "--listen", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=error,
                env={
                    "SENDGATED_DATABASE_URL": f"postgres://{DAEMON}@{host}:{port}/{dbname}",
                    "SENDGATED_POLL": DAEMON_POLL,
                },
            )

    def kill_worker(self) -> None:
        """Any of them, at whatever it does."""
        number = self.rng.choice(list(self.workers))
        kill(self.workers[number])
        self.start_worker(number)

    def kill_daemon(self) -> None:
        """Whatever it does."""
        kill(self.daemon)
        self.start_daemon()

    def look(self) -> None:
        """Note who has ended by itself."""
        for number, process in self.workers.items():
            if process.poll() is not None:
                name = f"{number}-{self.incarnations[number]}"
                trouble = self.directory / f"{name}.trouble"
                said = trouble.read_text() if trouble.exists() else f"exit status {process.returncode}"
                raise HarnessError(f"worker {name} ended by itself:\n{said}")
        if self.daemon and self.daemon.poll() is not None:
            said = (self.directory / f"daemon-{self.daemons}.err").read_text()[-2000:]
            raise HarnessError(f"the daemon ended by itself:\n{said}")

    def stop_workers(self) -> None:
        """Each after its round."""
        for process in self.workers.values():
            process.send_signal(signal.SIGTERM)
        for number, process in self.workers.items():
            wait_for(lambda process=process: process.poll() is not None, f"worker {number} to end its round")
            # A worker that has only just been started does not listen yet, and has not begun a round.
            if process.returncode not in (0, -signal.SIGTERM):
                trouble = self.directory / f"{number}-{self.incarnations[number]}.trouble"
                said = trouble.read_text() if trouble.exists() else process.returncode
                self.troubles.append(f"worker {number}: {said}")
        self.workers.clear()

    def stop_daemon(self) -> None:
        """SIGTERM must end it well."""
        self.daemon.send_signal(signal.SIGTERM)
        wait_for(lambda: self.daemon.poll() is not None, "the daemon to end")
        if self.daemon.returncode:
            self.troubles.append(f"the daemon ended with {self.daemon.returncode}")
        self.daemon = None

    def end(self) -> None:
        """Kill every process that is left, also after an error."""
        for process in [*self.workers.values(), *([self.daemon] if self.daemon else [])]:
            if process.poll() is None:
                kill(process)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL, and wait until it is gone."""
    process.kill()
    process.wait()
