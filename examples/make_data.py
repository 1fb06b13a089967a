"""Writes prospects.csv anew, byte for byte the same each time: `python3 examples/make_data.py`.

accounts.csv is written by hand; its `credits` are what the mock provider lets an account spend.
Two of the accounts hold so few that they run dry in the first half minute of the demo.
"""

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
SEED = 2026
PROSPECTS = 2000
ACTIONS = {"inmail": 60, "invite": 20, "message": 20}
"""What a campaign asks for, in per cent: mostly InMails, since those are what runs out."""
SHARED_PERCENT = 2
"""A prospect that two campaigns of one account both want. The rows stand next to each other, so
two workers meet on that prospect at the same moment and the gate has to let only one of them send."""
CAMPAIGNS = ["founders-emea", "cto-north-america", "hiring-platform-team", "logistics-apac"]


def rows(accounts: list[str]):
    """Prospects dealt to the accounts in turn, so that every account is busy from the start."""
    dice = random.Random(SEED)
    made = 0
    while made < PROSPECTS:
        account = accounts[made % len(accounts)]
        action = dice.choices(list(ACTIONS), weights=ACTIONS.values())[0]
        campaigns = dice.sample(CAMPAIGNS, 2)
        shared = dice.randrange(100) < SHARED_PERCENT
        prospect = f"prospect-{made + 1:04}"
        for campaign in campaigns if shared else campaigns[:1]:
            yield prospect, account, campaign, action
        made += 1


def main() -> None:
    """Reads the account ids and writes one row per prospect and campaign."""
    with open(HERE / "accounts.csv", encoding="utf-8") as file:
        accounts = [row["account_id"] for row in csv.DictReader(file)]
    with open(HERE / "prospects.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["prospect_id", "account_id", "campaign_id", "action"])
        writer.writerows(rows(accounts))


if __name__ == "__main__":
    main()
