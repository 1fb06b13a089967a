"""Random histories on a model and on PostgreSQL: every answer and every table, after every step.

`make test` plays a few hundred, always the same, so that a failure is a change's.
SENDGATE_HISTORIES=20000 plays so many new ones instead, from a seed that is printed; SENDGATE_SEED=…
begins with a certain one.
"""

import os
import random
import time

from harness.console import progress
from histories import ERRORS, History, make
from histories_model import HOUR, Operation
from histories_play import Player, goes_apart, shrink
from histories_verbs import Account

NEWEST_ONLY = True
TIMEOUT_SECONDS = 6 * 3_600
FIXED_SEEDS = 400
# With a seed and no number.
FRESH_SEEDS = 100
# A wrong model is found within so many histories, and what is left of it is a few steps.
MUTANT_SEEDS = 400
MUTANT_STEPS_MAX = 9

# Histories that told the two apart once, and what was wrong.
ONCE_APART = [
    # The alert about expired operations stayed open on an account that was idle for two weeks.
    History(1, 1775665366548529, [
        ("reserve", "inmail", "p2", None, 5),
        ("wait", "a day"),
        ("reconcile_operations",),
        ("wait", "the next period"),
        ("reconcile_operations",),
    ]),
    # An invite that was confirmed without a chat id, and a webhook with one: NULL in a comparison.
    History(1, 1769036420246877, [
        ("reserve", "invite", "p2", None, 2),
        ("confirm", 2, None, 0),
        ("external", "invite", "p2", "chat-5", 0),
    ]),
]

# What the fixed seeds must meet; `outside_sending_window` has tests of its own.
TO_BE_MET = """
paused_by_operator account_not_connected breaker_forced_open account_inmail_credits_exhausted
account_cooldown operation_in_flight prospect_cooldown pacing weekly_cap_reached daily_cap_reached
operation_resolved SG001 SG007 SG102 SG201 SG202 SG203 SG204 SG206 SG207 SG208
over_cap delivered_after_rollback operations_expired
""".split()
TO_BE_MET += ["set credits_exhausted", "set manual", "skip account_inmail_credits_exhausted"]
TO_BE_MET += [f"clear {reason}" for reason in ("monthly_reset", "recent_success_evidence", "manual")]
TO_BE_MET += ["waiting, account_inmail_credits_exhausted", "waiting, None", "done, None"]
TO_BE_MET += [outcome for _, *outcomes in ERRORS.values() for outcome in outcomes]


def test_model_and_database_agree(env):
    """The first one that tells them apart is shrunk and shown."""
    asked, begin = os.environ.get("SENDGATE_HISTORIES"), os.environ.get("SENDGATE_SEED")
    fresh = int(begin or random.SystemRandom().randrange(10**9))
    new = int(asked or (FRESH_SEEDS if begin else 0))
    fixed = range(0 if new else FIXED_SEEDS)
    player, began = Player(env.connect()), time.monotonic()
    for history in ONCE_APART:
        player.play(history)
    for seed in (*fixed, *range(fresh, fresh + new)):
        if goes_apart(player, make(seed)):
            raise AssertionError(report(player, seed))
        if seed == fixed.stop - 1:
            missed = set(TO_BE_MET) - player.met
            assert not missed, f"the fixed seeds never met {sorted(missed)}"
    seconds = time.monotonic() - began
    progress(f"    {player.played} histories, {player.steps} steps, {seconds:.0f} s" + (f"; from {fresh}" if new else ""))


def test_a_wrong_model_is_told_apart(env):
    """What a driver that finds nothing is worth."""
    player = Player(env.connect())
    for mutant in MUTANTS:
        player.account = mutant
        seed = next((seed for seed in range(MUTANT_SEEDS) if goes_apart(player, make(seed))), None)
        assert seed is not None, f"{mutant.__name__}: {MUTANT_SEEDS} histories agree with it"
        history, different = shrink(player, make(seed))
        progress(f"    {mutant.__name__}: seed {seed}, {len(history.steps)} steps are left")
        assert len(history.steps) <= MUTANT_STEPS_MAX, f"{mutant.__name__}: {history.told()}\n{different}"


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
        pass


MUTANTS = (
    ForgetsTheClear,
    KeepsThePermit,
    FreesTheUnknown,
    ForgetsTheExternal,
    DefersForGood,
)


def report(player: Player, seed: int) -> str:
    history, different = shrink(player, make(seed))
    return f"SENDGATE_SEED={seed}; what is left of it:\n{history.told()}\n{different}"
