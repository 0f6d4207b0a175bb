"""binance-connector, unmodified but for its address, against the paper exchange."""

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
    account = exchange.open_account("binance", "connector", {"USDT": "10000", "BTC": "1"})
    other = exchange.open_account("binance", "other-connector", {"USDT": "1"})
    exchange.move("binance", "connector", "staking", "ETH", "0.5")
    exchange.move("binance", "connector", "conversion", "ETH", "0.5", into={"asset": "BNB", "amount": "0.1"})
    exchange.move("binance", "connector", "transfer", "USDT", "-7")
    return run_peer(
        "binance_connector_spot.py",
        url=exchange.rest_url("binance"),
        api_key=account.api_key,
        api_secret=account.api_secret,
        other_secret=other.api_secret,
    )


def _data(report: Report, name: str) -> Any:
    """What a call gave, without what the client says of the limits."""
    return report[name]["data"]


def test_the_market_is_read(report: Report) -> None:
    assert _data(report, "ping") == {} and _data(report, "time")["serverTime"] > 1_700_000_000_000
    assert _data(report, "exchange_info")["symbols"][0]["symbol"] == SYMBOL
    assert [row["symbol"] for row in _data(report, "book_ticker")] == [SYMBOL, "ETHUSDT"]
    assert Decimal(_data(report, "ticker_price")["price"]) == 50000
    assert Decimal(_data(report, "ticker_24hr")["lastPrice"]) == 50000
    assert Decimal(_data(report, "avg_price")["price"]) > 0
    assert Decimal(_data(report, "depth")["bids"][0][0]) < Decimal(_data(report, "depth")["asks"][0][0])
    assert len(_data(report, "trades")) == 3 and len(_data(report, "klines")) == 10


def test_the_client_reads_what_was_used(report: Report) -> None:
    assert int(report["time"]["limit_usage"]["x-mbx-used-weight-1m"]) > 0
    assert report["market_buy"]["limit_usage"]["x-mbx-order-count-10s"] == "1"


def test_a_filled_orders_id_is_accepted_again_and_an_open_ones_is_not(
    report: Report, exchange: ExchangeProcess
) -> None:
    first, second = _data(report, "market_buy"), _data(report, "market_buy_again")
    assert (first["status"], second["status"]) == ("FILLED", "FILLED") and first["orderId"] != second["orderId"]
    assert _data(report, "shown")["orderId"] == second["orderId"]
    accepted = exchange.journal(type="accept", brokerage="binance", account="connector", client_order_id="connector-1")
    assert len(accepted) == 2
    duplicate = {"class": "ClientError", "status": 400, "code": -2010, "text": "Duplicate order sent."}
    assert report["duplicate"] == duplicate


def test_a_limit_order_is_open_then_cancelled(report: Report) -> None:
    order_id = _data(report, "limit_buy")["orderId"]
    assert [order["orderId"] for order in _data(report, "open_orders")] == [order_id]
    assert _data(report, "cancel")["status"] == "CANCELED"
    assert report["cancel_again"]["code"] == -2011 and report["unknown"]["code"] == -2013
    assert order_id in [order["orderId"] for order in _data(report, "orders")]


def test_fills_agree_with_the_journal(report: Report, exchange: ExchangeProcess) -> None:
    fills = {line["trade_id"]: line for line in exchange.journal(type="fill", brokerage="binance", account="connector")}
    trades = _data(report, "my_trades")
    assert {str(trade["id"]) for trade in trades} == set(fills)
    for trade in trades:
        fill = fills[str(trade["id"])]
        assert (str(trade["orderId"]), trade["commissionAsset"]) == (fill["order_id"], fill["fee_asset"])
        assert Decimal(trade["commission"]) == Decimal(fill["fee"]) and Decimal(trade["qty"]) == Decimal(
            fill["quantity"]
        )


def test_a_float_goes_out_with_an_exponent_and_is_refused(report: Report) -> None:
    assert report["float_quantity"]["code"] == -1100
    assert _data(report, "test_order") == {}


def test_the_account_is_read(report: Report) -> None:
    balances = {row["asset"]: row for row in _data(report, "account")["balances"]}
    assert set(balances) == {"USDT", "BTC", "BNB"} and Decimal(balances["BTC"]["free"]) > 1
    assert Decimal(_data(report, "commission")["standardCommission"]["taker"]) == Decimal("0.001")
    assert _data(report, "order_counts")[1]["count"] >= 3
    assert _data(report, "system_status") == {"status": 0, "msg": "normal"}
    assert _data(report, "api_key_permissions")["enableWithdrawals"] is False
    assert {row["coin"] for row in _data(report, "deposits")} == {"USDT", "BTC"}
    assert [row["amount"] for row in _data(report, "distributions")["rows"]] == ["0.50000000"]
    assert _data(report, "dust")["userAssetDribblets"][0]["totalTransferedAmount"] == "0.10000000"
    assert [row["amount"] for row in _data(report, "transfers")["rows"]] == ["7.00000000"]
    assert _data(report, "withdrawals") == [] and report["coins"] > 100


def test_wrong_keys_are_told(report: Report) -> None:
    assert (report["bad_secret"]["status"], report["bad_secret"]["code"]) == (400, -1022)
    assert (report["bad_key"]["status"], report["bad_key"]["code"]) == (401, -2015)
