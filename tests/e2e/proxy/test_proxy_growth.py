"""Growing, as docs/scaling.md says it: a partition moves to another server with a standby, and back by logical replication,
while workers send through the proxies and the daemon serves all partitions. Nothing is lost, nothing is sent twice, and its
cap holds; the daemon is restarted in the middle of a move, and after each.

It fails, as was tried, where the page's steps are not followed: the old database is not closed; its sessions are not ended,
so that a worker settles there what is lost; it is not fenced; the copy is opened before everything has arrived."""

import uuid
from contextlib import ExitStack, contextmanager

import psycopg

from e2e.durability.test_logical_replication import block, unsubscribe
from e2e.proxy.test_proxy_calls import refused, reserve
from e2e.support import equal, operation, wait_for
from e2e.support.daemon_process import Daemon
from e2e.support.partitions import COUNT, accounts_of
from e2e.support.proxy_load import ACTION, CONFIRM, Load
from e2e.support.replication import standby
from harness.cluster import Cluster

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

WORKERS = 8
MOVED = 2
# Slots of the account that moves; before its first and second move it sends no more than so many.
CAP = 200
BEFORE = (50, 100)
PLENTY = 10_000
REASON = "SELECT reason FROM sendgate.preview(%s, 'message')"
CHECKED = "SELECT audited AND reconciled FROM sendgate.quarantine_progress"


def test_a_partition_moves_by_a_standby_and_by_logical_replication(parts):
    old = parts.env.cluster
    # What it takes to be a publisher later; the test's own server needs no restart for it.
    old.configure(wal_level="logical", wal_retrieve_retry_interval="50ms")
    script = parts.script()
    proxies = [parts.proxy(script) for _ in range(2)]
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    operator = parts.connect(proxies[0])
    for n, account in enumerate(accounts):
        operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        operator.execute("SELECT sendgate.set_cap(%s, 'message', %s)", (account, CAP if n == MOVED else PLENTY))
    load = Load(accounts)
    load.limits[accounts[MOVED]] = BEFORE[0]
    load.begin(parts, proxies, WORKERS)
    try:
        with standby(old) as server, Service(parts) as service:
            service.serves(COUNT)
            by_a_standby(parts, load, proxies, server, service)
            by_logical_replication(parts, load, proxies, server, service)
            service.serves(COUNT)
            wait_for(lambda: load.sent(accounts[MOVED]) == CAP, "the account to reach its cap")
    finally:
        load.end()
        unsubscribe(parts.env)
    equal(len(load.provider[accounts[MOVED]]), CAP, "sends of the account that moved")
    for n, account in enumerate(accounts):
        load.check(account, parts.direct(n))
        if n != MOVED:
            equal([str(error) for error in load.faults[account]], [], f"errors for {account}, which stayed")


class Service:
    """The daemon of all partitions, from ``with`` on."""

    def __init__(self, parts):
        self.parts = parts

    def __enter__(self) -> "Service":
        self.start(self.parts.urls())
        return self

    def __exit__(self, *_exception) -> None:
        self._stack.close()

    def start(self, urls: list[str]) -> None:
        """With these addresses."""
        self._stack = ExitStack()
        environment = {"url": "\n".join(urls), "SENDGATED_POLL": "0.1"}
        self.daemon = self._stack.enter_context(Daemon(self.parts.env, **environment))

    def stop(self) -> None:
        """As an operator stops it."""
        equal(self.daemon.stop()[0], 0, "exit status of the daemon")
        self._stack.close()

    def restart(self, urls: list[str]) -> None:
        """The same, and start it again."""
        self.stop()
        self.start(urls)

    def serves(self, count: int) -> None:
        """So many partitions are up."""
        wait_for(lambda: f"{count} of {COUNT} databases" in self.daemon.get("/readyz")[1], f"{count} partitions")


def by_a_standby(parts, load: Load, proxies: list[str], server: Cluster, service: Service) -> None:
    """The partition's server has a standby, which becomes the partition's own server."""
    name, old, account = parts.names[MOVED], parts.env.cluster, load.accounts[MOVED]
    wait_for(lambda: load.sent(account) > BEFORE[0] // 2, "sends before the move")
    load.limits[account] = BEFORE[1]
    # A worker that has sent, and says so late: while the partition is closed, and when it is open again.
    late, sent = parts.connect(proxies[1]), uuid.UUID(operation(2))
    equal(reserve(late, account, ACTION, "late", str(sent))["proceed"], True, "a slot before the move")
    load.provider[account].append(sent)
    with meanwhile(load):
        closed(old, name, account)
        position = old.psql("SELECT pg_current_wal_lsn()")
        # The daemon is restarted in between: it serves the others, and has nothing to do with this one.
        service.restart(parts.urls())
        service.serves(COUNT - 1)
        wait_for(lambda: old.psql(step("ended", name)) == "0", "no session of the closed partition")
        arrived = step("replayed", name).replace(":'position'", f"'{position}'")
        wait_for(lambda: server.psql(arrived) == "t", "the standby to have everything")
        server.psql(step("promote", name))
        granted = len(load.provider[account])
        old.psql(step("fence", name))
        for other in parts.names:
            if other != name:
                server.psql(step("stays", other, "p0"))
        server.psql(step("open", name))
        # The same database as before, not a copy: what holds it is that the quarantine has come along.
        with psycopg.connect(server.dsn(name), autocommit=True) as moved:
            equal(moved.execute("SELECT sendgate.copied_database()").fetchone(), (False,), "whose books they are")
            equal(moved.execute(REASON, (account,)).fetchone(), ("paused_by_operator",), "the new one")
        # The daemon finds it at its new address and looks at every account, in place of the page's CALL.
        script, urls = repointed(parts, server, name)
        service.restart(urls)
        service.serves(COUNT)
        wait_for(lambda: server.psql(CHECKED, name) == "t", "the daemon to check its books")
        server.psql(without_the_call(step("resume", name)), name)
        # Through a proxy with the old address nothing goes, whatever the new one does.
        for proxy in proxies:
            said = str(refused(parts.connect(proxy), "SELECT sendgate.reserve(%s, 'message', 'p')", account))
            assert "not currently accepting connections" in said, said
        error = refused(late, CONFIRM, account, sent, f"chat {sent}")
        assert not (error.sqlstate or "").startswith("SG"), f"settled where it is lost, or not known: {error}"
        equal(len(load.provider[account]), granted, "grants while it moved")
        parts.proxies.psql(script, proxies[0])
        wait_for(lambda: len(load.provider[account]) > granted, "grants through the first proxy")
        parts.proxies.psql(script, proxies[1])
        late.execute(CONFIRM, (account, sent, f"chat {sent}"))
        load.confirmed[account].append(sent)


def by_logical_replication(parts, load: Load, proxies: list[str], server: Cluster, service: Service) -> None:
    """Its tables are copied into a new database on another server: the one that it came from."""
    name, account = parts.names[MOVED], load.accounts[MOVED]
    fresh = parts.env.fresh_database()
    server.psql(block("publish"), name)
    subscribe = block("subscribe").replace("host=db1 dbname=app user=replicator", server.dsn(name))
    parts.env.psql(subscribe, fresh)
    copying = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"
    wait_for(lambda: parts.env.psql(copying, fresh) == "0", "the tables to be copied")
    wait_for(lambda: load.sent(account) > BEFORE[0] + 10, "sends through the moved partition")
    load.limits.pop(account)
    # Without it, nothing looks at the accounts before the page's CALL does.
    service.stop()
    with meanwhile(load):
        closed(server, name, account)
        position = server.psql("SELECT pg_current_wal_lsn()")
        arrived = block("arrived").replace(":'position'", f"'{position}'")
        wait_for(lambda: server.psql(arrived) == "t", "everything to arrive")
        # It is a copy, and would not send even if its quarantine were over.
        equal(parts.env.psql("SELECT sendgate.copied_database()", fresh), "t", "whose books they are")
        parts.env.psql(step("adopt", name), fresh)
        equal(parts.env.psql("SELECT sendgate.copied_database()", fresh), "f", "whose books they are now")
        server.psql(step("fence", name))
        granted = len(load.provider[account])
        parts.names[MOVED] = fresh
        script = parts.script()
        for proxy in proxies:
            parts.proxies.psql(script, proxy)
        answer = reserve(parts.connect(proxies[0]), account, "message", "p", operation(1))
        equal((answer["proceed"], answer["reason"]), (False, "paused_by_operator"), "the new one, unchecked")
        with psycopg.connect(parts.env.cluster.dsn(fresh), autocommit=True) as moved:
            equal(refused(moved, "SELECT sendgate.resume_all()").sqlstate, "SG215", "resumed unchecked")
        equal(len(load.provider[account]), granted, "grants while it moved")
        parts.env.psql(step("resume", name), fresh)
        service.start(parts.urls())
        wait_for(lambda: len(load.provider[account]) > granted, "grants of the new database")
    equal(server.psql("SELECT count(*) FROM pg_replication_slots"), "0", "slots that are left")


@contextmanager
def meanwhile(load: Load):
    """The account that moves is refused, and the others are sent for."""
    account = load.accounts[MOVED]
    others = [other for other in load.accounts if other != account]
    tried, sent = load.tried(account), [load.sent(other) for other in others]
    yield
    assert load.tried(account) > tried, "no call met the partition while it moved"
    for other, before in zip(others, sent, strict=True):
        assert load.sent(other) > before, f"nothing was sent for {other} meanwhile"


def closed(server: Cluster, name: str, account: str) -> None:
    """The first steps, common to both ways: no client is in the database, and none comes in."""
    server.psql(step("close", name), name)
    ended = step("ended", name)
    wait_for(lambda: server.psql(ended) == "0", "its sessions to end")
    # A superuser may still come in, and is refused by the gate.
    with psycopg.connect(server.dsn(name), autocommit=True) as left:
        answer = reserve(left, account, "message", "p", operation(1))
        equal((answer["proceed"], answer["reason"]), (False, "paused_by_operator"), "the old one")


def repointed(parts, server: Cluster, name: str) -> tuple[str, list[str]]:
    """The script with the partition's new address in the old place, and the addresses."""
    urls = parts.urls()
    user = urls[0].split("//")[1].split("@")[0]
    urls[MOVED] = f"postgres://{user}@{server.host}:{server.port}/{name}"
    done = parts.command(urls=urls)
    equal(done.returncode, 0, done.stderr)
    return done.stdout, urls


def without_the_call(resume: str) -> str:
    """The page's block for those who wait for the daemon."""
    lines = [line for line in resume.splitlines() if not line.startswith("CALL sendgate.tick()")]
    equal(len(resume.splitlines()) - len(lines), 1, "calls in the block")
    return "\n".join(lines)


def step(named: str, database: str, called: str = "p2") -> str:
    """A block of docs/scaling.md about this database."""
    return block(named, "scaling.md").replace(called, database)
