"""Models that are wrong in one place, and answers that were tampered with: all have to be told apart."""

from datetime import timedelta

from .books import HOUR, Answer, Operation
from .directed import BACK_EARLY, LATER, OPTED_OUT, PROVEN, TURNS
from .dispatch import Row
from .people import SUPPRESSED
from .play import Player
from .verbs import Account
from .window import Window
from .work import BACK_OFF


class ForgetsTheClear(Account):
    """A credits error from before a clear arms again."""

    def arm(self, reserved_at, reason):
        self.cleared_at, kept = None, self.cleared_at
        super().arm(reserved_at, reason)
        self.cleared_at = self.cleared_at or kept


class KeepsThePermit(Account):
    """A probe without credits leaves its permit lying there."""

    def fail(self, operation: Operation, answer, retry_after=None):
        permit = self.lease, self.taken_by
        super().fail(operation, answer, retry_after)
        if answer.outcome == "credits_exhausted" and permit[1] is operation:
            self.lease, self.taken_by = permit[0], None


class FreesTheUnknown(Account):
    """An operation of unknown outcome holds no slot once its hour is over."""

    def sent_on(self, action, day):
        freed = [o for o in self.journal if o.state == "indeterminate" and o.settled_at < self.now - HOUR]
        return super().sent_on(action, day) - sum(o.action == action and o.counted_on == day for o in freed)


class ForgetsTheExternal(Account):
    """A send by hand does not keep the gate from the same prospect."""

    def refusal(self, action, prospect):
        journal = self.journal
        self.journal = [o for o in journal if o.number is not None]
        refused = super().refusal(action, prospect)
        self.journal = journal
        return refused


class DefersForGood(Account):
    """What the breaker deferred waits for the 1st, whatever comes before it."""

    def release(self):
        return 0


class NightsOfTheMorning(Account):
    """A window past midnight belongs to the day on which it ends."""

    def set_window(self, start, end, days):
        super().set_window(start, end, days)
        if self.window and start > end:
            self.window = Window(start, end, tuple((day - 2) % 7 + 1 for day in days))


class ClosesLate(Account):
    """The end of a window is inside."""

    def set_window(self, start, end, days):
        super().set_window(start, end, days)
        if self.window and start < end:
            self.window = Window(start, end + 1, days)


class LivesInGreenwich(Account):
    """Windows are read from a clock in UTC."""

    def set_zone(self, zone):
        pass


class RampsByTheCalendar(Account):
    """Every day is a step of the ramp, whether anything was sent on it or not."""

    def goes_on(self, now):
        if self.ramp is not None:
            self.ramp.add(self.today)
        super().goes_on(now)


class TriesAtOnce(Account):
    """The wait after a failure does not double."""

    def back_off(self, attempts):
        return BACK_OFF


class NeverWakes(Account):
    """Work whose prospect was in flight waits for good."""

    def wake(self, operation):
        pass


class PassesThePause(Account):
    """Work of a paused campaign is due."""

    def due(self):
        self.paused_campaigns, kept = set(), self.paused_campaigns
        due = super().due()
        self.paused_campaigns = kept
        return due


class RevivesTheCancelled(Account):
    """A failure puts cancelled work back."""

    def failed(self, operation, answer, retry_after=None):
        for e in self.enrolled:
            if e.operation is operation and e.state == "cancelled":
                e.state = "sending"
        super().failed(operation, answer, retry_after)


class BeginsOnMonday(Account):
    """The weekly counters start afresh on Mondays."""

    def sent_in_seven_days(self, action, last):
        return sum(self.sent_on(action, last - timedelta(days=back)) for back in range(last.weekday() + 1))


class TriesForEver(Account):
    """A slot that comes back is no attempt."""

    def attempts(self, action):
        return self.sent_on(action, self.today)


class FailsForEver(Account):
    """Failures in a row stop nothing."""

    def counts_as(self, operation, outcome):
        pass


class CountsTogether(Account):
    """Failures of operations that were in flight when the failures began make the silence longer."""

    def counts_as(self, operation, outcome):
        since, reserved_at = self.in_a_row[operation.action].since, operation.reserved_at
        operation.reserved_at = reserved_at if since is None else max(reserved_at, since + 1)
        super().counts_as(operation, outcome)
        operation.reserved_at = reserved_at


class LetsAllThrough(Account):
    """Once a silence is over, every attempt passes."""

    def one_at_a_time(self, action, expires_at):
        pass


class AsksEveryHour(Account):
    """The silence does not grow."""

    def failed_alone(self, operation, row, outcome):
        super().failed_alone(operation, row, "transient" if outcome == "rejected" else outcome)


class StaysSilent(Account):
    """A delivery does not end the silence."""

    def came_through(self, operation):
        if self.in_a_row[operation.action].since is None:
            super().came_through(operation)


class BelievesTheVerdict(Account):
    """An operator's verdict that it was sent is a delivery."""

    def deliver(self, operation, chat, at, by_operator=False):
        return super().deliver(operation, chat, at)


class StopsTheAccount(Account):
    """A limit of one action stops the others too."""

    def cools_down(self, operation, answer, retry_after):
        if answer.outcome == "rate_limited":
            answer = Answer("rate_limited", "account", answer.wait)
        super().cools_down(operation, answer, retry_after)


class ChargesTheLimit(Account):
    """An attempt that met a rate limit is one of the five of its work."""

    def failed(self, operation, answer, retry_after=None):
        super().failed(operation, answer, retry_after)
        for e in self.enrolled:
            e.attempts += e.operation is operation and answer.outcome == "rate_limited"


class RepeatsTheRejected(Account):
    """Rejected work is tried again."""

    def failed(self, operation, answer, retry_after=None):
        again = Answer("released") if answer.outcome == "rejected" else answer
        super().failed(operation, again, retry_after)


class RefusesForGood(Account):
    """A recipient who cannot get it today never gets it."""

    def failed(self, operation, answer, retry_after=None):
        never = Answer("recipient_refused") if answer.outcome == "recipient_later" else answer
        super().failed(operation, never, retry_after)


class ClearsEverything(Account):
    """To clear the cooldown of one action clears the others too."""

    def clear_cooldown(self, action):
        super().clear_cooldown(None)


class Hurries(Account):
    """The account's own gap is not kept."""

    def set_pace(self, gap, spread):
        super().set_pace(0, spread)


class TakesNoTurns(Account):
    """Of a paced account the action that was granted last comes first."""

    def before(self, action, other):
        return super().before(other, action)


class SendsAtOnce(Account):
    """The day's slots are not spread."""

    def set_pace(self, gap, spread):
        super().set_pace(gap, False)


class CountsTwice(Account):
    """A webhook about an operation that was rolled back counts as a send of its own."""

    def delivery_of(self, same, at):
        return super().delivery_of([o for o in same if o.state != "released"], at)


class WritesToAnybody(Account):
    """The list is not looked at."""

    def refusal(self, action, prospect):
        refused = super().refusal(action, prospect)
        return None if refused and refused[0] == SUPPRESSED else refused


class NeverWritesAgain(Account):
    """What waits for the end of a suppression goes on waiting when that ends early."""

    def may_be_written_to(self, prospect):
        pass


class SparesEachTime(Account):
    """A suppression is noted again and again."""

    def spare(self, prospect, campaign, action):
        self.spared.clear()
        super().spare(prospect, campaign, action)


class Backwards(Player):
    """The database hands out the youngest first."""

    def handed(self, rows: list[tuple]) -> list[Row]:
        return super().handed(rows)[::-1]


class HandsOutTwice(Player):
    """A row of the answer is there again."""

    def handed(self, rows: list[tuple]) -> list[Row]:
        handed = super().handed(rows)
        return [*handed, *handed[:1]]


class KeepsOne(Player):
    """The last row got lost on the way; its slot is taken."""

    def handed(self, rows: list[tuple]) -> list[Row]:
        return super().handed(rows)[:-1]


class HandsOutNothing(Player):
    """Whatever there is: nothing, and nothing is written. The queue forgot it."""

    def on_database(self, world, name, step):
        return () if step[0] == "dispatch" and step[1] else super().on_database(world, name, step)


# With a seed that tells each apart: the search begins there.
WRONG_MODELS = {
    ForgetsTheClear: 54,
    KeepsThePermit: 247,
    FreesTheUnknown: 85,
    ForgetsTheExternal: 46,
    DefersForGood: 43,
    NightsOfTheMorning: 108,
    ClosesLate: 176,
    LivesInGreenwich: 22,
    RampsByTheCalendar: 4,
    TriesAtOnce: 47,
    NeverWakes: 117,
    PassesThePause: 242,
    RevivesTheCancelled: 154,
    BeginsOnMonday: 14,
    TriesForEver: 0,
    FailsForEver: 0,
    CountsTogether: 65,
    LetsAllThrough: 14,
    AsksEveryHour: 51,
    StaysSilent: 44,
    BelievesTheVerdict: 150,
    StopsTheAccount: 17,
    ChargesTheLimit: 17,
    RepeatsTheRejected: 52,
    ClearsEverything: 399,
    Hurries: 17,
    SendsAtOnce: 10,
    WritesToAnybody: 0,
}
# With a history by hand that tells each apart, because random ones seldom do.
WRONG_MODELS_BY_HAND = {
    RefusesForGood: LATER,
    CountsTwice: PROVEN,
    TakesNoTurns: TURNS,
    NeverWritesAgain: BACK_EARLY,
    SparesEachTime: OPTED_OUT,
}
WRONG_ANSWERS = {Backwards: 0, HandsOutTwice: 0, KeepsOne: 0, HandsOutNothing: 0}
