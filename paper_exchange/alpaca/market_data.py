"""Market data: latest quotes, trades and bars, and snapshots of all three. Amounts are JSON numbers here."""

from __future__ import annotations

from collections.abc import Callable

from paper_exchange.alpaca.bars import DAY, MINUTE, bars_between, render_bar
from paper_exchange.alpaca.instruments import exchange_of
from paper_exchange.alpaca.numbers import number
from paper_exchange.alpaca.replies import BAD_PARAMETER, NOT_FOUND, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import STOCK_QUOTE, Listing
from paper_exchange.clock import rfc3339
from paper_exchange.http import Reply

EXCHANGE_LETTERS = {"NASDAQ": "Q", "NYSE": "N", "ARCA": "P"}
TAPES = {"NASDAQ": "C", "NYSE": "A", "ARCA": "B"}
SNAPSHOT_NS = 10 * 86_400 * 1_000_000_000
"""Holds two trading days whatever holidays there are."""
Render = Callable[[Request, Listing], dict[str, object] | None]


def latest_quotes(request: Request) -> Reply:
    return _latest(request, "quotes", "quote", _quote)


def latest_trades(request: Request) -> Reply:
    return _latest(request, "trades", "trade", _trade)


def latest_bars(request: Request) -> Reply:
    return _latest(request, "bars", "bar", _minute_bar)


def snapshots(request: Request) -> Reply:
    return json_reply({listing.base: _snapshot(request, listing) for listing in asked_listings(request)})


def snapshot(request: Request) -> Reply:
    [listing] = asked_listings(request)
    return json_reply({"symbol": listing.base, **_snapshot(request, listing)})


def asked_listings(request: Request) -> list[Listing]:
    """Those of the path or of ``symbols``; a list leaves out what is not known, a path must be right."""
    one = request.parameters.get("symbol")
    wanted = [one] if one is not None else request.query.texts("symbols")
    if not wanted:
        raise ApiError(BAD_PARAMETER, "symbols is required")
    found = [f"{stock.upper()}/{STOCK_QUOTE}" for stock in wanted]
    known = [request.listings.listing(symbol) for symbol in dict.fromkeys(found) if symbol in request.listings]
    if one is not None and not known:
        raise ApiError(NOT_FOUND, f"symbol not found: {one}")
    return known


def _latest(request: Request, many: str, one: str, render: Render) -> Reply:
    rows = {listing.base: render(request, listing) for listing in asked_listings(request)}
    if "symbol" in request.parameters:
        [(stock, row)] = rows.items()
        return json_reply({"symbol": stock, one: row})
    return json_reply({many: {stock: row for stock, row in rows.items() if row is not None}})


def _quote(request: Request, listing: Listing) -> dict[str, object]:
    quote, exchange = request.exchange.engine.quote(listing.symbol), exchange_of(listing.base)
    return {
        "t": rfc3339(quote.time_ns),
        "ax": EXCHANGE_LETTERS[exchange],
        "ap": number(quote.ask),
        "as": int(quote.ask_quantity),
        "bx": EXCHANGE_LETTERS[exchange],
        "bp": number(quote.bid),
        "bs": int(quote.bid_quantity),
        "c": ["R"],
        "z": TAPES[exchange],
    }


def _trade(request: Request, listing: Listing) -> dict[str, object] | None:
    """The latest trade of the tape; None if there was none in the last half hour, as in a market long closed."""
    trades, exchange = request.exchange.market.recent_trades(listing.symbol, 1), exchange_of(listing.base)
    quote = request.exchange.engine.quote(listing.symbol)
    time_ns, price, size, trade_id = quote.time_ns, quote.last, quote.last_quantity, 0
    if trades and trades[-1].price == quote.last:
        time_ns, size, trade_id = trades[-1].time_ns, trades[-1].quantity, trades[-1].number
    return {
        "t": rfc3339(time_ns),
        "x": EXCHANGE_LETTERS[exchange],
        "p": number(price),
        "s": max(1, int(size)),
        "c": ["@"],
        "i": trade_id,
        "z": TAPES[exchange],
    }


def _minute_bar(request: Request, listing: Listing) -> dict[str, object] | None:
    bars = request.exchange.market.candles(listing.symbol, MINUTE.seconds, None, 1)
    return render_bar(bars[-1].open_ns, bars[-1]) if bars else None


def _snapshot(request: Request, listing: Listing) -> dict[str, object]:
    days = list(bars_between(request, listing, DAY, request.now_ns - SNAPSHOT_NS, request.now_ns))
    rows = [render_bar(time_ns, candle) for time_ns, candle in days]
    return {
        "latestTrade": _trade(request, listing),
        "latestQuote": _quote(request, listing),
        "minuteBar": _minute_bar(request, listing),
        "dailyBar": rows[-1] if rows else None,
        "prevDailyBar": rows[-2] if len(rows) > 1 else None,
    }
