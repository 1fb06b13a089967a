"""The contract as a small model in Python, for random histories: an account's journal, and what is counted.

Written from the contract and docs/reference.md, and unlike the extension on purpose: there are no
counters here. Whatever is counted is counted again from the journal, every time it is asked for.
Instants are microseconds since 1970 UTC.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from e2e.support import operation

from .window import Window

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TTL = 15 * MINUTE
RATE_LIMIT_COOLDOWN = HOUR
EVIDENCE = HOUR
SKEW = 5 * MINUTE
OVER_CAP_COOLDOWN = HOUR
# The ramp's start and step.
RAMP_PERCENT = 20
EPOCH = date(1970, 1, 1)

# So often is a piece of work tried.
ATTEMPTS_MAX = 5

# The settings under which histories are played.
FAILURE_LIMIT = 3
FAILURE_COOLDOWN = HOUR
ATTEMPT_PERCENT = 150
LATE_DELIVERY = 72 * HOUR
# How long the recipient is left alone, and an action that is not included, where nothing else is said.
RECIPIENT_WAIT = DAY
UNAVAILABLE_WAIT = DAY


@dataclass(frozen=True)
class Answer:
    """What a provider's words mean."""

    outcome: str
    scope: str = "account"
    wait: int | None = None

    def waits(self, retry_after: int | None) -> int:
        """As the provider says, else as the rule says, else as is usual."""
        usual = {"rate_limited": RATE_LIMIT_COOLDOWN, "recipient_later": RECIPIENT_WAIT}[self.outcome]
        return next(wait for wait in (retry_after or None, self.wait, usual) if wait is not None)


# What providers say, as (message, type, status), and what that means for an InMail and for others.
ERRORS = {
    "nothing": ((None, None, None), "released", "released"),
    "credits": (("Not enough credits", None, 422), "credits_exhausted", "rejected"),
    "type": ((None, "insufficient_credits", 400), "credits_exhausted", "rejected"),
    "blocked": (("You are blocked", None, 422), "recipient_refused", "recipient_refused"),
    "soon": ((None, "cannot_resend_within_24hrs", 422), "recipient_later", "recipient_later"),
    "content": ((None, "errors/content_too_large", 400), "rejected", "rejected"),
    "forbidden": (("You are blocked", None, 403), "rejected", "rejected"),
    "busy": ((None, None, 503), "transient", "transient"),
    "slow down": ((None, "errors/too_many_requests", 429), "rate_limited", "rate_limited"),
    "slow, as JSON": (('{"type":"errors/x","status":429}', None, None), "rate_limited", "rate_limited"),
    "limit": ((None, "errors/limit_exceeded", 422), "rate_limited", "rate_limited"),
    "plan": ((None, "feature_not_subscribed", 403), "action_unavailable", "action_unavailable"),
    "restricted": ((None, "errors/account_restricted", 403), "account_restricted", "account_restricted"),
    "login": ((None, None, 401), "auth_lost", "auth_lost"),
    "timeout": ((None, None, 504), "indeterminate", "indeterminate"),
    "gibberish": (("upstream said 0x1f", None, None), "indeterminate", "indeterminate"),
}
# Where the rule says whom a rate limit stops, and for how long.
OF_THE_ACTION = {"limit": ("action", DAY)}


def answer_of(error: str, action: str) -> Answer:
    """What an error means for an action."""
    outcome = ERRORS[error][1 if action == "inmail" else 2]
    return Answer(outcome, *OF_THE_ACTION.get(error, ()))


def day_of(at: int) -> date:
    """The UTC day of an instant."""
    return EPOCH + timedelta(days=at // DAY)


def start_of(day: date) -> int:
    """The first instant of a UTC day."""
    return (day - EPOCH).days * DAY


def resets(year: int, reset_day: int) -> list[int]:
    """The starts of a year's credit periods."""
    days = [min(reset_day, calendar.monthrange(year, month)[1]) for month in range(1, 13)]
    return [start_of(date(year, month + 1, day)) for month, day in enumerate(days)]


class Problem(Exception):
    """An error of the contract, by its SQLSTATE."""


@dataclass
class Event:
    """A proven delivery."""

    chat: str | None
    occurred_at: int
    recorded_at: int


@dataclass
class Operation:
    """An attempt."""

    number: int | str | None  # its id, where dispatch made one; none: recorded from outside the gate
    action: str
    prospect: str
    campaign: str | None
    reserved_at: int
    expires_at: int
    counted_on: date
    state: str = "reserved"
    outcome: str | None = None
    settled_at: int | None = None
    event: Event | None = None
    # Its end was counted among the failures in a row, or is never counted there.
    counted: bool = False
    # A send from outside, as it was told first: chat id and instant.
    told_as: tuple | None = None
    # Of its campaign's work; none where it was not handed out.
    step: int | None = None

    def kept(self) -> bool:
        return self.state != "released"

    def unresolved(self) -> bool:
        return self.state in ("reserved", "indeterminate")

    def expired(self, now: int) -> bool:
        return self.state == "reserved" and now >= self.expires_at

    def id(self) -> str:
        return identity(self.number)


def identity(number: int | str) -> str:
    """An operation's id in the database."""
    return operation(number) if isinstance(number, int) else number


@dataclass
class Decision:
    """An answer of ``reserve`` or ``preview``."""

    proceed: bool
    reason: str | None
    retry_at: int | None
    expires_at: int | None
    sent_today: int
    daily_cap: int
    remaining: int


class Books:
    """Whatever is counted from the journal."""

    def __init__(self, caps: dict, gap: dict, reset_day: int):
        self.tier, self.gap, self.reset_day = caps, gap, reset_day
        self.caps: dict[str, tuple] = {}
        self.journal: list[Operation] = []
        self.now = 0
        self.highest_cap: dict[date, int] = {}
        self.zone = "UTC"
        self.window: Window | None = None
        # The days with sends since the ramp began, but today; none: no ramp.
        self.ramp: set[date] | None = None

    @property
    def today(self) -> date:
        return day_of(self.now)

    def goes_on(self, now: int) -> None:
        """The clock moves; the day that ends is one of the ramp's if anything was sent on it."""
        sent = any(o.kept() and o.counted_on == self.today for o in self.journal)
        if self.ramp is not None and sent and day_of(now) > self.today:
            self.ramp.add(self.today)
        self.now = now

    def cap(self, action: str) -> tuple[int, int | None]:
        """Daily and weekly cap: the account's own, or else the tier's, each for itself; the day's is ramped."""
        own, tier = self.caps.get(action, (None, None)), self.tier[action]
        daily, weekly = (tier[i] if own[i] is None else own[i] for i in (0, 1))
        if self.ramp is not None:
            percent = min(RAMP_PERCENT * (1 + len(self.ramp)), 100)
            daily = -(-daily * percent // 100)
        return daily, weekly

    def same(self, action: str, prospect: str | None) -> list[Operation]:
        """Operations that sent, or may have sent, this action to a prospect."""
        return [o for o in self.journal if o.kept() and o.action == action and o.prospect == prospect]

    def sent_on(self, action: str, day: date) -> int:
        return sum(o.kept() and o.action == action and o.counted_on == day for o in self.journal)

    def sent_in_seven_days(self, action: str, last: date) -> int:
        """Up to this day; what counts today is there."""
        return sum(self.sent_on(action, last - timedelta(days=back)) for back in range(7))

    def attempts(self, action: str) -> int:
        """Today's grants, but those that a worker gave back as never sent."""
        today = [o for o in self.journal if o.number is not None and o.counted_on == self.today]
        return sum(o.action == action and o.outcome != "released" for o in today)

    def counts(self, action: str) -> tuple[int, int, int]:
        """Sent today, the daily cap, and what both caps leave."""
        daily, weekly = self.cap(action)
        sent, this_week = self.sent_on(action, self.today), self.sent_in_seven_days(action, self.today)
        left = daily - sent if weekly is None else min(daily - sent, weekly - this_week)
        return sent, daily, max(left, 0)

    def period_start(self, at: int) -> int:
        year = day_of(at).year
        starts = resets(year - 1, self.reset_day) + resets(year, self.reset_day)
        return max(start for start in starts if start <= at)

    def next_period(self, at: int) -> int:
        year = day_of(at).year
        starts = resets(year, self.reset_day) + resets(year + 1, self.reset_day)
        return min(start for start in starts if start > at)

    def note_cap(self) -> None:
        """The cap that is in force now was in force today."""
        cap = self.cap("inmail")[0]
        self.highest_cap[self.today] = max(cap, self.highest_cap.get(self.today, 0))
