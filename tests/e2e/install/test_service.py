"""The systemd unit is well-formed, and as closed as it says."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from e2e.support import equal
from harness import build, debian

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
UNIT = "sendgated.service"
# On systemd's scale from 0, closed, to 10.
EXPOSURE_MAX = 1.5


def test_systemd_finds_nothing_to_complain_about(env):
    """As installed, but for the place of the program, which has to exist."""
    text = unit(env)
    assert "ExecStart=/usr/local/bin/sendgated run" in text, text
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, UNIT)
        file.write_text(text.replace("/usr/local/bin/sendgated", str(build.build_daemon())))
        done = analyze("verify", "--man=no", str(file))
        equal((done.returncode, done.stdout + done.stderr), (0, ""), "systemd-analyze verify")
        # So that silence means something.
        file.write_text(file.read_text().replace("ProtectSystem=strict", "ProtectSystem=stricter"))
        assert "ignoring: stricter" in analyze("verify", "--man=no", str(file)).stderr


def test_the_sandbox_is_as_closed_as_the_docs_say(env):
    done = analyze("security", "--offline=true", "--no-pager", str(env.repo / "daemon" / UNIT))
    found = re.search(r"Overall exposure level for sendgated.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout
    said = re.search(r"exposure of ([\d.]+)", (env.repo / "docs" / "operations.md").read_text())
    assert said and float(said[1]) <= EXPOSURE_MAX, said


def unit(env) -> str:
    """The unit as it is shipped."""
    return (env.repo / "daemon" / UNIT).read_text()


def analyze(*arguments: str) -> subprocess.CompletedProcess:
    """A command of systemd-analyze."""
    program, environment = debian.systemd_analyze()
    return subprocess.run([program, *arguments], env=os.environ | environment, capture_output=True, text=True)
