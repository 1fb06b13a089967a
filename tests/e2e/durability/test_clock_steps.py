"""A clock that jumps by a day, as NTP may make it: no counter is reset or doubled, people are told, and over
the days that it got wrong an account gets no more than their caps."""

from datetime import UTC, datetime, timedelta
from functools import partial

from e2e.support import equal, provision, wait_for
from e2e.support.daemon_process import JOBS, Daemon

ONLY_ON = (18,)

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
CAP = 5
DAY = timedelta(days=1)
# The first of a month, and a Wednesday.
NOON = datetime(2027, 9, 1, 12, tzinfo=UTC)
ALERTS = "SELECT string_agg(account_id || ' ' || kind, ', ' ORDER BY account_id) FROM sendgate.open_alerts"
RUNS = "SELECT run_id FROM sendgate.reconcile_runs"
COUNTERS = """
    SELECT id, day, invites_sent_today,
           sendgate.sent_in_seven_days_as_of(invites_sent_today, sent_before, 'invite', day, day::timestamptz)
    FROM sendgate.accounts ORDER BY id"""


def test_a_clock_that_was_a_day_ahead_for_a_while(env):
    """What the wrong day got is missing from that day when it comes: two days, two caps."""
    clock = Clock(env, NOON)
    with Daemon(env, SENDGATED_POLL="0.2") as daemon:
        clock.swept(daemon)
        equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "the first day")
        equal(clock.send("b", 2), [2, None], "an account that did not use its day")
        in_flight = clock.reserve("c")
        clock.step(NOON + DAY)
        clock.swept(daemon)
        equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "a day too early")
        wrong_day = env.psql(COUNTERS)
        # An operation that was in flight during the jump is expired, and its worker may still settle it.
        env.psql(f"SELECT sendgate.confirm('c', '{in_flight}')")

        clock.step(NOON)
        equal(clock.send("a", 3), [0, "daily_cap_reached"], "back on the first day")
        equal(clock.retry_at("a"), NOON.replace(hour=0) + 2 * DAY, "until when")
        equal(env.psql(COUNTERS), wrong_day, "counters, neither reset nor doubled")
        clock.swept(daemon)
        equal(env.psql(COUNTERS), wrong_day, "counters after the jobs")
        equal(env.psql(ALERTS), "a clock_behind_row", "alerts")
        # Its row was rolled while the clock was wrong: what it sends now is taken from the next day.
        equal(clock.send("b", CAP + 3), [CAP, "daily_cap_reached"], "an account that had slots of the wrong day left")

        clock.step(NOON + DAY)
        equal(clock.send("a", 3) + clock.send("b", 3), [0, "daily_cap_reached"] * 2, "the second day, for good")
        clock.swept(daemon)
        equal(env.psql(ALERTS), "", "alerts, now that the clock has caught up")
        clock.step(NOON + 2 * DAY)
        equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "the third day")
        equal(daemon.stop()[0], 0, "exit status")
    equal(clock.by_day("a"), [CAP, CAP, CAP], "sends by day")
    equal(clock.by_day("b"), [2, CAP], "sends by day of the other one")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")


def test_a_clock_that_fell_back_by_a_day(env):
    """Over the start of a month: the old day gives nothing, and an empty balance stays empty."""
    clock = Clock(env, NOON)
    with Daemon(env, SENDGATED_POLL="0.2") as daemon:
        clock.swept(daemon)
        equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "today")
        env.psql("SELECT sendgate.breaker_arm('a', 'no credits')")
        right = env.psql(COUNTERS)
        clock.step(NOON - DAY)
        equal(clock.send("a", 3), [0, "daily_cap_reached"], "yesterday, once more")
        no_credits = "SELECT reason FROM sendgate.reserve('a', 'inmail', 'p')"
        equal(env.psql(no_credits), "account_inmail_credits_exhausted", "InMails in the old period")
        # A last run in the future counts as due.
        clock.swept(daemon)
        equal(env.psql(COUNTERS), right, "counters, neither reset nor doubled")
        equal(env.psql(ALERTS), "a clock_behind_row", "alerts")
        clock.step(NOON)
        equal(clock.send("a", 3), [0, "daily_cap_reached"], "today again")
        equal(env.psql(no_credits), "account_inmail_credits_exhausted", "InMails today")
        equal(env.psql(COUNTERS), right, "counters")
        clock.swept(daemon)
        equal(env.psql(ALERTS), "", "alerts, now that the clock is right")
        clock.step(NOON + DAY)
        equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "tomorrow")
    equal(clock.by_day("a"), [CAP, CAP], "sends by day")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")


def test_a_row_that_is_ahead_can_be_mended(env):
    """repair_day counts today's sends on today again, and gives the next day's slots back."""
    clock = Clock(env, NOON)
    equal(clock.send("a", CAP), [CAP, None], "today")
    clock.step(NOON + DAY)
    equal(clock.send("a", CAP), [CAP, None], "a day too early")
    clock.step(NOON)
    env.psql("SELECT sendgate.repair_day('a', 'the clock was wrong')")
    equal(env.psql(COUNTERS).splitlines()[0], f"a|2027-09-01|{2 * CAP}|{2 * CAP}", "today, as it was")
    equal(clock.send("a", 3), [0, "daily_cap_reached"], "the rest of today")
    clock.step(NOON + DAY)
    equal(clock.send("a", CAP + 3), [CAP, "daily_cap_reached"], "the next day")


class Clock:
    """The server's clock, which runs on from wherever it is put; and some accounts."""

    def __init__(self, env, instant: datetime):
        self.env = env
        self.turn = 0
        # Of the clock before it was put, and to where it was put.
        self.runs: list = []
        self.instant = instant
        self.connection = env.connect()
        self.step(instant)
        env.psql("UPDATE sendgate.jobs SET since = sendgate.clock()")
        for account in ("a", "b", "c"):
            provision(env, account, invite=CAP)

    def step(self, instant: datetime) -> None:
        """For all sessions at once, also those that are connected."""
        self.runs = [run for (run,) in self.connection.execute(RUNS).fetchall()]
        self.instant = instant
        offset = round(instant.timestamp() - datetime.now(UTC).timestamp())
        self.env.cluster.configure(sendgate__clock_offset=f"{offset} seconds")
        arrived = f"SELECT abs(extract(epoch FROM sendgate.clock() - '{instant.isoformat()}')) < 600"
        wait_for(lambda: self.env.psql(arrived) == "t", "the clock to be set")

    def reserve(self, account: str) -> str:
        """Take a slot that is not settled."""
        return self.env.psql(f"SELECT operation_id FROM sendgate.reserve('{account}', 'invite', 'slow')")

    def send(self, account: str, wanted: int) -> list:
        """So many attempts on a session that has seen it all: how many were sent, and why no more."""
        sent, refused = 0, None
        for _ in range(wanted):
            self.turn += 1
            sql = "SELECT operation_id, reason FROM sendgate.reserve(%s, 'invite', %s)"
            slot, reason = self.connection.execute(sql, (account, f"p{self.turn}")).fetchone()
            if slot:
                self.connection.execute("SELECT sendgate.confirm(%s, %s)", (account, slot))
                sent += 1
            refused = refused or reason
        return [sent, refused]

    def retry_at(self, account: str) -> datetime:
        sql = "SELECT retry_at FROM sendgate.preview(%s, 'invite', 'x')"
        return self.connection.execute(sql, (account,)).fetchone()[0]

    def by_day(self, account: str) -> list[int]:
        """How many sends count on each day, in order of the days."""
        sql = """SELECT count(*) FROM sendgate.linkedin_events WHERE account_id = %s GROUP BY counted_on
            ORDER BY counted_on"""
        return [count for (count,) in self.connection.execute(sql, (account,)).fetchall()]

    def swept(self, daemon) -> None:
        """Every job has run since the clock was put: each is due, whichever way it went."""
        for job in JOBS:
            sql = """SELECT bool_or(run_id <> ALL (%s) AND abs(extract(epoch FROM started_at - %s)) < 600)
                FROM sendgate.reconcile_runs WHERE job = %s AND state = 'ok'"""
            run = partial(self.connection.execute, sql, (self.runs, self.instant, job))
            wait_for(lambda run=run: run().fetchone()[0], f"{job} to run")
        wait_for(daemon.ready, "the daemon")
