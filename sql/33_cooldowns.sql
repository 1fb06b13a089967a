-- Cooldowns: which account or action waits, until when, and why.

-- Append-only by trigger; only prune removes rows.
CREATE TABLE sendgate.cooldown_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    until timestamptz,
    account_id sendgate.identifier NOT NULL,
    action sendgate.action_name,
    cause text COLLATE "C" NOT NULL,
    operation_id uuid,
    http_status integer,
    error_type text,
    error text,
    actor text NOT NULL,
    note text,
    CONSTRAINT cooldown_log_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT cooldown_log_cause_check CHECK (
        cause IN ('rate_limited', 'failing', 'action_unavailable', 'over_cap', 'manual')
    )
);
COMMENT ON TABLE sendgate.cooldown_log IS
'Every cooldown that was set, extended or cleared, of an account or of one of its actions, with the answer or the person that caused it. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.cooldown_log.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.cooldown_log.at IS 'When it changed.';
COMMENT ON COLUMN sendgate.cooldown_log.until IS 'Until when it lasts from then on. NULL: it is over.';
COMMENT ON COLUMN sendgate.cooldown_log.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.cooldown_log.action IS 'The action that cools down. NULL: the whole account.';
COMMENT ON COLUMN sendgate.cooldown_log.cause IS
'rate_limited: the provider asked to slow down. failing: too many failures in a row. action_unavailable: the account''s plan or seat does not include the action. over_cap: the audit found the counter far above the cap. manual: an operator.';
COMMENT ON COLUMN sendgate.cooldown_log.operation_id IS 'The operation whose answer changed it. NULL: a person or a job did.';
COMMENT ON COLUMN sendgate.cooldown_log.http_status IS 'The provider''s status, if there was one.';
COMMENT ON COLUMN sendgate.cooldown_log.error_type IS
'The provider''s error type. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldown_log.error IS
'The provider''s text, cut at 2,000 characters. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldown_log.actor IS 'The session user, or the person on whose behalf the daemon acted.';
COMMENT ON COLUMN sendgate.cooldown_log.note IS 'Why, in the operator''s words.';
COMMENT ON CONSTRAINT cooldown_log_cause_check ON sendgate.cooldown_log IS 'The closed list of causes.';

CREATE INDEX cooldown_log_at_idx ON sendgate.cooldown_log USING brin (at);
COMMENT ON INDEX sendgate.cooldown_log_at_idx IS 'For prune: rows arrive in this order.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.cooldown_log', '');

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.cooldown_log
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.cooldown_log ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON sendgate.cooldown_log IS 'Only prune deletes.';
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.cooldown_log
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.cooldown_log ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only_truncate ON sendgate.cooldown_log IS 'Only prune deletes.';

-- What cools down now. A cause and its words are those of the last line of the log about it.
CREATE VIEW sendgate.cooldowns AS
SELECT w.account_id, w.action,
       coalesce(w.since, (
           -- Back over the lines that made it longer while it lasted.
           WITH RECURSIVE line AS (
               SELECT l.id, l.at
               UNION ALL
               SELECT p.id, p.at
               FROM line n
               CROSS JOIN LATERAL (
                   SELECT g.id, g.at, g.until
                   FROM sendgate.cooldown_log g
                   WHERE g.account_id = w.account_id AND g.action IS NOT DISTINCT FROM w.action
                     AND g.cause <> 'failing' AND g.id < n.id
                   ORDER BY g.id DESC
                   LIMIT 1
               ) p
               WHERE p.until > n.at
           )
           SELECT min(n.at) FROM line n
       )) AS since,
       w.until, coalesce(l.cause, w.cause) AS cause, l.operation_id, l.http_status, l.error_type, l.error, l.actor, l.note
FROM (
    SELECT sendgate.clock() AS at, coalesce(current_setting('sendgate.failure_limit', true)::integer, 1) > 0 AS failures_count
) c
CROSS JOIN LATERAL (
    SELECT a.id, NULL::text, NULL::timestamptz, a.cooldown_until, NULL::text
    FROM sendgate.accounts a
    WHERE a.cooldown_until > c.at
    UNION ALL
    -- Both kinds by one reading of the accounts.
    SELECT a.id, f.key, k.since, k.until, k.cause
    FROM sendgate.accounts a
    CROSS JOIN LATERAL jsonb_each(a.failures) f
    CROSS JOIN LATERAL (
        VALUES (NULL::timestamptz, (f.value ->> 'cooldown_until')::timestamptz, NULL::text),
               ((f.value ->> 'failing_since')::timestamptz, (f.value ->> 'failing_until')::timestamptz, 'failing')
    ) k (since, until, cause)
    WHERE k.until > c.at AND (c.failures_count OR k.cause IS NULL)
) w (account_id, action, since, until, cause)
LEFT JOIN LATERAL (
    SELECT g.id, g.at, g.cause, g.operation_id, g.http_status, g.error_type, g.error, g.actor, g.note
    FROM sendgate.cooldown_log g
    WHERE g.account_id = w.account_id AND g.action IS NOT DISTINCT FROM w.action
      AND (g.cause = 'failing') = (w.cause IS NOT NULL)
    ORDER BY g.id DESC
    LIMIT 1
) l ON true;
COMMENT ON VIEW sendgate.cooldowns IS
'The cooldowns that last, of accounts and of single actions, with the answer or the person that set each last. With sendgate.failure_limit = 0 no failures cool anything down.';
COMMENT ON COLUMN sendgate.cooldowns.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.cooldowns.action IS 'The action that cools down. NULL: the whole account.';
COMMENT ON COLUMN sendgate.cooldowns.since IS
'Since when it lasts without a break: of failures, when they reached the limit. NULL: before 0.3.0.';
COMMENT ON COLUMN sendgate.cooldowns.until IS 'Until when it lasts.';
COMMENT ON COLUMN sendgate.cooldowns.cause IS
'rate_limited, failing, action_unavailable, over_cap or manual. NULL: it was set before 0.3.0.';
COMMENT ON COLUMN sendgate.cooldowns.operation_id IS 'The operation whose answer caused it, if one did.';
COMMENT ON COLUMN sendgate.cooldowns.http_status IS 'The provider''s status, if there was one.';
COMMENT ON COLUMN sendgate.cooldowns.error_type IS
'The provider''s error type. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldowns.error IS
'The provider''s text. Foreign text: escape it where you show it.';
COMMENT ON COLUMN sendgate.cooldowns.actor IS 'Who set it.';
COMMENT ON COLUMN sendgate.cooldowns.note IS 'Why, in the operator''s words.';
