"""Every fault of a socket, as a client sees it and as the journal tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import SocketClient, private_socket

MARKET = {"order_type": "market", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001}


@pytest.fixture
def socket(exchange: ExchangeProcess, kraken: KrakenClient) -> Iterator[SocketClient]:
    with private_socket(exchange.addresses, kraken) as client:
        client.ok("subscribe", channel="executions")
        client.push("executions", "snapshot")
        yield client


@pytest.fixture
def fault(exchange: ExchangeProcess, kraken: KrakenClient) -> Callable[..., int]:
    """Orders a fault for this test's account only."""

    def order(action: str | dict[str, Any], endpoint: str, **more: Any) -> int:
        return exchange.fault(action, account=kraken.account.name, endpoint=endpoint, **more)

    return order


@pytest.fixture
def accepted(exchange: ExchangeProcess, kraken: KrakenClient) -> Callable[[], int]:
    return lambda: len(exchange.journal(account=kraken.account.name, type="accept"))


def _no_answer(socket: SocketClient, req_id: int) -> None:
    """Nothing with that number comes before the answer to a later request."""
    assert "error" not in socket.ask("cancel_all")
    assert [one for one in socket.messages if one.get("req_id") == req_id] == []


def test_an_answer_is_lost_after_the_order_was_taken(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault("drop_response", "ws/add_order")
    req_id = socket.request("add_order", MARKET, cl_ord_id="lost")
    assert socket.event("pending_new")["cl_ord_id"] == "lost"
    _no_answer(socket, req_id)
    assert accepted() == 1
    assert socket.ok("add_order", MARKET)["order_id"]


def test_a_request_is_lost_before_it_was_looked_at(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault("drop_request", "ws/add_order")
    _no_answer(socket, socket.request("add_order", MARKET))
    assert accepted() == 0


def test_an_error_is_answered_in_any_words(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient, fault: Callable[..., int]
) -> None:
    fault("api_error EService:Busy", "ws/add_order")
    assert socket.refused("add_order", MARKET) == "EService:Busy"
    (refusal,) = exchange.journal(account=kraken.account.name, type="refuse")
    assert (refusal["error"], refusal["endpoint"]) == ("EService:Busy", "ws/add_order")


def test_a_late_answer_of_an_order_taken_at_once(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault({"kind": "delay", "seconds": 0.6, "part": "answer"}, "ws/add_order")
    req_id = socket.request("add_order", MARKET)
    # The updates are there long before the answer.
    socket.event("filled")
    assert accepted() == 1 and not [one for one in socket.messages if one.get("req_id") == req_id]
    assert socket.wait_for(lambda one: one.get("req_id") == req_id)["success"] is True


def test_a_late_order_is_taken_late(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault({"kind": "delay", "seconds": 0.6}, "ws/add_order")
    req_id = socket.request("add_order", MARKET)
    socket.ok("cancel_all")
    assert accepted() == 0
    assert socket.wait_for(lambda one: one.get("req_id") == req_id)["success"] is True
    assert accepted() == 1


def test_a_delay_beyond_the_deadline_means_no_order(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault({"kind": "delay", "seconds": 5.2}, "ws/add_order")
    # Nothing was said of a deadline: it is five seconds.
    assert socket.refused("add_order", MARKET) == "EService:Deadline elapsed"
    assert accepted() == 0


@pytest.mark.parametrize(("action", "code"), [("close", 1006), ({"kind": "close", "code": 1001}, 1001)])
def test_a_connection_ends_after_the_order_was_taken(
    exchange: ExchangeProcess,
    kraken: KrakenClient,
    socket: SocketClient,
    fault: Callable[..., int],
    accepted: Callable[[], int],
    action: Any,
    code: int,
) -> None:
    fault(action, "ws/add_order")
    socket.request("add_order", MARKET)
    assert socket.ended() == code
    wait_until(lambda: accepted() == 1, what="the order")
    with private_socket(exchange.addresses, kraken) as again:
        again.ok("subscribe", channel="executions", snap_trades=True)
        assert len(again.push("executions", "snapshot")["data"]) == 1


def test_a_connection_is_reset_before_the_order_was_looked_at(
    socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault("reset", "ws/add_order")
    with pytest.raises(ConnectionClosed):
        socket.ask("add_order", MARKET)
    assert accepted() == 0


def test_a_stale_token_is_refused_until_there_is_a_new_one(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault("stale_token", "ws/subscribe")
    with private_socket(exchange.addresses, kraken) as socket:
        assert socket.refused("subscribe", channel="executions") == "ESession:Invalid session"
        assert socket.refused("subscribe", channel="executions") == "ESession:Invalid session"
        socket.token = kraken.ok("GetWebSocketsToken")["token"]
        assert socket.ok("subscribe", channel="executions")


def _sequences(socket: SocketClient, count: int) -> list[int]:
    return [socket.push("executions", "update")["sequence"] for _ in range(count)]


def test_a_gap_leaves_a_number_out(socket: SocketClient, fault: Callable[..., int]) -> None:
    fault("gap", "ws/executions", nth=3)
    socket.ok("add_order", MARKET)
    assert _sequences(socket, 3) == [2, 3, 5]


def test_a_duplicate_comes_twice_with_the_same_number(socket: SocketClient, fault: Callable[..., int]) -> None:
    fault("duplicate", "ws/executions", nth=3)
    socket.ok("add_order", MARKET)
    assert _sequences(socket, 5) == [2, 3, 4, 4, 5]


def test_a_reordered_message_comes_after_the_next_one(socket: SocketClient, fault: Callable[..., int]) -> None:
    fault("reorder", "ws/executions", nth=3)
    socket.ok("add_order", MARKET)
    assert _sequences(socket, 4) == [2, 3, 5, 4]


def test_a_push_closes_the_connection(socket: SocketClient, fault: Callable[..., int]) -> None:
    fault({"kind": "close", "code": 1012}, "ws/executions", nth=2)
    socket.request("add_order", MARKET)
    assert socket.ended() == 1012


def test_silence_is_complete_and_ends(
    exchange: ExchangeProcess, socket: SocketClient, fault: Callable[..., int], accepted: Callable[[], int]
) -> None:
    fault_id = fault("silence 2.5", "ws/heartbeat")
    wait_until(lambda: any(one["id"] == fault_id and one["applied"] for one in exchange.faults()), what="the silence")
    seen = len(socket.messages)
    socket.send({"method": "ping", "req_id": 77})
    req_id = socket.request("add_order", MARKET)
    wait_until(lambda: accepted() == 1, what="the order, which is taken all the same")
    socket.push("heartbeat")
    kept = socket.messages[seen:]
    assert not [one for one in kept if one.get("req_id") in (77, req_id) or one.get("channel") == "executions"]
    # What was said meanwhile is lost for good, and the numbers show it.
    socket.ok("add_order", MARKET)
    assert _sequences(socket, 1) == [6]


def test_a_fault_of_one_account_leaves_others_alone(
    exchange: ExchangeProcess, socket: SocketClient, open_kraken: Callable[..., KrakenClient]
) -> None:
    other = open_kraken({"USD": "1000"})
    exchange.fault("drop_response", account=other.account.name, endpoint="ws/*", times=None)
    assert socket.ok("add_order", MARKET)["order_id"]


def test_faults_of_sockets_leave_rest_alone_and_the_other_way_round(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    gap = exchange.fault("gap", account=kraken.account.name, times=None)
    exchange.fault("5xx", account=kraken.account.name, endpoint="AddOrder")
    assert kraken.ok("Balance")
    assert socket.ok("add_order", MARKET)["order_id"]
    exchange.control("DELETE", f"/faults/{gap}")


@pytest.mark.parametrize("action", ["drop_request", "reset", {"kind": "5xx", "status": 429}])
def test_a_connection_is_not_even_opened(exchange: ExchangeProcess, action: Any) -> None:
    exchange.fault(action, endpoint="ws/connect")
    url = exchange.addresses["kraken"]["ws"] + "/v2"
    with pytest.raises((InvalidStatus, EOFError, OSError, ConnectionClosed)) as problem:
        SocketClient(url)
    assert not isinstance(problem.value, InvalidStatus) or problem.value.response.status_code == 429
    with SocketClient(url) as socket:
        assert socket.receive()["channel"] == "status"


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ({"kind": "close", "code": 999}, "code must be one of"),
        ({"kind": "gap", "code": 1001}, "code has no meaning for gap"),
        ("silence", "seconds is missing"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(exchange: ExchangeProcess, action: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        exchange.fault(action, endpoint="ws/executions")


def test_a_subscription_that_is_held_up_until_its_client_has_gone_comes_to_nothing(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault_id = fault({"kind": "delay", "seconds": 0.3}, "ws/subscribe")
    with private_socket(exchange.addresses, kraken) as gone:
        gone.request("subscribe", channel="executions")
        wait_until(lambda: any(one["id"] == fault_id and one["applied"] for one in exchange.faults()), what="the fault")
        gone.die()
    with private_socket(exchange.addresses, kraken) as client:
        client.ok("subscribe", channel="executions")
        client.push("heartbeat")
        client.ok("add_order", MARKET)
        assert client.event("filled")
