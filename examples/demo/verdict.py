"""The verdict about the gate: what its books say, held against what the provider truly did.

The books are read as sendgate_reader, the ledger comes from the provider. Every check is a function
of the two, so it says in a few lines what it means by its name.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

from . import opt_out, verdict_campaigns, verdict_failing, verdict_known, verdict_shared
from .books import HELD, UNRESOLVED, Case, Check, key
from .stage import PROSPECT_COOLDOWN

TURNS_TO_GO_ON = 60
"""How many slots the gate must have handed out since an account ran out of credits before its other
actions are looked for; an account's turn comes once in about ten. Not a time: a slow machine sends less."""
CREDITS_ERROR = "errors/insufficient_credits"


def asked_first(case: Case) -> Check:
    """Every call to the provider holds a slot of its own: one operation, one call."""
    calls = Counter(entry["operation_id"] for entry in case.ledger)
    strange = set(calls) - set(case.books.operations)
    again = [id for id, count in calls.items() if count > 1]
    return Check(
        "every call was granted, and made once",
        not strange and not again,
        f"{len(case.ledger)} calls, {len(strange)} not granted, {len(again)} repeated",
    )


def books_agree(case: Case) -> Check:
    """Each delivery has an event, or its operation is unknown until an operator settles it."""
    parked = case.delivered & case.books.in_state(*UNRESOLVED)
    missing = case.delivered - set(case.books.events) - parked
    invented = set(case.books.events) - case.delivered
    return Check(
        "delivered = events + parked that were sent",
        not missing and not invented,
        f"{len(case.delivered)} = {len(case.books.events)} + {len(parked)}, "
        f"{len(missing)} missing, {len(invented)} invented",
    )


def never_twice(case: Case) -> Check:
    """No work was sent twice; and no prospect got the same action again within its cooldown, whatever two
    campaigns or two workers wanted."""
    rows = [case.books.operations[id] for id in case.delivered & set(case.books.operations)]
    twice = sum(count > 1 for count in Counter(map(key, rows)).values())
    sent = defaultdict(list)
    for row in rows:
        sent[row["account_id"], row["prospect_id"], row["action"]].append(row["reserved_at"])
    again = [gap for times in sent.values() for gap in gaps(times)]
    soon = sum(gap < PROSPECT_COOLDOWN for gap in again)
    return Check(
        "nothing was sent twice",
        not twice and not soon,
        f"{len(rows)} sent, {twice} twice; {len(again)} to a prospect again, {soon} too soon",
    )


def gaps(times: list[datetime]) -> list[timedelta]:
    """The time from each instant to the next."""
    times = sorted(times)
    return [later - earlier for earlier, later in pairwise(times)]


def kept_if_sent(case: Case) -> Check:
    """A slot that was given back belongs to a message that never left."""
    released = case.books.in_state("released")
    wrong = released & case.delivered
    return Check(
        "no slot of a sent message was given back", not wrong, f"{len(released)} given back, {len(wrong)} of them sent"
    )


def within_caps(case: Case) -> Check:
    """Counts deliveries and possible deliveries, each on the day on which the gate counted it."""
    caps = {(row["account_id"], row["action"]): row["daily_cap"] for row in case.books.counters}
    held = case.books.in_state(*HELD) | case.delivered & set(case.books.operations)
    rows = [case.books.operations[id] for id in held]
    sent = Counter((row["account_id"], row["action"], row["counted_on"]) for row in rows)
    over = [place for place, count in sent.items() if count > caps[place[:2]]]
    counters = case.at_month_end.counters + case.books.counters
    full = sum(row["sent_today"] == row["daily_cap"] > 0 for row in counters)
    return Check("no account is above a cap on any day", not over, f"{full} caps reached, {len(over)} passed")


def counters_agree(case: Case) -> Check:
    """Each counter is the number of operations that are delivered, in flight or unknown, for every account
    and action, at the end of the month and on the first of the next."""
    counters, wrong = 0, 0
    for books in (case.at_month_end, case.books):
        held = Counter(
            (row["account_id"], row["action"], row["counted_on"])
            for row in books.operations.values()
            if row["state"] in HELD
        )
        counters += len(books.counters)
        wrong += sum(row["sent_today"] != held[row["account_id"], row["action"], row["day"]] for row in books.counters)
    return Check("counters = journal, in both months", not wrong, f"{counters} counters, {wrong} differ")


def breaker_stopped(case: Case) -> Check:
    """After an account's first credits error, no worker gets a slot for an InMail until it is cleared."""
    name = "InMails stopped at the first credits error"
    ran_out = {entry["account_id"] for entry in case.ledger if entry["type"] == CREDITS_ERROR}
    if not ran_out:
        return Check(name, None, "no account ran out this time")
    stops = case.books.stops()
    unstamped = ran_out - {account for account, *_ in stops}
    late = [
        row
        for row in case.books.operations.values()
        if row["action"] == "inmail"
        and any(
            row["account_id"] == account and _within(row["reserved_at"], since, until)
            for account, since, until in stops
        )
    ]
    return Check(name, not unstamped and not late, f"{len(ran_out)} ran out; {len(late)} slots since then")


def others_went_on(case: Case) -> Check:
    """The breaker is about InMails: the same accounts went on with everything else."""
    name = "their invites and messages went on"
    turns = [row["reserved_at"] for row in case.at_month_end.operations.values()]
    ran_out = {entry["account_id"] for entry in case.ledger if entry["type"] == CREDITS_ERROR}
    stops = [
        (account, since, until)
        for account, since, until in case.books.stops()
        if account in ran_out and until and sum(at > since for at in turns) >= TURNS_TO_GO_ON
    ]
    delivered = [case.books.operations[id] for id in case.books.events]
    after = Counter(
        account
        for account, since, until in stops
        for row in delivered
        if row["account_id"] == account and row["action"] != "inmail" and _within(row["reserved_at"], since, until)
    )
    if not stops:
        return Check(name, None, "no account ran out early enough to see")
    silent = {account for account, *_ in stops} - set(after)
    return Check(name, not silent, f"{after.total()} delivered meanwhile, {len(silent)} accounts silent")


def _within(at: datetime, since: datetime, until: datetime | None) -> bool:
    return at > since and (until is None or at < until)


CHECKS = [
    asked_first,
    books_agree,
    never_twice,
    kept_if_sent,
    within_caps,
    counters_agree,
    breaker_stopped,
    others_went_on,
    *verdict_known.CHECKS,
    *verdict_failing.CHECKS,
    *verdict_campaigns.CHECKS,
    *verdict_shared.CHECKS,
    *opt_out.CHECKS,
]


def judge(case: Case) -> list[Check]:
    """Every check, in the order in which they are shown."""
    return [check(case) for check in CHECKS]
