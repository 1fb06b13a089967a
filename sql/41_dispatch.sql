-- Dispatch: the tickets, the requests, and the rows of its answer.

CREATE TYPE sendgate.dispatched AS (
    account_id text,
    campaign_id text,
    prospect_id text,
    action text,
    operation_id uuid,
    expires_at timestamptz,
    attempt integer,
    step integer,
    payload jsonb
);
COMMENT ON TYPE sendgate.dispatched IS
'A row of dispatch: an enrollment that holds a slot, to be settled with confirm or rollback.';
COMMENT ON COLUMN sendgate.dispatched.account_id IS 'The account to send through.';
COMMENT ON COLUMN sendgate.dispatched.campaign_id IS 'On whose behalf.';
COMMENT ON COLUMN sendgate.dispatched.prospect_id IS 'Whom to send to.';
COMMENT ON COLUMN sendgate.dispatched.action IS
'What to send: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.dispatched.operation_id IS
'The operation that holds the slot, made by dispatch; for confirm and rollback, and for the provider where it takes a key against duplicates.';
COMMENT ON COLUMN sendgate.dispatched.expires_at IS
'After this instant the worker must not call the provider any more: sendgate.operation_ttl after the grant, the same for all rows of a batch.';
COMMENT ON COLUMN sendgate.dispatched.attempt IS 'Which hand-out of this enrollment it is, from 1.';
COMMENT ON COLUMN sendgate.dispatched.step IS 'Which message of the sequence, 1 to 1,000, as enqueue was told.';
COMMENT ON COLUMN sendgate.dispatched.payload IS
'The payload of its enqueue. NULL: none.';

-- Tickets: "look at this account's work of this action no later than then". There may be several of
-- one account and action; dispatch reduces them to one again. A call that adds work looks for a ticket that
-- is early enough, and locks it in share mode or adds one of its own. So enqueue never waits, and no work
-- is forgotten.
CREATE TABLE sendgate.dispatch_queue (
    due_at timestamptz NOT NULL,
    ticket_id uuid NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    CONSTRAINT dispatch_queue_pkey PRIMARY KEY (account_id, action, ticket_id)
) WITH (
    -- A few rows an account, written all day, read from the front: dead rows have to be removed soon.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
COMMENT ON TABLE sendgate.dispatch_queue IS
'Tickets: look at this account''s work of this action no later than then. An account that may not send costs one ticket, whatever waits behind it. Several rows for one account and action are right: dispatch makes them one again, and deletes the last when nothing is going to be due. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.dispatch_queue.due_at IS
'When to look: the next due work, or when the rule that refuses lets go. dispatch puts it off by at most a day, so that a change made past the functions delays work and does not lose it.';
COMMENT ON COLUMN sendgate.dispatch_queue.ticket_id IS
'Tells the tickets of one account and action apart; means nothing else.';
COMMENT ON COLUMN sendgate.dispatch_queue.account_id IS 'The account to look at.';
COMMENT ON COLUMN sendgate.dispatch_queue.action IS 'The action to look at.';

CREATE INDEX dispatch_queue_due_idx ON sendgate.dispatch_queue (due_at, account_id, action, ticket_id);
COMMENT ON INDEX sendgate.dispatch_queue_due_idx IS
'For dispatch: due tickets of all accounts in the order in which they fall due. The other columns make a reading that continues exact.';

CREATE INDEX dispatch_queue_action_idx
    ON sendgate.dispatch_queue (action, due_at, account_id, ticket_id);
COMMENT ON INDEX sendgate.dispatch_queue_action_idx IS 'The same for dispatch of one action.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.dispatch_queue', '');

-- The operations that were handed out for a request id, because the worker may repeat its call.
CREATE TABLE sendgate.dispatch_requests (
    request_id uuid NOT NULL,
    at timestamptz NOT NULL,
    max_operations integer NOT NULL,
    action sendgate.action_name,
    account_id sendgate.identifier,
    account_ids text[] COLLATE "C" NOT NULL,
    operation_ids uuid[] NOT NULL,
    campaign_id sendgate.identifier,
    CONSTRAINT dispatch_requests_pkey PRIMARY KEY (request_id),
    CONSTRAINT dispatch_requests_length_check
        CHECK (pg_catalog.cardinality(account_ids) = pg_catalog.cardinality(operation_ids))
);
COMMENT ON TABLE sendgate.dispatch_requests IS
'What dispatch handed out for a request_id, so that a lost reply can be asked for again. Only requests that got something are kept. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.dispatch_requests.request_id IS 'As the worker made it; one for each call.';
COMMENT ON COLUMN sendgate.dispatch_requests.at IS 'When it was answered.';
COMMENT ON COLUMN sendgate.dispatch_requests.max_operations IS 'Its argument, 1 to 1,000: a repeat must have the same.';
COMMENT ON COLUMN sendgate.dispatch_requests.action IS 'Its argument. NULL: every action.';
COMMENT ON COLUMN sendgate.dispatch_requests.account_id IS 'Its argument. NULL: every account.';
COMMENT ON COLUMN sendgate.dispatch_requests.account_ids IS 'Accounts of the rows that were handed out, in their order.';
COMMENT ON COLUMN sendgate.dispatch_requests.operation_ids IS 'Operations of these rows, in the same order.';
COMMENT ON COLUMN sendgate.dispatch_requests.campaign_id IS 'Its argument. NULL: every campaign.';
COMMENT ON CONSTRAINT dispatch_requests_length_check ON sendgate.dispatch_requests IS
'Both arrays are columns of the same rows.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.dispatch_requests', '');

CREATE FUNCTION sendgate.dispatch(
    max_operations integer,
    action text DEFAULT NULL,
    account_id text DEFAULT NULL,
    request_id uuid DEFAULT NULL,
    campaign_id text DEFAULT NULL
) RETURNS SETOF sendgate.dispatched
LANGUAGE c
SECURITY DEFINER
ROWS 100
AS 'MODULE_PATHNAME', 'sendgate_dispatch';
COMMENT ON FUNCTION sendgate.dispatch(integer, text, text, uuid, text) IS
'Hands out up to max_operations (1 to 1,000) due enrollments, each with a slot, of accounts that every rule lets send; of one action, account or campaign if told. Of an account and action, the highest priority goes first; among equals the campaigns take turns, each with what has been due longest, and one that has taken its part of the account''s day is passed over. No row: nothing may be sent now. An account that another session holds is passed over, not waited for, and hides no other. A call defers at most 1,000 enrollments behind open breakers and moves about 10,000 that a rule about their prospect holds back; the next calls do the rest. The same request_id with the same arguments again returns those rows that are still in flight, in time, on a connected account and for a prospect that is not suppressed. Commit before you call the provider, and settle every row. Errors: SG001, SG002, SG003, SG004, SG101 account_id is unknown, SG213 the request_id has other arguments, SG301, SG302 no batch held, SG303 another session answered the same request meanwhile: repeat.';
