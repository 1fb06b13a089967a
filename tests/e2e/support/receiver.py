"""A receiver of notifications: it answers as each test wants, and remembers what it was sent."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = base64.b64encode(b"thirty-two bytes of a test, or so").decode()
# A post that is older for its receiver is no longer believed, as Standard Webhooks proposes.
AGE_SECONDS_MAX = 300


@dataclass
class Post:
    """One request."""

    path: str
    headers: dict[str, str]
    text: str
    answered: int

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict:
        """The JSON."""
        return json.loads(self.text)

    @property
    def account(self) -> str:
        """The account that it is about."""
        return self.body["data"]["account_id"]

    @property
    def note(self) -> str:
        """The note of a breaker's change."""
        return self.body["data"]["note"]

    def verify(self, secret: str = SECRET) -> None:
        """Standard Webhooks, as its text describes it; a signature of this secret has to be there."""
        sent_at = int(self.headers["webhook-timestamp"])
        assert abs(time.time() - sent_at) < AGE_SECONDS_MAX, sent_at
        signed = f"{self.id}.{sent_at}.{self.text}".encode()
        digest = hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode()
        assert expected in self.headers["webhook-signature"].split(" "), self.headers


class Receiver:
    """``with Receiver(answer) as receiver:`` listens on a port of 127.0.0.1.

    ``answer`` is called with the path and how often the same event came there before, and returns a status, or a status
    and headers; it may wait until ``released`` is set. ``tls`` names a certificate without its ending.
    """

    def __init__(self, answer: Callable[[str, int], int | tuple[int, dict]] = lambda _path, _n: 204, port: int = 0,
                 tls: Path | None = None):  # fmt: skip
        self.answer = answer
        self.posts: list[Post] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._began: list[tuple[str, str | None]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.server.daemon_threads = True
        # A sender that goes away is no fault of the receiver's.
        self.server.handle_error = lambda *_: None
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{tls}.pem", f"{tls}.key")
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_exception) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def began(self, path: str) -> int:
        """How many requests for a path have come, answered or not."""
        return sum(1 for where, _ in self._began if where == path)

    def taken(self, path: str) -> list[Post]:
        """The requests for a path that were answered with 2xx, in order."""
        return [post for post in self.posts if post.path == path and 200 <= post.answered < 300]

    def _handler(self) -> type:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                attempt = (self.path, self.headers["webhook-id"])
                with receiver._lock:
                    before = receiver._began.count(attempt)
                    receiver._began.append(attempt)
                answer = receiver.answer(self.path, before)
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                sent = {name.lower(): value for name, value in self.headers.items()}
                with receiver._lock:
                    receiver.posts.append(Post(self.path, sent, text, status))
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender did not wait

            do_GET = do_POST

            def log_message(self, *_arguments):
                pass

        return Handler
