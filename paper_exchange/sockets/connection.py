"""One WebSocket connection, from the bytes up: handshake, frames, and the ways in which it can break.

The protocol itself is that of the websockets library, which does no input or output; frames on their way out are
written here, because there are many and an unmasked frame is a header of a few bytes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import Protocol, cast

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from paper_exchange.sockets.delay_line import DelayLine

MAXIMUM_MESSAGE_BYTES = 1024 * 1024
UNREAD_BYTES = 32 * 1024 * 1024
"""A client that leaves more than this unread is cut off."""
COMPRESSED_ABOVE_BYTES = 4096
"""Smaller messages go out as they are even where compression was agreed on, which the protocol allows."""
ABNORMAL = 1006
"""The code that stands for a connection that ends without a word."""


class Owner(Protocol):
    """What is told of a connection's life. None of these may raise."""

    def on_request(self, connection: Connection, path: str) -> None: ...
    def on_text(self, connection: Connection, text: bytes) -> None: ...
    def on_gone(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """The server's end. ``port`` names the listener it came in by."""

    def __init__(self, owner: Owner, port: str, line: DelayLine) -> None:
        self.port = port
        self._owner = owner
        self._line = line
        self._protocol = ServerProtocol(extensions=[_deflate()], max_size=MAXIMUM_MESSAGE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._handshake: Request | None = None
        self._fragments: list[bytes] = []
        self.opcode = Opcode.TEXT
        """How messages leave; some venues send their JSON as binary."""
        self.silent = False
        """Nothing leaves any more, not even an answer to a ping."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._line.carry(self._arrived, data)

    def eof_received(self) -> bool:
        self._line.carry(self._client_ended, b"")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        # What the client sent before it went is still on its way, and will arrive.
        self._transport = None
        self._line.carry(self._gone, b"")

    def _gone(self, _nothing: bytes) -> None:
        self._owner.on_gone(self)

    def _client_ended(self, _nothing: bytes) -> None:
        self._protocol.receive_eof()
        self._pass_on()
        self._line.carry(self._end, b"")

    # In.

    def _arrived(self, data: bytes) -> None:
        text = plain_text(data) if self._expects_frame else None
        if text is not None:
            self._owner.on_text(self, text)
            return
        if self._protocol.parser_exc is not None:
            return
        self._protocol.receive_data(data)
        events = self._protocol.events_received()
        self._pass_on()
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(event)
            elif isinstance(event, Request):
                self._handshake = event
                self._owner.on_request(self, event.path.partition("?")[0])

    @property
    def _expects_frame(self) -> bool:
        """Whether what comes next is the beginning of a message."""
        return self._protocol.state is OPEN and not self._protocol.reader.buffer and not self._fragments

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.fin and not self._fragments:
                self._owner.on_text(self, bytes(frame.data))
                return
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                text, self._fragments = b"".join(self._fragments), []
                self._owner.on_text(self, text)

    # Out.

    @property
    def is_open(self) -> bool:
        return self._transport is not None and self._protocol.state is OPEN

    def accept(self) -> None:
        """Say yes to the handshake."""
        assert self._handshake is not None
        self._protocol.send_response(self._protocol.accept(self._handshake))
        self._pass_on()

    def reject(self, status: int, text: str) -> None:
        """Answer the handshake with an HTTP status."""
        self._protocol.send_response(self._protocol.reject(status, text))
        self._pass_on()

    def send(self, payloads: Iterable[bytes]) -> None:
        """Send messages with one write; nothing happens once the connection has ended."""
        if self._transport is None or self._protocol.state is not OPEN:
            return
        self._write(b"".join([self._frame(payload) for payload in payloads]))

    def close(self, code: int) -> None:
        """End it with a close frame, or with ``ABNORMAL`` without a word."""
        if code == ABNORMAL or self._protocol.state is not OPEN:
            self.abort()
            return
        self._protocol.send_close(code)
        self._pass_on()
        self._line.carry(self._end, b"")

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self, _nothing: bytes) -> None:
        if self._transport is not None:
            self._transport.close()

    def _pass_on(self) -> None:
        """Send what the protocol itself has to say: handshake, pongs, close frames; b"" is its end of the stream."""
        for data in self._protocol.data_to_send():
            if data:
                self._write(data)
            else:
                self._line.carry(self._end, b"")

    def _write(self, data: bytes) -> None:
        if not self.silent:
            self._line.carry(self._departed, data)

    def _departed(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNREAD_BYTES:
            self._transport.abort()

    def _frame(self, payload: bytes) -> bytes:
        if len(payload) > COMPRESSED_ABOVE_BYTES and self._protocol.extensions:
            return Frame(self.opcode, payload).serialize(mask=False, extensions=self._protocol.extensions)
        return whole_frame(payload, self.opcode)


def whole_frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """A whole unmasked message (RFC 6455, section 5.2)."""
    head, size = 0x80 | opcode, len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


def plain_text(data: bytes) -> bytes | None:
    """The text of exactly one whole, masked, uncompressed frame, as nearly all requests come; None for all else."""
    if len(data) < 6 or data[0] != 0x81 or not data[1] & 0x80:
        return None
    size, header = data[1] & 0x7F, 2
    if size == 126:
        size, header = int.from_bytes(data[2:4]), 4
    if size == 127 or len(data) != header + 4 + size:
        return None
    return apply_mask(data[header + 4 :], data[header : header + 4])


def _deflate() -> ServerPerMessageDeflateFactory:
    # Small windows: a thousand connections would otherwise hold hundreds of megabytes.
    return ServerPerMessageDeflateFactory(
        server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
    )
