-- rollback gives a slot back, or keeps it where the outcome is unknown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-23 12:00:00+00';
SELECT sendgate.upsert_account('rollback/a', 'sales_navigator');
CREATE VIEW contract.rollback_31 AS
SELECT a.id, c.sent_today, c.sent_this_week, a.status, a.cooldown_until
FROM sendgate.linkedin_accounts a
JOIN sendgate.counters c ON c.account_id = a.id AND c.action = 'invite';
SELECT n, r.proceed, r.sent_today
FROM generate_series(1, 4) AS n
CROSS JOIN LATERAL sendgate.reserve('rollback/a', 'invite', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;

-- No error given: never sent. The slot is free again, on the day and in the week.
SELECT sendgate.rollback('rollback/a', contract.op(1));
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT state, outcome, settled_at, error FROM sendgate.send_operations WHERE account_id = 'rollback/a' AND operation_id = contract.op(1);

-- Once: the same call again is a no-op with the same answer, also with another error.
SELECT contract.books() AS before \gset
SELECT sendgate.rollback('rollback/a', contract.op(1));
SELECT sendgate.rollback('rollback/a', contract.op(1), 'Too many requests', http_status => 429);
SELECT contract.books() = :'before' AS nothing_changed;

-- What the provider said is kept with the operation.
SELECT sendgate.rollback('rollback/a', contract.op(2), 'Recipient has opted out', 'errors/recipient_opted_out', 422);
SELECT state, outcome, error, error_type, http_status FROM sendgate.send_operations WHERE account_id = 'rollback/a' AND operation_id = contract.op(2);

-- Provider text is data: cut at 2,000 characters, and marked.
SELECT sendgate.rollback('rollback/a', contract.op(3), 'blocked ' || repeat('é', 3000));
SELECT left(error, 2000) = 'blocked ' || repeat('é', 1992) AS first_2000, substr(error, 2001) AS mark
FROM sendgate.send_operations WHERE account_id = 'rollback/a' AND operation_id = contract.op(3);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';

-- On the next day of the same week (Sunday) the day has rolled; the week is still current.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT proceed, sent_today FROM sendgate.reserve('rollback/a', 'invite', 'p5', 'c1', contract.op(5));
SELECT sendgate.rollback('rollback/a', contract.op(4));
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';

-- In the next week neither is: nothing changes, and nothing goes below zero.
SET sendgate.now = '2026-05-25 12:00:00+00';
SELECT sendgate.rollback('rollback/a', contract.op(5));
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';

-- A delivered operation cannot be rolled back.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p6', 'c1', contract.op(6));
SELECT sendgate.confirm('rollback/a', contract.op(6)) IS NOT NULL AS confirmed;
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.rollback('rollback/a', contract.op(6))$$) AS e;

-- rate_limited gives back and cools the account down: for retry_after, or for the setting, and never
-- for less than it already does.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p7', 'c1', contract.op(7));
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p8', 'c1', contract.op(8));
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p9', 'c1', contract.op(9));
SELECT sendgate.rollback('rollback/a', contract.op(7), http_status => 429);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT sendgate.rollback('rollback/a', contract.op(8), http_status => 429, retry_after => '10 minutes');
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT sendgate.rollback('rollback/a', contract.op(9), http_status => 429, retry_after => '1 day 2 hours');
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT sendgate.clear_cooldown('rollback/a', 'test');
SET sendgate.rate_limit_cooldown = '15min';
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p10', 'c1', contract.op(10));
SELECT sendgate.rollback('rollback/a', contract.op(10), error_type => 'errors/too_many_requests');
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
RESET sendgate.rate_limit_cooldown;
SELECT sendgate.clear_cooldown('rollback/a', 'test');

-- The cooldown ends by itself, to the instant.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p11', 'c1', contract.op(11));
SELECT sendgate.rollback('rollback/a', contract.op(11), http_status => 429);
SET sendgate.now = '2026-05-25 12:59:59.999999+00';
SELECT proceed, reason, retry_at FROM sendgate.preview('rollback/a', 'invite', 'p12');
SET sendgate.now = '2026-05-25 13:00:00+00';
SELECT proceed, reason, retry_at FROM sendgate.preview('rollback/a', 'invite', 'p12');

-- account_restricted and auth_lost give back and stop the account; who did it is in the admin log.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p12', 'c1', contract.op(12));
SELECT proceed FROM sendgate.reserve('rollback/a', 'message', 'p12', 'c1', contract.op(13));
SELECT sendgate.rollback('rollback/a', contract.op(12), error_type => 'errors/disconnected_account', http_status => 401);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT sendgate.rollback('rollback/a', contract.op(13), error_type => 'errors/account_restricted');
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT verb, subject, before, after FROM sendgate.admin_log WHERE account_id = 'rollback/a' AND subject = 'status' ORDER BY after;
SELECT sendgate.set_status('rollback/a', 'connected', 'test');

-- transient gives back, and that is all.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p14', 'c1', contract.op(14));
SELECT sendgate.rollback('rollback/a', contract.op(14), 'Service Unavailable', http_status => 503);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';

-- indeterminate holds the slot: the message may have been sent.
SELECT proceed, sent_today FROM sendgate.reserve('rollback/a', 'invite', 'p15', 'c1', contract.op(15));
SELECT sendgate.rollback('rollback/a', contract.op(15), 'Gateway Timeout', http_status => 504);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';
SELECT operation_id, state, outcome, error, http_status FROM sendgate.operations_unresolved WHERE account_id = 'rollback/a';
SELECT sendgate.rollback('rollback/a', contract.op(15), 'Gateway Timeout', http_status => 504);

-- A later, definite answer still gives it back.
SELECT sendgate.rollback('rollback/a', contract.op(15), 'Recipient blocked', 'errors/blocked_recipient', 422);
SELECT * FROM contract.rollback_31 WHERE id = 'rollback/a';

-- Bad input is an error of its own, and changes nothing.
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p16', 'c1', contract.op(16));
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$rollback(NULL, contract.op(16))$$),
        (2, $$rollback('rollback/a', NULL)$$),
        (3, $$rollback('rollback/nobody', contract.op(16))$$),
        (4, $$rollback('rollback/a', contract.op(99))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- A retry_after that makes no sense is taken as not given, with a warning of its own: what the provider said
-- about the send is not lost over it.
\set VERBOSITY sqlstate
SELECT sendgate.rollback('rollback/a', contract.op(16), http_status => 429, retry_after => '-1 second');
\set VERBOSITY default
SELECT cooldown_until FROM sendgate.accounts WHERE id = 'rollback/a';
SELECT sendgate.clear_cooldown('rollback/a', 'test');
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p17', 'c1', contract.op(17));
SELECT sendgate.rollback('rollback/a', contract.op(17), http_status => 429, retry_after => '1 month');
SELECT sendgate.clear_cooldown('rollback/a', 'test');
SELECT proceed FROM sendgate.reserve('rollback/a', 'invite', 'p18', 'c1', contract.op(18));
SELECT sendgate.rollback('rollback/a', contract.op(18), http_status => 429, retry_after => '367 days');
SELECT cooldown_until FROM sendgate.accounts WHERE id = 'rollback/a';
