"""Whatever a client sends is answered, and neither the exchange nor the connection is the worse for it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws.hub import PRIVATE_PORT, PUBLIC_PORT, Hub
from paper_exchange.latency import Latency
from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.delay_line import DelayLine
from paper_exchange.wiring import open_exchange
from tests.paper_exchange.test_kraken_ws_connections import HANDSHAKE, Wire

METHODS = [
    "add_order", "batch_add", "amend_order", "edit_order", "cancel_order", "cancel_all", "cancel_all_orders_after",
    "batch_cancel", "subscribe", "unsubscribe", "ping", "dance",
]  # fmt: skip
NAMES = [
    "token", "channel", "symbol", "order_id", "cl_ord_id", "order_userref", "order_type", "side", "order_qty",
    "limit_price", "cash_order_qty", "triggers", "conditional", "orders", "deadline", "timeout", "validate", "depth",
    "interval", "snapshot", "snap_orders", "time_in_force", "expire_time", "post_only", "limit_price_type", "unknown",
]  # fmt: skip
SENSIBLE = [
    "tok", "executions", "balances", "book", "ticker", "ohlc", "instrument", "BTC/USD", "limit", "market", "buy",
    "sell", "ioc", "gtd", "stop-loss", "pct", "2099-01-01T00:00:00Z", "OAAAAA-BBBBB-CCCCCC", 0.01, 1, 10, 20000, True,
    ["BTC/USD"], ["tok"],
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=2**64, max_value=2**80), st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(SENSIBLE),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=6,
)
REQUESTS = st.fixed_dictionaries(
    {"method": st.sampled_from(METHODS), "params": st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)},
    optional={"req_id": SCALARS},
)


class Client:
    """A connection without a network to an exchange of its own."""

    def __init__(self, port: str) -> None:
        exchange = open_exchange(None, seed=1, csv=None).exchange
        front = exchange.registry.brokerages["kraken"].front(exchange)
        assert isinstance(front, KrakenFront)
        exchange.open_account("kraken", "a", {"USD": Decimal(100_000), "BTC": Decimal(10)})
        account = exchange.registry.by_name("kraken", "a")
        assert account is not None
        exchange.websocket_tokens.issue("tok", account, exchange.clock.now_ns())
        self.hub, self.wire = Hub(exchange, front), Wire()
        # Updates are none of this test's business, and would need an event loop.
        exchange.listeners.clear()
        self.connection = Connection(self.hub, port, DelayLine(Latency()))
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]
        self.connection.data_received(HANDSHAKE)

    def answers(self, text: bytes) -> bytes:
        self.wire.written = b""
        self.hub.on_text(self.connection, text)
        return self.wire.written


@pytest.fixture(scope="module", params=[PRIVATE_PORT, PUBLIC_PORT])
def client(request: pytest.FixtureRequest) -> Client:
    return Client(request.param)


@given(REQUESTS)
@settings(max_examples=400, deadline=None)
def test_every_request_is_answered(client: Client, request_: dict[str, Any]) -> None:
    request_["params"].setdefault("token", "tok")
    assert b'"time_in"' in client.answers(json.dumps(request_).encode())
    assert not client.wire.closed


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_answered(client: Client, text: bytes) -> None:
    assert b"Unsupported event" in client.answers(text)
    assert not client.wire.closed


@pytest.mark.parametrize(
    "data", [b"\x00" * 50, b"\xff" * 50, b"\x81\xfe", b"GET / HTTP/1.1\r\n\r\n", b"\x88\x80\0\0\0\0"]
)
def test_bytes_that_are_no_frames_end_the_connection_at_most(data: bytes) -> None:
    client = Client(PUBLIC_PORT)
    for _ in range(3):
        client.connection.data_received(data)
    client.connection.connection_lost(None)
    client.connection.data_received(data)
