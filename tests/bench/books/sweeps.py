"""Time of each sweep to its end, by the number of active accounts."""

from harness.progress import progress

from . import data
from .planted import Planted, same
from .report import Table
from .server import DAY, NOON, Server, Sweep

LAYERS = ("audit_events", "reconcile_operations")
NEXT_DAY = f"({data.TODAY} + 1)"


def layers(server: Server, accounts: int, levels: list[int]) -> tuple[Table, list[str]]:
    """Layers 2 and 1 at each level of active accounts, where nothing is wrong."""
    table = Table("active accounts", "`audit_events`", "`reconcile_operations`", "both, per 1,000 active accounts")
    before = 0
    for active in levels:
        data.activate(server, accounts, active, before)
        before = active
        swept = [server.sweep(job, f"{active:,} active") for job in LAYERS]
        for sweep in swept:
            same(f"accounts that {sweep.job} looked at", sweep.checked, active)
            same(f"what {sweep.job} found where nothing was wrong", sweep.changed, 0)
        both = sum(sweep.seconds for sweep in swept)
        table.add(f"{active:,}", *(f"{sweep.seconds:.2f} s" for sweep in swept), f"{both / active * 1e6:.0f} ms")
    return table, [
        "the schedulers rest three times as long as they work: to its end a sweep takes four times as long",
        f"the other {accounts - levels[-1]:,} accounts are idle, and are not looked at",
    ]


def drift(server: Server, active: int) -> tuple[list[Sweep], str]:
    """Layers 2 and 1 where some hundred counters are wrong. Returns the sweeps, and the checks in words."""
    progress("  planting drift")
    planted = Planted(server, active, data.TODAY)
    audited = server.sweep("audit_events", "drift")
    reconciled = server.sweep("reconcile_operations", "drift")
    again = server.sweep("audit_events", "after the drift")
    return [audited, reconciled], planted.check(audited, reconciled, again)


def each(sweeps: list[Sweep], notes: list[str]) -> tuple[Table, list[str]]:
    """A line a job."""
    table = Table("sweep", "at work", "batches", "a batch, median", "worst", "looked at", "changed")
    for sweep in sweeps:
        table.add(
            f"`{sweep.job}`",
            f"{sweep.seconds:.2f} s",
            f"{sweep.batches:,}",
            f"{sweep.median * 1e3:.0f} ms",
            f"{sweep.worst * 1e3:.0f} ms",
            f"{sweep.checked:,}",
            f"{sweep.changed:,}",
        )
    return table, notes


def midnight(server: Server, accounts: int, active: int) -> tuple[Sweep, str]:
    """The reset after the day has moved on; first once without work, as on every earlier night."""
    server.sweep("midnight_reset", "the night before")
    server.set_clock(NOON + DAY)
    sweep = server.sweep("midnight_reset", "midnight")
    same("accounts that midnight_reset wrote", sweep.changed, active)
    left = server.number(f"""SELECT count(*) FROM sendgate.accounts WHERE day < {NEXT_DAY} AND
        inmails_sent_today + invites_sent_today + messages_sent_today > 0""")
    same("rows left with counters of an older day", left, 0)
    same("accounts", server.number("SELECT count(*) FROM sendgate.accounts"), accounts)
    return sweep, f"`midnight_reset` rolled each of the {active:,} rows with counters, and no other"


OLD = """
SELECT (SELECT count(*) FROM sendgate.send_operations
        WHERE settled_at < sendgate.clock() - interval '90 days'
          AND counted_on < (sendgate.clock() - interval '90 days')::date),
       (SELECT count(*) FROM sendgate.linkedin_events WHERE recorded_at < sendgate.clock() - interval '400 days'),
       (SELECT count(*) FROM sendgate.reconcile_runs WHERE finished_at < sendgate.clock() - interval '90 days')
"""
ALL = """
SELECT (SELECT count(*) FROM sendgate.send_operations), (SELECT count(*) FROM sendgate.linkedin_events),
       (SELECT count(*) FROM sendgate.reconcile_runs)
"""


def prune(server: Server) -> tuple[Sweep, str]:
    """What is older than prune keeps: about ten days of the journal."""
    server.settle()
    old, everything = ([int(n) for n in server.rows(sql)[0]] for sql in (OLD, ALL))
    sweep = server.sweep("prune", "prune")
    left_old, left = ([int(n) for n in server.rows(sql)[0]] for sql in (OLD, ALL))
    same("old rows left by prune", left_old, [0, 0, 0])
    # The run itself leaves a heartbeat.
    expected = [count - gone for count, gone in zip(everything, old, strict=True)]
    expected[2] += 1
    same("rows left by prune", left, expected)
    return sweep, (
        f"`prune` deleted the {old[0]:,} operations, {old[1]:,} events and {old[2]:,} runs that were "
        "old enough, and nothing else"
    )
