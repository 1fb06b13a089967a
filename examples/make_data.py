"""Writes prospects.csv anew, byte for byte the same each time: `python3 examples/make_data.py`.

accounts.csv is written by hand. Its `credits` are what the mock provider lets an account spend in
this month, `renewal` what it gets on the 1st. Two of the accounts hold so few that they run dry in
the first seconds of the demo. Two more meet a provider that fails: ivan-petrov's invites are over LinkedIn's
weekly limit, and clara-nunes sends invites whose text is too long (`trouble`). The provider shows the InMail balance of
one of its products for sofia-novak (`balance`), and answers each of her messages and InMails without a fault. So two
campaigns share her account: a newsletter, and a sequence of two messages to each prospect.
"""

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
SEED = 2026
INMAILS = 320
INVITES = 200
SWITCHED = 40
SWITCHED_ACCOUNT = "amelie-laurent"
"""Runs out of credits early, and its second campaign goes on with messages."""
CONNECTION_PERCENT = 50
"""The share of that campaign's prospects who are connections: only to these a message can be sent."""
SHARED_PERCENT = 4
"""Invited prospects to whom spring-inmail writes as well, through the same account. If they accept,
two campaigns want the same InMail sent, and the gate keeps the two apart by the prospect's cooldown."""
FAILING = 60
"""Invites of each account in trouble, enough to see that few of them are tried."""
MESSAGES = 8
"""Messages of each of these accounts, to see that they go on."""
KNOWN = 24
"""InMails of each account whose balance is known: more than it has credits for, before and after a top-up."""
NEWSLETTER = 30
"""Messages of each of these accounts, put in before the sequence, which does not have to wait for them."""
SEQUENCE = 4
"""Prospects of each of these accounts who get two messages."""
COLUMNS = ["campaign_id", "prospect_id", "account_id", "action", "is_connection", "step"]


def rows(accounts: list[str], senders: list[str], troubled: list[str], known: list[str]):
    """Prospects dealt to the accounts in turn, so that every account is busy from the start."""
    dice = random.Random(SEED)
    for number in range(INMAILS):
        yield "spring-inmail", f"spring-{number + 1:03}", senders[number % len(senders)], "inmail", "no"
    for number in range(INVITES):
        prospect, account = f"invited-{number + 1:03}", accounts[number % len(accounts)]
        yield "invite-first", prospect, account, "invite", "no"
        if dice.randrange(100) < SHARED_PERCENT:
            yield "spring-inmail", prospect, account, "inmail", "no"
    for number in range(SWITCHED):
        connected = dice.randrange(100) < CONNECTION_PERCENT
        yield "switched", f"switched-{number + 1:03}", SWITCHED_ACCOUNT, "inmail", "yes" if connected else "no"
    for account in troubled:
        for number in range(FAILING):
            yield "failing", f"failing-{account}-{number + 1:03}", account, "invite", "no"
        for number in range(MESSAGES):
            yield "failing", f"connected-{account}-{number + 1:03}", account, "message", "yes"
    for account in known:
        for number in range(KNOWN):
            yield "known-credits", f"known-{account}-{number + 1:03}", account, "inmail", "no"
        for number in range(NEWSLETTER):
            yield "newsletter", f"reader-{account}-{number + 1:03}", account, "message", "yes"
        for number in range(SEQUENCE):
            for step in (1, 2):
                yield "sequence", f"welcome-{account}-{number + 1:03}", account, "message", "yes", step


def main() -> None:
    """Reads the accounts and writes one row per prospect and campaign."""
    with open(HERE / "accounts.csv", encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    troubled = [row["account_id"] for row in accounts if row["trouble"]]
    known = [row["account_id"] for row in accounts if row["balance"]]
    sound = [row for row in accounts if not row["trouble"] and not row["balance"]]
    everybody = [row["account_id"] for row in sound]
    senders = [row["account_id"] for row in sound if row["tier"] != "free"]  # free sends no InMails
    with open(HERE / "prospects.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        # One message to a prospect, unless a step says which of several.
        writer.writerows((*row, 1)[: len(COLUMNS)] for row in rows(everybody, senders, troubled, known))


if __name__ == "__main__":
    main()
