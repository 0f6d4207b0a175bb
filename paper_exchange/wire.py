"""A request's connection: answer it, or break it in the ways that networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAXIMUM_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``error`` is the brokerage's error text when the request was refused: it makes a `refuse` line."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    error: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class PaperProtocol(H11Protocol):
    """uvicorn's protocol, with the connection's transport handed to the application, so that faults can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None if the client left before it was complete."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= MAXIMUM_BODY_BYTES:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


class Wire:
    """One request's connection: answer it, or break it in the ways that networks do."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._transport: asyncio.Transport | None = scope.get("state", {}).get("transport")

    async def answer(self, reply: Reply) -> None:
        headers = [(name.encode(), value.encode()) for name, value in response_headers(reply)]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body})

    async def close(self) -> None:
        """Close without (another) byte."""
        if self._transport is not None:
            self._transport.abort()
        await self.gone()

    async def reset(self) -> None:
        """Send RST, so that the client sees "connection reset by peer"."""
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.close()

    async def gone(self, seconds: float | None = None) -> bool:
        """Wait until the client has gone; False if it is still there after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def drip(self, reply: Reply, *, seconds: float, headers_too: bool) -> None:
        """Send the answer a byte at a time, then close."""
        head = raw_head(reply)
        slow = head + reply.body if headers_too else reply.body
        if not headers_too:
            self._write(head)
        for position in range(len(slow)):
            self._write(slow[position : position + 1])
            if await self.gone(seconds):
                return
        await self.close_politely()

    async def close_politely(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()
        await self.gone()

    def _write(self, content: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(content)


def response_headers(reply: Reply) -> list[tuple[str, str]]:
    return [
        ("date", formatdate(usegmt=True)),
        ("content-type", reply.content_type),
        ("content-length", str(len(reply.body))),
        *reply.headers,
    ]


def raw_head(reply: Reply) -> bytes:
    """Status line and headers as they go over the wire, of a connection that ends with this answer."""
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in (*response_headers(reply), ("connection", "close"))]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
