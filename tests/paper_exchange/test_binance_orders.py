"""The Binance front's orders and fills, over the wire; the exchange's journal is the proof."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.binance_caller import SYMBOL, BinanceCaller, now_ms
from tests.paper_exchange.test_write_ahead import BotsBook

LAST = Decimal("50000")
BALANCES = {"USDT": "100000", "BTC": "10"}
HALF = Decimal("0.5")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=17) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[BinanceCaller]:
    """An account of its own for every test, and Bitcoin at 50,000 tethers."""
    exchange.clear_faults()
    exchange.set_price("BTC/USDT", LAST)
    account = exchange.open_account("binance", request.node.name[:60], BALANCES)
    with BinanceCaller(exchange, account) as opened:
        yield opened


def _accepts(exchange: ExchangeProcess, caller: BinanceCaller) -> list[dict[str, Any]]:
    return exchange.journal(type="accept", brokerage="binance", account=caller.account.name)


def test_a_market_buy_pays_its_commission_in_what_it_buys(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    placed = caller.placed("m1", "BUY", "MARKET", quantity="0.01")
    assert (placed["status"], placed["executedQty"], placed["origQty"]) == ("FILLED", "0.01000000", "0.01000000")
    commission = sum(Decimal(fill["commission"]) for fill in placed["fills"])
    assert {fill["commissionAsset"] for fill in placed["fills"]} == {"BTC"}
    assert commission == Decimal("0.01") * Decimal("0.001")
    assert Decimal(caller.balance("BTC")["free"]) == 10 + Decimal("0.01") - commission
    assert Decimal(caller.balance("USDT")["free"]) == 100000 - Decimal(placed["cummulativeQuoteQty"])
    fills = exchange.journal(type="fill", brokerage="binance", account=caller.account.name)
    assert [line["fee_asset"] for line in fills] == ["BTC"] * len(placed["fills"])
    assert {line["trade_id"] for line in fills} == {str(fill["tradeId"]) for fill in placed["fills"]}


def test_a_market_sell_pays_its_commission_in_tethers(caller: BinanceCaller) -> None:
    placed = caller.placed("m2", "SELL", "MARKET", quantity="0.02")
    commission = sum(Decimal(fill["commission"]) for fill in placed["fills"])
    assert {fill["commissionAsset"] for fill in placed["fills"]} == {"USDT"}
    received = Decimal(placed["cummulativeQuoteQty"])
    assert Decimal("0.00099") * received < commission <= Decimal("0.001") * received
    assert Decimal(caller.balance("USDT")["free"]) == 100000 + received - commission
    assert Decimal(caller.balance("BTC")["free"]) == Decimal("9.98")


def test_a_market_buy_by_money_spends_no_more_than_that(caller: BinanceCaller) -> None:
    placed = caller.placed("m3", "BUY", "MARKET", quoteOrderQty="500")
    assert (placed["status"], placed["origQuoteOrderQty"]) == ("FILLED", "500.00000000")
    assert placed["origQty"] == placed["executedQty"]
    assert Decimal("499.9") < Decimal(placed["cummulativeQuoteQty"]) <= 500
    assert caller.shown("m3")["origQuoteOrderQty"] == "500.00000000"


def test_a_market_sell_by_money_sells_no_more_than_that_is_worth(caller: BinanceCaller) -> None:
    placed = caller.placed("m4", "SELL", "MARKET", quoteOrderQty="500")
    assert placed["status"] == "FILLED" and Decimal("499.9") < Decimal(placed["cummulativeQuoteQty"]) <= 500
    assert Decimal(caller.balance("BTC")["free"]) == 10 - Decimal(placed["executedQty"])
    dear = caller.refused("m5", "SELL", "MARKET", quoteOrderQty="1000000")
    assert dear == (-2010, "Account has insufficient balance for requested action.")


def test_a_client_id_is_refused_while_its_order_is_open_and_free_afterwards(
    caller: BinanceCaller, exchange: ExchangeProcess
) -> None:
    first = caller.resting("same")
    assert caller.refused("same", "BUY", "MARKET", quantity="0.01") == (-2010, "Duplicate order sent.")
    assert caller.delete("order", symbol=SYMBOL, origClientOrderId="same").status == 200
    second = caller.placed("same", "BUY", "MARKET", quantity="0.01")
    third = caller.placed("same", "BUY", "MARKET", quantity="0.01")
    assert len({each["orderId"] for each in (first, second, third)}) == 3
    assert len(_accepts(exchange, caller)) == 3
    assert caller.shown("same")["orderId"] == third["orderId"]


def test_an_order_without_an_id_is_given_one(caller: BinanceCaller) -> None:
    answers = [caller.post("order", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.001") for _ in range(2)]
    given = {answer.body["clientOrderId"] for answer in answers}
    assert len(given) == 2 and all(len(each) == 22 for each in given)
    assert {caller.shown(each)["clientOrderId"] for each in given} == given


def test_a_resting_order_holds_its_cost_without_a_commission_until_it_is_cancelled(caller: BinanceCaller) -> None:
    placed = caller.resting("r1")
    assert (placed["status"], placed["fills"], placed["workingTime"]) == ("NEW", [], placed["transactTime"])
    assert caller.balance("USDT") == {"asset": "USDT", "free": "99600.00000000", "locked": "400.00000000"}
    shown = caller.shown("r1")
    assert (shown["status"], shown["price"], shown["isWorking"], shown["type"]) == (
        "NEW",
        "40000.00000000",
        True,
        "LIMIT",
    )
    assert [order["orderId"] for order in caller.get("openOrders", symbol=SYMBOL).body] == [placed["orderId"]]
    assert [order["orderId"] for order in caller.get("openOrders").body] == [placed["orderId"]]
    cancelled = caller.delete("order", symbol=SYMBOL, orderId=placed["orderId"], newClientOrderId="c1").body
    assert (cancelled["status"], cancelled["origClientOrderId"], cancelled["clientOrderId"]) == ("CANCELED", "r1", "c1")
    assert caller.shown("r1")["status"] == "CANCELED"
    assert caller.balance("USDT")["locked"] == "0.00000000"


def test_a_cancel_of_what_is_not_open_is_an_unknown_order(caller: BinanceCaller) -> None:
    caller.placed("gone", "BUY", "MARKET", quantity="0.01")
    for names in ({"origClientOrderId": "gone"}, {"origClientOrderId": "never"}, {"orderId": "123"}):
        answer = caller.delete("order", symbol=SYMBOL, **names)
        assert (answer.status, answer.body) == (400, {"code": -2011, "msg": "Unknown order sent."})
    assert caller.delete("order", symbol=SYMBOL).body["code"] == -1102
    assert caller.delete("openOrders", symbol=SYMBOL).body["code"] == -2011


def test_cancelling_all_open_orders_leaves_other_symbols_alone(caller: BinanceCaller) -> None:
    caller.resting("a1")
    caller.resting("a2")
    other = caller.post(
        "order", symbol="ETHUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="1500.00"
    ).body
    cancelled = caller.delete("openOrders", symbol=SYMBOL).body
    assert {each["origClientOrderId"] for each in cancelled} == {"a1", "a2"}
    assert [order["orderId"] for order in caller.get("openOrders").body] == [other["orderId"]]


def test_an_unknown_order_is_told_from_one_of_another_symbol_or_account(
    caller: BinanceCaller, exchange: ExchangeProcess
) -> None:
    placed = caller.resting("mine")
    unknown = {"code": -2013, "msg": "Order does not exist."}
    assert caller.get("order", symbol=SYMBOL, origClientOrderId="other").body == unknown
    assert caller.get("order", symbol="ETHUSDT", orderId=placed["orderId"]).body == unknown
    account = exchange.open_account("binance", "a-stranger", BALANCES)
    with BinanceCaller(exchange, account) as stranger:
        assert stranger.get("order", symbol=SYMBOL, orderId=placed["orderId"]).body == unknown
        assert stranger.delete("order", symbol=SYMBOL, orderId=placed["orderId"]).body["code"] == -2011


def test_the_three_reply_types_tell_more_and_more(caller: BinanceCaller) -> None:
    def placed(**more: str) -> dict[str, Any]:
        order: dict[str, Any] = caller.post("order", symbol=SYMBOL, side="BUY", **more).body
        return order

    market = {"type": "MARKET", "quantity": "0.001"}
    acknowledged = placed(newOrderRespType="ACK", **market)
    assert set(acknowledged) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert "fills" not in placed(newOrderRespType="RESULT", **market)
    assert placed(**market)["fills"]
    maker = {"type": "LIMIT_MAKER", "quantity": "0.001", "price": "40000.0"}
    assert "status" not in placed(**maker)
    assert placed(newOrderRespType="RESULT", **maker)["type"] == "LIMIT_MAKER"
    assert caller.post("order", symbol=SYMBOL, side="BUY", newOrderRespType="ALL", **market).body["code"] == -1130


def test_what_cannot_be_filled_at_once_expires(caller: BinanceCaller) -> None:
    ioc = caller.placed("ioc", "BUY", "LIMIT", timeInForce="IOC", quantity="0.01", price="45000.0")
    fok = caller.placed("fok", "BUY", "LIMIT", timeInForce="FOK", quantity="0.01", price="45000.0")
    taken = caller.placed("take", "BUY", "LIMIT", timeInForce="IOC", quantity="0.01", price="50500.0")
    assert [each["status"] for each in (ioc, fok, taken)] == ["EXPIRED", "EXPIRED", "FILLED"]
    assert caller.shown("ioc")["executedQty"] == "0.00000000"


def test_an_order_that_meets_ones_own_expires_in_the_match(caller: BinanceCaller) -> None:
    caller.placed("own", "SELL", "LIMIT", timeInForce="GTC", quantity="0.01", price="49999.9")
    assert caller.shown("own")["status"] == "NEW"
    met = caller.placed("met", "BUY", "MARKET", quantity="0.01")
    assert met["status"] == "EXPIRED_IN_MATCH"


def test_stops_wait_hold_and_trigger(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    stop = caller.placed("s1", "SELL", "STOP_LOSS", quantity="1", stopPrice="45000.0")
    assert (stop["status"], stop["stopPrice"], stop["workingTime"]) == ("NEW", "45000.00000000", -1)
    assert caller.balance("BTC")["locked"] == "1.00000000"
    assert (caller.shown("s1")["isWorking"], caller.shown("s1")["type"]) == (False, "STOP_LOSS")
    exchange.set_price("BTC/USDT", "44000")
    wait_until(lambda: caller.shown("s1")["status"] == "FILLED", what="the stop's fill")
    assert caller.shown("s1")["isWorking"] is True


def test_a_stop_on_the_wrong_side_would_trigger_at_once(caller: BinanceCaller) -> None:
    wrong = (-2010, "Order would trigger immediately.")
    assert caller.refused("w1", "SELL", "STOP_LOSS", quantity="0.1", stopPrice="55000.0") == wrong
    limit = {"timeInForce": "GTC", "quantity": "0.1", "price": "45000.0"}
    assert caller.refused("w2", "BUY", "STOP_LOSS_LIMIT", stopPrice="45000.0", **limit) == wrong
    assert caller.refused("w3", "SELL", "TAKE_PROFIT", quantity="0.1", stopPrice="45000.0") == wrong
    assert caller.placed("w4", "SELL", "TAKE_PROFIT_LIMIT", stopPrice="55000.0", **limit)["status"] == "NEW"


def test_at_most_five_stops_of_a_symbol_wait(caller: BinanceCaller) -> None:
    for number in range(5):
        caller.placed(f"stop{number}", "SELL", "STOP_LOSS", quantity="0.1", stopPrice="45000.0")
    refused = caller.refused("stop5", "SELL", "STOP_LOSS", quantity="0.1", stopPrice="45000.0")
    assert refused == (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS")


@pytest.mark.parametrize(
    ("terms", "code", "message"),
    [
        ({"price": "40000.01"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "9000.0"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.00000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "9000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "1e-05"}, -1100, "Illegal characters found in parameter 'quantity'; legal range is"),
        ({"quantity": "-1"}, -1100, "Illegal characters found in parameter 'quantity'; legal range is"),
        ({"quantity": ""}, -1105, "Parameter 'quantity' was empty."),
        ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "OCO"}, -1116, "Invalid orderType."),
        ({"symbol": "NOTHING"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt"}, -1100, "Illegal characters found in parameter 'symbol'; legal range is"),
        ({"newClientOrderId": "a" * 37}, -1100, "Illegal characters found in parameter 'newClientOrderId'"),
        ({"newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'newClientOrderId'"),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"quoteOrderQty": "1"}, -1106, "Parameter 'quoteOrderQty' sent when not required."),
        ({"colour": "red"}, -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
        ({"icebergQty": "0.01"}, -2010, "Iceberg orders are not supported for this symbol."),
        ({"selfTradePreventionMode": "NONE"}, -1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
    ],
)
def test_bad_orders_are_refused_by_code(
    caller: BinanceCaller, exchange: ExchangeProcess, terms: dict[str, str], code: int, message: str
) -> None:
    order = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "40000.0",
    }  # fmt: skip
    answer = caller.post("order", **{**order, **terms})
    assert (answer.status, answer.body["code"]) == (400, code), answer.text
    assert answer.body["msg"].startswith(message)
    assert _accepts(exchange, caller) == []
    assert exchange.journal(type="refuse", brokerage="binance", account=caller.account.name)


@pytest.mark.parametrize(
    ("left_out", "kind"),
    [("timeInForce", "LIMIT"), ("price", "LIMIT"), ("quantity", "LIMIT"), ("side", "LIMIT"), ("type", "LIMIT"),
     ("symbol", "LIMIT"), ("stopPrice", "STOP_LOSS_LIMIT"), ("quantity", "MARKET")],
)  # fmt: skip
def test_what_an_order_needs_must_be_sent(caller: BinanceCaller, left_out: str, kind: str) -> None:
    order = {"symbol": SYMBOL, "side": "BUY", "type": kind, "quantity": "0.01"}
    if kind != "MARKET":
        order |= {"timeInForce": "GTC", "price": "40000.0"}
    del_one = {name: value for name, value in order.items() if name != left_out}
    answer = caller.post("order", **del_one)
    words = f"Mandatory parameter '{left_out}' was not sent, was empty/null, or malformed."
    assert (answer.status, answer.body) == (400, {"code": -1102, "msg": words})


def test_a_post_only_order_never_takes(caller: BinanceCaller) -> None:
    refused = caller.refused("p1", "BUY", "LIMIT_MAKER", quantity="0.01", price="55000.0")
    assert refused == (-2010, "Order would immediately match and take.")
    assert caller.placed("p2", "BUY", "LIMIT_MAKER", quantity="0.01", price="40000.0")["status"] == "NEW"


def test_a_halted_market_is_closed(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    exchange.market(symbol="ETH/USDT", halt=True)
    try:
        info = caller.public("exchangeInfo", symbol="ETHUSDT").body["symbols"][0]
        answer = caller.post("order", symbol="ETHUSDT", side="BUY", type="MARKET", quantity="0.1")
    finally:
        exchange.market(symbol="ETH/USDT", halt=False)
    assert info["status"] == "HALT"
    assert (answer.status, answer.body) == (400, {"code": -2010, "msg": "Market is closed."})


def test_the_test_endpoint_places_nothing(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    good = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert caller.post("order/test", **good).body == {}
    assert caller.post("order/test", **{**good, "quantity": "1000"}).body == {}
    assert caller.post("order/test", **{**good, "quantity": "0.00000001"}).body["code"] == -1013
    rates = caller.post("order/test", computeCommissionRates="true", **good).body
    assert Decimal(rates["standardCommissionForOrder"]["taker"]) == Decimal("0.001")
    assert _accepts(exchange, caller) == []


def test_replacing_an_order_cancels_one_and_places_another(caller: BinanceCaller) -> None:
    caller.resting("old")
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    done = caller.post(
        "order/cancelReplace", cancelReplaceMode="STOP_ON_FAILURE", cancelOrigClientOrderId="old",
        newClientOrderId="new", price="41000.0", **terms,
    )  # fmt: skip
    assert (done.status, done.body["cancelResult"], done.body["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
    assert done.body["cancelResponse"]["origClientOrderId"] == "old"
    assert caller.shown("old")["status"] == "CANCELED" and caller.shown("new")["status"] == "NEW"


def test_a_replacement_that_fails_tells_which_half_was_done(caller: BinanceCaller) -> None:
    caller.resting("half")
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "40000.0"}
    neither = caller.post(
        "order/cancelReplace",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrigClientOrderId="none",
        quantity="0.01",
        **terms,
    )
    assert (neither.status, neither.body["code"]) == (400, -2022)
    assert neither.body["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    one = caller.post(
        "order/cancelReplace",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrigClientOrderId="half",
        quantity="100",
        **terms,
    )
    assert (one.status, one.body["code"]) == (409, -2021)
    assert one.body["data"]["newOrderResponse"]["code"] == -2010
    other = caller.post(
        "order/cancelReplace",
        cancelReplaceMode="ALLOW_FAILURE",
        cancelOrigClientOrderId="none",
        quantity="0.01",
        **terms,
    )
    assert (other.status, other.body["data"]["newOrderResult"]) == (409, "SUCCESS")


def test_lists_of_orders_and_fills_are_cut_into_pages_by_id(caller: BinanceCaller) -> None:
    orders = [caller.placed(f"page{number}", "BUY", "MARKET", quantity="0.001")["orderId"] for number in range(5)]
    listed = caller.get("allOrders", symbol=SYMBOL).body
    assert [order["orderId"] for order in listed] == orders == sorted(orders)
    assert [order["orderId"] for order in caller.get("allOrders", symbol=SYMBOL, limit=2).body] == orders[-2:]
    page = caller.get("allOrders", symbol=SYMBOL, orderId=orders[1], limit=2).body
    assert [order["orderId"] for order in page] == orders[1:3]
    fills = caller.get("myTrades", symbol=SYMBOL).body
    ids = [fill["id"] for fill in fills]
    assert ids == sorted(set(ids)) and {fill["orderId"] for fill in fills} == set(orders)
    assert [fill["id"] for fill in caller.get("myTrades", symbol=SYMBOL, fromId=ids[1], limit=2).body] == ids[1:3]
    assert [fill["id"] for fill in caller.get("myTrades", symbol=SYMBOL, limit=2).body] == ids[-2:]
    of_one = caller.get("myTrades", symbol=SYMBOL, orderId=orders[0]).body
    assert {fill["orderId"] for fill in of_one} == {orders[0]}
    assert caller.get("myTrades", symbol="ETHUSDT").body == []


def test_times_bound_a_list_and_span_a_day_at_most(caller: BinanceCaller) -> None:
    before = now_ms() - 1
    order = caller.placed("timed", "BUY", "MARKET", quantity="0.001")
    time = caller.shown("timed")["time"]
    for path in ("allOrders", "myTrades"):
        assert len(caller.get(path, symbol=SYMBOL, startTime=before).body) >= 1
        assert len(caller.get(path, symbol=SYMBOL, startTime=time, endTime=time + 1000).body) >= 1
        assert caller.get(path, symbol=SYMBOL, startTime=time + 60_000).body == []
        assert caller.get(path, symbol=SYMBOL, startTime=0, endTime=time).body["code"] == -1127
        assert caller.get(path, symbol=SYMBOL, startTime=time - 25 * 3_600_000).body == []
    together = caller.get("myTrades", symbol=SYMBOL, orderId=order["orderId"], startTime=before)
    assert (together.status, together.body["code"]) == (400, -1128)


def test_a_reply_lost_after_acceptance_leaves_an_order_that_a_look_up_finds(
    caller: BinanceCaller, exchange: ExchangeProcess
) -> None:
    exchange.fault("drop_response", account=caller.account.name, endpoint="order")
    with pytest.raises(requests.ConnectionError):
        caller.order("lost", "BUY", "MARKET", quantity="0.01")
    assert caller.shown("lost")["status"] == "FILLED"
    assert len(_accepts(exchange, caller)) == 1


def test_a_request_dropped_before_acceptance_leaves_nothing(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    exchange.fault("drop_request", account=caller.account.name, endpoint="order")
    with pytest.raises(requests.ConnectionError):
        caller.order("dropped", "BUY", "MARKET", quantity="0.01")
    assert caller.get("order", symbol=SYMBOL, origClientOrderId="dropped").body["code"] == -2013
    assert _accepts(exchange, caller) == []


def test_an_order_that_is_delayed_beyond_its_window_never_reaches_the_engine(
    caller: BinanceCaller, exchange: ExchangeProcess
) -> None:
    exchange.fault({"kind": "delay", "seconds": 1.2}, account=caller.account.name, endpoint="order")
    late = caller.order("late", "BUY", "MARKET", quantity="0.01", recvWindow="1000")
    words = "Timestamp for this request is outside of the recvWindow."
    assert (late.status, late.body) == (400, {"code": -1021, "msg": words})
    exchange.fault({"kind": "delay", "seconds": 0.2}, account=caller.account.name, endpoint="order")
    assert caller.placed("in-time", "BUY", "MARKET", quantity="0.01", recvWindow="60000")["status"] == "FILLED"
    assert [line["client_order_id"] for line in _accepts(exchange, caller)] == ["in-time"]


def test_look_ups_lag_behind_when_told_to(caller: BinanceCaller, exchange: ExchangeProcess) -> None:
    placed = caller.placed("young", "BUY", "MARKET", quantity="0.01")
    for endpoint, path in (("queryOrder", "order"), ("allOrders", "allOrders"), ("myTrades", "myTrades")):
        exchange.fault({"kind": "lookup_lag", "seconds": 3600}, account=caller.account.name, endpoint=endpoint)
        names = {"orderId": placed["orderId"]} if path == "order" else {}
        hidden = caller.get(path, symbol=SYMBOL, **names).body
        assert hidden == [] or hidden["code"] == -2013
        assert caller.get(path, symbol=SYMBOL, **names).status == 200


def test_an_unknown_outcome_is_told_with_a_status_of_the_server(
    caller: BinanceCaller, exchange: ExchangeProcess
) -> None:
    for text, status in (("-1006", 500), ("-1007", 504), ("-1001", 500), ("-1008", 503), ("-1000: Something", 500)):
        exchange.fault({"kind": "api_error", "text": text}, account=caller.account.name, endpoint="order")
        answer = caller.order("unknown", "BUY", "MARKET", quantity="0.01")
        assert (answer.status, answer.body["code"]) == (status, int(text.partition(":")[0])), answer.text
    assert exchange.journal(type="accept", brokerage="binance", account=caller.account.name) == []
    for number, text in enumerate((None, "-1007")):
        told = {"kind": "accept_then_5xx", "status": 504, **({"text": text} if text else {})}
        exchange.fault(told, account=caller.account.name, endpoint="order")
        answer = caller.order(f"accepted{number}", "BUY", "MARKET", quantity="0.01")
        assert answer.status == 504 and ("-1007" in answer.text) == (text is not None)
        assert caller.shown(f"accepted{number}")["status"] == "FILLED"


def test_orders_and_their_ids_survive_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper", seed=18) as process:
        process.pause()
        process.set_price("BTC/USDT", LAST)
        account = process.open_account("binance", "kept", BALANCES)
        with BinanceCaller(process, account) as caller:
            resting, filled = caller.resting("stays"), caller.placed("over", "BUY", "MARKET", quantity="0.01")
            before = caller.get("account").body["balances"]
        process.stop()
        process.start()
        with BinanceCaller(process, account) as caller:
            assert caller.get("account").body["balances"] == before
            assert caller.shown("stays")["orderId"] == resting["orderId"]
            assert caller.refused("stays", "BUY", "MARKET", quantity="0.01") == (-2010, "Duplicate order sent.")
            again = caller.placed("over", "SELL", "MARKET", quantity="0.01")
            assert again["orderId"] > filled["orderId"]
            assert len(caller.get("myTrades", symbol=SYMBOL).body) >= 2


def test_an_order_is_judged_by_what_the_bot_has_written_down(tmp_path: Path) -> None:
    book = BotsBook(tmp_path / "bot.db")
    with ExchangeProcess(seed=20, options=("--write-ahead-database", str(book.path))) as process:
        account = process.open_account("binance", "written", BALANCES)
        with BinanceCaller(process, account) as caller:
            book.note("w1", "BTC/USDT|buy|market|0.001|")
            book.note("w2", "BTC/USDT|buy|limit_ioc|0.001|90000")
            book.note("w3", "BTC/USDT|buy|market|0.002|")
            caller.order("w1", "BUY", "MARKET", quantity="0.00100")
            caller.order("w2", "BUY", "LIMIT", timeInForce="IOC", quantity="0.001", price="90000.0")
            caller.order("w3", "BUY", "MARKET", quantity="0.001")
            caller.order("w4", "BUY", "MARKET", quantity="0.001")
        lines = process.journal(type="write_ahead", account="written")
    book.close()
    assert [line["verdict"] for line in lines] == ["ok", "ok", "wrong_payload", "missing"]


def test_an_order_that_ended_empty_is_archived_after_ninety_days(tmp_path: Path) -> None:
    with ExchangeProcess(seed=22) as process:
        account = process.open_account("binance", "old", BALANCES)
        with BinanceCaller(process, account) as caller:
            placed = caller.placed("empty", "BUY", "LIMIT", timeInForce="IOC", quantity="0.01", price="40000.0")
            assert (placed["status"], caller.shown("empty")["status"]) == ("EXPIRED", "EXPIRED")
            filled = caller.placed("full", "BUY", "MARKET", quantity="0.01")
            for _ in range(3):
                process.advance_clock(31 * 86_400)
            later = {"symbol": SYMBOL, "timestamp": caller.public("time").body["serverTime"]}
            assert caller.get("order", orderId=placed["orderId"], **later).body["code"] == -2026
            assert caller.get("order", orderId=filled["orderId"], **later).body["status"] == "FILLED"


def test_an_order_larger_than_the_offer_is_filled_in_part(caller: BinanceCaller) -> None:
    depth = caller.public("depth", symbol=SYMBOL, limit=1).body
    price, offered = (Decimal(part) for part in depth["asks"][0])
    part = caller.placed("part", "BUY", "LIMIT", timeInForce="GTC", quantity=f"{offered + HALF:f}", price=f"{price:f}")
    assert (part["status"], Decimal(part["executedQty"])) == ("PARTIALLY_FILLED", offered)
    assert Decimal(caller.balance("USDT")["locked"]) == price * HALF
    only_new = caller.delete("order", symbol=SYMBOL, origClientOrderId="part", cancelRestrictions="ONLY_NEW")
    assert only_new.body == {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
    cancelled = caller.delete("order", symbol=SYMBOL, origClientOrderId="part").body
    assert (cancelled["status"], Decimal(cancelled["executedQty"])) == ("CANCELED", offered)
    killed = caller.placed("fok", "BUY", "LIMIT", timeInForce="FOK", quantity=f"{offered + HALF:f}", price=f"{price:f}")
    assert (killed["status"], killed["executedQty"], killed["fills"]) == ("EXPIRED", "0.00000000", [])


def test_at_most_two_hundred_orders_of_a_symbol_are_open(caller: BinanceCaller) -> None:
    for number in range(200):
        caller.resting(f"n{number}", quantity="0.0001")
    refused = caller.refused("n200", "BUY", "LIMIT", timeInForce="GTC", quantity="0.0001", price="40000.0")
    assert refused == (-1013, "Filter failure: MAX_NUM_ORDERS")
