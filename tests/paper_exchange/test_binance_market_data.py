"""What anyone may read at the Binance front, and the account's own figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paper_exchange.binance.symbols import wire_name
from paper_exchange.catalogue import Catalogue
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.binance_caller import SYMBOL, BinanceCaller, now_ms

BALANCES = {"USDT": "5000", "BTC": "2"}
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def caller(exchange: ExchangeProcess) -> Iterator[BinanceCaller]:
    account = exchange.open_account("binance", "reader", BALANCES)
    with BinanceCaller(exchange, account) as opened:
        yield opened


def _filters(symbol: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["filterType"]: each for each in symbol["filters"]}


def test_no_two_symbols_have_the_same_name() -> None:
    names = [wire_name(listing) for listing in Catalogue().for_brokerage("binance")]
    assert len(names) == len(set(names)) > 500


def test_the_list_of_symbols_has_rules_for_each(caller: BinanceCaller) -> None:
    info = caller.public("exchangeInfo").body
    symbols = {each["symbol"]: each for each in info["symbols"]}
    bitcoin = symbols[SYMBOL]
    assert (bitcoin["baseAsset"], bitcoin["quoteAsset"], bitcoin["status"]) == ("BTC", "USDT", "TRADING")
    filters = _filters(bitcoin)
    assert Decimal(filters["PRICE_FILTER"]["tickSize"]) == Decimal("0.1")
    assert Decimal(filters["LOT_SIZE"]["stepSize"]) > 0 and Decimal(filters["MARKET_LOT_SIZE"]["stepSize"]) == 0
    assert Decimal(filters["NOTIONAL"]["minNotional"]) > 0
    assert {each["status"] for each in info["symbols"]} == {"TRADING", "BREAK"}
    assert {each["quoteAsset"] for each in info["symbols"]} == {"USDT", "USDC", "BTC", "ETH", "EUR"}
    assert {each["rateLimitType"] for each in info["rateLimits"]} >= {"REQUEST_WEIGHT", "ORDERS"}


def test_symbols_are_picked_by_name(caller: BinanceCaller) -> None:
    one = caller.public("exchangeInfo", symbol=SYMBOL).body["symbols"]
    two = caller.public("exchangeInfo", symbols='["BTCUSDT","ETHBTC"]').body["symbols"]
    assert [each["symbol"] for each in one] == [SYMBOL]
    assert [each["symbol"] for each in two] == [SYMBOL, "ETHBTC"]
    idle = caller.public("exchangeInfo", symbolStatus="BREAK").body["symbols"]
    assert {each["status"] for each in idle} == {"BREAK"}
    assert caller.public("exchangeInfo", symbol=SYMBOL, symbolStatus="HALT").body["code"] == -1220
    assert caller.public("exchangeInfo", symbolStatus="SHUT").body["code"] == -1130
    assert caller.public("exchangeInfo", symbol="NONE").body["code"] == -1121
    assert caller.public("exchangeInfo", symbols="BTCUSDT").body["code"] == -1130
    assert caller.public("exchangeInfo", symbol=SYMBOL, symbols='["ETHBTC"]').body["code"] == -1128


def test_a_changed_rule_is_shown_at_once(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    exchange.market(symbol="SOL/USDT", rules={"minimum_notional": "7"})
    symbol = caller.public("exchangeInfo", symbol="SOLUSDT").body["symbols"][0]
    assert Decimal(_filters(symbol)["NOTIONAL"]["minNotional"]) == 7


def test_prices_are_of_the_market_that_all_brokerages_share(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    exchange.pause()
    exchange.set_price("BTC/USDT", "43210")
    try:
        top = caller.public("ticker/bookTicker", symbol=SYMBOL).body
        quote = next(each for each in exchange.control("GET", "/market") if each["symbol"] == "BTC/USDT")
        assert (Decimal(top["bidPrice"]), Decimal(top["askPrice"])) == (Decimal(quote["bid"]), Decimal(quote["ask"]))
        assert Decimal(caller.public("ticker/price", symbol=SYMBOL).body["price"]) == 43210
        depth = caller.public("depth", symbol=SYMBOL, limit=5).body
        assert depth["bids"][0] == [top["bidPrice"], top["bidQty"]] and depth["asks"][0][0] == top["askPrice"]
        assert len(depth["bids"]) <= 5
    finally:
        exchange.pause(paused=False)


def test_tickers_come_for_one_for_some_or_for_all(caller: BinanceCaller) -> None:
    for path in ("ticker/bookTicker", "ticker/price", "ticker/24hr"):
        assert caller.public(path, symbol=SYMBOL).body["symbol"] == SYMBOL
        some = caller.public(path, symbols='["BTCUSDT","ETHUSDT"]').body
        assert [each["symbol"] for each in some] == [SYMBOL, "ETHUSDT"]
        names = {each["symbol"] for each in caller.public(path).body}
        assert {SYMBOL, "ETHUSDT", "ETHBTC"} <= names and len(names) >= 15


def test_a_day_is_summed_up(caller: BinanceCaller) -> None:
    day = caller.public("ticker/24hr", symbol=SYMBOL).body
    low, last, high = (Decimal(day[name]) for name in ("lowPrice", "lastPrice", "highPrice"))
    assert low <= last <= high and day["closeTime"] - day["openTime"] == 24 * HOUR_MS
    assert Decimal(day["priceChange"]) == last - Decimal(day["openPrice"])
    assert day["lastId"] - day["firstId"] + 1 == day["count"] > 0
    assert "bidPrice" not in caller.public("ticker/24hr", symbol=SYMBOL, type="MINI").body
    average = Decimal(caller.public("avgPrice", symbol=SYMBOL).body["price"])
    assert low <= average <= high


def test_klines_come_oldest_first_and_follow_each_other(caller: BinanceCaller) -> None:
    rows = caller.public("klines", symbol=SYMBOL, interval="1h", limit=10).body
    assert len(rows) == 10 and all(len(row) == 12 for row in rows)
    assert [row[0] for row in rows] == [rows[0][0] + number * HOUR_MS for number in range(10)]
    assert all(row[6] == row[0] + HOUR_MS - 1 for row in rows)
    assert all(Decimal(row[3]) <= Decimal(row[1]) <= Decimal(row[2]) for row in rows)
    assert rows[-1][6] >= now_ms()
    since = caller.public("klines", symbol=SYMBOL, interval="1h", startTime=rows[2][0], limit=3).body
    assert [row[:6] for row in since] == [row[:6] for row in rows[2:5]]
    between = caller.public("klines", symbol=SYMBOL, interval="1h", startTime=rows[2][0] - 1, endTime=rows[4][0]).body
    assert [row[0] for row in between] == [row[0] for row in rows[2:5]]
    first = caller.public("klines", symbol=SYMBOL, interval="1d", startTime=0, limit=2).body
    assert len(first) == 2 and first[0][0] < rows[0][0]
    assert caller.public("klines", symbol=SYMBOL, interval="1h", startTime=now_ms() + 24 * HOUR_MS).body == []
    assert caller.public("klines", symbol=SYMBOL, interval="1h", endTime=HOUR_MS).body == []


def test_weeks_begin_on_monday_and_months_on_the_first(caller: BinanceCaller) -> None:
    weeks = caller.public("klines", symbol=SYMBOL, interval="1w", limit=3).body
    months = caller.public("klines", symbol=SYMBOL, interval="1M", limit=2).body
    assert {datetime.fromtimestamp(row[0] / 1000, tz=UTC).isoweekday() for row in weeks} == {1}
    assert {datetime.fromtimestamp(row[0] / 1000, tz=UTC).day for row in months} == {1}
    assert [row[6] + 1 for row in weeks[:-1]] == [row[0] for row in weeks[1:]]
    assert months[0][6] + 1 == months[1][0]
    for wrong in ("1H", "7m", "1s"):
        assert caller.public("klines", symbol=SYMBOL, interval=wrong).body["code"] == -1120


def test_public_trades_are_numbered_and_seen_the_same_in_each_list(caller: BinanceCaller) -> None:
    trades = caller.public("trades", symbol=SYMBOL, limit=20).body
    numbers = [trade["id"] for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    together = caller.public("aggTrades", symbol=SYMBOL, fromId=numbers[0], limit=20).body
    assert [row["a"] for row in together] == numbers
    assert [(row["p"], row["q"], row["T"]) for row in together] == [
        (trade["price"], trade["qty"], trade["time"]) for trade in trades
    ]


def test_a_symbol_without_a_market_has_no_prices(caller: BinanceCaller) -> None:
    listed = caller.public("exchangeInfo").body["symbols"]
    idle = next(each["symbol"] for each in listed if each["status"] == "BREAK")
    for path in ("ticker/bookTicker", "depth", "trades"):
        answer = caller.public(path, symbol=idle)
        assert (answer.status, answer.body["code"]) == (400, -1122)
    placed = caller.post("order", symbol=idle, side="BUY", type="MARKET", quantity="1")
    assert placed.body["code"] == -1122


def test_the_account_shows_every_asset_or_only_what_it_has(caller: BinanceCaller) -> None:
    account = caller.get("account").body
    balances = {row["asset"]: row for row in account["balances"]}
    assert balances["USDT"] == {"asset": "USDT", "free": "5000.00000000", "locked": "0.00000000"}
    assert balances["ETH"]["free"] == "0.00000000" and "USD" not in balances
    assert Decimal(account["commissionRates"]["taker"]) == Decimal("0.001") and account["canTrade"] is True
    some = caller.get("account", omitZeroBalances="true").body
    assert {row["asset"] for row in some["balances"]} == {"USDT", "BTC"}
    assert some["uid"] == account["uid"] > 0


def test_commissions_coins_and_the_state_of_things_are_told(caller: BinanceCaller) -> None:
    commission = caller.get("account/commission", symbol=SYMBOL).body
    assert Decimal(commission["standardCommission"]["maker"]) == Decimal("0.001")
    fees = caller.get("/sapi/v1/asset/tradeFee", symbol=SYMBOL).body
    assert [fee["symbol"] for fee in fees] == [SYMBOL]
    coins = {coin["coin"]: coin for coin in caller.get("/sapi/v1/capital/config/getall").body}
    assert coins["BTC"]["free"] == "2.00000000" and coins["EUR"]["isLegalMoney"] is True
    assert caller.public("/sapi/v1/system/status").body == {"status": 0, "msg": "normal"}
    assert caller.post("/sapi/v1/asset/get-funding-asset").body == []
    assert caller.get("/sapi/v1/account/status").body == {"data": "Normal"}
    assert caller.get("/sapi/v1/account/apiTradingStatus").body["data"]["isLocked"] is False


def test_deposits_are_listed_newest_first_and_by_coin(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    exchange.control("POST", "/accounts/binance/reader/deposit", {"asset": "ETH", "amount": "3"})
    listed = caller.get("/sapi/v1/capital/deposit/hisrec").body
    assert (listed[0]["coin"], listed[0]["amount"], listed[0]["status"]) == ("ETH", "3.00000000", 1)
    assert {row["coin"] for row in listed} == {"ETH", "USDT", "BTC"}
    bitcoin = caller.get("/sapi/v1/capital/deposit/hisrec", coin="BTC").body
    assert [row["amount"] for row in bitcoin] == ["2.00000000"]
    assert caller.get("/sapi/v1/capital/deposit/hisrec", startTime=now_ms() + HOUR_MS).body == []
    assert caller.get("/sapi/v1/capital/withdraw/history").body == []
