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
