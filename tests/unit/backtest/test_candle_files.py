"""Candles read from files are exactly what is written there, and what is wrong is said with file, line and field."""

from decimal import Decimal as D
from pathlib import Path

import pytest

from bot.backtest.candle_files import BadCandles, read_candles, write_candles
from bot.backtest.generated import generate
from bot.backtest.sources import load
from tests.unit.backtest.marked import BEGIN, table

HEAD = "time,open,high,low,close,volume,symbol\n"


def test_what_is_written_is_read_again_to_the_last_digit(tmp_path: Path) -> None:
    tables = generate(3, 1, ["BTC/USD", "SHIB/USD"])
    write_candles(tmp_path / "all.csv", tables.values())
    again = read_candles(tmp_path / "all.csv")
    assert set(again) == {"BTC/USD", "SHIB/USD"}
    for symbol, made in tables.items():
        assert list(again[symbol]) == list(made) and again[symbol].interval_minutes == 1


def test_columns_may_come_in_any_order_and_times_in_any_of_three_forms(tmp_path: Path) -> None:
    for place, time in enumerate(("1767225600", "1767225600000", "2026-01-01T00:00:00Z")):
        file = tmp_path / f"{place}" / "BTC-USD.csv"
        file.parent.mkdir()
        file.write_text(f"Close,Open,High,Low,Time\n1.5,1,2,0.5,{time}\n")
        (candle,) = read_candles(file)["BTC/USD"]
        assert (candle.opened_at, candle.open, candle.close, candle.volume) == (BEGIN, 1, D("1.5"), 0)


@pytest.mark.parametrize("name", ["Timestamp", "opened_at", "date", "datetime"])
def test_the_time_has_other_names_and_a_file_without_a_symbol_takes_one_if_it_may(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(f"{name},open,high,low,close\n0,1,2,0.5,1.5\n")
    assert [table.symbol for table in read_candles(file, unnamed="mine").values()] == ["mine"]
    with pytest.raises(BadCandles, match="the file's name is 'mine'"):
        read_candles(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "all.csv:1: no column time, open, high, low, close"),
        (HEAD, "no rows"),
        (HEAD + "0,1,2,0.5,x,1,BTC/USD\n", "all.csv:2: close is 'x'"),
        (HEAD + "0,1,2,0.5,1,nan,BTC/USD\n", "all.csv:2: volume is 'nan'"),
        (HEAD + "0,1,2,0.5,1,1\n", "all.csv:2: 6 fields where line 1 names 7"),
        (HEAD + "soon,1,2,0.5,1,1,BTC/USD\n", "all.csv:2: time is 'soon'"),
        (HEAD + "0,1,2,0.5,1,1,BTC/USD\n60,1,0.9,0.5,1,1,BTC/USD\n", "all.csv:3: open 1, high 0.9"),
        (HEAD + "60,1,2,0.5,1,1,BTC/USD\n0,1,2,0.5,1,1,BTC/USD\n", "all.csv:3: BTC/USD is not later"),
        (HEAD + "0,1,2,0.5,1,1,b t c\n", "all.csv:2: symbol is 'b t c'"),
        (HEAD + "0,1,2,0.5,1,1,BTC/USD\n5,1,2,0.5,1,1,BTC/USD\n", "5 s apart"),
        (HEAD + "".join(f"{at},1,2,0.5,1,1,BTC/USD\n" for at in (0, 60, 150)), "all.csv:4: BTC/USD is off the grid"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "all.csv"
    file.write_text(text)
    with pytest.raises(BadCandles, match=said.replace("(", r"\(")):
        read_candles(file)


def test_short_candles_make_long_ones_and_an_unfinished_one_is_left_out() -> None:
    one = table("1 3 1 2", "2 5 2 4", "4 4 0.5 1", "1 2 1 2", "2 2 2 2", volume="2")
    (first, second) = one.folded(2)
    assert (first.open, first.high, first.low, first.close, first.volume) == (1, 5, 1, 4, 4)
    assert (second.open, second.high, second.low, second.close) == (4, 4, D("0.5"), 2)
    with pytest.raises(ValueError, match="make none of 3"):
        one.folded(2).folded(3)


@pytest.mark.parametrize(
    "source", ["generated:1", "generated:1:0", "generated:1:2:NO/PE", "generated:1:2:0", "none.csv"]
)
def test_a_source_that_cannot_be_is_refused(source: str) -> None:
    with pytest.raises(BadCandles):
        load(source)
