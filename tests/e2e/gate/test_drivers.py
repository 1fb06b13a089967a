"""The same work through psycopg, node-postgres and tokio-postgres: each call by itself and in explicit
transactions, directly and behind PgBouncer in transaction mode, there with prepared statements and without."""

import uuid
from contextlib import contextmanager, nullcontext

from e2e.support import books, equal, login, operation, provision, wait_for
from e2e.support.drivers import DRIVERS, Refused
from e2e.support.pool import pool

# The subject is the drivers and the pooler.
NEWEST_ONLY = True
# The first test builds and installs drivers.
TIMEOUT_SECONDS = 1200

RESERVE = """SELECT (d).proceed::text, (d).operation_id::text, (d).reason
             FROM sendgate.reserve($1::text, 'inmail', $2::text, 'k', $3::text::uuid) AS d"""
CONFIRM = "SELECT sendgate.confirm($1::text, $2::text::uuid, $3::text)::text"
ROLLBACK = "SELECT sendgate.rollback($1::text, $2::text::uuid, $3::text, NULL, 503)"
ENQUEUE = "SELECT sendgate.enqueue('k', $2::text, $1::text, 'message')::text"
DISPATCH = """SELECT prospect_id, operation_id::text
              FROM sendgate.dispatch(2, 'message', $1::text, $2::text::uuid) ORDER BY 1"""
CONFIRM_MANY = """SELECT count(*)::text
                  FROM unnest(sendgate.confirm_many(array_fill($1::text, ARRAY[2]),
                                                    string_to_array($2::text, ',')::uuid[])) AS e"""
WAITING = """
SELECT count(*) FROM pg_catalog.pg_stat_activity
WHERE usename = %s AND wait_event_type = 'Lock' AND state = 'active'"""
GONE = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = %s AND state = 'active'"


def test_psycopg(env):
    every_way(env, "psycopg")


def test_node_postgres(env):
    every_way(env, "node-postgres")


def test_tokio_postgres(env):
    every_way(env, "tokio-postgres")


def every_way(env, name: str) -> None:
    user = login(env, "driver_app", "sendgate_sender")
    with pool(env, user) as pooled:
        port = pooled.split("port=")[1].split()[0]
        for where, its_port, prepares in (
            ("direct", env.cluster.port, True),
            ("pooled", port, True),
            # As behind a PgBouncer that knows nothing of prepared statements: every statement is sent anew.
            ("pooled, unprepared", port, False),
        ):
            for explicit in (False, True):
                account = f"{where} {'transactions' if explicit else 'autocommit'}"
                provision(env, account)
                env.psql(f"SELECT sendgate.set_cap('{account}', 'inmail', 6)")
                url = f"postgres://{user}@127.0.0.1:{its_port}/{env.dbname}"
                driver = DRIVERS[name](url, prepares)
                try:
                    work(env, driver, account, explicit)
                    cut_short(env, driver, account, user, explicit)
                finally:
                    driver.leave()


def work(env, driver, account: str, explicit: bool) -> None:
    """Everything that a worker calls, and each thing twice."""

    def call(sql: str, *values: str | None) -> list[list]:
        with transaction(driver) if explicit else nullcontext():
            return driver.ask(sql, account, *values)

    one, two, three = (operation(number) for number in (1, 2, 3))
    for turn in ("first", "again"):
        equal(call(RESERVE, "p1", one), [["true", one, None]], f"reserve, {turn}")
    event = call(CONFIRM, one, "chat 1")
    equal(call(CONFIRM, one, "chat 1"), event, "confirm, again")
    equal(call(RESERVE, "p1", one)[0][2], "operation_resolved", "reserve, once it is delivered")
    equal(call(RESERVE, "p2", two)[0][0], "true", "reserve of what fails")
    for turn in ("first", "again"):
        equal(call(ROLLBACK, two, "try later"), [["transient"]], f"rollback, {turn}")
    for prospect in ("q1", "q2", "q3"):
        equal(call(ENQUEUE, prospect), [["true"]], "enqueue")
    request = str(uuid.uuid5(uuid.NAMESPACE_OID, account))
    handed = call(DISPATCH, request)
    equal([row[0] for row in handed], ["q1", "q2"], "dispatch")
    equal(call(DISPATCH, request), handed, "dispatch, the same request")
    both = ",".join(row[1] for row in handed)
    for turn in ("first", "again"):
        equal(call(CONFIRM_MANY, both), [["2"]], f"confirm_many, {turn}")
    try:
        call(CONFIRM, operation(99), "chat")
        raise AssertionError("an operation that does not exist was confirmed")
    except Refused as error:
        equal(error.sqlstate, "SG102", "SQLSTATE")
    if explicit:
        driver.ask("BEGIN")
        equal(driver.ask(RESERVE, account, "p3", three)[0][0], "true", "reserve that is undone")
        driver.ask("ROLLBACK")
        equal(books(env, account)["counter"], 1, "counter after it was undone")
    with transaction(driver):
        equal(driver.ask(RESERVE, account, "p3", three)[0][0], "true", "reserve and confirm in one")
        driver.ask(CONFIRM, account, three, "chat 3")
    expected = {"counter": 2, "journal": 2, "delivered": 2, "events": 2}
    equal(books(env, account), expected, f"books, {account}")


def cut_short(env, driver, account: str, user: str, explicit: bool) -> None:
    """A call that waits is cancelled by the driver's own means and made again; then another one is left."""
    observer, holder = env.connect(), env.connect(autocommit=False)
    four, five = operation(4), operation(5)
    if explicit:
        driver.ask("BEGIN")
    hold = "SELECT FROM sendgate.accounts WHERE id = %s FOR UPDATE"
    holder.execute(hold, (account,))
    driver.start(RESERVE, account, "p4", four)
    wait_for(lambda: observer.execute(WAITING, (user,)).fetchone()[0], "the call to wait")
    driver.cancel()
    try:
        driver.answer()
        raise AssertionError("a call that waits for ever was answered")
    except Refused as error:
        equal(error.sqlstate, "57014", "SQLSTATE of the cancelled call")
    holder.rollback()
    if explicit:
        driver.ask("ROLLBACK")
    equal(books(env, account)["counter"], 2, "counter after the cancelled call")
    equal(driver.ask(RESERVE, account, "p4", four)[0][0], "true", "the same call again")
    holder.execute(hold, (account,))
    if explicit:
        driver.ask("BEGIN")
    driver.start(RESERVE, account, "p5", five)
    wait_for(lambda: observer.execute(WAITING, (user,)).fetchone()[0], "the call to wait")
    driver.leave()
    holder.rollback()
    wait_for(lambda: not observer.execute(GONE, (user,)).fetchone()[0], "its call to end")
    # All of it or nothing; nothing in an explicit transaction, which the client could not commit any more.
    found = books(env, account)
    equal(found["counter"], found["journal"], "counter and journal after the client left")
    assert found["counter"] == 3 or found["counter"] == 4 and not explicit, found
    again = observer.execute("SELECT proceed FROM sendgate.reserve(%s, 'inmail', 'p5', 'k', %s)", (account, five))
    equal(again.fetchone()[0], True, "asked again by another session")
    equal(books(env, account)["counter"], 4, "counter in the end")


@contextmanager
def transaction(driver):
    """BEGIN, and COMMIT unless it fails."""
    driver.ask("BEGIN")
    try:
        yield
    except BaseException:
        driver.ask("ROLLBACK")
        raise
    driver.ask("COMMIT")
