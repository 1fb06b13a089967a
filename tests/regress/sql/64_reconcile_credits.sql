\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Known credits in the books: layer 1 counts them again, the audit warns once a period, prune keeps the log short.
SET sendgate.now = '2026-07-15 12:00:00+00';
SELECT sendgate.upsert_account('rcr-' || n, 'premium_business') FROM generate_series(1, 4) n;
CREATE FUNCTION pg_temp.sweep(job text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    more boolean;
BEGIN
    LOOP
        EXECUTE format('SELECT more FROM sendgate.%I(50)', job) INTO more;
        EXIT WHEN NOT more;
    END LOOP;
END
$$;
SELECT sendgate.record_credit_balance('rcr-' || n, 20) FROM generate_series(1, 2) n;
SET sendgate.now = '2026-07-15 12:01:00+00';
SELECT count(*) FILTER (WHERE r.proceed) FROM generate_series(1, 4) n CROSS JOIN LATERAL sendgate.reserve('rcr-1', 'inmail', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.confirm('rcr-1', contract.op(1), 'chat') IS NOT NULL, sendgate.rollback('rcr-1', contract.op(2)), sendgate.rollback('rcr-1', contract.op(3), 'gateway timeout', NULL, 504);
SELECT pg_temp.sweep('reconcile_operations');
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'rcr-%';
-- Wrong, by hand: right again, and told. Slots are not touched.
UPDATE sendgate.accounts SET credits_left = 0 WHERE id = 'rcr-1';
UPDATE sendgate.accounts SET credits_left = 33 WHERE id = 'rcr-2';
SELECT reason, retry_at FROM sendgate.reserve('rcr-1', 'inmail', 'p9', NULL, contract.op(9));
SELECT pg_temp.sweep('reconcile_operations');
SELECT account_id, action, period, day, before, after, delivered, reserved, indeterminate
FROM sendgate.counter_drift WHERE account_id LIKE 'rcr-%' ORDER BY account_id, id;
SELECT id, credits_left, inmails_sent_today FROM sendgate.accounts WHERE id IN ('rcr-1', 'rcr-2') ORDER BY id;
SELECT proceed FROM sendgate.reserve('rcr-1', 'inmail', 'p9', NULL, contract.op(9));
-- What another session takes or gives back after the sweep began, here by a clock that is ahead, is no drift.
SET sendgate.now = '2026-07-15 12:01:00.5+00';
SELECT proceed FROM sendgate.reserve('rcr-2', 'inmail', 'p10', NULL, contract.op(10));
SET sendgate.now = '2026-07-15 12:01:00.4+00';
SELECT pg_temp.sweep('reconcile_operations');
SELECT credits_left FROM sendgate.accounts WHERE id = 'rcr-2';
SET sendgate.now = '2026-07-15 12:01:00.5+00';
SELECT sendgate.rollback('rcr-2', contract.op(10));
SET sendgate.now = '2026-07-15 12:01:00.4+00';
SELECT pg_temp.sweep('reconcile_operations');
SELECT credits_left FROM sendgate.accounts WHERE id = 'rcr-2';
SELECT count(*) FROM sendgate.counter_drift WHERE account_id = 'rcr-2' AND period = 'credits';

-- Nothing is in flight, and the breaker believes it: layer 1 clears the stamp, and what it deferred goes out.
SET sendgate.now = '2026-07-15 12:30:00+00';
UPDATE sendgate.accounts SET credits_left = -1 WHERE id = 'rcr-1';
SELECT sendgate.enqueue('k', 'w', 'rcr-1', 'inmail') AS is_new;
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'rcr-1');
SELECT state, due_at, reason FROM contract.work WHERE account_id = 'rcr-1';
SELECT pg_temp.sweep('reconcile_operations');
SELECT action, reason FROM sendgate.breaker_log WHERE account_id = 'rcr-1' ORDER BY id;
SELECT prospect_id FROM sendgate.dispatch(1, 'inmail', 'rcr-1');
SELECT account_id, before, after FROM sendgate.counter_drift WHERE account_id LIKE 'rcr-%' AND period = 'credits' ORDER BY account_id, id;
-- A balance that lies ahead of the clock is left alone, and repair_day forgets it.
SET sendgate.now = '2026-07-20 12:00:00+00';
SELECT sendgate.record_credit_balance('rcr-2', 7), (sendgate.reserve('rcr-2', 'message', 'ahead')).proceed;
SET sendgate.now = '2026-07-15 12:31:00+00';
UPDATE sendgate.accounts SET credits_left = 5 WHERE id = 'rcr-2';
SELECT pg_temp.sweep('reconcile_operations');
SELECT credits_left FROM sendgate.accounts WHERE id = 'rcr-2';
SELECT sendgate.repair_day('rcr-2', 'the clock is right again');
SELECT credits_left FROM sendgate.accounts WHERE id = 'rcr-2';
SELECT sendgate.record_credit_balance('rcr-2', 20);

-- A period in which no call came is written down, and that is no drift.
SET sendgate.now = '2026-08-01 00:10:00+00';
SELECT proceed FROM sendgate.reserve('rcr-2', 'message', 'm');
SELECT pg_temp.sweep('reconcile_operations');
SELECT credits_left, credits_since FROM sendgate.accounts WHERE id = 'rcr-2';
SELECT count(*) FROM sendgate.counter_drift WHERE account_id = 'rcr-2' AND at >= '2026-08-01';

-- The audit warns once a period, when what goes in a week does not last to the next grant, and takes it back when it does.
SELECT sendgate.record_credit_balance('rcr-3', 12), sendgate.record_credit_balance('rcr-4', 30);
SET sendgate.now = '2026-08-01 00:11:00+00';
SELECT a, count(*) FILTER (WHERE r.proceed) AS granted
FROM unnest(ARRAY['rcr-3', 'rcr-4']) a CROSS JOIN generate_series(1, 7) n
CROSS JOIN LATERAL sendgate.reserve(a, 'inmail', 'p' || n, NULL, contract.op(n)) r GROUP BY a ORDER BY a;
SELECT sendgate.confirm(a, contract.op(n), 'chat' || n) IS NOT NULL AS delivered FROM unnest(ARRAY['rcr-3']) a CROSS JOIN generate_series(1, 7) n LIMIT 1;
SELECT account_id, credits_left, used_last_7_days, round(used_per_day::numeric, 2) AS a_day, lasts_until, state FROM sendgate.credits WHERE account_id IN ('rcr-3', 'rcr-4') ORDER BY account_id;
SELECT pg_temp.sweep('audit_events'), pg_temp.sweep('audit_events');
SELECT account_id, day, detail FROM sendgate.open_alerts WHERE kind = 'credits_low' AND account_id LIKE 'rcr-%' ORDER BY account_id;
SET sendgate.now = '2026-08-02 09:00:00+00';
SELECT sendgate.record_credit_balance('rcr-3', 400);
SELECT r.proceed FROM generate_series(3, 4) n CROSS JOIN LATERAL sendgate.reserve('rcr-' || n, 'message', 'm2') r;
SELECT pg_temp.sweep('audit_events');
SELECT account_id FROM sendgate.open_alerts WHERE kind = 'credits_low' AND account_id LIKE 'rcr-%' ORDER BY account_id;
SELECT sendgate.record_credit_balance('rcr-3', 1);
SELECT pg_temp.sweep('audit_events');
SELECT account_id FROM sendgate.open_alerts WHERE kind = 'credits_low' AND account_id LIKE 'rcr-%' ORDER BY account_id;

-- The log is pruned like the others, and only prune deletes from it.
SELECT code FROM contract.error($$DELETE FROM sendgate.credit_balances$$);
SELECT code FROM contract.error($$UPDATE sendgate.credit_balances SET balance = 1$$);
SELECT code FROM contract.error($$TRUNCATE sendgate.credit_balances$$);
SET sendgate.now = '2026-10-19 00:00:00+00';
SELECT sendgate.record_credit_balance('rcr-4', 31);
SET sendgate.now = '2026-10-20 00:00:00+00';
DO $$ BEGIN LOOP EXIT WHEN NOT (SELECT more FROM sendgate.prune('60 days', '400 days', 1000000)); END LOOP; END $$;
SELECT account_id, balance, recorded_at FROM sendgate.credit_balances WHERE account_id LIKE 'rcr-%' ORDER BY account_id, id;
SELECT count(sendgate.forget_credit_balance('rcr-' || n, 'the end')) AS forgotten FROM generate_series(1, 4) n;
SELECT count(sendgate.breaker_clear(account_id, 'the end')) AS cleared FROM sendgate.breakers WHERE account_id LIKE 'rcr-%' AND exhausted_at IS NOT NULL;

-- No rule watches credits_left, which a grant writes: where a superuser takes it away while a balance is counted none are
-- left, for every reader, until layer 1 has counted again.
SET sendgate.now = '2026-10-20 01:00:00+00';
SELECT sendgate.upsert_account('rcr-hand', 'premium_business'), sendgate.upsert_account('rcr-free', 'premium_business');
SELECT sendgate.record_credit_balance('rcr-hand', 5);
SET sendgate.now = '2026-10-20 01:01:00+00';
SELECT proceed FROM sendgate.reserve('rcr-hand', 'inmail', 'p1', NULL, contract.op(1));
UPDATE sendgate.accounts SET credits_left = NULL WHERE id = 'rcr-hand';
SELECT sendgate.enqueue('k', 'w', 'rcr-hand', 'inmail') AS is_new;
SELECT proceed, reason, retry_at FROM sendgate.preview('rcr-hand', 'inmail');
SELECT proceed, reason, retry_at FROM sendgate.reserve('rcr-hand', 'inmail', 'p2', NULL, contract.op(2));
SELECT proceed, reason, retry_at FROM sendgate.breaker_check('rcr-hand', 'p2');
SELECT count(*) FROM sendgate.dispatch(1, 'inmail', 'rcr-hand');
SELECT credits_left, state FROM sendgate.credits WHERE account_id = 'rcr-hand';
SELECT pg_temp.sweep('reconcile_operations');
SELECT before, after FROM sendgate.counter_drift WHERE account_id = 'rcr-hand';
SELECT proceed FROM sendgate.reserve('rcr-hand', 'inmail', 'p2', NULL, contract.op(2));
SELECT credits_left, state FROM sendgate.credits WHERE account_id = 'rcr-hand';
-- Written where no balance was told, it counts nothing.
UPDATE sendgate.accounts SET credits_left = 1 WHERE id = 'rcr-free';
SELECT credits_left, state FROM sendgate.credits WHERE account_id = 'rcr-free';
SELECT count(*) FILTER (WHERE r.proceed) FROM generate_series(1, 2) n CROSS JOIN LATERAL sendgate.reserve('rcr-free', 'inmail', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.forget_credit_balance('rcr-hand', 'the end');
