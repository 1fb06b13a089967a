"""Known credits as the daemon shows them: status, account, the account's page, the metric."""

import json
import re

from e2e.support import equal, operation, provision, wait_for
from e2e.support.daemon_process import Daemon, all_ran, run

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200


def test_status_and_account_say_what_is_left(env):
    provision(env)
    provision(env, "b")
    env.psql("SELECT sendgate.record_credit_balance('a', 12)")
    lines = run(env, "status").stdout.splitlines()
    (of_a,) = [line for line in lines if line.startswith("a ")]
    assert re.search(r"\b12$", of_a.rstrip()), of_a
    cards = {card["account_id"]: card for card in json.loads(run(env, "status", "--json").stdout)["cards"]}
    equal((cards["a"]["credits_left"], cards["a"]["credits_state"]), (12, "ok"), "the card of a")
    equal((cards["b"]["credits_left"], cards["b"]["credits_state"]), (None, "untracked"), "the card of b")
    said = run(env, "account", "a").stdout
    assert "Credits: 12 left, 0 went in seven days: they last until the next credit period; 50 more at " in said, said
    assert "Credits:" not in run(env, "account", "b").stdout, "of b none are counted"
    found = json.loads(run(env, "account", "a", "--json").stdout)["credits"]
    equal((found["credits_left"], found["next_grant"], found["state"]), (12, 50, "ok"), "as JSON")
    env.psql("SELECT sendgate.record_credit_balance('a', 0)")
    assert "Credits: 0 left" in run(env, "account", "a").stdout, "none left"


def test_the_page_has_a_bar_and_the_metric_an_alert(env):
    provision(env)
    env.psql(
        f"""SELECT sendgate.record_credit_balance('a', 1);
        SELECT sendgate.reserve('a', 'inmail', 'p', NULL, '{operation(1)}');
        SELECT sendgate.confirm('a', '{operation(1)}', 'chat')"""
    )
    with Daemon(env) as daemon:
        page = daemon.get("/account?id=a")[1]
        assert "InMail credits: 0 left, 1 went in seven days: no InMail goes out; 50 more at " in page, page
        assert 'aria-labelledby="credits"' in page, "the bar"
        wait_for(lambda: all_ran(env), "every job to run")
        wait_for(lambda: daemon.metrics().get('sendgate_alerts_open{kind="credits_low"}') == 1, "the alert")
        states = {
            state: daemon.metrics()[f'sendgate_credits{{state="{state}"}}']
            for state in ("exhausted", "ok", "untracked")
        }
        equal(states, {"exhausted": 1, "ok": 0, "untracked": 0}, "accounts by credits")
