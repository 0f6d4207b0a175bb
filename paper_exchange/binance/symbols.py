"""Symbols under Binance's names, ``BTCUSDT``: which listing each is, and how the list of symbols shows it.

A name can't be cut into its assets by looking at it, so it is only ever found in the list.
"""

from __future__ import annotations

import json
from decimal import Decimal

from paper_exchange.binance.amounts import DECIMALS, text
from paper_exchange.binance.errors import BAD_SYMBOL, BAD_SYMBOL_STATUS, BinanceError
from paper_exchange.catalogue import Catalogue, Listing, TradingMode
from paper_exchange.order_rules import LARGEST_PRICE

LARGEST_ORDER = Decimal(9_000_000)
"""Base units in one order, a round figure of the size that the venue gives for its majors."""
LARGEST_NOTIONAL = Decimal(100_000_000)
"""Quote units in one order, far above what the venue allows, so that wanting too much is a matter of the balance."""
MOST_OPEN_ORDERS = 200
MOST_OPEN_STOPS = 5
PRICE_BAND = (Decimal("0.2"), Decimal(5))
"""A limit price lies between these multiples of the average price."""
ORDER_TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip
SELF_TRADE_PREVENTION = "EXPIRE_TAKER"
"""The only mode: the newer order gives way."""
TRADING, HALT, BREAK = STATUSES = ("TRADING", "HALT", "BREAK")
STATUS_OF_MODE = {TradingMode.HALTED: HALT, TradingMode.CANCEL_ONLY: HALT}


class Symbols:
    """The venue's list, in both directions."""

    def __init__(self, listings: Catalogue) -> None:
        self.listings = listings
        self._symbol_of = {wire_name(listing): listing.symbol for listing in listings}
        self._name_of = {symbol: name for name, symbol in self._symbol_of.items()}
        self._rendered: dict[str, tuple[Listing, str]] = {}

    def name(self, symbol: str) -> str:
        """``BTC/USDT`` is ``BTCUSDT`` here."""
        return self._name_of[symbol]

    def symbol(self, name: str | None) -> str | None:
        """The symbol of the bot's form behind a name; None for a name that is not in the list."""
        return self._symbol_of.get(name or "")

    def listing(self, name: str | None) -> Listing:
        """Raises BinanceError for a name that is not in the list."""
        symbol = self.symbol(name)
        if symbol is None:
            raise BinanceError(BAD_SYMBOL)
        return self.listings.listing(symbol)

    def traded(self, name: str | None) -> Listing:
        """As `listing`; raises BinanceError too for a symbol without a market."""
        listing = self.listing(name)
        if not listing.trades:
            raise BinanceError(BAD_SYMBOL_STATUS)
        return listing

    def described(self, listing: Listing) -> str:
        """The symbol's entry in the list, as JSON. Kept, because the whole list is long and seldom changes."""
        kept = self._rendered.get(listing.symbol)
        if kept is None or kept[0] is not listing:
            kept = listing, json.dumps(_render(listing), separators=(",", ":"))
            self._rendered[listing.symbol] = kept
        return kept[1]


def wire_name(listing: Listing) -> str:
    return f"{listing.base}{listing.quote}"


def status_of(listing: Listing) -> str:
    return STATUS_OF_MODE.get(listing.mode, TRADING) if listing.trades else BREAK


def _render(listing: Listing) -> dict[str, object]:
    return {
        "symbol": wire_name(listing),
        "status": status_of(listing),
        "baseAsset": listing.base,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": listing.quote,
        "quotePrecision": DECIMALS,
        "quoteAssetPrecision": DECIMALS,
        "baseCommissionPrecision": DECIMALS,
        "quoteCommissionPrecision": DECIMALS,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": SELF_TRADE_PREVENTION,
        "allowedSelfTradePreventionModes": [SELF_TRADE_PREVENTION],
    }


def _filters(listing: Listing) -> list[dict[str, object]]:
    down, up = (format(multiple, "f") for multiple in PRICE_BAND)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(listing.tick_size),
            "maxPrice": text(LARGEST_PRICE),
            "tickSize": text(listing.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(listing.minimum_quantity),
            "maxQty": text(LARGEST_ORDER),
            "stepSize": text(listing.lot_step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": text(Decimal(0)),
            "maxQty": text(LARGEST_ORDER),
            "stepSize": text(Decimal(0)),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text(listing.minimum_notional),
            "applyMinToMarket": True,
            "maxNotional": text(LARGEST_NOTIONAL),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MOST_OPEN_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MOST_OPEN_STOPS},
    ]
