-- Turns in worlds made at random, against the rule as plain SQL says it: accounts with one campaign or a hundred, each
-- with one piece of work or many, some of it due later, some campaigns paused or limited, priorities.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-20 12:00:00+00';
DELETE FROM sendgate.dispatch_queue;

-- What a call is to hand out, in its order: a campaign's part of the day in the order of its work, the highest priority
-- first, and of one priority the first piece of each campaign before the second one of any; the ring begins behind the
-- campaign that went last.
CREATE FUNCTION contract.rule_of_turns(account text, of_campaign text, most integer) RETURNS text[]
LANGUAGE sql AS $$
    WITH due AS (
        SELECT e.campaign_id, e.prospect_id, e.priority,
               row_number() OVER (PARTITION BY e.campaign_id ORDER BY e.priority DESC, e.next_dispatch_at, e.step) AS nth,
               k.message_limit - (
                   SELECT count(*) FROM sendgate.send_operations o
                   WHERE o.account_id = account AND o.campaign_id = e.campaign_id AND o.state <> 'released'
               ) AS may_have
        FROM sendgate.enrollments e
        LEFT JOIN sendgate.campaigns k USING (campaign_id)
        WHERE e.account_id = account AND e.action = 'message' AND e.state = 'waiting'
          AND e.next_dispatch_at <= sendgate.clock() AND (e.campaign_id = of_campaign OR of_campaign IS NULL)
          AND NOT EXISTS (SELECT FROM sendgate.paused_campaigns p WHERE p.campaign_id = e.campaign_id)
    ), open AS (
        SELECT d.*, row_number() OVER (PARTITION BY d.priority, d.campaign_id ORDER BY d.nth) AS round,
               COALESCE(d.campaign_id <= (a.turns -> 'message' ->> d.priority::text) COLLATE "C", false) AS comes_late
        FROM due d, sendgate.accounts a
        WHERE a.id = account AND (d.may_have IS NULL OR d.nth <= d.may_have)
    ), first AS (
        SELECT o.*, row_number() OVER (ORDER BY o.priority DESC, o.round, o.comes_late, o.campaign_id) AS place FROM open o
    )
    SELECT COALESCE(array_agg(campaign_id || ' ' || prospect_id ORDER BY place), '{}') FROM first WHERE place <= most
$$;

CREATE TABLE contract.turns_taken (world integer, call integer, size integer, of_campaign text, rule text[], handed text[]);
CREATE PROCEDURE contract.play_turns(world integer, campaigns integer)
LANGUAGE plpgsql AS $$
DECLARE
    account text := 'turns/random/' || world;
    size integer;
    of_campaign text;
    rule text[];
    handed text[];
BEGIN
    PERFORM setseed(world / 100.0);
    PERFORM sendgate.upsert_account(account, 'sales_navigator');
    PERFORM sendgate.set_cap(account, 'message', 10000);
    -- No two pieces of a campaign are due at the same instant.
    PERFORM sendgate.enqueue(w.campaign, 'p' || w.k || '/' || w.n, account, 'message', w.due_at, step => w.step, priority => w.priority)
    FROM (
        SELECT 'turns/random/' || world || '/k' || k AS campaign, k, n, 1 + (random() * 2)::integer AS step,
               CASE WHEN random() < 0.8 THEN 0 ELSE (random() * 4)::integer - 2 END AS priority,
               sendgate.clock() + (random() * 1000)::integer * interval '1 second' - interval '700 seconds' + n * interval '1 ms' AS due_at
        FROM generate_series(1, campaigns) AS k,
             LATERAL (SELECT CASE WHEN k % 5 > 1 THEN 1 + k % 3 ELSE (random() * 1500 / campaigns)::integer END AS work) AS of,
             LATERAL generate_series(1, of.work) AS n
    ) AS w;
    FOR n IN 1..24 LOOP
        PERFORM CASE
            WHEN random() < 0.1 THEN sendgate.pause_campaign('turns/random/' || world || '/k' || 1 + (random() * campaigns)::integer)
            WHEN random() < 0.2 THEN sendgate.set_campaign('turns/random/' || world || '/k' || 1 + (random() * campaigns)::integer, message_limit => NULLIF((random() * 12)::integer, 12))
        END FROM generate_series(1, 1 + campaigns / 20);
        IF n % 8 = 0 THEN
            PERFORM sendgate.resume_campaign(campaign_id) FROM sendgate.paused_campaigns;
            PERFORM sendgate.set_campaign(campaign_id) FROM sendgate.campaigns;
        END IF;
        size := (ARRAY[1, 1, 1, 2, 3, 7, 20, 60, 65, 100])[1 + floor(random() * 10)::integer];
        of_campaign := CASE WHEN random() < 0.15 THEN 'turns/random/' || world || '/k' || 1 + (random() * campaigns)::integer END;
        rule := contract.rule_of_turns(account, of_campaign, size);
        SELECT COALESCE(array_agg(d.campaign_id || ' ' || d.prospect_id ORDER BY d.place), '{}') INTO handed
        FROM sendgate.dispatch(size, 'message', account, NULL, of_campaign)
            WITH ORDINALITY AS d (account_id, campaign_id, prospect_id, action, operation_id, expires_at, attempt, step, payload, place);
        INSERT INTO contract.turns_taken VALUES (world, n, size, of_campaign, rule, handed);
    END LOOP;
    PERFORM sendgate.resume_campaign(campaign_id) FROM sendgate.paused_campaigns;
    PERFORM sendgate.set_campaign(campaign_id) FROM sendgate.campaigns;
END
$$;
CALL contract.play_turns(1, 1);
CALL contract.play_turns(2, 2);
CALL contract.play_turns(3, 5);
CALL contract.play_turns(4, 12);
CALL contract.play_turns(5, 40);
CALL contract.play_turns(6, 130);
CALL contract.play_turns(7, 400);
SELECT world, call, size, of_campaign, rule[1:4] AS rule, handed[1:4] AS handed FROM contract.turns_taken WHERE rule IS DISTINCT FROM handed ORDER BY world, call;
-- Enough was handed out to tell, of many campaigns, and some calls got fewer than they asked for.
SELECT count(*) FILTER (WHERE handed <> '{}') > 80 AS calls, sum(cardinality(handed)) > 2000 AS pieces,
       count(*) FILTER (WHERE cardinality(handed) BETWEEN 1 AND size - 1) > 5 AS are_fewer
FROM contract.turns_taken;
SELECT count(DISTINCT split_part(piece, ' ', 1)) > 400 AS campaigns FROM contract.turns_taken, unnest(handed) AS piece;
