"""The verdict: what the gate's books say, held against what the provider truly did.

`Books` is read as sendgate_reader, the ledger comes from the provider. Every check is a function
of the two, so it says in a few lines what it means by its name.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .stage import Session

OPERATIONS = """
SELECT operation_id::text, account_id, prospect_id, action, state, counted_on, reserved_at
  FROM sendgate.send_operations
"""
EVENTS = "SELECT operation_id::text, account_id FROM sendgate.linkedin_events"
COUNTERS = """
SELECT account_id, action, sent_today, daily_cap, (sendgate.clock() AT TIME ZONE 'UTC')::date AS day
  FROM sendgate.counters
"""
STAMPS = """
SELECT id, inmail_credits_exhausted_at AS stamp
  FROM sendgate.linkedin_accounts
 WHERE inmail_credits_exhausted_at IS NOT NULL
"""
UNRESOLVED = {"reserved", "indeterminate"}
HELD = UNRESOLVED | {"delivered"}
TIME_TO_GO_ON = timedelta(seconds=10)
"""How long an account must have been out of credits before its other actions are looked for."""
CREDITS_ERROR = "errors/insufficient_credits"


@dataclass
class Check:
    """One line of the verdict. `ok` is None where this run had nothing to check."""

    name: str
    ok: bool | None
    detail: str


@dataclass
class Books:
    """What the database knows."""

    operations: dict[str, dict]
    events: set[str]
    counters: list[dict]
    stamps: dict[str, datetime]

    @classmethod
    def read(cls, session: Session) -> "Books":
        """All of it as of one instant."""
        operations, events, counters, stamps = session.snapshot(OPERATIONS, EVENTS, COUNTERS, STAMPS)
        return cls(
            {row["operation_id"]: row for row in operations},
            {row["operation_id"] for row in events},
            counters,
            {row["id"]: row["stamp"] for row in stamps},
        )

    def in_state(self, *states: str) -> set[str]:
        """The operations that are in one of these states."""
        return {id for id, row in self.operations.items() if row["state"] in states}


@dataclass
class Case:
    """The books and the truth, and what several checks need of them."""

    books: Books
    ledger: list[dict]
    delivered: set[str] = field(init=False)

    def __post_init__(self):
        self.delivered = {entry["operation_id"] for entry in self.ledger if entry["delivered"]}


def asked_first(case: Case) -> Check:
    """Every call to the provider holds a slot of its own: one operation, one call."""
    calls = Counter(entry["operation_id"] for entry in case.ledger)
    strange = set(calls) - set(case.books.operations)
    again = [id for id, count in calls.items() if count > 1]
    return Check("every call was granted, and made once", not strange and not again,
                 f"{len(case.ledger)} calls, {len(strange)} not granted, {len(again)} repeated")


def books_agree(case: Case) -> Check:
    """What was delivered is an event, or parked as unknown until an operator settles it."""
    parked = case.delivered & case.books.in_state(*UNRESOLVED)
    missing = case.delivered - case.books.events - parked
    invented = case.books.events - case.delivered
    return Check("delivered = events + parked that were sent", not missing and not invented,
                 f"{len(case.delivered)} = {len(case.books.events)} + {len(parked)}, "
                 f"{len(missing)} missing, {len(invented)} invented")


def never_twice(case: Case) -> Check:
    """No prospect got the same action twice, whatever two campaigns or two workers wanted."""
    sent = Counter((e["account_id"], e["prospect_id"], e["action"]) for e in case.ledger if e["delivered"])
    twice = [key for key, count in sent.items() if count > 1]
    return Check("nothing was sent twice", not twice, f"{len(sent)} prospects, {len(twice)} twice")


def kept_if_sent(case: Case) -> Check:
    """A slot that was given back belongs to a message that never left."""
    released = case.books.in_state("released")
    wrong = released & case.delivered
    return Check("no slot of a sent message was given back", not wrong,
                 f"{len(released)} given back, {len(wrong)} of them sent")


def within_caps(case: Case) -> Check:
    """By the ledger, and by the day on which the gate counted each."""
    caps = {(row["account_id"], row["action"]): row["daily_cap"] for row in case.books.counters}
    sent = Counter()
    for id in case.delivered & set(case.books.operations):
        row = case.books.operations[id]
        sent[row["account_id"], row["action"], row["counted_on"]] += 1
    over = [key for key, count in sent.items() if count > caps[key[:2]]]
    full = sum(row["sent_today"] == row["daily_cap"] > 0 for row in case.books.counters)
    return Check("no account is above a cap", not over,
                 f"{full} caps reached, {len(over)} passed")


def counters_agree(case: Case) -> Check:
    """The counter is what was delivered, is in flight or is unknown, for every account and action."""
    held = Counter(
        (row["account_id"], row["action"], row["counted_on"])
        for row in case.books.operations.values()
        if row["state"] in HELD
    )
    wrong = [
        row for row in case.books.counters
        if row["sent_today"] != held[row["account_id"], row["action"], row["day"]]
    ]
    return Check("counters = journal", not wrong,
                 f"{len(case.books.counters)} counters, {len(wrong)} differ")


def breaker_stopped(case: Case) -> Check:
    """After an account's first credits error, only InMails that already held a slot still arrive."""
    errors = [entry for entry in case.ledger if entry["type"] == CREDITS_ERROR]
    first = {}
    for entry in errors:
        first.setdefault(entry["account_id"], entry["received_at"])
    if not first:
        return Check("InMails stopped at the first credits error", None, "no account ran out this time")
    later = [e for e in case.ledger if e["action"] == "inmail"
             and e["account_id"] in first and e["received_at"] > first[e["account_id"]]]
    stamps, operations = case.books.stamps, case.books.operations
    unstamped = set(first) - set(stamps)
    late = [e for e in later if e["account_id"] in stamps
            and operations[e["operation_id"]]["reserved_at"] > stamps[e["account_id"]]]
    held = len(later) - len(late)
    return Check("InMails stopped at the first credits error", not unstamped and not late,
                 f"{len(first)} ran out; later {held} calls with a slot, {len(late)} without")


def others_went_on(case: Case) -> Check:
    """The breaker is about InMails: the same accounts went on with everything else."""
    last = max((datetime.fromisoformat(e["received_at"]) for e in case.ledger), default=None)
    stamps = {id: at for id, at in case.books.stamps.items() if last and last - at > TIME_TO_GO_ON}
    after = defaultdict(int)
    for id in case.delivered & set(case.books.operations):
        row = case.books.operations[id]
        stamp = stamps.get(row["account_id"])
        if stamp and row["action"] != "inmail" and row["reserved_at"] > stamp:
            after[row["account_id"]] += 1
    name = "their invites and messages went on"
    if not stamps:
        return Check(name, None, "no account ran out early enough to see")
    silent = set(stamps) - set(after)
    return Check(name, not silent, f"{sum(after.values())} delivered since, {len(silent)} accounts silent")


CHECKS = [asked_first, books_agree, never_twice, kept_if_sent, within_caps, counters_agree,
          breaker_stopped, others_went_on]


def judge(books: Books, ledger: list[dict]) -> list[Check]:
    """Every check, in the order in which the table shows them."""
    case = Case(books, ledger)
    return [check(case) for check in CHECKS]
