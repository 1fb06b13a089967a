"""What ``status`` says of an account when only one of its actions stands still."""

from e2e.support import operation, provision
from e2e.support.daemon_process import run

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 900


def test_an_account_with_an_action_that_stands_still_comes_first_and_says_which(env):
    """Also where no alert is open; a cap that is used up, as on every day, says less."""
    out = run(env, "status").stdout
    assert "add one: SELECT sendgate.upsert_account('acc-1', " in out and "delivered" not in out, out
    for account in ("calm", "zoe"):
        provision(env, account)
    env.psql(
        f"""SELECT sendgate.set_cap('zoe', 'invite', 0);
        SELECT sendgate.set_error_rule(1, 'rate_limited', 'message', NULL, '429', NULL, 'action');
        SELECT sendgate.reserve('zoe', 'message', 'p', NULL, '{operation(1)}');
        SELECT sendgate.rollback('zoe', '{operation(1)}', 'slow down', NULL, 429)"""
    )
    out = run(env, "status").stdout
    lines = [line for line in out.splitlines() if line.startswith(("calm", "zoe"))]
    assert [line.split()[0] for line in lines] == ["zoe", "calm"], out
    assert "message: this action cools down until " in lines[0], out
    assert lines[0].rstrip().endswith(": 429 slow down"), out
