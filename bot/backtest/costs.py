"""What trading costs in a backtest, and how long it takes."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Percents are of the price, seconds are between a decision and its order at the venue.

    `spread_percent` lies half on each side of a candle's price; `slippage_percent` is what an order gives away beyond
    it. An order takes `participation_percent` of its candle's volume at most; what is left of it is cancelled.
    A fee of None is that of the venue's tiers, by the account's own volume.
    """

    spread_percent: Decimal = Decimal("0.02")
    slippage_percent: Decimal = Decimal("0.02")
    latency_seconds: float = 1.0
    copy_latency_seconds: float = 1.0
    participation_percent: Decimal = Decimal(10)
    taker_fee_percent: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("spread_percent", "slippage_percent"):
            if not 0 <= getattr(self, name) < 50:
                raise ValueError(f"{name} is {getattr(self, name)} and must be from 0 to below 50 percent")
        if not 0 < self.participation_percent <= 100:
            raise ValueError(f"participation_percent is {self.participation_percent} and must be above 0, at most 100")
        if self.latency_seconds < 0 or self.copy_latency_seconds < 0:
            raise ValueError("a latency cannot be negative")
        if self.taker_fee_percent is not None and not 0 <= self.taker_fee_percent < 10:
            raise ValueError(f"taker_fee_percent is {self.taker_fee_percent} and must be from 0 to below 10 percent")


FREE = Costs(
    spread_percent=Decimal(0),
    slippage_percent=Decimal(0),
    latency_seconds=0.0,
    copy_latency_seconds=0.0,
    participation_percent=Decimal(100),
    taker_fee_percent=Decimal(0),
)
"""Trading that costs nothing and takes no time: for comparing bare rules."""
