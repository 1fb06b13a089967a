-- Accounts: one row an account, one lock, one decision.

-- The hot row. One account = one row = one lock = one decision. Fixed-width columns come first;
-- columns that are mostly NULL come last and cost one bit. Nothing that a grant changes is
-- indexed, so that every grant is a HOT update.
CREATE TABLE sendgate.accounts (
    version bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    week sendgate.week_start,
    inmails_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    invites_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    messages_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    profile_views_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    engagements_sent_today sendgate.slot_count NOT NULL DEFAULT 0,
    inmails_sent_this_week sendgate.slot_count,
    invites_sent_this_week sendgate.slot_count,
    messages_sent_this_week sendgate.slot_count,
    profile_views_sent_this_week sendgate.slot_count,
    engagements_sent_this_week sendgate.slot_count,
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
    inmail_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    invite_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    message_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    profile_view_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    engagement_attempts_today sendgate.slot_count NOT NULL DEFAULT 0,
    sent_before sendgate.days_before,
    failures sendgate.failures_by_action,
    pace_gap sendgate.pace_gap,
    pace_jitter_percent sendgate.percentage,
    pace_spread boolean,
    enforcement sendgate.enforcement_mode,
    turns jsonb,
    credits_left integer,
    credits_base integer,
    credits_since timestamptz,
    credits_observed_at timestamptz,
    credits_spent_at timestamptz,
    credit_reset_changed_at timestamptz,
    inmail_credits_stamp sendgate.stamp_source,
    inmail_credits_above integer,
    CONSTRAINT accounts_pkey PRIMARY KEY (id)
) WITH (fillfactor = 70);

COMMENT ON TABLE sendgate.accounts IS
'One row per account, and every decision about the account is made on this row alone: one account, one row, one lock. Counters are as of the row''s own day; read the view linkedin_accounts for their value now. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.accounts.version IS
'Counts the writes of the row. A decision made before the row was held is written only if the version is still the one it was made on.';
COMMENT ON COLUMN sendgate.accounts.day IS
'The UTC day that the daily counters belong to. It moves on with the first write of a new day and never goes back by itself, so a clock that jumps back frees no slots; repair_day mends such a row.';
COMMENT ON COLUMN sendgate.accounts.week IS
'Not used since 0.3.0, kept for backups of earlier versions: a week is the last seven days, see sent_before.';
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
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.invites_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.messages_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.profile_views_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
COMMENT ON COLUMN sendgate.accounts.engagements_sent_this_week IS
'Not used since 0.3.0, kept for backups of earlier versions.';
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
'Until when every action of the account is refused, after a rate limit or an audit. NULL or past: no cooldown. Never shortened by a later, shorter one.';
COMMENT ON COLUMN sendgate.accounts.inmail_credits_exhausted_at IS
'The breaker''s stamp: when the InMail credits of this credit period were first found exhausted. Raw until a clear; whether it still stops InMails is in the view breakers.';
COMMENT ON COLUMN sendgate.accounts.breaker_cleared_at IS
'The last clear. A credits error of an operation reserved before it is stale and does not stamp again.';
COMMENT ON COLUMN sendgate.accounts.probe_lease_until IS
'When the permit for a single test InMail through the open breaker lapses, taken or not; a permit can therefore never be stuck. NULL: there is none.';
COMMENT ON COLUMN sendgate.accounts.probe_operation_id IS
'The operation that took the permit. NULL while it lies ready.';
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
COMMENT ON COLUMN sendgate.accounts.turns IS
'Whose turn it is between campaigns that share the account: by action and priority, the campaign that dispatch handed out last. NULL: no two campaigns share it.';
CREATE FUNCTION sendgate.account_is_sound() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_account_is_sound';
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

-- For operators who look for exhausted accounts, page by page. The stamp changes when a breaker does,
-- not when a slot is taken.
CREATE INDEX accounts_exhausted_idx ON sendgate.accounts (id)
WHERE inmail_credits_exhausted_at IS NOT NULL;
COMMENT ON INDEX sendgate.accounts_exhausted_idx IS
'For operators who look for exhausted accounts, page by page. It changes when a breaker does, not when a slot is taken, so grants stay heap-only updates.';

-- The accounts in the order of sweeps; an entry changes once a day with its account.
CREATE INDEX accounts_day_idx ON sendgate.accounts (day, id);

-- For the lists of the operators' console, in the order of its pages. No index mentions a column that a
-- reserve or a confirm changes: both stay heap-only updates.

-- A rate limit or an audit sets a cooldown; a person or the provider's refusal sets the status.
CREATE INDEX accounts_cooling_idx ON sendgate.accounts (id)
WHERE cooldown_until IS NOT NULL;
COMMENT ON INDEX sendgate.accounts_cooling_idx IS
'For operators who look for accounts that cool down, page by page. It changes with a cooldown, not when a slot is taken.';

CREATE INDEX accounts_not_connected_idx ON sendgate.accounts (id)
WHERE status <> 'connected';
COMMENT ON INDEX sendgate.accounts_not_connected_idx IS
'For operators who look for accounts that are not connected, page by page. It changes with the status, not when a slot is taken.';

-- pg_dump carries the rows of users; shipped defaults come with the extension.
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
COMMENT ON FUNCTION sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz) IS
'Slots of an action taken in the seven UTC days that end with the day of an instant, from a row''s counter of its day, its sent_before and its day. NULL: the days before are not counted yet. Pure; made for the views.';

CREATE FUNCTION sendgate.sent_before_days(
    sent_before bytea,
    action text
) RETURNS integer[]
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_sent_before_days';
COMMENT ON FUNCTION sendgate.sent_before_days(bytea, text) IS
'Slots of an action on each of the six days before the row''s day, the day before it first, from accounts.sent_before. NULL: not counted yet. Pure; made for DBAs.';

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
    note text,
    action text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_clear_cooldown';
COMMENT ON FUNCTION sendgate.clear_cooldown(text, text, text) IS
'Ends the cooldown of one action before its time, or with a NULL action those of the account and of all its actions; failures in a row start again at 0. Account *: every cooldown for failures, of all accounts, when the provider is back. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';

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
COMMENT ON FUNCTION sendgate.set_pace(text, interval, integer, boolean, text) IS
'Sets the pace of an account, all of it: the least time between two grants of the account, whatever the action (0 to 31 days, no months), by how many percent that may be longer at random (0 to 100), and whether a day''s slots are spread over the time in which the account may send. Without arguments it has no pace of its own; the tier''s gaps hold beside it. Logged. Errors: SG001, SG002, SG003 jitter_percent, SG007 minimum_gap, SG101, SG301.';

CREATE FUNCTION sendgate.repair_day(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_repair_day';
COMMENT ON FUNCTION sendgate.repair_day(text, text) IS
'Brings a row whose day or week ran ahead of the clock back to today, counted again from the journal, makes work due that was postponed while it was ahead, and resolves its alert. Logged. Errors: SG001, SG002, SG101, SG209 the row is not ahead, SG301.';
