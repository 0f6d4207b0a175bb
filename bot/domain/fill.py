"""A trade the venue reports."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.domain.order import Side


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution, keyed by the venue's trade id. Quantity in base, price in quote per base."""

    trade_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    executed_at: datetime
    maker: bool | None = None

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.price <= 0:
            raise ValueError(f"fill {self.trade_id}: quantity and price must be positive")
        if self.executed_at.tzinfo is None:
            raise ValueError(f"fill {self.trade_id}: time without a zone")

    @property
    def notional(self) -> Decimal:
        """Quote units, before the fee."""
        return self.quantity * self.price
