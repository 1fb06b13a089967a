-- Pace: how far apart the grants of an account are, so that it looks like a person.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
SELECT sendgate.upsert_account('pace/a', 'sales_navigator');

-- The gap is the account's: whatever the action.
SELECT sendgate.set_pace('pace/a', '5 minutes', note => 'like a person');
SELECT pace_gap, pace_jitter_percent, pace_spread FROM sendgate.accounts WHERE id = 'pace/a';
SELECT proceed FROM sendgate.reserve('pace/a', 'invite', 'p1');
SELECT reason, retry_at FROM sendgate.reserve('pace/a', 'invite', 'p2');
SELECT reason, retry_at FROM sendgate.reserve('pace/a', 'message', 'p2');
SET sendgate.now = '2026-05-20 12:04:59.999999+00';
SELECT reason FROM sendgate.reserve('pace/a', 'message', 'p2');
SET sendgate.now = '2026-05-20 12:05:00+00';
SELECT proceed FROM sendgate.reserve('pace/a', 'message', 'p2');
-- The tier's gap of the action stays beside it, the later of both holds.
SELECT sendgate.set_tier_cap('pace_tier', 'invite', 10, minimum_gap => '20 minutes');
SELECT sendgate.upsert_account('pace/a', 'pace_tier');
SELECT reason, retry_at FROM sendgate.preview('pace/a', 'invite');

-- Jitter makes the gap longer by up to its share: differently from grant to grant, not from call to call.
SELECT sendgate.upsert_account('pace/a', 'sales_navigator'), sendgate.drop_tier_cap('pace_tier', 'invite');
SELECT sendgate.set_pace('pace/a', '1 hour', 50);
SELECT retry_at AS first FROM sendgate.preview('pace/a', 'invite') \gset
SELECT retry_at = :'first' AS same, retry_at - timestamptz '2026-05-20 12:05:00+00' BETWEEN '1 hour' AND '1 hour 30 minutes' AS in_range
FROM sendgate.preview('pace/a', 'profile_view');
SET sendgate.now = :'first';
SELECT proceed FROM sendgate.reserve('pace/a', 'invite', 'p3');
SELECT retry_at - timestamptz :'first' <> timestamptz :'first' - timestamptz '2026-05-20 12:05:00+00' AS another_gap FROM sendgate.preview('pace/a', 'invite');

-- Spread: the open time that was left at the last grant, shared out among the slots that are left and the time
-- after the last one. To midnight, or to the end of the window. No slot left: no time of its own.
SELECT sendgate.upsert_account('pace/b', 'sales_navigator');
SELECT sendgate.set_pace('pace/b', spread => true), sendgate.set_cap('pace/b', 'invite', 6);
SET sendgate.now = '2026-05-20 18:00:00+00';
SELECT proceed, remaining FROM sendgate.reserve('pace/b', 'invite', 'p1');
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT sendgate.set_window('pace/b', '09:00', '19:00', '{1,2,3,4,5,6,7}');
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT reason, retry_at FROM contract.preview_at('2026-05-20 18:10:00+00', 'pace/b', 'invite');
-- The week's slots count too: one is left, and the time halved.
SELECT sendgate.set_cap('pace/b', 'invite', 6, 2);
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');
SELECT sendgate.set_cap('pace/b', 'invite', 1);
SELECT reason, retry_at FROM sendgate.preview('pace/b', 'invite');

-- dispatch hands out one at a time of such an account, of the action granted longest ago, and its ticket is
-- due when reserve would say so, to the microsecond.
SET sendgate.now = '2026-05-21 12:00:00.123457+00';
SELECT sendgate.upsert_account('pace/work', 'sales_navigator');
SELECT sendgate.set_pace('pace/work', '7 minutes', 37, true);
SELECT count(sendgate.enqueue('spring', a || n, 'pace/work', a)) FROM unnest(ARRAY['invite', 'message']) a CROSS JOIN generate_series(1, 3) n;
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT t.action, p.reason, t.due_at = p.retry_at AS agree
FROM contract.tickets t
CROSS JOIN LATERAL sendgate.preview('pace/work', t.action) p
WHERE t.account_id = 'pace/work' ORDER BY t.action;
SELECT r.retry_at = t.due_at AS agree FROM contract.tickets t
CROSS JOIN LATERAL sendgate.reserve('pace/work', t.action, 'somebody') r
WHERE t.account_id = 'pace/work' ORDER BY t.action;
SELECT max(due_at) AS due FROM contract.tickets WHERE account_id = 'pace/work' \gset
SET sendgate.now = :'due';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT count(DISTINCT action) AS actions, count(*) AS handed_out FROM sendgate.send_operations WHERE account_id = 'pace/work';
-- Whose turn it is does not follow the order in which tickets fall due, nor the names of the actions: with a gap
-- alone all of them fall due together. A ticket that lies behind the page is met as well: dispatch(1) reads one.
CREATE TABLE pg_temp.turns (n int GENERATED ALWAYS AS IDENTITY, account_id text, action text, prospect_id text);
CREATE PROCEDURE pg_temp.turns(account text, calls int, many int DEFAULT 1) LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz;
BEGIN
    FOR i IN 1 .. calls LOOP
        INSERT INTO pg_temp.turns (account_id, action, prospect_id)
        SELECT d.account_id, d.action, d.prospect_id FROM sendgate.dispatch(many, NULL, account) d;
        -- Whose turn it was is looked at again, and waits as the others do.
        PERFORM sendgate.dispatch(many, NULL, account);
        SELECT min(t.due_at) INTO due FROM contract.tickets t WHERE t.account_id = account;
        PERFORM set_config('sendgate.now', due::text, false);
    END LOOP;
END
$$;
SET sendgate.now = '2026-05-21 13:00:00+00';
SELECT sendgate.upsert_account('pace/turns', 'sales_navigator');
SELECT sendgate.set_pace('pace/turns', '10 minutes');
SELECT count(sendgate.enqueue('spring', a || n, 'pace/turns', a)) FROM unnest(ARRAY['profile_view', 'message', 'invite', 'inmail']) a CROSS JOIN generate_series(1, 3) n;
CALL pg_temp.turns('pace/turns', 8);
SELECT string_agg(prospect_id, ' ' ORDER BY n) AS turns FROM pg_temp.turns;
SHOW sendgate.now;
-- Also where reserve took one in between: that was this action's turn.
SELECT proceed FROM sendgate.reserve('pace/turns', 'inmail', 'somebody');
SET sendgate.now = '2026-05-21 14:35:00+00';
TRUNCATE pg_temp.turns;
CALL pg_temp.turns('pace/turns', 1, 10);
SELECT string_agg(prospect_id, ' ' ORDER BY n) AS turns FROM pg_temp.turns;
SET sendgate.now = '2026-05-21 14:35:00+00';
SELECT t.action, p.reason, t.due_at = p.retry_at AS agree
FROM contract.tickets t CROSS JOIN LATERAL sendgate.preview('pace/turns', t.action) p
WHERE t.account_id = 'pace/turns' ORDER BY t.action;
-- An action whose work is done, paused or waits for its prospect gives its turn away, in the same call.
SELECT sendgate.upsert_account('pace/gone', 'sales_navigator');
SELECT sendgate.set_pace('pace/gone', '10 minutes');
SET sendgate.now = '2026-05-21 15:00:00+00';
SELECT sendgate.enqueue('paused', 'g1', 'pace/gone', 'inmail'), sendgate.enqueue('spring', 'g2', 'pace/gone', 'invite'),
       sendgate.enqueue('spring', 'g3', 'pace/gone', 'message'), sendgate.enqueue('spring', 'g4', 'pace/gone', 'profile_view');
SELECT sendgate.pause_campaign('paused'), sendgate.cancel('spring', 'g2');
SELECT sendgate.record_external_send('pace/gone', 'message', 'g3', 'chat', '2026-05-21 14:40:00+00') IS NOT NULL AS sent;
TRUNCATE pg_temp.turns;
CALL pg_temp.turns('pace/gone', 1);
SELECT string_agg(prospect_id, ' ' ORDER BY n) AS turns FROM pg_temp.turns;
SELECT sendgate.resume_campaign('paused');
-- Asked for one action alone, it is that one's turn.
SET sendgate.now = '2026-05-21 16:00:00+00';
SELECT prospect_id FROM sendgate.dispatch(5, 'profile_view', 'pace/turns');
SET sendgate.now = :'due';

-- No argument: no pace of its own, and the waiting work is due.
SELECT sendgate.set_pace('pace/work');
SELECT pace_gap, pace_jitter_percent, pace_spread FROM sendgate.accounts WHERE id = 'pace/work';
SELECT count(*) FROM sendgate.dispatch(10, NULL, 'pace/work');
SELECT account_id, subject, before, after, note FROM sendgate.admin_log WHERE account_id = 'pace/a' AND verb = 'set_pace' ORDER BY at;

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.*
FROM (
    VALUES
        (1, $$set_pace('pace/nobody')$$),
        (2, $$set_pace(NULL)$$),
        (3, $$set_pace('pace/a', '-1 second')$$),
        (4, $$set_pace('pace/a', '32 days')$$),
        (5, $$set_pace('pace/a', '1 month')$$),
        (6, $$set_pace('pace/a', jitter_percent => 101)$$),
        (7, $$set_pace('pace/a', jitter_percent => -1)$$),
        (8, $$set_pace('pace/a', jitter_percent => NULL)$$),
        (9, $$set_pace('pace/a', spread => NULL)$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off
SELECT contract.books() = :'before' AS nothing_changed;

-- A send outside the gate is seen by the provider too: the next grant keeps its distance from it as well.
SET sendgate.now = '2026-05-22 12:00:00+00';
SELECT sendgate.upsert_account('pace/hand', 'sales_navigator');
SELECT sendgate.set_pace('pace/hand', '10 minutes');
SELECT sendgate.record_external_send('pace/hand', 'message', 'h1', 'chat', '2026-05-22 11:55:00+00') IS NOT NULL AS sent;
SELECT reason, retry_at FROM sendgate.preview('pace/hand', 'invite');
