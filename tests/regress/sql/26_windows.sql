-- Sending windows are wall-clock times in the account's own time zone. preview tells when one opens
-- (retry_at); the rule is the same for reserve.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- 2026-05-20 is a Wednesday.
SET sendgate.now = '2026-05-20 00:00:00+00';
SELECT sendgate.upsert_account('windows/utc', 'sales_navigator', NULL, 'UTC', '09:00', '17:00', '{1,2,3,4,5}');
SELECT sendgate.upsert_account('windows/new_york', 'sales_navigator', NULL, 'America/New_York', '09:00', '17:00', '{1,2,3,4,5}');
SELECT sendgate.upsert_account('windows/kolkata', 'sales_navigator', NULL, 'Asia/Kolkata', '09:00', '17:00', '{1,2,3,4,5}');
SELECT sendgate.upsert_account('windows/kathmandu', 'sales_navigator', NULL, 'Asia/Kathmandu', '09:00', '17:00', '{1,2,3,4,5}');
SELECT sendgate.upsert_account('windows/kiritimati', 'sales_navigator', NULL, 'Pacific/Kiritimati', '09:00', '17:00', '{1,2,3,4,5}');
SELECT a.id, a.time_zone, p.proceed, p.reason, p.retry_at, p.retry_at AT TIME ZONE a.time_zone AS local
FROM sendgate.linkedin_accounts a
CROSS JOIN LATERAL contract.preview_at('2026-05-20 12:00+00', a.id, 'message') AS p
WHERE a.id LIKE 'windows/%'
ORDER BY a.id;
-- Just before 21:00 UTC on a Friday New York is about to close, and it is Saturday in Kiritimati; the
-- next window is Monday's, local.
SELECT a.id, p.proceed, p.retry_at, p.retry_at AT TIME ZONE a.time_zone AS local
FROM sendgate.linkedin_accounts a
CROSS JOIN LATERAL contract.preview_at('2026-05-22 20:59:59+00', a.id, 'message') AS p
WHERE a.id LIKE 'windows/%'
ORDER BY a.id;

-- The start is inside, the end is not.
SELECT t.at, p.proceed, p.reason, p.retry_at
FROM unnest(ARRAY['2026-05-20 08:59:59.999999+00', '2026-05-20 09:00+00', '2026-05-20 16:59:59.999999+00', '2026-05-20 17:00+00']::timestamptz[]) AS t (at)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/utc', 'message') AS p
ORDER BY t.at;

-- reserve obeys it for every action.
SELECT a.action, r.proceed, r.reason, r.retry_at
FROM unnest(ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement']) WITH ORDINALITY AS a (action, n)
CROSS JOIN LATERAL sendgate.reserve('windows/utc', a.action, 'p1') AS r
ORDER BY a.n;

-- A window past midnight belongs to the day it starts: Friday 22:00 to Saturday 02:00, and nothing
-- in the night from Thursday to Friday.
SELECT sendgate.upsert_account('windows/night', 'sales_navigator', NULL, 'UTC', '22:00', '02:00', '{5}');
SELECT to_char(t.at, 'Dy HH24:MI') AS at, p.proceed, to_char(p.retry_at, 'Dy Mon DD HH24:MI') AS retry_at
FROM unnest(ARRAY['2026-05-22 01:00+00', '2026-05-22 21:59+00', '2026-05-22 22:00+00', '2026-05-23 00:00+00', '2026-05-23 01:59+00', '2026-05-23 02:00+00', '2026-05-23 22:30+00']::timestamptz[]) WITH ORDINALITY AS t (at, n)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/night', 'message') AS p
ORDER BY t.n;

-- A window that ends at 24:00 is whole days; a window on one day opens once a week.
SELECT sendgate.upsert_account('windows/sunday', 'sales_navigator', NULL, 'UTC', '00:00', '24:00', '{7}');
SELECT to_char(t.at, 'Dy HH24:MI') AS at, p.proceed, to_char(p.retry_at, 'Dy Mon DD HH24:MI') AS retry_at
FROM unnest(ARRAY['2026-05-23 23:59+00', '2026-05-24 00:00+00', '2026-05-24 23:59+00', '2026-05-25 00:00+00']::timestamptz[]) WITH ORDINALITY AS t (at, n)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/sunday', 'message') AS p
ORDER BY t.n;

-- Daylight saving, forth: on 2026-03-08 the clocks of Los Angeles go from 01:59 PST to 03:00 PDT. A
-- window that opens at 02:30, in the gap, opens when the gap is over; one that ends at 02:30 has
-- ended by then.
SELECT sendgate.upsert_account('windows/gap_start', 'sales_navigator', NULL, 'America/Los_Angeles', '02:30', '05:00', '{1,2,3,4,5,6,7}');
SELECT sendgate.upsert_account('windows/gap_end', 'sales_navigator', NULL, 'America/Los_Angeles', '01:00', '02:30', '{1,2,3,4,5,6,7}');
SELECT a.id, t.at, t.at AT TIME ZONE 'America/Los_Angeles' AS local, p.proceed, p.retry_at
FROM sendgate.linkedin_accounts a
CROSS JOIN unnest(ARRAY['2026-03-08 09:30+00', '2026-03-08 09:59:59+00', '2026-03-08 10:00+00', '2026-03-08 11:59:59+00', '2026-03-08 12:00+00']::timestamptz[]) AS t (at)
CROSS JOIN LATERAL contract.preview_at(t.at, a.id, 'message') AS p
WHERE a.id LIKE 'windows/gap%'
ORDER BY a.id, t.at;

-- And back: on 2026-11-01 they go from 01:59 PDT to 01:00 PST. What the wall clock shows twice is
-- inside twice: 01:30 to 01:45 opens in both hours.
SELECT sendgate.upsert_account('windows/overlap', 'sales_navigator', NULL, 'America/Los_Angeles', '01:30', '01:45', '{7}');
SELECT t.at, t.at AT TIME ZONE 'America/Los_Angeles' AS local, p.proceed, p.retry_at
FROM unnest(ARRAY['2026-11-01 08:00+00', '2026-11-01 08:30+00', '2026-11-01 08:45+00', '2026-11-01 09:15+00', '2026-11-01 09:30+00', '2026-11-01 09:45+00']::timestamptz[]) AS t (at)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/overlap', 'message') AS p
ORDER BY t.at;

-- An ordinary window keeps its wall-clock time over both changes, so its instant moves by an hour.
SELECT sendgate.upsert_account('windows/berlin', 'sales_navigator', NULL, 'Europe/Berlin', '09:00', '17:00', '{1,2,3,4,5}');
SELECT t.at, p.proceed, p.retry_at, p.retry_at AT TIME ZONE 'Europe/Berlin' AS local
FROM unnest(ARRAY['2026-03-27 17:00+00', '2026-03-30 17:00+00', '2026-10-23 17:00+00', '2026-10-26 17:00+00']::timestamptz[]) AS t (at)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/berlin', 'message') AS p
ORDER BY t.at;

-- Lord Howe Island moves by half an hour.
SELECT sendgate.upsert_account('windows/lord_howe', 'sales_navigator', NULL, 'Australia/Lord_Howe', '01:45', '03:00', '{1,2,3,4,5,6,7}');
SELECT t.at, t.at AT TIME ZONE 'Australia/Lord_Howe' AS local, p.proceed, p.retry_at
FROM unnest(ARRAY['2026-04-04 14:30+00', '2026-04-04 14:45+00', '2026-04-04 15:00+00', '2026-04-04 15:15+00', '2026-10-03 15:15+00', '2026-10-03 15:30+00']::timestamptz[]) AS t (at)
CROSS JOIN LATERAL contract.preview_at(t.at, 'windows/lord_howe', 'message') AS p
ORDER BY t.at;

-- The day of a slot is UTC all the same: in Kiritimati's morning of May 21 it is still May 20.
SET sendgate.now = '2026-05-20 20:00:00+00';
SELECT proceed FROM sendgate.reserve('windows/kiritimati', 'message', 'p1', NULL, contract.op(1));
SELECT counted_on FROM sendgate.send_operations WHERE account_id = 'windows/kiritimati';

-- Without a window, every time is fine.
SELECT sendgate.set_window('windows/utc', NULL, NULL, NULL);
SELECT proceed FROM sendgate.reserve('windows/utc', 'message', 'p1');
