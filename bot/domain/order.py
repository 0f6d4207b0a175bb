"""Orders: what is asked, what the venue says of it, and the states an intent may be in."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    """Entries raise exposure, exits lower it; gates apply to entries only."""

    ENTRY = "entry"
    EXIT = "exit"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT_IOC = "limit_ioc"
    LIMIT_GTC = "limit_gtc"
    # Waits at the venue until the market trades at the stop price, and sells or buys at the market then.
    STOP = "stop"

    @property
    def rests(self) -> bool:
        """Whether it may stay open for as long as nobody cancels it."""
        return self in (OrderType.LIMIT_GTC, OrderType.STOP)


class IntentState(StrEnum):
    """The life of one order of ours. Groups below say which are final."""

    CREATED = "created"  # written down, nothing sent
    SUBMITTED = "submitted"  # committed as "being sent": after a crash its outcome is unknown
    ACKNOWLEDGED = "acknowledged"  # the venue has it, nothing filled yet
    PARTLY_FILLED = "partly_filled"  # live with some fills
    FILLED = "filled"
    CANCELLED = "cancelled"  # ended by cancel or as IOC remainder; may carry fills
    REJECTED = "rejected"  # the venue's own word: it does not exist
    EXPIRED = "expired"  # ended by its time limit; may carry fills
    UNKNOWN = "unknown"  # sent, outcome not known: asked about, never sent again
    ABANDONED = "abandoned"  # never sent, and will not be: too old, skipped, proven absent


FINAL_STATES = frozenset(
    {IntentState.FILLED, IntentState.CANCELLED, IntentState.REJECTED, IntentState.EXPIRED, IntentState.ABANDONED}
)
LIVE_STATES = frozenset({IntentState.ACKNOWLEDGED, IntentState.PARTLY_FILLED})
UNRESOLVED_STATES = frozenset({IntentState.SUBMITTED, IntentState.UNKNOWN})

_S = IntentState
_VENUE_ENDS = {_S.FILLED, _S.CANCELLED, _S.EXPIRED}
ALLOWED_MOVES: dict[IntentState, frozenset[IntentState]] = {
    _S.CREATED: frozenset({_S.SUBMITTED, _S.ABANDONED}),
    _S.SUBMITTED: frozenset(
        {_S.ACKNOWLEDGED, _S.PARTLY_FILLED, _S.REJECTED, _S.UNKNOWN, _S.CREATED, _S.ABANDONED, *_VENUE_ENDS}
    ),
    # Back to created only where the venue takes one id once and for ever: the same order may then be sent again.
    _S.UNKNOWN: frozenset({_S.ACKNOWLEDGED, _S.PARTLY_FILLED, _S.REJECTED, _S.ABANDONED, _S.CREATED, *_VENUE_ENDS}),
    _S.ACKNOWLEDGED: frozenset({_S.PARTLY_FILLED, _S.REJECTED, *_VENUE_ENDS}),
    _S.PARTLY_FILLED: frozenset({_S.PARTLY_FILLED, *_VENUE_ENDS}),
    # The venue is the truth: what it shows of an order that we gave up, late as it is, stands (and raises an alarm).
    _S.ABANDONED: frozenset({_S.ACKNOWLEDGED, _S.PARTLY_FILLED, *_VENUE_ENDS}),
    _S.REJECTED: frozenset({_S.ACKNOWLEDGED, _S.PARTLY_FILLED, *_VENUE_ENDS}),
    _S.CANCELLED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
}


def may_move(old: IntentState, new: IntentState) -> bool:
    """Whether the store accepts this change of state."""
    return old == new or new in ALLOWED_MOVES.get(old, frozenset())


def no_last_look() -> None:
    """Nobody holds it back."""


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """One order, complete, before it is sent. Quantity is base units; a limit type needs a price (quote per base).

    A stop needs a stop price, and has a limit only where the venue knows no other stops (`Capabilities`).
    """

    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    # The order may not leave this machine after this moment (monotonic seconds); the venue's deadline is derived of it.
    leave_before: float | None = None
    # Asked when nothing stands between the order and the wire any more, after every wait for a turn. Raises `HeldBack`.
    last_look: Callable[[], None] = field(default=no_last_look, compare=False, repr=False)

    def leaves_before(self, latest: float) -> float:
        """The earlier of its own moment and `latest` (both monotonic seconds)."""
        return latest if self.leave_before is None else min(latest, self.leave_before)

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, Decimal) or not self.quantity.is_finite() or self.quantity <= 0:
            raise ValueError(f"order quantity must be a positive Decimal, not {self.quantity!r}")
        if (self.order_type is OrderType.STOP) != (self.stop_price is not None):
            raise ValueError("a stop needs a stop price and nothing else has one")
        if self.order_type is not OrderType.STOP and (self.order_type is OrderType.MARKET) != (
            self.limit_price is None
        ):
            raise ValueError("a limit order needs a price and a market order has none")
        if self.limit_price is not None and self.limit_price <= 0:
            raise ValueError(f"limit price must be positive, not {self.limit_price}")
        if self.stop_price is not None and self.stop_price <= 0:
            raise ValueError(f"stop price must be positive, not {self.stop_price}")

    @property
    def payload_sha256(self) -> str:
        """Digest of what the order says, whatever form a venue wants it in: written down before it is sent."""
        price = "" if self.limit_price is None else _shortest(self.limit_price)
        stop = () if self.stop_price is None else (_shortest(self.stop_price),)
        parts = (self.client_order_id, self.symbol, self.side, self.order_type, _shortest(self.quantity), price, *stop)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _shortest(number: Decimal) -> str:
    """Plain text without trailing zeros: the same number is the same text."""
    return format(number.normalize(), "f")


@dataclass(frozen=True, kw_only=True)
class OrderAck:
    """The venue's word that it took the order."""

    client_order_id: str
    venue_order_id: str


class VenueOrderStatus(StrEnum):
    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def ended(self) -> bool:
        return self not in (VenueOrderStatus.PENDING, VenueOrderStatus.OPEN)


@dataclass(frozen=True, kw_only=True)
class VenueOrder:
    """An order as the venue shows it. Status alone never says whether something was filled: `filled_quantity` does."""

    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    status: VenueOrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    fee_quote: Decimal
    opened_at: datetime | None
    reason: str = ""
