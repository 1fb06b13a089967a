-- why: for each reason since when, until when, who or what made it so in their own words, and what can be done.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
\pset format unaligned
\x on
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT count(sendgate.upsert_account('why/' || n, 'sales_navigator')) FROM generate_series(1, 20) n;

-- The session's user has another name on each machine.
CREATE FUNCTION pg_temp.why(account text, of_action text) RETURNS TABLE (proceed boolean, reason text, since timestamptz,
    until timestamptz, actor text, note text, http_status integer, error_type text, error text, operation_id uuid, advice text)
LANGUAGE sql AS $$
    SELECT w.proceed, w.reason, w.since, w.until, CASE w.actor WHEN session_user THEN 'me' ELSE w.actor END, w.note, w.http_status,
           w.error_type, w.error, w.operation_id, w.advice
    FROM sendgate.why(account, of_action) w
$$;

-- Nothing holds it back: a line for each action, in the order of the contract.
\x off
SELECT * FROM sendgate.why('why/1');
SELECT action, proceed, advice FROM sendgate.why('why/1', 'message');
\x on

-- 1. The status, set by an operator: since the change, in the words that came last.
SELECT sendgate.set_status('why/2', 'paused', 'the owner is on holiday');
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT sendgate.set_status('why/2', 'paused', 'the owner is ill');
SELECT * FROM pg_temp.why('why/2', 'invite');
-- Connected again: that act let it go.
SELECT sendgate.set_status('why/2', 'connected', 'back at work');
SELECT w.since, w.note, w.proceed FROM sendgate.why('why/2', 'invite') w;
-- Set by the provider's answer: the operation, and its words.
SELECT proceed FROM sendgate.reserve('why/3', 'invite', 'p1', 'spring', contract.op(73003));
SELECT sendgate.rollback('why/3', contract.op(73003), 'Your account was restricted.', 'errors/account_restricted', 403);
SELECT w.reason, w.since, w.until, w.note, w.http_status, w.error_type, w.error, w.operation_id, w.advice FROM sendgate.why('why/3', 'message') w;
-- The same of a login that was lost, through a batch.
SELECT proceed FROM sendgate.reserve('why/4', 'invite', 'p1', 'spring', contract.op(73004));
SELECT sendgate.rollback_many(ARRAY['why/4'], ARRAY[contract.op(73004)], ARRAY['sign in again'], NULL, ARRAY[401]);
SELECT w.reason, w.since, w.until, w.note, w.http_status, w.error_type, w.error, w.operation_id, w.advice FROM sendgate.why('why/4', 'inmail') w;

-- 2. InMail only: forced open, by whom and why.
SELECT sendgate.breaker_force('why/5', 'open', 'the client asked for a stop');
SELECT * FROM pg_temp.why('why/5', 'inmail');
SELECT proceed, reason FROM sendgate.why('why/5', 'message');
-- Credits: the stamp, the operation and the provider's words.
SELECT proceed FROM sendgate.reserve('why/6', 'inmail', 'p1', 'spring', contract.op(73006));
SELECT sendgate.rollback('why/6', contract.op(73006), 'not enough credits', 'errors/insufficient_credits', 402);
SET sendgate.now = '2026-05-20 14:00:00+00';
SELECT (sendgate.reserve('why/6', 'inmail', 'skipped ' || n)).reason FROM generate_series(1, 3) n;
SELECT * FROM pg_temp.why('why/6', 'inmail');
-- The operation of a stamp that is older than its name in the log is found by its prospect.
ALTER TABLE sendgate.breaker_log DISABLE TRIGGER append_only;
UPDATE sendgate.breaker_log SET operation_id = NULL, http_status = NULL, error_type = NULL WHERE account_id = 'why/6' AND action = 'set';
ALTER TABLE sendgate.breaker_log ENABLE ALWAYS TRIGGER append_only;
SELECT w.http_status, w.error_type, w.error, w.operation_id FROM sendgate.why('why/6', 'inmail') w;
-- A permit: one may go, until when; once it is taken, the others wait for its answer.
SELECT sendgate.breaker_probe('why/6', 'credits were bought');
SELECT * FROM pg_temp.why('why/6', 'inmail');
SELECT proceed FROM sendgate.reserve('why/6', 'inmail', 'p2', NULL, contract.op(73007));
SELECT * FROM pg_temp.why('why/6', 'inmail');
-- A clear by hand: who let it go.
SELECT sendgate.breaker_clear('why/6', 'seen on the balance page');
SELECT * FROM pg_temp.why('why/6', 'inmail');
-- Stamped by hand, and by breaker_report, which names no operation.
SELECT sendgate.breaker_arm('why/7', 'the client says so');
SELECT * FROM pg_temp.why('why/7', 'inmail');
SELECT sendgate.breaker_report('why/8', 'p1', '{"type": "errors/insufficient_credits", "status": 422, "detail": "no credits"}');
SELECT * FROM pg_temp.why('why/8', 'inmail');

-- By a balance that was told: who told it; an InMail that is still unanswered; before and after the stamp.
SELECT sendgate.record_credit_balance('why/20', 1, note => 'seen on the balance page');
SELECT proceed FROM sendgate.reserve('why/20', 'inmail', 'p1', NULL, contract.op(73030));
SELECT * FROM pg_temp.why('why/20', 'inmail');
SELECT sendgate.confirm('why/20', contract.op(73030), 'chat') IS NOT NULL AS delivered;
SELECT w.until, w.note, w.advice FROM sendgate.why('why/20', 'inmail') w;
SELECT (sendgate.reserve('why/20', 'inmail', 'p2')).reason;
SELECT * FROM pg_temp.why('why/20', 'inmail');

-- 3. A cooldown of the account, of an action, for failures, of a plan without the action.
SELECT proceed FROM sendgate.reserve('why/9', 'message', 'p1', NULL, contract.op(73009));
SELECT sendgate.rollback('why/9', contract.op(73009), 'slow down', 'errors/too_many_requests', 429, '2 hours');
SELECT * FROM pg_temp.why('why/9', 'inmail');
SELECT sendgate.clear_cooldown('why/9', 'the provider called');
SELECT w.since, w.note, w.proceed FROM sendgate.why('why/9', 'inmail') w;
SELECT proceed FROM sendgate.reserve('why/10', 'invite', 'p1', NULL, contract.op(73010));
SELECT sendgate.rollback('why/10', contract.op(73010), 'weekly limit', 'errors/connection_limit_reached', 422);
SELECT * FROM pg_temp.why('why/10', 'invite');
SELECT proceed FROM sendgate.reserve('why/10', 'inmail', 'p1', NULL, contract.op(73011));
SELECT sendgate.rollback('why/10', contract.op(73011), 'Sales Navigator needed', 'errors/feature_not_subscribed', 403);
SELECT * FROM pg_temp.why('why/10', 'inmail');
SET sendgate.failure_limit = 1;
SELECT proceed FROM sendgate.reserve('why/11', 'message', 'p1', NULL, contract.op(73012));
SELECT sendgate.rollback('why/11', contract.op(73012), 'too long', 'errors/too_many_characters', 422);
SELECT * FROM pg_temp.why('why/11', 'message');
-- Of two cooldowns of one action, the one that lasts longer.
SELECT r.proceed FROM generate_series(1, 2) n CROSS JOIN LATERAL sendgate.reserve('why/11', 'invite', 'p' || n, NULL, contract.op(73012 + n)) r;
SELECT sendgate.rollback('why/11', contract.op(73013), 'too long', 'errors/too_many_characters', 422);
SELECT sendgate.rollback('why/11', contract.op(73014), 'weekly limit', 'errors/connection_limit_reached', 422);
SELECT w.until, w.error FROM sendgate.why('why/11', 'invite') w;
-- Many accounts fail: the provider first.
BEGIN;
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
VALUES (contract.op(73099), '*', 'provider_failing', '2026-05-20', 'all of them', sendgate.clock());
SELECT advice FROM sendgate.why('why/11', 'message');
ROLLBACK;
RESET sendgate.failure_limit;
-- The audit found the counter above the cap.
UPDATE sendgate.accounts SET inmails_sent_today = 60, inmail_cap_today = 50, day = '2026-05-20' WHERE id = 'why/12';
SELECT changed > 0 AS raised FROM sendgate.audit_events(10000);
SELECT w.since, w.until, w.error, w.advice FROM sendgate.why('why/12', 'message') w;

-- 4. The window: who set it, also with upsert_account; since it closed, or since it was set.
SELECT sendgate.upsert_account('why/13', window_start => '09:00', window_end => '17:00', window_days => '{1,2,3,4,5}', time_zone => 'Europe/Berlin');
SELECT sendgate.upsert_account('why/13', display_name => 'Renamed');
SET sendgate.now = '2026-05-20 20:00:00+00';
SELECT * FROM pg_temp.why('why/13', 'message');
SELECT sendgate.set_window('why/13', '06:00', '07:00', '{6}');
SELECT w.since, w.until, w.reason, w.advice FROM sendgate.why('why/13', 'message') w;

-- 5. The pace: of the account, of its tier.
SELECT sendgate.set_pace('why/14', '5 minutes', note => 'like a person');
SELECT proceed FROM sendgate.reserve('why/14', 'invite', 'p1');
SET sendgate.now = '2026-05-20 20:01:00+00';
SELECT * FROM pg_temp.why('why/14', 'message');
SELECT sendgate.set_tier_cap('why_tier', 'invite', 10, minimum_gap => '20 minutes');
SELECT sendgate.upsert_account('why/15', 'why_tier');
SELECT proceed FROM sendgate.reserve('why/15', 'invite', 'p1');
SELECT * FROM pg_temp.why('why/15', 'invite');

-- 6. and 7. Caps: the counts, since the slot that reached it, who set it.
SELECT sendgate.set_cap('why/16', 'invite', 2, 3, 'new account');
SELECT proceed FROM sendgate.reserve('why/16', 'invite', 'p1');
SET sendgate.now = '2026-05-20 20:02:00+00';
SELECT proceed FROM sendgate.reserve('why/16', 'invite', 'p2');
SET sendgate.now = '2026-05-20 21:00:00+00';
SELECT * FROM pg_temp.why('why/16', 'invite');
SET sendgate.now = '2026-05-21 08:00:00+00';
SELECT proceed FROM sendgate.reserve('why/16', 'invite', 'p3');
SET sendgate.now = '2026-05-21 09:00:00+00';
SELECT * FROM pg_temp.why('why/16', 'invite');
-- The tier's cap, shipped and the users' own; a tier without the action; a ramp.
SELECT count(*) FROM generate_series(1, 25) n, sendgate.reserve('why/17', 'invite', 'p' || n) r WHERE r.proceed;
SELECT * FROM pg_temp.why('why/17', 'invite');
SELECT w.reason, w.since, CASE w.actor WHEN session_user THEN 'me' ELSE w.actor END AS actor, w.advice FROM sendgate.why('why/15', 'message') w;
-- The tier that an account was moved to has none; a weekly cap of 0 lets nothing fall out.
SELECT sendgate.upsert_account('why/1', 'free');
SELECT w.reason, w.since, CASE w.actor WHEN session_user THEN 'me' ELSE w.actor END AS actor, w.until FROM sendgate.why('why/1', 'inmail') w;
SELECT sendgate.set_cap('why/1', 'message', 5, 0, 'never again');
SELECT w.reason, w.since, w.until, w.note, w.advice FROM sendgate.why('why/1', 'message') w;
SELECT sendgate.upsert_account('why/1', 'sales_navigator'), sendgate.set_cap('why/1', 'message', NULL, NULL);
SELECT sendgate.upsert_account('why/18', ramp => true);
SELECT count(*) FROM generate_series(1, 5) n, sendgate.reserve('why/18', 'invite', 'p' || n) r WHERE r.proceed;
SELECT w.reason, w.since, w.until, w.advice FROM sendgate.why('why/18', 'invite') w;

-- 8. Attempts: the provider's last words.
SELECT sendgate.set_cap('why/19', 'message', 1);
SELECT proceed FROM sendgate.reserve('why/19', 'message', 'p1', NULL, contract.op(73019));
SELECT sendgate.rollback('why/19', contract.op(73019), 'gone', 'errors/too_many_characters', 422);
SELECT proceed FROM sendgate.reserve('why/19', 'message', 'p2', NULL, contract.op(73020));
SELECT sendgate.rollback('why/19', contract.op(73020), 'too long', 'errors/too_many_characters', 422);
SELECT * FROM pg_temp.why('why/19', 'message');
-- One is not several.
SET sendgate.attempt_percent = 100;
SELECT sendgate.set_cap('why/19', 'invite', 1);
SELECT proceed FROM sendgate.reserve('why/19', 'invite', 'p1', NULL, contract.op(73021));
SELECT sendgate.rollback('why/19', contract.op(73021), 'gone', 'errors/too_many_characters', 422);
SELECT w.reason, w.advice FROM sendgate.why('why/19', 'invite') w;
RESET sendgate.attempt_percent;

-- Observed: it goes out all the same, and the line says why it would not.
SELECT sendgate.set_enforcement('why/17', 'observe', 'trying it');
SELECT w.proceed, w.reason, w.since, w.advice FROM sendgate.why('why/17', 'invite') w;

-- Everything stopped: by whom. A copy of the books is told apart.
BEGIN;
SELECT sendgate.pause_all('the provider called');
SELECT * FROM pg_temp.why('why/1', 'message');
SELECT sendgate.quarantine('restored from a backup');
SELECT w.reason, w.since, w.note, w.advice FROM sendgate.why('why/1', 'message') w;
ROLLBACK;

-- It writes nothing, and readers may ask.
BEGIN READ ONLY;
SET LOCAL ROLE sendgate_reader;
SELECT count(*) FROM sendgate.why('why/6');
COMMIT;

-- What this file leaves behind is no tier.
SELECT sendgate.upsert_account('why/15', 'free'), sendgate.drop_tier_cap('why_tier', 'invite');

-- Bad input.
\x off
\pset format aligned
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$why(NULL)$$), (2, $$why('')$$), (3, $$why('why/nobody')$$), (4, $$why('why/1', 'email')$$), (5, $$why('why/nobody', 'inmail')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT * FROM sendgate.' || input.statement) AS e
ORDER BY input.n;
