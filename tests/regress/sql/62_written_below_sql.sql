-- dispatch writes rows where they lie. Where a trigger, a rule or a column of a DBA's wants more, it writes them by
-- statements: the same rows.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
DELETE FROM sendgate.dispatch_queue;

-- Everything of some accounts but what differs by itself: their ids, and the ids that are made up.
CREATE FUNCTION contract.rows_below(prefix text) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT 'account ' || replace(to_jsonb(a)::text, prefix, '') FROM sendgate.accounts a WHERE a.id LIKE prefix || '%'
    UNION ALL
    SELECT 'operation ' || replace((to_jsonb(o) - 'operation_id')::text, prefix, '')
    FROM sendgate.send_operations o WHERE o.account_id LIKE prefix || '%'
    UNION ALL
    SELECT 'work ' || (e.operation_id IS NULL) || replace((to_jsonb(e) - 'operation_id')::text, prefix, '')
    FROM sendgate.enrollments e WHERE e.account_id LIKE prefix || '%'
    UNION ALL
    SELECT 'ticket ' || replace((to_jsonb(q) - 'ticket_id')::text, prefix, '')
    FROM sendgate.dispatch_queue q WHERE q.account_id LIKE prefix || '%'
$$;

-- No two are due at the same instant, whose order is that of the table. Two campaigns that share an account, steps, payloads, work for a prospect that has an operation in flight, a
-- suppressed prospect, work that is due later, two tickets of a pair, a failing account, a known balance.
CREATE PROCEDURE contract.play_below(prefix text)
LANGUAGE plpgsql AS $$
DECLARE
    handed record;
BEGIN
    PERFORM sendgate.upsert_account(prefix || account, 'sales_navigator')
    FROM unnest(ARRAY['shared', 'later', 'credits', 'failing']) AS account;
    PERFORM sendgate.record_credit_balance(prefix || 'credits', 2);
    PERFORM sendgate.enqueue(campaign, 'p' || n, prefix || 'shared', 'message', sendgate.clock() - n * interval '1 second',
                             step => step, payload => to_jsonb(repeat('x', n * 100)), priority => n % 2)
    FROM unnest(ARRAY['autumn', 'spring']) AS campaign, generate_series(1, 6) AS n, generate_series(1, 2) AS step;
    PERFORM sendgate.enqueue('spring', 'never', prefix || 'shared', 'message', sendgate.clock() - interval '1 hour');
    PERFORM sendgate.enqueue('spring', 'p' || n, prefix || 'later', action, sendgate.clock() + (n - 3) * interval '1 hour')
    FROM generate_series(1, 6) AS n, unnest(ARRAY['message', 'invite']) AS action;
    INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
    VALUES (sendgate.clock(), gen_random_uuid(), prefix || 'later', 'message');
    PERFORM sendgate.enqueue('spring', 'p' || n, prefix || 'credits', 'inmail', sendgate.clock() - n * interval '1 second')
    FROM generate_series(1, 4) AS n;
    PERFORM sendgate.enqueue('spring', 'p' || n, prefix || 'failing', 'message', sendgate.clock() - n * interval '1 second')
    FROM generate_series(1, 30) AS n;
    FOR size IN 1..30 LOOP
        FOR handed IN SELECT * FROM sendgate.dispatch(size) LOOP
            IF handed.account_id LIKE '%failing' THEN
                PERFORM sendgate.rollback(handed.account_id, handed.operation_id, 'no', 'errors/unexpected', 503);
            END IF;
        END LOOP;
    END LOOP;
    PERFORM set_config('sendgate.now', '2026-05-20 14:30:00+00', false);
    PERFORM count(*) FROM sendgate.dispatch(7);
    PERFORM count(*) FROM sendgate.dispatch(100, 'message');
    PERFORM set_config('sendgate.now', '2026-05-20 12:00:00+00', false);
END
$$;
SELECT sendgate.suppress_prospect('never', 'asked us');
CALL contract.play_below('below/');

-- The same by statements. PL/pgSQL's triggers change nothing.
CREATE FUNCTION contract.pass_below() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN COALESCE(NEW, OLD);
END
$$;
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.accounts FOR EACH ROW EXECUTE FUNCTION contract.pass_below();
CREATE TRIGGER pass BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.pass_below();
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.enrollments FOR EACH ROW EXECUTE FUNCTION contract.pass_below();
CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON sendgate.dispatch_queue FOR EACH ROW EXECUTE FUNCTION contract.pass_below();
CREATE TEMP TABLE below AS SELECT contract.rows_below('below/') AS line;
DELETE FROM sendgate.dispatch_queue;
CALL contract.play_below('stated/');
CREATE TEMP TABLE stated AS SELECT contract.rows_below('stated/') AS line;
DROP TRIGGER pass ON sendgate.accounts;
DROP TRIGGER pass ON sendgate.send_operations;
DROP TRIGGER pass ON sendgate.enrollments;
DROP TRIGGER pass ON sendgate.dispatch_queue;
SELECT split_part(line, ' ', 1) AS what, count(*) FROM below GROUP BY what ORDER BY what;
SELECT * FROM (TABLE below EXCEPT ALL TABLE stated) AS only_below ORDER BY line;
SELECT * FROM (TABLE stated EXCEPT ALL TABLE below) AS only_stated ORDER BY line;

-- A column of a DBA's gets its default, a generated one its value; columns that were dropped stay empty.
DELETE FROM sendgate.dispatch_queue;
SELECT sendgate.upsert_account('below/columns', 'sales_navigator');
SELECT sendgate.enqueue('summer', 'p' || n, 'below/columns', 'message', sendgate.clock() - (4 - n) * interval '1 second')
FROM generate_series(1, 3) AS n;
ALTER TABLE sendgate.send_operations ADD COLUMN team text DEFAULT 'north';
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT team FROM sendgate.send_operations WHERE account_id = 'below/columns';
ALTER TABLE sendgate.send_operations DROP COLUMN team;
ALTER TABLE sendgate.enrollments ADD COLUMN is_out boolean GENERATED ALWAYS AS (state = 'sending') STORED;
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT is_out FROM sendgate.enrollments WHERE account_id = 'below/columns' ORDER BY prospect_id;
ALTER TABLE sendgate.enrollments DROP COLUMN is_out;
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT state, count(*) FROM sendgate.enrollments WHERE account_id = 'below/columns' GROUP BY state;
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'below/columns' AND state = 'reserved' AND origin = 'gate';
-- What lies in a column that was dropped goes with the next write of its row, as an UPDATE lets it go.
SELECT sendgate.enqueue('summer', 'dropped', 'below/columns', 'message');
ALTER TABLE sendgate.enrollments ADD COLUMN wide text;
UPDATE sendgate.enrollments SET wide = repeat('x', 1000) WHERE prospect_id = 'dropped';
ALTER TABLE sendgate.enrollments DROP COLUMN wide;
SELECT pg_column_size(e) > 1000 AS is_wide FROM sendgate.enrollments e WHERE prospect_id = 'dropped';
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT pg_column_size(e) > 1000 AS is_wide FROM sendgate.enrollments e WHERE prospect_id = 'dropped';
-- A CHECK may ask which table a row is of, before it lies there.
CREATE FUNCTION contract.tell_table(of oid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'a row of %', of::regclass;
    RETURN true;
END
$$;
SELECT sendgate.enqueue('summer', 'checked', 'below/columns', 'message');
ALTER TABLE sendgate.send_operations ADD CONSTRAINT tells CHECK (contract.tell_table(tableoid)) NOT VALID;
ALTER TABLE sendgate.enrollments ADD CONSTRAINT tells CHECK (contract.tell_table(tableoid)) NOT VALID;
SELECT prospect_id FROM sendgate.dispatch(1);
ALTER TABLE sendgate.send_operations DROP CONSTRAINT tells;
ALTER TABLE sendgate.enrollments DROP CONSTRAINT tells;
-- A publication that publishes deletes alone: without an identity no ticket is deleted, which subscribers would miss.
SELECT sendgate.enqueue('summer', 'p4', 'below/columns', 'message');
SET client_min_messages = error;
CREATE PUBLICATION deletes FOR TABLE sendgate.dispatch_queue WITH (publish = 'delete');
RESET client_min_messages;
ALTER TABLE sendgate.dispatch_queue REPLICA IDENTITY NOTHING;
\set VERBOSITY terse
SELECT prospect_id FROM sendgate.dispatch(2);
ALTER TABLE sendgate.dispatch_queue REPLICA IDENTITY DEFAULT;
SELECT prospect_id FROM sendgate.dispatch(2);
DROP PUBLICATION deletes;

-- A partition takes no row that belongs into another one.
SELECT sendgate.enqueue('summer', 'p5', 'below/columns', 'message');
CREATE TABLE contract.all_operations (LIKE sendgate.send_operations) PARTITION BY LIST (action);
BEGIN;
DELETE FROM sendgate.send_operations;
ALTER TABLE contract.all_operations ATTACH PARTITION sendgate.send_operations FOR VALUES IN ('inmail');
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT state, reason, error FROM sendgate.enrollments WHERE account_id = 'below/columns' AND prospect_id = 'p5';
ROLLBACK;
-- A version has an end, which no write passes.
BEGIN;
UPDATE sendgate.accounts SET version = 9223372036854775807 WHERE id = 'below/columns';
SELECT prospect_id FROM sendgate.dispatch(1);
SELECT state, reason, error FROM sendgate.enrollments WHERE account_id = 'below/columns' AND prospect_id = 'p5';
ROLLBACK;
SELECT sendgate.unsuppress_prospect('never', 'test over');
