"""Models that are wrong in one place, and answers that were tampered with: all have to be told apart."""

from .books import HOUR, Operation
from .dispatch import Row
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

    def fail(self, operation: Operation, outcome, cooldown):
        permit = self.lease, self.taken_by
        super().fail(operation, outcome, cooldown)
        if outcome == "credits_exhausted" and permit[1] is operation:
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

    def failed(self, operation, outcome):
        for e in self.enrolled:
            if e.operation is operation and e.state == "cancelled":
                e.state = "sending"
        super().failed(operation, outcome)


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
    ForgetsTheClear: 26,
    KeepsThePermit: 21,
    FreesTheUnknown: 84,
    ForgetsTheExternal: 21,
    DefersForGood: 6,
    NightsOfTheMorning: 17,
    ClosesLate: 88,
    LivesInGreenwich: 11,
    RampsByTheCalendar: 4,
    TriesAtOnce: 24,
    NeverWakes: 38,
    PassesThePause: 15,
    RevivesTheCancelled: 1,
}
WRONG_ANSWERS = {Backwards: 0, HandsOutTwice: 0, KeepsOne: 0, HandsOutNothing: 0}
