-- The gate's functions.
COMMENT ON FUNCTION sendgate.reserve(text, text, text, text, uuid) IS
'Takes a slot before the provider is called, or says why not. The same call with the same operation_id returns the same grant while it is in flight, so a lost answer can be asked for again. A refusal is an answer, not an error, and writes nothing but a skip of the breaker: the first per prospect, campaign and stamp is logged and defers the enrollment of that campaign, repeats are counted. Of settling it, only a delivery changes an enrollment: that of the same account, campaign, prospect and action is done. For campaign work there is dispatch. Commit before you call the provider. Errors: SG001, SG002, SG004 bad argument, SG005 the account''s zone is gone, SG101 unknown account, SG201 the id was used for something else, SG301 the account is held too long, SG302 nothing could be decided.';
COMMENT ON FUNCTION sendgate.preview(text, text, text) IS
'The answer that reserve would give now, with the counts as they are; takes and writes nothing, and works on a standby. Without a prospect the rules about prospects are left out. A yes is no promise: only reserve takes a slot. Errors: SG001, SG002, SG004, SG005, SG101; SG301 where somebody has locked a whole table.';
COMMENT ON FUNCTION sendgate.confirm(text, uuid, text, timestamptz) IS
'Proves a delivery: writes its event and returns the event''s id. An InMail without a chat_id becomes indeterminate, with NULL and the warning SG211. A delivery of a slot that was given back is accepted, counts again, and raises an alert. The enrollment of the same account, campaign, prospect and action is done, also where reserve took the slot; without proof, work that was dispatched is parked. A proof after the breaker''s stamp clears it and releases what it deferred. The same call again is a no-op. Errors: SG001, SG002, SG007 delivered_at is infinite or in the future, SG101, SG102 unknown operation, SG202 confirmed with another chat_id, SG301.';
COMMENT ON FUNCTION sendgate.rollback(text, uuid, text, text, integer, interval) IS
'Reports a failed attempt with the provider''s own words and returns what the classifier made of them: the slot is given back, except for indeterminate, which holds it. Without any error the send never left the worker. Work that was dispatched waits, is done or is parked, as the outcome says. retry_after (0 to 366 days, no months) is how long a rate_limited account cools down. The same call again is a no-op. Errors: SG001, SG002, SG007 retry_after, SG101, SG102, SG203 it was delivered, SG301; warning SG212 when an unknown outcome stays unknown.';
COMMENT ON FUNCTION sendgate.resolve_operation(text, uuid, boolean, text, text) IS
'Settles by hand an operation that is expired or indeterminate. Not sent: the slot is given back, and work that was dispatched waits for its next attempt, or is parked after the fifth. Sent: the slot stays taken and the work is done, also where reserve took the slot; an InMail without chat_id writes no event, because nothing proves it. Repeating the same verdict is a no-op. Logged. Errors: SG001, SG002, SG101, SG102, SG202, SG204 it is not waiting for an operator, SG301.';

-- The breaker's functions.
COMMENT ON FUNCTION sendgate.breaker_check(text, text, text) IS
'Consults the switch and the InMail breaker of an account and nothing else, for applications that use nothing else of the gate. Clears a stamp of an earlier period, or one that a recent delivery disproves; otherwise logs the skip once per prospect, campaign and stamp, defers the enrollment of that prospect and campaign, and counts the repeats. A clear releases what was deferred. Takes no slot and does not see probes. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_report(text, text, text, text, integer) IS
'Tells the breaker what the provider answered to an InMail that was sent without the gate, and returns how the classifier reads it; credits_exhausted stamps the account. For InMails sent through reserve, rollback does this. Errors: SG001 also when there is no error at all, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_clear(text, text) IS
'Removes the stamp: the account''s credits are back. InMails that it deferred become due, spread over sendgate.release_spread. Credits errors of operations reserved before are stale from now on. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_arm(text, text) IS
'Stamps the account as out of credits until its next credit period, to which its InMails are deferred as they fall due; changes nothing where a stamp of this period stands. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.breaker_probe(text, text) IS
'Grants one permit for a single test InMail through an open breaker, for sendgate.operation_ttl: the next reserve or dispatch that every other rule lets pass takes it, and one deferred enrollment becomes due, so that dispatch finds it. Delivered, the breaker clears; without credits, it stays; silent, the permit lapses. Logged. Errors: SG001, SG002, SG101, SG206 the breaker is not open, SG207 there is a permit already, SG208 it is forced open, SG301.';
COMMENT ON FUNCTION sendgate.breaker_force(text, text, text) IS
'Sets the breaker''s mode: open stops all InMails whatever the credits, closed lets them pass whatever the stamp and releases what it deferred, auto goes by the stamp. Logged. Errors: SG001, SG002, SG004, SG101, SG301.';

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
'Stops everything: from its commit, every reserve and breaker_check is refused with paused_by_operator, replays too, and dispatch hands out nothing, until resume_all. Sends that hold a slot already are confirmed and rolled back as ever. Logged. Errors: SG002, SG301.';
COMMENT ON FUNCTION sendgate.quarantine(text) IS
'pause_all for books that may have forgotten sends, after a restore from an older backup or a failover that lost transactions: refused with paused_by_operator in the same way, but resume_all is not accepted until layers 2 and 1 have met every account in whole sweeps that began after it. Called again, it begins anew. Logged. Errors: SG002, SG301.';
COMMENT ON FUNCTION sendgate.resume_all() IS
'Undoes pause_all, and quarantine once the books were checked. Every other rule holds as before. Logged. Errors: SG215 in quarantine, the sweeps are not through; SG301.';
COMMENT ON FUNCTION sendgate.clear_cooldown(text, text) IS
'Ends an account''s cooldown before its time. Logged. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.repair_day(text, text) IS
'Brings a row whose day or week ran ahead of the clock back to today, counted again from the journal, makes due what was put off while it was ahead, and resolves its alert. Logged. Errors: SG001, SG002, SG101, SG209 the row is not ahead, SG301.';

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
'Trigger that refuses UPDATE, DELETE and TRUNCATE with SG210: what happened stays written. On campaign_events the count of repeats may change.';
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
    'A count, of slots or attempts: never negative.';
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
