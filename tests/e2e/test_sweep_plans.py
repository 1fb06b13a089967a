"""Plans of the sweeps that were made while the tables were empty are right for full ones as well.

A scheduler keeps its session, and with it the plans, from the first minute after the installation on.
"""

import re

from support import provision

# auto_explain is not part of every copy of PostgreSQL.
NEWEST_ONLY = True

JOBS = ("midnight_reset", "audit_events", "reconcile_operations", "prune")
LARGE = ("sendgate.accounts", "sendgate.send_operations", "sendgate.linkedin_events")
# Reads a whole table, or one table again and again for each row of another.
BAD = ("Seq Scan on accounts", "Seq Scan on send_operations", "Seq Scan on linkedin_events", "Materialize", "Join Filter")


def test_no_sweep_reads_a_table_for_each_account(env):
    provision(env)
    # So that there is an account to look at, also at midnight.
    env.psql("SELECT sendgate.reserve('a', 'inmail', 'p'); UPDATE sendgate.accounts SET inmails_sent_today = 9")
    plans = []
    with env.connect() as session:
        session.add_notice_handler(lambda notice: plans.append(notice.message_primary))
        session.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_nested_statements": "on",
            "auto_explain.log_level": "notice",
            "auto_explain.log_parameter_max_length": "0",
        }.items():
            session.execute(f"SET {name} = '{value}'")
        for job in JOBS:
            session.execute(f"SELECT sendgate.{job}()")
    large = [plan for plan in plans if any(table in plan for table in LARGE)]
    for statement in ("count(*) FILTER (WHERE w.counts", "FOR NO KEY UPDATE SKIP LOCKED", "sendgate.linkedin_events v", "DELETE FROM sendgate.send_operations"):
        assert any(statement in plan for plan in large), f"{statement} did not run"
    # Prune reads each page once a sweep.
    assert any("Tid Range Scan on send_operations" in plan for plan in large)
    for plan in large:
        for bad in BAD:
            assert not re.search(rf"^.*->.*{bad}|^\s*{bad}", plan, re.MULTILINE), f"{bad} in\n{plan}"
