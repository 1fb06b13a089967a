"""One daemon that serves three databases of one cluster."""

import contextlib
import html
import json
import re
import tempfile
from pathlib import Path

from e2e.support import equal, operation, wait_for
from e2e.support.console_client import Client, ConsoleDaemon, act_path, csrf_of, next_page, words
from e2e.support.daemon_process import JOBS, Daemon, daemon_login, run, sessions, url_of
from e2e.support.receiver import Receiver

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200


class Fleet:
    """The test's own database and two more."""

    def __init__(self, env, databases: int = 3):
        self.env = env
        self.user = daemon_login(env)
        self.names = [env.dbname, *(env.fresh_database() for _ in range(databases - 1))]
        base = url_of(env, self.user).rsplit("/", 1)[0]
        self.urls = [f"{base}/{name}" for name in self.names]
        self.url = "\n".join(self.urls)

    def sql(self, number: int, sql: str) -> str:
        """Run SQL in one of them."""
        return self.env.psql(sql, self.names[number])

    def everywhere(self, sql: str) -> list[str]:
        """Run SQL in all of them."""
        return [self.env.psql(sql, name) for name in self.names]

    def run(self, *arguments: str):
        """A command about all of them."""
        return run(self.env, *arguments, url=self.url)

    @contextlib.contextmanager
    def down(self, number: int):
        """One takes no connections meanwhile."""
        name = self.names[number]
        self.env.psql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false', "postgres")
        try:
            end = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
            self.env.psql(end, "postgres")
            yield name
        finally:
            self.env.psql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true', "postgres")


def test_a_list_that_cannot_be_is_refused_and_nothing_is_started(env):
    fleet = Fleet(env, 2)
    first, second = fleet.urls
    elsewhere = first.replace("127.0.0.1", "localhost")
    assert elsewhere != first, first
    # The same database, by another address.
    for command in ("run", "check-config", "tick", "status", "doctor", "account"):
        arguments = [command, *(["x"] if command == "account" else [])]
        done = run(env, *arguments, url=f"{first}\n{second}\n{elsewhere}", SENDGATED_LISTEN="127.0.0.1:0")
        equal(done.returncode, 2, f"{command}: {done.stderr}")
        assert "are one and the same" in done.stderr and fleet.names[0] in done.stderr, done.stderr
        assert "system identifier" in done.stderr and "Leave one of them out" in done.stderr, done.stderr
        equal(done.stdout, "", f"output of {command}")
    equal(fleet.everywhere("SELECT count(*) FROM sendgate.reconcile_runs"), ["0", "0"], "runs")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "sendgated.toml")

        def said(text: str, *arguments: str, url: str = "") -> str:
            file.write_text(text)
            done = run(env, "check-config", "--config", str(file), *arguments, url=url)
            equal(done.returncode, 2, done.stderr or done.stdout)
            return done.stderr

        def entry(name: str, url: str) -> str:
            return f'[[database]]\nname = "{name}"\nurl = "{url}"\n'

        assert "have the same name, eu" in said(entry("eu", first) + entry("eu", second))
        assert "an empty list" in said("database = []")
        both = entry("eu", first)
        assert "leave one of the two out" in said(f'database_url = "{second}"\n{both}')
        assert "leave one of the two out" in said(both, url=second)
        assert "leave one of the two out" in said(both, "--database-url", second)
        assert "number 2 (us) has no url" in said(both + '[[database]]\nname = "us"\n')
        assert "unknown field `urls`" in said(both + "urls = 'x'")
        # The list as it is, in its order.
        file.write_text(entry("us", second) + entry("eu", first))
        done = run(env, "check-config", "--config", str(file), url="")
        equal(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        equal(lines[0], "2 databases", "the first line")
        assert lines[2].startswith("us ") and f"({fleet.names[1]})" in lines[2], lines
        assert lines[3].startswith("eu ") and "sendgate " in lines[3], lines
        done = run(env, "--database-url", first, "status", "--database-url", second, url="")
        equal(done.returncode, 2, done.stderr)
        assert "on both sides of the command" in done.stderr, done.stderr
        flags = ["--database-url", first, "--database-url", second]
        assert "2 databases" in run(env, "check-config", *flags, url="").stdout
        # One database is as ever, however it is named.
        file.write_text(entry("nordic", first))
        assert "nordic" not in run(env, "status", "--config", str(file), url="").stdout


def test_commands_look_at_all_of_them(env):
    fleet = Fleet(env)
    a, b, c = fleet.names
    fleet.sql(0, "SELECT sendgate.upsert_account('calm', 'recruiter'), sendgate.upsert_account('twice', 'recruiter')")
    fleet.sql(1, "SELECT sendgate.upsert_account('bad', 'recruiter'), sendgate.upsert_account('twice', 'recruiter')")
    fleet.sql(2, "SELECT sendgate.upsert_account('o''hara', 'recruiter', 'Scarlett')")
    fleet.sql(1, "SELECT sendgate.breaker_arm('bad', 'test'); SELECT sendgate.audit_events()")
    done = fleet.run("tick")
    equal(done.returncode, 0, done.stderr)
    for name in fleet.names:
        equal(done.stdout.count(f"{name}: "), len(JOBS), f"lines of {name} in {done.stdout}")
    done = fleet.run("status")
    equal(done.returncode, 0, done.stderr)
    assert "5 accounts in 3 databases at " in done.stdout and " database " in done.stdout, done.stdout
    found = json.loads(fleet.run("status", "--json").stdout)
    expected = [("bad", b), ("calm", a), ("o'hara", c), ("twice", a), ("twice", b)]
    equal([(card["account_id"], card["database"]) for card in found["cards"]], expected, "cards")
    equal(found["accounts"], 5, "accounts")
    equal(sorted({job["database"] for job in found["jobs"]}), sorted(fleet.names), "databases of jobs")
    # Page after page, each once, the one that is there twice too.
    for size in (1, 2, 4):
        shown, more = [], ["--limit", str(size)]
        while more:
            text = fleet.run("status", "--json", *more).stdout
            cards = json.loads(text)["cards"]
            shown += [(card["account_id"], card["database"]) for card in cards]
            last = shown[-1] if len(cards) == size and len(shown) < 5 else None
            more = ["--limit", str(size), "--after", last[0], "--after-database", last[1]] if last else []
        equal(shown, expected, f"{size} at a time")
    assert f"--after 'calm' --after-database '{a}'" in fleet.run("status", "--limit", "2").stdout

    done = fleet.run("account", "scarl")
    equal(done.returncode, 0, done.stderr)
    assert f"database {c})" in done.stdout.splitlines()[0], done.stdout
    equal(json.loads(fleet.run("account", "o'hara", "--json").stdout)["database"], c, "database")
    done = fleet.run("account", "twice")
    equal(done.returncode, 1, "an account in two databases")
    assert f"also in the database {b}: its caps exist twice" in done.stdout, done.stdout
    assert f"database {a})" in done.stdout and f"database {b})" in done.stdout, done.stdout
    equal(fleet.run("account", "not-there").returncode, 2, "an account that is nowhere")

    done = fleet.run("doctor")
    equal(done.returncode, 1, done.stderr)
    assert f"account twice is in the databases {a}, {b}" in done.stdout, done.stdout
    fleet.sql(1, "SELECT sendgate.remove_account('twice', 'test'); SELECT sendgate.remove_account('twice', 'test')")
    differ = [
        (0, "SELECT sendgate.set_tier_cap('recruiter', 'inmail', 33, 99, '5 min')", "cap recruiter inmail"),
        (0, "SELECT sendgate.set_tier_cap('own', 'invite', 7)", "cap own invite"),
        (1, "SELECT sendgate.set_error_rule(10, 'transient', NULL, NULL, '418', 'tea''s ready')", "error rule 010"),
        (2, "SELECT sendgate.pause_all('they called')", "switch everything"),
        (1, "SELECT sendgate.pause_campaign('spring')", "campaign switch spring"),
        (0, "SELECT sendgate.set_campaign('spring', 3, message_limit => 0)", "campaign limits spring"),
        (0, "SELECT sendgate.suppress_prospect('eve''s', 'she wrote')", "suppression eve's"),
        (2, "SELECT sendgate.suppress_prospect('until', 'later', '2099-01-01')", "suppression until"),
        (
            1,
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET sendgate.lock_timeout = ''7s''', current_database()); END $$",
            "setting sendgate.lock_timeout",
        ),
    ]
    for number, sql, _ in differ:
        fleet.sql(number, sql)
    between = fleet.run("doctor").stdout.split("between the databases\n")[1]
    for number, _, what in differ:
        lines = [line for line in between.splitlines() if what in line]
        # What the first one has, each of the others lacks.
        equal(len(lines), 2 if number == 0 else 1, f"{what} in {between}")
    assert "no account is in two databases" in between, between
    # What is to be done mends it: the first of the two ways, each in the database that it names. The first pass makes the
    # first database like the others, the second one the others like the first.
    for number_of_todos in (8 + 5, 5):
        todo = re.findall(r"^      to do: in (\S+): (.*?)(?:; or in .*)?$", between, re.MULTILINE)
        equal(len(todo), number_of_todos, f"things to do in {between}")
        for name, sql in todo:
            env.psql(sql, name)
        between = fleet.run("doctor").stdout.split("between the databases\n")[1]
    assert "are the same everywhere" in between and "BAD" not in between, between
    equal(fleet.everywhere("SELECT count(*) FROM sendgate.pause_switch"), ["1"] * 3, "pauses")

    with fleet.down(2) as name:
        for arguments in (("status",), ("doctor",), ("account", "calm"), ("tick",), ("check-config",)):
            done = fleet.run(*arguments)
            equal(done.returncode, 1, f"{arguments}: {done.stderr}")
            assert name in done.stdout and "Traceback" not in done.stderr, done.stdout
        assert "cannot be asked" in fleet.run("status").stdout
        assert f"not asked whether they have it, too: {name}" in fleet.run("account", "calm").stdout
        assert f"cannot be reached: {name}" in fleet.run("account", "not-there").stderr


def test_each_database_is_served_on_its_own(env):
    fleet = Fleet(env)
    a, b, c = fleet.names
    for number, account in enumerate("xyz"):
        fleet.sql(number, f"SELECT sendgate.upsert_account('{account}', 'recruiter')")
    fleet.sql(1, "SELECT sendgate.reserve('y', 'inmail', 'p'); SELECT sendgate.pause_all('test')")
    ran = "SELECT count(DISTINCT job) FROM sendgate.reconcile_runs WHERE state = 'ok'"
    with Receiver() as receiver, tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "sendgated.toml")
        hook = f'[[webhook]]\nname = "ops"\nurl = "http://127.0.0.1:{receiver.port}/ops"\nevents = ["breaker_set"]\nformat = "slack"\n'
        file.write_text(hook)
        # One is down from the beginning; the others do not wait for it.
        with fleet.down(2), Daemon(env, url=fleet.url, SENDGATED_CONFIG=str(file), SENDGATED_POLL="0.1") as daemon:
            wait_for(lambda: fleet.sql(0, ran) == fleet.sql(1, ran) == "4", "the jobs of both")
            wait_for(lambda: "2 of 3 databases" in daemon.get("/readyz")[1], "the two that are up")
            status, text = daemon.get("/healthz")
            equal(status, 200, "healthz")
            lines = text.splitlines()
            equal(lines[0], "alive", "healthz")
            assert lines[1].startswith(f"{a}: up, sendgate ") and lines[3].startswith(f"{c}: down: "), lines
            found = daemon.metrics()
            equal([found[f'sendgate_up{{database="{name}"}}'] for name in fleet.names], [1, 1, 0], "up")
            equal([found[f'sendgate_database_up{{database="{name}"}}'] for name in fleet.names], [1, 1, 0], "counted")
            equal(found[f'sendgate_paused{{database="{a}"}}'], 0, "paused")
            equal(found[f'sendgate_paused{{database="{b}"}}'], 1, "paused")
            equal(found[f'sendgate_slots_used_today{{database="{b}",action="inmail"}}'], 1, "slots")
            assert not any(name.startswith("sendgate_fleet_") for name in found), "totals without one of them"
            assert not any(f'database="{c}"' in name for name in found if name.startswith("sendgate_paused")), found
            for number, account in enumerate("xy"):
                fleet.sql(number, f"SELECT sendgate.breaker_arm('{account}', 'test')")
            wait_for(lambda: len(daemon.lines()) == 2, "both lines")
            told = {(line["account_id"], line["database"]) for line in daemon.lines()}
            equal(told, {("x", a), ("y", b)}, "lines")
            wait_for(lambda: len(receiver.posts) == 2, "both posts")
            texts = {post.body["text"].split("]")[0] for post in receiver.posts}
            equal(texts, {f"[{a}", f"[{b}"}, "posts")
            # It comes back by itself.
            env.psql(f'ALTER DATABASE "{c}" ALLOW_CONNECTIONS true', "postgres")
            wait_for(lambda: "3 of 3 databases" in daemon.get("/readyz")[1], "the third one")
            wait_for(lambda: fleet.sql(2, ran) == "4", "its jobs")
            found = wait_for(lambda: whole(daemon.metrics()), "the totals")
            equal(found['sendgate_fleet_accounts{status="connected"}'], 3, "accounts together")
            parts = [found[f'sendgate_accounts{{database="{name}",status="connected"}}'] for name in fleet.names]
            equal(parts, [1, 1, 1], "accounts of each")
            equal(found["sendgate_fleet_paused"], 1, "whether anything is paused")
            for name, value in found.items():
                family = name.split("{")[0]
                is_part, is_total = "database=" in name, family.startswith("sendgate_fleet_")
                assert is_part != is_total or family.startswith("process_") or "build_info" in name, (name, value)
            # And goes away in the middle of everything.
            with fleet.down(0):
                wait_for(lambda: f"{a}: down: " in daemon.get("/healthz")[1], "healthz to notice")
                equal(daemon.get("/readyz")[0], 200, "readyz")
                fleet.sql(2, "SELECT sendgate.breaker_arm('z', 'test')")
                wait_for(lambda: len(daemon.lines()) == 3, "the third one's line")
                with fleet.down(1), fleet.down(2):
                    wait_for(lambda: daemon.get("/readyz")[0] == 503, "none to be ready")
                    equal(daemon.get("/healthz")[0], 200, "healthz")
            wait_for(lambda: "3 of 3 databases" in daemon.get("/readyz")[1], "all of them")
            for name in fleet.names:
                count = env.psql(
                    f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sendgated' AND datname = '{name}'"
                )
                assert 0 < int(count) <= 4, f"{name} has {count} connections"
            warned = [line for line in daemon.log() if line.get("level") == "WARN"]
            assert warned and all(line.get("database") in fleet.names for line in warned), warned
            status, seconds = daemon.stop()
            equal(status, 0, "exit status")
            assert seconds < 5, seconds
    equal(sessions(env), "0", "connections afterwards")


def whole(found: dict) -> dict | None:
    """The metrics, once they have totals."""
    return found if "sendgate_fleet_paused" in found else None


def test_the_console_shows_all_as_one_list_and_acts_where_it_is_meant(env):
    fleet = Fleet(env)
    a, b, c = fleet.names
    for number, letter in enumerate("abc"):
        fleet.sql(
            number,
            f"""SELECT sendgate.upsert_account('n' || lpad(n::text, 3, '0') || '{letter}', 'recruiter')
            FROM generate_series(1, 30) n;
            SELECT sendgate.upsert_account('same', 'recruiter');
            SELECT sendgate.set_status('n00{number}{letter}', 'paused', 'test') WHERE {number} > 0;
            SELECT sendgate.reserve('n010{letter}', 'inmail', 'p{letter}', 'spring', '{operation(number + 1)}');
            SELECT sendgate.rollback('n010{letter}', '{operation(number + 1)}', 'odd');
            SELECT sendgate.audit_events(); SELECT sendgate.enqueue('spring', 'p{letter}', 'n011{letter}', 'invite')""",
        )
    fleet.sql(1, "SELECT sendgate.pause_all('they called')")
    with ConsoleDaemon(env, url=fleet.url) as daemon:
        client = Client(daemon)
        equal(client.sign_in(), 200 if client.cookie == "" else 303, "signing in")
        wait_for(lambda: "3 of 3" in daemon.get("/readyz")[1], "all of them")
        shown, page, pages = [], "/", 0
        while page:
            text = client.get(page)[1]
            found = card_links(text)
            assert len(found) <= 24, "a page is bounded"
            shown += found
            page, pages = next_page(text), pages + 1
            assert pages < 20, "it goes on for ever"
        troubled = [("n001b", b), ("n002c", c), ("n010a", a), ("n010b", b), ("n010c", c)]
        calm = [
            (f"n{n:03}{letter}", name) for n in range(1, 31) for letter, name in zip("abc", fleet.names, strict=True)
        ]
        calm += [("same", name) for name in fleet.names]
        equal(shown, troubled + [place for place in calm if place not in troubled], "every account once, in order")
        text = words(client.get("/")[1])
        assert "93 accounts" in text and "Everything is paused" in text and f"Database {b} :" in text, text[:600]
        equal({name for _, name in card_links(client.get(f"/?db={b}")[1])}, {b}, "one database alone")
        equal(client.get("/?db=nowhere")[0], 404, "a database that is not there")
        # An account's address leads to the database that has it; one that is in several asks which.
        equal(client.get("/account?id=n005c")[0], 303, "an account's address")
        equal(client.headers["location"], f"/account?id=n005c&db={c}", "where it leads")
        text = client.get("/account?id=same")[1]
        assert "its caps exist twice" in text and html.unescape(text).count("/account?id=same&db=") == 3, words(text)
        equal(client.get("/account?id=none")[0], 404, "an account that is nowhere")
        text = client.get(f"/account?id=n005c&db={c}")[1]
        acts = [html.unescape(link) for link in re.findall(r'href="(/act\?[^"]+)"', text)]
        assert acts and all(f"db={c}" in link for link in acts if link != "/act?do=pause"), acts
        equal(
            client.get(act_path("pause-account", "n005c"))[1].count("Which database?") > 0,
            True,
            "an act of no database",
        )
        # It is done in the account's database and in no other.
        do(client, act_path("pause-account", "n005c") + f"&db={c}")
        paused = "SELECT count(*) FROM sendgate.linkedin_accounts WHERE status = 'paused'"
        equal(fleet.everywhere(paused), ["0", "1", "2"], "paused accounts")
        # What is about all of them is done in all of them, and says so.
        text = words(client.get(f"/act?do=suppress&id=eve&db={a}")[1])
        assert f"It is done in the databases {a}, {b}, {c}" in text, text
        do(client, f"/act?do=suppress&id=eve&db={a}")
        equal(fleet.everywhere("SELECT count(*) FROM sendgate.suppressions"), ["1"] * 3, "suppressions")
        do(client, "/act?do=pause")
        switch = "SELECT count(*) FROM sendgate.pause_switch"
        equal(fleet.everywhere(switch), ["1"] * 3, "switches")
        do(client, f"/act?do=resume&db={b}", note=None)
        equal(fleet.everywhere(switch), ["1", "0", "1"], "switches")
        # The other lists.
        for path, expected in (
            ("/alerts", 0),
            ("/unknown", 3),
            ("/campaigns", 3),
            ("/heartbeats", 0),
            ("/log", 3),
            ("/events", 0),
        ):
            status, text = client.get(path)
            equal(status, 200, path)
            assert sum(name in words(text.split("</nav>")[-1]) for name in fleet.names) >= expected, (
                f"{path}: {words(text)}"
            )
        outcomes = html.unescape(client.get("/unknown")[1])
        for name in fleet.names:
            assert re.search(rf'/act\?do=sent&id=n010.&[^"]*db={name}"', outcomes), outcomes
        status, text = client.get("/api/accounts?limit=40&columns=database,id")
        rows = json.loads(text)
        listed = [(row["id"], row["database"]) for row in rows["rows"]]
        while rows["next"]:
            rows = json.loads(client.get(rows["next"])[1])
            listed += [(row["id"], row["database"]) for row in rows["rows"]]
        equal(listed, calm, "accounts for programs")
        equal(len(json.loads(client.get("/api/unknown")[1])["rows"]), 3, "unknown outcomes for programs")
        assert client.get("/events?format=csv")[1].startswith("database,id,at,"), "the first column"
        # While one is down, it is named, the others are shown, and what is done everywhere says where it was not.
        with fleet.down(0):
            wait_for(lambda: f"{a}: down" in daemon.get("/healthz")[1], "the daemon to notice")
            text = words(client.get("/")[1])
            assert f"The database {a} cannot be asked" in text and "62 accounts" in text, text[:600]
            status, text = send(client, f"/act?do=unsuppress&id=eve&db={b}")
            equal(status, 409, "an act that was done in some")
            assert f"It was done in {b}, {c} and nowhere else; do it again. {a}: " in words(text), words(text)
        wait_for(lambda: "3 of 3" in daemon.get("/readyz")[1], "all of them")
        do(client, f"/act?do=unsuppress&id=eve&db={b}")
        equal(fleet.everywhere("SELECT count(*) FROM sendgate.suppressions"), ["0"] * 3, "suppressions")


def card_links(page: str) -> list[tuple[str, str]]:
    """The accounts of a page and their databases, in its order."""
    links = re.findall(r'class="card-link" href="([^"]+)"', page)
    return [re.fullmatch(r"/account\?id=([^&]+)&db=([^&]+)", html.unescape(link)).groups() for link in links]


def send(client: Client, path: str, note: str | None = "because"):
    """Do it as the page's form does: (status, text)."""
    page = client.get(path)[1]
    action = re.search(r'<form class="panel stack" method="post" action="([^"]+)"', page)
    assert action, words(page)
    form = {"csrf": csrf_of(page), "form": re.search(r'name="form" value="([^"]+)"', page)[1]}
    return client.post(html.unescape(action[1]), form | ({"note": note} if note else {}))


def do(client: Client, path: str, note: str | None = "because") -> None:
    """The same, and it is done."""
    status, text = send(client, path, note)
    equal(status, 303, words(text))
