"""Known credits against a provider who keeps an account of his own: twenty workers, and a page that is read meanwhile."""

import itertools
import threading
import time
from dataclasses import dataclass, field

from e2e.support import at_once, equal
from harness.progress import progress

NEWEST_ONLY = True
WORKERS = 20
CREDITS, TOPPED_UP = 60, 25
REFUSALS = 20  # after so many a worker goes home
NO_CREDITS = ("no credits", "errors/insufficient_credits", 422)
ASK = "SELECT proceed, operation_id::text FROM sendgate.reserve('known', 'inmail', %s)"


@dataclass
class Provider:
    """Sends while there are credits; its own balance is the truth."""

    balance: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    delivered: int = 0
    doomed: int = 0

    def send(self, number: int) -> str | None:
        """The chat id, or none without credits; every seventh is not sent, for another reason."""
        if number % 7 == 0:
            return ""
        with self.lock:
            if self.balance == 0:
                self.doomed += 1
                return None
            self.balance -= 1
            self.delivered += 1
            return f"chat-{number}"


def tell(connection, provider: Provider) -> None:
    """The page is read after the instant from which it counts."""
    observed_at = connection.execute("SELECT sendgate.clock()").fetchone()[0]
    with provider.lock:
        balance = provider.balance
    connection.execute("SELECT sendgate.record_credit_balance('known', %s, %s)", (balance, observed_at))


def test_no_doomed_call(env):
    """Twenty workers send through one account while its balance is told again and again: the provider never has to
    refuse for want of credits, and once nothing is in flight every credit has been used."""
    admin, teller = env.connect(), env.connect()
    sessions = [env.connect() for _ in range(WORKERS)]
    admin.execute("SELECT sendgate.upsert_account('known', 'recruiter')")
    admin.execute("SELECT sendgate.set_cap('known', 'inmail', 10000)")
    for session in sessions:
        session.execute("SET sendgate.failure_limit = 0")
    provider, stop, numbers = Provider(CREDITS), threading.Event(), itertools.count(1)
    tell(admin, provider)

    def work(worker: int) -> None:
        connection = sessions[worker]
        refused = 0
        while refused < REFUSALS:
            number = next(numbers)
            proceed, operation = connection.execute(ASK, (f"p{number}",)).fetchone()
            if not proceed:
                refused += 1
                continue
            chat = provider.send(number)
            if chat:
                connection.execute("SELECT sendgate.confirm('known', %s, %s)", (operation, chat))
            else:
                words = NO_CREDITS if chat is None else ("the text is too long", "errors/content_too_large", 400)
                connection.execute("SELECT sendgate.rollback('known', %s, %s, %s, %s)", (operation, *words))

    def look() -> None:
        while not stop.is_set():
            tell(teller, provider)
            time.sleep(0.01)

    def until_empty(credits: int) -> None:
        looking = threading.Thread(target=look)
        stop.clear()
        looking.start()
        try:
            at_once(WORKERS, work)
        finally:
            stop.set()
            looking.join()
        # What the page showed while InMails were in flight was counted as if they came on top.
        tell(admin, provider)
        at_once(WORKERS, work)
        equal(provider.doomed, 0, "calls that the provider refused for want of credits")
        equal(provider.delivered, credits, "InMails delivered")

    until_empty(CREDITS)
    stamp = "SELECT inmail_credits_stamp, credits_left FROM sendgate.accounts WHERE id = 'known'"
    equal(admin.execute(stamp).fetchone(), ("credits_spent", 0), "the stamp, and what is left")
    with provider.lock:
        provider.balance += TOPPED_UP
    tell(admin, provider)
    until_empty(CREDITS + TOPPED_UP)
    cleared = admin.execute("SELECT DISTINCT reason FROM sendgate.breaker_log WHERE action = 'clear'").fetchall()
    equal(cleared, [("balance_evidence",)], "why the breaker was cleared")
    admin.execute("SELECT sendgate.reconcile_operations()")
    drift = admin.execute("SELECT count(*) FROM sendgate.counter_drift WHERE period = 'credits'").fetchone()
    equal(drift, (0,), "what layer 1 had to correct")
    progress(f"    {provider.delivered} delivered, {provider.doomed} refused, {WORKERS} workers")
