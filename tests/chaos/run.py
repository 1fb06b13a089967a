"""A run: workers and the daemon run while processes are killed, day after day; then the books are closed."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.cluster import Cluster
from harness.progress import HarnessError

from .crowd import Crowd
from .gate import Gate
from .kills import MAKE_DUE, SERVER_KILLS, Executioner, schedule, wait_for
from .people import UNKNOWN, Operator
from .prepare import FIRST_DAY, Planner, accounts, end_pace, logins, outbox
from .provider import always
from .worker import Batch
from .world import Board, World

STEP_SECONDS = 0.05
# How often people come by, and sweeps are made due; and how often the day's end is looked for.
VISIT_SECONDS = 1.5
SWEEP_SECONDS = 3
DAY_SECONDS = 0.5
# When less than this share of the day's slots (without InMails) is left, the day is over.
LEFT_OVER = 0.18
# Without a grant for the first of these times the day is over as well; for the second, the run hangs and fails.
STALLED_SECONDS = 4
HANGING_SECONDS = 180
# The last sweeps of the books beside other work on the machine.
LAST_SWEEPS_SECONDS = 600
# From the evening, when the server comes back, until midnight.
EVENING = timedelta(seconds=3)
# The clock's step after the last worker: longer than an operation's time, so that unanswered ones expire.
AFTERWARDS = timedelta(minutes=20)

# A few failures stop an action, for so short a time that it is seen to try again.
SETTINGS = {"sendgate__failure_limit": "5", "sendgate__failure_cooldown": "2s"}

LEFT = """
SELECT sum(greatest(0, least(daily_cap - sent_today, weekly_cap - sent_this_week))), sum(least(daily_cap, weekly_cap))
  FROM sendgate.counters WHERE action <> 'inmail'"""

SWEPT = """
SELECT bool_and(sweep_finished_at > %s AND next_account IS NULL) FROM sendgate.jobs WHERE every < interval '1 day'"""

# Who does what, and what it waits for.
AT_WORK = """
SELECT pid, usename, state, wait_event_type, wait_event, clock_timestamp() - query_start AS since,
       pg_blocking_pids(pid) AS blocked_by, left(query, 200)
  FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"""


class Run:
    """``with Run(cluster, world) as run: run.play(); run.close_books()``; then the verdict reads what it left."""

    def __init__(self, cluster: Cluster, world: World, say: Callable[[str], None]):
        self.cluster = cluster
        self.world = world
        self.say = say
        self.rng = random.Random(f"{world.seed} run")
        world.save()
        self.board = Board(world)
        self.gate = Gate(f"{world.dsn} user=postgres")
        self.executioner = Executioner(cluster, self.gate, self.rng)
        self.crowd = Crowd(world, self.rng)
        self.operator = Operator(self.gate, self.board, Path(world.directory), self.rng)
        self.planner: Planner | None = None
        self.caps: list[tuple] = []
        self.kills: Counter = Counter()
        # From when to when the server was down, by its own clock; not killed if the clock alone leapt.
        self.downs: list[tuple[datetime, datetime, bool]] = []
        self.today = None
        self.paced_until: datetime | None = None
        self.started = time.monotonic()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_exception) -> None:
        self.crowd.end()
        self.gate.close()

    # -- the play -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Accounts, caps, the first day's work."""
        self.cluster.configure(**SETTINGS)
        self.set_clock(FIRST_DAY)
        logins(self.gate)
        outbox(self.gate)
        self.caps = accounts(self.gate, self.world)
        self.planner = Planner(self.gate, self.caps)
        self.new_day()

    def play(self) -> None:
        """Until all kills are done and all operations handed out."""
        plan = schedule(self.rng, self.world.operations, self.world.kills)
        self.started = time.monotonic()
        self.crowd.start_daemon()
        for number in range(self.world.workers):
            self.crowd.start_worker(number)
        chores = [
            (VISIT_SECONDS, self.visit),
            (SWEEP_SECONDS, lambda: self.gate.ask(MAKE_DUE)),
            (DAY_SECONDS, self.look_at_the_day),
        ]
        due = [0.0] * len(chores)
        self.moved = time.monotonic(), 0
        while plan or self.board.operations() < self.world.operations:
            time.sleep(STEP_SECONDS)
            self.crowd.look()
            if plan and self.board.operations() >= plan[0][0]:
                self.kill(plan.pop(0)[1])
            for number, (seconds, chore) in enumerate(chores):
                if time.monotonic() > due[number]:
                    chore()
                    due[number] = time.monotonic() + seconds
        self.say(
            f"{self.board.operations():,} operations, {sum(self.kills.values())} kills, "
            f"{self.planner.days} days: closing the books"
        )

    def kill(self, kind: str) -> None:
        """Kill one process of this kind, or a worker if there is none of this kind."""
        down = self.board.now()
        if kind == "worker":
            self.crowd.kill_worker()
        elif kind == "daemon" and self.rng.random() < 0.5:
            self.executioner.sweep(self.crowd.kill_daemon)
        elif kind == "daemon":
            self.crowd.kill_daemon()
        elif kind in SERVER_KILLS:
            self.executioner.stop_server(kind)
            self.executioner.start_server()
            self.downs.append((down, self.board.now(), True))
        elif not getattr(self.executioner, kind)():
            self.kill("worker")
            return
        elif kind in ("backend", "sweep"):
            self.downs.append((down, self.board.now(), True))
        self.kills[kind] += 1
        self.say(f"{self.board.operations():>9,} operations, kill {sum(self.kills.values())}: {kind}")

    # -- days ---------------------------------------------------------------------------------

    def look_at_the_day(self) -> None:
        """Whether midnight was passed, and whether there is anything left of the day."""
        if self.board.now().date() != self.today:
            self.new_day()
            return
        operations = self.board.operations()
        if operations != self.moved[1]:
            self.moved = time.monotonic(), operations
        still = time.monotonic() - self.moved[0]
        if still > HANGING_SECONDS:
            raise HarnessError(f"no slot was granted for {still:.0f} s; workers: {self.board.lines()}")
        [(left, slots)] = self.gate.ask(LEFT)
        is_evening = (self.board.now() + 2 * EVENING).date() != self.today
        if not is_evening and (left < LEFT_OVER * slots or still > STALLED_SECONDS):
            self.evening()

    def new_day(self) -> None:
        """Work for the day."""
        self.today = self.board.now().date()
        self.planner.plan_day(datetime.combine(self.today + timedelta(days=1), datetime.min.time(), UTC))

    def evening(self) -> None:
        """The server crashes, and when it is back it is just before midnight, of today or of a later day:
        everybody is at work while it passes."""
        kind = self.rng.choice(SERVER_KILLS)
        down = self.board.now()
        days = self.rng.choice((1, 1, 1, 2, 3))
        midnight = (down + timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.executioner.stop_server(kind)
        self.set_clock(midnight - EVENING)
        self.executioner.start_server()
        self.downs.append((down, self.board.now(), True))
        # Also if starting took so long that midnight is over: the new day's work is still to be put in.
        self.today = (midnight - EVENING).date()
        self.kills[kind] += 1
        self.say(
            f"{self.board.operations():>9,} operations, kill {sum(self.kills.values())}: {kind}, "
            f"back on {midnight - EVENING:%Y-%m-%d %H:%M:%S}"
        )

    def set_clock(self, instant: datetime) -> None:
        """The clock of every process runs on from there."""
        # The setting knows whole seconds.
        offset = round(instant.timestamp() - time.time())
        self.cluster.configure(sendgate__clock_offset=f"{offset} seconds")
        self.board.offset = offset
        if self.cluster.running():
            arrived = "SELECT abs(extract(epoch FROM sendgate.clock() - %s::timestamptz)) < 60"
            wait_for(lambda: self.gate.ask(arrived, (instant,))[0][0], "the clock to be set")

    def visit(self) -> None:
        """People."""
        self.operator.come_by(self.crowd.incarnations, self.planner)

    # -- the end ------------------------------------------------------------------------------

    def close_books(self) -> None:
        """Stop killing, and settle or finish everything that is open."""
        self.crowd.stop_workers()
        leapt = self.board.now()
        self.set_clock(leapt + AFTERWARDS)
        self.downs.append((leapt, self.board.now(), False))
        self.gate.ask(
            "SELECT sendgate.set_status(id, 'connected', 'end') FROM sendgate.linkedin_accounts"
            " WHERE status <> 'connected'"
        )
        self.operator.resolve(self.gate.ask(UNKNOWN))
        self.gate.ask("SELECT sendgate.clear_cooldown('*', 'end')")
        self.gate.ask(
            "SELECT sendgate.clear_cooldown(account_id, 'end') FROM sendgate.open_alerts WHERE kind = 'action_unavailable'"
        )
        self.paced_until = self.board.now()
        end_pace(self.gate, self.world)
        self.drain()
        self.sweep()
        wait_for(lambda: not self.gate.ask("SELECT 1 FROM sendgate.breaker_outbox LIMIT 1"), "the last lines")
        self.crowd.stop_daemon()

    def drain(self) -> None:
        """One more worker, to whom nothing happens, takes whatever is due and can be sent."""
        number = self.world.singles
        self.crowd.incarnations[number] += 1
        worker = Batch(self.world, number, self.crowd.incarnations[number])
        worker.provider.choose = always("delivered")
        idle = 0
        while idle < 5:
            before = worker.operations
            worker.round()
            idle = idle + 1 if worker.operations == before else 0

    def sweep(self) -> None:
        """Both reconcilers once more, to their end, by the daemon: what is amiss is found now or never. Seldom asked: each
        question writes the rows that the jobs hold."""
        since = self.gate.ask("SELECT sendgate.clock()")[0][0]

        def swept() -> bool:
            self.gate.ask(MAKE_DUE + " AND sweep_finished_at <= %s", (since,))
            return self.gate.ask(SWEPT, (since,))[0][0]

        try:
            wait_for(swept, "the last sweeps", seconds=LAST_SWEEPS_SECONDS, pause=DAY_SECONDS)
        except HarnessError as error:
            at_work = "\n".join(" ".join(map(str, row)) for row in self.gate.ask(AT_WORK))
            raise HarnessError(f"{error}\nat work:\n{at_work}") from error
