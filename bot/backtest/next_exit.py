"""Where a held position has to be looked at next: every candle that might sell it, found without asking each.

A candle that is passed over certainly sells nothing: its bounds are widened by more than rounding can do, and the exact
rules decide about those that are left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np

from bot.backtest.candle_table import CandleTable
from bot.domain.position import ExitPlan, Position
from bot.market.candle_arrays import Floats, Mask
from bot.strategies.percent import Percent

# Far more than the last digits of a float, far less than a tick of any price.
_WIDER, _NARROWER = 1 + 1e-9, 1 - 1e-9
_FIRST_LOOK, _LONGEST_LOOK = 256, 16_384


@dataclass(frozen=True)
class _Levels:
    """Prices of a sale, as floats: what a bid at or below (stop, break-even) or above (target, arming) does."""

    stop: float
    target: float
    trail: float
    armed_from: float
    break_even: float
    due_seconds: float


@dataclass(frozen=True, eq=False)
class NextExit:
    """For one symbol: its candles, those after which the strategy may want to sell, and what lies below their prices.

    `half_spread` is a fraction and `tick` a price: a bid is as much below the candle's price. `default_stop_percent`
    guards a position that has no stop of its own.
    """

    table: CandleTable
    may_exit: Mask
    half_spread: float
    tick: float
    default_stop_percent: Decimal | None

    def after(self, position: Position, first: int, *, asks_strategy: bool) -> int:
        """The first candle from `first` on that may sell; the number of candles if none does."""
        levels = self._levels_of(position)
        if levels is None:
            return first
        peak = float(max(position.highest_price, position.average_entry_price))
        for begin, end in self._looks(first):
            highs = self.table.arrays.high[begin:end] * (1 - self.half_spread)
            peaks = np.maximum(np.maximum.accumulate(highs), peak)
            found = np.flatnonzero(self._may_sell(begin, end, highs, peaks, levels, asks_strategy))
            if len(found):
                return begin + int(found[0])
            peak = float(peaks[-1])
        return len(self.table)

    def may_sell_in(self, position: Position, number: int) -> bool:
        """Whether some price within this candle may meet a rule of price or time."""
        levels = self._levels_of(position)
        if levels is None:
            return True
        low = (float(self.table.arrays.low[number]) * (1 - self.half_spread) - self.tick) * _NARROWER
        high = float(self.table.arrays.high[number]) * (1 - self.half_spread) * _WIDER
        if low <= levels.stop or high >= levels.target or int(self.table.closed_at[number]) >= levels.due_seconds:
            return True
        peak = max(high, float(max(position.highest_price, position.average_entry_price)) * _WIDER)
        return low <= peak * levels.trail or (peak >= levels.armed_from and low <= levels.break_even)

    def _levels_of(self, position: Position) -> "_Levels | None":
        return _levels(position.exit_plan, position.average_entry_price, position.opened_at, self.default_stop_percent)

    def _looks(self, first: int) -> Iterator[tuple[int, int]]:
        size = _FIRST_LOOK
        while first < len(self.table):
            yield first, min(first + size, len(self.table))
            first, size = first + size, min(size * 4, _LONGEST_LOOK)

    def _may_sell(
        self, begin: int, end: int, highs: Floats, peaks: Floats, levels: _Levels, asks_strategy: bool
    ) -> Mask:
        lows = (self.table.arrays.low[begin:end] * (1 - self.half_spread) - self.tick) * _NARROWER
        found: Mask = (lows <= levels.stop) | (highs * _WIDER >= levels.target) | (lows <= peaks * levels.trail)
        found |= (peaks * _WIDER >= levels.armed_from) & (lows <= levels.break_even)
        if levels.due_seconds < float("inf"):
            found |= self.table.closed_at[begin:end] >= levels.due_seconds
        if asks_strategy:
            # At the open of a candle the strategy is asked about the candles before it.
            found |= self.may_exit[begin - 1 : end - 1] if begin else np.append(False, self.may_exit[: end - 1])
        return found


@lru_cache(maxsize=1024)
def _levels(
    plan: ExitPlan, entry_price: Decimal, opened_at: datetime, default_stop_percent: Decimal | None
) -> _Levels | None:
    """None for a plan that has something unusable in it: then every candle is looked at."""
    if not _usable(plan):
        return None
    entry = float(entry_price)
    stop = plan.stop_loss_percent
    if stop is None and plan.trailing_stop_percent is None:
        stop = default_stop_percent
    inf = float("inf")
    held = plan.max_hold_minutes
    arming = plan.break_even_percent
    return _Levels(
        stop=-inf if stop is None else entry * (1 - float(stop) / 100),
        target=inf if plan.take_profit_percent is None else entry * (1 + float(plan.take_profit_percent) / 100),
        trail=-inf if plan.trailing_stop_percent is None else 1 - float(plan.trailing_stop_percent) / 100,
        armed_from=inf if arming is None else entry * (1 + float(arming) / 100),
        # Break-even lies above the entry by both fees, which are below a tenth of the price each.
        break_even=-inf if arming is None else entry * 1.25,
        due_seconds=inf if held is None else opened_at.timestamp() + held * 60,
    )


def _usable(plan: ExitPlan) -> bool:
    try:
        for distance in (plan.stop_loss_percent, plan.trailing_stop_percent):
            if distance is not None:
                Percent.of_stop(distance)
        for distance in (plan.take_profit_percent, plan.break_even_percent):
            if distance is not None:
                Percent.of_target(distance)
    except ValueError:
        return False
    return plan.max_hold_minutes is None or plan.max_hold_minutes > 0
