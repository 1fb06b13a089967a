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

COMMENT ON TABLE sendgate.breaker_outbox IS
'Lines of breaker_log that nobody has taken with take_breaker_lines yet. Written in the transaction of the line itself, so a line that was rolled back is never printed.';
COMMENT ON COLUMN sendgate.breaker_outbox.account_id IS 'The line''s account.';
COMMENT ON COLUMN sendgate.breaker_outbox.id IS 'The line''s id in breaker_log.';

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

COMMENT ON VIEW sendgate.quarantine_progress IS
'What keeps everything in quarantine: one line while quarantine holds, none otherwise. Once audited and reconciled are both true, resume_all is accepted.';
COMMENT ON COLUMN sendgate.quarantine_progress.quarantined_at IS 'When quarantine was last called.';
COMMENT ON COLUMN sendgate.quarantine_progress.actor IS 'Who called it.';
COMMENT ON COLUMN sendgate.quarantine_progress.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.quarantine_progress.audited IS 'Whether a sweep of audit_events, layer 2, began since then, met every account and ended.';
COMMENT ON COLUMN sendgate.quarantine_progress.reconciled IS 'Whether a sweep of reconcile_operations, layer 1, began since then, met every account and ended.';

COMMENT ON FUNCTION sendgate.refusal_counts() IS
'How often reserve, dispatch and guard_send refused, by action and reason, since the server started, over all its databases: a line for every action and reason, noughts too. Of dispatch counts each enrollment that was refused or skipped, and an account that refuses as a whole once. No rows unless sendgate is in shared_preload_libraries: the counts are in shared memory, because a refusal writes nothing.';
COMMENT ON FUNCTION sendgate.audit_events(integer) IS
'Layer 2, one batch: compares today''s InMail counters with the delivered events. More than 5 ahead (what is in flight not counted) or behind raises an alert, which resolves by itself; at 120 percent of the day''s highest cap the account cools down for an hour, once a day. Changes no counter. Call again while more is true; run it before reconcile_operations, which heals what it looks for. Errors: SG001, SG003 max_accounts outside 1 to 10,000, SG301.';
COMMENT ON FUNCTION sendgate.reconcile_operations(integer) IS
'Layer 1, one batch: sets the counters of accounts that were active this week or the one before to what the journal counts, raised or lowered, never below what is in flight; each correction is a row of counter_drift. Parks campaign work whose operation nobody answered in time. Accounts that somebody holds are left to the next sweep. Errors: SG001, SG003.';
COMMENT ON FUNCTION sendgate.midnight_reset(integer) IS
'One batch: writes down what every read sees anyway, that accounts with counters of an older day begin at 0. Safe at any time, late, or twice. Errors: SG001, SG003.';
COMMENT ON FUNCTION sendgate.prune(interval, interval, integer) IS
'One batch: removes settled operations, logs, runs, resolved alerts and finished enrollments older than keep, and events older than keep_events; never unresolved operations, lines nobody has taken, nor anything of the last 32 days. Errors: SG001, SG003 max_rows outside 1 to 1,000,000, SG007 too short or with months.';
COMMENT ON FUNCTION sendgate.begin_run(text) IS
'Whether a job is due now, by the database''s own record and clock, and nobody else runs it; if so, leaves the heartbeat of a run that has begun. Commit, then call the job while more is true. Runs whose process is gone are marked as crashed here. Errors: SG001, SG004 unknown job.';
COMMENT ON FUNCTION sendgate.record_run_failure(text, text) IS
'Records that a run of a job failed; for the caller, because an error takes the run''s own row with it. Errors: SG001, SG004 unknown job.';
COMMENT ON FUNCTION sendgate.acknowledge_alert(uuid, text) IS
'Notes who has seen an alert, and why it may stay; what tells of a single event is resolved by it. Logged; once is enough. Errors: SG001, SG002, SG105 unknown alert, SG301.';
COMMENT ON FUNCTION sendgate.take_breaker_lines(integer) IS
'Takes up to max_rows lines of the breaker log that nobody has taken yet. Print them, then commit: rolled back, they are there again, and two takers never get the same. Errors: SG001, SG003 outside 1 to 10,000.';
COMMENT ON PROCEDURE sendgate.tick() IS
'Runs every job that is due to its end, committing between batches; a job that fails is recorded and stops no other. For pg_cron, once a minute: CALL sendgate.tick(). Two at once do nothing twice.';
