"""The verdict about the campaigns: what became of every piece of work that was put into them."""

from collections import defaultdict

from .books import Case, Check, key
from .campaigns import INVITE_FIRST, SWITCHED

NOT_THE_WORKS_OWN = {"rate_limited", "action_unavailable", "recipient_later"}
"""Outcomes that charge the work no attempt: it was not its own failure."""


def attempts_agree(case: Case) -> Check:
    """The attempts of each enrollment in the journal are 1, 2 and so on, up to its own count. Switched work was
    an InMail before, and is counted from 1 again. A rate limit is no attempt of the work's own."""
    handed = defaultdict(list)
    for row in sorted(case.books.operations.values(), key=lambda row: row["reserved_at"]):
        if row["outcome"] not in NOT_THE_WORKS_OWN:
            handed[key(row)].append(row["attempt"])
    wrong = [row for row in case.books.enrollments if handed.pop(key(row), []) != list(range(1, row["attempts"] + 1))]
    foreign = [work for work in handed if work[2] != SWITCHED or work[3] != "inmail"]
    again = sum(row["attempts"] > 1 for row in case.books.enrollments)
    return Check(
        "handed out as often as attempts say",
        not wrong and not foreign,
        f"{len(case.books.enrollments)} enrollments, {again} more than once, {len(wrong)} differ",
    )


def ended_as_they_should(case: Case) -> Check:
    """Delivered work is `done`; work of unknown outcome is `parked`."""
    states = {key(row): row["state"] for row in case.books.enrollments}
    operations = case.books.operations.values()
    delivered = {key(row) for row in operations if row["state"] == "delivered"}
    unknown = {key(row) for row in operations if row["state"] == "indeterminate"}
    wrong = [work for work in delivered if states[work] != "done"]
    wrong += [work for work in unknown if states[work] != "parked"]
    return Check(
        "delivered work is done, unknown is parked",
        not wrong,
        f"{len(delivered)} done, {len(unknown)} parked, {len(wrong)} otherwise",
    )


def accepted_first(case: Case) -> Check:
    """Invite → InMail: only invited prospects get an InMail there, and only after the invitation."""
    invited = {
        (e["account_id"], e["prospect_id"]): number
        for number, e in enumerate(case.ledger)
        if e["action"] == "invite" and e["delivered"]
    }
    operations = case.books.operations
    inmails = [
        (number, e)
        for number, e in enumerate(case.ledger)
        if e["action"] == "inmail" and operations.get(e["operation_id"], {}).get("campaign_id") == INVITE_FIRST
    ]
    name = f"{INVITE_FIRST}: InMails only to who accepted"
    if not inmails:
        return Check(name, None, "no InMail was sent yet")
    early = [e for number, e in inmails if invited.get((e["account_id"], e["prospect_id"]), len(case.ledger)) > number]
    return Check(name, not early, f"{len(inmails)} calls, {len(early)} without an invite")


def only_connections_moved(case: Case) -> Check:
    """Switched to messages: connections only, the others wait for credits as InMails."""
    work = [row for row in case.books.enrollments if row["campaign_id"] == SWITCHED]
    messages = [row for row in work if row["action"] == "message"]
    name = f"{SWITCHED}: only connections got a message"
    if not messages:
        return Check(name, None, "its account had credits all the time")
    strangers = [row for row in messages if not row["is_connection"]]
    return Check(
        name,
        not strangers,
        f"{len(messages)} moved, {len(work) - len(messages)} left behind, {len(strangers)} strangers",
    )


def resumed(case: Case) -> Check:
    """Work that the breaker had deferred goes on by itself, on every account."""
    deferred = case.at_month_end.deferred()
    name = "deferred work resumed on the 1st"
    if not deferred:
        return Check(name, None, "nothing was deferred")
    accounts = {account for account, *_ in deferred}
    reset = {
        row["account_id"]
        for row in case.books.breaker_log
        if row["action"] == "clear" and row["reason"] == "monthly_reset" and row["at"] >= case.first
    }
    delivered = deferred & case.books.delivered_since(case.first)
    silent = accounts - {account for account, *_ in delivered}
    return Check(
        name,
        accounts <= reset and not silent,
        f"{len(deferred)} deferred, {len(accounts & reset)} of {len(accounts)} accounts reset, "
        f"{len(delivered)} delivered, {len(silent)} silent",
    )


CHECKS = [attempts_agree, ended_as_they_should, accepted_first, only_connections_moved, resumed]
