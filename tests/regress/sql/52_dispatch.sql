-- dispatch is a worker's whole loop in one call: it picks accounts that may send, passes their due
-- enrollments through the gate, and returns those that hold a slot.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Work of other files is not part of this.
SET client_min_messages = 'error';
TRUNCATE sendgate.dispatch_queue;
RESET client_min_messages;
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('dispatch/a', 'sales_navigator');

-- Nothing to do is an empty answer, and writes nothing.
SELECT contract.books() AS before \gset
SELECT * FROM sendgate.dispatch(10);
SELECT contract.books() = :'before' AS nothing_changed;

-- Each row is an operation: journalled, counted, in flight until it expires.
SELECT n, sendgate.enqueue('spring', 'p' || n, 'dispatch/a', 'inmail') AS is_new FROM generate_series(1, 3) AS n;
SELECT account_id, campaign_id, prospect_id, action, operation_id IS NOT NULL AS has_operation, expires_at, attempt
FROM sendgate.dispatch(2)
ORDER BY prospect_id;
SELECT o.prospect_id, o.campaign_id, o.action, o.state, o.origin, o.counted_on, o.reserved_at, o.expires_at, o.attempt, e.operation_id = o.operation_id AS same_operation, e.state AS enrollment, e.next_dispatch_at, e.attempts
FROM sendgate.send_operations o
JOIN sendgate.enrollments e USING (account_id, prospect_id, campaign_id, action)
WHERE o.account_id = 'dispatch/a'
ORDER BY o.prospect_id;
SELECT inmails_sent_today, inmails_sent_this_week FROM sendgate.linkedin_accounts WHERE id = 'dispatch/a';

-- The same work is not handed out again; the rest comes with the next call, and then there is no more.
SELECT prospect_id FROM sendgate.dispatch(10);
SELECT prospect_id FROM sendgate.dispatch(10);
SELECT count(*) AS tickets FROM contract.tickets;

-- confirm and rollback take its operations as any others; a second attempt says that it is one.
SELECT sendgate.confirm('dispatch/a', contract.handed('dispatch/a', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('dispatch/a', contract.handed('dispatch/a', 'p2'));
SET sendgate.now = '2026-05-20 12:05:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(10);
SELECT operation_id = contract.handed('dispatch/a', 'p2') AS of_the_second_attempt, attempts FROM sendgate.enrollments WHERE account_id = 'dispatch/a' AND prospect_id = 'p2';

-- Oldest first: by when it is due, not by when or in which order it was put in.
SELECT sendgate.upsert_account('dispatch/order', 'sales_navigator');
SELECT w.prospect, sendgate.enqueue('spring', w.prospect, 'dispatch/order', 'invite', w.due_at) AS is_new
FROM (VALUES ('third', '2026-05-20 11:00+00'::timestamptz), ('first', '2026-05-18 09:00+00'), ('tomorrow', '2026-05-21 09:00+00'), ('second', '2026-05-19 09:00+00'), ('fourth', '2026-05-20 12:04+00')) AS w (prospect, due_at);
SELECT prospect_id FROM sendgate.dispatch(2);
SELECT prospect_id FROM sendgate.dispatch(10);

-- Caps are exact, over however many calls: 7 left of the day, then 2 of the week.
SELECT sendgate.upsert_account('dispatch/caps', 'sales_navigator');
SELECT sendgate.set_cap('dispatch/caps', 'invite', 7, 9);
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n, 'dispatch/caps', 'invite')) AS new FROM generate_series(1, 30) AS n;
SELECT count(*) FROM sendgate.dispatch(3);
SELECT count(*) FROM sendgate.dispatch(1000);
SELECT count(*) FROM sendgate.dispatch(1000);
SELECT sent_today, daily_cap, sent_this_week FROM sendgate.counters WHERE account_id = 'dispatch/caps' AND action = 'invite';
SELECT * FROM contract.tickets WHERE account_id = 'dispatch/caps';
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(1000, 'invite', 'dispatch/caps');
SELECT count(*) FROM sendgate.dispatch(1000, 'invite', 'dispatch/caps');

-- The week's cap holds until the first day falls out of it, but a ticket sleeps a day at most, so that what
-- is changed past the functions is seen by then.
SELECT * FROM contract.tickets WHERE account_id = 'dispatch/caps';
SET sendgate.now = '2026-05-27 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(1000, 'invite', 'dispatch/caps');
SELECT state, count(*) FROM contract.work WHERE account_id = 'dispatch/caps' GROUP BY state ORDER BY state;

-- Several accounts and actions in one call, each under its own caps.
SET client_min_messages = 'error';
TRUNCATE sendgate.dispatch_queue;
RESET client_min_messages;
SELECT n, sendgate.upsert_account('dispatch/many/' || n, 'sales_navigator'), sendgate.set_cap('dispatch/many/' || n, 'invite', n) FROM generate_series(1, 4) AS n;
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n, 'dispatch/many/' || m, a.action)) AS new
FROM generate_series(1, 4) AS m
CROSS JOIN generate_series(1, 10) AS n
CROSS JOIN unnest(ARRAY['invite', 'message']) AS a (action);

-- Only one account, only one action, both, or neither.
SELECT account_id, action, count(*) FROM sendgate.dispatch(3, account_id => 'dispatch/many/4', action => 'invite') GROUP BY account_id, action ORDER BY account_id, action;
SELECT account_id, action, count(*) FROM sendgate.dispatch(1000, account_id => 'dispatch/many/1') GROUP BY account_id, action ORDER BY account_id, action;
SELECT account_id, action, count(*) FROM sendgate.dispatch(1000, 'invite') GROUP BY account_id, action ORDER BY account_id, action;
SELECT account_id, action, count(*) FROM sendgate.dispatch(1000) GROUP BY account_id, action ORDER BY account_id, action;
SELECT count(*) FROM sendgate.dispatch(1000);
SELECT account_id, sent_today, daily_cap FROM sendgate.counters WHERE account_id LIKE 'dispatch/many/%' AND action = 'invite' ORDER BY account_id;

-- An account that may not send does not hold up others, also at the head of the queue.
SELECT sendgate.upsert_account('dispatch/blocked', 'sales_navigator');
SELECT sendgate.upsert_account('dispatch/behind', 'sales_navigator');
SELECT sendgate.set_status('dispatch/blocked', 'paused', 'test');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n, 'dispatch/blocked', 'message', '2026-05-01 00:00+00')) AS new FROM generate_series(1, 300) AS n;
SELECT sendgate.enqueue('spring', 'p1', 'dispatch/behind', 'message') AS is_new;
SELECT account_id, prospect_id FROM sendgate.dispatch(1, 'message');

-- One prospect in two campaigns: the first gets the slot, the other waits for what becomes of it.
SELECT sendgate.upsert_account('dispatch/twice', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'dispatch/twice', 'inmail', '2026-05-25 00:00+00') AS is_new;
SELECT sendgate.enqueue('autumn', 'p1', 'dispatch/twice', 'inmail', '2026-05-25 00:00+00') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'dispatch/twice');
SELECT state, due_at, reason, attempts FROM contract.work WHERE account_id = 'dispatch/twice' ORDER BY state;

-- pause_all stops dispatch too, and nothing moves meanwhile.
SELECT sendgate.enqueue('spring', 'p2', 'dispatch/twice', 'inmail') AS is_new;
SELECT sendgate.pause_all('test');
SELECT contract.books() AS before \gset
SELECT * FROM sendgate.dispatch(10);
SELECT contract.books() = :'before' AS nothing_changed;
SELECT sendgate.resume_all();
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'dispatch/twice');

-- What a transaction takes back was not handed out.
SELECT sendgate.enqueue('spring', 'p3', 'dispatch/twice', 'inmail') AS is_new;
SELECT contract.books() AS before \gset
BEGIN;
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'dispatch/twice');
ROLLBACK;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'dispatch/twice');

-- Bad input is an error of its own, and changes nothing. 1 and 1000 are the bounds.
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'dispatch/twice');
SELECT count(*) FROM sendgate.dispatch(1000, 'inmail', 'dispatch/twice');
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$dispatch(NULL)$$),
        (2, $$dispatch(0)$$),
        (3, $$dispatch(-1)$$),
        (4, $$dispatch(1001)$$),
        (10, $$dispatch(10, 'email')$$),
        (11, $$dispatch(10, '')$$),
        (20, $$dispatch(10, NULL, 'dispatch/nobody')$$),
        (21, $$dispatch(10, NULL, ' ')$$),
        (22, $$dispatch(10, NULL, repeat('x', 129))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
