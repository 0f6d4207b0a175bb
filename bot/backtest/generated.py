"""Candles of the paper exchange's market: what it would have shown, made without running it."""

from collections.abc import Callable, Sequence

import numpy as np

from bot.backtest.candle_table import CandleTable
from paper_exchange.assets import all_assets
from paper_exchange.catalogue import Listing, all_listings
from paper_exchange.tape import CommonFactor, MinuteGenerator
from paper_exchange.tempers import temper_for

_MINUTES_A_DAY = 1440
# 2026-01-01T00:00:00Z: the tape knows no dates, and a fixed one makes two runs the same.
BEGIN_SECONDS = 1_767_225_600


def generate(
    seed: int,
    days: int,
    symbols: Sequence[str],
    *,
    begin_seconds: int = BEGIN_SECONDS,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, CandleTable]:
    """Minute candles of these symbols, the same ones for the same seed. Raises ValueError for one without a market."""
    factor = CommonFactor(seed)
    tables = {}
    for number, symbol in enumerate(symbols):
        tables[symbol] = _table(seed, days * _MINUTES_A_DAY, _listing(symbol), factor, begin_seconds)
        on_progress(number + 1, len(symbols))
    return tables


def tradable_symbols() -> list[str]:
    """Every symbol that has a market there, the large ones first."""
    return [listing.symbol for listing in all_listings().values() if listing.trades]


def _listing(symbol: str) -> Listing:
    found = all_listings().get(symbol)
    if found is None or not found.trades:
        raise ValueError(f"there is no generated market {symbol!r}; there is BTC/USD, ETH/USD and others")
    return found


def _table(seed: int, minutes: int, listing: Listing, factor: CommonFactor, begin_seconds: int) -> CandleTable:
    temper = temper_for(listing, seed, float(all_assets()[listing.base].reference_usd))
    maker = MinuteGenerator(seed, listing.symbol, temper, factor)
    bars = [maker.next_bar(minute, minute) for minute in range(minutes)]
    return CandleTable(
        symbol=listing.symbol,
        interval_minutes=1,
        opened_at=begin_seconds + 60 * np.arange(minutes, dtype=np.int64),
        prices=np.array([(bar.open, bar.high, bar.low, bar.close) for bar in bars], dtype=np.int64),
        volumes=np.array([bar.volume for bar in bars], dtype=np.int64),
        price_decimals=listing.price_decimals,
        volume_decimals=listing.lot_decimals,
    )
