"""A private stream used as a bell: it says that something was traded, the history says what.

For venues whose stream tells no single trades, or tells them by other ids than the history has: booked from both, a
trade could be booked twice. So whatever is told makes the account read its history, at once and once more a moment
later, because the history may be behind the stream.
"""

from collections.abc import Callable
from dataclasses import replace

from bot.brokers.kept_socket import SocketWire
from bot.brokers.order_stream import OrderStream
from bot.brokers.stream_news import StreamNews
from bot.brokers.stream_speech import StreamSpeech

# So long after a trade the history has it, if it was behind.
SECOND_LOOK_SECONDS = 2.0


class TradeBell:
    """One account's. `speech` says `Live` again for each trade; `url` is without the speech's path.

    `listen` and `tend` are for the account's own thread, `close` for any.
    """

    def __init__(self, *, wire: SocketWire, url: str, label: str, is_master: bool, speech: StreamSpeech) -> None:
        self._wire = wire
        self._second_look_at: float | None = None
        self._wake: Callable[[], None] | None = None
        self.stream = OrderStream(
            wire=wire, url=url, label=label, is_master=is_master, gather_seconds=0.0, speech=speech
        )

    def listen(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` means: call `tend`."""
        self._wake = wake
        self.stream.listen(wake)

    def tend(self) -> StreamNews:
        """Whether the history has to be read; trades themselves are never in the news."""
        news, now = self.stream.tend(), self._wire.clock.monotonic()
        if news.missed:
            self._second_look_at = now + SECOND_LOOK_SECONDS
            self._wire.feed.call(self._wake_again)
            return news
        if self._second_look_at is None or now < self._second_look_at:
            return news
        self._second_look_at = None
        return replace(news, missed=True)

    def _wake_again(self) -> None:
        """On the loop."""
        if self._wake is not None:
            self._wire.feed.after(SECOND_LOOK_SECONDS, self._wake)

    def close(self) -> None:
        """Nothing is told any more once this has returned."""
        self.stream.close()
