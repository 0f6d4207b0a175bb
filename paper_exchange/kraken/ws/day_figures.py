"""What a ticker says of the last 24 hours, kept up trade by trade between exact looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.market import Market, PublicTrade

EXACT_SECONDS = 60
"""Folding a whole day costs milliseconds: too much for every symbol and second."""
DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
PERCENT = 100


@dataclass(slots=True)
class DayFigures:
    """Prices in quote, ``volume`` in base; ``open`` is the price 24 hours ago."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    cost: Decimal
    exact_ns: int

    @classmethod
    def of(cls, market: Market, symbol: str) -> DayFigures:
        stats = market.day_stats(symbol)
        before = market.candles(symbol, 60, None, 1, market.now_ns - DAY_NS)
        return cls(
            open=before[-1].open if before else stats.open,
            high=stats.high_day,
            low=stats.low_day,
            volume=stats.volume_day,
            cost=stats.vwap_day * stats.volume_day,
            exact_ns=market.now_ns,
        )

    def are_old(self, now_ns: int) -> bool:
        return now_ns - self.exact_ns > EXACT_SECONDS * NANOSECONDS_PER_SECOND

    def add(self, trades: Sequence[PublicTrade]) -> None:
        for trade in trades:
            self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
            self.volume += trade.quantity
            self.cost += trade.price * trade.quantity

    def vwap(self, last: Decimal) -> Decimal:
        return self.cost / self.volume if self.volume else last

    def change_percent(self, last: Decimal) -> Decimal:
        return (last - self.open) / self.open * PERCENT if self.open else Decimal(0)
