"""Pages that refresh by themselves, with a script and without one."""

import re

from e2e.support import equal, operation, provision, wait_for
from e2e.support.console_client import Client, ConsoleDaemon, says, take_over
from e2e.support.daemon_process import Daemon
from harness.browser import Browser

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium.
TIMEOUT_SECONDS = 1200


def test_it_works_without_javascript(env):
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    with ConsoleDaemon(env) as daemon, Browser(script=False) as browser:
        browser.open(daemon.base + "/account?id=a")
        browser.click(browser.link("Sign in"))
        browser.write(browser.find("#token"), "ada's very own token, 1815")
        browser.click(browser.find("main form button[type=submit]"))
        wait_for(lambda: browser.url.endswith("/account?id=a"), "the page that was asked for")
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d\d"></noscript>', daemon.get("/")[1])
        browser.click(browser.link("Reset credit-exhausted state"))
        browser.write(browser.find("#note"), "without a script")
        browser.click(browser.find("main form button[type=submit]"))
        says(browser, "is reset")
    equal(env.psql("SELECT inmail_credits_exhausted_at FROM sendgate.accounts"), "", "the stamp")


def test_a_page_keeps_itself_fresh(env):
    """Changes appear by themselves; an element that the operator opened or focused stays as it is."""
    provision(env)
    env.psql(f"SELECT sendgate.reserve('a', 'inmail', 'p', NULL, '{operation(1)}')")
    with Daemon(env) as daemon, Browser() as browser:
        browser.open(f"http://{daemon.address()}/account?id=a")
        browser.run("window.same = document.querySelector('details'); window.same.open = true;")
        browser.run("document.querySelector('a[href*=\"chart=message\"]').focus();")
        wait_for(lambda: browser.text("#age") != "0 s", "the age to grow")
        env.psql("SELECT sendgate.breaker_arm('a', 'test')")
        wait_for(lambda: "auto-resumes" in browser.text("main"), "the pill to appear")
        assert browser.run("return window.same === document.querySelector('details') && window.same.open")
        assert "chart=message" in browser.run("return document.activeElement.href")
        assert int(browser.text("#age").split()[0]) < 60
        equal(browser.complaints(), [], "complaints")


# As when a person comes back to the window: the page refreshes at once.
REFRESH = "document.dispatchEvent(new Event('visibilitychange'))"
NARROW = """const style = new CSSStyleSheet();
style.replaceSync('[aria-labelledby=now] { width: 220px; }');
document.adoptedStyleSheets = [style];"""


def test_a_refresh_takes_nothing_from_under_the_hands(env):
    """A refresh leaves alone a table that was scrolled or has the keyboard, and marked text; a link stays the
    same link."""
    provision(env)
    provision(env, "b")

    def alert(number: int, account: str) -> None:
        env.psql(
            f"""SELECT sendgate.reserve('{account}', 'invite', 'p{number}', NULL, '{operation(number)}');
            SELECT sendgate.rollback('{account}', '{operation(number)}');
            SELECT sendgate.confirm('{account}', '{operation(number)}')"""
        )

    alert(1, "a")
    with ConsoleDaemon(env) as daemon, Browser() as browser:
        client = Client(daemon)
        client.sign_in()
        browser.open(daemon.base + "/sign-in")
        take_over(browser, client)
        browser.open(daemon.base + "/account?id=a")
        region = "document.querySelector('[aria-labelledby=now]')"
        # So narrow that there is something to scroll; the style is not the page's, so a refresh leaves it alone.
        browser.run(NARROW)
        browser.run(f"{region}.focus(); {region}.scrollLeft = 40;")
        assert browser.run(f"return {region}.scrollLeft") > 0, "there is nothing to scroll"
        scrolled = browser.run(f"return {region}.scrollLeft")
        env.psql("SELECT sendgate.breaker_arm('a', 'test')")
        browser.run(REFRESH)
        wait_for(lambda: "auto-resumes" in browser.text("main"), "the pill to appear")
        assert browser.run(f"return document.activeElement === {region}"), "the keyboard is elsewhere"
        equal(browser.run(f"return {region}.scrollLeft"), scrolled, "the table's place")
        # Another alert appears above the one that the operator is about to acknowledge.
        browser.open(daemon.base + "/alerts")
        browser.run("document.querySelector('a[href*=acknowledge]').focus()")
        link = browser.run("return document.activeElement.getAttribute('href')")
        alert(2, "b")
        browser.run(REFRESH)
        wait_for(lambda: len(browser.find_all("a[href*=acknowledge]")) == 2, "the other alert")
        equal(browser.run("return document.activeElement.getAttribute('href')"), link, "the link under the keyboard")
        # And one that is gone leaves the keyboard on no other.
        equal(client.act("acknowledge", "a", re.search(r"item=([^&]+)", link)[1])[0], 303, "another operator's act")
        browser.run(REFRESH)
        wait_for(lambda: len(browser.find_all("a[href*=acknowledge]")) == 1, "the alert to go")
        equal(browser.run("return document.activeElement.tagName"), "BODY", "where the keyboard is")
        browser.run("getSelection().selectAllChildren(document.querySelector('tbody'))")
        marked = browser.run("return getSelection().toString()")
        alert(3, "a")
        browser.run(REFRESH)
        wait_for(lambda: browser.text("#age") != "0 s", "the age to grow")
        equal(browser.run("return getSelection().toString()"), marked, "the marked text")
        browser.run("getSelection().removeAllRanges();" + REFRESH)
        wait_for(lambda: len(browser.find_all("a[href*=acknowledge]")) == 2, "the page to go on")
        equal(browser.complaints(), [], "complaints")
