"""The accounts whose events a connection to the WebSocket API is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from paper_exchange.api_keys import Account
from paper_exchange.sockets.session import SocketSession


@dataclass(slots=True)
class Told:
    """One kind of event of a subscription, as faults know it: ``ws/executionReport`` and so on."""

    channel: str
    held_back: list[bytes] = field(default_factory=list)


class Subscription:
    """An account's stream on a connection."""

    def __init__(self, session: SocketSession, number: int, account: Account) -> None:
        self.session = session
        self.number = number
        self.account = account
        self._told: dict[str, Told] = {}

    def told(self, event: str) -> Told:
        return self._told.setdefault(event, Told(event))


class Streams:
    """All streams of a connection, by number. ``began_ns`` is of the exchange's clock; a connection lasts a day."""

    def __init__(self, session: SocketSession, *, began_ns: int) -> None:
        self.began_ns = began_ns
        self.open: dict[int, Subscription] = {}
        self._session = session
        self._next_number = 0

    def begin(self, account: Account) -> Subscription:
        subscription = Subscription(self._session, self._next_number, account)
        self._next_number += 1
        self.open[subscription.number] = subscription
        return subscription

    def drop(self, subscription: Subscription) -> None:
        self.open.pop(subscription.number, None)

    def has(self, account: Account) -> bool:
        return any(each.account.account_id == account.account_id for each in self.open.values())
