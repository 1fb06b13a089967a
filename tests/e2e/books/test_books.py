"""The books are kept while everything else happens: workers that crash, schedulers that are killed in
the middle of a job, a server that goes down, a month that passes."""

import itertools
import random
import threading
from datetime import UTC, datetime, timedelta

from e2e.support import at_once, equal, kill_backend, operation, provision, wait_for, wait_until_blocked

WORKERS = 20
TURNS = 100
ACCOUNTS = ("a", "b", "c")
# Between these instants no tick runs: two of the four days have none at all.
OUTAGE = (datetime(2027, 1, 25, 12, tzinfo=UTC), datetime(2027, 1, 28, 12, tzinfo=UTC))
# More than one batch of a job that tick runs.
MANY = 1500


def test_sweeps_find_nothing_while_workers_work_and_crash(env):
    """No reserve is lost, doubled or reported as drift; then a counter is wrong, and it is healed."""
    for account in ACCOUNTS:
        provision(env, account, inmail=1000, message=1000)
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.lock_timeout = '5min'")
    # Workers whose failures are drawn by chance may well draw ten in a row; here counters are looked at.
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.failure_limit = 0")
    stop, swept, failed = threading.Event(), [], []

    def sweep() -> None:
        connection = env.connect()
        try:
            while not stop.is_set():
                for job in ("audit_events", "reconcile_operations"):
                    swept.append((job, *run_job(connection, job)))
        except Exception as error:
            failed.append(error)

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        at_once(WORKERS, lambda number: work(env, number))
    finally:
        stop.set()
        sweeper.join()
    assert not failed, f"a sweep failed: {failed[0]}"
    assert len(swept) > 10, f"only {len(swept)} sweeps while the workers worked"
    connection = env.connect()
    for job in ("audit_events", "reconcile_operations"):
        swept.append((job, *run_job(connection, job)))
    healed = [line for line in swept if line[0] == "reconcile_operations" and line[2]]
    equal(healed, [], "sweeps that corrected something")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")
    equal(env.psql("SELECT kind FROM sendgate.open_alerts"), "", "open alerts")
    equal(env.psql(WRONG), "", "counters that are not what the journal says")

    counter = "SELECT inmails_sent_today FROM sendgate.accounts WHERE id = 'b'"
    before = int(env.psql(counter))
    env.psql("UPDATE sendgate.accounts SET inmails_sent_today = inmails_sent_today + 900 WHERE id = 'b'")
    equal(run_job(connection, "audit_events")[1], 1, "accounts that the audit tells of")
    told = "SELECT account_id, kind FROM sendgate.open_alerts"
    equal(env.psql(told), "b|counter_ahead_of_events", "alerts")
    equal(run_job(connection, "reconcile_operations")[1], 1, "counters that were healed")
    equal(int(env.psql(counter)), before, "the counter")
    drift = "SELECT account_id, action, period, before - after FROM sendgate.counter_drift"
    equal(env.psql(drift), "b|inmail|day|900", "drift")
    run_job(connection, "audit_events")
    equal(env.psql(told), "", "alerts once it is healed")


def test_what_expired_fails_when_the_account_is_held(env):
    """Not when the batch began: a grant that was decided in between is older than the silence."""
    env.cluster.configure(sendgate__operation_ttl="1s", sendgate__failure_limit="1")
    provision(env)
    connection, other = env.connect(), env.connect(autocommit=False)
    env.psql(f"SELECT sendgate.reserve('a', 'message', 'p', NULL, '{operation(1)}')")
    expired = "SELECT count(*) FROM sendgate.operations_unresolved WHERE expired"
    wait_for(lambda: env.psql(expired) == "1", "the operation to expire")
    other.execute("LOCK TABLE sendgate.send_operations")

    def work(number: int):
        if number == 0:
            return connection.execute("SELECT sendgate.reconcile_operations()").fetchone()
        wait_until_blocked(env, connection.info.backend_pid)
        released = other.execute("SELECT clock_timestamp()").fetchone()[0]
        other.rollback()
        return released

    released = at_once(2, work)[1]
    logged = "SELECT at > %s FROM sendgate.cooldown_log WHERE cause = 'failing'"
    equal(connection.execute(logged, (released,)).fetchall(), [(True,)], "whether the silence began after the wait")


def test_a_month_passes(env):
    """Ticks over 31 days, with an outage among them: nothing drifts, no day or week is overshot, the
    breaker holds until the 1st, each job ran when it was due and no more often."""
    start = datetime(2027, 1, 11, tzinfo=UTC)
    # As seldom as it may be without a run being missed.
    instants = [start + timedelta(minutes=20 * n) for n in range(31 * 24 * 3 + 1)]
    up = [now for now in instants if not OUTAGE[0] <= now < OUTAGE[1]]
    connection = env.connect()
    set_clock(connection, start)
    # Installed when the month begins, or every job would be late from the first.
    connection.execute("UPDATE sendgate.jobs SET since = sendgate.clock()")
    connection.execute("SELECT sendgate.upsert_account('a', 'sales_navigator', ramp => true)")
    connection.execute("SELECT sendgate.set_cap('a', 'invite', 10, 30)")
    connection.execute("SELECT sendgate.upsert_account('b', 'recruiter')")
    prospects, printed, skipped = itertools.count(), [], 0
    for number, now in enumerate(up):
        set_clock(connection, now)
        # The session's time zone does not matter.
        connection.execute(f"SET TimeZone = '{('Pacific/Kiritimati', 'America/Los_Angeles')[number % 2]}'")
        connection.execute("CALL sendgate.tick()")
        if now.minute == 0 and now.hour in (0, 9, 23) and now < instants[-1]:
            for account, action in (("a", "invite"), ("a", "inmail"), ("b", "inmail")):
                for _ in range(5):
                    skipped += send(connection, account, action, next(prospects), now)
        printed += connection.execute(
            "SELECT account_id, action, reason, at FROM sendgate.take_breaker_lines(100) WHERE action <> 'skip'"
        ).fetchall()

    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")
    equal(connection.execute(WRONG).fetchall(), [], "counters that are not what the journal says")
    overshot = """
        SELECT account_id, action, {period}, count(*) FROM sendgate.send_operations
        WHERE state <> 'released' AND action = 'invite' GROUP BY 1, 2, 3 HAVING count(*) > {cap}"""
    equal(env.psql(overshot.format(period="counted_on", cap=10)), "", "days with too many invites")
    week = "date_trunc('week', counted_on)"
    equal(env.psql(overshot.format(period=week, cap=30)), "", "weeks with too many invites")
    # The ramp of account a: a step of 20 percent of 10 each day.
    first = env.psql(
        """SELECT string_agg(n::text, ' ' ORDER BY day) FROM (
            SELECT counted_on AS day, count(*) AS n FROM sendgate.send_operations
            WHERE account_id = 'a' AND action = 'invite' AND state <> 'released' AND counted_on < '2027-01-15' GROUP BY 1) d"""
    )
    equal(first, "2 4 6 8", "invites of the first days")
    armed = [line for line in printed if line[1] == "set"]
    cleared = [line for line in printed if line[1] == "clear"]
    equal([line[:3] for line in armed], [("b", "set", "credits_exhausted")], "breakers that were set")
    equal(
        [(*line[:3], line[3].astimezone(UTC)) for line in cleared],
        [("b", "clear", "monthly_reset", datetime(2027, 2, 1, tzinfo=UTC))],
        "breakers that were cleared",
    )
    assert skipped > 50, f"only {skipped} InMails were refused by the breaker"
    runs = connection.execute(
        "SELECT job, count(*), count(*) FILTER (WHERE state = 'ok') FROM sendgate.reconcile_runs"
        " GROUP BY job ORDER BY job"
    ).fetchall()
    ticks, days = len(up), len({now.date() for now in up})
    due = {"audit_events": ticks, "midnight_reset": days, "prune": days, "reconcile_operations": ticks}
    equal(runs, [(job, count, count) for job, count in due.items()], "runs")
    # The operations of one morning have no outcome yet, so their alert stays open.
    equal(env.psql("SELECT account_id, kind FROM sendgate.open_alerts"), "a|operations_expired", "alerts")
    stale = "SELECT count(*), count(resolved_at) FROM sendgate.alerts WHERE kind = 'reconciler_stale'"
    equal(env.psql(stale), "1|1", "alerts about the outage, and resolved ones")


def test_a_killed_tick_is_recorded_and_its_work_finished(env):
    """kill -9 of the backend in the second batch of a sweep."""
    interrupted(env, lambda backend: kill_backend(env, backend))


def test_a_tick_in_a_crash_of_the_server_is_recorded_and_its_work_finished(env):
    interrupted(env, lambda _backend: env.cluster.restart("immediate"))


def test_a_tick_whose_connection_ends_is_recorded_and_its_work_finished(env):
    def terminate(backend: int) -> None:
        env.psql(f"SELECT pg_terminate_backend({backend})")
        gone = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}"
        wait_for(lambda: env.psql(gone) == "0", "the backend to end")

    interrupted(env, terminate)


def interrupted(env, interrupt) -> None:
    """A tick is stopped while it holds rows, then the next one carries on."""
    import psycopg

    many_accounts(env)
    trap = Trap(env)
    ticking = env.connect()
    backend = ticking.info.backend_pid
    lost = []

    def tick() -> None:
        try:
            ticking.execute("CALL sendgate.tick()")
        except psycopg.OperationalError as error:
            lost.append(error)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    wait_until_blocked(env, backend)
    equal(env.psql(RUNS), "midnight_reset|ok|0|1\naudit_events|ok|1500|2\n"
          "reconcile_operations|running|1000|1", "runs while one is stuck")  # fmt: skip
    interrupt(backend)
    thread.join()
    assert lost, "the tick that was interrupted came to its end"
    trap.open()
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift written before the crash")
    env.connect().execute("CALL sendgate.tick()")
    # The first batch was committed and is not done again; prune had not had its turn.
    equal(
        env.psql(RUNS),
        "midnight_reset|ok|0|1\naudit_events|ok|1500|2\nreconcile_operations|crashed|1000|1\n"
        "reconcile_operations|ok|500|1\nprune|ok|0|1",
        "runs in the end",
    )
    equal(env.psql("SELECT account_id, before, after FROM sendgate.counter_drift"), "n1499|7|0", "drift")
    equal(env.psql("SELECT count(*) FROM sendgate.reconciler_health WHERE stale"), "0", "stale jobs")


def test_two_ticks_at_once_do_nothing_twice(env):
    """While one is in the middle of a job the other does the jobs that are left, without waiting."""
    many_accounts(env)
    trap = Trap(env)
    first, second = env.connect(), env.connect()
    thread = threading.Thread(target=lambda: first.execute("CALL sendgate.tick()"), daemon=True)
    thread.start()
    wait_until_blocked(env, first.info.backend_pid)
    second.execute("CALL sendgate.tick()")
    equal(run_job(second, "reconcile_operations"), (0, 0, False), "a sweep by hand meanwhile")
    trap.open()
    thread.join()
    second.execute("CALL sendgate.tick()")
    runs = "SELECT job, state, checked, changed FROM sendgate.reconcile_runs ORDER BY job"
    equal(
        env.psql(runs),
        "audit_events|ok|1500|0\nmidnight_reset|ok|0|0\nprune|ok|0|0\nreconcile_operations|ok|1500|1",
        "runs",
    )
    equal(env.psql("SELECT account_id, before, after FROM sendgate.counter_drift"), "n1499|7|0", "drift")


WRONG = """
    SELECT a.id, o.action, count(*) FROM sendgate.accounts a
    JOIN sendgate.send_operations o ON o.account_id = a.id
    WHERE o.counted_on = a.day AND o.state <> 'released' GROUP BY a.id, o.action
    HAVING count(*) <> CASE o.action WHEN 'inmail' THEN a.inmails_sent_today
        WHEN 'invite' THEN a.invites_sent_today ELSE a.messages_sent_today END"""
RUNS = "SELECT job, state, checked, batches FROM sendgate.reconcile_runs ORDER BY run_id"


class Trap:
    """A session that writes a corrected counter waits there until the trap is opened."""

    def __init__(self, env):
        self.env = env
        self.holder = env.connect()
        env.psql(
            "CREATE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;"
            "CREATE TRIGGER stop_here BEFORE INSERT ON sendgate.counter_drift"
            " FOR EACH ROW EXECUTE FUNCTION public.stop_here()"
        )
        self.holder.execute("SELECT pg_advisory_lock(1)")

    def open(self) -> None:
        """Also after the server went down, which opens it too."""
        if not self.holder.closed and not self.holder.broken:
            self.holder.close()


def many_accounts(env) -> None:
    """Enough for two batches; of the last one in the order of a sweep a counter is wrong."""
    env.psql(
        "SELECT count(sendgate.upsert_account('n' || lpad(n::text, 4, '0'), 'sales_navigator'))"
        f" FROM generate_series(0, {MANY - 1}) n;"
        f"UPDATE sendgate.accounts SET messages_sent_today = 7 WHERE id = 'n{MANY - 1}'"
    )


def work(env, number: int) -> None:
    """A worker: it delivers, gives back, and now and then vanishes without an answer."""
    chance = random.Random(number)
    connection = env.connect()
    for turn in range(TURNS):
        account, action = chance.choice(ACCOUNTS), chance.choice(("inmail", "inmail", "message"))
        slot = operation(number * 1000 + turn)
        reserve = (account, action, f"{number}.{turn}", slot)
        fate = chance.random()
        if fate < 0.05:
            # The connection ends before the commit: no slot was taken.
            connection.execute("BEGIN")
            connection.execute(RESERVE, reserve)
            connection.close()
            connection = env.connect()
            continue
        equal(connection.execute(RESERVE, reserve).fetchone()[0], True, "a grant")
        if fate < 0.1:
            connection.close()
            connection = env.connect()
        elif fate < 0.6:
            connection.execute("SELECT sendgate.confirm(%s, %s, %s)", (account, slot, f"chat {slot}"))
        elif fate < 0.65:
            connection.execute("BEGIN")
            connection.execute("SELECT sendgate.confirm(%s, %s, %s)", (account, slot, f"chat {slot}"))
            connection.execute("ROLLBACK")
            connection.execute("SELECT sendgate.rollback(%s, %s)", (account, slot))
        else:
            error = ((None, None), ("recipient has blocked you", 422), ("try later", 503))[turn % 3]
            connection.execute("SELECT sendgate.rollback(%s, %s, %s, NULL, %s)", (account, slot, *error))
    connection.close()


RESERVE = "SELECT proceed FROM sendgate.reserve(%s, %s, %s, NULL, %s)"


def send(connection, account: str, action: str, prospect: int, now: datetime) -> bool:
    """One send of the month's story; whether the breaker refused it."""
    proceed, slot, reason = connection.execute(
        "SELECT proceed, operation_id, reason FROM sendgate.reserve(%s, %s, %s)",
        (account, action, f"p{prospect}"),
    ).fetchone()
    if not proceed:
        expected = {"daily_cap_reached", "weekly_cap_reached", "account_inmail_credits_exhausted"}
        assert reason in expected, reason
        return reason == "account_inmail_credits_exhausted"
    silent = now == datetime(2027, 2, 10, 9, tzinfo=UTC) and (account, action) == ("a", "inmail")
    if silent:
        return False
    if account == "b" and now >= datetime(2027, 1, 20, tzinfo=UTC) and now.month == 1:
        connection.execute("SELECT sendgate.rollback('b', %s, 'out of credits', NULL, 422)", (slot,))
    elif prospect % 7 == 0:
        connection.execute("SELECT sendgate.rollback(%s, %s)", (account, slot))
    else:
        connection.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (account, slot))
    return False


def set_clock(connection, now: datetime) -> None:
    connection.execute(f"SET sendgate.now = '{now.isoformat()}'")


def run_job(connection, job: str) -> tuple:
    """(checked, changed, more) of one batch."""
    return connection.execute(f"SELECT checked, changed, more FROM sendgate.{job}()").fetchone()
