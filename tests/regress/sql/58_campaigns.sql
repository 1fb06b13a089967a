-- What operators and applications do to a campaign's work: take a prospect out, pause it, let it go on
-- as another action.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.work_58 AS
SELECT account_id, campaign_id, prospect_id, action, state, due_at, attempts, reason FROM contract.work WHERE account_id LIKE 'campaigns/%';
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT n, sendgate.upsert_account('campaigns/' || n, 'sales_navigator') FROM unnest(ARRAY['a', 'b', 'c']) AS n;

-- cancel takes a prospect out of a campaign: on every account and under every action, whatever is not
-- finished. Other campaigns go on.
SELECT w.campaign, w.account, w.action, sendgate.enqueue(w.campaign, 'p1', w.account, w.action) AS is_new
FROM (
    VALUES
        ('cancel', 'campaigns/a', 'inmail'),
        ('cancel', 'campaigns/a', 'invite'),
        ('cancel', 'campaigns/b', 'inmail'),
        ('cancel', 'campaigns/c', 'message'),
        ('other', 'campaigns/a', 'message')
) AS w (campaign, account, action);
SELECT prospect_id FROM sendgate.dispatch(1, 'message', 'campaigns/c');
SELECT sendgate.confirm('campaigns/c', contract.handed('campaigns/c', 'p1', 'message')) IS NOT NULL AS confirmed;
SELECT prospect_id FROM sendgate.dispatch(1, 'inmail', 'campaigns/b');
SELECT sendgate.rollback('campaigns/b', contract.handed('campaigns/b', 'p1'), 'Gateway Timeout', http_status => 504);
SELECT sendgate.cancel('cancel', 'p1');
SELECT * FROM contract.work_58 WHERE campaign_id IN ('cancel', 'other') ORDER BY campaign_id, account_id, action;
SELECT account_id, action FROM sendgate.dispatch(10, NULL, 'campaigns/a');

-- Again, or of work that does not exist: nothing is changed, and it is no error.
SELECT contract.books() AS before \gset
SELECT sendgate.cancel('cancel', 'p1');
SELECT sendgate.cancel('cancel', 'p2');
SELECT sendgate.cancel('nobody', 'p1', 'campaigns/a');
SELECT contract.books() = :'before' AS nothing_changed;

-- On one account only.
SELECT a.account, sendgate.enqueue('cancel one', 'p2', a.account, 'invite') AS is_new FROM (VALUES ('campaigns/a'), ('campaigns/b')) AS a (account);
SELECT sendgate.cancel('cancel one', 'p2', 'campaigns/b');
SELECT account_id, state FROM contract.work_58 WHERE campaign_id = 'cancel one' ORDER BY account_id;

-- What waited for an operation of a cancelled one is woken when that is settled.
SELECT sendgate.enqueue('cancel first', 'p3', 'campaigns/c', 'invite', '2026-05-20 11:00+00') AS is_new;
SELECT sendgate.enqueue('cancel second', 'p3', 'campaigns/c', 'invite', '2026-05-20 11:30+00') AS is_new;
SELECT campaign_id FROM sendgate.dispatch(10, 'invite', 'campaigns/c');
SELECT sendgate.cancel('cancel first', 'p3');
SELECT sendgate.rollback('campaigns/c', contract.handed('campaigns/c', 'p3', 'invite'));
SELECT campaign_id, state, due_at FROM contract.work_58 WHERE prospect_id = 'p3' ORDER BY campaign_id;
SELECT campaign_id FROM sendgate.dispatch(10, 'invite', 'campaigns/c');

-- pause_campaign: its work waits as it is, and others of the account go on.
SELECT sendgate.enqueue('paused', 'p4', 'campaigns/a', 'message', '2026-05-20 11:00+00') AS is_new;
SELECT sendgate.enqueue('running', 'p5', 'campaigns/a', 'message', '2026-05-20 11:30+00') AS is_new;
SELECT sendgate.pause_campaign('paused');
SELECT campaign_id, paused_at, actor = session_user AS by_me FROM sendgate.paused_campaigns;
SELECT campaign_id FROM sendgate.dispatch(10, 'message', 'campaigns/a');
SELECT * FROM contract.work_58 WHERE campaign_id = 'paused';
SELECT sendgate.enqueue('paused', 'p6', 'campaigns/a', 'message') AS is_new;
SELECT campaign_id FROM sendgate.dispatch(10, 'message', 'campaigns/a');

-- Twice is once; only what changed something is in the admin log.
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT sendgate.pause_campaign('paused');
SELECT campaign_id, paused_at FROM sendgate.paused_campaigns;
SELECT sendgate.resume_campaign('paused');
SELECT sendgate.resume_campaign('paused');
SELECT sendgate.resume_campaign('never paused');
SELECT at, verb, subject, before, after FROM sendgate.admin_log WHERE verb IN ('pause_campaign', 'resume_campaign') AND subject LIKE '%paused' AND at::date = '2026-05-20' ORDER BY at, verb;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'campaigns/a') ORDER BY prospect_id;

-- What is at the provider is not held up by a pause: its answer counts.
SELECT sendgate.enqueue('paused', 'p7', 'campaigns/a', 'profile_view') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(10, 'profile_view', 'campaigns/a');
SELECT sendgate.pause_campaign('paused');
SELECT sendgate.rollback('campaigns/a', contract.handed('campaigns/a', 'p7', 'profile_view'), 'Service Unavailable', http_status => 503);
SET sendgate.now = '2026-05-20 14:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, 'profile_view', 'campaigns/a');
SELECT sendgate.resume_campaign('paused');
SELECT prospect_id, attempt FROM sendgate.dispatch(10, 'profile_view', 'campaigns/a');

-- The gate itself knows no pause of a campaign: reserve is for applications that decide that themselves.
SELECT sendgate.pause_campaign('paused');
SELECT proceed FROM sendgate.reserve('campaigns/a', 'engagement', 'p8', 'paused', contract.op(8));
SELECT sendgate.resume_campaign('paused');

-- switch_action: the waiting work of a campaign goes on as another action. To message go only
-- prospects who are connections; the others are left behind. What is under way or finished stays.
SELECT w.prospect, sendgate.enqueue('switch', w.prospect, 'campaigns/b', 'inmail', is_connection => w.is_connection) AS is_new
FROM (VALUES ('s1', true), ('s2', false), ('s3', true), ('s4', true), ('s5', true)) AS w (prospect, is_connection);
SELECT sendgate.enqueue('switch', 's1', 'campaigns/a', 'inmail', is_connection => true) AS is_new;
SELECT sendgate.enqueue('switch', 's9', 'campaigns/b', 'inmail', '2026-06-20 12:00+00', true) AS is_new;
SELECT sendgate.enqueue('not switched', 's1', 'campaigns/b', 'inmail', is_connection => true) AS is_new;
SELECT sendgate.enqueue('switch', 's4', 'campaigns/b', 'message', '2026-07-20 12:00+00') AS is_new;
SELECT sendgate.cancel('switch', 's3', 'campaigns/b');
SELECT sendgate.breaker_arm('campaigns/b', 'test');
SELECT count(*) FROM sendgate.dispatch(10, 'inmail', 'campaigns/b');
SET sendgate.now = '2026-05-20 14:01:00+00';
SELECT * FROM sendgate.switch_action('switch', 'inmail', 'message');
SELECT account_id, prospect_id, action, state, due_at, attempts, reason FROM contract.work_58 WHERE campaign_id = 'switch' ORDER BY account_id, prospect_id, action;
SELECT account_id, prospect_id, action, due_at FROM contract.work_58 WHERE campaign_id = 'not switched';
SELECT verb, subject, before, after FROM sendgate.admin_log WHERE verb = 'switch_action' AND subject = 'switch';

-- As messages they are not under the breaker: dispatch has them at once.
SELECT prospect_id, action FROM sendgate.dispatch(10, NULL, 'campaigns/b') ORDER BY prospect_id;
SELECT prospect_id, action FROM sendgate.dispatch(10, NULL, 'campaigns/a') ORDER BY prospect_id;

-- Again there is nothing to move but what is left behind.
SELECT contract.books() AS before \gset
SELECT * FROM sendgate.switch_action('switch', 'inmail', 'message');
SELECT * FROM sendgate.switch_action('nobody', 'inmail', 'message');
SELECT contract.books() = :'before' AS nothing_changed;

-- Between other actions a connection is not asked for.
SELECT * FROM sendgate.switch_action('switch', 'inmail', 'invite');
SELECT account_id, prospect_id, action, state FROM contract.work_58 WHERE campaign_id = 'switch' AND action = 'invite' ORDER BY account_id, prospect_id;

-- Attempts are counted anew: they were of another action. An operation of the old one that is told of
-- late ends nothing under the new.
SELECT sendgate.upsert_account('campaigns/retry', 'sales_navigator');
SELECT sendgate.enqueue('switch late', 's1', 'campaigns/retry', 'inmail', is_connection => true) AS is_new;
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'campaigns/retry');
SELECT sendgate.rollback('campaigns/retry', contract.handed('campaigns/retry', 's1'), 'Service Unavailable', http_status => 503);
SELECT * FROM sendgate.switch_action('switch late', 'inmail', 'message');
SELECT prospect_id, attempt FROM sendgate.dispatch(10, 'message', 'campaigns/retry');
SELECT sendgate.rollback('campaigns/retry', contract.handed('campaigns/retry', 's1'), 'Recipient blocked');
SELECT action, state, attempts, reason FROM contract.work_58 WHERE account_id = 'campaigns/retry';

-- resume_deferred of an account without deferred work is no error, and no change.
SELECT contract.books() AS before \gset
SELECT sendgate.resume_deferred('campaigns/c');
SELECT contract.books() = :'before' AS nothing_changed;

-- Bad input is an error of its own, and changes nothing.
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$cancel(NULL, 'p1')$$),
        (2, $$cancel('cancel', NULL)$$),
        (3, $$cancel('cancel', 'p1', ' ')$$),
        (4, $$cancel('cancel', 'p1', 'campaigns/nobody')$$),
        (5, $$cancel(repeat('x', 129), 'p1')$$),
        (10, $$pause_campaign(NULL)$$),
        (11, $$pause_campaign(' ')$$),
        (12, $$resume_campaign(NULL)$$),
        (13, $$resume_campaign('')$$),
        (20, $$resume_deferred(NULL)$$),
        (21, $$resume_deferred('campaigns/nobody')$$),
        (30, $$switch_action(NULL, 'inmail', 'message')$$),
        (31, $$switch_action('switch', NULL, 'message')$$),
        (32, $$switch_action('switch', 'inmail', NULL)$$),
        (33, $$switch_action('switch', 'email', 'message')$$),
        (34, $$switch_action('switch', 'inmail', 'email')$$),
        (35, $$switch_action('switch', 'inmail', 'inmail')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
