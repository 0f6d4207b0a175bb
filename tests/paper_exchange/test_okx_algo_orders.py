"""The OKX front's orders that wait for a price, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller

BALANCES = {"USDT": "10000", "BTC": "1"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=17) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[OkxCaller]:
    exchange.clear_faults()
    exchange.set_price("BTC/USDT", "50000")
    with OkxCaller(exchange, exchange.open_account("okx", request.node.name[:60], BALANCES)) as opened:
        yield opened


def _algo(caller: OkxCaller, client_id: str, **fields: Any) -> dict[str, str]:
    body = {"instId": INSTRUMENT, "tdMode": "cash", "side": "sell", "ordType": "conditional", "sz": "0.01"}
    [row] = caller.post("trade/order-algo", {**body, "algoClOrdId": client_id, **fields}).rows
    return dict(row)


def _stop(caller: OkxCaller, client_id: str, trigger: str = "45000", **fields: Any) -> dict[str, str]:
    return _algo(caller, client_id, slTriggerPx=trigger, slOrdPx="-1", **fields)


def _shown(caller: OkxCaller, client_id: str) -> dict[str, Any]:
    [row] = caller.get("trade/order-algo", algoClOrdId=client_id).rows
    return dict(row)


def _cancel(caller: OkxCaller, *ids: dict[str, str]) -> list[str]:
    body = [{"instId": INSTRUMENT, **one} for one in ids]
    return [row["sCode"] for row in caller.post("trade/cancel-algos", body).rows]


def test_a_stop_waits_holds_nothing_and_becomes_an_order_when_the_price_comes(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    placed = _stop(caller, "stop1")
    assert placed["sCode"] == "0"
    waiting = _shown(caller, "stop1")
    assert (waiting["state"], waiting["algoId"], waiting["ordIdList"]) == ("live", placed["algoId"], [])
    assert (waiting["slTriggerPx"], waiting["slOrdPx"], waiting["tpTriggerPx"]) == ("45000", "-1", "")
    assert caller.holding("BTC")["frozenBal"] == "0"
    assert caller.pending() == [], "it is no order yet"
    exchange.set_price("BTC/USDT", "44900")
    effective = wait_until(
        lambda: next((one for one in [_shown(caller, "stop1")] if one["state"] == "effective"), None),
        what="the trigger",
    )
    [order_id] = effective["ordIdList"]
    order = caller.shown(ordId=order_id)
    assert (order["state"], order["ordType"], order["algoId"]) == ("filled", "market", placed["algoId"])
    assert (order["algoClOrdId"], order["clOrdId"], order["source"]) == ("stop1", "", "7")
    assert order_id != placed["algoId"]
    [row] = caller.get("trade/orders-algo-history", ordType="conditional", state="effective").rows
    assert (row["algoId"], row["actualSide"]) == (placed["algoId"], "sl")
    assert caller.get("trade/orders-algo-pending", ordType="conditional").rows == []
    assert [line["order_id"] for line in exchange.journal(type="fill", client_order_id="stop1")] == [order_id]


def test_a_stop_that_lacks_money_when_it_triggers_fails(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    _stop(caller, "poor1", sz="0.9")
    caller.placed("away", "market", side="sell", sz="0.5")
    exchange.set_price("BTC/USDT", "44900")
    wait_until(lambda: _shown(caller, "poor1")["state"] == "order_failed", what="the trigger")
    failed = _shown(caller, "poor1")
    assert (failed["failCode"], failed["ordIdList"]) == ("51008", [])
    assert [row["clOrdId"] for row in caller.get("trade/orders-history", instType="SPOT").rows] == ["away"]


def test_an_algo_order_can_be_cancelled_while_it_waits(caller: OkxCaller) -> None:
    placed = _stop(caller, "can1")
    assert _cancel(caller, {"algoId": placed["algoId"]}, {"algoClOrdId": "can1"}) == ["0", "51400"]
    assert _shown(caller, "can1")["state"] == "canceled"
    assert caller.get("trade/orders-history", instType="SPOT").rows == [], "there never was an order"
    [row] = caller.get("trade/orders-algo-history", ordType="conditional", state="canceled").rows
    assert row["algoClOrdId"] == "can1"
    assert caller.get("trade/orders-algo-history", ordType="conditional").code == "50015"
    assert _cancel(caller, {"algoId": "7"}) == ["51400"]


def test_an_id_of_an_algo_order_that_waits_is_refused_and_may_equal_an_orders(caller: OkxCaller) -> None:
    assert _stop(caller, "dup1")["sCode"] == "0"
    assert _stop(caller, "dup1")["sCode"] == "51065"
    assert caller.placed("dup1", "limit", sz="0.01", px="41000")
    assert caller.shown(clOrdId="dup1")["algoId"] == ""
    assert len(caller.get("trade/orders-algo-pending", ordType="conditional").rows) == 1
    assert caller.get("trade/orders-algo-pending", ordType="trigger").rows == []


def test_a_stop_on_the_wrong_side_of_the_price_is_refused(caller: OkxCaller) -> None:
    assert _stop(caller, "w1", "50500")["sCode"] == "51280"
    assert _stop(caller, "w2", "49500", side="buy", tgtCcy="base_ccy")["sCode"] == "51278"
    assert _algo(caller, "w3", tpTriggerPx="49500", tpOrdPx="-1")["sCode"] == "51279"
    assert _stop(caller, "w4", slTriggerPxType="mark")["sCode"] == "51415"
    answer = caller.post("trade/order-algo", {"instId": INSTRUMENT, "tdMode": "cash", "side": "sell", "sz": "1"})
    assert (answer.status, answer.code) == (400, "50014")


def test_a_take_profit_and_a_trigger_order_wait_on_their_sides(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    assert _algo(caller, "tp1", tpTriggerPx="52000", tpOrdPx="51900")["sCode"] == "0"
    dip = {"ordType": "trigger", "side": "buy", "triggerPx": "48000", "orderPx": "48100"}
    rise = {"ordType": "trigger", "side": "buy", "triggerPx": "51000", "orderPx": "-1", "sz": "510"}
    assert [_algo(caller, "dip1", **dip)["sCode"], _algo(caller, "rise1", **rise)["sCode"]] == ["0", "0"]
    assert _shown(caller, "rise1")["sz"] == "0.01", "money at the trigger price"
    exchange.set_price("BTC/USDT", "52100")
    wait_until(lambda: _shown(caller, "tp1")["state"] == "effective", what="the take-profit")
    assert [_shown(caller, each)["state"] for each in ("rise1", "dip1")] == ["effective", "live"]
    taken = caller.shown(ordId=_shown(caller, "tp1")["ordIdList"][0])
    assert (taken["ordType"], taken["px"]) == ("limit", "51900") and Decimal(taken["avgPx"]) >= 51900
    assert caller.shown(ordId=_shown(caller, "rise1")["ordIdList"][0])["source"] == "6"


def test_a_look_up_of_an_algo_order_can_lag(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    _stop(caller, "lag1")
    exchange.fault({"lookup_lag": 60}, account=caller.account.name, endpoint="trade/order-algo", times=1)
    assert caller.get("trade/order-algo", algoClOrdId="lag1").code == "51603"
    assert _shown(caller, "lag1")["state"] == "live"
    assert caller.get("trade/order-algo").code == "50015"
