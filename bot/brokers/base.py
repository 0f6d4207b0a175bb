"""What every brokerage can be asked. An adapter signs, calls, parses and maps errors; it decides nothing.

Every call has a deadline. Errors are those of `bot.domain.errors`: readings raise `UnreadableReply`, `RetryLater` or
`CredentialsRejected`; `place_order` raises `OrderRefused` or `RetryLater` only on the venue's own word that nothing
was accepted, and `OutcomeUnknown` for anything else after sending.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

from bot.brokers.balance_book import BalanceBook
from bot.brokers.capabilities import UNSTATED, Capabilities
from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.brokers.fee_book import EVERY_MARKET, FeeBook
from bot.brokers.key_report import KeyReport
from bot.brokers.socket_lane import SocketLane
from bot.brokers.stream_news import NO_NEWS, StreamNews
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.balance import BalanceReading, Holdings
from bot.domain.cash_event import CashEvent
from bot.domain.errors import BalanceUnknown, CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderKind, OrderRequest, OrderType, Side, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker
from bot.domain.trading_session import ALWAYS_OPEN, Awaited, TradingSession

__all__ = ["AccountRef", "AccountType", "BaseBroker", "BrokerType", "Urgency"]


class Urgency(IntEnum):
    """Who goes first at a limited resource; smaller is sooner."""

    EXIT = 0
    CANCEL = 1
    RESOLVE = 2
    ENTRY = 3
    POLL = 4


class BaseBroker(ABC):
    """One account at one brokerage, owned by one thread. Two accounts share no broker object."""

    def __init__(self, account: AccountRef, balance_book: BalanceBook) -> None:
        self.account = account
        self.connected = False
        self.balance_book = balance_book
        # What the venue said of the key at the last connection; None before the first.
        self.key_report: KeyReport | None = None
        self._urgency = Urgency.POLL
        self._fees = FeeBook(balance_book.clock, label=account.label)
        # Assumed while the account's own is not known.
        self.dearest_taker_fee_percent = dearest_taker_fee_percent(account.broker)

    # How long after sending an order may still turn up at the venue. Absence is proven only after this; see the table
    # in docs/architecture.md. Each venue sets its own; this is the longest (a venue without request expiry).
    settle_seconds: float = 125.0
    # The venue itself refuses an order that reaches it later than this after its sending; None = it takes any.
    order_expiry_seconds: float | None = None
    # A limit order that should end at once is cancelled when the venue shows it open for longer than this.
    immediate_limit_seconds: float = 30.0
    # Whether markets of the venue differ in their taker fee.
    fees_by_market = False
    # What the brokerage can do. Each class states its own; an order is held against it before it is sent.
    capabilities: Capabilities = UNSTATED

    @property
    def client_ids_are_forever(self) -> bool:
        """Whether a client order id names one order for ever: the same again can never make a second one."""
        return self.capabilities.client_ids_are_forever

    @property
    def broker_type(self) -> BrokerType:
        return self.account.broker

    @property
    def account_type(self) -> AccountType:
        return self.account.account_type

    @property
    def user_id(self) -> str | None:
        return self.account.user_id

    @property
    def quote_currency(self) -> str:
        """The asset in which this account's cash is counted."""
        return "USD"

    def venue_now(self) -> datetime | None:
        """The venue's time, if it was ever measured: the age of a trade is judged by the clock that dated it."""
        return None

    @property
    def key_refusal(self) -> str:
        """Why nothing private is sent: the venue refuses this account's key. Empty while it takes it."""
        return ""

    @property
    def entry_hindrance(self) -> str:
        """Why the venue would take no entry of this account, by what it last said of it; empty while it would."""
        return ""

    @property
    def absence_doubt(self) -> str:
        """Why not finding an order under an id of ours proves nothing here; empty where it does, after its time.

        Such an order is left to a person.
        """
        return ""

    # -- sessions ---------------------------------------------------------------------------------------------------
    def trading_session(self) -> TradingSession:
        """Whether the venue trades now, as far as is known; any thread may ask, and no venue is asked."""
        return ALWAYS_OPEN

    def renew_trading_session(self) -> TradingSession:
        """The same, after asking the venue if that is due; in the account's own thread. Does not raise."""
        return self.trading_session()

    def awaits(self, symbol: str, side: Side) -> Awaited | None:
        """What an order of this kind would have to wait for now, as far as is known; None = nothing.

        Any thread may ask, and no venue is asked.
        """
        return None

    # -- connection -------------------------------------------------------------------------------------------------
    @abstractmethod
    def connect(self) -> bool:
        """Prove key and permissions with one private call that needs no right; True when the account can be used.

        Raises `KeyUnfit` for a key without a needed right, otherwise `CredentialsRejected`, `RetryLater` or
        `UnreadableReply`, each with a sentence for the operator.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back sockets and files. May be called twice."""

    @contextmanager
    def urgent(self, urgency: Urgency) -> Iterator[None]:
        """Calls made inside this block wait their turn with this urgency (default: `POLL`)."""
        outer, self._urgency = self._urgency, urgency
        try:
            yield
        finally:
            self._urgency = outer

    # -- private stream ---------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:  # noqa: B027 - most venues have nothing to listen to
        """Begin to listen to the venue's private stream, if it has one; `wake` (from any thread) = call `tend_stream`.

        In the account's own thread, after `connect`. A venue without a stream never wakes anybody.
        """

    def tend_stream(self) -> StreamNews:
        """Give the stream what it asks for (a token), and take what it has brought; in the account's own thread.

        Does not raise: a stream that cannot be opened is tried again later, and the readings go on without it.
        """
        return NO_NEWS

    def streamed_order(self, venue_order_id: str) -> VenueOrder | None:
        """An order as the live stream has shown it, complete with its fills, which `get_order_fills` then gives.

        Asks nobody; None = it is not known that way.
        """
        return None

    def streamed_order_of(self, client_order_id: str) -> VenueOrder | None:
        """The same by our own id."""
        return None

    def lane(self) -> SocketLane | None:
        """How this account's orders can go out in one batch with those of others; None = not at all."""
        return None

    @property
    def order_way(self) -> str:
        """How orders go out now and since when or why, for the status; empty where there is only one way."""
        return ""

    # -- balances ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def fetch_holdings(self) -> Holdings:
        """Read all balances from the venue now."""

    def refresh_balance(self, *, max_age_seconds: float | None = None) -> BalanceReading:
        """Read the balances unless a reading younger than `max_age_seconds` (default: the cache time) is there.

        A failed reading is counted and leaves the last known value in place; it never becomes a number.
        """
        if not self.balance_book.needs_read(max_age_seconds):
            return self.balance_book.reading()
        try:
            self.balance_book.record(self.fetch_holdings())
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            self.balance_book.record_failure(str(error))
        return self.balance_book.reading()

    def get_account_balance(self) -> Decimal:
        """Available cash in the quote currency, at most the cache time old. Raises `BalanceUnknown`."""
        reading = self.refresh_balance()
        if reading.holdings is None or reading.reason:
            raise BalanceUnknown(f"{self.account.label}: {reading.reason or 'no balance was read yet'}")
        return reading.holdings.of(self.quote_currency).available

    def get_account_balance_detailed(self) -> BalanceReading:
        """All assets with status, age and the last error; does not raise."""
        return self.refresh_balance()

    def is_available(self) -> bool:
        """False after several failed balance readings in a row."""
        return self.balance_book.available

    def get_error_count(self) -> int:
        """Failed balance readings in a row."""
        return self.balance_book.error_count

    def value_holdings(self, holdings: Holdings) -> Decimal:
        """Cash plus what is held at the bid, in the quote currency; an asset without a price counts nothing.

        For the question whether an account is funded, not for books.
        """
        cash = holdings.of(self.quote_currency).total
        pairs = self.get_trading_pairs()
        symbols = {asset: f"{asset}/{self.quote_currency}" for asset, held in holdings.assets.items() if held.total > 0}
        priced = [symbol for symbol in symbols.values() if symbol in pairs]
        if not priced:
            return cash
        try:
            quotes = self.get_best_bid_ask_batch(priced)
        except (UnreadableReply, RetryLater):
            return cash
        held_value = sum(
            (holdings.of(asset).total * quotes[symbol].bid for asset, symbol in symbols.items() if symbol in quotes),
            Decimal(0),
        )
        return cash + held_value

    def get_positions(self) -> Mapping[str, Decimal]:
        """What is held of each market of the quote currency, base units by symbol, whoever bought it.

        From a reading made now; raises what `fetch_holdings` raises. Assets without such a market are left out.
        """
        holdings = self.fetch_holdings()
        self.balance_book.record(holdings)
        pairs = self.get_trading_pairs()
        held = {f"{asset}/{self.quote_currency}": balance.total for asset, balance in holdings.assets.items()}
        return {symbol: quantity for symbol, quantity in held.items() if symbol in pairs and quantity > 0}

    # -- market -----------------------------------------------------------------------------------------------------
    @abstractmethod
    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        """Every market of the venue by its symbol (`BTC/USD`), read once and kept for a day."""

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        """`get_trading_pairs` as last read for any account of the venue; any thread may ask, and no venue is asked."""
        return self.get_trading_pairs()

    @abstractmethod
    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        """Closed candles, oldest first; the forming one is left out."""

    @abstractmethod
    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Best bid and ask of many symbols in few calls; a symbol without a price is absent."""

    def get_best_bid_ask(self, symbol: str) -> Quote:
        """Best bid and ask of one symbol. Raises `UnreadableReply` when the venue has none."""
        quote = self.get_best_bid_ask_batch([symbol]).get(symbol)
        if quote is None:
            raise UnreadableReply(f"{self.broker_type}: no price for {symbol}")
        return quote

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        """Best bid and ask of many symbols with the volume of the day, where the venue tells it; in few calls.

        A symbol without a price is absent. For a look at many markets, not for an order: what the venue has told
        within the last minutes may be given again.
        """
        quotes = self.get_best_bid_ask_batch(symbols)
        return {symbol: Ticker(quote, tells_volume=False) for symbol, quote in quotes.items()}

    def get_depth(self, symbol: str, *, within_percent: Decimal) -> Decimal | None:
        """For how much (quote units) can be bought at once at prices up to `within_percent` above the best one.

        One public call with a short deadline; None = it is not known, as where nobody has taught the adapter to ask.
        Raises what the other readings raise.
        """
        return None

    # -- orders -----------------------------------------------------------------------------------------------------
    @abstractmethod
    def place_order(self, request: OrderRequest) -> OrderAck:
        """Send one order once. See the module's docstring for what each error means."""

    def request_by_notional(
        self, *, client_order_id: str, symbol: str, side: Side, kind: OrderKind, notional_quote: Decimal
    ) -> OrderRequest:
        """A market order for about `notional_quote`: quantity = notional / price, rounded down, minimum checked.

        Raises ValueError when the venue does not list the symbol or the result is below its minimum.
        """
        instrument = self.get_trading_pairs().get(symbol)
        if instrument is None:
            raise ValueError(f"{self.broker_type} does not list {symbol}")
        quote = self.get_best_bid_ask(symbol)
        price = quote.ask if side is Side.BUY else quote.bid
        quantity = instrument.floor_quantity(notional_quote / price)
        too_small = instrument.below_minimum(quantity, price)
        if too_small:
            raise ValueError(f"{symbol}: {too_small}")
        return OrderRequest(
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            kind=kind,
            order_type=OrderType.MARKET,
            quantity=quantity,
        )

    @abstractmethod
    def cancel_order(self, venue_order_id: str) -> bool:
        """Ask to cancel. True = the venue took the request; False = the order is already gone. Not a final state."""

    @abstractmethod
    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        """Look an order up by our id, among open and ended ones. None = not found *now*, which proves nothing yet."""

    @abstractmethod
    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        """Look an order up by the venue's id."""

    @abstractmethod
    def get_open_orders(self) -> Sequence[VenueOrder]:
        """All open orders of the account, ours or not."""

    @abstractmethod
    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        """The fills of one order, oldest first."""

    def expect_trades(self, symbols: Collection[str]) -> None:  # noqa: B027 - most venues list the trades of all markets
        """In these markets the books hold something, so it may have been sold: for venues that list trades by market.

        Asks nobody; said before each `get_fills_since`.
        """

    @abstractmethod
    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        """All fills of the account executed at or after `since`, oldest first, each trade id once."""

    # -- fees -------------------------------------------------------------------------------------------------------
    def taker_fee_percent(self, symbol: str) -> Decimal | None:
        """What this account pays of the notional for taking liquidity in this market; None = it is not known.

        In the account's own thread: the venue is asked about once a day, with the urgency of a poll. Does not raise.
        """
        key = symbol if self.fees_by_market else EVERY_MARKET
        return self._fees.taker_percent(key, lambda: self.fetch_taker_fee_percent(symbol))

    def known_taker_fee_percent(self, symbol: str) -> Decimal | None:
        """The same as it was last told; nobody is asked."""
        return self._fees.known(symbol if self.fees_by_market else EVERY_MARKET)

    def fetch_taker_fee_percent(self, symbol: str) -> Decimal | None:
        """The same, asked of the venue now; None where there is no way to ask. Raises as the other readings do."""
        return None

    # -- ledger -----------------------------------------------------------------------------------------------------
    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        """What changed the account's units without a trade, at or after `since`, oldest first, each id once.

        May give events from somewhat before `since` too: those that the venue wrote down late. Raises what the other
        readings raise; where a venue has no way to ask, that is an `UnreadableReply`, never an empty list.
        """
        raise UnreadableReply(f"{self.broker_type}: there is no way here to ask for deposits, withdrawals and fees")
