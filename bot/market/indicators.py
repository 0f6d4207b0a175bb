"""Indicators over closed candles, in binary floating point.

Floats are right here and nowhere near money: an indicator is a shape read off the past, compared with another shape;
its fifteenth digit decides nothing. Prices, quantities and exit levels stay exact decimals.

Every function takes its values oldest first and returns a list, oldest first, whose last element belongs to the last
value. The list is shorter than the input by the warm-up and empty when there are too few values. Element i depends on
values up to its own and none after it, so that more candles later never change what was said before.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from bot.domain.quote import Candle


def closes(candles: Iterable[Candle]) -> list[float]:
    """Closing prices as floats."""
    return [float(candle.close) for candle in candles]


class Columns(NamedTuple):
    """High, low and close of the same candles, oldest first, in quote."""

    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]

    @classmethod
    def of(cls, candles: Sequence[Candle]) -> "Columns":
        return cls(
            [float(candle.high) for candle in candles], [float(candle.low) for candle in candles], closes(candles)
        )


def ema(values: Sequence[float], period: int) -> list[float]:
    """Exponential moving average, weight 2 / (period + 1), started with the mean of the first `period` values."""
    _require_period(period)
    if len(values) < period:
        return []
    average = sum(values[:period]) / period
    weight = 2.0 / (period + 1)
    averages = [average]
    for value in values[period:]:
        average += weight * (value - average)
        averages.append(average)
    return averages


def rsi(values: Sequence[float], period: int) -> list[float]:
    """Relative strength index after Wilder (New Concepts in Technical Trading Systems, 1978): 0 to 100.

    100 when nothing fell, 0 when nothing rose, 50 when nothing moved. The first value needs `period` + 1 values.
    """
    _require_period(period)
    moves = [later - earlier for earlier, later in pairwise(values)]
    rises = wilder_average([0.0 if move < 0.0 else move for move in moves], period)
    falls = wilder_average([0.0 if move > 0.0 else -move for move in moves], period)
    return [
        50.0 if rise + fall == 0.0 else 100.0 * (rise / (rise + fall)) for rise, fall in zip(rises, falls, strict=True)
    ]


def atr(candles: Sequence[Candle], period: int) -> list[float]:
    """Average true range after Wilder, in quote per base: how far the price travels in one candle, gaps included."""
    return atr_of(Columns.of(candles), period)


def atr_of(columns: "Columns", period: int) -> list[float]:
    """The same of columns."""
    _require_period(period)
    return wilder_average(_true_ranges(columns), period)


def _true_ranges(columns: "Columns") -> list[float]:
    """Of every candle but the first, which has no close before it."""
    return [
        (high if high > close else close) - (low if low < close else close)
        for close, high, low in zip(columns.close, columns.high[1:], columns.low[1:], strict=False)
    ]


def adx(candles: Sequence[Candle], period: int) -> list[float]:
    """Wilder's average directional index, 0 to 100: how one-sided the price travels, whichever way.

    The first value needs 2 x `period` candles. Where nothing has a direction the last value stands, as in TA-Lib.
    """
    return adx_of(Columns.of(candles), period)


def adx_of(columns: "Columns", period: int) -> list[float]:
    """The same of columns."""
    _require_period(period)
    pairs = list(pairwise(zip(columns.high, columns.low, strict=True)))
    ups, downs = zip(*(_directed(before, reach) for before, reach in pairs), strict=True) if pairs else ((), ())
    spans = _wilder_sums(_true_ranges(columns), period)
    index: list[float] = []
    for up, down, span in zip(_wilder_sums(ups, period), _wilder_sums(downs, period), spans, strict=True):
        one_sided = _one_sided(up, down, span)
        # The first values are averaged as they are; later a market that stands still has nothing to add.
        if one_sided is not None or len(index) < period:
            index.append(one_sided or 0.0)
        else:
            index.append(math.nan)
    return _average_of_the_known(index, period)


def _directed(before: tuple[float, float], reach: tuple[float, float]) -> tuple[float, float]:
    """How much further up, or down, a candle (high, low) reaches than the one before: only the larger counts."""
    up, down = reach[0] - before[0], before[1] - reach[1]
    return (up if up > 0 and up > down else 0.0), (down if down > 0 and down > up else 0.0)


def _one_sided(up: float, down: float, span: float) -> float | None:
    """0 to 100; None when the price reached no further, either way."""
    if span == 0.0 or up + down == 0.0:
        return None
    up_share, down_share = 100.0 * up / span, 100.0 * down / span
    return 100.0 * abs(down_share - up_share) / (up_share + down_share)


def _average_of_the_known(values: Sequence[float], period: int) -> list[float]:
    """Wilder's average that passes over NaN, saying the last value again."""
    if len(values) < period:
        return []
    average = sum(values[:period]) / period
    averages = [average]
    for value in values[period:]:
        if not math.isnan(value):
            average += (value - average) / period
        averages.append(average)
    return averages


def _wilder_sums(values: Sequence[float], period: int) -> list[float]:
    """Wilder's running sum: begun with `period` - 1 values; each new one joins and a `period`-th of the sum leaves."""
    if len(values) < period:
        return []
    total = sum(values[: period - 1])
    sums = []
    for value in values[period - 1 :]:
        total += value - total / period
        sums.append(total)
    return sums


class Bands(NamedTuple):
    """Mean of the closes and the bands around it, in quote."""

    upper: float
    middle: float
    lower: float


def bollinger(values: Sequence[float], period: int, deviations: float) -> list[Bands]:
    """Simple mean of the last `period` values and `deviations` of their standard deviations (of a whole population)."""
    _require_period(period)
    bands = []
    for end in range(period, len(values) + 1):
        window = values[end - period : end]
        mean = math.fsum(window) / period
        away = deviations * math.sqrt(math.fsum((value - mean) ** 2 for value in window) / period)
        bands.append(Bands(mean + away, mean, mean - away))
    return bands


class Channel(NamedTuple):
    """Highest high and lowest low of some candles, in quote."""

    high: float
    low: float


def donchian(candles: Sequence[Candle], period: int) -> list[Channel]:
    """The channel of the last `period` candles after Donchian, the last one included."""
    return donchian_of(Columns.of(candles), period)


def donchian_of(columns: "Columns", period: int) -> list[Channel]:
    """The same of columns."""
    _require_period(period)
    highs, lows = columns.high, columns.low
    windows = [slice(end - period, end) for end in range(period, len(highs) + 1)]
    return [Channel(max(highs[window]), min(lows[window])) for window in windows]


def wilder_average(values: Sequence[float], period: int) -> list[float]:
    """Wilder's smoothing: weight 1 / period, started with the mean of the first `period` values."""
    _require_period(period)
    if len(values) < period:
        return []
    average = sum(values[:period]) / period
    averages = [average]
    for value in values[period:]:
        average += (value - average) / period
        averages.append(average)
    return averages


def _require_period(period: int) -> None:
    if period < 1:
        raise ValueError(f"a period is at least 1 candle, not {period}")
