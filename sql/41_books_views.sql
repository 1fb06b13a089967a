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
