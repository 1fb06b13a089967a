-- A campaign's part of each account's day: set_campaign, campaign_limit_reached, and what gives a slot back.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account(id, 'sales_navigator') FROM unnest(ARRAY['limits/a', 'limits/b']) id;
CREATE VIEW contract.limits_59 AS
SELECT campaign_id, inmail_limit, invite_limit, message_limit, profile_view_limit, engagement_limit, note, actor = session_user AS by_me
FROM sendgate.campaigns WHERE campaign_id LIKE 'limits/%';

-- Two messages a day on each account. The third is refused until midnight; other actions, other campaigns and
-- sends without a campaign go on.
SELECT sendgate.set_campaign('limits/spring', message_limit => 2, note => 'a part of the day');
SELECT * FROM contract.limits_59;
SELECT n, d.proceed, d.reason, d.retry_at AT TIME ZONE 'UTC' AS retry_at, d.sent_today, d.remaining
FROM generate_series(1, 3) n
CROSS JOIN LATERAL sendgate.reserve('limits/a', 'message', 'p' || n, 'limits/spring', contract.op(n)) d;
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'invite', 'p3', 'limits/spring');
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p4', 'limits/autumn');
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p5');
SELECT proceed, reason FROM sendgate.preview('limits/a', 'message', 'p6');
-- Each account has a day of its own.
SELECT proceed, reason FROM sendgate.reserve('limits/b', 'message', 'p1', 'limits/spring', contract.op(9));

-- A refusal takes nothing; the same call again while it is in flight takes no second slot.
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p2', 'limits/spring', contract.op(2));
SELECT action, sent_today, daily_limit FROM sendgate.campaigns_today WHERE campaign_id = 'limits/spring' ORDER BY action;

-- A slot that comes back comes back here too; one whose outcome is unknown does not.
SELECT sendgate.rollback('limits/a', contract.op(1));
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p7', 'limits/spring', contract.op(7));
SELECT sendgate.rollback('limits/a', contract.op(7), 'gateway timeout', NULL, 504);
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p8', 'limits/spring');
-- A late delivery takes back the slot that was given back, above the limit.
SELECT sendgate.confirm('limits/a', contract.op(1), 'chat 1') IS NOT NULL AS confirmed;
SELECT sent_today FROM sendgate.campaigns_today WHERE campaign_id = 'limits/spring' AND action = 'message';
SELECT sendgate.resolve_operation('limits/a', contract.op(7), false, NULL, 'not in the inbox');
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p8', 'limits/spring');
SELECT sendgate.rollback('limits/a', contract.op(2));
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'p8', 'limits/spring', contract.op(8));

-- The other rules are asked first, and this one last.
SELECT sendgate.set_cap('limits/a', 'message', 4);
SELECT reason FROM sendgate.reserve('limits/a', 'message', 'p9', 'limits/spring');
SELECT sendgate.set_cap('limits/a', 'message', NULL);
SELECT reason FROM sendgate.reserve('limits/a', 'message', 'p9', 'limits/spring');

-- A new day, also for a slot given back late: it belongs to its own day.
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'q1', 'limits/spring', contract.op(21));
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'q2', 'limits/spring', contract.op(22));
SELECT sendgate.rollback('limits/a', contract.op(8));
SELECT reason, retry_at AT TIME ZONE 'UTC' AS retry_at FROM sendgate.reserve('limits/a', 'message', 'q3', 'limits/spring');

-- A limit counts the slots taken before it was set, and 0 waits for an operator.
SELECT sendgate.set_campaign('limits/spring', message_limit => 3, engagement_limit => 0);
SELECT * FROM contract.limits_59;
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'message', 'q3', 'limits/spring', contract.op(23));
SELECT reason FROM sendgate.reserve('limits/a', 'message', 'q4', 'limits/spring');
SELECT reason, retry_at FROM sendgate.reserve('limits/a', 'engagement', 'q4', 'limits/spring');
SELECT sendgate.set_campaign('limits/autumn', invite_limit => 1);
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'invite', 'q5', 'limits/autumn');
SELECT reason FROM sendgate.reserve('limits/a', 'invite', 'q6', 'limits/autumn');

-- What the application records with a campaign counts as its own.
INSERT INTO sendgate.linkedin_events (account_id, event_type, prospect_id, campaign_id, occurred_at)
VALUES ('limits/b', 'message_sent', 'q7', 'limits/spring', '2026-05-21 00:00:00+00');
SELECT sent_today FROM sendgate.campaigns_today WHERE campaign_id = 'limits/spring' AND action = 'message';

-- An account that is only observed goes beyond it, and says so.
SELECT sendgate.set_enforcement('limits/a', 'observe');
SELECT proceed, reason, retry_at AT TIME ZONE 'UTC' AS retry_at FROM sendgate.reserve('limits/a', 'message', 'q8', 'limits/spring', contract.op(28));
SELECT reason, refusals FROM sendgate.observed_refusals WHERE account_id = 'limits/a';
SELECT sendgate.set_enforcement('limits/a', NULL);
SELECT reason FROM sendgate.reserve('limits/a', 'message', 'q9', 'limits/spring');

-- Without arguments it has no limits and no row. Setting the same again changes and logs nothing.
SELECT sendgate.set_campaign('limits/autumn');
SELECT sendgate.set_campaign('limits/autumn', note => 'nothing to change');
SELECT sendgate.set_campaign('limits/spring', message_limit => 3, engagement_limit => 0, note => 'the same');
SELECT * FROM contract.limits_59;
SELECT proceed, reason FROM sendgate.reserve('limits/a', 'invite', 'q6', 'limits/autumn', contract.op(26));
SELECT subject, before, after, note, actor = session_user AS by_me FROM sendgate.admin_log WHERE verb = 'set_campaign' AND subject LIKE 'limits/%' ORDER BY at, id;

-- campaigns_today: work by state, and the oldest that is due.
SELECT sendgate.enqueue('limits/work', 'w' || n, 'limits/b', 'inmail', '2026-05-20 20:00+00'::timestamptz + n * interval '1 hour')
FROM generate_series(1, 8) n;
SELECT count(*) FROM sendgate.dispatch(3, 'inmail', 'limits/b');
SELECT sendgate.confirm('limits/b', contract.handed('limits/b', 'w1'), 'chat w1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('limits/b', contract.handed('limits/b', 'w2'), 'gateway timeout', NULL, 504);
SELECT sendgate.cancel('limits/work', 'w8');
SELECT sendgate.set_campaign('limits/work', invite_limit => 5);
SELECT sendgate.pause_campaign('limits/work');
SELECT action, waiting, sending, done_today, deferred, parked, cancelled, sent_today, daily_limit, paused, oldest_due AT TIME ZONE 'UTC' AS oldest_due
FROM sendgate.campaigns_today WHERE campaign_id = 'limits/work' ORDER BY action;
SELECT sendgate.resume_campaign('limits/work');
SELECT sendgate.breaker_arm('limits/b', 'empty');
SELECT count(*) FROM sendgate.dispatch(3, 'inmail', 'limits/b');
SET sendgate.now = '2026-05-22 12:00:00+00';
SELECT action, waiting, sending, done_today, deferred, parked, cancelled, sent_today, daily_limit, paused, oldest_due AT TIME ZONE 'UTC' AS oldest_due
FROM sendgate.campaigns_today WHERE campaign_id = 'limits/work' ORDER BY action;

-- Bad input changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.code, e.message, e.detail, e.hint
FROM (
    VALUES
        (1, $$set_campaign(NULL)$$),
        (2, $$set_campaign(' ')$$),
        (3, $$set_campaign(repeat('k', 129))$$),
        (4, $$set_campaign('limits/spring', -1)$$),
        (5, $$set_campaign('limits/spring', invite_limit => 10001)$$),
        (6, $$set_campaign('limits/spring', note => ' ')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off
SELECT contract.books() = :'before' AS nothing_changed;
SELECT input.statement, v.code, v.name
FROM (
    VALUES
        (1, $$UPDATE sendgate.campaigns SET message_limit = -1$$),
        (2, $$UPDATE sendgate.campaigns SET message_limit = NULL, engagement_limit = NULL, invite_limit = NULL$$),
        (3, $$INSERT INTO sendgate.campaigns (campaign_id, set_at, actor) VALUES ('limits/none', now(), 'me')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.violates(input.statement) AS v
ORDER BY input.n;

-- Other files know of no limits.
SELECT sendgate.set_campaign(campaign_id) FROM sendgate.campaigns;
SELECT count(*) FROM sendgate.campaigns;
