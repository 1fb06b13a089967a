-- pg_cron instead of, or beside, the daemon: one job that runs all due jobs every minute. Both may
-- run at once; a lock for each job lets only one of them do it. pg_cron prints no breaker lines and
-- serves no metrics: for those run sendgated.
--
-- Run this once, as a superuser, in the database that pg_cron lives in (cron.database_name, usually
-- postgres), and name the database that has sendgate:
--
--     psql -d postgres -v database=app -f pg_cron.sql
--
-- Needs pg_cron 1.4 or later, in shared_preload_libraries. Run again, it changes the jobs instead of
-- adding some.
--
-- Without sendgated no process prints the breaker's lines: they wait in sendgate.breaker_outbox, a row of
-- about 0.1 kB each, and prune keeps waiting lines of breaker_log. If you will never print them, set a time
-- here; once a day, lines that have waited for longer are then deleted from the outbox (breaker_log keeps
-- them as long as other lines):
--
--     psql -d postgres -v database=app -v forget_lines_after='7 days' -f pg_cron.sql
--
-- A sendgated that is down for a shorter time loses no line. The number of deleted lines is the return
-- message of that job (DELETE 12) in cron.job_run_details.
\set ON_ERROR_STOP on

CREATE EXTENSION IF NOT EXISTS pg_cron;

-- The job runs as a login with the daemon's rights and nothing else. pg_cron connects as any client
-- does: pg_hba.conf has to let this login in from localhost, by trust or with a .pgpass of the server's
-- own; or set cron.use_background_workers = on, which needs neither.
SELECT 'CREATE ROLE sendgate_cron LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'sendgate_cron') \gexec
GRANT sendgate_daemon TO sendgate_cron;

SELECT cron.schedule_in_database(
    'sendgate tick', '* * * * *', 'CALL sendgate.tick()', :'database', 'sendgate_cron'
);

-- pg_cron records every run, which is 1,440 a day. sendgate keeps its own record of runs.
SELECT cron.schedule(
    'forget old sendgate ticks', '17 3 * * *',
    $$DELETE FROM cron.job_run_details d USING cron.job j
      WHERE j.jobid = d.jobid AND j.jobname = 'sendgate tick' AND d.end_time < now() - interval '2 days'$$
);

\if :{?forget_lines_after}
-- Shorter than a day would take lines from a daemon that only restarts.
SELECT pg_catalog.format('interval %L', greatest(:'forget_lines_after'::interval, interval '1 day')) AS age,
       pg_catalog.current_database() AS home \gset
\connect :"database"
-- The login could take these lines already, with take_breaker_lines, but not by their age.
GRANT DELETE ON sendgate.breaker_outbox TO sendgate_cron;
\connect :"home"
SELECT cron.schedule_in_database(
    'forget old sendgate lines', '27 3 * * *',
    $$DELETE FROM sendgate.breaker_outbox o USING sendgate.breaker_log l
      WHERE l.account_id = o.account_id AND l.id = o.id AND l.at < sendgate.clock() - $$ || :'age',
    :'database', 'sendgate_cron'
);
\endif

-- To see that it works, a few minutes later, in the database that has sendgate:
--     SELECT job, last_state, age, stale, error FROM sendgate.reconciler_health;
-- To stop it:
--     SELECT cron.unschedule('sendgate tick');
--     SELECT cron.unschedule('forget old sendgate ticks');
--     SELECT cron.unschedule('forget old sendgate lines');   -- where there is one
