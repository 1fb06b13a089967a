"""Logical replication, as docs/dba.md says it: what arrives counts in sessions that are open, nothing stops the
worker that applies it, and the other server goes on where the first one stopped."""

import re
from contextlib import contextmanager

import psycopg

from e2e.support import equal, wait_for
from harness.cluster import Cluster
from harness.places import REPO
from upgrade import stock

# The subject speaks SQL; what differs between versions is PostgreSQL's own.
NEWEST_ONLY = True
# For what would never come.
WAIT_SECONDS = 20
# Its own database does not send before it is adopted; this session asks what the gate would answer.
ASK = "SET sendgate.copy_check = off"


def test_a_subscriber_follows_prunes_and_takes_over(env):
    with publisher(env) as first:
        source = connect(env, first)
        stock.fill(source)
        source.execute("SELECT sendgate.resume_all()")
        step(first, "publish")
        target = env.fresh_database()
        subscriber = env.connect(target)
        subscriber.execute("SELECT count(*) FROM sendgate.tiers")
        subscribe(env, first, target)
        follows(source, subscriber, "what was there before")
        copied_until_adopted(env, target)
        configuration_counts_at_once(env, source, target)
        rows_that_leave(source, subscriber)
        take_over(env, first, source, target)
        for_all_tables(env, first, source)


def configuration_counts_at_once(env, source, target: str) -> None:
    """In a session that has read it before."""
    warm = env.connect(target)
    warm.execute(ASK)
    warm.execute(f"SET sendgate.now = '{stock.NOW}'")
    source.execute(f"SET sendgate.now = '{stock.NOW}'")

    def answers(expected, what: str, action: str = "engagement") -> None:
        ask = "SELECT reason, daily_cap FROM sendgate.preview('a', %s, 'p99')"
        heard = lambda: warm.execute(ask, (action,)).fetchone() == expected  # noqa: E731
        wait_for(heard, f"{what}: {expected}, but it says {warm.execute(ask, (action,)).fetchone()}", WAIT_SECONDS)

    (_, cap) = warm.execute("SELECT reason, daily_cap FROM sendgate.preview('a', 'engagement', 'p99')").fetchone()
    answers((None, cap), "before")
    source.execute("SELECT sendgate.pause_all('stop')")
    answers(("paused_by_operator", cap), "pause_all")
    refused = warm.execute("SELECT proceed, reason FROM sendgate.reserve('a', 'engagement', 'p98')").fetchone()
    equal(refused, (False, "paused_by_operator"), "a grant while the other server is paused")
    source.execute("SELECT sendgate.resume_all()")
    answers((None, cap), "resume_all")
    source.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'engagement', 3)")
    answers((None, 3), "set_tier_cap")
    source.execute("SELECT sendgate.set_tier_cap('sales_navigator', 'engagement', 4)")
    answers((None, 4), "a cap that is changed")
    source.execute("SELECT sendgate.drop_tier_cap('sales_navigator', 'engagement')")
    answers((None, cap), "drop_tier_cap")
    source.execute("SELECT sendgate.suppress_prospect('p99', 'asked')")
    answers(("prospect_suppressed", cap), "suppress_prospect")
    source.execute("SELECT sendgate.unsuppress_prospect('p99', 'back')")
    answers((None, cap), "unsuppress_prospect")
    told = "SELECT sendgate.breaker_report('a', 'p97', 'no parking here', NULL, 422)"
    (usual,) = warm.execute(told).fetchone()
    for sql, outcome in (("set_error_rule(91, 'recipient_refused', error_text => 'no parking')", "recipient_refused"),
                         ("drop_error_rule(91)", usual)):  # fmt: skip
        source.execute(f"SELECT sendgate.{sql}")
        wait_for(
            lambda outcome=outcome: warm.execute(told).fetchone() == (outcome,), f"{outcome} by {sql}", WAIT_SECONDS
        )
    assert usual != "recipient_refused", "the shipped rules know that text"
    warm.close()


def rows_that_leave(source, subscriber) -> None:
    """Logs keep what is in them, but not from the worker: it would stop for good at the first row."""
    source.execute("SET sendgate.now = '2027-12-01 12:00:00+00'")
    before = {table: len(stock.rows(source, table)) for table in stock.tables(source)}
    source.execute("SELECT count(*) FROM sendgate.take_breaker_lines(1000)")
    source.execute("SELECT sendgate.forget_prospect('p2', 'asked to be forgotten')")
    while source.execute("SELECT more FROM sendgate.prune('60 days', '60 days')").fetchone()[0]:
        pass
    source.execute("SELECT sendgate.remove_account('counted', 'left', 1000)")
    gone = {table for table, count in before.items() if len(stock.rows(source, table)) < count}
    logs = {"linkedin_events", "breaker_log", "cooldown_log", "admin_log", "campaign_events"}
    assert logs <= gone, f"prune left {sorted(logs - gone)} as they were"
    follows(source, subscriber, "what was pruned")
    for connection in (source, subscriber):
        try:
            connection.execute("SET session_replication_role = replica; DELETE FROM sendgate.admin_log")
        except psycopg.Error as error:
            equal(error.sqlstate, "SG210", "a session that says it replicates")
        else:
            raise AssertionError("a session deleted a log")
        connection.execute("RESET session_replication_role")


def copied_until_adopted(env, target: str) -> None:
    """The subscriber holds the books of another database, however they came."""
    ask = "SELECT reason FROM sendgate.preview('a', 'message')"
    equal(env.psql(ask, target), "paused_by_operator", "the gate of the subscriber")
    equal(env.psql("SELECT sendgate.copied_database()", target), "t", "whether it is a copy")


def take_over(env, first: Cluster, source, target: str) -> None:
    """The steps of the page, one after the other; then the gate goes on where it was."""
    source.execute(f"SET sendgate.now = '{stock.NOW}'")
    source.execute("SELECT sendgate.upsert_account('late', 'recruiter')")
    last = "SELECT proceed, operation_id FROM sendgate.reserve('late', 'inmail', 'p')"
    (proceed, operation) = source.execute(last).fetchone()
    equal(proceed, True, "the last grant")
    step(first, "stop")
    equal(source.execute("SELECT reason FROM sendgate.preview('late', 'inmail')").fetchone()[0], "paused_by_operator",
          "the server that sent before")  # fmt: skip
    position = first.psql("SELECT pg_current_wal_lsn()")
    arrived = block("arrived").replace(":'position'", f"'{position}'")
    wait_for(lambda: first.psql(arrived) == "t", "everything to arrive", WAIT_SECONDS)
    env.psql(block("adopt"), target)
    with env.connect(target) as connection:
        connection.execute(f"SET sendgate.now = '{stock.NOW}'")
        again = "SELECT proceed, reason FROM sendgate.reserve('late', 'inmail', 'p', NULL, %s)"
        equal(connection.execute(again, (operation,)).fetchone(), (True, None), "the last grant, asked for again")
        connection.execute("SELECT sendgate.confirm('late', %s, 'chat')", (operation,))
        sql = "SELECT proceed, sent_today FROM sendgate.reserve('late', 'inmail', 'q')"
        equal(connection.execute(sql).fetchone(), (True, 2), "the next grant counts the last one")
        for job in ("reconcile_operations", "audit_events"):
            connection.execute(f"SELECT sendgate.{job}()")
        drift = "SELECT count(*) FROM sendgate.counter_drift WHERE account_id = 'late'"
        equal(connection.execute(drift).fetchone(), (0,), "counters that had to be corrected")
    sequences = "SELECT count(*) FROM pg_class WHERE relnamespace = 'sendgate'::regnamespace AND relkind = 'S'"
    equal(env.psql(sequences, target), "0", "sequences, which would not have come along")
    equal(first.psql("SELECT count(*) FROM pg_replication_slots"), "0", "slots that are left")


def for_all_tables(env, first: Cluster, source) -> None:
    """Shipped rows are there on both sides: the subscriber's go before it subscribes."""
    first.psql("DROP PUBLICATION sendgate; CREATE PUBLICATION sendgate FOR ALL TABLES")
    target = env.fresh_database()
    env.psql(block("shipped"), target)
    subscribe(env, first, target)
    with env.connect(target) as subscriber:
        follows(source, subscriber, "users' rows")
        for table in stock.SHIPPED:
            equal(stock.rows(subscriber, table), stock.rows(source, table), f"shipped rows of {table}")
    env.psql("DROP SUBSCRIPTION sendgate", target)


@contextmanager
def publisher(env):
    """A server that others may subscribe to."""
    # Or the subscriber would rest for seconds between two tables that it copies.
    env.cluster.configure(wal_retrieve_retry_interval="50ms", max_sync_workers_per_subscription="3")
    with Cluster(env.install, conf=env.cluster.conf | {"wal_level": "logical"}, in_memory=True) as server:
        server.psql("CREATE EXTENSION sendgate")
        try:
            yield server
        finally:
            unsubscribe(env)


def unsubscribe(env) -> None:
    """Where a test failed in the middle: a database with a subscription cannot be dropped."""
    there = "SELECT d.datname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
    for name in env.psql(there).splitlines():
        for change in ("DISABLE", "SET (slot_name = NONE)"):
            env.psql(f"ALTER SUBSCRIPTION sendgate {change}", name)
        env.psql("DROP SUBSCRIPTION sendgate", name)


def connect(env, server: Cluster):
    """A superuser's session, closed after the test."""
    connection = psycopg.connect(server.dsn(), autocommit=True)
    env._connections.append(connection)
    return connection


def subscribe(env, first: Cluster, target: str) -> None:
    """As the page says it, from where this server is."""
    sql = block("subscribe")
    there = re.search(r"CONNECTION '([^']*)'", sql)[1]
    env.psql(sql.replace(there, first.dsn()), target)
    states = (
        "SELECT count(*) FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE srsubstate <> 'r'"
    )
    wait_for(lambda: env.psql(states, target) == "0", "the tables to be copied", WAIT_SECONDS)


def follows(source, subscriber, what: str) -> None:
    """Until both have the same rows in every table."""

    def different() -> list[str]:
        users = [table for table in stock.tables(source) if table not in stock.SHIPPED]
        return [table for table in users if stock.rows(source, table) != stock.rows(subscriber, table)]

    try:
        wait_for(lambda: not different(), what, WAIT_SECONDS)
    except AssertionError:
        equal(different(), [], f"tables that differ: {what}")


def step(server: Cluster, name: str) -> None:
    """A block of the page, as psql runs it."""
    server.psql(block(name))


def block(name: str, page: str = "dba.md") -> str:
    """The SQL of a page of docs whose first line is the comment of this name."""
    text = (REPO / "docs" / page).read_text()
    found = re.search(rf"```sql\n-- {name}: [^\n]*\n(.*?)```", text, re.DOTALL)
    assert found, f"docs/{page} has no step {name}"
    return found[1]
