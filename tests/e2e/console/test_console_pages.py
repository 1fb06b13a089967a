"""The order and the filters of the list of accounts; the pages of campaigns, prospects and the admin log; acts on many."""

import html
import json
import re
from urllib.parse import quote

from e2e.support import equal, operation
from e2e.support.console_client import TOKENS, Client, ConsoleDaemon, act_path, card_ids, next_page, words

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
# One account of each trouble, and one without.
TROUBLES = f"""
SELECT sendgate.upsert_account(n, 'sales_navigator', initcap(n)) FROM unnest(ARRAY['calm', 'capped', 'cooling', 'exhausted',
    'failing', 'limited', 'outside', 'paused', 'unknown']) n;
SELECT sendgate.upsert_account('recruiter', 'recruiter');
SELECT sendgate.set_status('paused', 'paused', 'holidays');
SELECT sendgate.breaker_arm('exhausted', 'test');
SELECT sendgate.set_cap('capped', 'invite', 1);
SELECT sendgate.reserve('capped', 'invite', 'p', NULL, '{operation(1)}');
SELECT sendgate.confirm('capped', '{operation(1)}');
SELECT sendgate.reserve('unknown', 'invite', 'p', NULL, '{operation(2)}');
SELECT sendgate.rollback('unknown', '{operation(2)}', 'gateway timeout');
SELECT sendgate.reserve('cooling', 'invite', 'p', NULL, '{operation(3)}');
SELECT sendgate.rollback('cooling', '{operation(3)}', NULL, NULL, 429);
SELECT sendgate.set_error_rule(1, 'rate_limited', 'message', NULL, '429', NULL, 'action');
SELECT sendgate.reserve('limited', 'message', 'p', NULL, '{operation(4)}');
SELECT sendgate.rollback('limited', '{operation(4)}', NULL, NULL, 429);
SELECT sendgate.set_window('outside', '09:00', '10:00', ARRAY[1 + (extract(isodow FROM sendgate.clock() AT TIME ZONE 'UTC')::integer + 1) % 7]);
DO $$ BEGIN
    FOR n IN 1..10 LOOP
        PERFORM sendgate.reserve('failing', 'message', 'p' || n, NULL, ('00000000-0000-4000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid);
        PERFORM sendgate.rollback('failing', ('00000000-0000-4000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid, 'try later', NULL, 503);
    END LOOP;
END $$;
"""
# What each filter finds of them.
FOUND = {
    "cannot-send": ["cooling", "paused"],
    "not-connected": ["paused"],
    "exhausted": ["exhausted"],
    "cooling": ["cooling", "limited"],
    "failing": ["failing"],
    "unknown": ["unknown"],
    "drifting": [],
    "cap-reached": ["capped"],
    "outside-window": ["outside"],
}
ORDER = ["cooling", "paused", "exhausted", "failing", "limited", "unknown", "calm", "capped", "outside", "recruiter"]
ORDER_OF_ED = ["paused", "exhausted", "limited", "capped"]
HEADINGS = [
    "Cannot send at all: 2",
    "InMails are stopped: 1",
    "An action fails or cools down: 2",
    "Unknown outcomes: 1",
    "All others, by id",
]


def tallies(page: str) -> dict[str, str]:
    """The filters and tiers of a page with their counts."""
    found = re.findall(r">(?:<bdi>)?([^<>]+?)(?:</bdi>)? <span class=\"tally\">([^<]+)</span>", page)
    return {html.unescape(name): count for name, count in found}


def test_problems_come_first_and_filters_count(env):
    env.psql(TROUBLES)
    with ConsoleDaemon(env, tokens=TOKENS | {"scraper": ("a scraper's very own token", "read")}) as daemon:
        client = Client(daemon)
        page = client.get("/")[1]
        equal(card_ids(page), ORDER, "the order")
        headings = re.findall(r"<h2>([^<]+)</h2>", page)
        equal(headings, HEADINGS, "the order in words")
        assert "10 accounts, 8 of them can send. Slots taken today: 0 InMails, 2 invites, " in words(page), words(page)
        # Each card says which action stands still, until when, and in whose words.
        for trouble in (
            "postgres: holidays",
            "Message: this action cools down until \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d \\(in \\d+ min\\): 503 try later",
            "Message: this action cools down until [^:]+:\\d\\d:\\d\\d \\(in \\d+ min\\): 429",
            "Cools down until [^:]+:\\d\\d:\\d\\d in \\d+ min",
        ):
            assert re.search(trouble, words(page)), f"{trouble} is not in {words(page)}"
        equal(len(re.findall('class="trouble"', page)), 4, "troubles of paused, cooling, failing and limited")
        for name, trouble in (
            ("cap-reached", "Invite: its daily cap is reached until "),
            ("outside-window", "Everything: it is outside its sending window until "),
        ):
            found = words(client.get(f"/?filter={name}")[1])
            assert trouble in found, f"{trouble} is not in {found}"
        counted = tallies(page)
        equal((counted["All"], counted["sales navigator"], counted["recruiter"]), ("10", "9", "1"), "all and tiers")
        for name, ids in FOUND.items():
            status, page = client.get(f"/?filter={name}")
            equal((status, card_ids(page)), (200, ids), name)
            label = {"exhausted": "Credits exhausted", "cooling": "Cooling down", "unknown": "Unknown outcomes"}
            label = label.get(name, name.replace("-", " ").capitalize())
            equal(counted[label], str(len(ids)), label)
            answer = client.get(
                f"/api/accounts?filter={name}&columns=id", Authorization="Bearer a scraper's very own token"
            )
            equal([row["id"] for row in json.loads(answer[1])["rows"]], ids, f"{name} for programs")
        equal(card_ids(client.get("/?tier=recruiter")[1]), ["recruiter"], "a tier")
        equal(card_ids(client.get("/?tier=recruiter&filter=unknown")[1]), [], "a tier without this trouble")
        equal(card_ids(client.get("/?tier=sales_navigator")[1]), ORDER[:-1], "the order of a tier")
        for text, ids in (("AUS", ["paused", "exhausted"]), ("PausEd", ["paused"]), ("eD", ORDER_OF_ED), ("zzz", [])):
            equal(card_ids(client.get(f"/?q={text}")[1]), ids, f"a search for {text}")
        headings = re.findall(r"<h2>([^<]+)</h2>", client.get("/?q=ed")[1])
        equal(headings, [heading.split(":")[0] for heading in HEADINGS if "Unknown" not in heading], "of what is found")
        equal(card_ids(client.get("/?q=e&filter=cannot-send")[1]), ["paused"], "a search among those")
        # The card of an account whose InMails an operator stopped says who did, and why.
        env.psql("SELECT sendgate.breaker_force('calm', 'open', 'the client asked')")
        page = words(client.get("/?q=calm")[1])
        assert "InMails stopped by an operator postgres: the client asked InMails today" in page, page
        env.psql("SELECT sendgate.breaker_force('calm', 'auto', 'over')")
        # A trouble that is over is no trouble, and an act is seen at once.
        client.sign_in()
        equal(client.act("connect", "paused")[0], 303, "it may send again")
        page = client.get("/")[1]
        equal(card_ids(page)[:2], ["cooling", "exhausted"], "the order afterwards")
        # Letters beyond ASCII have a case as well, in ids and in names.
        env.psql("SELECT sendgate.upsert_account('École-Ж', 'free', 'ZOË Ångström')")
        for text in ("École-Ж", "éCOLE", "-ж", "zoë", "åNG"):
            equal(card_ids(client.get(f"/?q={quote(text)}")[1]), ["École-Ж"], f"a search for {text}")


def test_pages_lead_from_the_worst_account_to_the_last(env):
    """Each account once: sixty with a trouble, then sixty without."""
    env.psql(
        """SELECT count(sendgate.upsert_account('n' || lpad(n::text, 3, '0'), 'free')) FROM generate_series(1, 120) n;
        SELECT count(sendgate.set_status('n' || lpad((n * 2)::text, 3, '0'), 'paused', 'test')) FROM generate_series(1, 60) n"""
    )
    with ConsoleDaemon(env) as daemon:
        for start, wanted in (
            ("/", [f"n{n:03}" for n in (*range(2, 121, 2), *range(1, 121, 2))]),
            ("/?filter=not-connected", [f"n{n:03}" for n in range(2, 121, 2)]),
            ("/?filter=not-connected&after=n060", [f"n{n:03}" for n in range(62, 121, 2)]),
            ("/?q=n", [f"n{n:03}" for n in (*range(2, 121, 2), *range(1, 121, 2))]),
            ("/?tier=free", [f"n{n:03}" for n in (*range(2, 121, 2), *range(1, 121, 2))]),
            ("/?q=n0&tier=free", [f"n{n:03}" for n in (*range(2, 100, 2), *range(1, 100, 2))]),
            ("/?tier=free&filter=cannot-send", [f"n{n:03}" for n in range(2, 121, 2)]),
        ):
            found, page = [], start
            while page:
                status, text = Client(daemon).get(page)
                equal(status, 200, page)
                found += card_ids(text)
                page = next_page(text)
            equal(found, wanted, start)


WORK = f"""
SELECT sendgate.upsert_account('a', 'sales_navigator'), sendgate.upsert_account('b', 'sales_navigator');
SELECT sendgate.enqueue('spring', 'p' || n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, 'inmail') FROM generate_series(1, 4) n;
SELECT sendgate.enqueue('autumn', 'p1', 'a', 'invite');
SELECT sendgate.rollback(d.account_id, d.operation_id, 'content refused', NULL, 422) FROM sendgate.dispatch(2, 'inmail') d;
SELECT sendgate.reserve('b', 'message', 'p1', NULL, '{operation(9)}');
SELECT sendgate.confirm('b', '{operation(9)}', 'chat-9');
SELECT sendgate.breaker_arm('a', 'test');
SELECT sendgate.reserve('a', 'inmail', 'p7', 'spring');
"""
# More than a search for a part of an id looks at, and the prospects of a campaign behind that.
MUCH = """
SET session_replication_role = replica;
INSERT INTO sendgate.enrollments (enqueued_at, changed_at, attempts, account_id, prospect_id, campaign_id, action, state)
SELECT sendgate.clock(), sendgate.clock(), 1, 'a', CASE WHEN n > 20002 THEN (ARRAY['Zoe Late', 'P1-late'])[n - 20002]
       WHEN n = 500 THEN 'Ann Жук' ELSE 'p' || n END,
       CASE WHEN n > 20002 THEN 'zzz' ELSE 'aaa' END, 'message', 'done' FROM generate_series(1, 20004) n"""
STATES = "SELECT state, count(*) FROM sendgate.enrollments WHERE campaign_id = 'spring' GROUP BY 1 ORDER BY 1"


def test_a_campaign_is_seen_paused_limited_switched_and_put_back(env):
    env.psql(WORK)
    equal(env.psql(STATES).splitlines(), ["parked|2", "waiting|2"], "the work")
    with ConsoleDaemon(env) as daemon:
        client, stranger = Client(daemon), Client(daemon)
        client.sign_in()
        page = words(client.get("/campaigns")[1])
        assert "autumn goes on 1 0 0 0 0 0 –" in page, page
        assert "spring goes on 2 0 0 2 0 0 –" in page, page
        page = client.get("/campaign?id=spring")[1]
        assert "content refused" in page and "InMail 2 2" in words(page).replace(words(page)[:0], ""), words(page)
        assert "/act" not in stranger.get("/campaign?id=spring")[1], "a stranger may press something"
        equal(client.act("pause-campaign", "spring")[0], 303, "pausing")
        equal(client.headers["location"], "/campaign?id=spring", "where it leads")
        assert "paused since" in words(client.get("/campaign?id=spring")[1])
        equal(env.psql("SELECT campaign_id, actor FROM sendgate.paused_campaigns"), "spring|ada", "the pause")
        equal(client.act("resume-campaign", "spring")[0], 303, "resuming")
        equal(client.act("limits", "spring", inmail="3", invite="0")[0], 303, "limits")
        limits = "SELECT inmail_limit, invite_limit, message_limit, actor, note FROM sendgate.campaigns"
        equal(env.psql(limits), "3|0||ada|because", "the limits")
        assert "InMail 3, Invite 0, set by ada" in words(client.get("/campaign?id=spring")[1])
        assert 'name="inmail" value="3"' in client.get(act_path("limits", "spring"))[1], "the form begins with what is"
        equal(client.act("limits", "spring", inmail="-1")[0], 422, "a limit that cannot be")
        for act, how in (("switch", "Waits InMail 2"), ("requeue-parked", "Parked InMail 2")):
            assert how in words(client.get(act_path(act, "spring"))[1]), f"how {act} stands"
        assert "Parked nothing" in words(client.get(act_path("requeue-parked", "autumn"))[1]), "how it stands"
        for campaign, used in (("spring", "inmail"), ("autumn", "invite"), ("without-work", "")):
            form = client.get(act_path("switch", campaign))[1]
            fields = [form.split(f'name="{field}"')[1].split("</select>")[0] for field in ("action", "to_action")]
            chosen = [re.findall(r'value="(\w*)" selected', field) for field in fields]
            equal(chosen, [[used] if used else [], []], f"what the form of {campaign} begins with")
            equal(['value=""' in field for field in fields], [not used, True], f"nothing to begin with, {campaign}")
        equal(client.act("switch", "spring", action="inmail", to_action="inmail")[0], 422, "a switch to the same")
        equal(client.act("switch", "spring", action="inmail", to_action="invite")[0], 303, "the switch")
        assert "Moved to the other action: 2 pieces of work." in words(client.get("/campaign?id=spring")[1])
        one = re.search(r'href="(/act\?do=requeue&[^"]+)"', html.unescape(client.get("/campaign?id=spring")[1]))[1]
        equal(client.post(one, {"csrf": client.csrf()})[0], 303, "one piece put back")
        equal(env.psql(STATES).splitlines(), ["parked|1", "waiting|3"], "the work")
        equal(client.act("requeue-parked", "spring")[0], 303, "the rest put back")
        assert "Put back: 1 piece of work." in words(client.get("/campaign?id=spring")[1])
        equal(env.psql(STATES).splitlines(), ["waiting|4"], "the work")
        verbs = env.psql("SELECT DISTINCT verb FROM sendgate.admin_log WHERE actor = 'ada' ORDER BY 1").splitlines()
        equal(verbs, ["pause_campaign", "requeue", "resume_campaign", "set_campaign", "switch_action"], "the admin log")
        log = words(client.get("/log?actor=ada")[1])
        assert "set_campaign" in log and "because" in log, log
        equal(words(client.get("/log?actor=ada&verb=switch_action")[1]).count("switch_action –"), 1, "a filtered log")
        assert "Nothing was changed like that." in words(client.get("/log?actor=grace")[1])


def test_a_prospect_is_explained_and_suppressed(env):
    env.psql(WORK)
    with ConsoleDaemon(env, tokens=TOKENS | {"reader": ("a reader's very own token", "read")}) as daemon:
        client = Client(daemon)
        client.sign_in()
        page = words(client.get("/prospect?id=p1")[1])
        assert "It was contacted once, last by a message through b at " in page, page
        for part in ("autumn", "spring", "chat-9", "content refused"):
            assert part in page, f"{part} is not in {page}"
        page = words(client.get("/prospect?id=p7")[1])
        assert "It was never contacted" in page and "its InMail credits are exhausted" in page, page
        equal(client.act("suppress", "p1", until="yesterday")[0], 422, "an end that is none")
        equal(client.act("suppress", "p1", until="2001-01-01T00:00")[0], 409, "an end that is past")
        equal(client.act("suppress", "p1", note="asked us <to> stop")[0], 303, "suppressing")
        page = words(client.get("/prospect?id=p1")[1])
        assert "No account may write to this prospect Since" in page and "asked us <to> stop" in page, page
        equal(env.psql("SELECT prospect_id, actor FROM sendgate.suppressions"), "p1|ada", "the suppression")
        equal(env.psql("SELECT reason FROM sendgate.preview('b', 'inmail', 'p1')"), "prospect_suppressed", "the gate")
        equal(client.act("unsuppress", "p1")[0], 303, "allowing")
        equal(env.psql("SELECT count(*) FROM sendgate.suppressions"), "0", "suppressions")
        # A whole id and a part of it, in another case, lead to the page; so does the beginning, behind any amount of work.
        env.psql(MUCH)
        env.psql("SELECT sendgate.reserve('b', 'invite', 'only-tried')")
        for text, found in (
            ("p1", ["p1", "P1-late", "p10", "p100"]),
            ("P1", ["P1-late", "p1"]),
            ("zoe", ["Zoe Late"]),
            ("oe la", []),
            ("1999", ["p11999", "p1999"]),
            ("nN ж", ["Ann Жук"]),
            ("only-tried", ["only-tried"]),
        ):
            page = client.get(f"/?q={quote(text)}")[1]
            shown = [html.unescape(one) for one in re.findall(r'href="/prospect[^"]*"><bdi class="id">([^<]*)<', page)]
            equal(shown[: len(found)], found, text)
            assert found or not shown, shown
            assert "begin with it; and ids with the text anywhere in them" in words(page), words(page)
        assert "Look everywhere for the prospect" in client.get("/?q=oe%20la")[1]
        reader = Client(daemon)
        reader.sign_in("a reader's very own token")
        assert "/act" not in reader.get("/prospect?id=p1")[1], "a reader may press something"
        equal(reader.act("suppress", "p1")[0], 403, "a reader's act")
        equal(env.psql("SELECT count(*) FROM sendgate.suppressions"), "0", "suppressions")


def test_caps_and_pace_of_an_account(env):
    env.psql("SELECT sendgate.upsert_account('a', 'sales_navigator')")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        page = client.get("/account?id=a")[1]
        assert "do=cap&" in page and "do=pace&" in page, "the buttons"
        assert "0 of 50 today" in words(client.get(act_path("cap", "a"))[1])
        equal(client.act("cap", "a", action="inmail", daily="7", weekly="20")[0], 303, "a cap")
        equal(
            env.psql("SELECT daily_cap, weekly_cap FROM sendgate.counters WHERE action = 'inmail'"), "7|20", "the caps"
        )
        equal(client.act("cap", "a", action="inmail")[0], 303, "the tier's again")
        equal(
            env.psql("SELECT daily_cap, weekly_cap FROM sendgate.counters WHERE action = 'inmail'"), "50|", "the caps"
        )
        for form in ({"action": "fly"}, {"action": "inmail", "daily": "x"}, {"action": "inmail", "weekly": "10001"}):
            equal(client.act("cap", "a", **form)[0], 422, str(form))
        equal(client.act("pace", "a", gap="90", jitter="25", spread="1")[0], 303, "a pace")
        pace = "SELECT pace_gap, pace_jitter_percent, pace_spread FROM sendgate.accounts"
        equal(env.psql(pace), "00:01:30|25|t", "the pace")
        assert "by ada at" in words(client.get(act_path("pace", "a"))[1]), "who set it last"
        equal(client.act("pace", "a", gap="9999999")[0], 422, "a gap of months")
        equal(client.act("pace", "a")[0], 303, "none")
        equal(env.psql(pace).strip("0:"), "||" if env.psql(pace) == "||" else env.psql(pace).strip("0:"), "no pace")
        equal(
            env.psql("SELECT count(*) FROM sendgate.admin_log WHERE verb IN ('set_pace', 'set_cap')"),
            "4",
            "the admin log",
        )


# Invitations cool down by themselves, and the account as a whole.
COOLED = f"""SELECT sendgate.set_error_rule(1, 'rate_limited', 'invite', NULL, '429', NULL, 'action');
SELECT sendgate.reserve('a', 'invite', 'p', NULL, '{operation(1)}'), sendgate.reserve('a', 'message', 'p', NULL, '{operation(2)}');
SELECT sendgate.rollback('a', '{operation(1)}', NULL, NULL, 429), sendgate.rollback('a', '{operation(2)}', NULL, NULL, 429)"""


def test_status_and_cooldowns_of_an_account(env):
    env.psql(f"SELECT sendgate.upsert_account('a', 'sales_navigator'); {COOLED}")
    cool = "SELECT coalesce(action, 'all') FROM sendgate.cooldowns ORDER BY 1"
    equal(env.psql(cool).splitlines(), ["all", "invite"], "what cools down")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        for act, item, said, query, found in (
            ("cooldown", "invite", "The cooldown of a is over.", cool, "all"),
            ("cooldown", "", "The cooldown of a is over.", cool, ""),
            ("pause-account", "", "a is paused.", "SELECT status FROM sendgate.accounts", "paused"),
            ("connect", "", "a may send again.", "SELECT status FROM sendgate.accounts", "connected"),
        ):
            equal(client.act(act, "a", item, note=f"{act} <it>")[0], 303, act)
            page = words(client.get("/account?id=a")[1])
            assert said in page and "<it>" in page, f"{act}: {page}"
            equal(env.psql(query), found, f"{act} {item}")
    log = "SELECT verb, note FROM sendgate.admin_log WHERE actor = 'ada' ORDER BY id"
    told = ["clear_cooldown|cooldown <it>"] * 2 + ["set_status|pause-account <it>", "set_status|connect <it>"]
    equal(env.psql(log).splitlines(), told, "the admin log")


def test_many_unknown_outcomes_and_alerts_at_once(env):
    """Of an account, and of a time; each form once, with the count told."""
    env.psql("SELECT sendgate.upsert_account(n, 'sales_navigator') FROM unnest(ARRAY['a', 'b']) n")
    for n in range(6):
        account = "ab"[n % 2]
        env.psql(
            f"""SELECT sendgate.reserve('{account}', 'message', 'p{n}', NULL, '{operation(n)}');
            SELECT sendgate.rollback('{account}', '{operation(n)}', 'gateway timeout', NULL, 504)"""
        )
    env.psql(
        """SET session_replication_role = replica;
        INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
        SELECT gen_random_uuid(), 'n' || n, CASE WHEN n <= 130 THEN 'delivered_after_rollback' ELSE 'failing' END,
            current_date, 'test', sendgate.clock() FROM generate_series(1, 132) n"""
    )
    unknown = "SELECT account_id, count(*) FROM sendgate.send_operations WHERE unknown_since IS NOT NULL GROUP BY 1 ORDER BY 1"
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        assert "do=all-sent" not in client.get("/unknown")[1], "everything at once is not offered"
        assert "Settle many of them" in words(client.get("/account?id=a")[1])
        page = client.get("/unknown?of=a")[1]
        assert "3 are like that." in words(page), words(page)
        place = re.search(r'href="(/act\?do=all-not-sent[^"]*)"', html.unescape(page))[1]
        assert "3 listed" in words(client.get(place)[1])
        equal(client.post(place, {"csrf": client.csrf(), "note": "the outbox is empty"})[0], 303, "of an account")
        assert "3 operations are settled as not sent." in words(client.get("/unknown")[1])
        equal(env.psql(unknown), "b|3", "what is left")
        page = client.get("/unknown?since=2020-01-01T00:00&before=2020-01-02T00:00")[1]
        assert "None like that." in words(page) and "do=all-sent" not in page, words(page)
        page = client.get("/unknown?since=2020-01-01T00:00&action=message")[1]
        place = re.search(r'href="(/act\?do=all-sent[^"]*)"', html.unescape(page))[1]
        equal(client.post(place, {"csrf": client.csrf(), "note": "all are in the outbox"})[0], 303, "of a time")
        equal(env.psql(unknown), "", "what is left")
        states = "SELECT state, count(*) FROM sendgate.send_operations GROUP BY 1 ORDER BY 1"
        equal(env.psql(states).splitlines(), ["delivered|3", "released|3"], "the journal")
        page = client.get("/alerts?kind=delivered_after_rollback")[1]
        place = re.search(r'href="(/act\?do=acknowledge-all[^"]*)"', html.unescape(page))[1]
        assert "Not seen yet 130" in words(client.get(place)[1])
        equal(client.post(place, {"csrf": client.csrf(), "note": "looked at all"})[0], 303, "alerts")
        assert "130 alerts are acknowledged." in words(client.get("/alerts")[1])
        equal(env.psql("SELECT count(*), min(kind) FROM sendgate.open_alerts"), "2|failing", "what is left")
    log = "SELECT verb, count(*) FROM sendgate.admin_log WHERE actor = 'ada' GROUP BY 1 ORDER BY 1"
    equal(env.psql(log).splitlines(), ["acknowledge_alert|130", "resolve_unresolved|2"], "the admin log")
