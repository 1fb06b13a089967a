"""Why the gate is fast: how many statements a call runs, by which plans, and what it writes.

Nothing here measures time. A change that makes one of these worse makes the gate slower on any machine.
"""

import json
import re
import statistics

from e2e.support import equal, operation, provision
from e2e.support.plans import listening

# They ask auto_explain, which not every copy of PostgreSQL that the tests run on has.
NEWEST_ONLY = True

RESERVE = "SELECT (sendgate.reserve(%s, 'inmail', %s)).proceed"
CALLS = 40
# The transaction's start, pruning the account's page, its update, the journal's row, and an entry in
# each of its two btrees; now and then a page is split, or entered in the BRIN index.
WAL_RECORDS_OF_A_GRANT_MAX = 6


def test_statements_of_each_call(env):
    """The gate reads without any statement and writes with one."""
    provision(env, "a")
    provision(env, "capped", inmail=0)
    connection, log = listening(env)
    reserve = "SELECT (sendgate.reserve('a', 'inmail', %s, %s, %s)).proceed"
    # The first call of a session compiles the configuration, the first of a day rolls the row.
    connection.execute(reserve, ("first", None, operation(1)))
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat 1')", (operation(1),))
    for call, values, expected in (
        (reserve, ("p2", None, operation(2)), ["INSERT"]),
        (reserve, ("p3", "campaign", operation(3)), ["INSERT"]),
        (reserve, ("p2", None, operation(2)), []),
        (reserve, ("p3", None, operation(4)), []),
        ("SELECT (sendgate.reserve('capped', 'inmail', 'p')).proceed", (), []),
        ("SELECT (sendgate.preview('a', 'inmail', 'p')).proceed", (), []),
        ("SELECT (sendgate.preview('a', 'inmail')).proceed", (), []),
        ("SELECT proceed FROM sendgate.breaker_check('a', 'p', 'c')", (), []),
        ("SELECT sendgate.confirm('a', %s, 'chat 2')", (operation(2),), ["INSERT"]),
        # The campaign's work on the prospect, if there is any, is done.
        ("SELECT sendgate.confirm('a', %s, 'chat 3')", (operation(3),), ["INSERT", "UPDATE"]),
        ("SELECT sendgate.confirm('a', %s, 'chat 3')", (operation(3),), []),
    ):
        log.clear()
        connection.execute(call, values)
        equal(sorted(kinds(log)), expected, f"statements of {call} {values}")


def test_statements_do_not_grow_with_the_batch(env):
    """dispatch, confirm_many and rollback_many run as many statements for fifty rows as for one."""
    for n in range(4):
        provision(env, f"a{n}", inmail=1000)
    env.psql("SELECT count(sendgate.enqueue('c', 'p' || n, 'a' || n % 4, 'inmail')) FROM generate_series(1, 400) n")
    connection, log = listening(env)
    connection.execute("SELECT count(*) FROM sendgate.dispatch(3)")
    counts = {}
    for size in (1, 50):
        for verb in ("confirm_many", "rollback_many"):
            log.clear()
            slots = connection.execute(
                "SELECT account_id, operation_id, 'chat ' || prospect_id FROM sendgate.dispatch(%s)", (size,)
            ).fetchall()
            equal(len(slots), size, "slots")
            counts.setdefault(f"dispatch before {verb}", set()).add(len(kinds(log)))
            log.clear()
            accounts, operations, chats = (list(column) for column in zip(*slots, strict=True))
            if verb == "confirm_many":
                connection.execute("SELECT sendgate.confirm_many(%s, %s, %s)", (accounts, operations, chats))
            else:
                connection.execute("SELECT sendgate.rollback_many(%s, %s)", (accounts, operations))
            counts.setdefault(verb, set()).add(len(kinds(log)))
    for verb in ("confirm_many", "rollback_many"):
        equal(counts.pop(f"dispatch before {verb}"), {0}, "statements of dispatch, which writes where the rows lie")
    for verb, found in counts.items():
        assert len(found) == 1, f"{verb} runs {sorted(found)} statements, by the size of the batch"
        assert 0 < max(found) <= 12, f"{verb} runs {found} statements"


def test_plans_are_generic_and_use_indexes(env):
    """Made while the tables are empty, and still the right ones when they are not."""
    provision(env, "a")
    connection, log = listening(env)
    connection.execute(RESERVE, ("a", "first"))
    log.clear()
    connection.execute("SELECT (sendgate.reserve('a', 'inmail', 'p', 'c', %s)).proceed", (operation(2),))
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(2),))
    connection.execute("SELECT (sendgate.reserve('a', 'inmail', 'q', 'c', %s)).proceed", (operation(3),))
    connection.execute("SELECT sendgate.rollback('a', %s)", (operation(3),))
    connection.execute("SELECT sendgate.enqueue('c', 'r', 'a', 'inmail')")
    connection.execute("SELECT count(*) FROM sendgate.dispatch(1)")
    plans = [plan for plan in log if is_nested(plan)]
    assert len(plans) > 10, f"{len(plans)} plans"
    for plan in plans:
        text = json.dumps(plan["Plan"])
        assert '"Seq Scan"' not in text or small(text), f"reads a whole table:\n{plan['Query Text']}"
        assert "Hash Join" not in text, f"hashes a whole table:\n{plan['Query Text']}"
    of_reserve = json.dumps(next(plan for plan in plans if "WITH taken" in plan["Query Text"]))
    assert "accounts_pkey" in of_reserve, of_reserve
    assert "$1" in of_reserve, f"not a generic plan: {of_reserve}"


def small(text: str) -> bool:
    """Whether what is read whole is one of the lists that operators keep short."""
    read = set(re.findall(r'"Node Type": "Seq Scan".*?"Relation Name": "(\w+)"', text))
    return read <= {"paused_campaigns", "pause_switch", "home_database"}


def test_every_update_is_hot(env):
    """Nothing that a grant or an answer changes is indexed."""
    provision(env, "a")
    connection = env.connect(autocommit=False)
    for n in range(1, 9):
        sql = "SELECT sendgate.reserve('a', 'inmail', %s, NULL, %s)"
        connection.execute(sql, (f"p{n}", operation(n)))
        verb = "confirm('a', %s, 'chat')" if n % 2 else "rollback('a', %s)"
        connection.execute(f"SELECT sendgate.{verb}", (operation(n),))
    for table, updates in (("accounts", 12), ("send_operations", 8)):
        found = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
            " WHERE schemaname = 'sendgate' AND relname = %s",
            (table,),
        ).fetchone()
        equal(found, (updates, updates), f"updates and HOT updates of {table}")


def test_nothing_takes_a_multixact(env):
    """One comes of a row that is held in one subtransaction and written in another; a MultiXact for every
    slot would bring the vacuums against their wraparound early."""
    provision(env, "a", inmail=40)
    connection = env.connect()
    connection.execute("SELECT count(sendgate.enqueue('c', 'e' || n, 'a', 'inmail')) FROM generate_series(1, 9) n")

    def next_multixact() -> int:
        connection.execute("CHECKPOINT")
        return connection.execute("SELECT next_multixact_id::text::int FROM pg_control_checkpoint()").fetchone()[0]

    before = next_multixact()
    for n in range(1, 5):
        connection.execute("SELECT sendgate.reserve('a', 'inmail', %s, NULL, %s)", (f"p{n}", operation(n)))
        verb = "confirm('a', %s, 'chat')" if n % 2 else "rollback('a', %s)"
        connection.execute(f"SELECT sendgate.{verb}", (operation(n),))
        handed = "SELECT array_agg(account_id), array_agg(operation_id) FROM sendgate.dispatch(2)"
        accounts, operations = connection.execute(handed).fetchone()
        connection.execute("SELECT sendgate.confirm_many(%s, %s, ARRAY['x', 'y'])", (accounts, operations))
    equal(next_multixact() - before, 0, "MultiXacts of grants and answers")


def test_wal_of_a_grant_and_of_a_refusal(env):
    provision(env, "a", inmail=CALLS + 2)
    connection = env.connect()
    connection.execute(RESERVE, ("a", "first"))
    granted = [wal_records(connection, RESERVE, ("a", f"p{n}")) for n in range(CALLS)]
    usual = statistics.median(granted)
    assert 0 < usual <= WAL_RECORDS_OF_A_GRANT_MAX, f"{usual} WAL records a grant: {granted}"
    connection.execute(RESERVE, ("a", "last"))
    # The first look tidies up what the grants left on the page.
    refused = [wal_records(connection, RESERVE, ("a", f"r{n}")) for n in range(5)]
    equal(refused[1:], [0] * 4, "WAL records of refusals")
    preview = "SELECT (sendgate.preview(%s, 'inmail', %s)).proceed"
    equal(wal_records(connection, preview, ("a", "p")), 0, "WAL records of a preview")


def wal_records(connection, call: str, values: tuple) -> int:
    """WAL records that a call writes before its commit."""
    explained = connection.execute(f"EXPLAIN (ANALYZE, WAL, FORMAT JSON) {call}", values).fetchone()[0]
    return explained[0]["Plan"]["WAL Records"]


def is_nested(plan: dict) -> bool:
    """Whether it is a statement of sendgate's own, rather than the call."""
    return bool(re.search(r"\bOPERATOR\(pg_catalog|\bINTO sendgate\.|\bFROM sendgate\.\w+ \w\b", plan["Query Text"]))


def kinds(log: list[dict]) -> list[str]:
    """What the statements of sendgate's own end in."""
    return [operation_of(plan["Plan"]) for plan in log if is_nested(plan)]


def operation_of(plan: dict) -> str:
    return plan.get("Operation", "Select").upper()
