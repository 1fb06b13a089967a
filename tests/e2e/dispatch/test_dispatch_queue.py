"""The queue of dispatch: nothing that may be sent waits behind what may not, and an account that may
not send costs a row a day."""

import random

from e2e.support import equal, login, operation, provision

SEEDS = range(1, 13)
ACTIONS = ("inmail", "invite", "message")
HANDED = "SELECT account_id, campaign_id, prospect_id, action, operation_id FROM sendgate.dispatch(1)"
# The enrollments that may be sent now, by preview of each. One that waits for an event counts too: if the
# event has come, the call that wrote it should have woken the enrollment.
SENDABLE = """
SELECT e.account_id, e.campaign_id, e.prospect_id, e.action FROM sendgate.enrollments e
CROSS JOIN LATERAL sendgate.preview(e.account_id, e.action, e.prospect_id) p
WHERE e.state = 'waiting' AND (e.next_dispatch_at IS NULL OR e.next_dispatch_at <= sendgate.clock())
  AND e.prospect_id NOT LIKE 'poison%%' AND p.proceed
  AND NOT EXISTS (SELECT FROM sendgate.paused_campaigns c WHERE c.campaign_id = e.campaign_id)"""
WRITES = """
SELECT coalesce(pg_catalog.sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
FROM pg_catalog.pg_stat_xact_all_tables WHERE schemaname = 'sendgate'"""


def test_whatever_may_be_sent_is_found(env):
    """Random accounts, each stopped in some way or none, answers and operators coming in between:
    dispatch(1) finds something exactly when there is something."""
    poison(env)
    for seed in SEEDS:
        print(f"seed {seed}")
        Play(env, seed).run()


class Play:
    """A random history of one seed, on accounts of its own."""

    def __init__(self, env, seed: int):
        self.seed, self.rng = seed, random.Random(seed)
        self.connection = env.connect()
        self.minutes = 9 * 60
        self.tell_time()
        self.ask("DELETE FROM sendgate.enrollments")
        self.ask("DELETE FROM sendgate.dispatch_queue")
        self.ask("DELETE FROM sendgate.paused_campaigns")
        self.accounts = [f"s{seed}-{n}" for n in range(12)]
        self.out: list = []
        self.log: list = []

    def ask(self, sql: str, *values):
        cursor = self.connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else None

    def tell_time(self) -> None:
        hours, minutes = divmod(self.minutes, 60)
        now = f"2026-05-{20 + hours // 24} {hours % 24:02}:{minutes:02}:00+00"
        self.ask(f"SET sendgate.now = '{now}'")

    def run(self) -> None:
        for account in self.accounts:
            self.provision(account)
        for _ in range(6):
            self.drain()
            for _ in range(self.rng.randint(1, 4)):
                self.event()
        self.drain()
        self.connection.close()

    def provision(self, account: str) -> None:
        rng = self.rng
        self.ask("SELECT sendgate.upsert_account(%s, 'sales_navigator')", account)
        for action in ACTIONS:
            self.ask("SELECT sendgate.set_cap(%s, %s, %s)", account, action, rng.choice((0, 1, 2, 5, 20)))
        for number in range(rng.randint(0, 10)):
            prospect = rng.choice(("poison", "p")) + str(number) if rng.random() < 0.15 else f"p{number}"
            for action in rng.sample(ACTIONS, rng.randint(1, 3)):
                due = rng.choice((None, None, "2026-05-20 08:00+00", "2026-05-20 11:00+00"))
                self.ask(
                    "SELECT sendgate.enqueue(%s, %s, %s, %s, %s::timestamptz)",
                    rng.choice(("k1", "k2", "k3")), prospect, account, action, due,
                )  # fmt: skip
        for _ in range(rng.randint(0, 2)):
            self.change(account)

    def change(self, account: str) -> None:
        """Something that stops the account, or lets it go on."""
        rng = self.rng
        verb = rng.choice(
            ("pause", "connect", "shut", "open", "cool", "warm", "arm", "clear", "probe", "force",
             "unforce", "used", "cap")
        )  # fmt: skip
        calls = {
            "pause": "set_status(%(a)s, 'paused', 'test')",
            "connect": "set_status(%(a)s, 'connected', 'test')",
            "shut": "set_window(%(a)s, '21:00', '22:00', ARRAY[1, 2, 3, 4, 5, 6, 7])",
            "open": "set_window(%(a)s, NULL, NULL, NULL)",
            "warm": "clear_cooldown(%(a)s, 'test')",
            "arm": "breaker_arm(%(a)s, 'test')",
            "clear": "breaker_clear(%(a)s, 'test')",
            "force": "breaker_force(%(a)s, 'open', 'test')",
            "unforce": "breaker_force(%(a)s, 'auto', 'test')",
            "used": "reserve(%(a)s, 'message', 'p1')",
            "cap": f"set_cap(%(a)s, '{rng.choice(ACTIONS)}', {rng.choice((0, 3, 30))})",
        }
        self.log.append((verb, account))
        if verb == "cool":
            self.cool(account)
        elif verb == "probe":
            self.probe(account)
        else:
            self.connection.execute(f"SELECT sendgate.{calls[verb]}", {"a": account})

    def cool(self, account: str) -> None:
        granted, id_ = self.ask(
            "SELECT proceed, operation_id FROM sendgate.reserve(%s, 'engagement', %s)",
            account, f"x{self.rng.random()}",
        )[0]  # fmt: skip
        if granted:
            self.ask("SELECT sendgate.rollback(%s, %s, 'slow down', NULL, 429, '20 minutes')", account, id_)

    def probe(self, account: str) -> None:
        try:
            self.ask("SELECT sendgate.breaker_probe(%s, 'test')", account)
        except Exception as error:
            assert getattr(error, "sqlstate", None) in ("SG206", "SG207", "SG208"), error

    def event(self) -> None:
        """Time goes by, answers come, operators and applications do something."""
        rng = self.rng
        what = rng.choice(("time", "time", "answer", "answer", "campaign", "enqueue", "account", "account"))
        if what == "time":
            self.minutes += rng.choice((1, 6, 25, 61, 300))
            self.log.append(("time", self.minutes))
            self.tell_time()
        elif what == "answer":
            for row in rng.sample(self.out, len(self.out) // 2):
                self.answer(row)
        elif what == "campaign":
            campaign = rng.choice(("k1", "k2", "k3"))
            verb = rng.choice(("pause", "resume", "resume"))
            self.log.append((verb, campaign))
            self.ask(f"SELECT sendgate.{verb}_campaign(%s)", campaign)
        elif what == "enqueue":
            account, prospect = rng.choice(self.accounts), f"p{rng.randint(0, 20)}"
            self.log.append(("enqueue", account, prospect))
            self.ask("SELECT sendgate.enqueue('k1', %s, %s, %s)", prospect, account, rng.choice(ACTIONS))
        else:
            self.change(rng.choice(self.accounts))

    def answer(self, row) -> None:
        account, id_ = row[0], row[4]
        error = self.rng.choice((None, None, "deleted", "gateway", "credit", "who knows", "limit"))
        self.out.remove(row)
        self.log.append(("answer", *row[:4], error))
        if error is None:
            self.ask("SELECT sendgate.confirm(%s, %s, 'chat')", account, id_)
        else:
            status = {"deleted": 422, "gateway": 503, "credit": 402, "who knows": 500, "limit": 429}[error]
            self.ask("SELECT sendgate.rollback(%s, %s, %s, NULL, %s)", account, id_, error, status)

    def drain(self) -> None:
        """Until there is nothing; what brute force finds must be found."""
        while True:
            sendable = {tuple(row) for row in self.ask(SENDABLE)}
            rows = self.ask(HANDED)
            where = f"seed {self.seed}, after {self.log[-12:]}"
            if not rows:
                assert not sendable, f"{where}: dispatch found none of {sorted(sendable)}"
                return
            assert rows[0][:4] in sendable, f"{where}: {rows[0][:4]} may not be sent"
            self.log.append(("dispatch", *rows[0][:4]))
            self.out.append(rows[0])
            if self.rng.random() < 0.3:
                self.answer(rows[0])


def poison(env) -> None:
    """What the application's own trigger on the journal refuses."""
    env.psql(
        """CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'no %', NEW.prospect_id; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON sendgate.send_operations FOR EACH ROW
        WHEN (NEW.prospect_id LIKE 'poison%') EXECUTE FUNCTION public.refuse()"""
    )


def test_an_account_that_may_not_send_costs_one_row_a_day(env):
    """5,000 due enrollments each, fifty calls over a day: they only move the ticket to a later time."""
    stopped = {
        "capped": "SELECT sendgate.set_cap('@', 'message', 0)",
        "used up": "SELECT sendgate.set_cap('@', 'message', 1); SELECT sendgate.reserve('@', 'message', 'x')",
        "paused": "SELECT sendgate.set_status('@', 'paused', 'test')",
        "window": "SELECT sendgate.set_window('@', '23:58', '23:59', ARRAY[1, 2, 3, 4, 5, 6, 7])",
        "forced": "SELECT sendgate.breaker_force('@', 'open', 'test')",
        "cooling": f"""SELECT sendgate.reserve('@', 'engagement', 'x', NULL, '{operation(1)}');
            SELECT sendgate.rollback('@', '{operation(1)}', 'slow down', NULL, 429, '1 day')""",
    }
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.now = '2026-05-20 00:00:30+00'")
    connection = env.connect(autocommit=False)
    for account, stop in stopped.items():
        action = "inmail" if account == "forced" else "message"
        connection.execute("SET sendgate.now = '2026-05-20 00:00:30+00'")
        provision(env, account)
        connection.execute(stop.replace("@", account))
        connection.execute(
            """SELECT count(sendgate.enqueue('k', 'p' || n, %s, %s, '2026-05-20 00:00+00'))
            FROM generate_series(1, 5000) n""",
            (account, action),
        )
        connection.commit()
        written = 0
        for call in range(50):
            minutes = 1 + call * 28
            connection.execute(f"SET sendgate.now = '2026-05-20 {minutes // 60:02}:{minutes % 60:02}+00'")
            # Writes before the call are subtracted: PostgreSQL drops them some time after their commit.
            written -= int(connection.execute(WRITES).fetchone()[0])
            rows = connection.execute("SELECT * FROM sendgate.dispatch(100, account_id => %s)", (account,)).fetchall()
            equal(rows, [], f"handed out by {account}")
            written += int(connection.execute(WRITES).fetchone()[0])
            connection.commit()
        equal(written, 1, f"rows written for {account}")
        touched = env.psql(
            f"SELECT count(*) FROM sendgate.enrollments WHERE account_id = '{account}'"
            " AND (state <> 'waiting' OR reason IS NOT NULL OR changed_at <> enqueued_at)"
        )
        equal(touched, "0", f"enrollments of {account} that were touched")


def test_a_poisoned_enrollment_is_parked_alone(env):
    """One of a hundred is refused by a trigger: the other 99 are handed out, at the first call."""
    provision(env, message=200)
    poison(env)
    env.psql(
        """SELECT sendgate.enqueue('k', CASE n WHEN 37 THEN 'poison' ELSE 'p' || n END, 'a', 'message')
        FROM generate_series(1, 100) n"""
    )
    rows = env.connect().execute("SELECT prospect_id FROM sendgate.dispatch(100)").fetchall()
    equal(len(set(rows)), 99, "handed out")
    parked = env.psql("SELECT prospect_id, reason, error FROM sendgate.enrollments WHERE state = 'parked'")
    equal(parked, "poison|poisoned|P0001: no poison", "parked")
    counter = env.psql("SELECT messages_sent_today FROM sendgate.accounts")
    equal(counter, "99", "counter")
    equal(env.psql("SELECT count(*) FROM sendgate.send_operations"), "99", "journal")


def test_a_sender_dispatches_and_touches_no_table(env):
    """With the rights of an application; without any it is refused."""
    provision(env)
    sender = env.connect(user=login(env, "campaign_sender", "sendgate_sender"))
    stranger = env.connect(user=login(env, "campaign_stranger"))
    for call in (
        "sendgate.enqueue('k', 'p', 'a', 'message')",
        "sendgate.dispatch(10)",
        "sendgate.cancel('k', 'nobody')",
        "sendgate.confirm_many(ARRAY[]::text[], ARRAY[]::uuid[])",
        "sendgate.rollback_many(ARRAY[]::text[], ARRAY[]::uuid[])",
    ):
        sender.execute(f"SELECT * FROM {call}")
        refused(stranger, f"SELECT * FROM {call}")
    for table in ("enrollments", "dispatch_queue", "dispatch_requests", "paused_campaigns", "campaign_events"):
        refused(sender, f"SELECT * FROM sendgate.{table}")
        refused(sender, f"DELETE FROM sendgate.{table}")
    for call in ("pause_campaign('k')", "resume_campaign('k')", "resume_deferred('a')"):
        refused(sender, f"SELECT sendgate.{call}")
    equal(env.psql("SELECT state FROM sendgate.enrollments"), "sending", "what the sender handed out")


def refused(connection, sql: str) -> None:
    try:
        connection.execute(sql)
        raise AssertionError(f"{sql} was allowed")
    except Exception as error:
        equal(getattr(error, "sqlstate", None), "42501", f"SQLSTATE of {sql}")


def test_a_backlog_that_must_wait_is_deferred_call_by_call(env):
    """More than one call defers, of more accounts than one page holds, by a running clock: each call
    does its share and returns."""
    connection = env.connect()
    connection.execute("SET statement_timeout = '30s'")
    for account in range(40):
        provision(env, f"d{account}")
    connection.execute(
        "SELECT sendgate.enqueue('k', 'p' || k, 'd' || n, 'inmail')"
        " FROM pg_catalog.generate_series(0, 39) n, pg_catalog.generate_series(1, 60) k"
    )
    connection.execute("SELECT sendgate.breaker_arm('d' || n, 'test') FROM pg_catalog.generate_series(0, 39) n")
    deferred = "SELECT pg_catalog.count(*) FROM sendgate.campaign_events"
    before = -1
    for _ in range(2400 // 600):
        equal(connection.execute("SELECT * FROM sendgate.dispatch(10)").fetchall(), [], "handed out")
        (after,) = connection.execute(deferred).fetchone()
        assert before < after or after == 2400, f"{after} deferred, {before} before"
        before = after
    equal(before, 2400, "deferred")
    connection.close()


def test_dispatch_waits_for_nobody_who_counts_a_repeat(env):
    """A worker that asks again about a skipped InMail and does not commit holds its line of the audit,
    and neither dispatch nor the other accounts."""
    provision(env, "held")
    provision(env, "other")
    env.psql("SELECT sendgate.breaker_arm('held', 'test')")
    env.psql("SELECT sendgate.enqueue('k', 'p', 'held', 'inmail')")
    env.psql("SELECT * FROM sendgate.dispatch(1)")
    env.psql("SELECT sendgate.resume_deferred('held')")
    env.psql("SELECT sendgate.enqueue('k', 'p', 'other', 'message')")
    worker, dispatcher = env.connect(autocommit=False), env.connect()
    worker.execute("SELECT sendgate.reserve('held', 'inmail', 'p', 'k')")
    dispatcher.execute("SET statement_timeout = '20s'")
    rows = dispatcher.execute("SELECT account_id FROM sendgate.dispatch(10)").fetchall()
    equal(rows, [("other",)], "handed out")
    worker.commit()
    worker.close()
    dispatcher.close()


def test_a_dispatcher_holds_only_the_accounts_that_it_needs(env):
    """So that those who ask at the same moment pass over few, and find the next one each."""
    for n in range(30):
        provision(env, f"a{n:02}")
    env.psql(
        "SELECT count(sendgate.enqueue('c', 'p' || n / 30, 'a' || lpad((n % 30)::text, 2, '0'), 'inmail'))"
        " FROM generate_series(0, 299) n"
    )
    looking = env.connect()
    free = "WITH free AS (SELECT FROM sendgate.accounts FOR UPDATE SKIP LOCKED) SELECT count(*) FROM free"
    scans = "SELECT pg_stat_get_xact_numscans('sendgate.accounts_pkey'::regclass)"
    served, dispatchers = set(), []
    for others in range(5):
        dispatchers.append(connection := env.connect(autocommit=False))
        ((account,),) = connection.execute("SELECT account_id FROM sendgate.dispatch(1)").fetchall()
        served.add(account)
        equal(looking.execute(free).fetchone()[0], 29 - others, "accounts that are not held")
        read = connection.execute(scans).fetchone()[0]
        # Passed over, taken, and written.
        assert read <= others + 2, f"{read} accounts read beside {others} others"
    equal(len(served), 5, "accounts that are served")
    for connection in dispatchers:
        connection.commit()
    # A call that wants many slots learns how much work an account has, and holds a few accounts more at most.
    connection = dispatchers[0]
    connection.execute("SELECT count(*) FROM sendgate.dispatch(40)")
    connection.commit()
    connection.execute("SELECT count(*) FROM sendgate.dispatch(40)")
    held = 30 - looking.execute(free).fetchone()[0]
    assert held <= 6, f"{held} accounts held for the work of four"
