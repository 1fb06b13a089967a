"""The recipe for pg_cron, with the real extension and the real clock."""

import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from e2e.support import equal, wait_for
from e2e.support.daemon_process import JOBS, Daemon
from harness import build, debian
from harness.cluster import Cluster
from harness.places import REPO

# Debian has pg_cron for its own PostgreSQL.
ONLY_ON = (15,)
# pg_cron runs a job at the full minute; then the job itself takes a moment.
MINUTE_SECONDS = 75
# The last test builds the daemon.
TIMEOUT_SECONDS = 1200
TICKS = """SELECT count(*) FROM cron.job_run_details d JOIN cron.job j USING (jobid)
           WHERE j.jobname = 'sendgate tick' AND d.status = 'succeeded'"""
TICK = "SELECT schedule, command, database, username, active FROM cron.job WHERE jobname = 'sendgate tick'"
ACCOUNTS = 30
# The server, the daemon and its first round are ready sooner.
PREPARE_SECONDS = 30
# The first test's data is in sooner, and pg_cron may start the jobs of a minute this much later.
READY_SECONDS = 15
LATE_SECONDS = 5


def test_one_job_a_minute_keeps_the_books(env):
    """The recipe, twice, as its header says; then the next full minute, without a daemon."""
    with server(env) as cluster:
        early_in_a_minute()
        for _ in range(2):
            recipe(cluster)
        equal(cluster.psql(TICK), "* * * * *|CALL sendgate.tick()|app|sendgate_cron|t", "the job")
        equal(cluster.psql("SELECT count(*) FROM cron.job"), "2", "jobs")
        equal(cluster.psql(RIGHTS), "sendgate_daemon|f|f|f|f|f|f", "what sendgate_cron is and may")
        cluster.psql(
            """SELECT sendgate.upsert_account('a' || n, 'recruiter') FROM generate_series(1, 5) n;
            UPDATE sendgate.accounts SET messages_sent_today = 7 WHERE id = 'a1';
            SELECT set_config('sendgate.now', (now() - interval '8 days')::text, false);
            SELECT sendgate.breaker_arm('a' || n, 'test') FROM generate_series(1, 3) n;
            SELECT set_config('sendgate.now', '', false);
            SELECT sendgate.breaker_arm('a' || n, 'test') FROM generate_series(4, 5) n""",
            "app",
        )
        # And the second line of the header, for servers where no daemon prints the breaker's lines.
        recipe(cluster, forget_lines_after="7 days")
        lines = cluster.psql("SELECT jobid FROM cron.job WHERE jobname = 'forget old sendgate lines'")
        job = f"SELECT schedule, database, username FROM cron.job WHERE jobid = {lines}"
        equal(cluster.psql(job), "27 3 * * *|app|sendgate_cron", "the job that forgets lines")
        cluster.psql(f"SELECT cron.alter_job({lines}, schedule => '* * * * *')")

        wait_for(lambda: heartbeats(cluster) == set(JOBS), "heartbeats of all jobs", MINUTE_SECONDS)
        who = "SELECT DISTINCT actor, state FROM sendgate.reconcile_runs"
        equal(cluster.psql(who, "app"), "sendgate_cron|ok", "who ran them, and how it went")
        drift = "SELECT account_id, before, after FROM sendgate.counter_drift WHERE period = 'day'"
        equal(cluster.psql(drift, "app"), "a1|7|0", "what a sweep corrected")
        wait_for(lambda: cluster.psql(TICKS) == "1", "pg_cron to write down how it went")
        said = f"SELECT status, return_message FROM cron.job_run_details WHERE jobid = {lines}"
        equal(wait_for(lambda: ended(cluster.psql(said)), "the lines"), "succeeded|DELETE 3", "what it said")
        left = """SELECT string_agg(o.account_id, ' ' ORDER BY o.account_id), count(DISTINCT l.id)
                  FROM sendgate.breaker_log l LEFT JOIN sendgate.breaker_outbox o USING (account_id, id)"""
        equal(cluster.psql(left, "app"), "a4 a5|5", "lines that wait, and the log")


def test_no_line_is_forgotten_that_a_daemon_may_still_print(env):
    """Whatever is asked for: a day is the least. Not decided, nothing is forgotten."""
    with server(env) as cluster:
        recipe(cluster, forget_lines_after="1 minute")
        command = cluster.psql("SELECT command FROM cron.job WHERE jobname = 'forget old sendgate lines'")
        assert "interval '1 day'" in command, command
        cluster.psql(
            """SELECT sendgate.upsert_account('a' || n, 'recruiter') FROM generate_series(1, 2) n;
            SELECT set_config('sendgate.now', (now() - interval '25 hours')::text, false);
            SELECT sendgate.breaker_arm('a1', 'test');
            SELECT set_config('sendgate.now', (now() - interval '23 hours')::text, false);
            SELECT sendgate.breaker_arm('a2', 'test')""",
            "app",
        )
        cluster.psql(command, "app", "sendgate_cron")
        equal(cluster.psql("SELECT account_id FROM sendgate.breaker_outbox", "app"), "a2", "lines that wait")


def test_beside_a_daemon_nothing_happens_twice(env):
    """Midnight, and everything else, falls due at the very minute at which pg_cron ticks; a daemon asks
    every few seconds, too."""
    build.build_daemon()
    minute = next_minute()
    midnight = (minute + timedelta(days=1)).replace(hour=0, minute=0)
    offset = f"{(midnight - minute).total_seconds():.0f} s"
    workers = {"cron__use_background_workers": "on"}  # the recipe's other way to log in
    with server(env, sendgate__clock_offset=offset, **workers) as cluster:
        # The evening before: the daemon alone.
        cluster.psql("CREATE ROLE keeper LOGIN; GRANT sendgate_daemon TO keeper")
        cluster.psql(
            f"""SELECT sendgate.upsert_account('a' || n, 'recruiter') FROM generate_series(1, {ACCOUNTS}) n;
            SELECT sendgate.reserve('a' || n, 'inmail', 'p') FROM generate_series(1, {ACCOUNTS}) n""",
            "app",
        )
        url = f"postgres://keeper@{cluster.host}:{cluster.port}/app"
        with Daemon(env, user="keeper", url=url) as daemon:
            wait_for(lambda: heartbeats(cluster) == set(JOBS), "the daemon to run each job")
            cluster.psql(
                f"""UPDATE sendgate.jobs SET sweep_started_at = '{midnight}'::timestamptz - interval '10 min'
                WHERE job IN ('audit_events', 'reconcile_operations')""",
                "app",
            )
            assert datetime.now(UTC) < minute, "the daemon was ready too late for this minute"
            recipe(cluster)
            ticks = f"{TICKS} AND d.start_time >= '{minute}'"
            seconds = MINUTE_SECONDS + PREPARE_SECONDS
            wait_for(lambda: cluster.psql(ticks) == "1", "pg_cron to tick at midnight", seconds)
            wait_for(lambda: set(runs(cluster).values()) == {2}, "each job to run at midnight")
            rounds = daemon.metrics()["sendgate_rounds_total"]
            wait_for(lambda: daemon.metrics()["sendgate_rounds_total"] > rounds, "the daemon to ask again")
            equal(daemon.stop()[0], 0, "exit status")
        equal(runs(cluster), dict.fromkeys(JOBS, 2), "runs: one in the evening, one from midnight on")
        evening = f"SELECT job FROM sendgate.reconcile_runs WHERE started_at < '{midnight}' ORDER BY job"
        equal(cluster.psql(evening, "app").split(), sorted(JOBS), "runs of the evening")
        rolled = "SELECT sum(changed) FROM sendgate.reconcile_runs WHERE job = 'midnight_reset'"
        equal(cluster.psql(rolled, "app"), str(ACCOUNTS), "accounts that were rolled, counted by all runs")
        bad = "SELECT count(*) FROM sendgate.reconcile_runs WHERE state <> 'ok'"
        equal(cluster.psql(bad, "app"), "0", "runs that did not end well")
        equal(cluster.psql("SELECT count(*) FROM sendgate.counter_drift", "app"), "0", "drift")


RIGHTS = """
    SELECT (SELECT string_agg(g.rolname, ' ') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid),
           r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls,
           EXISTS (SELECT FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype IN ('a', 'o'))
    FROM pg_roles r WHERE r.rolname = 'sendgate_cron'"""


@contextmanager
def server(env, **settings: str):
    """A server of the test's own with pg_cron loaded, and a database with sendgate."""
    debian.pg_cron(env.install)
    conf = {"shared_preload_libraries": "pg_cron", "fsync": "off", "sendgate.test_clock": "on"}
    conf |= {name.replace("__", "."): value for name, value in settings.items()}
    with Cluster(env.install, conf=conf, in_memory=True) as cluster:
        cluster.fresh_database("app", "sendgate")
        yield cluster


def recipe(cluster: Cluster, **variables: str) -> None:
    """The line of the recipe's header, word for word."""
    directory = REPO / "sql" / "recipes"
    header = (directory / "pg_cron.sql").read_text()
    command = ["psql", "-d", "postgres", "-v", "database=app"]
    line = " ".join(command)
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
        line += f" -v {name}='7 days'"
    assert f"--     {line} -f pg_cron.sql\n" in header, line
    command += ["-f", "pg_cron.sql"]
    command[0] = str(cluster.install.program("psql"))
    where = {"PGHOST": cluster.host, "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    done = subprocess.run(
        command, env=cluster.install.environment(where), cwd=directory, capture_output=True, text=True
    )
    equal(done.returncode, 0, done.stdout + done.stderr)


def heartbeats(cluster: Cluster) -> set[str]:
    """The jobs that have run, and well."""
    return set(cluster.psql("SELECT job FROM sendgate.reconcile_runs WHERE state = 'ok'", "app").split())


def runs(cluster: Cluster) -> dict[str, int]:
    """How often each job has run."""
    rows = cluster.psql("SELECT job, count(*) FROM sendgate.reconcile_runs GROUP BY job", "app")
    return {job: int(count) for job, count in (row.split("|") for row in rows.splitlines())}


def ended(row: str) -> str | None:
    """A run's status and message once it has ended."""
    return row if row and row.split("|")[0] not in ("starting", "running", "sending", "connecting") else None


def early_in_a_minute() -> None:
    """What is prepared from here on is ready before pg_cron ticks again."""
    if (left := 60 - time.time() % 60) < READY_SECONDS:
        time.sleep(left + LATE_SECONDS)


def next_minute() -> datetime:
    """The next full minute before which there is time to prepare everything."""
    return (datetime.now(UTC) + timedelta(seconds=60 + PREPARE_SECONDS)).replace(second=0, microsecond=0)
