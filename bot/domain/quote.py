"""Prices: the best bid and ask, and candles."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Quote:
    """Best bid and ask of a symbol when it was read."""

    symbol: str
    bid: Decimal
    ask: Decimal
    taken_at: datetime

    def __post_init__(self) -> None:
        if not 0 < self.bid <= self.ask:
            raise ValueError(f"{self.symbol}: bid {self.bid} and ask {self.ask} make no quote")

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


@dataclass(frozen=True)
class Candle:
    """One closed interval: open time, prices in quote, volume in base."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
