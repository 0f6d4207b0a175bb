"""ccxt's client for Binance, unmodified but for its addresses, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("binance", "ccxt", {"USDT": "10000", "BTC": "1"})
    other = exchange.open_account("binance", "other-ccxt", {"USDT": "1"})
    _move(exchange)
    return run_peer(
        "ccxt_binance.py",
        url=exchange.rest_url("binance"),
        api_key=account.api_key,
        api_secret=account.api_secret,
        other_secret=other.api_secret,
        client_order_id="ccxt-limit-1",
    )


def _move(exchange: ExchangeProcess) -> None:
    dust, converted = {"asset": "BNB", "amount": "0.02"}, {"asset": "ETH", "amount": "0.3"}
    exchange.move("binance", "ccxt", "dividend", "ETH", "0.5")
    exchange.move("binance", "ccxt", "transfer", "USDT", "25")
    exchange.move("binance", "ccxt", "conversion", "ETH", "0.1", into=dust)
    exchange.move("binance", "ccxt", "conversion", "USDT", "15", into=converted)


def test_markets_prices_and_candles_are_read(report: Report) -> None:
    markets = report["load_markets"]
    assert markets["count"] > 500 and markets["active"] is True and markets["id"] == "BTCUSDT"
    assert markets["precision"]["price"] == 0.1 and markets["limits"]["amount"]["min"] > 0
    assert markets["limits"]["cost"]["min"] > 0
    assert 0 < report["ticker"]["bid"] < report["ticker"]["ask"]
    opens = [candle[0] for candle in report["candles"]]
    assert len(opens) == 10 and opens == sorted(opens)
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0] and report["trades"]
    assert report["bids_asks"] == report["tickers"] == ["BTC/USDT", "ETH/USDT"]


def test_a_market_order_fills_and_its_fee_is_in_bitcoin(report: Report) -> None:
    shown = report["market_buy_shown"]
    assert (shown["status"], shown["filled"]) == ("closed", 0.01)
    bought = Decimal(str(report["balance_after"]["BTC"]["total"]))
    assert bought == 1 + Decimal("0.01") * Decimal("0.999") - Decimal("0.004")
    fees = {(trade["side"], trade["fee"]["currency"]) for trade in report["my_trades"]}
    assert fees == {("buy", "BTC"), ("sell", "USDT")}


def test_a_limit_order_is_open_then_cancelled(report: Report, exchange: ExchangeProcess) -> None:
    shown = report["limit_buy_shown"]
    assert (shown["status"], shown["side"], shown["type"], shown["amount"]) == ("open", "buy", "limit", 0.02)
    assert [order["id"] for order in report["open_orders"]] == [shown["id"]]
    assert report["balance_with_hold"]["USDT"]["used"] == pytest.approx(shown["price"] * 0.02)
    assert report["cancelled_shown"]["status"] == "canceled" and report["open_orders_after"] == []
    accepted = exchange.journal(type="accept", brokerage="binance", account="ccxt", client_order_id="ccxt-limit-1")
    assert [line["order_id"] for line in accepted] == [shown["id"]]


def test_closed_orders_and_my_trades_agree_with_the_journal(report: Report, exchange: ExchangeProcess) -> None:
    assert report["market_buy_shown"]["id"] in [order["id"] for order in report["closed_orders"]]
    fills = {line["trade_id"]: line for line in exchange.journal(type="fill", brokerage="binance", account="ccxt")}
    assert report["my_trades"] and {trade["id"] for trade in report["my_trades"]} <= set(fills)
    for trade in report["my_trades"]:
        fill = fills[trade["id"]]
        assert (trade["order"], trade["side"]) == (fill["order_id"], fill["side"])
        assert Decimal(str(trade["fee"]["cost"])) == Decimal(fill["fee"])


def test_refusals_have_ccxts_classes(report: Report) -> None:
    assert report["too_expensive"]["error"] == "InsufficientFunds"
    assert report["too_small"]["error"] in ("InvalidOrder", "BadRequest")
    assert report["cancel_unknown"]["error"] == "OrderNotFound"
    assert report["post_only_crossing"]["error"] == "OrderImmediatelyFillable"
    assert report["bad_key"]["error"] == "AuthenticationError"
    assert report["bad_secret"]["error"] == "AuthenticationError"


def test_fees_status_coins_deposits_and_stops_are_known(report: Report) -> None:
    assert report["status"]["status"] == "ok" and report["currencies"] > 100
    assert report["trading_fee"]["taker"] == 0.001
    assert [deposit["amount"] for deposit in report["deposits"]] == [10000] and report["withdrawals"] == []
    assert [row["amount"] for row in report["distributions"]["rows"]] == ["0.50000000"]
    assert [(trade["amount"], trade["cost"]) for trade in report["dust"]] == [(0.1, 0.02)]
    assert [(row["amount"], row["currency"]) for row in report["transfers"]] == [(25, "USDT")]
    assert [(one["fromCurrency"], one["toAmount"]) for one in report["converted"]] == [("USDT", 0.3)]
    assert report["market_buy_with_cost"]["cost"] == pytest.approx(50, rel=0.01)
    assert {report["stop_loss"]["id"], report["stop_limit"]["id"]} == set(report["cancel_all"])
    assert set(report["cancel_all"]) <= set(report["orders"])


@pytest.fixture(scope="module")
def watched(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("binance", "ccxt-pro", {"USDT": "10000", "BTC": "1"})
    report: Report = run_peer(
        "ccxt_binance_sockets.py",
        url=exchange.rest_url("binance"),
        ws_auth=exchange.addresses["binance"]["ws_auth"],
        api_key=account.api_key,
        api_secret=account.api_secret,
    )["sockets"]
    return report


def test_the_account_is_watched_over_the_websocket_api(watched: Report) -> None:
    placed = watched["placed"]
    assert placed["status"] == "closed"
    assert {order["id"] for order in watched["orders"]} == {placed["id"]}
    assert {(trade["order"], trade["fee"]["currency"]) for trade in watched["my_trades"]} == {(placed["id"], "BTC")}
    assert watched["balance"]["BTC"]["total"] == pytest.approx(1 + 0.01 * 0.999)
