"""The breaker's lines on standard output: each committed set, clear and skip exactly once."""

import os
import signal

from e2e.support import Stopwatch, equal, operation, provision, wait_for
from e2e.support.daemon_process import STOP_SECONDS_MAX, Daemon, daemon_login

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
MANY = 3000


def test_a_line_says_who_what_when_and_why(env):
    provision(env)
    env.psql(
        f"""SELECT sendgate.reserve('a', 'inmail', 'p', 'c', '{operation(1)}');
        SELECT sendgate.rollback('a', '{operation(1)}', 'x', 'errors/insufficient_credits', 422);
        SELECT sendgate.reserve('a', 'inmail', 'q', 'c', NULL)"""
    )
    with Daemon(env) as daemon:
        wait_for(lambda: len(daemon.lines()) == 2, "two lines")
        armed, skipped = daemon.lines()
        text = daemon.out.splitlines()
    start = '{"source":"inmail_credit_breaker","action":"set","account_id":"a","prospect_id":"p","ts":"'
    assert text[0].startswith(start), text[0]
    # The keys that are always there come first, in this order.
    always = ["source", "action", "account_id", "prospect_id", "ts", "id", "reason", "actor"]
    equal(list(skipped)[:8], always, "keys")
    equal([skipped[k] for k in ("action", "prospect_id", "campaign_id")], ["skip", "q", "c"], "skip")
    equal(skipped["reason"], "account_inmail_credits_exhausted", "reason")
    equal(skipped["exhausted_at"], armed["exhausted_at"], "the stamp")
    logged = env.psql(
        """SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), actor
           FROM sendgate.breaker_log WHERE action = 'set'"""
    )
    equal(logged, "|".join(armed[key] for key in ("id", "ts", "actor")), "as logged")


def test_a_rolled_back_set_leaves_no_line(env):
    provision(env)
    connection = env.connect(autocommit=False)
    with Daemon(env) as daemon:
        connection.execute("SELECT sendgate.breaker_arm('a', 'given up')")
        connection.rollback()
        env.psql("SELECT sendgate.breaker_arm('a', 'meant')")
        wait_for(daemon.lines, "a line")
        env.psql("SELECT sendgate.breaker_clear('a', 'test')")
        wait_for(lambda: len(daemon.lines()) >= 2, "another line")
        equal([line["action"] for line in daemon.lines()], ["set", "clear"], "lines")


def test_strange_text_stays_on_one_line(env):
    account = 'a"\\\n\x1b[31m\x9b2J\x7f\u202e\u2028'
    connection = env.connect()
    connection.execute("SELECT sendgate.upsert_account(%s, 'recruiter')", (account,))
    connection.execute("SELECT sendgate.breaker_arm(%s, 'test')", (account,))
    with Daemon(env) as daemon:
        wait_for(daemon.lines, "a line")
        equal(daemon.lines()[0]["account_id"], account, "account")
        assert not set("\x1b\x9b\x7f\u202e\u2028") & set(daemon.out), daemon.out


def test_restarts_neither_lose_nor_repeat_lines(env):
    """Told to stop in the middle of many lines, again and again, with new ones coming."""
    accounts(env)
    login = daemon_login(env)
    env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
    printed: list[str] = []
    for turn in range(4):
        with Daemon(env, login) as daemon:
            wait_for(lambda daemon=daemon: daemon.lines(), "the first lines")
            equal(daemon.stop()[0], 0, "exit status")
            printed += ids(daemon)
        switch = "clear" if turn % 2 == 0 else "arm"
        env.psql(f"SELECT sendgate.breaker_{switch}(id, 'turn') FROM sendgate.accounts LIMIT 500")
    with Daemon(env, login) as daemon:
        drained(env)
        daemon.stop()
        printed += ids(daemon)
    exactly_once(env, printed)


def test_two_daemons_share_the_lines(env):
    accounts(env)
    login = daemon_login(env)
    with Daemon(env, login) as one, Daemon(env, login) as two:
        for _ in range(3):
            env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
            env.psql("SELECT sendgate.breaker_clear(id, 'test') FROM sendgate.accounts")
        drained(env)
        equal([one.stop()[0], two.stop()[0]], [0, 0], "exit status")
        exactly_once(env, ids(one) + ids(two))


def test_a_kill_repeats_one_batch_at_most_with_the_same_ids(env):
    accounts(env)
    login = daemon_login(env)
    env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
    with Daemon(env, login) as daemon:
        wait_for(daemon.lines, "the first lines")
        daemon.stop(signal.SIGKILL)
        printed = ids(daemon)
    with Daemon(env, login) as daemon:
        drained(env)
        daemon.stop()
        again = ids(daemon)
    repeated = len(printed) + len(again) - len({*printed, *again})
    assert repeated <= 500, f"{repeated} lines came twice"
    exactly_once(env, [*{*printed, *again}])


def test_a_lost_connection_repeats_no_line(env):
    """The server ends the daemon's sessions all the time; the daemon remembers what it printed."""
    accounts(env)
    with Daemon(env) as daemon:
        env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")

        def cut() -> bool:
            env.psql(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'sendgated' AND datname = current_database()"""
            )
            return len(daemon.lines()) >= 1000

        wait_for(cut, "a thousand lines in spite of it")
        drained(env)
        equal(daemon.stop()[0], 0, "exit status")
        exactly_once(env, ids(daemon))


def test_lines_keep_up_with_a_thousand_a_second(env):
    accounts(env)
    with Daemon(env) as daemon:
        wait_for(daemon.ready, "the daemon")
        env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
        with Stopwatch() as watch:
            drained(env)
        assert watch.seconds < MANY / 1000, f"{MANY} lines took {watch.seconds:.1f} s"
        equal(len(daemon.lines()), MANY, "lines")


def test_without_a_reader_it_ends_and_loses_nothing(env):
    """Standard output is closed: the lines stay where they are, and a supervisor is told."""
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    reading, writing = os.pipe()
    os.close(reading)
    with Daemon(env, out=writing) as daemon:
        os.close(writing)
        equal(daemon.process.wait(60), 1, "exit status")
        assert "standard output" in daemon.err, daemon.err
    equal(env.psql("SELECT count(*) FROM sendgate.breaker_outbox"), "1", "lines that wait")


def test_a_reader_who_stopped_reading_holds_nobody_up(env):
    """A full pipe: the daemon still ends in time, and what it could not print is still there."""
    accounts(env)
    env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
    reading, writing = os.pipe()
    try:
        with Daemon(env, out=writing) as daemon:
            os.close(writing)
            wait_for(lambda: waits_in_transaction(env), "the pipe to be full")
            assert daemon.ready()
            status, seconds = daemon.stop()
        equal(status, 0, "exit status")
        assert seconds < STOP_SECONDS_MAX, f"it took {seconds:.1f} s"
    finally:
        os.close(reading)
    # Not even the first batch went through.
    equal(env.psql("SELECT count(*) FROM sendgate.breaker_outbox"), str(MANY), "lines that wait")


def waits_in_transaction(env) -> bool:
    """Whether lines that were taken have been waiting for a while to be printed."""
    count = env.psql(
        """SELECT count(*) FROM pg_stat_activity
           WHERE application_name = 'sendgated' AND datname = current_database()
             AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '1 s'"""
    )
    return count == "1"


def accounts(env) -> None:
    """Many accounts."""
    env.psql(f"SELECT sendgate.upsert_account('a' || n, 'recruiter') FROM generate_series(1, {MANY}) AS n")


def ids(daemon: Daemon) -> list[str]:
    """The ids of the lines that it printed."""
    return [line["id"] for line in daemon.lines()]


def drained(env) -> None:
    """Wait until nothing is left in the outbox."""
    count = "SELECT count(*) FROM sendgate.breaker_outbox"
    wait_for(lambda: env.psql(count) == "0", "the outbox to be empty")


def exactly_once(env, printed: list[str]) -> None:
    """Compare with the log: nothing is missing, nothing came twice."""
    equal(len(printed), len(set(printed)), "different lines")
    logged = env.psql("SELECT id FROM sendgate.breaker_log").split()
    equal(set(printed) ^ set(logged), set(), "lines that are not as logged")
