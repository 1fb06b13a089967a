"""Sequences of several messages: put in as lists, handed out step by step, through crashes and retries."""

from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from e2e.support import equal, operation, provision

NEWEST_ONLY = True

ACCOUNTS = ("a", "b")
PROSPECTS, STEPS = 12, 3
BEGINS = datetime(2026, 5, 18, 12, tzinfo=UTC)
PUT_IN = """SELECT element, result FROM sendgate.enqueue_many(%s::text[], %s::text[], %s::text[], %s::text[],
    dispatch_ats => %s::timestamptz[], steps => %s::int[], payloads => %s::jsonb[])"""
HAND_OUT = "SELECT account_id, prospect_id, step, payload, operation_id FROM sendgate.dispatch(1000, request_id => %s)"
SETTLE = "SELECT sendgate.confirm_many(%s::text[], %s::uuid[], %s::text[])"
GIVE_BACK = "SELECT sendgate.rollback_many(%s::text[], %s::uuid[], %s::text[], NULL, %s::int[])"
UNEQUAL = """SELECT prospect_id, step FROM sendgate.enrollments WHERE state <> 'done'
UNION ALL
SELECT prospect_id, step::int FROM sendgate.send_operations WHERE state = 'delivered'
GROUP BY account_id, prospect_id, step HAVING count(*) <> 1"""


def test_every_step_is_sent_once_and_in_its_time(env):
    """A prospect gets the first message, then the second, then the third; each with its own payload."""
    for account in ACCOUNTS:
        provision(env, account, message=1000)
    connection = at(env, BEGINS)
    equal(set(put_in(connection)), {"new"}, "results of the list")
    equal(set(put_in(connection)), {"exists"}, "results of the same list again")
    sent: dict[tuple, list[int]] = {}
    for day in range(STEPS * 3 + 2):
        now, request = BEGINS + timedelta(days=day, minutes=1), (operation(day),)
        connection = at(env, now)
        rows = connection.execute(HAND_OUT, request).fetchall()
        if day == 3:
            # The worker asks again, because the answer went down with the server.
            env.cluster.stop("immediate")
            env.cluster.start()
            connection = at(env, now)
            equal(connection.execute(HAND_OUT, request).fetchall(), rows, "the same request after a crash")
            equal(len(rows), PROSPECTS * len(ACCOUNTS), "second messages")
        for _, prospect, step, payload, _ in rows:
            equal(payload, {"text": f"{prospect}, message {step}"}, "payload")
        fails = [row for row in rows if row[1] == "p3" and day < 1]
        answer(connection, fails, GIVE_BACK, ["busy"] * len(fails), [503] * len(fails))
        passes = [row for row in rows if row not in fails]
        answer(connection, passes, SETTLE, [f"chat {row[4]}" for row in passes])
        for account, prospect, step, _, _ in passes:
            sent.setdefault((account, prospect), []).append(step)
    equal(set(map(tuple, sent.values())), {tuple(range(1, STEPS + 1))}, "steps that a prospect got")
    equal(len(sent), PROSPECTS * len(ACCOUNTS), "prospects")
    equal(connection.execute(UNEQUAL).fetchall(), [], "steps that were not sent once")


def at(env, instant: datetime):
    """A connection at this instant."""
    connection = env.connect()
    connection.execute("SELECT set_config('sendgate.now', %s, false)", (instant.isoformat(),))
    return connection


def put_in(connection) -> list[str]:
    """Three messages to each prospect of each account, the later ones first, three days apart."""
    work = [
        (account, f"p{n}", step)
        for step in range(STEPS, 0, -1)
        for account in ACCOUNTS
        for n in range(1, PROSPECTS + 1)
    ]
    arguments = (
        ["spring"] * len(work),
        [prospect for _, prospect, _ in work],
        [account for account, _, _ in work],
        ["message"] * len(work),
        [BEGINS + timedelta(days=3 * (step - 1)) for _, _, step in work],
        [step for _, _, step in work],
        [Jsonb({"text": f"{prospect}, message {step}"}) for _, prospect, step in work],
    )
    rows = connection.execute(PUT_IN, arguments).fetchall()
    equal([element for element, _ in rows], list(range(1, len(work) + 1)), "elements")
    return [result for _, result in rows]


def answer(connection, rows: list[tuple], call: str, *told: list) -> None:
    """One answer for all of these."""
    if rows:
        connection.execute(call, ([row[0] for row in rows], [row[4] for row in rows], *told))
