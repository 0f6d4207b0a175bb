"""Indicators over closed candles, in binary floating point.

Floats are right here and nowhere near money: an indicator is a shape read off the past, compared with another shape;
its fifteenth digit decides nothing. Prices, quantities and exit levels stay exact decimals.

Every function takes its values oldest first and returns a list, oldest first, whose last element belongs to the last
value. The list is shorter than the input by the warm-up and empty when there are too few values. Element i depends on
values up to its own and none after it, so that more candles later never change what was said before.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot.domain.quote import Candle


def closes(candles: Iterable[Candle]) -> list[float]:
    """Closing prices as floats."""
    return [float(candle.close) for candle in candles]


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
    rises = wilder_average([max(move, 0.0) for move in moves], period)
    falls = wilder_average([max(-move, 0.0) for move in moves], period)
    return [_strength(rise, fall) for rise, fall in zip(rises, falls, strict=True)]


def _strength(rise: float, fall: float) -> float:
    total = rise + fall
    return 50.0 if total == 0.0 else 100.0 * (rise / total)


def atr(candles: Sequence[Candle], period: int) -> list[float]:
    """Average true range after Wilder, in quote per base: how far the price travels in one candle, gaps included."""
    _require_period(period)
    ranges = [_true_range(before, candle) for before, candle in pairwise(candles)]
    return wilder_average(ranges, period)


def _true_range(before: Candle, candle: Candle) -> float:
    highest = max(candle.high, before.close)
    lowest = min(candle.low, before.close)
    return float(highest - lowest)


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
