"""Midnight in UTC: with the daemon up, with it down, and while workers send."""

from e2e.support import at_once, books, equal, provision, wait_for
from e2e.support.daemon_process import Daemon, all_ran, states

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
WORKERS = 4
CAP = 30
DAY = "(sendgate.clock() AT TIME ZONE 'UTC')::date"


def test_midnight_with_the_daemon_up_while_workers_send(env):
    """The clock runs through midnight: each day's cap is kept, and the rows are rolled once."""
    run_the_clock_to(env, "22:00:00")
    today = env.psql(f"SELECT {DAY}")
    provision(env, inmail=CAP)
    provision(env, "idle", inmail=CAP)
    env.psql(
        """SELECT sendgate.confirm('idle', (sendgate.reserve('idle', 'inmail', 'p' || n)).operation_id, 'c' || n)
        FROM generate_series(1, 5) n"""
    )
    with Daemon(env) as daemon:
        wait_for(lambda: states(env, "midnight_reset") == ["ok"], "the first run of the day")

        def work(number: int) -> None:
            turn = 0
            with env.connect() as connection:
                while True:
                    turn += 1
                    day = connection.execute(f"SELECT {DAY}::text").fetchone()[0]
                    sql = "SELECT proceed, operation_id FROM sendgate.reserve('a', 'inmail', %s)"
                    proceed, operation = connection.execute(sql, (f"p{number}-{turn}",)).fetchone()
                    if proceed:
                        connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation,))
                    elif day > today:
                        return

        def work_through_midnight(number: int) -> None:
            if number < WORKERS:
                return work(number)
            # Midnight comes when the first day's cap is reached and all workers still ask for more.
            wait_for(lambda: books(env)["counter"] == CAP, "the first day's cap")
            run_the_clock_to(env, "23:59:58")

        at_once(WORKERS + 1, work_through_midnight)
        wait_for(lambda: states(env, "midnight_reset") == ["ok", "ok"], "midnight to be written down")
        idle = "SELECT inmails_sent_today FROM sendgate.accounts WHERE id = 'idle'"
        equal(env.psql(idle), "0", "the idle account's counter")
        stale = "SELECT count(*) FROM sendgate.reconciler_health WHERE stale"
        wait_for(lambda: env.psql(stale) == "0", "every job to have run")
        equal(daemon.stop()[0], 0, "exit status")
    per_day = env.psql(
        """SELECT counted_on::text, count(*) FROM sendgate.send_operations
        WHERE account_id = 'a' AND state = 'delivered' GROUP BY 1 ORDER BY 1"""
    )
    equal([line.split("|")[1] for line in per_day.splitlines()], [str(CAP)] * 2, per_day)
    drift = env.psql("SELECT count(*) FROM sendgate.counter_drift")
    equal((drift, env.psql("SELECT count(*) FROM sendgate.open_alerts")), ("0", "0"), "drift and alerts")
    equal(books(env)["counter"], CAP, "the counter of the new day")


def test_midnight_with_the_daemon_down(env):
    """It comes back three days later: midnight is written down once, and workers had their slots without it."""
    provision(env, inmail=CAP)
    use_up = "SELECT count(*) FILTER (WHERE (sendgate.reserve('a', 'inmail', {} || 'p' || n)).proceed) FROM generate_series(1, {}) n"
    run_the_clock_to(env, "22:00:00")
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "the first run of each job")
        equal(env.psql(use_up.format("''", CAP + 5)), str(CAP), "slots of the first day")
        daemon.stop()
    run_the_clock_to(env, "3 days 22:00:00")
    stale = "SELECT count(*) FROM sendgate.reconciler_health WHERE stale"
    equal(env.psql(stale), "4", "stale jobs")
    equal(env.psql(use_up.format("'later '", CAP + 5)), str(CAP), "slots before the daemon has reset anything")
    with Daemon(env):
        wait_for(lambda: env.psql(stale) == "0", "every job to catch up")
        for job in ("midnight_reset", "prune", "audit_events", "reconcile_operations"):
            equal(states(env, job), ["ok", "ok"], f"runs of {job}: one a day, however many were missed")
    equal(books(env)["counter"], CAP, "today's counter, untouched by a late reset")
    drift = env.psql("SELECT count(*) FROM sendgate.counter_drift")
    equal(drift, "0", "corrections")


def run_the_clock_to(env, time: str) -> None:
    """Let the server's clock, which goes on running, show this time after today's midnight."""
    offset = env.psql(
        f"""SELECT extract(epoch FROM date_trunc('day', clock_timestamp(), 'UTC') + interval '{time}'
            - clock_timestamp())::bigint || ' seconds'"""
    )
    env.cluster.configure(sendgate__clock_offset=offset)
    arrived = f"""SELECT sendgate.clock() BETWEEN date_trunc('day', clock_timestamp(), 'UTC') + interval '{time}'
        - interval '5 seconds' AND date_trunc('day', clock_timestamp(), 'UTC') + interval '{time}' + interval '1 minute'"""
    wait_for(lambda: env.psql(arrived) == "t", "the clock to be set")
