-- Every view reads the clock once, in a subquery, so that all its rows are of one instant.
CREATE VIEW sendgate.tiers AS
WITH merged AS (
    SELECT o.tier, o.action, o.daily_cap, o.weekly_cap, o.ramp_start_percent, o.ramp_step_percent,
           o.minimum_gap, true AS overridden
    FROM sendgate.tier_overrides o
    UNION ALL
    SELECT d.tier, d.action, d.daily_cap, d.weekly_cap, d.ramp_start_percent, d.ramp_step_percent,
           d.minimum_gap, false
    FROM sendgate.tier_defaults d
    WHERE NOT EXISTS (
        SELECT FROM sendgate.tier_overrides o WHERE o.tier = d.tier AND o.action = d.action
    )
)
SELECT m.tier, m.action, m.daily_cap, m.weekly_cap, m.ramp_start_percent, m.ramp_step_percent,
       m.minimum_gap, c.credits_a_month, c.credits_ceiling, m.overridden
FROM merged m
LEFT JOIN (
    SELECT DISTINCT d.tier, d.credits_a_month, d.credits_ceiling FROM sendgate.tier_defaults d
) c ON c.tier = m.tier;

CREATE VIEW sendgate.error_rules AS
SELECT o.rule_order, o.outcome, o.action, o.error_type, o.http_status, o.error_text, false AS shipped
FROM sendgate.error_rule_overrides o
UNION ALL
SELECT d.rule_order, d.outcome, d.action, d.error_type, d.http_status, d.error_text, true
FROM sendgate.error_rule_defaults d
ORDER BY rule_order;

CREATE VIEW sendgate.linkedin_accounts AS
SELECT a.id, a.display_name, a.status, a.tier, a.time_zone,
       sendgate.sent_as_of(a.inmails_sent_today, a.day, c.at) AS inmails_sent_today,
       sendgate.sent_as_of(a.invites_sent_today, a.day, c.at) AS invites_sent_today,
       sendgate.sent_as_of(a.messages_sent_today, a.day, c.at) AS messages_sent_today,
       sendgate.sent_as_of(a.profile_views_sent_today, a.day, c.at) AS profile_views_sent_today,
       sendgate.sent_as_of(a.engagements_sent_today, a.day, c.at) AS engagements_sent_today,
       sendgate.sent_this_week_as_of(a.inmails_sent_this_week, a.week, c.at) AS inmails_sent_this_week,
       sendgate.sent_this_week_as_of(a.invites_sent_this_week, a.week, c.at) AS invites_sent_this_week,
       sendgate.sent_this_week_as_of(a.messages_sent_this_week, a.week, c.at) AS messages_sent_this_week,
       sendgate.sent_this_week_as_of(a.profile_views_sent_this_week, a.week, c.at)
           AS profile_views_sent_this_week,
       sendgate.sent_this_week_as_of(a.engagements_sent_this_week, a.week, c.at)
           AS engagements_sent_this_week,
       a.inmail_credits_exhausted_at, a.breaker_mode, a.breaker_cleared_at, a.probe_lease_until,
       a.probe_operation_id, a.credit_reset_day::integer AS credit_reset_day, a.cooldown_until,
       a.window_start, a.window_end, sendgate.window_days_array(a.window_days) AS window_days,
       a.ramp, a.ramp_days, a.day AS counters_day, a.week AS counters_week
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c;

CREATE VIEW sendgate.counters AS
SELECT a.id AS account_id, n.action, greatest(a.day, (c.at AT TIME ZONE 'UTC')::date) AS day,
       sendgate.sent_as_of(n.sent_today, a.day, c.at) AS sent_today,
       sendgate.effective_cap(
           coalesce(n.daily_cap, t.daily_cap, 0), a.ramp, a.ramp_days,
           a.inmails_sent_today + a.invites_sent_today + a.messages_sent_today
           + a.profile_views_sent_today + a.engagements_sent_today > 0,
           a.day, coalesce(t.ramp_start_percent, 100), coalesce(t.ramp_step_percent, 0), c.at
       ) AS daily_cap,
       sendgate.sent_this_week_as_of(n.sent_this_week, a.week, c.at) AS sent_this_week,
       coalesce(n.weekly_cap, t.weekly_cap) AS weekly_cap
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
CROSS JOIN LATERAL (
    VALUES
        ('inmail', a.inmails_sent_today, a.inmails_sent_this_week, a.inmail_daily_cap, a.inmail_weekly_cap),
        ('invite', a.invites_sent_today, a.invites_sent_this_week, a.invite_daily_cap, a.invite_weekly_cap),
        ('message', a.messages_sent_today, a.messages_sent_this_week, a.message_daily_cap,
         a.message_weekly_cap),
        ('profile_view', a.profile_views_sent_today, a.profile_views_sent_this_week,
         a.profile_view_daily_cap, a.profile_view_weekly_cap),
        ('engagement', a.engagements_sent_today, a.engagements_sent_this_week, a.engagement_daily_cap,
         a.engagement_weekly_cap)
) AS n (action, sent_today, sent_this_week, daily_cap, weekly_cap)
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = n.action;

CREATE VIEW sendgate.breakers AS
SELECT a.id AS account_id, a.display_name, a.breaker_mode AS mode, s.state,
       a.inmail_credits_exhausted_at AS exhausted_at, s.resumes_at,
       a.breaker_cleared_at AS cleared_at,
       a.probe_lease_until, a.probe_operation_id,
       CASE s.state
           WHEN 'open' THEN pg_catalog.format(
               '%s credits exhausted — auto-resumes %s',
               CASE WHEN a.tier = 'sales_navigator' THEN 'Sales Nav'
                    ELSE pg_catalog.initcap(pg_catalog.replace(a.tier, '_', ' ')) END,
               pg_catalog.to_char(s.resumes_at AT TIME ZONE 'UTC', 'FMMon FMDD')
           )
           WHEN 'forced_open' THEN 'InMails stopped by an operator'
       END AS pill
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
CROSS JOIN LATERAL (
    SELECT sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, c.at)
               AS state,
           CASE WHEN a.inmail_credits_exhausted_at IS NOT NULL
                THEN sendgate.next_credit_period(a.credit_reset_day, a.inmail_credits_exhausted_at)
           END AS resumes_at
) s;

CREATE VIEW sendgate.operations_unresolved AS
SELECT o.account_id, o.operation_id, o.action, o.prospect_id, o.campaign_id, o.origin, o.state,
       o.state = 'reserved' AND o.expires_at <= c.at AS expired,
       o.counted_on, o.reserved_at, o.expires_at, c.at - o.reserved_at AS age,
       o.outcome, o.http_status, o.error_type, o.error
FROM sendgate.send_operations o
CROSS JOIN (SELECT sendgate.clock() AS at) c
WHERE o.state IN ('reserved', 'indeterminate');

CREATE VIEW sendgate.delivered_daily AS
SELECT e.account_id, e.counted_on AS day, e.event_type, count(*) AS delivered
FROM sendgate.linkedin_events e
GROUP BY e.account_id, e.counted_on, e.event_type;

CREATE VIEW sendgate.open_alerts AS
SELECT l.alert_id, l.account_id, l.kind, l.day, l.detail, l.opened_at, l.acknowledged_by
FROM sendgate.alerts l
WHERE l.resolved_at IS NULL;

-- Today's skips by campaign, as the campaign's people ask about them: first ones and repeats.
CREATE VIEW sendgate.skips_today AS
SELECT e.account_id, e.campaign_id, e.action, e.reason, count(*) AS skipped,
       coalesce(sum(e.repeats), 0)::bigint AS repeats, max(e.deferred_to) AS deferred_to,
       max(coalesce(e.last_repeat_at, e.at)) AS last_at
FROM sendgate.campaign_events e
CROSS JOIN (SELECT sendgate.clock() AS at) c
WHERE e.event_type = 'linkedin_skipped'
  AND (
      (e.at >= pg_catalog.date_trunc('day', c.at, 'UTC')
       AND e.at < pg_catalog.date_trunc('day', c.at, 'UTC') + interval '1 day')
      OR (e.last_repeat_at >= pg_catalog.date_trunc('day', c.at, 'UTC')
          AND e.last_repeat_at < pg_catalog.date_trunc('day', c.at, 'UTC') + interval '1 day')
  )
GROUP BY e.account_id, e.campaign_id, e.action, e.reason;

CREATE VIEW sendgate.account_cards AS
SELECT a.id AS account_id, a.display_name, a.status, a.tier,
       k.sent_today AS inmails_sent_today, k.daily_cap AS inmail_daily_cap,
       coalesce(d.delivered_today, 0) AS inmails_delivered_today,
       coalesce(f.in_flight, 0) AS in_flight,
       coalesce(f.unresolved, 0) AS unresolved,
       a.cooldown_until,
       b.pill, b.state AS breaker, b.resumes_at,
       k.sent_today - coalesce(d.delivered_today, 0) - coalesce(f.inmails_open_today, 0) AS drift,
       w.waiting, w.deferred, w.parked,
       coalesce(s.skipped_today, 0) AS skipped_today
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
JOIN sendgate.counters k ON k.account_id = a.id AND k.action = 'inmail'
JOIN sendgate.breakers b ON b.account_id = a.id
LEFT JOIN LATERAL (
    SELECT count(*) AS delivered_today
    FROM sendgate.linkedin_events e
    WHERE e.account_id = a.id AND e.event_type = 'inmail_sent'
      AND e.occurred_at >= c.at - interval '2 days'
      AND e.counted_on = (c.at AT TIME ZONE 'UTC')::date
) d ON true
LEFT JOIN (
    SELECT o.account_id,
           count(*) FILTER (WHERE o.state = 'reserved' AND NOT o.expired) AS in_flight,
           count(*) FILTER (WHERE o.state = 'indeterminate' OR o.expired) AS unresolved,
           count(*) FILTER (WHERE o.action = 'inmail' AND o.counted_on >= (c.at AT TIME ZONE 'UTC')::date)
               AS inmails_open_today
    FROM sendgate.operations_unresolved o
    CROSS JOIN (SELECT sendgate.clock() AS at) c
    GROUP BY o.account_id
) f ON f.account_id = a.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE e.state = 'waiting' AND e.reason = 'account_inmail_credits_exhausted')
               AS deferred,
           count(*) FILTER (WHERE e.state = 'parked') AS parked
    FROM sendgate.enrollments e
    WHERE e.account_id = a.id
) w
LEFT JOIN (
    SELECT t.account_id, sum(t.skipped)::bigint AS skipped_today
    FROM sendgate.skips_today t
    GROUP BY t.account_id
) s ON s.account_id = a.id;
