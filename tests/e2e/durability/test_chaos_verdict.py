"""That the verdict about a chaos run bites: each of its checks finds what it is for.

A short and good history is played through the gate, and every check is content. Then one thing at a time
is made wrong: by workers that cheat, or by hand past every verb; the check that is about it must say so.
"""

import json
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from e2e.support import equal

ONLY_ON = (18,)

# Rounds of the history: enough to fill days, and to fail in every manner.
SINGLE_ROUNDS, BATCH_ROUNDS = 260, 25
# So many answers without work in a row: there is none left.
IDLE_ROUNDS = 3


def test_every_check_has_a_mutant(env):
    from chaos.verdict import CHECKS

    equal(set(MUTANTS) | set(CHEATS), set(CHECKS), "checks that something breaks")


def test_books_that_are_wrong_in_one_place_are_found(env):
    with tempfile.TemporaryDirectory() as directory:
        history = History(env, Path(directory))
        history.play()
        connection = history.close()
        equal(wrong(connection), [], "what the verdict finds in good books")
        missed = []
        for name, sql in MUTANTS.items():
            connection.execute("BEGIN")
            connection.execute(PAST_EVERY_VERB + sql)
            if name not in wrong(connection):
                missed.append(name)
            connection.execute("ROLLBACK")
        equal(missed, [], "checks that did not see their mutant")


def test_workers_that_cheat_are_found(env):
    for name, cheat in CHEATS.items():
        with tempfile.TemporaryDirectory() as directory:
            history = History(env, Path(directory))
            history.cheat(cheat())
            found = wrong(history.close())
            assert name in found, f"{cheat.__name__}: the verdict found only {found}"
            env.psql("DROP EXTENSION sendgate CASCADE; CREATE EXTENSION sendgate")


class History:
    """A chaos run without chaos: one process, the real clock."""

    def __init__(self, env, directory: Path):
        from chaos import prepare
        from chaos.gate import Gate
        from chaos.people import Operator
        from chaos.world import Board, World

        dsn = f"host={env.cluster.host} port={env.cluster.port} dbname={env.dbname}"
        self.world = World(
            str(directory),
            dsn,
            seed=1,
            operations=0,
            kills=0,
            accounts=4,
            singles=1,
            batches=1,
            outboxes=1,
            crons=0,
            batch=10,
            caps=(8, 12),
        )
        self.env = env
        self.directory = directory
        self.gate = Gate(f"{dsn} user=postgres")
        prepare.logins(self.gate)
        prepare.outbox(self.gate)
        self.caps = prepare.accounts(self.gate, self.world)
        self.planner = prepare.Planner(self.gate, self.caps)
        board = Board(self.world)
        midnight = (board.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.planner.plan_day(midnight)
        self.operator = Operator(self.gate, board, directory, random.Random(1))
        self.paced_until = board.now()

    def play(self) -> None:
        """Everything that the verdict looks at happens at least once."""
        from chaos.kinds import account_of
        from chaos.prepare import end_pace
        from chaos.provider import always
        from chaos.worker import Batch, Outbox, Single

        single, batch, outbox = Single(self.world, 0, 1), Batch(self.world, 1, 1), Outbox(self.world, 2, 1)
        single.provider.choose = no_credits_for(account_of(0), single.provider.choose)
        for number in range(SINGLE_ROUNDS):
            single.round()
            if number < BATCH_ROUNDS:
                batch.round()
                outbox.round()
        self.gate.ask("SELECT sendgate.breaker_probe(account_id, 'try') FROM sendgate.breakers WHERE state = 'open'")
        self.settle()
        self.operator.put_back()
        self.gate.ask("SELECT sendgate.clear_cooldown(id, 'end') FROM sendgate.accounts")
        self.paced_until = self.operator.board.now()
        end_pace(self.gate, self.world)
        batch.provider.choose = always("delivered")
        idle = 0
        while idle < IDLE_ROUNDS:
            before = batch.operations
            batch.round()
            idle = idle + 1 if batch.operations == before else 0

    def cheat(self, cheater) -> None:
        """Some rounds of a worker that does something wrong."""
        worker = cheater(self.world, 0, 1)
        for _ in range(10):
            worker.round()

    def settle(self) -> None:
        """What is unknown, by the ledger."""
        from chaos.people import UNKNOWN

        self.operator.resolve(self.gate.ask(UNKNOWN))

    def close(self):
        """The sweeps, the lines, and all that the verdict reads."""
        from chaos import load

        self.settle()
        self.gate.ask("CALL sendgate.tick()")
        lines = self.gate.ask("SELECT id::text FROM sendgate.take_breaker_lines(10000)")
        (self.directory / "daemon-1.out").write_text("".join(json.dumps({"id": id}) + "\n" for (id,) in lines))
        connection = self.gate.connection()
        load.tables(connection)
        load.files(connection, self.directory)
        load.memory(
            connection,
            SimpleNamespace(
                caps=self.caps,
                downs=[],
                planner=self.planner,
                operator=self.operator,
                paced_until=self.paced_until,
                executioner=SimpleNamespace(running=[]),
                crowd=SimpleNamespace(troubles=[]),
            ),
        )
        load.indexes(connection)
        return self.env.connect()


def no_credits_for(account: str, otherwise):
    """That account has none left."""
    from chaos.provider import BY_NAME

    return lambda call: (
        BY_NAME["no credits"] if (call.account_id, call.action) == (account, "inmail") else otherwise(call)
    )


def wrong(connection) -> list[str]:
    """The names of the checks that are not content."""
    from chaos.verdict import judge

    return [check.name for check in judge(connection) if not check.ok]


def unasked():
    """Sends, and never asked."""
    from chaos.worker import Single
    from chaos.world import Board

    class Unasked(Single):
        def reserve(self, call):
            return Board(self.world).now().replace(year=2999)

        def settle(self, call, answer):
            pass

    return Unasked


def twice():
    """Did not trust the first answer."""
    from chaos.worker import Single

    class Twice(Single):
        def settle(self, call, answer):
            super().settle(call, self.provider.send([call])[0])

    return Twice


def boaster():
    """Tells of deliveries that never were."""
    from chaos.provider import Answer, always, chat_of
    from chaos.worker import Single

    class Boaster(Single):
        def settle(self, call, answer):
            super().settle(call, Answer(chat_id=chat_of(call.operation_id), good=True))

        def round(self):
            self.provider.choose = always("busy")
            super().round()

    return Boaster


def denier():
    """Sent it, and wants the slot back."""
    from chaos.provider import Answer, always
    from chaos.worker import Single

    class Denier(Single):
        def settle(self, call, answer):
            super().settle(call, Answer())

        def round(self):
            self.provider.choose = always("delivered")
            super().round()

    return Denier


CHEATS = {
    "the provider was called with a grant alone": unasked,
    "no operation was sent twice": twice,
    "accepted sends and events are the same": boaster,
    "no slot of an accepted send was given back": denier,
}

# The logs refuse to be changed, also for a superuser, until that is switched off.
PAST_EVERY_VERB = """
ALTER TABLE sendgate.linkedin_events DISABLE TRIGGER ALL;
ALTER TABLE sendgate.breaker_log DISABLE TRIGGER ALL;
CREATE TEMP TABLE one ON COMMIT DROP AS
    SELECT * FROM sendgate.send_operations WHERE state = 'delivered' AND action = 'invite'
    AND account_id = 'a00001' ORDER BY attempt, operation_id LIMIT 1;
CREATE TEMP TABLE sent ON COMMIT DROP AS SELECT l.* FROM chaos.ledger l JOIN one USING (operation_id);
"""
# One delivery more, of another prospect.
AGAIN = """
UPDATE one SET operation_id = gen_random_uuid(), prospect_id = gen_random_uuid()::text, attempt = NULL;
INSERT INTO sendgate.send_operations SELECT * FROM one;
"""
AGAIN_SENT = (
    AGAIN
    + """
UPDATE sent SET operation_id = one.operation_id, prospect_id = one.prospect_id FROM one;
INSERT INTO chaos.ledger SELECT * FROM sent;
"""
)
MANY = 100
# A breaker that opened a minute before the delivery of an InMail that it should have stopped.
STOPPED = """
UPDATE one SET action = 'inmail', operation_id = gen_random_uuid(), attempt = NULL,
    settled_at = reserved_at + '1 minute';
INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor)
    SELECT gen_random_uuid(), reserved_at - interval '2 minutes', account_id, 'set', 'credits_exhausted', 'x' FROM one;
INSERT INTO sendgate.send_operations SELECT * FROM one;
"""
ALERT = """
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at, resolved_at)
    SELECT gen_random_uuid(), account_id, '{}', counted_on, 'x', sendgate.clock(), {} FROM one;
"""
COOLDOWN = """
INSERT INTO sendgate.cooldown_log (id, at, until, account_id, action, cause, actor)
    SELECT gen_random_uuid(), reserved_at + interval '{1}', reserved_at + interval '{2}', account_id, action, '{0}', 'x' FROM one;
"""

MUTANTS = {
    "accepted sends are within the daily cap": AGAIN_SENT * MANY,
    "accepted sends are within the weekly cap": AGAIN_SENT * MANY,
    "held slots are within the daily cap": AGAIN * MANY,
    "acknowledged grants are in the journal": "DELETE FROM sendgate.send_operations o USING one WHERE o.operation_id = one.operation_id",
    "acknowledged confirms are in the event log, once": "DELETE FROM sendgate.linkedin_events e USING one WHERE e.operation_id = one.operation_id",
    "acknowledged rollbacks are in the journal": """
        UPDATE sendgate.send_operations SET state = 'reserved', outcome = NULL, settled_at = NULL
        WHERE operation_id = (SELECT operation_id FROM sendgate.send_operations WHERE state = 'released' LIMIT 1)""",
    "no prospect got the same within its cooldown": """
        UPDATE one SET operation_id = gen_random_uuid(), reserved_at = reserved_at + interval '1 minute';
        INSERT INTO sendgate.send_operations SELECT * FROM one;
        UPDATE sent SET operation_id = one.operation_id FROM one;
        INSERT INTO chaos.ledger SELECT * FROM sent""",
    "counters of the day are what the journal holds": "UPDATE sendgate.accounts SET messages_sent_today = messages_sent_today + 1 WHERE id = 'a00002'",
    "counters of the week are what the journal holds": """
        UPDATE sendgate.accounts SET sent_before = set_byte(sent_before, 12, get_byte(sent_before, 12) + 1) WHERE id = 'a00002'""",
    "sweeps corrected nothing": """
        UPDATE sendgate.accounts SET messages_sent_today = messages_sent_today + 1 WHERE id = 'a00002';
        SELECT sendgate.reconcile_operations()""",
    "every alert was justified": ALERT.format("counter_ahead_of_events", "sendgate.clock()"),
    "alerts are resolved when their cause is gone": ALERT.format("clock_behind_row", "NULL"),
    "runs that were killed say crashed": """
        INSERT INTO chaos.downs
        SELECT started_at + (finished_at - started_at) / 3, started_at + (finished_at - started_at) / 2, true
        FROM sendgate.reconcile_runs WHERE finished_at > started_at""",
    "no error was unplanned": "INSERT INTO chaos.troubles VALUES ('x')",
    "an open breaker passed its probes alone": STOPPED,
    "one probe at a time": STOPPED
    + """
        INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id)
            SELECT gen_random_uuid(), reserved_at - interval '1 minute', 'x', 'breaker_probe', account_id
            FROM one, generate_series(1, 2);
        UPDATE one SET operation_id = gen_random_uuid(), prospect_id = 'other',
            reserved_at = reserved_at + interval '1 second';
        INSERT INTO sendgate.send_operations SELECT * FROM one""",
    "an answer without credits opened the breaker": "DELETE FROM sendgate.breaker_log WHERE account_id = 'a00000' AND action = 'set'",
    "every line of the breaker was printed, once by each daemon at most": "DELETE FROM chaos.printed WHERE id = (SELECT id FROM chaos.printed LIMIT 1)",
    "a prospect who opted out got no grant": """
        INSERT INTO sendgate.suppressions (suppressed_at, prospect_id, actor)
        SELECT reserved_at - interval '1 minute', prospect_id, 'mutant' FROM one""",
    "no work was lost or invented": """
        DELETE FROM sendgate.enrollments WHERE (account_id, prospect_id) = (
            SELECT account_id, prospect_id FROM sendgate.enrollments WHERE state = 'waiting' LIMIT 1)""",
    "a campaign took no more than its part of a day": "INSERT INTO chaos.limits SELECT campaign_id, action, 0 FROM one",
    "no step was handed out before it was due": """
        UPDATE chaos.enqueued q SET due = reserved_at + interval '1 second' FROM one
        WHERE (q.account_id, q.prospect_id, q.campaign_id, q.action, q.step)
            = (one.account_id, one.prospect_id, one.campaign_id, one.action, one.step)""",
    "no prospect had two operations in flight": """
        UPDATE one SET operation_id = gen_random_uuid(), reserved_at = reserved_at + (settled_at - reserved_at) / 2;
        INSERT INTO sendgate.send_operations SELECT * FROM one""",
    "acknowledged answers of guarded rows are in the event log": """
        INSERT INTO chaos.diary SELECT '9-9', 'row', operation_id, 'another chat' FROM one""",
    "guarded rows are what the journal says": """
        UPDATE public.outbox SET prospect = 'another' WHERE n = (SELECT n FROM public.outbox WHERE operation IS NOT NULL LIMIT 1)""",
    "attempts of a day are at most twice the cap": """
        UPDATE one SET state = 'released', outcome = 'transient';"""
    + AGAIN * MANY,
    "nothing passed a cooldown": COOLDOWN.format("rate_limited", "-1 minute", "1 minute"),
    "one attempt at a time passed where an action failed": COOLDOWN.format("failing", "-2 minutes", "-1 minute")
    + """
        UPDATE one SET operation_id = gen_random_uuid(), prospect_id = 'another', reserved_at = reserved_at + interval '1 second';
        INSERT INTO sendgate.send_operations SELECT * FROM one""",
    "a paced account kept its gap": """
        INSERT INTO chaos.paced SELECT account_id, interval '1 hour', 'infinity' FROM one;
        UPDATE one SET operation_id = gen_random_uuid(), prospect_id = 'another', reserved_at = reserved_at + interval '1 second';
        INSERT INTO sendgate.send_operations SELECT * FROM one""",
    "known credits are the last balance less what took one": """
        UPDATE sendgate.accounts SET credits_left = 5, credits_base = 6, credits_since = sendgate.clock(),
            credits_observed_at = sendgate.clock() WHERE id = 'a00002'""",
    "no more InMails were granted than a balance covered": """
        INSERT INTO sendgate.credit_balances (id, account_id, balance, observed_at, recorded_at, actor)
        SELECT gen_random_uuid(), account_id, 0, reserved_at - interval '1 microsecond', reserved_at, 'x'
        FROM sendgate.send_operations WHERE action = 'inmail' AND state = 'delivered' LIMIT 1""",
    "what an observed account sent beyond its cap is counted": "INSERT INTO chaos.observed SELECT account_id, action, 0 FROM one",
    "nothing is left of an account that was removed": "INSERT INTO chaos.removed SELECT account_id, reserved_at FROM one",
    "a prospect who was forgotten is named nowhere, and no work was lost": "INSERT INTO chaos.forgotten SELECT prospect_id FROM one",
    "no operation was handed to two workers": "INSERT INTO chaos.diary SELECT '9-9', 'got', operation_id FROM one",
    "work was handed out again only when it had come back": """
        UPDATE one SET operation_id = gen_random_uuid(), attempt = 2, reserved_at = reserved_at + interval '1 minute';
        INSERT INTO sendgate.send_operations SELECT * FROM one""",
    "no work was sent twice": """
        UPDATE sent SET operation_id = gen_random_uuid(); INSERT INTO chaos.ledger SELECT * FROM sent""",
    "work ended as its last attempt says": """
        UPDATE sendgate.enrollments e SET state = 'waiting', next_dispatch_at = sendgate.clock() + interval '1 day'
        FROM one WHERE (e.account_id, e.prospect_id, e.campaign_id, e.action)
            = (one.account_id, one.prospect_id, one.campaign_id, one.action)""",
    "what is due and may be sent was handed out": """
        SELECT sendgate.set_cap('a00001', 'message', 1000), sendgate.enqueue('new', 'new', 'a00001', 'message')""",
}
