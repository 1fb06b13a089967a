"""A table of sendgate's own that a DBA replaced by something else is refused, not read: the gate reads below the
planner, where what is no plain table has no methods, and a call of those ends the server."""

import re

import psycopg

from e2e.support import equal, operation, provision
from harness.places import REPO

CALLS = (
    "SELECT * FROM sendgate.preview('a', 'inmail', 'p')",
    "SELECT * FROM sendgate.reserve('a', 'inmail', 'p')",
    f"SELECT sendgate.confirm('a', '{operation(1)}', 'chat')",
    f"SELECT sendgate.rollback('a', '{operation(1)}')",
)
OTHERS = {
    "partitioned": """CREATE TABLE sendgate.{0} (LIKE sendgate.{0}_of_before INCLUDING ALL) PARTITION BY HASH ({1});
        CREATE TABLE sendgate.{0}_part PARTITION OF sendgate.{0} FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO sendgate.{0} SELECT * FROM sendgate.{0}_of_before""",
    "view": "CREATE VIEW sendgate.{0} AS SELECT * FROM sendgate.{0}_of_before",
    "materialized view": """CREATE MATERIALIZED VIEW sendgate.{0} AS SELECT * FROM sendgate.{0}_of_before;
        CREATE UNIQUE INDEX ON sendgate.{0} ({2})""",
    "foreign table": """CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
        CREATE FOREIGN TABLE sendgate.{0} (LIKE sendgate.{0}_of_before) SERVER nowhere""",
}
TABLES = {"accounts": ("id", "id"), "send_operations": ("account_id", "account_id, operation_id")}
# The other tables that look-ups read, each with a call that reads it.
READ = {
    "linkedin_events": CALLS[2],
    "suppressions": CALLS[1],
    "campaigns": "SELECT * FROM sendgate.reserve('a', 'message', 'p', 'k')",
    "paused_campaigns": "SELECT * FROM sendgate.dispatch(1)",
    "enrollments": "SELECT * FROM sendgate.dispatch(1)",
    "dispatch_queue": "SELECT * FROM sendgate.dispatch(1)",
}
# PostgreSQL 18 made the LIKE of a foreign table; earlier ones are told in another way.
UNDO = {
    "partitioned": "TABLE",
    "view": "VIEW",
    "materialized view": "MATERIALIZED VIEW",
    "foreign table": "FOREIGN TABLE",
}


def test_another_kind_of_relation_in_the_place_of_a_table(env):
    provision(env)
    connection = env.connect()
    connection.execute("SELECT sendgate.reserve('a', 'inmail', 'p', NULL, %s)", (operation(1),))
    pid = connection.info.backend_pid
    for table, (key, unique) in TABLES.items():
        for kind, sql in OTHERS.items():
            if kind == "foreign table" and env.cluster.install.major < 18:
                continue
            env.psql(f"ALTER TABLE sendgate.{table} RENAME TO {table}_of_before")
            env.psql(sql.format(table, key, unique))
            for call in CALLS:
                equal(refusal(connection, call), f"sendgate.{table} is no plain table", f"{call} with a {kind}")
            env.psql(f"DROP {UNDO[kind]} sendgate.{table}")
            env.psql("DROP FOREIGN DATA WRAPPER IF EXISTS nowhere CASCADE")
            env.psql(f"ALTER TABLE sendgate.{table}_of_before RENAME TO {table}")
            answer = connection.execute(CALLS[0]).fetchone()
            equal((answer[0], answer[2]), (False, "operation_in_flight"), f"preview after a {kind}")
    equal(connection.execute("SELECT pg_backend_pid()").fetchone(), (pid,), "the same backend")


def test_every_table_that_a_look_up_reads(env):
    sources = (path.read_text() for path in (REPO / "extension/src").rglob("*.rs"))
    looked_up = {name for text in sources for name in re.findall(r'Lookup::(?:new|ordered)\(\s*c"(\w+)"', text)}
    equal({*TABLES, *READ}, looked_up, "tables that the sources look up")
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p', 'a', 'message'), sendgate.enqueue('l', 'p', 'a', 'message')")
    env.psql("SELECT sendgate.suppress_prospect('x', 'test'), sendgate.set_campaign('k', message_limit => 5)")
    env.psql("SELECT sendgate.pause_campaign('l')")
    connection = env.connect()
    connection.execute("SELECT sendgate.reserve('a', 'inmail', 'p', NULL, %s)", (operation(1),))
    pid = connection.info.backend_pid
    for table, call in READ.items():
        env.psql(f"CREATE TABLE public.of_before AS SELECT * FROM sendgate.{table}")
        for kind in ("view", "heir"):
            before = f"{table}_of_before"
            if kind == "view":
                env.psql(f"ALTER TABLE sendgate.{table} RENAME TO {before}")
                env.psql(f"CREATE VIEW sendgate.{table} AS SELECT * FROM sendgate.{before}")
            else:
                env.psql(f"CREATE TABLE public.heir () INHERITS (sendgate.{table})")
            equal(refusal(connection, call), f"sendgate.{table} is no plain table", f"{call} with a {kind} of {table}")
            if kind == "view":
                env.psql(f"DROP VIEW sendgate.{table}")
                env.psql(f"ALTER TABLE sendgate.{before} RENAME TO {table}")
            else:
                env.psql("DROP TABLE public.heir")
        differ = f"TABLE public.of_before EXCEPT TABLE sendgate.{table}"
        equal(connection.execute(differ).fetchall(), [], f"rows of {table} that were changed")
        env.psql("DROP TABLE public.of_before")
    equal(connection.execute("SELECT pg_backend_pid()").fetchone(), (pid,), "the same backend")
    for call in READ.values():
        connection.execute(call)


def test_a_column_of_a_dba_in_rows_that_a_function_returns(env):
    provision(env)
    connection = env.connect()
    pid = connection.info.backend_pid
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    env.psql("ALTER TABLE sendgate.breaker_log ADD COLUMN of_a_dba text DEFAULT 'hers'")
    taken = "SELECT action, of_a_dba FROM sendgate.take_breaker_lines(10)"
    equal(connection.execute(taken).fetchall(), [("set", None)], "a line")
    env.psql("ALTER TABLE sendgate.breaker_log DROP COLUMN of_a_dba")
    env.psql("SELECT sendgate.breaker_clear('a', 'test')")
    equal(connection.execute("SELECT action FROM sendgate.take_breaker_lines(10)").fetchall(), [("clear",)], "another")
    equal(connection.execute("SELECT pg_backend_pid()").fetchone(), (pid,), "the same backend")


def test_another_access_method_or_tables_that_inherit(env):
    provision(env)
    connection = env.connect()
    connection.execute("SELECT sendgate.reserve('a', 'inmail', 'p', NULL, %s)", (operation(1),))
    env.psql("CREATE ACCESS METHOD heap_2 TYPE TABLE HANDLER heap_tableam_handler")
    for table in TABLES:
        for change, undo in (
            (
                f"ALTER TABLE sendgate.{table} SET ACCESS METHOD heap_2",
                f"ALTER TABLE sendgate.{table} SET ACCESS METHOD heap",
            ),
            (f"CREATE TABLE public.heir () INHERITS (sendgate.{table})", "DROP TABLE public.heir"),
        ):
            env.psql(change)
            for call in CALLS:
                equal(refusal(connection, call), f"sendgate.{table} is no plain table", f"{call} after {change}")
            env.psql(undo)
            answer = connection.execute(CALLS[0]).fetchone()
            equal((answer[0], answer[2]), (False, "operation_in_flight"), f"preview after {undo}")


def test_tables_are_heap_whatever_a_database_prefers(env):
    name = env.fresh_database(extension=False)
    with env.connect(dbname=name) as connection:
        connection.execute("CREATE ACCESS METHOD heap_2 TYPE TABLE HANDLER heap_tableam_handler")
        connection.execute("SET default_table_access_method = heap_2")
        connection.execute("CREATE EXTENSION sendgate")
        sql = """SELECT DISTINCT a.amname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam
                 WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r'"""
        equal(connection.execute(sql).fetchall(), [("heap",)], "access methods")
        equal(connection.execute("SHOW default_table_access_method").fetchone(), ("heap_2",), "the session's own")


def refusal(connection, call: str) -> str:
    try:
        return f"answered {connection.execute(call).fetchall()}"
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        return error.diag.message_primary
