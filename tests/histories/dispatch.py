"""The judge of dispatch in random histories.

The contract leaves open which account comes first, and which of two enrollments that fell due at the same
instant. So the model does not say what the answer is. It follows the answer row by row: for each row it asks
whether the gate would have granted it, and at the end, for each enrollment that is left, whether it had to stay.
"""

from dataclasses import dataclass

from .books import DAY, TTL, Operation
from .people import SUPPRESSED
from .verbs import Account
from .work import NO_CREDITS, POISON, Enrollment

# Refusals that leave an enrollment where it is, though they come after those that postpone it.
AFTER_THE_PROSPECT = ("pacing", "weekly_cap_reached", "daily_cap_reached", "daily_attempts_reached")


class Wrong(Exception):
    """What the contract does not allow."""


@dataclass(frozen=True)
class Row:
    """A row of the answer."""

    account: str
    campaign: str
    prospect: str
    action: str
    operation: str
    expires_at: int
    attempt: int
    step: int


@dataclass
class Witness:
    """How the database stands after the call."""

    # By account, campaign, prospect, action and step: state, due at, reason.
    pieces: dict[tuple, tuple]
    # By account: the breaker's stamp.
    stamps: dict[str, int | None]


class Dispatch:
    """One call, asked for so many, perhaps of one action or account alone."""

    def __init__(self, accounts: dict[str, Account], many: int, action: str | None, only: str | None):
        self.many, self.action = many, action
        self.accounts = {name: a for name, a in accounts.items() if only in (None, name)}
        # Whose breaker's permit lay ready when the call began.
        self.permitted = {name for name, a in self.accounts.items() if a.permitted()}
        # What a clear on the way made due; the next call has it, if this one does not.
        self.released: set[Enrollment] = set()
        # By account and action: what the account refused before anything was handed out.
        self.ahead: dict[tuple[str, str], tuple | None] = {}
        # Whose skip this call has noted: two steps of a prospect are one.
        self.skipped: set[tuple] = set()

    def judge(self, rows: list[Row], witness: Witness) -> None:
        if len(rows) > self.many:
            raise Wrong("more than asked for")
        for name, account in self.accounts.items():
            self.consult(name, account, witness, full=len(rows) == self.many)
        for account in self.accounts.values():
            self.forget_who_waits_no_more(account)
        # A grant may silence its action, and does not undo what a rule postponed before it.
        self.ahead = {
            (name, action): account.look(action, None)[0]
            for name, account in self.accounts.items()
            for action in ("inmail", "invite")
        }
        for row in rows:
            self.grant(row)
        for name, account in self.accounts.items():
            left = self.due(account)
            for e in left:
                found = witness.pieces[name, e.campaign, e.prospect, e.action, e.step]
                self.stayed(account, e, full=len(rows) == self.many)
                if found != (e.state, e.due_at, e.reason):
                    self.put_off(name, account, e, found)
                elif len(rows) < self.many:
                    self.had_to_stay(name, account, e)
            self.fall_asleep(account, full=len(rows) == self.many)
            self.forget_who_waits_no_more(account)

    def due(self, account: Account) -> list[Enrollment]:
        if account.paused:
            return []
        return [e for e in account.due() if self.action in (None, e.action)]

    def consult(self, name: str, account: Account, witness: Witness, full: bool) -> None:
        """Dispatch asks the breaker before an InMail, and the breaker may clear itself."""
        inmails = [e for e in self.due(account) if e.action == "inmail"]
        if account.stopped() or not inmails:
            return
        # What is written on the way to a poisoned piece alone is taken back with it.
        met = [e for e in inmails if e.prospect != POISON and not account.part_is_taken("inmail", e.campaign)]
        may_pass = bool(met) and account.refusal("inmail", None) is None
        must = not full and "inmail" not in account.asleep and may_pass
        if must or witness.stamps[name] != account.stamp:
            before = [e for e in account.deferred() if e.due_at > account.now]
            account.consult()
            self.released |= {e for e in before if e.due_at <= account.now}

    def grant(self, row: Row) -> None:
        """A piece that was handed out was due, came in its turn, and passed every rule."""
        account = self.accounts.get(row.account)
        e = account and account.piece(row.campaign, row.prospect, row.action, row.step)
        if e is None or e not in self.due(account):
            raise Wrong(f"{row} is not due")
        if any(o.number == row.operation for o in account.journal):
            raise Wrong(f"{row} has an operation that is known")
        if (row.expires_at, row.attempt) != (account.now + TTL, e.attempts + 1):
            raise Wrong(f"{row}: it expires at {account.now + TTL}, and is attempt {e.attempts + 1}")
        self.in_turn(account, row, e)
        for other in self.due(account):
            if other not in self.released and account.before(other.action, e.action) and self.passes(account, other):
                raise Wrong(f"{row} comes before {other}, whose action was granted longer ago")
        refused, probing = account.look(e.action, e.prospect, e.campaign)
        if refused or e.prospect == POISON:
            raise Wrong(f"{row}: {refused}")
        operation = Operation(
            row.operation, e.action, e.prospect, e.campaign, account.now, row.expires_at, account.today
        )
        account.take(operation, probing)
        account.hand_out(e, operation)

    def in_turn(self, account: Account, row: Row, e: Enrollment) -> None:
        """The highest priority first, each campaign's oldest, and no campaign waits longer than a round."""
        same = [o for o in self.due(account) if o.action == e.action and o not in self.released]
        for other in same:
            ahead = other.priority > e.priority
            if other.campaign == e.campaign and other.priority == e.priority:
                ahead = other.due_at < e.due_at
            if ahead and self.passes(account, other):
                raise Wrong(f"{row} comes before {other}")
        rivals = [o for o in same if o.priority == e.priority and o.campaign != e.campaign]
        # A piece that PostgreSQL refuses to write takes its campaign's turn.
        poisoned = {o.campaign for o in rivals if o.prospect == POISON}
        waiting = {o.campaign for o in rivals if self.passes(account, o)} - poisoned
        level = e.action, e.priority
        account.passed = {
            key: times
            for key, times in account.passed.items()
            if key[:2] != level or key[2] in waiting and key[2] != e.campaign
        }
        for campaign in waiting:
            key = (*level, campaign, e.campaign)
            account.passed[key] = account.passed.get(key, 0) + 1
            account.noted.add("a turn")
            if account.passed[key] > 1:
                raise Wrong(f"{row}: {campaign} waits longer than a round")
        if any(o.priority < e.priority for o in same):
            account.noted.add("a priority")

    def forget_who_waits_no_more(self, account: Account) -> None:
        due = [e for e in account.due() if not account.paused and self.passes(account, e)]
        waiting = {(e.action, e.priority, e.campaign) for e in due}
        account.passed = {key: times for key, times in account.passed.items() if key[:3] in waiting}

    def passes(self, account: Account, e: Enrollment) -> bool:
        return e.prospect != POISON and account.look(e.action, e.prospect, e.campaign)[0] is None

    def stayed(self, account: Account, e: Enrollment, full: bool) -> None:
        """No enrollment that may be sent stays behind while the answer has room for it."""
        if not full and e not in self.released and self.passes(account, e):
            raise Wrong(f"{e} is left behind")

    def had_to_stay(self, name: str, account: Account, e: Enrollment) -> None:
        """It was met, and is where it was: the account refused, and not its breaker or the prospect."""
        behind_the_probe = name in self.permitted and e.action == "inmail"
        if e.action in account.asleep or e in self.released or behind_the_probe:
            return
        # All of its campaign is passed over, whatever the rules about its prospect say.
        if account.part_is_taken(e.action, e.campaign):
            return
        refused, whole = account.look(e.action, e.prospect)[0], account.look(e.action, None)[0]
        # Without a stamp, InMails wait where they are for those in flight.
        if whole is None or whole[0] == NO_CREDITS and account.is_open():
            raise Wrong(f"{e} stayed where it was: {refused}")

    def put_off(self, name: str, account: Account, e: Enrollment, found: tuple) -> None:
        """Moved, and not handed out: there is a rule that says so."""
        ahead = self.ahead[name, e.action]
        # The last known credit may have gone to one that was met later.
        used_up = ahead and ahead[0] == NO_CREDITS and not account.is_open()
        after = used_up or ahead and ahead[0] in AFTER_THE_PROSPECT
        if after or name in self.permitted and e.action == "inmail":
            ahead = None
        refused, _ = account.look(e.action, e.prospect)
        reason = found[2]
        if reason == NO_CREDITS and refused and refused[0] == NO_CREDITS:
            if (name, e.prospect, e.campaign) not in self.skipped:
                account.skip(e.prospect, e.campaign, defers=False)
            self.skipped.add((name, e.prospect, e.campaign))
            e.becomes("waiting", account.next_period(account.now), reason)
        elif refused and refused[0] == SUPPRESSED and reason == SUPPRESSED and not ahead:
            if refused[1] is None:
                account.spare(e.prospect, e.campaign, e.action)
            e.becomes("cancelled" if refused[1] is None else "waiting", refused[1], reason)
        elif reason == "operation_in_flight" and not ahead and account.in_flight(e.action, e.prospect):
            e.becomes("waiting", None, reason)
        elif reason == "prospect_cooldown" and not ahead and account.warm_until(e.action, e.prospect):
            e.becomes("waiting", account.warm_until(e.action, e.prospect), reason)
        elif reason == "poisoned" and e.prospect == POISON and not ahead:
            e.becomes("parked", None, reason)
        else:
            raise Wrong(f"{e} became {found}: {refused}")

    def fall_asleep(self, account: Account, full: bool) -> None:
        """An account that may not send is looked at again when that may have changed.

        Where the answer is full, it may have been looked at before those who could send.
        """
        left = {e.action for e in self.due(account)}
        for action in {"inmail", "invite"} if self.action is None else {self.action}:
            if action not in left:
                account.asleep.discard(action)
            elif not full or account.look(action, None)[0]:
                account.asleep.add(action)
                until = (account.look(action, None)[0] or (None, account.now))[1]
                # What wakes it earlier is not in the model, so this is the latest that it can be.
                latest = account.now + DAY if until is None else min(until, account.now + DAY)
                account.asleep_until[action] = max(latest, account.asleep_until.get(action, 0))
