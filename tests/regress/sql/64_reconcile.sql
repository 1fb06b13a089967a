\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Layer 1: counters become what the journal counts, and work of unanswered operations is parked.
SET sendgate.now = '2026-07-15 12:00:00+00';
SELECT sendgate.upsert_account('rec-' || n, 'sales_navigator') FROM generate_series(1, 4) n;

-- Of four InMails one is delivered, one in flight, one unknown and one given back.
CREATE TEMPORARY TABLE op AS
SELECT n, (sendgate.reserve('rec-1', 'inmail', 'p' || n)).operation_id AS id FROM generate_series(1, 4) n;
SELECT sendgate.confirm('rec-1', id, 'chat') IS NOT NULL AS delivered FROM op WHERE n = 1;
SELECT sendgate.rollback('rec-1', id, NULL, 'errors/request_timeout') FROM op WHERE n = 3;
SELECT sendgate.rollback('rec-1', id) FROM op WHERE n = 4;

-- Every sweep in one call: more is a batch's business, and this database holds other files' accounts.
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

-- Nothing to correct: nothing is written, and the heartbeat is there all the same.
SELECT pg_temp.sweep();
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'rec-%';
SELECT count(*) > 0 AS beats FROM sendgate.reconcile_runs
WHERE job = 'reconcile_operations' AND state = 'ok' AND started_at = '2026-07-15 12:00:00+00';

-- Too high and too low, of one action and another.
UPDATE sendgate.accounts SET inmails_sent_today = 104 WHERE id = 'rec-1';
UPDATE sendgate.accounts SET invites_sent_today = 3 WHERE id = 'rec-2';
SELECT pg_temp.sweep();
SELECT account_id, action, period, day, before, after, delivered, reserved, indeterminate
FROM sendgate.counter_drift WHERE account_id LIKE 'rec-%' ORDER BY account_id, action, period;
SELECT id, inmails_sent_today, inmails_sent_this_week, invites_sent_today
FROM sendgate.linkedin_accounts WHERE id IN ('rec-1', 'rec-2') ORDER BY id;
-- Healed once, and for good.
SELECT pg_temp.sweep();
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'rec-%';

-- The slots of yesterday count for the week and no longer for the day.
SET sendgate.now = '2026-07-16 00:00:00+00';
SELECT pg_temp.sweep();
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'rec-%';
SELECT inmails_sent_today, inmails_sent_this_week FROM sendgate.linkedin_accounts WHERE id = 'rec-1';

-- Work that was handed out and never answered is parked, with an alert; the slot stays taken.
SET sendgate.now = '2026-07-16 09:00:00+00';
SELECT sendgate.enqueue('rec', 'late', 'rec-3', 'inmail');
SELECT attempt FROM sendgate.dispatch(1, NULL, 'rec-3');
SET sendgate.now = '2026-07-16 09:14:59+00';
SELECT pg_temp.sweep();
SELECT state, reason FROM sendgate.enrollments WHERE campaign_id = 'rec';
SET sendgate.now = '2026-07-16 09:15:00+00';
SELECT pg_temp.sweep();
SELECT state, reason FROM sendgate.enrollments WHERE campaign_id = 'rec';
SELECT account_id, kind, day, detail FROM sendgate.open_alerts
WHERE account_id = 'rec-3' AND kind = 'operations_expired';
SELECT inmails_sent_today FROM sendgate.linkedin_accounts WHERE id = 'rec-3';
-- The worker's answer comes late and still counts.
SELECT sendgate.confirm('rec-3', operation_id, 'late') IS NOT NULL AS delivered
FROM sendgate.enrollments WHERE campaign_id = 'rec';
SELECT state FROM sendgate.enrollments WHERE campaign_id = 'rec';

-- A slot that the sweep frees is given to work that waits for it.
SET sendgate.now = '2026-07-16 10:00:00+00';
SELECT sendgate.set_cap('rec-4', 'invite', 2);
UPDATE sendgate.accounts SET day = '2026-07-16', invites_sent_today = 2 WHERE id = 'rec-4';
SELECT sendgate.enqueue('rec-wait', 'w', 'rec-4', 'invite');
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'rec-4');
SELECT pg_temp.sweep();
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'rec-4');

SELECT code, message FROM contract.error('SELECT * FROM sendgate.reconcile_operations(0)');
SELECT code, message FROM contract.error('SELECT * FROM sendgate.reconcile_operations(10001)');
SELECT code, message FROM contract.error('SELECT * FROM sendgate.reconcile_operations(NULL)');
