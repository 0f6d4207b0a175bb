"""A bare client of Coinbase's user endpoint for tests: it sends what it is told and keeps what it passes over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from coinbase import jwt_generator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.exchange_process import ExchangeProcess, PaperAccount

SECONDS = 20.0
Message = dict[str, Any]


class CoinbaseSocket:
    """``numbers`` are those of all messages that were received."""

    def __init__(self, exchange: ExchangeProcess, path: str = "") -> None:
        url = exchange.addresses["coinbase"]["ws_auth"] + path
        self._socket = connect(url, open_timeout=SECONDS, close_timeout=0.2)
        self.messages: list[Message] = []
        self.numbers: list[int] = []

    def send(self, message: object) -> None:
        self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def subscribe(self, channel: str, account: PaperAccount | None = None, **more: object) -> None:
        """With a token of ``account``; ``more`` adds to the message or replaces what is in it."""
        message: dict[str, object] = {"type": "subscribe", "channel": channel}
        if account is not None:
            message["jwt"] = jwt_generator.build_ws_jwt(account.api_key, account.api_secret)
        self.send({**message, **more})

    def receive(self, seconds: float = SECONDS) -> Message:
        """The next message; raises TimeoutError or ConnectionClosed."""
        message: Message = json.loads(self._socket.recv(timeout=seconds))
        if "sequence_num" in message:
            self.numbers.append(message["sequence_num"])
        return message

    def wait_for(self, wanted: Callable[[Message], Any], *, seconds: float = SECONDS) -> Message:
        """The first message, passed over ones included, that ``wanted`` likes."""
        for message in self.messages:
            if wanted(message):
                self.messages.remove(message)
                return message
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(max(0.01, deadline - time.monotonic()))
            if wanted(message):
                return message
            self.messages.append(message)

    def of(self, channel: str) -> Message:
        """The event of the next message of a channel."""
        message = self.wait_for(lambda one: one.get("channel") == channel)
        [event] = message["events"]
        shown: Message = event
        return shown

    def order(self, status: str) -> Message:
        """The next update of an order in that state."""
        while True:
            event = self.of("user")
            if event["type"] == "update" and event["orders"][0]["status"] == status:
                row: Message = event["orders"][0]
                return row

    def error(self) -> str:
        return str(self.wait_for(lambda one: one.get("type") == "error")["message"])

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
