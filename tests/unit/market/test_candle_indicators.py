"""The indicators that strategies read say what TA-Lib says, and numpy where TA-Lib has no such thing."""

from collections.abc import Sequence

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bot.domain.quote import Candle
from bot.market.cached_indicators import CachedIndicators
from bot.market.candle_arrays import CandleArrays
from bot.market.indicators import adx, atr, bollinger, closes, donchian, ema, rsi
from tests.unit.market.test_scan import KINDS, candle, series

Floats = NDArray[np.float64]


def candles_like(kind: str, seed: int, count: int) -> list[Candle]:
    prices = series(kind, seed, count)
    return [candle(prices, number) for number in range(count)]


def told(values: Floats) -> list[float]:
    """What TA-Lib says once it is warm."""
    return [float(value) for value in values[~np.isnan(values)]]


@settings(deadline=None, max_examples=30)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1), period=st.integers(2, 30))
def test_each_indicator_of_candles_is_talibs(kind: str, seed: int, period: int) -> None:
    candles = candles_like(kind, seed, 120)
    columns = CandleArrays.of(candles)
    high, low, close = columns.high, columns.low, columns.close
    scale = float(close.max())
    assert atr(candles, period) == pytest.approx(told(talib.ATR(high, low, close, period)), rel=1e-9, abs=1e-9 * scale)
    assert adx(candles, period) == pytest.approx(told(talib.ADX(high, low, close, period)), rel=1e-7, abs=1e-7)
    assert ema(closes(candles), period) == pytest.approx(told(talib.EMA(close, period)), rel=1e-9)
    upper, middle, lower = (told(band) for band in talib.BBANDS(close, period, 2, 2))
    bands = bollinger(closes(candles), period, 2.0)
    for said, expected in zip(zip(*bands, strict=True), (upper, middle, lower), strict=True):
        assert list(said) == pytest.approx(expected, rel=1e-9, abs=1e-6 * scale)
    # Before a price first moves, TA-Lib says 0; here it is neither strong nor weak, 50.
    if kind not in ("flat", "steps"):
        assert rsi(closes(candles), period) == pytest.approx(told(talib.RSI(close, period)), rel=1e-7, abs=1e-7)


@settings(deadline=None, max_examples=20)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1), period=st.integers(1, 40))
def test_the_channel_is_the_highest_and_lowest_of_each_window(kind: str, seed: int, period: int) -> None:
    candles = candles_like(kind, seed, 60)
    columns = CandleArrays.of(candles)
    channels = donchian(candles, period)
    assert [channel.high for channel in channels] == sliding_window_view(columns.high, period).max(axis=1).tolist()
    assert [channel.low for channel in channels] == sliding_window_view(columns.low, period).min(axis=1).tolist()


def _all_of(candles: Sequence[Candle], period: int) -> list[Sequence[object]]:
    bands = bollinger(closes(candles), period, 2)
    return [atr(candles, period), adx(candles, period), donchian(candles, period), bands]


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), period=st.integers(1, 20), cut=st.integers(0, 60))
def test_candles_that_come_later_change_no_earlier_value(seed: int, period: int, cut: int) -> None:
    candles = candles_like("random", seed, 60)
    for before, after in zip(_all_of(candles[:cut], period), _all_of(candles, period), strict=True):
        assert list(after[: len(before)]) == list(before)


def test_with_too_few_candles_nothing_is_said_and_no_candle_is_no_period() -> None:
    candles = candles_like("random", 1, 9)
    assert adx(candles, 5) == [] and len(adx(candles_like("random", 1, 10), 5)) == 1
    assert donchian(candles, 10) == [] and bollinger(closes(candles), 10, 2) == [] and adx([], 3) == []
    for indicator in (atr, adx, donchian):
        with pytest.raises(ValueError, match="at least 1 candle"):
            indicator(candles, 0)


def test_a_view_computes_an_indicator_once_and_from_as_many_candles_as_it_is_told() -> None:
    candles = candles_like("random", 3, 80)
    known = CachedIndicators(candles)
    assert known.rsi(14, over=60) == rsi(closes(candles[-60:]), 14)
    assert known.rsi(14, over=60) is known.rsi(14, over=60)
    assert known.rsi(14, over=80) != known.rsi(14, over=60)
    assert known.adx(10, over=40) == adx(candles[-40:], 10) and known.atr(10, over=40) == atr(candles[-40:], 10)
    assert known.closes(over=0) == [] and len(known.volumes(over=500)) == 80
    assert known.ema(5, over=20) == ema(closes(candles[-20:]), 5)
    assert known.donchian(5, over=20) == donchian(candles[-20:], 5)
    assert known.bollinger(5, 1.5, over=20) == bollinger(closes(candles[-20:]), 5, 1.5)


def test_columns_hold_what_the_candles_hold_and_are_equally_long() -> None:
    candles = candles_like("random", 3, 5)
    columns = CandleArrays.of(candles)
    assert len(columns) == 5
    assert columns.opened_at.tolist() == [one.opened_at.timestamp() for one in candles]
    assert columns.close.tolist() == closes(candles) and columns.low.tolist() == [float(one.low) for one in candles]
    assert len(CandleArrays.of([])) == 0
    with pytest.raises(ValueError, match="different shapes"):
        CandleArrays(columns.opened_at, columns.open, columns.high, columns.low, columns.close[:-1], columns.volume)
