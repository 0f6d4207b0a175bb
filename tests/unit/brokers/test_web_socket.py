"""The client's end of a WebSocket against servers that do as they like."""

import asyncio
import base64
import hashlib
import struct
from collections.abc import Awaitable, Callable

import pytest

from bot.brokers.web_socket import MAX_MESSAGE_BYTES, NotConnected, WebSocket, connect

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Heard:
    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.gone: list[str] = []
        self.over = asyncio.Event()

    def on_gone(self, why: str) -> None:
        self.gone.append(why)
        self.over.set()


async def with_server(serve: Serve, work: Callable[[int], Awaitable[None]]) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        await asyncio.wait_for(work(server.sockets[0].getsockname()[1]), 20)
    finally:
        server.close()


async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in request.splitlines() if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode(), usedforsecurity=False).digest()).decode()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    await writer.drain()


def frame(payload: bytes, *, opcode: int = 1, fin: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + bytes([127]) + struct.pack("!Q", len(payload)) + payload


async def opened(port: int, heard: Heard, *, seconds: float = 5.0) -> WebSocket:
    return await connect(
        f"ws://127.0.0.1:{port}/v2",
        addresses=["127.0.0.1"],
        tls=None,
        within_seconds=seconds,
        on_text=heard.texts.append,
        on_gone=heard.on_gone,
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", 429),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nhtml", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", None),
        (b"no HTTP at all\r\n\r\n", None),
        (b"", None),
    ],
)
def test_a_handshake_that_is_refused_or_nonsense_is_no_connection(answer: bytes, status: int | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async def work(port: int) -> None:
        with pytest.raises(NotConnected) as refused:
            await opened(port, Heard())
        assert refused.value.status == status

    asyncio.run(with_server(serve, work))


def test_a_server_that_never_answers_is_waited_for_so_long_and_nobody_at_all_is_said_so() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def work(port: int) -> None:
        with pytest.raises(NotConnected, match="Timeout"):
            await opened(port, Heard(), seconds=0.3)

    asyncio.run(with_server(serve, work))

    async def alone() -> None:
        with pytest.raises(NotConnected):
            await opened(1, Heard())

    asyncio.run(alone())


def test_messages_in_pieces_are_put_together_and_pings_are_answered() -> None:
    answered: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake(reader, writer)
        writer.write(frame(b"he", fin=False) + frame(b"p", opcode=9) + frame(b"llo", opcode=0) + frame(b"x" * 70_000))
        await writer.drain()
        answered.append(await reader.readexactly(7))
        writer.write(frame(b"\x03\xe9", opcode=8))
        await writer.drain()
        await reader.read()

    async def work(port: int) -> None:
        heard = Heard()
        connection = await opened(port, heard)
        await asyncio.wait_for(heard.over.wait(), 10)
        assert heard.texts == [b"hello", b"x" * 70_000]
        assert answered and answered[0][0] & 0x0F == 0xA
        assert not connection.is_open and not connection.write(b"too late")
        assert heard.gone == ["closed with code 1001"]

    asyncio.run(with_server(serve, work))


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", struct.pack("!BBQ", 0x81, 127, MAX_MESSAGE_BYTES + 1)])
def test_bytes_that_are_no_frame_and_messages_without_measure_end_the_connection(nonsense: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake(reader, writer)
        writer.write(nonsense)
        await writer.drain()
        await reader.read()

    async def work(port: int) -> None:
        heard = Heard()
        await opened(port, heard)
        await asyncio.wait_for(heard.over.wait(), 10)
        assert len(heard.gone) == 1 and heard.texts == []

    asyncio.run(with_server(serve, work))


def test_a_connection_that_is_cut_is_gone_and_a_closed_one_says_nothing_more() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake(reader, writer)
        await reader.read()

    async def work(port: int) -> None:
        cut, closed = Heard(), Heard()
        connection = await opened(port, cut)
        connection.cut()
        await asyncio.wait_for(cut.over.wait(), 10)
        connection = await opened(port, closed)
        connection.close()
        assert not connection.write(b"too late")
        assert (len(cut.gone), closed.gone) == (1, [])

    asyncio.run(with_server(serve, work))
