"""Refusals by reason: counted where the library is loaded with the server, and only there."""

from e2e.support import at_once, equal, login, operation, provision

COUNTED = """
SELECT action || ' ' || reason, refusals FROM sendgate.refusal_counts() WHERE refusals > 0"""


def test_refusals_are_counted_by_reason(env):
    """Of reserve, dispatch and the guard; a preview and an error are no refusals."""
    preload(env)
    provision(env, "off")
    provision(env, "capped", inmail=0, invite=2)
    provision(env, "empty")
    lines = "SELECT count(*), count(*) FILTER (WHERE refusals = 0) FROM sendgate.refusal_counts()"
    equal(env.psql(lines), "80|80", "every action and reason, all noughts")
    since = "SELECT DISTINCT since BETWEEN pg_postmaster_start_time() - interval '1 min' AND clock_timestamp() FROM sendgate.refusal_counts()"
    equal(env.psql(since), "t", "counted since the server started")
    env.psql("SELECT sendgate.set_status('off', 'paused', 'test')")
    env.psql("SELECT sendgate.breaker_arm('empty', 'test')")
    user = login(env, "refused_app", "sendgate_sender")
    with env.connect(user=user) as connection:
        for account, action in (("off", "invite"), ("off", "inmail"), ("capped", "inmail"), ("empty", "inmail")):
            for _ in range(2):
                connection.execute("SELECT sendgate.reserve(%s, %s, 'p')", (account, action))
            connection.execute("SELECT sendgate.preview(%s, %s, 'p')", (account, action))
        connection.execute("SELECT sendgate.reserve('capped', 'invite', 'p', NULL, %s)", (operation(1),))
        connection.execute("SELECT sendgate.reserve('capped', 'invite', 'p')")
    expected = {
        "invite account_not_connected": 2,
        "inmail account_not_connected": 2,
        "inmail daily_cap_reached": 2,
        "inmail account_inmail_credits_exhausted": 2,
        "invite operation_in_flight": 1,
    }
    equal(counted(env), expected, "after reserve")
    env.psql(
        """SELECT sendgate.enqueue('c', 'd' || n, 'empty', 'inmail') FROM generate_series(1, 3) n;
        SELECT sendgate.enqueue('c', 'd' || n, 'off', 'inmail') FROM generate_series(1, 3) n;
        SELECT sendgate.enqueue('c', 'p', 'capped', 'invite')"""
    )
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch(10)"), "0", "handed out")
    # Three are skipped, one prospect is busy, and one account refuses as a whole.
    expected["inmail account_inmail_credits_exhausted"] += 3
    expected["inmail account_not_connected"] += 1
    expected["invite operation_in_flight"] += 1
    equal(counted(env), expected, "after dispatch")


def test_no_refusal_is_lost_between_sessions_or_by_a_rollback(env):
    preload(env)
    provision(env, "capped", message=0)

    def work(_number: int) -> None:
        with env.connect(autocommit=False) as connection:
            for turn in range(200):
                connection.execute("SELECT sendgate.reserve('capped', 'message', %s)", (f"p{turn}",))
                connection.rollback()

    at_once(8, work)
    equal(counted(env), {"message daily_cap_reached": 1600}, "counted")
    env.cluster.restart()
    equal(counted(env), {}, "a new server counts anew")


def test_without_the_library_in_the_server_nothing_is_counted(env):
    provision(env, "capped", inmail=0)
    env.psql("SELECT sendgate.reserve('capped', 'inmail', 'p')")
    equal(env.psql("SELECT count(*) FROM sendgate.refusal_counts()"), "0", "lines")


def preload(env) -> None:
    """Start the server anew with the library in it."""
    env.cluster.configure(shared_preload_libraries="sendgate")
    env.cluster.restart()


def counted(env) -> dict[str, int]:
    with env.connect() as connection:
        return dict(connection.execute(COUNTED).fetchall())
