"""Where `rsi_trend` certainly says nothing, for every candle of a long row at once."""

from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bot.market.candle_arrays import CandleArrays, Floats, Mask
from bot.strategies.parameters import ParameterValues
from bot.strategies.windowed import (
    ROUNDING,
    ROUNDING_POINTS,
    ema_weights,
    moves_of,
    rsi_at,
    strength,
    weighted,
    wilder_weights,
)

Places = NDArray[np.intp]
# Rows of windows looked at together: a few megabytes at a time.
_ROWS = 8192


class RsiTrendScreens:
    """The strategy's conditions, each a little wider than the strategy's own, so that rounding hides no answer."""

    def __init__(self, values: ParameterValues, candles_needed: int, arrays: CandleArrays) -> None:
        self._values = values
        self._over = candles_needed
        self._close = arrays.close

    def entry(self) -> Mask:
        """The trend may be up, the fast RSI above the slow one and not overbought, and it was not lately."""
        maybe = self._trend_may_be_up & (self._fast > self._slow - ROUNDING_POINTS)
        maybe &= self._fast < float(self._values.decimal("overbought")) + ROUNDING_POINTS
        places = np.flatnonzero(maybe)
        maybe[places] = self._lately_not_above(places)
        return maybe

    def exit(self) -> Mask:
        """The trend may be down and the fast RSI below the slow one."""
        below = self._close < self._slow_average * (1 + ROUNDING)
        return below & (self._slope < ROUNDING * self._close) & (self._fast < self._slow + ROUNDING_POINTS)

    @property
    def _trend_may_be_up(self) -> Mask:
        above = self._close > self._slow_average * (1 - ROUNDING)
        return above & (self._slope > -ROUNDING * self._close)

    @cached_property
    def _fast(self) -> Floats:
        return rsi_at(self._close, self._values.integer("rsi_fast"), self._over)

    @cached_property
    def _slow(self) -> Floats:
        return rsi_at(self._close, self._values.integer("rsi_slow"), self._over)

    @cached_property
    def _slow_average(self) -> Floats:
        return weighted(self._close, ema_weights(self._values.integer("ema_slow"), self._over))

    @cached_property
    def _slope(self) -> Floats:
        """The fast average less what it was one candle before, both started at the same candle."""
        period = self._values.integer("ema_fast")
        weights = ema_weights(period, self._over)
        weights[1:] -= ema_weights(period, self._over - 1)
        return weighted(self._close, weights)

    def _lately_not_above(self, places: Places) -> Mask:
        """Whether the fast RSI was at or below the slow one within the fresh candles, by the windows of these places.

        Places have a whole window before them: elsewhere the conditions before this one compare with NaN.
        """
        found = np.zeros(len(places), dtype=np.bool_)
        if not len(places):
            return found  # perhaps there is not even one whole window
        windows = sliding_window_view(moves_of(self._close), self._over - 1)
        for start in range(0, len(places), _ROWS):
            moves = windows[places[start : start + _ROWS] - (self._over - 2)]
            rises = np.maximum(moves, 0.0)
            falls = rises - moves
            fast, slow = (self._lately(rises, falls, name) for name in ("rsi_fast", "rsi_slow"))
            found[start : start + _ROWS] = (fast <= slow + ROUNDING_POINTS).any(axis=1)
        return found

    def _lately(self, rises: Floats, falls: Floats, name: str) -> Floats:
        """The RSI 1, 2, … fresh candles before the end of each window of moves, one column each."""
        count = rises.shape[1]
        weights = np.zeros((count, self._values.integer("fresh_candles")))
        for column in range(weights.shape[1]):
            weights[: count - column - 1, column] = wilder_weights(self._values.integer(name), count - column - 1)[::-1]
        return strength(rises @ weights, falls @ weights)
