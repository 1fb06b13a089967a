"""A database that looks like a real one: accounts in every state, with a day's history."""

# Ids of a fixed shape sort as they count. Every loop below is one statement; triggers are off, because
# what is written here is what the functions would have written.
LOAD = """
SET session_replication_role = replica;
INSERT INTO sendgate.accounts (
    id, tier, display_name, day, sent_before, status, time_zone, inmails_sent_today, invites_sent_today,
    messages_sent_today,
    inmail_credits_exhausted_at, cooldown_until, breaker_mode, inmail_cap_today)
SELECT 'acc-' || lpad(n::text, 6, '0'),
       (ARRAY['sales_navigator', 'sales_navigator', 'premium_business', 'recruiter'])[1 + n / 7 % 4],
       (ARRAY['Ada', 'Grace', 'Barbara', 'Edsger', 'Alan', 'Radia', 'Donald', 'Frances'])[1 + n / 3 % 8] || ' '
       || (ARRAY['Berger', 'Novak', 'Rossi', 'Larsen', 'Okafor', 'Tanaka', 'Silva'])[1 + n % 7],
       d.today, decode(repeat('00', 30), 'hex'),
       CASE WHEN n % 60 = 7 THEN 'paused' WHEN n % 90 = 8 THEN 'restricted'
            WHEN n % 120 = 9 THEN 'disconnected' ELSE 'connected' END,
       'UTC', s.inmails, s.invites, s.messages,
       CASE WHEN n % 40 = 3 THEN d.at - interval '1 second' * (1 + n % 50) END,
       CASE WHEN n % 80 = 5 THEN d.at + interval '40 minutes' END,
       CASE WHEN n % 2000 = 11 THEN 'open' ELSE 'auto' END, 50
FROM generate_series(1, {accounts}) AS n
CROSS JOIN (SELECT sendgate.clock() AS at, (sendgate.clock() AT TIME ZONE 'UTC')::date AS today) AS d
CROSS JOIN LATERAL (
    SELECT CASE WHEN n <= {journalled} THEN 3 + n * 7 % 23 ELSE 0 END AS inmails,
           CASE WHEN n <= {journalled} AND n % 3 = 1 THEN 1 + n % 12 ELSE 0 END AS invites,
           CASE WHEN n <= {journalled} AND n % 3 = 1 THEN n % 30 ELSE 0 END AS messages
) AS s;

-- As many slots as the counters say, over the day until a minute ago. The last two InMails of every
-- fifth account have an unknown outcome, and every 250th counter is two ahead of its journal.
INSERT INTO sendgate.send_operations (
    operation_id, account_id, prospect_id, action, campaign_id, state, reserved_at, expires_at, counted_on,
    settled_at, outcome, error, unknown_since)
SELECT gen_random_uuid(), a.id, 'p-' || s.action || '-' || k, s.action, 'spring-' || k % 5,
       CASE WHEN x.open THEN 'indeterminate' ELSE 'delivered' END, x.at, x.at + interval '15 minutes', a.day,
       x.at + interval '2 seconds', CASE WHEN x.open THEN 'indeterminate' END,
       CASE WHEN x.open THEN 'gateway timeout' END, CASE WHEN x.open THEN x.at END
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a
CROSS JOIN LATERAL (
    VALUES ('inmail', a.inmails_sent_today - CASE WHEN a.n % 250 = 1 THEN 2 ELSE 0 END),
           ('invite', a.invites_sent_today), ('message', a.messages_sent_today)
) AS s (action, sent)
CROSS JOIN LATERAL generate_series(1, s.sent) AS k
CROSS JOIN LATERAL (
    SELECT s.action = 'inmail' AND a.n % 5 = 3 AND k > s.sent - 2 AS open,
           a.day::timestamptz
           + (sendgate.clock() - interval '1 minute' - a.day::timestamptz) * ((k - 0.3) / s.sent) AS at
    OFFSET 0
) AS x
WHERE a.n <= {journalled};
INSERT INTO sendgate.linkedin_events (
    id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), o.operation_id, o.settled_at, o.settled_at, o.counted_on, o.account_id,
       o.prospect_id, o.action || '_sent', 'chat-' || o.operation_id
FROM sendgate.send_operations o WHERE o.state = 'delivered';

INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at)
SELECT gen_random_uuid(), a.inmail_credits_exhausted_at, a.id, 'set', 'credits_exhausted', 'worker',
       a.inmail_credits_exhausted_at
FROM sendgate.accounts a WHERE a.inmail_credits_exhausted_at IS NOT NULL;
INSERT INTO sendgate.campaign_events (
    id, at, deferred_to, exhausted_at, repeats, account_id, prospect_id, campaign_id, action, event_type,
    reason, detail)
SELECT gen_random_uuid(), sendgate.clock() - interval '1 second' * (a.n % 20000),
       CASE WHEN x.breaker THEN date_trunc('month', sendgate.clock()) + interval '1 month' END,
       CASE WHEN x.breaker THEN a.inmail_credits_exhausted_at END, k * 2, a.id, 'prospect-' || k,
       'spring-' || a.n % 5, 'inmail', 'linkedin_skipped',
       CASE WHEN x.breaker THEN 'account_inmail_credits_exhausted' ELSE 'inmail_eligibility' END,
       CASE WHEN NOT x.breaker THEN 'the recipient does not take InMails' END
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a
CROSS JOIN generate_series(1, 2) AS k
CROSS JOIN LATERAL (SELECT k = 1 AND a.inmail_credits_exhausted_at IS NOT NULL AS breaker) AS x
WHERE a.inmail_credits_exhausted_at IS NOT NULL OR a.n % 3 = 0;
INSERT INTO sendgate.enrollments (
    enqueued_at, changed_at, next_dispatch_at, attempts, account_id, prospect_id, campaign_id, action, state,
    reason)
SELECT w.at, w.at, CASE WHEN NOT w.done THEN w.due END, 1, a.id, 'prospect-' || k, 'spring-' || a.n % 5, 'inmail',
       CASE WHEN w.done THEN 'done' ELSE 'waiting' END,
       CASE WHEN NOT w.done AND w.breaker THEN 'account_inmail_credits_exhausted' END
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a
CROSS JOIN generate_series(1, 3) AS k
CROSS JOIN LATERAL (
    SELECT k > 2 AS done, a.inmail_credits_exhausted_at IS NOT NULL AS breaker, sendgate.clock() AS at,
           date_trunc('month', sendgate.clock()) + interval '1 month' AS due
) AS w
WHERE a.n % 3 = 0 OR a.inmail_credits_exhausted_at IS NOT NULL;
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
SELECT gen_random_uuid(), a.id, 'counter_ahead_of_events', a.day,
       'counter 14, delivered 7, in flight 0', sendgate.clock() - interval '1 second' * (a.n % 9000)
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a WHERE a.n % 50 = 1;
INSERT INTO sendgate.counter_drift (
    id, at, day, before, after, delivered, reserved, indeterminate, account_id, action, period)
SELECT gen_random_uuid(), sendgate.clock() - interval '25 minutes', a.day, 14, 12, 10, 1, 1, a.id, 'inmail', 'day'
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a WHERE a.n % 100 = 1;
INSERT INTO sendgate.reconcile_runs (
    run_id, job, state, started_at, beat_at, finished_at, checked, changed, batches, backend_pid, actor)
SELECT gen_random_uuid(), j.job, 'ok', t.at, t.at, t.at + interval '1.4 seconds', 1000, 0, 1, 1, 'sendgated'
FROM sendgate.jobs j
CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '10 minutes' * k AS at FROM generate_series(1, 100) k) t;
RESET session_replication_role;
"""


def load(psql, accounts: int, journalled: int = 20_000) -> None:
    """Fill a database; ``psql(sql)`` runs there as a superuser."""
    psql(LOAD.format(accounts=accounts, journalled=journalled))
    # As if the jobs had run a moment ago, so that a daemon leaves all this as it is for ten minutes.
    psql("UPDATE sendgate.jobs SET sweep_started_at = sendgate.clock(), sweep_finished_at = sendgate.clock()")
    psql("VACUUM ANALYZE")
