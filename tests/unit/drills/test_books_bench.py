"""The benchmark of the books compares the ways it times, and measures memory of its own process."""

import json

import pytest

from benchmarks.books import beancount_gain, floor_gain, history, main, ours


def test_a_tiny_run_times_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--fills", "300", "--beancount-fills", "60", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 3
    assert all(row["fills a second"] > 0 for row in rows)
    assert 0 <= rows[1]["MB"] < 50


def test_all_three_ways_find_the_same_gain() -> None:
    trades = list(history(200, third_asset_fees=False))
    gain, _seconds = beancount_gain(trades)
    assert gain != 0
    assert round(gain, 2) == round(ours(trades).flows.realised, 2)
    of_first = [trade for trade in trades if trade.symbol == "BTC/USD"]
    assert floor_gain(of_first, "BTC/USD") == ours(of_first).flows.realised
