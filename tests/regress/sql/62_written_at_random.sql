-- Histories made at random, once with rows that dispatch writes where they lie and once with statements, because a
-- trigger of a DBA's wants more: the same answers, and the same rows. Every step is a transaction of its own, at each of
-- the isolation levels in turn.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 09:00:00+00';

-- What each call said, and in the end every row; without what differs by itself: ids that are made up, and the prefix.
CREATE TABLE contract.said_62 (prefix text, n integer, step text, answer text);
CREATE FUNCTION contract.rows_62(prefix text) RETURNS TABLE (what text, line text)
LANGUAGE sql AS $$
    SELECT w.what, replace((w.line - '{id,alert_id,ticket_id,operation_id,probe_operation_id,request_id}'::text[])::text, prefix, '')
    FROM (
        SELECT 'account' AS what, to_jsonb(t) || jsonb_build_object('probe', t.probe_operation_id IS NOT NULL, 'id', NULL, 'name', t.id) AS line, t.id AS account_id FROM sendgate.accounts t
        UNION ALL SELECT 'operation', to_jsonb(t), t.account_id FROM sendgate.send_operations t
        UNION ALL SELECT 'work', to_jsonb(t) || jsonb_build_object('operation', t.operation_id IS NOT NULL), t.account_id FROM sendgate.enrollments t
        UNION ALL SELECT 'ticket', to_jsonb(t), t.account_id FROM sendgate.dispatch_queue t
        UNION ALL SELECT 'event', to_jsonb(t), t.account_id FROM sendgate.linkedin_events t
        UNION ALL SELECT 'skip', to_jsonb(t), t.account_id FROM sendgate.campaign_events t
        UNION ALL SELECT 'breaker', to_jsonb(t), t.account_id FROM sendgate.breaker_log t
        UNION ALL SELECT 'cooldown', to_jsonb(t), t.account_id FROM sendgate.cooldown_log t
        UNION ALL SELECT 'balance', to_jsonb(t), t.account_id FROM sendgate.credit_balances t
        UNION ALL SELECT 'alert', to_jsonb(t), t.account_id FROM sendgate.alerts t
    ) AS w
    WHERE w.account_id LIKE prefix || '%'
$$;

CREATE FUNCTION contract.one_of_62(VARIADIC list text[]) RETURNS text
LANGUAGE sql AS $$ SELECT list[1 + floor(random() * cardinality(list))::integer] $$;

-- What is put in before a call, or happens between two calls.
CREATE FUNCTION contract.happens_62(prefix text, n integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    account text := prefix || contract.one_of_62('a', 'b', 'c');
    campaign text := prefix || contract.one_of_62('k1', 'k2', 'k3');
    prospect text := prefix || 'p' || floor(random() * 30)::integer;
    dice double precision := random();
    number integer := floor(random() * 9)::integer;
    operation record;
    failure record;
    answer text;
BEGIN
    IF dice < 0.3 THEN
        SELECT string_agg(sendgate.enqueue(w.campaign, w.prospect, w.account, w.action, w.due_at, step => w.step, payload => w.payload,
                                           priority => w.priority, is_connection => w.is_connection)::text, ' ' ORDER BY w.k) INTO answer
        FROM (
            SELECT k, prefix || contract.one_of_62('k1', 'k2', 'k3') AS campaign, prefix || 'p' || floor(random() * 30)::integer AS prospect,
                   prefix || contract.one_of_62('a', 'b', 'c') AS account, contract.one_of_62('message', 'inmail', 'invite', 'inmail') AS action,
                   1 + floor(random() * 2)::integer AS step, floor(random() * 3)::integer - 1 AS priority, random() < 0.5 AS is_connection,
                   CASE WHEN random() < 0.3 THEN to_jsonb(repeat('x', (random() * 4000)::integer)) END AS payload,
                   -- No two are due at the same instant, whose order is that of the table.
                   sendgate.clock() + contract.one_of_62('-90', '-5', '0', '200', '7000')::integer * interval '1 second' + (n * 100 + k) * interval '1 us' AS due_at
            FROM generate_series(1, 1 + number) AS k OFFSET 0
        ) AS w;
    ELSIF dice < 0.55 THEN
        SELECT o.operation_id, o.account_id INTO operation
        FROM sendgate.send_operations o
        WHERE o.account_id LIKE prefix || '%' AND o.state IN ('reserved', 'indeterminate')
        ORDER BY o.account_id, o.action, o.prospect_id, o.campaign_id, o.step, o.reserved_at
        OFFSET floor(random() * 5)::integer LIMIT 1;
        IF number < 4 THEN
            answer := sendgate.confirm(operation.account_id, operation.operation_id, 'chat') IS NOT NULL;
        ELSE
            SELECT w.* INTO failure
            FROM (
                VALUES
                    (0, 'errors/unexpected', 503, NULL), (1, 'errors/insufficient_credits', 422, NULL), (2, 'errors/not_eligible', 422, NULL),
                    (3, NULL, 429, '20 minutes'), (4, 'errors/cannot_resend_yet', 422, NULL)
            ) AS w (place, error_type, http_status, retry_after)
            WHERE w.place = number % 5;
            answer := regexp_replace(sendgate.rollback(operation.account_id, operation.operation_id, 'no', failure.error_type,
                                                       failure.http_status, failure.retry_after::interval)::text, '[0-9a-f-]{36}', '');
        END IF;
    ELSIF dice < 0.6 THEN
        answer := sendgate.suppress_prospect(prospect, 'asked us', CASE WHEN number < 4 THEN sendgate.clock() + interval '3 hours' END);
    ELSIF dice < 0.64 THEN
        PERFORM sendgate.pause_campaign(campaign);
    ELSIF dice < 0.7 THEN
        PERFORM sendgate.resume_campaign(campaign);
    ELSIF dice < 0.75 THEN
        PERFORM sendgate.record_credit_balance(account, number);
    ELSIF dice < 0.78 THEN
        answer := sendgate.breaker_clear(account, 'test');
    ELSIF dice < 0.81 THEN
        PERFORM sendgate.breaker_probe(account, 'test');
    ELSIF dice < 0.84 THEN
        answer := sendgate.switch_action(campaign, 'inmail', 'message');
    ELSIF dice < 0.86 THEN
        answer := sendgate.cancel_prospect(prospect);
    ELSIF dice < 0.92 THEN
        PERFORM sendgate.set_campaign(campaign, message_limit => number, inmail_limit => NULLIF(number, 3));
    ELSIF dice < 0.95 THEN
        PERFORM sendgate.set_pace(account, contract.one_of_62('40 seconds', '5 minutes', NULL)::interval, 0, number < 3);
    ELSIF dice < 0.98 THEN
        PERFORM sendgate.set_cap(account, contract.one_of_62('message', 'inmail', 'invite'), 3 + number, 20);
    ELSE
        answer := sendgate.resume_deferred(account);
    END IF;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;

CREATE PROCEDURE contract.play_62(prefix text, seed integer)
LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := '2026-05-20 09:00:00+00';
    size integer;
    of_action text;
    of_account text;
    of_campaign text;
    request uuid;
    answer text;
BEGIN
    DELETE FROM sendgate.dispatch_queue;
    PERFORM setseed(seed / 1000.0), set_config('sendgate.now', at::text, false);
    PERFORM sendgate.upsert_account(prefix || id, 'sales_navigator', ramp => id = 'c') FROM unnest(ARRAY['a', 'b', 'c']) AS id;
    IF seed % 2 = 0 THEN
        PERFORM sendgate.set_pace(prefix || 'b', '90 seconds');
    END IF;
    COMMIT;
    FOR n IN 1..70 LOOP
        at := at + contract.one_of_62('0', '1', '7', '61', '600')::integer * interval '1 second' + interval '1 us';
        IF random() < 0.04 THEN
            at := at + contract.one_of_62('5', '14', '24', '40')::integer * interval '1 hour';
        END IF;
        PERFORM set_config('sendgate.now', at::text, false);
        answer := contract.happens_62(prefix, n);
        INSERT INTO contract.said_62 VALUES (prefix, n, 'happens', answer);
        COMMIT;
        size := contract.one_of_62('1', '2', '5', '20', '100')::integer;
        of_action := contract.one_of_62('message', 'inmail', NULL, NULL, NULL, NULL);
        of_account := prefix || contract.one_of_62('a', 'b', NULL, NULL, NULL);
        of_campaign := prefix || contract.one_of_62('k1', 'k2', NULL, NULL, NULL, NULL);
        request := CASE WHEN random() < 0.2 THEN md5(prefix || floor(random() * 5)::integer)::uuid END;
        IF request IS NOT NULL THEN
            -- Asked for again, it has the same arguments.
            size := 3;
            of_action := NULL;
            of_account := NULL;
            of_campaign := NULL;
        END IF;
        IF random() < 0.6 THEN
            SELECT string_agg(replace((to_jsonb(d) - 'operation_id')::text, prefix, ''), chr(10) ORDER BY d.account_id, d.action, d.campaign_id, d.prospect_id, d.step)
            INTO answer FROM sendgate.dispatch(size, of_action, of_account, request, of_campaign) AS d;
            INSERT INTO contract.said_62 VALUES (prefix, n, format('dispatch(%s, %s, %s, %s)', size, of_action, replace(of_account, prefix, ''), replace(of_campaign, prefix, '')), answer);
            COMMIT;
        END IF;
    END LOOP;
    PERFORM set_config('sendgate.now', '2026-05-20 09:00:00+00', false);
END
$$;

-- PL/pgSQL's triggers change nothing.
CREATE FUNCTION contract.pass_62() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN COALESCE(NEW, OLD);
END
$$;
CREATE PROCEDURE contract.play_all_62(manner text)
LANGUAGE plpgsql AS $$
BEGIN
    FOR seed IN 1..3 LOOP
        PERFORM set_config('default_transaction_isolation', (ARRAY['read committed', 'repeatable read', 'serializable'])[1 + seed % 3], false);
        COMMIT;
        CALL contract.play_62(manner || seed || '/', seed);
    END LOOP;
    PERFORM set_config('default_transaction_isolation', 'read committed', false);
END
$$;
SET client_min_messages = error;
CALL contract.play_all_62('where/');
CREATE TABLE contract.where_62 AS SELECT seed, (contract.rows_62('where/' || seed || '/')).* FROM generate_series(1, 3) AS seed;
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.accounts FOR EACH ROW EXECUTE FUNCTION contract.pass_62();
CREATE TRIGGER pass BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION contract.pass_62();
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.enrollments FOR EACH ROW EXECUTE FUNCTION contract.pass_62();
CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON sendgate.dispatch_queue FOR EACH ROW EXECUTE FUNCTION contract.pass_62();
CALL contract.play_all_62('said/');
CREATE TABLE contract.stated_62 AS SELECT seed, (contract.rows_62('said/' || seed || '/')).* FROM generate_series(1, 3) AS seed;
RESET client_min_messages;
DROP TRIGGER pass ON sendgate.accounts;
DROP TRIGGER pass ON sendgate.send_operations;
DROP TRIGGER pass ON sendgate.enrollments;
DROP TRIGGER pass ON sendgate.dispatch_queue;

-- The first answer of a history that differs, and all rows that do.
SELECT DISTINCT ON (a.prefix) a.prefix, a.n, a.step, a.answer, b.answer AS by_statement
FROM contract.said_62 a JOIN contract.said_62 b ON b.prefix = replace(a.prefix, 'where/', 'said/') AND b.n = a.n AND (b.step = 'happens') = (a.step = 'happens')
WHERE a.prefix LIKE 'where/%' AND a.answer IS DISTINCT FROM b.answer ORDER BY a.prefix, a.n, a.step = 'happens' DESC;
SELECT * FROM (TABLE contract.where_62 EXCEPT ALL TABLE contract.stated_62) AS only_where ORDER BY seed, what, line;
SELECT * FROM (TABLE contract.stated_62 EXCEPT ALL TABLE contract.where_62) AS only_stated ORDER BY seed, what, line;
-- They met what they are about.
SELECT what, count(*) > 2 AS are_there FROM contract.where_62 GROUP BY what ORDER BY what;
SELECT count(*) FILTER (WHERE turns IS NOT NULL) > 1 AS turns, count(inmail_credits_exhausted_at) > 0 AS stamps, count(failures) > 1 AS failures,
       count(credits_left) > 1 AS credits, count(*) FILTER (WHERE pace_gap IS NOT NULL) > 0 AS pace, count(*) FILTER (WHERE ramp_days > 0) > 0 AS ramp
FROM sendgate.accounts WHERE id LIKE 'where/%';
SELECT state, count(*) > 2 AS are_there FROM sendgate.enrollments WHERE account_id LIKE 'where/%' GROUP BY state ORDER BY state;
SELECT reason, count(*) > 0 AS are_there FROM sendgate.enrollments WHERE account_id LIKE 'where/%' AND reason IS NOT NULL GROUP BY reason ORDER BY reason;
-- The files after this one find no campaign that is paused or limited, and no prospect that opted out.
DO $$
BEGIN
    PERFORM sendgate.resume_campaign(campaign_id) FROM sendgate.paused_campaigns;
    PERFORM sendgate.set_campaign(campaign_id) FROM sendgate.campaigns;
    PERFORM sendgate.unsuppress_prospect(prospect_id, 'test over') FROM sendgate.suppressions;
END
$$;
