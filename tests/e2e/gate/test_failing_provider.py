"""A provider that fails: how many calls workers make before the gate stops them, counted at the provider.

``make test PG=18 ONLY=e2e/test_failing_provider`` prints a line for each failing provider; they are the table
in docs/reliability.md.
"""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from e2e.support import at_once, equal
from harness.progress import progress

NEWEST_ONLY = True
TIMEOUT_SECONDS = 600
WORKERS = 20
ACCOUNTS = 50
BATCH = 10
INVITES_EACH = 60  # more than an account may try in a day
CAP = 25  # invites of a Sales Navigator account a day
ATTEMPTS_MAX = 2 * CAP  # sendgate.attempt_percent is 200
FAILURE_LIMIT = 10
NOON = "2026-05-20 12:00:00+00"
HOURS = range(14)  # until after the next midnight
ENQUEUE = """
SELECT count(sendgate.enqueue('c', 'p' || n || ' of ' || id, id, %(action)s))
FROM sendgate.accounts, generate_series(1, %(each)s) n"""
ROLLBACK = "SELECT sendgate.rollback_many(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::int[])"


@dataclass(frozen=True)
class Failure:
    """One way in which the provider fails, and what it means for the account's action."""

    name: str
    status: int
    error_type: str | None
    counts: bool = True  # as a failure in a row; if not, the first answer stops the action


CANNOT_RESEND = Failure("422 cannot_resend_yet", 422, "errors/cannot_resend_yet", counts=False)
CONTENT = Failure("400 too_many_characters", 400, "errors/too_many_characters")
UNREACHABLE = Failure("422 provider_unreachable", 422, "errors/provider_unreachable")
NOT_FOUND = Failure("404 resource_not_found", 404, "errors/resource_not_found")
LIMIT = Failure("422 connection_limit_reached", 422, "errors/connection_limit_reached", counts=False)
NOT_SUBSCRIBED = Failure("403 feature_not_subscribed", 403, "errors/feature_not_subscribed", counts=False)
SERVER_ERROR = Failure("500", 500, None)
ALL = (CANNOT_RESEND, CONTENT, UNREACHABLE, NOT_FOUND, LIMIT, NOT_SUBSCRIBED, SERVER_ERROR)
MIX = (CONTENT, UNREACHABLE, NOT_FOUND, SERVER_ERROR)


@dataclass
class Provider:
    """Refuses every call of an action and delivers the others; its ledger is the truth about the calls."""

    failures: tuple[Failure, ...]
    action: str = "invite"
    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: Counter = field(default_factory=Counter)
    operations: set = field(default_factory=set)
    in_hand: dict = field(default_factory=lambda: defaultdict(Counter))

    def call(self, account: str, action: str, operation: str) -> Failure | None:
        """One call, and how it failed."""
        with self.lock:
            assert operation not in self.operations, f"called twice for {operation}"
            self.operations.add(operation)
            number = self.calls[account, action]
            self.calls[account, action] += 1
        return self.failures[number % len(self.failures)] if action == self.action else None

    def handed_out(self, worker: int, rows: list) -> None:
        """Remembers the most that a worker had in hand at once, for each account."""
        for account, n in Counter(row[0] for row in rows if row[2] == self.action).items():
            with self.lock:
                most = self.in_hand[account]
                most[worker] = max(most[worker], n)

    def in_flight_max(self, account: str) -> int:
        """No more can have been in flight at the stop: what each worker had in hand, and a slot for each."""
        return min(self.in_hand[account].total(), CAP)

    def called(self) -> Counter:
        """The calls for the failing action by account."""
        return Counter({account: n for (account, action), n in self.calls.items() if action == self.action})


class World:
    """Accounts with invites, workers with sessions of their own, and the failing provider."""

    def __init__(self, env, failures: tuple[Failure, ...], accounts: int = ACCOUNTS, each: int = INVITES_EACH):
        self.provider = Provider(failures)
        self.admin = env.connect()
        self.sessions = [env.connect() for _ in range(WORKERS)]
        self.accounts = [f"a{n}" for n in range(accounts)]
        self.at(NOON)
        self.admin.execute(
            "SELECT sendgate.upsert_account(id, 'sales_navigator') FROM unnest(%s::text[]) id", (self.accounts,)
        )
        self.enqueue("invite", each)

    def at(self, instant: str, hours: int = 0) -> None:
        """Stops the clock of all sessions there."""
        for session in (self.admin, *self.sessions):
            session.execute(
                "SELECT set_config('sendgate.now', (%s::timestamptz + make_interval(hours => %s, secs => %s))::text,"
                " false)",
                (instant, hours, hours),
            )

    def enqueue(self, action: str, each: int) -> None:
        self.admin.execute(ENQUEUE, {"action": action, "each": each})

    def work(self, dispatch: bool = True) -> int:
        """All workers, until nothing more is handed out; the calls that were made."""
        before = sum(self.provider.calls.values())
        at_once(WORKERS, self._dispatch if dispatch else self._reserve)
        return sum(self.provider.calls.values()) - before

    def _dispatch(self, number: int) -> None:
        """dispatch and rollback_many in a loop, as in examples/worker.py."""
        session = self.sessions[number]
        while rows := session.execute(
            "SELECT account_id, operation_id, action FROM sendgate.dispatch(%s)", (BATCH,)
        ).fetchall():
            self.provider.handed_out(number, rows)
            answers = [(row, self.provider.call(row[0], row[2], row[1])) for row in rows]
            failed = [(row[0], row[1], f.name, f.error_type, f.status) for row, f in answers if f]
            delivered = [(row[0], row[1], f"chat {row[1]}") for row, f in answers if not f]
            if failed:
                session.execute(ROLLBACK, [list(column) for column in zip(*failed, strict=True)])
            if delivered:
                columns = [list(column) for column in zip(*delivered, strict=True)]
                session.execute("SELECT sendgate.confirm_many(%s::text[], %s::uuid[], %s::text[])", columns)

    def _reserve(self, number: int) -> None:
        """reserve and rollback, each call alone, always for a new prospect, until every account refuses."""
        session, prospects = self.sessions[number], 0
        open_accounts = set(self.accounts)
        while open_accounts:
            for account in sorted(open_accounts):
                prospects += 1
                proceed, operation = session.execute(
                    "SELECT proceed, operation_id FROM sendgate.reserve(%s, 'invite', %s)",
                    (account, f"worker {number}, {prospects}"),
                ).fetchone()
                if not proceed:
                    open_accounts.discard(account)
                    continue
                self.provider.handed_out(number, [(account, operation, "invite")])
                failure = self.provider.call(account, "invite", operation)
                session.execute(
                    "SELECT sendgate.rollback(%s, %s, %s, %s, %s)",
                    (account, operation, failure.name, failure.error_type, failure.status),
                )

    def failing(self) -> set[str]:
        """The accounts whose invites cool down now."""
        sql = "SELECT account_id FROM sendgate.cooldowns WHERE action = 'invite'"
        return {account for (account,) in self.admin.execute(sql)}

    def prove(self, counts: bool) -> None:
        """Checks of the end of the first hour, for every account."""
        provider, called = self.provider, self.provider.called()
        equal(set(called), set(self.accounts), "accounts that were tried")
        equal(self.failing(), set(self.accounts), "accounts whose invites cool down")
        for account in self.accounts:
            before_the_stop = FAILURE_LIMIT if counts else 1
            most = min(before_the_stop - 1 + provider.in_flight_max(account), ATTEMPTS_MAX)
            assert before_the_stop <= called[account] <= most, f"{called[account]} calls of {account}, at most {most}"
        journal = self.admin.execute("SELECT count(*) FROM sendgate.send_operations").fetchone()[0]
        equal(len(provider.operations), journal, "calls and grants")


def tell(failing: str, world: World, hour: int, day: int) -> None:
    """The figures of docs/reliability.md."""
    most = max(world.provider.called().values())
    progress(f"{failing}: {hour} calls in one instant, {day} until midnight, {most} at most of one account")


@pytest.mark.parametrize("failure", [(one,) for one in ALL] + [MIX], ids=[one.name for one in ALL] + ["a mix"])
def test_twenty_workers_and_fifty_accounts(env, failure):
    """Nothing but failures for a day: each hour the workers take all that they are handed out."""
    world = World(env, failure)
    hour = world.work()
    world.prove(counts=failure[0].counts)
    day = hour
    for later in HOURS[1:12]:
        world.at(NOON, later)
        made = world.work()
        # One at a time passes after the silence; the first failure ends it.
        assert made <= ACCOUNTS, f"{made} calls in hour {later}"
        day += made
    called = world.provider.called()
    assert max(called.values()) <= ATTEMPTS_MAX, called.most_common(3)
    tell(failure[0].name if len(failure) == 1 else "a mix", world, hour, day)
    states = world.admin.execute("SELECT status FROM sendgate.accounts").fetchall()
    equal({status for (status,) in states}, {"connected"}, "status")


@pytest.mark.parametrize("failure", [(one,) for one in ALL] + [MIX], ids=[one.name for one in ALL] + ["a mix"])
def test_single_calls_stop_as_batches_do(env, failure):
    """The same with reserve and rollback, one by one, always for a prospect that was not tried."""
    world = World(env, failure, accounts=5, each=0)
    world.work(dispatch=False)
    world.prove(counts=failure[0].counts)


@pytest.mark.parametrize("failure", ALL, ids=[one.name for one in ALL])
def test_one_account_and_a_thousand_invites(env, failure):
    """The purpose of it all: a cap of 25, a thousand invites, every call refused."""
    world = World(env, (failure,), accounts=1, each=1000)
    made = world.work()
    world.prove(counts=failure.counts)
    tell(f"one account, {failure.name}", world, made, made)
    states = dict(world.admin.execute("SELECT state, count(*) FROM sendgate.enrollments GROUP BY state").fetchall())
    assert states["waiting"] >= 1000 - made, states


@pytest.mark.parametrize("failure", ALL, ids=[one.name for one in ALL])
def test_messages_go_on_while_invites_stop(env, failure):
    """What stops the invites of an account stops nothing else of it."""
    world = World(env, (failure,))
    world.enqueue("message", 10)
    world.work()
    world.prove(counts=failure.counts)
    sql = "SELECT count(*) FROM sendgate.linkedin_events WHERE event_type = 'message_sent'"
    equal(world.admin.execute(sql).fetchone()[0], ACCOUNTS * 10, "messages that arrived")


def test_clear_cooldown_lets_them_try_again(env):
    """After clear_cooldown failures start again at 0: as many more calls as the first time, and no more."""
    world = World(env, (CONTENT,), accounts=5)
    world.work()
    first = world.provider.called()
    world.admin.execute("SELECT sendgate.clear_cooldown('*', 'the provider is back')")
    equal(world.failing(), set(), "accounts that cool down")
    world.at(NOON, 1)
    world.work()
    equal(world.failing(), set(world.accounts), "accounts whose invites cool down again")
    for account, n in world.provider.called().items():
        more, most = n - first[account], FAILURE_LIMIT - 1 + world.provider.in_flight_max(account)
        assert FAILURE_LIMIT <= more <= most, f"{more} more calls of {account}, at most {most}"


def test_exactly_one_tries_after_the_silence(env):
    """When the cooldown is over, twenty workers make one call; the next waits twice as long."""
    world = World(env, (CONTENT,), accounts=1)
    world.work()
    made = []
    for hours in (1, 2, 3, 4, 5, 6, 7):
        world.at(NOON, hours)
        made.append(world.work())
    # The silence lasts 1, 2, 4 hours.
    equal(made, [1, 0, 1, 0, 0, 0, 1], "calls in each of the hours that follow")
