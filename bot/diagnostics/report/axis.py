"""Where a number lies in a picture: the ends of an axis, its marks, and positions as percentages of it.

Floats are for drawing alone; every figure beside a picture is the exact one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A mark per so much of the axis can be read on a phone.
_MARKS = 4


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, with marks at round numbers within it."""

    low: float
    high: float
    marks: Sequence[float]

    def percent(self, value: float) -> float:
        """0 at the low end, 100 at the high one."""
        return 100.0 * (value - self.low) / (self.high - self.low)

    def from_top(self, value: float) -> float:
        """As pictures count: 0 at the top."""
        return 100.0 - self.percent(value)


def axis_of(values: Sequence[float], *, with_zero: bool) -> Axis:
    """An axis that holds all values. Bars need zero on it; a line of equity would be flat with it."""
    held = [*values, 0.0] if with_zero or not values else list(values)
    low, high = min(held), max(held)
    if low == high:
        room = abs(high) * 0.01 or 1.0
        low, high = (low, high + room) if with_zero and low == 0 else (low - room, high + room)
    step = _round_step((high - low) / _MARKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, [number * step for number in range(first, last + 1)])


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …"""
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 5.0):
        if rough <= factor * power * (1 + 1e-9):
            return factor * power
    return 10.0 * power


def mark_texts(axis: Axis) -> Sequence[str]:
    """`1.2M`, `350k`, `0.05`: one unit for all marks, and no more digits than the distance between them needs."""
    step = axis.marks[1] - axis.marks[0]
    largest = max(abs(axis.low), abs(axis.high))
    for least, size, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= least and step >= size / 100:
            return [_digits(mark / size, step / size) + unit for mark in axis.marks]
    return [_digits(mark, step) for mark in axis.marks]


def _digits(value: float, step: float) -> str:
    places = max(0, min(8, -math.floor(math.log10(step) + 1e-9)))
    return f"{value + 0.0:,.{places}f}"
