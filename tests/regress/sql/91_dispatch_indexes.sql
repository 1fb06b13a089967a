-- Indexes of a DBA's in the place of ours: of all rows, also of work that does not wait for a time. Dispatch reads along
-- them, passes over that work, and prefers an index that leaves it out.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SET sendgate.in_transaction = 'allow';
DELETE FROM sendgate.dispatch_queue;
SELECT sendgate.upsert_account('91/a', 'sales_navigator');
SELECT sendgate.enqueue('91/' || k, 'old', '91/a', 'message') FROM unnest(ARRAY['k1', 'k2', 'k3']) AS k;
-- Of k1 nothing waits any more, of k2 and k3 one piece each waits for that operation, without a time.
SELECT count(*) FROM sendgate.dispatch(3);
SELECT sendgate.enqueue('91/' || k, 'new ' || k, '91/a', 'message') FROM unnest(ARRAY['k2', 'k3', 'k4']) AS k;
CREATE INDEX CONCURRENTLY all_in_order ON sendgate.enrollments (account_id, action, priority DESC, campaign_id, next_dispatch_at, step);
CREATE INDEX CONCURRENTLY all_by_time ON sendgate.enrollments (account_id, action, next_dispatch_at);
-- PostgreSQL lists the indexes of a table in the order in which they were made.
REINDEX INDEX CONCURRENTLY sendgate.enrollments_order_idx;
REINDEX INDEX CONCURRENTLY sendgate.enrollments_due_idx;

-- Both kinds are there.
BEGIN;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(5);
SELECT index, pg_stat_get_xact_numscans(('sendgate.' || index)::regclass) > 0 AS is_read
FROM unnest(ARRAY['all_in_order', 'enrollments_order_idx', 'all_by_time', 'enrollments_due_idx']) AS index;
ROLLBACK;

-- Ours are away.
BEGIN;
UPDATE pg_index SET indisvalid = false
WHERE indexrelid IN ('sendgate.enrollments_order_idx'::regclass, 'sendgate.enrollments_due_idx'::regclass);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(5);
SELECT count(*) FROM sendgate.dispatch(5);
SELECT campaign_id, prospect_id FROM sendgate.enrollments WHERE account_id = '91/a' AND state <> 'sending' ORDER BY campaign_id;
ROLLBACK;
DROP INDEX sendgate.all_in_order, sendgate.all_by_time;
