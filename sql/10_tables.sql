-- Closed lists and ranges are domains, not table constraints: PostgreSQL parses a table's CHECK anew
-- for every statement that writes a row (measured at 40 microseconds a row, more than everything
-- else that a grant does), but keeps a domain's in memory. Rules over several columns are one short
-- CHECK a table.
CREATE DOMAIN sendgate.identifier AS text COLLATE "C" CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 128);
CREATE DOMAIN sendgate.display_name AS text CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 200);
CREATE DOMAIN sendgate.chat_reference AS text COLLATE "C"
    CHECK (
        pg_catalog.char_length(VALUE) <= 2000
        -- [:space:] knows ASCII only under this collation; a chat id of invisible characters proves nothing.
        AND pg_catalog.translate(
            VALUE,
            U&'\0085\00A0\00AD\034F\115F\1160\1680\180E\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\200B\200C\200D\2028\2029\202F\205F\2060\3000\3164\FEFF\FFA0',
            ''
        ) ~ '[^[:space:][:cntrl:]]'
    );
CREATE DOMAIN sendgate.action_name AS text COLLATE "C"
    CHECK (VALUE IN ('inmail', 'invite', 'message', 'profile_view', 'engagement'));
CREATE DOMAIN sendgate.account_status AS text COLLATE "C"
    CHECK (VALUE IN ('connected', 'paused', 'restricted', 'disconnected'));
CREATE DOMAIN sendgate.breaker_mode AS text COLLATE "C" CHECK (VALUE IN ('auto', 'open', 'closed'));
CREATE DOMAIN sendgate.operation_state AS text COLLATE "C"
    CHECK (VALUE IN ('reserved', 'delivered', 'released', 'indeterminate'));
CREATE DOMAIN sendgate.operation_origin AS text COLLATE "C" CHECK (VALUE IN ('gate', 'external'));
CREATE DOMAIN sendgate.operation_outcome AS text COLLATE "C"
    CHECK (VALUE IN ('released', 'credits_exhausted', 'recipient_refused', 'transient', 'rate_limited',
                     'account_restricted', 'auth_lost', 'indeterminate'));
CREATE DOMAIN sendgate.event_type AS text COLLATE "C"
    CHECK (VALUE IN ('inmail_sent', 'invite_sent', 'message_sent', 'profile_view_sent', 'engagement_sent'));
CREATE DOMAIN sendgate.http_status_pattern AS text COLLATE "C" CHECK (VALUE ~ '^([1-5]xx|[1-5][0-9][0-9])$');
CREATE DOMAIN sendgate.slot_count AS integer CHECK (VALUE >= 0);
CREATE DOMAIN sendgate.month_day AS smallint CHECK (VALUE BETWEEN 1 AND 31);
CREATE DOMAIN sendgate.weekday_mask AS smallint CHECK (VALUE BETWEEN 1 AND 127);
CREATE DOMAIN sendgate.week_start AS date CHECK (extract(isodow FROM VALUE) = 1);

-- The two rules over several columns that are too long to be parsed for every write; in Rust.
CREATE FUNCTION sendgate.is_sound_account(
    window_start time,
    window_end time,
    window_days smallint,
    probe_lease_until timestamptz,
    probe_operation_id uuid,
    inmail_credits_exhausted_at timestamptz
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_account';

CREATE FUNCTION sendgate.is_sound_operation(
    state text,
    outcome text,
    settled_at timestamptz,
    reserved_at timestamptz,
    expires_at timestamptz
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_operation';

-- The hot row. One account = one row = one lock = one decision. Fixed-width columns come first;
-- what is NULL most of the time comes last and costs one bit. Nothing that a grant changes is
-- indexed, so that every grant is a HOT update.
CREATE TABLE sendgate.accounts (
    version bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    week sendgate.week_start NOT NULL,
    inmails_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    invites_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    messages_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    profile_views_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    engagements_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    inmails_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    invites_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    messages_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    profile_views_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    engagements_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    inmail_cap_today sendgate.slot_count NOT NULL DEFAULT 0,
    ramp_days sendgate.slot_count NOT NULL DEFAULT 0,
    credit_reset_day sendgate.month_day NOT NULL DEFAULT 1,
    ramp boolean NOT NULL DEFAULT false,
    id sendgate.identifier NOT NULL,
    tier sendgate.identifier NOT NULL,
    status sendgate.account_status NOT NULL DEFAULT 'connected',
    breaker_mode sendgate.breaker_mode NOT NULL DEFAULT 'auto',
    time_zone sendgate.identifier NOT NULL DEFAULT 'UTC',
    display_name sendgate.display_name,
    window_start time,
    window_end time,
    window_days sendgate.weekday_mask,
    cooldown_until timestamptz,
    inmail_credits_exhausted_at timestamptz,
    breaker_cleared_at timestamptz,
    probe_lease_until timestamptz,
    probe_operation_id uuid,
    inmail_last_at timestamptz,
    invite_last_at timestamptz,
    message_last_at timestamptz,
    profile_view_last_at timestamptz,
    engagement_last_at timestamptz,
    inmail_daily_cap sendgate.slot_count,
    invite_daily_cap sendgate.slot_count,
    message_daily_cap sendgate.slot_count,
    profile_view_daily_cap sendgate.slot_count,
    engagement_daily_cap sendgate.slot_count,
    inmail_weekly_cap sendgate.slot_count,
    invite_weekly_cap sendgate.slot_count,
    message_weekly_cap sendgate.slot_count,
    profile_view_weekly_cap sendgate.slot_count,
    engagement_weekly_cap sendgate.slot_count,
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_sound_check CHECK (
        sendgate.is_sound_account(window_start, window_end, window_days, probe_lease_until,
                                  probe_operation_id, inmail_credits_exhausted_at)
    )
) WITH (fillfactor = 70);

-- For operators who look for exhausted accounts, page by page. The stamp changes when a breaker does,
-- not when a slot is taken.
CREATE INDEX accounts_exhausted_idx ON sendgate.accounts (id)
WHERE inmail_credits_exhausted_at IS NOT NULL;

-- Shipped caps, rewritten by upgrades.
CREATE TABLE sendgate.tier_defaults (
    tier text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    daily_cap integer NOT NULL,
    weekly_cap integer,
    ramp_start_percent integer NOT NULL DEFAULT 20,
    ramp_step_percent integer NOT NULL DEFAULT 20,
    minimum_gap interval NOT NULL DEFAULT '0',
    credits_a_month integer NOT NULL,
    credits_ceiling integer NOT NULL,
    CONSTRAINT tier_defaults_pkey PRIMARY KEY (tier, action)
);

-- Users' caps, dumped and kept by upgrades. A row here replaces the shipped one as a whole.
CREATE TABLE sendgate.tier_overrides (
    tier sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    daily_cap sendgate.slot_count NOT NULL,
    weekly_cap sendgate.slot_count,
    ramp_start_percent integer NOT NULL DEFAULT 20,
    ramp_step_percent integer NOT NULL DEFAULT 20,
    minimum_gap interval NOT NULL DEFAULT '0',
    CONSTRAINT tier_overrides_pkey PRIMARY KEY (tier, action),
    CONSTRAINT tier_overrides_ramp_check
        CHECK (ramp_start_percent BETWEEN 1 AND 100 AND ramp_step_percent BETWEEN 0 AND 100),
    CONSTRAINT tier_overrides_gap_check CHECK (minimum_gap >= interval '0')
);

-- The journal of attempts. No index mentions the state, so that settling an operation is a HOT
-- update.
CREATE TABLE sendgate.send_operations (
    operation_id uuid NOT NULL,
    reserved_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    counted_on date NOT NULL,
    account_id sendgate.identifier NOT NULL,
    prospect_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    state sendgate.operation_state NOT NULL DEFAULT 'reserved',
    origin sendgate.operation_origin NOT NULL DEFAULT 'gate',
    campaign_id sendgate.identifier,
    settled_at timestamptz,
    outcome sendgate.operation_outcome,
    http_status integer,
    error_type text,
    error text,
    attempt smallint,
    awaited boolean,
    unknown_since timestamptz,
    CONSTRAINT send_operations_pkey PRIMARY KEY (account_id, operation_id),
    CONSTRAINT send_operations_sound_check
        CHECK (sendgate.is_sound_operation(state, outcome, settled_at, reserved_at, expires_at))
) WITH (fillfactor = 85);

CREATE INDEX send_operations_prospect_idx
    ON sendgate.send_operations (account_id, prospect_id, action, reserved_at);
CREATE INDEX send_operations_reserved_at_idx
    ON sendgate.send_operations USING brin (reserved_at);

-- Delivered truth. Append-only.
CREATE TABLE sendgate.linkedin_events (
    id uuid NOT NULL,
    operation_id uuid,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    counted_on date NOT NULL,
    account_id sendgate.identifier NOT NULL,
    prospect_id sendgate.identifier NOT NULL,
    event_type sendgate.event_type NOT NULL,
    chat_id sendgate.chat_reference,
    campaign_id sendgate.identifier,
    CONSTRAINT linkedin_events_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT linkedin_events_operation_key UNIQUE (account_id, operation_id),
    -- The domain keeps blank chat ids out, this the missing ones: an InMail without proof cannot be.
    CONSTRAINT linkedin_events_chat_id_check CHECK (event_type <> 'inmail_sent' OR chat_id IS NOT NULL)
);

CREATE INDEX linkedin_events_occurred_at_idx ON sendgate.linkedin_events (account_id, occurred_at);

-- Every committed set, clear and skip of a breaker. Append-only.
CREATE TABLE sendgate.breaker_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    exhausted_at timestamptz,
    prospect_id sendgate.identifier,
    campaign_id sendgate.identifier,
    note text,
    CONSTRAINT breaker_log_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT breaker_log_action_check CHECK (action IN ('set', 'clear', 'skip')),
    CONSTRAINT breaker_log_skip_check CHECK (action <> 'skip' OR exhausted_at IS NOT NULL)
);

-- A skip is logged once per piece of work and stamp.
CREATE UNIQUE INDEX breaker_log_skip_key
    ON sendgate.breaker_log (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE action = 'skip';

-- The shipped classifier, rewritten by upgrades.
CREATE TABLE sendgate.error_rule_defaults (
    rule_order integer NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    action text COLLATE "C",
    error_type text COLLATE "C",
    http_status text COLLATE "C",
    error_text text COLLATE "C",
    CONSTRAINT error_rule_defaults_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_defaults_order_check CHECK (rule_order >= 1000)
);

-- Users' rules, asked first; dumped and kept by upgrades.
CREATE TABLE sendgate.error_rule_overrides (
    rule_order integer NOT NULL,
    outcome sendgate.operation_outcome NOT NULL,
    action sendgate.action_name,
    error_type text COLLATE "C",
    http_status sendgate.http_status_pattern,
    error_text text COLLATE "C",
    CONSTRAINT error_rule_overrides_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_overrides_order_check CHECK (rule_order BETWEEN 0 AND 999),
    CONSTRAINT error_rule_overrides_condition_check
        CHECK (error_type IS NOT NULL OR http_status IS NOT NULL OR error_text IS NOT NULL)
);

-- At most one row: while it exists, the gate refuses everything.
CREATE TABLE sendgate.pause_switch (
    only_row boolean NOT NULL DEFAULT true,
    paused_at timestamptz NOT NULL,
    actor text NOT NULL,
    note text,
    quarantine_id uuid,
    quarantined_at timestamptz,
    CONSTRAINT pause_switch_pkey PRIMARY KEY (only_row),
    CONSTRAINT pause_switch_only_row_check CHECK (only_row),
    CONSTRAINT pause_switch_quarantine_check CHECK ((quarantine_id IS NULL) = (quarantined_at IS NULL))
);

CREATE TABLE sendgate.alerts (
    alert_id uuid NOT NULL,
    account_id sendgate.identifier NOT NULL,
    kind text COLLATE "C" NOT NULL,
    day date NOT NULL,
    detail text NOT NULL,
    opened_at timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    acknowledge_note text,
    resolved_at timestamptz,
    CONSTRAINT alerts_pkey PRIMARY KEY (account_id, alert_id)
);

CREATE UNIQUE INDEX alerts_open_key ON sendgate.alerts (account_id, kind, day) WHERE resolved_at IS NULL;

-- Who changed what, from what to what. Append-only.
CREATE TABLE sendgate.admin_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    verb text COLLATE "C" NOT NULL,
    account_id sendgate.identifier,
    subject text,
    before jsonb,
    after jsonb,
    note text,
    CONSTRAINT admin_log_pkey PRIMARY KEY (id)
);

CREATE INDEX admin_log_account_idx ON sendgate.admin_log (account_id, at);

-- What pg_dump carries: everything that users put in; shipped defaults come with the extension.
SELECT pg_catalog.pg_extension_config_dump('sendgate.accounts', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.tier_overrides', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.send_operations', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.linkedin_events', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.breaker_log', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.error_rule_overrides', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.pause_switch', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.alerts', '');
SELECT pg_catalog.pg_extension_config_dump('sendgate.admin_log', '');
