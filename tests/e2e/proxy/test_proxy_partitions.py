"""A proxy and partitions that are slow, silent, read-only or of another version; and a proxy that dies."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from e2e.gate.test_drivers import cut_short, work
from e2e.proxy.test_proxy_calls import count, refused, reserve, value
from e2e.support import equal, operation, wait_for
from e2e.support.drivers import DRIVERS
from e2e.support.partitions import COUNT, PROXY_USER, accounts_of
from e2e.support.silent import silent

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

# Of a proxy: one for each role.
SERVERS = 3
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"


def provisioned(parts, proxy) -> list[str]:
    """An account on each partition."""
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    return accounts


def others_go_on(proxy, accounts: list[str], but: int) -> None:
    """A slot of each account that is not on that partition."""
    for n, account in enumerate(accounts):
        if n != but:
            equal(reserve(proxy, account, "message", str(uuid.uuid4()))["proceed"], True, account)


def test_a_slow_partition_delays_its_accounts_alone(parts):
    """A caller's statement_timeout on the proxy ends its call on both sides, also where the partition has ended it already."""
    name = parts.proxy()
    proxy = parts.connect(name)
    accounts = provisioned(parts, proxy)
    holder = parts.env.connect(parts.names[1], autocommit=False)
    holder.execute("SELECT FROM sendgate.accounts WHERE id = %s FOR UPDATE", (accounts[1],))
    for limit_there in ("0", "300ms"):
        parts.env.psql(f"ALTER ROLE {PROXY_USER} SET statement_timeout = '{limit_there}'")
        impatient = parts.connect(name, options="-c statement_timeout=1000")
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(refused, impatient, RESERVE, accounts[1], operation(1))
            others_go_on(proxy, accounts, 1)
            equal(waits.result().sqlstate, "57014", "the call of the account that is held")
        wait_for(lambda: not value(parts.direct(1), WAITING, PROXY_USER), "the partition to hear of it")
    parts.env.psql(f"ALTER ROLE {PROXY_USER} RESET statement_timeout")
    holder.rollback()
    # The same id again: one slot, whatever became of the calls.
    for _ in range(2):
        equal(reserve(proxy, accounts[1], "message", "p", operation(1))["proceed"], True, "again")
    sent = "SELECT messages_sent_today FROM sendgate.linkedin_accounts WHERE id = %s"
    equal(value(parts.direct(1), sent, accounts[1]), 1, "slots")


RESERVE = "SELECT * FROM sendgate.reserve(%s, 'message', 'p', NULL, %s::uuid)"


def test_a_partition_that_takes_no_writes(parts):
    name = parts.proxy()
    proxy = parts.connect(name)
    accounts = provisioned(parts, proxy)
    proxy.execute("SELECT sendgate.set_error_rule(7, 'transient', error_text => 'later')")
    parts.env.psql(f'ALTER DATABASE "{parts.names[2]}" SET default_transaction_read_only = on')
    # A session that was there before the change goes on; a new one is refused at once, as by a standby.
    fresh = parts.connect(name)
    error = refused(fresh, RESERVE, accounts[2], operation(1))
    assert error.sqlstate == "XX000" and "session is read-only" in str(error), error
    others_go_on(fresh, accounts, 2)
    calls = ("SELECT sendgate.set_tier_cap('sales_navigator', 'message', 7)", "SELECT sendgate.drop_error_rule(7)")
    for call in calls:
        for _ in range(2):
            error = refused(fresh, call)
            assert "done on 3 of 4 partitions" in str(error) and error.sqlstate == "XX000", error
            assert error.diag.message_detail.startswith("p2: ") and "p3: " not in error.diag.message_detail, error
    parts.env.psql(f'ALTER DATABASE "{parts.names[2]}" RESET default_transaction_read_only')
    equal(reserve(fresh, accounts[2], "message", "p", operation(1))["proceed"], True, "when it takes writes again")
    # Repeated, what can be done once is done where it was not.
    equal([len(fresh.execute(call).fetchall()) for call in calls], [COUNT, 1], "again, rows")
    equal(refused(fresh, calls[1]).sqlstate, "SG104", "when it is gone everywhere")


def test_a_partition_of_another_version(parts):
    proxy = parts.connect(parts.proxy())
    accounts = provisioned(parts, proxy)
    direct = parts.direct(3)
    # As if this partition had not been updated yet: it does not know a function that the others have.
    direct.execute("ALTER FUNCTION sendgate.breaker_check(text, text, text) RENAME TO not_yet")
    error = refused(proxy, "SELECT * FROM sendgate.breaker_check(%s)", accounts[3])
    equal(error.sqlstate, "42883", "a function that it lacks")
    for n, account in enumerate(accounts):
        equal(reserve(proxy, account, "message", "p")["proceed"], True, account)
        if n != 3:
            proxy.execute("SELECT * FROM sendgate.breaker_check(%s)", (account,))
    direct.execute("ALTER FUNCTION sendgate.not_yet(text, text, text) RENAME TO breaker_check")
    proxy.execute("SELECT * FROM sendgate.breaker_check(%s)", (accounts[3],))


def test_a_partition_that_accepts_and_says_nothing(parts):
    """Such as a server whose disk hangs: a call to it ends by the caller's statement_timeout, and others do not wait."""
    port = str(parts.env.cluster.port)
    with silent() as where:
        # The address of p1 alone.
        lines = [
            line.replace(f"port=''{port}''", f"port=''{where}''") if line.lstrip().startswith("('p1'") else line
            for line in parts.script().splitlines()
        ]
        assert sum(str(where) in line for line in lines) == SERVERS, lines
        name = parts.proxy("\n".join(lines) + "\n")
        proxy = parts.connect(name, options="-c statement_timeout=1000")
        accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
        for n in (0, 2, 3):
            proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (accounts[n],))
        for _ in range(2):
            equal(refused(proxy, RESERVE, accounts[1], operation(1)).sqlstate, "57014", "a call that gets no answer")
        others_go_on(proxy, accounts, 1)
        # The switch is thrown everywhere else before the caller has waited long enough.
        equal(refused(proxy, "SELECT sendgate.pause_all('stop')").sqlstate, "57014", "pause_all")
        for n in (0, 2, 3):
            equal(count(parts, n, "pause_switch"), 1, f"pauses on p{n}")


def test_what_a_partition_says_comes_through(parts):
    """Defaults, named arguments, sets, warnings, and everything that an error says."""
    proxy = parts.connect(parts.proxy(), parts.login("ida", "sendgate_sender", "sendgate_operator"))
    heard: list = []
    proxy.add_notice_handler(lambda told: heard.append(parts_of(told)))
    account = accounts_of(2, 1)[0]
    proxy.execute("SELECT sendgate.upsert_account(tier => 'recruiter', account_id => %s)", (account,))
    equal(heard, [], "notices of an ordinary call")
    named = "SELECT proceed FROM sendgate.reserve(prospect_id => 'p', action => 'inmail', account_id => %s, operation_id => %s::uuid)"
    equal(proxy.execute(named, (account, operation(1))).fetchall(), [(True,)], "named arguments")
    equal(value(proxy, "SELECT sendgate.confirm(%s, %s, ' ')", account, operation(1)), None, "a delivery without proof")
    (warning,) = heard
    direct: list = []
    parts.direct(2).add_notice_handler(lambda told: direct.append(parts_of(told)))
    parts.direct(2).execute("SELECT sendgate.confirm(%s, %s, ' ')", (account, operation(1)))
    (said,) = direct
    equal((warning[:2], said[0]), (said[:2], "WARNING"), "severity and SQLSTATE")
    for here, there in zip(warning[2:], said[2:], strict=True):
        assert there and there in here, (there, here)
    # A function that answers nothing says so as there, and is counted.
    nothing = "SELECT count(sendgate.set_cap(%s, 'inmail', 2))"
    equal(value(proxy, nothing, account), value(parts.direct(2), nothing, account), "an empty answer")
    # Of an error, by every rule: one account, an operator's call, all partitions, arrays.
    for sql in (
        "SELECT sendgate.reserve('nobody', 'inmail', 'p')",
        "SELECT sendgate.set_cap('nobody', 'inmail', 1)",
        "SELECT sendgate.set_tier_cap('recruiter', 'email', 1)",
        "SELECT sendgate.drop_error_rule(1)",
        "SELECT sendgate.confirm_many(ARRAY['nobody'], ARRAY[gen_random_uuid()])",
    ):
        here, there = refused(proxy, sql), refused(parts.direct(0), sql)
        equal(here.sqlstate, there.sqlstate, sql)
        for part in ("message_primary", "message_detail", "message_hint"):
            assert getattr(there.diag, part) in getattr(here.diag, part), (sql, part, getattr(here.diag, part))
    # A row of each account, each on its own partition.
    rows = proxy.execute(
        "SELECT a, w.action FROM unnest(%s::text[]) AS a, sendgate.why(a, 'message') AS w ORDER BY 1", ([account],)
    ).fetchall()
    equal(rows, [(account, "message")], "a set for each row")
    # An alert that no partition knows, or that one knows which does not answer.
    parts.down(1)
    error = refused(proxy, "SELECT sendgate.acknowledge_alert(%s, 'seen')", uuid.uuid4())
    equal(error.sqlstate, "XX000", "a partition that may know it is away")
    assert "p1: " in error.diag.message_detail and "p0: " not in error.diag.message_detail, error
    parts.up(1)


def parts_of(told) -> tuple:
    """Severity, SQLSTATE, message, DETAIL and HINT; they can be read as long as the handler runs."""
    return told.severity, told.sqlstate, told.message_primary, told.message_detail, told.message_hint


@pytest.mark.parametrize("name", ["psycopg", "node-postgres"])
def test_a_driver_works_as_on_a_partition(parts, name):
    """The same calls as without a proxy, each twice; one is cancelled, and one is left by its client."""
    proxy = parts.proxy()
    user = parts.login("driver_app", "sendgate_sender")
    # Of the partition that is the test's own database.
    account = accounts_of(0, 1)[0]
    parts.env.psql(f"SELECT sendgate.upsert_account('{account}', 'sales_navigator')")
    parts.env.psql(f"SELECT sendgate.set_cap('{account}', 'inmail', 6)")
    driver = DRIVERS[name](f"postgres://{user}@{parts.proxies.host}:{parts.proxies.port}/{proxy}", True)
    try:
        work(parts.env, driver, account, False)
        cut_short(parts.env, driver, account, PROXY_USER, False)
    finally:
        driver.leave()


def test_a_crash_in_a_split_call_leaves_nothing_twice(parts):
    """Repeated with the same ids, whether the caller's session, its proxy or a partition ended in the middle of it."""
    name = parts.proxy()
    accounts = provisioned(parts, parts.connect(name))
    ends = (
        lambda session: parts.proxies.psql(f"SELECT pg_terminate_backend({session})"),
        lambda _: parts.proxies.restart("immediate"),
        lambda _: parts.env.psql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{PROXY_USER}' AND wait_event_type = 'Lock'"
        ),
    )
    for done, end in enumerate(ends):
        a_split_call_ends(parts, name, accounts, done, end)


def a_split_call_ends(parts, name: str, accounts: list[str], done: int, end) -> None:
    """``confirm_many`` waits on one partition while ``end`` ends it; so many calls were played before."""
    proxy = parts.connect(name)
    ids = [operation(COUNT * done + n) for n in range(COUNT)]
    for one, account in zip(ids, accounts, strict=True):
        equal(reserve(proxy, account, "inmail", one, one)["proceed"], True, account)
    confirm = "SELECT sendgate.confirm_many(%s, %s::uuid[], %s)"
    chats = [f"chat {one}" for one in ids]
    holder = parts.env.connect(parts.names[2], autocommit=False)
    holder.execute("SELECT FROM sendgate.accounts WHERE id = %s FOR UPDATE", (accounts[2],))
    ended: list = []
    call = threading.Thread(target=lambda: ended.append(refused(proxy, confirm, accounts, ids, chats)))
    call.start()
    for n in (0, 1, 3):
        wait_for(lambda n=n: count(parts, n, "linkedin_events") == done + 1, f"p{n} to settle its part")
    end(proxy.info.backend_pid)
    call.join()
    assert isinstance(ended[0], psycopg.Error), ended
    equal(count(parts, 2, "linkedin_events"), done, "events of the partition that was waited for")
    holder.close()
    again = parts.connect(name)
    events = value(again, confirm, accounts, ids, chats)
    equal(len({*events} - {None}), COUNT, "an event each")
    equal(value(again, confirm, accounts, ids, chats), events, "and again")
    for n in range(COUNT):
        equal(count(parts, n, "linkedin_events"), done + 1, f"events on p{n}")
        sent = "SELECT inmails_sent_today FROM sendgate.linkedin_accounts WHERE id = %s"
        equal(value(parts.direct(n), sent, accounts[n]), done + 1, f"slots on p{n}")
