"""Candle lengths. Bars of six hours and more begin by Hong Kong's clock, unless their name ends in ``utc``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.market import Candle, Market

HOUR = 3_600
HONG_KONG_SECONDS = 8 * HOUR
MONDAY_SECONDS = 3 * 24 * HOUR
"""1970 began on a Thursday: weeks begin three days before."""


@dataclass(frozen=True, slots=True)
class BarLength:
    """``shift_seconds``: a bar begins whenever the time plus this is a multiple of its length."""

    seconds: int
    shift_seconds: int = 0

    @property
    def nanoseconds(self) -> int:
        return self.seconds * NANOSECONDS_PER_SECOND

    def start_ns(self, time_ns: int) -> int:
        shift_ns = self.shift_seconds * NANOSECONDS_PER_SECOND
        return (time_ns + shift_ns) // self.nanoseconds * self.nanoseconds - shift_ns


def _lengths() -> dict[str, BarLength]:
    minutes = {f"{number}m": BarLength(number * 60) for number in (1, 3, 5, 15, 30)}
    hours = {f"{number}H": BarLength(number * HOUR) for number in (1, 2, 4)}
    long = {"6H": 6 * HOUR, "12H": 12 * HOUR, "1D": 24 * HOUR, "2D": 48 * HOUR, "3D": 72 * HOUR, "1W": 168 * HOUR}
    shifts = {name: MONDAY_SECONDS if name == "1W" else 0 for name in long}
    in_utc = {f"{name}utc": BarLength(seconds, shifts[name]) for name, seconds in long.items()}
    local = {name: BarLength(seconds, shifts[name] + HONG_KONG_SECONDS) for name, seconds in long.items()}
    return {**minutes, **hours, **in_utc, **local}


BARS = _lengths()
"""Months are left out: the tape is younger than one."""


def bars_of(
    market: Market, symbol: str, length: BarLength, *, since_ns: int | None, until_ns: int, limit: int
) -> list[Candle]:
    """At most ``limit`` candles, oldest first: the newest that begin from ``since_ns`` to ``until_ns``."""
    last_ns = length.start_ns(min(until_ns, market.now_ns))
    first_ns = last_ns - (limit - 1) * length.nanoseconds
    if since_ns is not None:
        first_ns = max(first_ns, since_ns)
    if not length.shift_seconds:
        return market.candles(symbol, length.seconds, first_ns, limit, until_ns=last_ns)
    end_ns = last_ns + length.nanoseconds - 1
    hours = market.candles(symbol, HOUR, first_ns, limit * length.seconds // HOUR, until_ns=end_ns)
    folded = (_fold(start_ns, rows) for start_ns, rows in groupby(hours, key=lambda row: length.start_ns(row.open_ns)))
    return [candle for candle in folded if candle.open_ns >= first_ns][-limit:]


def _fold(start_ns: int, rows: Iterable[Candle]) -> Candle:
    parts = list(rows)
    volume = sum((part.volume for part in parts), Decimal(0))
    turnover = sum((part.volume * part.vwap for part in parts), Decimal(0))
    return Candle(
        open_ns=start_ns,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=volume,
        vwap=turnover / volume if volume else parts[-1].close,
        trades=sum(part.trades for part in parts),
    )
