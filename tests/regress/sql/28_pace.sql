-- Pace: how far apart the grants of an account are, so that it looks like a person.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('pace/a', 'sales_navigator');

-- The gap is the account's: whatever the action.
SELECT sendgate.set_pace('pace/a', '5 minutes', note => 'like a person');
SELECT pace_gap, pace_jitter_percent, pace_spread FROM sendgate.accounts WHERE id = 'pace/a';
SELECT proceed FROM sendgate.reserve('pace/a', 'invite', 'p1');
SELECT reason, retry_at FROM sendgate.reserve('pace/a', 'invite', 'p2');
SELECT reason, retry_at FROM sendgate.reserve('pace/a', 'message', 'p2');
SET sendgate.now = '2026-05-20 12:04:59.999999+00';
SELECT reason FROM sendgate.reserve('pace/a', 'message', 'p2');
SET sendgate.now = '2026-05-20 12:05:00+00';
SELECT proceed FROM sendgate.reserve('pace/a', 'message', 'p2');
-- The tier's gap of the action stays beside it, the later of both holds.
SELECT sendgate.set_tier_cap('pace_tier', 'invite', 10, minimum_gap => '20 minutes');
SELECT sendgate.upsert_account('pace/a', 'pace_tier');
SELECT reason, retry_at FROM sendgate.preview('pace/a', 'invite');

-- Jitter makes the gap longer by up to its share: differently from grant to grant, not from call to call.
SELECT sendgate.upsert_account('pace/a', 'sales_navigator'), sendgate.drop_tier_cap('pace_tier', 'invite');
SELECT sendgate.set_pace('pace/a', '1 hour', 50);
SELECT retry_at AS first FROM sendgate.preview('pace/a', 'invite') \gset
SELECT retry_at = :'first' AS same, retry_at - timestamptz '2026-05-20 12:05:00+00' BETWEEN '1 hour' AND '1 hour 30 minutes' AS in_range
FROM sendgate.preview('pace/a', 'profile_view');
SET sendgate.now = :'first';
SELECT proceed FROM sendgate.reserve('pace/a', 'invite', 'p3');
SELECT retry_at - timestamptz :'first' <> timestamptz :'first' - timestamptz '2026-05-20 12:05:00+00' AS another_gap FROM sendgate.preview('pace/a', 'invite');

-- Spread: the open time that was left at the last grant, shared out among the slots that are left and the time
-- after the last one. To midnight, or to the end of the window. No slot left: no time of its own.
SELECT sendgate.upsert_account('pace/b', 'sales_navigator');
SELECT sendgate.set_pace('pace/b', spread => true), sendgate.set_cap('pace/b', 'invite', 6);
SET sendgate.now = '2026-05-20 18:00:00+00';
SELECT proceed, remaining FROM sendgate.reserve('pace/b', 'invite', 'p1');
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT sendgate.set_window('pace/b', '09:00', '19:00', '{1,2,3,4,5,6,7}');
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT reason, retry_at FROM contract.preview_at('2026-05-20 18:10:00+00', 'pace/b', 'invite');
-- The week's slots count too: one is left, and the time halved.
SELECT sendgate.set_cap('pace/b', 'invite', 6, 2);
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT sendgate.set_cap('pace/b', 'invite', 1);
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');

-- dispatch hands out one at a time of such an account, of the action granted longest ago, and its ticket is
-- due when reserve would say so, to the microsecond.
SET sendgate.now = '2026-05-21 12:00:00.123457+00';
SELECT sendgate.upsert_account('pace/work', 'sales_navigator');
SELECT sendgate.set_pace('pace/work', '7 minutes', 37, true);
SELECT count(sendgate.enqueue('spring', a || n, 'pace/work', a)) FROM unnest(ARRAY['invite', 'message']) a CROSS JOIN generate_series(1, 3) n;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT t.action, p.reason, t.due_at = p.retry_at AS agree
FROM contract.tickets t
CROSS JOIN LATERAL sendgate.preview('pace/work', t.action) p
WHERE t.account_id = 'pace/work' ORDER BY t.action;
SELECT r.retry_at = t.due_at AS agree FROM contract.tickets t
CROSS JOIN LATERAL sendgate.reserve('pace/work', t.action, 'somebody') r
WHERE t.account_id = 'pace/work' ORDER BY t.action;
SELECT max(due_at) AS due FROM contract.tickets WHERE account_id = 'pace/work' \gset
SET sendgate.now = :'due';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT count(DISTINCT action) AS actions, count(*) AS handed_out FROM sendgate.send_operations WHERE account_id = 'pace/work';
-- No argument: no pace of its own, and the waiting work is due.
SELECT sendgate.set_pace('pace/work');
SELECT pace_gap, pace_jitter_percent, pace_spread FROM sendgate.accounts WHERE id = 'pace/work';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT account_id, subject, before, after, note FROM sendgate.admin_log WHERE account_id = 'pace/a' AND verb = 'set_pace' ORDER BY at;

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.*
FROM (
    VALUES
        (1, $$set_pace('pace/nobody')$$),
        (2, $$set_pace(NULL)$$),
        (3, $$set_pace('pace/a', '-1 second')$$),
        (4, $$set_pace('pace/a', '32 days')$$),
        (5, $$set_pace('pace/a', '1 month')$$),
        (6, $$set_pace('pace/a', jitter_percent => 101)$$),
        (7, $$set_pace('pace/a', jitter_percent => -1)$$),
        (8, $$set_pace('pace/a', jitter_percent => NULL)$$),
        (9, $$set_pace('pace/a', spread => NULL)$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off
SELECT contract.books() = :'before' AS nothing_changed;
