"""The Coinbase front's market data, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.coinbase_caller import CoinbaseCaller


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=11) as process:
        process.pause()
        yield process


@pytest.fixture(scope="module")
def coinbase(exchange: ExchangeProcess) -> Iterator[CoinbaseCaller]:
    with CoinbaseCaller(exchange, exchange.open_account("coinbase", "reader")) as caller:
        yield caller


def _seconds(coinbase: CoinbaseCaller) -> int:
    return int(coinbase.get("time", signed=False).body["epochSeconds"])


def test_the_time_is_public_and_in_text(coinbase: CoinbaseCaller) -> None:
    time = coinbase.get("time", signed=False).body
    assert int(time["epochMillis"]) // 1000 == int(time["epochSeconds"])
    assert time["iso"].endswith("Z")


def test_products_carry_their_rules_as_text(coinbase: CoinbaseCaller) -> None:
    product = coinbase.get("products/BTC-USD").body
    assert product["base_currency_id"] == "BTC" and product["quote_currency_id"] == "USD"
    assert product["status"] == "online" and product["trading_disabled"] is False
    for rule in ("base_increment", "quote_increment", "price_increment", "base_min_size", "quote_min_size"):
        assert Decimal(product[rule]) > 0 and "E" not in product[rule]
    assert Decimal(product["price"]) % Decimal(product["price_increment"]) == 0


def test_the_list_of_products_names_what_is_not_traded(coinbase: CoinbaseCaller) -> None:
    products = coinbase.get("products", product_type="SPOT").body
    assert products["num_products"] == len(products["products"]) > 500
    traded = [product for product in products["products"] if not product["trading_disabled"]]
    assert len(traded) >= 40 and all(product["price"] for product in traded)
    assert coinbase.get("market/products", signed=False, product_type="FUTURE").body["products"] == []


def test_products_can_be_asked_for_in_parts_or_by_name(coinbase: CoinbaseCaller) -> None:
    first = coinbase.get("products", limit=3).body["products"]
    second = coinbase.get("products", limit=3, offset=2).body["products"]
    assert len(first) == len(second) == 3 and first[2] == second[0]
    named = coinbase.get("products", product_ids=["ETH-USD", "BTC-USD"]).body["products"]
    assert {product["product_id"] for product in named} == {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("path", ["products/NO-SUCH", "products/BTC/USD", "products/NO-SUCH/ticker"])
def test_an_unknown_product_or_path_is_not_found(coinbase: CoinbaseCaller, path: str) -> None:
    answer = coinbase.get(path)
    assert answer.status == 404 and answer.body["error"] == "NOT_FOUND"


def test_market_data_needs_a_token_except_below_market(coinbase: CoinbaseCaller) -> None:
    for path in ("products", "products/BTC-USD", "products/BTC-USD/ticker"):
        assert coinbase.get(path, signed=False).status == 401
        assert coinbase.get(f"market/{path}", signed=False).status == 200
    assert coinbase.get("best_bid_ask", signed=False).status == 401


def test_best_prices_come_for_every_product_asked_for(coinbase: CoinbaseCaller) -> None:
    books = coinbase.get("best_bid_ask", product_ids=["BTC-USD", "ETH-USD"]).body["pricebooks"]
    assert [book["product_id"] for book in books] == ["BTC-USD", "ETH-USD"]
    for book in books:
        assert 0 < Decimal(book["bids"][0]["price"]) < Decimal(book["asks"][0]["price"])


def test_the_book_is_sorted_and_as_deep_as_asked(coinbase: CoinbaseCaller) -> None:
    answer = coinbase.get("product_book", product_id="BTC-USD", limit=5).body
    bids = [Decimal(level["price"]) for level in answer["pricebook"]["bids"]]
    asks = [Decimal(level["price"]) for level in answer["pricebook"]["asks"]]
    assert len(bids) == len(asks) == 5
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    assert Decimal(answer["spread_absolute"]) == asks[0] - bids[0]


def test_trades_come_newest_first_with_the_best_prices(coinbase: CoinbaseCaller) -> None:
    answer = coinbase.get("products/BTC-USD/ticker", limit=3).body
    times = [trade["time"] for trade in answer["trades"]]
    assert 1 <= len(times) <= 3 and times == sorted(times, reverse=True)
    assert Decimal(answer["best_bid"]) < Decimal(answer["best_ask"])
    assert {trade["side"] for trade in answer["trades"]} <= {"BUY", "SELL"}


@pytest.mark.parametrize(
    ("granularity", "seconds"), [("ONE_MINUTE", 60), ("THIRTY_MINUTE", 1800), ("ONE_HOUR", 3600), ("TWO_HOUR", 7200)]
)
def test_candles_lie_in_the_range_and_come_newest_first(
    coinbase: CoinbaseCaller, granularity: str, seconds: int
) -> None:
    now = _seconds(coinbase)
    start = now - 5 * seconds
    answer = coinbase.get("products/BTC-USD/candles", start=start, end=now, granularity=granularity).body
    opens = [int(candle["start"]) for candle in answer["candles"]]
    assert opens == sorted(opens, reverse=True) and len(opens) == 5
    assert all(start <= each <= now and each % seconds == 0 for each in opens)
    for candle in answer["candles"]:
        low, high = Decimal(candle["low"]), Decimal(candle["high"])
        assert low <= min(Decimal(candle["open"]), Decimal(candle["close"]))
        assert high >= max(Decimal(candle["open"]), Decimal(candle["close"]))


def test_candles_of_the_past_end_where_asked(coinbase: CoinbaseCaller) -> None:
    end = (_seconds(coinbase) - 7200) // 60 * 60
    rows = coinbase.get("products/ETH-USD/candles", start=end - 600, end=end, granularity="ONE_MINUTE", limit=4).body[
        "candles"
    ]
    assert [int(row["start"]) for row in rows] == [end, end - 60, end - 120, end - 180]


@pytest.mark.parametrize(
    ("span", "granularity"), [(60 * 60 * 24, "ONE_MINUTE"), (600, "ONE_SECOND"), (-600, "ONE_MINUTE")]
)
def test_candles_that_cannot_be_given_are_refused(coinbase: CoinbaseCaller, span: int, granularity: str) -> None:
    now = _seconds(coinbase)
    answer = coinbase.get("products/BTC-USD/candles", start=now - span, end=now, granularity=granularity)
    assert answer.status == 400 and answer.body["error"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("params", [{"start": "yesterday", "end": "now"}, {"end": "1"}, {}])
def test_candles_need_a_readable_range(coinbase: CoinbaseCaller, params: dict[str, Any]) -> None:
    answer = coinbase.get("products/BTC-USD/candles", granularity="ONE_MINUTE", **params)
    assert answer.status == 400


def test_rates_and_currencies_are_public(coinbase: CoinbaseCaller) -> None:
    rates = coinbase.get("/v2/exchange-rates", signed=False).body["data"]
    assert Decimal(rates["rates"]["USD"]) == 1 and Decimal(rates["rates"]["BTC"]) < 1
    coins = {coin["code"] for coin in coinbase.get("/v2/currencies/crypto", signed=False).body["data"]}
    assert {"BTC", "ETH"} <= coins and "USD" not in coins
    assert "USD" in {each["id"] for each in coinbase.get("/v2/currencies", signed=False).body["data"]}


def test_a_halt_and_a_new_rule_show_in_the_product_and_bind_orders(
    exchange: ExchangeProcess, coinbase: CoinbaseCaller
) -> None:
    exchange.market(symbol="SOL/USD", halt=True)
    assert coinbase.get("products/SOL-USD").body["trading_disabled"] is True
    halted = coinbase.refused("halted", "market_market_ioc", product="SOL-USD", quote_size="20")
    assert halted["error"] == "ORDER_ENTRY_DISABLED"
    exchange.market(symbol="SOL/USD", halt=False, rules={"minimum_quantity": "3"})
    product = coinbase.get("products/SOL-USD").body
    assert product["trading_disabled"] is False and product["base_min_size"] == "3"
    small = coinbase.refused("small", "market_market_ioc", product="SOL-USD", base_size="2")
    assert small["preview_failure_reason"] == "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"


@pytest.mark.parametrize("mode", ["cancel_only", "limit_only", "post_only"])
def test_a_restricted_market_says_so(exchange: ExchangeProcess, coinbase: CoinbaseCaller, mode: str) -> None:
    exchange.market(symbol="ADA/USD", rules={"mode": mode})
    product = coinbase.get("products/ADA-USD").body
    assert [name for name in ("cancel_only", "limit_only", "post_only") if product[name]] == [mode]
    assert coinbase.order(f"in-{mode}", "market_market_ioc", product="ADA-USD", quote_size="20")["success"] is False
    exchange.market(symbol="ADA/USD", rules={"mode": "online"})
