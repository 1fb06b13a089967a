"""Notifications: each committed event is posted to each webhook that wants it, whatever other receivers do."""

import json
import re
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

from e2e.daemon.test_daemon_tls import authority
from e2e.support import equal, wait_for
from e2e.support.console_client import Client, ConsoleDaemon
from e2e.support.daemon_process import STOP_SECONDS_MAX, Daemon, daemon_login, run
from e2e.support.receiver import SECRET, Post, Receiver

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
ACCOUNTS = [f"a{n}" for n in range(5)]
ALL = ["alert_opened", "alert_resolved", "breaker_set", "breaker_clear", "cooldown_set"]
# Short enough for a test, long enough for an answer of a busy machine.
QUICK = "retry_seconds = 0.05\ntimeout_seconds = 5"


@contextmanager
def configuration(*entries: str):
    """A daemon's file with these webhooks, and the file of their secret, which each gets."""
    with tempfile.TemporaryDirectory(prefix="sendgate-hooks-") as directory:
        secret = Path(directory) / "secret"
        secret.write_text(f"whsec_{SECRET}\n")
        secret.chmod(0o600)
        file = Path(directory) / "sendgated.toml"
        file.write_text("".join(f"[[webhook]]\nsecret_file = '{secret}'\n{entry}\n\n" for entry in entries))
        yield str(file)


def entry(name: str, url: str, events=("breaker_set", "breaker_clear"), more: str = QUICK) -> str:
    """An entry of the file."""
    return f"name = '{name}'\nurl = '{url}'\nevents = {list(events)!r}\n{more}"


def registered(env, *names: str) -> None:
    """Wait until the daemon has told the database of its webhooks."""
    query = "SELECT count(*) FROM sendgate.webhooks WHERE name = ANY (ARRAY[{}])"
    names_sql = ", ".join(f"'{name}'" for name in names)
    wait_for(lambda: env.psql(query.format(names_sql)) == str(len(names)), "the webhooks to be registered")


def accounts(env) -> None:
    """Some accounts."""
    env.psql(f"SELECT sendgate.upsert_account(id, 'sales_navigator') FROM unnest(ARRAY{ACCOUNTS!r}) id")


def changes(env, turns: int, start: int = 0) -> list[str]:
    """Sets and clears every breaker so often; the notes of each account's events, in order."""
    notes = []
    for turn in range(start, start + turns):
        verb = "arm" if turn % 2 == 0 else "clear"
        env.psql(f"SELECT sendgate.breaker_{verb}(id, 'turn {turn}') FROM sendgate.accounts")
        notes.append(f"turn {turn}")
    return notes


def waits(env, webhook: str) -> int:
    """How many events wait."""
    return int(env.psql(f"SELECT count(*) FROM sendgate.webhook_outbox WHERE webhook = '{webhook}'"))


def in_order(posts: list[Post], notes: list[str]) -> None:
    """Each account's events came once, in order, each under an id of its own."""
    for account in ACCOUNTS:
        equal([post.note for post in posts if post.account == account], notes, f"events of {account}")
    equal(len({post.id for post in posts}), len(posts), "ids")


def test_bad_receivers_delay_no_other(env):
    """One daemon, a receiver that takes everything, and others that are dead, hang, fail, redirect or come back."""
    accounts(env)

    def answer(path: str, before: int):
        if path == "/hang":
            receiver.released.wait(120)
        # The first attempt of each event fails.
        return {"/redirect": (307, {"location": "/stolen"}), "/flaky": 200 if before else 503}.get(path, 204)

    with Receiver() as closed:
        dead_port = closed.port
    with Receiver(answer) as receiver:
        here = f"http://127.0.0.1:{receiver.port}"
        hooks = (
            entry("good", f"{here}/good?token=geheim", ALL),
            entry("chat", f"{here}/chat", ["breaker_set", "alert_opened"], f"format = 'slack'\n{QUICK}"),
            entry("flaky", f"{here}/flaky"),
            entry("dead", f"http://127.0.0.1:{dead_port}/x"),
            entry("hang", f"{here}/hang", more="timeout_seconds = 30"),
            entry("redirect", f"{here}/redirect"),
        )
        with configuration(*hooks) as file, ConsoleDaemon(env, SENDGATED_CONFIG=file) as daemon:
            registered(env, "good", "chat", "flaky", "dead", "hang", "redirect")
            with env.connect(autocommit=False) as undone:
                undone.execute("SELECT sendgate.breaker_arm('a0', 'undone')")
                undone.rollback()
            notes = changes(env, 4)
            wait_for(lambda: waits(env, "good") == 0 and waits(env, "flaky") == 0, "the good receivers to be told")
            good = receiver.taken("/good?token=geheim")
            in_order(good, notes)
            for post in receiver.posts:
                post.verify()
            # The one that fails now and then was asked again under the same id, and missed nothing.
            flaky = receiver.taken("/flaky")
            in_order(flaky, notes)
            tried = [post.id for post in receiver.posts if post.path == "/flaky"]
            assert len(tried) > len(flaky) and {*tried} == {post.id for post in flaky}, tried
            equal({post.id for post in good}, {post.id for post in flaky}, "ids at both webhooks")
            # Nothing was lost for those that take nothing, and no redirect was followed.
            equal([waits(env, name) for name in ("dead", "hang", "redirect")], [4 * len(ACCOUNTS)] * 3, "what waits")
            equal(receiver.began("/stolen"), 0, "requests to where the redirect leads")
            what_is_posted(env, receiver, good)
            what_is_told_of_them(env, daemon, file)
            # Nothing of a pause: notifications go on.
            env.psql("SELECT sendgate.pause_all('an audit')")
            notes += changes(env, 1, 4)
            wait_for(lambda: len(receiver.taken("/good?token=geheim")) >= 5 * len(ACCOUNTS), "events while paused")
            # A receiver that comes back is told everything, in order.
            with Receiver(port=dead_port) as back:
                wait_for(lambda: waits(env, "dead") == 0, "the receiver that came back")
                in_order(back.taken("/x"), notes)
            assert receiver.began("/hang") >= len(ACCOUNTS) and not receiver.taken("/hang"), "the receiver that hangs"
            status, seconds = daemon.stop()
            equal((status, seconds < STOP_SECONDS_MAX), (0, True), f"the end, after {seconds} s")
            for secret in ("geheim", SECRET, "whsec"):
                assert secret not in daemon.err, f"{secret} is in the log"


def what_is_posted(env, receiver: Receiver, good: list[Post]) -> None:
    """The body is the event, and a chat gets a sentence."""
    logged = env.psql(
        """SELECT id, reason, actor, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           FROM sendgate.breaker_log WHERE account_id = 'a0' ORDER BY id LIMIT 1"""
    )
    body = next(post.body for post in good if post.account == "a0")
    equal(body["type"], "breaker_set", "type")
    equal("|".join([*(body["data"][key] for key in ("id", "reason", "actor")), body["timestamp"]]), logged, "as logged")
    chat = wait_for(lambda: receiver.taken("/chat"), "a sentence")
    equal(list(chat[0].body), ["text"], "keys")
    assert re.fullmatch(r"InMails of a\d are stopped: manual\. turn 0 \(\w+\)", chat[0].body["text"]), chat[0].text


def what_is_told_of_them(env, daemon: Daemon, file: str) -> None:
    """Metrics, `status` and `doctor` name those that fail, by their names alone."""

    def known() -> bool:
        wanted = (
            "SELECT count(*) FROM sendgate.webhooks WHERE failing_since IS NOT NULL AND name IN ('dead', 'redirect')"
        )
        return env.psql(wanted) == "2"

    wait_for(known, "the failures to be known")
    metrics = daemon.metrics()
    equal(metrics['sendgate_notifications_waiting{webhook="good"}'], 0, "what waits")
    equal(metrics['sendgate_notifications_waiting{webhook="dead"}'], 4 * len(ACCOUNTS), "what waits")
    assert metrics['sendgate_webhook_failing_seconds{webhook="dead"}'] > 0, metrics
    equal(metrics['sendgate_webhook_failing_seconds{webhook="good"}'], 0, "seconds of failing")
    assert metrics['sendgate_notification_age_seconds{webhook="dead"}'] > 0, metrics
    equal(metrics['sendgate_notification_age_seconds{webhook="good"}'], 0, "the oldest that waits")
    equal(metrics['sendgate_notifications_total{webhook="good",outcome="posted"}'], 4 * len(ACCOUNTS), "posted")
    assert metrics['sendgate_notifications_total{webhook="redirect",outcome="failed"}'] > 0, metrics
    status = run(env, "status").stdout
    assert "webhook dead has taken nothing since" in status and "cannot connect" in status, status
    assert "webhook redirect has taken nothing since" in status and "no redirect is followed" in status, status
    assert "webhook good" not in status, status
    found = {line["name"]: line for line in json.loads(run(env, "status", "--json").stdout)["webhooks"]}
    equal((found["dead"]["waiting"], found["good"]["failing_since"]), (4 * len(ACCOUNTS), None), "status --json")
    doctor = run(env, "doctor", "--config", file)
    equal(doctor.returncode, 1, "doctor")
    assert "BAD   webhook dead has taken nothing" in doctor.stdout, doctor.stdout
    assert "ok    webhook good: nothing waits" in doctor.stdout, doctor.stdout
    for secret in ("geheim", SECRET):
        assert secret not in status + doctor.stdout + str(metrics), "a secret is shown"


def test_a_killed_daemon_posts_again_with_the_same_id(env):
    accounts(env)
    with Receiver(lambda _path, _before: receiver.released.wait(60) and 204) as receiver:
        hook = entry("ops", f"http://127.0.0.1:{receiver.port}/x", more="timeout_seconds = 30")
        login = daemon_login(env)
        with configuration(hook) as file:
            with Daemon(env, login, SENDGATED_CONFIG=file) as daemon:
                registered(env, "ops")
                env.psql("SELECT sendgate.breaker_arm('a0', 'first'), sendgate.breaker_clear('a0', 'second')")
                wait_for(lambda: receiver.began("/x") == 1, "a post")
                daemon.stop(signal.SIGKILL)
            receiver.released.set()
            lost = wait_for(lambda: receiver.taken("/x"), "the post to be answered")
            equal([post.note for post in lost], ["first"], "what the killed daemon posted")
            # It may still be under way for all that the database knows. Its loan ends by itself.
            with Daemon(env, login, SENDGATED_CONFIG=file) as daemon:
                wait_for(daemon.ready, "the next daemon")
                env.psql("SELECT sendgate.breaker_arm('a1', 'other')")
                wait_for(lambda: len(receiver.taken("/x")) == 2, "an event of another account")
                env.cluster.configure(sendgate__clock_offset="3 minutes")
                wait_for(lambda: waits(env, "ops") == 0, "the rest")
        posts = receiver.taken("/x")
        equal([post.note for post in posts], ["first", "other", "first", "second"], "posts")
        equal([post.id == posts[0].id for post in posts], [True, False, True, False], "which have the first one's id")


def test_two_daemons_post_each_event_once_and_in_order(env):
    accounts(env)
    login = daemon_login(env)
    with Receiver() as receiver, configuration(entry("ops", f"http://127.0.0.1:{receiver.port}/x")) as file:
        with Daemon(env, login, SENDGATED_CONFIG=file) as one, Daemon(env, login, SENDGATED_CONFIG=file) as two:
            wait_for(lambda: one.ready() and two.ready(), "both daemons")
            registered(env, "ops")
            notes = changes(env, 12)
            wait_for(lambda: waits(env, "ops") == 0, "all events")
            shares = [d.metrics()['sendgate_notifications_total{webhook="ops",outcome="posted"}'] for d in (one, two)]
        in_order(receiver.taken("/x"), notes)
        equal(sum(shares), len(receiver.posts), "posts of both")


def test_after_a_day_an_event_is_given_up(env):
    """The alert says so: to people on the console, and to the other webhooks."""
    accounts(env)
    with Receiver(lambda path, _before: 500 if path == "/bad" else 204) as receiver:
        hooks = (
            entry("bad", f"http://127.0.0.1:{receiver.port}/bad", ["breaker_set"]),
            entry("ops", f"http://127.0.0.1:{receiver.port}/ops", ["alert_opened", "alert_resolved"]),
        )
        with configuration(*hooks) as file, ConsoleDaemon(env, SENDGATED_CONFIG=file) as daemon:
            registered(env, "bad", "ops")
            env.psql("SELECT sendgate.breaker_arm('a0', 'nobody hears of it')")
            wait_for(lambda: receiver.began("/bad") >= 2, "a second attempt")
            env.cluster.configure(sendgate__clock_offset="25 hours")

            def told() -> list[str]:
                posts = [post for post in receiver.taken("/ops") if post.body["data"]["kind"] == "webhook_failing"]
                return [post.body["type"] for post in posts]

            wait_for(lambda: told() == ["alert_opened"], "the alert to be posted")
            detail = env.psql(
                "SELECT account_id || ' ' || detail FROM sendgate.open_alerts WHERE kind = 'webhook_failing'"
            )
            assert re.fullmatch(r'\* webhook "bad": 1 event was given up, .* \(HTTP 500\)', detail), detail
            page = Client(daemon).send("GET", "/alerts")[1]
            assert "webhook failing" in page and "1 event was given up" in page, page
            equal(daemon.metrics()['sendgate_alerts_open{kind="webhook_failing"}'], 1, "open alerts")
            # It is well again.
            receiver.answer = lambda _path, _before: 204
            env.psql("SELECT sendgate.breaker_arm('a1', 'heard')")
            wait_for(lambda: told() == ["alert_opened", "alert_resolved"], "the end of the alert")
            equal([post.note for post in receiver.taken("/bad")], ["heard"], "what the receiver took")


def test_a_receivers_certificate_is_verified(env):
    accounts(env)
    with authority("ours", "localhost") as ours, Receiver(tls=ours / "localhost") as receiver:
        hooks = (
            entry("right", f"https://localhost:{receiver.port}/right"),
            entry("wrong-name", f"https://127.0.0.1:{receiver.port}/wrong"),
        )
        login = daemon_login(env)
        with configuration(*hooks) as file:
            with Daemon(env, login, SENDGATED_CONFIG=file) as daemon:
                registered(env, "right", "wrong-name")
                env.psql("SELECT sendgate.breaker_arm('a0', 'told')")
                failing = "SELECT count(*) FROM sendgate.webhooks WHERE error LIKE 'no TLS connection: invalid peer certificate%'"
                wait_for(lambda: env.psql(failing) == "2", "both certificates to be refused")
                daemon.stop()
            equal(receiver.posts, [], "posts to a receiver of an unknown authority")
            trusted = {"SSL_CERT_FILE": f"{ours}/ca.pem"}
            with Daemon(env, login, SENDGATED_CONFIG=file, **trusted):
                wait_for(lambda: waits(env, "right") == 0, "the receiver whose authority is trusted")
                receiver.taken("/right")[0].verify()
            equal(receiver.began("/wrong"), 0, "posts to a receiver of another name")


def test_a_webhook_that_cannot_be_meant_ends_every_command_at_once(env):
    """With the value and what to write instead, and without address or secret."""
    good = entry("ops", "https://example.org/geheim")
    with configuration(good) as file:
        path = Path(file)
        text = path.read_text()
        secret = path.parent / "secret"
        for change, expected in (
            (("https://example.org", "http://example.org"), 'webhook "ops": url goes to example.org without TLS'),
            (("breaker_set", "breaker_skip"), 'there is no event "breaker_skip"; events are alert_opened'),
            (("timeout_seconds = 5", "timeout_seconds = 31"), "timeout_seconds is 31: give seconds from 0.1 to 30"),
            (("retry_seconds", "retry_second"), "unknown field `retry_second`"),
            ((str(secret), "/nowhere/secret"), "cannot read /nowhere/secret"),
        ):
            path.write_text(text.replace(*change))
            for command in ("run", "doctor"):
                done = run(env, command, "--config", file)
                equal(done.returncode, 2, f"{command} with {change}: {done.stderr}")
                assert expected in done.stderr and "geheim" not in done.stderr, done.stderr
        path.write_text(text)
        secret.chmod(0o644)
        done = run(env, "doctor", "--config", file)
        assert "can be read by others; run chmod 600 on it" in done.stderr, done.stderr
        secret.chmod(0o600)
        secret.write_text("whsec_geheim")
        done = run(env, "doctor", "--config", file)
        assert "line 1 is not whsec_ and 24 to 64 bytes in base64" in done.stderr, done.stderr
        assert "geheim" not in done.stderr, done.stderr
        secret.write_text(f"whsec_{SECRET}")
        done = run(env, "doctor", "--config", file)
        assert "note  webhook ops is told of nothing yet: sendgated run registers it" in done.stdout, done.stdout
