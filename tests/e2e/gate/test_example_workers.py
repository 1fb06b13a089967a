"""The example workers tell the InMail balance once an hour. Their clock jumps ahead at a signal, so no test waits."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from e2e.support import equal, login, provision, wait_for
from e2e.support.drivers import node_home
from harness.progress import own_environment

NEWEST_ONLY = True
# The first test may have to fetch the driver.
TIMEOUT_SECONDS = 600
ENDING_SECONDS_MAX = 15
FIRST, SHOWN = 5, 40

# An hour passes for the worker's own clock, by which it looks at balances; the rest of the process goes on as it was.
PYTHON = """
import runpy, signal, sys, time
import concurrent.futures, psycopg, urllib.request
now, hours = time.monotonic, []
time.monotonic = lambda: now() + 3600 * len(hours)
signal.signal(signal.SIGUSR2, lambda *_: hours.append(1))
runpy.run_path(sys.argv[1], run_name="__main__")
"""
NODE = """
const now = Date.now;
let hours = 0;
Date.now = () => now() + 3600_000 * hours;
process.on("SIGUSR2", () => { hours += 1; });
"""
QUERIES = "SELECT query_start FROM pg_catalog.pg_stat_activity WHERE usename = 'worker'"
TOLD = """SELECT balance, actor, observed_at < recorded_at FROM sendgate.credit_balances
          WHERE account_id = 'a' ORDER BY id"""


class Provider:
    """Delivers everything. Asked for a balance it fails the first time, and then shows it as Unipile does."""

    def __init__(self):
        self.asked: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(201, {"chat_id": "chat-1"})

            def do_GET(self):
                provider.asked.append(self.path)
                if len(provider.asked) == 1:
                    return self.answer(503, {"type": "errors/service_unavailable"})
                return self.answer(200, {"premium": None, "recruiter": None, "sales_navigator": SHOWN})

            def answer(self, status: int, body: dict) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Provider":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def working(env, command: list, provider: Provider):
    """A worker; it has to end when it is asked to, without an error."""
    url = f"postgres://{login(env, 'worker', 'sendgate_sender')}@127.0.0.1:{env.cluster.port}/{env.dbname}"
    worker = subprocess.Popen(
        [str(part) for part in command],
        env=own_environment({"DATABASE_URL": url, "PROVIDER_URL": provider.url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield worker
        worker.terminate()
        said = worker.communicate(timeout=ENDING_SECONDS_MAX)[0]
        equal((worker.returncode, said), (0, ""), "how the worker ended, and what it said")
    finally:
        worker.kill()
        worker.wait()


def once_an_hour(env, command: list) -> None:
    provision(env)
    env.psql(f"SELECT sendgate.record_credit_balance('a', {FIRST}), sendgate.enqueue('k', 'p', 'a', 'inmail')")
    admin = env.connect()

    def calls(number: int) -> None:
        """Waits until the worker has asked the gate so many times more."""
        seen = set()
        wait_for(lambda: seen.update(admin.execute(QUERIES).fetchall()) or len(seen) > number, "the worker's calls")

    with Provider() as provider, working(env, command, provider) as worker:
        event = "SELECT chat_id FROM sendgate.linkedin_events WHERE account_id = 'a'"
        wait_for(lambda: admin.execute(event).fetchone() == ("chat-1",), "the InMail")
        calls(2)
        equal(provider.asked, [], "looks at the balance in the first hour")
        worker.send_signal(signal.SIGUSR2)
        wait_for(lambda: provider.asked, "the first look")
        calls(2)
        path = "/api/v1/linkedin/inmail_balance?account_id=a"
        equal(provider.asked, [path], "looks in the second hour, in which the provider shows nothing")
        equal([row[0] for row in admin.execute(TOLD)], [FIRST], "balances that are told")
        worker.send_signal(signal.SIGUSR2)
        wait_for(lambda: len(admin.execute(TOLD).fetchall()) == 2, "the balance to be told")
        calls(2)
        equal(provider.asked, [path] * 2, "looks at the balance in three hours")
    equal(admin.execute(TOLD).fetchall()[1:], [(SHOWN, "worker", True)], "the balance, who told it, and as of before")
    left = admin.execute("SELECT credits_left FROM sendgate.credits WHERE account_id = 'a'").fetchone()
    equal(left, (SHOWN,), "credits left: what was delivered before is in the balance")


def test_the_python_worker_tells_the_balance_once_an_hour(env):
    once_an_hour(env, [sys.executable, "-c", PYTHON, env.repo / "examples" / "worker.py"])


def test_the_node_worker_tells_the_balance_once_an_hour(env, tmp_path):
    clock = tmp_path / "clock.cjs"
    clock.write_text(NODE)
    once_an_hour(env, ["node", "--require", clock, node_home() / "worker.mjs"])
