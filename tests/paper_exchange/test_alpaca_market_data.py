"""Alpaca's market data over the wire: one truth in quotes, trades and bars, and pages that miss nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from paper_exchange.clock import SystemClock, rfc3339
from paper_exchange.trading_calendar import trading_day
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.alpaca_caller import AlpacaCaller

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13) as process:
        process.pause()
        yield process


@pytest.fixture(scope="module")
def caller(exchange: ExchangeProcess) -> Iterator[AlpacaCaller]:
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "reader")) as opened:
        yield opened


def ago(**span: float) -> str:
    return rfc3339(SystemClock().now_ns() - int(timedelta(**span).total_seconds() * 1e9))


def local(bar: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(bar["t"]).astimezone(NEW_YORK)


def test_quotes_and_trades_are_numbers_around_the_price(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    exchange.set_price("AAPL/USD", "200")
    quotes = caller.get("stocks/quotes/latest", symbols="AAPL,msft,NOPE", feed="iex")["quotes"]
    assert set(quotes) == {"AAPL", "MSFT"}
    quote = quotes["AAPL"]
    assert quote["bp"] < quote["ap"] and quote["bp"] <= 200 <= quote["ap"] and quote["bs"] > 0
    assert datetime.fromisoformat(quote["t"]).tzinfo is UTC or quote["t"].endswith("Z")
    trade = caller.get("stocks/trades/latest", symbols="AAPL")["trades"]["AAPL"]
    assert trade["p"] == 200 and trade["s"] >= 1
    assert caller.get("stocks/AAPL/quotes/latest")["quote"]["ap"] == quote["ap"]
    assert caller.get("stocks/AAPL/trades/latest")["symbol"] == "AAPL"
    assert caller.call("GET", "stocks/NOPE/quotes/latest").status == 404
    assert caller.call("GET", "stocks/quotes/latest").status == 422


def test_daily_bars_are_of_trading_days_and_open_at_midnight_in_new_york(caller: AlpacaCaller) -> None:
    bars = caller.get("stocks/bars", symbols="AAPL", timeframe="1Day", start=ago(days=60))["bars"]["AAPL"]
    assert 38 <= len(bars) <= 45
    for bar in bars:
        opened = local(bar)
        assert (opened.hour, opened.minute) == (0, 0) and trading_day(opened.date()) is not None
        assert bar["l"] <= min(bar["o"], bar["c"]) <= max(bar["o"], bar["c"]) <= bar["h"]
        assert bar["v"] > 0 and bar["n"] > 0 and bar["l"] <= bar["vw"] <= bar["h"]
    assert [bar["t"] for bar in bars] == sorted({bar["t"] for bar in bars})


def test_parts_of_a_day_are_of_its_session(caller: AlpacaCaller) -> None:
    start, end = ago(days=12), ago(days=4)
    minutes = caller.get("stocks/AAPL/bars", timeframe="15Min", start=start, end=end)["bars"]
    hours = caller.get("stocks/AAPL/bars", timeframe="1Hour", start=start, end=end)["bars"]
    assert minutes and hours
    for bar in minutes:
        assert (9, 30) <= (local(bar).hour, local(bar).minute) < (16, 0)
    assert {local(bar).hour for bar in hours} <= set(range(9, 16))
    days = {local(bar).date() for bar in minutes}
    assert all(trading_day(day) is not None for day in days)
    for day in sorted(days)[1:-1]:
        session = trading_day(day)
        assert session is not None
        expected = (session.close_ns - session.open_ns) // (15 * 60 * 10**9)
        assert len([bar for bar in minutes if local(bar).date() == day]) == expected


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("timeframe", ["1Day", "30Min", "1Week"])
def test_pages_of_several_stocks_are_the_whole_in_pieces(caller: AlpacaCaller, timeframe: str, sort: str) -> None:
    asked = {"symbols": "MSFT,AAPL", "timeframe": timeframe, "start": ago(days=40), "end": ago(days=5), "sort": sort}
    whole = caller.get("stocks/bars", **asked, limit=10000)
    assert whole["next_page_token"] is None and list(whole["bars"]) == ["AAPL", "MSFT"]
    found: dict[str, list[Any]] = {}
    token: dict[str, str] = {}
    while True:
        page = caller.get("stocks/bars", **asked, limit=7, **token)
        assert sum(map(len, page["bars"].values())) <= 7
        for stock, bars in page["bars"].items():
            found.setdefault(stock, []).extend(bars)
        if page["next_page_token"] is None:
            break
        token = {"page_token": page["next_page_token"]}
    assert found == whole["bars"]
    times = [bar["t"] for bar in found["AAPL"]]
    assert times == sorted(times, reverse=sort == "desc")


def test_the_newest_bars_come_first_when_asked_so(caller: AlpacaCaller) -> None:
    newest = caller.get("stocks/AAPL/bars", timeframe="1Day", start=ago(days=30), sort="desc", limit=3)["bars"]
    every = caller.get("stocks/AAPL/bars", timeframe="1Day", start=ago(days=30))["bars"]
    assert newest == every[::-1][:3]


def test_weeks_and_months_are_made_of_their_days(caller: AlpacaCaller) -> None:
    start = ago(days=200)
    days = caller.get("stocks/AAPL/bars", timeframe="1Day", start=ago(days=230))["bars"]
    weeks = caller.get("stocks/AAPL/bars", timeframe="1W", start=start)["bars"]
    months = caller.get("stocks/AAPL/bars", timeframe="1Month", start=start)["bars"]
    assert all(local(bar).weekday() == 0 for bar in weeks) and all(local(bar).day == 1 for bar in months)
    assert 27 <= len(weeks) <= 30 and 6 <= len(months) <= 7
    week = weeks[5]
    begin = local(week).date()
    inside = [bar for bar in days if begin <= local(bar).date() < begin + timedelta(days=7)]
    assert (week["o"], week["c"]) == (inside[0]["o"], inside[-1]["c"])
    assert week["h"] == max(bar["h"] for bar in inside)
    # Each day leaves a part of a share away.
    assert 0 <= week["v"] - sum(bar["v"] for bar in inside) <= len(inside)


@pytest.mark.parametrize("timeframe", ["", "0Min", "60Min", "24Hour", "2Day", "5Month", "1Year", "Min"])
def test_a_timeframe_that_is_none_is_refused(caller: AlpacaCaller, timeframe: str) -> None:
    answer = caller.call("GET", "stocks/bars", symbols="AAPL", timeframe=timeframe)
    assert answer.status == 422 and "timeframe" in answer.body["message"]


def test_bad_times_limits_and_tokens_are_refused(caller: AlpacaCaller) -> None:
    for bad in ({"start": "yesterday"}, {"limit": 0}, {"limit": 10001}, {"page_token": "x"}, {"sort": "up"}):
        answer = caller.call("GET", "stocks/bars", **{"symbols": "AAPL", "timeframe": "1Day", **bad})
        assert (answer.status, answer.body["code"]) == (422, 40010001), bad


def test_a_snapshot_holds_all_of_it(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    exchange.set_price("AAPL/USD", "210")
    shown = caller.get("stocks/snapshots", symbols="AAPL,SPY")
    assert set(shown) == {"AAPL", "SPY"}
    assert shown["AAPL"]["latestTrade"]["p"] == 210 and shown["AAPL"]["prevDailyBar"]
    assert caller.get("stocks/AAPL/snapshot")["latestQuote"] == shown["AAPL"]["latestQuote"]
    assert caller.get("stocks/bars/latest", symbols="AAPL")["bars"]["AAPL"]["c"] == 210


def test_a_market_that_is_always_open_has_bars_round_the_clock(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    exchange.control("POST", "/session", {"mode": "always_open"})
    try:
        bars = caller.get("stocks/AAPL/bars", timeframe="1Hour", start=ago(hours=20.5))["bars"]
        assert len(bars) == 20 or len(bars) == 21
        assert Decimal(str(bars[-1]["c"])) > 0
    finally:
        exchange.control("POST", "/session", {"mode": "calendar"})
