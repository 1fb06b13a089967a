"""The example workers behind a proxy: one partition goes away, and they go on with the others."""

import subprocess
import sys

from e2e.gate.test_example_workers import ENDING_SECONDS_MAX, Provider
from e2e.proxy.test_proxy_calls import count, value
from e2e.support import equal, wait_for
from e2e.support.drivers import node_home
from e2e.support.partitions import COUNT, accounts_of
from harness.progress import own_environment

NEWEST_ONLY = True
# The first test may have to fetch the driver of Node.js.
TIMEOUT_SECONDS = 1200
AWAY = 1


def test_workers_go_on_without_a_partition(parts, tmp_path):
    name = parts.proxy()
    operator = parts.connect(name)
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        equal(value(operator, "SELECT sendgate.enqueue('k', 'p', %s, 'message')", account), True, account)
    parts.login("worker", "sendgate_sender")
    url = f"postgres://worker@{parts.proxies.host}:{parts.proxies.port}/{name}"
    commands = {
        "python": [sys.executable, parts.env.repo / "examples" / "worker.py"],
        "node": ["node", node_home() / "worker.mjs"],
    }
    logs = {language: tmp_path / language for language in commands}
    parts.down(AWAY)
    with Provider() as provider:
        environment = own_environment({"DATABASE_URL": url, "PROVIDER_URL": provider.url})
        workers = {}
        for language, command in commands.items():
            with logs[language].open("w") as log:
                workers[language] = subprocess.Popen(list(map(str, command)), env=environment, stdout=log, stderr=log)
        try:
            for language, log in logs.items():
                wait_for(lambda log=log: "is repeated later" in log.read_text(), f"{language} to meet the partition")
            for n in range(COUNT):
                if n != AWAY:
                    wait_for(lambda n=n: count(parts, n, "linkedin_events") == 1, f"the work of p{n}")
            parts.up(AWAY)
            wait_for(lambda: count(parts, AWAY, "linkedin_events") == 1, "the work of the partition that was away")
            for language, worker in workers.items():
                worker.terminate()
                equal(worker.wait(ENDING_SECONDS_MAX), 0, f"{language} ends; it said\n{logs[language].read_text()}")
        finally:
            for worker in workers.values():
                worker.kill()
                worker.wait()
