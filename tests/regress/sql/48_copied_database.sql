-- A copy of the books does not send: they know the database in which they were written.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
CREATE VIEW pg_temp.home AS
SELECT h.system_identifier = s.system_identifier AS this_server,
       h.database_oid = d.oid AS this_database, h.recorded_at, h.actor = session_user AS by_me, h.note
FROM sendgate.home_database h, pg_control_system() s, pg_database d WHERE d.datname = current_database();

-- Installing says nothing; the first account does, and no later one.
DELETE FROM sendgate.home_database;
SELECT sendgate.copied_database();
SELECT sendgate.upsert_account('copy', 'sales_navigator');
SELECT * FROM pg_temp.home;
SET sendgate.now = '2026-05-20 12:01:00+00';
SELECT sendgate.upsert_account('copy-2', 'sales_navigator');
SELECT recorded_at FROM pg_temp.home;
SELECT sendgate.copied_database();
-- Here everything is as ever, and adopting changes nothing.
SELECT proceed, reason FROM sendgate.reserve('copy', 'inmail', 'p1', 'k', contract.op(1));
SELECT contract.books() AS before \gset
SELECT sendgate.adopt_database('it is ours');
SELECT contract.books() = :'before' AS nothing_changed;

-- What a restore into another database brings, or one into another server.
SELECT sendgate.enqueue('k', 'p2', 'copy', 'message');
UPDATE sendgate.home_database SET database_oid = 1;
SELECT sendgate.copied_database();
SELECT proceed, reason, retry_at FROM sendgate.preview('copy', 'message', 'p3');
SELECT proceed, reason, retry_at FROM sendgate.reserve('copy', 'message', 'p3');
SELECT reason, since, advice FROM sendgate.why('copy', 'message');
-- Not even again.
SELECT proceed, reason FROM sendgate.reserve('copy', 'inmail', 'p1', 'k', contract.op(1));
SELECT proceed, reason FROM sendgate.breaker_check('copy');
SELECT count(*) FROM sendgate.dispatch(10);
CREATE TABLE pg_temp.outbox (account_id text, prospect_id text, operation_id uuid, error text);
CREATE TRIGGER guard BEFORE INSERT ON pg_temp.outbox FOR EACH ROW
EXECUTE FUNCTION sendgate.guard_send('account_id', 'message', 'prospect_id', '', 'operation_id', 'error');
SELECT code, message, detail FROM contract.error($$INSERT INTO pg_temp.outbox VALUES ('copy', 'p4')$$);
-- What holds a slot is settled, and accounts are provisioned; neither makes it less of a copy.
SELECT sendgate.confirm('copy', contract.op(1), 'chat 1') IS NOT NULL AS confirmed;
SELECT sendgate.upsert_account('copy-3', 'sales_navigator');
SELECT sendgate.copied_database();
-- Nor does the switch: it has a reason of its own.
SELECT sendgate.resume_all();
SELECT sendgate.pause_all('on top');
SELECT sendgate.resume_all();
SELECT reason FROM sendgate.preview('copy', 'message', 'p3');

-- The audit tells of it, once a day.
SELECT more FROM sendgate.audit_events(10000);
SELECT account_id, day, detail FROM sendgate.open_alerts WHERE kind = 'copied_database';
SELECT reason, since, actor FROM sendgate.why('copy', 'message');
SET sendgate.now = '2026-05-21 12:00:00+00';
SELECT more FROM sendgate.audit_events(10000);
SELECT account_id, day FROM sendgate.open_alerts WHERE kind = 'copied_database';

-- Adopted, it is the one that sends.
SELECT sendgate.adopt_database('the old server is gone');
SELECT * FROM pg_temp.home;
SELECT sendgate.copied_database();
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'copied_database';
SELECT proceed, reason FROM sendgate.reserve('copy', 'message', 'p3');
SELECT prospect_id FROM sendgate.dispatch(10, 'message', 'copy');
SELECT verb, account_id, before ->> 'database_oid' AS before, after ? 'database_oid' AS after, note
FROM sendgate.admin_log WHERE verb = 'adopt_database' AND at = sendgate.clock();

-- Another server is another database too; a session that asked before sees it at once.
UPDATE sendgate.home_database SET system_identifier = system_identifier + 1;
SELECT reason FROM sendgate.preview('copy', 'message', 'p5');
-- Switched off, nothing is compared, and nothing is told.
SET sendgate.copy_check = off;
SELECT proceed, reason FROM sendgate.preview('copy', 'message', 'p5');
SELECT sendgate.copied_database();
SELECT more FROM sendgate.audit_events(10000);
SELECT count(*) FROM sendgate.open_alerts WHERE kind = 'copied_database';
RESET sendgate.copy_check;
SELECT reason FROM sendgate.preview('copy', 'message', 'p5');
SELECT sendgate.adopt_database(NULL);
SELECT proceed, reason FROM sendgate.preview('copy', 'message', 'p5');

-- Bad input: a note that is none; who may.
SELECT contract.books() AS before \gset
\x on
SELECT * FROM contract.error($$SELECT sendgate.adopt_database(repeat('x', 4001))$$);
\x off
SELECT contract.books() = :'before' AS nothing_changed;
SELECT r.role, has_function_privilege(r.role, 'sendgate.adopt_database(text)', 'EXECUTE') AS may_adopt,
       has_function_privilege(r.role, 'sendgate.copied_database()', 'EXECUTE') AS may_ask
FROM unnest(ARRAY['sendgate_sender', 'sendgate_reader', 'sendgate_operator', 'sendgate_daemon']) r (role);
DROP TABLE pg_temp.outbox;
