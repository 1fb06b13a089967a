"""The verdict about accounts whose credits are known: as many calls as credits, and none that was refused."""

from .books import Case, Check

CREDITS_ERROR = "errors/insufficient_credits"


def no_doomed_call(case: Case) -> Check:
    """Told 12 credits, an account makes 12 calls until its breaker is stamped, and the provider refuses none."""
    name = "known credits: as many calls, none refused"
    first, counts = _first_balances(case), []
    if not first:
        return Check(name, None, "no balance was told")
    refused = [entry for entry in case.ledger if entry["account_id"] in first and entry["type"] == CREDITS_ERROR]
    for account, balance in first.items():
        stops = [since for of, since, _ in case.books.stops() if of == account]
        if stops:
            calls = [row for row in _inmails(case, account) if row["reserved_at"] < stops[0]]
            counts.append((len(calls), balance))
    if not counts:
        return Check(name, None, "none of them used its credits up")
    right = all(calls == balance for calls, balance in counts)
    told = ", ".join(f"{calls} calls with {balance} credits" for calls, balance in counts)
    return Check(name, right and not refused, f"{told}, {len(refused)} refused")


def went_on_when_told(case: Case) -> Check:
    """Topped up and told, it goes on at once, without a test InMail."""
    name = "topped up and told, their InMails went on"
    cleared = {
        row["account_id"]: row["at"]
        for row in reversed(case.books.breaker_log)
        if row["action"] == "clear" and row["reason"] == "balance_evidence"
    }
    if not cleared:
        return Check(name, None, "no account was topped up")
    after = {
        account: [row for row in _inmails(case, account) if row["reserved_at"] >= at and row["state"] == "delivered"]
        for account, at in cleared.items()
    }
    return Check(name, all(after.values()), f"{sum(map(len, after.values()))} delivered since then")


def _first_balances(case: Case) -> dict[str, int]:
    """The first balance that was told of each account."""
    return {row["account_id"]: row["balance"] for row in reversed(case.books.balances)}


def _inmails(case: Case, account: str) -> list[dict]:
    """The InMails of an account that reached the provider."""
    called = {entry["operation_id"] for entry in case.ledger}
    rows = case.books.operations.items()
    return [row for id, row in rows if row["account_id"] == account and row["action"] == "inmail" and id in called]


CHECKS = [no_doomed_call, went_on_when_told]
