"""Who is only observed is said all the time: on every page, by the commands and by the metrics."""

import json

from e2e.support import equal, provision, wait_for
from e2e.support.console_client import Client, ConsoleDaemon
from e2e.support.daemon_process import all_ran, daemon_login, run

NEWEST_ONLY = True
# The first test may have to build the daemon.
TIMEOUT_SECONDS = 1200


def test_nobody_is_observed(env):
    provision(env)
    login = daemon_login(env)
    with ConsoleDaemon(env, user=login) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        equal(daemon.metrics()["sendgate_accounts_observed"], 0, "accounts")
        equal(daemon.metrics()["sendgate_enforcement_observe"], 0, "the setting")
        assert "nly observed" not in Client(daemon).send("GET", "/account?id=a")[1]
    assert "observed" not in run(env, "status").stdout + run(env, "doctor").stdout + run(env, "account", "a").stdout
    equal(json.loads(run(env, "status", "--json").stdout)["observed"], {"by_setting": False, "accounts": []}, "status")


def test_some_accounts_are_observed(env):
    for account in ("a", "b", "<i>c</i>"):
        provision(env, account)
    for account in ("a", "<i>c</i>"):
        env.psql(f"SELECT sendgate.set_enforcement('{account}', 'observe', 'first week')")
    login = daemon_login(env)
    with ConsoleDaemon(env, user=login) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        equal(daemon.metrics()["sendgate_accounts_observed"], 2, "accounts")
        equal(daemon.metrics()["sendgate_enforcement_observe"], 0, "the setting")
        for page in ("/", "/alerts", "/account?id=b"):
            text = Client(daemon).send("GET", page)[1]
            assert "Only observed</strong>, 2 accounts" in text, text
            assert "<i>c</i>" not in text and "&#60;i&#62;c" in text, text
        mine, other = (Client(daemon).send("GET", f"/account?id={name}")[1] for name in "ab")
        assert "Only observed: what a rule" in mine and "Only observed: what a rule" not in other
    status = run(env, "status").stdout
    assert "only observed, 2 accounts: <i>c</i>, a" in status, status
    assert "2 accounts only observed" in run(env, "doctor").stdout
    assert "connected, only observed" in run(env, "account", "a").stdout
    assert "only observed" not in run(env, "account", "b").stdout
    equal(json.loads(run(env, "account", "a", "--json").stdout)["observed"], True, "account --json")
    explained = "EXPLAIN SELECT FROM sendgate.linkedin_accounts WHERE enforcement = 'observe' ORDER BY id LIMIT 100"
    plan = env.psql(f"SET enable_seqscan = off; {explained}")
    assert "accounts_observed_idx" in plan, plan


def test_all_accounts_are_observed(env):
    """By the setting; an account that is set to enforce is not."""
    for account in ("a", "b", "c"):
        provision(env, account)
    env.psql("SELECT sendgate.set_enforcement('b', 'enforce', 'this one')")
    env.cluster.configure(sendgate__enforcement="observe")
    wait_for(lambda: env.psql("SELECT sendgate.enforcement_of(NULL)") == "observe", "the setting to be read")
    login = daemon_login(env)
    with ConsoleDaemon(env, user=login) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        equal(daemon.metrics()["sendgate_accounts_observed"], 2, "accounts")
        equal(daemon.metrics()["sendgate_enforcement_observe"], 1, "the setting")
        assert "The rules are only observed" in Client(daemon).send("GET", "/")[1]
    for said in (run(env, "status").stdout, run(env, "doctor").stdout):
        assert "the rules are only observed" in said, said
    assert "only observed" in run(env, "account", "a").stdout
    assert "only observed" not in run(env, "account", "b").stdout
