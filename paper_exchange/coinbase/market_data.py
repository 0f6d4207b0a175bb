"""Endpoints about the market: time, products, prices, books, trades and candles."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.catalogue import Listing, UnknownSymbol
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.coinbase.products import product_id, render_product, symbol_of, text
from paper_exchange.coinbase.replies import ApiError, json_reply
from paper_exchange.coinbase.routes import Request
from paper_exchange.http import Reply
from paper_exchange.market import Candle, PublicTrade, Quote

GRANULARITY_SECONDS = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1_800,
    "ONE_HOUR": 3_600,
    "TWO_HOUR": 7_200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
MOST_CANDLES = 350
DEFAULT_TRADES = 100
MOST_TRADES = 1000
DEFAULT_BOOK_DEPTH = 50
MOST_BOOK_DEPTH = 500
MOST_PRODUCTS = 10_000
SPOT = "SPOT"
BASIS_POINTS = Decimal(10_000)

Levels = list[tuple[Decimal, Decimal]]


def server_time(request: Request) -> Reply:
    seconds, nanoseconds = divmod(request.now_ns, NANOSECONDS_PER_SECOND)
    millis = seconds * 1000 + nanoseconds // 1_000_000
    iso = rfc3339(request.now_ns)[:19] + "Z"
    return json_reply({"iso": iso, "epochSeconds": str(seconds), "epochMillis": str(millis)})


def list_products(request: Request) -> Reply:
    query = request.query
    wanted, spot = query.texts("product_ids"), query.text("product_type", SPOT) in (SPOT, "UNKNOWN_PRODUCT_TYPE")
    chosen = [each for each in request.listings if spot and (not wanted or product_id(each.symbol) in wanted)]
    offset = query.whole("offset", 0, minimum=0, maximum=MOST_PRODUCTS)
    limit = query.whole("limit", MOST_PRODUCTS, minimum=0, maximum=MOST_PRODUCTS) or MOST_PRODUCTS
    rows = [_product(request, listing) for listing in chosen[offset : offset + limit]]
    return json_reply({"products": rows, "num_products": len(chosen)})


def one_product(request: Request) -> Reply:
    return json_reply(_product(request, _asked_listing(request)))


def best_bid_ask(request: Request) -> Reply:
    asked = request.query.texts("product_ids")
    listings = [find_listing(request, product) for product in asked] if asked else request.listings.trading()
    books = [_top(request, listing) for listing in listings if listing.trades]
    return json_reply({"pricebooks": books})


def product_book(request: Request) -> Reply:
    query = request.query
    listing = _traded(find_listing(request, query.text("product_id")))
    depth = query.whole("limit", DEFAULT_BOOK_DEPTH, minimum=0, maximum=MOST_BOOK_DEPTH) or DEFAULT_BOOK_DEPTH
    quote = request.exchange.engine.quote(listing.symbol)
    bids, asks = request.exchange.engine.book(listing.symbol, depth)
    return json_reply({"pricebook": _pricebook(request, listing, bids, asks), **_spread(quote)})


def ticker(request: Request) -> Reply:
    listing = _traded(_asked_listing(request))
    limit = request.query.whole("limit", DEFAULT_TRADES, maximum=MOST_TRADES)
    start_ns, end_ns = request.query.seconds_ns("start"), request.query.seconds_ns("end")
    # Reading far back is dear, and without bounds the newest will do.
    reach = limit if start_ns is None and end_ns is None else MOST_TRADES
    trades = [
        trade
        for trade in request.exchange.market.recent_trades(listing.symbol, reach)
        if (start_ns is None or trade.time_ns >= start_ns) and (end_ns is None or trade.time_ns <= end_ns)
    ]
    newest_first = [_public_trade(listing, trade) for trade in reversed(trades[-limit:])]
    quote = request.exchange.engine.quote(listing.symbol)
    return json_reply({"trades": newest_first, "best_bid": text(quote.bid), "best_ask": text(quote.ask)})


def candles(request: Request) -> Reply:
    """At most 350 candles that open from ``start`` to ``end``, newest first; the newest may still be forming."""
    query = request.query
    listing = _traded(_asked_listing(request))
    seconds = GRANULARITY_SECONDS.get(query.text("granularity"))
    start_ns, end_ns = query.seconds_ns("start"), query.seconds_ns("end")
    if seconds is None:
        raise ApiError("INVALID_ARGUMENT", "granularity argument is invalid")
    if start_ns is None or end_ns is None or end_ns < start_ns:
        raise ApiError("INVALID_ARGUMENT", "start and end arguments are invalid")
    if (end_ns - start_ns) // (seconds * NANOSECONDS_PER_SECOND) > MOST_CANDLES:
        raise ApiError("INVALID_ARGUMENT", f"number of candles requested should be less than {MOST_CANDLES}")
    limit = query.whole("limit", MOST_CANDLES, maximum=MOST_CANDLES)
    rows = request.exchange.market.candles(listing.symbol, seconds, start_ns, limit, until_ns=end_ns)
    return json_reply({"candles": [_candle(row) for row in reversed(rows)]})


def find_listing(request: Request, product: str) -> Listing:
    """The listing of a product id; raises ApiError when Coinbase has none."""
    try:
        return request.listings.listing(symbol_of(product))
    except UnknownSymbol:
        raise ApiError("NOT_FOUND", f"valid product_id is required: {product!r} is none") from None


def _asked_listing(request: Request) -> Listing:
    return find_listing(request, request.parameters["product_id"])


def _traded(listing: Listing) -> Listing:
    if not listing.trades:
        raise ApiError("NOT_FOUND", f"{product_id(listing.symbol)} is not traded")
    return listing


def _product(request: Request, listing: Listing) -> dict[str, object]:
    if not listing.trades:
        return render_product(listing, None, None)
    day = request.day_figures.of(listing.symbol, request.now_ns)
    return render_product(listing, request.exchange.engine.quote(listing.symbol), day)


def _top(request: Request, listing: Listing) -> dict[str, object]:
    quote = request.exchange.engine.quote(listing.symbol)
    return _pricebook(request, listing, [(quote.bid, quote.bid_quantity)], [(quote.ask, quote.ask_quantity)])


def _pricebook(request: Request, listing: Listing, bids: Levels, asks: Levels) -> dict[str, object]:
    return {
        "product_id": product_id(listing.symbol),
        "bids": [{"price": text(price), "size": text(size)} for price, size in bids],
        "asks": [{"price": text(price), "size": text(size)} for price, size in asks],
        "time": rfc3339(request.now_ns),
    }


def _spread(quote: Quote) -> dict[str, object]:
    middle = (quote.bid + quote.ask) / 2
    spread = quote.ask - quote.bid
    return {
        "last": text(quote.last),
        "mid_market": text(middle),
        "spread_bps": text((spread / middle * BASIS_POINTS).quantize(Decimal("0.001"))),
        "spread_absolute": text(spread),
    }


def _public_trade(listing: Listing, trade: PublicTrade) -> dict[str, object]:
    return {
        "trade_id": str(trade.number),
        "product_id": product_id(listing.symbol),
        "price": text(trade.price),
        "size": text(trade.quantity),
        "time": rfc3339(trade.time_ns),
        "side": trade.side.value.upper(),
        "bid": "",
        "ask": "",
        "exchange": "coinbase",
    }


def _candle(candle: Candle) -> dict[str, str]:
    return {
        "start": str(candle.open_ns // NANOSECONDS_PER_SECOND),
        "low": text(candle.low),
        "high": text(candle.high),
        "open": text(candle.open),
        "close": text(candle.close),
        "volume": text(candle.volume),
    }
