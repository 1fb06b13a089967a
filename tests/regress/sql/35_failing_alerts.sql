-- The alerts about actions that fail and actions that a plan lacks: one an account and day, about what still stands.
-- Then what lets work go on: settings that are switched off, and waits that the provider tells.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.failure_limit = 2;
CREATE FUNCTION pg_temp.try(account text, of_action text, status integer, message text, wait interval DEFAULT NULL, type text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d sendgate.decision;
BEGIN
    d := sendgate.reserve(account, of_action, 'p' || gen_random_uuid());
    IF NOT d.proceed THEN
        RETURN d.reason;
    ELSIF status = 201 THEN
        RETURN CASE WHEN sendgate.confirm(account, d.operation_id, 'chat ' || d.operation_id) IS NOT NULL THEN 'delivered' END;
    END IF;
    RETURN sendgate.rollback(account, d.operation_id, message, type, status, wait);
END
$$;
CREATE VIEW contract.alerts_35 AS
SELECT l.account_id, l.kind, l.day, l.resolved_at IS NULL AS open, l.detail, l.acknowledged_by IS NOT NULL AS acknowledged, l.opened_at
FROM sendgate.alerts l WHERE l.account_id LIKE 'alert/%';

-- It opens, resolves, and is open again: the same alert of the day, and an acknowledgement was of the first time.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('alert/' || n, 'sales_navigator') FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e', 'f']) n;
SELECT sendgate.register_webhook('alerts_35', ARRAY['alert_opened', 'alert_resolved']);
SELECT pg_temp.try('alert/a', 'message', 400, 'bad ' || n) FROM generate_series(1, 3) n;
SELECT sendgate.acknowledge_alert(l.alert_id, 'seen') FROM sendgate.open_alerts l WHERE l.account_id = 'alert/a';
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT pg_temp.try('alert/a', 'message', 201, NULL);
SELECT kind, day, open, acknowledged FROM contract.alerts_35 WHERE account_id = 'alert/a';
SELECT pg_temp.try('alert/a', 'message', 400, 'worse ' || n) FROM generate_series(1, 3) n;
SELECT kind, day, open, detail, acknowledged, opened_at FROM contract.alerts_35 WHERE account_id = 'alert/a';
-- Who is told of alerts is told that it is open again.
SELECT o.event, o.source_id = l.alert_id AS this_alert FROM sendgate.webhook_outbox o JOIN sendgate.alerts l USING (account_id)
WHERE o.webhook = 'alerts_35' ORDER BY o.place;
DELETE FROM sendgate.webhook_outbox WHERE webhook = 'alerts_35';
DELETE FROM sendgate.webhooks WHERE name = 'alerts_35';
-- It has the provider's last words, and is about each action that fails: what recovers leaves it.
SET sendgate.now = '2026-05-20 14:00:00+00';
SELECT pg_temp.try('alert/a', 'message', 503, E'busy\ninvite: really busy');
SELECT pg_temp.try('alert/a', 'invite', 400, 'bad invite ' || n) FROM generate_series(1, 2) n;
SELECT day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/a';
SET sendgate.now = '2026-05-20 15:00:00+00';
SELECT pg_temp.try('alert/a', 'message', 201, NULL);
SELECT day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/a';
-- A clear of one action leaves the others in it, too.
SELECT pg_temp.try('alert/a', 'message', 400, 'bad again') FROM generate_series(1, 2);
SELECT sendgate.clear_cooldown('alert/a', 'mended', 'invite');
SELECT day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/a';
-- The next day has its own.
SET sendgate.now = '2026-05-21 12:00:00+00';
SELECT pg_temp.try('alert/a', 'invite', 400, 'bad invite') FROM generate_series(1, 2);
SELECT day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/a' ORDER BY day;
SELECT sendgate.clear_cooldown('alert/a', 'all of it');
SELECT day, open FROM contract.alerts_35 WHERE account_id = 'alert/a' ORDER BY day;

-- Two actions that the plan lacks are one alert; a delivery of one, or a clear, takes that one out of it.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT (sendgate.reserve('alert/b', 'invite', 'late', NULL, contract.op(1))).proceed;
SELECT pg_temp.try('alert/b', 'inmail', 403, 'no InMail', type => 'errors/feature_not_subscribed'),
       pg_temp.try('alert/b', 'invite', 403, 'no invite', type => 'errors/feature_not_subscribed');
SELECT kind, day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/b';
SELECT sendgate.confirm('alert/b', contract.op(1)) IS NOT NULL AS delivered;
SELECT kind, day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/b';
SELECT sendgate.clear_cooldown('alert/b', 'upgraded', 'inmail');
SELECT kind, day, open FROM contract.alerts_35 WHERE account_id = 'alert/b';
-- Words that were blanked are about no action: the next thing that is over resolves it.
SELECT pg_temp.try('alert/b', 'inmail', 403, 'no InMail', type => 'errors/feature_not_subscribed');
SELECT sendgate.forget_prospect(o.prospect_id, 'test') > 0 AS forgotten FROM sendgate.send_operations o WHERE o.account_id = 'alert/b' AND o.action = 'inmail' AND o.error = 'no InMail';
SELECT kind, day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/b';
SELECT sendgate.clear_cooldown('alert/b', 'upgraded', 'inmail');
SELECT kind, day, open FROM contract.alerts_35 WHERE account_id = 'alert/b';

-- While a longer cooldown of the action lasts it opens all the same, in batches too; the cooldown stays as it is.
SELECT n, r.proceed FROM generate_series(11, 13) n CROSS JOIN LATERAL sendgate.reserve('alert/c', 'invite', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.rollback('alert/c', contract.op(11), 'limit', 'errors/limit_exceeded', 422, '3 days');
SELECT sendgate.rollback('alert/c', contract.op(12), 'not in the plan', 'errors/subscription_required', 403);
SELECT kind, day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/c';
SELECT action, cause, until FROM sendgate.cooldowns WHERE account_id = 'alert/c';
SELECT sendgate.rollback_many(ARRAY['alert/c'], ARRAY[contract.op(13)], ARRAY['still not'], ARRAY['errors/subscription_required'], ARRAY[403]);
SELECT kind, day, open, detail FROM contract.alerts_35 WHERE account_id = 'alert/c';

-- Switched off, the settings refuse nothing. The work that slept under them is due with the next sweep of layer 1.
SELECT pg_temp.try('alert/d', 'message', 400, 'bad') FROM generate_series(1, 2);
SELECT sendgate.set_cap('alert/e', 'message', 2);
SET sendgate.failure_limit = 10;
SELECT pg_temp.try('alert/e', 'message', 400, 'bad') FROM generate_series(1, 4);
SET sendgate.failure_limit = 2;
SELECT count(sendgate.enqueue('spring', 'w' || n, 'alert/' || a, 'message')) FROM generate_series(1, 2) n, unnest(ARRAY['d', 'e']) a;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'alert/d');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'alert/e');
SELECT * FROM contract.tickets WHERE account_id IN ('alert/d', 'alert/e') ORDER BY account_id;
SELECT more FROM sendgate.reconcile_operations(10000);
SELECT * FROM contract.tickets WHERE account_id IN ('alert/d', 'alert/e') ORDER BY account_id;
SET sendgate.failure_limit = 0;
SET sendgate.attempt_percent = 0;
SELECT more FROM sendgate.reconcile_operations(10000);
SELECT more FROM sendgate.reconcile_operations(10000);
SELECT * FROM contract.tickets WHERE account_id IN ('alert/d', 'alert/e') ORDER BY account_id, due_at;
SELECT account_id, count(*) FROM sendgate.dispatch(10) WHERE account_id LIKE 'alert/%' GROUP BY account_id ORDER BY account_id;
RESET sendgate.attempt_percent;
RESET sendgate.failure_limit;

-- A wait of less than a second is none that a provider can tell: the rule's holds, or the setting.
CREATE FUNCTION pg_temp.told(wait interval) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    lasts interval;
BEGIN
    PERFORM pg_temp.try('alert/f', 'profile_view', 429, 'slow down', wait);
    SELECT until - since INTO lasts FROM sendgate.cooldowns WHERE account_id = 'alert/f';
    PERFORM sendgate.clear_cooldown('alert/f', 'test');
    RETURN lasts;
END
$$;
SELECT wait, pg_temp.told(wait) AS lasts FROM unnest(ARRAY['1 microsecond', '0.999 seconds', '1 second', '90 seconds']::interval[]) wait;
SELECT pg_temp.try('alert/f', 'invite', 422, 'weekly limit', '1 microsecond', 'errors/connection_limit_reached');
SELECT action, until - since AS lasts FROM sendgate.cooldowns WHERE account_id = 'alert/f';
