"""Percent as a type, so that it cannot meet a fraction: 2 is 2 %, and only this file divides by a hundred."""

from dataclasses import dataclass
from decimal import Decimal

HUNDRED = Decimal(100)
# A distance under a twentieth of a percent lies inside the spread: it is a fraction (0.02) written for a percent (2).
SMALLEST_DISTANCE = Decimal("0.05")
LARGEST_TARGET = Decimal(10_000)


@dataclass(frozen=True, order=True)
class Percent:
    """A share of a price, in percent. Adding it to a price or a fraction is a type error; ask for a level instead."""

    value: Decimal

    def __post_init__(self) -> None:
        if not isinstance(self.value, Decimal) or not self.value.is_finite():
            raise ValueError(f"{self.value!r} is no finite Decimal of percent")

    @classmethod
    def of_stop(cls, percent: Decimal) -> "Percent":
        """A distance below a price: from 0.05 to under 100. Raises ValueError."""
        return cls(percent)._within(HUNDRED, "a stop")

    @classmethod
    def of_target(cls, percent: Decimal) -> "Percent":
        """A distance above a price: from 0.05 to under 10,000. Raises ValueError."""
        return cls(percent)._within(LARGEST_TARGET, "a target")

    @classmethod
    def distance(cls, price: Decimal, *, level: Decimal) -> "Percent":
        """How far `level` lies above `price` (below: negative), in percent of `price`, which is positive."""
        return cls((level - price) * HUNDRED / price)

    def below(self, price: Decimal) -> Decimal:
        """The price this much lower."""
        return price * (HUNDRED - self.value) / HUNDRED

    def above(self, price: Decimal) -> Decimal:
        """The price this much higher."""
        return price * (HUNDRED + self.value) / HUNDRED

    def __str__(self) -> str:
        return f"{self.value:.2f} %"

    def _within(self, upper: Decimal, what: str) -> "Percent":
        if not SMALLEST_DISTANCE <= self.value < upper:
            raise ValueError(
                f"{what} of {self.value:f} percent is outside {SMALLEST_DISTANCE} to {upper}; write 2 for 2 %, not 0.02"
            )
        return self
