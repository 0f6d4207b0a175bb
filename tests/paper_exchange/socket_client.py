"""A bare client of Kraken's sockets for tests: it sends what it is told and keeps every message in order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from socket import SHUT_RDWR
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.paper_exchange.kraken_client import KrakenClient

SECONDS = 40.0
"""A quiet minute of the market has eight trades: what only trades bring may take a while."""
Message = dict[str, Any]


class SocketClient:
    """``messages`` are those that were looked at and passed over; amounts are Decimal, written as on the wire."""

    def __init__(self, url: str, token: str | None = None, *, compression: str | None = None) -> None:
        # A message that nobody took keeps this library from seeing the other end of a close, however long it waits.
        self._socket = connect(url, open_timeout=SECONDS, close_timeout=0.2, compression=compression, max_size=None)
        self.token = token
        self.messages: list[Message] = []
        self.texts: list[str] = []
        self._req_id = 0

    def send(self, message: Message) -> None:
        self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def request(self, method: str, params: Message | None = None, **more: Any) -> int:
        """Send with the token, if there is one; returns the req_id."""
        self._req_id += 1
        given = {**({"token": self.token} if self.token else {}), **(params or {}), **more}
        self.send({"method": method, "params": given, "req_id": self._req_id})
        return self._req_id

    def ask(self, method: str, params: Message | None = None, **more: Any) -> Message:
        """The answer to a request."""
        req_id = self.request(method, params, **more)
        return self.wait_for(lambda message: message.get("req_id") == req_id)

    def ok(self, method: str, params: Message | None = None, **more: Any) -> Any:
        answer = self.ask(method, params, **more)
        assert answer["success"] is True, answer
        return answer["result"]

    def refused(self, method: str, params: Message | None = None, **more: Any) -> str:
        answer = self.ask(method, params, **more)
        assert answer["success"] is False and "result" not in answer, answer
        return str(answer["error"])

    def receive(self, seconds: float = SECONDS) -> Message:
        """The next message that is not yet in ``messages``; raises TimeoutError or ConnectionClosed."""
        text = self._socket.recv(timeout=seconds)
        assert isinstance(text, str)
        self.texts.append(text)
        message: Message = json.loads(text, parse_float=Decimal)
        self.messages.append(message)
        return message

    def wait_for(self, wanted: Callable[[Message], Any], *, seconds: float = SECONDS) -> Message:
        """The first message, old ones included, that ``wanted`` likes; it is taken out of ``messages``."""
        for message in self.messages:
            if wanted(message):
                self.messages.remove(message)
                return message
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(max(0.01, deadline - time.monotonic()))
            if wanted(message):
                self.messages.pop()
                return message

    def push(self, channel: str, kind: str | None = None) -> Message:
        """The next message of a channel."""
        return self.wait_for(lambda one: one.get("channel") == channel and kind in (None, one.get("type")))

    def event(self, exec_type: str) -> Message:
        """The first item of the next executions update of that type."""

        def wanted(message: Message) -> bool:
            return (
                message.get("channel") == "executions"
                and message["data"][:1] != []
                and (message["type"] == "update" and message["data"][0]["exec_type"] == exec_type)
            )

        item: Message = self.wait_for(wanted)["data"][0]
        return item

    def ended(self, seconds: float = SECONDS) -> int:
        """Wait until the exchange closes the connection; the code it gave, 1006 if none."""
        try:
            while True:
                self.receive(seconds)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006

    def die(self) -> None:
        """End the connection as a killed process does, without a close frame."""
        self._socket.socket.shutdown(SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def private_socket(addresses: dict[str, Any], kraken: KrakenClient, **more: Any) -> SocketClient:
    """A socket for orders and private streams, with a fresh token."""
    token = kraken.ok("GetWebSocketsToken")["token"]
    return SocketClient(addresses["kraken"]["ws_auth"] + "/v2", token, **more)
