"""One WebSocket connection to a venue that is kept: made, listened to, and made again when it is lost.

Connected before anything is asked for, so that a token is not spent on a connection that fails. A connection that says
nothing, not even to a ping, is taken for dead.
"""

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.brokers.asked_addresses import asked_addresses
from bot.brokers.connect_budget import ConnectBudget, Rank
from bot.brokers.feed_loop import FeedLoop, pause
from bot.brokers.resolver import Resolver
from bot.brokers.socket_observer import NOBODY, SocketObserver
from bot.brokers.web_socket import NotConnected, WebSocket, connect
from bot.seams.clock import Clock
from bot.seams.ids import IdSource

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
SECOND_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# The edge has said "too many" or turned the address away: as after so many failures, half a minute.
REFUSED_FAILURES = 7
# A connection that lasted so long makes the failures before it forgotten.
HEALTHY_SECONDS = 15.0
# Where connections are taken and do not last, the venue is there: it is tried again sooner.
MOST_SHORT_LIVES = 4
# Of the silence that is allowed: a quiet connection is asked whether it lives.
PING_FRACTION = 1 / 3
# The answer to a ping tells the venue's time, so one is sent now and then in any case.
PING_SECONDS = 60.0
LOOK_FRACTION = 1 / 4


@dataclass(frozen=True, kw_only=True)
class SocketWire:
    """What all sockets of the venue share."""

    feed: FeedLoop
    budget: ConnectBudget
    clock: Clock
    ids: IdSource
    resolver: Resolver
    silence_seconds: float
    observer: SocketObserver = NOBODY


class KeptSocket:
    """`open` and `close` from any thread; the callbacks come on the loop and must not raise or block.

    `on_up` after each handshake, `on_text` for each message, `on_down` with a reason when it is over (not after
    `close`). `kind` says in metrics what it is for, `name` in the log whose it is. `url` has the path. `ping` makes the
    message that the venue answers whatever else there is to say.
    """

    def __init__(
        self,
        *,
        wire: SocketWire,
        url: str,
        name: str,
        kind: str,
        rank: Rank,
        on_up: Callable[[], None],
        on_text: Callable[[bytes], None],
        on_down: Callable[[str], None],
        ping: Callable[[], bytes],
    ) -> None:
        self._wire = wire
        self._url = url
        self._name = name
        self._kind = kind
        self._rank = rank
        self._on_up = on_up
        self._on_text = on_text
        self._on_down = on_down
        # Held for the check and the write together: after `close` has returned nothing leaves any more.
        self._writing = threading.Lock()
        self._connection: WebSocket | None = None
        # Whose turn it is: what is left of an earlier loop, or an earlier opening, does nothing any more.
        self._run_now: object | None = None
        self._attempt: object | None = None
        self._kept: object | None = None
        self._ping = ping
        self._ping_at = -math.inf
        self._failures = 0
        self._problem = ""
        self.heard_at = -math.inf

    # -- any thread -------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Begin to connect, and keep it up until `close`; also again after that."""
        if self._kept is None:
            self._run_now = object()
            self._kept = self._wire.feed.keep(self._run)

    def close(self) -> None:
        """No frame leaves once this has returned, and the connection ends, even while the loop hangs."""
        with self._writing:
            self._run_now = None
            connection, self._connection = self._connection, None
        kept, self._kept = self._kept, None
        if kept is not None:
            self._wire.feed.let_go(kept)
        if connection is None:
            return
        self._wire.observer.socket(self._kind, up=False)
        if self._wire.feed.is_prompt:
            self._wire.feed.call(connection.close)
        else:
            connection.cut()

    @property
    def is_up(self) -> bool:
        return self._connection is not None

    @property
    def is_heard(self) -> bool:
        """Whether the other side has said something lately, and the loop that listens is at work."""
        return self.silent_seconds < self._wire.silence_seconds and self._wire.feed.is_prompt

    @property
    def silent_seconds(self) -> float:
        """How long nothing was heard; infinite without a connection."""
        return math.inf if self._connection is None else self._wire.clock.monotonic() - self.heard_at

    # -- on the loop ------------------------------------------------------------------------------------------------
    def send(self, text: bytes, *, check: Callable[[], bool] = lambda: True) -> bool:
        """Write one message now; False when nothing was written. `check` is asked right before the write."""
        with self._writing:
            connection = self._connection
            return connection is not None and connection.is_open and check() and connection.write(text)

    def drop(self, why: str) -> None:
        """End this connection and make a new one."""
        if self._connection is not None:
            log.info("%s: the connection is given up: %s", self._name, why)
            self._connection.abort()

    async def _run(self) -> None:
        run = self._run_now
        if self._connection is not None:
            # Of a loop that hung and was replaced: nothing may leave on it when that one wakes up.
            self._connection.cut()
            self._lose(self._connection, "its loop was replaced")
        while run is not None and self._run_now is run:
            await self._wire.budget.turn(self._rank)
            if self._run_now is not run:
                return
            try:
                await self._live(run)
            except NotConnected as error:
                self._failed(str(error), refused=error.status is not None)
            if self._run_now is run:
                await pause(self._pause())

    async def _live(self, run: object) -> None:
        """One connection, from the handshake to its end. Raises `NotConnected`."""
        gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        attempt = self._attempt = object()
        connection = await connect(
            self._url,
            addresses=await self._addresses(),
            tls=self._wire.feed.tls if self._url.startswith("wss:") else None,
            within_seconds=CONNECT_SECONDS,
            on_text=lambda text: self._heard(attempt, text),
            on_gone=lambda why: None if gone.done() else gone.set_result(why),
        )
        begun = self._wire.clock.monotonic()
        if not self._take(run, connection):
            connection.close()
            return
        why = "it was closed here"
        try:
            await self._watch(connection, gone)
        finally:
            connection.close()
            if gone.done() and not gone.cancelled():
                why = gone.result()  # lint: it is there
            self._lose(connection, why)
        healthy = self._wire.clock.monotonic() - begun >= HEALTHY_SECONDS
        self._failures = 0 if healthy else min(self._failures, MOST_SHORT_LIVES)
        self._failed(why, refused=False)

    async def _addresses(self) -> Sequence[str]:
        host = urlsplit(self._url).hostname or ""
        try:
            return await asked_addresses(self._wire.resolver, self._wire.clock, host, within_seconds=CONNECT_SECONDS)
        except OSError as error:
            raise NotConnected(str(error)) from error

    def _take(self, run: object, connection: WebSocket) -> bool:
        with self._writing:
            if self._run_now is not run:
                return False
            self._connection = connection
        self.heard_at = self._wire.clock.monotonic()
        self._wire.observer.socket(self._kind, up=True)
        if self._problem:
            log.info("%s: connected again", self._name)
            self._problem = ""
        self._on_up()
        return True

    async def _watch(self, connection: WebSocket, gone: "asyncio.Future[str]") -> None:
        """Until it is over; a quiet one is asked, a silent one is ended."""
        silence = self._wire.silence_seconds
        while connection.is_open:
            await asyncio.wait({gone}, timeout=silence * LOOK_FRACTION)
            if gone.done():
                return
            quiet = self._wire.clock.monotonic() - self.heard_at
            if quiet >= silence:
                self.drop(f"nothing was heard for {quiet:.1f} s")
            elif quiet >= silence * PING_FRACTION or self._wire.clock.monotonic() >= self._ping_at:
                self._ping_at = self._wire.clock.monotonic() + PING_SECONDS
                self.send(self._ping())
        await asyncio.wait({gone}, timeout=CONNECT_SECONDS)

    def _heard(self, attempt: object, text: bytes) -> None:
        if self._attempt is not attempt:
            return
        self.heard_at = self._wire.clock.monotonic()
        try:
            self._on_text(text)
        except Exception:
            log.exception("%s: unexpected error in a message; the connection is made anew", self._name)
            self.drop("a message could not be handled")

    def _lose(self, connection: WebSocket, why: str) -> None:
        with self._writing:
            if self._connection is not connection:
                return
            self._connection = None
        self._wire.observer.socket(self._kind, up=False)
        self._on_down(why)

    def _failed(self, why: str, *, refused: bool) -> None:
        self._failures += 1
        if refused:
            self._failures = max(self._failures, REFUSED_FAILURES)
        if self._run_now is not None and not self._problem:
            log.warning("%s: not connected: %s", self._name, why)
        self._problem = why

    def _pause(self) -> float:
        """Hardly any after the first failure, then longer and longer, and never the same for all."""
        jitter = 0.5 + self._wire.ids.fraction()
        if self._failures <= 1:
            return FIRST_PAUSE_SECONDS * jitter
        return float(min(SECOND_PAUSE_SECONDS * 2 ** min(self._failures - 2, 10), LONGEST_PAUSE_SECONDS)) * jitter
