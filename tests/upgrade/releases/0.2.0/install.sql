-- sql/00_install.sql
-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sendgate" to load this file. \quit

-- CREATE EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Texts are cut, compared and lowered as UTF-8; another encoding would make limits in characters
-- mean something else.
DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('sendgate needs a UTF8 database, this one is %s',
                pg_catalog.current_setting('server_encoding')),
            HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

-- Roles are shared by all databases of the server and outlive the extension. One that exists
-- already must be what sendgate would have created: anything stronger is refused, not adopted.
DO $roles$
DECLARE
    role_name text;
    problem text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['sendgate_owner', 'sendgate_sender', 'sendgate_reader',
                                     'sendgate_operator', 'sendgate_daemon'] LOOP
        SELECT CASE
                   WHEN r.rolcanlogin THEN 'can log in'
                   WHEN r.rolsuper THEN 'is a superuser'
                   WHEN r.rolcreaterole THEN 'can create roles'
                   WHEN r.rolbypassrls THEN 'bypasses row security'
                   WHEN EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m
                       JOIN pg_catalog.pg_roles g ON g.oid = m.member
                       WHERE m.roleid = r.oid AND m.admin_option AND NOT g.rolsuper
                   ) THEN 'is administered by a role that is not a superuser'
                   WHEN r.rolname = 'sendgate_owner' AND EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = r.oid
                   ) THEN 'has members'
                   WHEN r.rolname = 'sendgate_owner' AND EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid
                   ) THEN 'is itself a member of another role'
               END
        INTO problem
        FROM pg_catalog.pg_roles r
        WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        ELSIF problem IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_object',
                MESSAGE = pg_catalog.format('role "%s" exists already and %s', role_name, problem),
                DETAIL = 'sendgate grants this role its rights; a role that somebody else controls would take them over.',
                HINT = pg_catalog.format('Rename or drop the role "%s", or ALTER it to a plain NOLOGIN role without foreign members or admins.', role_name);
        END IF;
    END LOOP;
END
$roles$;

GRANT sendgate_reader TO sendgate_operator;
GRANT sendgate_reader TO sendgate_daemon;

-- Created here, never adopted: whoever owned a schema of this name could drop the tables in it.
CREATE SCHEMA sendgate;

-- What \d+ and every catalog browser show. One sentence on what it is, then what its name does not
-- say: units, ranges, why. Instants are of sendgate.clock(), days and weeks are UTC.

COMMENT ON SCHEMA sendgate IS
'The gate that workers ask before every metered send: accounts, campaign work, the journal of attempts, the event log of deliveries, the InMail breaker. Everything in it belongs to sendgate_owner; applications call functions and read views.';

-- Roles are shared by all databases. Written only where it differs, so that installing into two
-- databases at once does not contend for the same catalog row.
DO $roles$
DECLARE
    role_name text;
    description text;
BEGIN
    FOR role_name, description IN
        VALUES
            ('sendgate_owner', 'Owns everything in the schema sendgate; its functions act with the rights of this role. Nobody logs in as it, and it has no members.'),
            ('sendgate_sender', 'For applications that send: they take and settle slots one by one or in batches, put in and cancel campaign work, consult the breaker; and read no table.'),
            ('sendgate_reader', 'For support and dashboards: reads the views and the logs of the schema sendgate, and changes nothing.'),
            ('sendgate_operator', 'For people who run accounts: reads what a reader reads and the admin log, and may call every function that changes accounts, caps, rules and breakers, or pauses and moves campaign work. Each call is logged with its session user.'),
            ('sendgate_daemon', 'For processes that act on behalf of an operator: the rights of a reader and the functions of an operator; the setting sendgate.actor is believed from its members only.')
    LOOP
        IF pg_catalog.shobj_description(role_name::pg_catalog.regrole::pg_catalog.oid, 'pg_authid')
            IS DISTINCT FROM description
        THEN
            EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', role_name, description);
        END IF;
    END LOOP;
END
$roles$;

-- sql/10_types.sql
-- Closed lists and ranges, the clock, and the two functions that the append-only and configuration tables share.

-- Closed lists and ranges are domains, not table constraints: PostgreSQL parses a table's CHECK anew
-- for every statement that writes a row (measured at 40 microseconds a row, more than everything
-- else that a grant does), but keeps a domain's in memory. Rules over several columns are one short
-- CHECK a table.
CREATE DOMAIN sendgate.identifier AS text COLLATE "C" CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 128);

-- Domains and the functions of the CHECKs.
COMMENT ON DOMAIN sendgate.identifier IS
    'An id of the application: 1 to 128 characters, compared byte by byte, so that no update of the operating system''s collations can corrupt its index.';

CREATE DOMAIN sendgate.display_name AS text CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 200);
COMMENT ON DOMAIN sendgate.display_name IS
    'A name for people: 1 to 200 characters.';

CREATE DOMAIN sendgate.chat_reference AS text COLLATE "C"
    CHECK (
        pg_catalog.char_length(VALUE) <= 2000
        -- [:space:] knows ASCII only under this collation; a chat id of invisible characters proves nothing.
        AND pg_catalog.translate(
            VALUE,
            U&'\0085\00A0\00AD\034F\115F\1160\1680\180E\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\200B\200C\200D\2028\2029\202F\205F\2060\3000\3164\FEFF\FFA0',
            ''
        ) ~ '[^[:space:][:cntrl:]]'
    );
COMMENT ON DOMAIN sendgate.chat_reference IS
    'The provider''s proof of a delivery: not blank, at most 2,000 characters.';

CREATE DOMAIN sendgate.action_name AS text COLLATE "C"
    CHECK (VALUE IN ('inmail', 'invite', 'message', 'profile_view', 'engagement'));
COMMENT ON DOMAIN sendgate.action_name IS
    'What a worker does through an account; only inmail consumes credits.';

CREATE DOMAIN sendgate.account_status AS text COLLATE "C"
    CHECK (VALUE IN ('connected', 'paused', 'restricted', 'disconnected'));
COMMENT ON DOMAIN sendgate.account_status IS
    'Whether an account may be used: connected, paused by an operator, restricted or disconnected by the provider.';

CREATE DOMAIN sendgate.breaker_mode AS text COLLATE "C" CHECK (VALUE IN ('auto', 'open', 'closed'));
COMMENT ON DOMAIN sendgate.breaker_mode IS
    'How a breaker is run: auto by its stamp, open or closed by an operator.';

CREATE DOMAIN sendgate.operation_state AS text COLLATE "C"
    CHECK (VALUE IN ('reserved', 'delivered', 'released', 'indeterminate'));
COMMENT ON DOMAIN sendgate.operation_state IS
    'State of an operation; expired is a reading of reserved, not a state.';

CREATE DOMAIN sendgate.operation_origin AS text COLLATE "C" CHECK (VALUE IN ('gate', 'external'));
COMMENT ON DOMAIN sendgate.operation_origin IS
    'Where an operation came from: gate through reserve, external recorded afterwards.';

CREATE DOMAIN sendgate.operation_outcome AS text COLLATE "C"
    CHECK (VALUE IN ('released', 'credits_exhausted', 'recipient_refused', 'transient', 'rate_limited',
                     'account_restricted', 'auth_lost', 'indeterminate'));
COMMENT ON DOMAIN sendgate.operation_outcome IS
    'What an attempt came to, as the classifier read the provider''s answer.';

CREATE DOMAIN sendgate.event_type AS text COLLATE "C"
    CHECK (VALUE IN ('inmail_sent', 'invite_sent', 'message_sent', 'profile_view_sent', 'engagement_sent'));
COMMENT ON DOMAIN sendgate.event_type IS
    'A delivered action: the action''s name and _sent.';

CREATE DOMAIN sendgate.http_status_pattern AS text COLLATE "C" CHECK (VALUE ~ '^([1-5]xx|[1-5][0-9][0-9])$');
COMMENT ON DOMAIN sendgate.http_status_pattern IS
    'One HTTP status, such as 429, or a class, such as 4xx.';

CREATE DOMAIN sendgate.slot_count AS integer CHECK (VALUE >= 0);
COMMENT ON DOMAIN sendgate.slot_count IS
    'A count, of slots or attempts: never negative.';

CREATE DOMAIN sendgate.month_day AS smallint CHECK (VALUE BETWEEN 1 AND 31);
COMMENT ON DOMAIN sendgate.month_day IS
    'A day of the month, 1 to 31; a month too short uses its last day.';

CREATE DOMAIN sendgate.weekday_mask AS smallint CHECK (VALUE BETWEEN 1 AND 127);
COMMENT ON DOMAIN sendgate.weekday_mask IS
    'ISO weekdays as bits: 1 = Monday, 2 = Tuesday, 4 = Wednesday … 64 = Sunday.';

CREATE DOMAIN sendgate.week_start AS date CHECK (extract(isodow FROM VALUE) = 1);
COMMENT ON DOMAIN sendgate.week_start IS
    'A Monday: the UTC week that starts on it.';

-- Campaign work: what waits, what became of it, and whom to look at next.
CREATE DOMAIN sendgate.enrollment_state AS text COLLATE "C"
    CHECK (VALUE IN ('waiting', 'sending', 'done', 'parked', 'cancelled'));

-- Campaign work: what waits, what was handed out, what was spared.
COMMENT ON DOMAIN sendgate.enrollment_state IS
'State of a piece of campaign work: waiting (to be dispatched when it is due), sending (a worker has it), done (delivered, or refused for good by the recipient''s side), parked (wants a person) or cancelled.';

-- The two rules over several columns that are too long to be parsed for every write; in Rust.
CREATE FUNCTION sendgate.is_sound_account(
    window_start time,
    window_end time,
    window_days smallint,
    probe_lease_until timestamptz,
    probe_operation_id uuid,
    inmail_credits_exhausted_at timestamptz
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_account';
COMMENT ON FUNCTION sendgate.is_sound_account(time, time, smallint, timestamptz, uuid, timestamptz) IS
    'The CHECK of accounts over several columns: the sending window can be, and a permit lies under a stamp and has a lease.';

CREATE FUNCTION sendgate.is_sound_operation(
    state text,
    outcome text,
    settled_at timestamptz,
    reserved_at timestamptz,
    expires_at timestamptz
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_operation';
COMMENT ON FUNCTION sendgate.is_sound_operation(text, text, timestamptz, timestamptz, timestamptz) IS
    'The CHECK of send_operations over several columns: outcome and time of settling fit the state, and it expires after it was reserved.';

-- The one clock. Views call it too, so everybody who may read a view may call it.

CREATE FUNCTION sendgate.clock() RETURNS timestamptz
LANGUAGE c
VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sendgate_clock';

-- The clock and the readings of the views.
COMMENT ON FUNCTION sendgate.clock() IS
'The instant by which sendgate decides: the real time, read anew at each call, or the test clock''s where sendgate.test_clock is on. Not now(), which stands still in a transaction.';

-- Triggers of sendgate's own tables.
CREATE FUNCTION sendgate.append_only() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_append_only';

-- Triggers.
COMMENT ON FUNCTION sendgate.append_only() IS
'Trigger that refuses UPDATE, DELETE and TRUNCATE with SG210: what happened stays written. On campaign_events the count of repeats may change.';

CREATE FUNCTION sendgate.config_changed() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_config_changed';
COMMENT ON FUNCTION sendgate.config_changed() IS
'Trigger that tells every backend, when the change commits, to compile tiers, rules and the switch anew.';

-- sql/20_accounts.sql
-- Accounts: one row an account, one lock, one decision.

-- The hot row. One account = one row = one lock = one decision. Fixed-width columns come first;
-- what is NULL most of the time comes last and costs one bit. Nothing that a grant changes is
-- indexed, so that every grant is a HOT update.
CREATE TABLE sendgate.accounts (
    version bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    week sendgate.week_start NOT NULL,
    inmails_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    invites_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    messages_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    profile_views_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    engagements_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    inmails_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    invites_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    messages_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    profile_views_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    engagements_sent_this_week sendgate.slot_count NOT NULL DEFAULT 0,
    inmail_cap_today sendgate.slot_count NOT NULL DEFAULT 0,
    ramp_days sendgate.slot_count NOT NULL DEFAULT 0,
    credit_reset_day sendgate.month_day NOT NULL DEFAULT 1,
    ramp boolean NOT NULL DEFAULT false,
    id sendgate.identifier NOT NULL,
    tier sendgate.identifier NOT NULL,
    status sendgate.account_status NOT NULL DEFAULT 'connected',
    breaker_mode sendgate.breaker_mode NOT NULL DEFAULT 'auto',
    time_zone sendgate.identifier NOT NULL DEFAULT 'UTC',
    display_name sendgate.display_name,
    window_start time,
    window_end time,
    window_days sendgate.weekday_mask,
    cooldown_until timestamptz,
    inmail_credits_exhausted_at timestamptz,
    breaker_cleared_at timestamptz,
    probe_lease_until timestamptz,
    probe_operation_id uuid,
    inmail_last_at timestamptz,
    invite_last_at timestamptz,
    message_last_at timestamptz,
    profile_view_last_at timestamptz,
    engagement_last_at timestamptz,
    inmail_daily_cap sendgate.slot_count,
    invite_daily_cap sendgate.slot_count,
    message_daily_cap sendgate.slot_count,
    profile_view_daily_cap sendgate.slot_count,
    engagement_daily_cap sendgate.slot_count,
    inmail_weekly_cap sendgate.slot_count,
    invite_weekly_cap sendgate.slot_count,
    message_weekly_cap sendgate.slot_count,
    profile_view_weekly_cap sendgate.slot_count,
    engagement_weekly_cap sendgate.slot_count,
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_sound_check CHECK (
        sendgate.is_sound_account(window_start, window_end, window_days, probe_lease_until,
                                  probe_operation_id, inmail_credits_exhausted_at)
    )
) WITH (fillfactor = 70);

-- Accounts.
COMMENT ON TABLE sendgate.accounts IS
'One row per account, and every decision about the account is made on this row alone: one account, one row, one lock. Counters are as of the row''s own day and week; read the view linkedin_accounts for their value now. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.accounts.version IS
'Counts the writes of the row. A decision made before the row was held is written only if the version is still the one it was made on.';
COMMENT ON COLUMN sendgate.accounts.day IS
'The UTC day that the daily counters belong to. It moves on with the first write of a new day and never goes back by itself, so a clock that jumps back frees no slots; repair_day mends such a row.';
COMMENT ON COLUMN sendgate.accounts.week IS
'The Monday of the UTC week that the weekly counters belong to; never goes back by itself.';
COMMENT ON COLUMN sendgate.accounts.inmails_sent_today IS
'InMail slots taken on the row''s day: delivered, in flight and unknown, counted before the provider is called and given back when nothing was sent.';
COMMENT ON COLUMN sendgate.accounts.invites_sent_today IS
'Invitation slots taken on the row''s day, counted as inmails_sent_today is.';
COMMENT ON COLUMN sendgate.accounts.messages_sent_today IS
'Message slots taken on the row''s day, counted as inmails_sent_today is.';
COMMENT ON COLUMN sendgate.accounts.profile_views_sent_today IS
'Profile view slots taken on the row''s day, counted as inmails_sent_today is.';
COMMENT ON COLUMN sendgate.accounts.engagements_sent_today IS
'Engagement slots (likes, comments, follows) taken on the row''s day, counted as inmails_sent_today is.';
COMMENT ON COLUMN sendgate.accounts.inmails_sent_this_week IS
'InMail slots taken in the row''s UTC week.';
COMMENT ON COLUMN sendgate.accounts.invites_sent_this_week IS
'Invitation slots taken in the row''s UTC week.';
COMMENT ON COLUMN sendgate.accounts.messages_sent_this_week IS
'Message slots taken in the row''s UTC week.';
COMMENT ON COLUMN sendgate.accounts.profile_views_sent_this_week IS
'Profile view slots taken in the row''s UTC week.';
COMMENT ON COLUMN sendgate.accounts.engagements_sent_this_week IS
'Engagement slots taken in the row''s UTC week.';
COMMENT ON COLUMN sendgate.accounts.inmail_cap_today IS
'The highest effective InMail cap in force on the row''s day. Overshoot is measured against it, so that lowering a cap at noon makes no offence of the morning.';
COMMENT ON COLUMN sendgate.accounts.ramp_days IS
'UTC days before the row''s day on which the account sent anything since its ramp was switched on; each raises the ramp by one step.';
COMMENT ON COLUMN sendgate.accounts.credit_reset_day IS
'Day of the month, 1 to 31, on which the account''s InMail credits renew at 00:00 UTC; a month too short uses its last day.';
COMMENT ON COLUMN sendgate.accounts.ramp IS
'Whether the daily caps of this account grow step by step instead of holding from the first day.';
COMMENT ON COLUMN sendgate.accounts.id IS
'The application''s own key of the account, 1 to 128 characters. Collation "C": fast, and no upgrade of the operating system''s collations can corrupt the index.';
COMMENT ON COLUMN sendgate.accounts.tier IS
'The tier whose caps hold where the account has none of its own; see the view tiers. An action that the tier does not name has a cap of 0.';
COMMENT ON COLUMN sendgate.accounts.status IS
'connected, paused (by an operator), restricted or disconnected (by the provider''s answer). Nothing is sent unless it is connected; the breaker never changes it.';
COMMENT ON COLUMN sendgate.accounts.breaker_mode IS
'auto: the stamp decides. open: an operator stops all InMails, probes too. closed: the stamp is set but not consulted.';
COMMENT ON COLUMN sendgate.accounts.time_zone IS
'IANA zone in which the sending window is read. Days, weeks and credit periods are UTC all the same.';
COMMENT ON COLUMN sendgate.accounts.display_name IS
'What people call the account, at most 200 characters; no rule looks at it.';
COMMENT ON COLUMN sendgate.accounts.window_start IS
'Local time at which the sending window opens. NULL together with window_end and window_days: the account may send at any time.';
COMMENT ON COLUMN sendgate.accounts.window_end IS
'Local time at which the sending window closes, itself outside; before window_start when the window passes midnight.';
COMMENT ON COLUMN sendgate.accounts.window_days IS
'ISO weekdays on which the window opens, as bits: 1 = Monday, 64 = Sunday. A window past midnight belongs to the day it starts.';
COMMENT ON COLUMN sendgate.accounts.cooldown_until IS
'Until when every action of the account is refused, after a rate limit. NULL or past: no cooldown. Never shortened by a later, shorter one.';
COMMENT ON COLUMN sendgate.accounts.inmail_credits_exhausted_at IS
'The breaker''s stamp: when the InMail credits of this credit period were first found exhausted. Raw until a clear; whether it still stops InMails is in the view breakers.';
COMMENT ON COLUMN sendgate.accounts.breaker_cleared_at IS
'The last clear. A credits error of an operation reserved before it is stale and does not stamp again.';
COMMENT ON COLUMN sendgate.accounts.probe_lease_until IS
'When the permit for a single test InMail through the open breaker lapses, taken or not; a permit can therefore never be stuck. NULL: there is none.';
COMMENT ON COLUMN sendgate.accounts.probe_operation_id IS
'The operation that took the permit. NULL while it lies ready.';
COMMENT ON COLUMN sendgate.accounts.inmail_last_at IS
'The last InMail grant, from which the tier''s minimum gap is measured.';
COMMENT ON COLUMN sendgate.accounts.invite_last_at IS
'The last invitation grant, for the minimum gap.';
COMMENT ON COLUMN sendgate.accounts.message_last_at IS
'The last message grant, for the minimum gap.';
COMMENT ON COLUMN sendgate.accounts.profile_view_last_at IS
'The last profile view grant, for the minimum gap.';
COMMENT ON COLUMN sendgate.accounts.engagement_last_at IS
'The last engagement grant, for the minimum gap.';
COMMENT ON COLUMN sendgate.accounts.inmail_daily_cap IS
'The account''s own InMail cap a UTC day, 0 or more, instead of the tier''s. NULL: the tier''s.';
COMMENT ON COLUMN sendgate.accounts.invite_daily_cap IS
'The account''s own invitation cap a UTC day. NULL: the tier''s.';
COMMENT ON COLUMN sendgate.accounts.message_daily_cap IS
'The account''s own message cap a UTC day. NULL: the tier''s.';
COMMENT ON COLUMN sendgate.accounts.profile_view_daily_cap IS
'The account''s own profile view cap a UTC day. NULL: the tier''s.';
COMMENT ON COLUMN sendgate.accounts.engagement_daily_cap IS
'The account''s own engagement cap a UTC day. NULL: the tier''s.';
COMMENT ON COLUMN sendgate.accounts.inmail_weekly_cap IS
'The account''s own InMail cap a UTC week. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.invite_weekly_cap IS
'The account''s own invitation cap a UTC week. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.message_weekly_cap IS
'The account''s own message cap a UTC week. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.profile_view_weekly_cap IS
'The account''s own profile view cap a UTC week. NULL: the tier''s, which may be none.';
COMMENT ON COLUMN sendgate.accounts.engagement_weekly_cap IS
'The account''s own engagement cap a UTC week. NULL: the tier''s, which may be none.';
COMMENT ON CONSTRAINT accounts_sound_check ON sendgate.accounts IS
    'Rules over several columns, in Rust: a window has all of its parts or none and can be, and a permit lies only under a stamp, and one that is taken has a lease.';

-- For operators who look for exhausted accounts, page by page. The stamp changes when a breaker does,
-- not when a slot is taken.
CREATE INDEX accounts_exhausted_idx ON sendgate.accounts (id)
WHERE inmail_credits_exhausted_at IS NOT NULL;
COMMENT ON INDEX sendgate.accounts_exhausted_idx IS
'For operators who look for exhausted accounts, page by page. It changes when a breaker does, not when a slot is taken, so grants stay heap-only updates.';

-- Whose counters may be wrong, in the order of sweeps; changes once a day with each account.
CREATE INDEX accounts_day_idx ON sendgate.accounts (day, id);

-- What the operators' console lists, in the order in which it turns its pages. None of these mentions
-- what a reserve or a confirm changes: both stay heap-only updates.

-- A cooldown comes with a rate limit or an audit, a status with a person or the provider's refusal.
CREATE INDEX accounts_cooling_idx ON sendgate.accounts (id)
WHERE cooldown_until IS NOT NULL;
COMMENT ON INDEX sendgate.accounts_cooling_idx IS
'For operators who look for accounts that cool down, page by page. It changes with a cooldown, not when a slot is taken.';

CREATE INDEX accounts_not_connected_idx ON sendgate.accounts (id)
WHERE status <> 'connected';
COMMENT ON INDEX sendgate.accounts_not_connected_idx IS
'For operators who look for accounts that are not connected, page by page. It changes with the status, not when a slot is taken.';

-- What pg_dump carries: everything that users put in; shipped defaults come with the extension.
SELECT pg_catalog.pg_extension_config_dump('sendgate.accounts', '');

-- Pure readings of a row as of an instant, for views; the rule itself is in Rust.
CREATE FUNCTION sendgate.sent_as_of(
    sent integer,
    marker date,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_as_of';
COMMENT ON FUNCTION sendgate.sent_as_of(integer, date, timestamptz) IS
'A daily counter with its day marker, read at an instant: 0 from the first instant of a later UTC day. Pure; made for the views.';

CREATE FUNCTION sendgate.sent_this_week_as_of(
    sent integer,
    marker date,
    at timestamptz
) RETURNS integer
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_this_week_as_of';
COMMENT ON FUNCTION sendgate.sent_this_week_as_of(integer, date, timestamptz) IS
'A weekly counter with its Monday, read at an instant: 0 from the first instant of a later UTC week. Pure; made for the views.';

CREATE FUNCTION sendgate.next_credit_period(
    credit_reset_day integer,
    at timestamptz
) RETURNS timestamptz
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_next_credit_period';
COMMENT ON FUNCTION sendgate.next_credit_period(integer, timestamptz) IS
'The first start of a credit period after an instant, for a reset day from 1 to 31: 00:00 UTC, on the last day of a month too short. Pure; made for the views.';

CREATE FUNCTION sendgate.window_days_array(
    days integer
) RETURNS integer[]
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_window_days_array';
COMMENT ON FUNCTION sendgate.window_days_array(integer) IS
'ISO weekdays, 1 = Monday, from the bits in accounts.window_days. Pure; made for the views.';

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

-- Accounts, caps and rules.
COMMENT ON FUNCTION sendgate.upsert_account(text, text, text, text, time, time, integer[], integer, boolean) IS
'Provisions an account, or changes what is not NULL. A new account needs a tier and gets: connected, UTC, no window, credits on the 1st, no ramp. Provisioning again neither un-pauses nor relaxes anything; switching the ramp on starts it afresh. Logged when something changed. Errors: SG001, SG002, SG003 credit_reset_day, SG005 zone, SG006 window, SG103 tier, SG301.';

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
COMMENT ON FUNCTION sendgate.set_window(text, time, time, integer[]) IS
'Sets the hours, local to the account''s time zone, and the ISO weekdays on which it may send; three NULLs remove the window. One past midnight belongs to the day it starts. Logged. Errors: SG001, SG002, SG006, SG101, SG301.';

CREATE FUNCTION sendgate.set_status(
    account_id text,
    status text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_status';
COMMENT ON FUNCTION sendgate.set_status(text, text, text) IS
'Sets connected, paused, restricted or disconnected, with a note; nothing is sent unless it is connected. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';

CREATE FUNCTION sendgate.clear_cooldown(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_clear_cooldown';
COMMENT ON FUNCTION sendgate.clear_cooldown(text, text) IS
'Ends an account''s cooldown before its time. Logged. Errors: SG001, SG002, SG101, SG301.';

CREATE FUNCTION sendgate.repair_day(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_repair_day';
COMMENT ON FUNCTION sendgate.repair_day(text, text) IS
'Brings a row whose day or week ran ahead of the clock back to today, counted again from the journal, makes due what was put off while it was ahead, and resolves its alert. Logged. Errors: SG001, SG002, SG101, SG209 the row is not ahead, SG301.';

CREATE VIEW sendgate.linkedin_accounts AS
SELECT a.id, a.display_name, a.status, a.tier, a.time_zone,
       sendgate.sent_as_of(a.inmails_sent_today, a.day, c.at) AS inmails_sent_today,
       sendgate.sent_as_of(a.invites_sent_today, a.day, c.at) AS invites_sent_today,
       sendgate.sent_as_of(a.messages_sent_today, a.day, c.at) AS messages_sent_today,
       sendgate.sent_as_of(a.profile_views_sent_today, a.day, c.at) AS profile_views_sent_today,
       sendgate.sent_as_of(a.engagements_sent_today, a.day, c.at) AS engagements_sent_today,
       sendgate.sent_this_week_as_of(a.inmails_sent_this_week, a.week, c.at) AS inmails_sent_this_week,
       sendgate.sent_this_week_as_of(a.invites_sent_this_week, a.week, c.at) AS invites_sent_this_week,
       sendgate.sent_this_week_as_of(a.messages_sent_this_week, a.week, c.at) AS messages_sent_this_week,
       sendgate.sent_this_week_as_of(a.profile_views_sent_this_week, a.week, c.at)
           AS profile_views_sent_this_week,
       sendgate.sent_this_week_as_of(a.engagements_sent_this_week, a.week, c.at)
           AS engagements_sent_this_week,
       a.inmail_credits_exhausted_at, a.breaker_mode, a.breaker_cleared_at, a.probe_lease_until,
       a.probe_operation_id, a.credit_reset_day::integer AS credit_reset_day, a.cooldown_until,
       a.window_start, a.window_end, sendgate.window_days_array(a.window_days) AS window_days,
       a.ramp, a.ramp_days, a.day AS counters_day, a.week AS counters_week
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c;

-- Views.
COMMENT ON VIEW sendgate.linkedin_accounts IS
'The accounts as of the clock: counters read 0 from the first instant of a new UTC day or week, before anything is written. The column that tells why InMails stopped is raw until cleared.';
COMMENT ON COLUMN sendgate.linkedin_accounts.id IS 'The application''s own key of the account.';
COMMENT ON COLUMN sendgate.linkedin_accounts.display_name IS 'What people call the account.';
COMMENT ON COLUMN sendgate.linkedin_accounts.status IS
'connected, paused, restricted or disconnected; nothing is sent unless it is connected.';
COMMENT ON COLUMN sendgate.linkedin_accounts.tier IS 'Names the caps in the view tiers.';
COMMENT ON COLUMN sendgate.linkedin_accounts.time_zone IS 'IANA zone in which the sending window is read.';
COMMENT ON COLUMN sendgate.linkedin_accounts.inmails_sent_today IS
'InMail slots taken today (UTC): delivered, in flight and unknown.';
COMMENT ON COLUMN sendgate.linkedin_accounts.invites_sent_today IS 'Invitation slots taken today (UTC).';
COMMENT ON COLUMN sendgate.linkedin_accounts.messages_sent_today IS 'Message slots taken today (UTC).';
COMMENT ON COLUMN sendgate.linkedin_accounts.profile_views_sent_today IS 'Profile view slots taken today (UTC).';
COMMENT ON COLUMN sendgate.linkedin_accounts.engagements_sent_today IS 'Engagement slots taken today (UTC).';
COMMENT ON COLUMN sendgate.linkedin_accounts.inmails_sent_this_week IS
'InMail slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.invites_sent_this_week IS
'Invitation slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.messages_sent_this_week IS
'Message slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.profile_views_sent_this_week IS
'Profile view slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.engagements_sent_this_week IS
'Engagement slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.inmail_credits_exhausted_at IS
'When the InMail credits were found exhausted, raw until a clear: a stamp of an earlier credit period stops nothing and is removed by the next InMail. The view breakers says what holds now.';
COMMENT ON COLUMN sendgate.linkedin_accounts.breaker_mode IS
'auto, open (an operator stops all InMails) or closed (the stamp is not consulted).';
COMMENT ON COLUMN sendgate.linkedin_accounts.breaker_cleared_at IS
'The last clear; older credits errors that arrive late do not stamp again.';
COMMENT ON COLUMN sendgate.linkedin_accounts.probe_lease_until IS
'When the permit for a single test InMail lapses. NULL: there is none.';
COMMENT ON COLUMN sendgate.linkedin_accounts.probe_operation_id IS
'The operation that took the permit. NULL: it lies ready, or there is none.';
COMMENT ON COLUMN sendgate.linkedin_accounts.credit_reset_day IS
'Day of the month on which the InMail credits renew, at 00:00 UTC.';
COMMENT ON COLUMN sendgate.linkedin_accounts.cooldown_until IS
'Until when every action is refused after a rate limit; in the past: over.';
COMMENT ON COLUMN sendgate.linkedin_accounts.window_start IS
'Local time at which the sending window opens. NULL: no window, any time is right.';
COMMENT ON COLUMN sendgate.linkedin_accounts.window_end IS
'Local time at which the sending window closes; before window_start when it passes midnight.';
COMMENT ON COLUMN sendgate.linkedin_accounts.window_days IS
'ISO weekdays on which the window opens: 1 = Monday, 7 = Sunday.';
COMMENT ON COLUMN sendgate.linkedin_accounts.ramp IS 'Whether the daily caps grow step by step.';
COMMENT ON COLUMN sendgate.linkedin_accounts.ramp_days IS
'Sending days that the ramp had counted when the row was last written.';
COMMENT ON COLUMN sendgate.linkedin_accounts.counters_day IS
'The UTC day of the row''s last write. Ahead of today: the clock went back, see repair_day.';
COMMENT ON COLUMN sendgate.linkedin_accounts.counters_week IS
'The Monday of the UTC week of the row''s last write.';

-- sql/21_caps.sql
-- Caps: a tier's, an account's own, and what is left of them.

-- Shipped caps, rewritten by upgrades.
CREATE TABLE sendgate.tier_defaults (
    tier text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    daily_cap integer NOT NULL,
    weekly_cap integer,
    ramp_start_percent integer NOT NULL DEFAULT 20,
    ramp_step_percent integer NOT NULL DEFAULT 20,
    minimum_gap interval NOT NULL DEFAULT '0',
    credits_a_month integer NOT NULL,
    credits_ceiling integer NOT NULL,
    CONSTRAINT tier_defaults_pkey PRIMARY KEY (tier, action)
);

-- Caps.
COMMENT ON TABLE sendgate.tier_defaults IS
'Shipped caps, rewritten by upgrades and therefore not dumped. Change them with set_tier_cap, which writes tier_overrides.';
COMMENT ON COLUMN sendgate.tier_defaults.tier IS 'Name of the tier.';
COMMENT ON COLUMN sendgate.tier_defaults.action IS
'What the cap is about: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.tier_defaults.daily_cap IS 'Slots a UTC day; 0 means never.';
COMMENT ON COLUMN sendgate.tier_defaults.weekly_cap IS
'Slots a UTC week, Monday to Sunday. NULL: only the daily cap counts.';
COMMENT ON COLUMN sendgate.tier_defaults.ramp_start_percent IS
'With which share of the daily cap a ramp starts, 1 to 100 percent, rounded up to whole slots.';
COMMENT ON COLUMN sendgate.tier_defaults.ramp_step_percent IS
'How much each day on which the account sent anything adds to the ramp, in percent of the daily cap.';
COMMENT ON COLUMN sendgate.tier_defaults.minimum_gap IS
'Least time between two grants of the action on one account; 0 means none.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_a_month IS
'InMail credits that the provider grants a month. Shown to people, not enforced: the provider''s own answer is the truth.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_ceiling IS
'How many credits can pile up by rolling over. Shown, not enforced.';

-- Users' caps, dumped and kept by upgrades. A row here replaces the shipped one as a whole.
CREATE TABLE sendgate.tier_overrides (
    tier sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    daily_cap sendgate.slot_count NOT NULL,
    weekly_cap sendgate.slot_count,
    ramp_start_percent integer NOT NULL DEFAULT 20,
    ramp_step_percent integer NOT NULL DEFAULT 20,
    minimum_gap interval NOT NULL DEFAULT '0',
    CONSTRAINT tier_overrides_pkey PRIMARY KEY (tier, action),
    CONSTRAINT tier_overrides_ramp_check
        CHECK (ramp_start_percent BETWEEN 1 AND 100 AND ramp_step_percent BETWEEN 0 AND 100),
    CONSTRAINT tier_overrides_gap_check CHECK (minimum_gap >= interval '0')
);
COMMENT ON TABLE sendgate.tier_overrides IS
'Your caps: a row replaces the shipped one for the tier and action as a whole. Dumped, and kept by upgrades. Written by set_tier_cap and drop_tier_cap.';
COMMENT ON COLUMN sendgate.tier_overrides.tier IS
'A shipped tier, or a new one: a tier exists as soon as one action of it has a cap.';
COMMENT ON COLUMN sendgate.tier_overrides.action IS
'What the cap is about: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.tier_overrides.daily_cap IS 'Slots a UTC day; 0 means never.';
COMMENT ON COLUMN sendgate.tier_overrides.weekly_cap IS
'Slots a UTC week. NULL: no weekly cap, also where the shipped tier has one.';
COMMENT ON COLUMN sendgate.tier_overrides.ramp_start_percent IS
'With which share of the daily cap a ramp starts, 1 to 100 percent.';
COMMENT ON COLUMN sendgate.tier_overrides.ramp_step_percent IS
'How much each sending day adds to the ramp, 0 to 100 percent; set_tier_cap sets it to the same as the start.';
COMMENT ON COLUMN sendgate.tier_overrides.minimum_gap IS
'Least time between two grants of the action on one account, at most 31 days; 0 means none.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.tier_overrides', '');

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
COMMENT ON FUNCTION sendgate.effective_cap(integer, boolean, integer, boolean, date, integer, integer, timestamptz) IS
'A daily cap under the ramp, read at an instant; a day of sending that the row has not moved past yet counts once the day is over. Pure; made for the views.';

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
COMMENT ON FUNCTION sendgate.set_cap(text, text, integer, integer, text) IS
'Sets both caps of one action on one account, 0 to 10,000 slots; NULL means the tier''s. Logged. Errors: SG001, SG002, SG003, SG004, SG101, SG301.';

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
COMMENT ON FUNCTION sendgate.set_tier_cap(text, text, integer, integer, interval, integer) IS
'Sets the caps of a tier for one action, over the shipped ones or for a tier of your own. It replaces the whole line: a weekly cap left out is none, a gap left out is 0, a ramp left out is 20 percent start and step. Logged. Errors: SG001, SG002, SG003, SG004, SG007 minimum_gap, SG301.';

CREATE FUNCTION sendgate.drop_tier_cap(
    tier text,
    action text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_drop_tier_cap';
COMMENT ON FUNCTION sendgate.drop_tier_cap(text, text) IS
'Removes your caps of a tier for one action: the shipped ones hold again, and without any the action is at 0. Logged. Errors: SG001, SG002, SG004, SG103 unknown tier, SG205 accounts are in a tier that would vanish, SG301.';

-- Every view reads the clock once, in a subquery, so that all its rows are of one instant.
CREATE VIEW sendgate.tiers AS
WITH merged AS (
    SELECT o.tier, o.action, o.daily_cap, o.weekly_cap, o.ramp_start_percent, o.ramp_step_percent,
           o.minimum_gap, true AS overridden
    FROM sendgate.tier_overrides o
    UNION ALL
    SELECT d.tier, d.action, d.daily_cap, d.weekly_cap, d.ramp_start_percent, d.ramp_step_percent,
           d.minimum_gap, false
    FROM sendgate.tier_defaults d
    WHERE NOT EXISTS (
        SELECT FROM sendgate.tier_overrides o WHERE o.tier = d.tier AND o.action = d.action
    )
)
SELECT m.tier, m.action, m.daily_cap, m.weekly_cap, m.ramp_start_percent, m.ramp_step_percent,
       m.minimum_gap, c.credits_a_month, c.credits_ceiling, m.overridden
FROM merged m
LEFT JOIN (
    SELECT DISTINCT d.tier, d.credits_a_month, d.credits_ceiling FROM sendgate.tier_defaults d
) c ON c.tier = m.tier;
COMMENT ON VIEW sendgate.tiers IS
'The caps in force for each tier and action: the shipped ones under your own.';
COMMENT ON COLUMN sendgate.tiers.tier IS 'Name of the tier.';
COMMENT ON COLUMN sendgate.tiers.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.tiers.daily_cap IS 'Slots a UTC day; 0 means never.';
COMMENT ON COLUMN sendgate.tiers.weekly_cap IS 'Slots a UTC week. NULL: only the daily cap counts.';
COMMENT ON COLUMN sendgate.tiers.ramp_start_percent IS
'With which share of the daily cap a ramp starts, 1 to 100 percent.';
COMMENT ON COLUMN sendgate.tiers.ramp_step_percent IS
'How much each sending day adds to the ramp, in percent of the daily cap.';
COMMENT ON COLUMN sendgate.tiers.minimum_gap IS
'Least time between two grants of the action on one account; 0 means none.';
COMMENT ON COLUMN sendgate.tiers.credits_a_month IS
'InMail credits that the provider grants a month; shown, not enforced. NULL for a tier of your own.';
COMMENT ON COLUMN sendgate.tiers.credits_ceiling IS
'How many credits can pile up by rolling over; shown, not enforced. NULL for a tier of your own.';
COMMENT ON COLUMN sendgate.tiers.overridden IS 'Whether the line is yours rather than the shipped one.';

CREATE VIEW sendgate.counters AS
SELECT a.id AS account_id, n.action, greatest(a.day, (c.at AT TIME ZONE 'UTC')::date) AS day,
       sendgate.sent_as_of(n.sent_today, a.day, c.at) AS sent_today,
       sendgate.effective_cap(
           coalesce(n.daily_cap, t.daily_cap, 0), a.ramp, a.ramp_days,
           a.inmails_sent_today + a.invites_sent_today + a.messages_sent_today
           + a.profile_views_sent_today + a.engagements_sent_today > 0,
           a.day, coalesce(t.ramp_start_percent, 100), coalesce(t.ramp_step_percent, 0), c.at
       ) AS daily_cap,
       sendgate.sent_this_week_as_of(n.sent_this_week, a.week, c.at) AS sent_this_week,
       coalesce(n.weekly_cap, t.weekly_cap) AS weekly_cap
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
CROSS JOIN LATERAL (
    VALUES
        ('inmail', a.inmails_sent_today, a.inmails_sent_this_week, a.inmail_daily_cap, a.inmail_weekly_cap),
        ('invite', a.invites_sent_today, a.invites_sent_this_week, a.invite_daily_cap, a.invite_weekly_cap),
        ('message', a.messages_sent_today, a.messages_sent_this_week, a.message_daily_cap,
         a.message_weekly_cap),
        ('profile_view', a.profile_views_sent_today, a.profile_views_sent_this_week,
         a.profile_view_daily_cap, a.profile_view_weekly_cap),
        ('engagement', a.engagements_sent_today, a.engagements_sent_this_week, a.engagement_daily_cap,
         a.engagement_weekly_cap)
) AS n (action, sent_today, sent_this_week, daily_cap, weekly_cap)
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = n.action;
COMMENT ON VIEW sendgate.counters IS
'Five lines per account, one for each action: slots taken and caps, as of the clock.';
COMMENT ON COLUMN sendgate.counters.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.counters.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.counters.day IS
    'UTC day that sent_today counts on: the clock''s, or the row''s own where that ran ahead.';
COMMENT ON COLUMN sendgate.counters.sent_today IS
'Slots taken today (UTC): delivered, in flight and unknown.';
COMMENT ON COLUMN sendgate.counters.daily_cap IS
'The effective cap today: the account''s own or the tier''s, or the ramp''s where that is lower.';
COMMENT ON COLUMN sendgate.counters.sent_this_week IS 'Slots taken since Monday 00:00 UTC.';
COMMENT ON COLUMN sendgate.counters.weekly_cap IS
'The account''s own weekly cap, or the tier''s. NULL: none.';

-- Caps, rules and the switch are compiled once per backend; every backend is told of a change when
-- it commits.
CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.tier_defaults
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_defaults ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.tier_defaults IS
'Caps are compiled once per backend; an upgrade that rewrites them must reach all of them.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.tier_overrides
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_overrides ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.tier_overrides IS
'Caps are compiled once per backend; a changed cap holds from its commit.';

-- sql/22_error_rules.sql
-- The classifier: shipped rules under the users' own.

-- The shipped classifier, rewritten by upgrades.
CREATE TABLE sendgate.error_rule_defaults (
    rule_order integer NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    action text COLLATE "C",
    error_type text COLLATE "C",
    http_status text COLLATE "C",
    error_text text COLLATE "C",
    CONSTRAINT error_rule_defaults_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_defaults_order_check CHECK (rule_order >= 1000)
);

-- The classifier.
COMMENT ON TABLE sendgate.error_rule_defaults IS
'The shipped classifier of provider errors, rewritten by upgrades and therefore not dumped. Put rules of your own before it with set_error_rule.';
COMMENT ON COLUMN sendgate.error_rule_defaults.rule_order IS
'Rules are asked in ascending order and the first match decides; shipped ones start at 1000.';
COMMENT ON COLUMN sendgate.error_rule_defaults.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rule_defaults.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rule_defaults.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.http_status IS
'The status must be this one (429) or of this class (4xx). NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.error_text IS
'The message must contain this literal, in any case; never a pattern. NULL: any or none.';

-- Users' rules, asked first; dumped and kept by upgrades.
CREATE TABLE sendgate.error_rule_overrides (
    rule_order integer NOT NULL,
    outcome sendgate.operation_outcome NOT NULL,
    action sendgate.action_name,
    error_type text COLLATE "C",
    http_status sendgate.http_status_pattern,
    error_text text COLLATE "C",
    CONSTRAINT error_rule_overrides_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_overrides_order_check CHECK (rule_order BETWEEN 0 AND 999),
    CONSTRAINT error_rule_overrides_condition_check
        CHECK (error_type IS NOT NULL OR http_status IS NOT NULL OR error_text IS NOT NULL)
);
COMMENT ON TABLE sendgate.error_rule_overrides IS
'Your rules, asked before the shipped ones. Dumped, and kept by upgrades. Written by set_error_rule and drop_error_rule.';
COMMENT ON COLUMN sendgate.error_rule_overrides.rule_order IS
'0 to 999; rules are asked in ascending order and the first match decides.';
COMMENT ON COLUMN sendgate.error_rule_overrides.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rule_overrides.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rule_overrides.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.http_status IS
'The status must be this one (429) or of this class (4xx). NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.error_text IS
'The message must contain this literal, in any case; never a pattern. NULL: any or none.';
COMMENT ON CONSTRAINT error_rule_overrides_condition_check ON sendgate.error_rule_overrides IS
'A rule without a condition would match every error, and what is unknown must stay indeterminate.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.error_rule_overrides', '');

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
COMMENT ON FUNCTION sendgate.set_error_rule(integer, text, text, text, text, text) IS
'Puts a rule of yours, 0 to 999, before the shipped classifier, or replaces it. All conditions that it names must hold: action, exact provider type, status (429 or 4xx), literal text. Logged. Errors: SG001, SG002, SG003, SG004, SG008 status, SG009 no condition, SG301.';

CREATE FUNCTION sendgate.drop_error_rule(
    rule_order integer
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_drop_error_rule';
COMMENT ON FUNCTION sendgate.drop_error_rule(integer) IS
'Removes a rule of yours. Logged. Errors: SG001, SG003, SG104 there is none, SG301.';

CREATE VIEW sendgate.error_rules AS
SELECT o.rule_order, o.outcome, o.action, o.error_type, o.http_status, o.error_text, false AS shipped
FROM sendgate.error_rule_overrides o
UNION ALL
SELECT d.rule_order, d.outcome, d.action, d.error_type, d.http_status, d.error_text, true
FROM sendgate.error_rule_defaults d
ORDER BY rule_order;
COMMENT ON VIEW sendgate.error_rules IS
'The classifier in force, in the order in which its rules are asked: your rules, then the shipped ones. What no rule matches is indeterminate.';
COMMENT ON COLUMN sendgate.error_rules.rule_order IS 'Yours are 0 to 999, shipped ones start at 1000.';
COMMENT ON COLUMN sendgate.error_rules.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rules.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rules.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.http_status IS
'The status must be this one (429) or of this class (4xx). NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.error_text IS
'The message must contain this literal, in any case. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.shipped IS
'Whether the rule comes with the extension and may change with an upgrade.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_defaults
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_defaults ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_defaults IS
'Rules are compiled once per backend; an upgrade that rewrites them must reach all of them.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_overrides
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_overrides ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_overrides IS
'Rules are compiled once per backend; a changed rule holds from its commit.';

-- sql/30_gate.sql
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
    CONSTRAINT send_operations_pkey PRIMARY KEY (account_id, operation_id),
    CONSTRAINT send_operations_sound_check
        CHECK (sendgate.is_sound_operation(state, outcome, settled_at, reserved_at, expires_at))
) WITH (fillfactor = 85);

-- The journal.
COMMENT ON TABLE sendgate.send_operations IS
'The journal of attempts, one row per slot that was ever taken. Expired is not a state but a reading: reserved, and expires_at is past. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.send_operations.operation_id IS
'The id under which the worker reserved, or that dispatch made; unique for the account. Asking reserve again with the same id gets the same slot.';
COMMENT ON COLUMN sendgate.send_operations.reserved_at IS
'When the grant was decided. Proof for the breaker must have been reserved after its stamp.';
COMMENT ON COLUMN sendgate.send_operations.expires_at IS
'Until when the worker may call the provider. Later, a reserved operation counts as unresolved: the slot stays taken and an operator may settle it.';
COMMENT ON COLUMN sendgate.send_operations.counted_on IS
'The UTC day that the slot counts on, fixed at the grant. A slot is given back on this day and its week, if those are still current.';
COMMENT ON COLUMN sendgate.send_operations.account_id IS
'The account sent through. No foreign key: its lock would be a second one on the hot row.';
COMMENT ON COLUMN sendgate.send_operations.prospect_id IS
'Whom it was for: the application''s own key, 1 to 128 characters.';
COMMENT ON COLUMN sendgate.send_operations.action IS
'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.send_operations.state IS
'reserved (in flight or expired), delivered, released (the slot was given back) or indeterminate (nobody knows whether it was sent, so the slot stays taken).';
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
'State, outcome and time of settling agree: what is in flight has none, what is delivered has no error outcome, what was given back says why.';
COMMENT ON COLUMN sendgate.send_operations.attempt IS
'Which hand-out of its enrollment it is, from 1. NULL: taken with reserve; of its outcomes only a delivery changes an enrollment.';
COMMENT ON COLUMN sendgate.send_operations.awaited IS
'True where other work for the same prospect and action waits until this operation is settled. NULL: none does.';
COMMENT ON COLUMN sendgate.send_operations.unknown_since IS
'Since when nobody knows whether it was sent: its answer said so, or reconcile_operations found that nobody had answered in time. NULL: it is in flight or settled.';

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

-- Unknown outcomes of all accounts, newest first. Only what becomes unknown, or was, gets or leaves this
-- mark: an operation that is confirmed or given back has none before and none after.
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

-- The switch, alerts, the admin log.
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

-- The gate's functions.
COMMENT ON FUNCTION sendgate.reserve(text, text, text, text, uuid) IS
'Takes a slot before the provider is called, or says why not. The same call with the same operation_id returns the same grant while it is in flight, so a lost answer can be asked for again. A refusal is an answer, not an error, and writes nothing but a skip of the breaker: the first per prospect, campaign and stamp is logged and defers the enrollment of that campaign, repeats are counted. Of settling it, only a delivery changes an enrollment: that of the same account, campaign, prospect and action is done. For campaign work there is dispatch. Commit before you call the provider. Errors: SG001, SG002, SG004 bad argument, SG005 the account''s zone is gone, SG101 unknown account, SG201 the id was used for something else, SG301 the account is held too long, SG302 nothing could be decided.';

CREATE FUNCTION sendgate.preview(
    account_id text,
    action text,
    prospect_id text DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_preview';
COMMENT ON FUNCTION sendgate.preview(text, text, text) IS
'The answer that reserve would give now, with the counts as they are; takes and writes nothing, and works on a standby. Without a prospect the rules about prospects are left out. A yes is no promise: only reserve takes a slot. Errors: SG001, SG002, SG004, SG005, SG101; SG301 where somebody has locked a whole table.';

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
ROWS 60
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

-- sql/31_events.sql
-- The log of proven deliveries, sends outside the gate, and triggers for an application's tables.

-- Delivered truth. Append-only.
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
    -- The domain keeps blank chat ids out, this the missing ones: an InMail without proof cannot be.
    CONSTRAINT linkedin_events_chat_id_check CHECK (event_type <> 'inmail_sent' OR chat_id IS NOT NULL)
);

-- The event log.
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

-- Sends outside the gate, and the triggers for applications' own tables.
COMMENT ON FUNCTION sendgate.record_external_send(text, text, text, text, timestamptz) IS
'Journals and counts a send that did not pass the gate, made by hand or told by a provider''s webhook, and returns its event; on the UTC day of occurred_at, also above the cap. The same send again changes nothing and returns the same event; NULL where that has been pruned. The echo of an operation whose outcome is open, for the same prospect and action, confirms that operation instead; the echo of a delivery that was confirmed returns its event. One of an operation that was rolled back counts as a send of its own. An InMail needs its chat_id, and can be the proof that clears the breaker. Errors: SG001, SG002 also for an InMail without chat_id, SG004, SG007 occurred_at is infinite or in the future, SG101, SG301.';

-- Triggers for the table that an application has already.
CREATE FUNCTION sendgate.guard_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_guard_send';
COMMENT ON FUNCTION sendgate.guard_send() IS
'Trigger BEFORE INSERT FOR EACH ROW on a table of your own: guard_send(''account_column'', ''action or column'', ''prospect_column'', ''campaign_column'', ''operation_id_column'', ''mode''). Asks reserve about each row. A grant fills the operation id column (uuid, text, varchar or char, with a UNIQUE index on it: two rows with the same id would pass as one grant); an id that is there already is used, so that a repeated insert is the same operation. A refusal raises SG401 with the reason as message and retry_at in DETAIL (mode error), or lets the row in without operation id and with the reason in a text column (mode reason:column). The second argument is an action where it spells one; an empty campaign column means none. What is granted to a row that ON CONFLICT or another trigger drops is given back before the commit. Rows must stay in their partition. Errors: SG010 the trigger is declared in another way, SG401, those of reserve.';

CREATE FUNCTION sendgate.settle_send() RETURNS trigger
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_settle_send';
COMMENT ON FUNCTION sendgate.settle_send() IS
'Trigger AFTER UPDATE FOR EACH ROW on a guarded table: settle_send(''account_column'', ''operation_id_column'', ''chat_id_column'', ''error_column''). Confirms the row''s operation when a chat id appears, or else rolls it back when an error does, with its text as the provider''s message. Rows without operation id, and blank values, are passed over. Errors: SG010, those of confirm and rollback.';

-- An event that somebody writes past the functions is journalled as an external send.
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

-- The logs are append-only for everybody.
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

-- sql/32_breaker.sql
-- The InMail breaker: its answer, its log, its functions.

CREATE TYPE sendgate.breaker_answer AS (
    proceed boolean,
    reason text,
    retry_at timestamptz,
    exhausted_at timestamptz
);

-- The answer of the gate.
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
    CONSTRAINT breaker_log_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT breaker_log_action_check CHECK (action IN ('set', 'clear', 'skip')),
    CONSTRAINT breaker_log_skip_check CHECK (action <> 'skip' OR exhausted_at IS NOT NULL)
);

-- The breaker's log.
COMMENT ON TABLE sendgate.breaker_log IS
'Every committed set, clear and skip of a breaker, in the same transaction as what it tells of. Append-only by trigger, also for superusers.';
COMMENT ON COLUMN sendgate.breaker_log.id IS 'The line. Version 7, so ids ascend roughly with time.';
COMMENT ON COLUMN sendgate.breaker_log.at IS 'When it was decided.';
COMMENT ON COLUMN sendgate.breaker_log.account_id IS 'The account whose breaker it is.';
COMMENT ON COLUMN sendgate.breaker_log.action IS
'set: stamped. clear: the stamp was removed. skip: an InMail was refused because of the stamp.';
COMMENT ON COLUMN sendgate.breaker_log.reason IS
'For set: credits_exhausted, or manual. For clear: monthly_reset, recent_success_evidence or manual. For skip: account_inmail_credits_exhausted.';
COMMENT ON COLUMN sendgate.breaker_log.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.breaker_log.exhausted_at IS
'The stamp that was set, removed or obeyed.';
COMMENT ON COLUMN sendgate.breaker_log.prospect_id IS
'Whose attempt it was about; NULL for an operator''s act.';
COMMENT ON COLUMN sendgate.breaker_log.campaign_id IS 'The campaign of that attempt, if it named one.';
COMMENT ON COLUMN sendgate.breaker_log.note IS
'An operator''s note, or the provider''s text that breaker_report was given.';
COMMENT ON CONSTRAINT breaker_log_skip_check ON sendgate.breaker_log IS
'A skip is always because of a stamp, and the stamp is part of what makes it unique.';

-- A skip is logged once per piece of work and stamp.
CREATE UNIQUE INDEX breaker_log_skip_key
    ON sendgate.breaker_log (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE action = 'skip';
COMMENT ON INDEX sendgate.breaker_log_skip_key IS
'A skip is logged once per prospect, campaign and stamp, however often the worker asks again; campaign_events counts the repeats.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.breaker_log', '');

-- Lines of the breaker log that the daemon has not printed yet; taken by deleting.
CREATE TABLE sendgate.breaker_outbox (
    account_id sendgate.identifier NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT breaker_outbox_pkey PRIMARY KEY (account_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE sendgate.breaker_outbox IS
'Lines of breaker_log that nobody has taken with take_breaker_lines yet. Written in the transaction of the line itself, so a line that was rolled back is never printed.';
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

-- The breaker.
CREATE FUNCTION sendgate.breaker_check(
    account_id text,
    prospect_id text DEFAULT NULL,
    campaign_id text DEFAULT NULL
) RETURNS sendgate.breaker_answer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_breaker_check';

-- The breaker's functions.
COMMENT ON FUNCTION sendgate.breaker_check(text, text, text) IS
'Consults the switch and the InMail breaker of an account and nothing else, for applications that use nothing else of the gate. Clears a stamp of an earlier period, or one that a recent delivery disproves; otherwise logs the skip once per prospect, campaign and stamp, defers the enrollment of that prospect and campaign, and counts the repeats. A clear releases what was deferred. Takes no slot and does not see probes. Errors: SG001, SG002, SG101, SG301.';

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
'Grants one permit for a single test InMail through an open breaker, for sendgate.operation_ttl: the next reserve or dispatch that every other rule lets pass takes it, and one deferred enrollment becomes due, so that dispatch finds it. Delivered, the breaker clears; without credits, it stays; silent, the permit lapses. Logged. Errors: SG001, SG002, SG101, SG206 the breaker is not open, SG207 there is a permit already, SG208 it is forced open, SG301.';

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
'Takes up to max_rows lines of the breaker log that nobody has taken yet. Print them, then commit: rolled back, they are there again, and two takers never get the same. Errors: SG001, SG003 outside 1 to 10,000.';

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

-- sql/40_campaigns.sql
-- Campaign work: what waits and what became of it.

-- A row is changed only while its account is held, so that dispatch may trust what it read. Only what
-- waits has a next_dispatch_at, and no index mentions the state: so settling is a HOT update.
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
    CONSTRAINT enrollments_pkey PRIMARY KEY (account_id, prospect_id, campaign_id, action),
    CONSTRAINT enrollments_sending_check CHECK (state <> 'sending' OR operation_id IS NOT NULL),
    CONSTRAINT enrollments_waiting_check CHECK (state = 'waiting' OR next_dispatch_at IS NULL)
) WITH (fillfactor = 85);
COMMENT ON TABLE sendgate.enrollments IS
'Campaign work, one row per account, prospect, campaign and action. Put in by enqueue, handed out by dispatch, moved on by the outcome of its operation. A row is changed only while its account is held. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.enrollments.enqueued_at IS 'When it was put in. Work put in again keeps the first time.';
COMMENT ON COLUMN sendgate.enrollments.changed_at IS
'When state, due time, action or reason last changed; a connection flag that became true does not count.';
COMMENT ON COLUMN sendgate.enrollments.next_dispatch_at IS
'When it is due. NULL while waiting: until the operation that is in flight for the same prospect and action is settled. NULL in every other state. A due row may still be held back by its account, its campaign or the switch, which leave no trace here.';
COMMENT ON COLUMN sendgate.enrollments.attempts IS
'How often it was handed out. A failure that may be tried again parks it from the fifth on; resume_deferred and switch_action begin at 0 again.';
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
'waiting, sending, done, parked or cancelled. sending outlasts the operation''s time: without an answer it stays until the operation is settled. parked ends when its operation is settled, or with resume_deferred. Only a delivery leads out of cancelled, and nothing out of done.';
COMMENT ON COLUMN sendgate.enrollments.operation_id IS
'The operation of the last hand-out. A failure counts only if it is this one''s; a delivery counts whichever it is. NULL: never handed out, or not since the action was switched. A delivery that reserve took the slot for counts too, and leaves this as it is.';
COMMENT ON COLUMN sendgate.enrollments.reason IS
'Why it is in its state. waiting: account_inmail_credits_exhausted, operation_in_flight or prospect_cooldown, or the outcome of the attempt before. parked: that outcome, indeterminate, or poisoned (PostgreSQL refused to write it). done: inmail_eligibility or recipient_refused. NULL: new, sending, delivered, cancelled, or made due again by an event.';
COMMENT ON COLUMN sendgate.enrollments.error IS
'The provider''s text, or its error type, of the last attempt that failed; for poisoned the SQLSTATE and the message. Cut at 2,000 characters and marked where it was cut. NULL: none, or delivered. Foreign text: escape it where you show it.';
COMMENT ON CONSTRAINT enrollments_sending_check ON sendgate.enrollments IS
'What a worker has can be settled: it has an operation.';
COMMENT ON CONSTRAINT enrollments_waiting_check ON sendgate.enrollments IS
'Only what waits is due; so an index on the due time alone finds it.';

CREATE INDEX enrollments_due_idx ON sendgate.enrollments (account_id, action, next_dispatch_at)
WHERE next_dispatch_at IS NOT NULL;
COMMENT ON INDEX sendgate.enrollments_due_idx IS
'For dispatch: an account''s due work of one action, the oldest first. Partial, so that work that does not wait for a time costs it nothing, and without the state, so that settling stays a heap-only update.';

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
'Campaigns of which dispatch hands out nothing: one is paused while it has a row. Written by pause_campaign and resume_campaign.';
COMMENT ON COLUMN sendgate.paused_campaigns.campaign_id IS 'The campaign; it need not have any work yet.';
COMMENT ON COLUMN sendgate.paused_campaigns.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.paused_campaigns.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.paused_campaigns', '');

-- What a campaign's prospects were spared, and why. Append-only but for the count of repeats.
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
'account_inmail_credits_exhausted: the breaker. inmail_eligibility: the recipient''s side refuses InMails. recipient_refused: it refuses another action.';
COMMENT ON COLUMN sendgate.campaign_events.operation_id IS
'The attempt that was refused. NULL for a skip of the breaker, which tried nothing.';
COMMENT ON COLUMN sendgate.campaign_events.detail IS
'The provider''s text, cut at 2,000 characters and marked where it was cut. NULL for a skip of the breaker. Foreign text: escape it where you show it.';
COMMENT ON CONSTRAINT campaign_events_type_check ON sendgate.campaign_events IS
'The seeds'' identifier; the only one so far.';

-- A skip of the breaker is written once per piece of work and stamp; what comes after is counted.
CREATE UNIQUE INDEX campaign_events_skip_key
    ON sendgate.campaign_events (account_id, prospect_id, campaign_id, exhausted_at) NULLS NOT DISTINCT
    WHERE exhausted_at IS NOT NULL;
COMMENT ON INDEX sendgate.campaign_events_skip_key IS
'One row per prospect, campaign and stamp, however often the breaker skips the same; NULLs are equal here.';

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
    is_connection boolean DEFAULT false
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_enqueue';
COMMENT ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean) IS
'Puts a prospect to a campaign''s work, due at dispatch_at or now. True: it is new. False: the same campaign, prospect, account and action are there, in whatever state, and nothing changes but a connection flag that becomes true. Holds no account, except for that flag, so whole lists fit in one transaction. Errors: SG001, SG002, SG004, SG007 dispatch_at is infinite, SG101, SG301 the same work is being put in by another transaction, or the account is held.';

CREATE FUNCTION sendgate.cancel(
    campaign_id text,
    prospect_id text,
    account_id text DEFAULT NULL
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
AS 'MODULE_PATHNAME', 'sendgate_cancel';
COMMENT ON FUNCTION sendgate.cancel(text, text, text) IS
'Takes a prospect out of a campaign, for every action, on one account or all: waiting, sending and parked become cancelled. Returns how many. What a worker has already may still be sent, and a delivery makes it done all the same. Cannot be undone. Holds the accounts. Errors: SG001, SG002, SG101 account_id is unknown, SG301.';

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
'Turns a campaign''s waiting work into another action, with attempts from 0; what was deferred or had failed is due now, what enqueue put off stays put off. left_behind is what still waits under the old action: to message, prospects that are no connections, and whoever has work under the new action already. Work in other states stays. Holds all accounts with such work. Logged when something moved. Errors: SG001, SG002, SG004 unknown action, or twice the same, SG301, SG302 the same work is enqueued again and again meanwhile.';

-- Today's skips by campaign, as the campaign's people ask about them: first ones and repeats.
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
'What campaigns were spared since 00:00 UTC, counted by account, campaign, action and reason: what was skipped today for the first time, or again.';
COMMENT ON COLUMN sendgate.skips_today.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.skips_today.campaign_id IS 'The campaign. NULL: the caller named none.';
COMMENT ON COLUMN sendgate.skips_today.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.skips_today.reason IS
'account_inmail_credits_exhausted, inmail_eligibility or recipient_refused.';
COMMENT ON COLUMN sendgate.skips_today.skipped IS
'Events: attempts that were refused, or prospects that the breaker skipped, first or again.';
COMMENT ON COLUMN sendgate.skips_today.repeats IS
'How often these were skipped again under the same stamp, also before today.';
COMMENT ON COLUMN sendgate.skips_today.deferred_to IS
'The latest start of a credit period that any of them was deferred to. NULL: none was.';
COMMENT ON COLUMN sendgate.skips_today.last_at IS 'When the latest of these skips was, first or repeated.';

-- The audit stays as it was written, but for the count of repeats.
CREATE TRIGGER append_only
BEFORE DELETE
OR UPDATE OF id, at, deferred_to, exhausted_at, account_id, prospect_id, campaign_id, action, event_type,
    reason, operation_id, detail
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

-- sql/41_dispatch.sql
-- Dispatch: whom to look at next, and what was handed out.

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

-- Tickets: "look at this account's work of this action no later than then". There may be several of
-- one account and action; dispatch makes them one again. Whoever adds work sees that a ticket lies
-- early enough, and locks it in share mode or adds one of its own: so nobody who enqueues waits for
-- anybody, and no work is forgotten.
CREATE TABLE sendgate.dispatch_queue (
    due_at timestamptz NOT NULL,
    ticket_id uuid NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    CONSTRAINT dispatch_queue_pkey PRIMARY KEY (account_id, action, ticket_id)
) WITH (
    -- A few rows an account, written all day, read from the front: dead ones must go soon.
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

-- What was handed out to a request that its worker may repeat.
CREATE TABLE sendgate.dispatch_requests (
    request_id uuid NOT NULL,
    at timestamptz NOT NULL,
    max_operations integer NOT NULL,
    action sendgate.action_name,
    account_id sendgate.identifier,
    account_ids text[] COLLATE "C" NOT NULL,
    operation_ids uuid[] NOT NULL,
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
COMMENT ON CONSTRAINT dispatch_requests_length_check ON sendgate.dispatch_requests IS
'Both arrays are columns of the same rows.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.dispatch_requests', '');

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
COMMENT ON FUNCTION sendgate.dispatch(integer, text, text, uuid) IS
'Hands out up to max_operations (1 to 1,000) due enrollments, each with a slot, of accounts that every rule lets send; of one action or account if told. No row: nothing may be sent now. An account that somebody else holds is passed over, not waited for, and hides no other. A call defers at most 1,000 enrollments behind open breakers and moves about 10,000 that a rule about their prospect holds back; the next calls do the rest. The same request_id with the same arguments again returns those rows that are still in flight, in time and on a connected account. Commit before you call the provider, and settle every row. Errors: SG001, SG002, SG003, SG004, SG101 account_id is unknown, SG213 the request_id has other arguments, SG301, SG302 no batch held, SG303 another session answered the same request meanwhile: repeat.';

-- sql/50_books.sql
-- The books: the jobs, when they ran, and what they found.

-- The books: what the reconcilers found and did, and when they ran.

-- Each correction of a counter by layer 1. Append-only.
CREATE TABLE sendgate.counter_drift (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    before integer NOT NULL,
    after integer NOT NULL,
    delivered integer NOT NULL,
    reserved integer NOT NULL,
    indeterminate integer NOT NULL,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name NOT NULL,
    period text COLLATE "C" NOT NULL,
    CONSTRAINT counter_drift_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT counter_drift_period_check CHECK (period IN ('day', 'week'))
);

-- The books: what the reconcilers found and did, and when they ran.
COMMENT ON TABLE sendgate.counter_drift IS
'Each counter that layer 1 corrected: what it was, what the journal counts, and of what that is made up. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.counter_drift.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.counter_drift.at IS 'When it was corrected.';
COMMENT ON COLUMN sendgate.counter_drift.day IS 'The UTC day whose counter it was, or the Monday of the week.';
COMMENT ON COLUMN sendgate.counter_drift.before IS 'The counter as it was found, in slots.';
COMMENT ON COLUMN sendgate.counter_drift.after IS 'The counter from then on: delivered, reserved and indeterminate together.';
COMMENT ON COLUMN sendgate.counter_drift.delivered IS 'Operations delivered on the day or in the week.';
COMMENT ON COLUMN sendgate.counter_drift.reserved IS 'Operations in flight or expired: they hold their slots.';
COMMENT ON COLUMN sendgate.counter_drift.indeterminate IS 'Operations of unknown outcome: they hold their slots too.';
COMMENT ON COLUMN sendgate.counter_drift.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.counter_drift.action IS 'Whose counter: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.counter_drift.period IS 'day or week: which of the action''s two counters.';

CREATE INDEX counter_drift_at_idx ON sendgate.counter_drift USING brin (at);
SELECT pg_catalog.pg_extension_config_dump('sendgate.counter_drift', '');

-- The heartbeat: a row for every run of a job, also for one that found nothing, failed or died.
CREATE TABLE sendgate.reconcile_runs (
    run_id uuid NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    finished_at timestamptz,
    checked bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    batches integer NOT NULL DEFAULT 0,
    backend_pid integer NOT NULL,
    actor text NOT NULL,
    error text,
    CONSTRAINT reconcile_runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT reconcile_runs_state_check CHECK (state IN ('running', 'ok', 'failed', 'crashed')),
    CONSTRAINT reconcile_runs_finished_check CHECK ((state = 'running') = (finished_at IS NULL))
);
COMMENT ON TABLE sendgate.reconcile_runs IS
'The heartbeat: a row for every run of a job, also for one that found nothing, failed or died. A run is one or more batches; called by hand, each batch is a run of its own.';
COMMENT ON COLUMN sendgate.reconcile_runs.run_id IS 'A UUID of version 7: later runs are greater.';
COMMENT ON COLUMN sendgate.reconcile_runs.job IS 'midnight_reset, audit_events, reconcile_operations or prune.';
COMMENT ON COLUMN sendgate.reconcile_runs.state IS
'running, ok, failed (its caller recorded the error), or crashed: its process was gone when the next run began.';
COMMENT ON COLUMN sendgate.reconcile_runs.started_at IS 'When it began.';
COMMENT ON COLUMN sendgate.reconcile_runs.beat_at IS 'When it began, or ended its last batch. A run that is silent for a minute, while nobody holds its job, has died.';
COMMENT ON COLUMN sendgate.reconcile_runs.finished_at IS 'When it ended, or was found dead; NULL while it runs.';
COMMENT ON COLUMN sendgate.reconcile_runs.checked IS 'Rows looked at so far: accounts, or for prune rows removed.';
COMMENT ON COLUMN sendgate.reconcile_runs.changed IS 'Accounts corrected or reset, alerts raised, or rows removed.';
COMMENT ON COLUMN sendgate.reconcile_runs.batches IS 'Transactions that the run took so far.';
COMMENT ON COLUMN sendgate.reconcile_runs.backend_pid IS 'The server process that ran it.';
COMMENT ON COLUMN sendgate.reconcile_runs.actor IS 'Who ran it: the session user, or whom the daemon named.';
COMMENT ON COLUMN sendgate.reconcile_runs.error IS 'What failed, cut at 2,000 characters; NULL otherwise.';

CREATE INDEX reconcile_runs_job_idx ON sendgate.reconcile_runs (job, started_at);

-- Each batch looks for the runs that have not ended, among ninety days of those that have.
CREATE INDEX reconcile_runs_running_idx ON sendgate.reconcile_runs (job) WHERE state = 'running';
SELECT pg_catalog.pg_extension_config_dump('sendgate.reconcile_runs', '');

-- One row a job: who holds it runs the job, and it says where the sweep goes on. Shipped, not dumped:
-- after a restore every job is due.
CREATE TABLE sendgate.jobs (
    job text COLLATE "C" NOT NULL,
    every interval NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    sweep_started_at timestamptz,
    sweep_finished_at timestamptz,
    next_day date,
    next_account text COLLATE "C",
    -- A quarantine is known by its id, not by a time: runs of a backup may lie in the future.
    sweep_under uuid,
    sweep_passed_over bigint NOT NULL DEFAULT 0,
    whole_under uuid,
    CONSTRAINT jobs_pkey PRIMARY KEY (job)
);
COMMENT ON TABLE sendgate.jobs IS
'One row a job: whoever holds the row runs the job, and the row says when its last sweep was and where one that is under way goes on. Not dumped: after a restore every job is due.';
COMMENT ON COLUMN sendgate.jobs.job IS 'midnight_reset, audit_events, reconcile_operations or prune.';
COMMENT ON COLUMN sendgate.jobs.every IS 'How often it is due. A day means at 00:00 UTC.';
COMMENT ON COLUMN sendgate.jobs.since IS 'When the job was installed: one that never ran is late from here on.';
COMMENT ON COLUMN sendgate.jobs.sweep_started_at IS 'When the last sweep began; NULL before the first.';
COMMENT ON COLUMN sendgate.jobs.sweep_finished_at IS 'When the last sweep that came to its end began its last batch; NULL before the first.';
COMMENT ON COLUMN sendgate.jobs.next_day IS 'With next_account, the last row of the batch before; NULL when no sweep is under way.';
COMMENT ON COLUMN sendgate.jobs.next_account IS 'The account after which the sweep goes on; of prune the table and page where it does, and how long it keeps. NULL when no sweep is under way.';
COMMENT ON COLUMN sendgate.jobs.sweep_under IS 'The quarantine under which the last sweep began; NULL without one. Only of audit_events and reconcile_operations.';
COMMENT ON COLUMN sendgate.jobs.sweep_passed_over IS 'Accounts that wanted a closer look and that the last sweep left to the next, because somebody held them.';
COMMENT ON COLUMN sendgate.jobs.whole_under IS 'The last quarantine under which a sweep began, met every account and came to its end.';

INSERT INTO sendgate.jobs (job, every)
VALUES
    ('midnight_reset', interval '1 day'),
    ('audit_events', interval '10 minutes'),
    ('reconcile_operations', interval '10 minutes'),
    ('prune', interval '1 day');

-- The jobs of the books. Each is one bounded batch in one transaction; call again while more is true.
CREATE FUNCTION sendgate.audit_events(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_audit_events';
COMMENT ON FUNCTION sendgate.audit_events(integer) IS
'Layer 2, one batch: compares today''s InMail counters with the delivered events. More than 5 ahead (what is in flight not counted) or behind raises an alert, which resolves by itself; at 120 percent of the day''s highest cap the account cools down for an hour, once a day. Changes no counter. Call again while more is true; run it before reconcile_operations, which heals what it looks for. Errors: SG001, SG003 max_accounts outside 1 to 10,000, SG301.';

CREATE FUNCTION sendgate.reconcile_operations(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_reconcile_operations';
COMMENT ON FUNCTION sendgate.reconcile_operations(integer) IS
'Layer 1, one batch: sets the counters of accounts that were active this week or the one before to what the journal counts, raised or lowered, never below what is in flight; each correction is a row of counter_drift. Parks campaign work whose operation nobody answered in time. Accounts that somebody holds are left to the next sweep. Errors: SG001, SG003.';

CREATE FUNCTION sendgate.midnight_reset(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_midnight_reset';
COMMENT ON FUNCTION sendgate.midnight_reset(integer) IS
'One batch: writes down what every read sees anyway, that accounts with counters of an older day begin at 0. Safe at any time, late, or twice. Errors: SG001, SG003.';

CREATE FUNCTION sendgate.prune(
    keep interval DEFAULT '90 days',
    keep_events interval DEFAULT '400 days',
    max_rows integer DEFAULT 10000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_prune';
COMMENT ON FUNCTION sendgate.prune(interval, interval, integer) IS
'One batch: removes settled operations, logs, runs, resolved alerts and finished enrollments older than keep, and events older than keep_events; never unresolved operations, lines nobody has taken, nor anything of the last 32 days. Errors: SG001, SG003 max_rows outside 1 to 1,000,000, SG007 too short or with months.';

CREATE FUNCTION sendgate.record_run_failure(
    job text,
    error text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_record_run_failure';
COMMENT ON FUNCTION sendgate.record_run_failure(text, text) IS
'Records that a run of a job failed; for the caller, because an error takes the run''s own row with it. Errors: SG001, SG004 unknown job.';

-- Whether a job is to be run now; if so, leaves the heartbeat of a run that has begun.
CREATE FUNCTION sendgate.begin_run(
    job text
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_begin_run';
COMMENT ON FUNCTION sendgate.begin_run(text) IS
'Whether a job is due now, by the database''s own record and clock, and nobody else runs it; if so, leaves the heartbeat of a run that has begun. Commit, then call the job while more is true. Runs whose process is gone are marked as crashed here. Errors: SG001, SG004 unknown job.';

-- Whatever is due, for pg_cron and the daemon alike. A procedure with the caller's rights: it commits
-- between batches, which a function with its own rights cannot.
CREATE PROCEDURE sendgate.tick()
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
            -- A sweep rests for twice as long as a batch took: workers have the rest of the machine.
            IF more THEN
                PERFORM pg_catalog.pg_sleep(LEAST(2.0, pg_catalog.date_part('epoch',
                    (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began) OPERATOR(pg_catalog.*) 2.0)));
            END IF;
        END LOOP;
    END LOOP;
END
$tick$;
COMMENT ON PROCEDURE sendgate.tick() IS
'Runs every job that is due to its end, committing between batches; a job that fails is recorded and stops no other. For pg_cron, once a minute: CALL sendgate.tick(). Two at once do nothing twice.';

-- Whether the books are being kept: a line a job.
CREATE VIEW sendgate.reconciler_health AS
SELECT j.job, r.state AS last_state, r.started_at AS last_run, c.at - r.started_at AS age,
       r.checked, r.changed, r.error, j.sweep_finished_at AS last_success,
       coalesce(j.sweep_finished_at < c.at - 2 * j.every, true) AS stale
FROM sendgate.jobs j
CROSS JOIN (SELECT sendgate.clock() AS at) c
LEFT JOIN LATERAL (
    SELECT h.state, h.started_at, h.checked, h.changed, h.error
    FROM sendgate.reconcile_runs h
    WHERE h.job = j.job
    ORDER BY h.started_at DESC, h.run_id DESC
    LIMIT 1
) r ON true;
COMMENT ON VIEW sendgate.reconciler_health IS
'Whether the books are being kept: a line a job, with its last run of whatever end.';
COMMENT ON COLUMN sendgate.reconciler_health.job IS 'The job.';
COMMENT ON COLUMN sendgate.reconciler_health.last_state IS 'How its last run ended, or running; NULL when it never ran.';
COMMENT ON COLUMN sendgate.reconciler_health.last_run IS 'When that run began.';
COMMENT ON COLUMN sendgate.reconciler_health.age IS 'How long ago that was.';
COMMENT ON COLUMN sendgate.reconciler_health.checked IS 'Rows that run looked at.';
COMMENT ON COLUMN sendgate.reconciler_health.changed IS 'Rows that run changed.';
COMMENT ON COLUMN sendgate.reconciler_health.error IS 'What failed, if it failed.';
COMMENT ON COLUMN sendgate.reconciler_health.last_success IS 'The last sweep that came to its end; NULL before the first.';
COMMENT ON COLUMN sendgate.reconciler_health.stale IS
'Whether the job missed two runs, or never ran: start the daemon or the pg_cron job, or look at error.';

-- What keeps everything paused after a restore: no line unless quarantine was called.
CREATE VIEW sendgate.quarantine_progress AS
SELECT p.quarantined_at, p.actor, p.note,
       coalesce(a.whole_under = p.quarantine_id, false) AS audited,
       coalesce(r.whole_under = p.quarantine_id, false) AS reconciled
FROM sendgate.pause_switch p
LEFT JOIN sendgate.jobs a ON a.job = 'audit_events'
LEFT JOIN sendgate.jobs r ON r.job = 'reconcile_operations'
WHERE p.quarantine_id IS NOT NULL;
COMMENT ON VIEW sendgate.quarantine_progress IS
'What keeps everything in quarantine: one line while quarantine holds, none otherwise. Once audited and reconciled are both true, resume_all is accepted.';
COMMENT ON COLUMN sendgate.quarantine_progress.quarantined_at IS 'When quarantine was last called.';
COMMENT ON COLUMN sendgate.quarantine_progress.actor IS 'Who called it.';
COMMENT ON COLUMN sendgate.quarantine_progress.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.quarantine_progress.audited IS 'Whether a sweep of audit_events, layer 2, began since then, met every account and ended.';
COMMENT ON COLUMN sendgate.quarantine_progress.reconciled IS 'Whether a sweep of reconcile_operations, layer 1, began since then, met every account and ended.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.counter_drift
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.counter_drift
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only_truncate;

-- sql/51_alerts.sql
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
'What somebody should look at. At most one open alert per account, kind and day; closed ones stay as history.';
COMMENT ON COLUMN sendgate.alerts.alert_id IS 'The alert.';
COMMENT ON COLUMN sendgate.alerts.account_id IS 'The account that it is about.';
COMMENT ON COLUMN sendgate.alerts.kind IS
'delivered_after_rollback: a slot was given back and the send arrived all the same. clock_behind_row: the account''s day is ahead of the clock; see repair_day. undecidable_account: dispatch cannot decide about it, because the server no longer knows its time zone; upsert_account with a time_zone resolves it. poisoned_enrollment: PostgreSQL refuses to hand out an enrollment and to park it; the others go out. counter_ahead_of_events, counter_behind_events: the InMail counter and the proven deliveries of the day differ. over_cap: the counter is at 120 percent of the cap or more, and the account cools down for an hour. unreserved_send: an InMail was proven that nobody asked the gate for. operations_expired: sends whose outcome nobody reported in time. reconciler_stale: jobs missed two runs; the account is *.';
COMMENT ON COLUMN sendgate.alerts.day IS
'The UTC day that it is about: the day on which the slot counts, or today.';
COMMENT ON COLUMN sendgate.alerts.detail IS
'What was seen, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.alerts.opened_at IS 'When it was first seen.';
COMMENT ON COLUMN sendgate.alerts.acknowledged_by IS 'Who took it on. NULL: nobody yet.';
COMMENT ON COLUMN sendgate.alerts.acknowledged_at IS 'When it was taken on.';
COMMENT ON COLUMN sendgate.alerts.acknowledge_note IS 'What was said then.';
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
'What of it: an action, a field, tier/action, the order of a rule, an operation, or a campaign.';
COMMENT ON COLUMN sendgate.admin_log.before IS 'The value before. NULL: there was none.';
COMMENT ON COLUMN sendgate.admin_log.after IS 'The value afterwards. NULL: there is none.';
COMMENT ON COLUMN sendgate.admin_log.note IS 'Why, in the operator''s words.';

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
'What was seen, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.open_alerts.opened_at IS 'When it was first seen.';
COMMENT ON COLUMN sendgate.open_alerts.acknowledged_by IS 'Who took it on. NULL: nobody yet.';

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

-- sql/60_cards.sql
-- A line an account, as a dashboard shows it.

CREATE VIEW sendgate.account_cards AS
SELECT a.id AS account_id, a.display_name, a.status, a.tier,
       k.sent_today AS inmails_sent_today, k.daily_cap AS inmail_daily_cap,
       coalesce(d.delivered_today, 0) AS inmails_delivered_today,
       coalesce(f.in_flight, 0) AS in_flight,
       coalesce(f.unresolved, 0) AS unresolved,
       a.cooldown_until,
       b.pill, b.state AS breaker, b.resumes_at,
       k.sent_today - coalesce(d.delivered_today, 0) - coalesce(f.inmails_open_today, 0) AS drift,
       w.waiting, w.deferred, w.parked,
       coalesce(s.skipped_today, 0) AS skipped_today
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
JOIN sendgate.counters k ON k.account_id = a.id AND k.action = 'inmail'
JOIN sendgate.breakers b ON b.account_id = a.id
LEFT JOIN LATERAL (
    SELECT count(*) AS delivered_today
    FROM sendgate.linkedin_events e
    WHERE e.account_id = a.id AND e.event_type = 'inmail_sent'
      AND e.occurred_at >= c.at - interval '2 days'
      AND e.counted_on = (c.at AT TIME ZONE 'UTC')::date
) d ON true
LEFT JOIN (
    SELECT o.account_id,
           count(*) FILTER (WHERE o.state = 'reserved' AND NOT o.expired) AS in_flight,
           count(*) FILTER (WHERE o.state = 'indeterminate' OR o.expired) AS unresolved,
           count(*) FILTER (WHERE o.action = 'inmail' AND o.counted_on >= (c.at AT TIME ZONE 'UTC')::date)
               AS inmails_open_today
    FROM sendgate.operations_unresolved o
    CROSS JOIN (SELECT sendgate.clock() AS at) c
    GROUP BY o.account_id
) f ON f.account_id = a.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE e.state = 'waiting' AND e.reason = 'account_inmail_credits_exhausted')
               AS deferred,
           count(*) FILTER (WHERE e.state = 'parked') AS parked
    FROM sendgate.enrollments e
    WHERE e.account_id = a.id
) w
LEFT JOIN (
    SELECT t.account_id, sum(t.skipped)::bigint AS skipped_today
    FROM sendgate.skips_today t
    GROUP BY t.account_id
) s ON s.account_id = a.id;
COMMENT ON VIEW sendgate.account_cards IS
'One line per account as a dashboard shows it: the InMail counter next to its cap and to what was proven, what is open, and in words why InMails stopped.';
COMMENT ON COLUMN sendgate.account_cards.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.account_cards.display_name IS 'What people call the account.';
COMMENT ON COLUMN sendgate.account_cards.status IS 'connected, paused, restricted or disconnected.';
COMMENT ON COLUMN sendgate.account_cards.tier IS 'The account''s tier.';
COMMENT ON COLUMN sendgate.account_cards.inmails_sent_today IS 'InMail slots taken today (UTC).';
COMMENT ON COLUMN sendgate.account_cards.inmail_daily_cap IS 'The effective InMail cap today, ramp included.';
COMMENT ON COLUMN sendgate.account_cards.inmails_delivered_today IS
'inmail_sent events that count on today. Behind inmails_sent_today by what is in flight or unknown.';
COMMENT ON COLUMN sendgate.account_cards.in_flight IS
'Operations of every action that are reserved and not expired.';
COMMENT ON COLUMN sendgate.account_cards.unresolved IS
'Operations of every action that are expired or indeterminate; they wait for an operator.';
COMMENT ON COLUMN sendgate.account_cards.cooldown_until IS
'Until when every action is refused after a rate limit; in the past: over.';
COMMENT ON COLUMN sendgate.account_cards.pill IS
'Why InMails are stopped, for people, with the UTC day on which they resume. NULL: the breaker does not stop them.';
COMMENT ON COLUMN sendgate.account_cards.breaker IS
'closed, open, forced_open or forced_closed, as of the clock.';
COMMENT ON COLUMN sendgate.account_cards.resumes_at IS
'Start of the credit period after the stamp. NULL: no stamp.';
COMMENT ON COLUMN sendgate.account_cards.drift IS
'InMail slots taken today that neither a delivery nor an open operation of today accounts for; 0 when the books agree, negative when the counter is behind.';
COMMENT ON COLUMN sendgate.account_cards.waiting IS
'Enrollments of the account that wait, deferred ones included.';
COMMENT ON COLUMN sendgate.account_cards.deferred IS
'Of those, how many the InMail breaker has deferred to the next credit period.';
COMMENT ON COLUMN sendgate.account_cards.parked IS
'Enrollments that want a person: an unknown outcome, too many attempts, or a row that could not be sent.';
COMMENT ON COLUMN sendgate.account_cards.skipped_today IS
'Prospects of the account that were skipped today (UTC), each once for every reason and stamp.';

-- sql/70_defaults.sql
-- Daily and weekly caps by tier. InMail caps are the published safe band of the seeds' platform
-- (free 0, Premium 25, Sales Navigator and Recruiter 50); the others are our own, conservative.
INSERT INTO sendgate.tier_defaults (tier, action, daily_cap, weekly_cap, credits_a_month, credits_ceiling)
SELECT t.tier, c.action, c.daily_cap, c.weekly_cap, t.credits_a_month, t.credits_ceiling
FROM (
    VALUES
        ('free', 0, 10, 50, 25, 40, 20, 0, 0),
        ('premium_career', 25, 15, 80, 50, 80, 40, 5, 15),
        ('premium_business', 25, 20, 100, 50, 80, 40, 15, 45),
        ('sales_navigator', 50, 25, 100, 80, 120, 60, 50, 150),
        ('recruiter_lite', 50, 25, 100, 80, 120, 60, 30, 120),
        ('recruiter', 50, 25, 100, 80, 120, 60, 150, 600)
) AS t (tier, inmail, invite, invite_week, message, profile_view, engagement, credits_a_month, credits_ceiling)
CROSS JOIN LATERAL (
    VALUES
        ('inmail', t.inmail, NULL::integer),
        ('invite', t.invite, t.invite_week),
        ('message', t.message, NULL),
        ('profile_view', t.profile_view, NULL),
        ('engagement', t.engagement, NULL)
) AS c (action, daily_cap, weekly_cap);

-- The provider's documented types, exact, with or without the prefix "errors/".
INSERT INTO sendgate.error_rule_defaults (rule_order, error_type, outcome, action)
VALUES
    (1000, 'errors/insufficient_credits', 'credits_exhausted', 'inmail'),
    (1010, 'errors/blocked_recipient', 'recipient_refused', NULL),
    (1011, 'errors/user_unreachable', 'recipient_refused', NULL),
    (1012, 'errors/recipient_cannot_be_reached', 'recipient_refused', NULL),
    (1013, 'errors/invalid_recipient', 'recipient_refused', NULL),
    (1014, 'errors/no_connection_with_recipient', 'recipient_refused', NULL),
    (1015, 'errors/not_allowed_inmail', 'recipient_refused', NULL),
    (1016, 'errors/cannot_resend_yet', 'recipient_refused', NULL),
    (1017, 'errors/cannot_resend_within_24hrs', 'recipient_refused', NULL),
    (1018, 'errors/already_invited_recently', 'recipient_refused', NULL),
    (1019, 'errors/already_connected', 'recipient_refused', NULL),
    (1020, 'errors/cannot_invite_attendee', 'recipient_refused', NULL),
    (1021, 'errors/recipient_rejected', 'recipient_refused', NULL),
    (1022, 'errors/resource_not_found', 'recipient_refused', NULL),
    (1040, 'errors/too_many_requests', 'rate_limited', NULL),
    (1041, 'errors/limit_exceeded', 'rate_limited', NULL),
    (1042, 'errors/connection_limit_reached', 'rate_limited', NULL),
    (1050, 'errors/account_restricted', 'account_restricted', NULL),
    (1060, 'errors/invalid_credentials', 'auth_lost', NULL),
    (1061, 'errors/expired_credentials', 'auth_lost', NULL),
    (1062, 'errors/disconnected_account', 'auth_lost', NULL),
    (1063, 'errors/checkpoint_error', 'auth_lost', NULL),
    (1070, 'errors/request_timeout', 'indeterminate', NULL);

-- Statuses after which the message may have been sent all the same. 503 says it was not taken.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1100, '408', 'indeterminate'),
    (1101, '503', 'transient'),
    (1102, '5xx', 'indeterminate');

-- Text of the message, as a literal in any case.
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, outcome, action)
VALUES
    (1200, 'credit', 'credits_exhausted', 'inmail'),
    (1210, 'blocked', 'recipient_refused', NULL),
    (1211, 'ineligible', 'recipient_refused', NULL),
    (1212, 'not eligible', 'recipient_refused', NULL),
    (1213, 'opted out', 'recipient_refused', NULL),
    (1214, 'deleted', 'recipient_refused', NULL),
    (1215, 'not found', 'recipient_refused', NULL);

-- What is left, by status.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1300, '429', 'rate_limited'),
    (1310, '401', 'auth_lost'),
    (1311, '403', 'auth_lost'),
    (1320, '4xx', 'recipient_refused');

-- sql/90_privileges.sql
-- Everything belongs to a role that nobody can log in as; the functions act with its rights.
DO $owner$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT c.oid::pg_catalog.regclass AS name, c.relkind
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO sendgate_owner',
            CASE object.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, object.name);
    END LOOP;
    FOR object IN
        SELECT p.oid::pg_catalog.regprocedure AS name
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO sendgate_owner', object.name);
    END LOOP;
    -- Domains and the row types of tables and views: PostgreSQL lets everybody use a new type.
    FOR object IN
        SELECT t.oid::pg_catalog.regtype AS name, t.typtype
        FROM pg_catalog.pg_type t
        WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace AND t.typtype IN ('c', 'd')
    LOOP
        IF object.typtype = 'd' THEN
            EXECUTE pg_catalog.format('ALTER DOMAIN %s OWNER TO sendgate_owner', object.name);
        END IF;
        EXECUTE pg_catalog.format('REVOKE ALL ON TYPE %s FROM PUBLIC', object.name);
    END LOOP;
END
$owner$;
ALTER TYPE sendgate.decision OWNER TO sendgate_owner;
ALTER TYPE sendgate.breaker_answer OWNER TO sendgate_owner;
ALTER TYPE sendgate.dispatched OWNER TO sendgate_owner;
ALTER SCHEMA sendgate OWNER TO sendgate_owner;

REVOKE ALL ON SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON TYPE sendgate.decision, sendgate.breaker_answer, sendgate.dispatched FROM PUBLIC;

GRANT USAGE ON SCHEMA sendgate TO sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon;
GRANT USAGE ON TYPE sendgate.decision, sendgate.breaker_answer, sendgate.dispatched
    TO sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon;

-- Applications.
GRANT EXECUTE ON FUNCTION
    sendgate.clock(),
    sendgate.reserve(text, text, text, text, uuid),
    sendgate.preview(text, text, text),
    sendgate.confirm(text, uuid, text, timestamptz),
    sendgate.rollback(text, uuid, text, text, integer, interval),
    sendgate.breaker_check(text, text, text),
    sendgate.breaker_report(text, text, text, text, integer),
    sendgate.enqueue(text, text, text, text, timestamptz, boolean),
    sendgate.dispatch(integer, text, text, uuid),
    sendgate.cancel(text, text, text),
    sendgate.confirm_many(text[], uuid[], text[]),
    sendgate.rollback_many(text[], uuid[], text[], text[], integer[], interval[]),
    sendgate.record_external_send(text, text, text, text, timestamptz),
    sendgate.guard_send(),
    sendgate.settle_send()
TO sendgate_sender;

-- Readers: the views, the logs, and the pure functions that the views call with their rights.
GRANT SELECT ON
    sendgate.linkedin_accounts, sendgate.account_cards, sendgate.breakers, sendgate.counters,
    sendgate.delivered_daily, sendgate.operations_unresolved, sendgate.open_alerts, sendgate.tiers,
    sendgate.error_rules, sendgate.linkedin_events, sendgate.send_operations, sendgate.breaker_log,
    sendgate.alerts, sendgate.enrollments, sendgate.campaign_events, sendgate.paused_campaigns,
    sendgate.skips_today, sendgate.counter_drift, sendgate.reconcile_runs, sendgate.reconciler_health,
    sendgate.pause_switch, sendgate.quarantine_progress
TO sendgate_reader;
GRANT EXECUTE ON FUNCTION
    sendgate.clock(),
    sendgate.sent_as_of(integer, date, timestamptz),
    sendgate.sent_this_week_as_of(integer, date, timestamptz),
    sendgate.effective_cap(integer, boolean, integer, boolean, date, integer, integer, timestamptz),
    sendgate.breaker_state(text, timestamptz, integer, timestamptz),
    sendgate.next_credit_period(integer, timestamptz),
    sendgate.window_days_array(integer),
    sendgate.refusal_counts()
TO sendgate_reader;

-- Whoever has to say why an account does not send asks the gate itself.
GRANT EXECUTE ON FUNCTION sendgate.preview(text, text, text) TO sendgate_operator, sendgate_daemon;

-- Operators, and the daemon on behalf of an operator whom it names in sendgate.actor.
GRANT SELECT ON sendgate.admin_log TO sendgate_operator;
GRANT EXECUTE ON FUNCTION
    sendgate.upsert_account(text, text, text, text, time, time, integer[], integer, boolean),
    sendgate.set_window(text, time, time, integer[]),
    sendgate.set_status(text, text, text),
    sendgate.set_cap(text, text, integer, integer, text),
    sendgate.set_tier_cap(text, text, integer, integer, interval, integer),
    sendgate.drop_tier_cap(text, text),
    sendgate.set_error_rule(integer, text, text, text, text, text),
    sendgate.drop_error_rule(integer),
    sendgate.pause_all(text),
    sendgate.quarantine(text),
    sendgate.resume_all(),
    sendgate.clear_cooldown(text, text),
    sendgate.repair_day(text, text),
    sendgate.resolve_operation(text, uuid, boolean, text, text),
    sendgate.acknowledge_alert(uuid, text),
    sendgate.pause_campaign(text),
    sendgate.resume_campaign(text),
    sendgate.resume_deferred(text),
    sendgate.switch_action(text, text, text),
    sendgate.breaker_clear(text, text),
    sendgate.breaker_arm(text, text),
    sendgate.breaker_probe(text, text),
    sendgate.breaker_force(text, text, text)
TO sendgate_operator, sendgate_daemon;

-- The jobs and the outbox.
GRANT EXECUTE ON FUNCTION
    sendgate.audit_events(integer),
    sendgate.reconcile_operations(integer),
    sendgate.midnight_reset(integer),
    sendgate.prune(interval, interval, integer),
    sendgate.begin_run(text),
    sendgate.record_run_failure(text, text),
    sendgate.take_breaker_lines(integer)
TO sendgate_daemon;
GRANT EXECUTE ON PROCEDURE sendgate.tick() TO sendgate_daemon;
GRANT SELECT ON sendgate.breaker_outbox TO sendgate_daemon;
