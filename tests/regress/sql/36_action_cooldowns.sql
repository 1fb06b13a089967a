-- Cooldowns of a single action: a limit of it, a plan without it, and what ends them.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('cool/a', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'w1', 'cool/a', 'invite') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'cool/a');

-- LinkedIn's weekly invitation limit stops invitations for a day, not messages; no attempt is charged, and the
-- work comes when it may.
SELECT sendgate.rollback('cool/a', contract.handed('cool/a', 'w1', 'invite'), 'Weekly limit', 'errors/connection_limit_reached', 422);
SELECT reason, retry_at FROM sendgate.reserve('cool/a', 'invite', 'p1');
SELECT proceed FROM sendgate.preview('cool/a', 'message');
SELECT action, since, until, cause, operation_id IS NOT NULL AS of_operation, http_status, error_type, error FROM sendgate.cooldowns WHERE account_id = 'cool/a';
SELECT state, attempts, due_at, reason FROM contract.work WHERE account_id = 'cool/a';
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'cool/a');
SELECT * FROM contract.tickets WHERE account_id = 'cool/a';
-- It never shortens a longer one; an account's cooldown is named first.
SELECT proceed FROM sendgate.reserve('cool/a', 'message', 'p2', NULL, contract.op(2));
SELECT sendgate.rollback('cool/a', contract.op(2), 'slow down', NULL, 429, '10 minutes');
SELECT reason, retry_at FROM sendgate.preview('cool/a', 'invite');
SELECT reason, retry_at FROM sendgate.preview('cool/a', 'message');
SET sendgate.now = '2026-05-20 12:10:00+00';
SELECT reason, retry_at FROM sendgate.preview('cool/a', 'invite');
-- A delivery of the action proves nothing about the limit.
SELECT sendgate.upsert_account('cool/b', 'sales_navigator');
SELECT n, r.proceed FROM generate_series(1, 3) n CROSS JOIN LATERAL sendgate.reserve('cool/b', 'invite', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.rollback('cool/b', contract.op(1), NULL, 'errors/limit_exceeded', 422, '2 hours');
SELECT sendgate.rollback('cool/b', contract.op(2), NULL, 'errors/limit_exceeded', 422, '1 hour');
SELECT sendgate.confirm('cool/b', contract.op(3)) IS NOT NULL AS delivered;
SELECT reason, retry_at FROM sendgate.preview('cool/b', 'invite');
SELECT until, cause, operation_id FROM sendgate.cooldown_log WHERE account_id = 'cool/b' ORDER BY id;

-- A plan without the action: a day, and an alert that a delivery of the action resolves, or clear_cooldown.
SELECT proceed FROM sendgate.reserve('cool/b', 'inmail', 'p4', NULL, contract.op(4));
SELECT proceed FROM sendgate.reserve('cool/b', 'inmail', 'p5', NULL, contract.op(5));
SELECT sendgate.rollback('cool/b', contract.op(4), 'Sales Navigator needed', 'errors/feature_not_subscribed', 403);
SELECT reason, retry_at FROM sendgate.preview('cool/b', 'inmail');
SELECT status FROM sendgate.accounts WHERE id = 'cool/b';
SELECT kind, detail FROM sendgate.open_alerts WHERE account_id = 'cool/b';
SELECT sendgate.confirm('cool/b', contract.op(5), 'chat-5') IS NOT NULL AS delivered;
SELECT count(*) FROM sendgate.open_alerts WHERE account_id = 'cool/b';
SELECT reason, retry_at FROM sendgate.preview('cool/b', 'inmail');

-- Cleared by action: the others stay. Then all of the account, and the log says who and why.
SELECT sendgate.clear_cooldown('cool/b', 'upgraded the seat', 'inmail');
SELECT proceed FROM sendgate.preview('cool/b', 'inmail');
SELECT reason FROM sendgate.preview('cool/b', 'invite');
SELECT sendgate.clear_cooldown('cool/b', 'all of it');
SELECT proceed FROM sendgate.preview('cool/b', 'invite');
SELECT count(*) FROM sendgate.cooldowns WHERE account_id = 'cool/b';
SELECT until, action, cause, actor = session_user AS by_us, note FROM sendgate.cooldown_log WHERE account_id = 'cool/b' AND note IS NOT NULL ORDER BY id;
SELECT subject, note FROM sendgate.admin_log WHERE account_id = 'cool/b' AND verb = 'clear_cooldown' ORDER BY note;
-- Nothing to clear is nothing to log.
SELECT sendgate.clear_cooldown('cool/b', 'again'), sendgate.clear_cooldown('cool/b', 'again', 'invite');
SELECT (SELECT count(*) FROM sendgate.cooldown_log WHERE account_id = 'cool/b' AND note = 'again') AS cooldowns,
       (SELECT count(*) FROM sendgate.admin_log WHERE account_id = 'cool/b' AND note = 'again') AS acts;

-- Every cooldown for failures at once, when the provider is back: other cooldowns stay.
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT sendgate.upsert_account('cool/c' || n, 'sales_navigator') FROM generate_series(1, 2) n;
SELECT count(sendgate.rollback(a, r.operation_id, 'down', NULL, 504))
FROM unnest(ARRAY['cool/c1', 'cool/c2']) a
CROSS JOIN generate_series(1, 11) n
CROSS JOIN LATERAL sendgate.reserve(a, 'message', 'p' || n, NULL, contract.op(n)) r
WHERE r.proceed;
SELECT account_id, action, cause, until FROM sendgate.cooldowns WHERE account_id LIKE 'cool/%' ORDER BY account_id, action;
SELECT sendgate.clear_cooldown('*', 'the provider is back');
SELECT account_id, action, cause, until FROM sendgate.cooldowns WHERE account_id LIKE 'cool/%' ORDER BY account_id, action;
SELECT account_id, action, until, cause, note FROM sendgate.cooldown_log WHERE account_id LIKE 'cool/c%' ORDER BY account_id, id;
SELECT count(*) FROM sendgate.open_alerts WHERE account_id LIKE 'cool/c%';
SELECT proceed FROM sendgate.preview('cool/c1', 'message');

-- A recipient who cannot be written to yet holds back their work alone, and charges no attempt.
SELECT sendgate.upsert_account('cool/d', 'sales_navigator');
SELECT sendgate.enqueue('spring', p, 'cool/d', 'message') FROM unnest(ARRAY['w1', 'w2']) p;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'cool/d');
SELECT sendgate.rollback('cool/d', contract.handed('cool/d', 'w1', 'message'), NULL, 'errors/cannot_resend_within_24hrs', 422);
SELECT prospect_id, state, attempts, due_at, reason FROM contract.work WHERE account_id = 'cool/d' ORDER BY prospect_id;
SELECT proceed FROM sendgate.preview('cool/d', 'message', 'w1');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'cool/d');

-- Since when it lasts: what made it longer on the way, with other words, is the last cause; a break begins it anew.
SET sendgate.now = '2026-05-21 12:00:00+00';
SELECT sendgate.upsert_account('cool/e', 'sales_navigator');
SELECT n, r.proceed FROM generate_series(1, 4) n CROSS JOIN LATERAL sendgate.reserve('cool/e', 'message', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.rollback('cool/e', contract.op(1), 'slow down', NULL, 429, '1 hour');
SET sendgate.now = '2026-05-21 12:30:00+00';
SELECT sendgate.rollback('cool/e', contract.op(2), 'slower', NULL, 429, '2 hours');
SELECT since, until, cause, error FROM sendgate.cooldowns WHERE account_id = 'cool/e';
SELECT since, until, error FROM sendgate.why('cool/e', 'message');
SET sendgate.now = '2026-05-21 14:30:00+00';
SELECT sendgate.rollback('cool/e', contract.op(3), 'again', NULL, 429, '1 hour');
SELECT since, until, error FROM sendgate.cooldowns WHERE account_id = 'cool/e';
SELECT sendgate.clear_cooldown('cool/e', 'test');
SET sendgate.now = '2026-05-21 14:40:00+00';
SELECT sendgate.rollback('cool/e', contract.op(4), 'and again', NULL, 429, '1 hour');
SELECT since, until, error FROM sendgate.cooldowns WHERE account_id = 'cool/e';

-- Where no failure counts, no action cools down because of failures: not in the answer, and not in the views either.
SELECT sendgate.upsert_account('cool/f', 'sales_navigator');
SELECT count(sendgate.rollback('cool/f', r.operation_id, 'down', NULL, 504))
FROM generate_series(1, 10) n CROSS JOIN LATERAL sendgate.reserve('cool/f', 'message', 'p' || n, NULL, contract.op(n)) r;
SELECT cause, since, until FROM sendgate.cooldowns WHERE account_id = 'cool/f';
SELECT proceed, reason FROM sendgate.why('cool/f', 'message');
SET sendgate.failure_limit = 0;
SELECT count(*) FROM sendgate.cooldowns WHERE account_id = 'cool/f';
SELECT proceed, reason FROM sendgate.why('cool/f', 'message');
RESET sendgate.failure_limit;
SELECT sendgate.clear_cooldown('cool/f', 'test');

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.*
FROM (
    VALUES
        (1, $$clear_cooldown('cool/a', 'x', 'email')$$),
        (2, $$clear_cooldown('cool/nobody', 'x')$$),
        (3, $$clear_cooldown(NULL, 'x')$$),
        (4, $$clear_cooldown('*', 'x', 'invite')$$),
        (5, $$set_error_rule(1, 'rate_limited', http_status => '420', scope => 'prospect')$$),
        (6, $$set_error_rule(1, 'transient', http_status => '420', scope => 'action')$$),
        (7, $$set_error_rule(1, 'action_unavailable', http_status => '420', scope => 'action')$$),
        (8, $$set_error_rule(1, 'transient', http_status => '420', wait => '1 hour')$$),
        (9, $$set_error_rule(1, 'rate_limited', http_status => '420', wait => '-1 second')$$),
        (10, $$set_error_rule(1, 'rate_limited', http_status => '420', wait => '1 month')$$),
        (11, $$set_error_rule(1, 'recipient_later', http_status => '420', wait => '367 days')$$),
        (12, $$set_error_rule(1, 'not_sent', http_status => '420')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off
SELECT contract.books() = :'before' AS nothing_changed;
