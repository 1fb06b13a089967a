"""The rest of the model: what settles an operation, what operators and the jobs do."""

import copy
from datetime import timedelta

from .books import (
    LATE_DELIVERY,
    MINUTE,
    OVER_CAP_COOLDOWN,
    SECOND,
    SKEW,
    TTL,
    Answer,
    Decision,
    Event,
    Operation,
    Problem,
    answer_of,
    day_of,
)
from .failures import Failing
from .people import SUPPRESSED
from .window import Window, next_change


class Account(Failing):
    """One account, whole. Each verb answers what the SQL function of its name does."""

    def preview(self, action: str, prospect: str | None) -> Decision:
        """The same answer, on a copy."""
        return self.answer(action, copy.deepcopy(self).decide(action, prospect)[0])

    def settled_as(self, operation: Operation, state: str, outcome: str | None) -> None:
        was_open = operation.unresolved()
        operation.state, operation.outcome, operation.settled_at = state, outcome, self.now
        if was_open and not operation.unresolved():
            self.wake(operation)

    def confirm(self, number: int, chat: str | None, delivered_at: int | None) -> Event | None:
        if delivered_at is not None and delivered_at > self.now + SKEW:
            raise Problem("SG007")
        return self.deliver(self.find(number), chat, delivered_at)

    def deliver(
        self, operation: Operation, chat: str | None, at: int | None, by_operator: bool = False
    ) -> Event | None:
        """The truth wins, whatever was said before."""
        if operation.event is not None:
            if chat is not None and chat != operation.event.chat:
                raise Problem("SG202")
            return operation.event
        unproven = operation.action == "inmail" and chat is None
        if unproven and operation.state in ("indeterminate", "delivered"):
            return None
        if at is not None and at < operation.reserved_at - SKEW:
            raise Problem("SG007")
        if operation.state == "released":
            self.alerts.add(("delivered_after_rollback", operation.counted_on))
        operation.counted = True
        if unproven:
            self.settled_as(operation, "indeterminate", "indeterminate")
            self.failed(operation, Answer("indeterminate"))
            return None
        self.finish(operation)
        if not by_operator:
            self.came_through(operation)
        operation.event = Event(chat, self.now if at is None else at, self.now)
        self.look_at_proof(operation)
        return operation.event

    def finish(self, operation: Operation) -> None:
        """Delivered: the prospect of the campaign has got it. Its proof may come after that was said."""
        is_known = operation.state == "delivered"
        self.settled_as(operation, "delivered", None)
        self.included_after_all(operation.action)
        if not is_known:
            self.arrived(operation)

    def look_at_proof(self, operation: Operation) -> None:
        if operation.action == "inmail" and self.stamp is not None:
            probe = self.taken_by is operation and self.leased()
            if probe or self.proves(operation, self.now):
                self.clear("recent_success_evidence")

    def rollback(self, number: int, error: str, retry_after: int | None) -> str:
        operation = self.find(number)
        answer = answer_of(error, operation.action)
        outcome = answer.outcome
        if operation.state == "delivered":
            raise Problem("SG203")
        if operation.state == "released":
            return operation.outcome
        if operation.state == "indeterminate" and outcome in ("released", "indeterminate"):
            return "indeterminate"
        self.fail(operation, answer, retry_after)
        return outcome

    def fail(self, operation: Operation, answer: Answer, retry_after: int | None = None) -> None:
        outcome = answer.outcome
        state = "indeterminate" if outcome == "indeterminate" else "released"
        self.settled_as(operation, state, outcome)
        if outcome == "not_sent":
            operation.counted = True
        else:
            self.counts_as(operation, outcome)
        self.cools_down(operation, answer, retry_after)
        if outcome == "account_restricted":
            self.status = "restricted"
        elif outcome == "auth_lost" and self.status == "connected":
            self.status = "disconnected"
        if operation.action == "inmail":
            self.tell_breaker(operation, state, outcome)
        self.failed(operation, answer, retry_after)

    def tell_breaker(self, operation: Operation, state: str, outcome: str) -> None:
        was_probe = self.taken_by is operation
        if outcome == "credits_exhausted":
            if was_probe:
                self.lease = self.taken_by = None
            self.arm(operation.reserved_at, outcome)
        elif was_probe and state == "released":
            # The permit is back at once, unless it has lapsed.
            self.lease = self.now + TTL if self.leased() else None
            self.taken_by = None
            if self.lease is not None:
                self.offer()

    def resolve(self, number: int, sent: bool, chat: str | None) -> None:
        operation = self.find(number)
        expired = operation.expired(self.now)
        repeats = operation.state == ("delivered" if sent else "released")
        proof = repeats and sent and operation.event is None and chat is not None
        if repeats and not proof:
            if sent and chat is not None and operation.event and chat != operation.event.chat:
                raise Problem("SG202")
            return
        if operation.state != "indeterminate" and not expired and not proof:
            raise Problem("SG204")
        if not sent:
            self.fail(operation, Answer("not_sent"))
        elif chat is None and operation.action == "inmail":
            operation.counted = True
            self.finish(operation)
        else:
            self.deliver(operation, chat, operation.reserved_at, by_operator=True)

    def record_external_send(self, action: str, prospect: str, chat: str | None, told: int) -> Event:
        if action == "inmail" and chat is None:
            raise Problem("SG001")
        if told > self.now + SKEW:
            raise Problem("SG007")
        at = min(told, self.now)
        same = [o for o in self.journal if (o.action, o.prospect) == (action, prospect)]
        if known := next((o for o in same if o.told_as == (chat, told)), None):
            return known.event
        if known := self.known_as(same, action, chat, at):
            return known.event
        if operation := self.delivery_of(same, at):
            return self.deliver(operation, chat, max(at, operation.reserved_at))
        operation = Operation(None, action, prospect, None, at, at, day_of(at), "delivered", None, self.now)
        operation.event, operation.told_as = Event(chat, at, self.now), (chat, told)
        self.journal.append(operation)
        self.granted[action] = max(self.granted.get(action, 0), at)
        if operation.counted_on == self.today:
            self.note_cap()
        self.look_at_proof(operation)
        return operation.event

    def known_as(self, same: list[Operation], action: str, chat: str | None, at: int) -> Operation | None:
        """Whose event has this chat id already; a chat that goes on, only at about that time."""
        told = [o for o in same if o.event and o.event.chat == chat]
        if action != "inmail":
            gate = [o for o in told if o.number is not None]
            of_gate = [o for o in gate if o.reserved_at - SKEW <= at <= o.settled_at + SKEW]
            told = of_gate + [o for o in told if o.number is None and abs(o.reserved_at - at) <= SECOND]
        if chat is None and any(self.waits_for(o, at) and o.reserved_at <= at for o in same):
            return None
        return told[0] if told else None

    def waits_for(self, operation: Operation, at: int) -> bool:
        """Whose outcome, or whose proof, a send of that instant can be."""
        if operation.number is None or at < operation.reserved_at - SKEW:
            return False
        unproven = operation.state == "delivered" and operation.event is None
        return operation.unresolved() or unproven and at <= operation.settled_at + SKEW

    def delivery_of(self, same: list[Operation], at: int) -> Operation | None:
        """The operation that a delivery at ``at`` belongs to: one that was reserved by then, else one that was
        rolled back, else one that was reserved a little later."""
        waiting = [o for o in same if self.waits_for(o, at)]
        returned = [o for o in same if o.state == "released" and o.outcome != "credits_exhausted"]
        returned = [o for o in returned if o.reserved_at < at <= o.reserved_at + LATE_DELIVERY]
        for some in ([o for o in waiting if o.reserved_at <= at], returned, waiting):
            if some:
                return max(some, key=lambda o: o.reserved_at)
        return None

    def set_status(self, status: str) -> None:
        """Set the status. An account that leaves a restriction begins its ramp again."""
        self.note_cap()
        if self.status == "restricted" != status and self.ramp is not None:
            self.ramp = set()
        self.status = status
        self.note_cap()

    def set_cap(self, action: str, daily: int | None, weekly: int | None) -> None:
        """Lowering a cap is no offence: the highest of the day counts."""
        self.note_cap()
        self.caps[action] = (daily, weekly)
        self.note_cap()

    def set_pace(self, gap: int, spread: bool) -> None:
        self.pace = gap, spread

    def set_window(self, start: int | None, end: int | None, days: tuple | None) -> None:
        """In quarters of the local day; nothing at all removes it."""
        given = [value is not None for value in (start, end, days)]
        if any(given) and (not all(given) or start == end or not days):
            raise Problem("SG006")
        self.window = Window(start, end, days) if all(given) else None

    def set_zone(self, zone: str) -> None:
        self.zone = zone

    def set_ramp(self, on: bool) -> None:
        """Switched on, it starts afresh."""
        self.note_cap()
        if not on:
            self.ramp = None
        elif self.ramp is None:
            self.ramp = set()
        self.note_cap()

    def breaker_clear(self) -> None:
        self.clear("manual")
        self.release()
        self.cleared_at = self.now

    def breaker_arm(self) -> None:
        self.arm(self.now, "manual")

    def breaker_force(self, mode: str) -> None:
        self.mode = mode
        if mode == "closed":
            self.release()

    def breaker_probe(self) -> None:
        if self.mode == "open":
            raise Problem("SG208")
        if not self.is_open():
            raise Problem("SG206")
        if self.leased():
            raise Problem("SG207")
        self.lease, self.taken_by = self.now + TTL, None
        self.offer()

    def breaker_check(self, prospect: str, campaign: str | None) -> tuple:
        if self.paused:
            return False, "paused_by_operator", None, self.stamp
        refused = self.consult()
        if refused and refused[0] == "account_inmail_credits_exhausted":
            self.skip(prospect, campaign)
        if not refused and (suppressed := self.people.of(prospect, self.now)):
            refused = SUPPRESSED, suppressed.until
        reason, retry_at = refused or (None, None)
        return refused is None, reason, retry_at, self.stamp

    def breaker_report(self, prospect: str, error: str) -> str:
        if error == "nothing":
            raise Problem("SG001")
        outcome = answer_of(error, "inmail").outcome
        if outcome == "credits_exhausted":
            self.arm(self.now, outcome)
        return outcome

    def audit_events(self) -> int:
        """Layer 2; how many accounts got a new alert."""
        self.note_cap()
        counter = self.sent_on("inmail", self.today)
        of_today = [o for o in self.journal if o.action == "inmail" and o.counted_on == self.today]
        events = sum(o.event is not None for o in of_today)
        in_flight = sum(o.state == "reserved" and self.now < o.expires_at for o in of_today)
        found = set()
        if counter - events - in_flight > 5:
            found.add(("counter_ahead_of_events", self.today))
        cap, over = self.highest_cap[self.today], ("over_cap", self.today)
        if counter > cap and counter * 100 >= cap * 120:
            if over not in self.raised:
                self.cool_down(None, "over_cap", self.now + OVER_CAP_COOLDOWN)
                found.add(over)
            elif over in self.alerts:
                found.add(over)
        new = found - self.alerts
        self.raised |= found
        kinds = ("counter_ahead_of_events", "over_cap")
        self.alerts = {alert for alert in self.alerts if alert[0] not in kinds} | found
        return int(bool(new))

    def reconcile_operations(self) -> None:
        """Layer 1: what is counted anew each time needs no correction; expired operations are told."""
        since = self.today - timedelta(days=self.today.weekday() + 7)
        expired = any(o.expired(self.now) and o.counted_on >= since for o in self.journal)
        for o in self.journal:
            if o.expired(self.now) and o.counted_on >= since:
                self.counts_as(o, "expired")
        self.expire(since)
        self.alerts = {alert for alert in self.alerts if alert[0] != "operations_expired"}
        if expired:
            self.alerts.add(("operations_expired", self.today))


# How far the clock goes on: a number, or a boundary of the account's own. A microsecond less meets what
# the last reserve began, because the clock ticks once after it.
WAITS = {
    "a second": 1_000_000,
    "a minute": MINUTE,
    "five minutes": 5 * MINUTE,
    "up to the time to answer": TTL - 1,
    "the time to answer": TTL,
    "nearly an hour": 60 * MINUTE - 1,
    "an hour": 60 * MINUTE,
    "an hour and a bit": 60 * MINUTE + 1,
    "seven hours": 420 * MINUTE,
    "nearly a day": 1440 * MINUTE - 1,
    "a day": 1440 * MINUTE,
    "nine days": 9 * 1440 * MINUTE,
}


def wait(account: Account, how: str) -> int:
    """When it is then."""
    now = account.now
    tomorrow = (now // (1440 * MINUTE) + 1) * 1440 * MINUTE
    turn = next_change(account.window, account.zone, now) if account.window else None
    work = min((e.due_at for e in account.enrolled if e.due_at is not None and e.due_at > now), default=now)
    ends = [account.quiet_until(action) for action in ("inmail", "invite")]
    silence = min((end for end in ends if end is not None), default=now)
    paced = min((p for p in map(account.paced_until, ("inmail", "invite")) if p > now), default=now)
    boundaries = {
        "midnight": tomorrow,
        "nearly midnight": tomorrow - 1,
        "the next period": account.next_period(now),
        "nearly the next period": account.next_period(now) - 1,
        "the end of the lease": account.lease or 0,
        "the end of the cooldown": account.cooldown or 0,
        "the end of the silence": silence,
        "nearly the end of the silence": silence - 1,
        "the end of the pace": paced,
        "nearly the end of the pace": paced - 1,
        "the turn of the window": turn or now,
        "nearly the turn of the window": (turn or now) - 1,
        "the next work": work,
        "nearly the next work": work - 1,
    }
    return max(boundaries[how], now) if how in boundaries else now + WAITS[how]
