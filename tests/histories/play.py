"""Plays a history on the model and on PostgreSQL at once, and shrinks one that tells them apart."""

import zoneinfo
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from e2e.support import operation

from .books import (
    ATTEMPT_PERCENT,
    ERRORS,
    FAILURE_COOLDOWN,
    FAILURE_LIMIT,
    MINUTE,
    Decision,
    Event,
    Problem,
    day_of,
    identity,
)
from .dispatch import Row, Wrong
from .history import CAPS, GAP, TIER, Different, History
from .tables import (
    CALLS,
    CALLS_OF_ALL,
    LOOK,
    RAMPED,
    handed,
    moment,
    pictured,
    plain,
    seen,
    shown,
    witness,
)
from .verbs import Account, wait
from .window import clock_time
from .work import POISON
from .world import NAMES, World

# Everything that a history leaves behind. Its logs are append-only, also for a superuser.
FORGOTTEN = (
    "accounts send_operations linkedin_events breaker_log breaker_outbox campaign_events alerts"
    " counter_drift enrollments reconcile_runs admin_log dispatch_queue dispatch_requests paused_campaigns"
    " pause_switch cooldown_log suppressions campaigns credit_balances"
).split()
FORGET = ";".join(f"DELETE FROM sendgate.{table}" for table in FORGOTTEN)
GUARDS = """SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname) FROM pg_trigger
WHERE tgfoid IN ('sendgate.append_only'::regproc, 'sendgate.account_leaves'::regproc)"""
# PostgreSQL refuses to write an operation for this prospect.
POISONED = f"""ALTER TABLE sendgate.send_operations DROP CONSTRAINT IF EXISTS poison,
    ADD CONSTRAINT poison CHECK (prospect_id <> '{POISON}')"""
# Calls that answer how much work they moved.
MOVES = "cancel", "cancel_prospect", "requeue", "resume_deferred", "switch_action"
# Calls after which time goes on: the contract does not order what happens at one instant, so histories have no such
# rows, and no answer at the instant of a balance that is told.
TAKE_TIME = "reserve", "enqueue", "put", "enqueue_many", "requeue", "dispatch", "tell_balance"
# Ids of an operation and of requests that do not exist.
NOBODY = 10**12 - 1
REQUESTS = 10**11


class Player:
    """A connection on which histories are played one after the other."""

    def __init__(self, connection, account: Callable = Account):
        self.connection, self.account = connection, account
        # What the answers and the tables said: a driver that meets only half of it tests only that.
        self.met: set[str] = set()
        self.played = self.steps = 0
        connection.execute("SET client_min_messages = error; SET log_min_messages = fatal")
        connection.execute(f"SET sendgate.failure_limit = {FAILURE_LIMIT}")
        connection.execute(f"SET sendgate.failure_cooldown = '{FAILURE_COOLDOWN // MINUTE}min'")
        connection.execute(f"SET sendgate.attempt_percent = {ATTEMPT_PERCENT}")
        for (lift,) in connection.execute(GUARDS).fetchall():
            connection.execute(lift)
        connection.execute(POISONED)
        use_zones_of(connection)
        for action, (daily, weekly) in CAPS.items():
            gap = f"{GAP.get(action, 0) // MINUTE} minutes"
            connection.execute("SELECT sendgate.set_tier_cap(%s, %s, %s, %s, %s)", (TIER, action, daily, weekly, gap))

    def play(self, history: History) -> None:
        """Both at once, step by step; raises Different where they go apart."""
        self.connection.execute(FORGET)
        self.events: dict = {}
        self.played, self.steps = self.played + 1, self.steps + len(history.steps)
        world = World(self.account, CAPS, GAP, history.reset_day)
        self.go_on(world, history.starts_at)
        for name in NAMES:
            provision = "SELECT sendgate.upsert_account(%s, %s, credit_reset_day => %s)"
            self.connection.execute(provision, (name, TIER, history.reset_day))
        for at, step in enumerate(history.steps):
            name, step = ("b", step[1:]) if step[0] == "b" else ("a", step)
            if step[0] == "wait":
                self.go_on(world, wait(world.accounts[name], step[1]))
                continue
            self.take(at, world, name, step)
            if step[0] in TAKE_TIME:
                self.go_on(world, world.now + 1)

    def take(self, at: int, world: World, name: str, step: tuple) -> None:
        """One step."""
        when = f"{(name, *step)!r} at {shown(world.now)}"
        answered = step[0] == "dispatch" and step[4] in world.requests
        found = self.on_database(world, name, step)
        try:
            expected = on_model(world, name, step, found, self.connection)
        except Wrong as wrong:
            raise Different(at, f"the answer to {when}", found, wrong) from None
        self.same(at, f"the answer to {when}", found, expected)
        pictures = self.connection.execute(LOOK, prepare=True).fetchall()
        for row, account in zip(pictures, world.all(), strict=True):
            self.same(at, f"the tables of {row[0]} after {when}", seen(row), pictured(account))
        self.meet(found, world.all())
        if isinstance(found, tuple) and any(found) and (answered or step[0] in MOVES):
            self.met.add(f"{step[0]}, answered before" if answered else step[0])

    def meet(self, answer: object, accounts: list[Account]) -> None:
        words = answer if isinstance(answer, tuple) else (answer,)
        self.met |= {word for word in words if isinstance(word, str)}
        self.met |= {"handed out" for word in words if isinstance(word, Row)}
        for account in accounts:
            self.met |= {f"{action} {reason}" for action, reason in account.lines}
            self.met |= {kind for kind, _ in account.alerts}
            self.met |= account.noted
            self.met |= {f"{piece.state}, {piece.reason}" for piece in account.enrolled}

    def go_on(self, world: World, now: int) -> None:
        world.goes_on(now)
        self.set_clock(now)

    def set_clock(self, now: int) -> None:
        self.connection.execute("SELECT set_config('sendgate.now', %s, false)", (shown(now),))

    def on_database(self, world: World, name: str, step: tuple) -> object:
        import psycopg

        verb = step[0]
        call = CALLS.get(verb) or CALLS_OF_ALL[verb]
        try:
            answer = self.connection.execute(call, arguments(world, name, step), prepare=True)
        except psycopg.Error as error:
            return error.sqlstate
        if verb == "tamper":
            return self.on_database(world, name, ("reconcile_operations",))[:1]
        if verb == "dispatch":
            return tuple(self.handed(answer.fetchall()))
        values = plain(answer.fetchone())
        if verb in ("confirm_many", "rollback_many", "enqueue_many"):
            return tuple(values[0])
        # A function that returns void answers with the empty text.
        return (None,) if values == [""] else tuple(values)

    def handed(self, rows: list[tuple]) -> list[Row]:
        """The rows that dispatch answered."""
        return handed(rows)

    def same(self, at: int, what: str, found: object, expected: object) -> None:
        """Compare; an event that the model knows is an id that always means this event."""
        if isinstance(expected, Event):
            known = self.events.setdefault(id(expected), found)
            fresh = list(self.events.values()).count(found) == 1
            if found == known and fresh and isinstance(found, tuple) and found[0] is not None:
                return
        elif found == expected:
            return
        elif any(isinstance(part, Event) for part in expected) and len(found) == len(expected):
            for one, event in zip(found, expected, strict=True):
                self.same(at, what, (one,), event if isinstance(event, Event) else (event,))
            return
        if isinstance(expected, tuple) and isinstance(found, tuple) and len(found) == len(expected):
            pairs = [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]]
            found, expected = zip(*pairs, strict=True)
        raise Different(at, what, found, expected)


def use_zones_of(connection) -> None:
    """The server's own zones, where it brings them along: two databases of zones may be of two years."""
    (share,) = connection.execute("SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'").fetchone()
    zones = Path(share) / "timezone"
    if zones.is_dir() and str(zones) not in zoneinfo.TZPATH:
        zoneinfo.reset_tzpath(to=[str(zones), *zoneinfo.TZPATH])


def arguments(world: World, name: str, step: tuple) -> tuple:
    """What the SQL function of a step is called with."""
    verb, rest = step[0], step[1:]
    if verb in CALLS_OF_ALL:
        return arguments_of_all(world, verb, rest)
    account = world.accounts[name]

    def ago(micros_ago):
        return None if micros_ago is None else moment(world.now - micros_ago)

    if verb == "reserve":
        rest = (*rest[:3], operation(rest[3]))
    elif verb == "enqueue":
        later, step, priority = (*rest[3:], 1, 0)[:3] if len(rest) == 4 else rest[3:]
        rest = (*rest[:3], due_in(world, later), step, priority)
    elif verb == "put":
        rest = (*rest[:3], due_in(world, rest[3]), *rest[4:])
    elif verb == "requeue":
        rest = (*rest[:4], due_in(world, rest[4]))
    elif verb == "confirm":
        rest = known(account, rest[0]), rest[1], ago(rest[2])
    elif verb == "rollback":
        after = None if rest[2] is None else f"{rest[2]} microseconds"
        rest = known(account, rest[0]), *ERRORS[rest[1]][0], after
    elif verb == "resolve":
        rest = (known(account, rest[0]), *rest[1:])
    elif verb == "external":
        rest = (*rest[:3], ago(rest[3]))
    elif verb == "tell_balance":
        rest = rest[0], ago(rest[1])
    elif verb == "set_pace":
        rest = f"{rest[0]} microseconds", rest[1]
    elif verb == "breaker_report":
        rest = (rest[0], *ERRORS[rest[1]][0])
    elif verb == "set_window":
        times = [None if quarter is None else clock_time(quarter) for quarter in rest[:2]]
        rest = (*times, None if rest[2] is None else list(rest[2]))
    return (name, *rest)


def due_in(world: World, later: int | None):
    return None if later is None else moment(world.now + later)


def arguments_of_all(world: World, verb: str, rest: tuple) -> tuple:
    if verb == "dispatch":
        return (*rest[:3], None if rest[3] is None else operation(REQUESTS + rest[3]))
    if verb == "suppress_prospect":
        return rest[0], None if rest[1] is None else moment(world.now + rest[1])
    if verb == "enqueue_many":
        columns = [list(column) for column in zip(*rest[0], strict=True)]
        columns[4] = [due_in(world, later) for later in columns[4]]
        return tuple(columns)
    if verb not in ("confirm_many", "rollback_many"):
        return rest
    batch = world.batch(rest[0])
    names = [name for name, _ in batch]
    operations = [known(world.accounts[name], number) for name, number in batch]
    said = [rest[1][n % len(rest[1])] for n in range(len(batch))]
    if verb == "confirm_many":
        return names, operations, [chat and f"{chat}-{n}" for n, chat in enumerate(said)]
    answers = [ERRORS[error][0] for error in said]
    return names, operations, *([answer[part] for answer in answers] for part in range(3))


def known(account: Account, number: int | tuple | str) -> str:
    """The id of an operation, also of one that is not there."""
    if not isinstance(number, tuple):
        return identity(number)
    try:
        return account.find(number).id()
    except Problem:
        return operation(NOBODY)


def on_model(world: World, name: str, step: tuple, found: object, connection) -> object:
    """The model's answer, as the SQL function's columns or its SQLSTATE."""
    verb, rest = step[0], list(step[1:])
    if verb == "confirm" and rest[2] is not None:
        rest[2] = world.now - rest[2]
    if verb == "external":
        rest[3] = world.now - rest[3]
    if verb == "tamper":
        return world.reconcile_operations()[:1]
    try:
        if verb == "dispatch":
            world.dispatch(tuple(rest), list(found) if isinstance(found, tuple) else None, witness(connection))
            return found
        if verb == "external":
            return external(world.accounts[name], name, rest, connection)
        who = world if verb in CALLS_OF_ALL else world.accounts[name]
        answer = getattr(who, verb)(*rest)
    except Problem as problem:
        return str(problem)
    if isinstance(answer, Decision):
        return astuple(answer)
    if isinstance(answer, list):
        return tuple(answer)
    return answer if isinstance(answer, tuple | Event) else (answer,)


def external(account: Account, name: str, rest: list, connection) -> Event:
    """A send by hand; of an earlier day it may be told too late to be a step of the ramp."""
    event = account.record_external_send(*rest)
    day = day_of(event.occurred_at)
    if account.ramp is not None and day < account.today:
        (days,) = connection.execute(RAMPED, (name,), prepare=True).fetchone()
        if days > len(account.ramp):
            account.ramp.add(day)
    return event


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
