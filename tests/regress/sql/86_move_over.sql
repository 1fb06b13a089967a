-- Moving over from counters of one's own: sql/recipes/move_over.sql, on the tables of the seeds.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
\set recipe :abs_srcdir '/../../sql/recipes/move_over.sql'
\set accounts own.linkedin_accounts
\set events own.linkedin_events
SET sendgate.now = '2026-05-24 12:00:00+00';
CREATE SCHEMA own;
CREATE TABLE own.linkedin_accounts (
    id text PRIMARY KEY, display_name text, tier text NOT NULL, status text NOT NULL,
    inmails_sent_today integer NOT NULL, day_marker date NOT NULL, inmail_credits_exhausted_at timestamptz
);
CREATE TABLE own.linkedin_events (
    account_id text NOT NULL, prospect_id text NOT NULL, event_type text NOT NULL, chat_id text,
    created_at timestamptz NOT NULL
);
INSERT INTO own.linkedin_accounts
VALUES
    ('move/ahead', 'Counter ahead of its events', 'sales_navigator', 'Connected', 20, '2026-05-24', NULL),
    ('move/full', 'More than the cap', 'premium', 'Connected', 104, '2026-05-24', NULL),
    ('move/empty', 'Out of credits', 'recruiter', 'Connected', 1, '2026-05-24', '2026-05-20 09:00:00+00'),
    ('move/renewed', 'Out of credits last month', 'recruiter', 'Connected', 7, '2026-05-23', '2026-04-30 23:59:59+00'),
    ('move/paused', 'Paused', 'sales_navigator', 'Paused', 0, '2026-05-24', NULL);
-- 17 InMails and one that nothing proves; invites of every day of a week, and of the day before it.
INSERT INTO own.linkedin_events
SELECT 'move/ahead', 'p' || n, 'inmail_sent', 'chat-' || n, '2026-05-24 08:00:00+00'::timestamptz + n * interval '1 minute'
FROM generate_series(1, 17) n
UNION ALL
SELECT 'move/ahead', 'p18', 'inmail_sent', ' ', '2026-05-24 11:00:00+00'
UNION ALL
SELECT 'move/ahead', 'q' || day || '-' || n, 'invite_sent', NULL, '2026-05-24 10:00:00+00'::timestamptz - day * interval '1 day'
FROM generate_series(0, 7) day, generate_series(1, 14) n
UNION ALL
SELECT 'move/empty', 'p1', 'inmail_sent', 'chat-empty', '2026-05-24 07:00:00+00'
UNION ALL
SELECT 'move/empty', 'p1', 'reply_received', NULL, '2026-05-24 07:30:00+00';
\set ECHO none
\i :recipe
\set ON_ERROR_STOP off
\set ECHO all

-- Caps count the sends from before, in the day and in the week.
SELECT account_id, action, sent_today, daily_cap, sent_this_week, weekly_cap FROM sendgate.counters
WHERE account_id LIKE 'move/%' AND (action = 'inmail' OR account_id = 'move/ahead' AND action = 'invite')
ORDER BY account_id, action;
SELECT id, tier, status, inmail_credits_exhausted_at IS NOT NULL AS stamped FROM sendgate.linkedin_accounts
WHERE id LIKE 'move/%' ORDER BY id;
SELECT a.id, p.proceed, p.reason, p.retry_at, p.remaining
FROM sendgate.linkedin_accounts a, sendgate.preview(a.id, 'inmail') p WHERE a.id LIKE 'move/%' ORDER BY a.id;
SELECT count(*) FILTER (WHERE r.proceed) AS granted, max(r.reason) AS reason
FROM generate_series(1, 40) n, sendgate.reserve('move/ahead', 'inmail', 'new-' || n) r;
SELECT count(*) FILTER (WHERE r.proceed) AS granted, max(r.reason) AS reason
FROM generate_series(1, 40) n, sendgate.reserve('move/ahead', 'invite', 'new-' || n) r;
-- A prospect who got an InMail an hour ago gets no other.
SELECT proceed, reason FROM sendgate.preview('move/ahead', 'inmail', 'p17');
-- Only what is proven is an event; the rest holds its slot.
SELECT account_id, origin, state, outcome, count(*), count(e.id) AS events
FROM sendgate.send_operations o LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id)
WHERE account_id LIKE 'move/%' AND o.prospect_id NOT LIKE 'new-%' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;

-- Again: nothing counts twice; changes by sendgate or its operators stay; sends from meanwhile are counted.
SELECT sendgate.breaker_clear('move/empty', 'credits bought'), sendgate.set_status('move/paused', 'connected', 'goes on');
SELECT contract.books() AS before \gset
\set ECHO none
\i :recipe
\set ON_ERROR_STOP off
\set ECHO all
SELECT contract.books() = :'before' AS nothing_changed;
UPDATE own.linkedin_accounts SET inmails_sent_today = 3 WHERE id = 'move/paused';
UPDATE own.linkedin_accounts SET inmail_credits_exhausted_at = '2026-05-24 12:10:00+00' WHERE id = 'move/empty';
INSERT INTO own.linkedin_events VALUES ('move/paused', 'p1', 'inmail_sent', 'chat-late', '2026-05-24 12:20:00+00');
SET sendgate.now = '2026-05-24 12:30:00+00';
SELECT sendgate.set_window('move/renewed', '00:00', '01:00', '{1,2,3,4,5,6,7}');
UPDATE own.linkedin_accounts SET inmails_sent_today = 9, day_marker = '2026-05-24' WHERE id = 'move/renewed';
-- Outside of its window no slot can be taken for the difference; a warning says so.
SET client_min_messages = 'error';
\set ECHO none
\i :recipe
\set ON_ERROR_STOP off
\set ECHO all
SELECT account_id, sent_today FROM sendgate.counters WHERE account_id LIKE 'move/%' AND action = 'inmail' ORDER BY 1;
SELECT account_id, state FROM sendgate.breakers WHERE account_id LIKE 'move/%' ORDER BY 1;
RESET client_min_messages;
DROP SCHEMA own CASCADE;
