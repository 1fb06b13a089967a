\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers

-- A grant in a transaction that is never committed leaves no trace. The other files set
-- sendgate.in_transaction to allow, as a setting of the database.
SELECT sendgate.upsert_account('block/a', 'recruiter');
\set SHOW_CONTEXT never
SHOW sendgate.in_transaction;
SELECT boot_val, enumvals, context FROM pg_settings WHERE name = 'sendgate.in_transaction';

-- warn: once a session.
SET sendgate.in_transaction = 'warn';
BEGIN;
SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p1');
SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p2');
ROLLBACK;
BEGIN;
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'block/a');
ROLLBACK;
\c
SET sendgate.in_transaction = 'warn';
BEGIN;
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'block/a');
COMMIT;
\c
-- A savepoint, and several statements in one query, are in a block.
SET sendgate.in_transaction = 'warn';
BEGIN;
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p1');
ROLLBACK;
\c
SET sendgate.in_transaction = 'refuse';
SELECT 1 AS first \; SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p1');
\set VERBOSITY default
-- refuse: before anything is decided, bad accounts too.
BEGIN;
SELECT proceed FROM sendgate.reserve('block/unknown', 'inmail', 'p1');
\echo :SQLSTATE
ROLLBACK;
\set VERBOSITY sqlstate
BEGIN;
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'block/a');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p1');
ROLLBACK;
-- What takes no slot is not asked.
BEGIN;
SELECT proceed FROM sendgate.preview('block/a', 'inmail', 'p1');
SELECT proceed FROM sendgate.breaker_check('block/a');
ROLLBACK;

-- Inside one statement that commits by itself there is no block: a function, with an EXCEPTION clause or
-- without, a DO block, a procedure that commits, a trigger.
CREATE FUNCTION contract.reserve_in_function(prospect text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (sendgate.reserve('block/a', 'inmail', prospect)).proceed;
END
$$;
CREATE FUNCTION contract.reserve_with_clause(prospect text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    FOR answer IN SELECT * FROM sendgate.reserve('block/a', 'inmail', prospect) LOOP
        RETURN answer.proceed;
    END LOOP;
EXCEPTION WHEN division_by_zero THEN
    RETURN false;
END
$$;
CREATE PROCEDURE contract.reserve_and_commit()
LANGUAGE plpgsql AS $$
DECLARE
    answer sendgate.decision;
BEGIN
    answer := sendgate.reserve('block/a', 'inmail', 'p13');
    COMMIT;
    answer := sendgate.reserve('block/a', 'inmail', 'p14');
    BEGIN
        answer := sendgate.reserve('block/a', 'inmail', 'p15');
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
END
$$;
SELECT contract.reserve_in_function('p10');
SELECT contract.reserve_with_clause('p11');
DO $$
DECLARE
    answer sendgate.decision;
BEGIN
    answer := sendgate.reserve('block/a', 'inmail', 'p12');
END
$$;
CALL contract.reserve_and_commit();
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'block/a';
-- The same functions in a block.
BEGIN;
SELECT contract.reserve_in_function('p20');
ROLLBACK;
BEGIN;
SELECT contract.reserve_with_clause('p21');
ROLLBACK;

-- guard_send is exempt: an outbox is written in a transaction by design.
CREATE TABLE contract.block_outbox (account text, prospect text, operation uuid);
CREATE TRIGGER guard BEFORE INSERT ON contract.block_outbox
FOR EACH ROW EXECUTE FUNCTION sendgate.guard_send('account', 'inmail', 'prospect', '', 'operation', 'error');
BEGIN;
INSERT INTO contract.block_outbox VALUES ('block/a', 'p30');
COMMIT;
SELECT count(operation) FROM contract.block_outbox;
DROP TABLE contract.block_outbox;

-- allow: silence. Every user may choose one of the three, for a session or a role.
SET sendgate.in_transaction = 'allow';
BEGIN;
SELECT proceed FROM sendgate.reserve('block/a', 'inmail', 'p31');
COMMIT;
\set VERBOSITY default
SET sendgate.in_transaction = 'never';
DROP PROCEDURE contract.reserve_and_commit();
DROP FUNCTION contract.reserve_in_function(text), contract.reserve_with_clause(text);
