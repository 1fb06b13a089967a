-- The hot row. One account = one row = one lock = one decision. Fixed-width columns come first;
-- what is NULL most of the time comes last and costs one bit. Nothing that a grant changes is
-- indexed, so that every grant is a HOT update.
CREATE TABLE sendgate.accounts (
    version bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    week date NOT NULL,
    inmails_sent_today integer NOT NULL DEFAULT 0,
    invites_sent_today integer NOT NULL DEFAULT 0,
    messages_sent_today integer NOT NULL DEFAULT 0,
    profile_views_sent_today integer NOT NULL DEFAULT 0,
    engagements_sent_today integer NOT NULL DEFAULT 0,
    inmails_sent_this_week integer NOT NULL DEFAULT 0,
    invites_sent_this_week integer NOT NULL DEFAULT 0,
    messages_sent_this_week integer NOT NULL DEFAULT 0,
    profile_views_sent_this_week integer NOT NULL DEFAULT 0,
    engagements_sent_this_week integer NOT NULL DEFAULT 0,
    inmail_cap_today integer NOT NULL DEFAULT 0,
    ramp_days integer NOT NULL DEFAULT 0,
    credit_reset_day smallint NOT NULL DEFAULT 1,
    ramp boolean NOT NULL DEFAULT false,
    id text COLLATE "C" NOT NULL,
    tier text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'connected',
    breaker_mode text COLLATE "C" NOT NULL DEFAULT 'auto',
    time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC',
    display_name text,
    window_start time,
    window_end time,
    window_days smallint,
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
    inmail_daily_cap integer,
    invite_daily_cap integer,
    message_daily_cap integer,
    profile_view_daily_cap integer,
    engagement_daily_cap integer,
    inmail_weekly_cap integer,
    invite_weekly_cap integer,
    message_weekly_cap integer,
    profile_view_weekly_cap integer,
    engagement_weekly_cap integer,
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_id_check CHECK (pg_catalog.char_length(id) BETWEEN 1 AND 128),
    CONSTRAINT accounts_tier_check CHECK (pg_catalog.char_length(tier) BETWEEN 1 AND 128),
    CONSTRAINT accounts_display_name_check CHECK (pg_catalog.char_length(display_name) BETWEEN 1 AND 200),
    CONSTRAINT accounts_status_check CHECK (status IN ('connected', 'paused', 'restricted', 'disconnected')),
    CONSTRAINT accounts_breaker_mode_check CHECK (breaker_mode IN ('auto', 'open', 'closed')),
    CONSTRAINT accounts_credit_reset_day_check CHECK (credit_reset_day BETWEEN 1 AND 31),
    CONSTRAINT accounts_ramp_days_check CHECK (ramp_days >= 0),
    CONSTRAINT accounts_week_check CHECK (extract(isodow FROM week) = 1),
    CONSTRAINT accounts_counters_check CHECK (
        least(inmails_sent_today, invites_sent_today, messages_sent_today, profile_views_sent_today,
              engagements_sent_today, inmails_sent_this_week, invites_sent_this_week,
              messages_sent_this_week, profile_views_sent_this_week, engagements_sent_this_week,
              inmail_cap_today) >= 0
    ),
    CONSTRAINT accounts_caps_check CHECK (
        coalesce(least(inmail_daily_cap, invite_daily_cap, message_daily_cap, profile_view_daily_cap,
              engagement_daily_cap, inmail_weekly_cap, invite_weekly_cap, message_weekly_cap,
              profile_view_weekly_cap, engagement_weekly_cap), 0) >= 0
    ),
    CONSTRAINT accounts_window_check CHECK (
        (window_start IS NULL) = (window_end IS NULL)
        AND (window_start IS NULL) = (window_days IS NULL)
        AND (window_start IS NULL
             OR (window_start <> window_end AND window_start < time '24:00' AND window_days BETWEEN 1 AND 127))
    ),
    CONSTRAINT accounts_probe_check CHECK (
        (probe_operation_id IS NULL OR probe_lease_until IS NOT NULL)
        AND (probe_lease_until IS NULL OR inmail_credits_exhausted_at IS NOT NULL)
    )
) WITH (fillfactor = 70);

-- For operators who look for exhausted accounts. The column changes when a breaker does, not when
-- a slot is taken.
CREATE INDEX accounts_exhausted_idx ON sendgate.accounts (inmail_credits_exhausted_at)
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
    tier text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    daily_cap integer NOT NULL,
    weekly_cap integer,
    ramp_start_percent integer NOT NULL DEFAULT 20,
    ramp_step_percent integer NOT NULL DEFAULT 20,
    minimum_gap interval NOT NULL DEFAULT '0',
    CONSTRAINT tier_overrides_pkey PRIMARY KEY (tier, action),
    CONSTRAINT tier_overrides_tier_check CHECK (pg_catalog.char_length(tier) BETWEEN 1 AND 128),
    CONSTRAINT tier_overrides_action_check
        CHECK (action IN ('inmail', 'invite', 'message', 'profile_view', 'engagement')),
    CONSTRAINT tier_overrides_caps_check CHECK (daily_cap >= 0 AND (weekly_cap IS NULL OR weekly_cap >= 0)),
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
    account_id text COLLATE "C" NOT NULL,
    prospect_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'reserved',
    origin text COLLATE "C" NOT NULL DEFAULT 'gate',
    campaign_id text COLLATE "C",
    settled_at timestamptz,
    outcome text COLLATE "C",
    http_status integer,
    error_type text,
    error text,
    CONSTRAINT send_operations_pkey PRIMARY KEY (account_id, operation_id),
    CONSTRAINT send_operations_ids_check CHECK (
        pg_catalog.char_length(account_id) BETWEEN 1 AND 128
        AND pg_catalog.char_length(prospect_id) BETWEEN 1 AND 128
        AND (campaign_id IS NULL OR pg_catalog.char_length(campaign_id) BETWEEN 1 AND 128)
    ),
    CONSTRAINT send_operations_action_check
        CHECK (action IN ('inmail', 'invite', 'message', 'profile_view', 'engagement')),
    CONSTRAINT send_operations_state_check
        CHECK (state IN ('reserved', 'delivered', 'released', 'indeterminate')),
    CONSTRAINT send_operations_origin_check CHECK (origin IN ('gate', 'external')),
    CONSTRAINT send_operations_outcome_check CHECK (
        outcome IS NULL OR outcome IN ('released', 'credits_exhausted', 'recipient_refused', 'transient',
                                       'rate_limited', 'account_restricted', 'auth_lost', 'indeterminate')
    ),
    CONSTRAINT send_operations_settled_check CHECK (
        CASE state
            WHEN 'reserved' THEN settled_at IS NULL AND outcome IS NULL
            WHEN 'delivered' THEN settled_at IS NOT NULL AND outcome IS NULL
            WHEN 'released' THEN settled_at IS NOT NULL AND outcome IS NOT NULL AND outcome <> 'indeterminate'
            ELSE settled_at IS NOT NULL AND outcome IS NOT NULL AND outcome = 'indeterminate'
        END
    ),
    CONSTRAINT send_operations_expires_check CHECK (expires_at >= reserved_at)
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
    account_id text COLLATE "C" NOT NULL,
    prospect_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    chat_id text COLLATE "C",
    campaign_id text COLLATE "C",
    CONSTRAINT linkedin_events_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT linkedin_events_operation_key UNIQUE (account_id, operation_id),
    CONSTRAINT linkedin_events_event_type_check CHECK (
        event_type IN ('inmail_sent', 'invite_sent', 'message_sent', 'profile_view_sent', 'engagement_sent')
    ),
    -- coalesce: a CHECK passes on NULL.
    CONSTRAINT linkedin_events_chat_id_check
        CHECK (event_type <> 'inmail_sent' OR coalesce(chat_id ~ '[^[:space:]]', false)),
    CONSTRAINT linkedin_events_ids_check CHECK (
        pg_catalog.char_length(account_id) BETWEEN 1 AND 128
        AND pg_catalog.char_length(prospect_id) BETWEEN 1 AND 128
        AND (campaign_id IS NULL OR pg_catalog.char_length(campaign_id) BETWEEN 1 AND 128)
        AND (chat_id IS NULL OR pg_catalog.char_length(chat_id) <= 2000)
    )
);

CREATE INDEX linkedin_events_occurred_at_idx ON sendgate.linkedin_events (account_id, occurred_at);

-- Every committed set, clear and skip of a breaker. Append-only.
CREATE TABLE sendgate.breaker_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    exhausted_at timestamptz,
    prospect_id text COLLATE "C",
    campaign_id text COLLATE "C",
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
    outcome text COLLATE "C" NOT NULL,
    action text COLLATE "C",
    error_type text COLLATE "C",
    http_status text COLLATE "C",
    error_text text COLLATE "C",
    CONSTRAINT error_rule_overrides_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_overrides_order_check CHECK (rule_order BETWEEN 0 AND 999),
    CONSTRAINT error_rule_overrides_outcome_check CHECK (
        outcome IN ('released', 'credits_exhausted', 'recipient_refused', 'transient', 'rate_limited',
                    'account_restricted', 'auth_lost', 'indeterminate')
    ),
    CONSTRAINT error_rule_overrides_action_check CHECK (
        action IS NULL OR action IN ('inmail', 'invite', 'message', 'profile_view', 'engagement')
    ),
    CONSTRAINT error_rule_overrides_http_status_check
        CHECK (http_status IS NULL OR http_status ~ '^([1-5]xx|[1-5][0-9][0-9])$'),
    CONSTRAINT error_rule_overrides_condition_check
        CHECK (error_type IS NOT NULL OR http_status IS NOT NULL OR error_text IS NOT NULL)
);

-- At most one row: while it exists, the gate refuses everything.
CREATE TABLE sendgate.pause_switch (
    only_row boolean NOT NULL DEFAULT true,
    paused_at timestamptz NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT pause_switch_pkey PRIMARY KEY (only_row),
    CONSTRAINT pause_switch_only_row_check CHECK (only_row)
);

CREATE TABLE sendgate.alerts (
    alert_id uuid NOT NULL,
    account_id text COLLATE "C" NOT NULL,
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
    account_id text COLLATE "C",
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
