"""remove_account and forget_prospect: every table is covered, each batch is bounded, and the books agree afterwards.

Which tables are of an account or a prospect is read from the catalog, and the rows are the stock's, which has some in
every table; so a table that is added and forgotten here is found.
"""

import json
import os

import psycopg

from e2e.support import at_once, equal, operation, provision
from upgrade import stock

ACTIONS = ("inmail", "message", "invite")

# By then no operation of the stock is in time.
LATER = "2026-05-21 12:00:00+00"
COLUMNS = """
SELECT c.relname, a.attname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r'
  AND (a.attname LIKE '%account_id%' OR a.attname LIKE '%prospect_id%' OR (c.relname, a.attname) = ('accounts', 'id'))
ORDER BY 1, 2"""
# The list says who is not to be contacted, and goes on saying so.
STAYS = {"suppressions"}
# Rows of an account, more than one batch has.
MANY = """
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action,
    state, settled_at)
SELECT gen_random_uuid(), at, at, at::date, account, 'old' || n % 5000, 'message', 'delivered', at
FROM generate_series(1, {rows}) n, unnest(ARRAY['big', 'other']) account,
     LATERAL (SELECT sendgate.clock() - interval '80 days' + n * interval '1 second') t (at);
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id, event_type)
SELECT gen_random_uuid(), o.operation_id, o.reserved_at, o.reserved_at, o.counted_on, o.account_id, o.prospect_id, 'message_sent'
FROM sendgate.send_operations o;
INSERT INTO sendgate.enrollments (enqueued_at, changed_at, account_id, prospect_id, campaign_id, action, state)
SELECT sendgate.clock(), sendgate.clock(), account, 'old' || n, 'k', 'message', 'done'
FROM generate_series(1, {rows}) n, unnest(ARRAY['big', 'other']) account;
ANALYZE"""
# What a transaction has read so far.
READ = """
SELECT coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_xact_all_tables
WHERE schemaname = 'sendgate'"""
# In each of three tables; SENDGATE_LEAVING_ROWS=350000 tries an account of a million rows.
ROWS = int(os.environ.get("SENDGATE_LEAVING_ROWS", "50000"))
BATCH = 10_000
# Of a batch: each row is found and deleted, and a table's end is looked for twice.
READ_A_ROW = 4


def filled(env):
    """A superuser on the stock, a day later."""
    connection = env.connect()
    stock.fill(connection)
    connection.execute(f"SET sendgate.now = '{LATER}'")
    return connection


def columns(connection, of: str) -> list[tuple[str, str]]:
    found = [
        (table, column) for table, column in connection.execute(COLUMNS).fetchall() if of in column or column == "id"
    ]
    assert len(found) > 5, f"columns of {of}: {found}"
    return found


def values(connection, table: str, column: str) -> set[str]:
    """What a column holds; of an array, its elements."""
    found = connection.execute(f'SELECT "{column}" FROM sendgate."{table}"').fetchall()
    return {one for (value,) in found if value is not None for one in (value if isinstance(value, list) else [value])}


def until_nothing_is_left(connection, call: str, *arguments) -> list[int]:
    """Repeats a call until it returns 0; what it returned."""
    returned = []
    while not returned or returned[-1]:
        returned += connection.execute(f"SELECT sendgate.{call}", arguments).fetchone()
        assert len(returned) < 1000, f"{call} does not end: {returned[-5:]}"
    return returned


def sqlstate(connection, sql: str, *arguments) -> str | None:
    try:
        connection.execute(sql, arguments)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_no_table_keeps_rows_of_an_account_that_was_removed(env):
    connection = filled(env)
    places = columns(connection, "account_id")
    without = [f"{t}.{c}" for t, c in places if not values(connection, t, c) and c != "account_ids"]
    # Only the request's own argument may be NULL.
    equal(without, [], "columns without an account, which are not tested")
    accounts = values(connection, "accounts", "id")
    gone: set[str] = set()
    for account in sorted(accounts):
        until_nothing_is_left(connection, "remove_account(%s, 'left', 3)", account)
        gone.add(account)
        left = {f"{t}.{c}" for t, c in places if values(connection, t, c) & gone}
        equal(left, {"admin_log.account_id"}, f"where {account} is still named")
    lines = connection.execute(
        "SELECT account_id, verb, after ->> 'finished' FROM sendgate.admin_log WHERE account_id IS NOT NULL"
    )
    equal(
        sorted(lines.fetchall()),
        [(account, "remove_account", "true") for account in sorted(accounts)],
        "what is logged",
    )
    equal(connection.execute("SELECT count(*) FROM sendgate.alerts WHERE account_id <> '*'").fetchone(), (0,), "alerts")


def test_no_table_names_a_prospect_that_was_forgotten(env):
    connection = filled(env)
    places = columns(connection, "prospect_id")
    prospects = {p for t, c in places if c != "id" for p in values(connection, t, c)}
    assert len(prospects) > 10, prospects
    before = connection.execute(
        "SELECT account_id, action, sent_today, sent_this_week FROM sendgate.counters ORDER BY 1, 2"
    ).fetchall()
    proofs = connection.execute(
        "SELECT id, operation_id, chat_id, counted_on FROM sendgate.linkedin_events ORDER BY id"
    ).fetchall()
    for prospect in sorted(prospects):
        until_nothing_is_left(connection, "forget_prospect(%s, 'erasure', 2)", prospect)
        named = [
            f"{table}: {row}"
            for table in stock.tables(connection)
            if table not in STAYS
            for row in stock.rows(connection, table)
            if f'"{prospect}"' in json.dumps(row).replace('\\"', '"')
        ]
        equal(named, [], f"who still names {prospect}")
    after = connection.execute(
        "SELECT account_id, action, sent_today, sent_this_week FROM sendgate.counters ORDER BY 1, 2"
    ).fetchall()
    equal(after, before, "the counters")
    kept = connection.execute(
        "SELECT id, operation_id, chat_id, counted_on FROM sendgate.linkedin_events ORDER BY id"
    ).fetchall()
    equal(kept, proofs, "the proofs")
    texts = connection.execute(
        "SELECT count(*) FROM sendgate.send_operations WHERE coalesce(error, error_type) IS NOT NULL"
    ).fetchone()
    equal(texts, (0,), "texts of the provider")
    open_work = connection.execute(
        "SELECT DISTINCT state FROM sendgate.enrollments WHERE state NOT IN ('done', 'cancelled')"
    ).fetchall()
    equal(open_work, [], "open work")
    connection.execute("SELECT sendgate.resume_all()")
    connection.execute("SELECT sendgate.reconcile_operations()")
    drift = connection.execute("SELECT count(*) FROM sendgate.counter_drift WHERE at >= %s", (LATER,)).fetchone()
    equal(drift, (0,), "drift that layer 1 finds afterwards")


def test_each_batch_is_bounded(env):
    """The rows of another account, and those that are left of this one, cost a batch nothing."""
    provision(env, "big")
    provision(env, "other")
    env.psql(MANY.format(rows=ROWS))
    connection = env.connect(autocommit=False)
    left, removed = 3 * ROWS + 1, -1
    while removed:
        before = sum(connection.execute(READ).fetchone())
        (removed,) = connection.execute(f"SELECT sendgate.remove_account('big', 'left', {BATCH})").fetchone()
        read = sum(connection.execute(READ).fetchone()) - before
        connection.commit()
        left -= removed
        assert removed <= BATCH and read <= READ_A_ROW * BATCH, f"{removed} rows removed, {read} read"
    # And what provisioning logged, if anything.
    assert left <= 0, f"{left} rows are left"
    counted = "SELECT count(*) FROM sendgate.{} WHERE account_id = 'other'"
    for table in ("send_operations", "linkedin_events", "enrollments"):
        equal(env.psql(counted.format(table)), str(ROWS), f"{table} of the other account")
    line = env.psql("SELECT after FROM sendgate.admin_log WHERE verb = 'remove_account'")
    equal(json.loads(line)["removed"]["send_operations"], ROWS, "what the one line counts")


def test_a_prospect_is_forgotten_in_bounded_batches(env):
    provision(env, "big")
    provision(env, "other")
    env.psql(MANY.format(rows=ROWS // 5))
    connection = env.connect()
    of_it = "SELECT count(*) FROM sendgate.{} WHERE prospect_id = 'old7'"
    rows = sum(int(env.psql(of_it.format(table))) for table in ("send_operations", "linkedin_events", "enrollments"))
    returned = until_nothing_is_left(connection, "forget_prospect('old7', 'erasure', 5)")
    equal((sum(returned), max(returned)), (rows, 5), "rows changed, and most of a call")


def test_an_event_has_the_new_name_of_its_operation(env):
    """Also where a batch ended between the two, or a delivery was confirmed while the first one began."""
    provision(env)
    for number in range(3):
        env.psql(f"SELECT sendgate.reserve('a', '{ACTIONS[number]}', 'p', NULL, '{operation(number)}')")
        env.psql(f"SELECT sendgate.confirm('a', '{operation(number)}', 'chat {number}')")
    until_nothing_is_left(env.connect(), "forget_prospect('p', 'erasure', 1)")
    names = """SELECT count(DISTINCT o.prospect_id), count(*) FILTER (WHERE o.prospect_id = e.prospect_id)
        FROM sendgate.linkedin_events e JOIN sendgate.send_operations o USING (account_id, operation_id)"""
    equal(env.psql(names), "3|3", "names of three operations, and events with the same")


def test_an_account_that_was_removed_can_come_back(env):
    """And has nothing of the one before."""
    provision(env, "a", inmail=2)
    connection = env.connect()
    for number in (1, 2):
        connection.execute("SELECT sendgate.reserve('a', 'inmail', %s, 'k', %s)", (f"p{number}", operation(number)))
        connection.execute("SELECT sendgate.confirm('a', %s, %s)", (operation(number), f"chat {number}"))
    connection.execute("SELECT sendgate.enqueue('k', 'p3', 'a', 'message')")
    until_nothing_is_left(connection, "remove_account('a', 'left')")
    equal(sqlstate(connection, "SELECT sendgate.enqueue('k', 'p3', 'a', 'message')"), "SG101", "work for it")
    provision(env, "a", inmail=2)
    answer = connection.execute(
        "SELECT proceed, sent_today FROM sendgate.reserve('a', 'inmail', 'p1', 'k', %s)", (operation(1),)
    )
    equal(answer.fetchone(), (True, 1), "the new account's first slot")
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch(10)"), "0", "work of the one before")


def test_work_never_outlives_its_account(env):
    """Three sessions bring work while one removes the account, again and again."""
    for turn in range(20):
        provision(env, f"a{turn}")

        def work(number: int, account: str = f"a{turn}") -> str | None:
            with env.connect() as connection:
                if number == 0:
                    until_nothing_is_left(connection, "remove_account(%s, 'left')", account)
                    return None
                for n in range(20):
                    state = sqlstate(
                        connection, "SELECT sendgate.enqueue('k', %s, %s, 'message')", f"p{number}-{n}", account
                    )
                    if state:
                        return state
                return None

        answers = at_once(4, work)
        equal(set(answers) - {None, "SG101"}, set(), "errors of those who bring work")
        env.psql(f"SELECT sendgate.remove_account('a{turn}', 'left')")
    for table in ("enrollments", "dispatch_queue"):
        equal(env.psql(f"SELECT count(*) FROM sendgate.{table}"), "0", f"rows of {table} without an account")
