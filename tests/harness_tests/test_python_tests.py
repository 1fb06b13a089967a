"""pytest's side of the harness: what fails is counted and told, and no test meets what another one left."""

import contextlib
import os
import signal
import subprocess
import tempfile
import textwrap
from pathlib import Path

from e2e.support import equal, wait_for
from harness import pytests, venv
from harness.places import REPO, RESULTS
from harness.progress import failures, own_environment

NEWEST_ONLY = True
# Run in this order. The names say what becomes of them.
TESTS = """
    import os, signal, time
    import pytest
    from e2e.support import wait_for
    from harness.progress import HarnessError

    TIMEOUT_SECONDS = 5

    def test_passes(env):
        assert env.psql("SELECT count(*) FROM sendgate.accounts") == "0"

    def test_fails(env):
        env.psql("DO $$BEGIN RAISE WARNING 'a line of the log'; END$$")
        assert 1 == 2, "one is not two"

    def test_hangs(env):
        env.connect().execute("SELECT pg_sleep(100)")

    def test_is_skipped(env):
        pytest.skip("no such tool")

    def test_passes_and_leaves_things_behind(env):
        env.psql("CREATE ROLE left_behind")
        env.connect(env.fresh_database())
        env.cluster.configure(sendgate__test_clock=None, work_mem="1MB")
        env.cluster.stop("immediate")

    def test_passes_where_they_were_cleared(env):
        assert env.psql("SHOW work_mem") == "4MB"
        assert env.psql("SHOW sendgate.test_clock") == "on"
        assert env.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'left_behind'") == "0"
        assert env.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'e2e%'") == "1"
        others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        wait_for(lambda: env.psql(others) == "0", "the session of the call before to end")

    def test_crashes_the_server(env):
        pid = env.connect().info.backend_pid
        os.kill(pid, signal.SIGSEGV)
        wait_for(lambda: "terminated by signal 11" in env.cluster.log_tail(50), "the server to notice")
        wait_for(lambda: answers(env), "the server to recover")

    def answers(env):
        try:
            return env.psql("SELECT 1") == "1"
        except HarnessError:
            return False

    def test_passes_after_a_crash(env):
        assert answers(env)
"""
# Of a worker with a server that goes on until it is told to end.
LASTING = """
    import os, pathlib, signal

    def test_lasts(env):
        note = pathlib.Path(os.environ["NOTE"])
        fresh = note.with_suffix(".new")
        fresh.write_text(str(env.cluster.pid))
        fresh.rename(note)
        while True:
            signal.pause()
"""


def test_each_failure_is_counted_and_told(env):
    with directory(TESTS) as place:
        (place / "test_broken.py").write_text("import no_such_module\n")
        before = len(failures)
        counts = pytests.judged(["--pg", str(env.install.major), "--numprocesses=1", place], place / "report.xml")
        told = failures[before:]
        del failures[before:]
    equal(counts, (4, 5), "passed and failed")
    by_name = {text.split(":")[0].split(".")[-1]: text for text in told}
    said = {
        "test_fails[pg18]": "one is not two",
        "test_hangs[pg18]": "Timeout (>5.0s)",
        "test_is_skipped[pg18]": "no such tool",
        "test_crashes_the_server[pg18]": "terminated by signal 11",
        "test_broken": "no_such_module",
    }
    said = {name.replace("18", str(env.install.major)): words for name, words in said.items()}
    equal(sorted(by_name), sorted(said), "what failed")
    for name, words in said.items():
        assert words in by_name[name], f"{words!r} is not in {by_name[name]}"


def test_a_failure_shows_the_end_of_the_servers_log(env, capfd):
    with directory(TESTS) as place:
        before = len(failures)
        pytests.judged(["--pg", str(env.install.major), "-k", "test_fails", place], place / "report.xml")
        del failures[before:]
    out = capfd.readouterr().out
    assert "a line of the log" in out[out.index("the server's log ends") :], out


def test_no_server_outlives_its_run(env):
    """Whether the one that started pytest is killed, or pytest itself."""
    for victim in ("parent", "pytest"):
        with directory(LASTING) as place:
            note = place / "server"
            command = [venv.tests(), "-m", "pytest", "--built", "--end-with-parent", "--pg", env.install.major]
            command += ["--numprocesses=1", place]
            with subprocess.Popen(
                ["sh", "-c", '"$@" & echo $!; wait', "sh", *map(str, command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=REPO,
                env=own_environment({"NOTE": str(note)}),
                start_new_session=True,
            ) as parent:
                pids = {"parent": parent.pid, "pytest": int(parent.stdout.readline())}
                wait_for(note.exists, "the worker's server")
                server = Path("/proc", note.read_text())
                assert server.exists(), "the worker has no server"
                os.kill(pids[victim], signal.SIGKILL)
                try:
                    wait_for(lambda server=server: not server.exists(), f"the server to end with its {victim}")
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(parent.pid, signal.SIGTERM)


@contextlib.contextmanager
def directory(tests: str):
    """A directory with these tests, below the one where ``conftest.py`` is."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inner-", dir=RESULTS) as name:
        Path(name, "test_inner.py").write_text(textwrap.dedent(tests))
        yield Path(name)
