"""Sessions whose wait is cut short go on as if nothing had been, and one statement may call often."""

import threading

from e2e.support import books, equal, operation, provision, wait_until_blocked

RESERVE = "SELECT proceed FROM sendgate.reserve('a', 'inmail', %s, NULL, %s)"


def test_a_cancelled_wait_leaves_the_session_as_it_was(env):
    provision(env)
    holder, waiter = env.connect(autocommit=False), env.connect()
    waiter.execute("SET lock_timeout = '123s'")
    for round_ in range(3):
        holder.execute(RESERVE, ("p1", operation(1)))
        failed = in_thread(lambda: waiter.execute(RESERVE, ("p2", operation(2))))
        wait_until_blocked(env, waiter.info.backend_pid)
        waiter.cancel()
        equal(failed(), "57014", f"SQLSTATE of the cancelled call, round {round_}")
        holder.rollback()
        equal(waiter.execute("SHOW lock_timeout").fetchone()[0], "123s", "lock_timeout afterwards")
    equal(waiter.execute(RESERVE, ("p2", operation(2))).fetchone()[0], True, "the next call")
    equal(books(env)["counter"], 1, "counter")


def test_a_caught_timeout_leaves_the_transaction_usable(env):
    """SG301 in a block of its own; the transaction tries again and commits what else it did."""
    provision(env)
    provision(env, "b")
    holder, waiter = env.connect(autocommit=False), env.connect()
    waiter.execute("SET sendgate.lock_timeout = '20ms'")
    holder.execute(RESERVE, ("p1", operation(1)))
    waiter.execute("BEGIN")
    waiter.execute("SELECT sendgate.reserve('b', 'inmail', 'p')")
    for _ in range(3):
        waiter.execute("SAVEPOINT here")
        equal(in_thread(lambda: waiter.execute(RESERVE, ("p2", operation(2))))(), "SG301", "SQLSTATE")
        waiter.execute("ROLLBACK TO here")
    holder.rollback()
    equal(waiter.execute(RESERVE, ("p2", operation(2))).fetchone()[0], True, "tried again")
    waiter.execute("COMMIT")
    equal((books(env)["counter"], books(env, "b")["counter"]), (1, 1), "counters")


def test_a_wait_in_an_applications_trigger_is_told_as_one(env):
    """The application notes each delivery on an account of its own: a worker has to learn that asking again helps."""
    for account in ("a", "noted"):
        provision(env, account)
    env.psql("SELECT sendgate.enqueue('k', 'p2', 'a', 'message')")
    env.psql("""
        CREATE FUNCTION notes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM sendgate.reserve('noted', 'invite', NEW.prospect_id); RETURN NEW; END $$;
        CREATE TRIGGER notes AFTER INSERT ON sendgate.send_operations FOR EACH ROW
        WHEN (NEW.account_id = 'a') EXECUTE FUNCTION notes()""")
    holder, waiter = env.connect(autocommit=False), env.connect()
    waiter.execute("SET sendgate.lock_timeout = '20ms'")
    holder.execute("SELECT FROM sendgate.accounts WHERE id = 'noted' FOR UPDATE")
    for call in ("SELECT * FROM sendgate.reserve('a', 'inmail', 'p1')", "SELECT * FROM sendgate.dispatch(1)"):
        equal(in_thread(lambda call=call: waiter.execute(call))(), "SG301", f"SQLSTATE of {call}")
    holder.rollback()
    equal(waiter.execute("SELECT prospect_id FROM sendgate.dispatch(1)").fetchall(), [("p2",)], "nothing is parked")


def test_a_terminated_wait_takes_no_slot(env):
    provision(env)
    holder, waiter = env.connect(autocommit=False), env.connect()
    holder.execute(RESERVE, ("p1", operation(1)))
    failed = in_thread(lambda: waiter.execute(RESERVE, ("p2", operation(2))))
    wait_until_blocked(env, waiter.info.backend_pid)
    env.psql(f"SELECT pg_terminate_backend({waiter.info.backend_pid})")
    equal(failed(), "57P01", "SQLSTATE")
    holder.commit()
    equal((books(env)["counter"], books(env)["journal"]), (1, 1), "counter and journal")


def test_many_calls_in_one_statement_stop_at_the_cap(env):
    """Each call sees what the one before it took, at every isolation level."""
    many = """SELECT count(*) FILTER (WHERE (d.decision).proceed), count(DISTINCT (d.decision).reason)
              FROM (SELECT sendgate.reserve(%s, 'inmail', 'p' || n) AS decision
                    FROM pg_catalog.generate_series(1, 80) n OFFSET 0) d"""
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        provision(env, level)
        connection = env.connect()
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        equal(connection.execute(many, (level,)).fetchone(), (50, 1), f"grants, {level}")
        connection.execute("COMMIT")
        equal(books(env, level)["counter"], 50, f"counter, {level}")


def test_a_read_only_transaction_may_look_but_not_take(env):
    provision(env)
    provision(env, "off", inmail=0)
    connection = env.connect()
    connection.execute("BEGIN READ ONLY")
    preview = "SELECT proceed FROM sendgate.preview('a', 'inmail', 'p')"
    equal(connection.execute(preview).fetchone(), (True,), "preview")
    refused = "SELECT reason FROM sendgate.reserve('off', 'inmail', 'p')"
    equal(connection.execute(refused).fetchone(), ("daily_cap_reached",), "a refusal")
    state = in_thread(lambda: connection.execute(RESERVE, ("p1", operation(1))))()
    equal(state, "25006", "SQLSTATE of a reserve")
    connection.execute("ROLLBACK")
    equal(books(env)["counter"], 0, "counter")


def in_thread(work):
    """Start work that fails; a function that waits for its end and returns the SQLSTATE."""
    states = []

    def run() -> None:
        try:
            work()
            states.append("no error")
        except Exception as error:
            states.append(getattr(error, "sqlstate", None) or repr(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def ended() -> str:
        thread.join()
        return states[0]

    return ended
