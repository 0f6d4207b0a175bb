"""The OKX front's market data, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture(scope="module")
def caller(exchange: ExchangeProcess) -> Iterator[OkxCaller]:
    with OkxCaller(exchange, exchange.open_account("okx", "reader", {"USDT": "1"})) as opened:
        yield opened


def _public(caller: OkxCaller, path: str, **params: Any) -> list[Any]:
    answer = caller.get(path, signed=False, **params)
    assert (answer.status, answer.code) == (200, "0"), answer
    return answer.rows


def _opens(rows: list[list[str]]) -> list[int]:
    return [int(row[0]) for row in rows]


def test_the_time_is_told_and_all_is_well(caller: OkxCaller) -> None:
    assert int(_public(caller, "public/time")[0]["ts"]) > 1_700_000_000_000
    assert _public(caller, "system/status") == []


def test_instruments_are_listed_by_type(caller: OkxCaller) -> None:
    rows = _public(caller, "public/instruments", instType="SPOT")
    assert len(rows) > 300 and len({row["instIdCode"] for row in rows}) == len(rows)
    by_id = {row["instId"]: row for row in rows}
    bitcoin = by_id[INSTRUMENT]
    assert (bitcoin["baseCcy"], bitcoin["quoteCcy"], bitcoin["state"]) == ("BTC", "USDT", "live")
    assert all(Decimal(bitcoin[name]) > 0 for name in ("tickSz", "lotSz", "minSz"))
    assert not [name for name in by_id if name.endswith("-USD")], "dollars are not known here"
    assert "preopen" in {row["state"] for row in rows}
    assert _public(caller, "public/instruments", instType="SPOT", instId=INSTRUMENT) == [bitcoin]
    assert _public(caller, "public/instruments", instType="SWAP") == []
    assert caller.get("public/instruments", signed=False).code == "50014"
    assert caller.get("public/instruments", signed=False, instType="STOCKS").code == "51000"
    assert caller.get("public/instruments", signed=False, instType="SPOT", instId="BTC/USDT").code == "51001"
    assert caller.get("account/instruments", instType="SPOT").rows == rows


def test_prices_are_told_one_by_one_and_all_at_once(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    exchange.pause()
    [one] = _public(caller, "market/ticker", instId=INSTRUMENT)
    assert Decimal(one["bidPx"]) < Decimal(one["askPx"]) and Decimal(one["askSz"]) > 0
    assert Decimal(one["low24h"]) <= Decimal(one["open24h"]) <= Decimal(one["high24h"])
    assert Decimal(one["volCcy24h"]) > Decimal(one["vol24h"]) > 0
    rows = {row["instId"]: row for row in _public(caller, "market/tickers", instType="SPOT")}
    assert rows[INSTRUMENT]["bidPx"] == one["bidPx"] and len(rows) >= 15
    assert _public(caller, "market/tickers", instType="FUTURES") == []
    assert caller.get("market/ticker", signed=False, instId="NO-SUCH").code == "51001"
    exchange.pause(paused=False)


def test_the_book_has_as_many_levels_as_asked_for(caller: OkxCaller) -> None:
    [book] = _public(caller, "market/books", instId=INSTRUMENT, sz="5")
    bids, asks = ([Decimal(level[0]) for level in book[side]] for side in ("bids", "asks"))
    assert len(bids) == len(asks) == 5
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    assert len(_public(caller, "market/books", instId=INSTRUMENT)[0]["bids"]) == 1


def test_trades_come_newest_first(caller: OkxCaller) -> None:
    rows = _public(caller, "market/trades", instId=INSTRUMENT, limit="5")
    numbers = [int(row["tradeId"]) for row in rows]
    assert len(rows) == 5 and numbers == sorted(numbers, reverse=True)
    assert {row["side"] for row in rows} <= {"buy", "sell"}


def test_candles_come_newest_first_and_only_the_first_is_unfinished(caller: OkxCaller) -> None:
    rows = _public(caller, "market/candles", instId=INSTRUMENT, bar="1m", limit="10")
    opens = _opens(rows)
    assert all(newer - older == 60_000 for newer, older in pairwise(opens)) and len(opens) == 10
    assert [row[8] for row in rows] == ["0"] + ["1"] * 9
    for _, first, high, low, close, *_volumes in rows:
        assert (
            Decimal(low) <= min(Decimal(first), Decimal(close)) <= max(Decimal(first), Decimal(close)) <= Decimal(high)
        )


def test_candles_are_cut_by_their_beginnings(caller: OkxCaller) -> None:
    opens = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1H", limit="8"))
    older = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1H", limit="3", after=opens[2]))
    assert older == opens[3:6]
    newer = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1H", before=opens[3]))
    assert newer == opens[:3]
    both = _opens(
        _public(caller, "market/history-candles", instId=INSTRUMENT, bar="1H", after=opens[1], before=opens[5])
    )
    assert both == opens[2:5]
    assert len(_public(caller, "market/candles", instId=INSTRUMENT, bar="1m", limit="1000")) == 300


def test_long_bars_begin_in_hong_kong_unless_utc_is_asked_for(caller: OkxCaller) -> None:
    [local] = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1D", limit="1"))
    [universal] = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1Dutc", limit="1"))
    assert universal % DAY_MS == 0 and local % DAY_MS == 16 * HOUR_MS
    [week] = _opens(_public(caller, "market/candles", instId=INSTRUMENT, bar="1Wutc", limit="1"))
    assert (week // DAY_MS + 3) % 7 == 0, "a Monday"
    assert caller.get("market/candles", signed=False, instId=INSTRUMENT, bar="7m").code == "51000"


def test_a_folded_day_tells_the_same_story_as_its_hours(caller: OkxCaller) -> None:
    day = _public(caller, "market/candles", instId=INSTRUMENT, bar="12H", limit="2")[1]
    end = int(day[0]) + 12 * HOUR_MS
    hours = _public(caller, "market/candles", instId=INSTRUMENT, bar="1H", after=end, limit="12")
    assert _opens(hours)[-1] == int(day[0])
    assert (day[1], day[4]) == (hours[-1][1], hours[0][4])
    assert Decimal(day[2]) == max(Decimal(row[2]) for row in hours)
    assert Decimal(day[5]) == sum(Decimal(row[5]) for row in hours)


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "many"}, {"after": "yesterday"}])
def test_parameters_that_make_no_sense_are_refused(caller: OkxCaller, params: dict[str, str]) -> None:
    answer = caller.get("market/candles", signed=False, instId=INSTRUMENT, **params)
    assert (answer.status, answer.code) == (400, "51000")
    assert next(iter(params)) in answer.body["msg"]
