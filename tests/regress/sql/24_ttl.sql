-- An operation that stays unanswered. Expired is not a state but a reading: reserved and older than
-- the TTL. It holds its slot until its day ends, and a late answer still settles it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('ttl/a', 'sales_navigator');
SELECT n, r.expires_at
FROM generate_series(1, 4) AS n
CROSS JOIN LATERAL sendgate.reserve('ttl/a', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r;

-- The TTL is a setting; an operation keeps the one it was granted with.
SET sendgate.operation_ttl = '5min';
SELECT expires_at FROM sendgate.reserve('ttl/a', 'inmail', 'p5', 'c1', contract.op(5));
RESET sendgate.operation_ttl;

CREATE VIEW contract.ttl_24 AS
SELECT operation_id, state, expired, age FROM sendgate.operations_unresolved WHERE account_id = 'ttl/a';
SELECT * FROM contract.ttl_24 ORDER BY operation_id;
SET sendgate.now = '2026-05-24 12:14:59+00';
SELECT * FROM contract.ttl_24 ORDER BY operation_id;
SET sendgate.now = '2026-05-24 12:15:01+00';
SELECT * FROM contract.ttl_24 ORDER BY operation_id;

-- Nothing was written by that: the journal still says reserved, and the slots are held.
SELECT state, count(*) FROM sendgate.send_operations WHERE account_id = 'ttl/a' GROUP BY state;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ttl/a' AND action = 'inmail';

-- Its prospect is not asked again: the message may have been sent.
SELECT proceed, reason, retry_at FROM sendgate.reserve('ttl/a', 'inmail', 'p1', 'c1', contract.op(11));

-- A late confirm settles it, and so do a late rollback and an operator.
SELECT sendgate.confirm('ttl/a', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('ttl/a', contract.op(2));
SELECT sendgate.resolve_operation('ttl/a', contract.op(3), false, note => 'not in the outbox');
SELECT operation_id, state, outcome FROM sendgate.send_operations WHERE account_id = 'ttl/a' ORDER BY operation_id;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ttl/a' AND action = 'inmail';

-- With its day its slot ends. Settling it on the next day does not touch the new day's counter.
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT proceed, sent_today FROM sendgate.reserve('ttl/a', 'inmail', 'p6', 'c1', contract.op(6));
SELECT * FROM contract.ttl_24 ORDER BY operation_id;
SELECT sendgate.rollback('ttl/a', contract.op(4));
SELECT sendgate.confirm('ttl/a', contract.op(5), 'chat-5') IS NOT NULL AS confirmed;
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'ttl/a' AND action = 'inmail';

-- The late delivery counts on the day of its slot.
SELECT operation_id, occurred_at, recorded_at, counted_on
FROM sendgate.linkedin_events
WHERE account_id = 'ttl/a'
ORDER BY operation_id;

-- An operation granted just before midnight goes on counting on its day, and settles after it.
SET sendgate.now = '2026-05-25 23:59:59.999999+00';
SELECT proceed, expires_at, sent_today FROM sendgate.reserve('ttl/a', 'inmail', 'p7', 'c1', contract.op(7));
SET sendgate.now = '2026-05-26 00:00:01+00';
SELECT sendgate.rollback('ttl/a', contract.op(7));
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'ttl/a' AND action = 'inmail';
SELECT counted_on, state FROM sendgate.send_operations WHERE account_id = 'ttl/a' AND operation_id = contract.op(7);
