"""A private stream used as a bell: it says that something was traded, the history says what.

For venues whose stream tells no single trades, or tells them by other ids than the history has: booked from both, a
trade could be booked twice. So whatever is told makes the account read its history, at once and once more a moment
later, because the history may be behind the stream.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from bot.brokers.kept_socket import SocketWire
from bot.brokers.order_stream import OrderStream
from bot.brokers.stream_news import StreamNews
from bot.brokers.stream_speech import StreamSpeech

# So long after a trade the history has it, if it was behind.
SECOND_LOOK_SECONDS = 2.0
# An order that is filled in many pieces rings for each of them.
LOOKS_APART_SECONDS = 1.0


class TradeBell:
    """One account's. `speech` says `Live` again for each trade; `url` is without the speech's path.

    `listen` and `tend` are for the account's own thread, `close` for any.
    """

    def __init__(self, *, wire: SocketWire, url: str, label: str, is_master: bool, speech: StreamSpeech) -> None:
        self._wire = wire
        self._wake: Callable[[], None] | None = None
        # When the history is to be read (monotonic seconds), when it last was, and when the account is woken for it.
        self._looks: tuple[float, ...] = ()
        self._looked_at = self._wakes_at = -math.inf
        self.stream = OrderStream(
            wire=wire, url=url, label=label, is_master=is_master, gather_seconds=0.0, speech=speech
        )

    def listen(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` means: call `tend`."""
        self._wake = wake
        self.stream.listen(wake)

    def tend(self) -> StreamNews:
        """Whether the history has to be read now; trades themselves are never in the news."""
        news, now = self.stream.tend(), self._wire.clock.monotonic()
        if news.missed:
            soon = max(now, self._looked_at + LOOKS_APART_SECONDS)
            self._looks = (soon, soon + SECOND_LOOK_SECONDS)
        is_due = any(moment <= now for moment in self._looks)
        if is_due:
            self._looked_at = now
            self._looks = tuple(moment for moment in self._looks if moment > now)
        self._wake_for_the_next(now)
        return replace(news, missed=is_due)

    def _wake_for_the_next(self, now: float) -> None:
        """Once for each moment, however often it is asked about meanwhile."""
        following = min(self._looks, default=None)
        if following is None or now < self._wakes_at <= following:
            return
        self._wakes_at = following
        self._wire.feed.call(lambda: self._wire.feed.after(following - now, self._call))

    def _call(self) -> None:
        """On the loop."""
        wake = self._wake
        if wake is not None:
            wake()

    def close(self) -> None:
        """Nothing is told any more once this has returned."""
        self._wake = None
        self.stream.close()
