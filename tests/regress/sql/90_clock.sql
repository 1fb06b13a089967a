-- One clock for everything, and a test clock that only a test server has: sendgate.test_clock is on
-- in this server's configuration file.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- It runs, also inside a transaction, unlike now().
BEGIN;
SELECT sendgate.clock() AS earlier \gset
SELECT sendgate.clock() > :'earlier'::timestamptz AS clock_runs, sendgate.clock() > now() AS now_stands;
SELECT abs(extract(epoch FROM sendgate.clock() - clock_timestamp())) < 60 AS it_is_the_real_time;
COMMIT;

-- sendgate.now freezes it for this session; empty switches that off.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.clock();
SELECT sendgate.clock();
SET sendgate.now = '';
SELECT abs(extract(epoch FROM sendgate.clock() - clock_timestamp())) < 60 AS it_is_the_real_time;

-- Instants are ISO 8601, with or without an offset; without one they are UTC, whatever the session's
-- time zone.
SET TimeZone = 'Pacific/Kiritimati';
SET sendgate.now = '2026-05-24 12:00:00';
SELECT sendgate.clock() AT TIME ZONE 'UTC' AS utc;
SET sendgate.now = '2026-05-24T12:00:00.123456Z';
SELECT sendgate.clock() AT TIME ZONE 'UTC' AS utc;
SET sendgate.now = '2026-05-24 12:00:00+05:30';
SELECT sendgate.clock() AT TIME ZONE 'UTC' AS utc;
SET sendgate.now = '2026-05-24';
SELECT sendgate.clock() AT TIME ZONE 'UTC' AS utc;
SET TimeZone = 'UTC';

-- It can be set for a transaction only.
BEGIN;
SET LOCAL sendgate.now = '2027-01-01 00:00:00+00';
SELECT sendgate.clock();
COMMIT;
SELECT sendgate.clock();
RESET sendgate.now;

-- sendgate.clock_offset lets it run, ahead or behind.
SET sendgate.clock_offset = '9 days';
SELECT extract(epoch FROM sendgate.clock() - clock_timestamp())::numeric(10, 0) / 86400 = 9 AS nine_days_ahead;
SET sendgate.clock_offset = '-1h';
SELECT round(extract(epoch FROM sendgate.clock() - clock_timestamp()) / 10) = -360 AS an_hour_behind;
BEGIN;
SELECT sendgate.clock() AS earlier \gset
SELECT sendgate.clock() > :'earlier'::timestamptz AS it_runs;
COMMIT;
RESET sendgate.clock_offset;

-- Values that are none are refused, and the clock stays as it was.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$SET sendgate.now = 'tomorrow'$$),
        (2, $$SET sendgate.now = 'infinity'$$),
        (3, $$SET sendgate.now = '2026-02-30 12:00:00+00'$$),
        (4, $$SET sendgate.now = '2026-05-24 25:00:00+00'$$),
        (5, $$SET sendgate.now = '24.05.2026'$$),
        (6, $$SET sendgate.clock_offset = 'soon'$$),
        (7, $$SET sendgate.clock_offset = '1 month'$$),
        (8, $$SET sendgate.clock_offset = '100000 days'$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error(input.statement) AS e
ORDER BY input.n;
SELECT sendgate.clock();

-- The test clock itself is switched on or off in the configuration file only.
SELECT e.code, e.message FROM contract.error('SET sendgate.test_clock = off') AS e;

-- The other settings are a superuser's too, and have limits.
SELECT name, setting, unit, min_val, max_val, context FROM pg_settings WHERE name LIKE 'sendgate.%' AND vartype = 'integer' ORDER BY name;
SELECT name, context FROM pg_settings WHERE name LIKE 'sendgate.%' AND vartype <> 'integer' ORDER BY name;
SELECT e.code FROM contract.error($$SET sendgate.operation_ttl = 0$$) AS e;
SELECT e.code FROM contract.error($$SET sendgate.lock_timeout = '1 day'$$) AS e;
SELECT s.name, s.value, e.code
FROM (
    VALUES
        (1, 'attempt_percent', '-1'), (2, 'attempt_percent', '10001'), (3, 'attempt_percent', '99'), (4, 'attempt_percent', '100'),
        (5, 'failure_limit', '-1'), (6, 'failure_limit', '10001'), (7, 'failure_limit', 'ten'),
        (8, 'failure_cooldown', '0'), (9, 'failure_cooldown', '25h'), (10, 'failure_cooldown', '24h'),
        (11, 'late_delivery', '-1'), (12, 'late_delivery', '32d'), (13, 'outage_accounts', '0')
) AS s (n, name, value)
CROSS JOIN LATERAL contract.error(format('SET sendgate.%s = %L', s.name, s.value)) AS e
ORDER BY s.n;
SELECT e.code FROM contract.error($$SET sendgate.nonsense = 1$$) AS e;

-- An ordinary user cannot set any of them,
CREATE ROLE regress_sendgate_clock LOGIN;
GRANT sendgate_sender, sendgate_operator TO regress_sendgate_clock;
GRANT USAGE ON SCHEMA contract TO regress_sendgate_clock;
SELECT current_user AS superuser \gset
\c - regress_sendgate_clock
SELECT sendgate.clock() IS NOT NULL AS library_is_loaded;
SELECT s.name, e.code
FROM unnest(ARRAY['now', 'clock_offset', 'operation_ttl', 'prospect_cooldown', 'rate_limit_cooldown', 'lock_timeout', 'test_clock',
                  'attempt_percent', 'failure_limit', 'failure_cooldown', 'late_delivery', 'outage_accounts']) WITH ORDINALITY AS s (name, n)
CROSS JOIN LATERAL contract.error(format('SET sendgate.%s = %L', s.name, CASE s.name WHEN 'now' THEN '2000-01-01 00:00+00' WHEN 'attempt_percent' THEN '100' ELSE '1' END)) AS e
ORDER BY s.n;

-- also not before the library is loaded, when PostgreSQL knows only a placeholder of that name.
\c - regress_sendgate_clock
SET client_min_messages = error;
SET sendgate.now = '2000-01-01 00:00:00+00';
SET sendgate.clock_offset = '9 days';
SET sendgate.test_clock = on;
SET sendgate.operation_ttl = '1 day';
SELECT abs(extract(epoch FROM sendgate.clock() - clock_timestamp())) < 60 AS it_is_the_real_time;
SHOW sendgate.operation_ttl;
RESET client_min_messages;

-- A superuser's setting made before the library is loaded counts.
\c - :superuser
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.clock();
DROP OWNED BY regress_sendgate_clock;
DROP ROLE regress_sendgate_clock;
