-- What dispatch does with work that may not be sent now: a refusal of the whole account costs one
-- write of its ticket, not one per enrollment; what has no time of its own waits until the event that
-- can change it wakes it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.enrollments_54 AS
SELECT account_id, action, prospect_id, campaign_id, step, xmin::text AS version FROM sendgate.enrollments;
CREATE VIEW contract.tickets_54 AS
SELECT account_id, action, ticket_id, xmin::text AS version FROM sendgate.dispatch_queue;
-- An account with due invites that one rule holds back. All of them are due before now, so that what becomes due now comes
-- behind them.
CREATE FUNCTION contract.account_54(account text, tier text DEFAULT 'sales_navigator', works integer DEFAULT 3) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sendgate.upsert_account(account, tier);
    FOR n IN 1..works LOOP
        PERFORM sendgate.enqueue('spring', 'p' || n, account, 'invite', sendgate.clock() - (works - n + 1) * interval '1 second');
    END LOOP;
END
$$;

-- 200 due enrollments of an exhausted account: none is written, one ticket moves, and the next call
-- does not look at the account at all.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT contract.account_54('waits/cap', works => 200);
SELECT sendgate.set_cap('waits/cap', 'invite', 1, 100);
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/cap');
CREATE TABLE contract.before_54 AS SELECT * FROM contract.enrollments_54;
CREATE TABLE contract.tickets_before_54 AS SELECT * FROM contract.tickets_54;
SELECT xmin AS account_version FROM sendgate.accounts WHERE id = 'waits/cap' \gset
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SELECT count(*) AS changed_enrollments FROM contract.enrollments_54 AS e JOIN contract.before_54 AS b USING (account_id, action, prospect_id, campaign_id, step) WHERE e.version <> b.version;
SELECT count(*) AS changed_tickets FROM contract.tickets_54 AS e JOIN contract.tickets_before_54 AS b USING (ticket_id) WHERE e.version <> b.version;
SELECT xmin::text = :'account_version' AS account_unchanged FROM sendgate.accounts WHERE id = 'waits/cap';
SELECT * FROM contract.tickets WHERE account_id = 'waits/cap';
SELECT contract.books() AS before \gset
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SELECT contract.books() = :'before' AS nothing_changed;

-- It wakes with the new day by itself,
SET sendgate.now = '2026-05-20 23:59:59.999999+00';
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');

-- or with a higher cap,
SELECT sendgate.set_cap('waits/cap', 'invite', 4, 100);
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');

-- or with a slot that is given back.
SELECT sendgate.rollback('waits/cap', contract.handed('waits/cap', 'p2', 'invite'), 'Recipient blocked');
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');
SELECT count(*) FROM sendgate.dispatch(1000, NULL, 'waits/cap');

-- A slot of another action is no reason to look again.
SELECT sendgate.enqueue('spring', 'm1', 'waits/cap', 'message') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, 'message', 'waits/cap');
SELECT sendgate.rollback('waits/cap', contract.handed('waits/cap', 'm1', 'message'));
SELECT * FROM contract.tickets WHERE account_id = 'waits/cap' ORDER BY action;

-- A tier's cap wakes all accounts of the tier, also when an override of it goes.
SELECT sendgate.set_tier_cap('waits', 'invite', 1);
SELECT contract.account_54('waits/tier/' || n, 'waits', 4) FROM generate_series(1, 2) AS n;
SELECT n, count(d.*) FROM generate_series(1, 2) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/tier/' || n) AS d GROUP BY n ORDER BY n;
SELECT n, d.prospect_id FROM generate_series(1, 2) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/tier/' || n) AS d ORDER BY n, d.prospect_id;
SELECT sendgate.set_tier_cap('waits', 'invite', 2);
SELECT n, count(d.*) FROM generate_series(1, 2) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/tier/' || n) AS d GROUP BY n ORDER BY n;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/tier/1');
SELECT sendgate.upsert_account('waits/tier/1', 'sales_navigator');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/tier/1');
SELECT sendgate.set_tier_cap('sales_navigator', 'engagement', 0);
SELECT sendgate.enqueue('spring', 'e1', 'waits/tier/1', 'engagement') AS is_new;
SELECT count(*) FROM sendgate.dispatch(10, 'engagement', 'waits/tier/1');
SELECT sendgate.drop_tier_cap('sales_navigator', 'engagement');
SELECT count(*) FROM sendgate.dispatch(10, 'engagement', 'waits/tier/1');
SELECT sendgate.upsert_account('waits/tier/2', 'free'), sendgate.drop_tier_cap('waits', 'invite');

-- The status: nothing is written about the work of an account that is not connected.
SET sendgate.now = '2026-05-21 12:00:00+00';
SELECT contract.account_54('waits/status');
SELECT s.status, sendgate.set_status('waits/status', s.status, 'test') FROM (VALUES ('restricted')) AS s (status);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/status');
SELECT * FROM contract.tickets WHERE account_id = 'waits/status';
SELECT sendgate.set_status('waits/status', 'disconnected', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/status');
SELECT sendgate.set_status('waits/status', 'connected', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/status');

-- The account's cooldown.
SELECT contract.account_54('waits/cooldown');
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/cooldown');
SELECT sendgate.rollback('waits/cooldown', contract.handed('waits/cooldown', 'p1', 'invite'), http_status => 429, retry_after => '2 hours');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/cooldown');
SELECT * FROM contract.tickets WHERE account_id = 'waits/cooldown';
SELECT sendgate.clear_cooldown('waits/cooldown', 'test');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/cooldown');

-- The sending window: until it opens, to the instant, or until it is another one.
SELECT contract.account_54('waits/window');
SELECT sendgate.set_window('waits/window', '14:00', '16:00', '{1,2,3,4,5,6,7}');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/window');
SELECT * FROM contract.tickets WHERE account_id = 'waits/window';
SET sendgate.now = '2026-05-21 13:59:59.999999+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/window');
SET sendgate.now = '2026-05-21 14:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/window');
SET sendgate.now = '2026-05-21 16:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/window');
SELECT * FROM contract.tickets WHERE account_id = 'waits/window';
SELECT sendgate.set_window('waits/window', '14:00', '17:00', '{1,2,3,4,5,6,7}');
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/window');
SET sendgate.now = '2026-05-21 18:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/window');
SELECT sendgate.set_window('waits/window', NULL, NULL, NULL);
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/window');

-- The night of daylight saving: 09:00 in Berlin is 08:00 UTC on Saturday and 07:00 UTC on Sunday.
SET sendgate.now = '2026-03-28 16:30:00+00';
SELECT sendgate.upsert_account('waits/berlin', 'sales_navigator', NULL, 'Europe/Berlin', '09:00', '17:00', '{1,2,3,4,5,6,7}');
SELECT sendgate.enqueue('spring', 'p1', 'waits/berlin', 'invite') AS is_new;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/berlin');
SELECT due_at, due_at AT TIME ZONE 'Europe/Berlin' AS local FROM contract.tickets WHERE account_id = 'waits/berlin';
SET sendgate.now = '2026-03-29 06:59:59.999999+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/berlin');
SET sendgate.now = '2026-03-29 07:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/berlin');

-- The minimum gap: one a call, and the next when it is over.
SET sendgate.now = '2026-05-21 12:00:00+00';
SELECT sendgate.set_tier_cap('waits_paced', 'invite', 10, NULL, '30 minutes');
SELECT contract.account_54('waits/paced', 'waits_paced');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/paced');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/paced');
SELECT * FROM contract.tickets WHERE account_id = 'waits/paced';
SET sendgate.now = '2026-05-21 12:30:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/paced');
SELECT state, due_at, reason FROM contract.work WHERE account_id = 'waits/paced' ORDER BY prospect_id;
SELECT sendgate.upsert_account('waits/paced', 'free'), sendgate.drop_tier_cap('waits_paced', 'invite');

-- The ramp: 20 % of 25 on the first day, 20 % more on the day after one with a send.
SELECT contract.account_54('waits/ramp', works => 30);
SELECT sendgate.upsert_account('waits/ramp', ramp => true);
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'waits/ramp');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'waits/ramp');
SET sendgate.now = '2026-05-22 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'waits/ramp');
SELECT sendgate.upsert_account('waits/ramp', ramp => false);
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'waits/ramp');

-- An operation in flight has no time at which it ends: the enrollment waits without one until the operation
-- is settled.
SET sendgate.now = '2026-05-22 12:00:00+00';
SET sendgate.prospect_cooldown = 0;
SELECT n, sendgate.upsert_account('waits/flight/' || n, 'sales_navigator') FROM generate_series(1, 4) AS n;
SELECT n, r.proceed FROM generate_series(1, 4) AS n CROSS JOIN LATERAL sendgate.reserve('waits/flight/' || n, 'inmail', 'p1', NULL, contract.op(n)) AS r ORDER BY n;
SELECT n, sendgate.enqueue('spring', 'p1', 'waits/flight/' || n, 'inmail') AS is_new FROM generate_series(1, 4) AS n;
SELECT n, d.prospect_id FROM generate_series(1, 4) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/flight/' || n) AS d ORDER BY n;
SELECT account_id, state, due_at, reason, attempts FROM contract.work WHERE account_id LIKE 'waits/flight/%' ORDER BY account_id;
SELECT contract.books() AS before \gset
SELECT n, d.prospect_id FROM generate_series(1, 4) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/flight/' || n) AS d ORDER BY n;
SELECT contract.books() = :'before' AS nothing_changed;
SET sendgate.now = '2026-05-22 12:01:00+00';
SELECT sendgate.confirm('waits/flight/1', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('waits/flight/2', contract.op(2));
SELECT sendgate.rollback('waits/flight/3', contract.op(3), 'Bad Gateway', http_status => 502);
SELECT account_id, state, due_at, reason FROM contract.work WHERE account_id LIKE 'waits/flight/%' ORDER BY account_id;
SELECT sendgate.resolve_operation('waits/flight/3', contract.op(3), false);
SET sendgate.now = '2026-05-22 13:00:00+00';
SELECT sendgate.resolve_operation('waits/flight/4', contract.op(4), true);
SELECT n, d.prospect_id, d.attempt FROM generate_series(1, 4) AS n CROSS JOIN LATERAL sendgate.dispatch(10, NULL, 'waits/flight/' || n) AS d ORDER BY n;
RESET sendgate.prospect_cooldown;

-- A prospect in its cooldown is postponed to the instant at which the cooldown ends, and does not hold up
-- those behind.
SELECT sendgate.upsert_account('waits/prospect', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('waits/prospect', 'inmail', 'p1', NULL, contract.op(1));
SELECT sendgate.confirm('waits/prospect', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SET sendgate.now = '2026-05-22 14:00:00+00';
SELECT n, sendgate.enqueue('spring', 'p' || n, 'waits/prospect', 'inmail', '2026-05-22 13:00+00'::timestamptz + n * interval '1 minute') AS is_new FROM generate_series(1, 2) AS n;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/prospect');
SELECT prospect_id, state, due_at, reason FROM contract.work WHERE account_id = 'waits/prospect' ORDER BY prospect_id;
SELECT * FROM contract.tickets WHERE account_id = 'waits/prospect';
SET sendgate.now = '2026-05-23 12:59:59.999999+00';
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/prospect');
SET sendgate.now = '2026-05-23 13:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/prospect');

-- Also where many such are at the head of the queue.
SELECT sendgate.upsert_account('waits/crowd', 'sales_navigator');
SELECT count(*) FILTER (WHERE r.proceed) AS granted FROM generate_series(1, 40) AS n CROSS JOIN LATERAL sendgate.reserve('waits/crowd', 'message', 'p' || n) AS r;
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n, 'waits/crowd', 'message', '2026-05-23 10:00+00'::timestamptz + n * interval '1 minute')) AS new FROM generate_series(1, 42) AS n;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/crowd');
SELECT prospect_id FROM sendgate.dispatch(5, NULL, 'waits/crowd');

-- A row whose day ran ahead is full on that day, and its ticket sleeps; repair_day has it looked at again.
SET sendgate.now = '2026-06-20 12:00:00+00';
SELECT contract.account_54('waits/ahead');
SELECT sendgate.set_cap('waits/ahead', 'invite', 1);
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'waits/ahead');
SELECT sendgate.rollback('waits/ahead', contract.handed('waits/ahead', 'p1', 'invite'), 'Bad Gateway', http_status => 502);
SET sendgate.now = '2026-06-12 12:00:00+00';
SELECT sendgate.enqueue('spring', 'p9', 'waits/ahead', 'invite') AS is_new;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'waits/ahead');
SELECT * FROM contract.tickets WHERE account_id = 'waits/ahead' ORDER BY due_at;
SELECT sendgate.repair_day('waits/ahead', 'clock mended');
SELECT * FROM contract.tickets WHERE account_id = 'waits/ahead' ORDER BY due_at;
SELECT sendgate.set_cap('waits/ahead', 'invite', 2);
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'waits/ahead');

-- An account that InMails are held back from by force sends the others.
SET sendgate.now = '2026-06-12 12:00:00+00';
SELECT contract.account_54('waits/forced');
SELECT sendgate.enqueue('spring', 'p1', 'waits/forced', 'inmail') AS is_new;
SELECT sendgate.breaker_force('waits/forced', 'open', 'test');
SELECT action, count(*) FROM sendgate.dispatch(10, NULL, 'waits/forced') GROUP BY action ORDER BY action;
SELECT sendgate.breaker_force('waits/forced', 'auto', 'test');
SELECT action, count(*) FROM sendgate.dispatch(10, NULL, 'waits/forced') GROUP BY action ORDER BY action;
DROP TABLE contract.before_54, contract.tickets_before_54;
