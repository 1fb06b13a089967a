"""The speeds that the project promises itself, each with its verdict.

A server's processor time judges: PostgreSQL's own for one call or slot, and Redis' own where it is the contender. A rate
also depends on the disk, on the clients, which share the machine's cores, and on what else runs; it stands beside.
"""

import statistics

from . import contenders, outside
from .page import Table

HEAD = ["what", "by processor time", "wanted", "reached", "by the rate"]
SINGLE_OF_BATCHES = "reserve, single calls"
BEST_OF = (
    "reserve",
    "two writes by hand",
    "two round trips",
    "the gate in PL/pgSQL",
    outside.NODE_RESERVE,
    outside.NODE_BY_HAND,
    outside.NODE_CONSUME,
    outside.PYTHON_BUCKET,
    outside.REDIS,
)
# Name, contender, and the least ratio; None: beside the others, nothing is promised.
SINGLE = [(name, against, least) for name, _, against, least in contenders.ROWS] + [
    (outside.NODE_RESERVE, outside.NODE_BY_HAND, 0.90),
    (outside.NODE_RESERVE, outside.NODE_CONSUME, None),
]
BATCHES = [("dispatch(1)", SINGLE_OF_BATCHES, 0.50)]
SLOTS, SLOTS_LEAST = "dispatch(100)", 4.00


def table(found: dict) -> Table:
    """Every promise that these parts tell of."""
    rows = [HEAD]
    if single := found.get("throughput"):
        rows += promised(single, SINGLE)
    if batches := found.get("batches"):
        rows += promised(batches, BATCHES)
    if single and batches:
        rows += slots(single, batches)
    return rows


def promised(part: dict, pairs: list[tuple[str, str, float | None]]) -> Table:
    """Rows of one part; a contender that is missing leaves its row out."""
    rates, cpu = medians(part["rates"]), medians(part["cpu"])
    return [
        row(f"{name} / {against}", cpu[against] / cpu[name], least, rates[name] / rates[against])
        for name, against, least in pairs
        if name in rates and against in rates
    ]


def slots(single: dict, batches: dict) -> Table:
    """Slots of large calls, beside the best that answers one call for one slot: the cheapest, and the fastest."""
    rates, cpu = medians(single["rates"]), medians(single["cpu"])
    offered = [name for name in BEST_OF if name in rates]
    best = dict.fromkeys([min(offered, key=cpu.get), max(offered, key=rates.get)])
    rate, cost = statistics.median(batches["rates"][SLOTS]), statistics.median(batches["cpu"][SLOTS])
    return [row(f"{SLOTS}, slots / {name}", cpu[name] / cost, SLOTS_LEAST, rate / rates[name]) for name in best]


def row(what: str, cpu: float, least: float | None, rate: float, judge: float | None = None) -> list[str]:
    """One promise, judged by the processor time, or by ``judge``."""
    if least is None:
        return [what, f"{cpu:.2f}", "", "", f"{rate:.2f}"]
    reached = round(cpu if judge is None else judge, 2) >= least
    return [what, f"{cpu:.2f}", f"{least:.2f}", "yes" if reached else "no", f"{rate:.2f}"]


def at_most(what: str, value: float, most: float, unit: str = "") -> list[str]:
    """A promise about something that is neither a processor time nor a rate."""
    return [what, "", f"≤ {most:g}{unit}", "yes" if value <= most else "no", f"{value:.2f}{unit}"]


def medians(figures: dict[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in figures.items()}
