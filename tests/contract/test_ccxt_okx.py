"""ccxt's client for OKX, unmodified but for its address, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

BALANCES = {"USDT": "10000", "BTC": "1"}
CLIENT_ORDER_ID = "ccxtlimit1"
Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("okx", "ccxt", BALANCES)
    other = exchange.open_account("okx", "other-ccxt", BALANCES)
    return run_peer(
        "ccxt_okx.py",
        url=exchange.rest_url("okx"),
        api_key=account.api_key,
        api_secret=account.api_secret,
        passphrase=account.api_passphrase,
        other_secret=other.api_secret,
        client_order_id=CLIENT_ORDER_ID,
    )


def test_markets_prices_candles_book_and_trades_are_read(report: Report) -> None:
    markets = report["load_markets"]
    assert markets["count"] > 300 and markets["active"] is True
    assert markets["precision"]["price"] > 0 and markets["limits"]["amount"]["min"] > 0
    assert 0 < report["ticker"]["bid"] < report["ticker"]["ask"] and report["time"] > 1_700_000_000_000
    opens = [candle[0] for candle in report["candles"]]
    assert len(opens) == 10 and opens == sorted(opens)
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0] and report["trades"]
    assert report["tickers"] == ["BTC/USDT", "ETH/USDT"] and report["status"]["status"] == "ok"
    assert report["currencies"] > 50


def test_a_market_order_fills_and_moves_the_balance(report: Report) -> None:
    shown = report["market_buy_shown"]
    assert (shown["status"], shown["filled"], shown["fee"]["currency"]) == ("closed", 0.01, "BTC")
    assert shown["fee"]["cost"] == pytest.approx(0.01 * 0.001)
    assert report["balance_before"]["USDT"]["total"] == 10000
    assert report["balance_after"]["BTC"]["total"] == pytest.approx(1 + 0.01 * 0.999 - 0.004, abs=1e-9)


def test_a_limit_order_is_open_then_cancelled(report: Report, exchange: ExchangeProcess) -> None:
    shown = report["limit_buy_shown"]
    assert (shown["status"], shown["side"], shown["type"], shown["amount"]) == ("open", "buy", "limit", 0.02)
    assert shown["clientOrderId"] == CLIENT_ORDER_ID
    assert [order["id"] for order in report["open_orders"]] == [shown["id"]]
    assert report["balance_with_hold"]["USDT"]["used"] == pytest.approx(shown["price"] * 0.02)
    assert report["cancelled_shown"]["status"] == "canceled" and report["open_orders_after"] == []
    [accepted] = exchange.journal(type="accept", account="ccxt", brokerage="okx", client_order_id=CLIENT_ORDER_ID)
    assert accepted["order_id"] == shown["id"]


def test_my_trades_agree_with_the_journal(report: Report, exchange: ExchangeProcess) -> None:
    assert report["market_buy_shown"]["id"] in [order["id"] for order in report["closed_orders"]]
    fills = {line["trade_id"]: line for line in exchange.journal(type="fill", brokerage="okx", account="ccxt")}
    trades = report["my_trades"]
    assert trades and {trade["id"] for trade in trades} <= set(fills)
    for trade in trades:
        fill = fills[trade["id"]]
        assert (trade["order"], trade["side"]) == (fill["order_id"], fill["side"])
        assert trade["fee"]["currency"] == fill["fee_asset"]
        assert abs(Decimal(str(trade["fee"]["cost"])) - Decimal(fill["fee"])) < Decimal("1E-8")


def test_orders_are_changed_and_stops_wait(report: Report, exchange: ExchangeProcess) -> None:
    edited = report["edited_shown"]
    assert (edited["id"], edited["status"], edited["amount"]) == (report["to_edit"]["id"], "open", 0.02)
    assert len(exchange.journal(type="amend", brokerage="okx", order_id=edited["id"])) == 1
    assert report["stop_shown"]["id"] == report["stop"]["id"] and report["stop_shown"]["status"] == "open"
    assert [order["id"] for order in report["stops_open"]] == [report["stop"]["id"]]
    assert "error" not in report["cancel_stop"] and "error" not in report["cancel_some"]
    assert report["market_buy_with_cost"]["id"]


def test_fees_deposits_and_transfers_are_read(report: Report) -> None:
    assert (report["trading_fee"]["maker"], report["trading_fee"]["taker"]) == (0.0008, 0.001)
    assert {deposit["currency"] for deposit in report["deposits"]} == {"USDT", "BTC"}
    assert report["withdrawals"] == []
    assert report["transfer"]["amount"] == 10 and report["funding"]["total"] == 10
    newest = max(report["ledger"], key=lambda entry: int(entry["id"]))
    assert (newest["type"], newest["amount"], newest["currency"]) == ("transfer", -10, "USDT")
    assert {"trade", "transfer"} == {entry["type"] for entry in report["ledger"]}


def test_the_venues_own_calls_keep_texts_and_deadlines(report: Report, exchange: ExchangeProcess) -> None:
    assert report["raw_order"]["data"][0]["sCode"] == "0"
    [order] = report["raw_shown"]["data"]
    assert (order["state"], order["sz"]) == ("filled", "0.001")
    assert "50036" in report["raw_expired"]["message"] and "51603" in report["raw_unknown"]["message"]
    assert report["raw_unknown"]["error"] == "OrderNotFound"
    ids = [line["client_order_id"] for line in exchange.journal(type="accept", brokerage="okx", account="ccxt")]
    assert "ccxtraw1" in ids and "ccxtraw2" not in ids


def test_refusals_are_of_the_right_class(report: Report) -> None:
    assert report["too_expensive"]["error"] == "InsufficientFunds"
    assert report["too_small"]["error"] == "InvalidOrder"
    assert report["cancel_unknown"]["error"] == "OrderNotFound"
    for name in ("bad_key", "bad_secret", "bad_passphrase"):
        assert report[name]["error"] == "AuthenticationError"
