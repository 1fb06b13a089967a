"""Dispatchers of all kinds at once: autocommitted, several calls and savepoints in one transaction, stricter
isolation levels; beside them new work, operators and the books. There is no deadlock, nothing is handed out
twice, and no work that may be sent is forgotten."""

import random
import threading

from e2e.support import at_once, equal

ACCOUNTS = 6
ACTIONS = ("inmail", "invite", "message")
CAPS = (0, 20, 10_000)
ACTS = 80
DISPATCH = "SELECT account_id, campaign_id, prospect_id, action, operation_id FROM sendgate.dispatch(%s, %s, %s)"
# What may be sent by the account of preview, one enrollment after the other.
SENDABLE = """
SELECT e.account_id, e.campaign_id, e.prospect_id, e.action FROM sendgate.enrollments e
CROSS JOIN LATERAL sendgate.preview(e.account_id, e.action, e.prospect_id) p
WHERE e.state = 'waiting' AND (e.next_dispatch_at IS NULL OR e.next_dispatch_at <= sendgate.clock())
  AND p.proceed AND NOT EXISTS (SELECT FROM sendgate.paused_campaigns c WHERE c.campaign_id = e.campaign_id)"""
DIFFER = """
SELECT k.account_id, k.action, k.sent_today, count(o) FROM sendgate.counters k
LEFT JOIN sendgate.send_operations o
    ON o.account_id = k.account_id AND o.action = k.action AND o.state <> 'released'
GROUP BY k.account_id, k.action, k.sent_today HAVING k.sent_today <> count(o)"""


def test_nothing_is_forgotten_or_handed_out_twice(env):
    poison(env)
    for account in range(ACCOUNTS):
        env.psql(f"SELECT sendgate.upsert_account('a{account}', 'recruiter')")
    out = HandedOut()
    kinds = [worker] * 4 + [in_transactions] * 2 + [strictly] * 2 + [enqueuer, operator, operator, books]

    def act(number: int) -> None:
        connection, rng = env.connect(), random.Random(number)
        for _ in range(ACTS):
            kinds[number](connection, rng, out)

    at_once(len(kinds), act)
    env.psql("SELECT sendgate.resume_all()")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")
    connection = env.connect()
    while rows := connection.execute(DISPATCH, (7, None, None)).fetchall():
        confirm(connection, rows)
    equal(connection.execute(SENDABLE).fetchall(), [], "work that may be sent and is not found")
    equal(connection.execute(DIFFER).fetchall(), [], "accounts whose books differ")


class HandedOut:
    """The rows that workers have at the moment; no other worker gets one of them before they answer."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rows: set = set()

    def take(self, rows) -> None:
        with self.lock:
            for row in rows:
                assert row[:4] not in self.rows, f"{row[:4]} was handed out while another worker has it"
                self.rows.add(row[:4])

    def answer(self, connection, rows, rng) -> None:
        """Settle rows. They are forgotten before the server is told: afterwards another worker may get them."""
        for row in rows:
            with self.lock:
                self.rows.remove(row[:4])
            if rng.random() < 0.5:
                confirm(connection, [row])
            else:
                error, status = rng.choice(((None, None), ("credit", 402), ("deleted", 422)))
                connection.execute("SELECT sendgate.rollback(%s, %s, %s, NULL, %s)", (row[0], row[4], error, status))


def confirm(connection, rows) -> None:
    for row in rows:
        connection.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (row[0], row[4]))


def worker(connection, rng, out) -> None:
    action = rng.choice((None, None, *ACTIONS))
    account = rng.choice((None, None, f"a{rng.randrange(ACCOUNTS)}"))
    rows = connection.execute(DISPATCH, (rng.choice((1, 3, 100)), action, account)).fetchall()
    out.take(rows)
    out.answer(connection, rows, rng)


def in_transactions(connection, rng, out) -> None:
    import psycopg

    kept: list = []
    with connection.transaction():
        for _ in range(rng.randint(1, 4)):
            undo = rng.random() < 0.3
            with connection.transaction():
                rows = connection.execute(DISPATCH, (rng.choice((1, 5, 50)), None, None)).fetchall()
                if undo:
                    raise psycopg.Rollback()
            kept += [] if undo else rows
    out.take(kept)
    out.answer(connection, kept, rng)


def strictly(connection, rng, out) -> None:
    """With a snapshot that is old already when it dispatches. A serialization error is an answer, too."""
    import psycopg

    level = rng.choice(("REPEATABLE READ", "SERIALIZABLE"))
    try:
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        connection.execute("SELECT count(*) FROM sendgate.dispatch_queue, pg_sleep(0.002)")
        rows = connection.execute(DISPATCH, (rng.choice((1, 5, 50)), None, None)).fetchall()
        rows += connection.execute(DISPATCH, (1, None, None)).fetchall()
        connection.execute("COMMIT")
    except psycopg.errors.SerializationFailure:
        connection.execute("ROLLBACK")
        return
    out.take(rows)
    out.answer(connection, rows, rng)


def enqueuer(connection, rng, _) -> None:
    """A prospect has one action, so that no switch of a campaign's action waits for what is put in here."""
    with connection.transaction():
        for _ in range(rng.randint(1, 10)):
            campaign, account = rng.choice(("k1", "k2", "k3")), f"a{rng.randrange(ACCOUNTS)}"
            action = rng.choice(ACTIONS)
            prospect = ("poison" if rng.random() < 0.05 else action) + str(rng.randrange(500))
            connection.execute("SELECT sendgate.enqueue(%s, %s, %s, %s)", (campaign, prospect, account, action))


def operator(connection, rng, _) -> None:
    account, action = f"a{rng.randrange(ACCOUNTS)}", rng.choice(ACTIONS)
    connection.execute(
        "SELECT sendgate."
        + rng.choice(
            (
                f"set_cap('{account}', '{action}', {rng.choice(CAPS)})",
                f"set_tier_cap('recruiter', '{action}', {rng.choice(CAPS)})",
                f"set_status('{account}', 'paused', 'test')",
                f"set_status('{account}', 'connected', 'test')",
                f"breaker_arm('{account}', 'test')",
                f"breaker_clear('{account}', 'test')",
                f"resume_deferred('{account}')",
                f"cancel('k3', '{action}{rng.randrange(500)}')",
                "pause_campaign('k2')",
                "resume_campaign('k2')",
                "switch_action('k1', 'inmail', 'invite')",
                "pause_all('test')",
                "resume_all()",
                "resume_all()",
            )
        )
    )


def books(connection, rng, _) -> None:
    for job in ("audit_events", "reconcile_operations", "midnight_reset"):
        connection.execute(f"SELECT * FROM sendgate.{job}()")


def poison(env) -> None:
    """What the application's own trigger on the journal refuses."""
    env.psql(
        """CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'no %', NEW.prospect_id; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON sendgate.send_operations FOR EACH ROW
        WHEN (NEW.prospect_id LIKE 'poison%') EXECUTE FUNCTION public.refuse()"""
    )
