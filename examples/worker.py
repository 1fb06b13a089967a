"""A sending worker: asks the gate before every call to the provider, and tells it what came back.

    python3 worker.py PROSPECTS.CSV SHARE OF     # e.g. prospects.csv 0 4: the first of four workers

DATABASE_URL (or PGHOST, PGPORT, …) is a role granted sendgate_sender, PROVIDER_URL the provider.
"""

import csv
import heapq
import itertools
import json
import os
import signal
import sys
import time
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

import psycopg
from psycopg.rows import namedtuple_row

MESSAGES_URL = os.environ["PROVIDER_URL"] + "/api/v1/messages"
PROVIDER_TIMEOUT = timedelta(seconds=4)
PAUSE = timedelta(seconds=5)  # before asking again after a failed attempt; the gate may say longer
DATABASE_TRIES_MAX = 12  # about half a minute of restart or failover
FAILURES_MAX = 5  # in a row: then it is not the prospects, and going on would only take more slots
GIVEN_BACK = {"released", "transient", "rate_limited", "credits_exhausted"}  # safe to try again
CHAT_ID_CHARACTERS_MAX = 2000  # this and the next are what the gate accepts
RETRY_AFTER_SECONDS_MAX = 366 * 24 * 60 * 60

# Bare on purpose: no redirect is followed, nobody knows what that would send, and no status raises.
provider = urllib.request.OpenerDirector()
provider.add_handler(urllib.request.HTTPHandler())
provider.add_handler(urllib.request.HTTPSHandler())
stopping = False
connection = None


def gate(sql, *values):
    """One autocommitted call. Repeating it after a lost connection is safe: the same operation id
    gets the same grant from reserve, and confirm and rollback take effect at most once."""
    global connection
    for attempt in itertools.count(1):
        try:
            if connection is None or connection.closed:
                dsn = os.environ.get("DATABASE_URL") or ""
                connection = psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row)
            return connection.execute(sql, values).fetchone()
        except psycopg.DatabaseError as error:
            # Given up, the operation stays reserved, expires, and is listed for the operators.
            last, lost = attempt == DATABASE_TRIES_MAX, isinstance(error, psycopg.OperationalError)
            if last and lost:
                sys.exit(f"the database does not answer: {error}")
            # SG3..: somebody held the account's row for too long.
            if last or not (lost or (error.sqlstate or "").startswith("SG3")):
                raise
            time.sleep(min(0.1 * 2**attempt, 4))


def send(prospect):
    """Tries one prospect. Returns when to ask the gate for it again, or None for never."""
    account, action = prospect["account_id"], prospect["action"]
    operation = uuid.uuid4()  # made before the call, so that a lost reply can be asked for again
    slot = gate("SELECT * FROM sendgate.reserve(%s, %s, %s, %s, %s)",
                account, action, prospect["prospect_id"], prospect["campaign_id"], operation)
    if not slot.proceed:
        return slot.retry_at  # None: only an event can change it, so it is not ours to wait for
    try:
        return use(slot, operation, prospect)
    except Exception as error:
        # Whatever it was, the message may have left: hold the slot. The type says so, since the text
        # of the error might happen to read like a refusal.
        give_back(account, operation, f"the worker failed: {error!r}", "errors/request_timeout")
        raise


def use(slot, operation, prospect):
    """Makes the one attempt that a slot allows, and reports what came of it."""
    account = prospect["account_id"]
    if datetime.now(UTC) + PROVIDER_TIMEOUT > slot.expires_at:
        return give_back(account, operation)  # too late to be sure: never sent, so no error
    try:
        status, said = call_provider({"account_id": account, "prospect_id": prospect["prospect_id"],
                                      "action": prospect["action"], "operation_id": str(operation)})
    except (OSError, HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return give_back(account, operation)  # nothing left this machine: never sent
        # Sent or not, nobody can tell. Say so, and never send it again: the slot stays held.
        return give_back(account, operation, f"no answer: {error!r}", "errors/request_timeout")
    if said is None or 300 <= status < 400:  # a login page, with 200 too, or a redirect: sent or not?
        return give_back(account, operation, "unreadable answer", None, status)
    if not 200 <= status < 300:  # the provider said no; what its words mean is the gate's to know
        wait = said.get("retry_after")
        sane = type(wait) in (int, float) and 0 <= wait <= RETRY_AFTER_SECONDS_MAX
        return give_back(account, operation, said.get("detail"), said.get("type"), status,
                         timedelta(seconds=wait) if sane else None)  # None: the gate's own cooldown
    chat_id = said.get("chat_id")
    if type(chat_id) not in (str, int, type(None)) or len(text(chat_id) or "") > CHAT_ID_CHARACTERS_MAX:
        # Delivered, but half an id would be a wrong one: without it, an operator sees to an InMail.
        print(f"operation {operation}: unusable chat_id {text(chat_id)[:60]!r}…", file=sys.stderr)
        chat_id = None
    # A null chat_id is passed on as it is: the gate decides whether that is a proof.
    gate("SELECT sendgate.confirm(%s, %s, %s)", account, operation, text(chat_id))
    return None


def call_provider(message):
    """One request. Returns the status and the JSON object that came with it, or None if unreadable."""
    request = urllib.request.Request(MESSAGES_URL, json.dumps(message).encode())
    with provider.open(request, timeout=PROVIDER_TIMEOUT.total_seconds()) as answer:
        try:
            said = json.load(answer)
        except ValueError:  # a proxy's page instead of JSON: the status has to say it all
            return answer.status, None
        return answer.status, said if isinstance(said, dict) else {}


def give_back(account, operation, message=None, error_type=None, status=None, wait=None):
    """Reports a failed attempt. Only what the gate has given back may be tried again."""
    outcome = gate("SELECT sendgate.rollback(%s, %s, %s, %s, %s, %s) AS outcome",
                   account, operation, text(message), text(error_type), status, wait).outcome
    return datetime.now(UTC) + PAUSE if outcome in GIVEN_BACK else None


def text(value):
    """A value from JSON as text that PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    if value is None:
        return None
    value = value if isinstance(value, str) else json.dumps(value)
    return value.encode(errors="ignore").replace(b"\0", b"").decode()


def main():
    """Works through a share of the prospects, each when it is due, until SIGTERM."""
    def stop(*_):
        global stopping
        stopping = True  # the attempt in hand is finished first: a cut call is an unknown outcome
    signal.signal(signal.SIGTERM, stop)
    urllib.request.Request(MESSAGES_URL)  # a wrong address ends here, before any slot is taken
    path, share, of = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, encoding="utf-8", newline="") as file:
        mine = list(csv.DictReader(file))[share::of]
    failures = 0
    due = [(datetime.now(UTC), number, prospect) for number, prospect in enumerate(mine)]
    while due and not stopping:
        if due[0][0] > datetime.now(UTC):
            time.sleep(0.1)
            continue
        _, number, prospect = heapq.heappop(due)
        try:
            again, failures = send(prospect), 0
        except Exception as error:  # one poisoned prospect must not hold up the others
            again, failures = None, failures + 1
            print(f"{prospect} failed: {error!r}", file=sys.stderr)
            if failures == FAILURES_MAX:
                sys.exit(f"{failures} prospects in a row failed: the errors are above")
        if again:
            heapq.heappush(due, (again, number, prospect))


if __name__ == "__main__":
    main()
