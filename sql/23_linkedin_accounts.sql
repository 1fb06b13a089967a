-- The view of the accounts that people read, under the names of the platform.

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
COMMENT ON FUNCTION sendgate.outside_window(time, time, smallint, text, timestamptz) IS
'Whether an account is outside its sending window at an instant, from the columns of accounts; without a window it is not. NULL: a zone that the server no longer knows. Pure; made for the views.';

CREATE VIEW sendgate.linkedin_accounts AS
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
'InMail slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.invites_sent_this_week IS
'Invitation slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.messages_sent_this_week IS
'Message slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.profile_views_sent_this_week IS
'Profile view slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.linkedin_accounts.engagements_sent_this_week IS
'Engagement slots taken in the last seven UTC days, today included. NULL: the days before are not counted yet.';
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
'The first of the seven UTC days that ended with the row''s last write.';
COMMENT ON COLUMN sendgate.linkedin_accounts.enforcement IS
'enforce or observe, the account''s own mode; enforcement_of says what holds. NULL: as the setting sendgate.enforcement says.';
COMMENT ON COLUMN sendgate.linkedin_accounts.outside_window IS
'Whether its sending window is closed now; without a window, never. NULL: a zone that the server no longer knows.';
