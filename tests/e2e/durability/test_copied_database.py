"""A copy of the books does not send beside its original, and says so everywhere, until it is adopted."""

import json

from e2e.support import equal, operation, provision, run_program, wait_for
from e2e.support.console_client import Client, ConsoleDaemon
from e2e.support.daemon_process import all_ran, daemon_login, make_due, run
from harness.cluster import Cluster

NEWEST_ONLY = True
# The first test may have to build the daemon.
TIMEOUT_SECONDS = 1200
PREVIEW = "SELECT reason FROM sendgate.preview('a', 'message')"
RESERVE = "SELECT proceed FROM sendgate.reserve('a', 'message', 'p2')"
DISPATCH = "SELECT count(*) FROM sendgate.dispatch(10)"
ADOPT = "SELECT sendgate.adopt_database('the original is gone')"


def test_a_dump_restored_on_the_same_server(env):
    books(env)
    target = env.fresh_database(extension=False)
    dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", env.cluster.dsn(target), input=dump)
    refused_until_adopted(lambda sql: env.psql(sql, target))
    # The original knows nothing of it.
    equal(env.psql(DISPATCH), "2", "handed out by the original")


def test_a_database_made_from_a_template(env):
    books(env)
    for connection in env._connections:
        connection.close()
    target = f"{env.dbname}_copy"
    env.psql(f'CREATE DATABASE "{target}" TEMPLATE "{env.dbname}"', "postgres")
    try:
        refused_until_adopted(lambda sql: env.psql(sql, target))
    finally:
        env.psql(f'DROP DATABASE "{target}" WITH (FORCE)', "postgres")


def test_a_dump_restored_on_another_server(env):
    """Also into a database of the same number: there another initdb made another system."""
    books(env)
    dump = run_program(env, "pg_dump", "--dbname", env.cluster.dsn(env.dbname))
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn(), input=dump)
        server.psql(
            "UPDATE sendgate.home_database SET database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        refused_until_adopted(server.psql)


def test_renaming_or_restarting_makes_no_copy(env):
    books(env)
    for connection in env._connections:
        connection.close()
    renamed = f"{env.dbname}_renamed"
    env.psql(f'ALTER DATABASE "{env.dbname}" RENAME TO "{renamed}"', "postgres")
    try:
        equal(env.psql(RESERVE, renamed), "t", "under another name")
        env.cluster.restart()
        equal(env.psql("SELECT sendgate.copied_database()", renamed), "f", "after a restart")
    finally:
        env.psql(f'ALTER DATABASE "{renamed}" RENAME TO "{env.dbname}"', "postgres")


def test_every_page_and_command_says_so(env):
    """The daemon's jobs run in a copy: its audit opens the alert."""
    books(env)
    login = daemon_login(env)
    equal(json.loads(run(env, "status", "--json").stdout)["copied_database"], False, "status of the original")
    with ConsoleDaemon(env, user=login) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        equal(daemon.metrics()["sendgate_copied_database"], 0, "the metric of the original")
        assert "is a copy" not in Client(daemon).send("GET", "/")[1], "the console of the original"
    env.psql("UPDATE sendgate.home_database SET database_oid = 1")
    make_due(env, "audit_events")
    status = run(env, "status")
    assert "this database is a copy" in status.stdout, status.stdout
    equal(json.loads(run(env, "status", "--json").stdout)["copied_database"], True, "status --json")
    doctor = run(env, "doctor")
    equal(doctor.returncode, 1, "doctor")
    assert "BAD   this database is a copy" in doctor.stdout, doctor.stdout
    assert "adopt_database" in doctor.stdout, doctor.stdout
    with ConsoleDaemon(env, user=login) as daemon:
        alert = "SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'copied_database'"
        wait_for(lambda: env.psql(alert) == "1", "the audit to open the alert")
        equal(daemon.metrics()["sendgate_copied_database"], 1, "the metric")
        for page in ("/", "/account?id=a", "/alerts"):
            assert "This database is a copy" in Client(daemon).send("GET", page)[1], page
        env.psql(ADOPT)
        wait_for(lambda: "is a copy" not in Client(daemon).send("GET", "/")[1], "the banner to go")
    equal(env.psql(alert), "0", "open alerts")


def books(env) -> None:
    """An account that has sent, and one piece of work."""
    provision(env)
    env.psql(f"SELECT sendgate.reserve('a', 'message', 'p1', NULL, '{operation(1)}')")
    env.psql("SELECT sendgate.enqueue('k', 'p' || n, 'a', 'invite') FROM generate_series(3, 4) n")


def refused_until_adopted(psql) -> None:
    """Nothing is granted and nothing handed out, also not by resume_all; then everything goes on."""
    for _ in range(2):
        equal(psql(PREVIEW), "paused_by_operator", "the gate of a copy")
        equal(psql(RESERVE), "f", "a grant of a copy")
        equal(psql(DISPATCH), "0", "handed out by a copy")
        psql("SELECT sendgate.resume_all()")
    psql(ADOPT)
    equal(psql(PREVIEW), "", "the gate after it was adopted")
    equal(psql(RESERVE), "t", "a grant")
    equal(psql(DISPATCH), "2", "handed out")
