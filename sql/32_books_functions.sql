-- The jobs of the books. Each is one bounded batch in one transaction; call again while more is true.
CREATE FUNCTION sendgate.audit_events(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_audit_events';

CREATE FUNCTION sendgate.reconcile_operations(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_reconcile_operations';

CREATE FUNCTION sendgate.midnight_reset(
    max_accounts integer DEFAULT 1000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_midnight_reset';

CREATE FUNCTION sendgate.prune(
    keep interval DEFAULT '90 days',
    keep_events interval DEFAULT '400 days',
    max_rows integer DEFAULT 10000,
    OUT checked bigint,
    OUT changed bigint,
    OUT more boolean
) RETURNS record
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_prune';

CREATE FUNCTION sendgate.record_run_failure(
    job text,
    error text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_record_run_failure';

-- Whether a job is to be run now; if so, leaves the heartbeat of a run that has begun.
CREATE FUNCTION sendgate.begin_run(
    job text
) RETURNS boolean
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_begin_run';

-- Refusals since the server started; no rows unless the library is in shared_preload_libraries.
CREATE FUNCTION sendgate.refusal_counts() RETURNS TABLE (
    action text,
    reason text,
    refusals bigint,
    since timestamptz
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 60
AS 'MODULE_PATHNAME', 'sendgate_refusal_counts';

CREATE FUNCTION sendgate.acknowledge_alert(
    alert_id uuid,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_acknowledge_alert';

CREATE FUNCTION sendgate.take_breaker_lines(
    max_rows integer
) RETURNS SETOF sendgate.breaker_log
LANGUAGE c
SECURITY DEFINER
ROWS 100
AS 'MODULE_PATHNAME', 'sendgate_take_breaker_lines';

-- Whatever is due, for pg_cron and the daemon alike. A procedure with the caller's rights: it commits
-- between batches, which a function with its own rights cannot.
CREATE PROCEDURE sendgate.tick()
LANGUAGE plpgsql
AS $tick$
DECLARE
    job pg_catalog.text;
    more pg_catalog.bool;
    began pg_catalog.timestamptz;
BEGIN
    -- Layer 2 looks for what layer 1 heals, so it comes first.
    FOREACH job IN ARRAY ARRAY['midnight_reset', 'audit_events', 'reconcile_operations', 'prune'] LOOP
        more := sendgate.begin_run(job);
        COMMIT;
        WHILE more LOOP
            began := pg_catalog.clock_timestamp();
            BEGIN
                IF job OPERATOR(pg_catalog.=) 'midnight_reset' THEN
                    SELECT j.more INTO more FROM sendgate.midnight_reset() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'audit_events' THEN
                    SELECT j.more INTO more FROM sendgate.audit_events() AS j;
                ELSIF job OPERATOR(pg_catalog.=) 'reconcile_operations' THEN
                    SELECT j.more INTO more FROM sendgate.reconcile_operations() AS j;
                ELSE
                    SELECT j.more INTO more
                    FROM sendgate.prune(
                        pg_catalog.current_setting('sendgate.keep')::pg_catalog.interval,
                        pg_catalog.current_setting('sendgate.keep_events')::pg_catalog.interval
                    ) AS j;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                PERFORM sendgate.record_run_failure(job, pg_catalog.concat(SQLSTATE, ': ', SQLERRM));
                more := false;
            END;
            COMMIT;
            -- A sweep rests for twice as long as a batch took: workers have the rest of the machine.
            IF more THEN
                PERFORM pg_catalog.pg_sleep(LEAST(2.0, pg_catalog.date_part('epoch',
                    (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began) OPERATOR(pg_catalog.*) 2.0)));
            END IF;
        END LOOP;
    END LOOP;
END
$tick$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.counter_drift
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.counter_drift
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only_truncate;
