-- Campaigns that share an account: higher priority first, turns among equals, and limits.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('turns/' || n, 'sales_navigator') FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e', 'f']) n;

-- A thousand messages of one campaign, and then one of another and three of a third: they take turns, each with its
-- oldest first.
SELECT count(*) FILTER (WHERE sendgate.enqueue('turns/k1', 'p' || n, 'turns/a', 'message', '2026-05-20 10:00+00'::timestamptz + n * interval '1 second'))
FROM generate_series(1, 1000) n;
SELECT sendgate.enqueue('turns/k2', 'q1', 'turns/a', 'message');
SELECT sendgate.enqueue('turns/k3', 'r' || n, 'turns/a', 'message') FROM generate_series(1, 3) n;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(8, 'message', 'turns/a');
-- Over calls of one as within one of many, also where the first campaign is the one that was served last.
SELECT sendgate.enqueue('turns/k0', 'o' || n, 'turns/a', 'message') FROM generate_series(1, 3) n;
SELECT sendgate.enqueue('turns/k3', 's' || n, 'turns/a', 'message') FROM generate_series(1, 2) n;
SELECT (SELECT turns FROM sendgate.accounts WHERE id = 'turns/a') AS turns, d.campaign_id, d.prospect_id FROM sendgate.dispatch(1, 'message', 'turns/a') d;
SELECT (SELECT turns FROM sendgate.accounts WHERE id = 'turns/a') AS turns, d.campaign_id, d.prospect_id FROM sendgate.dispatch(1, 'message', 'turns/a') d;
SELECT (SELECT turns FROM sendgate.accounts WHERE id = 'turns/a') AS turns, d.campaign_id, d.prospect_id FROM sendgate.dispatch(1, 'message', 'turns/a') d;
SELECT (SELECT turns FROM sendgate.accounts WHERE id = 'turns/a') AS turns, d.campaign_id, d.prospect_id FROM sendgate.dispatch(1, 'message', 'turns/a') d;
SELECT campaign_id, count(*) FROM sendgate.dispatch(1000, 'message', 'turns/a') GROUP BY campaign_id ORDER BY campaign_id;
SELECT turns, messages_sent_today FROM sendgate.accounts WHERE id = 'turns/a';

-- Nothing is remembered where no two campaigns share, and the turn remembered before goes with the next hand-out.
SELECT sendgate.enqueue('turns/alone', 'p' || n, 'turns/b', 'invite') FROM generate_series(1, 3) n;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'invite', 'turns/b');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/b';
SELECT sendgate.enqueue('turns/zeal', 'q1', 'turns/b', 'invite');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'invite', 'turns/b');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/b';
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'invite', 'turns/b');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'invite', 'turns/b');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/b';

-- Priority goes first, whatever waits; the turns of each priority are its own, and of each action.
SELECT sendgate.enqueue(w.campaign, w.prospect, 'turns/c', w.action, priority => w.priority)
FROM (
    VALUES
        ('turns/k1', 'p1', 'message', 0), ('turns/k1', 'p2', 'message', 0), ('turns/k1', 'p3', 'message', 0),
        ('turns/k2', 'q1', 'message', 0), ('turns/k2', 'q2', 'message', 0), ('turns/k2', 'q3', 'message', 0),
        ('turns/k2', 'q4', 'message', -100), ('turns/k1', 'p4', 'message', 100),
        ('turns/k1', 'p5', 'engagement', 0), ('turns/k2', 'q5', 'engagement', 0)
) w (campaign, prospect, action, priority);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(2, 'message', 'turns/c');
SELECT sendgate.enqueue('turns/k3', 'r1', 'turns/c', 'message', priority => 7), sendgate.enqueue('turns/k4', 's1', 'turns/c', 'message', priority => 7);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'message', 'turns/c');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'engagement', 'turns/c');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/c';
SELECT campaign_id, prospect_id FROM sendgate.dispatch(2, 'message', 'turns/c');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/c');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'engagement', 'turns/c');

-- A campaign that is paused, or whose prospect is busy, does not hold the others up; a call for one campaign takes
-- no turn.
SELECT sendgate.enqueue(w.campaign, w.prospect, 'turns/d', 'message')
FROM (VALUES ('turns/k1', 'p1'), ('turns/k1', 'p2'), ('turns/k2', 'p1'), ('turns/k2', 'p3'), ('turns/k3', 'p4'), ('turns/k3', 'p5')) w (campaign, prospect);
SELECT sendgate.pause_campaign('turns/k3');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(2, 'message', 'turns/d');
SELECT prospect_id, state, reason FROM contract.work WHERE account_id = 'turns/d' AND campaign_id = 'turns/k2' ORDER BY prospect_id;
SELECT turns FROM sendgate.accounts WHERE id = 'turns/d';
SELECT sendgate.resume_campaign('turns/k3');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(1, 'message', 'turns/d', NULL, 'turns/k1');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/d';
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/d');

-- Limits: a campaign that has taken its part is passed over as a whole, and its account is looked at again at
-- midnight, or when other work is due.
SELECT sendgate.set_campaign('turns/k1', message_limit => 2, invite_limit => 0);
SELECT count(*) FILTER (WHERE sendgate.enqueue('turns/k1', 'p' || n, 'turns/e', 'message')) FROM generate_series(1, 2000) n;
SELECT sendgate.enqueue('turns/k2', 'q1', 'turns/e', 'message');
SELECT sendgate.enqueue('turns/k2', 'q2', 'turns/e', 'message', '2026-05-20 15:00+00');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT due_at AT TIME ZONE 'UTC' AS due_at FROM contract.tickets WHERE account_id = 'turns/e';
SELECT reason FROM sendgate.reserve('turns/e', 'message', 'p1000', 'turns/k1');
SELECT state, reason, count(*) FROM contract.work WHERE account_id = 'turns/e' AND campaign_id = 'turns/k1' GROUP BY state, reason ORDER BY state;
-- A slot that comes back is handed out again.
SELECT sendgate.rollback('turns/e', contract.handed('turns/e', 'p1', 'message'));
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
-- What reserve took counts here too.
SELECT sendgate.rollback('turns/e', contract.handed('turns/e', 'p2', 'message'));
SELECT proceed FROM sendgate.reserve('turns/e', 'message', 'other', 'turns/k1', contract.op(591));
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
-- Other work is due before midnight.
SET sendgate.now = '2026-05-20 15:00:00+00';
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT due_at AT TIME ZONE 'UTC' AS due_at FROM contract.tickets WHERE account_id = 'turns/e';
-- A limit that is raised wakes the work; so does midnight. A limit of 0 waits for an operator.
SELECT sendgate.set_campaign('turns/k1', message_limit => 4, invite_limit => 0);
SELECT count(*) FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT due_at AT TIME ZONE 'UTC' AS due_at FROM contract.tickets WHERE account_id = 'turns/e';
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, 'message', 'turns/e');
SELECT sendgate.enqueue('turns/k1', 'i1', 'turns/e', 'invite');
SELECT count(*) FROM sendgate.dispatch(10, 'invite', 'turns/e');
SELECT due_at AT TIME ZONE 'UTC' AS due_at FROM contract.tickets WHERE account_id = 'turns/e' AND action = 'invite';
SELECT sendgate.set_campaign('turns/k1', message_limit => 4);
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, 'invite', 'turns/e');

-- A campaign's part is one, whatever priorities its work has; what it leaves is others'.
SELECT sendgate.set_campaign('turns/k5', message_limit => 3);
SELECT sendgate.enqueue('turns/k5', 'p' || n, 'turns/f', 'message', priority => n % 2) FROM generate_series(1, 8) n;
SELECT sendgate.enqueue('turns/k6', 'q' || n, 'turns/f', 'message') FROM generate_series(1, 5) n;
SELECT campaign_id, prospect_id FROM sendgate.dispatch(6, 'message', 'turns/f');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(6, 'message', 'turns/f');
SELECT action, waiting, sending, sent_today, daily_limit FROM sendgate.campaigns_today WHERE campaign_id = 'turns/k5';

-- A remembered turn that cannot be read counts as none.
UPDATE sendgate.accounts SET turns = '{"message": {"0": 7, "x": "k"}, "dance": 1}' WHERE id = 'turns/f';
SELECT sendgate.set_campaign('turns/k5');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(2, 'message', 'turns/f');
SELECT turns FROM sendgate.accounts WHERE id = 'turns/f';
SELECT sendgate.set_campaign(campaign_id) FROM sendgate.campaigns;
