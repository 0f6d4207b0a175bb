"""What the matching engine needs of a market, whoever makes the prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from paper_exchange.orders import Side

if TYPE_CHECKING:
    from paper_exchange.market import Quote, Tick


class TradedMarket(Protocol):
    """Prices in quote, quantities in base, times in nanoseconds; each of them that of `now_ns`."""

    @property
    def now_ns(self) -> int: ...

    def advance(self, now_ns: int) -> None: ...

    def is_closed(self, symbol: str) -> bool: ...

    def last(self, symbol: str) -> Decimal: ...

    def quote(self, symbol: str) -> Quote: ...

    def offers(self, symbol: str, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """(price, quantity) that others offer on `side`, best first."""

    def offered_at(self, symbol: str, side: Side, price: Decimal) -> Decimal: ...

    def take(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> None: ...

    def ticks_between(self, symbol: str, after_ns: int, until_ns: int) -> Iterator[Tick]:
        """What happened in (after, until], oldest first."""
