"""The standby is promoted under load: what a synchronous one keeps, what an asynchronous one forgets,
and how quarantine makes that good."""

import math
import os
from contextlib import ExitStack
from dataclasses import dataclass

from e2e.books.test_books import WRONG
from e2e.support import WAIT_SECONDS, equal, login, provision, wait_for
from e2e.support.daemon_process import Daemon, daemon_login, make_due
from e2e.support.replication import Line, caught_up, crash, standby
from e2e.support.senders import ACTION, RECORD, Sender, World, delivered, joined
from harness.cluster import Cluster
from harness.progress import progress

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200

ACCOUNTS = ["a", "b", "c"]
WORKERS = 4
# One of them each wants less than the gate gives it.
WISHES = ["", "-c synchronous_commit=off", "-c synchronous_commit=local", ""]
# Slots of each account, how much is sent before the primary is to die, and at most until it is dead.
CAP = 600
BEFORE = 300
UNTIL = 900
# How late the standby is, in seconds; and how often each is played, for the figures in docs/dba.md.
DELAYS = (0.0, 0.02, 0.1)
PROMOTIONS = int(os.environ.get("SENDGATE_FAILOVERS", "1"))
TRIES_MAX = 10
DAEMONS_LINE = "SELECT sendgate.breaker_arm(%s, 'test')"


def test_a_synchronous_standby_takes_over_and_nothing_is_lost(env):
    """Workers and the daemon go on by themselves; everything acknowledged is there, once."""
    import psycopg

    primary = env.cluster
    for account in ACCOUNTS:
        provision(env, account, **{ACTION: CAP})
    with standby(primary) as server:
        primary.configure(synchronous_standby_names="*")
        agreed = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for(lambda: primary.psql(agreed) == "1", "the standby to be synchronous")
        world = World(two_hosts(env, primary, server), ACCOUNTS, limit=UNTIL)
        user = daemon_login(env)
        hosts = f"{primary.host}:{primary.port},{server.host}:{server.port}"
        with Daemon(env, user, url=f"postgres://{user}@{hosts}/{env.dbname}") as daemon:
            env.connect().execute(DAEMONS_LINE, ("a",))
            wait_for(lambda: len(daemon.lines()) == 1, "the first line")
            senders = started(world)
            wait_for(lambda: delivered(world, senders, BEFORE), "deliveries before the crash")
            crash(primary)
            world.limit = math.inf
            wait_for(lambda: daemon.get("/readyz")[0] == 503, "the daemon to notice")
            with psycopg.connect(server.dsn(env.dbname), autocommit=True) as operator:
                # Whom no database has told yes may not go on sending meanwhile.
                held = len(world.provider)
                equal(operator.execute("SELECT pg_promote()").fetchone()[0], True, "promoted")
                joined(senders)
                assert len(world.provider) > held, "no worker sent after the failover"
                wait_for(daemon.ready, "the daemon to be ready")
                operator.execute(DAEMONS_LINE, ("b",))
                wait_for(lambda: len(daemon.lines()) == 2, "the second line")
                ran = f"""SELECT count(*) FROM sendgate.reconcile_runs WHERE actor = '{user}'
                          AND job = 'reconcile_operations' AND state = 'ok' AND changed = 0"""
                before = operator.execute(ran).fetchone()[0]
                make_due(Promoted(server, env), "reconcile_operations")
                wait_for(lambda: operator.execute(ran).fetchone()[0] > before, "a sweep that finds nothing")
                check_nothing_lost(world, operator)
            equal([line["account_id"] for line in daemon.lines()], ["a", "b"], "lines, each once")
    assert all(sender.reconnected for sender in senders), "a worker that noticed nothing"


def test_what_an_asynchronous_standby_forgets(env):
    """Each promotion may forget what it had not received; the later it is, the more."""
    for account in ACCOUNTS:
        provision(env, account, **{ACTION: 10_000})
    found = {}
    with ExitStack() as servers:
        primary = env.cluster
        for delay in DELAYS:
            found[delay] = losses = []
            # How much is chance; that the latest of them forgets anything at all is to be seen.
            while len(losses) < PROMOTIONS or (delay == DELAYS[-1] and not any(map(forgot, losses))):
                assert len(losses) < PROMOTIONS + TRIES_MAX, f"nothing was forgotten: {losses}"
                primary, loss = lossy_failover(env, servers, primary, delay)
                progress(f"    {delay * 1000:3.0f} ms late: {loss}")
                losses.append(loss)


def test_quarantine_after_a_failover_that_lost_transactions(env):
    """No worker sends before an operator has told the books what the provider knows. Then no cap is passed
    and no message is sent twice. The procedure of docs/operations.md."""
    import psycopg

    for account in ACCOUNTS:
        provision(env, account, **{ACTION: CAP})
    primary = env.cluster
    with Line(primary, 0.1) as line, standby(primary, line.port) as server:
        world = World(two_hosts(env, primary, server), ACCOUNTS, limit=UNTIL)
        senders = started(world)
        wait_for(lambda: delivered(world, senders, BEFORE), "deliveries before the crash")
        # From here on the standby receives nothing, and in the end every worker holds a grant. At least one of
        # these grants is later than everything that was on its way to the standby already.
        line.delay = WAIT_SECONDS
        unheard = len(world.granted) + 2 * WORKERS
        world.limit = unheard + WORKERS
        wait_for(lambda: len(world.granted) >= unheard, "grants that the standby does not hear of")
        world.at_provider.set()
        world.limit = math.inf
        wait_for(lambda: len(world.granted) - len(world.confirmed) == WORKERS, "all to be at the provider")
        # Promoted closed: workers look for a server that takes writes, and find none.
        server.configure(default_transaction_read_only="on")
        crash(primary, line)
        world.at_provider.clear()
        server.psql("SELECT pg_promote()", env.dbname)
        opened = "-c default_transaction_read_only=off"
        with psycopg.connect(server.dsn(env.dbname), autocommit=True, options=opened) as operator:
            operator.execute("SELECT sendgate.quarantine('the standby was behind')")
            server.configure(default_transaction_read_only=None)
            # Sends that were on their way when the primary died are reported by their worker, or are in the list.
            wait_for(lambda: world.forgotten, "a worker to learn that its grant is forgotten")
            wait_for(lambda: all(refused(operator, account) for account in ACCOUNTS), "quarantine")
            settled = "SELECT count(*) FROM sendgate.send_operations WHERE state = 'reserved'"
            sent = len(world.provider)
            for send in list(world.provider):
                operator.execute(RECORD, (send.account, send.prospect, send.chat_id, send.at))
            operator.execute("SELECT sendgate.quarantine('the provider''s list is in')")
            try:
                operator.execute("SELECT sendgate.resume_all()")
                raise AssertionError("resumed before the books were checked")
            except psycopg.Error as error:
                equal(error.sqlstate, "SG215", "SQLSTATE")
            operator.execute("CALL sendgate.tick()")
            equal(len(world.provider), sent, "sends in quarantine")
            operator.execute("SELECT sendgate.resume_all()")
            joined(senders)
            equal(operator.execute(settled).fetchone()[0], 0, "slots that are not settled")
            check_books(world, operator)
    for account in ACCOUNTS:
        accepted = [send.prospect for send in world.provider if send.account == account]
        equal(len(accepted), CAP, f"what the provider accepted for {account}")
        equal(len(set(accepted)), CAP, f"prospects of {account}")


@dataclass
class Loss:
    """What a promoted standby did not know, of what the primary had acknowledged."""

    granted: int
    grants: int
    confirmed: int
    confirms: int
    # Seconds before the crash.
    oldest: float
    # Acknowledged deliveries a second.
    rate: float

    def __str__(self) -> str:
        return (
            f"{self.grants} of {self.granted} grants and {self.confirms} of {self.confirmed} confirms"
            f" forgotten, the oldest {self.oldest * 1000:.0f} ms before the crash, at {self.rate:.0f} a second"
        )


def forgot(loss: Loss) -> bool:
    return bool(loss.grants and loss.confirms)


class Promoted:
    """A test's database on another server."""

    def __init__(self, server: Cluster, env):
        self.psql = lambda sql: server.psql(sql, env.dbname)


def lossy_failover(env, servers: ExitStack, primary: Cluster, delay: float) -> tuple[Cluster, Loss]:
    """One crash and promotion: the new primary, and what it does not know."""
    import psycopg

    line = servers.enter_context(Line(primary, 0.0)) if delay else None
    server = servers.enter_context(standby(primary, line.port if line else None))
    if line:
        line.delay = delay
    world = World(two_hosts(env, primary, server), ACCOUNTS)
    senders = started(world)
    wait_for(lambda: delivered(world, senders, BEFORE // 2), "deliveries that the standby is to hear of")
    early = list(world.granted)
    with psycopg.connect(server.dsn(env.dbname), autocommit=True) as reader:
        caught_up(primary, reader)
    wait_for(lambda: delivered(world, senders, BEFORE), "deliveries before the crash")
    at = crash(primary, line)
    world.stop.set()
    # From now on no worker gets a grant; they go on with the new primary.
    granted, confirmed = list(world.granted), list(world.confirmed)
    with psycopg.connect(server.dsn(env.dbname), autocommit=True) as operator:
        equal(operator.execute("SELECT pg_promote()").fetchone()[0], True, "promoted")
        joined(senders)
        equal(unknown(operator, "send_operations", early), [], "forgotten, though the standby had it")
        grants = unknown(operator, "send_operations", granted)
        confirms = unknown(operator, "linkedin_events", confirmed)
        # A worker's own word for it, after the promotion.
        for send in world.forgotten:
            known = "SELECT count(*) FROM sendgate.linkedin_events WHERE chat_id = %s"
            equal(operator.execute(known, (send.chat_id,)).fetchone()[0], 1, "an external send")
    oldest = max((at - when for _, when in grants + confirms), default=0.0)
    rate = len(confirmed) / (at - confirmed[0][1])
    return server, Loss(len(granted), len(grants), len(confirmed), len(confirms), oldest, rate)


def unknown(connection, table: str, acknowledged: list) -> list:
    """Those whose operation is not in this table."""
    ids = [operation for operation, _ in acknowledged]
    known = connection.execute(
        f"SELECT operation_id FROM sendgate.{table} WHERE operation_id = ANY (%s)", (ids,)
    ).fetchall()
    known = {row[0] for row in known}
    return [entry for entry in acknowledged if entry[0] not in known]


def started(world: World) -> list[Sender]:
    senders = [Sender(world, number, WISHES[number]) for number in range(WORKERS)]
    for sender in senders:
        sender.start()
    return senders


def two_hosts(env, primary: Cluster, server: Cluster) -> str:
    """What an application is given that is to follow a failover."""
    user = f"sender_of_{env.dbname}"
    exists = f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"
    if not primary.psql(exists):
        login(env, user, "sendgate_sender")
        wait_for(lambda: server.psql(exists), "the role on the standby")
    return (
        f"host={primary.host},{server.host} port={primary.port},{server.port} dbname={env.dbname}"
        f" user={user} target_session_attrs=read-write"
    )


def refused(connection, account: str) -> bool:
    preview = f"SELECT reason FROM sendgate.preview(%s, '{ACTION}')"
    return connection.execute(preview, (account,)).fetchone()[0] == "paused_by_operator"


def check_nothing_lost(world: World, connection) -> None:
    """Everything acknowledged is there once, and each account has sent exactly what it may."""
    equal(unknown(connection, "send_operations", world.granted), [], "acknowledged grants that are lost")
    equal(unknown(connection, "linkedin_events", world.confirmed), [], "acknowledged deliveries that are lost")
    equal(world.forgotten, [], "sends whose operation was not known")
    check_books(world, connection)
    for account in ACCOUNTS:
        accepted = [send.operation for send in world.provider if send.account == account]
        equal(len(accepted), CAP, f"what the provider accepted for {account}")
        equal(len(set(accepted)), CAP, f"operations of {account}, each sent once")


def check_books(world: World, connection) -> None:
    """Every send of the provider is in the event log once, and counters are what the journal says."""
    twice = """SELECT chat_id, count(*) FROM sendgate.linkedin_events
               GROUP BY chat_id HAVING count(*) > 1"""
    equal(connection.execute(twice).fetchall(), [], "deliveries that are in the log twice")
    logged = {row[0] for row in connection.execute("SELECT chat_id FROM sendgate.linkedin_events")}
    equal(logged, {send.chat_id for send in world.provider}, "deliveries")
    equal(connection.execute(WRONG).fetchall(), [], "counters that are not what the journal says")
