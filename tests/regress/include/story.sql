-- The story of the seeds, told by psql's variable :account in the session's time zone. Included by
-- 50_story.sql, once for each time zone.

-- May 24, a Sales Navigator account with work to do.
SET sendgate.now = '2026-05-24 09:00:00+00';
SELECT sendgate.upsert_account(:'account', 'sales_navigator', 'Ada''s Sales Nav');
SELECT proceed, reason, sent_today, daily_cap, remaining
FROM sendgate.reserve(:'account', 'inmail', 'prospect-1', 'spring', contract.op(1));

-- LinkedIn answers "Not enough credits": the breaker arms, and the slot is given back.
SELECT sendgate.rollback(
    :'account',
    contract.op(1),
    'Not enough credits — Provider cannot execute request because of insufficient credits',
    'errors/insufficient_credits',
    422
);

-- Every InMail after it is skipped before any call is made, until the first of next month, 00:00 UTC.
SET sendgate.now = '2026-05-24 09:01:00+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve(:'account', 'inmail', 'prospect-2', 'spring');

-- Invites and messages go on at full pace, and the account stays connected.
SELECT proceed, reason FROM sendgate.reserve(:'account', 'invite', 'prospect-2', 'spring');
SELECT proceed, reason FROM sendgate.reserve(:'account', 'message', 'prospect-3', 'spring');

-- The card says so.
SELECT status, inmails_sent_today, inmail_daily_cap, pill FROM sendgate.account_cards WHERE account_id = :'account';

-- The operator looks, with the seeds' own SQL.
BEGIN;
SET LOCAL search_path = sendgate;
SELECT id, display_name, status, inmail_credits_exhausted_at
FROM linkedin_accounts
WHERE inmail_credits_exhausted_at IS NOT NULL
ORDER BY inmail_credits_exhausted_at DESC;
COMMIT;

-- Credits are topped up. A probe lets a single test InMail through; the others are skipped as before.
SET sendgate.now = '2026-05-24 15:00:00+00';
SELECT sendgate.breaker_probe(:'account', 'bought 20 credits');
SELECT proceed, reason FROM sendgate.reserve(:'account', 'inmail', 'prospect-4', 'spring', contract.op(4));
SELECT proceed, reason FROM sendgate.reserve(:'account', 'inmail', 'prospect-5', 'spring', contract.op(5));

-- It is delivered: the breaker clears, and everybody sends again.
SET sendgate.now = '2026-05-24 15:01:00+00';
SELECT sendgate.confirm(:'account', contract.op(4), 'chat-4') IS NOT NULL AS delivered;
SELECT proceed, reason FROM sendgate.reserve(:'account', 'inmail', 'prospect-5', 'spring', contract.op(5));
SELECT sendgate.confirm(:'account', contract.op(5), 'chat-5') IS NOT NULL AS delivered;
SELECT inmails_sent_today, inmails_delivered_today, pill FROM sendgate.account_cards WHERE account_id = :'account';

-- May 31, an hour before the month ends in UTC: empty again.
SET sendgate.now = '2026-05-31 23:00:00+00';
SELECT proceed FROM sendgate.reserve(:'account', 'inmail', 'prospect-6', 'spring', contract.op(6));
SELECT sendgate.rollback(:'account', contract.op(6), 'Not enough credits');
SET sendgate.now = '2026-05-31 23:59:59+00';
SELECT proceed, reason, retry_at FROM sendgate.reserve(:'account', 'inmail', 'prospect-7', 'spring');
SELECT pill FROM sendgate.account_cards WHERE account_id = :'account';

-- June 1, 00:00 UTC: the credits are back, and the first InMail clears the breaker by itself.
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT pill FROM sendgate.account_cards WHERE account_id = :'account';
SELECT proceed, reason, sent_today FROM sendgate.reserve(:'account', 'inmail', 'prospect-7', 'spring', contract.op(7));
SELECT inmail_credits_exhausted_at FROM sendgate.linkedin_accounts WHERE id = :'account';

-- When exactly did it arm, skip and clear?
SELECT at AT TIME ZONE 'UTC' AS at_utc, action, reason, prospect_id
FROM sendgate.breaker_log
WHERE account_id = :'account'
ORDER BY at, action, prospect_id;
