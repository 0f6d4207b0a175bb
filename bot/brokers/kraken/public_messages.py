"""What Kraken's public WebSocket v2 says, as typed values.

Numbers arrive as JSON numbers whose trailing zeros mean something (the checksum of a book is made of them), so they
become Decimals straight from the wire's text. Whatever a message has besides the fields here is skipped unread.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec

T = TypeVar("T")
OptionalNumber = Decimal | None


class UnreadableMessage(ValueError):
    """A message that is not what the channel promises; the words say where."""


class Envelope(msgspec.Struct, gc=False):
    """The outside of any message. A push has a channel, an answer has a method; `data` is read by channel."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    method: str = ""
    success: bool | None = None
    req_id: int | None = None
    error: str = ""
    symbol: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")

    @property
    def is_snapshot(self) -> bool:
        return self.type == "snapshot"


class TickerItem(msgspec.Struct, gc=False, frozen=True):
    """Best bid and ask, last price, and the day's figures: volume in base, `change_pct` in percent."""

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    bid_qty: OptionalNumber = None
    ask_qty: OptionalNumber = None
    volume: OptionalNumber = None
    vwap: OptionalNumber = None
    low: OptionalNumber = None
    high: OptionalNumber = None
    change_pct: OptionalNumber = None
    timestamp: str = ""


class TradeItem(msgspec.Struct, gc=False, frozen=True):
    """One trade of anybody's. `trade_id` rises by one from each trade of a market to its next."""

    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: str = ""


class LevelItem(msgspec.Struct, gc=False, frozen=True):
    """One price of a book and how much is there now; quantity 0 = nothing any more."""

    price: Decimal
    qty: Decimal


class BookItem(msgspec.Struct, gc=False, frozen=True):
    """A whole book in a snapshot, the changed prices in an update."""

    symbol: str
    checksum: int
    bids: tuple[LevelItem, ...] = ()
    asks: tuple[LevelItem, ...] = ()


class PairItem(msgspec.Struct, gc=False, frozen=True):
    """A market's rules that may change while we listen."""

    symbol: str
    status: str
    price_precision: int
    qty_precision: int


class InstrumentData(msgspec.Struct, gc=False, frozen=True):
    pairs: tuple[PairItem, ...] = ()


class StatusItem(msgspec.Struct, gc=False, frozen=True):
    """How the venue as a whole is: online, maintenance, cancel_only, post_only, limit_only."""

    system: str


class SubscriptionResult(msgspec.Struct, gc=False, frozen=True):
    """What a subscription's acknowledgement repeats of it."""

    channel: str = ""
    symbol: str | None = None


_envelope = msgspec.json.Decoder(Envelope)
_tickers = msgspec.json.Decoder(list[TickerItem])
_trades = msgspec.json.Decoder(list[TradeItem])
_books = msgspec.json.Decoder(list[BookItem])
_instruments = msgspec.json.Decoder(InstrumentData)
_statuses = msgspec.json.Decoder(list[StatusItem])
_result = msgspec.json.Decoder(SubscriptionResult)


def read_envelope(text: str | bytes) -> Envelope:
    """The outside of a message. Raises `UnreadableMessage`."""
    return _read(_envelope, text, "a message")


def read_tickers(message: Envelope) -> list[TickerItem]:
    return _read(_tickers, message.data, "ticker")


def read_trades(message: Envelope) -> list[TradeItem]:
    return _read(_trades, message.data, "trade")


def read_books(message: Envelope) -> list[BookItem]:
    return _read(_books, message.data, "book")


def read_instruments(message: Envelope) -> InstrumentData:
    return _read(_instruments, message.data, "instrument")


def read_statuses(message: Envelope) -> list[StatusItem]:
    return _read(_statuses, message.data, "status")


def read_result(message: Envelope) -> SubscriptionResult:
    return _read(_result, message.result, "an acknowledgement") if message.result else SubscriptionResult()


def _read(decoder: msgspec.json.Decoder[T], text: str | bytes | msgspec.Raw, what: str) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError) as error:
        raise UnreadableMessage(f"{what}: {error}") from error
