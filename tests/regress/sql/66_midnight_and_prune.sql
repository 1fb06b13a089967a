-- The two jobs of every day: midnight writes down what every read sees anyway, and old rows leave.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Tuesday, September 1, 2026.
SET sendgate.now = '2026-09-01 12:00:00+00';
SELECT sendgate.upsert_account('mid-' || n, 'sales_navigator') FROM generate_series(1, 5) n;
SELECT sendgate.upsert_account('mid-ramp', 'sales_navigator', ramp => true);
SELECT sendgate.set_cap('mid-ramp', 'invite', 10, 1000);

-- Every sweep to its end: this database holds other files' accounts too.
CREATE FUNCTION pg_temp.midnight(batch integer DEFAULT 1000) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    LOOP
        SELECT * INTO done FROM sendgate.midnight_reset(batch);
        EXIT WHEN NOT done.more;
    END LOOP;
END
$$;
CREATE VIEW pg_temp.mid AS
SELECT a.id, a.day, a.inmails_sent_today AS inmails, sendgate.sent_before_days(a.sent_before, 'inmail') AS inmails_before,
    a.invites_sent_today AS invites, sendgate.sent_before_days(a.sent_before, 'invite') AS invites_before, a.ramp_days
FROM sendgate.accounts a
WHERE a.id LIKE 'mid-%'
ORDER BY a.id;
-- Who was written, by the row's own count of its writes.
CREATE TEMPORARY TABLE written AS SELECT a.id, a.version FROM sendgate.accounts a WHERE a.id LIKE 'mid-%';
CREATE FUNCTION pg_temp.who_was_written() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ids text;
BEGIN
    SELECT string_agg(a.id, ' ' ORDER BY a.id) INTO ids
    FROM sendgate.accounts a JOIN written w ON w.id = a.id AND w.version <> a.version;
    UPDATE written w SET version = a.version FROM sendgate.accounts a WHERE a.id = w.id;
    RETURN ids;
END
$$;
CREATE FUNCTION pg_temp.spend(account text, action text, of_action integer) RETURNS bigint
LANGUAGE sql
RETURN (SELECT count(*) FROM generate_series(1, of_action) n
        CROSS JOIN LATERAL sendgate.reserve(account, action, clock_timestamp()::text || n) r WHERE r.proceed);

-- mid-1 and mid-ramp send; mid-2 sends and gets its slot back; mid-3 does nothing; mid-5 is a day ahead.
SELECT pg_temp.spend('mid-1', 'inmail', 3), pg_temp.spend('mid-1', 'invite', 2), pg_temp.spend('mid-ramp', 'invite', 1);
SELECT proceed FROM sendgate.reserve('mid-2', 'inmail', 'p', NULL, contract.op(1));
SELECT sendgate.rollback('mid-2', contract.op(1));
SET sendgate.now = '2026-09-03 12:00:00+00';
SELECT pg_temp.spend('mid-5', 'inmail', 1);
SET sendgate.now = '2026-09-01 23:59:59.999999+00';
SELECT pg_temp.who_was_written();
-- Not yet, though in Kiritimati the day is over.
SET TimeZone = 'Pacific/Kiritimati';
SELECT pg_temp.midnight();
SELECT pg_temp.who_was_written();

-- At 00:00 UTC, though in Los Angeles it is still September 1: counter, markers and ramp together, and
-- only where there is something to roll. mid-4 has rolled by itself.
SET TimeZone = 'America/Los_Angeles';
SET sendgate.now = '2026-09-02 00:00:00+00';
SELECT pg_temp.spend('mid-4', 'inmail', 1), pg_temp.who_was_written();
SELECT r.id, c.sent_today, c.sent_this_week, c.daily_cap FROM pg_temp.mid r
JOIN sendgate.counters c ON c.account_id = r.id AND c.action = 'invite' ORDER BY r.id;
SELECT pg_temp.midnight();
SELECT pg_temp.who_was_written();
SELECT * FROM pg_temp.mid;
-- No answer changes by it.
SELECT r.id, c.sent_today, c.sent_this_week, c.daily_cap FROM pg_temp.mid r
JOIN sendgate.counters c ON c.account_id = r.id AND c.action = 'invite' ORDER BY r.id;
-- Twice is once.
SELECT pg_temp.midnight();
SELECT pg_temp.who_was_written();
SELECT count(*) > 0 AS beats, bool_and(state = 'ok') AS ok FROM sendgate.reconcile_runs
WHERE job = 'midnight_reset' AND started_at = '2026-09-02 00:00:00+00';
SET TimeZone = 'UTC';

-- A week late, account by account; the row that was a day ahead is an old one now.
SELECT pg_temp.spend('mid-1', 'inmail', 2), pg_temp.spend('mid-ramp', 'inmail', 1), pg_temp.who_was_written();
SET sendgate.now = '2026-09-09 17:30:00+00';
SELECT pg_temp.midnight(1);
SELECT pg_temp.who_was_written();
SELECT * FROM pg_temp.mid;
-- What a day sent is kept for the six days after it.
SET sendgate.now = '2026-09-14 09:00:00+00';
SELECT pg_temp.spend('mid-1', 'inmail', 4);
SET sendgate.now = '2026-09-15 00:00:00+00';
SELECT pg_temp.midnight();
SELECT day, inmails, inmails_before FROM pg_temp.mid WHERE id = 'mid-1';
-- A clock that was put back rolls nothing back.
SELECT pg_temp.who_was_written() IS NOT NULL AS written;
SET sendgate.now = '2026-09-10 00:00:00+00';
SELECT pg_temp.midnight();
SELECT pg_temp.who_was_written();
-- A rolled counter is no drift.
SET sendgate.now = '2026-09-15 00:10:00+00';
SELECT count(*) FROM sendgate.reconcile_operations(10000);
SELECT count(*) FROM sendgate.counter_drift WHERE account_id LIKE 'mid-%';
-- Bounds.
SELECT code, message FROM contract.error('SELECT * FROM sendgate.midnight_reset(0)');
SELECT code, message FROM contract.error('SELECT * FROM sendgate.midnight_reset(10001)');
SELECT code, message FROM contract.error('SELECT * FROM sendgate.midnight_reset(NULL)');

-- Prune. In May: delivered, given back, never answered, unknown, and one that an operator settles late.
SET sendgate.now = '2026-05-12 12:00:00+00';
SELECT sendgate.upsert_account('prn-1', 'sales_navigator'), sendgate.upsert_account('prn-2', 'sales_navigator');
SELECT count(*) FROM generate_series(1, 5) n
CROSS JOIN LATERAL sendgate.reserve('prn-1', 'inmail', 'p' || n, 'c', contract.op(n)) r WHERE r.proceed;
SELECT sendgate.confirm('prn-1', contract.op(1), 'chat 1') IS NOT NULL AS delivered;
SELECT sendgate.rollback('prn-1', contract.op(2));
SELECT sendgate.rollback('prn-1', contract.op(4), 'timeout', NULL, 504), sendgate.rollback('prn-1', contract.op(5), 'timeout', NULL, 504);
-- Work in each of its states.
SELECT sendgate.enqueue('prn', p, 'prn-2', 'message') FROM unnest(ARRAY['done', 'cancelled', 'parked', 'waiting']) p;
SELECT sendgate.cancel('prn', 'cancelled');
SELECT count(*) FROM sendgate.dispatch(3, NULL, 'prn-2', contract.op(66));
SELECT sendgate.confirm('prn-2', contract.handed('prn-2', 'done', 'message')) IS NOT NULL AS delivered;
SELECT sendgate.rollback('prn-2', contract.handed('prn-2', 'parked', 'message'), 'timeout', NULL, 504);
SELECT sendgate.rollback('prn-2', contract.handed('prn-2', 'waiting', 'message'));
-- The logs: a breaker that is set, skips and is cleared; a corrected counter, an alert that is resolved
-- and one that is open. Another breaker's line is taken later.
SELECT sendgate.breaker_arm('prn-1', 'empty');
SELECT reason FROM sendgate.reserve('prn-1', 'inmail', 'p6', 'c');
SELECT sendgate.breaker_clear('prn-1', 'bought some');
SELECT count(*) > 0 AS taken FROM sendgate.take_breaker_lines(10000);
SELECT sendgate.breaker_arm('prn-2', 'empty');
UPDATE sendgate.accounts SET messages_sent_today = 9 WHERE id = 'prn-2';
SELECT count(*) FROM sendgate.reconcile_operations(10000);
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at, resolved_at)
VALUES
    (contract.op(1), 'prn-1', 'test', '2026-05-12', 'over', sendgate.clock(), sendgate.clock()),
    (contract.op(2), 'prn-1', 'test', '2026-05-12', 'open', sendgate.clock(), NULL);
SET sendgate.now = '2026-08-30 12:00:00+00';
SELECT sendgate.resolve_operation('prn-1', contract.op(5), false, NULL, 'asked them');

CREATE VIEW pg_temp.prn AS
SELECT left(kind, 16) AS kind, string_agg(what, ' ' ORDER BY what) AS kept
FROM (
    SELECT '1 journal', right(o.operation_id::text, 1) || ' ' || o.state
    FROM sendgate.send_operations o WHERE o.account_id = 'prn-1'
    UNION ALL SELECT '2 events', right(e.operation_id::text, 1) FROM sendgate.linkedin_events e WHERE e.account_id = 'prn-1'
    UNION ALL SELECT '3 breaker_log', l.account_id || ' ' || l.action FROM sendgate.breaker_log l WHERE l.account_id LIKE 'prn-%'
    UNION ALL SELECT '4 campaign', e.reason FROM sendgate.campaign_events e WHERE e.account_id LIKE 'prn-%'
    UNION ALL SELECT '5 drift', d.period FROM sendgate.counter_drift d WHERE d.account_id LIKE 'prn-%'
    UNION ALL SELECT '6 admin_log', l.verb FROM sendgate.admin_log l WHERE l.account_id LIKE 'prn-%'
    UNION ALL SELECT '7 alerts', l.detail FROM sendgate.alerts l WHERE l.account_id LIKE 'prn-%' AND l.kind = 'test'
    UNION ALL SELECT '8 requests', 'op 66' FROM sendgate.dispatch_requests q WHERE q.request_id = contract.op(66)
    UNION ALL SELECT '9 work', e.prospect_id FROM sendgate.enrollments e WHERE e.campaign_id = 'prn'
) AS rows (kind, what)
GROUP BY kind
ORDER BY kind;
CREATE FUNCTION pg_temp.prune(keep interval, keep_events interval, batch integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    LOOP
        SELECT * INTO done FROM sendgate.prune(keep, keep_events, batch);
        IF done.changed > batch OR done.changed <> done.checked OR done.more <> (done.changed = batch) THEN
            RAISE EXCEPTION 'a batch of % says %', batch, done;
        END IF;
        EXIT WHEN NOT done.more;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.prn;
-- 90 days later to the microsecond nothing is too old yet.
SET sendgate.now = '2026-08-10 12:00:00+00';
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT count(*) FROM pg_temp.prn;
SELECT kept FROM pg_temp.prn WHERE kind IN ('4 campaign', '8 requests', '9 work');
-- Then settled operations are deleted, in small batches. Unresolved ones stay, with their work; so do open
-- alerts, events, operations that were settled recently, and lines that were not taken.
SET sendgate.now = '2026-08-30 12:00:01+00';
SELECT pg_temp.prune('90 days', '400 days', 1);
SELECT * FROM pg_temp.prn;
-- Again: nothing left to do.
SELECT * FROM sendgate.prune(max_rows => 1000000);
-- Once taken, the line may go.
SELECT account_id, action FROM sendgate.take_breaker_lines(10000) WHERE account_id LIKE 'prn-%';
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT count(*) FROM sendgate.breaker_log WHERE account_id LIKE 'prn-%';
-- Unresolved work is there years later, and still can be settled; then it ages like any other.
SET sendgate.now = '2028-08-30 12:00:00+00';
SELECT pg_temp.prune('32 days', '36600 days', 10000);
SELECT * FROM pg_temp.prn;
SELECT sendgate.resolve_operation('prn-1', contract.op(3), true, 'chat 3', 'found it') IS NULL AS resolved;
SELECT pg_temp.prune('32 days', '36600 days', 10000);
SELECT kept FROM pg_temp.prn WHERE kind = '1 journal';
-- Events have a time of their own, counted from when they were recorded.
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT kept FROM pg_temp.prn WHERE kind = '2 events';

-- The current week and credit period stay: 32 days are kept, whatever the call asks for.
SELECT input.arguments, e.code, e.message
FROM (
    VALUES
        (1, $$'31 days 23:59:59.999999'$$),
        (2, $$'0'$$),
        (3, $$'-90 days'$$),
        (4, $$'1 month'$$),
        (5, $$'1 year'$$),
        (6, $$'36601 days'$$),
        (7, $$NULL$$),
        (8, $$'90 days', '31 days'$$),
        (9, $$'90 days', '13 months'$$),
        (10, $$'90 days', NULL$$),
        (11, $$'90 days', '400 days', 0$$),
        (12, $$'90 days', '400 days', 1000001$$),
        (13, $$'90 days', '400 days', NULL$$),
        (14, $$'32 days', '32 days', 1000000$$)
) AS input (n, arguments)
CROSS JOIN LATERAL contract.error(format('SELECT * FROM sendgate.prune(%s)', input.arguments)) AS e
ORDER BY input.n;
-- The longest credit period there is, 31 days, to its last second: nothing of it goes.
SET sendgate.now = '2027-02-28 00:00:00+00';
SELECT sendgate.upsert_account('prn-3', 'sales_navigator', credit_reset_day => 31);
SELECT proceed FROM sendgate.reserve('prn-3', 'inmail', 'p', NULL, contract.op(1));
SELECT sendgate.confirm('prn-3', contract.op(1), 'chat') IS NOT NULL AS delivered;
SET sendgate.now = '2027-03-30 23:59:59+00';
SELECT pg_temp.prune('32 days', '32 days', 10000);
SELECT count(*) FROM sendgate.linkedin_events WHERE account_id = 'prn-3';
SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'prn-3';

-- Days are 24 hours, whatever the session's time zone does in between: in Los Angeles, November 1,
-- 2026, had 25.
SET TimeZone = 'America/Los_Angeles';
INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id)
VALUES (contract.op(1), '2026-10-22 11:59:59.999999+00', 'test', 'older', 'prn-4'),
    (contract.op(2), '2026-10-22 12:00:00+00', 'test', 'exactly', 'prn-4');
SET sendgate.now = '2026-12-01 12:00:00+00';
SELECT pg_temp.prune('40 days', '400 days', 10000);
SELECT verb FROM sendgate.admin_log WHERE account_id = 'prn-4';
SET TimeZone = 'Pacific/Kiritimati';
SELECT pg_temp.prune('39 days 23:59:59.999999', '400 days', 10000);
SELECT verb FROM sendgate.admin_log WHERE account_id = 'prn-4';
SET TimeZone = 'UTC';

-- Prune alone may delete: not the same transaction after it, nor after one that failed half-way.
SET sendgate.now = '2027-03-30 23:59:59+00';
BEGIN;
SELECT count(*) FROM sendgate.prune();
SELECT code, message FROM contract.error($$DELETE FROM sendgate.linkedin_events WHERE account_id = 'prn-3'$$);
ROLLBACK;
CREATE FUNCTION contract.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON sendgate.alerts FOR EACH ROW EXECUTE FUNCTION contract.refuse();
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at, resolved_at)
VALUES (contract.op(9), 'prn-3', 'test', '2026-05-12', 'over', '2026-05-12', '2026-05-12');
SELECT code, message FROM contract.error('SELECT * FROM sendgate.prune()');
SELECT code, message FROM contract.error($$DELETE FROM sendgate.linkedin_events WHERE account_id = 'prn-3'$$);
DROP TRIGGER refuse ON sendgate.alerts;
DROP FUNCTION contract.refuse();
-- The daemon's role needs no right of its own to delete.
SET ROLE sendgate_daemon;
SELECT more FROM sendgate.prune();
RESET ROLE;
SELECT count(*) FROM sendgate.alerts WHERE account_id = 'prn-3';

-- Midnight looks at a week back from the end of its last sweep: idle accounts cost it nothing, and a row
-- that was held that night is rolled the next.
SET sendgate.now = '2065-02-01 00:00:00+00';
SELECT pg_temp.midnight();
SET sendgate.now = '2065-03-01 12:00:00+00';
SELECT sendgate.upsert_account('idle-' || n, 'sales_navigator') FROM generate_series(1, 2) n;
SELECT pg_temp.midnight(), pg_temp.spend('idle-1', 'inmail', 3);
SET sendgate.now = '2065-03-02 00:00:00+00';
SELECT * FROM sendgate.midnight_reset();
UPDATE sendgate.accounts SET day = '2065-02-27', inmails_sent_today = 2 WHERE id = 'idle-2';
SET sendgate.now = '2065-03-03 00:00:00+00';
SELECT * FROM sendgate.midnight_reset();
SELECT id, day, inmails_sent_today FROM sendgate.accounts WHERE id LIKE 'idle-%' ORDER BY id;
SET sendgate.now = '2065-03-20 00:00:00+00';
SELECT * FROM sendgate.midnight_reset();
SET sendgate.now = '2065-03-21 00:00:00+00';
SELECT * FROM sendgate.midnight_reset();

-- An event outlives its journal row: a webhook about an old InMail that comes again, with a rounded stamp, is still
-- about the same one. Another chat is another InMail.
SET sendgate.now = '2027-04-10 12:00:30+00';
SELECT sendgate.upsert_account('prn-5', 'sales_navigator');
SELECT sendgate.record_external_send('prn-5', 'inmail', 'p', 'chat-5', '2027-04-10 12:00:29.5+00') AS event \gset
SET sendgate.now = '2027-08-01 12:00:00+00';
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT count(*) AS in_the_journal FROM sendgate.send_operations WHERE account_id = 'prn-5';
SELECT sendgate.record_external_send('prn-5', 'inmail', 'p', 'chat-5', '2027-04-10 12:00:00+00') = :'event' AS same_event;
SELECT sendgate.record_external_send('prn-5', 'inmail', 'p', 'chat-6', '2027-04-10 12:00:00+00') = :'event' AS same_event;
SELECT chat_id, count(*) FROM sendgate.linkedin_events WHERE account_id = 'prn-5' GROUP BY 1 ORDER BY 1;

-- The logs of cooldowns, balances and observed refusals go like the others.
SET sendgate.now = '2066-03-01 12:00:00+00';
SELECT sendgate.upsert_account('prn-6', 'sales_navigator');
SELECT sendgate.record_credit_balance('prn-6', 9);
SELECT sendgate.set_enforcement('prn-6', 'observe', 'test');
SELECT proceed FROM sendgate.reserve('prn-6', 'inmail', 'p', NULL, contract.op(68));
SELECT sendgate.rollback('prn-6', contract.op(68), http_status => 429);
SELECT proceed, reason FROM sendgate.reserve('prn-6', 'inmail', 'q', NULL, contract.op(69));
CREATE VIEW pg_temp.prn_6 AS
SELECT (SELECT count(*) FROM sendgate.cooldown_log WHERE account_id = 'prn-6') AS cooldowns,
       (SELECT count(*) FROM sendgate.credit_balances WHERE account_id = 'prn-6') AS balances,
       (SELECT count(*) FROM sendgate.observed_refusals WHERE account_id = 'prn-6') AS refusals;
SET sendgate.now = '2066-05-30 12:00:00+00';
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT * FROM pg_temp.prn_6;
SET sendgate.now = '2066-05-30 12:00:01+00';
SELECT pg_temp.prune('90 days', '400 days', 10000);
SELECT * FROM pg_temp.prn_6;
