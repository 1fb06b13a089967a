-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION sendgate UPDATE" to load this file. \quit

-- ALTER EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Nobody decides while rules and tables change. The second statement changes nothing, and tells every
-- session of a change, so that one with the library of another version looks again, and refuses.
LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sendgate.accounts SET (fillfactor = 70);

-- quarantine(): what it remembers, and which sweeps began under it.
ALTER TABLE sendgate.pause_switch
    ADD COLUMN quarantine_id uuid,
    ADD COLUMN quarantined_at timestamptz,
    ADD CONSTRAINT pause_switch_quarantine_check CHECK ((quarantine_id IS NULL) = (quarantined_at IS NULL));
ALTER TABLE sendgate.jobs
    ADD COLUMN sweep_under uuid,
    ADD COLUMN sweep_passed_over bigint NOT NULL DEFAULT 0,
    ADD COLUMN whole_under uuid;

CREATE FUNCTION sendgate.quarantine(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_quarantine';

CREATE VIEW sendgate.quarantine_progress AS
SELECT p.quarantined_at, p.actor, p.note,
       coalesce(a.whole_under = p.quarantine_id, false) AS audited,
       coalesce(r.whole_under = p.quarantine_id, false) AS reconciled
FROM sendgate.pause_switch p
LEFT JOIN sendgate.jobs a ON a.job = 'audit_events'
LEFT JOIN sendgate.jobs r ON r.job = 'reconcile_operations'
WHERE p.quarantine_id IS NOT NULL;

ALTER FUNCTION sendgate.quarantine(text) OWNER TO sendgate_owner;
ALTER VIEW sendgate.quarantine_progress OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.quarantine(text) FROM PUBLIC;
REVOKE ALL ON sendgate.quarantine_progress FROM PUBLIC;
REVOKE ALL ON TYPE sendgate.quarantine_progress FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.quarantine(text) TO sendgate_operator, sendgate_daemon;
GRANT SELECT ON sendgate.quarantine_progress TO sendgate_reader;

-- The list of unknown outcomes. Of those that merely expired, the next reconcile_operations takes note.
ALTER TABLE sendgate.send_operations ADD COLUMN unknown_since timestamptz;
UPDATE sendgate.send_operations
SET unknown_since = coalesce(settled_at, reserved_at)
WHERE state = 'indeterminate';
CREATE INDEX send_operations_unknown_idx ON sendgate.send_operations (unknown_since, operation_id, account_id)
WHERE unknown_since IS NOT NULL;

COMMENT ON TABLE sendgate.pause_switch IS
'The one switch. While it holds its row, the gate refuses everything on every account, and dispatch hands out nothing. Written by pause_all, quarantine and resume_all.';
COMMENT ON COLUMN sendgate.pause_switch.quarantine_id IS 'Of the last quarantine: the sweeps that began under it name it. NULL for a mere pause.';
COMMENT ON COLUMN sendgate.pause_switch.quarantined_at IS 'When quarantine was last called; NULL for a mere pause. Nothing is compared with it.';
COMMENT ON CONSTRAINT pause_switch_quarantine_check ON sendgate.pause_switch IS
'A quarantine has an id and a time.';
COMMENT ON FUNCTION sendgate.quarantine(text) IS
'pause_all for books that may have forgotten sends, after a restore from an older backup or a failover that lost transactions: refused with paused_by_operator in the same way, but resume_all is not accepted until layers 2 and 1 have met every account in whole sweeps that began after it. Called again, it begins anew. Logged. Errors: SG002, SG301.';
COMMENT ON FUNCTION sendgate.resume_all() IS
'Undoes pause_all, and quarantine once the books were checked. Every other rule holds as before. Logged. Errors: SG215 in quarantine, the sweeps are not through; SG301.';
COMMENT ON COLUMN sendgate.send_operations.unknown_since IS
'Since when nobody knows whether it was sent: its answer said so, or reconcile_operations found that nobody had answered in time. NULL: it is in flight or settled.';
COMMENT ON COLUMN sendgate.jobs.sweep_under IS 'The quarantine under which the last sweep began; NULL without one. Only of audit_events and reconcile_operations.';
COMMENT ON COLUMN sendgate.jobs.sweep_passed_over IS 'Accounts that wanted a closer look and that the last sweep left to the next, because somebody held them.';
COMMENT ON COLUMN sendgate.jobs.whole_under IS 'The last quarantine under which a sweep began, met every account and came to its end.';
COMMENT ON VIEW sendgate.quarantine_progress IS
'What keeps everything in quarantine: one line while quarantine holds, none otherwise. Once audited and reconciled are both true, resume_all is accepted.';
COMMENT ON COLUMN sendgate.quarantine_progress.quarantined_at IS 'When quarantine was last called.';
COMMENT ON COLUMN sendgate.quarantine_progress.actor IS 'Who called it.';
COMMENT ON COLUMN sendgate.quarantine_progress.note IS 'Why, in the operator''s words.';
COMMENT ON COLUMN sendgate.quarantine_progress.audited IS 'Whether a sweep of audit_events, layer 2, began since then, met every account and ended.';
COMMENT ON COLUMN sendgate.quarantine_progress.reconciled IS 'Whether a sweep of reconcile_operations, layer 1, began since then, met every account and ended.';
