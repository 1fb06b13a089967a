"""Sends: each asked for, made once, inside the caps, and in the books for good."""

LEDGER = "SELECT count(*) FROM chaos.ledger"
ACCEPTED = "SELECT count(*) FROM chaos.ledger WHERE accepted"


def diary(what: str) -> str:
    """How many such notes there are."""
    return f"SELECT count(*) FROM chaos.diary WHERE what = '{what}'"


# How often an account came to its cap. If none did, the check of the caps would show nothing.
FULL_DAYS = """
SELECT count(*) FROM (
    SELECT FROM sendgate.send_operations o JOIN chaos.caps c USING (account_id, action)
    WHERE o.state <> 'released'
    GROUP BY account_id, action, o.counted_on, c.daily HAVING count(*) = c.daily) full_days"""
FULL_WEEKS = """
SELECT count(*) FROM (
    SELECT FROM sendgate.send_operations o JOIN chaos.caps c USING (account_id, action)
    WHERE o.state <> 'released'
    GROUP BY account_id, action, date_trunc('week', o.counted_on), c.weekly HAVING count(*) = c.weekly) full_weeks"""

CHECKS = {
    "the provider was called with a grant alone": (
        LEDGER,
        """
        SELECT l.* FROM chaos.ledger l LEFT JOIN sendgate.send_operations o
            ON (o.operation_id, o.account_id, o.action, o.prospect_id)
             = (l.operation_id, l.account_id, l.action, l.prospect_id)
        WHERE o.operation_id IS NULL""",
    ),
    "no operation was sent twice": (
        LEDGER,
        """
        SELECT operation_id, count(*) FROM chaos.ledger GROUP BY 1 HAVING count(*) > 1""",
    ),
    "accepted sends are within the daily cap": (
        FULL_DAYS,
        """
        SELECT account_id, action, o.counted_on, c.daily, count(*)
        FROM chaos.ledger l JOIN sendgate.send_operations o USING (account_id, operation_id, action)
        JOIN chaos.caps c USING (account_id, action)
        WHERE l.accepted GROUP BY 1, 2, 3, 4 HAVING count(*) > c.daily""",
    ),
    "accepted sends are within the weekly cap": (
        FULL_WEEKS,
        """
        SELECT account_id, action, date_trunc('week', o.counted_on), c.weekly, count(*)
        FROM chaos.ledger l JOIN sendgate.send_operations o USING (account_id, operation_id, action)
        JOIN chaos.caps c USING (account_id, action)
        WHERE l.accepted GROUP BY 1, 2, 3, 4 HAVING count(*) > c.weekly""",
    ),
    "held slots are within the daily cap": (
        FULL_DAYS,
        """
        SELECT account_id, action, o.counted_on, c.daily, count(*)
        FROM sendgate.send_operations o JOIN chaos.caps c USING (account_id, action)
        WHERE o.state <> 'released' GROUP BY 1, 2, 3, 4 HAVING count(*) > c.daily""",
    ),
    "acknowledged grants are in the journal": (
        diary("got"),
        """
        SELECT d.* FROM chaos.diary d LEFT JOIN sendgate.send_operations o USING (operation_id)
        WHERE d.what = 'got' AND o.operation_id IS NULL""",
    ),
    "acknowledged confirms are in the event log, once": (
        diary("event"),
        """
        SELECT d.*, count(e.id) FROM chaos.diary d
        LEFT JOIN sendgate.linkedin_events e ON e.operation_id = d.operation_id
        WHERE d.what = 'event' GROUP BY d.worker, d.what, d.operation_id, d.value
        HAVING count(e.id) <> 1 OR bool_or(e.id::text <> d.value)""",
    ),
    "acknowledged rollbacks are in the journal": (
        diary("outcome"),
        """
        SELECT d.*, o.state, o.outcome FROM chaos.diary d
        LEFT JOIN sendgate.send_operations o USING (operation_id)
        WHERE d.what = 'outcome' AND (o.operation_id IS NULL OR o.state IN ('reserved', 'indeterminate')
            OR (d.value <> 'indeterminate' AND (o.state <> 'released' OR o.outcome <> d.value)))""",
    ),
    "accepted sends and events are the same": (
        ACCEPTED,
        """
        SELECT l.operation_id AS sent, e.operation_id AS recorded
        FROM (SELECT * FROM chaos.ledger WHERE accepted) l
        FULL JOIN sendgate.linkedin_events e ON e.operation_id = l.operation_id
            AND (e.account_id, e.prospect_id, e.event_type) = (l.account_id, l.prospect_id, l.action || '_sent')
        WHERE l.operation_id IS NULL OR e.operation_id IS NULL""",
    ),
    "no slot of an accepted send was given back": (
        "SELECT count(*) FROM sendgate.send_operations WHERE state = 'released'",
        """
        SELECT l.* FROM chaos.ledger l JOIN sendgate.send_operations o USING (account_id, operation_id)
        WHERE l.accepted AND o.state <> 'delivered'""",
    ),
    "no prospect got the same within its cooldown": (
        ACCEPTED,
        """
        SELECT * FROM (
            SELECT account_id, prospect_id, action, o.reserved_at - lag(o.reserved_at) OVER (
                PARTITION BY account_id, prospect_id, action ORDER BY o.reserved_at) AS since
            FROM chaos.ledger l JOIN sendgate.send_operations o USING (account_id, operation_id, prospect_id, action)
            WHERE l.accepted AND account_id NOT IN (SELECT account_id FROM chaos.observed)) sends
        WHERE since < current_setting('sendgate.prospect_cooldown')::interval""",
    ),
    "no prospect had two operations in flight": (
        "SELECT count(*) FROM sendgate.send_operations",
        """
        SELECT * FROM (
            SELECT account_id, prospect_id, action, operation_id, reserved_at, max(coalesce(settled_at, 'infinity')) OVER (
                PARTITION BY account_id, prospect_id, action ORDER BY reserved_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS open_until
            FROM sendgate.send_operations) operations
        WHERE reserved_at < open_until""",
    ),
    "acknowledged answers of guarded rows are in the event log": (
        diary("row"),
        """
        SELECT d.* FROM chaos.diary d LEFT JOIN sendgate.linkedin_events e ON (e.operation_id, e.chat_id) = (d.operation_id, d.value)
        WHERE d.what = 'row' AND e.id IS NULL""",
    ),
    "guarded rows are what the journal says": (
        "SELECT count(*) FROM public.outbox WHERE operation IS NOT NULL",
        """
        SELECT r.n, r.status, r.account, r.operation, o.state, o.outcome FROM public.outbox r
        LEFT JOIN sendgate.send_operations o
            ON (o.account_id, o.operation_id, o.action, o.prospect_id) = (r.account, r.operation, r.action, r.prospect)
        WHERE r.operation IS NOT NULL AND (o.operation_id IS NULL OR o.state NOT IN ('delivered', 'released')
            OR r.chat IS NOT NULL AND o.state <> 'delivered')""",
    ),
}
