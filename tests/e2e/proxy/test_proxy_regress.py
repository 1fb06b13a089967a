"""Files of tests/regress, directly and through a proxy: psql prints the same. e2e/support/regress_proxy.py says how.

One partition, so that calls to all partitions answer once, as without a proxy. The other files need what a proxy does not
have: a transaction that is rolled back, a second session, the jobs, triggers, writes below the API, or a clock that moves
within a statement.
"""

import difflib
from concurrent.futures import ThreadPoolExecutor

from e2e.support.regress_proxy import directly, through

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

# Each file, and texts of the paragraphs that are left out.
FILES = {
    "10_accounts": (),
    # Of a transaction that is rolled back, of transaction ids, of a session's own setting.
    "20_reserve": ("\nROLLBACK;", "pg_current_xact_id", "synchronous_commit"),
    "21_refusals": (),
    "22_replay": (),
    "23_preview": (),
    "24_ttl": (),
    "26_windows": (),
    "30_confirm": (),
    "31_rollback": (),
    "33_resolve": (),
    "34_truth_wins": (),
    "36_action_cooldowns": (),
    "41_probe": (),
    "44_clock_ran_ahead": (),
    # Of a transaction that is rolled back.
    "51_enqueue_many": ("What a transaction takes back",),
}


def test_files_print_the_same_through_a_proxy(env, parts):
    parts.names[:] = parts.names[:1]
    plays = directly(env), through(parts)

    def play(one) -> None:
        for name, without in FILES.items():
            one.run(name, without)

    with ThreadPoolExecutor(len(plays)) as pool:
        list(pool.map(play, plays))
    differ = []
    for name in FILES:
        printed = [one.printed[name].splitlines() for one in plays]
        assert "(1 row)" in printed[0], (name, printed[0])
        differ += difflib.unified_diff(*printed, f"{name}, directly", f"{name}, through a proxy", n=2, lineterm="")
    assert not differ, "\n".join(differ)
