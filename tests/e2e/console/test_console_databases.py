"""The console over several databases: one campaign and one prospect as one page, and acts on many things at once."""

import html
import re

from e2e.daemon.test_several_databases import Fleet, do
from e2e.support import equal, operation, wait_for
from e2e.support.console_client import Client, ConsoleDaemon, words

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

# In each database an account: two pieces of work of one campaign, one of them parked, a delivery, an unknown outcome.
FILLING = """
SELECT sendgate.upsert_account('acc-{letter}', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'eve', 'acc-{letter}', 'inmail'), sendgate.enqueue('spring', 'bob', 'acc-{letter}', 'inmail');
SELECT sendgate.rollback(d.account_id, d.operation_id, 'content refused by {letter}', NULL, 422)
FROM sendgate.dispatch(1, 'inmail') d;
SELECT sendgate.reserve('acc-{letter}', 'message', 'eve', NULL, '{delivered}');
SELECT sendgate.confirm('acc-{letter}', '{delivered}', 'chat of {letter}');
SELECT sendgate.reserve('acc-{letter}', 'invite', 'ann', 'spring', '{unknown}');
SELECT sendgate.rollback('acc-{letter}', '{unknown}', 'gateway timeout', NULL, 504);
SET session_replication_role = replica;
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
SELECT gen_random_uuid(), 'acc-{letter}', 'failing', current_date - n, 'test', sendgate.clock() FROM generate_series(1, 2) AS n
"""
# More than a page looks through at once, in the first two; what stands behind that is parked.
LONG = """
SET session_replication_role = replica;
INSERT INTO sendgate.enrollments (enqueued_at, changed_at, attempts, account_id, prospect_id, campaign_id, action, state, error)
SELECT sendgate.clock(), sendgate.clock(), 1, 'acc-{letter}', 'p' || lpad(n::text, 6, '0'), 'long', 'message',
       CASE WHEN n > 20000 THEN 'parked' ELSE 'done' END, CASE WHEN n > 20000 THEN 'late in {letter}' END
FROM generate_series(1, {work}) AS n
"""
WORK_LOOKED_AT = 20_000
SUPPRESSED = "No account may write to this prospect"
UNKNOWN = "SELECT count(*) FROM sendgate.send_operations WHERE unknown_since IS NOT NULL"


def test_one_campaign_and_one_prospect_over_all(env):
    fleet = filled(env)
    a, b, c = fleet.names
    fleet.sql(1, "SELECT sendgate.pause_campaign('spring')")
    with ConsoleDaemon(env, url=fleet.url) as daemon:
        client = signed_in(daemon)
        page = client.get("/campaign?id=spring")[1]
        text = words(page)
        # What adds up, and what is told of each because it differs.
        assert "InMail 3 " in text, text
        for name, word in ((a, "its work is handed out"), (b, "paused since"), (c, "its work is handed out")):
            assert f"Now in {name} {word}" in text, f"{name}: {word} in {text}"
        for letter in "abc":
            assert f"content refused by {letter}" in text, text
        links = [html.unescape(link) for link in re.findall(r'href="(/account[^"]+)"', page)]
        equal(sorted(links), [f"/account?id=acc-{n}&db={name}" for n, name in zip("abc", fleet.names, strict=True)], "")
        tabs = [html.unescape(link) for link in re.findall(r'href="(/campaign\?id=spring[^"]*)"', page)]
        equal(tabs[:4], ["/campaign?id=spring", *(f"/campaign?id=spring&db={name}" for name in fleet.names)], "tabs")
        alone = words(client.get(f"/campaign?id=spring&db={c}")[1])
        assert "content refused by c" in alone and "content refused by a" not in alone, alone
        # The buttons of this page act on all of them.
        for act, query, states in (
            ("pause-campaign", "SELECT count(*) FROM sendgate.paused_campaigns", ["1", "1", "1"]),
            ("resume-campaign", "SELECT count(*) FROM sendgate.paused_campaigns", ["0", "0", "0"]),
            ("requeue-parked", "SELECT count(*) FROM sendgate.enrollments WHERE state = 'parked'", ["0", "0", "0"]),
        ):
            link = f"/act?do={act}&id=spring"
            asked = words(client.get(link)[1])
            assert f"It is done in the databases {a}, {b}, {c}" in asked, asked
            do(client, link, note=None)
            equal(fleet.everywhere(query), states, act)
        text = words(client.get("/campaign?id=spring")[1])
        assert text.count("Now its work is handed out") == 1, "told once where it is the same"

        page = client.get("/prospect?id=eve")[1]
        text = words(page)
        assert "It was contacted 3 times" in text, text
        for letter in "abc":
            assert f"chat of {letter}" in text and f"acc-{letter}" in text, text
        links = set(re.findall(r'href="(/account[^"]+)"', html.unescape(page)))
        equal(links, {f"/account?id=acc-{n}&db={name}" for n, name in zip("abc", fleet.names, strict=True)}, "links")
        # No contact: told once while it holds everywhere, and of the databases in which it holds otherwise.
        do(client, "/act?do=suppress&id=eve")
        text = words(client.get("/prospect?id=eve")[1])
        equal(text.count(SUPPRESSED), 1, "the suppression of all")
        fleet.sql(1, "SELECT sendgate.unsuppress_prospect('eve', 'by hand')")
        text = words(client.get("/prospect?id=eve")[1])
        equal(text.count(SUPPRESSED), 2, "the suppressions of two")
        assert f"In {a}" in text and f"In {c}" in text and "Do not contact" in text, text
        # One that is down is named, and the others are shown.
        with fleet.down(0):
            wait_for(lambda: f"{a}: down" in daemon.get("/healthz")[1], "the daemon to notice")
            for link, shown in (("/campaign?id=spring", "InMail"), ("/prospect?id=eve", "acc-c")):
                text = words(client.get(link)[1])
                assert f"The database {a} cannot be asked" in text and shown in text, text


def test_long_work_is_looked_through_in_each(env):
    """A page about all looks as far in each as a page about one, and goes on in the one whose link is followed."""
    fleet = filled(env)
    a, b, c = fleet.names
    for n, (letter, work) in enumerate((("a", WORK_LOOKED_AT + 2), ("b", WORK_LOOKED_AT + 1), ("c", 3))):
        fleet.sql(n, LONG.format(letter=letter, work=work))
    fleet.sql(1, "SELECT count(sendgate.upsert_account('n' || n, 'recruiter')) FROM generate_series(1, 10000) n")
    with ConsoleDaemon(env, url=fleet.url) as daemon:
        client = signed_in(daemon)

        def seen(link: str) -> tuple[int, int, set[str], dict[str, str]]:
            """Parked and done work that is counted, whose parked work is listed, and where the page looks on."""
            page = client.get(link)[1]
            text = words(page)
            parked, done = map(int, re.search(r"Message 0 – 0 0 (\d+) (\d+) 0", text).groups())
            return parked, done, set(re.findall(r"late in (\w)", text)), onward(page)

        parked, done, listed, links = seen("/campaign?id=long")
        equal((parked, done, listed), (0, 2 * WORK_LOOKED_AT + 3, set()), "as far as all are looked through")
        equal(list(links), [f"Look on in {a}", f"Look on in {b}"], "where there is more, in the order of the databases")
        # The last prospect that was looked at is looked at again: it may have more work.
        for name, letter, rest in ((a, "a", 2), (b, "b", 1)):
            link = links[f"Look on in {name}"]
            assert link.endswith(f"&db={name}"), link
            equal(seen(link), (rest, 1, {letter}, {}), f"the rest of {name}, and nothing of the others")
        # A page about one needs to name none.
        (label, link), *more = seen(f"/campaign?id=long&db={a}")[3].items()
        equal((label, link, more), ("Look on", links[f"Look on in {a}"], []), "of one database")
        equal(seen(f"/campaign?id=long&db={c}")[3], {}, "one that was looked through")
        # Accounts, for a prospect.
        page = client.get("/prospect?id=eve")[1]
        (label, link), *more = onward(page).items()
        equal((label, more), (f"Look on in {b}", []), "the one with many accounts")
        page = client.get(link)[1]
        equal(onward(page), {}, "its rest")
        assert "chat of b" in words(page) and "chat of a" not in words(page), words(page)


def test_acts_on_many_over_all(env):
    fleet = filled(env)
    a, b, c = fleet.names
    with ConsoleDaemon(env, url=fleet.url) as daemon:
        client = signed_in(daemon)
        # All alerts of a kind.
        link = button(client, "/alerts?kind=failing", "acknowledge-all")
        assert "db=" not in link, link
        asked = words(client.get(link)[1])
        for name in fleet.names:
            assert f"Not seen yet {name}: 2" in asked, asked
        do(client, link)
        assert "6 alerts are acknowledged." in words(client.get("/alerts")[1])
        seen = "SELECT count(*) FROM sendgate.open_alerts WHERE acknowledged_by = 'ada'"
        equal(fleet.everywhere(seen), ["2"] * 3, "alerts that she has seen")
        # Unknown outcomes: those of an account in its database, those of a time in all.
        link = button(client, "/unknown?of=acc-b", "all-not-sent")
        assert link.endswith(f"&db={b}"), link
        do(client, link)
        equal(fleet.everywhere(UNKNOWN), ["1", "0", "1"], "unknown outcomes")
        link = button(client, "/unknown?since=2020-01-01T00:00", "all-sent")
        assert "db=" not in link, link
        asked = words(client.get(link)[1])
        assert f"It is done in the databases {a}, {b}, {c}" in asked and f"{a}: 1 listed" in asked, asked
        # Where one is down it says so, and is done again.
        with fleet.down(2):
            wait_for(lambda: f"{c}: down" in daemon.get("/healthz")[1], "the daemon to notice")
            assert "db=" not in button(client, "/unknown?since=2020-01-01T00:00", "all-sent")
        wait_for(lambda: "3 of 3" in daemon.get("/readyz")[1], "all of them")
        do(client, link)
        equal(fleet.everywhere(UNKNOWN), ["0"] * 3, "unknown outcomes")
        sent = "SELECT state FROM sendgate.send_operations WHERE prospect_id = 'ann'"
        equal(fleet.everywhere(sent), ["delivered", "released", "delivered"], "as they were settled")
        assert "do=all-sent" not in client.get("/unknown")[1], "everything at once is not offered"


def filled(env) -> Fleet:
    """Three databases with one account each."""
    fleet = Fleet(env)
    for n, letter in enumerate("abc"):
        fleet.sql(n, FILLING.format(letter=letter, delivered=operation(n), unknown=operation(10 + n)))
    return fleet


def signed_in(daemon: ConsoleDaemon) -> Client:
    """An operator, once all databases are up."""
    client = Client(daemon)
    equal(client.sign_in(), 303, "signing in")
    wait_for(lambda: "3 of 3" in daemon.get("/readyz")[1], "all of them")
    return client


def button(client: Client, page: str, act: str) -> str:
    """The address of the page's button for this act."""
    text = html.unescape(client.get(page)[1])
    found = re.search(rf'href="(/act\?do={act}[^"]*)"', text)
    assert found, words(text)
    return found[1]


def onward(page: str) -> dict[str, str]:
    """Where a page looks on: addresses by label."""
    found = re.findall(r'<a class="button" rel="next" href="([^"]+)">([^<]+)</a>', page)
    return {html.unescape(label): html.unescape(link) for link, label in found}
