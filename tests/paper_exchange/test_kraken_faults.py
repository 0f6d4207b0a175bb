"""Every fault, as a client sees it and as the journal tells it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient

BUY = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.001"}


@pytest.fixture
def fault(exchange: ExchangeProcess, kraken: KrakenClient) -> Callable[..., int]:
    """Orders a fault for this test's account only."""

    def order(action: str | dict[str, Any], **more: Any) -> int:
        return exchange.fault(action, account=kraken.account.name, **more)

    return order


def accepted(exchange: ExchangeProcess, kraken: KrakenClient) -> int:
    return len(exchange.journal(account=kraken.account.name, type="accept"))


@pytest.mark.parametrize(
    ("action", "raised", "orders"),
    [
        ("drop_request", requests.ConnectionError, 0),
        ("reset", requests.ConnectionError, 0),
        ({"kind": "hang", "seconds": 0.2}, requests.ConnectionError, 0),
        ("drop_response", requests.ConnectionError, 1),
        ("html", requests.JSONDecodeError, 0),
        ("malformed", requests.JSONDecodeError, 1),
    ],
)
def test_a_fault_breaks_the_answer_and_the_order_lives_or_not(
    exchange: ExchangeProcess,
    kraken: KrakenClient,
    fault: Callable[..., int],
    action: str | dict[str, Any],
    raised: type[Exception],
    orders: int,
) -> None:
    fault(action, endpoint="AddOrder")
    with pytest.raises(raised):
        kraken.call("AddOrder", BUY)
    assert accepted(exchange, kraken) == orders
    assert len(exchange.journal(account=kraken.account.name, type="request")) == 1
    assert kraken.ok("AddOrder", BUY)["txid"]


@pytest.mark.parametrize(
    ("action", "status", "orders"),
    [("5xx", 503, 0), ({"kind": "5xx", "status": 520}, 520, 0), ("accept_then_5xx", 502, 1)],
)
def test_an_error_of_the_gateway_may_or_may_not_mean_an_order(
    exchange: ExchangeProcess,
    kraken: KrakenClient,
    fault: Callable[..., int],
    action: str | dict[str, Any],
    status: int,
    orders: int,
) -> None:
    fault(action)
    response = kraken.post("AddOrder", {"nonce": kraken.next_nonce(), **BUY})
    assert response.status_code == status
    assert response.text.startswith("<html>")
    assert accepted(exchange, kraken) == orders


def test_a_reset_is_a_reset(exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]) -> None:
    fault("reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        kraken.call("Balance")


def test_a_request_that_was_not_processed_leaves_its_nonce_unused(
    kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    nonce = kraken.next_nonce()
    fault("5xx")
    assert kraken.post("Balance", {"nonce": nonce}).status_code == 503
    assert kraken.post("Balance", {"nonce": nonce}).json()["error"] == []
    fault("accept_then_5xx")
    assert kraken.post("Balance", {"nonce": nonce + 1}).status_code == 502
    assert kraken.post("Balance", {"nonce": nonce + 1}).json()["error"] == ["EAPI:Invalid nonce"]


def test_an_error_text_comes_in_the_envelope_and_in_the_journal(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault({"kind": "api_error", "text": "EService:Unavailable"}, times=2)
    assert [kraken.refused("AddOrder", BUY) for _ in range(2)] == ["EService:Unavailable"] * 2
    assert kraken.ok("AddOrder", BUY)["txid"]
    refusals = exchange.journal(account=kraken.account.name, type="refuse")
    assert [line["error"] for line in refusals] == ["EService:Unavailable"] * 2


def test_any_body_can_be_the_answer(exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]) -> None:
    body = '{"error":[],"result":{"ZUSD":NaN}}'
    fault({"kind": "body", "text": body}, endpoint="Balance")
    assert kraken.post("Balance", {"nonce": kraken.next_nonce()}).text == body
    fault({"kind": "body", "text": body}, endpoint="AddOrder")
    assert kraken.post("AddOrder", {"nonce": kraken.next_nonce(), **BUY}).text == body
    assert accepted(exchange, kraken) == 1


def test_a_delayed_order_is_accepted_after_the_client_gave_up(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault({"kind": "delay", "seconds": 0.5}, endpoint="AddOrder")
    with pytest.raises(requests.ReadTimeout):
        kraken.post("AddOrder", {"nonce": kraken.next_nonce(), **BUY}, timeout=0.1)
    assert kraken.ok("OpenOrders")["open"] == {}
    assert accepted(exchange, kraken) == 0
    wait_until(lambda: accepted(exchange, kraken) == 1, what="the late order")


def test_a_delay_beyond_the_deadline_means_no_order(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault({"kind": "delay", "seconds": 2.3}, endpoint="AddOrder")
    deadline = (datetime.now(UTC) + timedelta(seconds=2.15)).isoformat()
    assert kraken.refused("AddOrder", BUY, deadline=deadline) == "EService:Deadline elapsed"
    assert accepted(exchange, kraken) == 0


def test_a_drip_sends_a_byte_at_a_time(kraken: KrakenClient, fault: Callable[..., int]) -> None:
    fault({"kind": "drip", "seconds": 0.02})
    started = time.monotonic()
    assert kraken.ok("Balance")["ZUSD"] == "10000.0000"
    assert time.monotonic() - started > 0.02 * 40
    assert kraken.ok("Balance")["ZUSD"] == "10000.0000"


def test_a_drip_of_headers_keeps_each_read_short_and_the_whole_long(
    kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault({"kind": "drip", "seconds": 0.01, "part": "headers"})
    started = time.monotonic()
    # The read time-out is never reached although the call takes much longer than it.
    assert kraken.post("Balance", {"nonce": kraken.next_nonce()}, timeout=0.5).json()["error"] == []
    assert time.monotonic() - started > 1


def test_a_hang_ends_with_the_client_and_holds_up_nobody_else(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    fault("hang")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(kraken.post, "Balance", {"nonce": kraken.next_nonce()}, timeout=1.0)
        wait_until(lambda: exchange.journal(account=kraken.account.name), what="the request")
        started = time.monotonic()
        requests.get(exchange.rest_url("kraken") + "/0/public/Time", timeout=5)
        assert time.monotonic() - started < 0.5
        with pytest.raises(requests.ReadTimeout):
            hanging.result()


def test_a_look_up_does_not_show_what_is_too_young(
    exchange: ExchangeProcess, kraken: KrakenClient, fault: Callable[..., int]
) -> None:
    old = kraken.ok("AddOrder", {**BUY, "ordertype": "limit", "price": "1000"})["txid"][0]
    fault({"kind": "lookup_lag", "seconds": 60}, times=None)
    assert kraken.ok("OpenOrders")["open"] == {}
    assert kraken.ok("ClosedOrders") == {"closed": {}, "count": 0}
    assert kraken.ok("QueryOrders", txid=old) == {}
    kraken.ok("AddOrder", BUY)
    assert kraken.ok("TradesHistory") == {"trades": {}, "count": 0}
    exchange.clear_faults()
    assert set(kraken.ok("OpenOrders")["open"]) == {old}
    assert kraken.ok("TradesHistory")["count"] == 1


def test_only_the_nth_call_is_hit(kraken: KrakenClient, fault: Callable[..., int]) -> None:
    fault("api_error EService:Busy", nth=3, endpoint="Balance")
    assert [kraken.call("Balance")["error"] for _ in range(4)] == [[], [], ["EService:Busy"], []]


def test_connections_are_kept_over_calls(exchange: ExchangeProcess) -> None:
    host, port = exchange.rest_url("kraken").removeprefix("http://").split(":")
    request = b"POST /0/public/Time HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na=b&c"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(request)
            answer = b""
            while b'"rfc1123"' not in answer:
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 ")
