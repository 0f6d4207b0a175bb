"""Candles of any interval, folded from the bars of the tape, so that all intervals tell the same story."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.tape import Bar


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices in quote, `volume` in base. `vwap` weighs each minute's (high + low + close) / 3 by its volume."""

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal
    trades: int


def fold(open_ns: int, bars: Iterable[tuple[Bar, int]], listing: Listing) -> Candle | None:
    """One candle from consecutive bars with their numbers of trades; None when there are none."""
    opened = high = low = close = volume = trades = 0
    weighted = 0
    for bar, count in bars:
        if not high:
            opened, low = bar.open, bar.low
        high, low, close = max(high, bar.high), min(low, bar.low), bar.close
        volume += bar.volume
        trades += count
        weighted += (bar.high + bar.low + bar.close) * bar.volume
    if not high:
        return None
    tick = listing.tick_size
    vwap = (2 * weighted + 3 * volume) // (6 * volume) if volume else close
    return Candle(
        open_ns, opened * tick, high * tick, low * tick, close * tick, volume * listing.lot_step, vwap * tick, trades
    )
