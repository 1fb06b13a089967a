-- A batch of answers in one call: the same as one by one, or nothing at all.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Everything that is written about an account, but for its name, generated ids and how often its row
-- was written.
CREATE FUNCTION contract.told_61(account text) RETURNS TABLE (relation text, line text)
LANGUAGE plpgsql AS $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid
        FROM pg_class c
        WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind = 'r' AND c.relname <> 'dispatch_queue'
            AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('account_id') OR c.relname = 'accounts')
    LOOP
        RETURN QUERY EXECUTE format(
            $query$
                SELECT %L, regexp_replace(replace((to_jsonb(t) - 'version')::text, %L, 'ACCOUNT'), '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'UUID', 'g')
                FROM %s AS t
                WHERE t.%I = %L
            $query$,
            found, account, found, CASE found WHEN 'sendgate.accounts'::regclass THEN 'id' ELSE 'account_id' END, account
        );
    END LOOP;
    -- Of the tickets only the earliest says something, and of one that is due, only that it is.
    RETURN QUERY SELECT 'tickets', q.action || ' ' || greatest(min(q.due_at), sendgate.clock()) FROM sendgate.dispatch_queue q WHERE q.account_id = account GROUP BY q.action;
END
$$;
-- What is written about one account and not about the other.
CREATE FUNCTION contract.differs_61(one text, other text) RETURNS TABLE (account text, relation text, line text)
LANGUAGE sql AS $$
    SELECT one, d.* FROM (SELECT * FROM contract.told_61(one) EXCEPT ALL SELECT * FROM contract.told_61(other)) AS d
    UNION ALL
    SELECT other, d.* FROM (SELECT * FROM contract.told_61(other) EXCEPT ALL SELECT * FROM contract.told_61(one)) AS d;
$$;
-- An account with so many InMails under way, and more behind them; one prospect is waited for.
CREATE FUNCTION contract.account_61(account text, works integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sendgate.upsert_account(account, 'sales_navigator');
    FOR n IN 1..works + 2 LOOP
        PERFORM sendgate.enqueue('spring', 'p' || n, account, 'inmail', sendgate.clock() - (works + 2 - n) * interval '1 second');
    END LOOP;
    PERFORM sendgate.enqueue('autumn', 'p3', account, 'inmail', sendgate.clock() - interval '1 hour');
    PERFORM FROM sendgate.dispatch(works, 'inmail', account);
    PERFORM FROM sendgate.reserve(account, 'invite', 'plain', 'spring', contract.op(1));
    PERFORM FROM sendgate.reserve(account, 'inmail', 'plain', 'spring', contract.op(2));
END
$$;

-- The answers come in the order of the arrays, whatever that is.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('batches/' || n, 'sales_navigator') FROM unnest(ARRAY['a', 'b']) AS n;
SELECT a.account, n, r.proceed
FROM (VALUES ('batches/a'), ('batches/b')) AS a (account)
CROSS JOIN generate_series(1, 6) AS n
CROSS JOIN LATERAL sendgate.reserve(a.account, 'inmail', 'p' || n, 'spring', contract.op(n)) AS r;
SELECT sendgate.confirm_many(
    ARRAY['batches/b', 'batches/a', 'batches/b'],
    ARRAY[contract.op(2), contract.op(1), contract.op(1)],
    ARRAY['chat-b2', 'chat-a1', 'chat-b1']
) AS events \gset
SELECT e.n, l.account_id, l.operation_id, l.chat_id, l.prospect_id, l.campaign_id, l.event_type, l.counted_on
FROM unnest(:'events'::uuid[]) WITH ORDINALITY AS e (id, n)
JOIN sendgate.linkedin_events AS l ON l.id = e.id
ORDER BY e.n;
SELECT sendgate.rollback_many(
    ARRAY['batches/b', 'batches/a', 'batches/a'],
    ARRAY[contract.op(3), contract.op(4), contract.op(3)],
    ARRAY['Recipient blocked', NULL, 'Gateway Timeout'],
    NULL,
    ARRAY[422, NULL, 504]
);
SELECT account_id, operation_id, state, outcome, error FROM sendgate.send_operations WHERE account_id IN ('batches/a', 'batches/b') ORDER BY account_id, operation_id;
SELECT id, inmails_sent_today FROM sendgate.linkedin_accounts WHERE id IN ('batches/a', 'batches/b') ORDER BY id;

-- The same batch again is a no-op with the same answers. A give-back that proves nothing warns, as
-- rollback does.
SELECT contract.books() AS before \gset
SELECT sendgate.rollback_many(ARRAY['batches/b', 'batches/a', 'batches/a'], ARRAY[contract.op(3), contract.op(4), contract.op(3)]);
SELECT sendgate.confirm_many(
    ARRAY['batches/b', 'batches/a', 'batches/b'],
    ARRAY[contract.op(2), contract.op(1), contract.op(1)],
    ARRAY['chat-b2', 'chat-a1', 'chat-b1']
) = :'events'::uuid[] AS same_events;
SELECT contract.books() = :'before' AS nothing_changed;

-- Without proof an InMail is not proven: no event, and a warning for each. The others are.
SELECT e.n, e.id IS NOT NULL AS proven
FROM unnest(sendgate.confirm_many(ARRAY['batches/a', 'batches/a', 'batches/a'], ARRAY[contract.op(5), contract.op(4), contract.op(6)], ARRAY[' ', 'chat-4', NULL])) WITH ORDINALITY AS e (id, n);
SELECT operation_id, state, outcome FROM sendgate.send_operations WHERE account_id = 'batches/a' AND operation_id IN (contract.op(4), contract.op(5), contract.op(6)) ORDER BY operation_id;

-- Arrays that are not given as a whole are all NULL: invites need no chat id, and no error means that
-- nothing was sent. Empty arrays are no answers.
SELECT n, r.proceed FROM generate_series(11, 14) AS n CROSS JOIN LATERAL sendgate.reserve('batches/a', 'invite', 'p' || n, 'spring', contract.op(n)) AS r;
SELECT array_length(sendgate.confirm_many(ARRAY['batches/a', 'batches/a'], ARRAY[contract.op(11), contract.op(12)]), 1) AS answers;
SELECT sendgate.rollback_many(ARRAY['batches/a', 'batches/a'], ARRAY[contract.op(13), contract.op(14)]);
SELECT sendgate.confirm_many('{}', '{}') AS confirmed, sendgate.rollback_many('{}', '{}') AS rolled_back;

-- The same operation twice in one call: as if called twice.
SELECT n, r.proceed FROM generate_series(15, 17) AS n CROSS JOIN LATERAL sendgate.reserve('batches/a', 'message', 'p' || n, 'spring', contract.op(n)) AS r;
SELECT e.e[1] = e.e[2] AS same_event FROM sendgate.confirm_many(ARRAY['batches/a', 'batches/a'], ARRAY[contract.op(15), contract.op(15)]) AS e (e);
SELECT sendgate.rollback_many(ARRAY['batches/a', 'batches/a'], ARRAY[contract.op(16), contract.op(16)], ARRAY['Recipient blocked', 'Service Unavailable']);
SELECT sendgate.rollback_many(ARRAY['batches/a', 'batches/a'], ARRAY[contract.op(17), contract.op(17)], ARRAY['Gateway Timeout', 'Recipient blocked'], NULL, ARRAY[504, 422]);
SELECT operation_id, state, outcome, error FROM sendgate.send_operations WHERE account_id = 'batches/a' AND operation_id IN (contract.op(15), contract.op(16), contract.op(17)) ORDER BY operation_id;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'batches/a' AND action = 'message';

-- A whole batch and one by one: twins. First what failed, of every kind.
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT contract.account_61('batches/twin_1', 9), contract.account_61('batches/twin_2', 9);
SELECT relation, count(*) AS lines FROM contract.told_61('batches/twin_1') GROUP BY relation ORDER BY relation;
SELECT * FROM contract.differs_61('batches/twin_1', 'batches/twin_2');
SET sendgate.now = '2026-05-20 13:05:00+00';
CREATE TABLE contract.failures_61 (n integer, prospect text, operation uuid, message text, type text, status integer, wait interval);
INSERT INTO contract.failures_61
VALUES
    (1, 'p1', NULL, NULL, NULL, NULL, NULL),
    (2, 'p2', NULL, 'Recipient blocked', NULL, 422, NULL),
    (3, 'p3', NULL, 'Service Unavailable', NULL, 503, NULL),
    (4, 'p4', NULL, 'Gateway Timeout', NULL, 504, NULL),
    (5, 'p5', NULL, 'Too many requests', NULL, 429, '3 hours'),
    (6, 'p6', NULL, 'Not enough credits', 'errors/insufficient_credits', 422, NULL),
    (7, NULL, contract.op(2), 'Not enough credits', NULL, 422, NULL),
    (8, 'p7', NULL, NULL, 'errors/too_many_requests', 429, NULL),
    (9, NULL, contract.op(1), 'Recipient blocked', NULL, NULL, NULL),
    (10, 'p8', NULL, NULL, 'errors/account_restricted', 403, NULL),
    (11, 'p9', NULL, NULL, NULL, 401, NULL),
    (12, 'p4', NULL, 'Recipient blocked', NULL, 422, NULL),
    (13, 'p1', NULL, 'Service Unavailable', NULL, 503, NULL);
CREATE FUNCTION contract.operation_61(account text, f contract.failures_61) RETURNS uuid
LANGUAGE sql RETURN coalesce(f.operation, contract.handed(account, f.prospect));
DO $$
DECLARE
    f contract.failures_61;
BEGIN
    FOR f IN SELECT * FROM contract.failures_61 ORDER BY n LOOP
        PERFORM sendgate.rollback('batches/twin_1', contract.operation_61('batches/twin_1', f), f.message, f.type, f.status, f.wait);
    END LOOP;
END
$$;
SELECT sendgate.rollback_many(
    array_agg('batches/twin_2'::text ORDER BY n), array_agg(contract.operation_61('batches/twin_2', f) ORDER BY n),
    array_agg(f.message ORDER BY n), array_agg(f.type ORDER BY n), array_agg(f.status ORDER BY n), array_agg(f.wait ORDER BY n)
)
FROM contract.failures_61 AS f;
SELECT * FROM contract.differs_61('batches/twin_1', 'batches/twin_2') ORDER BY relation, line;
SELECT prospect_id, campaign_id, state, due_at, reason, error FROM contract.work WHERE account_id = 'batches/twin_2' ORDER BY prospect_id, campaign_id;

-- Then deliveries: some without proof, some of operations that were released.
SET sendgate.now = '2026-05-20 14:00:00+00';
SELECT contract.account_61('batches/twin_3', 5), contract.account_61('batches/twin_4', 5);
SELECT sendgate.rollback(a.account, contract.handed(a.account, 'p2'), 'Service Unavailable', http_status => 503) FROM (VALUES ('batches/twin_3'), ('batches/twin_4')) AS a (account);
SELECT sendgate.rollback(a.account, contract.handed(a.account, 'p4'), 'Gateway Timeout', http_status => 504) FROM (VALUES ('batches/twin_3'), ('batches/twin_4')) AS a (account);
SET sendgate.now = '2026-05-20 14:05:00+00';
SET client_min_messages = 'error';
DO $$
DECLARE
    account text := 'batches/twin_3';
BEGIN
    PERFORM sendgate.confirm(account, contract.handed(account, 'p1'), 'chat-1');
    PERFORM sendgate.confirm(account, contract.handed(account, 'p2'), 'chat-2');
    PERFORM sendgate.confirm(account, contract.handed(account, 'p3'), 'chat-3');
    PERFORM sendgate.confirm(account, contract.handed(account, 'p4'), 'chat-4');
    PERFORM sendgate.confirm(account, contract.handed(account, 'p5'), NULL);
    PERFORM sendgate.confirm(account, contract.op(1), NULL);
    PERFORM sendgate.confirm(account, contract.op(2), 'chat-plain');
END
$$;
SELECT array_length(sendgate.confirm_many(
    array_fill('batches/twin_4'::text, ARRAY[7]),
    ARRAY[
        contract.handed('batches/twin_4', 'p1'), contract.handed('batches/twin_4', 'p2'), contract.handed('batches/twin_4', 'p3'), contract.handed('batches/twin_4', 'p4'),
        contract.handed('batches/twin_4', 'p5'), contract.op(1), contract.op(2)
    ],
    ARRAY['chat-1', 'chat-2', 'chat-3', 'chat-4', NULL, NULL, 'chat-plain']
), 1) AS answers;
RESET client_min_messages;
SELECT * FROM contract.differs_61('batches/twin_3', 'batches/twin_4') ORDER BY relation, line;
SELECT prospect_id, campaign_id, state, due_at, reason, error FROM contract.work WHERE account_id = 'batches/twin_4' ORDER BY prospect_id, campaign_id;

-- A probe among the answers: refused, so that the permit is back, and then delivered, so that the
-- breaker clears.
SET sendgate.now = '2026-05-20 15:00:00+00';
SELECT contract.account_61('batches/twin_5', 3), contract.account_61('batches/twin_6', 3);
SELECT a.account, sendgate.breaker_arm(a.account, 'test'), sendgate.breaker_probe(a.account, 'test') FROM (VALUES ('batches/twin_5'), ('batches/twin_6')) AS a (account);
SELECT a.account, d.prospect_id FROM (VALUES ('batches/twin_5'), ('batches/twin_6')) AS a (account) CROSS JOIN LATERAL sendgate.dispatch(10, NULL, a.account) AS d;
SET sendgate.now = '2026-05-20 15:01:00+00';
SELECT sendgate.rollback('batches/twin_5', contract.handed('batches/twin_5', 'p4'), 'Recipient blocked'), sendgate.rollback('batches/twin_5', contract.handed('batches/twin_5', 'p1'));
SELECT sendgate.rollback_many(ARRAY['batches/twin_6', 'batches/twin_6'], ARRAY[contract.handed('batches/twin_6', 'p4'), contract.handed('batches/twin_6', 'p1')], ARRAY['Recipient blocked', NULL]);
SELECT * FROM contract.differs_61('batches/twin_5', 'batches/twin_6') ORDER BY relation, line;
SELECT a.account, d.prospect_id FROM (VALUES ('batches/twin_5'), ('batches/twin_6')) AS a (account) CROSS JOIN LATERAL sendgate.dispatch(10, NULL, a.account) AS d;
SELECT sendgate.confirm('batches/twin_5', contract.handed('batches/twin_5', 'p2'), 'chat-2') IS NOT NULL AND sendgate.confirm('batches/twin_5', contract.handed('batches/twin_5', 'p5'), 'chat-5') IS NOT NULL AS confirmed;
SELECT array_length(sendgate.confirm_many(ARRAY['batches/twin_6', 'batches/twin_6'], ARRAY[contract.handed('batches/twin_6', 'p2'), contract.handed('batches/twin_6', 'p5')], ARRAY['chat-2', 'chat-5']), 1) AS answers;
SELECT * FROM contract.differs_61('batches/twin_5', 'batches/twin_6') ORDER BY relation, line;
SELECT account_id, state FROM sendgate.breakers WHERE account_id IN ('batches/twin_5', 'batches/twin_6') ORDER BY account_id;

-- One bad element names its place, counted from 1, and nothing is changed.
SET sendgate.now = '2026-05-20 16:00:00+00';
SELECT n, r.proceed FROM generate_series(21, 23) AS n CROSS JOIN LATERAL sendgate.reserve('batches/b', 'invite', 'p' || n, 'spring', contract.op(n)) AS r;
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$confirm_many(NULL, ARRAY[contract.op(21)])$$),
        (2, $$confirm_many(ARRAY['batches/b'], NULL)$$),
        (3, $$rollback_many(NULL, NULL)$$),
        (10, $$confirm_many(ARRAY['batches/b'], '{}')$$),
        (11, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(22)], ARRAY['chat-21'])$$),
        (12, $$rollback_many(ARRAY['batches/b'], ARRAY[contract.op(21), contract.op(22)])$$),
        (13, $$rollback_many(ARRAY['batches/b'], ARRAY[contract.op(21)], '{}')$$),
        (14, $$rollback_many(ARRAY['batches/b'], ARRAY[contract.op(21)], NULL, ARRAY['a', 'b'])$$),
        (15, $$rollback_many(ARRAY['batches/b'], ARRAY[contract.op(21)], NULL, NULL, '{}')$$),
        (16, $$rollback_many(ARRAY['batches/b'], ARRAY[contract.op(21)], NULL, NULL, NULL, '{}')$$),
        (17, $$rollback_many(array_fill('batches/b'::text, ARRAY[10001]), array_fill(contract.op(21), ARRAY[10001]))$$),
        (20, $$confirm_many(ARRAY['batches/b', NULL], ARRAY[contract.op(21), contract.op(22)])$$),
        (21, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), NULL])$$),
        (22, $$confirm_many(ARRAY['batches/b', 'batches/nobody'], ARRAY[contract.op(21), contract.op(22)])$$),
        (23, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(99)])$$),
        (24, $$confirm_many(ARRAY['batches/b', ' '], ARRAY[contract.op(21), contract.op(22)])$$),
        (25, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(22)], ARRAY['chat', repeat('x', 2001)])$$),
        (26, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(1)], ARRAY['chat', 'another'])$$),
        (27, $$confirm_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(21)], ARRAY['chat', 'another'])$$),
        (30, $$rollback_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(1)])$$),
        (31, $$rollback_many(ARRAY['batches/b', 'batches/b'], ARRAY[contract.op(21), contract.op(99)])$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
DROP FUNCTION contract.operation_61(text, contract.failures_61);
DROP TABLE contract.failures_61;

-- One operation twice in a call: what the first answer noted stays, as one by one.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('batch/twice', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('batch/twice', 'inmail', 'p', NULL, contract.op(61));
SELECT e IS NULL AS unproven FROM unnest(sendgate.confirm_many(ARRAY['batch/twice', 'batch/twice'], ARRAY[contract.op(61), contract.op(61)], ARRAY[NULL, 'chat'])) e;
SELECT state, error FROM sendgate.send_operations WHERE account_id = 'batch/twice';

-- Two operations of one enrollment: that it was delivered is what counts, in either order.
SELECT sendgate.upsert_account('batch/two', 'sales_navigator');
SELECT sendgate.enqueue('two', prospect, 'batch/two', 'inmail') FROM (VALUES ('p'), ('q')) p (prospect);
SELECT sendgate.rollback(account_id, operation_id, NULL, NULL, 503) FROM sendgate.dispatch(2, NULL, 'batch/two') ORDER BY prospect_id;
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT attempt FROM sendgate.dispatch(2, NULL, 'batch/two');
SET client_min_messages = 'error';
WITH op AS (
    SELECT prospect_id, array_agg(operation_id ORDER BY state) AS ids FROM sendgate.send_operations WHERE account_id = 'batch/two' GROUP BY prospect_id
)
SELECT prospect_id, cardinality(sendgate.confirm_many(
    ARRAY['batch/two', 'batch/two'],
    CASE prospect_id WHEN 'p' THEN ids ELSE ARRAY[ids[2], ids[1]] END,
    CASE prospect_id WHEN 'p' THEN ARRAY['chat', NULL] ELSE ARRAY[NULL, 'chat'] END
)) FROM op ORDER BY prospect_id;
RESET client_min_messages;
SELECT prospect_id, state, reason FROM sendgate.enrollments WHERE campaign_id = 'two' ORDER BY prospect_id;

-- A wait that makes no sense is the warning SG220 in a batch too: what the provider said is not lost over it.
SELECT sendgate.upsert_account('batch/' || a, 'sales_navigator') FROM unnest(ARRAY['wait_a', 'wait_b']) a;
SELECT proceed FROM sendgate.reserve('batch/wait_a', 'invite', 'p', NULL, contract.op(62));
SELECT proceed FROM sendgate.reserve('batch/wait_b', 'invite', 'p', NULL, contract.op(62));
\set VERBOSITY sqlstate
SELECT sendgate.rollback_many(
    ARRAY['batch/wait_a', 'batch/wait_b'], array_fill(contract.op(62), '{2}'), NULL, NULL, ARRAY[429, 429],
    ARRAY['-1 second', '2 hours']::interval[]
);
\set VERBOSITY default
SELECT account_id, until - sendgate.clock() AS lasts FROM sendgate.cooldowns WHERE account_id LIKE 'batch/wait%' ORDER BY account_id;
