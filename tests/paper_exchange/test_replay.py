"""A CSV of one's own instead of the generated market."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from paper_exchange.catalogue import Catalogue
from paper_exchange.market import Market
from paper_exchange.replay import BadReplayFile, read_replay
from tests.paper_exchange.engine_bench import ORIGIN_NS, SECOND_NS

HEADER = "time,open,high,low,close,volume\n"


def replayed(path: Path, text: str) -> Market:
    path.write_text(text, encoding="utf-8")
    catalogue = Catalogue()
    return Market(catalogue, 1, origin_ns=ORIGIN_NS, replay=read_replay(path, catalogue))


def rows(count: int, *, step: int = 60, start: int = 1_600_000_000) -> str:
    return "".join(f"{start + i * step},{100 + i},{103 + i},{99 + i},{101 + i},{i + 1}\n" for i in range(count))


def test_the_first_half_is_history_and_the_rest_plays_minute_by_minute(tmp_path: Path) -> None:
    market = replayed(tmp_path / "own.csv", HEADER + rows(40))
    market.advance(ORIGIN_NS + 5 * 60 * SECOND_NS)
    closed = market.candles("BTC/USD", 60, None, 26)[:-1]
    assert [candle.open for candle in closed[1:]] == [Decimal(100 + i) for i in range(1, 25)]
    assert closed[-1].open == 124
    assert (closed[-1].high, closed[-1].low, closed[-1].close) == (127, 123, 125)
    assert closed[-1].volume == 25


def test_after_the_last_row_and_before_the_first_the_generator_fills_in(tmp_path: Path) -> None:
    market = replayed(tmp_path / "own.csv", HEADER + rows(10))
    market.advance(ORIGIN_NS + 30 * 60 * SECOND_NS)
    candles = market.candles("BTC/USD", 60, None, 720)
    assert len(candles) == 720
    assert all(90 < candle.close < 130 for candle in candles[-60:])


def test_hourly_rows_with_iso_times_symbols_and_gaps_are_replayed(tmp_path: Path) -> None:
    text = "time,open,high,low,close,volume,symbol\n" + "".join(
        f"2024-05-01T{hour:02}:00:00Z,3000,3010,2990,3005,60,ETH/USD\n" for hour in (0, 1, 3, 4)
    )
    market = replayed(tmp_path / "eth.csv", text)
    candles = market.candles("ETH/USD", 60, None, 100)
    assert all(candle.low >= 2990 and candle.high <= 3010 for candle in candles)
    assert market.last("BTC/USD") > 10000, "other symbols are generated"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: the header"),
        ("date,open\n", ":1: the header"),
        (HEADER, "no rows"),
        (HEADER + rows(2) + "x,1,1,1,1,1\n", ":4: a time and five numbers"),
        (HEADER + "1600000000,1,1,1,1\n", ":2: 6 columns"),
        (HEADER + "1600000000,1,1,1,nan,1\n", ":2: prices"),
        (HEADER + "1600000000,5,4,3,4,1\n", ":2: the high"),
        (HEADER + rows(2) + rows(1), ":4: the time must be later"),
        (HEADER + rows(1) + rows(1, start=1_600_000_030), ":3: rows must be whole minutes"),
        (HEADER.strip() + ",symbol\n1600000000,1,1,1,1,1,ACA/USD\n", ":2: ACA/USD does not trade"),
        (HEADER + rows(1) + rows(1, start=1_700_000_020), "minutes long"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    with pytest.raises(BadReplayFile, match=r"bad\.csv") as caught:
        replayed(path, text)
    assert says in str(caught.value)


def test_a_missing_or_binary_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    with pytest.raises(BadReplayFile, match="cannot be read"):
        read_replay(path, Catalogue())
    path.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(BadReplayFile, match="cannot be read"):
        read_replay(path, Catalogue())
