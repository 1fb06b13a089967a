-- guard_send where workers claim a row by an update, and settle_send with the provider's whole answer.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
CREATE SCHEMA guard_46u;
SET search_path = guard_46u;
CREATE VIEW journal AS
SELECT account_id AS account, prospect_id AS prospect, action, state, outcome, http_status AS status, error_type AS type, error
FROM sendgate.send_operations WHERE account_id LIKE '46u_%' ORDER BY account_id, prospect_id, reserved_at, state, outcome;

-- The worked example: rows wait for days, and the slot is taken when a worker claims one.
CREATE TABLE outbox (
    id bigint PRIMARY KEY,
    account_id text NOT NULL,
    prospect_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'queued',
    operation_id uuid UNIQUE,
    chat_id text,
    error text,
    error_type text,
    http_status integer,
    retry_after interval
);
CREATE TRIGGER guard BEFORE UPDATE ON outbox FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account_id', 'invite', 'prospect_id', '', 'operation_id', 'error');
CREATE TRIGGER settle AFTER UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error', 'error_type', 'http_status', 'retry_after');
CREATE FUNCTION claim(outbox_id bigint, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE sql BEGIN ATOMIC
    SELECT * FROM contract.error(format('UPDATE outbox SET status = ''sending'' WHERE id = %s', outbox_id));
END;
SELECT sendgate.upsert_account('46ua', 'sales_navigator'), sendgate.upsert_account('46ub', 'sales_navigator');
INSERT INTO outbox (id, account_id, prospect_id) SELECT n, '46ua', n FROM generate_series(1, 9) n;
SELECT count(*) AS asked_by_the_insert FROM journal;

UPDATE outbox SET status = 'sending'
WHERE id IN (SELECT id FROM outbox WHERE status = 'queued' ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED)
RETURNING id, status, operation_id IS NOT NULL AS may_be_sent;
SELECT * FROM journal;
-- Delivered, given back, unknown: with the provider's type, status and wait.
UPDATE outbox SET chat_id = 'chat-1', status = 'sent' WHERE id = 1;
UPDATE outbox SET status = 'queued', error = 'slow down', http_status = 429, retry_after = '5 minutes' WHERE id = 2;
UPDATE outbox SET status = 'queued', error = 'who knows', http_status = 500 WHERE id = 3;
SELECT * FROM journal;
SELECT cause, until FROM sendgate.cooldowns WHERE account_id = '46ua';
SELECT * FROM claim(4);
SELECT sendgate.clear_cooldown('46ua', 'test');

-- One that was given back gets a new id, and begins without what came of the attempt before.
SELECT operation_id AS first FROM outbox WHERE id = 2 \gset
UPDATE outbox SET status = 'sending' WHERE id = 2
RETURNING operation_id <> :'first' AS new_id, error, error_type, http_status, retry_after;
-- So the same words again are a failure of the new attempt.
UPDATE outbox SET status = 'queued', error = 'slow down', error_type = 'errors/insufficient_credits', http_status = 503 WHERE id = 2;
SELECT * FROM journal WHERE prospect = '2';

-- One that is unresolved or delivered refuses: in flight, unknown, delivered, expired.
UPDATE outbox SET status = 'sending' WHERE id = 4;
UPDATE outbox SET status = 'queued' WHERE id IN (1, 4);
SELECT contract.books() AS before, string_agg(o::text, '') AS rows FROM outbox o \gset
SELECT n, c.* FROM unnest('{4,3,1}'::int[]) WITH ORDINALITY AS id (n, o) CROSS JOIN LATERAL claim(n) c ORDER BY o;
SET sendgate.now = '2026-05-20 13:00:00+00';
SELECT code, message FROM claim(4);
-- The delivered one is refused also where nothing else would refuse it any more.
SET sendgate.now = '2026-05-25 13:00:00+00';
SELECT code, message FROM claim(1);
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT contract.books() = :'before' AS nothing_changed, string_agg(o::text, '') = :'rows' AS no_row_either FROM outbox o;
-- A person settles them: not sent is a new attempt, sent is none.
SELECT sendgate.resolve_operation(account_id, operation_id, id = 3) FROM outbox WHERE id = 3;
SET sendgate.now = '2026-05-25 13:00:00+00';
SELECT sendgate.resolve_operation(account_id, operation_id, false) FROM outbox WHERE id = 4;
SELECT n, code, message FROM unnest('{3,4}'::int[]) n CROSS JOIN LATERAL claim(n) ORDER BY n;

-- Of one that was delivered long ago only the event is left; it is refused all the same.
BEGIN;
DELETE FROM sendgate.send_operations WHERE (account_id, operation_id) = (SELECT account_id, operation_id FROM outbox WHERE id = 1);
SELECT code, message FROM claim(1);
ROLLBACK;

-- A claim that is rolled back leaves nothing, nor does one whose row is not written in the end.
SELECT contract.books() AS before \gset
BEGIN;
UPDATE outbox SET status = 'sending' WHERE id = 4;
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE outbox SET status = 'sending' WHERE id IN (4, 5);
ROLLBACK TO s;
COMMIT;
SELECT contract.books() = :'before' AS nothing_changed;
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 5 THEN RETURN NULL; END IF;
    IF NEW.id = 6 THEN NEW.operation_id := NULL; END IF;
    IF NEW.id = 7 THEN NEW.operation_id := contract.op(467); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spoil BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION spoil();
UPDATE outbox SET status = 'sending' WHERE id IN (5, 6, 7, 8);
DROP TRIGGER spoil ON outbox;
SELECT o.id, o.status, j.state FROM outbox o
LEFT JOIN sendgate.send_operations j ON j.account_id = o.account_id AND j.operation_id = o.operation_id
WHERE o.id BETWEEN 5 AND 8 ORDER BY o.id;
SELECT prospect, state, outcome FROM journal WHERE prospect BETWEEN '5' AND '8';
BEGIN;
UPDATE outbox SET status = 'sending' WHERE id = 9;
DELETE FROM outbox WHERE id = 9;
COMMIT;
SELECT prospect, state, outcome FROM journal WHERE prospect = '9';

-- Many rows in one statement: each is asked about in turn, and one refusal undoes the statement.
INSERT INTO outbox (id, account_id, prospect_id) VALUES (20, '46ub', 1), (21, '46ub', 2), (22, '46ub', 1), (23, '46ub', 3);
SELECT code, message FROM contract.error($$UPDATE outbox SET status = 'sending' WHERE id BETWEEN 20 AND 23$$);
UPDATE outbox SET status = 'sending' WHERE id IN (20, 21);
SELECT prospect, state FROM journal WHERE account = '46ub';

-- An id that the claim brings along is used, unless it is spent; so is one of a row that came from another account.
UPDATE outbox SET status = 'sending', operation_id = contract.op(46023) WHERE id = 23 RETURNING operation_id;
UPDATE outbox SET status = 'queued', error = 'rate limit', http_status = 503 WHERE id = 23;
UPDATE outbox SET status = 'sending', operation_id = contract.op(46023) WHERE id = 23 RETURNING operation_id = contract.op(46023) AS spent_id;
UPDATE outbox SET status = 'queued' WHERE id = 23;
SELECT code, message FROM contract.error($$UPDATE outbox SET status = 'sending', account_id = '46ua' WHERE id = 23$$);
UPDATE outbox SET error = 'rate limit', http_status = 503 WHERE id = 23;
UPDATE outbox SET status = 'sending', account_id = '46ua' WHERE id = 23;
SELECT account, state FROM journal WHERE prospect = '3' AND account = '46ua' AND state = 'reserved';
SELECT code, message FROM contract.error($$UPDATE outbox SET status = 'sending', operation_id = contract.op(46023), prospect_id = 99 WHERE id = 4$$);

-- An outcome whose update takes the id out of the row is one all the same.
UPDATE outbox SET status = 'queued', error = 'rate limit', http_status = 503, operation_id = NULL WHERE id = 21;
SELECT prospect, state, outcome, status FROM journal WHERE account = '46ub' AND prospect = '2';

-- Mode reason:column: the claim goes through without an id, and says why. An id that leaves its row so is told of.
CREATE TABLE letters (
    id int PRIMARY KEY, account text, prospect text, status text DEFAULT 'queued', operation text UNIQUE, reason text,
    chat text, error text NOT NULL DEFAULT '', answer text
);
CREATE TRIGGER guard BEFORE UPDATE OF status ON letters FOR EACH ROW WHEN (NEW.status = 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account', 'message', 'prospect', '', 'operation', 'reason:reason');
CREATE TRIGGER settle AFTER UPDATE ON letters FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account', 'operation', 'chat', 'error', '', 'answer');
SELECT sendgate.upsert_account('46ur', 'sales_navigator');
SELECT sendgate.set_cap('46ur', 'message', 2);
INSERT INTO letters VALUES (1, '46ur', 'p1'), (2, '46ur', 'p2'), (3, '46ur', 'p3'), (4, '46ur', 'p4');
UPDATE letters SET status = 'sending' WHERE id <= 3 RETURNING id, operation IS NOT NULL AS may_be_sent, reason;
UPDATE letters SET error = 'busy', answer = ' 503 ', status = 'queued' WHERE id = 1;
UPDATE letters SET status = 'sending' WHERE id IN (1, 3) RETURNING id, operation IS NOT NULL AS may_be_sent, reason, error, answer;
UPDATE letters SET error = 'busy', answer = '503' WHERE id = 1;
SET client_min_messages = warning;
\set VERBOSITY sqlstate
UPDATE letters SET status = 'sending' WHERE id = 2 RETURNING id, operation, reason;
UPDATE letters SET status = 'sending' WHERE id = 4 RETURNING id, operation IS NOT NULL AS may_be_sent, reason;
\set VERBOSITY default
SET client_min_messages = error;
SELECT prospect, state, outcome, status, error FROM journal WHERE account = '46ur';

-- Upserts: on a table that is guarded for both, an update takes the new slot over, or the statement's own row is in its way.
CREATE TABLE wishes (id int PRIMARY KEY, account text, prospect text, status text, operation uuid UNIQUE);
CREATE TRIGGER guard_new BEFORE INSERT ON wishes FOR EACH ROW WHEN (NEW.status = 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
CREATE TRIGGER guard_old BEFORE UPDATE ON wishes FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
SELECT sendgate.upsert_account('46uw', 'sales_navigator');
INSERT INTO wishes VALUES (1, '46uw', 'p1', 'queued'), (2, '46uw', 'p2', 'queued'), (3, '46uw', 'p3', 'queued');
INSERT INTO wishes VALUES (1, '46uw', 'p1', 'sending'), (4, '46uw', 'p4', 'sending')
ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, operation = EXCLUDED.operation;
SELECT code, message FROM contract.error($$INSERT INTO wishes VALUES (2, '46uw', 'p2', 'sending')
ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status$$);
INSERT INTO wishes VALUES (2, '46uw', 'p2', 'queued') ON CONFLICT (id) DO UPDATE SET status = 'sending';
MERGE INTO wishes w USING (VALUES (3, 'p3'), (5, 'p5')) AS n (id, prospect) ON w.id = n.id
WHEN MATCHED THEN UPDATE SET status = 'sending'
WHEN NOT MATCHED THEN INSERT VALUES (n.id, '46uw', n.prospect, 'sending');
SELECT w.id, w.status, j.state FROM wishes w
LEFT JOIN sendgate.send_operations j ON j.account_id = w.account AND j.operation_id = w.operation ORDER BY w.id;
SELECT prospect, state FROM journal WHERE account = '46uw';

-- A partitioned outbox, where a claim moves the row to another partition.
CREATE TABLE parts (
    account text NOT NULL, prospect text NOT NULL, status text NOT NULL, operation uuid, chat text, error text
) PARTITION BY LIST (status);
CREATE TABLE parts_waiting PARTITION OF parts FOR VALUES IN ('queued');
CREATE TABLE parts_others (
    gone int, error text, operation uuid, chat text, status text NOT NULL, prospect text NOT NULL, account text NOT NULL
);
ALTER TABLE parts_others DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_others DEFAULT;
CREATE INDEX ON parts (operation);
CREATE TRIGGER guard BEFORE UPDATE ON parts FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
CREATE TRIGGER settle AFTER UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account', 'operation', 'chat', 'error');
SELECT sendgate.upsert_account('46up', 'sales_navigator');
INSERT INTO parts (account, prospect, status) VALUES ('46up', 'p1', 'queued'), ('46up', 'p2', 'queued'), ('46up', 'p3', 'queued');
UPDATE parts SET status = 'sending' WHERE prospect IN ('p1', 'p2') RETURNING tableoid::regclass, prospect, operation IS NOT NULL AS may_be_sent;
BEGIN;
UPDATE parts SET status = 'sending' WHERE prospect = 'p3';
DELETE FROM parts WHERE prospect = 'p3';
COMMIT;
UPDATE parts SET chat = 'c1', status = 'sent' WHERE prospect = 'p1';
UPDATE parts SET error = 'rate limit' WHERE prospect = 'p2';
SELECT prospect, state, outcome FROM journal WHERE account = '46up';

-- An outcome in any type: a status as text or a number with a point, a wait in seconds; what is none is not given.
CREATE TABLE answers (
    n int PRIMARY KEY, operation uuid, account text DEFAULT '46uz', chat text, error text,
    status text, wait text
);
CREATE TRIGGER settle AFTER UPDATE ON answers FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account', 'operation', 'chat', 'error', '', 'status', 'wait');
SELECT sendgate.upsert_account('46uz', 'recruiter');
INSERT INTO answers (n, operation)
SELECT n, d.operation_id FROM generate_series(1, 7) n CROSS JOIN LATERAL sendgate.reserve('46uz', 'message', 'p' || n) d;
SET client_min_messages = warning;
UPDATE answers a SET error = 'rate limit', status = v.status, wait = v.wait
FROM (VALUES (1, '429', '90'), (2, '429.0', '90.5'), (3, ' 503 ', ''), (4, 'many', '-1'),
             (5, '', 'Wed, 21 Oct 2026 07:28:00 GMT'), (6, '99999999999', 'infinity'), (7, NULL, '1e300')) AS v (n, status, wait)
WHERE a.n = v.n;
SET client_min_messages = error;
SELECT prospect, outcome, status FROM journal WHERE account = '46uz';

RESET search_path;
DROP SCHEMA guard_46u CASCADE;
