"""Placing, looking up and cancelling at Kraken's front."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient

OpenKraken = Callable[..., KrakenClient]
BUY: dict[str, Any] = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}
REST: dict[str, Any] = {**BUY, "ordertype": "limit", "price": "1000"}
CLIENT_ID = str(UUID(int=7, version=4))


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_market_order_fills_and_every_view_of_it_agrees(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    answer = kraken.ok("AddOrder", BUY, cl_ord_id=CLIENT_ID)
    assert answer["descr"] == {"order": "buy 0.01000000 XBTUSD @ market"}
    (order_id,) = answer["txid"]
    assert re.fullmatch(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", order_id)
    order = kraken.ok("QueryOrders", txid=order_id, trades=True)[order_id]
    assert (order["status"], order["vol"], order["vol_exec"]) == ("closed", "0.01000000", "0.01000000")
    assert (order["cl_ord_id"], order["userref"], order["refid"], order["reason"]) == (CLIENT_ID, None, None, None)
    trades = kraken.ok("TradesHistory")["trades"]
    assert set(trades) == set(order["trades"])
    fills = exchange.journal(account=kraken.account.name, type="fill")
    assert {line["trade_id"] for line in fills} == set(trades)
    for name, field in (("cost", None), ("vol", "quantity"), ("fee", "fee")):
        total = sum(Decimal(trade[name]) for trade in trades.values())
        assert total == Decimal(order["vol_exec" if name == "vol" else name])
        if field is not None:
            assert total == sum(Decimal(line[field]) for line in fills)
    spent = Decimal(order["cost"]) + Decimal(order["fee"])
    assert Decimal(kraken.ok("Balance")["ZUSD"]) == 10_000 - spent
    assert kraken.ok("Balance")["XXBT"] == "1.0100000000"


def test_the_journal_has_one_accept_and_the_fills_of_an_order(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    order_id = kraken.ok("AddOrder", BUY, cl_ord_id=CLIENT_ID)["txid"][0]
    request, accept, *fills = exchange.journal(account=kraken.account.name)
    assert (request["type"], request["endpoint"], request["client_order_id"]) == ("request", "AddOrder", CLIENT_ID)
    assert (request["symbol"], request["side"], request["quantity"], request["price"]) == (
        "BTC/USD",
        "buy",
        "0.01",
        None,
    )
    assert (accept["type"], accept["order_id"], accept["client_order_id"]) == ("accept", order_id, CLIENT_ID)
    assert (accept["symbol"], accept["side"], accept["price"]) == ("BTC/USD", "buy", None)
    assert accept["nonce"] == request["nonce"]
    assert Decimal(accept["quantity"]) == Decimal("0.01")
    assert fills
    assert all(line["type"] == "fill" and line["order_id"] == order_id and line["trade_id"] for line in fills)
    assert all(Decimal(line["fee"]) > 0 for line in fills)


def test_a_resting_order_is_open_holds_money_and_can_be_cancelled(
    kraken: KrakenClient, exchange: ExchangeProcess
) -> None:
    order_id = kraken.ok("AddOrder", REST, userref=42)["txid"][0]
    order = kraken.ok("OpenOrders")["open"][order_id]
    assert order["descr"]["order"] == "buy 0.01000000 XBTUSD @ limit 1000.0"
    assert (order["descr"]["price"], order["descr"]["price2"], order["descr"]["pair"]) == ("1000.0", "0", "XBTUSD")
    assert (order["status"], order["userref"], order["vol_exec"], order["oflags"]) == ("open", 42, "0.00000000", "fciq")
    assert "closetm" not in order
    assert Decimal(kraken.ok("BalanceEx")["ZUSD"]["hold_trade"]) >= 10
    assert kraken.ok("CancelOrder", txid=order_id) == {"count": 1}
    assert kraken.ok("BalanceEx")["ZUSD"] == {"balance": "10000.0000", "hold_trade": "0.0000"}
    closed = kraken.ok("ClosedOrders")
    assert closed["count"] == 1
    assert (closed["closed"][order_id]["status"], closed["closed"][order_id]["reason"]) == (
        "canceled",
        "User requested",
    )
    # The request to cancel names the order too.
    assert [line["type"] for line in exchange.journal(order_id=order_id)] == ["accept", "request", "cancel"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"ordertype": "limit", "price": "27500"}, "buy 0.01000000 XBTUSD @ limit 27500.0"),
        ({"ordertype": "stop-loss", "price": "990000"}, "buy 0.01000000 XBTUSD @ stop loss 990000.0"),
        (
            {"ordertype": "stop-loss-limit", "price": "990000", "price2": "990001.5"},
            "buy 0.01000000 XBTUSD @ stop loss 990000.0 -> limit 990001.5",
        ),
        ({"ordertype": "take-profit", "price": "900"}, "buy 0.01000000 XBTUSD @ take profit 900.0"),
        (
            {"ordertype": "take-profit-limit", "price": "900", "price2": "910"},
            "buy 0.01000000 XBTUSD @ take profit 900.0 -> limit 910.0",
        ),
    ],
)
def test_orders_are_described_in_the_words_that_clients_parse(
    kraken: KrakenClient, changed: dict[str, str], text: str
) -> None:
    validated = kraken.ok("AddOrder", {**BUY, **changed}, validate="True")
    assert validated == {"descr": {"order": text}}
    assert kraken.ok("OpenOrders") == {"open": {}}
    order_id = kraken.ok("AddOrder", {**BUY, **changed})["txid"][0]
    assert kraken.ok("OpenOrders")["open"][order_id]["descr"]["order"] == text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"ordertype": "iceberg"}, "EGeneral:Invalid arguments:ordertype"),
        ({"ordertype": "limit"}, "EGeneral:Invalid arguments:price"),
        ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "0"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "NaN"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "1e-2"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "٣"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "1_0"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "0.000000001"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "0.00000001"}, "EGeneral:Invalid arguments:volume minimum not met"),
        ({"volume": "100"}, "EOrder:Insufficient funds"),
        ({"type": "sell", "volume": "1.5"}, "EOrder:Insufficient funds"),
        (
            {"ordertype": "limit", "price": "1000.05"},
            "EOrder:Invalid price:XBTZUSD price can only be specified up to 1 decimals.",
        ),
        ({"ordertype": "limit", "price": "900000", "oflags": "post"}, "EOrder:Post only order"),
        ({"oflags": "post"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
        ({"ordertype": "limit", "price": "1000", "oflags": "viqc"}, "EGeneral:Invalid arguments:viqc"),
        ({"leverage": "5"}, "EGeneral:Invalid arguments:leverage"),
        ({"timeinforce": "DAY"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
        ({"expiretm": "+2"}, "EGeneral:Invalid arguments:expiretm"),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "a b"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": CLIENT_ID, "userref": "5"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"userref": str(2**31)}, "EGeneral:Invalid arguments:userref"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
    ],
)
def test_what_cannot_be_placed_is_refused_in_krakens_words_and_changes_nothing(
    kraken: KrakenClient, exchange: ExchangeProcess, changed: dict[str, str], error: str
) -> None:
    assert kraken.refused("AddOrder", {**BUY, **changed}) == error
    assert kraken.ok("BalanceEx")["ZUSD"] == {"balance": "10000.0000", "hold_trade": "0.0000"}
    lines = exchange.journal(account=kraken.account.name)
    assert [line["type"] for line in lines if line["endpoint"] == "AddOrder"] == ["request", "refuse"]
    assert lines[1]["error"] == error


def test_small_orders_in_quote_currency_are_refused(kraken: KrakenClient) -> None:
    assert kraken.refused("AddOrder", {**REST, "price": "0.1", "volume": "1"}) == "EOrder:Cost minimum not met"


def test_a_client_id_is_unique_among_open_orders_only(kraken: KrakenClient) -> None:
    first = kraken.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)["txid"][0]
    for same in (CLIENT_ID, CLIENT_ID.upper(), CLIENT_ID.replace("-", "")):
        assert kraken.refused("AddOrder", BUY, cl_ord_id=same) == "EGeneral:Invalid arguments:cl_ord_id not unique"
    assert kraken.ok("CancelOrder", cl_ord_id=CLIENT_ID) == {"count": 1}
    second, third = (kraken.ok("AddOrder", BUY, cl_ord_id=CLIENT_ID)["txid"][0] for _ in range(2))
    closed = kraken.ok("ClosedOrders", cl_ord_id=CLIENT_ID, closetime="both")
    assert set(closed["closed"]) == {first, second, third}
    assert closed["count"] == 3


def test_two_accounts_may_use_the_same_client_id(open_kraken: OpenKraken) -> None:
    for client in (open_kraken(), open_kraken()):
        assert client.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)["txid"]


def test_orders_can_be_found_by_client_id_and_by_reference(kraken: KrakenClient) -> None:
    mine = kraken.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)["txid"][0]
    other = kraken.ok("AddOrder", REST, userref=7)["txid"][0]
    assert set(kraken.ok("OpenOrders", cl_ord_id=CLIENT_ID)["open"]) == {mine}
    assert set(kraken.ok("OpenOrders", userref=7)["open"]) == {other}
    assert set(kraken.ok("QueryOrders", txid=mine, cl_ord_id=CLIENT_ID)) == {mine}
    assert kraken.ok("QueryOrders", txid=mine, cl_ord_id="other") == {}
    assert set(kraken.ok("QueryOrders", txid=f"{mine},{other}")) == {mine, other}
    assert kraken.ok("ClosedOrders", cl_ord_id=CLIENT_ID) == {"closed": {}, "count": 0}


def test_what_is_gone_cannot_be_cancelled_and_what_never_was_is_invalid(
    kraken: KrakenClient, open_kraken: OpenKraken
) -> None:
    filled = kraken.ok("AddOrder", BUY)["txid"][0]
    assert kraken.refused("CancelOrder", txid=filled) == "EOrder:Unknown order"
    cancelled = kraken.ok("AddOrder", REST)["txid"][0]
    assert kraken.ok("CancelOrder", txid=cancelled) == {"count": 1}
    assert kraken.refused("CancelOrder", txid=cancelled) == "EOrder:Unknown order"
    assert kraken.refused("CancelOrder", txid="OAAAAA-BBBBB-CCCCCC") == "EOrder:Invalid order"
    assert kraken.refused("CancelOrder", cl_ord_id=CLIENT_ID) == "EOrder:Unknown order"
    assert kraken.refused("CancelOrder") == "EGeneral:Invalid arguments:txid"
    foreign = open_kraken().ok("AddOrder", REST)["txid"][0]
    assert kraken.refused("CancelOrder", txid=foreign) == "EOrder:Invalid order"
    assert kraken.refused("QueryOrders", txid=foreign) == "EOrder:Invalid order"


def test_many_can_be_cancelled_at_once(kraken: KrakenClient) -> None:
    for _ in range(2):
        kraken.ok("AddOrder", REST, userref=9)
    kraken.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)
    ids = [kraken.ok("AddOrder", REST)["txid"][0] for _ in range(3)]
    assert kraken.ok("CancelOrder", txid="9") == {"count": 2}
    batch = kraken.post_json("CancelOrderBatch", {"orders": [ids[0]], "cl_ord_ids": [CLIENT_ID]})
    assert batch["result"] == {"count": 2}
    assert kraken.ok("CancelAll") == {"count": 2}
    assert kraken.ok("CancelAll") == {"count": 0}


def test_a_market_buy_may_be_sized_in_quote_currency(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    order_id = kraken.ok("AddOrder", {**BUY, "volume": "500", "oflags": "viqc"})["txid"][0]
    order = kraken.ok("QueryOrders", txid=order_id)[order_id]
    assert (order["vol"], order["oflags"], order["status"]) == ("500.00000000", "fciq,viqc", "closed")
    assert 495 < Decimal(order["cost"]) <= 500
    (accept,) = exchange.journal(account=kraken.account.name, type="accept")
    assert Decimal(accept["quantity"]) == Decimal(order["vol_exec"])


def test_immediate_orders_never_rest(kraken: KrakenClient) -> None:
    order_id = kraken.ok("AddOrder", REST, timeinforce="IOC")["txid"][0]
    order = kraken.ok("QueryOrders", txid=order_id)[order_id]
    assert (order["status"], order["vol_exec"]) == ("canceled", "0.00000000")
    assert kraken.ok("OpenOrders") == {"open": {}}


def test_an_order_may_expire(kraken: KrakenClient) -> None:
    order_id = kraken.ok("AddOrder", REST, timeinforce="GTD", expiretm="+600")["txid"][0]
    expires = kraken.ok("OpenOrders")["open"][order_id]["expiretm"]
    assert 590 < expires - time.time() < 610


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (-1, "EService:Deadline elapsed"),
        (1, "EGeneral:Invalid arguments:deadline"),
        (70, "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_a_deadline_must_be_near_but_not_over(kraken: KrakenClient, seconds: float, error: str) -> None:
    assert kraken.refused("AddOrder", BUY, deadline=in_seconds(seconds)) == error
    assert kraken.ok("AddOrder", BUY, deadline=in_seconds(8))["txid"]


def test_prices_may_be_relative_to_the_last_one(kraken: KrakenClient) -> None:
    answer = kraken.ok("AddOrder", {**BUY, "ordertype": "limit", "price": "-50%"}, validate=1)
    last = float(kraken.public("Ticker", pair="XBTUSD")["XXBTZUSD"]["c"][0])
    price = float(answer["descr"]["order"].rpartition(" ")[2])
    assert abs(price - last / 2) < last / 50
    answer = kraken.ok("AddOrder", {**BUY, "ordertype": "limit", "price": "#10%"}, validate=1)
    assert float(answer["descr"]["order"].rpartition(" ")[2]) < last


def test_a_conditional_close_sells_what_was_filled(kraken: KrakenClient) -> None:
    close = {"close[ordertype]": "limit", "close[price]": "+50%"}
    answer = kraken.ok("AddOrder", BUY, **close)
    assert answer["descr"]["close"] == "close position @ limit +50%"
    orders = kraken.ok("OpenOrders")["open"].values()
    assert all(order["descr"]["type"] == "sell" for order in orders)
    assert sum(Decimal(order["vol"]) for order in orders) == Decimal("0.01")


def test_a_batch_places_each_order_or_none(kraken: KrakenClient) -> None:
    good = {"ordertype": "limit", "type": "buy", "volume": "0.01", "price": 1000}
    poor = {"ordertype": "limit", "type": "buy", "volume": 50, "price": "1000"}
    answer = kraken.post_json("AddOrderBatch", {"pair": "BTC/USD", "orders": [good, poor], "validate": False})
    placed, refused = answer["result"]["orders"]
    assert placed["descr"]["order"] == "buy 0.01000000 XBTUSD @ limit 1000.0"
    assert refused == {"error": "EOrder:Insufficient funds"}
    assert set(kraken.ok("OpenOrders")["open"]) == {placed["txid"]}
    answer = kraken.post_json("AddOrderBatch", {"pair": "XBTUSD", "orders": [good, {**good, "type": "x"}]})
    assert answer == {"error": ["EGeneral:Invalid arguments:type"]}
    assert len(kraken.ok("OpenOrders")["open"]) == 1


def test_closed_orders_come_fifty_a_page_newest_first_and_within_bounds(kraken: KrakenClient) -> None:
    ids = [kraken.ok("AddOrder", {**BUY, "volume": "0.0001"})["txid"][0] for _ in range(53)]
    first, second = kraken.ok("ClosedOrders"), kraken.ok("ClosedOrders", ofs=50)
    assert list(first["closed"]) == ids[:2:-1]
    assert list(second["closed"]) == ids[2::-1]
    assert first["count"] == second["count"] == 53
    after = kraken.ok("ClosedOrders", start=ids[49])
    assert set(after["closed"]) == set(ids[50:])
    until = kraken.ok("ClosedOrders", end=ids[1], closetime="open", without_count=True)
    assert until.keys() == {"closed"}
    assert set(until["closed"]) == set(ids[:2])
    history = kraken.ok("TradesHistory", start=first["closed"][ids[50]]["opentm"] - 0.0002)
    assert {trade["ordertxid"] for trade in history["trades"].values()} >= set(ids[51:])


def test_order_traffic_is_limited_for_strict_accounts(open_kraken: OpenKraken) -> None:
    strict = open_kraken({"USD": "100000"}, tier="starter", strict=True)
    errors = [strict.call("AddOrder", REST)["error"] for _ in range(62)]
    assert errors[:60] == [[]] * 60
    assert errors[-1] in (["EOrder:Rate limit exceeded"], ["EOrder:Orders limit exceeded"])
    assert strict.call("AddOrder", {**REST, "pair": "ETHUSD", "volume": "1", "price": "10"})["error"] == []
