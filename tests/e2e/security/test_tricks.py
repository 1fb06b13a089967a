"""A login, with one of the roles or with none, tries to get more than it was granted.

The tricks come from the catalog, so a new table, function, type, trigger or setting is tried as well.
Everything is refused with 42501, or with the error that says it can never be done; and afterwards the
catalog is unchanged.
"""

from e2e.security.test_privileges import READ_BY_FEW, READABLE
from e2e.support import ROLES, equal, login
from upgrade import catalog

NAMES = """
SELECT c.relkind::text, c.oid::pg_catalog.regclass::text, c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind NOT IN ('c') ORDER BY 1, 2"""
ROUTINES = """
SELECT p.prokind::text, p.oid::pg_catalog.regprocedure::text, p.prosrc, pg_catalog.pg_get_functiondef(p.oid)
FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace ORDER BY 2"""
TYPES = """
SELECT t.typtype::text, t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace AND t.typcategory <> 'A'
AND coalesce(c.relkind, 'c') = 'c' ORDER BY 2"""
TRIGGERS = """
SELECT t.tgrelid::pg_catalog.regclass::text, t.tgname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND NOT t.tgisinternal ORDER BY 1, 2"""
CONSTRAINTS = """
SELECT n.conrelid::pg_catalog.regclass::text, n.conname FROM pg_catalog.pg_constraint n
WHERE n.connamespace = 'sendgate'::pg_catalog.regnamespace AND n.conrelid <> 0 ORDER BY 1, 2"""
SETTINGS = "SELECT name, context, setting FROM pg_catalog.pg_settings WHERE name LIKE 'sendgate.%' ORDER BY 1"
# The one setting that a session may make, and that is believed from members of sendgate_daemon only.
OPEN_SETTINGS = ["sendgate.actor", "sendgate.in_transaction"]

REFUSED = "42501"
# PostgreSQL refuses a view that cannot be written through before it looks at any rights.
NEVER = "55000"
# Syntax, columns, objects, functions and tables that are not there.
MALFORMED = ("42601", "42703", "42704", "42883", "42P01")
# Settings of the configuration file alone.
FIXED = "55P02"


def test_nobody_gets_beyond_the_grants(env):
    before = catalog.facts(env.connect())
    for role in (*ROLES, None):
        user = login(env, f"trick_{role}", *filter(None, [role]))
        env.psql(f'GRANT CREATE ON SCHEMA public TO "{user}"; GRANT CREATE ON DATABASE {env.dbname} TO "{user}"')
        connection = env.connect(user=user, autocommit=False)
        alone = env.connect(user=user)
        for sql, codes in (*on_relations(env, user, role), *on_routines(env, user), *on_types(env, user),
                           *elsewhere(env, user)):  # fmt: skip
            # These run outside a transaction, and are not undone should they be let through.
            tried = attempt(alone if sql.startswith(("ALTER SYSTEM", "CREATE SUBSCRIPTION")) else connection, sql)
            assert tried in codes, f"{role or 'no role'}: {sql}: {tried or 'went through'}"
        for sql in grants(env, user):
            # A role that has a right without grant option only gets a warning. The catalog, compared below, shows
            # that nothing was granted.
            assert attempt(connection, sql, commit=True) in (REFUSED, None), sql
    told = catalog.differences(catalog.facts(env.connect()), before)
    equal(told, [], "the catalog after all tricks")


def test_a_superuser_is_let_through(env):
    """The tricks are well-formed: for a superuser each of them works, or fails for another reason than rights."""
    user = login(env, "trick_superuser")
    env.psql(f'ALTER ROLE "{user}" SUPERUSER')
    connection = env.connect(user=user, autocommit=False)
    tricks = [sql for sql, _ in (*on_relations(env, user, None), *on_routines(env, user), *on_types(env, user))]
    codes = {sql: attempt(connection, sql) for sql in tricks if "COPY" not in sql}
    malformed = {sql: code for sql, code in codes.items() if code in (REFUSED, *MALFORMED)}
    equal(malformed, {}, "tricks that prove nothing")
    through = sum(code is None for code in codes.values())
    assert through > 0.8 * len(codes), f"only {through} of {len(codes)} tricks would work"


def test_no_role_makes_a_setting(env):
    """Every setting there is, in every way there is."""
    known = env.connect()
    known.execute("SELECT sendgate.clock()")
    settings = known.execute(SETTINGS).fetchall()
    assert len(settings) > 8, settings
    equal([name for name, context, _ in settings if context == "user"], OPEN_SETTINGS, "settings open to every user")
    closed = [(name, context, value or "1s") for name, context, value in settings if context != "user"]
    for role in ROLES:
        user = login(env, f"setting_{role}", role)
        connection = env.connect(user=user)
        connection.execute("SELECT sendgate.clock()")
        for name, context, value in closed:
            for sql in (f"SET {name} = '{value}'", f"SELECT pg_catalog.set_config('{name}', '{value}', false)"):
                code = REFUSED if context == "superuser" else FIXED
                equal(attempt(connection, sql), code, f"{role}: {sql}")
            for sql in (f"ALTER SYSTEM SET {name} = '{value}'", f"ALTER DATABASE {env.dbname} SET {name} = '{value}'",
                        f"ALTER ROLE ALL SET {name} = '{value}'"):  # fmt: skip
                equal(attempt(connection, sql), REFUSED, f"{role}: {sql}")
        # Before the library is loaded PostgreSQL knows none of the names, and lets every user set them.
        early = env.connect(user=user)
        for name, _, _ in closed:
            attempt(early, f"SET {name} = '7'")
            attempt(early, f"ALTER ROLE \"{user}\" SET {name} = '7'")
        for session in (early, env.connect(user=user)):
            session.execute("SELECT sendgate.clock()")
            equal(session.execute(SETTINGS).fetchall(), settings, f"{role}: settings that were made early")


def on_relations(env, user: str, role: str | None):
    """What can be done to a table, a view or an index, and may not."""
    readable = set()
    if role is not None and role != ROLES[0]:
        readable = {*READABLE, *(name for name, readers in READ_BY_FEW.items() if role in readers)}
    for kind, name, short in env.connect().execute(NAMES).fetchall():
        reads = short in readable
        if kind == "i":
            yield from refused(f"DROP INDEX {name}", f"ALTER INDEX {name} RENAME TO mine",
                               f"ALTER INDEX {name} SET (fillfactor = 50)", f"REINDEX INDEX {name}",
                               f"COMMENT ON INDEX {name} IS 'x'")  # fmt: skip
            continue
        thing = "VIEW" if kind == "v" else "TABLE"
        column = env.psql(f"SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum = 1")
        for write in (f"INSERT INTO {name} DEFAULT VALUES", f"DELETE FROM {name}",
                      f'UPDATE {name} SET "{column}" = "{column}"'):  # fmt: skip
            yield write, (REFUSED, NEVER) if kind == "v" else (REFUSED,)
        if not reads:
            yield from refused(f"SELECT * FROM {name}", f"SELECT count(*) FROM {name}", f'SELECT "{column}" FROM {name}',
                               f"COPY (SELECT * FROM {name}) TO STDOUT", f"CREATE TABLE public.mine (LIKE {name})",
                               f"LOCK TABLE {name} IN ACCESS SHARE MODE", f"EXPLAIN ANALYZE SELECT * FROM {name}")  # fmt: skip
            for options in ("", " WITH (security_invoker)", " WITH (security_barrier)"):
                own = f"CREATE VIEW public.mine{options} AS SELECT * FROM {name}; SELECT * FROM public.mine"
                yield own, (REFUSED,)
        yield from refused(
            f"LOCK TABLE {name} IN SHARE MODE", f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
            f'ALTER {thing} {name} OWNER TO "{user}"', f"ALTER {thing} {name} RENAME TO mine",
            f"ALTER {thing} {name} SET SCHEMA public", f"DROP {thing} {name} CASCADE",
            f"CREATE RULE mine AS ON INSERT TO {name} DO ALSO SELECT 1", f"COMMENT ON {thing} {name} IS 'x'",
            f"COMMENT ON COLUMN {name}.{column} IS 'x'",
        )  # fmt: skip
        if kind == "v":
            yield from refused(f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS x",
                               f'ALTER VIEW {name} ALTER COLUMN "{column}" SET DEFAULT NULL')  # fmt: skip
            continue
        yield from refused(
            f"SELECT 1 FROM {name} FOR KEY SHARE", f"SELECT 1 FROM {name} FOR UPDATE", f"COPY {name} FROM STDIN",
            f"TRUNCATE {name}", f"MERGE INTO {name} USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
            f"ALTER TABLE {name} ADD COLUMN mine int", f'ALTER TABLE {name} DROP COLUMN "{column}"',
            f'ALTER TABLE {name} ALTER COLUMN "{column}" SET DEFAULT NULL', f"ALTER TABLE {name} DISABLE TRIGGER ALL",
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {name} SET UNLOGGED",
            f"ALTER TABLE {name} REPLICA IDENTITY FULL", f"CREATE POLICY mine ON {name}",
            f'CREATE INDEX mine ON {name} ("{column}")', f'CREATE STATISTICS public.mine ON ("{column}"::text) FROM {name}',
            f"CREATE TRIGGER mine AFTER INSERT ON {name} EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
            f"CREATE TABLE public.mine () INHERITS ({name})", f"CREATE TABLE public.mine (x text REFERENCES {name})",
            f"CREATE PUBLICATION mine FOR TABLE {name}",
        )  # fmt: skip
    for name, trigger in env.connect().execute(TRIGGERS).fetchall():
        yield from refused(f"DROP TRIGGER {trigger} ON {name}", f"ALTER TABLE {name} DISABLE TRIGGER {trigger}")
    for name, constraint in env.connect().execute(CONSTRAINTS).fetchall():
        yield from refused(f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")


def on_routines(env, user: str):
    """What can be done to a function besides calling it, which test_privileges.py tries."""
    for kind, name, symbol, definition in env.connect().execute(ROUTINES).fetchall():
        yield from refused(
            f'ALTER ROUTINE {name} OWNER TO "{user}"', f"ALTER ROUTINE {name} RENAME TO mine",
            f"ALTER ROUTINE {name} SET SCHEMA public", f"ALTER ROUTINE {name} SET search_path = public",
            f"ALTER ROUTINE {name} SECURITY INVOKER", f"DROP ROUTINE {name} CASCADE",
            f"COMMENT ON ROUTINE {name} IS 'x'", definition,
        )  # fmt: skip
        if kind == "f" and symbol.startswith("sendgate_"):
            # The same code under a declaration of one's own: with other types, and one's own rights.
            mine = f"CREATE FUNCTION public.mine(internal) RETURNS text LANGUAGE c AS '$libdir/sendgate', '{symbol}'"
            yield from refused(mine)


def on_types(env, user: str):
    """What can be done to a type; a domain may not even be used."""
    for kind, name in env.connect().execute(TYPES).fetchall():
        thing = "DOMAIN" if kind == "d" else "TYPE"
        yield from refused(f'ALTER {thing} {name} OWNER TO "{user}"', f"ALTER {thing} {name} RENAME TO mine",
                           f"ALTER {thing} {name} SET SCHEMA public", f"DROP {thing} {name} CASCADE",
                           f"CREATE CAST ({name} AS xid) WITH INOUT AS IMPLICIT", f"COMMENT ON {thing} {name} IS 'x'")  # fmt: skip
        if kind == "d":
            yield from refused(f"ALTER DOMAIN {name} ADD CHECK (true)", f"ALTER DOMAIN {name} DROP NOT NULL",
                               f"CREATE TABLE public.mine (x {name})",
                               f"CREATE FUNCTION public.mine(x {name}) RETURNS int LANGUAGE sql RETURN 1")  # fmt: skip
        else:
            yield from refused(f"ALTER TYPE {name} ADD ATTRIBUTE mine int")


def elsewhere(env, user: str):
    """The schema, the extension, the roles, and ways around them through the server."""
    for role in ("sendgate_owner", *ROLES):
        yield from refused(f'GRANT {role} TO "{user}" WITH ADMIN OPTION', f"ALTER ROLE {role} LOGIN", f"DROP ROLE {role}",
                           f"COMMENT ON ROLE {role} IS 'x'", f"ALTER ROLE {role} SET search_path = public")  # fmt: skip
        if not env.connect(user=user).execute("SELECT pg_has_role(%s, 'MEMBER')", (role,)).fetchone()[0]:
            yield from refused(f"SET ROLE {role}", f"REASSIGN OWNED BY {role} TO \"{user}\"", f"DROP OWNED BY {role}",
                               f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT ALL ON TABLES TO PUBLIC")  # fmt: skip
    yield from refused(
        "CREATE TABLE sendgate.mine ()", "CREATE VIEW sendgate.mine AS SELECT 1", "CREATE SEQUENCE sendgate.mine",
        "CREATE FUNCTION sendgate.mine() RETURNS int LANGUAGE sql RETURN 1", "CREATE TYPE sendgate.mine AS (x int)",
        "CREATE DOMAIN sendgate.mine AS int", "CREATE COLLATION sendgate.mine FROM \"C\"",
        "CREATE OPERATOR sendgate.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)",
        "CREATE AGGREGATE sendgate.max(text) (SFUNC = pg_catalog.text_larger, STYPE = text)",
        f'ALTER SCHEMA sendgate OWNER TO "{user}"', "ALTER SCHEMA sendgate RENAME TO mine",
        "DROP SCHEMA sendgate CASCADE", "COMMENT ON SCHEMA sendgate IS 'x'", "DROP EXTENSION sendgate CASCADE",
        "ALTER EXTENSION sendgate DROP FUNCTION sendgate.clock()", "ALTER EXTENSION sendgate ADD SCHEMA public",
        "ALTER EXTENSION sendgate UPDATE TO '0.1.0'", "COMMENT ON EXTENSION sendgate IS 'x'",
        "SET SESSION AUTHORIZATION postgres", "SET ROLE postgres", "SET session_replication_role = replica",
        "SET session_preload_libraries = 'sendgate'", "SET zero_damaged_pages = on", "SET log_statement = 'none'",
        "LOAD 'sendgate'", "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION sendgate.append_only()",
        "CREATE LANGUAGE mine HANDLER plpgsql_call_handler", "CREATE SUBSCRIPTION mine CONNECTION '' PUBLICATION p",
        "CREATE PUBLICATION mine FOR ALL TABLES", "CREATE PUBLICATION mine FOR TABLES IN SCHEMA sendgate",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
        "CREATE TABLE public.mine (x text); CREATE TRIGGER mine BEFORE INSERT ON public.mine FOR EACH ROW"
        " EXECUTE FUNCTION sendgate.journal_event()",
        "CREATE TABLE public.mine (x text); CREATE TRIGGER mine BEFORE INSERT ON public.mine FOR EACH ROW"
        " EXECUTE FUNCTION sendgate.append_only()",
        "CREATE TABLE public.mine (x text); CREATE TRIGGER mine AFTER INSERT ON public.mine FOR EACH STATEMENT"
        " EXECUTE FUNCTION sendgate.config_changed()",
        "SELECT pg_catalog.pg_read_file('postgresql.conf')", "SELECT pg_catalog.pg_read_binary_file('PG_VERSION')",
        "SELECT pg_catalog.pg_ls_dir('.')", "SELECT pg_catalog.pg_stat_file('PG_VERSION')",
        "SELECT pg_catalog.lo_import('/etc/hostname')", "SELECT pg_catalog.pg_reload_conf()",
        "SELECT pg_catalog.lo_export(lo_create(0), '/tmp/mine')", "COPY (SELECT 1) TO '/tmp/mine'",
        "COPY (SELECT 1) TO PROGRAM 'cat'", "SELECT pg_catalog.pg_promote()", "SELECT pg_catalog.pg_switch_wal()",
        "SELECT pg_catalog.pg_create_logical_replication_slot('mine', 'pgoutput')", "CHECKPOINT",
        "UPDATE pg_catalog.pg_proc SET proacl = NULL", "DELETE FROM pg_catalog.pg_depend",
        "SELECT rolpassword FROM pg_catalog.pg_authid", "ALTER SYSTEM SET work_mem = '1MB'",
    )  # fmt: skip


def grants(env, user: str) -> list[str]:
    """Pass on a right that the role has; no role may."""
    relations = [row[1] for row in env.connect().execute(NAMES).fetchall() if row[0] != "i"]
    routines = [row[1] for row in env.connect().execute(ROUTINES).fetchall()]
    types = [row[1] for row in env.connect().execute(TYPES).fetchall()]
    return [
        f'GRANT ALL ON SCHEMA sendgate TO "{user}"',
        "GRANT USAGE ON SCHEMA sendgate TO PUBLIC",
        *(f"GRANT ALL ON TABLE {name} TO PUBLIC" for name in relations),
        *(f'GRANT SELECT, INSERT ON TABLE {name} TO "{user}"' for name in relations),
        *(f"GRANT EXECUTE ON ROUTINE {name} TO PUBLIC" for name in routines),
        *(f"REVOKE EXECUTE ON ROUTINE {name} FROM sendgate_sender CASCADE" for name in routines),
        *(f"GRANT USAGE ON TYPE {name} TO PUBLIC" for name in types),
    ]


def refused(*statements: str):
    """Statements that no role may run, with the one SQLSTATE for that."""
    for sql in statements:
        yield sql, (REFUSED,)


def attempt(connection, sql: str, commit: bool = False) -> str | None:
    """Try a statement and, unless told otherwise, undo it; its SQLSTATE if it failed."""
    try:
        connection.execute(sql, prepare=False)
        if commit:
            connection.commit()
        return None
    except Exception as error:
        if getattr(error, "sqlstate", None) is None:
            raise AssertionError(f"{sql}: {error!r}") from error
        return error.sqlstate
    finally:
        connection.rollback()
