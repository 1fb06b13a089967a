"""Campaign work: all of it is there, went to one worker at a time, and came to a good end."""

WORK = "account_id, campaign_id, prospect_id, action"
ENROLLMENTS = "SELECT count(*) FROM sendgate.enrollments"
HANDED_OUT = "SELECT count(*) FROM sendgate.send_operations WHERE attempt IS NOT NULL"
# Outcomes that are not charged to the work; of a transient one it depends on whether its action was failing.
UNCHARGED = "'rate_limited', 'recipient_later', 'action_unavailable'"
# Nothing of such a prospect is put in any more, and what waits is dropped.
OPTED_OUT = "EXISTS (SELECT FROM sendgate.suppressions s WHERE s.prospect_id = {}.prospect_id)"
# A grant that is decided when a prospect opts out may still be given.
MEANWHILE = "interval '2 seconds'"
EARLIER = f"(PARTITION BY {WORK} ORDER BY reserved_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"

CHECKS = {
    "no work was lost or invented": (
        ENROLLMENTS,
        f"""
        SELECT {WORK}, e.state FROM chaos.enqueued q FULL JOIN sendgate.enrollments e USING ({WORK})
        WHERE q.account_id IS NULL OR e.state IS NULL AND NOT {OPTED_OUT.format("q")}""",
    ),
    "no operation was handed to two workers": (
        HANDED_OUT,
        """
        SELECT operation_id, string_agg(DISTINCT worker, ' ') FROM chaos.diary
        WHERE what = 'got' GROUP BY 1 HAVING count(*) > 1""",
    ),
    "work was handed out again only when it had come back": (
        HANDED_OUT,
        f"""
        SELECT * FROM (
            SELECT {WORK}, attempt, lag(state) OVER work AS before, reserved_at - lag(settled_at) OVER work AS since,
                   count(*) FILTER (WHERE coalesce(outcome, '') NOT IN ({UNCHARGED}, 'transient')) OVER earlier AS least,
                   count(*) FILTER (WHERE coalesce(outcome, '') NOT IN ({UNCHARGED})) OVER earlier AS most
            FROM sendgate.send_operations WHERE attempt IS NOT NULL
            WINDOW work AS (PARTITION BY {WORK} ORDER BY reserved_at), earlier AS {EARLIER}) hands
        WHERE attempt NOT BETWEEN least + 1 AND most + 1 OR before <> 'released' OR since < '0'""",
    ),
    "no work was sent twice": (
        "SELECT count(*) FROM chaos.ledger WHERE accepted AND campaign_id IS NOT NULL",
        f"""
        SELECT {WORK}, count(*) FROM chaos.ledger WHERE accepted AND campaign_id IS NOT NULL
        GROUP BY {WORK} HAVING count(*) > 1""",
    ),
    "work ended as its last attempt says": (
        ENROLLMENTS,
        f"""
        SELECT e.account_id, e.campaign_id, e.prospect_id, e.action, e.state, e.reason, e.attempts, o.attempt,
               o.state AS operation, o.outcome
        FROM sendgate.enrollments e
        LEFT JOIN LATERAL (
            SELECT * FROM sendgate.send_operations o
            WHERE (o.account_id, o.campaign_id, o.prospect_id, o.action)
                = (e.account_id, e.campaign_id, e.prospect_id, e.action) AND o.attempt IS NOT NULL
            ORDER BY o.reserved_at DESC LIMIT 1) o ON true
        WHERE e.attempts NOT BETWEEN coalesce(o.attempt - (o.outcome IN ({UNCHARGED}, 'transient'))::integer, o.attempt, 0)
                  AND coalesce(o.attempt - (o.outcome IN ({UNCHARGED}))::integer, o.attempt, 0)
           OR e.state <> CASE
            WHEN e.state = 'cancelled' AND {OPTED_OUT.format("e")} THEN 'cancelled'
            WHEN o.operation_id IS NULL THEN 'waiting'
            WHEN o.state = 'delivered' OR o.outcome = 'recipient_refused' THEN 'done'
            WHEN o.state = 'released' AND e.attempts >= 5 AND o.outcome NOT IN ('auth_lost', 'account_restricted')
                AND NOT (e.reason = 'account_inmail_credits_exhausted') THEN 'parked'
            WHEN o.state = 'released' THEN 'waiting'
            ELSE 'nothing: the operation was settled' END""",
    ),
    "what is due and may be sent was handed out": (
        ENROLLMENTS,
        f"""
        SELECT {WORK}, e.next_dispatch_at, e.reason FROM sendgate.enrollments e
        CROSS JOIN LATERAL sendgate.preview(e.account_id, e.action, e.prospect_id) p
        WHERE e.state = 'waiting' AND (e.next_dispatch_at <= sendgate.clock() OR e.next_dispatch_at IS NULL)
          AND p.proceed""",
    ),
    "a prospect who opted out got no grant": (
        "SELECT count(*) FROM sendgate.suppressions",
        f"""
        SELECT o.account_id, o.prospect_id, o.action, o.reserved_at, s.suppressed_at
        FROM sendgate.send_operations o JOIN sendgate.suppressions s USING (prospect_id)
        WHERE o.reserved_at > s.suppressed_at + {MEANWHILE}""",
    ),
}
