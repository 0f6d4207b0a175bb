"""What a venue's profile gives the shared broker: its conduct declared as values, its documents as values of ours."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from bot.brokers.by_ccxt.calls import CcxtCalls, Dialect, Endpoint
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.key_report import KeyReport
from bot.brokers.rest_lane import OrderCall
from bot.domain.balance import AssetBalance
from bot.domain.cash_event import CashEvent
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker


class VenueProfile(ABC):
    """One account's. Readings raise as those of `BaseBroker` do; nothing is decided here.

    An order is named by its market and its number (`BTC-USDT-123`, `BTCUSDT-123`): these venues find no order by its
    number alone.
    """

    dialect: ClassVar[Dialect]
    # From the least to the most that the venue's way of refusing late orders can keep.
    deadline_seconds: ClassVar[tuple[float, float]]
    # With real money an order is believed absent no sooner than this after its deadline.
    least_margin_seconds: ClassVar[float]
    # Where new orders go, if they can leave in a batch with others'.
    order_endpoint: ClassVar[Endpoint | None] = None
    # What is said to an order that was made by other rules of its market than the venue's present ones.
    market_rules: ClassVar[frozenset[str]]
    # Candles: the venue's word by minutes.
    intervals: ClassVar[Mapping[int, str]]

    def __init__(self, calls: CcxtCalls, *, label: str, quote_currency: str, listed: Callable[[], Markets]) -> None:
        self.calls = calls
        self.listed = listed
        self.label = label
        self.quote_currency = quote_currency

    @staticmethod
    @abstractmethod
    def read_time(calls: CcxtCalls) -> datetime:
        """The venue's time, for which no key is needed."""

    @staticmethod
    @abstractmethod
    def wire_name(symbol: str) -> str:
        """What the venue calls the market, also when it is listed no more."""

    @abstractmethod
    def report(self) -> KeyReport:
        """What the venue says of the key. Raises `KeyUnfit` when the account can't be traded with it."""

    @abstractmethod
    def maintenance(self) -> str:
        """What the venue says of its being out of service, "" when it says nothing. No key is needed."""

    @abstractmethod
    def balances(self) -> Mapping[str, AssetBalance]:
        """Every asset of the trading account."""

    @abstractmethod
    def markets(self) -> Markets:
        """All spot markets."""

    @abstractmethod
    def candles(self, market: Instrument, *, interval_minutes: int, limit: int, now: datetime) -> Sequence[Candle]:
        """The newest closed ones, oldest first; `now` is the venue's time."""

    @abstractmethod
    def quotes(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Quote]:
        """Best bid and ask by symbol; a market without both is left out."""

    @abstractmethod
    def tickers(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Ticker]:
        """The same with what was traded in 24 hours."""

    @abstractmethod
    def depth(self, market: Instrument, *, within_percent: Decimal) -> Decimal | None:
        """What is for sale near the best price; see `BaseBroker.get_depth`."""

    @abstractmethod
    def place(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> str:
        """Send the order; its number at the venue. Any exception that is not one of ours means an unknown outcome."""

    def order_call(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> OrderCall | None:
        """The same order, to leave in a batch with others'; asks nobody. None = not at this venue."""
        return None

    @abstractmethod
    def cancel(self, market_name: str, number: str) -> bool:
        """True = the venue took the request, False = the order is gone."""

    @abstractmethod
    def order_by_client_id(self, client_order_id: str, market_name: str, *, sent_at: datetime) -> VenueOrder | None:
        """Among open and ended orders; `sent_at` is no later than the venue's time of the sending."""

    @abstractmethod
    def order_by_number(self, market_name: str, number: str) -> VenueOrder | None:
        """Among open and ended orders."""

    @abstractmethod
    def open_orders(self) -> Sequence[VenueOrder]:
        """All of the account."""

    @abstractmethod
    def order_fills(self, market_name: str, number: str, *, since: datetime) -> Sequence[Fill]:
        """Each once."""

    @abstractmethod
    def fills_since(self, since: datetime) -> Sequence[Fill]:
        """Of the whole account, each once."""

    @abstractmethod
    def cash_events(self, since: datetime) -> Sequence[CashEvent]:
        """What changed the account's units without a trade, oldest first, each once."""

    def taker_fee_percent(self, market: Instrument) -> Decimal | None:
        """What this account pays of the notional for taking liquidity there; None = the venue does not say."""
        return None

    def touched(self, symbol: str) -> None:  # noqa: B027 - most venues list the trades of all markets at once
        """An order of ours may be in this market."""

    def expected(self, symbols: Collection[str]) -> None:  # noqa: B027
        """The books hold positions in these markets: trades of them matter."""


def order_name(market_name: str, number: str) -> str:
    """How an order is called outside of the adapter."""
    return f"{market_name}-{number}"


def acknowledged(request: OrderRequest, market: Instrument, number: str) -> OrderAck:
    """The venue has taken our order under this number."""
    return OrderAck(client_order_id=request.client_order_id, venue_order_id=order_name(market.venue_symbol, number))


def named_order(venue_order_id: str) -> tuple[str, str]:
    """The market's name at the venue, and the order's number. Raises `UnreadableReply` for a number alone."""
    market_name, _, number = venue_order_id.rpartition("-")
    if not market_name or not number.isascii() or not number.isdigit():
        raise UnreadableReply(f"{venue_order_id[:64]!r} names no order here: it is MARKET-NUMBER, as in BTC-USDT-12345")
    return market_name, number
