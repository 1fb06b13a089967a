"""Something in every table that is dumped, and what the gate has to answer about it afterwards."""

import json

# Everything is put in at this instant and asked about at it, however long a release lies frozen.
NOW = "2026-05-20 12:00:00+00"
TABLES = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r' ORDER BY 1"""
# Those whose rows come with the extension.
SHIPPED = ("error_rule_defaults", "jobs", "tier_defaults")


def operation(number: int) -> str:
    """A fixed operation id."""
    return f"00000000-0000-4000-8000-{number:012d}"


FILLING = f"""
LOAD 'sendgate';
SET sendgate.now = '{NOW}';
SELECT sendgate.register_webhook('ops', ARRAY['breaker_set', 'alert_opened']);
SELECT sendgate.upsert_account('a', 'sales_navigator');
SELECT sendgate.set_cap('a', 'inmail', 9);
SELECT sendgate.upsert_account('b', 'free');
SELECT sendgate.upsert_account('c', 'recruiter', E'Zoë "C"\\tO\\\\N', 'Europe/Berlin', '22:00',
    '06:00', ARRAY[1, 7], 31, true);
SELECT sendgate.set_tier_cap('sales_navigator', 'invite', 3, 12, NULL, 40);
SELECT sendgate.set_tier_cap('sales_navigator', 'message', 30, NULL, '90 seconds', 40);
SELECT sendgate.set_tier_cap('mine', 'message', 5);
SELECT sendgate.set_error_rule(7, 'transient', NULL, NULL, '4xx', 'O''Reilly \\ %_');
SELECT sendgate.set_error_rule(8, 'rate_limited', 'message', 'mine/slow', '429 or none', NULL, 'action', '3 hours');
SELECT sendgate.set_pace('c', '2 minutes', 25, true, 'calm');
SELECT sendgate.upsert_account('counted', 'premium_career', credit_reset_day => 31);
SELECT sendgate.upsert_account('counted', credit_reset_day => 20);
SELECT sendgate.record_credit_balance('counted', 1, NULL, 'from the page');
SELECT sendgate.breaker_force('counted', 'closed', 'never mind');
SELECT sendgate.reserve('counted', 'inmail', 'p50', NULL, '{operation(50)}');
SELECT sendgate.reserve('counted', 'inmail', 'p51', NULL, '{operation(51)}');
SELECT sendgate.rollback('counted', '{operation(50)}', 'out of credits', NULL, 422);
SELECT sendgate.upsert_account('observed', 'free');
SELECT sendgate.set_enforcement('observed', 'observe', 'first week');
SELECT sendgate.reserve('observed', 'inmail', 'p40', NULL, '{operation(40)}');
SELECT sendgate.reserve('a', 'inmail', 'p1', NULL, '{operation(1)}');
SELECT sendgate.reserve('a', 'inmail', 'p2', 'c', '{operation(2)}');
SELECT sendgate.confirm('a', '{operation(2)}', 'chat 2');
SELECT sendgate.reserve('a', 'inmail', 'p3', 'c', '{operation(3)}');
SELECT sendgate.rollback('a', '{operation(3)}', 'gateway timeout', NULL, 504);
SELECT sendgate.reserve('a', 'inmail', 'p4', 'c', '{operation(4)}');
SELECT sendgate.rollback('a', '{operation(4)}');
SELECT sendgate.confirm('a', '{operation(4)}', 'chat 4');
SELECT sendgate.reserve('a', 'invite', 'p5', 'c', '{operation(5)}');
SELECT sendgate.rollback('a', '{operation(5)}', E'You are out\\nof credits', NULL, 422);
SELECT sendgate.reserve('a', 'inmail', 'p6', 'c', '{operation(6)}');
SELECT sendgate.rollback('a', '{operation(6)}', 'out of credits', NULL, 422);
SELECT sendgate.reserve('a', 'inmail', 'p7', 'c', '{operation(7)}');
SELECT sendgate.breaker_probe('a', 'probe');
SELECT sendgate.breaker_force('b', 'closed', 'never mind');
SELECT sendgate.enqueue('k1', 'p20', 'a', 'profile_view', NULL, true);
SELECT sendgate.enqueue('k1', 'p21', 'a', 'profile_view');
SELECT sendgate.enqueue('k2', 'p22', 'a', 'profile_view', '2031-01-01', step => 2, payload => '{{"text": "O''Reilly\\n"}}', priority => 7);
SELECT sendgate.enqueue('k1', 'p6', 'a', 'inmail');
SELECT count(*) FROM sendgate.dispatch(1, 'profile_view', 'a', '{operation(20)}');
SELECT sendgate.cancel('k1', 'p21');
SELECT sendgate.enqueue('k1', 'p23', 'a', 'profile_view');
SELECT sendgate.pause_campaign('k2');
SELECT sendgate.set_campaign('k3', 3, profile_view_limit => 0, note => 'a part of the day');
SELECT sendgate.record_external_send('b', 'message', 'p30', NULL, '{NOW}');
SELECT sendgate.reserve('b', 'message', 'p31', NULL, '{operation(31)}');
SELECT sendgate.rollback('b', '{operation(31)}', 'slower', 'mine/slow', 429);
SELECT sendgate.reserve('b', 'profile_view', 'p32', NULL, '{operation(32)}');
SELECT sendgate.rollback('b', '{operation(32)}', 'busy', NULL, 503);
UPDATE sendgate.accounts SET messages_sent_today = 3 WHERE id = 'a';
SELECT sendgate.audit_events(), sendgate.reconcile_operations();
SELECT sendgate.suppress_prospect('gone', E'asked by\tmail');
SELECT sendgate.suppress_prospect('away', 'on leave', '2031-01-01');
SELECT sendgate.reserve('b', 'message', 'gone', 'k1');
SELECT sendgate.pause_all('dumped while paused');
"""


def fill(connection) -> None:
    """Put it in, as a superuser; every state of an operation, users' tiers and rules among it."""
    for line in FILLING.strip().split(";\n"):
        connection.execute(line.rstrip(";"))
    empty = {table for table in tables(connection) if not rows(connection, table)}
    assert not empty, f"tables that nothing is put into, and so are not tested: {empty}"


def tables(connection) -> list[str]:
    """The extension's tables."""
    return [name for (name,) in connection.execute(TABLES).fetchall()]


def rows(connection, table: str) -> list[dict]:
    """Every row of a table by its columns, in an order of their own."""
    found = connection.execute(f'SELECT pg_catalog.to_jsonb(t) FROM sendgate."{table}" t').fetchall()
    return sorted((row for (row,) in found), key=lambda row: json.dumps(row, sort_keys=True))


def data(connection, left_out: dict[str, set[str]] | None = None) -> str:
    """The rows of users as psql takes them, without some columns of some tables."""
    text = ""
    for table in tables(connection):
        if table in SHIPPED:
            continue
        every = connection.execute(
            "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = %s::pg_catalog.regclass"
            " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            (f"sendgate.{table}",),
        ).fetchall()
        unwanted = (left_out or {}).get(table, set())
        columns = ", ".join(f'"{name}"' for (name,) in every if name not in unwanted)
        with connection.cursor().copy(f'COPY sendgate."{table}" ({columns}) TO STDOUT') as copy:
            lines = b"".join(copy).decode()
        text += f'COPY sendgate."{table}" ({columns}) FROM stdin;\n{lines}\\.\n\n'
    return text


def goes_on(connection) -> None:
    """The gate answers as if nothing had been between; ``connection`` is a superuser's."""

    def same(found, expected, what: str) -> None:
        assert found == expected, f"{what}: {found!r}, expected {expected!r}"

    connection.execute("LOAD 'sendgate'")
    connection.execute(f"SET sendgate.now = '{NOW}'")
    ask = "SELECT proceed, reason, daily_cap FROM sendgate.reserve('a', %s, %s, %s, %s)"
    again = ("inmail", "p1", None, operation(1))
    same(connection.execute(ask, again).fetchone()[1], "paused_by_operator", "while paused")
    connection.execute("SELECT sendgate.resume_all()")
    same(connection.execute(ask, again).fetchone(), (True, None, 9), "the same operation again")
    handed = "SELECT prospect_id, attempt FROM sendgate.dispatch(1, 'profile_view', 'a', %s)"
    same(connection.execute(handed, (operation(20),)).fetchall(), [("p20", 1)], "the same request")
    same(connection.execute(handed, (operation(21),)).fetchall(), [("p23", 1)], "what waited")
    same(connection.execute(handed, (operation(22),)).fetchall(), [], "what is paused")
    resolved = ("inmail", "p2", "c", operation(2))
    same(connection.execute(ask, resolved).fetchone()[1], "operation_resolved", "a settled one")
    probing = ("inmail", "p8", "c", operation(8))
    same(connection.execute(ask, probing).fetchone()[0], True, "the probe that was granted")
    invite = ("invite", "p9", "c", operation(9))
    same(connection.execute(ask, invite).fetchone(), (True, None, 3), "the edited tier")
    outcome = connection.execute(
        "SELECT sendgate.rollback('a', %s, %s, NULL, 418)", (operation(9), "o'reilly \\ %_")
    ).fetchone()
    same(outcome, ("transient",), "the user's error rule")
    told = """SELECT e.id = sendgate.record_external_send('b', 'message', 'p30', NULL, e.occurred_at - interval '0.9 s')
        FROM sendgate.linkedin_events e WHERE e.account_id = 'b' AND e.prospect_id = 'p30'"""
    same(connection.execute(told).fetchall(), [(True,)], "a send outside the gate that is told again")
