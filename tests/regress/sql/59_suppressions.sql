-- Do not contact: a suppressed prospect is refused everywhere, from the commit on.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('suppress/a', 'sales_navigator');
SELECT sendgate.upsert_account('suppress/b', 'sales_navigator');

-- For good: every account, every action; nothing is taken.
SELECT sendgate.suppress_prospect('opted-out', 'asked by mail');
SELECT prospect_id, suppressed_at, until, actor = session_user AS mine, note FROM sendgate.suppressions;
SELECT proceed, operation_id, reason, retry_at, sent_today FROM sendgate.reserve('suppress/a', 'inmail', 'opted-out');
SELECT proceed, reason, retry_at FROM sendgate.reserve('suppress/b', 'message', 'opted-out');
SELECT p.proceed, p.reason, p.retry_at FROM sendgate.preview('suppress/b', 'invite', 'opted-out') AS p;
SELECT proceed, reason, retry_at, exhausted_at FROM sendgate.breaker_check('suppress/a', 'opted-out');
SELECT proceed, reason FROM sendgate.breaker_check('suppress/a', 'somebody');
SELECT proceed, reason FROM sendgate.breaker_check('suppress/a');
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'inmail', 'somebody', NULL, contract.op(1));
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/a', 'inmail') AS p;

-- Ids are taken as they are.
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'invite', 'Opted-out');

-- Its place in the order: after the window, before an operation in flight.
SELECT sendgate.suppress_prospect('somebody', 'asked on the phone');
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/a', 'inmail', 'somebody') AS p;
SELECT sendgate.set_window('suppress/a', '14:00', '18:00', '{1,2,3,4,5,6,7}');
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/a', 'inmail', 'somebody') AS p;
SELECT sendgate.set_window('suppress/a', NULL, NULL, NULL);

-- The replay of a grant is refused as well; its operation can be settled as ever.
SELECT proceed, operation_id, reason, retry_at FROM sendgate.reserve('suppress/a', 'inmail', 'somebody', NULL, contract.op(1));
SELECT sendgate.unsuppress_prospect('somebody', 'a mistake');
SELECT proceed, operation_id = contract.op(1) AS same FROM sendgate.reserve('suppress/a', 'inmail', 'somebody', NULL, contract.op(1));
SELECT sendgate.suppress_prospect('somebody', 'asked on the phone');
SELECT sendgate.confirm('suppress/a', contract.op(1), 'chat-1') IS NOT NULL AS event;
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'inmail', 'somebody', NULL, contract.op(1));
SELECT sendgate.unsuppress_prospect('somebody', 'a mistake');

-- A send outside the gate is a fact all the same.
SELECT sendgate.record_external_send('suppress/b', 'message', 'opted-out', 'chat-x', sendgate.clock()) IS NOT NULL AS event;

-- An account that is only observed refuses it too.
SELECT sendgate.set_enforcement('suppress/b', 'observe', 'test');
SELECT proceed, reason FROM sendgate.reserve('suppress/b', 'invite', 'opted-out');
SELECT sendgate.set_enforcement('suppress/b', NULL, 'test');

-- A refused reserve of a campaign is noted once for a suppression, prospect, campaign and action; one without a
-- campaign is not.
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'invite', 'opted-out', 'spring');
SET sendgate.now = '2026-05-24 12:00:01+00';
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'invite', 'opted-out', 'spring');
SELECT proceed, reason FROM sendgate.reserve('suppress/a', 'message', 'opted-out', 'spring');
SELECT at, prospect_id, campaign_id, action, event_type, reason, suppressed_at, repeats, operation_id, detail
FROM sendgate.campaign_events WHERE account_id = 'suppress/a' ORDER BY at, id;
SELECT action, reason, skipped, repeats FROM sendgate.skips_today WHERE account_id = 'suppress/a' ORDER BY action;

-- Until an instant: that is when it ends by itself.
SELECT sendgate.suppress_prospect('on-leave', 'out of office', '2026-05-25 08:00+00');
SELECT proceed, reason, retry_at FROM sendgate.reserve('suppress/a', 'invite', 'on-leave', 'spring');
SELECT count(*) AS noted FROM sendgate.campaign_events WHERE account_id = 'suppress/a' AND prospect_id = 'on-leave';
SET sendgate.now = '2026-05-25 07:59:59.999999+00';
SELECT p.proceed, p.reason, p.retry_at FROM sendgate.preview('suppress/a', 'invite', 'on-leave') AS p;
SET sendgate.now = '2026-05-25 08:00:00+00';
SELECT p.proceed, p.reason, p.retry_at FROM sendgate.preview('suppress/a', 'invite', 'on-leave') AS p;

-- Called again it replaces until and note. One that still lasts keeps its beginning, one that is over does not.
SELECT sendgate.suppress_prospect('opted-out', 'until the fair', '2026-06-01 00:00+00');
SELECT sendgate.suppress_prospect('on-leave', 'left the company');
SELECT prospect_id, suppressed_at, until, note FROM sendgate.suppressions ORDER BY prospect_id COLLATE "C";
SELECT sendgate.suppress_prospect('opted-out', 'asked by mail');
SELECT subject, verb, before, after, note FROM sendgate.admin_log
WHERE verb IN ('suppress_prospect', 'unsuppress_prospect') AND subject IN ('opted-out', 'somebody', 'on-leave') ORDER BY at, id;

-- enqueue takes nothing for good ones, and says so; a connection flag may still become true.
SELECT sendgate.enqueue('spring', 'opted-out', 'suppress/a', 'message') AS is_new;
SELECT count(*) AS work FROM sendgate.enrollments WHERE account_id = 'suppress/a';
SELECT sendgate.suppress_prospect('later', 'out of office', '2026-05-26 08:00+00');
SELECT sendgate.enqueue('spring', 'later', 'suppress/a', 'message') AS is_new;
SELECT sendgate.enqueue('spring', 'soon-out', 'suppress/a', 'message') AS is_new;
SELECT sendgate.enqueue('spring', 'soon-out', 'suppress/b', 'invite') AS is_new;
SELECT sendgate.enqueue('spring', 'free', 'suppress/a', 'message') AS is_new;
SELECT sendgate.suppress_prospect('soon-out', 'asked by mail');
SELECT sendgate.enqueue('spring', 'soon-out', 'suppress/a', 'message', is_connection => true) AS is_new;

-- dispatch: for good, the work is cancelled where dispatch meets it, and noted; until then, it waits.
SELECT account_id, prospect_id, action FROM sendgate.dispatch(10, account_id => 'suppress/a', request_id => contract.op(9));
SELECT account_id, prospect_id, action FROM sendgate.dispatch(10, account_id => 'suppress/b');
SELECT account_id, prospect_id, action, state, next_dispatch_at, attempts, reason, is_connection
FROM sendgate.enrollments WHERE account_id LIKE 'suppress/%' ORDER BY account_id, prospect_id, action;
SELECT account_id, prospect_id, campaign_id, action, reason, suppressed_at
FROM sendgate.campaign_events WHERE account_id LIKE 'suppress/%' AND prospect_id IN ('soon-out', 'later') ORDER BY 1, 2;
SELECT action, due_at FROM contract.tickets WHERE account_id = 'suppress/a' ORDER BY action;

-- A repeated request does not return a prospect that is suppressed by now, in either way.
SELECT prospect_id FROM sendgate.dispatch(10, account_id => 'suppress/a', request_id => contract.op(9));
SELECT sendgate.suppress_prospect('free', 'out of office', '2026-05-26 08:00+00');
SELECT prospect_id FROM sendgate.dispatch(10, account_id => 'suppress/a', request_id => contract.op(9));
SELECT sendgate.unsuppress_prospect('free', 'back');
SELECT prospect_id FROM sendgate.dispatch(10, account_id => 'suppress/a', request_id => contract.op(9));

-- What waits until then goes out then.
SET sendgate.now = '2026-05-26 08:00:00+00';
SELECT prospect_id, attempt FROM sendgate.dispatch(10, account_id => 'suppress/a');

-- unsuppress_prospect makes waiting work due at once. Cancelled work stays so.
SELECT sendgate.suppress_prospect('waits', 'out of office', '2026-06-26 08:00+00');
SELECT sendgate.enqueue('spring', 'waits', 'suppress/a', 'invite') AS is_new;
SELECT sendgate.enqueue('autumn', 'waits', 'suppress/b', 'invite') AS is_new;
SELECT sendgate.enqueue('autumn', 'waits', 'suppress/b', 'message', '2026-05-27 08:00+00') AS is_new;
SELECT (SELECT count(*) FROM sendgate.dispatch(10, 'invite', 'suppress/a')), (SELECT count(*) FROM sendgate.dispatch(10, 'invite', 'suppress/b'));
SELECT account_id, action, next_dispatch_at, reason FROM sendgate.enrollments WHERE prospect_id = 'waits' ORDER BY account_id, action;
SET sendgate.now = '2026-05-26 09:00:00+00';
SELECT sendgate.unsuppress_prospect('waits', 'back early');
SELECT sendgate.unsuppress_prospect('soon-out', 'changed their mind');
SELECT account_id, action, next_dispatch_at, reason FROM sendgate.enrollments WHERE prospect_id = 'waits' ORDER BY account_id, action;
SELECT account_id, prospect_id FROM sendgate.dispatch(10, 'invite', 'suppress/a') UNION ALL SELECT account_id, prospect_id FROM sendgate.dispatch(10, 'invite', 'suppress/b') ORDER BY account_id;
SELECT DISTINCT state FROM sendgate.enrollments WHERE prospect_id = 'soon-out';

-- Not suppressed: a no-op that logs nothing.
SELECT sendgate.unsuppress_prospect('nobody', 'test');
SELECT count(*) AS logged FROM sendgate.admin_log WHERE subject = 'nobody';

-- A permit is not offered to a prospect who may not be written to.
SELECT sendgate.upsert_account('suppress/probe', 'recruiter');
SELECT sendgate.enqueue('probe', 'first', 'suppress/probe', 'inmail');
SELECT sendgate.enqueue('probe', 'second', 'suppress/probe', 'inmail');
SELECT sendgate.breaker_arm('suppress/probe', 'test');
SELECT count(*) FROM sendgate.dispatch(10, 'inmail', 'suppress/probe');
SELECT sendgate.suppress_prospect('first', 'asked by mail');
SELECT sendgate.breaker_probe('suppress/probe', 'test');
SELECT prospect_id FROM sendgate.dispatch(10, 'inmail', 'suppress/probe');

-- guard_send says it in its own words.
CREATE TABLE contract.outbox (account text, prospect text, operation uuid, refusal text);
CREATE TRIGGER guard BEFORE INSERT ON contract.outbox FOR EACH ROW
EXECUTE FUNCTION sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
SELECT e.code, e.message, e.detail, e.hint FROM contract.error($$INSERT INTO contract.outbox VALUES ('suppress/a', 'opted-out')$$) AS e;
DROP TABLE contract.outbox;

-- Bad arguments change nothing.
SELECT contract.books() AS before \gset
SELECT n, e.code, e.message, e.detail, e.hint
FROM (
    VALUES
        (1, $$SELECT sendgate.suppress_prospect(NULL, 'x')$$),
        (2, $$SELECT sendgate.suppress_prospect('  ', 'x')$$),
        (3, $$SELECT sendgate.suppress_prospect(repeat('x', 129), 'x')$$),
        (4, $$SELECT sendgate.suppress_prospect('x', '  ')$$),
        (5, $$SELECT sendgate.suppress_prospect('x', 'y', 'infinity')$$),
        (6, $$SELECT sendgate.suppress_prospect('x', 'y', '2026-05-26 09:00:00+00')$$),
        (7, $$SELECT sendgate.unsuppress_prospect(NULL, 'x')$$),
        (8, $$SELECT sendgate.unsuppress_prospect('x', repeat('y', 2001))$$)
) AS f (n, call)
CROSS JOIN LATERAL contract.error(f.call) AS e
ORDER BY n;
SELECT contract.books() = :'before' AS nothing_changed, count(*) AS suppressions FROM sendgate.suppressions WHERE prospect_id = 'x';

-- A change past the functions counts as well, and one that is rolled back does not.
BEGIN;
DELETE FROM sendgate.suppressions;
SELECT p.proceed FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
ROLLBACK;
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
BEGIN;
SAVEPOINT s;
TRUNCATE sendgate.suppressions;
SELECT p.proceed FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
ROLLBACK TO s;
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
COMMIT;
TRUNCATE sendgate.suppressions;
SELECT p.proceed FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
INSERT INTO sendgate.suppressions (suppressed_at, prospect_id, actor) VALUES (sendgate.clock(), 'opted-out', 'dba');
SELECT p.proceed, p.reason FROM sendgate.preview('suppress/b', 'engagement', 'opted-out') AS p;
DELETE FROM sendgate.suppressions;

-- An end that comes sooner than before: the work waits until then, no longer. One that comes later is met again.
SELECT sendgate.suppress_prospect('returns', 'out of office', '2026-06-26 08:00+00');
SELECT sendgate.enqueue('spring', 'returns', 'suppress/a', 'profile_view') AS is_new;
SELECT count(*) FROM sendgate.dispatch(10, 'profile_view', 'suppress/a');
SELECT sendgate.suppress_prospect('returns', 'back on Wednesday', '2026-05-27 08:00+00');
SELECT count(*) FROM sendgate.dispatch(10, 'profile_view', 'suppress/a');
SELECT next_dispatch_at, reason FROM sendgate.enrollments WHERE prospect_id = 'returns';
SELECT sendgate.suppress_prospect('returns', 'on Thursday', '2026-05-28 08:00+00');
SET sendgate.now = '2026-05-27 08:00:00+00';
SELECT count(*) FROM sendgate.dispatch(10, 'profile_view', 'suppress/a');
SELECT next_dispatch_at, reason FROM sendgate.enrollments WHERE prospect_id = 'returns';
SET sendgate.now = '2026-05-28 08:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(10, 'profile_view', 'suppress/a');
