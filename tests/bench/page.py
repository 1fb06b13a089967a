"""Tables, for the terminal and for the pages of docs, and the markers between which the pages carry them."""

from pathlib import Path

from harness.places import REPO
from harness.progress import HarnessError

DOCS = REPO / "docs"
PERFORMANCE, OPERATIONS = DOCS / "performance.md", DOCS / "operations.md"

# Rows of cells; the first row is the head.
Table = list[list[str]]
# What begins a generated part of a page, and what ends it.
Markers = tuple[str, str]

MEASURED = ("<!-- measured: written by make bench, do not edit -->", "<!-- end of measured -->")
COMPARED = ("<!-- compared: written by make bench AGAINST=COMMIT, do not edit -->", "<!-- end of compared -->")
LISTS = ("<!-- lists: written by tests/bench/lists.py, do not edit -->", "<!-- end of lists -->")
COUNTED = ("<!-- counted: written by tests/bench/lists.py --count, do not edit -->", "<!-- end of counted -->")
WRITTEN = ("<!-- written: written by tests/bench/written.py, do not edit -->", "<!-- end of written -->")
BOOKS = ("<!-- figures: written by tests/bench/books -->", "<!-- end of figures -->")
BLOAT = ("<!-- bloat: written by tests/bench/bloat.py -->", "<!-- end of bloat -->")
PROXY = ("<!-- proxy: written by make bench-proxy, do not edit -->", "<!-- end of proxy -->")
AT_SIZE = ("<!-- at size: written by make bench-books, do not edit -->", "<!-- end of at size -->")


def plain(rows: Table) -> str:
    """Columns in line."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Table) -> str:
    """A Markdown table with figures to the right."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = f"| --- |{' ---: |' * (len(rows[0]) - 1)}"
    return "\n".join([head, rule, *body])


def replaced(document: str, markers: Markers, text: str) -> str:
    """A document with another text between two markers."""
    begin, end = markers
    before, begun, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise HarnessError(f"the page lacks the markers {begin} and {end}.")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def write(page: Path, markers: Markers, text: str) -> None:
    """Puts a text between its markers."""
    try:
        page.write_text(replaced(page.read_text(), markers, text))
    except HarnessError as error:
        raise HarnessError(f"{page}: {error}") from error
