-- guard_send and settle_send: the gate as two triggers, on a table that an application has already.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
CREATE SCHEMA guard_46;
SET search_path = guard_46;
CREATE VIEW journal AS
SELECT account_id AS account, prospect_id AS prospect, campaign_id AS campaign, action, state, outcome, error
FROM sendgate.send_operations WHERE account_id LIKE '46%' ORDER BY account_id, prospect_id, reserved_at, state;
CREATE VIEW slots AS
SELECT account_id AS account, action, sent_today FROM sendgate.counters
WHERE account_id LIKE '46%' AND sent_today > 0 ORDER BY account_id, action;

-- The worked example. The outbox was there before sendgate: its keys are numbers.
CREATE TABLE outbox (
    id bigint PRIMARY KEY,
    account_id bigint NOT NULL,
    prospect_id bigint NOT NULL,
    campaign_id integer,
    chat_id text,
    error text
);
ALTER TABLE outbox ADD COLUMN operation_id uuid UNIQUE;
CREATE TRIGGER guard BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account_id', 'inmail', 'prospect_id', 'campaign_id', 'operation_id', 'error');
CREATE TRIGGER settle AFTER UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error');
SELECT sendgate.upsert_account('46', 'sales_navigator');
SELECT sendgate.set_cap('46', 'inmail', 3);

INSERT INTO outbox (id, account_id, prospect_id, campaign_id) VALUES (1, 46, 101, 7), (2, 46, 102, NULL);
SELECT o.id, j.operation_id = o.operation_id AS known, j.prospect_id, j.campaign_id, j.state
FROM outbox o LEFT JOIN sendgate.send_operations j ON j.account_id = '46' AND j.prospect_id = o.prospect_id::text ORDER BY o.id;
UPDATE outbox SET chat_id = 'chat-1' WHERE id = 1;
UPDATE outbox SET error = 'recipient blocked' WHERE id = 2;
SELECT * FROM journal;
SELECT * FROM slots;
SELECT chat_id, occurred_at FROM sendgate.linkedin_events WHERE account_id = '46';

-- A refusal is an error with the reason, when to come back, and what to do; the statement changes
-- nothing, also where other rows of it were granted.
SELECT code, message, detail, hint FROM contract.error('INSERT INTO outbox (id, account_id, prospect_id) VALUES (3, 46, 101)');
SELECT contract.books() AS before \gset
INSERT INTO outbox (id, account_id, prospect_id) VALUES (3, 46, 103), (4, 46, 104), (5, 46, 105), (6, 46, 106);
SELECT contract.books() = :'before' AS nothing_changed;
SELECT count(*) FROM outbox;

-- Updates that bring no outcome, and rows without an operation, are passed over.
UPDATE outbox SET campaign_id = 8;
UPDATE outbox SET chat_id = ' ' WHERE id = 2;
UPDATE outbox SET chat_id = 'chat-1', error = error WHERE id = 1;
BEGIN;
ALTER TABLE outbox DISABLE TRIGGER guard;
INSERT INTO outbox (id, account_id, prospect_id) VALUES (9, 46, 109);
ALTER TABLE outbox ENABLE TRIGGER guard;
UPDATE outbox SET chat_id = 'chat-9' WHERE id = 9;
ROLLBACK;
SELECT contract.books() = :'before' AS nothing_changed;

-- Same answers as the functions: a second chat id, a failure after the delivery.
SELECT e.code, e.message <> '' AS has_message FROM contract.error($$UPDATE outbox SET chat_id = 'other' WHERE id = 1$$) AS e;
SELECT e.code, e.message <> '' AS has_message FROM contract.error($$UPDATE outbox SET error = 'blocked' WHERE id = 1$$) AS e;

-- What ON CONFLICT drops holds no slot, and what it keeps keeps its own operation.
INSERT INTO outbox (id, account_id, prospect_id) VALUES (1, 46, 110) ON CONFLICT DO NOTHING;
INSERT INTO outbox (id, account_id, prospect_id) VALUES (1, 46, 111)
ON CONFLICT (id) DO UPDATE SET campaign_id = EXCLUDED.campaign_id;
INSERT INTO outbox (id, account_id, prospect_id) VALUES (1, 46, 112), (12, 46, 113) ON CONFLICT DO NOTHING;
SELECT * FROM journal WHERE prospect > '109';
SELECT * FROM slots;
-- One that takes the new operation over keeps its slot.
INSERT INTO outbox (id, account_id, prospect_id) VALUES (1, 46, 114)
ON CONFLICT (id) DO UPDATE SET operation_id = EXCLUDED.operation_id;
SELECT * FROM journal WHERE prospect > '113';

-- The same where the transaction is long: a slot is looked for when it commits, wherever the row is
-- by then.
SELECT sendgate.upsert_account('46t', 'sales_navigator');
CREATE TABLE parts (
    account text NOT NULL,
    kind text NOT NULL,
    prospect text NOT NULL,
    region text NOT NULL,
    operation text,
    reason varchar(40)
) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b (region text NOT NULL, gone int, operation text, reason varchar(40), prospect text NOT NULL, kind text NOT NULL, account text NOT NULL);
ALTER TABLE parts_b DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
CREATE TRIGGER guard BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'kind', 'prospect', '', 'operation', 'reason:reason');
BEGIN;
INSERT INTO parts VALUES ('46t', 'invite', 'kept', 'a'), ('46t', 'message', 'kept-b', 'b'), ('46t', 'invite', 'deleted', 'b');
SAVEPOINT s;
INSERT INTO parts VALUES ('46t', 'invite', 'undone', 'a');
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO parts VALUES ('46t', 'invite', 'released', 'a');
RELEASE s;
DELETE FROM parts WHERE prospect = 'deleted';
UPDATE parts SET prospect = prospect || '!' WHERE prospect = 'released';
UPDATE parts SET region = 'b' WHERE prospect = 'kept';
COMMIT;
SELECT tableoid::regclass AS partition, prospect, operation ~ '^[0-9a-f-]{36}$' AS granted, reason FROM parts ORDER BY prospect;
SELECT prospect, action, state, outcome FROM journal WHERE account = '46t';

-- A table, a column or a partition that the same transaction does away with.
SELECT sendgate.upsert_account('46d', 'sales_navigator');
BEGIN;
CREATE TABLE short_lived (account text, prospect text, operation char(40));
CREATE TRIGGER guard BEFORE INSERT ON short_lived FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
INSERT INTO short_lived VALUES ('46d', 'table dropped');
DROP TABLE short_lived;
CREATE TEMP TABLE "Odd ""name" (account text, prospect text, "Operation Id" char(40)) ON COMMIT DROP;
CREATE TRIGGER guard BEFORE INSERT ON "Odd ""name" FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'Operation Id', 'error');
INSERT INTO "Odd ""name" VALUES ('46d', 'odd name');
INSERT INTO parts VALUES ('46d', 'invite', 'partition detached', 'a');
ALTER TABLE parts DETACH PARTITION parts_a;
INSERT INTO parts VALUES ('46d', 'invite', 'partition dropped', 'b');
DROP TABLE parts_b;
COMMIT;
BEGIN;
CREATE TABLE renamed (account text, prospect text, operation varchar);
CREATE TRIGGER guard BEFORE INSERT ON renamed FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
INSERT INTO renamed VALUES ('46d', 'column renamed');
ALTER TABLE renamed RENAME COLUMN operation TO "SELECT";
ALTER TABLE renamed RENAME TO "FROM";
COMMIT;
BEGIN;
CREATE TABLE narrowed (account text, prospect text, operation uuid);
CREATE TRIGGER guard BEFORE INSERT ON narrowed FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
INSERT INTO narrowed VALUES ('46d', 'column dropped');
ALTER TABLE narrowed DROP COLUMN operation;
COMMIT;
SELECT prospect, state, outcome FROM journal WHERE account = '46d';

-- An operation that was settled in the same transaction needs no row.
SELECT sendgate.set_cap('46', 'inmail', 10);
BEGIN;
INSERT INTO outbox (id, account_id, prospect_id) VALUES (20, 46, 120);
UPDATE outbox SET error = 'opted out' WHERE id = 20;
DELETE FROM outbox WHERE id = 20;
INSERT INTO outbox (id, account_id, prospect_id) VALUES (21, 46, 121);
UPDATE outbox SET chat_id = 'chat-21' WHERE id = 21;
DELETE FROM outbox WHERE id = 21;
COMMIT;
SELECT prospect, state, outcome FROM journal WHERE prospect IN ('120', '121');

-- Mode reason:column lets refused rows in, and says why; a grant empties what stood there.
SELECT sendgate.upsert_account('46r', 'sales_navigator');
SELECT sendgate.set_cap('46r', 'message', 1);
CREATE TABLE letters (account text, kind text, prospect text, operation uuid, reason text);
CREATE TRIGGER guard BEFORE INSERT ON letters FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'kind', 'prospect', '', 'operation', 'reason:reason');
INSERT INTO letters VALUES ('46r', 'message', 'p1', NULL, 'old'), ('46r', 'message', 'p2', NULL, NULL), ('46r', 'invite', 'p1', contract.op(46), ' ');
COPY letters (account, kind, prospect) FROM STDIN;
46r	invite	p3
46r	message	p4
46r	profile_view	p4
\.
SELECT kind, prospect, operation IS NOT NULL AS granted, reason FROM letters ORDER BY kind, prospect, reason;
SELECT * FROM slots WHERE account = '46r';

-- An id that the row brings along is used: the same row again is the same operation, and what it is
-- dropped for gives back nothing that another row holds. So is one that reserve granted.
SELECT sendgate.upsert_account('46i', 'sales_navigator');
CREATE TABLE sends (operation uuid PRIMARY KEY, account text, prospect text);
CREATE TRIGGER guard BEFORE INSERT ON sends FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
INSERT INTO sends VALUES (contract.op(461), '46i', 'p1');
INSERT INTO sends VALUES (contract.op(461), '46i', 'p1') ON CONFLICT DO NOTHING;
SELECT proceed FROM sendgate.reserve('46i', 'invite', 'p2', NULL, contract.op(462));
BEGIN;
SELECT proceed FROM sendgate.reserve('46i', 'invite', 'p3', NULL, contract.op(463));
INSERT INTO sends VALUES (contract.op(462), '46i', 'p2'), (contract.op(463), '46i', 'p3');
DELETE FROM sends WHERE prospect IN ('p2', 'p3');
COMMIT;
SELECT prospect, state FROM journal WHERE account = '46i';
SELECT e.code, e.message FROM contract.error($$INSERT INTO sends VALUES (contract.op(461), '46i', 'p9')$$) AS e;
SELECT sendgate.rollback('46i', contract.op(462));
SELECT e.code, e.message, e.detail, e.hint FROM contract.error($$INSERT INTO sends VALUES (contract.op(462), '46i', 'p2')$$) AS e;

-- Inside PL/pgSQL, with errors caught and transactions ended there.
SELECT sendgate.upsert_account('46p', 'sales_navigator');
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (id, account_id, prospect_id) VALUES (30, 46, 130) ON CONFLICT DO NOTHING;
EXCEPTION WHEN SQLSTATE 'SG401' THEN
    RAISE NOTICE 'caught %', SQLERRM;
END
$$;
CREATE PROCEDURE twice() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sends VALUES (contract.op(465), '46p', 'p1');
    DELETE FROM sends WHERE prospect = 'p1';
    COMMIT;
    INSERT INTO sends VALUES (contract.op(466), '46p', 'p2');
    COMMIT;
END
$$;
SELECT sendgate.set_cap('46', 'inmail', 1);
CALL work();
CALL twice();
SELECT prospect, state, outcome FROM journal WHERE account = '46p';

-- A role that may do nothing but insert into the table, under row security that hides the table from
-- its owner too.
SELECT sendgate.upsert_account('46u', 'sales_navigator');
CREATE ROLE regress_guard_owner;
CREATE ROLE regress_guard_inserter;
GRANT USAGE ON SCHEMA guard_46 TO regress_guard_inserter, regress_guard_owner;
CREATE TABLE secured (account text, prospect text, operation text, key int UNIQUE);
CREATE TRIGGER guard BEFORE INSERT ON secured FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
ALTER TABLE secured OWNER TO regress_guard_owner;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY only_in ON secured FOR INSERT WITH CHECK (true);
GRANT INSERT ON secured TO regress_guard_inserter;
SET ROLE regress_guard_inserter;
INSERT INTO secured VALUES ('46u', 'p1', NULL, 1);
INSERT INTO secured VALUES ('46u', 'p2', NULL, 1) ON CONFLICT DO NOTHING;
SELECT sendgate.reserve('46u', 'invite', 'p5');
RESET ROLE;
SET row_security = off;
INSERT INTO secured VALUES ('46u', 'p3', NULL, 1) ON CONFLICT DO NOTHING;
INSERT INTO secured VALUES ('46u', 'p4', NULL, 4);
RESET row_security;
SELECT prospect, state, outcome FROM journal WHERE account = '46u';

-- Only who may call reserve may put the guard on a table.
SET ROLE regress_guard_owner;
CREATE TRIGGER another BEFORE INSERT ON secured FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
RESET ROLE;

-- Values that cannot be asked about.
SELECT input.row, e.code, e.message
FROM (
    VALUES
        (1, $$(NULL, 'invite', 'p')$$),
        (2, $$('46r', NULL, 'p')$$),
        (3, $$('46r', 'email', 'p')$$),
        (4, $$('46r', 'invite', NULL)$$),
        (5, $$('46r', 'invite', ' ')$$),
        (6, $$('nobody', 'invite', 'p')$$)
) AS input (n, row)
CROSS JOIN LATERAL contract.error('INSERT INTO letters (account, kind, prospect) VALUES ' || input.row) AS e ORDER BY input.n;
SELECT e.code, e.message, e.detail, e.hint FROM contract.error($$INSERT INTO secured VALUES ('46r', 'p', 'no uuid', 9)$$) AS e;

-- A trigger that is declared in another way says how to declare it.
CREATE DOMAIN own_uuid AS uuid;
CREATE TABLE wrong (account text, prospect text, operation uuid, number int, own own_uuid, reason text,
                    made text GENERATED ALWAYS AS ('x') STORED);
SELECT e.code, e.message, e.detail
FROM (
    VALUES
        (1, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation'$$),
        (2, 'AFTER INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (3, 'BEFORE INSERT', 'STATEMENT', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (4, 'BEFORE INSERT', 'ROW', 'guard_send', $$'Account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (5, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'email', 'prospect', '', 'operation', 'error'$$),
        (6, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'ctid', '', 'operation', 'error'$$),
        (7, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', 'null', 'operation', 'error'$$),
        (8, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', '', 'error'$$),
        (9, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'number', 'error'$$),
        (10, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'own', 'error'$$),
        (11, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'made', '', 'operation', 'error'$$),
        (12, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'drop'$$),
        (13, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'reason:'$$),
        (14, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'reason:number'$$),
        (15, 'BEFORE INSERT', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'reason:made'$$),
        (16, 'BEFORE INSERT', 'ROW', 'settle_send', $$'account', 'operation', 'prospect', 'reason'$$),
        (17, 'AFTER INSERT', 'ROW', 'settle_send', $$'account', 'operation', 'prospect', 'reason'$$)
) AS input (n, timing, level, function, arguments)
CROSS JOIN LATERAL contract.error(format(
    'DO $do$ BEGIN CREATE TRIGGER t %s ON wrong FOR EACH %s EXECUTE FUNCTION sendgate.%s(%s);
             INSERT INTO wrong VALUES (''46r'', ''p''); END $do$',
    input.timing, input.level, input.function, input.arguments)) AS e
ORDER BY input.n;
SELECT e.code, e.message, e.hint FROM contract.error('SELECT sendgate.settle_send()') AS e;

RESET search_path;
SET client_min_messages = error;
DROP SCHEMA guard_46 CASCADE;
DROP ROLE regress_guard_owner, regress_guard_inserter;
