-- Every reason to refuse, in the order in which the rules are asked. The first that holds refuses;
-- retry_at is its own instant, and NULL when only an event can change it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';

-- One account that every rule refuses at once. Wednesday, 12:00 UTC; a tier of its own with a
-- minimum gap of two hours.
SELECT sendgate.set_tier_cap('refusals', 'inmail', 1, 1, '2 hours');
SELECT sendgate.set_tier_cap('refusals', 'invite', 5);
SELECT sendgate.upsert_account('refusals/all', 'refusals');
SELECT proceed FROM sendgate.reserve('refusals/all', 'inmail', 'p1', 'c1', contract.op(1));
SELECT proceed FROM sendgate.reserve('refusals/all', 'invite', 'p1', 'c1', contract.op(2));
SELECT sendgate.rollback('refusals/all', contract.op(2), http_status => 429, retry_after => '3 hours');
SELECT
    sendgate.set_window('refusals/all', '15:00', '18:00', '{3,4}'),
    sendgate.breaker_arm('refusals/all', 'test'),
    sendgate.breaker_force('refusals/all', 'open', 'test'),
    sendgate.set_status('refusals/all', 'paused', 'test'),
    sendgate.pause_all('test');

-- 1. The one switch, then the account's status.
SELECT proceed, operation_id, reason, retry_at, expires_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.resume_all();
SELECT s.status, r.proceed, r.reason, r.retry_at
FROM unnest(ARRAY['paused', 'restricted', 'disconnected']) WITH ORDINALITY AS s (status, n)
CROSS JOIN LATERAL (SELECT sendgate.set_status('refusals/all', s.status, 'test') IS NOT NULL) AS done
CROSS JOIN LATERAL sendgate.reserve('refusals/all', 'inmail', CASE WHEN done IS NOT NULL THEN 'p1' END) AS r
ORDER BY s.n;
SELECT sendgate.set_status('refusals/all', 'connected', 'test');

-- 2. The breaker, for InMails only: forced open, then out of credits until the next period.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.breaker_force('refusals/all', 'auto', 'test');
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'invite', 'p1');
SELECT sendgate.breaker_clear('refusals/all', 'test');

-- 3. The account's cooldown.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.clear_cooldown('refusals/all', 'test');

-- 4. The sending window: until it opens.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.set_window('refusals/all', NULL, NULL, NULL);

-- 5. An unresolved operation for this prospect and action; only its outcome can change that. An
-- expired one and one whose outcome is unknown are unresolved too.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1', 'another campaign');
SET sendgate.now = '2026-05-20 12:16:00+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.rollback('refusals/all', contract.op(1), 'Gateway Timeout', http_status => 504);
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');
SELECT sendgate.confirm('refusals/all', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;

-- Then the prospect's cooldown: a day from the last attempt that was not given back.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p1');

-- Then pacing: the minimum gap from the account's last grant of this action.
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p2');
SET sendgate.now = '2026-05-20 13:59:59.999999+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/all', 'inmail', 'p2');
SET sendgate.now = '2026-05-20 14:00:00+00';

-- 6. The weekly cap, until the day of the send falls out of the last seven.
SELECT proceed, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('refusals/all', 'inmail', 'p2');
SELECT sendgate.set_cap('refusals/all', 'inmail', NULL, 5);

-- 7. The daily cap, until midnight.
SELECT proceed, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('refusals/all', 'inmail', 'p2');
SELECT sendgate.set_cap('refusals/all', 'inmail', 2, 5);

-- And nothing refuses any more.
SELECT proceed, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('refusals/all', 'inmail', 'p2');

-- A cap of 0 never lets go by itself: there is no retry_at, only an operator can change it.
SELECT sendgate.upsert_account('refusals/zero', 'free');
SELECT proceed, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('refusals/zero', 'inmail', 'p1');
SELECT sendgate.set_cap('refusals/zero', 'invite', 5, 0);
SELECT proceed, reason, retry_at, remaining FROM sendgate.reserve('refusals/zero', 'invite', 'p1');

-- An action that a tier does not name has a cap of 0.
SELECT proceed, reason, retry_at, daily_cap FROM sendgate.reserve('refusals/all', 'message', 'p1');

-- A cap below the counter refuses; remaining is never negative.
SET sendgate.now = '2026-05-20 16:00:00+00';
SELECT sendgate.set_cap('refusals/all', 'inmail', 1, 5);
SELECT proceed, reason, sent_today, daily_cap, remaining FROM sendgate.reserve('refusals/all', 'inmail', 'p3');

-- The prospect's cooldown is of one prospect and one action, starts at the reservation, and ends
-- with the setting; 0 switches it off. A released operation does not count.
SELECT sendgate.upsert_account('refusals/prospect', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('refusals/prospect', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.confirm('refusals/prospect', contract.op(1)) IS NOT NULL AS confirmed;
SELECT proceed, reason FROM sendgate.reserve('refusals/prospect', 'message', 'p1');
SELECT proceed, reason FROM sendgate.reserve('refusals/prospect', 'invite', 'p2', NULL, contract.op(2));
SELECT sendgate.rollback('refusals/prospect', contract.op(2));
SELECT proceed, reason FROM sendgate.reserve('refusals/prospect', 'invite', 'p2');
SET sendgate.now = '2026-05-21 15:59:59.999999+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve('refusals/prospect', 'invite', 'p1');
SET sendgate.prospect_cooldown = '1h';
SELECT p.proceed, p.reason FROM sendgate.preview('refusals/prospect', 'invite', 'p1') AS p;
SET sendgate.prospect_cooldown = 0;
SELECT p.proceed, p.reason FROM sendgate.preview('refusals/prospect', 'invite', 'p1') AS p;
RESET sendgate.prospect_cooldown;
SET sendgate.now = '2026-05-21 16:00:00+00';
SELECT proceed, reason FROM sendgate.reserve('refusals/prospect', 'invite', 'p1');

-- No refusal took anything.
SELECT account_id, prospect_id, action, state
FROM sendgate.send_operations
WHERE account_id LIKE 'refusals/%'
ORDER BY account_id, reserved_at, action, prospect_id, state;

-- Leave no tier behind.
SELECT sendgate.upsert_account('refusals/all', 'free'), sendgate.drop_tier_cap('refusals', 'inmail'), sendgate.drop_tier_cap('refusals', 'invite');
