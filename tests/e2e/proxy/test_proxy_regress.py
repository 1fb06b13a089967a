"""Files of tests/regress through a proxy: psql prints what it prints on a partition. e2e/support/regress_proxy.py says how.

One partition, so that calls to all partitions answer once, as without a proxy. Every file is played, or has its reason here.
"""

import difflib

from e2e.support import equal
from e2e.support.regress_proxy import DIRECTORY, expected, through

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

# Each file, and texts of the paragraphs that are left out.
THROUGH = {
    "10_accounts": (),
    # Of a transaction that is rolled back, of transaction ids, of a session's own settings.
    "20_reserve": ("\nROLLBACK;", "pg_current_xact_id", "synchronous_commit", "ISOLATION LEVEL"),
    "21_refusals": (),
    "22_replay": (),
    "23_preview": (),
    "24_ttl": (),
    "25_day_and_week": (),
    "26_windows": (),
    "30_confirm": (),
    "31_rollback": (),
    "33_resolve": (),
    "34_truth_wins": (),
    "35_resolve_unresolved": (),
    "36_action_cooldowns": (),
    "37_attempts": (),
    "40_breaker": (),
    "41_probe": (),
    "43_known_credits": (),
    "44_clock_ran_ahead": (),
    "47_late_webhooks": (),
    # Of a transaction that is rolled back.
    "51_enqueue": ("What a transaction takes back",),
    "51_enqueue_many": ("What a transaction takes back",),
    "52_dispatch": ("What a transaction takes back",),
    "53_dispatch_requests": ("A request whose transaction was taken back",),
    "58_campaigns": (),
    "58_requeue": (),
    # Of a trigger, of a transaction.
    "59_suppressions": ("guard_send", "BEGIN;"),
    # Of all tables as the catalog lists them.
    "61_batches": ("GROUP BY relation", "failures_61"),
    "63_provider_failing": (),
    "64_reconcile": (),
    "64_reconcile_credits": (),
    "65_audit": (),
    # Of the same, and of roles.
    "70_views": ("may_read",),
    "71_skips_and_cards": (),
    # Of a transaction that is rolled back.
    "73_why": ("\nROLLBACK;",),
    # Of a table that only sendgate itself reads.
    "85_leaving": ("dispatch_requests",),
    "86_move_over": (),
}

# What a proxy does not have.
TRIGGERS = "it is about triggers on tables beside the accounts, and a proxy has neither"
TRANSACTIONS = "it is about the caller's transaction, and a call through a proxy is committed when it returns"
JOBS = "it is about the jobs and the outboxes, which belong to a database of their own"
TABLES = "it is about writes to the tables themselves, past the functions"
ROWS = "it compares versions of rows (xmin, ctid), which a view over partitions does not have"
CATALOG = "it is about the extension's objects in the catalog"
# What could be told the proxy's connections only between two statements.
CLOCK = "its clock moves within a statement, or is set by a file that it includes"
NOT_THROUGH = {
    "01_install": CATALOG,
    "27_windows_and_daylight_saving": CLOCK,
    "28_pace": CLOCK,
    "32_classifier": CLOCK,
    "35_failing_alerts": JOBS,
    "35_failures_in_a_row": ROWS,
    "38_provider_errors": TRANSACTIONS,
    "42_credit_reset_day": CLOCK,
    "43_known_credits_year": CLOCK,
    "45_external": TABLES,
    "46_guard": TRIGGERS,
    "46_guard_deferred": TRIGGERS,
    "46_guard_update": TRIGGERS,
    "46_guard_verdict": TRIGGERS,
    "47_in_transaction": TRANSACTIONS,
    "48_copied_database": CATALOG,
    "50_story": CLOCK,
    "51_steps": TABLES,
    "54_dispatch_waits": ROWS,
    "55_outcomes": CLOCK,
    "56_deferral": ROWS,
    "57_probe_work": CLOCK,
    "59_campaign_limits": TABLES,
    "59_turns": "it reads an account's row in the statement that changes it, whose snapshot a partition does not have",
    "59_turns_at_random": "set_campaign answers for each partition, so it does not stand where one value does",
    "60_tiers_and_rules": TRANSACTIONS,
    "62_poisoned_row": TRIGGERS,
    "62_written_at_random": TRIGGERS,
    "62_written_below_sql": TRIGGERS,
    "63_expired_failures": TRANSACTIONS,
    "66_midnight_and_prune": JOBS,
    "67_tick": JOBS,
    "68_outbox": JOBS,
    "69_notifications": JOBS,
    "69_quarantine": JOBS,
    "72_readings": "it calls functions that no role may call",
    "80_errors": TABLES,
    "81_append_only": TABLES,
    "82_constraints": TABLES,
    "83_foreign_errors": TRIGGERS,
    "84_observe": TRANSACTIONS,
    "90_clock": "it is about the settings of sessions, which stay on the proxy",
    "91_dispatch_indexes": CATALOG,
}


def test_every_file_is_played_or_has_its_reason():
    files = sorted(path.stem for path in (DIRECTORY / "sql").glob("*.sql"))
    equal(sorted([*THROUGH, *NOT_THROUGH]), files, "files with a line in THROUGH or NOT_THROUGH, once each")


def test_files_print_the_same_through_a_proxy(parts):
    parts.names[:] = parts.names[:1]
    play = through(parts)
    differ = []
    for name, without in THROUGH.items():
        there, here = (text.splitlines() for text in (expected(name, without), play.run(name, without)))
        assert "(1 row)" in there, (name, there)
        differ += difflib.unified_diff(there, here, f"{name}, directly", f"{name}, through a proxy", n=2, lineterm="")
    assert not differ, "\n".join(differ)
