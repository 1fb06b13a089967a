"""Workers that send through proxies while partitions move or are upgraded, and the provider's own list of what they sent."""

import math
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field

import psycopg

from e2e.books.test_books import WRONG
from e2e.support import equal

ACTION = "message"
RESERVE = f"SELECT proceed, reason FROM sendgate.reserve(%s, '{ACTION}', %s, NULL, %s)"
CONFIRM = "SELECT sendgate.confirm(%s, %s, %s)"
# Between two rounds over all accounts: enough load to be in the middle of everything, too little to use up the day.
PAUSE_SECONDS = 0.03
# Calls of a worker that was told to stop, until what it sent is confirmed.
LAST_ROUNDS = 200


@dataclass
class Load:
    """Sends and answers, by account."""

    accounts: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    # No worker begins a send of an account beyond its number here.
    limits: dict[str, float] = field(default_factory=lambda: defaultdict(lambda: math.inf))
    provider: dict[str, list[uuid.UUID]] = field(default_factory=lambda: defaultdict(list))
    confirmed: dict[str, list[uuid.UUID]] = field(default_factory=lambda: defaultdict(list))
    # Errors, and reasons of refusals, as they came.
    faults: dict[str, list[psycopg.Error]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    workers: list["Worker"] = field(default_factory=list)

    def begin(self, parts, proxies: list[str], count: int) -> None:
        """So many workers, each through the next of the proxies."""
        self.workers = [Worker(self, parts.connect(proxies[n % len(proxies)])) for n in range(count)]
        for worker in self.workers:
            worker.start()

    def end(self) -> None:
        """Let them confirm what they sent, and raise what went wrong."""
        self.stop.set()
        for worker in self.workers:
            worker.join()
        for worker in self.workers:
            if worker.error:
                raise worker.error

    def sent(self, account: str) -> int:
        """Sends of an account that its database knows of."""
        return len(self.confirmed[account])

    def tried(self, account: str) -> int:
        """Calls for an account that were not granted."""
        return len(self.faults[account]) + len(self.refusals[account])

    def check(self, account: str, connection) -> None:
        """Its partition has every send of the provider, once, and nothing else."""
        provider = self.provider[account]
        equal(len(set(provider)), len(provider), f"sends of {account}, each once")
        equal(sorted(self.confirmed[account]), sorted(provider), f"confirmed sends of {account}")
        journal = connection.execute(
            "SELECT operation_id FROM sendgate.send_operations WHERE account_id = %s AND state = 'delivered'",
            (account,),
        ).fetchall()
        equal(sorted(row[0] for row in journal), sorted(provider), f"the journal of {account}")
        events = connection.execute(
            "SELECT chat_id FROM sendgate.linkedin_events WHERE account_id = %s", (account,)
        ).fetchall()
        equal(sorted(row[0] for row in events), sorted(f"chat {one}" for one in provider), f"events of {account}")
        counted = "SELECT messages_sent_today FROM sendgate.linkedin_accounts WHERE id = %s"
        equal(connection.execute(counted, (account,)).fetchone()[0], len(provider), f"slots of {account}")
        equal(connection.execute(WRONG).fetchall(), [], f"wrong counters beside {account}")
        # What a call may fail with while its partition is away; an operation that is not known would be a lost one.
        strange = [error for error in self.faults[account] if (error.sqlstate or "SG").startswith("SG")]
        equal(strange, [], f"errors of the gate for {account}")


class Worker(threading.Thread):
    """Asks for one account after the other, sends, and says so; each call with the same id until it has an answer."""

    def __init__(self, load: Load, connection: psycopg.Connection):
        super().__init__(daemon=True)
        self.load = load
        self.connection = connection
        self.error: BaseException | None = None
        # The operation of each account, and whether it was sent.
        self.pending: dict[str, tuple[uuid.UUID, bool]] = {}

    def run(self) -> None:
        try:
            while not self.load.stop.wait(PAUSE_SECONDS):
                for account in self.load.accounts:
                    self._step(account)
            for _ in range(LAST_ROUNDS):
                for account, (_, is_sent) in list(self.pending.items()):
                    if is_sent:
                        self._step(account)
        except BaseException as error:
            self.error = error

    def _step(self, account: str) -> None:
        load = self.load
        if account not in self.pending and len(load.provider[account]) >= load.limits[account]:
            return
        operation, is_sent = self.pending.setdefault(account, (uuid.uuid4(), False))
        try:
            if is_sent:
                self.connection.execute(CONFIRM, (account, operation, f"chat {operation}"))
                load.confirmed[account].append(operation)
                del self.pending[account]
                return
            proceed, reason = self.connection.execute(RESERVE, (account, str(operation), operation)).fetchone()
        except psycopg.Error as error:
            load.faults[account].append(error)
            return
        if proceed:
            load.provider[account].append(operation)
            self.pending[account] = (operation, True)
        else:
            load.refusals[account].append(reason)
