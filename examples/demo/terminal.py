"""Printing: steps, a table that redraws itself on a terminal, and colours only where they belong."""

import os
import shutil
import sys

WIDTH_MAX = 100
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}

is_live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
"""Whether lines can be drawn over."""
is_coloured = is_live and not os.environ.get("NO_COLOR")
_drawn = 0


def width() -> int:
    """Columns to use: a line that wraps could not be drawn over."""
    return min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns - 1)


def styled(text: str, *styles: str) -> str:
    """The text in colour, if this output has any."""
    if not is_coloured or not styles:
        return text
    return f"\x1b[{';'.join(STYLES[style] for style in styles)}m{text}\x1b[0m"


def say(text: str = "", *styles: str) -> None:
    """One line, at once."""
    print(styled(text, *styles), flush=True)


def step(text: str) -> None:
    """Announces what takes a moment."""
    say(f"· {text}")


def heading(text: str) -> None:
    """Begins a part of the output."""
    say()
    say(text, "bold")


def draw(lines: list[tuple]) -> None:
    """Prints lines, each a text and its styles, over the ones drawn before if they are still there."""
    global _drawn
    height = shutil.get_terminal_size().lines - 1 if is_live else len(lines)
    shown = [styled(text[: width()], *styles) for text, *styles in lines[:height]]
    back = f"\x1b[{_drawn}F\x1b[J" if is_live and _drawn else ""
    print(back + "\n".join(shown), flush=True)
    _drawn = len(shown)


def keep() -> None:
    """What is drawn stays; the next drawing begins below it."""
    global _drawn
    _drawn = 0
