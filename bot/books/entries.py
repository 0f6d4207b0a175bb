"""What the books are made of: balances from before, trades, movements without a trade, and an operator's word on cost.

An account's entries are applied in one order whoever reads them: `place_of`. Every amount is a Decimal in units of the
asset it names; times are aware.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.domain.cash_event import CashEvent
from bot.domain.order import Side

# Moment, kind (at one moment: movements, then costs, then trades), sequence within the kind, id.
Place = tuple[datetime, int, int, str]

BEFORE_EVERYTHING = datetime.min.replace(tzinfo=UTC)
_OPENING, _MOVEMENT, _COST, _TRADE = range(4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What an account held of one asset before the first entry. Its cost is unknown; `at` is when it was read."""

    asset: str
    units: Decimal
    at: datetime | None = None

    def __post_init__(self) -> None:
        _need_amount("opening balance", self.asset, self.units)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """One fill. Quantity in base, price in quote per base; `fee` in units of `fee_currency`, negative for a rebate.

    `trade_id` is the venue's, unique within the account and the symbol. `ours` is false for what was traded by hand.
    `order_id` is the venue's order, so that the fills of one order can be judged as one.
    """

    trade_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime
    ours: bool = True
    sequence: int = 0
    order_id: str = ""

    def __post_init__(self) -> None:
        _need_amount("trade", self.trade_id, self.quantity)
        _need_amount("trade", self.trade_id, self.price)
        _need_amount("trade", self.trade_id, self.fee)
        if self.quantity <= 0 or self.price <= 0:
            raise ValueError(f"trade {self.trade_id}: quantity and price must be positive")
        if self.at.tzinfo is None:
            raise ValueError(f"trade {self.trade_id}: time without a zone")
        if self.fee and not self.fee_currency:
            raise ValueError(f"trade {self.trade_id}: a fee of {self.fee} in no currency")


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """A cash event in its place: `sequence` orders those of one moment."""

    event: CashEvent
    sequence: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CostEntry:
    """An operator's word: these units were acquired then, and cost that much, in all, of `currency`.

    It gives a cost to units that came in without one at `acquired_at` or later, the oldest first: those of the opening
    balance at once, others when they come. `entry_id` tells two equal words apart.
    """

    asset: str
    quantity: Decimal
    cost: Decimal
    currency: str
    acquired_at: datetime
    entry_id: str = ""

    def __post_init__(self) -> None:
        _need_amount("cost", self.asset, self.quantity)
        _need_amount("cost", self.asset, self.cost)
        if self.quantity <= 0 or self.cost < 0:
            raise ValueError(f"cost of {self.asset}: the quantity must be positive and the cost not negative")
        if self.acquired_at.tzinfo is None:
            raise ValueError(f"cost of {self.asset}: time without a zone")


Entry = Opening | Trade | Movement | CostEntry


def place_of(entry: Entry) -> Place:
    """Where an entry stands among an account's entries; sorting by it gives the one order in which they are applied."""
    if isinstance(entry, Trade):
        return (entry.at, _TRADE, entry.sequence, f"{entry.symbol} {entry.trade_id}")
    if isinstance(entry, Movement):
        return (entry.event.at, _MOVEMENT, entry.sequence, entry.event.event_id)
    if isinstance(entry, CostEntry):
        return (entry.acquired_at, _COST, 0, entry.entry_id or f"{entry.asset} {entry.quantity:f} {entry.cost:f}")
    return (BEFORE_EVERYTHING, _OPENING, 0, entry.asset)


def _need_amount(what: str, name: str, amount: Decimal) -> None:
    if not name:
        raise ValueError(f"{what}: without a name")
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise ValueError(f"{what} {name}: {amount!r} is no finite Decimal")
