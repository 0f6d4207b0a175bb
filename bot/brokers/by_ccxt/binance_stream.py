"""Binance's stream of an account's own orders, over the WebSocket API: one signed request, then events."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from bot.brokers.account_view import OrderEvent
from bot.brokers.by_ccxt import binance_errors
from bot.brokers.by_ccxt.binance_orders import fill_from, order_from
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.by_ccxt.times import milliseconds
from bot.brokers.replies import as_object, decode_json, optional_text
from bot.brokers.stream_speech import LetDown, Live, StreamSpeech, Told
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.symbol import quote_of

WHERE = "Binance's private WebSocket"
SUBSCRIBE = "userDataStream.subscribe.signature"
HELLO_ID = "hello"
NO_TRADE = -1
TRADE = "TRADE"
# The names of a list's fields by those of an event.
ORDER_FIELDS = {
    "symbol": "s",
    "orderId": "i",
    "side": "S",
    "status": "X",
    "timeInForce": "f",
    "type": "o",
    "origQty": "q",
    "executedQty": "z",
    "cummulativeQuoteQty": "Z",
}
TRADE_FIELDS = {
    "symbol": "s",
    "id": "t",
    "orderId": "i",
    "price": "L",
    "qty": "l",
    "commission": "n",
    "time": "T",
    "isMaker": "m",
}


class BinanceSpeech(StreamSpeech):
    """`now` is the venue's time, `markets` its list as it is known, which nobody is asked for here."""

    path = "/ws-api/v3"

    def __init__(
        self,
        *,
        api_key: str,
        signer: Callable[[], CcxtSigner],
        now: Callable[[], datetime],
        markets: Callable[[], Markets | None],
    ) -> None:
        self._api_key = api_key
        self._signer = signer
        self._now = now
        self._markets = markets
        self._pings = itertools.count(1)

    def ping(self) -> bytes:
        return _message(f"ping{next(self._pings)}", "ping", {})

    def hello(self) -> bytes:
        # In the order of their names, for the signature is over them so.
        params = {"apiKey": self._api_key, "timestamp": milliseconds(self._now())}
        signature = self._signer().signature(urlencode(params))
        return _message(HELLO_ID, SUBSCRIBE, {**params, "signature": signature})

    def understand(self, text: bytes) -> Sequence[Told]:
        message = as_object(decode_json(text, where=WHERE), where=WHERE)
        if "event" in message:
            return self._event(as_object(message["event"], where=WHERE))
        if message.get("id") != HELLO_ID:
            return ()
        if message.get("status") == 200:
            return [Live()]
        error = as_object(message.get("error"), where=WHERE)
        code = str(error.get("code"))
        why = f"Binance: {code} {optional_text(error, 'msg') or ''}".rstrip()
        return [LetDown(why[:200], by_key=code in binance_errors.KEY)]

    def _event(self, event: Mapping[str, object]) -> Sequence[Told]:
        kind = event.get("e")
        if kind == "eventStreamTerminated":
            return [LetDown("Binance has ended the stream")]
        if kind != "executionReport":
            return ()
        markets = self._markets()
        if markets is None or markets.named(str(event.get("s"))) is None:
            raise UnreadableReply(f"{WHERE}: an order in {str(event.get('s'))[:40]!r}, a market that is not known")
        return [_order_event(event, markets)]


def _message(request_id: str, method: str, params: Mapping[str, object]) -> bytes:
    return json.dumps({"id": request_id, "method": method, "params": params}, separators=(",", ":")).encode()


def _order_event(event: Mapping[str, object], markets: Markets) -> OrderEvent:
    fields = {name: event.get(letter) for name, letter in ORDER_FIELDS.items()}
    # A cancel has an id of its own, and the order's stands beside it.
    fields["clientOrderId"] = event.get("C") or event.get("c")
    order = order_from(fields, markets)
    return OrderEvent(
        venue_order_id=order.venue_order_id,
        status=order.status,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity or None,
        filled_quantity=order.filled_quantity,
        fill=_fill(event, order.symbol, markets),
    )


def _fill(event: Mapping[str, object], symbol: str, markets: Markets) -> Fill | None:
    """The trade that the event is of, if it is of one."""
    if event.get("x") != TRADE or event.get("t") in (None, NO_TRADE):
        return None
    fields = {name: event.get(letter) for name, letter in TRADE_FIELDS.items()}
    # A trade without a fee has no currency of it.
    fields["commissionAsset"] = event.get("N") or quote_of(symbol)
    fields["isBuyer"] = event.get("S") == "BUY"
    return fill_from(fields, markets)
