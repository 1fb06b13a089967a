-- enqueue_many puts in a list of work in one call, and says for each element what became of it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('many/' || n, 'sales_navigator') FROM unnest(ARRAY['a', 'b', 'large']) AS n;

-- The four arrays that each call needs; the rest has the defaults of enqueue.
SELECT * FROM sendgate.enqueue_many(ARRAY['spring', 'spring'], ARRAY['p1', 'p2'], ARRAY['many/a', 'many/b'], ARRAY['invite', 'message']);
SELECT account_id, prospect_id, campaign_id, action, step, priority, payload, state, next_dispatch_at, is_connection, attempts, enqueued_at, changed_at
FROM sendgate.enrollments
WHERE account_id LIKE 'many/%'
ORDER BY 1, 2;
SELECT * FROM contract.tickets WHERE account_id LIKE 'many/%' ORDER BY 1;

-- All arrays, by name; an element that has a default in enqueue for its value may be NULL where enqueue allows NULL.
SELECT * FROM sendgate.enqueue_many(
    campaign_ids => ARRAY['spring', 'spring', 'autumn'], prospect_ids => ARRAY['p3', 'p3', 'p3'],
    account_ids => ARRAY['many/a', 'many/a', 'many/a'], actions => ARRAY['message', 'message', 'message'],
    dispatch_ats => ARRAY['2026-05-25 12:00+00', NULL, '2026-05-24 15:00+00']::timestamptz[], are_connections => ARRAY[true, false, false],
    steps => ARRAY[1, 2, 1], payloads => ARRAY['{"a": [1, 2.50, "é"]}', NULL, 'null']::jsonb[], priorities => ARRAY[0, 7, -100]
);
SELECT campaign_id, step, priority, payload, next_dispatch_at, is_connection FROM sendgate.enrollments WHERE prospect_id = 'p3' AND account_id = 'many/a' ORDER BY 1, 2;
SELECT * FROM contract.tickets WHERE account_id = 'many/a' AND action = 'message';
SELECT campaign_id, step, payload FROM sendgate.dispatch(10, 'message', 'many/a');

-- What is there already, or twice in the list, exists. Only a connection flag may become true.
SELECT * FROM sendgate.enqueue_many(
    ARRAY['spring', 'spring', 'spring', 'spring'], ARRAY['p1', 'p4', 'p4', 'p1'], ARRAY['many/a', 'many/a', 'many/a', 'many/a'],
    ARRAY['invite', 'invite', 'invite', 'inmail'], are_connections => ARRAY[true, false, true, false], priorities => ARRAY[9, 1, 2, 3]
);
SELECT prospect_id, action, is_connection, priority FROM sendgate.enrollments WHERE account_id = 'many/a' AND campaign_id = 'spring' AND prospect_id IN ('p1', 'p4') ORDER BY 1, 2;
SELECT contract.books() AS before \gset
SELECT * FROM sendgate.enqueue_many(ARRAY['spring', 'spring'], ARRAY['p4', 'p1'], ARRAY['many/a', 'many/a'], ARRAY['invite', 'invite'], are_connections => ARRAY[true, false]);
SELECT contract.books() = :'before' AS nothing_changed;

-- A bad element stops none of the others, and says what enqueue would have raised.
SELECT * FROM sendgate.enqueue_many(
    ARRAY['bad', NULL, 'bad', 'bad', ' ', repeat('x', 129), 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad'],
    ARRAY['p1', 'p2', NULL, '', 'p5', 'p6', 'p7', 'p8', 'p9', 'p10', 'p11', 'p12', 'p13', 'p14', 'p15', 'p16', 'p17', 'p18'],
    ARRAY['many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', NULL, 'many/nobody', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/a', 'many/b'],
    ARRAY['engagement', 'invite', 'invite', 'invite', 'invite', 'invite', 'invite', 'invite', NULL, 'email', 'invite', 'invite', 'invite', 'invite', 'invite', 'invite', 'invite', 'engagement'],
    ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL]::timestamptz[],
    ARRAY[false, false, false, false, false, false, false, false, false, false, false, NULL, false, false, false, false, false, false],
    ARRAY[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, NULL, 1, 1, 1, 1000],
    ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, to_jsonb(repeat('x', 8191)), NULL, NULL, to_jsonb(repeat('x', 8190))],
    ARRAY[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 101, NULL, 100]
);
SELECT account_id, prospect_id, step, priority, length(payload::text) FROM sendgate.enrollments WHERE campaign_id = 'bad' ORDER BY 1;

-- Nothing at all is nothing.
SELECT contract.books() AS before \gset
SELECT * FROM sendgate.enqueue_many('{}', '{}', '{}', '{}');
SELECT * FROM sendgate.enqueue_many(ARRAY['spring'], ARRAY['p1'], ARRAY['many/nobody'], ARRAY['invite']);

-- Arrays that do not fit, or are too long, put in nothing.
SELECT e.code, e.message, e.detail
FROM (
    VALUES
        (1, $$enqueue_many(NULL, ARRAY['p'], ARRAY['many/a'], ARRAY['invite'])$$),
        (2, $$enqueue_many(ARRAY['k'], NULL, ARRAY['many/a'], ARRAY['invite'])$$),
        (3, $$enqueue_many(ARRAY['k'], ARRAY['p'], NULL, ARRAY['invite'])$$),
        (4, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], NULL)$$),
        (5, $$enqueue_many(ARRAY['k'], ARRAY['p', 'q'], ARRAY['many/a'], ARRAY['invite'])$$),
        (6, $$enqueue_many(ARRAY['k', 'k'], ARRAY['p', 'q'], ARRAY['many/a'], ARRAY['invite', 'invite'])$$),
        (7, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], '{}')$$),
        (8, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], ARRAY['invite'], '{}')$$),
        (9, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], ARRAY['invite'], are_connections => ARRAY[true, true])$$),
        (10, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], ARRAY['invite'], steps => ARRAY[1, 2])$$),
        (11, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], ARRAY['invite'], payloads => ARRAY['1', '2']::jsonb[])$$),
        (12, $$enqueue_many(ARRAY['k'], ARRAY['p'], ARRAY['many/a'], ARRAY['invite'], priorities => '{}')$$),
        (13, $$enqueue_many(array_fill('k'::text, '{10001}'), array_fill('p'::text, '{10001}'), array_fill('many/a'::text, '{10001}'), array_fill('invite'::text, '{10001}'))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- The longest list costs one ticket an account and action.
SELECT result, count(*), min(element), max(element)
FROM sendgate.enqueue_many(
    array_fill('large'::text, '{10000}'), (SELECT array_agg('p' || n % 9000 ORDER BY n) FROM generate_series(1, 10000) n),
    array_fill('many/large'::text, '{10000}'), array_fill('invite'::text, '{10000}')
)
GROUP BY result
ORDER BY result;
SELECT count(*) FROM contract.tickets WHERE account_id = 'many/large';
SELECT count(*) FROM contract.work WHERE account_id = 'many/large';
SELECT count(*) FROM sendgate.dispatch(1000, 'invite', 'many/large');

-- Who opted out for good gets nothing; who did until an instant waits for it.
SELECT sendgate.suppress_prospect('many/out', 'asked us');
SELECT sendgate.suppress_prospect('many/later', 'on leave', until => '2026-06-24 12:00+00');
SELECT * FROM sendgate.enqueue_many(
    array_fill('out'::text, '{4}'), ARRAY['many/out', 'many/later', 'many/in', 'many/out'], ARRAY['many/a', 'many/a', 'many/a', 'many/nobody'],
    array_fill('message'::text, '{4}')
);
SELECT prospect_id FROM sendgate.enrollments WHERE campaign_id = 'out' ORDER BY 1;
SELECT sendgate.unsuppress_prospect(prospect, 'end of the test') FROM unnest(ARRAY['many/out', 'many/later']) AS prospect;

-- What a transaction takes back was never there.
BEGIN;
SELECT * FROM sendgate.enqueue_many(ARRAY['spring'], ARRAY['rolled back'], ARRAY['many/a'], ARRAY['engagement'], are_connections => ARRAY[true]);
ROLLBACK;
SELECT count(*) FROM contract.work WHERE prospect_id = 'rolled back';
