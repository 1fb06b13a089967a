-- Whether the books are being kept: a line a job.
CREATE VIEW sendgate.reconciler_health AS
SELECT j.job, r.state AS last_state, r.started_at AS last_run, c.at - r.started_at AS age,
       r.checked, r.changed, r.error, j.sweep_finished_at AS last_success,
       coalesce(j.sweep_finished_at < c.at - 2 * j.every, true) AS stale
FROM sendgate.jobs j
CROSS JOIN (SELECT sendgate.clock() AS at) c
LEFT JOIN LATERAL (
    SELECT h.state, h.started_at, h.checked, h.changed, h.error
    FROM sendgate.reconcile_runs h
    WHERE h.job = j.job
    ORDER BY h.started_at DESC, h.run_id DESC
    LIMIT 1
) r ON true;

-- What keeps everything paused after a restore: no line unless quarantine was called.
CREATE VIEW sendgate.quarantine_progress AS
SELECT p.quarantined_at, p.actor, p.note,
       coalesce(a.whole_under = p.quarantine_id, false) AS audited,
       coalesce(r.whole_under = p.quarantine_id, false) AS reconciled
FROM sendgate.pause_switch p
LEFT JOIN sendgate.jobs a ON a.job = 'audit_events'
LEFT JOIN sendgate.jobs r ON r.job = 'reconcile_operations'
WHERE p.quarantine_id IS NOT NULL;
