-- What an outcome does to the enrollment that was sent for.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.work_55 AS
SELECT account_id, prospect_id, state, due_at, attempts, reason, error FROM contract.work WHERE account_id LIKE 'outcomes/%';
CREATE VIEW contract.skips_55 AS
SELECT account_id, prospect_id, campaign_id, at, action, event_type, reason, detail, deferred_to, operation_id IS NOT NULL AS has_operation
FROM sendgate.campaign_events;
-- One piece of work on an account of its own, handed out; its operation.
CREATE FUNCTION contract.sent_55(account text, of_action text DEFAULT 'inmail') RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    handed uuid;
BEGIN
    PERFORM sendgate.upsert_account(account, 'sales_navigator');
    PERFORM sendgate.enqueue('spring', 'p1', account, of_action);
    SELECT d.operation_id INTO handed FROM sendgate.dispatch(1, of_action, account) AS d;
    RETURN handed;
END
$$;
SET sendgate.now = '2026-05-20 12:00:00+00';

-- The table of outcomes, for InMails and for another action.
SELECT o.account, sendgate.rollback(o.account, contract.sent_55(o.account, o.action), o.message, o.error_type, o.http_status) AS outcome
FROM (
    VALUES
        (1, 'outcomes/released', 'inmail', NULL, NULL, NULL),
        (2, 'outcomes/refused', 'inmail', 'Recipient has opted out', NULL, 422),
        (3, 'outcomes/refused_invite', 'invite', 'Recipient blocked', NULL, 422),
        (4, 'outcomes/transient', 'inmail', 'Service Unavailable', NULL, 503),
        (5, 'outcomes/rate_limited', 'inmail', 'Too many requests', NULL, 429),
        (6, 'outcomes/restricted', 'inmail', NULL, 'errors/account_restricted', 403),
        (7, 'outcomes/auth_lost', 'inmail', 'Unauthorized', NULL, 401),
        (8, 'outcomes/unknown', 'inmail', 'Gateway Timeout', NULL, 504),
        (9, 'outcomes/credits', 'inmail', 'Not enough credits', NULL, 422),
        (10, 'outcomes/credits_invite', 'invite', 'Not enough credits', NULL, 422)
) AS o (n, account, action, message, error_type, http_status)
ORDER BY o.n;
SELECT * FROM contract.work_55 ORDER BY account_id;

-- Only what the recipient refused is an event of the campaign; for an InMail the reason is its own.
SELECT * FROM contract.skips_55 WHERE account_id LIKE 'outcomes/%' ORDER BY account_id;

-- Delivered: done. An InMail without proof is not delivered: parked, and the proof may come later.
SELECT sendgate.confirm('outcomes/delivered', contract.sent_55('outcomes/delivered'), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.confirm('outcomes/delivered_invite', contract.sent_55('outcomes/delivered_invite', 'invite')) IS NOT NULL AS confirmed;
SET client_min_messages = 'error';
SELECT sendgate.confirm('outcomes/unproven', contract.sent_55('outcomes/unproven'), ' ');
RESET client_min_messages;
SELECT * FROM contract.work_55 WHERE account_id LIKE 'outcomes/delivered%' OR account_id = 'outcomes/unproven' ORDER BY account_id;
SELECT sendgate.confirm('outcomes/unproven', contract.handed('outcomes/unproven', 'p1'), 'chat-2') IS NOT NULL AS confirmed;
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/unproven';

-- The back-off doubles from sendgate.retry_backoff, and after the fifth attempt the work is parked.
SET sendgate.retry_backoff = '10min';
DO $$
DECLARE
    due timestamptz;
BEGIN
    PERFORM contract.sent_55('outcomes/back_off', 'message');
    FOR attempt IN 1..5 LOOP
        PERFORM sendgate.rollback('outcomes/back_off', contract.handed('outcomes/back_off', 'p1', 'message'), 'Service Unavailable', http_status => 503);
        SELECT w.due_at INTO due FROM contract.work_55 w WHERE w.account_id = 'outcomes/back_off';
        RAISE NOTICE 'attempt % failed at %, next in %', attempt, sendgate.clock(), due - sendgate.clock();
        EXIT WHEN due IS NULL;
        -- Not a moment earlier.
        PERFORM set_config('sendgate.now', (due - interval '1 microsecond')::text, false);
        ASSERT NOT EXISTS (SELECT FROM sendgate.dispatch(1, 'message', 'outcomes/back_off'));
        PERFORM set_config('sendgate.now', due::text, false);
        ASSERT (SELECT d.attempt FROM sendgate.dispatch(1, 'message', 'outcomes/back_off') AS d) = attempt + 1;
    END LOOP;
END
$$;
RESET sendgate.retry_backoff;
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/back_off';

-- What is parked is not handed out, however long it waits.
SET sendgate.now = '2026-05-22 12:00:00+00';
SELECT count(*) FROM sendgate.dispatch(1, 'message', 'outcomes/back_off');

-- rate_limited cools the whole account down, which then holds longer than the back-off.
SET sendgate.now = '2026-05-20 12:05:00+00';
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'outcomes/rate_limited');
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(1, NULL, 'outcomes/rate_limited');

-- restricted and auth_lost: the work is due, and waits for the account.
SELECT id, status FROM sendgate.linkedin_accounts WHERE id IN ('outcomes/restricted', 'outcomes/auth_lost') ORDER BY id;
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'outcomes/restricted');
SELECT sendgate.set_status('outcomes/restricted', 'connected', 'test');
SELECT prospect_id, attempt FROM sendgate.dispatch(1, NULL, 'outcomes/restricted');
SELECT sendgate.set_status('outcomes/auth_lost', 'connected', 'test');
SELECT prospect_id, attempt FROM sendgate.dispatch(1, NULL, 'outcomes/auth_lost');

-- It is no failure of the prospect's, so it is never parked for it.
SET sendgate.now = '2026-05-20 14:00:00+00';
DO $$
BEGIN
    PERFORM contract.sent_55('outcomes/status_only', 'message');
    FOR attempt IN 1..7 LOOP
        PERFORM sendgate.rollback('outcomes/status_only', contract.handed('outcomes/status_only', 'p1', 'message'), http_status => 401);
        PERFORM sendgate.set_status('outcomes/status_only', 'connected', 'test');
        PERFORM set_config('sendgate.now', (sendgate.clock() + interval '1 minute')::text, false);
        PERFORM sendgate.dispatch(1, 'message', 'outcomes/status_only');
    END LOOP;
END
$$;
SELECT state, attempts FROM contract.work_55 WHERE account_id = 'outcomes/status_only';

-- Unknown: parked, its slot held, until it is resolved. Not sent: it waits with back-off as if it had
-- been given back.
SET sendgate.now = '2026-05-20 15:00:00+00';
SELECT sendgate.resolve_operation('outcomes/unknown', contract.handed('outcomes/unknown', 'p1'), false, note => 'not in the outbox');
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/unknown';
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'outcomes/unknown');
SET sendgate.now = '2026-05-20 15:05:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(1, NULL, 'outcomes/unknown');

-- Sent, with a chat id: done, with an event. Sent without one: done, and no event.
SELECT a.account, sendgate.rollback(a.account, contract.sent_55(a.account), 'Bad Gateway', http_status => 502) AS outcome
FROM (VALUES ('outcomes/resolved_proof'), ('outcomes/resolved_sent')) AS a (account);
SELECT sendgate.resolve_operation('outcomes/resolved_proof', contract.handed('outcomes/resolved_proof', 'p1'), true, 'chat-9');
SELECT sendgate.resolve_operation('outcomes/resolved_sent', contract.handed('outcomes/resolved_sent', 'p1'), true);
SELECT w.*, (SELECT count(*) FROM sendgate.linkedin_events e WHERE e.account_id = w.account_id) AS events
FROM contract.work_55 w
WHERE account_id LIKE 'outcomes/resolved_%'
ORDER BY account_id;

-- A late, definite answer settles an unknown one too.
SELECT sendgate.rollback('outcomes/late', contract.sent_55('outcomes/late'), 'Bad Gateway', http_status => 502);
SELECT sendgate.rollback('outcomes/late', contract.handed('outcomes/late', 'p1'), 'Recipient blocked');
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/late';
SELECT reason, detail FROM contract.skips_55 WHERE account_id = 'outcomes/late';

-- The answer to an operation that expired: the worker was only late.
SELECT contract.sent_55('outcomes/expired_back') IS NOT NULL AS handed, contract.sent_55('outcomes/expired_sent') IS NOT NULL AS handed, contract.sent_55('outcomes/expired') IS NOT NULL AS handed;
SET sendgate.now = '2026-05-20 16:00:00+00';
SELECT a.account, d.prospect_id FROM (VALUES ('outcomes/expired'), ('outcomes/expired_back'), ('outcomes/expired_sent')) AS a (account) CROSS JOIN LATERAL sendgate.dispatch(1, NULL, a.account) AS d;
SELECT sendgate.rollback('outcomes/expired_back', contract.handed('outcomes/expired_back', 'p1'), 'Service Unavailable', http_status => 503);
SELECT sendgate.confirm('outcomes/expired_sent', contract.handed('outcomes/expired_sent', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT * FROM contract.work_55 WHERE account_id LIKE 'outcomes/expired_%' ORDER BY account_id;

-- Delivered after it was given back: truth wins, and the prospect is not written to again.
SELECT sendgate.rollback('outcomes/after', contract.sent_55('outcomes/after'), 'Service Unavailable', http_status => 503);
SELECT sendgate.confirm('outcomes/after', contract.handed('outcomes/after', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/after';
SET sendgate.now = '2026-05-25 16:00:00+00';
SELECT count(*) FROM sendgate.dispatch(1, NULL, 'outcomes/after');

-- Also while a second attempt is under way; what becomes of that one changes nothing any more.
SET sendgate.now = '2026-05-20 16:00:00+00';
SELECT contract.sent_55('outcomes/second') AS first_operation \gset
SELECT sendgate.rollback('outcomes/second', :'first_operation', 'Service Unavailable', http_status => 503);
SET sendgate.now = '2026-05-20 16:05:00+00';
SELECT attempt FROM sendgate.dispatch(1, NULL, 'outcomes/second');
SELECT sendgate.confirm('outcomes/second', :'first_operation', 'chat-1') IS NOT NULL AS confirmed;
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/second';
SELECT o.operation_id AS second_operation FROM sendgate.send_operations o WHERE o.account_id = 'outcomes/second' AND o.attempt = 2 \gset
SELECT sendgate.rollback('outcomes/second', :'second_operation', 'Service Unavailable', http_status => 503);
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/second';

-- Late news of the first attempt says nothing about the second.
SET sendgate.now = '2026-05-20 16:00:00+00';
SELECT contract.sent_55('outcomes/stale') AS first_operation \gset
SELECT sendgate.rollback('outcomes/stale', :'first_operation', 'Service Unavailable', http_status => 503);
SET sendgate.now = '2026-05-20 16:05:00+00';
SELECT attempt FROM sendgate.dispatch(1, NULL, 'outcomes/stale');
SELECT sendgate.rollback('outcomes/stale', :'first_operation', 'Recipient blocked');
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/stale';

-- Cancelled under way: a delivery makes it done all the same, because the prospect has got it; a
-- failure leaves it cancelled.
SELECT contract.sent_55('outcomes/cancelled_sent') IS NOT NULL AS handed, contract.sent_55('outcomes/cancelled_back') IS NOT NULL AS handed, contract.sent_55('outcomes/cancelled_refused') IS NOT NULL AS handed;
SELECT a.account, sendgate.cancel('spring', 'p1', a.account) FROM (VALUES ('outcomes/cancelled_back'), ('outcomes/cancelled_refused'), ('outcomes/cancelled_sent')) AS a (account);
SELECT sendgate.confirm('outcomes/cancelled_sent', contract.handed('outcomes/cancelled_sent', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.rollback('outcomes/cancelled_back', contract.handed('outcomes/cancelled_back', 'p1'), 'Service Unavailable', http_status => 503);
SELECT sendgate.rollback('outcomes/cancelled_refused', contract.handed('outcomes/cancelled_refused', 'p1'), 'Recipient blocked');
SELECT * FROM contract.work_55 WHERE account_id LIKE 'outcomes/cancelled_%' ORDER BY account_id;

-- The same answer again changes nothing.
SELECT contract.books() AS before \gset
SELECT sendgate.rollback('outcomes/refused', contract.handed('outcomes/refused', 'p1'), 'Recipient has opted out', http_status => 422);
SELECT sendgate.rollback('outcomes/transient', contract.handed('outcomes/transient', 'p1'), 'Service Unavailable', http_status => 503);
SELECT sendgate.confirm('outcomes/delivered', contract.handed('outcomes/delivered', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT contract.books() = :'before' AS nothing_changed;

-- An operation that dispatch did not hand out settles no enrollment, though the names are the same.
SELECT sendgate.upsert_account('outcomes/plain', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p1', 'outcomes/plain', 'message', '2026-06-20 12:00+00') AS is_new;
SELECT proceed FROM sendgate.reserve('outcomes/plain', 'message', 'p1', 'spring', contract.op(1));
SELECT sendgate.rollback('outcomes/plain', contract.op(1), 'Service Unavailable', http_status => 503);
SELECT * FROM contract.work_55 WHERE account_id = 'outcomes/plain';

-- Provider text is data: cut at 2,000 characters and marked, as in the journal.
SELECT sendgate.rollback('outcomes/long', contract.sent_55('outcomes/long'), 'blocked ' || repeat('é', 3000));
SELECT char_length(w.error) AS length, w.error = o.error AS as_in_the_journal, w.error = e.detail AS as_in_the_event
FROM sendgate.enrollments w
JOIN sendgate.send_operations o USING (account_id, prospect_id)
JOIN sendgate.campaign_events e USING (account_id, prospect_id)
WHERE w.account_id = 'outcomes/long';

-- A prospect who got it through reserve is not sent to again by dispatch: the work is done.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('out/mixed', 'sales_navigator');
SELECT sendgate.enqueue('mixed', prospect, 'out/mixed', 'message') FROM (VALUES ('one'), ('many')) p (prospect);
SELECT sendgate.confirm('out/mixed', (sendgate.reserve('out/mixed', 'message', 'one', 'mixed')).operation_id) IS NOT NULL AS delivered;
SELECT cardinality(sendgate.confirm_many(ARRAY['out/mixed'], ARRAY[(sendgate.reserve('out/mixed', 'message', 'many', 'mixed')).operation_id]));
SELECT prospect_id, state FROM sendgate.enrollments WHERE campaign_id = 'mixed' ORDER BY prospect_id;
SET sendgate.now = '2026-05-28 12:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'out/mixed');

-- Work that was parked after too many attempts starts from 0 when an operator resumes it.
SELECT sendgate.upsert_account('out/given-up', 'sales_navigator');
SELECT sendgate.enqueue('given-up', 'p', 'out/given-up', 'message');
UPDATE sendgate.enrollments SET attempts = 4 WHERE campaign_id = 'given-up';
SELECT sendgate.rollback(account_id, operation_id, NULL, NULL, 503) FROM sendgate.dispatch(1, NULL, 'out/given-up');
SELECT state, reason, attempts FROM sendgate.enrollments WHERE campaign_id = 'given-up';
SELECT sendgate.resume_deferred('out/given-up');
SELECT state, reason, attempts FROM sendgate.enrollments WHERE campaign_id = 'given-up';
SELECT attempt FROM sendgate.dispatch(1, NULL, 'out/given-up');
