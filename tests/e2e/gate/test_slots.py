"""Never more than k grants on k free slots, and exactly k, whatever the isolation level."""

import itertools
import threading

from e2e.support import at_once, books, equal, provision

WORKERS = 24
CAP = 50
ATTEMPTS = 200


def test_exactly_k_of_k_at_read_committed(env):
    """No call fails with a serialization error, so nothing is retried."""
    race(env, "READ COMMITTED", retry=False)


def test_exactly_k_of_k_at_repeatable_read(env):
    race(env, "REPEATABLE READ", retry=True)


def test_exactly_k_of_k_at_serializable(env):
    race(env, "SERIALIZABLE", retry=True)


def race(env, level: str, retry: bool) -> None:
    """Many sessions reserve at once for different prospects."""
    import psycopg

    prepare(env)
    attempts = itertools.count()
    attempts_lock = threading.Lock()

    def work(_number: int) -> list:
        answers = []
        connection = connected[_number]
        while True:
            with attempts_lock:
                attempt = next(attempts)
            if attempt >= ATTEMPTS:
                return answers
            while True:
                try:
                    answers.append(reserve(connection, f"p{attempt}"))
                    break
                except psycopg.errors.SerializationFailure:
                    if not retry:
                        raise

    connected = [env.connect() for _ in range(WORKERS)]
    for connection in connected:
        connection.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
    answers = list(itertools.chain.from_iterable(at_once(WORKERS, work)))
    granted = [answer for answer in answers if answer[0]]
    equal(len(answers), ATTEMPTS, "answers")
    equal(len(granted), CAP, "grants")
    equal(sorted(sent for _, _, _, sent in granted), list(range(1, CAP + 1)), "sent_today of each")
    equal(len({operation for _, operation, _, _ in granted}), CAP, "different operations")
    reasons = {reason for proceed, _, reason, _ in answers if not proceed}
    equal(reasons, {"daily_cap_reached"}, "reasons")
    equal(books(env), {"counter": CAP, "journal": CAP, "delivered": 0, "events": 0}, "books")


def test_slots_that_are_given_back_are_used_again(env):
    """Confirms and rollbacks between the reserves: in the end exactly k were delivered."""
    prepare(env)
    connected = [env.connect() for _ in range(WORKERS)]
    # Most workers begin with an error: ten of them may come one after the other, and this is not about these.
    for connection in connected:
        connection.execute("SET sendgate.failure_limit = 0")
    prospects = itertools.count()

    def work(number: int) -> int:
        connection, turn, delivered = connected[number], 0, 0
        while True:
            proceed, operation, reason, _ = reserve(connection, f"p{next(prospects)}")
            if not proceed:
                assert reason == "daily_cap_reached", reason
                if books_are_full(connection):
                    return delivered
                continue
            turn += 1
            if turn % 2:
                give_back(connection, operation, number)
            else:
                connection.execute("SELECT sendgate.confirm('a', %s, %s)", (operation, f"chat {operation}"))
                delivered += 1

    equal(sum(at_once(WORKERS, work)), CAP, "delivered by the workers")
    equal(books(env), {"counter": CAP, "journal": CAP, "delivered": CAP, "events": CAP}, "books")


def test_one_operation_id_takes_one_slot(env):
    """The same call from many sessions at once, as from a client that retries too eagerly."""
    prepare(env)
    connected = [env.connect() for _ in range(WORKERS)]
    sql = "SELECT * FROM sendgate.reserve('a', 'inmail', 'p', 'c', %s)"
    operation = "00000000-0000-4000-8000-000000000001"
    answers = at_once(WORKERS, lambda n: connected[n].execute(sql, (operation,)).fetchone())
    equal(len(set(answers)), 1, "different answers")
    equal(books(env)["counter"], 1, "slots taken")
    equal(books(env)["journal"], 1, "journal rows")


def test_one_prospect_is_reserved_once(env):
    """Different operations for one prospect: one is in flight, the others are refused."""
    prepare(env)
    connected = [env.connect() for _ in range(WORKERS)]
    answers = at_once(WORKERS, lambda n: reserve(connected[n], "p"))
    equal(sum(answer[0] for answer in answers), 1, "grants")
    equal({a[2] for a in answers if not a[0]}, {"operation_in_flight"}, "reasons")
    equal(books(env)["counter"], 1, "slots taken")


def prepare(env) -> None:
    """An account with CAP slots. The lock timeout is long, so that no call times out on a slow machine."""
    provision(env, inmail=CAP)
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.lock_timeout = '5min'")


def reserve(connection, prospect: str) -> tuple:
    """(proceed, operation_id, reason, sent_today)"""
    return connection.execute(
        "SELECT proceed, operation_id, reason, sent_today FROM sendgate.reserve('a', 'inmail', %s)",
        (prospect,),
    ).fetchone()


def give_back(connection, operation, number: int) -> None:
    """With one error or another that gives the slot back and leaves the account alone."""
    error = ((None, None), ("recipient has blocked you", 422), ("try later", 503))[number % 3]
    connection.execute("SELECT sendgate.rollback('a', %s, %s, NULL, %s)", (operation, *error))


def books_are_full(connection) -> bool:
    """Whether every slot is taken by a delivery, so that none will be given back any more."""
    found = connection.execute("SELECT count(*) FROM sendgate.send_operations WHERE state = 'delivered'").fetchone()
    return found[0] >= CAP
