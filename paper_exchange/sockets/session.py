"""One client's connection as the exchange sees it: whose it is, and when something was last heard or said."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.api_keys import Account
from paper_exchange.clock import steady_seconds
from paper_exchange.sockets.connection import Connection


class SocketSession:
    def __init__(self, connection: Connection, *, connection_id: int) -> None:
        self.connection = connection
        self.connection_id = connection_id
        self.account: Account | None = None
        """Who proved last that it is theirs."""
        self.last_in = self.last_out = steady_seconds()
        self._silent_until = 0.0

    @property
    def account_name(self) -> str | None:
        return self.account.name if self.account is not None else None

    def note_arrival(self) -> None:
        self.last_in = steady_seconds()

    def send(self, payloads: Iterable[bytes]) -> None:
        self.last_out = steady_seconds()
        self.connection.send(payloads)

    def fall_silent(self, seconds: float) -> None:
        """Nothing more is sent for a while, nor later."""
        self.connection.silent = True
        self._silent_until = steady_seconds() + seconds

    def speak_again(self, now: float) -> None:
        if self.connection.silent and now >= self._silent_until:
            self.connection.silent = False
