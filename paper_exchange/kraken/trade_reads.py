"""TradesHistory and QueryTrades: an account's fills."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import KrakenError, fixed, invalid_argument, seconds
from paper_exchange.kraken.naming import cost_decimals
from paper_exchange.kraken.page import counted, newest_page, read_bounds
from paper_exchange.orders import Trade

MAXIMUM_QUERIED = 20
TRADE_TYPES = frozenset({"all", "any position", "closed position", "closing position", "no position"})


def trades_history(context: Context) -> object:
    """Fifty a page, newest first. Every fill has a row of its own (Kraken may merge a taker's)."""
    kind = context.params.text("type") or "all"
    if kind not in TRADE_TYPES:
        raise invalid_argument("type")
    trades = _visible(context)
    times = {trade.trade_id: trade.time_ns for trade in trades}
    bounds = read_bounds(context.params, times.get)
    # Accounts here have no margin positions.
    found = [trade for trade in trades if bounds.hold(trade.time_ns)] if kind in ("all", "no position") else []
    return counted("trades", _shown(context, newest_page(found, context.params)), len(found), context.params)


def query_trades(context: Context) -> object:
    ids = context.params.items("txid")
    if not ids or len(ids) > MAXIMUM_QUERIED:
        raise invalid_argument("txid")
    by_id = {trade.trade_id: trade for trade in _visible(context)}
    found = [by_id[trade_id] for trade_id in ids if trade_id in by_id]
    if not found:
        raise KrakenError("EQuery:Unknown trade")
    return _shown(context, found)


def _visible(context: Context) -> list[Trade]:
    trades = context.exchange.engine.trades(context.account.account_id)
    if not context.call.lookup_lag_ns:
        return trades
    return [trade for trade in trades if trade.time_ns <= context.visible_until_ns]


def _shown(context: Context, trades: Iterable[Trade]) -> dict[str, object]:
    return {trade.trade_id: _show_trade(context, trade) for trade in trades}


def _show_trade(context: Context, trade: Trade) -> dict[str, object]:
    """``pair`` is the canonical id here, unlike in orders."""
    pair = context.names.pairs[trade.symbol]
    listing = context.names.listing(pair)
    decimals = cost_decimals(listing)
    return {
        "ordertxid": trade.order_id,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.pair_id,
        "time": seconds(trade.time_ns),
        "type": trade.side.value,
        "ordertype": context.exchange.engine.order(trade.order_id).kind.value,
        "price": fixed(trade.price, decimals),
        "cost": fixed(trade.cost, decimals),
        "fee": fixed(trade.fee, decimals),
        "vol": fixed(trade.quantity, listing.lot_decimals),
        "margin": fixed(trade.cost * 0, decimals),
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_number,
        "maker": trade.maker,
    }
