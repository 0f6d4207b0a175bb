"""Alpaca's private stream, `trade_updates`, used as a bell: it says that something was traded, the history says what.

The stream gives a trade an id of its own, and nothing says that the list of activities has the same one.
"""

from collections.abc import Mapping, Sequence

import msgspec

from bot.brokers.replies import as_list, as_object, decode_json, optional_text, text_of
from bot.brokers.stream_speech import LetDown, Live, Say, StreamSpeech, Told

STREAM = "trade_updates"
LISTEN = msgspec.json.encode({"action": "listen", "data": {"streams": [STREAM]}})
# Events after which the account's history is another one.
TRADED = frozenset({"fill", "partial_fill", "trade_bust", "trade_correct"})
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
