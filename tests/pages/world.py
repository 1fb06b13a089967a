"""A database that looks like a real one: accounts in every state, with a day's history; and the days before it."""

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
FROM sendgate.send_operations o WHERE o.state = 'delivered' AND o.counted_on = (sendgate.clock() AT TIME ZONE 'UTC')::date;

INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at, http_status, error_type, note)
SELECT gen_random_uuid(), a.inmail_credits_exhausted_at, a.id, 'set', 'credits_exhausted', 'worker',
       a.inmail_credits_exhausted_at, 402, 'errors/insufficient_credits', 'not enough credits'
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
-- Alerts that are over, and what operators did about caps; ids in the order of time, as the functions make them.
CREATE FUNCTION pg_temp.id_of(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(r, 1, 3) || '8' || substr(r, 4, 15))::uuid
    FROM md5(random()::text) AS r $$;
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at, resolved_at)
SELECT gen_random_uuid(), a.id, 'failing', (x.at AT TIME ZONE 'UTC')::date, 'message: ten attempts in a row failed', x.at,
       x.at + interval '3 hours'
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a
CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '1 minute' * (2000 + a.n % 40000) AS at) AS x
WHERE a.n % 10 <> 0 ORDER BY x.at;
INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after, note)
SELECT pg_temp.id_of(x.at), x.at, (ARRAY['ada', 'grace'])[1 + a.n % 2], 'set_cap', a.id, 'inmail',
       jsonb_build_object('daily_cap', 20 + a.n % 3 * 5, 'weekly_cap', NULL),
       jsonb_build_object('daily_cap', NULL, 'weekly_cap', NULL), 'careful at first, as its tier from now on'
FROM (SELECT a.*, substr(a.id, 5)::integer AS n FROM sendgate.accounts a) AS a
CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '9 days' - interval '1 minute' * (a.n * 7 % 10000) AS at) AS x
WHERE a.n % 5 = 3 ORDER BY x.at;
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

# One of the days before: each account has about as many attempts, eight of nine with their proof. Rows are in the order of
# accounts within a day, as the server's indexes like it best, and days follow each other, as in a journal.
DAY_BEFORE = """
SET session_replication_role = replica;
SET synchronous_commit = off;
WITH made AS (
    INSERT INTO sendgate.send_operations (
        operation_id, account_id, prospect_id, action, campaign_id, state, reserved_at, expires_at, counted_on,
        settled_at, outcome, http_status, error)
    SELECT gen_random_uuid(), 'acc-' || lpad((1 + (i - 1) * {accounts}::bigint / {rows})::text, 6, '0'), 'old-{before}-' || i,
           (ARRAY['inmail', 'invite', 'message'])[1 + i % 3], 'spring-' || i % 5,
           CASE WHEN i % 9 = 0 THEN 'released' ELSE 'delivered' END, x.at, x.at + interval '15 minutes', d.day,
           x.at + interval '2 seconds', CASE WHEN i % 9 = 0 THEN 'transient' END, CASE WHEN i % 9 = 0 THEN 503 END,
           CASE WHEN i % 9 = 0 THEN 'service unavailable' END
    FROM generate_series(1, {rows}) AS i
    CROSS JOIN (SELECT (sendgate.clock() AT TIME ZONE 'UTC')::date - {before} AS day) AS d
    CROSS JOIN LATERAL (SELECT d.day::timestamp AT TIME ZONE 'UTC' + interval '1 second' * (i * 7 % 86000) AS at) AS x
    RETURNING account_id, operation_id, prospect_id, action, state, counted_on, settled_at
)
INSERT INTO sendgate.linkedin_events (
    id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), m.operation_id, m.settled_at, m.settled_at, m.counted_on, m.account_id, m.prospect_id,
       m.action || '_sent', 'chat-' || m.operation_id
FROM made AS m WHERE m.state = 'delivered';
"""
# Today is the last of the chart's days.
DAYS_BEFORE = 29


def live(psql, accounts: int, operations: int, told=lambda done: None) -> None:
    """Write a past of so many operations, before ``load`` makes the accounts; ``told(n)`` hears how many there are."""
    rows = max(1, operations // DAYS_BEFORE)
    for before in range(DAYS_BEFORE, 0, -1):
        psql(DAY_BEFORE.format(accounts=accounts, rows=rows, before=before))
        told(rows * (DAYS_BEFORE + 1 - before))


def load(psql, accounts: int, journalled: int = 20_000) -> None:
    """Fill a database; ``psql(sql)`` runs there as a superuser."""
    psql(LOAD.format(accounts=accounts, journalled=journalled))
    # As if the jobs had run a moment ago, so that a daemon leaves all this as it is for ten minutes.
    psql("UPDATE sendgate.jobs SET sweep_started_at = sendgate.clock(), sweep_finished_at = sendgate.clock()")
    psql("VACUUM ANALYZE")
