"""coinbase-advanced-py, unmodified but for its address, against the paper exchange.

It always says ``https``, so an adapter of ``requests`` sends what it made over plain HTTP; the signed text stays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from coinbase.rest import RESTClient
from requests.adapters import HTTPAdapter

from tests.exchange_process import ExchangeProcess, PaperAccount

TIMEOUT = (3.05, 10)
BALANCES = {"USD": "10000", "BTC": "1"}
PRODUCT = "BTC-USD"


class PlainHttpAdapter(HTTPAdapter):
    """Sends a request made for ``https`` over ``http``."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def connect(exchange: ExchangeProcess, key: str, secret: str) -> Any:
    host = urlsplit(exchange.rest_url("coinbase")).netloc
    client = RESTClient(api_key=key, api_secret=secret, base_url=host, timeout=TIMEOUT)
    client.session.trust_env = False
    client.session.mount(f"https://{host}", PlainHttpAdapter())
    return client


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    logging.getLogger("coinbase.RESTClient").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def account(exchange: ExchangeProcess) -> PaperAccount:
    return exchange.open_account("coinbase", "advanced", BALANCES)


@pytest.fixture(scope="module")
def client(exchange: ExchangeProcess, account: PaperAccount) -> Iterator[Any]:
    connected = connect(exchange, account.api_key, account.api_secret)
    yield connected
    connected.session.close()


def test_markets_and_prices_can_be_read(client: Any) -> None:
    now = int(client.get_unix_time().epoch_seconds)
    assert client.get_products(product_type="SPOT").num_products > 500
    product = client.get_product(PRODUCT)
    assert product.status == "online" and Decimal(product.price_increment) > 0
    assert len(client.get_best_bid_ask(product_ids=[PRODUCT, "ETH-USD"]).pricebooks) == 2
    book = client.get_product_book(PRODUCT, limit=5).pricebook
    assert Decimal(book.bids[0].price) < Decimal(book.asks[0].price)
    assert client.get_market_trades(PRODUCT, limit=2).trades
    candles = client.get_candles(PRODUCT, start=str(now - 3600), end=str(now), granularity="ONE_MINUTE").candles
    assert len(candles) == 60 and int(candles[0].start) > int(candles[-1].start)
    public = client.get_public_candles(PRODUCT, start=str(now - 3600), end=str(now), granularity="ONE_MINUTE").candles
    assert [candle.start for candle in public] == [candle.start for candle in candles]
    assert client.get_public_product(PRODUCT).product_id == PRODUCT


def test_money_key_and_fees_can_be_read(client: Any) -> None:
    accounts = {account.currency: account for account in client.get_accounts(limit=250).accounts}
    assert {"USD", "BTC"} <= set(accounts)
    assert client.get_account(accounts["USD"].uuid).account.currency == "USD"
    assert client.get_api_key_permissions().can_trade is True
    assert Decimal(client.get_transaction_summary().fee_tier["taker_fee_rate"]) > 0
    path = f"/v2/accounts/{accounts['USD'].uuid}/transactions"
    assert client.get(path, params={"limit": 10})["data"][-1]["type"] == "fiat_deposit"


def test_a_market_order_by_money_fills_and_can_be_followed(client: Any, exchange: ExchangeProcess) -> None:
    placed = client.market_order_buy(client_order_id="market-1", product_id=PRODUCT, quote_size="500")
    assert placed.success is True
    order_id = placed.success_response["order_id"]
    order = client.get_order(order_id).order
    assert order.status == "FILLED" and order.client_order_id == "market-1"
    fills = client.get_fills(order_ids=[order_id]).fills
    assert sum(Decimal(fill.commission) for fill in fills) == Decimal(order.total_fees)
    journal = exchange.journal(type="fill", order_id=order_id)
    assert {fill["trade_id"] for fill in journal} == {fill.trade_id for fill in fills}
    again = client.market_order_buy(client_order_id="market-1", product_id=PRODUCT, quote_size="500")
    assert again.success_response["order_id"] == order_id


def test_a_limit_order_rests_until_it_is_cancelled(client: Any) -> None:
    placed = client.limit_order_gtc_buy(
        client_order_id="limit-1", product_id=PRODUCT, base_size="0.05", limit_price="40000.0"
    )
    order_id = placed.success_response["order_id"]
    assert placed.order_configuration.limit_limit_gtc.limit_price == "40000.0"
    assert order_id in [order.order_id for order in client.list_orders(order_status=["OPEN"]).orders]
    assert client.cancel_orders([order_id]).results[0].success is True
    assert client.get_order(order_id).order.status == "CANCELLED"
    assert client.cancel_orders([order_id]).results[0].success is False


def test_the_other_forms_of_orders_are_understood(client: Any) -> None:
    ioc = client.limit_order_ioc_sell(
        client_order_id="ioc", product_id=PRODUCT, base_size="0.01", limit_price="45000.0"
    )
    fok = client.limit_order_fok_buy(client_order_id="fok", product_id=PRODUCT, base_size="0.01", limit_price="55000.0")
    gtd = client.limit_order_gtd_buy(
        client_order_id="gtd",
        product_id=PRODUCT,
        base_size="0.01",
        limit_price="40000.0",
        end_time="2099-01-01T00:00:00Z",
    )
    stop = client.stop_limit_order_gtc_sell(
        client_order_id="stop",
        product_id=PRODUCT,
        base_size="0.01",
        limit_price="44000.0",
        stop_price="45000.0",
        stop_direction="STOP_DIRECTION_STOP_DOWN",
    )
    statuses = [client.get_order(each.success_response["order_id"]).order.status for each in (ioc, fok, gtd, stop)]
    assert statuses == ["FILLED", "FILLED", "OPEN", "OPEN"]


def test_refusals_come_as_answers_not_as_exceptions(client: Any) -> None:
    poor = client.market_order_buy(client_order_id="poor", product_id=PRODUCT, quote_size="10000000")
    small = client.market_order_sell(client_order_id="small", product_id=PRODUCT, base_size="0.00000001")
    assert poor.success is False and poor.error_response["error"] == "INSUFFICIENT_FUND"
    assert small.error_response["preview_failure_reason"] == "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"
    preview = client.preview_market_order_buy(product_id=PRODUCT, quote_size="10000000")
    assert preview.errs == ["PREVIEW_INSUFFICIENT_FUND"]


def test_a_null_configuration_makes_the_client_raise_although_the_order_was_accepted(
    client: Any, exchange: ExchangeProcess
) -> None:
    exchange.fault("null_configuration", brokerage="coinbase", endpoint="orders")
    with pytest.raises(TypeError):
        client.market_order_buy(client_order_id="null-1", product_id=PRODUCT, quote_size="100")
    assert len(exchange.journal(type="accept", client_order_id="null-1")) == 1


def test_wrong_keys_and_missing_rights_raise_http_errors(exchange: ExchangeProcess, account: PaperAccount) -> None:
    other = exchange.open_account("coinbase", "other-advanced", permissions=["view"])
    forged = connect(exchange, account.api_key, other.api_secret)
    with pytest.raises(requests.HTTPError, match="401 Client Error: Unauthorized Unauthorized"):
        forged.get_accounts()
    forged.session.close()
    viewer = connect(exchange, other.api_key, other.api_secret)
    with pytest.raises(requests.HTTPError, match="Missing Required Scopes"):
        viewer.market_order_buy(client_order_id="v", product_id=PRODUCT, quote_size="10")
    viewer.session.close()
