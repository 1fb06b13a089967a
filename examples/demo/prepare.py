"""What the demo needs before the curtain: the daemon, PostgreSQL with the extension in it, and `pg` for Node.js.

The standard library alone: the daemon is begun before psycopg is fetched.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness import build, debian, postgres, wheel
from harness.places import REPO, locked, run_dir
from harness.postgres import Install
from harness.progress import Beside, HarnessError, progress, watched

from .children import EXAMPLES
from .terminal import say, step

NODE_MAJOR_MIN = 18
"""The first with `fetch` and `AbortSignal.timeout` built in."""


def database() -> Install:
    """PostgreSQL, private to this directory, with the extension built and installed into it."""
    if chosen := os.environ.get("PG_CONFIG"):
        step(f"PostgreSQL as described by {chosen}")
        install = postgres.from_pg_config(chosen, progress)
    else:
        step(f"PostgreSQL {postgres.EMBEDDED_DEFAULT} (choose another with PG_CONFIG=)")
        install = postgres.embedded(progress)
    step(f"sendgate for PostgreSQL {install.version}")
    build.build_and_install(install, os.environ.get("PROFILE") or "quick")
    return install


@contextmanager
def daemon() -> Iterator[Callable[[], Path]]:
    """The daemon, which serves the console, is built beside what comes next, downloads first of all. The function that
    it gives waits for the program's path; leaving early ends the build.

    Compilers leave processors idle, an extension's at its beginning and its end most of all: together they take
    less time than one after the other.
    """
    debian.compilers()  # installed once, before two want them
    step("sendgated, the daemon with the operators' console, is built meanwhile")
    beside = Beside()
    with ThreadPoolExecutor(1) as thread:
        program = thread.submit(build.build_daemon, _daemon_profile(), beside)

        def wait() -> Path:
            beside.is_waited_for.set()
            return program.result()

        try:
            yield wait
        finally:
            beside.is_not_wanted.set()


def _daemon_profile() -> str:
    """How the daemon is built: as the tests build it where that is done, else in the least time."""
    return "daemon" if (REPO / "target" / "daemon" / "daemon").exists() else "quick"


def node() -> Path | None:
    """A directory with worker.mjs and its one dependency, or None where Node.js cannot run it."""
    step("Node.js and its PostgreSQL driver")
    if problem := _node_problem():
        say(f"  {problem}: the Python worker does all the work this time.", "yellow")
        return None
    lock = (EXAMPLES / "package-lock.json").read_bytes()
    stamp = f"package-lock.json sha256:{hashlib.sha256(lock).hexdigest()}\n"
    directory = run_dir() / "node"
    with locked("node"):
        try:
            _install(directory, stamp)
        except HarnessError as error:
            say(f"  {error}")
            say("  npm could not install pg: the Python worker does all the work this time.", "yellow")
            return None
    # Node.js looks for packages beside the file that imports them. Renamed: another demo may be starting it.
    fresh = directory / f"worker.{os.getpid()}.new"
    shutil.copy(EXAMPLES / "worker.mjs", fresh)
    fresh.replace(directory / "worker.mjs")
    return directory


def _install(directory: Path, stamp: str) -> None:
    """The worker's one dependency, unless it is there already."""
    if wheel.is_stamped(directory, stamp):
        return
    with wheel.building(directory, stamp) as work:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXAMPLES / name, work)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        watched(command, "installing pg from npm", cwd=work)


def _node_problem() -> str | None:
    """Why Node.js cannot be used here, if so."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not found"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)", said)
    if version is None or int(version[1]) < NODE_MAJOR_MIN:
        return f"Node.js {NODE_MAJOR_MIN} or newer is needed, this is {said.strip() or 'unknown'}"
    return None
