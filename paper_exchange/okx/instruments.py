"""Instruments: the listings of the catalogue under OKX's names and rules."""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

from paper_exchange.catalogue import Listing, TradingMode
from paper_exchange.okx.query import amount, milliseconds

SPOT = "SPOT"
INSTRUMENT_TYPES = frozenset({SPOT, "MARGIN", "SWAP", "FUTURES", "OPTION"})
LARGEST_LIMIT_SIZE = Decimal(10) ** 12
LARGEST_LIMIT_USD = Decimal(20_000_000)
LARGEST_MARKET_USD = Decimal(1_000_000)
"""``maxLmtAmt`` and ``maxMktAmt``, as OKX publishes them for its majors."""
LISTED_NS = 1_548_133_413_000 * 1_000_000
"""When everything was listed; in truth every instrument has its own day."""


def inst_id_of(symbol: str) -> str:
    """``BTC/USDT`` is ``BTC-USDT`` here."""
    return symbol.replace("/", "-")


def symbol_of(inst_id: str) -> str:
    """The symbol an instrument id may stand for; whether it is listed is for the caller to find out."""
    return "" if "/" in inst_id else inst_id.replace("-", "/")


def code_of(inst_id: str) -> int:
    """The number that may stand for an instrument id in an order."""
    return crc32(inst_id.encode())


def state_of(listing: Listing) -> str:
    if not listing.trades:
        return "preopen"
    return "suspend" if listing.mode in (TradingMode.HALTED, TradingMode.CANCEL_ONLY) else "live"


def minimum_size(listing: Listing) -> Decimal:
    """The least quantity, base units: a multiple of the lot size."""
    return max(listing.minimum_quantity, listing.lot_step)


def render_instrument(listing: Listing) -> dict[str, object]:
    inst_id = inst_id_of(listing.symbol)
    return {
        "instType": SPOT,
        "instId": inst_id,
        "instIdCode": code_of(inst_id),
        "baseCcy": listing.base,
        "quoteCcy": listing.quote,
        "tradeQuoteCcyList": [listing.quote],
        "tickSz": format(listing.tick_size, "f"),
        "lotSz": format(listing.lot_step, "f"),
        "minSz": amount(minimum_size(listing)),
        "maxLmtSz": amount(LARGEST_LIMIT_SIZE),
        "maxMktSz": amount(LARGEST_MARKET_USD),
        "maxLmtAmt": amount(LARGEST_LIMIT_USD),
        "maxMktAmt": amount(LARGEST_MARKET_USD),
        "maxTwapSz": amount(LARGEST_LIMIT_SIZE),
        "maxIcebergSz": amount(LARGEST_LIMIT_SIZE),
        "maxTriggerSz": amount(LARGEST_LIMIT_SIZE),
        "maxStopSz": amount(LARGEST_MARKET_USD),
        "state": state_of(listing),
        "listTime": milliseconds(LISTED_NS),
        "ruleType": "normal",
        "category": "1",
        "groupId": "1",
        **dict.fromkeys(EMPTY_FIELDS, ""),
    }


EMPTY_FIELDS = (
    "alias", "auctionEndTime", "contTdSwTime", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "futureSettlement",
    "instFamily", "lever", "openType", "optType", "posLmtAmt", "posLmtPct", "settleCcy", "stk", "uly",
)  # fmt: skip
"""What only derivatives and auctions have."""
