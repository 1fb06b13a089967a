-- What \d+ and every catalog browser show. One sentence on what it is, then what its name does not
-- say: units, ranges, why. Instants are of sendgate.clock(), days and weeks are UTC.

COMMENT ON SCHEMA sendgate IS
'The gate that workers ask before every metered send: accounts, the journal of attempts, the event log of deliveries, the InMail breaker. Everything in it belongs to sendgate_owner; applications call functions and read views.';

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
            ('sendgate_sender', 'For applications that send: reserve, preview, confirm, rollback, breaker_check and breaker_report, and no table.'),
            ('sendgate_reader', 'For support and dashboards: reads the views and the logs of the schema sendgate, and changes nothing.'),
            ('sendgate_operator', 'For people who run accounts: reads what a reader reads and the admin log, and may call every function that changes accounts, caps, rules and breakers. Each call is logged with its session user.'),
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

-- The answer of the gate.
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
COMMENT ON INDEX sendgate.accounts_exhausted_idx IS
'For operators who look for exhausted accounts. Its column changes when a breaker does, not when a slot is taken, so grants stay heap-only updates.';

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

-- The journal.
COMMENT ON TABLE sendgate.send_operations IS
'The journal of attempts, one row per slot that was ever taken. Expired is not a state but a reading: reserved, and expires_at is past. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.send_operations.operation_id IS
'The id under which the worker reserved, unique for the account. Asking again with the same id gets the same slot.';
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
'gate: through reserve. external: sent by hand and recorded afterwards.';
COMMENT ON COLUMN sendgate.send_operations.campaign_id IS
'The campaign that the worker named, or NULL; no rule of the gate looks at it.';
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
COMMENT ON INDEX sendgate.send_operations_prospect_idx IS
'Finds what happened with a prospect and action, for operation_in_flight and prospect_cooldown. It does not mention the state, so that settling stays a heap-only update.';
COMMENT ON INDEX sendgate.send_operations_reserved_at_idx IS
'For sweeps by time. BRIN, because rows arrive in this order and a B-tree would cost every grant an entry.';

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
'The campaign that the worker named at reserve, or NULL.';
COMMENT ON CONSTRAINT linkedin_events_chat_id_check ON sendgate.linkedin_events IS
'No InMail counts as delivered without a chat_id that holds more than white space; NULL does not slip through.';
COMMENT ON CONSTRAINT linkedin_events_operation_key ON sendgate.linkedin_events IS
'One operation is one send: a confirm that arrives twice cannot write two events.';
COMMENT ON INDEX sendgate.linkedin_events_occurred_at_idx IS
'For the breaker''s look for a recent proof, and for an account''s history.';

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
COMMENT ON INDEX sendgate.breaker_log_skip_key IS
'A skip is logged once per prospect, campaign and stamp, however often the worker asks again.';

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

-- The switch, alerts, the admin log.
COMMENT ON TABLE sendgate.pause_switch IS
'The one switch. While it holds its row, the gate refuses everything on every account. Written by pause_all and resume_all.';
COMMENT ON COLUMN sendgate.pause_switch.only_row IS 'Always true: the key that keeps the table at one row.';
COMMENT ON COLUMN sendgate.pause_switch.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.pause_switch.actor IS 'Who paused.';
COMMENT ON COLUMN sendgate.pause_switch.note IS 'Why, in the operator''s words.';
COMMENT ON TABLE sendgate.alerts IS
'What somebody should look at. At most one open alert per account, kind and day; closed ones stay as history.';
COMMENT ON COLUMN sendgate.alerts.alert_id IS 'The alert.';
COMMENT ON COLUMN sendgate.alerts.account_id IS 'The account that it is about.';
COMMENT ON COLUMN sendgate.alerts.kind IS
'delivered_after_rollback: a slot was given back and the send arrived all the same. clock_behind_row: the account''s day is ahead of the clock; see repair_day.';
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
COMMENT ON INDEX sendgate.alerts_open_key IS
'One open alert per account, kind and day, however often the same thing is seen.';
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
'What of it: an action, a field, tier/action, the order of a rule, or an operation.';
COMMENT ON COLUMN sendgate.admin_log.before IS 'The value before. NULL: there was none.';
COMMENT ON COLUMN sendgate.admin_log.after IS 'The value afterwards. NULL: there is none.';
COMMENT ON COLUMN sendgate.admin_log.note IS 'Why, in the operator''s words.';
COMMENT ON INDEX sendgate.admin_log_account_idx IS 'For the history of one account.';

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
COMMENT ON COLUMN sendgate.open_alerts.kind IS 'delivered_after_rollback or clock_behind_row.';
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

-- The gate's functions.
COMMENT ON FUNCTION sendgate.reserve(text, text, text, text, uuid) IS
'Takes a slot before the provider is called, or says why not. The same call with the same operation_id returns the same grant while it is in flight, so a lost answer can be asked for again. A refusal is an answer, not an error, and writes nothing but the log of a skipped InMail. Commit before you call the provider. Errors: SG001, SG002, SG004 bad argument, SG005 the account''s zone is gone, SG101 unknown account, SG201 the id was used for something else, SG301 the account is held too long, SG302 nothing could be decided.';
COMMENT ON FUNCTION sendgate.preview(text, text, text) IS
'The answer that reserve would give now, with the counts as they are; takes and writes nothing, and works on a standby. Without a prospect the rules about prospects are left out. A yes is no promise: only reserve takes a slot. Errors: SG001, SG002, SG004, SG005, SG101.';
COMMENT ON FUNCTION sendgate.confirm(text, uuid, text, timestamptz) IS
'Proves a delivery: writes its event and returns the event''s id. An InMail without a chat_id becomes indeterminate, with NULL and the warning SG211. A delivery of a slot that was given back is accepted, counts again, and raises an alert. The same call again is a no-op. Errors: SG001, SG002, SG007 delivered_at is infinite or in the future, SG101, SG102 unknown operation, SG202 confirmed with another chat_id, SG301.';
COMMENT ON FUNCTION sendgate.rollback(text, uuid, text, text, integer, interval) IS
'Reports a failed attempt with the provider''s own words and returns what the classifier made of them: the slot is given back, except for indeterminate, which holds it. Without any error the send never left the worker. retry_after (0 to 366 days, no months) is how long a rate_limited account cools down. The same call again is a no-op. Errors: SG001, SG002, SG007 retry_after, SG101, SG102, SG203 it was delivered, SG301; warning SG212 when an unknown outcome stays unknown.';
COMMENT ON FUNCTION sendgate.resolve_operation(text, uuid, boolean, text, text) IS
'Settles by hand an operation that is expired or indeterminate. Not sent: the slot is given back. Sent: it stays taken; an InMail without chat_id writes no event, because nothing proves it. Repeating the same verdict is a no-op. Logged. Errors: SG001, SG002, SG101, SG102, SG202, SG204 it is not waiting for an operator, SG301.';

-- The breaker's functions.
COMMENT ON FUNCTION sendgate.breaker_check(text, text, text) IS
'Consults the switch and the InMail breaker of an account and nothing else, for applications that use nothing else of the gate. Clears a stamp of an earlier period, or one that a recent delivery disproves; otherwise logs the skip, once per prospect, campaign and stamp. Takes no slot and does not see probes. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_report(text, text, text, text, integer) IS
'Tells the breaker what the provider answered to an InMail that was sent without the gate, and returns how the classifier reads it; credits_exhausted stamps the account. For InMails sent through reserve, rollback does this. Errors: SG001 also when there is no error at all, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_clear(text, text) IS
'Removes the stamp: the account''s credits are back. Credits errors of operations reserved before are stale from now on. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_arm(text, text) IS
'Stamps the account as out of credits until its next credit period; changes nothing where a stamp of this period stands. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_probe(text, text) IS
'Grants one permit for a single test InMail through an open breaker, for sendgate.operation_ttl: the next reserve that every other rule lets pass takes it. Delivered, the breaker clears; without credits, it stays; silent, the permit lapses. Logged. Errors: SG001, SG002, SG101, SG206 the breaker is not open, SG207 there is a permit already, SG208 it is forced open, SG301.';
COMMENT ON FUNCTION sendgate.breaker_force(text, text, text) IS
'Sets the breaker''s mode: open stops all InMails whatever the credits, closed lets them pass whatever the stamp, auto goes by the stamp. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';

-- Accounts, caps and rules.
COMMENT ON FUNCTION sendgate.upsert_account(text, text, text, text, time, time, integer[], integer, boolean) IS
'Provisions an account, or changes what is not NULL. A new account needs a tier and gets: connected, UTC, no window, credits on the 1st, no ramp. Provisioning again neither un-pauses nor relaxes anything; switching the ramp on starts it afresh. Logged when something changed. Errors: SG001, SG002, SG003 credit_reset_day, SG005 zone, SG006 window, SG103 tier, SG301.';
COMMENT ON FUNCTION sendgate.set_window(text, time, time, integer[]) IS
'Sets the hours, local to the account''s time zone, and the ISO weekdays on which it may send; three NULLs remove the window. One past midnight belongs to the day it starts. Logged. Errors: SG001, SG002, SG006, SG101, SG301.';
COMMENT ON FUNCTION sendgate.set_status(text, text, text) IS
'Sets connected, paused, restricted or disconnected, with a note; nothing is sent unless it is connected. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';
COMMENT ON FUNCTION sendgate.set_cap(text, text, integer, integer, text) IS
'Sets both caps of one action on one account, 0 to 10,000 slots; NULL means the tier''s. Logged. Errors: SG001, SG002, SG003, SG004, SG101, SG301.';
COMMENT ON FUNCTION sendgate.set_tier_cap(text, text, integer, integer, interval, integer) IS
'Sets the caps of a tier for one action, over the shipped ones or for a tier of your own. It replaces the whole line: a weekly cap left out is none, a gap left out is 0, a ramp left out is 20 percent start and step. Logged. Errors: SG001, SG002, SG003, SG004, SG007 minimum_gap, SG301.';
COMMENT ON FUNCTION sendgate.drop_tier_cap(text, text) IS
'Removes your caps of a tier for one action: the shipped ones hold again, and without any the action is at 0. Logged. Errors: SG001, SG002, SG004, SG103 unknown tier, SG205 accounts are in a tier that would vanish, SG301.';
COMMENT ON FUNCTION sendgate.set_error_rule(integer, text, text, text, text, text) IS
'Puts a rule of yours, 0 to 999, before the shipped classifier, or replaces it. All conditions that it names must hold: action, exact provider type, status (429 or 4xx), literal text. Logged. Errors: SG001, SG002, SG003, SG004, SG008 status, SG009 no condition, SG301.';
COMMENT ON FUNCTION sendgate.drop_error_rule(integer) IS
'Removes a rule of yours. Logged. Errors: SG001, SG003, SG104 there is none, SG301.';
COMMENT ON FUNCTION sendgate.pause_all(text) IS
'Stops everything: from its commit, every reserve and breaker_check is refused with paused_by_operator, replays too, until resume_all. Sends that hold a slot already are confirmed and rolled back as ever. Logged. Errors: SG002, SG301.';
COMMENT ON FUNCTION sendgate.resume_all() IS
'Undoes pause_all. Every other rule holds as before. Logged. Errors: SG301.';
COMMENT ON FUNCTION sendgate.clear_cooldown(text, text) IS
'Ends an account''s cooldown before its time. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.repair_day(text, text) IS
'Brings a row whose day or week ran ahead of the clock back to today, counted again from the journal, and resolves its alert. Logged. Errors: SG001, SG002, SG101, SG209 the row is not ahead, SG301.';

-- The clock and the readings of the views.
COMMENT ON FUNCTION sendgate.clock() IS
'The instant by which sendgate decides: the real time, read anew at each call, or the test clock''s where sendgate.test_clock is on. Not now(), which stands still in a transaction.';
COMMENT ON FUNCTION sendgate.sent_as_of(integer, date, timestamptz) IS
'A daily counter with its day marker, read at an instant: 0 from the first instant of a later UTC day. Pure; made for the views.';
COMMENT ON FUNCTION sendgate.sent_this_week_as_of(integer, date, timestamptz) IS
'A weekly counter with its Monday, read at an instant: 0 from the first instant of a later UTC week. Pure; made for the views.';
COMMENT ON FUNCTION sendgate.effective_cap(integer, boolean, integer, boolean, date, integer, integer, timestamptz) IS
'A daily cap under the ramp, read at an instant; a day of sending that the row has not moved past yet counts once the day is over. Pure; made for the views.';
COMMENT ON FUNCTION sendgate.breaker_state(text, timestamptz, integer, timestamptz) IS
'closed, open, forced_open or forced_closed, for a mode and a stamp at an instant, evidence of deliveries aside. Pure; made for the views.';
COMMENT ON FUNCTION sendgate.next_credit_period(integer, timestamptz) IS
'The first start of a credit period after an instant, for a reset day from 1 to 31: 00:00 UTC, on the last day of a month too short. Pure; made for the views.';
COMMENT ON FUNCTION sendgate.window_days_array(integer) IS
'ISO weekdays, 1 = Monday, from the bits in accounts.window_days. Pure; made for the views.';

-- Triggers.
COMMENT ON FUNCTION sendgate.append_only() IS
'Trigger that refuses UPDATE, DELETE and TRUNCATE with SG210: what happened stays written.';
COMMENT ON FUNCTION sendgate.config_changed() IS
'Trigger that tells every backend, when the change commits, to compile tiers, rules and the switch anew.';
COMMENT ON TRIGGER append_only ON sendgate.linkedin_events IS
'The log of deliveries is proof; always on, also under session_replication_role = replica.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.linkedin_events IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
COMMENT ON TRIGGER append_only ON sendgate.breaker_log IS
'What stopped an account stays readable; always on, also under session_replication_role = replica.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.breaker_log IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
COMMENT ON TRIGGER append_only ON sendgate.admin_log IS
'Who changed what stays readable; always on, also under session_replication_role = replica.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.admin_log IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';
COMMENT ON TRIGGER config_changed ON sendgate.tier_defaults IS
'Caps are compiled once per backend; an upgrade that rewrites them must reach all of them.';
COMMENT ON TRIGGER config_changed ON sendgate.tier_overrides IS
'Caps are compiled once per backend; a changed cap holds from its commit.';
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_defaults IS
'Rules are compiled once per backend; an upgrade that rewrites them must reach all of them.';
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_overrides IS
'Rules are compiled once per backend; a changed rule holds from its commit.';
COMMENT ON TRIGGER config_changed ON sendgate.pause_switch IS
'The switch is read once per backend; pause_all holds from its commit.';

-- Domains and the functions of the CHECKs.
COMMENT ON DOMAIN sendgate.identifier IS
    'An id of the application: 1 to 128 characters, compared byte by byte, so that no update of the operating system''s collations can corrupt its index.';
COMMENT ON DOMAIN sendgate.display_name IS
    'A name for people: 1 to 200 characters.';
COMMENT ON DOMAIN sendgate.chat_reference IS
    'The provider''s proof of a delivery: not blank, at most 2,000 characters.';
COMMENT ON DOMAIN sendgate.action_name IS
    'What a worker does through an account; only inmail consumes credits.';
COMMENT ON DOMAIN sendgate.account_status IS
    'Whether an account may be used: connected, paused by an operator, restricted or disconnected by the provider.';
COMMENT ON DOMAIN sendgate.breaker_mode IS
    'How a breaker is run: auto by its stamp, open or closed by an operator.';
COMMENT ON DOMAIN sendgate.operation_state IS
    'State of an operation; expired is a reading of reserved, not a state.';
COMMENT ON DOMAIN sendgate.operation_origin IS
    'Where an operation came from: gate through reserve, external recorded afterwards.';
COMMENT ON DOMAIN sendgate.operation_outcome IS
    'What an attempt came to, as the classifier read the provider''s answer.';
COMMENT ON DOMAIN sendgate.event_type IS
    'A delivered action: the action''s name and _sent.';
COMMENT ON DOMAIN sendgate.http_status_pattern IS
    'One HTTP status, such as 429, or a class, such as 4xx.';
COMMENT ON DOMAIN sendgate.slot_count IS
    'A number of slots: never negative.';
COMMENT ON DOMAIN sendgate.month_day IS
    'A day of the month, 1 to 31; a month too short uses its last day.';
COMMENT ON DOMAIN sendgate.weekday_mask IS
    'ISO weekdays as bits: 1 = Monday, 2 = Tuesday, 4 = Wednesday … 64 = Sunday.';
COMMENT ON DOMAIN sendgate.week_start IS
    'A Monday: the UTC week that starts on it.';
COMMENT ON FUNCTION sendgate.is_sound_account(time, time, smallint, timestamptz, uuid, timestamptz) IS
    'The CHECK of accounts over several columns: the sending window can be, and a permit lies under a stamp and has a lease.';
COMMENT ON FUNCTION sendgate.is_sound_operation(text, text, timestamptz, timestamptz, timestamptz) IS
    'The CHECK of send_operations over several columns: outcome and time of settling fit the state, and it expires after it was reserved.';
