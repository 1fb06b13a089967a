"""The operators of a run: they settle unknown outcomes by the provider's list, reconnect accounts, clear and
probe breakers, and suppress prospects who opt out."""

import random
from pathlib import Path

from .gate import Gate
from .provider import chat_of
from .world import Board

# Operations without an outcome that no worker is at any more.
UNKNOWN = """
SELECT operation_id::text, account_id FROM sendgate.operations_unresolved WHERE expired OR state = 'indeterminate'"""
RESOLVE = "SELECT sendgate.resolve_operation(%s, %s, %s, %s, 'by the provider''s list')"
RECONNECT = """
SELECT sendgate.set_status(id, 'connected', 'back') FROM sendgate.linkedin_accounts WHERE status <> 'connected'"""
OPEN = "SELECT account_id FROM sendgate.breakers WHERE state = 'open' AND probe_lease_until IS NULL"
# Work of a campaign for a prospect who has not opted out: a few of them for the whole run.
OPT_OUTS = 4
WAITING = """
SELECT e.prospect_id FROM sendgate.enrollments e WHERE e.state = 'waiting'
    AND NOT EXISTS (SELECT FROM sendgate.suppressions s WHERE s.prospect_id = e.prospect_id) LIMIT 1"""
SUPPRESS = "SELECT sendgate.suppress_prospect(%s, 'asked by mail')"


class Operator:
    """Comes by now and then."""

    def __init__(self, gate: Gate, board: Board, directory: Path, rng: random.Random):
        self.gate = gate
        self.board = board
        self.rng = rng
        self.truth = Truth(directory)
        # Unknown operations, and what every worker had done when they were seen.
        self.seen: tuple[list[tuple], list[int]] | None = None
        self.resolved = 0
        self.opted_out: list[str] = []

    def come_by(self, lives: dict[int, int]) -> None:
        """One visit; ``lives`` says which incarnation of each worker lives."""
        self.gate.ask(RECONNECT)
        for (account,) in self.gate.ask(OPEN):
            chance = self.rng.random()
            if chance < 0.1:
                self.gate.ask("SELECT sendgate.breaker_clear(%s, 'topped up')", (account,))
            elif chance < 0.2:
                self.probe(account)
        if len(self.opted_out) < OPT_OUTS:
            self.suppress()
        self.settle(lives)

    def suppress(self) -> None:
        """Some prospect opts out."""
        for (prospect,) in self.gate.ask(WAITING):
            self.gate.ask(SUPPRESS, (prospect,))
            self.opted_out.append(prospect)

    def probe(self, account: str) -> None:
        """Probe the breaker. If it was cleared meanwhile, there is nothing to probe."""
        import psycopg

        try:
            self.gate.ask("SELECT sendgate.breaker_probe(%s, 'topped up?')", (account,))
        except psycopg.Error as error:
            if error.sqlstate not in ("SG206", "SG207"):
                raise

    def settle(self, lives: dict[int, int]) -> None:
        """Settle the operations that were unknown at the last visit, once every worker that lived then has ended
        its round. A worker ends no round while it has an operation in hand, so none of them is sent afterwards."""
        if self.seen:
            rows, before = self.seen
            if all(then != now for then, now in zip(before, self.rounds(lives), strict=True)):
                self.resolve(rows)
                self.seen = None
        if not self.seen and (rows := self.gate.ask(UNKNOWN)):
            self.seen = rows, self.rounds(lives)

    def rounds(self, lives: dict[int, int]) -> list[tuple]:
        """Changes with each round of a worker, and with its death."""
        return [(lives[number], line[0]) for number, line in enumerate(self.board.lines())]

    def resolve(self, rows: list[tuple]) -> None:
        """Sent or not sent, by the ledgers."""
        self.truth.read()
        for operation, account in rows:
            sent = self.truth.accepted(operation)
            values = (account, operation, sent, chat_of(operation) if sent else None)
            self.gate.insist(lambda connection, values=values: settle_once(connection, values))
            self.resolved += 1


def settle_once(connection, values) -> None:
    """Settle an operation. It may be settled already: the answer of an earlier call can be lost."""
    import psycopg

    try:
        connection.execute(RESOLVE, values)
    except psycopg.Error as error:
        if error.sqlstate != "SG204":
            raise


class Truth:
    """Which operations the provider accepted, by all ledgers as far as they are written."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._read: dict[Path, int] = {}
        self._accepted: set[bytes] = set()

    def accepted(self, operation: str) -> bool:
        """Whether it was sent."""
        return bytes.fromhex(operation.replace("-", "")) in self._accepted

    def read(self) -> None:
        """The lines that were written since the last call. A line without its end is not read yet."""
        for path in self._directory.glob("*.ledger"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                columns = line.split(b"\t")
                if columns[5] == b"True":
                    self._accepted.add(bytes.fromhex(columns[0].decode().replace("-", "")))
