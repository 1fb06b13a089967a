-- InMail credits that are known: a balance is told, each grant takes one, and the breaker closes the tap before the
-- provider has to say no.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('cred/' || a, 'premium_business') FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e', 'f', 'none']) a;
CREATE VIEW contract.credits_43 AS
SELECT account_id, credits_left AS left, observed_at, used_last_7_days AS used, next_grant_at, next_grant AS grant, ceiling, lasts_until, state
FROM sendgate.credits WHERE account_id LIKE 'cred/%';
CREATE VIEW contract.breaker_43 AS
SELECT account_id, action, reason, exhausted_at, prospect_id, campaign_id, note
FROM sendgate.breaker_log WHERE account_id LIKE 'cred/%' ORDER BY id;

-- No balance was told: nothing is counted.
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/none';

-- Two credits are told: two grants, and a third InMail waits for those in flight, without stamp, log or deferral.
SELECT sendgate.record_credit_balance('cred/a', 2, note => 'from the billing page');
SELECT sendgate.enqueue('spring', 'w1', 'cred/a', 'inmail') AS is_new;
SELECT n, r.proceed, r.reason, r.retry_at
FROM generate_series(1, 3) n CROSS JOIN LATERAL sendgate.reserve('cred/a', 'inmail', 'p' || n, NULL, contract.op(n)) r;
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/a';
SELECT proceed, reason, retry_at FROM sendgate.preview('cred/a', 'inmail');
SELECT proceed, reason, retry_at, exhausted_at FROM sendgate.breaker_check('cred/a', 'p3');
SELECT count(*) FROM sendgate.dispatch(5, 'inmail', 'cred/a');
SELECT state, due_at, reason FROM contract.work WHERE account_id = 'cred/a';
SELECT due_at FROM contract.tickets WHERE account_id = 'cred/a' AND action = 'inmail';
SELECT count(*) FROM contract.breaker_43;
-- Other actions need no credits.
SELECT proceed FROM sendgate.reserve('cred/a', 'message', 'p3', NULL, contract.op(30));

-- One comes back with its credit, and the work goes out; both are delivered, and none are left.
SET sendgate.now = '2026-05-20 12:05:00+00';
SELECT sendgate.rollback('cred/a', contract.op(2));
SELECT prospect_id FROM sendgate.dispatch(5, 'inmail', 'cred/a');
SELECT sendgate.confirm('cred/a', contract.handed('cred/a', 'w1'), 'chat-w1') IS NOT NULL AS delivered;
SELECT sendgate.confirm('cred/a', contract.op(1), 'chat-1') IS NOT NULL AS delivered;
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/a';

-- The next consult stamps the breaker before any call is made; then all is as with the provider's own stamp.
SELECT proceed, reason, retry_at FROM sendgate.preview('cred/a', 'inmail');
SELECT count(*) FROM contract.breaker_43;
SELECT proceed, reason, retry_at FROM sendgate.reserve('cred/a', 'inmail', 'p4', 'spring', contract.op(4));
SELECT sendgate.enqueue('spring', 'w2', 'cred/a', 'inmail') AS is_new;
SELECT count(*) FROM sendgate.dispatch(5, 'inmail', 'cred/a');
SELECT prospect_id, state, due_at, reason FROM contract.work WHERE account_id = 'cred/a' ORDER BY prospect_id;
SELECT action, reason, exhausted_at, prospect_id, campaign_id FROM contract.breaker_43;

-- Topped up and told: it goes on without a test InMail, deferred work too.
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT sendgate.record_credit_balance('cred/a', 10, '2026-05-20 12:59:00+00', 'topped up');
SELECT action, reason, exhausted_at, note FROM contract.breaker_43 WHERE action = 'clear';
SELECT prospect_id FROM sendgate.dispatch(5, 'inmail', 'cred/a');
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/a';

-- Older than the last: logged, and nothing changes. Unchanged: logged once a UTC day.
SELECT sendgate.record_credit_balance('cred/a', 3, '2026-05-20 12:30:00+00', 'late'), sendgate.record_credit_balance('cred/a', 3, '2026-05-20 12:30:00+00', 'late again');
SELECT sendgate.record_credit_balance('cred/b', 5), sendgate.record_credit_balance('cred/b', 5);
SET sendgate.now = '2026-05-21 00:00:00+00';
SELECT sendgate.record_credit_balance('cred/b', 5), sendgate.record_credit_balance('cred/b', 5, '2026-05-21 00:05:00+00');
SELECT account_id, balance, observed_at, recorded_at, actor = session_user AS by_us, note FROM sendgate.credit_balances
WHERE account_id LIKE 'cred/%' ORDER BY account_id, id;
SELECT "left", observed_at FROM contract.credits_43 WHERE account_id IN ('cred/a', 'cred/b') ORDER BY account_id;

-- What is in flight may take its credit before the page is read or after it: it is taken off. What comes back of it gives one.
SET sendgate.now = '2026-05-21 10:00:00+00';
SELECT count(*) FILTER (WHERE r.proceed) AS granted FROM generate_series(1, 3) n CROSS JOIN LATERAL sendgate.reserve('cred/c', 'inmail', 'p' || n, NULL, contract.op(n)) r;
SET sendgate.now = '2026-05-21 10:05:00+00';
SELECT sendgate.confirm('cred/c', contract.op(1), 'chat-1') IS NOT NULL AS delivered;
SELECT sendgate.record_credit_balance('cred/c', 9);
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';
SELECT sendgate.rollback('cred/c', contract.op(2));
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';
SELECT sendgate.confirm('cred/c', contract.op(2), 'chat-2') IS NOT NULL AS delivered_all_the_same;
SELECT sendgate.record_external_send('cred/c', 'inmail', 'by hand', 'chat-h', '2026-05-21 10:05:00+00') IS NOT NULL AS by_hand;
SELECT sendgate.record_external_send('cred/c', 'inmail', 'by hand before', 'chat-i', '2026-05-21 10:00:00+00') IS NOT NULL AS by_hand;
SET sendgate.now = '2026-05-21 10:06:00+00';
SELECT sendgate.record_external_send('cred/c', 'inmail', 'by hand after', 'chat-j', '2026-05-21 10:05:30+00') IS NOT NULL AS by_hand;
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';

-- The provider has the last word: none are left, whatever the count says. Its stamp is cleared only by a balance above the count,
-- or by one that rose meanwhile: a page may lag.
SELECT sendgate.rollback('cred/c', contract.op(3), 'no credits', 'errors/insufficient_credits', 422) AS old_news;
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';
SELECT r.proceed FROM generate_series(7, 8) n CROSS JOIN LATERAL sendgate.reserve('cred/c', 'inmail', 'p' || n, NULL, contract.op(n)) r;
SELECT sendgate.rollback('cred/c', contract.op(8), 'no credits', 'errors/insufficient_credits', 422);
SELECT "left", state FROM contract.credits_43 WHERE account_id = 'cred/c';
SELECT inmail_credits_stamp, inmail_credits_above FROM sendgate.accounts WHERE id = 'cred/c';
-- An operation that was reserved before gives nothing back.
SELECT sendgate.rollback('cred/c', contract.op(7));
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';
SET sendgate.now = '2026-05-21 10:10:00+00';
SELECT sendgate.record_credit_balance('cred/c', 7);
SELECT proceed, reason FROM sendgate.preview('cred/c', 'inmail');
SELECT sendgate.record_credit_balance('cred/c', 0);
SET sendgate.now = '2026-05-21 10:15:00+00';
SELECT sendgate.record_credit_balance('cred/c', 6);
SELECT proceed, reason FROM sendgate.preview('cred/c', 'inmail');
SELECT action, reason FROM contract.breaker_43 WHERE account_id = 'cred/c';
-- A late error of before the balance is old news.
SELECT proceed FROM sendgate.reserve('cred/c', 'inmail', 'p9', NULL, contract.op(9));
SET sendgate.now = '2026-05-21 10:20:00+00';
SELECT sendgate.record_credit_balance('cred/c', 50);
SELECT sendgate.rollback('cred/c', contract.op(9), 'no credits', 'errors/insufficient_credits', 422);
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/c';
SELECT proceed FROM sendgate.preview('cred/c', 'inmail');

-- The same without the gate: breaker_check alone stamps and clears.
SELECT sendgate.record_credit_balance('cred/d', 0);
SELECT proceed, reason, retry_at, exhausted_at FROM sendgate.breaker_check('cred/d', 'p1', 'spring');
SELECT sendgate.record_credit_balance('cred/d', 1);
SELECT proceed, reason FROM sendgate.breaker_check('cred/d', 'p1', 'spring');
SELECT action, reason FROM contract.breaker_43 WHERE account_id = 'cred/d';
SET sendgate.now = '2026-05-21 10:25:00+00';
SELECT sendgate.breaker_report('cred/d', 'p1', 'no credits', 'errors/insufficient_credits');
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/d';

-- Clearing by hand at 0 credits holds for no InMail, and says so; forgetting the balance does.
SELECT sendgate.record_credit_balance('cred/e', 0);
SELECT reason FROM sendgate.reserve('cred/e', 'inmail', 'p1');
SELECT sendgate.breaker_clear('cred/e', 'believe me');
SELECT reason FROM sendgate.reserve('cred/e', 'inmail', 'p1');
SELECT sendgate.forget_credit_balance('cred/e', 'the page is wrong');
SELECT proceed FROM sendgate.preview('cred/e', 'inmail');
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/e';
SELECT action, reason, note FROM contract.breaker_43 WHERE account_id = 'cred/e';
SELECT verb, subject, before, after, note FROM sendgate.admin_log WHERE account_id = 'cred/e' AND verb = 'forget_credit_balance';
SELECT sendgate.forget_credit_balance('cred/e', 'twice'), sendgate.forget_credit_balance('cred/none', 'nothing to forget');
SELECT count(*) FROM sendgate.admin_log WHERE account_id IN ('cred/e', 'cred/none') AND verb = 'forget_credit_balance';

-- A probe at 0 credits that is delivered proves the count wrong, and ends it.
SELECT sendgate.record_credit_balance('cred/e', 0);
SELECT reason FROM sendgate.reserve('cred/e', 'inmail', 'p1');
SET sendgate.now = '2026-05-21 10:30:00+00';
SELECT sendgate.breaker_probe('cred/e', 'one test');
SELECT proceed FROM sendgate.reserve('cred/e', 'inmail', 'p2', NULL, contract.op(2));
SELECT beyond_credits FROM sendgate.send_operations WHERE account_id = 'cred/e' AND operation_id = contract.op(2);
SELECT sendgate.confirm('cred/e', contract.op(2), 'chat-2') IS NOT NULL AS delivered;
SELECT state FROM contract.credits_43 WHERE account_id = 'cred/e';
SELECT proceed FROM sendgate.preview('cred/e', 'inmail');

-- A new credit period brings the tier's credits, up to its ceiling. The first reader sees them, before anything is written.
SELECT sendgate.record_credit_balance('cred/f', 2);
SELECT r.proceed FROM sendgate.reserve('cred/f', 'inmail', 'p1', NULL, contract.op(1)) r;
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/f';
SELECT proceed FROM sendgate.reserve('cred/f', 'inmail', 'p2', NULL, contract.op(2));
SELECT credits_left, credits_base, credits_since, credits_observed_at FROM sendgate.accounts WHERE id = 'cred/f';
SELECT * FROM contract.credits_43 WHERE account_id = 'cred/f';
SET sendgate.now = '2026-07-01 00:00:00+00';
SELECT "left", observed_at, state FROM contract.credits_43 WHERE account_id = 'cred/f';
-- Two whole periods without news, and it is a guess: the counting ends.
SET sendgate.now = '2026-08-01 00:00:00+00';
SELECT "left", observed_at, state FROM contract.credits_43 WHERE account_id = 'cred/f';
SELECT proceed FROM sendgate.reserve('cred/f', 'inmail', 'p3', NULL, contract.op(3));
SELECT credits_left, credits_observed_at FROM sendgate.accounts WHERE id = 'cred/f';

-- The reading under the view: 10 less one that was in flight over the 1st, whose credit is taken before or after the grant of 15.
SELECT left_now, observed_at, used_per_day, next_grant_at, next_grant, lasts_until, state
FROM sendgate.credit_forecast(9, 10, '2026-05-20', '2026-05-20', NULL, 1, NULL, 15, 45,
    ARRAY[timestamptz '2026-05-31 23:59+00'], ARRAY[timestamptz '2026-06-01 00:14+00'], ARRAY[NULL::timestamptz], 14, '2026-06-02');
SELECT left_now, next_grant_at, next_grant, state FROM sendgate.credit_forecast(NULL, NULL, NULL, NULL, NULL, 31, NULL, NULL, NULL, NULL, NULL, NULL, 0, '2026-06-02');

-- A stamp of our own falls with its period.
SELECT sendgate.record_credit_balance('cred/b', 0);
SELECT reason, retry_at FROM sendgate.reserve('cred/b', 'inmail', 'p1');
SET sendgate.now = '2026-09-01 00:00:00+00';
SELECT proceed, remaining FROM sendgate.reserve('cred/b', 'inmail', 'p1', NULL, contract.op(1));
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/b';
SELECT action, reason FROM contract.breaker_43 WHERE account_id = 'cred/b';
-- Another reset day: the next start counts from the change on.
SELECT sendgate.upsert_account('cred/b', credit_reset_day => 10);
SET sendgate.now = '2026-09-10 00:00:00+00';
SELECT "left", next_grant_at FROM contract.credits_43 WHERE account_id = 'cred/b';

-- Forced closed, the credits are counted and not consulted.
SELECT sendgate.record_credit_balance('cred/d', 0);
SELECT sendgate.breaker_force('cred/d', 'closed', 'test');
SELECT proceed FROM sendgate.reserve('cred/d', 'inmail', 'p7', NULL, contract.op(7));
SELECT proceed FROM sendgate.breaker_check('cred/d', 'p7');
SELECT credits_left FROM sendgate.accounts WHERE id = 'cred/d';
SELECT "left" FROM contract.credits_43 WHERE account_id = 'cred/d';

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.*
FROM (
    VALUES
        (1, $$record_credit_balance('cred/a', -1)$$),
        (2, $$record_credit_balance('cred/a', 100001)$$),
        (3, $$record_credit_balance('cred/a', NULL)$$),
        (4, $$record_credit_balance('cred/nobody', 1)$$),
        (5, $$record_credit_balance(NULL, 1)$$),
        (6, $$record_credit_balance('cred/a', 1, '2026-09-10 00:05:00.000001+00')$$),
        (7, $$record_credit_balance('cred/a', 1, 'infinity')$$),
        (8, $$record_credit_balance('cred/a', 1, NULL, '  ')$$),
        (9, $$forget_credit_balance('cred/nobody', 'x')$$),
        (10, $$forget_credit_balance(NULL, 'x')$$),
        (11, $$forget_credit_balance('cred/a', ' ')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off
SELECT contract.books() = :'before' AS nothing_changed;

-- How many accounts are in which state, of those with a told balance.
SELECT bool_and(s.accounts = (SELECT count(*) FROM sendgate.credits c WHERE c.state = s.state)) AS agree,
       sum(s.accounts) = (SELECT count(*) FROM sendgate.credits c WHERE c.credits_left IS NOT NULL) AS all_of_them
FROM sendgate.credit_states s WHERE s.state <> 'untracked';

-- Later files find no breaker of these accounts open, and no balance.
SELECT count(sendgate.forget_credit_balance(id, 'the end')) AS forgotten FROM sendgate.accounts WHERE id LIKE 'cred/%' AND credits_left IS NOT NULL;
SELECT count(sendgate.breaker_clear(account_id, 'the end')) AS cleared FROM sendgate.breakers WHERE account_id LIKE 'cred/%' AND exhausted_at IS NOT NULL;
