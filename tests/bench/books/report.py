"""The tables that the books are told in."""


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
