"""Values that fit an argument of an SQL function, by its name: so that the fuzz comes past the first check, and each function
is seen to do its work among hostile calls."""

import random

from e2e.support import operation

ACTIONS = ["inmail", "invite", "message", "profile_view", "engagement"]
SOON, LATER = "2026-05-24 12:04:59+00", "9999-12-31 00:00:00+00"
# Elements of an array of a call, all of one length.
ELEMENTS = (0, 1, 2, 3)
ALERT = "00000000-0000-4000-8000-00000000a1e7"
WEBHOOK = "ops"

# By name, and by name and type where two mean different things.
TEXTS = {
    "account_id": ["a", "b", "c", "empty", "counted"],
    "action": ACTIONS,
    "from_action": ACTIONS,
    "to_action": ACTIONS,
    "prospect_id": [f"p{number}" for number in range(1, 9)],
    "campaign_id": ["spring", "autumn"],
    "tier": ["sales_navigator", "recruiter", "mine"],
    "status": ["connected", "paused"],
    "mode": ["enforce", "observe", "open", "closed", "auto"],
    "job": ["prune", "audit_events", "reconcile_operations", "midnight_reset"],
    "outcome": ["rate_limited", "transient", "recipient_later", "rejected"],
    "scope": ["account", "action"],
    "state": ["reserved", "delivered", "released", "indeterminate"],
    "time_zone": ["UTC", "Europe/Berlin"],
    "http_status": ["429", "4xx"],
    "name": [WEBHOOK],
    "webhook": [WEBHOOK],
    "event": ["alert_opened", "breaker_set"],
    "own": ["enforce", "observe"],
}
NUMBERS = {
    "rule_order": (0, 20),
    "http_status": (400, 599),
    "credit_reset_day": (1, 28),
    "days": (1, 127),
    "window_days": (1, 7),
    "jitter_percent": (0, 100),
    "ramp_percent": (1, 100),
    "daily_cap": (1, 50),
    "weekly_cap": (100, 200),
    "step": (1, 3),
    "priority": (-100, 100),
    "max_operations": (1, 5),
    "max_rows": (1, 50),
    "max_accounts": (1, 50),
}
PLURALS = {"are_connections": "is_connection", "statuses": "status", "priorities": "priority"}
IDS = {"alert_id": [ALERT]}
# What is not to lose the accounts and prospects of all other calls.
LEAVING = {"remove_account": "leaving", "forget_prospect": "p8"}


def fitting(chance: random.Random, function: str, names: list[str], kinds: list[str]) -> list:
    """An argument for each of the names, most of them such as an application passes."""
    length = chance.choice(ELEMENTS)
    if function in LEAVING:
        return [LEAVING[function], "asked to leave", 1000]
    return [
        [one(chance, singular(name), kind[:-2]) for _ in range(length)]
        if kind.endswith("[]")
        else one(chance, name, kind)
        for name, kind in zip(names, kinds, strict=True)
    ]


def singular(name: str) -> str:
    """The name of an element: account_id of account_ids."""
    for plural, single in PLURALS.items():
        if name.endswith(plural):
            return name.removesuffix(plural) + single
    return name.removesuffix("s") if name != "window_days" else name


def one(chance: random.Random, name: str, kind: str):
    """One value."""
    if kind == "text":
        return chance.choice(TEXTS.get(name, ["asked by mail", "chat", "errors/rate_limit", None]))
    if kind in ("integer", "smallint"):
        return chance.randint(*NUMBERS.get(name, (0, 50)))
    if kind == "uuid":
        return chance.choice(IDS.get(name, [operation(number) for number in range(1, 13)]))
    return {
        "boolean": lambda: chance.random() < 0.5,
        "timestamp with time zone": lambda: (
            LATER if name in ("until", "reserved_before") else chance.choice((SOON, None))
        ),
        "date": lambda: "2026-05-24",
        "interval": lambda: "90 days" if name.startswith("keep") else "5 minutes",
        "time without time zone": lambda: "09:00" if name.endswith("start") else "17:00",
        "jsonb": lambda: None,
        "bytea": lambda: None,
        "oid": lambda: 1259,
    }[kind]()
