"""The live table: what each account sent today, what is in flight, and why its InMails stopped."""

from .stage import Session

CARDS = "SELECT * FROM sendgate.account_cards ORDER BY account_id"
COUNTS = """
SELECT account_id, action,
       count(*) FILTER (WHERE state = 'delivered')     AS delivered,
       count(*) FILTER (WHERE state = 'reserved')      AS in_flight,
       count(*) FILTER (WHERE state = 'indeterminate') AS unknown
  FROM sendgate.send_operations
 WHERE counted_on = (sendgate.clock() AT TIME ZONE 'UTC')::date
 GROUP BY account_id, action
"""
TIERS = {
    "free": "Free",
    "premium_career": "Career",
    "premium_business": "Business",
    "sales_navigator": "Sales Nav",
    "recruiter_lite": "Rec. Lite",
    "recruiter": "Recruiter",
}
COLUMNS = "{:<14} {:<9} {:>7} {:>7} {:>8} {:>9} {:>9} {:>7}"
"""Fits into a terminal of 80 columns."""
HEAD = COLUMNS.format(
    "account", "tier", "InMails", "invites", "messages", "delivered", "in flight", "unknown"
)
OTHERS = ("invite", "message")


def read(session: Session) -> list[dict]:
    """One dictionary per account: its card, and its operations of today by action."""
    counts = {}
    for row in session.rows(COUNTS):
        counts.setdefault(row["account_id"], {})[row["action"]] = row
    return [
        card | {"operations": counts.get(card["account_id"], {})}
        for card in session.rows(CARDS)
    ]


def total(card: dict, what: str, actions: tuple | None = None) -> int:
    """Operations of an account in one state, of some actions or of all."""
    rows = card["operations"].items()
    return sum(row[what] for action, row in rows if actions is None or action in actions)


def lines(cards: list[dict], title: str) -> list[tuple]:
    """The table as lines with their styles: at most 80 columns."""
    drawn = [(title, "bold"), ("", ), (HEAD, "dim")]
    for card in cards:
        inmails, cap = card["inmails_sent_today"], card["inmail_daily_cap"]
        row = COLUMNS.format(
            card["display_name"][:14],
            TIERS.get(card["tier"], card["tier"])[:9],
            f"{inmails}/{cap}",
            *(total(card, "delivered", (action,)) for action in OTHERS),
            total(card, "delivered"),
            total(card, "in_flight"),
            total(card, "unknown"),
        )
        drawn.append((row, "green") if cap and inmails >= cap else (row,))
        if card["pill"]:
            drawn.append((f"  └ {card['pill']}", "yellow"))
    return drawn


def summary(cards: list[dict], title: str) -> str:
    """The same in one line, for an output that cannot be drawn over."""
    stopped = [card["display_name"] for card in cards if card["pill"]]
    return (
        f"{title}: {sum(total(card, 'delivered') for card in cards)} delivered, "
        f"{sum(total(card, 'in_flight') for card in cards)} in flight, "
        f"{sum(total(card, 'unknown') for card in cards)} unknown"
        + (f"; InMails stopped: {', '.join(stopped)}" if stopped else "")
    )
