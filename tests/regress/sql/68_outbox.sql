-- The breaker's lines for the daemon's output: each committed line appears once, in order.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('box-' || n, 'sales_navigator') FROM generate_series(1, 6) n;
-- What other files left is printed by now.
SELECT count(*) >= 0 AS taken FROM sendgate.take_breaker_lines(10000);
CREATE FUNCTION pg_temp.take(rows integer DEFAULT 10000) RETURNS TABLE (
    at text,
    account_id text,
    action text,
    reason text,
    prospect_id text,
    campaign_id text,
    actor text,
    note text
)
LANGUAGE sql
BEGIN ATOMIC
    SELECT to_char(l.at AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS'), l.account_id, l.action, l.reason, l.prospect_id,
        l.campaign_id, l.actor, l.note
    FROM sendgate.take_breaker_lines(rows) l;
END;

-- Nothing has happened, nothing to print; grants and refusals for other reasons are no lines.
SELECT proceed FROM sendgate.reserve('box-1', 'inmail', 'p1', 'c', contract.op(1));
SELECT proceed FROM sendgate.reserve('box-1', 'inmail', 'p1', 'c', contract.op(2));
SELECT sendgate.confirm('box-1', contract.op(1), 'chat 1') IS NOT NULL AS delivered;
SELECT * FROM pg_temp.take();

-- Set by a rollback, skipped by a reserve, cleared by a proof: one line each, in the order in which it
-- happened. A second credits error and a repeated skip change nothing, and say nothing.
SELECT proceed FROM sendgate.reserve('box-1', 'inmail', 'p2', 'c', contract.op(3));
SELECT proceed FROM sendgate.reserve('box-1', 'inmail', 'p3', 'c', contract.op(4));
SELECT proceed FROM sendgate.reserve('box-1', 'inmail', 'p4', 'c', contract.op(5));
SET sendgate.now = '2026-05-20 12:01:00+00';
SELECT sendgate.rollback('box-1', contract.op(3), 'out of credits', 'errors/insufficient_credits', 402);
SELECT sendgate.rollback('box-1', contract.op(3), 'out of credits', 'errors/insufficient_credits', 402);
SELECT sendgate.rollback('box-1', contract.op(4), 'out of credits', 'errors/insufficient_credits', 402);
SET sendgate.now = '2026-05-20 12:02:00+00';
SELECT reason FROM sendgate.reserve('box-1', 'inmail', 'p9', 'c');
SELECT reason FROM sendgate.reserve('box-1', 'inmail', 'p9', 'c');
SELECT reason FROM sendgate.preview('box-1', 'inmail', 'p9');
SET sendgate.now = '2026-05-20 12:03:00+00';
SELECT proceed FROM sendgate.reserve('box-1', 'invite', 'p9', 'c');
SELECT sendgate.record_external_send('box-1', 'inmail', 'p7', 'chat 7', '2026-05-20 12:03:00+00') IS NOT NULL AS proof;
SELECT * FROM pg_temp.take();
-- Once.
SELECT * FROM pg_temp.take();

-- The whole line is the log's, id included: a daemon that prints it twice after a crash prints the same id.
SELECT sendgate.breaker_arm('box-2', 'empty');
BEGIN;
CREATE TEMPORARY TABLE first_taken AS SELECT * FROM sendgate.take_breaker_lines(10000);
SELECT count(*) AS taken, count(*) FILTER (WHERE l = t) AS as_logged
FROM first_taken t JOIN sendgate.breaker_log l ON l.account_id = t.account_id AND l.id = t.id;
SELECT f.id AS printed FROM first_taken f \gset
-- Rolled back, it is there again.
ROLLBACK;
SELECT id = :'printed' AS same_line FROM sendgate.take_breaker_lines(10000);
SELECT * FROM pg_temp.take();

-- Each way in: reports and checks of applications that use only the breaker, a batch, operators, work
-- that dispatch defers, an application's own event, and the turn of the month.
SET sendgate.now = '2026-05-20 12:10:00+00';
SELECT sendgate.breaker_report('box-3', 'p1', 'insufficient credits');
SELECT reason FROM sendgate.breaker_check('box-3', 'p2', 'k');
SELECT reason FROM sendgate.breaker_check('box-3', 'p2', 'k');
-- Without a prospect no work is skipped, and the skip is counted all the same.
SELECT reason FROM sendgate.breaker_check('box-3');
SELECT account_id, action, reason, prospect_id, campaign_id FROM pg_temp.take();
SET sendgate.now = '2026-05-20 12:11:00+00';
SELECT proceed FROM sendgate.reserve('box-4', 'inmail', 'p1', 'k', contract.op(1));
SELECT proceed FROM sendgate.reserve('box-4', 'inmail', 'p2', 'k', contract.op(2));
SELECT count(sendgate.enqueue('box', 'p' || n, 'box-4', 'inmail')) FROM generate_series(11, 13) n;
SELECT sendgate.rollback_many(
    ARRAY['box-4', 'box-4'], ARRAY[contract.op(1), contract.op(2)], ARRAY['no credits', 'no credits']);
SELECT account_id, action, reason, prospect_id FROM pg_temp.take();
SET sendgate.now = '2026-05-20 12:12:00+00';
SELECT count(*) FROM sendgate.dispatch(10, 'inmail', 'box-4');
SELECT count(*) FROM sendgate.dispatch(10, 'inmail', 'box-4');
SELECT account_id, action, reason, prospect_id, campaign_id FROM pg_temp.take() ORDER BY prospect_id;
SET sendgate.now = '2026-05-20 12:13:00+00';
INSERT INTO sendgate.linkedin_events (id, account_id, prospect_id, event_type, chat_id, occurred_at, recorded_at, counted_on)
VALUES (contract.op(68), 'box-4', 'p20', 'inmail_sent', 'chat', sendgate.clock(), sendgate.clock(), '2026-05-20');
SELECT account_id, action, reason FROM pg_temp.take();
SET sendgate.now = '2026-05-20 12:14:00+00';
SELECT sendgate.breaker_arm('box-5', 'armed'), sendgate.breaker_arm('box-5', 'again'), sendgate.breaker_clear('box-5', 'cleared');
SELECT sendgate.breaker_arm('box-6', 'for June'), sendgate.breaker_force('box-6', 'open', 'forced');
SELECT sendgate.breaker_force('box-6', 'auto', 'let go');
SELECT account_id, action, reason, actor = session_user AS by_me, note FROM pg_temp.take();
-- At the turn of the month, for a session whose month has not turned or has long done so.
SET TimeZone = 'Pacific/Kiritimati';
SET sendgate.now = '2026-05-31 23:59:59+00';
SELECT reason FROM sendgate.breaker_check('box-6', 'p1');
SELECT at, account_id, action, reason FROM pg_temp.take();
SET TimeZone = 'America/Los_Angeles';
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT proceed FROM sendgate.breaker_check('box-6', 'p1');
SELECT at, account_id, action, reason FROM pg_temp.take();
SET TimeZone = 'UTC';

-- A transaction that is rolled back leaves no line, nor does a savepoint.
BEGIN;
SELECT sendgate.breaker_arm('box-5', 'never');
ROLLBACK;
SELECT * FROM pg_temp.take();
BEGIN;
SELECT sendgate.breaker_arm('box-5', 'stays');
SAVEPOINT here;
SELECT sendgate.breaker_arm('box-6', 'never');
SELECT reason FROM sendgate.reserve('box-5', 'inmail', 'p1');
ROLLBACK TO here;
COMMIT;
SELECT account_id, action, note FROM pg_temp.take();
-- Taken in the transaction that wrote it: gone with it.
BEGIN;
SELECT sendgate.breaker_clear('box-5', 'undone');
SELECT account_id, action, note FROM pg_temp.take();
ROLLBACK;
SELECT count(*) FROM pg_temp.take();

-- As many as asked for, the oldest first. box-2 has a stamp of May, which arming it anew clears first.
SELECT count(sendgate.breaker_arm('box-' || n, 'line ' || n)) FROM unnest(ARRAY[6, 2, 4, 1]) n;
SELECT account_id, action, reason, note FROM pg_temp.take(1);
SELECT account_id, action, reason, note FROM pg_temp.take(2);
SELECT account_id, action, reason, note FROM pg_temp.take(2);
SELECT input.rows, e.code, e.message
FROM (VALUES (1, '0'), (2, '-1'), (3, 'NULL'), (4, '10001'), (5, '10000')) AS input (n, rows)
CROSS JOIN LATERAL contract.error(format('SELECT * FROM sendgate.take_breaker_lines(%s)', input.rows)) AS e
ORDER BY input.n;

-- By the daemon's role, which may count and take lines, and not touch them.
SELECT sendgate.breaker_clear('box-1', 'for the daemon');
SET ROLE sendgate_daemon;
SELECT count(*) FROM sendgate.breaker_outbox;
DELETE FROM sendgate.breaker_outbox;
SELECT account_id, action, note FROM sendgate.take_breaker_lines(10);
RESET ROLE;
SELECT count(*) FROM sendgate.breaker_outbox;

-- Most of the time the outbox is empty, and PostgreSQL plans as if it were: still as many lines as asked
-- for, and not as often as there are lines.
SELECT count(*) >= 0 AS taken FROM sendgate.take_breaker_lines(10000);
ANALYZE sendgate.breaker_outbox;
DO $$
BEGIN
    FOR n IN 1..150 LOOP
        PERFORM sendgate.breaker_arm('box-1', 'many');
        PERFORM sendgate.breaker_clear('box-1', 'many');
    END LOOP;
END
$$;
BEGIN;
SELECT count(*) FROM sendgate.breaker_outbox;
SELECT count(*) FROM sendgate.take_breaker_lines(10);
ROLLBACK;
SELECT count(*) FROM sendgate.take_breaker_lines(10000);
