"""A venue on loopback that answers with whatever bytes a test wants, and remembers every request to the byte."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit

JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def name(self) -> str:
        """`AddOrder` of Kraken, `orders` of Coinbase: the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Said:
    """One answer. `hang_up` closes the connection after `body`, whatever the length said."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False

    @classmethod
    def of(cls, document: object, status: int = 200) -> "Said":
        return cls(json.dumps(document).encode(), status)

    def to_bytes(self) -> bytes:
        headers = {"Content-Length": str(len(self.body)), "Content-Type": JSON_TYPE, **self.headers}
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


Answer = Callable[[Asked], Said]


def venue_time(asked: Asked) -> Said | None:
    """The time of either venue, so that orders can be sent; None for every other request."""
    now = time.time()
    if asked.name == "Time":
        return Said.of({"error": [], "result": {"unixtime": int(now)}})
    if asked.name == "time":
        return Said.of({"epochMillis": str(int(now * 1000))})
    return None


class RawVenue:
    """Answers the time truly and everything else with `answer`. `asked` leaves the questions for the time out."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or (lambda _: Said())
        self.asked: list[Asked] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def named(self, name: str) -> list[Asked]:
        return [one for one in self.asked if one.name == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError, ValueError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while self._exchange(connection, reader):
                    pass
        finally:
            self._open.discard(connection)

    def _exchange(self, connection: socket.socket, reader: BinaryIO) -> bool:
        first = reader.readline().decode()
        if not first:
            return False
        method, target, _ = first.split(" ")
        headers: dict[str, str] = {}
        while (line := reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        asked = Asked(method, target, headers, reader.read(int(headers.get("content-length", "0"))))
        said = venue_time(asked)
        if said is None:
            self.asked.append(asked)
            said = self.answer(asked)
        connection.sendall(said.to_bytes())
        return not said.hang_up
