\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Layer 1 lists operations that were not settled in time: that ends the attempt, and is one more failure in a row.
SET sendgate.failure_limit = 3;
CREATE FUNCTION pg_temp.sweep() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    LOOP
        SELECT * INTO done FROM sendgate.reconcile_operations(7);
        EXIT WHEN NOT done.more;
    END LOOP;
END
$$;
CREATE VIEW pg_temp.failure AS
SELECT a.id, f.key AS action, f.value ->> 'count' AS count, f.value ->> 'level' AS level,
       (f.value ->> 'failing_since')::timestamptz AS since, (f.value ->> 'failing_until')::timestamptz AS until
FROM sendgate.accounts a CROSS JOIN LATERAL jsonb_each(a.failures) f
WHERE a.id LIKE 'xf-%';
CREATE VIEW pg_temp.told AS
SELECT g.account_id, g.action, g.cause, g.until, g.operation_id, g.error
FROM sendgate.cooldown_log g WHERE g.account_id LIKE 'xf-%' ORDER BY g.account_id, g.id;
SET sendgate.now = '2026-09-09 12:00:00+00';
SELECT sendgate.upsert_account('xf-' || n, 'sales_navigator') FROM generate_series(1, 4) n;

-- Two of three are never answered; one is.
SELECT count((sendgate.reserve('xf-1', 'invite', 'p' || n, NULL, contract.op(n))).operation_id)
FROM generate_series(1, 3) n;
SET sendgate.now = '2026-09-09 12:14:59+00';
SELECT pg_temp.sweep();
SELECT * FROM pg_temp.failure;
SELECT sendgate.rollback('xf-1', contract.op(3), 'broken', 'errors/too_many_characters', 422);
SET sendgate.now = '2026-09-09 12:15:00+00';
SELECT pg_temp.sweep();
SELECT id, action, count, level, since, until FROM pg_temp.failure;
-- The last of the three began the silence; its log line names it and its alert says that there was no answer.
SELECT * FROM pg_temp.told;
SELECT kind, day, detail FROM sendgate.open_alerts WHERE account_id = 'xf-1' ORDER BY kind;
-- Listed once, counted once: neither a sweep nor a late answer counts it again.
SET sendgate.now = '2026-09-09 12:25:00+00';
SELECT pg_temp.sweep();
SELECT sendgate.rollback('xf-1', contract.op(1), 'late', 'errors/too_many_characters', 422);
SELECT id, action, count, level, since, until FROM pg_temp.failure;
SELECT reason, retry_at FROM sendgate.preview('xf-1', 'invite', 'p9');

-- Half-open: the one attempt expires, too. The silence is twice as long.
SET sendgate.now = '2026-09-09 13:15:00+00';
SELECT proceed, expires_at FROM sendgate.reserve('xf-1', 'invite', 'p4', NULL, contract.op(4));
SELECT reason, retry_at FROM sendgate.reserve('xf-1', 'invite', 'p5');
SET sendgate.now = '2026-09-09 13:30:00+00';
SELECT pg_temp.sweep();
SELECT id, action, count, level, since, until FROM pg_temp.failure;
-- Its delivery arrives late, and says that the provider answers again.
SET sendgate.now = '2026-09-09 13:40:00+00';
SELECT sendgate.confirm('xf-1', contract.op(4)) IS NOT NULL AS delivered;
SELECT count(*) FROM pg_temp.failure;
SELECT * FROM pg_temp.told;
SELECT kind FROM sendgate.open_alerts WHERE account_id = 'xf-1' AND kind = 'failing';

-- Below the limit: a delivery after listing begins anew.
SELECT count((sendgate.reserve('xf-2', 'message', 'p' || n, NULL, contract.op(n))).operation_id)
FROM generate_series(1, 2) n;
SET sendgate.now = '2026-09-09 13:55:00+00';
SELECT pg_temp.sweep();
SELECT id, action, count FROM pg_temp.failure;
SELECT sendgate.confirm('xf-2', contract.op(1)) IS NOT NULL AS delivered;
SELECT id, action, count FROM pg_temp.failure;

-- A send outside the gate is no attempt, and an operation that an operator settles before it is listed counts nothing.
SELECT count((sendgate.reserve('xf-3', 'invite', 'p' || n, NULL, contract.op(n))).operation_id)
FROM generate_series(1, 3) n;
SELECT sendgate.record_external_send('xf-3', 'invite', 'by hand', NULL, '2026-09-09 13:50+00') IS NOT NULL AS recorded;
SET sendgate.now = '2026-09-09 14:10:00+00';
SELECT sendgate.resolve_operation('xf-3', contract.op(n), false) FROM generate_series(1, 2) n;
SELECT pg_temp.sweep();
SELECT id, action, count, until FROM pg_temp.failure;

-- A correction and failures are one write; the drift names the counter and its day.
SELECT count((sendgate.reserve('xf-4', 'invite', 'p' || n, NULL, contract.op(n))).operation_id)
FROM generate_series(1, 3) n;
UPDATE sendgate.accounts SET invites_sent_today = 9, invite_attempts_today = 1,
    sent_before = decode(repeat('00', 29) || '05', 'hex') WHERE id = 'xf-4';
SELECT version FROM sendgate.accounts WHERE id = 'xf-4' \gset
SET sendgate.now = '2026-09-09 14:25:00+00';
SELECT pg_temp.sweep();
SELECT invites_sent_today, invite_attempts_today, sent_before, version - :version AS writes
FROM sendgate.accounts WHERE id = 'xf-4';
SELECT id, action, count, until FROM pg_temp.failure WHERE id = 'xf-4';
SELECT action, period, day, before, after, delivered, reserved, indeterminate
FROM sendgate.counter_drift WHERE account_id = 'xf-4' ORDER BY action, period, day;
-- An attempt that the worker gave back itself is none; one that an operator gave back stays one.
SELECT sendgate.resolve_operation('xf-4', contract.op(1), false);
SELECT pg_temp.sweep();
SELECT invites_sent_today, invite_attempts_today FROM sendgate.accounts WHERE id = 'xf-4';
-- Days that were never counted are counted with the rest, and are no drift.
UPDATE sendgate.accounts SET sent_before = NULL, invites_sent_today = 0 WHERE id = 'xf-4';
SELECT pg_temp.sweep();
SELECT invites_sent_today, sent_before FROM sendgate.accounts WHERE id = 'xf-4';
SELECT action, period, day, before, after FROM sendgate.counter_drift
WHERE account_id = 'xf-4' ORDER BY id DESC LIMIT 1;
-- Midnight moves the day's slots on, and attempts begin at 0.
SET sendgate.now = '2026-09-10 00:00:00+00';
SELECT checked > 0 AS checked FROM sendgate.midnight_reset(10000);
SELECT day, invites_sent_today, invite_attempts_today, sent_before FROM sendgate.accounts WHERE id = 'xf-4';
-- A row whose day is ahead of the clock is counted on its own day.
UPDATE sendgate.accounts SET day = '2026-09-11' WHERE id = 'xf-4';
SELECT pg_temp.sweep();
SELECT day, invites_sent_today, sent_before FROM sendgate.accounts WHERE id = 'xf-4';
UPDATE sendgate.accounts SET day = '2026-09-10' WHERE id = 'xf-4';

-- Failures switched off: what expires is listed and counts nothing.
SET sendgate.now = '2026-09-10 12:00:00+00';
SET sendgate.failure_limit = 0;
SELECT sendgate.clear_cooldown('xf-4', 'begin anew');
SELECT proceed FROM sendgate.reserve('xf-4', 'message', 'off', NULL, contract.op(40));
SET sendgate.now = '2026-09-10 12:15:00+00';
SELECT pg_temp.sweep();
SELECT unknown_since FROM sendgate.send_operations WHERE account_id = 'xf-4' AND operation_id = contract.op(40);
SELECT id, action, count FROM pg_temp.failure WHERE id = 'xf-4';

-- Old lines of the log of cooldowns leave with the other logs; nothing else removes them.
SELECT count(*) > 0 AS lines FROM pg_temp.told;
SELECT code FROM contract.error($$DELETE FROM sendgate.cooldown_log$$);
BEGIN;
SET LOCAL sendgate.now = '2026-12-20 00:00:00+00';
SELECT changed > 0 AS changed FROM sendgate.prune('90 days', '400 days', 100000);
SELECT count(*) FROM pg_temp.told;
ROLLBACK;

-- What causes a cooldown that still lasts stays known, however old its line is.
SET sendgate.now = '2026-09-11 12:00:00+00';
SELECT sendgate.upsert_account('xf-5', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('xf-5', 'invite', 'limit', NULL, contract.op(50));
SELECT sendgate.rollback('xf-5', contract.op(50), 'limit', 'errors/limit_exceeded', 422, '200 days');
BEGIN;
SET LOCAL sendgate.now = '2027-01-15 00:00:00+00';
SELECT changed > 0 AS changed FROM sendgate.prune('90 days', '400 days', 100000);
SELECT cause, error FROM sendgate.cooldowns WHERE account_id = 'xf-5';
ROLLBACK;

-- An attempt that may stay unanswered for a week is listed when it has expired, in whatever week it was granted.
SET sendgate.operation_ttl = '7d';
SET sendgate.failure_limit = 1;
SET sendgate.now = '2026-09-13 23:55:00+00';
SELECT sendgate.upsert_account('xf-6', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('xf-6', 'message', 'slow', NULL, contract.op(60));
SET sendgate.now = '2026-09-20 23:54:00+00';
SELECT pg_temp.sweep();
SELECT id, action, count FROM pg_temp.failure WHERE id = 'xf-6';
SET sendgate.now = '2026-09-21 00:04:00+00';
SELECT pg_temp.sweep();
SELECT unknown_since FROM sendgate.send_operations WHERE account_id = 'xf-6';
SELECT id, action, count FROM pg_temp.failure WHERE id = 'xf-6';
RESET sendgate.operation_ttl;
RESET sendgate.failure_limit;
