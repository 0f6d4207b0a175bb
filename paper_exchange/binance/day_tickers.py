"""The figures of the last 24 hours, for one symbol or for a list of all."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.market import DayStats, Market

REFRESH_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DayTicker:
    """``opened`` is the price of 24 hours before ``counted_ns``."""

    stats: DayStats
    opened: Decimal
    counted_ns: int


class DayTickers:
    """Day figures, at most a minute old.

    To add up a day for every symbol at every call would hold all other clients up for a tenth of a second.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[str, DayTicker] = {}

    def of(self, symbol: str, now_ns: int) -> DayTicker:
        known = self._known.get(symbol)
        if known is None or now_ns - known.counted_ns >= REFRESH_NS:
            stats = self._market.day_stats(symbol)
            since_ns = now_ns - DAY_NS
            first = self._market.candles(symbol, MINUTE_SECONDS, since_ns, 1, until_ns=since_ns + REFRESH_NS)
            known = DayTicker(stats, first[0].open if first else stats.open, now_ns)
            self._known[symbol] = known
        return known
