"""A slow command beside another one: it leaves the terminal alone, and ends with what started it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import build, progress
from harness.places import REPO
from harness.progress import Beside, HarnessError, watched

# It goes on until the test lets it: the file that its argument names.
UNTIL = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)"
SECONDS_MAX = 30


@pytest.fixture
def demo(monkeypatch):
    """The demo's module that prepares."""
    monkeypatch.syspath_prepend(str(REPO / "examples"))
    from demo import prepare

    return prepare


def test_it_is_silent_until_it_is_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "TICK_SECONDS_LOG", 0)
    beside, said = Beside(), []
    command = [sys.executable, "-c", UNTIL, tmp_path / "end"]
    thread = threading.Thread(target=lambda: said.append(watched(command, "building it", beside=beside)), daemon=True)
    thread.start()
    time.sleep(0.5)  # long enough for a line of any other command
    assert capsys.readouterr().out == ""
    beside.is_waited_for.set()
    wait_for(lambda: "building it" in capsys.readouterr().out)
    (tmp_path / "end").touch()
    thread.join(SECONDS_MAX)
    assert said == [""]


def test_it_ends_when_it_is_not_wanted(tmp_path):
    beside = Beside()
    beside.is_not_wanted.set()
    with pytest.raises(HarnessError, match="building it was stopped"):
        watched([sys.executable, "-c", UNTIL, tmp_path / "never"], "building it", beside=beside)
    assert str(tmp_path) not in subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True).stdout


def test_the_demo_gives_the_daemon_up_when_the_extension_fails(demo, monkeypatch):
    given = []

    def goes_on(_profile: str, beside: Beside) -> Path:
        given.append(beside)
        assert beside.is_not_wanted.wait(SECONDS_MAX)
        raise HarnessError("it was stopped")

    monkeypatch.setattr(build, "build_daemon", goes_on)
    with pytest.raises(HarnessError, match="the extension failed"), demo.daemon():
        raise HarnessError("the extension failed")
    assert len(given) == 1


def test_the_demo_gets_the_daemons_program_or_its_error(demo, monkeypatch):
    monkeypatch.setattr(build, "build_daemon", lambda _profile, beside: Path("/built"))
    with demo.daemon() as program:
        assert program() == Path("/built")

    def fails(_profile: str, beside: Beside) -> Path:
        raise HarnessError("the daemon failed")

    monkeypatch.setattr(build, "build_daemon", fails)
    with pytest.raises(HarnessError, match="the daemon failed"), demo.daemon() as program:
        program()


def test_the_demo_begins_the_daemon_before_psycopg_is_there():
    """What begins it may not import what is fetched meanwhile."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; import demo.prepare; sys.exit('psycopg' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, REPO / "examples", REPO / "tests"], check=True)
    main = (REPO / "examples/demo.py").read_text()
    assert main.index("with prepare.daemon()") < main.index("fetch.for_the_demo()")


def wait_for(condition) -> None:
    """Ask until the answer is true."""
    until = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
