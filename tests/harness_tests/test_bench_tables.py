"""The tables of the benchmarks, from numbers, and their command lines: no server is measured."""

import re
import subprocess

import pytest

from bench import (
    bloat,
    contenders,
    contest,
    lists,
    outside,
    page,
    processor,
    proxy,
    report,
    results,
    turns,
    wanted,
    written,
)
from bench.batches import Figure
from bench.books import plans
from bench.books.report import Table
from bench.server import Cost
from harness.places import REPO
from harness.progress import HarnessError

SINGLE = {
    "rates": {"reserve": [90, 100, 80], "two writes by hand": [100, 100, 100], outside.REDIS: [300, 300, 300]},
    "cpu": {"reserve": [100, 120, 110], "two writes by hand": [99, 98, 97], outside.REDIS: [40, 40, 40]},
    "missing": {},
}
BATCHES = {
    "rates": {wanted.SINGLE_OF_BATCHES: [100], "dispatch(1)": [49], "dispatch(100)": [900]},
    "cpu": {wanted.SINGLE_OF_BATCHES: [100], "dispatch(1)": [190], "dispatch(100)": [11]},
}


@pytest.fixture
def complete(monkeypatch):
    """Promises about these contenders only: the others were not measured."""
    monkeypatch.setattr(wanted, "SINGLE", [("reserve", "two writes by hand", 0.90)])


def test_processor_time_judges_and_the_rate_stands_beside(complete):
    rows = wanted.table({"throughput": SINGLE, "batches": BATCHES})
    assert rows == [
        wanted.HEAD,
        # By the rate it would do: 90 of 100. By processor time it does not: 98 of 110.
        ["reserve / two writes by hand", "0.89", "0.90", "no", "0.90"],
        ["dispatch(1) / reserve, single calls", "0.53", "0.50", "yes", "0.49"],
        [f"dispatch(100), slots / {outside.REDIS}", "3.64", "4.00", "no", "3.00"],
    ]


def test_large_calls_stand_beside_the_cheapest_and_the_fastest_of_the_others(complete):
    single = SINGLE | {"cpu": SINGLE["cpu"] | {"two writes by hand": [30]}}
    rows = wanted.slots(single, BATCHES)
    assert [row[0] for row in rows] == [
        f"dispatch(100), slots / {name}" for name in ("two writes by hand", outside.REDIS)
    ]


def test_a_contender_that_is_missing_leaves_its_row_out():
    assert wanted.promised(SINGLE, [("reserve", "somewhere else", 0.9)]) == []


def test_every_row_of_the_contract_is_promised():
    promised = {(name, against): least for name, against, least in [*wanted.SINGLE, *wanted.BATCHES]}
    assert promised["reserve", "two writes by hand"] == 0.90
    assert promised["reserve + confirm", "four writes by hand"] == 0.90
    assert promised["preview", "primary-key SELECT"] == promised["breaker_check, closed", "primary-key SELECT"] == 0.75
    assert promised[outside.NODE_RESERVE, outside.NODE_BY_HAND] == 0.90
    assert promised[outside.NODE_RESERVE, outside.NODE_CONSUME] is None, "it stands beside"
    assert promised["dispatch(1)", wanted.SINGLE_OF_BATCHES] == 0.50


def test_what_is_no_processor_time_is_judged_as_it_is():
    assert wanted.at_most("p99.9", 2.9, 3)[3:] == ["yes", "2.90"]
    assert wanted.at_most("memory", 31, 30, " MiB")[2:] == ["≤ 30 MiB", "no", "31.00 MiB"]
    assert wanted.row("beside", 0.95, 0.80, 0.79, judge=0.79) == ["beside", "0.95", "0.80", "no", "0.79"]


def test_the_calls_by_hand_are_the_same_from_pgbench_and_from_node():
    by_hand = outside.NODE_SQL[outside.NODE_BY_HAND]
    assert "$1" in by_hand and "$2" in by_hand
    of_pgbench = contenders.BY_HAND.replace("'account-' || :account", "$1").replace(
        "'prospect-' || :prospect", "$2::text"
    )
    assert of_pgbench.removeprefix(contenders.ARGUMENTS) == by_hand


def test_a_contenders_last_line_is_its_rate_and_all_its_calls():
    assert outside.counted("warned\n4000 9000\n", 0.9) == Cost(9000, 4000.0, pytest.approx(100))


def test_processor_time_is_that_of_the_children_that_the_work_began():
    """A parent that begins children as a server begins backends: one stays, one has ended before, one does the work."""
    burn = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: pass"
    parent = subprocess.Popen(
        ["python3", "-c", PARENT, burn.format(0.3), burn.format(0.2)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        parent.stdout.readline()

        def work() -> str:
            parent.stdin.write("now\n")
            parent.stdin.flush()
            return parent.stdout.readline()

        said, seconds = processor.spent(parent.pid, work)
        assert said == "begun\n"
        assert 0.15 < seconds < 0.45, f"{seconds} s: the work's child had not ended, or another's time was counted"
    finally:
        parent.kill()
        parent.communicate()


PARENT = """
import subprocess, sys
first = subprocess.Popen(["python3", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
ended = subprocess.Popen(["python3", "-c", sys.argv[1]])
ended.wait()
print("ready", flush=True)
sys.stdin.readline()
work = subprocess.Popen(["python3", "-c", sys.argv[2]])
print("begun", flush=True)
work.wait()
sys.stdin.readline()
"""


def test_a_report_has_every_part_that_was_measured():
    machine = {"cores": 2, "processor": "p", "memory": "m", "system": "s", "postgresql": "18", "clients": 8,
               "accounts": 1000, "rounds": 1, "seconds": 1.0, "took": "1 s", "load": "0", "settings": "none",
               "revision": "abc (x)", "profile": "release", "calls": 1000}  # fmt: skip
    counted = {name: 100.0 for pair in contest.PAIRS for name in pair} | {contest.WITH_TRIGGERS: 110.0}
    found = {
        "machines": {"batches": machine, "contest": machine | {"took": "2 s"}},
        "batches": BATCHES,
        "contest": counted,
    }
    told = report.text(found)
    assert "- batches: 2 cores" in told and "- contest: 2 cores" in told, "each part says how it was measured"
    assert re.search(r"reserve / two writes by hand, with the triggers +100 +110 +1\.10", told), told
    assert "no triggers" in told, "the reader is told what the contenders have"


def test_a_setting_that_is_changed_each_time_stands_beside_another_that_is():
    settings = {"usual": (10.0, 100.0, "usual"), "other": (8.0, 150.0, "other"), "path": (7.0, 300.0, "other")}
    _, (title, rows) = report.sessions_tables({"firsts": {"preview": (2.0, 1.0, 0.1)}, "settings": settings})
    assert title == "Settings of a session"
    assert [row[3] for row in rows[1:]] == ["1.00", "1.00", "0.50"]


def test_parts_stay_until_something_that_they_depend_on_changes(tmp_path):
    machine = dict.fromkeys(results.SAME, "same")
    file = tmp_path / "results" / "bench.json"
    assert results.kept(machine, file) == {"machines": {}}, "nothing is there yet"
    results.keep({"machines": {"crowds": machine, "lost": machine}, "crowds": {"rates": {}}, "batches": {}}, file)
    assert results.kept(machine, file) == {"machines": {"crowds": machine}, "crowds": {"rates": {}}}
    for name in results.SAME:
        assert results.kept(machine | {name: "other"}, file) == {"machines": {}}, f"{name} has changed"
    file.write_text("{")
    assert results.kept(machine, file) == {"machines": {}}, "half a file"


def test_what_is_the_same_for_all_parts_is_said_once():
    assert results.told({"growth": "2 cores.", "beside": "2 cores."}) == "2 cores."
    assert results.told({"growth": "2.", "beside": "4.", "plans": "2."}) == "- growth, plans: 2.\n- beside: 4."


def test_dispatch_is_flat_or_not_at_a_glance():
    taken = dict.fromkeys(turns.rows(turns.FULL), 10.0) | {(1, False, 1_000): 25.0, (1, True, 1): 11.0}
    rows = turns.table("µs", taken, 1)
    assert rows[0] == ["µs", "1 campaign", "10 campaigns", "1,000 campaigns", "1,000 / 1", "limits / none"]
    assert rows[1] == ["dispatch(1), no limits", "10.0", "10.0", "25.0", "2.50", ""]
    assert rows[5] == ["dispatch(1), limits", "11.0", "10.0", "10.0", "0.91", "1.10"]
    assert len(rows) == 1 + 2 * len(turns.SIZES)
    figures = {row: [Figure(1, value)] for row, value in taken.items()}
    assert turns.tables(figures)[0][1][1:] == rows[1:], "processor time comes first"


def test_lists_stand_beside_single_calls():
    taken = {lists.SINGLE: [Cost(1, 100, 500)], lists.listed(max(lists.SIZES)): [Cost(1, 620, 100)]}
    assert lists.enqueue_table(taken)[2][4:] == ["6.2", "5.0", "100.0", "5.0"]


def test_a_call_after_a_reserve_is_told_without_it():
    found = written.alone({"reserve": (100.0, 6.0), "confirm": (250.0, 9.0), "enqueue": (80.0, 4.0)})
    assert found == {"reserve": (100.0, 6.0), "confirm": (150.0, 3.0), "enqueue": (80.0, 4.0)}
    rows = written.wal_table(
        {"before": found, "after": found | {"confirm": (300.0, 4.0)}}, {"before": "a", "after": "b"}
    )
    assert rows[2] == ["confirm", "150", "300", "2.000", "3.00", "4.00"]
    widths = written.width_table({"before": {"x": 146.0}, "after": {"x": 175.2}}, {"before": "a", "after": "b"})
    assert widths[1] == ["x", "146", "175", "+29"]


def test_a_sweeps_statements_are_bounded():
    scan = {"Node Type": "Index Scan", "Relation Name": "accounts", "Index Name": "accounts_day_idx", "Actual Rows": 10,
            "Actual Loops": 3, "Rows Removed by Filter": 2}  # fmt: skip
    statement = plans.Statement("audit_events", "SELECT 1 FROM sendgate.accounts a JOIN sendgate.linkedin_events v")
    statement.ran(2.0, {"Node Type": "Limit", "Shared Hit Blocks": 7, "Plans": [scan]})
    assert (statement.rows, statement.pages) == ([36], [7]), "rows that were passed over count"
    plans.check([statement])
    assert "`audit_events`: SELECT `accounts`, `linkedin_events` | 1 | Index Scan accounts_day_idx | 36 | 7" in str(
        plans.table([statement])
    )
    assert "accounts_day_idx: 10 rows x 3" in plans.shown(statement)
    statement.ran(2.0, scan | {"Actual Rows": 100_000})
    with pytest.raises(HarnessError, match="reads 300,006 rows in a batch"):
        plans.check([statement])
    whole = plans.Statement("audit_events", "SELECT 1 FROM sendgate.accounts a")
    whole.ran(1.0, {"Node Type": "Seq Scan", "Relation Name": "accounts", "Actual Rows": 1, "Actual Loops": 1})
    with pytest.raises(HarnessError, match="from end to end"):
        plans.check([whole])


def test_a_small_run_of_bloat_writes_no_page():
    assert bloat.arguments([]).write and not bloat.arguments(["--quick"]).write
    assert not bloat.arguments(["--minutes", "1"]).write and bloat.arguments(["--quick", "--write"]).write
    with pytest.raises(SystemExit):
        bloat.arguments(["--minutes", "0.1"])


def test_parts_of_lists_are_not_written_alone():
    assert lists.arguments([]).only == ["enqueue", "dispatch"]
    assert lists.arguments(["--count"]).accounts == turns.COUNTED.accounts
    with pytest.raises(SystemExit):
        lists.arguments(["--only", "enqueue", "--write"])


@pytest.mark.parametrize(
    "markers", ["MEASURED", "COMPARED", "LISTS", "COUNTED", "WRITTEN", "PROXY", "AT_SIZE", "BOOKS", "BLOAT"]
)
def test_every_figure_has_its_place(markers):
    on = page.OPERATIONS if markers in ("BOOKS", "BLOAT") else page.PERFORMANCE
    assert page.replaced(on.read_text(), getattr(page, markers), "figures"), f"{on.relative_to(REPO)} has a place"


def test_a_table_of_the_books_is_markdown():
    table = Table("a", "b")
    table.add("x", "1")
    assert str(table) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_a_proxy_is_judged_by_the_processor_time_of_both_servers():
    found = {(proxy.RESERVE, 8, proxy.UNPREPARED): [proxy.Cost(8_000, 120, 0)]}
    for call in proxy.SLOTS:
        for clients in proxy.CLIENTS:
            found[call, clients, proxy.DIRECTLY] = [proxy.Cost(9_000, 100, 0)]
            # The middle one of three runs.
            found[call, clients, proxy.THROUGH] = [proxy.Cost(rate, 125, 40) for rate in (1, 4_500, 9_000)]
    # At the proxy's rate, so that rates say nothing.
    found[proxy.RESERVE, 8, proxy.SPREAD] = [proxy.Cost(4_400, 132, 0)]
    rows = proxy.beside(found)
    assert rows[1] == ["reserve, 8 clients, not prepared", "0.73", "", "", "0.56", "8,000", "4,500"]
    assert rows[2] == ["reserve, 8 clients", "0.61", "0.60", "yes", "0.50", "9,000", "4,500"]
    assert [row[0] for row in rows[3:6]] == ["reserve, 1 client", "dispatch(100), 8 clients", "dispatch(100), 1 client"]
    assert rows[6] == ["reserve, 8 clients, a session on each partition", "0.80", "0.60", "yes", "", "", "4,500"]
    assert proxy.apart(found)[1:] == [
        ["reserve, 8", "100", "120", "132", "125", "40"],
        ["reserve, 1", "100", "", "", "125", "40"],
        ["dispatch(100), 8", "100", "", "", "125", "40"],
        ["dispatch(100), 1", "100", "", "", "125", "40"],
    ]
    # A server of two cores, used to the half: a second of processor time each second, which is 8,000 calls of 125 µs.
    on_paper = proxy.on_paper(found)
    assert on_paper[1] == ["1", "8,000", "0.6", "800,000", "0.6"]
    assert on_paper[-1] == ["64", "512,000", "41.0", "51,200,000", "41.0"]
