"""One account of the model behind the gate: its breaker, and the rules in their order.

What is under it is in histories/books and histories/work, what settles an operation in histories/verbs.
"""

from datetime import date, timedelta

from .books import (
    ATTEMPT_PERCENT,
    EVIDENCE,
    TTL,
    Decision,
    Operation,
    Problem,
    day_of,
    start_of,
)
from .people import SUPPRESSED
from .window import is_inside, next_change
from .work import NO_CREDITS, PROSPECT_COOLDOWN, Work


class Breaker(Work):
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

    def leased(self) -> bool:
        return self.lease is not None and self.lease > self.now

    def permitted(self) -> bool:
        """A permit lies ready."""
        return self.leased() and self.taken_by is None

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
        """Whether its event proves, for a reader at the instant ``at``, that there are credits."""
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
            return NO_CREDITS, self.next_period(self.now)
        return None

    def skip(self, prospect: str | None, campaign: str | None, defers: bool = True) -> None:
        """Once for each piece of work and stamp; then it is counted."""
        key = (prospect, campaign, self.stamp)
        if key not in self.skips:
            self.lines.append(("skip", NO_CREDITS))
            if defers:
                self.defer(prospect, campaign)
        self.skips[key] = self.skips.get(key, -1) + 1


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
        # Its own gap, and whether the day's slots are spread.
        self.pace: tuple[int, bool] = (0, False)

    def stopped(self) -> str | None:
        if self.paused:
            return "paused_by_operator"
        return "account_not_connected" if self.status != "connected" else None

    def in_flight(self, action: str, prospect: str | None) -> bool:
        return any(o.unresolved() for o in self.same(action, prospect))

    def warm_until(self, action: str, prospect: str | None) -> int | None:
        """The end of the prospect's cooldown, while it lasts."""
        until = max((o.reserved_at + PROSPECT_COOLDOWN for o in self.same(action, prospect)), default=0)
        return until if until > self.now else None

    def quiet_until(self, action: str) -> int | None:
        """Until when this action alone cools down; see histories/failures."""
        raise NotImplementedError

    def one_at_a_time(self, action: str, expires_at: int) -> None:
        """A grant; see histories/failures."""
        raise NotImplementedError

    def answer(self, action: str, refusal: tuple | None, expires_at: int | None = None) -> Decision:
        reason, retry_at = refusal or (None, None)
        return Decision(refusal is None, reason, retry_at, expires_at, *self.counts(action))

    def refusal(self, action: str, prospect: str | None) -> tuple[str, int | None] | None:
        """The first rule after the breaker that refuses, and when it lets go."""
        if self.cooldown is not None and self.cooldown > self.now:
            return "account_cooldown", self.cooldown
        if quiet_until := self.quiet_until(action):
            return "action_cooldown", quiet_until
        if self.window and not is_inside(self.window, self.zone, self.now):
            return "outside_sending_window", next_change(self.window, self.zone, self.now)
        if suppressed := self.people.of(prospect, self.now):
            return SUPPRESSED, suppressed.until
        if self.in_flight(action, prospect):
            return "operation_in_flight", None
        if warm_until := self.warm_until(action, prospect):
            return "prospect_cooldown", warm_until
        if (paced_until := self.paced_until(action)) > self.now:
            return "pacing", paced_until
        daily, weekly = self.cap(action)
        if weekly is not None and self.sent_in_seven_days(action, self.today) >= weekly:
            return "weekly_cap_reached", self.week_has_room(action, weekly)
        if self.sent_on(action, self.today) >= daily:
            return "daily_cap_reached", start_of(self.today + timedelta(days=1)) if daily else None
        if self.attempts(action) * 100 >= ATTEMPT_PERCENT * daily:
            return "daily_attempts_reached", start_of(self.today + timedelta(days=1))
        return None

    def week_has_room(self, action: str, weekly: int) -> int | None:
        """The first midnight at which enough has fallen out of the week."""
        days = [self.today + timedelta(days=ahead) for ahead in range(1, 8)]
        return next((start_of(day) for day in days if self.sent_in_seven_days(action, day) < weekly), None)

    def paced_until(self, action: str) -> int:
        """When the tier's gap of the action and the account's own pace are over."""
        gap, spread = self.pace
        until = self.granted[action] + self.gap[action] if self.gap.get(action) and action in self.granted else 0
        if not self.granted or not gap and not spread:
            return until
        last = max(self.granted.values())
        return max(until, last + gap, last + (self.share(action, last) if spread else 0))

    def before(self, action: str, other: str) -> bool:
        """Whether it is the turn of one action before the other: an account with a pace of its own takes turns."""
        if not any(self.pace) or action == other or self.asleep_until.get(action, 0) > self.now:
            return False
        return self.granted.get(action, -1) < self.granted.get(other, -1)

    def share(self, action: str, last: int) -> int:
        """The part of the open time that is left, by the slots that are left and one."""
        end, left = start_of(day_of(last) + timedelta(days=1)), self.counts(action)[2]
        if self.window:
            if not is_inside(self.window, self.zone, last):
                return 0
            end = min(end, next_change(self.window, self.zone, last) or end)
        return -(-(end - last) // (left + 1)) if left else 0

    def look(self, action: str, prospect: str | None, campaign: str | None = None) -> tuple[tuple | None, bool]:
        """(refusal, whether it would be the probe), once the breaker was consulted."""
        reason = self.stopped()
        if reason:
            return (reason, None), False
        probing = False
        if action == "inmail":
            if self.mode == "open":
                return ("breaker_forced_open", None), False
            probing = self.is_open() and self.permitted()
            if self.is_open() and not probing:
                return (NO_CREDITS, self.next_period(self.now)), False
        return self.refusal(action, prospect) or self.part_is_taken(action, campaign), probing

    def decide(self, action: str, prospect: str | None, campaign: str | None = None) -> tuple[tuple | None, bool]:
        if action == "inmail" and not self.stopped():
            self.consult()
        return self.look(action, prospect, campaign)

    def take(self, operation: Operation, probing: bool) -> None:
        """A slot, and the permit if that let it pass."""
        self.journal.append(operation)
        self.granted[operation.action] = self.now
        self.one_at_a_time(operation.action, operation.expires_at)
        if probing:
            self.lease, self.taken_by = max(self.lease, operation.expires_at), operation
        self.note_cap()

    def reserve(self, action: str, prospect: str, campaign: str | None, number: int) -> Decision:
        for operation in self.journal:
            if operation.number == number:
                return self.replay(operation, action, prospect, campaign)
        refused, probing = self.decide(action, prospect, campaign)
        if refused:
            if refused[0] == NO_CREDITS:
                self.skip(prospect, campaign)
            if refused[0] == SUPPRESSED and campaign:
                self.spare(prospect, campaign, action)
            return self.answer(action, refused)
        expires_at = self.now + TTL
        operation = Operation(number, action, prospect, campaign, self.now, expires_at, self.today)
        self.take(operation, probing)
        return self.answer(action, None, expires_at)

    def replay(self, operation: Operation, action: str, prospect: str, campaign: str | None) -> Decision:
        if (operation.action, operation.prospect, operation.campaign) != (action, prospect, campaign):
            raise Problem("SG201")
        if operation.state == "reserved" and self.now < operation.expires_at:
            reason, suppressed = self.stopped(), self.people.of(prospect, self.now)
            if reason or suppressed:
                return self.answer(action, (reason, None) if reason else (SUPPRESSED, suppressed.until))
            return self.answer(action, None, operation.expires_at)
        return self.answer(action, ("operation_resolved", None))
