"""The commands that look and end."""

import fcntl
import json
import os
import pty
import shlex
import struct
import subprocess
import termios
import unicodedata

from e2e.support import equal, harmful, operation, provision, wait_for
from e2e.support.daemon_process import JOBS, daemon_login, make_due, run, sessions, url_of
from harness import build

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
    lines = below_what_is_stopped(done.stdout)
    assert lines[0].startswith("2 accounts at "), lines
    # Accounts that need attention come first.
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


def test_strange_text_does_nothing_to_the_terminal(env):
    """Names, notes, prospects, errors: no command, nothing hidden, nothing turned around, one line."""
    evil = "\x1b[31m\x9b2J\x07\x7f\u202e\u2066\u200b\u200d\ufe0f\U000e0041\u3164\nEve" + "z" + "\u0337" * 50
    connection = env.connect()
    connection.execute("SELECT sendgate.upsert_account('a', 'recruiter', %s)", (evil,))
    reserve = "SELECT sendgate.reserve('a', 'inmail', %s, %s, %s)"
    connection.execute(reserve, (evil, evil, operation(1)))
    connection.execute("SELECT sendgate.rollback('a', %s, %s, NULL, 500)", (operation(1), evil))
    connection.execute("SELECT sendgate.breaker_arm('a', %s)", (evil,))
    connection.execute(reserve, ("q", evil, None))
    run(env, "tick")
    for arguments in (("status",), ("account", "a")):
        out = run(env, *arguments).stdout
        assert "[31m2J Evez" in out, out
        assert not harmful(out), harmful(out)
        assert "\u0337" * 10 not in out, "a pile of marks"
        text = run(env, *arguments, "--json").stdout
        assert not harmful(text), harmful(text)
        assert evil in strings(json.loads(text)), "JSON leaves nothing out"
    error = run(env, "account", evil + "nobody").stderr
    assert "there is no account" in error and not harmful(error), error


def test_colours_are_for_terminals(env):
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    assert "\x1b[33m" in in_terminal(env, "status")
    for quiet in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in in_terminal(env, "status", **quiet), quiet
    assert "\x1b[" in in_terminal(env, "status", NO_COLOR="")
    assert "\x1b[" not in run(env, "status", TERM="xterm").stdout


def test_a_table_is_no_wider_than_the_terminal(env):
    """Columns stay one below the other, whatever their letters; what has no room goes below, and nothing
    that says something is left out."""
    connection = env.connect()
    for account, name in (("calm", "Ada"), ("zed", "信用卡 " * 12), ("zoë", "e\u0301" * 30)):
        connection.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator', %s)", (account, name))
    env.psql("SELECT sendgate.breaker_arm('zed', 'test'); SELECT sendgate.audit_events()")
    env.psql("SELECT sendgate.reserve('calm', 'inmail', 'p')")
    for columns in (40, 60, 80, 100, 200):
        out = in_terminal(env, "status", columns=columns, NO_COLOR="1")
        for line in out.replace("\r", "").splitlines():
            assert width(line) <= columns, f"{columns}: {line}"
        assert "credits exhausted" in " ".join(out.split()), out
        lines = below_what_is_stopped(out.replace("\r", ""))
        cards = lines[1 : lines.index("")]
        if columns > 40:
            # The counts end in one column, below their heading.
            head = cards[0].index("inmails") + len("inmails")
            ends = [width(line[: line.index("/50") + 3]) for line in cards if "/50" in line]
            equal(ends, [head] * 3, f"columns of {out}")
        else:
            equal(out.count("inmails "), 3, "counts below the rows")
    # A file has room for everything.
    assert max(width(line) for line in run(env, "status").stdout.splitlines()) > 150


def test_pages_show_every_account_once(env):
    env.psql(
        """SELECT sendgate.upsert_account('it''s ' || n, 'recruiter') FROM generate_series(1, 25) n;
        SELECT sendgate.breaker_arm('it''s 20', 'test'), sendgate.breaker_force('it''s 3', 'open', 'test');
        SELECT sendgate.set_status('it''s 7', 'paused', 'test');
        UPDATE sendgate.accounts SET cooldown_until = sendgate.clock() + interval '1 h' WHERE id = 'it''s 9';
        UPDATE sendgate.accounts SET inmails_sent_today = 9 WHERE id = 'it''s 5';
        SELECT sendgate.audit_events()"""
    )
    seen, arguments = [], ["status", "--limit", "10"]
    for page in range(3):
        done = run(env, *arguments)
        seen += [card["account_id"] for card in json.loads(run(env, *arguments, "--json").stdout)["cards"]]
        following = [line for line in done.stdout.splitlines() if "--after" in line]
        equal(len(following), int(page < 2), "lines that name the next page")
        if following:
            arguments = shlex.split(following[0].split("sendgated ", 1)[1])
    first = [f"it's {n}" for n in ("20", "3", "5", "7", "9")]
    rest = sorted(f"it's {n}" for n in range(1, 26) if f"it's {n}" not in first)
    equal(seen, first + rest, "accounts, in order")
    done = run(env, "status", "--after", "nobody")
    equal((done.returncode, "no account nobody" in done.stderr), (2, True), "after an account that is not there")


def test_a_hundred_thousand_accounts_do_not_make_it_slow(env):
    """However much is in the logs: it reads each account once, and of the logs only what it shows."""
    env.psql(
        """SELECT count(sendgate.upsert_account('a' || n, 'recruiter')) FROM generate_series(1, 100000) n;
        SELECT count(sendgate.enqueue('k', 'p' || n, 'a' || n, 'message')) FROM generate_series(1, 20000) n;
        SELECT count(sendgate.record_external_send('a' || n, 'message', 'q', 'chat', clock_timestamp()))
            FROM generate_series(1, 20000) n;
        SELECT count(sendgate.breaker_arm('a' || n, 'test')) FROM generate_series(1, 5000) n;
        SELECT count(sendgate.reserve('a' || n, 'inmail', 'q', 'k')) FROM generate_series(1, 5000) n;
        INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
        SELECT gen_random_uuid(), 'a' || n, 'operations_expired', current_date, 'test', clock_timestamp()
        FROM generate_series(1, 50000) n;
        VACUUM ANALYZE"""
    )
    env.cluster.configure(max_parallel_workers_per_gather=0)  # each process of a parallel scan counts a scan
    logs = ("send_operations", "linkedin_events", "enrollments", "campaign_events", "breaker_log")
    daemon_login(env)
    for arguments, most, expected in (
        (("status",), 2, "… and 99950 more"),
        (("status", "--after", "a5000"), 3, "the next: "),
        (("account", "a7"), 0, "Breaker: open since"),
        # By a part of its id it is looked for among all.
        (("account", "A99999"), 1, "Breaker: closed"),
    ):
        before = scans(env)
        done = run(env, *arguments)
        wait_for(lambda: sessions(env) == "0", "its session to end")
        assert expected in done.stdout, done.stdout
        after = scans(env)
        for table in logs:
            equal(after[table], before[table], f"{table} read as a whole by {arguments}")
        for table, times in (("accounts", most), ("alerts", 2)):
            assert after[table] - before[table] <= times, f"{arguments} reads {table} too often"


def test_account_says_whether_until_when_and_why(env):
    provision(env, inmail=2, invite=1, engagement=0)
    env.psql(f"SELECT sendgate.reserve('a', 'inmail', 'p', 'c', '{operation(1)}')")
    env.psql("SELECT sendgate.reserve('a', 'invite', 'p')")
    done = run(env, "account", "a")
    equal(done.returncode, 0, done.stderr)
    said = said_of(done.stdout)
    equal(said["inmail"], "can send now, 1 more today", "InMails")
    assert said["invite"].startswith("cannot send until ") and "daily cap" in said["invite"], said
    # No time changes a cap of 0.
    equal(said["engagement"], "cannot send: its daily cap is reached", "a cap of 0")
    assert "inmail        1 of 2 today (0 delivered)" in done.stdout, done.stdout
    assert "Breaker: closed" in done.stdout
    env.psql(
        f"""SELECT sendgate.rollback('a', '{operation(1)}', 'gone', NULL, 500);
        SELECT sendgate.breaker_arm('a', 'test');
        UPDATE sendgate.accounts SET messages_sent_today = 3;
        SELECT sendgate.reconcile_operations()"""
    )
    env.psql(
        """SELECT sendgate.enqueue('spring', 'p' || n, 'a', 'inmail') FROM generate_series(1, 3) n;
        SELECT sendgate.dispatch(10);
        SELECT sendgate.reserve('a', 'inmail', 'p1', 'spring');
        SELECT sendgate.record_external_send('a', 'message', 'q', 'chat', clock_timestamp())"""
    )
    done = run(env, "account", "a")
    assert "InMail credits are exhausted" in said_of(done.stdout)["inmail"], done.stdout
    for text in (
        "Breaker: open since",
        "Campaign work: 3 waiting, 3 of them for credits",
        "set (manual) by postgres: test",
        "3 inmail: its InMail credits are exhausted",
        "asked for again: 1",
        "message       1 of 80 today (1 delivered)",
        "inmail to p, reserved",
        "gone; resolve_operation",
        "message of the day of",
        "was 3, became 0",
    ):
        assert text in done.stdout, f"{text} is missing in\n{done.stdout}"
    found = json.loads(run(env, "account", "a", "--json").stdout)
    equal(found["actions"]["inmail"]["reason"], "account_inmail_credits_exhausted", "reason")
    equal(found["breaker"]["state"], "open", "breaker")
    equal(found["breaker_history"][0]["note"], "test", "history of the breaker")
    equal(found["skips_today"][0]["skipped"], 3, "skips")
    equal(run(env, "account", "nobody").returncode, 2, "an account that is not there")


def test_account_is_found_by_id_or_name_and_says_who_stopped_it(env):
    connection = env.connect()
    for account, name in (("acc-1", "Ada Byron"), ("acc-2", "Grace HÖPPER"), ("ada", None)):
        connection.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator', %s)", (account, name))
    env.psql("SELECT sendgate.set_status('acc-2', 'paused', 'on holiday')")
    out = run(env, "account", "höpper").stdout
    assert out.startswith("acc-2 Grace HÖPPER"), out
    equal(said_of(out)["invite"], "cannot send: the account is not connected", "invitations")
    for text in (
        "inmail, invite, message, profile_view, engagement since ",
        "by postgres: on holiday",
        "set_status(account_id",
    ):
        assert text in out, f"{text} is missing in\n{out}"
    equal(json.loads(run(env, "account", "GRACE", "--json").stdout)["why"][0]["note"], "on holiday", "why")
    # An id is no part of another one.
    assert run(env, "account", "ada").stdout.startswith("ada "), "the id itself"
    done = run(env, "account", "ACC")
    equal(done.returncode, 2, done.stdout)
    assert "acc-1 (Ada Byron)" in done.stderr and "acc-2 (Grace HÖPPER)" in done.stderr, done.stderr


def test_what_is_stopped_is_said_first_and_problems_have_their_reason(env):
    provision(env, "calm")
    provision(env, "zed")
    env.psql("SELECT sendgate.set_status('zed', 'paused', 'the owner is ill')")
    run(env, "tick")
    lines = below_what_is_stopped(run(env, "status").stdout)
    assert lines[2].startswith("zed") and "the account is not connected: the owner is ill" in lines[2], lines
    env.psql("SELECT sendgate.pause_all('the provider called')")
    out = run(env, "status").stdout
    assert out.startswith("everything is paused since ") and "by postgres: the provider called" in out, out
    equal(json.loads(run(env, "status", "--json").stdout)["stopped"]["paused"]["note"], "the provider called", "JSON")
    doctor = run(env, "doctor").stdout
    assert "BAD   everything is paused since " in doctor, doctor
    env.psql("SELECT sendgate.quarantine('restored')")
    assert "everything is in quarantine since " in run(env, "doctor").stdout
    env.cluster.configure(sendgate__enforcement="observe")
    wait_for(lambda: "the rules are only observed" in run(env, "status").stdout, "the setting to be read")
    assert "the rules are only observed" in run(env, "doctor").stdout


def test_account_without_the_right_to_ask_says_so(env):
    provision(env)
    env.psql("REVOKE EXECUTE ON FUNCTION sendgate.preview(text, text, text) FROM sendgate_daemon")
    equal(said_of(run(env, "account", "a").stdout)["inmail"], "can send now", "what a reader is told")
    env.psql("REVOKE EXECUTE ON FUNCTION sendgate.why(text, text) FROM sendgate_reader")
    done = run(env, "account", "a")
    equal(done.returncode, 0, done.stderr)
    assert "may not ask it" in done.stdout and "Breaker: closed" in done.stdout, done.stdout


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


def test_doctor_judges_the_triggers_of_applications(env):
    """Without firing them, and before a row meets them."""
    env.cluster.configure(sendgate__test_clock=None, fsync=None)
    run(env, "tick")
    columns = "'account', 'invite', 'prospect', '', 'operation', 'error'"
    env.psql(
        f"""CREATE TABLE public."out\x1bbox" (account text, prospect text, operation uuid UNIQUE, chat text, error text);
        CREATE TRIGGER guard BEFORE UPDATE ON public."out\x1bbox" FOR EACH ROW WHEN (NEW.chat IS NULL)
            EXECUTE FUNCTION sendgate.guard_send({columns});
        CREATE TRIGGER settle AFTER UPDATE ON public."out\x1bbox" FOR EACH ROW
            EXECUTE FUNCTION sendgate.settle_send('account', 'operation', 'chat', 'error')"""
    )
    done = run(env, "doctor")
    equal(done.returncode, 0, done.stdout + done.stderr)
    assert "2 triggers that guard tables of applications are well declared" in done.stdout, done.stdout
    env.psql(
        f"""ALTER TABLE public."out\x1bbox" RENAME COLUMN error TO "Error";
        CREATE TRIGGER late AFTER UPDATE ON public."out\x1bbox" FOR EACH ROW
            EXECUTE FUNCTION sendgate.guard_send({columns});
        ALTER TABLE public."out\x1bbox" DISABLE TRIGGER guard"""
    )
    done = run(env, "doctor")
    equal(done.returncode, 1, done.stdout + done.stderr)
    for text in (
        'error_column: table "out�box" has no column "error"',
        'trigger "late" is not BEFORE INSERT OR UPDATE FOR EACH ROW',
        "to do: Write: CREATE TRIGGER … AFTER UPDATE FOR EACH ROW EXECUTE FUNCTION sendgate.settle_send(",
        "It is disabled",
        "2 things to do",
    ):
        assert text in done.stdout, f"{text} is missing in\n{done.stdout}"
    assert not harmful(done.stdout), harmful(done.stdout)


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


def below_what_is_stopped(text: str) -> list[str]:
    """The lines of ``status`` below those about everything: the test clock, at least, is always on here."""
    head, rest = text.split("\n\n", 1)
    assert "the test clock is on" in " ".join(head.split()), text
    return rest.splitlines()


def said_of(text: str) -> dict[str, str]:
    """What is said of each action, from the first block of the text."""
    lines = text.split("\n\n")[1].splitlines()
    return {action: words.strip() for action, words in (line.split(None, 1) for line in lines)}


def in_terminal(env, *arguments: str, columns: int = 80, **environment: str) -> str:
    """What a command writes to a terminal of that width."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    url = url_of(env, daemon_login(env))
    process = subprocess.Popen(
        [build.build_daemon(), *arguments],
        env={"SENDGATED_DATABASE_URL": url, "TERM": "xterm"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=end,
    )
    os.close(end)
    written = b""
    try:
        while part := os.read(terminal, 4096):
            written += part
    except OSError:  # this is how a terminal ends
        pass
    os.close(terminal)
    process.wait()
    return written.decode()


def width(line: str) -> int:
    """Columns that a line takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
    return len(line) + wide - sum(unicodedata.combining(c) > 0 for c in line)


def strings(value) -> set[str]:
    """All texts in what JSON says."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*(strings(part) for part in value))
    return {value} if isinstance(value, str) else set()


def scans(env) -> dict[str, int]:
    """How often each table was read as a whole."""
    rows = env.psql("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'sendgate'")
    return {name: int(count) for name, count in (row.split("|") for row in rows.splitlines())}
