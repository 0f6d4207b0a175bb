"""ccxt's clients for Kraken and Coinbase, unmodified but for their addresses, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

BALANCES = {"USD": "10000", "BTC": "1"}
Report = dict[str, Any]


def _run(exchange: ExchangeProcess, brokerage: str) -> Report:
    account = exchange.open_account(brokerage, "ccxt", BALANCES)
    other = exchange.open_account(brokerage, "other-ccxt", BALANCES)
    return run_peer(
        f"ccxt_{brokerage}.py",
        url=exchange.rest_url(brokerage),
        api_key=account.api_key,
        api_secret=account.api_secret,
        other_secret=other.api_secret,
        unknown_key="organizations/none/apiKeys/none",
        client_order_id="ccxt-limit-1",
    )


@pytest.fixture(scope="module")
def kraken(exchange: ExchangeProcess) -> Report:
    return _run(exchange, "kraken")


@pytest.fixture(scope="module")
def coinbase(exchange: ExchangeProcess) -> Report:
    return _run(exchange, "coinbase")


@pytest.fixture(params=["kraken", "coinbase"])
def brokerage(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def report(request: pytest.FixtureRequest, brokerage: str) -> Report:
    report: Report = request.getfixturevalue(brokerage)
    return report


def test_markets_are_loaded_with_their_rules(report: Report) -> None:
    markets = report["load_markets"]
    assert markets["count"] > 500 and markets["active"] is True
    assert markets["precision"]["price"] > 0 and markets["limits"]["amount"]["min"] > 0


def test_prices_candles_book_and_trades_are_read(report: Report) -> None:
    assert report["time"] > 1_700_000_000_000
    assert 0 < report["ticker"]["bid"] < report["ticker"]["ask"]
    opens = [candle[0] for candle in report["candles"]]
    assert 9 <= len(opens) <= 11 and opens == sorted(opens)
    assert all(candle[3] <= candle[1] <= candle[2] for candle in report["candles"])
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0]
    assert report["trades"]


def test_a_market_order_fills_and_moves_the_balance(report: Report) -> None:
    shown = report["market_buy_shown"]
    assert shown["status"] == "closed" and shown["filled"] > 0.009
    assert report["balance_before"]["USD"]["total"] == 10000
    bought = shown["filled"] - 0.004
    assert abs(report["balance_after"]["BTC"]["total"] - 1 - bought) < 1e-8
    assert report["balance_after"]["USD"]["total"] < 10000


def test_a_limit_order_is_open_then_cancelled(report: Report) -> None:
    shown = report["limit_buy_shown"]
    assert (shown["status"], shown["side"], shown["type"], shown["amount"]) == ("open", "buy", "limit", 0.02)
    assert [order["id"] for order in report["open_orders"]] == [shown["id"]]
    held = report["balance_with_hold"]["USD"]["used"]
    assert held >= shown["price"] * 0.02 > 0
    assert report["cancelled_shown"]["status"] == "canceled"
    assert report["open_orders_after"] == []
    assert report["balance_after"]["USD"]["used"] == 0


def test_the_client_order_id_arrives(report: Report, exchange: ExchangeProcess, brokerage: str) -> None:
    accepted = exchange.journal(type="accept", brokerage=brokerage, account="ccxt", client_order_id="ccxt-limit-1")
    assert [line["order_id"] for line in accepted] == [report["limit_buy_shown"]["id"]]


def test_closed_orders_and_my_trades_agree_with_the_journal(
    report: Report, exchange: ExchangeProcess, brokerage: str
) -> None:
    assert report["market_buy_shown"]["id"] in [order["id"] for order in report["closed_orders"]]
    fills = {line["trade_id"]: line for line in exchange.journal(type="fill", brokerage=brokerage, account="ccxt")}
    trades = report["my_trades"]
    assert trades and {trade["id"] for trade in trades} <= set(fills)
    for trade in trades:
        fill = fills[trade["id"]]
        assert trade["order"] == fill["order_id"] and trade["side"] == fill["side"]
        assert abs(Decimal(str(trade["amount"])) - Decimal(fill["quantity"])) < Decimal("1E-8")
        assert abs(Decimal(str(trade["fee"]["cost"])) - Decimal(fill["fee"])) <= Decimal("0.0001")


def test_too_expensive_orders_are_insufficient_funds(report: Report) -> None:
    assert report["too_expensive"]["error"] == "InsufficientFunds"


def test_too_small_orders_are_refused(report: Report) -> None:
    assert report["too_small"]["error"] in ("InvalidOrder", "ExchangeError")


def test_an_unknown_order_cannot_be_cancelled(report: Report) -> None:
    assert report["cancel_unknown"]["error"] in ("BadRequest", "InvalidOrder", "OrderNotFound")


def test_a_wrong_key_is_told(report: Report) -> None:
    assert report["bad_key"]["error"] == "AuthenticationError"


def test_a_wrong_secret_is_told(kraken: Report, coinbase: Report) -> None:
    # ccxt has no class of its own for Kraken's text.
    assert kraken["bad_secret"]["error"] == "ExchangeError"
    assert "EAPI:Invalid signature" in kraken["bad_secret"]["message"]
    assert coinbase["bad_secret"]["error"] == "AuthenticationError"


def test_kraken_fees_ledger_and_the_rest_are_read(kraken: Report) -> None:
    assert 0 < kraken["trading_fee"]["maker"] <= kraken["trading_fee"]["taker"] < 0.01
    assert {entry["type"] for entry in kraken["ledger"]} >= {"trade"}
    assert kraken["status"]["status"] == "ok" and kraken["tickers"] == ["BTC/USD", "ETH/USD"]
    assert kraken["market_buy_with_cost"]["id"] and kraken["post_only"]["id"]
    assert "error" not in kraken["cancel_all"] and kraken["open_orders_after_cancel_all"] == []


def test_kraken_orders_are_amended_batched_and_cancelled_by_a_switch(kraken: Report, exchange: ExchangeProcess) -> None:
    edited = kraken["edited_shown"]
    assert (edited["id"], edited["status"], edited["amount"]) == (kraken["to_edit"]["id"], "open", 0.02)
    (amended,) = exchange.journal(type="amend", brokerage="kraken", account="ccxt")
    assert (amended["order_id"], Decimal(amended["quantity"])) == (edited["id"], Decimal("0.02"))
    assert Decimal(amended["price"]) == Decimal(str(edited["price"]))
    assert len({order["id"] for order in kraken["batch"]} - {None}) == 2
    assert "error" not in kraken["cancel_some"]
    assert kraken["switch"]["result"]["triggerTime"] > kraken["switch"]["result"]["currentTime"]
    assert kraken["switch_off"]["error"] == []
    assert [deposit["amount"] for deposit in kraken["deposits"]] == [10000]
    assert kraken["ledger_entry"]["referenceId"]


def test_coinbase_wallets_deposits_and_the_rest_are_read(coinbase: Report) -> None:
    assert coinbase["accounts"] == ["BTC", "USD"] and coinbase["bids_asks"] == ["BTC/USD", "ETH/USD"]
    assert coinbase["balance_by_the_older_endpoint"] == coinbase["balance_after"]["USD"]
    assert [deposit["amount"] for deposit in coinbase["deposits"]] == [10000]
    assert {entry["type"] for entry in coinbase["ledger"]} == {"transaction", "advanced_trade_fill"}
    assert coinbase["market_buy_with_cost"]["id"] in coinbase["orders"]
    assert coinbase["limit_buy_shown"]["id"] in [order["id"] for order in coinbase["canceled_orders"]]
    assert coinbase["stop_limit_shown"]["status"] == "open" and coinbase["stop_limit_shown"]["triggerPrice"] > 0
    assert "INVALID_LIMIT_PRICE_POST_ONLY" in coinbase["post_only_crossing"]["message"]
