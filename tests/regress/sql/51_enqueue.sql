-- enqueue puts a prospect to a campaign's work: once, however often it is called.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('enqueue/a', 'sales_navigator');
SELECT sendgate.upsert_account('enqueue/b', 'sales_navigator');

-- New work is due at once, and dispatch is told where to look.
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/a', 'inmail') AS is_new;
SELECT state, next_dispatch_at, attempts, is_connection, operation_id, reason, error, enqueued_at, changed_at
FROM sendgate.enrollments
WHERE account_id = 'enqueue/a' AND prospect_id = 'p1';
SELECT * FROM contract.tickets WHERE account_id = 'enqueue/a';

-- Arguments can be named.
SELECT sendgate.enqueue(campaign_id => 'spring', prospect_id => 'p2', account_id => 'enqueue/a', action => 'invite', dispatch_at => '2026-05-30 09:00+02', is_connection => true) AS is_new;
SELECT prospect_id, state, next_dispatch_at, is_connection FROM sendgate.enrollments WHERE account_id = 'enqueue/a' AND action = 'invite';
SELECT * FROM contract.tickets WHERE account_id = 'enqueue/a' ORDER BY action;

-- The same key again changes nothing, whatever else is said, and also not its place in the queue.
SELECT contract.books() AS before \gset
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/a', 'inmail') AS is_new;
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/a', 'inmail', '2026-06-24 12:00+00') AS is_new;
SELECT sendgate.enqueue('spring', 'p2', 'enqueue/a', 'invite', is_connection => false) AS is_new;
SELECT contract.books() = :'before' AS nothing_changed;

-- Only a connection flag may become true; that is all it does.
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/a', 'inmail', '2026-06-24 12:00+00', true) AS is_new;
SELECT is_connection, state, next_dispatch_at, enqueued_at FROM sendgate.enrollments WHERE account_id = 'enqueue/a' AND prospect_id = 'p1';
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/a', 'inmail', is_connection => false) AS is_new;
SELECT is_connection FROM sendgate.enrollments WHERE account_id = 'enqueue/a' AND prospect_id = 'p1';

-- Another account, campaign, prospect or action is other work.
SELECT n, sendgate.enqueue(w.campaign, w.prospect, w.account, w.action) AS is_new
FROM (
    VALUES
        (1, 'spring', 'p1', 'enqueue/b', 'inmail'),
        (2, 'autumn', 'p1', 'enqueue/a', 'inmail'),
        (3, 'spring', 'p3', 'enqueue/a', 'inmail'),
        (4, 'spring', 'p1', 'enqueue/a', 'message')
) AS w (n, campaign, prospect, account, action)
ORDER BY n;

-- Ids are taken as they are: upper case, spaces and quotes are no other id's twin.
SELECT n, sendgate.enqueue(w.campaign, w.prospect, 'enqueue/b', 'message') AS is_new
FROM (
    VALUES (1, 'spring', 'Ada'), (2, 'spring', 'ada'), (3, 'spring', ' ada'), (4, 'Spring', 'ada'), (5, 'o''neill "x"', 'ада')
) AS w (n, campaign, prospect)
ORDER BY n;

-- At most 128 characters, not bytes.
SELECT sendgate.enqueue(repeat('é', 128), repeat('日', 128), 'enqueue/b', 'engagement') AS is_new;
SELECT campaign_id = repeat('é', 128) AS campaign, prospect_id = repeat('日', 128) AS prospect FROM sendgate.dispatch(10, 'engagement', 'enqueue/b');

-- Work of an account that cannot send now may be put in all the same.
SELECT sendgate.set_status('enqueue/b', 'paused', 'test');
SELECT sendgate.enqueue('spring', 'p9', 'enqueue/b', 'inmail') AS is_new;
SELECT sendgate.pause_all('test');
SELECT sendgate.enqueue('spring', 'p10', 'enqueue/b', 'inmail') AS is_new;
SELECT sendgate.resume_all();

-- A finished key is not entered again: who has got the message does not get it twice.
SELECT sendgate.upsert_account('enqueue/done', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/done', 'invite') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, 'invite', 'enqueue/done');
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/done', 'invite') AS is_new;
SELECT sendgate.confirm('enqueue/done', contract.handed('enqueue/done', 'p1', 'invite')) IS NOT NULL AS confirmed;
SELECT sendgate.enqueue('spring', 'p1', 'enqueue/done', 'invite') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, 'invite', 'enqueue/done');
SELECT state, due_at FROM contract.work WHERE account_id = 'enqueue/done';

-- Nor is a cancelled one.
SELECT sendgate.enqueue('spring', 'p2', 'enqueue/done', 'invite') AS is_new;
SELECT sendgate.cancel('spring', 'p2', 'enqueue/done');
SELECT sendgate.enqueue('spring', 'p2', 'enqueue/done', 'invite') AS is_new;
SELECT state FROM contract.work WHERE account_id = 'enqueue/done' AND prospect_id = 'p2';

-- dispatch_at: not before, to the instant; in the past means now.
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT sendgate.upsert_account('enqueue/later', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'later', 'enqueue/later', 'invite', '2026-05-24 15:00+00') AS is_new;
SELECT sendgate.enqueue('spring', 'past', 'enqueue/later', 'invite', '2026-01-01 00:00+00') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(10, 'invite', 'enqueue/later');
SET sendgate.now = '2026-05-24 14:59:59.999999+00';
SELECT prospect_id FROM sendgate.dispatch(10, 'invite', 'enqueue/later');
SET sendgate.now = '2026-05-24 15:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, 'invite', 'enqueue/later');

-- Work that is due earlier than what waits already is not hidden behind it.
SELECT sendgate.enqueue('spring', 'in an hour', 'enqueue/later', 'message', '2026-05-24 16:00+00') AS is_new;
SELECT sendgate.enqueue('spring', 'in a minute', 'enqueue/later', 'message', '2026-05-24 15:01+00') AS is_new;
SET sendgate.now = '2026-05-24 15:01:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, 'message', 'enqueue/later');
SET sendgate.now = '2026-05-24 16:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, 'message', 'enqueue/later');

-- The session's time zone changes nothing about an instant.
SET TimeZone = 'Pacific/Kiritimati';
SELECT sendgate.enqueue('spring', 'kiritimati', 'enqueue/later', 'profile_view', '2026-05-25 06:30:00') AS is_new;
SET TimeZone = 'UTC';
SELECT due_at FROM contract.work WHERE prospect_id = 'kiritimati';

-- A list in one statement costs one ticket, not one each.
SELECT sendgate.upsert_account('enqueue/list', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('list', 'p' || n, 'enqueue/list', 'invite')) AS new FROM generate_series(1, 500) AS n;
SELECT * FROM contract.tickets WHERE account_id = 'enqueue/list';

-- What a transaction takes back was never there.
BEGIN;
SELECT sendgate.enqueue('spring', 'rolled back', 'enqueue/a', 'engagement') AS is_new;
ROLLBACK;
SELECT count(*) FROM contract.work WHERE prospect_id = 'rolled back';
SELECT count(*) FROM contract.tickets WHERE account_id = 'enqueue/a' AND action = 'engagement';

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$enqueue(NULL, 'p1', 'enqueue/a', 'inmail')$$),
        (2, $$enqueue('spring', NULL, 'enqueue/a', 'inmail')$$),
        (3, $$enqueue('spring', 'p1', NULL, 'inmail')$$),
        (4, $$enqueue('spring', 'p1', 'enqueue/a', NULL)$$),
        (5, $$enqueue('spring', 'p1', 'enqueue/a', 'inmail', NULL, NULL)$$),
        (10, $$enqueue(' ', 'p1', 'enqueue/a', 'inmail')$$),
        (11, $$enqueue('spring', '', 'enqueue/a', 'inmail')$$),
        (12, $$enqueue('spring', repeat('x', 129), 'enqueue/a', 'inmail')$$),
        (13, $$enqueue(repeat('x', 129), 'p1', 'enqueue/a', 'inmail')$$),
        (14, $$enqueue('spring', 'p1', repeat('x', 129), 'inmail')$$),
        (20, $$enqueue('spring', 'p1', 'enqueue/a', 'email')$$),
        (21, $$enqueue('spring', 'p1', 'enqueue/a', 'InMail')$$),
        (30, $$enqueue('spring', 'p1', 'enqueue/nobody', 'inmail')$$),
        (40, $$enqueue('spring', 'p99', 'enqueue/a', 'inmail', 'infinity')$$),
        (41, $$enqueue('spring', 'p99', 'enqueue/a', 'inmail', '-infinity')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- The farthest instants are instants all the same.
SELECT sendgate.enqueue('spring', 'never', 'enqueue/a', 'message', '294276-12-31 23:59:59+00') AS is_new;
SELECT sendgate.enqueue('spring', 'ever', 'enqueue/list', 'message', '4713-01-01 00:00:00+00 BC') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(10, 'message', 'enqueue/list');
SELECT prospect_id FROM sendgate.dispatch(10, 'message', 'enqueue/a');
SELECT * FROM contract.tickets WHERE account_id = 'enqueue/a' AND action = 'message';
