import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.market.indicators import atr, closes, ema, rsi
from tests.unit.candles import candles_of

PRICES = st.lists(st.floats(min_value=0.01, max_value=1e6), min_size=0, max_size=60)

# The example of Wilder's method that is printed in many manuals: 14-period RSI, first value 70.46, then 66.25, …
MANUAL_CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
    45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
]  # fmt: skip
MANUAL_RSI = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]


def test_the_rsi_agrees_with_the_published_example() -> None:
    assert rsi(MANUAL_CLOSES, 14) == pytest.approx(MANUAL_RSI, abs=0.01)


def test_the_rsi_of_rising_falling_and_still_prices() -> None:
    assert rsi([1.0, 2.0, 3.0, 4.0], 3) == [100.0]
    assert rsi([4.0, 3.0, 2.0, 1.0], 3) == [0.0]
    assert rsi([5.0, 5.0, 5.0, 5.0], 3) == [50.0]


def test_the_ema_starts_with_the_mean_and_weighs_by_its_period() -> None:
    assert ema([1.0, 2.0, 3.0, 7.0], 3) == [2.0, 4.5]


def test_the_atr_counts_the_gap_between_two_candles() -> None:
    assert atr(candles_of([10, 10, 13]), 1) == [0.0, 3.0]


def test_closes_are_the_closing_prices() -> None:
    assert closes(candles_of(["1.5", "2.25"])) == [1.5, 2.25]


@pytest.mark.parametrize("indicator", [ema, rsi])
def test_too_few_values_give_an_empty_list_and_a_period_of_nothing_is_refused(indicator) -> None:  # type: ignore[no-untyped-def]
    assert indicator([1.0, 2.0], 5) == []
    assert indicator([], 5) == []
    with pytest.raises(ValueError, match="at least 1 candle"):
        indicator([1.0], 0)


@settings(deadline=None)
@given(PRICES, PRICES, st.integers(min_value=1, max_value=20))
def test_later_values_change_no_earlier_indicator(past: list[float], future: list[float], period: int) -> None:
    for indicator in (ema, rsi):
        before = indicator(past, period)
        assert indicator(past + future, period)[: len(before)] == before


@settings(deadline=None)
@given(PRICES, st.integers(min_value=1, max_value=20))
def test_the_rsi_stays_between_0_and_100(prices: list[float], period: int) -> None:
    assert all(0.0 <= value <= 100.0 for value in rsi(prices, period))
