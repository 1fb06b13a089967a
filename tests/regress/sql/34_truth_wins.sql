-- Confirming an operation that was given back is accepted: truth wins. It takes its slot back on its
-- own day, even above the cap, and raises an alert.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('truth/a', 'sales_navigator');
SELECT sendgate.set_cap('truth/a', 'inmail', 1);
SELECT proceed FROM sendgate.reserve('truth/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT sendgate.rollback('truth/a', contract.op(1), 'recipient blocked');
SELECT proceed FROM sendgate.reserve('truth/a', 'inmail', 'p2', 'c1', contract.op(2));
SELECT sendgate.confirm('truth/a', contract.op(1), 'chat-1') AS event \gset
SELECT sent_today, daily_cap, sent_this_week FROM sendgate.counters WHERE account_id = 'truth/a' AND action = 'inmail';
SELECT proceed, reason, sent_today, daily_cap, remaining FROM sendgate.preview('truth/a', 'inmail');
SELECT operation_id, state, outcome FROM sendgate.send_operations WHERE account_id = 'truth/a' ORDER BY operation_id;
SELECT operation_id, chat_id, counted_on FROM sendgate.linkedin_events WHERE account_id = 'truth/a';
SELECT kind, day, opened_at, acknowledged_by FROM sendgate.open_alerts WHERE account_id = 'truth/a';

-- Once: the same call again is a no-op, and now it cannot be rolled back.
SELECT contract.books() AS before \gset
SELECT sendgate.confirm('truth/a', contract.op(1), 'chat-1') = :'event' AS same_event;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT e.code FROM contract.error($$SELECT sendgate.rollback('truth/a', contract.op(1))$$) AS e;

-- On a later day of the same week it counts in the week; its own day is over.
SET sendgate.now = '2026-05-26 12:00:00+00';
SELECT sendgate.upsert_account('truth/next', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('truth/next', 'invite', 'p1', 'c1', contract.op(1));
SELECT sendgate.rollback('truth/next', contract.op(1));
SET sendgate.now = '2026-05-27 12:00:00+00';
SELECT proceed FROM sendgate.reserve('truth/next', 'invite', 'p2', 'c1', contract.op(2));
SELECT sendgate.confirm('truth/next', contract.op(1)) IS NOT NULL AS confirmed;
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'truth/next' AND action = 'invite';
SELECT kind, day FROM sendgate.open_alerts WHERE account_id = 'truth/next';
SELECT counted_on FROM sendgate.linkedin_events WHERE account_id = 'truth/next';

-- An indeterminate one held its slot all the time: no second slot, no alert.
SELECT proceed FROM sendgate.reserve('truth/next', 'invite', 'p3', 'c1', contract.op(3));
SELECT sendgate.rollback('truth/next', contract.op(3), 'timeout');
SELECT sendgate.confirm('truth/next', contract.op(3)) IS NOT NULL AS confirmed;
SELECT sent_today, sent_this_week FROM sendgate.counters WHERE account_id = 'truth/next' AND action = 'invite';
SELECT count(*) AS open_alerts FROM sendgate.open_alerts WHERE account_id = 'truth/next';
