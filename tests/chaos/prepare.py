"""What a run begins with: logins, accounts, caps, a guarded table, a clock, and campaign work every day."""

import random
from datetime import UTC, datetime

from .gate import Gate
from .kinds import COUNTED, LEAVING, OBSERVED, PACED, account_of, of_kind
from .world import ACTIONS, DAEMON, SENDER, World

# A Thursday, so that weeks and a month end during the run.
FIRST_DAY = datetime(2027, 3, 25, 10, tzinfo=UTC)
# Of a daily cap; the single workers take what is left.
ENQUEUED_SHARE = 0.9
# Accounts whose work is put in in one transaction: at most 10,000 pieces, as a list may have.
TOGETHER = 20
ROLES = {SENDER: "sendgate_sender", DAEMON: "sendgate_daemon"}
# Least time between two grants of a paced account, in seconds; some more by chance.
GAP_SECONDS = 0.3
JITTER_PERCENT = 50
# InMail credits that people tell, at least and at most.
BALANCE = (5, 30)
# A small campaign has so many messages for each account, and so many of them may go out a day.
FEW, FEW_A_DAY = 3, 2
# Pieces of work of an account that leaves again.
LEAVING_WORK = 8
OUTBOX = f"""
CREATE TABLE public.outbox (n uuid PRIMARY KEY, account text, action text, prospect text, status text NOT NULL DEFAULT 'new',
    operation uuid UNIQUE, why text, chat text, error text, error_type text, http_status int, retry_after interval);
GRANT SELECT, INSERT, UPDATE ON public.outbox TO {SENDER};
CREATE TRIGGER guard BEFORE UPDATE ON public.outbox FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending')
    EXECUTE FUNCTION sendgate.guard_send('account', 'action', 'prospect', '', 'operation', 'reason:why');
CREATE TRIGGER settle AFTER UPDATE ON public.outbox FOR EACH ROW
    EXECUTE FUNCTION sendgate.settle_send('account', 'operation', 'chat', 'error', 'error_type', 'http_status', 'retry_after')"""
TELL = "SELECT sendgate.record_credit_balance(%s, %s, NULL, 'by the provider''s page')"


def logins(gate: Gate) -> None:
    """As an application's DBA makes them."""
    for name, role in ROLES.items():
        if not gate.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)):
            gate.ask(f"CREATE ROLE {name} LOGIN IN ROLE {role}")


def outbox(gate: Gate) -> None:
    """The table of an application, guarded where a worker claims a row."""
    gate.ask("DROP TABLE IF EXISTS public.outbox")
    for statement in OUTBOX.split(";\n"):
        gate.ask(statement)


def accounts(gate: Gate, world: World) -> list[tuple]:
    """All of them with caps of their own: (account, action, daily cap, weekly cap)."""
    rng = random.Random(f"{world.seed} accounts")
    caps = []
    for number in range(world.accounts):
        account = account_of(number)
        gate.ask(
            "SELECT sendgate.upsert_account(%s, 'recruiter', credit_reset_day => %s)", (account, rng.randint(1, 28))
        )
        for action in ACTIONS:
            daily = rng.randint(*world.caps)
            # For some the week ends before its days do.
            weekly = daily * (3 if number % 5 == 0 else 7)
            gate.ask("SELECT sendgate.set_cap(%s, %s, %s, %s)", (account, action, daily, weekly))
            caps.append((account, action, daily, weekly))
    for account in of_kind(PACED, world.accounts):
        gap = f"{GAP_SECONDS} seconds"
        gate.ask("SELECT sendgate.set_pace(%s, %s::interval, %s)", (account, gap, JITTER_PERCENT))
    for account in of_kind(OBSERVED, world.accounts):
        gate.ask("SELECT sendgate.set_enforcement(%s, 'observe', 'beside the old limits')", (account,))
    for account in of_kind(COUNTED, world.accounts):
        gate.ask(TELL, (account, rng.randint(*BALANCE)))
    # Installed when the run begins, or every job would be late from the first.
    gate.ask("UPDATE sendgate.jobs SET since = sendgate.clock()")
    return caps


def end_pace(gate: Gate, world: World) -> None:
    """From now on every account sends as fast as it can."""
    for account in of_kind(PACED, world.accounts):
        gate.ask("SELECT sendgate.set_pace(%s, note => 'end')", (account,))


class Planner:
    """Puts in campaign work; what it noted the gate has acknowledged."""

    ENQUEUE = """SELECT count(sendgate.enqueue(%s, %s || '-' || n, account, action))
        FROM unnest(%s::text[], %s::text[], %s::int[]) AS w (account, action, most), generate_series(1, most) n"""
    # The same as one list, with what a message may carry, and some of it more urgent.
    ENQUEUE_MANY = """SELECT count(*) FROM (
            SELECT array_agg(%s::text) AS campaigns, array_agg(%s || '-' || n) AS prospects, array_agg(account) AS accounts,
                   array_agg(action) AS actions, array_agg(jsonb_build_object('n', n)) AS payloads, array_agg(n %% 3) AS priorities
            FROM unnest(%s::text[], %s::text[], %s::int[]) AS w (account, action, most), generate_series(1, most) n) l,
        LATERAL sendgate.enqueue_many(campaigns, prospects, accounts, actions, payloads => payloads,
            priorities => priorities) m WHERE m.result NOT IN ('new', 'exists', 'suppressed')"""
    # A small campaign beside the large one: a few messages, and a sequence whose second step is due tomorrow.
    ENQUEUE_FEW = f"""SELECT count(*) FROM (
            SELECT array_agg(%s::text) AS campaigns, array_agg(%s || '-' || n) AS prospects, array_agg(account) AS accounts,
                   array_agg(action) AS actions, array_agg(step) AS steps, array_agg(due) AS dues,
                   array_agg(jsonb_build_object('n', n)) AS payloads, array_agg(2) AS priorities
            FROM unnest(%s::text[]) account,
                 (SELECT 'message', n, 1, NULL::timestamptz FROM generate_series(1, {FEW}) n
                  UNION ALL VALUES ('engagement', 1, 1, NULL), ('engagement', 1, 2, %s::timestamptz)) w (action, n, step, due)) l,
        LATERAL sendgate.enqueue_many(campaigns, prospects, accounts, actions, dispatch_ats => dues, steps => steps,
            payloads => payloads, priorities => priorities) m WHERE m.result NOT IN ('new', 'exists', 'suppressed')"""
    LIMIT = "SELECT sendgate.set_campaign(%s, message_limit => %s, note => 'a few a day')"

    def __init__(self, gate: Gate, caps: list[tuple]):
        self.gate = gate
        self.caps = caps
        self.days = 0
        # (account, action, campaign, how many prospects)
        self.enqueued: list[tuple] = []
        # The small campaigns: (accounts, campaign, prospects, when the second step is due)
        self.few: list[tuple] = []
        # Accounts that are there for a while.
        self.leaving: list[str] = []

    def plan_day(self, midnight: datetime | None = None) -> None:
        """As much as can be sent in a day, and another campaign for the same prospects on each second day. With the
        ``midnight`` at which the day ends, a small campaign as well, and an account that leaves."""
        self.days += 1
        campaign = f"day {self.days}"
        prospects = f"d{self.days // 2 * 2}"
        size = TOGETHER * len(ACTIONS)
        if midnight is not None:
            self.plan_few(midnight)
            self.plan_leaving()
        for start in range(0, len(self.caps), size):
            part = [
                (account, action, round(daily * ENQUEUED_SHARE))
                for account, action, daily, _ in self.caps[start : start + size]
            ]
            values = (campaign, prospects, *map(list, zip(*part, strict=True)))
            if (self.days + start // size) % 2:
                self.put(self.ENQUEUE_MANY, values)
            else:
                self.gate.ask(self.ENQUEUE, values)
            self.enqueued += [(account, action, campaign, prospects, most) for account, action, most in part]

    def plan_few(self, midnight: datetime) -> None:
        """A small campaign with a limit, for all accounts."""
        campaign, prospects = f"few {self.days}", f"f{self.days}"
        accounts = sorted({account for account, *_ in self.caps})
        self.gate.ask(self.LIMIT, (campaign, FEW_A_DAY))
        self.put(self.ENQUEUE_FEW, (campaign, prospects, accounts, midnight))
        self.few.append((accounts, campaign, prospects, midnight))

    def plan_leaving(self) -> None:
        """An account with some work; people remove it later."""
        account = f"{LEAVING}{self.days}"
        self.gate.ask("SELECT sendgate.upsert_account(%s, 'recruiter')", (account,))
        values = (f"day {self.days}", account, [account], ["message"], [LEAVING_WORK])
        self.put(self.ENQUEUE_MANY, values)
        self.enqueued.append((account, "message", f"day {self.days}", account, LEAVING_WORK))
        self.leaving.append(account)

    def put(self, sql: str, values: tuple) -> None:
        """A list of work; all of it has to go in."""
        [(refused,)] = self.gate.ask(sql, values)
        if refused:
            raise AssertionError(f"{refused} pieces of a list were refused")

    def pieces(self):
        """All that was put in: account, action, campaign, prospect, step, and when it is due; None: at once."""
        for account, action, campaign, prospects, most in self.enqueued:
            for number in range(1, most + 1):
                yield account, action, campaign, f"{prospects}-{number}", 1, None
        for accounts, campaign, prospects, midnight in self.few:
            for account in accounts:
                for number in range(1, FEW + 1):
                    yield account, "message", campaign, f"{prospects}-{number}", 1, None
                yield account, "engagement", campaign, f"{prospects}-1", 1, None
                yield account, "engagement", campaign, f"{prospects}-1", 2, midnight
