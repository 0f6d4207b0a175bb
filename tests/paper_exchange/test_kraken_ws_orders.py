"""Orders over the socket: the same orders, ids and refusals as over REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import SocketClient, private_socket

MARKET = {"order_type": "market", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001}
LIMIT = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01, "limit_price": 20000.5}


@pytest.fixture
def socket(exchange: ExchangeProcess, kraken: KrakenClient) -> Iterator[SocketClient]:
    with private_socket(exchange.addresses, kraken) as client:
        yield client


def _ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_an_order_is_the_same_one_over_rest(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    result = socket.ok("add_order", LIMIT, cl_ord_id="first")
    assert set(result) == {"order_id", "cl_ord_id"} and result["cl_ord_id"] == "first"
    shown = kraken.ok("OpenOrders")["open"][result["order_id"]]
    assert (shown["cl_ord_id"], shown["descr"]["price"], shown["vol"]) == ("first", "20000.5", "0.01000000")
    assert exchange.account("kraken", kraken.account.name)["holds"]["USD"] == "200.8051"
    lines = exchange.journal(account=kraken.account.name, endpoint="ws/add_order")
    assert [line["type"] for line in lines] == ["request", "accept"]
    assert {line["client_order_id"] for line in lines} == {"first"}


def test_what_an_answer_looks_like(socket: SocketClient) -> None:
    answer = socket.ask("add_order", MARKET, order_userref=7)
    assert set(answer) == {"method", "req_id", "result", "success", "time_in", "time_out"}
    assert answer["method"] == "add_order" and answer["result"]["order_userref"] == 7
    assert answer["time_in"] <= answer["time_out"] and answer["time_in"].endswith("Z")


def test_an_order_by_its_cost_spends_it(kraken: KrakenClient, socket: SocketClient) -> None:
    order_id = socket.ok("add_order", order_type="market", side="buy", symbol="BTC/USD", cash_order_qty=50)["order_id"]
    shown = kraken.ok("QueryOrders", txid=order_id)[order_id]
    assert Decimal("49") < Decimal(shown["cost"]) <= 50 and "viqc" in shown["oflags"]


def test_a_stop_has_its_trigger_and_its_limit(kraken: KrakenClient, socket: SocketClient) -> None:
    order_id = socket.ok(
        "add_order",
        order_type="stop-loss-limit",
        side="sell",
        symbol="BTC/USD",
        order_qty=0.01,
        limit_price=29000,
        triggers={"reference": "last", "price": 30000, "price_type": "static"},
    )["order_id"]
    shown = kraken.ok("OpenOrders")["open"][order_id]["descr"]
    assert (shown["price"], shown["price2"]) == ("30000.0", "29000.0")


def test_a_conditional_close_is_placed_after_the_fill(kraken: KrakenClient, socket: SocketClient) -> None:
    socket.ok("add_order", MARKET, conditional={"order_type": "limit", "limit_price": 90000})
    (closing,) = kraken.ok("OpenOrders")["open"].values()
    assert closing["descr"]["type"] == "sell" and closing["descr"]["price"] == "90000.0"


def test_an_order_that_is_only_validated_is_not_placed(kraken: KrakenClient, socket: SocketClient) -> None:
    assert "order_id" not in socket.ok("add_order", LIMIT, validate=True)
    assert socket.refused("add_order", {**LIMIT, "order_qty": 100}, validate=True) == "EOrder:Insufficient funds"
    assert kraken.ok("OpenOrders")["open"] == {}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"order_qty": "0.01"}, "Order_qty field must be a number_float"),
        ({"limit_price": "20000"}, "Limit_price field must be a number_float"),
        ({"order_qty": 0.000001}, "EGeneral:Invalid arguments:volume minimum not met"),
        ({"order_qty": 100}, "EOrder:Insufficient funds"),
        ({"symbol": "NO/SUCH"}, "EQuery:Unknown asset pair"),
        ({"side": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"order_type": "trailing-stop"}, "EGeneral:Invalid arguments:ordertype"),
        ({"time_in_force": "soon"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"colour": "red"}, "Unsupported field: 'colour' for the given msg type: add_order"),
        ({"cl_ord_id": "a", "order_userref": 4}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"post_only": True, "limit_price": 90000}, "EOrder:Post only order"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "EService:Deadline elapsed"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"token": ""}, "Token(s) not found"),
        ({"token": "stolen"}, "ESession:Invalid session"),
        ({"limit_price": 20000.55}, "EOrder:Invalid price:XBTZUSD price can only be specified up to 1 decimals."),
    ],
)
def test_a_mistake_is_refused_in_krakens_words_and_places_nothing(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient, changed: dict[str, Any], error: str
) -> None:
    assert socket.refused("add_order", {**LIMIT, **changed}) == error
    assert kraken.ok("OpenOrders")["open"] == {}
    if changed.get("token") is None:
        (refusal,) = exchange.journal(account=kraken.account.name, type="refuse")
        assert refusal["error"] == error


def test_a_deadline_may_be_half_a_second_ahead_but_not_less_nor_over_a_minute(socket: SocketClient) -> None:
    assert socket.ok("add_order", LIMIT, deadline=_ahead(1.5))["order_id"]
    assert socket.refused("add_order", LIMIT, deadline=_ahead(0.3)) in (
        "EGeneral:Invalid arguments:deadline",
        "EService:Deadline elapsed",
    )
    assert socket.refused("add_order", LIMIT, deadline=_ahead(70)) == "EGeneral:Invalid arguments:deadline"


def test_a_clients_id_is_unique_among_open_orders_of_both_ways(kraken: KrakenClient, socket: SocketClient) -> None:
    first = socket.ok("add_order", LIMIT, cl_ord_id="same")["order_id"]
    text = "EGeneral:Invalid arguments:cl_ord_id not unique"
    assert socket.refused("add_order", LIMIT, cl_ord_id="same") == text
    rest = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "20000", "volume": "0.01"}
    assert kraken.refused("AddOrder", rest, cl_ord_id="same") == text
    socket.ok("cancel_order", order_id=[first])
    assert socket.ok("add_order", LIMIT, cl_ord_id="same")["order_id"] != first


def test_each_id_of_a_cancel_has_its_own_answer(kraken: KrakenClient, socket: SocketClient) -> None:
    by_id = socket.ok("add_order", LIMIT)["order_id"]
    socket.ok("add_order", LIMIT, cl_ord_id="mine")
    socket.ok("add_order", LIMIT, order_userref=9)
    req_id = socket.request(
        "cancel_order", order_id=[by_id, "OAAAAA-BBBBB-CCCCCC"], cl_ord_id=["mine", "gone"], order_userref=[9]
    )
    answers = [socket.wait_for(lambda one: one.get("req_id") == req_id) for _ in range(5)]
    assert [answer["success"] for answer in answers] == [True, False, True, False, True]
    assert [answer.get("result") for answer in answers if answer["success"]] == [
        {"order_id": by_id},
        {"cl_ord_id": "mine"},
        {"order_userref": 9},
    ]
    assert [answer["error"] for answer in answers if not answer["success"]] == [
        "EOrder:Invalid order",
        "EOrder:Unknown order",
    ]
    assert kraken.ok("OpenOrders")["open"] == {}


def test_cancel_all_counts(socket: SocketClient) -> None:
    for _ in range(3):
        socket.ok("add_order", LIMIT)
    assert socket.ok("cancel_all") == {"count": 3}
    assert socket.ok("cancel_all") == {"count": 0}


def test_a_batch_gives_one_result_for_each_order(kraken: KrakenClient, socket: SocketClient) -> None:
    one = {name: value for name, value in LIMIT.items() if name != "symbol"}
    result = socket.ok(
        "batch_add",
        symbol="BTC/USD",
        orders=[{**one, "cl_ord_id": "b1"}, {**one, "cl_ord_id": "b2", "limit_price": 1000000, "order_qty": 5}],
    )
    assert result[0]["order_id"] in kraken.ok("OpenOrders")["open"] and result[0]["cl_ord_id"] == "b1"
    assert result[1] == {"cl_ord_id": "b2", "success": False, "error": "EOrder:Insufficient funds"}


@pytest.mark.parametrize("count", [0, 1, 16])
def test_a_batch_has_two_to_fifteen_orders(socket: SocketClient, count: int) -> None:
    one = {name: value for name, value in LIMIT.items() if name != "symbol"}
    assert socket.refused("batch_add", symbol="BTC/USD", orders=[one] * count) == "EGeneral:Invalid arguments:orders"


def test_an_unreadable_order_refuses_its_whole_batch(kraken: KrakenClient, socket: SocketClient) -> None:
    one = {name: value for name, value in LIMIT.items() if name != "symbol"}
    wrong = {**one, "side": "hold"}
    assert socket.refused("batch_add", symbol="BTC/USD", orders=[one, wrong]) == "EGeneral:Invalid arguments:type"
    assert kraken.ok("OpenOrders")["open"] == {}


def test_a_batch_of_cancels_counts_what_was_open(socket: SocketClient) -> None:
    ids = [socket.ok("add_order", LIMIT)["order_id"] for _ in range(2)]
    answer = socket.ask("batch_cancel", orders=[*ids, "OAAAAA-BBBBB-CCCCCC"])
    assert answer["result"] == {"count": 2} and answer["orders_cancelled"] == 2


def test_orders_need_the_permission_to_make_them(
    exchange: ExchangeProcess, open_kraken: Callable[..., KrakenClient]
) -> None:
    reader = open_kraken({"USD": "10000"}, permissions=["create-ws-token", "close-trades"])
    with private_socket(exchange.addresses, reader) as socket:
        assert socket.refused("add_order", LIMIT) == "EGeneral:Permission denied"
        assert socket.ok("cancel_all") == {"count": 0}
        assert socket.refused("subscribe", channel="executions") == "EGeneral:Permission denied"


def test_a_key_that_was_replaced_opens_nothing_any_more(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    exchange.control("POST", f"/accounts/kraken/{kraken.account.name}/key")
    assert socket.refused("add_order", LIMIT) == "ESession:Invalid session"


def test_the_trading_counter_is_the_one_of_rest(
    exchange: ExchangeProcess, open_kraken: Callable[..., KrakenClient]
) -> None:
    strict = open_kraken({"USD": "100000"}, strict=True, tier="starter")
    rest = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "20000", "volume": "0.0001"}
    with private_socket(exchange.addresses, strict) as socket:
        for _ in range(30):
            strict.ok("AddOrder", rest)
        errors = [socket.ask("add_order", {**LIMIT, "order_qty": 0.0001}).get("error") for _ in range(40)]
    assert errors[:25] == [None] * 25 and errors[-1] == "EOrder:Rate limit exceeded"


def test_trading_is_not_for_the_public_socket(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    token = kraken.ok("GetWebSocketsToken")["token"]
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/v2", token) as public:
        text = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
        assert public.refused("add_order", LIMIT) == text
        assert public.refused("subscribe", channel="executions") == text
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/auth/v2", token) as private:
        assert private.ok("add_order", LIMIT)["order_id"]


def test_an_order_is_judged_by_the_write_ahead_check(tmp_path: Any) -> None:
    with ExchangeProcess(seed=3, options=["--write-ahead-database", str(tmp_path / "bot.db")]) as exchange:
        account = exchange.open_account("kraken", "writer", {"USD": "10000"})
        with private_socket(exchange.addresses, KrakenClient(exchange.rest_url("kraken"), account)) as socket:
            socket.ok("add_order", LIMIT, cl_ord_id="unwritten")
        (line,) = exchange.journal(type="write_ahead")
    assert (line["verdict"], line["client_order_id"]) == ("missing", "unwritten")
    assert line["endpoint"] == "ws/add_order" and line["payload_sha256"]


def test_answers_survive_a_kill(tmp_path: Any) -> None:
    with ExchangeProcess(seed=3, state=tmp_path / "state") as exchange:
        account = exchange.open_account("kraken", "keeper", {"USD": "10000"})
        kraken = KrakenClient(exchange.rest_url("kraken"), account)
        with private_socket(exchange.addresses, kraken) as socket:
            order_id = socket.ok("add_order", LIMIT, cl_ord_id="kept")["order_id"]
            exchange.kill()
        exchange.start()
        kraken = KrakenClient(exchange.rest_url("kraken"), account)
        wait_until(lambda: order_id in kraken.ok("OpenOrders")["open"], what="the order after the restart")


def test_an_amended_order_stays_the_same_one(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    socket.ok("subscribe", channel="executions")
    order_id = socket.ok("add_order", LIMIT, cl_ord_id="same-one")["order_id"]
    result = socket.ok("amend_order", order_id=order_id, order_qty=0.02, limit_price=21000)
    assert result["order_id"] == order_id and result["amend_id"].startswith("T")
    item = socket.event("amended")
    assert (item["order_id"], item["order_qty"], item["limit_price"]) == (order_id, Decimal("0.02"), 21000)
    assert item["amended"] is True and item["reason"] == "User requested"
    assert socket.ok("amend_order", cl_ord_id="same-one", limit_price=22000)["cl_ord_id"] == "same-one"
    shown = kraken.ok("OpenOrders")["open"][order_id]
    assert (shown["vol"], shown["descr"]["price"], shown["cl_ord_id"]) == ("0.02000000", "22000.0", "same-one")
    assert len(kraken.ok("OrderAmends", order_id=order_id)["amends"]) == 3


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "EGeneral:Invalid arguments:order_id"),
        ({"order_id": "OAAAAA-BBBBB-CCCCCC", "order_qty": 1}, "EOrder:Invalid order"),
        ({"cl_ord_id": "gone", "order_qty": 1}, "EOrder:Unknown order"),
        ({"cl_ord_id": "gone", "order_qty": "1"}, "Order_qty field must be a number_float"),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused(socket: SocketClient, params: dict[str, Any], error: str) -> None:
    assert socket.refused("amend_order", params) == error


def test_an_edited_order_is_another_one(kraken: KrakenClient, socket: SocketClient) -> None:
    order_id = socket.ok("add_order", LIMIT)["order_id"]
    result = socket.ok("edit_order", order_id=order_id, symbol="BTC/USD", limit_price=19000)
    assert result["original_order_id"] == order_id
    shown = kraken.ok("OpenOrders")["open"]
    assert list(shown) == [result["order_id"]] != [order_id]
    assert shown[result["order_id"]]["descr"]["price"] == "19000.0"


def test_a_dead_mans_switch_cancels_everything(kraken: KrakenClient, socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions")
    socket.ok("add_order", LIMIT)
    armed = socket.ok("cancel_all_orders_after", timeout=1)
    assert armed["triggerTime"] > armed["currentTime"]
    socket.event("canceled")
    assert kraken.ok("OpenOrders")["open"] == {}
    assert socket.ok("cancel_all_orders_after", timeout=0)
