"""A mock messaging provider over HTTP on the loopback interface, with the documented answers.

    python3 provider.py --accounts accounts.csv --ledger ledger.jsonl

prints `listening on http://127.0.0.1:PORT` and serves until SIGTERM:

    POST /api/v1/messages   {account_id, prospect_id, action, operation_id} → 201, 422, 429, 50x or silence
    GET  /api/v1/accepted   the invites that were accepted so far
    GET  /api/v1/linkedin/inmail_balance?account_id=…   InMail credits: a number or null for each product
    POST /topup?account_id=…&credits=…   buys credits
    POST /renew             the first of the month: every account gets the credits of its contract
    GET  /ledger            every request so far and whether it was truly delivered

The ledger is the truth that the demo's verdict compares the gate's books with. A caller can not
know all of it: a request that ended in 504 was sent half of the time. What happens to a prospect
follows from a hash of its id and the seed, so every run meets the same faults.
"""

import argparse
import csv
import hashlib
import json
import signal
import sys
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVERY = frozenset({"inmail", "invite", "message"})
INMAIL = frozenset({"inmail"})

REFUSALS = [
    # per mille, actions, error type, title; a property of the prospect: a second try meets it again
    (20, EVERY, "errors/blocked_recipient", "Recipient blocked"),
    (15, EVERY, "errors/invalid_recipient", "Recipient cannot be reached"),
    (30, INMAIL, "errors/not_allowed_inmail", "InMail not allowed"),
    (25, frozenset({"invite"}), "errors/already_invited_recently", "Already invited recently"),
]
TROUBLES = {
    # of an account's invites, all of them; its messages go through
    "weekly_limit": (422, "errors/connection_limit_reached", "Weekly invitation limit reached"),
    "broken_template": (400, "errors/too_many_characters", "Too many characters"),
}
FAULTS = [
    # per mille, actions, fault; of this request only: a second try may go through
    (6, EVERY, "too_many_requests"),
    (20, INMAIL, "null_chat_id"),
    (25, EVERY, "unavailable"),
    (12, EVERY, "gateway_timeout"),
    (5, EVERY, "hang_up"),
    (3, EVERY, "silence"),
]
PRODUCTS = ("premium", "recruiter", "sales_navigator")
"""That a seat may have, each with InMail credits of its own."""
ACCEPTED_PER_MILLE = 400
"""Of the invites that were delivered."""
ANSWER_SECONDS = (0.3, 1.1)
GATEWAY_TIMEOUT_SECONDS = 1.2
SILENCE_SECONDS = 6.0
"""Longer than the demo's workers wait for an answer."""
RETRY_AFTER_SECONDS = 3
BODY_BYTES_MAX = 10_000
FIELDS = ("account_id", "prospect_id", "action", "operation_id")


@dataclass
class Answer:
    """What a request gets, and the truth about it that the caller may never learn."""

    status: int | None
    body: dict
    delivered: bool = False
    seconds: float = 0.0


def problem(status: int, error_type: str, title: str, detail: str, **more) -> Answer:
    """An error answer in the provider's documented shape."""
    return Answer(status, {"type": error_type, "title": title, "detail": detail, **more})


def out_of_credits() -> Answer:
    """What an InMail gets without credits."""
    return problem(
        422,
        "errors/insufficient_credits",
        "Not enough credits",
        "Provider cannot execute request because of insufficient credits.",
    )


@dataclass
class Provider:
    """The provider's own state: credits left, requests seen, and the ledger of both."""

    credits: dict[str, int]
    renewal: dict[str, int]
    ledger_path: str
    seed: str
    troubles: dict[str, str] = field(default_factory=dict)
    balances: dict[str, str] = field(default_factory=dict)
    """Accounts whose balance can be asked for: the product that has it."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    attempts: Counter = field(default_factory=Counter)
    ledger: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.ledger_file = open(self.ledger_path, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the server

    def roll(self, *about) -> int:
        """A number from 0 to 999 that is always the same for the same seed and subject."""
        text = "/".join(map(str, (self.seed, *about)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 1000

    def pick(self, table: list[tuple], action: str, *about) -> tuple | None:
        """The row of a table above that the dice choose for this subject, or none."""
        left = self.roll(action, *about)
        for row in table:
            left -= row[0]
            if left < 0:
                return row if action in row[1] else None
        return None

    def handle(self, request: dict) -> Answer:
        """Decides and writes down what happens to a request, before anything is answered."""
        request = {name: str(request[name]) for name in FIELDS}
        with self.lock:
            prospect, action = request["prospect_id"], request["action"]
            self.attempts[prospect, action] += 1
            attempt = self.attempts[prospect, action]
            answer = self.decide(request["account_id"], prospect, action, attempt)
            low, high = ANSWER_SECONDS
            answer.seconds += low + (high - low) * self.roll("wait", prospect, attempt) / 1000
            self.write_down(request, answer)
            return answer

    def decide(self, account: str, prospect: str, action: str, attempt: int) -> Answer:
        """The rules of sending, in the order in which a provider would find out."""
        trouble = TROUBLES.get(self.troubles.get(account, ""))
        if trouble:
            if action == "invite":
                return problem(*trouble, f"{trouble[2]}: {account}.")
            return Answer(201, {"chat_id": f"chat-{prospect}-{attempt}"}, delivered=True)
        if account in self.balances:
            return self.by_credits(account, prospect, action, attempt)
        fault = self.pick(FAULTS, action, prospect, "fault", attempt)
        name = fault[2] if fault else None
        if name == "too_many_requests":
            return problem(
                429,
                "errors/too_many_requests",
                "Too many requests",
                "The account sends too fast.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        if name == "unavailable":
            return problem(503, "errors/service_unavailable", "Service unavailable", "Try again later.")
        if refusal := self.pick(REFUSALS, action, prospect, "refusal"):
            return problem(422, refusal[2], refusal[3], f"{refusal[3]}: {prospect}.")
        if action == "inmail" and self.credits[account] == 0:
            return out_of_credits()
        delivered = name is None or self.roll("truly sent", prospect, action, attempt) < 500
        if delivered and action == "inmail":
            self.credits[account] -= 1
        chat_id = "chat-" + hashlib.sha256(f"{prospect}/{action}/{attempt}".encode()).hexdigest()[:16]
        match name:
            case "gateway_timeout":
                answer = problem(
                    504, "errors/request_timeout", "Request timed out", "The provider did not answer in time."
                )
                answer.seconds = GATEWAY_TIMEOUT_SECONDS
            case "hang_up":
                answer = Answer(None, {})
            case "silence":
                answer = Answer(None, {}, seconds=SILENCE_SECONDS)
            case "null_chat_id":
                answer = Answer(201, {"chat_id": None})
            case _:
                answer = Answer(201, {"chat_id": chat_id})
        answer.delivered = delivered
        return answer

    def by_credits(self, account: str, prospect: str, action: str, attempt: int) -> Answer:
        """An account without faults: an InMail goes out while there are credits."""
        if action == "inmail":
            if self.credits[account] == 0:
                return out_of_credits()
            self.credits[account] -= 1
        return Answer(201, {"chat_id": f"chat-{prospect}-{attempt}"}, delivered=True)

    def balance(self, account: str) -> dict:
        """InMail credits of each product; null where the seat has no such product, or does not show them."""
        with self.lock:
            shown = self.balances.get(account)
            return {product: self.credits[account] if product == shown else None for product in PRODUCTS}

    def top_up(self, account: str, credits: int) -> dict:
        """Adds bought credits to an account."""
        with self.lock:
            self.credits[account] += credits
        return self.balance(account)

    def accepted(self) -> list[dict]:
        """Delivered invites whose prospects said yes: the truth, also where the caller got no answer."""
        with self.lock:
            delivered = [e for e in self.ledger if e["action"] == "invite" and e["delivered"]]
        return [
            {"account_id": e["account_id"], "prospect_id": e["prospect_id"]}
            for e in delivered
            if self.roll("accepts", e["prospect_id"]) < ACCEPTED_PER_MILLE
        ]

    def renew(self) -> dict:
        """A new month's credits; those left over from the month before are gone."""
        with self.lock:
            self.credits.update(self.renewal)
        return self.renewal

    def write_down(self, request: dict, answer: Answer) -> None:
        """Appends to the ledger, in memory and on disk, so that a crash loses nothing."""
        entry = {
            "received_at": datetime.now(UTC).isoformat(),
            **request,
            "status": answer.status,
            "type": answer.body.get("type"),
            "chat_id": answer.body.get("chat_id"),
            "delivered": answer.delivered,
            "credits_left": self.credits[request["account_id"]],
        }
        self.ledger.append(entry)
        self.ledger_file.write(json.dumps(entry) + "\n")
        self.ledger_file.flush()


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the provider that the server carries."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """One message, invite or InMail; or a new month."""
        if self.path == "/renew":
            return self.reply(200, self.server.provider.renew())
        if self.path.startswith("/topup?"):
            asked = self.query()
            return self.reply(200, self.server.provider.top_up(asked["account_id"], int(asked["credits"])))
        length = self.headers.get("Content-Length", "")
        if self.path != "/api/v1/messages" or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True  # the body stays unread
            return self.reply(404, {"type": "errors/resource_not_found"})
        try:
            answer = self.server.provider.handle(json.loads(self.rfile.read(int(length))))
        except (ValueError, KeyError, TypeError) as error:
            return self.reply(400, {"type": "errors/invalid_parameters", "detail": repr(error)})
        time.sleep(answer.seconds)
        if answer.status is None:
            self.close_connection = True
            return None
        return self.reply(answer.status, answer.body)

    def do_GET(self):
        """Which invitations were accepted, for the application; the ledger, for the demo's verdict."""
        if self.path == "/api/v1/accepted":
            return self.reply(200, self.server.provider.accepted())
        if self.path.startswith("/api/v1/linkedin/inmail_balance?"):
            account = self.query().get("account_id", "")
            if account not in self.server.provider.credits:
                return self.reply(404, {"type": "errors/resource_not_found"})
            return self.reply(200, self.server.provider.balance(account))
        if self.path != "/ledger":
            return self.reply(404, {"type": "errors/resource_not_found"})
        with self.server.provider.lock:
            ledger = list(self.server.provider.ledger)
        return self.reply(200, ledger)

    def query(self) -> dict[str, str]:
        """The parameters of the address."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    def reply(self, status: int, body) -> None:
        """Answers in JSON; a caller that has gone away is no error of ours."""
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if isinstance(body, dict) and "retry_after" in body:
                self.send_header("Retry-After", str(body["retry_after"]))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_):
        """The ledger says it all."""


class Server(ThreadingHTTPServer):
    """One thread per connection; threads that still sleep do not hold up the end."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A caller that hangs up is part of the play; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def stop_with_stdin() -> None:
    """Ends the provider when its parent goes away, however that happened."""
    sys.stdin.buffer.read()
    signal.raise_signal(signal.SIGTERM)


def main() -> None:
    """Reads the accounts, takes a free port, says which, and serves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", required=True, help="CSV with account_id, credits, renewal, trouble, balance")
    parser.add_argument("--ledger", required=True, help="JSON lines file to append to")
    parser.add_argument("--seed", default="sendgate", help="another seed, other faults")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when stdin is closed")
    arguments = parser.parse_args()
    with open(arguments.accounts, encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    credits, renewal = ({row["account_id"]: int(row[name]) for row in accounts} for name in ("credits", "renewal"))
    server = Server(("127.0.0.1", 0), Handler)
    troubles = {row["account_id"]: row["trouble"] for row in accounts if row.get("trouble")}
    balances = {row["account_id"]: row["balance"] for row in accounts if row.get("balance")}
    server.provider = Provider(credits, renewal, arguments.ledger, arguments.seed, troubles, balances)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if arguments.stop_with_stdin:
        threading.Thread(target=stop_with_stdin, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
