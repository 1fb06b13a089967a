"""The rules beside the caps: attempts, failures, pace, credits that are known, accounts that are only observed or that left."""

# How often an account made all the attempts of a day that it may: twice its cap.
FULL_ATTEMPTS = """
SELECT count(*) FROM (
    SELECT FROM sendgate.send_operations o JOIN chaos.caps c USING (account_id, action)
    WHERE o.outcome IS DISTINCT FROM 'released'
    GROUP BY account_id, action, o.counted_on, c.daily HAVING count(*) = 2 * c.daily) full_days"""
# From when to when something was not sent, by each line of the log up to the next one about the same. An action's
# failures have lines of their own.
SILENCES = """
    silences AS (
        SELECT account_id, action, cause, at, until, coalesce(lead(at) OVER (
            PARTITION BY account_id, action, cause = 'failing' ORDER BY at, id), 'infinity') AS next
        FROM sendgate.cooldown_log WHERE account_id NOT IN (SELECT account_id FROM chaos.observed))"""
# What took one of the credits that the row counts, by the journal.
TOOK = """
SELECT count(*) FILTER (WHERE o.reserved_at > a.credits_since OR o.expires_at > a.credits_since
                            AND (o.settled_at IS NULL OR o.settled_at > a.credits_since)) AS since_told,
       count(*) FILTER (WHERE o.reserved_at > a.credits_spent_at) AS since_spent
FROM sendgate.send_operations o WHERE o.account_id = a.id AND o.action = 'inmail' AND o.state <> 'released'"""
# Every table that names a prospect.
NAMES = " UNION ALL ".join(
    f"SELECT '{table}' AS named_in, account_id, prospect_id FROM sendgate.{table}"
    for table in ("enrollments", "send_operations", "linkedin_events", "campaign_events", "breaker_log")
)

CHECKS = {
    "attempts of a day are at most twice the cap": (
        FULL_ATTEMPTS,
        """
        SELECT account_id, action, o.counted_on, c.daily, count(*)
        FROM sendgate.send_operations o JOIN chaos.caps c USING (account_id, action)
        WHERE o.outcome IS DISTINCT FROM 'released' GROUP BY 1, 2, 3, 4 HAVING count(*) > 2 * c.daily""",
    ),
    "nothing passed a cooldown": (
        "SELECT count(*) FROM sendgate.cooldown_log WHERE until > at",
        f"""
        WITH {SILENCES}
        SELECT s.*, o.operation_id, o.action, o.reserved_at FROM silences s JOIN sendgate.send_operations o
            ON o.account_id = s.account_id AND (s.action IS NULL OR o.action = s.action)
            AND o.reserved_at > s.at AND o.reserved_at < least(s.until, s.next)
        WHERE s.until IS NOT NULL""",
    ),
    "one attempt at a time passed where an action failed": (
        "SELECT count(*) FROM sendgate.cooldown_log WHERE cause = 'failing' AND until > at",
        f"""
        WITH {SILENCES}
        SELECT * FROM (
            SELECT s.account_id, s.action, s.at, s.until, o.operation_id, o.reserved_at,
                   lag(CASE WHEN o.outcome = 'released' THEN o.settled_at ELSE o.expires_at END) OVER (
                       PARTITION BY s.account_id, s.action, s.at ORDER BY o.reserved_at) AS free
            FROM silences s JOIN sendgate.send_operations o ON (o.account_id, o.action) = (s.account_id, s.action)
                AND o.reserved_at > s.at AND o.reserved_at >= s.until AND o.reserved_at < s.next
            WHERE s.cause = 'failing' AND s.until IS NOT NULL) attempts
        WHERE reserved_at < free""",
    ),
    "a paced account kept its gap": (
        "SELECT count(*) FROM sendgate.send_operations JOIN chaos.paced USING (account_id) WHERE reserved_at < until",
        """
        SELECT * FROM (
            SELECT account_id, operation_id, reserved_at, p.gap,
                   reserved_at - lag(reserved_at) OVER (PARTITION BY account_id ORDER BY reserved_at) AS since
            FROM sendgate.send_operations JOIN chaos.paced p USING (account_id) WHERE reserved_at < p.until) grants
        WHERE since < gap""",
    ),
    "known credits are the last balance less what took one": (
        "SELECT count(*) FROM sendgate.accounts WHERE credits_since IS NOT NULL",
        f"""
        SELECT a.id, a.credits_left, a.credits_base, a.credits_since, a.credits_spent_at, t.*
        FROM sendgate.accounts a CROSS JOIN LATERAL ({TOOK}) t
        WHERE a.credits_since IS NOT NULL AND (
            a.credits_left <> CASE WHEN a.credits_spent_at IS NULL THEN a.credits_base - t.since_told ELSE -t.since_spent END
            OR a.credits_since = a.credits_observed_at AND NOT EXISTS (SELECT FROM sendgate.credit_balances b
                WHERE (b.account_id, b.balance) = (a.id, a.credits_base) AND b.observed_at <= a.credits_since))""",
    ),
    "no more InMails were granted than a balance covered": (
        "SELECT count(*) FROM sendgate.credit_balances",
        """
        SELECT b.account_id, b.balance, b.observed_at, b.next, count(*)
        FROM (SELECT account_id, balance, observed_at, least(sendgate.next_credit_period(a.credit_reset_day, observed_at),
                  lead(observed_at) OVER (PARTITION BY account_id ORDER BY observed_at)) AS next
              FROM sendgate.credit_balances JOIN sendgate.accounts a ON a.id = account_id) b
        JOIN sendgate.send_operations o ON o.account_id = b.account_id AND o.action = 'inmail'
            AND o.reserved_at > b.observed_at AND o.reserved_at < b.next
        WHERE o.state <> 'released' GROUP BY 1, 2, 3, 4 HAVING count(*) > b.balance""",
    ),
    "what an observed account sent beyond its cap is counted": (
        "SELECT count(*) FROM sendgate.observed_refusals",
        """
        SELECT o.account_id, o.action, o.counted_on, o.sent, c.daily, r.refusals
        FROM (SELECT account_id, action, counted_on, count(*) AS sent FROM sendgate.send_operations
              WHERE state <> 'released' GROUP BY 1, 2, 3) o
        JOIN chaos.observed c USING (account_id, action)
        CROSS JOIN LATERAL (SELECT coalesce(sum(f.refusals), 0) AS refusals FROM sendgate.observed_refusals f
            WHERE (f.account_id, f.action, f.day) = (o.account_id, o.action, o.counted_on)) r
        WHERE o.sent - c.daily > r.refusals""",
    ),
    "nothing is left of an account that was removed": (
        "SELECT count(*) FROM chaos.removed",
        f"""
        SELECT n.named_in, account_id, prospect_id FROM chaos.removed JOIN ({NAMES}) n USING (account_id)
        UNION ALL SELECT 'accounts', r.account_id, NULL FROM chaos.removed r JOIN sendgate.accounts a ON a.id = r.account_id
        UNION ALL SELECT 'called afterwards', account_id, l.prospect_id FROM chaos.of_removed l
            JOIN chaos.removed r USING (account_id) WHERE l.at > r.at""",
    ),
    "a prospect who was forgotten is named nowhere, and no work was lost": (
        "SELECT count(*) FROM chaos.forgotten",
        f"""
        SELECT n.named_in, n.account_id, prospect_id FROM chaos.forgotten JOIN ({NAMES}) n USING (prospect_id)
        UNION ALL
        SELECT 'pieces of work: ' || (q.pieces - coalesce(e.pieces, 0)), account_id, NULL
        FROM (SELECT account_id, campaign_id, count(*) AS pieces FROM chaos.of_forgotten GROUP BY 1, 2) q
        LEFT JOIN (SELECT account_id, campaign_id, count(*) AS pieces FROM sendgate.enrollments
                   WHERE prospect_id LIKE 'forgotten-%' GROUP BY 1, 2) e USING (account_id, campaign_id)
        WHERE q.pieces IS DISTINCT FROM e.pieces""",
    ),
}
