"""Quarantine over restores, crashes and the daemon: only sweeps of these very books end it."""

from daemon_process import Daemon
from support import equal, kill_backend, provision, wait_for, wait_until_blocked
from test_console_acts import Console
from test_dump import run

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200

PROGRESS = "SELECT audited, reconciled FROM sendgate.quarantine_progress"
SWEEPS = "SELECT more FROM sendgate.audit_events(); SELECT more FROM sendgate.reconcile_operations()"
PREVIEW = "SELECT reason FROM sendgate.preview('a', 'invite')"


def test_the_daemon_checks_the_books_at_once_and_an_operator_resumes(env):
    provision(env)
    with Daemon(env, SENDGATED_POLL="0.1") as daemon:
        done = "SELECT count(DISTINCT job) FROM sendgate.reconcile_runs WHERE state = 'ok'"
        wait_for(lambda: env.psql(done) == "4", "every job to run")
        # Not due for ten minutes, were it not for the quarantine.
        env.psql("SELECT sendgate.quarantine('restored')")
        wait_for(lambda: env.psql(PROGRESS) == "t|t", "both layers to have met every account")
        rounds = daemon.metrics()["sendgate_rounds_total"]
        wait_for(lambda: daemon.metrics()["sendgate_rounds_total"] > rounds, "one more round")
        runs = "SELECT count(*) FROM sendgate.reconcile_runs WHERE job = 'audit_events'"
        equal(env.psql(runs), "2", "sweeps of layer 2: no more than were needed")
    equal(env.psql(PREVIEW), "paused_by_operator", "the gate, before anybody resumed")
    env.psql("SELECT sendgate.resume_all()")
    equal(env.psql(PREVIEW), "", "the gate")


def test_the_console_says_why_and_what_is_missing(env):
    provision(env)
    env.psql("SELECT sendgate.quarantine('restored from Tuesday')")
    with Console(env) as console:
        console.open("/")
        console.says("Everything is in quarantine since")
        console.says("restored from Tuesday")
        wait_for(lambda: env.psql(PROGRESS) == "t|t", "the daemon to check the books")
        console.open("/")
        console.says("the books have been checked, and somebody may resume")
        console.follow("Resume everything")
        console.confirm("Resume everything", None)
        console.says("Everything goes on.")
    equal(env.psql(PREVIEW), "", "the gate")


def test_a_restored_dump_of_checked_books_is_not_checked(env):
    """What was swept on the old server says nothing of these books."""
    provision(env)
    env.psql("SELECT sendgate.quarantine('an incident')")
    env.psql(SWEEPS)
    equal(env.psql(PROGRESS), "t|t", "on the old server")
    dump = run(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    target = env.fresh_database(extension=False)
    run(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    equal(env.psql(PROGRESS, target), "f|f", "on the new one")
    equal(refused(env.connect(target)), "SG215", "SQLSTATE of resume_all")
    env.psql("CALL sendgate.tick()", target)
    env.psql("SELECT sendgate.resume_all()", target)
    equal(env.psql(PREVIEW, target), "", "the gate")


def test_a_crash_in_a_sweep_leaves_the_quarantine_as_it_was(env):
    """Before its batch has ended it has not been; quarantine itself survives from its commit on."""
    for account in ("a", "b"):
        provision(env, account)
        env.psql(f"SELECT sendgate.reserve('{account}', 'invite', 'p')")
    env.psql("UPDATE sendgate.accounts SET invites_sent_today = 9")
    lazy = env.connect()
    lazy.execute("SET synchronous_commit = off")
    lazy.execute("SELECT sendgate.quarantine('before the crash')")
    env.cluster.stop("immediate")
    env.cluster.start()
    equal(env.psql(PROGRESS), "f|f", "after the first crash")
    env.psql("SELECT more FROM sendgate.audit_events()")
    # Stopped where it writes down what it corrected, after the accounts.
    holder, sweeper = env.connect(autocommit=False), env.connect()
    holder.execute("LOCK TABLE sendgate.counter_drift IN EXCLUSIVE MODE")
    sweeper.pgconn.send_query(b"SELECT * FROM sendgate.reconcile_operations()")
    sweeper.pgconn.flush()
    wait_until_blocked(env, sweeper.info.backend_pid)
    kill_backend(env, sweeper.info.backend_pid)
    equal(env.psql(PROGRESS), "t|f", "after the second crash")
    equal(refused(env.connect()), "SG215", "SQLSTATE of resume_all")
    env.psql("SELECT more FROM sendgate.reconcile_operations()")
    # A resume that did not commit has not been.
    connection = env.connect(autocommit=False)
    connection.execute("SELECT sendgate.resume_all()")
    kill_backend(env, connection.info.backend_pid)
    equal(env.psql(PREVIEW), "paused_by_operator", "the gate after a resume that was not committed")
    env.psql("SELECT sendgate.resume_all()")
    equal(env.psql(PREVIEW), "", "the gate")


def test_a_broken_layer_keeps_everything_in_quarantine(env):
    """A job that fails has not run, however often it is tried; and tick goes on with the other."""
    provision(env)
    env.psql("SELECT sendgate.reserve('a', 'invite', 'p')")
    env.psql("UPDATE sendgate.accounts SET invites_sent_today = 9")
    env.psql(
        """CREATE FUNCTION public.breaks() RETURNS trigger LANGUAGE plpgsql
           AS 'BEGIN RAISE EXCEPTION ''broken''; END';
           CREATE TRIGGER breaks BEFORE INSERT ON sendgate.counter_drift
           FOR EACH ROW EXECUTE FUNCTION public.breaks()"""
    )
    env.psql("SELECT sendgate.quarantine('restored')")
    for _ in range(2):
        env.psql("CALL sendgate.tick()")
        equal(env.psql(PROGRESS), "t|f", "with a layer 1 that fails")
        equal(refused(env.connect()), "SG215", "SQLSTATE of resume_all")
    env.psql("DROP TRIGGER breaks ON sendgate.counter_drift")
    env.psql("CALL sendgate.tick()")
    equal(env.psql(PROGRESS), "t|t", "mended")
    env.psql("SELECT sendgate.resume_all()")


def refused(connection) -> str | None:
    """The SQLSTATE with which nobody may resume."""
    try:
        connection.execute("SELECT sendgate.resume_all()")
    except Exception as error:
        return getattr(error, "sqlstate", None)
    return "it went through"
