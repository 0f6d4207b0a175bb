"""Orders, trades, ledger entries and the events the matching engine emits.

All amounts are `Decimal`; all times are integer nanoseconds UTC. "Base" is the asset bought or sold, "quote" the asset
paid with: in BTC/USD the base is BTC and the quote is USD. Nothing here knows a brokerage's wire format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop-loss"
    STOP_LOSS_LIMIT = "stop-loss-limit"
    TAKE_PROFIT = "take-profit"
    TAKE_PROFIT_LIMIT = "take-profit-limit"


class TimeInForce(StrEnum):
    GTC = "gtc"
    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"


class OrderStatus(StrEnum):
    """PENDING waits for its stop's price or for its market to open; OPEN rests in the book; the others are final."""

    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"


LIVE_STATUSES = frozenset({OrderStatus.PENDING, OrderStatus.OPEN})
TRIGGERED_KINDS = frozenset(
    {OrderKind.STOP_LOSS, OrderKind.STOP_LOSS_LIMIT, OrderKind.TAKE_PROFIT, OrderKind.TAKE_PROFIT_LIMIT}
)
STOP_LOSS_KINDS = frozenset({OrderKind.STOP_LOSS, OrderKind.STOP_LOSS_LIMIT})
LIMIT_KINDS = frozenset({OrderKind.LIMIT, OrderKind.STOP_LOSS_LIMIT, OrderKind.TAKE_PROFIT_LIMIT})


class CloseReason(StrEnum):
    """Why an order ended other than by filling; the texts are Kraken's where Kraken has one."""

    USER_REQUESTED = "User requested"
    NOT_FILLED_AT_ONCE = "Immediate or cancel"
    FILL_OR_KILL = "Fill or kill"
    NO_LIQUIDITY = "Market price protection"
    SELF_TRADE = "Self trade prevention"
    INSUFFICIENT_FUNDS = "Insufficient funds"
    REPLACED = "Order replaced"
    WOULD_TRIGGER_AT_ONCE = "Order would trigger immediately"
    POST_ONLY = "Post only order"
    MARKET_HALTED = "Market halted"
    EXPIRED = "Order expired"


class RefusalCode(StrEnum):
    INSUFFICIENT_FUNDS = "insufficient-funds"
    QUANTITY_BELOW_MINIMUM = "quantity-below-minimum"
    NOTIONAL_BELOW_MINIMUM = "notional-below-minimum"
    TICK_SIZE = "tick-size"
    LOT_SIZE = "lot-size"
    POST_ONLY_WOULD_CROSS = "post-only-would-cross"
    STOP_WOULD_TRIGGER = "stop-would-trigger"
    UNKNOWN_SYMBOL = "unknown-symbol"
    MARKET_HALTED = "market-halted"
    CANCEL_ONLY = "cancel-only"
    POST_ONLY_MODE = "post-only-mode"
    LIMIT_ONLY_MODE = "limit-only-mode"
    INVALID_PRICE = "invalid-price"
    INVALID_QUANTITY = "invalid-quantity"
    INVALID_EXPIRY = "invalid-expiry"
    INVALID_COMBINATION = "invalid-combination"
    DEADLINE_ELAPSED = "deadline-elapsed"
    TOO_MANY_OPEN_ORDERS = "too-many-open-orders"
    NO_LIQUIDITY = "no-liquidity"


class Refusal(Exception):
    """An order was not accepted and nothing changed; `detail` is a sentence for a person."""

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class UnknownOrder(Exception):
    """No order of this account has that id."""


class OrderAlreadyClosed(Exception):
    """The order exists and is filled, canceled or expired; `order` says which."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"order {order.order_id} is {order.status.value}")
        self.order = order


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """An order as asked for.

    Exactly one of `quantity` (base units) and `quote_amount` (quote units, market orders only) is set. With
    `quote_includes_fee` the fee is taken out of `quote_amount` (Coinbase), otherwise it comes on top (Kraken).
    `trigger_price` belongs to the stop and take-profit kinds, which trigger on the last traded price. `deadline_ns` is
    the latest time at which the engine may accept the order. `venue_terms` is what else its brokerage has to remember
    of it, in the brokerage's words; the engine only keeps it.
    """

    account_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None
    quote_includes_fee: bool = False
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires_at_ns: int | None = None
    client_order_id: str | None = None
    user_reference: int | None = None
    deadline_ns: int | None = None
    venue_terms: str | None = None


@dataclass(frozen=True, kw_only=True)
class AmendRequest:
    """What to change about a live order; None leaves a term as it is, and it stays the same order.

    `quantity` is that of the whole order, filled parts included: at or below what is filled, the rest is canceled.
    With `post_only` the change is refused if the order would take liquidity. `deadline_ns` is the latest time at which
    the engine may make the change.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    post_only: bool = False
    deadline_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """The terms of an order from `time_ns` on. `amend_id` is None for those that it was placed with.

    `quantity` is that of the whole order and `remaining` what of it was then still to fill, both base units.
    """

    amend_id: str | None
    time_ns: int
    quantity: Decimal
    remaining: Decimal
    limit_price: Decimal | None
    trigger_price: Decimal | None


@dataclass(kw_only=True, eq=False)
class Order:
    """An accepted order. `filled_cost` is quote units, and so is `fee` unless `fee_in_base`, then it is base units.

    `average_price` is None until the first fill. `reserved` is what the order still holds (quote for a buy, base for a
    sell). `queue_ahead` is the generated quantity that stood at its price before it. The fee rates are fractions, fixed
    at acceptance so that a hold always suffices. `sequence` orders by time those at one price. `amendments` are the
    terms it had, the first ones first, and empty unless they were changed; `filled_before` (base) and `spent_before`
    (`exact_spent`) count from the last.
    """

    order_id: str
    new: NewOrder
    sequence: int
    opened_at_ns: int
    status: OrderStatus
    maker_rate: Decimal
    taker_rate: Decimal
    filled_quantity: Decimal = ZERO
    filled_cost: Decimal = ZERO
    exact_cost: Decimal = ZERO
    exact_fee: Decimal = ZERO
    fee: Decimal = ZERO
    reserved: Decimal = ZERO
    queue_ahead: Decimal = ZERO
    triggered_at_ns: int | None = None
    closed_at_ns: int | None = None
    close_reason: str | None = None
    trades: list[str] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)
    filled_before: Decimal = ZERO
    spent_before: Decimal = ZERO
    fee_in_base: bool = False

    @property
    def account_id(self) -> str:
        return self.new.account_id

    @property
    def symbol(self) -> str:
        return self.new.symbol

    @property
    def side(self) -> Side:
        return self.new.side

    @property
    def kind(self) -> OrderKind:
        return self.new.kind

    @property
    def quantity(self) -> Decimal | None:
        return self.new.quantity

    @property
    def quote_amount(self) -> Decimal | None:
        return self.new.quote_amount

    @property
    def limit_price(self) -> Decimal | None:
        return self.new.limit_price

    @property
    def trigger_price(self) -> Decimal | None:
        return self.new.trigger_price

    @property
    def time_in_force(self) -> TimeInForce:
        return self.new.time_in_force

    @property
    def post_only(self) -> bool:
        return self.new.post_only

    @property
    def expires_at_ns(self) -> int | None:
        return self.new.expires_at_ns

    @property
    def client_order_id(self) -> str | None:
        return self.new.client_order_id

    @property
    def user_reference(self) -> int | None:
        return self.new.user_reference

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_STATUSES

    @property
    def touched_at_ns(self) -> int:
        """When it was placed or last amended."""
        return self.amendments[-1].time_ns if self.amendments else self.opened_at_ns

    @property
    def remaining(self) -> Decimal:
        """Base units still to fill; 0 for an order by notional, which never rests."""
        return ZERO if self.new.quantity is None else self.new.quantity - self.filled_quantity

    @property
    def rate_on_top(self) -> Decimal:
        """The dearest fee that comes on top of a buy's cost, in quote; 0 where the fee is taken from what it buys."""
        return ZERO if self.fee_in_base else self.taker_rate

    @property
    def spent(self) -> Decimal:
        """Quote units that a buy's fills have cost in all, fees in quote included."""
        return self.filled_cost if self.fee_in_base else self.filled_cost + self.fee

    @property
    def exact_spent(self) -> Decimal:
        """`spent` before rounding."""
        return self.exact_cost if self.fee_in_base else self.exact_cost + self.exact_fee

    @property
    def average_price(self) -> Decimal | None:
        """Quote per base over all fills, unrounded."""
        return self.exact_cost / self.filled_quantity if self.filled_quantity else None


@dataclass(frozen=True, kw_only=True)
class Trade:
    """One fill of one order. `cost` (without fee) is in quote units; `fee` is too, unless `fee_in_base`."""

    trade_id: str
    trade_number: int
    order_id: str
    account_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    maker: bool
    time_ns: int
    fee_in_base: bool = False


class LedgerKind(StrEnum):
    TRADE = "trade"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"  # charged by itself, not on a fill
    TRANSFER = "transfer"  # between the account and another one of its owner's
    STAKING = "staking"  # a reward
    DIVIDEND = "dividend"  # a payment on what is held
    CONVERSION = "conversion"  # one leg of two, which have one reference
    ADJUSTMENT = "adjustment"  # the brokerage's own correction, such as a split


@dataclass(frozen=True, kw_only=True)
class Movement:
    """A change of a balance that no trade makes: `amount` is signed and without the `fee`, which is never negative."""

    asset: str
    kind: LedgerKind
    amount: Decimal
    fee: Decimal = ZERO


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One change of one balance: `amount` is signed and without the fee, `balance_after` is after amount and fee."""

    ledger_id: str
    account_id: str
    asset: str
    kind: LedgerKind
    amount: Decimal
    fee: Decimal
    balance_after: Decimal
    reference_id: str
    time_ns: int


@dataclass(frozen=True)
class Balance:
    """`held` is the part of `total` that open orders have reserved."""

    total: Decimal
    held: Decimal

    @property
    def available(self) -> Decimal:
        return self.total - self.held


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something the engine did; `order` is a copy as it stood right after."""

    order: Order
    time_ns: int


@dataclass(frozen=True, kw_only=True)
class Accepted(Event):
    """`quantity` is what was asked for in base units; of an order by notional, what the book then gives for it."""

    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Triggered(Event):
    pass


@dataclass(frozen=True, kw_only=True)
class Amended(Event):
    """`order.amendments[-1]` says what holds from now on."""


@dataclass(frozen=True, kw_only=True)
class Filled(Event):
    trade: Trade


@dataclass(frozen=True, kw_only=True)
class Canceled(Event):
    """`order.close_reason` says why."""


@dataclass(frozen=True, kw_only=True)
class Expired(Event):
    pass
