"""Who is let in to the console, and who is not."""

import re
import socket
from pathlib import Path

from e2e.support import Stopwatch, equal, provision, wait_for
from e2e.support.console_client import PAGES, TOKENS, Client, ConsoleDaemon, act_path, tokens_file, words
from e2e.support.daemon_process import Daemon, run

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
EXHAUSTED = "SELECT sendgate.breaker_arm('a', 'test')"
STAMP = "SELECT inmail_credits_exhausted_at IS NOT NULL FROM sendgate.accounts WHERE id = 'a'"


def test_without_tokens_it_is_read_only(env):
    provision(env)
    env.psql(EXHAUSTED)
    with Daemon(env) as daemon:
        client = Client(daemon)
        for page in (*PAGES, "/account?id=a"):
            status, text = client.get(page)
            equal(status, 200, page)
            assert "Sign in" not in text and "/act" not in text, page
        assert "Read-only" in text
        assert "without --tokens-file" in words(client.get("/sign-in")[1])
        equal(client.sign_in(), 403, "signing in")
        equal(client.post(act_path("clear", "a"), {"note": "n"})[0], 403, "an act")
    equal(env.psql(STAMP), "t", "the stamp")


def test_wrong_tokens_are_refused_and_counted(env):
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        for token in ("", "ada", TOKENS["ada"][:-1], TOKENS["ada"].upper(), TOKENS["ada"] + TOKENS["ada"]):
            equal(client.sign_in(token), 403, token)
        assert not client.cookie
        equal(client.sign_in(), 303, "the right one")
        for _ in range(5):
            equal(client.sign_in("wrong"), 403, "one more")
        equal(client.sign_in("wrong"), 429, "too many")
        equal(client.sign_in(), 429, "the right one, too late")
        said = daemon.out + daemon.err
        assert not any(token in said for token in TOKENS.values()), said
        assert '"operator":"ada"' in said, said


def test_the_session_is_a_cookie_that_no_script_and_no_other_site_gets(env):
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        equal(client.sign_in(), 303, "signing in")
        cookie = client.headers["set-cookie"]
        port = client.host.rsplit(":", 1)[1]
        assert re.fullmatch(rf"sendgate_session_{port}=[0-9a-f]{{64}}; Path=/; HttpOnly; SameSite=Strict", cookie), (
            cookie
        )
        assert "Signed in as ada" in words(client.get("/")[1])
        proxied = {"Host": "127.0.0.1", "Origin": "https://127.0.0.1"}
        client.post("/sign-in", {"token": TOKENS["ada"]}, **proxied)
        assert client.headers["set-cookie"].endswith("; Secure"), client.headers["set-cookie"]
        stranger = Client(daemon)
        stranger.cookie = f"sendgate_session_{port}=" + "0" * 64
        assert "Signed in" not in words(stranger.get("/")[1])


def test_forms_need_their_token_and_their_origin(env):
    provision(env)
    env.psql(EXHAUSTED)
    with ConsoleDaemon(env) as daemon:
        client, other = Client(daemon), Client(daemon)
        client.sign_in()
        other.sign_in(TOKENS["grace"])
        path, form = act_path("clear", "a"), {"csrf": client.csrf(), "note": "n"}
        equal(client.post(path, {"note": "n"})[0], 403, "no token")
        equal(client.post(path, form | {"csrf": "0" * 64})[0], 403, "a wrong token")
        equal(client.post(path, form | {"csrf": other.csrf()})[0], 403, "another session's token")
        for origin in ("http://evil.example", "null", f"http://{client.host}.evil.example", None):
            equal(client.post(path, form, Origin=origin)[0], 403, f"origin {origin}")
            equal(client.post("/sign-in", {"token": TOKENS["ada"]}, Origin=origin)[0], 403, f"sign in from {origin}")
            equal(client.post("/sign-out", form, Origin=origin)[0], 403, f"sign out from {origin}")
        equal(client.get(path + "&note=n&csrf=" + form["csrf"])[0], 200, "a link only asks")
        equal(client.post("/sign-out", {"csrf": "x"})[0], 403, "signing out without a token")
        equal(env.psql(STAMP), "t", "the stamp")
        equal(client.post(path, form | {"note": " "})[0], 422, "no note")
        equal(env.psql(STAMP), "t", "the stamp")
        equal(client.post(path, form)[0], 303, "all as it should be")
        equal(env.psql(STAMP), "f", "the stamp")


def test_hosts_that_could_be_rebound_are_refused(env):
    with ConsoleDaemon(env, SENDGATED_CONSOLE_HOSTS="console.example.org") as daemon:
        client = Client(daemon)
        port = client.host.rsplit(":", 1)[1]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost:9999", "[::1]", "console.example.org"):
            equal(client.get("/", Host=host)[0], 200, host)
        for host in (f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            equal(client.get("/", Host=host)[0], 421, host)
            equal(client.post("/sign-in", {"token": TOKENS["ada"]}, Host=host)[0], 421, host)
        equal(client.get("/healthz", Host="any.example")[0], 200, "health has no secrets")


def test_sessions_end(env):
    provision(env)
    env.psql(EXHAUSTED)
    with ConsoleDaemon(env, SENDGATED_SESSION_IDLE_SECONDS="2") as daemon:
        client = Client(daemon)
        client.sign_in()
        form = {"csrf": client.csrf(), "note": "n"}
        # Pages that ask by themselves do not keep it.
        wait_for(lambda: "Signed in" not in client.get("/", **{"X-Refresh": "1"})[1], "the session to end")
        status, text = client.post(act_path("clear", "a"), form)
        equal(status, 403, "an act of an ended session")
        assert "Your session has ended" in text
        equal(env.psql(STAMP), "t", "the stamp")
        client.sign_in()
        form = {"csrf": client.csrf(), "note": "n"}
        kept = client.cookie
        equal(client.post("/sign-out", form)[0], 303, "signing out")
        assert "Max-Age=0" in client.headers["set-cookie"]
        client.cookie = kept
        equal(client.post(act_path("clear", "a"), form)[0], 403, "an act after signing out")
        equal(env.psql(STAMP), "t", "the stamp")


def test_every_answer_is_locked_down(env):
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        pages = (
            *PAGES,
            "/account?id=a",
            "/account?id=b",
            "/nope",
            "/sign-in",
            act_path("clear", "a"),
            "/assets/console.js",
        )
        for page in pages:
            _, text = client.get(page)
            policy = client.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), page
            assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
            equal(client.headers["cache-control"], "no-store", page)
            equal(client.headers["x-content-type-options"], "nosniff", page)
            equal(client.headers["x-frame-options"], "DENY", page)
            equal(client.headers["referrer-policy"], "same-origin", page)
            if not page.startswith("/assets"):
                assert not re.search(r"<[^>]+\son\w+=|<style|\sstyle=|javascript:", text), page
                assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text), page
                equal(
                    re.findall(r"<script[^>]*>[^<]*", text),
                    re.findall(r'<script src="/assets/console.js" defer>', text),
                    page,
                )


def test_it_can_be_closed(env):
    provision(env)
    with ConsoleDaemon(env, SENDGATED_CONSOLE="signed-in") as daemon:
        client = Client(daemon)
        for page in (*PAGES, "/account?id=a", act_path("clear", "a"), "/nope"):
            equal(client.get(page)[0], 303, page)
            assert client.headers["location"].startswith("/sign-in?next=%2F"), client.headers
        equal(client.get("/assets/console.css")[0], 200, "the sign-in page's looks")
        equal(client.get("/metrics")[0], 200, "metrics on loopback")
        client.sign_in()
        equal(client.get("/account?id=a")[0], 200, "a page")
    with ConsoleDaemon(env, SENDGATED_CONSOLE="off") as daemon:
        client = Client(daemon)
        assert "/metrics" in client.get("/")[1]
        for page in (*PAGES[1:], "/sign-in", "/account?id=a"):
            equal(client.get(page)[0], 404, page)
    refused = run(env, "run", "--listen=127.0.0.1:0", SENDGATED_CONSOLE="signed-in")
    equal(refused.returncode, 2, "closed to everybody")
    assert "--tokens-file" in refused.stderr, refused.stderr


def test_other_machines_see_nothing_but_health_without_a_token(env):
    refused = run(env, "run", "--listen=0.0.0.0:0", "--listen-anywhere")
    equal(refused.returncode, 2, "no tokens")
    assert "--tokens-file" in refused.stderr, refused.stderr
    with ConsoleDaemon(env, listen="0.0.0.0:0", SENDGATED_LISTEN_ANYWHERE="true") as daemon:
        client = Client(daemon)
        client.host = client.host.replace("0.0.0.0", "127.0.0.1")
        equal(client.get("/healthz")[0], 200, "healthz")
        equal(client.get("/readyz")[0], 200, "readyz")
        for page in (*PAGES, "/account?id=a"):
            equal(client.get(page)[0], 303, page)
        equal(client.get("/metrics")[0], 401, "metrics")
        equal(client.get("/metrics", Authorization="Bearer wrong")[0], 401, "metrics with a wrong token")
        equal(client.get("/metrics", Authorization=f"Bearer {TOKENS['ada']}")[0], 200, "metrics with a token")
        client.sign_in()
        equal(client.get("/")[0], 200, "the accounts")
        equal(client.get("/metrics")[0], 200, "metrics")


def test_a_tokens_file_has_to_be_what_it_should_be(env):
    directory = env.cluster.datadir.parent
    file = Path(directory, f"{env.dbname}.tokens.toml")
    try:
        for text, mode in (
            (tokens_file(TOKENS), 0o640),
            (tokens_file(TOKENS), 0o604),
            (tokens_file({"ada": "geheim"}), 0o600),
            (tokens_file({"ada": "geheim" * 5, "grace": "geheim" * 5}), 0o600),
            ("ada:geheimgeheimgeheimgeheim", 0o600),
            ("", 0o600),
        ):
            file.write_text(text)
            file.chmod(mode)
            done = run(env, "run", "--listen=127.0.0.1:0", "--tokens-file", file)
            equal(done.returncode, 2, text)
            assert "tokens file" in done.stderr and "geheim" not in done.stderr, done.stderr
            assert not any(token in done.stderr for token in TOKENS.values()), done.stderr
    finally:
        file.unlink()


def test_without_the_grant_there_is_no_button(env):
    provision(env)
    env.psql(EXHAUSTED)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        assert "Grant a probe" in client.get("/account?id=a")[1]
        env.psql("REVOKE EXECUTE ON FUNCTION sendgate.breaker_probe(text, text) FROM sendgate_daemon")
        text = client.get("/account?id=a")[1]
        assert "Grant a probe" not in text and "Reset credit-exhausted state" in text
        status, text = client.get(act_path("probe", "a"))
        equal(status, 403, "asked for all the same")
        assert "may not call sendgate.breaker_probe" in text
        equal(client.act("probe", "a")[0], 403, "done all the same")
    equal(env.psql("SELECT probe_lease_until FROM sendgate.accounts"), "", "a probe")


def test_a_token_for_reading_changes_nothing(env):
    """It sees the pages and the metrics; there is no button, and an act is refused."""
    provision(env)
    env.psql(EXHAUSTED)
    secret = "a scraper's very own token"
    with ConsoleDaemon(env, tokens=TOKENS | {"prometheus": (secret, "read")}) as daemon:
        client = Client(daemon)
        client.sign_in(secret)
        text = client.get("/account?id=a")[1]
        assert "Signed in as" in text and "to read" in text and 'href="/act' not in text, text
        equal(client.get("/metrics", Authorization=f"Bearer {secret}")[0], 200, "metrics")
        status, text = client.get(act_path("clear", "a"))
        equal(status, 403, "the form")
        assert "change nothing" in text, text
        equal(client.act("clear", "a")[0], 403, "the act")
        ada = Client(daemon)
        ada.sign_in()
        equal(ada.act("clear", "a")[0], 303, "of one who may")
    equal(env.psql("SELECT actor FROM sendgate.admin_log WHERE verb = 'breaker_clear'"), "ada", "who did it")


def test_clients_that_hold_connections_do_not_keep_others_out(env):
    """There are places for 64; who does not send a request loses theirs within seconds."""
    with ConsoleDaemon(env) as daemon:
        assert daemon.ready()
        host, port = daemon.address().rsplit(":", 1)
        silent = [socket.create_connection((host, int(port))) for _ in range(70)]
        try:
            silent[0].sendall(b"GET / HTTP/1.1\r\nHost: ")
            with Stopwatch() as watch:
                equal(daemon.get("/healthz")[0], 200, "healthz")
            assert watch.seconds < 18, "it took too long"
        finally:
            for connection in silent:
                connection.close()
        client = Client(daemon)
        client.sign_in()
        equal(client.post("/sign-out", {"csrf": "x" * 100_000})[0], 413, "a form that is too long")
        equal(client.get("/" + "x" * 100_000)[0], 431, "an address that is too long")
        equal(client.get("/")[0], 200, "and on it goes")


def test_memory_stays_small_however_many_pages_are_asked_for(env):
    provision(env)
    env.psql("SELECT sendgate.upsert_account('b' || n, 'recruiter') FROM generate_series(1, 200) n")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        for _ in range(100):
            for page in ("/", "/account?id=a", "/events", "/alerts", "/heartbeats"):
                equal(client.get(page)[0], 200, page)
        sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{daemon.user}'"
        assert int(env.psql(sessions)) <= 4, "more than four connections"
        memory = daemon.metrics()["process_resident_memory_bytes"]
    assert memory < 30 * 1024 * 1024, f"{memory / 1024 / 1024:.1f} MiB"
