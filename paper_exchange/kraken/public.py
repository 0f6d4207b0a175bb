"""Public endpoints: time, status, assets, pairs and market data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.utils import formatdate

from paper_exchange.catalogue import Listing, TradingMode
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    UNKNOWN_ASSET,
    UNKNOWN_PAIR,
    KrakenError,
    fixed,
    invalid_argument,
    whole_seconds,
)
from paper_exchange.kraken.naming import PairName, altname, asset_id, cost_decimals, result_key
from paper_exchange.market import DayStats, PublicTrade, Quote
from paper_exchange.orders import Side

OHLC_ROWS = 720
OHLC_MINUTES = frozenset({1, 5, 15, 30, 60, 240, 1440, 10080, 21600})
SPREAD_ROWS = 200
PRICE_DECIMALS = 5
"""Tickers and books show prices with at least five decimals, even of pairs that are quoted to one."""
VOLUME_DECIMALS = 8
DEPTH_VOLUME_DECIMALS = 3
STATUS_BY_MODE = {
    TradingMode.ONLINE: "online",
    TradingMode.CANCEL_ONLY: "cancel_only",
    TradingMode.POST_ONLY: "post_only",
    TradingMode.LIMIT_ONLY: "limit_only",
    TradingMode.HALTED: "cancel_only",
}


@dataclass(frozen=True, slots=True)
class AskedPair:
    """A pair and the key its result goes by."""

    name: PairName
    listing: Listing
    key: str


def time(context: Context) -> object:
    now = whole_seconds(context.now_ns)
    return {"unixtime": now, "rfc1123": formatdate(now).replace("-0000", "+0000")}


def system_status(context: Context) -> object:
    return {"status": "online", "timestamp": rfc3339(context.now_ns)[:19] + "Z"}


def assets(context: Context) -> object:
    wanted = context.params.items("asset")
    every = context.names.catalogue.assets()
    chosen = [_asset(context, text) for text in wanted] if wanted else list(every)
    return {
        asset_id(name): {
            "aclass": "currency",
            "altname": altname(name),
            "decimals": every[name].decimals,
            "display_decimals": every[name].display_decimals,
            "status": "enabled",
        }
        for name in chosen
    }


def asset_pairs(context: Context) -> object:
    return {pair.key: _pair_terms(pair) for pair in _asked_pairs(context, default_all=True)}


def ticker(context: Context) -> object:
    """Without ``pair``, every pair that trades."""
    wanted = context.params.items("pair")
    pairs = (
        _asked_pairs(context) if wanted else [_plain(context, listing) for listing in context.names.catalogue.trading()]
    )
    return {pair.key: _ticker(context, pair) for pair in pairs}


def ohlc(context: Context) -> object:
    """At most 720 candles whatever ``since`` is; the last one is still forming, ``last`` is the one before it."""
    pair = _one_pair(context)
    minutes = _whole(context, "interval", 1)
    if minutes not in OHLC_MINUTES:
        raise invalid_argument("interval")
    since = _whole(context, "since", 0)
    if not pair.listing.trades:
        return {pair.key: [], "last": since}
    interval_seconds = minutes * 60
    since_ns = (since + 1) * NANOSECONDS_PER_SECOND if since else None
    candles = context.exchange.market.candles(pair.name.symbol, interval_seconds, since_ns, OHLC_ROWS)
    decimals = pair.listing.price_decimals
    rows = [
        [
            whole_seconds(candle.open_ns),
            *(fixed(price, decimals) for price in (candle.open, candle.high, candle.low, candle.close, candle.vwap)),
            fixed(candle.volume, VOLUME_DECIMALS),
            candle.trades,
        ]
        for candle in candles
    ]
    forming = whole_seconds(context.now_ns) // interval_seconds * interval_seconds
    return {pair.key: rows, "last": forming - interval_seconds}


def depth(context: Context) -> object:
    pair = _one_pair(context)
    count = _whole(context, "count", 100)
    if not 1 <= count <= 500:
        raise invalid_argument("count")
    bids, asks = context.exchange.engine.book(pair.name.symbol, count) if pair.listing.trades else ([], [])
    now = whole_seconds(context.now_ns)
    decimals = _price_decimals(pair.listing)

    def rows(levels: Sequence[tuple[Decimal, Decimal]]) -> list[list[object]]:
        return [[fixed(price, decimals), fixed(volume, DEPTH_VOLUME_DECIMALS), now] for price, volume in levels]

    return {pair.key: {"asks": rows(asks), "bids": rows(bids)}}


def trades(context: Context) -> object:
    """Trades after ``since`` (nanoseconds), oldest first; without it the latest ones."""
    pair = _one_pair(context)
    count = _whole(context, "count", 1000)
    if not 1 <= count <= 1000:
        raise invalid_argument("count")
    since = _whole(context, "since", 0)
    found = [trade for trade in _recent_trades(context, pair, 1000) if trade.time_ns > since]
    found = found[:count] if since else found[-count:]
    decimals = _price_decimals(pair.listing)
    rows = [
        [
            fixed(trade.price, decimals),
            fixed(trade.quantity, VOLUME_DECIMALS),
            trade.time_ns / NANOSECONDS_PER_SECOND,
            "b" if trade.side is Side.BUY else "s",
            "m",
            "",
            trade.number,
        ]
        for trade in found
    ]
    return {pair.key: rows, "last": str(found[-1].time_ns if found else since or context.now_ns)}


def spread(context: Context) -> object:
    """The best bid and ask as the latest trades showed them, and last the present quote."""
    pair = _one_pair(context)
    since = _whole(context, "since", 0)
    rows = [row for row in _spread_rows(context, pair) if row[0] >= since][-SPREAD_ROWS:]
    return {pair.key: rows, "last": rows[-1][0] if rows else since}


def _spread_rows(context: Context, pair: AskedPair) -> list[tuple[int, str, str]]:
    if not pair.listing.trades:
        return []
    decimals = _price_decimals(pair.listing)
    bid: Decimal | None = None
    ask: Decimal | None = None
    rows: list[tuple[int, str, str]] = []
    for trade in _recent_trades(context, pair, SPREAD_ROWS * 2):
        # A buyer took the ask, a seller the bid.
        bid, ask = (bid, trade.price) if trade.side is Side.BUY else (trade.price, ask)
        if bid is not None and ask is not None and bid < ask:
            rows.append((whole_seconds(trade.time_ns), fixed(bid, decimals), fixed(ask, decimals)))
    quote = context.exchange.engine.quote(pair.name.symbol)
    rows.append((whole_seconds(context.now_ns), fixed(quote.bid, decimals), fixed(quote.ask, decimals)))
    return rows


def _recent_trades(context: Context, pair: AskedPair, count: int) -> list[PublicTrade]:
    return context.exchange.market.recent_trades(pair.name.symbol, count) if pair.listing.trades else []


def _asked_pairs(context: Context, *, default_all: bool = False) -> list[AskedPair]:
    wanted = context.params.items("pair")
    if not wanted and default_all:
        return [_plain(context, listing) for listing in context.names.catalogue]
    return [_asked(context, text) for text in wanted]


def _one_pair(context: Context) -> AskedPair:
    text = context.params.text("pair")
    if text is None:
        raise invalid_argument("pair")
    return _asked(context, text)


def _asked(context: Context, text: str) -> AskedPair:
    name = context.names.pair(text)
    if name is None:
        raise KrakenError(UNKNOWN_PAIR)
    return AskedPair(name, context.names.listing(name), result_key(name, text))


def _plain(context: Context, listing: Listing) -> AskedPair:
    name = context.names.pairs[listing.symbol]
    return AskedPair(name, listing, name.pair_id)


def _asset(context: Context, text: str) -> str:
    name = context.names.asset(text)
    if name is None:
        raise KrakenError(UNKNOWN_ASSET)
    return name


def _pair_terms(pair: AskedPair) -> dict[str, object]:
    """Fees are empty lists, as Kraken has sent them since 2026: the rates of an account are in TradeVolume."""
    listing = pair.listing
    return {
        "altname": pair.name.altname,
        "wsname": pair.name.wsname,
        "aclass_base": "currency",
        "base": asset_id(listing.base),
        "aclass_quote": "currency",
        "quote": asset_id(listing.quote),
        "lot": "unit",
        "cost_decimals": cost_decimals(listing),
        "pair_decimals": listing.price_decimals,
        "lot_decimals": listing.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [],
        "fees_maker": [],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": format(listing.minimum_quantity, "f"),
        "costmin": format(listing.minimum_notional, "f"),
        "tick_size": format(listing.tick_size, "f"),
        "status": STATUS_BY_MODE[listing.mode] if listing.trades else "cancel_only",
        "execution_venue": "international",
    }


def _ticker(context: Context, pair: AskedPair) -> dict[str, object]:
    decimals = _price_decimals(pair.listing)
    if not pair.listing.trades:
        return _silent_ticker(fixed(pair.listing.reference_price, decimals))
    quote = context.exchange.engine.quote(pair.name.symbol)
    return _live_ticker(quote, context.exchange.market.day_stats(pair.name.symbol), decimals)


def _live_ticker(quote: Quote, stats: DayStats, decimals: int) -> dict[str, object]:
    return {
        "a": _side(quote.ask, quote.ask_quantity, decimals),
        "b": _side(quote.bid, quote.bid_quantity, decimals),
        "c": [fixed(quote.last, decimals), fixed(quote.last_quantity, VOLUME_DECIMALS)],
        "v": [fixed(stats.volume_today, VOLUME_DECIMALS), fixed(stats.volume_day, VOLUME_DECIMALS)],
        "p": [fixed(stats.vwap_today, decimals), fixed(stats.vwap_day, decimals)],
        "t": [stats.trades_today, stats.trades_day],
        "l": [fixed(stats.low_today, decimals), fixed(stats.low_day, decimals)],
        "h": [fixed(stats.high_today, decimals), fixed(stats.high_day, decimals)],
        "o": fixed(stats.open, decimals),
    }


def _silent_ticker(price: str) -> dict[str, object]:
    """Of a pair that is listed but does not trade: a last price and no volume."""
    return {
        "a": [price, "0", "0.000"],
        "b": [price, "0", "0.000"],
        "c": [price, "0.00000000"],
        "v": ["0.00000000", "0.00000000"],
        "p": [price, price],
        "t": [0, 0],
        "l": [price, price],
        "h": [price, price],
        "o": price,
    }


def _side(price: Decimal, quantity: Decimal, decimals: int) -> list[str]:
    return [fixed(price, decimals), str(int(quantity)), fixed(quantity, DEPTH_VOLUME_DECIMALS)]


def _price_decimals(listing: Listing) -> int:
    return max(PRICE_DECIMALS, listing.price_decimals)


def _whole(context: Context, name: str, default: int) -> int:
    text = context.params.text(name)
    if text is None:
        return default
    whole = text.partition(".")[0]
    if not whole.isascii() or not whole.isdigit() or len(whole) > 20:
        raise invalid_argument(name)
    return int(whole)
