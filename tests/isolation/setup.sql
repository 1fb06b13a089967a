-- Runs once, before the first spec, in the database of all specs.
CREATE SCHEMA spec;

-- What each permutation begins with: no rows but those that the extension ships, and no job has run. Only tables with rows
-- are emptied, because each one that is costs new files and the plans of every session.
CREATE PROCEDURE spec.fresh()
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    has_rows boolean;
    is_guarded boolean;
BEGIN
    FOREACH name IN ARRAY string_to_array(
        'accounts send_operations linkedin_events enrollments dispatch_queue dispatch_requests paused_campaigns'
        ' campaign_events breaker_log cooldown_log admin_log alerts pause_switch tier_overrides error_rule_overrides'
        ' counter_drift reconcile_runs breaker_outbox credit_balances suppressions', ' ')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM sendgate.%I)', name) INTO has_rows;
        CONTINUE WHEN NOT has_rows;
        is_guarded := EXISTS (
            SELECT FROM pg_trigger
            WHERE tgrelid = format('sendgate.%I', name)::regclass AND tgname = 'append_only_truncate'
        );
        IF is_guarded THEN
            EXECUTE format('ALTER TABLE sendgate.%I DISABLE TRIGGER append_only_truncate', name);
        END IF;
        EXECUTE format('TRUNCATE sendgate.%I', name);
        IF is_guarded THEN
            EXECUTE format('ALTER TABLE sendgate.%I ENABLE ALWAYS TRIGGER append_only_truncate', name);
        END IF;
    END LOOP;
    UPDATE sendgate.jobs
    SET sweep_started_at = NULL, sweep_finished_at = NULL, next_day = NULL, next_account = NULL
    WHERE num_nonnulls(sweep_started_at, sweep_finished_at, next_day, next_account) > 0;
END
$$;
