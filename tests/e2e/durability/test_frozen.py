"""A process that is frozen in the middle of a transaction, as a machine that swaps or a stopped container does it: each
function that writes, as the last call before. It delays its own accounts, and nothing else."""

import os
import signal
from contextlib import contextmanager

from e2e.support import equal, provision
from e2e.support.calls import CALLS, FROZEN, prepare

# Signals are the operating system's.
NEWEST_ONLY = True
OTHERS = "elsewhere"
# What a call for another account takes; far below the wait for a held one.
LIMIT = "2s"
# Ends its own transactions, so nothing of it stays open; and those before which nothing is granted at all.
LEFT_OUT = ("tick", "resume_all", "adopt_database")


def test_each_call_frozen_before_its_commit(env):
    prepare(env)
    provision(env, OTHERS, profile_view=1000, engagement=1000)
    worker, observer = env.connect(), env.connect()
    worker.execute(FROZEN)
    worker.execute(f"SET statement_timeout = '{LIMIT}'")
    for number, (name, call) in enumerate(CALLS.items()):
        if name in LEFT_OUT:
            continue
        if call.before:
            observer.execute(call.before)
        with env.connect(autocommit=False) as frozen:
            frozen.execute(FROZEN)
            frozen.execute(call.sql)
            with stopped(frozen.info.backend_pid):
                goes_on(worker, number, name)
            frozen.rollback()
        if call.after:
            observer.execute(call.after)
        goes_on(worker, len(CALLS) + number, f"{name} after it")


def goes_on(worker, number: int, name: str) -> None:
    """Everything that an application does with another account, and readings of the one that is held."""
    operation = f"10000000-0000-4000-8000-{number:012d}"
    grant = "SELECT proceed FROM sendgate.reserve(%s, 'profile_view', %s, NULL, %s)"
    equal(worker.execute(grant, (OTHERS, operation, operation)).fetchone(), (True,), f"a grant while {name} is frozen")
    worker.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (OTHERS, operation))
    worker.execute("SELECT sendgate.enqueue('k', %s, %s, 'engagement')", (operation, OTHERS))
    handed = "SELECT prospect_id FROM sendgate.dispatch(1, 'engagement', %s)"
    (prospect,) = worker.execute(handed, (OTHERS,)).fetchone()
    equal(prospect, operation, f"what is handed out while {name} is frozen")
    given_back = "SELECT sendgate.rollback(account_id, operation_id) FROM sendgate.send_operations WHERE state = 'reserved' AND account_id = %s"
    worker.execute(given_back, (OTHERS,))
    worker.execute("SELECT sendgate.cancel('k', %s)", (operation,))
    for reading in ("preview('a', 'inmail')", "preview('open', 'inmail')", "breaker_check('c')"):
        worker.execute(f"SELECT * FROM sendgate.{reading}")


@contextmanager
def stopped(pid: int):
    """The process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
