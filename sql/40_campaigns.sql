-- Campaign work: the enrollments, the paused campaigns, and the log of skips.

-- A row is changed only while its account is held, so that dispatch may trust what it read. Only waiting rows
-- have a next_dispatch_at, and no index mentions the state, so that settling is a HOT update.
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
    step sendgate.step_number NOT NULL DEFAULT 1,
    priority sendgate.work_priority NOT NULL DEFAULT 0,
    payload sendgate.work_payload,
    CONSTRAINT enrollments_pkey PRIMARY KEY (account_id, prospect_id, campaign_id, action, step),
    CONSTRAINT enrollments_sending_check CHECK (state <> 'sending' OR operation_id IS NOT NULL),
    CONSTRAINT enrollments_waiting_check CHECK (state = 'waiting' OR next_dispatch_at IS NULL)
) WITH (
    fillfactor = 85,
    -- A long payload lies apart, so that the row stays short and its updates heap-only.
    toast_tuple_target = 256
);
COMMENT ON TABLE sendgate.enrollments IS
'Campaign work, one row per account, prospect, campaign, action and step. Put in by enqueue, handed out by dispatch, moved on by the outcome of its operation. A row is changed only while its account is held. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.enrollments.enqueued_at IS 'When it was put in. Work put in again keeps the first time.';
COMMENT ON COLUMN sendgate.enrollments.changed_at IS
'When state, due time, action or reason last changed; a connection flag that became true does not count.';
COMMENT ON COLUMN sendgate.enrollments.next_dispatch_at IS
'When it is due. NULL while waiting: until the operation that is in flight for the same prospect and action is settled. NULL in every other state. A due row may still be held back by its account, its campaign or the switch, which leave no trace here.';
COMMENT ON COLUMN sendgate.enrollments.attempts IS
'How often it was handed out. A failure that may be tried again parks it from the fifth on; resume_deferred, requeue and switch_action begin at 0 again.';
COMMENT ON COLUMN sendgate.enrollments.is_connection IS
'Whether the prospect is connected to the account. switch_action moves only such work to message. Never turns false again.';
COMMENT ON COLUMN sendgate.enrollments.account_id IS
'The account to send through. No foreign key: its lock would be a second one on the hot row.';
COMMENT ON COLUMN sendgate.enrollments.prospect_id IS
'Whom it is for: the application''s own key, 1 to 128 characters.';
COMMENT ON COLUMN sendgate.enrollments.campaign_id IS
'On whose behalf: the application''s own key, 1 to 128 characters.';
COMMENT ON COLUMN sendgate.enrollments.action IS
'inmail, invite, message, profile_view or engagement; switch_action changes it while the row waits.';
COMMENT ON COLUMN sendgate.enrollments.state IS
'waiting, sending, done, parked or cancelled. sending outlasts the operation''s time: without an answer it stays until the operation is settled. parked ends when its operation is settled, with resume_deferred or with requeue. Only a delivery or requeue leads out of cancelled, and only an operator''s requeue out of done.';
COMMENT ON COLUMN sendgate.enrollments.operation_id IS
'The operation of the last hand-out. A failure counts only if it is this one''s; a delivery counts whichever it is. NULL: never handed out, or not since the action was switched. A delivery that reserve took the slot for counts too, for the lowest step that is neither done nor cancelled, and leaves this as it is.';
COMMENT ON COLUMN sendgate.enrollments.reason IS
'Why it is in its state. waiting: account_inmail_credits_exhausted, operation_in_flight, prospect_cooldown or prospect_suppressed, or the outcome of the attempt before. parked: that outcome, indeterminate, or poisoned (PostgreSQL refused to write it). done: inmail_eligibility or recipient_refused. cancelled: prospect_suppressed. NULL: new, sending, delivered, cancelled by cancel, or made due again by an event.';
COMMENT ON COLUMN sendgate.enrollments.error IS
'The provider''s text, or its error type, of the last attempt that failed; for poisoned the SQLSTATE and the message. Cut at 2,000 characters and marked where it was cut. NULL: none, or delivered. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.enrollments.step IS
'Which message of the sequence, 1 to 1,000: part of the key. Work of versions before 0.3.0 is step 1.';
COMMENT ON COLUMN sendgate.enrollments.priority IS
'-100 to 100: of an account and action, the highest that is due goes first.';
COMMENT ON COLUMN sendgate.enrollments.payload IS
'What dispatch returns with the work: at most 8,192 bytes of text. NULL: nothing. Foreign data: escape it where you show it.';
COMMENT ON CONSTRAINT enrollments_sending_check ON sendgate.enrollments IS
'What a worker has can be settled: it has an operation.';
COMMENT ON CONSTRAINT enrollments_waiting_check ON sendgate.enrollments IS
'Only what waits is due; so an index on the due time alone finds it.';

CREATE INDEX enrollments_due_idx ON sendgate.enrollments (account_id, action, next_dispatch_at)
WHERE next_dispatch_at IS NOT NULL;
COMMENT ON INDEX sendgate.enrollments_due_idx IS
'For dispatch: when an account''s next work of one action is due. Partial, so that work that does not wait for a time costs it nothing, and without the state, so that settling stays a heap-only update.';

CREATE INDEX enrollments_order_idx
    ON sendgate.enrollments (account_id, action, priority DESC, campaign_id, next_dispatch_at, step)
    WHERE next_dispatch_at IS NOT NULL;
COMMENT ON INDEX sendgate.enrollments_order_idx IS
'For dispatch: the order in which an account''s work of one action is handed out, campaign by campaign, so that a reading jumps from one campaign to the next, whatever waits between them. Partial like enrollments_due_idx, so that work in a worker''s hands has no entry.';

CREATE INDEX enrollments_campaign_idx ON sendgate.enrollments (campaign_id, prospect_id);
COMMENT ON INDEX sendgate.enrollments_campaign_idx IS
'For what is done to a campaign as a whole, and for cancel without an account; no query of the hot path uses it.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.enrollments', '');

-- A campaign is paused while it has a row here.
CREATE TABLE sendgate.paused_campaigns (
    campaign_id sendgate.identifier NOT NULL,
    paused_at timestamptz NOT NULL,
    actor text NOT NULL,
    CONSTRAINT paused_campaigns_pkey PRIMARY KEY (campaign_id)
);
COMMENT ON TABLE sendgate.paused_campaigns IS
'Paused campaigns: dispatch hands out none of their work. A campaign is paused while it has a row here. Written by pause_campaign and resume_campaign.';
COMMENT ON COLUMN sendgate.paused_campaigns.campaign_id IS 'The campaign; it need not have any work yet.';
COMMENT ON COLUMN sendgate.paused_campaigns.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.paused_campaigns.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.paused_campaigns', '');

-- The skipped prospects of campaigns, with the reasons. Append-only except for the count of repeats.
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
    suppressed_at timestamptz,
    CONSTRAINT campaign_events_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT campaign_events_type_check CHECK (event_type = 'linkedin_skipped')
) WITH (fillfactor = 85);
COMMENT ON TABLE sendgate.campaign_events IS
'What a campaign''s prospects were spared, and why. A skip of the breaker is one row per prospect, campaign and stamp, written together with its line in breaker_log, and later ones are counted on it. Append-only by trigger but for that count, also for superusers.';
COMMENT ON COLUMN sendgate.campaign_events.id IS 'The event. Version 7, so ids ascend roughly with time.';
COMMENT ON COLUMN sendgate.campaign_events.at IS 'When it was decided; for a skip of the breaker, the first time.';
COMMENT ON COLUMN sendgate.campaign_events.deferred_to IS
'Start of the credit period that the skip was deferred to, as it was known then; the due time that holds is enrollments.next_dispatch_at. NULL: it was not deferred.';
COMMENT ON COLUMN sendgate.campaign_events.exhausted_at IS
'The breaker''s stamp that was obeyed. NULL where the reason is not the breaker.';
COMMENT ON COLUMN sendgate.campaign_events.repeats IS
'How often the same was skipped again under the same stamp, the first time not counted.';
COMMENT ON COLUMN sendgate.campaign_events.last_repeat_at IS 'The last of them. NULL: there was none.';
COMMENT ON COLUMN sendgate.campaign_events.account_id IS 'The account that nothing was sent through.';
COMMENT ON COLUMN sendgate.campaign_events.prospect_id IS
'Who was spared. NULL where breaker_check was not told.';
COMMENT ON COLUMN sendgate.campaign_events.campaign_id IS
'The campaign. NULL where reserve or breaker_check was not told.';
COMMENT ON COLUMN sendgate.campaign_events.action IS
'inmail, invite, message, profile_view or engagement; the breaker skips inmail only.';
COMMENT ON COLUMN sendgate.campaign_events.event_type IS 'linkedin_skipped.';
COMMENT ON COLUMN sendgate.campaign_events.reason IS
'account_inmail_credits_exhausted: the breaker. inmail_eligibility: the recipient''s side refuses InMails. recipient_refused: it refuses another action. prospect_suppressed: no account may write to the prospect.';
COMMENT ON COLUMN sendgate.campaign_events.operation_id IS
'The attempt that was refused. NULL for a skip of the breaker, which tried nothing.';
COMMENT ON COLUMN sendgate.campaign_events.detail IS
'The provider''s text, cut at 2,000 characters and marked where it was cut. NULL for a skip of the breaker. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.campaign_events.suppressed_at IS
'Since when the prospect was suppressed. NULL where the reason is another.';
COMMENT ON CONSTRAINT campaign_events_type_check ON sendgate.campaign_events IS
'The seeds'' identifier; the only one so far.';

-- A skip of the breaker is written once per prospect, campaign and stamp; later ones are counted.
CREATE UNIQUE INDEX campaign_events_skip_key
    ON sendgate.campaign_events (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE exhausted_at IS NOT NULL;
COMMENT ON INDEX sendgate.campaign_events_skip_key IS
'One row per prospect, campaign and stamp, however often the breaker skips the same; NULLs are equal here.';

CREATE UNIQUE INDEX campaign_events_suppressed_key
    ON sendgate.campaign_events (account_id, prospect_id, campaign_id, action, suppressed_at)
    WHERE suppressed_at IS NOT NULL;
COMMENT ON INDEX sendgate.campaign_events_suppressed_key IS
'One row per prospect, campaign, action and suppression, however often it is met. Partial, so other rows cost it nothing.';

CREATE INDEX campaign_events_campaign_idx ON sendgate.campaign_events (campaign_id, at);
COMMENT ON INDEX sendgate.campaign_events_campaign_idx IS 'For the history of one campaign.';

CREATE INDEX campaign_events_at_idx ON sendgate.campaign_events USING brin (at, last_repeat_at);
COMMENT ON INDEX sendgate.campaign_events_at_idx IS
'For skips_today, which looks for first skips and repeats, and for sweeps by time. BRIN, because rows arrive in this order.';

-- The campaigns' log and the open alerts, newest first.
CREATE INDEX campaign_events_time_idx ON sendgate.campaign_events (at, id);
COMMENT ON INDEX sendgate.campaign_events_time_idx IS 'For the log of all campaigns, newest first.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.campaign_events', '');

CREATE FUNCTION sendgate.enqueue(
    campaign_id text,
    prospect_id text,
    account_id text,
    action text,
    dispatch_at timestamptz DEFAULT NULL,
    is_connection boolean DEFAULT false,
    step integer DEFAULT 1,
    payload jsonb DEFAULT NULL,
    priority integer DEFAULT 0
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_enqueue';
COMMENT ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean, integer, jsonb, integer) IS
'Puts a prospect to a campaign''s work, due at dispatch_at or now: one step of a sequence (1 to 1,000), with a payload that dispatch returns with it (at most 8,192 bytes of text) and a priority (-100 to 100; the highest that is due goes first). True: it is new. False: the same campaign, prospect, account, action and step are there, in whatever state, and nothing changes but a connection flag that becomes true; or the prospect is suppressed for good. Holds no account, except for that flag, so whole lists fit in one transaction. Errors: SG001, SG002, SG003 step, priority or size of the payload, SG004, SG007 dispatch_at is infinite, SG101, SG301 the same work is being put in by another transaction, or the account is held.';

CREATE FUNCTION sendgate.enqueue_many(
    campaign_ids text[],
    prospect_ids text[],
    account_ids text[],
    actions text[],
    dispatch_ats timestamptz[] DEFAULT NULL,
    are_connections boolean[] DEFAULT NULL,
    steps integer[] DEFAULT NULL,
    payloads jsonb[] DEFAULT NULL,
    priorities integer[] DEFAULT NULL,
    OUT element integer,
    OUT result text
) RETURNS SETOF record
LANGUAGE c
SECURITY DEFINER
ROWS 1000
AS 'MODULE_PATHNAME', 'sendgate_enqueue_many';
COMMENT ON FUNCTION sendgate.enqueue_many(text[], text[], text[], text[], timestamptz[], boolean[], integer[], jsonb[], integer[]) IS
'enqueue for a list of up to 10,000 in one call. A row for each element, in order: new, exists (there already, or twice in the list; a connection flag may become true), unknown_account, suppressed (the prospect, for good), or invalid: and what enqueue would have raised. A bad element stops none of the others. The last five arrays may be NULL as a whole. Work is put in in one order, so that two calls with the same work do not deadlock. Errors: SG001 an array is NULL, SG020 unequal lengths, or too many, SG301, SG302 the same work is enqueued again and again meanwhile.';

CREATE FUNCTION sendgate.cancel(
    campaign_id text,
    prospect_id text,
    account_id text DEFAULT NULL
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_cancel';
COMMENT ON FUNCTION sendgate.cancel(text, text, text) IS
'Takes a prospect out of a campaign, for every action, on one account or all: waiting, sending and parked become cancelled. Returns how many. What a worker has already may still be sent, and a delivery makes it done all the same. requeue puts it back. Holds the accounts. Errors: SG001, SG002, SG101 account_id is unknown, SG301.';

CREATE FUNCTION sendgate.cancel_prospect(
    prospect_id text
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_cancel_prospect';
COMMENT ON FUNCTION sendgate.cancel_prospect(text) IS
'cancel in every campaign and on every account: all of a prospect''s work that is waiting, sending or parked becomes cancelled. Returns how many. Holds those accounts. Errors: SG001, SG002, SG301.';

CREATE FUNCTION sendgate.requeue(
    campaign_id text,
    prospect_id text,
    account_id text,
    action text,
    step integer DEFAULT 1,
    dispatch_at timestamptz DEFAULT NULL
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_requeue';
COMMENT ON FUNCTION sendgate.requeue(text, text, text, text, integer, timestamptz) IS
'Puts parked or cancelled work back: it waits again, due at dispatch_at or now, with attempts from 0. Operators may put back what is done, too. True: it is back. False: there is no such work, it waits or is being sent, or its prospect is suppressed for good. Holds the account. An operator''s is logged. Errors: SG001, SG002, SG003 step, SG004, SG007 dispatch_at is infinite, SG101, SG218 the outcome of one of its operations is not known yet, SG301, 42501 it is done and the caller is no operator.';

CREATE FUNCTION sendgate.pause_campaign(
    campaign_id text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_pause_campaign';
COMMENT ON FUNCTION sendgate.pause_campaign(text) IS
'From its commit, dispatch hands out nothing more of this campaign; a dispatch at the same moment still may. What workers have is settled as ever; reserve does not look at it. Pausing again is a no-op. Logged. Errors: SG001, SG002, SG301.';

CREATE FUNCTION sendgate.resume_campaign(
    campaign_id text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_campaign';
COMMENT ON FUNCTION sendgate.resume_campaign(text) IS
'Undoes pause_campaign: what fell due meanwhile is due now. May wait for a dispatch that met the pause and still runs. A no-op where it is not paused. Logged. Errors: SG001, SG002, SG301.';

CREATE FUNCTION sendgate.resume_deferred(
    account_id text
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_deferred';
COMMENT ON FUNCTION sendgate.resume_deferred(text) IS
'Makes an account''s InMails that the breaker deferred due again, spread over sendgate.release_spread; what is parked for another reason than indeterminate waits again too, due now, with attempts from 0. Returns how many of both. It does not touch the breaker: while that is open, dispatch skips and defers InMails again. Logged when there were any. Errors: SG001, SG002, SG101, SG301.';

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
COMMENT ON FUNCTION sendgate.switch_action(text, text, text) IS
'Turns a campaign''s waiting work into another action, with attempts from 0; deferred and failed work is due now, work with a not_before of enqueue keeps it. left_behind counts the work that still waits under the old action: to message, prospects that are no connections, and prospects with work under the new action already. Work in other states stays. Holds all accounts with such work. Logged when something moved. Errors: SG001, SG002, SG004 unknown action, or twice the same, SG301, SG302 the same work is enqueued again and again meanwhile.';

-- Today's skips by campaign: first ones and repeats.
CREATE VIEW sendgate.skips_today AS
SELECT e.account_id, e.campaign_id, e.action, e.reason, count(*) AS skipped,
       coalesce(sum(e.repeats), 0)::bigint AS repeats, max(e.deferred_to) AS deferred_to,
       max(coalesce(e.last_repeat_at, e.at)) AS last_at
FROM sendgate.campaign_events e
CROSS JOIN (SELECT sendgate.clock() AS at) c
WHERE e.event_type = 'linkedin_skipped'
  AND (
      (e.at >= pg_catalog.date_trunc('day', c.at, 'UTC')
       AND e.at < pg_catalog.date_trunc('day', c.at, 'UTC') + interval '1 day')
      OR (e.last_repeat_at >= pg_catalog.date_trunc('day', c.at, 'UTC')
          AND e.last_repeat_at < pg_catalog.date_trunc('day', c.at, 'UTC') + interval '1 day')
  )
GROUP BY e.account_id, e.campaign_id, e.action, e.reason;
COMMENT ON VIEW sendgate.skips_today IS
'Skips of campaign work since 00:00 UTC, counted by account, campaign, action and reason: skipped today for the first time, or again.';
COMMENT ON COLUMN sendgate.skips_today.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.skips_today.campaign_id IS 'The campaign. NULL: the caller named none.';
COMMENT ON COLUMN sendgate.skips_today.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.skips_today.reason IS
'account_inmail_credits_exhausted, inmail_eligibility, recipient_refused or prospect_suppressed.';
COMMENT ON COLUMN sendgate.skips_today.skipped IS
'Events: attempts that were refused, or prospects that the breaker skipped, first or again.';
COMMENT ON COLUMN sendgate.skips_today.repeats IS
'How often these were skipped again under the same stamp, also before today.';
COMMENT ON COLUMN sendgate.skips_today.deferred_to IS
'The latest start of a credit period that any of them was deferred to. NULL: none was.';
COMMENT ON COLUMN sendgate.skips_today.last_at IS 'When the latest of these skips was, first or repeated.';

-- The log stays as it was written, except for the count of repeats.
CREATE TRIGGER append_only
BEFORE DELETE
OR UPDATE OF id, at, deferred_to, exhausted_at, account_id, prospect_id, campaign_id, action, event_type,
    reason, operation_id, detail, suppressed_at
ON sendgate.campaign_events
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.campaign_events ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON sendgate.campaign_events IS
'What a campaign was spared stays readable; only repeats and last_repeat_at may change. Always on, also under session_replication_role = replica.';

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.campaign_events
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.campaign_events ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only_truncate ON sendgate.campaign_events IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
