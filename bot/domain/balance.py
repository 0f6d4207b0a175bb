"""What an account holds, and how much that is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType


@dataclass(frozen=True)
class AssetBalance:
    """One asset: `available` can be spent now, `held` is in open orders; the total is both."""

    available: Decimal
    held: Decimal

    @property
    def total(self) -> Decimal:
        return self.available + self.held


@dataclass(frozen=True)
class Holdings:
    """Everything one account has, as the venue said it at `taken_at`."""

    assets: Mapping[str, AssetBalance]
    taken_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "assets", MappingProxyType(dict(self.assets)))

    def of(self, asset: str) -> AssetBalance:
        """An asset the venue does not list is a true zero: the whole list was read."""
        return self.assets.get(asset, AssetBalance(Decimal(0), Decimal(0)))


class BalanceStatus(StrEnum):
    """FRESH may size an entry; STALE is shown with its age; UNKNOWN is not a number."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class BalanceReading:
    """The answer to "how much is there": never a number that nobody read."""

    status: BalanceStatus
    holdings: Holdings | None
    age_seconds: float | None
    error_count: int = 0
    reason: str = ""

    @property
    def known(self) -> bool:
        return self.holdings is not None


@dataclass(frozen=True)
class EquityPart:
    """One held asset at a price, or without one."""

    asset: str
    quantity: Decimal
    price: Decimal | None = field(default=None)

    @property
    def value(self) -> Decimal | None:
        return None if self.price is None else self.quantity * self.price
