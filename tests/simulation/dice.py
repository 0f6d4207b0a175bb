"""Chance of one simulated world, all of it from its seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. Nothing in the bot may catch it."""


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """Probabilities per occasion: per venue call, per store write, per failpoint."""

    crash: float
    lost_request: float
    late_request: float
    lost_reply: float
    refused: float
    rate_limited: float
    failed_read: float
    hidden: float
    partial: float
    working: float
    store_failure: float

    def none(self) -> "FaultRates":
        """A healed world."""
        return replace(self, **dict.fromkeys(self.__dataclass_fields__, 0.0))


class Dice:
    """Lots drawn in one order; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        # Nothing is drawn for what cannot happen, and everything else draws once.
        return probability > 0 and self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def pick(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    def weighted(self, weights: dict[str, float]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def rates(self) -> FaultRates:
        """A world's own climate: some worlds are calm in most respects and wild in one."""
        scale = self.pick([0.5, 1.0, 2.0])

        def rate(high: float) -> float:
            return self.pick([0.0, 0.3, 1.0]) * high * scale

        return FaultRates(
            crash=rate(0.02),
            lost_request=rate(0.1),
            late_request=rate(0.1),
            lost_reply=rate(0.2),
            refused=rate(0.1),
            rate_limited=rate(0.15),
            failed_read=rate(0.2),
            hidden=rate(0.5),
            partial=rate(0.3),
            working=rate(0.3),
            store_failure=rate(0.01),
        )
