"""The tables, on the terminal and in docs/operations.md."""

from harness.places import REPO
from harness.progress import HarnessError

PAGE = REPO / "docs" / "operations.md"
FIGURES = ("<!-- figures: written by tests/bench/books -->", "<!-- end of figures -->")
BLOAT = ("<!-- bloat: written by tests/bench/bloat.py -->", "<!-- end of bloat -->")


class Table:
    """A Markdown table; columns but the first are numbers."""

    def __init__(self, *head: str):
        self.lines = [self._line(head), self._line(["---", *["---:"] * (len(head) - 1)])]

    def add(self, *cells: str) -> None:
        """One more row."""
        self.lines.append(self._line(cells))

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @staticmethod
    def _line(cells) -> str:
        return f"| {' | '.join(cells)} |"


def write(text: str, markers: tuple[str, str] = FIGURES) -> None:
    """Puts figures between their markers."""
    begin, end = markers
    page = PAGE.read_text()
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise HarnessError(f"{PAGE} lacks the markers {begin} and {end}.")
    PAGE.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")
