\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- Layer 2: the counter against the events, as in the seeds' pages: 60 against a cap of 50, 17
-- delivered against a counter of 104.
SET sendgate.now = '2026-08-12 12:00:00+00';
SELECT sendgate.upsert_account('aud-' || n, 'sales_navigator') FROM generate_series(1, 6) n;
CREATE FUNCTION pg_temp.audit() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    LOOP
        SELECT * INTO done FROM sendgate.audit_events(7);
        EXIT WHEN NOT done.more;
    END LOOP;
END
$$;
CREATE VIEW pg_temp.alarm AS
SELECT account_id, kind, day, detail FROM sendgate.open_alerts WHERE account_id LIKE 'aud-%'
ORDER BY account_id, kind;
SELECT count(sendgate.confirm('aud-1', (sendgate.reserve('aud-1', 'inmail', 'p' || n)).operation_id, 'c' || n))
FROM generate_series(1, 17) n;
UPDATE sendgate.accounts SET day = '2026-08-12' WHERE id LIKE 'aud-%';

-- Five ahead is normal, six is not; what is in flight does not count.
UPDATE sendgate.accounts SET inmails_sent_today = 22 WHERE id = 'aud-1';
UPDATE sendgate.accounts SET inmails_sent_today = 5 WHERE id = 'aud-2';
UPDATE sendgate.accounts SET inmails_sent_today = 6 WHERE id = 'aud-3';
SELECT count(sendgate.reserve('aud-4', 'inmail', 'p' || n)) FROM generate_series(1, 10) n;
SELECT pg_temp.audit();
SELECT * FROM pg_temp.alarm;
-- One open per account, day and kind.
SELECT pg_temp.audit();
SELECT count(*) FROM pg_temp.alarm;
-- After their time, the ten unanswered operations are ahead as well.
SET sendgate.now = '2026-08-12 12:15:00+00';
SELECT pg_temp.audit();
SELECT account_id, kind FROM pg_temp.alarm;
-- Healed, resolved.
UPDATE sendgate.accounts SET inmails_sent_today = 0 WHERE id = 'aud-3';
SELECT pg_temp.audit();
SELECT account_id, kind FROM pg_temp.alarm;

-- 59 against 50 is no offence, 60 is: an hour's cooldown, once a day, not on top of a longer one.
UPDATE sendgate.accounts SET inmails_sent_today = 59 WHERE id = 'aud-2';
UPDATE sendgate.accounts SET inmails_sent_today = 60 WHERE id = 'aud-3';
UPDATE sendgate.accounts SET inmails_sent_today = 104, cooldown_until = '2026-08-12 20:00:00+00'
WHERE id = 'aud-1';
SELECT pg_temp.audit();
SELECT account_id, kind, detail FROM pg_temp.alarm WHERE kind = 'over_cap';
SELECT id, cooldown_until FROM sendgate.linkedin_accounts WHERE id IN ('aud-1', 'aud-2', 'aud-3') ORDER BY id;
SELECT (sendgate.preview('aud-3', 'invite')).reason;
SELECT sendgate.clear_cooldown('aud-3', 'looked at it');
SET sendgate.now = '2026-08-12 12:25:00+00';
SELECT pg_temp.audit();
SELECT cooldown_until FROM sendgate.linkedin_accounts WHERE id = 'aud-3';

-- Lowering a cap is no offence: the highest of the day is what counts.
SELECT count(sendgate.reserve('aud-5', 'inmail', 'p' || n)) FROM generate_series(1, 40) n;
SELECT sendgate.set_cap('aud-5', 'inmail', 10);
SELECT pg_temp.audit();
SELECT kind FROM pg_temp.alarm WHERE account_id = 'aud-5';

-- Behind: slots could be granted twice. And an event that no operation stands for.
UPDATE sendgate.accounts SET inmails_sent_today = 3 WHERE id = 'aud-1';
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id,
    prospect_id, event_type, chat_id)
VALUES (contract.op(65), contract.op(65), '2026-08-12 12:00:00+00', '2026-08-12 12:00:00+00', '2026-08-12',
    'aud-6', 'p', 'inmail_sent', 'chat');
SELECT pg_temp.audit();
SELECT account_id, kind, detail FROM pg_temp.alarm WHERE account_id IN ('aud-1', 'aud-6');

-- Layer 1 corrects, the next audit resolves its alert; an alert about an event stays until it is acknowledged.
SELECT * FROM sendgate.reconcile_operations(10000) \gset
SET sendgate.now = '2026-08-12 12:35:00+00';
SELECT pg_temp.audit();
SELECT account_id, kind FROM pg_temp.alarm;
SET ROLE sendgate_operator;
SELECT sendgate.acknowledge_alert(alert_id, 'sent from the old system') FROM sendgate.open_alerts
WHERE account_id = 'aud-6' AND kind = 'unreserved_send';
RESET ROLE;
SELECT account_id, kind FROM pg_temp.alarm;
SELECT kind, acknowledged_by, acknowledge_note, resolved_at FROM sendgate.alerts
WHERE account_id = 'aud-6' AND kind = 'unreserved_send';
SELECT code, message, hint FROM contract.error($$SELECT sendgate.acknowledge_alert(contract.op(1), 'x')$$);
SELECT code, message FROM contract.error($$SELECT sendgate.acknowledge_alert(NULL, 'x')$$);

-- Yesterday's alerts are over with their day.
SET sendgate.now = '2026-08-13 00:00:00+00';
SELECT pg_temp.audit();
SELECT account_id, kind FROM pg_temp.alarm;

-- An account whose row is a day ahead of the clock: told once, and not again with each sweep.
UPDATE sendgate.accounts SET day = '2026-08-14', inmails_sent_today = 9 WHERE id = 'aud-3';
SELECT pg_temp.audit();
SELECT kind, day, detail FROM pg_temp.alarm WHERE account_id = 'aud-3';
SET sendgate.now = '2026-08-13 00:10:00+00';
SELECT checked > 0 AS checked, changed, more FROM sendgate.audit_events(10000);
SELECT count(*), count(resolved_at) FROM sendgate.alerts WHERE account_id = 'aud-3' AND day = '2026-08-14';
-- Healed, resolved, whatever its day.
UPDATE sendgate.accounts SET inmails_sent_today = 0 WHERE id = 'aud-3';
SELECT pg_temp.audit();
SELECT count(*), count(resolved_at) FROM sendgate.alerts WHERE account_id = 'aud-3' AND day = '2026-08-14';
UPDATE sendgate.accounts SET day = '2026-08-13' WHERE id = 'aud-3';

-- Nor is a ramp or a smaller tier that lowers the cap later on the day: 15 by hand against the 50 of before.
SET sendgate.now = '2026-08-14 12:00:00+00';
SELECT sendgate.upsert_account(id, 'sales_navigator') FROM (VALUES ('aud-ramp'), ('aud-tier')) a (id);
SELECT sendgate.upsert_account('aud-ramp', ramp => true), sendgate.upsert_account('aud-tier', 'free');
SELECT id, count(sendgate.record_external_send(id, 'inmail', 'p' || n, 'c' || n, '2026-08-14 11:00+00'))
FROM (VALUES ('aud-ramp'), ('aud-tier')) a (id) CROSS JOIN generate_series(1, 15) n GROUP BY id ORDER BY id;
SELECT pg_temp.audit();
SELECT account_id, kind, detail FROM pg_temp.alarm WHERE kind = 'over_cap';
