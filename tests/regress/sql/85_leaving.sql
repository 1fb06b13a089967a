-- Leaving: an account with all its rows, and who a prospect was.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('leaving/a', 'sales_navigator');
SELECT sendgate.upsert_account('leaving/b', 'sales_navigator');
SELECT sendgate.set_cap('leaving/a', 'invite', 5, NULL, 'careful');
SELECT r.proceed FROM generate_series(1, 4) n, sendgate.reserve('leaving/a', 'inmail', 'leaving-p' || n, 'k', contract.op(850 + n)) AS r;
SELECT sendgate.confirm('leaving/a', contract.op(851), 'chat-1') IS NOT NULL AS event;
SELECT sendgate.rollback('leaving/a', contract.op(852), 'Ada Lovelace has blocked you', NULL, 422);
SELECT sendgate.rollback('leaving/a', contract.op(853), 'Ada Lovelace: gateway timeout', NULL, 504);
SELECT sendgate.enqueue('k', 'leaving-p' || n, 'leaving/a', 'message') FROM generate_series(1, 3) n;
SELECT sendgate.enqueue('k', 'leaving-p9', 'leaving/b', 'message');
SELECT count(*) FROM sendgate.dispatch(1, 'message', 'leaving/b', contract.op(859));

-- While a worker may be calling the provider, neither leaves.
SELECT f.n, e.code, e.message, e.detail, e.hint
FROM (
    VALUES
        (1, $$SELECT sendgate.remove_account('leaving/a', 'left')$$),
        (2, $$SELECT sendgate.forget_prospect('leaving-p4', 'erasure')$$),
        (3, $$SELECT sendgate.forget_prospect('leaving-p9', 'erasure')$$)
) AS f (n, call)
CROSS JOIN LATERAL contract.error(f.call) AS e
ORDER BY n;
SELECT id, status FROM sendgate.linkedin_accounts WHERE id LIKE 'leaving/%' ORDER BY id;

-- Bad arguments change nothing; what is unknown is nothing.
SELECT contract.books() AS before \gset
SELECT f.n, e.code, e.message, e.detail
FROM (
    VALUES
        (1, $$SELECT sendgate.remove_account(NULL, 'x')$$),
        (2, $$SELECT sendgate.remove_account('leaving/b', ' ')$$),
        (3, $$SELECT sendgate.remove_account('leaving/b', 'x', 0)$$),
        (4, $$SELECT sendgate.remove_account('leaving/b', 'x', 1000001)$$),
        (5, $$SELECT sendgate.remove_account('leaving/b', 'x', NULL)$$),
        (6, $$SELECT sendgate.forget_prospect(' ', 'x')$$),
        (7, $$SELECT sendgate.forget_prospect('leaving-p1', repeat('x', 2001))$$),
        (8, $$SELECT sendgate.forget_prospect('leaving-p1', 'x', -1)$$)
) AS f (n, call)
CROSS JOIN LATERAL contract.error(f.call) AS e
ORDER BY n;
SELECT sendgate.remove_account('leaving/none', 'x'), sendgate.forget_prospect('leaving-none', 'x');
SELECT contract.books() = :'before' AS nothing_changed;

-- A prospect is forgotten: its id is a new one everywhere, its open work is cancelled, and the provider's words are
-- gone. Counters, days and proofs stay, and so does a suppression.
SELECT sendgate.suppress_prospect('leaving-p1', 'asked by mail');
SELECT proceed, reason FROM sendgate.reserve('leaving/a', 'invite', 'leaving-p1', 'k');
SELECT sendgate.forget_prospect('leaving-p1', 'erasure') AS changed;
SELECT sendgate.forget_prospect('leaving-p1', 'erasure') AS changed;
SELECT sendgate.forget_prospect('leaving-p2', 'erasure') AS changed, sendgate.forget_prospect('leaving-p2', 'erasure') AS again;
SELECT prospect_id LIKE 'forgotten-%' AS forgotten, action, state, outcome, error, counted_on
FROM sendgate.send_operations WHERE account_id = 'leaving/a' ORDER BY operation_id;
SELECT prospect_id LIKE 'forgotten-%' AS forgotten, event_type, chat_id, counted_on FROM sendgate.linkedin_events WHERE account_id = 'leaving/a';
SELECT prospect_id LIKE 'forgotten-%' AS forgotten, reason, detail FROM sendgate.campaign_events WHERE account_id = 'leaving/a';
SELECT prospect_id LIKE 'forgotten-%' AS forgotten, state, next_dispatch_at, reason FROM sendgate.enrollments WHERE account_id = 'leaving/a' ORDER BY 1, prospect_id;
SELECT action, sent_today, attempts_today FROM sendgate.counters WHERE account_id = 'leaving/a' AND action = 'inmail';
SELECT prospect_id FROM sendgate.suppressions WHERE prospect_id LIKE 'leaving-%';
SELECT verb, account_id, subject LIKE 'forgotten-%' AS forgotten, after, note FROM sendgate.admin_log
WHERE verb = 'forget_prospect' OR (verb = 'suppress_prospect' AND note = 'asked by mail' AND at = '2026-05-24 12:00:00+00' AND subject LIKE 'forgotten-%')
ORDER BY at, id;
SELECT sendgate.enqueue('k', 'leaving-p1', 'leaving/b', 'message') AS is_new;
SELECT sendgate.unsuppress_prospect('leaving-p1', 'end of the test');

-- Work that an operator put back is in the admin log with its prospect.
SELECT sendgate.enqueue('k', 'leaving-p8', 'leaving/b', 'invite') AS is_new;
SELECT sendgate.cancel_prospect('leaving-p8') AS cancelled, sendgate.requeue('k', 'leaving-p8', 'leaving/b', 'invite') AS is_back;
SELECT sendgate.forget_prospect('leaving-p8', 'erasure') AS changed, sendgate.forget_prospect('leaving-p8', 'erasure') AS again;
SELECT subject, before ->> 'prospect_id' LIKE 'forgotten-%' AS forgotten, before - 'prospect_id' AS before, after FROM sendgate.admin_log WHERE verb = 'requeue' AND account_id = 'leaving/b';

-- At most max_rows a call.
SELECT sendgate.resolve_operation('leaving/a', contract.op(853), false, note => 'not in the inbox');
SELECT sendgate.forget_prospect('leaving-p3', 'erasure', 1) AS first, sendgate.forget_prospect('leaving-p3', 'erasure', 1) AS second, sendgate.forget_prospect('leaving-p3', 'erasure', 1) AS third;
SELECT state, outcome, error FROM sendgate.send_operations WHERE operation_id = contract.op(853);

-- An account's row is not deleted by itself. Between two batches of its removal it is disconnected.
SELECT * FROM contract.error($$DELETE FROM sendgate.accounts WHERE id = 'leaving/a'$$);
SELECT sendgate.rollback('leaving/a', contract.op(854));
SELECT sendgate.remove_account('leaving/a', 'leaves', 2) AS removed;
SELECT status FROM sendgate.linkedin_accounts WHERE id = 'leaving/a';
SELECT proceed, reason FROM sendgate.reserve('leaving/a', 'invite', 'somebody');
SELECT before, after, note FROM sendgate.admin_log WHERE account_id = 'leaving/a' AND verb = 'remove_account';
SELECT sendgate.remove_account('leaving/a', 'left') AS removed;
SELECT sendgate.remove_account('leaving/a', 'left') AS removed;
SELECT account_id, verb, before, after, note FROM sendgate.admin_log WHERE account_id = 'leaving/a';
SELECT count(*) AS accounts FROM sendgate.linkedin_accounts WHERE id = 'leaving/a';

-- Of the other account nothing is gone, and the request's rows are there.
SELECT prospect_id, attempt FROM sendgate.dispatch(1, 'message', 'leaving/b', contract.op(859));
-- Unanswered and too old, it keeps no account any more.
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.remove_account('leaving/b', 'left') > 0 AS removed;
SELECT * FROM contract.error($$SELECT sendgate.confirm('leaving/b', contract.op(1))$$);
SELECT * FROM contract.error($$SELECT prospect_id FROM sendgate.dispatch(1, 'message', 'leaving/b', contract.op(859))$$);
SELECT count(*) AS requests FROM sendgate.dispatch_requests WHERE request_id = contract.op(859);
