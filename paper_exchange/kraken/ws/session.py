"""One client's connection as the exchange sees it: who it belongs to and what it is subscribed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paper_exchange.api_keys import Account
from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.session import SocketSession


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


class Session(SocketSession):
    """``private`` sessions take orders and show an account; the others show the market."""

    def __init__(self, connection: Connection, *, private: bool, connection_id: int) -> None:
        super().__init__(connection, connection_id=connection_id)
        self.private = private
        self.subscriptions: dict[tuple[str, str | None], Subscription] = {}

    def owner_of_live(self, token: str) -> Account | None:
        """A token stays good on the connection on which a private subscription uses it."""
        owners = (one.account for one in self.subscriptions.values() if one.token == token)
        return next(owners, None)
