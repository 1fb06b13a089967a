"""A sending worker: takes what the gate hands out, sends it, and says what came of it.

DATABASE_URL (or PGHOST, PGPORT, …) is a role granted sendgate_sender, PROVIDER_URL the provider.
"""

import json
import os
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import namedtuple_row

MESSAGES_URL = os.environ["PROVIDER_URL"] + "/api/v1/messages"
BALANCE_URL = os.environ["PROVIDER_URL"] + "/api/v1/linkedin/inmail_balance?account_id="
PROVIDER_TIMEOUT = timedelta(seconds=4)
BATCH = 4  # sent at the same time; a worker that dies leaves so many unknown at most
IDLE_SECONDS = 1
BALANCE_SECONDS = 60 * 60  # between two looks at an account's InMail credits
RETRY_SECONDS = [0.2, 0.4, 0.8, 1.6, *[4] * 7, None]  # half a minute of restart or failover
AWAY_SECONDS, UNANSWERED_MAX = 5, 100  # behind a proxy: when a request is repeated whose partition was away
CHAT_ID_CHARACTERS_MAX = 2000  # this and the next are what the gate accepts
RETRY_AFTER_SECONDS_MAX = 366 * 24 * 60 * 60
BALANCE = "SELECT sendgate.record_credit_balance(%s, %s, %s)"
DISPATCH = "SELECT * FROM sendgate.dispatch(%s, request_id => %s)"
CONFIRM = "SELECT sendgate.confirm_many(%s::text[], %s::uuid[], %s::text[])"
ROLLBACK = """SELECT sendgate.rollback_many(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::int[],
                                            %s::interval[])"""

# Bare on purpose: no redirect is followed, because it might send a second time, and no status raises.
provider = urllib.request.OpenerDirector()
provider.add_handler(urllib.request.HTTPHandler())
provider.add_handler(urllib.request.HTTPSHandler())
connection = None
unanswered, ask_again_at = [], 0.0  # requests of dispatch that a proxy's partition did not answer
looked_at = {}  # when this worker met an account with InMails, or last told its balance


def gate(sql, *values):
    """One autocommitted call. Repeating it after a lost connection is safe: the same request id gets
    the same rows from dispatch, and confirm and rollback take effect at most once."""
    global connection
    for wait in RETRY_SECONDS:
        try:
            if connection is None or connection.closed:
                dsn = os.environ.get("DATABASE_URL") or ""
                connection = psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row)
            return connection.execute(sql, values).fetchall()
        except psycopg.DatabaseError as error:
            # SG3..: another session held an account for too long, or the lost call is still at work. XX000
            # (InternalError) is how a proxy says that a partition is away; others are asked for work meanwhile.
            away = isinstance(error, psycopg.InternalError)
            passing = away or isinstance(error, psycopg.OperationalError) or (error.sqlstate or "").startswith("SG3")
            if wait is None or not passing or away and sql is DISPATCH:
                raise
            time.sleep(wait)


def hand_out():
    """What the gate hands out for a new request, or for one that had no answer: its slots must not be lost."""
    global ask_again_at
    is_again = unanswered and time.monotonic() >= ask_again_at
    request = unanswered.pop(0) if is_again else uuid.uuid4()
    try:
        return gate(DISPATCH, BATCH, request)
    except psycopg.InternalError as error:
        print(f"request {request} is repeated later: {error}", file=sys.stderr)
        if len(unanswered) < UNANSWERED_MAX:  # the first ones may have been answered on the way
            unanswered.append(request)
        ask_again_at = time.monotonic() + AWAY_SECONDS
        return []


def send(row):
    """Makes the one attempt that a slot allows. Returns the call that reports it, and its values."""

    def failed(message=None, error_type=None, status=None, wait=None):
        return ROLLBACK, (row.account_id, row.operation_id, text(message), text(error_type), status, wait)

    if datetime.now(UTC) + PROVIDER_TIMEOUT > row.expires_at:
        return failed()  # too late to be sure: never sent, so no error
    try:
        status, said = call_provider(row)
        if said is None or 300 <= status < 400:  # a login page, with 200 too, or a redirect: sent or not?
            return failed("unreadable answer", None, status)
        if 200 <= status < 300:
            # Half an id, or none, is no proof: the gate decides what a delivery without one is.
            chat_id, kind = text(said.get("chat_id")), type(said.get("chat_id"))
            if chat_id and (kind not in (str, int) or len(chat_id) > CHAT_ID_CHARACTERS_MAX):
                print(f"operation {row.operation_id}: unusable chat_id {chat_id[:60]!r}…", file=sys.stderr)
                chat_id = None
            return CONFIRM, (row.account_id, row.operation_id, chat_id)
        wait = said.get("retry_after")
        sane = type(wait) in (int, float) and 0 <= wait <= RETRY_AFTER_SECONDS_MAX
        # The provider said no; what its words mean is the gate's to know.
        return failed(said.get("detail"), said.get("type"), status, timedelta(seconds=wait) if sane else None)
    except Exception as error:
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return failed()  # nothing left this machine: never sent
        # The outcome is unknown: the type says so, and the gate never hands it out again by itself.
        return failed(f"no answer: {error!r}", "errors/request_timeout")


def call_provider(row):
    """One request. Returns the status and the JSON object that came with it, or None if unreadable."""
    message = {name: str(getattr(row, name)) for name in ("account_id", "prospect_id", "action", "operation_id")}
    request = urllib.request.Request(MESSAGES_URL, json.dumps(message).encode())
    with provider.open(request, timeout=PROVIDER_TIMEOUT.total_seconds()) as answer:
        try:
            said = json.load(answer)
        except ValueError:  # a proxy's page instead of JSON: the status has to say it all
            return answer.status, None
        return answer.status, said if isinstance(said, dict) else {}


def tell_balances(rows):
    """Tells the InMail credits that the provider shows, once an hour for each account that this worker has met. The
    application tells the first balance, when it sets the account up. Nothing depends on this one: it may fail."""
    now = time.monotonic()
    for row in rows:
        if row.action == "inmail":
            looked_at.setdefault(row.account_id, now)
    for account in [account for account, at in looked_at.items() if now - at >= BALANCE_SECONDS]:
        looked_at[account] = now
        try:
            # Before the question: what is sent meanwhile must not be missed, and may be counted twice.
            observed_at = datetime.now(UTC)
            request = urllib.request.Request(BALANCE_URL + urllib.parse.quote(account, safe=""))
            with provider.open(request, timeout=PROVIDER_TIMEOUT.total_seconds()) as answer:
                said = json.load(answer) if answer.status == 200 else {}
            # A number or null for each product. With two of them, say here which one your InMails use.
            credits = [number for number in said.values() if type(number) is int]
            if len(credits) == 1:
                gate(BALANCE, account, credits[0], observed_at)
        except (OSError, ValueError, AttributeError, psycopg.Error) as error:
            print(f"the balance of {account}: {error!r}", file=sys.stderr)


def text(value):
    """A value from JSON as text that PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    if value is None:
        return None
    value = value if isinstance(value, str) else json.dumps(value)
    return value.encode(errors="ignore").replace(b"\0", b"").decode()


def report(sql, answers):
    """Tells the gate in one call; refused, each by itself, so that a bad answer holds up no other.
    Returns how many it took."""
    try:
        if answers:
            gate(sql, *map(list, zip(*answers, strict=True)))
        return len(answers)
    except (psycopg.OperationalError, psycopg.InternalError):
        raise  # the database stays away: what is in hand expires, and is listed for the operators
    except psycopg.Error as error:
        if len(answers) > 1:
            return sum(report(sql, [answer]) for answer in answers)
        print(f"{answers[0]} was refused: {error!r}", file=sys.stderr)
        return 0


def main():
    """Sends until SIGTERM. What is in hand is finished first: a cut call is an unknown outcome."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    urllib.request.Request(MESSAGES_URL)  # a wrong address ends here, before any slot is taken
    with ThreadPoolExecutor(BATCH) as pool:
        while not stopping.is_set():
            rows = hand_out()
            answers = list(pool.map(send, rows))
            delivered, failed = ([values for call, values in answers if call is sql] for sql in (CONFIRM, ROLLBACK))
            taken = report(CONFIRM, delivered) + report(ROLLBACK, failed)
            tell_balances(rows)
            if rows and not taken:
                sys.exit("the gate took none of the answers: going on would only use up slots")
            if not delivered:
                time.sleep(IDLE_SECONDS)  # nothing is due, or nothing goes through


if __name__ == "__main__":
    main()
