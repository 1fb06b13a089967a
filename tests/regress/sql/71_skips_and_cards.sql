-- What the campaign's people and support see of skipped work: skips_today, and the accounts' cards.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 23:00:00+00';
SELECT n, sendgate.upsert_account('skips/' || n, 'sales_navigator', credit_reset_day => 9) FROM unnest(ARRAY['a', 'b']) AS n;
SELECT count(*) FILTER (WHERE sendgate.enqueue(c.campaign, c.campaign || n, 'skips/' || a.account, 'inmail')) AS new
FROM unnest(ARRAY['a', 'b']) AS a (account) CROSS JOIN unnest(ARRAY['spring', 'autumn']) AS c (campaign) CROSS JOIN generate_series(1, 3) AS n;
SELECT sendgate.breaker_arm('skips/a', 'test');
SELECT count(*) FROM sendgate.dispatch(100, 'inmail', 'skips/a');
SELECT proceed FROM sendgate.reserve('skips/a', 'inmail', 'by hand');
SELECT proceed FROM sendgate.reserve('skips/a', 'inmail', 'by hand');
SELECT count(*) FROM sendgate.dispatch(100, 'inmail', 'skips/b');
SELECT sendgate.rollback('skips/b', contract.handed('skips/b', 'spring1'), 'Recipient blocked');
SELECT sendgate.rollback('skips/b', contract.handed('skips/b', 'spring2'), 'Recipient blocked');
SELECT sendgate.rollback('skips/b', contract.handed('skips/b', 'spring3'), 'Gateway Timeout', http_status => 504);
SELECT sendgate.confirm('skips/b', contract.handed('skips/b', 'autumn1'), 'chat-1') IS NOT NULL AS confirmed;

-- A line per account, campaign, action and reason.
SELECT account_id, campaign_id, action, reason, skipped, repeats, deferred_to, last_at
FROM sendgate.skips_today WHERE account_id LIKE 'skips/%' ORDER BY account_id, campaign_id, reason;

-- The card shows both: operations in flight, which a worker still has, and unresolved ones.
SELECT account_id, status, inmails_sent_today AS sent, inmail_daily_cap AS cap, inmails_delivered_today AS delivered, in_flight, unresolved, pill, breaker, resumes_at
FROM sendgate.account_cards WHERE account_id LIKE 'skips/%' ORDER BY account_id;

-- Repeats are counted, not listed.
SET sendgate.now = '2026-05-24 23:10:00+00';
SELECT sendgate.resume_deferred('skips/a');
SELECT count(*) FROM sendgate.dispatch(100, 'inmail', 'skips/a');
SELECT account_id, campaign_id, reason, skipped, repeats, last_at FROM sendgate.skips_today WHERE account_id = 'skips/a' ORDER BY campaign_id;

-- Today is UTC's day, whatever the session's time zone, and ends for all at once.
SET TimeZone = 'Pacific/Kiritimati';
SELECT sum(skipped) AS skipped FROM sendgate.skips_today WHERE account_id LIKE 'skips/%';
SET TimeZone = 'America/Los_Angeles';
SELECT sum(skipped) AS skipped FROM sendgate.skips_today WHERE account_id LIKE 'skips/%';
SET sendgate.now = '2026-05-24 23:59:59.999999+00';
SELECT sum(skipped) AS skipped FROM sendgate.skips_today WHERE account_id LIKE 'skips/%';
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT sum(skipped) AS skipped FROM sendgate.skips_today WHERE account_id LIKE 'skips/%';
SET TimeZone = 'UTC';
SELECT sum(skipped) AS skipped FROM sendgate.skips_today WHERE account_id LIKE 'skips/%';
SELECT account_id, inmails_sent_today AS sent, inmails_delivered_today AS delivered, in_flight, unresolved, pill FROM sendgate.account_cards WHERE account_id LIKE 'skips/%' ORDER BY account_id;

-- With the next credit period the pill is gone before a call clears the stamp.
SET sendgate.now = '2026-06-09 00:00:00+00';
SELECT account_id, pill, breaker FROM sendgate.account_cards WHERE account_id = 'skips/a';
SELECT count(*) FROM sendgate.dispatch(100, 'inmail', 'skips/a');
SELECT account_id, inmails_sent_today AS sent, in_flight, pill, breaker FROM sendgate.account_cards WHERE account_id = 'skips/a';
