-- Closed lists and ranges, the clock, and the two functions that the append-only and configuration tables share.

-- Closed lists and ranges are domains, not table constraints: PostgreSQL parses a table's CHECK anew
-- for every statement that writes a row (measured at 40 microseconds a row, more than everything
-- else that a grant does), but keeps a domain's in memory. Rules over several columns are one short
-- CHECK a table; of accounts, a trigger on these columns, so that a grant, which leaves them alone, pays nothing.
CREATE DOMAIN sendgate.identifier AS text COLLATE "C" CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 128);

COMMENT ON DOMAIN sendgate.identifier IS
    'An id of the application: 1 to 128 characters, compared byte by byte, so that no update of the operating system''s collations can corrupt its index.';

CREATE DOMAIN sendgate.display_name AS text CHECK (pg_catalog.char_length(VALUE) BETWEEN 1 AND 200);
COMMENT ON DOMAIN sendgate.display_name IS
    'A name for people: 1 to 200 characters.';

CREATE DOMAIN sendgate.chat_reference AS text COLLATE "C"
    CHECK (
        pg_catalog.char_length(VALUE) <= 2000
        -- A chat id of invisible characters is no proof. Under "C" [:space:] matches ASCII only, hence the list.
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
    CHECK (VALUE IN ('released', 'credits_exhausted', 'recipient_refused', 'recipient_later', 'rejected',
                     'transient', 'rate_limited', 'action_unavailable', 'account_restricted', 'auth_lost',
                     'indeterminate', 'not_sent'));
COMMENT ON DOMAIN sendgate.operation_outcome IS
    'What an attempt came to, as the classifier read the provider''s answer; not_sent is an operator''s verdict.';

CREATE DOMAIN sendgate.event_type AS text COLLATE "C"
    CHECK (VALUE IN ('inmail_sent', 'invite_sent', 'message_sent', 'profile_view_sent', 'engagement_sent'));
COMMENT ON DOMAIN sendgate.event_type IS
    'A delivered action: the action''s name and _sent.';

CREATE DOMAIN sendgate.http_status_pattern AS text COLLATE "C" CHECK (VALUE ~ '^([1-5]xx|[1-5][0-9][0-9])( or none)?$');
COMMENT ON DOMAIN sendgate.http_status_pattern IS
    'One HTTP status, such as 429, or a class, such as 4xx; with " or none" behind it, a missing one as well.';

CREATE DOMAIN sendgate.slot_count AS integer CHECK (VALUE >= 0);
COMMENT ON DOMAIN sendgate.slot_count IS
    'A count, of slots or attempts: never negative.';

CREATE DOMAIN sendgate.month_day AS smallint CHECK (VALUE BETWEEN 1 AND 31);
COMMENT ON DOMAIN sendgate.month_day IS
    'A day of the month, 1 to 31; a month too short uses its last day.';

CREATE DOMAIN sendgate.weekday_mask AS smallint CHECK (VALUE BETWEEN 1 AND 127);
COMMENT ON DOMAIN sendgate.weekday_mask IS
    'ISO weekdays as bits: 1 = Monday, 2 = Tuesday, 4 = Wednesday … 64 = Sunday.';

CREATE DOMAIN sendgate.week_start AS date;
COMMENT ON DOMAIN sendgate.week_start IS
    'The first of seven UTC days; before 0.3.0 a Monday.';

CREATE DOMAIN sendgate.step_number AS smallint CHECK (VALUE BETWEEN 1 AND 1000);
COMMENT ON DOMAIN sendgate.step_number IS
    'Which message of a sequence, 1 to 1,000.';

CREATE DOMAIN sendgate.work_priority AS smallint CHECK (VALUE BETWEEN -100 AND 100);
COMMENT ON DOMAIN sendgate.work_priority IS
    'How urgent campaign work is, -100 to 100: the highest goes first.';

CREATE DOMAIN sendgate.work_payload AS jsonb CHECK (pg_catalog.octet_length(VALUE::text) <= 8192);
COMMENT ON DOMAIN sendgate.work_payload IS
    'What a worker gets with campaign work: at most 8,192 bytes of text.';

CREATE DOMAIN sendgate.enrollment_state AS text COLLATE "C"
    CHECK (VALUE IN ('waiting', 'sending', 'done', 'parked', 'cancelled'));

COMMENT ON DOMAIN sendgate.enrollment_state IS
'State of a piece of campaign work: waiting (to be dispatched when it is due), sending (a worker has it), done (delivered, or refused for good by the recipient''s side), parked (wants a person) or cancelled.';

-- Rules that are too long to be parsed for every write; in Rust.
CREATE FUNCTION sendgate.is_sound_history(
    sent_before bytea,
    failures jsonb
) RETURNS boolean
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_is_sound_history';
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

-- The one clock. Views call it, so every role that may read a view may call it.

CREATE FUNCTION sendgate.clock() RETURNS timestamptz
LANGUAGE c
VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sendgate_clock';

COMMENT ON FUNCTION sendgate.clock() IS
'The instant by which sendgate decides: the real time, read anew at each call, or the test clock''s where sendgate.test_clock is on. Not now(), which stands still in a transaction.';

-- Triggers of sendgate's own tables.
CREATE FUNCTION sendgate.append_only() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_append_only';

COMMENT ON FUNCTION sendgate.append_only() IS
'Trigger that refuses UPDATE, DELETE and TRUNCATE with SG210: what happened stays written. On campaign_events the count of repeats may change.';

CREATE FUNCTION sendgate.config_changed() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_config_changed';
COMMENT ON FUNCTION sendgate.config_changed() IS
'Trigger that tells every backend, when the change commits, to compile tiers, rules and the switch anew.';
