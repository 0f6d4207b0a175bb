"""Coinbase's private stream, the channel `user`, used as a bell: it tells what orders have filled in all, no trades.

Every message of a connection has the next number; one that is missing may have told of a trade, so the connection is
given up, and the history is read when there is a new one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.brokers.coinbase.orders import STATUSES
from bot.brokers.coinbase.tokens import TOKEN_SECONDS, SecretCannotSign, signed_token
from bot.brokers.replies import as_list, as_object, decode_json, id_of, number_of, optional_text, text_of
from bot.brokers.stream_speech import LetDown, Live, Say, StreamSpeech, Told
from bot.domain.errors import CredentialsRejected, UnreadableReply
from bot.seams.ids import IdSource

USER, HEARTBEATS, SUBSCRIPTIONS = "user", "heartbeats", "subscriptions"
SNAPSHOT = "snapshot"
REFUSED_KEY = "authentication"
WHERE = "Coinbase's private WebSocket"


class CoinbaseSpeech(StreamSpeech):
    """How the stream is spoken: a token for every request, and one channel to a request.

    `now` is the venue's time. `on_gap` is told when messages are missing.
    """

    path = "/"

    def __init__(
        self, *, api_key: str, api_secret: str, now: Callable[[], datetime], ids: IdSource, on_gap: Callable[[], None]
    ) -> None:
        self._api_key = api_key
        self._api_secret = api_secret
        self._now = now
        self._ids = ids
        self._on_gap = on_gap
        self._next_number: int | None = None
        self._begun = False
        # What has been filled in all, of the orders that are open.
        self._filled: dict[str, Decimal] = {}

    def ping(self) -> bytes:
        """Asking for the same again changes nothing, and is answered."""
        return self._subscription(HEARTBEATS)

    def hello(self) -> bytes:
        self._next_number, self._begun, self._filled = None, False, {}
        return self._subscription(USER)

    def understand(self, text: bytes) -> Sequence[Told]:
        message = as_object(decode_json(text, where=WHERE), where=WHERE)
        if message.get("type") == "error":
            why = optional_text(message, "message") or "an error without a word"
            return (LetDown(f"Coinbase: {why[:200]}", by_key=REFUSED_KEY in why.lower()),)
        number, expected = message.get("sequence_num"), self._next_number
        if isinstance(number, int):
            if expected is not None and number > expected:
                self._on_gap()
                return (LetDown(f"message {number} came when {expected} was due"),)
            self._next_number = max(number + 1, expected or 0)
        return self._of_channel(optional_text(message, "channel"), message)

    def _of_channel(self, channel: str | None, message: Mapping[str, object]) -> Sequence[Told]:
        if channel not in (SUBSCRIPTIONS, USER):
            return ()
        events = [as_object(event, where=WHERE) for event in as_list(message.get("events"), where=WHERE)]
        if channel == SUBSCRIPTIONS:
            told = [as_object(event.get("subscriptions"), where=WHERE) for event in events]
            if not any(USER in subscribed for subscribed in told):
                return (LetDown("Coinbase tells of no orders on this connection"),)
            return self._begin()
        traded = [self._has_traded(event) for event in events]
        # What a stream asks for when it begins is what a trade asks for as well: that the history be read.
        return self._begin() or ((Live(),) if any(traded) else ())

    def _begin(self) -> Sequence[Told]:
        """Orders are told from here on. Heartbeats keep a connection open that has nothing else to tell."""
        if self._begun:
            return ()
        self._begun = True
        return (Say(self._subscription(HEARTBEATS)), Live())

    def _has_traded(self, event: Mapping[str, object]) -> bool:
        """Whether an order has filled more than was told before; what is shown at the beginning was there before."""
        changed = [self._has_changed(order) for order in _orders(event)]
        return any(changed) and event.get("type") != SNAPSHOT

    def _has_changed(self, order: Mapping[str, object]) -> bool:
        """The end of an order that has traded counts as well: by then the history has it all."""
        order_id = id_of(order, "order_id", where=WHERE)
        filled = number_of(order, "cumulative_quantity", where=WHERE)
        status = STATUSES.get(text_of(order, "status", where=WHERE))
        before = self._filled.pop(order_id, Decimal(0))
        if status is None or not status.ended:
            self._filled[order_id] = filled
            return filled != before
        return filled > 0

    def _subscription(self, channel: str) -> bytes:
        """Of all products. Raises `CredentialsRejected` when the secret cannot sign."""
        try:
            token = signed_token(
                key_name=self._api_key,
                secret=self._api_secret,
                valid_from=self._now(),
                seconds=TOKEN_SECONDS,
                ids=self._ids,
            )
        except SecretCannotSign:
            raise CredentialsRejected(f"{WHERE}: the API secret cannot sign") from None
        return json.dumps({"type": "subscribe", "channel": channel, "jwt": token}, separators=(",", ":")).encode()


def _orders(event: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The orders of an event; one of an account without any may say null."""
    listed = event.get("orders")
    if listed is None:
        if event.get("type") != SNAPSHOT:
            raise UnreadableReply(f"{WHERE}: an update without orders")
        return []
    return [as_object(order, where=WHERE) for order in as_list(listed, where=WHERE)]
