"""The rules a venue sets for one market."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.money import ceil_to_step, floor_to_step


@dataclass(frozen=True)
class Instrument:
    """One market at one venue. Quantities are base units, notional is quote units.

    `status` is the venue's own word; `tradable` says whether new positions may be opened with it.
    """

    symbol: str
    venue_symbol: str
    lot_step: Decimal
    tick_size: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    tradable: bool = True
    status: str = "online"

    def __post_init__(self) -> None:
        if self.lot_step <= 0 or self.tick_size <= 0:
            raise ValueError(f"{self.symbol}: lot step and tick size must be positive")
        if self.minimum_quantity < 0 or self.minimum_notional < 0:
            raise ValueError(f"{self.symbol}: minimums cannot be negative")

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """Down to the lot, so that we never exceed what was meant or held."""
        return floor_to_step(quantity, self.lot_step)

    def buy_cap(self, price: Decimal) -> Decimal:
        """A buy's highest price, rounded down to the tick: inside the bound."""
        return floor_to_step(price, self.tick_size)

    def sell_floor(self, price: Decimal) -> Decimal:
        """A sell's lowest price, rounded up to the tick: inside the bound."""
        return ceil_to_step(price, self.tick_size)

    def below_minimum(self, quantity: Decimal, price: Decimal) -> str | None:
        """Why the venue would refuse this size, or None."""
        if quantity <= 0 or quantity < self.minimum_quantity:
            return f"quantity {quantity:f} is below the venue's minimum {self.minimum_quantity:f}"
        if quantity * price < self.minimum_notional:
            return f"notional {quantity * price:f} is below the venue's minimum {self.minimum_notional:f}"
        return None
