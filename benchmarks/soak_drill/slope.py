"""Whether a quantity grows: a least-squares slope with a 95 % confidence interval.

Neighbouring samples of a process resemble each other, so that a line through all of them looks surer than it is: the
line goes through the means of some blocks, whose remainders are as good as independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

BLOCKS = 12
# Student's t for 97.5 %, by degrees of freedom; from 30 on that of 30.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10,
      2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04)  # fmt: skip


@dataclass(frozen=True)
class Slope:
    """Units an hour, with the bounds of its confidence interval; `mean` is that of the samples."""

    per_hour: float
    low: float
    high: float
    mean: float


def slope_of(seconds: Sequence[float], values: Sequence[float]) -> Slope:
    """The slope through samples taken at these moments. With fewer than three blocks nothing is certain."""
    points = _blocks(seconds, values)
    mean = sum(values) / len(values) if values else 0.0
    if len(points) < 3:
        return Slope(0.0, -inf, inf, mean)
    centre = sum(x for x, _ in points) / len(points)
    level = sum(y for _, y in points) / len(points)
    spread = sum((x - centre) ** 2 for x, _ in points)
    slope = sum((x - centre) * (y - level) for x, y in points) / spread
    freedom = len(points) - 2
    rest = sum((y - level - slope * (x - centre)) ** 2 for x, y in points)
    error = _T[min(freedom, len(_T)) - 1] * sqrt(rest / freedom / spread)
    return Slope(slope * 3600, (slope - error) * 3600, (slope + error) * 3600, mean)


def _blocks(seconds: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    size = max(1, len(values) // BLOCKS)
    starts = range(0, len(values) - size + 1, size)
    return [(sum(seconds[n : n + size]) / size, sum(values[n : n + size]) / size) for n in starts]
