-- What an application's trigger raises on our tables reaches the caller as it is: SQLSTATE, message,
-- DETAIL, HINT, CONTEXT and names, also where PostgreSQL has never heard of the SQLSTATE.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('foreign/a', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('foreign/a', 'inmail', 'p1', 'c1', contract.op(1));

CREATE FUNCTION contract.complains_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the CRM does not know %', NEW.prospect_id
        USING ERRCODE = 'APP01', DETAIL = 'It was deleted.', HINT = 'Import it again.';
END
$$;
CREATE TRIGGER complains_83 AFTER INSERT ON sendgate.linkedin_events FOR EACH ROW EXECUTE FUNCTION contract.complains_83();
SELECT contract.books() AS before \gset
SELECT code, message, detail, hint FROM contract.error($$SELECT sendgate.confirm('foreign/a', contract.op(1), 'chat 1')$$);
-- One that was met and overcome before does not stand for it.
CREATE OR REPLACE FUNCTION contract.complains_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        RAISE EXCEPTION 'overcome' USING ERRCODE = 'APP00';
    EXCEPTION WHEN SQLSTATE 'APP00' THEN
        RAISE LOG 'as expected';
    END;
    RAISE EXCEPTION 'the table is %', 'full' USING ERRCODE = current_setting('contract.code_83');
END
$$;
SELECT input.sqlstate, e.code, e.message
FROM (VALUES (1, 'APP02'), (2, '23505'), (3, '53100'), (4, 'XX000'), (5, 'P0001'), (6, 'SG301')) AS input (n, sqlstate)
CROSS JOIN LATERAL contract.error(
    format($$SELECT set_config('contract.code_83', %L, true), sendgate.confirm('foreign/a', contract.op(1), 'chat 1')$$, input.sqlstate)
) AS e
ORDER BY input.n;
-- One that a handler raises anew, after it has told of it, has asked us something, and has overcome
-- other errors.
CREATE OR REPLACE FUNCTION contract.complains_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the CRM is closed' USING ERRCODE = 'APP03';
EXCEPTION WHEN SQLSTATE 'APP03' THEN
    RAISE LOG 'as expected';
    PERFORM sendgate.preview('foreign/a', 'message');
    BEGIN
        PERFORM sendgate.preview('foreign/nobody', 'message');
    EXCEPTION WHEN SQLSTATE 'SG101' THEN
        BEGIN
            PERFORM 1 / 0;
        EXCEPTION WHEN division_by_zero THEN
            RAISE LOG 'as expected';
        END;
    END;
    RAISE;
END
$$;
SELECT code, message FROM contract.error($$SELECT sendgate.confirm('foreign/a', contract.op(1), 'chat 1')$$);
-- One that calls our own functions.
CREATE OR REPLACE FUNCTION contract.complains_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sendgate.enqueue(NEW.campaign_id, NEW.prospect_id, 'foreign/nobody', 'message');
    RETURN NULL;
END
$$;
SELECT code, message FROM contract.error($$SELECT sendgate.confirm('foreign/a', contract.op(1), 'chat 1')$$);
SELECT code, message FROM contract.error($$SELECT * FROM sendgate.confirm_many(ARRAY['foreign/a'], ARRAY[contract.op(1)], ARRAY['chat 1'])$$);
SELECT contract.books() = :'before' AS nothing_changed;
DROP TRIGGER complains_83 ON sendgate.linkedin_events;
SELECT sendgate.confirm('foreign/a', contract.op(1), 'chat 1') IS NOT NULL AS confirmed;

-- In a batch it is the row's fault, whatever its SQLSTATE; the others are handed out.
CREATE FUNCTION contract.refuses_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.prospect_id = 'p2' THEN
        RAISE EXCEPTION 'do not contact %', NEW.prospect_id USING ERRCODE = 'APP01';
    END IF;
    IF NEW.prospect_id = 'p4' THEN
        PERFORM sendgate.set_status('foreign/nobody', 'paused', 'test');
    END IF;
    RETURN NEW;
END
$$;
SELECT sendgate.upsert_account('foreign/b', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p' || n, 'foreign/b', 'message') FROM generate_series(1, 5) AS n;
CREATE TRIGGER refuses_83 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.refuses_83();
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'foreign/b') ORDER BY prospect_id;
SELECT prospect_id, state, reason, error FROM contract.work WHERE account_id = 'foreign/b' ORDER BY prospect_id;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'foreign/b' AND action = 'message';
-- Also at a level at which the server logs the abort of the subtransaction.
SELECT sendgate.upsert_account('foreign/c', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p' || n, 'foreign/c', 'message') FROM generate_series(2, 3) AS n;
SET log_min_messages = 'debug5';
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'foreign/c');
RESET log_min_messages;
SELECT prospect_id, state, error FROM contract.work WHERE account_id = 'foreign/c' ORDER BY prospect_id;
DROP TRIGGER refuses_83 ON sendgate.send_operations;

-- Work that cannot be moved is not taken for work that is there already, and tried again.
CREATE OR REPLACE FUNCTION contract.refuses_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not in spring' USING ERRCODE = current_setting('contract.code_83');
END
$$;
SELECT sendgate.enqueue('moved 83', 'p9', 'foreign/c', 'invite') AS is_new;
CREATE TRIGGER refuses_83 BEFORE UPDATE ON sendgate.enrollments FOR EACH ROW EXECUTE FUNCTION contract.refuses_83();
SELECT input.sqlstate, e.code, e.message
FROM (VALUES (1, 'APP01'), (2, 'P0001')) AS input (n, sqlstate)
CROSS JOIN LATERAL contract.error(
    format($$SELECT set_config('contract.code_83', %L, true), sendgate.switch_action('moved 83', 'invite', 'inmail')$$, input.sqlstate)
) AS e
ORDER BY input.n;
DROP TRIGGER refuses_83 ON sendgate.enrollments;

-- All that an error says: what it is about, and where it was raised, each place once.
CREATE FUNCTION contract.whole_83(
    statement text,
    OUT code text,
    OUT message text,
    OUT names text[],
    OUT context text
)
LANGUAGE plpgsql AS $$
DECLARE
    schema_name text; table_name text; column_name text; type_name text; constraint_name text;
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT,
        schema_name = SCHEMA_NAME, table_name = TABLE_NAME, column_name = COLUMN_NAME,
        type_name = PG_DATATYPE_NAME, constraint_name = CONSTRAINT_NAME;
    names := ARRAY[schema_name, table_name, column_name, type_name, constraint_name];
    -- Our own statement is not what this is about.
    context := regexp_replace(context, 'SQL statement "(WITH|INSERT|UPDATE)[^"]*"', 'SQL statement "\1 …"');
END
$$;
SELECT sendgate.upsert_account('foreign/d', 'sales_navigator');
ALTER TABLE sendgate.send_operations ADD CONSTRAINT known_83 CHECK (prospect_id <> 'p83') NOT VALID;
SELECT * FROM contract.whole_83($$SELECT sendgate.reserve('foreign/d', 'invite', 'p83', NULL, contract.op(83))$$) \gx
SELECT sendgate.enqueue('83', 'p83', 'foreign/d', 'invite') AS is_new;
SELECT * FROM sendgate.dispatch(1, NULL, 'foreign/d');
SELECT state, error FROM contract.work WHERE account_id = 'foreign/d';
ALTER TABLE sendgate.send_operations DROP CONSTRAINT known_83;
CREATE FUNCTION contract.names_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no such column' USING ERRCODE = 'APP83', SCHEMA = 'crm', TABLE = 'people', COLUMN = 'name',
        DATATYPE = 'name_type', CONSTRAINT = 'named';
END
$$;
CREATE TRIGGER names_83 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.names_83();
SELECT * FROM contract.whole_83($$SELECT sendgate.reserve('foreign/d', 'invite', 'p1')$$) \gx
DROP TRIGGER names_83 ON sendgate.send_operations;
-- Two errors with one message, where the later one is overcome and the first one is raised anew.
CREATE FUNCTION contract.twice_83() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the same words' USING ERRCODE = 'APP84';
EXCEPTION WHEN SQLSTATE 'APP84' THEN
    BEGIN
        RAISE EXCEPTION 'the same words' USING ERRCODE = 'APP85';
    EXCEPTION WHEN SQLSTATE 'APP85' THEN
        RAISE LOG 'as expected';
    END;
    RAISE;
END
$$;
CREATE TRIGGER twice_83 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.twice_83();
SELECT code, message FROM contract.error($$SELECT sendgate.reserve('foreign/d', 'invite', 'p1')$$);
DROP TRIGGER twice_83 ON sendgate.send_operations;
-- One that is raised while our statement is planned, when a default of a DBA's column is computed beforehand.
CREATE FUNCTION contract.default_83(value integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE EXCEPTION 'no number %', value USING ERRCODE = 'APP87';
END
$$;
ALTER TABLE sendgate.send_operations ADD COLUMN of_a_dba integer;
ALTER TABLE sendgate.send_operations ALTER COLUMN of_a_dba SET DEFAULT contract.default_83(83);
SELECT * FROM contract.whole_83($$SELECT sendgate.reserve('foreign/d', 'invite', 'p1')$$) \gx
ALTER TABLE sendgate.send_operations DROP COLUMN of_a_dba;
