"""Workers that send through a failover, and the provider's own list of what they sent."""

import math
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from e2e.support import POLL_SECONDS, WAIT_SECONDS

ACTION = "message"
RESERVE = f"SELECT proceed, reason FROM sendgate.reserve(%s, '{ACTION}', %s, NULL, %s)"
CONFIRM = "SELECT sendgate.confirm(%s, %s, %s)"
RECORD = f"SELECT sendgate.record_external_send(%s, '{ACTION}', %s, %s, %s)"
UNKNOWN_OPERATION = "SG102"


@dataclass(frozen=True)
class Send:
    """What the provider has accepted."""

    account: str
    prospect: str
    operation: uuid.UUID
    chat_id: str
    at: datetime


@dataclass
class World:
    """The truth outside of the database: the provider's list, and the answers that workers got."""

    dsn: str
    accounts: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    # No worker begins a send beyond this many: however late the test is, slots are left for its next steps.
    limit: float = math.inf
    # While it is set, a worker with a slot stays at the provider.
    at_provider: threading.Event = field(default_factory=threading.Event)
    provider: list[Send] = field(default_factory=list)
    # Operation and when the database said yes.
    granted: list[tuple[uuid.UUID, float]] = field(default_factory=list)
    confirmed: list[tuple[uuid.UUID, float]] = field(default_factory=list)
    # Sends whose operation the database no longer knew.
    forgotten: list[Send] = field(default_factory=list)


class Sender(threading.Thread):
    """Sends until no account has a slot left. It outlives connections, as an application would."""

    def __init__(self, world: World, number: int, options: str = ""):
        super().__init__(daemon=True)
        self.world = world
        self.number = number
        self.options = options
        self.error: BaseException | None = None
        self.reconnected = 0
        self._connection = None

    def run(self) -> None:
        try:
            self._send_all()
        except BaseException as error:
            self.error = error
        finally:
            if self._connection:
                self._connection.close()

    def _send_all(self) -> None:
        world, full, turn = self.world, set(), self.number
        while not world.stop.is_set() and len(full) < len(world.accounts):
            if len(world.provider) >= world.limit:
                world.stop.wait(POLL_SECONDS)
                continue
            turn += 1
            account = world.accounts[turn % len(world.accounts)]
            if account not in full and self._send(account) == "full":
                full.add(account)

    def _send(self, account: str) -> str:
        world, operation = self.world, uuid.uuid4()
        prospect = f"prospect of {operation}"
        while True:
            proceed, reason = self._ask(RESERVE, (account, prospect, operation))
            if proceed:
                break
            if reason == "daily_cap_reached":
                return "full"
            assert reason == "paused_by_operator", reason
            if world.stop.wait(POLL_SECONDS):
                return "stopped"
        world.granted.append((operation, time.monotonic()))
        sent = Send(account, prospect, operation, f"chat {operation}", datetime.now(UTC))
        world.provider.append(sent)
        while world.at_provider.is_set():
            time.sleep(POLL_SECONDS)
        try:
            self._ask(CONFIRM, (account, operation, sent.chat_id))
            world.confirmed.append((operation, time.monotonic()))
        except Exception as error:
            if getattr(error, "sqlstate", None) != UNKNOWN_OPERATION:
                raise
            # It was sent, and the database has forgotten the grant: say so.
            world.forgotten.append(sent)
            self._ask(RECORD, (account, prospect, sent.chat_id, sent.at))
        return "sent"

    def _ask(self, sql: str, values: tuple) -> tuple:
        """The answer, however many connections that takes: every call may be repeated."""
        import psycopg

        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(
                        self.world.dsn, autocommit=True, options=self.options, connect_timeout=5
                    )
                return self._connection.execute(sql, values).fetchone()
            except psycopg.OperationalError:
                if self._connection:
                    self._connection.close()
                    self._connection = None
                    self.reconnected += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)


def delivered(world: World, senders: list[Sender], number: int) -> bool:
    """Whether so many deliveries are acknowledged; raises what ended a worker before."""
    for sender in senders:
        if sender.error:
            raise sender.error
    return len(world.confirmed) >= number


def joined(senders: list[Sender]) -> None:
    """Wait for their end, and raise what went wrong."""
    for sender in senders:
        sender.join()
        if sender.error:
            raise sender.error
