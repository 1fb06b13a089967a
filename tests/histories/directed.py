"""Histories that are written by hand, for what random ones seldom meet."""

from .books import HOUR
from .history import History

# A Tuesday at noon, UTC.
NOON = 1_780_401_600_000_000


def _fails_day_after_day() -> list[tuple]:
    """The work's own failures use up its attempts; a delivery each day keeps them from being failures in a row."""
    steps: list[tuple] = [("enqueue", "c", "p1", "invite", None)]
    for day in range(5):
        steps += [
            ("dispatch", 1, "invite", "a", None),
            ("rollback_many", "in flight", ("busy",)),
            # The tier's pace.
            ("wait", "an hour"),
            ("reserve", "invite", f"q{day}", None, day + 1),
            ("confirm", day + 1, "chat", None),
            ("wait", "a day"),
        ]
    return steps


# Work that is parked after five failures of the provider.
PARKED = History(1, NOON, _fails_day_after_day())
# A recipient who can be reached a day later.
LATER = History(
    1,
    NOON,
    [
        ("enqueue", "c", "p1", "invite", None),
        ("dispatch", 1, "invite", "a", None),
        ("rollback_many", "in flight", ("soon",)),
        ("wait", "a day"),
        ("dispatch", 1, "invite", "a", None),
    ],
)
# A webhook proves a send that was given back: it is no send of its own.
PROVEN = History(
    1,
    NOON,
    [
        ("reserve", "invite", "p1", None, 1),
        ("rollback", 1, "busy", None),
        ("wait", "a minute"),
        ("external", "invite", "p1", "chat-5", 0),
    ],
)
# A prospect is on leave until tomorrow, and back in an hour.
BACK_EARLY = History(
    1,
    NOON,
    [
        ("enqueue", "c", "p1", "invite", None),
        ("suppress_prospect", "p1", 86_400_000_000),
        ("dispatch", 1, "invite", "a", None),
        ("wait", "an hour"),
        ("unsuppress_prospect", "p1"),
        ("dispatch", 1, "invite", "a", None),
    ],
)
# A prospect opts out for good; the application asks again, and its campaign still has work.
OPTED_OUT = History(
    1,
    NOON,
    [
        ("enqueue", "c", "p1", "invite", None),
        ("reserve", "inmail", "p1", "c", 1),
        ("suppress_prospect", "p1", None),
        ("reserve", "inmail", "p1", "c", 1),
        ("reserve", "invite", "p1", "c", 2),
        ("reserve", "invite", "p1", "c", 3),
        ("dispatch", 1, "invite", "a", None),
        ("enqueue", "d", "p1", "invite", None),
        ("breaker_check", "p1", "c"),
    ],
)
# A paced account with work of two actions: they take turns.
TURNS = History(
    1,
    NOON,
    [
        ("set_pace", 2 * HOUR, False),
        *(("enqueue", "c", f"p{n}", action, None) for n in (1, 2, 3) for action in ("inmail", "invite")),
        *(("dispatch", 1, None, "a", None), ("wait", "the end of the pace")) * 4,
    ],
)
DIRECTED = [PARKED, LATER, PROVEN, BACK_EARLY, OPTED_OUT, TURNS]
