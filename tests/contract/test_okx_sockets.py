"""ccxt.pro on OKX's private socket, unmodified but for its addresses, against the paper exchange."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

BALANCES = {"USDT": "10000", "BTC": "1"}
CLIENT_ORDER_ID = "ccxtsocket1"
Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("okx", "ccxt-sockets", BALANCES)
    return run_peer(
        "ccxt_okx_sockets.py",
        url=exchange.rest_url("okx"),
        ws_auth=exchange.addresses["okx"]["ws_auth"],
        api_key=account.api_key,
        api_secret=account.api_secret,
        passphrase=account.api_passphrase,
        client_order_id=CLIENT_ORDER_ID,
    )


def test_the_money_is_heard_of(report: Report) -> None:
    assert (report["balance"]["USDT"]["total"], report["balance"]["BTC"]["free"]) == (10000, 1)


def test_an_order_is_placed_heard_of_changed_and_cancelled(report: Report, exchange: ExchangeProcess) -> None:
    [heard] = report["orders"]
    assert (heard["id"], heard["status"], heard["clientOrderId"]) == (
        report["limit_buy"]["id"], "open", CLIENT_ORDER_ID,
    )  # fmt: skip
    assert report["edit"]["id"] == report["cancel"]["id"] == heard["id"]
    [accepted] = exchange.journal(type="accept", client_order_id=CLIENT_ORDER_ID)
    assert accepted["endpoint"] == "ws/batch-orders" and accepted["order_id"] == heard["id"]
    assert len(exchange.journal(type="cancel", order_id=heard["id"])) == 1


def test_a_fill_is_heard_of_with_its_fee(report: Report, exchange: ExchangeProcess) -> None:
    trade = report["my_trades"][-1]
    [fill] = exchange.journal(type="fill", order_id=report["market_buy"]["id"])
    assert (trade["id"], trade["amount"], trade["fee"]["currency"]) == (fill["trade_id"], 0.001, "BTC")


def test_refusals_are_of_the_right_class(report: Report) -> None:
    assert report["too_expensive"]["error"] == "InsufficientFunds"
    assert report["cancel_unknown"]["error"] == "OrderNotFound"
