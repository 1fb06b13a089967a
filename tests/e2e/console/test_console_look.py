"""How the pages look: why an account stopped stands above the fold, and a phone shows everything without scrolling sideways."""

import re
from urllib.parse import quote

import pytest

from e2e.support import equal, operation
from e2e.support.console_client import Client, ConsoleDaemon, says, take_over
from harness.browser import Browser
from harness.places import REPO, RESULTS
from pages import story

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium.
TIMEOUT_SECONDS = 1200
DESK = (1280, 800)
PHONE = 390
PHONE_SIZE = (PHONE, 844)
# The menu is one line of a desk, in CSS pixels.
MENU_MAX = 45
PICTURES = RESULTS / "console"
# The smallest letters of a chart that a person reads on a phone, in CSS pixels.
LETTERS_MIN = 8
# The lower edge of what the first cause says, each with its text.
EDGES = """const first = document.querySelector('.cause.stopped');
return first ? [...first.querySelectorAll('h3, dd, .advice, .button')].map((e) => [e.innerText, e.getBoundingClientRect().bottom]) : []"""
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
    """For each reason of the gate's closed list: the cause, since when, until when, by whom or what and in which words, and
    what helps, on the first screen of a desk and of a phone."""
    story.troubles(env.psql)
    env.psql(REFUSED)
    with ConsoleDaemon(env) as daemon, Browser(*DESK) as browser:
        client = Client(daemon)
        client.sign_in()
        browser.open(daemon.base + "/sign-in")
        take_over(browser, client)
        seen = set()
        for trouble in story.TROUBLES:
            why = env.psql(
                f"""SELECT proceed, reason, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                    to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), advice, actor
                FROM sendgate.why('{trouble.account}', '{trouble.action}')"""
            ).split("|")
            equal(why[:2], ["f", trouble.reason], trouble.account)
            said = [*why[2:6], *trouble.says]
            stands_above_the_fold(browser, daemon, trouble.account, f"/account?id={trouble.account}", said)
            stopped = env.psql(f"SELECT action FROM sendgate.why('{trouble.account}') WHERE NOT proceed LIMIT 1")
            equal(browser.run(CHARTED), stopped, f"the charts of {trouble.account}")
            seen.add(trouble.reason)
        for reason, (page, since, until, *said) in refused(env).items():
            stands_above_the_fold(browser, daemon, reason, page, [since, until, *said])
            seen.add(reason)
        replay = env.psql(
            f"SELECT reason FROM sendgate.reserve('acc-plain', 'message', 'p-done', NULL, '{operation(2)}')"
        )
        equal(replay, "operation_resolved", "the answer to a replay")
        is_answered_above_the_fold(
            browser, daemon, "/prospect?id=p-done", "It was contacted once, last by a message through acc-plain at "
        )
        seen.add(replay)
        # A provider that answers with a whole page of HTML pushes nothing below the fold.
        env.psql(LONG_WORDS)
        why = env.psql(
            """SELECT to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
            FROM sendgate.why('acc-html', 'message')"""
        ).split("|")
        said = [*why, "429 <html>", "All of it", "End the cooldown"]
        stands_above_the_fold(browser, daemon, "long-words", "/account?id=acc-html", said)
        # Everything stops for three causes: a copy, a pause, a quarantine.
        env.psql("UPDATE sendgate.home_database SET database_oid = 1; SELECT sendgate.audit_events(10000)")
        since = env.psql(SINCE.format("opened_at", "open_alerts WHERE kind = 'copied_database'"))
        stands_above_the_fold(
            browser, daemon, "copied", "/account?id=acc-observed", [since, "", "adopt_database(note)"]
        )
        env.psql("SELECT sendgate.adopt_database('it was a test'); SELECT sendgate.pause_all('the provider called')")
        since = env.psql(SINCE.format("paused_at", "pause_switch"))
        said = [since, "", "the provider called", "postgres", "resume_all"]
        stands_above_the_fold(browser, daemon, "everything-paused", "/account?id=acc-observed", said)
        env.psql("SELECT sendgate.quarantine('restored from a backup')")
        since = env.psql(SINCE.format("paused_at", "pause_switch"))
        said = [since, "", "restored from a backup", "postgres", "quarantine_progress"]
        stands_above_the_fold(browser, daemon, "quarantine", "/account?id=acc-observed", said)
    equal(seen | {"paused_by_operator"}, closed_list(), "the reasons")


LONG_WORDS = f"""SELECT sendgate.upsert_account('acc-html', 'sales_navigator', 'Alan Silva');
SELECT sendgate.reserve('acc-html', 'message', 'p-html', NULL, '{operation(4)}');
SELECT sendgate.rollback('acc-html', '{operation(4)}', '<html>' || repeat('<p>The gateway is overloaded. </p>', 60), NULL, 429);"""
CHARTED = """return new URL(document.querySelector('#charts + nav [aria-current]').href).searchParams.get('chart')"""
SINCE = "SELECT to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM sendgate.{}"
# One account for what holds single prospects and campaigns back.
REFUSED = f"""SELECT sendgate.upsert_account('acc-plain', 'sales_navigator', 'Edsger Berger');
SELECT sendgate.suppress_prospect('p-asked', 'asked us to stop');
SELECT sendgate.reserve('acc-plain', 'inmail', 'p-open', NULL, '{operation(1)}');
SELECT sendgate.rollback('acc-plain', '{operation(1)}', 'gateway timeout', NULL, 504);
SELECT sendgate.reserve('acc-plain', 'message', 'p-done', NULL, '{operation(2)}');
SELECT sendgate.confirm('acc-plain', '{operation(2)}', 'chat');
SELECT sendgate.set_campaign('summer', invite_limit => 1, note => 'half for the autumn');
SELECT sendgate.enqueue('summer', 'p-' || n, 'acc-plain', 'invite') FROM generate_series(101, 102) AS n;
SELECT sendgate.confirm(d.account_id, d.operation_id) FROM sendgate.dispatch(2, 'invite', 'acc-plain') AS d;
"""


def refused(env) -> dict[str, tuple[str, ...]]:
    """Reasons that hold a prospect or a campaign back: the page, since when, until when, and what else it says."""

    def instant(sql: str) -> str:
        return env.psql(f"SELECT to_char(({sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')")

    taken = "SELECT reserved_at FROM sendgate.send_operations WHERE account_id = 'acc-plain' AND prospect_id = '{}'"
    return {
        "prospect_suppressed": (
            "/prospect?id=p-asked", instant("SELECT suppressed_at FROM sendgate.suppressions"), "for good",
            "asked us to stop", "postgres", "unsuppress_prospect",
        ),
        "operation_in_flight": (
            "/prospect?id=p-open", instant(taken.format("p-open")), "a person settles it", "acc-plain", "504 gateway timeout",
            "resolve_operation",
        ),
        "prospect_cooldown": (
            "/prospect?id=p-done", instant(taken.format("p-done")),
            instant("SELECT retry_at FROM sendgate.preview('acc-plain', 'message', 'p-done')"),
            "acc-plain", "prospect_cooldown",
        ),
        "campaign_limit_reached": (
            "/campaign?id=summer", instant("SELECT set_at FROM sendgate.campaigns"),
            instant("SELECT date_trunc('day', sendgate.clock(), 'UTC') + interval '1 day'"),
            "half for the autumn", "postgres", "acc-plain", "set_campaign",
        ),
    }  # fmt: skip


def closed_list() -> set[str]:
    """The gate's reasons, as the decision spells them."""
    names = (REPO / "extension" / "decision" / "src" / "names.rs").read_text()
    reasons = names[names.index("    Reason {") :].split("\n    }")[0]
    return set(re.findall(r'=> "(\w+)"', reasons))


def stands_above_the_fold(browser: Browser, daemon, name: str, page: str, said: list[str]) -> None:
    """The first thing on the page, at both widths; an empty `until` means that a person has to end it."""
    since, until, *others = said
    for size, (width, fold) in {"desk": DESK, "phone": PHONE_SIZE}.items():
        browser.resize(width, fold)
        browser.open(daemon.base + page)
        browser.picture(PICTURES / f"cause-{name}-{size}.png", whole=False)
        edges = browser.run(EDGES)
        assert edges, f"{name}: no cause is told"
        for text, bottom in edges:
            assert bottom <= fold, f"{name}, {size}: below the fold, at {bottom:.0f}: {text!r}"
        told = "\n".join(text for text, _ in edges)
        assert since and since in told, f"{name}: since {since!r} is not in {told!r}"
        assert (until or "a person ends it") in told, f"{name}: until {until!r} is not in {told!r}"
        for words in others:
            assert words in told, f"{name}: {words!r} is not in {told!r}"
    browser.resize(*DESK)
    menu = browser.run("return document.querySelector('#menu').getBoundingClientRect().height")
    assert menu < MENU_MAX, f"{page}: the menu takes more than a line, {menu:.0f} px"


def is_answered_above_the_fold(browser: Browser, daemon, page: str, words: str) -> None:
    """A replay is held back by nothing: its answer is the outcome of the first call, which its prospect's page tells."""
    for size, (width, fold) in {"desk": DESK, "phone": PHONE_SIZE}.items():
        browser.resize(width, fold)
        browser.open(daemon.base + page)
        browser.picture(PICTURES / f"cause-operation_resolved-{size}.png", whole=False)
        found = browser.run(
            "return [...document.querySelectorAll('main li')].map((e) => [e.innerText, e.getBoundingClientRect().bottom])"
        )
        answers = [bottom for text, bottom in found if words in text]
        assert answers and answers[0] <= fold, f"{words!r} is not above {fold} in {found}"
    browser.resize(*DESK)


# A prospect whom thirty accounts wrote to, and one of them may have reached.
MUCH_TRIED = f"""SELECT sendgate.upsert_account('acc-' || n, 'sales_navigator') FROM generate_series(1, 30) AS n;
SELECT sendgate.reserve('acc-' || n, 'invite', 'p-many') FROM generate_series(1, 30) AS n;
SELECT sendgate.confirm(o.account_id::text, o.operation_id) FROM sendgate.send_operations AS o
WHERE o.prospect_id = 'p-many' AND o.account_id <> 'acc-30';
SELECT sendgate.reserve('acc-2', 'message', 'p-many', NULL, '{operation(1)}');
SELECT sendgate.rollback('acc-2', '{operation(1)}', 'gateway timeout', NULL, 504);"""
# The height of the phone's page in screens, and how many rows it has, seen or in a fold.
SCREENS = "return document.documentElement.scrollHeight / innerHeight"
ROWS = "return document.querySelectorAll('[aria-labelledby={0}] tbody tr, #earlier-{0} tbody tr').length"
# 50 attempts took 18 screens as cards of six lines.
SCREENS_MAX = 8


def test_what_was_tried_often_stays_short_and_loses_nothing(env):
    """An account of 50 attempts and a prospect of 31: a few screens of a phone, one cause for one reason, and every row."""
    story.troubles(env.psql, past=True)
    env.psql(MUCH_TRIED)
    with ConsoleDaemon(env) as daemon, Browser(*PHONE_SIZE) as browser:
        for page, rows in (("/account?id=acc-no-credits", 50), ("/prospect?id=p-many", 31)):
            browser.open(daemon.base + page)
            equal(browser.run(ROWS.format("attempts")), rows, f"attempts on {page}")
            screens = browser.run(SCREENS)
            assert screens <= SCREENS_MAX, f"{page} is {screens:.1f} screens of a phone long"
        causes = browser.run("return [...document.querySelectorAll('.cause h3')].map((e) => e.innerText)")
        equal(
            [cause.split(":")[0] for cause in causes],
            [
                "Another Message through acc-2 cannot go",
                "Another Invite through acc-30 cannot go",
                "Another Invite through 18 accounts cannot go",
            ],
            "the causes, each once",
        )
        named = browser.run(
            "return [...document.querySelectorAll('.cause:last-of-type li a')].map((e) => e.textContent)"
        )
        equal(len(set(named)), 18, "the accounts of the last one")
        says(browser, "The gate was asked about 20 accounts and actions")


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
        pages += [f"/campaign?id={'M' * 128}", f"/prospect?id={'W' * 128}", "/act?do=acknowledge-all&item=failing"]
        pages += [f"/act?do={act}&id={story.WIDE}" for act in ("cap", "pace", "cooldown", "suppress", "all-not-sent")]
        pages += [f"/act?do={act}&id={'M' * 128}" for act in ("limits", "switch")]
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
                # Of today there is none where nothing was sent today.
                assert len(letters) > 8, f"{page}: the charts have {len(letters)} words"


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
            if 'id="unresolved"' in text:
                unknown = text[text.index('id="unresolved"') :].split("</table>")[0]
                equal(unknown.count('<a href="/prospect?id=p-'), 3, "links to the prospects of unknown outcomes")
            wanted = [line.split("|") for line in env.psql(DAYS.format(account, action)).splitlines()]
            equal([row[:5] for row in rows], wanted, f"{action} of {account}")
            assert sum(int(count) for row in wanted for count in row[1:]) > 20, (
                f"{action} of {account}: nothing to count"
            )
            stopped = {row[0]: row[6] for row in rows if row[6] != "–"}
            # Two caps, the first until the day on which the account was set back to its tier's.
            caps = [row[5] for row in reversed(rows)]
            tier = env.psql(
                f"SELECT daily_cap FROM sendgate.counters WHERE account_id = '{account}' AND action = '{action}'"
            )
            careful = account[-1] in "dts" and action != "message"
            equal(caps, ["15"] * 11 + [tier] * 19 if careful else [tier] * 30, f"caps of {action} of {account}")
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
            # The line with the fleet's totals does not say otherwise.
            assert "1 account, and it gets no slot." in client.get("/")[1], banner


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
