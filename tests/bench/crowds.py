"""Many clients at once: on one account, on as many accounts, and where everything is refused."""

from .contenders import BY_HAND, RESERVE
from .server import Cost, Server

CLIENTS = 64
# So many slots that none of them runs out.
CAP = 1_000_000

SETUP = f"""
SELECT count(sendgate.upsert_account('hot-' || n, 'sales_navigator')) FROM generate_series(1, {CLIENTS}) n;
UPDATE sendgate.accounts SET inmail_daily_cap = {CAP}, sent_before = decode(repeat('00', 30), 'hex')
WHERE id LIKE 'hot-%';
SELECT sendgate.upsert_account('full', 'free');
INSERT INTO byhand.accounts SELECT * FROM sendgate.accounts WHERE id LIKE 'hot-%';
"""


def on_hot(script: str, accounts: int) -> str:
    """The same script on a few accounts that never run out."""
    script = script.replace("'account-' || :account", "'hot-' || :account").replace("< 50", f"< {CAP}")
    return script.replace(":accounts", str(accounts))


def measure(server: Server, seconds: float, rounds: int) -> dict[str, list[Cost]]:
    """What each run came to, contenders in turn."""
    server.psql(SETUP)
    runs = {
        "reserve, 64 clients on one account": on_hot(RESERVE, 1),
        "by hand, 64 clients on one account": on_hot(BY_HAND, 1),
        "reserve, 64 clients on 64 accounts": on_hot(RESERVE, CLIENTS),
        "by hand, 64 clients on 64 accounts": on_hot(BY_HAND, CLIENTS),
        "refusals, 64 clients on one account": RESERVE.replace("'account-' || :account", "'full'"),
    }
    found: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, script in runs.items():
            found[name].append(server.run(script, seconds, CLIENTS))
    return found


def refusals_write(server: Server) -> dict[str, float]:
    """Transaction ids and WAL of 64 clients' refusals; the checkpointer's own few bytes are in it."""
    script = RESERVE.replace("'account-' || :account", "'full'")
    each = 500
    server.pgbench(script, "-c", str(CLIENTS), "-j", "2", "-t", "10")
    server.psql("CHECKPOINT")
    wal, transaction = server.wal_position(), server.next_transaction()
    server.pgbench(script, "-c", str(CLIENTS), "-j", "2", "-t", str(each))
    calls = CLIENTS * each
    return {
        "calls": calls,
        "transaction ids": server.next_transaction() - transaction,
        "WAL bytes": server.wal_position() - wal,
    }
