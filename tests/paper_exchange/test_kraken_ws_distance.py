"""How far away the exchange is: half of the way in, half of the way out, and many messages under way at once."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator

import pytest

from paper_exchange.latency import Latency
from paper_exchange.sockets.connection import plain_text, whole_frame
from paper_exchange.sockets.delay_line import DelayLine
from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import SocketClient, private_socket

LATENCY_MS = 300
ORDER = {"order_type": "market", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7, options=["--latency-ms", str(LATENCY_MS)]) as process:
        yield process


@pytest.fixture
def socket(exchange: ExchangeProcess, kraken: KrakenClient) -> Iterator[SocketClient]:
    with private_socket(exchange.addresses, kraken) as client:
        yield client


def test_an_answer_takes_the_whole_way(socket: SocketClient) -> None:
    started = time.monotonic()
    assert socket.ok("add_order", ORDER)["order_id"]
    assert time.monotonic() - started >= LATENCY_MS / 1000


def test_many_requests_take_hardly_longer_than_one(socket: SocketClient) -> None:
    started = time.monotonic()
    numbers = [socket.request("add_order", ORDER) for _ in range(40)]
    for number in numbers:
        socket.wait_for(lambda one, number=number: one.get("req_id") == number)
    # One after the other would be twelve seconds.
    assert LATENCY_MS / 1000 <= time.monotonic() - started < 40 * LATENCY_MS / 1000 / 2


def test_an_order_that_was_on_its_way_when_its_sender_died_still_arrives(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    socket.request("add_order", ORDER, cl_ord_id="last-words")
    socket.die()
    wait_until(lambda: exchange.journal(type="fill", account=kraken.account.name), what="the order")


def test_what_leaves_later_never_arrives_earlier() -> None:
    async def carry() -> list[bytes]:
        latency, arrived = Latency(0.02), []
        line = DelayLine(latency)
        everything = asyncio.Event()

        def arrive(data: bytes) -> None:
            arrived.append(data)
            if len(arrived) == 3:
                everything.set()

        line.carry(arrive, b"far")
        latency.seconds = 0.001
        line.carry(arrive, b"nearer")
        latency.seconds = 0.0
        line.carry(arrive, b"here")
        await asyncio.wait_for(everything.wait(), 10)
        return arrived

    assert asyncio.run(carry()) == [b"far", b"nearer", b"here"]


def _masked(frame: bytes) -> bytes:
    """A server's frame as a client would send it."""
    size = 2 if frame[1] < 126 else 4
    mask = b"\x01\x02\x03\x04"
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(frame[size:]))
    return frame[:1] + struct.pack("!B", frame[1] | 0x80) + frame[2:size] + mask + body


@pytest.mark.parametrize("text", [b"", b"{}", b"x" * 125, b"y" * 126, b"z" * 60_000])
def test_a_whole_plain_frame_is_read_at_a_glance(text: bytes) -> None:
    assert plain_text(_masked(whole_frame(text))) == text


def test_anything_but_one_whole_plain_frame_is_left_to_the_protocol() -> None:
    frame = _masked(whole_frame(b'{"method":"ping"}'))
    compressed, fragment, unmasked = b"\xc1" + frame[1:], b"\x01" + frame[1:], whole_frame(b"{}")
    for data in (frame[:-1], frame + frame, compressed, fragment, unmasked, b"", b"\x81"):
        assert plain_text(data) is None
