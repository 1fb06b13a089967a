"""What an account that fails does in the model: failures in a row and cooldowns of its actions."""

from dataclasses import dataclass

from .books import DAY, FAILURE_COOLDOWN, FAILURE_LIMIT, UNAVAILABLE_WAIT, Answer, Operation
from .model import Model

# Outcomes that add one to the failures in a row.
FAILURES = (
    "recipient_refused",
    "recipient_later",
    "rejected",
    "transient",
    "indeterminate",
    "action_unavailable",
    "expired",
)
# The provider answers: what it says is about the recipient.
ANSWERS = "recipient_refused", "recipient_later"


@dataclass
class InARow:
    """The failures in a row of one action."""

    count: int = 0
    level: int = 0
    since: int | None = None
    until: int | None = None

    def length(self) -> int:
        return min(DAY, FAILURE_COOLDOWN << self.level)


class Failing(Model):
    """An account that stops when it fails."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.in_a_row: dict[str, InARow] = {"inmail": InARow(), "invite": InARow()}
        self.action_cooldowns: dict[str, int] = {}
        # As cooldown_log has them: action, cause, until.
        self.cooldown_lines: list[tuple[str | None, str, int | None]] = []
        # Which action the alert of a day about an action that is not included names.
        self.unavailable: dict = {}

    def is_failing(self, action: str) -> bool:
        return self.in_a_row[action].since is not None

    def quiet_until(self, action: str) -> int | None:
        ends = [self.action_cooldowns.get(action), self.in_a_row[action].until]
        return max((end for end in ends if end is not None and end > self.now), default=None)

    def one_at_a_time(self, action: str, expires_at: int) -> None:
        row = self.in_a_row[action]
        if row.until is not None and row.until <= self.now:
            row.until = expires_at

    def open_once(self, kind: str) -> bool:
        """The alert of today, which opens again if it was resolved."""
        alert = (kind, self.today)
        new = alert not in self.alerts
        self.alerts.add(alert)
        return new

    def no_longer_failing(self) -> None:
        """The alert goes once no action is failing."""
        if all(row.since is None for row in self.in_a_row.values()):
            self.alerts = {alert for alert in self.alerts if alert[0] != "failing"}

    def tell(self, action: str | None, cause: str, until: int | None) -> None:
        self.cooldown_lines.append((action, cause, until))

    def counts_as(self, operation: Operation, outcome: str) -> None:
        """An attempt left ``reserved``, or was listed as expired."""
        if operation.counted or operation.number is None:
            return
        operation.counted = True
        row = self.in_a_row[operation.action]
        if row.since is not None:
            if operation.reserved_at > row.since:
                self.failed_alone(operation, row, outcome)
        elif outcome in FAILURES:
            row.count += 1
            if row.count >= FAILURE_LIMIT:
                row.level, row.since = 0, self.now
                row.until = self.now + row.length()
                self.tell(operation.action, "failing", row.until)
                self.open_once("failing")
        self.no_longer_failing()

    def failed_alone(self, operation: Operation, row: InARow, outcome: str) -> None:
        """An attempt that passed while its action was failing."""
        before = row.until
        if outcome in ANSWERS:
            self.recovers(operation.action)
            return
        if outcome == "transient":
            row.until = self.now + row.length()
        elif outcome == "released":
            row.until = min(row.until, self.now)
        elif outcome in FAILURES:
            row.level += row.length() < DAY
            row.until = self.now + row.length()
        if operation.expires_at != before:
            row.until = max(row.until, before)
        if row.until != before:
            self.tell(operation.action, "failing", row.until)

    def recovers(self, action: str) -> None:
        if self.in_a_row[action].since is not None:
            self.tell(action, "failing", None)
        self.in_a_row[action] = InARow()
        self.no_longer_failing()

    def came_through(self, operation: Operation) -> None:
        """A delivery, also a late one."""
        since = self.in_a_row[operation.action].since
        if since is None or operation.reserved_at > since:
            self.recovers(operation.action)

    def included_after_all(self, action: str) -> None:
        """The alert about an action that is not included goes with a delivery of it."""
        gone = {("action_unavailable", day) for day, about in self.unavailable.items() if about == action}
        self.alerts -= gone

    def cools_down(self, operation: Operation, answer: Answer, retry_after: int | None) -> None:
        """What the provider's answer asks for, failures in a row aside."""
        if answer.outcome == "rate_limited":
            action = operation.action if answer.scope == "action" else None
            self.cool_down(action, "rate_limited", self.now + answer.waits(retry_after))
        elif answer.outcome == "action_unavailable":
            until = self.now + (UNAVAILABLE_WAIT if answer.wait is None else answer.wait)
            longer = until > self.action_cooldowns.get(operation.action, 0)
            self.cool_down(operation.action, "action_unavailable", until)
            if longer and self.open_once("action_unavailable"):
                self.unavailable[self.today] = operation.action

    def cool_down(self, action: str | None, cause: str, until: int) -> None:
        """Never shorter than it is."""
        before = self.cooldown if action is None else self.action_cooldowns.get(action)
        if before is not None and before >= until:
            return
        if action is None:
            self.cooldown = until
        else:
            self.action_cooldowns[action] = until
        self.tell(action, cause, until)

    def clear_cooldown(self, action: str | None) -> None:
        """None: the account's and that of all its actions."""
        if action is None and self.cooldown is not None:
            self.cooldown = None
            self.tell(None, "manual", None)
        for one in ("inmail", "invite") if action is None else (action,):
            if self.action_cooldowns.pop(one, None) is not None:
                self.tell(one, "manual", None)
                self.included_after_all(one)
        self.clear_failures(action)

    def clear_failures(self, action: str | None = None) -> None:
        for one in ("inmail", "invite") if action is None else (action,):
            self.recovers(one)
