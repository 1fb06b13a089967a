"""Upgrades while workers send and sweeps run: nothing is lost, nothing is sent twice, and all go on."""

import threading

from e2e.durability.test_failover import ACCOUNTS, ACTION, CAP, check_books, started
from e2e.install.test_upgrade import LATER, UPDATE
from e2e.support import equal, login, provision, wait_for
from e2e.support.senders import World, delivered, joined
from harness.build import default_version
from upgrade import releases

NEWEST_ONLY = True

ROUNDS = 5
# Deliveries of a round before the upgrade, and at most until it is through.
BEFORE = 20
UNTIL = 300
# An upgrade that met a session in its first statement is run again (docs/dba.md).
TRIES_MAX = 20


def test_workers_go_on_after_an_upgrade_under_load(env):
    """Calls are refused only while the SQL and the library are of different versions."""
    for account in ACCOUNTS:
        provision(env, account, **{ACTION: CAP})
    user = login(env, f"sender_of_{env.dbname}", "sendgate_sender")
    world = World(env.cluster.dsn(env.dbname, user), ACCOUNTS, limit=UNTIL)
    stop = threading.Event()
    sweeps = threading.Thread(target=sweep, args=(env, stop), daemon=True)
    with there_and_back(env):
        senders = started(world)
        sweeps.start()
        try:
            for _ in range(ROUNDS):
                wait_for(lambda: delivered(world, senders, world.limit - UNTIL + BEFORE), "deliveries of the round")
                refused_before = [sender.reconnected for sender in senders]
                upgrade(env, LATER)
                sent = len(world.granted)
                world.limit += UNTIL
                wait_for(
                    lambda: all(now.reconnected > was for now, was in zip(senders, refused_before, strict=True)),  # noqa: B023
                    "every worker to be refused",
                )
                # A grant that was acknowledged before the upgrade may have been written down after it.
                assert len(world.granted) <= sent + len(senders), "granted under SQL of another version"
                upgrade(env, default_version())
            world.limit = float("inf")
            joined(senders)
        finally:
            stop.set()
            sweeps.join()
    with env.connect() as connection:
        check_books(world, connection)
    for account in ACCOUNTS:
        accepted = [send.operation for send in world.provider if send.account == account]
        equal((len(accepted), len(set(accepted))), (CAP, CAP), f"what the provider accepted for {account}")
    equal(world.forgotten, [], "sends whose operation was not known")


def there_and_back(env):
    """A version after the one at hand, and a way back, which no release has."""
    here = default_version()
    deltas = {f"{here}--{LATER}": releases.HEAD, f"{LATER}--{here}": releases.HEAD}
    return releases.placed(env.install, releases.Release(LATER, "", "", deltas))


def upgrade(env, version: str) -> None:
    """As a DBA does it."""
    import psycopg

    with env.connect() as connection:
        for _ in range(TRIES_MAX):
            try:
                connection.execute(f"{UPDATE} TO '{version}'")
                return
            except psycopg.errors.DeadlockDetected:
                continue
    raise AssertionError(f"no upgrade to {version} in {TRIES_MAX} tries")


def sweep(env, stop: threading.Event) -> None:
    """The books, all the time; an upgrade ends a sweep, and the next one begins."""
    import psycopg

    while not stop.is_set():
        try:
            with env.connect() as connection:
                while not stop.is_set():
                    for job in ("audit_events", "reconcile_operations"):
                        connection.execute(f"SELECT * FROM sendgate.{job}()")
        except psycopg.OperationalError:  # refused, or chosen to end a deadlock
            continue
