"""Endpoints about the market: time, status, instruments, prices, books, trades and candles."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.http import Reply
from paper_exchange.market import Candle, PublicTrade
from paper_exchange.okx.bars import BARS, bars_of
from paper_exchange.okx.instruments import INSTRUMENT_TYPES, SPOT, inst_id_of, render_instrument
from paper_exchange.okx.order_rules import price_limits
from paper_exchange.okx.query import amount, milliseconds
from paper_exchange.okx.replies import ApiError, data_reply, wrong
from paper_exchange.okx.routes import Request

MOST_CANDLES = 300
MOST_OLD_CANDLES = 100
DEFAULT_CANDLES = 100
MOST_LEVELS = 400
DEFAULT_TRADES, MOST_TRADES = 100, 500
DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
MINUTE_NS = 60 * NANOSECONDS_PER_SECOND
HONG_KONG_NS = 8 * 3_600 * NANOSECONDS_PER_SECOND
MONEY = Decimal("1E-8")
Levels = list[tuple[Decimal, Decimal]]


def server_time(request: Request) -> Reply:
    return data_reply([{"ts": milliseconds(request.now_ns)}])


def system_status(_request: Request) -> Reply:
    """Maintenance that is planned or going on: none, unless a fault says so."""
    return data_reply([])


def instruments(request: Request) -> Reply:
    """Spot only: the other types are known and empty."""
    query = request.query
    if _instrument_type(request) != SPOT:
        return data_reply([])
    inst_id = query.text("instId")
    listings = [request.listing(inst_id)] if inst_id is not None else list(request.listings)
    return data_reply([render_instrument(listing) for listing in listings])


def price_limit(request: Request) -> Reply:
    listing = _traded(request.listing(request.query.required("instId")))
    highest, lowest = price_limits(listing, request.exchange.market.last(listing.symbol))
    row = {
        "instType": SPOT,
        "instId": inst_id_of(listing.symbol),
        "buyLmt": amount(highest),
        "sellLmt": amount(lowest),
        "ts": milliseconds(request.now_ns),
        "enabled": True,
    }
    return data_reply([row])


def ticker(request: Request) -> Reply:
    listing = _traded(request.listing(request.query.required("instId")))
    return data_reply([_ticker(request, listing)])


def tickers(request: Request) -> Reply:
    if _instrument_type(request) != SPOT:
        return data_reply([])
    return data_reply([_ticker(request, listing) for listing in request.listings.trading()])


def books(request: Request) -> Reply:
    listing = _traded(request.listing(request.query.required("instId")))
    depth = min(request.query.whole("sz") or 1, MOST_LEVELS)
    bids, asks = request.exchange.engine.book(listing.symbol, depth)
    return data_reply([{"asks": _levels(asks), "bids": _levels(bids), "ts": milliseconds(request.now_ns)}])


def trades(request: Request) -> Reply:
    """The latest trades, newest first."""
    listing = _traded(request.listing(request.query.required("instId")))
    limit = request.query.limit(DEFAULT_TRADES, MOST_TRADES)
    latest = request.exchange.market.recent_trades(listing.symbol, limit)
    return data_reply([_public_trade(listing, trade) for trade in reversed(latest)])


def candles(request: Request) -> Reply:
    return _candles(request, MOST_CANDLES)


def old_candles(request: Request) -> Reply:
    """Finished candles, as far back as the tape goes."""
    return _candles(request, MOST_OLD_CANDLES)


def _candles(request: Request, most: int) -> Reply:
    """Newest first; ``after`` and ``before`` are beginnings, themselves excluded."""
    query = request.query
    listing = _traded(request.listing(query.required("instId")))
    length = BARS.get(query.text("bar") or "1m")
    if length is None:
        raise wrong("bar")
    after_ns, before_ns = query.time_ns("after"), query.time_ns("before")
    rows = bars_of(
        request.exchange.market,
        listing.symbol,
        length,
        since_ns=None if before_ns is None else before_ns + 1,
        until_ns=request.now_ns if after_ns is None else after_ns - 1,
        limit=query.limit(DEFAULT_CANDLES, most),
    )
    return data_reply([_candle(row, row.open_ns + length.nanoseconds <= request.now_ns) for row in reversed(rows)])


def _instrument_type(request: Request) -> str:
    kind = request.query.required("instType")
    if kind not in INSTRUMENT_TYPES:
        raise wrong("instType")
    return kind


def _traded(listing: Listing) -> Listing:
    if not listing.trades:
        raise ApiError("51001")
    return listing


def _ticker(request: Request, listing: Listing) -> dict[str, str]:
    market, now_ns = request.exchange.market, request.now_ns
    quote = request.exchange.engine.quote(listing.symbol)
    day = request.day_figures.of(listing.symbol, now_ns)
    hong_kong_midnight_ns = (now_ns + HONG_KONG_NS) // DAY_NS * DAY_NS - HONG_KONG_NS
    day_ago = market.candles(listing.symbol, 60, now_ns - DAY_NS, 1, until_ns=now_ns - DAY_NS + MINUTE_NS)
    midnight = market.candles(listing.symbol, 60, hong_kong_midnight_ns, 1, until_ns=hong_kong_midnight_ns)
    return {
        "instType": SPOT,
        "instId": inst_id_of(listing.symbol),
        "last": amount(quote.last),
        "lastSz": amount(quote.last_quantity),
        "askPx": amount(quote.ask),
        "askSz": amount(quote.ask_quantity),
        "bidPx": amount(quote.bid),
        "bidSz": amount(quote.bid_quantity),
        "open24h": amount(day_ago[0].open if day_ago else day.open),
        "high24h": amount(day.high_day),
        "low24h": amount(day.low_day),
        "vol24h": amount(day.volume_day),
        "volCcy24h": amount((day.volume_day * day.vwap_day).quantize(MONEY)),
        "sodUtc0": amount(day.open),
        "sodUtc8": amount(midnight[0].open if midnight else day.open),
        "ts": milliseconds(now_ns),
    }


def _levels(levels: Levels) -> list[list[str]]:
    """Price, quantity, a field that means nothing any more, and the number of orders."""
    return [[amount(price), amount(size), "0", "1"] for price, size in levels]


def _public_trade(listing: Listing, trade: PublicTrade) -> dict[str, str]:
    return {
        "instId": inst_id_of(listing.symbol),
        "tradeId": str(trade.number),
        "px": amount(trade.price),
        "sz": amount(trade.quantity),
        "side": trade.side.value,
        "ts": milliseconds(trade.time_ns),
        "source": "0",
    }


def _candle(candle: Candle, finished: bool) -> list[str]:
    turnover = amount((candle.volume * candle.vwap).quantize(MONEY))
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [
        milliseconds(candle.open_ns),
        *(amount(price) for price in prices),
        amount(candle.volume),
        turnover,
        turnover,
        "1" if finished else "0",
    ]
