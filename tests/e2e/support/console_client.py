"""What the console's tests share: a daemon with operators, and a client that keeps cookies."""

import html
import http.client
import re
import tempfile
from pathlib import Path
from urllib.parse import quote, urlencode

from e2e.support import equal, wait_for
from e2e.support.daemon_process import HTTP_SECONDS, Daemon
from harness.browser import Browser, BrowserError

# The button of a page's form.
SUBMIT = "main form button[type=submit]"
TOKENS = {"ada": "ada's very own token, 1815", "grace": "grace's very own token, 1906"}
# Every page with a menu entry, and the one that is not there.
PAGES = ("/", "/campaigns", "/events", "/alerts", "/unknown", "/heartbeats", "/log")


class ConsoleDaemon(Daemon):
    """A daemon whose console Ada and Grace may sign in to."""

    def __init__(self, env, tokens: dict[str, str] | None = TOKENS, listen: str = "127.0.0.1:0", **environment):
        super().__init__(env, **environment)
        self.listen = listen
        self.secrets = Path(tempfile.mkdtemp(prefix="tokens-"))
        if tokens is not None:
            file = self.secrets / "tokens.toml"
            file.write_text(tokens_file(tokens))
            file.chmod(0o600)
            self.environment["SENDGATED_TOKENS_FILE"] = str(file)

    def __exit__(self, *exception) -> None:
        super().__exit__(*exception)
        for file in self.secrets.iterdir():
            file.unlink()
        self.secrets.rmdir()

    @property
    def base(self) -> str:
        """The console's address."""
        return f"http://{self.address()}"


def tokens_file(tokens: dict[str, str]) -> str:
    """The file's text."""
    return "[tokens]\n" + "".join(
        f'{name} = "{token}"\n'
        if isinstance(token, str)
        else f'{name} = {{ token = "{token[0]}", role = "{token[1]}" }}\n'
        for name, token in tokens.items()
    )


class Client:
    """A browser without a window: it keeps the cookie, and sends what it is told."""

    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.host = daemon.address()
        self.cookie = ""
        self.headers: dict[str, str] = {}

    def send(self, method: str, path: str, body: str | None = None, headers: dict[str, str | None] | None = None):
        """(status, text); the answer's headers stay in ``headers``. A header that is None is left out."""
        wanted: dict[str, str | None] = {"Host": self.host}
        if self.cookie:
            wanted["Cookie"] = self.cookie
        if body is not None:
            wanted |= {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
        wanted |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=HTTP_SECONDS)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in wanted.items():
                if value is not None:
                    connection.putheader(name, value)
            data = (body or "").encode()
            if body is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data or None)
            answer = connection.getresponse()
            text = answer.read().decode()
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        return answer.status, text

    def get(self, path: str, **headers: str | None):
        """A page."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, form: dict[str, str], **headers: str | None):
        """A form."""
        return self.send("POST", path, urlencode(form), headers)

    def sign_in(self, token: str = TOKENS["ada"]) -> int:
        """Sign in, and keep the cookie; the status."""
        status, _ = self.post("/sign-in", {"token": token})
        if "set-cookie" in self.headers:
            self.cookie = self.headers["set-cookie"].split(";")[0]
        return status

    def csrf(self) -> str:
        """The token of the session's forms."""
        return csrf_of(self.get("/")[1])

    def act(self, what: str, account: str = "", item: str = "", note: str = "because", **form: str):
        """Do it as the page's form does."""
        return self.post(act_path(what, account, item), {"csrf": self.csrf(), "note": note} | form)


def act_path(what: str, account: str = "", item: str = "") -> str:
    """Where it is asked about and done."""
    return f"/act?do={what}&id={quote(account, safe='')}&item={item}"


def csrf_of(page: str) -> str:
    """The token in a page's form."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found, "the page has no form of this session"
    return found[1]


def next_page(page: str) -> str | None:
    """Where the next page is, if there is one."""
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return html.unescape(found[1]) if found else None


def card_ids(page: str) -> list[str]:
    """The accounts of a page, in its order."""
    return [html.unescape(found) for found in re.findall(r'<bdi class="id">([^<]*)</bdi>', page)]


def words(page: str) -> str:
    """What a person reads of a page."""
    text = re.sub(r"<(style|script|title)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def says(browser: Browser, text: str) -> None:
    """The page says so, or the one that is about to come does."""

    def there() -> bool:
        try:
            return text in browser.text("main")
        except BrowserError:  # the old page went away meanwhile
            return False

    wait_for(there, f"the page to say {text!r}")


def take_over(browser: Browser, client: Client) -> None:
    """The browser goes on with the client's session."""
    name, value = client.cookie.split("=")
    browser.devtools("Network.setCookie", url=client.daemon.base, name=name, value=value)


class Console:
    """``with Console(env) as console:`` is a browser in which Ada is signed in."""

    def __init__(self, env):
        self.daemon = ConsoleDaemon(env)
        self.browser = Browser()

    def __enter__(self) -> "Console":
        self.daemon.__enter__()
        try:
            self.browser.__enter__()
            self.open("/sign-in")
            self.browser.write(self.browser.find("#token"), TOKENS["ada"])
            self.press("Sign in")
            wait_for(lambda: "Signed in as ada" in self.browser.text("body"), "the session")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception) -> None:
        self.browser.__exit__()
        self.daemon.__exit__(*exception)

    def open(self, path: str) -> None:
        """Go to a page."""
        self.browser.open(self.daemon.base + path)

    def press(self, name: str) -> None:
        """Press the button of the page's form."""
        equal(self.browser.text(SUBMIT), name, "the button")
        self.browser.click(self.browser.find(SUBMIT))

    def follow(self, name: str) -> None:
        """Click on a link."""
        self.browser.click(self.browser.link(name))

    def confirm(self, name: str, note: str | None = "as the test says") -> None:
        """Read what will happen, give a note and press the button."""
        self.says("What will happen")
        equal(self.browser.barriers(), [], "barriers")
        if note is not None:
            self.browser.write(self.browser.find("#note"), note)
        self.press(name)
        equal(self.browser.complaints(), [], "complaints")

    def says(self, text: str) -> None:
        """The page says so."""
        says(self.browser, text)
