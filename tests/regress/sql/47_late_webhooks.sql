-- A provider's webhook knows better than an answer that got lost: the send that was given back is found.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('hook/a', 'sales_navigator');
CREATE VIEW contract.hook_47 AS
SELECT o.account_id, o.prospect_id, o.action, o.origin, o.state, o.outcome, e.chat_id, e.occurred_at
FROM sendgate.send_operations o
LEFT JOIN sendgate.linkedin_events e USING (account_id, operation_id);

-- Handed out, given back with 503, and proven by the webhook: done, and never handed out again.
SELECT sendgate.enqueue('spring', 'w1', 'hook/a', 'inmail') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, NULL, 'hook/a');
SET sendgate.now = '2026-05-20 12:01:00+00';
SELECT sendgate.rollback('hook/a', contract.handed('hook/a', 'w1'), 'Service Unavailable', NULL, 503);
SELECT state, attempts FROM contract.work WHERE account_id = 'hook/a';
SELECT sendgate.record_external_send('hook/a', 'inmail', 'w1', 'chat-1', '2026-05-20 12:00:30+00') AS event \gset
SELECT origin, state, outcome, chat_id FROM contract.hook_47 WHERE account_id = 'hook/a';
SELECT state, due_at FROM contract.work WHERE account_id = 'hook/a';
SELECT kind FROM sendgate.open_alerts WHERE account_id = 'hook/a';
SELECT inmails_sent_today, inmail_attempts_today FROM sendgate.accounts WHERE id = 'hook/a';
-- Delivered again by the provider with a rounded stamp: the same InMail.
SELECT contract.books() AS before \gset
SELECT sendgate.record_external_send('hook/a', 'inmail', 'w1', 'chat-1', '2026-05-20 12:01:00+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('hook/a', 'inmail', 'w1', 'chat-1', '2026-05-18 12:00:00+00') = :'event' AS same_event;
SELECT contract.books() = :'before' AS nothing_changed;
SET sendgate.now = '2026-05-21 13:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'hook/a');

-- The latest one that was given back before the instant; not one that lacked credits, nor one whose time is over.
SELECT sendgate.upsert_account('hook/b', 'sales_navigator');
SET sendgate.prospect_cooldown = 0;
SELECT proceed FROM sendgate.reserve('hook/b', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('hook/b', contract.op(1), 'busy', NULL, 503);
SET sendgate.now = '2026-05-21 13:10:00+00';
SELECT proceed FROM sendgate.reserve('hook/b', 'invite', 'p1', NULL, contract.op(2));
SELECT sendgate.rollback('hook/b', contract.op(2), 'busy', NULL, 503);
SET sendgate.now = '2026-05-21 13:20:00+00';
SELECT sendgate.record_external_send('hook/b', 'invite', 'p1', NULL, '2026-05-21 13:15:00+00') IS NOT NULL AS recorded;
SELECT operation_id, state FROM sendgate.send_operations WHERE account_id = 'hook/b' ORDER BY operation_id;
SELECT proceed FROM sendgate.reserve('hook/b', 'inmail', 'p2', NULL, contract.op(3));
SELECT sendgate.rollback('hook/b', contract.op(3), NULL, 'errors/insufficient_credits', 422);
SET sendgate.now = '2026-05-21 13:30:00+00';
SELECT sendgate.record_external_send('hook/b', 'inmail', 'p2', 'chat-2', '2026-05-21 13:25:00+00') IS NOT NULL AS recorded;
SELECT prospect_id, origin, state FROM contract.hook_47 WHERE account_id = 'hook/b' AND action = 'inmail' ORDER BY origin;
SELECT proceed FROM sendgate.reserve('hook/b', 'message', 'p3', NULL, contract.op(4));
SELECT proceed FROM sendgate.reserve('hook/b', 'message', 'p4', NULL, contract.op(5));
SELECT sendgate.rollback('hook/b', contract.op(4), 'busy', NULL, 503), sendgate.rollback('hook/b', contract.op(5), 'busy', NULL, 503);
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT sendgate.record_external_send('hook/b', 'message', 'p3', NULL, '2026-05-24 13:30:00+00') IS NOT NULL AS recorded;
SELECT sendgate.record_external_send('hook/b', 'message', 'p4', NULL, '2026-05-24 13:30:00.000001+00') IS NOT NULL AS recorded;
SELECT prospect_id, origin, state FROM contract.hook_47 WHERE account_id = 'hook/b' AND action = 'message' ORDER BY prospect_id, origin;
-- Not within this time: a send of its own.
SET sendgate.late_delivery = 0;
SELECT proceed FROM sendgate.reserve('hook/b', 'message', 'p5', NULL, contract.op(6));
SELECT sendgate.rollback('hook/b', contract.op(6), 'busy', NULL, 503);
SET sendgate.now = '2026-05-25 00:01:00+00';
SELECT sendgate.record_external_send('hook/b', 'message', 'p5', NULL, '2026-05-25 00:00:30+00') IS NOT NULL AS recorded;
SELECT origin, state FROM contract.hook_47 WHERE account_id = 'hook/b' AND prospect_id = 'p5' ORDER BY origin;
RESET sendgate.late_delivery;

-- Clocks differ by up to five minutes: an instant ahead counts now, and an operation reserved a little after it
-- is confirmed; one that was open before the instant comes first.
SELECT sendgate.upsert_account('hook/c', 'sales_navigator');
SELECT sendgate.record_external_send('hook/c', 'message', 'p1', NULL, '2026-05-25 00:06:00+00') IS NOT NULL AS recorded;
SELECT occurred_at, recorded_at, counted_on FROM sendgate.linkedin_events WHERE account_id = 'hook/c';
SELECT code, message, hint FROM contract.error($$SELECT sendgate.record_external_send('hook/c', 'message', 'p2', NULL, '2026-05-25 00:06:00.000001+00')$$);
SELECT proceed FROM sendgate.reserve('hook/c', 'message', 'p2', NULL, contract.op(7));
SELECT sendgate.record_external_send('hook/c', 'message', 'p2', NULL, '2026-05-24 23:56:00+00') IS NOT NULL AS recorded;
SELECT state, occurred_at FROM contract.hook_47 WHERE account_id = 'hook/c' AND prospect_id = 'p2';

-- Two reports are of the same send if their instants are within a second, for an InMail if the chat is the same;
-- also if the first was reported by an application's own row.
SELECT sendgate.record_external_send('hook/c', 'engagement', 'p3', NULL, '2026-05-24 20:00:00.4+00') AS event \gset
SELECT sendgate.record_external_send('hook/c', 'engagement', 'p3', NULL, '2026-05-24 20:00:01+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('hook/c', 'engagement', 'p3', NULL, '2026-05-24 20:00:01.5+00') <> :'event' AS another;
SELECT count(*) FROM contract.hook_47 WHERE account_id = 'hook/c' AND action = 'engagement';
INSERT INTO sendgate.linkedin_events (account_id, prospect_id, event_type, chat_id, occurred_at) VALUES ('hook/c', 'p4', 'inmail_sent', 'chat-4', '2026-05-24 20:00:00.75+00');
SELECT sendgate.record_external_send('hook/c', 'inmail', 'p4', 'chat-4', '2026-05-24 20:00:00+00') = id AS same_event FROM sendgate.linkedin_events
WHERE account_id = 'hook/c' AND prospect_id = 'p4';

-- Told ahead of our clock and then again with a rounded stamp: the same send, whenever it comes.
SELECT sendgate.record_external_send('hook/c', 'message', 'p5', 'chat-5', '2026-05-25 00:03:00.4+00') AS event \gset
SET sendgate.now = '2026-05-25 00:02:00+00';
SELECT sendgate.record_external_send('hook/c', 'message', 'p5', 'chat-5', '2026-05-25 00:03:00+00') = :'event' AS same_event;
SET sendgate.now = '2026-05-25 01:00:00+00';
SELECT sendgate.record_external_send('hook/c', 'message', 'p5', 'chat-5', '2026-05-25 00:03:01+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('hook/c', 'message', 'p5', 'chat-5', '2026-05-25 00:01:00+00') <> :'event' AS another;
RESET sendgate.prospect_cooldown;
