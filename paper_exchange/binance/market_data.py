"""Endpoints about the market that anyone may call: time, symbols, prices, books, trades and candles."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

from paper_exchange.binance.amounts import UNIT, milliseconds, text
from paper_exchange.binance.day_tickers import DAY_NS
from paper_exchange.binance.errors import (
    BAD_COMBINATION,
    OTHER_STATUS,
    BinanceError,
    json_reply,
    missing,
    not_valid,
)
from paper_exchange.binance.klines import read_klines, render_kline
from paper_exchange.binance.limits import RATE_LIMITS
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import Request
from paper_exchange.binance.symbols import STATUSES, status_of
from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply
from paper_exchange.market import PublicTrade
from paper_exchange.orders import Side

DEFAULT_DEPTH = 100
MOST_DEPTH = 5000
DEFAULT_TRADES = 500
MOST_TRADES = 1000
AVERAGE_MINUTES = 5
Render = Callable[[Request, Listing], dict[str, object]]


def ping(_request: Request) -> Reply:
    return json_reply({})


def server_time(request: Request) -> Reply:
    return json_reply({"serverTime": milliseconds(request.now_ns)})


def exchange_info(request: Request) -> Reply:
    """Put together as text, from entries that are kept: the whole list has several hundred of them."""
    described = ",".join(request.symbols.described(listing) for listing in _asked(request, all_listed=True))
    head = {
        "timezone": "UTC",
        "serverTime": milliseconds(request.now_ns),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
    }
    return Reply(f'{json.dumps(head, separators=(",", ":"))[:-1]},"symbols":[{described}]}}'.encode())


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
    listing = _required(request)
    minutes = request.exchange.market.candles(listing.symbol, 60, None, AVERAGE_MINUTES)
    volume = sum((minute.volume for minute in minutes), Decimal(0))
    turnover = sum((minute.vwap * minute.volume for minute in minutes), Decimal(0))
    price = turnover / volume if volume else request.exchange.engine.quote(listing.symbol).last
    body = {"mins": AVERAGE_MINUTES, "price": text(price.quantize(UNIT)), "closeTime": milliseconds(request.now_ns)}
    return json_reply(body)


def depth(request: Request) -> Reply:
    listing = _required(request)
    bids, asks = request.exchange.engine.book(listing.symbol, request.parameters.limit(DEFAULT_DEPTH, MOST_DEPTH))
    body = {
        "lastUpdateId": milliseconds(request.now_ns),
        "bids": [[text(price), text(quantity)] for price, quantity in bids],
        "asks": [[text(price), text(quantity)] for price, quantity in asks],
    }
    return json_reply(body)


def recent_trades(request: Request) -> Reply:
    return json_reply([_trade(trade) for trade in _trades(request)])


def aggregate_trades(request: Request) -> Reply:
    """Every trade of the tape stands for itself, so there is nothing to put together."""
    return json_reply([_aggregate(trade) for trade in _trades(request)])


def klines(request: Request) -> Reply:
    return json_reply([render_kline(kline) for kline in read_klines(request, _required(request).symbol)])


def depth_weight(parameters: Parameters) -> int:
    limit = parameters.limit(DEFAULT_DEPTH, MOST_DEPTH)
    return next(weight for most, weight in ((100, 5), (500, 25), (1000, 50), (MOST_DEPTH, 250)) if limit <= most)


def day_weight(parameters: Parameters) -> int:
    """2 for up to 20 symbols, 40 for up to 100, 80 for more or all."""
    if "symbol" in parameters:
        return 2
    count = len(_listed_names(parameters) or ()) or MOST_TRADES
    return next((weight for most, weight in ((20, 2), (100, 40)) if count <= most), 80)


def ticker_weight(parameters: Parameters) -> int:
    return 2 if "symbol" in parameters else 4


def _trades(request: Request) -> Sequence[PublicTrade]:
    """The newest ``limit`` trades, oldest first; from a time or a number on, the oldest of what is still known."""
    parameters, symbol = request.parameters, _required(request).symbol
    limit = parameters.limit(DEFAULT_TRADES, MOST_TRADES)
    since_ns, until_ns, first = (
        parameters.time_ns("startTime"),
        parameters.time_ns("endTime"),
        parameters.whole("fromId"),
    )
    if since_ns is None and until_ns is None and first is None:
        return request.exchange.market.recent_trades(symbol, limit)
    known = [
        trade
        for trade in request.exchange.market.recent_trades(symbol, MOST_TRADES)
        if (since_ns is None or trade.time_ns >= since_ns)
        and (until_ns is None or milliseconds(trade.time_ns) <= milliseconds(until_ns))
        and (first is None or trade.number >= first)
    ]
    return known[-limit:] if since_ns is None and first is None else known[:limit]


def _required(request: Request) -> Listing:
    name = request.parameters.symbol()
    if name is None:
        raise missing("symbol")
    _in_status(request.parameters, [request.symbols.listing(name)], named=True)
    return request.symbols.traded(name)


def _asked(request: Request, *, all_listed: bool = False) -> list[Listing]:
    """The symbols a request names, one or several, or all."""
    parameters, symbols = request.parameters, request.symbols
    name, names = parameters.symbol(), _listed_names(parameters)
    if name is not None and names is not None:
        raise BinanceError(BAD_COMBINATION)
    if name is not None:
        names = [name]
    if names is not None:
        return _in_status(parameters, [symbols.listing(each) for each in names], named=True)
    return _in_status(parameters, list(symbols.listings) if all_listed else symbols.listings.trading(), named=False)


def _in_status(parameters: Parameters, listings: list[Listing], *, named: bool) -> list[Listing]:
    """Of a list those in the status that is asked for; symbols asked for by name must all be in it."""
    wanted = parameters.text("symbolStatus")
    if wanted not in (None, *STATUSES):
        raise not_valid("symbolStatus")
    chosen = [listing for listing in listings if wanted in (None, status_of(listing))]
    if named and len(chosen) < len(listings):
        raise BinanceError(OTHER_STATUS)
    return chosen


def _listed_names(parameters: Parameters) -> list[str] | None:
    """The parameter ``symbols``: a JSON array of names."""
    given = parameters.text("symbols")
    if given is None:
        return None
    try:
        names = json.loads(given)
    except ValueError:
        raise not_valid("symbols") from None
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        raise not_valid("symbols")
    return names


def _one_or_many(request: Request, render: Render) -> Reply:
    """An object for ``symbol``, an array for ``symbols`` or for all."""
    listings = _asked(request)
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


def _trade(trade: PublicTrade) -> dict[str, object]:
    return {
        "id": trade.number,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text((trade.price * trade.quantity).quantize(UNIT)),
        "time": milliseconds(trade.time_ns),
        "isBuyerMaker": trade.side is Side.SELL,
        "isBestMatch": True,
    }


def _aggregate(trade: PublicTrade) -> dict[str, object]:
    return {
        "a": trade.number,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "f": trade.number,
        "l": trade.number,
        "T": milliseconds(trade.time_ns),
        "m": trade.side is Side.SELL,
        "M": True,
    }
