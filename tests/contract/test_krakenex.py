"""krakenex, unmodified but for its address, against the paper exchange."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import krakenex
import pytest

from tests.exchange_process import ExchangeProcess, PaperAccount

TIMEOUT = (3.05, 10)
BALANCES = {"USD": "10000", "BTC": "1"}
PAIR = "XBTUSD"
INVALID_NONCE = "EAPI:Invalid nonce"


class Kraken:
    """krakenex's own object with its address changed; results are unwrapped, errors kept as Kraken's texts."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.api = krakenex.API(key, secret)
        self.api.uri = url
        self.api.session.trust_env = False

    def public(self, method: str, **data: Any) -> Any:
        return self._result(self.api.query_public(method, data, timeout=TIMEOUT))

    def private(self, method: str, **data: Any) -> Any:
        return self._result(self._query_private(method, data))

    def errors(self, method: str, **data: Any) -> list[str]:
        errors: list[str] = self._query_private(method, data)["error"]
        return errors

    def _query_private(self, method: str, data: dict[str, Any]) -> dict[str, Any]:
        # Its nonce counts milliseconds, and on loopback two calls fit into one: the second is refused, and asks again.
        reply: dict[str, Any] = {"error": [INVALID_NONCE]}
        for _ in range(3):
            if reply["error"] == [INVALID_NONCE]:
                reply = self.api.query_private(method, dict(data), timeout=TIMEOUT)
        return reply

    def _result(self, reply: dict[str, Any]) -> Any:
        assert reply["error"] == [], reply
        return reply["result"]


@pytest.fixture(scope="module")
def account(exchange: ExchangeProcess) -> PaperAccount:
    return exchange.open_account("kraken", "krakenex", BALANCES)


@pytest.fixture(scope="module")
def kraken(exchange: ExchangeProcess, account: PaperAccount) -> Iterator[Kraken]:
    client = Kraken(exchange.rest_url("kraken"), account.api_key, account.api_secret)
    yield client
    client.api.close()


def test_markets_and_prices_can_be_read(kraken: Kraken) -> None:
    assert kraken.public("SystemStatus")["status"] == "online"
    assert kraken.public("Time")["unixtime"] > 1_700_000_000
    pairs = kraken.public("AssetPairs", pair=PAIR)
    assert pairs["XXBTZUSD"]["wsname"] == "XBT/USD" and Decimal(pairs["XXBTZUSD"]["ordermin"]) > 0
    assert len(kraken.public("AssetPairs")) > 1000
    assert kraken.public("Assets")["XXBT"]["altname"] == "XBT"
    ticker = kraken.public("Ticker", pair=PAIR)["XXBTZUSD"]
    assert Decimal(ticker["b"][0]) < Decimal(ticker["a"][0])
    candles = kraken.public("OHLC", pair=PAIR, interval=1)
    assert len(candles["XXBTZUSD"]) > 100 and candles["last"] in [row[0] for row in candles["XXBTZUSD"]]
    book = kraken.public("Depth", pair=PAIR, count=5)["XXBTZUSD"]
    assert len(book["asks"]) == len(book["bids"]) == 5
    assert kraken.public("Trades", pair=PAIR)["XXBTZUSD"]


def test_a_market_order_moves_the_balance_by_cost_and_fee(kraken: Kraken, exchange: ExchangeProcess) -> None:
    before = kraken.private("Balance")
    txid = kraken.private("AddOrder", pair=PAIR, type="buy", ordertype="market", volume="0.01")["txid"][0]
    order = kraken.private("QueryOrders", txid=txid, trades=True)[txid]
    assert order["status"] == "closed" and Decimal(order["vol_exec"]) == Decimal("0.01")
    after = kraken.private("Balance")
    spent = Decimal(before["ZUSD"]) - Decimal(after["ZUSD"])
    assert abs(spent - Decimal(order["cost"]) - Decimal(order["fee"])) <= Decimal("0.0001")
    assert Decimal(after["XXBT"]) - Decimal(before["XXBT"]) == Decimal("0.01")
    fills = exchange.journal(type="fill", order_id=txid)
    assert {fill["trade_id"] for fill in fills} == set(order["trades"])


def test_a_limit_order_lives_in_open_then_in_closed_orders(kraken: Kraken) -> None:
    txid = kraken.private(
        "AddOrder", pair=PAIR, type="buy", ordertype="limit", price="40000.0", volume="0.05", cl_ord_id="limit-1"
    )["txid"][0]
    assert kraken.private("OpenOrders", cl_ord_id="limit-1")["open"][txid]["descr"]["price"] == "40000.0"
    assert Decimal(kraken.private("BalanceEx")["ZUSD"]["hold_trade"]) >= 2000
    assert kraken.private("CancelOrder", txid=txid)["count"] == 1
    assert txid not in kraken.private("OpenOrders")["open"]
    assert kraken.private("ClosedOrders", cl_ord_id="limit-1")["closed"][txid]["status"] == "canceled"
    assert kraken.errors("CancelOrder", txid=txid) == ["EOrder:Unknown order"]


def test_my_trades_and_ledger_tell_the_same_story(kraken: Kraken) -> None:
    txid = kraken.private("AddOrder", pair=PAIR, type="sell", ordertype="market", volume="0.004")["txid"][0]
    history = kraken.private("TradesHistory")
    mine = {trade_id: trade for trade_id, trade in history["trades"].items() if trade["ordertxid"] == txid}
    assert sum(Decimal(trade["vol"]) for trade in mine.values()) == Decimal("0.004")
    ledger = kraken.private("Ledgers", type="trade")["ledger"].values()
    assert {entry["refid"] for entry in ledger} >= set(mine)
    assert Decimal(kraken.private("TradeVolume", pair=PAIR)["fees"]["XXBTZUSD"]["fee"]) > 0


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"volume": "1000", "price": "40000.0"}, "EOrder:Insufficient funds"),
        ({"volume": "0.00000001", "price": "40000.0"}, "EGeneral:Invalid arguments:volume minimum not met"),
        ({"volume": "0.01", "price": "40000.123456"}, "EOrder:Invalid price"),
        ({"volume": "0.01", "price": "40000.0", "pair": "NOSUCH"}, "EQuery:Unknown asset pair"),
    ],
)
def test_a_bad_order_is_refused_with_krakens_text(kraken: Kraken, order: dict[str, str], error: str) -> None:
    [refusal] = kraken.errors("AddOrder", **{"pair": PAIR, "type": "buy", "ordertype": "limit", **order})
    assert refusal.startswith(error)


def test_a_wrong_key_or_secret_is_refused(exchange: ExchangeProcess, account: PaperAccount) -> None:
    other = exchange.open_account("kraken", "other-krakenex")
    for key, secret, error in (
        ("unknown", account.api_secret, "EAPI:Invalid key"),
        (account.api_key, other.api_secret, "EAPI:Invalid signature"),
    ):
        client = Kraken(exchange.rest_url("kraken"), key, secret)
        assert client.errors("Balance") == [error]
        client.api.close()


def test_a_nonce_that_does_not_rise_is_refused(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("kraken", "clock-back")
    client = Kraken(exchange.rest_url("kraken"), account.api_key, account.api_secret)
    client.api._nonce = lambda: 1_700_000_000_000
    client.private("Balance")
    assert client.errors("Balance") == [INVALID_NONCE]
    client.api.close()
