-- The views: what DBAs, support and the console read. All rows of a view are of one instant of the
-- gate's clock.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('views/ada', 'sales_navigator', 'Ada', 'Europe/Berlin', '08:00', '18:00', '{1,2,3,4,5,6,7}');
SELECT sendgate.upsert_account('views/bob', 'premium_career', 'Bob', credit_reset_day => 9);
SELECT sendgate.upsert_account('views/cyd', 'recruiter_lite');
SELECT sendgate.upsert_account('views/dot', 'sales_navigator');
SELECT n, r.proceed
FROM generate_series(1, 5) AS n
CROSS JOIN LATERAL sendgate.reserve('views/ada', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;
SELECT proceed FROM sendgate.reserve('views/ada', 'invite', 'p1', NULL, contract.op(6));
SELECT sendgate.confirm('views/ada', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.confirm('views/ada', contract.op(2), 'chat-2') IS NOT NULL AS confirmed;
SELECT sendgate.confirm('views/ada', contract.op(6)) IS NOT NULL AS confirmed;
SELECT sendgate.rollback('views/ada', contract.op(3), 'Bad Gateway', http_status => 502);
SELECT sendgate.breaker_arm('views/bob', 'test');
SELECT sendgate.breaker_force('views/cyd', 'open', 'test');
SELECT sendgate.breaker_force('views/dot', 'closed', 'test');
SELECT sendgate.breaker_arm('views/dot', 'test');

-- linkedin_accounts: the row as of the clock, under the seeds' column names.
SELECT id, display_name, status, inmails_sent_today, invites_sent_today, inmail_credits_exhausted_at, credit_reset_day
FROM sendgate.linkedin_accounts
WHERE id LIKE 'views/%'
ORDER BY id;

-- account_cards: a line per account as a dashboard shows it. The pill says why no InMails are sent,
-- and until when.
SELECT account_id, display_name, status, inmails_sent_today AS sent, inmail_daily_cap AS cap, inmails_delivered_today AS delivered, in_flight, unresolved, pill
FROM sendgate.account_cards
WHERE account_id LIKE 'views/%'
ORDER BY account_id;

-- breakers.
SELECT account_id, mode, state, exhausted_at, resumes_at FROM sendgate.breakers WHERE account_id LIKE 'views/%' ORDER BY account_id;

-- counters: every action with its effective cap.
SELECT action, sent_today, daily_cap, sent_this_week, weekly_cap FROM sendgate.counters WHERE account_id = 'views/ada' ORDER BY action;

-- delivered_daily: the proven deliveries.
SELECT day, event_type, delivered FROM sendgate.delivered_daily WHERE account_id = 'views/ada' ORDER BY day, event_type;

-- operations_unresolved: what is in flight, expired or unknown.
SET sendgate.now = '2026-05-24 12:10:00+00';
SELECT proceed FROM sendgate.reserve('views/ada', 'message', 'p7', NULL, contract.op(7));
SET sendgate.now = '2026-05-24 12:20:00+00';
SELECT operation_id, action, state, expired, age, outcome, http_status, error
FROM sendgate.operations_unresolved
WHERE account_id = 'views/ada'
ORDER BY operation_id;
SELECT in_flight, unresolved FROM sendgate.account_cards WHERE account_id = 'views/ada';

-- open_alerts.
SELECT proceed FROM sendgate.reserve('views/ada', 'invite', 'p8', NULL, contract.op(8));
SELECT sendgate.rollback('views/ada', contract.op(8));
SELECT sendgate.confirm('views/ada', contract.op(8)) IS NOT NULL AS confirmed;
SELECT account_id, kind, day, detail, opened_at, acknowledged_by FROM sendgate.open_alerts WHERE account_id = 'views/ada';

-- At midnight every view reads 0 at once, though nothing has written a row; the stamp stays raw.
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT id, inmails_sent_today, invites_sent_today, inmails_sent_this_week, inmail_credits_exhausted_at
FROM sendgate.linkedin_accounts
WHERE id LIKE 'views/%'
ORDER BY id;
SELECT inmails_sent_today AS sent, inmails_delivered_today AS delivered, in_flight, unresolved FROM sendgate.account_cards WHERE account_id = 'views/ada';
SELECT action, sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'views/ada' AND sent_today + sent_this_week > 0 ORDER BY action;

-- In a new credit period the pill is gone at once, before a call clears the stamp.
SET sendgate.now = '2026-06-09 00:00:00+00';
SELECT account_id, pill FROM sendgate.account_cards WHERE account_id LIKE 'views/%' ORDER BY account_id;
SELECT account_id, state, exhausted_at FROM sendgate.breakers WHERE account_id = 'views/bob';

-- A reader may read all of them, and the logs; a sender none.
CREATE ROLE regress_sendgate_reader;
CREATE ROLE regress_sendgate_sender;
GRANT sendgate_reader TO regress_sendgate_reader;
GRANT sendgate_sender TO regress_sendgate_sender;
GRANT USAGE ON SCHEMA contract TO regress_sendgate_reader, regress_sendgate_sender;
CREATE FUNCTION contract.may_read(relation text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT * FROM sendgate.%I) AS all_columns', relation);
    RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN false;
END
$$;
CREATE TABLE contract.relations_70 AS
SELECT c.relname AS name, c.relkind = 'v' AS is_view
FROM pg_class c
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v');
GRANT SELECT ON contract.relations_70 TO regress_sendgate_reader, regress_sendgate_sender;
SET ROLE regress_sendgate_reader;
SELECT name, is_view, contract.may_read(name) FROM contract.relations_70 ORDER BY is_view DESC, name;
SET ROLE regress_sendgate_sender;
SELECT name AS a_sender_may_read FROM contract.relations_70 WHERE contract.may_read(name);
RESET ROLE;
DROP OWNED BY regress_sendgate_reader, regress_sendgate_sender;
DROP ROLE regress_sendgate_reader, regress_sendgate_sender;
