-- One poisoned row does not fail a batch: what PostgreSQL refuses to write is parked with its error,
-- and the others are handed out.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.work_62 AS
SELECT account_id, prospect_id, state, due_at, attempts, reason, error FROM contract.work WHERE account_id LIKE 'poison/%';
CREATE FUNCTION contract.account_62(account text, works integer, of_action text DEFAULT 'message') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sendgate.upsert_account(account, 'sales_navigator');
    FOR n IN 1..works LOOP
        PERFORM sendgate.enqueue('spring', 'p' || n, account, of_action, sendgate.clock() - (works - n) * interval '1 second');
    END LOOP;
END
$$;
-- What a superuser may have put there: a trigger of his own that does not like one prospect.
CREATE FUNCTION contract.poison_62() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.prospect_id = 'p7' THEN
        RAISE EXCEPTION 'no prospect % here', NEW.prospect_id;
    END IF;
    RETURN NEW;
END
$$;
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT contract.account_62('poison/a', 20);
CREATE TRIGGER poison_62 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.poison_62();
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/a');
SELECT * FROM contract.work_62 WHERE account_id = 'poison/a' AND prospect_id IN ('p6', 'p7', 'p8') ORDER BY prospect_id;

-- No slot is lost to it, and nothing is written about it but why.
SELECT sent_today FROM sendgate.counters WHERE account_id = 'poison/a' AND action = 'message';
SELECT count(*) AS operations FROM sendgate.send_operations WHERE account_id = 'poison/a';

-- The next call does not meet it again.
SELECT contract.books() AS before \gset
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/a');
SELECT contract.books() = :'before' AS nothing_changed;

-- Exactly as many as are asked for and as the cap has, though one is parked on the way.
SELECT contract.account_62('poison/cap', 20);
SELECT sendgate.set_cap('poison/cap', 'message', 8);
SELECT count(*) FROM sendgate.dispatch(5, NULL, 'poison/cap');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/cap');
SELECT sent_today FROM sendgate.counters WHERE account_id = 'poison/cap' AND action = 'message';
SELECT state, count(*) FROM contract.work_62 WHERE account_id = 'poison/cap' GROUP BY state ORDER BY state;

-- Where it is the only one, or one in each account of a batch.
SELECT contract.account_62('poison/many/' || n, 7) FROM generate_series(1, 3) AS n;
SELECT sendgate.upsert_account('poison/alone', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p7', 'poison/alone', 'message') AS is_new;
SET client_min_messages = 'error';
DELETE FROM sendgate.dispatch_queue WHERE account_id NOT LIKE 'poison/many/%';
RESET client_min_messages;
SELECT account_id, count(*) FROM sendgate.dispatch(100) GROUP BY account_id ORDER BY account_id;
SELECT state, count(*) FROM contract.work_62 WHERE account_id LIKE 'poison/many/%' GROUP BY state ORDER BY state;
SELECT sendgate.set_status('poison/alone', 'paused', 'test');
SELECT sendgate.enqueue('spring', 'p8', 'poison/alone', 'message', '2026-05-20 12:00+00') AS is_new;
SELECT sendgate.set_status('poison/alone', 'connected', 'test');
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/alone');
SELECT prospect_id, state, reason FROM contract.work_62 WHERE account_id = 'poison/alone' ORDER BY prospect_id;

-- A request_id remembers the work that was handed out, and not the work that was parked.
SELECT contract.account_62('poison/request', 8);
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/request', contract.op(6201));
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/request', contract.op(6201));

-- A clear of the breaker on the way stands, with the others' slots.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_62('poison/breaker', 8, 'inmail');
SELECT sendgate.breaker_arm('poison/breaker', 'test');
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/breaker');
SET sendgate.now = '2026-06-01 00:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/breaker') ORDER BY prospect_id;
SELECT action, reason, count(*) FROM sendgate.breaker_log WHERE account_id = 'poison/breaker' GROUP BY action, reason ORDER BY action;
DROP TRIGGER poison_62 ON sendgate.send_operations;

-- What is parked can be taken out of the campaign; enqueued again it stays parked.
SELECT sendgate.enqueue('spring', 'p7', 'poison/a', 'message') AS is_new;
SELECT sendgate.cancel('spring', 'p7', 'poison/a');
SELECT state, reason FROM contract.work_62 WHERE account_id = 'poison/a' AND prospect_id = 'p7';

-- A constraint that a row violates is the same.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT contract.account_62('poison/check', 5);
ALTER TABLE sendgate.enrollments ADD CONSTRAINT no_third CHECK (NOT (account_id = 'poison/check' AND prospect_id = 'p3' AND state = 'sending'));
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/check') ORDER BY prospect_id;
SELECT state, reason, error FROM contract.work_62 WHERE account_id = 'poison/check' AND prospect_id = 'p3';
ALTER TABLE sendgate.enrollments DROP CONSTRAINT no_third;

-- So is one about the breaker's audit: the poisoned one is parked, the others are deferred.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT contract.account_62('poison/audit', 5, 'inmail');
SELECT sendgate.breaker_arm('poison/audit', 'test');
ALTER TABLE sendgate.campaign_events ADD CONSTRAINT no_third CHECK (NOT (account_id = 'poison/audit' AND prospect_id = 'p3'));
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/audit');
ALTER TABLE sendgate.campaign_events DROP CONSTRAINT no_third;
SELECT prospect_id, state, due_at, reason FROM contract.work_62 WHERE account_id = 'poison/audit' ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.campaign_events WHERE account_id = 'poison/audit' ORDER BY prospect_id;

-- Text of an error that is too long is cut and marked.
CREATE FUNCTION contract.long_62() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', repeat('é', 5000) USING ERRCODE = '22023';
END
$$;
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT contract.account_62('poison/long', 1);
CREATE TRIGGER long_62 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.long_62();
SELECT count(*) FROM sendgate.dispatch(100, NULL, 'poison/long');
DROP TRIGGER long_62 ON sendgate.send_operations;
SELECT state, left(error, 10) AS begins, char_length(error) BETWEEN 2000 AND 2020 AS is_cut FROM contract.work_62 WHERE account_id = 'poison/long';

-- What is not a row's fault is the caller's error: nothing is parked, nothing stays behind, and the
-- session goes on as who it was.
CREATE FUNCTION contract.full_62() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full';
END
$$;
SELECT contract.account_62('poison/full', 2);
CREATE TRIGGER full_62 BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.full_62();
DO $roles$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_sendgate_full') THEN
        CREATE ROLE regress_sendgate_full;
    END IF;
END
$roles$;
GRANT sendgate_sender TO regress_sendgate_full;
SET ROLE regress_sendgate_full;
DO $$
BEGIN
    PERFORM sendgate.dispatch(100, NULL, 'poison/full');
EXCEPTION WHEN disk_full THEN
    RAISE LOG 'as expected';
END
$$;
SELECT current_user;
RESET ROLE;
-- Also outside of any block: the next statement runs, and so does the one after.
\set SHOW_CONTEXT never
SELECT sendgate.dispatch(100, NULL, 'poison/full');
SELECT current_user = session_user AS is_nobody_else;
DROP TRIGGER full_62 ON sendgate.send_operations;
DROP OWNED BY regress_sendgate_full;
DROP ROLE regress_sendgate_full;
SELECT state, reason FROM contract.work_62 WHERE account_id = 'poison/full';
SELECT prospect_id FROM sendgate.dispatch(100, NULL, 'poison/full') ORDER BY prospect_id;

-- A batch that is halved because of a poisoned row still knows what its first half handed out: one
-- prospect is not sent to twice.
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('poison/dup', 'sales_navigator');
SELECT sendgate.enqueue(campaign, prospect, 'poison/dup', 'message', '2026-05-20 11:00:00+00'::timestamptz + n * interval '1 second')
FROM (VALUES (1, 'c1', 'dup'), (2, 'c1', 'a'), (3, 'c1', 'poison'), (4, 'c2', 'b'), (5, 'c2', 'dup'), (6, 'c2', 'd')) w (n, campaign, prospect);
ALTER TABLE sendgate.send_operations ADD CONSTRAINT no_poison CHECK (prospect_id <> 'poison');
SELECT campaign_id, prospect_id FROM sendgate.dispatch(10, NULL, 'poison/dup') ORDER BY campaign_id, prospect_id;
ALTER TABLE sendgate.send_operations DROP CONSTRAINT no_poison;
SELECT campaign_id, prospect_id, state, reason FROM sendgate.enrollments WHERE account_id = 'poison/dup' ORDER BY campaign_id, prospect_id;
SELECT awaited FROM sendgate.send_operations WHERE account_id = 'poison/dup' AND prospect_id = 'dup';

-- Two credits are known: two InMails go out, although one is parked between them, and the others wait for those in
-- flight, without stamp, log or deferral.
SELECT contract.account_62('poison/credits', 6, 'inmail');
SELECT sendgate.record_credit_balance('poison/credits', 2);
ALTER TABLE sendgate.send_operations ADD CONSTRAINT no_poison CHECK (account_id <> 'poison/credits' OR prospect_id <> 'p2');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'poison/credits') ORDER BY prospect_id;
ALTER TABLE sendgate.send_operations DROP CONSTRAINT no_poison;
SELECT prospect_id, state, reason, next_dispatch_at FROM sendgate.enrollments WHERE account_id = 'poison/credits' ORDER BY prospect_id;
SELECT inmail_credits_exhausted_at FROM sendgate.linkedin_accounts WHERE id = 'poison/credits';
SELECT count(*) AS logged FROM sendgate.breaker_log WHERE account_id = 'poison/credits';

-- One that cannot even be parked does not stop the others either, and an operator is told.
CREATE FUNCTION contract.stuck_62() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not this one';
END
$$;
SELECT contract.account_62('poison/stuck', 4);
CREATE TRIGGER stuck_62 BEFORE UPDATE ON sendgate.enrollments FOR EACH ROW
WHEN (OLD.account_id = 'poison/stuck' AND OLD.prospect_id = 'p2') EXECUTE FUNCTION contract.stuck_62();
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'poison/stuck') ORDER BY prospect_id;
SELECT kind, detail FROM sendgate.open_alerts WHERE account_id = 'poison/stuck';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'poison/stuck');
DROP TRIGGER stuck_62 ON sendgate.enrollments;
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'poison/stuck');
