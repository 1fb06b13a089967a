"""The provider: it writes down what it accepted, on the disk, before it answers.

Its ledger is the truth against which the gate's books are held. A worker that is killed has its
ledger in a file; what is not on a whole line there was never sent.
"""

import os
import random
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from .kinds import COUNTED, FAILING, kind_of


class Call(NamedTuple):
    """What a worker asks the provider to send."""

    operation_id: str
    account_id: str
    action: str
    prospect_id: str
    campaign_id: str | None
    step: int | None = None


class Answer(NamedTuple):
    """What the worker sees of it."""

    chat_id: str | None = None
    status: int | None = None
    message: str | None = None
    type: str | None = None
    retry_after: str | None = None
    # A success, with or without a chat id.
    good: bool = False


class Manner(NamedTuple):
    """A way to answer: how often, and whether it was sent."""

    name: str
    weight: float
    accepted: bool
    answer: Answer


TIMEOUT = Answer(message="no answer in time", type="errors/request_timeout")
BROKEN = Answer(status=500, message="internal error")
MANNERS = (
    Manner("delivered", 90, True, Answer(status=201, good=True)),
    Manner("unproven", 1, True, Answer(status=201, good=True)),
    Manner("timeout, sent", 1, True, TIMEOUT),
    Manner("timeout, not sent", 1, False, TIMEOUT),
    Manner("broken, sent", 0.5, True, BROKEN),
    Manner("broken, not sent", 0.5, False, BROKEN),
    Manner("refused", 3, False, Answer(status=422, message="recipient has blocked you")),
    Manner("later", 1, False, Answer(status=422, type="errors/cannot_resend_within_24hrs", retry_after="5 seconds")),
    Manner("rejected", 0.5, False, Answer(status=400, type="errors/too_many_characters")),
    Manner("limited", 0.05, False, Answer(status=422, type="errors/limit_exceeded", retry_after="3 seconds")),
    Manner("not included", 0.02, False, Answer(status=403, type="errors/feature_not_subscribed")),
    Manner("busy", 2, False, Answer(status=503, message="try later")),
    Manner("slow down", 0.2, False, Answer(status=429, message="slow down", retry_after="10 seconds")),
    Manner("logged out", 0.02, False, Answer(status=401, type="errors/invalid_credentials")),
    Manner("no credits", 1, False, Answer(status=422, type="errors/insufficient_credits")),
)
BY_NAME = {manner.name: manner for manner in MANNERS}
WITHOUT_CREDITS = tuple(manner for manner in MANNERS if manner.name != "no credits")
# Of an account that fails: half of the time every invite, and most messages all the time.
FAILS_FOR_SECONDS = 10
FAILING_MESSAGES = tuple(
    manner._replace(weight=150) if manner.name == "refused" else manner for manner in WITHOUT_CREDITS
)


class Provider:
    """One worker's connection to it, with a ledger of its own."""

    def __init__(self, path: Path, rng: random.Random, now):
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._rng = rng
        self._now = now

    def send(self, calls: list[Call]) -> list[Answer]:
        """Send all of them at once. Accepted sends are on the disk before the worker gets its answers."""
        manners = [self.choose(call) for call in calls]
        self.write(calls, manners)
        return [answer_of(call, manner) for call, manner in zip(calls, manners, strict=True)]

    def write(self, calls: list[Call], manners: list[Manner]) -> None:
        """Lines as COPY reads them."""
        at = self._now().isoformat()
        lines = "".join(
            "\t".join(
                (*call[:4], call.campaign_id or "\\N", str(manner.accepted), manner.name, at, str(call.step or "\\N"))
            )
            + "\n"
            for call, manner in zip(calls, manners, strict=True)
        )
        os.write(self._file, lines.encode())
        os.fsync(self._file)

    def choose(self, call: Call) -> Manner:
        """By chance; a test may put another choice in its place."""
        manners = manners_for(call, self._now())
        return self._rng.choices(manners, [manner.weight for manner in manners])[0]


def manners_for(call: Call, now: datetime) -> tuple[Manner, ...]:
    """How the provider may answer this call. An account whose balance is told has credits whenever the balance says so."""
    kind = kind_of(call.account_id)
    if call.action == "inmail":
        return WITHOUT_CREDITS if kind == COUNTED else MANNERS
    if kind == FAILING and call.action == "message":
        return FAILING_MESSAGES
    if kind == FAILING and call.action == "invite" and now.timestamp() // FAILS_FOR_SECONDS % 2 == 0:
        return (BY_NAME["busy"],)
    return WITHOUT_CREDITS


def always(name: str):
    """A choice that is none."""
    return lambda _call: BY_NAME[name]


def answer_of(call: Call, manner: Manner) -> Answer:
    """A delivery is proven by its chat id."""
    if manner.name == "delivered":
        return manner.answer._replace(chat_id=chat_of(call.operation_id))
    return manner.answer


def chat_of(operation_id: str) -> str:
    """The chat that a send opened. The provider's list shows it, so the send can be settled later."""
    return f"chat {operation_id}"
