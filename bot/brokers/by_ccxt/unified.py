"""Any exchange that ccxt knows, opened by naming it in the configuration. Experimental: nobody has tried each of them.

Unified methods are used with numbers as text. What an exchange's class in ccxt claims is not believed where a second
order could come of it: an order leaves once; it carries the very digits that were planned, or it is not sent; and that
there is no order under an id of ours is believed only where the look-up by that id has found another order of ours.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.brokers.amounts import wire_number
from bot.brokers.base import BaseBroker
from bot.brokers.by_ccxt.ccxt_broker import in_order
from bot.brokers.by_ccxt.times import milliseconds
from bot.brokers.by_ccxt.unified_calls import Errand, Wire
from bot.brokers.by_ccxt.unified_conduct import conduct_of
from bot.brokers.by_ccxt.unified_context import UnifiedContext
from bot.brokers.by_ccxt.unified_errors import KEY, ORDER_NOT_FOUND
from bot.brokers.by_ccxt.unified_exchange import Exchange, Row, exchange_for
from bot.brokers.by_ccxt.unified_market import UnifiedMarkets
from bot.brokers.by_ccxt.unified_orders import named_order, order_name
from bot.brokers.by_ccxt.unified_reader import UnifiedReader
from bot.brokers.capabilities import UNSTATED
from bot.brokers.http_session import VenueSession
from bot.brokers.key_report import KeyReport
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import as_object, id_of, optional_text
from bot.brokers.venue_calls import VenueCalls
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef
from bot.domain.balance import Holdings
from bot.domain.errors import (
    ConfigurationError,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
)
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, OrderType, Side, VenueOrder
from bot.domain.quote import Candle, Quote

# A market buy where they are asked for by cost: a limit order that ends at once, so far above the ask.
BOUNDED_BUY = Decimal("1.01")
# ccxt's word for our id, and the word that some exchanges' own parameters have.
ID_NAMES = ("clientOrderId", "client_order_id")
REHEARSED_ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
# What tells that the exchange can't be asked for an order by our id, and nothing of the order.
CANNOT_ASK = frozenset(
    {"ArgumentsRequired", "NotSupported", "BadRequest", "BadSymbol", "InvalidOrder", "ExchangeError"}
)


class UnifiedBroker(BaseBroker):
    """One account at an exchange that ccxt knows."""

    # What it can do, ccxt says when it is opened.
    capabilities = UNSTATED

    def __init__(self, account: AccountRef, context: UnifiedContext) -> None:
        super().__init__(account, context.balance_book)
        self._context = context
        self._closed = False
        self.settle_seconds = context.settle_seconds
        self.venue_clock = VenueClock(context.clock)
        self._session = VenueSession(context.reaper, context.limits, context.resolver)
        self._gate = context.gate or VenueGate(context.clock, str(account.broker))
        self._refused_key = RefusedKey(context.clock, label=account.label, venue=str(account.broker))
        self._wire = self._make_wire(context)
        self._wire.exchange = self._exchange = self._make_exchange(context, self._wire)
        self._venue = self._wire.venue = str(self._exchange.name)
        self._conduct = conduct_of(self._exchange)
        if self._conduct.hindrance:
            raise ConfigurationError(f"{account.broker}: {self._venue} can't be traded here: {self._conduct.hindrance}")
        if self._conduct.passphrase and context.access.credentials.api_passphrase is None:
            raise ConfigurationError(
                f"{account.label}: {self._venue} needs a pass phrase or a user id besides the key; it stands in the "
                f"variable that ends with API_PASSPHRASE"
            )
        self._gate.join(account.label)
        self.capabilities = self._conduct.capabilities()
        self._reader = UnifiedReader(
            self._wire, self._conduct, quote_currency=context.quote_currency, listed=self.get_trading_pairs
        )
        # Under which name ccxt passes our id on, "" = it does not, None = not looked yet.
        self._id_name: str | None = None if context.passes_ids else ""
        # Whether the look-up by our id has ever found an order.
        self._look_up_works = False

    def _make_wire(self, context: UnifiedContext) -> Wire:
        label, clock = self.account.label, context.clock
        way = VenueCalls(
            venue=str(self.account.broker),
            label=label,
            clock=clock,
            gate=self._gate,
            urgency=lambda: self._urgency,
            refused_key=self._refused_key,
            key_codes=KEY,
            on_private_call=context.on_private_call,
        )
        keys, api_key = context.key_budgets, context.access.credentials.api_key
        budgets = [context.public_budget or RateBudget(clock, name=str(self.account.broker), limit=None)]
        if keys is not None:
            budgets.append(keys.for_key(api_key, label=label))
        return Wire(
            venue=str(self.account.broker),
            label=label,
            session=self._session,
            limits=context.limits,
            way=way,
            clock=clock,
            venue_clock=self.venue_clock,
            budgets=budgets,
        )

    def _make_exchange(self, context: UnifiedContext, wire: Wire) -> Exchange:
        access, passphrase = context.access, context.access.credentials.api_passphrase
        return exchange_for(
            context.exchange_id,
            api_key=access.credentials.api_key,
            api_secret=access.credentials.api_secret.get_secret_value(),
            passphrase="" if passphrase is None else passphrase.get_secret_value(),
            base_url=access.base_url if access.mode == "paper" else None,
            fetch=wire.fetch,
            milliseconds=lambda: milliseconds(self.venue_clock.now()),
            options=context.options,
        )

    @property
    def quote_currency(self) -> str:
        return self._context.quote_currency

    def venue_now(self) -> datetime | None:
        return self.venue_clock.now() if self.venue_clock.is_measured else None

    @property
    def key_refusal(self) -> str:
        return self._refused_key.sentence

    @property
    def absence_doubt(self) -> str:
        if self._look_up_works:
            return ""
        return (
            f"it was not found, which proves nothing, for {self._venue} has never shown an order by an id of ours; "
            f"look there for an order of this side, size and time"
        )

    @property
    def order_way(self) -> str:
        if self._id_name:
            return f"experimental, through ccxt's {self._exchange.id}; orders carry our id"
        return (
            f"experimental, through ccxt's {self._exchange.id}; orders carry no id of ours, so that one whose outcome "
            f"is unknown needs a person"
        )

    # -- connection -------------------------------------------------------------------------------------------------
    def connect(self) -> bool:
        self.connected = False
        self._keep_time()
        self.get_trading_pairs()
        self._reader.balances()
        key = hashlib.sha256(self._context.access.credentials.api_key.encode()).hexdigest()[:16]
        self.key_report = KeyReport(said_by="fetchBalance was answered", identity=f"key {key}", names_account=False)
        self._name_of_ids()
        self.connected = True
        return True

    def _keep_time(self) -> None:
        if self._conduct.clock:
            self.venue_clock.keep(self._reader.time)

    def _name_of_ids(self) -> str:
        """How an order's request is made to carry our id; requests are made for it, and not sent."""
        if self._id_name is None:
            market = next((one for one in self.get_trading_pairs().values() if one.tradable), None)
            if market is None or not self._is_rehearsed(market):
                return ""
            names = (name for name in ID_NAMES if REHEARSED_ID in self._rehearsed(market, {name: REHEARSED_ID}))
            self._id_name = next(names, "")
        return self._id_name

    def _is_rehearsed(self, market: Instrument) -> bool:
        """Whether ccxt makes the order's own request at once; some ask something else before the first one."""
        quantity, price = _rehearsed_numbers(market)
        request = self._rehearsed(market, {})
        return quantity in request and price in request

    def _rehearsed(self, market: Instrument, params: Mapping[str, object]) -> str:
        """A small resting buy that is not sent."""
        quantity, price = _rehearsed_numbers(market)
        return self._wire.rehearse(
            "createOrder", lambda one: one.create_order(market.symbol, "limit", "buy", quantity, price, params)
        )

    def close(self) -> None:
        self.connected = False
        if not self._closed:
            self._closed = True
            self._session.close()
            self._gate.leave(self.account.label)

    # -- balances ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        self._keep_time()
        return Holdings(self._reader.balances(), self._context.clock.now())

    # -- market -----------------------------------------------------------------------------------------------------
    def get_trading_pairs(self) -> UnifiedMarkets:
        markets = self._context.instruments.get(self._context.access.base_url, self._reader.markets)
        if self._exchange.markets is not markets.tables.markets:
            self._exchange.set_markets_from_exchange(markets.tables)
        return markets

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.known(self._context.access.base_url) or {}

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        known = self._reader.intervals()
        if interval_minutes not in known:
            raise ValueError(f"{self._venue} has candles of {sorted(known)} minutes, not {interval_minutes}")
        market = self.get_trading_pairs().get(symbol)
        if market is None:
            raise UnreadableReply(f"{self._venue} does not list {symbol}")
        self._keep_time()
        now = self.venue_clock.now()
        return self._reader.candles(market, interval_minutes=interval_minutes, limit=limit, now=now)

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        listed = self.get_trading_pairs()
        wanted = [listed[symbol] for symbol in dict.fromkeys(symbols) if symbol in listed]
        return self._reader.quotes(wanted, taken_at=self._context.clock.now()) if wanted else {}

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        market = self._market_to_trade(request)
        kind, price = self._kind_and_price(request, market)
        quantity = wire_number(request.quantity, name="quantity")
        words = [quantity] if price is None else [quantity, price]
        params: dict[str, object] = {"timeInForce": "IOC"} if kind == "limit_ioc" else {}
        carries = self._name_of_ids()
        if carries:
            params[carries] = request.client_order_id
        self._reader.traded.touched(request.symbol)
        errand = Errand(
            name="createOrder",
            changes_orders=True,
            mark=request.client_order_id if carries else "",
            amounts=words,
            leave_before=request.leave_before,
            last_look=request.last_look,
        )

        def ask(one: Exchange) -> Row:
            way = "market" if price is None else "limit"
            return one.create_order(request.symbol, way, request.side.value, quantity, price, params)

        try:
            row = self._wire.change(errand, ask)
        except InsufficientFunds:
            raise
        except OrderRefused:
            # The market's rules may have changed since they were read.
            self._context.instruments.renew(self._context.access.base_url, self._reader.markets)
            raise
        if not errand.sent:
            raise OrderRefused(f"not sent: {self._wire.where('createOrder')}: ccxt made no order of it")
        try:
            number = self._accepted_number(row, request, carries=carries != "")
        except UnreadableReply as error:
            raise OutcomeUnknown(str(error)) from error
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order_name(request.symbol, number))

    def _accepted_number(self, row: object, request: OrderRequest, *, carries: bool) -> str:
        """The exchange's number of our order. Raises `UnreadableReply` for an answer that may be about another one."""
        where = self._wire.where("createOrder")
        fields = as_object(row, where=where)
        number = id_of(fields, "id", where=where)
        told = {name: optional_text(fields, name) for name in ("clientOrderId", "symbol", "side")}
        others = (
            carries and told["clientOrderId"] not in (None, request.client_order_id),
            # An acknowledgement may name the market in a way that ccxt can't read.
            told["symbol"] != request.symbol and told["symbol"] in self.get_trading_pairs(),
            told["side"] not in (None, request.side.value),
        )
        if any(others):
            raise UnreadableReply(f"{where}: the answer names order {number}, and it is not what was asked for")
        return number

    def _market_to_trade(self, request: OrderRequest) -> Instrument:
        refused = self.capabilities.refusal_of(request)
        if refused:
            raise OrderRefused(f"not sent: {refused}", venue_code="capability")
        try:
            market = self.get_trading_pairs().get(request.symbol)
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if market is None:
            raise OrderRefused(f"{self._venue} does not list {request.symbol}", venue_code="unlisted")
        self._keep_time()
        return market

    def _kind_and_price(self, request: OrderRequest, market: Instrument) -> tuple[str, str | None]:
        if request.limit_price is not None:
            return request.order_type.value, wire_number(request.limit_price, name="limit price")
        if request.side is Side.SELL or not self._conduct.buys_by_cost:
            return OrderType.MARKET.value, None
        try:
            ask = self.get_best_bid_ask(request.symbol).ask
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        return OrderType.LIMIT_IOC.value, wire_number(market.buy_cap(ask * BOUNDED_BUY), name="limit price")

    def cancel_order(self, venue_order_id: str) -> bool:
        symbol, number = named_order(venue_order_id)
        errand = Errand(name="cancelOrder", changes_orders=True, is_cancel=True, mark=number)
        try:
            self._ready()
            self._wire.change(errand, lambda one: one.cancel_order(number, symbol))
        except OutcomeUnknown as error:
            if error.venue_code == ORDER_NOT_FOUND:
                return False
            raise
        except (OrderRefused, UnreadableReply) as error:
            raise OutcomeUnknown(str(error), venue_code=error.venue_code) from error
        return True

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        """Asked for by our id, and looked for in the lists; see `absence_doubt` for what not finding it means."""
        self._ready()
        self._reader.traded.touched(symbol)
        found = self._by_client_id(symbol, client_order_id)
        if found is not None:
            self._look_up_works = True
            return found
        since = self.venue_clock.not_after(sent_at)
        others = list(self._reader.listed_orders(symbol, since=since))
        for order in others:
            if order.client_order_id == client_order_id:
                return order
        self._try_the_look_up([order for order in others if order.client_order_id])
        return None

    def _by_client_id(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        try:
            return self._reader.order_by_client_id(symbol, client_order_id)
        except UnreadableReply as error:
            if error.venue_code in CANNOT_ASK:
                return None
            raise

    def _try_the_look_up(self, known: Sequence[VenueOrder]) -> None:
        """An order that is in the lists has to be found by its id, or not finding one by it proves nothing."""
        if known and not self._look_up_works:
            order = known[-1]
            found = self._by_client_id(order.symbol, order.client_order_id or "")
            self._look_up_works = found is not None and found.venue_order_id == order.venue_order_id

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        symbol, number = named_order(venue_order_id)
        self._ready()
        order = self._reader.order_by_number(symbol, number)
        if order is not None and order.venue_order_id != venue_order_id:
            raise UnreadableReply(f"{self.account.label}: asked for order {venue_order_id}, given another order")
        return order

    def get_open_orders(self) -> Sequence[VenueOrder]:
        self._ready()
        unique = {order.venue_order_id: order for order in self._reader.open_orders()}
        return [order for order in unique.values() if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        symbol, number = named_order(venue_order_id)
        self._ready()
        return in_order(self._reader.order_fills(symbol, number, since=since, now=self.venue_clock.now()))

    def expect_trades(self, symbols: Collection[str]) -> None:
        self._reader.traded.expected(symbols)

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        self._ready()
        fills = self._reader.fills_since(since, now=self.venue_clock.now())
        return [fill for fill in in_order(fills) if fill.executed_at >= since]

    def _ready(self) -> None:
        """ccxt knows the markets, and the time that signatures are made by is the exchange's."""
        self._keep_time()
        self.get_trading_pairs()


def _rehearsed_numbers(market: Instrument) -> tuple[str, str]:
    quantity = max(market.minimum_quantity, market.lot_step)
    return wire_number(quantity, name="quantity"), wire_number(market.tick_size * 1000, name="limit price")
