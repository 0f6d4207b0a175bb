"""In what the brokerages' engines differ: fees, holds for stops, stops that would trigger at once, limits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class FeeTier:
    """From `volume_usd` of the last 30 days on: fees as fractions of the quote cost."""

    volume_usd: Decimal
    maker: Decimal
    taker: Decimal


def _tiers(rows: str) -> tuple[FeeTier, ...]:
    """Rows of "volume maker% taker%"."""
    parsed = (tuple(Decimal(word) for word in row.split()) for row in rows.split(","))
    return tuple(FeeTier(volume, maker / 100, taker / 100) for volume, maker, taker in parsed)


# Kraken Pro spot, percent, as its pair list gave them in 2025.
KRAKEN_FEES = _tiers(
    "0 0.25 0.40, 10000 0.20 0.35, 50000 0.14 0.24, 100000 0.12 0.22, 250000 0.10 0.20, 500000 0.08 0.18,"
    "1000000 0.06 0.16, 2500000 0.04 0.14, 5000000 0.02 0.12, 10000000 0.00 0.10"
)
# Coinbase Advanced spot, percent: plausible tiers of 2024, the real ones change often and differ by region.
COINBASE_FEES = _tiers(
    "0 0.40 0.60, 10000 0.25 0.40, 50000 0.15 0.25, 100000 0.10 0.20, 1000000 0.08 0.18, 15000000 0.06 0.16,"
    "75000000 0.03 0.12, 250000000 0.00 0.08, 400000000 0.00 0.05"
)


@dataclass(frozen=True)
class VenueRules:
    """`stops_hold` says whether an untriggered stop holds funds; without, they are looked for when it triggers."""

    fees: tuple[FeeTier, ...]
    stops_hold: bool
    refuses_stops_that_trigger_at_once: bool
    open_orders_per_symbol: int

    def fee_tier(self, volume_usd: Decimal) -> FeeTier:
        return [tier for tier in self.fees if tier.volume_usd <= volume_usd][-1]


KRAKEN_OPEN_ORDERS = {"starter": 60, "intermediate": 80, "pro": 225}


def rules_for(brokerage: str, tier: str | None) -> VenueRules:
    """Kraken's stops hold nothing and cancel themselves when they would trigger at once; Coinbase holds and refuses."""
    if brokerage == "kraken":
        return VenueRules(KRAKEN_FEES, False, False, KRAKEN_OPEN_ORDERS.get(tier or "", 225))
    return VenueRules(COINBASE_FEES, True, True, 500)
