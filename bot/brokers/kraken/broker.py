"""One account at Kraken Spot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from bot.brokers.base import BaseBroker, Urgency
from bot.brokers.book_depth import DEPTH_CALL_SECONDS, DEPTH_LEVELS
from bot.brokers.capabilities import Capabilities, Deadline, FeeTaken, Ledger, PrivateStream, RepeatedId
from bot.brokers.http_session import VenueSession
from bot.brokers.key_report import KeyReport, refuse_without
from bot.brokers.kraken.api import KrakenApi
from bot.brokers.kraken.calls import KrakenCalls
from bot.brokers.kraken.cash_events import KrakenLedger
from bot.brokers.kraken.context import KrakenContext
from bot.brokers.kraken.errors import GONE_ORDER, MARKET_RULES, normal_text
from bot.brokers.kraken.keys import KrakenKey
from bot.brokers.kraken.live_account import LiveAccount
from bot.brokers.kraken.lookups import KrakenLookups
from bot.brokers.kraken.market_data import OHLC_INTERVALS, asked_within, candles_from, quotes_from
from bot.brokers.kraken.nonce import key_fingerprint
from bot.brokers.kraken.order_entry import OrderEntry
from bot.brokers.kraken.orders import order_fields
from bot.brokers.kraken.public_reader import rows_from, ticker_of
from bot.brokers.kraken.symbols import KrakenCatalogue, catalogue_from
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import (
    ZERO,
    as_list,
    as_object,
    clock_time,
    field_of,
    number_of,
    optional_number,
    text_of,
)
from bot.brokers.socket_lane import SocketLane
from bot.brokers.socket_observer import NOBODY, SocketObserver
from bot.brokers.stream_news import NO_NEWS, StreamNews
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.cash_event import CashEvent
from bot.domain.errors import (
    CredentialsRejected,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
)
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, OrderType, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker

# What the bot does with a key, and how Kraken calls the right to it (GetApiKeyInfo).
NEEDED_PERMISSIONS = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades")
# With these money can leave the account, or an address be prepared for it.
WITHDRAW_PERMISSIONS = ("withdraw-funds", "add-withdraw-address", "update-withdraw-address")
TICKERS_PER_CALL = 200
# What the feed has said of a market holds until it says more: it is silent about one that nobody trades.
FED_TICKER_SECONDS = 300.0
# An order may have to wait for this, so it is short; the last measurement does for long after.
TIME_CALL_SECONDS = 2.0

T = TypeVar("T")


class KrakenBroker(BaseBroker):
    """Kraken over REST, and over its private WebSocket while that is live.

    Private REST calls are serialised over all accounts by the context's lock; public ones are not.

    Without a context (in a Python shell) one is made from the settings: the running bot's paper exchange, or a private
    one, or in live mode the real venue with the keys of the environment.
    """

    fees_by_market = True
    capabilities = Capabilities(
        order_types={
            OrderType.MARKET: "market",
            OrderType.LIMIT_IOC: "limit, timeinforce IOC",
            OrderType.LIMIT_GTC: "limit",
            OrderType.STOP: "stop-loss",
        },
        stop_orders=("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit"),
        market_by_quote=True,
        repeated_id=RepeatedId.NEW_ORDER,
        client_id=r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9]{1,18}",
        deadline=Deadline.IN_ORDER,
        fee=FeeTaken.QUOTE,
        private_stream=PrivateStream.ACCOUNT,
        ledger=Ledger.WHOLE,
    )

    def __init__(
        self,
        account_type: AccountType = AccountType.MASTER,
        user_id: str | None = None,
        *,
        context: KrakenContext | None = None,
    ) -> None:
        account = AccountRef(BrokerType.KRAKEN, account_type, user_id)
        if context is None:
            from bot.brokers.bare_shell import kraken_context  # only a shell needs settings and processes

            context = kraken_context(account)
        super().__init__(account, context.balance_book)
        # An order may wait for its turn until its time is over, and is then good for as long again.
        self.settle_seconds = 2 * context.order_deadline_seconds + context.settle_margin_seconds
        self.order_expiry_seconds = context.order_deadline_seconds
        self._context = context
        self._closed = False
        self.permissions: frozenset[str] = frozenset()
        self.venue_clock = VenueClock(context.clock)
        credentials = context.access.credentials
        key = context.keys.key(
            context.nonce_path,
            api_key=credentials.api_key,
            clock=context.clock,
            reserve_milliseconds=context.nonce_reserve_milliseconds,
        )
        self.nonces = key.nonces
        self._rates = key.rates
        self._refused_key = RefusedKey(context.clock, label=account.label, venue="Kraken")
        self._gate = context.gate or VenueGate(context.clock, "kraken")
        self._gate.join(self.account.label)
        self._session = VenueSession(context.reaper, context.limits, context.resolver)
        self._calls = self._make_calls(context, key)
        self._lookups = KrakenLookups(self._private, self._catalogue, self.venue_clock)
        self._ledger = KrakenLedger(self._private, self._catalogue)
        self._live = self._make_live(context, key)
        self._order_entry = OrderEntry(
            self._calls, live=self._live, rates=key.rates, clock=context.clock, observer=_observer(context)
        )
        if self._live is not None:
            self.balance_book.follow(self._live.holdings)
            self.settle_seconds += max(0.0, context.socket_deadline_seconds - context.order_deadline_seconds)

    def _make_live(self, context: KrakenContext, key: KrakenKey) -> LiveAccount | None:
        if context.wire is None or context.access.ws_auth_url is None:
            return None
        return LiveAccount(
            self.account,
            context,
            context.wire,
            context.access.ws_auth_url,
            key=key,
            venue_clock=self.venue_clock,
            gate=self._gate,
            refused_key=self._refused_key,
        )

    def _make_calls(self, context: KrakenContext, key: KrakenKey) -> KrakenCalls:
        credentials = context.access.credentials
        api = KrakenApi(
            base_url=context.access.base_url,
            api_key=credentials.api_key,
            api_secret=credentials.api_secret.get_secret_value(),
            session=self._session,
            nonces=self.nonces,
        )
        return KrakenCalls(
            api,
            label=self.account.label,
            lock=context.locks.for_key(key_fingerprint(credentials.api_key)),
            lock_timeout_seconds=context.lock_timeout_seconds,
            public_call_seconds=context.limits.call_seconds,
            public_budget=context.public_budget or RateBudget(context.clock, name="Kraken's public calls", limit=None),
            key=key,
            clock=context.clock,
            venue_clock=self.venue_clock,
            gate=self._gate,
            refused_key=self._refused_key,
            on_private_call=context.on_private_call,
        )

    @property
    def quote_currency(self) -> str:
        return self._context.quote_currency

    def venue_now(self) -> datetime | None:
        return self.venue_clock.now() if self.venue_clock.is_measured else None

    @property
    def key_refusal(self) -> str:
        return self._refused_key.sentence

    # -- connection -------------------------------------------------------------------------------------------------
    def connect(self) -> bool:
        self.connected = False
        self.venue_clock.measured(self._read_time())
        self.permissions = self._read_permissions()
        refuse_without(
            NEEDED_PERMISSIONS,
            self.permissions,
            label=self.account.label,
            venue="Kraken",
            code="EGeneral:Permission denied",
        )
        self.key_report = KeyReport(
            said_by=f"GetApiKeyInfo lists {len(self.permissions)} rights, with the {len(NEEDED_PERMISSIONS)} needed",
            # Kraken names no account anywhere: the key must stand for it.
            identity=f"key {key_fingerprint(self._context.access.credentials.api_key)}",
            names_account=False,
            withdraw_rights=tuple(name for name in WITHDRAW_PERMISSIONS if name in self.permissions),
        )
        self.connected = True
        return True

    def close(self) -> None:
        self.connected = False
        if not self._closed:
            self._closed = True
            if self._live is not None:
                self._live.close()
            self._session.close()
            self._gate.leave(self.account.label)

    def _read_permissions(self) -> frozenset[str]:
        where = f"{self.account.label}: Kraken GetApiKeyInfo"
        listed = as_list(as_object(self._private("GetApiKeyInfo"), where=where).get("permissions"), where=where)
        return frozenset(str(name) for name in listed)

    def _read_time(self) -> datetime:
        fields = as_object(self._public("Time", call_seconds=TIME_CALL_SECONDS), where="Kraken Time")
        return clock_time(number_of(fields, "unixtime", where="Kraken Time"), where="Kraken Time")

    def get_ws_token(self) -> str:
        """A token for the private WebSocket, to be used within 15 minutes."""
        result = as_object(self._private("GetWebSocketsToken"), where="Kraken GetWebSocketsToken")
        return text_of(result, "token", where="Kraken GetWebSocketsToken")

    # -- private stream ---------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        if self._live is not None:
            self._live.listen(wake)

    def tend_stream(self) -> StreamNews:
        return NO_NEWS if self._live is None else self._live.tend(self.get_ws_token)

    def lane(self) -> SocketLane | None:
        return self._live

    def streamed_order(self, venue_order_id: str) -> VenueOrder | None:
        return None if self._live is None else self._live.view.order(venue_order_id)

    def streamed_order_of(self, client_order_id: str) -> VenueOrder | None:
        return None if self._live is None else self._live.order_by_client_id(client_order_id)

    @property
    def order_way(self) -> str:
        return "" if self._live is None else self._live.order_way

    # -- balances ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        # Balances are held against entries that Kraken dates: after this machine slept, its idea of the time is late.
        self.venue_clock.keep(self._read_time)
        catalogue = self._catalogue()
        entries = as_object(self._private("BalanceEx"), where=f"{self.account.label}: Kraken BalanceEx")
        assets = {catalogue.asset_of(asset): self._balance(asset, entry) for asset, entry in entries.items()}
        return Holdings(assets, self._context.clock.now())

    def _balance(self, asset: str, entry: object) -> AssetBalance:
        where = f"{self.account.label}: Kraken balance of {asset}"
        fields = as_object(entry, where=where)
        held = number_of(fields, "hold_trade", where=where)
        credit = optional_number(fields, "credit", where=where) - optional_number(fields, "credit_used", where=where)
        # The venue moves balance and hold in two steps: for a moment more may be held than there is.
        available = max(ZERO, number_of(fields, "balance", where=where) + credit - held)
        return AssetBalance(available=available, held=held)

    # -- market -----------------------------------------------------------------------------------------------------
    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._catalogue().instruments

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        known = self._context.catalogues.known(self._context.access.base_url)
        return {} if known is None else known.instruments

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        if interval_minutes not in OHLC_INTERVALS:
            raise ValueError(f"Kraken has candles of {OHLC_INTERVALS} minutes, not {interval_minutes}")
        fields = {"pair": self._rest_id(symbol), "interval": str(interval_minutes)}
        return candles_from(self._public("OHLC", fields), where=f"Kraken OHLC {symbol}", limit=limit)

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        quotes = self._fed_quotes(symbols)
        missing = [symbol for symbol in dict.fromkeys(symbols) if symbol not in quotes]
        if not missing:
            return quotes
        catalogue = self._catalogue()
        ids = [pair.rest_id for pair in map(catalogue.pair, missing) if pair is not None]
        for chunk in _chunks(ids, TICKERS_PER_CALL):
            result = self._public("Ticker", {"pair": ",".join(chunk)})
            quotes.update(quotes_from(result, catalogue, taken_at=self._context.clock.now()))
        return quotes

    def get_depth(self, symbol: str, *, within_percent: Decimal) -> Decimal | None:
        fields = {"pair": self._rest_id(symbol), "count": str(DEPTH_LEVELS)}
        result = self._public("Depth", fields, call_seconds=DEPTH_CALL_SECONDS)
        return asked_within(result, within_percent=within_percent, where=f"Kraken Depth {symbol}")

    def _fed_quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        """What the venue's feed has brought lately; nobody is asked."""
        values, most = self._context.values, self._context.max_price_age_seconds
        if values is None:
            return {}
        found = {symbol: values.quote(symbol, max_age_seconds=most) for symbol in symbols}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        values, tickers = self._context.values, dict[str, Ticker]()
        rows = {} if values is None else values.rows()
        now, monotonic = self._context.clock.now(), self._context.clock.monotonic()
        for symbol in dict.fromkeys(symbols):
            row = rows.get(symbol)
            if row is not None and (age := monotonic - row.seen_at) <= FED_TICKER_SECONDS:
                tickers[symbol] = ticker_of(symbol, row, taken_at=now - timedelta(seconds=age))
        missing = [symbol for symbol in symbols if symbol not in tickers]
        return {**tickers, **self._read_tickers(missing)} if missing else tickers

    def _read_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        catalogue, found = self._catalogue(), dict[str, Ticker]()
        ids = [pair.rest_id for pair in map(catalogue.pair, symbols) if pair is not None]
        for chunk in _chunks(ids, TICKERS_PER_CALL):
            result = as_object(self._public("Ticker", {"pair": ",".join(chunk)}), where="Kraken Ticker")
            rows = rows_from(result, catalogue, seen_at=self._context.clock.monotonic())
            now = self._context.clock.now()
            found |= {
                symbol: ticker_of(symbol, row, taken_at=now) for symbol, row in rows.items() if 0 < row.bid <= row.ask
            }
        return found

    def _catalogue(self) -> KrakenCatalogue:
        return self._context.catalogues.get(self._context.access.base_url, self._read_catalogue)

    def _read_catalogue(self) -> KrakenCatalogue:
        # Whoever reads it reads it for all, also for one who has an exit to send and waits.
        with self.urgent(Urgency.EXIT):
            assets = as_object(self._public("Assets"), where="Kraken Assets")
            return catalogue_from(assets, as_object(self._public("AssetPairs"), where="Kraken AssetPairs"))

    def _rest_id(self, symbol: str) -> str:
        pair = self._catalogue().pair(symbol)
        if pair is None:
            raise UnreadableReply(f"Kraken does not list {symbol}")
        return pair.rest_id

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        leave_before = request.leaves_before(self._context.clock.monotonic() + self._context.order_deadline_seconds)
        rest_id = self._rest_id_for_order(request.symbol)
        self.venue_clock.keep(self._read_time)
        self._refuse_without_time()
        fields = partial(self._fields_now, request, rest_id)
        fields()  # what cannot be sent is refused here, before it is anybody's turn
        try:
            return self._order_entry.place(request, rest_id, fields, leave_before=leave_before, urgency=self._urgency)
        except OrderRefused as error:
            if normal_text(error.venue_code).startswith(MARKET_RULES):
                self._context.catalogues.renew(self._context.access.base_url, self._read_catalogue)
            raise
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            # Whatever went wrong with the answer, the order may be in the book.
            raise OutcomeUnknown(f"{self.account.label}: after sending an order: {error}") from error

    def cancel_order(self, venue_order_id: str) -> bool:
        try:
            return self._order_entry.cancel(venue_order_id, urgency=self._urgency)
        except (RetryLater, CredentialsRejected):
            raise
        except (OrderRefused, OutcomeUnknown) as error:
            if normal_text(error.venue_code) in GONE_ORDER:
                return False
            raise OutcomeUnknown(str(error), venue_code=error.venue_code) from error
        except Exception as error:
            raise OutcomeUnknown(f"{self.account.label}: after sending a cancel: {error}") from error

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        shown = None if self._live is None else self._live.order_by_client_id(client_order_id)
        if shown is not None:
            return shown
        return self._lookups.find_order(client_order_id, sent_at=sent_at)

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        shown, enough = (None, False) if self._live is None else self._live.order(venue_order_id)
        return shown if enough else self._lookups.get_order(venue_order_id)

    def get_open_orders(self) -> Sequence[VenueOrder]:
        return self._lookups.open_orders()

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        shown = None if self._live is None else self._live.fills_of(venue_order_id)
        return shown if shown is not None else self._lookups.order_fills(venue_order_id)

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        return self._lookups.fills_since(since)

    # -- ledger -----------------------------------------------------------------------------------------------------
    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        return self._ledger.events_since(since, permissions=self.permissions)

    # -- fees -------------------------------------------------------------------------------------------------------
    def fetch_taker_fee_percent(self, symbol: str) -> Decimal | None:
        where = f"{self.account.label}: Kraken TradeVolume of {symbol}"
        result = as_object(self._private("TradeVolume", {"pair": self._rest_id(symbol)}), where=where)
        fees = list(as_object(field_of(result, "fees", where=where), where=where).values())
        if len(fees) != 1:
            raise UnreadableReply(f"{where}: {len(fees)} fees where there is one")
        return number_of(as_object(fees[0], where=where), "fee", where=where)

    # -- ways to the venue ------------------------------------------------------------------------------------------

    def _fields_now(self, request: OrderRequest, rest_id: str) -> Mapping[str, str]:
        """The order as it leaves now: its deadline counts from this moment, on the venue's clock."""
        deadline = self.venue_clock.now() + timedelta(seconds=self._context.order_deadline_seconds)
        return order_fields(request, rest_id=rest_id, deadline=deadline)

    def _refuse_without_time(self) -> None:
        """With this machine's clock for the venue's, an order could be good for longer than anybody waits for it."""
        if not self.venue_clock.is_measured:
            raise RetryLater(f"{self.account.label}: not sent: Kraken does not tell its time")

    def _rest_id_for_order(self, symbol: str) -> str:
        """Before sending: a market that is not listed is refused, a list that can't be read may be readable later."""
        try:
            pair = self._catalogue().pair(symbol)
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if pair is None:
            raise OrderRefused(f"Kraken does not list {symbol}", venue_code="EQuery:Unknown asset pair")
        return pair.rest_id

    def _public(
        self, method: str, fields: Mapping[str, str] | None = None, *, call_seconds: float | None = None
    ) -> object:
        return self._calls.public(method, fields, urgency=self._urgency, call_seconds=call_seconds)

    def _private(self, method: str, fields: Mapping[str, str] | None = None) -> object:
        return self._calls.private(method, fields, urgency=self._urgency)


def _observer(context: KrakenContext) -> SocketObserver:
    return NOBODY if context.wire is None else context.wire.observer


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
