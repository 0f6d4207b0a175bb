"""A brokerage with the weakest semantics of a real one. Its orders and fills are the journal of a run."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.brokers.capabilities import RepeatedId
from bot.domain.errors import InsufficientFunds, OrderRefused
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import base_of
from tests.simulation.clock import WorldClock
from tests.simulation.dice import Dice, FaultRates
from tests.simulation.semantics import LOOKUP_LAG_SECONDS, Semantics

FEE = Decimal("0.0025")


def _instrument(symbol: str, lot: str, minimum: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol=symbol.replace("/", ""),
        lot_step=Decimal(lot),
        tick_size=Decimal("0.01"),
        minimum_quantity=Decimal(minimum),
        minimum_notional=Decimal("0.5"),
    )


# One market of fine lots and one of coarse ones, where rounding is worth something.
INSTRUMENTS = {
    "BTC/USD": _instrument("BTC/USD", "0.00000001", "0.00005"),
    "ETH/USD": _instrument("ETH/USD", "0.001", "0.001"),
}


class IdTaken(OrderRefused):
    """There is an order with this client id, so nothing new was made: the adapter must ask which."""


@dataclass
class Order:
    """An accepted order. Times are seconds of the world's clock. `quantity` may be other than what was asked."""

    account: str
    request: OrderRequest
    venue_order_id: str
    sent_at: float
    accepted_at: float
    visible_at: float
    quantity: Decimal
    filled: Decimal = Decimal(0)
    status: VenueOrderStatus = VenueOrderStatus.OPEN
    # (when, how much) still to come; when they are through the order ends.
    pieces: list[tuple[float, Decimal]] = field(default_factory=list)

    @property
    def rest(self) -> Decimal:
        return Decimal(0) if self.status.ended else self.quantity - self.filled


@dataclass
class SeenFill:
    """A fill and the moment from which the venue shows it."""

    account: str
    order: Order
    fill: Fill
    visible_at: float


def received(seen: SeenFill) -> Decimal:
    """Base units added: fees in base off, sales negative."""
    one = seen.fill
    if one.side is Side.SELL:
        return -one.quantity
    return one.quantity - (one.fee if one.fee_currency != "USD" else Decimal(0))


@dataclass
class LateRequest:
    """A request still on its way."""

    arrives_at: float
    account: str
    request: OrderRequest
    sent_at: float
    expires_at: float | None
    nonce: int


class Venue:
    """What was accepted shows up late; requests arrive late; orders may fill in parts, later, at another size."""

    def __init__(self, clock: WorldClock, dice: Dice, semantics: Semantics) -> None:
        self.clock = clock
        self.dice = dice
        self.semantics = semantics
        self.rates: FaultRates = dice.rates()
        self.fee_in_base = dice.chance(0.3)
        self.tells_time = dice.chance(0.7)
        self.prices = {"BTC/USD": Decimal(50000), "ETH/USD": Decimal(2500)}
        self.cash: dict[str, Decimal] = {}
        self.coins: dict[tuple[str, str], Decimal] = {}
        self.orders: list[Order] = []
        self.fills: list[SeenFill] = []
        self._open: list[Order] = []
        self._late: list[LateRequest] = []
        self._late_cancels: list[tuple[float, Order]] = []
        self._nonces: dict[str, int] = {}
        self._last_nonce = 0

    def open_account(self, account: str, cash: Decimal, coins: dict[str, Decimal]) -> None:
        self.cash[account] = cash
        for symbol in INSTRUMENTS:
            self.coins[account, symbol] = coins.get(symbol, Decimal(0))

    # -- orders -----------------------------------------------------------------------------------------------------
    def accept(self, account: str, request: OrderRequest, *, sent_at: float, at: float | None = None) -> Order:
        """Take an order or refuse it by raising what a broker would raise."""
        first = self._same_id(account, request)
        if first is not None:
            return first
        self._check(account, request)
        now = self.clock.seconds if at is None else at
        hidden = self.dice.between(0, LOOKUP_LAG_SECONDS) if self.dice.fault("order hidden", self.rates.hidden) else 0.0
        quantity = request.quantity
        half = INSTRUMENTS[request.symbol].floor_quantity(quantity / 2)
        if half > 0 and self.dice.fault("order of other size", self.rates.other_size):
            quantity = half
        order = Order(account, request, f"O{len(self.orders) + 1}", sent_at, now, now + hidden, quantity)
        self.orders.append(order)
        self._open.append(order)
        self._execute(order)
        return order

    def accept_later(self, late: LateRequest) -> None:
        """The request is under way; it carries its expiry, after which the venue drops it."""
        self._late.append(late)

    def cancel(self, order: Order) -> bool:
        if order.status.ended:
            return False
        self._end(order)
        return True

    def cancel_later(self, order: Order, at: float) -> None:
        """The request to cancel is under way."""
        self._late_cancels.append((at, order))

    def next_nonce(self) -> int:
        """Rising over all calls of all lives of the bot, as they leave."""
        self._last_nonce += 1
        return self._last_nonce

    def heard(self, account: str, nonce: int) -> None:
        """A request of this account arrived."""
        self._nonces[account] = max(nonce, self._nonces.get(account, 0))

    def pass_time(self) -> None:
        """Let arrive what is due, and let working orders fill."""
        now = self.clock.seconds
        if self._late:
            due = sorted((late for late in self._late if late.arrives_at <= now), key=lambda late: late.arrives_at)
            self._late = [late for late in self._late if late.arrives_at > now]
            for late in due:
                self._arrive(late)
        for order in self._open:
            if not order.status.ended:
                self._work(order, now)
        self._open = [order for order in self._open if not order.status.ended]
        for at, order in self._late_cancels:
            if at <= now:
                self.cancel(order)
        self._late_cancels = [(at, order) for at, order in self._late_cancels if at > now]

    # -- what can be asked ------------------------------------------------------------------------------------------
    def find(self, venue_order_id: str) -> Order:
        return self.orders[int(venue_order_id[1:]) - 1]

    def available(self, account: str, symbol: str) -> Decimal:
        return self.coins[account, symbol] - self._locked(account, symbol)

    def cash_held(self, account: str) -> Decimal:
        return sum(
            (
                order.rest * self._cost_price(order.request)
                for order in self._open
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
            quantity=order.quantity,
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
    def _same_id(self, account: str, request: OrderRequest) -> Order | None:
        """The order that answers for a client id that was used before; raises where the venue refuses it."""
        rule = self.semantics.repeated_id
        among = self._open if rule is RepeatedId.NEW_ORDER else self.orders
        for order in among:
            if order.account != account or order.request.client_order_id != request.client_order_id:
                continue
            if rule is RepeatedId.SAME_ORDER:
                return order
            if rule is RepeatedId.REFUSED or not order.status.ended:
                raise IdTaken("there is an order with this client id")
        return None

    def _check(self, account: str, request: OrderRequest) -> None:
        if INSTRUMENTS[request.symbol].below_minimum(request.quantity, self.prices[request.symbol]):
            raise OrderRefused("below the minimum")
        if request.side is Side.SELL and self.available(account, request.symbol) < request.quantity:
            raise InsufficientFunds("not so many coins")
        cost = request.quantity * self._cost_price(request) * (1 + FEE)
        if request.side is Side.BUY and self.cash[account] - self.cash_held(account) < cost:
            raise InsufficientFunds("not so much cash")

    def _arrive(self, late: LateRequest) -> None:
        if late.expires_at is not None and late.arrives_at > late.expires_at:
            return
        if self.semantics.rising_nonces and late.nonce < self._nonces.get(late.account, 0):
            return
        self.heard(late.account, late.nonce)
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
                for order in self._open
                if order.account == account and order.request.symbol == symbol and order.request.side is Side.SELL
            ),
            Decimal(0),
        )

    def _execute(self, order: Order) -> None:
        now = order.accepted_at
        if order.request.order_type is OrderType.LIMIT_GTC:
            # Far from the market: it rests.
            return
        share = Decimal(1)
        if self.dice.fault("partial", self.rates.partial):
            share = Decimal(str(round(self.dice.between(0, 1), 3)))
        floor = INSTRUMENTS[order.request.symbol].floor_quantity
        amount = floor(order.quantity * share)
        if self.dice.fault("slow fill", self.rates.working):
            first = floor(amount / 2)
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
            bound = order.request.limit_price
            if quantity > 0 and (bound is None or bound >= self.prices[order.request.symbol]):
                self._fill(order, quantity, at)
        if not order.pieces and order.request.order_type is not OrderType.LIMIT_GTC:
            self._end(order)

    def _end(self, order: Order) -> None:
        order.pieces = []
        full = order.filled == order.quantity
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
        lag = self.dice.between(0, LOOKUP_LAG_SECONDS) if self.dice.fault("fill hidden", self.rates.hidden) else 0.0
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
