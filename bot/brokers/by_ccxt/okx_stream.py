"""OKX's private WebSocket: a login, then the channel of orders. It has no snapshot; every trade is one message."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.brokers.account_view import OrderEvent
from bot.brokers.by_ccxt import okx_errors
from bot.brokers.by_ccxt.okx_orders import fill_from, order_from
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.replies import as_list, as_object, decode_json, optional_text
from bot.brokers.stream_speech import LetDown, Live, Say, StreamSpeech, Told
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill

ORDERS = {"channel": "orders", "instType": "SPOT"}
# What refuses a login: 60004 time, 60005 key, 60006 expired, 60007 signature, 60009 login, 60024 passphrase,
# 60032 no such key. A wrong time is not the key's fault.
KEY_REFUSED = frozenset({"60005", "60007", "60009", "60024", "60032"}) | okx_errors.KEY
WHERE = "OKX's private WebSocket"


class OkxSpeech(StreamSpeech):
    """`now` is the venue's time. `signer` makes the signature of a login."""

    path = "/ws/v5/private"

    def __init__(
        self, *, api_key: str, passphrase: str, signer: Callable[[], CcxtSigner], now: Callable[[], datetime]
    ) -> None:
        self._api_key = api_key
        self._passphrase = passphrase
        self._signer = signer
        self._now = now

    def ping(self) -> bytes:
        return b"ping"

    def hello(self) -> bytes:
        seconds = str(int(self._now().timestamp()))
        login = {
            "apiKey": self._api_key,
            "passphrase": self._passphrase,
            "timestamp": seconds,
            "sign": self._signer().signature(f"{seconds}GET/users/self/verify", base64=True),
        }
        return _message("login", login)

    def understand(self, text: bytes) -> Sequence[Told]:
        if text == b"pong":
            return ()
        message = as_object(decode_json(text, where=WHERE), where=WHERE)
        event = optional_text(message, "event")
        if event is not None:
            return self._answered(event, message)
        if "arg" not in message:
            return ()  # a kind of message that is new
        if as_object(message["arg"], where=WHERE).get("channel") != ORDERS["channel"]:
            return ()
        return list(_events(as_list(message.get("data"), where=WHERE)))

    def _answered(self, event: str, message: Mapping[str, object]) -> Sequence[Told]:
        code = optional_text(message, "code") or okx_errors.OK
        if event == "error" or (code != okx_errors.OK and event in ("login", "subscribe")):
            why = f"OKX: {code} {optional_text(message, 'msg') or ''}".rstrip()
            return [LetDown(why[:200], by_key=code in KEY_REFUSED)]
        if event == "login":
            return [Say(_message("subscribe", ORDERS))]
        return [Live()] if event == "subscribe" else ()


def _message(operation: str, argument: Mapping[str, str]) -> bytes:
    return json.dumps({"op": operation, "args": [argument]}, separators=(",", ":")).encode()


def _events(rows: Sequence[object]) -> Iterator[OrderEvent]:
    for row in rows:
        order = order_from(row)
        yield OrderEvent(
            venue_order_id=order.venue_order_id,
            status=order.status,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity or None,
            filled_quantity=order.filled_quantity,
            fill=_fill(as_object(row, where=WHERE)),
        )


def _fill(fields: Mapping[str, object]) -> Fill | None:
    """The trade that the message is of, if it is of one; its fee has names of its own here."""
    if not fields.get("tradeId") or fields.get("fillSz") in (None, "", "0"):
        return None
    fee = fields.get("fillFee")
    if fee is None or fee == "":
        raise UnreadableReply(f"{WHERE}: a trade without its fee")
    named = {**fields, "fee": fee, "feeCcy": fields.get("fillFeeCcy"), "ts": fields.get("uTime")}
    fill = fill_from(named)
    return fill if fill.quantity > Decimal(0) else None
