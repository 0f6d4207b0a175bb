"""How each listing's market behaves: size and liveliness follow the asset's place in the list of its kind."""

from __future__ import annotations

from paper_exchange.assets import FIAT, MAJORS, STABLECOINS, STOCKS
from paper_exchange.catalogue import Listing
from paper_exchange.tape import Temper, stream

CALMEST_MINUTE_VOLATILITY = 0.0007
LIVELIEST_MINUTE_VOLATILITY = 0.0022
PEG_MINUTE_VOLATILITY = 0.00003
LARGEST_MINUTE_VOLUME_USD = 90_000.0
SMALLEST_MINUTE_VOLUME_USD = 1_500.0
LARGEST_TOP_USD = 24_000.0
SMALLEST_TOP_USD = 2_500.0
NARROWEST_SPREAD, WIDEST_SPREAD = 0.0001, 0.0005


def temper_for(listing: Listing, seed: int, reference_usd: float) -> Temper:
    """`reference_usd` is what one unit of the base is worth, to turn depth in dollars into lots."""
    pegged = listing.base in FIAT or listing.base in STABLECOINS
    rank = 0.1 if pegged else _rank(listing.base)
    uniform = stream(seed, listing.symbol, "temper").random()
    lots_per_usd = 1.0 / (reference_usd * float(listing.lot_step))
    lively = CALMEST_MINUTE_VOLATILITY + (LIVELIEST_MINUTE_VOLATILITY - CALMEST_MINUTE_VOLATILITY) * (
        0.6 * rank + 0.4 * uniform
    )
    return Temper(
        start_ticks=float(listing.reference_price / listing.tick_size),
        minute_volatility=PEG_MINUTE_VOLATILITY if pegged else lively,
        factor_share=0.0 if pegged else 0.65 - 0.3 * uniform,
        minute_volume_lots=lots_per_usd * _between(LARGEST_MINUTE_VOLUME_USD, SMALLEST_MINUTE_VOLUME_USD, rank),
        spread=NARROWEST_SPREAD if pegged else NARROWEST_SPREAD + (WIDEST_SPREAD - NARROWEST_SPREAD) * rank,
        top_lots=lots_per_usd * _between(LARGEST_TOP_USD, SMALLEST_TOP_USD, rank),
        pegged=pegged,
    )


def _rank(base: str) -> float:
    """0 for the largest asset of its kind, 1 for the smallest."""
    names = list(STOCKS if base in STOCKS else MAJORS)
    return names.index(base) / (len(names) - 1) if base in names else 1.0


def _between(large: float, small: float, rank: float) -> float:
    """Sizes fall fast from the first ranks on, as they do between real markets."""
    return small + (large - small) * (1.0 - rank) ** 4
