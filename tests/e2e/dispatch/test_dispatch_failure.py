"""A dispatcher that dies, is cancelled or loses its reply: its rows are neither lost nor repeated."""

import os
import socket
import threading

import psycopg

from e2e.support import at_once, equal, kill_backend, operation, provision, wait_for

HANDED = "SELECT prospect_id, operation_id FROM sendgate.dispatch(%s)"
REQUESTED = "SELECT prospect_id, operation_id, attempt FROM sendgate.dispatch(3, NULL, NULL, %s)"


def test_a_terminated_dispatcher_leaves_everything_as_it_was(env):
    enqueue(env)
    victim = env.connect(autocommit=False)
    equal(len(victim.execute(HANDED, (5,)).fetchall()), 5, "handed out, not committed")
    env.psql(f"SELECT pg_terminate_backend({victim.info.backend_pid})")
    gone(env, victim.info.backend_pid)
    equal(states(env), {"waiting": 10}, "states")
    equal(len(env.connect().execute(HANDED, (100,)).fetchall()), 10, "handed out afterwards")
    equal(books(env), (10, 10), "counter and journal")


def test_a_client_that_vanishes_before_its_commit_leaves_everything_as_it_was(env):
    enqueue(env)
    victim = env.connect(autocommit=False)
    equal(len(victim.execute(HANDED, (5,)).fetchall()), 5, "handed out, not committed")
    with socket.socket(fileno=os.dup(victim.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
    gone(env, victim.info.backend_pid)
    equal(states(env), {"waiting": 10}, "states")
    equal(len(env.connect().execute(HANDED, (100,)).fetchall()), 10, "handed out afterwards")
    equal(books(env), (10, 10), "counter and journal")


def test_a_killed_backend_loses_and_repeats_nothing(env):
    """SIGKILL takes the whole server down, with one dispatch committed and one not."""
    enqueue(env)
    first = env.connect().execute(HANDED, (4,)).fetchall()
    victim = env.connect(autocommit=False)
    victim.execute(HANDED, (3,)).fetchall()
    kill_backend(env, victim.info.backend_pid)
    equal(states(env), {"sending": 4, "waiting": 6}, "states")
    equal(books(env), (4, 4), "counter and journal")
    rest = env.connect().execute(HANDED, (100,)).fetchall()
    equal(sorted(p for p, _ in first + rest), sorted(f"p{n}" for n in range(1, 11)), "handed out once")


def test_what_was_handed_out_survives_a_crash(env):
    """Also for a session that turned synchronous_commit off; its answers are accepted afterwards."""
    enqueue(env)
    connection = env.connect()
    connection.execute("SET synchronous_commit = off")
    first = connection.execute(REQUESTED, (operation(1),)).fetchall()
    equal(len(first), 3, "handed out")
    env.cluster.stop("immediate")
    env.cluster.start()
    equal(states(env), {"sending": 3, "waiting": 7}, "states")
    connection = env.connect()
    equal(connection.execute(REQUESTED, (operation(1),)).fetchall(), first, "the same request")
    rest = connection.execute(HANDED, (100,)).fetchall()
    equal(sorted({p for p, *_ in first} & {p for p, _ in rest}), [], "handed out twice")
    keys = (["a"] * 3, [row[1] for row in first])
    connection.execute("SELECT sendgate.confirm_many(%s, %s)", keys)
    equal(states(env), {"done": 3, "sending": 7}, "states in the end")
    equal(books(env), (10, 10), "counter and journal")


def test_a_lost_reply_is_asked_for_again(env):
    """Terminated after its commit: the request tells again what is in flight, and takes nothing new."""
    enqueue(env)
    connection = env.connect()
    first = connection.execute(REQUESTED, (operation(1),)).fetchall()
    env.psql(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
    gone(env, connection.info.backend_pid)
    connection = env.connect()
    equal(connection.execute(REQUESTED, (operation(1),)).fetchall(), first, "asked again")
    connection.execute("SELECT sendgate.confirm('a', %s)", (first[0][1],))
    connection.execute("SELECT sendgate.rollback('a', %s)", (first[1][1],))
    equal(connection.execute(REQUESTED, (operation(1),)).fetchall(), first[2:], "what is in flight")
    equal(books(env), (2, 2), "counter and journal")


def test_one_request_in_many_sessions_is_answered_once(env):
    """The others are told to ask again, and get the same rows."""
    enqueue(env)

    def ask(number: int):
        connection = env.connect()
        while True:
            try:
                rows = connection.execute(REQUESTED, (operation(1),)).fetchall()
            except Exception as error:
                if getattr(error, "sqlstate", None) != "SG303":
                    raise
                continue
            if rows:  # a call that finds the account held gets nothing, and asks again
                return tuple(rows)

    answers = set(at_once(12, ask))
    equal(len(answers), 1, "different answers")
    equal(states(env), {"sending": 3, "waiting": 7}, "states")
    equal(books(env), (3, 3), "counter and journal")


def test_a_cancelled_dispatch_leaves_nothing_behind(env):
    cancelled(env, lambda victim: env.psql(f"SELECT pg_cancel_backend({victim.info.backend_pid})"))


def test_a_statement_timeout_in_dispatch_leaves_nothing_behind(env):
    cancelled(env, lambda victim: None, "SET statement_timeout = '300ms'")


def cancelled(env, interrupt, setting: str = "SET statement_timeout = 0") -> None:
    """Interrupted while it writes: the session goes on, and its locks are gone."""
    enqueue(env)
    env.psql(
        """CREATE FUNCTION public.doze() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_sleep(600); RETURN NEW; END$$;
        CREATE TRIGGER doze BEFORE INSERT ON sendgate.send_operations FOR EACH ROW
        WHEN (NEW.prospect_id = 'p5') EXECUTE FUNCTION public.doze()"""
    )
    victim = env.connect()
    victim.execute(setting)
    lost: list = []

    def dispatch() -> None:
        try:
            victim.execute(HANDED, (100,)).fetchall()
        except Exception as error:
            lost.append(getattr(error, "sqlstate", None))

    thread = threading.Thread(target=dispatch, daemon=True)
    thread.start()
    asleep = f"SELECT wait_event FROM pg_stat_activity WHERE pid = {victim.info.backend_pid}"
    wait_for(lambda: lost or env.psql(asleep) == "PgSleep", "the dispatch to sleep")
    interrupt(victim)
    thread.join()
    equal(lost, ["57014"], "SQLSTATE")
    equal(states(env), {"waiting": 10}, "states")
    equal(books(env), (0, 0), "counter and journal")
    env.psql("DROP TRIGGER doze ON sendgate.send_operations")
    victim.execute("SET statement_timeout = 0")
    equal(len(victim.execute(HANDED, (2,)).fetchall()), 2, "the same session goes on")
    equal(len(env.connect().execute(HANDED, (100,)).fetchall()), 8, "and so do the others")


def enqueue(env) -> None:
    provision(env, message=50)
    env.psql("SELECT sendgate.enqueue('k', 'p' || n, 'a', 'message') FROM generate_series(1, 10) n")


def states(env) -> dict:
    rows = env.connect().execute("SELECT state, count(*) FROM sendgate.enrollments GROUP BY 1").fetchall()
    return dict(rows)


def books(env) -> tuple:
    """Counter, and what the journal says."""
    return (
        env.connect()
        .execute(
            """SELECT a.messages_sent_today, (SELECT count(*) FROM sendgate.send_operations o
           WHERE o.account_id = a.id AND o.state <> 'released') FROM sendgate.accounts a"""
        )
        .fetchone()
    )


def gone(env, pid: int) -> None:
    """Wait until that backend has ended."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
    wait_for(lambda: env.psql(query) == "0", f"backend {pid} to end")


def test_a_lock_that_another_session_keeps(env):
    """On a table, as plain CREATE INDEX takes it, or on work: no call waits longer than sendgate.lock_timeout."""
    enqueue(env)
    holder, connection = env.connect(autocommit=False), env.connect()
    connection.execute("SELECT sendgate.clock()")  # the library knows its settings once it is loaded
    connection.execute("SET sendgate.lock_timeout = '50ms'")
    connection.execute("SET statement_timeout = '3s'")
    for lock in (
        "LOCK TABLE sendgate.accounts IN SHARE MODE",
        "LOCK TABLE sendgate.send_operations IN SHARE MODE",
        "LOCK TABLE sendgate.enrollments IN SHARE MODE",
        "LOCK TABLE sendgate.dispatch_queue IN SHARE MODE",
        "SELECT FROM sendgate.enrollments FOR UPDATE",
    ):
        holder.execute(lock)
        try:
            answer = connection.execute(HANDED, (5,)).fetchall()
        except psycopg.Error as error:
            equal(error.sqlstate, "SG301", f"while another session has {lock}")
        else:
            raise AssertionError(f"dispatch answered {answer} while another session had {lock}")
        holder.rollback()
        equal(books(env), (0, 0), f"counter and journal after {lock}")
    equal(len(connection.execute(HANDED, (100,)).fetchall()), 10, "handed out afterwards")
