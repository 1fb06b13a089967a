"""`make run` as a newcomer starts it: it plays, judges its own books, and leaves nothing behind."""

import io
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from e2e.support import equal
from harness import build, debian, postgres

ENDS_ONLY = True
# The daemon is built first, if it is not built yet.
TIMEOUT_SECONDS = 1200
SECONDS = 8
# The mark of the workers' phase in the demo's output, and of the second act's beginning.
SENDING = "workers are sending"
NEXT_MONTH = "the workers are not told"
CHECKS = 22
ENTER = "Press Enter to stop"
CONSOLE = re.compile(r"console: (http://127\.0\.0\.1:\d+/) .* sign in with the token (\S+)")
# These need something to have happened early enough: the breaker, accounts that went on, the deferred work.
CHECKS_THAT_MAY_WAIT = 3

# It ends when its input does, which is after it was asked to stop.
WILL_NOT_HEAR_TWICE = """
import os, signal, sys
def asked(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.write(1, b"asked\\n")
signal.signal(signal.SIGTERM, asked)
os.write(1, b"ready\\n")
sys.stdin.read()
"""


def test_the_demo_plays_and_its_books_agree(env):
    """And the console shows it: while it plays, and then until Enter is pressed at the terminal."""
    library = (env.install.pkglibdir / f"{build.EXTENSION}.so").read_bytes()
    ours, theirs = pty.openpty()
    demo = start(env, theirs)
    os.close(theirs)
    output, pages = "", []
    for line in demo.stdout:
        output += line
        if SENDING in line or ENTER in line:
            assert demo.poll() is None, output
            address, token = CONSOLE.findall(output)[-1]
            pages.append(seen(address, token))
        if ENTER in line:
            os.write(ours, b"\n")
    equal(demo.wait(), 0, f"exit status of\n{output}")
    os.close(ours)
    equal(len(pages), 2, "looks at the console")
    for page in pages:
        assert 'href="/account?id=' in page, f"no account of the demo is shown:\n{page}"
    assert not answers(address), "the console goes on after the demo"
    # Without Node.js the Python workers take its share, and the demo says so.
    assert "Node.js" in output and "4 workers" in output, output
    assert ("2 in Node.js" in output) == bool(shutil.which("node") and shutil.which("npm")), output
    month, verdict = output[: output.index(NEXT_MONTH)], output[output.index("Verdict") :]
    # What a run this short must show too: an account without credits, its campaign on another action,
    # acceptances, and workers who lose their connections.
    for shown in (
        "credits exhausted — auto-resumes",
        "FROM linkedin_accounts",
        "connections get a message",
        "invites are being accepted",
        "the demo cut 4 connections",
    ):
        assert shown in month, f"{shown!r} is not shown:\n{output}"
    assert "FAIL" not in verdict, output
    # Some checks may have found nothing to check, and say so: a short month may end before the breaker
    # has deferred anything, or before accounts without credits had time to go on with other actions.
    equal(len(re.findall(r"^  (?:OK  |–   )", verdict, re.MULTILINE)), CHECKS, "checks")
    assert verdict.count("  OK  ") >= CHECKS - CHECKS_THAT_MAY_WAIT, output
    delivered = int(re.search(r"delivered = events \+ parked that were sent (\d+) =", verdict)[1])
    assert delivered > 20, f"only {delivered} messages were delivered:\n{output}"
    equal(left_behind(demo), [], "processes left behind")
    is_same = (env.install.pkglibdir / f"{build.EXTENSION}.so").read_bytes() == library
    assert is_same, "the other tests of this run go on with another library than they began with"


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


def test_a_worker_is_asked_to_stop_once(env):
    """An interpreter that is about to exit has no handlers any more: the second signal would kill it."""
    sys.path.insert(1, str(env.repo / "examples"))
    from demo.children import Child

    command = [sys.executable, "-c", WILL_NOT_HEAR_TWICE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker = Child("worker", process, log=None)
    equal(process.stdout.readline(), "ready\n", "first line")
    worker.ask_to_stop()
    equal(process.stdout.readline(), "asked\n", "second line")
    worker.ask_to_stop()
    process.stdin.close()
    assert worker.stop(), "it had to be killed"
    equal(worker.failed, False, "failed")


def test_a_pipe_or_a_build_server_is_not_waited_for(env, monkeypatch):
    """Input that is no terminal, or CI: the demo ends by itself, and says how to look around."""
    sys.path.insert(1, str(env.repo / "examples"))
    from demo import show

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_) -> str:
            raise AssertionError("it waits for Enter")

    monkeypatch.delenv("DEMO_KEEP", raising=False)
    for stdin, ci in ((io.StringIO(), ""), (Terminal(), "true")):
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setenv("CI", ci)
        show.look_around(None, None, None)


def seen(address: str, token: str) -> str:
    """The console's first page, as a visitor who may only look has it; the token signs in."""
    form = urllib.request.Request(address + "sign-in", f"token={token}".encode(), {"Origin": address.rstrip("/")})
    with urllib.request.urlopen(form) as answer:
        equal(answer.status, 200, "signing in")
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


def answers(address: str) -> bool:
    """Whether something still listens there."""
    try:
        urllib.request.urlopen(address).close()
    except urllib.error.URLError:
        return False
    return True


def start(env, stdin: int = subprocess.DEVNULL, **more: str) -> subprocess.Popen:
    """The demo in a process group of its own, on the PostgreSQL that this suite runs on."""
    environment = os.environ | {"DEMO_SECONDS": str(SECONDS), "NO_COLOR": "1"} | more
    for name in ("PG_CONFIG", "CI", "DEMO_KEEP"):
        environment.pop(name, None)
    # It installs its library into the PostgreSQL of the other tests: the same one, or they would test another.
    environment["PROFILE"] = build.profile_of(env.install.major)
    if env.install.major == 15:  # Debian's
        environment["PG_CONFIG"] = str(debian.postgresql(env.install.major)[0])
    elif env.install.major != postgres.EMBEDDED_DEFAULT:
        environment["PG_CONFIG"] = str(env.install.pg_config)
    return subprocess.Popen(
        [sys.executable, "examples/demo.py"],
        cwd=env.repo,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell that runs the suite in the background lets it ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def left_behind(demo: subprocess.Popen) -> list[str]:
    """The processes that still belong to the demo's session."""
    listed = subprocess.run(["ps", "-s", str(demo.pid), "-o", "args="], capture_output=True, text=True)
    return [line for line in listed.stdout.splitlines() if line.strip()]
