-- CALL sendgate.tick(), once a minute, from any session: it does what is due by the database's own record.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Tuesday, November 17, 2026; other files' runs and sweeps are forgotten, as in a restored database.
SET sendgate.now = '2026-11-17 10:00:00+00';
DELETE FROM sendgate.reconcile_runs;
UPDATE sendgate.jobs SET since = sendgate.clock(), sweep_started_at = NULL, sweep_finished_at = NULL, next_day = NULL, next_account = NULL;
SELECT sendgate.upsert_account('tick-' || n, 'sales_navigator') FROM generate_series(1, 3) n;
CREATE VIEW pg_temp.runs AS
SELECT to_char(r.started_at AT TIME ZONE 'UTC', 'DD HH24:MI') AS started, r.job, r.state, r.batches > 0 AS ran,
    r.finished_at IS NOT NULL AS ended, r.backend_pid = pg_backend_pid() AS mine, r.actor = session_user AS by_me, r.error
FROM sendgate.reconcile_runs r
ORDER BY r.run_id;
CREATE VIEW pg_temp.health AS
SELECT h.job, h.last_state, h.age, h.error, h.last_success AT TIME ZONE 'UTC' AS last_success, h.stale
FROM sendgate.reconciler_health h
ORDER BY h.job;
-- Which jobs a tick ran at an instant of that day.
CREATE PROCEDURE pg_temp.tick_at(instant text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('sendgate.now', instant || '+00', false);
    CALL sendgate.tick();
END
$$;
CREATE FUNCTION pg_temp.last_tick() RETURNS text LANGUAGE sql RETURN (
    SELECT string_agg(r.job || ' ' || r.state, ', ' ORDER BY r.run_id)
    FROM sendgate.reconcile_runs r WHERE r.started_at = sendgate.clock());

-- No job has ever run, and the view says so.
SELECT * FROM pg_temp.health;
-- Everything is due, layer 2 before layer 1; each leaves its heartbeat, though nothing is to be found.
CALL sendgate.tick();
SELECT * FROM pg_temp.runs;
SELECT * FROM pg_temp.health;
-- It counts the findings: none of this file's.
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'tick-%';
-- At once again, nothing is due.
DELETE FROM sendgate.reconcile_runs;
CALL sendgate.tick();
SELECT * FROM pg_temp.runs;

-- The reconcilers every ten minutes, to the instant; the daily jobs at 00:00 UTC, whatever the session's
-- time zone makes of it.
CALL pg_temp.tick_at('2026-11-17 10:09:59.999999');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-17 10:10:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-17 10:11:00');
SELECT pg_temp.last_tick();
SET TimeZone = 'Pacific/Kiritimati';
CALL pg_temp.tick_at('2026-11-17 23:59:59.999999');
SELECT pg_temp.last_tick();
SET TimeZone = 'America/Los_Angeles';
CALL pg_temp.tick_at('2026-11-18 00:00:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-18 08:00:00');
SELECT pg_temp.last_tick();
SET TimeZone = 'UTC';
-- Down for days: caught up once, not once for every time that was missed.
CALL pg_temp.tick_at('2026-11-21 03:07:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-21 03:08:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-21 03:17:00');
SELECT pg_temp.last_tick();
-- The clock was put back by a day: a last run in the future counts as due, and then no longer.
CALL pg_temp.tick_at('2026-11-20 03:17:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-20 03:18:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-20 03:27:00');
SELECT pg_temp.last_tick();

-- It does what the jobs do: a counter of yesterday, one that is far over its cap, an operation that
-- was not settled, a row too old.
CALL pg_temp.tick_at('2026-11-22 00:00:00');
SET sendgate.now = '2026-11-22 12:00:00+00';
SELECT proceed FROM sendgate.reserve('tick-1', 'inmail', 'p1');
CALL pg_temp.tick_at('2026-11-22 12:00:00');
UPDATE sendgate.accounts SET day = '2026-11-23', inmails_sent_today = 99 WHERE id = 'tick-2';
INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id)
VALUES (contract.op(67), '2026-01-01', 'test', 'old', 'tick-3');
CALL pg_temp.tick_at('2026-11-23 00:00:00');
SELECT pg_temp.last_tick();
SELECT id, day, inmails_sent_today, cooldown_until FROM sendgate.accounts WHERE id LIKE 'tick-%' ORDER BY id;
SELECT account_id, kind, detail FROM sendgate.open_alerts WHERE account_id LIKE 'tick-%' ORDER BY account_id, kind;
SELECT account_id, action, period, before, after FROM sendgate.counter_drift WHERE account_id LIKE 'tick-%';
SELECT count(*) FROM sendgate.admin_log WHERE account_id = 'tick-3' AND verb = 'old';
-- Healed by layer 1 after layer 2 has seen it, and resolved by the next layer 2.
CALL pg_temp.tick_at('2026-11-23 00:10:00');
SELECT kind FROM sendgate.open_alerts WHERE account_id = 'tick-2';

-- A job that fails is recorded with its error, is due again at once, and stops no other.
CREATE FUNCTION contract.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'refused: %', repeat('x', 3000);
END
$$;
CREATE TRIGGER refuse BEFORE INSERT ON sendgate.counter_drift FOR EACH ROW EXECUTE FUNCTION contract.refuse();
CALL pg_temp.tick_at('2026-11-24 00:00:00');
UPDATE sendgate.accounts SET messages_sent_today = 3 WHERE id = 'tick-2';
CALL pg_temp.tick_at('2026-11-24 00:10:00');
SELECT pg_temp.last_tick();
SELECT job, state, left(error, 18) AS error, length(error) AS characters, right(error, 16) AS ends, finished_at = started_at AS ended
FROM sendgate.reconcile_runs WHERE started_at = sendgate.clock() AND state = 'failed';
SELECT messages_sent_today FROM sendgate.accounts WHERE id = 'tick-2';
SELECT job, last_state, left(error, 18) AS error, last_success, stale FROM pg_temp.health;
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
CALL pg_temp.tick_at('2026-11-24 00:11:00');
SELECT pg_temp.last_tick();
-- Two runs missed: to the instant, the view says so; the alert is raised by the next tick.
SET sendgate.now = '2026-11-24 00:20:00+00';
SELECT job, stale FROM pg_temp.health WHERE job = 'reconcile_operations';
CALL pg_temp.tick_at('2026-11-24 00:20:00.000001');
SELECT job, stale FROM pg_temp.health WHERE job = 'reconcile_operations';
CALL pg_temp.tick_at('2026-11-24 00:30:00');
SELECT account_id, kind, day, detail FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
-- One open alert, however long it lasts and whatever else runs well.
CALL pg_temp.tick_at('2026-11-24 00:41:00');
SELECT pg_temp.last_tick();
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
-- Mended: the counter is healed, and the alert resolves by itself.
DROP TRIGGER refuse ON sendgate.counter_drift;
DROP FUNCTION contract.refuse();
CALL pg_temp.tick_at('2026-11-24 00:42:00');
SELECT pg_temp.last_tick();
SELECT messages_sent_today FROM sendgate.accounts WHERE id = 'tick-2';
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
SELECT job, last_state, error, stale FROM pg_temp.health;

-- The daily jobs are stale after two days, not before.
SET sendgate.now = '2026-11-26 00:00:00+00';
SELECT job, stale FROM pg_temp.health;
SET sendgate.now = '2026-11-26 00:00:00.000001+00';
SELECT job, stale FROM pg_temp.health;
-- After downtime the first job to run raises the alert; it is resolved when all have caught up.
CALL pg_temp.tick_at('2026-11-27 08:00:00');
SELECT pg_temp.last_tick();
SELECT detail, opened_at, resolved_at FROM sendgate.alerts WHERE kind = 'reconciler_stale' AND day = '2026-11-27';

-- A caller of its own: begin_run, the job while there is more, record_run_failure for what failed.
SET sendgate.now = '2026-11-27 09:00:00+00';
SELECT sendgate.begin_run('audit_events'), sendgate.begin_run('midnight_reset');
SELECT job, state, ran, ended FROM pg_temp.runs WHERE started = '27 09:00';
SELECT last_state FROM pg_temp.health WHERE job = 'audit_events';
SELECT count(*) FROM sendgate.audit_events(10000);
SELECT job, state, ran, ended FROM pg_temp.runs WHERE started = '27 09:00';
-- Begun again before it ended, as by a caller that lost track: one of them is recorded as failed.
SET sendgate.now = '2026-11-27 09:20:00+00';
SELECT sendgate.begin_run('audit_events');
SELECT sendgate.begin_run('audit_events');
SELECT sendgate.record_run_failure('audit_events', E'lost the connection\nto the server');
SELECT job, state, ran, ended, error FROM pg_temp.runs WHERE started = '27 09:20';
-- Whatever happened, the next tick is not held up.
CALL pg_temp.tick_at('2026-11-27 09:21:00');
SELECT pg_temp.last_tick();
-- A failure without a begun run is a run of its own, and the last success stands.
SET sendgate.now = '2026-11-27 09:22:00+00';
SELECT sendgate.record_run_failure('prune', 'the disk was full');
SELECT * FROM pg_temp.health WHERE job = 'prune';
-- Rolled back, a run has not begun.
SET sendgate.now = '2026-11-27 10:00:00+00';
BEGIN;
SELECT sendgate.begin_run('reconcile_operations');
ROLLBACK;
SELECT count(*) FROM pg_temp.runs WHERE started = '27 10:00';
-- A run whose process is gone was no success: the next one says so, and takes its place.
INSERT INTO sendgate.reconcile_runs (run_id, job, state, started_at, beat_at, backend_pid, actor)
VALUES (contract.op(67), 'reconcile_operations', 'running', '2026-11-27 09:50:00+00', '2026-11-27 09:50:00+00', 2147483647, 'gone');
CALL pg_temp.tick_at('2026-11-27 10:00:00');
SELECT state, finished_at AT TIME ZONE 'UTC' AS found_dead FROM sendgate.reconcile_runs WHERE actor = 'gone';
SELECT pg_temp.last_tick();

SELECT input.call, e.code, e.message, e.hint
FROM (
    VALUES
        (1, $$begin_run(NULL)$$),
        (2, $$begin_run('sweep')$$),
        (3, $$begin_run('')$$),
        (4, $$begin_run('Prune')$$),
        (5, $$record_run_failure(NULL, 'x')$$),
        (6, $$record_run_failure('prune', NULL)$$),
        (7, $$record_run_failure('tick', 'x')$$)
) AS input (n, call)
CROSS JOIN LATERAL contract.error(format('SELECT sendgate.%s', input.call)) AS e
ORDER BY input.n;
-- It commits between batches, so it cannot run in a transaction; nothing is left of the attempt.
BEGIN;
\set VERBOSITY terse
CALL sendgate.tick();
\set VERBOSITY default
ROLLBACK;
-- By the daemon's role, with no right on the tables.
SET sendgate.now = '2026-11-28 00:00:00+00';
SET ROLE sendgate_daemon;
CALL sendgate.tick();
RESET ROLE;
SELECT pg_temp.last_tick();
SELECT job, last_state, stale FROM pg_temp.health;

-- A job that has never finished is late from its installation on, and raises an alert.
UPDATE sendgate.jobs SET sweep_started_at = NULL, sweep_finished_at = NULL, since = '2026-11-26 00:10:00+00' WHERE job = 'prune';
SET sendgate.now = '2026-11-28 00:10:00+00';
SELECT sendgate.begin_run('audit_events');
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
SELECT count(*) FROM sendgate.audit_events(10000);
SET sendgate.now = '2026-11-28 00:10:00.000001+00';
SELECT sendgate.begin_run('reconcile_operations');
SELECT detail FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
SELECT count(*) FROM sendgate.reconcile_operations(10000);
CALL pg_temp.tick_at('2026-11-28 00:10:00.000001');
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'reconciler_stale';
-- The schedule is the row's, for what is due and for what is stale.
UPDATE sendgate.jobs SET every = interval '1 hour' WHERE job = 'audit_events';
CALL pg_temp.tick_at('2026-11-28 00:21:00');
SELECT pg_temp.last_tick();
CALL pg_temp.tick_at('2026-11-28 01:10:00');
SELECT pg_temp.last_tick();
UPDATE sendgate.jobs SET every = interval '10 minutes' WHERE job = 'audit_events';

-- How long old rows are kept is a setting: 32 days and no less instead of 90.
CALL pg_temp.tick_at('2026-12-31 00:00:00');
SELECT count(*) > 0 AS kept FROM sendgate.reconcile_runs WHERE finished_at < '2026-11-29 00:00:00+00';
SELECT code FROM contract.error($$SET sendgate.keep = '31d'$$);
SELECT code FROM contract.error($$SET sendgate.keep_events = '31d'$$);
SET sendgate.keep = '32d';
CALL pg_temp.tick_at('2027-01-01 00:00:00');
SELECT count(*) FROM sendgate.reconcile_runs WHERE finished_at < '2026-11-30 00:00:00+00';
RESET sendgate.keep;
