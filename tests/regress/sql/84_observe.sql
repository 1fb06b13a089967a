-- Observe: the gate beside limits of one's own. What would be refused is granted, and counted.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-23 12:00:00+00';
SELECT sendgate.upsert_account('observe/' || name, 'recruiter') FROM unnest(ARRAY['a', 'b', 'c']) AS name;
SELECT sendgate.set_cap('observe/' || name, 'inmail', 1) FROM unnest(ARRAY['a', 'b', 'c']) AS name;
SET sendgate.now = '2026-05-24 12:00:00+00';

-- An account's own mode; NULL: the setting. Logged where it changes.
SELECT sendgate.set_enforcement('observe/a', 'observe', 'first week');
SELECT sendgate.set_enforcement('observe/a', 'observe', 'first week');
SELECT enforcement FROM sendgate.accounts WHERE id = 'observe/a';
SELECT subject, before, after, note FROM sendgate.admin_log WHERE account_id = 'observe/a' AND verb = 'set_enforcement';
\x on
SELECT input.n, e.* FROM (
    VALUES
        (1, $$set_enforcement('observe/a', 'off')$$),
        (2, $$set_enforcement('observe/none', 'observe')$$),
        (3, $$set_enforcement('observe/a', 'enforce', '  ')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off

-- What holds, for those who look: the account's own mode before the setting.
SELECT a.id, a.enforcement, sendgate.enforcement_of(a.enforcement) FROM sendgate.linkedin_accounts a
WHERE a.id IN ('observe/a', 'observe/b') ORDER BY a.id;
SET sendgate.enforcement = 'observe';
SELECT sendgate.enforcement_of(NULL), sendgate.enforcement_of('enforce');
RESET sendgate.enforcement;
SELECT code, message FROM contract.error($$SELECT sendgate.enforcement_of('off')$$);

-- The first observed reason, and its retry_at, with a yes; the counts are true.
SELECT proceed, operation_id IS NOT NULL AS taken, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('observe/a', 'inmail', 'p1', NULL, contract.op(1));
SELECT proceed, operation_id IS NOT NULL AS taken, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.preview('observe/a', 'inmail', 'p2');
SELECT proceed, operation_id IS NOT NULL AS taken, reason, retry_at, sent_today, daily_cap, remaining
FROM sendgate.reserve('observe/a', 'inmail', 'p2', NULL, contract.op(2));
SET sendgate.now = '2026-05-24 12:05:00+00';
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p3', NULL, contract.op(3));
-- The same call again: the same grant, and no other count.
SELECT proceed, operation_id, reason FROM sendgate.reserve('observe/a', 'inmail', 'p3', NULL, contract.op(3));
TABLE sendgate.observed_refusals;

-- Rules that are not observed refuse, whatever stands before them.
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p3');
SELECT sendgate.set_status('observe/a', 'paused', 'test');
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p4');
SELECT sendgate.set_status('observe/a', 'connected', 'test');
SELECT sendgate.pause_all('test');
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p4');
SELECT proceed, reason FROM sendgate.breaker_check('observe/a');
SELECT sendgate.resume_all();
SELECT sendgate.breaker_force('observe/a', 'open', 'test');
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p4');
SELECT proceed, reason FROM sendgate.breaker_check('observe/a');
SELECT sendgate.breaker_force('observe/a', 'auto', 'test');

-- The breaker is observed: a yes, the reason, and nothing skipped. Outcomes keep the books as ever.
SELECT sendgate.rollback('observe/a', contract.op(3), 'no credit', 'errors/insufficient_credits', 422);
SELECT proceed, reason, retry_at, exhausted_at FROM sendgate.breaker_check('observe/a', 'p5', 'c1');
SELECT proceed, reason, retry_at FROM sendgate.reserve('observe/a', 'inmail', 'p5', 'c1', contract.op(5));
SELECT count(*) FROM sendgate.campaign_events WHERE account_id = 'observe/a';
SELECT day, action, reason, refusals, last_at FROM sendgate.observed_refusals WHERE account_id = 'observe/a' ORDER BY reason;

-- dispatch always enforces.
SELECT sendgate.enqueue('c1', 'p6', 'observe/a', 'inmail');
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'observe/a');

-- guard_send: the row gets its operation id, and the reason that did not hold it back.
CREATE TABLE contract.observe_outbox (account text, prospect text, operation uuid, reason text);
CREATE TRIGGER guard BEFORE INSERT ON contract.observe_outbox FOR EACH ROW
EXECUTE FUNCTION sendgate.guard_send('account', 'inmail', 'prospect', '', 'operation', 'reason:reason');
INSERT INTO contract.observe_outbox VALUES ('observe/a', 'p7')
RETURNING operation IS NOT NULL AS taken, reason;
DROP TABLE contract.observe_outbox;
SELECT reason, refusals FROM sendgate.observed_refusals WHERE account_id = 'observe/a' ORDER BY reason;

-- A grant that is rolled back is not counted.
BEGIN;
SELECT proceed, reason FROM sendgate.reserve('observe/a', 'inmail', 'p8');
ROLLBACK;
SELECT sum(refusals) FROM sendgate.observed_refusals WHERE account_id = 'observe/a';

-- The audit raises its alert about a counter above the cap, and cools nothing down.
SELECT a.checked > 0 AS checked FROM sendgate.audit_events(10000) AS a;
SELECT kind, detail FROM sendgate.alerts WHERE account_id = 'observe/a' AND kind = 'over_cap';
SELECT cooldown_until FROM sendgate.accounts WHERE id = 'observe/a';

-- The setting is for accounts without a mode of their own, and a superuser's.
SET sendgate.enforcement = 'observe';
SELECT sendgate.set_enforcement('observe/c', 'enforce');
SELECT n, b.proceed AS b, b.reason AS b_reason, c.proceed AS c, c.reason AS c_reason
FROM generate_series(1, 2) AS n
CROSS JOIN LATERAL sendgate.reserve('observe/b', 'inmail', 'p' || n) AS b
CROSS JOIN LATERAL sendgate.reserve('observe/c', 'inmail', 'p' || n) AS c
ORDER BY n;
RESET sendgate.enforcement;
SELECT proceed, reason FROM sendgate.reserve('observe/b', 'inmail', 'p3');
SET sendgate.enforcement = 'off';

-- Pruned like the logs. Readers may look.
SELECT has_table_privilege('sendgate_reader', 'sendgate.observed_refusals', 'SELECT') AS reads,
       has_table_privilege('sendgate_sender', 'sendgate.observed_refusals', 'SELECT') AS sender_reads,
       has_function_privilege('sendgate_operator', 'sendgate.set_enforcement(text, text, text)', 'EXECUTE') AS operates;
SET sendgate.now = '2026-08-30 12:00:00+00';
SELECT p.checked > 0 AS pruned, p.more FROM sendgate.prune('90 days', '400 days', 100000) AS p;
SELECT count(*) FROM sendgate.observed_refusals WHERE account_id LIKE 'observe/%';
