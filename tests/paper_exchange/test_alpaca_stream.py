"""Alpaca's stream of trade updates: who is told what, in which order, and what faults do to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.alpaca_caller import AlpacaCaller

SECONDS = 20.0


class StreamClient:
    """A bare client: what it receives, in order."""

    def __init__(self, exchange: ExchangeProcess, path: str = "/stream") -> None:
        url = exchange.addresses["alpaca"]["ws_auth"] + path
        self._socket = connect(url, open_timeout=SECONDS, close_timeout=0.2)

    def ask(self, action: str, data: Any) -> Any:
        self._socket.send(json.dumps({"action": action, "data": data}))
        return self.receive()

    def receive(self, seconds: float = SECONDS) -> Any:
        message = self._socket.recv(timeout=seconds)
        assert isinstance(message, bytes), "messages come as binary frames"
        return json.loads(message)

    def login(self, account: PaperAccount, secret: str | None = None) -> str:
        data = {"key_id": account.api_key, "secret_key": secret or account.api_secret}
        answer = self.ask("authenticate", data)
        assert answer["stream"] == "authorization" and answer["data"]["action"] == "authenticate"
        status: str = answer["data"]["status"]
        return status

    def listen(self, *streams: str) -> Any:
        return self.ask("listen", {"streams": list(streams)})

    def update(self) -> Any:
        message = self.receive()
        assert message["stream"] == "trade_updates"
        return message["data"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13, options=["--alpaca-session", "always-open"]) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[AlpacaCaller]:
    exchange.clear_faults()
    exchange.set_price("AAPL/USD", "200")
    account = exchange.open_account("alpaca", request.node.name[:60], {"USD": "100000", "AAPL": "50"})
    with AlpacaCaller(exchange, account) as opened:
        yield opened


@pytest.fixture
def stream(exchange: ExchangeProcess, caller: AlpacaCaller) -> Iterator[StreamClient]:
    """Listens to the caller's account."""
    with StreamClient(exchange) as client:
        assert client.login(caller.account) == "authorized"
        assert client.listen("trade_updates") == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        yield client


def test_a_fill_is_told_after_the_order_is_new(stream: StreamClient, caller: AlpacaCaller) -> None:
    order = caller.placed("s1", qty="2")
    new, fill = stream.update(), stream.update()
    assert (new["event"], new["order"]["status"], new["order"]["client_order_id"]) == ("new", "new", "s1")
    assert fill["event"] == "fill" and fill["order"] == {**order, "expires_at": fill["order"]["expires_at"]}
    assert (fill["qty"], fill["position_qty"], Decimal(fill["price"])) == (
        "2",
        "52",
        Decimal(order["filled_avg_price"]),
    )
    [activity] = caller.get("account/activities/FILL")
    assert activity["id"].endswith(fill["execution_id"]) and fill["timestamp"] == activity["transaction_time"]


def test_parts_of_a_fill_are_told_one_by_one(stream: StreamClient, caller: AlpacaCaller) -> None:
    order = caller.placed("s2", notional="90000")
    events = [stream.update()]
    while events[-1]["event"] != "fill":
        events.append(stream.update())
    assert [event["event"] for event in events] == ["new", *["partial_fill"] * (len(events) - 2), "fill"]
    parts = events[1:]
    assert len(parts) > 1 and sum(Decimal(event["qty"]) for event in parts) == Decimal(order["filled_qty"])
    done = [Decimal(event["order"]["filled_qty"]) for event in parts]
    assert done == sorted(done) and done[-1] == Decimal(order["filled_qty"])


def test_cancels_replacements_and_expiries_have_names(
    stream: StreamClient, caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    first = caller.placed(type="limit", qty="1", limit_price="150")
    second = caller.call("PATCH", f"orders/{first['id']}", {"limit_price": "151"}).body
    caller.call("DELETE", f"orders/{second['id']}")
    events = [stream.update() for _ in range(4)]
    assert [event["event"] for event in events] == ["new", "replaced", "new", "canceled"]
    assert events[1]["order"]["replaced_by"] == second["id"] == events[2]["order"]["id"]
    caller.placed(type="limit", qty="1", limit_price="150")
    exchange.control("POST", "/session", {"mode": "closed"})
    assert [stream.update()["event"] for _ in range(2)] == ["new", "expired"]
    caller.placed(qty="1")
    assert stream.update()["event"] == "accepted"
    exchange.control("POST", "/session", {"mode": "always_open"})
    assert [stream.update()["event"] for _ in range(2)] == ["new", "fill"]


def test_nobody_is_told_of_another_accounts_orders(
    stream: StreamClient, caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "neighbour")) as other:
        other.placed("theirs", qty="1")
    caller.placed("mine", qty="1")
    assert stream.update()["order"]["client_order_id"] == "mine"


def test_without_the_right_key_nothing_is_told(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    with StreamClient(exchange) as client:
        assert client.listen("trade_updates")["data"]["status"] == "unauthorized"
        assert client.login(caller.account, secret="wrong") == "unauthorized"
        assert client.listen("trade_updates")["stream"] == "authorization"
        caller.placed(qty="1")
        with pytest.raises(TimeoutError):
            client.receive(0.3)
        assert client.ask("dance", {})["stream"] == "error"
    with pytest.raises(InvalidStatus):
        StreamClient(exchange, "/elsewhere")


def test_who_listens_to_nothing_is_told_nothing(stream: StreamClient, caller: AlpacaCaller) -> None:
    assert stream.listen()["data"]["streams"] == []
    caller.placed(qty="1")
    with pytest.raises(TimeoutError):
        stream.receive(0.3)
    assert stream.listen("trade_updates")["data"]["streams"] == ["trade_updates"]
    caller.placed("later", qty="1")
    assert stream.update()["order"]["client_order_id"] == "later"


def test_a_replaced_key_ends_the_connection(
    stream: StreamClient, caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/key")
    with pytest.raises(ConnectionClosed):
        stream.receive()


def test_updates_can_be_lost_doubled_and_swapped(
    stream: StreamClient, caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    match = {"brokerage": "alpaca", "account": caller.account.name, "endpoint": "ws/trade_updates"}
    exchange.fault("gap", **match)
    caller.placed("gap", qty="1")
    assert stream.update()["event"] == "fill"
    exchange.fault("duplicate", **match)
    caller.placed("double", qty="1")
    assert [stream.update()["event"] for _ in range(3)] == ["new", "new", "fill"]
    exchange.fault("reorder", **match)
    caller.placed("swapped", qty="1")
    assert [stream.update()["event"] for _ in range(2)] == ["fill", "new"]


def test_a_connection_can_break_and_requests_can_fail(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    match = {"brokerage": "alpaca", "account": caller.account.name}
    with StreamClient(exchange) as client:
        exchange.fault("drop_response", endpoint="ws/listen", **match)
        assert client.login(caller.account) == "authorized"
        with pytest.raises(TimeoutError):
            client._socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            client.receive(0.3)
        caller.placed(qty="1")
        assert client.update()["event"] == "new"
        exchange.fault({"kind": "close", "code": 1006}, endpoint="ws/trade_updates", **match)
        caller.placed(qty="1")
        with pytest.raises(ConnectionClosed):
            for _ in range(3):
                client.receive()
