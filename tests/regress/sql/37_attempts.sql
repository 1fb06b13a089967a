-- Attempts: every grant is a call to the provider, whatever comes of it, so the row counts them.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('tries/a', 'sales_navigator');
SELECT sendgate.set_cap('tries/a', 'invite', 3);
CREATE FUNCTION contract.tries_37(account text, first integer, last integer, error_type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d sendgate.decision;
BEGIN
    FOR n IN first..last LOOP
        d := sendgate.reserve(account, 'invite', 'p' || n, NULL, contract.op(n));
        EXIT WHEN NOT d.proceed;
        PERFORM sendgate.rollback(account, contract.op(n), NULL, error_type, 422);
    END LOOP;
    RETURN d.reason || ' ' || coalesce(d.retry_at::text, '-') || ', sent ' || d.sent_today || ' of ' || d.daily_cap;
END
$$;

-- Twice the cap, though not one arrived; only a worker's own released gives an attempt back.
SELECT contract.tries_37('tries/a', 1, 100, 'errors/blocked_recipient');
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'tries/a';
SELECT invite_attempts_today, invites_sent_today FROM sendgate.accounts WHERE id = 'tries/a';
SELECT proceed FROM sendgate.preview('tries/a', 'message');
SET sendgate.attempt_percent = 201;
SELECT proceed FROM sendgate.reserve('tries/a', 'invite', 'q1', NULL, contract.op(101));
SELECT reason FROM sendgate.reserve('tries/a', 'invite', 'q2');
SELECT sendgate.rollback('tries/a', contract.op(101));
SELECT sendgate.rollback('tries/a', contract.op(101));
SELECT invite_attempts_today FROM sendgate.accounts WHERE id = 'tries/a';
RESET sendgate.attempt_percent;
-- Off: any number.
SET sendgate.attempt_percent = 0;
SELECT proceed FROM sendgate.preview('tries/a', 'invite');
RESET sendgate.attempt_percent;

-- Delivered after it was given back: the attempt is taken back with its slot.
SELECT sendgate.confirm('tries/a', contract.op(101)) IS NOT NULL AS delivered;
SELECT invite_attempts_today, invites_sent_today FROM sendgate.accounts WHERE id = 'tries/a';
-- An external send is no attempt, and neither is a replay of a grant.
SELECT sendgate.record_external_send('tries/a', 'invite', 'x1', NULL, '2026-05-20 11:00:00+00') IS NOT NULL AS recorded;
SELECT invite_attempts_today, invites_sent_today FROM sendgate.accounts WHERE id = 'tries/a';

-- Until midnight, to the instant. What came from yesterday gives back nothing today.
SET sendgate.now = '2026-05-20 23:59:59.999999+00';
SELECT reason, retry_at FROM sendgate.reserve('tries/a', 'invite', 'q3');
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT proceed FROM sendgate.reserve('tries/a', 'invite', 'q3', NULL, contract.op(103));
SELECT proceed FROM sendgate.reserve('tries/a', 'invite', 'q3', NULL, contract.op(103));
SELECT invite_attempts_today FROM sendgate.accounts WHERE id = 'tries/a';
SET sendgate.now = '2026-05-22 00:00:00+00';
SELECT proceed FROM sendgate.reserve('tries/a', 'invite', 'q4', NULL, contract.op(104));
SELECT sendgate.rollback('tries/a', contract.op(103));
SELECT invite_attempts_today FROM sendgate.accounts WHERE id = 'tries/a';

-- An operator's verdict keeps the attempt; layer 1 mends the count.
SELECT sendgate.rollback('tries/a', contract.op(104), 'timeout', NULL, 504);
SELECT sendgate.resolve_operation('tries/a', contract.op(104), false, NULL, 'asked them');
SELECT invite_attempts_today, invites_sent_today FROM sendgate.accounts WHERE id = 'tries/a';
UPDATE sendgate.accounts SET invite_attempts_today = 9 WHERE id = 'tries/a';
SELECT reason FROM sendgate.preview('tries/a', 'invite');
SELECT count(*) FROM sendgate.reconcile_operations(10000);
SELECT invite_attempts_today FROM sendgate.accounts WHERE id = 'tries/a';
