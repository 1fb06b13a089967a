"""The console's pages in a real browser: with no account, with one, with 100,000; with hostile text."""

import html
import re
from urllib.parse import quote

from e2e.support import equal, operation, provision, wait_for
from e2e.support.console_client import (
    PAGES,
    Client,
    ConsoleDaemon,
    act_path,
    card_ids,
    next_page,
    says,
    take_over,
    words,
)
from e2e.support.console_plans import ROWS_MAX, plans_of
from e2e.support.daemon_process import Daemon
from harness.browser import Browser
from harness.places import RESULTS
from pages import world

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium; one loads 100,000 accounts.
TIMEOUT_SECONDS = 1800
PICTURES = RESULTS / "console"
FILTERS = (
    "cannot-send", "exhausted", "cooling", "failing", "cap-reached", "outside-window", "not-connected", "drifting", "unknown",
)  # fmt: skip
# Whatever may stand in an id or a text, as far as the database takes it.
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "../..//a?b=c&d=e#f%2F;",
    "..",
    "{{ 7*7 }} ${7*7} <%= 7 %> {% raw %}",
    "line\none\r\ntwo\ttab",
    "\x1b[31mred\x07\x9b2J",
    "\u202egnp.exe\u2066\u200b",
    "👩‍💻 ü 信 \U0010ffff",
    "&lt;b&gt; &amp; &#60;",
    "-- '; DROP TABLE x; --",
    "javascript:alert(1)",
)


def seen(browser: Browser, name: str, missing: bool = False) -> None:
    """Look at the page in both colour schemes: no barrier, no complaint; keep a picture of it."""
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        equal(browser.barriers(others=scheme == "light"), [], f"barriers of {name}, {scheme}")
        browser.picture(PICTURES / f"{name}-{scheme}.png")
    complaints = [text for text in browser.complaints() if not (missing and "404" in text)]
    equal(complaints, [], f"complaints about {name}")


def look_at_all(env, label: str, pages: dict[str, str]) -> None:
    """Every page, signed in and not; ``pages`` has what each must say, by its address."""
    with ConsoleDaemon(env) as daemon, Browser() as browser:
        client = Client(daemon)
        client.sign_in()
        for page, text in pages.items():
            name = re.sub(r"[^a-z]+", "-", page.split("&id")[0].lower()).strip("-") or "accounts"
            browser.open(daemon.base + page)
            found = browser.text("main")
            assert text in found, f"{page}: {found}"
            assert re.search(r"As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, \d+ s old", found), found
            seen(browser, f"{label}-{name}")
        browser.open(daemon.base + "/sign-in")
        seen(browser, f"{label}-sign-in")
        browser.open(daemon.base + "/account?id=nobody")
        assert "No account has the id nobody." in browser.text("main")
        seen(browser, f"{label}-unknown", missing=True)
        take_over(browser, client)
        for page in pages:
            browser.open(daemon.base + page)
            assert "Signed in as ada" in browser.text("header")
            # What a stranger sees as well was judged above.
            equal(browser.barriers(colours="header, footer, .button, button"), [], f"barriers of {page}, signed in")
        equal(browser.complaints(), [], "complaints")


def test_pages_with_no_account(env):
    empty = dict.fromkeys((f"/?filter={name}" for name in FILTERS), "No account is like that now.")
    look_at_all(
        env,
        "none",
        {
            "/": "There is no account yet.",
            "/?q=acc": "No account like that.",
            "/events": "Nothing was ever skipped.",
            "/events?campaign=c&account=a": "Nothing was skipped there.",
            "/alerts": "No alert is open.",
            "/unknown": "Every outcome is known.",
            "/unknown?of=a&since=2026-01-01T00:00": "None like that.",
            "/campaigns": "No campaign has work, a limit or a pause.",
            "/campaign?id=spring": "It has no work.",
            "/prospect?id=p": "Nothing is known of it here",
            "/log": "Nothing was changed.",
            "/heartbeats": "audit events",
            "/zone": "Show times in",
        }
        | empty,
    )
    # The first page says how to add the first account, and counts nothing that is not there.
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        page = client.get("/")[1]
        call = re.search(r"<pre><code>(SELECT sendgate\.upsert_account\([^<]+)</code>", page)
        assert call and "0 accounts" not in page and 'class="tabs"' not in page and "<ul" not in page, page
        env.psql(html.unescape(call[1]))
        # Where counting is slow, pages share its answer for a while.
        wait_for(lambda: "1 account, and it can send." in client.get("/")[1], "the account to be counted")
        assert 'class="tabs"' in client.get("/")[1], "the filters"
        account = client.get("/account?id=acc-1")[1]
        equal(account.count("<table"), 1, "tables on the page of an account that did nothing")
        assert '<svg class="chart"' not in account and "Nothing was ever tried." in account, account


def test_pages_with_one_account(env):
    """With something on each part of its page."""
    provision(env, "acc/1", "sales_navigator", invite=3)
    env.psql(
        f"""SELECT sendgate.upsert_account('acc/1', display_name => 'Ada Byron', time_zone => 'Europe/London',
                   window_start => '00:00', window_end => '24:00', window_days => '{{1,2,3,4,5,6,7}}');
        SELECT sendgate.reserve('acc/1', 'inmail', 'p1', 'spring', '{operation(1)}');
        SELECT sendgate.confirm('acc/1', '{operation(1)}', 'chat-1');
        SELECT sendgate.reserve('acc/1', 'inmail', 'p2', 'spring', '{operation(2)}');
        SELECT sendgate.rollback('acc/1', '{operation(2)}', 'gateway timeout', http_status => 504);
        SELECT sendgate.reserve('acc/1', 'invite', 'p3', 'spring', '{operation(3)}');
        SELECT sendgate.rollback('acc/1', '{operation(3)}');
        SELECT sendgate.confirm('acc/1', '{operation(3)}');
        SELECT sendgate.enqueue('spring', 'p4', 'acc/1', 'inmail');
        SELECT sendgate.breaker_arm('acc/1', 'the billing page shows 0');
        SELECT sendgate.reserve('acc/1', 'inmail', 'p5', 'spring');
        SELECT sendgate.reserve('acc/1', 'inmail', 'p5', 'spring');
        UPDATE sendgate.accounts SET messages_sent_today = 7, messages_sent_this_week = 7;
        SELECT sendgate.reconcile_operations()"""
    )
    pill = env.psql("SELECT pill FROM sendgate.account_cards")
    look_at_all(
        env,
        "one",
        {
            "/": pill,
            "/?filter=exhausted": pill,
            "/account?id=acc%2F1": "1 of 3",
            "/account?id=acc%2F1&chart=invite": "Sends proven: 1",
            "/events": "account InMail credits exhausted",
            "/events?account=acc%2F1&campaign=spring": "p5",
            "/alerts": "delivered after rollback",
            "/unknown": "504 gateway timeout",
            "/unknown?of=acc%2F1": "1 is like that.",
            "/campaigns": "spring",
            "/campaign?id=spring": "its work is handed out",
            "/prospect?id=p1": "It was contacted once, last by an InMail through acc/1",
            "/prospect?id=p5": "It was never contacted",
            "/log": "the billing page shows 0",
            "/heartbeats": "reconcile operations",
        },
    )
    with Daemon(env) as daemon:
        text = words(daemon.get("/account?id=acc%2F1")[1])
    for part in (
        pill,
        "No, until ",
        "Yes, 2 more today",
        "It may send 00:00–24:00 every day ( Europe/London )",
        "1 waiting, 0 of it for credits; 0 parked",
        "Slots taken: 2 Sends proven: 1",
        "2 of 50 48 2 Invite Yes, 2 more today 1 of 3 2 1 of 100",
        "The counter says 2.",
        "account InMail credits exhausted InMail 1 1",
        "set manual postgres the billing page shows 0",
        "504 gateway timeout",
        "Message, day 7 0",
        "delivered after rollback",
    ):
        assert part in text, f"{part!r} is not in {text}"


def test_pages_with_100_000_accounts(env):
    world.load(env.psql, 100_000, journalled=4_000)
    look_at_all(
        env,
        "many",
        {
            "/": "acc-0000",
            "/?after=acc-000002": "acc-000024",
            "/?q=acc-0999": "acc-099901",
            "/?filter=exhausted": "credits exhausted — auto-resumes",
            "/?filter=cooling": "Cools down until",
            "/?filter=drifting": "Looked at 1000 accounts.",
            "/?filter=not-connected": "paused",
            "/account?id=acc-000003": "auto-resumes",
            "/events": "the recipient does not take InMails",
            "/events?campaign=spring-1": "spring-1",
            "/events?account=acc-000003": "prospect-1",
            "/alerts": "counter ahead of events",
            "/unknown": "gateway timeout",
            "/campaigns": "spring-4",
            "/campaign?id=spring-1": "Looked at 20000 pieces of work",
            "/prospect?id=p-inmail-1": "Look on",
            "/log": "careful at first, as its tier from now on",
            "/heartbeats": "in time",
        },
    )
    with Daemon(env) as daemon:
        pages_lead_to_everybody(env, daemon)
    plans_are_bounded(env)


CANNOT_SEND = "status <> 'connected' OR coalesce(cooldown_until > sendgate.clock(), false)"


def pages_lead_to_everybody(env, daemon: Daemon) -> None:
    """Page by page, a filter shows whom the view has, each once and in order."""
    for query, condition in (
        ("filter=exhausted", "breaker = 'open'"),
        ("filter=cooling&q=acc-00", "cooldown_until > sendgate.clock() AND account_id LIKE 'acc-00%'"),
        ("filter=drifting&q=acc-00", "drift <> 0 AND account_id LIKE 'acc-00%'"),
        ("filter=not-connected&q=acc-01", "status <> 'connected' AND account_id LIKE 'acc-01%'"),
        # Of those with a trouble the first thousand are known: here all that cannot send, and no other.
        ("q=acc-0012", "account_id LIKE 'acc-0012%'"),
    ):
        order = f"({CANNOT_SEND}) DESC, " if query.startswith("q=") else ""
        wanted = env.psql(f"SELECT account_id FROM sendgate.account_cards WHERE {condition} ORDER BY {order}account_id")
        found: list[str] = []
        page: str | None = f"/?{query}"
        while page:
            status, text = daemon.get(page)
            equal(status, 200, page)
            found += card_ids(text)
            page = next_page(text)
        assert wanted, query
        equal(found, wanted.splitlines(), query)
    found, page = [], "/events?campaign=spring-2"
    for _ in range(5):
        _, text = daemon.get(page)
        found += re.findall(r"<time [^>]*>([^<]+)</time>.*</td>\n<td[^>]*><a href=\"/account", text)
        page = next_page(text)
    equal(len(found), 250, "events on five pages")
    equal(found, sorted(found, reverse=True), "their order")
    found, page = [], "/unknown"
    while page:
        _, text = daemon.get(page)
        found += re.findall(r'<bdi class="id">(acc-[^<]+)</bdi></a>', text)
        page = next_page(text)
    wanted = "SELECT account_id FROM sendgate.operations_unresolved WHERE state = 'indeterminate' ORDER BY 1"
    equal(sorted(found), env.psql(wanted).splitlines(), "unknown outcomes")


def plans_are_bounded(env) -> None:
    """Every page's, and those of the pages behind it."""
    pages = [
        "/",
        "/?q=acc-05",
        "/?q=%C3%A9",
        "/?q=0&tier=recruiter",
        "/?tier=recruiter",
        "/?after=acc-050000",
        "/account?id=acc-000003",
        "/account?id=acc-000003&chart=invite",
    ]
    pages += [f"/?filter={name}&after=acc-000100" for name in FILTERS]
    pages += [
        "/events",
        "/events?campaign=spring-1",
        "/events?account=acc-000003",
        "/alerts",
        "/alerts?kind=counter_ahead_of_events",
        "/unknown",
        "/unknown?of=acc-000003&since=2020-01-01%2000:00",
        "/campaigns",
        "/campaign?id=spring-1",
        "/prospect?id=p-inmail-1",
        "/prospect?id=prospect-2&after=acc-050000",
        "/log",
        "/log?actor=ada&verb=set_cap",
        "/log?actor=nobody",
        "/log?account=acc-000003",
        "/?q=prospect-",
        "/heartbeats",
    ]
    pages += [act_path("clear", "acc-000003"), act_path("limits", "spring-1"), act_path("cap", "acc-000003")]
    pages += [act_path("all-sent", "acc-000003"), act_path("acknowledge-all"), act_path("suppress", "p-inmail-1")]
    assert plans_of(env, pages, ROWS_MAX) > 30


def test_hostile_text_is_text_everywhere(env):
    """In every field that other people fill: as text on the page, whole in links, and never run."""
    connection = env.connect()
    for n, text in enumerate(HOSTILE):
        identifier = text[:128]
        connection.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator', %s)", (identifier, text))
        for offset, (action, error) in enumerate((("inmail", text), ("invite", None))):
            held = operation(10 * n + offset)
            connection.execute(
                "SELECT sendgate.reserve(%s, %s, %s, %s, %s)", (identifier, action, identifier, identifier, held)
            )
            connection.execute("SELECT sendgate.rollback(%s, %s, %s, %s)", (identifier, held, error, error))
        connection.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (identifier, operation(10 * n + 1)))
        connection.execute("SELECT sendgate.breaker_arm(%s, %s)", (identifier, text))
        connection.execute(
            "SELECT sendgate.reserve(%s, 'inmail', %s, %s)",
            (identifier, identifier + "2"[: 128 - len(identifier)], identifier),
        )
        connection.execute("SELECT set_config('sendgate.actor', %s, false)", (text,))
    connection.execute(
        "UPDATE sendgate.alerts SET detail = account_id, acknowledged_by = account_id WHERE day IS NOT NULL"
    )
    connection.execute("SELECT sendgate.pause_all(%s)", (HOSTILE[0],))
    connection.execute("SELECT sendgate.record_run_failure('prune', %s)", (HOSTILE[1],))
    with ConsoleDaemon(env) as daemon, Browser() as browser:
        client = Client(daemon)
        client.sign_in()
        browser.open(daemon.base + "/")
        take_over(browser, client)
        for page in PAGES:
            look_for_harm(browser, daemon.base + page)
        for text in HOSTILE:
            address = "/account?id=" + quote(text, safe="")
            look_for_harm(browser, daemon.base + address)
            equal(browser.run("return document.querySelector('main h1').textContent"), shown(text), "the title")
            browser.open(daemon.base + "/")
            ids = browser.run(
                "return [...document.querySelectorAll('.card-link')].map((a) => new URL(a.href).searchParams.get('id'))"
            )
            assert text in ids, f"{text!r} is not in {ids}"
            for page in (
                f"/?q={quote(text, safe='')}",
                f"/events?account={quote(text, safe='')}&campaign={quote(text, safe='')}",
                f"/prospect?id={quote(text, safe='')}",
                f"/campaign?id={quote(text, safe='')}",
                f"/log?account={quote(text, safe='')}",
                f"/unknown?of={quote(text, safe='')}",
            ):
                look_for_harm(browser, daemon.base + page)
                assert shown(text) in browser.run("return document.querySelector('main').textContent"), page
            look_for_harm(browser, daemon.base + act_path("clear", text))
            browser.write(browser.find("#note"), "n" + re.sub(r"[\x00-\x1f\x7f-\x9f]|[^\x00-\uffff]", "", text))
            browser.click(browser.find("main form button[type=submit]"))
            says(browser, "is reset")
            left = connection.execute(
                "SELECT inmail_credits_exhausted_at FROM sendgate.accounts WHERE id = %s", (text,)
            ).fetchone()
            equal(left, (None,), f"the stamp of {text!r}")


def look_for_harm(browser: Browser, address: str) -> None:
    """Nothing of the page runs, loads, or stands where it was not put."""
    browser.open(address)
    equal(browser.complaints(), [], address)
    strangers = browser.run(
        "return [...document.querySelectorAll('script:not([src]), img, iframe, object, embed, style, base, "
        '[onerror], [onclick], [style], a[href^="javascript:"]\')].map((e) => e.outerHTML)'
    )
    equal(strangers, [], f"strangers on {address}")


def shown(text: str) -> str:
    """How the console writes what cannot be seen."""
    pictures = {c: chr(0x2400 + c) for c in range(0x20)} | {0x7F: "\u2421", 0x2028: "\u2424", 0x2029: "\u2424"}
    text = text.translate(pictures)
    return re.sub("[\x80-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f]", "\ufffd", text)


def test_the_lists_cost_a_grant_nothing(env):
    """Once an account has counted today, reserving and confirming touch no index, the console's included."""
    provision(env)
    one = "SELECT sendgate.reserve('a', 'inmail', 'p{0}', NULL, '{1}'); SELECT sendgate.confirm('a', '{1}', 'c{0}')"
    env.psql(one.format(0, operation(0)))
    for n in range(1, 11):
        env.psql(one.format(n, operation(n)) + "; SELECT pg_stat_force_next_flush()")
    updates = "SELECT n_tup_upd >= 10, n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'accounts'"
    wait_for(lambda: env.psql(updates).startswith("t"), "the updates to be counted")
    equal(env.psql(updates), "t|0", "updates that are not heap-only")
