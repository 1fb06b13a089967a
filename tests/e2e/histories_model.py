"""The contract as a small model in Python, for random histories: one account, its journal, its breaker.

Written from the contract and docs/reference.md, and unlike the extension on purpose: there are no
counters here. Whatever is counted is counted again from the journal, every time it is asked for.
Instants are microseconds since 1970 UTC.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TTL = 15 * MINUTE
PROSPECT_COOLDOWN = DAY
RATE_LIMIT_COOLDOWN = HOUR
EVIDENCE = HOUR
SKEW = 5 * MINUTE
OVER_CAP_COOLDOWN = HOUR
EPOCH = date(1970, 1, 1)

# What providers say, as (message, type, status), and what that means for an InMail and for others.
ERRORS = {
    "nothing": ((None, None, None), "released", "released"),
    "credits": (("Not enough credits", None, 422), "credits_exhausted", "recipient_refused"),
    "type": ((None, "insufficient_credits", 400), "credits_exhausted", "recipient_refused"),
    "blocked": (("You are blocked", None, 422), "recipient_refused", "recipient_refused"),
    "busy": ((None, None, 503), "transient", "transient"),
    "slow down": ((None, "errors/too_many_requests", 429), "rate_limited", "rate_limited"),
    "restricted": ((None, "errors/account_restricted", 403), "account_restricted", "account_restricted"),
    "login": ((None, None, 401), "auth_lost", "auth_lost"),
    "timeout": ((None, None, 504), "indeterminate", "indeterminate"),
    "gibberish": (("upstream said 0x1f", None, None), "indeterminate", "indeterminate"),
}


def day_of(at: int) -> date:
    """The UTC day of an instant."""
    return EPOCH + timedelta(days=at // DAY)


def start_of(day: date) -> int:
    """The first instant of a UTC day."""
    return (day - EPOCH).days * DAY


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


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

    number: int | None  # none: recorded from outside the gate
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

    def kept(self) -> bool:
        return self.state != "released"

    def unresolved(self) -> bool:
        return self.state in ("reserved", "indeterminate")


@dataclass
class Enrollment:
    """A piece of the one campaign."""

    prospect: str
    action: str
    due_at: int | None
    state: str = "waiting"
    reason: str | None = None


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

    @property
    def today(self) -> date:
        return day_of(self.now)

    def cap(self, action: str) -> tuple[int, int | None]:
        """Daily and weekly cap: the account's own, or else the tier's, each for itself."""
        own, tier = self.caps.get(action, (None, None)), self.tier[action]
        return tuple(tier[i] if own[i] is None else own[i] for i in (0, 1))

    def sent_on(self, action: str, day: date) -> int:
        return sum(o.kept() and o.action == action and o.counted_on == day for o in self.journal)

    def sent_in(self, action: str, week: date) -> int:
        return sum(o.kept() and o.action == action and week_of(o.counted_on) == week for o in self.journal)

    def counts(self, action: str) -> tuple[int, int, int]:
        """Sent today, the daily cap, and what both caps leave."""
        daily, weekly = self.cap(action)
        sent, this_week = self.sent_on(action, self.today), self.sent_in(action, week_of(self.today))
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


class Breaker(Books):
    """The InMail breaker."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.mode = "auto"
        self.stamp: int | None = None
        self.cleared_at: int | None = None
        self.lease: int | None = None
        self.taken_by: Operation | None = None
        self.lines: list[tuple[str, str]] = []
        self.skips: dict[tuple, int] = {}
        # In the order in which they were put in.
        self.enrolled: list[Enrollment] = []

    def leased(self) -> bool:
        return self.lease is not None and self.lease > self.now

    def is_open(self) -> bool:
        return self.mode == "auto" and self.stamp is not None and self.stamp >= self.period_start(self.now)

    def clear(self, reason: str) -> None:
        """Removes the stamp and, with it, the permit."""
        if self.stamp is not None:
            self.lines.append(("clear", reason))
            self.stamp = self.lease = self.taken_by = None
            self.cleared_at = self.now
            self.release()

    def arm(self, reserved_at: int, reason: str) -> None:
        """The first stamp of a period wins; an error from before the last clear says nothing."""
        if self.cleared_at is not None and reserved_at < self.cleared_at:
            return
        at = self.now if reserved_at >= self.period_start(self.now) else reserved_at
        if self.stamp is not None and self.stamp >= self.period_start(at):
            return
        self.clear("monthly_reset")
        self.lines.append(("set", reason))
        self.stamp = at

    def proves(self, operation: Operation, at: int) -> bool:
        """Whether its event proves, to somebody who looks at ``at``, that there are credits."""
        event = operation.event
        return (
            event is not None
            and operation.action == "inmail"
            and min(operation.reserved_at, event.occurred_at, event.recorded_at) > self.stamp
            and at - EVIDENCE <= event.occurred_at
        )

    def consult(self) -> tuple[str, int | None] | None:
        """Clears what is to be cleared; (reason, retry_at) of a refusal."""
        if self.mode == "open":
            return "breaker_forced_open", None
        if self.mode == "closed" or self.stamp is None:
            return None
        if not self.is_open():
            self.clear("monthly_reset")
        elif any(self.proves(o, self.now) and o.event.occurred_at <= self.now for o in self.journal):
            self.clear("recent_success_evidence")
        else:
            return "account_inmail_credits_exhausted", self.next_period(self.now)
        return None

    def skip(self, prospect: str | None, campaign: str | None) -> None:
        """Once for each piece of work and stamp; then it is counted."""
        key = (prospect, campaign, self.stamp)
        if key not in self.skips:
            self.lines.append(("skip", "account_inmail_credits_exhausted"))
            self.defer(prospect, campaign)
        self.skips[key] = self.skips.get(key, -1) + 1


    def deferred(self) -> list[Enrollment]:
        reason = "account_inmail_credits_exhausted"
        return [e for e in self.enrolled if e.state == "waiting" and e.reason == reason]

    def defer(self, prospect: str | None, campaign: str | None) -> None:
        """The piece that was skipped waits for the next credits."""
        until = self.next_period(self.now)
        for e in self.enrolled:
            mine = campaign is not None and e.prospect == prospect and e.action == "inmail"
            if mine and e.state == "waiting" and e.due_at < until:
                e.due_at, e.reason = until, "account_inmail_credits_exhausted"

    def release(self) -> None:
        """What was deferred is due."""
        for e in self.deferred():
            if e.due_at > self.now:
                e.due_at, e.reason = self.now, None

    def offer(self) -> None:
        """A permit lies ready: the first deferred piece that nothing else holds back is due."""
        for e in sorted(self.deferred(), key=lambda e: e.due_at):
            same = [o for o in self.journal if o.kept() and o.action == "inmail" and o.prospect == e.prospect]
            if not any(o.unresolved() or o.reserved_at > self.now - PROSPECT_COOLDOWN for o in same):
                e.due_at = self.now
                return


class Model(Breaker):
    """One account behind the gate."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.status = "connected"
        self.cooldown: int | None = None
        self.paused = False
        self.granted: dict[str, int] = {}
        self.alerts: set[tuple[str, date]] = set()
        self.raised: set[tuple[str, date]] = set()

    def find(self, number: int) -> Operation:
        for operation in self.journal:
            if operation.number == number:
                return operation
        raise Problem("SG102")

    def stopped(self) -> str | None:
        if self.paused:
            return "paused_by_operator"
        return "account_not_connected" if self.status != "connected" else None

    def answer(self, action: str, refusal: tuple | None, expires_at: int | None = None) -> Decision:
        reason, retry_at = refusal or (None, None)
        return Decision(refusal is None, reason, retry_at, expires_at, *self.counts(action))

    def refusal(self, action: str, prospect: str | None) -> tuple[str, int | None] | None:
        """The first rule after the breaker that refuses, and when it lets go."""
        if self.cooldown is not None and self.cooldown > self.now:
            return "account_cooldown", self.cooldown
        same = [o for o in self.journal if o.kept() and o.action == action and o.prospect == prospect]
        if any(o.unresolved() for o in same):
            return "operation_in_flight", None
        warm_until = max((o.reserved_at + PROSPECT_COOLDOWN for o in same), default=0)
        if warm_until > self.now:
            return "prospect_cooldown", warm_until
        paced_until = self.granted.get(action, 0) + self.gap.get(action, 0)
        if self.gap.get(action) and action in self.granted and paced_until > self.now:
            return "pacing", paced_until
        daily, weekly = self.cap(action)
        week = week_of(self.today)
        if weekly is not None and self.sent_in(action, week) >= weekly:
            return "weekly_cap_reached", start_of(week + timedelta(days=7)) if weekly else None
        if self.sent_on(action, self.today) >= daily:
            return "daily_cap_reached", start_of(self.today + timedelta(days=1)) if daily else None
        return None

    def decide(self, action: str, prospect: str | None) -> tuple[tuple | None, bool]:
        """(refusal, whether it would be the probe)"""
        reason = self.stopped()
        if reason:
            return (reason, None), False
        probing = False
        if action == "inmail":
            refused = self.consult()
            probing = self.is_open() and self.leased() and self.taken_by is None
            if refused and not probing:
                return refused, False
        return self.refusal(action, prospect), probing

    def reserve(self, action: str, prospect: str, campaign: str | None, number: int) -> Decision:
        for operation in self.journal:
            if operation.number == number:
                return self.replay(operation, action, prospect, campaign)
        refused, probing = self.decide(action, prospect)
        if refused:
            if refused[0] == "account_inmail_credits_exhausted":
                self.skip(prospect, campaign)
            return self.answer(action, refused)
        expires_at = self.now + TTL
        operation = Operation(number, action, prospect, campaign, self.now, expires_at, self.today)
        self.journal.append(operation)
        self.granted[action] = self.now
        if probing:
            self.lease, self.taken_by = max(self.lease, expires_at), operation
        self.note_cap()
        return self.answer(action, None, expires_at)

    def replay(self, operation: Operation, action: str, prospect: str, campaign: str | None) -> Decision:
        if (operation.action, operation.prospect, operation.campaign) != (action, prospect, campaign):
            raise Problem("SG201")
        if operation.state == "reserved" and self.now < operation.expires_at:
            reason = self.stopped()
            if reason is None:
                return self.answer(action, None, operation.expires_at)
            return self.answer(action, (reason, None))
        return self.answer(action, ("operation_resolved", None))
