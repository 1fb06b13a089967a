-- One line per account, as a dashboard shows it.

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
COMMENT ON VIEW sendgate.account_cards IS
'One line per account as a dashboard shows it: the InMail counter next to its cap and to the proven deliveries, the operations that are open, and in words why InMails stopped.';
COMMENT ON COLUMN sendgate.account_cards.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.account_cards.display_name IS 'What people call the account.';
COMMENT ON COLUMN sendgate.account_cards.status IS 'connected, paused, restricted or disconnected.';
COMMENT ON COLUMN sendgate.account_cards.tier IS 'The account''s tier.';
COMMENT ON COLUMN sendgate.account_cards.inmails_sent_today IS 'InMail slots taken today (UTC).';
COMMENT ON COLUMN sendgate.account_cards.inmail_daily_cap IS 'The effective InMail cap today, ramp included.';
COMMENT ON COLUMN sendgate.account_cards.inmails_delivered_today IS
'inmail_sent events that count on today. Behind inmails_sent_today by what is in flight or unknown.';
COMMENT ON COLUMN sendgate.account_cards.in_flight IS
'Operations of every action that are reserved and not expired.';
COMMENT ON COLUMN sendgate.account_cards.unresolved IS
'Operations of every action that are expired or indeterminate; they wait for an operator.';
COMMENT ON COLUMN sendgate.account_cards.cooldown_until IS
'Until when every action is refused after a rate limit; in the past: over.';
COMMENT ON COLUMN sendgate.account_cards.pill IS
'Why InMails are stopped, for people, with the UTC day on which they resume. NULL: the breaker does not stop them.';
COMMENT ON COLUMN sendgate.account_cards.breaker IS
'closed, open, forced_open or forced_closed, as of the clock.';
COMMENT ON COLUMN sendgate.account_cards.resumes_at IS
'Start of the credit period after the stamp. NULL: no stamp.';
COMMENT ON COLUMN sendgate.account_cards.drift IS
'InMail slots taken today that neither a delivery nor an open operation of today accounts for; 0 when the books agree, negative when the counter is behind.';
COMMENT ON COLUMN sendgate.account_cards.waiting IS
'Enrollments of the account that wait, deferred ones included.';
COMMENT ON COLUMN sendgate.account_cards.deferred IS
'Of those, how many the InMail breaker has deferred to the next credit period.';
COMMENT ON COLUMN sendgate.account_cards.parked IS
'Enrollments that want a person: an unknown outcome, too many attempts, or a row that could not be sent.';
COMMENT ON COLUMN sendgate.account_cards.skipped_today IS
'Prospects of the account that were skipped today (UTC), each once for every reason and stamp.';
