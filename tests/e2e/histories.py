"""Random histories: makes one from a seed, plays it on the model and on PostgreSQL, and shrinks it
until nothing can be left out of it any more.

A step is a tuple of a verb and plain values. It means the same whatever came before it, so that a
history stays one when steps are dropped.
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from histories_model import DAY, ERRORS, HOUR, MINUTE, SECOND, day_of
from histories_verbs import WAITS, Account
from support import operation

ACCOUNT = "a"
STEPS_MAX = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIER = "histories"
# Daily and weekly caps of that tier, small enough to be met, and its minimum gaps.
CAPS = {"inmail": (3, 7), "invite": (2, None)}
GAP = {"invite": 10 * MINUTE}

BOUNDARIES = (
    "midnight",
    "nearly midnight",
    "the next period",
    "nearly the next period",
    "the end of the lease",
    "the end of the cooldown",
)


@dataclass
class History:
    """Where it begins, and what happens."""

    reset_day: int
    starts_at: int
    steps: list[tuple]

    def told(self) -> str:
        """As text, to be read and to be pasted into a test."""
        lines = [f"History({self.reset_day}, {self.starts_at}, [  # {shown(self.starts_at)}"]
        return "\n".join([*lines, *(f"    {step!r}," for step in self.steps), "])"])


def make(seed: int) -> History:
    """The history of this seed."""
    rng = random.Random(seed)
    day = date(2026, 1, 20) + timedelta(days=rng.randrange(500))
    starts_at = micros(datetime(day.year, day.month, day.day, tzinfo=UTC)) + rng.randrange(DAY)
    history = History(rng.choice((1, 1, 15, 31)), starts_at, [])
    reserved = 1
    for _ in range(rng.randrange(6, STEPS_MAX)):
        kind = rng.choices(("reserve", "settle", "wait", "other", "episode"), (20, 20, 12, 12, 2))[0]
        if kind == "episode":
            history.steps += rng.choice((by_hand, one_probe, stale_error, campaign))(rng, reserved)
            reserved += 2
        elif kind == "reserve":
            again = [step for step in history.steps[-4:] if step[0] == "reserve"]
            if again and rng.random() < 0.1:
                history.steps.append(again[-1])
                continue
            # Now and then an id that is used already.
            reserved += rng.random() < 0.97
            history.steps.append(reserve(rng, reserved))
        else:
            history.steps.append(MAKERS[kind](rng, reserved))
    return history


def reserve(rng: random.Random, number: int) -> tuple:
    action = rng.choices(("inmail", "invite"), (4, 1))[0]
    return "reserve", action, f"p{rng.randrange(6)}", rng.choice((None, "c")), number


def settle(rng: random.Random, reserved: int) -> tuple:
    # Mostly what was reserved last; sometimes what nobody reserved.
    number = max(reserved - int(rng.expovariate(0.7)), 1)
    chat = rng.choices((f"chat-{number}", None, "another"), (8, 2, 1))[0]
    told = rng.choice((chat, f"hand-{rng.randrange(9)}"))
    ago = rng.choice((None, None, None, 0, MINUTE, 2 * HOUR, -10 * MINUTE))
    sent_ago = rng.choice((0, 0, SECOND, 4 * MINUTE, HOUR, DAY, 8 * DAY, -MINUTE))
    by = rng.choice(("inmail", "inmail", "invite"))
    return rng.choices(
        (
            ("confirm", number, chat, ago),
            ("rollback", number, rng.choice(list(ERRORS)), rng.choice((None, None, 2 * HOUR, 0))),
            ("rollback", number, rng.choice(("credits", "type", "timeout")), None),
            ("resolve", number, rng.random() < 0.5, chat),
            ("external", by, f"p{rng.randrange(6)}", told, sent_ago),
        ),
        (9, 6, 7, 3, 3),
    )[0]


def by_hand(rng: random.Random, _reserved: int) -> list[tuple]:
    """So many at once that the day's cap is left behind."""
    sends = [("external", "inmail", f"p{n}", f"hand-{n}", rng.choice((0, HOUR))) for n in range(5)]
    return [*sends, ("audit_events",), wait_step(rng, 0), ("audit_events",)]


def one_probe(rng: random.Random, reserved: int) -> list[tuple]:
    """A permit, two who want it, and what becomes of it."""
    first, second = (("reserve", "inmail", f"q{n}", None, n) for n in (reserved + 1, reserved + 2))
    end = rng.choice(
        (
            ("confirm", first[-1], "chat", None),
            ("rollback", first[-1], rng.choice(list(ERRORS)), None),
            wait_step(rng, 0),
        )
    )
    probe = ("breaker_probe",)
    return [("breaker_arm",), probe, first, second, probe, wait_step(rng, 0), end, second]


def stale_error(rng: random.Random, reserved: int) -> list[tuple]:
    """Two are under way when the credits turn out to be gone, and a clear comes between their errors."""
    first, second = (("reserve", "inmail", f"r{n}", None, n) for n in (reserved + 1, reserved + 2))
    errors = [("rollback", step[-1], "credits", None) for step in (first, second)]
    wait = ("wait", rng.choice(("a second", "a minute", "midnight")))
    return [first, second, errors[0], wait, ("breaker_clear",), errors[1]]


def campaign(rng: random.Random, reserved: int) -> list[tuple]:
    """Work of a campaign that the breaker defers, and how it comes back; or that is done at once."""
    numbers = reserved + 1, reserved + 2
    work = [("enqueue", f"p{n % 6}", "inmail") for n in numbers]
    asked = [("reserve", "inmail", f"p{n % 6}", "c", n) for n in numbers]
    if rng.random() < 0.3:
        return [*work, *asked, ("confirm", numbers[0], "chat", None)]
    back = rng.choice(("breaker_clear", "breaker_probe", "breaker_force"))
    return [*work, ("breaker_arm",), *asked, (back, "closed") if back == "breaker_force" else (back,)]


def wait_step(rng: random.Random, _reserved: int) -> tuple:
    return "wait", rng.choice((*WAITS, *BOUNDARIES))


def other(rng: random.Random, _reserved: int) -> tuple:
    action, prospect = rng.choice(("inmail", "invite")), f"p{rng.randrange(6)}"
    statuses, modes = ("connected", "paused", "restricted"), ("auto", "auto", "open", "closed")
    return rng.choices(
        (
            ("enqueue", prospect, action),
            ("preview", action, rng.choice((None, prospect))),
            ("set_status", rng.choice((*statuses, "connected", "connected"))),
            ("set_cap", action, rng.choice((None, 0, 1, 2, 4)), rng.choice((None, None, 0, 3, 5))),
            ("clear_cooldown",),
            (rng.choice(("pause_all", "resume_all", "resume_all")),),
            ("breaker_clear",),
            ("breaker_arm",),
            ("breaker_probe",),
            ("breaker_force", rng.choice(modes)),
            ("breaker_check", prospect, rng.choice((None, "c"))),
            ("breaker_report", prospect, rng.choice(list(ERRORS))),
            ("midnight_reset",),
            ("reconcile_operations",),
            ("audit_events",),
            ("tamper", rng.choice((-1, 2))),
        ),
        (8, 4, 3, 3, 1, 1, 2, 2, 6, 3, 3, 2, 1, 2, 3, 1),
    )[0]


MAKERS = {"settle": settle, "wait": wait_step, "other": other}


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def shown(at: int) -> str:
    return moment(at).isoformat(sep=" ")


CALLS = {
    "reserve": "SELECT proceed, reason, retry_at, expires_at, sent_today, daily_cap, remaining"
    " FROM sendgate.reserve('a', %s, %s, %s, %s)",
    "preview": "SELECT proceed, reason, retry_at, expires_at, sent_today, daily_cap, remaining"
    " FROM sendgate.preview('a', %s, %s)",
    "enqueue": "SELECT sendgate.enqueue('c', %s, 'a', %s)",
    "confirm": "SELECT sendgate.confirm('a', %s, %s, %s)",
    "rollback": "SELECT sendgate.rollback('a', %s, %s, %s, %s, %s)",
    "resolve": "SELECT sendgate.resolve_operation('a', %s, %s, %s, 'a note')",
    "external": "SELECT sendgate.record_external_send('a', %s, %s, %s, %s)",
    "set_status": "SELECT sendgate.set_status('a', %s, 'a note')",
    "set_cap": "SELECT sendgate.set_cap('a', %s, %s, %s, 'a note')",
    "clear_cooldown": "SELECT sendgate.clear_cooldown('a', 'a note')",
    "pause_all": "SELECT sendgate.pause_all('a note')",
    "resume_all": "SELECT sendgate.resume_all()",
    "breaker_clear": "SELECT sendgate.breaker_clear('a', 'a note')",
    "breaker_arm": "SELECT sendgate.breaker_arm('a', 'a note')",
    "breaker_probe": "SELECT sendgate.breaker_probe('a', 'a note')",
    "breaker_force": "SELECT sendgate.breaker_force('a', %s, 'a note')",
    "breaker_check": "SELECT proceed, reason, retry_at, exhausted_at"
    " FROM sendgate.breaker_check('a', %s, %s)",
    "breaker_report": "SELECT sendgate.breaker_report('a', %s, %s, %s, %s)",
    "midnight_reset": "SELECT more FROM sendgate.midnight_reset()",
    "reconcile_operations": "SELECT more, changed FROM sendgate.reconcile_operations()",
    "audit_events": "SELECT more, changed FROM sendgate.audit_events()",
    # Somebody writes a counter past every verb, and layer 1 puts it right.
    "tamper": "UPDATE sendgate.accounts SET inmails_sent_today = greatest(inmails_sent_today + %s, 0)",
}

LOOK = """
SELECT a.status, a.breaker_mode, a.inmail_credits_exhausted_at, a.breaker_cleared_at, a.probe_lease_until,
       a.probe_operation_id::text, a.cooldown_until,
       (SELECT array_agg(concat_ws(' ', action, sent_today, sent_this_week, daily_cap,
                                   coalesce(weekly_cap, -1)) ORDER BY action)
        FROM sendgate.counters c WHERE c.account_id = 'a' AND action IN ('inmail', 'invite')),
       (SELECT array_agg(concat_ws(' ', right(o.operation_id::text, 3), o.origin, o.action, o.prospect_id,
                                   o.state, coalesce(o.outcome, '-'), o.counted_on, e.chat_id,
                                   extract(epoch FROM e.occurred_at)))
        FROM sendgate.send_operations o
        LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id)),
       (SELECT array_agg(concat_ws(' ', action, reason)) FROM sendgate.breaker_log),
       (SELECT array_agg(concat_ws(' ', kind, day)) FROM sendgate.open_alerts),
       (SELECT array_agg(concat_ws(' ', prospect_id, campaign_id, repeats)) FROM sendgate.campaign_events),
       (SELECT array_agg(concat_ws(' ', prospect_id, action, state, extract(epoch FROM next_dispatch_at),
                                   reason))
        FROM sendgate.enrollments),
       (SELECT count(*) FROM sendgate.linkedin_events)
FROM sendgate.accounts a WHERE a.id = 'a'
"""


def pictured(account: Account) -> tuple:
    """The model, as LOOK shows the database."""

    def number(o):
        return "ext" if o.number is None else operation(o.number)[-3:]

    def told(o):
        event = (o.event.chat, f"{o.event.occurred_at / 1e6:.6f}") if o.event else ()
        words = (number(o), "external" if o.number is None else "gate", o.action, o.prospect, o.state,
                 o.outcome or "-", o.counted_on, *event)
        return " ".join(str(word) for word in words if word is not None)

    def counter(action):
        (daily, weekly), week = account.cap(action), day_of(account.now)
        week -= timedelta(days=week.weekday())
        sent = account.sent_on(action, account.today), account.sent_in(action, week)
        return f"{action} {sent[0]} {sent[1]} {daily} {-1 if weekly is None else weekly}"

    def enrolled(e):
        due = None if e.due_at is None else f"{e.due_at / 1e6:.6f}"
        words = (e.prospect, e.action, e.state, due, e.reason)
        return " ".join(word for word in words if word is not None)

    def skipped(key, repeats):
        return " ".join(str(word) for word in (*key[:2], repeats) if word is not None)

    return (
        account.status,
        account.mode,
        account.stamp,
        account.cleared_at,
        account.lease,
        operation(account.taken_by.number) if account.taken_by else None,
        account.cooldown,
        [counter("inmail"), counter("invite")],
        sorted(told(o) for o in account.journal),
        sorted(f"{action} {reason}" for action, reason in account.lines),
        sorted(f"{kind} {day}" for kind, day in account.alerts),
        sorted(skipped(*skip) for skip in account.skips.items()),
        sorted(enrolled(e) for e in account.enrolled),
        sum(o.event is not None for o in account.journal),
    )


def seen(row: tuple) -> tuple:
    """The database's picture in the model's terms."""
    values = [micros(value) if isinstance(value, datetime) else value for value in row]
    places = values[:8]
    for value in values[8:13]:
        words = (line.split(" ") for line in value or ())
        places.append(sorted(" ".join(line) for line in words))
    # The ids of sends from outside are the database's own.
    places[8] = sorted("ext" + line[3:] if " external " in line else line for line in places[8])
    return (*places, values[13])


class Different(AssertionError):
    """The model and the database went apart; ``at`` is the step."""

    def __init__(self, at: int, what: str, found: object, expected: object):
        super().__init__(f"step {at + 1}, {what}:\n  found    {found!r}\n  expected {expected!r}")
        self.at = at
