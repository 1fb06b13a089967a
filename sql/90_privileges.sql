-- Everything belongs to a role without login; the functions act with its rights.
DO $owner$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT c.oid::pg_catalog.regclass AS name, c.relkind
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO sendgate_owner',
            CASE object.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, object.name);
    END LOOP;
    FOR object IN
        SELECT p.oid::pg_catalog.regprocedure AS name
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO sendgate_owner', object.name);
    END LOOP;
    -- PUBLIC may use a new domain. Row types of tables and views keep that: pg_dump knows no privileges of
    -- theirs, and warns of each.
    FOR object IN
        SELECT t.oid::pg_catalog.regtype AS name
        FROM pg_catalog.pg_type t
        WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace AND t.typtype = 'd'
    LOOP
        EXECUTE pg_catalog.format('ALTER DOMAIN %s OWNER TO sendgate_owner', object.name);
        EXECUTE pg_catalog.format('REVOKE ALL ON TYPE %s FROM PUBLIC', object.name);
    END LOOP;
END
$owner$;
ALTER TYPE sendgate.decision OWNER TO sendgate_owner;
ALTER TYPE sendgate.breaker_answer OWNER TO sendgate_owner;
ALTER TYPE sendgate.dispatched OWNER TO sendgate_owner;
ALTER TYPE sendgate.suppression_signal OWNER TO sendgate_owner;
ALTER SCHEMA sendgate OWNER TO sendgate_owner;

REVOKE ALL ON SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA sendgate FROM PUBLIC;
REVOKE ALL ON TYPE sendgate.decision, sendgate.breaker_answer, sendgate.dispatched, sendgate.suppression_signal
FROM PUBLIC;

GRANT USAGE ON SCHEMA sendgate TO sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon;
GRANT USAGE ON TYPE sendgate.decision, sendgate.breaker_answer, sendgate.dispatched
    TO sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon;

-- Applications.
GRANT EXECUTE ON FUNCTION
    sendgate.clock(),
    sendgate.reserve(text, text, text, text, uuid),
    sendgate.preview(text, text, text),
    sendgate.confirm(text, uuid, text, timestamptz),
    sendgate.rollback(text, uuid, text, text, integer, interval),
    sendgate.breaker_check(text, text, text),
    sendgate.breaker_report(text, text, text, text, integer),
    sendgate.enqueue(text, text, text, text, timestamptz, boolean, integer, jsonb, integer),
    sendgate.dispatch(integer, text, text, uuid, text),
    sendgate.cancel(text, text, text),
    sendgate.enqueue_many(text[], text[], text[], text[], timestamptz[], boolean[], integer[], jsonb[], integer[]),
    sendgate.confirm_many(text[], uuid[], text[]),
    sendgate.rollback_many(text[], uuid[], text[], text[], integer[], interval[]),
    sendgate.record_credit_balance(text, integer, timestamptz, text),
    sendgate.record_external_send(text, text, text, text, timestamptz),
    sendgate.guard_send(),
    sendgate.settle_send()
TO sendgate_sender;

-- Readers: the views, the logs, and the pure functions that the views call with their rights.
GRANT SELECT ON
    sendgate.linkedin_accounts, sendgate.account_cards, sendgate.breakers, sendgate.counters,
    sendgate.delivered_daily, sendgate.operations_unresolved, sendgate.open_alerts, sendgate.tiers,
    sendgate.error_rules, sendgate.observed_refusals, sendgate.cooldown_log, sendgate.cooldowns, sendgate.linkedin_events,
    sendgate.send_operations, sendgate.breaker_log, sendgate.credit_balances, sendgate.credits,
    sendgate.alerts, sendgate.enrollments, sendgate.campaign_events, sendgate.paused_campaigns,
    sendgate.campaigns, sendgate.campaigns_today,
    sendgate.skips_today, sendgate.counter_drift, sendgate.reconcile_runs, sendgate.reconciler_health,
    sendgate.pause_switch, sendgate.quarantine_progress, sendgate.suppressions, sendgate.due_work, sendgate.credit_states
TO sendgate_reader;
GRANT EXECUTE ON FUNCTION
    sendgate.clock(),
    sendgate.sent_as_of(integer, date, timestamptz),
    sendgate.sent_in_seven_days_as_of(integer, bytea, text, date, timestamptz),
    sendgate.sent_before_days(bytea, text),
    sendgate.effective_cap(integer, boolean, integer, boolean, date, integer, integer, timestamptz),
    sendgate.breaker_state(text, timestamptz, integer, timestamptz),
    sendgate.next_credit_period(integer, timestamptz),
    sendgate.window_days_array(integer),
    sendgate.window_since(time, time, smallint, text, timestamptz),
    sendgate.outside_window(time, time, smallint, text, timestamptz),
    sendgate.why(text, text),
    sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer,
        timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz),
    sendgate.activity_counts(),
    sendgate.refusal_counts()
TO sendgate_reader;

-- Copies of the database: who may see that it is one, and who may say that it sends.
GRANT SELECT ON sendgate.home_database TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.copied_database() TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.adopt_database(text) TO sendgate_operator, sendgate_daemon;
-- How applications' triggers are declared.
GRANT SELECT ON sendgate.guard_triggers TO sendgate_reader;
GRANT EXECUTE ON FUNCTION sendgate.judge_trigger(oid, oid) TO sendgate_reader;

-- Who is only observed is said to all who look.
GRANT EXECUTE ON FUNCTION sendgate.enforcement_of(text) TO sendgate_reader;

-- People who have to explain why an account does not send ask the gate itself.
GRANT EXECUTE ON FUNCTION sendgate.preview(text, text, text) TO sendgate_operator, sendgate_daemon;

-- Operators, and the daemon on behalf of the operator that sendgate.actor names; its console shows them who did what.
GRANT SELECT ON sendgate.admin_log TO sendgate_operator, sendgate_daemon;
GRANT EXECUTE ON FUNCTION
    sendgate.upsert_account(text, text, text, text, time, time, integer[], integer, boolean),
    sendgate.set_window(text, time, time, integer[]),
    sendgate.set_status(text, text, text),
    sendgate.set_cap(text, text, integer, integer, text),
    sendgate.set_tier_cap(text, text, integer, integer, interval, integer),
    sendgate.drop_tier_cap(text, text),
    sendgate.set_error_rule(integer, text, text, text, text, text, text, interval),
    sendgate.drop_error_rule(integer),
    sendgate.pause_all(text),
    sendgate.quarantine(text),
    sendgate.resume_all(),
    sendgate.clear_cooldown(text, text, text),
    sendgate.repair_day(text, text),
    sendgate.set_pace(text, interval, integer, boolean, text),
    sendgate.set_enforcement(text, text, text),
    sendgate.record_credit_balance(text, integer, timestamptz, text),
    sendgate.forget_credit_balance(text, text),
    sendgate.set_campaign(text, integer, integer, integer, integer, integer, text),
    sendgate.resolve_operation(text, uuid, boolean, text, text),
    sendgate.resolve_unresolved(boolean, timestamptz, timestamptz, text, text, text),
    sendgate.acknowledge_alert(uuid, text),
    sendgate.suppress_prospect(text, text, timestamptz),
    sendgate.unsuppress_prospect(text, text),
    sendgate.remove_account(text, text, integer),
    sendgate.forget_prospect(text, text, integer),
    sendgate.pause_campaign(text),
    sendgate.resume_campaign(text),
    sendgate.resume_deferred(text),
    sendgate.switch_action(text, text, text),
    sendgate.breaker_clear(text, text),
    sendgate.breaker_arm(text, text),
    sendgate.breaker_probe(text, text),
    sendgate.breaker_force(text, text, text)
TO sendgate_operator, sendgate_daemon;

-- Work that is taken out or put back, by applications and by people.
GRANT EXECUTE ON FUNCTION
    sendgate.cancel_prospect(text),
    sendgate.requeue(text, text, text, text, integer, timestamptz)
TO sendgate_sender, sendgate_operator, sendgate_daemon;

-- The jobs and the outbox.
GRANT EXECUTE ON FUNCTION
    sendgate.audit_events(integer),
    sendgate.reconcile_operations(integer),
    sendgate.midnight_reset(integer),
    sendgate.prune(interval, interval, integer),
    sendgate.begin_run(text),
    sendgate.record_run_failure(text, text),
    sendgate.take_breaker_lines(integer),
    sendgate.register_webhook(text, text[]),
    sendgate.take_notifications(text, integer, interval),
    sendgate.settle_notification(text, text, uuid, text, interval)
TO sendgate_daemon;
GRANT EXECUTE ON PROCEDURE sendgate.tick() TO sendgate_daemon;
GRANT SELECT ON sendgate.breaker_outbox TO sendgate_daemon;
-- Which webhooks there are, how they are and what waits for them: names and ids, no address and no secret.
GRANT SELECT ON sendgate.webhooks, sendgate.webhook_outbox TO sendgate_reader;
