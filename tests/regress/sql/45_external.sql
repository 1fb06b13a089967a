-- Sends that did not pass the gate: made by hand, told by a provider's webhook, or written into the
-- event log by an application itself.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('ext/a', 'sales_navigator');
SELECT sendgate.set_cap('ext/a', 'inmail', 1);

-- It is journalled as external and delivered, and counts: also above the cap.
SELECT sendgate.record_external_send('ext/a', 'inmail', 'p1', 'chat-1', '2026-05-20 11:00:00+00') AS event \gset
SELECT sendgate.record_external_send('ext/a', 'inmail', 'p2', 'chat-2', '2026-05-20 11:30:00+00') IS NOT NULL AS recorded;
SELECT prospect_id, origin, state, reserved_at, counted_on, settled_at FROM sendgate.send_operations
WHERE account_id = 'ext/a' ORDER BY prospect_id;
SELECT id = :'event' AS same, event_type, prospect_id, chat_id, occurred_at, recorded_at, counted_on
FROM sendgate.linkedin_events WHERE account_id = 'ext/a' ORDER BY prospect_id;
SELECT sent_today, daily_cap, sent_this_week FROM sendgate.counters WHERE account_id = 'ext/a' AND action = 'inmail';
SELECT proceed, reason, sent_today, daily_cap, remaining FROM sendgate.preview('ext/a', 'inmail');

-- Once: the same send again returns the same event and changes nothing. An InMail is known by its chat,
-- whatever instant is told; another chat or prospect is another send.
SELECT contract.books() AS before \gset
SELECT sendgate.record_external_send('ext/a', 'inmail', 'p1', 'chat-1', '2026-05-20 11:00:00+00') = :'event' AS same_event;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT sendgate.record_external_send('ext/a', 'inmail', 'p1', 'chat-1', '2026-05-20 11:00:01+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('ext/a', 'inmail', 'p1', 'chat-3', '2026-05-20 11:00:00+00') <> :'event' AS another;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ext/a' AND action = 'inmail';

-- On the day and in the week in which it occurred.
SELECT sendgate.record_external_send('ext/a', 'invite', 'p1', NULL, '2026-05-19 23:59:59.999999+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/a', 'invite', 'p2', ' ', '2026-05-20 00:00:00+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/a', 'invite', 'p3', NULL, '2026-05-17 12:00:00+00') IS NOT NULL AS recorded;
SELECT prospect_id, counted_on, chat_id FROM sendgate.linkedin_events
WHERE account_id = 'ext/a' AND event_type = 'invite_sent' ORDER BY prospect_id;
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'ext/a' AND action = 'invite';

-- Pacing and the prospect's cooldown know it.
SELECT sendgate.set_tier_cap('free', 'message', 10, minimum_gap => '2 hours');
SELECT sendgate.upsert_account('ext/paced', 'free');
SELECT sendgate.record_external_send('ext/paced', 'message', 'p1', NULL, '2026-05-20 11:00:00+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/paced', 'message', 'p1', NULL, '2026-05-20 09:00:00+00') IS NOT NULL AS recorded;
SELECT proceed, reason, retry_at FROM sendgate.reserve('ext/paced', 'message', 'p2');
SELECT proceed, reason, retry_at FROM sendgate.reserve('ext/paced', 'message', 'p1');
SELECT sendgate.drop_tier_cap('free', 'message');

-- The echo of an operation whose outcome is open confirms that operation: in flight, expired or
-- unknown; up to 5 minutes before it was reserved, because clocks differ.
SELECT sendgate.upsert_account('ext/echo', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('ext/echo', 'inmail', 'p1', 'c1', contract.op(1));
SELECT proceed FROM sendgate.reserve('ext/echo', 'inmail', 'p2', 'c1', contract.op(2));
SELECT proceed FROM sendgate.reserve('ext/echo', 'inmail', 'p3', 'c1', contract.op(3));
SELECT proceed FROM sendgate.reserve('ext/echo', 'inmail', 'p4', 'c1', contract.op(4));
SELECT sendgate.rollback('ext/echo', contract.op(2), 'gateway fell over');
SET sendgate.now = '2026-05-20 12:01:00+00';
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p1', 'chat-1', '2026-05-20 11:55:00+00') AS event \gset
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p2', 'chat-2', '2026-05-20 12:00:30+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p4', 'chat-4', '2026-05-20 11:54:59+00') IS NOT NULL AS recorded;
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p3', 'chat-3', '2026-05-20 12:00:30+00') IS NOT NULL AS recorded;
SELECT o.prospect_id, o.origin, o.state, o.outcome, o.operation_id = contract.op(substr(o.prospect_id, 2)::int) AS the_gates, e.campaign_id, e.occurred_at
FROM sendgate.send_operations o
LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id)
WHERE o.account_id = 'ext/echo' ORDER BY o.prospect_id, o.origin;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ext/echo' AND action = 'inmail';

-- A webhook that comes after the confirm says nothing new, and neither does its repetition, whatever the
-- instant. Another chat is a send of its own.
SELECT contract.books() AS before \gset
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p1', 'chat-1', '2026-05-20 11:55:00+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p1', 'chat-1', '2026-05-20 12:06:00+00') = :'event' AS same_event;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p1', 'chat-1', '2026-05-20 12:06:00.000001+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p1', 'chat-9', '2026-05-20 12:00:30+00') <> :'event' AS another;
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ext/echo' AND action = 'inmail';

-- The same for actions without chat id.
SELECT proceed FROM sendgate.reserve('ext/echo', 'invite', 'p1', 'c1', contract.op(11));
SELECT sendgate.confirm('ext/echo', contract.op(11)) AS event \gset
SELECT sendgate.record_external_send('ext/echo', 'invite', 'p1', NULL, '2026-05-20 13:00:00+00') = :'event' AS same_event;

-- The proof of an InMail that an operator settled as sent.
SELECT proceed FROM sendgate.reserve('ext/echo', 'inmail', 'p5', 'c1', contract.op(5));
SELECT sendgate.confirm('ext/echo', contract.op(5)) IS NULL AS unproven;
SELECT sendgate.resolve_operation('ext/echo', contract.op(5), true);
SELECT sendgate.record_external_send('ext/echo', 'inmail', 'p5', 'chat-5', '2026-05-20 13:00:00+00') IS NOT NULL AS recorded;
SELECT operation_id, chat_id FROM sendgate.linkedin_events WHERE account_id = 'ext/echo' AND prospect_id = 'p5';

-- A recent InMail proves that there are credits: the breaker clears at once, and says why.
SELECT sendgate.upsert_account('ext/breaker', 'sales_navigator');
SELECT sendgate.breaker_arm('ext/breaker', 'test');
SET sendgate.now = '2026-05-20 15:00:00+00';
SELECT sendgate.record_external_send('ext/breaker', 'inmail', 'p1', 'chat-1', '2026-05-20 13:00:00+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/breaker', 'inmail', 'p1', 'chat-1', '2026-05-20 13:59:59+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('ext/breaker', 'message', 'p1', 'chat-1', '2026-05-20 15:00:00+00') IS NOT NULL AS recorded;
SELECT state FROM sendgate.breakers WHERE account_id = 'ext/breaker';
SELECT sendgate.record_external_send('ext/breaker', 'inmail', 'p2', 'chat-2', '2026-05-20 14:00:00+00') IS NOT NULL AS recorded;
SELECT state FROM sendgate.breakers WHERE account_id = 'ext/breaker';
SELECT action, reason, prospect_id, exhausted_at FROM sendgate.breaker_log WHERE account_id = 'ext/breaker' ORDER BY at, action DESC;

-- What is wrong is said.
SELECT contract.books() AS before \gset
SELECT input.arguments, e.code, e.message
FROM (
    VALUES
        (1, $$NULL, 'inmail', 'p', 'chat', '2026-05-20'$$),
        (2, $$'ext/nobody', 'inmail', 'p', 'chat', '2026-05-20'$$),
        (3, $$'ext/a', 'email', 'p', 'chat', '2026-05-20'$$),
        (4, $$'ext/a', NULL, 'p', 'chat', '2026-05-20'$$),
        (5, $$'ext/a', 'inmail', ' ', 'chat', '2026-05-20'$$),
        (6, $$'ext/a', 'inmail', NULL, 'chat', '2026-05-20'$$),
        (7, $$'ext/a', 'inmail', 'p', NULL, '2026-05-20'$$),
        (8, $$'ext/a', 'inmail', 'p', E'\u200B', '2026-05-20'$$),
        (9, $$'ext/a', 'inmail', 'p', repeat('x', 2001), '2026-05-20'$$),
        (10, $$'ext/a', 'invite', 'p', repeat('x', 2001), '2026-05-20'$$),
        (11, $$'ext/a', 'inmail', 'p', 'chat', NULL$$),
        (12, $$'ext/a', 'inmail', 'p', 'chat', 'infinity'$$),
        (13, $$'ext/a', 'inmail', 'p', 'chat', '-infinity'$$),
        (14, $$'ext/a', 'inmail', 'p', 'chat', '2026-05-20 15:05:00.000001+00'$$)
) AS input (n, arguments)
CROSS JOIN LATERAL contract.error(format('SELECT sendgate.record_external_send(%s)', input.arguments)) AS e
ORDER BY input.n;
SELECT e.detail, e.hint FROM contract.error($$SELECT sendgate.record_external_send('ext/a', 'inmail', 'p', 'chat', '2026-05-21')$$) AS e;
SELECT contract.books() = :'before' AS nothing_changed;

-- An application that writes truth itself gets the same: what it leaves out is filled in, and the work
-- of the campaign that it names is done.
SELECT sendgate.upsert_account('ext/own', 'sales_navigator');
SELECT sendgate.enqueue('c1', 'p1', 'ext/own', 'inmail'), sendgate.enqueue('c2', 'p1', 'ext/own', 'inmail');
INSERT INTO sendgate.linkedin_events (account_id, prospect_id, event_type, chat_id, campaign_id, occurred_at)
VALUES ('ext/own', 'p1', 'inmail_sent', 'chat-1', 'c1', '2026-05-20 14:00:00+00'),
       ('ext/own', 'p2', 'invite_sent', NULL, NULL, '2026-05-20 14:30:00+00'),
       ('ext/own', 'p3', 'invite_sent', NULL, NULL, '2026-05-19 14:30:00+00')
RETURNING id IS NOT NULL AS has_id, operation_id IS NOT NULL AS has_operation, prospect_id, recorded_at, counted_on;
SELECT o.prospect_id, o.action, o.origin, o.state, o.campaign_id, o.counted_on, e.id IS NOT NULL AS has_event
FROM sendgate.send_operations o
LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id)
WHERE o.account_id = 'ext/own' ORDER BY o.prospect_id;
SELECT action, sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'ext/own' AND sent_this_week > 0 ORDER BY action;

SELECT campaign_id, state FROM sendgate.enrollments WHERE account_id = 'ext/own' ORDER BY campaign_id;

-- It is proof, and the delivery of an operation that is open.
SELECT proceed FROM sendgate.reserve('ext/own', 'inmail', 'p4', 'c4', contract.op(4));
SELECT sendgate.breaker_arm('ext/own', 'test');
SET sendgate.now = '2026-05-20 15:10:00+00';
INSERT INTO sendgate.linkedin_events (account_id, prospect_id, event_type, chat_id, occurred_at)
VALUES ('ext/own', 'p4', 'inmail_sent', 'chat-4', '2026-05-20 15:09:00+00')
RETURNING operation_id, campaign_id, recorded_at, counted_on;
SELECT state, settled_at FROM sendgate.send_operations WHERE account_id = 'ext/own' AND operation_id = contract.op(4);
SELECT state FROM sendgate.breakers WHERE account_id = 'ext/own';
INSERT INTO sendgate.linkedin_events (account_id, prospect_id, event_type, chat_id, occurred_at)
VALUES ('ext/own', 'p5', 'inmail_sent', 'chat-5', '2026-05-20 15:09:30+00');
SELECT state FROM sendgate.breakers WHERE account_id = 'ext/own';
SELECT sent_today FROM sendgate.counters WHERE account_id = 'ext/own' AND action = 'inmail';

-- A repetition is an error of its own, also under ON CONFLICT: the send is counted already.
SELECT contract.books() AS before \gset
SELECT input.n, e.code, e.message
FROM (
    VALUES
        (1, $$(NULL, 'ext/own', 'p1', 'inmail_sent', 'chat-1', '2026-05-20 14:00:00+00')$$),
        (2, $$(NULL, 'ext/own', 'p4', 'inmail_sent', 'chat-4', '2026-05-20 15:09:00+00')$$),
        (3, $$(NULL, 'ext/own', 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00'), (NULL, 'ext/own', 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00')$$),
        (4, $$((SELECT id FROM sendgate.linkedin_events WHERE account_id = 'ext/own' AND prospect_id = 'p1'), 'ext/own', 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00')$$),
        (5, $$(NULL, 'ext/own', 'p9', 'inmail_sent', NULL, '2026-05-20 15:00:00+00')$$),
        (6, $$(NULL, 'ext/own', NULL, 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00')$$),
        (7, $$(NULL, NULL, 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00')$$),
        (8, $$(NULL, 'ext/nobody', 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:00:00+00')$$),
        (9, $$(NULL, 'ext/own', 'p9', NULL, 'chat-9', '2026-05-20 15:00:00+00')$$),
        (10, $$(NULL, 'ext/own', 'p9', 'inmail_sent', 'chat-9', NULL)$$),
        (11, $$(NULL, 'ext/own', 'p9', 'inmail_sent', 'chat-9', 'infinity')$$),
        (12, $$(NULL, 'ext/own', 'p9', 'inmail_sent', 'chat-9', '2026-05-20 15:15:01+00')$$)
) AS input (n, row)
CROSS JOIN LATERAL contract.error(format(
    'INSERT INTO sendgate.linkedin_events (id, account_id, prospect_id, event_type, chat_id, occurred_at)
     SELECT v.id::uuid, v.account_id, v.prospect_id, v.event_type, v.chat_id, v.occurred_at::timestamptz
     FROM (VALUES %s) AS v (id, account_id, prospect_id, event_type, chat_id, occurred_at) ON CONFLICT DO NOTHING',
    input.row)) AS e
ORDER BY input.n;
SELECT e.detail <> '' AS has_detail, e.hint FROM contract.error(
    $$INSERT INTO sendgate.linkedin_events (account_id, prospect_id, event_type, chat_id, occurred_at)
      VALUES ('ext/own', 'p1', 'inmail_sent', 'chat-1', '2026-05-20 14:00:00+00')$$) AS e;
SELECT contract.books() = :'before' AS nothing_changed;

-- A row that names its operation passes as it is: so do sendgate's own rows, and those of a dump.
BEGIN;
INSERT INTO sendgate.linkedin_events (id, operation_id, account_id, prospect_id, event_type, chat_id, occurred_at, recorded_at, counted_on)
VALUES (contract.op(77), contract.op(78), 'ext/nobody', 'p1', 'inmail_sent', 'chat-1', '2030-01-01', '2030-01-01', '2030-01-01')
RETURNING id, operation_id, recorded_at, counted_on;
ROLLBACK;
SELECT contract.books() = :'before' AS nothing_changed;
