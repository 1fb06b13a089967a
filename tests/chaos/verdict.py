"""The verdict: what the books say, held against the provider's ledgers and what workers were told.

Each check is two queries. ``seen`` counts the rows that the check looked at; a check that saw none shows
nothing. ``wrong`` returns a line for each fault; the books are good if there is none. The checks run after
the last worker has stopped and the ledgers have settled every unknown outcome.
"""

from dataclasses import dataclass

from . import verdict_books, verdict_breaker, verdict_campaigns, verdict_rules, verdict_sends

EXAMPLES = 3


@dataclass(frozen=True)
class Check:
    """A line of the verdict."""

    name: str
    seen: int
    wrong: int
    examples: list[str]

    @property
    def ok(self) -> bool:
        """Whether it found nothing wrong."""
        return self.wrong == 0


CHECKS = {
    **verdict_sends.CHECKS,
    **verdict_rules.CHECKS,
    **verdict_books.CHECKS,
    **verdict_breaker.CHECKS,
    **verdict_campaigns.CHECKS,
}


def judge(connection) -> list[Check]:
    """All checks, in the order in which they are shown."""
    # Loads the library: its settings are known only then.
    connection.execute("SELECT sendgate.clock()")
    return [ask(connection, name, *queries) for name, queries in CHECKS.items()]


def ask(connection, name: str, seen: str, wrong: str) -> Check:
    """One check."""
    [(count,)] = connection.execute(seen).fetchall()
    found = connection.execute(f"SELECT w::text, count(*) OVER () FROM ({wrong}) AS w LIMIT {EXAMPLES}").fetchall()
    return Check(name, count, found[0][1] if found else 0, [row for row, _ in found])


def table(checks: list[Check]) -> str:
    """For people."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        word = "ok    " if check.ok else "FAILED"
        lines.append(f"  {word}  {check.name:{width}}  {check.seen:>10,} seen, {check.wrong:,} wrong")
        lines += [f"          {example}" for example in check.examples]
    return "\n".join(lines)
