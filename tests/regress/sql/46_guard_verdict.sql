-- What is wrong with the declaration of a trigger: said by the first statement that fires it, and by the view
-- guard_triggers in the same words, which fires none.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
CREATE SCHEMA guard_46v;
SET search_path = guard_46v;
CREATE VIEW verdicts AS
SELECT table_name, trigger_name, function, fault, detail, hint, advice
FROM sendgate.guard_triggers WHERE schema_name = 'guard_46v' ORDER BY table_name, trigger_name;
CREATE DOMAIN own_text AS text;
CREATE TABLE wrong (
    id int, account text, prospect text, campaign text, operation uuid UNIQUE, chat text, error text, reason text,
    status int, wait interval, number int, own own_text, points point,
    made text GENERATED ALWAYS AS ('x') STORED
);
SELECT sendgate.upsert_account('46v', 'sales_navigator');
-- Each is declared, judged, and then fired; what the two say has to be the same.
CREATE FUNCTION try(timing text, level text, function text, arguments text,
                    OUT code text, OUT fault text, OUT detail text, OUT is_foreseen boolean)
LANGUAGE plpgsql AS $body$
DECLARE
    foreseen record;
    said record;
BEGIN
    EXECUTE format('CREATE TRIGGER t %s ON wrong FOR EACH %s EXECUTE FUNCTION sendgate.%s(%s)', timing, level, function, arguments);
    SELECT v.fault, v.detail, v.hint INTO STRICT foreseen FROM verdicts v WHERE v.trigger_name = 't';
    -- A delete fires what is declared for it.
    SELECT * INTO said FROM contract.error($do$DO $$ BEGIN
        INSERT INTO wrong (id, account, prospect) VALUES (1, '46v', 'p');
        UPDATE wrong SET number = 1; DELETE FROM wrong; TRUNCATE wrong; END $$$do$);
    code := said.code; fault := said.message; detail := said.detail;
    is_foreseen := (foreseen.fault, foreseen.detail, foreseen.hint) IS NOT DISTINCT FROM (said.message, said.detail, said.hint);
    DROP TRIGGER t ON wrong;
END $body$;
SELECT n, e.*
FROM (
    VALUES
        (1, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation'$$),
        (2, 'AFTER UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (3, 'BEFORE UPDATE', 'STATEMENT', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (4, 'BEFORE INSERT OR DELETE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (5, 'BEFORE DELETE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (6, 'BEFORE TRUNCATE', 'STATEMENT', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'error'$$),
        (7, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'konto', 'invite', 'prospect', '', 'operation', 'error'$$),
        (8, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'email', 'prospect', '', 'operation', 'error'$$),
        (9, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'number', 'error'$$),
        (10, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'warn'$$),
        (11, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', '', 'operation', 'reason:number'$$),
        (12, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'chat', '', 'chat', 'error'$$),
        (13, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'invite', 'prospect', 'campaign', 'operation', 'reason:campaign'$$),
        (14, 'BEFORE UPDATE', 'ROW', 'guard_send', $$'account', 'chat', 'prospect', '', 'chat', 'error'$$),
        (20, 'BEFORE UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error'$$),
        (21, 'AFTER UPDATE', 'STATEMENT', 'settle_send', $$'account', 'operation', 'chat', 'error'$$),
        (22, 'AFTER INSERT OR UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error'$$),
        (23, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat'$$),
        (24, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error', '', '', '', ''$$),
        (25, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', ''$$),
        (26, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'chat'$$),
        (27, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'operation', 'error'$$),
        (28, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error', 'kind'$$),
        (29, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error', '', 'points'$$),
        (30, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error', '', 'wait'$$),
        (31, 'AFTER UPDATE', 'ROW', 'settle_send', $$'account', 'operation', 'chat', 'error', '', '', 'points'$$)
) AS input (n, timing, level, function, arguments)
CROSS JOIN LATERAL try(input.timing, input.level, input.function, input.arguments) AS e
ORDER BY n;
-- How to declare them.
CREATE TRIGGER a BEFORE DELETE ON wrong FOR EACH ROW EXECUTE FUNCTION sendgate.guard_send();
CREATE TRIGGER b AFTER DELETE ON wrong FOR EACH ROW EXECUTE FUNCTION sendgate.settle_send();
SELECT trigger_name, hint FROM verdicts;
DROP TABLE wrong;

-- What nothing is wrong with. Advice is for what is perhaps not meant.
CREATE TABLE outbox (
    id int, account text, prospect text, status text, operation uuid, other uuid, chat text, error text, kind own_text,
    answer numeric, wait real, summary text GENERATED ALWAYS AS (coalesce(error, 'none')) STORED
);
CREATE TRIGGER guard BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
SELECT fault, advice FROM verdicts;
DROP TRIGGER guard ON outbox;
CREATE TRIGGER guard BEFORE UPDATE ON outbox FOR EACH ROW WHEN (NEW.status = 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
CREATE INDEX ON outbox (operation);
CREATE UNIQUE INDEX ON outbox (operation) WHERE id > 0;
CREATE UNIQUE INDEX ON outbox (operation, id);
SELECT fault, advice FROM verdicts;
CREATE UNIQUE INDEX ON outbox (operation) INCLUDE (id);
SELECT fault, advice FROM verdicts;
CREATE TRIGGER settle AFTER UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account', 'operation', 'chat', 'summary', 'kind', 'answer', 'wait');
SELECT trigger_name, fault, advice FROM verdicts;
ALTER TABLE outbox SET UNLOGGED;
ALTER TABLE outbox DISABLE TRIGGER settle;
SELECT trigger_name, fault, advice FROM verdicts;
ALTER TABLE outbox ENABLE REPLICA TRIGGER settle, ALTER COLUMN operation TYPE bytea USING NULL;
SELECT trigger_name, fault, advice FROM verdicts;
ALTER TABLE outbox RENAME COLUMN chat TO conversation;
SELECT trigger_name, fault FROM verdicts;
DROP TABLE outbox;

-- Partitions are listed where one of them differs. A view and a foreign table hold no slot.
CREATE TABLE parts (account text, prospect text, operation uuid, part int) PARTITION BY LIST (part);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE INDEX ON parts (operation);
CREATE TRIGGER guard BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
CREATE VIEW seen AS SELECT * FROM parts;
CREATE TRIGGER guard INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) SERVER nowhere;
SELECT table_name, fault, advice FROM verdicts;

-- Anything else is not judged; nothing that is gone, either. Only readers may ask.
SELECT j.* FROM sendgate.judge_trigger('sendgate.linkedin_events'::regclass, (SELECT min(oid::bigint)::oid FROM pg_trigger WHERE tgrelid = 'sendgate.linkedin_events'::regclass)) AS j;
SELECT j.* FROM sendgate.judge_trigger(0, 0) AS j;
SELECT code, message FROM contract.error('SELECT sendgate.judge_trigger(NULL, 1)');
CREATE ROLE regress_46v;
SET ROLE regress_46v;
SELECT sendgate.judge_trigger(1, 1);
RESET ROLE;
DROP ROLE regress_46v;

RESET search_path;
SET client_min_messages = error;
DROP SCHEMA guard_46v CASCADE;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
