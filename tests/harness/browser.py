"""A headless Chromium, driven over WebDriver's plain HTTP, and axe-core, which knows accessibility."""

import atexit
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from . import npm
from .apt import install_packages
from .places import locked
from .progress import HarnessError

AXE = "axe-core@4.11.0"
# Long enough for a start on a busy machine.
START_SECONDS = 60
ANSWER_SECONDS = 60
# Longest wait for an element of a page that is just being loaded or replaced.
REPLACED_SECONDS = 10
# Chromium gives root no sandbox, and tests reach no server of other people.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-device-scale-factor=1", "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip
# The key under which WebDriver hands out elements.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# One run of axe-core for the rules about colours, on the elements that a selector finds, and one for all others.
BARRIERS = """const [colours, others, done] = arguments;
const about = ['color-contrast', 'link-in-text-block'];
const told = {resultTypes: ['violations']};
const found = [];
const look = (context, options) => axe.run(context, {...told, ...options}).then((r) => found.push(...r.violations));
(async () => {
    const of = colours === 'document' ? document : [...document.querySelectorAll(colours)];
    await look(of, {runOnly: {type: 'rule', values: about}});
    if (others) await look(document, {rules: Object.fromEntries(about.map((rule) => [rule, {enabled: false}]))});
    done(found);
})().catch((e) => done([{id: String(e), nodes: []}]));"""


def ensure() -> tuple[str, str]:
    """Chromium and its driver, installed first if root asks and they are missing: two paths."""
    with locked("chromium"):  # half of an installation, by another process, is none
        if not (shutil.which("chromium") and shutil.which("chromedriver")):
            packages = ["chromium", "chromium-driver", "fonts-liberation"]
            install_packages(packages, "Chromium, in which the console is tested, is not installed")
    return shutil.which("chromium"), shutil.which("chromedriver")


def axe() -> str:
    """The source of axe-core, fetched once."""
    return (npm.package(AXE) / "axe.min.js").read_text()


class BrowserError(Exception):
    """What WebDriver says went wrong, and its own name for it."""

    def __init__(self, kind: str, message: str):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class Element:
    """A part of the page, and how it was found."""

    id: str
    using: str
    value: str


class Browser:
    """``with Browser() as browser:`` is one window, without cookies.

    Chromium itself is kept for the next one of this process, because its start takes longer than most tests; ``end_all``
    ends it. After a failure it is not kept.
    """

    # Those that wait for the next test, by whether they run scripts.
    idle: ClassVar[dict[bool, "Browser"]] = {}

    def __init__(self, width: int = 1280, height: int = 900, script: bool = True):
        self.size = (width, height)
        self.script = script
        self.directory: Path | None = None
        self.driver: subprocess.Popen | None = None
        self.base = ""

    def __enter__(self) -> "Browser":
        try:
            if not self._takes_over():
                self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind=None, *_exception) -> None:
        try:
            keeps = kind is None and self.script not in Browser.idle and self._is_as_new()
        except (BrowserError, OSError):
            keeps = False
        if keeps:
            Browser.idle[self.script] = self
        else:
            self.end()

    @staticmethod
    def end_all() -> None:
        """End those that are kept."""
        while Browser.idle:
            Browser.idle.popitem()[1].end()

    def end(self) -> None:
        """End Chromium and its driver."""
        if self.driver is not None:
            try:
                if self.base.count("/session/"):
                    self._call("DELETE", "")
            except (BrowserError, OSError):
                pass
            self.driver.kill()
            self.driver.wait()
            self.driver = None
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    # -- what a person does -----------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go there, and wait until it has loaded."""
        self._call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """Where it is."""
        return self._call("GET", "/url")

    @property
    def title(self) -> str:
        """The page's title."""
        return self._call("GET", "/title")

    def find(self, css: str) -> "Element":
        """The first element like that; an error if none comes."""
        return self._find("css selector", css)

    def find_all(self, css: str) -> list[str]:
        """All elements like that."""
        found = self._call("POST", "/elements", {"using": "css selector", "value": css})
        return [element[ELEMENT] for element in found]

    def link(self, text: str) -> "Element":
        """The link with exactly this text."""
        return self._find("link text", text)

    def click(self, element: "Element") -> None:
        """Click on it."""
        self._on(element, "POST", "click", {})

    def write(self, element: "Element", text: str) -> None:
        """Type into it."""
        self._on(element, "POST", "value", {"text": text})

    def text(self, css: str = "body") -> str:
        """What a person can read there."""
        return self._on(self.find(css), "GET", "text")

    def texts(self, css: str) -> list[str]:
        """What a person can read in each element like that."""
        return self.run(f"return [...document.querySelectorAll({json.dumps(css)})].map((one) => one.innerText)")

    # -- what a developer does --------------------------------------------------------------------

    def run(self, script: str, *arguments):
        """Run a function's body in the page; its value."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str, *arguments):
        """The same; the last argument is what to call with the value."""
        return self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, **parameters):
        """A command of Chromium's own."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int) -> None:
        """Another size of the window, such as a phone's."""
        self.size = (width, height)
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def scheme(self, name: str) -> None:
        """Prefer ``dark`` or ``light``."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def complaints(self) -> list[str]:
        """What the browser wrote to its console since the last call."""
        return [line["message"] for line in self._call("POST", "/se/log", {"type": "browser"})]

    def cookies(self) -> list[dict]:
        """The page's cookies."""
        return self._call("GET", "/cookie")

    def height(self) -> int:
        """The page's height in pixels, from its top to its end."""
        return round(self.devtools("Page.getLayoutMetrics")["cssContentSize"]["height"])

    def picture(self, path: Path, whole: bool = True, part: tuple[int, int] | None = None) -> None:
        """A PNG of the page, from its top to its end or as much as the window shows; or from one height to another."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Larger files, and written in less than half the time.
        parameters = {"format": "png", "captureBeyondViewport": whole, "optimizeForSpeed": True}
        if whole:
            top, bottom = part or (0, self.height())
            parameters["clip"] = {"x": 0, "y": top, "width": self.size[0], "height": bottom - top, "scale": 1}
        path.write_bytes(base64.b64decode(self.devtools("Page.captureScreenshot", **parameters)["data"]))

    def barriers(self, colours: str = "document", others: bool = True) -> list[str]:
        """The barriers to accessibility that axe-core finds on the page.

        To judge the colours of an element takes longer than all else, so they can be left to those that a selector finds;
        and what has no colour is the same in the other scheme, where ``others`` need not be looked at again.
        """
        if not self.run("return window.axe !== undefined"):
            self.devtools("Runtime.evaluate", expression=axe() + "\n;true")  # in half the time of run()
        found = self.run_async(BARRIERS, colours, others)
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"] or [{"html": ""}]]

    # -- WebDriver ----------------------------------------------------------------------------------

    def _takes_over(self) -> bool:
        """Go on with one that is kept, if there is one and it answers."""
        kept = Browser.idle.pop(self.script, None)
        if kept is None:
            return False
        self.driver, self.base, self.directory = kept.driver, kept.base, kept.directory
        kept.driver = kept.directory = None
        try:
            self.resize(*self.size)
        except (BrowserError, OSError):
            self.end()
            self.base = ""
            return False
        return True

    def _is_as_new(self) -> bool:
        """Forget the test: its page, its cookies, its colours and its complaints; whether that is all there was."""
        self.open("about:blank")
        self.devtools("Network.clearBrowserCookies")
        self.devtools("Emulation.setEmulatedMedia", features=[])
        self.complaints()
        return len(self._call("GET", "/window/handles")) == 1

    def _start(self) -> None:
        chromium, driver = ensure()
        self.directory = Path(tempfile.mkdtemp(prefix="chromium-"))
        log = (self.directory / "driver.log").open("w")
        self.driver = subprocess.Popen(
            [driver, "--port=0"], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(self.directory)}, cwd=self.directory,
        )  # fmt: skip
        self.base = f"http://127.0.0.1:{self._port()}"
        flags = [
            *FLAGS,
            f"--user-data-dir={self.directory / 'profile'}",
            f"--window-size={self.size[0]},{self.size[1]}",
        ]
        options: dict = {"binary": chromium, "args": flags}
        if not self.script:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/session/{session['sessionId']}"
        self.resize(*self.size)

    def _port(self) -> int:
        deadline = time.monotonic() + START_SECONDS
        log = self.directory / "driver.log"
        while True:
            for line in log.read_text(errors="replace").splitlines():
                if "started successfully on port" in line:
                    return int(line.rstrip(".").split()[-1])
            if self.driver.poll() is not None or time.monotonic() > deadline:
                raise HarnessError(f"chromedriver does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)

    def _find(self, using: str, value: str) -> "Element":
        """An element that is there, or is about to be: between two pages there is not even a body."""
        deadline = time.monotonic() + REPLACED_SECONDS
        while True:
            try:
                found = self._call("POST", "/element", {"using": using, "value": value})[ELEMENT]
                return Element(found, using, value)
            except BrowserError as error:
                if error.kind != "no such element" or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def _on(self, element: "Element", method: str, path: str, body: dict | None = None):
        """Does it to the element, or to the one in its place if the page was just replaced: by its own
        refresh, or by the page that a click opens. Nothing was done to one that is gone."""
        deadline = time.monotonic() + REPLACED_SECONDS
        while True:
            try:
                return self._call(method, f"/element/{element.id}/{path}", body)
            except BrowserError as error:
                # The second is ChromeDriver's other word for an element whose page was just replaced.
                gone = error.kind == "stale element reference" or "does not belong to the document" in str(error)
                if not gone or time.monotonic() > deadline:
                    raise
            element = self._find(element.using, element.value)

    def _call(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            problem = json.load(error)["value"]
            raise BrowserError(problem["error"], f"{method} {path}: {problem['message'][:500]}") from error


atexit.register(Browser.end_all)
