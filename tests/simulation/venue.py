"""A brokerage with the weakest semantics any real one has. Its orders and fills are the journal of a run."""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from bot.domain.errors import InsufficientFunds, OrderRefused
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderRequest, Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import base_of
from tests.simulation.clock import WorldClock
from tests.simulation.dice import Dice, FaultRates

LOT = Decimal("0.00000001")
FEE = Decimal("0.0025")
LOOKUP_LAG_SECONDS = 3.0
REQUEST_EXPIRY_SECONDS = 8.0


def _instrument(symbol: str, minimum: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol=symbol.replace("/", ""),
        lot_step=LOT,
        tick_size=Decimal("0.01"),
        minimum_quantity=Decimal(minimum),
        minimum_notional=Decimal("0.5"),
    )


INSTRUMENTS = {"BTC/USD": _instrument("BTC/USD", "0.00005"), "ETH/USD": _instrument("ETH/USD", "0.001")}


@dataclass
class Order:
    """An accepted order. Times are seconds of the world's clock."""

    account: str
    request: OrderRequest
    venue_order_id: str
    sent_at: float
    accepted_at: float
    visible_at: float
    filled: Decimal = Decimal(0)
    status: VenueOrderStatus = VenueOrderStatus.OPEN
    # (when, how much) still to come; when they are through the order ends.
    pieces: list[tuple[float, Decimal]] = field(default_factory=list)

    @property
    def rest(self) -> Decimal:
        return Decimal(0) if self.status.ended else self.request.quantity - self.filled


@dataclass
class SeenFill:
    """A fill and the moment from which the venue shows it."""

    account: str
    order: Order
    fill: Fill
    visible_at: float


@dataclass
class LateRequest:
    """A request still on its way."""

    arrives_at: float
    account: str
    request: OrderRequest
    sent_at: float


class WeakVenue:
    """Client ids are unique among open orders only; what was accepted shows up late; requests arrive late."""

    def __init__(self, clock: WorldClock, dice: Dice, *, fee_in_base: bool) -> None:
        self.clock = clock
        self.dice = dice
        self.rates: FaultRates = dice.rates()
        self.fee_in_base = fee_in_base
        self.prices = {"BTC/USD": Decimal(50000), "ETH/USD": Decimal(2500)}
        self.cash: dict[str, Decimal] = {}
        self.coins: dict[tuple[str, str], Decimal] = {}
        self.orders: list[Order] = []
        self.fills: list[SeenFill] = []
        self._late: list[LateRequest] = []

    def open_account(self, account: str, cash: Decimal, coins: dict[str, Decimal]) -> None:
        self.cash[account] = cash
        for symbol in INSTRUMENTS:
            self.coins[account, symbol] = coins.get(symbol, Decimal(0))

    # -- orders -----------------------------------------------------------------------------------------------------
    def accept(self, account: str, request: OrderRequest, *, sent_at: float, at: float | None = None) -> Order:
        """Take an order or refuse it by raising what a broker would raise."""
        self._check(account, request)
        now = self.clock.seconds if at is None else at
        hidden = self.dice.between(0, LOOKUP_LAG_SECONDS) if self.dice.chance(self.rates.hidden) else 0.0
        order = Order(account, request, f"O{len(self.orders) + 1}", sent_at, now, now + hidden)
        self.orders.append(order)
        self._execute(order)
        return order

    def accept_later(self, account: str, request: OrderRequest) -> None:
        """The request is under way; it carries its expiry, after which the venue drops it."""
        now = self.clock.seconds
        self._late.append(LateRequest(now + self.dice.between(0, 2 * REQUEST_EXPIRY_SECONDS), account, request, now))

    def cancel(self, venue_order_id: str) -> bool:
        order = next(order for order in self.orders if order.venue_order_id == venue_order_id)
        if order.status.ended:
            return False
        self._end(order)
        return True

    def pass_time(self) -> None:
        """Let arrive what is due, and let working orders fill."""
        now = self.clock.seconds
        due = [late for late in self._late if late.arrives_at <= now]
        self._late = [late for late in self._late if late.arrives_at > now]
        for late in due:
            if late.arrives_at - late.sent_at <= REQUEST_EXPIRY_SECONDS:
                self._arrive(late)
        for order in self.orders:
            if not order.status.ended:
                self._work(order, now)

    # -- what can be asked ------------------------------------------------------------------------------------------
    def available(self, account: str, symbol: str) -> Decimal:
        return self.coins[account, symbol] - self._locked(account, symbol)

    def cash_held(self, account: str) -> Decimal:
        return sum(
            (
                order.rest * self._cost_price(order.request)
                for order in self.orders
                if order.account == account and order.request.side is Side.BUY and order.rest > 0
            ),
            Decimal(0),
        )

    def view(self, order: Order) -> VenueOrder:
        return VenueOrder(
            venue_order_id=order.venue_order_id,
            client_order_id=order.request.client_order_id,
            symbol=order.request.symbol,
            side=order.request.side,
            status=order.status,
            quantity=order.request.quantity,
            filled_quantity=order.filled,
            average_price=None,
            fee_quote=Decimal(0),
            opened_at=None,
        )

    def visible_orders(self, account: str) -> list[Order]:
        now = self.clock.seconds
        return [order for order in self.orders if order.account == account and order.visible_at <= now]

    def visible_fills(self, account: str) -> list[Fill]:
        now = self.clock.seconds
        return [seen.fill for seen in self.fills if seen.account == account and seen.visible_at <= now]

    # -- inside -----------------------------------------------------------------------------------------------------
    def _check(self, account: str, request: OrderRequest) -> None:
        for order in self.orders:
            same = order.account == account and order.request.client_order_id == request.client_order_id
            if same and not order.status.ended:
                raise OrderRefused("this client id is that of an open order")
        if INSTRUMENTS[request.symbol].below_minimum(request.quantity, self.prices[request.symbol]):
            raise OrderRefused("below the minimum")
        if request.side is Side.SELL and self.available(account, request.symbol) < request.quantity:
            raise InsufficientFunds("not so many coins")
        cost = request.quantity * self._cost_price(request) * (1 + FEE)
        if request.side is Side.BUY and self.cash[account] - self.cash_held(account) < cost:
            raise InsufficientFunds("not so much cash")

    def _arrive(self, late: LateRequest) -> None:
        try:
            self.accept(late.account, late.request, sent_at=late.sent_at, at=late.arrives_at)
        except OrderRefused:
            return

    def _cost_price(self, request: OrderRequest) -> Decimal:
        return request.limit_price or self.prices[request.symbol]

    def _locked(self, account: str, symbol: str) -> Decimal:
        return sum(
            (
                order.rest
                for order in self.orders
                if order.account == account and order.request.symbol == symbol and order.request.side is Side.SELL
            ),
            Decimal(0),
        )

    def _execute(self, order: Order) -> None:
        request, now = order.request, order.accepted_at
        price = self.prices[request.symbol]
        if request.limit_price is not None and request.limit_price < price:
            self._end(order)
            return
        share = Decimal(1)
        if self.dice.chance(self.rates.partial):
            share = Decimal(str(round(self.dice.between(0, 1), 3)))
        amount = (request.quantity * share).quantize(LOT, ROUND_DOWN)
        if self.dice.chance(self.rates.working):
            first = (amount / 2).quantize(LOT, ROUND_DOWN)
            order.pieces = [
                (now + self.dice.between(0, 4), first),
                (now + self.dice.between(4, self.dice.pick([8, 60])), amount - first),
            ]
        else:
            order.pieces = [(now, amount)]
        self._work(order, now)

    def _work(self, order: Order, now: float) -> None:
        while order.pieces and order.pieces[0][0] <= now:
            at, quantity = order.pieces.pop(0)
            if quantity > 0:
                self._fill(order, quantity, at)
        if not order.pieces:
            self._end(order)

    def _end(self, order: Order) -> None:
        order.pieces = []
        full = order.filled == order.request.quantity
        order.status = VenueOrderStatus.FILLED if full else VenueOrderStatus.CANCELLED

    def _fill(self, order: Order, quantity: Decimal, at: float) -> None:
        request = order.request
        price = self.prices[request.symbol]
        direction = 1 if request.side is Side.BUY else -1
        in_base = self.fee_in_base and request.side is Side.BUY
        fee = quantity * FEE if in_base else quantity * price * FEE
        order.filled += quantity
        self.coins[order.account, request.symbol] += direction * quantity - (fee if in_base else 0)
        self.cash[order.account] -= direction * quantity * price + (0 if in_base else fee)
        lag = self.dice.between(0, LOOKUP_LAG_SECONDS) if self.dice.chance(self.rates.hidden) else 0.0
        # The list of trades is late but never has holes.
        before = max((seen.visible_at for seen in self.fills if seen.account == order.account), default=0.0)
        fill = Fill(
            trade_id=f"T{len(self.fills) + 1}",
            venue_order_id=order.venue_order_id,
            symbol=request.symbol,
            side=request.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=base_of(request.symbol) if in_base else "USD",
            executed_at=self.clock.at(at),
        )
        self.fills.append(SeenFill(order.account, order, fill, max(before, at + lag, order.visible_at)))
