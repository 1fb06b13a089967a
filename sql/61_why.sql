-- Why an account does not send: the one place that puts the answer together.

CREATE FUNCTION sendgate.window_since(
    window_start time,
    window_end time,
    window_days smallint,
    time_zone text,
    at timestamptz
) RETURNS timestamptz
LANGUAGE c
STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_window_since';
COMMENT ON FUNCTION sendgate.window_since(time, time, smallint, text, timestamptz) IS
'Since when a sending window is open or closed at an instant, from the columns of accounts; at most nine days back. NULL: no window, or a zone that the server no longer knows. Pure; made for why.';

-- One statement: the gate's own answers, for each the cause from the logs, and a sentence for people. Each part of
-- the cause begins with its reason, so that only its own tables are read, by their keys. Acts of operators
-- are looked for among the last 1,000 of the account, or of those about no account.
-- Its plan is the same for every account: planning takes far longer than what it does, so one plan serves a session.
CREATE FUNCTION sendgate.why(
    account_id text,
    action text DEFAULT NULL
) RETURNS TABLE (
    action text,
    proceed boolean,
    reason text,
    since timestamptz,
    until timestamptz,
    actor text,
    note text,
    http_status integer,
    error_type text,
    error text,
    operation_id uuid,
    advice text
)
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
ROWS 5
AS $why$
WITH decided AS MATERIALIZED (
    SELECT n.action, n.place, p.proceed, p.reason, p.retry_at, p.sent_today, p.daily_cap, p.remaining,
           sendgate.clock() AS at
    FROM unnest(CASE WHEN why.action IS NULL THEN ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement']
                     ELSE ARRAY[why.action] END) WITH ORDINALITY AS n (action, place)
    CROSS JOIN LATERAL sendgate.preview(why.account_id, n.action) AS p
)
SELECT d.action, d.proceed, d.reason, c.since, coalesce(c.until, d.retry_at), c.actor, c.note, c.http_status,
       c.error_type, c.error, c.operation_id,
       CASE
           WHEN d.proceed AND d.reason IS NOT NULL THEN
               'The account is only observed, so it goes out all the same; set_enforcement(account_id, ''enforce'', note) makes the rule refuse.'
           WHEN d.proceed AND c.cause = 'permit' THEN format(
               'One test InMail may go, until %s UTC; breaker_clear(account_id, note) lets all of them go, if the credits are back.',
               to_char(c.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
           WHEN d.proceed THEN format('Nothing holds it back: %s of %s slots are left today.', d.remaining, d.daily_cap)
           ELSE CASE d.reason
               WHEN 'paused_by_operator' THEN CASE c.cause
                   WHEN 'paused' THEN 'Everything is stopped, on every account, until resume_all().'
                   WHEN 'quarantined' THEN
                       'Let sendgated or tick() run until quarantine_progress says that all accounts were met, then call resume_all().'
                   ELSE 'This database is a copy of the one that sends: call adopt_database(note) if this is now the one that does; resume_all() does not end it.' END
               WHEN 'account_not_connected' THEN CASE c.cause
                   WHEN 'restricted' THEN
                       'The provider restricted the account: settle that with the provider, then call set_status(account_id, ''connected'', note).'
                   WHEN 'disconnected' THEN
                       'The provider no longer accepts its login: sign it in again, then call set_status(account_id, ''connected'', note).'
                   ELSE 'An operator paused the account: call set_status(account_id, ''connected'', note) when it may send again.' END
               WHEN 'breaker_forced_open' THEN
                   'An operator stopped its InMails, and nothing else: breaker_force(account_id, ''auto'', note) goes by the credits again.'
               WHEN 'account_inmail_credits_exhausted' THEN CASE
                   WHEN c.cause = 'probing' THEN format(
                       'A test InMail is under way, at most until %s UTC: wait for its answer, which clears the breaker or keeps it open.',
                       to_char(a.probe_lease_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
                   WHEN c.cause = 'unanswered' THEN
                       'By the last known balance its credits are spent, and an InMail is still unanswered: wait for its answer, or tell a new balance with record_credit_balance(account_id, balance).'
                   WHEN c.cause = 'credits_spent' THEN
                       'By the last known balance its credits are spent: once there are new ones, tell the balance with record_credit_balance(account_id, balance), or try one InMail with breaker_probe(account_id, note).'
                   ELSE
                       'It goes on by itself with the next credit period; if credits were bought, try one InMail with breaker_probe(account_id, note), or let all go with breaker_clear(account_id, note).' END
               WHEN 'account_cooldown' THEN CASE c.cause
                   WHEN 'over_cap' THEN
                       'More was sent than the cap allows: find out what sends past the gate; it goes on by itself, or at once with clear_cooldown(account_id, note).'
                   ELSE 'The provider asked to slow down: let the account rest; clear_cooldown(account_id, note) ends it before its time.' END
               WHEN 'action_cooldown' THEN CASE
                   WHEN c.cause = 'failing' AND EXISTS (
                       SELECT FROM sendgate.alerts l
                       WHERE l.account_id = '*' AND l.kind = 'provider_failing' AND l.resolved_at IS NULL
                   ) THEN
                       'Many accounts fail together, so look at the provider first: clear_cooldown(''*'', note) ends it for all of them when it is back.'
                   WHEN c.cause = 'failing' THEN
                       'It failed again and again: mend what the provider''s words tell of, then call clear_cooldown(account_id, note, action); otherwise one attempt is made when the time is over.'
                   WHEN c.cause = 'action_unavailable' THEN
                       'The account''s plan or seat does not include this action: change the plan and call clear_cooldown(account_id, note, action), or move the work with switch_action(campaign_id, from_action, to_action).'
                   ELSE
                       'The provider asked to slow down with this action, others go on: let it rest; clear_cooldown(account_id, note, action) ends it before its time.' END
               WHEN 'outside_sending_window' THEN format(
                   'It sends from %s to %s in %s on the days of its window; set_window(account_id, window_start, window_end, window_days) changes that.',
                   to_char(a.window_start, 'HH24:MI'), to_char(a.window_end, 'HH24:MI'), a.time_zone)
               WHEN 'pacing' THEN CASE c.cause
                   WHEN 'own' THEN 'It keeps a distance to its last send: it goes on by itself; set_pace(account_id, minimum_gap, jitter_percent, spread, note) changes the distance.'
                   ELSE 'Its tier wants a gap after its last send: it goes on by itself; set_tier_cap(tier, action, daily_cap, weekly_cap, minimum_gap) changes the gap.' END
               WHEN 'weekly_cap_reached' THEN format(
                   CASE k.weekly_cap WHEN 0 THEN
                       '%s of %s slots of the last seven days are taken: this action is switched off here; set_cap(account_id, action, daily_cap, weekly_cap, note) allows it.'
                   ELSE
                   '%s of %s slots of the last seven days are taken: it goes on when the oldest of them fall out, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).' END,
                   k.sent_this_week, k.weekly_cap)
               WHEN 'daily_cap_reached' THEN CASE
                   WHEN d.daily_cap = 0 THEN format(
                       '%s of 0 slots are taken: this action is switched off here; set_cap(account_id, action, daily_cap, weekly_cap, note) or another tier by upsert_account(account_id, tier) allows it.',
                       d.sent_today)
                   WHEN a.ramp AND d.daily_cap < coalesce((to_jsonb(a) ->> (d.action || '_daily_cap'))::integer, t.daily_cap) THEN format(
                       '%s of the %s slots of its ramp are taken today: it goes on at midnight UTC, with more each day; upsert_account(account_id, ramp => false) ends the ramp.',
                       d.sent_today, d.daily_cap)
                   ELSE format(
                       '%s of %s slots of today are taken: it goes on at midnight UTC, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).',
                       d.sent_today, d.daily_cap) END
               WHEN 'daily_attempts_reached' THEN format(
                   '%s made today for %s taken, the cap being %s: find out why most of them fail; it goes on at midnight UTC, or with a higher cap by set_cap(account_id, action, daily_cap, weekly_cap, note).',
                   CASE k.attempts_today WHEN 1 THEN '1 attempt was' ELSE k.attempts_today || ' attempts were' END,
                   CASE d.sent_today WHEN 1 THEN '1 slot that is' ELSE d.sent_today || ' slots that are' END, d.daily_cap)
               ELSE format('The rule is %s; docs/reference.md says what ends it.', d.reason)
           END
       END
FROM decided d
LEFT JOIN sendgate.accounts a ON a.id = why.account_id
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = d.action
LEFT JOIN sendgate.counters k ON k.account_id = why.account_id AND k.action = d.action
LEFT JOIN LATERAL (
    -- The one switch.
    SELECT s.paused_at, NULL::timestamptz, s.actor, s.note, NULL::integer, NULL::text, NULL::text, NULL::uuid,
           CASE WHEN s.quarantine_id IS NULL THEN 'paused' ELSE 'quarantined' END
    FROM sendgate.pause_switch s
    WHERE d.reason = 'paused_by_operator'
    UNION ALL
    -- A copy of the books: since the audit found it.
    SELECT min(l.opened_at), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'copied'
    FROM sendgate.alerts l
    WHERE d.reason = 'paused_by_operator' AND l.account_id = '*' AND l.kind = 'copied_database' AND l.resolved_at IS NULL
      AND NOT EXISTS (SELECT FROM sendgate.pause_switch)
    HAVING count(*) > 0
    UNION ALL
    -- The status: an operator's words, or the answer of the provider.
    SELECT w.since, NULL, w.actor, CASE WHEN w.verb <> 'rollback' THEN w.note END, o.http_status, o.error_type,
           CASE WHEN w.verb = 'rollback' THEN coalesce(o.error, w.note) END, w.operation_id, a.status::text
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.actor, l.note, l.verb, l.operation_id,
               max(l.at) FILTER (WHERE l.before IS DISTINCT FROM l.after) OVER () AS since
        FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
        WHERE l.subject = 'status' AND l.after = to_jsonb(a.status::text)
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    LEFT JOIN sendgate.send_operations o ON o.account_id = why.account_id AND o.operation_id = w.operation_id
    WHERE d.reason = 'account_not_connected'
    UNION ALL
    -- A forced breaker.
    (SELECT l.at, NULL, l.actor, l.note, NULL, NULL, NULL, NULL, 'forced'
     FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
     WHERE d.reason = 'breaker_forced_open' AND l.verb = 'breaker_force' AND l.after ->> 'breaker_mode' = 'open'
     ORDER BY l.at DESC, l.id DESC
     LIMIT 1)
    UNION ALL
    -- The breaker's stamp. The log of a version before 0.3.0 names no operation: it is the one of the prospect.
    -- By the last balance that was told there are none left: it is known who told it.
    SELECT coalesce(a.inmail_credits_exhausted_at, q.recorded_at), NULL, coalesce(q.actor, b.actor),
           coalesce(q.note, CASE WHEN b.reason <> 'credits_exhausted' THEN b.note END),
           coalesce(o.http_status, b.http_status), coalesce(o.error_type, b.error_type),
           CASE WHEN b.reason = 'credits_exhausted' THEN coalesce(o.error, b.note) END, o.operation_id,
           CASE WHEN a.probe_lease_until > d.at THEN 'probing'
                WHEN a.inmail_credits_exhausted_at IS NOT NULL THEN coalesce(b.reason, 'credits_exhausted')
                WHEN EXISTS (
                    SELECT FROM sendgate.send_operations u
                    WHERE u.account_id = why.account_id AND u.counted_on >= k.day - 1 AND u.action = 'inmail'
                      AND u.state = 'reserved' AND u.expires_at = d.retry_at
                ) THEN 'unanswered'
                ELSE 'credits_spent' END
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.* FROM sendgate.breaker_log l
        WHERE l.account_id = why.account_id AND l.action <> 'skip' AND l.action = 'set'
          AND l.exhausted_at = a.inmail_credits_exhausted_at
        ORDER BY l.id DESC
        LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT j.* FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.operation_id = b.operation_id
        UNION ALL
        (SELECT j.* FROM sendgate.send_operations j
         WHERE j.account_id = why.account_id AND j.prospect_id = b.prospect_id AND j.action = 'inmail'
           AND j.outcome = 'credits_exhausted' AND j.settled_at = b.at AND b.operation_id IS NULL
         ORDER BY j.reserved_at DESC
         LIMIT 1)
    ) o ON true
    LEFT JOIN LATERAL (
        SELECT l.* FROM sendgate.credit_balances l
        WHERE l.account_id = why.account_id AND (a.inmail_credits_exhausted_at IS NULL OR b.reason = 'credits_spent')
        ORDER BY l.id DESC
        LIMIT 1
    ) q ON true
    WHERE d.reason = 'account_inmail_credits_exhausted'
    UNION ALL
    -- A cooldown; of two of one action, the one that lasts longer.
    (SELECT w.since, NULL, w.actor, w.note, w.http_status, w.error_type, w.error, w.operation_id, w.cause
     FROM sendgate.cooldowns w
     WHERE d.reason IN ('account_cooldown', 'action_cooldown') AND w.account_id = why.account_id
       AND w.action IS NOT DISTINCT FROM CASE d.reason WHEN 'action_cooldown' THEN d.action END
     ORDER BY w.until DESC
     LIMIT 1)
    UNION ALL
    -- The window, and who gave it to the account.
    SELECT greatest(w.at, sendgate.window_since(a.window_start, a.window_end, a.window_days, a.time_zone, d.at)),
           NULL, w.actor, w.note, NULL, NULL, NULL, NULL, 'window'
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT l.at, l.actor, l.note
        FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
        WHERE l.verb IN ('set_window', 'upsert_account')
          AND (l.before -> 'window_start', l.before -> 'window_end', l.before -> 'window_days', l.before -> 'time_zone')
              IS DISTINCT FROM (l.after -> 'window_start', l.after -> 'window_end', l.after -> 'window_days', l.after -> 'time_zone')
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    WHERE d.reason = 'outside_sending_window'
    UNION ALL
    -- The pace of the account, or the gap of its tier.
    SELECT CASE p.own
               WHEN 'own' THEN greatest(a.inmail_last_at, a.invite_last_at, a.message_last_at, a.profile_view_last_at, a.engagement_last_at)
               ELSE (to_jsonb(a) ->> (d.action || '_last_at'))::timestamptz END,
           NULL, w.actor, w.note, NULL, NULL, NULL, NULL, p.own
    FROM (SELECT CASE WHEN a.pace_gap IS NOT NULL OR a.pace_spread THEN 'own' ELSE 'tier' END AS own) p
    LEFT JOIN LATERAL (
        SELECT l.actor, l.note
        FROM (
            (SELECT g.* FROM sendgate.admin_log g
             WHERE p.own = 'own' AND g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000)
            UNION ALL
            (SELECT g.* FROM sendgate.admin_log g
             WHERE p.own = 'tier' AND g.account_id IS NULL ORDER BY g.at DESC, g.id DESC LIMIT 1000)
        ) l
        WHERE (l.verb = 'set_pace' OR (l.verb = 'set_tier_cap' AND l.subject = a.tier || '/' || d.action))
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    WHERE d.reason = 'pacing'
    UNION ALL
    -- A cap: since the last slot that it allowed, or since it was set, by whom.
    SELECT greatest(o.at, w.at), NULL, w.actor, w.note, NULL, NULL, NULL, NULL, 'cap'
    FROM (SELECT to_jsonb(a) ->> (d.action || CASE d.reason WHEN 'weekly_cap_reached' THEN '_weekly_cap' ELSE '_daily_cap' END) AS cap) own
    LEFT JOIN LATERAL (
        SELECT l.at, l.actor, l.note
        FROM (
            (SELECT g.* FROM sendgate.admin_log g
             WHERE (own.cap IS NOT NULL OR d.daily_cap = 0) AND g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000)
            UNION ALL
            (SELECT g.* FROM sendgate.admin_log g
             WHERE own.cap IS NULL AND g.account_id IS NULL ORDER BY g.at DESC, g.id DESC LIMIT 1000)
        ) l
        WHERE (l.verb = 'set_cap' AND l.subject = d.action AND own.cap IS NOT NULL)
           OR (l.verb = 'set_tier_cap' AND t.overridden AND l.subject = a.tier || '/' || d.action)
           OR (l.verb = 'upsert_account' AND own.cap IS NULL AND l.before -> 'tier' IS DISTINCT FROM l.after -> 'tier')
        ORDER BY l.at DESC, l.id DESC
        LIMIT 1
    ) w ON true
    LEFT JOIN LATERAL (
        SELECT max(j.reserved_at) AS at FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.action = d.action AND j.state <> 'released'
          AND j.counted_on BETWEEN k.day - CASE d.reason WHEN 'weekly_cap_reached' THEN 6 ELSE 0 END AND k.day
    ) o ON true
    WHERE d.reason IN ('weekly_cap_reached', 'daily_cap_reached')
    UNION ALL
    -- Attempts: the provider's last words about one of them.
    SELECT (to_jsonb(a) ->> (d.action || '_last_at'))::timestamptz, NULL, NULL, NULL, o.http_status, o.error_type, o.error, o.operation_id, 'attempts'
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (
        SELECT j.* FROM sendgate.send_operations j
        WHERE j.account_id = why.account_id AND j.counted_on = k.day AND j.action = d.action
          AND j.origin = 'gate' AND j.outcome <> 'released'
        ORDER BY j.settled_at DESC, j.operation_id DESC
        LIMIT 1
    ) o ON true
    WHERE d.reason = 'daily_attempts_reached'
    UNION ALL
    -- It may go: a permit through an open breaker, or the last act of a person that let it go.
    (SELECT w.at, w.until, w.actor, w.note, NULL, NULL, NULL, NULL, w.cause
     FROM (
         (SELECT l.at, a.probe_lease_until, l.actor, l.note, 'permit', 0
          FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
          WHERE d.action = 'inmail' AND a.probe_lease_until > d.at AND a.probe_operation_id IS NULL AND l.verb = 'breaker_probe'
          ORDER BY l.at DESC, l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM sendgate.breaker_log l
          WHERE l.account_id = why.account_id AND l.action <> 'skip' AND d.action = 'inmail'
            AND l.action = 'clear' AND l.reason = 'manual'
          ORDER BY l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM sendgate.cooldown_log l
          WHERE l.account_id = why.account_id AND l.until IS NULL AND l.operation_id IS NULL
            AND (l.action IS NULL OR l.action = d.action)
          ORDER BY l.id DESC
          LIMIT 1)
         UNION ALL
         (SELECT l.at, NULL, l.actor, l.note, 'cleared', 1
          FROM (SELECT g.* FROM sendgate.admin_log g WHERE g.account_id = why.account_id ORDER BY g.at DESC, g.id DESC LIMIT 1000) l
          WHERE l.subject = 'status' AND l.after = '"connected"' AND l.before <> l.after
          ORDER BY l.at DESC, l.id DESC
          LIMIT 1)
     ) w (at, until, actor, note, cause, place)
     WHERE d.proceed AND d.reason IS NULL
     ORDER BY w.place, w.at DESC
     LIMIT 1)
) c (since, until, actor, note, http_status, error_type, error, operation_id, cause) ON true
ORDER BY d.place
$why$;
COMMENT ON FUNCTION sendgate.why(text, text) IS
'Why an account does or does not send: a line for each action, or for the one. proceed and reason are those of preview. since: since when it is so. until: when it lets go by itself; NULL: only an event ends it. Who or what made it so, in their own words: actor and note of a person; the operation, HTTP status, type and text of the provider''s answer (foreign text: escape it where you show it). advice: one sentence that says what can be done, with which function. With a yes, since, actor and note are those of the last act that let it go. Writes nothing and works on a standby. Errors: SG001, SG002, SG004, SG005, SG101.';
