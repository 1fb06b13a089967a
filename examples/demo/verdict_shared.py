"""The verdict about two campaigns that share an account, and about a sequence of two messages."""

from .books import Case, Check
from .campaigns import NEWSLETTER, SEQUENCE
from .stage import PROSPECT_COOLDOWN


def took_turns(case: Case) -> Check:
    """The newsletter has most of the work and was put in first. While the sequence has work that is due, the gate hands
    out one of the newsletter, one of the sequence and so on."""
    name = "campaigns of one account took turns"
    rows = case.books.operations.values()
    others = [row["reserved_at"] for row in rows if row["campaign_id"] == NEWSLETTER]
    firsts = [row for row in rows if row["campaign_id"] == SEQUENCE and row["step"] == row["attempt"] == 1]
    if not others or not firsts:
        return Check(name, None, "their turn has not come")
    turns = enumerate(sorted(row["reserved_at"] for row in firsts), 1)
    # What one call of dispatch hands out has the same instant.
    late = sum(sum(other < at for other in others) > turn for turn, at in turns)
    return Check(
        name, not late, f"{len(firsts)} of {SEQUENCE} among {len(others)} of {NEWSLETTER}, {late} kept waiting"
    )


def second_after_first(case: Case) -> Check:
    """Every call for a second message follows the delivered first one, not before the prospect's cooldown is over."""
    name = "second messages followed the first"
    made = {entry["operation_id"]: (number, entry["delivered"]) for number, entry in enumerate(case.ledger)}
    calls = {1: {}, 2: {}}
    for id, row in case.books.operations.items():
        if row["campaign_id"] == SEQUENCE and id in made:
            calls[row["step"]].setdefault(row["prospect_id"], []).append((*made[id], row["reserved_at"]))
    if not calls[2]:
        return Check(name, None, "none was due yet")
    wrong = [
        prospect
        for prospect, seconds in calls[2].items()
        for number, _, at in seconds
        if not any(
            earlier < number and delivered and at - before >= PROSPECT_COOLDOWN
            for earlier, delivered, before in calls[1].get(prospect, ())
        )
    ]
    return Check(name, not wrong, f"{len(calls[1])} first, {len(calls[2])} second, {len(wrong)} without a first")


CHECKS = [took_turns, second_after_first]
