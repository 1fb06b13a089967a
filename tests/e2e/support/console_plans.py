"""How PostgreSQL ran the statements of the console's pages, held against bounds."""

import json
import re

from e2e.support import equal
from e2e.support.console_client import Client, ConsoleDaemon, next_page
from e2e.support.daemon_process import daemon_login

# These tables grow with the accounts, so no page may read one of them whole.
GROWING = {
    "accounts", "send_operations", "linkedin_events", "campaign_events", "breaker_log", "counter_drift",
    "enrollments", "alerts", "reconcile_runs", "admin_log",
}  # fmt: skip
# What a search for a part of ids looks at, and what counting all accounts handles: five lines for each.
SEARCHED_MAX = 110_000
COUNTED_MAX = 600_000
# The most rows that any step of a plan may handle: the accounts that a filter looks at, each with its day.
ROWS_MAX = 30_000


def plans_of(env, pages: list[str], rows_max: int, small: int = -1) -> int:
    """PostgreSQL itself writes down how it ran each statement of each page; how many there were.

    A table of so few rows may be read whole.
    """
    marker = daemon_login(env)
    settings = {"log_min_duration": 0, "log_analyze": "on", "log_format": "json", "log_timing": "off"}
    env.psql(f"ALTER ROLE {marker} SET session_preload_libraries = 'auto_explain'")
    for name, value in settings.items():
        env.psql(f"ALTER ROLE {marker} SET auto_explain.{name} = '{value}'")
    log = env.cluster.datadir / "server.log"
    before = log.stat().st_size
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        for page in pages:
            status, text = client.get(page)
            equal(status, 200, page)
            if page.startswith(("/events", "/alerts", "/unknown")) and (later := next_page(text)):
                equal(client.get(later)[0], 200, later)
    env.psql(f"ALTER ROLE {marker} RESET ALL")
    with log.open() as file:
        file.seek(before)
        text = file.read()
    plans = [json.loads(plan) for plan in re.findall(r"plan:\n((?:\t.*\n)+)", text)]
    read = [plan for plan in plans if "sendgate." in plan["Query Text"]]
    for plan in read:
        query = plan["Query Text"]
        # What the daemon's jobs read is no page's.
        if "begin_run" in query or "take_breaker_lines" in query:
            continue
        # Accounts are counted at most once in a while, all of them, with up to 100,000 open alerts; a search for a part of an id has no index.
        counts = "fleet AS MATERIALIZED" in query
        limit = COUNTED_MAX if counts else SEARCHED_MAX if "looked AS MATERIALIZED" in query else rows_max
        for node in nodes_of(plan["Plan"]):
            relation = node.get("Relation Name")
            handled = node.get("Actual Rows", 0) * node.get("Actual Loops", 0)
            handled += node.get("Rows Removed by Filter", 0) * node.get("Actual Loops", 0)
            whole = node["Node Type"] == "Seq Scan" and relation in GROWING and handled > small
            assert not whole or (counts and relation in ("accounts", "alerts")), f"{relation} is read whole by: {query}"
            assert handled <= max(limit, rows_max), f"{node['Node Type']} handles {handled} rows in: {query}"
    return len(read)


def nodes_of(node: dict):
    """A plan's steps, from the top."""
    yield node
    for child in node.get("Plans", ()):
        yield from nodes_of(child)
