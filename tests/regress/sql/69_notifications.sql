-- Notifications: each committed event waits once for each webhook that wants it, in the order of its account, until it is
-- posted or given up after a day.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('hook-' || n, 'sales_navigator', 'Hook ' || n) FROM generate_series(1, 4) n;
DELETE FROM sendgate.alerts WHERE kind = 'webhook_failing';
CREATE VIEW pg_temp.waiting AS
SELECT o.webhook, o.account_id, o.place, o.event, o.attempts,
       nullif(o.not_before, '-infinity') - o.at AS not_before, o.first_tried_at - o.at AS first_tried
FROM sendgate.webhook_outbox o ORDER BY o.webhook, o.account_id, o.place;
-- Takes and shows; the ids are random.
CREATE FUNCTION pg_temp.take(webhook text, rows integer DEFAULT 8) RETURNS TABLE (
    account_id text,
    event text,
    at text,
    attempt integer,
    what text
)
LANGUAGE sql
BEGIN ATOMIC
    SELECT n.account_id, n.event, to_char(n.at AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), n.attempt,
           coalesce(n.data ->> 'kind', n.data ->> 'cause', n.data ->> 'reason')
    FROM sendgate.take_notifications(webhook, rows) n;
END;
CREATE FUNCTION pg_temp.settle(webhook text, account text, error text DEFAULT NULL, retry_in interval DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
    SELECT sendgate.settle_notification(o.webhook, o.account_id, o.id, error, retry_in)
    FROM sendgate.webhook_outbox o
    WHERE o.webhook = settle.webhook AND o.account_id = account
    ORDER BY o.place LIMIT 1;
END;
-- All that one webhook is to be told, as long as there is something.
CREATE FUNCTION pg_temp.post_all(name text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    posted integer := 0;
    batch integer;
BEGIN
    LOOP
        SELECT count(sendgate.settle_notification(name, n.account_id, n.id)) INTO batch
        FROM sendgate.take_notifications(name, 1000) n;
        EXIT WHEN batch = 0;
        posted := posted + batch;
    END LOOP;
    RETURN posted;
END
$$;

-- No webhook, no row.
SELECT sendgate.breaker_arm('hook-1', 'before any webhook');
SELECT sendgate.breaker_clear('hook-1', 'before any webhook');
SELECT count(*) FROM sendgate.webhook_outbox;

-- A daemon registers what it has in its configuration; again, it changes what is wanted.
SELECT sendgate.register_webhook('all', ARRAY['alert_opened', 'alert_resolved', 'breaker_set', 'breaker_clear', 'cooldown_set']);
SELECT sendgate.register_webhook('breaker', ARRAY['cooldown_set']);
SET sendgate.now = '2026-05-20 12:00:30+00';
SELECT sendgate.register_webhook('breaker', ARRAY['breaker_set', 'breaker_clear', 'breaker_set']);
SELECT name, events, registered_at, seen_at, failing_since, given_up, error FROM sendgate.webhooks ORDER BY name;

-- Each kind of event, from where it comes.
SET sendgate.now = '2026-05-20 12:01:00+00';
SELECT sendgate.breaker_arm('hook-1', 'empty');
SELECT sendgate.breaker_clear('hook-1', 'bought some');
SELECT proceed FROM sendgate.reserve('hook-2', 'inmail', 'p1', 'k', contract.op(1));
SELECT sendgate.rollback('hook-2', contract.op(1), 'out of credits', 'errors/insufficient_credits', 402);
SELECT proceed FROM sendgate.reserve('hook-3', 'message', 'p2', 'k', contract.op(2));
SELECT sendgate.rollback('hook-3', contract.op(2), 'slow down', NULL, 429, '2 hours');
SELECT proceed FROM sendgate.reserve('hook-4', 'message', 'p3', 'k', contract.op(3));
SELECT sendgate.rollback('hook-4', contract.op(3));
SELECT sendgate.confirm('hook-4', contract.op(3), 'chat') IS NOT NULL AS confirmed;
SELECT * FROM pg_temp.waiting;
-- A skip of an InMail is an event for no webhook; an alert that grows is not opened again.
SELECT reason FROM sendgate.reserve('hook-2', 'inmail', 'p9', 'k');
SELECT count(*) FROM pg_temp.waiting WHERE account_id = 'hook-2';

-- What is posted, as it stands in the log; times in UTC whatever the session says.
SET TimeZone = 'Pacific/Kiritimati';
SELECT n.account_id, n.event, n.attempt, n.at AT TIME ZONE 'UTC' AS at,
       jsonb_pretty(n.data - ARRAY['alert_id', 'id', 'actor']) AS data,
       n.data ? 'actor' OR n.data ? 'alert_id' AS has_key
FROM sendgate.take_notifications('all') n ORDER BY n.account_id;
SET TimeZone = 'UTC';
-- One of an account at a time: the next is lent once the first is settled.
SELECT * FROM pg_temp.take('all');
SELECT pg_temp.settle('all', 'hook-1');
SELECT * FROM pg_temp.take('all');
-- The other webhook has the same events under the same ids, and goes its own way.
SELECT count(*) AS common FROM sendgate.webhook_outbox a JOIN sendgate.webhook_outbox b USING (id, account_id, source_id, event)
WHERE a.webhook = 'all' AND b.webhook = 'breaker';
SELECT * FROM pg_temp.take('breaker', 1);
SELECT * FROM pg_temp.take('breaker');

-- A transaction that is undone leaves nothing, nor does a savepoint.
BEGIN;
SELECT sendgate.breaker_arm('hook-4', 'never');
ROLLBACK;
BEGIN;
SELECT sendgate.breaker_arm('hook-4', 'stays');
SAVEPOINT here;
SELECT sendgate.breaker_clear('hook-4', 'never');
ROLLBACK TO here;
COMMIT;
SELECT event, place FROM pg_temp.waiting WHERE webhook = 'breaker' AND account_id = 'hook-4';
-- Nor does a loan that is undone.
BEGIN;
SELECT account_id FROM sendgate.take_notifications('breaker') WHERE account_id = 'hook-4';
ROLLBACK;
SELECT attempts FROM pg_temp.waiting WHERE webhook = 'breaker' AND account_id = 'hook-4';

-- A daemon that dies leaves its loans: they end by themselves, and the event has the id of before.
SELECT o.id AS lent FROM sendgate.webhook_outbox o WHERE o.webhook = 'breaker' AND o.account_id = 'hook-2' \gset
SET sendgate.now = '2026-05-20 12:01:59.999999+00';
SELECT account_id FROM sendgate.take_notifications('breaker') ORDER BY account_id;
SET sendgate.now = '2026-05-20 12:02:00+00';
SELECT account_id, attempt, id = :'lent' AS same_id FROM sendgate.take_notifications('breaker') WHERE account_id = 'hook-2';

-- An attempt that failed waits as long as the daemon says, a minute if it does not, and so does what comes after it.
SELECT pg_temp.settle('breaker', 'hook-1', 'HTTP 500', '10 minutes');
SELECT pg_temp.settle('breaker', 'hook-2', 'connection refused');
SELECT account_id, event, attempts, not_before FROM pg_temp.waiting WHERE webhook = 'breaker';
SELECT name, failing_since, given_up, error FROM sendgate.webhooks WHERE name = 'breaker';
SET sendgate.now = '2026-05-20 12:03:30+00';
SELECT * FROM pg_temp.take('breaker') ORDER BY account_id;
-- One that is taken ends the failing.
SELECT pg_temp.settle('breaker', 'hook-2');
SELECT failing_since, given_up, error FROM sendgate.webhooks WHERE name = 'breaker';
-- Settled twice, or never lent: nothing.
SELECT sendgate.settle_notification('breaker', 'hook-2', :'lent'), sendgate.settle_notification('breaker', 'hook-2', :'lent', 'late');
SELECT event, pg_temp.settle('breaker', 'hook-1', 'too early') FROM pg_temp.waiting
WHERE webhook = 'breaker' AND account_id = 'hook-1' AND place = 1;
SELECT sendgate.settle_notification(webhook, account_id, id), sendgate.settle_notification(webhook, account_id, id, 'no')
FROM sendgate.webhook_outbox WHERE webhook = 'breaker' AND account_id = 'hook-1' AND place = 2;
SELECT failing_since FROM sendgate.webhooks WHERE name = 'breaker';

-- After a day without success events are given up: those that were tried for a day, and those that are a day old and were
-- never tried.
SELECT pg_temp.post_all('all') > 0 AS posted;
SET sendgate.now = '2026-05-21 11:59:00+00';
SELECT sendgate.breaker_clear('hook-4', 'young');
SELECT * FROM pg_temp.take('breaker');
SELECT pg_temp.settle('breaker', 'hook-1', 'HTTP 500', '1 hour');
SELECT pg_temp.settle('breaker', 'hook-4', 'HTTP 500', '1 hour');
-- The last attempt is made when the day is over, not an hour later.
SELECT account_id, event, attempts, not_before FROM pg_temp.waiting WHERE webhook = 'breaker';
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SET sendgate.now = '2026-05-21 12:03:30+00';
SELECT * FROM pg_temp.take('breaker');
SELECT pg_temp.settle('breaker', 'hook-1', 'HTTP 500', '1 hour');
SELECT pg_temp.settle('breaker', 'hook-4', E'connection reset\nby peer', '1 hour');
SELECT account_id, event, attempts, not_before FROM pg_temp.waiting WHERE webhook = 'breaker';
SELECT name, failing_since, given_up, error FROM sendgate.webhooks ORDER BY name;
SELECT account_id, kind, day, detail FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
-- The other webhook is told of that, and of its end.
SELECT * FROM pg_temp.take('all');
SELECT pg_temp.settle('all', '*');
SELECT pg_temp.settle('all', 'hook-4');
SET sendgate.now = '2026-05-21 13:10:00+00';
SELECT * FROM pg_temp.take('breaker');
SELECT pg_temp.settle('breaker', 'hook-4');
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SELECT given_up, error FROM sendgate.webhooks WHERE name = 'breaker';
SELECT * FROM pg_temp.take('all');
SELECT pg_temp.settle('all', '*');
-- Two that fail share the alert; it is over when both are well, or an operator has seen it.
UPDATE sendgate.webhooks SET given_up = 3, failing_since = sendgate.clock() - interval '1 day', error = 'HTTP 404';
SELECT sendgate.breaker_arm('hook-1', 'again');
UPDATE sendgate.webhook_outbox SET attempts = 1, first_tried_at = at - interval '2 days' WHERE account_id = 'hook-1';
SELECT pg_temp.settle('all', 'hook-1', 'HTTP 404');
SELECT detail FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SELECT pg_temp.settle('breaker', 'hook-1');
SELECT detail FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SELECT sendgate.acknowledge_alert(alert_id, 'the address was wrong') FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'webhook_failing';
SELECT event FROM pg_temp.waiting WHERE webhook = 'all' AND account_id = '*' ORDER BY place;
SELECT pg_temp.post_all('all') > 0 AS posted, pg_temp.post_all('breaker') > 0 AS posted;

-- An alert that an operator or a job resolves.
SELECT sendgate.acknowledge_alert(alert_id, 'seen') FROM sendgate.open_alerts WHERE account_id = 'hook-4';
SELECT account_id, event FROM pg_temp.waiting;
SELECT pg_temp.post_all('all');
-- Cooldowns that are set; one that is ended is no event.
SELECT sendgate.clear_cooldown('hook-3', 'false alarm');
SELECT count(*) FROM pg_temp.waiting;

-- Whom a request for erasure made a stranger, is one in what is posted later; the provider's words are gone.
SET sendgate.now = '2026-06-02 12:00:00+00';
SELECT proceed FROM sendgate.reserve('hook-3', 'inmail', 'known', 'k', contract.op(4));
SELECT sendgate.rollback('hook-3', contract.op(4), 'no credits for known', 'errors/insufficient_credits', 402);
SET sendgate.now = '2026-06-02 13:00:00+00';
SELECT sendgate.forget_prospect('known', 'asked to be forgotten') > 0 AS forgotten;
SELECT n.event, left(n.data ->> 'prospect_id', 10) AS prospect, n.data ->> 'error_type' AS error_type
FROM sendgate.take_notifications('all') n WHERE n.account_id = 'hook-3';
SELECT pg_temp.post_all('all') >= 0 AS posted, pg_temp.post_all('breaker') >= 0 AS posted;

-- An account that leaves takes its events along.
SELECT sendgate.breaker_arm('hook-2', 'empty');
SELECT count(*) FROM pg_temp.waiting WHERE account_id = 'hook-2';
SELECT sendgate.remove_account('hook-2', 'gone') > 0 AS removed;
SELECT count(*) FROM pg_temp.waiting;
-- What tells of an event is gone by other means: nothing is posted.
SELECT sendgate.breaker_arm('hook-1', 'empty');
UPDATE sendgate.webhook_outbox SET source_id = contract.op(9) WHERE webhook = 'all';
SELECT * FROM pg_temp.take('all');
SELECT webhook, account_id FROM pg_temp.waiting;
SELECT pg_temp.post_all('breaker');

-- A copy of the books tells nothing: neither of events of its own, nor what waited when it was made.
SELECT sendgate.breaker_clear('hook-1', 'of the original');
UPDATE sendgate.home_database SET database_oid = 1;
SELECT sendgate.breaker_arm('hook-1', 'of the copy');
SELECT webhook, event FROM pg_temp.waiting;
SELECT * FROM pg_temp.take('all');
SELECT sendgate.adopt_database('the original is gone');
SELECT account_id, event FROM pg_temp.take('breaker');

-- A webhook that no daemon has asked about for seven days is forgotten, with what waits for it.
SET sendgate.now = '2026-06-09 13:00:00+00';
SELECT count(*) FROM sendgate.take_notifications('all');
SELECT name, seen_at FROM sendgate.webhooks ORDER BY name;
SELECT changed > 0 AS changed FROM sendgate.prune();
SELECT name FROM sendgate.webhooks ORDER BY name;
SET sendgate.now = '2026-06-09 13:00:01+00';
SELECT changed > 0 AS changed FROM sendgate.prune();
SELECT name FROM sendgate.webhooks ORDER BY name;
SELECT DISTINCT webhook FROM pg_temp.waiting;

-- A clock that ran ahead keeps nothing back for longer than until the daemon starts again.
SET sendgate.now = '2026-09-09 13:00:00+00';
SELECT count(*) > 0 AS lent FROM sendgate.take_notifications('all');
SET sendgate.now = '2026-06-09 13:01:00+00';
SELECT count(*) FROM sendgate.take_notifications('all');
SELECT sendgate.register_webhook('all', ARRAY['breaker_set']);
SELECT count(*) > 0 AS lent FROM sendgate.take_notifications('all');

-- Bad input.
SELECT contract.books() AS before \gset
SELECT input.call, e.code, e.message, e.detail
FROM (
    VALUES
        (1, $$register_webhook(NULL, ARRAY['breaker_set'])$$),
        (2, $$register_webhook(' ', ARRAY['breaker_set'])$$),
        (3, $$register_webhook('w', NULL)$$),
        (4, $$register_webhook('w', ARRAY[]::text[])$$),
        (5, $$register_webhook('w', ARRAY['breaker_set', NULL])$$),
        (6, $$register_webhook('w', ARRAY['breaker_skip'])$$),
        (7, $$take_notifications('nobody')$$),
        (8, $$take_notifications('all', 0)$$),
        (9, $$take_notifications('all', 1, '0 seconds')$$),
        (10, $$take_notifications('all', 1, '2 hours')$$),
        (11, $$take_notifications('all', 1, NULL)$$),
        (12, $$settle_notification('nobody', 'hook-1', contract.op(1))$$),
        (13, $$settle_notification('nobody', 'hook-1', contract.op(1), 'no')$$),
        (14, $$settle_notification('all', 'hook-1', NULL)$$),
        (15, $$settle_notification('all', 'hook-1', contract.op(1), ' ')$$),
        (16, $$settle_notification('all', 'hook-1', contract.op(1), 'no', '-1 second')$$),
        (17, $$settle_notification('all', 'hook-1', contract.op(1), 'no', '25 hours')$$)
) AS input (n, call)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.call) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- Who may: readers see, the daemon posts.
SELECT r.role, has_table_privilege(r.role, 'sendgate.webhooks', 'SELECT') AS sees,
       has_table_privilege(r.role, 'sendgate.webhook_outbox', 'INSERT, UPDATE, DELETE') AS writes,
       has_function_privilege(r.role, 'sendgate.take_notifications(text, integer, interval)', 'EXECUTE') AS posts
FROM unnest(ARRAY['sendgate_sender', 'sendgate_reader', 'sendgate_operator', 'sendgate_daemon']) r (role);
DELETE FROM sendgate.webhook_outbox;
DELETE FROM sendgate.webhooks;
