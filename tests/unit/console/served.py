"""A console that serves on loopback, over a store that a test wrote, and a plain client that sends what it is told."""

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.console.__main__ import make_context
from bot.console.context import Context
from bot.console.server import listen, serve
from bot.settings import load_settings
from tests.stored_bot import write_configuration

CONTROL_PASSWORD = "correct horse battery"
VIEW_PASSWORD = "only looking here"
CONTROL_TOKEN = "c0ntr0l-" + "k" * 30
VIEW_TOKEN = "v1ew-" + "w" * 30
WITH_PASSWORDS = {
    "NIJA_CONSOLE_PASSWORD": CONTROL_PASSWORD,
    "NIJA_CONSOLE_VIEW_PASSWORD": VIEW_PASSWORD,
    "NIJA_CONSOLE_TOKEN": CONTROL_TOKEN,
    "NIJA_CONSOLE_VIEW_TOKEN": VIEW_TOKEN,
}


@dataclass(frozen=True)
class Answer:
    """`headers` by small name; a header that came twice is joined."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """What a browser would send back."""
        return self.headers.get("set-cookie", "").partition(";")[0]


class Served:
    """A context manager. `bind` is what the console believes that it listens on: it is always loopback in truth."""

    def __init__(
        self, directory: Path, *, bind: str = "127.0.0.1", kept: bool = True, environ: Mapping[str, str] = {}
    ) -> None:
        given = {"STATE_DIR": str(directory), **environ}
        settings = load_settings(environ=given, config_dir=write_configuration(directory))
        self.context: Context = make_context(settings, given, bind, kept=kept)
        self._listening = listen("127.0.0.1", 0)
        self.port = self._listening.socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=serve, args=(self.context, self._listening), kwargs={"announce": lambda _: self._ready.set()}
        )

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def ask(
        self, method: str, path: str, *, body: Any = None, host: str | None = None, **headers: str | None
    ) -> Answer:
        """`headers` with underscores for hyphens; None = without it. A body that is no bytes is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        content = body
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": self.host if host is None else host, **sent}.items():
                connection.putheader(name, value.encode("latin-1"))
            if content is not None and "Transfer-Encoding" not in sent:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            reply = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in reply.getheaders():
                found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
            return Answer(reply.status, found, reply.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str | None) -> Answer:
        """As our own page does it; `Origin=None` and the like take something away."""
        return self.ask("POST", path, body=body, **{"Origin": self.origin, "Sec_Fetch_Site": "same-origin", **headers})

    def open_page(self) -> "Browser":
        """Without a password on this machine: the page itself makes the session."""
        return Browser(self, self.get("/").cookie)

    def sign_in(self, password: str) -> "Browser":
        answer = self.post("/api/v1/sign-in", {"password": password})
        assert answer.status == 200, answer.text
        return Browser(self, answer.cookie)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.news.ended.set()
        self._thread.join(20)


class Browser:
    """With a session: its cookie, and its page's token."""

    def __init__(self, served: Served, cookie: str) -> None:
        self.served = served
        self.cookie = cookie
        self.session: dict[str, Any] = served.get("/api/v1/session", Cookie=cookie).json

    @property
    def csrf(self) -> str:
        return str(self.session["csrf"])

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.served.get(path, Cookie=self.cookie, **headers)

    def post(self, path: str, body: Any, **headers: str | None) -> Answer:
        return self.served.post(path, body, **{"Cookie": self.cookie, "X_CSRF_Token": self.csrf, **headers})
