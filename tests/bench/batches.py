"""Slots a second of `dispatch`, by slots a call, next to single calls of `reserve`.

Each run starts from the same work: for every account ten due InMails, one ticket. What the runs
before it left is taken away, so that the first and the last size meet tables of the same size.
"""

import re
from dataclasses import dataclass

from harness.progress import HarnessError

from .server import Server

WORK_PER_ACCOUNT = 10
SIZES = (1, 10, 100, 1000)
# Four hundred thousand pieces of work are more than a run hands out; making them takes its time.
ACCOUNTS_MAX = 40_000


# Counters of the account row; which of them exist depends on the revision (compare.py measures an earlier one).
COUNTERS = "'inmails_sent_today', 'inmails_sent_this_week', 'inmail_attempts_today'"
RESET = (
    "TRUNCATE sendgate.enrollments, sendgate.dispatch_queue, sendgate.send_operations",
    f"""
DO $$ BEGIN
    EXECUTE (
        SELECT 'UPDATE sendgate.accounts SET inmail_last_at = NULL, ' || string_agg(attname || ' = 0', ', ')
               || ' WHERE inmails_sent_today > 0'
        FROM pg_attribute WHERE attrelid = 'sendgate.accounts'::regclass AND attname IN ({COUNTERS}));
END $$""",
    """
INSERT INTO sendgate.enrollments
    (enqueued_at, changed_at, next_dispatch_at, account_id, prospect_id, campaign_id, action)
SELECT now(), now(), now() - interval '1 hour' + n * interval '1 ms', 'account-' || n,
       'prospect-' || n || '-' || k, 'campaign-' || k, 'inmail'
FROM generate_series(1, {accounts}) n, generate_series(1, {work}) k""",
    """
INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
SELECT now() - interval '1 hour' + n * interval '1 ms', gen_random_uuid(), 'account-' || n, 'inmail'
FROM generate_series(1, {accounts}) n""",
)

DISPATCH = "SELECT count(*) FROM sendgate.dispatch({size});"
CONFIRM = """
WITH handed AS MATERIALIZED (SELECT * FROM sendgate.dispatch({size}))
SELECT cardinality(sendgate.confirm_many(array_agg(account_id), array_agg(operation_id),
                                         array_agg('chat-' || prospect_id)))
FROM handed HAVING count(*) > 0;
"""

# Where a name of `scripts` says how many slots a call asks for.
SIZE = re.compile(r"\((\d+)\)")

HANDED = "SELECT count(*) FROM sendgate.send_operations"


@dataclass(frozen=True)
class Figure:
    """One run of one row: calls (or slots) a second, and the server's microseconds for one."""

    rate: float
    cpu: float


def scripts() -> dict[str, str]:
    """What is measured, by name: each size alone, and those of several slots with their confirmations."""
    found = {f"dispatch({size})": DISPATCH.format(size=size) for size in SIZES}
    return found | {f"dispatch({size}) + confirm_many": CONFIRM.format(size=size) for size in SIZES[1:]}


def size_of(name: str) -> int:
    """How many slots one call of ``scripts()[name]`` asks for."""
    return int(SIZE.search(name)[1])


def reset_statements(accounts: int) -> list[str]:
    """The statements that make the same work again."""
    return [sql.replace("{accounts}", str(accounts)).replace("{work}", str(WORK_PER_ACCOUNT)) for sql in RESET]


def reset(cluster, accounts: int) -> None:
    """The same work again."""
    cluster.psql(";\n".join(reset_statements(accounts)), "postgres")
    cluster.psql("VACUUM ANALYZE", "postgres")
    cluster.psql("CHECKPOINT", "postgres")


def handed(cluster) -> int:
    """Slots that were taken since the reset."""
    return int(cluster.psql(HANDED, "postgres").strip())


def run(server: Server, script: str, accounts: int, seconds: float) -> Figure:
    """Slots a second of one script, and the server's time for one, from the same work as every other run."""
    reset(server.cluster, accounts)
    server.run(script, 1)
    before = handed(server.cluster)
    cost = server.run(script, seconds)
    after = handed(server.cluster)
    if after == accounts * WORK_PER_ACCOUNT:
        raise HarnessError("dispatch ran out of work: measure with more --accounts, or for fewer --seconds")
    slots = (after - before) / cost.calls
    return Figure(cost.rate * slots, cost.cpu / slots)
