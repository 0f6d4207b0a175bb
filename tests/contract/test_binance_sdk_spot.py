"""binance-sdk-spot, unmodified but for its address, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

Report = dict[str, Any]
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("binance", "sdk", {"USDT": "10000", "BTC": "1"})
    other = exchange.open_account("binance", "other-sdk", {"USDT": "1"})
    return run_peer(
        "binance_sdk.py",
        url=exchange.rest_url("binance"),
        ws_auth=exchange.addresses["binance"]["ws_auth"],
        api_key=account.api_key,
        api_secret=account.api_secret,
        other_secret=other.api_secret,
    )


def test_every_reply_fits_the_clients_own_models(report: Report) -> None:
    assert report["complaints"] == []
    assert [name for name, result in report.items() if isinstance(result, dict) and "error" in result] == []


def test_the_market_is_read(report: Report) -> None:
    assert report["time"]["serverTime"] > 1_700_000_000_000
    assert [each["symbol"] for each in report["exchange_info"]["symbols"]] == [SYMBOL, "ETHUSDT"]
    assert Decimal(report["book_ticker"]["bidPrice"]) < Decimal(report["book_ticker"]["askPrice"])
    assert Decimal(report["ticker_price"]["price"]) == Decimal(report["ticker_24hr"]["lastPrice"]) == 50000
    assert len(report["klines"]) == 10 and len(report["trades"]) == 3


def test_orders_are_placed_found_replaced_and_cancelled(report: Report, exchange: ExchangeProcess) -> None:
    bought = report["market_buy"]
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.01000000") and bought["fills"]
    assert report["shown"]["orderId"] == bought["orderId"]
    assert Decimal("99.9") < Decimal(report["market_buy_by_money"]["cummulativeQuoteQty"]) <= 100
    assert [order["clientOrderId"] for order in report["open_orders"]] == ["sdk-2"]
    assert (report["replaced"]["cancelResult"], report["replaced"]["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert (report["cancel"]["status"], report["cancel"]["origClientOrderId"]) == ("CANCELED", "sdk-3")
    accepted = exchange.journal(type="accept", brokerage="binance", account="sdk")
    assert {str(order["orderId"]) for order in report["all_orders"]} == {line["order_id"] for line in accepted}


def test_fills_and_the_account_are_read(report: Report, exchange: ExchangeProcess) -> None:
    fills = exchange.journal(type="fill", brokerage="binance", account="sdk")
    assert {str(trade["id"]) for trade in report["my_trades"]} == {fill["trade_id"] for fill in fills}
    assert {row["asset"] for row in report["account"]["balances"]} == {"USDT", "BTC"}
    assert Decimal(report["commission"]["standardCommission"]["taker"]) == Decimal("0.001")
    assert report["order_counts"][1]["count"] >= 4


def test_the_account_is_watched_over_the_websocket_api(report: Report) -> None:
    new, position, traded, _ = report["events"]
    assert (new["x"], traded["x"], traded["X"]) == ("NEW", "TRADE", "FILLED")
    assert report["placed_over_the_socket"]["result"]["orderId"] == new["i"]
    assert new["c"] == traded["c"] == "sdk-ws" and traded["N"] == "BTC"
    assert {row["a"] for row in position["B"]} == {"BTC", "USDT"}


def test_refusals_raise_with_the_venues_code(report: Report) -> None:
    assert (report["duplicate"]["class"], report["duplicate"]["code"]) == ("BadRequestError", -2010)
    assert (report["unknown"]["class"], report["unknown"]["code"]) == ("BadRequestError", -2013)
    assert (report["too_dear"]["code"], report["too_small"]["code"]) == (-2010, -1013)
    assert (report["bad_secret"]["class"], report["bad_secret"]["code"]) == ("BadRequestError", -1022)
    assert (report["bad_key"]["class"], report["bad_key"]["code"]) == ("UnauthorizedError", -2015)
