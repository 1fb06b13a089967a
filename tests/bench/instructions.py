"""Instructions of the server for one call, counted by valgrind: other work on the machine does not change them.

A backend of its own (``postgres --single``) runs a call N times under cachegrind, then another one 2 N times;
the difference, divided by N, is a call without the start and the end of a backend.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence

from harness.cluster import Cluster
from harness.progress import HarnessError

from . import batches, contenders

ACCOUNTS = 2_000  # to spread calls over, and with ten pieces of work each for `dispatch`
SLOTS = 6_000  # of the longest run of `dispatch`; half of them of the shorter run
CALLS_MAX = 500

PREPARE = {
    "reserve": "SELECT * FROM sendgate.reserve($1, 'inmail', $2)",
    "reserve + confirm": "SELECT sendgate.confirm($1, (sendgate.reserve($1, 'inmail', $2)).operation_id, 'chat-' || $2)",
    "preview": "SELECT * FROM sendgate.preview($1, 'inmail', $2)",
    "breaker_check, closed": "SELECT * FROM sendgate.breaker_check($1, $2)",
}
# The single calls of the contenders, which only the present revision is measured beside.
BESIDE = {
    "two writes by hand": contenders.BY_HAND_SQL.format(account="$1", prospect="$2").strip().removesuffix(";"),
    "primary-key SELECT": "SELECT id, inmails_sent_today, status FROM byhand.accounts WHERE id = $1 AND $2 <> ''",
}


def available() -> bool:
    """Whether there is a valgrind to count with."""
    return shutil.which("valgrind") is not None


def per_call(cluster: Cluster, name: str, calls: int = CALLS_MAX, first: int = 1, login: str = "postgres") -> float:
    """Instructions of one call of ``PREPARE`` or ``BESIDE`` by a login on a stopped cluster, on accounts from this
    number on."""
    authorization = [f"SET SESSION AUTHORIZATION {login}"]
    # A prospect of an earlier run has an operation in flight, so each run has its own.
    once, twice = (
        _count(cluster, authorization + _calls(name, times, first, f"{name} by {login}, {times} times"))
        for times in (calls, 2 * calls)
    )
    return (twice - once) / calls


def per_slot(cluster: Cluster, script: str, size: int, slots: int = SLOTS, work: Sequence[str] = ()) -> float:
    """Instructions of one slot of a statement that hands out ``size`` of them, on a stopped cluster; from the work
    that these statements make, or from that of ``batches``."""
    calls = max(1, min(CALLS_MAX, slots // 2 // size))
    counts = []
    for times in (calls, 2 * calls):
        _run(cluster, [*(work or batches.reset_statements(ACCOUNTS)), "VACUUM ANALYZE"])
        counts.append(_count(cluster, [script] * times))
    return (counts[1] - counts[0]) / (calls * size)


def _calls(name: str, times: int, first: int, prospect: str) -> list[str]:
    """A prepared call with other arguments each time, the same for both revisions."""
    calls = (f"EXECUTE call('account-{n % ACCOUNTS + first}', '{prospect}: {n}')" for n in range(times))
    return [f"PREPARE call(text, text) AS {(PREPARE | BESIDE)[name]}", *calls]


def _count(cluster: Cluster, statements: list[str]) -> int:
    """Instructions of a backend that runs these statements."""
    said = _run(
        cluster, statements, "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"
    )
    found = re.search(r"I\s+refs:\s+([\d,]+)", said)
    if found is None:
        raise HarnessError(f"valgrind did not count:\n{said[-2000:]}")
    return int(found[1].replace(",", ""))


def _run(cluster: Cluster, statements: list[str], *under: str) -> str:
    """Runs statements in a backend of its own, under another program if one is named; what both wrote to their logs."""
    command = [*under, str(cluster.install.program("postgres")), "--single", "-D", str(cluster.datadir), "postgres"]
    # In single-user mode a statement ends with its line.
    text = "".join(" ".join(statement.split()) + "\n" for statement in statements if statement.strip())
    done = subprocess.run(
        command,
        input=text,
        env=cluster.install.environment({"LC_ALL": "C.UTF-8", "TZ": "UTC"}),
        cwd=cluster.datadir.parent,
        capture_output=True,
        text=True,
        errors="replace",
        **cluster.account.as_popen(),
    )
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise HarnessError(f"a backend failed:\n{done.stderr[-2000:]}")
    if 'proceed = "f"' in done.stdout:
        raise HarnessError("a call was refused, so its instructions are not those of a grant")
    return done.stderr
