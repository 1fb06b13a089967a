"""Every SQL function with random arguments, valid and invalid, at any hour of history.

Each call has to answer, or to fail with an SQLSTATE of its own; never with an internal error, a crash or half
a change. The calls are the same every time, so that a new failure comes from a change of the code.
SENDGATE_FUZZ_SEED=$RANDOM makes others, SENDGATE_FUZZ_CALLS=100000 makes more.
"""

import os
import random

from e2e.security.fitting import ALERT, WEBHOOK, fitting
from e2e.support import equal, operation

SEED = int(os.environ.get("SENDGATE_FUZZ_SEED") or 20260524)
CALLS = int(os.environ.get("SENDGATE_FUZZ_CALLS") or 3_000)
# A call that takes longer hangs.
CALL_SECONDS = 20
TIMEOUT_SECONDS = 60 + CALLS // 10

ACCOUNTS = ["a", "b", "c", "empty", "counted", "nobody"]
KNOWN = ["inmail", "invite", "message", "sales_navigator", "recruiter", "open", "closed", "auto",
         "connected", "paused", "p1", "p2", "p3", "spring", "autumn", "chat", "UTC", "Europe/Berlin",
         "prune", "audit_events", "observe", "enforce", "default", "profile_view", "engagement", "premium_career", "account",
         "action", "rate_limited", "recipient_later", "4xx", "none"]  # fmt: skip
STRANGE = ["", " ", "\t", "\n", "\x01", "\x7f", "\u0085", "\u202e", "'", '"', "\\", "%s", "$1", "{}",
           "NULL", "null", "*", "a" * 64, "a" * 256, "a" * 2_001, "ä" * 1_000, "𝒳" * 700, "x" * 1_000_000,
           "e\u0301", "\ufeff", "\uffff", "\U0010ffff", "-1", "1e9", "2026-02-30", "../etc", "<b>",
           "; DROP TABLE x", "errors/insufficient_credits", "no credits", "429"]  # fmt: skip
# The session's own, and what accounts are given; the last two are PostgreSQL's spelling of an offset.
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Chatham", "Pacific/Kiritimati", "Etc/GMT+12",
         "Antarctica/Troll", "EST5EDT", "<+14:59>-14:59", "<-15>15:59"]  # fmt: skip
NUMBERS = [-(2**31), -1, 0, 1, 2, 7, 8, 28, 31, 32, 50, 100, 101, 402, 429, 1000, 10_001, 2**31 - 1]
INSTANTS = ["-infinity", "infinity", "4713-01-01 00:00:00+00 BC", "0001-01-01 00:00:00+00", "1969-12-31 23:59:59+00",
            "2026-05-24 11:59:00+00", "2026-05-24 12:00:00+00", "2026-05-24 12:04:59+00", "2026-05-31 23:59:59.999999+00",
            "2026-06-01 00:00:00+00", "9999-12-31 00:00:00+00", "294276-12-31 23:59:59.999999+00"]  # fmt: skip
# The test clock takes no other ones.
HOURS = ["0001-01-01 00:00:00+00", "1969-12-31 23:59:59+00", "2026-05-24 12:00:00+00", "2026-05-24 12:00:00+00",
         "2026-05-24 23:59:59.999999+00", "2026-05-31 23:59:59+00", "2026-06-01 00:00:00+00", "2028-02-29 12:00:00+00",
         "9999-12-31 23:59:59.999999+00"]  # fmt: skip
INTERVALS = ["0", "-1 microsecond", "1 second", "15 minutes", "1 day", "32 days", "90 days", "1 month", "-1 month",
             "178000000 years", "-178000000 years", "2147483647 days", "1 month -30 days"]  # fmt: skip
DOCUMENTS = ["{}", "[]", "null", "7", '"text"', '{"text": "hello"}', '{"text": "hello", "step": [1, 2, {"deep": null}]}',
             '{"a": "\\u00e4\\n"}', "[" * 500 + "]" * 500, '{"big": "' + "x" * 100_000 + '"}']  # fmt: skip
TIMES = ["00:00", "08:30", "09:00", "17:00", "23:59:59.999999", "24:00:00"]
# Calls of a function that the random ones did not get to work.
TRIES = 50
# Called at the end, once no quarantine is in its way.
AFTERWARDS = ("resume_all",)
# Not called: trigger functions, and the procedure that wants no arguments and commits by itself.
FUNCTIONS = """
SELECT p.oid::regprocedure::text, p.proname::text, coalesce(p.proargnames[1:p.pronargs], '{}'), p.proargtypes::regtype[]::text[]
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
ORDER BY 1"""
SOUND = """
SELECT (SELECT count(*) FROM sendgate.accounts a WHERE a.inmails_sent_today < 0 OR a.inmails_sent_this_week < 0)
     + (SELECT count(*) FROM sendgate.send_operations o WHERE o.state = 'delivered' AND o.settled_at IS NULL)"""


def test_no_input_is_an_internal_error(env):
    chance = random.Random(SEED)
    setup(env)
    with env.connect() as connection:
        connection.execute(f"SET statement_timeout = '{CALL_SECONDS}s'")
        functions = connection.execute(FUNCTIONS).fetchall()
        pid = connection.info.backend_pid
        codes: dict[str, int] = {}
        went_well = set()
        for number in range(CALLS):
            signature, name, names, types = chance.choice(functions)
            arguments = some(chance, name, names, types)
            try:
                if number % 20 == 0:
                    connection.execute("SELECT set_config('sendgate.now', %s, false)", (chance.choice(HOURS),))
                    connection.execute("SELECT set_config('TimeZone', %s, false)", (chance.choice(ZONES),))
                code = call(connection, name, types, arguments)
            except Exception as error:
                raise AssertionError(
                    f"seed {SEED}, call {number}: {signature} with {shown(arguments)}: {error!r:.2000}"
                ) from error
            codes[code] = codes.get(code, 0) + 1
            went_well |= {signature} if code == "ok" else set()
        # A function none of whose calls went well was not tried, but for the checks of its arguments.
        idle = [one for one in functions if one[0] not in went_well and one[1] not in AFTERWARDS]
        hint = f"functions without a call that went well, with seed {SEED}: give their arguments values in fitting.py"
        equal([one[0] for one in idle if not works(connection, chance, one)], [], hint)
        equal(connection.execute("SELECT pg_backend_pid()").fetchone()[0], pid, "the same backend")
        equal(connection.execute(SOUND).fetchone()[0], 0, f"unsound rows with seed {SEED}")
    own = {code for code in codes if code.startswith("SG")}
    assert codes.get("ok", 0) > CALLS // 50, f"seed {SEED}: hardly any call went well: {codes}"
    assert len(own) > 5, f"seed {SEED}: hardly any call was refused with a reason: {codes}"
    # The gate goes on, at an ordinary hour.
    with env.connect() as connection:
        connection.execute("SET sendgate.now = '2026-05-25 12:00:00+00'")
        # Some call may have put everything in quarantine, which ends with a look at every account.
        for job in ("audit_events", "reconcile_operations"):
            while connection.execute(f"SELECT more FROM sendgate.{job}()").fetchone()[0]:
                pass
        connection.execute("SELECT sendgate.resume_all()")
        connection.execute("SELECT sendgate.upsert_account('fresh', 'recruiter')")
        sql = "SELECT proceed FROM sendgate.reserve('fresh', 'invite', 'p')"
        equal(connection.execute(sql).fetchone()[0], True, "a grant afterwards")


def some(chance: random.Random, name: str, names: list[str], types: list[str]) -> list:
    """Random arguments; every second time those that fit by their names, with a random one among them."""
    arguments = [value(chance, kind) for kind in types]
    if chance.random() < 0.5:
        return arguments
    fit = fitting(chance, name, names, types)
    strange = chance.randrange(2 * len(fit)) if fit else 0
    return [arguments[place] if place == strange else fits for place, fits in enumerate(fit)]


def works(connection, chance: random.Random, function: tuple) -> bool:
    """Whether a call of it goes well with arguments that fit, at an ordinary hour."""
    _signature, name, names, types = function
    connection.execute(f"SELECT set_config('sendgate.now', '{HOURS[2]}', false)")
    return any(call(connection, name, types, fitting(chance, name, names, types)) == "ok" for _ in range(TRIES))


def call(connection, name: str, types: list[str], arguments: list) -> str:
    """Its SQLSTATE, or "ok"; an internal error is raised."""
    places = ", ".join(f"%s::{kind}" for kind in types)
    return judged(connection, f"SELECT * FROM sendgate.{name}({places})", arguments, name)


def judged(connection, sql: str, values: list, where: str) -> str:
    """A statement's SQLSTATE, or "ok"; an internal error, or one that says too little, is raised."""
    import psycopg

    try:
        connection.execute(sql, values)
    except psycopg.Error as error:
        code = error.sqlstate
        # Internal and system errors, exhausted resources, and a statement that took too long.
        if code is None or code[:2] in ("XX", "58", "53") or code == "57014":
            raise AssertionError(f"{where}: {sql} with {shown(values)}: {error!r:.2000}") from error
        if code.startswith("SG"):
            assert error.diag.message_detail and error.diag.message_hint, f"{where}: {code} without DETAIL or HINT"
            assert len(error.diag.message_primary) < 4_000, f"{where}: {code} repeats a huge value"
        return code
    return "ok"


def shown(arguments: list) -> str:
    return ", ".join(f"{argument!r:.80}" for argument in arguments)


def value(chance: random.Random, kind: str):
    """Something of that type, or NULL; rather often something that exists."""
    if chance.random() < 0.06:
        return None
    if kind.endswith("[]"):
        element = kind[:-2]
        if chance.random() < 0.1:
            return [[value(chance, element)] for _ in range(2)]
        return [value(chance, element) for _ in range(chance.choice([0, 1, 1, 2, 3, 300]))]
    if kind == "text":
        pool = chance.choice([ACCOUNTS, ACCOUNTS, KNOWN, KNOWN, STRANGE, ZONES])
        return chance.choice(pool)
    return {
        "uuid": lambda: operation(chance.randint(1, 12)),
        "integer": lambda: chance.choice(NUMBERS),
        "boolean": lambda: chance.random() < 0.5,
        "timestamp with time zone": lambda: chance.choice(INSTANTS),
        "date": lambda: chance.choice(["-infinity", "infinity", "2026-05-24", "0001-01-01", "5874897-12-31"]),
        "interval": lambda: chance.choice(INTERVALS),
        "time without time zone": lambda: chance.choice(TIMES),
        "jsonb": lambda: chance.choice(DOCUMENTS),
        "smallint": lambda: chance.choice([number for number in NUMBERS if -(2**15) <= number < 2**15]),
        "oid": lambda: chance.choice([0, 1, 1259, 2**32 - 1]),
        "bytea": lambda: chance.choice([b"", b"\x00", b"\x01\x02\x03", bytes(30), b"\xff" * 40]),
    }[kind]()


def setup(env) -> None:
    """Accounts with sends in every state, so that calls meet something."""
    env.psql(
        f"""SET sendgate.now = '2026-05-24 12:00:00+00';
        SELECT sendgate.upsert_account(id, 'recruiter') FROM unnest(ARRAY['a', 'b', 'c', 'empty', 'leaving']) AS id;
        SELECT sendgate.breaker_arm('empty', 'test');
        SELECT sendgate.reserve('a', 'inmail', 'p' || n, 'spring', ('00000000-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid)
        FROM generate_series(1, 8) n;
        SELECT sendgate.confirm('a', '{operation(1)}', 'chat');
        SELECT sendgate.rollback('a', '{operation(2)}', 'nobody knows', NULL, 599);
        SELECT sendgate.rollback('a', '{operation(3)}', 'not there', NULL, 404);
        SELECT sendgate.enqueue('autumn', 'p' || n, 'b', 'invite') FROM generate_series(1, 5) n;
        SELECT sendgate.enqueue('spring', 'p' || n, 'a', 'message', step => n, payload => '{{"text": "hello"}}', priority => n)
        FROM generate_series(1, 3) n;
        SELECT sendgate.cancel('spring', 'p3');
        SELECT sendgate.set_pace('c', '5 minutes', 20, true);
        SELECT sendgate.set_enforcement('c', 'observe', 'first week');
        SELECT sendgate.set_campaign('autumn', invite_limit => 2);
        SELECT sendgate.suppress_prospect('chat', 'asked by mail');
        SELECT sendgate.upsert_account('counted', 'premium_career');
        SELECT sendgate.record_credit_balance('counted', 2);
        SELECT sendgate.register_webhook('{WEBHOOK}', ARRAY['breaker_set']);
        INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
        VALUES ('{ALERT}', 'a', 'delivered_after_rollback', '2026-05-24', 'to be seen', sendgate.clock())"""
    )
