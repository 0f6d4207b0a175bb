"""``/v2/stocks/bars``: bars of several stocks, one stock after the other, in pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

from paper_exchange.alpaca.bars import (
    TimedCandle,
    Timeframe,
    bars_between,
    decode_token,
    encode_token,
    read_timeframe,
    render_bar,
)
from paper_exchange.alpaca.market_data import asked_listings
from paper_exchange.alpaca.replies import json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply
from paper_exchange.trading_calendar import at_new_york, new_york_date

DEFAULT_BARS = 1000
MOST_BARS = 10_000
ASCENDING, DESCENDING = "asc", "desc"


def bars(request: Request) -> Reply:
    """By default those of today; ``limit`` counts the bars of all stocks together, the token goes on after a page."""
    query = request.query
    timeframe = read_timeframe(query.text("timeframe"))
    limit = query.whole("limit", DEFAULT_BARS, maximum=MOST_BARS)
    page, more = _page(request, timeframe, limit, query.choice("sort", (ASCENDING, DESCENDING)))
    found: dict[str, list[dict[str, object]]] = {}
    for stock, (time_ns, candle) in page:
        found.setdefault(stock, []).append(render_bar(time_ns, candle))
    token = encode_token(page[-1][0], query.text("timeframe"), page[-1][1][0]) if more else None
    if "symbol" in request.parameters:
        stock = request.parameters["symbol"].upper()
        return json_reply({"symbol": stock, "bars": found.get(stock, []), "next_page_token": token})
    return json_reply({"bars": found, "next_page_token": token})


def _page(
    request: Request, timeframe: Timeframe, limit: int, direction: str
) -> tuple[list[tuple[str, TimedCandle]], bool]:
    """The (stock, bar)s of this page, and whether there are more."""
    token = request.query.text("page_token")
    last_stock, last_ns = decode_token(token) if token else ("", 0)
    page: list[tuple[str, TimedCandle]] = []
    for listing in sorted(asked_listings(request), key=lambda listing: listing.base):
        if listing.base < last_stock:
            continue
        for bar in _all_bars(request, listing, timeframe, direction):
            seen = bar[0] <= last_ns if direction == ASCENDING else bar[0] >= last_ns
            if listing.base == last_stock and seen:
                continue
            if len(page) == limit:
                return page, True
            page.append((listing.base, bar))
    return page, False


def _all_bars(request: Request, listing: Listing, timeframe: Timeframe, direction: str) -> Iterator[TimedCandle]:
    start_ns, end_ns = request.query.time_ns("start"), request.query.time_ns("end")
    if start_ns is None:
        start_ns = at_new_york(new_york_date(request.now_ns), time())
    return bars_between(
        request, listing, timeframe, start_ns, end_ns or request.now_ns, descending=direction == DESCENDING
    )
