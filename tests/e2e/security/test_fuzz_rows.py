"""Rows of all kinds through the triggers guard_send and settle_send, and triggers declared in all ways.

A grant, a refusal or an error with an SQLSTATE of its own; whatever a transaction comes to, the journal has
the sends of the rows that are in the table, and no other ones. As in test_fuzz the same rows every time.
"""

import os
import random

from e2e.security.test_fuzz import ACCOUNTS, CALL_SECONDS, HOURS, KNOWN, SEED, STRANGE, judged, setup
from e2e.support import equal, operation

ROWS = int(os.environ.get("SENDGATE_FUZZ_ROWS") or 2_000)
TIMEOUT_SECONDS = 60 + ROWS // 5

ACTIONS = ["inmail", "invite", "message", "profile_view", "engagement"]
TABLES = """
CREATE TABLE public.{name} (n bigserial, account text, action text, prospect varchar, campaign name, operation {id} UNIQUE,
    chat text, error text, why text, number int, made text GENERATED ALWAYS AS ('x' || account) STORED);
CREATE TRIGGER guard BEFORE INSERT ON public.{name} FOR EACH ROW EXECUTE FUNCTION
    sendgate.guard_send('account', 'action', 'prospect', 'campaign', 'operation', '{mode}');
CREATE TRIGGER settle AFTER UPDATE ON public.{name} FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account', 'operation', 'chat', 'error');
"""
GUARDED = {"refusing": ("uuid", "error"), "telling": ("text", "reason:why"), "partitions": ("char(36)", "error")}
COLUMNS = ("account", "action", "prospect", "campaign", "operation", "chat", "error", "why")
# What the journal and the tables say of each other, where only these triggers send.
DIFFER = """
WITH sent (account, operation) AS (SELECT account, operation::text FROM public.refusing UNION ALL
    SELECT account, operation FROM public.telling UNION ALL SELECT account, operation::text FROM public.partitions)
SELECT account_id, operation_id::text, state, 'in no row' FROM sendgate.send_operations o
WHERE state <> 'released' AND campaign_id IS DISTINCT FROM 'spring'
    AND NOT EXISTS (SELECT FROM sent WHERE sent.operation = operation_id::text)
UNION ALL
SELECT account, operation, '', 'not in the journal' FROM sent
WHERE operation IS NOT NULL
    AND NOT EXISTS (SELECT FROM sendgate.send_operations WHERE account_id = account AND operation_id::text = operation)"""


def test_no_row_is_an_internal_error(env):
    chance = random.Random(SEED)
    setup(env)
    for name, (kind, mode) in GUARDED.items():
        env.psql(TABLES.format(name=name, id=kind, mode=mode))
    codes: dict[str, int] = {}
    with env.connect() as connection:
        connection.execute(f"SET statement_timeout = '{CALL_SECONDS}s'")
        pid = connection.info.backend_pid
        for number in range(ROWS):
            if number % 50 == 0:
                connection.execute("SELECT set_config('sendgate.now', %s, false)", (chance.choice(HOURS),))
            for code in transaction(connection, chance, f"seed {SEED}, number {number}"):
                codes[code] = codes.get(code, 0) + 1
        equal(connection.execute("SELECT pg_backend_pid()").fetchone()[0], pid, "the same backend")
        equal(connection.execute(DIFFER).fetchall(), [], f"journal and tables with seed {SEED}")
        kept = connection.execute("SELECT count(*) FROM sendgate.send_operations WHERE state <> 'released'").fetchone()[
            0
        ]
    assert kept > ROWS // 20 and codes.get("ok", 0) > ROWS // 10, (
        f"seed {SEED}: hardly any row went in: {kept}, {codes}"
    )
    assert codes.get("SG401", 0) > 10 and len([code for code in codes if code[:2] == "SG"]) > 3, f"seed {SEED}: {codes}"


def transaction(connection, chance: random.Random, where: str) -> list[str]:
    """A few statements, kept or not; their SQLSTATEs."""
    import psycopg

    codes = []
    level = chance.choice(("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"))
    connection.execute(f"BEGIN ISOLATION LEVEL {level}")
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        sql, values = chance.choices((insert, several, update, delete), (6, 2, 4, 1))[0](chance)
        connection.execute("SAVEPOINT one")
        codes.append(judged(connection, sql, values, where))
        if codes[-1] != "ok" or chance.random() < 0.2:
            connection.execute("ROLLBACK TO one")
    try:
        connection.execute("COMMIT" if chance.random() < 0.8 else "ROLLBACK")
    except psycopg.Error as error:
        raise AssertionError(f"{where}: {error!r:.2000}") from error
    return codes


def insert(chance: random.Random) -> tuple[str, list]:
    values = [column(chance, name) for name in COLUMNS]
    conflict = chance.choice(("", "", " ON CONFLICT DO NOTHING"))
    places = ", ".join(["%s"] * len(COLUMNS))
    return f"INSERT INTO public.{table(chance)} ({', '.join(COLUMNS)}) VALUES ({places}){conflict}", values


def several(chance: random.Random) -> tuple[str, list]:
    """Several rows; one may be a duplicate of another, or of a row that is there."""
    name = table(chance)
    sql = f"""INSERT INTO public.{name} (account, action, prospect, operation)
        SELECT %s, %s, 'p' || n, {cast(name, "'00000000-0000-4000-8000-' || to_char(n, 'FM000000000000')")}
        FROM generate_series(%s::int, %s::int) n ON CONFLICT DO NOTHING"""
    first = chance.randint(1, 40)
    return sql, [chance.choice(ACCOUNTS), chance.choice(ACTIONS), first, first + chance.choice((0, 1, 5, 60))]


def update(chance: random.Random) -> tuple[str, list]:
    """An answer for the newest rows, or something else changes."""
    name = table(chance)
    changed = chance.choice(("chat", "chat", "error", "why", "account", "operation", "number"))
    value = chance.choice((1, 2, None)) if changed == "number" else column(chance, changed)
    place = cast(name, "%s") if changed == "operation" else "%s"
    # What a row says of its send is the application's: where it changes that, the two may differ.
    keys = changed in ("account", "operation")
    which = "false" if keys else f"n > (SELECT max(n) FROM public.{name}) - {chance.choice((1, 3))}"
    return f"UPDATE public.{name} SET {changed} = {place} WHERE {which}", [value]


def delete(chance: random.Random) -> tuple[str, list]:
    """A row that this transaction made, and whose slot is given back."""
    return f"DELETE FROM public.{table(chance)} WHERE xmin = pg_current_xact_id()::xid", []


def table(chance: random.Random) -> str:
    return chance.choice(list(GUARDED))


def cast(name: str, value: str) -> str:
    return f"({value})::{GUARDED[name][0]}"


def column(chance: random.Random, name: str):
    """Mostly what such a column holds."""
    if chance.random() < 0.05:
        return None
    if name == "operation":
        return operation(chance.randint(1, 200)) if chance.random() < 0.1 else None
    usual = {"account": ACCOUNTS, "action": ACTIONS, "prospect": [f"q{n}" for n in range(300)], "campaign": KNOWN}
    return chance.choice(usual.get(name, KNOWN) if chance.random() < 0.9 else STRANGE)


def test_triggers_declared_in_any_way(env):
    """A trigger that cannot guard is refused when it is declared or when the first row comes; nothing else
    happens."""
    chance = random.Random(SEED)
    setup(env)
    env.psql(TABLES.format(name="any", id="uuid", mode="error"))
    codes: dict[str, int] = {}
    words = [
        *COLUMNS,
        "n",
        "number",
        "made",
        "reason:why",
        "reason:number",
        "reason:",
        "reason:made",
        "Account",
        "ctid",
    ]
    with env.connect() as connection:
        connection.execute(f"SET statement_timeout = '{CALL_SECONDS}s'; SET sendgate.now = '{HOURS[2]}'")
        for number in range(ROWS // 4):
            function, count = chance.choice((("guard_send", 6), ("settle_send", 4), ("settle_send", 7)))
            settled = ("account", "operation", "chat", "error", "why", "number", "")[:count]
            usual = (*COLUMNS[:5], "error") if function == "guard_send" else settled
            arguments = [word if chance.random() < 0.7 else chance.choice(words + STRANGE[:20]) for word in usual]
            arguments = arguments[: count if chance.random() < 0.9 else chance.randint(0, count)]
            when = chance.choices(("BEFORE INSERT", "AFTER UPDATE", "AFTER INSERT", "BEFORE UPDATE", "BEFORE INSERT OR UPDATE",
                                   "AFTER DELETE", "BEFORE DELETE"), (6, 6, 1, 1, 1, 1, 1))[0]  # fmt: skip
            each = chance.choice(("ROW", "ROW", "ROW", "STATEMENT"))
            quoted = ", ".join("'" + word.replace("'", "''") + "'" for word in arguments)
            where = f"seed {SEED}, number {number}, {when} {function}({quoted:.300})"
            connection.execute("BEGIN")
            connection.execute(
                "DROP TRIGGER IF EXISTS guard ON public.any; DROP TRIGGER IF EXISTS settle ON public.any"
            )
            statements = [
                f"CREATE TRIGGER guard {when} ON public.any FOR EACH {each} EXECUTE FUNCTION sendgate.{function}({quoted})",
                "INSERT INTO public.any (account, action, prospect, campaign) VALUES ('b', 'message', 'p', 'k')",
                "UPDATE public.any SET chat = 'c', error = 'e'",
                "DELETE FROM public.any",
            ]
            for sql in statements:
                code = judged(connection, sql.replace("%", "%%"), [], where)
                codes[code] = codes.get(code, 0) + 1
                if code != "ok":
                    break
            connection.execute("ROLLBACK")
        journal = "SELECT count(*) FROM sendgate.send_operations WHERE account_id = 'b'"
        equal(connection.execute(journal).fetchone()[0], 0, "operations of undone transactions")
    assert codes.get("SG010", 0) > ROWS // 20 and codes.get("ok", 0) > ROWS // 10, f"seed {SEED}: {codes}"
