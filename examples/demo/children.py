"""The demo's processes: the mock provider and the workers, started and stopped by their own ids."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.progress import HarnessError, own_environment

EXAMPLES = Path(__file__).resolve().parents[1]
ACCOUNTS = EXAMPLES / "accounts.csv"
STOP_SECONDS_MAX = 15
"""A worker finishes the batch in hand: answers of up to 4 seconds and a word to the database."""
LOG_TAIL_LINES = 8


@dataclass
class Child:
    """A process of ours, and the file that holds what it says."""

    name: str
    process: subprocess.Popen
    log: Path
    asked: bool = False

    @property
    def failed(self) -> bool:
        """Whether it ended by itself, and not because its work was done."""
        return self.process.poll() not in (None, 0)

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join("    " + line for line in lines[-LOG_TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """SIGTERM, which every child answers by finishing what it has in hand. Once: an interpreter
        that is about to exit has taken its handlers down already, and a second one would kill it."""
        if not self.asked and self.process.poll() is None:
            self.asked = True
            self.process.terminate()

    def stop(self) -> bool:
        """Asks, waits, and at last insists. Whether asking was enough."""
        self.ask_to_stop()
        try:
            self.process.wait(STOP_SECONDS_MAX)
            return True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False


def start(name: str, command: list, logs: Path, environment: dict | None = None, **pipes) -> Child:
    """A child in a session of its own, so that Ctrl-C reaches the demo first, which then stops the
    children in the right order."""
    path = logs / f"{name}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdin=pipes.get("stdin", subprocess.DEVNULL),
            stdout=pipes.get("stdout", log),
            stderr=log,
            text=True,
            start_new_session=True,
        )
    return Child(name, process, path)


def start_provider(started: list[Child], logs: Path) -> str:
    """Starts the mock provider and returns its address. It ends when this process does, even if
    killed: its standard input is then closed."""
    command = [sys.executable, EXAMPLES / "provider.py", "--stop-with-stdin"]
    command += ["--accounts", ACCOUNTS, "--ledger", logs / "ledger.jsonl"]
    child = start("provider", command, logs, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(child)
    line = child.process.stdout.readline()
    if not line.startswith("listening on "):
        raise HarnessError(f"The mock provider did not start:\n{child.last_words()}")
    return line.removeprefix("listening on ").strip()


def start_workers(
    started: list[Child],
    interpreter: Path,
    url: str,
    database: dict[str, str],
    node_dir: Path | None,
    logs: Path,
) -> list[Child]:
    """Four workers, who need to know nothing of each other: two in each language, or all in Python."""
    python = [interpreter, EXAMPLES / "worker.py"]
    node = ["node", node_dir / "worker.mjs"] if node_dir else python
    environment = own_environment(database | {"PROVIDER_URL": url, "DATABASE_URL": ""})
    commands = [python, node, python, node]
    for number, command in enumerate(commands, 1):
        language = "python" if command is python else "node"
        # One by one into the list: an interruption now must find those that run already.
        started.append(start(f"worker-{number}-{language}", command, logs, environment))
    return started[-len(commands) :]


def stop(children: list[Child]) -> list[str]:
    """Stops all of them at the same time. Names those that had to be killed."""
    for child in children:
        child.ask_to_stop()
    return [child.name for child in children if not child.stop()]


def ignore_interrupts() -> None:
    """While stopping, a second Ctrl-C would only leave something behind; every wait is bounded."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
