-- Every documented error of the provider, from the file that the shipped rules follow, with what it does; and
-- answers that are JSON objects.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
\set csv_file :abs_srcdir '/../../extension/decision/tests/provider-errors.csv'
\set csv `cat ":csv_file"`
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('provider/a', 'sales_navigator');
-- Outcome, what cools down and for how long of one attempt, undone afterwards.
CREATE FUNCTION contract.effect_38(action text, error_type text, http_status integer, error_message text DEFAULT NULL, retry_after interval DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
    cooling text;
BEGIN
    PERFORM sendgate.reserve('provider/a', action, 'p1', NULL, contract.op(1));
    outcome := sendgate.rollback('provider/a', contract.op(1), error_message, error_type, http_status, retry_after);
    SELECT string_agg(coalesce(c.action, 'account') || ' ' || (c.until - sendgate.clock())::text, ', ') INTO cooling
    FROM sendgate.cooldowns c WHERE c.account_id = 'provider/a';
    RAISE EXCEPTION USING ERRCODE = '00001', MESSAGE = outcome || coalesce(': ' || cooling, '');
EXCEPTION WHEN SQLSTATE '00001' THEN
    RETURN SQLERRM;
END
$$;
CREATE TEMPORARY TABLE documented AS
SELECT f[1]::integer AS http_status, f[2] AS error_type, f[3] AS action, f[4] AS outcome, nullif(f[5], '') AS scope, nullif(f[6], '')::interval AS wait
FROM regexp_split_to_table(:'csv', E'\r?\n') WITH ORDINALITY AS l (line, n)
CROSS JOIN LATERAL string_to_array(l.line, ',') f
WHERE l.n > 1 AND l.line <> '';
SELECT count(*) > 60 AS all_read FROM documented;
-- Each line, with and without the prefix, for every action that it is about: none differs.
SELECT d.http_status, d.error_type, a.action, d.outcome AS expected, contract.effect_38(a.action, p.prefix || d.error_type, d.http_status) AS got
FROM documented d
CROSS JOIN unnest(ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement']) a (action)
CROSS JOIN unnest(ARRAY['', 'errors/']) p (prefix)
WHERE CASE d.action WHEN '' THEN true WHEN '(any other)' THEN a.action <> 'inmail' ELSE a.action = d.action END
  AND contract.effect_38(a.action, p.prefix || d.error_type, d.http_status) <> CASE
      WHEN d.outcome = 'action_unavailable' OR d.scope = 'action' THEN d.outcome || ': ' || a.action || ' ' || (sendgate.clock() + d.wait - sendgate.clock())
      WHEN d.scope = 'account' THEN d.outcome || ': account ' || coalesce(d.wait, '1 hour')
      ELSE d.outcome
  END;

-- The provider's own wait comes before the rule's, and that before the setting; 0 tells no wait, so it is as none.
-- A rule of yours may name both.
SELECT contract.effect_38('invite', 'limit_exceeded', 422, NULL, '2 hours') AS told,
       contract.effect_38('invite', 'limit_exceeded', 422) AS by_rule,
       contract.effect_38('invite', 'too_many_requests', 429, NULL, '0') AS zero,
       contract.effect_38('invite', 'feature_not_subscribed', 403, NULL, '2 hours') AS unavailable;
SELECT sendgate.set_error_rule(5, 'rate_limited', http_status => '429', scope => 'action', wait => '90 minutes');
SELECT contract.effect_38('invite', NULL, 429) AS yours;
SELECT rule_order, outcome, http_status, scope, wait FROM sendgate.error_rules WHERE NOT shipped;
SELECT sendgate.set_error_rule(5, 'rate_limited', http_status => '429');
SELECT contract.effect_38('invite', NULL, 429) AS yours;
SELECT sendgate.drop_error_rule(5);

-- A message that is a JSON object gives the type and the status that were not given; texts look at its title
-- and detail alone. Where it contradicts the given status it gives nothing.
SELECT a.n, contract.effect_38('inmail', a.error_type, a.http_status, a.message) AS effect
FROM (
    VALUES
        (1, NULL, NULL, '{"type": "errors/connection_limit_reached", "status": 422, "title": "Limit"}'),
        (2, NULL, 422, '{"type": "errors/insufficient_credits", "status": 422}'),
        (3, NULL, 400, '{"type": "errors/insufficient_credits", "status": 422}'),
        (4, NULL, NULL, '{"status": 429, "title": "recipient blocked"}'),
        (5, NULL, NULL, '{"status": 422, "title": "Not enough credits"}'),
        (6, NULL, NULL, '{"status": 422, "instance": "/credits", "detail": "no"}'),
        (7, NULL, NULL, '{"status": 422, "detail": "You are blocked"}'),
        (8, NULL, NULL, '{"status": "429", "detail": "x"}'),
        (9, NULL, NULL, '{"status": 42.9}'),
        (10, NULL, NULL, '{"status": 999}'),
        (11, NULL, NULL, '["recipient blocked"]'),
        (12, NULL, NULL, '{"title": "recipient blocked"'),
        (13, 'errors/limit_exceeded', NULL, '{"type": "errors/blocked_recipient", "status": 422}'),
        (14, NULL, NULL, '{"type": "about:blank", "status": 503}')
) AS a (n, error_type, http_status, message)
ORDER BY a.n;
-- The journal keeps what the classifier read from it.
SELECT proceed FROM sendgate.reserve('provider/a', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('provider/a', contract.op(1), '{"type": "errors/blocked_recipient", "status": 422, "title": "No"}');
SELECT outcome, http_status, error_type, error FROM sendgate.send_operations WHERE account_id = 'provider/a';
