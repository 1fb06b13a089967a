"""Accounts that are not like the others, by their number: each kind lives under one more rule."""

# One account in so many is of each kind.
EVERY = 20
# A gap between two grants.
PACED = 3
# What most rules would refuse is granted and counted.
OBSERVED = 7
# InMails are counted against a balance that people tell.
COUNTED = 11
# Its provider refuses many attempts, so its actions are stopped.
FAILING = 15

# Accounts that come and go while the others work have names that no number has.
LEAVING = "x"


def account_of(number: int) -> str:
    """Accounts are named by number."""
    return f"a{number:05}"


def kind_of(account: str) -> int | None:
    """The kind of an account, one of those above; None for an ordinary one."""
    if account.startswith(LEAVING):
        return None
    kind = int(account[1:]) % EVERY
    return kind if kind in (PACED, OBSERVED, COUNTED, FAILING) else None


def of_kind(kind: int, accounts: int) -> list[str]:
    """Those of a kind among so many accounts."""
    return [account_of(number) for number in range(kind, accounts, EVERY)]
