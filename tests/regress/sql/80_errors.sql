-- Every SQLSTATE of class SG at least once, with what the client is told: a message that names the
-- value, why it is so (DETAIL), and what to do next (HINT). An error changes nothing.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('errors/a', 'sales_navigator');
SELECT sendgate.upsert_account('errors/open', 'sales_navigator');
SELECT sendgate.upsert_account('errors/probed', 'sales_navigator');
SELECT sendgate.upsert_account('errors/forced', 'sales_navigator');
SELECT sendgate.set_tier_cap('errors', 'invite', 1);
SELECT sendgate.upsert_account('errors/tier', 'errors');
SELECT sendgate.breaker_arm('errors/probed', 'test'), sendgate.breaker_probe('errors/probed', 'test');
SELECT sendgate.breaker_force('errors/forced', 'open', 'test');
SELECT n, r.proceed
FROM generate_series(1, 3) AS n
CROSS JOIN LATERAL sendgate.reserve('errors/a', 'inmail', 'p' || n, 'c1', contract.op(n)) AS r
ORDER BY n;
SELECT sendgate.confirm('errors/a', contract.op(1), 'chat-1') IS NOT NULL AS confirmed;
SELECT sendgate.enqueue('c1', 'p9', 'errors/a', 'invite');
SELECT account_id, prospect_id FROM sendgate.dispatch(1, NULL, 'errors/a', contract.op(1));
SELECT contract.books() AS before \gset
\x on
SELECT input.statement, e.code, e.message, e.detail, e.hint
FROM (
    VALUES
        -- Arguments.
        (1, $$reserve(NULL, 'inmail', 'p1')$$),
        (2, $$reserve('errors/a', 'inmail', ' ')$$),
        (3, $$upsert_account('errors/a', display_name => repeat('é', 201))$$),
        (4, $$set_cap('errors/a', 'inmail', -1)$$),
        (5, $$set_status('errors/a', 'banned', 'test')$$),
        (6, $$upsert_account('errors/a', time_zone => 'Mars/Olympus')$$),
        (7, $$set_window('errors/a', '09:00', '09:00', '{1}')$$),
        (8, $$confirm('errors/a', contract.op(2), 'chat', '2026-05-24 13:00+00')$$),
        (9, $$confirm('errors/a', contract.op(2), 'chat', '-infinity')$$),
        (10, $$set_pace('errors/a', '1 month')$$),
        (11, $$set_error_rule(1, 'transient', http_status => '4??')$$),
        (12, $$set_error_rule(1, 'transient')$$),
        (13, $$confirm_many(ARRAY['errors/a'], ARRAY[contract.op(2), contract.op(3)])$$),
        (14, $$confirm_many(ARRAY['errors/a', 'errors/a'], ARRAY[contract.op(2), NULL])$$),
        (15, $$dispatch(1001)$$),
        -- Unknown things.
        (20, $$reserve('errors/nobody', 'inmail', 'p1')$$),
        (21, $$rollback('errors/a', contract.op(99))$$),
        (22, $$upsert_account('errors/new', 'platinum')$$),
        (23, $$drop_error_rule(1)$$),
        -- States.
        (30, $$reserve('errors/a', 'invite', 'p1', 'c1', contract.op(1))$$),
        (31, $$confirm('errors/a', contract.op(1), 'chat-other')$$),
        (32, $$rollback('errors/a', contract.op(1), 'Not enough credits')$$),
        (33, $$resolve_operation('errors/a', contract.op(2), true, 'chat-2')$$),
        (34, $$drop_tier_cap('errors', 'invite')$$),
        (35, $$breaker_probe('errors/open', 'test')$$),
        (36, $$breaker_probe('errors/probed', 'test')$$),
        (37, $$breaker_probe('errors/forced', 'test')$$),
        (38, $$repair_day('errors/a', 'test')$$),
        (39, $$dispatch(2, NULL, 'errors/a', contract.op(1))$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT e.* FROM contract.error($$DELETE FROM sendgate.linkedin_events WHERE account_id = 'errors/a'$$) AS e;

-- A value from outside is data: control characters do not reach the client's terminal, and it is not
-- endless.
SELECT e.message FROM contract.error(format('SELECT sendgate.reserve(%L, %L, %L)', 'errors/a', E'in\x1b[31mmail\x07' || repeat('!', 500), 'p1')) AS e;
\x off
SELECT contract.books() = :'before' AS nothing_changed;

-- The same from the client's own connection, outside of any helper: the SQLSTATE, and a transaction
-- that did not commit.
BEGIN;
SELECT proceed FROM sendgate.reserve('errors/a', 'inmail', 'p4', 'c1', contract.op(4));
SELECT proceed FROM sendgate.reserve('errors/a', 'inmail', 'p5', 'c1', contract.op(1));
\echo :LAST_ERROR_SQLSTATE
COMMIT;
SELECT contract.books() = :'before' AS nothing_changed;

-- Two are only ever warnings. A delivery without proof:
SELECT sendgate.confirm('errors/a', contract.op(2), ' ');
\set VERBOSITY sqlstate
SELECT sendgate.confirm('errors/a', contract.op(2));
\set VERBOSITY default

-- and a rollback without an error of an operation whose outcome is unknown: it proves nothing, so the
-- slot stays held.
SELECT sendgate.rollback('errors/a', contract.op(2));
\set VERBOSITY sqlstate
SELECT sendgate.rollback('errors/a', contract.op(2));
\set VERBOSITY default
SELECT state FROM sendgate.send_operations WHERE account_id = 'errors/a' AND operation_id = contract.op(2);
SELECT sent_today FROM sendgate.counters WHERE account_id = 'errors/a' AND action = 'inmail';

-- Waiting for a held account ends after sendgate.lock_timeout. Another session holds it:
SELECT setting AS bindir FROM pg_config WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
\setenv PGDATABASE :DBNAME
\setenv PGAPPNAME regress_sendgate_holder
\! "$BINDIR/psql" -X -q -c BEGIN -c "SELECT FROM sendgate.accounts WHERE id = 'errors/a' FOR NO KEY UPDATE" -c "SELECT pg_sleep(60)" > /dev/null 2>&1 &
DO $$
BEGIN
    FOR attempt IN 1..600 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN EXISTS (
            SELECT FROM pg_stat_activity
            WHERE application_name = 'regress_sendgate_holder' AND query LIKE 'SELECT pg_sleep%' AND state = 'active'
        );
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
SELECT contract.books() AS before \gset
SET sendgate.lock_timeout = '50ms';
\x on
SELECT input.statement, e.*
FROM (
    VALUES
        (1, $$reserve('errors/a', 'inmail', 'p6')$$),
        (2, $$rollback('errors/a', contract.op(3))$$),
        (3, $$set_status('errors/a', 'paused', 'test')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
\x off

-- The session's own lock_timeout is obeyed where it is shorter, and is unchanged afterwards. No other session
-- is held up, and calls that only read do not wait.
SET lock_timeout = '20ms';
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.reserve('errors/a', 'inmail', 'p6')$$) AS e;
SHOW lock_timeout;
RESET lock_timeout;
SELECT proceed FROM sendgate.reserve('errors/open', 'inmail', 'p1');
SELECT proceed FROM sendgate.preview('errors/a', 'inmail', 'p6');
RESET sendgate.lock_timeout;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'regress_sendgate_holder';
SELECT proceed FROM sendgate.reserve('errors/a', 'inmail', 'p6');

-- A decision that the clock overtakes is made anew. Here midnight passes during every single write,
-- and after a number of attempts the gate gives up rather than grant on a day that is over.
CREATE FUNCTION contract.midnight_passes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM set_config('sendgate.now', (sendgate.clock() + interval '1 day')::text, false);
    RETURN NEW;
END
$$;
CREATE TRIGGER midnight_passes BEFORE UPDATE ON sendgate.accounts
FOR EACH ROW EXECUTE FUNCTION contract.midnight_passes();
SELECT contract.books() AS before \gset
\x on
SELECT e.* FROM contract.error($$SELECT sendgate.reserve('errors/open', 'invite', 'p7')$$) AS e;
\x off
SELECT contract.books() = :'before' AS nothing_changed;
DROP TRIGGER midnight_passes ON sendgate.accounts;
SELECT sendgate.upsert_account('errors/tier', 'free'), sendgate.drop_tier_cap('errors', 'invite');
