-- Notifications: which webhooks there are, and what each of them was not told yet.

CREATE TABLE sendgate.webhooks (
    name sendgate.identifier NOT NULL,
    events text[] COLLATE "C" NOT NULL,
    registered_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    failing_since timestamptz,
    given_up integer NOT NULL DEFAULT 0,
    error text,
    CONSTRAINT webhooks_pkey PRIMARY KEY (name),
    CONSTRAINT webhooks_events_check CHECK (
        cardinality(events) > 0
        AND events <@ ARRAY['alert_opened', 'alert_resolved', 'breaker_set', 'breaker_clear', 'cooldown_set']
        AND array_position(events, NULL) IS NULL
    ),
    CONSTRAINT webhooks_given_up_check CHECK (given_up >= 0)
);
COMMENT ON TABLE sendgate.webhooks IS
'The webhooks that daemons have in their configuration, by name; addresses and secrets are there alone. An event is kept for each webhook that is registered when it is written. prune removes one that no daemon has asked about for seven days, with what waits for it.';
COMMENT ON COLUMN sendgate.webhooks.name IS 'Its name in the daemon''s configuration.';
COMMENT ON COLUMN sendgate.webhooks.events IS
'What it is told of: alert_opened, alert_resolved, breaker_set, breaker_clear, cooldown_set.';
COMMENT ON COLUMN sendgate.webhooks.registered_at IS 'When a daemon named it first. It is told of nothing from before.';
COMMENT ON COLUMN sendgate.webhooks.seen_at IS 'When a daemon last registered it or asked what it is to be told; to the minute.';
COMMENT ON COLUMN sendgate.webhooks.failing_since IS
'Since when its receiver has taken nothing. NULL: the last event was taken, or none was posted yet.';
COMMENT ON COLUMN sendgate.webhooks.given_up IS 'Events that were given up since then.';
COMMENT ON COLUMN sendgate.webhooks.error IS 'What became of the last attempt, if it failed. NULL: it did not.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.webhooks', '');

CREATE TABLE sendgate.webhook_outbox (
    webhook sendgate.identifier NOT NULL,
    account_id sendgate.identifier NOT NULL,
    place bigint NOT NULL,
    id uuid NOT NULL,
    event text COLLATE "C" NOT NULL,
    source_id uuid NOT NULL,
    at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    first_tried_at timestamptz,
    CONSTRAINT webhook_outbox_pkey PRIMARY KEY (webhook, account_id, place, id),
    CONSTRAINT webhook_outbox_event_check CHECK (
        event IN ('alert_opened', 'alert_resolved', 'breaker_set', 'breaker_clear', 'cooldown_set')
    ),
    CONSTRAINT webhook_outbox_tried_check CHECK ((attempts = 0) = (first_tried_at IS NULL) AND attempts >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE sendgate.webhook_outbox IS
'A row for each webhook and event that was not posted yet, written in the transaction of the event itself, so an event that was rolled back is never posted. take_notifications lends rows, settle_notification deletes them.';
COMMENT ON COLUMN sendgate.webhook_outbox.webhook IS 'The webhook.';
COMMENT ON COLUMN sendgate.webhook_outbox.account_id IS 'The account that the event is about. *: none, as in alerts.';
COMMENT ON COLUMN sendgate.webhook_outbox.place IS
'The order of the account''s events that wait: one after the other is posted, the least first. Written while the account is held.';
COMMENT ON COLUMN sendgate.webhook_outbox.id IS
'The event, as the receiver sees it in the header webhook-id: every attempt has the same, and so has every webhook.';
COMMENT ON COLUMN sendgate.webhook_outbox.event IS
'alert_opened, alert_resolved, breaker_set, breaker_clear or cooldown_set.';
COMMENT ON COLUMN sendgate.webhook_outbox.source_id IS
'The row that tells of it: alerts.alert_id, breaker_log.id or cooldown_log.id of the account.';
COMMENT ON COLUMN sendgate.webhook_outbox.at IS 'When it happened.';
COMMENT ON COLUMN sendgate.webhook_outbox.attempts IS 'How often it was lent to be posted.';
COMMENT ON COLUMN sendgate.webhook_outbox.not_before IS
'When it may be lent next: the end of its loan, or of its wait after a failure. -infinity: at once.';
COMMENT ON COLUMN sendgate.webhook_outbox.first_tried_at IS
'When it was lent first; a day later it is given up. NULL: not yet.';
COMMENT ON CONSTRAINT webhook_outbox_tried_check ON sendgate.webhook_outbox IS
'An event that was lent says since when it is tried, so that it can be given up.';

CREATE INDEX webhook_outbox_due_idx ON sendgate.webhook_outbox (webhook, not_before, at);
COMMENT ON INDEX sendgate.webhook_outbox_due_idx IS
'What may be posted to a webhook now, the longest waiting first, among any number of rows that wait after a failure.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.webhook_outbox', '');

CREATE FUNCTION sendgate.register_webhook(
    name text,
    events text[]
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_register_webhook';
COMMENT ON FUNCTION sendgate.register_webhook(text, text[]) IS
'Says that a daemon has a webhook of this name in its configuration, and of what it is to be told from now on. Called again it replaces the events; what waits already stays. Errors: SG001, SG002, SG004 unknown event, SG301.';

CREATE FUNCTION sendgate.take_notifications(
    webhook text,
    max_rows integer DEFAULT 8,
    lease interval DEFAULT '1 minute'
) RETURNS TABLE (
    id uuid,
    account_id text,
    event text,
    at timestamptz,
    attempt integer,
    data jsonb
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 8
AS 'MODULE_PATHNAME', 'sendgate_take_notifications';
COMMENT ON FUNCTION sendgate.take_notifications(text, integer, interval) IS
'Lends up to max_rows events that a webhook is to be told now, one of an account: the next of the account is lent once this one is settled. Commit, post them, and call settle_notification for each; what is not settled within the lease is lent again, with the same id. Nothing in a copy of the books. Errors: SG001, SG002, SG003 outside 1 to 1,000, SG007 a lease outside 1 second to 1 hour, SG106 unknown webhook.';

CREATE FUNCTION sendgate.settle_notification(
    webhook text,
    account_id text,
    id uuid,
    error text DEFAULT NULL,
    retry_in interval DEFAULT NULL
) RETURNS text
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_settle_notification';
COMMENT ON FUNCTION sendgate.settle_notification(text, text, uuid, text, interval) IS
'Tells what became of an event that was lent, and returns posted (no error: the event leaves the outbox), waits (it is lent again after retry_in, 0 to 1 day, by default a minute) or given_up: a day after its first attempt it leaves unposted, with what is a day old and was never tried while the receiver took nothing, and the alert webhook_failing opens. NULL: no such event waits. Errors: SG001, SG002, SG007, SG106, SG301.';
