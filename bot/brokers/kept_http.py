"""One HTTP connection of an account that is kept open for its orders, served by the feed loop.

Here many accounts' orders leave one right after the other: no thread has to wake for each, and no connection has to be
opened first. One request at a time; nothing is tried again. What was not written was certainly not sent; whatever was
written and has no complete answer may have arrived.

Venues end connections that are idle, often without a word that arrives in time. So an idle one is made anew before
that, and one on which anything was unclear is not used a second time.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from requests.utils import default_user_agent

from bot.brokers.asked_addresses import asked_addresses
from bot.brokers.feed_loop import FeedLoop, pause
from bot.brokers.http_session import HttpReply, ReplyCut, ReplyLost
from bot.brokers.reply_reader import BadReply, ReplyReader
from bot.brokers.resolver import Resolver
from bot.seams.clock import Clock
from bot.seams.ids import IdSource

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# Shorter than the idle time of the venues' edges (a minute and more).
IDLE_SECONDS = 40.0
# Accounts that were opened together are renewed apart: by up to this part of it later.
IDLE_SPREAD = 0.25
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 60.0
# One that is over sooner is a failure, however it ended: it is not begun anew without a pause.
HEALTHY_SECONDS = 15.0

# The same as any other call of ours says.
_USUAL = {"User-Agent": default_user_agent(), "Accept": "*/*"}
Replied = Callable[[HttpReply | ReplyLost], None]


@dataclass(frozen=True, kw_only=True)
class WrittenRequest:
    """What goes over the wire, to the byte. Its parts hold keys, so it is never shown."""

    verb: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False, default=None)

    def text(self) -> bytes:
        """The whole request as HTTP/1.1. Raises ValueError when a part would break out of its line."""
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        length = {} if self.body is None and self.verb == "GET" else {"Content-Length": str(len(self.body or b""))}
        headers = {**_USUAL, **self.headers, **length, "Host": parts.netloc, "Accept-Encoding": "identity"}
        lines = [f"{self.verb} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if any("\r" in line or "\n" in line for line in lines) or " " in target:
            raise ValueError("a line of the request is broken")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (self.body or b"")


@dataclass(frozen=True, kw_only=True)
class HttpWire:
    """What the order connections of all accounts share."""

    feed: FeedLoop
    clock: Clock
    ids: IdSource
    resolver: Resolver
    idle_seconds: float = IDLE_SECONDS


class KeptHttp:
    """`open`, `close` and `is_ready` from any thread; `send` on the loop."""

    def __init__(self, *, wire: HttpWire, base_url: str, name: str) -> None:
        self._wire = wire
        self._base_url = base_url
        self._name = name
        # Held for the check and the write together: after `close` has returned nothing leaves any more.
        self._writing = threading.Lock()
        self._connection: _Connection | None = None
        self._run_now: object | None = None
        self._kept: object | None = None
        self._failures = 0

    def open(self) -> None:
        """Begin to connect, and keep it up until `close`."""
        if self._kept is None:
            self._run_now = object()
            self._kept = self._wire.feed.keep(self._run)

    def close(self) -> None:
        """No request leaves once this has returned, and the connection ends, even while the loop hangs."""
        with self._writing:
            self._run_now = None
            connection, self._connection = self._connection, None
        kept, self._kept = self._kept, None
        if kept is not None:
            self._wire.feed.let_go(kept)
        if connection is not None:
            connection.cut()

    @property
    def is_ready(self) -> bool:
        """Whether a request could be written now."""
        connection = self._connection
        return connection is not None and connection.is_free and self._wire.feed.is_prompt

    # -- on the loop ------------------------------------------------------------------------------------------------
    def send(self, text: bytes, *, within_seconds: float, check: Callable[[], bool], replied: Replied) -> bool:
        """Write one request now; False when no byte of it was written, and then `replied` is never called.

        `check` is asked right before the write. `replied` is called once, at the latest after `within_seconds`.
        """
        with self._writing:
            connection = self._connection
            if connection is None or not connection.is_free or not check():
                return False
            connection.ask(text, replied)
        self._wire.feed.after(within_seconds, lambda: connection.late(replied, within_seconds))
        return True

    async def _run(self) -> None:
        run = self._run_now
        if self._connection is not None:
            # Of a loop that hung and was replaced: nothing may leave on it when that one wakes up.
            old = self._connection
            old.cut()
            self._lose(old)
            old.abandon()
        while run is not None and self._run_now is run:
            try:
                await self._live(run)
                self._failures = 0
            except OSError as error:
                self._failures += 1
                if self._failures == 1:
                    log.info("%s: the connection for orders cannot be opened: %s", self._name, error)
                await pause(self._pause())

    async def _live(self, run: object) -> None:
        """One connection, until it is over or has been idle for long. Raises OSError."""
        connection, begun = await self._connect(), self._wire.clock.monotonic()
        with self._writing:
            if self._run_now is not run:
                connection.cut()
                return
            self._connection = connection
        idle = self._wire.idle_seconds * (1 + IDLE_SPREAD * self._wire.ids.fraction())
        try:
            while not connection.over.done():
                quiet = self._wire.clock.monotonic() - connection.used_at
                if quiet >= idle and connection.is_free:
                    return
                await asyncio.wait({connection.over}, timeout=max(0.05, idle - quiet))
        finally:
            self._lose(connection)
            connection.end()
        if self._wire.clock.monotonic() - begun < HEALTHY_SECONDS:
            raise OSError("it did not last")

    async def _connect(self) -> "_Connection":
        parts = urlsplit(self._base_url)
        secure = parts.scheme == "https"
        problem: OSError = OSError(f"{parts.hostname} has no address")
        for address in await asked_addresses(
            self._wire.resolver, self._wire.clock, parts.hostname or "", within_seconds=CONNECT_SECONDS
        ):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    _, made = await asyncio.get_running_loop().create_connection(
                        lambda: _Connection(self._wire.clock),
                        host=address,
                        port=parts.port or (443 if secure else 80),
                        ssl=self._wire.feed.tls if secure else None,
                        server_hostname=parts.hostname if secure else None,
                    )
                    return made
            except OSError as error:  # a TimeoutError is one, and so is an error of TLS
                problem = error
        raise problem

    def _lose(self, connection: "_Connection") -> None:
        with self._writing:
            if self._connection is connection:
                self._connection = None

    def _pause(self) -> float:
        """Longer and longer, and never the same for all."""
        seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 12), LONGEST_PAUSE_SECONDS)
        return float(seconds * (0.5 + self._wire.ids.fraction()))


class _Connection(asyncio.Protocol):
    """Everything but `cut` and `is_free` is for the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._raw: socket.socket | None = None
        self._reader: ReplyReader | None = None
        self._replied: Replied | None = None
        self._cut_here = False
        self.used_at = clock.monotonic()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_free(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and self._replied is None

    def ask(self, text: bytes, replied: Replied) -> None:
        """From here on the request may be with the venue."""
        assert self._transport is not None
        self._reader, self._replied, self.used_at = ReplyReader(), replied, self._clock.monotonic()
        self._transport.write(text)

    def late(self, replied: Replied, seconds: float) -> None:
        if self._replied is replied:
            self._answer(ReplyLost(f"no complete answer within {seconds:g} s"))
            self.end()

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def abandon(self) -> None:
        """Its own loop does not run any more, so nothing will ever be heard on it."""
        self._answer(ReplyLost("the loop of its connection was replaced"))

    def cut(self) -> None:
        """Shut it down below everything else; from any thread, also while the loop hangs."""
        self._cut_here = True
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)

    # -- what the loop calls ----------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._raw = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.end()  # nobody has asked anything
            return
        try:
            reply = reader.feed(data)
        except BadReply as error:
            self._answer(ReplyLost(str(error)))
            self.end()
            return
        if reply is not None:
            if not reader.keeps_connection:
                self.end()
            self._answer(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        reply = None if self._reader is None else self._reader.end()
        why = "the connection was closed" if exc is None else f"{type(exc).__name__}: {exc}"
        self._answer(reply or (ReplyCut("it was closed here") if self._cut_here else ReplyLost(why)))
        if not self.over.done():
            self.over.set_result(None)

    def _answer(self, outcome: HttpReply | ReplyLost) -> None:
        replied, self._replied, self._reader = self._replied, None, None
        self.used_at = self._clock.monotonic()
        if replied is not None:
            replied(outcome)
