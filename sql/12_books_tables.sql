-- The books: what the reconcilers found and did, and when they ran.

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
    CONSTRAINT counter_drift_period_check CHECK (period IN ('day', 'week'))
);

CREATE INDEX counter_drift_at_idx ON sendgate.counter_drift USING brin (at);

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

CREATE INDEX reconcile_runs_job_idx ON sendgate.reconcile_runs (job, started_at);
-- Each batch looks for the runs that have not ended, among ninety days of those that have.
CREATE INDEX reconcile_runs_running_idx ON sendgate.reconcile_runs (job) WHERE state = 'running';

-- One row a job: who holds it runs the job, and it says where the sweep goes on. Shipped, not dumped:
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

INSERT INTO sendgate.jobs (job, every)
VALUES
    ('midnight_reset', interval '1 day'),
    ('audit_events', interval '10 minutes'),
    ('reconcile_operations', interval '10 minutes'),
    ('prune', interval '1 day');

-- Lines of the breaker log that the daemon has not printed yet; taken by deleting.
CREATE TABLE sendgate.breaker_outbox (
    account_id sendgate.identifier NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT breaker_outbox_pkey PRIMARY KEY (account_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Whose counters may be wrong, in the order of sweeps; changes once a day with each account.
CREATE INDEX accounts_day_idx ON sendgate.accounts (day, id);
-- An account's operations of a day or week.
CREATE INDEX send_operations_day_idx ON sendgate.send_operations (account_id, counted_on);

SELECT pg_catalog.pg_extension_config_dump('sendgate.counter_drift', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.reconcile_runs', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.breaker_outbox', '');
