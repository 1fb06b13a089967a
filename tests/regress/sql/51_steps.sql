-- A sequence has several steps; work has a payload, and a priority.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SET sendgate.prospect_cooldown = '0';
SELECT sendgate.upsert_account('steps/a', 'sales_navigator');

-- Two messages of a sequence are two steps; without a step it is the first.
SELECT sendgate.enqueue('spring', 'p1', 'steps/a', 'message', payload => '{"text": "Hello"}') AS is_new;
SELECT sendgate.enqueue('spring', 'p1', 'steps/a', 'message', '2026-05-27 12:00+00', step => 2, payload => '{"text": "Have you seen it?"}') AS is_new;
SELECT sendgate.enqueue('spring', 'p1', 'steps/a', 'message', step => 1) AS is_new;
SELECT sendgate.enqueue('spring', 'p1', 'steps/a', 'message', step => 2, priority => 50) AS is_new;
SELECT step, priority, state, next_dispatch_at, payload FROM sendgate.enrollments WHERE account_id = 'steps/a' ORDER BY step;

-- Each step is handed out when it is due, with its payload; the journal says which step it was.
SELECT account_id, campaign_id, prospect_id, action, attempt, step, payload FROM sendgate.dispatch(10, account_id => 'steps/a');
SELECT step, attempt, state FROM sendgate.send_operations WHERE account_id = 'steps/a';
SELECT sendgate.confirm('steps/a', contract.handed('steps/a', 'p1', 'message'), 'chat 1') IS NOT NULL AS confirmed;
SELECT step, state FROM sendgate.enrollments WHERE account_id = 'steps/a' ORDER BY step;
SET sendgate.now = '2026-05-27 12:00:00+00';
SELECT attempt, step, payload FROM sendgate.dispatch(10, account_id => 'steps/a', request_id => contract.op(1));
-- A repeated request gets the same.
SELECT attempt, step, payload FROM sendgate.dispatch(10, account_id => 'steps/a', request_id => contract.op(1));

-- A failure is of its own step.
SELECT sendgate.rollback('steps/a', contract.handed('steps/a', 'p1', 'message'), 'busy', NULL, 503) AS outcome;
SELECT step, state, attempts, reason FROM sendgate.enrollments WHERE account_id = 'steps/a' ORDER BY step;

-- Two steps that are due together go one after the other, the lower first.
SELECT sendgate.upsert_account('steps/both', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p1', 'steps/both', 'message', step => 4 - n)) AS new FROM generate_series(1, 3) n;
SELECT step FROM sendgate.dispatch(10, account_id => 'steps/both');
SELECT step, state, reason FROM sendgate.enrollments WHERE account_id = 'steps/both' ORDER BY step;
SELECT sendgate.confirm('steps/both', contract.handed('steps/both', 'p1', 'message'), 'chat') IS NOT NULL AS confirmed;
SET sendgate.now = '2026-05-27 12:01:00+00';
SELECT step FROM sendgate.dispatch(10, account_id => 'steps/both');
SELECT step, state, reason FROM sendgate.enrollments WHERE account_id = 'steps/both' ORDER BY step;

-- A delivery that names no step ends the lowest that is neither done nor cancelled.
SELECT sendgate.upsert_account('steps/reserve', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p1', 'steps/reserve', 'message', '2026-06-24', step => n)) AS new FROM generate_series(1, 4) n;
SELECT proceed FROM sendgate.reserve('steps/reserve', 'message', 'p1', 'spring', contract.op(10));
SELECT step FROM sendgate.send_operations WHERE account_id = 'steps/reserve';
SELECT sendgate.confirm('steps/reserve', contract.op(10)) IS NOT NULL AS confirmed;
SELECT step, state FROM sendgate.enrollments WHERE account_id = 'steps/reserve' ORDER BY step;
-- The same confirm again ends no other.
SELECT sendgate.confirm('steps/reserve', contract.op(10)) IS NOT NULL AS confirmed;
SELECT string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/reserve';
-- A failure of it ends none.
SELECT proceed FROM sendgate.reserve('steps/reserve', 'message', 'p1', 'spring', contract.op(11));
SELECT sendgate.rollback('steps/reserve', contract.op(11), 'deleted', NULL, 422) AS outcome;
SELECT string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/reserve';
-- One sent by hand, with the campaign that an application's own event names.
INSERT INTO sendgate.linkedin_events (account_id, event_type, prospect_id, campaign_id, chat_id, occurred_at)
VALUES ('steps/reserve', 'message_sent', 'p1', 'spring', 'by hand', '2026-05-27 12:00:30+00');
SELECT string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/reserve';
-- Cancelled work stays cancelled; with nothing open there is nothing to end.
SELECT sendgate.cancel('spring', 'p1', 'steps/reserve');
SELECT proceed FROM sendgate.reserve('steps/reserve', 'message', 'p1', 'spring', contract.op(12));
SELECT sendgate.confirm('steps/reserve', contract.op(12)) IS NOT NULL AS confirmed;
SELECT string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/reserve';

-- One send ends one step, also where an operator says that it was sent and its proof comes later.
SELECT sendgate.upsert_account('steps/proof', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p' || n % 2, 'steps/proof', 'inmail', '2026-06-24', step => 1 + n / 2)) AS new FROM generate_series(0, 5) n;
SELECT n, d.proceed FROM generate_series(0, 1) n, sendgate.reserve('steps/proof', 'inmail', 'p' || n, 'spring', contract.op(15 + n)) AS d;
SELECT n, sendgate.rollback('steps/proof', contract.op(15 + n), 'gateway timeout', NULL, 504) AS outcome FROM generate_series(0, 1) n;
SELECT n, sendgate.resolve_operation('steps/proof', contract.op(15 + n), true) FROM generate_series(0, 1) n;
SELECT prospect_id, string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/proof' GROUP BY 1 ORDER BY 1;
SELECT sendgate.confirm('steps/proof', contract.op(15), 'chat') IS NOT NULL AS confirmed;
SELECT sendgate.confirm_many(ARRAY['steps/proof'], ARRAY[contract.op(16)], ARRAY['another chat']) IS NOT NULL AS confirmed;
SELECT prospect_id, string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/proof' GROUP BY 1 ORDER BY 1;

-- In a batch it is as one by one: two deliveries without a step end two of them.
SELECT sendgate.upsert_account('steps/batch', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'p1', 'steps/batch', 'message', '2026-06-24', step => n)) AS new FROM generate_series(1, 4) n;
SELECT sendgate.enqueue('spring', 'p1', 'steps/batch', 'message', step => 5) AS is_new;
SELECT step FROM sendgate.dispatch(10, account_id => 'steps/batch');
UPDATE sendgate.send_operations SET prospect_id = 'other' WHERE account_id = 'steps/batch';
SELECT proceed FROM sendgate.reserve('steps/batch', 'message', 'p1', 'spring', contract.op(20));
UPDATE sendgate.send_operations SET prospect_id = 'other' WHERE operation_id = contract.op(20);
SELECT proceed FROM sendgate.reserve('steps/batch', 'message', 'p1', 'spring', contract.op(21));
UPDATE sendgate.send_operations SET prospect_id = 'p1' WHERE account_id = 'steps/batch';
SELECT cardinality(sendgate.confirm_many(array_agg(account_id), array_agg(operation_id), array_agg('chat ' || operation_id)))
FROM sendgate.send_operations WHERE account_id = 'steps/batch';
SELECT string_agg(state, ' ' ORDER BY step) AS states FROM sendgate.enrollments WHERE account_id = 'steps/batch';

-- What an older version handed out says no step: it was the first.
SELECT sendgate.upsert_account('steps/old', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'steps/old', 'message') AS is_new;
SELECT sendgate.enqueue('spring', 'p2', 'steps/old', 'message') AS is_new;
SELECT count(*) FROM sendgate.dispatch(10, account_id => 'steps/old', request_id => contract.op(2));
UPDATE sendgate.send_operations SET step = NULL WHERE account_id = 'steps/old';
SELECT prospect_id, step FROM sendgate.dispatch(10, account_id => 'steps/old', request_id => contract.op(2)) ORDER BY 1;
SELECT sendgate.rollback('steps/old', contract.handed('steps/old', 'p1', 'message'), 'busy', NULL, 503) AS outcome;
SELECT sendgate.confirm_many(ARRAY['steps/old'], ARRAY[contract.handed('steps/old', 'p2', 'message')], ARRAY['chat']) IS NOT NULL AS confirmed;
SELECT prospect_id, state FROM contract.work WHERE account_id = 'steps/old' ORDER BY 1;

-- switch_action keeps the step, and leaves behind what would be a second of the same.
SELECT sendgate.upsert_account('steps/switch', 'sales_navigator');
SELECT sendgate.enqueue('switched', 'p1', 'steps/switch', 'invite', step => 1) AS is_new;
SELECT sendgate.enqueue('switched', 'p1', 'steps/switch', 'invite', step => 2) AS is_new;
SELECT sendgate.enqueue('switched', 'p1', 'steps/switch', 'inmail', step => 1) AS is_new;
SELECT * FROM sendgate.switch_action('switched', 'invite', 'inmail');
SELECT action, step FROM sendgate.enrollments WHERE account_id = 'steps/switch' ORDER BY 1, 2;

-- The breaker defers every step of a prospect, and notes one skip for them.
SELECT sendgate.upsert_account('steps/breaker', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'steps/breaker', 'inmail', step => 1) AS is_new;
SELECT sendgate.enqueue('spring', 'p1', 'steps/breaker', 'inmail', step => 2) AS is_new;
SELECT sendgate.breaker_arm('steps/breaker', 'empty');
SELECT count(*) FROM sendgate.dispatch(10, account_id => 'steps/breaker');
SELECT step, state, next_dispatch_at, reason FROM sendgate.enrollments WHERE account_id = 'steps/breaker' ORDER BY step;
SELECT count(*), sum(repeats) AS repeats FROM sendgate.campaign_events WHERE account_id = 'steps/breaker';
SELECT count(*) FROM sendgate.breaker_log WHERE account_id = 'steps/breaker' AND action = 'skip';
-- A permit makes one of them due, and when credits are back each is.
SELECT sendgate.breaker_probe('steps/breaker', 'one');
SELECT count(*) AS due FROM sendgate.enrollments WHERE account_id = 'steps/breaker' AND next_dispatch_at <= sendgate.clock();
SELECT sendgate.breaker_clear('steps/breaker', 'topped up');
SELECT count(*) AS due FROM sendgate.enrollments WHERE account_id = 'steps/breaker' AND next_dispatch_at <= sendgate.clock();

-- The highest priority goes first, then what has been due longest; what is not due yet does not.
SELECT sendgate.upsert_account('steps/priority', 'sales_navigator');
SELECT count(*) FILTER (WHERE sendgate.enqueue('spring', 'normal ' || n, 'steps/priority', 'message', sendgate.clock() - n * interval '1 minute')) AS new FROM generate_series(1, 3) n;
SELECT sendgate.enqueue('spring', 'whenever', 'steps/priority', 'message', '2026-01-01', priority => -100) AS is_new;
SELECT sendgate.enqueue('autumn', 'urgent', 'steps/priority', 'message', priority => 100) AS is_new;
SELECT sendgate.enqueue('autumn', 'urgent later', 'steps/priority', 'message', '2026-05-28', priority => 100) AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, account_id => 'steps/priority');
SELECT n, prospect_id FROM sendgate.dispatch(10, account_id => 'steps/priority') WITH ORDINALITY AS d (account_id, campaign_id, prospect_id, action, operation_id, expires_at, attempt, step, payload, n);
SET sendgate.now = '2026-05-28 00:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, account_id => 'steps/priority');

-- dispatch of one campaign finds its work behind that of others, and leaves theirs as it lies.
SELECT sendgate.upsert_account('steps/campaign' || n, 'sales_navigator') FROM generate_series(1, 3) n;
SELECT count(*) FILTER (WHERE sendgate.enqueue('large', 'p' || n, 'steps/campaign' || 1 + n % 3, 'message')) AS new FROM generate_series(1, 12) n;
SELECT sendgate.enqueue('small', 'p13', 'steps/campaign2', 'message') AS is_new;
SELECT sendgate.enqueue('small', 'p14', 'steps/campaign3', 'invite') AS is_new;
SELECT sendgate.enqueue('small', 'p15', 'steps/campaign3', 'message', '2026-06-24') AS is_new;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', campaign_id => 'small');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, campaign_id => 'small', account_id => 'steps/campaign2');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, campaign_id => 'small', request_id => contract.op(3));
SELECT count(*) FROM sendgate.dispatch(10, campaign_id => 'unheard of');
SELECT account_id, due_at FROM contract.tickets WHERE account_id LIKE 'steps/campaign%' AND action = 'message' ORDER BY 1, 2;
SELECT count(*) FROM sendgate.dispatch(10, 'message', campaign_id => 'large', account_id => 'steps/campaign2');
SELECT count(*) FROM sendgate.dispatch(10, 'message', campaign_id => 'large');
-- The campaign is one of the request's arguments.
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, campaign_id => 'small', request_id => contract.op(3));
SELECT e.code, e.message FROM contract.error($$SELECT * FROM sendgate.dispatch(10, campaign_id => 'large', request_id => contract.op(3))$$) AS e;

-- Bad input is an error of its own, and changes nothing. The largest that is allowed is allowed.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message, e.detail
FROM (
    VALUES
        (1, $$enqueue('spring', 'p9', 'steps/a', 'message', step => 0)$$),
        (2, $$enqueue('spring', 'p9', 'steps/a', 'message', step => 1001)$$),
        (3, $$enqueue('spring', 'p9', 'steps/a', 'message', step => NULL)$$),
        (4, $$enqueue('spring', 'p9', 'steps/a', 'message', priority => 101)$$),
        (5, $$enqueue('spring', 'p9', 'steps/a', 'message', priority => -101)$$),
        (6, $$enqueue('spring', 'p9', 'steps/a', 'message', priority => NULL)$$),
        (7, $$enqueue('spring', 'p9', 'steps/a', 'message', payload => to_jsonb(repeat('x', 8191)))$$),
        (8, $$dispatch(1, campaign_id => ' ')$$),
        (9, $$dispatch(1, campaign_id => repeat('x', 129))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT sendgate.enqueue('spring', 'p10', 'steps/a', 'message', step => 1000, priority => -100, payload => to_jsonb(repeat('x', 8190))) AS is_new;
SELECT sendgate.enqueue('spring', 'p10', 'steps/a', 'message', step => 999, priority => 100, payload => 'null') AS is_new;
SELECT step, length(payload::text), jsonb_typeof(payload) FROM sendgate.dispatch(1, account_id => 'steps/a', campaign_id => 'spring');
-- The table says so too.
SELECT contract.error($$UPDATE sendgate.enrollments SET step = 1001 WHERE account_id = 'steps/a'$$);
SELECT contract.error($$UPDATE sendgate.enrollments SET priority = 101 WHERE account_id = 'steps/a'$$);
SELECT code FROM contract.error($$UPDATE sendgate.enrollments SET payload = to_jsonb(repeat('x', 8191)) WHERE account_id = 'steps/a'$$);
SELECT contract.violates($$UPDATE sendgate.enrollments SET step = 7 WHERE account_id = 'steps/both'$$);
