"""A proxy and what goes wrong: partitions that are down, rights, and bad input."""

import uuid

from e2e.proxy.test_proxy_calls import count, refused, reserve, value
from e2e.support import equal
from e2e.support.partitions import COUNT, accounts_of
from e2e.support.proxy_crowd import caps_are_exact
from harness.build import default_version

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

PROXIES = 3
CAP = 20


def test_caps_are_exact_through_several_proxies(parts):
    script = parts.script()
    proxies = [parts.proxy(script) for _ in range(PROXIES)]
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    first = parts.connect(proxies[0])
    for account in accounts:
        first.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        first.execute("SELECT sendgate.set_cap(%s, 'message', %s)", (account, CAP))
    caps_are_exact(lambda number: parts.connect(proxies[number % PROXIES]), accounts, CAP, reserve)


def test_a_partition_that_is_down_stops_its_accounts_alone(parts):
    proxy = parts.connect(parts.proxy(), parts.login("oda", "sendgate_operator", "sendgate_sender"))
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    parts.down(1)
    for n, account in enumerate(accounts):
        for _ in range(2):
            if n == 1:
                error = refused(proxy, "SELECT sendgate.reserve(%s, 'message', 'p')", account)
                assert "not currently accepting connections" in str(error) or "terminat" in str(error), error
            else:
                equal(reserve(proxy, account, "message", str(uuid.uuid4()))["proceed"], True, account)
    # The switch is thrown wherever it can be, and the operator is told where it was not.
    error = refused(proxy, "SELECT sendgate.pause_all('stop')")
    assert "3 of 4 partitions" in error.diag.message_primary, error
    assert "p1: " in error.diag.message_detail, error
    for n in (0, 2, 3):
        equal(count(parts, n, "pause_switch"), 1, f"p{n}")
    parts.up(1)
    equal(len(proxy.execute("SELECT sendgate.pause_all('stop')").fetchall()), COUNT, "again")
    equal(count(parts, 1, "pause_switch"), 1, "p1")
    proxy.execute("SELECT sendgate.resume_all()")
    equal(reserve(proxy, accounts[1], "message", "p")["proceed"], True, "back by itself")


def test_nobody_gets_more_than_their_role(parts):
    proxy = parts.proxy()
    sender = parts.connect(proxy, parts.login("app", "sendgate_sender"))
    operator = parts.connect(proxy, parts.login("ada", "sendgate_operator"))
    reader = parts.connect(proxy, parts.login("bob", "sendgate_reader"))
    stranger = parts.connect(proxy, parts.login("mallory"))
    account = accounts_of(0, 1)[0]
    operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
    for who, sql in (
        (sender, "SELECT sendgate.pause_all('x')"),
        (sender, "SELECT * FROM sendgate.linkedin_accounts"),
        (sender, "SELECT * FROM sendgate.linkedin_accounts()"),
        (sender, "SELECT sendgate_proxy.pause_all_on('ada', 0, 'x')"),
        (sender, "CREATE USER MAPPING FOR CURRENT_USER SERVER sendgate_operator"),
        (sender, "CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plproxy AS $$ CLUSTER 'sendgate_operator'; $$"),
        (reader, "SELECT sendgate.reserve('a', 'inmail', 'p')"),
        (reader, "SELECT * FROM sendgate.admin_log"),
        (operator, "SELECT sendgate.reserve('a', 'inmail', 'p')"),
        (stranger, "SELECT sendgate.clock()"),
    ):
        equal(refused(who, sql).sqlstate, "42501", sql)
    equal(len(reader.execute("SELECT * FROM sendgate.linkedin_accounts").fetchall()), 1, "a reader reads")
    # What an operator may, and a sender may not, with the same function.
    sender.execute("SELECT sendgate.enqueue('k', 'p', %s, 'message')", (account,))
    handed = sender.execute("SELECT operation_id FROM sendgate.dispatch(1, NULL, %s)", (account,)).fetchone()[0]
    sender.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (account, handed))
    requeue = "SELECT sendgate.requeue('k', 'p', %s, 'message')"
    equal(refused(sender, requeue, account).sqlstate, "42501", "a sender puts back what is done")
    equal(value(operator, requeue, account), True, "an operator does")
    log = operator.execute("SELECT actor FROM sendgate.admin_log WHERE verb = 'requeue'").fetchall()
    equal(log, [("ada",)], "in whose name")
    # On the partition a call has the rights of the role that it came as, although the proxy's login has them all.
    as_sender = [
        row[0]
        for row in parts.direct(0).execute(
            "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'sendgate_proxy'"
        )
    ]
    equal(as_sender, ["a_proxy"], "logins on the partition")
    # A caller's search_path leads nowhere.
    owner = parts.connect(proxy)
    owner.execute("GRANT CREATE ON DATABASE " + f'"{proxy}"' + " TO mallory, app")
    sender.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC")
    sender.execute("CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$")
    sender.execute("CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false)")
    sender.execute("CREATE FUNCTION evil.one(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    sender.execute("CREATE OPERATOR evil.& (FUNCTION = evil.one, LEFTARG = integer, RIGHTARG = integer)")
    sender.execute("SET search_path = evil, pg_catalog")
    equal(reserve(sender, account, "message", "q")["proceed"], True, "a grant all the same")
    equal(
        sender.execute("SELECT * FROM sendgate.dispatch(1, request_id => gen_random_uuid())").fetchall(), [], "no work"
    )
    sender.execute("DROP SCHEMA evil CASCADE")


def test_bad_partitions_are_refused_with_the_rows(parts):
    urls = parts.urls()

    def said(*chosen: str, status: int = 1) -> str:
        done = parts.command(urls=list(chosen))
        equal((done.returncode, done.stdout), (status, ""), done.stderr)
        return done.stderr

    assert "power of two" in said(*urls[:3], status=2)
    # Under another name of the same server.
    assert "same database" in said(*urls[:3], urls[0].replace("127.0.0.1", "localhost"))
    # An account on two partitions, and one where calls do not look for it.
    twice, lost = accounts_of(1, 1)[0], accounts_of(2, 1)[0]
    for partition, account in ((1, twice), (0, twice), (3, lost)):
        parts.direct(partition).execute("SELECT sendgate.upsert_account(%s, 'recruiter')", (account,))
    text = said(*urls)
    assert f'account "{twice}" is on p0' in text and "and on p1" in text, text
    assert f'account "{lost}" is on p3' in text and "calls for it go to p2" in text, text
    for partition, account in ((0, twice), (3, lost)):
        parts.direct(partition).execute("SELECT sendgate.remove_account(%s, 'wrong')", (account,))
    assert parts.command().returncode == 0
    # Versions, an API that was changed by hand, the proxy's login.
    direct = parts.direct(3)
    direct.execute("UPDATE pg_extension SET extversion = '0.2.0' WHERE extname = 'sendgate'")
    text = said(*urls)
    assert "different versions" in text and text.count(f": {default_version()}") == 3 and ": 0.2.0" in text, text
    direct.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'sendgate'", (default_version(),))
    direct.execute("REVOKE EXECUTE ON FUNCTION sendgate.clock() FROM sendgate_sender")
    assert "differ in the function clock()" in said(*urls)
    direct.execute("GRANT EXECUTE ON FUNCTION sendgate.clock() TO sendgate_sender")
    parts.env.psql("REVOKE sendgate_operator FROM a_proxy")
    text = said(*urls)
    assert "no member of sendgate_operator" in text, text
    parts.env.psql("GRANT sendgate_operator TO a_proxy")
    # The script itself: a partition is no proxy, and the number of partitions stays.
    script = parts.script()
    with_two = parts.command(urls=urls[:2])
    equal(with_two.returncode, 0, with_two.stderr)
    proxy = parts.proxy(script)
    assert "this proxy has 4 partitions" in fails(parts.proxies, with_two.stdout, proxy)


def fails(cluster, script: str, database: str) -> str:
    """What psql says of a script that fails."""
    try:
        cluster.psql(script, database)
    except Exception as error:
        return str(error)
    raise AssertionError("the script ran")
