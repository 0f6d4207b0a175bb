"""Indicators of a whole venue after one closed candle: moved on, against recomputed.

    python benchmarks/indicators.py --markets 1500 --candles 50 [--json]

RSI 9 and 14, EMA 20 and 50, ATR 14, ADX 14, MACD 12/26/9 and Bollinger 20/2 of every market, per closed candle:
by the scan from arrays, by the scan from candles in decimals as a broker gives them, by TA-Lib's stream functions
market by market, and by numpy over the whole window of history for all markets at once. The anchors run in the
same process on the same prices, and every figure of the scan is compared with TA-Lib's.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import talib
from numpy.typing import NDArray
from talib import stream

from benchmarks.report import Report
from bot.domain.quote import Candle
from bot.market.scan import INDICATORS, IndicatorTable, MarketScan, ranked

GOAL_MILLISECONDS = 2.0
WINDOW = 200
TOLERANCE = 1e-9
START = datetime(2026, 3, 2, tzinfo=UTC)
COLUMNS = ("way", "ms a candle", "times the scan", "within 2 ms")
Floats = NDArray[np.float64]


class Prices:
    """High, low and close of so many markets and candles: random walks from dear to tiny prices."""

    def __init__(self, markets: int, candles: int) -> None:
        chance = np.random.default_rng(5)
        base = 10.0 ** chance.uniform(-7, 5, markets)
        self.close: Floats = base * np.exp(chance.normal(0, 0.004, (candles, markets)).cumsum(axis=0))
        self.high: Floats = self.close * (1 + np.abs(chance.normal(0, 0.002, self.close.shape)))
        self.low: Floats = self.close / (1 + np.abs(chance.normal(0, 0.002, self.close.shape)))
        self.markets, self.candles = markets, candles
        self.all_present = np.ones(markets, dtype=np.bool_)

    def step(self, table: IndicatorTable, number: int) -> None:
        table.step(self.high[number], self.low[number], self.close[number], self.all_present)

    def table(self, numbers: range) -> IndicatorTable:
        """The state after these candles alone."""
        table = IndicatorTable(self.markets)
        for number in numbers:
            self.step(table, number)
        return table

    def decimals(self, number: int) -> dict[str, Candle]:
        opened_at = START + timedelta(minutes=number)
        return {symbol(market): self._candle(number, market, opened_at) for market in range(self.markets)}

    def _candle(self, number: int, market: int, opened_at: datetime) -> Candle:
        high, low, close = (
            Decimal(format(prices[number, market], ".8g")) for prices in (self.high, self.low, self.close)
        )
        return Candle(opened_at, close, high, low, close, Decimal(1))


def symbol(market: int) -> str:
    return f"M{market}-USD"


def timed(work: Callable[[int], object], numbers: Sequence[int]) -> float:
    """Median milliseconds of one candle."""
    times = []
    for number in numbers:
        began = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


def by_stream(prices: Prices, number: int) -> None:
    """What TA-Lib offers for this: each market's newest value from its window, one call an indicator."""
    window = slice(max(0, number + 1 - WINDOW), number + 1)
    highs, lows, closes = (np.ascontiguousarray(one[window].T) for one in (prices.high, prices.low, prices.close))
    for high, low, close in zip(highs, lows, closes, strict=True):
        stream.RSI(close, 9)
        stream.RSI(close, 14)
        stream.EMA(close, 20)
        stream.EMA(close, 50)
        stream.ATR(high, low, close, 14)
        stream.ADX(high, low, close, 14)
        stream.MACD(close, 12, 26, 9)
        stream.BBANDS(close, 20, 2, 2)


def worst_difference(prices: Prices, table: IndicatorTable) -> float:
    """Of all indicators of all markets from TA-Lib's over the same history, relative to the value or to the price."""
    worst = 0.0
    for market in range(prices.markets):
        high, low, close = (np.ascontiguousarray(one[:, market]) for one in (prices.high, prices.low, prices.close))
        expected = (
            talib.RSI(close, 9), talib.RSI(close, 14), talib.EMA(close, 20), talib.EMA(close, 50),
            talib.ATR(high, low, close, 14), talib.ADX(high, low, close, 14),
            *talib.MACD(close, 12, 26, 9), *talib.BBANDS(close, 20, 2, 2),
        )  # fmt: skip
        for name, values in zip(INDICATORS, expected, strict=True):
            said, right = table.values[name][market], values[-1]
            scale = 1.0 if name.startswith(("rsi", "adx")) else close[-1]
            worst = max(worst, abs(said - right) / max(abs(right), scale))
    return float(worst)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    prices = Prices(arguments.markets, WINDOW + arguments.candles)
    numbers = range(WINDOW, prices.candles)
    table = prices.table(range(WINDOW))
    moved_on = timed(lambda number: prices.step(table, number), numbers)
    few = numbers[: max(3, len(numbers) // 10)]
    ways = {
        "the scan, from arrays": moved_on,
        "the scan, from candles in decimals": _from_candles(prices, numbers),
        "TA-Lib stream, market by market": timed(lambda number: by_stream(prices, number), few),
        f"numpy, the last {WINDOW} candles anew": timed(
            lambda number: prices.table(range(number + 1 - WINDOW, number + 1)), few
        ),
    }
    difference = worst_difference(prices, table)
    equal = difference <= TOLERANCE
    rows = [
        {
            "way": way, "ms a candle": round(milliseconds, 3), "times the scan": round(milliseconds / moved_on, 1),
            "within 2 ms": "yes" if milliseconds <= GOAL_MILLISECONDS else "no",
        }
        for way, milliseconds in ways.items()
    ]  # fmt: skip
    notes = (
        f"Worst relative difference from TA-Lib over {arguments.markets} markets × {len(INDICATORS)} values:"
        f" {difference:.1e} ({'within' if equal else 'NOT within'} {TOLERANCE:g}).",
    )
    settings = {"markets": arguments.markets, "candles": arguments.candles, "worst_difference": difference}
    title = f"Indicators of {arguments.markets} markets after one closed candle"
    Report(title, COLUMNS, rows, notes, settings).say(as_json=arguments.json)
    return 0 if equal and moved_on <= GOAL_MILLISECONDS else 1


def _from_candles(prices: Prices, numbers: range) -> float:
    """With the conversion from decimals and the ranking that follows."""
    scan = MarketScan((symbol(market) for market in range(prices.markets)), capacity=prices.markets)
    batches = {number: prices.decimals(number) for number in numbers}

    def close(number: int) -> None:
        scan.close_candles(batches[number])
        ranked(scan, limit=20)

    return timed(close, numbers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=1500, help="how many markets (default 1500)")
    parser.add_argument("--candles", type=int, default=50, help="how many closed candles are timed (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
