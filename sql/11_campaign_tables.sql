-- Campaign work: what waits, what became of it, and whom to look at next.
CREATE DOMAIN sendgate.enrollment_state AS text COLLATE "C"
    CHECK (VALUE IN ('waiting', 'sending', 'done', 'parked', 'cancelled'));

-- A row is changed only while its account is held, so that dispatch may trust what it read. Only what
-- waits has a next_dispatch_at, and no index mentions the state: so settling is a HOT update.
CREATE TABLE sendgate.enrollments (
    enqueued_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    next_dispatch_at timestamptz,
    attempts sendgate.slot_count NOT NULL DEFAULT 0,
    is_connection boolean NOT NULL DEFAULT false,
    account_id sendgate.identifier NOT NULL,
    prospect_id sendgate.identifier NOT NULL,
    campaign_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    state sendgate.enrollment_state NOT NULL DEFAULT 'waiting',
    operation_id uuid,
    reason text COLLATE "C",
    error text,
    CONSTRAINT enrollments_pkey PRIMARY KEY (account_id, prospect_id, campaign_id, action),
    CONSTRAINT enrollments_sending_check CHECK (state <> 'sending' OR operation_id IS NOT NULL),
    CONSTRAINT enrollments_waiting_check CHECK (state = 'waiting' OR next_dispatch_at IS NULL)
) WITH (fillfactor = 85);

CREATE INDEX enrollments_due_idx ON sendgate.enrollments (account_id, action, next_dispatch_at)
WHERE next_dispatch_at IS NOT NULL;
CREATE INDEX enrollments_campaign_idx ON sendgate.enrollments (campaign_id, prospect_id);

-- Tickets: "look at this account's work of this action no later than then". There may be several of
-- one account and action; dispatch makes them one again. Whoever adds work sees that a ticket lies
-- early enough, and locks it in share mode or adds one of its own: so nobody who enqueues waits for
-- anybody, and no work is forgotten.
CREATE TABLE sendgate.dispatch_queue (
    due_at timestamptz NOT NULL,
    ticket_id uuid NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    CONSTRAINT dispatch_queue_pkey PRIMARY KEY (account_id, action, ticket_id)
) WITH (
    -- A few rows an account, written all day, read from the front: dead ones must go soon.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);

CREATE INDEX dispatch_queue_due_idx ON sendgate.dispatch_queue (due_at, account_id, action, ticket_id);
CREATE INDEX dispatch_queue_action_idx
    ON sendgate.dispatch_queue (action, due_at, account_id, ticket_id);

-- What was handed out to a request that its worker may repeat.
CREATE TABLE sendgate.dispatch_requests (
    request_id uuid NOT NULL,
    at timestamptz NOT NULL,
    max_operations integer NOT NULL,
    action sendgate.action_name,
    account_id sendgate.identifier,
    account_ids text[] COLLATE "C" NOT NULL,
    operation_ids uuid[] NOT NULL,
    CONSTRAINT dispatch_requests_pkey PRIMARY KEY (request_id),
    CONSTRAINT dispatch_requests_length_check
        CHECK (pg_catalog.cardinality(account_ids) = pg_catalog.cardinality(operation_ids))
);

-- A campaign is paused while it has a row here.
CREATE TABLE sendgate.paused_campaigns (
    campaign_id sendgate.identifier NOT NULL,
    paused_at timestamptz NOT NULL,
    actor text NOT NULL,
    CONSTRAINT paused_campaigns_pkey PRIMARY KEY (campaign_id)
);

-- What a campaign's prospects were spared, and why. Append-only but for the count of repeats.
CREATE TABLE sendgate.campaign_events (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    deferred_to timestamptz,
    exhausted_at timestamptz,
    repeats sendgate.slot_count NOT NULL DEFAULT 0,
    last_repeat_at timestamptz,
    account_id sendgate.identifier NOT NULL,
    prospect_id sendgate.identifier,
    campaign_id sendgate.identifier,
    action sendgate.action_name NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    operation_id uuid,
    detail text,
    CONSTRAINT campaign_events_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT campaign_events_type_check CHECK (event_type = 'linkedin_skipped')
) WITH (fillfactor = 85);

-- A skip of the breaker is written once per piece of work and stamp; what comes after is counted.
CREATE UNIQUE INDEX campaign_events_skip_key
    ON sendgate.campaign_events (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE exhausted_at IS NOT NULL;
CREATE INDEX campaign_events_campaign_idx ON sendgate.campaign_events (campaign_id, at);
CREATE INDEX campaign_events_at_idx ON sendgate.campaign_events USING brin (at, last_repeat_at);

SELECT pg_catalog.pg_extension_config_dump('sendgate.enrollments', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.dispatch_queue', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.dispatch_requests', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.paused_campaigns', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.campaign_events', '');
