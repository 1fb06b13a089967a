-- A server's clock that ran ahead for a while must neither hide that an account counts on a wrong
-- day, nor disarm its breaker, nor give slots away when the day is repaired.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers

SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('ahead/a', 'premium_career');
SELECT sendgate.set_cap('ahead/a', 'inmail', 2);

-- The clock is three months ahead when the account uses up its cap.
SET sendgate.now = '2026-08-25 12:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/a', 'inmail', 'p1', NULL, contract.op(1));
SELECT proceed FROM sendgate.reserve('ahead/a', 'inmail', 'p2', NULL, contract.op(2));

-- Back in May the account would be refused until August; the refusal raises the alert.
SET sendgate.now = '2026-05-24 12:30:00+00';
SELECT proceed, reason, retry_at AT TIME ZONE 'UTC' AS retry_at_utc FROM sendgate.reserve('ahead/a', 'inmail', 'p3');
SELECT kind, day FROM sendgate.open_alerts WHERE account_id = 'ahead/a';

-- Repaired, the two count today: they were sent today, whatever the clock said.
SELECT sendgate.repair_day('ahead/a', 'the clock is right again');
SELECT day, sent_today FROM sendgate.counters WHERE account_id = 'ahead/a' AND action = 'inmail';
SELECT reason FROM sendgate.reserve('ahead/a', 'inmail', 'p3');
SELECT count(*) AS open_alerts FROM sendgate.open_alerts WHERE account_id = 'ahead/a';

-- A clear from the time ahead disarms nothing: the next credits error stamps the breaker.
SELECT sendgate.upsert_account('ahead/b', 'premium_career');
SELECT sendgate.breaker_arm('ahead/b', 'no credits');
SET sendgate.now = '2027-05-10 00:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/b', 'inmail', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('ahead/b', contract.op(1));
SELECT action, reason FROM sendgate.breaker_log WHERE account_id = 'ahead/b' ORDER BY at, action;
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/b', 'inmail', 'p2', NULL, contract.op(2));
SELECT sendgate.rollback('ahead/b', contract.op(2), 'Not enough credits');
SELECT state, exhausted_at AT TIME ZONE 'UTC' AS exhausted_at_utc FROM sendgate.breakers WHERE account_id = 'ahead/b';

-- And a stamp from the time ahead keeps the account stopped for this period, not for a year.
SELECT sendgate.upsert_account('ahead/c', 'premium_career');
SET sendgate.now = '2027-05-10 00:00:00+00';
SELECT sendgate.breaker_report('ahead/c', 'p1', 'Not enough credits');
SELECT sendgate.set_status('ahead/c', 'connected', 'rolls the row');
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.repair_day('ahead/c', 'the clock is right again');
SELECT reason, retry_at AT TIME ZONE 'UTC' AS retry_at_utc FROM sendgate.reserve('ahead/c', 'inmail', 'p1');

-- A small step back between the grant and the delivery loses nothing: without a time of its own the
-- delivery is taken to have happened no earlier than its grant.
SELECT sendgate.upsert_account('ahead/d', 'premium_career');
SET sendgate.now = '2026-05-24 14:10:00+00';
SELECT proceed FROM sendgate.reserve('ahead/d', 'inmail', 'p1', NULL, contract.op(1));
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT sendgate.confirm('ahead/d', contract.op(1), 'chat-1') IS NOT NULL AS recorded;
SELECT occurred_at AT TIME ZONE 'UTC' AS occurred, recorded_at AT TIME ZONE 'UTC' AS recorded
FROM sendgate.linkedin_events WHERE account_id = 'ahead/d';

-- An operation from a year ahead can be settled by an operator at once, and after the repair its time
-- to answer ends like that of any other.
SELECT sendgate.upsert_account('ahead/e', 'premium_career');
SET sendgate.now = '2027-05-24 14:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/e', 'inmail', 'p1', NULL, contract.op(1));
SELECT proceed FROM sendgate.reserve('ahead/e', 'inmail', 'p2', NULL, contract.op(2));
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT sendgate.resolve_operation('ahead/e', contract.op(1), false, NULL, 'never left');
SELECT sendgate.repair_day('ahead/e', 'the clock is right again');
SELECT operation_id, reserved_at AT TIME ZONE 'UTC' AS reserved, expires_at AT TIME ZONE 'UTC' AS expires, counted_on
FROM sendgate.operations_unresolved WHERE account_id = 'ahead/e';
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ahead/e' AND action = 'inmail';

-- Failures from ahead are cleared, in the log too, and the alert about them is resolved.
SET sendgate.failure_limit = 1;
SELECT sendgate.upsert_account('ahead/f', 'sales_navigator');
SET sendgate.now = '2026-06-24 14:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/f', 'message', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('ahead/f', contract.op(1), 'bad', NULL, 400);
SET sendgate.now = '2026-05-24 15:00:00+00';
SELECT kind FROM sendgate.open_alerts WHERE account_id = 'ahead/f' ORDER BY kind;
SELECT sendgate.repair_day('ahead/f', 'the clock is right again');
SELECT kind FROM sendgate.open_alerts WHERE account_id = 'ahead/f' ORDER BY kind;
SELECT at AT TIME ZONE 'UTC' AS at_utc, action, cause, until IS NULL AS over, note FROM sendgate.cooldown_log
WHERE account_id = 'ahead/f' ORDER BY id;

-- What failed before the clock ran ahead goes on failing; an attempt from ahead keeps it silent for a day at most.
SELECT sendgate.upsert_account('ahead/g', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('ahead/g', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('ahead/g', contract.op(1), 'bad', NULL, 400);
SET sendgate.now = '2026-06-24 14:00:00+00';
SELECT proceed FROM sendgate.reserve('ahead/g', 'invite', 'p2', NULL, contract.op(2));
SELECT sendgate.rollback('ahead/g', contract.op(2), 'bad', NULL, 400);
SET sendgate.now = '2026-05-24 16:00:00+00';
SELECT sendgate.repair_day('ahead/g', 'the clock is right again');
SELECT action, cause, since AT TIME ZONE 'UTC' AS since_utc, until AT TIME ZONE 'UTC' AS until_utc
FROM sendgate.cooldowns WHERE account_id = 'ahead/g';
RESET sendgate.failure_limit;
