-- A worker whose reply was lost repeats its call with the same request_id and gets the same rows, as
-- far as it may still act on them: nothing is stranded, and nothing is sent twice.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('requests/a', 'sales_navigator');
SELECT sendgate.upsert_account('requests/b', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n, 'requests/a', 'inmail', '2026-05-20 11:00+00'::timestamptz + n * interval '1 second')) AS new FROM generate_series(1, 9) AS n;

-- The lost reply: the same rows with the same operations, and not a slot more.
CREATE TABLE contract.handed_53 AS SELECT * FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SELECT contract.books() AS before \gset
SET sendgate.now = '2026-05-20 12:10:00+00';
SELECT d.prospect_id, d.attempt, d.expires_at, d = h AS same_row
FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301)) AS d
LEFT JOIN contract.handed_53 AS h ON h.operation_id = d.operation_id;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT inmails_sent_today FROM sendgate.linkedin_accounts WHERE id = 'requests/a';

-- What is settled is not returned again: delivered, given back or unknown.
SELECT sendgate.confirm('requests/a', contract.handed('requests/a', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('requests/a', contract.handed('requests/a', 'p2'), 'Bad Gateway', http_status => 502);
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SELECT sendgate.rollback('requests/a', contract.handed('requests/a', 'p3'));
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));

-- Nor is what may not be sent any more: on an account that was stopped, or while all is paused.
SELECT sendgate.set_status('requests/a', 'paused', 'test');
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SELECT sendgate.set_status('requests/a', 'connected', 'test');
SELECT sendgate.pause_all('test');
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SELECT sendgate.resume_all();
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));

-- Nor what is past its TTL. The request stays answered: it gets nothing new.
SET sendgate.now = '2026-05-20 12:14:59.999999+00';
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SET sendgate.now = '2026-05-20 12:15:00+00';
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));

-- Another request, or none, gets other work.
SELECT prospect_id FROM sendgate.dispatch(2, NULL, 'requests/a', contract.op(5302)) ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'requests/a');

-- A row that was given back and handed out again belongs to the request that has it now.
SELECT prospect_id, attempt FROM sendgate.dispatch(10, NULL, 'requests/a', contract.op(5303));
SELECT prospect_id FROM sendgate.dispatch(4, NULL, 'requests/a', contract.op(5301));
SELECT prospect_id FROM sendgate.dispatch(2, NULL, 'requests/a', contract.op(5302)) ORDER BY prospect_id;

-- A request that got nothing may simply ask again, and gets what there is then.
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/b', contract.op(5304));
SELECT sendgate.enqueue('spring', 'p1', 'requests/b', 'invite') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/b', contract.op(5304));
SELECT sendgate.enqueue('spring', 'p2', 'requests/b', 'invite') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/b', contract.op(5304));

-- A request whose transaction was taken back never was.
BEGIN;
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/b', contract.op(5305));
ROLLBACK;
SELECT count(*) FROM sendgate.dispatch_requests WHERE request_id = contract.op(5305);
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/b', contract.op(5305));

-- The order of the answer is kept.
SELECT sendgate.upsert_account('requests/order', 'sales_navigator');
SELECT w.prospect, sendgate.enqueue('spring', w.prospect, 'requests/order', 'message', '2026-05-20 12:00+00'::timestamptz - w.n * interval '1 hour') AS is_new
FROM (VALUES ('c', 3), ('a', 1), ('d', 4), ('b', 2)) AS w (prospect, n);
SELECT prospect_id FROM sendgate.dispatch(5, 'message', 'requests/order', contract.op(5306));
SELECT prospect_id FROM sendgate.dispatch(5, 'message', 'requests/order', contract.op(5306));

-- The same id for another call is an error, also for one that got fewer rows than it asked for.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$dispatch(4, 'message', 'requests/order', contract.op(5306))$$),
        (2, $$dispatch(5, NULL, 'requests/order', contract.op(5306))$$),
        (3, $$dispatch(5, 'invite', 'requests/order', contract.op(5306))$$),
        (4, $$dispatch(5, 'message', NULL, contract.op(5306))$$),
        (5, $$dispatch(5, 'message', 'requests/b', contract.op(5306))$$),
        (6, $$dispatch(5, 'message', 'requests/nobody', contract.op(5306))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- What is cancelled while it is under way was handed out all the same, and the worker may have lost
-- only the reply: it must be able to settle it.
SELECT sendgate.upsert_account('requests/cancelled', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'requests/cancelled', 'message') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/cancelled', contract.op(5307));
SELECT sendgate.cancel('spring', 'p1', 'requests/cancelled');
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'requests/cancelled', contract.op(5307));
DROP TABLE contract.handed_53;
