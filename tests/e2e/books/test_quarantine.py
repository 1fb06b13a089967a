"""Quarantine over restores, crashes and the daemon: only sweeps of these very books end it."""

import re
import subprocess
import tempfile
from pathlib import Path

from e2e.support import equal, kill_backend, login, provision, run_program, wait_for, wait_until_blocked
from e2e.support.console_client import Console
from e2e.support.daemon_process import Daemon

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
    equal(env.psql(PREVIEW), "paused_by_operator", "the gate, before an operator resumed")
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
        console.says("the books have been checked, and an operator may resume")
        console.follow("Resume everything")
        console.confirm("Resume everything", None)
        console.says("Everything goes on.")
    equal(env.psql(PREVIEW), "", "the gate")


def test_a_restored_dump_of_checked_books_is_not_checked(env):
    """Sweeps of the old server say nothing about these books."""
    provision(env)
    env.psql("SELECT sendgate.quarantine('an incident')")
    env.psql(SWEEPS)
    equal(env.psql(PROGRESS), "t|t", "on the old server")
    dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    target = env.fresh_database(extension=False)
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    equal(env.psql(PROGRESS, target), "f|f", "on the new one")
    equal(refused(env.connect(target)), "SG215", "SQLSTATE of resume_all")
    env.psql("CALL sendgate.tick()", target)
    env.psql("SELECT sendgate.resume_all()", target)
    equal(env.psql(PREVIEW, target), "paused_by_operator", "a copy that nobody has adopted")
    env.psql("SELECT sendgate.adopt_database('the old server is gone')", target)
    equal(env.psql(PREVIEW, target), "", "the gate")


def test_the_procedure_after_a_restore_from_an_older_backup(env):
    """The SQL of docs/operations.md, as it stands there: sends since the backup count and are not handed out
    again; work that was not sent goes on."""
    for account in ("a", "b"):
        provision(env, account, message=4)
        env.psql(f"SELECT sendgate.enqueue('k', '{account}' || n, '{account}', 'message') FROM generate_series(1, 5) n")
    worker = env.connect()
    sent_before = send(worker, 2)
    backup = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    sent_after = send(worker, 3)
    target = env.fresh_database(extension=False)
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=backup)
    env.psql("SELECT sendgate.quarantine('restored from an older backup')", target)
    # The provider's list reaches back further than the backup.
    lines = ["account_id,action,prospect_id,chat_id,at"]
    lines += [
        f"{account},message,{prospect},chat {prospect},{at}" for account, prospect, at in sent_before + sent_after
    ]
    user = login(env, "restorer", "sendgate_sender", "sendgate_operator")
    said = as_documented(env, target, user, "\n".join(lines))
    equal(said.splitlines()[-1], "f|f", "quarantine_progress, when it begins anew")
    env.psql("CALL sendgate.tick()", target)
    env.psql("SELECT sendgate.adopt_database('the lost server is fenced')", target, user)
    env.psql("SELECT sendgate.resume_all()", target, user)
    counted = "SELECT account_id, sent_today FROM sendgate.counters WHERE action = 'message' ORDER BY 1"
    equal(env.psql(counted, target), env.psql(counted), "counters, restored and lost")
    rest = send(env.connect(target), 10)
    everything = [(account, prospect) for account, prospect, _ in sent_before + sent_after + rest]
    equal(len(set(everything)), len(everything), "prospects, each written to once")
    for account in ("a", "b"):
        equal(sum(1 for owner, _ in everything if owner == account), 4, f"sends of {account}, which may send 4")


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


def send(connection, number: int) -> list[tuple]:
    """Dispatch so many and deliver them: (account, prospect, when)."""
    handed = connection.execute(
        "SELECT account_id, prospect_id, operation_id FROM sendgate.dispatch(%s, 'message')", (number,)
    ).fetchall()
    sent = []
    for account, prospect, operation in handed:
        confirm = "SELECT sendgate.confirm(%s, %s, %s), clock_timestamp()"
        at = connection.execute(confirm, (account, operation, f"chat {prospect}")).fetchone()[1]
        sent.append((account, prospect, at.isoformat()))
    return sent


def as_documented(env, database: str, user: str, provider_list: str) -> str:
    """Run the SQL of the procedure, with the provider's list where it expects it; what psql printed."""
    text = (env.repo / "docs" / "operations.md").read_text()
    section = text.split("## After a restore, or a failover")[1].split("\n## ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    equal(len(blocks), 3, "blocks of SQL in the procedure")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "sent.csv").write_text(provider_list)
        done = subprocess.run(
            [env.install.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-",
             "-d", env.cluster.dsn(database, user)],
            input="".join(blocks), env=env.install.environment(), cwd=directory,
            capture_output=True, text=True,
        )  # fmt: skip
    equal(done.returncode, 0, done.stderr)
    return done.stdout.rstrip()


def refused(connection) -> str | None:
    """The SQLSTATE with which resume_all refuses; None if it does not."""
    try:
        connection.execute("SELECT sendgate.resume_all()")
    except Exception as error:
        return getattr(error, "sqlstate", None)
    return "it went through"
