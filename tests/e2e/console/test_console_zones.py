"""Times in the reader's zone, and how long ago that was."""

import json
import re

from e2e.support import equal, provision
from e2e.support.console_client import TOKENS, Client, ConsoleDaemon, words

NEWEST_ONLY = True
# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
# Names that PostgreSQL does not have, or that no cookie may hold.
STRANGE = ("Mars/Olympus", "", "europe/berlin' --", "UTC; Path=/", "+02:00", "x" * 5_000, "EST5EDT,M3", "\u4fe1" * 128)
SINCE = """SELECT to_char(since AT TIME ZONE '{}', 'YYYY-MM-DD HH24:MI:SS') FROM sendgate.why('a', 'invite')"""


def choose(client: Client, zone: str, **headers: str | None) -> int:
    """Send the form; the status."""
    return client.post("/zone", {"zone": zone, "next": "/account?id=a"}, **headers)[0]


def test_a_reader_chooses_the_zone_of_the_times(env):
    """Signed in or not; every zone is PostgreSQL's, on both sides of a change of the clock."""
    provision(env)
    env.psql("SELECT sendgate.reserve('a', 'message', 'p'); SELECT sendgate.set_status('a', 'paused', 'because')")
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        status, text = client.get("/zone?next=/account?id=a")
        equal(status, 200, "the form")
        offered = re.findall(r"<option[^>]*>([^<]+)</option>", text)
        assert {"UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Kiritimati"} <= set(offered), offered[:20]
        assert "<option selected>UTC</option>" in text, "it does not say which one is chosen"
        for zone in ("Asia/Kathmandu", "Pacific/Kiritimati", "America/St_Johns", "Europe/Berlin"):
            equal(choose(client, zone), 303, zone)
            equal(client.headers["location"], "/account?id=a", "where it leads")
            cookie = client.headers["set-cookie"]
            assert cookie.startswith(f"sendgate_zone={zone}; ") and "HttpOnly; SameSite=Strict" in cookie, cookie
            client.cookie = cookie.split(";")[0]
            page = client.get("/account?id=a")[1]
            assert env.psql(SINCE.format(zone)) in page, zone
            assert f" {zone}, " in words(page), "the page does not name the zone"
            ahead = "SELECT to_char(sendgate.clock() AT TIME ZONE '{}', 'YYYY-MM-DD HH24:')"
            assert f"<time>{env.psql(ahead.format(zone))}" in page, "the clock of the page"
        # For programs nothing changes, and another reader has a zone of their own.
        rows = json.loads(client.get("/api/attempts?account=a", Authorization=f"Bearer {TOKENS['ada']}")[1])["rows"]
        (instant,) = [row["reserved_at"] for row in rows]
        assert instant.endswith("+00:00"), f"an instant for programs: {instant}"
        same = env.psql(f"SELECT reserved_at = '{instant}' FROM sendgate.send_operations")
        equal(same, "t", f"an instant for programs: {instant}")
        assert env.psql(SINCE.format("UTC")) in Client(daemon).get("/account?id=a")[1], "another reader"


def test_zones_that_are_none_change_nothing(env):
    provision(env)
    env.psql("SELECT sendgate.set_status('a', 'paused', 'because')")
    since = env.psql(SINCE.format("UTC"))
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        for zone in STRANGE:
            equal(choose(client, zone), 422, zone[:20])
            assert "set-cookie" not in client.headers, zone[:20]
        equal(choose(client, "a\0b"), 400, "what no name can hold")
        equal(choose(client, "Europe/Berlin", Origin="http://evil.example"), 403, "from another site")
        equal(client.send("POST", "/zone", "zone=UTC&zone=UTC")[0], 400, "twice")
        # Cookies that the console did not make.
        for zone in STRANGE[:-1]:
            client.cookie = f"sendgate_zone={zone}"
            status, page = client.get("/account?id=a")
            if len(zone) < 1_000:
                equal(status, 200, zone)
                assert since in page and " UTC, " in words(page), f"{zone!r} is taken for a zone"
    with ConsoleDaemon(env, SENDGATED_CONSOLE="signed-in") as daemon:
        client = Client(daemon)
        equal(client.get("/zone")[0], 303, "the form of a console that strangers may not see")
        equal(choose(client, "Europe/Berlin"), 403, "its choice")


def test_times_are_told_relative_too(env):
    """By the database's clock; and an exact instant for programs that read the page."""
    provision(env)
    env.psql(
        """INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
        SELECT gen_random_uuid(), 'a', 'unreserved_send', date '2026-05-20' + n::integer, 'x', sendgate.clock() - age
        FROM unnest(ARRAY['3 minutes 5 seconds', '5 hours', '9 days']::interval[]) WITH ORDINALITY AS t (age, n)"""
    )
    with ConsoleDaemon(env) as daemon:
        _, page = Client(daemon).get("/alerts")
        found = re.findall(r'<time datetime="([^"]+)">([^<]+)</time> <span class="ago">([^<]+)</span>', page)
        equal([ago for *_, ago in found], ["3 min ago", "5 h ago", "9 days ago"], "how long ago")
        for exact, shown, _ in found:
            equal(exact, shown.replace(" ", "T") + "Z", "the instant for programs")
