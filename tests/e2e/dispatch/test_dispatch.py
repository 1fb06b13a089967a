"""Many dispatchers at once: every piece of work is handed out once, and no cap is overrun."""

import random
import threading
from collections import Counter

from e2e.support import at_once, equal, operation

DISPATCHERS = 20
ENQUEUERS = 2
ACCOUNTS = 200
# Of each account and action; those of campaign k2 are prospects whom k1 has too.
PROSPECTS = {"message": 34, "invite": 30, "profile_view": 28}
SHARED = 8
# So many accounts are stopped by an operator at first, each in its own way.
STOPPED = 20
NOON = "2026-05-20 12:00:00+00"
LATER = "2026-05-20 13:00:00+00"
HANDED = "SELECT account_id, campaign_id, prospect_id, action, operation_id, attempt FROM sendgate.dispatch(%s)"


def test_twenty_dispatchers_hand_out_everything_once(env):
    """200 accounts, 20,000 enrollments, mixed caps and answers, work and operators coming in between."""
    freeze(env, NOON)
    provision_many(env)
    ledger = Ledger()

    def work(number: int) -> None:
        if number < DISPATCHERS:
            dispatcher(env, ledger, random.Random(number))
        elif number < DISPATCHERS + ENQUEUERS:
            enqueuer(env, number - DISPATCHERS)
        else:
            operator(env)

    at_once(DISPATCHERS + ENQUEUERS + 1, work)
    # A dispatcher stops when it gets nothing, although another one may have held the account just then. This
    # one hands out the rest.
    dispatcher(env, ledger, random.Random(99))
    check_books(env)
    equal(in_state(env, "sending"), 0, "enrollments that are still sending")
    # Work that was rolled back waits for its back-off; then it is handed out in the same way.
    freeze(env, LATER)
    ledger.gives_back = False
    at_once(DISPATCHERS, lambda number: dispatcher(env, ledger, random.Random(100 + number)))
    dispatcher(env, ledger, random.Random(199))
    check_books(env)
    check_caps(env)
    equal(in_state(env, "sending"), 0, "enrollments that are still sending in the end")
    equal(in_state(env, "done"), len(ledger.done), "enrollments that are done")
    equal(in_state(env, "parked"), 0, "parked enrollments")


class Ledger:
    """What the workers know: who has which enrollment, and which are done."""

    def __init__(self):
        self.lock = threading.Lock()
        self.out: set = set()
        self.done: set = set()
        self.gives_back = True

    def take(self, rows) -> None:
        with self.lock:
            for row in rows:
                key = row[:4]
                assert key not in self.out, f"{key} was handed out while another worker has it"
                assert key not in self.done, f"{key} was handed out after it was done"
                self.out.add(key)

    def settle(self, rows, delivered: bool) -> None:
        """Forget these rows. Call it before the server is told: afterwards another worker may get them."""
        with self.lock:
            keys = {row[:4] for row in rows}
            self.out -= keys
            if delivered:
                self.done |= keys


def dispatcher(env, ledger: Ledger, rng: random.Random) -> None:
    """Dispatch and answer until there was nothing several times."""
    connection = env.connect()
    empty = 0
    while empty < 3:
        rows = connection.execute(HANDED, (rng.choice((1, 10, 100)),)).fetchall()
        empty = 0 if rows else empty + 1
        ledger.take(rows)
        rng.shuffle(rows)
        back = [row for row in rows if ledger.gives_back and row[5] == 1 and rng.random() < 0.15]
        sent = [row for row in rows if row not in back]
        ledger.settle(sent, True)
        settle(connection, sent, "confirm", rng)
        ledger.settle(back, False)
        settle(connection, back, "rollback", rng)


def settle(connection, rows, verb: str, rng: random.Random) -> None:
    """Answer one by one or all at once."""
    if not rows:
        return
    if rng.random() < 0.2:
        for row in rows:
            connection.execute(f"SELECT sendgate.{verb}(%s, %s)", (row[0], row[4]))
        return
    accounts, operations = [row[0] for row in rows], [row[4] for row in rows]
    answers = connection.execute(f"SELECT sendgate.{verb}_many(%s, %s)", (accounts, operations))
    equal(len(answers.fetchone()[0]), len(rows), f"answers of {verb}_many")


def enqueuer(env, number: int) -> None:
    """Adds the second half of the last action's prospects while the others work."""
    connection = env.connect(autocommit=False)
    half = PROSPECTS["profile_view"] // 2
    for account in range(number, ACCOUNTS, ENQUEUERS):
        connection.execute(
            """SELECT sendgate.enqueue('k1', 'p' || n, %s, 'profile_view')
            FROM generate_series(%s::int, %s) n""",
            (name(account), half + 1, PROSPECTS["profile_view"]),
        )
        connection.commit()


def operator(env) -> None:
    """Lets the stopped accounts go on, one after the other."""
    connection = env.connect()
    for account in range(STOPPED):
        if account % 4 == 0:
            connection.execute("SELECT sendgate.set_status(%s, 'connected', 'go')", (name(account),))
        elif account % 4 == 1:
            for action in PROSPECTS:
                values = (name(account), action, cap(account, action))
                connection.execute("SELECT sendgate.set_cap(%s, %s, %s)", values)
        elif account % 4 == 2:
            connection.execute("SELECT sendgate.set_window(%s, NULL, NULL, NULL)", (name(account),))
        else:
            connection.execute("SELECT sendgate.clear_cooldown(%s, 'go')", (name(account),))
    connection.execute("SELECT sendgate.resume_campaign('k2')")


def name(account: int) -> str:
    return f"a{account:03}"


def cap(account: int, action: str) -> int:
    """From none to more than there is."""
    return (account * 7 + len(action)) % (PROSPECTS[action] + 10)


def provision_many(env) -> None:
    connection = env.connect()
    connection.execute("SELECT sendgate.pause_campaign('k2')")
    for account in range(ACCOUNTS):
        connection.execute("SELECT sendgate.upsert_account(%s, 'recruiter')", (name(account),))
        stopped = account < STOPPED
        for action in PROSPECTS:
            low = stopped and account % 4 == 1
            values = (name(account), action, 0 if low else cap(account, action))
            connection.execute("SELECT sendgate.set_cap(%s, %s, %s)", values)
        if stopped and account % 4 == 0:
            connection.execute("SELECT sendgate.set_status(%s, 'paused', 'wait')", (name(account),))
        elif stopped and account % 4 == 2:
            connection.execute(
                "SELECT sendgate.set_window(%s, '20:00', '21:00', ARRAY[1, 2, 3, 4, 5, 6, 7])",
                (name(account),),
            )
        elif stopped and account % 4 == 3:
            id_ = operation(account)
            connection.execute("SELECT sendgate.reserve(%s, 'engagement', 'x', NULL, %s)", (name(account), id_))
            connection.execute("SELECT sendgate.rollback(%s, %s, 'slow down', NULL, 429)", (name(account), id_))
    for action, prospects in PROSPECTS.items():
        first = prospects // 2 if action == "profile_view" else prospects
        connection.execute(
            """SELECT sendgate.enqueue('k1', 'p' || n, 'a' || lpad(a::text, 3, '0'), %s)
            FROM generate_series(0, %s::int) a, generate_series(1, %s::int) n""",
            (action, ACCOUNTS - 1, first),
        )
    connection.execute(
        """SELECT sendgate.enqueue('k2', 'p' || n, 'a' || lpad(a::text, 3, '0'), 'message')
        FROM generate_series(0, %s::int) a, generate_series(1, %s::int) n""",
        (ACCOUNTS - 1, SHARED),
    )


def freeze(env, instant: str) -> None:
    """For all connections from now on."""
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.now = '{instant}'")


def in_state(env, state: str) -> int:
    return int(env.psql(f"SELECT count(*) FROM sendgate.enrollments WHERE state = '{state}'"))


def check_books(env) -> None:
    """Counters, journal and events agree, for every account and action."""
    differ = env.psql(
        """SELECT k.account_id, k.action, k.sent_today, count(o), count(o) FILTER (WHERE o.state = 'delivered'),
            (SELECT count(*) FROM sendgate.linkedin_events e
             WHERE e.account_id = k.account_id AND e.event_type = k.action || '_sent')
        FROM sendgate.counters k LEFT JOIN sendgate.send_operations o
            ON o.account_id = k.account_id AND o.action = k.action AND o.state <> 'released'
        GROUP BY k.account_id, k.action, k.sent_today
        HAVING k.sent_today <> count(o) OR count(o) <> count(o) FILTER (WHERE o.state = 'delivered')
            OR count(o) <> (SELECT count(*) FROM sendgate.linkedin_events e
                            WHERE e.account_id = k.account_id AND e.event_type = k.action || '_sent')"""
    )
    equal(differ, "", "accounts whose books differ")


def check_caps(env) -> None:
    """Whatever could be sent was sent: to each prospect once, and never more than the cap."""
    rows = env.connect().execute("SELECT k.account_id, k.action, k.sent_today FROM sendgate.counters k").fetchall()
    sent = Counter({(account, action): count for account, action, count in rows})
    for account in range(ACCOUNTS):
        for action, prospects in PROSPECTS.items():
            expected = min(cap(account, action), prospects)
            equal(sent[name(account), action], expected, f"{action} of {name(account)}")
