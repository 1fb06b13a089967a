"""Three drivers behind one face: psycopg, node-postgres, tokio-postgres."""

import functools
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from harness import build, debian
from harness.apt import install_packages
from harness.places import REPO
from harness.progress import own_environment, watched

sys.path.append(str(REPO / "examples"))

# The crate of tests/e2e/drivers.
TOKIO_CLIENT = "sendgate-test-driver"


class Refused(Exception):
    """What the database answered with an error."""

    def __init__(self, sqlstate: str):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Program:
    """A driver in another language: a process that does what it is told, line by line."""

    def __init__(self, command: list, url: str, prepares: bool):
        self.prepares = prepares
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=own_environment({"DATABASE_URL": url}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer()

    def start(self, sql: str, *values: str | None) -> None:
        """Ask, and do not wait."""
        # A name is as good as any, if it is another one for another statement.
        name = f"s{abs(hash(sql))}" if self.prepares else None
        self._tell({"sql": sql, "values": values, "name": name})

    def answer(self) -> list[list]:
        """The rows of the last statement; every value is text."""
        line = self.process.stdout.readline()
        assert line, f"the driver ended with status {self.process.wait()}"
        said = json.loads(line)
        if "error" in said:
            raise Refused(said["error"])
        return said["rows"]

    def ask(self, sql: str, *values: str | None) -> list[list]:
        self.start(sql, *values)
        return self.answer()

    def cancel(self) -> None:
        """Ask the server, by the driver's own means, to end what runs."""
        self._tell({"cancel": True})

    def leave(self) -> None:
        """As a process that is killed does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def _tell(self, what: dict) -> None:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()


class Psycopg:
    """The same in this process."""

    def __init__(self, url: str, prepares: bool):
        import psycopg

        threshold = 0 if prepares else None
        self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=threshold)
        self._thread: threading.Thread | None = None
        self._said: list = []

    def start(self, sql: str, *values: str | None) -> None:
        for number in range(len(values), 0, -1):
            sql = sql.replace(f"${number}", f"%(v{number})s")
        named = {f"v{number}": value for number, value in enumerate(values, 1)}
        self._said = []
        self._thread = threading.Thread(target=self._run, args=(sql, named), daemon=True)
        self._thread.start()

    def _run(self, sql: str, values: dict) -> None:
        try:
            cursor = self.connection.execute(sql, values)
            self._said.append([list(row) for row in cursor] if cursor.description else [])
        except Exception as error:
            self._said.append(Refused(getattr(error, "sqlstate", None) or repr(error)))

    def answer(self) -> list[list]:
        self._thread.join()
        if isinstance(self._said[0], Exception):
            raise self._said[0]
        return self._said[0]

    def ask(self, sql: str, *values: str | None) -> list[list]:
        self.start(sql, *values)
        return self.answer()

    def cancel(self) -> None:
        self.connection.cancel()

    def leave(self) -> None:
        """Closing the connection while it waits would wait for its lock; its socket goes instead."""
        if self.connection.closed:
            return
        end = socket.socket(fileno=self.connection.fileno())
        end.shutdown(socket.SHUT_RDWR)
        end.detach()
        self._thread.join()
        self.connection.close()


@functools.cache
def node_home() -> Path:
    """A folder with node-postgres and the example worker in Node.js, as the demo has it."""
    from demo import prepare

    home = prepare.node()
    if home is None:
        install_packages(["nodejs", "npm"], "Node.js, whose driver is tried, is not installed")
        home = prepare.node()
    assert home, "no Node.js with its driver"
    return home


@functools.cache
def node_command() -> list:
    """node-postgres."""
    # Node.js looks for packages beside the script.
    script = node_home() / "driver.mjs"
    script.write_text((REPO / "tests" / "e2e" / "drivers" / "node_postgres.mjs").read_text())
    return ["node", "--no-deprecation", script]


@functools.cache
def tokio_command() -> list:
    """The driver that the daemon uses; built with the daemon, so that the two share what is compiled."""
    target = REPO / "target" / "daemon"
    command = ["cargo", "build", "--profile", "daemon", "-p", build.DAEMON, "-p", TOKIO_CLIENT]
    command += ["--target-dir", target]
    watched(command, "building a client with tokio-postgres", env=own_environment(debian.toolchain()), cwd=REPO)
    return [target / "daemon" / TOKIO_CLIENT]


DRIVERS = {
    "psycopg": Psycopg,
    "node-postgres": lambda url, prepares: Program(node_command(), url, prepares),
    "tokio-postgres": lambda url, prepares: Program(tokio_command(), url, prepares),
}
