"""Sending windows as a person reads them from a clock on the wall, for the model of random histories.

The windows of histories begin and end at quarters of an hour, and so do all changes of a zone's offset in
their years. So the model finds the next opening by looking at every quarter, and needs no rule.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

QUARTER = 15 * 60 * 1_000_000
QUARTERS_A_DAY = 96
# A window of one weekday that daylight saving swallows opens a week later.
SEARCH_MAX = 16 * QUARTERS_A_DAY


@dataclass(frozen=True)
class Window:
    """From one quarter of the local day to another, on the days on which it starts (1 is Monday)."""

    start: int
    end: int
    days: tuple[int, ...]

    def has(self, weekday: int, quarter: int) -> bool:
        yesterday = (weekday - 2) % 7 + 1
        if self.start < self.end:
            return weekday in self.days and self.start <= quarter < self.end
        return weekday in self.days and quarter >= self.start or yesterday in self.days and quarter < self.end


@lru_cache(maxsize=100_000)
def on_the_wall(zone: str, quarter: int) -> tuple[int, int]:
    """Weekday and quarter that local clocks show at a quarter since 1970."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)).astimezone(ZoneInfo(zone))
    return local.isoweekday(), local.hour * 4 + local.minute // 15


def is_inside(window: Window, zone: str, at: int) -> bool:
    return window.has(*on_the_wall(zone, at // QUARTER))


def next_change(window: Window, zone: str, at: int) -> int | None:
    """When it opens if it is closed, closes if it is open; none if it never does."""
    now, first = is_inside(window, zone, at), at // QUARTER + 1
    for quarter in range(first, first + SEARCH_MAX):
        if is_inside(window, zone, quarter * QUARTER) != now:
            return quarter * QUARTER
    return None


def clock_time(quarter: int) -> str:
    """As SQL writes it."""
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"
