"""`make run` as a newcomer starts it: it plays, judges its own books, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys

from harness import debian
from support import equal

SECONDS = 8
# The mark of the workers' phase in the demo's output.
SENDING = "workers are sending"


def test_the_demo_plays_and_its_books_agree(env):
    demo = start(env)
    output, _ = demo.communicate()
    assert demo.returncode == 0, output
    # Without Node.js the Python workers take its share, and the demo says so.
    assert "Node.js" in output and "4 workers" in output, output
    assert ("2 in Node.js" in output) == bool(shutil.which("node") and shutil.which("npm")), output
    verdict = output[output.index("Verdict") :]
    assert "FAIL" not in verdict and verdict.count("  OK ") >= 6, output
    delivered = int(re.search(r"delivered = events \+ parked that were sent (\d+) =", verdict)[1])
    assert delivered > 20, f"only {delivered} messages were delivered:\n{output}"
    assert "FROM linkedin_accounts" in output, "the operator's query is not shown"
    equal(left_behind(demo), [], "processes left behind")


def test_ctrl_c_stops_everything(env):
    demo = start(env)
    for line in demo.stdout:
        if SENDING in line:
            break
    # What a terminal does: the whole group gets the signal, the servers and workers too.
    os.killpg(demo.pid, signal.SIGINT)
    demo.stdout.read()
    equal(demo.wait(), 130, "exit status")
    equal(left_behind(demo), [], "processes left behind")


def start(env) -> subprocess.Popen:
    """The demo in a process group of its own, on the PostgreSQL that this suite runs on."""
    environment = dict(os.environ, DEMO_SECONDS=str(SECONDS), NO_COLOR="1")
    environment.pop("PG_CONFIG", None)
    if env.install.major == 15:  # Debian's; otherwise the demo plays on its own default
        environment["PG_CONFIG"] = str(debian.postgresql(env.install.major)[0])
    return subprocess.Popen(
        [sys.executable, "examples/demo.py"],
        cwd=env.repo,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_behind(demo: subprocess.Popen) -> list[str]:
    """The processes that still belong to the demo's session."""
    listed = subprocess.run(
        ["ps", "-s", str(demo.pid), "-o", "args="], capture_output=True, text=True
    )
    return [line for line in listed.stdout.splitlines() if line.strip()]
