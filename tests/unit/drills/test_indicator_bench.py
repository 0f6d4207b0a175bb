"""The benchmark of the indicators times the scan and its anchors on the same prices, and compares their answers."""

import json

import numpy as np
import pytest

from benchmarks.indicators import Prices, main, worst_difference


def test_a_tiny_run_times_each_way_and_finds_the_answers_equal(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--markets", "8", "--candles", "5", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert len(said["rows"]) == 4
    assert all(one["ms a candle"] > 0 for one in said["rows"])
    assert said["settings"]["worst_difference"] <= 1e-9


@pytest.mark.parametrize("name", ["rsi_9", "macd_signal", "bollinger_upper"])
def test_a_wrong_answer_of_one_market_shows(name: str) -> None:
    prices = Prices(4, 120)
    table = prices.table(range(120))
    assert worst_difference(prices, table) <= 1e-9
    table.values[name][2] *= 1 + 1e-6
    assert worst_difference(prices, table) > (1e-9 if name != "macd_signal" else 1e-12)


def test_prices_are_possible() -> None:
    prices = Prices(50, 60)
    assert np.all((prices.low > 0) & (prices.low <= prices.close) & (prices.close <= prices.high))
