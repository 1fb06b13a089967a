"""A suppression under load: no call that begins after its commit gets a grant, and a call pays next to nothing for it."""

import time

from e2e.support import at_once, equal, provision

ACCOUNTS = "a", "b"
# One for each account that reserves, and one that dispatches.
WORKERS = len(ACCOUNTS) + 1
PROSPECTS = 60
# How many grants the workers get before the next prospect is suppressed.
GRANTS_EACH = 3
# How often a table and its indexes have been read so far, by all sessions that have told.
SCANS = "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relid = 'sendgate.{}'::regclass"


def test_no_call_that_begins_after_a_suppression_gets_a_grant(env):
    """Two workers reserve and one dispatches, while an operator suppresses one prospect after the other."""
    for account in ACCOUNTS:
        provision(env, account, message=10_000, invite=10_000, profile_view=10_000, engagement=10_000)
        env.psql(
            f"SELECT sendgate.enqueue('k', 'p' || n, '{account}', 'message') FROM generate_series(1, {PROSPECTS}) n"
        )
    suppressed_at: dict[str, float] = {}
    grants: list[tuple[str, float]] = []
    finished: list[int] = []

    def suppress(connection) -> None:
        """Keeps pace with the workers, so that they meet prospects before, at and after their suppression."""
        for n in range(PROSPECTS):
            while len(grants) < GRANTS_EACH * n and len(finished) < WORKERS:
                time.sleep(0.0005)
            connection.execute("SELECT sendgate.suppress_prospect(%s, 'asked')", (f"p{n + 1}",))
            suppressed_at[f"p{n + 1}"] = time.monotonic()

    def reserve(connection, account: str) -> None:
        for action in ("invite", "profile_view", "engagement"):
            for n in range(PROSPECTS):
                began = time.monotonic()
                call = "SELECT proceed FROM sendgate.reserve(%s, %s, %s)"
                if connection.execute(call, (account, action, f"p{n + 1}")).fetchone() == (True,):
                    grants.append((f"p{n + 1}", began))

    def dispatch(connection) -> None:
        for _ in range(2 * PROSPECTS):
            began = time.monotonic()
            rows = connection.execute("SELECT prospect_id FROM sendgate.dispatch(1)").fetchall()
            grants.extend((prospect, began) for (prospect,) in rows)

    def work(number: int) -> None:
        with env.connect() as connection:
            if number == WORKERS:
                suppress(connection)
                return
            if number < len(ACCOUNTS):
                reserve(connection, ACCOUNTS[number])
            else:
                dispatch(connection)
            finished.append(number)

    at_once(WORKERS + 1, work)
    assert len(grants) > PROSPECTS, f"only {len(grants)} grants: this shows nothing"
    late = [(prospect, began) for prospect, began in grants if began > suppressed_at[prospect]]
    equal(late, [], "grants of calls that began after the suppression")
    answers = (
        f"SELECT DISTINCT r.reason FROM generate_series(1, {PROSPECTS}) n, sendgate.preview('a', 'inmail', 'p' || n) r"
    )
    equal(env.psql(answers), "prospect_suppressed", "afterwards")


def test_an_empty_list_is_not_looked_at_and_one_more_reads_nothing_anew(env):
    provision(env, "a", invite=1_000)
    worker, operator = env.connect(), env.connect()
    prospects = iter(range(1_000))

    def scans(table: str, calls: int = 20) -> int:
        """How often so many calls of the worker read a table."""
        before = read(table)
        for _ in range(calls):
            worker.execute("SELECT sendgate.reserve('a', 'invite', %s)", (f"q{next(prospects)}",))
        return read(table) - before

    def read(table: str) -> int:
        worker.execute("SELECT pg_stat_force_next_flush()")
        return operator.execute(SCANS.format(table)).fetchone()[0]

    scans("suppressions")  # the first call looks whether the list is empty
    equal(scans("suppressions"), 0, "reads of an empty list")
    operator.execute("SELECT sendgate.suppress_prospect('x', 'asked')")
    scans("suppressions")
    operator.execute("SELECT pg_stat_force_next_flush()")
    equal(scans("suppressions"), 20, "reads of a list by 20 calls")
    configuration = scans("tier_overrides")
    operator.execute("SELECT sendgate.suppress_prospect('y', 'asked')")
    equal(scans("tier_overrides"), configuration, "reads of the configuration after one more")
    equal(configuration, 0, "reads of the configuration")
