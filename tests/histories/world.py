"""Several accounts of the model, and what concerns all of them: the switch, the jobs, batches, campaigns."""

import copy
from collections.abc import Callable

from .books import Event, Problem
from .dispatch import Dispatch, Row, Witness, Wrong
from .people import People
from .verbs import Account

NAMES = ("a", "b")
DISPATCH_MAX = 1_000
IN_FLIGHT = "in flight"


class World:
    """Every account of a history, under one clock."""

    def __init__(self, make: Callable[..., Account], *arguments):
        self.accounts = {name: make(*arguments) for name in NAMES}
        self.paused_campaigns: set[str] = set()
        self.campaign_limits: dict[str, dict[str, int | None]] = {}
        # By request id: the arguments and the answer.
        self.requests: dict[int, tuple[tuple, list[Row]]] = {}
        self.people = People()
        for account in self.all():
            account.paused_campaigns = self.paused_campaigns
            account.people = self.people
            account.campaign_limits = self.campaign_limits

    def all(self) -> list[Account]:
        return list(self.accounts.values())

    @property
    def now(self) -> int:
        return self.accounts["a"].now

    def goes_on(self, now: int) -> None:
        for account in self.all():
            account.goes_on(now)

    def pause_all(self) -> None:
        for account in self.all():
            account.paused = True

    def resume_all(self) -> None:
        for account in self.all():
            account.paused = False

    def clear_failures(self) -> None:
        for account in self.all():
            account.clear_failures()

    def pause_campaign(self, campaign: str) -> None:
        self.paused_campaigns.add(campaign)

    def resume_campaign(self, campaign: str) -> None:
        self.paused_campaigns.discard(campaign)

    def suppress_prospect(self, prospect: str, later: int | None) -> None:
        self.people.suppress(prospect, later, self.now)

    def unsuppress_prospect(self, prospect: str) -> None:
        if self.people.suppressed.pop(prospect, None):
            for account in self.all():
                account.may_be_written_to(prospect)

    def set_campaign(self, campaign: str, inmail: int | None, invite: int | None) -> None:
        self.campaign_limits[campaign] = {"inmail": inmail, "invite": invite}

    def cancel(self, campaign: str, prospect: str, only: str | None) -> tuple:
        asked = self.all() if only is None else [self.accounts[only]]
        return (sum(account.cancel(campaign, prospect) for account in asked),)

    def cancel_prospect(self, prospect: str) -> tuple:
        return (sum(account.cancel(None, prospect) for account in self.all()),)

    def enqueue_many(self, pieces: tuple) -> list[str]:
        return [self.put_in(self.accounts[name], piece) for name, *piece in pieces]

    def put_in(self, account: Account, piece: list) -> str:
        if account.enqueue(*piece)[0]:
            return "new"
        suppressed = account.people.of(piece[1], self.now)
        return "suppressed" if suppressed and suppressed.until is None else "exists"

    def switch_action(self, campaign: str, before: str, after: str) -> tuple:
        if before == after:
            raise Problem("SG004")
        moved = [account.switch_action(campaign, before, after) for account in self.all()]
        return tuple(sum(part) for part in zip(*moved, strict=True))

    def audit_events(self) -> tuple:
        return False, sum(account.audit_events() for account in self.all())

    def reconcile_operations(self) -> tuple:
        for account in self.all():
            account.reconcile_operations()
        return False, 0

    def midnight_reset(self) -> tuple:
        return (False,)

    def batch(self, which: str | tuple) -> list[tuple]:
        """The operations of a batch, as (account, number): those named, or all that were handed out."""
        if which != IN_FLIGHT:
            return list(which)
        named = [(name, o) for name, account in self.accounts.items() for o in account.journal]
        return [(name, o.number) for name, o in named if isinstance(o.number, str) and o.unresolved()]

    def confirm_many(self, which: str | tuple, chats: tuple) -> list[Event | None]:
        told = [chats[n % len(chats)] for n in range(len(self.batch(which)))]
        told = [chat and f"{chat}-{n}" for n, chat in enumerate(told)]
        return self.each(which, lambda account, number, n: account.confirm(number, told[n], None))

    def rollback_many(self, which: str | tuple, errors: tuple) -> list[str]:
        return self.each(which, lambda account, number, n: account.rollback(number, errors[n % len(errors)], None))

    def each(self, which: str | tuple, settle: Callable) -> list:
        """One after the other; a problem of one is that of all, and nothing has happened.

        Where several have one, that is named first which shows before anything is settled.
        """
        batch, rehearsal = self.batch(which), copy.deepcopy(self)
        for name, number in batch:
            self.accounts[name].find(number)
        for n, (name, number) in enumerate(batch):
            settle(rehearsal.accounts[name], number, n)
        return [settle(self.accounts[name], number, n) for n, (name, number) in enumerate(batch)]

    def dispatch(self, asked: tuple, found: list[Row] | None, witness: Witness) -> None:
        """Judges the answer (none: an error); afterwards the model is where the database is, or has said what is wrong."""
        many, action, account, request = asked
        if not 1 <= many <= DISPATCH_MAX:
            raise Problem("SG003")
        earlier, rows = self.requests.get(request, (asked, None))
        if earlier != asked:
            raise Problem("SG213")
        if found is None:
            raise Wrong("it is none")
        if rows is not None:
            expected = [row for row in rows if self.may_send(row)]
            if found != expected:
                raise Wrong(f"the request was answered before, and {expected} may still be sent")
            return
        Dispatch(self.accounts, many, action, account).judge(found, witness)
        if request is not None and found:
            self.requests[request] = asked, found

    def may_send(self, row: Row) -> bool:
        """Whether this handed-out row is still in flight, and its account is not stopped."""
        account = self.accounts[row.account]
        operation = account.find(row.operation)
        in_time = operation.state == "reserved" and not operation.expired(account.now)
        return in_time and account.stopped() is None and self.people.of(row.prospect, self.now) is None
