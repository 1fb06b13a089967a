"""`dispatch` by slots a call and by campaigns that share an account, with and without limits of campaigns.

Every account has the same number of due InMails, all of one campaign or of ten or a thousand that take turns. Each run
starts from a copy of the same database. No cap and no limit is reached, so every slot that is asked for is handed out.
"""

import statistics
from dataclasses import dataclass

from harness.progress import HarnessError, progress

from . import batches, instructions
from .batches import Figure
from .contenders import APPLICATION
from .page import Table
from .server import Server

SIZES = batches.SIZES
LIMIT_MAX = 10_000
RUN = "run"

SETUP = f"""
SELECT count(sendgate.upsert_account('account-' || n, 'sales_navigator')) FROM generate_series(1, {{accounts}}) n;
SELECT sendgate.set_tier_cap('sales_navigator', 'inmail', {LIMIT_MAX}, {LIMIT_MAX});
UPDATE sendgate.accounts SET sent_before = decode(repeat('00', 30), 'hex');
GRANT USAGE ON SCHEMA sendgate TO {APPLICATION};
"""
EMPTY = (
    "TRUNCATE sendgate.enrollments, sendgate.dispatch_queue, sendgate.send_operations",
    "UPDATE sendgate.accounts SET inmail_last_at = NULL, inmails_sent_today = 0, inmail_attempts_today = 0, turns = NULL",
)
WORK = (
    """INSERT INTO sendgate.enrollments
        (enqueued_at, changed_at, next_dispatch_at, account_id, prospect_id, campaign_id, action)
    SELECT now(), now(), now() - interval '1 hour' + n * interval '1 ms', 'account-' || n,
           'prospect-' || n || '-' || k, 'campaign-' || k % {campaigns}, 'inmail'
    FROM generate_series(1, {accounts}) n, generate_series(1, {work}) k""",
    """INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
    SELECT now() - interval '1 hour' + n * interval '1 ms', gen_random_uuid(), 'account-' || n, 'inmail'
    FROM generate_series(1, {accounts}) n""",
)
LIMITS = (
    f"SELECT count(sendgate.set_campaign('campaign-' || k, {LIMIT_MAX})) FROM generate_series(0, {{campaigns}} - 1) k"
)
NO_LIMITS = "SELECT count(sendgate.set_campaign(campaign_id)) FROM sendgate.campaigns"


@dataclass(frozen=True)
class World:
    """How many accounts there are, how much work each has, and of how many campaigns."""

    accounts: int
    work: int
    campaigns: tuple[int, ...]


FULL = World(300, 1_000, (1, 10, 1_000))
QUICK = World(400, 400, (1, 10, 400))
COUNTED = World(20, 1_000, (1, 10, 1_000))
# Slots of the longer of two counted runs, by slots a call.
SLOTS = {1: 200, 10: 1_000, 100: 4_000, 1000: 8_000}

# A row of the report: slots a call, whether the campaigns have limits, and how many there are.
Row = tuple[int, bool, int]


def rows(world: World) -> list[Row]:
    """All that is measured, in its order."""
    return [(size, limited, campaigns) for limited in (False, True) for campaigns in world.campaigns for size in SIZES]


def measure(server: Server, world: World, seconds: float, rounds: int) -> dict[Row, list[Figure]]:
    """Slots a second and the server's time for one, in turn."""
    for campaigns in world.campaigns:
        progress(f"  loading {world.accounts * world.work:,} pieces of work of {campaigns:,} campaigns")
        prepare(server, world, campaigns)
    taken: dict[Row, list[Figure]] = {row: [] for row in rows(world)}
    for number in range(1, rounds + 1):
        for row in taken:
            progress(f"  round {number} of {rounds}: {named(row)}, {row[2]:,} campaigns")
            taken[row].append(run(server, world, row, seconds))
    return taken


def prepare(server: Server, world: World, campaigns: int) -> None:
    """The database that runs with so many campaigns begin with."""
    db = server.cluster.fresh_database(template(campaigns), "sendgate")
    sizes = {"accounts": world.accounts, "work": world.work, "campaigns": campaigns}
    server.cluster.psql(SETUP.format(**sizes) + ";\n".join(WORK).format(**sizes), db)
    server.cluster.psql("VACUUM ANALYZE", db)


def run(server: Server, world: World, row: Row, seconds: float) -> Figure:
    """One run, in a fresh copy."""
    size, limited, campaigns = row
    server.db = "postgres"
    server.psql(f"DROP DATABASE IF EXISTS {RUN} WITH (FORCE)")
    server.psql(f"CREATE DATABASE {RUN} TEMPLATE {template(campaigns)} STRATEGY file_copy")
    server.db = RUN
    # A copy sends nothing before it is told that it may.
    server.psql("SELECT sendgate.adopt_database('benchmark')")
    if limited:
        server.psql(LIMITS.format(campaigns=campaigns))
    server.psql("CHECKPOINT")
    cost = server.run(batches.DISPATCH.format(size=size), seconds)
    handed = int(server.psql(batches.HANDED))
    if handed == 0 or handed == world.accounts * world.work:
        raise HarnessError(f"{handed:,} slots of {world.accounts * world.work:,}: measure for fewer --seconds")
    return Figure(cost.rate * handed / cost.calls, cost.cpu * cost.calls / handed)


def count(server: Server) -> dict[Row, float]:
    """Instructions of one slot. The server is stopped for it; its accounts are as many as ``COUNTED`` has."""
    server.psql(SETUP.format(accounts=COUNTED.accounts))
    found = {}
    for limited in (False, True):
        for campaigns in COUNTED.campaigns:
            server.psql(LIMITS.format(campaigns=campaigns) if limited else NO_LIMITS)
            server.cluster.stop()
            sizes = {"accounts": COUNTED.accounts, "work": COUNTED.work, "campaigns": campaigns}
            work = [*EMPTY, *(sql.format(**sizes) for sql in WORK)]
            for size in SIZES:
                row = (size, limited, campaigns)
                progress(f"  instructions: {named(row)}, {campaigns:,} campaigns")
                script = batches.DISPATCH.format(size=size)
                found[row] = instructions.per_slot(server.cluster, script, size, SLOTS[size], work)
            server.cluster.start()
    return found


def template(campaigns: int) -> str:
    """The name of a database."""
    return f"due_{campaigns}"


def named(row: Row) -> str:
    """What a row is called."""
    return f"dispatch({row[0]}), {'limits' if row[1] else 'no limits'}"


def table(head: str, found: dict[Row, float], digits: int) -> Table:
    """A row for each size, with and without limits; a column for each number of campaigns; how flat it is."""
    campaigns = list(dict.fromkeys(row[2] for row in found))
    columns = [f"{number:,} campaign{'s' if number > 1 else ''}" for number in campaigns]
    made = [[head, *columns, f"{campaigns[-1]:,} / {campaigns[0]:,}", "limits / none"]]
    for size, limited in dict.fromkeys(row[:2] for row in found):
        values = [found[size, limited, number] for number in campaigns]
        flat = values[-1] / values[0]
        of_limits = values[0] / found[size, False, campaigns[0]]
        ratios = [f"{flat:.2f}", f"{of_limits:.2f}" if limited else ""]
        made.append([named((size, limited, 0)), *(f"{value:,.{digits}f}" for value in values), *ratios])
    return made


def tables(taken: dict[Row, list[Figure]]) -> list[tuple[str, Table]]:
    """Processor time, which judges, and rates."""
    cpu = {row: statistics.median(one.cpu for one in runs) for row, runs in taken.items()}
    rate = {row: statistics.median(one.rate for one in runs) for row, runs in taken.items()}
    return [
        ("`dispatch` by campaigns of an account: processor time", table("server's µs a slot", cpu, 1)),
        ("`dispatch` by campaigns of an account: rate", table("slots a second", rate, 0)),
    ]
