"""A daemon that runs while its database is upgraded."""

from e2e.support import equal, provision, wait_for
from e2e.support.daemon_process import Daemon, all_ran, make_due, states
from harness.build import default_version
from upgrade import releases

NEWEST_ONLY = True
# The first test may have to build the daemon.
TIMEOUT_SECONDS = 1200
LATER = "99.0.0"


def test_a_daemon_connects_anew_after_an_upgrade(env):
    """A session keeps the library that it has loaded, so waiting in it would be in vain."""
    provision(env)
    there, back = f"{default_version()}--{LATER}", f"{LATER}--{default_version()}"
    deltas = {there: releases.HEAD, back: releases.HEAD}
    with releases.placed(env.install, releases.Release(LATER, "", "", deltas)), Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        printing = wait_for(lambda: taking_lines(env), "the daemon to ask for lines")
        env.psql(f"ALTER EXTENSION sendgate UPDATE TO '{LATER}'")
        make_due(env, "audit_events")
        said = f"SQL is version {LATER}, its library {default_version()} (55000)"
        wait_for(lambda: said in daemon.err and "connect anew" in daemon.err, "it to say why nothing runs")
        wait_for(lambda: not printing & everybody(env), "it to leave the session that asked for lines")
        equal(states(env, "audit_events"), ["ok"], "runs under SQL of another version")
        assert daemon.metrics()["sendgate_database_up"] == 1, "the views are to be read meanwhile"
        env.psql(f"ALTER EXTENSION sendgate UPDATE TO '{default_version()}'")
        wait_for(lambda: states(env, "audit_events") == ["ok", "ok"], "it to go on by itself")


def taking_lines(env) -> set[str]:
    """The daemon's backend that takes lines: the only one that begins and commits."""
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sendgated'"
    return set(env.psql(f"{sessions} AND query IN ('BEGIN', 'COMMIT')").split())


def everybody(env) -> set[str]:
    """All backends."""
    return set(env.psql("SELECT pid FROM pg_stat_activity").split())
