-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION sendgate UPDATE" to load this file. \quit

-- ALTER EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;
-- The gate reads its tables below the planner, and knows heap alone.
SET LOCAL default_table_access_method = heap;

-- No decision is made while rules and tables change. The second statement changes nothing, and tells every
-- session of a change, so that one with the library of another version looks again, and refuses.
LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sendgate.accounts SET (fillfactor = 70);

-- What these are has not changed: their comments say it in plainer words.
DO $role$
BEGIN
    -- Roles are shared by all databases, so it is written only where it differs.
    IF pg_catalog.shobj_description('sendgate_owner'::pg_catalog.regrole::pg_catalog.oid, 'pg_authid') IS DISTINCT FROM
        'Owns everything in the schema sendgate; its functions act with the rights of this role. It cannot log in and has no members. What the functions read and write below SQL does not ask for its rights.'
    THEN
        COMMENT ON ROLE sendgate_owner IS
        'Owns everything in the schema sendgate; its functions act with the rights of this role. It cannot log in and has no members. What the functions read and write below SQL does not ask for its rights.';
    END IF;
END
$role$;
COMMENT ON FUNCTION sendgate.repair_day(text, text) IS
'Brings a row whose day or week ran ahead of the clock back to today, counted again from the journal, makes work due that was postponed while it was ahead, and resolves its alert. Logged. Errors: SG001, SG002, SG101, SG209 the row is not ahead, SG301.';
COMMENT ON COLUMN sendgate.send_operations.state IS
'reserved (in flight or expired), delivered, released (the slot was given back) or indeterminate (it may or may not have been sent, so the slot stays taken).';
COMMENT ON CONSTRAINT send_operations_sound_check ON sendgate.send_operations IS
'State, outcome and time of settling agree: an operation in flight has no outcome and no time, a delivered one has no error outcome, a released one has the outcome that says why.';
COMMENT ON COLUMN sendgate.send_operations.unknown_since IS
'Since when its outcome is unknown: its answer said so, or reconcile_operations found it unanswered after its time. NULL: it is in flight or settled.';
COMMENT ON FUNCTION sendgate.preview(text, text, text) IS
'The answer that reserve would give now, with the counts as they are; takes and writes nothing, and works on a standby. Without a prospect the rules about prospects are left out. A yes is no promise: only reserve takes a slot. Errors: SG001, SG002, SG004, SG005, SG101; SG301 where another session has locked a whole table.';
COMMENT ON TABLE sendgate.breaker_outbox IS
'Lines of breaker_log that no call of take_breaker_lines has taken yet. Written in the transaction of the line itself, so a line that was rolled back is never printed.';
COMMENT ON FUNCTION sendgate.breaker_check(text, text, text) IS
'Consults the switch and the InMail breaker of an account, and whether the prospect is suppressed, for applications that use nothing else of the gate. Clears a stamp of an earlier period, or one that a recent delivery disproves; otherwise logs the skip once per prospect, campaign and stamp, defers the enrollment of that prospect and campaign, and counts the repeats. A clear releases the deferred work. Takes no slot and does not see probes. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_probe(text, text) IS
'Grants one permit for a single test InMail through an open breaker, for sendgate.operation_ttl: the next reserve or dispatch that every other rule lets pass takes it, and one deferred enrollment becomes due, so that dispatch finds it. Delivered, the breaker clears; without credits, it stays; silent, the permit lapses. The warning SG222 says that InMails cool down, so that it may lapse before one can take it. Logged. Errors: SG001, SG002, SG101, SG206 the breaker is not open, SG207 there is a permit already, SG208 it is forced open, SG301.';
COMMENT ON FUNCTION sendgate.take_breaker_lines(integer) IS
'Takes up to max_rows lines of the breaker log that were not taken before. Print them, then commit: after an abort they are there again, and two takers never get the same line. Errors: SG001, SG003 outside 1 to 10,000.';
COMMENT ON TABLE sendgate.paused_campaigns IS
'Paused campaigns: dispatch hands out none of their work. A campaign is paused while it has a row here. Written by pause_campaign and resume_campaign.';
COMMENT ON FUNCTION sendgate.switch_action(text, text, text) IS
'Turns a campaign''s waiting work into another action, with attempts from 0; deferred and failed work is due now, work with a not_before of enqueue keeps it. left_behind counts the work that still waits under the old action: to message, prospects that are no connections, and prospects with work under the new action already. Work in other states stays. Holds all accounts with such work. Logged when something moved. Errors: SG001, SG002, SG004 unknown action, or twice the same, SG301, SG302 the same work is enqueued again and again meanwhile.';
COMMENT ON VIEW sendgate.skips_today IS
'Skips of campaign work since 00:00 UTC, counted by account, campaign, action and reason: skipped today for the first time, or again.';
COMMENT ON COLUMN sendgate.reconcile_runs.beat_at IS 'When it began, or ended its last batch. A run that is silent for a minute, while no session holds its job, has died.';
COMMENT ON TABLE sendgate.jobs IS
'One row a job: the session that holds the row runs the job, and the row says when its last sweep was and where one that is under way goes on. Not dumped: after a restore every job is due.';
COMMENT ON COLUMN sendgate.jobs.sweep_passed_over IS 'Accounts that wanted a closer look and that the last sweep left to the next, because another session held them.';
COMMENT ON FUNCTION sendgate.reconcile_operations(integer) IS
'Layer 1, one batch: sets the counters of accounts that were active this week or the one before to what the journal counts, raised or lowered, never below what is in flight; each correction is a row of counter_drift. Parks campaign work whose operation was not settled in time. Accounts that another session holds are left to the next sweep. Errors: SG001, SG003.';
COMMENT ON FUNCTION sendgate.prune(interval, interval, integer) IS
'One batch: removes settled operations, logs, runs, resolved alerts and finished enrollments older than keep, and events older than keep_events; webhooks that no daemon has asked about for seven days, with the events that wait for them; never unresolved operations, lines that were not taken, nor anything else of the last 32 days. Errors: SG001, SG003 max_rows outside 1 to 1,000,000, SG007 too short or with months.';
COMMENT ON FUNCTION sendgate.begin_run(text) IS
'Whether a job is due now, by the database''s own record and clock, and no other session runs it; if so, leaves the heartbeat of a run that has begun. Commit, then call the job while more is true. Runs whose process is gone are marked as crashed here. Errors: SG001, SG004 unknown job.';
COMMENT ON TABLE sendgate.alerts IS
'Things that an operator should look at. At most one open alert per account, kind and day; closed ones stay as history.';
COMMENT ON COLUMN sendgate.alerts.detail IS
'The finding, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.alerts.acknowledged_by IS 'Who took it on. NULL: it is not acknowledged yet.';
COMMENT ON COLUMN sendgate.alerts.acknowledge_note IS 'The note of the operator who acknowledged it.';
COMMENT ON COLUMN sendgate.open_alerts.detail IS
'The finding, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.open_alerts.acknowledged_by IS 'Who took it on. NULL: it is not acknowledged yet.';
COMMENT ON VIEW sendgate.account_cards IS
'One line per account as a dashboard shows it: the InMail counter next to its cap and to the proven deliveries, the operations that are open, and in words why InMails stopped.';

-- Row types of tables and views have the privileges of any new type again, and pg_dump has nothing to warn of.
DO $row_types$
DECLARE
    row_type text;
BEGIN
    FOR row_type IN
        SELECT t.oid::pg_catalog.regtype::text
        FROM pg_catalog.pg_type t
        JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'v')
        WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON TYPE %s TO PUBLIC', row_type);
    END LOOP;
END
$row_types$;
DELETE FROM pg_catalog.pg_init_privs i
USING pg_catalog.pg_type t
JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'v')
WHERE i.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND i.objoid = t.oid
  AND t.typnamespace = 'sendgate'::pg_catalog.regnamespace;
-- PostgreSQL 17 and newer note the roles in those entries as well.
DELETE FROM pg_catalog.pg_shdepend d
USING pg_catalog.pg_type t
JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'v')
WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'i'
  AND d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())
  AND t.typnamespace = 'sendgate'::pg_catalog.regnamespace;

-- Outcomes and status patterns: longer lists. A week may begin on any day.
ALTER DOMAIN sendgate.operation_outcome DROP CONSTRAINT operation_outcome_check;
ALTER DOMAIN sendgate.operation_outcome ADD CONSTRAINT operation_outcome_check
    CHECK (VALUE IN ('released', 'credits_exhausted', 'recipient_refused', 'recipient_later', 'rejected',
                     'transient', 'rate_limited', 'action_unavailable', 'account_restricted', 'auth_lost',
                     'indeterminate', 'not_sent'));
ALTER DOMAIN sendgate.http_status_pattern DROP CONSTRAINT http_status_pattern_check;
ALTER DOMAIN sendgate.http_status_pattern ADD CONSTRAINT http_status_pattern_check
    CHECK (VALUE ~ '^([1-5]xx|[1-5][0-9][0-9])( or none)?$');
ALTER DOMAIN sendgate.week_start DROP CONSTRAINT week_start_check;
COMMENT ON DOMAIN sendgate.operation_outcome IS
    'What an attempt came to, as the classifier read the provider''s answer; not_sent is an operator''s verdict.';
COMMENT ON DOMAIN sendgate.http_status_pattern IS
    'One HTTP status, such as 429, or a class, such as 4xx; with " or none" behind it, a missing one as well.';
COMMENT ON DOMAIN sendgate.week_start IS
    'The first of seven UTC days; before 0.3.0 a Monday.';

-- The account's row. sent_before is NULL: the first decision counts the days before from the journal.
CREATE FUNCTION sendgate.is_sound_history(
    sent_before bytea,
    failures jsonb
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_history';
ALTER FUNCTION sendgate.is_sound_history(bytea, jsonb) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.is_sound_history(bytea, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sendgate.is_sound_history(bytea, jsonb) IS
'Whether the two packed columns of an account can be read. Pure; made for their domains.';

CREATE DOMAIN sendgate.days_before AS bytea CHECK (sendgate.is_sound_history(VALUE, NULL));
COMMENT ON DOMAIN sendgate.days_before IS
    'What an account sent on each of the six days before its row''s own day, by action; packed, as sent_before_days reads it.';

CREATE DOMAIN sendgate.failures_by_action AS jsonb CHECK (sendgate.is_sound_history(NULL, VALUE));
COMMENT ON DOMAIN sendgate.failures_by_action IS
    'Failures in a row and cooldowns of single actions, packed.';

CREATE DOMAIN sendgate.pace_gap AS interval CHECK (VALUE BETWEEN interval '0' AND interval '31 days');
COMMENT ON DOMAIN sendgate.pace_gap IS
    'Shortest time between two slots of an account: 0 to 31 days.';

CREATE DOMAIN sendgate.percentage AS smallint CHECK (VALUE BETWEEN 0 AND 100);
COMMENT ON DOMAIN sendgate.percentage IS
    'A part of a hundred, 0 to 100.';

CREATE DOMAIN sendgate.enforcement_mode AS text COLLATE "C" CHECK (VALUE IN ('enforce', 'observe'));
COMMENT ON DOMAIN sendgate.enforcement_mode IS
    'Whether a refusal refuses, or is only counted.';

CREATE DOMAIN sendgate.stamp_source AS text COLLATE "C" CHECK (VALUE IN ('provider', 'credits_spent', 'manual'));
COMMENT ON DOMAIN sendgate.stamp_source IS
    'Who stamped an account as out of credits: the provider, the count of known credits, or an operator.';
ALTER DOMAIN sendgate.days_before OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.days_before FROM PUBLIC;
ALTER DOMAIN sendgate.failures_by_action OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.failures_by_action FROM PUBLIC;
ALTER DOMAIN sendgate.pace_gap OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.pace_gap FROM PUBLIC;
ALTER DOMAIN sendgate.percentage OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.percentage FROM PUBLIC;
ALTER DOMAIN sendgate.enforcement_mode OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.enforcement_mode FROM PUBLIC;
ALTER DOMAIN sendgate.stamp_source OWNER TO sendgate_owner;
REVOKE ALL ON DOMAIN sendgate.stamp_source FROM PUBLIC;

ALTER TABLE sendgate.accounts
    ALTER COLUMN week DROP NOT NULL,
    ALTER COLUMN inmails_sent_this_week DROP NOT NULL,
    ALTER COLUMN inmails_sent_this_week DROP DEFAULT,
    ALTER COLUMN invites_sent_this_week DROP NOT NULL,
    ALTER COLUMN invites_sent_this_week DROP DEFAULT,
    ALTER COLUMN messages_sent_this_week DROP NOT NULL,
    ALTER COLUMN messages_sent_this_week DROP DEFAULT,
    ALTER COLUMN profile_views_sent_this_week DROP NOT NULL,
    ALTER COLUMN profile_views_sent_this_week DROP DEFAULT,
    ALTER COLUMN engagements_sent_this_week DROP NOT NULL,
    ALTER COLUMN engagements_sent_this_week DROP DEFAULT,
    ADD COLUMN inmail_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    ADD COLUMN invite_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    ADD COLUMN message_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    ADD COLUMN profile_view_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    ADD COLUMN engagement_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    ADD COLUMN sent_before sendgate.days_before,
    ADD COLUMN failures sendgate.failures_by_action,
    ADD COLUMN pace_gap sendgate.pace_gap,
    ADD COLUMN pace_jitter_percent sendgate.percentage,
    ADD COLUMN pace_spread boolean,
    ADD COLUMN enforcement sendgate.enforcement_mode,
    ADD COLUMN turns jsonb,
    DROP CONSTRAINT accounts_sound_check;
DROP FUNCTION sendgate.is_sound_account(time, time, smallint, timestamptz, uuid, timestamptz);
COMMENT ON TABLE sendgate.accounts IS
'One row per account, and every decision about the account is made on this row alone: one account, one row, one lock. Counters are as of the row''s own day; read the view linkedin_accounts for their value now. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.accounts.week IS
'Not used since 0.3.0, kept for backups of earlier versions: a week is the last seven days, see sent_before.';
COMMENT ON COLUMN sendgate.accounts.inmails_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.invites_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.messages_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.profile_views_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.engagements_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.cooldown_until IS
'Until when every action of the account is refused, after a rate limit or an audit. NULL or past: no cooldown. Never shortened by a later, shorter one.';
COMMENT ON COLUMN sendgate.accounts.inmail_weekly_cap IS
'The account''s own InMail cap in seven UTC days. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.invite_weekly_cap IS
'The account''s own invitation cap in seven UTC days. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.message_weekly_cap IS
'The account''s own message cap in seven UTC days. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.profile_view_weekly_cap IS
'The account''s own profile view cap in seven UTC days. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.engagement_weekly_cap IS
'The account''s own engagement cap in seven UTC days. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.inmail_attempts_today IS
'InMail grants on the row''s day, whatever came of them; a worker''s own released gives one back. External sends are none.';
COMMENT ON COLUMN sendgate.accounts.invite_attempts_today IS
'Invitation grants on the row''s day, whatever came of them; a worker''s own released gives one back. External sends are none.';
COMMENT ON COLUMN sendgate.accounts.message_attempts_today IS
'Message grants on the row''s day, whatever came of them; a worker''s own released gives one back. External sends are none.';
COMMENT ON COLUMN sendgate.accounts.profile_view_attempts_today IS
'Profile view grants on the row''s day, whatever came of them; a worker''s own released gives one back. External sends are none.';
COMMENT ON COLUMN sendgate.accounts.engagement_attempts_today IS
'Engagement grants on the row''s day, whatever came of them; a worker''s own released gives one back. External sends are none.';
COMMENT ON COLUMN sendgate.accounts.sent_before IS
'What each of the six days before the row''s day sent, by action, packed; sent_before_days reads it. NULL: not counted yet, so the next decision counts it and the attempts of the row''s day from the journal first.';
COMMENT ON COLUMN sendgate.accounts.inmail_last_at IS
'The last InMail grant, or the last InMail outside the gate, from which gaps are measured: the provider sees both.';
COMMENT ON COLUMN sendgate.accounts.invite_last_at IS
'The last invitation grant, or the last invitation outside the gate, from which gaps are measured: the provider sees both.';
COMMENT ON COLUMN sendgate.accounts.message_last_at IS
'The last message grant, or the last message outside the gate, from which gaps are measured: the provider sees both.';
COMMENT ON COLUMN sendgate.accounts.profile_view_last_at IS
'The last profile view grant, or the last profile view outside the gate, from which gaps are measured: the provider sees both.';
COMMENT ON COLUMN sendgate.accounts.engagement_last_at IS
'The last engagement grant, or the last engagement outside the gate, from which gaps are measured: the provider sees both.';
COMMENT ON COLUMN sendgate.accounts.failures IS
'Failures in a row and cooldowns of single actions, by action: count, level, failing_since, failing_until, cooldown_until. NULL: no action has any. The view cooldowns says what holds now.';
COMMENT ON COLUMN sendgate.accounts.pace_gap IS
'Least time between two grants of the account, whatever the action, at most 31 days, beside the tier''s gap of each action. NULL: none.';
COMMENT ON COLUMN sendgate.accounts.pace_jitter_percent IS
'By how much of itself that gap may be longer, 0 to 100 percent. NULL: 0.';
COMMENT ON COLUMN sendgate.accounts.pace_spread IS
'Whether the slots of a day are spread over the time in which the account may send. NULL: no.';
COMMENT ON COLUMN sendgate.accounts.enforcement IS
'enforce or observe: whether a refusal refuses, or is only counted. NULL: as the setting sendgate.enforcement says.';
COMMENT ON COLUMN sendgate.accounts.turns IS
'Whose turn it is between campaigns that share the account: by action and priority, the campaign that dispatch handed out last. NULL: no two campaigns share it.';
-- Who is only observed, at once.
CREATE INDEX accounts_observed_idx ON sendgate.accounts (id)
WHERE enforcement = 'observe';
COMMENT ON INDEX sendgate.accounts_observed_idx IS
'For operators who have to see which accounts are only observed, at once. It changes with set_enforcement, not when a slot is taken.';

CREATE FUNCTION sendgate.enforcement_of(
    own text
) RETURNS text
LANGUAGE c
STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_enforcement_of';
ALTER FUNCTION sendgate.enforcement_of(text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.enforcement_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.enforcement_of(text) TO sendgate_reader;
COMMENT ON FUNCTION sendgate.enforcement_of(text) IS
'enforce or observe: an account''s own mode, or where that is NULL the setting sendgate.enforcement. Made for the views.';

-- Five actions, sixteen reasons.
ALTER FUNCTION sendgate.refusal_counts() ROWS 80;

-- Whose books these are. They are this database's, where it has accounts: what it was copied from is not known.
CREATE TABLE sendgate.home_database (
    only_row boolean NOT NULL DEFAULT true,
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT home_database_pkey PRIMARY KEY (only_row),
    CONSTRAINT home_database_only_row_check CHECK (only_row)
);
ALTER TABLE sendgate.home_database OWNER TO sendgate_owner;
GRANT SELECT ON sendgate.home_database TO sendgate_reader;
COMMENT ON TABLE sendgate.home_database IS
'The database in which the books were written, at most one row: by the first upsert_account, by an update of the extension where there are accounts, or by adopt_database. In any other database they are a copy, and the gate refuses everything.';
COMMENT ON COLUMN sendgate.home_database.only_row IS 'Always true: the key that keeps the table at one row.';
COMMENT ON COLUMN sendgate.home_database.system_identifier IS
'The server''s, as in pg_control_system(): a physical standby has that of its primary, also once it is promoted. initdb makes a new one.';
COMMENT ON COLUMN sendgate.home_database.database_oid IS
'The database''s, as in pg_database: a new one for each CREATE DATABASE.';
COMMENT ON COLUMN sendgate.home_database.recorded_at IS 'Since when.';
COMMENT ON COLUMN sendgate.home_database.actor IS 'Who provisioned the first account, updated the extension or adopted the database.';
COMMENT ON COLUMN sendgate.home_database.note IS 'Why it was adopted, in the operator''s words. NULL: it was not.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.home_database', '');
INSERT INTO sendgate.home_database (system_identifier, database_oid, recorded_at, actor)
SELECT s.system_identifier, d.oid, pg_catalog.clock_timestamp(), session_user
FROM pg_catalog.pg_control_system() s
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE EXISTS (SELECT FROM sendgate.accounts);
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.home_database
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.home_database ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.home_database IS
'It is read once per backend; adopt_database holds from its commit.';

-- On a subscriber of logical replication: what arrives counts from its commit, as what is written there does.
-- The worker that applies rows fires no trigger for each statement, and of those for each row only the ones that are
-- ENABLE REPLICA or ALWAYS.

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.tier_defaults
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_defaults ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.tier_defaults IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.tier_overrides
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_overrides ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.tier_overrides IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.error_rule_defaults
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_defaults ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.error_rule_defaults IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.error_rule_overrides
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_overrides ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.error_rule_overrides IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.pause_switch
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.pause_switch ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.pause_switch IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.home_database
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.home_database ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.home_database IS
'The same as config_changed, for rows that logical replication brings.';

CREATE FUNCTION sendgate.adopt_database(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_adopt_database';
ALTER FUNCTION sendgate.adopt_database(text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.adopt_database(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.adopt_database(text) TO sendgate_operator, sendgate_daemon;
COMMENT ON FUNCTION sendgate.adopt_database(text) IS
'Makes this copy of the books the one that sends: until then a restored dump, a database made from a template and a server after pg_upgrade are refused with paused_by_operator, and resume_all does not end that. Call it only where the original sends no more: two copies count apart, and together exceed every cap. Resolves the alert copied_database. Where the books belong here already it changes nothing. Logged. Errors: SG002, SG301.';

CREATE FUNCTION sendgate.copied_database() RETURNS boolean
LANGUAGE c
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_copied_database';
ALTER FUNCTION sendgate.copied_database() OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.copied_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.copied_database() TO sendgate_reader;
COMMENT ON FUNCTION sendgate.copied_database() IS
'Whether these books were written in another database, and sendgate.copy_check is on, so that nothing is sent from here before adopt_database. Made for checks and monitoring.';

-- Weekly counters of the last seven days, from the row. The views keep their names, grants and users.
CREATE FUNCTION sendgate.sent_in_seven_days_as_of(
    sent integer,
    sent_before bytea,
    action text,
    marker date,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_in_seven_days_as_of';
ALTER FUNCTION sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz)
TO sendgate_reader;
COMMENT ON FUNCTION sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz) IS
'Slots of an action taken in the seven UTC days that end with the day of an instant, from a row''s counter of its day, its sent_before and its day. NULL: the days before are not counted yet. Pure; made for the views.';

CREATE FUNCTION sendgate.sent_before_days(
    sent_before bytea,
    action text
) RETURNS integer[]
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_before_days';
ALTER FUNCTION sendgate.sent_before_days(bytea, text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.sent_before_days(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.sent_before_days(bytea, text)
TO sendgate_reader;
COMMENT ON FUNCTION sendgate.sent_before_days(bytea, text) IS
'Slots of an action on each of the six days before the row''s day, the day before it first, from accounts.sent_before. NULL: not counted yet. Pure; made for DBAs.';

CREATE FUNCTION sendgate.outside_window(
    window_start time,
    window_end time,
    window_days smallint,
    time_zone text,
    at timestamptz
) RETURNS boolean
LANGUAGE c
STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_outside_window';
ALTER FUNCTION sendgate.outside_window(time, time, smallint, text, timestamptz) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.outside_window(time, time, smallint, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.outside_window(time, time, smallint, text, timestamptz) TO sendgate_reader;
COMMENT ON FUNCTION sendgate.outside_window(time, time, smallint, text, timestamptz) IS
'Whether an account is outside its sending window at an instant, from the columns of accounts; without a window it is not. NULL: a zone that the server no longer knows. Pure; made for the views.';
CREATE OR REPLACE VIEW sendgate.linkedin_accounts AS
SELECT a.id, a.display_name, a.status, a.tier, a.time_zone,
       sendgate.sent_as_of(a.inmails_sent_today, a.day, c.at) AS inmails_sent_today,
       sendgate.sent_as_of(a.invites_sent_today, a.day, c.at) AS invites_sent_today,
       sendgate.sent_as_of(a.messages_sent_today, a.day, c.at) AS messages_sent_today,
       sendgate.sent_as_of(a.profile_views_sent_today, a.day, c.at) AS profile_views_sent_today,
       sendgate.sent_as_of(a.engagements_sent_today, a.day, c.at) AS engagements_sent_today,
       sendgate.sent_in_seven_days_as_of(a.inmails_sent_today, a.sent_before, 'inmail', a.day, c.at)
           AS inmails_sent_this_week,
       sendgate.sent_in_seven_days_as_of(a.invites_sent_today, a.sent_before, 'invite', a.day, c.at)
           AS invites_sent_this_week,
       sendgate.sent_in_seven_days_as_of(a.messages_sent_today, a.sent_before, 'message', a.day, c.at)
           AS messages_sent_this_week,
       sendgate.sent_in_seven_days_as_of(a.profile_views_sent_today, a.sent_before, 'profile_view', a.day, c.at)
           AS profile_views_sent_this_week,
       sendgate.sent_in_seven_days_as_of(a.engagements_sent_today, a.sent_before, 'engagement', a.day, c.at)
           AS engagements_sent_this_week,
       a.inmail_credits_exhausted_at, a.breaker_mode, a.breaker_cleared_at, a.probe_lease_until,
       a.probe_operation_id, a.credit_reset_day::integer AS credit_reset_day, a.cooldown_until,
       a.window_start, a.window_end, sendgate.window_days_array(a.window_days) AS window_days,
       a.ramp, a.ramp_days, a.day AS counters_day,
       (a.day - 6)::sendgate.week_start AS counters_week,
       a.enforcement,
       sendgate.outside_window(a.window_start, a.window_end, a.window_days, a.time_zone, c.at) AS outside_window
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c;
COMMENT ON VIEW sendgate.linkedin_accounts IS
'The accounts as of the clock: counters read 0 from the first instant of a new UTC day, before anything is written. The column that tells why InMails stopped is raw until cleared.';
COMMENT ON COLUMN sendgate.linkedin_accounts.inmails_sent_this_week IS
'InMail slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.invites_sent_this_week IS
'Invitation slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.messages_sent_this_week IS
'Message slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.profile_views_sent_this_week IS
'Profile view slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.engagements_sent_this_week IS
'Engagement slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.counters_week IS
'The first of the seven UTC days that ended with the row''s last write.';
COMMENT ON COLUMN sendgate.linkedin_accounts.enforcement IS
'enforce or observe, the account''s own mode; enforcement_of says what holds. NULL: as the setting sendgate.enforcement says.';
COMMENT ON COLUMN sendgate.linkedin_accounts.outside_window IS
'Whether its sending window is closed now; without a window, never. NULL: a zone that the server no longer knows.';

CREATE OR REPLACE VIEW sendgate.counters AS
SELECT a.id AS account_id, n.action, greatest(a.day, (c.at AT TIME ZONE 'UTC')::date) AS day,
       sendgate.sent_as_of(n.sent_today, a.day, c.at) AS sent_today,
       sendgate.effective_cap(
           coalesce(n.daily_cap, t.daily_cap, 0), a.ramp, a.ramp_days,
           a.inmails_sent_today + a.invites_sent_today + a.messages_sent_today
           + a.profile_views_sent_today + a.engagements_sent_today > 0,
           a.day, coalesce(t.ramp_start_percent, 100), coalesce(t.ramp_step_percent, 0), c.at
       ) AS daily_cap,
       sendgate.sent_in_seven_days_as_of(n.sent_today, a.sent_before, n.action, a.day, c.at) AS sent_this_week,
       coalesce(n.weekly_cap, t.weekly_cap) AS weekly_cap,
       sendgate.sent_as_of(n.attempts_today, a.day, c.at) AS attempts_today
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
CROSS JOIN LATERAL (
    VALUES
        ('inmail', a.inmails_sent_today, a.inmail_attempts_today, a.inmail_daily_cap, a.inmail_weekly_cap),
        ('invite', a.invites_sent_today, a.invite_attempts_today, a.invite_daily_cap, a.invite_weekly_cap),
        ('message', a.messages_sent_today, a.message_attempts_today, a.message_daily_cap,
         a.message_weekly_cap),
        ('profile_view', a.profile_views_sent_today, a.profile_view_attempts_today,
         a.profile_view_daily_cap, a.profile_view_weekly_cap),
        ('engagement', a.engagements_sent_today, a.engagement_attempts_today, a.engagement_daily_cap,
         a.engagement_weekly_cap)
) AS n (action, sent_today, attempts_today, daily_cap, weekly_cap)
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = n.action;
COMMENT ON COLUMN sendgate.counters.sent_this_week IS
'Slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.counters.attempts_today IS
'Grants today (UTC), whatever came of them; a worker''s own released gives one back.';

DROP FUNCTION sendgate.sent_this_week_as_of(integer, date, timestamptz);
COMMENT ON COLUMN sendgate.tier_defaults.weekly_cap IS
'Slots in seven UTC days. NULL: only the daily cap counts.';
COMMENT ON COLUMN sendgate.tier_overrides.weekly_cap IS
'Slots in seven UTC days. NULL: no weekly cap, also where the shipped tier has one.';
COMMENT ON COLUMN sendgate.tiers.weekly_cap IS 'Slots in seven UTC days. NULL: only the daily cap counts.';

-- Rules of the classifier: what a rate limit stops, and for how long. The shipped ones anew.
ALTER TABLE sendgate.error_rule_defaults
    ADD COLUMN scope text COLLATE "C",
    ADD COLUMN wait interval;
ALTER TABLE sendgate.error_rule_overrides
    ADD COLUMN scope text COLLATE "C",
    ADD COLUMN wait interval,
    ADD CONSTRAINT error_rule_overrides_scope_check CHECK (scope IN ('account', 'action'));
COMMENT ON COLUMN sendgate.error_rule_defaults.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rule_defaults.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';
COMMENT ON COLUMN sendgate.error_rule_overrides.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rule_overrides.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';
CREATE OR REPLACE VIEW sendgate.error_rules AS
SELECT o.rule_order, o.outcome, o.action, o.error_type, o.http_status, o.error_text, false AS shipped,
       o.scope, o.wait
FROM sendgate.error_rule_overrides o
UNION ALL
SELECT d.rule_order, d.outcome, d.action, d.error_type, d.http_status, d.error_text, true, d.scope,
       d.wait
FROM sendgate.error_rule_defaults d
ORDER BY rule_order;
COMMENT ON COLUMN sendgate.error_rules.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rules.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';

DELETE FROM sendgate.error_rule_defaults;
INSERT INTO sendgate.error_rule_defaults (rule_order, error_type, http_status, outcome, action, scope, wait)
VALUES
    (1000, 'errors/insufficient_credits', NULL, 'credits_exhausted', 'inmail', NULL, NULL),
    (1010, 'errors/invalid_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1011, 'errors/no_connection_with_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1012, 'errors/blocked_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1013, 'errors/user_unreachable', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1014, 'errors/recipient_cannot_be_reached', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1015, 'errors/recipient_rejected', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1016, 'errors/not_allowed_inmail', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1017, 'errors/action_already_performed', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1018, 'errors/already_invited_recently', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1019, 'errors/already_connected', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1020, 'errors/cannot_invite_attendee', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1040, 'errors/cannot_resend_within_24hrs', NULL, 'recipient_later', NULL, NULL, '1 day'),
    (1050, 'errors/invalid_parameters', NULL, 'rejected', NULL, NULL, NULL),
    (1051, 'errors/malformed_request', NULL, 'rejected', NULL, NULL, NULL),
    (1052, 'errors/content_too_large', NULL, 'rejected', NULL, NULL, NULL),
    (1053, 'errors/invalid_url', NULL, 'rejected', NULL, NULL, NULL),
    (1054, 'errors/too_many_characters', NULL, 'rejected', NULL, NULL, NULL),
    (1055, 'errors/unescaped_characters', NULL, 'rejected', NULL, NULL, NULL),
    (1056, 'errors/missing_parameters', NULL, 'rejected', NULL, NULL, NULL),
    (1057, 'errors/expired_link', NULL, 'rejected', NULL, NULL, NULL),
    (1058, 'errors/account_mismatch', NULL, 'rejected', NULL, NULL, NULL),
    (1059, 'errors/resource_access_restricted', NULL, 'rejected', NULL, NULL, NULL),
    (1060, 'errors/resource_not_found', NULL, 'rejected', NULL, NULL, NULL),
    (1061, 'errors/invalid_resource_identifier', NULL, 'rejected', NULL, NULL, NULL),
    (1062, 'errors/insufficient_credits', NULL, 'rejected', NULL, NULL, NULL),
    (1063, 'errors/invalid_account', NULL, 'rejected', NULL, NULL, NULL),
    (1064, 'errors/sender_rejected', NULL, 'rejected', NULL, NULL, NULL),
    (1065, 'errors/ip_rejected_by_server', NULL, 'rejected', NULL, NULL, NULL),
    (1066, 'errors/account_configuration_error', NULL, 'rejected', NULL, NULL, NULL),
    (1067, 'errors/invalid_message', NULL, 'rejected', NULL, NULL, NULL),
    (1068, 'errors/unprocessable_entity', NULL, 'rejected', NULL, NULL, NULL),
    (1069, 'errors/limit_too_high', NULL, 'rejected', NULL, NULL, NULL),
    (1070, 'errors/unauthorized', '401', 'auth_lost', NULL, NULL, NULL),
    (1071, 'errors/unauthorized', NULL, 'rejected', NULL, NULL, NULL),
    (1072, 'errors/cant_send_message', NULL, 'rejected', NULL, NULL, NULL),
    (1073, 'errors/not_implemented', NULL, 'rejected', NULL, NULL, NULL),
    (1100, 'errors/provider_unreachable', NULL, 'transient', NULL, NULL, NULL),
    (1101, 'errors/realtime_client_not_initialized', NULL, 'transient', NULL, NULL, NULL),
    (1102, 'errors/no_client_session', NULL, 'transient', NULL, NULL, NULL),
    (1103, 'errors/no_channel', NULL, 'transient', NULL, NULL, NULL),
    (1104, 'errors/network_down', NULL, 'transient', NULL, NULL, NULL),
    (1105, 'errors/service_unavailable', NULL, 'transient', NULL, NULL, NULL),
    (1120, 'errors/cannot_resend_yet', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1121, 'errors/limit_exceeded', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1122, 'errors/connection_limit_reached', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1123, 'errors/too_many_requests', NULL, 'rate_limited', NULL, NULL, NULL),
    (1130, 'errors/insufficient_privileges', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1131, 'errors/disconnected_feature', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1132, 'errors/insufficient_permissions', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1133, 'errors/feature_not_subscribed', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1134, 'errors/subscription_required', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1135, 'errors/missing_feature', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1150, 'errors/account_restricted', NULL, 'account_restricted', NULL, NULL, NULL),
    (1160, 'errors/missing_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1161, 'errors/multiple_sessions', NULL, 'auth_lost', NULL, NULL, NULL),
    (1162, 'errors/invalid_checkpoint_solution', NULL, 'auth_lost', NULL, NULL, NULL),
    (1163, 'errors/checkpoint_error', NULL, 'auth_lost', NULL, NULL, NULL),
    (1164, 'errors/invalid_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1165, 'errors/expired_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1166, 'errors/disconnected_account', NULL, 'auth_lost', NULL, NULL, NULL),
    (1167, 'errors/wrong_account', NULL, 'auth_lost', NULL, NULL, NULL),
    (1168, 'errors/captcha_not_supported', NULL, 'auth_lost', NULL, NULL, NULL),
    (1169, 'errors/session_mismatch', NULL, 'auth_lost', NULL, NULL, NULL),
    (1170, 'errors/unknown_authentication_context', NULL, 'auth_lost', NULL, NULL, NULL),
    (1171, 'errors/action_required', NULL, 'auth_lost', NULL, NULL, NULL),
    (1190, 'errors/unexpected_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1191, 'errors/provider_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1192, 'errors/authentication_intent_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1193, 'errors/request_timeout', NULL, 'indeterminate', NULL, NULL, NULL);
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1200, '408', 'indeterminate'),
    (1201, '503', 'transient'),
    (1202, '5xx', 'indeterminate');
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, http_status, outcome, action)
VALUES
    (1300, 'credit', '422 or none', 'credits_exhausted', 'inmail'),
    (1310, 'blocked', '422 or none', 'recipient_refused', NULL),
    (1311, 'ineligible', '422 or none', 'recipient_refused', NULL),
    (1312, 'not eligible', '422 or none', 'recipient_refused', NULL),
    (1313, 'opted out', '422 or none', 'recipient_refused', NULL),
    (1314, 'deleted', '422 or none', 'recipient_refused', NULL),
    (1315, 'not found', '422 or none', 'rejected', NULL);
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1400, '429', 'rate_limited'),
    (1410, '401', 'auth_lost'),
    (1411, '403', 'rejected'),
    (1420, '4xx', 'rejected');
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, http_status, outcome)
VALUES
    (1500, 'too many requests', '422 or none', 'rate_limited'),
    (1501, 'rate limit', '422 or none', 'rate_limited'),
    (1502, 'unauthorized', '422 or none', 'auth_lost');

-- Functions with more arguments. Each stays the object that it is, so that its grants stay, a DBA's own among
-- them, and so does what users built on it: functions, views and triggers. There is no statement for that. The new
-- arguments are written to pg_proc from a copy that has them, as PostgreSQL's own extensions do it (intarray, pg_trgm).
CREATE FUNCTION sendgate.longer_clear_cooldown(
    account_id text,
    note text,
    action text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_clear_cooldown';
CREATE FUNCTION sendgate.longer_set_error_rule(
    rule_order integer,
    outcome text,
    action text DEFAULT NULL,
    error_type text DEFAULT NULL,
    http_status text DEFAULT NULL,
    error_text text DEFAULT NULL,
    scope text DEFAULT NULL,
    wait interval DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_error_rule';
CREATE FUNCTION sendgate.longer_enqueue(
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
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_enqueue';
CREATE FUNCTION sendgate.longer_dispatch(
    max_operations integer,
    action text DEFAULT NULL,
    account_id text DEFAULT NULL,
    request_id uuid DEFAULT NULL,
    campaign_id text DEFAULT NULL
) RETURNS SETOF sendgate.dispatched
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_dispatch';
UPDATE pg_catalog.pg_proc AS p
SET pronargs = l.pronargs, proargtypes = l.proargtypes, proargnames = l.proargnames,
    pronargdefaults = l.pronargdefaults, proargdefaults = l.proargdefaults
FROM pg_catalog.pg_proc l
WHERE l.pronamespace = 'sendgate'::pg_catalog.regnamespace AND p.pronamespace = l.pronamespace
  AND l.proname = 'longer_' || p.proname;
DROP FUNCTION sendgate.longer_clear_cooldown(text, text, text);
DROP FUNCTION sendgate.longer_enqueue(text, text, text, text, timestamptz, boolean, integer, jsonb, integer);
DROP FUNCTION sendgate.longer_dispatch(integer, text, text, uuid, text);
DROP FUNCTION sendgate.longer_set_error_rule(integer, text, text, text, text, text, text, interval);
COMMENT ON FUNCTION sendgate.clear_cooldown(text, text, text) IS
'Ends the cooldown of one action before its time, or with a NULL action those of the account and of all its actions; failures in a row start again at 0. Account *: every cooldown for failures, of all accounts, when the provider is back. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';
COMMENT ON FUNCTION sendgate.set_error_rule(integer, text, text, text, text, text, text, interval) IS
'Puts a rule of yours, 0 to 999, before the shipped classifier, or replaces it. All conditions that it names must hold: action, exact provider type, status (429 or 4xx), literal text. scope (account or action) is for rate_limited; wait (0 to 366 days, no months) for rate_limited, recipient_later and action_unavailable. Logged. Errors: SG001, SG002, SG003, SG004, SG007 wait, SG008 status, SG009 no condition, or a scope or wait that the outcome ignores, SG301.';

-- Steps, payloads and priorities of campaign work. What is there already is step 1.
CREATE DOMAIN sendgate.step_number AS smallint CHECK (VALUE BETWEEN 1 AND 1000);
COMMENT ON DOMAIN sendgate.step_number IS
    'Which message of a sequence, 1 to 1,000.';

CREATE DOMAIN sendgate.work_priority AS smallint CHECK (VALUE BETWEEN -100 AND 100);
COMMENT ON DOMAIN sendgate.work_priority IS
    'How urgent campaign work is, -100 to 100: the highest goes first.';

CREATE DOMAIN sendgate.work_payload AS jsonb CHECK (pg_catalog.octet_length(VALUE::text) <= 8192);
COMMENT ON DOMAIN sendgate.work_payload IS
    'What a worker gets with campaign work: at most 8,192 bytes of text.';
ALTER DOMAIN sendgate.step_number OWNER TO sendgate_owner;
ALTER DOMAIN sendgate.work_priority OWNER TO sendgate_owner;
ALTER DOMAIN sendgate.work_payload OWNER TO sendgate_owner;
REVOKE ALL ON TYPE sendgate.step_number, sendgate.work_priority, sendgate.work_payload FROM PUBLIC;
ALTER TABLE sendgate.enrollments
    ADD COLUMN step sendgate.step_number NOT NULL DEFAULT 1,
    ADD COLUMN priority sendgate.work_priority NOT NULL DEFAULT 0,
    ADD COLUMN payload sendgate.work_payload,
    SET (toast_tuple_target = 256);
ALTER TABLE sendgate.enrollments
    DROP CONSTRAINT enrollments_pkey,
    ADD CONSTRAINT enrollments_pkey PRIMARY KEY (account_id, prospect_id, campaign_id, action, step);
COMMENT ON TABLE sendgate.enrollments IS
'Campaign work, one row per account, prospect, campaign, action and step. Put in by enqueue, handed out by dispatch, moved on by the outcome of its operation. A row is changed only while its account is held. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.enrollments.attempts IS
'How often it was handed out. A failure that may be tried again parks it from the fifth on; resume_deferred, requeue and switch_action begin at 0 again.';
COMMENT ON COLUMN sendgate.enrollments.state IS
'waiting, sending, done, parked or cancelled. sending outlasts the operation''s time: without an answer it stays until the operation is settled. parked ends when its operation is settled, with resume_deferred or with requeue. Only a delivery or requeue leads out of cancelled, and only an operator''s requeue out of done.';
COMMENT ON COLUMN sendgate.enrollments.operation_id IS
'The operation of the last hand-out. A failure counts only if it is this one''s; a delivery counts whichever it is. NULL: never handed out, or not since the action was switched. A delivery that reserve took the slot for counts too, for the lowest step that is neither done nor cancelled, and leaves this as it is.';
COMMENT ON COLUMN sendgate.enrollments.step IS
'Which message of the sequence, 1 to 1,000: part of the key. Work of versions before 0.3.0 is step 1.';
COMMENT ON COLUMN sendgate.enrollments.priority IS
'-100 to 100: of an account and action, the highest that is due goes first.';
COMMENT ON COLUMN sendgate.enrollments.payload IS
'What dispatch returns with the work: at most 8,192 bytes of text. NULL: nothing. Foreign data: escape it where you show it.';
COMMENT ON INDEX sendgate.enrollments_due_idx IS
'For dispatch: when an account''s next work of one action is due. Partial, so that work that does not wait for a time costs it nothing, and without the state, so that settling stays a heap-only update.';
CREATE INDEX enrollments_order_idx
    ON sendgate.enrollments (account_id, action, priority DESC, campaign_id, next_dispatch_at, step)
    WHERE next_dispatch_at IS NOT NULL;
COMMENT ON INDEX sendgate.enrollments_order_idx IS
'For dispatch: the order in which an account''s work of one action is handed out, campaign by campaign, so that a reading jumps from one campaign to the next, whatever waits between them. Partial like enrollments_due_idx, so that work in a worker''s hands has no entry.';
ALTER TABLE sendgate.send_operations ADD COLUMN step smallint;
COMMENT ON COLUMN sendgate.send_operations.step IS
'Which step of its campaign''s work it was handed out for, 1 to 1,000. NULL: taken with reserve, sent outside the gate, or handed out by a version before 0.3.0, where every step is 1.';
ALTER TABLE sendgate.dispatch_requests ADD COLUMN campaign_id sendgate.identifier;
COMMENT ON COLUMN sendgate.dispatch_requests.campaign_id IS 'Its argument. NULL: every campaign.';
ALTER TYPE sendgate.dispatched ADD ATTRIBUTE step integer, ADD ATTRIBUTE payload jsonb;
COMMENT ON COLUMN sendgate.dispatched.step IS 'Which message of the sequence, 1 to 1,000, as enqueue was told.';
COMMENT ON COLUMN sendgate.dispatched.payload IS
'The payload of its enqueue. NULL: none.';
COMMENT ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean, integer, jsonb, integer) IS
'Puts a prospect to a campaign''s work, due at dispatch_at or now: one step of a sequence (1 to 1,000), with a payload that dispatch returns with it (at most 8,192 bytes of text) and a priority (-100 to 100; the highest that is due goes first). True: it is new. False: the same campaign, prospect, account, action and step are there, in whatever state, and nothing changes but a connection flag that becomes true. Holds no account, except for that flag, so whole lists fit in one transaction. Errors: SG001, SG002, SG003 step, priority or size of the payload, SG004, SG007 dispatch_at is infinite, SG101, SG301 the same work is being put in by another transaction, or the account is held.';
COMMENT ON FUNCTION sendgate.dispatch(integer, text, text, uuid, text) IS
'Hands out up to max_operations (1 to 1,000) due enrollments, each with a slot, of accounts that every rule lets send; of one action, account or campaign if told. Of an account and action, the highest priority goes first; among equals the campaigns take turns, each with what has been due longest, and one that has taken its part of the account''s day is passed over. No row: nothing may be sent now. An account that another session holds is passed over, not waited for, and hides no other. A call defers at most 1,000 enrollments behind open breakers and moves about 10,000 that a rule about their prospect holds back; the next calls do the rest. The same request_id with the same arguments again returns those rows that are still in flight, in time and on a connected account. Commit before you call the provider, and settle every row. Errors: SG001, SG002, SG003, SG004, SG101 account_id is unknown, SG213 the request_id has other arguments, SG301, SG302 no batch held, SG303 another session answered the same request meanwhile: repeat.';

-- Lists of work, work that is taken out everywhere, work that is put back.
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
COMMENT ON FUNCTION sendgate.cancel(text, text, text) IS
'Takes a prospect out of a campaign, for every action, on one account or all: waiting, sending and parked become cancelled. Returns how many. What a worker has already may still be sent, and a delivery makes it done all the same. requeue puts it back. Holds the accounts. Errors: SG001, SG002, SG101 account_id is unknown, SG301.';
ALTER FUNCTION sendgate.enqueue_many(text[], text[], text[], text[], timestamptz[], boolean[], integer[], jsonb[], integer[]) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.enqueue_many(text[], text[], text[], text[], timestamptz[], boolean[], integer[], jsonb[], integer[]) FROM PUBLIC;
ALTER FUNCTION sendgate.cancel_prospect(text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.cancel_prospect(text) FROM PUBLIC;
ALTER FUNCTION sendgate.requeue(text, text, text, text, integer, timestamptz) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.requeue(text, text, text, text, integer, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.enqueue_many(text[], text[], text[], text[], timestamptz[], boolean[], integer[], jsonb[], integer[]) TO sendgate_sender;
GRANT EXECUTE ON FUNCTION sendgate.cancel_prospect(text), sendgate.requeue(text, text, text, text, integer, timestamptz)
TO sendgate_sender, sendgate_operator, sendgate_daemon;

-- The pace of an account.
CREATE FUNCTION sendgate.set_pace(
    account_id text,
    minimum_gap interval DEFAULT NULL,
    jitter_percent integer DEFAULT 0,
    spread boolean DEFAULT false,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_pace';
ALTER FUNCTION sendgate.set_pace(text, interval, integer, boolean, text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.set_pace(text, interval, integer, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.set_pace(text, interval, integer, boolean, text)
TO sendgate_operator, sendgate_daemon;
COMMENT ON FUNCTION sendgate.set_pace(text, interval, integer, boolean, text) IS
'Sets the pace of an account, all of it: the least time between two grants of the account, whatever the action (0 to 31 days, no months), by how many percent that may be longer at random (0 to 100), and whether a day''s slots are spread over the time in which the account may send. Without arguments it has no pace of its own; the tier''s gaps hold beside it. Logged. Errors: SG001, SG002, SG003 jitter_percent, SG007 minimum_gap, SG101, SG301.';

-- What campaigns may take of each account's day.
CREATE TABLE sendgate.campaigns (
    set_at timestamptz NOT NULL,
    inmail_limit sendgate.slot_count,
    invite_limit sendgate.slot_count,
    message_limit sendgate.slot_count,
    profile_view_limit sendgate.slot_count,
    engagement_limit sendgate.slot_count,
    campaign_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT campaigns_pkey PRIMARY KEY (campaign_id),
    CONSTRAINT campaigns_limit_check CHECK (
        pg_catalog.num_nonnulls(inmail_limit, invite_limit, message_limit, profile_view_limit, engagement_limit) > 0
    )
);
COMMENT ON TABLE sendgate.campaigns IS
'How many slots a campaign may take of each account''s UTC day, by action. A campaign without a limit has no row; while the table is empty, no decision looks into it. Written by set_campaign.';
COMMENT ON COLUMN sendgate.campaigns.set_at IS 'When its limits were set last.';
COMMENT ON COLUMN sendgate.campaigns.inmail_limit IS
'InMails of an account''s day that it may take; 0: none. NULL: the account''s caps alone hold.';
COMMENT ON COLUMN sendgate.campaigns.invite_limit IS 'The same for invites.';
COMMENT ON COLUMN sendgate.campaigns.message_limit IS 'The same for messages.';
COMMENT ON COLUMN sendgate.campaigns.profile_view_limit IS 'The same for profile views.';
COMMENT ON COLUMN sendgate.campaigns.engagement_limit IS 'The same for engagements.';
COMMENT ON COLUMN sendgate.campaigns.campaign_id IS 'The campaign; it need not have any work yet.';
COMMENT ON COLUMN sendgate.campaigns.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.campaigns.note IS 'The operator''s words, or NULL.';
COMMENT ON CONSTRAINT campaigns_limit_check ON sendgate.campaigns IS
'A campaign without a limit has no row.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.campaigns', '');

CREATE FUNCTION sendgate.set_campaign(
    campaign_id text,
    inmail_limit integer DEFAULT NULL,
    invite_limit integer DEFAULT NULL,
    message_limit integer DEFAULT NULL,
    profile_view_limit integer DEFAULT NULL,
    engagement_limit integer DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_campaign';
COMMENT ON FUNCTION sendgate.set_campaign(text, integer, integer, integer, integer, integer, text) IS
'Sets the daily limits of a campaign, all of them: how many slots of each account''s UTC day it may take, by action (0 to 10,000; NULL: no limit). Beyond one, reserve for this campaign answers campaign_limit_reached and dispatch passes over its work; a slot that is given back can be taken again. A limit counts what the campaign took today before it was set, and holds from its commit; a decision at the same moment may still go by the one before. Without arguments it has no limits. Logged. Errors: SG001, SG002, SG003, SG301.';

-- What is due, what is out and what is done, by campaign and action.
CREATE VIEW sendgate.campaigns_today AS
SELECT t.campaign_id, t.action,
       sum(t.waiting)::bigint AS waiting, sum(t.sending)::bigint AS sending, sum(t.done)::bigint AS done_today,
       sum(t.deferred)::bigint AS deferred, sum(t.parked)::bigint AS parked, sum(t.cancelled)::bigint AS cancelled,
       sum(t.sent)::bigint AS sent_today, min(t.daily_limit) AS daily_limit,
       EXISTS (SELECT FROM sendgate.paused_campaigns p WHERE p.campaign_id = t.campaign_id) AS paused,
       min(t.due_at) AS oldest_due
FROM (
    SELECT e.campaign_id, e.action,
           (e.state = 'waiting' AND NOT d.deferred)::integer AS waiting, (e.state = 'sending')::integer AS sending,
           (e.state = 'done' AND e.changed_at >= c.midnight AND e.changed_at < c.midnight + interval '1 day')::integer AS done,
           d.deferred::integer AS deferred, (e.state = 'parked')::integer AS parked,
           (e.state = 'cancelled')::integer AS cancelled, 0 AS sent, NULL::integer AS daily_limit,
           CASE WHEN e.next_dispatch_at <= c.at THEN e.next_dispatch_at END AS due_at
    FROM sendgate.enrollments e
    CROSS JOIN (
        SELECT k.at, pg_catalog.date_trunc('day', k.at, 'UTC') AS midnight FROM (SELECT sendgate.clock() AS at) k
    ) c
    CROSS JOIN LATERAL (
        SELECT e.state = 'waiting' AND e.next_dispatch_at > c.at
               AND coalesce(e.reason = 'account_inmail_credits_exhausted', false) AS deferred
    ) d
    UNION ALL
    SELECT o.campaign_id, o.action, 0, 0, 0, 0, 0, 0, 1, NULL, NULL
    FROM sendgate.send_operations o
    CROSS JOIN (SELECT pg_catalog.date_trunc('day', sendgate.clock(), 'UTC') AS midnight) c
    WHERE o.campaign_id IS NOT NULL AND o.state <> 'released'
      AND o.reserved_at >= c.midnight AND o.reserved_at < c.midnight + interval '1 day'
      AND o.counted_on = (c.midnight AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT k.campaign_id, l.action, 0, 0, 0, 0, 0, 0, 0, l.daily_limit, NULL
    FROM sendgate.campaigns k
    CROSS JOIN LATERAL (
        VALUES ('inmail', k.inmail_limit), ('invite', k.invite_limit), ('message', k.message_limit),
               ('profile_view', k.profile_view_limit), ('engagement', k.engagement_limit)
    ) l (action, daily_limit)
    WHERE l.daily_limit IS NOT NULL
) t
GROUP BY t.campaign_id, t.action;
COMMENT ON VIEW sendgate.campaigns_today IS
'How far each campaign is, by action: its work by state, what it took today on all accounts, its limit, and the oldest work that is due. Read it with a campaign: without one it counts all work that there is.';
COMMENT ON COLUMN sendgate.campaigns_today.campaign_id IS 'The campaign.';
COMMENT ON COLUMN sendgate.campaigns_today.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.campaigns_today.waiting IS 'Work that waits, due or not, except what is deferred.';
COMMENT ON COLUMN sendgate.campaigns_today.sending IS 'Work that a worker has.';
COMMENT ON COLUMN sendgate.campaigns_today.done_today IS
'Work that was done since 00:00 UTC: delivered, or refused by the recipient''s side.';
COMMENT ON COLUMN sendgate.campaigns_today.deferred IS
'InMails that wait for the account''s next credit period because its breaker is open.';
COMMENT ON COLUMN sendgate.campaigns_today.parked IS 'Work that waits for a person.';
COMMENT ON COLUMN sendgate.campaigns_today.cancelled IS 'Work that was taken out of the campaign.';
COMMENT ON COLUMN sendgate.campaigns_today.sent_today IS
'Slots that it holds of today, on all accounts together: delivered, in flight or unknown, taken by dispatch or reserve.';
COMMENT ON COLUMN sendgate.campaigns_today.daily_limit IS
'Slots of each account''s day that it may take. NULL: no limit.';
COMMENT ON COLUMN sendgate.campaigns_today.paused IS 'Whether pause_campaign holds it back.';
COMMENT ON COLUMN sendgate.campaigns_today.oldest_due IS
'When its oldest work that is due now fell due. NULL: nothing is due.';

ALTER TABLE sendgate.campaigns OWNER TO sendgate_owner;
ALTER VIEW sendgate.campaigns_today OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.set_campaign(text, integer, integer, integer, integer, integer, text) OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.campaigns, sendgate.campaigns_today FROM PUBLIC;
REVOKE ALL ON FUNCTION sendgate.set_campaign(text, integer, integer, integer, integer, integer, text) FROM PUBLIC;
GRANT SELECT ON sendgate.campaigns, sendgate.campaigns_today TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.set_campaign(text, integer, integer, integer, integer, integer, text)
TO sendgate_operator, sendgate_daemon;

-- Cooldowns: the log, and what lasts now.
CREATE TABLE sendgate.cooldown_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    until timestamptz,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name,
    cause text COLLATE "C" NOT NULL,
    operation_id uuid,
    http_status integer,
    error_type text,
    error text,
    actor text NOT NULL,
    note text,
    CONSTRAINT cooldown_log_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT cooldown_log_cause_check CHECK (
        cause IN ('rate_limited', 'failing', 'action_unavailable', 'over_cap', 'manual')
    )
);
CREATE INDEX cooldown_log_at_idx ON sendgate.cooldown_log USING brin (at);
SELECT pg_catalog.pg_extension_config_dump('sendgate.cooldown_log', '');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.cooldown_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.cooldown_log ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.cooldown_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.cooldown_log ENABLE ALWAYS TRIGGER append_only_truncate;
CREATE VIEW sendgate.cooldowns AS
SELECT w.account_id, w.action,
       coalesce(w.since, (
           -- Back over the lines that made it longer while it lasted.
           WITH RECURSIVE line AS (
               SELECT l.id, l.at
               UNION ALL
               SELECT p.id, p.at
               FROM line n
               CROSS JOIN LATERAL (
                   SELECT g.id, g.at, g.until
                   FROM sendgate.cooldown_log g
                   WHERE g.account_id = w.account_id AND g.action IS NOT DISTINCT FROM w.action
                     AND g.cause <> 'failing' AND g.id < n.id
                   ORDER BY g.id DESC
                   LIMIT 1
               ) p
               WHERE p.until > n.at
           )
           SELECT min(n.at) FROM line n
       )) AS since,
       w.until, coalesce(l.cause, w.cause) AS cause, l.operation_id, l.http_status, l.error_type, l.error, l.actor, l.note
FROM (
    SELECT sendgate.clock() AS at, coalesce(current_setting('sendgate.failure_limit', true)::integer, 1) > 0 AS failures_count
) c
CROSS JOIN LATERAL (
    SELECT a.id, NULL::text, NULL::timestamptz, a.cooldown_until, NULL::text
    FROM sendgate.accounts a
    WHERE a.cooldown_until > c.at
    UNION ALL
    -- Both kinds by one reading of the accounts.
    SELECT a.id, f.key, k.since, k.until, k.cause
    FROM sendgate.accounts a
    CROSS JOIN LATERAL jsonb_each(a.failures) f
    CROSS JOIN LATERAL (
        VALUES (NULL::timestamptz, (f.value ->> 'cooldown_until')::timestamptz, NULL::text),
               ((f.value ->> 'failing_since')::timestamptz, (f.value ->> 'failing_until')::timestamptz, 'failing')
    ) k (since, until, cause)
    WHERE k.until > c.at AND (c.failures_count OR k.cause IS NULL)
) w (account_id, action, since, until, cause)
LEFT JOIN LATERAL (
    SELECT g.id, g.at, g.cause, g.operation_id, g.http_status, g.error_type, g.error, g.actor, g.note
    FROM sendgate.cooldown_log g
    WHERE g.account_id = w.account_id AND g.action IS NOT DISTINCT FROM w.action
      AND (g.cause = 'failing') = (w.cause IS NOT NULL)
    ORDER BY g.id DESC
    LIMIT 1
) l ON true;
ALTER TABLE sendgate.cooldown_log OWNER TO sendgate_owner;
ALTER VIEW sendgate.cooldowns OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.cooldown_log, sendgate.cooldowns FROM PUBLIC;
GRANT SELECT ON sendgate.cooldown_log, sendgate.cooldowns TO sendgate_reader;
COMMENT ON TABLE sendgate.cooldown_log IS
'Every cooldown that was set, extended or cleared, of an account or of one of its actions, with the answer or the person that caused it. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.cooldown_log.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.cooldown_log.at IS 'When it changed.';
COMMENT ON COLUMN sendgate.cooldown_log.until IS 'Until when it lasts from then on. NULL: it is over.';
COMMENT ON COLUMN sendgate.cooldown_log.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.cooldown_log.action IS 'The action that cools down. NULL: the whole account.';
COMMENT ON COLUMN sendgate.cooldown_log.cause IS
'rate_limited: the provider asked to slow down. failing: too many failures in a row. action_unavailable: the account''s plan or seat does not include the action. over_cap: the audit found the counter far above the cap. manual: an operator.';
COMMENT ON COLUMN sendgate.cooldown_log.operation_id IS 'The operation whose answer changed it. NULL: a person or a job did.';
COMMENT ON COLUMN sendgate.cooldown_log.http_status IS 'The provider''s status, if there was one.';
COMMENT ON COLUMN sendgate.cooldown_log.error_type IS
'The provider''s error type. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldown_log.error IS
'The provider''s text, cut at 2,000 characters. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldown_log.actor IS 'The session user, or the person on whose behalf the daemon acted.';
COMMENT ON COLUMN sendgate.cooldown_log.note IS 'Why, in the operator''s words.';
COMMENT ON CONSTRAINT cooldown_log_cause_check ON sendgate.cooldown_log IS 'The closed list of causes.';
COMMENT ON INDEX sendgate.cooldown_log_at_idx IS 'For prune: rows arrive in this order.';
COMMENT ON TRIGGER append_only ON sendgate.cooldown_log IS 'Only prune deletes.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.cooldown_log IS 'Only prune deletes.';
COMMENT ON VIEW sendgate.cooldowns IS
'The cooldowns that last, of accounts and of single actions, with the answer or the person that set each last. With sendgate.failure_limit = 0 no failures cool anything down.';
COMMENT ON COLUMN sendgate.cooldowns.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.cooldowns.action IS 'The action that cools down. NULL: the whole account.';
COMMENT ON COLUMN sendgate.cooldowns.since IS
'Since when it lasts without a break: of failures, when they reached the limit. NULL: before 0.3.0.';
COMMENT ON COLUMN sendgate.cooldowns.until IS 'Until when it lasts.';
COMMENT ON COLUMN sendgate.cooldowns.cause IS
'rate_limited, failing, action_unavailable, over_cap or manual. NULL: it was set before 0.3.0.';
COMMENT ON COLUMN sendgate.cooldowns.operation_id IS 'The operation whose answer caused it, if one did.';
COMMENT ON COLUMN sendgate.cooldowns.http_status IS 'The provider''s status, if there was one.';
COMMENT ON COLUMN sendgate.cooldowns.error_type IS
'The provider''s error type. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldowns.error IS
'The provider''s text. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldowns.actor IS 'Who set it.';
COMMENT ON COLUMN sendgate.cooldowns.note IS 'Why, in the operator''s words.';

COMMENT ON COLUMN sendgate.breaker_log.reason IS
'For set: credits_exhausted (the provider), credits_spent (none are left of the balance that was told) or manual. For clear: monthly_reset, recent_success_evidence, balance_evidence or manual. For skip: account_inmail_credits_exhausted.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_a_month IS
'InMail credits that the provider grants a month: added to a balance that was told when a credit period begins. Otherwise shown to people, not enforced: the provider''s own answer is the truth.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_ceiling IS
'How many credits can pile up by rolling over; a grant fills a balance up to no more.';
COMMENT ON COLUMN sendgate.tiers.credits_a_month IS
'InMail credits that the provider grants a month. NULL for a tier of your own.';
COMMENT ON COLUMN sendgate.tiers.credits_ceiling IS
'How many credits can pile up by rolling over. NULL for a tier of your own.';
-- Credits that are known: columns of the row and the journal, the log, the functions, the view.
ALTER TABLE sendgate.accounts
    ADD COLUMN credits_left integer,
    ADD COLUMN credits_base integer,
    ADD COLUMN credits_since timestamptz,
    ADD COLUMN credits_observed_at timestamptz,
    ADD COLUMN credits_spent_at timestamptz,
    ADD COLUMN credit_reset_changed_at timestamptz,
    ADD COLUMN inmail_credits_stamp sendgate.stamp_source,
    ADD COLUMN inmail_credits_above integer;
CREATE FUNCTION sendgate.account_is_sound() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_account_is_sound';
ALTER FUNCTION sendgate.account_is_sound() OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.account_is_sound() FROM PUBLIC;
COMMENT ON FUNCTION sendgate.account_is_sound() IS
'Trigger: the rules over several columns of an account. A sending window has all of its parts or none and can be; a permit lies only under a stamp, and one that is taken has a lease; a balance has all of its parts or none, but for credits_left, which a grant writes. Errors: 23514.';

CREATE TRIGGER account_is_sound
AFTER INSERT OR UPDATE OF window_start, window_end, window_days, inmail_credits_exhausted_at, probe_lease_until,
    probe_operation_id, credits_base, credits_since, credits_observed_at, credits_spent_at
ON sendgate.accounts
FOR EACH ROW EXECUTE FUNCTION sendgate.account_is_sound();
ALTER TABLE sendgate.accounts ENABLE ALWAYS TRIGGER account_is_sound;
COMMENT ON TRIGGER account_is_sound ON sendgate.accounts IS
'In place of a CHECK, which PostgreSQL parses anew for every statement that writes a row: a grant leaves these columns alone and pays nothing. Always on, also under session_replication_role = replica.';

COMMENT ON COLUMN sendgate.accounts.credits_left IS
'InMail credits left of the last balance that was told, each grant counted; may be negative while more InMails are in flight than it covered. NULL: no balance is counted, or none are left where credits_base says that one is. Read the view credits for its value now.';
COMMENT ON COLUMN sendgate.accounts.credits_base IS
'The balance that counts from credits_since on; the journal is counted against it.';
COMMENT ON COLUMN sendgate.accounts.credits_since IS
'From when on the journal counts: the observation, or the start of a later credit period.';
COMMENT ON COLUMN sendgate.accounts.credits_observed_at IS
'When the last balance that was told was observed. An older observation changes nothing.';
COMMENT ON COLUMN sendgate.accounts.credits_spent_at IS
'When the provider last found no credits since credits_since: from there on the count begins at 0. NULL: it did not.';
COMMENT ON COLUMN sendgate.accounts.credit_reset_changed_at IS
'When credit_reset_day was last changed: a credit period that started at or before it adds nothing to a balance.';
COMMENT ON COLUMN sendgate.accounts.inmail_credits_stamp IS
'Who stamped inmail_credits_exhausted_at: provider, credits_spent (none were left by the balance that was told) or manual. NULL: no stamp, or one of before 0.3.0.';
COMMENT ON COLUMN sendgate.accounts.inmail_credits_above IS
'Under a stamp of the provider: only a balance above this clears it, because a balance page may lag. NULL: any above 0.';
ALTER TABLE sendgate.send_operations ADD COLUMN beyond_credits boolean;
COMMENT ON COLUMN sendgate.send_operations.expires_at IS
'Until when the worker may call the provider. Later, a reserved operation counts as unresolved: the slot stays taken and an operator may settle it. Of a send outside the gate that is no InMail, the instant as it was told.';
COMMENT ON COLUMN sendgate.send_operations.beyond_credits IS
'True where an InMail was granted while no known credit was left: a probe, a forced breaker, an account that is only observed. Its delivery proves the count wrong and ends it. NULL: no.';
CREATE TABLE sendgate.credit_balances (
    id uuid NOT NULL,
    observed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    balance integer NOT NULL,
    account_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT credit_balances_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT credit_balances_balance_check CHECK (balance BETWEEN 0 AND 100000)
);
COMMENT ON TABLE sendgate.credit_balances IS
'Every balance of InMail credits that was told, also one that came too late to count; an unchanged one once a UTC day. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.credit_balances.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.credit_balances.observed_at IS 'When the provider showed it.';
COMMENT ON COLUMN sendgate.credit_balances.recorded_at IS 'When it was told.';
COMMENT ON COLUMN sendgate.credit_balances.balance IS 'Credits, 0 to 100,000.';
COMMENT ON COLUMN sendgate.credit_balances.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.credit_balances.actor IS 'The session user, or the person on whose behalf the daemon acted.';
COMMENT ON COLUMN sendgate.credit_balances.note IS 'The note that came with it.';
COMMENT ON CONSTRAINT credit_balances_balance_check ON sendgate.credit_balances IS
'No provider shows a negative balance, and none grants a hundred thousand InMails.';
CREATE INDEX credit_balances_recorded_idx ON sendgate.credit_balances USING brin (recorded_at);
COMMENT ON INDEX sendgate.credit_balances_recorded_idx IS 'For prune: rows arrive in this order.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.credit_balances', '');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.credit_balances
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.credit_balances ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.credit_balances
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.credit_balances ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only ON sendgate.credit_balances IS 'Only prune deletes.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.credit_balances IS 'Only prune deletes.';
CREATE FUNCTION sendgate.record_credit_balance(
    account_id text,
    balance integer,
    observed_at timestamptz DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_record_credit_balance';
COMMENT ON FUNCTION sendgate.record_credit_balance(text, integer, timestamptz, text) IS
'Tells the balance of InMail credits that the provider shows, 0 to 100,000. From then on grants are counted against it: no InMail is granted that has no credit, and the breaker is stamped (credits_spent) before the provider has to refuse. A balance above 0 clears such a stamp, and one of the provider where it proves a top-up. observed_at: when the provider showed it, NULL for now, at most five minutes ahead; one older than the last changes nothing and is logged. Errors: SG001, SG002, SG003, SG007, SG101, SG301.';

CREATE FUNCTION sendgate.forget_credit_balance(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_forget_credit_balance';
COMMENT ON FUNCTION sendgate.forget_credit_balance(text, text) IS
'Ends the counting of InMail credits: the account is again one without a told balance, and a stamp that the count set is removed. Logged; nothing happens where no balance is counted. Errors: SG001, SG002, SG101, SG301.';

-- Rolls a balance to an instant and looks ahead; the arrays are the InMails that may have been in flight at a
-- period's start since, which only a balance that has yet to be rolled asks for.
CREATE FUNCTION sendgate.credit_forecast(
    credits_left integer,
    credits_base integer,
    credits_since timestamptz,
    credits_observed_at timestamptz,
    credits_spent_at timestamptz,
    credit_reset_day integer,
    credit_reset_changed_at timestamptz,
    credits_a_month integer,
    credits_ceiling integer,
    reserved_at timestamptz[],
    expires_at timestamptz[],
    settled_at timestamptz[],
    used integer,
    at timestamptz,
    OUT left_now integer,
    OUT observed_at timestamptz,
    OUT used_per_day double precision,
    OUT next_grant_at timestamptz,
    OUT next_grant integer,
    OUT lasts_until timestamptz,
    OUT state text
)
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_credit_forecast';
COMMENT ON FUNCTION sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer, timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz) IS
'What is left of a balance at an instant, and until when it lasts at this pace. Pure; made for the view credits.';

CREATE VIEW sendgate.credits AS
SELECT a.id AS account_id, f.left_now AS credits_left, f.observed_at, u.used AS used_last_7_days,
       f.used_per_day, f.next_grant_at, f.next_grant, t.credits_ceiling AS ceiling, f.lasts_until, f.state
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = 'inmail'
CROSS JOIN LATERAL (
    SELECT sendgate.sent_in_seven_days_as_of(a.inmails_sent_today, a.sent_before, 'inmail', a.day, c.at) AS used
) u
CROSS JOIN LATERAL (
    SELECT array_agg(o.reserved_at) AS reserved_at, array_agg(o.expires_at) AS expires_at,
           array_agg(CASE WHEN o.state IN ('delivered', 'released') THEN o.settled_at END) AS settled_at
    FROM sendgate.send_operations o
    WHERE CASE WHEN a.credits_since IS NOT NULL
               THEN sendgate.next_credit_period(a.credit_reset_day, a.credits_since) <= c.at END
      AND o.account_id = a.id AND o.action = 'inmail'
      AND o.counted_on >= ((a.credits_since - interval '7 days') AT TIME ZONE 'UTC')::date
      AND o.expires_at > a.credits_since
) j
CROSS JOIN LATERAL sendgate.credit_forecast(
    a.credits_left, a.credits_base, a.credits_since, a.credits_observed_at, a.credits_spent_at,
    a.credit_reset_day, a.credit_reset_changed_at, t.credits_a_month, t.credits_ceiling,
    j.reserved_at, j.expires_at, j.settled_at, coalesce(u.used, 0), c.at
) f;
COMMENT ON VIEW sendgate.credits IS
'The InMail credits of every account as of the clock: what is left of the last balance that was told, how fast they go, and until when they last.';
COMMENT ON COLUMN sendgate.credits.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.credits.credits_left IS
'Credits that may still be granted, 0 or more: those that InMails in flight may take are taken off. NULL: no balance is counted.';
COMMENT ON COLUMN sendgate.credits.observed_at IS
'When the last balance that was told was observed. NULL: no balance is counted.';
COMMENT ON COLUMN sendgate.credits.used_last_7_days IS
'InMails of the last seven UTC days, today included: delivered, in flight and unknown. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.credits.used_per_day IS 'The same a day, on average.';
COMMENT ON COLUMN sendgate.credits.next_grant_at IS
'Start of the next credit period in which the tier grants credits. NULL: it grants none, or is a tier of your own.';
COMMENT ON COLUMN sendgate.credits.next_grant IS
'How many credits that adds to what is left now; less than a month''s where the ceiling is near.';
COMMENT ON COLUMN sendgate.credits.ceiling IS
'How many credits can pile up by rolling over. NULL: a tier of your own.';
COMMENT ON COLUMN sendgate.credits.lasts_until IS
'When the credits are used up at this pace. NULL: not before the next credit period, or no balance is counted.';
COMMENT ON COLUMN sendgate.credits.state IS
'untracked: no balance is counted. ok: they last until the next credit period. low: at this pace they do not. exhausted: none are left.';
ALTER TABLE sendgate.credit_balances OWNER TO sendgate_owner;
ALTER VIEW sendgate.credits OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.record_credit_balance(text, integer, timestamptz, text) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.forget_credit_balance(text, text) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer, timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz) OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.credit_balances, sendgate.credits FROM PUBLIC;
REVOKE ALL ON FUNCTION sendgate.record_credit_balance(text, integer, timestamptz, text), sendgate.forget_credit_balance(text, text), sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer, timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz) FROM PUBLIC;
GRANT SELECT ON sendgate.credit_balances, sendgate.credits TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.record_credit_balance(text, integer, timestamptz, text)
TO sendgate_sender, sendgate_operator, sendgate_daemon;
GRANT EXECUTE ON FUNCTION sendgate.forget_credit_balance(text, text) TO sendgate_operator, sendgate_daemon;
GRANT EXECUTE ON FUNCTION sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer, timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz) TO sendgate_reader;

-- The books: grants of the day are counted too, and more can be told.
ALTER TABLE sendgate.counter_drift DROP CONSTRAINT counter_drift_period_check;
ALTER TABLE sendgate.counter_drift ADD CONSTRAINT counter_drift_period_check
    CHECK (period IN ('day', 'week', 'attempts', 'credits'));
COMMENT ON COLUMN sendgate.counter_drift.day IS 'The UTC day whose counter it was; with week, its Monday.';
COMMENT ON COLUMN sendgate.counter_drift.after IS 'The counter from then on: delivered, reserved and indeterminate together, or the attempts, or the credits left.';
COMMENT ON COLUMN sendgate.counter_drift.period IS 'day: slots of the day; attempts: grants of the day; credits: what is left of a balance that was told, where the parts are 0. Rows of before 0.3.0 may say week.';
COMMENT ON COLUMN sendgate.alerts.kind IS
'delivered_after_rollback: a slot was given back and the send arrived all the same. clock_behind_row: the account''s day is ahead of the clock; see repair_day. undecidable_account: dispatch cannot decide about it, because the server no longer knows its time zone; upsert_account with a time_zone resolves it. poisoned_enrollment: PostgreSQL refuses to hand out an enrollment and to park it; the others go out. counter_ahead_of_events, counter_behind_events: the InMail counter and the proven deliveries of the day differ. over_cap: the counter is at 120 percent of the cap or more, and the account cools down for an hour. unreserved_send: an InMail was proven that has no grant. operations_expired: sends whose outcome was not reported in time. failing: an action of the account failed again and again and is stopped for a while. action_unavailable: the account''s plan or seat does not include an action. credits_low: at its pace the account uses up its InMail credits before the next credit period, told once a period. provider_failing: so many accounts fail together that it is the provider; the account is *. copied_database: these books were written in another database; the account is *. webhook_failing: notifications were given up after a day; the account is *. reconciler_stale: jobs missed two runs; the account is *.';
-- resolve_unresolved
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
ALTER FUNCTION sendgate.resolve_unresolved(boolean, timestamptz, timestamptz, text, text, text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.resolve_unresolved(boolean, timestamptz, timestamptz, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.resolve_unresolved(boolean, timestamptz, timestamptz, text, text, text)
TO sendgate_operator, sendgate_daemon;
-- Observe.
-- What would have been refused on accounts that are only observed: adopting the gate beside limits of one's own.
COMMENT ON FUNCTION sendgate.reserve(text, text, text, text, uuid) IS
'Takes a slot before the provider is called, or says why not. The same call with the same operation_id returns the same grant while it is in flight, so a lost answer can be asked for again. A refusal is an answer, not an error, and writes nothing but a skip of the breaker: the first per prospect, campaign and stamp is logged and defers the enrollment of that campaign, repeats are counted; and that a campaign may not write to a prospect who is suppressed for good, once. Of settling it, only a delivery changes an enrollment: that of the same account, campaign, prospect and action is done. For campaign work there is dispatch. Commit before you call the provider. Errors: SG001, SG002, SG004 bad argument, SG005 the account''s zone is gone, SG101 unknown account, SG201 the id was used for something else, SG217 in a transaction block, where sendgate.in_transaction refuses that (SG216 is the warning), SG301 the account is held too long, SG302 nothing could be decided.';
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

ALTER TABLE sendgate.observed_refusals OWNER TO sendgate_owner;
ALTER ROUTINE sendgate.set_enforcement(text, text, text) OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.observed_refusals FROM PUBLIC;
REVOKE ALL ON ROUTINE sendgate.set_enforcement(text, text, text) FROM PUBLIC;
GRANT SELECT ON sendgate.observed_refusals TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.set_enforcement(text, text, text) TO sendgate_operator, sendgate_daemon;

-- Why: the logs name the operation whose answer changed a breaker or a status.
ALTER TABLE sendgate.breaker_log
    ADD COLUMN operation_id uuid,
    ADD COLUMN http_status integer,
    ADD COLUMN error_type text;
COMMENT ON COLUMN sendgate.breaker_log.operation_id IS
'The operation whose answer or delivery set or cleared it; send_operations has its words. NULL: a person, a rule or breaker_report did, or it is of before 0.3.0.';
COMMENT ON COLUMN sendgate.breaker_log.http_status IS 'The status of the provider''s answer that set it, if there was one.';
COMMENT ON COLUMN sendgate.breaker_log.error_type IS
'The type of the provider''s answer that set it. Foreign text: escape it where you show it.';
CREATE INDEX breaker_log_changes_idx ON sendgate.breaker_log (account_id, id) WHERE action <> 'skip';
COMMENT ON INDEX sendgate.breaker_log_changes_idx IS
'When a breaker was set and cleared, newest first, among any number of skips.';
ALTER TABLE sendgate.admin_log ADD COLUMN operation_id uuid;
COMMENT ON COLUMN sendgate.admin_log.note IS 'Why, in the operator''s words; with rollback, the provider''s text.';
COMMENT ON COLUMN sendgate.admin_log.operation_id IS
'With rollback: the operation whose answer changed the status; send_operations has its words. NULL: a person did it, or it is of before 0.3.0.';
CREATE FUNCTION sendgate.window_since(
    window_start time,
    window_end time,
    window_days smallint,
    time_zone text,
    at timestamptz
) RETURNS timestamptz
LANGUAGE c
STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_window_since';
ALTER FUNCTION sendgate.window_since(time, time, smallint, text, timestamptz) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.window_since(time, time, smallint, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.window_since(time, time, smallint, text, timestamptz) TO sendgate_reader;
COMMENT ON FUNCTION sendgate.window_since(time, time, smallint, text, timestamptz) IS
'Since when a sending window is open or closed at an instant, from the columns of accounts; at most nine days back. NULL: no window, or a zone that the server no longer knows. Pure; made for why.';

-- One statement: the gate's own answers, for each the cause from the logs, and a sentence for people. Each part of
-- the cause begins with its reason, so that only its own tables are read, by their keys. Acts of operators
-- are looked for among the last 1,000 of the account, or of those about no account.
-- Its plan is the same for every account: planning takes far longer than what it does, so one plan serves a session.
CREATE FUNCTION sendgate.why(
    account_id text,
    action text DEFAULT NULL
) RETURNS TABLE (
    action text,
    proceed boolean,
    reason text,
    since timestamptz,
    until timestamptz,
    actor text,
    note text,
    http_status integer,
    error_type text,
    error text,
    operation_id uuid,
    advice text
)
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
ROWS 5
AS $why$
WITH decided AS MATERIALIZED (
    SELECT n.action, n.place, p.proceed, p.reason, p.retry_at, p.sent_today, p.daily_cap, p.remaining,
           sendgate.clock() AS at
    FROM unnest(CASE WHEN why.action IS NULL THEN ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement']
                     ELSE ARRAY[why.action] END) WITH ORDINALITY AS n (action, place)
    CROSS JOIN LATERAL sendgate.preview(why.account_id, n.action) AS p
)
SELECT d.action, d.proceed, d.reason, c.since, coalesce(c.until, d.retry_at), c.actor, c.note, c.http_status,
       c.error_type, c.error, c.operation_id,
       CASE
           WHEN d.proceed AND d.reason IS NOT NULL THEN
               'The account is only observed, so it goes out all the same; set_enforcement(account_id, ''enforce'', note) makes the rule refuse.'
           WHEN d.proceed AND c.cause = 'permit' THEN format(
               'One test InMail may go, until %s UTC; breaker_clear(account_id, note) lets all of them go, if the credits are back.',
               to_char(c.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
           WHEN d.proceed THEN format('Nothing holds it back: %s of %s slots are left today.', d.remaining, d.daily_cap)
           ELSE CASE d.reason
               WHEN 'paused_by_operator' THEN CASE c.cause
                   WHEN 'paused' THEN 'Everything is stopped, on every account, until resume_all().'
                   WHEN 'quarantined' THEN
                       'Let sendgated or tick() run until quarantine_progress says that all accounts were met, then call resume_all().'
                   ELSE 'This database is a copy of the one that sends: call adopt_database(note) if this is now the one that does; resume_all() does not end it.' END
               WHEN 'account_not_connected' THEN CASE c.cause
                   WHEN 'restricted' THEN
                       'The provider restricted the account: settle that with the provider, then call set_status(account_id, ''connected'', note).'
                   WHEN 'disconnected' THEN
                       'The provider no longer accepts its login: sign it in again, then call set_status(account_id, ''connected'', note).'
                   ELSE 'An operator paused the account: call set_status(account_id, ''connected'', note) when it may send again.' END
               WHEN 'breaker_forced_open' THEN
                   'An operator stopped its InMails, and nothing else: breaker_force(account_id, ''auto'', note) goes by the credits again.'
               WHEN 'account_inmail_credits_exhausted' THEN CASE
                   WHEN c.cause = 'probing' THEN format(
                       'A test InMail is under way, at most until %s UTC: wait for its answer, which clears the breaker or keeps it open.',
                       to_char(a.probe_lease_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
                   WHEN c.cause = 'unanswered' THEN
                       'By the last known balance its credits are spent, and an InMail is still unanswered: wait for its answer, or tell a new balance with record_credit_balance(account_id, balance).'
                   WHEN c.cause = 'credits_spent' THEN
                       'By the last known balance its credits are spent: once there are new ones, tell the balance with record_credit_balance(account_id, balance), or try one InMail with breaker_probe(account_id, note).'
                   ELSE
                       'It goes on by itself with the next credit period; if credits were bought, try one InMail with breaker_probe(account_id, note), or let all go with breaker_clear(account_id, note).' END
               WHEN 'account_cooldown' THEN CASE c.cause
                   WHEN 'over_cap' THEN
                       'More was sent than the cap allows: find out what sends past the gate; it goes on by itself, or at once with clear_cooldown(account_id, note).'
                   ELSE 'The provider asked to slow down: let the account rest; clear_cooldown(account_id, note) ends it before its time.' END
               WHEN 'action_cooldown' THEN CASE
                   WHEN c.cause = 'failing' AND EXISTS (
                       SELECT FROM sendgate.alerts l
                       WHERE l.account_id = '*' AND l.kind = 'provider_failing' AND l.resolved_at IS NULL
                   ) THEN
                       'Many accounts fail together, so look at the provider first: clear_cooldown(''*'', note) ends it for all of them when it is back.'
                   WHEN c.cause = 'failing' THEN
                       'It failed again and again: mend what the provider''s words tell of, then call clear_cooldown(account_id, note, action); otherwise one attempt is made when the time is over.'
                   WHEN c.cause = 'action_unavailable' THEN
                       'The account''s plan or seat does not include this action: change the plan and call clear_cooldown(account_id, note, action), or move the work with switch_action(campaign_id, from_action, to_action).'
                   ELSE
                       'The provider asked to slow down with this action, others go on: let it rest; clear_cooldown(account_id, note, action) ends it before its time.' END
               WHEN 'outside_sending_window' THEN format(
                   'It sends from %s to %s in %s on the days of its window; set_window(account_id, window_start, window_end, window_days) changes that.',
                   to_char(a.window_start, 'HH24:MI'), to_char(a.window_end, 'HH24:MI'), a.time_zone)
               WHEN 'pacing' THEN CASE c.cause
                   WHEN 'own' THEN 'It keeps a distance to its last send: it goes on by itself; set_pace(account_id, minimum_gap, jitter_percent, spread, note) changes the distance.'
                   ELSE 'Its tier wants a gap after its last send: it goes on by itself; set_tier_cap(tier, action, daily_cap, weekly_cap, minimum_gap) changes the gap.' END
               WHEN 'weekly_cap_reached' THEN format(
                   CASE k.weekly_cap WHEN 0 THEN
                       '%s of %s slots of the last seven days are taken: this action is switched off here; set_cap(account_id, action, daily_cap, weekly_cap, note) allows it.'
                   ELSE
                   '%s of %s slots of the last seven days are taken: it goes on when the oldest of them fall out, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).' END,
                   k.sent_this_week, k.weekly_cap)
               WHEN 'daily_cap_reached' THEN CASE
                   WHEN d.daily_cap = 0 THEN format(
                       '%s of 0 slots are taken: this action is switched off here; set_cap(account_id, action, daily_cap, weekly_cap, note) or another tier by upsert_account(account_id, tier) allows it.',
                       d.sent_today)
                   WHEN a.ramp AND d.daily_cap < coalesce((to_jsonb(a) ->> (d.action || '_daily_cap'))::integer, t.daily_cap) THEN format(
                       '%s of the %s slots of its ramp are taken today: it goes on at midnight UTC, with more each day; upsert_account(account_id, ramp => false) ends the ramp.',
                       d.sent_today, d.daily_cap)
                   ELSE format(
                       '%s of %s slots of today are taken: it goes on at midnight UTC, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).',
                       d.sent_today, d.daily_cap) END
               WHEN 'daily_attempts_reached' THEN format(
                   '%s made today for %s taken, the cap being %s: find out why most of them fail; it goes on at midnight UTC, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).',
                   CASE k.attempts_today WHEN 1 THEN '1 attempt was' ELSE k.attempts_today || ' attempts were' END,
                   CASE d.sent_today WHEN 1 THEN '1 slot that is' ELSE d.sent_today || ' slots that are' END, d.daily_cap)
               ELSE format('The rule is %s; docs/reference.md says what ends it.', d.reason)
           END
       END
FROM decided d
LEFT JOIN sendgate.accounts a ON a.id = why.account_id
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = d.action
LEFT JOIN sendgate.counters k ON k.account_id = why.account_id AND k.action = d.action
LEFT JOIN LATERAL (
    -- The one switch.
    SELECT s.paused_at, NULL::timestamptz, s.actor, s.note, NULL::integer, NULL::text, NULL::text, NULL::uuid,
           CASE WHEN s.quarantine_id IS NULL THEN 'paused' ELSE 'quarantined' END
    FROM sendgate.pause_switch s
    WHERE d.reason = 'paused_by_operator'
    UNION ALL
    -- A copy of the books: since the audit found it.
    SELECT min(l.opened_at), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'copied'
    FROM sendgate.alerts l
    WHERE d.reason = 'paused_by_operator' AND l.account_id = '*' AND l.kind = 'copied_database' AND l.resolved_at IS NULL
      AND NOT EXISTS (SELECT FROM sendgate.pause_switch)
    HAVING count(*) > 0
    UNION ALL
    -- The status: an operator's words, or the answer of the provider.
    SELECT w.since, NULL, w.actor, CASE WHEN w.verb <> 'rollback' THEN w.note END, o.http_status, o.error_type,
           CASE WHEN w.verb = 'rollback' THEN coalesce(o.error, w.note) END, w.operation_id, a.status::text
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.actor, l.note, l.verb, l.operation_id,
               max(l.at) FILTER (WHERE l.before IS DISTINCT FROM l.after) OVER () AS since
        FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
        WHERE l.subject = 'status' AND l.after = to_jsonb(a.status::text)
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    LEFT JOIN sendgate.send_operations o ON o.account_id = why.account_id AND o.operation_id = w.operation_id
    WHERE d.reason = 'account_not_connected'
    UNION ALL
    -- A forced breaker.
    (SELECT l.at, NULL, l.actor, l.note, NULL, NULL, NULL, NULL, 'forced'
     FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
     WHERE d.reason = 'breaker_forced_open' AND l.verb = 'breaker_force' AND l.after ->> 'breaker_mode' = 'open'
     ORDER BY l.at DESC, l.id DESC
     LIMIT 1)
    UNION ALL
    -- The breaker's stamp. The log of a version before 0.3.0 names no operation: it is the one of the prospect.
    -- By the last balance that was told there are none left: it is known who told it.
    SELECT coalesce(a.inmail_credits_exhausted_at, q.recorded_at), NULL, coalesce(q.actor, b.actor),
           coalesce(q.note, CASE WHEN b.reason <> 'credits_exhausted' THEN b.note END),
           coalesce(o.http_status, b.http_status), coalesce(o.error_type, b.error_type),
           CASE WHEN b.reason = 'credits_exhausted' THEN coalesce(o.error, b.note) END, o.operation_id,
           CASE WHEN a.probe_lease_until > d.at THEN 'probing'
                WHEN a.inmail_credits_exhausted_at IS NOT NULL THEN coalesce(b.reason, 'credits_exhausted')
                WHEN EXISTS (
                    SELECT FROM sendgate.send_operations u
                    WHERE u.account_id = why.account_id AND u.counted_on >= k.day - 1 AND u.action = 'inmail'
                      AND u.state = 'reserved' AND u.expires_at = d.retry_at
                ) THEN 'unanswered'
                ELSE 'credits_spent' END
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.* FROM sendgate.breaker_log l
        WHERE l.account_id = why.account_id AND l.action <> 'skip' AND l.action = 'set'
          AND l.exhausted_at = a.inmail_credits_exhausted_at
        ORDER BY l.id DESC
        LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT j.* FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.operation_id = b.operation_id
        UNION ALL
        (SELECT j.* FROM sendgate.send_operations j
         WHERE j.account_id = why.account_id AND j.prospect_id = b.prospect_id AND j.action = 'inmail'
           AND j.outcome = 'credits_exhausted' AND j.settled_at = b.at AND b.operation_id IS NULL
         ORDER BY j.reserved_at DESC
         LIMIT 1)
    ) o ON true
    LEFT JOIN LATERAL (
        SELECT l.* FROM sendgate.credit_balances l
        WHERE l.account_id = why.account_id AND (a.inmail_credits_exhausted_at IS NULL OR b.reason = 'credits_spent')
        ORDER BY l.id DESC
        LIMIT 1
    ) q ON true
    WHERE d.reason = 'account_inmail_credits_exhausted'
    UNION ALL
    -- A cooldown; of two of one action, the one that lasts longer.
    (SELECT w.since, NULL, w.actor, w.note, w.http_status, w.error_type, w.error, w.operation_id, w.cause
     FROM sendgate.cooldowns w
     WHERE d.reason IN ('account_cooldown', 'action_cooldown') AND w.account_id = why.account_id
       AND w.action IS NOT DISTINCT FROM CASE d.reason WHEN 'action_cooldown' THEN d.action END
     ORDER BY w.until DESC
     LIMIT 1)
    UNION ALL
    -- The window, and who gave it to the account.
    SELECT greatest(w.at, sendgate.window_since(a.window_start, a.window_end, a.window_days, a.time_zone, d.at)),
           NULL, w.actor, w.note, NULL, NULL, NULL, NULL, 'window'
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.at, l.actor, l.note
        FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
        WHERE l.verb IN ('set_window', 'upsert_account')
          AND (l.before -> 'window_start', l.before -> 'window_end', l.before -> 'window_days', l.before -> 'time_zone')
              IS DISTINCT FROM (l.after -> 'window_start', l.after -> 'window_end', l.after -> 'window_days', l.after -> 'time_zone')
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    WHERE d.reason = 'outside_sending_window'
    UNION ALL
    -- The pace of the account, or the gap of its tier.
    SELECT CASE p.own
               WHEN 'own' THEN greatest(a.inmail_last_at, a.invite_last_at, a.message_last_at, a.profile_view_last_at, a.engagement_last_at)
               ELSE (to_jsonb(a) ->> (d.action || '_last_at'))::timestamptz END,
           NULL, w.actor, w.note, NULL, NULL, NULL, NULL, p.own
    FROM (SELECT CASE WHEN a.pace_gap IS NOT NULL OR a.pace_spread THEN 'own' ELSE 'tier' END AS own) p
    LEFT JOIN LATERAL (
        SELECT l.actor, l.note
        FROM (
            (SELECT g.* FROM sendgate.admin_log g
             WHERE p.own = 'own' AND g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000)
            UNION ALL
            (SELECT g.* FROM sendgate.admin_log g
             WHERE p.own = 'tier' AND g.account_id IS NULL ORDER BY g.at DESC, g.id DESC LIMIT 1000)
        ) l
        WHERE (l.verb = 'set_pace' OR (l.verb = 'set_tier_cap' AND l.subject = a.tier || '/' || d.action))
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    WHERE d.reason = 'pacing'
    UNION ALL
    -- A cap: since the last slot that it allowed, or since it was set, by whom.
    SELECT greatest(o.at, w.at), NULL, w.actor, w.note, NULL, NULL, NULL, NULL, 'cap'
    FROM (SELECT to_jsonb(a) ->> (d.action || CASE d.reason WHEN 'weekly_cap_reached' THEN '_weekly_cap' ELSE '_daily_cap' END) AS cap) own
    LEFT JOIN LATERAL (
        SELECT l.at, l.actor, l.note
        FROM (
            (SELECT g.* FROM sendgate.admin_log g
             WHERE (own.cap IS NOT NULL OR d.daily_cap = 0) AND g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000)
            UNION ALL
            (SELECT g.* FROM sendgate.admin_log g
             WHERE own.cap IS NULL AND g.account_id IS NULL ORDER BY g.at DESC, g.id DESC LIMIT 1000)
        ) l
        WHERE (l.verb = 'set_cap' AND l.subject = d.action AND own.cap IS NOT NULL)
           OR (l.verb = 'set_tier_cap' AND t.overridden AND l.subject = a.tier || '/' || d.action)
           OR (l.verb = 'upsert_account' AND own.cap IS NULL AND l.before -> 'tier' IS DISTINCT FROM l.after -> 'tier')
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    LEFT JOIN LATERAL (
        SELECT max(j.reserved_at) AS at FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.action = d.action AND j.state <> 'released'
          AND j.counted_on BETWEEN k.day - CASE d.reason WHEN 'weekly_cap_reached' THEN 6 ELSE 0 END AND k.day
    ) o ON true
    WHERE d.reason IN ('weekly_cap_reached', 'daily_cap_reached')
    UNION ALL
    -- Attempts: the provider's last words about one of them.
    SELECT (to_jsonb(a) ->> (d.action || '_last_at'))::timestamptz, NULL, NULL, NULL, o.http_status, o.error_type, o.error, o.operation_id, 'attempts'
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT j.* FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.counted_on = k.day AND j.action = d.action
          AND j.origin = 'gate' AND j.outcome <> 'released'
        ORDER BY j.settled_at DESC, j.operation_id DESC
        LIMIT 1
    ) o ON true
    WHERE d.reason = 'daily_attempts_reached'
    UNION ALL
    -- It may go: a permit through an open breaker, or the last act of a person that let it go.
    (SELECT w.at, w.until, w.actor, w.note, NULL, NULL, NULL, NULL, w.cause
     FROM (
         (SELECT l.at, a.probe_lease_until, l.actor, l.note, 'permit', 0
          FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
          WHERE d.action = 'inmail' AND a.probe_lease_until > d.at AND a.probe_operation_id IS NULL AND l.verb = 'breaker_probe'
          ORDER BY l.at DESC, l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM sendgate.breaker_log l
          WHERE l.account_id = why.account_id AND l.action <> 'skip' AND d.action = 'inmail'
            AND l.action = 'clear' AND l.reason = 'manual'
          ORDER BY l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM sendgate.cooldown_log l
          WHERE l.account_id = why.account_id AND l.until IS NULL AND l.operation_id IS NULL
            AND (l.action IS NULL OR l.action = d.action)
          ORDER BY l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
          WHERE l.subject = 'status' AND l.after = '"connected"' AND l.before <> l.after
          ORDER BY l.at DESC, l.id DESC
          LIMIT 1)
     ) w (at, until, actor, note, cause, place)
     WHERE d.proceed AND d.reason IS NULL
     ORDER BY w.place, w.at DESC
     LIMIT 1)
) c (since, until, actor, note, http_status, error_type, error, operation_id, cause) ON true
ORDER BY d.place
$why$;
ALTER FUNCTION sendgate.why(text, text) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.why(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.why(text, text) TO sendgate_reader;
COMMENT ON FUNCTION sendgate.why(text, text) IS
'Why an account does or does not send: a line for each action, or for the one. proceed and reason are those of preview. since: since when it is so. until: when it lets go by itself; NULL: only an event ends it. Who or what made it so, in their own words: actor and note of a person; the operation, HTTP status, type and text of the provider''s answer (foreign text: escape it where you show it). advice: one sentence that says what can be done, with which function. With a yes, since, actor and note are those of the last act that let it go. Writes nothing and works on a standby. Errors: SG001, SG002, SG004, SG005, SG101.';

-- Suppressions: prospects whom no account may write to.
CREATE TABLE sendgate.suppressions (
    suppressed_at timestamptz NOT NULL,
    until timestamptz,
    prospect_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT suppressions_pkey PRIMARY KEY (prospect_id)
);
COMMENT ON TABLE sendgate.suppressions IS
'Prospects whom no account may write to: do not contact. Every decision about a send looks here, unless the table is empty. Written by suppress_prospect and unsuppress_prospect; what either changed is in admin_log. forget_prospect leaves a row here as it is.';
COMMENT ON COLUMN sendgate.suppressions.suppressed_at IS
'Since when. One that is changed while it lasts keeps its beginning.';
COMMENT ON COLUMN sendgate.suppressions.until IS
'When it ends by itself; the row stays. NULL: only unsuppress_prospect ends it.';
COMMENT ON COLUMN sendgate.suppressions.prospect_id IS
'Whom: the application''s own key, 1 to 128 characters. It need not be known otherwise.';
COMMENT ON COLUMN sendgate.suppressions.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.suppressions.note IS 'Why, in the operator''s words.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.suppressions', '');

-- No column and no row: sessions are told of a change of the list through it.
CREATE TYPE sendgate.suppression_signal AS ();
COMMENT ON TYPE sendgate.suppression_signal IS
'Nothing is stored in it. The commit of a change of suppressions tells every session through this type, which none ever opens; so none has to look up its tables anew.';

CREATE FUNCTION sendgate.suppress_prospect(
    prospect_id text,
    note text,
    until timestamptz DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_suppress_prospect';
COMMENT ON FUNCTION sendgate.suppress_prospect(text, text, timestamptz) IS
'Do not contact: from its commit, every decision that looks after it refuses the prospect, on every account and for every action, with prospect_suppressed; also breaker_check, and the replay of a grant. Work of campaigns waits until until, which has to be ahead; without until, dispatch cancels it where it meets it and enqueue takes no more. Called again it replaces until and note. What a worker has already may still be sent. Logged. Errors: SG001, SG002, SG007 until, SG301.';

CREATE FUNCTION sendgate.unsuppress_prospect(
    prospect_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_unsuppress_prospect';
COMMENT ON FUNCTION sendgate.unsuppress_prospect(text, text) IS
'Undoes suppress_prospect: work that waits for its end is due now; cancelled work stays so. A no-op where the prospect is not suppressed. Holds the accounts that have waiting work for the prospect. Logged. Errors: SG001, SG002, SG301.';

CREATE FUNCTION sendgate.suppressions_changed() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_suppressions_changed';
COMMENT ON FUNCTION sendgate.suppressions_changed() IS
'Trigger: tells every session at commit that the list of suppressions has changed.';

-- For each row, because logical replication fires no trigger for each statement.
CREATE TRIGGER suppressions_changed AFTER INSERT OR UPDATE OR DELETE ON sendgate.suppressions
FOR EACH ROW EXECUTE FUNCTION sendgate.suppressions_changed();
ALTER TABLE sendgate.suppressions ENABLE ALWAYS TRIGGER suppressions_changed;
COMMENT ON TRIGGER suppressions_changed ON sendgate.suppressions IS
'Sessions remember that the list is empty; a suppression holds from its commit, also one that is replicated or restored.';
CREATE TRIGGER suppressions_truncated AFTER TRUNCATE ON sendgate.suppressions
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.suppressions_changed();
ALTER TABLE sendgate.suppressions ENABLE ALWAYS TRIGGER suppressions_truncated;
COMMENT ON TRIGGER suppressions_truncated ON sendgate.suppressions IS 'The same for TRUNCATE, which fires no trigger for rows.';
ALTER TABLE sendgate.suppressions OWNER TO sendgate_owner;
ALTER TYPE sendgate.suppression_signal OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.suppress_prospect(text, text, timestamptz) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.unsuppress_prospect(text, text) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.suppressions_changed() OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.suppressions FROM PUBLIC;
REVOKE ALL ON TYPE sendgate.suppression_signal FROM PUBLIC;
REVOKE ALL ON FUNCTION sendgate.suppress_prospect(text, text, timestamptz),
    sendgate.unsuppress_prospect(text, text), sendgate.suppressions_changed()
FROM PUBLIC;
GRANT SELECT ON sendgate.suppressions TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.suppress_prospect(text, text, timestamptz),
    sendgate.unsuppress_prospect(text, text)
TO sendgate_operator, sendgate_daemon;
ALTER TABLE sendgate.campaign_events ADD COLUMN suppressed_at timestamptz;
CREATE UNIQUE INDEX campaign_events_suppressed_key
    ON sendgate.campaign_events (account_id, prospect_id, campaign_id, action, suppressed_at)
    WHERE suppressed_at IS NOT NULL;
COMMENT ON INDEX sendgate.campaign_events_suppressed_key IS
'One row per prospect, campaign, action and suppression, however often it is met. Partial, so other rows cost it nothing.';
CREATE OR REPLACE TRIGGER append_only
BEFORE DELETE
OR UPDATE OF id, at, deferred_to, exhausted_at, account_id, prospect_id, campaign_id, action, event_type,
    reason, operation_id, detail, suppressed_at
ON sendgate.campaign_events
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.campaign_events ENABLE ALWAYS TRIGGER append_only;
COMMENT ON COLUMN sendgate.campaign_events.suppressed_at IS
'Since when the prospect was suppressed. NULL where the reason is another.';
COMMENT ON COLUMN sendgate.campaign_events.reason IS
'account_inmail_credits_exhausted: the breaker. inmail_eligibility: the recipient''s side refuses InMails. recipient_refused: it refuses another action. prospect_suppressed: no account may write to the prospect.';
COMMENT ON COLUMN sendgate.skips_today.reason IS
'account_inmail_credits_exhausted, inmail_eligibility, recipient_refused or prospect_suppressed.';
COMMENT ON COLUMN sendgate.enrollments.reason IS
'Why it is in its state. waiting: account_inmail_credits_exhausted, operation_in_flight, prospect_cooldown or prospect_suppressed, or the outcome of the attempt before. parked: that outcome, indeterminate, or poisoned (PostgreSQL refused to write it). done: inmail_eligibility or recipient_refused. cancelled: prospect_suppressed. NULL: new, sending, delivered, cancelled by cancel, or made due again by an event.';
COMMENT ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean, integer, jsonb, integer) IS
'Puts a prospect to a campaign''s work, due at dispatch_at or now: one step of a sequence (1 to 1,000), with a payload that dispatch returns with it (at most 8,192 bytes of text) and a priority (-100 to 100; the highest that is due goes first). True: it is new. False: the same campaign, prospect, account, action and step are there, in whatever state, and nothing changes but a connection flag that becomes true; or the prospect is suppressed for good. Holds no account, except for that flag, so whole lists fit in one transaction. Errors: SG001, SG002, SG003 step, priority or size of the payload, SG004, SG007 dispatch_at is infinite, SG101, SG301 the same work is being put in by another transaction, or the account is held.';
COMMENT ON FUNCTION sendgate.dispatch(integer, text, text, uuid, text) IS
'Hands out up to max_operations (1 to 1,000) due enrollments, each with a slot, of accounts that every rule lets send; of one action, account or campaign if told. Of an account and action, the highest priority goes first; among equals the campaigns take turns, each with what has been due longest, and one that has taken its part of the account''s day is passed over. No row: nothing may be sent now. An account that another session holds is passed over, not waited for, and hides no other. A call defers at most 1,000 enrollments behind open breakers and moves about 10,000 that a rule about their prospect holds back; the next calls do the rest. The same request_id with the same arguments again returns those rows that are still in flight, in time, on a connected account and for a prospect that is not suppressed. Commit before you call the provider, and settle every row. Errors: SG001, SG002, SG003, SG004, SG101 account_id is unknown, SG213 the request_id has other arguments, SG301, SG302 no batch held, SG303 another session answered the same request meanwhile: repeat.';

-- Leaving: an account with all its rows, and who a prospect was.

CREATE FUNCTION sendgate.remove_account(
    account_id text,
    note text,
    max_rows integer DEFAULT 10000
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_remove_account';
COMMENT ON FUNCTION sendgate.remove_account(text, text, integer) IS
'Removes an account with all its rows, logs too: sets it disconnected, and deletes at most max_rows rows (1 to 1,000,000); returns how many. Call it until it returns 0, which it does for an account that is gone, or never was. The account itself goes last. One line of admin_log stays, with the rows of each table. Cannot be undone. Holds the account. Errors: SG001, SG002, SG003, SG219 an operation is unresolved and in time, SG301.';

CREATE FUNCTION sendgate.forget_prospect(
    prospect_id text,
    note text,
    max_rows integer DEFAULT 10000
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_forget_prospect';
COMMENT ON FUNCTION sendgate.forget_prospect(text, text, integer) IS
'A request for erasure: cancels the prospect''s open work, replaces its id by a new random one in every table and log, and blanks the provider''s texts and the payloads of those rows; at most max_rows rows (1 to 1,000,000), returns how many. Call it until it returns 0. Counts, days and proofs stay, and so does a suppression, with the id. Logged under the new id. Cannot be undone. Holds the accounts that know the prospect, one after the other. Errors: SG001, SG002, SG003, SG219 an operation for it is unresolved and in time, SG301.';

CREATE FUNCTION sendgate.account_leaves() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_account_leaves';
COMMENT ON FUNCTION sendgate.account_leaves() IS
'Trigger: an account''s row is deleted by remove_account alone, which takes everything else of it along.';

CREATE TRIGGER account_leaves BEFORE DELETE ON sendgate.accounts
FOR EACH ROW EXECUTE FUNCTION sendgate.account_leaves();
COMMENT ON TRIGGER account_leaves ON sendgate.accounts IS
'No foreign key holds an account''s rows together, since its lock would be a second one on the hot row; so a DELETE would leave them behind for ever. Not on a subscriber, where the rows of a removed account go one by one.';
ALTER FUNCTION sendgate.remove_account(text, text, integer) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.forget_prospect(text, text, integer) OWNER TO sendgate_owner;
ALTER FUNCTION sendgate.account_leaves() OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.remove_account(text, text, integer),
    sendgate.forget_prospect(text, text, integer), sendgate.account_leaves()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.remove_account(text, text, integer),
    sendgate.forget_prospect(text, text, integer)
TO sendgate_operator, sendgate_daemon;
COMMENT ON COLUMN sendgate.admin_log.subject IS
'What of it: an action, a field, tier/action, the order of a rule, an operation, a campaign, or a prospect.';
-- Triggers on UPDATE, with more of the provider's answer, and what is wrong with their declarations.
COMMENT ON FUNCTION sendgate.guard_send() IS
'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on a table of your own: guard_send(''account_column'', ''action or column'', ''prospect_column'', ''campaign_column'', ''operation_id_column'', ''mode''). Asks reserve about each row; where workers claim a row by an update, the trigger is for UPDATE with a WHEN. A grant fills the operation id column (uuid, text, varchar or char, with a UNIQUE index on it: two rows with the same id would pass as one grant). An inserted row with an id is that operation, so that a repeated insert is the same grant; an updated row whose operation was given back gets a new one, and is refused while its operation is unresolved (operation_in_flight) or was delivered (operation_resolved). A refusal raises SG401 with the reason as message and retry_at in DETAIL (mode error), or lets the row in without operation id and with the reason in a text column (mode reason:column; SG401 is a WARNING where an id leaves its row). The second argument is an action where it spells one; an empty campaign column means none. A grant of an update empties what settle_send''s columns have from before. What is granted to a row that ON CONFLICT or another trigger drops is given back before the commit. Inserted rows must stay in their partition. Errors: SG010 the trigger is declared in another way, SG401, those of reserve.';
COMMENT ON FUNCTION sendgate.settle_send() IS
'Trigger AFTER UPDATE FOR EACH ROW on a guarded table: settle_send(''account_column'', ''operation_id_column'', ''chat_id_column'', ''error_column'' [, ''error_type_column'', ''http_status_column'', ''retry_after_column'']). Confirms the row''s operation when a chat id appears, or else rolls it back when an error does, with its text as the provider''s message and, where those columns are named, with the provider''s type, status (a number) and wait (an interval, or seconds). Rows without operation id, and blank values, are passed over; an id that the same update takes out of the row counts. Errors: SG010, those of confirm and rollback; warning SG220.';
CREATE FUNCTION sendgate.judge_trigger(
    table_oid oid,
    trigger_oid oid,
    OUT fault text,
    OUT detail text,
    OUT hint text,
    OUT operation_column smallint
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_judge_trigger';
COMMENT ON FUNCTION sendgate.judge_trigger(oid, oid) IS
'What is wrong with the declaration of a trigger that calls guard_send or settle_send, as the first statement that fires it would say in SG010, and the number of its operation id column; it is not fired. All NULL: nothing to judge. For the view guard_triggers, which asks about all of them.';

-- It reads the catalog alone, which every role may read, and so it does that with the rights of its caller.
CREATE VIEW sendgate.guard_triggers WITH (security_invoker) AS
SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, t.tgname::text AS trigger_name,
       p.proname::text AS function, pg_get_triggerdef(t.oid) AS definition,
       v.fault, v.detail, v.hint,
       CASE
           WHEN t.tgenabled = 'D' THEN 'It is disabled: rows pass it unseen.'
           WHEN t.tgenabled = 'R' THEN 'It fires only under session_replication_role = replica: other rows pass it unseen.'
           WHEN v.fault IS NOT NULL OR p.proname <> 'guard_send' THEN NULL
           WHEN c.relpersistence = 'u' THEN
               'The table is unlogged: a crash empties it, and it is not known any more what the operations of its rows came to.'
           WHEN t.tgtype & 16 <> 0 AND t.tgqual IS NULL AND cardinality(t.tgattr::smallint[]) = 0 THEN
               'It asks at every update of a row, also at one that reports an outcome: give it a WHEN, such as WHEN (NEW.status = ''sending'' AND OLD.status IS DISTINCT FROM ''sending'').'
           WHEN NOT EXISTS (
               SELECT FROM pg_index i
               WHERE i.indrelid = t.tgrelid AND i.indisvalid AND i.indkey[0] = v.operation_column
                 AND (i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL OR c.relkind = 'p')
           ) THEN
               'The operation id column has no unique index of its own: each commit reads the whole table, and two rows with one id pass as one grant.'
           WHEN NOT EXISTS (
               SELECT FROM pg_trigger s
               WHERE s.tgrelid = t.tgrelid AND s.tgfoid = 'sendgate.settle_send()'::regprocedure
           ) THEN 'No settle_send reports the outcomes of this table: workers have to call confirm and rollback.'
       END AS advice
FROM pg_trigger t
JOIN pg_proc p
    ON p.oid = t.tgfoid AND p.oid IN ('sendgate.guard_send()'::regprocedure, 'sendgate.settle_send()'::regprocedure)
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL sendgate.judge_trigger(t.tgrelid, t.oid) v
-- Of a partitioned table the trigger itself, and those of its partitions that are faulty.
WHERE NOT pg_is_other_temp_schema(n.oid) AND (t.tgparentid = 0 OR v.fault IS NOT NULL);
COMMENT ON VIEW sendgate.guard_triggers IS
'The triggers by which tables of applications are guarded (guard_send, settle_send), and what is wrong with the declaration of each; none of them is fired.';
COMMENT ON COLUMN sendgate.guard_triggers.schema_name IS 'The schema of the table.';
COMMENT ON COLUMN sendgate.guard_triggers.table_name IS 'The table.';
COMMENT ON COLUMN sendgate.guard_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN sendgate.guard_triggers.function IS 'guard_send or settle_send.';
COMMENT ON COLUMN sendgate.guard_triggers.definition IS 'The declaration, as CREATE TRIGGER.';
COMMENT ON COLUMN sendgate.guard_triggers.fault IS
'What is wrong: every statement that fires the trigger fails with this as the message of SG010. NULL: nothing.';
COMMENT ON COLUMN sendgate.guard_triggers.detail IS 'Why that is wrong.';
COMMENT ON COLUMN sendgate.guard_triggers.hint IS 'How to declare it.';
COMMENT ON COLUMN sendgate.guard_triggers.advice IS 'Something that works, and may not be intended. NULL: nothing.';
ALTER FUNCTION sendgate.judge_trigger(oid, oid) OWNER TO sendgate_owner;
ALTER VIEW sendgate.guard_triggers OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.judge_trigger(oid, oid) FROM PUBLIC;
REVOKE ALL ON sendgate.guard_triggers FROM PUBLIC;
GRANT SELECT ON sendgate.guard_triggers TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.judge_trigger(oid, oid) TO sendgate_reader;

-- Monitoring.
-- Counts since the server started; no rows unless the library is in shared_preload_libraries.
CREATE FUNCTION sendgate.activity_counts() RETURNS TABLE (
    what text,
    action text,
    outcome text,
    counted bigint,
    since timestamptz
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 72
AS 'MODULE_PATHNAME', 'sendgate_activity_counts';
ALTER FUNCTION sendgate.activity_counts() OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.activity_counts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.activity_counts() TO sendgate_reader;
COMMENT ON FUNCTION sendgate.activity_counts() IS
'How often what happened since the server started, over all its databases: grant and delivery by action, outcome (of failed attempts) by action and outcome, breaker_set and breaker_clear; noughts too. The counts only rise, so rates over midnight can be computed. Counted when it is done, also in a transaction that does not commit. No rows unless sendgate is in shared_preload_libraries: the counts are in shared memory.';

CREATE VIEW sendgate.due_work AS
SELECT o.oldest_due_at, greatest(c.at - o.oldest_due_at, interval '0') AS age
FROM (SELECT sendgate.clock() AS at) c
CROSS JOIN (SELECT min(q.due_at) AS oldest_due_at FROM sendgate.dispatch_queue q) o;
ALTER VIEW sendgate.due_work OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.due_work FROM PUBLIC;
GRANT SELECT ON sendgate.due_work TO sendgate_reader;
COMMENT ON VIEW sendgate.due_work IS
'One line: how long campaign work has been due that dispatch has not handed out. Work of an account that waits for a time or an event is not due.';
COMMENT ON COLUMN sendgate.due_work.oldest_due_at IS
'When dispatch should look at an account and action next, or should have looked. NULL: there is no work.';
COMMENT ON COLUMN sendgate.due_work.age IS
'For how long that is past; 0 while nothing is due.';

-- The journal is asked about accounts with a told balance alone.
CREATE VIEW sendgate.credit_states AS
SELECT c.state, count(*) AS accounts
FROM sendgate.accounts a
JOIN sendgate.credits c ON c.account_id = a.id
WHERE a.credits_since IS NOT NULL
GROUP BY c.state;
ALTER VIEW sendgate.credit_states OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.credit_states FROM PUBLIC;
GRANT SELECT ON sendgate.credit_states TO sendgate_reader;
COMMENT ON VIEW sendgate.credit_states IS
'How many of the accounts whose balance of InMail credits was told are in which state of the view credits; for metrics. Accounts without a told balance are not looked at.';
COMMENT ON COLUMN sendgate.credit_states.state IS
'ok, low or exhausted; untracked: the balance was told too long ago and counts no longer.';
COMMENT ON COLUMN sendgate.credit_states.accounts IS 'How many accounts.';

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
ALTER TABLE sendgate.webhooks OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.webhooks FROM PUBLIC;
GRANT SELECT ON sendgate.webhooks TO sendgate_reader;
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
ALTER TABLE sendgate.webhook_outbox OWNER TO sendgate_owner;
REVOKE ALL ON sendgate.webhook_outbox FROM PUBLIC;
GRANT SELECT ON sendgate.webhook_outbox TO sendgate_reader;
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
ALTER FUNCTION sendgate.register_webhook(text, text[]) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.register_webhook(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.register_webhook(text, text[]) TO sendgate_daemon;
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
ALTER FUNCTION sendgate.take_notifications(text, integer, interval) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.take_notifications(text, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.take_notifications(text, integer, interval) TO sendgate_daemon;
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
ALTER FUNCTION sendgate.settle_notification(text, text, uuid, text, interval) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.settle_notification(text, text, uuid, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.settle_notification(text, text, uuid, text, interval) TO sendgate_daemon;
COMMENT ON FUNCTION sendgate.settle_notification(text, text, uuid, text, interval) IS
'Tells what became of an event that was lent, and returns posted (no error: the event leaves the outbox), waits (it is lent again after retry_in, 0 to 1 day, by default a minute) or given_up: a day after its first attempt it leaves unposted, with what is a day old and was never tried while the receiver took nothing, and the alert webhook_failing opens. NULL: no such event waits. Errors: SG001, SG002, SG007, SG106, SG301.';

-- Runs all due jobs, for pg_cron. A procedure with the caller's rights, because it commits between batches,
-- and one that is SECURITY DEFINER cannot.
CREATE OR REPLACE PROCEDURE sendgate.tick()
LANGUAGE plpgsql
AS $tick$
DECLARE
    job pg_catalog.text;
    more pg_catalog.bool;
    began pg_catalog.timestamptz;
BEGIN
    -- Layer 2 looks for what layer 1 heals, so it comes first.
    FOREACH job IN ARRAY ARRAY['midnight_reset', 'audit_events', 'reconcile_operations', 'prune'] LOOP
        more := sendgate.begin_run(job);
        COMMIT;
        WHILE more LOOP
            began := pg_catalog.clock_timestamp();
            BEGIN
                IF job OPERATOR(pg_catalog.=) 'midnight_reset' THEN
                    SELECT j.more INTO more FROM sendgate.midnight_reset() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'audit_events' THEN
                    SELECT j.more INTO more FROM sendgate.audit_events() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'reconcile_operations' THEN
                    SELECT j.more INTO more FROM sendgate.reconcile_operations() AS j;
                ELSE
                    SELECT j.more INTO more
                    FROM sendgate.prune(
                        pg_catalog.current_setting('sendgate.keep')::pg_catalog.interval,
                        pg_catalog.current_setting('sendgate.keep_events')::pg_catalog.interval
                    ) AS j;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                PERFORM sendgate.record_run_failure(job, pg_catalog.concat(SQLSTATE, ': ', SQLERRM));
                more := false;
            END;
            COMMIT;
            -- A sweep rests for three times as long as a batch took: workers have the rest of the machine.
            IF more THEN
                PERFORM pg_catalog.pg_sleep(LEAST(2.0, pg_catalog.date_part('epoch',
                    (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began) OPERATOR(pg_catalog.*) 3.0)));
            END IF;
        END LOOP;
    END LOOP;
END
$tick$;

-- The console shows operators who did what.
GRANT SELECT ON sendgate.admin_log TO sendgate_daemon;
