"""The recipes for Prometheus, with its own tools and against a daemon's real page."""

import re
import subprocess
from pathlib import Path

from e2e.gate.test_refusals import preload
from e2e.support import equal, provision, wait_for
from e2e.support.daemon_process import Daemon, all_ran
from harness import debian
from harness.places import REPO

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
RULES = REPO / "sql" / "recipes" / "prometheus_alerts.yml"
UNIT_TESTS = REPO / "tests" / "recipes" / "prometheus_alerts_test.yml"
# On the page of a daemon of several databases alone: tests/e2e/daemon/test_several_databases.py looks for it there.
OF_SEVERAL_DATABASES = {"sendgate_up"}


def test_each_alert_fires_for_what_it_is_for_and_else_is_quiet(env):
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert "SUCCESS" in promtool("test", "rules", UNIT_TESTS)
    rules = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert len(rules) > 5, rules
    tests = UNIT_TESTS.read_text()
    healthy = tests.split("- name: ")[1]
    for rule in rules:
        fires = rf"alertname: {rule}\n\s+exp_alerts:\n\s+- exp_labels"
        assert re.search(fires, tests), f"no test makes {rule} fire"
        assert f"alertname: {rule}}}" in healthy, f"{rule} is not shown quiet in the healthy installation"


def test_the_page_is_as_prometheus_wants_it_and_has_what_the_alerts_ask(env):
    preload(env)
    provision(env)
    env.psql("SELECT sendgate.register_webhook('ops', ARRAY['alert_opened'])")
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        status, page = daemon.get("/metrics")
    equal(status, 200, "status")
    equal(promtool("check", "metrics", page=page), "", "what promtool says of the page")
    names = set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))
    for file in (RULES, UNIT_TESTS):
        # Not the names of the schema's views, which come with a dot.
        used = set(re.findall(r"\bsendgate_\w+", file.read_text()))
        missing = used - names - OF_SEVERAL_DATABASES
        assert used and not missing, f"{file.name} uses {sorted(missing)}"


def promtool(*arguments: str | Path, page: str | None = None) -> str:
    """Run promtool, which must find no fault; returns its output."""
    command = [debian.prometheus() / "promtool", *arguments]
    done = subprocess.run(command, input=page, capture_output=True, text=True)
    equal(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr
