"""An application's own outbox, whose rows workers claim by UPDATE … FOR UPDATE SKIP LOCKED, through psycopg,
SQLAlchemy and node-postgres: each row is sent once, whatever becomes of the workers."""

import threading
from contextlib import contextmanager

from e2e.support import equal, login, provision
from e2e.support.drivers import DRIVERS, Refused

# The subject is the drivers.
NEWEST_ONLY = True
# The first test may install a driver.
TIMEOUT_SECONDS = 1200

ROWS = 60
WORKERS = 4
OUTBOX = """
CREATE TABLE public.outbox (id bigint PRIMARY KEY, account_id text NOT NULL, prospect_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'queued', operation_id uuid UNIQUE, chat_id text, error text, http_status int,
    CHECK (status <> 'sending' OR operation_id IS NOT NULL));
CREATE TRIGGER guard BEFORE UPDATE ON public.outbox FOR EACH ROW
    WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
    sendgate.guard_send('account_id', 'message', 'prospect_id', '', 'operation_id', 'error');
CREATE TRIGGER settle AFTER UPDATE ON public.outbox FOR EACH ROW EXECUTE FUNCTION
    sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error', '', 'http_status', '');
"""
# One row a claim: a refused row then holds back no other one, and no two workers wait for each other's accounts.
CLAIM = """UPDATE public.outbox SET status = 'sending' WHERE id = (SELECT id FROM public.outbox WHERE status = 'queued'
           ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id::text, operation_id::text"""
SENT = "UPDATE public.outbox SET status = 'sent', chat_id = $2::text WHERE id = $1::text::bigint"
BUSY = "UPDATE public.outbox SET status = 'queued', error = 'busy', http_status = 503 WHERE id = $1::text::bigint"
WAIT = "UPDATE public.outbox SET status = 'waiting' WHERE id = $1::text::bigint"
# What the table and the journal say of each other: nothing that differs.
DIFFER = """
SELECT o.id, o.status, j.state FROM public.outbox o FULL JOIN sendgate.send_operations j
    ON j.account_id = o.account_id AND j.operation_id = o.operation_id
WHERE j.state IS DISTINCT FROM CASE o.status WHEN 'sent' THEN 'delivered' WHEN 'sending' THEN 'reserved' END
  AND (j.state IS DISTINCT FROM 'released' OR o.status = 'sent')"""


class SqlAlchemy:
    """SQLAlchemy's Session behind the face of the drivers: a transaction for each thing that is asked."""

    def __init__(self, url: str):
        import sqlalchemy
        from sqlalchemy.orm import Session

        self.engine = sqlalchemy.create_engine(url.replace("postgres://", "postgresql+psycopg://"))
        self.session = Session(self.engine)

    def ask(self, sql: str, *values: str) -> list[list]:
        import sqlalchemy

        for number in range(len(values), 0, -1):
            sql = sql.replace(f"${number}::text", f"cast(:v{number} AS text)")
        try:
            with self.session.begin():
                done = self.session.execute(
                    sqlalchemy.text(sql),
                    {f"v{number}": value for number, value in enumerate(values, 1)},
                )
                return [list(row) for row in done] if done.returns_rows else []
        except sqlalchemy.exc.DBAPIError as error:
            raise Refused(error.orig.sqlstate) from error

    def leave(self) -> None:
        self.session.close()
        self.engine.dispose()


WAYS = {
    "psycopg": lambda url: DRIVERS["psycopg"](url, True),
    "node-postgres": lambda url: DRIVERS["node-postgres"](url, True),
    "SQLAlchemy": SqlAlchemy,
}


def test_psycopg(env):
    an_outbox_is_sent_once(env, "psycopg")


def test_sqlalchemy(env):
    an_outbox_is_sent_once(env, "SQLAlchemy")


def test_node_postgres(env):
    an_outbox_is_sent_once(env, "node-postgres")


def an_outbox_is_sent_once(env, way: str) -> None:
    user = login(env, "outbox_app")
    url = f"postgres://{user}@127.0.0.1:{env.cluster.port}/{env.dbname}"
    for account in ("a", "b"):
        provision(env, account)
        env.psql(f"SELECT sendgate.set_cap('{account}', 'message', {ROWS - 10})")
    env.psql(OUTBOX)
    env.psql(f"GRANT SELECT, UPDATE ON public.outbox TO {user}")
    env.psql(
        f"INSERT INTO public.outbox SELECT n, CASE n % 3 WHEN 0 THEN 'b' ELSE 'a' END, n FROM generate_series(1, {ROWS}) n"
    )
    provider = Provider()
    with drivers(way, url, WORKERS) as all_of_them:
        threads = [threading.Thread(target=work, args=(one, provider)) for one in all_of_them]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    equal(provider.failures, [], "what went wrong in a worker")
    equal(env.psql(DIFFER), "", "rows and operations that differ")
    equal(sorted(provider.sent), sorted(set(provider.sent)), "each operation once")
    equal(sorted(provider.delivered), [str(n) for n in sorted(range(1, ROWS + 1), key=str)], "each row once")
    equal(
        env.psql("SELECT count(*) FROM sendgate.send_operations WHERE state = 'released'"),
        str(provider.busy),
        "given back",
    )
    assert provider.busy > ROWS // 10, "hardly any send failed"
    dead_workers(env, way, url)


class Provider:
    """Accepts a message, or is busy at the first attempt of every fifth row; remembers everything."""

    def __init__(self):
        self.sent: list[str] = []
        self.delivered: list[str] = []
        self.failures: list[BaseException] = []
        self.busy = 0
        self._lock = threading.Lock()
        self._tried: set[str] = set()

    def send(self, row: str, operation: str) -> bool:
        with self._lock:
            assert operation not in self.sent, f"operation {operation} of row {row} is sent twice"
            self.sent.append(operation)
            if int(row) % 5 == 0 and row not in self._tried:
                self._tried.add(row)
                self.busy += 1
                return False
            self.delivered.append(row)
            return True


def work(driver, provider: Provider) -> None:
    """A worker, until there is nothing left."""
    try:
        while claimed := driver.ask(CLAIM):
            [[row, operation]] = claimed
            if provider.send(row, operation):
                driver.ask(SENT, row, f"chat {row}")
            else:
                driver.ask(BUSY, row)
    except BaseException as error:
        provider.failures.append(error)


def dead_workers(env, way: str, url: str) -> None:
    """A worker that dies before it commits has claimed nothing; one that dies after that may have sent, so its row
    is refused to every other worker until its outcome is known."""
    env.psql("INSERT INTO public.outbox VALUES (1001, 'a', 1001), (1002, 'a', 1002)")
    with drivers(way, url, 1) as (driver,):
        if way != "SQLAlchemy":  # which has no statement outside of its transaction
            driver.ask("BEGIN")
            equal(len(driver.ask(CLAIM)), 1, "rows of a worker that dies")
            driver.leave()
    env.cluster.restart("immediate")
    equal(env.psql("SELECT count(*) FROM public.outbox WHERE status = 'queued'"), "2", "rows after the crash")
    equal(env.psql(DIFFER), "", "rows and operations that differ")
    with drivers(way, url, 1) as (driver,):
        equal(driver.ask(CLAIM)[0][0], "1001", "the first row")
    env.psql("UPDATE public.outbox SET status = 'queued' WHERE id = 1001")
    with drivers(way, url, 1) as (driver,):
        try:
            claimed = driver.ask(CLAIM)
        except Refused as refused:
            claimed = refused.sqlstate
        equal(claimed, "SG401", "a row whose worker died")
        # An application sets it aside, and goes on with the next.
        driver.ask(WAIT, "1001")
        [[row, _]] = driver.ask(CLAIM)
        equal(row, "1002", "the next row")
        driver.ask(SENT, row, "chat 1002")
        # An operator has looked: it was not sent. So it is a new attempt.
        before = env.psql("SELECT operation_id FROM public.outbox WHERE id = 1001")
        env.psql(
            f"SELECT sendgate.rollback('a', '{before}'); UPDATE public.outbox SET status = 'queued' WHERE id = 1001"
        )
        [[row, operation]] = driver.ask(CLAIM)
        equal((row, operation != before), ("1001", True), "a new attempt")
        driver.ask(SENT, row, "chat 1001")
    equal(env.psql(DIFFER), "", "rows and operations that differ")
    equal(env.psql("SELECT count(*) FROM public.outbox WHERE status <> 'sent'"), "0", "rows that were not sent")


@contextmanager
def drivers(way: str, url: str, count: int):
    all_of_them = [WAYS[way](url) for _ in range(count)]
    try:
        yield all_of_them
    finally:
        for one in all_of_them:
            one.leave()
