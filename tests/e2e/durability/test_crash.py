"""A crash loses nothing that was acknowledged, and no slot of a grant that was not."""

import os
import signal
import threading

from e2e.support import books, equal, operation, provision, wait_for, wait_until_blocked


def test_a_killed_backend_neither_keeps_nor_doubles_its_slot(env):
    """kill -9 of a backend that holds the row, with another one waiting for it."""
    import psycopg

    provision(env, inmail=1)
    holder, waiter = env.connect(autocommit=False), env.connect()
    holder.execute(RESERVE, (operation(1), "p1"))
    lost = []

    def wait() -> None:
        try:
            waiter.execute(RESERVE, (operation(2), "p2")).fetchone()
        except psycopg.OperationalError as error:
            lost.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    wait_until_blocked(env, waiter.info.backend_pid)
    os.kill(holder.info.backend_pid, signal.SIGKILL)
    thread.join()
    assert lost, "the waiting session got an answer from a server that crashed"
    wait_until_accepting(env)
    equal(books(env)["counter"], 0, "counter after the crash")
    equal(books(env)["journal"], 0, "journal after the crash")
    # Both clients do not know what happened, and ask again with their operation ids.
    connection = env.connect()
    equal(connection.execute(RESERVE, (operation(2), "p2")).fetchone()[0], True, "first retry")
    answer = connection.execute(RESERVE, (operation(1), "p1")).fetchone()
    equal(answer, (False, "daily_cap_reached"), "second retry")
    equal(books(env)["counter"], 1, "counter in the end")
    equal(books(env)["journal"], 1, "journal in the end")


def test_a_crash_between_reserve_and_commit_takes_no_slot(env):
    provision(env, inmail=1)
    open_transaction = env.connect(autocommit=False)
    open_transaction.execute(RESERVE, (operation(1), "p1"))
    env.cluster.restart("immediate")
    equal(books(env)["counter"], 0, "counter")
    equal(env.connect().execute(RESERVE, (operation(2), "p2")).fetchone()[0], True, "the slot")


def test_acknowledged_grants_survive_a_crash(env):
    """Also from sessions that turned synchronous_commit off, before or after the grant."""
    provision(env, inmail=50)
    lazy(env)
    before = env.connect()
    before.execute("SET synchronous_commit = off")
    for number in range(1, 11):
        before.execute(RESERVE, (operation(number), f"p{number}"))
    after = env.connect(autocommit=False)
    for number in range(11, 21):
        after.execute(RESERVE, (operation(number), f"p{number}"))
        after.execute("SET LOCAL synchronous_commit = off")
        after.commit()
    env.cluster.stop("immediate")
    env.cluster.start()
    equal(books(env)["counter"], 20, "counter")
    equal(books(env)["journal"], 20, "journal")
    again = env.connect().execute(RESERVE, (operation(20), "p20")).fetchone()
    equal(again, (True, None), "the last grant, asked for again")
    equal(books(env)["counter"], 20, "counter after the replay")


def test_acknowledged_outcomes_survive_a_crash(env):
    """A confirm that is forgotten would let the slot be used again."""
    provision(env, inmail=50)
    connection = env.connect()
    for number in range(1, 5):
        connection.execute(RESERVE, (operation(number), f"p{number}"))
    lazy(env)
    connection.execute("SET synchronous_commit = off")
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat 1')", (operation(1),))
    connection.execute("SELECT sendgate.rollback('a', %s)", (operation(2),))
    connection.execute("SELECT sendgate.confirm('a', %s)", (operation(3),))
    connection.execute("SELECT sendgate.set_status('a', 'paused', 'stop')")
    env.cluster.stop("immediate")
    env.cluster.start()
    states = env.psql("SELECT state FROM sendgate.send_operations ORDER BY operation_id")
    equal(states.split(), ["delivered", "released", "indeterminate", "reserved"], "states")
    equal(env.psql("SELECT status FROM sendgate.accounts"), "paused", "status")


def test_a_grant_is_flushed_before_it_is_acknowledged(env):
    """The same without a crash: what is acknowledged is in the flushed part of the log."""
    provision(env, inmail=50)
    env.psql("CREATE TABLE public.plain (n int)")
    lazy(env)
    connection = env.connect()
    connection.execute("SET synchronous_commit = off")

    def unflushed(sql: str, *values) -> bool:
        connection.execute("CHECKPOINT")
        connection.execute(sql, values)
        found = connection.execute("SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()").fetchone()
        return found[0]

    # That the test can tell the difference: without the gate the session's wish is granted.
    equal(unflushed("INSERT INTO public.plain VALUES (1)"), True, "a plain insert stays unflushed")
    equal(unflushed(RESERVE, operation(1), "p1"), False, "a grant stays unflushed")
    equal(unflushed(RESERVE, operation(2), "p2"), False, "a second grant stays unflushed")
    confirm = "SELECT sendgate.confirm('a', %s, %s)"
    equal(unflushed(confirm, operation(1), "chat 1"), False, "a confirm stays unflushed")
    rollback = "SELECT sendgate.rollback('a', %s)"
    equal(unflushed(rollback, operation(2)), False, "a rollback stays unflushed")


RESERVE = "SELECT proceed, reason FROM sendgate.reserve('a', 'inmail', operation_id => %s, prospect_id => %s)"


def lazy(env) -> None:
    """Let the server flush nothing by itself for as long as it may, and write nothing that stays unflushed."""
    env.cluster.configure(wal_writer_delay="10s", wal_writer_flush_after="1GB", autovacuum="off")
    show = "SELECT current_setting('wal_writer_delay')"
    wait_for(lambda: env.psql(show) == "10s", "the configuration to be read")


def wait_until_accepting(env) -> None:
    """Wait until the server has recovered and takes connections again."""
    from harness.progress import HarnessError

    def answers() -> bool:
        try:
            return env.psql("SELECT 1") == "1"
        except HarnessError:
            return False

    wait_for(answers, "the server to recover")
