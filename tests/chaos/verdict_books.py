"""The books: counters, drift, alerts, heartbeats; and workers met no error that was not planned."""

# What an InMail alert of the audit may be about: at its moment these had no outcome, or the audit
# counted before it was written down.
OPEN_THEN = """
SELECT count(*) FROM sendgate.send_operations o
 WHERE o.account_id = a.account_id AND o.action = 'inmail' AND o.counted_on = a.day
   AND o.reserved_at <= a.opened_at AND (o.settled_at IS NULL OR o.settled_at > a.opened_at)"""
EXPIRED_THEN = """
SELECT FROM sendgate.send_operations o
 WHERE o.account_id = a.account_id AND o.expires_at <= a.opened_at
   AND (o.settled_at IS NULL OR o.settled_at > a.opened_at)"""
# So far ahead of its events a counter may be without an alert.
AHEAD = 5

CHECKS = {
    "counters of the day are what the journal holds": (
        "SELECT count(*) FROM sendgate.counters",
        """
        SELECT k.account_id, k.action, k.sent_today, count(o)
        FROM sendgate.counters k LEFT JOIN sendgate.send_operations o
            ON (o.account_id, o.action, o.counted_on) = (k.account_id, k.action, k.day) AND o.state <> 'released'
        GROUP BY 1, 2, 3 HAVING k.sent_today <> count(o)""",
    ),
    "counters of the week are what the journal holds": (
        "SELECT count(*) FROM sendgate.counters",
        """
        SELECT k.account_id, k.action, k.sent_this_week, count(o)
        FROM sendgate.counters k LEFT JOIN sendgate.send_operations o
            ON (o.account_id, o.action) = (k.account_id, k.action) AND o.state <> 'released'
            AND o.counted_on BETWEEN k.day - 6 AND k.day
        GROUP BY 1, 2, 3 HAVING k.sent_this_week <> count(o)""",
    ),
    "sweeps corrected nothing": (
        "SELECT count(*) FROM sendgate.reconcile_runs WHERE job = 'reconcile_operations' AND state = 'ok'",
        "SELECT account_id, action, period, day, before, after, at FROM sendgate.counter_drift",
    ),
    "every alert was justified": (
        "SELECT count(*) FROM sendgate.alerts",
        f"""
        SELECT a.account_id, a.kind, a.day, a.opened_at, a.detail FROM sendgate.alerts a
        WHERE CASE a.kind
            WHEN 'operations_expired' THEN NOT EXISTS ({EXPIRED_THEN})
            WHEN 'counter_ahead_of_events' THEN ({OPEN_THEN}) <= {AHEAD}
            -- The server was down for hours: the jobs were late.
            WHEN 'reconciler_stale' THEN NOT EXISTS (
                SELECT FROM chaos.downs d WHERE a.opened_at >= d.since AND a.opened_at < d.until + interval '1 minute')
            WHEN 'failing' THEN NOT EXISTS (SELECT FROM sendgate.cooldown_log g
                WHERE g.account_id = a.account_id AND g.cause = 'failing' AND g.until IS NOT NULL AND g.at <= a.opened_at)
            WHEN 'action_unavailable' THEN NOT EXISTS (SELECT FROM sendgate.send_operations o
                WHERE o.account_id = a.account_id AND o.outcome = 'action_unavailable' AND o.settled_at <= a.opened_at)
            WHEN 'over_cap' THEN a.account_id NOT IN (SELECT account_id FROM chaos.observed)
            WHEN 'credits_low' THEN a.account_id NOT IN (SELECT account_id FROM chaos.counted)
            ELSE true END""",
    ),
    "alerts are resolved when their cause is gone": (
        "SELECT count(*) FROM sendgate.alerts",
        """
        SELECT account_id, kind, day, opened_at, detail FROM sendgate.open_alerts
        -- What the run leaves as it is: credits that will not last, and what is sent beside the gate's rules.
        WHERE kind <> 'credits_low' AND NOT (kind = 'over_cap' AND account_id IN (SELECT account_id FROM chaos.observed))""",
    ),
    "runs that were killed say crashed": (
        "SELECT count(*) FROM sendgate.reconcile_runs WHERE state = 'crashed'",
        """
        SELECT r.run_id, r.job, r.state, r.started_at, r.finished_at FROM sendgate.reconcile_runs r
        WHERE r.state = 'running'
           OR r.state <> 'crashed' AND r.run_id IN (SELECT run_id FROM chaos.running)
           OR r.state <> 'crashed' AND EXISTS (
                SELECT FROM chaos.downs d WHERE d.killed AND r.started_at < d.since AND r.finished_at > d.until)""",
    ),
    "no error was unplanned": ("SELECT 1", "SELECT * FROM chaos.troubles"),
}
