"""Growing: a partition moves to another database while workers send through two proxies."""

import threading
import uuid

import psycopg

from e2e.proxy.test_proxy_calls import reserve, value
from e2e.support import equal, wait_for
from e2e.support.partitions import COUNT, accounts_of

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

WORKERS = 6
# Of the account whose partition moves; the others have more than the workers can take.
CAP = 150
PLENTY = 10_000
MOVED = 2
SWEPT = "SELECT bool_and(audited AND reconciled) FROM sendgate.quarantine_progress"


def test_a_partition_moves_while_workers_send(parts):
    script = parts.script()
    proxies = [parts.proxy(script) for _ in range(2)]
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    operator = parts.connect(proxies[0])
    for n, account in enumerate(accounts):
        operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        cap = CAP if n == MOVED else PLENTY
        operator.execute("SELECT sendgate.set_cap(%s, 'message', %s)", (account, cap))
    heard: dict[str, set] = {account: set() for account in accounts}
    failed: dict[str, int] = dict.fromkeys(accounts, 0)
    stop = threading.Event()
    workers = [threading.Thread(target=send, args=(parts, proxies[n % 2], heard, failed, stop)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        moved = accounts[MOVED]
        wait_for(lambda: len(heard[moved]) > 5, "grants on the partition that moves")
        old = parts.names[MOVED]
        parts.direct(MOVED).execute("SELECT sendgate.quarantine('moving')")
        parts.down(MOVED)
        before = len(heard[moved])
        others = [len(heard[account]) for n, account in enumerate(accounts) if n != MOVED]
        fresh = f"{old}_moved"
        # What replication would have brought, to the last row.
        wait_for(lambda: copied(parts, old, fresh), "the copy")
        parts.env._databases.append(fresh)
        parts.names[MOVED] = fresh
        script = parts.script()
        for proxy in proxies:
            parts.proxies.psql(script, proxy)
        direct = parts.direct(MOVED)
        direct.execute("SELECT sendgate.adopt_database('moved')")
        equal(len(heard[moved]), before, "grants while it was moved")
        wait_for(lambda: swept(direct), "the jobs to meet every account")
        grown = [len(heard[account]) for n, account in enumerate(accounts) if n != MOVED]

        direct.execute("SELECT sendgate.resume_all()")
        wait_for(lambda: len(heard[moved]) == CAP, "its account to reach its cap")
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert before < CAP, "the partition moved in the middle"
    assert failed[moved] > 0, "its account was refused meanwhile"
    equal([failed[account] for account in accounts if account != moved], [0] * (COUNT - 1), "faults of the others")
    assert any(now > then for now, then in zip(grown, others, strict=True)), (others, grown)
    for n, account in enumerate(accounts):
        rows = parts.direct(n).execute("SELECT operation_id FROM sendgate.send_operations").fetchall()
        equal({row[0] for row in rows}, heard[account], f"operations of {account}")
        sent = value(parts.direct(n), "SELECT messages_sent_today FROM sendgate.linkedin_accounts")
        equal(sent, len(heard[account]), f"slots of {account}")


def send(parts, proxy: str, heard: dict, failed: dict, stop: threading.Event) -> None:
    """A worker: it asks for one account after the other, with the same id until it has an answer."""
    connection = parts.connect(proxy)
    pending: dict[str, uuid.UUID] = {}
    while not stop.is_set():
        for account in heard:
            one = pending.setdefault(account, uuid.uuid4())
            try:
                answer = reserve(connection, account, "message", str(one), str(one))
            except psycopg.Error:
                failed[account] += 1
                continue
            del pending[account]
            if answer["proceed"]:
                heard[account].add(answer["operation_id"])
            elif answer["reason"] == "paused_by_operator":
                failed[account] += 1


def copied(parts, old: str, fresh: str) -> bool:
    """Whether the database was copied; a session of a proxy may still be ending."""
    try:
        parts.env.cluster.psql(f'CREATE DATABASE "{fresh}" TEMPLATE "{old}"')
    except Exception as error:
        assert "being accessed" in str(error), error
        return False
    parts.env.cluster.psql(f'ALTER DATABASE "{fresh}" ALLOW_CONNECTIONS true')
    return True


def swept(direct) -> bool:
    """Let both layers go on; whether they have met every account."""
    direct.execute("SELECT * FROM sendgate.audit_events()")
    direct.execute("SELECT * FROM sendgate.reconcile_operations()")
    return value(direct, SWEPT)
