"""Averages of many markets at once, each moved on by one value a market.

One element of every array belongs to one market. A market takes part in a step when `seen`, the number of values it has
shown including this one, is at least 1; the others keep what they had. What is said before an average has seen
`period` values is its unfinished sum: callers say from which candle on their answer counts.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Average:
    """The mean of the first `period` values, then moved on by `_moved`."""

    def __init__(self, period: int, markets: int) -> None:
        self.period = period
        self.value: Floats = np.zeros(markets)

    def step(self, values: Floats, seen: Counts, present: Mask) -> Floats:
        """Take in one value of each present market; returns the averages."""
        moved = self._moved(values)
        counted = present & (seen >= 1)
        if (seen[counted] <= self.period).any():
            # From nothing at a market's first value: its place may have been another market's.
            total = np.where(seen == 1, 0.0, self.value) + values
            started = np.where(seen < self.period, total, total / self.period)
            moved = np.where(seen <= self.period, started, moved)
        np.copyto(self.value, moved, where=counted)
        return self.value

    def _moved(self, values: Floats) -> Floats:
        raise NotImplementedError


class ExponentialAverage(Average):
    """Weight 2 / (period + 1)."""

    def _moved(self, values: Floats) -> Floats:
        return (values - self.value) * (2.0 / (self.period + 1)) + self.value


class WilderAverage(Average):
    """Weight 1 / period."""

    def _moved(self, values: Floats) -> Floats:
        return (self.value * (self.period - 1) + values) / self.period


class WilderSum:
    """Wilder's running sum: the first `period` - 1 values added up, then one `period`th let go for each new one."""

    def __init__(self, period: int, markets: int) -> None:
        self.period = period
        self.value: Floats = np.zeros(markets)

    def step(self, values: Floats, seen: Counts, present: Mask) -> Floats:
        """Take in one value of each present market; returns the sums."""
        kept = np.where(seen < self.period, self.value, self.value - self.value / self.period)
        kept[seen == 1] = 0.0
        np.copyto(self.value, kept + values, where=present & (seen >= 1))
        return self.value


class Window:
    """The last `period` values of each market."""

    def __init__(self, period: int, markets: int) -> None:
        self.period = period
        self.values: Floats = np.zeros((period, markets))
        self._columns = np.arange(markets)

    def step(self, values: Floats, seen: Counts, present: Mask) -> None:
        """Take in one value of each present market, in the place of its oldest."""
        rows = (seen[present] - 1) % self.period
        self.values[rows, self._columns[present]] = values[present]

    def mean_and_deviation(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the population. In two passes: a difference of sums of squares would lose the
        small movements of a large price.
        """
        mean = self.values.sum(axis=0) / self.period
        away = self.values - mean
        return mean, np.sqrt(np.einsum("ij,ij->j", away, away) / self.period)
