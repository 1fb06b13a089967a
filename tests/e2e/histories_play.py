"""Plays a history on the model and on PostgreSQL at once, and shrinks one that tells them apart."""

from collections.abc import Callable
from dataclasses import astuple

from histories import (
    CALLS,
    CAPS,
    GAP,
    LOOK,
    TIER,
    Different,
    History,
    micros,
    moment,
    pictured,
    seen,
    shown,
)
from histories_model import ERRORS, MINUTE, Decision, Event, Problem
from histories_verbs import Account, wait
from support import operation

# Everything that a history leaves behind. Its logs are append-only, also for a superuser.
FORGOTTEN = (
    "accounts send_operations linkedin_events breaker_log breaker_outbox campaign_events alerts"
    " counter_drift enrollments reconcile_runs admin_log dispatch_queue pause_switch"
).split()
FORGET = ";".join(f"DELETE FROM sendgate.{table}" for table in FORGOTTEN)
GUARDS = """SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname) FROM pg_trigger
WHERE tgfoid = 'sendgate.append_only'::regproc"""


class Player:
    """A connection on which histories are played one after the other."""

    def __init__(self, connection, account: Callable = Account):
        self.connection, self.account = connection, account
        # What the answers and the tables said: a driver that meets only half of it tests only that.
        self.met: set[str] = set()
        self.played = self.steps = 0
        connection.execute("SET client_min_messages = error; SET log_min_messages = fatal")
        for (lift,) in connection.execute(GUARDS).fetchall():
            connection.execute(lift)
        for action, (daily, weekly) in CAPS.items():
            gap = f"{GAP.get(action, 0) // MINUTE} minutes"
            connection.execute(
                "SELECT sendgate.set_tier_cap(%s, %s, %s, %s, %s)", (TIER, action, daily, weekly, gap)
            )

    def play(self, history: History) -> None:
        """Both at once, step by step; raises Different where they go apart."""
        self.connection.execute(FORGET)
        self.events: dict = {}
        self.played, self.steps = self.played + 1, self.steps + len(history.steps)
        model = self.account(CAPS, GAP, history.reset_day)
        model.now = history.starts_at
        self.set_clock(model.now)
        self.connection.execute(
            "SELECT sendgate.upsert_account('a', %s, credit_reset_day => %s)", (TIER, history.reset_day)
        )
        for at, step in enumerate(history.steps):
            if step[0] == "wait":
                wait(model, step[1])
                self.set_clock(model.now)
                continue
            expected, found = on_model(model, step), self.on_database(model, step)
            self.same(at, f"the answer to {step!r} at {shown(model.now)}", found, expected)
            picture = seen(self.connection.execute(LOOK, prepare=True).fetchone())
            self.same(at, f"the tables after {step!r} at {shown(model.now)}", picture, pictured(model))
            self.meet(found, model)
            if step[0] in ("reserve", "enqueue"):
                # Which of two of the same instant is the later one is nobody's business.
                model.now += 1
                self.set_clock(model.now)

    def meet(self, answer: object, model: Account) -> None:
        words = answer if isinstance(answer, tuple) else (answer,)
        self.met |= {word for word in words if isinstance(word, str)}
        self.met |= {f"{action} {reason}" for action, reason in model.lines}
        self.met |= {kind for kind, _ in model.alerts}
        self.met |= {f"{piece.state}, {piece.reason}" for piece in model.enrolled}

    def set_clock(self, now: int) -> None:
        self.connection.execute("SELECT set_config('sendgate.now', %s, false)", (shown(now),))

    def on_database(self, model: Account, step: tuple) -> object:
        import psycopg

        try:
            row = self.connection.execute(CALLS[step[0]], arguments(model, step), prepare=True)
        except psycopg.Error as error:
            return error.sqlstate
        if step[0] == "tamper":
            return self.on_database(model, ("reconcile_operations",))[:1]
        values = [micros(v) if hasattr(v, "tzinfo") else v for v in row.fetchone()]
        # What returns nothing returns the empty text.
        return (None,) if values == [""] else tuple(values)

    def same(self, at: int, what: str, found: object, expected: object) -> None:
        """Compare; an event that the model knows is an id that always means this event."""
        if isinstance(expected, Event):
            known = self.events.setdefault(id(expected), found)
            fresh = list(self.events.values()).count(found) == 1
            if found == known and fresh and isinstance(found, tuple) and found[0] is not None:
                return
        elif found == expected:
            return
        if isinstance(expected, tuple) and isinstance(found, tuple) and len(found) == len(expected):
            pairs = [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]]
            found, expected = zip(*pairs, strict=True)
        raise Different(at, what, found, expected)


def arguments(model: Account, step: tuple) -> tuple:
    """What the SQL function of a step is called with."""
    verb, rest = step[0], step[1:]

    def ago(micros_ago):
        return None if micros_ago is None else moment(model.now - micros_ago)

    if verb == "reserve":
        return (*rest[:3], operation(rest[3]))
    if verb == "confirm":
        return operation(rest[0]), rest[1], ago(rest[2])
    if verb == "rollback":
        after = None if rest[2] is None else f"{rest[2]} microseconds"
        return operation(rest[0]), *ERRORS[rest[1]][0], after
    if verb == "resolve":
        return (operation(rest[0]), *rest[1:])
    if verb == "external":
        return (*rest[:3], ago(rest[3]))
    if verb == "breaker_report":
        return (rest[0], *ERRORS[rest[1]][0])
    return rest


def on_model(model: Account, step: tuple) -> object:
    """The model's answer, as the SQL function's columns or its SQLSTATE."""
    verb, rest = step[0], list(step[1:])
    if verb == "confirm" and rest[2] is not None:
        rest[2] = model.now - rest[2]
    if verb == "external":
        rest[3] = model.now - rest[3]
    if verb == "tamper":
        verb, rest = "reconcile_operations", []
        model.reconcile_operations()
        return (False,)
    try:
        answer = getattr(model, NAMES.get(verb, verb))(*rest)
    except Problem as problem:
        return str(problem)
    if isinstance(answer, Decision):
        return astuple(answer)
    if verb in ("midnight_reset", "reconcile_operations", "audit_events"):
        return (False, *([] if verb == "midnight_reset" else [answer or 0]))
    return answer if isinstance(answer, tuple | Event) else (answer,)


NAMES = {"external": "record_external_send", "resolve": "resolve"}


def shrink(player: Player, history: History) -> tuple[History, Different]:
    """Leaves out what can be left out: halves, quarters, … single steps, as long as they differ."""
    different = goes_apart(player, history)
    steps = history.steps[: different.at + 1]
    size = max(len(steps) // 2, 1)
    while size:
        at = 0
        while at < len(steps):
            shorter = History(history.reset_day, history.starts_at, steps[:at] + steps[at + size :])
            still = goes_apart(player, shorter)
            if still:
                steps, different = shorter.steps[: still.at + 1], still
            else:
                at += size
        size //= 2
    return History(history.reset_day, history.starts_at, steps), different


def goes_apart(player: Player, history: History) -> Different | None:
    try:
        player.play(history)
    except Different as different:
        return different
    return None
