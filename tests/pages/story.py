"""Accounts in every kind of trouble that an operator meets, made by the functions that make it; and their last 30 days."""

from dataclasses import dataclass

ZEROS = "00000000-0000-4000-8000-"


@dataclass(frozen=True)
class Trouble:
    """An account that cannot send, and what its page has to say of it."""

    account: str
    name: str
    """What people call it."""
    sql: str
    """What happened; ``{id}`` is the account, ``{op}`` an operation id, ``{op2}`` … others."""
    reason: str
    says: tuple[str, ...]
    """What stands in its cause, beside since, until and advice: by whom or what, in which words."""
    action: str = "inmail"
    """An action that it concerns."""


RESERVE = "SELECT sendgate.reserve('{{id}}', '{action}', 'p-{n}', 'spring', '{{op{n}}}');"
ROLLBACK = "SELECT sendgate.rollback('{{id}}', '{{op{n}}}', '{text}', {kind}, {status});"


def _failed(action: str, text: str, status: int, kind: str | None = None, n: int = 1) -> str:
    """An attempt, and the provider's answer to it."""
    spelt = f"'errors/{kind}'" if kind else "NULL"
    return RESERVE.format(action=action, n=n) + ROLLBACK.format(n=n, text=text, kind=spelt, status=status)


WINDOW = """SELECT sendgate.set_window('{id}', date_trunc('minute', c.at + interval '2 hours')::time,
    date_trunc('minute', c.at + interval '3 hours')::time,
    '{{1,2,3,4,5,6,7}}') FROM (SELECT sendgate.clock() AT TIME ZONE 'UTC' AS at) AS c;"""
TROUBLES = (
    Trouble(
        "acc-paused", "Ada Berger", "SELECT sendgate.set_status('{id}', 'paused', 'the owner is on holiday');",
        "account_not_connected", ("the owner is on holiday", "the account is paused"),
    ),
    Trouble(
        "acc-restricted", "Grace Novak", _failed("invite", "Your account was restricted.", 403, "account_restricted"),
        "account_not_connected", ("403", "Your account was restricted.", "the account is restricted"),
    ),
    Trouble(
        "acc-signed-out", "Barbara Rossi", _failed("message", "sign in again", 401),
        "account_not_connected", ("401", "sign in again", "the account is disconnected"),
    ),
    Trouble(
        "acc-stopped", "Edsger Larsen", "SELECT sendgate.breaker_force('{id}', 'open', 'the client asked for a stop');",
        "breaker_forced_open", ("the client asked for a stop",),
    ),
    Trouble(
        "acc-no-credits", "Alan Okafor", _failed("inmail", "not enough credits", 402, "insufficient_credits")
        + "SELECT sendgate.enqueue('spring', 'p-' || n, '{id}', 'inmail') FROM generate_series(10, 14) AS n;",
        "account_inmail_credits_exhausted", ("402", "not enough credits"),
    ),
    Trouble(
        "acc-spent", "Radia Tanaka",
        "SELECT sendgate.record_credit_balance('{id}', 1, note => 'seen on the balance page');"
        + RESERVE.format(action="inmail", n=1)
        + "SELECT sendgate.confirm('{id}', '{op1}', 'chat'); SELECT sendgate.reserve('{id}', 'inmail', 'p-2');",
        "account_inmail_credits_exhausted", ("seen on the balance page",),
    ),
    Trouble(
        "acc-slow-down", "Donald Silva", _failed("message", "slow down", 429, "too_many_requests"),
        "account_cooldown", ("429", "slow down"),
    ),
    Trouble(
        "acc-weekly-limit", "Frances Berger", _failed("invite", "weekly limit", 422, "connection_limit_reached"),
        "action_cooldown", ("422", "weekly limit"), "invite",
    ),
    Trouble(
        "acc-failing", "Ada Larsen", "SET sendgate.failure_limit = 1;"
        + _failed("message", "too long", 422, "too_many_characters") + "RESET sendgate.failure_limit;",
        "action_cooldown", ("422", "too long"), "message",
    ),
    Trouble(
        "acc-no-seat", "Grace Rossi", _failed("inmail", "Sales Navigator needed", 403, "feature_not_subscribed"),
        "action_cooldown", ("403", "Sales Navigator needed"),
    ),
    Trouble(
        "acc-at-night", "Barbara Okafor", WINDOW, "outside_sending_window", (),
    ),
    Trouble(
        "acc-pace", "Edsger Tanaka", "SELECT sendgate.set_pace('{id}', '50 minutes', note => 'like a person');"
        + RESERVE.format(action="message", n=1), "pacing", ("like a person",), "message",
    ),
    Trouble(
        "acc-week-full", "Alan Silva", "SELECT sendgate.set_cap('{id}', 'invite', 10, 2, 'a new account');"
        + RESERVE.format(action="invite", n=1) + RESERVE.format(action="invite", n=2),
        "weekly_cap_reached", ("a new account",), "invite",
    ),
    Trouble(
        "acc-day-full", "Radia Berger", "SELECT sendgate.set_cap('{id}', 'message', 2, NULL, 'warm it up');"
        + RESERVE.format(action="message", n=1) + RESERVE.format(action="message", n=2),
        "daily_cap_reached", ("warm it up",), "message",
    ),
    Trouble(
        "acc-attempts", "Donald Novak", "SELECT sendgate.set_cap('{id}', 'message', 1);"
        + _failed("message", "gone", 422, "too_many_characters")
        + _failed("message", "too long", 422, "too_many_characters", 2),
        "daily_attempts_reached", ("422", "too long"), "message",
    ),
)  # fmt: skip

# What an operator sees beside: a probe's permit, unknown outcomes, an account that is only observed, long names.
OTHERS = """
SELECT sendgate.breaker_arm('acc-probe', 'the client says so');
SELECT sendgate.breaker_probe('acc-probe', 'credits were bought');
SELECT sendgate.reserve('acc-unknown', 'inmail', 'p-' || n, 'spring', ('{zeros}0000000009' || (10 + n))::uuid) FROM generate_series(1, 3) AS n;
SELECT sendgate.rollback('acc-unknown', ('{zeros}0000000009' || (10 + n))::uuid, 'gateway timeout', NULL, 504) FROM generate_series(1, 3) AS n;
SELECT sendgate.set_enforcement('acc-observed', 'observe', 'beside our own limits');
SELECT sendgate.reserve('{wide}', 'inmail', repeat('W', 128), repeat('M', 128), '{zeros}000000000990');
SELECT sendgate.rollback('{wide}', '{zeros}000000000990', repeat('x', 2500), NULL, 500);
SELECT sendgate.reserve('acc-day-full', 'invite', 'p-9', 'autumn', '{zeros}000000000991');
SELECT sendgate.rollback('acc-day-full', '{zeros}000000000991');
SELECT sendgate.confirm('acc-day-full', '{zeros}000000000991', 'chat');
"""
WIDE = "W" * 128
BESIDE = (
    ("acc-probe", "sales_navigator", "Frances Novak"), ("acc-unknown", "premium_business", "Ada Silva"),
    ("acc-observed", "recruiter", "Grace Silva"), (WIDE, "sales_navigator", "Maximilian-Ferdinand " * 6),
)  # fmt: skip
# Accounts whose cap of InMails and invitations was another one at the beginning.
CAREFUL = """SELECT sendgate.set_cap(a.id::text, n, {cap}) FROM sendgate.accounts AS a, unnest(ARRAY['inmail', 'invite']) AS n
WHERE right(a.id, 1) IN ('d', 't', 's', '3');"""

# Campaigns: one with a part of the day that is used up and with work that a person has to look at, and one that is paused.
CAMPAIGNS = """
SELECT sendgate.enqueue('autumn', 'q-' || n, 'acc-000' || 1 + n % 9, 'message') FROM generate_series(1, 60) AS n;
SELECT sendgate.rollback(d.account_id, d.operation_id, 'the message is too long', 'errors/too_many_characters', 422)
FROM sendgate.dispatch(3, 'message', campaign_id => 'autumn') AS d;
SELECT sendgate.confirm(d.account_id, d.operation_id) FROM sendgate.dispatch(6, 'message', campaign_id => 'autumn') AS d;
SELECT sendgate.set_campaign('autumn', message_limit => 1, note => 'the rest of the day is for spring');
SELECT sendgate.enqueue('winter', 'w-' || n, 'acc-000' || 1 + n % 9, 'invite') FROM generate_series(1, 12) AS n;
SELECT sendgate.pause_campaign('winter');
SELECT sendgate.suppress_prospect('q-9', 'asked by mail not to be contacted');
"""

# Thirty days of attempts until yesterday, with what stopped them; ids in the order of time, as the functions make them.
PAST = """
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.id_of(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(r, 1, 3) || '8' || substr(r, 4, 15))::uuid
    FROM md5(random()::text) AS r $$;
INSERT INTO sendgate.send_operations (operation_id, account_id, prospect_id, action, campaign_id, state, reserved_at,
    expires_at, counted_on, settled_at, outcome, http_status, error)
SELECT gen_random_uuid(), a.id, 'old-' || d.n || '-' || k, x.action, 'winter', CASE WHEN x.ok THEN 'delivered' ELSE 'released' END,
       x.at, x.at + interval '15 minutes', d.day, x.at + interval '2 seconds', CASE WHEN NOT x.ok THEN 'transient' END,
       CASE WHEN NOT x.ok THEN 503 END, CASE WHEN NOT x.ok THEN 'service unavailable' END
FROM (SELECT a.id::text, row_number() OVER (ORDER BY a.id) AS n FROM sendgate.accounts AS a WHERE {which}) AS a
CROSS JOIN (SELECT n, (sendgate.clock() AT TIME ZONE 'UTC')::date - n AS day FROM generate_series(1, 29) AS n) AS d
CROSS JOIN LATERAL generate_series(1, (extract(isodow FROM d.day) < 6)::integer * (12 + (a.n * 7 + d.n * 5) % 19)::integer) AS k
CROSS JOIN LATERAL (
    SELECT (ARRAY['inmail', 'inmail', 'invite', 'message'])[1 + k % 4] AS action, (a.n + d.n * k) % 9 <> 0 AS ok,
           d.day::timestamp AT TIME ZONE 'UTC' + interval '8 hours' + k * interval '17 minutes' AS at
) AS x;
INSERT INTO sendgate.campaign_events (id, at, account_id, prospect_id, campaign_id, action, event_type, reason, detail)
SELECT pg_temp.id_of(x.at), x.at, a.id, 'old-' || d.n || '-' || k, 'winter', 'inmail', 'linkedin_skipped', 'inmail_eligibility',
       'the recipient does not take InMails'
FROM (SELECT a.id::text, row_number() OVER (ORDER BY a.id) AS n FROM sendgate.accounts AS a WHERE {which}) AS a
CROSS JOIN (SELECT n, (sendgate.clock() AT TIME ZONE 'UTC')::date - n AS day FROM generate_series(3, 29) AS n) AS d
CROSS JOIN LATERAL generate_series(1, ((a.n + d.n) % 4)::integer) AS k
CROSS JOIN LATERAL (SELECT d.day::timestamp AT TIME ZONE 'UTC' + k * interval '3 hours' AS at) AS x;
INSERT INTO sendgate.cooldown_log (id, at, until, account_id, action, cause, http_status, error_type, error, actor)
SELECT pg_temp.id_of(x.at), x.at, x.at + x.lasts, a.id, NULL, 'rate_limited', 429, 'errors/too_many_requests', 'slow down', 'worker'
FROM sendgate.accounts AS a
CROSS JOIN LATERAL (
    SELECT sendgate.clock() - days * interval '1 day' AS at, days * interval '50 minutes' AS lasts
    FROM unnest(ARRAY[26, 19, 12]) AS days
) AS x WHERE {which} AND right(a.id, 1) IN ('d', 't', 's', '3');
INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at)
SELECT pg_temp.id_of(x.at), x.at, a.id, x.action, x.reason, x.actor, x.stamp
FROM sendgate.accounts AS a
CROSS JOIN (SELECT sendgate.clock() - interval '16 days' AS stamp) AS s
CROSS JOIN LATERAL (VALUES ('set', 'credits_exhausted', 'worker', s.stamp, s.stamp),
    ('clear', 'manual', 'ada', s.stamp, s.stamp + interval '3 days')) AS x (action, reason, actor, stamp, at)
WHERE {which} AND right(a.id, 1) IN ('s', 'e', 't', '3');
RESET session_replication_role;
"""


def at_the_time(psql, days: int, sql: str) -> None:
    """Run it as it was so many days ago; the server's test clock is on."""
    psql(
        f"""SELECT sendgate.clock();
        SELECT set_config('sendgate.now', (sendgate.clock() - interval '{days} days')::text, false);
        {sql}"""
    )


def troubles(psql, past: bool = False) -> None:
    """Make them; ``psql(sql)`` runs there as a superuser."""
    accounts = [(trouble.account, "sales_navigator", trouble.name) for trouble in TROUBLES] + [*BESIDE]
    rows = ", ".join(f"('{account}', '{tier}', '{name}')" for account, tier, name in accounts)
    at_the_time(psql, 50, f"SELECT sendgate.upsert_account(a, t, n) FROM (VALUES {rows}) AS v (a, t, n);")
    if past:
        # Accounts that began carefully.
        at_the_time(psql, 48, CAREFUL.format(cap="15, NULL, 'careful at first'"))
        at_the_time(psql, 18, CAREFUL.format(cap="NULL, NULL, 'as its tier'"))
    script = []
    for n, trouble in enumerate(TROUBLES):
        operations = {f"op{k}": f"{ZEROS}{n:09}{k:03}" for k in range(1, 4)}
        script.append(trouble.sql.format(id=trouble.account, **operations))
    script.append(OTHERS.format(zeros=ZEROS, wide=WIDE))
    psql("\n".join(script))
    # A counter that nothing accounts for, and one far above its cap, which the audit finds.
    psql("UPDATE sendgate.accounts SET inmails_sent_today = inmails_sent_today + 2 WHERE id = 'acc-unknown'")
    if past:
        lived(psql)
    settled(psql)


def lived(psql, which: str = "true") -> None:
    """Give accounts their last 30 days; ``which`` is a condition on a row ``a`` of them."""
    psql(PAST.replace("{which}", which))


def fleet(psql, accounts: int) -> None:
    """All of that among so many accounts that send, with their past."""
    at_the_time(
        psql,
        50,
        f"""SELECT sendgate.upsert_account('acc-' || lpad(n::text, 4, '0'),
            (ARRAY['sales_navigator', 'premium_business', 'recruiter'])[1 + n % 3],
            (ARRAY['Ada', 'Grace', 'Barbara', 'Edsger', 'Alan', 'Radia', 'Donald', 'Frances'])[1 + n / 3 % 8] || ' '
            || (ARRAY['Berger', 'Novak', 'Rossi', 'Larsen', 'Okafor', 'Tanaka', 'Silva'])[1 + n % 7])
        FROM generate_series(1, {max(0, accounts - len(TROUBLES) - len(BESIDE))}) AS n""",
    )
    psql(
        """SELECT sendgate.reserve(a.id, (ARRAY['inmail', 'invite', 'message'])[1 + k % 3], 'p-' || k, 'spring-' || k % 4)
        FROM (SELECT a.id::text, row_number() OVER (ORDER BY a.id) AS n FROM sendgate.accounts AS a) AS a,
             generate_series(1, (a.n * 7 % 30)::integer) AS k;
        SELECT sendgate.confirm(o.account_id::text, o.operation_id, 'chat') FROM sendgate.send_operations AS o
        WHERE o.prospect_id <> 'p-3'"""
    )
    troubles(psql, past=True)
    psql(CAMPAIGNS)


def settled(psql) -> None:
    """As if the jobs had run a moment ago, so that a daemon leaves all this as it is for ten minutes."""
    psql("UPDATE sendgate.jobs SET sweep_started_at = sendgate.clock(), sweep_finished_at = sendgate.clock()")
