-- The breaker: the first "credits exhausted" answer stops an account's InMails, and nothing else.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.breaker_40 AS
SELECT b.account_id, b.mode, b.state, b.exhausted_at, b.resumes_at FROM sendgate.breakers b;
CREATE VIEW contract.breaker_log_40 AS
SELECT account_id, at, action, reason, exhausted_at, prospect_id, campaign_id FROM sendgate.breaker_log;

-- Arming: a credits_exhausted outcome of an InMail stamps the account with the clock.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('breaker/a', 'sales_navigator');
SELECT n, r.proceed
FROM generate_series(1, 3) AS n
CROSS JOIN LATERAL sendgate.reserve('breaker/a', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;
SET sendgate.now = '2026-05-24 12:01:00+00';
SELECT sendgate.rollback('breaker/a', contract.op(1), 'Not enough credits', 'errors/insufficient_credits', 422);
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/a';

-- The slot is given back; the status stays as it is.
SELECT a.status, a.inmails_sent_today FROM sendgate.linkedin_accounts a WHERE a.id = 'breaker/a';

-- The first stamp of a period wins.
SET sendgate.now = '2026-05-24 12:02:00+00';
SELECT sendgate.rollback('breaker/a', contract.op(2), 'Not enough credits');
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/a';

-- Consulted by every InMail: skip until the next period, and say so once for each prospect, campaign
-- and stamp; repeats are only counted.
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT proceed, reason, retry_at, sent_today FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c1');
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c1');
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c2');
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p5');
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p5');
SELECT * FROM contract.breaker_log_40 WHERE account_id = 'breaker/a' ORDER BY at, action, prospect_id, campaign_id;
SELECT at, prospect_id, campaign_id, action, event_type, reason, deferred_to, exhausted_at, repeats
FROM sendgate.campaign_events
WHERE account_id = 'breaker/a'
ORDER BY at, prospect_id, campaign_id;

-- Only InMail: other actions pass as if it did not exist.
SELECT a.action, r.proceed, r.reason
FROM unnest(ARRAY['invite', 'message', 'profile_view', 'engagement']) WITH ORDINALITY AS a (action, n)
CROSS JOIN LATERAL sendgate.reserve('breaker/a', a.action, 'p4') AS r
ORDER BY a.n;

-- A delivery that was on its way before the stamp proves nothing about the credits after it.
SELECT sendgate.confirm('breaker/a', contract.op(3), 'chat-3') IS NOT NULL AS confirmed;
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/a';
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c1');

-- A stamp of an earlier credit period: clear as monthly_reset, and proceed.
SET sendgate.now = '2026-05-31 23:59:59.999999+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c1');
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/a';
SELECT proceed, reason FROM sendgate.reserve('breaker/a', 'inmail', 'p4', 'c1');
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/a';
SELECT at, action, reason, exhausted_at, prospect_id FROM contract.breaker_log_40 WHERE account_id = 'breaker/a' AND action = 'clear';

-- Every rule after the breaker still applies: clearing is no free pass.
SELECT sendgate.upsert_account('breaker/cap', 'sales_navigator');
SELECT sendgate.breaker_arm('breaker/cap', 'test');
SELECT sendgate.set_cap('breaker/cap', 'inmail', 0);
SET sendgate.now = '2026-07-01 00:00:00+00';
SELECT proceed, reason FROM sendgate.reserve('breaker/cap', 'inmail', 'p1');
SELECT exhausted_at FROM contract.breaker_40 WHERE account_id = 'breaker/cap';

-- A late error: reserved in May, answered in June. The stamp is the reservation's time, so that the
-- new month is not blocked.
SET sendgate.now = '2026-05-31 23:55:00+00';
SELECT sendgate.upsert_account('breaker/late', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('breaker/late', 'inmail', 'p1', NULL, contract.op(1));
SET sendgate.now = '2026-06-01 00:01:00+00';
SELECT sendgate.rollback('breaker/late', contract.op(1), 'Not enough credits');
SELECT exhausted_at FROM contract.breaker_40 WHERE account_id = 'breaker/late';
SELECT proceed, reason FROM sendgate.reserve('breaker/late', 'inmail', 'p2');

-- A stale error: reserved before the last clear. It does not arm.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('breaker/stale', 'sales_navigator');
SELECT n, r.proceed
FROM generate_series(1, 2) AS n
CROSS JOIN LATERAL sendgate.reserve('breaker/stale', 'inmail', 'p' || n, NULL, contract.op(n)) AS r
ORDER BY n;
SELECT sendgate.rollback('breaker/stale', contract.op(1), 'Not enough credits');
SET sendgate.now = '2026-05-24 12:05:00+00';
SELECT sendgate.breaker_clear('breaker/stale', 'credits bought');
SET sendgate.now = '2026-05-24 12:06:00+00';
SELECT sendgate.rollback('breaker/stale', contract.op(2), 'Not enough credits');
SELECT exhausted_at FROM contract.breaker_40 WHERE account_id = 'breaker/stale';
SELECT proceed FROM sendgate.reserve('breaker/stale', 'inmail', 'p3', NULL, contract.op(3));
SELECT sendgate.rollback('breaker/stale', contract.op(3), 'Not enough credits');
SELECT exhausted_at FROM contract.breaker_40 WHERE account_id = 'breaker/stale';

-- An outcome that says nothing about credits does not arm; neither does an invite's "credit".
SELECT sendgate.upsert_account('breaker/other', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('breaker/other', 'inmail', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('breaker/other', contract.op(1), 'recipient blocked');
SELECT proceed FROM sendgate.reserve('breaker/other', 'invite', 'p1', NULL, contract.op(2));
SELECT sendgate.rollback('breaker/other', contract.op(2), 'Not enough credits', http_status => 422);
SELECT exhausted_at FROM contract.breaker_40 WHERE account_id = 'breaker/other';

-- Proof of success that was recorded otherwise, for instance by a webhook: an inmail_sent event that
-- occurred and was recorded after the stamp, within the last hour. Each of the others proves nothing.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT a.id, sendgate.upsert_account(a.id, 'sales_navigator'), sendgate.breaker_arm(a.id, 'test')
FROM unnest(ARRAY['proof/another', 'proof/before', 'proof/good', 'proof/invite', 'proof/old', 'proof/recorded']) AS a (id)
ORDER BY a.id;
INSERT INTO sendgate.linkedin_events (id, operation_id, account_id, prospect_id, event_type, chat_id, occurred_at, recorded_at, counted_on)
VALUES
    (contract.op(1), contract.op(1), 'proof/good', 'p1', 'inmail_sent', 'chat', '2026-05-24 12:30+00', '2026-05-24 12:31+00', '2026-05-24'),
    (contract.op(1), contract.op(1), 'proof/before', 'p1', 'inmail_sent', 'chat', '2026-05-24 11:59+00', '2026-05-24 12:31+00', '2026-05-24'),
    (contract.op(1), contract.op(1), 'proof/recorded', 'p1', 'inmail_sent', 'chat', '2026-05-24 12:30+00', '2026-05-24 11:59+00', '2026-05-24'),
    (contract.op(1), contract.op(1), 'proof/old', 'p1', 'inmail_sent', 'chat', '2026-05-24 12:05+00', '2026-05-24 12:31+00', '2026-05-24'),
    (contract.op(1), contract.op(1), 'proof/invite', 'p1', 'invite_sent', 'chat', '2026-05-24 12:30+00', '2026-05-24 12:31+00', '2026-05-24');
SET sendgate.now = '2026-05-24 13:10:00+00';
SELECT a.id, r.proceed, r.reason
FROM unnest(ARRAY['proof/another', 'proof/before', 'proof/good', 'proof/invite', 'proof/old', 'proof/recorded']) AS a (id)
CROSS JOIN LATERAL sendgate.reserve(a.id, 'inmail', 'p9') AS r
ORDER BY a.id;
SELECT account_id, action, reason FROM contract.breaker_log_40 WHERE account_id LIKE 'proof/%' AND action = 'clear';

-- Forced open: every InMail is refused, with or without a stamp, and nothing is logged as a skip.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('breaker/forced', 'sales_navigator');
SELECT sendgate.breaker_force('breaker/forced', 'open', 'under review');
SELECT proceed, reason, retry_at FROM sendgate.reserve('breaker/forced', 'inmail', 'p1');
SELECT proceed, reason FROM sendgate.reserve('breaker/forced', 'invite', 'p1');
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/forced';

-- Forced closed: it still stamps, but is not consulted.
SELECT sendgate.breaker_force('breaker/forced', 'closed', 'provider reports nonsense');
SELECT proceed FROM sendgate.reserve('breaker/forced', 'inmail', 'p2', NULL, contract.op(2));
SELECT sendgate.rollback('breaker/forced', contract.op(2), 'Not enough credits');
SELECT * FROM contract.breaker_40 WHERE account_id = 'breaker/forced';
SELECT proceed, reason FROM sendgate.reserve('breaker/forced', 'inmail', 'p3');

-- Back to auto, the stamp counts.
SELECT sendgate.breaker_force('breaker/forced', 'auto', 'mended');
SELECT proceed, reason, retry_at FROM sendgate.reserve('breaker/forced', 'inmail', 'p4');
SELECT action, reason FROM contract.breaker_log_40 WHERE account_id = 'breaker/forced' ORDER BY action;

-- By hand: arm and clear, with who and why. Arming twice changes nothing; a clear without a stamp is
-- no error.
SELECT sendgate.upsert_account('breaker/hand', 'sales_navigator');
SELECT sendgate.breaker_arm('breaker/hand', 'balance is 0');
SELECT sendgate.breaker_arm('breaker/hand', 'again');
SET sendgate.now = '2026-05-24 14:00:00+00';
SELECT sendgate.breaker_clear('breaker/hand', 'credits bought');
SELECT sendgate.breaker_clear('breaker/hand', 'again');
SELECT proceed FROM sendgate.reserve('breaker/hand', 'inmail', 'p1');
SELECT at, action, reason, actor, exhausted_at, note FROM sendgate.breaker_log WHERE account_id = 'breaker/hand' ORDER BY at;

-- breaker_check: for applications that use only the breaker. The same order, the same answers.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('breaker/only', 'sales_navigator');
SELECT * FROM sendgate.breaker_check('breaker/only');

-- breaker_report tells it what the provider answered; only credits_exhausted arms.
SELECT sendgate.breaker_report('breaker/only', 'p1', 'recipient blocked');
SELECT sendgate.breaker_report('breaker/only', 'p1', 'Gateway Timeout', http_status => 504);
SELECT * FROM sendgate.breaker_check('breaker/only', 'p1', 'c1');
SELECT sendgate.breaker_report('breaker/only', 'p1', 'Not enough credits', 'errors/insufficient_credits', 422);
SELECT * FROM sendgate.breaker_check('breaker/only', 'p2', 'c1');
SELECT * FROM sendgate.breaker_check('breaker/only', 'p2', 'c1');
SELECT * FROM sendgate.breaker_check('breaker/only');
SELECT at, action, reason, exhausted_at, prospect_id, campaign_id FROM contract.breaker_log_40 WHERE account_id = 'breaker/only' ORDER BY action, prospect_id;

-- It takes no slot and no other rule is asked; but the one switch stops it too.
SELECT inmails_sent_today FROM sendgate.linkedin_accounts WHERE id = 'breaker/only';
SELECT sendgate.set_status('breaker/only', 'paused', 'test');
SELECT sendgate.breaker_force('breaker/only', 'open', 'test');
SELECT * FROM sendgate.breaker_check('breaker/only');
SELECT sendgate.breaker_force('breaker/only', 'closed', 'test');
SELECT * FROM sendgate.breaker_check('breaker/only');
SELECT sendgate.pause_all('test');
SELECT * FROM sendgate.breaker_check('breaker/only');
SELECT sendgate.resume_all();
SELECT sendgate.breaker_force('breaker/only', 'auto', 'test');

-- In the next period it clears.
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT * FROM sendgate.breaker_check('breaker/only', 'p3');
SELECT at, reason, exhausted_at, prospect_id FROM contract.breaker_log_40 WHERE account_id = 'breaker/only' AND action = 'clear';

-- And on proof.
SELECT sendgate.breaker_report('breaker/only', 'p4', 'Not enough credits');
INSERT INTO sendgate.linkedin_events (id, operation_id, account_id, prospect_id, event_type, chat_id, occurred_at, recorded_at, counted_on)
VALUES (contract.op(9), contract.op(9), 'breaker/only', 'p5', 'inmail_sent', 'chat-5', '2026-06-01 00:10+00', '2026-06-01 00:10+00', '2026-06-01');
SET sendgate.now = '2026-06-01 00:20:00+00';
SELECT * FROM sendgate.breaker_check('breaker/only', 'p6');
SELECT at, reason, exhausted_at, prospect_id FROM contract.breaker_log_40 WHERE account_id = 'breaker/only' AND action = 'clear' ORDER BY at;

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$breaker_check(NULL)$$),
        (2, $$breaker_check('breaker/nobody')$$),
        (3, $$breaker_check('breaker/only', '')$$),
        (4, $$breaker_check('breaker/only', 'p', ' ')$$),
        (10, $$breaker_report('breaker/only', NULL, 'x')$$),
        (11, $$breaker_report('breaker/only', 'p', NULL)$$),
        (12, $$breaker_report('breaker/nobody', 'p', 'Not enough credits')$$),
        (13, $$breaker_report('breaker/nobody', 'p', 'blocked')$$),
        (20, $$breaker_clear('breaker/nobody', 'x')$$),
        (21, $$breaker_clear(NULL, 'x')$$),
        (22, $$breaker_arm('breaker/nobody', 'x')$$),
        (23, $$breaker_force('breaker/only', 'half', 'x')$$),
        (24, $$breaker_force('breaker/only', NULL, 'x')$$),
        (25, $$breaker_force('breaker/nobody', 'open', 'x')$$),
        (26, $$breaker_probe('breaker/nobody', 'x')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
