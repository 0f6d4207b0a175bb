"""One client's connection as the exchange sees it: who it belongs to and what it is subscribed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paper_exchange.api_keys import Account
from paper_exchange.clock import steady_seconds
from paper_exchange.kraken.ws.connection import Connection


@dataclass(eq=False, slots=True)
class Subscription:
    """A channel of a session; ``symbol`` is None where a channel has none. ``sequence`` is the last number sent."""

    session: Session
    channel: str
    symbol: str | None = None
    account: Account | None = None
    token: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0
    held_back: list[bytes] = field(default_factory=list)
    """Messages that a fault puts behind the next one."""

    @property
    def key(self) -> tuple[str, str | None]:
        return self.channel, self.symbol


class Session:
    """``private`` sessions take orders and show an account; the others show the market."""

    def __init__(self, connection: Connection, *, private: bool, connection_id: int) -> None:
        self.connection = connection
        self.private = private
        self.connection_id = connection_id
        self.account: Account | None = None
        """Whose token was used last."""
        self.subscriptions: dict[tuple[str, str | None], Subscription] = {}
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

    def owner_of_live(self, token: str) -> Account | None:
        """A token stays good on the connection on which a private subscription uses it."""
        owners = (one.account for one in self.subscriptions.values() if one.token == token)
        return next(owners, None)
