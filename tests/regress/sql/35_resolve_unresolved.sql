\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- resolve_unresolved: the morning after an outage, one verdict for all that it left.
SET sendgate.failure_limit = 0;
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('un/' || a, 'sales_navigator') FROM unnest(ARRAY['a', 'b', 'c']) a;
CREATE VIEW contract.unresolved_35 AS
SELECT o.account_id, o.operation_id, o.action, o.state, o.outcome, o.error, e.event_type, e.occurred_at
FROM sendgate.send_operations o
LEFT JOIN sendgate.linkedin_events e ON e.account_id = o.account_id AND e.operation_id = o.operation_id
WHERE o.account_id LIKE 'un/%' ORDER BY o.account_id, o.operation_id;

-- Before, during and after the outage; answered as unknown, or never; and one that is in flight to the end.
SELECT (sendgate.reserve('un/a', 'inmail', 'before', NULL, contract.op(1))).proceed;
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT a, n, (sendgate.reserve('un/' || a, action, 'p' || n, NULL, contract.op(n))).proceed
FROM unnest(ARRAY['a', 'b']) a
CROSS JOIN (VALUES (2, 'inmail'), (3, 'inmail'), (4, 'invite'), (5, 'message')) w (n, action) ORDER BY a, n;
SELECT sendgate.enqueue('un', 'work', 'un/b', 'invite'), sendgate.enqueue('un', 'work', 'un/c', 'invite');
SELECT d.account_id, d.attempt FROM unnest(ARRAY['un/b', 'un/c']) a, sendgate.dispatch(1, 'invite', a) d ORDER BY d.account_id;
SELECT sendgate.rollback('un/a', contract.op(2), 'Gateway Timeout', http_status => 504);
SELECT sendgate.confirm('un/a', contract.op(5)) IS NOT NULL AS delivered;
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT (sendgate.reserve('un/a', 'inmail', 'after', NULL, contract.op(6))).proceed;

-- One account and action, not sent: slots come back, work waits for its back-off. In flight stays.
SELECT sendgate.resolve_unresolved(false, '2026-05-24 12:30+00', '2026-05-24 15:00+00', 'un/a', 'invite', 'checked');
SELECT sendgate.resolve_unresolved(false, '2026-05-24 12:30+00', '2026-05-24 15:00+00', 'un/c');
SELECT account_id, state, next_dispatch_at, error FROM sendgate.enrollments WHERE campaign_id = 'un' ORDER BY account_id;
-- The others, sent: InMails without proof write no event, other actions do, when they were reserved.
SELECT sendgate.resolve_unresolved(true, '2026-05-24 12:30+00', '2026-05-24 14:30+00', note => 'the provider says so');
SELECT * FROM contract.unresolved_35 WHERE operation_id <= contract.op(9);
SELECT account_id, state FROM sendgate.enrollments WHERE campaign_id = 'un' ORDER BY account_id;
SELECT account_id, action, sent_today FROM sendgate.counters WHERE account_id LIKE 'un/%' AND sent_today > 0 ORDER BY account_id, action;
-- Nothing is left of the range: nothing is settled twice, and nothing is logged.
SELECT sendgate.resolve_unresolved(false, '2026-05-24 12:30+00', '2026-05-24 14:30+00');
SELECT sendgate.resolve_unresolved(false, '2026-05-24 12:30+00', '2026-05-24 12:30+00');
SELECT verb, account_id, subject, before, after, note FROM sendgate.admin_log
WHERE verb = 'resolve_unresolved' AND at >= '2026-05-24' AND at < '2026-05-25' ORDER BY id;

-- The same as one by one.
CREATE FUNCTION contract.told_35(account text) RETURNS TABLE (line text) LANGUAGE sql AS $$
    SELECT 'account ' || (to_jsonb(a) - 'id' - 'version')::text FROM sendgate.accounts a WHERE a.id = account
    UNION ALL
    SELECT 'operation ' || (to_jsonb(o) - 'account_id' - 'operation_id')::text
    FROM sendgate.send_operations o WHERE o.account_id = account
    UNION ALL
    SELECT 'event ' || (to_jsonb(e) - 'account_id' - 'operation_id' - 'id')::text
    FROM sendgate.linkedin_events e WHERE e.account_id = account
    UNION ALL
    SELECT 'work ' || (to_jsonb(e) - 'account_id' - 'operation_id')::text
    FROM sendgate.enrollments e WHERE e.account_id = account
$$;
SELECT sent,
       sendgate.upsert_account('un/one/' || sent, 'sales_navigator'),
       sendgate.upsert_account('un/all/' || sent, 'sales_navigator')
FROM unnest(ARRAY[true, false]) sent;
SELECT count(sendgate.enqueue('un-' || sent, 'p' || n, 'un/' || how || '/' || sent, action))
FROM unnest(ARRAY[true, false]) sent, unnest(ARRAY['one', 'all']) how, unnest(ARRAY['inmail', 'invite']) action,
    generate_series(1, 4) n;
SELECT d.account_id, count(*)
FROM (SELECT id FROM sendgate.linkedin_accounts WHERE id LIKE 'un/one/%' OR id LIKE 'un/all/%') a,
    sendgate.dispatch(100, NULL, a.id) d
GROUP BY d.account_id ORDER BY d.account_id;
SET sendgate.now = '2026-05-24 18:00:00+00';
SELECT count(sendgate.resolve_operation(o.account_id, o.operation_id, o.account_id LIKE '%true', note => 'x'))
FROM (SELECT * FROM sendgate.send_operations WHERE account_id LIKE 'un/one/%' ORDER BY account_id, operation_id) o;
SELECT sendgate.resolve_unresolved(sent, '2026-05-24 14:00+00', '2026-05-24 18:00+00', 'un/all/' || sent, note => 'x')
FROM unnest(ARRAY[true, false]) sent;
SELECT sent, d.line
FROM unnest(ARRAY[true, false]) sent
CROSS JOIN LATERAL (
    (SELECT line FROM contract.told_35('un/one/' || sent) EXCEPT ALL SELECT line FROM contract.told_35('un/all/' || sent))
    UNION ALL
    (SELECT line FROM contract.told_35('un/all/' || sent) EXCEPT ALL SELECT line FROM contract.told_35('un/one/' || sent))
) d;

-- Ten thousand in one call, the rest in the next, by ascending account.
SET sendgate.now = '2026-06-01 12:00:00+00';
SELECT count(sendgate.upsert_account('un/m' || lpad(n::text, 3, '0'), 'sales_navigator')) FROM generate_series(1, 101) n;
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action)
SELECT gen_random_uuid(), '2026-06-01 11:00+00', '2026-06-01 11:15+00', '2026-06-01',
       'un/m' || lpad(a::text, 3, '0'), 'p' || n, 'invite'
FROM generate_series(1, 101) a, generate_series(1, 100) n;
SELECT sendgate.resolve_unresolved(true, '2026-06-01 11:00+00', '2026-06-01 12:00+00', action => 'invite');
SELECT account_id, count(*) FROM sendgate.operations_unresolved WHERE account_id LIKE 'un/m%' GROUP BY account_id;
SELECT sendgate.resolve_unresolved(true, '2026-06-01 11:00+00', '2026-06-01 12:00+00', action => 'invite');
SELECT count(*), count(DISTINCT operation_id) FROM sendgate.linkedin_events WHERE account_id LIKE 'un/m%';

-- Bad input is an error of its own and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message, e.detail, e.hint
FROM (
    VALUES
        (1, $$(NULL, '2026-05-24', '2026-05-25')$$),
        (2, $$(true, NULL, '2026-05-25')$$),
        (3, $$(true, '2026-05-24', NULL)$$),
        (4, $$(true, '2026-05-25', '2026-05-24')$$),
        (5, $$(true, '-infinity', '2026-05-24')$$),
        (6, $$(true, '2026-05-24', '2026-05-25', 'un/nobody')$$),
        (7, $$(true, '2026-05-24', '2026-05-25', ' ')$$),
        (8, $$(true, '2026-05-24', '2026-05-25', action => 'fax')$$),
        (9, $$(true, '2026-05-24', '2026-05-25', note => repeat('x', 2001))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.resolve_unresolved' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
