"""Caps, rules and the switch are cached in every backend; a change counts from its commit, at once,
everywhere, and a change that was rolled back never."""

from e2e.support import equal, operation, provision

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


def test_a_change_reaches_warm_sessions_at_once(env):
    provision(env)
    warm, operator = env.connect(), env.connect()
    equal(cap(warm), 50, "the shipped cap")
    operator.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 40)")
    equal(cap(warm), 40, "after set_tier_cap")
    operator.execute("SELECT sendgate.drop_tier_cap('sales_navigator', 'inmail')")
    equal(cap(warm), 50, "after drop_tier_cap")
    operator.execute("SELECT sendgate.pause_all('stop')")
    equal(reason(warm), "paused_by_operator", "after pause_all")
    paused = "SELECT reason FROM sendgate.breaker_check('a')"
    equal(warm.execute(paused).fetchone()[0], "paused_by_operator", "breaker_check")
    operator.execute("SELECT sendgate.resume_all()")
    equal(reason(warm), None, "after resume_all")
    equal(outcome(warm, 1), "indeterminate", "an unknown text")
    operator.execute("SELECT sendgate.set_error_rule(5, 'transient', error_text => 'wobble')")
    equal(outcome(warm, 2), "transient", "after set_error_rule")
    operator.execute("SELECT sendgate.set_error_rule(5, 'recipient_refused', error_text => 'wobble')")
    equal(outcome(warm, 3), "recipient_refused", "after replacing the rule")
    operator.execute("SELECT sendgate.drop_error_rule(5)")
    equal(outcome(warm, 4), "indeterminate", "after drop_error_rule")


def test_a_change_reaches_open_transactions(env):
    """Also where the snapshot is older than the change: a stop is a stop."""
    for level in LEVELS:
        provision(env, level)
        warm, operator = env.connect(), env.connect()
        warm.execute(f"BEGIN ISOLATION LEVEL {level}")
        equal(cap(warm, level), 50, f"{level}: the shipped cap")
        outcome(warm, 1, level)
        operator.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 40)")
        equal(cap(warm, level), 40, f"{level}: after set_tier_cap")
        operator.execute("SELECT sendgate.set_error_rule(5, 'transient', error_text => 'wobble')")
        equal(outcome(warm, 2, level), "transient", f"{level}: after set_error_rule")
        operator.execute("SELECT sendgate.pause_all('stop')")
        equal(reason(warm, level), "paused_by_operator", f"{level}: after pause_all")
        operator.execute("SELECT sendgate.resume_all()")
        equal(reason(warm, level), None, f"{level}: after resume_all")
        warm.execute("ROLLBACK")
        operator.execute("SELECT sendgate.drop_tier_cap('sales_navigator', 'inmail')")
        operator.execute("SELECT sendgate.drop_error_rule(5)")


def test_a_change_counts_from_its_commit(env):
    """Its own transaction sees it, others do not; rolled back, it never was."""
    provision(env)
    warm, operator = env.connect(), env.connect()
    for end, expected_cap, expected_reason in (
        ("ROLLBACK", 50, None),
        ("COMMIT", 0, "paused_by_operator"),
    ):
        cap(warm), cap(operator)
        operator.execute("BEGIN")
        operator.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 0)")
        equal(cap(operator), 0, "in the transaction itself")
        operator.execute("SELECT sendgate.pause_all('stop')")
        equal(reason(operator), "paused_by_operator", "in the transaction itself")
        equal((cap(warm), reason(warm)), (50, None), "elsewhere, before the end")
        operator.execute(end)
        for connection, where in ((operator, "here"), (warm, "elsewhere"), (env.connect(), "anew")):
            found = (cap(connection), reason(connection))
            equal(found, (expected_cap, expected_reason), f"{where}, after {end}")


def test_a_change_below_a_savepoint_goes_with_it(env):
    provision(env)
    operator = env.connect()
    operator.execute("BEGIN")
    operator.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 40)")
    equal(cap(operator), 40, "before the savepoint")
    operator.execute("SAVEPOINT here")
    operator.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', 30)")
    operator.execute("SELECT sendgate.pause_all('stop')")
    equal((cap(operator), reason(operator)), (30, "paused_by_operator"), "below the savepoint")
    operator.execute("ROLLBACK TO here")
    equal((cap(operator), reason(operator)), (40, None), "after ROLLBACK TO")
    operator.execute("COMMIT")
    equal((cap(operator), cap(env.connect())), (40, 40), "after COMMIT")


def test_tables_edited_by_hand_count_too(env):
    """A DBA who edits the tables, or restores them, tells every backend as well."""
    provision(env)
    warm = env.connect()
    equal(cap(warm), 50, "the shipped cap")
    env.psql("INSERT INTO sendgate.tier_overrides (tier, action, daily_cap) VALUES ('sales_navigator', 'inmail', 12)")
    equal(cap(warm), 12, "after an INSERT")
    env.psql("TRUNCATE sendgate.tier_overrides")
    equal(cap(warm), 50, "after a TRUNCATE")
    env.psql("COPY sendgate.pause_switch (paused_at, actor) FROM stdin;\n2026-01-01\tme\n\\.\n")
    equal(reason(warm), "paused_by_operator", "after a COPY")
    env.psql("SET session_replication_role = replica; DELETE FROM sendgate.pause_switch")
    equal(reason(warm), None, "after a DELETE as a replica")


def cap(connection, account: str = "a") -> int:
    """The account's InMail cap, as the gate has it."""
    return connection.execute("SELECT daily_cap FROM sendgate.preview(%s, 'inmail')", (account,)).fetchone()[0]


def reason(connection, account: str = "a") -> str | None:
    """Why the gate would refuse a message."""
    return connection.execute("SELECT reason FROM sendgate.preview(%s, 'message')", (account,)).fetchone()[0]


def outcome(connection, number: int, account: str = "a") -> str:
    """What the classifier makes of a text that only a user's rule can know."""
    connection.execute(
        "SELECT sendgate.reserve(%s, 'message', %s, NULL, %s)",
        (account, f"p{number}", operation(number)),
    )
    return connection.execute("SELECT sendgate.rollback(%s, %s, 'a wobble')", (account, operation(number))).fetchone()[
        0
    ]
