-- Sending windows over both daylight-saving changes, told by preview all day long and by
-- reserve: a wall-clock time that is skipped or shown twice is judged as the wall shows it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-01-01 00:00:00+00';
SELECT z.name, sendgate.upsert_account('dst/' || z.name || '/' || w.name, 'sales_navigator', NULL, z.zone, w.starts, w.ends, '{1,2,3,4,5,6,7}')
FROM (VALUES ('berlin', 'Europe/Berlin'), ('new_york', 'America/New_York'), ('lord_howe', 'Australia/Lord_Howe')) AS z (name, zone)
CROSS JOIN (VALUES ('day', '09:00'::time, '17:00'::time), ('night', '22:00', '06:00'), ('change', '01:45', '02:15')) AS w (name, starts, ends);

-- The stretches in which an account may send on the two UTC days of a change, seen every five minutes.
CREATE FUNCTION contract.open_27(account text, first_day date) RETURNS TABLE (opens timestamptz, closes timestamptz)
LANGUAGE sql AS $$
    WITH minutes AS (
        SELECT t.at, p.proceed, lag(p.proceed) OVER (ORDER BY t.at) AS before
        FROM generate_series(first_day::timestamp AT TIME ZONE 'UTC', (first_day + 2)::timestamp AT TIME ZONE 'UTC', interval '5 minutes') AS t (at)
        CROSS JOIN LATERAL contract.preview_at(t.at, account, 'message') AS p
    ), edges AS (
        SELECT at, proceed, lead(at) OVER (ORDER BY at) AS next FROM minutes WHERE proceed IS DISTINCT FROM coalesce(before, false)
    )
    SELECT at, next FROM edges WHERE proceed ORDER BY at;
$$;
SELECT c.zone, w.name AS window, to_char(o.opens, 'Mon DD HH24:MI') AS opens, to_char(o.closes, 'Mon DD HH24:MI') AS closes,
    to_char(o.opens AT TIME ZONE c.zone, 'Mon DD HH24:MI') AS opens_local, to_char(o.closes AT TIME ZONE c.zone, 'Mon DD HH24:MI') AS closes_local, o.closes - o.opens AS length
FROM (
    VALUES
        (1, 'berlin', 'Europe/Berlin', '2026-03-28'::date),
        (2, 'berlin', 'Europe/Berlin', '2026-10-24'),
        (3, 'new_york', 'America/New_York', '2026-03-07'),
        (4, 'new_york', 'America/New_York', '2026-10-31'),
        (5, 'lord_howe', 'Australia/Lord_Howe', '2026-04-03'),
        (6, 'lord_howe', 'Australia/Lord_Howe', '2026-10-02')
) AS c (n, name, zone, first_day)
CROSS JOIN (VALUES ('change'), ('day'), ('night')) AS w (name)
CROSS JOIN LATERAL contract.open_27('dst/' || c.name || '/' || w.name, c.first_day) AS o
ORDER BY c.n, w.name, o.opens;

-- retry_at is the instant at which it opens, from wherever it is asked: nowhere is there an answer
-- that the next one contradicts.
SELECT count(*) AS asked, count(*) FILTER (WHERE NOT q.proceed OR r.proceed) AS wrong
FROM sendgate.linkedin_accounts a
CROSS JOIN unnest(ARRAY['2026-03-07', '2026-03-28', '2026-04-03', '2026-10-02', '2026-10-24', '2026-10-31']::date[]) AS d (first_day)
CROSS JOIN generate_series(0, 47) AS h
CROSS JOIN LATERAL (SELECT d.first_day::timestamp AT TIME ZONE 'UTC' + h * interval '1 hour' AS at) AS t
CROSS JOIN LATERAL contract.preview_at(t.at, a.id, 'message') AS p
CROSS JOIN LATERAL contract.preview_at(p.retry_at, a.id, 'message') AS q
CROSS JOIN LATERAL contract.preview_at(p.retry_at - interval '1 microsecond', a.id, 'message') AS r
WHERE a.id LIKE 'dst/%' AND NOT p.proceed;

-- reserve says the same as preview, also under another session's time zone.
SET TimeZone = 'Pacific/Kiritimati';
SET sendgate.now = '2026-03-29 00:44:59.999999+00';
SELECT proceed, reason, retry_at AT TIME ZONE 'UTC' AS retry_at_utc FROM sendgate.reserve('dst/berlin/change', 'message', 'p1');
SET sendgate.now = '2026-03-29 00:45:00+00';
SELECT proceed, expires_at AT TIME ZONE 'UTC' AS expires_at_utc FROM sendgate.reserve('dst/berlin/change', 'message', 'p1');
SET sendgate.now = '2026-03-29 01:00:00+00';
SELECT proceed, reason, retry_at AT TIME ZONE 'UTC' AS retry_at_utc FROM sendgate.reserve('dst/berlin/change', 'message', 'p2');
SET TimeZone = 'America/Los_Angeles';
SET sendgate.now = '2026-10-25 00:10:00+00';
SELECT proceed, reason FROM sendgate.reserve('dst/berlin/change', 'message', 'p3');
SET sendgate.now = '2026-10-25 01:10:00+00';
SELECT proceed, reason FROM sendgate.reserve('dst/berlin/change', 'message', 'p4');
SET TimeZone = 'UTC';
