"""Prices of one symbol, of some or of all: the best, the last, the average, and the day's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from paper_exchange.binance.amounts import UNIT, milliseconds, text
from paper_exchange.binance.asked_symbols import asked_symbols, listed_names, traded_symbol
from paper_exchange.binance.day_tickers import DAY_NS
from paper_exchange.binance.errors import json_reply, not_valid
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import Request
from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply

AVERAGE_MINUTES = 5
MANY = 1000
"""Of symbols: as many as all of them weigh."""
Render = Callable[[Request, Listing], dict[str, object]]


def book_ticker(request: Request) -> Reply:
    return _one_or_many(request, _book_ticker)


def price_ticker(request: Request) -> Reply:
    return _one_or_many(request, _price)


def day_ticker(request: Request) -> Reply:
    kind = request.parameters.text("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise not_valid("type")
    return _one_or_many(request, _day if kind == "FULL" else _mini_day)


def average_price(request: Request) -> Reply:
    """Over the last five minutes, weighed by volume."""
    listing = traded_symbol(request)
    minutes = request.exchange.market.candles(listing.symbol, 60, None, AVERAGE_MINUTES)
    volume = sum((minute.volume for minute in minutes), Decimal(0))
    turnover = sum((minute.vwap * minute.volume for minute in minutes), Decimal(0))
    price = turnover / volume if volume else request.exchange.engine.quote(listing.symbol).last
    body = {"mins": AVERAGE_MINUTES, "price": text(price.quantize(UNIT)), "closeTime": milliseconds(request.now_ns)}
    return json_reply(body)


def day_weight(parameters: Parameters) -> int:
    """2 for up to 20 symbols, 40 for up to 100, 80 for more or all."""
    if "symbol" in parameters:
        return 2
    count = len(listed_names(parameters) or ()) or MANY
    return next((weight for most, weight in ((20, 2), (100, 40)) if count <= most), 80)


def ticker_weight(parameters: Parameters) -> int:
    return 2 if "symbol" in parameters else 4


def _one_or_many(request: Request, render: Render) -> Reply:
    """An object for ``symbol``, an array for ``symbols`` or for all."""
    listings = asked_symbols(request)
    if "symbol" in request.parameters:
        return json_reply(render(request, request.symbols.traded(request.parameters.symbol())))
    return json_reply([render(request, listing) for listing in listings if listing.trades])


def _book_ticker(request: Request, listing: Listing) -> dict[str, object]:
    quote = request.exchange.engine.quote(listing.symbol)
    return {
        "symbol": request.symbols.name(listing.symbol),
        "bidPrice": text(quote.bid),
        "bidQty": text(quote.bid_quantity),
        "askPrice": text(quote.ask),
        "askQty": text(quote.ask_quantity),
    }


def _price(request: Request, listing: Listing) -> dict[str, object]:
    last = request.exchange.engine.quote(listing.symbol).last
    return {"symbol": request.symbols.name(listing.symbol), "price": text(last)}


def _mini_day(request: Request, listing: Listing) -> dict[str, object]:
    known = request.shared.day_tickers.of(listing.symbol, request.now_ns)
    stats, last = known.stats, request.exchange.engine.quote(listing.symbol).last
    newest = request.exchange.market.recent_trades(listing.symbol, 1)
    last_id = newest[-1].number if newest else -1
    return {
        "symbol": request.symbols.name(listing.symbol),
        "openPrice": text(known.opened),
        "highPrice": text(max(stats.high_day, last)),
        "lowPrice": text(min(stats.low_day, last)),
        "lastPrice": text(last),
        "volume": text(stats.volume_day),
        "quoteVolume": text((stats.volume_day * stats.vwap_day).quantize(UNIT)),
        "openTime": milliseconds(known.counted_ns - DAY_NS),
        "closeTime": milliseconds(known.counted_ns),
        "firstId": last_id - stats.trades_day + 1 if newest else -1,
        "lastId": last_id,
        "count": stats.trades_day,
    }


def _day(request: Request, listing: Listing) -> dict[str, object]:
    known = request.shared.day_tickers.of(listing.symbol, request.now_ns)
    quote = request.exchange.engine.quote(listing.symbol)
    change = quote.last - known.opened
    return {
        **_mini_day(request, listing),
        **_book_ticker(request, listing),
        "priceChange": text(change),
        "priceChangePercent": format((change / known.opened * 100).quantize(Decimal("0.001")), "f"),
        "weightedAvgPrice": text(known.stats.vwap_day.quantize(UNIT)),
        "prevClosePrice": text(known.opened),
        "lastQty": text(quote.last_quantity),
    }
