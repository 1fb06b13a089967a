"""Applications behind PgBouncer in transaction mode: a call is a transaction, on any connection."""

import threading

from e2e.books.test_books import ACCOUNTS, WRONG, run_job, work
from e2e.books.test_books import WORKERS as CRASHING_WORKERS
from e2e.support import at_once, books, equal, login, provision
from e2e.support.pool import SERVERS, pool

WORKERS = 8
EACH = 25
# After how many executions psycopg prepares a statement.
AT_ONCE, NEVER = 0, None


def test_workers_behind_a_transaction_pool(env):
    """More workers than server connections: reserve and confirm, prepared at once."""
    workers_behind_the_pool(env, AT_ONCE)


def test_workers_behind_a_transaction_pool_that_prepare_nothing(env):
    workers_behind_the_pool(env, NEVER)


def workers_behind_the_pool(env, threshold: int | None) -> None:
    import psycopg

    provision(env, inmail=WORKERS * EACH - 10, invite=WORKERS)
    user = login(env, "pool_app", "sendgate_sender")
    with pool(env, user) as dsn:

        def work(number: int) -> int:
            delivered = 0
            with psycopg.connect(dsn, autocommit=True, prepare_threshold=threshold) as connection:
                invite = "SELECT proceed FROM sendgate.reserve('a', 'invite', %s)"
                assert connection.execute(invite, (f"i{number}",)).fetchone()[0]
                for turn in range(EACH):
                    reserve = "SELECT proceed, operation_id FROM sendgate.reserve('a', 'inmail', %s)"
                    prospect = f"p{number}-{turn}"
                    proceed, operation = connection.execute(reserve, (prospect,)).fetchone()
                    if proceed:
                        confirm = "SELECT sendgate.confirm('a', %s, %s)"
                        connection.execute(confirm, (operation, f"chat {prospect}"))
                        delivered += 1
            return delivered

        sent = sum(at_once(WORKERS, work))
        with psycopg.connect(dsn, autocommit=True, prepare_threshold=NEVER) as connection:
            names = connection.execute("SELECT name FROM pg_catalog.pg_prepared_statements").fetchall()
            equal(bool(names), threshold is not NEVER, "the pooler keeps prepared statements")
    slots = WORKERS * EACH - 10
    equal(sent, slots, "delivered by the workers")
    expected = {"counter": slots, "journal": slots, "delivered": slots, "events": slots}
    equal(books(env), expected, "books")
    equal(books(env, action="invite")["counter"], WORKERS, "invites")


def test_sweeps_find_nothing_while_workers_work_behind_the_pool(env):
    """Two sweepers run layers 2 and 1 without a pause while workers crash and share few connections. The
    sweeps report no drift and open no alert, and every counter is the sum of its parts."""
    import psycopg

    for account in ACCOUNTS:
        provision(env, account, inmail=1000, message=1000)
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.lock_timeout = '5min'")
    user, keeper = login(env, "pool_sweeps", "sendgate_sender"), login(env, "keeper", "sendgate_daemon")
    stop, swept, failed = threading.Event(), [], []

    def sweep() -> None:
        connection = env.connect(user=keeper)
        try:
            while not stop.is_set():
                for job in ("audit_events", "reconcile_operations"):
                    swept.append((job, *run_job(connection, job)))
        except Exception as error:
            failed.append(error)

    sweepers = [threading.Thread(target=sweep, daemon=True) for _ in range(2)]
    with pool(env, user) as dsn:

        class Pooled:
            """What a worker knows of the database."""

            @staticmethod
            def connect() -> psycopg.Connection:
                return psycopg.connect(dsn, autocommit=True, prepare_threshold=AT_ONCE)

        for sweeper in sweepers:
            sweeper.start()
        try:
            at_once(CRASHING_WORKERS, lambda number: work(Pooled, number))
        finally:
            stop.set()
            for sweeper in sweepers:
                sweeper.join()
    assert not failed, f"a sweep failed: {failed[0]}"
    # The last word, when nothing is under way any more.
    connection = env.connect()
    swept += [(job, *run_job(connection, job)) for job in ("audit_events", "reconcile_operations")]
    for job in ("audit_events", "reconcile_operations"):
        busy = [line for line in swept if line[0] == job and line[1]]
        assert len(busy) > 10, f"only {len(busy)} sweeps of {job} that looked at accounts"
        equal([line for line in busy if line[2]], [], f"sweeps of {job} that found something")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")
    equal(env.psql("SELECT kind FROM sendgate.alerts"), "", "alerts, open or not")
    equal(env.psql(WRONG), "", "counters that are not what the journal says")
    for account in ACCOUNTS:
        found = books(env, account)
        equal(found["events"], found["delivered"], f"events of {account}")
        equal(found["counter"], found["journal"], f"counter of {account}")
        assert found["delivered"] > 50, found


def test_a_superusers_test_clock_does_not_leak_through_the_pool(env):
    """A session setting is the server connection's; the gate's users cannot make one."""
    import psycopg

    user = login(env, "pool_clock", "sendgate_sender")
    with pool(env, user) as dsn:
        with psycopg.connect(dsn, autocommit=True, prepare_threshold=NEVER) as connection:
            for _ in range(SERVERS * 2):
                connection.execute("SET sendgate.now = '2001-02-03 04:05:06+00'") if _ == 0 else None
                real = "SELECT abs(extract(epoch FROM sendgate.clock() - clock_timestamp())) < 600"
                equal(connection.execute(real).fetchone()[0], True, "the real time")
