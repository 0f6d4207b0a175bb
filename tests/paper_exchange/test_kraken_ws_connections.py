"""Connections: status, heartbeats, pings, idleness, compression, and how many there can be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from paper_exchange.clock import steady_seconds
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws.connect_limit import WINDOW_SECONDS, ConnectLimit
from paper_exchange.kraken.ws.hub import HEARTBEAT_SECONDS, IDLE_SECONDS, PUBLIC_PORT, Hub
from paper_exchange.latency import Latency
from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.delay_line import DelayLine
from paper_exchange.websocket_tokens import LIFETIME_SECONDS, WebSocketTokens
from paper_exchange.wiring import open_exchange
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import SocketClient, private_socket

HANDSHAKE = (
    b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def public(exchange: ExchangeProcess) -> Any:
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/v2") as client:
        yield client


def test_the_first_message_is_the_status(public: SocketClient) -> None:
    message = public.receive()
    assert (message["channel"], message["type"]) == ("status", "update")
    (data,) = message["data"]
    assert (data["system"], data["api_version"]) == ("online", "v2") and data["connection_id"] > 2**53


def test_every_connection_has_its_own_number(exchange: ExchangeProcess) -> None:
    url = exchange.addresses["kraken"]["ws"] + "/v2"
    with SocketClient(url) as one, SocketClient(url) as other:
        assert one.receive()["data"][0]["connection_id"] != other.receive()["data"][0]["connection_id"]


def test_a_ping_is_answered_with_its_number(public: SocketClient) -> None:
    public.send({"method": "ping", "req_id": 101})
    pong = public.wait_for(lambda one: one.get("method") == "pong")
    assert pong["req_id"] == 101 and "success" not in pong and pong["time_in"] <= pong["time_out"]
    public.send({"method": "ping"})
    assert "req_id" not in public.wait_for(lambda one: one.get("method") == "pong")


def test_a_ping_has_no_params(public: SocketClient) -> None:
    assert public.refused("ping", {"a": 1}) == "Unsupported field: 'params' for the given msg type: ping"


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"method":"dance"}', '{"event":5}'])
def test_nonsense_is_answered_and_the_connection_stays(public: SocketClient, text: str) -> None:
    public.receive()
    public.send_text(text)
    assert public.receive()["error"] == "Unsupported event"
    public.send({"method": "ping", "req_id": 1})
    assert public.receive()["method"] == "pong"


def test_heartbeats_come_once_something_is_subscribed(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    with private_socket(exchange.addresses, kraken) as socket:
        with pytest.raises(TimeoutError):
            socket.wait_for(lambda one: one.get("channel") == "heartbeat", seconds=1.5)
        socket.ok("subscribe", channel="executions")
        for _ in range(2):
            assert socket.push("heartbeat") == {"channel": "heartbeat"}


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/", "/auth"])
def test_other_paths_are_not_found(exchange: ExchangeProcess, path: str) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        SocketClient(exchange.addresses["kraken"]["ws"] + path)


def test_plain_http_is_refused(exchange: ExchangeProcess) -> None:
    url = exchange.addresses["kraken"]["ws"].replace("ws://", "http://") + "/v2"
    assert requests.get(url, timeout=5).status_code >= 400


def test_compression_is_accepted(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    with private_socket(exchange.addresses, kraken, compression="deflate") as socket:
        assert socket.ok("subscribe", channel="balances")["channel"] == "balances"
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/v2", compression="deflate") as public:
        public.ok("subscribe", channel="instrument")
        assert len(public.push("instrument", "snapshot")["data"]["pairs"]) > 1000


def test_hundreds_of_connections_are_served_at_once(exchange: ExchangeProcess) -> None:
    url = exchange.addresses["kraken"]["ws"] + "/v2"

    async def ping(number: int) -> int:
        async with connect(url, compression=None) as socket:
            await socket.recv()
            await socket.send(f'{{"method":"ping","req_id":{number}}}')
            return int(f'"req_id":{number},' in str(await socket.recv()))

    async def everybody() -> int:
        return sum(await asyncio.gather(*(ping(number) for number in range(200))))

    assert asyncio.run(everybody()) == 200


def test_everybody_is_told_when_the_exchange_goes_down() -> None:
    with ExchangeProcess(seed=5) as exchange, SocketClient(exchange.addresses["kraken"]["ws"] + "/v2") as public:
        public.receive()
        exchange.stop()
        assert public.ended() == 1001


class Wire:
    """What a connection writes to, without a network."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    abort = close


def _hub() -> tuple[Hub, Connection, Wire]:
    exchange = open_exchange(None, seed=1, csv=None).exchange
    front = exchange.registry.brokerages["kraken"].front(exchange)
    assert isinstance(front, KrakenFront)
    hub, wire = Hub(exchange, front), Wire()
    connection = Connection(hub, PUBLIC_PORT, DelayLine(Latency()))
    connection.connection_made(wire)  # type: ignore[arg-type]
    connection.data_received(HANDSHAKE)
    return hub, connection, wire


def test_an_idle_connection_is_closed_after_a_minute() -> None:
    hub, _, wire = _hub()
    hub.beat(steady_seconds() + IDLE_SECONDS - 1)
    assert not wire.closed
    hub.beat(steady_seconds() + IDLE_SECONDS + 1)
    assert wire.closed and b"\x88\x02\x03\xe8" in wire.written


def test_a_subscription_keeps_a_connection_alive() -> None:
    hub, connection, wire = _hub()
    hub.on_text(connection, b'{"method":"subscribe","params":{"channel":"instrument","snapshot":false}}')
    written = len(wire.written)
    hub.beat(steady_seconds() + HEARTBEAT_SECONDS + 0.1)
    assert wire.written[written:].endswith(b'{"channel":"heartbeat"}')
    hub.beat(steady_seconds() + IDLE_SECONDS + 1)
    assert not wire.closed


def test_a_token_lives_for_a_quarter_of_an_hour() -> None:
    exchange = open_exchange(None, seed=1, csv=None).exchange
    exchange.open_account("kraken", "a", {})
    account = exchange.registry.by_name("kraken", "a")
    assert account is not None
    tokens, minute = WebSocketTokens(), 60 * 10**9
    tokens.issue("one", account, 0)
    tokens.issue("two", account, 5 * minute)
    assert LIFETIME_SECONDS == 900
    assert tokens.account("one", 15 * minute - 1) is account
    assert tokens.account("one", 15 * minute) is None and tokens.account("two", 15 * minute) is account
    tokens.issue("three", account, 16 * minute)
    tokens.revoke("two")
    assert [tokens.account(name, 16 * minute) is account for name in ("one", "two", "three")] == [False, False, True]


def test_who_connects_too_often_is_turned_away_for_ten_minutes() -> None:
    limit = ConnectLimit(3)
    assert [limit.allows(float(second)) for second in range(4)] == [True, True, True, False]
    # Trying on changes nothing.
    assert not limit.allows(WINDOW_SECONDS) and limit.allows(WINDOW_SECONDS + 4)


def test_attempts_are_forgotten_after_ten_minutes() -> None:
    limit = ConnectLimit(2)
    assert limit.allows(0.0) and limit.allows(300.0)
    assert limit.allows(WINDOW_SECONDS + 1)
    assert not limit.allows(WINDOW_SECONDS + 2)


def test_the_limit_is_set_on_the_command_line_and_the_journal_counts_attempts() -> None:
    with ExchangeProcess(seed=5, options=["--connects-per-10-minutes", "2"]) as exchange:
        url = exchange.addresses["kraken"]["ws"] + "/v2"
        for _ in range(2):
            SocketClient(url).close()
        with pytest.raises(InvalidStatus, match="429"):
            SocketClient(url)
        assert len(exchange.journal(type="request", endpoint="ws/connect")) == 3
        assert len(exchange.journal(type="refuse", endpoint="ws/connect")) == 1
