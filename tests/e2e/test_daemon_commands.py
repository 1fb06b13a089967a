"""The commands that look and end."""

import json
import os
import pty

from daemon_process import JOBS, daemon_login, make_due, url_of
from harness import build
from support import equal, operation, provision
from test_daemon import run

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200


def test_status_shows_what_the_views_show(env):
    provision(env, "calm")
    provision(env, "zed")
    env.psql("SELECT sendgate.breaker_arm('zed', 'test'); SELECT sendgate.reserve('calm', 'inmail', 'p')")
    equal(run(env, "tick").returncode, 0, "tick")
    done = run(env, "status")
    equal(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 accounts at "), lines
    # What has something to see comes first.
    assert lines[2].startswith("zed") and "credits exhausted" in lines[2], lines
    assert lines[3].startswith("calm") and "1/50" in lines[3], lines
    assert all(any(line.startswith(job) and " ok " in line for line in lines) for job in JOBS), lines
    assert "no open alerts" in lines
    assert "… and 1 more" in run(env, "status", "--limit", "1").stdout
    found = json.loads(run(env, "status", "--json").stdout)
    equal([card["account_id"] for card in found["cards"]], ["zed", "calm"], "cards")
    equal(found["accounts"], 2, "accounts")
    equal(sorted(job["job"] for job in found["jobs"]), sorted(JOBS), "jobs")


def test_status_tells_of_jobs_that_do_not_run(env):
    equal(run(env, "status").returncode, 1, "before the first run")
    run(env, "tick")
    equal(run(env, "status").returncode, 0, "after it")
    make_due(env, *JOBS)
    done = run(env, "status")
    equal(done.returncode, 1, "a day later")
    assert done.stdout.count("stale") == 2, done.stdout


def test_strange_names_do_nothing_to_the_terminal(env):
    name = "\x1b[31mAda\x07\u202e\nEve"
    env.connect().execute("SELECT sendgate.upsert_account('a', 'recruiter', %s)", (name,))
    run(env, "tick")
    for arguments in (("status",), ("account", "a")):
        out = run(env, *arguments).stdout
        assert "[31mAda Eve" in out, out
        assert not any(c in out for c in "\x1b\x07\u202e"), out
    assert "\x1b" not in run(env, "status", "--json").stdout


def test_colours_are_for_terminals(env):
    provision(env)
    command = [str(build.build_daemon()), "status"]
    url = url_of(env, daemon_login(env))
    assert "\x1b[" in in_terminal(command, SENDGATED_DATABASE_URL=url)
    assert "\x1b[" not in in_terminal(command, SENDGATED_DATABASE_URL=url, NO_COLOR="1")


def test_account_says_whether_until_when_and_why(env):
    provision(env, inmail=2, invite=1, engagement=0)
    env.psql(f"GRANT sendgate_sender TO {daemon_login(env)}")
    env.psql(f"SELECT sendgate.reserve('a', 'inmail', 'p', 'c', '{operation(1)}')")
    env.psql("SELECT sendgate.reserve('a', 'invite', 'p')")
    done = run(env, "account", "a")
    equal(done.returncode, 0, done.stderr)
    said = said_of(done.stdout)
    equal(said["inmail"], "can send now, 1 more today", "InMails")
    assert said["invite"].startswith("cannot send until ") and "daily cap" in said["invite"], said
    # No time changes a cap of 0.
    equal(said["engagement"], "cannot send: its daily cap is reached", "a cap of 0")
    assert "inmail        1 of 2 today" in done.stdout, done.stdout
    assert "Breaker: closed" in done.stdout
    env.psql(
        f"""SELECT sendgate.rollback('a', '{operation(1)}', 'gone', NULL, 500);
        SELECT sendgate.breaker_arm('a', 'test');
        UPDATE sendgate.accounts SET messages_sent_today = 3;
        SELECT sendgate.reconcile_operations()"""
    )
    done = run(env, "account", "a")
    assert "InMail credits are exhausted" in said_of(done.stdout)["inmail"], done.stdout
    assert "Breaker: open since" in done.stdout
    assert "inmail to p, reserved" in done.stdout and "gone; resolve_operation" in done.stdout, done.stdout
    assert "message of the day of" in done.stdout and "was 3, became 0" in done.stdout, done.stdout
    found = json.loads(run(env, "account", "a", "--json").stdout)
    equal(found["actions"]["inmail"]["reason"], "account_inmail_credits_exhausted", "reason")
    equal(found["breaker"]["state"], "open", "breaker")
    equal(run(env, "account", "nobody").returncode, 2, "an account that is not there")


def test_account_without_the_right_to_ask_says_how_to_get_it(env):
    provision(env)
    done = run(env, "account", "a")
    equal(done.returncode, 0, done.stderr)
    if "can send now" not in done.stdout:  # the role's own rights are enough
        assert "GRANT sendgate_sender" in done.stdout, done.stdout


def test_doctor_finds_nothing_where_nothing_is_wrong(env):
    env.cluster.configure(sendgate__test_clock=None, fsync=None)
    run(env, "tick")
    done = run(env, "doctor")
    equal(done.returncode, 0, done.stdout + done.stderr)
    assert "BAD" not in done.stdout and "nothing to do" in done.stdout, done.stdout


def test_doctor_says_what_to_do(env):
    login = daemon_login(env)
    env.psql("REVOKE EXECUTE ON FUNCTION sendgate.prune(interval, interval, integer) FROM sendgate_daemon")
    env.psql("GRANT EXECUTE ON FUNCTION sendgate.pause_all(text) TO PUBLIC")
    env.cluster.configure(sendgate__operation_ttl="5min")
    done = run(env, "doctor")
    equal(done.returncode, 1, "exit status")
    for text in (
        "the test clock is on",
        "fsync = off",
        f"{login} may not call prune",
        "PUBLIC has rights on sendgate.pause_all(text)",
        "audit_events has never ended well",
        "sendgate.operation_ttl = 300s (default 900s)",
    ):
        assert text in done.stdout, f"{text} is missing in\n{done.stdout}"
    equal(done.stdout.count("BAD"), done.stdout.count("to do: "), "advice")


def test_doctor_without_extension_or_rights(env):
    bare = env.fresh_database(extension=False)
    url = url_of(env, "postgres").rsplit("/", 1)[0] + f"/{bare}"
    done = run(env, "doctor", url=url)
    equal(done.returncode, 1, done.stdout)
    assert "CREATE EXTENSION sendgate" in done.stdout, done.stdout
    login = daemon_login(env)
    env.psql(f"REVOKE sendgate_daemon FROM {login}")
    done = run(env, "doctor")
    equal(done.returncode, 1, done.stdout)
    assert f'GRANT sendgate_daemon TO "{login}"' in done.stdout, done.stdout


def said_of(text: str) -> dict[str, str]:
    """What is said of each action, from the first block of the text."""
    lines = text.split("\n\n")[1].splitlines()
    return {action: words.strip() for action, words in (line.split(None, 1) for line in lines)}


def in_terminal(command: list[str], **environment: str) -> str:
    """What a command writes to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, environment)
    written = b""
    try:
        while part := os.read(terminal, 4096):
            written += part
    except OSError:  # this is how a terminal ends
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    return written.decode()
