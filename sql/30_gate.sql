-- The gate: the journal of attempts, and the functions that take, settle and stop slots.

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
COMMENT ON TYPE sendgate.decision IS
'The answer of reserve and preview. Read it with SELECT * FROM sendgate.reserve(…): SELECT (sendgate.reserve(…)).* calls the function once for every field.';
COMMENT ON COLUMN sendgate.decision.proceed IS
'Whether the send may go on. Only true is a yes; an error or a lost answer is not.';
COMMENT ON COLUMN sendgate.decision.operation_id IS
'The operation that holds the slot, for confirm and rollback. NULL when refused, and always in preview, which takes nothing.';
COMMENT ON COLUMN sendgate.decision.reason IS
'The first rule that refuses, from the closed list in docs/reference.md. NULL when proceed is true.';
COMMENT ON COLUMN sendgate.decision.retry_at IS
'When the refusing rule lets go by itself; another rule may refuse then. NULL when only an event can change the answer: an operator, an outcome, a higher cap.';
COMMENT ON COLUMN sendgate.decision.expires_at IS
'After this instant the worker must not call the provider any more: sendgate.operation_ttl after the grant. NULL when nothing was granted.';
COMMENT ON COLUMN sendgate.decision.sent_today IS
'Slots of this action taken on the account''s current UTC day, the one just granted included.';
COMMENT ON COLUMN sendgate.decision.daily_cap IS
'The effective daily cap: the account''s own or its tier''s, or the ramp''s where that is lower.';
COMMENT ON COLUMN sendgate.decision.remaining IS
'Slots of this action left today under both the daily and the weekly cap; never negative.';

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
    step smallint,
    beyond_credits boolean,
    CONSTRAINT send_operations_pkey PRIMARY KEY (account_id, operation_id),
    CONSTRAINT send_operations_sound_check
        CHECK (sendgate.is_sound_operation(state, outcome, settled_at, reserved_at, expires_at))
) WITH (fillfactor = 85);

COMMENT ON TABLE sendgate.send_operations IS
'The journal of attempts, one row per slot that was ever taken. Expired is not a state but a reading: reserved, and expires_at is past. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.send_operations.operation_id IS
'The id under which the worker reserved, or that dispatch made; unique for the account. Asking reserve again with the same id gets the same slot.';
COMMENT ON COLUMN sendgate.send_operations.reserved_at IS
'When the grant was decided. Proof for the breaker must have been reserved after its stamp.';
COMMENT ON COLUMN sendgate.send_operations.expires_at IS
'Until when the worker may call the provider. Later, a reserved operation counts as unresolved: the slot stays taken and an operator may settle it. Of a send outside the gate that is no InMail, the instant as it was told.';
COMMENT ON COLUMN sendgate.send_operations.counted_on IS
'The UTC day that the slot counts on, fixed at the grant. A slot is given back on this day and its week, if those are still current.';
COMMENT ON COLUMN sendgate.send_operations.account_id IS
'The account sent through. No foreign key: its lock would be a second one on the hot row.';
COMMENT ON COLUMN sendgate.send_operations.prospect_id IS
'Whom it was for: the application''s own key, 1 to 128 characters.';
COMMENT ON COLUMN sendgate.send_operations.action IS
'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.send_operations.state IS
'reserved (in flight or expired), delivered, released (the slot was given back) or indeterminate (it may or may not have been sent, so the slot stays taken).';
COMMENT ON COLUMN sendgate.send_operations.origin IS
'gate: through reserve or dispatch. external: sent by hand and recorded afterwards.';
COMMENT ON COLUMN sendgate.send_operations.campaign_id IS
'The campaign that the worker named, or that of the enrollment; NULL: none. No rule of the gate looks at it.';
COMMENT ON COLUMN sendgate.send_operations.settled_at IS
'When the present state was reached. NULL while reserved.';
COMMENT ON COLUMN sendgate.send_operations.outcome IS
'What the classifier made of the provider''s answer. NULL while reserved and when delivered.';
COMMENT ON COLUMN sendgate.send_operations.http_status IS
'The provider''s HTTP status, 100 to 599, if the worker passed one.';
COMMENT ON COLUMN sendgate.send_operations.error_type IS
'The provider''s own error type, cut at 2,000 characters and marked where it was cut. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.send_operations.error IS
'The provider''s text, or an operator''s note, cut at 2,000 characters and marked where it was cut. Foreign text: escape it where you show it.';
COMMENT ON CONSTRAINT send_operations_sound_check ON sendgate.send_operations IS
'State, outcome and time of settling agree: an operation in flight has no outcome and no time, a delivered one has no error outcome, a released one has the outcome that says why.';
COMMENT ON COLUMN sendgate.send_operations.attempt IS
'Which hand-out of its enrollment it is, from 1. NULL: taken with reserve; of its outcomes only a delivery changes an enrollment.';
COMMENT ON COLUMN sendgate.send_operations.awaited IS
'True where other work for the same prospect and action waits until this operation is settled. NULL: none does.';
COMMENT ON COLUMN sendgate.send_operations.unknown_since IS
'Since when its outcome is unknown: its answer said so, or reconcile_operations found it unanswered after its time. NULL: it is in flight or settled.';
COMMENT ON COLUMN sendgate.send_operations.step IS
'Which step of its campaign''s work it was handed out for, 1 to 1,000. NULL: taken with reserve, sent outside the gate, or handed out by a version before 0.3.0, where every step is 1.';
COMMENT ON COLUMN sendgate.send_operations.beyond_credits IS
'True where an InMail was granted while no known credit was left: a probe, a forced breaker, an account that is only observed. Its delivery proves the count wrong and ends it. NULL: no.';

CREATE INDEX send_operations_prospect_idx
    ON sendgate.send_operations (account_id, prospect_id, action, reserved_at);
COMMENT ON INDEX sendgate.send_operations_prospect_idx IS
'Finds what happened with a prospect and action, for operation_in_flight and prospect_cooldown. It does not mention the state, so that settling stays a heap-only update.';

CREATE INDEX send_operations_reserved_at_idx
    ON sendgate.send_operations USING brin (reserved_at);
COMMENT ON INDEX sendgate.send_operations_reserved_at_idx IS
'For sweeps by time. BRIN, because rows arrive in this order and a B-tree would cost every grant an entry.';

-- An account's operations of a day or week.
CREATE INDEX send_operations_day_idx ON sendgate.send_operations (account_id, counted_on);

-- Unknown outcomes of all accounts, newest first. Only an operation whose outcome becomes unknown gets an entry:
-- one that is confirmed or given back in time never has one.
CREATE INDEX send_operations_unknown_idx ON sendgate.send_operations (unknown_since, operation_id, account_id)
WHERE unknown_since IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('sendgate.send_operations', '');

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

COMMENT ON TABLE sendgate.pause_switch IS
'The one switch. While it holds its row, the gate refuses everything on every account, and dispatch hands out nothing. Written by pause_all, quarantine and resume_all.';
COMMENT ON COLUMN sendgate.pause_switch.only_row IS 'Always true: the key that keeps the table at one row.';
COMMENT ON COLUMN sendgate.pause_switch.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.pause_switch.actor IS 'Who paused.';
COMMENT ON COLUMN sendgate.pause_switch.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.pause_switch.quarantine_id IS 'Of the last quarantine: the sweeps that began under it name it. NULL for a mere pause.';
COMMENT ON COLUMN sendgate.pause_switch.quarantined_at IS 'When quarantine was last called; NULL for a mere pause. Nothing is compared with it.';
COMMENT ON CONSTRAINT pause_switch_quarantine_check ON sendgate.pause_switch IS
'A quarantine has an id and a time.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.pause_switch', '');

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

COMMENT ON FUNCTION sendgate.reserve(text, text, text, text, uuid) IS
'Takes a slot before the provider is called, or says why not. The same call with the same operation_id returns the same grant while it is in flight, so a lost answer can be asked for again. A refusal is an answer, not an error, and writes nothing but a skip of the breaker: the first per prospect, campaign and stamp is logged and defers the enrollment of that campaign, repeats are counted; and that a campaign may not write to a prospect who is suppressed for good, once. Of settling it, only a delivery changes an enrollment: that of the same account, campaign, prospect and action is done. For campaign work there is dispatch. Commit before you call the provider. Errors: SG001, SG002, SG004 bad argument, SG005 the account''s zone is gone, SG101 unknown account, SG201 the id was used for something else, SG217 in a transaction block, where sendgate.in_transaction refuses that (SG216 is the warning), SG301 the account is held too long, SG302 nothing could be decided.';

CREATE FUNCTION sendgate.preview(
    account_id text,
    action text,
    prospect_id text DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_preview';
COMMENT ON FUNCTION sendgate.preview(text, text, text) IS
'The answer that reserve would give now, with the counts as they are; takes and writes nothing, and works on a standby. Without a prospect the rules about prospects are left out. A yes is no promise: only reserve takes a slot. Errors: SG001, SG002, SG004, SG005, SG101; SG301 where another session has locked a whole table.';

CREATE FUNCTION sendgate.confirm(
    account_id text,
    operation_id uuid,
    chat_id text DEFAULT NULL,
    delivered_at timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_confirm';
COMMENT ON FUNCTION sendgate.confirm(text, uuid, text, timestamptz) IS
'Proves a delivery: writes its event and returns the event''s id. An InMail without a chat_id becomes indeterminate, with NULL and the warning SG211. A delivery of a slot that was given back is accepted, counts again, and raises an alert. The enrollment of the same account, campaign, prospect and action is done, also where reserve took the slot; without proof, work that was dispatched is parked. A proof after the breaker''s stamp clears it and releases what it deferred. The same call again is a no-op. Errors: SG001, SG002, SG007 delivered_at is infinite or in the future, SG101, SG102 unknown operation, SG202 confirmed with another chat_id, SG301.';

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
COMMENT ON FUNCTION sendgate.rollback(text, uuid, text, text, integer, interval) IS
'Reports a failed attempt with the provider''s own words and returns what the classifier made of them: the slot is given back, except for indeterminate, which holds it. Without any error the send never left the worker. Work that was dispatched waits, is done or is parked, as the outcome says. retry_after (0 to 366 days, no months) is how long a rate_limited account cools down. The same call again is a no-op. Errors: SG001, SG002, SG007 retry_after, SG101, SG102, SG203 it was delivered, SG301; warning SG212 when an unknown outcome stays unknown.';

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
COMMENT ON FUNCTION sendgate.resolve_operation(text, uuid, boolean, text, text) IS
'Settles by hand an operation that is expired or indeterminate. Not sent: the slot is given back, and work that was dispatched waits for its next attempt, or is parked after the fifth. Sent: the slot stays taken and the work is done, also where reserve took the slot; an InMail without chat_id writes no event, because nothing proves it. Repeating the same verdict is a no-op. Logged. Errors: SG001, SG002, SG101, SG102, SG202, SG204 it is not waiting for an operator, SG301.';

CREATE FUNCTION sendgate.resolve_unresolved(
    sent boolean,
    reserved_from timestamptz,
    reserved_before timestamptz,
    account_id text DEFAULT NULL,
    action text DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resolve_unresolved';
COMMENT ON FUNCTION sendgate.resolve_unresolved(boolean, timestamptz, timestamptz, text, text, text) IS
'The same as resolve_operation for all expired or indeterminate operations that were reserved from reserved_from on and before reserved_before, of one account or all, of one action or all: the morning after an outage. An InMail that was sent keeps its slot and gets no event, because no chat_id proves it. At most 10,000 a call, by account, all or nothing; returns how many: call it until that is 0. Logged once with the counts; the journal notes the verdict beside each operation. Errors: SG001, SG002, SG004, SG007 the range ends before it begins, SG101, SG301.';

CREATE FUNCTION sendgate.pause_all(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_pause_all';
COMMENT ON FUNCTION sendgate.pause_all(text) IS
'Stops everything: from its commit, every reserve and breaker_check is refused with paused_by_operator, replays too, and dispatch hands out nothing, until resume_all. Sends that hold a slot already are confirmed and rolled back as ever. Logged. Errors: SG002, SG301.';

CREATE FUNCTION sendgate.quarantine(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_quarantine';
COMMENT ON FUNCTION sendgate.quarantine(text) IS
'pause_all for books that may have forgotten sends, after a restore from an older backup or a failover that lost transactions: refused with paused_by_operator in the same way, but resume_all is not accepted until layers 2 and 1 have met every account in whole sweeps that began after it. Called again, it begins anew. Logged. Errors: SG002, SG301.';

CREATE FUNCTION sendgate.resume_all() RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_resume_all';
COMMENT ON FUNCTION sendgate.resume_all() IS
'Undoes pause_all, and quarantine once the books were checked. Every other rule holds as before. Logged. Errors: SG215 in quarantine, the sweeps are not through; SG301.';

-- What would have been refused on accounts that are only observed: adopting the gate beside limits of one's own.
CREATE TABLE sendgate.observed_refusals (
    account_id sendgate.identifier NOT NULL,
    day date NOT NULL,
    action sendgate.action_name NOT NULL,
    reason text COLLATE "C" NOT NULL,
    refusals bigint NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT observed_refusals_pkey PRIMARY KEY (account_id, day, action, reason),
    CONSTRAINT observed_refusals_refusals_check CHECK (refusals > 0)
);
COMMENT ON TABLE sendgate.observed_refusals IS
'What would have been refused on accounts in the mode observe, counted with each grant. prune removes old rows.';
COMMENT ON COLUMN sendgate.observed_refusals.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.observed_refusals.day IS 'The UTC day.';
COMMENT ON COLUMN sendgate.observed_refusals.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.observed_refusals.reason IS 'The first rule that would have refused, from the closed list in docs/reference.md.';
COMMENT ON COLUMN sendgate.observed_refusals.refusals IS 'How often, 1 or more.';
COMMENT ON COLUMN sendgate.observed_refusals.last_at IS 'When it did so last.';
COMMENT ON CONSTRAINT observed_refusals_refusals_check ON sendgate.observed_refusals IS
'A row is made by the first.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.observed_refusals', '');

CREATE FUNCTION sendgate.set_enforcement(
    account_id text,
    mode text,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_enforcement';
COMMENT ON FUNCTION sendgate.set_enforcement(text, text, text) IS
'Whether the rules refuse on an account (enforce) or are only observed (observe): then reserve, guard_send and breaker_check grant what an observed rule would refuse, with its reason, and observed_refusals counts it. NULL: the setting sendgate.enforcement. dispatch always enforces. Logged. Errors: SG001, SG002, SG004 mode, SG101, SG301.';

-- A batch of answers in one call; the answers come in the order of the arrays.
CREATE FUNCTION sendgate.confirm_many(
    account_ids text[],
    operation_ids uuid[],
    chat_ids text[] DEFAULT NULL
) RETURNS uuid[]
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_confirm_many';
COMMENT ON FUNCTION sendgate.confirm_many(text[], uuid[], text[]) IS
'confirm for up to 10,000 operations in one transaction, delivered now; the events'' ids in the order of the arrays, NULL with the warning SG211 where an InMail has no chat_id. chat_ids may be NULL as a whole or in part. All or nothing: an error names its element, from 1, and nothing is settled. Holds all its accounts, in ascending order. Errors: SG001, SG002, SG020 arrays of different lengths or too long, SG101, SG102, SG202, SG301.';

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
COMMENT ON FUNCTION sendgate.rollback_many(text[], uuid[], text[], text[], integer[], interval[]) IS
'rollback for up to 10,000 operations in one transaction; the outcomes in the order of the arrays. Each array of errors may be NULL as a whole or in part; an element without any error was never sent. All or nothing: an error names its element, from 1, and nothing is settled. Holds all its accounts, in ascending order. Errors: SG001, SG002, SG007 retry_afters, SG020 arrays of different lengths or too long, SG101, SG102, SG203, SG301; warning SG212 where an unknown outcome stays unknown.';

-- Refusals since the server started; no rows unless the library is in shared_preload_libraries.
CREATE FUNCTION sendgate.refusal_counts() RETURNS TABLE (
    action text,
    reason text,
    refusals bigint,
    since timestamptz
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 80
AS 'MODULE_PATHNAME', 'sendgate_refusal_counts';
COMMENT ON FUNCTION sendgate.refusal_counts() IS
'How often reserve, dispatch and guard_send refused, by action and reason, since the server started, over all its databases: a line for every action and reason, noughts too. Of dispatch counts each enrollment that was refused or skipped, and an account that refuses as a whole once. No rows unless sendgate is in shared_preload_libraries: the counts are in shared memory, because a refusal writes nothing.';

CREATE VIEW sendgate.operations_unresolved AS
SELECT o.account_id, o.operation_id, o.action, o.prospect_id, o.campaign_id, o.origin, o.state,
       o.state = 'reserved' AND o.expires_at <= c.at AS expired,
       o.counted_on, o.reserved_at, o.expires_at, c.at - o.reserved_at AS age,
       o.outcome, o.http_status, o.error_type, o.error
FROM sendgate.send_operations o
CROSS JOIN (SELECT sendgate.clock() AS at) c
WHERE o.state IN ('reserved', 'indeterminate');
COMMENT ON VIEW sendgate.operations_unresolved IS
'Operations whose outcome is not known: in flight, expired or indeterminate. Each holds its slot, and refuses the same action to the same prospect; the last two wait for resolve_operation.';
COMMENT ON COLUMN sendgate.operations_unresolved.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.operations_unresolved.operation_id IS 'The operation, for resolve_operation.';
COMMENT ON COLUMN sendgate.operations_unresolved.action IS
'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.operations_unresolved.prospect_id IS 'Whom it was for.';
COMMENT ON COLUMN sendgate.operations_unresolved.campaign_id IS 'The campaign, if the worker named one.';
COMMENT ON COLUMN sendgate.operations_unresolved.origin IS 'gate, or external for a send recorded afterwards.';
COMMENT ON COLUMN sendgate.operations_unresolved.state IS 'reserved or indeterminate.';
COMMENT ON COLUMN sendgate.operations_unresolved.expired IS
'Reserved, and past its time: the worker died or its answer was lost.';
COMMENT ON COLUMN sendgate.operations_unresolved.counted_on IS
'The UTC day on which its slot counts; on an older day it holds back no slot of today any more.';
COMMENT ON COLUMN sendgate.operations_unresolved.reserved_at IS 'When the slot was taken.';
COMMENT ON COLUMN sendgate.operations_unresolved.expires_at IS 'Until when the worker might have sent it.';
COMMENT ON COLUMN sendgate.operations_unresolved.age IS 'Time since the slot was taken.';
COMMENT ON COLUMN sendgate.operations_unresolved.outcome IS
'indeterminate, or NULL while reserved.';
COMMENT ON COLUMN sendgate.operations_unresolved.http_status IS 'The provider''s status, if the worker passed one.';
COMMENT ON COLUMN sendgate.operations_unresolved.error_type IS
'The provider''s error type. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.operations_unresolved.error IS
'The provider''s text. Foreign text: escape it where you show it.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.pause_switch
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.pause_switch ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.pause_switch IS
'The switch is read once per backend; pause_all holds from its commit.';
