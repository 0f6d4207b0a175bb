"""What an account holds of one symbol because of us."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class ExitPlan:
    """Distances from the entry price, in percent of the account's own entry; None = no such exit.

    `break_even_percent`: once the price has been so far above the entry, the position is not sold below the entry.
    `max_hold_minutes`: it is sold when it has been held for so long.
    """

    stop_loss_percent: Decimal | None = None
    take_profit_percent: Decimal | None = None
    trailing_stop_percent: Decimal | None = None
    break_even_percent: Decimal | None = None
    max_hold_minutes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Position:
    """A holding built from fills alone. Quantities in base; prices in quote per base.

    `owed_quantity` is the part of it that mirrored exits should have sold and could not yet: too small, or rounded off.
    """

    account_id: str
    symbol: str
    quantity: Decimal
    average_entry_price: Decimal
    opened_at: datetime
    highest_price: Decimal
    exit_plan: ExitPlan
    signal_id: str | None = None
    owed_quantity: Decimal = Decimal(0)

    @property
    def cost_quote(self) -> Decimal:
        return self.quantity * self.average_entry_price
