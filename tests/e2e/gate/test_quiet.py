"""A refusal that has nothing to record, a preview and a look at a closed breaker write nothing."""

from e2e.support import equal, operation, provision

WRITES = """
SELECT coalesce(pg_catalog.sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
FROM pg_catalog.pg_stat_xact_all_tables"""


def test_refusals_that_record_nothing_write_nothing(env):
    provision(env, "capped", inmail=0)
    provision(env, "off")
    provision(env, "cooling")
    provision(env, "forced")
    provision(env, "busy")
    env.psql(
        f"""SELECT sendgate.set_status('off', 'paused', 'test');
        SELECT sendgate.breaker_force('forced', 'open', 'test');
        SELECT sendgate.reserve('cooling', 'inmail', 'x', NULL, '{operation(1)}');
        SELECT sendgate.rollback('cooling', '{operation(1)}', 'slow down', NULL, 429);
        SELECT sendgate.reserve('busy', 'inmail', 'flying', NULL, '{operation(2)}');
        SELECT sendgate.reserve('busy', 'inmail', 'done', NULL, '{operation(3)}');
        SELECT sendgate.confirm('busy', '{operation(3)}', 'chat')"""
    )
    connection = env.connect(autocommit=False)
    for account, prospect, id_, reason in (
        ("capped", "p", None, "daily_cap_reached"),
        ("off", "p", None, "account_not_connected"),
        ("cooling", "p", None, "account_cooldown"),
        ("forced", "p", None, "breaker_forced_open"),
        ("busy", "flying", None, "operation_in_flight"),
        ("busy", "done", None, "prospect_cooldown"),
        ("busy", "done", operation(3), "operation_resolved"),
    ):
        sql = "SELECT proceed, reason FROM sendgate.reserve(%s, 'inmail', %s, NULL, %s)"
        found = quietly(connection, sql, (account, prospect, id_))
        equal(found, (False, reason), f"answer about {account}")
    # The replay of a grant in flight takes nothing either.
    sql = "SELECT proceed, reason FROM sendgate.reserve('busy', 'inmail', 'flying', NULL, %s)"
    equal(quietly(connection, sql, (operation(2),)), (True, None), "a replay")
    env.psql("SELECT sendgate.pause_all('test')")
    sql = "SELECT proceed, reason FROM sendgate.reserve('busy', 'invite', 'p')"
    equal(quietly(connection, sql), (False, "paused_by_operator"), "answer while paused")


def test_previews_write_nothing(env):
    provision(env, "a", inmail=1)
    connection = env.connect(autocommit=False)
    sql = "SELECT proceed, reason FROM sendgate.preview('a', 'inmail', %s)"
    equal(quietly(connection, sql, (None,)), (True, None), "preview without a prospect")
    equal(quietly(connection, sql, ("p",)), (True, None), "preview")
    env.psql("SELECT sendgate.reserve('a', 'inmail', 'p')")
    equal(quietly(connection, sql, ("p",)), (False, "operation_in_flight"), "in flight")
    equal(quietly(connection, sql, ("q",)), (False, "daily_cap_reached"), "capped")
    # An open breaker would be logged by reserve, a lapsed one cleared; a preview does neither.
    env.psql("SELECT sendgate.set_cap('a', 'inmail', 9); SELECT sendgate.breaker_arm('a', 'test')")
    equal(quietly(connection, sql, ("q",)), (False, "account_inmail_credits_exhausted"), "open")
    connection.execute("SET sendgate.now = '2099-01-01 00:00:00+00'")
    connection.commit()
    equal(quietly(connection, sql, ("q",)), (True, None), "lapsed")
    equal(env.psql("SELECT count(*) FROM sendgate.breaker_log"), "1", "lines in the log")


def test_a_look_at_a_closed_breaker_writes_nothing(env):
    provision(env, "a")
    connection = env.connect(autocommit=False)
    sql = "SELECT proceed, reason FROM sendgate.breaker_check('a', 'p', 'c')"
    equal(quietly(connection, sql), (True, None), "closed")
    env.psql("SELECT sendgate.breaker_force('a', 'open', 'test')")
    equal(quietly(connection, sql), (False, "breaker_forced_open"), "forced open")
    env.psql("SELECT sendgate.breaker_force('a', 'closed', 'test')")
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    equal(quietly(connection, sql), (True, None), "forced closed")


def quietly(connection, sql: str, values=()) -> tuple:
    """The answer of a call that may neither write a row nor take a transaction id."""
    answer = connection.execute(sql, values).fetchone()
    xid = connection.execute("SELECT pg_catalog.pg_current_xact_id_if_assigned()").fetchone()[0]
    assert xid is None, f"{sql} {values} took the transaction id {xid}"
    written = connection.execute(WRITES).fetchone()[0]
    assert written == 0, f"{sql} {values} wrote {written} rows"
    connection.rollback()
    return answer


def test_a_dispatch_that_finds_nothing_writes_nothing(env):
    """Nothing due, everything held by others or paused: it holds accounts only where there may be work."""
    provision(env, "later")
    provision(env, "held")
    env.psql(
        """SELECT sendgate.enqueue('k', 'p', 'later', 'invite', '2999-01-01 00:00+00');
        SELECT sendgate.enqueue('k', 'p' || n, 'held', a, '2020-01-01 00:00+00')
        FROM generate_series(1, 3) n, unnest(ARRAY['inmail', 'message']) a"""
    )
    connection, holder = env.connect(autocommit=False), env.connect(autocommit=False)
    calls = ("1", "1000", "5, 'inmail'", "5, NULL, 'held'", "5, 'message', 'held'", "5, NULL, 'later'",
             "5, NULL, NULL, '8f14e45f-ceea-467f-a9b1-2c3d4e5f6a7b'")  # fmt: skip
    holder.execute("SELECT FROM sendgate.accounts WHERE id = 'held' FOR NO KEY UPDATE")
    for call in calls:
        sql = f"SELECT pg_catalog.count(*) FROM sendgate.dispatch({call})"
        equal(quietly(connection, sql), (0,), f"rows of dispatch({call}) beside a holder")
    holder.rollback()
    env.psql("SELECT sendgate.pause_all('test')")
    for call in calls:
        sql = f"SELECT pg_catalog.count(*) FROM sendgate.dispatch({call})"
        equal(quietly(connection, sql), (0,), f"rows of dispatch({call}) while all is paused")
    env.psql("SELECT sendgate.resume_all()")
    (found,) = connection.execute("SELECT pg_catalog.count(*) FROM sendgate.dispatch(9)").fetchone()
    equal(found, 6, "slots in the end")
