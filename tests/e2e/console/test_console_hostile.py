"""Requests that are not meant well, or mean nothing, and a database that does not answer."""

import html
import json
import re
import socket

from e2e.support import Stopwatch, equal, harmful, operation, provision, wait_for
from e2e.support.console_client import PAGES, TOKENS, Client, ConsoleDaemon, act_path, words

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
# A person waits no longer for a page that cannot come.
IMPATIENT_SECONDS = 4
UUID = "01985c1e-0c4a-7b7e-9d3a-5f2f0a6f4b11"
# Addresses that no page leads to, with what must be said of them.
SENSELESS = {
    "/account": 400,
    "/?q=a&q=b": 400,
    "/?q=%00": 400,
    "/account?id=a%00b": 400,
    "/events?account=%00": 400,
    "/events?campaign=%00": 400,
    f"/events?after=9999-99-99%2099:99:99.999999~{UUID}": 400,
    f"/alerts?after=0000-00-00%2000:00:00.000000~{UUID}": 400,
    f"/events?campaign=c&after=2025-02-31%2000:00:00.000000~{UUID}": 400,
    "/act": 400,
    "/act?do=drop": 404,
    "/act?do=clear": 404,
    "/act?do=clear&id=%00": 400,
    "/act?do=sent&id=a": 404,
    "/act?do=acknowledge": 404,
    "/sign-out": 405,
    "/?filter=nonsense": 400,
    "/?rank=9": 400,
    "/?rank=x&after=a": 400,
    "/?tier=%00": 400,
    "/prospect": 400,
    "/prospect?id=": 400,
    "/prospect?id=%00": 400,
    "/prospect?id=" + "%E4%BF%A1" * 129: 400,
    "/prospect?id=" + "%E4%BF%A1" * 128: 200,
    "/prospect?id=p&after=%00": 400,
    "/campaign": 400,
    "/campaign?id=" + "%E4%BF%A1" * 129: 400,
    "/campaign?id=" + "%E4%BF%A1" * 128: 200,
    "/campaigns?after=%00": 400,
    "/log?after=nowhere": 400,
    "/log?actor=%00": 400,
    f"/log?account=a&after=9999-99-99%2000:00:00.000000~{UUID}": 400,
    "/unknown?since=noon": 400,
    "/unknown?since=2026-02-30%2000:00": 400,
    "/unknown?since=2026-01-02%2000:00&before=2026-01-01%2000:00": 400,
    "/unknown?action=fly": 400,
    "/alerts?kind=%00": 400,
    "/act?do=suppress": 400,
    "/act?do=suppress&id=" + "%E4%BF%A1" * 129: 400,
    "/act?do=pause-campaign": 400,
    "/act?do=cap&id=nobody": 404,
    "/act?do=cap&id=a&item=fly": 404,
    "/act?do=pace&id=nobody": 404,
    "/act?do=requeue&id=c&item=inmail&account=a&prospect=p&step=0": 400,
    "/act?do=requeue&id=c&item=inmail&account=a&prospect=p&step=1": 404,
    "/act?do=all-sent": 404,
    "/act?do=all-sent&id=a&since=noon": 400,
    "/act?do=all-not-sent&since=2026-01-02%2000:00&before=2026-01-01%2000:00": 400,
    "/act?do=acknowledge-all&item=%27%20OR%20true": 404,
    "/nope": 404,
}
HEAD = b"HTTP/1.1\r\nHost: 127.0.0.1\r\n"
# What is no HTTP, or says two things at once; the status it gets, or None for a connection that just ends.
MALFORMED = {
    b"\x00\x01\x02\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200: 400,
    b"GET /\r\n\r\n": 400,
    b"GET / " + HEAD + b"X: a\nb\r\n\r\n": 400,
    b"GET / " + HEAD + b"X-" + b"y" * 20_000 + b": 1\r\n\r\n": 431,
    b"GET / " + HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n": 431,
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n": 421,
    b"POST /sign-in " + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde": 400,
    b"POST /sign-in " + HEAD + b"Content-Length: -5\r\n\r\nabcde": 400,
    # A server that trusts the length sees a second request in the first one's body.
    b"POST /sign-in "
    + HEAD
    + b"Content-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nX: y\r\n\r\n": 403,
    b"POST /sign-in " + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n": 403,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": None,
}


def test_malformed_http_gets_a_short_answer(env):
    with ConsoleDaemon(env) as daemon:
        assert daemon.ready()
        host, port = daemon.address().rsplit(":", 1)
        for request, status in MALFORMED.items():
            with socket.create_connection((host, int(port)), timeout=IMPATIENT_SECONDS) as connection:
                connection.sendall(request)
                answer = received(connection)
            found = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None
            equal(found, status, request[:60])
            equal(answer.count(b"HTTP/1.1 "), int(status is not None), f"answers to {request[:60]}")
            assert b"alive" not in answer, request[:60]
        equal(daemon.get("/healthz")[0], 200, "and on it goes")


def received(connection: socket.socket) -> bytes:
    """Everything until the other end has no more to say."""
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def test_a_long_form_is_refused_before_it_is_sent(env):
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        host, port = client.host.rsplit(":", 1)
        head = f"POST /sign-in HTTP/1.1\r\nHost: {client.host}\r\nOrigin: http://{client.host}\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9999999999\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=IMPATIENT_SECONDS) as connection:
            connection.sendall(head.encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_addresses_that_make_no_sense_get_a_page_that_says_so(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        for page, status in SENSELESS.items():
            found, text = client.get(page)
            equal(found, status, page)
            if status != 200:
                says_it_plainly(client, page, text)
        assert '<a class="button" href="/log">To its first page</a>' in client.get("/log?after=nowhere")[1], (
            "the way out"
        )
        for method, path, body, headers, status in (
            ("PUT", act_path("clear", "a"), "x", {}, 405),
            ("POST", "/", "x", {}, 405),
            ("POST", "/sign-in", "x=1", {}, 400),
            ("POST", "/sign-in", "token=a&token=b", {}, 400),
            ("POST", "/sign-in", "{}", {"Content-Type": "application/json"}, 415),
            ("POST", "/sign-in", "token=" + "x" * 100_000, {}, 413),
        ):
            found, text = client.send(method, path, body, headers)
            equal(found, status, f"{method} {path}")
            says_it_plainly(client, path, text)
        form = {"csrf": client.csrf(), "note": "a\0b"}
        equal(client.post(act_path("force-open", "a"), form)[0], 422, "a note that the database cannot keep")
        for text in ("%25", "_", "%5C", "%ff%fe", "x" * 5_000):
            found, page = client.get(f"/?q={text}")
            equal(found, 200, text[:10])
            assert "No account like that." in page, text[:10]
    equal(env.psql("SELECT breaker_mode FROM sendgate.accounts"), "auto", "the mode")


def says_it_plainly(client: Client, page: str, text: str) -> None:
    """It is one of the console's pages, with a way out, and speaks of no program."""
    equal(client.headers.get("content-type"), "text/html; charset=utf-8", page)
    said = words(text)
    assert "To the accounts" in said, f"{page}: {said}"
    assert not any(word in said for word in ("deserialize", "Content-Type", "invalid", "SQLSTATE", "(22")), (
        f"{page}: {said}"
    )


def test_wrong_bearer_tokens_are_counted(env):
    """By themselves: a scraper with an old token does not lock out who signs in from the same machine."""
    with ConsoleDaemon(env, listen="0.0.0.0:0", SENDGATED_LISTEN_ANYWHERE="true") as daemon:
        client = Client(daemon)
        client.host = client.host.replace("0.0.0.0", "127.0.0.1")
        right = {"Authorization": f"Bearer {TOKENS['ada']}"}
        for _ in range(20):
            equal(client.get("/metrics", **right)[0], 200, "the right one, as often as you like")
        for _ in range(20):
            equal(client.get("/metrics")[0], 401, "none is not a wrong one")
        for _ in range(10):
            equal(client.get("/metrics", Authorization="Bearer wrong")[0], 401, "a wrong one")
        equal(client.get("/metrics", Authorization="Bearer wrong")[0], 429, "too many")
        equal(client.get("/metrics", **right)[0], 429, "the right one, too late")
        equal(client.sign_in(), 303, "signing in")
        equal(client.get("/metrics")[0], 200, "metrics in a session")
        assert "wrong" not in daemon.out and "Bearer" not in daemon.out + daemon.err


def test_numbers_are_for_hosts_that_nobody_can_rebind(env):
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        equal(client.get("/metrics", Host="evil.example")[0], 421, "metrics")
        equal(client.get("/metrics", Host="localhost:1")[0], 200, "metrics")


def test_nobody_learns_where_the_database_is(env):
    """A client that may not see the console learns that it is away, and no more."""
    where = f"{env.cluster.host}:{env.cluster.port}"
    with (
        ConsoleDaemon(env, listen="0.0.0.0:0", SENDGATED_LISTEN_ANYWHERE="true") as reached,
        ConsoleDaemon(env) as local,
    ):
        client = Client(reached)
        client.host = client.host.replace("0.0.0.0", "127.0.0.1")
        wait_for(lambda: client.get("/readyz")[0] == 200 and local.ready(), "both to be ready")
        env.cluster.stop()
        try:
            _, text = wait_for(lambda: told(client.get("/readyz")), "it to notice")
            assert where not in text, text
            assert where in wait_for(lambda: told(local.get("/readyz")), "it to notice")[1]
        finally:
            env.cluster.start()


def told(answer: tuple[int, str]) -> tuple[int, str] | None:
    """The answer, once it says no."""
    return answer if answer[0] == 503 else None


def test_while_the_database_is_away_pages_say_so_and_then_go_on(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        form = {"csrf": client.csrf(), "note": "kept"}
        env.cluster.stop()
        try:
            for page in (*PAGES, "/account?id=a", act_path("clear", "a")):
                with Stopwatch() as watch:
                    status, text = client.get(page)
                equal(status, 503, page)
                assert "The database cannot be asked" in text, page
                assert watch.seconds < IMPATIENT_SECONDS, page
            status, text = client.post(act_path("force-open", "a"), form)
            equal(status, 503, "an act")
            assert "Nothing was changed" in words(text), words(text)
        finally:
            env.cluster.start()
        wait_for(lambda: client.get("/")[0] == 200, "pages to come back")
        assert "Signed in as ada" in words(client.get("/")[1]), "the session outlives it"
        equal(client.post(act_path("force-open", "a"), form)[0], 303, "the same form again")
    equal(env.psql("SELECT breaker_mode FROM sendgate.accounts"), "open", "the mode")


def test_a_locked_table_is_told_from_a_broken_database(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        equal(client.get("/")[0], 200, "before")
        holder = env.connect(autocommit=False)
        holder.execute("LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE")
        for page in ("/", "/account?id=a"):
            with Stopwatch() as watch:
                status, text = client.get(page)
            equal(status, 503, page)
            assert "Another session holds what this page reads" in text, words(text)
            assert watch.seconds < IMPATIENT_SECONDS, page
        status, text = client.get("/heartbeats")
        equal(status, 200, "a page that reads something else")
        assert "cannot say whether accounts are only observed" in text, words(text)
        holder.rollback()
        equal(client.get("/")[0], 200, "afterwards")


def test_no_log_ever_holds_a_secret(env):
    """However much is logged."""
    provision(env)
    with ConsoleDaemon(env, SENDGATED_LOG="trace") as daemon:
        client = Client(daemon)
        client.sign_in()
        csrf = client.csrf()
        for token in ("wrong-token-of-somebody", TOKENS["grace"][:-1]):
            equal(client.sign_in(token), 403, token)
        client.get("/metrics", Authorization=f"Bearer {TOKENS['grace']}")
        client.get("/?q=" + "x" * 20_000)
        equal(client.act("force-open", "a")[0], 303, "an act")
        wait_for(lambda: "an operator acted" in daemon.err, "the log")
        said = daemon.out + daemon.err
    secrets = (*TOKENS.values(), "wrong-token", TOKENS["grace"][:-1], client.cookie.split("=")[1], csrf)
    for secret in secrets:
        assert secret not in said, f"{secret} is in the log"
    acted = [line for line in said.splitlines() if "an operator acted" in line]
    equal([json.loads(line)["operator"] for line in acted], ["ada"], "who acted")


def test_a_log_on_a_terminal_does_nothing_to_it(env):
    """Ids and names of other people stand in it, each line is one line, and JSON says what they are."""
    evil = "a\x1b[31m\x9b2J\u202egnp\u2066\u200b\n"
    env.connect().execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (evil,))
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        equal(client.act("force-open", evil)[0], 303, "an act")
        wait_for(lambda: "an operator acted" in daemon.err, "the log")
        equal(harmful(daemon.err), set(), "what a terminal obeys")
        acted = [line["account"] for line in daemon.log() if line["message"] == "an operator acted"]
        equal(acted, [evil], "the account")


def test_what_stands_in_the_way_is_told_with_the_button_that_helps(env):
    """The words of why, also for a stranger, who gets no button."""
    provision(env)
    env.psql("SELECT sendgate.upsert_account('b', 'sales_navigator'), sendgate.upsert_account('c', 'sales_navigator')")
    with ConsoleDaemon(env) as daemon:
        client, stranger = Client(daemon), Client(daemon)
        client.sign_in()
        for sql, button in (
            ("SELECT sendgate.breaker_arm('a', 'test <1>')", "Grant a probe"),
            ("SELECT sendgate.breaker_probe('a', 'test <2>')", None),
            ("SELECT sendgate.breaker_force('a', 'open', 'test <3>')", "Back to automatic"),
            ("SELECT sendgate.set_status('a', 'paused', 'test <4>')", "It may send again"),
            ("SELECT sendgate.pause_all('test <5>')", "Resume everything"),
        ):
            env.psql(sql)
            page, strange = client.get("/account?id=a")[1], stranger.get("/account?id=a")[1]
            told = env.psql("SELECT advice FROM sendgate.why('a', 'inmail')")
            note = sql.split("'")[-2]
            for text in (words(page), words(strange)):
                assert told in text, f"{told} is not in {text}"
                assert note in text, f"{note} is not in {text}"
            causes = page[page.index('class="cause') : page.index('id="now"')]
            equal(re.findall(r'class="button" href="[^"]+">([^<]+)<', causes), [button] if button else [], sql)
            assert 'class="button" href="/act' not in strange, "a stranger may press something"
        env.psql(f"SELECT sendgate.resume_all(); SELECT sendgate.reserve('b', 'inmail', 'p', NULL, '{operation(1)}')")
        env.psql(f"SELECT sendgate.rollback('b', '{operation(1)}', 'slow down', NULL, 429)")
        page = client.get("/account?id=b")[1]
        assert "cools down" in words(page)
        # What protects the account and lets go by itself has a quiet one; a copy, which no page adopts, has none.
        equal(helps(page), [("quiet", "/act?do=cooldown&id=b", "End the cooldown")], "a cooldown")
        env.psql("SELECT sendgate.set_cap('c', 'invite', 0)")
        page = client.get("/account?id=c")[1]
        equal(helps(page), [("quiet", "/act?do=cap&id=c&item=invite", "Set a cap")], "a cap")
        equal(client.get("/act?do=cap&id=c&item=invite")[0], 200, "where it leads")
        # Who has to sign in at the provider first does not press this first.
        env.psql("SELECT sendgate.upsert_account('d', 'sales_navigator')")
        env.psql(f"SELECT sendgate.reserve('d', 'invite', 'p', NULL, '{operation(2)}')")
        env.psql(f"SELECT sendgate.rollback('d', '{operation(2)}', 'sign in again', NULL, 401)")
        page = client.get("/account?id=d")[1]
        equal(helps(page), [("quiet", "/act?do=connect&id=d", "It may send again")], "a lost login")
        env.psql("UPDATE sendgate.home_database SET database_oid = 1")
        page = client.get("/account?id=c")[1]
        assert "call adopt_database(note)" in words(page), words(page)
        equal(helps(page), [], "a copy")


def helps(page: str) -> list[tuple[str, str, str]]:
    """The buttons in the causes of an account's page: loud or quiet, where they lead, what they say."""
    causes = page[page.index('class="cause') : page.index('class="row acts"')]
    found = re.findall(r'<a class="button( quiet)?" href="([^"]+)">([^<]+)</a>', causes)
    return [(quiet.strip(), html.unescape(place), label) for quiet, place, label in found]
