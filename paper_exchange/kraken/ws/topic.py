"""What the market channels have in common: one topic for all who subscribe to the same thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from paper_exchange.catalogue import Listing
from paper_exchange.exchange import Exchange
from paper_exchange.kraken.naming import Names
from paper_exchange.kraken.ws.numbers import encode


@dataclass(frozen=True, slots=True)
class Venue:
    """Where topics look."""

    exchange: Exchange
    names: Names

    def listing(self, symbol: str) -> Listing:
        return self.names.listing(self.names.pairs[symbol])


class Topic(ABC):
    """One channel, symbol and set of options. Snapshot and updates are whole messages, the same for everybody.

    The snapshot is the state after the last update, so that whoever joins and whoever was there see the same book.
    """

    channel: ClassVar[str]
    names: ClassVar[frozenset[str]] = frozenset()
    """Params beside channel, symbol and snapshot."""
    snapshot_by_default: ClassVar[bool] = True

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        self.venue = venue
        self.symbol = symbol

    @classmethod
    @abstractmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """The options as the answer shows them. Raises KrakenError."""

    @abstractmethod
    def snapshot(self) -> bytes: ...

    @abstractmethod
    def update(self, now_ns: int) -> bytes | None:
        """What changed since the last update; None if nothing."""

    def message(self, kind: str, data: Sequence[object]) -> bytes:
        return encode({"channel": self.channel, "type": kind, "data": data})
