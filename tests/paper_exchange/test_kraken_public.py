"""Kraken's public endpoints: shapes, names and decimals."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient


def decimals(text: str) -> int:
    assert re.fullmatch(r"\d+(\.\d+)?", text), text
    return len(text.partition(".")[2])


def public_error(client: KrakenClient, path: str) -> list[str]:
    envelope = client.session.get(f"{client.url}/0/public/{path}", timeout=5).json()
    assert "result" not in envelope
    errors: list[str] = envelope["error"]
    return errors


def test_the_time_is_the_real_time_in_both_forms(kraken: KrakenClient) -> None:
    time = kraken.public("Time")
    assert abs(time["unixtime"] - datetime.now(UTC).timestamp()) < 5
    assert datetime.strptime(time["rfc1123"], "%a, %d %b %Y %H:%M:%S %z").timestamp() == time["unixtime"]


def test_the_system_is_online(kraken: KrakenClient) -> None:
    status = kraken.public("SystemStatus")
    assert status["status"] == "online"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["timestamp"])


def test_assets_have_ids_altnames_and_decimals(kraken: KrakenClient) -> None:
    assets = kraken.public("Assets", asset="XBT,ZUSD,SOL")
    assert set(assets) == {"XXBT", "ZUSD", "SOL"}
    assert assets["XXBT"] == {
        "aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled",
    }  # fmt: skip
    assert assets["ZUSD"]["decimals"] == 4
    assert public_error(kraken, "Assets?asset=NOPE") == ["EQuery:Unknown asset"]


def test_the_catalogue_is_full_and_says_what_trades(kraken: KrakenClient) -> None:
    pairs = kraken.public("AssetPairs")
    assert len(pairs) > 1000
    assert sum(pair["status"] == "online" for pair in pairs.values()) >= 40
    bitcoin = pairs["XXBTZUSD"]
    assert (bitcoin["altname"], bitcoin["wsname"], bitcoin["base"], bitcoin["quote"]) == (
        "XBTUSD", "XBT/USD", "XXBT", "ZUSD",
    )  # fmt: skip
    assert (bitcoin["pair_decimals"], bitcoin["lot_decimals"], bitcoin["cost_decimals"]) == (1, 8, 5)
    assert bitcoin["tick_size"] == "0.1"
    assert all(isinstance(bitcoin[name], str) for name in ("ordermin", "costmin", "tick_size"))


@pytest.mark.parametrize(
    ("asked", "key"), [("XBTUSD", "XXBTZUSD"), ("XXBTZUSD", "XXBTZUSD"), ("BTC/USD", "BTC/USD"), ("XDGUSD", "XDGUSD")]
)
def test_results_go_by_canonical_id_or_by_the_slash_name_asked_for(kraken: KrakenClient, asked: str, key: str) -> None:
    assert list(kraken.public("Ticker", pair=asked)) == [key]
    assert list(kraken.public("AssetPairs", pair=asked)) == [key]


@pytest.mark.parametrize("path", ["Ticker?pair=NOPE", "OHLC?pair=XBTUSD,NOPE", "Depth?pair=", "AssetPairs?pair=XBTXBT"])
def test_an_unknown_pair_is_refused(kraken: KrakenClient, path: str) -> None:
    assert public_error(kraken, path)[0] in ("EQuery:Unknown asset pair", "EGeneral:Invalid arguments:pair")


def test_a_ticker_is_text_with_five_decimals_and_consistent(kraken: KrakenClient) -> None:
    tickers = kraken.public("Ticker", pair="XBTUSD,ETHUSD")
    assert set(tickers) == {"XXBTZUSD", "XETHZUSD"}
    for ticker in tickers.values():
        assert set(ticker) == set("abcvptlho")
        assert all(decimals(ticker[name][0]) == 5 for name in "abc")
        assert float(ticker["b"][0]) < float(ticker["a"][0])
        assert float(ticker["l"][1]) <= float(ticker["c"][0]) <= float(ticker["h"][1])
        assert float(ticker["v"][0]) <= float(ticker["v"][1])
        assert all(isinstance(number, int) for number in ticker["t"])


def test_tickers_without_a_pair_are_all_that_trade(kraken: KrakenClient) -> None:
    trading = {name for name, pair in kraken.public("AssetPairs").items() if pair["status"] == "online"}
    assert set(kraken.public("Ticker")) == trading


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60, 240, 1440])
def test_candles_end_with_the_forming_one(kraken: KrakenClient, minutes: int) -> None:
    result = kraken.public("OHLC", pair="XBTUSD", interval=minutes)
    rows, now = result["XXBTZUSD"], kraken.public("Time")["unixtime"]
    assert 0 < len(rows) <= 720
    times = [row[0] for row in rows]
    assert times == list(range(times[0], times[-1] + 1, minutes * 60))
    assert times[-1] <= now < times[-1] + minutes * 60 + 2
    assert result["last"] in (times[-1] - minutes * 60, times[-1])
    for _, opened, high, low, closed, vwap, volume, trades in rows[:5]:
        assert float(low) <= min(float(opened), float(closed)) <= max(float(opened), float(closed)) <= float(high)
        assert (decimals(opened), decimals(volume), isinstance(trades, int)) == (1, 8, True)
        assert float(vwap) > 0


def test_candles_since_a_time_are_those_after_it(kraken: KrakenClient) -> None:
    rows = kraken.public("OHLC", pair="XBTUSD")["XXBTZUSD"]
    since = rows[-6][0]
    later = kraken.public("OHLC", pair="XBTUSD", since=since)["XXBTZUSD"]
    assert later[0][0] == since + 60
    assert len(later) in (5, 6)
    assert public_error(kraken, "OHLC?pair=XBTUSD&interval=7") == ["EGeneral:Invalid arguments:interval"]


def test_a_book_is_sorted_and_not_crossed(kraken: KrakenClient) -> None:
    book = kraken.public("Depth", pair="XBTUSD", count=10)["XXBTZUSD"]
    asks, bids = ([float(level[0]) for level in book[side]] for side in ("asks", "bids"))
    assert len(asks) == len(bids) == 10
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert bids[0] < asks[0]
    price, volume, when = book["asks"][0]
    assert (decimals(price), decimals(volume), isinstance(when, int)) == (5, 3, True)
    assert public_error(kraken, "Depth?pair=XBTUSD&count=501") == ["EGeneral:Invalid arguments:count"]


def test_trades_have_rising_numbers_and_go_on_from_last(kraken: KrakenClient) -> None:
    result = kraken.public("Trades", pair="XBTUSD", count=50)
    rows = result["XXBTZUSD"]
    assert 0 < len(rows) <= 50
    numbers = [row[6] for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(row[3] in "bs" and row[4] in "lm" and row[5] == "" for row in rows)
    later = kraken.public("Trades", pair="XBTUSD", since=result["last"])["XXBTZUSD"]
    assert all(row[6] > numbers[-1] for row in later)


def test_spreads_never_cross(kraken: KrakenClient) -> None:
    result = kraken.public("Spread", pair="XBTUSD")
    rows = result["XXBTZUSD"]
    assert 0 < len(rows) <= 200
    assert all(float(bid) < float(ask) and isinstance(when, int) for when, bid, ask in rows)
    assert result["last"] == rows[-1][0]


def test_a_pair_that_does_not_trade_has_a_price_and_nothing_else(kraken: KrakenClient) -> None:
    pairs = kraken.public("AssetPairs")
    name = next(name for name, pair in pairs.items() if pair["status"] != "online")
    assert kraken.public("Ticker", pair=name)[name]["v"] == ["0.00000000", "0.00000000"]
    assert kraken.public("Depth", pair=name)[name] == {"asks": [], "bids": []}
    assert kraken.public("OHLC", pair=name)[name] == []
    order = {"pair": name, "type": "buy", "ordertype": "market", "volume": "100000"}
    assert kraken.refused("AddOrder", order) == "EService:Market in cancel_only mode"


def test_posted_public_requests_are_answered_too(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    response = kraken.session.post(exchange.rest_url("kraken") + "/0/public/Ticker", data={"pair": "XBTUSD"}, timeout=5)
    assert "XXBTZUSD" in response.json()["result"]
