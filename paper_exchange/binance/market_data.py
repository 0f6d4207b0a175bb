"""Endpoints about the market that anyone may call: time, symbols, books, trades and candles."""

from __future__ import annotations

import json
from collections.abc import Sequence

from paper_exchange.binance.amounts import UNIT, milliseconds, text
from paper_exchange.binance.asked_symbols import asked_symbols, traded_symbol
from paper_exchange.binance.errors import json_reply
from paper_exchange.binance.klines import read_klines, render_kline
from paper_exchange.binance.limits import RATE_LIMITS
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import Request
from paper_exchange.http import Reply
from paper_exchange.market import PublicTrade
from paper_exchange.orders import Side

DEFAULT_DEPTH = 100
MOST_DEPTH = 5000
DEFAULT_TRADES = 500
MOST_TRADES = 1000


def ping(_request: Request) -> Reply:
    return json_reply({})


def server_time(request: Request) -> Reply:
    return json_reply({"serverTime": milliseconds(request.now_ns)})


def exchange_info(request: Request) -> Reply:
    """Put together as text, from entries that are kept: the whole list has several hundred of them."""
    described = ",".join(request.symbols.described(listing) for listing in asked_symbols(request, all_listed=True))
    head = {
        "timezone": "UTC",
        "serverTime": milliseconds(request.now_ns),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
    }
    return Reply(f'{json.dumps(head, separators=(",", ":"))[:-1]},"symbols":[{described}]}}'.encode())


def depth(request: Request) -> Reply:
    listing = traded_symbol(request)
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
    return json_reply([render_kline(kline) for kline in read_klines(request, traded_symbol(request).symbol)])


def depth_weight(parameters: Parameters) -> int:
    limit = parameters.limit(DEFAULT_DEPTH, MOST_DEPTH)
    return next(weight for most, weight in ((100, 5), (500, 25), (1000, 50), (MOST_DEPTH, 250)) if limit <= most)


def _trades(request: Request) -> Sequence[PublicTrade]:
    """The newest ``limit`` trades, oldest first; from a time or a number on, the oldest of what is still known."""
    parameters, symbol = request.parameters, traded_symbol(request).symbol
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
