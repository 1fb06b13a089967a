-- resolve_operation: an operator settles an attempt whose outcome is unknown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('resolve/a', 'sales_navigator');
SELECT n, r.proceed
FROM generate_series(1, 5) AS n
CROSS JOIN LATERAL sendgate.reserve('resolve/a', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;
SELECT proceed FROM sendgate.reserve('resolve/a', 'invite', 'p6', 'c1', contract.op(6));
CREATE VIEW contract.resolve_33 AS
SELECT o.operation_id, o.action, o.state, o.outcome, e.event_type, e.chat_id
FROM sendgate.send_operations o
LEFT JOIN sendgate.linkedin_events e ON e.account_id = o.account_id AND e.operation_id = o.operation_id
WHERE o.account_id = 'resolve/a';

-- An operation in flight is still the worker's.
SELECT e.code, e.message, e.detail
FROM contract.error($$SELECT sendgate.resolve_operation('resolve/a', contract.op(1), false)$$) AS e;

-- Unknown by its answer, or by silence.
SELECT n, sendgate.rollback('resolve/a', contract.op(n), 'Gateway Timeout', http_status => 504)
FROM unnest(ARRAY[1, 2, 3, 6]) AS n
ORDER BY n;
SET sendgate.now = '2026-05-24 12:20:00+00';
SELECT operation_id, state, expired FROM sendgate.operations_unresolved WHERE account_id = 'resolve/a' ORDER BY operation_id;

-- Not sent: the slot is given back.
SELECT sendgate.resolve_operation('resolve/a', contract.op(1), false, note => 'not in the outbox');
SELECT sendgate.resolve_operation('resolve/a', contract.op(4), false);
SELECT sent_today FROM sendgate.counters WHERE account_id = 'resolve/a' AND action = 'inmail';

-- Sent, with its proof: as if it had been confirmed.
SELECT sendgate.resolve_operation('resolve/a', contract.op(2), true, 'chat-2', 'found in the outbox');

-- An InMail sent without proof keeps its slot and writes no event: an inmail_sent row without a chat
-- id cannot exist.
SELECT sendgate.resolve_operation('resolve/a', contract.op(3), true, note => 'seen, but no chat id');

-- Other actions need no proof.
SELECT sendgate.resolve_operation('resolve/a', contract.op(6), true);
SELECT * FROM contract.resolve_33 ORDER BY operation_id;
SELECT action, sent_today FROM sendgate.counters WHERE account_id = 'resolve/a' AND action IN ('inmail', 'invite') ORDER BY action;

-- Only operations that no operator has settled still wait.
SELECT operation_id FROM sendgate.operations_unresolved WHERE account_id = 'resolve/a' ORDER BY operation_id;

-- The same call again is a no-op; the opposite is an error.
SELECT contract.books() AS before \gset
SELECT sendgate.resolve_operation('resolve/a', contract.op(1), false);
SELECT sendgate.resolve_operation('resolve/a', contract.op(2), true, 'chat-2');
SELECT sendgate.resolve_operation('resolve/a', contract.op(3), true);
SELECT contract.books() = :'before' AS nothing_changed;
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.resolve_operation('resolve/a', contract.op(1), true, 'chat-1')$$) AS e;
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.resolve_operation('resolve/a', contract.op(2), false)$$) AS e;

-- A settled operation is not reserved again, and its prospect is free only where nothing was sent.
SELECT n, r.proceed, r.reason
FROM generate_series(1, 4) AS n
CROSS JOIN LATERAL sendgate.preview('resolve/a', 'inmail', 'p' || n) AS r
ORDER BY n;

-- Who resolved what is in the admin log.
SELECT verb, subject, before, after, note FROM sendgate.admin_log WHERE account_id = 'resolve/a' AND verb = 'resolve_operation' ORDER BY subject;

-- Bad input is an error of its own.
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$resolve_operation(NULL, contract.op(5), true)$$),
        (2, $$resolve_operation('resolve/a', NULL, true)$$),
        (3, $$resolve_operation('resolve/a', contract.op(5), NULL)$$),
        (4, $$resolve_operation('resolve/nobody', contract.op(5), true)$$),
        (5, $$resolve_operation('resolve/a', contract.op(99), true)$$),
        (6, $$resolve_operation('resolve/a', contract.op(5), true, ' ')$$),
        (7, $$resolve_operation('resolve/a', contract.op(5), true, repeat('x', 2001))$$),
        (8, $$resolve_operation('resolve/a', contract.op(5), false, note => repeat('x', 2001))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
