\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- So many accounts fail together that it is the provider: the audit says so once, about no account.
SET sendgate.failure_limit = 1;
SET sendgate.outage_accounts = 3;
SET sendgate.now = '2026-11-11 12:00:00+00';
CREATE FUNCTION pg_temp.audit() RETURNS TABLE (state text, day date, detail text) LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    LOOP
        SELECT * INTO done FROM sendgate.audit_events(3);
        EXIT WHEN NOT done.more;
    END LOOP;
    RETURN QUERY
        SELECT CASE WHEN l.resolved_at IS NULL THEN 'open' ELSE 'resolved' END, l.day, l.detail
        FROM sendgate.alerts l WHERE l.account_id = '*' AND l.kind = 'provider_failing'
            AND l.opened_at >= '2026-11-11' ORDER BY l.opened_at;
END
$$;
CREATE FUNCTION pg_temp.fail(id text) RETURNS text LANGUAGE sql AS $$
    SELECT sendgate.rollback(id, (sendgate.reserve(id, 'message', 'p' || sendgate.clock())).operation_id,
                             'unreachable', 'errors/too_many_characters', 422)
$$;
SELECT sendgate.upsert_account('out-' || n, 'sales_navigator') FROM generate_series(1, 10) n;
SELECT * FROM pg_temp.audit();
-- Two are too few.
SELECT pg_temp.fail('out-' || n) FROM generate_series(1, 2) n;
SELECT * FROM pg_temp.audit();
-- Three of ten at work are less than a third.
SELECT pg_temp.fail('out-3');
SELECT count((sendgate.reserve('out-' || n, 'message', 'ok')).operation_id) FROM generate_series(4, 10) n;
SELECT * FROM pg_temp.audit();
-- Four of ten are more. The alert is raised once.
SELECT pg_temp.fail('out-4');
SELECT * FROM pg_temp.audit();
SET sendgate.now = '2026-11-11 12:10:00+00';
SELECT * FROM pg_temp.audit();
-- Less than an hour after the last silence they still count; what had a grant more than an hour ago does not.
SET sendgate.now = '2026-11-11 13:59:59+00';
SELECT * FROM pg_temp.audit();
SET sendgate.now = '2026-11-11 14:00:00+00';
SELECT * FROM pg_temp.audit();
-- It comes back, and lasts past midnight: an alert a day.
SET sendgate.now = '2026-11-11 23:30:00+00';
SELECT pg_temp.fail('out-' || n) FROM generate_series(1, 4) n;
SELECT * FROM pg_temp.audit();
SET sendgate.now = '2026-11-12 00:00:00+00';
SELECT * FROM pg_temp.audit();
-- The provider is back: an operator ends it for all, and each account has its line.
SELECT sendgate.clear_cooldown('*', 'the provider is back');
SELECT * FROM pg_temp.audit();
SELECT account_id, action, cause, until, note FROM sendgate.cooldown_log
WHERE account_id LIKE 'out-%' AND note IS NOT NULL ORDER BY account_id;
-- With failures switched off nothing fails.
SELECT pg_temp.fail('out-' || n) FROM generate_series(1, 4) n;
SET sendgate.failure_limit = 0;
SELECT * FROM pg_temp.audit();

-- What an account sent outside the gate is no grant of ours: it does not make the account one that is at work.
SET sendgate.failure_limit = 1;
SELECT sendgate.clear_cooldown('*', 'test');
SET sendgate.now = '2026-11-12 08:00:00+00';
SELECT pg_temp.fail('out-' || n) FROM generate_series(1, 3) n;
SELECT count(sendgate.record_external_send('out-' || n, 'message', 'by hand', 'chat', sendgate.clock())) FROM generate_series(4, 10) n;
SELECT * FROM pg_temp.audit();
SELECT sendgate.clear_cooldown('*', 'test');
-- The one attempt may stay unanswered for days, and so long the action is failing.
SET sendgate.operation_ttl = '7d';
SELECT pg_temp.fail('out-' || n) FROM generate_series(1, 3) n;
SET sendgate.now = '2026-11-12 09:00:00+00';
SELECT count((sendgate.reserve('out-' || n, 'message', 'long')).operation_id) FROM generate_series(1, 3) n;
SET sendgate.now = '2026-11-18 09:00:00+00';
SELECT * FROM pg_temp.audit();
SET sendgate.now = '2026-11-19 10:00:00+00';
SELECT * FROM pg_temp.audit();
RESET sendgate.operation_ttl;
SELECT sendgate.clear_cooldown('*', 'test');
SET sendgate.failure_limit = 0;

-- A counter far over its cap: the audit's cooldown is in the log, and one that lasts longer is not touched.
SET sendgate.now = '2026-11-20 12:00:00+00';
UPDATE sendgate.accounts SET day = '2026-11-20', inmails_sent_today = 60 WHERE id IN ('out-1', 'out-2');
UPDATE sendgate.accounts SET cooldown_until = '2026-11-20 20:00:00+00' WHERE id = 'out-2';
SELECT count(*) FROM pg_temp.audit();
SELECT account_id, action, cause, until, operation_id FROM sendgate.cooldown_log
WHERE account_id LIKE 'out-%' AND cause = 'over_cap' ORDER BY account_id;
SELECT account_id, action, since, until, cause FROM sendgate.cooldowns WHERE account_id = 'out-1';
