-- The log of proven deliveries, sends outside the gate, and triggers for an application's tables.

-- The proofs of delivery. Append-only.
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
    -- The domain refuses blank chat ids, this CHECK refuses missing ones: an InMail event is a proof.
    CONSTRAINT linkedin_events_chat_id_check CHECK (event_type <> 'inmail_sent' OR chat_id IS NOT NULL)
);

COMMENT ON TABLE sendgate.linkedin_events IS
'Delivered truth: one event for each proven delivery. Append-only by trigger, also for superusers.';
COMMENT ON COLUMN sendgate.linkedin_events.id IS
'The event, as confirm returned it. Version 7, so ids ascend roughly with time.';
COMMENT ON COLUMN sendgate.linkedin_events.operation_id IS
'The operation that it proves; at most one event an operation.';
COMMENT ON COLUMN sendgate.linkedin_events.occurred_at IS
'When the provider delivered, as the caller says; the instant of confirm where it does not say.';
COMMENT ON COLUMN sendgate.linkedin_events.recorded_at IS
'When the event was written. Proof for the breaker needs both instants after the stamp.';
COMMENT ON COLUMN sendgate.linkedin_events.counted_on IS
'The UTC day on which the slot counts, from the journal; may differ from the day of occurred_at around midnight.';
COMMENT ON COLUMN sendgate.linkedin_events.account_id IS 'The account sent through.';
COMMENT ON COLUMN sendgate.linkedin_events.prospect_id IS 'Who received it.';
COMMENT ON COLUMN sendgate.linkedin_events.event_type IS
'inmail_sent, invite_sent, message_sent, profile_view_sent or engagement_sent.';
COMMENT ON COLUMN sendgate.linkedin_events.chat_id IS
'The provider''s reference to the conversation: the proof of delivery. An inmail_sent event without one cannot exist; other actions may have none.';
COMMENT ON COLUMN sendgate.linkedin_events.campaign_id IS
'The campaign of the operation, or NULL.';
COMMENT ON CONSTRAINT linkedin_events_chat_id_check ON sendgate.linkedin_events IS
'No InMail counts as delivered without a chat_id that holds more than white space; NULL does not slip through.';
COMMENT ON CONSTRAINT linkedin_events_operation_key ON sendgate.linkedin_events IS
'One operation is one send: a confirm that arrives twice cannot write two events.';

CREATE INDEX linkedin_events_occurred_at_idx ON sendgate.linkedin_events (account_id, occurred_at);
COMMENT ON INDEX sendgate.linkedin_events_occurred_at_idx IS
'For the breaker''s look for a recent proof, and for an account''s history.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.linkedin_events', '');

-- Sends that were made by hand, or that a provider's webhook reports.
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

COMMENT ON FUNCTION sendgate.record_external_send(text, text, text, text, timestamptz) IS
'Journals and counts a send that did not pass the gate, made by hand or told by a provider''s webhook, and returns its event; on the UTC day of occurred_at, also above the cap. The same send again changes nothing and returns the same event; NULL where that has been pruned. The echo of an operation whose outcome is open, for the same prospect and action, confirms that operation instead; the echo of a delivery that was confirmed returns its event. One of an operation that was rolled back counts as a send of its own. An InMail needs its chat_id, and can be the proof that clears the breaker. Errors: SG001, SG002 also for an InMail without chat_id, SG004, SG007 occurred_at is infinite or in the future, SG101, SG301.';

-- Triggers for an application's own table.
CREATE FUNCTION sendgate.guard_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_guard_send';
COMMENT ON FUNCTION sendgate.guard_send() IS
'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on a table of your own: guard_send(''account_column'', ''action or column'', ''prospect_column'', ''campaign_column'', ''operation_id_column'', ''mode''). Asks reserve about each row; where workers claim a row by an update, the trigger is for UPDATE with a WHEN. A grant fills the operation id column (uuid, text, varchar or char, with a UNIQUE index on it: two rows with the same id would pass as one grant). An inserted row with an id is that operation, so that a repeated insert is the same grant; an updated row whose operation was given back gets a new one, and is refused while its operation is unresolved (operation_in_flight) or was delivered (operation_resolved). A refusal raises SG401 with the reason as message and retry_at in DETAIL (mode error), or lets the row in without operation id and with the reason in a text column (mode reason:column; SG401 is a WARNING where an id leaves its row). The second argument is an action where it spells one; an empty campaign column means none. A grant of an update empties what settle_send''s columns have from before. What is granted to a row that ON CONFLICT or another trigger drops is given back before the commit. Inserted rows must stay in their partition. Errors: SG010 the trigger is declared in another way, SG401, those of reserve.';

CREATE FUNCTION sendgate.settle_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_settle_send';
COMMENT ON FUNCTION sendgate.settle_send() IS
'Trigger AFTER UPDATE FOR EACH ROW on a guarded table: settle_send(''account_column'', ''operation_id_column'', ''chat_id_column'', ''error_column'' [, ''error_type_column'', ''http_status_column'', ''retry_after_column'']). Confirms the row''s operation when a chat id appears, or else rolls it back when an error does, with its text as the provider''s message and, where those columns are named, with the provider''s type, status (a number) and wait (an interval, or seconds). Rows without operation id, and blank values, are passed over; an id that the same update takes out of the row counts. Errors: SG010, those of confirm and rollback; warning SG220.';

-- An event that an application inserts itself is journalled as an external send.
CREATE FUNCTION sendgate.journal_event() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_journal_event';
COMMENT ON FUNCTION sendgate.journal_event() IS
'Trigger of linkedin_events: an event that an application inserts without operation id is checked, journalled and counted like record_external_send, and gets its id, operation id, recorded_at and counted_on. Errors: those of record_external_send, and SG214 for a send that is recorded already.';

CREATE VIEW sendgate.delivered_daily AS
SELECT e.account_id, e.counted_on AS day, e.event_type, count(*) AS delivered
FROM sendgate.linkedin_events e
GROUP BY e.account_id, e.counted_on, e.event_type;
COMMENT ON VIEW sendgate.delivered_daily IS
'Proven deliveries per account, day and type, from the event log. Read it with an account or a range of days: it counts what it is asked for.';
COMMENT ON COLUMN sendgate.delivered_daily.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.delivered_daily.day IS 'The UTC day on which the slots count.';
COMMENT ON COLUMN sendgate.delivered_daily.event_type IS
'inmail_sent, invite_sent, message_sent, profile_view_sent or engagement_sent.';
COMMENT ON COLUMN sendgate.delivered_daily.delivered IS 'How many.';

-- The log is append-only for every role.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.linkedin_events
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.linkedin_events ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON sendgate.linkedin_events IS
'The log of deliveries is proof; always on, also under session_replication_role = replica.';

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.linkedin_events
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.linkedin_events ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only_truncate ON sendgate.linkedin_events IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';

CREATE TRIGGER journal_event BEFORE INSERT ON sendgate.linkedin_events
FOR EACH ROW EXECUTE FUNCTION sendgate.journal_event();
COMMENT ON TRIGGER journal_event ON sendgate.linkedin_events IS
'Truth that is written past the functions counts too; one that names its operation comes from them, or from a dump, and passes.';
