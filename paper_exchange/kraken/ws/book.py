"""The ``book`` channel: the best levels of a pair, what changed in them each second, and a checksum of the best ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from zlib import crc32

from paper_exchange.clock import rfc3339
from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.ws.numbers import number, number_text
from paper_exchange.kraken.ws.requests import whole_number
from paper_exchange.kraken.ws.topic import Topic, Venue

DEPTHS = (10, 25, 100, 500, 1000)
CHECKED_LEVELS = 10
ZERO = Decimal(0)
Level = tuple[Decimal, Decimal]
"""Price and quantity."""


class BookTopic(Topic):
    channel: ClassVar[str] = "book"
    names: ClassVar[frozenset[str]] = frozenset({"depth"})

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        super().__init__(venue, symbol, options)
        self._depth: int = options["depth"]
        self._listing = venue.listing(symbol)
        self._bids, self._asks = self._look()
        self._seen_ns = venue.exchange.market.now_ns

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        depth = whole_number(params, "depth", DEPTHS[0])
        if depth not in DEPTHS:
            raise KrakenError("Unsupported value for the field: depth")
        return {"depth": depth}

    def snapshot(self) -> bytes:
        return self._book("snapshot", self._bids, self._asks, self._seen_ns)

    def update(self, now_ns: int) -> bytes | None:
        bids, asks = self._look()
        changed_bids, changed_asks = changes(self._bids, bids, self._depth), changes(self._asks, asks, self._depth)
        self._bids, self._asks, self._seen_ns = bids, asks, now_ns
        return self._book("update", changed_bids, changed_asks, now_ns) if changed_bids or changed_asks else None

    def _look(self) -> tuple[list[Level], list[Level]]:
        return self.venue.exchange.engine.book(self.symbol, self._depth) if self._listing.trades else ([], [])

    def _book(self, kind: str, bids: Sequence[Level], asks: Sequence[Level], now_ns: int) -> bytes:
        item = {
            "symbol": self.symbol,
            "bids": self._levels(bids),
            "asks": self._levels(asks),
            "checksum": checksum(self._texts(self._asks), self._texts(self._bids)),
            "timestamp": rfc3339(now_ns),
        }
        return self.message(kind, [item])

    def _levels(self, levels: Sequence[Level]) -> list[dict[str, object]]:
        prices, quantities = self._listing.price_decimals, self._listing.lot_decimals
        return [{"price": number(price, prices), "qty": number(quantity, quantities)} for price, quantity in levels]

    def _texts(self, levels: Sequence[Level]) -> list[tuple[str, str]]:
        prices, quantities = self._listing.price_decimals, self._listing.lot_decimals
        best = levels[:CHECKED_LEVELS]
        return [(number_text(price, prices), number_text(quantity, quantities)) for price, quantity in best]


def changes(before: Sequence[Level], after: Sequence[Level], depth: int) -> list[Level]:
    """What turns ``before`` into ``after``, best first in both: new and changed levels, and 0 for those that are gone.

    A level that only fell off the end of a full book is not mentioned; whoever keeps the book cuts it off.
    """
    known, present = dict(before), dict(after)
    gone = [(price, ZERO) for price, _ in before if price not in present]
    if len(after) == depth and after:
        best, worst = after[0][0], after[-1][0]
        gone = [level for level in gone if (level[0] >= worst) == (best >= worst) or level[0] == worst]
    return gone + [level for level in after if known.get(level[0]) != level[1]]


def checksum(asks: Sequence[tuple[str, str]], bids: Sequence[tuple[str, str]]) -> int:
    """CRC-32 over the best ten asks and then bids, best first: prices and quantities as on the wire, without the point
    and leading zeros. Source: Kraken's guide on book checksums."""
    levels = [*asks[:CHECKED_LEVELS], *bids[:CHECKED_LEVELS]]
    return crc32("".join(_digits(price) + _digits(quantity) for price, quantity in levels).encode())


def _digits(amount: str) -> str:
    return amount.replace(".", "").lstrip("0")
