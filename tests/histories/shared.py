"""Random histories of campaigns that share accounts: priorities, turns and limits.

Apart from those in histories/history, so that the seeds there keep what they meet.
"""

import random
from datetime import UTC, date, datetime, timedelta

from .books import DAY, HOUR, MINUTE
from .history import FAILURES, History
from .tables import micros
from .work import POISON
from .world import IN_FLIGHT

CAMPAIGNS = ("c", "d", "e")
PRIORITIES = (0, 0, 0, 0, 5, -3)
# How many of the steps of one account are about the second.
SECOND_ACCOUNT = 0.2


def make(seed: int) -> History:
    """The history of this seed."""
    rng = random.Random(f"shared {seed}")
    day = date(2026, 1, 20) + timedelta(days=rng.randrange(500))
    starts_at = micros(datetime(day.year, day.month, day.day, tzinfo=UTC)) + rng.randrange(DAY)
    steps: list[tuple] = [("set_cap", "inmail", 40, None), ("b", "set_cap", "inmail", 40, None)]
    steps += [limit(rng) for _ in range(rng.randrange(3))]
    steps += [of_one(rng, put(rng)) for _ in range(rng.randrange(6, 16))]
    for number in range(1, rng.randrange(12, 30)):
        step = rng.choices(
            (
                of_one(rng, put(rng)),
                dispatch(rng),
                of_one(rng, ("reserve", "inmail", f"p{rng.randrange(12)}", rng.choice(CAMPAIGNS), number)),
                settle(rng),
                limit(rng),
                ("wait", rng.choice(("midnight", "nearly midnight", "an hour", "the next work", "a day"))),
                other(rng),
            ),
            (5, 10, 2, 6, 2, 4, 2),
        )[0]
        steps.append(step)
    return History(rng.choice((1, 15)), starts_at, steps)


def of_one(rng: random.Random, step: tuple) -> tuple:
    return ("b", *step) if rng.random() < SECOND_ACCOUNT else step


def one_of(rng: random.Random) -> tuple[str, str]:
    prospect = POISON if rng.random() < 0.03 else f"p{rng.randrange(12)}"
    return rng.choice(("inmail", "inmail", "inmail", "invite")), prospect


def put(rng: random.Random) -> tuple:
    action, prospect = one_of(rng)
    later = rng.choices((None, 30 * MINUTE, DAY), (10, 1, 1))[0]
    return "put", rng.choice(CAMPAIGNS), prospect, action, later, rng.choice(PRIORITIES)


def dispatch(rng: random.Random) -> tuple:
    many = rng.choices((1, 2, 3, 100), (8, 3, 2, 2))[0]
    return "dispatch", many, rng.choice((None, "inmail", "inmail")), rng.choice((None, "a")), None


def limit(rng: random.Random) -> tuple:
    few = rng.choice((None, 0, 1, 1, 2, 3)), rng.choice((None, None, 0, 1))
    return "set_campaign", rng.choice(CAMPAIGNS), *few


def settle(rng: random.Random) -> tuple:
    piece = rng.choice(CAMPAIGNS), f"p{rng.randrange(12)}", "inmail", 0
    return rng.choice(
        (
            ("confirm_many", IN_FLIGHT, ("chat",)),
            ("rollback_many", IN_FLIGHT, ("nothing",)),
            ("rollback_many", IN_FLIGHT, (rng.choice(FAILURES), "nothing")),
            ("confirm", piece, "chat", None),
            ("rollback", piece, rng.choice(("nothing", "busy", "timeout")), None),
            ("resolve", piece, rng.random() < 0.5, "chat"),
        )
    )


def other(rng: random.Random) -> tuple:
    return rng.choice(
        (
            ("pause_campaign", rng.choice(CAMPAIGNS)),
            ("resume_campaign", rng.choice(CAMPAIGNS)),
            ("resume_campaign", rng.choice(CAMPAIGNS)),
            ("cancel", rng.choice(CAMPAIGNS), f"p{rng.randrange(12)}", None),
            ("set_cap", "inmail", rng.choice((2, 5, 40)), None),
            ("switch_action", rng.choice(CAMPAIGNS), "inmail", "invite"),
            ("external", "inmail", f"p{rng.randrange(12)}", f"hand-{rng.randrange(9)}", rng.choice((0, HOUR))),
            ("reconcile_operations",),
            ("midnight_reset",),
            ("breaker_arm",),
            ("breaker_clear",),
        )
    )
