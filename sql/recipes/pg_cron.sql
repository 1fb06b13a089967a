-- pg_cron instead of, or beside, the daemon: one job that runs every minute whatever is due. Both may
-- run at once; a lock for each job lets only one of them do it. pg_cron prints no breaker lines and
-- serves no metrics: for those run sendgated.
--
-- Run this once, as a superuser, in the database that pg_cron lives in (cron.database_name, usually
-- postgres), and name the database that has sendgate:
--
--     psql -d postgres -v database=app -f pg_cron.sql
--
-- Needs pg_cron 1.4 or later, in shared_preload_libraries. Run again, it changes the job instead of
-- adding one.
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

-- pg_cron remembers every run, which is 1,440 a day. sendgate keeps its own record of runs.
SELECT cron.schedule(
    'forget old sendgate ticks', '17 3 * * *',
    $$DELETE FROM cron.job_run_details d USING cron.job j
      WHERE j.jobid = d.jobid AND j.jobname = 'sendgate tick' AND d.end_time < now() - interval '2 days'$$
);

-- To see that it works, a few minutes later, in the database that has sendgate:
--     SELECT job, last_state, age, stale, error FROM sendgate.reconciler_health;
-- To stop it:
--     SELECT cron.unschedule('sendgate tick');
