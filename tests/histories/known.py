"""Known credits in the model, and histories in which balances are told.

Nothing is added up here: what is left is counted again from the journal, every time it is asked for. The tier is one of
the users' own, which says nothing of credits a month, so a new credit period ends the counting.
"""

import random

from .books import DAY, HOUR, MINUTE, SECOND, SKEW, Answer, Operation, Problem, answer_of, day_of
from .history import Different, History, make
from .play import Player
from .tables import plain
from .verbs import Account
from .work import NO_CREDITS

LOOK = """
SELECT a.id, c.credits_left, a.inmail_credits_stamp, a.inmail_credits_above,
       (SELECT array_agg(concat_ws(' ', b.balance, extract(epoch FROM b.observed_at)) ORDER BY b.id)
        FROM sendgate.credit_balances b WHERE b.account_id = a.id)
FROM sendgate.accounts a JOIN sendgate.credits c ON c.account_id = a.id ORDER BY a.id
"""


class KnownCredits(Account):
    """An account whose balance is told."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        # The last balance and when it was observed; when the provider found no credits since.
        self.told: tuple[int, int] | None = None
        self.spent_at: int | None = None
        self.cause: str | None = None
        self.above: int | None = None
        self.would_be_above = 0
        # Grants made where no credit was left.
        self.beyond: list[Operation] = []
        # As credit_balances has them: balance, observed and recorded.
        self.balances: list[tuple[int, int, int]] = []

    def known(self) -> tuple[int, int] | None:
        if self.told is not None and self.now >= self.next_period(self.told[1]):
            self.told = self.spent_at = None
        return self.told

    def unanswered(self, o: Operation, at: int) -> bool:
        settled = not o.unresolved() and o.settled_at <= at
        return o.action == "inmail" and o.reserved_at <= at < o.expires_at and not settled

    def left(self) -> int | None:
        """The balance less what took one of it; none where none is counted."""
        if self.known() is None:
            return None
        balance, since = self.told
        inmails = [o for o in self.journal if o.action == "inmail" and o.kept()]
        took = [o for o in inmails if o.reserved_at > since or self.unanswered(o, since)]
        if self.spent_at is None:
            return balance - len(took)
        return -sum(o.reserved_at > self.spent_at for o in took)

    def first_expiry(self) -> int | None:
        return min((o.expires_at for o in self.journal if self.unanswered(o, self.now)), default=None)

    def others(self, operation: Operation | None) -> int:
        return sum(self.unanswered(o, self.now) for o in self.journal if o is not operation)

    def lets_go(self) -> bool:
        """Our own stamp of this period has lost its reason."""
        of_now = self.stamp is not None and self.stamp >= self.period_start(self.now)
        left = self.left()
        return of_now and self.cause == "credits_spent" and (left is None or left > 0)

    def let_go(self) -> None:
        if self.lets_go():
            self.clear("balance_evidence")

    def clear(self, reason: str) -> None:
        super().clear(reason)
        self.cause = self.above = None

    def arm(self, reserved_at: int, reason: str) -> None:
        before = self.stamp, len(self.lines)
        super().arm(reserved_at, reason)
        if (self.stamp, len(self.lines)) != before:
            self.cause = "provider" if reason == "credits_exhausted" else reason
            self.above = self.would_be_above if self.cause == "provider" else None

    def consult(self) -> tuple[str, int | None] | None:
        if self.is_open() and not any(
            self.proves(o, self.now) and o.event.occurred_at <= self.now for o in self.journal
        ):
            self.let_go()
        refused = super().consult()
        if refused or self.mode != "auto" or self.left() is None or self.left() > 0:
            return refused
        if first := self.first_expiry():
            return NO_CREDITS, first
        self.arm(self.now, "credits_spent")
        return NO_CREDITS, self.next_period(self.now)

    def look(self, action: str, prospect: str | None, campaign: str | None = None) -> tuple[tuple | None, bool]:
        asked = action == "inmail" and self.mode == "auto" and self.stamp is None and not self.stopped()
        if asked and self.left() is not None and self.left() <= 0:
            return (NO_CREDITS, self.first_expiry() or self.next_period(self.now)), False
        return super().look(action, prospect, campaign)

    def skip(self, prospect: str | None, campaign: str | None, defers: bool = True) -> None:
        """Without a stamp it only waits for what is in flight."""
        if self.stamp is not None:
            super().skip(prospect, campaign, defers)

    def take(self, operation: Operation, probing: bool) -> None:
        left = self.left()
        if operation.action == "inmail" and left is not None and left <= 0:
            self.beyond.append(operation)
        super().take(operation, probing)

    def fail(self, operation: Operation, answer: Answer, retry_after: int | None = None) -> None:
        left = self.left()
        self.would_be_above = 0 if left is None else max(left + self.others(operation) + 1, 0)
        super().fail(operation, answer, retry_after)

    def tell_breaker(self, operation: Operation, state: str, outcome: str) -> None:
        if outcome != "credits_exhausted":
            super().tell_breaker(operation, state, outcome)
            self.let_go()
            return
        of_now = operation.reserved_at >= self.period_start(self.now)
        if self.known() and operation.reserved_at <= self.told[1]:
            if self.taken_by is operation:
                self.lease = self.taken_by = None
            if self.told[0] > 0:
                self.let_go()
                return
        elif self.known() and of_now:
            self.spent_at = self.now
        stale = self.cleared_at is not None and operation.reserved_at < self.cleared_at
        super().tell_breaker(operation, state, outcome)
        if self.cause == "credits_spent" and of_now and not stale:
            self.cause, self.above = "provider", self.would_be_above
        self.let_go()

    def look_at_proof(self, operation: Operation) -> None:
        super().look_at_proof(operation)
        if operation in self.beyond and self.known() and operation.reserved_at > self.told[1]:
            self.told = self.spent_at = None
        if operation.number is not None:
            self.let_go()

    def breaker_report(self, prospect: str, error: str) -> str:
        if error != "nothing" and answer_of(error, "inmail").outcome == "credits_exhausted":
            left = self.left()
            self.would_be_above = 0 if left is None else max(left + self.others(None), 0)
            if self.known() and self.now > self.told[1]:
                self.spent_at = self.now
        outcome = super().breaker_report(prospect, error)
        if outcome == "credits_exhausted" and self.cause == "credits_spent":
            self.cause, self.above = "provider", self.would_be_above
        return outcome

    def tell_balance(self, balance: int, ago: int) -> None:
        if ago < -SKEW:
            raise Problem("SG007")
        at = min(self.now - ago, self.now)
        last = self.balances[-1] if self.balances else None
        line = balance, at, self.now
        if self.known() and at < self.told[1]:
            if last is None or last[:2] != line[:2]:
                self.balances.append(line)
            return
        if last is None or last[0] != balance or day_of(last[2]) != self.today:
            self.balances.append(line)
        self.told, self.spent_at = (balance, at), None
        if self.known():
            refused = [o for o in self.journal if o.outcome == "credits_exhausted" and o.reserved_at > at]
            refused = [o for o in refused if o.action == "inmail" and o.reserved_at >= self.period_start(o.settled_at)]
            self.spent_at = max((o.settled_at for o in refused), default=None)
        self.hold_against_the_stamp(balance, at)

    def hold_against_the_stamp(self, balance: int, at: int) -> None:
        if self.stamp is None or self.stamp < self.period_start(self.now):
            return
        if self.cause != "provider":
            self.let_go()
        elif at > self.stamp and self.spent_at is None:
            if balance > (self.above or 0):
                self.clear("balance_evidence")
            else:
                self.above = balance

    def forget_balance(self) -> None:
        if self.told is not None:
            self.told = self.spent_at = None
            if self.lets_go():
                self.clear("manual")


class KnownPlayer(Player):
    """Looks at the credits too, after every step."""

    def take(self, at, world, name, step) -> None:
        super().take(at, world, name, step)
        rows = self.connection.execute(LOOK, prepare=True).fetchall()
        for (of, *found), account in zip(rows, world.all(), strict=True):
            left = account.left()
            told = [f"{balance} {observed / 1e6:.6f}" for balance, observed, _ in account.balances] or None
            expected = [None if left is None else max(left, 0), account.cause, account.above, told]
            if plain(("", *found))[1:] != expected:
                raise Different(at, f"the credits of {of} after {(name, *step)!r}", found, expected)


def make_known(seed: int) -> History:
    """The history of this seed with balances told in it. The audit, which tells of credits that run low, is left out."""
    history, rng = make(seed), random.Random(seed + 1)
    steps = [step for step in history.steps if step != ("audit_events",)]
    steps.insert(rng.randrange(3), ("tell_balance", rng.choice((0, 1, 2, 3)), 0))
    for _ in range(rng.randrange(2, 8)):
        ago = rng.choice((0, 0, 0, 1, SECOND, MINUTE, 20 * MINUTE, HOUR, DAY, -MINUTE, -10 * MINUTE))
        tells = "tell_balance", rng.choice((0, 0, 1, 1, 2, 3, 5, 20)), ago
        step = rng.choice((tells, tells, tells, tells, tells, tells, ("forget_balance",)))
        steps.insert(rng.randrange(len(steps) + 1), step)
    return History(history.reset_day, history.starts_at, steps)


class CountsNoFlight(KnownCredits):
    """What is in flight when a balance is told takes nothing of it."""

    def unanswered(self, o, at):
        return super().unanswered(o, at) and at == self.now


class BelievesEveryPage(KnownCredits):
    """Any balance above 0 clears the provider's stamp."""

    def arm(self, reserved_at, reason):
        self.would_be_above = 0
        super().arm(reserved_at, reason)


class HearsTheOlder(KnownCredits):
    """An older observation counts."""

    def tell_balance(self, balance, ago):
        kept, self.told = self.told, None
        super().tell_balance(balance, ago)
        self.told = self.told or kept


class StampsInFlight(KnownCredits):
    """The breaker is stamped while an InMail may still give its credit back."""

    def first_expiry(self):
        return None


class KeepsItsStamp(KnownCredits):
    """Our own stamp stays when a credit comes back."""

    def let_go(self):
        return None


class TrustsItsCount(KnownCredits):
    """A delivery that should not have been ends nothing."""

    def take(self, operation, probing):
        super().take(operation, probing)
        self.beyond.clear()


MUTANTS = (CountsNoFlight, BelievesEveryPage, HearsTheOlder, StampsInFlight, KeepsItsStamp, TrustsItsCount)
