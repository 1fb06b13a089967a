"""why looks rows up by their keys, however full the tables are, and readers may ask it."""

import re

from e2e.gate.test_plans import nodes, planned, too_many, wasted
from e2e.support import equal, login, operation

# auto_explain is not part of the other copies of PostgreSQL.
ONLY_ON = (15, 18)

NOON = "2026-05-20 12:00:00+00"
# An account for each cause whose answer is looked for in a table that grows.
WORLD = f"""
SET sendgate.now = '{NOON}';
SET sendgate.failure_limit = 1;
SELECT sendgate.upsert_account('a' || n, 'sales_navigator') FROM generate_series(1, 2000) n;
SELECT sendgate.set_status('a1', 'paused', 'a note');
SELECT sendgate.reserve('a2', 'message', 'p', NULL, '{operation(1)}');
SELECT sendgate.rollback('a2', '{operation(1)}', 'restricted', 'errors/account_restricted', 403);
SELECT sendgate.breaker_force('a3', 'open', 'a note');
SELECT sendgate.reserve('a4', 'inmail', 'p', NULL, '{operation(2)}');
SELECT sendgate.rollback('a4', '{operation(2)}', 'no credits', 'errors/insufficient_credits', 402);
SELECT sendgate.reserve('a5', 'message', 'p', NULL, '{operation(3)}');
SELECT sendgate.rollback('a5', '{operation(3)}', 'slow down', NULL, 429);
SELECT sendgate.reserve('a6', 'message', 'p', NULL, '{operation(4)}');
SELECT sendgate.rollback('a6', '{operation(4)}', 'too long', 'errors/too_many_characters', 422);
SELECT sendgate.set_window('a7', '01:00', '02:00', '{{1,2,3,4,5,6,7}}');
SELECT sendgate.set_pace('a8', '1 hour', note => 'slowly');
SELECT sendgate.reserve('a8', 'message', 'p');
SELECT sendgate.set_cap('a9', 'message', 1);
SELECT sendgate.reserve('a9', 'message', 'p');
SELECT sendgate.set_cap('a10', 'message', 10, 1);
SELECT sendgate.reserve('a10', 'message', 'p');
SELECT sendgate.breaker_arm('a11', 'a note');
SELECT sendgate.breaker_clear('a11', 'a note');
"""
REASONS = {
    "a1": "account_not_connected", "a2": "account_not_connected", "a3": "breaker_forced_open",
    "a4": "account_inmail_credits_exhausted", "a5": "account_cooldown", "a6": "action_cooldown",
    "a7": "outside_sending_window", "a8": "pacing", "a9": "daily_cap_reached", "a10": "weekly_cap_reached", "a11": None,
}  # fmt: skip
# What else happened through these accounts and through others.
MUCH = f"""
ALTER TABLE sendgate.breaker_log DISABLE TRIGGER append_only;
INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at, prospect_id)
SELECT gen_random_uuid(), '{NOON}', 'a4', 'skip', 'account_inmail_credits_exhausted', 'w', '{NOON}', 's' || n
FROM generate_series(1, 20000) n;
INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after)
SELECT gen_random_uuid(), '{NOON}'::timestamptz - n * interval '1 minute', 'x', 'set_cap', 'a' || n % 12, 'invite', '1', '2'
FROM generate_series(1, 60000) n;
INSERT INTO sendgate.cooldown_log (id, at, account_id, action, cause, actor)
SELECT uuid_in(overlay(lpad(to_hex(n), 32, '0') placing '7' from 13)::cstring), '{NOON}', 'a' || n % 12, 'invite', 'failing', 'x'
FROM generate_series(1, 20000) n;
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action,
    state, settled_at)
SELECT gen_random_uuid(), at, at, at::date, 'a' || n % 12, 'old' || n, 'message', 'delivered', at
FROM generate_series(1, 60000) n, LATERAL (SELECT '{NOON}'::timestamptz - interval '30 days' - n * interval '1 minute') t (at);
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
SELECT gen_random_uuid(), 'a' || n, 'operations_expired', '2026-05-20', 'test', '{NOON}' FROM generate_series(1, 20000) n;
VACUUM ANALYZE;
"""
# A look at an account's acts ends after 1,000 of them; of what cools down, the newest line is the one.
ROWS_A_SCAN_MAX = 1000
SMALL = "tier_defaults tier_overrides pause_switch".split()


def test_every_cause_is_looked_up_by_its_key(env):
    for sql in WORLD.split(";\n") + MUCH.split(";\n"):
        if sql.strip():
            env.psql(
                f"SET sendgate.now = '{NOON}'; SET sendgate.failure_limit = 1; {sql}" if "VACUUM" not in sql else sql
            )
    slow = []
    with planned(env, analyze=True) as (session, plans):
        session.execute(f"SET sendgate.now = '{NOON}'")
        session.execute("SET sendgate.failure_limit = 1")
        for account, reason in REASONS.items():
            action = "inmail" if account in ("a3", "a4", "a11") else "message"
            found = session.execute("SELECT reason, advice FROM sendgate.why(%s, %s)", (account, action)).fetchone()
            equal(found[0], reason, f"the reason of {account}")
            assert found[1], f"{account} has no advice"
            session.execute("SELECT count(*) FROM sendgate.why(%s)", (account,))
    ours = [plan for plan in plans if "decided AS MATERIALIZED" in plan["Query Text"]]
    assert len(ours) >= 2 * len(REASONS), f"{len(ours)} plans"
    for plan in ours:
        # To plan it takes ten times as long as to do it, so the account is a parameter of one plan.
        assert "$1" in str(plan["Plan"]) and not re.search(r"'a\d+'", str(plan["Plan"])), "planned for one account"
        for node in nodes(plan["Plan"]):
            large = node.get("Relation Name", "tier_defaults") not in SMALL and node["Actual Loops"] > 0
            if node["Node Type"] == "Seq Scan" and large:
                slow.append(f"Seq Scan of {node['Relation Name']}")
            if (
                node["Node Type"].startswith("Index")
                and large
                and too_many(node)
                and node["Actual Rows"] > ROWS_A_SCAN_MAX
            ):
                slow.append(wasted(node))
    assert not slow, "\n".join(sorted(set(slow)))


def test_a_reader_may_ask_and_others_may_not(env):
    import psycopg

    env.psql("SELECT sendgate.upsert_account('a', 'sales_navigator')")
    asked = "SELECT count(*) FROM sendgate.why('a')"
    for role, lines in {"sendgate_reader": "5", "sendgate_operator": "5", "sendgate_daemon": "5"}.items():
        equal(env.psql(asked, user=login(env, f"why_{role}", role)), lines, f"lines for {role}")
    sender = env.connect(user=login(env, "why_sender", "sendgate_sender"))
    try:
        sender.execute(asked)
        raise AssertionError("a sender may ask why")
    except psycopg.errors.InsufficientPrivilege:
        pass
