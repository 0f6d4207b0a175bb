"""The stocks that can be traded, as Alpaca describes them."""

from __future__ import annotations

from uuid import UUID, uuid5

from paper_exchange.alpaca.replies import NOT_FOUND, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import STOCK_QUOTE, Catalogue, Listing, TradingMode
from paper_exchange.http import Reply

IDS_OF_THIS_FRONT = UUID("5b0e63ce-9a0c-4c0e-8f6e-0c52f0b3a7a4")
"""Name space of the ids that follow from other facts (stocks, accounts), so that they never change."""
ASSET_CLASS = "us_equity"
COMPANIES = {
    "SPY": "SPDR S&P 500 ETF Trust", "QQQ": "Invesco QQQ Trust", "IWM": "iShares Russell 2000 ETF",
    "AAPL": "Apple Inc. Common Stock", "MSFT": "Microsoft Corporation Common Stock", "NVDA": "NVIDIA Corporation",
    "AMZN": "Amazon.com, Inc. Common Stock", "GOOGL": "Alphabet Inc. Class A", "META": "Meta Platforms, Inc. Class A",
    "TSLA": "Tesla, Inc. Common Stock", "BRK.B": "Berkshire Hathaway Inc. Class B", "JPM": "JPMorgan Chase & Co.",
    "V": "Visa Inc.", "WMT": "Walmart Inc.", "XOM": "Exxon Mobil Corporation", "HD": "The Home Depot, Inc.",
    "KO": "The Coca-Cola Company", "PEP": "PepsiCo, Inc.", "MCD": "McDonald's Corporation",
    "DIS": "The Walt Disney Company", "NFLX": "Netflix, Inc.", "AMD": "Advanced Micro Devices, Inc.",
    "INTC": "Intel Corporation", "CSCO": "Cisco Systems, Inc.", "ORCL": "Oracle Corporation",
    "BAC": "Bank of America Corporation", "PFE": "Pfizer, Inc.", "NKE": "Nike, Inc.", "UBER": "Uber Technologies, Inc.",
    "F": "Ford Motor Company", "PYPL": "PayPal Holdings, Inc.", "SIRI": "Sirius XM Holdings Inc.",
    "NOK": "Nokia Corporation Sponsored ADR", "TLRY": "Tilray Brands, Inc.",
}  # fmt: skip
ARCA_LISTED = frozenset({"SPY", "IWM"})
NEW_YORK_LISTED = frozenset(
    {"BRK.B", "JPM", "V", "WMT", "XOM", "HD", "KO", "MCD", "DIS", "ORCL", "BAC", "PFE", "NKE", "UBER", "F", "NOK"}
)


def list_assets(request: Request) -> Reply:
    query = request.query
    status, asset_class, exchange = query.text("status"), query.text("asset_class"), query.text("exchange")
    chosen = [
        row
        for row in (describe(listing) for listing in request.listings)
        if status.lower() in ("", row["status"])
        and asset_class.lower() in ("", ASSET_CLASS)
        and exchange.upper() in ("", row["exchange"])
    ]
    return json_reply(chosen)


def one_asset(request: Request) -> Reply:
    listing = find_listing(request.listings, request.parameters["symbol_or_asset_id"])
    if listing is None:
        raise ApiError(NOT_FOUND, f"asset not found for {request.parameters['symbol_or_asset_id']}")
    return json_reply(describe(listing))


def describe(listing: Listing) -> dict[str, object]:
    tradable = listing.mode not in (TradingMode.HALTED, TradingMode.CANCEL_ONLY)
    return {
        "id": asset_id(listing.base),
        "class": ASSET_CLASS,
        "exchange": exchange_of(listing.base),
        "symbol": listing.base,
        "name": COMPANIES.get(listing.base, listing.base),
        "status": "active",
        "tradable": tradable,
        "marginable": False,
        "maintenance_margin_requirement": 100,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": is_fractionable(listing),
        "attributes": [],
    }


def find_listing(listings: Catalogue, name: str) -> Listing | None:
    """The listing of a stock, by its symbol or its asset id."""
    symbol = f"{name.upper()}/{STOCK_QUOTE}"
    if symbol in listings:
        return listings.listing(symbol)
    return next((listing for listing in listings if asset_id(listing.base) == name.lower()), None)


def is_fractionable(listing: Listing) -> bool:
    return listing.lot_step < 1


def asset_id(stock: str) -> str:
    return str(uuid5(IDS_OF_THIS_FRONT, f"asset {stock}"))


def exchange_of(stock: str) -> str:
    return "ARCA" if stock in ARCA_LISTED else "NYSE" if stock in NEW_YORK_LISTED else "NASDAQ"
