"""The live table: what each account sent today and why its InMails stopped, how far each campaign is."""

from dataclasses import dataclass

from .stage import Session

CARDS = "SELECT * FROM sendgate.account_cards ORDER BY account_id"
COUNTERS = "SELECT account_id, action, sent_today, daily_cap FROM sendgate.counters"
DELIVERED = """
SELECT account_id, count(*) AS delivered
  FROM sendgate.send_operations
 WHERE state = 'delivered' AND counted_on = (sendgate.clock() AT TIME ZONE 'UTC')::date
 GROUP BY account_id
"""
CAMPAIGNS = """
WITH clock AS MATERIALIZED (SELECT sendgate.clock() AS at),
work AS (
    SELECT campaign_id, state,
           state = 'waiting' AND reason = 'account_inmail_credits_exhausted' AND next_dispatch_at > at AS deferred
      FROM sendgate.enrollments, clock
)
SELECT campaign_id,
       count(*) FILTER (WHERE state = 'waiting' AND deferred IS NOT TRUE) AS waiting,
       count(*) FILTER (WHERE state = 'sending')                          AS sending,
       count(*) FILTER (WHERE state = 'done')                             AS done,
       count(*) FILTER (WHERE deferred)                                   AS deferred,
       count(*) FILTER (WHERE state = 'parked')                           AS parked
  FROM work
 GROUP BY campaign_id
 ORDER BY campaign_id
"""
SKIPS = "SELECT reason, sum(skipped) AS skipped FROM sendgate.skips_today GROUP BY reason ORDER BY reason"
TIERS = {
    "free": "Free",
    "premium_career": "Career",
    "premium_business": "Business",
    "sales_navigator": "Sales Nav",
    "recruiter_lite": "Rec. Lite",
    "recruiter": "Recruiter",
}
ACCOUNT = "{:<16} {:<9} {:>8} {:>8} {:>8} {:>9} {:>8} {:>7}"
"""This and the next fit into a terminal of 80 columns."""
ACCOUNTS_HEAD = ACCOUNT.format("account", "tier", "InMails", "invites", "messages", "delivered", "sending", "unknown")
CAMPAIGN = "{:<16} {:>9} {:>8} {:>8} {:>9} {:>8}"
CAMPAIGNS_HEAD = CAMPAIGN.format("campaign", "waiting", "sending", "done", "deferred", "parked")
ACTIONS = ("inmail", "invite", "message")


@dataclass
class Sight:
    """What the database shows at one instant."""

    cards: list[dict]
    counters: dict[tuple[str, str], tuple[int, int]]
    delivered: dict[str, int]
    campaigns: list[dict]
    skips: dict[str, int]


def read(session: Session) -> Sight:
    """All of it as of one instant."""
    cards, counters, delivered, campaigns, skips = session.snapshot(CARDS, COUNTERS, DELIVERED, CAMPAIGNS, SKIPS)
    return Sight(
        cards,
        {(row["account_id"], row["action"]): (row["sent_today"], row["daily_cap"]) for row in counters},
        {row["account_id"]: row["delivered"] for row in delivered},
        campaigns,
        {row["reason"]: int(row["skipped"]) for row in skips},
    )


def lines(sight: Sight, title: str) -> list[tuple]:
    """The table as lines with their styles."""
    drawn = [(title, "bold"), ("",), (ACCOUNTS_HEAD, "dim")]
    for card in sight.cards:
        slots = [sight.counters[card["account_id"], action] for action in ACTIONS]
        row = ACCOUNT.format(
            card["display_name"][:16],
            TIERS.get(card["tier"], card["tier"])[:9],
            *(f"{sent}/{cap}" for sent, cap in slots),
            sight.delivered.get(card["account_id"], 0),
            card["in_flight"],
            card["unresolved"],
        )
        sent, cap = slots[0]
        drawn.append((row, "green") if cap and sent >= cap else (row,))
        if card["pill"]:
            drawn.append((f"  └ {card['pill']}", "yellow"))
    drawn += [("",), (CAMPAIGNS_HEAD, "dim")]
    drawn += [(CAMPAIGN.format(*row.values()),) for row in sight.campaigns]
    skips = ", ".join(f"{count} {reason}" for reason, count in sight.skips.items())
    return [*drawn, (f"skipped today: {skips or 'none'}", "dim")]


def summary(sight: Sight, title: str) -> str:
    """The same in one line, for an output that cannot be drawn over."""
    stopped = [card["display_name"] for card in sight.cards if card["pill"]]
    states = {
        state: sum(row[state] for row in sight.campaigns)
        for state in ("waiting", "sending", "done", "deferred", "parked")
    }
    return (
        f"{title}: {sum(sight.delivered.values())} delivered today; "
        + ", ".join(f"{count} {state}" for state, count in states.items())
        + f"; {sum(sight.skips.values())} skipped"
        + (f"; InMails stopped: {', '.join(stopped)}" if stopped else "")
    )
