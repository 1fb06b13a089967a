-- Campaign work, sends from outside the gate, whole batches, and the triggers for applications' own
-- tables.
CREATE TYPE sendgate.dispatched AS (
    account_id text,
    campaign_id text,
    prospect_id text,
    action text,
    operation_id uuid,
    expires_at timestamptz,
    attempt integer
);

CREATE FUNCTION sendgate.enqueue(
    campaign_id text,
    prospect_id text,
    account_id text,
    action text,
    dispatch_at timestamptz DEFAULT NULL,
    is_connection boolean DEFAULT false
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_enqueue';

CREATE FUNCTION sendgate.dispatch(
    max_operations integer,
    action text DEFAULT NULL,
    account_id text DEFAULT NULL,
    request_id uuid DEFAULT NULL
) RETURNS SETOF sendgate.dispatched
LANGUAGE c
SECURITY DEFINER
ROWS 100
AS 'MODULE_PATHNAME', 'sendgate_dispatch';

CREATE FUNCTION sendgate.cancel(
    campaign_id text,
    prospect_id text,
    account_id text DEFAULT NULL
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_cancel';

CREATE FUNCTION sendgate.pause_campaign(
    campaign_id text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_pause_campaign';

CREATE FUNCTION sendgate.resume_campaign(
    campaign_id text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_campaign';

CREATE FUNCTION sendgate.resume_deferred(
    account_id text
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_deferred';

CREATE FUNCTION sendgate.switch_action(
    campaign_id text,
    from_action text,
    to_action text,
    OUT moved integer,
    OUT left_behind integer
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_switch_action';

-- A batch of answers in one call; the answers come in the order of the arrays.
CREATE FUNCTION sendgate.confirm_many(
    account_ids text[],
    operation_ids uuid[],
    chat_ids text[] DEFAULT NULL
) RETURNS uuid[]
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_confirm_many';

CREATE FUNCTION sendgate.rollback_many(
    account_ids text[],
    operation_ids uuid[],
    error_messages text[] DEFAULT NULL,
    error_types text[] DEFAULT NULL,
    http_statuses integer[] DEFAULT NULL,
    retry_afters interval[] DEFAULT NULL
) RETURNS text[]
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_rollback_many';

-- What was sent by hand, or told by a provider's webhook.
CREATE FUNCTION sendgate.record_external_send(
    account_id text,
    action text,
    prospect_id text,
    chat_id text,
    occurred_at timestamptz
) RETURNS uuid
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_record_external_send';

-- Triggers for the table that an application has already.
CREATE FUNCTION sendgate.guard_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_guard_send';

CREATE FUNCTION sendgate.settle_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_settle_send';

-- An event that somebody writes past the functions is journalled as an external send.
CREATE FUNCTION sendgate.journal_event() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_journal_event';

CREATE TRIGGER journal_event BEFORE INSERT ON sendgate.linkedin_events
FOR EACH ROW EXECUTE FUNCTION sendgate.journal_event();

-- The audit stays as it was written, but for the count of repeats.
CREATE TRIGGER append_only
BEFORE DELETE
OR UPDATE OF id, at, deferred_to, exhausted_at, account_id, prospect_id, campaign_id, action, event_type,
    reason, operation_id, detail
ON sendgate.campaign_events
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.campaign_events
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.campaign_events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE sendgate.campaign_events ENABLE ALWAYS TRIGGER append_only_truncate;
