"""Drift that is planted on purpose, and the check that it was found, and nothing else."""

from harness.progress import HarnessError

from .data import NOW, counter, days_counted
from .server import Server, Sweep

# The first so many active accounts of each kind: (kind, accounts in a full run, what is done to them).
KINDS = [
    ("ahead", 150, "inmails_sent_today = inmails_sent_today + 8"),
    ("a little ahead", 150, "inmails_sent_today = inmails_sent_today + 3"),
    ("behind", 200, "inmails_sent_today = inmails_sent_today - 2"),
    ("far over the cap", 50, "inmails_sent_today = inmails_sent_today + 70"),
    (
        "unanswered",
        500,
        "invites_sent_today = invites_sent_today + 1, invite_attempts_today = invite_attempts_today + 1",
    ),
    ("exhausted", 3000, f"inmail_credits_exhausted_at = {NOW} - interval '1 hour'"),
]
FULL = 100_000

PICK = """
CREATE TABLE bench.planted AS
SELECT a.id, k.kind
FROM (SELECT id, row_number() OVER (ORDER BY hashtext(id)) AS n FROM sendgate.accounts WHERE day = {today}) a
JOIN (VALUES {bounds}) k (kind, first, last) ON a.n BETWEEN k.first AND k.last;
ALTER TABLE bench.planted ADD PRIMARY KEY (id);
"""

CHANGE = """
UPDATE sendgate.accounts a SET {change}
FROM bench.planted p WHERE p.id = a.id AND p.kind = '{kind}';
"""

# Their counters agree, but their outcomes were never reported.
UNANSWERED = f"""
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id,
    prospect_id, action)
SELECT gen_random_uuid(), t.at, t.at + interval '15 min', t.at::date, id, 'unanswered', 'invite'
FROM bench.planted CROSS JOIN (SELECT {NOW} - interval '1 hour') t (at)
WHERE kind = 'unanswered';
"""

# That jobs are late is told too, and true: the stopwatch makes them so.
ABOUT_ACCOUNTS = "WHERE account_id <> '*'"

# Rows of accounts about which nothing is wrong.
FINGERPRINT = """
SELECT count(*), sum(hash_record_extended(a, 0)) FROM sendgate.accounts a
WHERE NOT EXISTS (SELECT FROM bench.planted p WHERE p.id = a.id AND p.kind <> 'exhausted')
"""

DIFFERENT = """
SELECT count(*) FROM sendgate.accounts a
LEFT JOIN (
    SELECT o.account_id,
           count(*) FILTER (WHERE o.action = 'inmail' AND o.counted_on = {today}) AS inmails,
           count(*) FILTER (WHERE o.action = 'invite' AND o.counted_on = {today}) AS invites,
           count(*) FILTER (WHERE o.action = 'message' AND o.counted_on = {today}) AS messages,
           {days_before} AS days_before
    FROM sendgate.send_operations o
    WHERE o.counted_on >= {today} - 6 AND o.state <> 'released'
    GROUP BY 1
) o ON o.account_id = a.id
WHERE a.day = {today}
  AND (a.inmails_sent_today, a.invites_sent_today, a.messages_sent_today, a.sent_before)
      IS DISTINCT FROM (o.inmails, o.invites, o.messages, o.days_before)
"""


class Planted:
    """The faults planted among the active accounts, and what the sweeps have to find of them."""

    def __init__(self, server: Server, active: int, today: str):
        self.server = server
        self.today = today
        self.of = {kind: max(2, count * active // FULL) for kind, count, _ in KINDS}
        bounds, first = [], 1
        for kind, count in self.of.items():
            bounds.append(f"('{kind}', {first}, {first + count - 1})")
            first += count
        server.sql(PICK.format(today=today, bounds=", ".join(bounds)))
        for kind, _, change in KINDS:
            server.sql(CHANGE.format(kind=kind, change=change))
        server.sql(UNANSWERED)
        server.settle()
        self.fingerprint = server.sql(FINGERPRINT)

    def check(self, audited: Sweep, reconciled: Sweep, again: Sweep) -> str:
        """Drift found is drift planted, it is mended, and nothing else was changed; one line that says so."""
        of = self.of
        told = of["ahead"] + of["behind"] + of["far over the cap"]
        wrong = told + of["a little ahead"]
        kinds = {
            "counter_ahead_of_events": of["ahead"] + of["far over the cap"],
            "counter_behind_events": of["behind"],
            "over_cap": of["far over the cap"],
            "operations_expired": of["unanswered"],
        }
        found = {
            kind: int(count)
            for kind, count in self.server.rows(
                f"SELECT kind, count(*) FROM sendgate.alerts {ABOUT_ACCOUNTS} GROUP BY kind"
            )
        }
        still = {
            kind: int(count)
            for kind, count in self.server.rows(
                f"SELECT kind, count(*) FROM sendgate.open_alerts {ABOUT_ACCOUNTS} GROUP BY kind"
            )
        }
        same("accounts that layer 2 told of", audited.changed, told)
        same("accounts that layer 1 corrected", reconciled.changed, wrong)
        same("corrections", self.server.number("SELECT count(*) FROM sendgate.counter_drift"), wrong)
        same(
            "corrections of accounts that are not planted",
            self.server.number(
                "SELECT count(*) FROM sendgate.counter_drift d LEFT JOIN bench.planted p ON p.id = d.account_id"
                " WHERE p.id IS NULL"
            ),
            0,
        )
        same("alerts by kind", found, kinds)
        same("found a second time", again.changed, 0)
        same("alerts that are still open", still, {"operations_expired": of["unanswered"]})
        same(
            "counters that differ from the journal",
            self.server.number(DIFFERENT.format(today=self.today, days_before=days_counted(self.today))),
            0,
        )
        same("rows of other accounts", self.server.sql(FINGERPRINT), self.fingerprint)
        return (
            f"{wrong:,} counters were wrong on purpose and {of['unanswered']:,} operations unanswered: found were "
            f"exactly these, every counter equals its journal, no other account's row changed"
        )


def same(what: str, found, expected) -> None:
    """Fails the run when the books are not what they have to be."""
    if found != expected:
        raise HarnessError(f"the books are wrong: {what}: {found!r}, expected {expected!r}")


assert counter("inmail", 1) - 2 < 5, "behind must mean fewer than there are events"
