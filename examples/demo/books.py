"""What the verdict judges: the database's books, and the provider's ledger."""

from dataclasses import dataclass, field
from datetime import datetime

from .stage import Readers, Session

OPERATIONS = """
SELECT operation_id::text, account_id, prospect_id, campaign_id, action, step, state, counted_on, reserved_at,
       attempt, outcome
  FROM sendgate.send_operations
"""
EVENTS = """
SELECT operation_id::text, account_id, prospect_id, campaign_id, event_type, occurred_at
  FROM sendgate.linkedin_events
"""
COUNTERS = """
SELECT account_id, action, sent_today, daily_cap, (sendgate.clock() AT TIME ZONE 'UTC')::date AS day
  FROM sendgate.counters
"""
ENROLLMENTS = """
SELECT account_id, prospect_id, campaign_id, action, step, state, attempts, is_connection, reason
  FROM sendgate.enrollments
"""
BREAKER_LOG = "SELECT account_id, action, reason, at, exhausted_at FROM sendgate.breaker_log ORDER BY at"
BALANCES = "SELECT account_id, balance, observed_at, note FROM sendgate.credit_balances ORDER BY id"
SKIPS = """
SELECT account_id, prospect_id, campaign_id, action, exhausted_at, deferred_to
  FROM sendgate.campaign_events
"""
SUPPRESSIONS = "SELECT prospect_id, suppressed_at FROM sendgate.suppressions"
OUT_OF_CREDITS = "account_inmail_credits_exhausted"
KEY = ("account_id", "prospect_id", "campaign_id", "action", "step")
UNRESOLVED = {"reserved", "indeterminate"}
HELD = UNRESOLVED | {"delivered"}


def key(row: dict) -> tuple:
    """What an enrollment is known by, and what its operations say that they belong to."""
    return tuple(row[name] for name in KEY)


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
    events: dict[str, dict]
    counters: list[dict]
    enrollments: list[dict]
    breaker_log: list[dict]
    skips: list[dict]
    suppressions: list[dict]
    balances: list[dict]

    @classmethod
    def read(cls, session: Session | Readers) -> "Books":
        """All of it as of one instant, in each database."""
        queries = (OPERATIONS, EVENTS, COUNTERS, ENROLLMENTS, BREAKER_LOG, SKIPS, SUPPRESSIONS, BALANCES)
        operations, events, *others = session.snapshot(*queries)
        by_id = ({row["operation_id"]: row for row in rows} for rows in (operations, events))
        return cls(*by_id, *others)

    def in_state(self, *states: str) -> set[str]:
        """The operations that are in one of these states."""
        return {id for id, row in self.operations.items() if row["state"] in states}

    def deferred(self) -> set[tuple]:
        """The work that waits for credits, of the accounts whose breaker has begun to put work off."""
        skipping = {row["account_id"] for row in self.skips if row["exhausted_at"]}
        return {
            key(row)
            for row in self.enrollments
            if row["account_id"] in skipping and row["state"] == "waiting" and row["reason"] == OUT_OF_CREDITS
        }

    def delivered_since(self, at: datetime) -> set[tuple]:
        """The work that was handed out since then, and is delivered."""
        return {
            key(row) for row in self.operations.values() if row["state"] == "delivered" and row["reserved_at"] >= at
        }

    def stops(self) -> list[tuple[str, datetime, datetime | None]]:
        """From when to when an account's breaker was open; the last may still be."""
        found, since = [], {}
        for row in self.breaker_log:
            account = row["account_id"]
            if row["action"] == "set":
                since.setdefault(account, row["at"])
            elif row["action"] == "clear" and account in since:
                found.append((account, since.pop(account), row["at"]))
        return found + [(account, at, None) for account, at in since.items()]


@dataclass
class Case:
    """The books now and as they were at the month's end, the truth, and when the next month began."""

    books: Books
    at_month_end: Books
    ledger: list[dict]
    first: datetime
    delivered: set[str] = field(init=False)

    def __post_init__(self):
        self.delivered = {entry["operation_id"] for entry in self.ledger if entry["delivered"]}
