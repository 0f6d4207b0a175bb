"""Averages of all windows at once are, at every place, what the loops over that window give."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.market.candle_arrays import Floats
from bot.market.indicators import bollinger, ema, rsi, wilder_average
from bot.strategies.windowed import (
    ema_weights,
    highest_before,
    lowest_before,
    mean_and_deviation,
    recursive_weights,
    rsi_at,
    weighted,
    wilder_weights,
)

PRICES = st.lists(st.floats(min_value=0.01, max_value=1e6), min_size=1, max_size=80)
PERIODS = st.integers(min_value=2, max_value=20)


def of_windows(values: list[float], over: int, say: Callable[[list[float]], float]) -> list[float]:
    """The loop's answer at every place; NaN where the window is not whole."""
    return [say(values[end - over : end]) if end >= over else math.nan for end in range(1, len(values) + 1)]


def same(found: Floats, expected: list[float], tolerance: float = 1e-9) -> None:
    assert len(found) == len(expected)
    assert found.tolist() == pytest.approx(expected, rel=tolerance, abs=tolerance, nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(values=PRICES, period=PERIODS, more=st.integers(0, 30))
def test_a_weighted_sum_is_the_recursive_average_of_each_window(values: list[float], period: int, more: int) -> None:
    over, row = period + more, np.array(values)
    same(weighted(row, ema_weights(period, over)), of_windows(values, over, lambda window: ema(window, period)[-1]))
    expected = of_windows(values, over, lambda window: wilder_average(window, period)[-1])
    same(weighted(row, wilder_weights(period, over)), expected)
    assert recursive_weights(0.3, period, over).sum() == pytest.approx(1.0)


@settings(deadline=None, max_examples=60)
@given(values=PRICES, period=PERIODS, more=st.integers(0, 30))
def test_the_rsi_at_each_place_is_that_of_its_window(values: list[float], period: int, more: int) -> None:
    over = period + 1 + more
    found = rsi_at(np.array(values), period, over)
    expected = of_windows(values, over, lambda window: rsi(window, period)[-1])
    same(found[over - 1 :], expected[over - 1 :], 1e-6)


def test_the_rsi_of_a_price_that_stands_still_is_in_the_middle() -> None:
    assert rsi_at(np.full(30, 5.0), 9, 20)[-1] == 50.0


@settings(deadline=None, max_examples=60)
@given(values=PRICES, period=st.integers(1, 25))
def test_the_highest_and_lowest_before_a_place_do_not_count_the_place(values: list[float], period: int) -> None:
    row = np.array(values)
    before = [values[place - period : place] if place >= period else [] for place in range(len(values))]
    same(highest_before(row, period), [max(part, default=math.nan) for part in before], 0.0)
    same(lowest_before(row, period), [min(part, default=math.nan) for part in before], 0.0)


@settings(deadline=None, max_examples=60)
@given(values=PRICES, period=PERIODS)
def test_mean_and_deviation_are_those_of_the_band(values: list[float], period: int) -> None:
    mean, deviation = mean_and_deviation(np.array(values), period)
    scale = max(values)
    same(mean, of_windows(values, period, lambda window: bollinger(window, period, 1.0)[-1].middle))
    bands = [bollinger(values[end - period : end], period, 1.0)[-1] for end in range(period, len(values) + 1)]
    expected = [math.nan] * min(period - 1, len(values)) + [band.upper - band.middle for band in bands]
    assert deviation.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-9 * scale, nan_ok=True)


def test_an_average_that_cannot_start_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot start within 5"):
        ema_weights(6, 5)
