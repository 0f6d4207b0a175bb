"""Numbers of a symbol's public trades: each is one more than the one before, so that a client sees when it missed one.

They are counted from the minute in which the symbol was first looked at, forwards and backwards. A later start of the
exchange counts from a higher number, as no minute has more than sixty trades.
"""

from __future__ import annotations

from paper_exchange.symbol_market import SymbolMarket


class TradeNumbers:
    """`number` is that of the first trade from the beginning of `minute` on."""

    def __init__(self, market: SymbolMarket, minute: int, number: int) -> None:
        self._market = market
        self._first_of = {minute: number}
        self._oldest = self._newest = minute

    def of(self, time_ns: int) -> int:
        """The number of the trade at that time."""
        minute = self._market.minute_of(time_ns)
        start_ns = self._market.start_of(minute)
        before = sum(1 for tick in self._market.ticks_between(start_ns - 1, time_ns - 1) if tick.volume)
        return self._first(minute) + before

    def _first(self, minute: int) -> int:
        while self._newest < minute:
            self._first_of[self._newest + 1] = self._first_of[self._newest] + self._count(self._newest)
            self._newest += 1
        while self._oldest > minute:
            self._first_of[self._oldest - 1] = self._first_of[self._oldest] - self._count(self._oldest - 1)
            self._oldest -= 1
        return self._first_of[minute]

    def _count(self, minute: int) -> int:
        _, trades = self._market.bar_so_far(minute, self._market.start_of(minute + 1) - 1)
        return trades
