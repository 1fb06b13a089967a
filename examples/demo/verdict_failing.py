"""The verdict about accounts whose invites fail: few calls were made, and their messages went on."""

from collections import Counter

from .books import Case, Check

LIMIT_ERROR = "errors/connection_limit_reached"
TEMPLATE_ERROR = "errors/too_many_characters"
FAILURE_LIMIT = 10
"""sendgate.failure_limit: so many failures in a row stop an action."""
IN_FLIGHT_MAX = 16
"""Four workers hold four slots each at most, and calls that are under way at the stop still reach the provider."""


def weekly_limit(case: Case) -> Check:
    """LinkedIn's weekly limit: the first answer stops the account's invites, for a day."""
    return _few_calls(case, "invites stopped at the weekly limit", LIMIT_ERROR, IN_FLIGHT_MAX)


def broken_template(case: Case) -> Check:
    """A text that is too long is refused again and again: after ten refusals the invites stop."""
    return _few_calls(case, "invites with a broken template stopped", TEMPLATE_ERROR, FAILURE_LIMIT - 1 + IN_FLIGHT_MAX)


def _few_calls(case: Case, name: str, error: str, most: int) -> Check:
    """In either month at most so many calls failed in this way, of one account."""
    days = {id: row["counted_on"] for id, row in case.books.operations.items()}
    calls = Counter(
        (entry["account_id"], days.get(entry["operation_id"])) for entry in case.ledger if entry["type"] == error
    )
    if not calls:
        return Check(name, None, "none was sent yet")
    accounts = {account for account, _ in calls}
    waiting = sum(
        row["account_id"] in accounts and row["action"] == "invite" and row["state"] == "waiting"
        for row in case.books.enrollments
    )
    return Check(name, max(calls.values()) <= most, f"{calls.total()} calls in two months, {waiting} invites wait")


def messages_went_on(case: Case) -> Check:
    """What stops an account's invites stops nothing else of it."""
    accounts = {entry["account_id"] for entry in case.ledger if entry["type"] in (LIMIT_ERROR, TEMPLATE_ERROR)}
    name = "messages of these accounts went on"
    if not accounts:
        return Check(name, None, "none of them has sent yet")
    sent = Counter(
        entry["account_id"]
        for entry in case.ledger
        if entry["account_id"] in accounts and entry["action"] == "message" and entry["delivered"]
    )
    silent = accounts - set(sent)
    return Check(name, not silent, f"{sent.total()} delivered, {len(silent)} accounts silent")


CHECKS = [weekly_limit, broken_template, messages_went_on]
