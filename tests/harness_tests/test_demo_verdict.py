"""The demo's verdict says FAIL where campaigns do not take turns, or a prospect is written to too soon."""

import sys
from datetime import UTC, datetime, timedelta

from harness.places import REPO

sys.path.insert(1, str(REPO / "examples"))

from demo import verdict, verdict_shared
from demo.books import Books, Case

START = datetime(2026, 5, 24, 9, tzinfo=UTC)


def case(*sent: tuple[str, str, int, float]) -> Case:
    """Delivered messages of one account: campaign, prospect, step, and seconds after the start."""
    operations, ledger = {}, []
    for number, (campaign, prospect, step, seconds) in enumerate(sent):
        operations[str(number)] = {
            "account_id": "a", "prospect_id": prospect, "campaign_id": campaign, "action": "message", "step": step,
            "attempt": 1, "state": "delivered", "reserved_at": START + timedelta(seconds=seconds),
        }  # fmt: skip
        ledger.append({"operation_id": str(number), "delivered": True})
    return Case(Books(operations, *({} if name == "events" else [] for name in BOOKS)), None, ledger, START)


BOOKS = ["events", "counters", "enrollments", "breaker_log", "skips", "suppressions", "balances"]


def test_a_campaign_that_has_to_wait_for_another_is_seen():
    letters = [("newsletter", f"r{n}", 1) for n in range(3)]
    first, second = ("sequence", "w1", 1), ("sequence", "w2", 1)
    in_turn = case((*letters[0], 0), (*first, 1), (*letters[1], 2), (*second, 3), (*letters[2], 4))
    assert verdict_shared.took_turns(in_turn).ok
    waited = case(*((*letter, n) for n, letter in enumerate(letters)), (*first, 4), (*second, 5))
    assert verdict_shared.took_turns(waited).ok is False
    assert verdict_shared.took_turns(case((*letters[0], 0))).ok is None, "nothing to see"


def test_a_second_message_without_the_first_is_seen():
    assert verdict_shared.second_after_first(case(("sequence", "w", 1, 0), ("sequence", "w", 2, 5))).ok
    for wrong in (
        [("sequence", "w", 2, 5)],
        [("sequence", "w", 2, 0), ("sequence", "w", 1, 5)],
        [("sequence", "w", 1, 0), ("sequence", "w", 2, 3)],
        [("sequence", "v", 1, 0), ("sequence", "w", 2, 5)],
    ):
        assert verdict_shared.second_after_first(case(*wrong)).ok is False, wrong
    assert verdict_shared.second_after_first(case(("sequence", "w", 1, 0))).ok is None, "nothing to see"


def test_the_same_work_twice_is_seen_and_so_is_a_prospect_again_too_soon():
    assert verdict.never_twice(case(("sequence", "w", 1, 0), ("sequence", "w", 2, 5))).ok
    assert not verdict.never_twice(case(("sequence", "w", 1, 0), ("sequence", "w", 1, 5))).ok
    assert not verdict.never_twice(case(("sequence", "w", 1, 0), ("newsletter", "w", 1, 3))).ok
