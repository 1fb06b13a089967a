"""What the gate does, counted in shared memory where the library is loaded with the server."""

from e2e.gate.test_refusals import preload
from e2e.support import equal, operation, provision

COUNTED = """
SELECT concat_ws(' ', what, action, outcome), counted FROM sendgate.activity_counts() WHERE counted > 0"""


def test_what_happens_is_counted_once(env):
    """Through single calls, batches and dispatch; counts outlive midnight and only rise."""
    preload(env)
    provision(env, "a")
    calls = [
        f"SELECT sendgate.reserve('a', 'invite', 'p1', NULL, '{operation(1)}')",
        # The same again is the same grant.
        f"SELECT sendgate.reserve('a', 'invite', 'p1', NULL, '{operation(1)}')",
        f"SELECT sendgate.confirm('a', '{operation(1)}')",
        f"SELECT sendgate.confirm('a', '{operation(1)}')",
        f"SELECT sendgate.reserve('a', 'inmail', 'p2', NULL, '{operation(2)}')",
        f"SELECT sendgate.rollback('a', '{operation(2)}', 'no credits', 'errors/insufficient_credits', 402)",
        "SELECT sendgate.breaker_clear('a', 'test')",
        "SELECT sendgate.enqueue('k', 'q' || n, 'a', 'message') FROM generate_series(1, 3) n",
        "SELECT count(*) FROM sendgate.dispatch(3)",
        """SELECT sendgate.confirm_many(array_agg(account_id), array_agg(operation_id))
           FROM (SELECT * FROM sendgate.send_operations WHERE state = 'reserved' ORDER BY operation_id LIMIT 2) o""",
        """SELECT sendgate.rollback_many(array_agg(account_id), array_agg(operation_id), ARRAY['gone'], NULL, ARRAY[500])
           FROM sendgate.send_operations WHERE state = 'reserved'""",
        "SELECT sendgate.record_external_send('a', 'message', 'r', 'chat', clock_timestamp())",
    ]
    for sql in calls:
        env.psql(sql)
    expected = {
        "grant invite": 1, "grant inmail": 1, "grant message": 3, "delivery invite": 1, "delivery message": 3,
        "outcome inmail credits_exhausted": 1, "outcome message indeterminate": 1, "breaker_set": 1, "breaker_clear": 1,
    }  # fmt: skip
    equal(counted(env), expected, "counts")


def test_without_the_library_in_the_server_nothing_is_counted(env):
    provision(env, "a")
    env.psql("SELECT sendgate.reserve('a', 'inmail', 'p')")
    equal(env.psql("SELECT count(*) FROM sendgate.activity_counts()"), "0", "lines")


def counted(env) -> dict[str, int]:
    with env.connect() as connection:
        return dict(connection.execute(COUNTED).fetchall())
