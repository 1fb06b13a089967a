"""What a DBA may have put on one of our tables: triggers, rules, columns, constraints, indexes, row security.

Each is a piece of SQL in which ``{table}`` stands for the table, ``{index}`` for the index of its primary key, ``{key}`` for
the columns of that, ``{first}`` for the first of them as text.
"""

from dataclasses import dataclass

COLUMN = "of_a_dba"


@dataclass(frozen=True)
class Way:
    """``same``: each call writes what it always writes. ``refuses``: it does not, by an error, which ``dispatch`` may take
    for that of a row. ``drops``: no error is raised for rows that are left out, so ours has to be. ``lies``: the table says
    that rows were written, and has others; the books are then what it made of them. ``does``: only calls that insert,
    update or delete rows there meet it."""

    sql: str
    same: bool = False
    refuses: bool = False
    drops: bool = False
    lies: bool = False
    does: frozenset[str] = frozenset({"insert", "update", "delete"})
    since: int = 15


def _before(function: str, events: str = "INSERT OR UPDATE OR DELETE") -> str:
    # By name the last trigger, so that it meets rows as ours leave them.
    return f"CREATE TRIGGER z_of_a_dba BEFORE {events} ON {{table}} FOR EACH ROW EXECUTE FUNCTION public.{function}()"


def _after(function: str, events: str = "INSERT OR UPDATE OR DELETE") -> str:
    return f"CREATE TRIGGER a_of_a_dba AFTER {events} ON {{table}} FOR EACH ROW EXECUTE FUNCTION public.{function}()"


ADD = f"ALTER TABLE {{table}} ADD COLUMN {COLUMN} "
INSERTS, NEW_ROWS = frozenset({"insert"}), frozenset({"insert", "update"})
# Functions of the triggers, and what they leave behind.
PREPARE = """
CREATE TABLE public.noted (what text);
GRANT ALL ON public.noted TO PUBLIC;
CREATE FUNCTION public.leave_out() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE FUNCTION public.pass() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN COALESCE(NEW, OLD); END$$;
CREATE FUNCTION public.keep_as_it_was() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN COALESCE(OLD, NEW); END$$;
CREATE FUNCTION public.sign() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.of_a_dba := TG_OP; RETURN NEW; END$$;
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the DBA says no' USING ERRCODE = 'DB001'; END$$;
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.noted VALUES (TG_OP); RETURN NULL; END$$;
CREATE FUNCTION public.note_those() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.noted SELECT t::text FROM those t; RETURN NULL; END$$;
CREATE FUNCTION public.ask() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM sendgate.preview('a', 'inmail', 'p100');
        PERFORM FROM sendgate.preview('c', 'message', 'p1');
        RETURN NULL;
    END$$;
CREATE FUNCTION public.write_again() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_catalog.pg_trigger_depth() = 1 THEN
            EXECUTE format('UPDATE %I.%I t SET of_a_dba = ''again'' WHERE t = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME) USING NEW;
        END IF;
        RETURN NULL;
    END$$;
CREATE FUNCTION public.set_everything() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SET search_path = pg_temp, public, pg_catalog;
        SET TimeZone = 'Pacific/Apia';
        SET DateStyle = 'German, DMY';
        SET IntervalStyle = 'sql_standard';
        SET bytea_output = 'escape';
        SET extra_float_digits = -15;
        SET statement_timeout = '1h';
        SET lock_timeout = '1h';
        SET enable_indexscan = off;
        SET enable_bitmapscan = off;
        SET plan_cache_mode = force_custom_plan;
        SET work_mem = '64kB';
        SET jit_above_cost = 0;
        SET row_security = off;
        SET standard_conforming_strings = off;
        SET transform_null_equals = on;
        SET array_nulls = off;
        SET quote_all_identifiers = on;
        SET synchronous_commit = off;
        SET check_function_bodies = off;
        SET client_min_messages = error;
        SET constraint_exclusion = off;
        SET default_transaction_isolation = serializable;
        SET default_tablespace = '';
        SET default_toast_compression = pglz;
        RETURN COALESCE(NEW, OLD);
    END$$;
CREATE FUNCTION public.shown(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN $1; END$$;
CREATE FUNCTION public.fail(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        IF pg_catalog.current_setting('dba.may', true) = 'no' THEN
            RAISE EXCEPTION 'the DBA says no' USING ERRCODE = 'DB001';
        END IF;
        RETURN $1;
    END$$;
"""

WAYS: dict[str, Way] = {
    # Row triggers before.
    "a trigger leaves rows out": Way(_before("leave_out"), drops=True),
    "a trigger leaves new rows out": Way(_before("leave_out", "INSERT"), drops=True, does=INSERTS),
    "a trigger leaves deletions out": Way(_before("leave_out", "DELETE"), drops=True, does=frozenset({"delete"})),
    "a trigger passes rows": Way(_before("pass"), same=True),
    "a trigger keeps rows as they were": Way(_before("keep_as_it_was"), lies=True, does=frozenset({"update"})),
    "a trigger changes a column of its own": Way(ADD + "text; " + _before("sign", "INSERT OR UPDATE"), same=True),
    "a trigger refuses": Way(_before("refuse"), refuses=True),
    "a trigger that fires always": Way(
        _before("pass") + "; ALTER TABLE {table} ENABLE ALWAYS TRIGGER z_of_a_dba", same=True
    ),
    "a trigger that fires on replicas": Way(
        _before("refuse") + "; ALTER TABLE {table} ENABLE REPLICA TRIGGER z_of_a_dba", same=True
    ),
    "a trigger that is disabled": Way(_before("refuse") + "; ALTER TABLE {table} DISABLE TRIGGER z_of_a_dba", same=True),
    "a trigger that sets everything": Way(_before("set_everything"), same=True),
    # Triggers after.
    "a trigger notes rows": Way(_after("note"), same=True),
    "a trigger refuses afterwards": Way(_after("refuse"), refuses=True),
    "a trigger asks the gate": Way(_after("ask"), same=True),
    "a trigger writes the row again": Way(ADD + "text; " + _after("write_again", "INSERT OR UPDATE")),
    "a trigger before the statement": Way(
        "CREATE TRIGGER of_a_dba BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION public.note()", same=True
    ),
    "a trigger refuses the statement": Way(
        "CREATE TRIGGER of_a_dba BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION public.refuse()",
        refuses=True,
    ),
    "transition tables": Way(
        """CREATE TRIGGER i AFTER INSERT ON {table} REFERENCING NEW TABLE AS those EXECUTE FUNCTION public.note_those();
        CREATE TRIGGER u AFTER UPDATE ON {table} REFERENCING NEW TABLE AS those EXECUTE FUNCTION public.note_those();
        CREATE TRIGGER d AFTER DELETE ON {table} REFERENCING OLD TABLE AS those EXECUTE FUNCTION public.note_those()""",
        same=True,
    ),
    "a constraint trigger that is deferred": Way(
        """CREATE CONSTRAINT TRIGGER of_a_dba AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.note()""",
        same=True,
    ),
    "a constraint trigger that refuses the commit": Way(
        """CREATE CONSTRAINT TRIGGER of_a_dba AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.refuse()""",
        refuses=True,
    ),
    # Rules.
    "rules instead": Way(
        """CREATE RULE i AS ON INSERT TO {table} DO INSTEAD NOTHING; CREATE RULE u AS ON UPDATE TO {table} DO INSTEAD NOTHING;
        CREATE RULE d AS ON DELETE TO {table} DO INSTEAD NOTHING""",
        drops=True,
    ),
    "rules beside": Way(
        """CREATE RULE i AS ON INSERT TO {table} DO ALSO INSERT INTO public.noted VALUES ('i');
        CREATE RULE u AS ON UPDATE TO {table} DO ALSO INSERT INTO public.noted VALUES ('u');
        CREATE RULE d AS ON DELETE TO {table} DO ALSO INSERT INTO public.noted VALUES ('d')"""
    ),
    "rules that never apply": Way("CREATE RULE u AS ON UPDATE TO {table} WHERE false DO INSTEAD NOTHING"),
    # Columns.
    "a column": Way(ADD + "text", same=True),
    "a column with a constant": Way(ADD + "text NOT NULL DEFAULT 'constant'", same=True),
    "a column with a value for each row": Way(ADD + "uuid NOT NULL DEFAULT gen_random_uuid()", same=True),
    "a column that wants a value": Way(
        ADD + f"text NOT NULL DEFAULT 'x'; ALTER TABLE {{table}} ALTER COLUMN {COLUMN} DROP DEFAULT",
        refuses=True, does=INSERTS,
    ),
    "an identity column": Way(ADD + "bigint GENERATED ALWAYS AS IDENTITY", same=True),
    "a generated column": Way(ADD + "text GENERATED ALWAYS AS (public.shown({first})) STORED", same=True),
    "a generated column that fails": Way(
        "SET LOCAL dba.may = 'yes'; "
        + ADD
        + "text GENERATED ALWAYS AS (public.fail({first})) STORED; SET LOCAL dba.may = 'no'",
        refuses=True, does=INSERTS,
    ),
    "a virtual column": Way(ADD + "integer GENERATED ALWAYS AS (length('x')) VIRTUAL", same=True, since=18),
    "a column that was dropped": Way(
        ADD + f"text DEFAULT repeat('x', 3000); ALTER TABLE {{table}} DROP COLUMN {COLUMN}", same=True
    ),
    "columns whose defaults are gone": Way(
        """DO $do$ DECLARE c record; BEGIN
            FOR c IN SELECT attname FROM pg_attribute a WHERE attrelid = '{table}'::regclass AND atthasdef AND attgenerated = ''
            LOOP EXECUTE format('ALTER TABLE {table} ALTER COLUMN %I DROP DEFAULT', c.attname); END LOOP; END $do$"""
    ),
    "storage that is other": Way(
        """DO $do$ DECLARE c record; BEGIN
            FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND attstorage = 'x'
            LOOP EXECUTE format('ALTER TABLE {table} ALTER COLUMN %I SET STORAGE EXTERNAL', c.attname); END LOOP; END $do$;
        ALTER TABLE {table} SET (fillfactor = 10, toast_tuple_target = 128)""",
        same=True,
    ),
    # Constraints and indexes.
    "a CHECK that passes": Way("ALTER TABLE {table} ADD CHECK ({first} IS NOT NULL) NOT VALID", same=True),
    "a CHECK that asks for the table": Way("ALTER TABLE {table} ADD CHECK (tableoid = '{table}'::regclass) NOT VALID", same=True),
    "a CHECK that fails": Way("ALTER TABLE {table} ADD CHECK (false) NOT VALID", refuses=True, does=NEW_ROWS),
    "an index": Way("CREATE INDEX ON {table} ({key})", same=True),
    "an index of some rows": Way("CREATE INDEX ON {table} ({key}) WHERE {first} IS NOT NULL", same=True),
    "an index of an expression": Way("CREATE INDEX ON {table} (public.shown({first})) WHERE public.shown({first}) <> ''", same=True),
    "an index of an expression that fails": Way(
        "SET LOCAL dba.may = 'yes'; CREATE INDEX ON {table} (public.fail({first})); SET LOCAL dba.may = 'no'",
        refuses=True, does=INSERTS,
    ),
    "a BRIN index": Way("CREATE INDEX ON {table} USING brin ({key})", same=True),
    "a hash index": Way("CREATE INDEX ON {table} USING hash ((public.shown({first})))", same=True),
    "a GIN index": Way("CREATE INDEX ON {table} USING gin (to_tsvector('simple', public.shown({first})))", same=True),
    # PostgreSQL takes no part of a key that is deferred for ON CONFLICT.
    "a unique constraint that is deferred": Way("ALTER TABLE {table} ADD UNIQUE ({key}) DEFERRABLE INITIALLY DEFERRED"),
    "an exclusion constraint": Way("ALTER TABLE {table} ADD EXCLUDE USING btree ({excluded})", same=True),
    "a table that refers to it": Way(
        """CREATE TABLE public.child AS SELECT {key} FROM {table} LIMIT 0;
        ALTER TABLE public.child ADD FOREIGN KEY ({key}) REFERENCES {table} ({key}) ON UPDATE CASCADE ON DELETE CASCADE""",
        same=True,
    ),
    "a table that refers to its rows": Way(
        """CREATE TABLE public.child AS SELECT {key} FROM {table};
        ALTER TABLE public.child ADD FOREIGN KEY ({key}) REFERENCES {table} ({key})"""
    ),
    # Others.
    "row security": Way("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", same=True),
    "row security that is forced": Way("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"),
    "replica identity FULL": Way("ALTER TABLE {table} REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE {table}", same=True),
    "a publication without identity": Way(
        "ALTER TABLE {table} REPLICA IDENTITY NOTHING; CREATE PUBLICATION p FOR TABLE {table}",
        refuses=True, does=frozenset({"update", "delete"}),
    ),
    "UNLOGGED": Way("ALTER TABLE {table} SET UNLOGGED", same=True),
    "a table written anew": Way("CLUSTER {table} USING {index}", same=True),
    "rights taken from the owner": Way("REVOKE ALL ON {table} FROM sendgate_owner"),
    "a table that inherits": Way("CREATE TABLE public.heir () INHERITS ({table})"),
    "statistics": Way("ANALYZE {table}", same=True),
}  # fmt: skip
