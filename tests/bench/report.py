"""The report: text for the terminal, Markdown between markers, and charts."""

import statistics
from html import escape

from harness.places import REPO

from . import compare, contenders, outside

DOCUMENT = REPO / "docs" / "performance.md"
PICTURES = REPO / "docs" / "pictures"
BEGIN = "<!-- measured: written by make bench, do not edit -->"
END = "<!-- end of measured -->"
COMPARED_BEGIN = "<!-- compared: written by make bench AGAINST=COMMIT, do not edit -->"
COMPARED_END = "<!-- end of compared -->"
BEST_OF = (
    "reserve",
    "two writes by hand",
    "two round trips",
    "the gate in PL/pgSQL",
    outside.NODE_RESERVE,
    outside.NODE_CONSUME,
    outside.PYTHON_BUCKET,
    outside.REDIS,
)

Table = list[list[str]]


def text(found: dict) -> str:
    """For the terminal."""
    return "\n\n".join(f"{title}\n{plain(rows)}" for title, rows in tables(found))


def write(found: dict) -> None:
    """Replaces the measured part of the document, and the charts."""
    document = DOCUMENT.read_text()
    parts = [facts(found["machine"])]
    parts += [f"### {title}\n\n{markdown(rows)}" for title, rows in tables(found)]
    PICTURES.mkdir(parents=True, exist_ok=True)
    if "throughput" in found:
        rates = medians(found["throughput"]["rates"])
        singles = {name: rates[name] for name in BEST_OF if name in rates}
        parts.append(chart("bench-single.svg", "One slot a call: calls a second", singles))
    if "batches" in found:
        slots = medians(found["batches"])
        parts.append(chart("bench-batches.svg", "Many slots a call: slots a second", slots))
    DOCUMENT.write_text(replaced(document, BEGIN, END, "\n\n".join(parts)))


def comparison(found: dict) -> str:
    """Two revisions, for the terminal."""
    parts = [compared_facts(found["machine"])]
    return "\n\n".join(parts + [f"{title}\n{plain(rows)}" for title, rows in compare.tables(found)])


def write_comparison(found: dict) -> None:
    """Replaces the compared part of the document."""
    parts = [compared_facts(found["machine"])]
    parts += [f"### {title}\n\n{markdown(rows)}" for title, rows in compare.tables(found)]
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(), COMPARED_BEGIN, COMPARED_END, "\n\n".join(parts)))


def replaced(document: str, begin: str, end: str, text: str) -> str:
    """A document with another text between two markers."""
    before, _, rest = document.partition(begin)
    after = rest.partition(end)[2]
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


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


def medians(figures: dict[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in figures.items()}


def tables(found: dict) -> list[tuple[str, Table]]:
    """Everything that was measured; the first row of a table is its head."""
    made = []
    if "throughput" in found:
        made.append(("What is wanted", wanted(found)))
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
        made.append(("Memory of a backend", memory_table(found["memory"], found["machine"]["calls"])))
    if "balance" in found:
        made.append(("Known credits", balance_table(found["balance"])))
    return made


def wanted(found: dict) -> Table:
    """The speeds that the project promises itself, measured and wanted."""
    rates = medians(found["throughput"]["rates"])
    cpu = medians(found["throughput"]["cpu"])
    rows = [["what", "by the server's processor time", "wanted", "by the rate"]]
    for name, _, against, least in contenders.ROWS:
        ratio, of_cpu = rates[name] / rates[against], cpu[against] / cpu[name]
        rows.append([f"{name} / {against}", f"{of_cpu:.2f}", f"{least:.2f}", f"{ratio:.2f}"])
    if outside.NODE_RESERVE in rates:
        ratio = rates[outside.NODE_RESERVE] / rates[outside.NODE_CONSUME]
        rows.append([f"{outside.NODE_RESERVE} / rate-limiter-flexible", "", "0.90", f"{ratio:.2f}"])
    if "batches" in found:
        slots = medians(found["batches"])["dispatch(100)"]
        best = max((name for name in BEST_OF if name in rates), key=rates.get)
        rows.append([f"dispatch(100), slots / {best}", "", "4.00", f"{slots / rates[best]:.2f}"])
    return rows


def contenders_table(part: dict) -> Table:
    """Rates with their spread, and the processor time of one call."""
    rows = [["contender", "median a second", "min", "max", "server's µs a call"]]
    for name, runs in part["rates"].items():
        cpu = part["cpu"].get(name)
        rows.append([name, *rate_columns(runs), f"{statistics.median(cpu):.0f}" if cpu else ""])
    rows += [[name, "missing", "", "", why] for name, why in part["missing"].items()]
    return rows


def batches_table(part: dict) -> Table:
    """Slots a second, and how many times single calls that is."""
    single = statistics.median(part["reserve, single calls"])
    rows = [["slots a second", "median", "min", "max", "ratio"]]
    for name, runs in part.items():
        rows.append([name, *rate_columns(runs), f"{statistics.median(runs) / single:.2f}"])
    return rows


def crowds_table(part: dict) -> Table:
    """Calls a second of many clients, and what refusals write."""
    rows = [["64 clients", "median a second", "min", "max"]]
    rows += [[name, *rate_columns(runs)] for name, runs in part["rates"].items()]
    refusals = part["refusals"]
    rows.append([f"transaction ids of {refusals['calls']:,} refusals", f"{refusals['transaction ids']:,}", "", ""])
    rows.append([f"WAL bytes of {refusals['calls']:,} refusals", f"{refusals['WAL bytes']:,}", "", ""])
    return rows


def sessions_tables(part: dict) -> list[tuple[str, Table]]:
    """A session's way to its first answer, and what its settings cost."""
    firsts = [["milliseconds, median", "connection and first answer", "the first call", "a later call"]]
    firsts += [[name, *(f"{time:.2f}" for time in times)] for name, times in part["firsts"].items()]
    usual = next(iter(part["settings"].values()))
    settings = [["reserve in a session with", "median a second", "server's µs a call", "ratio of these"]]
    for name, (rate, cpu) in part["settings"].items():
        settings.append([name, f"{rate:,.0f}", f"{cpu:.0f}", f"{usual[1] / cpu:.2f}"])
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


def balance_table(part: dict[str, float]) -> Table:
    """Instructions of a reserve, beside those on an account without a told balance."""
    usual = next(iter(part.values()))
    rows = [["reserve of an account", "instructions", "ratio"]]
    return rows + [[kind, f"{count:,.0f}", f"{count / usual:.3f}"] for kind, count in part.items()]


def rate_columns(runs: list[float]) -> list[str]:
    """Median, least and most."""
    return [f"{statistics.median(runs):,.0f}", f"{min(runs):,.0f}", f"{max(runs):,.0f}"]


def plain(rows: Table) -> str:
    """Columns in line."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Table) -> str:
    """A Markdown table with figures to the right."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = f"| --- |{' ---: |' * (len(rows[0]) - 1)}"
    return "\n".join([head, rule, *body])


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
