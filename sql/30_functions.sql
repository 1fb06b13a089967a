-- Signatures of the contract. Each function is one file in extension/src; the checks, the errors
-- and the rules are there. The functions of the hot path name every object and operator with its
-- schema instead of pinning search_path, because a SET clause costs more than the gate itself.
CREATE TYPE sendgate.decision AS (
    proceed boolean,
    operation_id uuid,
    reason text,
    retry_at timestamptz,
    expires_at timestamptz,
    sent_today integer,
    daily_cap integer,
    remaining integer
);

CREATE TYPE sendgate.breaker_answer AS (
    proceed boolean,
    reason text,
    retry_at timestamptz,
    exhausted_at timestamptz
);

-- The one clock. Views call it too, so everybody who may read a view may call it.

CREATE FUNCTION sendgate.clock() RETURNS timestamptz
LANGUAGE c
VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sendgate_clock';

-- Pure readings of a row as of an instant, for views; the rule itself is in Rust.
CREATE FUNCTION sendgate.sent_as_of(
    sent integer,
    marker date,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_as_of';

CREATE FUNCTION sendgate.sent_this_week_as_of(
    sent integer,
    marker date,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_this_week_as_of';

CREATE FUNCTION sendgate.effective_cap(
    daily_cap integer,
    ramp boolean,
    ramp_days integer,
    sent_on_marker_day boolean,
    marker date,
    ramp_start_percent integer,
    ramp_step_percent integer,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_effective_cap';

CREATE FUNCTION sendgate.breaker_state(
    mode text,
    exhausted_at timestamptz,
    credit_reset_day integer,
    at timestamptz
) RETURNS text
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_breaker_state';

CREATE FUNCTION sendgate.next_credit_period(
    credit_reset_day integer,
    at timestamptz
) RETURNS timestamptz
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_next_credit_period';

CREATE FUNCTION sendgate.window_days_array(
    days integer
) RETURNS integer[]
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_window_days_array';

-- The gate.
CREATE FUNCTION sendgate.reserve(
    account_id text,
    action text,
    prospect_id text,
    campaign_id text DEFAULT NULL,
    operation_id uuid DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_reserve';

CREATE FUNCTION sendgate.preview(
    account_id text,
    action text,
    prospect_id text DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_preview';

CREATE FUNCTION sendgate.confirm(
    account_id text,
    operation_id uuid,
    chat_id text DEFAULT NULL,
    delivered_at timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_confirm';

CREATE FUNCTION sendgate.rollback(
    account_id text,
    operation_id uuid,
    error_message text DEFAULT NULL,
    error_type text DEFAULT NULL,
    http_status integer DEFAULT NULL,
    retry_after interval DEFAULT NULL
) RETURNS text
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_rollback';

CREATE FUNCTION sendgate.resolve_operation(
    account_id text,
    operation_id uuid,
    sent boolean,
    chat_id text DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resolve_operation';

-- The breaker.
CREATE FUNCTION sendgate.breaker_check(
    account_id text,
    prospect_id text DEFAULT NULL,
    campaign_id text DEFAULT NULL
) RETURNS sendgate.breaker_answer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_breaker_check';

CREATE FUNCTION sendgate.breaker_report(
    account_id text,
    prospect_id text,
    error_message text,
    error_type text DEFAULT NULL,
    http_status integer DEFAULT NULL
) RETURNS text
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_breaker_report';

CREATE FUNCTION sendgate.breaker_clear(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_clear';

CREATE FUNCTION sendgate.breaker_arm(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_arm';

CREATE FUNCTION sendgate.breaker_probe(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_probe';

CREATE FUNCTION sendgate.breaker_force(
    account_id text,
    mode text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_force';

-- Accounts, caps and rules.
CREATE FUNCTION sendgate.upsert_account(
    account_id text,
    tier text DEFAULT NULL,
    display_name text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    window_start time DEFAULT NULL,
    window_end time DEFAULT NULL,
    window_days integer[] DEFAULT NULL,
    credit_reset_day integer DEFAULT NULL,
    ramp boolean DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_upsert_account';

CREATE FUNCTION sendgate.set_window(
    account_id text,
    window_start time,
    window_end time,
    window_days integer[]
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_window';

CREATE FUNCTION sendgate.set_status(
    account_id text,
    status text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_status';

CREATE FUNCTION sendgate.set_cap(
    account_id text,
    action text,
    daily_cap integer,
    weekly_cap integer DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_cap';

CREATE FUNCTION sendgate.set_tier_cap(
    tier text,
    action text,
    daily_cap integer,
    weekly_cap integer DEFAULT NULL,
    minimum_gap interval DEFAULT NULL,
    ramp_percent integer DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_tier_cap';

CREATE FUNCTION sendgate.drop_tier_cap(
    tier text,
    action text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_drop_tier_cap';

CREATE FUNCTION sendgate.set_error_rule(
    rule_order integer,
    outcome text,
    action text DEFAULT NULL,
    error_type text DEFAULT NULL,
    http_status text DEFAULT NULL,
    error_text text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_error_rule';

CREATE FUNCTION sendgate.drop_error_rule(
    rule_order integer
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_drop_error_rule';

CREATE FUNCTION sendgate.pause_all(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_pause_all';

CREATE FUNCTION sendgate.quarantine(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_quarantine';

CREATE FUNCTION sendgate.resume_all() RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_all';

CREATE FUNCTION sendgate.clear_cooldown(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_clear_cooldown';

CREATE FUNCTION sendgate.repair_day(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_repair_day';

-- Triggers of sendgate's own tables.
CREATE FUNCTION sendgate.append_only() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_append_only';

CREATE FUNCTION sendgate.config_changed() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_config_changed';

-- The logs are append-only for everybody.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.linkedin_events
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.linkedin_events
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.breaker_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.breaker_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.admin_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.admin_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.linkedin_events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE sendgate.linkedin_events ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE sendgate.breaker_log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE sendgate.breaker_log ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE sendgate.admin_log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE sendgate.admin_log ENABLE ALWAYS TRIGGER append_only_truncate;

-- Caps, rules and the switch are compiled once per backend; every backend is told of a change when
-- it commits.
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.tier_defaults
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_defaults ENABLE ALWAYS TRIGGER config_changed;
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.tier_overrides
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_overrides ENABLE ALWAYS TRIGGER config_changed;
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_defaults
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_defaults ENABLE ALWAYS TRIGGER config_changed;
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_overrides
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_overrides ENABLE ALWAYS TRIGGER config_changed;
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.pause_switch
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.pause_switch ENABLE ALWAYS TRIGGER config_changed;
