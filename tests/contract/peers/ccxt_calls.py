"""The calls that are the same for every exchange in ccxt."""

from __future__ import annotations

from typing import Any

from report import Report

SYMBOL = "BTC/USD"
TINY = 0.00000001
FAR_BELOW = 0.8
"""A limit this far below the price rests."""


def call_everything(
    report: Report,
    client: Any,
    client_order_id: dict[str, str],
    *,
    symbol: str = SYMBOL,
    unknown: str = "no-such-order",
) -> None:
    """Markets, prices, balance, and the life of a market and of a limit order, sent with ``client_order_id``.

    ``unknown`` is an order id that no order has.
    """
    _read_market(report, client, symbol)
    price = client.fetch_ticker(symbol)["ask"]
    report.call("balance_before", lambda: _money(client, symbol))
    bought = report.call("market_buy", lambda: client.create_order(symbol, "market", "buy", 0.01, price))
    report.call("market_buy_shown", lambda: client.fetch_order(bought["id"], symbol))
    report.call("market_sell", lambda: client.create_order(symbol, "market", "sell", 0.004))
    resting = report.call(
        "limit_buy",
        lambda: client.create_order(symbol, "limit", "buy", 0.02, price * FAR_BELOW, client_order_id),
    )
    report.call("limit_buy_shown", lambda: client.fetch_order(resting["id"], symbol))
    report.call("open_orders", lambda: client.fetch_open_orders(symbol))
    report.call("balance_with_hold", lambda: _money(client, symbol))
    report.call("cancel", lambda: client.cancel_order(resting["id"], symbol))
    report.call("cancelled_shown", lambda: client.fetch_order(resting["id"], symbol))
    report.call("open_orders_after", lambda: client.fetch_open_orders(symbol))
    report.call("closed_orders", lambda: client.fetch_closed_orders(symbol))
    report.call("my_trades", lambda: client.fetch_my_trades(symbol))
    report.call("balance_after", lambda: _money(client, symbol))
    report.call("too_expensive", lambda: client.create_order(symbol, "limit", "buy", 1000, price * FAR_BELOW))
    report.call("too_small", lambda: client.create_order(symbol, "limit", "buy", TINY, price * FAR_BELOW))
    report.call("cancel_unknown", lambda: client.cancel_order(unknown, symbol))


def _read_market(report: Report, client: Any, symbol: str) -> None:
    markets = report.call("load_markets", lambda: _market_rules(client.load_markets(), symbol))
    assert markets is not None, "markets can't be loaded"
    report.call("time", client.fetch_time)
    report.call("ticker", lambda: _without_info(client.fetch_ticker(symbol)))
    report.call("candles", lambda: client.fetch_ohlcv(symbol, "1m", limit=10))
    report.call("book", lambda: client.fetch_order_book(symbol, 5))
    report.call("trades", lambda: [_without_info(trade) for trade in client.fetch_trades(symbol, limit=3)])


def _market_rules(markets: dict[str, Any], symbol: str) -> dict[str, Any]:
    bitcoin = markets[symbol]
    return {"count": len(markets), **{name: bitcoin[name] for name in ("precision", "limits", "active", "id")}}


def _money(client: Any, symbol: str) -> dict[str, Any]:
    balance = client.fetch_balance({"v3": True} if client.id == "coinbase" else {})
    return {asset: balance.get(asset) for asset in reversed(symbol.split("/"))}


def _without_info(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "info"}
