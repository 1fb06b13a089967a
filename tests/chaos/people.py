"""The operators of a run: they settle unknown outcomes by the provider's list, reconnect accounts, clear and
probe breakers, tell balances, end cooldowns, put parked work back, suppress prospects who opt out, and remove who leaves."""

import random
from datetime import datetime
from pathlib import Path

from .gate import Gate
from .kinds import COUNTED, kind_of
from .prepare import BALANCE, TELL, Planner
from .provider import chat_of
from .world import Board

# Operations without an outcome that no worker is at any more.
UNKNOWN = """
SELECT operation_id::text, account_id FROM sendgate.operations_unresolved WHERE expired OR state = 'indeterminate'"""
RESOLVE = "SELECT sendgate.resolve_operation(%s, %s, %s, %s, 'by the provider''s list')"
RECONNECT = """
SELECT sendgate.set_status(id, 'connected', 'back') FROM sendgate.linkedin_accounts
 WHERE status <> 'connected' AND id <> ALL (%s::text[])"""
OPEN = "SELECT account_id FROM sendgate.breakers WHERE state = 'open' AND probe_lease_until IS NULL"
# Work of a campaign for a prospect who has not opted out: a few of them for the whole run. Every third one of them is
# suppressed until an instant only, every third one comes back.
OPT_OUTS = 9
WAITING = """
SELECT e.prospect_id FROM sendgate.enrollments e WHERE e.state = 'waiting'
    AND NOT EXISTS (SELECT FROM sendgate.suppressions s WHERE s.prospect_id = e.prospect_id) LIMIT 1"""
SUPPRESS = "SELECT sendgate.suppress_prospect(%s, 'asked by mail', %s::timestamptz)"
UNTIL = "SELECT sendgate.clock() + interval '6 hours'"
UNSUPPRESS = "SELECT sendgate.unsuppress_prospect(%s, 'asked to hear from us again')"
# Parked work that nothing unresolved stands behind, a few at a visit.
PARKED = """
SELECT e.account_id, e.campaign_id, e.prospect_id, e.action, e.step::int FROM sendgate.enrollments e
 WHERE e.state = 'parked' AND e.account_id <> ALL (%s::text[]) AND NOT EXISTS (
     SELECT FROM sendgate.send_operations o WHERE (o.account_id, o.prospect_id, o.action, o.campaign_id)
         = (e.account_id, e.prospect_id, e.action, e.campaign_id) AND o.state IN ('reserved', 'indeterminate'))
 LIMIT 3"""
REQUEUE = "SELECT sendgate.requeue(campaign_id => %s, prospect_id => %s, account_id => %s, action => %s, step => %s)"
# With the balance that was told last: the same number told again on one day is not logged.
EXHAUSTED = """
SELECT account_id, (SELECT balance FROM sendgate.credit_balances b WHERE b.account_id = c.account_id
    ORDER BY observed_at DESC LIMIT 1) FROM sendgate.credits c WHERE state = 'exhausted'"""
# Actions that the plan of an account does not include, by the provider's word.
UNAVAILABLE = "SELECT account_id, action FROM sendgate.cooldowns WHERE cause = 'action_unavailable'"
CLEAR = "SELECT sendgate.clear_cooldown(%s, 'it is included', %s)"
LEAVE = "SELECT sendgate.set_status(%s, 'disconnected', 'leaves')"
UNSETTLED = (
    "SELECT count(*) FROM sendgate.send_operations WHERE account_id = %s AND state IN ('reserved', 'indeterminate')"
)
# Few rows at a time, so that an account is removed in many batches.
REMOVE = "SELECT sendgate.remove_account(%s, 'left', 20)"
FORGET = "SELECT sendgate.forget_prospect(%s, 'asked to be forgotten')"
FORGOTTEN_MOST = 3
# What an account or a prospect that leaves has in flight, or what another one locks the other way round, is waited for.
LATER = ("SG219", "40P01")


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
        # Who came back: the prospect, and between which instants nothing was to be sent.
        self.came_back: list[tuple[str, datetime, datetime]] = []
        self.comes_back: list[tuple[str, datetime]] = []
        # Work that was put back: account, campaign, prospect, action, step, and the instant before.
        self.requeued: list[tuple] = []
        # Accounts that leave: what every worker had done when nothing of them was open any more; None before.
        self.leaving: dict[str, list[tuple] | None] = {}
        # Who is gone, and when that was done.
        self.removed: list[tuple[str, datetime]] = []
        self.forgotten: list[str] = []

    def come_by(self, lives: dict[int, int], planner: Planner) -> None:
        """One visit; ``lives`` says which incarnation of each worker lives."""
        self.gate.ask(RECONNECT, (list(self.leaving),))
        for (account,) in self.gate.ask(OPEN):
            if kind_of(account) == COUNTED:
                continue  # a balance tells
            chance = self.rng.random()
            if chance < 0.1:
                self.gate.ask("SELECT sendgate.breaker_clear(%s, 'topped up')", (account,))
            elif chance < 0.2:
                self.probe(account)
        for account, last in self.gate.ask(EXHAUSTED):
            if self.rng.random() < 0.3:
                balance = self.rng.randint(*BALANCE)
                self.gate.ask(TELL, (account, balance if balance != last else balance + 1))
        for account, action in self.gate.ask(UNAVAILABLE):
            if self.rng.random() < 0.3:
                self.gate.ask(CLEAR, (account, action))
        self.put_back()
        self.suppress()
        self.let_leave(lives, planner)
        self.settle(lives)

    def put_back(self) -> None:
        """Some parked work waits again. It is noted before, because an answer may be lost."""
        for account, campaign, prospect, action, step in self.gate.ask(PARKED, (list(self.leaving),)):
            self.requeued.append((account, campaign, prospect, action, step, self.board.now()))
            self.gate.ask(REQUEUE, (campaign, prospect, account, action, step))

    def suppress(self) -> None:
        """Some prospect opts out: for good, for some hours, or until it comes back."""
        if self.comes_back and self.rng.random() < 0.3:
            prospect, since = self.comes_back.pop(0)
            self.came_back.append((prospect, since, self.board.now()))
            self.gate.ask(UNSUPPRESS, (prospect,))
        if len(self.opted_out) >= OPT_OUTS:
            return
        for (prospect,) in self.gate.ask(WAITING):
            kind = len(self.opted_out) % 3
            until = self.gate.ask(UNTIL)[0][0] if kind == 1 else None
            self.gate.ask(SUPPRESS, (prospect, until))
            since = self.board.now()
            self.opted_out.append(prospect)
            if kind == 2:
                self.comes_back.append((prospect, since))

    def let_leave(self, lives: dict[int, int], planner: Planner) -> None:
        """Remove accounts of earlier days once no worker has anything of them in hand, and forget some prospects."""
        gone = {account for account, _ in self.removed}
        for account in planner.leaving[:-1]:
            if account in gone:
                continue
            if account not in self.leaving:
                self.gate.ask(LEAVE, (account,))
                self.leaving[account] = None
            elif self.leaving[account] is None:
                if self.gate.ask(UNSETTLED, (account,)) == [(0,)]:
                    self.leaving[account] = self.rounds(lives)
            elif self.have_moved_on(self.leaving[account], lives) and self.until_nothing_is_left(REMOVE, account):
                self.removed.append((account, self.board.now()))
        if len(self.forgotten) < FORGOTTEN_MOST and len(planner.few) > len(self.forgotten) + 1:
            prospect = f"{planner.few[len(self.forgotten)][2]}-1"
            if self.until_nothing_is_left(FORGET, prospect):
                self.forgotten.append(prospect)

    def until_nothing_is_left(self, sql: str, name: str) -> bool:
        """Repeat a call that answers how many rows it met; False if it has to wait for a send."""
        import psycopg

        try:
            while self.gate.ask(sql, (name,)) != [(0,)]:
                pass
        except psycopg.Error as error:
            if error.sqlstate not in LATER:
                raise
            return False
        return True

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
            if self.have_moved_on(before, lives):
                self.resolve(rows)
                self.seen = None
        if not self.seen and (rows := self.gate.ask(UNKNOWN)):
            self.seen = rows, self.rounds(lives)

    def have_moved_on(self, before: list[tuple], lives: dict[int, int]) -> bool:
        """Whether every worker has ended the round in which it was then."""
        return all(then != now for then, now in zip(before, self.rounds(lives), strict=True))

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
    """Settle an operation. It may be settled already: the answer of an earlier call can be lost. Or its account left."""
    import psycopg

    try:
        connection.execute(RESOLVE, values)
    except psycopg.Error as error:
        if error.sqlstate not in ("SG204", "SG101"):
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
