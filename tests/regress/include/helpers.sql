\set ECHO none
-- Included at the top of every file, with echo off:
--
--     \getenv abs_srcdir PG_ABS_SRCDIR
--     \set helpers :abs_srcdir '/include/helpers.sql'
--     \i :helpers
--
-- The files run in the order of their names in one database, and each also runs alone; so each uses
-- accounts of its own, named after the file, and sets its own clock.
\pset null -
SET client_min_messages = 'error';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';

CREATE SCHEMA IF NOT EXISTS contract;

-- A readable operation id: contract.op(7) is 00000000-0000-0000-0000-000000000007.
CREATE OR REPLACE FUNCTION contract.op(number integer) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN lpad(number::text, 32, '0')::uuid;

-- How a statement fails, with all that the client is told. Whatever it did is undone, also when it
-- did not fail.
CREATE OR REPLACE FUNCTION contract.error(
    statement text,
    OUT code text,
    OUT message text,
    OUT detail text,
    OUT hint text
)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION 'no error' USING ERRCODE = '00001';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;

-- The constraint that a statement violates.
CREATE OR REPLACE FUNCTION contract.violates(
    statement text,
    OUT code text,
    OUT name text
)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION 'no error' USING ERRCODE = '00001';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        code = RETURNED_SQLSTATE, name = CONSTRAINT_NAME;
    IF name = '' THEN
        GET STACKED DIAGNOSTICS name = COLUMN_NAME;
    END IF;
END
$$;

-- What the gate would answer at an instant.
CREATE OR REPLACE FUNCTION contract.preview_at(
    instant timestamptz,
    account_id text,
    action text,
    prospect_id text DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('sendgate.now', true);
    answer sendgate.decision;
BEGIN
    PERFORM set_config('sendgate.now', to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'), false);
    answer := sendgate.preview(account_id, action, prospect_id);
    PERFORM set_config('sendgate.now', coalesce(before, ''), false);
    RETURN answer;
END
$$;

-- Campaign work without what differs from run to run.
CREATE OR REPLACE VIEW contract.work AS
SELECT e.account_id, e.campaign_id, e.prospect_id, e.action, e.state, e.next_dispatch_at AS due_at, e.attempts, e.reason, e.error
FROM sendgate.enrollments e;

-- When dispatch looks at an account's work next.
CREATE OR REPLACE VIEW contract.tickets AS
SELECT q.account_id, q.action, q.due_at FROM sendgate.dispatch_queue q;

-- The latest operation that was handed out for a prospect: dispatch makes the ids itself.
CREATE OR REPLACE FUNCTION contract.handed(account text, prospect text, of_action text DEFAULT 'inmail') RETURNS uuid
LANGUAGE sql
BEGIN ATOMIC
    SELECT o.operation_id
    FROM sendgate.send_operations o
    WHERE o.account_id = account AND o.prospect_id = prospect AND o.action = of_action
    ORDER BY o.reserved_at DESC, o.attempt DESC NULLS LAST
    LIMIT 1;
END;

-- A fingerprint of everything that sendgate has written down.
CREATE OR REPLACE FUNCTION contract.books() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    relation regclass;
    hash text;
    sum text := '';
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind = 'r'
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT md5(string_agg(t::text, '';'' ORDER BY t::text)) FROM %s t', relation) INTO hash;
        sum := sum || coalesce(hash, '');
    END LOOP;
    RETURN md5(sum);
END
$$;

RESET client_min_messages;
\set ECHO all
