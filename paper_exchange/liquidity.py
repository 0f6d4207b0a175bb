"""The generated order book around a tick: who would trade with you, at which price, and how much.

A book belongs to one tick (a second); what is taken from it is gone until the next one. Level sizes grow away from the
best price, so that a small order fills at the top and a large one walks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from paper_exchange.orders import Side
from paper_exchange.tape import Temper

MAXIMUM_LEVELS = 500
SIZE_GROWTH = 0.22  # of the top level's mean size, per level
GAP_OF_SPREAD = 0.45  # mean distance of neighbouring levels, in spreads


@dataclass
class GeneratedBook:
    """Prices are in tick sizes, quantities in lots."""

    bid: int
    ask: int
    key: int
    temper: Temper
    volatility: float
    _levels: dict[Side, list[tuple[int, int]]] = field(default_factory=dict)
    _draws: dict[Side, Random] = field(default_factory=dict)
    _taken: dict[tuple[Side, int], int] = field(default_factory=dict)

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        """(price, lots) still there of the resting side `side`, best first."""
        index = 0
        while (level := self._level(side, index)) is not None:
            price, lots = level
            left = lots - self._taken.get((side, price), 0)
            if left > 0:
                yield price, left
            index += 1

    def at(self, side: Side, price: int) -> int:
        """Lots that rest on `side` at exactly that price."""
        for level_price, lots in self.levels(side):
            if level_price == price:
                return lots
            if (level_price < price) == (side is Side.BUY):
                break
        return 0

    def take(self, side: Side, price: int, lots: int) -> None:
        self._taken[side, price] = self._taken.get((side, price), 0) + lots

    def _level(self, side: Side, index: int) -> tuple[int, int] | None:
        levels = self._levels.setdefault(side, [])
        while len(levels) <= index:
            level = self._next_level(side, levels)
            if level is None:
                return None
            levels.append(level)
        return levels[index]

    def _next_level(self, side: Side, levels: list[tuple[int, int]]) -> tuple[int, int] | None:
        if len(levels) >= MAXIMUM_LEVELS:
            return None
        draw = self._draws.setdefault(side, Random(self.key + (side is Side.SELL))).random
        price = self._next_price(side, levels, draw())
        if price < 1:
            return None
        # Makers show less when the market is wild.
        mean = self.temper.top_lots * (1 + SIZE_GROWTH * len(levels)) / (0.5 + 0.5 * self.volatility)
        return price, max(1, int(mean * (0.5 + draw())))

    def _next_price(self, side: Side, levels: list[tuple[int, int]], uniform: float) -> int:
        if not levels:
            return self.bid if side is Side.BUY else self.ask
        gap = max(1, round((self.ask - self.bid) * GAP_OF_SPREAD * (0.4 + 1.2 * uniform)))
        return levels[-1][0] - gap if side is Side.BUY else levels[-1][0] + gap
