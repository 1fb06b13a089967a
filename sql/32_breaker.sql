-- The InMail breaker: its answer, its log, its functions.

CREATE TYPE sendgate.breaker_answer AS (
    proceed boolean,
    reason text,
    retry_at timestamptz,
    exhausted_at timestamptz
);

COMMENT ON TYPE sendgate.breaker_answer IS
'The answer of breaker_check. Read it with SELECT * FROM sendgate.breaker_check(…).';
COMMENT ON COLUMN sendgate.breaker_answer.proceed IS
'Whether the InMail may go on. Only true is a yes; an error or a lost answer is not.';
COMMENT ON COLUMN sendgate.breaker_answer.reason IS
'Why not: account_inmail_credits_exhausted, breaker_forced_open or paused_by_operator. NULL when proceed is true.';
COMMENT ON COLUMN sendgate.breaker_answer.retry_at IS
'When the next credit period begins and the breaker lets go by itself. NULL when only an operator can change the answer.';
COMMENT ON COLUMN sendgate.breaker_answer.exhausted_at IS
'The stamp: when the account was found to be out of credits. NULL without one.';

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
    operation_id uuid,
    http_status integer,
    error_type text,
    CONSTRAINT breaker_log_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT breaker_log_action_check CHECK (action IN ('set', 'clear', 'skip')),
    CONSTRAINT breaker_log_skip_check CHECK (action <> 'skip' OR exhausted_at IS NOT NULL)
);

COMMENT ON TABLE sendgate.breaker_log IS
'Every committed set, clear and skip of a breaker, in the same transaction as what it tells of. Append-only by trigger, also for superusers.';
COMMENT ON COLUMN sendgate.breaker_log.id IS 'The line. Version 7, so ids ascend roughly with time.';
COMMENT ON COLUMN sendgate.breaker_log.at IS 'When it was decided.';
COMMENT ON COLUMN sendgate.breaker_log.account_id IS 'The account whose breaker it is.';
COMMENT ON COLUMN sendgate.breaker_log.action IS
'set: stamped. clear: the stamp was removed. skip: an InMail was refused because of the stamp.';
COMMENT ON COLUMN sendgate.breaker_log.reason IS
'For set: credits_exhausted (the provider), credits_spent (none are left of the balance that was told) or manual. For clear: monthly_reset, recent_success_evidence, balance_evidence or manual. For skip: account_inmail_credits_exhausted.';
COMMENT ON COLUMN sendgate.breaker_log.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.breaker_log.exhausted_at IS
'The stamp that was set, removed or obeyed.';
COMMENT ON COLUMN sendgate.breaker_log.prospect_id IS
'Whose attempt it was about; NULL for an operator''s act.';
COMMENT ON COLUMN sendgate.breaker_log.campaign_id IS 'The campaign of that attempt, if it named one.';
COMMENT ON COLUMN sendgate.breaker_log.note IS
'An operator''s note, or the provider''s text that breaker_report was given.';
COMMENT ON COLUMN sendgate.breaker_log.operation_id IS
'The operation whose answer or delivery set or cleared it; send_operations has its words. NULL: a person, a rule or breaker_report did, or it is of before 0.3.0.';
COMMENT ON COLUMN sendgate.breaker_log.http_status IS 'The status of the provider''s answer that set it, if there was one.';
COMMENT ON COLUMN sendgate.breaker_log.error_type IS
'The type of the provider''s answer that set it. Foreign text: escape it where you show it.';
COMMENT ON CONSTRAINT breaker_log_skip_check ON sendgate.breaker_log IS
'A skip is always because of a stamp, and the stamp is part of what makes it unique.';

-- A skip is logged once per prospect, campaign and stamp.
CREATE UNIQUE INDEX breaker_log_skip_key
    ON sendgate.breaker_log (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE action = 'skip';
COMMENT ON INDEX sendgate.breaker_log_skip_key IS
'A skip is logged once per prospect, campaign and stamp, however often the worker asks again; campaign_events counts the repeats.';

CREATE INDEX breaker_log_changes_idx ON sendgate.breaker_log (account_id, id) WHERE action <> 'skip';
COMMENT ON INDEX sendgate.breaker_log_changes_idx IS
'When a breaker was set and cleared, newest first, among any number of skips.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.breaker_log', '');

-- Lines of the breaker log that the daemon has not printed yet; taken by deleting.
CREATE TABLE sendgate.breaker_outbox (
    account_id sendgate.identifier NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT breaker_outbox_pkey PRIMARY KEY (account_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE sendgate.breaker_outbox IS
'Lines of breaker_log that no call of take_breaker_lines has taken yet. Written in the transaction of the line itself, so a line that was rolled back is never printed.';
COMMENT ON COLUMN sendgate.breaker_outbox.account_id IS 'The line''s account.';
COMMENT ON COLUMN sendgate.breaker_outbox.id IS 'The line''s id in breaker_log.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.breaker_outbox', '');

CREATE FUNCTION sendgate.breaker_state(
    mode text,
    exhausted_at timestamptz,
    credit_reset_day integer,
    at timestamptz
) RETURNS text
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_breaker_state';
COMMENT ON FUNCTION sendgate.breaker_state(text, timestamptz, integer, timestamptz) IS
'closed, open, forced_open or forced_closed, for a mode and a stamp at an instant, evidence of deliveries aside. Pure; made for the views.';

CREATE FUNCTION sendgate.breaker_check(
    account_id text,
    prospect_id text DEFAULT NULL,
    campaign_id text DEFAULT NULL
) RETURNS sendgate.breaker_answer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_breaker_check';

COMMENT ON FUNCTION sendgate.breaker_check(text, text, text) IS
'Consults the switch and the InMail breaker of an account, and whether the prospect is suppressed, for applications that use nothing else of the gate. Clears a stamp of an earlier period, or one that a recent delivery disproves; otherwise logs the skip once per prospect, campaign and stamp, defers the enrollment of that prospect and campaign, and counts the repeats. A clear releases the deferred work. Takes no slot and does not see probes. Errors: SG001, SG002, SG101, SG301.';

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
COMMENT ON FUNCTION sendgate.breaker_report(text, text, text, text, integer) IS
'Tells the breaker what the provider answered to an InMail that was sent without the gate, and returns how the classifier reads it; credits_exhausted stamps the account. For InMails sent through reserve, rollback does this. Errors: SG001 also when there is no error at all, SG002, SG101, SG301.';

CREATE FUNCTION sendgate.breaker_clear(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_clear';
COMMENT ON FUNCTION sendgate.breaker_clear(text, text) IS
'Removes the stamp: the account''s credits are back. InMails that it deferred become due, spread over sendgate.release_spread. Credits errors of operations reserved before are stale from now on. Logged. Errors: SG001, SG002, SG101, SG301.';

CREATE FUNCTION sendgate.breaker_arm(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_arm';
COMMENT ON FUNCTION sendgate.breaker_arm(text, text) IS
'Stamps the account as out of credits until its next credit period, to which its InMails are deferred as they fall due; changes nothing where a stamp of this period stands. Logged. Errors: SG001, SG002, SG101, SG301.';

CREATE FUNCTION sendgate.breaker_probe(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_probe';
COMMENT ON FUNCTION sendgate.breaker_probe(text, text) IS
'Grants one permit for a single test InMail through an open breaker, for sendgate.operation_ttl: the next reserve or dispatch that every other rule lets pass takes it, and one deferred enrollment becomes due, so that dispatch finds it. Delivered, the breaker clears; without credits, it stays; silent, the permit lapses. The warning SG222 says that InMails cool down, so that it may lapse before one can take it. Logged. Errors: SG001, SG002, SG101, SG206 the breaker is not open, SG207 there is a permit already, SG208 it is forced open, SG301.';

CREATE FUNCTION sendgate.breaker_force(
    account_id text,
    mode text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_breaker_force';
COMMENT ON FUNCTION sendgate.breaker_force(text, text, text) IS
'Sets the breaker''s mode: open stops all InMails whatever the credits, closed lets them pass whatever the stamp and releases what it deferred, auto goes by the stamp. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';

CREATE FUNCTION sendgate.take_breaker_lines(
    max_rows integer
) RETURNS SETOF sendgate.breaker_log
LANGUAGE c
SECURITY DEFINER
ROWS 100
AS 'MODULE_PATHNAME', 'sendgate_take_breaker_lines';
COMMENT ON FUNCTION sendgate.take_breaker_lines(integer) IS
'Takes up to max_rows lines of the breaker log that were not taken before. Print them, then commit: after an abort they are there again, and two takers never get the same line. Errors: SG001, SG003 outside 1 to 10,000.';

CREATE VIEW sendgate.breakers AS
SELECT a.id AS account_id, a.display_name, a.breaker_mode AS mode, s.state,
       a.inmail_credits_exhausted_at AS exhausted_at, s.resumes_at,
       a.breaker_cleared_at AS cleared_at,
       a.probe_lease_until, a.probe_operation_id,
       CASE s.state
           WHEN 'open' THEN pg_catalog.format(
               '%s credits exhausted — auto-resumes %s',
               CASE WHEN a.tier = 'sales_navigator' THEN 'Sales Nav'
                    ELSE pg_catalog.initcap(pg_catalog.replace(a.tier, '_', ' ')) END,
               pg_catalog.to_char(s.resumes_at AT TIME ZONE 'UTC', 'FMMon FMDD')
           )
           WHEN 'forced_open' THEN 'InMails stopped by an operator'
       END AS pill
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
CROSS JOIN LATERAL (
    SELECT sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, c.at)
               AS state,
           CASE WHEN a.inmail_credits_exhausted_at IS NOT NULL
                THEN sendgate.next_credit_period(a.credit_reset_day, a.inmail_credits_exhausted_at)
           END AS resumes_at
) s;
COMMENT ON VIEW sendgate.breakers IS 'The InMail breaker of every account, as of the clock.';
COMMENT ON COLUMN sendgate.breakers.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.breakers.display_name IS 'What people call the account.';
COMMENT ON COLUMN sendgate.breakers.mode IS 'What an operator set: auto, open or closed.';
COMMENT ON COLUMN sendgate.breakers.state IS
'closed: InMails pass; a stamp of an earlier credit period reads as closed. open: no credits. forced_open, forced_closed: an operator''s mode.';
COMMENT ON COLUMN sendgate.breakers.exhausted_at IS 'The raw stamp. NULL: none.';
COMMENT ON COLUMN sendgate.breakers.resumes_at IS
'Start of the credit period after the stamp, when InMails pass again by themselves. NULL: no stamp.';
COMMENT ON COLUMN sendgate.breakers.cleared_at IS 'The last clear, by rule or by hand.';
COMMENT ON COLUMN sendgate.breakers.probe_lease_until IS
'When the permit for a single test InMail lapses. NULL: there is none.';
COMMENT ON COLUMN sendgate.breakers.probe_operation_id IS
'The operation that took the permit. NULL: it lies ready, or there is none.';
COMMENT ON COLUMN sendgate.breakers.pill IS
'Why InMails are stopped, for people, with the UTC day on which they resume. NULL: the breaker does not stop them.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.breaker_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.breaker_log ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON sendgate.breaker_log IS
'What stopped an account stays readable; always on, also under session_replication_role = replica.';

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.breaker_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.breaker_log ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only_truncate ON sendgate.breaker_log IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
