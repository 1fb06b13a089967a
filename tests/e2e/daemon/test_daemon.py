"""The daemon's jobs: a due job runs once, however many ask for it and whatever dies meanwhile."""

import contextlib
import os
import signal

from e2e.support import equal, provision, wait_for, wait_until_blocked
from e2e.support.daemon_process import (
    JOBS,
    STOP_SECONDS_MAX,
    Daemon,
    all_ran,
    daemon_login,
    make_due,
    run,
    sessions,
    states,
)

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
# A batch is a thousand accounts.
BATCH = 1000
RESIDENT_BYTES_MAX = 30 * 1024 * 1024


def test_due_jobs_run_and_leave_heartbeats(env):
    provision(env)
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        health = env.psql("SELECT job, stale, last_state FROM sendgate.reconciler_health ORDER BY job")
        equal(health.split(), [f"{job}|f|ok" for job in sorted(JOBS)], "health")
        actors = env.psql("SELECT DISTINCT actor FROM sendgate.reconcile_runs")
        equal(actors, daemon.user, "who ran them")
        make_due(env, *JOBS)
        wait_for(lambda: all(states(env, job) == ["ok", "ok"] for job in JOBS), "them to run again")
        equal(daemon.stop()[0], 0, "exit status")
    wait_for(lambda: sessions(env) == "0", "its connections to end")


def test_a_tick_runs_what_is_due_once(env):
    provision(env)
    first, second = run(env, "tick"), run(env, "tick")
    equal(first.returncode, 0, first.stderr)
    equal(first.stdout.count("done: "), len(JOBS), first.stdout)
    equal(second.stdout.count("not due"), len(JOBS), second.stdout)


def test_two_daemons_do_nothing_twice(env):
    make_drift(env, accounts=2 * BATCH + 500, every=10)
    login = daemon_login(env)
    with Daemon(env, login) as one, Daemon(env, login) as two:
        for daemon in (one, two):
            wait_for(lambda daemon=daemon: daemon.metrics()["sendgate_rounds_total"] > 0, "a round")
        wait_for(lambda: all_ran(env), "every job to run")
        for daemon in (one, two):
            before = daemon.metrics()["sendgate_rounds_total"]
            wait_for(
                lambda daemon=daemon, before=before: daemon.metrics()["sendgate_rounds_total"] > before,
                "both to ask again",
            )
        for job in JOBS:
            equal(states(env, job), ["ok"], f"runs of {job}")
        drift = "SELECT count(*), count(DISTINCT account_id) FROM sendgate.counter_drift"
        equal(env.psql(drift + " WHERE period = 'day'"), "250|250", "corrections")
        good = [
            daemon.metrics()[f'sendgate_job_runs_total{{job="{job}",outcome="ok"}}']
            for daemon in (one, two)
            for job in JOBS
        ]
        equal(sum(good), len(JOBS), "runs by both")


def test_after_a_kill_the_next_one_goes_on(env):
    """SIGKILL in the second of three batches: its run is marked as crashed, and finished."""
    make_drift(env, accounts=2 * BATCH + 500, every=BATCH + 500)
    login = daemon_login(env)
    with blocked_sweep(env) as sweep:
        with Daemon(env, login) as daemon:
            sweep.wait()
            equal(states(env, "reconcile_operations"), ["running"], "state before the kill")
            equal(daemon.stop(signal.SIGKILL)[0], -signal.SIGKILL, "exit status")
    wait_for(lambda: sessions(env) == "0", "the dead daemon's sessions to end")
    equal(states(env, "reconcile_operations"), ["running"], "state after the kill")
    with Daemon(env, login):
        finished = ["crashed", "ok"]
        wait_for(lambda: states(env, "reconcile_operations") == finished, "the sweep to be finished")
    checked = "SELECT checked FROM sendgate.reconcile_runs WHERE job = 'reconcile_operations'"
    equal(env.psql(checked + " AND state = 'ok'"), "500", "accounts that were left")
    drift = "SELECT count(*) FROM sendgate.counter_drift WHERE period = 'day'"
    equal(env.psql(drift), "1", "corrections")


def test_sigterm_ends_it_in_time_even_while_a_job_waits(env):
    make_drift(env, accounts=2 * BATCH + 500, every=BATCH + 500)
    with blocked_sweep(env) as sweep, Daemon(env) as daemon:
        sweep.wait()
        status, seconds = daemon.stop()
        equal(status, 0, "exit status")
        assert seconds < STOP_SECONDS_MAX, f"it took {seconds:.1f} s"
        wait_for(lambda: sessions(env) == "0", "its connections to end")
    run_of = "FROM sendgate.reconcile_runs WHERE job = 'reconcile_operations'"
    equal(env.psql(f"SELECT state, batches {run_of}"), "failed|1", "the run")
    assert "told to stop" in env.psql(f"SELECT error {run_of}")


def test_a_failing_job_is_recorded_and_stops_no_other(env):
    env.psql("REVOKE EXECUTE ON FUNCTION sendgate.audit_events(integer) FROM sendgate_daemon")
    with Daemon(env) as daemon:
        wait_for(lambda: states(env, "prune") == ["ok"], "the last job to run")
        wait_for(lambda: daemon.metrics()["sendgate_rounds_total"] >= 2, "another round")
        # A failed job is left alone for a while: a row every few seconds would only fill the table.
        equal(states(env, "audit_events"), ["failed"], "the failing job")
        equal(states(env, "reconcile_operations"), ["ok"], "the one after it")
    error = env.psql("SELECT error FROM sendgate.reconcile_runs WHERE state = 'failed'")
    assert "permission denied" in error and "42501" in error, error


def test_it_comes_back_after_the_server_crashed(env):
    provision(env)
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        env.cluster.stop("immediate")
        wait_for(lambda: not daemon.ready(), "readyz to notice")
        equal(daemon.get("/readyz")[0], 503, "readyz while the database is down")
        equal(daemon.get("/healthz")[0], 200, "healthz while the database is down")
        wait_for(lambda: daemon.metrics()["sendgate_database_up"] == 0, "metrics to notice")
        env.cluster.start()
        wait_for(daemon.ready, "readyz to notice the return")
        make_due(env, *JOBS)
        wait_for(lambda: all(states(env, job) == ["ok", "ok"] for job in JOBS), "the jobs to go on")
        env.psql("SELECT sendgate.breaker_arm('a', 'test')")
        wait_for(lambda: len(daemon.lines()) == 1, "lines to go on")
        wait_for(lambda: daemon.metrics()["sendgate_database_up"] == 1, "metrics to go on")
        equal(daemon.stop()[0], 0, "exit status")


def test_it_starts_while_the_database_is_down(env):
    login = daemon_login(env)
    env.cluster.stop()
    with Daemon(env, login) as daemon:
        equal(daemon.get("/readyz")[0], 503, "readyz")
        env.cluster.start()
        wait_for(lambda: all_ran(env), "every job to run")
        wait_for(daemon.ready, "readyz")


def test_a_server_that_hangs_is_noticed_and_holds_nobody_up(env):
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        assert daemon.ready()
        pids = env.psql(
            """SELECT pid FROM pg_stat_activity
               WHERE application_name = 'sendgated' AND datname = current_database()"""
        )
        hung = [int(pid) for pid in pids.split()]
        try:
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: not daemon.ready(), "readyz to notice")
            # A new connection does not hang.
            wait_for(daemon.ready, "readyz to find a way")
            status, seconds = daemon.stop()
            equal(status, 0, "exit status")
            assert seconds < STOP_SECONDS_MAX, f"it took {seconds:.1f} s"
        finally:
            for pid in hung:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


def test_it_needs_little_memory_and_few_connections(env):
    make_drift(env, accounts=2 * BATCH, every=2)
    env.psql("SELECT sendgate.breaker_arm(id, 'test') FROM sendgate.accounts")
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        wait_for(lambda: len(daemon.lines()) == 2 * BATCH, "the lines")
        assert daemon.ready()
        resident = daemon.metrics()["process_resident_memory_bytes"]
        assert 0 < resident < RESIDENT_BYTES_MAX, f"{resident / 1024 / 1024:.1f} MiB"
        assert int(sessions(env)) <= 4, sessions(env)


def make_drift(env, accounts: int, every: int) -> None:
    """Accounts whose counters, for one in so many, say one InMail more than the journal."""
    env.psql(
        f"""SELECT sendgate.upsert_account('a' || to_char(n, 'FM000000'), 'recruiter')
            FROM generate_series(1, {accounts}) AS n;
        UPDATE sendgate.accounts SET inmails_sent_today = 1, inmails_sent_this_week = 1
        WHERE substr(id, 2)::integer % {every} = 0"""
    )


class blocked_sweep:
    """While it lasts, layer 1 waits in the middle of its second batch."""

    def __init__(self, env):
        self.env = env

    def __enter__(self) -> "blocked_sweep":
        # The first batch corrects nothing, the second one writes here.
        self.holder = self.env.connect(autocommit=False)
        self.holder.execute("LOCK TABLE sendgate.counter_drift IN SHARE ROW EXCLUSIVE MODE")
        return self

    def wait(self) -> None:
        """Until the daemon has come so far."""
        query = """SELECT pid FROM pg_stat_activity WHERE application_name = 'sendgated'
                   AND datname = current_database() AND wait_event_type = 'Lock'"""
        pid = wait_for(lambda: self.env.psql(query), "the sweep to be blocked")
        wait_until_blocked(self.env, int(pid))

    def __exit__(self, *_exception):
        self.holder.rollback()
        self.holder.close()
