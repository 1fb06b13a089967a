-- Alerts, and the log of who changed what.

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
COMMENT ON TABLE sendgate.alerts IS
'Things that an operator should look at. At most one open alert per account, kind and day; closed ones stay as history.';
COMMENT ON COLUMN sendgate.alerts.alert_id IS 'The alert.';
COMMENT ON COLUMN sendgate.alerts.account_id IS 'The account that it is about.';
COMMENT ON COLUMN sendgate.alerts.kind IS
'delivered_after_rollback: a slot was given back and the send arrived all the same. clock_behind_row: the account''s day is ahead of the clock; see repair_day. undecidable_account: dispatch cannot decide about it, because the server no longer knows its time zone; upsert_account with a time_zone resolves it. poisoned_enrollment: PostgreSQL refuses to hand out an enrollment and to park it; the others go out. counter_ahead_of_events, counter_behind_events: the InMail counter and the proven deliveries of the day differ. over_cap: the counter is at 120 percent of the cap or more, and the account cools down for an hour. unreserved_send: an InMail was proven that has no grant. operations_expired: sends whose outcome was not reported in time. failing: an action of the account failed again and again and is stopped for a while. action_unavailable: the account''s plan or seat does not include an action. credits_low: at its pace the account uses up its InMail credits before the next credit period, told once a period. provider_failing: so many accounts fail together that it is the provider; the account is *. copied_database: these books were written in another database; the account is *. webhook_failing: notifications were given up after a day; the account is *. reconciler_stale: jobs missed two runs; the account is *.';
COMMENT ON COLUMN sendgate.alerts.day IS
'The UTC day that it is about: the day on which the slot counts, or today.';
COMMENT ON COLUMN sendgate.alerts.detail IS
'The finding, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.alerts.opened_at IS 'When it was first seen.';
COMMENT ON COLUMN sendgate.alerts.acknowledged_by IS 'Who took it on. NULL: it is not acknowledged yet.';
COMMENT ON COLUMN sendgate.alerts.acknowledged_at IS 'When it was taken on.';
COMMENT ON COLUMN sendgate.alerts.acknowledge_note IS 'The note of the operator who acknowledged it.';
COMMENT ON COLUMN sendgate.alerts.resolved_at IS
'When what it warned of was over. NULL: it is open.';

CREATE UNIQUE INDEX alerts_open_key ON sendgate.alerts (account_id, kind, day) WHERE resolved_at IS NULL;
COMMENT ON INDEX sendgate.alerts_open_key IS
'One open alert per account, kind and day, however often the same thing is seen.';

CREATE INDEX alerts_opened_idx ON sendgate.alerts (opened_at, alert_id)
WHERE resolved_at IS NULL;
COMMENT ON INDEX sendgate.alerts_opened_idx IS 'For the open alerts, newest first.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.alerts', '');

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
    operation_id uuid,
    CONSTRAINT admin_log_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sendgate.admin_log IS
'Who changed what, from what to what, and why: one row for each call of an operator''s function that changed something, and for each status that a provider''s answer changed. Append-only by trigger, also for superusers.';
COMMENT ON COLUMN sendgate.admin_log.id IS 'The line. Version 7, so ids ascend roughly with time.';
COMMENT ON COLUMN sendgate.admin_log.at IS 'When it was done.';
COMMENT ON COLUMN sendgate.admin_log.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted. Never the current user, which SET ROLE changes.';
COMMENT ON COLUMN sendgate.admin_log.verb IS
'The function that was called; rollback where a provider''s answer changed the account''s status.';
COMMENT ON COLUMN sendgate.admin_log.account_id IS 'The account. NULL where it is about all of them.';
COMMENT ON COLUMN sendgate.admin_log.subject IS
'What of it: an action, a field, tier/action, the order of a rule, an operation, a campaign, or a prospect.';
COMMENT ON COLUMN sendgate.admin_log.before IS 'The value before. NULL: there was none.';
COMMENT ON COLUMN sendgate.admin_log.after IS 'The value afterwards. NULL: there is none.';
COMMENT ON COLUMN sendgate.admin_log.note IS 'Why, in the operator''s words; with rollback, the provider''s text.';
COMMENT ON COLUMN sendgate.admin_log.operation_id IS
'With rollback: the operation whose answer changed the status; send_operations has its words. NULL: a person did it, or it is of before 0.3.0.';

CREATE INDEX admin_log_account_idx ON sendgate.admin_log (account_id, at);
COMMENT ON INDEX sendgate.admin_log_account_idx IS 'For the history of one account.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.admin_log', '');

CREATE FUNCTION sendgate.acknowledge_alert(
    alert_id uuid,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_acknowledge_alert';
COMMENT ON FUNCTION sendgate.acknowledge_alert(uuid, text) IS
'Notes who has seen an alert, and why it may stay; what tells of a single event is resolved by it. Logged; once is enough. Errors: SG001, SG002, SG105 unknown alert, SG301.';

CREATE VIEW sendgate.open_alerts AS
SELECT l.alert_id, l.account_id, l.kind, l.day, l.detail, l.opened_at, l.acknowledged_by
FROM sendgate.alerts l
WHERE l.resolved_at IS NULL;
COMMENT ON VIEW sendgate.open_alerts IS 'Alerts that are not resolved.';
COMMENT ON COLUMN sendgate.open_alerts.alert_id IS 'The alert.';
COMMENT ON COLUMN sendgate.open_alerts.account_id IS 'The account that it is about.';
COMMENT ON COLUMN sendgate.open_alerts.kind IS 'What it warns of: the kinds that the comment on alerts.kind explains.';
COMMENT ON COLUMN sendgate.open_alerts.day IS 'The UTC day that it is about.';
COMMENT ON COLUMN sendgate.open_alerts.detail IS
'The finding, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.open_alerts.opened_at IS 'When it was first seen.';
COMMENT ON COLUMN sendgate.open_alerts.acknowledged_by IS 'Who took it on. NULL: it is not acknowledged yet.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.admin_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.admin_log ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON sendgate.admin_log IS
'Who changed what stays readable; always on, also under session_replication_role = replica.';

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.admin_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.admin_log ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only_truncate ON sendgate.admin_log IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
