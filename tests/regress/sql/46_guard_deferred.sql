-- What is given back before the commit is written like everything else: deferred constraint triggers on sendgate's
-- tables and foreign keys to them look at it, and may refuse the commit.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SET sendgate.in_transaction = 'allow';
CREATE SCHEMA deferred_46;
SET search_path = deferred_46;
SELECT sendgate.upsert_account('46deferred', 'sales_navigator');
CREATE TABLE outbox (id integer PRIMARY KEY, prospect text, operation uuid UNIQUE, account text DEFAULT '46deferred');
CREATE TRIGGER guard BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'invite', 'prospect', '', 'operation', 'error');
INSERT INTO outbox VALUES (1, 'p1');

CREATE TABLE seen (prospect text, state text);
GRANT USAGE ON SCHEMA deferred_46 TO PUBLIC;
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SET search_path = deferred_46 AS $$
BEGIN
    IF NEW.prospect_id = 'refused' AND NEW.state = 'released' THEN
        RAISE EXCEPTION 'the CRM still wants %', NEW.prospect_id USING ERRCODE = 'APP46';
    END IF;
    INSERT INTO seen VALUES (NEW.prospect_id, NEW.state);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON sendgate.send_operations DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO outbox VALUES (1, 'p2') ON CONFLICT DO NOTHING;
BEGIN;
INSERT INTO outbox VALUES (2, 'p3');
DELETE FROM outbox WHERE id = 2;
SELECT count(*) AS before_the_commit FROM seen;
COMMIT;
SELECT * FROM seen ORDER BY prospect;

-- Its error is the commit's.
BEGIN;
INSERT INTO outbox VALUES (2, 'kept');
INSERT INTO outbox VALUES (1, 'refused') ON CONFLICT DO NOTHING;
COMMIT;
SELECT prospect_id, state FROM sendgate.send_operations WHERE account_id = '46deferred' ORDER BY prospect_id;

-- One that asks the gate again: what no row holds of that is given back too.
CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SET search_path = deferred_46 AS $$
BEGIN
    IF NEW.prospect_id = 'p4' THEN
        INSERT INTO outbox VALUES (1, 'p5') ON CONFLICT DO NOTHING;
        INSERT INTO outbox VALUES (3, 'p6');
    END IF;
    RETURN NULL;
END
$$;
GRANT INSERT, SELECT ON outbox TO PUBLIC;
INSERT INTO outbox VALUES (1, 'p4') ON CONFLICT DO NOTHING;
SELECT prospect_id, state FROM sendgate.send_operations WHERE account_id = '46deferred' AND prospect_id > 'p3' ORDER BY prospect_id;
DROP TRIGGER see ON sendgate.send_operations;
SELECT sent_today FROM sendgate.counters WHERE account_id = '46deferred' AND action = 'invite';
