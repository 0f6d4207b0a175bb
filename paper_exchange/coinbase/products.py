"""Products: the listings of the catalogue under Coinbase's names and rules."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.assets import FIAT, STABLECOINS
from paper_exchange.catalogue import Listing, TradingMode
from paper_exchange.market import DayStats, Quote

BASE_MAXIMUM = Decimal(10) ** 12
QUOTE_MAXIMUM = Decimal(50_000_000)
"""Largest order, in quote units: a round figure of the size the venue publishes for its majors."""
CENTS = Decimal("0.01")
SATOSHIS = Decimal("0.00000001")


def text(amount: Decimal) -> str:
    """Plain decimal text, never with an exponent."""
    return format(amount, "f")


def product_id(symbol: str) -> str:
    """``BTC/USD`` is ``BTC-USD`` here."""
    return symbol.replace("/", "-")


def symbol_of(product: str) -> str:
    """The symbol a product id may stand for; whether it is listed is for the caller to find out."""
    return "" if "/" in product else product.replace("-", "/")


def quote_increment(listing: Listing) -> Decimal:
    """The step of amounts of money: cents of a currency and of what is pegged to one, else eight decimals."""
    return CENTS if listing.quote in FIAT or listing.quote in STABLECOINS else SATOSHIS


def render_product(listing: Listing, quote: Quote | None, day: DayStats | None) -> dict[str, object]:
    """A product; without a quote (nothing is traded there) its prices are empty text and trading is disabled."""
    return {
        "product_id": product_id(listing.symbol),
        "price": text(quote.last) if quote else "",
        "price_percentage_change_24h": "",
        "volume_24h": text(day.volume_day) if day else "",
        "volume_percentage_change_24h": "",
        **_rules(listing),
        **_modes(listing),
        **_names(listing),
        "mid_market_price": text((quote.bid + quote.ask) / 2) if quote else "",
        "approximate_quote_24h_volume": text(_turnover(day)) if day else "",
        "product_type": "SPOT",
        "product_venue": "CBE",
        "alias": "",
        "alias_to": [],
        "fcm_trading_session_details": None,
        "watched": False,
        "new": False,
    }


def _rules(listing: Listing) -> dict[str, object]:
    return {
        "base_increment": text(listing.lot_step),
        "quote_increment": text(quote_increment(listing)),
        "price_increment": text(listing.tick_size),
        "base_min_size": text(listing.minimum_quantity),
        "base_max_size": text(BASE_MAXIMUM),
        "quote_min_size": text(listing.minimum_notional),
        "quote_max_size": text(QUOTE_MAXIMUM),
    }


def _modes(listing: Listing) -> dict[str, object]:
    stopped = not listing.trades or listing.mode is TradingMode.HALTED
    return {
        "status": "online",
        "is_disabled": stopped,
        "trading_disabled": stopped,
        "view_only": not listing.trades,
        "cancel_only": listing.mode is TradingMode.CANCEL_ONLY,
        "limit_only": listing.mode is TradingMode.LIMIT_ONLY,
        "post_only": listing.mode is TradingMode.POST_ONLY,
        "auction_mode": False,
    }


def _names(listing: Listing) -> dict[str, object]:
    return {
        "base_currency_id": listing.base,
        "quote_currency_id": listing.quote,
        "base_name": listing.base,
        "quote_name": listing.quote,
        "base_display_symbol": listing.base,
        "quote_display_symbol": listing.quote,
        "display_name": product_id(listing.symbol),
    }


def _turnover(day: DayStats) -> Decimal:
    return (day.volume_day * day.vwap_day).quantize(CENTS)
