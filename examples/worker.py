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
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

import psycopg
from psycopg.rows import namedtuple_row

PROVIDER_TIMEOUT = timedelta(seconds=4)
PAUSE = timedelta(seconds=5)  # before asking again after a failed attempt; the gate may say longer
DATABASE_TRIES_MAX = 12  # about half a minute of restart or failover
GIVEN_BACK = {"released", "transient", "rate_limited", "credits_exhausted"}  # safe to try again

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
            # SG3..: somebody held the account's row for too long. Given up, the operation stays
            # reserved, expires, and is listed for the operators.
            waits = isinstance(error, psycopg.OperationalError) or (error.sqlstate or "")[:3] == "SG3"
            if not waits or attempt == DATABASE_TRIES_MAX:
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
    if datetime.now(UTC) + PROVIDER_TIMEOUT > slot.expires_at:
        return give_back(account, operation)  # too late to be sure: never sent, so no error
    try:
        status, said = call_provider({"account_id": account, "prospect_id": prospect["prospect_id"],
                                      "action": action, "operation_id": str(operation)})
    except (OSError, HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return give_back(account, operation)  # nothing left this machine: never sent
        # Sent or not, nobody can tell. Say so, and never send it again: the slot stays held.
        return give_back(account, operation, f"no answer: {error!r}", "errors/request_timeout")
    if status >= 300:  # the provider said no; what its words mean is the gate's to know
        wait = timedelta(seconds=said["retry_after"]) if "retry_after" in said else None
        return give_back(account, operation, said.get("detail"), said.get("type"), status, wait)
    # A null chat_id is passed on as it is: the gate decides whether that is a proof.
    gate("SELECT sendgate.confirm(%s, %s, %s)", account, operation, said.get("chat_id"))
    return None


def call_provider(message):
    """One request with a bounded wait. Returns the status and the JSON of whatever was answered."""
    request = urllib.request.Request(os.environ["PROVIDER_URL"] + "/api/v1/messages",
                                     json.dumps(message).encode())
    try:
        answer = urllib.request.urlopen(request, timeout=PROVIDER_TIMEOUT.total_seconds())
    except urllib.error.HTTPError as error:
        answer = error  # an answer like any other, only not a 2xx
    with answer:
        try:
            return answer.status, json.load(answer)
        except ValueError:  # a proxy's page instead of JSON: the status has to say it all
            return answer.status, {}


def give_back(account, operation, message=None, error_type=None, status=None, wait=None):
    """Reports a failed attempt. Only what the gate has given back may be tried again."""
    outcome = gate("SELECT sendgate.rollback(%s, %s, %s, %s, %s, %s) AS outcome",
                   account, operation, message, error_type, status, wait).outcome
    return datetime.now(UTC) + PAUSE if outcome in GIVEN_BACK else None


def main():
    """Works through a share of the prospects, each when it is due, until SIGTERM."""
    def stop(*_):
        global stopping
        stopping = True  # the attempt in hand is finished first: a cut call is an unknown outcome
    signal.signal(signal.SIGTERM, stop)
    path, share, of = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, encoding="utf-8", newline="") as file:
        mine = list(csv.DictReader(file))[share::of]
    due = [(datetime.now(UTC), number, prospect) for number, prospect in enumerate(mine)]
    while due and not stopping:
        if due[0][0] > datetime.now(UTC):
            time.sleep(0.1)
            continue
        _, number, prospect = heapq.heappop(due)
        if again := send(prospect):
            heapq.heappush(due, (again, number, prospect))


if __name__ == "__main__":
    main()
