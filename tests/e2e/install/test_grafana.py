"""The Grafana dashboard: every query of it runs, in a real Prometheus and as sendgate_reader, and finds
something to show."""

import itertools
import json
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from e2e.install.test_recipes import RULES
from e2e.support import equal, login, operation, provision, wait_for
from e2e.support.daemon_process import HTTP_SECONDS, Daemon, all_ran
from harness import debian, ports
from harness.places import REPO

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
FILE = REPO / "sql" / "recipes" / "grafana_dashboard.json"
# What the tables show.
COLUMNS = {
    "Accounts without credits": "account_id display_name pill resumes_at waiting deferred skipped_today",
    "Slots used and caps": "action used cap percent",
    "Open alerts": "opened_at kind account_id day detail acknowledged_by alert_id",
    "Delivered a day": "time metric delivered",
    "Corrected counters": "at account_id action period day before after delivered reserved indeterminate",
    "Runs of jobs that failed or died": "started_at job state checked changed actor error",
    "Jobs": "job last_state last_run age_seconds stale checked changed error",
    "Card": "account_id display_name status tier pill cooldown_until inmails_sent_today inmail_daily_cap"
    " inmails_delivered_today in_flight unresolved drift waiting parked",
    "Counters": "action sent_today daily_cap sent_this_week weekly_cap",
    "Breaker history": "at action reason actor exhausted_at prospect_id campaign_id note",
    "Unknown outcomes": "reserved_at action prospect_id campaign_id state expired error operation_id",
    "Skipped work": "at campaign_id prospect_id action reason repeats deferred_to detail",
}
ACCOUNT = "o'hara"


def test_the_file_is_one_that_grafana_takes(env):
    """Ids once, panels side by side, only the data sources that it asks for."""
    dashboard = json.loads(FILE.read_text())
    panels = dashboard["panels"]
    equal(sorted(p["id"] for p in panels), list(range(1, len(panels) + 1)), "ids of panels")
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                equal(other, panel["title"], "the panel on one square")
    asked = {f"${{{source['name']}}}": source["pluginId"] for source in dashboard["__inputs"]}
    for panel, target in targets(dashboard):
        for source in (panel["datasource"], target["datasource"]):
            equal(asked.get(source["uid"]), source["type"], f"data source of {panel['title']}")
        assert panel["description"], panel["title"]
    used = {panel["type"] for panel in panels} - {"row"}
    required = {entry["id"] for entry in dashboard["__requires"] if entry["type"] == "panel"}
    equal(used, required, "kinds of panels")
    equal(dashboard["id"], None, "the id, which Grafana gives")


def test_every_sql_query_shows_something_to_a_reader(env):
    world(env)
    connection = env.connect(user=login(env, "grafana", "sendgate_reader"))
    connection.execute("SET default_transaction_read_only = on")
    titles = []
    for panel, target in targets(json.loads(FILE.read_text())):
        if "rawSql" not in target:
            continue
        sql = as_grafana_sends(target["rawSql"])
        cursor = connection.execute(sql)
        columns = [column.name for column in cursor.description]
        equal(columns, COLUMNS[panel["title"]].split(), f"columns of {panel['title']}")
        rows = cursor.fetchall()
        assert rows, f"{panel['title']} is empty:\n{sql}"
        if target["format"] == "time_series":
            equal(cursor.description[0].type_code, 1184, "type of the time, timestamptz")
        titles.append(panel["title"])
    equal(sorted(titles), sorted(COLUMNS), "panels with SQL")


def test_prometheus_answers_every_query_and_knows_every_rule(env):
    """Prometheus itself scrapes a daemon, which counts refusals."""
    env.cluster.configure(shared_preload_libraries="sendgate")
    env.cluster.restart()
    world(env)
    refused = itertools.count()
    with Daemon(env) as daemon, prometheus(daemon.address()) as ask:
        wait_for(lambda: all_ran(env), "every job to run")
        queries = [
            (panel["title"], target["expr"].replace("$__rate_interval", "1m"))
            for panel, target in targets(json.loads(FILE.read_text()))
            if "expr" in target
        ]
        assert len(queries) > 15, queries

        def answer(expression: str) -> list:
            # Refusals and outcomes go on, or there is no increase to see.
            number = next(refused) + 9
            env.psql(f"SELECT sendgate.reserve('b', 'inmail', 'p', NULL, '{operation(number)}')")
            env.psql(f"SELECT sendgate.reserve('b', 'engagement', 'p{number}', NULL, '{operation(10000 + number)}')")
            env.psql(f"SELECT sendgate.rollback('b', '{operation(10000 + number)}')")
            return ask("query", query=expression)["result"]

        for title, expression in queries:
            wait_for(lambda e=expression: answer(e), f"{title}: {expression}")
        total = "sum(max by (kind) (sendgate_alerts_open))"
        # Nothing, for a moment, after a scrape that took longer than it may.
        opened = wait_for(lambda: ask("query", query=total)["result"], "the open alerts")
        assert int(opened[0]["value"][1]) > 0, opened
        # What the tests' own world gives reason to.
        firing = wait_for(lambda: firing_alerts(ask), "alerts to fire")
        assert {"SendgateAlertOpen", "SendgateTestClockOn"} <= firing, firing
        assert not firing & {"SendgateDaemonGone", "SendgateDatabaseDown", "SendgateLinesWait"}, firing
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        equal({rule["health"] for rule in rules}, {"ok"}, "health of the rules")


def world(env) -> None:
    """Something of everything that is shown."""
    provision(env, "b")
    connection = env.connect()

    def call(sql: str, *parameters) -> None:
        connection.execute(sql, parameters)

    call("SELECT sendgate.upsert_account(%s, 'sales_navigator', 'Scarlett')", ACCOUNT)
    call("SELECT sendgate.register_webhook('ops', ARRAY['alert_opened', 'breaker_set'])")
    call("SELECT sendgate.enqueue('spring', 'p' || n, %s, 'inmail') FROM generate_series(1, 3) n", ACCOUNT)
    call("SELECT sendgate.reserve(%s, 'message', 'p1', NULL, %s)", ACCOUNT, operation(1))
    call("SELECT sendgate.confirm(%s, %s, 'chat')", ACCOUNT, operation(1))
    call("SELECT sendgate.reserve(%s, 'message', 'p2', NULL, %s)", ACCOUNT, operation(2))
    call("SELECT sendgate.rollback(%s, %s, 'no answer', NULL, 500)", ACCOUNT, operation(2))
    call("SELECT sendgate.breaker_arm(%s, 'empty')", ACCOUNT)
    call("SELECT sendgate.dispatch(10)")
    call("SELECT sendgate.record_external_send('b', 'inmail', 'p', 'chat', clock_timestamp())")
    call("UPDATE sendgate.accounts SET inmails_sent_today = inmails_sent_today + 9 WHERE id = 'b'")
    call("SELECT sendgate.audit_events()")
    call("SELECT sendgate.record_run_failure('prune', '57014: test')")
    call("UPDATE sendgate.accounts SET messages_sent_today = 9 WHERE id = 'b'")
    call("SELECT sendgate.reconcile_operations()")


def targets(dashboard: dict) -> list[tuple[dict, dict]]:
    """Every query, with its panel."""
    return [(panel, target) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def as_grafana_sends(sql: str) -> str:
    """With Grafana's macros and variables filled in, as it does."""
    start, end = "'2020-01-01T00:00:00Z'", "'2200-01-01T00:00:00Z'"
    sql = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN {start} AND {end}", sql)
    sql = sql.replace("$__timeFrom()", start).replace("$__timeTo()", end)
    quoted = "'" + ACCOUNT.replace("'", "''") + "'"
    sql = sql.replace("${account:sqlstring}", quoted)
    assert "$" not in sql, f"a macro that this test does not know: {sql}"
    return sql


def firing_alerts(ask) -> set[str]:
    """Names of alerts that fire, once the first two do."""
    alerts = {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"}
    return alerts if len(alerts) >= 2 else set()


@contextmanager
def prometheus(address: str):
    """A Prometheus that scrapes that address every second; a function that asks its API."""
    port = ports.free()
    with tempfile.TemporaryDirectory(prefix="sendgate-prometheus-") as name:
        directory = Path(name)
        (directory / "prometheus.yml").write_text(
            f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: sendgated
    static_configs: [{{targets: ["{address}"]}}]
"""
        )
        command = [debian.prometheus() / "prometheus", f"--config.file={directory}/prometheus.yml"]
        command += [f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)

        def ask(what: str, **parameters: str):
            url = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
            with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
                return json.load(answer)["data"]

        def scrapes() -> bool:
            said = (directory / "log").read_text()
            assert process.poll() is None, f"Prometheus ended:\n{said}"
            try:
                return bool(ask("query", query="up == 1")["result"])
            except OSError:
                return False

        try:
            wait_for(scrapes, "Prometheus to scrape the daemon")
            yield ask
        finally:
            process.terminate()
            try:
                process.wait(HTTP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
