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

COMMENT ON VIEW sendgate.delivered_daily IS
'Proven deliveries per account, day and type, from the event log. Read it with an account or a range of days: it counts what it is asked for.';
COMMENT ON COLUMN sendgate.delivered_daily.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.delivered_daily.day IS 'The UTC day on which the slots count.';
COMMENT ON COLUMN sendgate.delivered_daily.event_type IS
'inmail_sent, invite_sent, message_sent, profile_view_sent or engagement_sent.';
COMMENT ON COLUMN sendgate.delivered_daily.delivered IS 'How many.';

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

COMMENT ON VIEW sendgate.open_alerts IS 'Alerts that are not resolved.';
COMMENT ON COLUMN sendgate.open_alerts.alert_id IS 'The alert.';
COMMENT ON COLUMN sendgate.open_alerts.account_id IS 'The account that it is about.';
COMMENT ON COLUMN sendgate.open_alerts.kind IS 'What it warns of: the kinds that the comment on alerts.kind explains.';
COMMENT ON COLUMN sendgate.open_alerts.day IS 'The UTC day that it is about.';
COMMENT ON COLUMN sendgate.open_alerts.detail IS
'What was seen, in a sentence. It may hold ids of the application: escape it where you show it.';
COMMENT ON COLUMN sendgate.open_alerts.opened_at IS 'When it was first seen.';
COMMENT ON COLUMN sendgate.open_alerts.acknowledged_by IS 'Who took it on. NULL: nobody yet.';

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
