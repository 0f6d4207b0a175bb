"""One client's connection to the WebSocket API, and the accounts whose events it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from paper_exchange.api_keys import Account
from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.session import SocketSession


@dataclass(slots=True)
class Told:
    """One kind of event of a subscription, as faults know it: ``ws/executionReport`` and so on."""

    channel: str
    held_back: list[bytes] = field(default_factory=list)


class Subscription:
    """An account's stream in a session."""

    def __init__(self, session: Session, number: int, account: Account) -> None:
        self.session = session
        self.number = number
        self.account = account
        self._told: dict[str, Told] = {}

    def told(self, event: str) -> Told:
        return self._told.setdefault(event, Told(event))


class Session(SocketSession):
    """``began_ns`` is of the exchange's clock; a connection lasts a day."""

    def __init__(self, connection: Connection, *, connection_id: int, began_ns: int) -> None:
        super().__init__(connection, connection_id=connection_id)
        self.began_ns = began_ns
        self.subscriptions: dict[int, Subscription] = {}
        self._next_number = 0

    def subscribe(self, account: Account) -> Subscription:
        subscription = Subscription(self, self._next_number, account)
        self._next_number += 1
        self.subscriptions[subscription.number] = subscription
        return subscription
