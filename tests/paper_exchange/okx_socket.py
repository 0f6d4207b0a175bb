"""A bare client of OKX's private socket for tests: it sends what it is told and keeps every message in order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from paper_exchange.clock import SystemClock
from tests.exchange_process import ExchangeProcess, PaperAccount

SECONDS = 30.0
PATH = "/ws/v5/private"
CLOCK = SystemClock()
Message = dict[str, Any]


class OkxSocket:
    """``messages`` are those that were looked at and passed over; ``pong`` is kept as ``{"text": "pong"}``."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount, *, path: str = PATH) -> None:
        self.account = account
        self._socket = connect(exchange.addresses["okx"]["ws_auth"] + path, open_timeout=SECONDS, close_timeout=0.2)
        self.messages: list[Message] = []

    def send(self, message: object) -> None:
        self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def login(self, *, ahead_seconds: float = 0.0, **changed: str) -> Message:
        """Log in and return the answer; ``changed`` replaces fields of the login."""
        timestamp = str(CLOCK.now_ns() // 1_000_000_000 + round(ahead_seconds))
        text = f"{timestamp}GET/users/self/verify".encode()
        mac = hmac.new(self.account.api_secret.encode(), text, hashlib.sha256)
        fields = {
            "apiKey": self.account.api_key,
            "passphrase": self.account.api_passphrase,
            "timestamp": timestamp,
            "sign": base64.b64encode(mac.digest()).decode(),
        }
        self.send({"op": "login", "args": [{**fields, **changed}]})
        return self.wait_for(lambda one: one.get("event") in ("login", "error"))

    def subscribe(self, **argument: str) -> Message:
        """Subscribe to a channel and return the answer."""
        self.send({"op": "subscribe", "args": [argument]})
        return self.wait_for(lambda one: one.get("event") in ("subscribe", "error"))

    def ask(self, operation: str, *arguments: Message, **more: str) -> Message:
        """The answer to an order or a cancel."""
        self.send({"id": "q1", "op": operation, "args": list(arguments), **more})
        return self.wait_for(lambda one: one.get("id") == "q1")

    def push(self, channel: str = "orders") -> Message:
        """The next row of a channel."""
        message = self.wait_for(lambda one: "event" not in one and one.get("arg", {}).get("channel") == channel)
        row: Message = message["data"][0]
        return row

    def order(self, state: str) -> Message:
        """The next update of an order in that state."""
        while True:
            row = self.push()
            if row["state"] == state:
                return row

    def receive(self, seconds: float = SECONDS) -> Message:
        """The next message; raises TimeoutError or ConnectionClosed."""
        text = self._socket.recv(timeout=seconds)
        assert isinstance(text, str)
        message: Message = {"text": text} if text == "pong" else json.loads(text)
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

    def ended(self, seconds: float = SECONDS) -> int:
        """Wait until the exchange closes the connection; the code it gave, 1006 if none."""
        try:
            while True:
                self.receive(seconds)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
