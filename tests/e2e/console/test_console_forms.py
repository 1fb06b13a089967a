"""Forms that are sent twice, too late, while an account is held, or by an operator who closed the page."""

import re
import socket
import threading
from urllib.parse import urlencode

from e2e.support import Stopwatch, at_once, equal, provision, wait_for
from e2e.support.console_client import TOKENS, Client, ConsoleDaemon, act_path, words

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
# A person does not notice the wait for a page that comes within this time.
QUICK_SECONDS = 2
ACTS = "SELECT count(*) FROM sendgate.admin_log WHERE verb = '{}'"
HOLD = "SELECT FROM sendgate.accounts WHERE id = 'a' FOR UPDATE"


def form_of(client: Client, path: str, note: str = "because") -> dict[str, str]:
    """What the page's form sends."""
    text = client.get(path)[1]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text.split("<main")[1]))
    assert {"csrf", "form"} <= set(hidden), text
    return hidden | {"note": note}


def test_a_held_account_holds_up_its_own_act_alone(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client, other = Client(daemon), Client(daemon)
        client.sign_in()
        other.sign_in(TOKENS["grace"])
        env.psql("SELECT sendgate.upsert_account('b', 'sales_navigator')")
        path = act_path("force-open", "a")
        form = form_of(client, path, "kept for the next try")
        holder = env.connect(autocommit=False)
        holder.execute(HOLD)
        answers: list = []
        act = threading.Thread(target=lambda: answers.append(client.post(path, form)), daemon=True)
        act.start()
        wait_for(lambda: is_waited_for(env, holder), "the act to wait for the account")
        slowest = 0.0
        while act.is_alive():
            for page in ("/", "/account?id=a", "/heartbeats"):
                with Stopwatch() as watch:
                    equal(other.get(page)[0], 200, page)
                slowest = max(slowest, watch.seconds)
            with Stopwatch() as watch:
                equal(other.act("force-open", "b")[0], 303, "another account's act")
            slowest = max(slowest, watch.seconds)
        assert slowest < QUICK_SECONDS, f"an act on another account waited {slowest:.1f} s"
        status, text = answers[0]
        equal(status, 409, "the act")
        said = words(text)
        assert "is held by another session" in said and "Nothing was changed" in said, said
        assert 'value="kept for the next try"' in text, "the note"
        holder.rollback()
        equal(client.post(path, form)[0], 303, "the next try")
    equal(env.psql("SELECT breaker_mode FROM sendgate.accounts WHERE id = 'a'"), "open", "the mode")


def test_an_act_waits_for_an_account_that_is_held_for_a_moment(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        path = act_path("force-open", "a")
        form = form_of(client, path)
        holder = env.connect(autocommit=False)
        holder.execute(HOLD)
        answers: list = []
        act = threading.Thread(target=lambda: answers.append(client.post(path, form)), daemon=True)
        act.start()
        wait_for(lambda: is_waited_for(env, holder), "the act to wait for the account")
        holder.rollback()
        act.join()
    equal(answers[0][0], 303, "the act")
    equal(env.psql(ACTS.format("breaker_force")), "1", "acts")


def is_waited_for(env, holder) -> bool:
    """Whether a session waits for a lock that this connection holds."""
    pid = holder.info.backend_pid
    return env.psql(f"SELECT count(*) > 0 FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))") == "t"


def test_a_form_that_is_sent_twice_acts_once(env):
    """A second click, the way back, or a browser that repeats by itself: the first one's success is told."""
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        path = act_path("probe", "a")
        form = form_of(client, path)
        answers = at_once(4, lambda _: client.send("POST", path, urlencode(form))[0])
        equal(answers, [303] * 4, "answers")
        assert "A probe is granted" in client.get("/account?id=a")[1], "the notice"
        equal(client.post(path, form)[0], 303, "the way back")
        equal(env.psql(ACTS.format("breaker_probe")), "1", "probes")
        # A new form is a new act, and so is another session's.
        equal(client.post(path, form_of(client, path))[0], 409, "another probe")
        grace = Client(daemon)
        grace.sign_in(TOKENS["grace"])
        equal(grace.post(path, form | {"csrf": grace.csrf()})[0], 409, "grace's")


def test_what_somebody_asked_for_is_done_although_they_went_away(env):
    """It is logged as well: the operator asked for it, and the database may have done it already."""
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        path = act_path("force-open", "a")
        body = urlencode(form_of(client, path))
        holder = env.connect(autocommit=False)
        holder.execute(HOLD)
        host, port = client.host.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: {client.host}\r\nOrigin: http://{client.host}\r\nCookie: {client.cookie}\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            wait_for(lambda: is_waited_for(env, holder), "the act to wait for the account")
        holder.rollback()
        wait_for(lambda: "an operator acted" in daemon.err, "the act")
        assert "InMails of a are stopped." in client.get("/")[1], "the notice"
    equal(env.psql(ACTS.format("breaker_force")), "1", "acts")


def test_a_session_that_ended_over_a_form_leads_back_to_it(env):
    provision(env)
    with ConsoleDaemon(env, SENDGATED_SESSION_IDLE_SECONDS="2") as daemon:
        client = Client(daemon)
        client.sign_in()
        path = act_path("force-open", "a")
        form = form_of(client, path)
        wait_for(lambda: "Signed in" not in client.get("/", **{"X-Refresh": "1"})[1], "the session to end")
        status, text = client.post(path, form)
        equal(status, 403, "the form")
        link = re.search(r'href="(/sign-in\?next=[^"]*)"', text.split("<main")[1])
        assert link, text
        page = client.get(link[1].replace("&amp;", "&"))[1]
        aim = re.search(r'name="next" value="([^"]*)"', page)[1].replace("&#38;", "&").replace("&amp;", "&")
        equal(aim, path, "where it leads")
        equal(client.post("/sign-in", {"token": TOKENS["ada"], "next": aim})[0], 303, "signing in again")
        equal(client.headers["location"], aim, "and back")
        client.cookie = client.headers["set-cookie"].split(";")[0]
        equal(client.post(path, form)[0], 403, "an old session's form")
        equal(client.post(path, form_of(client, aim))[0], 303, "this session's")
    equal(env.psql(ACTS.format("breaker_force")), "1", "acts")


def test_two_consoles_of_one_host_do_not_sign_each_other_out(env):
    """Browsers keep one set of cookies for all ports of a host."""
    with ConsoleDaemon(env) as one, ConsoleDaemon(env) as two:
        first, second = Client(one), Client(two)
        first.sign_in()
        second.sign_in(TOKENS["grace"])
        names = [client.cookie.split("=")[0] for client in (first, second)]
        assert names[0] != names[1], names
        both = f"{first.cookie}; {second.cookie}"
        first.cookie = second.cookie = both
        assert "Signed in as ada" in words(first.get("/")[1])
        assert "Signed in as grace" in words(second.get("/")[1])


def test_signing_in_anew_ends_the_session_before(env):
    """And a planted cookie of the same name does not hide it."""
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        before = client.cookie
        client.sign_in(TOKENS["grace"])
        assert client.cookie != before
        old = Client(daemon)
        old.cookie = before
        assert "Signed in" not in words(old.get("/")[1])
        name = client.cookie.split("=")[0]
        client.cookie = f"{name}={'0' * 64}; {client.cookie}"
        assert "Signed in as grace" in words(client.get("/")[1])
