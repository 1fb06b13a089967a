"""How the pages look: why an account stopped stands above the fold, and a phone shows everything without scrolling sideways."""

import re
from urllib.parse import quote

import pytest

from e2e.support import equal
from e2e.support.console_client import Client, ConsoleDaemon, says, take_over
from harness.browser import Browser
from pages import story

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium.
TIMEOUT_SECONDS = 1200
FOLD = 800
PHONE = 390
# The smallest letters of a chart that a person reads on a phone, in CSS pixels.
LETTERS_MIN = 8
# The lower edge of what a cause says, each with its text.
EDGES = """return [...document.querySelectorAll('.cause.stopped h3, .cause.stopped dd, .cause.stopped .advice, .cause.stopped .button')]
    .map((e) => [e.innerText, e.getBoundingClientRect().bottom, e.tagName])"""
# What is wider than its place, or is read by scrolling sideways.
WIDE = """const wide = [];
const page = document.documentElement;
if (page.scrollWidth > innerWidth) wide.push('the page: ' + page.scrollWidth);
for (const e of document.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    const unseen = e.closest('.unseen, .skip, datalist, option');
    if (!unseen && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)) wide.push(e.outerHTML.slice(0, 150));
    const style = getComputedStyle(e);
    if (['auto', 'scroll'].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1) wide.push('scrolls: ' + e.outerHTML.slice(0, 150));
    if (e.matches('button, .button') && e.scrollWidth > e.clientWidth + 1) wide.push('cut: ' + e.outerHTML.slice(0, 150));
}
return wide;"""
LETTERS = """return [...document.querySelectorAll('.chart')].flatMap((chart) => [...chart.querySelectorAll('text')]
    .map((text) => parseFloat(getComputedStyle(text).fontSize) * chart.getScreenCTM().a))"""


def test_every_cause_stands_above_the_fold(env):
    """For each account that cannot send: the cause, since when, until when, by whom or what and in which words, and what helps."""
    story.troubles(env.psql)
    with ConsoleDaemon(env) as daemon, Browser(1280, FOLD) as browser:
        client = Client(daemon)
        client.sign_in()
        browser.open(daemon.base + "/sign-in")
        take_over(browser, client)
        for trouble in story.TROUBLES:
            why = env.psql(
                f"""SELECT proceed, reason, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                    to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), advice
                FROM sendgate.why('{trouble.account}', '{trouble.action}')"""
            ).split("|")
            equal(why[:2], ["f", trouble.reason], trouble.account)
            stands_above_the_fold(browser, daemon, trouble.account, [*why[2:4], why[4], *trouble.says])
        env.psql("SELECT sendgate.pause_all('the provider called')")
        since = env.psql(
            "SELECT to_char(paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM sendgate.pause_switch"
        )
        stands_above_the_fold(
            browser, daemon, "acc-observed", [since, "", "the provider called", "postgres", "resume_all"]
        )


def stands_above_the_fold(browser: Browser, daemon, account: str, said: list[str]) -> None:
    """The first thing on the account's page; an empty `until` means that a person has to end it."""
    browser.open(f"{daemon.base}/account?id={account}")
    edges = browser.run(EDGES)
    assert edges, f"{account}: no cause is told"
    for text, bottom, _ in edges:
        assert bottom <= FOLD, f"{account}: below the fold, at {bottom:.0f}: {text!r}"
    told = "\n".join(text for text, *_ in edges)
    since, until, *others = said
    assert since and f"{since}, " in told, f"{account}: since {since!r} is not in {told!r}"
    assert (until or "a person ends it") in told, f"{account}: until {until!r} is not in {told!r}"
    for words in others:
        assert words in told, f"{account}: {words!r} is not in {told!r}"


def test_a_phone_scrolls_nothing_sideways(env):
    """Every page of the menu and those behind them, with ids and words that are as long as they may be."""
    story.troubles(env.psql, past=True)
    env.psql("SELECT sendgate.pause_all(repeat('x', 300))")
    accounts = [*(trouble.account for trouble in story.TROUBLES), "acc-unknown", "acc-probe", story.WIDE]
    operation = env.psql("SELECT operation_id FROM sendgate.send_operations WHERE unknown_since IS NOT NULL LIMIT 1")
    with ConsoleDaemon(env) as daemon, Browser(PHONE, 844) as browser:
        client = Client(daemon)
        browser.open(daemon.base + "/sign-in")
        fits(browser, "/sign-in")
        client.sign_in()
        take_over(browser, client)
        browser.open(daemon.base + "/")
        menu = browser.run("return [...document.querySelectorAll('#menu a')].map((a) => a.getAttribute('href'))")
        assert "/" in menu and len(menu) > 4, menu
        pages = [*menu, *(f"/account?id={quote(account, safe='')}" for account in accounts)]
        pages += ["/account?id=acc-unknown&chart=invite", "/account?id=nobody", "/?q=nobody", "/zone", "/act?do=resume"]
        pages += [f"/act?do=probe&id={account}" for account in ("acc-no-credits", story.WIDE)]
        pages += [f"/act?do=sent&id=acc-unknown&item={operation}", f"/events?campaign={'M' * 128}"]
        for page in pages:
            browser.open(daemon.base + page)
            # A table or a list of numbers is opened as well.
            browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
            fits(browser, page)
            letters = browser.run(LETTERS)
            assert all(size >= LETTERS_MIN for size in letters), (
                f"{page}: letters of a chart are {min(letters):.1f} px high"
            )
            if "account?id=acc" in page:
                assert len(letters) > 20, f"{page}: the charts have {len(letters)} words"


def fits(browser: Browser, page: str) -> None:
    """Nothing is wider than the phone."""
    equal(browser.run(WIDE), [], f"too wide on {page}")


DAYS = """SELECT to_char(d.day, 'FMMon FMDD'),
    (SELECT count(*) FROM sendgate.send_operations o WHERE o.account_id = '{0}' AND o.action = '{1}' AND o.counted_on = d.day
        AND o.state = 'delivered'),
    (SELECT count(*) FROM sendgate.send_operations o WHERE o.account_id = '{0}' AND o.action = '{1}' AND o.counted_on = d.day
        AND o.state = 'released' AND o.outcome <> 'released'),
    (SELECT count(*) FROM sendgate.operations_unresolved o WHERE o.account_id = '{0}' AND o.action = '{1}' AND o.counted_on = d.day),
    (SELECT count(*) FROM sendgate.campaign_events e WHERE e.account_id = '{0}' AND e.action = '{1}'
        AND (e.at AT TIME ZONE 'UTC')::date = d.day)
    FROM generate_series((sendgate.clock() AT TIME ZONE 'UTC')::date, (sendgate.clock() AT TIME ZONE 'UTC')::date - 29, '-1 day') d (day)"""


def test_thirty_days_are_those_of_the_journal(env):
    """The chart's numbers, of each action; and what stopped it, by its log."""
    story.troubles(env.psql, past=True)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        for account, action in (
            ("acc-unknown", "inmail"),
            ("acc-weekly-limit", "invite"),
            ("acc-restricted", "message"),
        ):
            text = client.get(f"/account?id={account}&chart={action}")[1]
            table = text[text.index('id="month-numbers"') :].split("</table>")[0]
            rows = [re.findall(r"<t[hd] [^>]*>([^<]*)</t[hd]>", row) for row in table.split("<tr>")[2:]]
            wanted = [line.split("|") for line in env.psql(DAYS.format(account, action)).splitlines()]
            equal([row[:5] for row in rows], wanted, f"{action} of {account}")
            assert sum(int(count) for row in wanted for count in row[1:]) > 20, (
                f"{action} of {account}: nothing to count"
            )
            stopped = {row[0]: row[5] for row in rows if row[5] != "–"}
            cooled = env.psql(
                f"""SELECT to_char(at AT TIME ZONE 'UTC', 'FMMon FMDD') FROM sendgate.cooldown_log
                WHERE account_id = '{account}' AND (action IS NULL OR action = '{action}') AND until IS NOT NULL"""
            ).splitlines()
            for day in cooled:
                assert "cooldown" in stopped.get(day, ""), f"{account} on {day}: {stopped}"
            stamped = env.psql(
                f"""SELECT to_char(d, 'FMMon FMDD') FROM sendgate.breaker_log l, generate_series(1, 2) n,
                    LATERAL (SELECT (l.at AT TIME ZONE 'UTC')::date + n) AS s (d)
                WHERE l.account_id = '{account}' AND l.action = 'set' AND '{action}' = 'inmail'
                  AND l.at < sendgate.clock() - interval '3 days'"""
            ).splitlines()
            for day in stamped:
                equal(stopped.get(day), "breaker all day", f"{account} on {day}")
            assert cooled or stamped or account == "acc-unknown", f"{account} was never stopped"


ALL_BANNERS = (
    ("Everything is paused", "SELECT sendgate.pause_all('the provider called')"),
    ("Only observed", "SELECT sendgate.set_enforcement('a', 'observe', 'trying it')"),
    ("The test clock is on", ""),
    ("Everything is in quarantine", "SELECT sendgate.quarantine('restored from a backup')"),
    ("This database is a copy", "UPDATE sendgate.home_database SET database_oid = 1"),
)


@pytest.mark.parametrize("signed_in", [False, True])
def test_what_holds_for_all_is_said_on_every_page(env, signed_in):
    """Paused, observed, copied, in quarantine, or on a test clock: a banner on each page, signed in or not."""
    env.psql("SELECT sendgate.upsert_account('a', 'sales_navigator')")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        if signed_in:
            client.sign_in()
        _, first = client.get("/")
        pages = [*dict.fromkeys(menu_of(first)), "/account?id=a", "/zone", "/?q=nobody"]
        if signed_in:
            pages.append("/act?do=force-open&id=a")
        for banner, sql in ALL_BANNERS:
            if sql:
                env.psql(sql)
            for page in pages:
                status, text = client.get(page)
                equal(status, 200, page)
                assert banner in text, f"{banner!r} is not on {page}"


def menu_of(page: str) -> list[str]:
    """The addresses of the menu."""
    found = re.search(r'<nav id="menu".*?</nav>', page, re.DOTALL)
    assert found, page
    return re.findall(r'href="([^"]+)"', found[0])


def test_a_probe_is_one_test_inmail(env):
    """After a probe the page says that one may go, and until when; not how many slots the day has left."""
    story.troubles(env.psql)
    until = env.psql(
        "SELECT to_char(probe_lease_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM sendgate.breakers WHERE account_id = 'acc-probe'"
    )
    with ConsoleDaemon(env) as daemon, Browser() as browser:
        browser.open(daemon.base + "/account?id=acc-probe")
        says(browser, "One test InMail may go")
        says(browser, f"One test InMail may go, until {until}")
        says(browser, "1, as a test")
        row = browser.text("main tbody tr")
        assert "50 more" not in row and "InMail" in row, row
