-- Half-open: while a breaker is open every InMail is skipped, so an account whose credits were topped
-- up could never prove itself. A probe is one leased permit.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.probe_41 AS
SELECT account_id, state, exhausted_at, probe_lease_until, probe_operation_id FROM sendgate.breakers;

-- There is nothing to probe while it is closed.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('probe/a', 'sales_navigator');
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.breaker_probe('probe/a', 'x')$$) AS e;

SELECT sendgate.breaker_arm('probe/a', 'balance is 0');
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.breaker_probe('probe/a', 'topped up');
SELECT account_id, state, probe_lease_until >= '2026-05-24 13:15:00+00' AS lease_covers_the_ttl, probe_operation_id FROM contract.probe_41 WHERE account_id = 'probe/a';

-- One at a time.
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.breaker_probe('probe/a', 'x')$$) AS e;

-- The permit is taken after every other rule has let the InMail pass: a refusal does not use it up.
SELECT sendgate.set_cap('probe/a', 'inmail', 0);
SELECT proceed, reason FROM sendgate.reserve('probe/a', 'inmail', 'p1');
SELECT sendgate.set_cap('probe/a', 'inmail', NULL);
SELECT probe_operation_id FROM contract.probe_41 WHERE account_id = 'probe/a';

-- preview and breaker_check do not take it either.
SELECT proceed FROM sendgate.preview('probe/a', 'inmail', 'p1');
SELECT probe_operation_id FROM contract.probe_41 WHERE account_id = 'probe/a';

-- Exactly one of any number of reserves takes it; other actions do not need it.
SELECT proceed FROM sendgate.reserve('probe/a', 'message', 'p1');
SELECT n, r.proceed, r.reason, r.retry_at
FROM generate_series(1, 4) AS n
CROSS JOIN LATERAL sendgate.reserve('probe/a', 'inmail', 'p' || n, NULL, contract.op(n)) AS r
ORDER BY n;
SELECT state, exhausted_at, probe_operation_id FROM contract.probe_41 WHERE account_id = 'probe/a';

-- Delivered: the breaker clears at once.
SET sendgate.now = '2026-05-24 13:01:00+00';
SELECT sendgate.confirm('probe/a', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT * FROM contract.probe_41 WHERE account_id = 'probe/a';
SELECT at, action, reason, exhausted_at, prospect_id FROM sendgate.breaker_log WHERE account_id = 'probe/a' AND action = 'clear';
SELECT proceed FROM sendgate.reserve('probe/a', 'inmail', 'p5');

-- credits_exhausted: it stays open with its old stamp, and the permit is gone.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('probe/empty', 'sales_navigator');
SELECT sendgate.breaker_arm('probe/empty', 'balance is 0');
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.breaker_probe('probe/empty', 'topped up?');
SELECT proceed FROM sendgate.reserve('probe/empty', 'inmail', 'p1', NULL, contract.op(1));
SET sendgate.now = '2026-05-24 13:01:00+00';
SELECT sendgate.rollback('probe/empty', contract.op(1), 'Not enough credits');
SELECT * FROM contract.probe_41 WHERE account_id = 'probe/empty';
SELECT proceed, reason FROM sendgate.reserve('probe/empty', 'inmail', 'p2');
SELECT sendgate.breaker_probe('probe/empty', 'once more');

-- An outcome that says nothing about credits: the permit is back at once, for another prospect.
SELECT n, r.proceed, s.outcome
FROM generate_series(3, 6) AS n
CROSS JOIN LATERAL sendgate.reserve('probe/empty', 'inmail', 'p' || n, NULL, contract.op(n)) AS r
CROSS JOIN LATERAL sendgate.rollback(
    'probe/empty',
    r.operation_id,
    error_message => CASE n WHEN 4 THEN 'recipient blocked' END,
    http_status => CASE n WHEN 5 THEN 503 END
) AS s (outcome)
ORDER BY n;
SELECT state, exhausted_at, probe_operation_id FROM contract.probe_41 WHERE account_id = 'probe/empty';

-- An unknown outcome: no other InMail passes until the lease lapses, never two at a time.
SELECT proceed FROM sendgate.reserve('probe/empty', 'inmail', 'p7', NULL, contract.op(7));
SELECT sendgate.rollback('probe/empty', contract.op(7), 'Gateway Timeout', http_status => 504);
SELECT proceed, reason FROM sendgate.reserve('probe/empty', 'inmail', 'p8');
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.breaker_probe('probe/empty', 'x')$$) AS e;

-- It lapses with the lease and is never stuck: a new probe can be granted.
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT proceed, reason FROM sendgate.reserve('probe/empty', 'inmail', 'p8');
SELECT sendgate.breaker_probe('probe/empty', 'a new one');
SELECT proceed FROM sendgate.reserve('probe/empty', 'inmail', 'p8', NULL, contract.op(8));

-- So it does when the worker never answers; the late delivery of the lapsed probe is a proof all the
-- same, because it was reserved after the stamp.
SET sendgate.now = '2026-05-24 14:30:00+00';
SELECT proceed, reason FROM sendgate.reserve('probe/empty', 'inmail', 'p9');
SELECT sendgate.confirm('probe/empty', contract.op(8), 'chat-8') IS NOT NULL AS confirmed;
SELECT * FROM contract.probe_41 WHERE account_id = 'probe/empty';

-- A permit that is not taken lapses too.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('probe/unused', 'sales_navigator');
SELECT sendgate.breaker_arm('probe/unused', 'test');
SELECT sendgate.breaker_probe('probe/unused', 'test');
SET sendgate.now = '2026-05-25 12:00:00+00';
SELECT proceed, reason FROM sendgate.reserve('probe/unused', 'inmail', 'p1');

-- A permit that is taken late is not free before its operation has expired: never two at a time.
SELECT sendgate.breaker_probe('probe/unused', 'test');
SET sendgate.now = '2026-05-25 12:14:00+00';
SELECT proceed FROM sendgate.reserve('probe/unused', 'inmail', 'p2', NULL, contract.op(2));
SELECT r.proceed, r.expires_at <= b.probe_lease_until AS lease_outlives_it
FROM sendgate.reserve('probe/unused', 'inmail', 'p2', NULL, contract.op(2)) AS r
JOIN contract.probe_41 AS b ON b.account_id = 'probe/unused';
SET sendgate.now = '2026-05-25 12:14:59+00';
SELECT e.code FROM contract.error($$SELECT sendgate.breaker_probe('probe/unused', 'x')$$) AS e;
SELECT proceed, reason FROM sendgate.reserve('probe/unused', 'inmail', 'p3');

-- A clear takes the permit away, and a delivery then is just a delivery.
SELECT sendgate.breaker_clear('probe/unused', 'credits bought');
SELECT * FROM contract.probe_41 WHERE account_id = 'probe/unused';
SELECT sendgate.confirm('probe/unused', contract.op(2), 'chat-2') IS NOT NULL AS confirmed;

-- A forced-open breaker refuses a probe.
SELECT sendgate.breaker_arm('probe/unused', 'test');
SELECT sendgate.breaker_force('probe/unused', 'open', 'test');
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.breaker_probe('probe/unused', 'x')$$) AS e;

-- And no permit passes one that was forced open after it was granted.
SELECT sendgate.breaker_force('probe/unused', 'auto', 'test');
SELECT sendgate.breaker_probe('probe/unused', 'test');
SELECT sendgate.breaker_force('probe/unused', 'open', 'test');
SELECT proceed, reason FROM sendgate.reserve('probe/unused', 'inmail', 'p4');

-- While InMails cool down a permit may lapse before one can take it: its answer says so.
SET sendgate.now = '2026-05-26 12:00:00+00';
SELECT sendgate.upsert_account('probe/cool', 'recruiter');
SELECT sendgate.breaker_arm('probe/cool', 'test');
SELECT proceed FROM sendgate.reserve('probe/cool', 'message', 'p1', NULL, contract.op(3));
SELECT sendgate.rollback('probe/cool', contract.op(3), http_status => 429, retry_after => '1 hour');
SELECT sendgate.breaker_probe('probe/cool', 'test');
SELECT proceed, reason FROM sendgate.reserve('probe/cool', 'inmail', 'p2');
-- Another action's cooldown holds no InMail.
SET sendgate.now = '2026-05-26 13:00:00+00';
SELECT proceed FROM sendgate.reserve('probe/cool', 'invite', 'p1', NULL, contract.op(4));
SELECT sendgate.rollback('probe/cool', contract.op(4), NULL, 'errors/connection_limit_reached', 422);
SELECT sendgate.breaker_probe('probe/cool', 'test');
SELECT proceed FROM sendgate.reserve('probe/cool', 'inmail', 'p2', NULL, contract.op(5));
-- The InMails' own does.
SELECT sendgate.rollback('probe/cool', contract.op(5), NULL, 'errors/feature_not_subscribed', 403);
SET sendgate.now = '2026-05-26 13:20:00+00';
SELECT sendgate.breaker_probe('probe/cool', 'test');
