-- quarantine: nothing sends until layers 2 and 1 have met every account in sweeps that began after it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Wednesday. Other files' sweeps are forgotten.
SET sendgate.now = '2026-12-02 12:00:00+00';
DELETE FROM sendgate.reconcile_runs;
UPDATE sendgate.jobs SET since = sendgate.clock(), sweep_started_at = NULL, sweep_finished_at = NULL, next_day = NULL, next_account = NULL;
SELECT sendgate.upsert_account('quarantine-' || n, 'sales_navigator') FROM generate_series(1, 3) n;
SELECT count(sendgate.reserve('quarantine-' || n, 'inmail', 'p', 'k', contract.op(n))) FROM generate_series(1, 3) n;
CREATE VIEW pg_temp.progress AS
SELECT q.quarantined_at, q.note, q.audited, q.reconciled, q.actor = session_user AS by_me FROM sendgate.quarantine_progress q;
CREATE PROCEDURE pg_temp.sweep(job text) LANGUAGE plpgsql AS $$
DECLARE
    more boolean := true;
BEGIN
    WHILE more LOOP
        EXECUTE format('SELECT j.more FROM sendgate.%I(1) j', job) INTO more;
    END LOOP;
END
$$;
-- The books were checked a moment ago; that says nothing of what is restored now.
CALL pg_temp.sweep('audit_events');
CALL pg_temp.sweep('reconcile_operations');

SELECT * FROM pg_temp.progress;
SELECT sendgate.quarantine('restored from the backup of Tuesday');
SELECT * FROM pg_temp.progress;
SELECT paused_at, note, quarantined_at FROM sendgate.pause_switch;
-- As with pause_all: nothing is granted, not even again; what holds a slot is settled; sends are recorded.
SELECT proceed, reason, retry_at FROM sendgate.preview('quarantine-1', 'message', 'p2');
SELECT proceed, reason, retry_at FROM sendgate.reserve('quarantine-1', 'message', 'p2');
SELECT proceed, reason FROM sendgate.reserve('quarantine-1', 'inmail', 'p', 'k', contract.op(1));
SELECT proceed, reason FROM sendgate.breaker_check('quarantine-1');
SELECT sendgate.enqueue('k', 'p3', 'quarantine-1', 'message');
SELECT count(*) FROM sendgate.dispatch(10);
SELECT sendgate.confirm('quarantine-1', contract.op(1), 'chat 1') IS NOT NULL AS confirmed;
SELECT sendgate.record_external_send('quarantine-2', 'inmail', 'p9', 'chat 9', '2026-12-02 11:30:00+00') IS NOT NULL AS recorded;

-- No call ends it early, and a refused call changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT * FROM contract.error('SELECT sendgate.resume_all()');
\x off
SELECT sendgate.pause_all('on top');
SELECT contract.books() = :'before' AS nothing_changed;

-- One layer alone is not enough.
CALL pg_temp.sweep('audit_events');
SELECT audited, reconciled FROM pg_temp.progress;
SELECT code, detail FROM contract.error('SELECT sendgate.resume_all()');
-- Nor is a part of a sweep, however many batches.
SELECT checked, more FROM sendgate.reconcile_operations(1);
SELECT checked, more FROM sendgate.reconcile_operations(1);
SELECT audited, reconciled FROM pg_temp.progress;
SELECT code, detail FROM contract.error('SELECT sendgate.resume_all()');
CALL pg_temp.sweep('reconcile_operations');
SELECT audited, reconciled FROM pg_temp.progress;
-- Then it is an operator who says so: by itself nothing begins again.
CALL sendgate.tick();
SELECT reason FROM sendgate.preview('quarantine-1', 'message', 'p2');
SELECT sendgate.resume_all();
SELECT * FROM pg_temp.progress;
SELECT proceed, reason FROM sendgate.reserve('quarantine-1', 'message', 'p2', 'k', contract.op(4));
SELECT at, verb, before, after, note FROM sendgate.admin_log
WHERE verb IN ('quarantine', 'resume_all', 'pause_all') AND at = sendgate.clock() ORDER BY id;

-- A sweep that began before and ends afterwards does not count: the next batch begins anew.
SELECT checked, more FROM sendgate.audit_events(1);
SELECT checked, more FROM sendgate.reconcile_operations(1);
SELECT sendgate.quarantine('again');
SELECT job FROM sendgate.jobs WHERE next_account IS NOT NULL ORDER BY job;
CALL pg_temp.sweep('audit_events');
SELECT audited, reconciled FROM pg_temp.progress;
-- Wherever the books say that the sweep was.
UPDATE sendgate.jobs SET next_day = 'infinity' WHERE job = 'reconcile_operations';
SELECT code, detail FROM contract.error('SELECT sendgate.resume_all()');
SELECT checked >= 3 AS from_the_first_account, more FROM sendgate.reconcile_operations();
SELECT audited, reconciled FROM pg_temp.progress;
-- Called again it begins anew, and sweeps under the one before no longer count.
SELECT sendgate.quarantine('more of the provider''s list has arrived');
SELECT audited, reconciled, note FROM pg_temp.progress;
SELECT code, detail FROM contract.error('SELECT sendgate.resume_all()');

-- The schedulers do not wait for ten minutes: both jobs are due at once, then no longer.
SELECT sendgate.begin_run('audit_events'), sendgate.begin_run('prune');
SELECT more FROM sendgate.audit_events();
SELECT sendgate.begin_run('audit_events');
SELECT sendgate.begin_run('reconcile_operations');
SELECT more FROM sendgate.reconcile_operations();
SELECT sendgate.begin_run('reconcile_operations');
SELECT audited, reconciled FROM pg_temp.progress;
SELECT sendgate.resume_all();

-- Runs that the backup remembers may lie in this clock's future: times decide nothing.
UPDATE sendgate.jobs SET sweep_started_at = '2027-03-01', sweep_finished_at = '2027-03-01';
SELECT sendgate.quarantine('a clock that was ahead');
SELECT audited, reconciled FROM pg_temp.progress;
SELECT code FROM contract.error('SELECT sendgate.resume_all()');
SELECT sendgate.begin_run('audit_events'), sendgate.begin_run('reconcile_operations');
CALL pg_temp.sweep('audit_events');
CALL pg_temp.sweep('reconcile_operations');
SELECT sendgate.resume_all();
-- And one that is put back after it.
SELECT sendgate.quarantine('a clock that goes back');
SET sendgate.now = '2026-12-02 11:00:00+00';
CALL pg_temp.sweep('audit_events');
CALL pg_temp.sweep('reconcile_operations');
SELECT sendgate.resume_all();
SELECT * FROM pg_temp.progress;

-- Midnight ends nothing; a sweep that passes it is one sweep.
SET sendgate.now = '2026-12-02 23:59:59+00';
SELECT sendgate.quarantine('before midnight');
SELECT more FROM sendgate.audit_events(1);
SELECT more FROM sendgate.reconcile_operations(1);
SET sendgate.now = '2026-12-03 00:00:00+00';
SELECT reason FROM sendgate.preview('quarantine-1', 'message', 'p2');
CALL sendgate.tick();
SELECT reason FROM sendgate.preview('quarantine-1', 'message', 'p2');
SELECT audited, reconciled FROM pg_temp.progress;
SELECT sendgate.resume_all();
SELECT reason FROM sendgate.preview('quarantine-1', 'message', 'p3');

-- A row that is brought back while they run was passed by neither: they begin again.
SET sendgate.now = '2026-12-05 00:10:00+00';
SELECT proceed FROM sendgate.reserve('quarantine-1', 'invite', 'p9');
SET sendgate.now = '2026-12-03 00:10:00+00';
SELECT sendgate.quarantine('a clock that ran ahead');
SELECT more FROM sendgate.audit_events(1);
SELECT more FROM sendgate.reconcile_operations(1);
SELECT sendgate.repair_day('quarantine-1', 'test');
CALL pg_temp.sweep('audit_events');
CALL pg_temp.sweep('reconcile_operations');
SELECT audited, reconciled FROM pg_temp.progress;
SELECT code FROM contract.error('SELECT sendgate.resume_all()');
SET sendgate.now = '2026-12-03 00:15:00+00';
CALL sendgate.tick();
SELECT audited, reconciled FROM pg_temp.progress;
SELECT sendgate.resume_all();

-- Over a mere pause: since when everything stands still stays known.
SELECT sendgate.pause_all('an incident');
SET sendgate.now = '2026-12-03 00:30:00+00';
SELECT sendgate.quarantine('and its backup');
SELECT paused_at, note, quarantined_at FROM sendgate.pause_switch;
CALL sendgate.tick();
SELECT sendgate.resume_all();
SELECT count(*) FROM sendgate.pause_switch;
-- A mere pause is undone at once, as ever.
SELECT sendgate.pause_all('short');
SELECT sendgate.resume_all();
SELECT count(*) FROM sendgate.pause_switch;
SELECT code, message FROM contract.error($$SELECT sendgate.quarantine(repeat('x', 2001))$$);
