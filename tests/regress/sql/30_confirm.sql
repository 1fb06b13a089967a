-- confirm proves a delivery and writes its event.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('confirm/a', 'sales_navigator');
SELECT n, r.proceed
FROM generate_series(1, 6) AS n
CROSS JOIN LATERAL sendgate.reserve('confirm/a', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;

-- The event carries the proof and is of the operation's account, prospect, campaign and day.
SET sendgate.now = '2026-05-24 12:01:00+00';
SELECT sendgate.confirm('confirm/a', contract.op(1), 'chat-1') AS event \gset
SELECT id = :'event' AS this_event, operation_id, event_type, prospect_id, campaign_id, chat_id, occurred_at, recorded_at, counted_on
FROM sendgate.linkedin_events
WHERE account_id = 'confirm/a';
SELECT state, settled_at, outcome FROM sendgate.send_operations WHERE account_id = 'confirm/a' AND operation_id = contract.op(1);

-- It takes no slot: the slot was taken by reserve.
SELECT sent_today FROM sendgate.counters WHERE account_id = 'confirm/a' AND action = 'inmail';

-- The same call again is a no-op that returns the same event, also without the chat id.
SELECT contract.books() AS before \gset
SELECT sendgate.confirm('confirm/a', contract.op(1), 'chat-1') = :'event' AS same_event;
SELECT sendgate.confirm('confirm/a', contract.op(1)) = :'event' AS same_event;
SELECT contract.books() = :'before' AS nothing_changed;

-- A second, different chat id is an error: one operation is one send.
SELECT e.* FROM contract.error($$SELECT sendgate.confirm('confirm/a', contract.op(1), 'chat-other')$$) AS e;

-- delivered_at is when the provider delivered; the event still counts on the operation's day. A
-- provider's clock may run ahead a little, but not far.
SELECT sendgate.confirm('confirm/a', contract.op(2), 'chat-2', '2026-05-24 12:00:30+00') IS NOT NULL AS confirmed;
SET sendgate.now = '2026-05-25 00:01:00+00';
SELECT sendgate.confirm('confirm/a', contract.op(3), 'chat-3', '2026-05-25 00:00:30+00') IS NOT NULL AS confirmed;
SELECT operation_id, occurred_at, recorded_at, counted_on
FROM sendgate.linkedin_events
WHERE account_id = 'confirm/a'
ORDER BY operation_id;

-- A provider may answer 201 with a null chat id. An InMail without proof is not believed: it becomes
-- indeterminate, keeps its slot, has no event, and the caller is warned. Blank is the same as null.
SELECT sendgate.confirm('confirm/a', contract.op(4));
SELECT sendgate.confirm('confirm/a', contract.op(5), E' \t ');
SELECT operation_id, state, expired FROM sendgate.operations_unresolved WHERE account_id = 'confirm/a' ORDER BY operation_id;
SELECT count(*) AS events FROM sendgate.linkedin_events WHERE account_id = 'confirm/a' AND operation_id IN (contract.op(4), contract.op(5));

-- Once the chat id is known, the same operation can still be confirmed.
SELECT sendgate.confirm('confirm/a', contract.op(4), 'chat-4') IS NOT NULL AS confirmed;
SELECT state, outcome FROM sendgate.send_operations WHERE account_id = 'confirm/a' AND operation_id = contract.op(4);

-- Other actions need no proof, but keep one.
SET sendgate.now = '2026-05-25 12:00:00+00';
SELECT a.action, r.proceed
FROM unnest(ARRAY['invite', 'message', 'profile_view', 'engagement']) WITH ORDINALITY AS a (action, n)
CROSS JOIN LATERAL sendgate.reserve('confirm/a', a.action, 'p1', NULL, contract.op(10 + a.n::integer)) AS r
ORDER BY a.n;
SELECT sendgate.confirm('confirm/a', contract.op(11)) IS NOT NULL AS confirmed;
SELECT sendgate.confirm('confirm/a', contract.op(12), 'chat-12') IS NOT NULL AS confirmed;
SELECT sendgate.confirm('confirm/a', contract.op(13), ' ') IS NOT NULL AS confirmed;
SELECT sendgate.confirm('confirm/a', contract.op(14), delivered_at => '2026-05-25 11:59:00+00') IS NOT NULL AS confirmed;
SELECT operation_id, event_type, chat_id, occurred_at
FROM sendgate.linkedin_events
WHERE account_id = 'confirm/a' AND operation_id >= contract.op(11)
ORDER BY operation_id;

-- A paused account's delivery is a delivery all the same.
SELECT proceed FROM sendgate.reserve('confirm/a', 'invite', 'p20', NULL, contract.op(20));
SELECT sendgate.set_status('confirm/a', 'paused', 'test');
SELECT sendgate.confirm('confirm/a', contract.op(20)) IS NOT NULL AS confirmed;

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$confirm(NULL, contract.op(6), 'chat')$$),
        (2, $$confirm('confirm/a', NULL, 'chat')$$),
        (3, $$confirm('confirm/nobody', contract.op(6), 'chat')$$),
        (4, $$confirm('confirm/a', contract.op(99), 'chat')$$),
        (5, $$confirm('confirm/a', contract.op(6), repeat('x', 2001))$$),
        (6, $$confirm('confirm/a', contract.op(6), 'chat', 'infinity')$$),
        (7, $$confirm('confirm/a', contract.op(6), 'chat', '2026-05-25 13:00:00+00')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
