"""Chance of one simulated world, all of it from its seed, and the faults it let happen."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. Nothing in the bot may catch it."""


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """Probabilities per occasion: per venue call, per store write, per named step."""

    crash: float
    crash_in_recovery: float
    hold_up: float
    lost_request: float
    late_request: float
    lost_reply: float
    refused: float
    rate_limited: float
    failed_read: float
    hidden: float
    partial: float
    working: float
    other_size: float
    lost_cancel: float
    listed_twice: float
    store_failure: float
    clock_jump: float

    def none(self) -> "FaultRates":
        """A healed world."""
        return replace(self, **dict.fromkeys(self.__dataclass_fields__, 0.0))


# The highest rate of each fault; a world draws its own below.
HIGHEST = FaultRates(
    crash=0.02,
    crash_in_recovery=0.1,
    hold_up=0.02,
    lost_request=0.1,
    late_request=0.1,
    lost_reply=0.2,
    refused=0.1,
    rate_limited=0.15,
    failed_read=0.2,
    hidden=0.5,
    partial=0.3,
    working=0.3,
    other_size=0.03,
    lost_cancel=0.4,
    listed_twice=0.2,
    store_failure=0.01,
    clock_jump=0.02,
)


class Dice:
    """Lots drawn in one order; the same seed draws the same. `faults` counts what was let happen, by kind."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.faults: Counter[str] = Counter()

    def chance(self, probability: float) -> bool:
        # Nothing is drawn for what cannot happen, and everything else draws once.
        return probability > 0 and self._random.random() < probability

    def fault(self, kind: str, rate: float) -> bool:
        """Whether this fault happens here and now."""
        if not self.chance(rate):
            return False
        self.faults[kind] += 1
        return True

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def pick(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(list(items), len(items))

    def weighted(self, weights: dict[str, float]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def rates(self) -> FaultRates:
        """A world's own climate: some worlds are calm in most respects and wild in one."""
        scale = self.pick([0.5, 1.0, 2.0])
        return FaultRates(
            **{
                name: self.pick([0.0, 0.3, 1.0]) * getattr(HIGHEST, name) * scale
                for name in FaultRates.__dataclass_fields__
            }
        )
