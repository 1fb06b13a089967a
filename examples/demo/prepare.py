"""What the demo needs before the curtain: PostgreSQL with the extension in it, the daemon, and `pg` for Node.js."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness import build, postgres, wheel
from harness.places import locked, run_dir
from harness.postgres import Install
from harness.progress import HarnessError, progress, watched

from .children import EXAMPLES
from .terminal import say, step

NODE_MAJOR_MIN = 18
"""The first with `fetch` and `AbortSignal.timeout` built in."""


def programs() -> tuple[Install, Path]:
    """PostgreSQL, private to this directory, with the extension built and installed into it; and the daemon's program,
    which serves the console."""
    if chosen := os.environ.get("PG_CONFIG"):
        step(f"PostgreSQL as described by {chosen}")
        install = postgres.from_pg_config(chosen, progress)
    else:
        step(f"PostgreSQL {postgres.EMBEDDED_DEFAULT} (choose another with PG_CONFIG=)")
        install = postgres.embedded(progress)
    step(f"sendgate for PostgreSQL {install.version}, and sendgated, the daemon with the operators' console")
    library, daemon = build.build_both(install, os.environ.get("PROFILE") or "quick")
    build.install_built(install, library)
    return install, daemon


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
