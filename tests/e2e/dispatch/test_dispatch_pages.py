"""Pages of tickets: how many a call reads, by which plans, and what it leaves of them.

The statements are overheard, never timed.
"""

import json

from e2e.support import equal, provision
from e2e.support.plans import listening

# They ask auto_explain, which not every copy of PostgreSQL that the tests run on has.
NEWEST_ONLY = True

POOR = 60
TURNS = 12

# Tickets in the order in which they fall due: of all actions, and of one.
WALKED = ("dispatch_queue_due_idx", "dispatch_queue_action_idx")


def test_a_session_that_met_a_rich_account_reads_pages_of_poor_ones(env):
    """What it learned of an account with much work it forgets with those that have little: else it would
    read one ticket at a time, with all its statements, as long as it lives."""
    provision(env, "rich", inmail=500)
    env.psql(f"SELECT count(sendgate.upsert_account('poor' || n, 'sales_navigator')) FROM generate_series(1, {POOR}) n")
    env.psql("SELECT count(sendgate.enqueue('c', 'p' || n, 'rich', 'inmail')) FROM generate_series(1, 100) n")
    connection = env.connect()
    equal(len(connection.execute("SELECT FROM sendgate.dispatch(100)").fetchall()), 100, "slots of the rich")
    pages = []
    for turn in range(2):
        env.psql(
            f"SELECT count(sendgate.enqueue('c', 'p{turn}', 'poor' || n, 'inmail')) FROM generate_series(1, {POOR}) n"
        )
        connection.execute("BEGIN")
        before = scans(connection, WALKED[0])
        equal(len(connection.execute(f"SELECT FROM sendgate.dispatch({POOR})").fetchall()), POOR, "slots")
        pages.append(scans(connection, WALKED[0]) - before)
        connection.execute("COMMIT")
    # A page after the first one is up to two scans.
    assert 0 < pages[0] <= 12, f"{pages[0]} scans, the first time"
    assert 0 < pages[1] <= 3, f"{pages[1]} scans for one slot each of {POOR} accounts"


def test_an_account_that_may_not_send_keeps_one_ticket(env):
    """Work that comes while its ticket is held brings another one. A worker who takes one slot at a time
    looks at one of them a time, and they become one again all the same: each would cost a row a day, and
    the account would have as many turns."""
    provision(env, "a", inmail=TURNS)
    application, dispatcher = env.connect(), env.connect(autocommit=False)
    application.execute("SELECT sendgate.enqueue('c', 'first', 'a', 'inmail')")
    for turn in range(TURNS):
        equal(len(dispatcher.execute("SELECT FROM sendgate.dispatch(1)").fetchall()), 1, "slots")
        application.execute("SELECT sendgate.enqueue('c', %s, 'a', 'inmail')", (f"p{turn}",))
        dispatcher.commit()
    env.psql("SELECT sendgate.enqueue('c', 'last', 'a', 'inmail')")
    equal(len(dispatcher.execute("SELECT FROM sendgate.dispatch(1)").fetchall()), 0, "slots above the cap")
    dispatcher.commit()
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch_queue"), "1", "tickets")
    # Whatever was thrown away, nothing is forgotten.
    env.psql("SELECT sendgate.set_cap('a', 'inmail', 100)")
    equal(len(dispatcher.execute("SELECT FROM sendgate.dispatch(100)").fetchall()), 2, "slots below it")


def test_tickets_are_walked_in_order_or_found_by_account(env):
    """Whenever the plan was made: without a sort of all that are due, and for one account without a walk
    past those of all others."""
    provision(env, "a0")
    for moment in ("empty", "full", "analyzed"):
        if moment == "full":
            fill(env)
        if moment == "analyzed":
            env.psql("ANALYZE sendgate.dispatch_queue, sendgate.accounts")
        connection, log = listening(env)
        for call, index in (("dispatch(1)", WALKED[0]), ("dispatch(1, 'invite')", WALKED[1])):
            log.clear()
            equal(walks(connection, call), [index], f"indexes of {call} on {moment} tables")
            equal(picks(log), [], f"statements of {call} that read tickets")
        for call in ("dispatch(1, NULL, 'a0')", "dispatch(1, 'invite', 'a0')"):
            log.clear()
            connection.execute(f"SELECT FROM sendgate.{call}")
            plan = json.dumps(picks(log)[0]["Plan"])
            assert '"dispatch_queue_pkey"' in plan, f"{call} on {moment} tables: {plan}"
            assert '"Sort"' in plan, f"{call} on {moment} tables: {plan}"


def walks(connection, call: str) -> list[str]:
    """Which of the orders of tickets a call walks along."""
    connection.execute("BEGIN")
    before = {index: scans(connection, index) for index in WALKED}
    connection.execute(f"SELECT FROM sendgate.{call}")
    walked = [index for index in WALKED if scans(connection, index) > before[index]]
    connection.execute("ROLLBACK")
    return walked


def scans(connection, index: str) -> int:
    """How often this session has begun to walk along an index. Inside a transaction PostgreSQL does not begin to count
    anew."""
    scans = "SELECT pg_stat_get_xact_numscans(('sendgate.' || %s)::regclass)"
    return connection.execute(scans, (index,)).fetchone()[0]


def fill(env) -> None:
    """Many accounts that may not send, with tickets that are due."""
    env.psql(
        """SELECT count(sendgate.upsert_account('a' || n, 'free')) FROM generate_series(1, 2000) n;
        INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
        SELECT sendgate.clock(), gen_random_uuid(), 'a' || n, a
        FROM generate_series(1, 2000) n, unnest(ARRAY['inmail', 'profile_view']) a"""
    )


def picks(log: list[dict]) -> list[dict]:
    """The statements that read a page and hold its accounts."""
    return [plan for plan in log if "OF a SKIP LOCKED" in plan["Query Text"]]
