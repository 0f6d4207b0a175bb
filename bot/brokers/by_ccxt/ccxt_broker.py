"""One account at a venue whose requests ccxt signs. What is common is here; each venue's own is in its profile."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from bot.brokers.base import BaseBroker
from bot.brokers.by_ccxt.calls import CcxtCalls
from bot.brokers.by_ccxt.context import CcxtContext
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.profile import VenueProfile, acknowledged, named_order
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.by_ccxt.times import milliseconds
from bot.brokers.http_session import VenueSession
from bot.brokers.open_ways import OpenWays
from bot.brokers.order_stream import OrderStream
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.rest_lane import OrderCall, RestLane
from bot.brokers.socket_lane import SocketLane
from bot.brokers.stream_news import StreamNews
from bot.brokers.stream_speech import StreamSpeech
from bot.brokers.venue_calls import VenueCalls
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef
from bot.domain.balance import Holdings
from bot.domain.cash_event import CashEvent
from bot.domain.errors import (
    ConfigurationError,
    CredentialsRejected,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
    VenueInMaintenance,
)
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker


class CcxtBroker(BaseBroker):
    """A venue whose requests ccxt signs. An id of ours is unique there only while its order is open.

    So an order is never sent again under its id before it is proven absent, and a refusal as a duplicate says that the
    order exists.
    """

    profile: ClassVar[type[VenueProfile]]
    fees_by_market = True

    def __init__(self, account: AccountRef, context: CcxtContext) -> None:
        super().__init__(account, context.balance_book)
        _check(context, self.profile, account)
        self.settle_seconds = context.order_deadline_seconds + context.settle_margin_seconds
        self.order_expiry_seconds = context.order_deadline_seconds
        self._context = context
        self._venue = self.profile.dialect.venue
        self.venue_clock = VenueClock(context.clock)
        self._refused_key = RefusedKey(context.clock, label=account.label, venue=self._venue)
        self._gate = context.gate or VenueGate(context.clock, str(account.broker))
        self._gate.join(account.label)
        self._session = VenueSession(context.reaper, context.limits, context.resolver)
        self._calls = self._make_calls(context)
        self._profile = self.profile(
            self._calls,
            label=account.label,
            quote_currency=context.quote_currency,
            listed=self.get_trading_pairs,
        )

        self._stream = self._make_stream(context)
        self._ways = OpenWays(
            label=account.label,
            lane=self._make_lane(context),
            stream=self._stream,
            session=self._session,
            gate=self._gate,
        )

    def _make_stream(self, context: CcxtContext) -> OrderStream | None:
        if context.wire is None or context.access.ws_auth_url is None:
            return None
        return OrderStream(
            wire=context.wire,
            url=context.access.ws_auth_url.rstrip("/"),
            label=self.account.label,
            is_master=self.account.is_master,
            gather_seconds=context.gather_seconds,
            speech=self._speech(context),
        )

    @abstractmethod
    def _speech(self, context: CcxtContext) -> StreamSpeech:
        """How the venue's private stream is spoken with this account's key."""

    def _make_calls(self, context: CcxtContext) -> CcxtCalls:
        dialect, label, clock = self.profile.dialect, self.account.label, context.clock
        way = VenueCalls(
            venue=str(self.account.broker),
            label=label,
            clock=clock,
            gate=self._gate,
            urgency=lambda: self._urgency,
            refused_key=self._refused_key,
            key_codes=dialect.key_codes,
            on_private_call=context.on_private_call,
        )
        unlimited = RateBudget(clock, name=label, limit=None)
        keys, api_key = context.key_budgets, context.access.credentials.api_key
        return CcxtCalls(
            dialect,
            base_url=context.access.base_url,
            label=label,
            session=self._session,
            limits=context.limits,
            make_signer=self._signer,
            way=way,
            clock=clock,
            venue_clock=self.venue_clock,
            read_time=self.profile.read_time,
            budget=unlimited if keys is None else keys.for_key(api_key, label=label),
            public_budget=context.public_budget or RateBudget(clock, name=self._venue, limit=None),
            order_deadline_seconds=context.order_deadline_seconds,
            headers={"x-simulated-trading": "1"} if context.demo else {},
        )

    def _signer(self, urls: Mapping[str, str]) -> CcxtSigner:
        credentials = self._context.access.credentials
        passphrase = credentials.api_passphrase
        return CcxtSigner(
            self.profile.dialect.exchange_id,
            urls=urls,
            api_key=credentials.api_key,
            api_secret=credentials.api_secret.get_secret_value(),
            passphrase="" if passphrase is None else passphrase.get_secret_value(),
            options=self.profile.dialect.options,
            milliseconds=lambda: milliseconds(self.venue_clock.now()),
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
        try:
            self.venue_clock.measured(self.profile.read_time(self._calls))  # before anything is signed
            self.key_report = self._profile.report()
        except VenueInMaintenance as error:
            raise self._with_its_words(error) from error
        self.connected = True
        return True

    def _with_its_words(self, error: VenueInMaintenance) -> VenueInMaintenance:
        """What the venue's status page says of it, if it says anything."""
        try:
            said = self._profile.maintenance()
        except (RetryLater, UnreadableReply):
            said = ""
        text = f"{error}; {self._venue} says: {said}" if said else str(error)
        return VenueInMaintenance(text, venue_code=error.venue_code, retry_after_seconds=error.retry_after_seconds)

    def close(self) -> None:
        self.connected = False
        self._ways.close()

    # -- private stream ---------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        if self._stream is not None:
            with contextlib.suppress(VenueError):
                self.get_trading_pairs()  # the stream itself asks nobody
        self._ways.listen(wake)

    def tend_stream(self) -> StreamNews:
        for _, refusal in self._ways.take_refusals():
            self._learn(refusal)
        return self._ways.tend()

    # -- balances ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        return Holdings(self._profile.balances(), self._context.clock.now())

    # -- market -----------------------------------------------------------------------------------------------------
    def get_trading_pairs(self) -> Markets:
        return self._context.instruments.get(self._context.access.base_url, self._profile.markets)

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.known(self._context.access.base_url) or {}

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        if interval_minutes not in self.profile.intervals:
            known = sorted(self.profile.intervals)
            raise ValueError(f"{self._venue} has candles of {known} minutes, not {interval_minutes}")
        market = self.get_trading_pairs().get(symbol)
        if market is None:
            raise UnreadableReply(f"{self._venue} does not list {symbol}")
        now = self._calls.venue_clock.now()
        return self._profile.candles(market, interval_minutes=interval_minutes, limit=limit, now=now)

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        listed = self.get_trading_pairs()
        wanted = [listed[symbol] for symbol in dict.fromkeys(symbols) if symbol in listed]
        return self._profile.quotes(wanted, taken_at=self._context.clock.now()) if wanted else {}

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        listed = self.get_trading_pairs()
        wanted = [listed[symbol] for symbol in dict.fromkeys(symbols) if symbol in listed]
        return self._profile.tickers(wanted, taken_at=self._context.clock.now()) if wanted else {}

    def get_depth(self, symbol: str, *, within_percent: Decimal) -> Decimal | None:
        market = self.get_trading_pairs().get(symbol)
        return None if market is None else self._profile.depth(market, within_percent=within_percent)

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        leave_before = request.leaves_before(self._context.clock.monotonic() + self._context.order_deadline_seconds)
        market = self._listed(request.symbol)
        if not self._calls.venue_clock.is_measured:
            # By this machine's clock an order could be good for longer than anybody waits for it.
            raise RetryLater(f"{self.account.label}: not sent: {self._venue} does not tell its time")
        self._profile.touched(request.symbol)
        try:
            number = self._profile.place(request, market, leave_before=leave_before)
        except OrderRefused as error:
            self._learn(error)
            raise
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            # Whatever went wrong with the answer, the order may be in the book.
            raise OutcomeUnknown(f"{self.account.label}: after sending an order: {error}") from error
        return acknowledged(request, market, number)

    # -- orders in a batch with others' -------------------------------------------------------------------------------
    def lane(self) -> SocketLane | None:
        return self._ways.lane

    def could_place(self, symbol: str) -> bool:
        return self._calls.known_time.is_trusted and symbol in self.known_trading_pairs()

    def order_call(self, request: OrderRequest) -> OrderCall | None:
        market = self.known_trading_pairs().get(request.symbol)
        if market is None or self.capabilities.refusal_of(request):
            return None
        leave_before = request.leaves_before(self._context.clock.monotonic() + self._context.order_deadline_seconds)
        return self._profile.order_call(request, market, leave_before=leave_before)

    def _make_lane(self, context: CcxtContext) -> RestLane | None:
        endpoint = self.profile.order_endpoint
        if context.order_wire is None or self.account.is_master or endpoint is None:
            return None
        return RestLane(
            wire=context.order_wire,
            base_url=context.access.base_url,
            label=self.account.label,
            calls=self._calls.way,
            costs=self._calls.costs(endpoint),
            answer_seconds=context.limits.call_seconds,
            desk=self,
        )

    def _learn(self, error: OrderRefused) -> None:
        if error.venue_code in self.profile.market_rules:
            self._context.instruments.renew(self._context.access.base_url, self._profile.markets)

    def _listed(self, symbol: str) -> Instrument:
        try:
            market = self.get_trading_pairs().get(symbol)
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if market is None:
            raise OrderRefused(f"{self._venue} does not list {symbol}", venue_code="unlisted")
        return market

    def cancel_order(self, venue_order_id: str) -> bool:
        market_name, number = named_order(venue_order_id)
        try:
            return self._profile.cancel(market_name, number)
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            raise OutcomeUnknown(f"{self.account.label}: {self._venue} cancel: {error}") from error

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        self._profile.touched(symbol)
        sent_at = self._calls.venue_clock.not_after(sent_at)
        return self._profile.order_by_client_id(client_order_id, self.profile.wire_name(symbol), sent_at=sent_at)

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        market_name, number = named_order(venue_order_id)
        order = self._profile.order_by_number(market_name, number)
        if order is not None and order.venue_order_id != venue_order_id:
            raise UnreadableReply(
                f"{self.account.label}: asked {self._venue} for order {venue_order_id}, given another order"
            )
        if order is not None:
            self._profile.touched(order.symbol)
        return order

    def get_open_orders(self) -> Sequence[VenueOrder]:
        unique = {order.venue_order_id: order for order in self._profile.open_orders()}
        return [order for order in unique.values() if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        market_name, number = named_order(venue_order_id)
        fills = in_order(self._profile.order_fills(market_name, number, since=since))
        if any(fill.venue_order_id != venue_order_id for fill in fills):
            raise UnreadableReply(f"{self.account.label}: asked {self._venue} for fills of one order, given another's")
        return fills

    def expect_trades(self, symbols: Collection[str]) -> None:
        self._profile.expected(symbols)

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        return [fill for fill in in_order(self._profile.fills_since(since)) if fill.executed_at >= since]

    # -- fees -------------------------------------------------------------------------------------------------------
    def fetch_taker_fee_percent(self, symbol: str) -> Decimal | None:
        market = self.get_trading_pairs().get(symbol)
        return None if market is None else self._profile.taker_fee_percent(market)

    # -- ledger -----------------------------------------------------------------------------------------------------
    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        return self._profile.cash_events(since)


def in_order(fills: Sequence[Fill]) -> list[Fill]:
    """Oldest first, each trade of an order once."""
    unique = {(fill.symbol, fill.venue_order_id, fill.trade_id): fill for fill in fills}
    return sorted(unique.values(), key=lambda fill: (fill.executed_at, len(fill.trade_id), fill.trade_id))


def _check(context: CcxtContext, profile: type[VenueProfile], account: AccountRef) -> None:
    """Raises `ConfigurationError`: an order must be proven absent only when it can't arrive any more."""
    least, most = profile.deadline_seconds
    if not least <= context.order_deadline_seconds <= most:
        raise ConfigurationError(
            f"{account.broker}.order_deadline_seconds is {context.order_deadline_seconds:g}; it has to be from "
            f"{least:g} to {most:g}"
        )
    if context.access.mode == "live" and context.settle_margin_seconds < profile.least_margin_seconds:
        raise ConfigurationError(
            f"{account.broker}.settle_margin_seconds is {context.settle_margin_seconds:g}; with real money it is at "
            f"least {profile.least_margin_seconds:g}"
        )
