"""The company's side of the campaigns: the application that puts prospects to work and reacts to
acceptances, the operator who switches a campaign, and the calendar.
"""

import csv
import json
import math
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from harness.cluster import Cluster

from .children import EXAMPLES
from .opt_out import OptOut
from .stage import Session
from .terminal import step

PROSPECTS = EXAMPLES / "prospects.csv"
INVITE_FIRST, SWITCHED, KNOWN = "invite-first", "switched", "known-credits"
NEWSLETTER, SEQUENCE = "newsletter", "sequence"
TOPPED_UP = 5
"""Credits that the company buys for an account whose known credits are gone."""
ENQUEUE = """
SELECT count(*) FILTER (
           WHERE sendgate.enqueue(campaign_id, prospect_id, account_id, action, dispatch_at, is_connection,
                                  COALESCE(step, 1))
       ) AS enqueued
  FROM json_to_recordset(%s)
       AS work (campaign_id text, prospect_id text, account_id text, action text, is_connection boolean,
                dispatch_at timestamptz, step integer)
"""
STOPPED = """
SELECT 1
  FROM sendgate.enrollments e
  JOIN sendgate.breakers b USING (account_id)
 WHERE e.campaign_id = %s AND e.state = 'waiting' AND b.state = 'open'
 LIMIT 1
"""
SWITCH = "SELECT * FROM sendgate.switch_action(%s, 'inmail', 'message')"
SPENT = """
SELECT c.account_id
  FROM sendgate.credits c
  JOIN sendgate.breakers b USING (account_id)
 WHERE c.credits_left = 0 AND b.state = 'open'
"""
TELL = "SELECT sendgate.record_credit_balance(%s, %s, sendgate.clock(), %s)"
AHEAD_OF_OTHERS = timedelta(hours=1)
NEXT_STEP = timedelta(seconds=5)
"""Between two messages of the sequence; days, outside of a demo."""
PROVIDER_SECONDS_MAX = 30


@dataclass
class Campaigns:
    """What happens to the campaigns while the workers send. The workers know nothing of it."""

    application: Session
    operator: Session
    reader: Session
    provider_url: str
    accepted: set[tuple[str, str]] = field(default_factory=set)
    switched: bool = False
    topped_up: set[str] = field(default_factory=set)

    def __post_init__(self):
        self.opt_out = OptOut(self.operator, self.reader)

    def start(self) -> None:
        """Enqueues every prospect in one statement. Workers go on sending meanwhile."""
        with PROSPECTS.open(encoding="utf-8") as file:
            work = list(csv.DictReader(file))
        for account in sorted({row["account_id"] for row in work if row["campaign_id"] == KNOWN}):
            self.tell(account, "set up")
        # All steps at once: each is handed out when it is due.
        now = clock(self.reader)
        later = [row | {"dispatch_at": (now + NEXT_STEP).isoformat()} for row in work if row["step"] != "1"]
        count = self.enqueue([row for row in work if row["step"] == "1"] + later)
        step(f"{count:,} prospects enqueued in {len({row['campaign_id'] for row in work})} campaigns")

    def tell(self, account: str, note: str) -> int:
        """Tells the gate the balance that the provider shows; how many credits that is."""
        query = urllib.parse.urlencode({"account_id": account})
        shown = ask(f"{self.provider_url}/api/v1/linkedin/inmail_balance?{query}")
        (credits,) = [number for number in shown.values() if number is not None]
        self.application.rows(TELL, [account, credits, note])
        return credits

    def enqueue(self, work: list[dict]) -> int:
        """Puts work to the campaigns; what is there already stays as it is."""
        return self.application.rows(ENQUEUE, [json.dumps(work)])[0]["enqueued"]

    def go_on(self) -> list[str]:
        """Reacts once to what happened in the campaigns. Returns what it did, in words."""
        return [*self._follow_up(), *self._switch(), *self.opt_out.look(), *self._top_up()]

    def _follow_up(self) -> list[str]:
        """Invite → InMail: a prospect who accepts becomes a connection and gets an InMail."""
        accepted = ask(self.provider_url + "/api/v1/accepted")
        news = [row for row in accepted if (row["account_id"], row["prospect_id"]) not in self.accepted]
        if not news:
            return []
        first = not self.accepted
        # What is due longest goes out first: a new connection before those who never heard of us.
        due = clock(self.reader) - AHEAD_OF_OTHERS
        inmail = {"campaign_id": INVITE_FIRST, "action": "inmail", "is_connection": True}
        self.enqueue([row | inmail | {"dispatch_at": due.isoformat()} for row in news])
        self.accepted |= {(row["account_id"], row["prospect_id"]) for row in news}
        return [f"{INVITE_FIRST}: invites are being accepted, an InMail to each is enqueued"] if first else []

    def _switch(self) -> list[str]:
        """The operator does not wait for the next month where a message will do."""
        if self.switched or not self.reader.rows(STOPPED, [SWITCHED]):
            return []
        answer = self.operator.rows(SWITCH, [SWITCHED])[0]
        self.switched = True
        return [
            f"{SWITCHED}: out of credits; the operator lets {answer['moved']} connections get a message, "
            f"{answer['left_behind']} wait for credits"
        ]

    def _top_up(self) -> list[str]:
        """Buys credits once the known ones are gone, and tells the gate: no test InMail is needed."""
        news = []
        for account in [row["account_id"] for row in self.reader.rows(SPENT)]:
            if account not in self.topped_up:
                self.topped_up.add(account)
                query = urllib.parse.urlencode({"account_id": account, "credits": TOPPED_UP})
                ask(f"{self.provider_url}/topup?{query}", b"")
                told = self.tell(account, "topped up")
                news.append(f"{account}: its known credits were used up, no call was refused; {told} more are bought")
        return news


def next_month(server: Cluster, reader: Session, provider_url: str) -> datetime:
    """Sets the server's clock to the 1st of the next month, and renews the provider's credits. The
    workers are not told. Returns the instant to which everything is deferred."""
    ask(provider_url + "/renew", b"")
    now = clock(reader)
    first = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    server.configure(sendgate__clock_offset=f"{math.ceil((first - now).total_seconds())} s")
    return first


def clock(reader: Session) -> datetime:
    """The server's time, in UTC like everything that sendgate decides by."""
    return reader.rows("SELECT sendgate.clock() AS now")[0]["now"].astimezone(UTC)


def ask(url: str, body: bytes | None = None):
    """What the provider answers to this demo's own questions."""
    with urllib.request.urlopen(url, body, timeout=PROVIDER_SECONDS_MAX) as answer:
        return json.load(answer)
