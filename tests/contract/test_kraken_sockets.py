"""python-kraken-sdk's and ccxt's socket clients, unmodified but for their addresses, against the paper exchange."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

Report = dict[str, Any]


def _run(exchange: ExchangeProcess, script: str) -> Report:
    name = script.removesuffix(".py").replace("_", "-")
    account = exchange.open_account("kraken", name, {"USD": "10000", "BTC": "1"})
    addresses = exchange.addresses["kraken"]
    report = run_peer(
        script,
        url=addresses["rest"],
        ws=addresses["ws"],
        ws_auth=addresses["ws_auth"],
        control_url=exchange.control_url,
        control_token=exchange.token,
        api_key=account.api_key,
        api_secret=account.api_secret,
        client_order_id="by-socket",
    )["sockets"]
    assert "error" not in report, report
    return report


@pytest.fixture(scope="module")
def exchange() -> Any:
    """Its tape moves, unlike that of the other contract tests: market channels only speak of what moves."""
    with ExchangeProcess(seed=21) as process:
        yield process


@pytest.fixture(scope="module")
def sdk(exchange: ExchangeProcess) -> Report:
    return _run(exchange, "kraken_sdk_sockets.py")


@pytest.fixture(scope="module")
def ccxt(exchange: ExchangeProcess) -> Report:
    return _run(exchange, "ccxt_kraken_sockets.py")


def test_the_sdk_sees_every_channel(sdk: Report) -> None:
    assert all(sdk[channel] is True for channel in ("ticker", "book", "ohlc", "instrument"))
    assert sdk["executions"] == sdk["balances"] == {"type": "snapshot", "sequence": 1}
    assert sdk["pong"] is True


def test_the_sdk_trades(sdk: Report, exchange: ExchangeProcess) -> None:
    for call in ("market_buy", "limit_buy", "amend", "cancel"):
        assert sdk[call]["success"] is True, sdk[call]
    assert sdk["filled"]["data"][0]["order_id"] == sdk["market_buy"]["result"]["order_id"]
    assert sdk["too_expensive"]["error"] == "EOrder:Insufficient funds"
    accepted = exchange.journal(type="accept", account="kraken-sdk-sockets")
    assert [line["client_order_id"] for line in accepted] == [None, "by-socket", None]


def test_the_sdk_comes_back_after_both_connections_were_closed(sdk: Report) -> None:
    assert (sdk["executions_again"], sdk["balances_again"]) == (1, 1)
    assert sdk["market_buy_after"]["success"] is True
    assert sdk["subscriptions"] == [["book", "instrument", "ohlc", "ticker", "trade"], ["balances", "executions"]]


def test_ccxt_watches_the_market(ccxt: Report) -> None:
    assert ccxt["ticker"]["bid"] < ccxt["ticker"]["ask"] and ccxt["ticker"]["baseVolume"] > 0
    assert ccxt["trades"][0]["price"] > 0 and len(ccxt["candles"]) >= 1
    for name in ("book", "book_later"):
        assert ccxt[name]["bids"][0][0] < ccxt[name]["asks"][0][0]
    assert "BTC/USD" in ccxt["tickers"] or "ETH/USD" in ccxt["tickers"]


def test_ccxt_trades_and_watches_its_account(ccxt: Report, exchange: ExchangeProcess) -> None:
    assert ccxt["balance"]["USD"]["total"] == 10000
    order_id = ccxt["limit_buy"]["id"]
    assert ccxt["limit_buy"]["clientOrderId"] == "by-socket"
    assert [order["id"] for order in ccxt["orders"]] == [order_id]
    assert ccxt["edit"]["id"] == order_id
    assert "error" not in ccxt["cancel"] and "error" not in ccxt["cancel_all"]
    fills = [line["trade_id"] for line in exchange.journal(type="fill", account="ccxt-kraken-sockets")]
    assert {trade["id"] for trade in ccxt["my_trades"]} <= set(fills) and ccxt["my_trades"]


@pytest.mark.parametrize(
    ("call", "text"), [("too_expensive", "EOrder:Insufficient funds"), ("cancel_unknown", "EOrder:Invalid order")]
)
def test_a_mistake_raises_ccxts_own_error(ccxt: Report, call: str, text: str) -> None:
    assert ccxt[call]["error"] and text in ccxt[call]["message"]
