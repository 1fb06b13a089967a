-- A probe of an account with deferred work: one of it becomes due, so that dispatch finds it, and what
-- becomes of that one decides about the rest.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
CREATE VIEW contract.work_57 AS
SELECT account_id, prospect_id, state, due_at, attempts, reason FROM contract.work WHERE account_id LIKE 'probes/%';
CREATE VIEW contract.permit_57 AS
SELECT account_id, state, probe_lease_until, probe_operation_id IS NOT NULL AS taken FROM sendgate.breakers WHERE account_id LIKE 'probes/%';
-- An exhausted account with so many deferred InMails, probed an hour later.
CREATE FUNCTION contract.account_57(account text, works integer DEFAULT 3) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('sendgate.now', '2026-05-24 12:00:00+00', false);
    PERFORM sendgate.upsert_account(account, 'sales_navigator');
    FOR n IN 1..works LOOP
        PERFORM sendgate.enqueue('spring', 'p' || n, account, 'inmail', sendgate.clock() - (works - n) * interval '1 second');
        PERFORM set_config('sendgate.now', (sendgate.clock() + interval '1 second')::text, false);
    END LOOP;
    PERFORM sendgate.breaker_arm(account, 'test');
    PERFORM FROM sendgate.dispatch(10, NULL, account);
    PERFORM set_config('sendgate.now', '2026-05-24 13:00:00+00', false);
    PERFORM sendgate.breaker_probe(account, 'topped up');
END
$$;

-- Exactly one becomes due: what has waited longest. dispatch hands it out, and no other.
SELECT contract.account_57('probes/delivered');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/delivered' ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/delivered');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/delivered');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/delivered' ORDER BY prospect_id;
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/delivered';

-- Delivered: the breaker clears, and the rest goes on at once.
SET sendgate.now = '2026-05-24 13:01:00+00';
SELECT sendgate.confirm('probes/delivered', contract.handed('probes/delivered', 'p1'), 'chat-1') IS NOT NULL AS confirmed;
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/delivered';
SELECT * FROM contract.work_57 WHERE account_id = 'probes/delivered' ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/delivered') ORDER BY prospect_id;

-- No credits: it is deferred again with the others, the stamp stays, and it takes another probe.
SELECT contract.account_57('probes/empty');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/empty');
SET sendgate.now = '2026-05-24 13:01:00+00';
SELECT sendgate.rollback('probes/empty', contract.handed('probes/empty', 'p1'), 'Not enough credits');
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/empty';
SELECT * FROM contract.work_57 WHERE account_id = 'probes/empty' ORDER BY prospect_id;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/empty');
SELECT sendgate.breaker_probe('probes/empty', 'once more');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/empty');

-- What says nothing about credits: the permit is back at once, and another deferred one becomes due.
SELECT contract.account_57('probes/refused');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/refused');
SELECT sendgate.rollback('probes/refused', contract.handed('probes/refused', 'p1'), 'Recipient blocked');
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/refused';
SELECT * FROM contract.work_57 WHERE account_id = 'probes/refused' ORDER BY prospect_id;
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/refused');
SELECT sendgate.rollback('probes/refused', contract.handed('probes/refused', 'p2'), 'Service Unavailable', http_status => 503);
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/refused');
SELECT sendgate.rollback('probes/refused', contract.handed('probes/refused', 'p3'));
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/refused';
SELECT * FROM contract.work_57 WHERE account_id = 'probes/refused' ORDER BY prospect_id;

-- It is as old as it was: past its lease it is gone, and what backed off is deferred as the others.
SET sendgate.now = '2026-05-24 13:20:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/refused');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/refused' ORDER BY prospect_id;

-- Unknown: parked, and no other InMail passes until the lease has lapsed.
SELECT contract.account_57('probes/unknown');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/unknown');
SELECT sendgate.rollback('probes/unknown', contract.handed('probes/unknown', 'p1'), 'Gateway Timeout', http_status => 504);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/unknown');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/unknown' ORDER BY prospect_id;
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/unknown';
SET sendgate.now = '2026-05-24 13:50:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/unknown');
SELECT sendgate.breaker_probe('probes/unknown', 'a new one');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/unknown');

-- Resolved as sent, with its chat id: a proof as any other, and the rest goes on.
SELECT sendgate.resolve_operation('probes/unknown', contract.handed('probes/unknown', 'p1'), true, 'chat-1');
SELECT account_id, state FROM contract.permit_57 WHERE account_id = 'probes/unknown';
SELECT account_id, prospect_id, state FROM contract.work_57 WHERE account_id = 'probes/unknown' ORDER BY prospect_id;

-- The account's status is lost with the probe: the permit is back, for when it is connected again.
SELECT contract.account_57('probes/auth_lost');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/auth_lost');
SELECT sendgate.rollback('probes/auth_lost', contract.handed('probes/auth_lost', 'p1'), http_status => 401);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/auth_lost');
SELECT sendgate.set_status('probes/auth_lost', 'connected', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/auth_lost');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/auth_lost');

-- A permit that is not taken lapses; the work that was due for it is deferred again, and logged once.
SELECT contract.account_57('probes/unused');
SET sendgate.now = '2026-05-24 13:15:00+00';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/unused');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/unused' ORDER BY prospect_id;
SELECT prospect_id, repeats FROM sendgate.campaign_events WHERE account_id = 'probes/unused' ORDER BY prospect_id;

-- A plain reserve may take the permit; then the one that was made due for it is deferred again.
SELECT contract.account_57('probes/by_hand');
SELECT proceed FROM sendgate.reserve('probes/by_hand', 'inmail', 'p9', NULL, contract.op(9));
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/by_hand');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/by_hand' ORDER BY prospect_id;
SELECT sendgate.confirm('probes/by_hand', contract.op(9), 'chat-9') IS NOT NULL AS confirmed;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/by_hand');

-- Another rule holds the account back: the permit is not used up, and goes with the rule.
SELECT contract.account_57('probes/cap');
SELECT sendgate.set_cap('probes/cap', 'inmail', 0);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/cap');
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/cap';
SELECT sendgate.set_cap('probes/cap', 'inmail', NULL);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/cap');

-- Work of a paused campaign is not offered, nor a prospect who is in flight already.
SET sendgate.now = '2026-05-24 11:00:00+00';
SELECT sendgate.upsert_account('probes/choice', 'sales_navigator');
SELECT sendgate.enqueue('probes/paused', 'p0', 'probes/choice', 'inmail') AS is_new;
SELECT contract.account_57('probes/choice');
SELECT sendgate.breaker_clear('probes/choice', 'test');
SELECT proceed FROM sendgate.reserve('probes/choice', 'inmail', 'p1', NULL, contract.op(1));
SELECT sendgate.breaker_arm('probes/choice', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/choice');
SELECT sendgate.pause_campaign('probes/paused');
SELECT sendgate.breaker_probe('probes/choice', 'test');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/choice');
SELECT sendgate.resume_campaign('probes/paused');

-- Nor work of a campaign that has taken its part of the day: the permit would lie unused, and go to the same work again.
SELECT contract.account_57('probes/part');
SELECT sendgate.breaker_clear('probes/part', 'test');
SELECT sendgate.enqueue('probes/other', 'p9', 'probes/part', 'inmail', '2026-05-24 11:00+00') AS is_new;
SELECT sendgate.breaker_arm('probes/part', 'test');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/part');
SELECT sendgate.set_campaign('spring', inmail_limit => 0);
SELECT sendgate.breaker_probe('probes/part', 'test');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/part');
SELECT sendgate.set_campaign('spring');

-- A probe of an account without deferred work goes to the first InMail.
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('probes/later', 'sales_navigator');
SELECT sendgate.breaker_arm('probes/later', 'test');
SELECT sendgate.breaker_probe('probes/later', 'test');
SELECT n, sendgate.enqueue('spring', 'p' || n, 'probes/later', 'inmail') AS is_new FROM generate_series(1, 2) AS n;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/later');
SELECT state, count(*) FROM contract.work_57 WHERE account_id = 'probes/later' GROUP BY state ORDER BY state;

-- An unknown probe that an operator settles as not sent gives its permit back as any failure does: another
-- deferred one becomes due.
SELECT contract.account_57('probes/not_sent');
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/not_sent');
SELECT sendgate.rollback('probes/not_sent', contract.handed('probes/not_sent', 'p1'), 'Gateway Timeout', http_status => 504);
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'probes/not_sent');
SELECT sendgate.resolve_operation('probes/not_sent', contract.handed('probes/not_sent', 'p1'), false);
SELECT * FROM contract.permit_57 WHERE account_id = 'probes/not_sent';
SELECT prospect_id FROM sendgate.dispatch(10, NULL, 'probes/not_sent');
SELECT * FROM contract.work_57 WHERE account_id = 'probes/not_sent' ORDER BY prospect_id;
