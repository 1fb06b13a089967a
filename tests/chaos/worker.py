"""A worker, as an application has them: python worker.py DIRECTORY NUMBER INCARNATION.

It may be killed at any moment. What it heard from the gate it notes in a diary: that is what the gate
has acknowledged, and must keep.
"""

import os
import random
import signal
import sys
import time
import traceback
import uuid
from datetime import timedelta
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from chaos.gate import Gate
from chaos.kinds import account_of
from chaos.provider import Answer, Call, Provider
from chaos.world import ACTIONS, DAEMON, SENDER, Board, World

# Prospects that the single workers write to, of each account: few enough to meet one again.
PROSPECTS = 600
# Least time that a worker wants before expires_at to send.
MARGIN_SECONDS = 2
# How long a worker that was refused does something else.
REFUSED_SECONDS = 0.005
IDLE_SECONDS = 0.05
# How long a grant lasts that does not say so, by the setting's default.
LASTS = timedelta(minutes=15)


class Worker:
    """What both kinds have: the gate, the provider, the diary, and an end."""

    def __init__(self, world: World, number: int, incarnation: int):
        name = f"{number}-{incarnation}"
        directory = Path(world.directory)
        self.world = world
        self.number = number
        self.rng = random.Random(f"{world.seed} {name}")
        self.board = Board(world)
        self.rounds, self.operations, self.refusals = self.board.line(number)
        # Half of them do not care whether their commits are on the disk: the gate does.
        lazy = ("SET synchronous_commit = off",) if number % 2 else ()
        self.gate = Gate(f"{world.dsn} user={SENDER}", *lazy)
        self.provider = Provider(directory / f"{name}.ledger", self.rng, self.board.now)
        self._diary = os.open(directory / f"{name}.diary", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._name = name
        self.told_to_stop = False

    def run(self) -> None:
        """Until it is told to stop; a round is never left in the middle."""
        signal.signal(signal.SIGTERM, self._stop)
        while not self.told_to_stop:
            self.round()
            self.rounds += 1
            self.board.write(self.number, self.rounds, self.operations, self.refusals)

    def round(self) -> None:
        """Ask, send, answer."""
        raise NotImplementedError

    def in_time(self, expires_at) -> bool:
        """By its own clock, as an application does."""
        return (expires_at - self.board.now()).total_seconds() > MARGIN_SECONDS

    def note(self, what: str, lines: list[tuple[str, str]]) -> None:
        """What the gate said about which operation."""
        text = "".join(f"{self._name}\t{what}\t{operation}\t{value}\n" for operation, value in lines)
        os.write(self._diary, text.encode())

    def new_id(self) -> str:
        """From the seed too."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _stop(self, _number, _frame) -> None:
        self.told_to_stop = True


class Single(Worker):
    """reserve, send, confirm or rollback."""

    RESERVE = "SELECT proceed, expires_at FROM sendgate.reserve(%s, %s, %s, NULL, %s)"
    CONFIRM = "SELECT sendgate.confirm(%s, %s, %s)::text"
    ROLLBACK = "SELECT sendgate.rollback(%s, %s, %s, %s, %s, %s::interval)"

    def round(self) -> None:
        """One attempt."""
        account = account_of(self.rng.randrange(self.world.accounts))
        action = self.rng.choice(ACTIONS)
        prospect = f"s{self.rng.randrange(PROSPECTS)}"
        call = Call(self.new_id(), account, action, prospect, None)
        if self.rng.random() < 0.005:
            self.vanish(call)
            return
        expires_at = self.reserve(call)
        if expires_at is None:
            self.refusals += 1
            time.sleep(REFUSED_SECONDS)
            return
        self.note("got", [(call.operation_id, call.account_id)])
        self.operations += 1
        if self.in_time(expires_at):
            self.settle(call, self.provider.send([call])[0])
        else:
            self.settle(call, Answer())

    def reserve(self, call: Call):
        """Until when it may send; None if the gate said no."""
        values = (call.account_id, call.action, call.prospect_id, call.operation_id)
        [(proceed, expires_at)] = self.gate.ask(self.RESERVE, values)
        return expires_at if proceed else None

    def vanish(self, call: Call) -> None:
        """The connection ends in the middle of a transaction: no slot is taken."""

        def half(connection) -> None:
            connection.execute("BEGIN")
            values = (call.account_id, call.action, call.prospect_id, call.operation_id)
            connection.execute(self.RESERVE, values)

        self.gate.insist(half)
        self.gate.close()

    def settle(self, call: Call, answer: Answer) -> None:
        """Tell the gate what the provider said."""
        key = (call.account_id, call.operation_id)
        if answer.good:
            [(event,)] = self.gate.ask(self.CONFIRM, (*key, answer.chat_id))
            self.note("event" if event else "outcome", [(call.operation_id, event or "indeterminate")])
        else:
            values = (*key, answer.message, answer.type, answer.status, answer.retry_after)
            [(outcome,)] = self.gate.ask(self.ROLLBACK, values)
            self.note("outcome", [(call.operation_id, outcome)])


class Batch(Worker):
    """dispatch, send all, confirm_many and rollback_many."""

    DISPATCH = """SELECT operation_id::text, account_id, action, prospect_id, campaign_id, step::int, expires_at, payload
        FROM sendgate.dispatch(%s, request_id => %s)"""
    CONFIRM = "SELECT sendgate.confirm_many(%s::text[], %s::uuid[], %s::text[])::text[]"
    ROLLBACK = """SELECT sendgate.rollback_many(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::int[],
        %s::interval[])"""

    def round(self) -> None:
        """One batch."""
        most = self.rng.choice((1, max(1, self.world.batch // 5), self.world.batch))
        rows = self.gate.ask(self.DISPATCH, (most, self.new_id()))
        if not rows:
            self.refusals += 1
            time.sleep(IDLE_SECONDS)
            return
        self.note("got", [(row[0], row[1]) for row in rows])
        self.operations += len(rows)
        calls = [Call(*row[:6]) for row in rows]
        for call, (*_, payload) in zip(calls, rows, strict=True):
            if payload and payload["n"] != int(call.prospect_id.rsplit("-", 1)[1]):
                raise AssertionError(f"{call} came with {payload}")
        if self.in_time(rows[0][6]):
            self.settle(calls, self.provider.send(calls))
        else:
            self.settle(calls, [Answer()] * len(calls))

    def settle(self, calls: list[Call], answers: list[Answer]) -> None:
        """All that went well in one call, and the rest in another."""
        pairs = list(zip(calls, answers, strict=True))
        good = [pair for pair in pairs if pair[1].good]
        bad = [pair for pair in pairs if not pair[1].good]
        if good:
            [(events,)] = self.gate.ask(self.CONFIRM, columns(good, "chat_id"))
            for (call, _answer), event in zip(good, events, strict=True):
                self.note("event" if event else "outcome", [(call.operation_id, event or "indeterminate")])
        if bad:
            values = columns(bad, "message", "type", "status", "retry_after")
            [(outcomes,)] = self.gate.ask(self.ROLLBACK, values)
            self.note(
                "outcome", [(call.operation_id, outcome) for (call, _), outcome in zip(bad, outcomes, strict=True)]
            )


class Outbox(Worker):
    """Claims rows of a table that the triggers guard, sends, and writes the answer into the row."""

    PUT = "INSERT INTO public.outbox (n, account, action, prospect) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
    # A claim whose answer was lost is claimed already.
    CLAIM = "UPDATE public.outbox SET status = 'sending' WHERE n = %s AND status <> 'sending'"
    LOOK = "SELECT operation::text FROM public.outbox WHERE n = %s"
    SENT = "UPDATE public.outbox SET status = 'sent', chat = %s WHERE n = %s"
    FAILED = """UPDATE public.outbox SET status = 'failed', error = %s, error_type = %s, http_status = %s,
        retry_after = %s::interval WHERE n = %s"""
    # Some failed rows are claimed a second time.
    AGAIN_SHARE = 0.3

    def round(self) -> None:
        """One row."""
        account = account_of(self.rng.randrange(self.world.accounts))
        row = (self.new_id(), account, self.rng.choice(ACTIONS), f"o{self.rng.randrange(PROSPECTS)}")
        if self.attempt(row) is False and self.rng.random() < self.AGAIN_SHARE:
            self.attempt(row)

    def attempt(self, row: tuple) -> bool | None:
        """Whether it was sent; None if the gate said no."""
        claimed_at = self.board.now()
        found = []
        # Without a grant no commit waits for the disk, and a crash may lose the row.
        while not found:
            self.gate.ask(self.PUT, row)
            self.gate.ask(self.CLAIM, row[:1])
            found = self.gate.ask(self.LOOK, row[:1])
        [(operation,)] = found
        if operation is None:
            self.refusals += 1
            time.sleep(REFUSED_SECONDS)
            return None
        self.note("got", [(operation, row[1])])
        self.operations += 1
        answer = Answer()
        if self.in_time(claimed_at + LASTS):
            [answer] = self.provider.send([Call(operation, *row[1:], None)])
        if answer.good:
            self.gate.ask(self.SENT, (answer.chat_id, row[0]))
            self.note("row", [(operation, answer.chat_id)] if answer.chat_id else [])
            return True
        said = answer.message or answer.type or "not sent"
        self.gate.ask(self.FAILED, (said, answer.type, answer.status, answer.retry_after, row[0]))
        return False


class Cron(Worker):
    """CALL tick(), beside the daemon."""

    def __init__(self, world: World, number: int, incarnation: int):
        super().__init__(world, number, incarnation)
        self.gate = Gate(f"{world.dsn} user={DAEMON}")

    def round(self) -> None:
        """Whatever is due."""
        self.gate.ask("CALL sendgate.tick()")
        time.sleep(IDLE_SECONDS)


def columns(pairs: list[tuple[Call, Answer]], *names: str) -> list[list]:
    """The arrays of a batch."""
    keys = [[call.account_id for call, _ in pairs], [call.operation_id for call, _ in pairs]]
    return keys + [[getattr(answer, name) for _, answer in pairs] for name in names]


def main() -> None:
    """One life."""
    directory, number, incarnation = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    world = World.load(directory)
    kind = [Single] * world.singles + [Batch] * world.batches + [Outbox] * world.outboxes + [Cron] * world.crons
    try:
        kind[number](world, number, incarnation).run()
    except Exception:
        (Path(directory) / f"{number}-{incarnation}.trouble").write_text(traceback.format_exc())
        sys.exit(1)


if __name__ == "__main__":
    main()
