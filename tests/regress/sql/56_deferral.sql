-- While the breaker is open, an account's due InMails are deferred to its next credit period, each
-- with a line in the campaign's audit; whatever closes the breaker before makes them due again.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.work_56 AS
SELECT account_id, prospect_id, action, state, due_at, reason FROM contract.work WHERE account_id LIKE 'deferral/%';
CREATE VIEW contract.skips_56 AS
SELECT account_id, prospect_id, campaign_id, at, event_type, reason, deferred_to, exhausted_at, repeats, last_repeat_at
FROM sendgate.campaign_events;
-- An account with so many due InMails, the first first.
CREATE FUNCTION contract.account_56(account text, works integer, reset_day integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sendgate.upsert_account(account, 'sales_navigator', credit_reset_day => reset_day);
    FOR n IN 1..works LOOP
        PERFORM sendgate.enqueue('spring', 'p' || n, account, 'inmail', sendgate.clock() - (works - n) * interval '1 second');
    END LOOP;
END
$$;

-- The InMail that finds the balance empty, and those behind it: each deferred to the 1st, once.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/a', 4);
SELECT sendgate.enqueue('spring', 'p1', 'deferral/a', 'invite') AS is_new;
SELECT sendgate.enqueue('spring', 'later', 'deferral/a', 'inmail', '2026-05-25 12:00+00') AS is_new;
SELECT prospect_id FROM sendgate.dispatch(1, 'inmail', 'deferral/a');
SET sendgate.now = '2026-05-24 12:01:00+00';
SELECT sendgate.rollback('deferral/a', contract.handed('deferral/a', 'p1'), 'Not enough credits', 'errors/insufficient_credits', 422);
SELECT action, prospect_id FROM sendgate.dispatch(10, NULL, 'deferral/a');
SELECT * FROM contract.work_56 WHERE account_id = 'deferral/a' ORDER BY action, prospect_id;
SELECT * FROM contract.skips_56 WHERE account_id = 'deferral/a' ORDER BY prospect_id;
SELECT at, action, reason, prospect_id, campaign_id, exhausted_at FROM sendgate.breaker_log WHERE account_id = 'deferral/a' ORDER BY at, action, prospect_id;

-- Nothing is left to do until then; what falls due meanwhile is deferred in its turn.
SELECT contract.books() AS before \gset
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/a');
SELECT contract.books() = :'before' AS nothing_changed;
SET sendgate.now = '2026-05-25 12:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/a');
SELECT * FROM contract.work_56 WHERE account_id = 'deferral/a' AND prospect_id = 'later';

-- resume_deferred makes them due although nothing has changed: they are deferred again, without a new
-- line for the same stamp; the repeats are counted. The breaker's log has no repeats.
SELECT sendgate.resume_deferred('deferral/a');
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/a' AND action = 'inmail' ORDER BY prospect_id;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/a');
SELECT prospect_id, at, repeats, last_repeat_at FROM contract.skips_56 WHERE account_id = 'deferral/a' ORDER BY prospect_id;
SELECT action, count(*) FROM sendgate.breaker_log WHERE account_id = 'deferral/a' GROUP BY action ORDER BY action;
SELECT verb, after FROM sendgate.admin_log WHERE account_id = 'deferral/a' AND verb = 'resume_deferred';

-- On the 1st, to the instant, it goes on by itself.
SET sendgate.now = '2026-05-31 23:59:59.999999+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/a');
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(10, NULL, 'deferral/a') ORDER BY prospect_id;
SELECT at, action, reason FROM sendgate.breaker_log WHERE account_id = 'deferral/a' AND action = 'clear';
SELECT inmail_credits_exhausted_at FROM sendgate.accounts WHERE id = 'deferral/a';

-- A new stamp is a new line.
SELECT sendgate.rollback('deferral/a', contract.handed('deferral/a', 'p2'));
SELECT sendgate.breaker_arm('deferral/a', 'test');
SET sendgate.now = '2026-06-01 00:05:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/a');
SELECT at, deferred_to, exhausted_at, repeats FROM contract.skips_56 WHERE account_id = 'deferral/a' AND prospect_id = 'p2' ORDER BY at;

-- The next period is the account's own: it starts on its credit_reset_day, and moves with it.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/reset_day', 2, reset_day => 28);
SELECT sendgate.breaker_arm('deferral/reset_day', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_day');
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/reset_day' ORDER BY prospect_id;
SELECT sendgate.upsert_account('deferral/reset_day', credit_reset_day => 27);
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/reset_day' ORDER BY prospect_id;
SET sendgate.now = '2026-05-27 00:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'deferral/reset_day');

-- Later too: no work is due before its credits are.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/reset_later', 1, reset_day => 25);
SELECT sendgate.breaker_arm('deferral/reset_later', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_later');
SELECT sendgate.upsert_account('deferral/reset_later', credit_reset_day => 5);
SELECT due_at FROM contract.work_56 WHERE account_id = 'deferral/reset_later';
SET sendgate.now = '2026-05-25 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_later');
SET sendgate.now = '2026-06-05 00:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_later');

-- To a day that this month has passed already: the stamp is of an earlier period at once.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/reset_passed', 1);
SELECT sendgate.breaker_arm('deferral/reset_passed', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_passed');
SET sendgate.now = '2026-05-26 12:00:00+00';
SELECT sendgate.upsert_account('deferral/reset_passed', credit_reset_day => 25);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/reset_passed');

-- A clear does not wait for the 1st.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/clear', 2);
SELECT sendgate.breaker_arm('deferral/clear', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/clear');
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.breaker_clear('deferral/clear', 'credits bought');
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/clear' ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'deferral/clear') ORDER BY prospect_id;

-- Spread over sendgate.release_spread, in the order in which the work came.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/spread', 4);
SELECT sendgate.breaker_arm('deferral/spread', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/spread');
SET sendgate.release_spread = '1h';
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.breaker_clear('deferral/spread', 'credits bought');
RESET sendgate.release_spread;
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/spread' ORDER BY due_at;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/spread');
SET sendgate.now = '2026-05-24 13:30:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/spread');
SET sendgate.now = '2026-05-24 13:45:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/spread');

-- Proof of success that was recorded otherwise clears too, and all of the account's work goes on.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/evidence', 3);
SELECT sendgate.breaker_arm('deferral/evidence', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/evidence');
INSERT INTO sendgate.linkedin_events (id, operation_id, account_id, prospect_id, event_type, chat_id, occurred_at, recorded_at, counted_on)
VALUES (contract.op(1), contract.op(1), 'deferral/evidence', 'p8', 'inmail_sent', 'chat-8', '2026-05-24 12:30+00', '2026-05-24 12:31+00', '2026-05-24');
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.enqueue('spring', 'p9', 'deferral/evidence', 'inmail') AS is_new;
DO $$
BEGIN
    -- The call that finds the proof, and the next.
    PERFORM FROM sendgate.dispatch(10, NULL, 'deferral/evidence');
    PERFORM FROM sendgate.dispatch(10, NULL, 'deferral/evidence');
END
$$;
SELECT prospect_id, state FROM contract.work_56 WHERE account_id = 'deferral/evidence' ORDER BY prospect_id;
SELECT action, reason, count(*) FROM sendgate.breaker_log WHERE account_id = 'deferral/evidence' GROUP BY action, reason ORDER BY action;

-- Forced open: the account waits as a whole, and not one enrollment is written.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_56('deferral/forced', 20);
CREATE TABLE contract.before_56 AS SELECT prospect_id, xmin::text AS version FROM sendgate.enrollments WHERE account_id = 'deferral/forced';
SELECT sendgate.breaker_force('deferral/forced', 'open', 'test');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'deferral/forced');
SELECT count(*) AS unchanged FROM sendgate.enrollments AS e JOIN contract.before_56 AS b USING (prospect_id) WHERE e.account_id = 'deferral/forced' AND e.xmin::text = b.version;
SELECT count(*) AS skips FROM contract.skips_56 WHERE account_id = 'deferral/forced';
DROP TABLE contract.before_56;

-- With a stamp besides: forced open goes first. Back to auto, the stamp counts and defers.
SELECT sendgate.breaker_arm('deferral/forced', 'test');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'deferral/forced');
SELECT count(*) AS skips FROM contract.skips_56 WHERE account_id = 'deferral/forced';
SELECT sendgate.breaker_force('deferral/forced', 'auto', 'test');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'deferral/forced');
SELECT count(*) AS skips FROM contract.skips_56 WHERE account_id = 'deferral/forced';

-- Forced closed: the breaker is not consulted any more, so deferred work goes on.
SELECT sendgate.breaker_force('deferral/forced', 'closed', 'test');
SELECT due_at, reason, count(*) FROM contract.work_56 WHERE account_id = 'deferral/forced' GROUP BY due_at, reason;
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'deferral/forced');

-- An InMail that finds the balance empty under a forced-closed breaker backs off.
SELECT sendgate.rollback('deferral/forced', contract.handed('deferral/forced', 'p1'), 'Not enough credits');
SELECT * FROM contract.work_56 WHERE account_id = 'deferral/forced' AND prospect_id = 'p1';

-- reserve and breaker_check defer campaign work too.
SELECT contract.account_56('deferral/by_hand', 4);
SELECT sendgate.breaker_arm('deferral/by_hand', 'test');
SELECT proceed, reason, retry_at FROM sendgate.reserve('deferral/by_hand', 'inmail', 'p1', 'spring');
SELECT proceed, reason, retry_at FROM sendgate.breaker_check('deferral/by_hand', 'p2', 'spring');
SELECT proceed FROM sendgate.reserve('deferral/by_hand', 'inmail', 'p3');
SELECT proceed FROM sendgate.breaker_check('deferral/by_hand', 'p4', 'autumn');
SELECT proceed FROM sendgate.breaker_check('deferral/by_hand');
SELECT proceed FROM sendgate.breaker_check('deferral/by_hand');
SELECT prospect_id, due_at, reason FROM contract.work_56 WHERE account_id = 'deferral/by_hand' ORDER BY prospect_id;
SELECT prospect_id, campaign_id, deferred_to, repeats FROM contract.skips_56 WHERE account_id = 'deferral/by_hand' ORDER BY prospect_id, campaign_id;

-- preview defers nothing.
SELECT contract.books() AS before \gset
SELECT proceed, reason FROM sendgate.preview('deferral/by_hand', 'inmail', 'p3');
SELECT contract.books() = :'before' AS nothing_changed;

-- dispatch defers the two that are left. A skip without the campaign, or for another one, is a line of its
-- own.
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'deferral/by_hand');
SELECT prospect_id, campaign_id, repeats FROM contract.skips_56 WHERE account_id = 'deferral/by_hand' ORDER BY prospect_id, campaign_id;
SELECT proceed FROM sendgate.reserve('deferral/by_hand', 'inmail', 'p3', 'spring');
SELECT prospect_id, campaign_id, repeats FROM contract.skips_56 WHERE account_id = 'deferral/by_hand' AND prospect_id = 'p3' ORDER BY campaign_id;

-- A worker that has enough from other accounts does not keep this one's work from being deferred: the
-- account that was served goes behind it, and what the breaker skips takes none of the worker's slots.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('defer/busy', 'sales_navigator'), sendgate.upsert_account('defer/empty', 'sales_navigator');
SELECT sendgate.enqueue('busy', 'p' || n, account, 'inmail')
FROM generate_series(1, 5) n, unnest(ARRAY['defer/empty', 'defer/busy']) account;
SELECT sendgate.breaker_arm('defer/empty', 'out of credits');
SET sendgate.now = '2026-05-20 12:00:01+00';
SELECT account_id FROM sendgate.dispatch(2, 'inmail') WHERE account_id LIKE 'defer/%';
SET sendgate.now = '2026-05-20 12:00:02+00';
SELECT account_id FROM sendgate.dispatch(2, 'inmail') WHERE account_id LIKE 'defer/%';
SELECT count(*) FROM sendgate.campaign_events WHERE account_id = 'defer/empty';
