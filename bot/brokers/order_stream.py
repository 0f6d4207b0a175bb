"""An account's orders as the venue pushes them: its trades reach the books sooner than by any reading.

Most venues neither number their messages nor show what there was before. So whatever happened without a connection
is in the history alone: whenever the stream begins anew the account is told to read that, and the readings go on in any
case.
"""

import logging
import math
from collections.abc import Callable

from bot.brokers.account_view import AccountView, OrderEvent
from bot.brokers.connect_budget import Rank
from bot.brokers.kept_socket import KeptSocket, SocketWire
from bot.brokers.stream_news import StreamNews
from bot.brokers.stream_speech import LetDown, Live, Say, StreamSpeech, Told
from bot.domain.errors import CredentialsRejected, UnreadableReply

log = logging.getLogger(__name__)

# A key that the stream is not opened for is tried again after so long.
REFUSED_AGAIN_SECONDS = 900.0


class OrderStream:
    """`listen` and `tend` are for the account's thread, `close` for any; the rest happens on the loop."""

    def __init__(
        self,
        *,
        wire: SocketWire,
        url: str,
        label: str,
        is_master: bool,
        gather_seconds: float,
        speech: StreamSpeech,
    ) -> None:
        self._wire = wire
        self._label = label
        self._speech = speech
        self.socket = KeptSocket(
            wire=wire,
            url=f"{url}{speech.path}",
            name=f"{label}: private WebSocket",
            kind="master" if is_master else "user",
            rank=Rank.FIRST if is_master else Rank.USER,
            on_up=self._up,
            on_text=self._text,
            on_down=self._down,
            ping=speech.ping,
        )
        # Of it only what has happened is used, for there is no snapshot: it never answers what an order is.
        self._view = AccountView(wire.clock, heard=lambda: False, gather_seconds=gather_seconds)
        self._wake: Callable[[], None] | None = None
        self._connection = 0
        self._live = False
        # How often something may have happened unseen, and how often the account was told so.
        self._breaks = self._breaks_told = 0
        self._again_at = math.inf
        self._problem = ""
        self._closed = False

    # -- the account's thread ---------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` means: call `tend`."""
        self._wake = wake
        if not self._closed:
            self.socket.open()

    def tend(self) -> StreamNews:
        """Take what has happened."""
        if self._wire.clock.monotonic() >= self._again_at and not self._closed:
            self._again_at = math.inf
            self.socket.open()
        live, breaks = self.is_live, self._breaks
        # Only once it is live: what the history does not have then, the stream tells.
        missed = live and breaks != self._breaks_told
        if missed:
            self._breaks_told = breaks
        return StreamNews(fills=self._view.take_fills(), missed=missed, up=live)

    def close(self) -> None:
        """Nothing is told any more once this has returned."""
        self._closed = True
        self._live = False
        self.socket.close()

    @property
    def is_live(self) -> bool:
        return self._live and self.socket.is_heard

    @property
    def problem(self) -> str:
        """Why the stream is not live, as far as it is known."""
        return self._problem

    # -- the loop: the connection -----------------------------------------------------------------------------------
    def _up(self) -> None:
        self._connection += 1
        connection = self._connection
        try:
            self.socket.send(self._speech.hello())
        except CredentialsRejected as error:
            self._let_down(LetDown(str(error), by_key=True))
            return
        self._wire.feed.after(self._wire.silence_seconds, lambda: self._expect_to_live(connection))

    def _expect_to_live(self, connection: int) -> None:
        if connection == self._connection and not self._live:
            self.socket.drop("the venue did not let it in")

    def _down(self, why: str) -> None:
        self._live = False
        self._trouble(why)

    def _let_down(self, said: LetDown) -> None:
        self._live = False
        self._trouble(said.why)
        if said.by_key:
            self._again_at = self._wire.clock.monotonic() + REFUSED_AGAIN_SECONDS
            self.socket.close()
            self._wire.feed.after(REFUSED_AGAIN_SECONDS, self._tell)
        else:
            self.socket.drop(said.why)

    # -- the loop: messages -----------------------------------------------------------------------------------------
    def _text(self, text: bytes) -> None:
        if self._closed:
            return
        try:
            for told in self._speech.understand(text):
                self._take(told)
        except UnreadableReply as error:
            # It may have been a trade.
            self._breaks += 1
            self.socket.drop(str(error))

    def _take(self, told: Told) -> None:
        if isinstance(told, Say):
            self.socket.send(told.message)
        elif isinstance(told, LetDown):
            self._let_down(told)
        elif isinstance(told, Live):
            self._begin()
        else:
            self._happened(told)

    def _begin(self) -> None:
        if self._problem:
            log.info("%s: the private WebSocket is live again", self._label)
        self._problem, self._live = "", True
        self._breaks += 1
        self._tell()

    def _happened(self, event: OrderEvent) -> None:
        if not self._view.happened(event):
            self._breaks += 1
        self._tell_when_ripe()

    # -- telling ----------------------------------------------------------------------------------------------------
    def _trouble(self, why: str) -> None:
        if not self._problem and not self._closed:
            log.warning("%s: the private WebSocket is not live: %s", self._label, why)
        self._problem = why

    def _tell(self) -> None:
        if self._wake is not None and not self._closed:
            self._wake()

    def _tell_when_ripe(self) -> None:
        wait = self._view.ripe_in()
        if wait is None:
            return
        if wait <= 0:
            self._tell()
        else:
            self._wire.feed.after(wait, self._tell_when_ripe)
