"""Averages of the last so many values, at every place of a long row at once.

A strategy starts its recursive averages a fixed number of candles back. Such an average is a weighted sum of those
values, the same weights everywhere: `weighted` gives at every place what the strategy's own loop gives there, but for
the rounding of a binary fraction. That is why what compares them allows for `ROUNDING`.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bot.market.candle_arrays import Floats

# A part of a price, or points of an index from 0 to 100: far above the rounding of a few hundred additions.
ROUNDING = 1e-9
ROUNDING_POINTS = 1e-6
# Windows looked at together: a few megabytes at a time.
_ROWS = 65_536


def recursive_weights(weight: float, period: int, over: int) -> Floats:
    """The weights, newest value first, of an average over `over` values that starts with the mean of `period` of them.

    Raises ValueError when there are fewer values than the average needs to start.
    """
    if over < period:
        raise ValueError(f"an average of {period} values cannot start within {over}")
    later = over - period
    weights = np.full(over, (1.0 - weight) ** later / period)
    weights[:later] = weight * (1.0 - weight) ** np.arange(later)
    return weights


def ema_weights(period: int, over: int) -> Floats:
    """Of the exponential moving average over `over` values."""
    return recursive_weights(2.0 / (period + 1), period, over)


def wilder_weights(period: int, over: int) -> Floats:
    """Of Wilder's average over `over` values."""
    return recursive_weights(1.0 / period, period, over)


def weighted(values: Floats, weights: Floats) -> Floats:
    """The weighted sum that ends at every place; NaN where too few values come before it."""
    if len(values) < len(weights):
        return np.full(len(values), np.nan)
    return np.concatenate([np.full(len(weights) - 1, np.nan), np.convolve(values, weights, mode="valid")])


def moves_of(values: Floats) -> Floats:
    """What each value is above the one before; 0 for the first, so that places stay the same."""
    return np.diff(values, prepend=values[:1])


def strength(rise: Floats, fall: Floats) -> Floats:
    """The relative strength index of averages of rises and falls: 50 where nothing moved."""
    total = rise + fall
    return 100.0 * np.divide(rise, total, out=np.full_like(total, 0.5), where=total != 0.0)


def rsi_at(closes: Floats, period: int, over: int) -> Floats:
    """The relative strength index over the last `over` closes, at every place that has so many."""
    moves, weights = moves_of(closes), wilder_weights(period, over - 1)
    return strength(weighted(np.maximum(moves, 0.0), weights), weighted(np.maximum(-moves, 0.0), weights))


def highest_before(values: Floats, period: int) -> Floats:
    """The highest of the `period` values before each place; NaN where there are not so many."""
    return _before(_highest_of_runs(values, period), period, len(values))


def lowest_before(values: Floats, period: int) -> Floats:
    """The lowest of the `period` values before each place; NaN where there are not so many."""
    return -_before(_highest_of_runs(-values, period), period, len(values))


def _highest_of_runs(values: Floats, period: int) -> Floats:
    """The highest of each run of `period` values, by doubling the length of the runs already known."""
    if len(values) < period:
        return values[:0]
    runs, known = values, 1
    while known < period:
        step = min(known, period - known)
        runs = np.maximum(runs[: len(runs) - step], runs[step:])
        known += step
    return runs


def mean_and_deviation(values: Floats, period: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation (of a population) of the `period` values that end at each place; NaN before."""
    if len(values) < period:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    unknown = np.full(period - 1, np.nan)
    means, deviations = [unknown], [unknown]
    for start in range(0, len(values) - period + 1, _ROWS):
        windows = sliding_window_view(values[start : start + _ROWS + period - 1], period)
        means.append(windows.mean(axis=1))
        deviations.append(windows.std(axis=1))
    return np.concatenate(means), np.concatenate(deviations)


def _before(runs: Floats, period: int, count: int) -> Floats:
    """What is known of runs of `period` values, each at the place after its end: `count` places."""
    return np.concatenate([np.full(min(period, count), np.nan), runs[: max(0, count - period)]])
