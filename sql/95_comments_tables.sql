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
'For operators who look for exhausted accounts, page by page. It changes when a breaker does, not when a slot is taken, so grants stay heap-only updates.';
COMMENT ON INDEX sendgate.accounts_cooling_idx IS
'For operators who look for accounts that cool down, page by page. It changes with a cooldown, not when a slot is taken.';
COMMENT ON INDEX sendgate.accounts_not_connected_idx IS
'For operators who look for accounts that are not connected, page by page. It changes with the status, not when a slot is taken.';
COMMENT ON INDEX sendgate.campaign_events_time_idx IS 'For the log of all campaigns, newest first.';
COMMENT ON INDEX sendgate.alerts_opened_idx IS 'For the open alerts, newest first.';

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
'The campaign of the operation, or NULL.';
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
'A skip is logged once per prospect, campaign and stamp, however often the worker asks again; campaign_events counts the repeats.';

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
'The one switch. While it holds its row, the gate refuses everything on every account, and dispatch hands out nothing. Written by pause_all, quarantine and resume_all.';
COMMENT ON COLUMN sendgate.pause_switch.only_row IS 'Always true: the key that keeps the table at one row.';
COMMENT ON COLUMN sendgate.pause_switch.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.pause_switch.actor IS 'Who paused.';
COMMENT ON COLUMN sendgate.pause_switch.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.pause_switch.quarantine_id IS 'Of the last quarantine: the sweeps that began under it name it. NULL for a mere pause.';
COMMENT ON COLUMN sendgate.pause_switch.quarantined_at IS 'When quarantine was last called; NULL for a mere pause. Nothing is compared with it.';
COMMENT ON CONSTRAINT pause_switch_quarantine_check ON sendgate.pause_switch IS
'A quarantine has an id and a time.';
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
'What of it: an action, a field, tier/action, the order of a rule, an operation, or a campaign.';
COMMENT ON COLUMN sendgate.admin_log.before IS 'The value before. NULL: there was none.';
COMMENT ON COLUMN sendgate.admin_log.after IS 'The value afterwards. NULL: there is none.';
COMMENT ON COLUMN sendgate.admin_log.note IS 'Why, in the operator''s words.';
COMMENT ON INDEX sendgate.admin_log_account_idx IS 'For the history of one account.';
