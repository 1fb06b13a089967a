"""Accounts, journal and events as a busy server has them, written in bulk."""

from harness.progress import progress

from .server import NOON, STOPWATCH, Server

# Rows of the journal for each account before the busy days, and over how many days they lie.
HISTORY = 10
HISTORY_DAYS = 90
# How long before today the youngest of them is; the oldest are older than prune keeps.
HISTORY_ENDS = 10
# Of an active account: (days ago, action, delivered, in flight).
ACTIVE = [
    (0, "inmail", 5, 1),
    (0, "invite", 1, 0),
    (0, "message", 1, 0),
    (1, "inmail", 3, 0),
    (1, "invite", 2, 0),
    (1, "message", 1, 0),
    (2, "inmail", 3, 0),
    (2, "invite", 1, 0),
    (2, "message", 2, 0),
]
# Heartbeats of ninety days, every ten minutes.
RUNS = 90 * 144

# The six days before the row's day, as accounts.sent_before packs them: action by action, the day before it
# first, a byte each because none of them reaches 128.
ACTIONS = ("inmail", "invite", "message", "profile_view", "engagement")
DAYS_BEFORE = range(1, 7)
NO_DAYS = "decode(repeat('00', 30), 'hex')"

NOW = f"timestamptz '{NOON.isoformat()}'"
TODAY = f"date '{NOON.date()}'"

ACCOUNTS = f"""
INSERT INTO sendgate.accounts (id, tier, day, sent_before)
SELECT 'account-' || n, 'sales_navigator', d.day, {NO_DAYS}
FROM generate_series(1, {{accounts}}) n
CROSS JOIN LATERAL (SELECT {TODAY} - {HISTORY_ENDS} - n % 60) d (day);
"""

# In the order of time, as a journal is written; accounts take turns without a pattern.
JOURNAL = f"""
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id,
    prospect_id, action, state, settled_at, outcome)
SELECT gen_random_uuid(), t.at, t.at + interval '15 min', (t.at AT TIME ZONE 'UTC')::date,
       'account-' || 1 + i * 7919 % {{accounts}}, 'prospect-' || i, 'inmail', 'delivered',
       t.at + interval '1 min', NULL
FROM generate_series({{first}}::bigint, {{last}}) i
CROSS JOIN LATERAL (
    SELECT {NOW} - interval '1 day' * ({HISTORY_ENDS} + {HISTORY_DAYS} * (1 - i / {{rows}}::float8))) t (at);
"""

# All at noon: none becomes old while prune is being measured.
# A restore is not checked as an application's own events are; the rows are what a restore would bring.
EVENTS = f"""
SET session_replication_role = replica;
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id,
    prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), NULL, t.at, t.at, (t.at AT TIME ZONE 'UTC')::date,
       'account-' || 1 + i * 7919 % {{accounts}}, 'prospect-' || i, 'inmail_sent', 'chat-' || i
FROM generate_series(1::bigint, {{accounts}}) i
CROSS JOIN LATERAL (SELECT {NOW} - interval '1 day' * (10 + floor(400 * (1 - i / {{accounts}}::float8)))) t (at);
"""

HEARTBEATS = f"""
INSERT INTO sendgate.reconcile_runs (run_id, job, state, started_at, beat_at, finished_at, checked, batches,
    backend_pid, actor)
SELECT gen_random_uuid(), job, 'ok', t.at, t.at, t.at, 1000, 1, 1, 'history'
FROM generate_series(1, {RUNS}) i
CROSS JOIN unnest(ARRAY['audit_events', 'reconcile_operations']) job
CROSS JOIN LATERAL (SELECT {NOW} - interval '10 min' * ({RUNS} - i + 1)) t (at);
"""

# Operations of an active account, and the events of those that were delivered.
ACTIVE_OPERATIONS = f"""
SET session_replication_role = replica;
WITH written AS (
    INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id,
        prospect_id, action, state, settled_at)
    SELECT gen_random_uuid(), t.at, t.at + interval '2 days', t.at::date, n.id,
           'active-' || p.back || p.action || k, p.action, CASE WHEN k <= p.delivered THEN 'delivered' ELSE 'reserved' END,
           CASE WHEN k <= p.delivered THEN t.at END
    FROM pg_temp.fresh n
    CROSS JOIN (VALUES {", ".join(str(row) for row in ACTIVE)}) p (back, action, delivered, in_flight)
    CROSS JOIN LATERAL generate_series(1, p.delivered + p.in_flight) k
    CROSS JOIN LATERAL (SELECT {NOW} - interval '1 day' * p.back - interval '1 min' * k) t (at)
    RETURNING *
)
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id,
    prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), operation_id, reserved_at, reserved_at, counted_on, account_id, prospect_id,
       action || '_sent', 'chat'
FROM written WHERE state = 'delivered';
"""


def counter(action: str, days: int) -> int:
    """What an active account's counter of an action is, over so many days."""
    return sum(row[2] + row[3] for row in ACTIVE if row[1] == action and row[0] < days)


def days_before() -> str:
    """What an active account sent on each of the six days before today, packed."""
    sent = {(row[1], row[0]): row[2] + row[3] for row in ACTIVE}
    return bytes(sent.get((action, back), 0) for action in ACTIONS for back in DAYS_BEFORE).hex()


def days_counted(day: str) -> str:
    """The same, counted by SQL from the journal's rows of one account, before a day."""
    counted = [
        f"lpad(to_hex(count(*) FILTER (WHERE o.action = '{action}' AND o.counted_on = {day} - {back})), 2, '0')"
        for action in ACTIONS
        for back in DAYS_BEFORE
    ]
    return f"decode({' || '.join(counted)}, 'hex')"


ACTIVATE = (
    f"""
CREATE TEMP TABLE fresh AS
SELECT 'account-' || n AS id FROM generate_series({{step}}, {{accounts}}, {{step}}) n
WHERE {{old_step}} = 0 OR n % nullif({{old_step}}, 0) <> 0;
UPDATE sendgate.accounts a
SET day = {TODAY}, inmail_cap_today = 50, sent_before = decode('{days_before()}', 'hex'),
    inmails_sent_today = {counter("inmail", 1)}, inmail_attempts_today = {counter("inmail", 1)},
    invites_sent_today = {counter("invite", 1)}, invite_attempts_today = {counter("invite", 1)},
    messages_sent_today = {counter("message", 1)}, message_attempts_today = {counter("message", 1)}
FROM pg_temp.fresh f WHERE a.id = f.id;
"""
    + ACTIVE_OPERATIONS
)

# Bulk goes in without indexes, which are then made again as they were.
WITHOUT_INDEXES = """
CREATE TEMP TABLE was AS
SELECT i.indexrelid::regclass::text AS name, c.conname, pg_get_constraintdef(c.oid) AS def,
       pg_get_indexdef(i.indexrelid) AS index_def
FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
WHERE i.indrelid = '{table}'::regclass;
DO $$
DECLARE w record;
BEGIN
    FOR w IN SELECT * FROM was LOOP
        IF w.conname IS NOT NULL THEN EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', w.conname);
        ELSE EXECUTE 'DROP INDEX ' || w.name;
        END IF;
    END LOOP;
END $$;
{load}
DO $$
DECLARE w record;
BEGIN
    FOR w IN SELECT * FROM was LOOP
        EXECUTE CASE WHEN w.conname IS NULL THEN w.index_def
                ELSE format('ALTER TABLE {table} ADD CONSTRAINT %I %s', w.conname, w.def) END;
    END LOOP;
END $$;
"""


def without_indexes(table: str, load: str) -> str:
    """Loads a table without its indexes and makes them again."""
    return WITHOUT_INDEXES.format(table=table, load=load)


def load(server: Server, db: str, accounts: int) -> None:
    """A database with idle accounts and a journal of ninety days; in use from then on."""
    server.cluster.fresh_database(db, "sendgate")
    server.db = db
    rows = accounts * HISTORY
    values = {"accounts": accounts, "rows": rows, "first": 1, "last": rows}
    steps = [
        (f"{accounts:,} accounts", ACCOUNTS.format(**values)),
        (f"{rows:,} operations", without_indexes("sendgate.send_operations", JOURNAL.format(**values))),
        (f"{accounts:,} events", without_indexes("sendgate.linkedin_events", EVENTS.format(**values))),
        ("heartbeats", HEARTBEATS + STOPWATCH),
    ]
    for what, sql in steps:
        progress(f"  loading {what} into {db}")
        server.sql(sql)
    server.settle()


def activate(server: Server, accounts: int, active: int, before: int) -> None:
    """Makes so many accounts active, spread over all; ``before`` of them are active already."""
    progress(f"  making {active:,} of {accounts:,} accounts active")
    step, old_step = accounts // active, accounts // before if before else 0
    server.sql(ACTIVATE.format(step=step, old_step=old_step, accounts=accounts))
    server.settle()
