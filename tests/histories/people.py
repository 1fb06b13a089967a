"""Prospects who are not to be contacted, in the model: one list for all accounts."""

import random
from dataclasses import dataclass

from .books import DAY, HOUR

SUPPRESSED = "prospect_suppressed"
# In one of so many histories a prospect opts out.
SELDOM = 5


@dataclass(frozen=True)
class Suppression:
    """Since when, and until when; None: for good."""

    since: int
    until: int | None

    def lasts(self, now: int) -> bool:
        return self.until is None or self.until > now


class People:
    """Who is suppressed."""

    def __init__(self):
        self.suppressed: dict[str, Suppression] = {}

    def suppress(self, prospect: str, later: int | None, now: int) -> None:
        """It replaces what is there; what still lasts keeps its beginning."""
        before = self.of(prospect, now)
        until = None if later is None else now + later
        self.suppressed[prospect] = Suppression(before.since if before else now, until)

    def of(self, prospect: str | None, now: int) -> Suppression | None:
        """The suppression of a prospect, while it lasts."""
        found = self.suppressed.get(prospect)
        return found if found and found.lasts(now) else None


def opts_out(steps: list[tuple], seed: int) -> list[tuple]:
    """The steps with some between them that are about the list. They have a chance of their own, so that a history
    without them is what it was before there was a list."""
    rng = random.Random(f"opts out {seed}")
    if rng.randrange(SELDOM):
        return steps
    steps = list(steps)
    for _ in range(rng.randrange(1, 5)):
        prospect = f"p{rng.randrange(6)}"
        step = rng.choices(
            (
                ("suppress_prospect", prospect, None),
                ("suppress_prospect", prospect, rng.choice((HOUR, DAY))),
                ("unsuppress_prospect", prospect),
            ),
            (3, 3, 2),
        )[0]
        steps.insert(rng.randrange(len(steps) + 1), step)
    return steps
