"""A small brokerage in memory, for tests of what stands above the brokers. Weak where real venues are weak."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event

from bot.brokers.balance_book import BalanceBook
from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import MarketClosed, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderKind, OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.quote import Candle, Quote
from bot.domain.trading_session import ALWAYS_OPEN, Awaited, TradingSession

START = datetime(2026, 1, 1, tzinfo=UTC)
BTC = Instrument(
    symbol="BTC/USD",
    venue_symbol="BTCUSD",
    lot_step=Decimal("0.00000001"),
    tick_size=Decimal("0.1"),
    minimum_quantity=Decimal("0.00005"),
    minimum_notional=Decimal("0.5"),
)


class TestClock:
    """A clock that moves when it is told to, or when somebody waits."""

    __test__ = False

    def __init__(self) -> None:
        self.seconds = 0.0
        # By how much somebody has set the wall clock.
        self.wall_offset = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.wall_offset)

    def wall_ns(self) -> int:
        return int(self.now().timestamp() * 1_000_000_000)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: Event, timeout_seconds: float) -> bool:
        if not event.is_set():
            self.seconds += max(0.0, timeout_seconds)
        return event.is_set()


class MemoryBroker(BaseBroker):
    """Fills market orders at `price` and IOC limits if the price is within the bound.

    `script` holds what the next placements do instead, in order: an exception to raise (before anything happens), or
    a pair (exception, True) to raise after the order was accepted. `fillable` caps the quantity an order gets, and with
    `stays_open` the rest is worked on until it is cancelled. `held_coins` are tied up in orders of the owner.
    Outside its `session` it takes nothing. `moves` changes balances without a trade, and the ledger tells of it unless
    it is kept `silent`. Of each trade it takes `fee_fraction` in quote.
    """

    settle_seconds = 30.0

    def __init__(self, account: AccountRef, clock: TestClock, *, cash: str = "1000", price: str = "50000") -> None:
        super().__init__(account, BalanceBook(clock))
        self.clock = clock
        self.price = Decimal(price)
        self.cash = Decimal(cash)
        self.coins = Decimal(0)
        self.held_coins = Decimal(0)
        self.fillable: Decimal | None = None
        self.stays_open = False
        self.tells_time = True
        self.session = ALWAYS_OPEN
        self.script: list[Exception | tuple[Exception, bool]] = []
        self.lookups_fail = False
        self.hidden_orders: set[str] = set()
        self.balance_error: str | None = None
        self.history_error: str | None = None
        self.open_orders_error: str | None = None
        self.ledger_error: str | None = None
        # With the time at which each was written into the ledger, whatever it is dated.
        self.ledger: list[tuple[datetime, CashEvent]] = []
        self.fee_fraction = Decimal(0)
        self.unreadable_orders: set[str] = set()
        self.listed = {"BTC/USD": BTC}
        # Markets whose price cannot be read, nor that of any other market in the same call.
        self.poisoned: set[str] = set()
        self.price_calls: list[tuple[str, ...]] = []
        self.received: list[OrderRequest] = []
        self.orders: dict[str, VenueOrder] = {}
        self.fills: list[Fill] = []
        self.on_place: Callable[[OrderRequest], None] = lambda _request: None

    def venue_now(self) -> datetime | None:
        return START + timedelta(seconds=self.clock.seconds) if self.tells_time else None

    def trading_session(self) -> TradingSession:
        return self.session

    def awaits(self, symbol: str, side: Side) -> Awaited | None:
        if self.session.is_open is not False:
            return None
        when = "" if self.session.until is None else f" at {self.session.until:%Y-%m-%d %H:%M} UTC"
        return Awaited(f"the opening{when}", self.session.until)

    def connect(self) -> bool:
        self.connected = True
        return True

    def close(self) -> None:
        self.connected = False

    def fetch_holdings(self) -> Holdings:
        if self.balance_error is not None:
            raise UnreadableReply(self.balance_error)
        assets = {
            "USD": AssetBalance(self.cash, Decimal(0)),
            "BTC": AssetBalance(self.coins - self.held_coins, self.held_coins),
        }
        return Holdings(assets, self.clock.now())

    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return self.listed

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        return []

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.price_calls.append(tuple(symbols))
        for symbol in self.poisoned & set(symbols):
            raise UnreadableReply(f"{symbol} makes no sense")
        return {symbol: Quote(symbol, self.price, self.price, self.clock.now()) for symbol in symbols}

    def place_order(self, request: OrderRequest) -> OrderAck:
        self.on_place(request)
        if self.session.is_open is False:
            raise MarketClosed(self.session.says, opens_at=self.session.until)
        self.received.append(request)
        planned = self.script.pop(0) if self.script else None
        if isinstance(planned, Exception):
            raise planned
        order = self._accept(request)
        if planned is not None:
            raise planned[0]
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order.venue_order_id)

    def by_hand(self, side: Side, quantity: str, *, client_order_id: str | None = None) -> VenueOrder:
        """An order that does not go through the bot, filled at once."""
        return self._accept(_request(side, quantity, client_order_id or "by hand"))

    def resting(self, side: Side, quantity: str, *, client_order_id: str | None = None) -> VenueOrder:
        """An order that does not go through the bot, open."""
        fillable, self.fillable = self.fillable, Decimal(0)
        order = self._accept(_request(side, quantity, client_order_id or "by hand"))
        self.fillable = fillable
        self.orders[order.venue_order_id] = replace(order, status=VenueOrderStatus.OPEN)
        return self.orders[order.venue_order_id]

    def _accept(self, request: OrderRequest) -> VenueOrder:
        quantity = self._fill_quantity(request)
        venue_order_id = f"O{len(self.orders) + 1}"
        order = VenueOrder(
            venue_order_id=venue_order_id,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            status=self._status(quantity == request.quantity),
            quantity=request.quantity,
            filled_quantity=quantity,
            average_price=self.price if quantity else None,
            fee_quote=Decimal(0),
            opened_at=self.clock.now(),
        )
        self.orders[venue_order_id] = order
        if quantity:
            self._fill(order, quantity)
        return order

    def _status(self, complete: bool) -> VenueOrderStatus:
        if complete:
            return VenueOrderStatus.FILLED
        return VenueOrderStatus.OPEN if self.stays_open else VenueOrderStatus.CANCELLED

    def _fill_quantity(self, request: OrderRequest) -> Decimal:
        out_of_bound = request.order_type is OrderType.LIMIT_IOC and (
            request.limit_price < self.price if request.side is Side.BUY else request.limit_price > self.price
        )
        if out_of_bound:
            return Decimal(0)
        return request.quantity if self.fillable is None else min(self.fillable, request.quantity)

    def _fill(self, order: VenueOrder, quantity: Decimal) -> None:
        direction = 1 if order.side is Side.BUY else -1
        fee = quantity * self.price * self.fee_fraction
        self.cash -= direction * quantity * self.price + fee
        self.coins += direction * quantity
        self.fills.append(
            Fill(
                trade_id=f"T{len(self.fills) + 1}",
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=self.price,
                fee=fee,
                fee_currency="USD",
                executed_at=self.clock.now(),
            )
        )

    def cancel_order(self, venue_order_id: str) -> bool:
        order = self.orders[venue_order_id]
        self.orders[venue_order_id] = replace(order, status=VenueOrderStatus.CANCELLED)
        return not order.status.ended

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        if self.lookups_fail:
            raise UnreadableReply("look-up failed")
        if client_order_id in self.hidden_orders:
            return None
        found = [order for order in self.orders.values() if order.client_order_id == client_order_id]
        return found[0] if found else None

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        if venue_order_id in self.unreadable_orders:
            raise UnreadableReply(f"order {venue_order_id} makes no sense")
        return self.orders.get(venue_order_id)

    def get_open_orders(self) -> Sequence[VenueOrder]:
        if self.open_orders_error is not None:
            raise UnreadableReply(self.open_orders_error)
        return [order for order in self.orders.values() if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        return [fill for fill in self.fills if fill.venue_order_id == venue_order_id]

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        if self.history_error is not None:
            raise UnreadableReply(self.history_error)
        return [fill for fill in self.fills if fill.executed_at >= since]

    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        if self.ledger_error is not None:
            raise UnreadableReply(self.ledger_error)
        return [event for written_at, event in self.ledger if written_at >= since]

    def tells(self, event: CashEvent) -> None:
        """Write an event into the ledger now."""
        self.ledger.append((self.clock.now(), event))

    def moves(
        self, kind: CashKind, amount: str, asset: str = "USD", *, at: datetime | None = None, silent: bool = False
    ) -> CashEvent:
        """A deposit, a reward, a later fee, ...; `at` is how the venue dates it."""
        if asset == "USD":
            self.cash += Decimal(amount)
        else:
            self.coins += Decimal(amount)
        event = CashEvent(
            event_id=f"E{len(self.ledger) + 1}",
            kind=kind,
            asset=asset,
            amount=Decimal(amount),
            at=at or self.clock.now(),
        )
        if not silent:
            self.tells(event)
        return event


def _request(side: Side, quantity: str, client_order_id: str) -> OrderRequest:
    return OrderRequest(
        client_order_id=client_order_id,
        symbol="BTC/USD",
        side=side,
        kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
        order_type=OrderType.MARKET,
        quantity=Decimal(quantity),
    )
