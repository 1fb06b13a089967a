"""Random histories on a model and on PostgreSQL: every answer and every table, after every step.

`make test` plays four hundred, always the same, so that a failure is a change's.
SENDGATE_HISTORIES=20000 plays so many new ones instead, from a seed that is printed; SENDGATE_SEED=…
begins with a certain one.
"""

import os
import random
import time

from harness.progress import progress
from histories.directed import DIRECTED
from histories.history import ERRORS, History, make
from histories.known import MUTANTS, KnownCredits, KnownPlayer, make_known
from histories.mutants import WRONG_ANSWERS, WRONG_MODELS, WRONG_MODELS_BY_HAND
from histories.play import Player, goes_apart, shrink

NEWEST_ONLY = True
TIMEOUT_SECONDS = 6 * 3_600
FIXED_SEEDS = 400
# Of those in which balances are told.
KNOWN_SEEDS = 300
# With a seed and no number.
FRESH_SEEDS = 100
# A wrong model is found within so many histories, and what is left of it is a few steps.
MUTANT_SEEDS = 400
MUTANT_STEPS_MAX = 9
# Three failures in a row, the silence after them and the attempts behind it take more steps.
LONGER_MUTANTS = {"AsksEveryHour": 12, "StaysSilent": 14}

# Histories in which the model and PostgreSQL differed once, and the fault that each of them found.
ONCE_APART = [
    # The alert about expired operations stayed open on an account that was idle for two weeks.
    History(
        1,
        1775665366548529,
        [
            ("reserve", "inmail", "p2", None, 5),
            ("wait", "a day"),
            ("reconcile_operations",),
            ("wait", "the next period"),
            ("reconcile_operations",),
        ],
    ),
    # An invite that was confirmed without a chat id, and a webhook with one: NULL in a comparison.
    History(
        1,
        1769036420246877,
        [
            ("reserve", "invite", "p2", None, 2),
            ("confirm", 2, None, 0),
            ("external", "invite", "p2", "chat-5", 0),
        ],
    ),
    # An unknown probe was settled as not sent, and its permit stayed although no worker could take it.
    History(
        15,
        1796208884030212,
        [
            ("enqueue", "c", "p1", "inmail", None),
            ("enqueue", "c", "p2", "inmail", None),
            ("breaker_arm",),
            ("breaker_probe",),
            ("dispatch", 1, "inmail", None, None),
            ("rollback_many", "in flight", ("timeout",)),
            ("dispatch", 1, None, "a", None),
            ("resolve", ("c", "p1", "inmail", 0), False, "chat"),
            ("dispatch", 1, None, "a", None),
        ],
    ),
    # A ramp that was switched on during the day made an offence of what the cap of before allowed.
    History(
        1,
        1798987279983635,
        [
            ("set_ramp", True),
            ("external", "inmail", "p1", "hand-1", 0),
            ("external", "inmail", "p4", "hand-4", 3600000000),
            ("audit_events",),
        ],
    ),
]

# What the fixed seeds, and the histories before them, must meet.
TO_BE_MET = """
paused_by_operator account_not_connected breaker_forced_open account_inmail_credits_exhausted
account_cooldown action_cooldown daily_attempts_reached outside_sending_window prospect_suppressed operation_in_flight prospect_cooldown pacing weekly_cap_reached daily_cap_reached
operation_resolved SG001 SG003 SG006 SG007 SG102 SG201 SG202 SG203 SG204 SG206 SG207 SG208 SG213 SG218 new exists
over_cap delivered_after_rollback operations_expired failing action_unavailable
""".split()
WAITS_FOR = """
account_inmail_credits_exhausted operation_in_flight prospect_cooldown released transient rate_limited
account_restricted auth_lost recipient_later
"""
TO_BE_MET += ["set credits_exhausted", "set manual", "skip account_inmail_credits_exhausted"]
TO_BE_MET += [f"clear {reason}" for reason in ("monthly_reset", "recent_success_evidence", "manual")]
# The states through which campaign work has to have come.
TO_BE_MET += ["cancel", "cancel_prospect", "requeue", "resume_deferred", "switch_action", "dispatch, answered before"]
TO_BE_MET += ["handed out", "waiting, None", "sending, None", "done, None", "cancelled, None"]
TO_BE_MET += [f"waiting, {reason}" for reason in WAITS_FOR.split()]
TO_BE_MET += [f"parked, {reason}" for reason in "poisoned expired indeterminate rejected transient".split()]
TO_BE_MET += ["waiting, prospect_suppressed", "cancelled, prospect_suppressed"]
TO_BE_MET += ["done, inmail_eligibility", "done, recipient_refused"]
TO_BE_MET += [outcome for _, *outcomes in ERRORS.values() for outcome in outcomes]


def test_model_and_database_agree(env):
    """The first one that tells them apart is shrunk and shown."""
    asked, begin = os.environ.get("SENDGATE_HISTORIES"), os.environ.get("SENDGATE_SEED")
    fresh = int(begin or random.SystemRandom().randrange(10**9))
    new = int(asked or (FRESH_SEEDS if begin else 0))
    fixed = range(0 if new else FIXED_SEEDS)
    player, began = Player(env.connect()), time.monotonic()
    for history in (*ONCE_APART, *DIRECTED):
        player.play(history)
    for seed in (*fixed, *range(fresh, fresh + new)):
        if goes_apart(player, make(seed)):
            raise AssertionError(report(player, seed))
        if seed == fixed.stop - 1:
            missed = set(TO_BE_MET) - player.met
            assert not missed, f"the fixed seeds never met {sorted(missed)}"
    seconds = time.monotonic() - began
    progress(
        f"    {player.played} histories, {player.steps} steps, {seconds:.0f} s" + (f"; from {fresh}" if new else "")
    )


def test_known_credits_agree(env):
    """The same with balances that are told, also late, twice, and against the provider's word."""
    asked, begin = os.environ.get("SENDGATE_HISTORIES"), os.environ.get("SENDGATE_SEED")
    begin = int(begin or (random.SystemRandom().randrange(10**9) if asked else 0))
    player = KnownPlayer(env.connect(), KnownCredits)
    for seed in range(begin, begin + int(asked or KNOWN_SEEDS)):
        if different := goes_apart(player, make_known(seed)):
            raise AssertionError(f"SENDGATE_SEED={seed}:\n{shorter(player, make_known(seed))}\n{different}")
    to_be_met = {"set credits_spent", "clear balance_evidence", "SG007"}
    assert asked or to_be_met <= player.met, f"never met {sorted(to_be_met - player.met)}"
    progress(f"    {player.played} histories, {player.steps} steps; from {begin}")


def shorter(player: Player, history: History) -> str:
    return shrink(player, history)[0].told()


def test_a_wrong_count_of_credits_is_told_apart(env):
    """What these histories find."""
    for mutant in MUTANTS:
        player = KnownPlayer(env.connect(), mutant)
        seed = next((seed for seed in range(MUTANT_SEEDS) if goes_apart(player, make_known(seed))), None)
        assert seed is not None, f"{mutant.__name__}: {MUTANT_SEEDS} histories agree with it"
        progress(f"    {mutant.__name__}: seed {seed}")


def test_a_wrong_model_is_told_apart(env):
    """What a driver that finds nothing is worth."""
    player = Player(env.connect())
    for mutant, begin in WRONG_MODELS.items():
        player.account = mutant
        tell_apart(player, mutant, begin)
    for mutant, history in WRONG_MODELS_BY_HAND.items():
        player.account = mutant
        assert goes_apart(player, history), f"{mutant.__name__}: its history agrees with it"


def test_a_wrong_answer_is_told_apart(env):
    """The same with the database's own answers, when something happened to them on the way."""
    connection = env.connect()
    for mutant, begin in WRONG_ANSWERS.items():
        tell_apart(mutant(connection), mutant, begin)


def tell_apart(player: Player, mutant: type, begin: int) -> None:
    seeds = range(begin, begin + MUTANT_SEEDS)
    seed = next((seed for seed in seeds if goes_apart(player, make(seed))), None)
    assert seed is not None, f"{mutant.__name__}: {MUTANT_SEEDS} histories agree with it"
    history, different = shrink(player, make(seed))
    progress(f"    {mutant.__name__}: seed {seed}, {len(history.steps)} steps are left")
    most = LONGER_MUTANTS.get(mutant.__name__, MUTANT_STEPS_MAX)
    assert len(history.steps) <= most, f"{mutant.__name__}: {history.told()}\n{different}"


def report(player: Player, seed: int) -> str:
    history, different = shrink(player, make(seed))
    return f"SENDGATE_SEED={seed}; what is left of it:\n{history.told()}\n{different}"
