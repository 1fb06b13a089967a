"""A role that may send plants operators, functions, types, tables and settings, and gains nothing.

The same calls are made twice: by an honest session, and by one whose search path begins with what
was planted. The answers are the same, and no planted code ran.
"""

from e2e.support import equal, login, provision
from e2e.support.role_calls import daemon_calls, operator_calls, sender_calls

PATHS = (
    "hostile, pg_temp, pg_catalog, sendgate, public",
    "pg_temp, hostile, sendgate, pg_catalog",
    "hostile",
)
COMPARED = "text int4 int8 int2 date timestamptz uuid bool interval name time jsonb".split()
# Names that the extension's statements and views use, or might; each gets a look-alike.
FUNCTIONS = {
    "text": "char_length lower upper initcap btrim length quote_ident format",
    "timestamptz": "date_trunc timezone date_part",
    "text, text": "replace date_part to_char concat_ws current_setting format initcap",
    "text, text, text": "replace",
    "text, timestamptz": "date_trunc date_part timezone",
    "timestamptz, text": "to_char",
    "timestamp, text": "to_char",
    "text, interval": "date_part",
    "": "now clock_timestamp transaction_timestamp current_user session_user gen_random_uuid clock",
    "int4, date, timestamptz": "sent_as_of",
    "int4, bytea, text, date, timestamptz": "sent_in_seven_days_as_of",
    "bytea, text": "sent_before_days",
    "bytea, jsonb": "is_sound_history",
    "jsonb": "jsonb_each",
    "int4, timestamptz": "next_credit_period",
    "int2": "window_days_array",
    "text, timestamptz, int4, timestamptz": "breaker_state",
    "text[]": "unnest cardinality",
    "uuid[]": "unnest cardinality",
    "int4[]": "unnest cardinality",
    "text[], uuid[]": "unnest confirm_many rollback_many",
    "int4, text, text": "dispatch",
    "text, int4": "left",
    "int4": "pg_stat_get_activity take_breaker_lines audit_events",
}
AGGREGATES = {"bool": "bool_or bool_and", "timestamptz": "max min", "int4": "max sum", "any": "count"}
TEMPORARY = """accounts send_operations linkedin_events breaker_log alerts admin_log pause_switch home_database
tier_overrides tier_defaults tiers error_rules error_rule_overrides error_rule_defaults enrollments
dispatch_queue dispatch_requests campaigns paused_campaigns campaign_events counter_drift cooldown_log reconcile_runs jobs credit_balances
breaker_outbox webhooks webhook_outbox pg_class pg_namespace
pg_timezone_names""".split()
ODD_SETTINGS = {
    "TimeZone": "Pacific/Kiritimati",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "transform_null_equals": "on",
    "standard_conforming_strings": "off",
    "quote_all_identifiers": "on",
    "array_nulls": "off",
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "off",
    "plan_cache_mode": "force_custom_plan",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "check_function_bodies": "off",
    "row_security": "off",
    "client_min_messages": "error",
    # With the switches above every plan is dear enough for it, where the server can.
    "jit": "on",
}


def test_planted_code_never_runs(env):
    provision_all(env)
    sender = login(env, "hostile_sender", "sendgate_sender")
    operator = login(env, "hostile_operator", "sendgate_operator")
    plant(env, sender)
    daemon = login(env, "hostile_daemon", "sendgate_daemon")
    honest = everything(env, sender, operator, "honest", None) | keeping(env, daemon, "honest", None)
    for number, path in enumerate(PATHS):
        account = f"path{number}"
        found = everything(env, sender, operator, account, path) | keeping(env, daemon, account, path)
        for call, expected in honest.items():
            equal(found[call], expected, f"with search_path {path}: {call}")
    fired = env.psql("SELECT is_called FROM hostile.fired")
    equal(fired, "f", "planted code ran")


def test_planted_code_would_run_where_it_is_called(env):
    """The trap works: without it the test above would prove nothing."""
    sender = login(env, "hostile_proof", "sendgate_sender")
    plant(env, sender)
    connection = env.connect(user=sender)
    connection.execute("SET search_path = hostile, pg_catalog")
    for sql in (
        "SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text",
        "SELECT max(1::pg_catalog.int4)",
        "SELECT lower('A'::pg_catalog.text)",
    ):
        try:
            connection.execute(sql)
            raise AssertionError(f"{sql} did not run planted code")
        except Exception as error:
            equal(getattr(error, "sqlstate", None), "HV000", f"SQLSTATE of {sql}")
    equal(env.psql("SELECT is_called FROM hostile.fired"), "t", "the trap's record")


def test_planted_code_never_runs_in_a_guarded_insert(env):
    """Nor before its commit, when rows are looked up with the rights of the table's owner."""
    provision_all(env)
    sender = login(env, "guard_sender", "sendgate_sender")
    plant(env, sender)
    for kind in ("uuid", "text", "varchar", "char(36)"):
        name = "guarded_" + kind[:4]
        env.psql(
            f"CREATE TABLE {name} (account text, prospect text, operation {kind}, chat text, error text,"
            " key int UNIQUE);"
            f"CREATE INDEX ON {name} (operation);"
            f"CREATE TRIGGER guard BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION"
            " sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');"
            f"CREATE TRIGGER settle AFTER UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION"
            " sendgate.settle_send('account', 'operation', 'chat', 'error');"
            f"GRANT SELECT, INSERT, UPDATE ON {name} TO {sender}"
        )
        connection = env.connect(user=sender)
        connection.execute(f"SET search_path = {PATHS[0]}")
        for prospect, key in ((f"{name} 1", 1), (f"{name} 2", 1), (f"{name} 3", 2)):
            connection.execute(
                f"INSERT INTO public.{name} VALUES ('honest', '{prospect}', NULL, NULL, NULL, {key})"
                " ON CONFLICT DO NOTHING"
            )
        connection.execute(f"UPDATE public.{name} SET chat = 'chat' WHERE key OPERATOR(pg_catalog.=) 1")
        states = "SELECT string_agg(state, ' ' ORDER BY prospect_id) FROM sendgate.send_operations"
        found = env.psql(f"{states} WHERE prospect_id LIKE '{name} %'")
        equal(found, "delivered released reserved", f"states with an operation id of type {kind}")
    equal(env.psql("SELECT is_called FROM hostile.fired"), "f", "planted code ran")


def test_odd_session_settings_change_no_answer(env):
    """Formats, planner switches and the like are the session's; the rules are not."""
    provision_all(env)
    sender = login(env, "odd_sender", "sendgate_sender")
    operator = login(env, "odd_operator", "sendgate_operator")
    daemon = login(env, "odd_daemon", "sendgate_daemon")
    honest = everything(env, sender, operator, "honest", None) | keeping(env, daemon, "honest", None)
    found = everything(env, sender, operator, "path0", None, ODD_SETTINGS)
    found |= keeping(env, daemon, "path0", None, ODD_SETTINGS)
    for call, expected in honest.items():
        equal(found[call], expected, f"with odd settings: {call}")


def provision_all(env) -> None:
    """The same account for each way of calling."""
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.now = '2026-05-20 12:00:00+00'")
    for name in ("honest", *(f"path{n}" for n in range(len(PATHS)))):
        provision(env, name)


def everything(env, sender, operator, account, path, settings=None) -> dict[str, object]:
    """Every function and view, first called in a session of that search path; the answers."""
    answers = {}
    for user, statements in ((sender, sender_calls()), (operator, operator_calls())):
        connection = session(env, user, path, settings)
        for number, statement in enumerate(statements, 1):
            answers[f"{user} {number}: {statement}"] = answer(connection, statement, account)
    return answers


def keeping(env, daemon, account, path, settings=None) -> dict[str, object]:
    """The jobs of the books, in a session of that search path, with something for each to do."""
    env.psql(
        f"""
        UPDATE sendgate.accounts SET inmails_sent_today = 99, invites_sent_today = 3 WHERE id = '{account}';
        UPDATE sendgate.send_operations
        SET reserved_at = reserved_at - interval '1 hour', expires_at = expires_at - interval '1 hour'
        WHERE account_id = '{account}' AND state = 'reserved';
        INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor)
        VALUES (gen_random_uuid(), '2025-01-01', '{account}', 'set', 'old', 'old');
        INSERT INTO sendgate.admin_log (id, at, account_id, actor, verb)
        VALUES (gen_random_uuid(), '2025-01-01', '{account}', 'old', 'old');
        UPDATE sendgate.jobs SET sweep_started_at = NULL, sweep_finished_at = NULL;
        """
    )
    connection = session(env, daemon, path, settings)
    numbered = enumerate(daemon_calls(), 1)
    return {f"keeping {n}: {call}": answer(connection, call, account) for n, call in numbered}


def session(env, user, path, settings):
    """A connection with a search path, the temporary tables that go with it, and settings."""
    connection = env.connect(user=user)
    for name, value in (settings or {}).items():
        connection.execute(f"SET {name} = '{value}'")
    if path:
        for table in TEMPORARY:
            connection.execute(f"CREATE TEMP TABLE {table} (id hostile.text, tier hostile.text)")
        connection.execute(f"SET search_path = {path}")
    return connection


def answer(connection, statement: str, account: str):
    """Rows, or the SQLSTATE; without what differs between accounts and calls."""
    try:
        cursor = connection.execute(statement.replace("@", account))
        rows = cursor.fetchall() if cursor.description else []
    except Exception as error:
        if getattr(error, "sqlstate", None) is None:
            raise
        return error.sqlstate
    return sorted(tuple(str(value).replace(account, "@") for value in row) for row in rows)


def plant(env, owner: str) -> None:
    """A schema of that role's, full of look-alikes that record that they ran, and raise."""
    body = "BEGIN PERFORM pg_catalog.nextval('hostile.fired'); RAISE EXCEPTION USING ERRCODE = 'HV000'; END"
    sql = [
        "DROP SCHEMA IF EXISTS hostile CASCADE",
        f"CREATE SCHEMA hostile AUTHORIZATION {owner}",
        "GRANT USAGE ON SCHEMA hostile TO PUBLIC",
        f"SET ROLE {owner}",
        "SET check_function_bodies = off",
        "CREATE SEQUENCE hostile.fired",
        "GRANT ALL ON SEQUENCE hostile.fired TO PUBLIC",
    ]

    def function(name: str, arguments: str, result: str) -> None:
        sql.append(
            f"CREATE OR REPLACE FUNCTION hostile.{name}({arguments}) RETURNS {result}"
            f" LANGUAGE plpgsql AS $body${body};$body$"
        )

    for kind in COMPARED:
        pair = f"pg_catalog.{kind}, pg_catalog.{kind}"
        function("compare", pair, "boolean")
        function("combine", pair, f"pg_catalog.{kind}")
        for name in ("=", "<>", "<", ">", "<=", ">="):
            sql.append(operator_of(name, kind, kind, "compare"))
        for name in ("+", "-", "||"):
            sql.append(operator_of(name, kind, kind, "combine"))
    for left, right in (("timestamptz", "interval"), ("int4", "int8"), ("int8", "int4"),
                        ("date", "int4"), ("text", "name"), ("name", "text"),
                        ("date", "timestamptz"), ("int2", "int4")):  # fmt: skip
        pair = f"pg_catalog.{left}, pg_catalog.{right}"
        function("compare", pair, "boolean")
        function("combine", pair, f"pg_catalog.{left}")
        for name, procedure in (("=", "compare"), ("<", "compare"), ("+", "combine"), ("-", "combine")):
            sql.append(operator_of(name, left, right, procedure))
    function("matches", "pg_catalog.text, pg_catalog.text", "boolean")
    sql.append(operator_of("~", "text", "text", "matches"))
    for arguments, names in FUNCTIONS.items():
        typed = ", ".join(f"pg_catalog.{a}" for a in arguments.split(", ") if a)
        for name in names.split():
            function(f'"{name}"', typed, "pg_catalog.text")
    for argument, names in AGGREGATES.items():
        kind = "pg_catalog.int4" if argument == "any" else f"pg_catalog.{argument}"
        function("step", f"pg_catalog.int8, {kind}", "pg_catalog.int8")
        for name in names.split():
            sql.append(
                f"CREATE AGGREGATE hostile.{name}({kind})"
                " (SFUNC = hostile.step, STYPE = pg_catalog.int8, INITCOND = '0')"
            )
    for kind in ("text", "uuid", "interval", "timestamptz", "jsonb", "decision", "int4", "date"):
        sql.append(f"CREATE TYPE hostile.{kind} AS (planted pg_catalog.int4)")
    for table in TEMPORARY:
        sql.append(f"CREATE TABLE hostile.{table} (id pg_catalog.text, tier pg_catalog.text)")
    # Casts of one's own types to everything, by planted functions.
    function("cast_away", "hostile.uuid", "pg_catalog.text")
    sql.append(
        "CREATE CAST (hostile.uuid AS pg_catalog.text) WITH FUNCTION hostile.cast_away(hostile.uuid) AS IMPLICIT"
    )
    env.psql(";\n".join(sql))


def operator_of(name: str, left: str, right: str, procedure: str) -> str:
    return (
        f"CREATE OPERATOR hostile.{name} (LEFTARG = pg_catalog.{left}, RIGHTARG = pg_catalog.{right},"
        f" FUNCTION = hostile.{procedure})"
    )
