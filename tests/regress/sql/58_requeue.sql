-- requeue puts work back that was parked or cancelled; cancel_prospect takes a prospect out everywhere.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('requeue/a', 'sales_navigator');
SELECT sendgate.upsert_account('requeue/b', 'sales_navigator');

-- Cancelled work waits again, due now, and is handed out.
SELECT sendgate.enqueue('rq spring', 'rq1', 'requeue/a', 'invite', '2026-06-24 12:00+00', payload => '"kept"') AS is_new;
SELECT sendgate.cancel('rq spring', 'rq1');
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;
SELECT state, due_at, attempts, reason, error FROM contract.work WHERE account_id = 'requeue/a';
SELECT prospect_id, attempt, step, payload FROM sendgate.dispatch(10, NULL, 'requeue/a');

-- What waits or is being sent is not put back.
SELECT contract.books() AS before \gset
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'inmail') AS is_back;
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite', 2) AS is_back;
SELECT sendgate.requeue('rq spring', 'nobody', 'requeue/a', 'invite') AS is_back;
SELECT contract.books() = :'before' AS nothing_changed;

-- Nor what has an attempt whose outcome is unknown: cancelled while a worker has it, or parked.
SELECT sendgate.cancel('rq spring', 'rq1');
SELECT e.code, e.message = format('the outcome of operation %s for prospect "rq1" is not known', contract.handed('requeue/a', 'rq1', 'invite')) AS names_it, e.detail, e.hint
FROM contract.error($$SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite')$$) AS e;
SELECT sendgate.rollback('requeue/a', contract.handed('requeue/a', 'rq1', 'invite'), 'gateway timeout', NULL, 504) AS outcome;
SELECT e.code FROM contract.error($$SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite')$$) AS e;
SELECT state, reason FROM contract.work WHERE account_id = 'requeue/a';
-- Of an older version, too, which did not say the step.
UPDATE sendgate.send_operations SET step = NULL WHERE account_id = 'requeue/a';
SELECT e.code FROM contract.error($$SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite')$$) AS e;
SELECT sendgate.resolve_operation('requeue/a', contract.handed('requeue/a', 'rq1', 'invite'), false, NULL, 'not in the list');
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite', dispatch_at => '2026-05-25 12:00+00') AS is_back;
SELECT state, due_at, attempts, reason, error FROM contract.work WHERE account_id = 'requeue/a';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'requeue/a');
SET sendgate.now = '2026-05-25 12:00:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(10, NULL, 'requeue/a');

-- Parked work begins anew, with attempts from 0.
SELECT sendgate.rollback('requeue/a', contract.handed('requeue/a', 'rq1', 'invite'), 'The text is too long', 'errors/content_too_large', 422) AS outcome;
SELECT state, attempts, reason, error FROM contract.work WHERE account_id = 'requeue/a';
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;
SELECT state, due_at, attempts, reason, error FROM contract.work WHERE account_id = 'requeue/a';

-- A late delivery of an attempt before ends it all the same: the prospect has got the message.
SELECT sendgate.confirm('requeue/a', contract.handed('requeue/a', 'rq1', 'invite')) IS NOT NULL AS confirmed;
SELECT state, due_at, reason FROM contract.work WHERE account_id = 'requeue/a';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'requeue/a');

-- Done work is an operator's to put back, and that is logged.
SELECT contract.books() AS before \gset
SET ROLE sendgate_sender;
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite');
RESET ROLE;
SELECT contract.books() = :'before' AS nothing_changed;
SET ROLE sendgate_operator;
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite', dispatch_at => '2026-05-28 12:00+00') AS is_back;
RESET ROLE;
SELECT state, due_at, attempts FROM contract.work WHERE account_id = 'requeue/a';
SELECT verb, account_id, subject, before, after FROM sendgate.admin_log WHERE verb = 'requeue' AND account_id = 'requeue/a' ORDER BY id DESC LIMIT 1;
-- A sender puts back what is its own to put back.
SELECT sendgate.cancel('rq spring', 'rq1');
SET ROLE sendgate_sender;
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;
RESET ROLE;
SELECT state FROM contract.work WHERE account_id = 'requeue/a';

-- Not to a prospect who opted out for good.
SELECT sendgate.cancel('rq spring', 'rq1');
SELECT sendgate.suppress_prospect('rq1', 'asked us');
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;
SELECT sendgate.unsuppress_prospect('rq1', 'a mistake');
SELECT sendgate.requeue('rq spring', 'rq1', 'requeue/a', 'invite') AS is_back;

-- A step is put back for itself.
SELECT count(*) FILTER (WHERE sendgate.enqueue('rq spring', 'rq2', 'requeue/b', 'message', step => n)) AS new FROM generate_series(1, 3) n;
SELECT step FROM sendgate.dispatch(1, NULL, 'requeue/b');
SELECT sendgate.cancel('rq spring', 'rq2');
SELECT sendgate.requeue('rq spring', 'rq2', 'requeue/b', 'message', 2) AS is_back;
SELECT step, state FROM sendgate.enrollments WHERE account_id = 'requeue/b' ORDER BY step;
SELECT e.code FROM contract.error($$SELECT sendgate.requeue('rq spring', 'rq2', 'requeue/b', 'message', 1)$$) AS e;

-- cancel_prospect takes a prospect out of every campaign, on every account.
SELECT sendgate.enqueue('rq spring', 'rq3', 'requeue/a', 'message') AS is_new;
SELECT sendgate.enqueue('rq spring', 'rq3', 'requeue/b', 'invite') AS is_new;
SELECT sendgate.enqueue('rq autumn', 'rq3', 'requeue/b', 'inmail', step => 2) AS is_new;
SELECT sendgate.enqueue('rq winter', 'rq3', 'requeue/b', 'inmail', '2031-01-01') AS is_new;
SELECT sendgate.enqueue('rq winter', 'rq33', 'requeue/b', 'inmail') AS is_new;
SELECT sendgate.enqueue('rq autumn', 'rq3', 'requeue/a', 'profile_view') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, 'profile_view', 'requeue/a');
SELECT sendgate.confirm('requeue/a', contract.handed('requeue/a', 'rq3', 'profile_view')) IS NOT NULL AS confirmed;
SELECT sendgate.cancel_prospect('rq3');
SELECT account_id, campaign_id, action, state FROM contract.work WHERE prospect_id IN ('rq3', 'rq33') AND account_id LIKE 'requeue/%' ORDER BY 1, 2, 3, 4;
SELECT sendgate.cancel_prospect('rq3');
SELECT sendgate.cancel_prospect('unheard of');

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$requeue(NULL, 'rq1', 'requeue/a', 'invite')$$),
        (2, $$requeue('rq spring', NULL, 'requeue/a', 'invite')$$),
        (3, $$requeue('rq spring', 'rq1', NULL, 'invite')$$),
        (4, $$requeue('rq spring', 'rq1', 'requeue/a', NULL)$$),
        (5, $$requeue('rq spring', 'rq1', 'requeue/a', 'invite', NULL)$$),
        (6, $$requeue('rq spring', 'rq1', 'requeue/a', 'invite', 0)$$),
        (7, $$requeue('rq spring', 'rq1', 'requeue/a', 'invite', 1001)$$),
        (8, $$requeue('rq spring', 'rq1', 'requeue/a', 'email')$$),
        (9, $$requeue('rq spring', 'rq1', 'requeue/a', 'invite', 1, 'infinity')$$),
        (10, $$requeue('rq spring', 'rq1', 'requeue/nobody', 'invite')$$),
        (11, $$requeue(' ', 'rq1', 'requeue/a', 'invite')$$),
        (20, $$cancel_prospect(NULL)$$),
        (21, $$cancel_prospect(' ')$$),
        (22, $$cancel_prospect(repeat('x', 129))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
