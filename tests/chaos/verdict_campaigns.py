"""Campaign work: all of it is there, went to one worker at a time, and came to a good end."""

WORK = "account_id, campaign_id, prospect_id, action, step"
ENROLLMENTS = "SELECT count(*) FROM sendgate.enrollments"
HANDED_OUT = "SELECT count(*) FROM sendgate.send_operations WHERE attempt IS NOT NULL"
# Outcomes that are not charged to the work; of a transient one it depends on whether its action was failing.
UNCHARGED = "'rate_limited', 'recipient_later', 'action_unavailable'"
# Nothing of such a prospect is put in any more, and what waits is dropped.
OPTED_OUT = "EXISTS (SELECT FROM chaos.opted_out s WHERE s.prospect_id = {}.prospect_id)"
# The new name of a prospect who was forgotten.
FORGOTTEN = "LIKE 'forgotten-%'"
# A grant that is decided when a prospect opts out may still be given.
MEANWHILE = "interval '2 seconds'"
# Attempts are counted anew when work is put back.
PUT_BACK = """
SELECT count(*) FROM chaos.requeued r WHERE (r.account_id, r.campaign_id, r.prospect_id, r.action, r.step)
    = ({0}.account_id, {0}.campaign_id, {0}.prospect_id, {0}.action, {0}.step) AND r.at {1} {0}.reserved_at"""
EARLIER = f"(PARTITION BY {WORK}, times_put_back ORDER BY reserved_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"

CHECKS = {
    "no work was lost or invented": (
        ENROLLMENTS,
        f"""
        SELECT {WORK}, e.state FROM chaos.enqueued q FULL JOIN sendgate.enrollments e USING ({WORK})
        WHERE q.account_id IS NULL AND e.prospect_id NOT {FORGOTTEN} OR e.state IS NULL AND NOT {OPTED_OUT.format("q")}""",
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
            FROM (SELECT o.*, ({PUT_BACK.format("o", "<")}) AS times_put_back FROM sendgate.send_operations o
                  WHERE attempt IS NOT NULL AND prospect_id NOT {FORGOTTEN}) o
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
            WHERE (o.account_id, o.campaign_id, o.prospect_id, o.action, o.step)
                = (e.account_id, e.campaign_id, e.prospect_id, e.action, e.step) AND o.attempt IS NOT NULL
            ORDER BY o.reserved_at DESC LIMIT 1) o ON true
        WHERE e.prospect_id NOT {FORGOTTEN} AND CASE WHEN o.operation_id IS NOT NULL AND ({PUT_BACK.format("o", ">")}) > 0
           THEN e.state NOT IN ('waiting', 'parked', 'cancelled')
           ELSE e.attempts NOT BETWEEN coalesce(o.attempt - (o.outcome IN ({UNCHARGED}, 'transient'))::integer, o.attempt, 0)
                  AND coalesce(o.attempt - (o.outcome IN ({UNCHARGED}))::integer, o.attempt, 0)
           OR e.state <> CASE
            WHEN e.state = 'cancelled' AND {OPTED_OUT.format("e")} THEN 'cancelled'
            WHEN o.operation_id IS NULL THEN 'waiting'
            WHEN o.state = 'delivered' OR o.outcome = 'recipient_refused' THEN 'done'
            WHEN o.outcome = 'rejected' THEN 'parked'
            WHEN o.state = 'released' AND e.attempts >= 5 AND o.outcome NOT IN ('auth_lost', 'account_restricted')
                AND NOT (e.reason = 'account_inmail_credits_exhausted') THEN 'parked'
            WHEN o.state = 'released' THEN 'waiting'
            ELSE 'nothing: the operation was settled' END END""",
    ),
    "what is due and may be sent was handed out": (
        ENROLLMENTS,
        f"""
        SELECT {WORK}, e.next_dispatch_at, e.reason FROM sendgate.enrollments e
        CROSS JOIN LATERAL sendgate.preview(e.account_id, e.action, e.prospect_id) p
        WHERE e.state = 'waiting' AND (e.next_dispatch_at <= sendgate.clock() OR e.next_dispatch_at IS NULL)
          -- What a rule would refuse on an account that is only observed, dispatch refuses.
          AND p.proceed AND p.reason IS NULL AND NOT EXISTS (
              SELECT FROM chaos.limits l WHERE (l.campaign_id, l.action) = (e.campaign_id, e.action)
                  AND l.daily <= (SELECT count(*) FROM sendgate.send_operations o
                      WHERE (o.account_id, o.campaign_id, o.action) = (e.account_id, e.campaign_id, e.action)
                          AND o.counted_on = (sendgate.clock() AT TIME ZONE 'UTC')::date AND o.state <> 'released'))""",
    ),
    "a prospect who opted out got no grant": (
        "SELECT count(*) FROM chaos.opted_out",
        f"""
        SELECT o.account_id, o.prospect_id, o.action, o.reserved_at, s.since, s.until
        FROM sendgate.send_operations o JOIN chaos.opted_out s USING (prospect_id)
        WHERE o.reserved_at > s.since + {MEANWHILE} AND o.reserved_at < coalesce(s.until, 'infinity')""",
    ),
    "a campaign took no more than its part of a day": (
        "SELECT count(*) FROM sendgate.send_operations JOIN chaos.limits USING (campaign_id, action)",
        """
        SELECT account_id, campaign_id, action, o.counted_on, l.daily, count(*)
        FROM sendgate.send_operations o JOIN chaos.limits l USING (campaign_id, action)
        WHERE o.state <> 'released' GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > l.daily""",
    ),
    "no step was handed out before it was due": (
        "SELECT count(*) FROM sendgate.send_operations WHERE step > 1",
        f"""
        SELECT {WORK}, q.due, o.reserved_at FROM chaos.enqueued q JOIN sendgate.send_operations o USING ({WORK})
        WHERE o.reserved_at < q.due""",
    ),
}
