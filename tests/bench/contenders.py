"""The contenders: what each does in one transaction, as a pgbench script.

All of them work on tables of the same columns, constraints, indexes and fillfactor: those by hand
on copies made with LIKE … INCLUDING ALL in the schema `byhand`, of the same rows (see COPIES).
"""

ARGUMENTS = r"""
\set account random(1, :accounts)
\set prospect random(1, 1000000000)
"""

RESERVE = (
    ARGUMENTS
    + """
SELECT * FROM sendgate.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect);
"""
)

# One statement that knows nothing but a cap: the least that counting and writing down cost.
BY_HAND_SQL = """
WITH taken AS (
    UPDATE byhand.accounts
    SET inmails_sent_today = inmails_sent_today + 1, version = version + 1, inmail_last_at = now()
    WHERE id = {account} AND inmails_sent_today < 50
    RETURNING id, day
)
INSERT INTO byhand.send_operations
    (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action)
SELECT gen_random_uuid(), now(), now() + interval '15 min', day, id, {prospect}, 'inmail'
FROM taken
RETURNING operation_id, expires_at;
"""
BY_HAND = ARGUMENTS + BY_HAND_SQL.format(account="'account-' || :account", prospect="'prospect-' || :prospect")

# The same as most applications write it: in a transaction, a round trip for each.
ROUND_TRIPS = (
    ARGUMENTS
    + """
BEGIN;
UPDATE byhand.accounts
SET inmails_sent_today = inmails_sent_today + 1, version = version + 1, inmail_last_at = now()
WHERE id = 'account-' || :account AND inmails_sent_today < 50;
INSERT INTO byhand.send_operations
    (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action)
VALUES (gen_random_uuid(), now(), now() + interval '15 min', (now() AT TIME ZONE 'UTC')::date,
        'account-' || :account, 'prospect-' || :prospect, 'inmail');
COMMIT;
"""
)

IN_PLPGSQL = (
    ARGUMENTS
    + """
SELECT * FROM byhand.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect);
"""
)

RESERVE_CONFIRM = (
    ARGUMENTS
    + """
SELECT operation_id AS op FROM sendgate.reserve('account-' || :account, 'inmail', 'prospect-' || :prospect) \\gset
SELECT sendgate.confirm('account-' || :account, :op::uuid, 'chat-' || :prospect);
"""
)

BY_HAND_CONFIRM = (
    BY_HAND.strip().removesuffix(";")
    + r""" \gset
WITH settled AS (
    UPDATE byhand.send_operations SET state = 'delivered', settled_at = now()
    WHERE account_id = 'account-' || :account AND operation_id = :operation_id::uuid AND state = 'reserved'
    RETURNING *
)
INSERT INTO byhand.linkedin_events
    (id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), operation_id, now(), now(), counted_on, account_id, prospect_id, 'inmail_sent',
       'chat-' || :prospect
FROM settled
RETURNING id;
"""
)

PREVIEW = (
    ARGUMENTS
    + """
SELECT * FROM sendgate.preview('account-' || :account, 'inmail', 'prospect-' || :prospect);
"""
)

BREAKER_CHECK = (
    ARGUMENTS
    + """
SELECT * FROM sendgate.breaker_check('account-' || :account, 'prospect-' || :prospect);
"""
)

SELECT = (
    ARGUMENTS
    + """
SELECT id, inmails_sent_today, status FROM byhand.accounts WHERE id = 'account-' || :account;
"""
)

# name, script, contender it is measured against, wanted ratio
ROWS = [
    ("reserve", RESERVE, "two writes by hand", 0.90),
    ("reserve + confirm", RESERVE_CONFIRM, "four writes by hand", 0.90),
    ("preview", PREVIEW, "primary-key SELECT", 0.75),
    ("breaker_check, closed", BREAKER_CHECK, "primary-key SELECT", 0.75),
]
BASELINES = {
    "two writes by hand": BY_HAND,
    "two round trips": ROUND_TRIPS,
    "the gate in PL/pgSQL": IN_PLPGSQL,
    "four writes by hand": BY_HAND_CONFIRM,
    "primary-key SELECT": SELECT,
}

SCRIPTS = {name: script for name, script, _, _ in ROWS} | BASELINES

# Every contender works as an ordinary login: no application is a superuser, whom PostgreSQL asks for no
# privileges.
APPLICATION = "app"

# What the calls by hand write: the gate's tables with their columns, domains, CHECKs, indexes and fillfactor, and its
# accounts, which are written anew on both sides so that they lie in their pages alike. The triggers of the gate's tables
# are its own work and not copied; what they cost a write is counted by the part `contest`.
COPIES = """
VACUUM (FULL) sendgate.accounts;
CREATE SCHEMA byhand;
CREATE TABLE byhand.accounts (LIKE sendgate.accounts INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE byhand.send_operations (LIKE sendgate.send_operations INCLUDING ALL) WITH (fillfactor = 85);
CREATE TABLE byhand.linkedin_events (LIKE sendgate.linkedin_events INCLUDING ALL);
INSERT INTO byhand.accounts SELECT * FROM sendgate.accounts;
"""

SETUP = (
    """
CREATE EXTENSION sendgate;
SELECT count(sendgate.upsert_account('account-' || n, 'sales_navigator'))
FROM generate_series(1, {accounts}) n;
UPDATE sendgate.accounts SET sent_before = decode(repeat('00', 30), 'hex');
"""
    + COPIES
    + """
CREATE ROLE app LOGIN;
GRANT sendgate_sender TO app;
GRANT CREATE ON SCHEMA public TO app;
GRANT USAGE ON SCHEMA sendgate TO app;
GRANT EXECUTE ON FUNCTION sendgate.is_sound_history, sendgate.is_sound_operation TO app;
ALTER SCHEMA byhand OWNER TO app;
ALTER TABLE byhand.accounts OWNER TO app;
ALTER TABLE byhand.send_operations OWNER TO app;
ALTER TABLE byhand.linkedin_events OWNER TO app;
"""
)
