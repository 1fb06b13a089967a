"""The API through a proxy: the same calls, names, answers and errors as on a partition."""

import uuid

import psycopg
import pytest

from e2e.support import equal, operation
from e2e.support.drivers import DRIVERS
from e2e.support.partitions import COUNT, accounts_of, place

# The subject is the proxy, whose server is PostgreSQL 15 whatever the partitions' is.
NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200

# Functions of the API, with a call whose arguments are all NULL.
FUNCTIONS = """
SELECT p.proname, format('SELECT * FROM sendgate.%I(%s)', p.proname,
    (SELECT string_agg('NULL::' || format_type(a.type, NULL), ', ' ORDER BY a.place)
     FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)))
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
  AND EXISTS (SELECT FROM aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
              WHERE r.rolname LIKE 'sendgate%' AND r.rolname <> 'sendgate_owner')
ORDER BY 1"""
SIGNATURES = """
SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'),
       (SELECT array_agg(r.rolname::text ORDER BY r.rolname) FROM aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE r.rolname LIKE 'sendgate%' AND r.rolname <> 'sendgate_owner') AS roles
FROM pg_proc p WHERE p.pronamespace = 'sendgate'::regnamespace AND p.prokind = 'f'"""
CATALOG = """
SELECT p.oid::regprocedure::text, md5(p.prosrc), p.proacl::text, obj_description(p.oid, 'pg_proc')
FROM pg_proc p WHERE p.pronamespace IN ('sendgate'::regnamespace, 'sendgate_proxy'::regnamespace)
UNION ALL
SELECT c.oid::regclass::text, md5(pg_get_viewdef(c.oid)), c.relacl::text, obj_description(c.oid, 'pg_class')
FROM pg_class c WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT s.srvname, s.srvoptions::text, s.srvacl::text, NULL FROM pg_foreign_server s
ORDER BY 1"""


def test_the_life_of_an_account(parts):
    script = parts.script()
    proxy = parts.proxy(script)
    before = parts.connect(proxy).execute(CATALOG).fetchall()
    parts.proxies.psql(script, proxy)
    equal(parts.connect(proxy).execute(CATALOG).fetchall(), before, "the catalog after the script ran again")
    for name in ("acc-1", "ümlaut", "x" * 128, ""):
        there = value(parts.connect(proxy), "SELECT sendgate_proxy.place(%s)", name)
        equal(there, place(name), f"the place of {name!r}, the same in every language")
    operator = parts.connect(proxy, parts.login("ada", "sendgate_operator"))
    sender = parts.connect(proxy, parts.login("app", "sendgate_sender"))
    account = accounts_of(2, 1)[0]
    operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator', 'Ada')", (account,))
    operator.execute("SELECT sendgate.set_cap(%s, 'inmail', 2, NULL, 'careful')", (account,))
    for n in range(COUNT):
        equal(count(parts, n, "accounts"), int(n == 2), f"accounts on p{n}")
    first = reserve(sender, account, "inmail", "p1", operation(1))
    equal((first["proceed"], first["sent_today"], first["daily_cap"]), (True, 1, 2), "a grant")
    equal(reserve(sender, account, "inmail", "p1", operation(1))["operation_id"], first["operation_id"], "a replay")
    event = value(sender, "SELECT sendgate.confirm(%s, %s, 'chat 1')", account, operation(1))
    assert isinstance(event, uuid.UUID), event
    reserve(sender, account, "inmail", "p2", operation(2))
    refusal = reserve(sender, account, "inmail", "p3", operation(3))
    equal((refusal["proceed"], refusal["reason"]), (False, "daily_cap_reached"), "the third")
    outcome = value(sender, "SELECT sendgate.rollback(%s, %s, 'busy', NULL, 503)", account, operation(2))
    equal(outcome, "transient", "the outcome")
    why = operator.execute("SELECT action, proceed, advice FROM sendgate.why(%s, 'inmail')", (account,)).fetchone()
    equal(why[:2], ("inmail", True), "why")
    row = operator.execute("SELECT id, inmails_sent_today FROM sendgate.linkedin_accounts").fetchall()
    equal(row, [(account, 1)], "the view over all partitions")
    row = operator.execute("SELECT chat_id FROM sendgate.linkedin_events(%s)", (account,)).fetchall()
    equal(row, [("chat 1",)], "the events of one account")
    actors = operator.execute("SELECT DISTINCT actor FROM sendgate.admin_log(%s)", (account,)).fetchall()
    equal(actors, [("ada",)], "who did it, by its own name on the partition")
    error = refused(sender, "SELECT sendgate.rollback(%s, %s)", account, operation(1))
    equal(error.sqlstate, "SG203", "the partition's own SQLSTATE")
    assert error.diag.message_hint and error.diag.message_detail, error
    removed = value(operator, "SELECT sendgate.remove_account(%s, 'left')", account)
    assert removed > 0, removed
    error = refused(sender, "SELECT sendgate.reserve(%s, 'inmail', 'p9')", account)
    equal(error.sqlstate, "SG101", "an account that is gone")


def test_every_function_answers_as_on_a_partition(parts):
    """A call without arguments reaches the same check; what it says there, it says here."""
    proxy = parts.connect(parts.proxy())
    direct = parts.direct(0)
    functions = direct.execute(FUNCTIONS).fetchall()
    assert len(functions) > 60, functions
    through = 0
    for name, call in functions:
        said, expected = sqlstate(proxy, call), sqlstate(direct, call)
        if said == "SG402":
            continue
        through += 1
        if name not in ("dispatch", "clock"):
            equal(said, expected, call)
    assert through > 50, f"{through} of {len(functions)} functions go through"
    # As they are declared: names, types, defaults, comments and roles. What every partition answers is a set.
    theirs = {row[0]: row[1:] for row in direct.execute(SIGNATURES) if row[4]}
    ours = {row[0]: row[1:] for row in proxy.execute(SIGNATURES)}
    for name, (arguments, result, comment, roles) in theirs.items():
        set_or_not = {result, f"SETOF {result}"}
        equal((ours[name][0], ours[name][2:]), (arguments, (comment, roles)), name)
        assert ours[name][1] in set_or_not, (name, ours[name][1], result)
    for name in direct.execute(
        """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v')
           AND has_table_privilege('sendgate_reader', c.oid, 'SELECT')
           AND c.relname NOT IN ('home_database', 'guard_triggers', 'webhooks', 'webhook_outbox')"""
    ).fetchall():
        rows = sum(
            parts.direct(n).execute(f"SELECT count(*) FROM sendgate.{name[0]}").fetchone()[0] for n in range(COUNT)
        )
        equal(value(proxy, f"SELECT count(*) FROM sendgate.{name[0]}"), rows, name[0])


def test_arrays_come_back_in_their_order(parts):
    proxy = parts.connect(parts.proxy())
    accounts = [account for n in range(COUNT) for account in accounts_of(n, 2)]
    mixed = accounts[::2] + accounts[1::2]
    for account in accounts:
        proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    rows = proxy.execute(
        "SELECT element, result FROM sendgate.enqueue_many(%s, %s, %s, %s)",
        (["k"] * 9, [f"p{n}" for n in range(9)], [*mixed, "nobody"], ["message"] * 9),
    ).fetchall()
    equal(rows, [(n, "new") for n in range(1, 9)] + [(9, "unknown_account")], "enqueue_many")
    handed = []
    for account in mixed:
        handed += proxy.execute(
            "SELECT account_id, operation_id FROM sendgate.dispatch(9, NULL, %s)", (account,)
        ).fetchall()
    equal([row[0] for row in handed], mixed, "each account's own work")
    ids = [row[1] for row in handed]
    events = value(proxy, "SELECT sendgate.confirm_many(%s, %s)", mixed, ids)
    rows = proxy.execute("SELECT operation_id, id FROM sendgate.linkedin_events").fetchall()
    found = dict(rows)
    equal(events, [found[one] for one in ids], "confirm_many")
    equal(value(proxy, "SELECT sendgate.confirm_many(%s, %s)", mixed, ids), events, "the same again")
    # One bad id: its partition settles nothing, the others do; repeated without it, nothing happens twice.
    more = [
        reserve(proxy, account, "message", f"q{n}", operation(n))["operation_id"] for n, account in enumerate(mixed)
    ]
    bad = [*more[:-1], uuid.UUID(operation(99))]
    error = refused(proxy, "SELECT sendgate.rollback_many(%s, %s)", mixed, bad)
    equal(error.sqlstate, "SG102", "the partition's own SQLSTATE")
    outcomes = value(proxy, "SELECT sendgate.rollback_many(%s, %s, %s)", mixed, more, ["nope"] + [None] * 7)
    equal(len(outcomes), 8, "outcomes")
    equal(set(outcomes[1:]), {"released"}, "what was never sent")
    for call in (
        "SELECT sendgate.confirm_many(NULL, %s::uuid[])",
        "SELECT sendgate.confirm_many(ARRAY['a', 'b'], %s::uuid[])",
        "SELECT sendgate.confirm_many(ARRAY['a'], %s::uuid[], ARRAY['x', 'y'])",
    ):
        equal(refused(proxy, call, [operation(1)]).sqlstate, sqlstate(parts.direct(0), call, [operation(1)]), call)
    equal(value(proxy, "SELECT sendgate.confirm_many('{}', '{}')"), [], "nothing")


def test_dispatch_and_its_replay(parts):
    proxy, other = parts.proxy(), parts.proxy()
    first, second = parts.connect(proxy), parts.connect(other)
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        first.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        for n in range(3):
            first.execute("SELECT sendgate.enqueue('k', %s, %s, 'message')", (f"p{n}", account))
    dispatch = "SELECT account_id, prospect_id, operation_id FROM sendgate.dispatch(%s, NULL, %s, %s) ORDER BY 3"
    # With an account: its own. A lost answer is asked for again, through another proxy.
    request = uuid.uuid4()
    rows = first.execute(dispatch, (1, accounts[1], request)).fetchall()
    equal([row[0] for row in rows], [accounts[1]], "of the account")
    equal(second.execute(dispatch, (1, accounts[1], request)).fetchall(), rows, "the same rows")
    # Without one: the partition of the request.
    request = uuid.uuid4()
    rows = first.execute(dispatch, (2, None, request)).fetchall()
    equal({row[0] for row in rows}, {accounts[place(str(request))]}, "of the request's partition")
    equal(second.execute(dispatch, (2, None, request)).fetchall(), rows, "the same rows")
    # Without both, workers go round until everything is handed out, once.
    handed = 3
    for _ in range(400):
        handed += len(first.execute("SELECT * FROM sendgate.dispatch(2)").fetchall())
        if handed == 12:
            break
    equal(handed, 12, "pieces of work")
    equal(
        value(first, "SELECT count(*) FROM sendgate.enrollments WHERE state = 'sending' AND attempts = 1"),
        12,
        "sending",
    )


def test_what_holds_for_all_is_done_everywhere(parts):
    proxy = parts.connect(parts.proxy(), parts.login("eve", "sendgate_operator"))
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    sender = parts.connect(parts.proxy(), parts.login("worker", "sendgate_sender"))
    equal(len(proxy.execute("SELECT sendgate.pause_all('stop')").fetchall()), COUNT, "an answer of each partition")
    for account in accounts:
        equal(reserve(sender, account, "message", "p1")["reason"], "paused_by_operator", account)
    actors = proxy.execute("SELECT actor, note FROM sendgate.pause_switch").fetchall()
    equal(actors, [("eve", "stop")] * COUNT, "who paused")
    proxy.execute("SELECT sendgate.resume_all()")
    proxy.execute("SELECT sendgate.suppress_prospect('p1', 'asked us to stop')")
    for account in accounts:
        equal(reserve(sender, account, "message", "p1")["reason"], "prospect_suppressed", account)
        equal(value(sender, "SELECT sendgate.enqueue('k', 'p2', %s, 'message')", account), True, account)
    equal(value(sender, "SELECT sendgate.cancel('k', 'p2', %s)", accounts[0]), 1, "of one account")
    equal(value(sender, "SELECT sendgate.cancel('k', 'p2')"), COUNT - 1, "of all, added up")
    moved = proxy.execute("SELECT moved, left_behind FROM sendgate.switch_action('k', 'message', 'inmail')").fetchone()
    equal(moved, (0, 0), "switch_action")
    proxy.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'message', 3)")
    for account in accounts:
        equal(reserve(sender, account, "message", "p3")["daily_cap"], 3, account)
    # An alert is on one of them.
    alert = uuid.uuid4()
    parts.direct(3).execute(
        """INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
           VALUES (%s, %s, 'failing', '2026-01-01', 'x', now())""",
        (alert, accounts[3]),
    )
    proxy.execute("SELECT sendgate.acknowledge_alert(%s, 'seen')", (alert,))
    equal(refused(proxy, "SELECT sendgate.acknowledge_alert(%s, 'seen')", uuid.uuid4()).sqlstate, "SG105", "no alert")
    error = refused(proxy, "SELECT sendgate.adopt_database('x')")
    equal((error.sqlstate, bool(error.diag.message_hint)), ("SG402", True), "what is about one database")
    equal(value(proxy, "SELECT sendgate.copied_database()"), False, "no copy")


@pytest.mark.parametrize("driver", ["psycopg", "node-postgres"])
def test_drivers(parts, driver):
    proxy = parts.proxy()
    parts.login("driver_app", "sendgate_sender")
    account = accounts_of(1, 1)[0]
    parts.connect(proxy).execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    url = f"postgres://driver_app@{parts.proxies.host}:{parts.proxies.port}/{proxy}"
    client = DRIVERS[driver](url, True)
    try:
        for n in range(3):
            rows = client.ask(
                """SELECT (d).proceed::text, (d).operation_id::text
                   FROM sendgate.reserve($1::text, 'inmail', $2::text, 'k', $3::text::uuid) AS d""",
                account,
                f"p{n}",
                operation(n),
            )
            equal(rows, [["true", operation(n)]], "a grant")
        rows = client.ask("SELECT sendgate.confirm($1::text, $2::text::uuid, 'c')::text", account, operation(0))
        equal(len(rows[0][0]), 36, "the event")
        rows = client.ask(
            """SELECT array_to_string(sendgate.rollback_many(array_fill($1::text, ARRAY[2]),
                                                             string_to_array($2::text, ',')::uuid[]), ' ')""",
            account,
            f"{operation(1)},{operation(2)}",
        )
        equal(rows, [["released released"]], "rollback_many")
    finally:
        client.leave()


def value(connection, sql: str, *arguments):
    """The one value of a statement."""
    return connection.execute(sql, arguments).fetchone()[0]


def count(parts, partition: int, table: str) -> int:
    """The rows of a table on a partition."""
    return value(parts.direct(partition), f"SELECT count(*) FROM sendgate.{table}")


def reserve(connection, account: str, action: str, prospect: str, operation_id: str | None = None) -> dict:
    """The decision, by field."""
    cursor = connection.execute(
        "SELECT * FROM sendgate.reserve(%s, %s, %s, NULL, %s::uuid)", (account, action, prospect, operation_id)
    )
    return dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))


def refused(connection, sql: str, *arguments) -> psycopg.Error:
    """The error of a statement."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql, arguments)
    return caught.value


def sqlstate(connection, sql: str, *arguments) -> str | None:
    """The SQLSTATE of a statement; None if it went well."""
    try:
        connection.execute(sql, arguments)
    except psycopg.Error as error:
        return error.sqlstate
    return None
