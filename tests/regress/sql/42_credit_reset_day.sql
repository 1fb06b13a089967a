-- A credit period starts at 00:00 UTC on the account's credit_reset_day; a month too short uses its
-- last day.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- What a stamp says about when InMails go on.
CREATE FUNCTION contract.armed_at(reset_day integer, instant timestamptz, OUT resumes_at timestamptz, OUT retry_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('sendgate.now', to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'), false);
    PERFORM sendgate.upsert_account('reset/a', 'sales_navigator', credit_reset_day => reset_day);
    PERFORM sendgate.breaker_clear('reset/a', 'test');
    PERFORM sendgate.breaker_arm('reset/a', 'test');
    SELECT b.resumes_at INTO resumes_at FROM sendgate.breakers b WHERE b.account_id = 'reset/a';
    SELECT p.retry_at INTO retry_at FROM sendgate.preview('reset/a', 'inmail') AS p;
END
$$;
SELECT t.reset_day, t.instant, a.resumes_at, a.retry_at
FROM (
    VALUES
        (1, 1, '2026-05-24 12:00+00'::timestamptz),
        (2, 1, '2026-12-31 23:59:59.999999+00'),
        (3, 1, '2027-01-01 00:00+00'),
        (4, 15, '2026-05-14 23:59:59.999999+00'),
        (5, 15, '2026-05-15 00:00+00'),
        (6, 31, '2027-01-30 12:00+00'),
        (7, 31, '2027-01-31 00:00+00'),
        (8, 31, '2027-02-27 23:59:59.999999+00'),
        (9, 31, '2027-02-28 00:00+00'),
        (10, 31, '2027-03-31 00:00+00'),
        (11, 30, '2028-02-28 12:00+00'),
        (12, 30, '2028-02-29 00:00+00'),
        (13, 29, '2028-02-10 12:00+00')
) AS t (n, reset_day, instant)
CROSS JOIN LATERAL contract.armed_at(t.reset_day, t.instant) AS a
ORDER BY t.n;

-- Armed on May 14 with reset day 15: it clears on the first InMail of May 15, not of June.
SET sendgate.now = '2026-05-14 23:00:00+00';
SELECT sendgate.upsert_account('reset/b', 'premium_business', credit_reset_day => 15);
SELECT sendgate.breaker_report('reset/b', 'p1', 'Not enough credits');
SELECT proceed, reason, retry_at FROM sendgate.reserve('reset/b', 'inmail', 'p2');
SET sendgate.now = '2026-05-15 00:00:00+00';
SELECT proceed FROM sendgate.reserve('reset/b', 'inmail', 'p2');
SELECT action, reason, exhausted_at FROM sendgate.breaker_log WHERE account_id = 'reset/b' AND action = 'clear';

-- A late error over that boundary stamps the time of its reservation, and does not block the new
-- period.
SET sendgate.now = '2026-06-14 23:59:00+00';
SELECT proceed FROM sendgate.reserve('reset/b', 'inmail', 'p3', NULL, contract.op(3));
SET sendgate.now = '2026-06-15 00:01:00+00';
SELECT sendgate.rollback('reset/b', contract.op(3), 'Not enough credits');
SELECT exhausted_at, state FROM sendgate.breakers WHERE account_id = 'reset/b';
SELECT proceed FROM sendgate.reserve('reset/b', 'inmail', 'p4');

-- An older period's stamp does not stand in the way of a new one: it is cleared as monthly_reset first.
SET sendgate.now = '2026-07-20 12:00:00+00';
SELECT sendgate.breaker_arm('reset/b', 'test');
SET sendgate.now = '2026-08-20 12:00:00+00';
SELECT sendgate.breaker_report('reset/b', 'p5', 'Not enough credits');
SELECT at, action, reason, exhausted_at FROM sendgate.breaker_log WHERE account_id = 'reset/b' AND at >= '2026-07-20' ORDER BY at, action;
