"""Contenders that no pgbench calls: from Node.js, from Python, and Redis. Each is installed when it is missing; where
that fails, it is reported as missing and the rest goes on.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from harness.apt import install_packages
from harness.places import locked, run_dir, server_account, server_dir
from harness.progress import HarnessError, own_environment, progress, quiet, watched
from harness.wheel import pip

from . import processor
from .contenders import APPLICATION, BY_HAND_SQL
from .server import CLIENTS, Cost, Server

HERE = Path(__file__).resolve().parent
NODE_PACKAGES = ["pg@8.23.1", "rate-limiter-flexible@11.4.0"]
PYTHON_PACKAGES = ["pyrate-limiter==4.5.1", "psycopg[binary]==3.3.9", "psycopg_pool==3.3.3"]
NODE_RESERVE, NODE_BY_HAND = "reserve from Node.js", "two writes by hand from Node.js"
NODE_CONSUME = "rate-limiter-flexible from Node.js"
# The same statements as pgbench runs, with an account and a prospect as parameters.
NODE_SQL = {
    NODE_RESERVE: "SELECT * FROM sendgate.reserve($1, 'inmail', $2)",
    NODE_BY_HAND: BY_HAND_SQL.format(account="$1", prospect="$2::text"),
}
PYTHON_BUCKET = "pyrate-limiter from Python"
REDIS = "Redis counter in Lua, appendfsync always"
# Counts up to a cap, as the two writes by hand do; writes nothing else down.
COUNT_IN_LUA = "local c = redis.call('INCR', KEYS[1]); if c > 50 then redis.call('DECR', KEYS[1]) return 0 end return c"


class Outside:
    """The contenders that could be had; ``runs`` are functions of (seconds) → what a run came to."""

    def __init__(self, server: Server):
        self.server = server
        self.dsn = f"postgresql://{APPLICATION}@{server.cluster.host}:{server.cluster.port}/{server.db}"
        self.missing: dict[str, str] = {}
        self.runs: dict[str, Callable[[float], Cost]] = {}
        self._offer(self._node, NODE_RESERVE, NODE_BY_HAND, NODE_CONSUME)
        self._offer(self._python, PYTHON_BUCKET)
        self._offer(self._redis_programs, REDIS)

    def _offer(self, prepare, *names: str) -> None:
        try:
            self.runs |= dict(zip(names, prepare(), strict=True))
        except HarnessError as error:
            for name in names:
                self.missing[name] = str(error).splitlines()[-1].strip()
                progress(f"  missing: {name}: {error}")

    def _node(self) -> list:
        if not shutil.which("npm"):
            install_packages(["nodejs", "npm"], "Node.js, a contender's language, is not installed")
        home = run_dir() / "bench-node"
        with locked("bench-node"):
            home.mkdir(exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            installed = all((home / "node_modules" / name.split("@")[0]).exists() for name in NODE_PACKAGES)
            if not installed:
                command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *NODE_PACKAGES]
                watched(command, "installing rate-limiter-flexible and pg", cwd=home, env=own_environment())
            # Node.js looks for packages beside the script.
            script = home / "worker.mjs"
            shutil.copyfile(HERE / "worker.mjs", script)

        command = ["node", script, self.dsn, str(CLIENTS), str(self.server.accounts)]
        # Without a statement it asks rate-limiter-flexible.
        return [self._of_postgres([*command, sql]) for sql in (*NODE_SQL.values(), "")]

    def _python(self) -> list:
        home = run_dir() / "bench-python"
        with locked("bench-python"):
            if not (home / "pyrate_limiter").exists():
                command = pip() + ["install", "--only-binary=:all:", "--target", str(home), *PYTHON_PACKAGES]
                watched(command, "installing pyrate-limiter")
        environment = own_environment({"PYTHONPATH": str(home)})
        return [self._of_postgres([sys.executable, HERE / "bucket.py", self.dsn, str(CLIENTS)], environment)]

    def _of_postgres(self, command: list, environment: dict | None = None) -> Callable[[float], Cost]:
        """A program that works against the server; its last argument is how long."""

        def run(seconds: float) -> Cost:
            said, spent = self.server.spent(lambda: quiet([*command, str(seconds)], env=environment))
            return counted(said, spent)

        return run

    def _redis_programs(self) -> list:
        if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
            with no_service():
                install_packages(["redis-server", "redis-tools"], "Redis, a contender, is not installed")
        return [self._redis]

    def _redis(self, seconds: float) -> Cost:
        with redis() as (port, pid):
            calls = int(self._redis_benchmark(port, 20_000) * seconds)
            before = processor.of_process(pid)
            rate = self._redis_benchmark(port, calls)
            return Cost(calls, rate, 1e6 * (processor.of_process(pid) - before) / calls)

    def _redis_benchmark(self, port: int, calls: int) -> float:
        where = ["-h", "127.0.0.1", "-p", str(port), "-c", str(CLIENTS)]
        count = ["EVAL", COUNT_IN_LUA, "1", "account-__rand_int__"]
        much = ["-n", str(calls), "-r", str(self.server.accounts)]
        last = quiet(["redis-benchmark", *where, "--csv", *much, *count]).strip().splitlines()[-1]
        return float(re.findall(r'"([0-9.]+)"', last)[0])


def counted(said: str, spent: float) -> Cost:
    """From the last line of a contender: calls a second while they were counted, and all calls, also those before."""
    rate, calls = said.strip().splitlines()[-1].split()
    return Cost(int(calls), float(rate), spent * 1e6 / max(1, int(calls)))


@contextmanager
def no_service():
    """Debian starts a Redis of its own on installation; this policy says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if made:
            policy.unlink()


@contextmanager
def redis():
    """A Redis server on a free port of loopback with a directory of its own; its port and process."""
    account = server_account()
    with tempfile.TemporaryDirectory(dir=server_dir()) as folder, socket.socket() as probe:
        account.owns(Path(folder))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            folder,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, **account.as_popen())
        try:
            wait_for_port(port, server)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(30)


def wait_for_port(port: int, server: subprocess.Popen) -> None:
    """Until it answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise HarnessError(f"redis-server does not answer on port {port}")
