-- The logs are append-only, for everybody: what happened stays written.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('append/a', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('append/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT sendgate.confirm('append/a', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.breaker_arm('append/a', 'test');
SELECT proceed, reason FROM sendgate.reserve('append/a', 'inmail', 'p2', 'c1');
-- A corrected counter.
UPDATE sendgate.accounts SET messages_sent_today = 7 WHERE id = 'append/a';
SELECT more FROM sendgate.reconcile_operations(10000);
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$UPDATE sendgate.linkedin_events SET chat_id = 'other' WHERE account_id = 'append/a'$$),
        (2, $$DELETE FROM sendgate.linkedin_events WHERE account_id = 'append/a'$$),
        (3, $$TRUNCATE sendgate.linkedin_events$$),
        (4, $$UPDATE sendgate.breaker_log SET note = 'other' WHERE account_id = 'append/a'$$),
        (5, $$DELETE FROM sendgate.breaker_log WHERE account_id = 'append/a'$$),
        (6, $$TRUNCATE sendgate.breaker_log$$),
        (7, $$UPDATE sendgate.admin_log SET actor = 'other' WHERE account_id = 'append/a'$$),
        (8, $$DELETE FROM sendgate.admin_log WHERE account_id = 'append/a'$$),
        (9, $$TRUNCATE sendgate.admin_log$$),
        (10, $$UPDATE sendgate.campaign_events SET reason = 'other' WHERE account_id = 'append/a'$$),
        (11, $$UPDATE sendgate.campaign_events SET repeats = 7, deferred_to = NULL WHERE account_id = 'append/a'$$),
        (12, $$DELETE FROM sendgate.campaign_events WHERE account_id = 'append/a'$$),
        (13, $$TRUNCATE sendgate.campaign_events$$),
        (14, $$UPDATE sendgate.counter_drift SET before = 0 WHERE account_id = 'append/a'$$),
        (15, $$DELETE FROM sendgate.counter_drift WHERE account_id = 'append/a'$$),
        (16, $$TRUNCATE sendgate.counter_drift$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error(input.statement) AS e
ORDER BY input.n;

-- Also where a session says that it only replicates.
SET session_replication_role = replica;
SELECT e.code, e.message FROM contract.error($$DELETE FROM sendgate.linkedin_events WHERE account_id = 'append/a'$$) AS e;
SELECT e.code, e.message FROM contract.error($$DELETE FROM sendgate.campaign_events WHERE account_id = 'append/a'$$) AS e;
SELECT e.code, e.message FROM contract.error($$DELETE FROM sendgate.counter_drift WHERE account_id = 'append/a'$$) AS e;
RESET session_replication_role;
SELECT contract.books() = :'before' AS nothing_changed;

-- Each column of campaign_events but the count of repeats: the list in the trigger must name them all.
SELECT a.attname AS column, e.code
FROM pg_attribute a
CROSS JOIN LATERAL contract.error(
    format('UPDATE sendgate.campaign_events SET %1$I = %1$I WHERE account_id = %2$L', a.attname, 'append/a')
) AS e
WHERE a.attrelid = 'sendgate.campaign_events'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- What a repeat of a skip does to it, and to nothing else.
SET sendgate.now = '2026-05-24 12:30:00+00';
SELECT proceed, reason FROM sendgate.reserve('append/a', 'inmail', 'p2', 'c1');
SELECT at, reason, deferred_to, repeats, last_repeat_at FROM sendgate.campaign_events WHERE account_id = 'append/a';

-- A statement that changes nothing is no error.
DELETE FROM sendgate.linkedin_events WHERE account_id = 'append/nobody';
