-- Campaign work: what waits, what was handed out, what was spared.
COMMENT ON DOMAIN sendgate.enrollment_state IS
'State of a piece of campaign work: waiting (to be dispatched when it is due), sending (a worker has it), done (delivered, or refused for good by the recipient''s side), parked (wants a person) or cancelled.';

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
COMMENT ON INDEX sendgate.enrollments_due_idx IS
'For dispatch: an account''s due work of one action, the oldest first. Partial, so that work that does not wait for a time costs it nothing, and without the state, so that settling stays a heap-only update.';
COMMENT ON INDEX sendgate.enrollments_campaign_idx IS
'For what is done to a campaign as a whole, and for cancel without an account; no query of the hot path uses it.';

COMMENT ON TABLE sendgate.dispatch_queue IS
'Tickets: look at this account''s work of this action no later than then. An account that may not send costs one ticket, whatever waits behind it. Several rows for one account and action are right: dispatch makes them one again, and deletes the last when nothing is going to be due. Written by sendgate''s functions only.';
COMMENT ON COLUMN sendgate.dispatch_queue.due_at IS
'When to look: the next due work, or when the rule that refuses lets go. dispatch puts it off by at most a day, so that a change made past the functions delays work and does not lose it.';
COMMENT ON COLUMN sendgate.dispatch_queue.ticket_id IS
'Tells the tickets of one account and action apart; means nothing else.';
COMMENT ON COLUMN sendgate.dispatch_queue.account_id IS 'The account to look at.';
COMMENT ON COLUMN sendgate.dispatch_queue.action IS 'The action to look at.';
COMMENT ON INDEX sendgate.dispatch_queue_due_idx IS
'For dispatch: due tickets of all accounts in the order in which they fall due. The other columns make a reading that continues exact.';
COMMENT ON INDEX sendgate.dispatch_queue_action_idx IS 'The same for dispatch of one action.';

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

COMMENT ON TABLE sendgate.paused_campaigns IS
'Campaigns of which dispatch hands out nothing: one is paused while it has a row. Written by pause_campaign and resume_campaign.';
COMMENT ON COLUMN sendgate.paused_campaigns.campaign_id IS 'The campaign; it need not have any work yet.';
COMMENT ON COLUMN sendgate.paused_campaigns.paused_at IS 'Since when.';
COMMENT ON COLUMN sendgate.paused_campaigns.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';

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
COMMENT ON INDEX sendgate.campaign_events_skip_key IS
'One row per prospect, campaign and stamp, however often the breaker skips the same; NULLs are equal here.';
COMMENT ON INDEX sendgate.campaign_events_campaign_idx IS 'For the history of one campaign.';
COMMENT ON INDEX sendgate.campaign_events_at_idx IS
'For skips_today, which looks for first skips and repeats, and for sweeps by time. BRIN, because rows arrive in this order.';
COMMENT ON TRIGGER append_only ON sendgate.campaign_events IS
'What a campaign was spared stays readable; only repeats and last_repeat_at may change. Always on, also under session_replication_role = replica.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.campaign_events IS
'TRUNCATE fires no row trigger, so it is refused by one of its own.';

COMMENT ON COLUMN sendgate.send_operations.attempt IS
'Which hand-out of its enrollment it is, from 1. NULL: taken with reserve; of its outcomes only a delivery changes an enrollment.';
COMMENT ON COLUMN sendgate.send_operations.awaited IS
'True where other work for the same prospect and action waits until this operation is settled. NULL: none does.';
COMMENT ON COLUMN sendgate.send_operations.unknown_since IS
'Since when nobody knows whether it was sent: its answer said so, or reconcile_operations found that nobody had answered in time. NULL: it is in flight or settled.';

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

COMMENT ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean) IS
'Puts a prospect to a campaign''s work, due at dispatch_at or now. True: it is new. False: the same campaign, prospect, account and action are there, in whatever state, and nothing changes but a connection flag that becomes true. Holds no account, except for that flag, so whole lists fit in one transaction. Errors: SG001, SG002, SG004, SG007 dispatch_at is infinite, SG101, SG301 the same work is being put in by another transaction, or the account is held.';
COMMENT ON FUNCTION sendgate.dispatch(integer, text, text, uuid) IS
'Hands out up to max_operations (1 to 1,000) due enrollments, each with a slot, of accounts that every rule lets send; of one action or account if told. No row: nothing may be sent now. An account that somebody else holds is passed over, not waited for, and hides no other. A call defers at most 1,000 enrollments behind open breakers and moves about 10,000 that a rule about their prospect holds back; the next calls do the rest. The same request_id with the same arguments again returns those rows that are still in flight, in time and on a connected account. Commit before you call the provider, and settle every row. Errors: SG001, SG002, SG003, SG004, SG101 account_id is unknown, SG213 the request_id has other arguments, SG301, SG302 no batch held, SG303 another session answered the same request meanwhile: repeat.';
COMMENT ON FUNCTION sendgate.cancel(text, text, text) IS
'Takes a prospect out of a campaign, for every action, on one account or all: waiting, sending and parked become cancelled. Returns how many. What a worker has already may still be sent, and a delivery makes it done all the same. Cannot be undone. Holds the accounts. Errors: SG001, SG002, SG101 account_id is unknown, SG301.';
COMMENT ON FUNCTION sendgate.pause_campaign(text) IS
'From its commit, dispatch hands out nothing more of this campaign; a dispatch at the same moment still may. What workers have is settled as ever; reserve does not look at it. Pausing again is a no-op. Logged. Errors: SG001, SG002, SG301.';
COMMENT ON FUNCTION sendgate.resume_campaign(text) IS
'Undoes pause_campaign: what fell due meanwhile is due now. May wait for a dispatch that met the pause and still runs. A no-op where it is not paused. Logged. Errors: SG001, SG002, SG301.';
COMMENT ON FUNCTION sendgate.resume_deferred(text) IS
'Makes an account''s InMails that the breaker deferred due again, spread over sendgate.release_spread; what is parked for another reason than indeterminate waits again too, due now, with attempts from 0. Returns how many of both. It does not touch the breaker: while that is open, dispatch skips and defers InMails again. Logged when there were any. Errors: SG001, SG002, SG101, SG301.';
COMMENT ON FUNCTION sendgate.switch_action(text, text, text) IS
'Turns a campaign''s waiting work into another action, with attempts from 0; what was deferred or had failed is due now, what enqueue put off stays put off. left_behind is what still waits under the old action: to message, prospects that are no connections, and whoever has work under the new action already. Work in other states stays. Holds all accounts with such work. Logged when something moved. Errors: SG001, SG002, SG004 unknown action, or twice the same, SG301, SG302 the same work is enqueued again and again meanwhile.';
COMMENT ON FUNCTION sendgate.confirm_many(text[], uuid[], text[]) IS
'confirm for up to 10,000 operations in one transaction, delivered now; the events'' ids in the order of the arrays, NULL with the warning SG211 where an InMail has no chat_id. chat_ids may be NULL as a whole or in part. All or nothing: an error names its element, from 1, and nothing is settled. Holds all its accounts, in ascending order. Errors: SG001, SG002, SG020 arrays of different lengths or too long, SG101, SG102, SG202, SG301.';
COMMENT ON FUNCTION sendgate.rollback_many(text[], uuid[], text[], text[], integer[], interval[]) IS
'rollback for up to 10,000 operations in one transaction; the outcomes in the order of the arrays. Each array of errors may be NULL as a whole or in part; an element without any error was never sent. All or nothing: an error names its element, from 1, and nothing is settled. Holds all its accounts, in ascending order. Errors: SG001, SG002, SG007 retry_afters, SG020 arrays of different lengths or too long, SG101, SG102, SG203, SG301; warning SG212 where an unknown outcome stays unknown.';

-- Sends outside the gate, and the triggers for applications' own tables.
COMMENT ON FUNCTION sendgate.record_external_send(text, text, text, text, timestamptz) IS
'Journals and counts a send that did not pass the gate, made by hand or told by a provider''s webhook, and returns its event; on the UTC day of occurred_at, also above the cap. The same send again changes nothing and returns the same event; NULL where that has been pruned. The echo of an operation whose outcome is open, for the same prospect and action, confirms that operation instead; the echo of a delivery that was confirmed returns its event. One of an operation that was rolled back counts as a send of its own. An InMail needs its chat_id, and can be the proof that clears the breaker. Errors: SG001, SG002 also for an InMail without chat_id, SG004, SG007 occurred_at is infinite or in the future, SG101, SG301.';
COMMENT ON FUNCTION sendgate.guard_send() IS
'Trigger BEFORE INSERT FOR EACH ROW on a table of your own: guard_send(''account_column'', ''action or column'', ''prospect_column'', ''campaign_column'', ''operation_id_column'', ''mode''). Asks reserve about each row. A grant fills the operation id column (uuid, text, varchar or char, with a UNIQUE index on it: two rows with the same id would pass as one grant); an id that is there already is used, so that a repeated insert is the same operation. A refusal raises SG401 with the reason as message and retry_at in DETAIL (mode error), or lets the row in without operation id and with the reason in a text column (mode reason:column). The second argument is an action where it spells one; an empty campaign column means none. What is granted to a row that ON CONFLICT or another trigger drops is given back before the commit. Rows must stay in their partition. Errors: SG010 the trigger is declared in another way, SG401, those of reserve.';
COMMENT ON FUNCTION sendgate.settle_send() IS
'Trigger AFTER UPDATE FOR EACH ROW on a guarded table: settle_send(''account_column'', ''operation_id_column'', ''chat_id_column'', ''error_column''). Confirms the row''s operation when a chat id appears, or else rolls it back when an error does, with its text as the provider''s message. Rows without operation id, and blank values, are passed over. Errors: SG010, those of confirm and rollback.';
COMMENT ON FUNCTION sendgate.journal_event() IS
'Trigger of linkedin_events: an event that an application inserts without operation id is checked, journalled and counted like record_external_send, and gets its id, operation id, recorded_at and counted_on. Errors: those of record_external_send, and SG214 for a send that is recorded already.';
COMMENT ON TRIGGER journal_event ON sendgate.linkedin_events IS
'Truth that is written past the functions counts too; one that names its operation comes from them, or from a dump, and passes.';
