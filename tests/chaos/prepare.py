"""What a run begins with: logins, accounts, caps, a clock, and campaign work every day."""

import random
from datetime import UTC, datetime

from .gate import Gate
from .worker import account_of
from .world import ACTIONS, DAEMON, SENDER, World

# A Thursday, so that weeks and a month end during the run.
FIRST_DAY = datetime(2027, 3, 25, 10, tzinfo=UTC)
# Of a daily cap; the single workers take what is left.
ENQUEUED_SHARE = 0.9
# Accounts whose work is put in in one transaction: at most 10,000 pieces, as a list may have.
TOGETHER = 20
ROLES = {SENDER: "sendgate_sender", DAEMON: "sendgate_daemon"}


def logins(gate: Gate) -> None:
    """As an application's DBA makes them."""
    for name, role in ROLES.items():
        if not gate.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)):
            gate.ask(f"CREATE ROLE {name} LOGIN IN ROLE {role}")


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
    # Installed when the run begins, or every job would be late from the first.
    gate.ask("UPDATE sendgate.jobs SET since = sendgate.clock()")
    return caps


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

    def __init__(self, gate: Gate, caps: list[tuple]):
        self.gate = gate
        self.caps = caps
        self.days = 0
        # (account, action, campaign, how many prospects)
        self.enqueued: list[tuple] = []

    def plan_day(self) -> None:
        """As much as can be sent in a day, and another campaign for the same prospects on each second day."""
        self.days += 1
        campaign = f"day {self.days}"
        prospects = f"d{self.days // 2 * 2}"
        size = TOGETHER * len(ACTIONS)
        for start in range(0, len(self.caps), size):
            part = [
                (account, action, round(daily * ENQUEUED_SHARE))
                for account, action, daily, _ in self.caps[start : start + size]
            ]
            values = (campaign, prospects, *map(list, zip(*part, strict=True)))
            if (self.days + start // size) % 2:
                [(refused,)] = self.gate.ask(self.ENQUEUE_MANY, values)
                if refused:
                    raise AssertionError(f"{refused} pieces of a list were refused")
            else:
                self.gate.ask(self.ENQUEUE, values)
            self.enqueued += [(account, action, campaign, prospects, most) for account, action, most in part]
