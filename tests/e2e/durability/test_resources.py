"""Connections that run out, and an account that one session holds: all others go on meanwhile, and afterwards
those that waited do."""

import threading

from e2e.support import equal, login, operation, provision, wait_for
from e2e.support.daemon_process import JOBS, Daemon, daemon_login, make_due, states

ONLY_ON = (18,)

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
CONNECTIONS = 12
SENDS = 20
TOO_MANY = "53300"
HELD = "SG301"
RESERVE = "SELECT proceed, reason FROM sendgate.reserve(%s, 'invite', %s, NULL, %s)"


def test_workers_and_the_daemon_get_on_after_connections_ran_out(env):
    env.cluster.configure(max_connections=CONNECTIONS)
    env.cluster.restart()
    provision(env, invite=SENDS)
    sender, crowd = login(env, "chaos_worker", "sendgate_sender"), Crowd(env, login(env, "chaos_crowd"))
    with Daemon(env) as daemon:
        wait_for(daemon.ready, "the daemon")
        worker = Patient(env, sender)
        thread = threading.Thread(target=worker.work, daemon=True)
        thread.start()
        wait_for(lambda: worker.sent == SENDS // 2, "the worker to be in the middle")
        wait_for(lambda: crowd.has_all_but([daemon.user, sender]), "the crowd to have all other connections")
        worker.go_on.set()
        wait_for(lambda: TOO_MANY in worker.errors, "the worker to be refused")
        wait_for(lambda: not daemon.ready(), "readyz to notice")
        wait_for(lambda: is_full(daemon.get("/readyz")[1]), "readyz to say why")
        # A superuser still gets in: PostgreSQL reserves connections for that.
        make_due(env, *JOBS)
        crowd.go()
        thread.join()
        equal((worker.sent, worker.problem), (SENDS, None), "what the worker sent in the end")
        wait_for(daemon.ready, "the daemon to be back")
        for job in JOBS:
            wait_for(lambda job=job: states(env, job)[-1] == "ok" and len(states(env, job)) > 1, f"{job} to run again")
        equal(daemon.stop()[0], 0, "exit status")
    equal(env.psql("SELECT invites_sent_today FROM sendgate.accounts"), str(SENDS), "the counter")
    equal(env.psql("SELECT count(*) FROM sendgate.linkedin_events"), str(SENDS), "events")
    equal(env.psql("SELECT count(*) FROM sendgate.counter_drift"), "0", "drift")


def test_an_account_that_is_held_stops_no_other_and_no_sweep(env):
    """As long as it lasts: here, until each job has run twice."""
    for account in ("a", "b", "c"):
        provision(env, account, invite=20)
        env.psql(f"SELECT sendgate.enqueue('k', 'p' || n, '{account}', 'invite') FROM generate_series(1, 3) n")
    # What layer 1 will find.
    env.psql("UPDATE sendgate.accounts SET messages_sent_today = 7")
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.lock_timeout = '100ms'")
    holder, others = env.connect(autocommit=False), env.connect()
    equal(holder.execute(RESERVE, ("a", "held", operation(1))).fetchone(), (True, None), "the holder's slot")
    with Daemon(env, daemon_login(env)) as daemon:
        for runs in (1, 2):
            for job in JOBS:
                wait_for(lambda job=job, runs=runs: states(env, job) == ["ok"] * runs, f"run {runs} of {job}")
            equal(sqlstate(others, RESERVE, ("a", f"p{runs}", operation(100 + runs))), HELD, "reserve on the held one")
            equal(
                others.execute(RESERVE, ("b", f"new {runs}", operation(10 + runs))).fetchone(),
                (True, None),
                "reserve on another one",
            )
            preview = "SELECT proceed FROM sendgate.preview('a', 'invite', 'somebody')"
            equal(others.execute(preview).fetchone()[0], True, "preview, which holds nothing")
            make_due(env, *JOBS)
        handed = "SELECT account_id, count(*) FROM sendgate.dispatch(100) GROUP BY 1 ORDER BY 1"
        equal(others.execute(handed).fetchall(), [("b", 3), ("c", 3)], "what dispatch hands out")
        healed = "SELECT string_agg(DISTINCT account_id, ' ') FROM sendgate.counter_drift"
        equal(env.psql(healed), "b c", "accounts that layer 1 corrected")
        assert daemon.ready(), "the daemon waits for the held account"

        holder.commit()
        make_due(env, *JOBS)
        wait_for(lambda: env.psql(healed) == "a b c", "the next sweep to correct it")
        equal(others.execute(handed).fetchall(), [("a", 3)], "what dispatch hands out then")
    counters = "SELECT id, invites_sent_today, messages_sent_today FROM sendgate.accounts ORDER BY id"
    equal(env.psql(counters), "a|4|0\nb|5|0\nc|3|0", "counters")


class Crowd:
    """Applications that keep whatever connection they can get."""

    def __init__(self, env, user: str):
        self.env = env
        self.user = user
        self.connections: list = []

    def has_all_but(self, users: list[str]) -> bool:
        """End the others' sessions and be faster than they are; whether none of them is left."""
        self.env.psql(terminate(users))
        import psycopg

        try:
            while True:
                self.connections.append(self.env.connect(user=self.user))
        except psycopg.OperationalError as error:
            assert is_full(str(error)), error
        return self.env.psql(f"SELECT count(*) FROM pg_stat_activity WHERE {among(users)}") == "0"

    def go(self) -> None:
        """Let others in again."""
        for connection in self.connections:
            connection.close()


def is_full(text: str) -> bool:
    """While connecting psycopg knows no SQLSTATE, only PostgreSQL's words."""
    return "connection slots" in text or "too many clients" in text


def among(users: list[str]) -> str:
    names = ", ".join(f"'{user}'" for user in users)
    return f"usename IN ({names})"


def terminate(users: list[str]) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {among(users)}"


class Patient:
    """A worker that repeats what failed for want of a server, with the same ids."""

    def __init__(self, env, user: str):
        self.env = env
        self.user = user
        self.sent = 0
        self.errors: set = set()
        self.problem: Exception | None = None
        self.go_on = threading.Event()

    def work(self) -> None:
        """Reserve and confirm, until all is sent; in the middle it waits for the test, lest it be done before the
        crowd is there."""
        try:
            for number in range(1, SENDS + 1):
                if number > SENDS // 2:
                    self.go_on.wait()
                slot = operation(number)
                equal(self.ask(RESERVE, ("a", f"p{number}", slot)), (True, None), "a grant")
                self.ask("SELECT sendgate.confirm('a', %s)", (slot,))
                self.sent = number
        except Exception as error:
            self.problem = error

    def ask(self, sql: str, values) -> tuple:
        """Each call on a connection of its own, until it is answered."""
        import psycopg

        while True:
            try:
                with psycopg.connect(self.env.cluster.dsn(self.env.dbname, self.user), autocommit=True) as connection:
                    return connection.execute(sql, values).fetchone()
            except psycopg.OperationalError as error:
                self.errors.add(TOO_MANY if is_full(str(error)) else error.sqlstate)


def sqlstate(connection, sql: str, values) -> str | None:
    """How it fails."""
    import psycopg

    try:
        connection.execute(sql, values)
    except psycopg.Error as error:
        return error.sqlstate
    return None
