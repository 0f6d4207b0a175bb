"""A view that makes only what is looked at shows the very same as one that holds all of its candles."""

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest

from bot.backtest.candle_table import CandleTable
from bot.backtest.generated import generate
from bot.backtest.table_view import TableView, view_of
from bot.strategies.interface import MarketView
from tests.unit.backtest.marked import candles, table

TABLES = generate(3, 1, ["BTC/USD", "DOGE/USD"])
ASKED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("closes", ()), ("volumes", ()), ("ema", (9,)), ("rsi", (14,)), ("atr", (14,)), ("adx", (5,)),
    ("bollinger", (20, 2.0)), ("donchian", (20,)),
)  # fmt: skip


def both(one: CandleTable, begin: int, end: int) -> tuple[MarketView, MarketView]:
    return view_of(one, begin, end, None), MarketView(one.symbol, one[begin:end], one.interval_minutes)


def bits(series: Any) -> list[Any]:
    return [value.hex() if isinstance(value, float) else [part.hex() for part in value] for value in series]


@pytest.mark.parametrize("symbol", TABLES)
@pytest.mark.parametrize(("begin", "end"), [(0, 60), (700, 856), (1431, 1440)])
@pytest.mark.parametrize("over", [0, 1, 40, 500])
def test_every_indicator_is_the_same_to_the_last_bit(symbol: str, begin: int, end: int, over: int) -> None:
    lazy, plain = both(TABLES[symbol], begin, end)
    assert isinstance(lazy, TableView)
    for name, words in ASKED:
        mine, other = (getattr(view.indicators, name)(*words, over=over) for view in (lazy, plain))
        assert bits(mine) == bits(other), name
    assert lazy.indicators.asked().keys() == plain.indicators.asked().keys()


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 5, 100])
def test_candles_holes_and_the_newest_are_the_same(count: int) -> None:
    rows = ["100 101 99 100", "", "100 102 99 101", "101 102 99 100", "", "", "100 100 100 100"]
    holes = table(*rows)
    lazy, plain = both(holes, 0, len(holes))
    assert (lazy.last(count), lazy.missing(count), lazy.count) == (plain.last(count), plain.missing(count), plain.count)
    assert lazy.candles == plain.candles == tuple(candles(rows))
    assert (lazy.last(count), lazy.missing(count)) == (plain.last(count), plain.missing(count))


def test_a_changed_copy_is_a_view_of_its_own_candles() -> None:
    lazy, plain = both(TABLES["BTC/USD"], 0, 30)
    for mine, other in (
        (replace(lazy, interval_minutes=1), plain),
        (replace(lazy, candles=lazy.candles[:20]), replace(plain, candles=plain.candles[:20])),
    ):
        assert (mine.candles, mine.count, mine.last(3), mine.missing(9)) == (
            other.candles, other.count, other.last(3), other.missing(9),
        )  # fmt: skip
        assert mine.indicators.closes(over=25) == other.indicators.closes(over=25)


def test_numbers_that_floats_cannot_hold_are_shown_by_candles() -> None:
    one = table("100 101 99 100.123456789", volume="123456789.123456789")
    assert not one.floats_are_exact
    lazy, plain = both(one, 0, 1)
    assert type(lazy) is MarketView and lazy == plain
    assert lazy.indicators.volumes(over=1) == [float(D("123456789.123456789"))]
