-- Days are UTC, and a week is the last seven of them. The row carries its day and what the six days before
-- it sent: every read counts as of the clock, every write rolls counters, marker and ramp together, and no
-- daemon is needed for it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Saturday, May 23, 2026.
SET sendgate.now = '2026-05-23 23:00:00+00';
SELECT sendgate.upsert_account('day/a', 'sales_navigator');
SELECT sendgate.set_cap('day/a', 'invite', 2, 5);
CREATE VIEW contract.day_25 AS
SELECT a.id, a.day AS row_day, a.invites_sent_today AS raw_today, sendgate.sent_before_days(a.sent_before, 'invite') AS days_before,
    c.sent_today, c.sent_this_week, l.invites_sent_today AS card_today
FROM sendgate.accounts a
JOIN sendgate.counters c ON c.account_id = a.id AND c.action = 'invite'
JOIN sendgate.linkedin_accounts l ON l.id = a.id;
SELECT n, r.proceed, r.reason, r.retry_at
FROM generate_series(1, 3) AS n
CROSS JOIN LATERAL sendgate.reserve('day/a', 'invite', 'p' || n) AS r;

-- Midnight is right to the instant, for everybody at once, though nothing wrote the row.
SET sendgate.now = '2026-05-23 23:59:59.999999+00';
SELECT * FROM contract.day_25 WHERE id = 'day/a';
SELECT proceed, reason FROM sendgate.reserve('day/a', 'invite', 'p3');
SET sendgate.now = '2026-05-24 00:00:00+00';
SELECT * FROM contract.day_25 WHERE id = 'day/a';

-- The first write rolls the row; the week goes on.
SELECT proceed, sent_today, remaining FROM sendgate.reserve('day/a', 'invite', 'p3');
SELECT * FROM contract.day_25 WHERE id = 'day/a';

-- The session's time zone does not matter: in Kiritimati it is May 25 already, in Los Angeles still
-- May 23.
SET TimeZone = 'Pacific/Kiritimati';
SELECT proceed, sent_today FROM sendgate.preview('day/a', 'invite', 'p4');
SET TimeZone = 'America/Los_Angeles';
SELECT proceed, sent_today FROM sendgate.preview('day/a', 'invite', 'p4');
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'day/a' AND action = 'invite';
SET TimeZone = 'UTC';

-- A Monday begins no week: what the weekend sent still counts, so one slot of the week's five is left.
SELECT proceed FROM sendgate.reserve('day/a', 'invite', 'p4');
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT * FROM contract.day_25 WHERE id = 'day/a';
SELECT n, r.proceed, r.reason, r.retry_at, r.remaining
FROM generate_series(5, 7) AS n
CROSS JOIN LATERAL sendgate.reserve('day/a', 'invite', 'p' || n) AS r;

-- The week has room again at the first midnight at which enough falls out of it: on the seventh day after
-- the first two, to the instant. The daily cap is 2, so both rules meet.
SET sendgate.now = '2026-05-29 23:59:59.999999+00';
SELECT proceed, reason, retry_at FROM sendgate.preview('day/a', 'invite');
SET sendgate.now = '2026-05-30 00:00:00+00';
SELECT n, r.proceed, r.reason, r.retry_at, r.remaining
FROM generate_series(8, 9) AS n
CROSS JOIN LATERAL sendgate.reserve('day/a', 'invite', 'p' || n) AS r;
SET sendgate.now = '2026-05-31 08:00:00+00';
SELECT n, r.proceed, r.reason, r.retry_at, r.sent_today, r.daily_cap, r.remaining
FROM generate_series(10, 11) AS n
CROSS JOIN LATERAL sendgate.reserve('day/a', 'invite', 'p' || n) AS r;

-- With a cap lowered to 1 the week waits until all that was sent has fallen out; a cap of 0 for ever.
SELECT sendgate.set_cap('day/a', 'invite', 2, 1);
SELECT proceed, reason, retry_at FROM sendgate.preview('day/a', 'invite');
SELECT sendgate.set_cap('day/a', 'invite', 2, 0);
SELECT proceed, reason, retry_at FROM sendgate.preview('day/a', 'invite');
SELECT sendgate.set_cap('day/a', 'invite', 2, 5);

-- A row that was upgraded or restored does not know its days before: the decision counts them from the
-- journal first. Until then a reading has no number for the week.
UPDATE sendgate.accounts SET sent_before = NULL WHERE id = 'day/a';
SELECT * FROM contract.day_25 WHERE id = 'day/a';
SELECT proceed, reason, retry_at FROM sendgate.preview('day/a', 'invite');
SELECT proceed, reason, retry_at, sent_today FROM sendgate.reserve('day/a', 'invite', 'p12');
UPDATE sendgate.accounts SET sent_before = NULL WHERE id = 'day/a';
SELECT sendgate.set_cap('day/a', 'invite', 3, 6);
SELECT proceed, reason, retry_at, sent_today, remaining FROM sendgate.reserve('day/a', 'invite', 'p12');
SELECT proceed, reason, retry_at FROM sendgate.reserve('day/a', 'invite', 'p13');
SELECT * FROM contract.day_25 WHERE id = 'day/a';

-- So does the answer to a call that is repeated: what it says is left knows the week, too.
SET sendgate.now = '2026-05-29 12:00:00+00';
SELECT sendgate.upsert_account('day/again', 'sales_navigator');
SELECT sendgate.set_cap('day/again', 'invite', 9, 5);
SELECT count((sendgate.reserve('day/again', 'invite', 'p' || n)).operation_id) FROM generate_series(1, 3) n;
SET sendgate.now = '2026-05-30 12:00:00+00';
SELECT proceed, sent_today, remaining FROM sendgate.reserve('day/again', 'invite', 'p4', NULL, contract.op(4));
UPDATE sendgate.accounts SET sent_before = NULL WHERE id = 'day/again';
SELECT proceed, sent_today, remaining FROM sendgate.reserve('day/again', 'invite', 'p4', NULL, contract.op(4));
SELECT sendgate.rollback('day/again', contract.op(4), 'gone', 'errors/blocked_recipient', 422);
UPDATE sendgate.accounts SET sent_before = NULL WHERE id = 'day/again';
SELECT proceed, reason, sent_today, remaining FROM sendgate.reserve('day/again', 'invite', 'p4', NULL, contract.op(4));
-- Nor does such a row know the attempts of its day, which an earlier release did not count. They are counted with the
-- days before, and also where no weekly cap needs those: never more than twice the cap.
SELECT sendgate.upsert_account('day/tries', 'sales_navigator');
SELECT sendgate.set_cap('day/tries', 'message', 2);
SELECT sendgate.rollback('day/tries', (sendgate.reserve('day/tries', 'message', 'p' || n)).operation_id, 'gone', 'errors/blocked_recipient', 422) FROM generate_series(1, 3) n;
SELECT sendgate.rollback('day/tries', (sendgate.reserve('day/tries', 'message', 'p4')).operation_id);
UPDATE sendgate.accounts SET sent_before = NULL, message_attempts_today = 0 WHERE id = 'day/tries';
SELECT proceed FROM sendgate.preview('day/tries', 'message');
SELECT proceed FROM sendgate.reserve('day/tries', 'message', 'p5', NULL, contract.op(5));
SELECT message_attempts_today FROM sendgate.accounts WHERE id = 'day/tries';
SELECT sendgate.rollback('day/tries', contract.op(5), 'gone', 'errors/blocked_recipient', 422);
UPDATE sendgate.accounts SET sent_before = NULL, message_attempts_today = 0 WHERE id = 'day/tries';
SELECT reason FROM sendgate.preview('day/tries', 'message');
SELECT reason FROM sendgate.reserve('day/tries', 'message', 'p6');
UPDATE sendgate.accounts SET sent_before = NULL, message_attempts_today = 0 WHERE id = 'day/tries';
SELECT sendgate.enqueue('spring', 'w1', 'day/tries', 'message') AS is_new;
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'day/tries');
-- Layer 1 counts them as well, and a first count is no drift.
SELECT sendgate.record_external_send('day/tries', 'message', 'x1', 'chat x1', sendgate.clock()) IS NOT NULL AS recorded;
UPDATE sendgate.accounts SET sent_before = NULL, message_attempts_today = 0, messages_sent_today = 0 WHERE id = 'day/tries';
SELECT more FROM sendgate.reconcile_operations(10000);
SELECT message_attempts_today, sendgate.sent_before_days(sent_before, 'message') AS before FROM sendgate.accounts WHERE id = 'day/tries';
SELECT period, before, after FROM sendgate.counter_drift WHERE account_id = 'day/tries';

-- A transaction that began before midnight counts on the day in which it decides.
SELECT sendgate.upsert_account('day/midnight', 'sales_navigator');
SET sendgate.now = '2026-05-31 23:59:59+00';
BEGIN;
SELECT proceed, sent_today FROM sendgate.reserve('day/midnight', 'invite', 'p1', NULL, contract.op(1));
SET sendgate.now = '2026-06-01 00:00:01+00';
SELECT proceed, sent_today FROM sendgate.reserve('day/midnight', 'invite', 'p2', NULL, contract.op(2));
COMMIT;
SELECT operation_id, counted_on FROM sendgate.send_operations WHERE account_id = 'day/midnight' ORDER BY operation_id;

-- The ramp: 20 % of the daily cap, rounded up, and 20 % more for each UTC day on which the account
-- sent anything. A cap of 12 ramps 3, 5, 8, 10, 12.
SET sendgate.now = '2026-06-01 12:00:00+00';
SELECT sendgate.upsert_account('day/ramp', 'sales_navigator', ramp => true);
SELECT sendgate.set_cap('day/ramp', 'invite', 12, 1000);
SELECT n, r.proceed, r.reason, r.retry_at, r.daily_cap, r.remaining
FROM generate_series(1, 4) AS n
CROSS JOIN LATERAL sendgate.reserve('day/ramp', 'invite', 'p' || n) AS r;

-- A day without a send is no step; a send of any action is one.
SELECT d.day, p.daily_cap AS invites, m.daily_cap AS messages
FROM (VALUES ('2026-06-02 12:00+00'::timestamptz), ('2026-06-05 12:00+00')) AS d (day)
CROSS JOIN LATERAL contract.preview_at(d.day, 'day/ramp', 'invite') AS p
CROSS JOIN LATERAL contract.preview_at(d.day, 'day/ramp', 'message') AS m
ORDER BY d.day;
SET sendgate.now = '2026-06-05 12:00:00+00';
SELECT proceed, daily_cap FROM sendgate.reserve('day/ramp', 'message', 'p1');
SET sendgate.now = '2026-06-06 12:00:00+00';
SELECT proceed, daily_cap FROM sendgate.reserve('day/ramp', 'message', 'p2');
SET sendgate.now = '2026-06-07 12:00:00+00';
SELECT proceed, daily_cap FROM sendgate.reserve('day/ramp', 'invite', 'p8');
SELECT p.daily_cap FROM contract.preview_at('2026-06-08 12:00+00', 'day/ramp', 'invite') AS p;
SELECT daily_cap FROM sendgate.counters WHERE account_id = 'day/ramp' AND action = 'invite';
SET sendgate.now = '2026-06-08 12:00:00+00';
SELECT proceed, daily_cap FROM sendgate.reserve('day/ramp', 'invite', 'p9');
SELECT p.daily_cap FROM contract.preview_at('2026-06-09 12:00+00', 'day/ramp', 'invite') AS p;

-- A day whose only attempt was given back sent nothing, and is no step.
SELECT sendgate.upsert_account('day/ramp_back', 'sales_navigator', ramp => true);
SELECT proceed, daily_cap FROM sendgate.reserve('day/ramp_back', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('day/ramp_back', contract.op(1));
SELECT p.daily_cap FROM contract.preview_at('2026-06-09 12:00+00', 'day/ramp_back', 'invite') AS p;

-- Provisioning again leaves a ramp alone; switching it off and on starts it afresh.
SELECT sendgate.upsert_account('day/ramp', ramp => true);
SELECT daily_cap FROM sendgate.preview('day/ramp', 'invite');
SELECT sendgate.upsert_account('day/ramp', ramp => false);
SELECT daily_cap FROM sendgate.preview('day/ramp', 'invite');
SET sendgate.now = '2026-06-10 12:00:00+00';
SELECT sendgate.upsert_account('day/ramp', ramp => true);
SELECT daily_cap FROM sendgate.preview('day/ramp', 'invite');

-- Pacing: a tier's minimum gap between two grants of an action, also across midnight.
SELECT sendgate.set_tier_cap('paced', 'invite', 10, NULL, '30 minutes');
SELECT sendgate.upsert_account('day/paced', 'paced');
SET sendgate.now = '2026-06-10 23:50:00+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve('day/paced', 'invite', 'p1');
SELECT proceed, reason, retry_at FROM sendgate.reserve('day/paced', 'invite', 'p2');
SET sendgate.now = '2026-06-11 00:10:00+00';
SELECT proceed, reason, retry_at, sent_today FROM sendgate.reserve('day/paced', 'invite', 'p2');
SET sendgate.now = '2026-06-11 00:20:00+00';
SELECT proceed, reason, retry_at, sent_today FROM sendgate.reserve('day/paced', 'invite', 'p2');

-- A row whose day is ahead of the clock (a clock was wrong) never goes back by itself: it
-- goes on counting on its own day, and an alert says so.
SET sendgate.now = '2026-06-12 12:00:00+00';
SELECT sendgate.upsert_account('day/ahead', 'sales_navigator');
SELECT proceed, sent_today FROM sendgate.reserve('day/ahead', 'invite', 'p1', NULL, contract.op(1));
SET sendgate.now = '2026-06-20 12:00:00+00';
SELECT proceed, sent_today FROM sendgate.reserve('day/ahead', 'invite', 'p2', NULL, contract.op(2));
SET sendgate.now = '2026-06-12 13:00:00+00';
SELECT * FROM contract.day_25 WHERE id = 'day/ahead';
SELECT proceed, sent_today FROM sendgate.reserve('day/ahead', 'invite', 'p3', NULL, contract.op(3));
SELECT proceed, sent_today FROM sendgate.reserve('day/ahead', 'invite', 'p4', NULL, contract.op(4));
SELECT operation_id, reserved_at, counted_on FROM sendgate.send_operations WHERE account_id = 'day/ahead' ORDER BY operation_id;
SELECT account_id, kind, day, opened_at FROM sendgate.open_alerts WHERE account_id = 'day/ahead';

-- repair_day brings it back to today, counted again from the journal: what it counted ahead was sent
-- by now, so it counts today. The alert is closed.
SELECT sendgate.repair_day('day/ahead', 'clock mended');
SELECT * FROM contract.day_25 WHERE id = 'day/ahead';
SELECT operation_id, counted_on FROM sendgate.send_operations WHERE account_id = 'day/ahead' ORDER BY operation_id;
SELECT count(*) AS open_alerts FROM sendgate.open_alerts WHERE account_id = 'day/ahead';
SELECT proceed, sent_today FROM sendgate.reserve('day/ahead', 'invite', 'p5', NULL, contract.op(5));

-- Leave no tier behind.
SELECT sendgate.upsert_account('day/paced', 'free'), sendgate.drop_tier_cap('paced', 'invite');
