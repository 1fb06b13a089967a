-- The same reserve again: a worker whose answer was lost asks with the same operation id.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('replay/a', 'sales_navigator');
SELECT sendgate.upsert_account('replay/b', 'sales_navigator');
SELECT * FROM sendgate.reserve('replay/a', 'inmail', 'p1', 'c1', contract.op(1));

-- In flight and inside its TTL, it is the same grant, with the same deadline, and no second slot.
SET sendgate.now = '2026-05-24 12:14:59+00';
SELECT * FROM sendgate.reserve('replay/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'replay/a';

-- It is the same grant also where a new one would be refused: the slot is its own.
SELECT sendgate.set_cap('replay/a', 'inmail', 1);
SELECT proceed, reason, sent_today, remaining FROM sendgate.reserve('replay/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT proceed, reason FROM sendgate.reserve('replay/a', 'inmail', 'p2', 'c1', contract.op(2));

-- But pause_all refuses everything, and a gate that is unsure refuses.
SELECT sendgate.pause_all('test');
SELECT proceed, operation_id, reason FROM sendgate.reserve('replay/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT sendgate.resume_all();

-- The same id with other arguments is an error: one id is one attempt.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$reserve('replay/a', 'invite', 'p1', 'c1', contract.op(1))$$),
        (2, $$reserve('replay/a', 'inmail', 'p2', 'c1', contract.op(1))$$),
        (3, $$reserve('replay/a', 'inmail', 'p1', 'c2', contract.op(1))$$),
        (4, $$reserve('replay/a', 'inmail', 'p1', NULL, contract.op(1))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- An id belongs to its account: another account may use it too.
SELECT proceed, operation_id FROM sendgate.reserve('replay/b', 'invite', 'p9', NULL, contract.op(1));

-- Refusals are not remembered: the same id is granted once the rule lets go.
SELECT sendgate.set_cap('replay/a', 'inmail', 50);
SELECT proceed, operation_id, reason FROM sendgate.reserve('replay/a', 'inmail', 'p2', 'c1', contract.op(2));

-- Past its TTL the answer is operation_resolved: the worker must not send any more.
SET sendgate.now = '2026-05-24 12:15:01+00';
SELECT * FROM sendgate.reserve('replay/a', 'inmail', 'p1', 'c1', contract.op(1));

-- So it is once the operation is settled, whatever it came to.
SELECT sendgate.confirm('replay/a', contract.op(2), 'chat-2') IS NOT NULL AS confirmed;
SELECT proceed, operation_id, reason, retry_at, expires_at
FROM sendgate.reserve('replay/a', 'inmail', 'p2', 'c1', contract.op(2));
SELECT proceed FROM sendgate.reserve('replay/a', 'inmail', 'p3', 'c1', contract.op(3));
SELECT sendgate.rollback('replay/a', contract.op(3));
SELECT proceed, reason FROM sendgate.reserve('replay/a', 'inmail', 'p3', 'c1', contract.op(3));
SELECT proceed FROM sendgate.reserve('replay/a', 'inmail', 'p4', 'c1', contract.op(4));
SELECT sendgate.rollback('replay/a', contract.op(4), 'socket hang up');
SELECT proceed, reason FROM sendgate.reserve('replay/a', 'inmail', 'p4', 'c1', contract.op(4));

-- A new attempt needs a new id.
SELECT proceed FROM sendgate.reserve('replay/a', 'inmail', 'p3', 'c1', contract.op(5));

-- None of the replays took a slot.
SELECT sent_today FROM sendgate.counters WHERE account_id = 'replay/a' AND action = 'inmail';
SELECT operation_id, prospect_id, state FROM sendgate.send_operations WHERE account_id = 'replay/a' ORDER BY operation_id;
