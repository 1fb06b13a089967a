-- Caps: of a tier, of an account, and the counters under them.

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

COMMENT ON TABLE sendgate.tier_defaults IS
'Shipped caps, rewritten by upgrades and therefore not dumped. Change them with set_tier_cap, which writes tier_overrides.';
COMMENT ON COLUMN sendgate.tier_defaults.tier IS 'Name of the tier.';
COMMENT ON COLUMN sendgate.tier_defaults.action IS
'What the cap is about: inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.tier_defaults.daily_cap IS 'Slots a UTC day; 0 means never.';
COMMENT ON COLUMN sendgate.tier_defaults.weekly_cap IS
'Slots in seven UTC days. NULL: only the daily cap counts.';
COMMENT ON COLUMN sendgate.tier_defaults.ramp_start_percent IS
'With which share of the daily cap a ramp starts, 1 to 100 percent, rounded up to whole slots.';
COMMENT ON COLUMN sendgate.tier_defaults.ramp_step_percent IS
'How much each day on which the account sent anything adds to the ramp, in percent of the daily cap.';
COMMENT ON COLUMN sendgate.tier_defaults.minimum_gap IS
'Least time between two grants of the action on one account; 0 means none.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_a_month IS
'InMail credits that the provider grants a month: added to a balance that was told when a credit period begins. Otherwise shown to people, not enforced: the provider''s own answer is the truth.';
COMMENT ON COLUMN sendgate.tier_defaults.credits_ceiling IS
'How many credits can pile up by rolling over; a grant fills a balance up to no more.';

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
'Slots in seven UTC days. NULL: no weekly cap, also where the shipped tier has one.';
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
COMMENT ON COLUMN sendgate.tiers.weekly_cap IS 'Slots in seven UTC days. NULL: only the daily cap counts.';
COMMENT ON COLUMN sendgate.tiers.ramp_start_percent IS
'With which share of the daily cap a ramp starts, 1 to 100 percent.';
COMMENT ON COLUMN sendgate.tiers.ramp_step_percent IS
'How much each sending day adds to the ramp, in percent of the daily cap.';
COMMENT ON COLUMN sendgate.tiers.minimum_gap IS
'Least time between two grants of the action on one account; 0 means none.';
COMMENT ON COLUMN sendgate.tiers.credits_a_month IS
'InMail credits that the provider grants a month. NULL for a tier of your own.';
COMMENT ON COLUMN sendgate.tiers.credits_ceiling IS
'How many credits can pile up by rolling over. NULL for a tier of your own.';
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
COMMENT ON COLUMN sendgate.counters.sent_this_week IS
'Slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.counters.weekly_cap IS
'The account''s own weekly cap, or the tier''s. NULL: none.';
COMMENT ON COLUMN sendgate.counters.attempts_today IS
'Grants today (UTC), whatever came of them; a worker''s own released gives one back.';

-- Caps, rules and the switch are compiled once per backend; the commit of a change invalidates them in
-- every backend.
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
