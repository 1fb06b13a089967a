"""What a DBA may do to our tables while workers send: the table in docs/dba.md, line by line.

After each line every worker has got a grant again, in the session that it had before; at the end caps, journal and
counters agree exactly.
"""

import random
import re
import threading
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from e2e.support import equal, provision, wait_for
from harness.places import REPO

# Every version locks and rewrites in the same way.
NEWEST_ONLY = True
ACCOUNTS = [f"a{number}" for number in range(6)]
ACTIONS = ("message", "invite", "inmail")
# InMails are used up on the way, messages and invites are not.
INMAIL_CAP = 20
CAP = 10_000
# Few enough to be asked for again, and the share of sends that goes to them.
KNOWN, KNOWN_SHARE = 60, 0.2
WORKERS = 4
# Tables that a DBA maintains, the largest and the busiest ones.
TABLES = ("accounts", "send_operations", "linkedin_events", "enrollments")


@dataclass(frozen=True)
class Ddl:
    """What a DBA does to a table: ``@`` stands for it, ``#`` for its first column of the primary key. ``undo`` follows
    once the workers have met it."""

    does: str
    undo: str = ""
    tables: tuple[str, ...] = TABLES
    # Calls fail with 55000 until it is undone; otherwise none does.
    refused: bool = False
    # Rows that were written meanwhile to what is undone.
    lost: str = ""

    def on(self, table: str, sql: str) -> str:
        """Its SQL for a table."""
        return sql.replace("@", table).replace("#", "id" if table == "accounts" else "account_id")


# By the names that the page gives them.
DDL: dict[str, tuple[Ddl, ...]] = {
    "`REINDEX TABLE CONCURRENTLY`": (Ddl("REINDEX TABLE CONCURRENTLY sendgate.@"),),
    "`CREATE INDEX CONCURRENTLY`": (
        Ddl("CREATE INDEX CONCURRENTLY of_a_dba ON sendgate.@ (#)", "DROP INDEX CONCURRENTLY sendgate.of_a_dba"),
    ),
    "`VACUUM`, `ANALYZE`, `CREATE STATISTICS`": (
        Ddl("VACUUM (ANALYZE, FREEZE) sendgate.@"),
        Ddl("CREATE STATISTICS sendgate.of_a_dba ON action, account_id FROM sendgate.@", "DROP STATISTICS sendgate.of_a_dba",
            ("send_operations", "enrollments")),
    ),
    "storage parameters": (
        Ddl("ALTER TABLE sendgate.@ SET (autovacuum_vacuum_scale_factor = 0.01)",
            "ALTER TABLE sendgate.@ RESET (autovacuum_vacuum_scale_factor)"),
    ),
    "`REINDEX`, `CREATE INDEX`": (
        Ddl("REINDEX TABLE sendgate.@"),
        Ddl("CREATE INDEX of_a_dba ON sendgate.@ (#)", "DROP INDEX sendgate.of_a_dba"),
    ),
    "`VACUUM FULL`, `CLUSTER`": (Ddl("VACUUM FULL sendgate.@"), Ddl("CLUSTER sendgate.@ USING @_pkey")),
    "`SET TABLESPACE`": (
        Ddl("ALTER TABLE sendgate.@ SET TABLESPACE of_a_dba", "ALTER TABLE sendgate.@ SET TABLESPACE pg_default"),
    ),
    "`ADD COLUMN`": (
        Ddl("ALTER TABLE sendgate.@ ADD COLUMN of_a_dba text", "ALTER TABLE sendgate.@ DROP COLUMN of_a_dba"),
        Ddl("ALTER TABLE sendgate.@ ADD COLUMN of_a_dba int DEFAULT 7", "ALTER TABLE sendgate.@ DROP COLUMN of_a_dba"),
        Ddl("ALTER TABLE sendgate.@ ADD COLUMN of_a_dba uuid DEFAULT gen_random_uuid()",
            "ALTER TABLE sendgate.@ DROP COLUMN of_a_dba"),
    ),
    "triggers, constraints": (
        Ddl("CREATE TRIGGER of_a_dba AFTER INSERT OR UPDATE ON sendgate.@ FOR EACH ROW EXECUTE FUNCTION public.nothing()",
            "DROP TRIGGER of_a_dba ON sendgate.@"),
        Ddl("ALTER TABLE sendgate.@ ADD CONSTRAINT of_a_dba CHECK (true) NOT VALID",
            "ALTER TABLE sendgate.@ DROP CONSTRAINT of_a_dba"),
    ),
    "replica identity, publications": (
        Ddl("ALTER TABLE sendgate.@ REPLICA IDENTITY FULL", "ALTER TABLE sendgate.@ REPLICA IDENTITY DEFAULT"),
        Ddl("ALTER TABLE sendgate.@ REPLICA IDENTITY USING INDEX @_pkey", "ALTER TABLE sendgate.@ REPLICA IDENTITY DEFAULT"),
        Ddl("CREATE PUBLICATION of_a_dba FOR TABLE sendgate.@", "DROP PUBLICATION of_a_dba"),
    ),
    "row security": (
        Ddl("ALTER TABLE sendgate.@ ENABLE ROW LEVEL SECURITY", "ALTER TABLE sendgate.@ DISABLE ROW LEVEL SECURITY"),
    ),
    "row security that is forced": (
        Ddl("ALTER TABLE sendgate.@ ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "ALTER TABLE sendgate.@ DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
            ("accounts", "send_operations"), refused=True),
    ),
    "partitioning, inheritance": (
        Ddl("""BEGIN; ALTER TABLE sendgate.@ RENAME TO of_before;
            CREATE TABLE sendgate.@ (LIKE sendgate.of_before INCLUDING ALL) PARTITION BY HASH (#);
            CREATE TABLE sendgate.of_a_dba PARTITION OF sendgate.@ FOR VALUES WITH (MODULUS 1, REMAINDER 0);
            ALTER TABLE sendgate.@ OWNER TO sendgate_owner; ALTER TABLE sendgate.of_a_dba OWNER TO sendgate_owner;
            INSERT INTO sendgate.@ SELECT * FROM sendgate.of_before; COMMIT""",
            "BEGIN; DROP TABLE sendgate.@; ALTER TABLE sendgate.of_before RENAME TO @; COMMIT",
            ("accounts", "send_operations"), refused=True, lost="TABLE sendgate.@ EXCEPT ALL TABLE sendgate.of_before"),
        Ddl("CREATE TABLE public.heir () INHERITS (sendgate.@)", "DROP TABLE public.heir",
            ("accounts", "send_operations"), refused=True),
    ),
    "another access method": (
        Ddl("ALTER TABLE sendgate.@ SET ACCESS METHOD heap_2", "ALTER TABLE sendgate.@ SET ACCESS METHOD heap",
            ("accounts", "send_operations"), refused=True),
    ),
}  # fmt: skip
# A call that finds a table locked for too long, or rewritten after its snapshot, or that locked an index before the
# DBA did, is repeated.
DEADLOCK = "40P01"
REPEATED = ("SG301", "40001", DEADLOCK)
NOT_AS_IT_WAS = "55000"
PREPARE = """
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE ACCESS METHOD heap_2 TYPE TABLE HANDLER heap_tableam_handler;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE of_a_dba LOCATION ''"""
# Each with what has to be 0.
FAULTS = {
    "counters that differ from the journal": """
        SELECT count(*) FROM sendgate.counters c WHERE c.sent_today <> (SELECT count(*) FROM sendgate.send_operations o
            WHERE o.account_id = c.account_id AND o.action = c.action AND o.state <> 'released')""",
    "caps that were passed": "SELECT count(*) FROM sendgate.counters WHERE sent_today > daily_cap",
    "prospects who got the same twice": """
        SELECT count(*) FROM (SELECT FROM sendgate.send_operations WHERE state <> 'released'
            GROUP BY account_id, prospect_id, action HAVING count(*) > 1) twice""",
    "operations without an outcome": "SELECT count(*) FROM sendgate.send_operations WHERE state = 'reserved'",
    "work that is done without a delivery, or the other way round": """
        SELECT count(*) FROM sendgate.enrollments e FULL JOIN
            (SELECT * FROM sendgate.send_operations WHERE campaign_id IS NOT NULL AND state = 'delivered') o
            USING (account_id, prospect_id, campaign_id, action) WHERE (e.state = 'done') IS DISTINCT FROM
            (o.operation_id IS NOT NULL)""",
    "counters that a sweep corrects": "SELECT count(*) FROM sendgate.counter_drift",
}  # fmt: skip


@dataclass
class Worker:
    """Sends until it is told to stop, in one session. What it hears is what the books must hold."""

    number: int
    connection: psycopg.Connection
    stop: threading.Event
    granted: set[str] = field(default_factory=set)
    delivered: set[str] = field(default_factory=set)
    given_back: set[str] = field(default_factory=set)
    errors: Counter = field(default_factory=Counter)
    trouble: Exception | None = None

    def run(self) -> None:
        """One send after the other."""
        rng = random.Random(self.number)
        work = self.batch if self.number == 0 else self.single
        try:
            while not self.stop.is_set():
                work(rng)
        except Exception as error:
            self.trouble = error

    def single(self, rng: random.Random) -> None:
        """reserve, and the answer."""
        account, action, operation = rng.choice(ACCOUNTS), rng.choice(ACTIONS), new_id(rng)
        prospect = f"p{rng.randrange(KNOWN)}" if rng.random() < KNOWN_SHARE else operation
        sql = "SELECT proceed FROM sendgate.reserve(%s, %s, %s, NULL, %s)"
        if self.ask(sql, (account, action, prospect, operation)) != [(True,)]:
            return
        self.granted.add(operation)
        if rng.random() < 0.3:
            self.ask("SELECT sendgate.rollback(%s, %s)", (account, operation))
            self.given_back.add(operation)
        else:
            self.ask("SELECT sendgate.confirm(%s, %s, 'chat')", (account, operation))
            self.delivered.add(operation)

    def batch(self, rng: random.Random) -> None:
        """Campaign work."""
        campaign = new_id(rng)
        for account in rng.sample(ACCOUNTS, 2):
            sql = "SELECT sendgate.enqueue(%s, %s || n, %s, 'message') FROM generate_series(1, 3) n"
            self.ask(sql, (campaign, campaign, account))
        rows = self.ask(
            "SELECT account_id, operation_id::text FROM sendgate.dispatch(6, request_id => %s)", (new_id(rng),)
        )
        if not rows:
            return
        accounts, operations = (list(column) for column in zip(*rows, strict=True))
        self.granted.update(operations)
        sql = "SELECT sendgate.confirm_many(%s::text[], %s::uuid[], %s::text[])"
        self.ask(sql, (accounts, operations, ["chat"] * len(rows)))
        self.delivered.update(operations)

    def ask(self, sql: str, values: tuple) -> list[tuple]:
        """Repeated with the same ids until there is an answer, as an application does."""
        while True:
            try:
                return self.connection.execute(sql, values).fetchall()
            except psycopg.Error as error:
                # What is to be repeated is answered in the end, also after the word to stop.
                waits = error.sqlstate == NOT_AS_IT_WAS and not self.stop.is_set()
                if error.sqlstate not in REPEATED and not waits:
                    raise
                self.errors[error.sqlstate] += 1


def new_id(rng: random.Random) -> str:
    """From the seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def test_what_a_dba_may_do_under_load(env):
    equal(lines_of_the_page(), list(DDL), "lines of the table in docs/dba.md")
    for account in ACCOUNTS:
        provision(env, account, inmail=INMAIL_CAP, message=CAP, invite=CAP)
    env.psql(PREPARE)
    with working(env) as workers, env.connect() as dba:
        pids = [worker.connection.info.backend_pid for worker in workers]
        for name, several in DDL.items():
            for ddl in several:
                for table in ddl.tables:
                    met(workers, dba, ddl, table, name)
        equal([worker.connection.info.backend_pid for worker in workers], pids, "the same sessions")
    agree(env, workers)
    env.psql("DROP TABLESPACE of_a_dba")


def met(workers: list[Worker], dba, ddl: Ddl, table: str, name: str) -> None:
    """A line for one table: done, met by every worker, undone."""
    before = refusals(workers)
    where = f"{name} of {table}"
    do(dba, ddl.on(table, ddl.does))
    if ddl.refused:
        all_of(workers, lambda worker: worker.errors[NOT_AS_IT_WAS], f"refusals by {where}")
        if ddl.lost:
            equal(dba.execute(ddl.on(table, ddl.lost)).fetchall(), [], f"rows that were written during {where}")
    else:
        all_of(workers, lambda worker: len(worker.granted), f"grants after {where}")
    if ddl.undo:
        do(dba, ddl.on(table, ddl.undo))
        all_of(workers, lambda worker: len(worker.granted), f"grants after the end of {where}")
    if not ddl.refused:
        equal(refusals(workers), before, f"refusals by {where}")


def do(dba, sql: str) -> None:
    """As a DBA does it: of a deadlock PostgreSQL may end either side."""
    while True:
        try:
            dba.execute(sql)
            return
        except psycopg.errors.DeadlockDetected:
            dba.execute("ROLLBACK")


def all_of(workers: list[Worker], count, what: str) -> None:
    """Wait until the count of each worker has grown."""
    before = [count(worker) for worker in workers]

    def grown() -> bool:
        for worker in workers:
            if worker.trouble:
                raise AssertionError(f"worker {worker.number}, {what}: {worker.trouble!r}") from worker.trouble
        return all(count(worker) > old for worker, old in zip(workers, before, strict=True))

    wait_for(grown, what)


def refusals(workers: list[Worker]) -> list[int]:
    """How many calls each worker had refused because a table is not as it was."""
    return [worker.errors[NOT_AS_IT_WAS] for worker in workers]


@contextmanager
def working(env):
    """Workers that send meanwhile: one takes batches, one is at REPEATABLE READ."""
    stop = threading.Event()
    workers = [Worker(number, env.connect(), stop) for number in range(WORKERS)]
    threads = []
    for worker in workers:
        if worker.number == 1:
            worker.connection.execute("SET default_transaction_isolation = 'repeatable read'")
        threads.append(threading.Thread(target=worker.run, daemon=True))
        threads[-1].start()
    try:
        yield workers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for worker in workers:
        equal(worker.trouble, None, f"what ended worker {worker.number}")


def agree(env, workers: list[Worker]) -> None:
    """What workers heard and what the books hold is the same."""
    with env.connect() as connection:
        for state, heard in (
            ("delivered", set().union(*(worker.delivered for worker in workers))),
            ("released", set().union(*(worker.given_back for worker in workers))),
        ):
            sql = "SELECT operation_id::text FROM sendgate.send_operations WHERE state = %s"
            held = {operation for (operation,) in connection.execute(sql, (state,))}
            assert heard, f"nothing was {state}"
            equal(held ^ heard, set(), f"operations that are {state} here or there alone")
        events = connection.execute("SELECT operation_id::text FROM sendgate.linkedin_events").fetchall()
        delivered = sorted(operation for worker in workers for operation in worker.delivered)
        equal(sorted(operation for (operation,) in events), delivered, "events")
        used = "SELECT min(sent_today), max(sent_today) FROM sendgate.counters WHERE action = 'inmail'"
        equal(connection.execute(used).fetchone(), (INMAIL_CAP, INMAIL_CAP), "InMails of each account")
        while connection.execute("SELECT more FROM sendgate.reconcile_operations(10000)").fetchone()[0]:
            pass
        for what, sql in FAULTS.items():
            equal(connection.execute(sql).fetchone(), (0,), what)


def lines_of_the_page() -> list[str]:
    """The first column of the table, without the lines that another test has."""
    page = (REPO / "docs" / "dba.md").read_text()
    section = re.search(r"^## DDL under load$(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    lines = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith(("---", "you do", "`pg_repack`"))]
