"""Coinbase's user endpoint: who is let in, what is shown and told of orders, and what faults do to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from coinbase import jwt_generator
from websockets.exceptions import InvalidStatus

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.coinbase_caller import CoinbaseCaller
from tests.paper_exchange.coinbase_socket import CoinbaseSocket

BALANCES = {"USD": "1000000", "BTC": "10"}
REFUSED = "authentication failure"


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=17) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[CoinbaseCaller]:
    exchange.clear_faults()
    exchange.set_price("BTC/USD", "50000")
    name = f"w{zlib.crc32(request.node.name.encode())}"
    with CoinbaseCaller(exchange, exchange.open_account("coinbase", name, BALANCES)) as opened:
        yield opened


@pytest.fixture
def stream(exchange: ExchangeProcess, caller: CoinbaseCaller) -> Iterator[CoinbaseSocket]:
    """Subscribed to the caller's orders, which were shown."""
    with CoinbaseSocket(exchange) as client:
        client.subscribe("user", caller.account)
        assert client.of("user")["orders"] == []
        assert list(client.of("subscriptions")["subscriptions"]) == ["user"]
        yield client


def rest_order(caller: CoinbaseCaller, name: str, price: str = "40000", **more: str) -> str:
    return caller.placed(name, "limit_limit_gtc", base_size="0.01", limit_price=price, **more)


def test_an_order_is_told_when_it_is_open_and_when_it_is_filled(stream: CoinbaseSocket, caller: CoinbaseCaller) -> None:
    order_id = caller.placed("f1", "market_market_ioc", base_size="0.02")
    opened, filled = stream.order("OPEN"), stream.order("FILLED")
    shown = caller.shown(order_id)
    assert (opened["order_id"], opened["client_order_id"], opened["cumulative_quantity"]) == (order_id, "f1", "0")
    assert Decimal(opened["leaves_quantity"]) == Decimal("0.02") and Decimal(filled["leaves_quantity"]) == 0
    assert (filled["order_side"], filled["product_id"], filled["order_type"]) == ("BUY", "BTC-USD", "Market")
    for told, listed in {
        "cumulative_quantity": "filled_size",
        "avg_price": "average_filled_price",
        "total_fees": "total_fees",
        "filled_value": "filled_value",
        "number_of_fills": "number_of_fills",
        "creation_time": "created_time",
        "total_value_after_fees": "total_value_after_fees",
    }.items():
        assert filled[told] == shown[listed], told
    assert "trade_id" not in filled, "single fills are not told here"


def test_what_is_filled_adds_up_and_never_falls(stream: CoinbaseSocket, caller: CoinbaseCaller) -> None:
    caller.placed("f2", "market_market_ioc", base_size="3")
    told = [stream.of("user")["orders"][0]]
    while told[-1]["status"] == "OPEN":
        told.append(stream.of("user")["orders"][0])
    filled = [Decimal(one["cumulative_quantity"]) for one in told]
    assert len(told) > 2 and filled == sorted(filled) and filled[-1] == 3
    assert [int(one["number_of_fills"]) for one in told] == list(range(len(told)))


def test_a_cancel_is_told(stream: CoinbaseSocket, caller: CoinbaseCaller) -> None:
    order_id = rest_order(caller, "c1")
    caller.post("orders/batch_cancel", {"order_ids": [order_id]})
    told = stream.order("CANCELLED")
    assert (told["order_id"], told["cancel_reason"], told["limit_price"]) == (
        order_id,
        "User requested cancel",
        "40000",
    )
    assert (told["time_in_force"], told["post_only"]) == ("GOOD_UNTIL_CANCELLED", "false")


def test_open_orders_are_shown_fifty_at_a_time(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    placed = [rest_order(caller, f"s{number}", str(40000 - number)) for number in range(53)]
    with CoinbaseSocket(exchange) as client:
        client.subscribe("user", caller.account)
        first, second = client.of("user"), client.of("user")
        assert (first["type"], len(first["orders"]), len(second["orders"])) == ("snapshot", 50, 3)
        assert [order["order_id"] for order in first["orders"] + second["orders"]] == placed
    caller.post("orders/batch_cancel", {"order_ids": placed[:3]})
    with CoinbaseSocket(exchange) as client:
        client.subscribe("user", caller.account)
        assert [len(client.of("user")["orders"]) for _ in range(2)] == [50, 0], "one with fewer than fifty is the last"


def test_messages_of_all_channels_are_numbered_without_a_gap(stream: CoinbaseSocket, caller: CoinbaseCaller) -> None:
    stream.subscribe("heartbeats")
    first = stream.of("heartbeats")
    rest_order(caller, "n1")
    stream.order("OPEN")
    assert stream.of("heartbeats")["heartbeat_counter"] == first["heartbeat_counter"] + 1
    assert stream.numbers == list(range(len(stream.numbers)))


def test_only_the_products_that_were_named_are_told(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    exchange.set_price("ETH/USD", "2000")
    rest_order(caller, "p0")
    with CoinbaseSocket(exchange) as client:
        client.subscribe("user", caller.account, product_ids=["ETH-USD"])
        assert client.of("user")["orders"] == []
        rest_order(caller, "p1")
        rest_order(caller, "p2", "1000", product="ETH-USD")
        assert client.order("OPEN")["client_order_id"] == "p2"
        client.subscribe("user", caller.account, product_ids=["BTC-USD"])
        assert len(client.of("user")["orders"]) == 3, "naming more adds them"


def test_nobody_is_told_of_another_accounts_orders(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess
) -> None:
    with CoinbaseCaller(exchange, exchange.open_account("coinbase", "neighbour", BALANCES)) as other:
        rest_order(other, "theirs")
    rest_order(caller, "mine")
    assert stream.order("OPEN")["client_order_id"] == "mine"


def test_who_ends_a_subscription_is_told_nothing_more(stream: CoinbaseSocket, caller: CoinbaseCaller) -> None:
    stream.subscribe("user", caller.account, type="unsubscribe")
    assert stream.of("subscriptions")["subscriptions"] == {}
    rest_order(caller, "u1")
    with pytest.raises(TimeoutError):
        stream.receive(0.3)


@pytest.mark.parametrize("case", ["none", "garbage", "unknown key", "another's secret", "a request's", "no view"])
def test_without_a_right_token_nothing_is_shown(exchange: ExchangeProcess, caller: CoinbaseCaller, case: str) -> None:
    account = caller.account
    other = exchange.open_account("coinbase", f"o{zlib.crc32(case.encode())}", BALANCES, permissions=["trade"])
    tokens = {
        "none": None,
        "garbage": "not.a.token",
        "unknown key": jwt_generator.build_ws_jwt(account.api_key + "x", account.api_secret),
        "another's secret": jwt_generator.build_ws_jwt(account.api_key, other.api_secret),
        "a request's": jwt_generator.build_rest_jwt("GET 127.0.0.1/x", account.api_key, account.api_secret),
        "no view": jwt_generator.build_ws_jwt(other.api_key, other.api_secret),
    }
    with CoinbaseSocket(exchange) as client:
        client.subscribe("user", jwt=tokens[case])
        assert client.error() == REFUSED
        rest_order(caller, "hidden")
        with pytest.raises(TimeoutError):
            client.receive(0.3)


def test_heartbeats_need_no_token_but_a_wrong_one_is_refused(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    with CoinbaseSocket(exchange) as client:
        client.subscribe("heartbeats", replace(caller.account, api_key="organizations/x/apiKeys/y"))
        assert client.error() == REFUSED
        client.subscribe("heartbeats")
        assert client.of("subscriptions")["subscriptions"] == {"heartbeats": ["heartbeats"]}
        assert "UTC" in client.of("heartbeats")["current_time"]


def test_who_subscribes_to_nothing_within_five_seconds_is_closed(
    exchange: ExchangeProcess, caller: CoinbaseCaller
) -> None:
    with CoinbaseSocket(exchange) as quiet, CoinbaseSocket(exchange) as refused, CoinbaseSocket(exchange) as welcome:
        refused.subscribe("user")
        welcome.subscribe("user", caller.account)
        assert quiet.ended() == refused.ended() == 1008
        rest_order(caller, "t1")
        assert welcome.order("OPEN")["client_order_id"] == "t1"


@pytest.mark.parametrize(
    "message",
    ["no json", "[]", {}, {"type": "subscribe"}, {"type": "subscribe", "channel": "ticker"}]
    + [{"type": "subscribe", "channel": "heartbeats", "product_ids": "BTC-USD"}, {"type": 1, "channel": "user"}],
)
def test_what_makes_no_sense_is_answered_with_an_error(exchange: ExchangeProcess, message: object) -> None:
    with CoinbaseSocket(exchange) as client:
        client.send(message)
        assert client.error()
        client.subscribe("heartbeats")
        assert client.of("subscriptions")


def test_there_is_one_path(exchange: ExchangeProcess) -> None:
    with pytest.raises(InvalidStatus):
        CoinbaseSocket(exchange, "/elsewhere")


def test_a_key_that_was_replaced_ends_the_connection(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess
) -> None:
    exchange.control("POST", f"/accounts/coinbase/{caller.account.name}/key")
    assert stream.ended() == 1008


# -- faults ---------------------------------------------------------------------------------------------------------
def fault(exchange: ExchangeProcess, caller: CoinbaseCaller, action: str, endpoint: str = "ws/user") -> None:
    exchange.fault(action, account=caller.account.name, endpoint=endpoint)


def test_a_lost_message_uses_up_its_number(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess
) -> None:
    fault(exchange, caller, "gap")
    rest_order(caller, "g1")
    rest_order(caller, "g2")
    assert stream.order("OPEN")["client_order_id"] == "g2"
    assert stream.numbers == [0, 1, 3]


def test_a_message_may_come_twice_or_late(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess
) -> None:
    fault(exchange, caller, "duplicate")
    rest_order(caller, "d1")
    stream.order("OPEN")
    stream.order("OPEN")
    fault(exchange, caller, "reorder")
    rest_order(caller, "d2")
    rest_order(caller, "d3")
    assert [stream.order("OPEN")["client_order_id"] for _ in range(2)] == ["d3", "d2"]
    assert stream.numbers == [0, 1, 2, 2, 4, 3]


def test_heartbeats_may_stop(stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess) -> None:
    stream.subscribe("heartbeats")
    stream.of("heartbeats")
    fault(exchange, caller, "silence 600", "ws/heartbeat")
    with pytest.raises(TimeoutError):
        while True:
            stream.receive(3.0)
    rest_order(caller, "q1")
    with pytest.raises(TimeoutError):
        stream.receive(0.5)


@pytest.mark.parametrize(("endpoint", "code"), [("ws/user", 1012), ("ws/subscribe", 1006)])
def test_a_connection_may_end_at_any_moment(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess, endpoint: str, code: int
) -> None:
    exchange.fault({"kind": "close", "code": code}, account=caller.account.name, endpoint=endpoint)
    if endpoint == "ws/subscribe":
        stream.subscribe("user", caller.account)
    rest_order(caller, "e1")
    assert stream.ended() == code


def test_tokens_and_keys_are_in_no_journal(
    stream: CoinbaseSocket, caller: CoinbaseCaller, exchange: ExchangeProcess
) -> None:
    [asked] = exchange.journal(endpoint="ws/subscribe", account=caller.account.name)
    assert asked["type"] == "request" and "jwt" not in str(asked)
