"""One prospect opts out while the campaigns run: the operator suppresses it, and no account writes to it any more."""

from datetime import timedelta

from .books import Case, Check
from .stage import Session

# Whose turn comes soon, and to whom nothing was sent yet.
NEXT = """
SELECT e.prospect_id
  FROM sendgate.enrollments e
  JOIN sendgate.breakers b USING (account_id)
 WHERE e.state = 'waiting' AND e.attempts = 0 AND b.state = 'closed'
 ORDER BY e.next_dispatch_at, e.prospect_id DESC
 LIMIT 1
"""
STARTED = "SELECT count(*) > 20 AS started FROM sendgate.linkedin_events"
SUPPRESS = "SELECT sendgate.suppress_prospect(%s, 'asked not to be contacted')"
A_COMMIT = timedelta(seconds=1)


class OptOut:
    """Happens once, when the sending is well under way."""

    def __init__(self, operator: Session, reader: Session):
        self.operator, self.reader = operator, reader
        self.happened = False

    def look(self) -> list[str]:
        """Suppresses the prospect when it is time. Returns what it did, in words."""
        if self.happened or not self.reader.rows(STARTED)[0]["started"]:
            return []
        found = self.reader.rows(NEXT)
        if not found:
            return []
        prospect = found[0]["prospect_id"]
        self.operator.rows(SUPPRESS, [prospect])
        self.happened = True
        return [f"{prospect} asks not to be contacted; the operator suppresses it"]


def nothing_sent_to_who_opted_out(case: Case) -> Check:
    """No grant after the suppression; what waited is cancelled when its turn comes."""
    name = "nothing is sent to who opted out"
    since = {row["prospect_id"]: row["suppressed_at"] for row in case.books.suppressions}
    if not since:
        return Check(name, None, "no prospect did")
    late = [
        row
        for row in case.books.operations.values()
        # A grant that looked before the commit may be a moment younger.
        if row["prospect_id"] in since and row["reserved_at"] > since[row["prospect_id"]] + A_COMMIT
    ]
    states = [row["state"] for row in case.books.enrollments if row["prospect_id"] in since]
    cancelled = states.count("cancelled")
    return Check(
        name, not late, f"{len(since)} suppressed, {cancelled} of {len(states)} cancelled, {len(late)} granted since"
    )


CHECKS = [nothing_sent_to_who_opted_out]
