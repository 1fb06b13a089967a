"""The list of unknown outcomes of all accounts: complete, in pages, and settled from there."""

import re

from e2e.support import equal, operation, provision
from e2e.support.console_client import Client, Console, ConsoleDaemon, next_page, words

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium.
TIMEOUT_SECONDS = 1200
LISTED = "SELECT count(*) FROM sendgate.send_operations WHERE unknown_since IS NOT NULL"
UNRESOLVED = "SELECT count(*) FROM sendgate.operations_unresolved WHERE state = 'indeterminate' OR expired"


def test_every_way_into_and_out_of_an_unknown_outcome(env):
    """What is listed is what is unknown, by whichever function it became that, or ceased to be."""
    provision(env, inmail=100)
    connection = env.connect()
    call = lambda sql, *values: connection.execute("SELECT " + sql, values)  # noqa: E731
    for n in range(12):
        call("sendgate.reserve('a', 'inmail', %s, NULL, %s)", f"p{n}", operation(n))
    equal(env.psql(LISTED), "0", "in flight")
    call("sendgate.rollback('a', %s, 'gateway timeout')", operation(0))
    call("sendgate.confirm('a', %s, NULL)", operation(1))
    call(
        "sendgate.rollback_many(ARRAY['a', 'a'], %s::uuid[], ARRAY['who knows', 'what'])", [operation(2), operation(3)]
    )
    call("sendgate.confirm_many(ARRAY['a'], %s::uuid[], ARRAY[NULL])", [operation(4)])
    call("sendgate.rollback('a', %s, 'gateway timeout')", operation(5))
    call("sendgate.rollback('a', %s, 'still nobody knows')", operation(5))
    equal(env.psql(LISTED), "6", "unknown")
    equal(env.psql(UNRESOLVED), "6", "as the view has it")
    call("sendgate.confirm('a', %s, 'chat')", operation(0))
    call("sendgate.resolve_operation('a', %s, true)", operation(1))
    call("sendgate.rollback('a', %s, 'recipient', 'errors/blocked_recipient')", operation(2))
    call("sendgate.resolve_operation('a', %s, false)", operation(3))
    call("sendgate.confirm_many(ARRAY['a'], %s::uuid[], ARRAY['chat'])", [operation(4)])
    call(
        "sendgate.rollback_many(ARRAY['a'], %s::uuid[], ARRAY['x'], ARRAY['errors/blocked_recipient'])", [operation(5)]
    )
    equal(env.psql(LISTED), "0", "settled")
    equal(env.psql(UNRESOLVED), "0", "as the view has it")
    # The next sweep lists the operations that expired without an answer, each once.
    call("set_config('sendgate.now', (sendgate.clock() + interval '20 minutes')::text, false)")
    call("sendgate.reconcile_operations()")
    equal(env.psql(LISTED), "6", "expired")
    since = "SELECT max(unknown_since) FROM sendgate.send_operations"
    first = env.psql(since)
    call("set_config('sendgate.now', (sendgate.clock() + interval '20 minutes')::text, false)")
    call("sendgate.reconcile_operations()")
    equal(env.psql(since), first, "since when")
    call("sendgate.confirm('a', %s, 'chat')", operation(6))
    call("sendgate.rollback('a', %s)", operation(7))
    call("sendgate.rollback('a', %s, 'gateway timeout')", operation(8))
    equal(env.psql(LISTED), "4", "with late answers")


def test_pages_lead_to_every_one_of_them(env):
    env.psql(
        """SET session_replication_role = replica;
        SELECT count(sendgate.upsert_account('acc-' || n, 'recruiter')) FROM generate_series(1, 3) n;
        INSERT INTO sendgate.send_operations (operation_id, account_id, prospect_id, action, state, reserved_at, expires_at,
            counted_on, settled_at, outcome, error, unknown_since)
        SELECT ('00000000-0000-4000-8000-' || lpad((n / 3)::text, 12, '0'))::uuid, 'acc-' || 1 + n % 3, 'p' || n, 'inmail',
            'indeterminate', t.at, t.at + interval '15 minutes', t.at::date, t.at, 'indeterminate', 'e' || n, t.at
        FROM generate_series(0, 130) n CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '1 h' * (n / 60) AS at) t"""
    )
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        found, page, pages = [], "/unknown", 0
        while page:
            status, text = client.get(page)
            equal(status, 200, page)
            assert "do=sent" not in text, "this client is not signed in"
            found += re.findall(r"<bdi>(e\d+)</bdi>", text)
            page, pages = next_page(text), pages + 1
        equal(pages, 3, "pages")
        equal(sorted(found), sorted(f"e{n}" for n in range(131)), "outcomes, each once")
        assert '<span class="count bad">99+' in client.get("/heartbeats")[1], "the menu"
        last = "/unknown?after=2000-01-01%2000:00:00.000000~00000000-0000-4000-8000-000000000000&account=a"
        assert "No earlier ones." in words(client.get(last)[1])
        equal(client.get("/unknown?after=2000-01-01")[0], 400, "a place that is none")
        client.sign_in()
        assert "do=not-sent" in client.get("/unknown")[1]
        env.psql(
            "REVOKE EXECUTE ON FUNCTION sendgate.resolve_operation(text, uuid, boolean, text, text) FROM sendgate_daemon"
        )
        assert "do=sent" not in client.get("/unknown")[1], "a button without its function"


def test_they_are_settled_one_after_the_other(env):
    """From the list, and back to it."""
    provision(env)
    provision(env, "b/2")
    for n, account in enumerate(("a", "b/2")):
        env.psql(
            f"""SELECT sendgate.reserve('{account}', 'inmail', 'p{n}', 'spring', '{operation(n)}');
            SELECT sendgate.rollback('{account}', '{operation(n)}', 'gateway timeout <b>', NULL, 504)"""
        )
    with Console(env) as console:
        console.browser.click(console.browser.find("#menu a[href='/unknown']"))
        console.says("It is not known whether these were sent.")
        assert "Unknown 2" in " ".join(console.browser.text("#menu").split())
        console.says("504 gateway timeout <b>")
        equal(console.browser.barriers(), [], "barriers")
        console.browser.click(console.browser.find(f"a[href*='do=sent'][href*='{operation(0)}']"))
        console.browser.write(console.browser.find("#chat_id"), "chat-7")
        console.confirm("It was sent", "in the outbox")
        console.says("The operation is settled: it was sent.")
        equal(console.browser.text("main h1"), "Unknown outcomes", "the page")
        console.browser.click(console.browser.find(f"a[href*='do=not-sent'][href*='{operation(1)}']"))
        console.confirm("It was not sent", "not in the outbox")
        console.says("Every outcome is known.")
    states = env.psql("SELECT account_id, state FROM sendgate.send_operations ORDER BY 1").splitlines()
    equal(states, ["a|delivered", "b/2|released"], "the journal")
    actors = env.psql("SELECT DISTINCT actor FROM sendgate.admin_log WHERE verb = 'resolve_operation'")
    equal(actors, "ada", "who settled them")
