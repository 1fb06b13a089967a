"""A disk that fills up while workers reserve: a clear error or none, nothing corrupt, and on it goes."""

import threading

from e2e.support import at_once, equal, operation, wait_for
from e2e.support.small_disk import server

ONLY_ON = (18,)

WORKERS = 4
# So often in a row nothing fits any more.
FULL = 5
ACCOUNTS = ("a", "b", "c")
DISK_FULL = "53100"
MEBIBYTES = 96
# Room for the first grants.
LEFT_KIB = 512
# Each eats a piece of the log.
MESSAGE = "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000))"
RESERVE = "SELECT proceed, reason FROM sendgate.reserve(%s, 'invite', %s, NULL, %s)"


def test_the_disk_of_the_tables_is_full(env):
    """Every call fails as a whole with PostgreSQL's own error, and works when there is room again."""
    with server(env, MEBIBYTES) as (cluster, disk):
        equal(disk.run('mkdir "$1/tables"', disk.path).returncode, 0, "a place for the tables")
        cluster.psql(f"CREATE TABLESPACE small LOCATION '{disk.path}/tables'")
        cluster.psql("CREATE DATABASE gate TABLESPACE small")
        prepare(cluster)
        disk.fill(leave_kib=LEFT_KIB)
        workers = at_once(WORKERS, lambda number: Worker(cluster, number).until_full())
        for worker in workers:
            equal(set(worker.errors), {DISK_FULL}, "errors")
            assert "No space left on device" in worker.said and "free disk space" in worker.said, worker.said
        with connect(cluster) as connection:
            equal(dispatch_until_full(connection), DISK_FULL, "what dispatch ends with")
            equal(settle(connection, workers[0].granted[:50]), set(), "how confirm fails")
            # Readers see books that are right.
            equal(books(connection), [], "counters that differ while the disk is full")
            yes = "SELECT proceed FROM sendgate.preview('a', 'invite', 'somebody')"
            equal(connection.execute(yes).fetchone()[0], True, "preview")
            disk.free()
            poisoned = "SELECT count(*) FROM sendgate.enrollments WHERE reason = 'poisoned'"
            equal(connection.execute(poisoned).fetchone()[0], 0, "work that was blamed for it")
            for account, prospect, slot in [call for worker in workers for call in worker.refused]:
                answer = connection.execute(RESERVE, (account, prospect, slot)).fetchone()
                equal(answer, (True, None), "the same call again")
            rest = connection.execute("SELECT account_id, operation_id::text FROM sendgate.dispatch(1000)").fetchall()
            assert rest, "dispatch hands out nothing any more"
        check(cluster, workers)


def test_the_disk_of_the_log_is_full(env):
    """PostgreSQL stops rather than lose anything; everything acknowledged is there when it starts again."""
    with server(env, MEBIBYTES, wal=True) as (cluster, disk):
        cluster.psql("CREATE DATABASE gate")
        prepare(cluster)
        disk.fill()
        stop = threading.Event()

        def work(number: int):
            if number == WORKERS:
                eat(cluster, stop)
                return None
            return Worker(cluster, number).until_told(stop)

        workers = at_once(WORKERS + 1, work)[:WORKERS]
        seen = {error for worker in workers for error in worker.errors}
        # Told that the disk is full, or that the server goes, or cut off; never a wrong answer.
        assert seen and all(error is None or error.startswith((DISK_FULL, "57P", "08")) for error in seen), seen
        disk.free()
        wait_for(lambda: not cluster.running() or accepts(cluster), "the server to have made up its mind")
        if not cluster.running():
            cluster.start()
        check(cluster, workers)


class Worker:
    """Reserves one after the other, and remembers what it was told."""

    def __init__(self, cluster, number: int):
        self.cluster = cluster
        self.number = number
        self.granted: list[tuple] = []
        self.refused: list[tuple] = []
        self.errors: list[str | None] = []
        self.said = ""

    def until_full(self) -> "Worker":
        """Until nothing fits any more."""
        with connect(self.cluster) as connection:
            turn = 0
            while len(self.errors) < FULL:
                turn += 1
                self.reserve(connection, turn)
        return self

    def until_told(self, stop: threading.Event) -> "Worker":
        """Until the server is gone."""
        turn = 0
        with connect(self.cluster) as connection:
            while not stop.is_set() and not connection.broken:
                turn += 1
                self.reserve(connection, turn)
        return self

    def reserve(self, connection, turn: int) -> None:
        import psycopg

        call = (ACCOUNTS[turn % 3], f"{self.number}.{turn}", operation(self.number * 100_000 + turn))
        try:
            equal(connection.execute(RESERVE, call).fetchone(), (True, None), "a grant")
            self.granted.append(call)
        except psycopg.Error as error:
            self.errors.append(error.sqlstate)
            self.refused.append(call)
            self.said = f"{error} {error.diag.message_hint}"


def prepare(cluster) -> None:
    """Accounts with more slots than there is room for, and work."""
    cluster.psql("CREATE EXTENSION sendgate", "gate")
    for account in ACCOUNTS:
        cluster.psql(
            f"""SELECT sendgate.upsert_account('{account}', 'recruiter');
            SELECT sendgate.set_cap('{account}', action, 10000, 10000) FROM unnest(ARRAY['invite', 'message']) action;
            SELECT count(sendgate.enqueue('k', 'p' || n, '{account}', 'message')) FROM generate_series(1, 3000) n""",
            "gate",
        )


def connect(cluster):
    import psycopg

    return psycopg.connect(cluster.dsn("gate"), autocommit=True)


def accepts(cluster) -> bool:
    import psycopg

    try:
        connect(cluster).close()
    except psycopg.OperationalError:
        return False
    return True


def eat(cluster, stop: threading.Event) -> None:
    """Take what is left of the log's files, until the server says that it can write no more."""
    import psycopg

    try:
        with connect(cluster) as connection:
            while True:
                connection.execute(MESSAGE)
    except psycopg.OperationalError:
        words = ("PANIC", "No space left on device")
        wait_for(lambda: all(word in log(cluster) for word in words), "the server's last word")
    finally:
        stop.set()


def log(cluster) -> str:
    return (cluster.datadir / "server.log").read_text()


def dispatch_until_full(connection) -> str:
    """Hand out until that fails; its SQLSTATE."""
    import psycopg

    try:
        while connection.execute("SELECT count(*) FROM sendgate.dispatch(100)").fetchone()[0]:
            continue
    except psycopg.Error as error:
        return error.sqlstate
    raise AssertionError("all work was handed out on a full disk")


def settle(connection, calls: list[tuple]) -> set[str]:
    """Confirm the granted operations; returns the errors other than the disk's."""
    import psycopg

    failed = set()
    for account, _prospect, slot in calls:
        try:
            connection.execute("SELECT sendgate.confirm(%s, %s)", (account, slot))
        except psycopg.Error as error:
            failed.add(error.sqlstate)
    return failed - {DISK_FULL}


def books(connection) -> list:
    """Counters that are not what the journal holds."""
    return connection.execute(
        """SELECT k.account_id, k.action, k.sent_today, count(o) FROM sendgate.counters k
        LEFT JOIN sendgate.send_operations o ON (o.account_id, o.action, o.counted_on)
            = (k.account_id, k.action, k.day) AND o.state <> 'released'
        GROUP BY 1, 2, 3 HAVING k.sent_today <> count(o)"""
    ).fetchall()


def check(cluster, workers: list[Worker]) -> None:
    """Nothing acknowledged is missing, no page and no index is corrupt, and the jobs find nothing."""
    with connect(cluster) as connection:
        slots = [slot for worker in workers for _account, _prospect, slot in worker.granted]
        assert slots, "no slot was granted before the disk was full"
        missing = """SELECT n FROM unnest(%s::uuid[]) n
            WHERE NOT EXISTS (SELECT FROM sendgate.send_operations o WHERE o.operation_id = n)"""
        equal(connection.execute(missing, (slots,)).fetchall(), [], "grants that are missing")
        equal(books(connection), [], "counters that differ")
        connection.execute("CREATE EXTENSION amcheck")
        equal(connection.execute(CORRUPT).fetchall(), [], "corrupt tables")
        connection.execute(CHECK_INDEXES)
        equal(connection.execute(RESERVE, ("a", "new", operation(1))).fetchone(), (True, None), "a new grant")
        connection.execute("CALL sendgate.tick()")
        ran = connection.execute("SELECT job, state FROM sendgate.reconcile_runs ORDER BY run_id DESC LIMIT 4")
        equal({state for _job, state in ran}, {"ok"}, "the last runs of the jobs")
        found = "SELECT count(*), (SELECT count(*) FROM sendgate.alerts) FROM sendgate.counter_drift"
        equal(connection.execute(found).fetchone(), (0, 0), "drift and alerts")


RELATIONS = "FROM pg_class c WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind = "
CORRUPT = f"SELECT c.relname, v.* {RELATIONS.replace('pg_class c', 'pg_class c, verify_heapam(c.oid) v')} 'r'"
CHECK_INDEXES = f"""SELECT bt_index_check(c.oid, true) {RELATIONS} 'i'
    AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')"""
