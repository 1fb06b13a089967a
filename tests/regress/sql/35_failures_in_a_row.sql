-- Failures in a row: an action that fails again and again stops; then one attempt at a time finds out
-- whether the provider answers again.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.failing_35 AS
SELECT a.id, f.key AS action, (f.value ->> 'count')::integer AS count, (f.value ->> 'level')::integer AS level,
    (f.value ->> 'failing_since')::timestamptz AS since, (f.value ->> 'failing_until')::timestamptz AS until
FROM sendgate.accounts a
CROSS JOIN LATERAL jsonb_each(a.failures) f;
-- Attempts one after the other, each answered alike; answers what became of the last. Nothing is settled
-- where there was no grant.
CREATE FUNCTION contract.tries_35(account text, first integer, last integer, status integer, of_action text DEFAULT 'invite')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d sendgate.decision;
    answer text;
BEGIN
    FOR n IN first..last LOOP
        d := sendgate.reserve(account, of_action, 'p' || n, NULL, contract.op(n));
        answer := d.reason;
        IF d.proceed THEN
            answer := sendgate.rollback(account, contract.op(n), 'answer ' || n, NULL, status);
        END IF;
    END LOOP;
    RETURN answer;
END
$$;

SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('fail/a', 'sales_navigator');
-- Nine failures stop nothing; a delivery begins anew; outcomes that say nothing of the work do not count.
SELECT contract.tries_35('fail/a', 1, 9, 400);
SELECT count, level, since, until FROM contract.failing_35 WHERE id = 'fail/a';
SELECT proceed FROM sendgate.reserve('fail/a', 'invite', 'd1', NULL, contract.op(100));
SELECT sendgate.confirm('fail/a', contract.op(100)) IS NOT NULL AS delivered;
SELECT count(*) FROM contract.failing_35 WHERE id = 'fail/a';
-- Where nothing is counted, a delivery writes no row of the account.
SELECT proceed FROM sendgate.reserve('fail/a', 'invite', 'd3', NULL, contract.op(103));
SELECT ctid, xmin, version FROM sendgate.accounts WHERE id = 'fail/a' \gset before_
SELECT sendgate.confirm('fail/a', contract.op(103)) IS NOT NULL AS delivered;
SELECT ctid = :'before_ctid' AND xmin = :'before_xmin' AND version = :before_version AS untouched FROM sendgate.accounts WHERE id = 'fail/a';
SELECT contract.tries_35('fail/a', 10, 18, 400);
SELECT proceed FROM sendgate.reserve('fail/a', 'invite', 'd2', NULL, contract.op(101));
SELECT sendgate.rollback('fail/a', contract.op(101));
SELECT count FROM contract.failing_35 WHERE id = 'fail/a';

-- What is in flight when the tenth comes counts as that one failure, whatever becomes of it.
SELECT n, r.proceed FROM generate_series(19, 23) n CROSS JOIN LATERAL sendgate.reserve('fail/a', 'invite', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.rollback('fail/a', contract.op(19), 'Template is broken', 'errors/too_many_characters', 400);
SELECT count, level, since, until FROM contract.failing_35 WHERE id = 'fail/a';
SELECT sendgate.rollback('fail/a', contract.op(20), 'Template is broken', 'errors/too_many_characters', 400);
SELECT sendgate.rollback('fail/a', contract.op(21), 'blocked', 'errors/blocked_recipient', 422);
SELECT sendgate.rollback('fail/a', contract.op(22), 'timeout', NULL, 504);
SELECT sendgate.confirm('fail/a', contract.op(23)) IS NOT NULL AS delivered;
SELECT count, level, since, until FROM contract.failing_35 WHERE id = 'fail/a';
-- Only this action stops, and says why.
SELECT reason, retry_at FROM sendgate.reserve('fail/a', 'invite', 'p24');
SELECT reason, retry_at FROM sendgate.preview('fail/a', 'message');
SELECT account_id, action, since, until, cause, operation_id, http_status, error_type, error, actor = session_user AS by_us, note
FROM sendgate.cooldowns WHERE account_id = 'fail/a';
SELECT kind, day, detail FROM sendgate.open_alerts WHERE account_id = 'fail/a';

-- When it is over one attempt passes, and the next waits until that one expires.
SET sendgate.now = '2026-05-20 12:59:59.999999+00';
SELECT reason, retry_at FROM sendgate.reserve('fail/a', 'invite', 'p24');
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT proceed, expires_at FROM sendgate.reserve('fail/a', 'invite', 'p24', NULL, contract.op(24));
SELECT reason, retry_at FROM sendgate.reserve('fail/a', 'invite', 'p25');
SELECT count(*) FROM sendgate.cooldown_log WHERE account_id = 'fail/a';
-- Released: at once, for the next.
SET sendgate.now = '2026-05-20 13:01:00+00';
SELECT sendgate.rollback('fail/a', contract.op(24));
SELECT count, level, since, until FROM contract.failing_35 WHERE id = 'fail/a';
-- Transient: the same length again. Any other failure: twice as long, each time, up to a day.
SELECT contract.tries_35('fail/a', 25, 25, 503);
SELECT count, level, until FROM contract.failing_35 WHERE id = 'fail/a';
SET sendgate.now = '2026-05-20 14:01:00+00';
SELECT contract.tries_35('fail/a', 26, 26, 400);
SELECT count, level, until FROM contract.failing_35 WHERE id = 'fail/a';
SET sendgate.now = '2026-05-20 16:01:00+00';
SELECT contract.tries_35('fail/a', 27, 27, 504);
SELECT count, level, until FROM contract.failing_35 WHERE id = 'fail/a';
-- Rate limited says nothing about it: the time of the attempt that passed stays, and the account waits.
SET sendgate.now = '2026-05-20 20:01:00+00';
SELECT contract.tries_35('fail/a', 28, 28, 429);
SELECT count, level, until FROM contract.failing_35 WHERE id = 'fail/a';
SELECT action, until, cause FROM sendgate.cooldowns WHERE account_id = 'fail/a' ORDER BY action NULLS FIRST;
SELECT reason, retry_at FROM sendgate.preview('fail/a', 'invite');
-- A refusal of the recipient clears all: the provider answers again. Its alert resolves, and the log says so.
SET sendgate.now = '2026-05-20 21:01:00+00';
SELECT proceed FROM sendgate.reserve('fail/a', 'invite', 'p30', NULL, contract.op(30));
SELECT sendgate.rollback('fail/a', contract.op(30), 'gone', 'errors/blocked_recipient', 422);
SELECT count(*) FROM contract.failing_35 WHERE id = 'fail/a';
SELECT count(*) FROM sendgate.open_alerts WHERE account_id = 'fail/a' AND kind = 'failing';
SELECT at, until, action, cause, operation_id FROM sendgate.cooldown_log WHERE account_id = 'fail/a' ORDER BY id;

-- The length stops at a day.
SET sendgate.now = '2026-05-21 06:00:00+00';
SELECT sendgate.upsert_account('fail/long', 'sales_navigator');
SELECT contract.tries_35('fail/long', 1, 10, 400);
DO $$
BEGIN
    FOR n IN 11..17 LOOP
        PERFORM set_config('sendgate.now', (SELECT f.until::text FROM contract.failing_35 f WHERE f.id = 'fail/long'), false);
        PERFORM contract.tries_35('fail/long', n, n, 400);
    END LOOP;
END
$$;
SELECT at, until - at AS length FROM sendgate.cooldown_log WHERE account_id = 'fail/long' ORDER BY id;
SELECT count, level FROM contract.failing_35 WHERE id = 'fail/long';

-- A delivery, also one that comes late and after it was counted, clears; one that was reserved before does not.
SET sendgate.now = '2026-06-01 06:00:00+00';
SELECT sendgate.upsert_account('fail/late', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('fail/late', 'invite', 'early', NULL, contract.op(1));
SELECT contract.tries_35('fail/late', 2, 11, 504);
SELECT sendgate.confirm('fail/late', contract.op(1)) IS NOT NULL AS delivered;
SELECT count, since, until FROM contract.failing_35 WHERE id = 'fail/late';
SET sendgate.now = '2026-06-01 07:00:00+00';
SELECT contract.tries_35('fail/late', 12, 12, 504);
SELECT level, until FROM contract.failing_35 WHERE id = 'fail/late';
SET sendgate.now = '2026-06-01 07:30:00+00';
SELECT sendgate.confirm('fail/late', contract.op(12)) IS NOT NULL AS delivered;
SELECT count(*) FROM contract.failing_35 WHERE id = 'fail/late';
SELECT proceed FROM sendgate.reserve('fail/late', 'invite', 'p13', NULL, contract.op(13));

-- What an operator knows, and what came from outside, counts nothing.
SELECT sendgate.upsert_account('fail/known', 'sales_navigator');
SELECT contract.tries_35('fail/known', 1, 9, 504);
SELECT sendgate.resolve_operation('fail/known', contract.op(2), false, NULL, 'test');
SELECT sendgate.resolve_operation('fail/known', contract.op(1), true, NULL, 'test');
SELECT sendgate.record_external_send('fail/known', 'invite', 'elsewhere', NULL, sendgate.clock()) IS NOT NULL AS recorded;
SELECT count FROM contract.failing_35 WHERE id = 'fail/known';
-- An InMail without proof is none either.
SELECT proceed FROM sendgate.reserve('fail/known', 'inmail', 'p11', NULL, contract.op(11));
SET client_min_messages = 'error';
SELECT sendgate.confirm('fail/known', contract.op(11)) IS NULL AS unproven;
RESET client_min_messages;
SELECT action, count FROM contract.failing_35 WHERE id = 'fail/known';

-- A limit of 0: nothing counts, and a row that fails refuses nothing.
SET sendgate.failure_limit = 0;
SELECT contract.tries_35('fail/known', 21, 26, 400);
SELECT count FROM contract.failing_35 WHERE id = 'fail/known';
RESET sendgate.failure_limit;
SELECT contract.tries_35('fail/known', 31, 32, 400);
SELECT reason FROM sendgate.preview('fail/known', 'invite');
SET sendgate.failure_limit = 0;
SELECT proceed FROM sendgate.preview('fail/known', 'invite');
RESET sendgate.failure_limit;

-- Work: while its action fails a transient answer charges no attempt; dispatch, too, lets one at a time pass.
SET sendgate.now = '2026-06-02 06:00:00+00';
SELECT sendgate.upsert_account('fail/work', 'sales_navigator');
SELECT count(sendgate.enqueue('spring', 'w' || n, 'fail/work', 'message')) FROM generate_series(1, 3) n;
SELECT contract.tries_35('fail/work', 1, 10, 400, 'message');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/work');
SELECT * FROM contract.tickets WHERE account_id = 'fail/work';
SELECT DISTINCT state, attempts FROM contract.work WHERE account_id = 'fail/work';
SET sendgate.now = '2026-06-02 07:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'fail/work');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/work');
SELECT sendgate.rollback('fail/work', contract.handed('fail/work', 'w1', 'message'), 'busy', NULL, 503);
SELECT prospect_id, state, attempts, reason FROM contract.work WHERE account_id = 'fail/work' ORDER BY prospect_id;
SET sendgate.now = '2026-06-02 08:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/work');
SELECT sendgate.confirm('fail/work', o.operation_id) IS NOT NULL AS delivered FROM sendgate.send_operations o
WHERE o.account_id = 'fail/work' AND o.state = 'reserved';
-- The provider answers again: the rest of it at once.
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/work');

-- The one attempt ends without an answer that settles it, long before its time to answer ends: work comes again when
-- the silence ends, not when the attempt would have expired.
SET sendgate.failure_cooldown = '1 min';
SET sendgate.now = '2026-06-03 06:00:00+00';
SELECT sendgate.upsert_account('fail/early', 'sales_navigator');
SELECT count(sendgate.enqueue('spring', 'w' || n, 'fail/early', 'message')) FROM generate_series(1, 3) n;
SELECT contract.tries_35('fail/early', 1, 10, 400, 'message');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/early');
SET sendgate.now = '2026-06-03 06:01:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'fail/early');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/early');
SELECT sendgate.rollback('fail/early', contract.handed('fail/early', 'w1', 'message'), 'no answer', NULL, 504);
SELECT until - '2026-06-03 06:01:00+00' AS silent_for FROM contract.failing_35 WHERE id = 'fail/early';
SET sendgate.now = '2026-06-03 06:02:59.999999+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'fail/early');
SET sendgate.now = '2026-06-03 06:03:00+00';
SELECT proceed FROM sendgate.preview('fail/early', 'message', 'p-free');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'fail/early');
RESET sendgate.failure_cooldown;
