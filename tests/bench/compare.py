"""``make bench AGAINST=COMMIT``: two revisions, each in a cluster of its own, measured in turn.

Each row of the report is a call that both revisions have. In each round both run it directly one after the
other, and every other time the later one comes first (A B, B A, …), so a machine that becomes slower or faster
meanwhile does so for both. A round gives one ratio; the report has their median, and the least and the most.
"""

import statistics
from collections.abc import Callable, Sequence

from harness.progress import progress

from . import batches, contenders, instructions
from .batches import Figure
from .server import Server

SIDES = ("before", "after")

# Calls as both revisions have them. Since 0.3.0 a row counts the six days before its own as well; filled in, as
# it is from an account's second day on. The calls by hand are not compared: they are the same text for both.
SETUP = """
CREATE EXTENSION sendgate;
SELECT count(sendgate.upsert_account('account-' || n, 'sales_navigator'))
FROM generate_series(1, {accounts}) n;
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'sendgate.accounts'::regclass AND attname = 'sent_before') THEN
        EXECUTE $fill$UPDATE sendgate.accounts SET sent_before = decode(repeat('00', 30), 'hex')$fill$;
    END IF;
END $$;
CREATE ROLE app LOGIN;
GRANT sendgate_sender TO app;
GRANT USAGE ON SCHEMA sendgate TO app;
"""


# A row of the report: its figures by round, for each side.
Rounds = dict[str, list[Figure]]


def turns(rounds: int, rows: Sequence[str]) -> list[tuple[int, str, tuple[str, str]]]:
    """Every run in its order: the round, the row, and which side is first."""
    return [
        (number, row, SIDES if (number + place) % 2 else SIDES[::-1])
        for number in range(1, rounds + 1)
        for place, row in enumerate(rows)
    ]


def throughput(servers: dict[str, Server], options) -> dict[str, Rounds]:
    """Calls of one slot, or of none."""
    rows = {name: script for name, script, _, _ in contenders.ROWS}
    for side, server in servers.items():
        for name, script in rows.items():
            progress(f"  warming up: {name}, {side}")
            server.run(script, 1)
    return _in_turn(servers, rows, options.rounds, lambda *run: _single(*run, options.seconds))


def of_batches(servers: dict[str, Server], options) -> dict[str, Rounds]:
    """Calls of many slots, which are what is counted."""
    accounts, seconds = min(options.accounts, batches.ACCOUNTS_MAX), min(options.seconds, 3)
    rows, rounds = batches.scripts(), min(options.rounds, 4)
    return _in_turn(servers, rows, rounds, lambda *run: batches.run(*run, accounts, seconds))


def _in_turn(servers: dict[str, Server], rows: dict[str, str], rounds: int, run: Callable) -> dict[str, Rounds]:
    """Runs every row of every round on both sides."""
    found: dict[str, Rounds] = {name: {side: [] for side in SIDES} for name in rows}
    for number, name, order in turns(rounds, list(rows)):
        for side in order:
            progress(f"  round {number} of {rounds}: {name}, {side}")
            found[name][side].append(run(servers[side], rows[name]))
    return found


def _single(server: Server, script: str, seconds: float) -> Figure:
    """A call of one slot."""
    server.psql("CHECKPOINT")
    cost = server.run(script, seconds)
    return Figure(cost.rate, cost.cpu)


def of_instructions(servers: dict[str, Server], options) -> dict[str, dict[str, float]]:
    """Instructions for one call or slot on each side. The servers are stopped for it."""
    found: dict[str, dict[str, float]] = {}
    for side, server in servers.items():
        server.cluster.stop()
        for name in instructions.PREPARE:
            progress(f"  instructions: {name}, {side}")
            found.setdefault(name, {})[side] = instructions.per_call(server.cluster, name)
        for name, script in batches.scripts().items():
            progress(f"  instructions: {name}, {side}")
            size = batches.size_of(name)
            found.setdefault(name, {})[side] = instructions.per_slot(server.cluster, script, size)
    return found


# The parts of a comparison; the last one stops the servers.
MEASURE = {"throughput": throughput, "batches": of_batches, "instructions": of_instructions}


def ratios(rounds: Rounds, what: str) -> list[float]:
    """After over before, round by round."""
    pairs = zip(rounds["before"], rounds["after"], strict=True)
    return [getattr(after, what) / getattr(before, what) for before, after in pairs]


def tables(found: dict) -> list[tuple[str, list[list[str]]]]:
    """The report's tables by title; the first row of a table is its head."""
    measured = found.get("throughput", {}) | found.get("batches", {})
    made = []
    if measured:
        made.append(("Calls, or slots, a second", [HEAD, *(_row(name, measured[name], "rate") for name in measured)]))
        made.append(("Server's processor time, µs", [HEAD, *(_row(name, measured[name], "cpu") for name in measured)]))
    if counted := found.get("instructions"):
        made.append(("Server's instructions", [HEAD[:-2], *(_counted(name, counted[name]) for name in counted)]))
    return made


HEAD = ["a call, or a slot of a batch", "before", "after", "after / before", "least", "most"]


def _row(name: str, rounds: Rounds, what: str) -> list[str]:
    """The medians of both sides; of the rounds' ratios the median, the least and the most."""
    medians = [statistics.median(getattr(figure, what) for figure in rounds[side]) for side in SIDES]
    of_rounds = ratios(rounds, what)
    shown = (statistics.median(of_rounds), min(of_rounds), max(of_rounds))
    return [name, *(f"{median:,.0f}" for median in medians), *(f"{ratio:.3f}" for ratio in shown)]


def _counted(name: str, sides: dict[str, float]) -> list[str]:
    """Instructions of both sides, and their ratio; they have no spread."""
    return [name, *(f"{sides[side]:,.0f}" for side in SIDES), f"{sides['after'] / sides['before']:.3f}"]
