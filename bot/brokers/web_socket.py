"""One WebSocket connection to a venue, client's side.

The protocol is that of the websockets library, which does no input or output; reading and writing are done here. So a
frame is on its way when `write` returns, and what was checked right before is still true when it leaves: no task and no
queue stands in between. A connection holds no buffers of its own, hundreds of accounts have one each.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI, parse_uri

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# What the other side leaves unread; past that it is as good as gone.
MAX_UNREAD_BYTES = 4 * 1024 * 1024

log = logging.getLogger(__name__)
# The library tells of every frame, tokens included, to whoever turns its debugging on.
_silent = logging.getLogger("bot.websockets")
_silent.setLevel(logging.ERROR)


class NotConnected(Exception):
    """The connection could not be made, or the handshake was refused; `status` is the HTTP status, if there was one."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class WebSocket(asyncio.Protocol):
    """Made by `connect`. Everything but `cut` is for the loop's thread.

    `on_text` gets every complete message as bytes; `on_gone`, once, the reason when the connection is over. Neither may
    raise.
    """

    def __init__(self, uri: WebSocketURI, on_text: Callable[[bytes], None], on_gone: Callable[[str], None]) -> None:
        self._protocol = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES, logger=_silent)
        self._on_text = on_text
        self._on_gone = on_gone
        self._transport: asyncio.Transport | None = None
        self._raw: socket.socket | None = None
        self._fragments: list[bytes] = []
        self._handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = False

    # -- what the loop calls ----------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._raw = transport.get_extra_info("socket")
        self._protocol.send_request(self._protocol.connect())
        self._pass_on()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._pass_on()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response):
                self._shake(event)

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        self._transport = None
        why = f"{type(exc).__name__}: {exc}" if exc is not None else f"closed with code {self._protocol.close_code}"
        if not self._handshake.done():
            self._handshake.set_exception(NotConnected(f"the handshake was broken off ({why})"))
        elif not self._over:
            self._over = True
            self._on_gone(why)

    # -- for its owner ----------------------------------------------------------------------------------------------
    async def shaken(self) -> None:
        """Wait for the handshake; whoever calls bounds it. Raises `NotConnected`."""
        await self._handshake

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._protocol.state is OPEN

    def write(self, text: bytes) -> bool:
        """Hand one text message to the operating system; False when the connection is over, and nothing was."""
        if not self.is_open:
            return False
        self._protocol.send_text(text)
        self._pass_on()
        return True

    def close(self) -> None:
        """Say goodbye and end it, without waiting for an answer. `on_gone` is not called any more."""
        self._over = True
        if self.is_open:
            self._protocol.send_close(1000)
            self._pass_on()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once; `on_gone` follows."""
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """Shut the connection down below everything else; from any thread, also while the loop hangs."""
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _shake(self, _response: Response) -> None:
        if self._handshake.done():
            return
        problem = self._protocol.handshake_exc
        if problem is None:
            self._handshake.set_result(None)
            return
        response = getattr(problem, "response", None)
        self._handshake.set_exception(NotConnected(str(problem), status=getattr(response, "status_code", None)))

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.fin and not self._fragments:
            self._on_text(bytes(frame.data))
            return
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            text, self._fragments = b"".join(self._fragments), []
            self._on_text(text)

    def _pass_on(self) -> None:
        """Send what the protocol has to say; an empty text is its end of the stream."""
        transport = self._transport
        for data in self._protocol.data_to_send():
            if transport is None or transport.is_closing():
                return
            if data:
                transport.write(data)
            else:
                transport.close()
        if transport is None:
            return
        if self._protocol.close_expected():
            transport.close()  # a goodbye was said or a rule broken: nobody is waited for
        elif transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            transport.abort()


async def connect(
    url: str,
    *,
    addresses: Sequence[str],
    tls: ssl.SSLContext | None,
    within_seconds: float,
    on_text: Callable[[bytes], None],
    on_gone: Callable[[str], None],
) -> WebSocket:
    """A connection whose handshake is done, to the first of `addresses` that takes it. Raises `NotConnected`."""
    try:
        uri = parse_uri(url)
    except InvalidURI as error:
        raise NotConnected(f"{url} is no address of a WebSocket") from error
    last: Exception = NotConnected(f"{uri.host} has no address")
    for address in addresses:
        try:
            async with asyncio.timeout(within_seconds):
                return await _connect_to(uri, address, tls, on_text, on_gone)
        except (OSError, TimeoutError, InvalidHandshake, NotConnected) as error:
            last = error
            if isinstance(error, NotConnected) and error.status is not None:
                break
    raise last if isinstance(last, NotConnected) else NotConnected(f"{type(last).__name__}: {last}") from last


async def _connect_to(
    uri: WebSocketURI,
    address: str,
    tls: ssl.SSLContext | None,
    on_text: Callable[[bytes], None],
    on_gone: Callable[[str], None],
) -> WebSocket:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(
        lambda: WebSocket(uri, on_text, on_gone),
        host=address,
        port=uri.port,
        ssl=tls if uri.secure else None,
        server_hostname=uri.host if uri.secure else None,
    )
    try:
        await made.shaken()
    except BaseException:
        made.close()
        raise
    return made
