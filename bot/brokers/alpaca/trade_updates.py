"""Alpaca's private stream, `trade_updates`, used as a bell: it says that something was traded, the history says what.

The stream gives a trade an id of its own, and nothing says that the list of activities has the same one: booked from
both, a trade could be booked twice. So each trade that is told makes the account read its history, at once and once
more a moment later, because the list may be behind the stream.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from bot.brokers.kept_socket import SocketWire
from bot.brokers.order_stream import OrderStream
from bot.brokers.replies import as_list, as_object, decode_json, optional_text, text_of
from bot.brokers.stream_news import StreamNews
from bot.brokers.stream_speech import LetDown, Live, Say, StreamSpeech, Told

STREAM = "trade_updates"
LISTEN = msgspec.json.encode({"action": "listen", "data": {"streams": [STREAM]}})
# Events after which the account's history is another one.
TRADED = frozenset({"fill", "partial_fill", "trade_bust", "trade_correct"})
# So long after a trade the list of activities has it, if it was behind.
SECOND_LOOK_SECONDS = 2.0
WHERE = "Alpaca trade_updates"


class AlpacaSpeech(StreamSpeech):
    """How the stream is spoken: a key, then what is wanted. Its messages are JSON, in text or in binary frames."""

    path = "/stream"

    def __init__(self, *, api_key: str, api_secret: str) -> None:
        self._hello = msgspec.json.encode(
            {"action": "authenticate", "data": {"key_id": api_key, "secret_key": api_secret}}
        )
        self._hears = False

    def ping(self) -> bytes:
        """Asking for the same again changes nothing, and is answered."""
        return LISTEN

    def hello(self) -> bytes:
        self._hears = False
        return self._hello

    def understand(self, text: bytes) -> Sequence[Told]:
        fields = as_object(decode_json(text, where=WHERE), where=WHERE)
        stream, data = optional_text(fields, "stream"), fields.get("data")
        if stream == "authorization":
            return _let_in(as_object(data, where=WHERE))
        if stream == "listening":
            return self._listening(as_object(data, where=WHERE))
        if stream != STREAM:
            return ()
        event = text_of(as_object(data, where=WHERE), "event", where=WHERE)
        # What a stream asks for when it begins is what a trade asks for as well: that the history be read.
        return (Live(),) if event in TRADED else ()

    def _listening(self, data: Mapping[str, object]) -> Sequence[Told]:
        if STREAM not in as_list(data.get("streams"), where=WHERE):
            return (LetDown("Alpaca tells of no trades on this connection"),)
        if self._hears:
            return ()  # the answer to a ping
        self._hears = True
        return (Live(),)


def _let_in(data: Mapping[str, object]) -> Sequence[Told]:
    status = text_of(data, "status", where=WHERE)
    if status == "authorized":
        return (Say(LISTEN),)
    return (LetDown(f"Alpaca: {status[:80]}", by_key=status == "unauthorized"),)


class TradeBell:
    """One account's. `listen` and `tend` are for its own thread, `close` for any."""

    def __init__(
        self, *, wire: SocketWire, url: str, label: str, is_master: bool, api_key: str, api_secret: str
    ) -> None:
        self._wire = wire
        self._second_look_at: float | None = None
        self._wake: Callable[[], None] | None = None
        self.stream = OrderStream(
            wire=wire,
            url=url,
            label=label,
            is_master=is_master,
            gather_seconds=0.0,
            speech=AlpacaSpeech(api_key=api_key, api_secret=api_secret),
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
