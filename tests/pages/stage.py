"""A server with accounts, a daemon, and an operator who is signed in: what is measured and pictured."""

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from harness import build, postgres
from harness.browser import Browser
from harness.cluster import Cluster
from harness.progress import HarnessError, progress
from pages import terminal, world

VERSION = 18
TOKEN = "a token for pictures and figures"
START_SECONDS = 60
JOURNALLED_MAX = 20_000
SERVER = {"fsync": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}


class Stage:
    """``with Stage(accounts) as stage:``; ``base`` is the console's address. ``fill(psql, accounts)`` fills the database,
    otherwise than with the world of the figures. Nothing is kept, so the server need not wait for its disk."""

    def __init__(self, accounts: int, fill: Callable[[Callable[[str], str], int], None] | None = None):
        self.accounts = accounts
        self.fill = fill or (lambda psql, accounts: world.load(psql, accounts, min(accounts, JOURNALLED_MAX)))
        self.directory = Path(tempfile.mkdtemp(prefix="console-"))
        self.cluster: Cluster | None = None
        self.daemon: subprocess.Popen | None = None
        self.base = ""
        self.cookie = ""

    def __enter__(self) -> "Stage":
        try:
            self._set()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait()
        if self.cluster is not None:
            self.cluster.destroy()
        for file in self.directory.iterdir():
            file.unlink()
        self.directory.rmdir()

    def sign_in(self, browser: Browser) -> None:
        """Sign a browser in."""
        browser.open(self.base + "/sign-in")
        browser.write(browser.find("#token"), TOKEN)
        browser.click(browser.find("main form button[type=submit]"))
        # The page that it leads to must not come after the one that is asked for next.
        deadline = time.monotonic() + START_SECONDS
        while not any("Signed in as" in text for text in browser.texts("header")):
            if time.monotonic() > deadline:
                raise HarnessError("signing in does not lead to a page")
            time.sleep(0.02)

    def get(self, page: str) -> tuple[int, dict[str, str]]:
        """A page, as the operator: (status, headers)."""
        request = urllib.request.Request(self.base + page, headers={"Cookie": self.cookie})
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    def typed(self, arguments: list[str]) -> str:
        """A page with what a command of the daemon prints on a terminal; its address."""
        title = " ".join(["sendgated", *arguments])
        environment = {"SENDGATED_DATABASE_URL": self.url}
        return terminal.page(title, [self.program, *arguments], environment, self.directory / "terminal.html")

    def _set(self) -> None:
        install = postgres.for_version(VERSION)
        build.build_and_install(install)
        self.program = build.build_daemon()
        self.cluster = Cluster(install, conf=SERVER)
        self.cluster.create()
        self.cluster.start()
        self.cluster.fresh_database("console", build.EXTENSION)
        progress(f"  loading {self.accounts:,} accounts")
        # The past is made at the instants at which it happened.
        self.cluster.configure(sendgate__test_clock="on")
        self.fill(lambda sql: self.cluster.psql(sql, "console"), self.accounts)
        self.cluster.configure(sendgate__test_clock=None)
        self.cluster.psql("CREATE ROLE sendgated LOGIN; GRANT sendgate_daemon TO sendgated")
        tokens = self.directory / "tokens.toml"
        tokens.write_text(f'[tokens]\nada = "{TOKEN}"\n')
        tokens.chmod(0o600)
        log = self.directory / "log"
        self.url = f"postgres://sendgated@{self.cluster.host}:{self.cluster.port}/console"
        with log.open("w") as file:
            self.daemon = subprocess.Popen(
                [self.program, "run", "--listen=127.0.0.1:0", f"--tokens-file={tokens}"],
                env={"SENDGATED_DATABASE_URL": self.url},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        self.base = f"http://{self._address(log)}"
        self.cookie = self._signed_in()

    def _address(self, log: Path) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.daemon.poll() is None:
            for line in log.read_text().splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line)["message"] == "started":
                    return json.loads(line)["listen"]
            time.sleep(0.02)
        raise HarnessError(f"sendgated does not start:\n{log.read_text()}")

    def _signed_in(self) -> str:
        form = urllib.parse.urlencode({"token": TOKEN}).encode()
        request = urllib.request.Request(f"{self.base}/sign-in", form, {"Origin": self.base})
        opener = urllib.request.build_opener(_Stay())
        try:
            opener.open(request, timeout=START_SECONDS)
        except urllib.error.HTTPError as answer:
            return answer.headers["Set-Cookie"].split(";")[0]
        raise HarnessError("signing in did not work")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it: the cookie is on it."""

    def redirect_request(self, *_arguments):
        return None
