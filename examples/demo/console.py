"""The operators' console: a daemon beside the demo, its address and a token to act with."""

import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from harness.progress import HarnessError

from . import stage
from .children import Child, start
from .stage import Stage
from .terminal import say

OPERATOR = "you"
"""The name under which the console logs what is done with the token."""
START_SECONDS_MAX = 30


@dataclass
class Console:
    """Where it is, and the token that lets a visitor act."""

    address: str
    token: str

    def tell(self) -> None:
        """One line that a reader finds again in an output that scrolls."""
        say(f"  console: {self.address}   to press its buttons, sign in with the token {self.token}", "bold")


def open_for(place: Stage, program: Path, started: list[Child], logs: Path) -> Console:
    """Starts the daemon, which keeps the books and serves the console on a free port of the loopback interface."""
    token = secrets.token_urlsafe(24)
    file = logs / "tokens.toml"
    with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as tokens:
        tokens.write(f'[tokens]\n{OPERATOR} = "{token}"\n')
    environment = {
        "SENDGATED_DATABASE_URL": "\n".join(
            f"postgres://{stage.DAEMON}@{place.server.host}:{place.server.port}/{name}" for name in place.databases
        ),
        "SENDGATED_LISTEN": "127.0.0.1:0",
        "SENDGATED_TOKENS_FILE": str(file),
    }
    child = start("sendgated", [program, "run"], logs, environment)
    started.append(child)
    return Console(f"http://{_listens(child)}/", token)


def _listens(child: Child) -> str:
    """Where it listens, once its log says so."""
    until = time.monotonic() + START_SECONDS_MAX
    while child.process.poll() is None and time.monotonic() < until:
        for line in child.log.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n") and json.loads(line).get("message") == "started":
                return json.loads(line)["listen"]
        time.sleep(0.02)
    raise HarnessError(f"sendgated did not start:\n{child.last_words()}")
