"""What each role calls, as statements: through every branch of its verbs. ``@`` stands for the account."""

from e2e.support import operation


def sender_calls() -> list[str]:
    """Each verb of an application, through every branch that asks the database something."""
    reserve = "SELECT d.proceed, d.reason, d.sent_today, d.daily_cap, d.remaining, d.operation_id FROM"
    return [
        "SELECT d.proceed, d.reason, d.daily_cap FROM sendgate.preview('@', 'inmail', 'p1') d",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p1', 'c', '{operation(1)}') d",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p1', 'c', '{operation(1)}') d",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p1', 'c', '{operation(2)}') d",
        f"{reserve} sendgate.reserve('@', 'invite', 'p1', NULL, '{operation(3)}') d",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p4', NULL, '{operation(4)}') d",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p5', NULL, '{operation(5)}') d",
        f"{reserve} sendgate.reserve('@', 'message', 'p6', NULL, '{operation(6)}') d",
        "SELECT b.proceed, b.reason FROM sendgate.breaker_check('@', 'p9', 'c') b",
        f"SELECT sendgate.confirm('@', '{operation(1)}', 'chat') IS NOT NULL",
        f"SELECT sendgate.confirm('@', '{operation(3)}') IS NOT NULL",
        f"SELECT sendgate.rollback('@', '{operation(3)}', 'late', NULL, 503)",
        f"SELECT sendgate.rollback('@', '{operation(4)}', 'the recipient opted out', NULL, 422)",
        f"SELECT sendgate.confirm('@', '{operation(4)}', 'chat 4') IS NOT NULL",
        f"SELECT sendgate.rollback('@', '{operation(5)}', 'Out of CREDITS', NULL, 402)",
        f"{reserve} sendgate.reserve('@', 'inmail', 'p7', 'c', '{operation(7)}') d",
        "SELECT b.proceed, b.reason, b.retry_at IS NOT NULL FROM sendgate.breaker_check('@', 'p9') b",
        "SELECT sendgate.breaker_report('@', 'p10', 'no credit left')",
        *campaign_calls(),
        f"SELECT sendgate.rollback('@', '{operation(6)}', 'slow down', NULL, 429, '5 minutes')",
        f"{reserve} sendgate.reserve('@', 'message', 'p8', NULL, '{operation(8)}') d",
        "SELECT sendgate.record_credit_balance('@', 40, '2026-05-20 12:00:00+00', 'told')",
        "SELECT sendgate.record_external_send('@', 'inmail', 'p1', 'chat', '2026-05-20 12:00:00+00') IS NOT NULL",
        "SELECT sendgate.record_external_send('@', 'inmail', 'p11', 'ch', '2026-05-20 12:00:00+00') IS NOT NULL",
        "SELECT sendgate.record_external_send('@', 'invite', 'p12', NULL, '2026-05-19 12:00:00+00') IS NOT NULL",
        "SELECT d.reason FROM sendgate.reserve('nobody', 'inmail', 'p') d",
        f"SELECT sendgate.confirm('@', '{operation(99)}', 'chat')",
    ]


def campaign_calls() -> list[str]:
    """Work, through every state that an enrollment can be in; the breaker is open by now."""
    enqueue = "SELECT sendgate.enqueue('k@'"
    handed = "d.account_id, d.campaign_id, d.prospect_id, d.action, d.attempt"
    keys = "pg_catalog.array_agg(d.account_id), pg_catalog.array_agg(d.operation_id)"
    view = "sendgate.dispatch(9, 'profile_view', '@')"
    return [
        f"{enqueue}, 'q1', '@', 'profile_view')",
        f"{enqueue}, 'q1', '@', 'profile_view', NULL, true)",
        f"{enqueue}, 'q2', '@', 'profile_view')",
        f"SELECT sendgate.confirm_many({keys}) IS NOT NULL FROM {view} d",
        f"{enqueue}, 'q3', '@', 'profile_view')",
        f"{enqueue}, 'q4', '@', 'profile_view')",
        f"SELECT sendgate.rollback_many({keys}) FROM {view} d",
        f"{enqueue}, 'q5', '@', 'engagement')",
        f"{enqueue}, 'q5', '@', 'engagement', '2026-05-20')",
        "SELECT sendgate.enqueue('other', 'q5', '@', 'engagement')",
        f"SELECT {handed} FROM sendgate.dispatch(9, 'engagement', '@', pg_catalog.md5('@')::pg_catalog.uuid) d",
        f"SELECT {handed} FROM sendgate.dispatch(9, 'engagement', '@', pg_catalog.md5('@')::pg_catalog.uuid) d",
        f"{enqueue}, 'q6', '@', 'inmail')",
        f"{enqueue}, 'q6', '@', 'message', step => 2, payload => '{{}}', priority => 1)",
        f"SELECT {handed}, d.step, d.payload FROM sendgate.dispatch(9, campaign_id => 'k@') d",
        f"SELECT {handed} FROM sendgate.dispatch(9, NULL, '@') d",
        "SELECT d.reason FROM sendgate.reserve('@', 'inmail', 'q6', 'k@') d",
        "SELECT sendgate.cancel('k@', 'q6')",
        "SELECT sendgate.cancel('k@', 'q5', '@')",
        "SELECT sendgate.requeue('k@', 'q6', '@', 'inmail', dispatch_at => '2026-06-20')",
        "SELECT sendgate.requeue('k@', 'q1', '@', 'profile_view')",
        "SELECT sendgate.requeue('k@', 'q5', '@', 'engagement')",
        "SELECT sendgate.cancel_prospect('q6')",
        """SELECT e.element, e.result FROM sendgate.enqueue_many(ARRAY['k@', 'k@', 'k@', 'k@', NULL], ARRAY['q7', 'q7', 'q1', 'q7', 'q7'],
               ARRAY['@', '@', '@', 'nobody', '@'], ARRAY['invite', 'invite', 'profile_view', 'invite', 'invite'],
               are_connections => ARRAY[true, false, true, false, false], payloads => ARRAY['{}', NULL, NULL, NULL, NULL]::pg_catalog.jsonb[]) e""",
    ]


def daemon_calls() -> list[str]:
    """Each job, in the order of a tick, and what came of it."""
    ours = "account_id OPERATOR(pg_catalog.=) '@'"
    return [
        "SELECT sendgate.register_webhook('w@', ARRAY['alert_opened'])",
        "SELECT sendgate.register_webhook('w@', ARRAY['nothing'])",
        "SELECT sendgate.quarantine('note')",
        "SELECT sendgate.resume_all()",
        "SELECT sendgate.begin_run('reconcile_operations')",
        *(
            f"SELECT j.changed, j.more FROM sendgate.{job}(10000) j"
            for job in ("midnight_reset", "audit_events", "reconcile_operations")
        ),
        "SELECT q.note, q.audited, q.reconciled FROM sendgate.quarantine_progress q",
        "SELECT sendgate.resume_all()",
        "SELECT j.checked, j.changed, j.more FROM sendgate.prune() j",
        "SELECT sendgate.begin_run('prune')",
        "SELECT sendgate.begin_run('nothing')",
        "SELECT t.action, t.reason, t.actor, t.prospect_id, t.note"
        f" FROM sendgate.take_breaker_lines(10000) t WHERE t.{ours}",
        "SELECT n.event, n.attempt, n.data OPERATOR(pg_catalog.->>) 'kind'"
        f" FROM sendgate.take_notifications('w@', 1000) n WHERE n.{ours}",
        "SELECT sendgate.settle_notification('w@', o.account_id, o.id, 'HTTP 500', '1 hour')"
        f" FROM sendgate.webhook_outbox o WHERE o.{ours} AND o.webhook OPERATOR(pg_catalog.=) 'w@'",
        "SELECT w.events, w.given_up, w.error FROM sendgate.webhooks w WHERE w.name OPERATOR(pg_catalog.=) 'w@'",
        "SELECT d.action, d.period, d.before, d.after, d.delivered, d.reserved, d.indeterminate"
        f" FROM sendgate.counter_drift d WHERE d.{ours}",
        f"SELECT o.kind, o.detail FROM sendgate.open_alerts o WHERE o.{ours}",
        f"SELECT e.prospect_id, e.state, e.reason FROM sendgate.enrollments e WHERE e.{ours}",
        f"SELECT pg_catalog.count(*) FROM sendgate.breaker_log l WHERE l.{ours}",
        "SELECT h.job, h.last_state, h.error, h.stale FROM sendgate.reconciler_health h",
        "SELECT sendgate.record_run_failure('prune', 'failed')",
    ]


def operator_calls() -> list[str]:
    """Each of an operator's verbs, and each view."""
    note = "'note'"
    return [
        f"SELECT sendgate.clear_cooldown('@', {note})",
        f"SELECT sendgate.clear_cooldown('@', {note}, 'message')",
        "SELECT c.action, c.cause, c.note FROM sendgate.cooldown_log c WHERE c.account_id OPERATOR(pg_catalog.=) '@'",
        f"SELECT sendgate.set_pace('@', '2 minutes', 25, true, {note})",
        f"SELECT sendgate.record_credit_balance('@', 40, NULL, {note})",
        f"SELECT sendgate.forget_credit_balance('@', {note})",
        "SELECT b.balance, b.actor, b.note FROM sendgate.credit_balances b WHERE b.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT c.credits_left, c.next_grant, c.ceiling, c.state FROM sendgate.credits c"
        " WHERE c.account_id OPERATOR(pg_catalog.=) '@'",
        f"SELECT sendgate.breaker_probe('@', {note})",
        f"SELECT sendgate.breaker_force('@', 'closed', {note})",
        f"SELECT sendgate.breaker_force('@', 'auto', {note})",
        f"SELECT sendgate.breaker_clear('@', {note})",
        f"SELECT sendgate.breaker_arm('@', {note})",
        f"SELECT sendgate.set_status('@', 'paused', {note})",
        f"SELECT sendgate.set_status('@', 'connected', {note})",
        "SELECT sendgate.set_cap('@', 'inmail', 7, 20)",
        "SELECT sendgate.set_tier_cap('t@', 'inmail', 9, 30, '1 minute', 50)",
        "SELECT sendgate.upsert_account('@', 't@', 'Name', 'Europe/Berlin')",
        "SELECT sendgate.upsert_account('@', 'nowhere')",
        "SELECT sendgate.upsert_account('@', NULL, NULL, 'Mars/Olympus')",
        "SELECT sendgate.set_window('@', '09:00', '17:00', ARRAY[1, 2, 3])",
        "SELECT sendgate.set_window('@', NULL, NULL, NULL)",
        "SELECT sendgate.drop_tier_cap('t@', 'inmail')",
        "SELECT sendgate.upsert_account('@', 'recruiter')",
        "SELECT sendgate.drop_tier_cap('t@', 'inmail')",
        "SELECT sendgate.set_error_rule(3, 'transient', NULL, NULL, NULL, 'x@')",
        "SELECT sendgate.set_error_rule(3, 'rate_limited', 'message', NULL, '429', NULL, 'action', '1 hour')",
        "SELECT sendgate.drop_error_rule(3)",
        f"SELECT sendgate.resolve_operation('@', '{operation(4)}', true)",
        "SELECT sendgate.resolve_unresolved(true, '2020-01-01', '2020-01-02', '@')",
        f"SELECT sendgate.set_enforcement('@', 'observe', {note})",
        f"SELECT sendgate.suppress_prospect('q@', {note}, '2099-01-01')",
        f"SELECT sendgate.suppress_prospect('q@', {note})",
        "SELECT s.until, s.note FROM sendgate.suppressions s WHERE s.prospect_id OPERATOR(pg_catalog.=) 'q@'",
        f"SELECT sendgate.unsuppress_prospect('q@', {note})",
        f"SELECT sendgate.forget_prospect('q@', {note})",
        f"SELECT sendgate.remove_account('gone@', {note})",
        f"SELECT sendgate.repair_day('@', {note})",
        "SELECT sendgate.resume_deferred('@')",
        f"SELECT sendgate.set_campaign('k@', 3, note => {note})",
        "SELECT c.waiting, c.sending, c.sent_today, c.daily_limit FROM sendgate.campaigns_today c"
        " WHERE c.campaign_id OPERATOR(pg_catalog.=) 'k@' ORDER BY c.action",
        "SELECT sendgate.set_campaign('k@')",
        "SELECT sendgate.pause_campaign('k@')",
        "SELECT sendgate.resume_campaign('k@')",
        "SELECT s.moved, s.left_behind FROM sendgate.switch_action('k@', 'profile_view', 'message') s",
        f"SELECT sendgate.pause_all({note})",
        "SELECT sendgate.resume_all()",
        f"SELECT sendgate.copied_database(), sendgate.adopt_database({note})",
        "SELECT c.status, c.tier, c.inmails_sent_today, c.inmail_daily_cap, c.pill, c.breaker"
        " FROM sendgate.account_cards c WHERE c.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT k.action, k.sent_today, k.daily_cap, k.sent_this_week, k.weekly_cap"
        " FROM sendgate.counters k WHERE k.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT l.inmails_sent_today, l.status, l.window_days FROM sendgate.linkedin_accounts l"
        " WHERE l.id OPERATOR(pg_catalog.=) '@'",
        "SELECT b.mode, b.state, b.exhausted_at IS NULL FROM sendgate.breakers b"
        " WHERE b.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT u.prospect_id, u.state, u.expired, u.outcome, u.error"
        " FROM sendgate.operations_unresolved u WHERE u.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT d.event_type, d.delivered FROM sendgate.delivered_daily d"
        " WHERE d.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT o.kind, o.detail FROM sendgate.open_alerts o WHERE o.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT t.tier, t.action, t.daily_cap, t.credits_a_month FROM sendgate.tiers t"
        " WHERE t.tier OPERATOR(pg_catalog.=) 'recruiter'",
        "SELECT pg_catalog.count(*) FROM sendgate.error_rules",
        "SELECT l.action, l.reason, l.actor, l.note FROM sendgate.breaker_log l"
        " WHERE l.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT e.prospect_id, e.action, e.state, e.attempts, e.reason FROM sendgate.enrollments e"
        " WHERE e.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT e.prospect_id, e.reason, e.repeats FROM sendgate.campaign_events e"
        " WHERE e.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT s.campaign_id, s.reason, s.skipped, s.repeats FROM sendgate.skips_today s"
        " WHERE s.account_id OPERATOR(pg_catalog.=) '@'",
        "SELECT l.verb, l.actor, l.subject, l.before, l.after FROM sendgate.admin_log l"
        " WHERE l.account_id OPERATOR(pg_catalog.=) '@'",
    ]
