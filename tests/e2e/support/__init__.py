"""What several e2e tests need: accounts, logins, many sessions at once, waiting for a condition."""

import os
import signal
import subprocess
import threading
import time
import unicodedata
from collections.abc import Callable

WAIT_SECONDS = 60
# A condition is asked for that often at first, and after a long wait that seldom: asking takes the time of those who work.
POLL_SECONDS = 0.02
POLL_SECONDS_MAX = 0.25
# Of the wait until now: how much longer than necessary it may take.
POLL_PART = 0.05
# The roles that sendgate creates and applications are granted.
ROLES = ("sendgate_sender", "sendgate_reader", "sendgate_operator", "sendgate_daemon")


def operation(number: int) -> str:
    """A fixed operation id."""
    return f"00000000-0000-4000-8000-{number:012d}"


def provision(env, account: str = "a", tier: str = "sales_navigator", **caps: int) -> None:
    """An account, with caps of its own by action."""
    env.psql(f"SELECT sendgate.upsert_account('{account}', '{tier}')")
    for action, cap in caps.items():
        env.psql(f"SELECT sendgate.set_cap('{account}', '{action}', {cap})")


def login(env, name: str, *roles: str) -> str:
    """A role that can log in and is a member of the given ones; dropped after the test."""
    env.psql(f'CREATE ROLE "{name}" LOGIN')
    for role in roles:
        env.psql(f'GRANT {role} TO "{name}"')
    return name


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> object:
    """Ask until the answer is true, and return it."""
    began = time.monotonic()
    while True:
        if answer := condition():
            return answer
        if (waited := time.monotonic() - began) > seconds:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(min(max(POLL_SECONDS, waited * POLL_PART), POLL_SECONDS_MAX))


class Stopwatch:
    """``with Stopwatch() as watch:`` counts the ``seconds`` in which the machine went on.

    Use it to check a promised time: while the machine stands still, or has no time for this process either,
    the watch stops as well.
    """

    def __init__(self):
        self.seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Stopwatch":
        self._thread.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self.seconds += POLL_SECONDS


def wait_until_blocked(env, pid: int) -> None:
    """Wait until that backend waits for another one's lock."""
    query = f"SELECT pg_catalog.cardinality(pg_catalog.pg_blocking_pids({pid})) > 0"
    wait_for(lambda: env.psql(query) == "t", f"backend {pid} to wait for a lock")


def kill_backend(env, pid: int) -> None:
    """SIGKILL, which takes all sessions down; wait until the server has noticed and has recovered.

    Until it notices it still takes connections, which it then ends.
    """
    bystander = env.connect()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not _answers(bystander), "the server to notice")
    wait_for(lambda: _accepts(env), "the server to recover")


def _answers(connection) -> bool:
    import psycopg

    try:
        return connection.execute("SELECT true").fetchone()[0]
    except psycopg.OperationalError:
        return False


def _accepts(env) -> bool:
    from harness.progress import HarnessError

    try:
        return env.psql("SELECT 1") == "1"
    except HarnessError:
        return False


def at_once(workers: int, work: Callable[[int], object]) -> list:
    """Run ``work(number)`` in that many threads, which start together; their results.

    The first error of any of them is raised.
    """
    start = threading.Barrier(workers)
    results: list = [None] * workers
    errors: list[Exception] = []

    def run(number: int) -> None:
        try:
            start.wait(WAIT_SECONDS)
            results[number] = work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def books(env, account: str = "a", action: str = "inmail") -> dict:
    """Counter, journal and events of today for one action of one account, as tables have them."""
    row = (
        env.connect()
        .execute(
            f"""SELECT a.{action}s_sent_today,
                   (SELECT count(*) FROM sendgate.send_operations o WHERE o.account_id = a.id
                    AND o.action = %(action)s AND o.state <> 'released'),
                   (SELECT count(*) FROM sendgate.send_operations o WHERE o.account_id = a.id
                    AND o.action = %(action)s AND o.state = 'delivered'),
                   (SELECT count(*) FROM sendgate.linkedin_events e WHERE e.account_id = a.id
                    AND e.event_type = %(action)s || '_sent')
            FROM sendgate.accounts a WHERE a.id = %(account)s""",
            {"account": account, "action": action},
        )
        .fetchone()
    )
    return dict(zip(("counter", "journal", "delivered", "events"), row, strict=True))


def equal(found, expected, what: str) -> None:
    """Compare, and say what differs."""
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def run_program(env, program: str, *arguments: str, input: bytes | None = None) -> bytes:
    """Run a client program of the PostgreSQL of ``env``; what it printed. A dump that warns has left something out."""
    done = subprocess.run(
        [str(env.install.program(program)), *arguments],
        input=input,
        env=env.install.environment(),
        capture_output=True,
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and not (said and program.startswith("pg_dump")), f"{program}: {said}"
    return done.stdout


def harmful(text: str) -> set[str]:
    """Controls and invisible letters in a text, but for line ends."""
    return {c for c in text if c == "\u3164" or 0xFE00 <= ord(c) <= 0xFE0F} | {
        c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"
    }
