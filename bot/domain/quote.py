"""Prices: the best bid and ask, tickers, and candles."""

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
class Ticker:
    """A market's best bid and ask with what was traded in 24 hours, in quote; None = the venue does not say.

    `tells_volume` false = this venue says it of no market in its lists, so that nothing can be held against one.
    """

    quote: Quote
    day_volume_quote: Decimal | None = None
    tells_volume: bool = True

    @property
    def spread_percent(self) -> Decimal:
        """Of the middle between bid and ask."""
        return 200 * (self.quote.ask - self.quote.bid) / (self.quote.ask + self.quote.bid)


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed interval: open time, prices in quote, volume in base."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
