"""The campaign work of one account in the model: what waits until when, and what an outcome does to it."""

from dataclasses import dataclass
from datetime import timedelta

from .books import ATTEMPTS_MAX, DAY, MINUTE, Answer, Books, Operation, Problem, start_of
from .people import SUPPRESSED, People

PROSPECT_COOLDOWN = DAY
BACK_OFF = 5 * MINUTE
NO_CREDITS = "account_inmail_credits_exhausted"
# PostgreSQL does not write an operation for this one: the player sees to it.
POISON = "poison"
# Only settling its operation moves what is parked for one of these.
UNKNOWN = ("indeterminate", "expired")


@dataclass(eq=False)
class Enrollment:
    """A prospect in a campaign, for an action: one message of a sequence."""

    campaign: str
    prospect: str
    action: str
    due_at: int | None
    step: int
    priority: int
    since: int
    state: str = "waiting"
    reason: str | None = None
    attempts: int = 0
    operation: Operation | None = None

    def becomes(self, state: str, due_at: int | None = None, reason: str | None = None) -> None:
        self.state, self.due_at, self.reason = state, due_at, reason


class Work(Books):
    """An account and its enrollments, in the order in which they were put in."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.enrolled: list[Enrollment] = []
        # By campaign, prospect and action, whatever the step: every operation that was handed out, the first one first.
        self.handed: dict[tuple, list[Operation]] = {}
        # What the recipient's side refused, as the campaign is told.
        self.refused: list[tuple] = []
        # What suppressions spared, to be told once.
        self.spared: set[tuple] = set()
        self.paused_campaigns: set[str] = set()
        # Who may not be written to.
        self.people = People()
        # By campaign, and then by action: slots of the day that it may take. None: no limit.
        self.campaign_limits: dict[str, dict[str, int | None]] = {}
        # By action, priority, the campaign that waits and one that was handed out meanwhile: how often.
        self.passed: dict[tuple, int] = {}
        # What a history came through that neither an answer nor a table says.
        self.noted: set[str] = set()
        # Actions whose due work a dispatch left where it was, because the account may not send.
        self.asleep: set[str] = set()
        # Until when at the latest.
        self.asleep_until: dict[str, int] = {}

    def steps(self, campaign: str | None, prospect: str | None, action: str) -> list[Enrollment]:
        """The pieces of a sequence, the lowest step first."""
        key = campaign, prospect, action
        return sorted((e for e in self.enrolled if (e.campaign, e.prospect, e.action) == key), key=lambda e: e.step)

    def piece(self, campaign: str, prospect: str, action: str, step: int) -> Enrollment | None:
        return next((e for e in self.steps(campaign, prospect, action) if e.step == step), None)

    def due(self) -> list[Enrollment]:
        """The work that dispatch may look at."""
        waiting = [e for e in self.enrolled if e.state == "waiting" and e.campaign not in self.paused_campaigns]
        return [e for e in waiting if e.due_at is not None and e.due_at <= self.now]

    def enqueue(
        self, campaign: str, prospect: str, action: str, later: int | None, step: int = 1, priority: int = 0
    ) -> tuple:
        suppressed = self.people.of(prospect, self.now)
        if self.piece(campaign, prospect, action, step) or (suppressed and suppressed.until is None):
            return (False,)
        due_at = self.now + (later or 0)
        self.enrolled.append(Enrollment(campaign, prospect, action, due_at, step, priority, self.now))
        return (True,)

    def put(self, campaign: str, prospect: str, action: str, later: int | None, priority: int) -> tuple:
        return self.enqueue(campaign, prospect, action, later, priority=priority)

    def part_is_taken(self, action: str, campaign: str | None) -> tuple[str, int | None] | None:
        """The campaign has had its part of the day; the last of the gate's rules."""
        limit = self.campaign_limits.get(campaign, {}).get(action)
        if limit is None or self.taken_today(action, campaign) < limit:
            return None
        self.noted.add("a part of the day")
        return "campaign_limit_reached", start_of(self.today + timedelta(days=1)) if limit else None

    def taken_today(self, action: str, campaign: str) -> int:
        of_day = [o for o in self.journal if o.kept() and o.counted_on == self.today]
        return sum((o.action, o.campaign) == (action, campaign) for o in of_day)

    def requeue(self, campaign: str, prospect: str, action: str, step: int, later: int | None) -> tuple:
        """What is over, or stopped, begins anew; not while its outcome is unknown."""
        e = self.piece(campaign, prospect, action, step)
        if e is None or e.state in ("waiting", "sending"):
            return (False,)
        own = [o for o in self.handed.get((campaign, prospect, action), []) if o.step == step]
        if any(o.unresolved() for o in own):
            raise Problem("SG218")
        suppressed = self.people.of(prospect, self.now)
        if suppressed and suppressed.until is None:
            return (False,)
        e.becomes("waiting", self.now + (later or 0))
        e.attempts = 0
        return (True,)

    def cancel(self, campaign: str | None, prospect: str) -> int:
        live = [e for e in self.enrolled if e.prospect == prospect and campaign in (None, e.campaign)]
        live = [e for e in live if e.state in ("waiting", "sending", "parked")]
        for e in live:
            e.becomes("cancelled")
        return len(live)

    def switch_action(self, campaign: str, before: str, after: str) -> tuple[int, int]:
        """Waiting work begins anew under the new action, unless it exists there. It keeps the time that enqueue
        gave it."""
        waiting = [e for e in self.enrolled if e.state == "waiting" and e.action == before]
        waiting = [e for e in waiting if e.campaign == campaign]
        moved = [e for e in waiting if not self.piece(campaign, e.prospect, after, e.step)]
        for e in moved:
            e.becomes("waiting", e.due_at if e.reason is None else self.now)
            e.action, e.attempts, e.operation = after, 0, None
        return len(moved), len(waiting) - len(moved)

    def resume_deferred(self) -> tuple:
        """Makes work due that the breaker deferred, or that is parked for a known reason."""
        parked = [e for e in self.enrolled if e.state == "parked" and e.reason not in UNKNOWN]
        for e in parked:
            e.becomes("waiting", self.now)
            e.attempts = 0
        return (len(parked) + self.release(),)

    def deferred(self) -> list[Enrollment]:
        return [e for e in self.enrolled if e.state == "waiting" and e.reason == NO_CREDITS]

    def defer(self, prospect: str | None, campaign: str | None) -> None:
        """Each step of the skipped work waits for the next credits."""
        until = self.next_period(self.now)
        for e in self.steps(campaign, prospect, "inmail"):
            if e.state == "waiting" and (e.due_at is None or e.due_at < until):
                e.due_at, e.reason = until, NO_CREDITS

    def release(self) -> int:
        """Makes deferred work due; returns how many were not due already."""
        deferred = [e for e in self.deferred() if e.due_at > self.now]
        for e in deferred:
            e.due_at, e.reason = self.now, None
        return len(deferred)

    def offer(self) -> None:
        """A permit lies ready: the first deferred piece that nothing else holds back is due."""
        for e in sorted(self.deferred(), key=lambda e: (e.due_at, e.since, e.prospect, e.campaign, e.step)):
            same = self.same("inmail", e.prospect)
            blocked = any(o.unresolved() or o.reserved_at > self.now - PROSPECT_COOLDOWN for o in same)
            blocked = blocked or self.people.of(e.prospect, self.now)
            if not blocked and e.campaign not in self.paused_campaigns:
                e.due_at = self.now
                return

    def may_be_written_to(self, prospect: str) -> None:
        """The suppression is over: what waits for its end is due."""
        for e in self.enrolled:
            if (e.state, e.reason, e.prospect) == ("waiting", SUPPRESSED, prospect):
                e.becomes("waiting", self.now)

    def spare(self, prospect: str, campaign: str, action: str) -> None:
        """Noted once for a suppression that does not end by itself."""
        found = self.people.of(prospect, self.now)
        key = prospect, campaign, action, found.since
        if found.until is None and key not in self.spared:
            self.spared.add(key)
            self.refused.append((*key[:3], SUPPRESSED))

    def hand_out(self, e: Enrollment, operation: Operation) -> None:
        e.becomes("sending")
        e.attempts, e.operation, operation.step = e.attempts + 1, operation, e.step
        self.handed.setdefault((e.campaign, e.prospect, e.action), []).append(operation)

    def arrived(self, operation: Operation) -> None:
        """Delivered: the prospect of the campaign has got it, whatever was said of the piece.

        Where no step is named, it is the lowest that is open.
        """
        steps = self.steps(operation.campaign, operation.prospect, operation.action)
        if operation.step is None:
            steps = [e for e in steps if e.state not in ("done", "cancelled")][:1]
        for e in steps:
            if operation.step in (None, e.step):
                e.becomes("done")

    def failed(self, operation: Operation, answer: Answer, retry_after: int | None = None) -> None:
        """The outcome of the last hand-out of this work, unless it was a delivery."""
        e = next((e for e in self.enrolled if e.operation is operation), None)
        if e is None or e.state not in ("sending", "parked"):
            return
        outcome = answer.outcome
        failing = outcome == "transient" and self.is_failing(e.action)
        if failing or outcome in ("recipient_later", "rate_limited", "action_unavailable"):
            e.attempts -= 1
        if outcome in (*UNKNOWN, "rejected"):
            e.becomes("parked", None, outcome)
        elif outcome == "recipient_later":
            e.becomes("waiting", self.now + answer.waits(retry_after), outcome)
        elif outcome in ("rate_limited", "action_unavailable"):
            e.becomes("waiting", self.now, outcome)
        elif failing:
            e.becomes("waiting", self.now + self.back_off(min(max(e.attempts, 1), ATTEMPTS_MAX - 1)), outcome)
        elif outcome == "recipient_refused":
            reason = "inmail_eligibility" if e.action == "inmail" else outcome
            e.becomes("done", None, reason)
            self.refused.append((e.prospect, e.campaign, e.action, reason))
        elif outcome == "credits_exhausted" and self.is_open():
            e.becomes("waiting", self.next_period(self.now), NO_CREDITS)
        elif outcome in ("account_restricted", "auth_lost"):
            e.becomes("waiting", self.now, outcome)
        elif e.attempts >= ATTEMPTS_MAX:
            e.becomes("parked", None, outcome)
        else:
            e.becomes("waiting", self.now + self.back_off(e.attempts), outcome)

    def is_failing(self, action: str) -> bool:
        """Too often in a row; see histories/failures."""
        raise NotImplementedError

    def back_off(self, attempts: int) -> int:
        return BACK_OFF * 2 ** (attempts - 1)

    def wake(self, operation: Operation) -> None:
        """Settled: who waits for its prospect is due."""
        for e in self.enrolled:
            waits = e.state == "waiting" and e.reason == "operation_in_flight"
            if waits and (e.action, e.prospect) == (operation.action, operation.prospect):
                e.becomes("waiting", self.now)

    def expire(self, since) -> None:
        """Parks the work of operations that were not settled in time."""
        for e in self.enrolled:
            if e.state == "sending" and e.operation.expired(self.now) and e.operation.counted_on >= since:
                e.becomes("parked", None, "expired")

    def find(self, number: int | tuple) -> Operation:
        """By its number, or as the hand-out so many before the last of a piece."""
        if isinstance(number, tuple):
            handed = self.handed.get(number[:3], [])
            if number[3] < len(handed):
                return handed[-1 - number[3]]
            raise Problem("SG102")
        for operation in self.journal:
            if operation.number == number:
                return operation
        raise Problem("SG102")
