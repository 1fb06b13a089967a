"""The breaker: what stops, who passes, and what is printed."""

# From when to when an account's breaker was open; the last may still be.
STOPS = """
    stops AS (
        SELECT account_id, at AS since, coalesce(until, 'infinity') AS until FROM (
            SELECT account_id, at, action, lead(at) OVER (PARTITION BY account_id ORDER BY at, action) AS until
            FROM sendgate.breaker_log WHERE action IN ('set', 'clear')) marks
        WHERE action = 'set' AND account_id NOT IN (SELECT account_id FROM chaos.observed)),
    passed AS (
        SELECT s.account_id, s.since, o.operation_id, o.reserved_at, o.settled_at, o.expires_at,
               o.state = 'released' AND o.outcome <> 'credits_exhausted' AS gave_back
        FROM stops s JOIN sendgate.send_operations o ON o.account_id = s.account_id AND o.action = 'inmail'
            AND o.reserved_at > s.since AND o.reserved_at < s.until),
    permits AS (
        SELECT s.account_id, s.since, l.at FROM stops s JOIN sendgate.admin_log l
            ON l.account_id = s.account_id AND l.verb = 'breaker_probe' AND l.at >= s.since AND l.at < s.until)"""
SETS = "SELECT count(*) FROM sendgate.breaker_log WHERE action = 'set'"
PROBES = "SELECT count(*) FROM sendgate.admin_log WHERE verb = 'breaker_probe'"

CHECKS = {
    "an open breaker passed its probes alone": (
        SETS,
        f"""
        WITH {STOPS}
        SELECT account_id, since, count(*) AS passed,
               (SELECT count(*) FROM permits m WHERE (m.account_id, m.since) = (p.account_id, p.since)) AS permits
        FROM passed p GROUP BY 1, 2
        HAVING count(*) - count(*) FILTER (WHERE gave_back) >
                   (SELECT count(*) FROM permits m WHERE (m.account_id, m.since) = (p.account_id, p.since))
            OR min(reserved_at) < coalesce((SELECT min(m.at) FROM permits m
                                            WHERE (m.account_id, m.since) = (p.account_id, p.since)), 'infinity')""",
    ),
    "one probe at a time": (
        PROBES,
        f"""
        WITH {STOPS}
        SELECT * FROM (
            SELECT account_id, since, operation_id, reserved_at,
                   lag(least(settled_at, expires_at)) OVER (PARTITION BY account_id, since ORDER BY reserved_at) AS free
            FROM passed) probes
        WHERE reserved_at < free""",
    ),
    "an answer without credits opened the breaker": (
        "SELECT count(*) FROM sendgate.send_operations WHERE outcome = 'credits_exhausted'",
        """
        SELECT o.account_id, o.operation_id, o.reserved_at, o.settled_at FROM sendgate.send_operations o
        WHERE o.outcome = 'credits_exhausted'
          -- The last thing that happened to the breaker until then is that it was set,
          AND coalesce((SELECT b.action FROM sendgate.breaker_log b
                WHERE b.account_id = o.account_id AND b.action IN ('set', 'clear') AND b.at <= o.settled_at
                ORDER BY b.at DESC, b.action DESC LIMIT 1), 'clear') <> 'set'
          -- or it was cleared by hand after this operation was reserved.
          AND NOT EXISTS (SELECT FROM sendgate.admin_log l WHERE l.account_id = o.account_id
                AND l.verb = 'breaker_clear' AND l.at >= o.reserved_at AND l.at <= o.settled_at)
          AND NOT EXISTS (SELECT FROM sendgate.breaker_log b WHERE b.account_id = o.account_id
                AND b.action = 'clear' AND b.at >= o.reserved_at AND b.at <= o.settled_at)""",
    ),
    "every line of the breaker was printed, once by each daemon at most": (
        "SELECT count(DISTINCT id) FROM chaos.printed",
        """
        SELECT b.id, b.action, b.at, p.daemon, count(p.id)
        FROM sendgate.breaker_log b LEFT JOIN chaos.printed p ON p.id = b.id
        GROUP BY 1, 2, 3, 4 HAVING count(p.id) <> 1""",
    ),
}
