"""The lists for programs: CSV of the pages, and the same as JSON under /api/ with a token."""

import csv
import io
import json

from e2e.support import equal, operation, provision
from e2e.support.console_client import TOKENS, Client, ConsoleDaemon
from e2e.support.daemon_process import Daemon

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
SECRET = "a scraper's very own token"
EVIL = '=HYPERLINK("http://x")\n,"<b>'


def world(env) -> None:
    provision(env, "a")
    connection = env.connect()
    connection.execute("SELECT sendgate.upsert_account('b', 'sales_navigator', %s)", (EVIL,))
    for n, words in enumerate((EVIL, "gateway timeout", "gateway timeout")):
        env.psql(f"SELECT sendgate.reserve('a', 'message', 'p{n}', 'spring', '{operation(n)}')")
        connection.execute("SELECT sendgate.rollback('a', %s, %s, NULL, 504)", (operation(n), words))
    env.psql("SELECT sendgate.breaker_arm('a', 'test'); SELECT sendgate.reserve('a', 'inmail', 'q', 'spring')")


def test_every_list_comes_as_csv_and_as_json(env):
    world(env)
    with ConsoleDaemon(env, tokens=TOKENS | {"prometheus": (SECRET, "read")}) as daemon:
        client = Client(daemon)
        client.sign_in()
        for page, api, rows in (
            ("/?", "accounts?", 2),
            ("/events?", "events?", 1),
            ("/unknown?", "unknown?", 3),
            ("/account?id=a&", "attempts?account=a&", 3),
        ):
            status, text = client.get(f"{page}format=csv")
            equal((status, client.headers["content-type"]), (200, "text/csv; charset=utf-8"), page)
            lines = list(csv.DictReader(io.StringIO(text)))
            equal(len(lines), rows, f"lines of {page}")
            status, text = daemon_get(daemon, f"/api/{api}")
            equal(status, 200, api)
            found = json.loads(text)
            equal((len(found["rows"]), found["next"]), (rows, None), f"rows of {api}")
            equal([sorted(row) for row in found["rows"]], [sorted(line) for line in lines], "columns")
        named = {line["id"]: line["name"] for line in csv.DictReader(io.StringIO(client.get("/?format=csv")[1]))}
        equal(named["b"], "'" + EVIL, "a name that a spreadsheet would calculate")
        accounts = json.loads(daemon_get(daemon, "/api/accounts")[1])["rows"]
        equal({row["id"]: row["name"] for row in accounts}["b"], EVIL, "the name itself")


def test_lists_are_read_page_by_page(env):
    world(env)
    with ConsoleDaemon(env, tokens=TOKENS | {"prometheus": (SECRET, "read")}) as daemon:
        for api, key in (("accounts", "id"), ("unknown", "operation_id")):
            found, place = [], f"/api/{api}?limit=1"
            while place:
                status, text = daemon_get(daemon, place)
                equal(status, 200, place)
                answer = json.loads(text)
                found += [row[key] for row in answer["rows"]]
                place = answer["next"]
            equal(len(found), len(set(found)), f"{api} once each")
            equal(len(found), {"accounts": 2, "unknown": 3}[api], api)


def test_what_cannot_be_understood_is_refused(env):
    world(env)
    with ConsoleDaemon(env, tokens=TOKENS | {"prometheus": (SECRET, "read")}) as daemon:
        for place, status in (
            ("/api/accounts?limit=0", 400),
            ("/api/accounts?limit=x", 400),
            ("/api/accounts?format=xml", 400),
            ("/api/events?after=nowhere", 400),
            ("/api/attempts?account=nobody", 404),
            ("/api/attempts", 404),
            ("/api/passwords", 404),
            ("/api/unknown?after=%00", 400),
            ("/api/unknown?since=noon", 400),
            ("/api/unknown?action=fly", 400),
            ("/api/unknown?since=2026-01-02%2000:00&before=2026-01-01%2000:00", 400),
            ("/api/accounts?filter=nonsense", 400),
            ("/api/accounts?tier=%00", 400),
            ("/api/accounts?columns=id,password", 400),
            ("/api/accounts?columns=id,id", 400),
            ("/api/events?columns=", 200),
        ):
            found, text = daemon_get(daemon, place)
            equal(found, status, place)
            assert status == 200 or json.loads(text)["error"], text
        equal(Client(daemon).get("/api/accounts?columns=id,name")[0], 401, "columns without a token")
        rows = json.loads(daemon_get(daemon, "/api/accounts?columns=name,id&filter=exhausted")[1])["rows"]
        equal(rows, [{"name": None, "id": "a"}], "the accounts and columns that were asked for")
        text = daemon_get(daemon, "/api/unknown?columns=prospect_id,action&format=csv&of=a&action=message&limit=2")[1]
        equal(text.splitlines()[0], "prospect_id,action", "the head of the CSV")
        equal(len(text.splitlines()), 3, "its lines")
        equal(Client(daemon).get("/api/accounts")[0], 401, "without a token")
        equal(Client(daemon).get("/api/accounts", Authorization="Bearer wrong")[0], 401, "with a wrong one")
        equal(Client(daemon).post("/api/accounts", {"a": "b"})[0], 405, "a form")
    with Daemon(env) as daemon:
        equal(daemon.get("/api/accounts")[0], 200, "a console without tokens is open to its own machine")


def daemon_get(daemon, place: str) -> tuple[int, str]:
    """As a program asks."""
    return Client(daemon).get(place, Authorization=f"Bearer {SECRET}")
