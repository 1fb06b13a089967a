-- Bad states are impossible, also for a superuser who writes the tables by hand.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('bad/a', 'sales_navigator');
SELECT proceed FROM sendgate.reserve('bad/a', 'inmail', 'p1', 'c1', contract.op(1));
SELECT sendgate.set_tier_cap('bad', 'invite', 1);
SELECT sendgate.set_error_rule(500, 'transient', error_text => 'bad');
SELECT contract.books() AS before \gset

-- An account.
SELECT input.assignment, v.code
FROM (
    VALUES
        (1, $$id = ''$$),
        (2, $$id = NULL$$),
        (3, $$id = repeat('a', 129)$$),
        (4, $$tier = ''$$),
        (5, $$status = 'banned'$$),
        (6, $$status = NULL$$),
        (7, $$breaker_mode = 'half'$$),
        (8, $$time_zone = NULL$$),
        (9, $$display_name = ''$$),
        (10, $$credit_reset_day = 0$$),
        (11, $$credit_reset_day = 32$$),
        (12, $$inmails_sent_today = -1$$),
        (13, $$inmails_sent_today = NULL$$),
        (14, $$engagements_sent_this_week = -1$$),
        (15, $$inmail_cap_today = -1$$),
        (16, $$ramp_days = -1$$),
        (17, $$inmail_daily_cap = -1$$),
        (18, $$invite_weekly_cap = -1$$),
        (19, $$day = NULL$$),
        (20, $$invite_attempts_today = -1$$),
        (21, $$window_start = '09:00'$$),
        (22, $$window_start = '09:00', window_end = '17:00'$$),
        (23, $$window_start = '09:00', window_end = '09:00', window_days = 1$$),
        (24, $$window_start = '24:00', window_end = '09:00', window_days = 1$$),
        (25, $$window_start = '09:00', window_end = '17:00', window_days = 0$$),
        (26, $$window_start = '09:00', window_end = '17:00', window_days = 128$$),
        (27, $$window_days = 1$$),
        (28, $$probe_operation_id = contract.op(1)$$),
        (29, $$probe_lease_until = now()$$),
        (30, $$sent_before = '\x00'$$),
        (31, $$failures = '[]'$$),
        (32, $$pace_gap = '-1 second'$$),
        (33, $$pace_gap = '32 days'$$),
        (34, $$pace_jitter_percent = 101$$),
        (35, $$enforcement = 'off'$$),
        (36, $$inmail_credits_stamp = 'me'$$),
        (37, $$credits_base = 5$$),
        (38, $$credits_base = 5, credits_observed_at = now()$$),
        (39, $$credits_spent_at = now()$$)
) AS input (n, assignment)
CROSS JOIN LATERAL contract.violates(format('UPDATE sendgate.accounts SET %s WHERE id = ''bad/a''', input.assignment)) AS v
ORDER BY input.n;

-- The rules over several columns hold in a restore and on a subscriber too, and say what does not fit.
SET session_replication_role = replica;
UPDATE sendgate.accounts SET window_days = 1 WHERE id = 'bad/a';
UPDATE sendgate.accounts SET probe_lease_until = now() WHERE id = 'bad/a';
INSERT INTO sendgate.accounts (id, tier, day, credits_base) VALUES ('bad/b', 'sales_navigator', current_date, 5);
RESET session_replication_role;

-- An operation: its state, outcome and times belong together.
SELECT input.assignment, v.code
FROM (
    VALUES
        (1, $$state = 'expired'$$),
        (2, $$state = NULL$$),
        (3, $$state = 'delivered'$$),
        (4, $$state = 'released'$$),
        (5, $$state = 'released', settled_at = now()$$),
        (6, $$state = 'released', settled_at = now(), outcome = 'indeterminate'$$),
        (7, $$state = 'delivered', settled_at = now(), outcome = 'released'$$),
        (8, $$state = 'indeterminate', settled_at = now(), outcome = 'released'$$),
        (9, $$state = 'indeterminate', settled_at = now()$$),
        (10, $$settled_at = now()$$),
        (11, $$outcome = 'released'$$),
        (12, $$state = 'released', settled_at = now(), outcome = 'nonsense'$$),
        (13, $$action = 'email'$$),
        (14, $$origin = 'nowhere'$$),
        (15, $$prospect_id = ''$$),
        (16, $$campaign_id = ''$$),
        (17, $$account_id = NULL$$),
        (18, $$expires_at = reserved_at - interval '1 second'$$)
) AS input (n, assignment)
CROSS JOIN LATERAL contract.violates(format('UPDATE sendgate.send_operations SET %s WHERE account_id = ''bad/a''', input.assignment)) AS v
ORDER BY input.n;

-- An event: an inmail_sent row without a non-blank chat id cannot exist, NULL included; other events
-- need none; one event an operation. (00001 says that the rows were accepted.) All of them name their
-- operation, so that the trigger lets them pass to the constraints.
SELECT input.label, v.code
FROM (
    VALUES
        (1, 'null chat id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', NULL)$$),
        (2, 'empty chat id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', '')$$),
        (3, 'blank chat id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', E' \t\n')$$),
        (3.1, 'no-break spaces', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', E'\u00A0\u00A0')$$),
        (3.2, 'zero-width spaces', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', E'\u200B')$$),
        (4, 'long chat id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', repeat('x', 2001))$$),
        (5, 'unknown type', $$(contract.op(11), contract.op(21), 'p1', 'email_sent', 'chat')$$),
        (6, 'no type', $$(contract.op(11), contract.op(21), 'p1', NULL, 'chat')$$),
        (7, 'no prospect', $$(contract.op(11), contract.op(21), '', 'inmail_sent', 'chat')$$),
        (8, 'two of one operation', $$(contract.op(11), contract.op(1), 'p1', 'inmail_sent', 'a'), (contract.op(12), contract.op(1), 'p1', 'inmail_sent', 'b')$$),
        (9, 'two of one id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', 'a'), (contract.op(11), contract.op(22), 'p1', 'inmail_sent', 'b')$$),
        (10, 'an invite without chat id', $$(contract.op(11), contract.op(21), 'p1', 'invite_sent', NULL)$$),
        (11, 'an InMail with chat id', $$(contract.op(11), contract.op(21), 'p1', 'inmail_sent', 'chat')$$)
) AS input (n, label, rows)
CROSS JOIN LATERAL contract.violates(format(
    'INSERT INTO sendgate.linkedin_events (id, operation_id, prospect_id, event_type, chat_id, account_id, occurred_at, recorded_at, counted_on)
     SELECT v.id, v.operation_id::uuid, v.prospect_id, v.event_type, v.chat_id, ''bad/a'', now(), now(), ''2026-05-24'' FROM (VALUES %s) AS v (id, operation_id, prospect_id, event_type, chat_id)',
    input.rows)) AS v
ORDER BY input.n;

-- Users' caps and rules.
SELECT input.relation, input.assignment, v.code
FROM (
    VALUES
        (1, 'tier_overrides', $$tier = ''$$),
        (2, 'tier_overrides', $$action = 'email'$$),
        (3, 'tier_overrides', $$daily_cap = -1$$),
        (4, 'tier_overrides', $$weekly_cap = -1$$),
        (5, 'tier_overrides', $$minimum_gap = '-1 second'$$),
        (6, 'tier_overrides', $$ramp_start_percent = 0$$),
        (7, 'tier_overrides', $$ramp_step_percent = 101$$),
        (8, 'error_rule_overrides', $$rule_order = 1000$$),
        (9, 'error_rule_overrides', $$rule_order = -1$$),
        (10, 'error_rule_overrides', $$outcome = 'ignored'$$),
        (11, 'error_rule_overrides', $$action = 'email'$$),
        (12, 'error_rule_overrides', $$http_status = '4x'$$),
        (13, 'error_rule_overrides', $$error_text = NULL$$)
) AS input (n, relation, assignment)
CROSS JOIN LATERAL contract.violates(format('UPDATE sendgate.%I SET %s', input.relation, input.assignment)) AS v
ORDER BY input.n;

-- The breaker's log, and the one switch.
SELECT input.statement, v.code
FROM (
    VALUES
        (1, $$breaker_log (id, at, account_id, action, reason, actor) VALUES (contract.op(1), now(), 'bad/a', 'open', 'x', 'x')$$),
        (2, $$breaker_log (id, at, account_id, action, reason, actor) VALUES (contract.op(1), now(), 'bad/a', 'skip', 'x', 'x')$$),
        (3, $$pause_switch (only_row, paused_at, actor) VALUES (false, now(), 'x')$$),
        (4, $$pause_switch (paused_at, actor) VALUES (now(), 'x'), (now(), 'x')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.violates('INSERT INTO sendgate.' || input.statement) AS v
ORDER BY input.n;

-- What the reconcilers found and did.
SELECT input.statement, v.code
FROM (
    VALUES
        (1, $$reconcile_runs (run_id, job, state, started_at, beat_at, backend_pid, actor) VALUES (contract.op(1), 'prune', 'ok', now(), now(), 1, 'x')$$),
        (2, $$reconcile_runs (run_id, job, state, started_at, beat_at, finished_at, backend_pid, actor) VALUES (contract.op(1), 'prune', 'running', now(), now(), now(), 1, 'x')$$),
        (3, $$reconcile_runs (run_id, job, state, started_at, beat_at, finished_at, backend_pid, actor) VALUES (contract.op(1), 'prune', 'lost', now(), now(), now(), 1, 'x')$$),
        (4, $$counter_drift VALUES (contract.op(1), now(), '2026-05-24', 1, 2, 2, 0, 0, 'bad/a', 'inmail', 'month')$$),
        (5, $$counter_drift VALUES (contract.op(1), now(), '2026-05-24', 1, 2, 2, 0, 0, 'bad/a', 'email', 'day')$$),
        (6, $$counter_drift VALUES (contract.op(1), now(), '2026-05-24', 1, 2, 2, 0, 0, '', 'inmail', 'day')$$),
        (7, $$counter_drift VALUES (contract.op(1), now(), '2026-05-24', 1, 2, 2, 0, NULL, 'bad/a', 'inmail', 'day')$$),
        (8, $$breaker_outbox VALUES ('bad/a', contract.op(1)), ('bad/a', contract.op(1))$$),
        (9, $$jobs (job, every) VALUES ('prune', '1 day')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.violates('INSERT INTO sendgate.' || input.statement) AS v
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;
SELECT sendgate.drop_tier_cap('bad', 'invite'), sendgate.drop_error_rule(500);
