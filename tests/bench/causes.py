"""What a call writes, how many statements it runs, and what its backend keeps in memory."""

import re
from pathlib import Path

from harness import venv
from harness.progress import progress

from . import contenders
from .server import Server


def writes(server: Server) -> dict[str, dict[str, float]]:
    """WAL and HOT updates of one call, of the gate and by hand."""
    calls, found = 5_000, {}
    for name in ("reserve", "two writes by hand"):
        schema = "byhand" if "hand" in name else "sendgate"
        server.psql("CHECKPOINT")
        server.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))  # full-page images
        before = counters(server, schema)
        server.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))
        after = counters(server, schema)
        wal, records, updates, hot = (b - a for a, b in zip(before, after, strict=True))
        found[name] = {
            "WAL bytes": wal / calls,
            "WAL records": records / calls,
            "HOT updates, %": 100 * hot / max(updates, 1),
        }
    return found


def counters(server: Server, schema: str) -> list[int]:
    """WAL bytes, WAL records, updates and HOT updates of the accounts so far."""
    # Statistics are shared when the backend that made them ends; all of pgbench's have.
    sql = f"""SELECT wal_bytes::bigint, wal_records, n_tup_upd, n_tup_hot_upd
              FROM pg_stat_wal, pg_stat_user_tables
              WHERE schemaname = '{schema}' AND relname = 'accounts'"""
    return [int(text) for text in server.psql(sql).strip().split("|")]


def statements(server: Server) -> dict[str, str]:
    """How many statements one call runs inside, and how often each."""
    calls, found = 1_000, {}
    server.cluster.configure(shared_preload_libraries="pg_stat_statements", pg_stat_statements__track="all")
    server.cluster.restart()
    server.psql("CREATE EXTENSION pg_stat_statements")
    for name in ("reserve", "reserve + confirm", "preview", "breaker_check, closed"):
        server.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", "10")  # compile the configuration
        server.psql("SELECT pg_stat_statements_reset()")
        server.pgbench(contenders.SCRIPTS[name], "-c", "1", "-t", str(calls))
        inner = [row.split("|") for row in server.psql(STATEMENTS.format(calls=calls)).splitlines() if row]
        total = sum(float(count) for _, count in inner)
        kinds = ", ".join(f"{kind.lower()} {float(count):.1f}" for kind, count in inner)
        found[name] = f"{total:.1f}" + (f" ({kinds})" if kinds else "")
    server.cluster.configure(shared_preload_libraries=None, pg_stat_statements__track=None)
    server.cluster.restart()
    return found


# Statements that the functions run, once a call or more; what compiles the configuration is seldom.
STATEMENTS = """
SELECT split_part(ltrim(query), ' ', 1), round(sum(calls) / {calls}.0, 1)
FROM pg_stat_statements
WHERE NOT toplevel AND calls >= {calls} / 2
GROUP BY 1 ORDER BY 1 DESC
"""

# What is called, and every how many calls the transaction is committed.
MEMORY = {
    "reserve, then confirm": "PERFORM sendgate.confirm(d.account, (sendgate.reserve(d.account, 'message',"
    " 'm' || i || random())).operation_id, 'chat') FROM (SELECT 'memory-' || i % 50000 AS account) d;",
    "reserve, then rollback": "PERFORM sendgate.rollback(d.account, (sendgate.reserve(d.account, 'message',"
    " 'r' || i || random())).operation_id) FROM (SELECT 'memory-' || i % 50000 AS account) d;",
    "reserve, refused": "PERFORM sendgate.reserve('refused', 'inmail', 'p' || i);",
    "preview": "PERFORM sendgate.preview('memory-' || i % 50000, 'inmail', 'p');",
    "breaker_check": "PERFORM sendgate.breaker_check('memory-' || i % 50000, 'p');",
    "dispatch, nothing due": "PERFORM sendgate.dispatch(10);",
    "dispatch(100), a hundredth as often": "IF i % 100 = 0 THEN PERFORM sendgate.dispatch(100); END IF;",
}

MEMORY_SETUP = """
SELECT count(sendgate.upsert_account('memory-' || n, 'sales_navigator')) FROM generate_series(0, 49999) n;
SELECT sendgate.upsert_account('refused', 'free');
"""


def memory(server: Server, calls: int) -> dict[str, tuple[int, int, int]]:
    """KiB of anonymous memory of a backend after 5 %, half and all of many calls, by what is called."""
    venv.use()
    import psycopg

    server.psql(MEMORY_SETUP)
    found = {}
    for name, call in MEMORY.items():
        progress(f"  {calls:,} calls in one backend: {name}")
        if "100" in name:
            from . import batches

            batches.reset(server.cluster, min(server.accounts, calls // 10))
        with psycopg.connect(server.cluster.dsn(), autocommit=True) as connection:
            pid, used = connection.info.backend_pid, []
            for length in (calls // 20, calls // 2 - calls // 20, calls - calls // 2):
                connection.execute(
                    f"DO $$ BEGIN FOR i IN 1..{length} LOOP {call}"
                    " IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$"
                )
                used.append(anonymous_kib(pid))
        found[name] = tuple(used)
    return found


def anonymous_kib(pid: int) -> int:
    """Memory of a process that no other shares: PostgreSQL's contexts and Rust's own."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)[1])
