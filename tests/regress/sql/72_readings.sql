-- The readings that the views are made of: pure functions of a row and an instant.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers

-- A day's counter reads 0 from the first instant of the next UTC day, whatever the session's zone.
SET TimeZone = 'Pacific/Kiritimati';
SELECT at, sendgate.sent_as_of(7, '2026-05-24', at::timestamptz)
FROM (VALUES ('2026-05-24 00:00:00+00'), ('2026-05-24 23:59:59.999999+00'), ('2026-05-25 00:00:00+00')) t (at);
-- A row whose day is ahead of the clock goes on counting on its own day.
SELECT sendgate.sent_as_of(7, '2026-05-24', '2026-05-23 12:00:00+00') AS ahead;
RESET TimeZone;

-- The seven days that end with the clock's: the row's counter, and its six days before while they are young
-- enough. Not counted yet is NULL, which a check on the row allows; what cannot be read is none.
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.upsert_account('readings/a', 'sales_navigator') AS made;
SELECT n, sendgate.record_external_send('readings/a', 'invite', 'p' || n, NULL, '2026-05-24 12:00:00+00'::timestamptz - n * interval '1 day') IS NOT NULL AS recorded
FROM generate_series(0, 6) n;
SELECT sendgate.sent_before_days(sent_before, 'invite') AS invites, sendgate.sent_before_days(sent_before, 'message') AS messages
FROM sendgate.accounts WHERE id = 'readings/a';
SELECT t.at, sendgate.sent_in_seven_days_as_of(9, a.sent_before, 'invite', a.day, t.at::timestamptz)
FROM sendgate.accounts a
CROSS JOIN (VALUES ('2026-05-24 23:59:59.999999+00'), ('2026-05-25 00:00:00+00'), ('2026-05-30 12:00:00+00'),
            ('2026-05-31 00:00:00+00')) t (at)
WHERE a.id = 'readings/a' ORDER BY t.at;
SELECT sendgate.sent_in_seven_days_as_of(9, NULL, 'invite', '2026-05-24', '2026-05-24') AS not_counted,
       sendgate.sent_before_days(NULL, 'invite') AS no_days;
SELECT sendgate.is_sound_history(a.sent_before, a.failures) AS own, sendgate.is_sound_history(NULL, NULL) AS none,
       sendgate.is_sound_history('\x00', NULL) AS short, sendgate.is_sound_history(NULL, '{"email": {}}') AS unknown_action,
       sendgate.is_sound_history(NULL, '[]') AS no_object
FROM sendgate.accounts a WHERE a.id = 'readings/a';

-- The first start of a credit period after an instant; a month too short uses its last day.
SELECT day, at, sendgate.next_credit_period(day, at::timestamptz) AT TIME ZONE 'UTC' AS next
FROM (VALUES (1, '2026-05-31 23:59:59+00'), (1, '2026-06-01 00:00:00+00'), (31, '2026-02-10 00:00:00+00'),
             (31, '2028-02-10 00:00:00+00'), (15, '2026-12-20 00:00:00+00')) t (day, at);

-- ISO weekdays from bits, 1 = Monday.
SELECT bits, sendgate.window_days_array(bits) FROM (VALUES (1), (31), (64), (127)) t (bits);

-- The effective cap: the ramp starts at 20 percent, rounded up, and a day with a send is a step.
SELECT at, ramp, ramp_days, sent,
       sendgate.effective_cap(50, ramp, ramp_days, sent, '2026-05-24', 20, 20, at::timestamptz) AS cap
FROM (VALUES (false, 0, false, '2026-05-24 12:00:00+00'), (true, 0, false, '2026-05-24 12:00:00+00'),
             (true, 0, true, '2026-05-24 12:00:00+00'), (true, 0, true, '2026-05-25 12:00:00+00'),
             (true, 9, true, '2026-05-25 12:00:00+00')) t (ramp, ramp_days, sent, at);

-- The breaker's state; a stamp of an earlier credit period holds nothing back.
SELECT mode, stamp, sendgate.breaker_state(mode, stamp::timestamptz, 1, '2026-05-24 12:00:00+00') AS state
FROM (VALUES ('auto', NULL), ('auto', '2026-05-24 10:00:00+00'), ('auto', '2026-04-30 23:59:59+00'),
             ('open', NULL), ('closed', '2026-05-24 10:00:00+00')) t (mode, stamp);

-- No function is strict: a NULL is an error that names it.
SELECT sendgate.sent_as_of(NULL, '2026-05-24', '2026-05-24');

-- Refusals are counted in shared memory, which this server did not give: no rows.
SELECT count(*) FROM sendgate.refusal_counts();

-- Since when a window is open or closed; without a window, or in a zone that is gone, it is unknown.
SELECT at, sendgate.window_since('09:00', '17:00', 31::smallint, 'Europe/Berlin', at::timestamptz) AT TIME ZONE 'UTC' AS since
FROM (VALUES ('2026-05-22 16:00:00+00'), ('2026-05-24 12:00:00+00'), ('2026-05-25 12:00:00+00')) t (at);
SELECT sendgate.window_since(NULL, NULL, NULL, 'UTC', sendgate.clock()) AS no_window,
       sendgate.window_since('09:00', '17:00', 31::smallint, 'Mars/Olympus', sendgate.clock()) AS no_zone;
-- Whether an account is outside its window; without one it never is, and in a zone that is gone it is unknown.
SELECT at, sendgate.outside_window('09:00', '17:00', 31::smallint, 'Europe/Berlin', at::timestamptz) AS outside
FROM (VALUES ('2026-05-22 14:59:59+00'), ('2026-05-22 15:00:00+00'), ('2026-05-24 12:00:00+00')) t (at);
SELECT sendgate.outside_window(NULL, NULL, NULL, 'UTC', sendgate.clock()) AS no_window,
       sendgate.outside_window('09:00', '17:00', 31::smallint, 'Mars/Olympus', sendgate.clock()) AS no_zone;

-- Counts of what the gate does are in shared memory, which only a server that preloads the library has.
SELECT count(*) FROM sendgate.activity_counts();
-- How long campaign work has been due.
SET sendgate.now = '2026-05-24 13:00:00+00';
BEGIN;
DELETE FROM sendgate.dispatch_queue;
SELECT * FROM sendgate.due_work;
SELECT sendgate.enqueue('readings', 'p', 'readings/a', 'message', '2026-05-24 12:40:00+00');
SELECT * FROM sendgate.due_work;
SET LOCAL sendgate.now = '2026-05-24 12:00:00+00';
SELECT * FROM sendgate.due_work;
ROLLBACK;
