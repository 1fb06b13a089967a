"""The plans of layers 1 and 2: what each statement of a batch reads, and how.

auto_explain shows every statement of a whole sweep with the rows and pages that it met. A statement that read one of the
large tables from end to end fails the run, and so does one whose batches read more than their accounts have.
"""

import json
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness import venv
from harness.places import RESULTS
from harness.progress import HarnessError, progress

from .data import ACTIVE
from .report import Table
from .server import Server
from .sweeps import LAYERS

FILE = RESULTS / "sweep-plans.txt"
LARGE = {"accounts", "send_operations", "linkedin_events"}
# The extension's statements name every operator's schema; those of the stopwatch do not.
OURS = "OPERATOR(pg_catalog."
NOTICE = re.compile(r"duration: ([0-9.]+) ms +plan:\n(.*)", re.DOTALL)
SETTINGS = {
    "log_min_duration": "0",
    "log_nested_statements": "on",
    "log_level": "notice",
    "log_format": "json",
    "log_analyze": "on",
    "log_buffers": "on",
    "log_timing": "off",
}
# Operations, events and the row itself that an active account has; what a batch reads of each at most, a statement.
ROWS_AN_ACCOUNT = 1 + 2 * sum(delivered + in_flight for _, _, delivered, in_flight in ACTIVE)
ACCOUNTS_A_BATCH = 1_000


@dataclass
class Statement:
    """Every run of one statement in a sweep."""

    job: str
    text: str
    milliseconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    scans: dict[str, None] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    # The plan of the run that read the most rows.
    plan: dict = field(default_factory=dict)

    def ran(self, milliseconds: float, plan: dict) -> None:
        """One more run."""
        nodes = list(nodes_of(plan))
        rows = sum(rows_of(node) for node in nodes)
        if not self.rows or rows > max(self.rows):
            self.plan = plan
        self.milliseconds.append(milliseconds)
        self.rows.append(rows)
        self.pages.append(plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0))
        self.scans |= dict.fromkeys(scan for node in nodes if (scan := scan_of(node)))
        self.tables |= {node["Relation Name"] for node in nodes if "Relation Name" in node}


def measure(server: Server, active: int) -> tuple[Table, list[str]]:
    """One sweep of each layer, where nothing is wrong."""
    found = [statement for job in LAYERS for statement in swept(server, job)]
    check(found)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("\n\n".join(shown(statement) for statement in found) + "\n")
    progress(f"  the plans of the batches that read most are in {FILE}")
    accounts = server.number("SELECT count(*) FROM sendgate.accounts")
    large = [statement for statement in found if statement.tables & LARGE]
    rows, others = (
        max((max(statement.rows) for statement in some), default=0)
        for some in (large, [statement for statement in found if statement not in large])
    )
    return table(large), [
        f"{active:,} of {accounts:,} accounts are active; a batch looks at {ACCOUNTS_A_BATCH:,} of them. No statement read a "
        f"table of accounts, operations or events from end to end, and none read more than {rows:,} rows",
        f"{len(found) - len(large):,} other statements, about jobs, alerts and the configuration, read {others:,} rows at most",
        "rows are all that a scan met, those too that it passed over; times are with auto_explain at work",
    ]


def swept(server: Server, job: str) -> list[Statement]:
    """The statements of one sweep to its end, in the order in which they first ran."""
    venv.use()
    import psycopg

    progress(f"  plans: {job}")
    statements: dict[str, Statement] = {}

    def hear(notice) -> None:
        if heard := NOTICE.match(notice.message_primary or ""):
            plan = json.loads(heard[2])
            if OURS in (text := plan["Query Text"]):
                statements.setdefault(text, Statement(job, text)).ran(float(heard[1]), plan["Plan"])

    with psycopg.connect(server.cluster.dsn(server.db), autocommit=True) as connection:
        connection.add_notice_handler(hear)
        connection.execute("LOAD 'auto_explain'")
        for name, value in SETTINGS.items():
            connection.execute(f"SET auto_explain.{name} = '{value}'")
        connection.execute(f"CALL bench.sweep('{job}', 'plans')")
    if not statements:
        raise HarnessError(f"auto_explain showed no statement of {job}, which is a bug")
    return list(statements.values())


def check(statements: list[Statement]) -> None:
    """Every statement is bounded by its batch."""
    for statement in statements:
        whole = [scan for scan in statement.scans if scan.startswith("Seq Scan") and scan.split()[-1] in LARGE]
        if whole:
            raise HarnessError(f"{statement.job} reads a table from end to end: {whole}\n{statement.text}")
        if max(statement.rows) > ROWS_AN_ACCOUNT * (ACCOUNTS_A_BATCH + 1):
            raise HarnessError(f"{statement.job} reads {max(statement.rows):,} rows in a batch:\n{statement.text}")


def table(statements: list[Statement]) -> Table:
    """A row a statement."""
    made = Table("a statement of a batch", "runs", "reads by", "rows, most", "pages, most", "median", "worst")
    for statement in statements:
        made.add(
            f"`{statement.job}`: {named(statement.text)}",
            f"{len(statement.rows):,}",
            ", ".join(statement.scans) or "nothing",
            f"{max(statement.rows):,}",
            f"{max(statement.pages):,}",
            f"{statistics.median(statement.milliseconds):.1f} ms",
            f"{max(statement.milliseconds):.1f} ms",
        )
    return made


def named(text: str) -> str:
    """What a statement does, and to which tables."""
    verb = re.search(r"\b(INSERT|UPDATE|DELETE|SELECT)\b", text)[1]
    relations = dict.fromkeys(re.findall(r"(?:FROM|JOIN|INTO|UPDATE) sendgate\.(\w+)", text))
    return f"{verb} {', '.join(f'`{name}`' for name in relations)}"


def nodes_of(plan: dict) -> Iterator[dict]:
    """A plan's nodes."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def rows_of(node: dict) -> int:
    """Rows that a scan of a table met, those too that it passed over."""
    if "Relation Name" not in node or "Scan" not in node["Node Type"]:
        return 0
    met = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return round(sum(node.get(name, 0) for name in met) * node.get("Actual Loops", 0))


def scan_of(node: dict) -> str | None:
    """By which index a scan goes, or that it goes through a whole table."""
    kind = node["Node Type"]
    if "Index Name" in node:
        return f"{kind} {node['Index Name']}"
    return f"{kind} {node['Relation Name']}" if "Scan" in kind and "Relation Name" in node else None


def shown(statement: Statement) -> str:
    """A statement with the plan of the batch that read most, indented as EXPLAIN does."""
    lines = [f"-- {statement.job}, {len(statement.rows)} runs", statement.text, ""]

    def add(node: dict, depth: int) -> None:
        conditions = (f"{name}: {node[name]}" for name in ("Index Cond", "Filter") if name in node)
        what = " · ".join([scan_of(node) or node["Node Type"], *conditions])
        lines.append(f"{'  ' * depth}-> {what}: {node.get('Actual Rows')} rows x {node.get('Actual Loops')}")
        for child in node.get("Plans", ()):
            add(child, depth + 1)

    add(statement.plan, 0)
    return "\n".join(lines)
