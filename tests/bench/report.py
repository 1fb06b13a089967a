"""The report: text for the terminal, Markdown between markers, and charts."""

import statistics
from html import escape

from . import compare, contest, page, results, wanted
from .page import DOCS, PERFORMANCE, Table, markdown, plain
from .wanted import SINGLE_OF_BATCHES, medians

PICTURES = DOCS / "pictures"
# What a reader has to know to judge whether the comparison is fair.
SAME = (
    "The tables of what is done by hand have the gate's columns with their domains, its CHECKs, indexes, fillfactor and "
    "rows, both written anew before the first call, and no triggers: those of the gate's tables are the gate's own "
    "cost. Every contender of PostgreSQL is the same login, with prepared statements. Processor time is that of the "
    "server's processes for one call, Redis' own for Redis."
)


def text(found: dict) -> str:
    """For the terminal."""
    return "\n\n".join([told(found), *(f"{title}\n{plain(rows)}" for title, rows in tables(found))])


def write(found: dict) -> None:
    """Replaces the measured part of the document, and the charts."""
    parts = [told(found)]
    parts += [f"### {title}\n\n{markdown(rows)}" for title, rows in tables(found)]
    PICTURES.mkdir(parents=True, exist_ok=True)
    if "throughput" in found:
        rates = medians(found["throughput"]["rates"])
        singles = {name: rates[name] for name in wanted.BEST_OF if name in rates}
        parts.append(chart("bench-single.svg", "One slot a call: calls a second", singles))
    if "batches" in found:
        slots = medians(found["batches"]["rates"])
        parts.append(chart("bench-batches.svg", "Many slots a call: slots a second", slots))
    page.write(PERFORMANCE, page.MEASURED, "\n\n".join(parts))


def comparison(found: dict) -> str:
    """Two revisions, for the terminal."""
    parts = [compared_facts(found["machine"])]
    return "\n\n".join(parts + [f"{title}\n{plain(rows)}" for title, rows in compare.tables(found)])


def write_comparison(found: dict) -> None:
    """Replaces the compared part of the document."""
    parts = [compared_facts(found["machine"])]
    parts += [f"### {title}\n\n{markdown(rows)}" for title, rows in compare.tables(found)]
    page.write(PERFORMANCE, page.COMPARED, "\n\n".join(parts))


def compared_facts(machine: dict) -> str:
    """Which revisions, on what and with what."""
    return f"Before: {machine['before']}. After: {machine['after']}. Profile {machine['profile']}. {facts(machine)}"


def facts(machine: dict) -> str:
    """On what and with what."""
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, {machine['system']}, "
        f"PostgreSQL {machine['postgresql']}; {machine['clients']} clients, {machine['accounts']:,} accounts, "
        f"{machine['rounds']} rounds of {machine['seconds']:g} s, in {machine['took']}; load of the machine at "
        f"the start {machine['load']}. {machine['settings']}."
    )


def told(found: dict) -> str:
    """On what and with what each part was measured, and what is the same for every contender."""
    taken = {
        part: f"{facts(machine)} Revision {machine['revision']}, profile {machine['profile']}."
        for part, machine in found["machines"].items()
    }
    return f"{results.told(taken)}\n\n{SAME}"


def tables(found: dict) -> list[tuple[str, Table]]:
    """Everything that was measured; the first row of a table is its head."""
    made = []
    if "throughput" in found or "batches" in found:
        made.append(("What is wanted", wanted.table(found)))
    if "throughput" in found:
        made.append(("Contenders", contenders_table(found["throughput"])))
    if "batches" in found:
        made.append(("Batches", batches_table(found["batches"])))
    if "crowds" in found:
        made.append(("Crowds", crowds_table(found["crowds"])))
    if "sessions" in found:
        made += sessions_tables(found["sessions"])
    if "causes" in found:
        made += causes_tables(found["causes"])
    if "memory" in found:
        made.append(("Memory of a backend", memory_table(found["memory"], found["machines"]["memory"]["calls"])))
    if "contest" in found:
        made.append(("Single calls in instructions", contest_table(found["contest"])))
    if "balance" in found:
        made.append(("Known credits", balance_table(found["balance"])))
    return made


def contenders_table(part: dict) -> Table:
    """Rates with their spread, and the processor time of one call."""
    rows = [["contender", "median a second", "min", "max", "server's µs a call"]]
    for name, runs in part["rates"].items():
        rows.append([name, *rate_columns(runs), f"{statistics.median(part['cpu'][name]):.0f}"])
    rows += [[name, "missing", "", "", why] for name, why in part["missing"].items()]
    return rows


def batches_table(part: dict) -> Table:
    """Slots a second and the processor time of one, each beside single calls."""
    rates, cpu = medians(part["rates"]), medians(part["cpu"])
    rows = [["slots a second", "median", "min", "max", "ratio", "server's µs a slot", "ratio of these"]]
    for name, runs in part["rates"].items():
        ratio, of_cpu = rates[name] / rates[SINGLE_OF_BATCHES], cpu[SINGLE_OF_BATCHES] / cpu[name]
        rows.append([name, *rate_columns(runs), f"{ratio:.2f}", f"{cpu[name]:.1f}", f"{of_cpu:.2f}"])
    return rows


def crowds_table(part: dict) -> Table:
    """Calls a second of many clients, and what refusals write."""
    rows = [["64 clients", "median a second", "min", "max", "server's µs a call"]]
    for name, runs in part["rates"].items():
        rows.append([name, *rate_columns(runs), f"{statistics.median(part['cpu'][name]):.0f}"])
    refusals = part["refusals"]
    for what in ("transaction ids", "WAL bytes"):
        rows.append([f"{what} of {refusals['calls']:,} refusals", f"{refusals[what]:,}", "", "", ""])
    return rows


def sessions_tables(part: dict) -> list[tuple[str, Table]]:
    """A session's way to its first answer, and what its settings cost."""
    firsts = [["milliseconds, median", "connection and first answer", "the first call", "a later call"]]
    firsts += [[name, *(f"{time:.2f}" for time in times)] for name, times in part["firsts"].items()]
    settings = [["reserve in a session with", "median a second", "server's µs a call", "ratio of these"]]
    for name, (rate, cpu, beside) in part["settings"].items():
        settings.append([name, f"{rate:,.0f}", f"{cpu:.0f}", f"{part['settings'][beside][1] / cpu:.2f}"])
    return [("First answers", firsts), ("Settings of a session", settings)]


def causes_tables(part: dict) -> list[tuple[str, Table]]:
    """What a call writes and which statements it runs."""
    names = list(part["writes"])
    writes = [["a call", *names]]
    for what in part["writes"][names[0]]:
        writes.append([what, *(f"{part['writes'][name][what]:.2f}" for name in names)])
    runs = [["call", "statements inside"], *([name, count] for name, count in part["statements"].items())]
    return [("Written by a call", writes), ("Statements", runs)]


def memory_table(part: dict, calls: int) -> Table:
    """Anonymous memory after some, half and all of the calls."""
    rows = [[f"KiB of anonymous memory, {calls:,} calls", "after 5 %", "after half", "after all"]]
    return rows + [[name, *(f"{kib:,}" for kib in used)] for name, used in part.items()]


def contest_table(part: dict[str, float]) -> Table:
    """Instructions of each call and of what it is measured against; a ratio is above 1 where the call is cheaper."""
    rows = [["a call / what it is measured against", "instructions", "against", "ratio"]]
    for name, against in [*contest.PAIRS, ("reserve", contest.WITH_TRIGGERS)]:
        ratio = part[against] / part[name]
        rows.append([f"{name} / {against}", f"{part[name]:,.0f}", f"{part[against]:,.0f}", f"{ratio:.2f}"])
    return rows


def balance_table(part: dict[str, float]) -> Table:
    """Instructions of a reserve, beside those on an account without a told balance."""
    usual = next(iter(part.values()))
    rows = [["reserve of an account", "instructions", "ratio"]]
    return rows + [[kind, f"{count:,.0f}", f"{count / usual:.3f}"] for kind, count in part.items()]


def rate_columns(runs: list[float]) -> list[str]:
    """Median, least and most."""
    return [f"{statistics.median(runs):,.0f}", f"{min(runs):,.0f}", f"{max(runs):,.0f}"]


def chart(name: str, title: str, figures: dict[str, float]) -> str:
    """Bars, longest for the most, readable on light and dark pages; how the document shows them."""
    line, left, bar = 26, 290, 330
    height, most = 40 + line * len(figures), max(figures.values())
    shapes = [f'<text x="8" y="22" font-weight="600">{escape(title)}</text>']
    for i, (label, value) in enumerate(figures.items()):
        y, length = 40 + i * line, max(1, bar * value / most)
        ours = label.startswith(("reserve", "dispatch"))
        colour = "#2f6fde" if ours else "#8a94a6"
        shapes.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
        shapes.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="17" rx="2" fill="{colour}"/>')
        shapes.append(f'<text x="{left + length + 6:.0f}" y="{y + 13}">{value:,.0f}</text>')
    body = "\n".join(shapes)
    (PICTURES / name).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#6b7280">\n<title>{escape(title)}</title>\n'
        f"{body}\n</svg>\n"
    )
    return f"![{title}](pictures/{name})"
