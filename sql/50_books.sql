-- The books: the jobs, when they ran, and what they found.

-- Each correction of a counter by layer 1. Append-only.
CREATE TABLE sendgate.counter_drift (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    before integer NOT NULL,
    after integer NOT NULL,
    delivered integer NOT NULL,
    reserved integer NOT NULL,
    indeterminate integer NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    period text COLLATE "C" NOT NULL,
    CONSTRAINT counter_drift_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT counter_drift_period_check CHECK (period IN ('day', 'week', 'attempts', 'credits'))
);
COMMENT ON TABLE sendgate.counter_drift IS
'Each counter that layer 1 corrected: what it was, what the journal counts, and of what that is made up. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.counter_drift.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.counter_drift.at IS 'When it was corrected.';
COMMENT ON COLUMN sendgate.counter_drift.day IS 'The UTC day whose counter it was; with week, its Monday.';
COMMENT ON COLUMN sendgate.counter_drift.before IS 'The counter as it was found, in slots.';
COMMENT ON COLUMN sendgate.counter_drift.after IS 'The counter from then on: delivered, reserved and indeterminate together, or the attempts, or the credits left.';
COMMENT ON COLUMN sendgate.counter_drift.delivered IS 'Operations delivered on the day or in the week.';
COMMENT ON COLUMN sendgate.counter_drift.reserved IS 'Operations in flight or expired: they hold their slots.';
COMMENT ON COLUMN sendgate.counter_drift.indeterminate IS 'Operations of unknown outcome: they hold their slots too.';
COMMENT ON COLUMN sendgate.counter_drift.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.counter_drift.action IS 'Whose counter: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.counter_drift.period IS 'day: slots of the day; attempts: grants of the day; credits: what is left of a balance that was told, where the parts are 0. Rows of before 0.3.0 may say week.';

CREATE INDEX counter_drift_at_idx ON sendgate.counter_drift USING brin (at);
SELECT pg_catalog.pg_extension_config_dump('sendgate.counter_drift', '');

-- The heartbeat: a row for every run of a job, also for one that found nothing, failed or died.
CREATE TABLE sendgate.reconcile_runs (
    run_id uuid NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    finished_at timestamptz,
    checked bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    batches integer NOT NULL DEFAULT 0,
    backend_pid integer NOT NULL,
    actor text NOT NULL,
    error text,
    CONSTRAINT reconcile_runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT reconcile_runs_state_check CHECK (state IN ('running', 'ok', 'failed', 'crashed')),
    CONSTRAINT reconcile_runs_finished_check CHECK ((state = 'running') = (finished_at IS NULL))
);
COMMENT ON TABLE sendgate.reconcile_runs IS
'The heartbeat: a row for every run of a job, also for one that found nothing, failed or died. A run is one or more batches; called by hand, each batch is a run of its own.';
COMMENT ON COLUMN sendgate.reconcile_runs.run_id IS 'A UUID of version 7: later runs are greater.';
COMMENT ON COLUMN sendgate.reconcile_runs.job IS 'midnight_reset, audit_events, reconcile_operations or prune.';
COMMENT ON COLUMN sendgate.reconcile_runs.state IS
'running, ok, failed (its caller recorded the error), or crashed: its process was gone when the next run began.';
COMMENT ON COLUMN sendgate.reconcile_runs.started_at IS 'When it began.';
COMMENT ON COLUMN sendgate.reconcile_runs.beat_at IS 'When it began, or ended its last batch. A run that is silent for a minute, while no session holds its job, has died.';
COMMENT ON COLUMN sendgate.reconcile_runs.finished_at IS 'When it ended, or was found dead; NULL while it runs.';
COMMENT ON COLUMN sendgate.reconcile_runs.checked IS 'Rows looked at so far: accounts, or for prune rows removed.';
COMMENT ON COLUMN sendgate.reconcile_runs.changed IS 'Accounts corrected or reset, alerts raised, or rows removed.';
COMMENT ON COLUMN sendgate.reconcile_runs.batches IS 'Transactions that the run took so far.';
COMMENT ON COLUMN sendgate.reconcile_runs.backend_pid IS 'The server process that ran it.';
COMMENT ON COLUMN sendgate.reconcile_runs.actor IS 'Who ran it: the session user, or whom the daemon named.';
COMMENT ON COLUMN sendgate.reconcile_runs.error IS 'What failed, cut at 2,000 characters; NULL otherwise.';

CREATE INDEX reconcile_runs_job_idx ON sendgate.reconcile_runs (job, started_at);

-- Each batch looks for the runs that have not ended, among ninety days of ended ones.
CREATE INDEX reconcile_runs_running_idx ON sendgate.reconcile_runs (job) WHERE state = 'running';
SELECT pg_catalog.pg_extension_config_dump('sendgate.reconcile_runs', '');

-- One row a job: the session that locks it runs the job, and it says where the sweep goes on. Shipped, not dumped:
-- after a restore every job is due.
CREATE TABLE sendgate.jobs (
    job text COLLATE "C" NOT NULL,
    every interval NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    sweep_started_at timestamptz,
    sweep_finished_at timestamptz,
    next_day date,
    next_account text COLLATE "C",
    -- A quarantine is known by its id, not by a time: runs of a backup may lie in the future.
    sweep_under uuid,
    sweep_passed_over bigint NOT NULL DEFAULT 0,
    whole_under uuid,
    CONSTRAINT jobs_pkey PRIMARY KEY (job)
);
COMMENT ON TABLE sendgate.jobs IS
'One row a job: the session that holds the row runs the job, and the row says when its last sweep was and where one that is under way goes on. Not dumped: after a restore every job is due.';
COMMENT ON COLUMN sendgate.jobs.job IS 'midnight_reset, audit_events, reconcile_operations or prune.';
COMMENT ON COLUMN sendgate.jobs.every IS 'How often it is due. A day means at 00:00 UTC.';
COMMENT ON COLUMN sendgate.jobs.since IS 'When the job was installed: one that never ran is late from here on.';
COMMENT ON COLUMN sendgate.jobs.sweep_started_at IS 'When the last sweep began; NULL before the first.';
COMMENT ON COLUMN sendgate.jobs.sweep_finished_at IS 'When the last sweep that came to its end began its last batch; NULL before the first.';
COMMENT ON COLUMN sendgate.jobs.next_day IS 'With next_account, the last row of the batch before; NULL when no sweep is under way.';
COMMENT ON COLUMN sendgate.jobs.next_account IS 'The account after which the sweep goes on; of prune the table and page where it does, and how long it keeps. NULL when no sweep is under way.';
COMMENT ON COLUMN sendgate.jobs.sweep_under IS 'The quarantine under which the last sweep began; NULL without one. Only of audit_events and reconcile_operations.';
COMMENT ON COLUMN sendgate.jobs.sweep_passed_over IS 'Accounts that wanted a closer look and that the last sweep left to the next, because another session held them.';
COMMENT ON COLUMN sendgate.jobs.whole_under IS 'The last quarantine under which a sweep began, met every account and came to its end.';

INSERT INTO sendgate.jobs (job, every)
VALUES
    ('midnight_reset', interval '1 day'),
    ('audit_events', interval '10 minutes'),
    ('reconcile_operations', interval '10 minutes'),
    ('prune', interval '1 day');

-- The jobs of the books. Each is one bounded batch in one transaction; call again while more is true.
CREATE FUNCTION sendgate.audit_events(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_audit_events';
COMMENT ON FUNCTION sendgate.audit_events(integer) IS
'Layer 2, one batch: compares today''s InMail counters with the delivered events. More than 5 ahead (what is in flight not counted) or behind raises an alert, which resolves by itself; at 120 percent of the day''s highest cap the account cools down for an hour, once a day. Changes no counter. Call again while more is true; run it before reconcile_operations, which heals what it looks for. Errors: SG001, SG003 max_accounts outside 1 to 10,000, SG301.';

CREATE FUNCTION sendgate.reconcile_operations(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_reconcile_operations';
COMMENT ON FUNCTION sendgate.reconcile_operations(integer) IS
'Layer 1, one batch: sets the counters of accounts that were active this week or the one before to what the journal counts, raised or lowered, never below what is in flight; each correction is a row of counter_drift. Parks campaign work whose operation was not settled in time. Accounts that another session holds are left to the next sweep. Errors: SG001, SG003.';

CREATE FUNCTION sendgate.midnight_reset(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_midnight_reset';
COMMENT ON FUNCTION sendgate.midnight_reset(integer) IS
'One batch: writes down what every read sees anyway, that accounts with counters of an older day begin at 0. Safe at any time, late, or twice. Errors: SG001, SG003.';

CREATE FUNCTION sendgate.prune(
    keep interval DEFAULT '90 days',
    keep_events interval DEFAULT '400 days',
    max_rows integer DEFAULT 10000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_prune';
COMMENT ON FUNCTION sendgate.prune(interval, interval, integer) IS
'One batch: removes settled operations, logs, runs, resolved alerts and finished enrollments older than keep, and events older than keep_events; webhooks that no daemon has asked about for seven days, with the events that wait for them; never unresolved operations, lines that were not taken, nor anything else of the last 32 days. Errors: SG001, SG003 max_rows outside 1 to 1,000,000, SG007 too short or with months.';

CREATE FUNCTION sendgate.record_run_failure(
    job text,
    error text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_record_run_failure';
COMMENT ON FUNCTION sendgate.record_run_failure(text, text) IS
'Records that a run of a job failed; for the caller, because an error takes the run''s own row with it. Errors: SG001, SG004 unknown job.';

-- Whether a job is due now; if so, writes the heartbeat of its run.
CREATE FUNCTION sendgate.begin_run(
    job text
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_begin_run';
COMMENT ON FUNCTION sendgate.begin_run(text) IS
'Whether a job is due now, by the database''s own record and clock, and no other session runs it; if so, leaves the heartbeat of a run that has begun. Commit, then call the job while more is true. Runs whose process is gone are marked as crashed here. Errors: SG001, SG004 unknown job.';

-- Runs all due jobs, for pg_cron. A procedure with the caller's rights, because it commits between batches,
-- and one that is SECURITY DEFINER cannot.
CREATE PROCEDURE sendgate.tick()
LANGUAGE plpgsql
AS $tick$
DECLARE
    job pg_catalog.text;
    more pg_catalog.bool;
    began pg_catalog.timestamptz;
BEGIN
    -- Layer 2 looks for what layer 1 heals, so it comes first.
    FOREACH job IN ARRAY ARRAY['midnight_reset', 'audit_events', 'reconcile_operations', 'prune'] LOOP
        more := sendgate.begin_run(job);
        COMMIT;
        WHILE more LOOP
            began := pg_catalog.clock_timestamp();
            BEGIN
                IF job OPERATOR(pg_catalog.=) 'midnight_reset' THEN
                    SELECT j.more INTO more FROM sendgate.midnight_reset() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'audit_events' THEN
                    SELECT j.more INTO more FROM sendgate.audit_events() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'reconcile_operations' THEN
                    SELECT j.more INTO more FROM sendgate.reconcile_operations() AS j;
                ELSE
                    SELECT j.more INTO more
                    FROM sendgate.prune(
                        pg_catalog.current_setting('sendgate.keep')::pg_catalog.interval,
                        pg_catalog.current_setting('sendgate.keep_events')::pg_catalog.interval
                    ) AS j;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                PERFORM sendgate.record_run_failure(job, pg_catalog.concat(SQLSTATE, ': ', SQLERRM));
                more := false;
            END;
            COMMIT;
            -- A sweep rests for three times as long as a batch took: workers have the rest of the machine.
            IF more THEN
                PERFORM pg_catalog.pg_sleep(LEAST(2.0, pg_catalog.date_part('epoch',
                    (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began) OPERATOR(pg_catalog.*) 3.0)));
            END IF;
        END LOOP;
    END LOOP;
END
$tick$;
COMMENT ON PROCEDURE sendgate.tick() IS
'Runs every job that is due to its end, committing between batches; a job that fails is recorded and stops no other. For pg_cron, once a minute: CALL sendgate.tick(). Two at once do nothing twice.';

-- Whether the books are being kept: a line a job.
CREATE VIEW sendgate.reconciler_health AS
SELECT j.job, r.state AS last_state, r.started_at AS last_run, c.at - r.started_at AS age,
       r.checked, r.changed, r.error, j.sweep_finished_at AS last_success,
       coalesce(j.sweep_finished_at < c.at - 2 * j.every, true) AS stale
FROM sendgate.jobs j
CROSS JOIN (SELECT sendgate.clock() AS at) c
LEFT JOIN LATERAL (
    SELECT h.state, h.started_at, h.checked, h.changed, h.error
    FROM sendgate.reconcile_runs h
    WHERE h.job = j.job
    ORDER BY h.started_at DESC, h.run_id DESC
    LIMIT 1
) r ON true;
COMMENT ON VIEW sendgate.reconciler_health IS
'Whether the books are being kept: a line a job, with its last run of whatever end.';
COMMENT ON COLUMN sendgate.reconciler_health.job IS 'The job.';
COMMENT ON COLUMN sendgate.reconciler_health.last_state IS 'How its last run ended, or running; NULL when it never ran.';
COMMENT ON COLUMN sendgate.reconciler_health.last_run IS 'When that run began.';
COMMENT ON COLUMN sendgate.reconciler_health.age IS 'How long ago that was.';
COMMENT ON COLUMN sendgate.reconciler_health.checked IS 'Rows that run looked at.';
COMMENT ON COLUMN sendgate.reconciler_health.changed IS 'Rows that run changed.';
COMMENT ON COLUMN sendgate.reconciler_health.error IS 'What failed, if it failed.';
COMMENT ON COLUMN sendgate.reconciler_health.last_success IS 'The last sweep that came to its end; NULL before the first.';
COMMENT ON COLUMN sendgate.reconciler_health.stale IS
'Whether the job missed two runs, or never ran: start the daemon or the pg_cron job, or look at error.';

-- What a quarantine still waits for: one line while it is on, otherwise none.
CREATE VIEW sendgate.quarantine_progress AS
SELECT p.quarantined_at, p.actor, p.note,
       coalesce(a.whole_under = p.quarantine_id, false) AS audited,
       coalesce(r.whole_under = p.quarantine_id, false) AS reconciled
FROM sendgate.pause_switch p
LEFT JOIN sendgate.jobs a ON a.job = 'audit_events'
LEFT JOIN sendgate.jobs r ON r.job = 'reconcile_operations'
WHERE p.quarantine_id IS NOT NULL;
COMMENT ON VIEW sendgate.quarantine_progress IS
'What keeps everything in quarantine: one line while quarantine holds, none otherwise. Once audited and reconciled are both true, resume_all is accepted.';
COMMENT ON COLUMN sendgate.quarantine_progress.quarantined_at IS 'When quarantine was last called.';
COMMENT ON COLUMN sendgate.quarantine_progress.actor IS 'Who called it.';
COMMENT ON COLUMN sendgate.quarantine_progress.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.quarantine_progress.audited IS 'Whether a sweep of audit_events, layer 2, began since then, met every account and ended.';
COMMENT ON COLUMN sendgate.quarantine_progress.reconciled IS 'Whether a sweep of reconcile_operations, layer 1, began since then, met every account and ended.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.counter_drift
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.counter_drift
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only_truncate;
