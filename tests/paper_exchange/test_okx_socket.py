"""OKX's private socket: login, orders and money as they change, orders sent over it, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import cast

import pytest
from websockets.exceptions import InvalidStatus

from paper_exchange.clock import steady_seconds
from paper_exchange.latency import Latency
from paper_exchange.okx.front import OkxFront
from paper_exchange.okx.ws.hub import PORT, OkxHub
from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.delay_line import DelayLine
from paper_exchange.wiring import open_exchange
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller
from tests.paper_exchange.okx_socket import OkxSocket
from tests.paper_exchange.test_kraken_ws_connections import HANDSHAKE, Wire

BALANCES = {"USDT": "100000", "BTC": "10"}
LOW = "41000"
ORDERS = {"channel": "orders", "instType": "SPOT"}
LIMIT = {"instId": INSTRUMENT, "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.1", "px": LOW}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=19) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[OkxCaller]:
    exchange.clear_faults()
    exchange.set_price("BTC/USDT", "50000")
    with OkxCaller(exchange, exchange.open_account("okx", request.node.name[:60], BALANCES)) as opened:
        yield opened


@pytest.fixture
def socket(exchange: ExchangeProcess, caller: OkxCaller) -> Iterator[OkxSocket]:
    """Logged in and subscribed to orders."""
    with OkxSocket(exchange, caller.account) as opened:
        assert opened.login()["event"] == "login"
        assert opened.subscribe(**ORDERS)["arg"] == ORDERS
        yield opened


def test_a_ping_is_answered_and_says_nothing_to_the_journal(exchange: ExchangeProcess, socket: OkxSocket) -> None:
    seq = exchange.last_seq()
    socket.send_text("ping")
    assert socket.wait_for(lambda one: "text" in one) == {"text": "pong"}
    assert exchange.journal(seq, endpoint="ws/ping") == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"apiKey": "none"}, "60005"),
        ({"passphrase": "none"}, "60024"),
        ({"sign": "bm9uZQ=="}, "60007"),
        ({"timestamp": "now"}, "60004"),
    ],
)
def test_a_wrong_login_is_told_why(
    exchange: ExchangeProcess, caller: OkxCaller, changed: dict[str, str], code: str
) -> None:
    with OkxSocket(exchange, caller.account) as stranger:
        answer = stranger.login(**changed)
        assert (answer["event"], answer["code"]) == ("error", code)
        assert stranger.subscribe(**ORDERS)["code"] == "60011"
    refused = exchange.journal(type="refuse", endpoint="ws/login")
    assert refused[-1]["error"].startswith(code)


def test_a_login_with_a_clock_half_a_minute_wrong_is_refused(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    with OkxSocket(exchange, caller.account) as late:
        assert late.login(ahead_seconds=-40)["code"] == "60006"


def test_only_the_private_path_and_known_channels_exist(exchange: ExchangeProcess, socket: OkxSocket) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        OkxSocket(exchange, socket.account, path="/ws/v5/nothing")
    assert socket.subscribe(channel="weather")["code"] == "60018"
    assert socket.subscribe(channel="orders", instType="HOUSES")["code"] == "60018"
    for text in ("no json", '{"op":"dance"}', '{"op":"subscribe"}', "[1]", '{"op":7}', '{"op":[]}', '{"op":{}}'):
        socket.send_text(text)
        assert socket.wait_for(lambda one: one.get("event") == "error")["code"] == "60012"


def test_orders_that_are_none_are_refused_and_the_connection_stays(socket: OkxSocket) -> None:
    for arguments in ([], [5], "x", [{}], [{"instId": []}]):
        socket.send({"id": "odd", "op": "order", "args": arguments})
        assert socket.wait_for(lambda one: one.get("id") == "odd")["code"] in ("50014", "51000", "50002")
    assert socket.ask("batch-orders")["code"] == "50000"
    socket.send_text("ping")
    assert socket.wait_for(lambda one: "text" in one)


def test_an_order_is_told_as_it_lives_fills_and_ends(caller: OkxCaller, socket: OkxSocket) -> None:
    order_id = caller.placed("life1", "limit", sz="0.1", px=LOW)
    live = socket.push()
    assert (live["ordId"], live["clOrdId"], live["state"], live["fillSz"], live["tradeId"]) == (
        order_id, "life1", "live", "0", "",
    )  # fmt: skip
    caller.post("trade/amend-order", {"instId": INSTRUMENT, "ordId": order_id, "newPx": "41500"})
    amended = socket.push()
    assert (amended["px"], amended["amendResult"], amended["state"]) == ("41500", "0", "live")
    caller.cancel(ordId=order_id)
    ended = socket.push()
    assert (ended["state"], ended["cancelSource"]) == ("canceled", "1")


def test_every_fill_is_told_with_its_fee_once(exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket) -> None:
    order_id = caller.placed("fill1", "market", sz="1.5", tgtCcy="base_ccy")
    assert socket.push()["state"] == "live"
    rows = [socket.push()]
    while rows[-1]["state"] != "filled":
        rows.append(socket.push())
    fills = {line["trade_id"]: line for line in exchange.journal(type="fill", order_id=order_id)}
    assert len(rows) == len(fills) > 1 and {row["tradeId"] for row in rows} == set(fills)
    assert {row["state"] for row in rows[:-1]} == {"partially_filled"}
    assert sum(Decimal(row["fillSz"]) for row in rows) == Decimal("1.5") == Decimal(rows[-1]["accFillSz"])
    for row in rows:
        assert (-Decimal(row["fillFee"]), row["fillFeeCcy"]) == (Decimal(fills[row["tradeId"]]["fee"]), "BTC")
        assert row["execType"] == "T"


def test_what_the_market_does_later_is_told_too(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    caller.placed("maker1", "limit", sz="0.1", px=LOW)
    exchange.set_price("BTC/USDT", "40900")
    filled = socket.order("filled")
    assert (filled["clOrdId"], filled["execType"], filled["fillPx"]) == ("maker1", "M", LOW)


def test_a_stop_is_told_of_only_when_it_has_become_an_order(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    stop = {"instId": INSTRUMENT, "tdMode": "cash", "side": "sell", "ordType": "conditional", "sz": "0.01"}
    caller.post("trade/order-algo", {**stop, "slTriggerPx": "45000", "slOrdPx": "-1", "algoClOrdId": "told1"})
    exchange.set_price("BTC/USDT", "44900")
    filled = socket.order("filled")
    assert (filled["algoClOrdId"], filled["clOrdId"], filled["source"]) == ("told1", "", "7")


def test_nobody_is_told_of_another_accounts_orders_nor_of_another_instruments(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    with (
        OkxSocket(exchange, exchange.open_account("okx", "eavesdropper", BALANCES)) as other,
        OkxSocket(exchange, caller.account) as ethereum,
    ):
        assert other.login()["code"] == "0" and other.subscribe(**ORDERS)["event"] == "subscribe"
        assert ethereum.login()["code"] == "0" and ethereum.subscribe(**ORDERS, instId="ETH-USDT")["arg"]
        caller.placed("mine1", "limit", sz="0.1", px=LOW)
        assert socket.push()["clOrdId"] == "mine1"
        for silent in (other, ethereum):
            silent.send_text("ping")
            silent.wait_for(lambda one: "text" in one)
            assert [one for one in silent.messages if "data" in one] == []


def test_money_is_told_at_first_and_when_it_moves(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    with OkxSocket(exchange, caller.account) as socket:
        socket.login()
        socket.subscribe(channel="account")
        first = socket.push("account")
        assert {row["ccy"]: row["cashBal"] for row in first["details"]} == {"BTC": "10", "USDT": "100000"}
        caller.placed("money1", "limit", sz="0.1", px=LOW)
        held = {row["ccy"]: row["frozenBal"] for row in socket.push("account")["details"]}
        assert held["USDT"] == "4100"
        exchange.control("POST", f"/accounts/okx/{caller.account.name}/deposit", {"asset": "USDT", "amount": "7"})
        caller.post("asset/transfer", {"ccy": "USDT", "amt": "7", "from": "6", "to": "18"})
        socket.wait_for(
            lambda one: "data" in one and any(row["cashBal"] == "100007" for row in one["data"][0]["details"])
        )


def test_what_is_unsubscribed_is_not_told_any_more(caller: OkxCaller, socket: OkxSocket) -> None:
    socket.send({"op": "unsubscribe", "args": [ORDERS]})
    assert socket.wait_for(lambda one: one.get("event") == "unsubscribe")["arg"] == ORDERS
    caller.placed("quiet1", "limit", sz="0.1", px=LOW)
    socket.send_text("ping")
    socket.wait_for(lambda one: "text" in one)
    assert [one for one in socket.messages if "data" in one] == []


def test_orders_can_be_sent_changed_and_cancelled_over_the_socket(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    placed = socket.ask("order", {**LIMIT, "clOrdId": "sock1"})
    assert (placed["op"], placed["code"], placed["data"][0]["sCode"]) == ("order", "0", "0")
    assert socket.ask("order", {**LIMIT, "clOrdId": "sock1"})["data"][0]["sCode"] == "51016"
    batch = socket.ask("batch-orders", {**LIMIT, "clOrdId": "sock2"}, {**LIMIT, "sz": "x"})
    assert (batch["code"], [row["sCode"] for row in batch["data"]]) == ("2", ["0", "51000"])
    late = socket.ask("order", {**LIMIT, "clOrdId": "sock3"}, expTime=caller.in_milliseconds(-1))
    assert late["code"] == "50036"
    change = {"instId": INSTRUMENT, "clOrdId": "sock1", "newSz": "0.2"}
    assert socket.ask("amend-order", change)["code"] == "0"
    assert socket.ask("cancel-order", {"instId": INSTRUMENT, "clOrdId": "sock1"})["code"] == "0"
    assert caller.shown(clOrdId="sock1")["state"] == "canceled" and caller.shown(clOrdId="sock1")["sz"] == "0.2"
    accepted = exchange.journal(type="accept", account=caller.account.name)
    assert [(line["client_order_id"], line["endpoint"]) for line in accepted] == [
        ("sock1", "ws/order"), ("sock2", "ws/batch-orders"),
    ]  # fmt: skip


def test_a_key_that_may_only_read_listens_but_can_not_trade(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "socket-reader", BALANCES, permissions=["read_only"])
    with OkxSocket(exchange, account) as reader:
        assert reader.login()["code"] == "0" and reader.subscribe(**ORDERS)["event"] == "subscribe"
        assert reader.ask("order", {**LIMIT, "clOrdId": "r1"})["code"] == "50120"


def test_a_key_that_was_replaced_is_good_for_nothing_any_more(exchange: ExchangeProcess, socket: OkxSocket) -> None:
    exchange.control("POST", f"/accounts/okx/{socket.account.name}/key", {})
    assert socket.subscribe(channel="account")["code"] == "60011"


def test_a_message_can_be_lost_told_twice_or_late(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    def ids(count: int) -> list[str]:
        return [socket.push()["clOrdId"] for _ in range(count)]

    name = caller.account.name
    exchange.fault("gap", account=name, endpoint="ws/orders")
    caller.placed("f1", "limit", sz="0.1", px=LOW)
    exchange.fault("duplicate", account=name, endpoint="ws/orders")
    caller.placed("f2", "limit", sz="0.1", px=LOW)
    assert ids(2) == ["f2", "f2"]
    exchange.fault("reorder", account=name, endpoint="ws/orders")
    caller.placed("f3", "limit", sz="0.1", px=LOW)
    caller.placed("f4", "limit", sz="0.1", px=LOW)
    assert ids(2) == ["f4", "f3"]


def test_a_service_upgrade_is_announced_and_ends_the_connection(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    exchange.fault({"close": 1012}, account=caller.account.name, endpoint="ws/orders")
    caller.placed("broken1", "limit", sz="0.1", px=LOW)
    notice = socket.wait_for(lambda one: one.get("event") == "notice")
    assert notice["code"] == "64008" and socket.ended() == 1012
    assert caller.shown(clOrdId="broken1")["state"] == "live"


def test_a_connection_can_break_without_a_word(exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket) -> None:
    exchange.fault("close", account=caller.account.name, endpoint="ws/orders")
    caller.placed("broken2", "limit", sz="0.1", px=LOW)
    assert socket.ended() == 1006 and [one for one in socket.messages if one.get("event") == "notice"] == []


def test_an_order_whose_answer_is_lost_on_the_socket_is_there(
    exchange: ExchangeProcess, caller: OkxCaller, socket: OkxSocket
) -> None:
    name = caller.account.name
    exchange.fault("drop_response", account=name, endpoint="ws/order")
    socket.send({"id": "lost", "op": "order", "args": [{**LIMIT, "clOrdId": "lost1"}]})
    assert socket.push()["clOrdId"] == "lost1"
    exchange.fault("drop_request", account=name, endpoint="ws/order")
    socket.send({"id": "gone", "op": "order", "args": [{**LIMIT, "clOrdId": "gone1"}]})
    exchange.fault({"api_error": "50026: busy"}, account=name, endpoint="ws/subscribe")
    assert socket.subscribe(channel="account")["code"] == "50026"
    assert [one for one in socket.messages if one.get("id")] == []
    assert caller.get("trade/order", instId=INSTRUMENT, clOrdId="gone1").code == "51603"


def test_a_connection_can_be_refused(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    exchange.fault({"5xx": 503}, brokerage="okx", endpoint="ws/connect")
    with pytest.raises(InvalidStatus, match="503"):
        OkxSocket(exchange, caller.account)
    with OkxSocket(exchange, caller.account) as opened:
        assert opened.login()["code"] == "0"


def test_half_a_minute_in_which_nothing_is_said_ends_a_connection() -> None:
    exchange = open_exchange(None, seed=1, csv=None).exchange
    hub = OkxHub(exchange, OkxFront(exchange))
    connection, wire = Connection(hub, PORT, DelayLine(Latency())), Wire()
    connection.connection_made(cast(asyncio.Transport, wire))
    connection.data_received(HANDSHAKE.replace(b"/v2", b"/ws/v5/private"))
    hub.beat(steady_seconds() + 29)
    assert not wire.closed
    hub.beat(steady_seconds() + 31)
    assert wire.closed and wire.written.endswith(b"\x88\x02\x0f\xa4"), "code 4004"
