"""What a session costs beside its calls: the way to its first answer, and what it has set for itself."""

import statistics
import time

from harness import venv
from harness.progress import progress

from . import contenders
from .server import Cost, Server

SESSIONS = 100
# Later calls of a session. The last one counts, when everything is planned and compiled.
LATER = 20

CALLS = {
    "primary-key SELECT": "SELECT id FROM byhand.accounts WHERE id = %(account)s AND id <> %(prospect)s",
    "preview": "SELECT * FROM sendgate.preview(%(account)s, 'message', %(prospect)s)",
    "reserve": "SELECT * FROM sendgate.reserve(%(account)s, 'message', %(prospect)s)",
}

CHANGED = (
    """\\set value random(1, 2)
SELECT set_config('{name}', 'changed_' || :value, false);
"""
    + contenders.RESERVE
)
USUAL, OTHER = "as it is", "application_name changed before each call"
# What the sessions have set, what they run, and which of these it is measured beside.
SETTINGS = {
    USUAL: ("", contenders.RESERVE, USUAL),
    "plan_cache_mode = force_custom_plan": ("-c plan_cache_mode=force_custom_plan", contenders.RESERVE, USUAL),
    "search_path = public": ("-c search_path=public", contenders.RESERVE, USUAL),
    "enable_indexscan = off": ("-c enable_indexscan=off", contenders.RESERVE, USUAL),
    OTHER: ("", CHANGED.format(name="application_name"), OTHER),
    "search_path changed before each call": ("", CHANGED.format(name="search_path"), OTHER),
}


def firsts(server: Server) -> dict[str, tuple[float, float, float]]:
    """Milliseconds from before the connection to the first answer; of the first call alone; of a later one."""
    venv.use()
    import psycopg

    found = {}
    for name, call in CALLS.items():
        progress(f"  {SESSIONS} sessions: {name}")
        runs = []
        for number in range(SESSIONS):
            begin = time.perf_counter()
            dsn = server.cluster.dsn(user=contenders.APPLICATION)
            account = f"account-{number % server.accounts + 1}"
            with psycopg.connect(dsn, autocommit=True) as connection:
                connected = time.perf_counter()
                times = [connected]
                for later in range(LATER):
                    asked = {"account": account, "prospect": f"session-{name}-{number}-{later}"}
                    connection.execute(call, asked).fetchall()
                    times.append(time.perf_counter())
            runs.append((times[1] - begin, times[1] - connected, times[-1] - times[-2]))
        found[name] = tuple(1_000 * statistics.median(column) for column in zip(*runs, strict=True))
    return found


def settings(server: Server, seconds: float, rounds: int) -> dict[str, tuple[float, float, str]]:
    """Calls a second of ``reserve`` and its processor time by what the session has set, in turn; and beside which."""
    runs: dict[str, list[Cost]] = {name: [] for name in SETTINGS}
    for number in range(1, rounds + 1):
        for name, (options, script, _) in SETTINGS.items():
            progress(f"  round {number} of {rounds}: {name}")
            runs[name].append(server.run(script, seconds, options=options))
    return {
        name: (
            statistics.median(cost.rate for cost in costs),
            statistics.median(cost.cpu for cost in costs),
            SETTINGS[name][2],
        )
        for name, costs in runs.items()
    }
