-- reserve takes a slot before the provider is called.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('reserve/a', 'premium_career');

-- A grant names its operation, says until when the provider may be called, and counts itself.
SELECT * FROM sendgate.reserve('reserve/a', 'inmail', 'p1', 'c1', contract.op(1));

-- Prospect and campaign go into the journal; a campaign is optional. Without an operation id, the
-- gate makes one up.
SELECT proceed, operation_id IS NOT NULL AS has_operation, sent_today, daily_cap, remaining
FROM sendgate.reserve('reserve/a', 'inmail', 'p2');
\x on
SELECT * FROM sendgate.send_operations WHERE account_id = 'reserve/a' AND prospect_id = 'p1';
\x off

-- Arguments can be named.
SELECT proceed, sent_today
FROM sendgate.reserve(account_id => 'reserve/a', action => 'inmail', prospect_id => 'p3', campaign_id => 'c1');

-- Each action counts for itself, under its own cap, and so does each account.
SELECT sendgate.upsert_account('reserve/b', 'free');
SELECT a.action, r.proceed, r.sent_today, r.daily_cap, r.remaining
FROM unnest(ARRAY['invite', 'message', 'profile_view', 'engagement']) WITH ORDINALITY AS a (action, n)
CROSS JOIN LATERAL sendgate.reserve('reserve/a', a.action, 'p1') AS r
ORDER BY a.n;
SELECT proceed, sent_today, daily_cap, remaining FROM sendgate.reserve('reserve/b', 'invite', 'p1');
SELECT account_id, action, sent_today, daily_cap, sent_this_week, weekly_cap
FROM sendgate.counters
WHERE account_id LIKE 'reserve/%'
ORDER BY account_id, action;

-- remaining is what the tighter of both caps leaves.
SELECT sendgate.set_cap('reserve/b', 'invite', 10, 3);
SELECT proceed, sent_today, daily_cap, remaining FROM sendgate.reserve('reserve/b', 'invite', 'p2');

-- Exactly as many grants as free slots, however many ask.
SELECT sendgate.set_cap('reserve/a', 'engagement', 4);
SELECT r.proceed, r.reason, count(*), min(r.remaining), max(r.remaining)
FROM generate_series(2, 10) AS n
CROSS JOIN LATERAL sendgate.reserve('reserve/a', 'engagement', 'p' || n) AS r
GROUP BY r.proceed, r.reason
ORDER BY r.proceed DESC;

-- Counter and journal are one transaction: what is rolled back never happened.
BEGIN;
SELECT proceed, sent_today FROM sendgate.reserve('reserve/a', 'message', 'p9', NULL, contract.op(9));
ROLLBACK;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'reserve/a' AND action = 'message';
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'reserve/a' AND operation_id = contract.op(9);

-- A refusal that has nothing to record writes nothing: not even a transaction id is used.
BEGIN;
SELECT proceed, reason FROM sendgate.reserve('reserve/a', 'engagement', 'p11');
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;

-- A grant is on disk when it is answered, also in a session that turned that off; a refusal and the
-- next transaction are not concerned.
SET synchronous_commit = off;
BEGIN;
SELECT proceed FROM sendgate.reserve('reserve/a', 'engagement', 'p11');
SHOW synchronous_commit;
SELECT proceed FROM sendgate.reserve('reserve/a', 'message', 'p11');
SHOW synchronous_commit;
COMMIT;
SHOW synchronous_commit;
RESET synchronous_commit;

-- The slot is taken whatever the isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT proceed, sent_today FROM sendgate.reserve('reserve/a', 'message', 'p12');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT proceed, sent_today FROM sendgate.reserve('reserve/a', 'message', 'p13');
COMMIT;

-- Bad input is an error of its own and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$reserve(NULL, 'inmail', 'p')$$),
        (2, $$reserve('reserve/a', NULL, 'p')$$),
        (3, $$reserve('reserve/a', 'inmail', NULL)$$),
        (4, $$reserve('reserve/nobody', 'inmail', 'p')$$),
        (5, $$reserve('RESERVE/A', 'inmail', 'p')$$),
        (6, $$reserve('reserve/a ', 'inmail', 'p')$$),
        (7, $$reserve('reserve/a', 'email', 'p')$$),
        (8, $$reserve('reserve/a', 'InMail', 'p')$$),
        (9, $$reserve('reserve/a', '', 'p')$$),
        (10, $$reserve('', 'inmail', 'p')$$),
        (11, $$reserve('reserve/a', 'inmail', '')$$),
        (12, $$reserve('reserve/a', 'inmail', E' \t\n')$$),
        (13, $$reserve('reserve/a', 'inmail', repeat('p', 129))$$),
        (14, $$reserve('reserve/a', 'inmail', 'p', '')$$),
        (15, $$reserve('reserve/a', 'inmail', 'p', repeat('c', 129))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
