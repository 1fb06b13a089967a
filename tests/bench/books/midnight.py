"""``reserve`` across midnight: every account has counters of the day that ends."""

import datetime
import statistics

from bench import wanted
from bench.page import Table as Rows
from harness.progress import progress

from .daemon import Daemon
from .data import ACTIONS, NO_DAYS, days_counted
from .planted import same
from .report import Table
from .server import DAY, NOON, Server, percentiles

RESERVE = r"""
\set n random(1, :accounts)
\set prospect random(1, 1000000000)
SELECT * FROM sendgate.reserve('account-' || :n, 'invite', 'prospect-' || :prospect);
"""
WANTED = 3.0
# Before the minute that counts: sessions begin, plans are made.
LEAD_SECONDS = 8
# Corrections that are shown where there are any: they say which counter was wrong.
SHOWN_DRIFT = 5

# Counters of an earlier day are empty on this one, whether the daemon has moved the row or not.
ROLLED = ",\n    ".join(
    f"{counter} = CASE WHEN a.day = '{{day}}' THEN a.{counter} ELSE 0 END + {1 if action == 'message' else 0}"
    for action in ACTIONS
    for counter in (f"{action}s_sent_today", f"{action}_attempts_today")
)

# One delivered message of the day for every account, and counters that agree: in one transaction, or
# the daemon would find drift between the two.
SENT_TODAY = f"""
BEGIN;
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id,
    prospect_id, action, state, settled_at)
SELECT gen_random_uuid(), t.at, t.at + interval '15 min', '{{day}}', 'account-' || i, 'midnight-{{day}}', 'message',
       'delivered', t.at
FROM generate_series(1, {{accounts}}) i CROSS JOIN (SELECT timestamptz '{{day}} 11:00:00+00') t (at);
UPDATE sendgate.accounts a
SET day = '{{day}}', sent_before = coalesce(b.days_before, {NO_DAYS}),
    {ROLLED}
FROM sendgate.accounts c
LEFT JOIN (
    SELECT o.account_id, {{days_before}} AS days_before FROM sendgate.send_operations o
    WHERE o.counted_on >= date '{{day}}' - 6 AND o.counted_on < date '{{day}}' AND o.state <> 'released'
    GROUP BY 1
) b ON b.account_id = c.id
WHERE c.id = a.id;
COMMIT;
"""


def measure(server: Server, accounts: int, rounds: int, seconds: int) -> tuple[Table, list[str], Rows]:
    """An ordinary minute and the minute of midnight of each round, with the daemon at work."""
    taken: dict[str, list] = {"ordinary": [], "midnight": []}
    notes = []
    with Daemon(server) as daemon:
        for number in range(1, rounds + 1):
            noon = NOON + (number + 1) * DAY
            progress(f"  midnight, round {number} of {rounds}: a day's counters for {accounts:,} accounts")
            server.set_clock(noon)
            day = noon.date()
            before = days_counted(f"date '{day}'")
            server.sql(SENT_TODAY.format(day=day, accounts=accounts, days_before=before))
            taken["ordinary"].append(minute(server, daemon, noon, accounts, seconds, "an ordinary minute"))
            # The reconcilers ran nine and a half minutes before midnight, so that they too fall into the minute.
            midnight = noon + DAY / 2
            server.set_clock(midnight - datetime.timedelta(seconds=570))
            taken["midnight"].append(minute(server, daemon, midnight, accounts, seconds, "the minute of midnight"))
            notes.append(after(server, daemon, midnight, accounts, seconds))
    table = Table("`reserve`, 8 clients", "a second", "p50", "p99", "p99.9", "worst")
    p999 = {}
    for name, runs in taken.items():
        figures = [percentiles(run) for run in runs]
        middle = [statistics.median(column) for column in zip(*figures, strict=True)]
        p999[name] = middle[2]
        table.add(
            {"ordinary": "an ordinary minute", "midnight": "the minute of midnight"}[name],
            f"{statistics.median(len(run) for run in runs) / seconds:,.0f}",
            *(f"{ms:.1f} ms" for ms in middle),
            f"{max(max(run) for run in runs):.0f} ms",
        )
    ratio = p999["midnight"] / p999["ordinary"]
    notes.insert(
        0, f"p99.9 across midnight is {ratio:.2f} × that of an ordinary minute (wanted: at most {WANTED:.0f} ×)"
    )
    what = "p99.9 of reserve in the minute of midnight / in an ordinary minute"
    return table, notes, [wanted.at_most(what, ratio, WANTED)]


def minute(
    server: Server, daemon: Daemon, begins: datetime.datetime, accounts: int, seconds: int, what: str
) -> list[float]:
    """Milliseconds of every transaction that ended in the minute which begins then."""
    server.answer_all()
    daemon.wait_until_idle()
    server.sql("CHECKPOINT")
    progress(f"  reserve in {what}")
    ahead = server.set_clock(begins - datetime.timedelta(seconds=LEAD_SECONDS))
    start = begins.timestamp() - ahead
    run = server.pgbench(RESERVE, LEAD_SECONDS + seconds + 1, log=True, accounts=accounts)
    return [ms for end, ms in run.log if start <= end < start + seconds]


def after(server: Server, daemon: Daemon, midnight: datetime.datetime, accounts: int, seconds: int) -> str:
    """What the jobs did across midnight, and that they did all of it and nothing else."""
    daemon.wait_until_idle()
    day = midnight.date()
    same(
        "rows left with counters of an older day",
        server.number(f"""SELECT count(*) FROM sendgate.accounts
        WHERE day < '{day}' AND inmails_sent_today + invites_sent_today + messages_sent_today > 0"""),
        0,
    )
    drift = server.rows(f"""SELECT row_to_json(d) FROM sendgate.counter_drift d
        WHERE at >= '{day - datetime.timedelta(days=1)}' ORDER BY at LIMIT {SHOWN_DRIFT}""")
    for (row,) in drift:
        progress(f"    {row}")
    same(
        "corrections of counters",
        server.number(f"SELECT count(*) FROM sendgate.counter_drift WHERE at >= '{day - datetime.timedelta(days=1)}'"),
        0,
    )
    runs = server.rows(f"""SELECT job, extract(epoch FROM started_at - '{day} 00:00+00'),
        extract(epoch FROM finished_at - started_at), changed FROM sendgate.reconcile_runs
        WHERE started_at >= '{day} 00:00+00' AND started_at < '{day} 00:00+00'::timestamptz + interval '{seconds} s'
        ORDER BY started_at""")
    return "jobs in the minute: " + ", ".join(
        f"`{job}` began at {float(began):.0f} s and took {float(took):.0f} s"
        + (f", {int(changed):,} changed" if int(changed) else "")
        for job, began, took, changed in runs
    )
