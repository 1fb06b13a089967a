"""Random histories: makes one from a seed.

A step is a tuple of a verb and plain values; it is about account a, unless "b" stands before the verb. It
means the same whatever came before it, so that a history stays one when steps are dropped. An operation is
named by a number, or as the hand-out so many before the last of a piece of work.
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from .books import DAY, ERRORS, HOUR, MINUTE, SECOND
from .people import opts_out
from .sequences import in_sequences
from .tables import CALLS, micros, shown
from .verbs import WAITS
from .window import QUARTERS_A_DAY
from .work import POISON
from .world import IN_FLIGHT

STEPS_MAX = 32
TIER = "histories"
# Daily and weekly caps of that tier, small enough to be met, and its minimum gaps.
CAPS = {"inmail": (3, 7), "invite": (2, None)}
GAP = {"invite": 10 * MINUTE}

WEIGHTS = 16, 16, 24, 12, 12, 3, 3
# How many of the steps are about the second account.
SECOND_ACCOUNT = 0.15

BOUNDARIES = (
    "midnight",
    "nearly midnight",
    "the next period",
    "nearly the next period",
    "the end of the lease",
    "the end of the cooldown",
    "the end of the silence",
    "nearly the end of the silence",
    "the end of the pace",
    "nearly the end of the pace",
    "the turn of the window",
    "nearly the turn of the window",
    "the next work",
    "nearly the next work",
)
# A half hour, the date line, daylight saving by an hour and by half of one.
ZONES = "UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe", "Asia/Kolkata"
CAMPAIGNS = ("c", "c", "d")
# Of work that was handed out: now and then what stops the whole account.
FAILURES = (*ERRORS, "nothing", "nothing", "credits", "blocked", "busy", "busy", "timeout", "content", "limit")


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
    if rng.random() < 0.5:
        history.steps += rng.sample((*a_list(rng), window(rng, 0)), rng.randrange(4, 9))
    reserved = 1
    for _ in range(rng.randrange(6, STEPS_MAX - len(history.steps))):
        kind = rng.choices(("reserve", "settle", "work", "wait", "other", "window", "episode"), WEIGHTS)[0]
        if kind == "episode":
            history.steps += rng.choice(EPISODES)(rng, reserved)
            reserved += 2
            continue
        if kind == "reserve":
            again = [step for step in history.steps[-4:] if step[0] == "reserve"]
            if again and rng.random() < 0.1:
                history.steps.append(again[-1])
                continue
            # Now and then an id that is used already.
            reserved += rng.random() < 0.97
            step = reserve(rng, reserved)
        elif kind == "work":
            step = work(rng, history)
        else:
            step = MAKERS[kind](rng, reserved)
        other_one = step[0] in (*CALLS, "wait") and rng.random() < SECOND_ACCOUNT
        history.steps.append(("b", *step) if other_one else step)
    history.steps = in_sequences(random.Random(-1 - seed), history.steps)
    history.steps = opts_out(history.steps, seed)
    return history


def reserve(rng: random.Random, number: int) -> tuple:
    action = rng.choices(("inmail", "invite"), (4, 1))[0]
    return "reserve", action, f"p{rng.randrange(6)}", rng.choice((None, "c")), number


def settle(rng: random.Random, reserved: int) -> tuple:
    # Mostly the operation that was reserved last; sometimes one that does not exist.
    number = max(reserved - int(rng.expovariate(0.7)), 1)
    chat = rng.choices((f"chat-{number}", None, "another"), (8, 2, 1))[0]
    told = rng.choice((chat, f"hand-{rng.randrange(9)}"))
    ago = rng.choice((None, None, None, 0, MINUTE, 2 * HOUR, -10 * MINUTE))
    sent_ago = rng.choice((0, 0, SECOND, 4 * MINUTE, HOUR, DAY, 8 * DAY, -MINUTE, -10 * MINUTE))
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
    enqueued = [("enqueue", "c", f"p{n % 6}", "inmail", None) for n in numbers]
    asked = [("reserve", "inmail", f"p{n % 6}", "c", n) for n in numbers]
    if rng.random() < 0.3:
        return [*enqueued, *asked, ("confirm", numbers[0], "chat", None)]
    back = rng.choice(("breaker_clear", "breaker_probe", "breaker_force"))
    asked = [all_of_it(rng)] if rng.random() < 0.5 else asked
    back = (back, "closed") if back == "breaker_force" else (back,)
    return [*enqueued, ("breaker_arm",), *asked, back, all_of_it(rng)]


def all_of_it(rng: random.Random) -> tuple:
    return "dispatch", rng.choice((1, 10, 1000)), rng.choice((None, "inmail")), rng.choice((None, "a")), None


def retries(rng: random.Random, _reserved: int) -> list[tuple]:
    """A piece that fails until it is given up, and is taken up again."""
    prospect, action = f"s{rng.randrange(3)}", rng.choice(("inmail", "invite"))
    piece, second = ("c", prospect, action, 0), rng.choice(("busy", "busy", "nothing", "slow down", "credits"))
    steps = [("enqueue", "c", prospect, action, None)]
    for _ in range(5):
        fails = "rollback", piece, rng.choice(("busy", "busy", second)), 0
        steps += [all_of_it(rng), fails, ("wait", rng.choice(("the next work", "seven hours")))]
    return [*steps, ("resume_deferred",), all_of_it(rng), ("confirm", piece, "chat", None)]


def probe_of_work(rng: random.Random, _reserved: int) -> list[tuple]:
    """Deferred work, a probe that takes one of it, and what becomes of that."""
    prospects = rng.sample(range(6), 3)
    enqueued = [("enqueue", rng.choice(CAMPAIGNS), f"p{n}", "inmail", None) for n in prospects]
    ends = [("confirm_many", IN_FLIGHT, ("chat",)), wait_step(rng, 0)]
    errors = "credits", "busy", "blocked", "timeout", "login"
    ends += [("rollback_many", IN_FLIGHT, (error,)) for error in errors]
    probe = [("breaker_probe",), all_of_it(rng), rng.choice(ends), all_of_it(rng)]
    return [*enqueued, ("breaker_arm",), all_of_it(rng), *probe, rng.choice(ends), all_of_it(rng)]


def hours(rng: random.Random, _reserved: int) -> list[tuple]:
    """A window, and who asks when it opens and closes, to the instant."""
    turns = ("wait", "the turn of the window"), ("wait", "nearly the turn of the window")
    asks = ("preview", "inmail", None), ("preview", "invite", None), all_of_it(rng)
    steps = [("set_zone", rng.choice(ZONES)), ("set_window", *hours_of_work(rng)), ("preview", "inmail", None)]
    for _ in range(rng.randrange(1, 4)):
        steps += [rng.choice(turns), rng.choice(asks), ("wait", "the turn of the window"), rng.choice(asks)]
    return steps


def called_off(rng: random.Random, _reserved: int) -> list[tuple]:
    """Work that is cancelled while a worker has it, and what the worker tells then."""
    prospect, action = f"s{rng.randrange(3)}", rng.choice(("inmail", "invite"))
    piece = "c", prospect, action, 0
    ends = ("rollback", piece, rng.choice(FAILURES), None), ("confirm", piece, rng.choice(("chat", None)), None)
    handed = [("enqueue", "c", prospect, action, None), all_of_it(rng)]
    return [*handed, ("cancel", "c", prospect, rng.choice((None, "a"))), rng.choice(ends), all_of_it(rng)]


def fails_again(rng: random.Random, reserved: int) -> list[tuple]:
    """One failure after the other, what passes then, and what becomes of it."""
    action, number = rng.choice(("inmail", "inmail", "invite")), reserved + 1
    steps: list[tuple] = []
    for n in range(rng.randrange(3, 5)):
        error = rng.choice(("content", "busy", "timeout", "blocked", "soon", "plan"))
        taken = ("reserve", action, f"q{n}", None, number + n)
        waits = [("wait", "an hour")] if action == "invite" or rng.random() < 0.2 else []
        steps += [*waits, taken, ("rollback", number + n, error, None)]
    number += 10
    for n in range(rng.randrange(1, 4)):
        first, second = (("reserve", action, f"r{2 * n + m}", None, number + 2 * n + m) for m in (0, 1))
        ends = [("rollback", first[-1], rng.choice(FAILURES), rng.choice((None, 0)))] * 3
        ends += [("confirm", first[-1], "chat", None), ("resolve", first[-1], True, "chat")]
        steps += [("wait", "the end of the silence"), first, second, rng.choice(ends)]
        steps += rng.choice(([], [("wait", "the time to answer"), ("reconcile_operations",)]))
    return steps


def fails_together(rng: random.Random, reserved: int) -> list[tuple]:
    """Several are under way when the failures reach the limit."""
    numbers = range(reserved + 1, reserved + 5)
    asked = [("reserve", "inmail", f"q{n}", None, n) for n in numbers]
    failed = [("rollback", n, rng.choice(("content", "busy", "blocked", "timeout")), None) for n in numbers]
    last = rng.choice((failed[3], ("confirm", numbers[3], "chat", None)))
    return [asked[0], failed[0], *asked[1:], *failed[1:3], last]


def paces(rng: random.Random, _reserved: int) -> list[tuple]:
    """An account that takes its time over the work of both actions."""
    steps = [put_in(rng) for _ in range(5)]
    steps.append(("set_pace", rng.choice((0, MINUTE, 20 * MINUTE)), rng.random() < 0.7))
    for _ in range(3):
        steps += [all_of_it(rng), ("preview", "inmail", None), ("wait", "the end of the pace")]
    return steps


EPISODES = (
    fails_again,
    fails_again,
    fails_together,
    paces,
    by_hand,
    one_probe,
    stale_error,
    campaign,
    retries,
    probe_of_work,
    hours,
    called_off,
)


def a_list(rng: random.Random) -> list[tuple]:
    """A campaign begins: some work for both accounts."""
    of_a = [put_in(rng) for _ in range(6)]
    return [*of_a, *(("b", *put_in(rng)) for _ in range(3))]


def put_in(rng: random.Random) -> tuple:
    prospect = POISON if rng.random() < 0.04 else f"p{rng.randrange(6)}"
    later = rng.choices((None, 30 * MINUTE, DAY), (8, 1, 1))[0]
    return "enqueue", rng.choice(CAMPAIGNS), prospect, rng.choice(("inmail", "inmail", "invite")), later


def work(rng: random.Random, history: History) -> tuple:
    """Campaign work: put in, handed out, settled by the piece, stopped."""
    enqueued = [step[step[0] == "b" :] for step in history.steps if "enqueue" in step[:2]]
    if not enqueued or rng.random() < 0.25:
        return put_in(rng)
    asked = [step for step in history.steps if step[0] == "dispatch" and step[4] is not None]
    if asked and rng.random() < 0.1:
        return rng.choice(asked)
    pieces = [(*rng.choice(enqueued[-6:])[1:4], int(rng.random() < 0.1)) for _ in range(3)]
    piece, which = pieces[0], rng.choice((IN_FLIGHT, IN_FLIGHT, tuple(("a", piece) for piece in pieces)))
    errors = tuple(rng.choice(FAILURES) for _ in range(2))
    switch = rng.choice((("inmail", "invite"), ("invite", "inmail"), ("inmail", "inmail")))
    many = rng.choices((1, 2, 3, 100, 0), (4, 4, 3, 8, 0.2))[0]
    action, only = rng.choice((None, None, "inmail", "invite")), rng.choice((None, None, "a", "b"))
    return rng.choices(
        (
            ("dispatch", many, action, only, rng.choice((None, None, 1, 2, 3))),
            ("confirm", piece, rng.choice(("chat", "chat", None)), None),
            ("rollback", piece, rng.choice(FAILURES), rng.choice((None, 2 * HOUR))),
            ("resolve", piece, rng.random() < 0.5, rng.choice(("chat", None))),
            ("confirm_many", which, rng.choice((("chat",), ("chat", None)))),
            ("rollback_many", which, errors),
            ("cancel", piece[0], piece[1], rng.choice((None, "a", "b"))),
            ("resume_deferred",),
            (rng.choice(("pause_campaign", "resume_campaign")), "d"),
            ("switch_action", rng.choice(CAMPAIGNS), *switch),
        ),
        (16, 4, 5, 2, 3, 4, 2, 2, 2, 1),
    )[0]


def hours_of_work(rng: random.Random) -> tuple[int, int, tuple[int, ...]]:
    """From and to, and on which days: a day's work, a night, less than an hour."""
    start, long = rng.randrange(QUARTERS_A_DAY), rng.choice((1, 12, 40, 64))
    end = rng.choice(((start + long) % QUARTERS_A_DAY, QUARTERS_A_DAY))
    return start, end, tuple(sorted(rng.sample(range(1, 8), rng.choice((1, 5, 7, 7)))))


def window(rng: random.Random, _reserved: int) -> tuple:
    """Mostly a window, sometimes what is none."""
    start, end, days = hours_of_work(rng)
    impossible = (start, start, days), (start, None, days), (start, end, ())
    return rng.choices(
        (
            ("set_window", start, end, days),
            ("set_window", None, None, None),
            ("set_zone", rng.choice(ZONES)),
            ("set_ramp", rng.random() < 0.7),
            ("set_window", *rng.choice(impossible)),
        ),
        (12, 4, 6, 4, 1),
    )[0]


def wait_step(rng: random.Random, _reserved: int) -> tuple:
    return "wait", rng.choice((*WAITS, *BOUNDARIES))


def other(rng: random.Random, _reserved: int) -> tuple:
    action, prospect = rng.choice(("inmail", "invite")), f"p{rng.randrange(6)}"
    statuses, modes = ("connected", "paused", "restricted"), ("auto", "auto", "open", "closed")
    return rng.choices(
        (
            ("preview", action, rng.choice((None, prospect))),
            ("set_status", rng.choice((*statuses, "connected", "connected"))),
            ("set_cap", action, rng.choice((None, 0, 1, 2, 4)), rng.choice((None, None, 0, 3, 5))),
            ("clear_cooldown", rng.choice((None, "inmail", "invite"))),
            ("set_pace", rng.choice((0, 0, 5 * MINUTE, HOUR)), rng.random() < 0.3),
            ("clear_failures",),
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
        (4, 3, 3, 1, 2, 0.5, 1, 2, 2, 6, 3, 3, 2, 1, 2, 3, 1),
    )[0]


MAKERS = {"settle": settle, "wait": wait_step, "other": other, "window": window}


class Different(AssertionError):
    """The model and the database went apart; ``at`` is the step."""

    def __init__(self, at: int, what: str, found: object, expected: object):
        super().__init__(f"step {at + 1}, {what}:\n  found    {found!r}\n  expected {expected!r}")
        self.at = at
