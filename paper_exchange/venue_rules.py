"""In what the brokerages' engines differ: fees, holds for stops, stops that would trigger at once, limits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.orders import ZERO, Side


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


# Binance spot, percent, the tiers that follow from volume alone (they also ask for BNB held, which nobody has here).
BINANCE_FEES = _tiers("0 0.10 0.10, 1000000 0.09 0.10, 5000000 0.08 0.10, 20000000 0.04 0.06, 100000000 0.02 0.04")
# OKX spot, percent, regular users and the first VIP tiers by volume.
OKX_FEES = _tiers("0 0.08 0.10, 5000000 0.045 0.05, 10000000 0.04 0.045, 20000000 0.03 0.04")
NO_FEES = _tiers("0 0 0")


@dataclass(frozen=True)
class VenueRules:
    """`stops_hold` says whether an untriggered stop holds funds; without, they are looked for when it triggers.

    With `fees_in_received` a fee is taken from what a fill brings: base for a buy, quote for a sell; without, every
    fee is in quote. A market buy that waits for the opening reserves the last price and a fraction, `opening_margin`.
    """

    fees: tuple[FeeTier, ...]
    stops_hold: bool
    refuses_stops_that_trigger_at_once: bool
    open_orders_per_symbol: int
    fees_in_received: bool = False
    closes_crossing_post_only: bool = False
    """A post-only order that would take liquidity is accepted and cancelled; without, it is refused."""
    opening_margin: Decimal = ZERO

    def fee_tier(self, volume_usd: Decimal) -> FeeTier:
        return [tier for tier in self.fees if tier.volume_usd <= volume_usd][-1]

    def fee_in_base(self, side: Side) -> bool:
        return self.fees_in_received and side is Side.BUY

    def rate_on_top(self, side: Side, taker_rate: Decimal) -> Decimal:
        """The part of a buy's cost that its fee adds to what it needs in quote."""
        return ZERO if self.fee_in_base(side) else taker_rate


KRAKEN_OPEN_ORDERS = {"starter": 60, "intermediate": 80, "pro": 225}
COINBASE = VenueRules(COINBASE_FEES, True, True, 500)
RULES = {
    "coinbase": COINBASE,
    "okx": VenueRules(OKX_FEES, False, True, 500, fees_in_received=True, closes_crossing_post_only=True),
    "binance": VenueRules(BINANCE_FEES, True, True, 200, fees_in_received=True),
    "alpaca": VenueRules(NO_FEES, True, True, 500, opening_margin=Decimal("0.04")),
}


def rules_for(brokerage: str, tier: str | None) -> VenueRules:
    """Kraken's stops hold nothing and cancel themselves when they would trigger at once; the others hold and refuse."""
    if brokerage == "kraken":
        return VenueRules(KRAKEN_FEES, False, False, KRAKEN_OPEN_ORDERS.get(tier or "", 225))
    return RULES.get(brokerage, COINBASE)
