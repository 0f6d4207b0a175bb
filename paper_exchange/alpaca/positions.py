"""Positions: shares held, what they cost and what they are worth; ``qty_available`` is what no open order holds."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.alpaca.cost_basis import Holding
from paper_exchange.alpaca.instruments import ASSET_CLASS, asset_id, exchange_of, find_listing
from paper_exchange.alpaca.numbers import AVERAGE_DIGITS, CENT, text
from paper_exchange.alpaca.replies import NOT_FOUND, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import STOCK_QUOTE
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO

RATIO_DIGITS = Decimal("0.000001")


def list_positions(request: Request) -> Reply:
    holdings = request.venue.costs.holdings(request.account_id)
    return json_reply([_describe(request, stock, holding) for stock, holding in sorted(holdings.items())])


def one_position(request: Request) -> Reply:
    name = request.parameters["symbol_or_asset_id"]
    listing = find_listing(request.listings, name)
    if listing is None:
        raise ApiError(NOT_FOUND, f"symbol not found: {name}")
    holding = request.venue.costs.holdings(request.account_id).get(listing.base)
    if holding is None:
        raise ApiError(NOT_FOUND, "position does not exist")
    return json_reply(_describe(request, listing.base, holding))


def _describe(request: Request, stock: str, holding: Holding) -> dict[str, object]:
    symbol = f"{stock}/{STOCK_QUOTE}"
    balance = request.exchange.engine.balances(request.account_id)[stock]
    price, before = request.exchange.market.last(symbol), request.venue.last_day.of(symbol)
    value, profit = holding.quantity * price, holding.quantity * price - holding.cost
    today = holding.quantity * (price - before)
    return {
        "asset_id": asset_id(stock),
        "symbol": stock,
        "exchange": exchange_of(stock),
        "asset_class": ASSET_CLASS,
        "asset_marginable": False,
        "qty": text(balance.total),
        "qty_available": text(balance.available),
        "side": "long",
        "avg_entry_price": text(holding.average.quantize(AVERAGE_DIGITS)),
        "cost_basis": text(holding.cost.quantize(AVERAGE_DIGITS)),
        "market_value": text(value.quantize(CENT)),
        "unrealized_pl": text(profit.quantize(AVERAGE_DIGITS)),
        "unrealized_plpc": text(_ratio(profit, holding.cost)),
        "unrealized_intraday_pl": text(today.quantize(AVERAGE_DIGITS)),
        "unrealized_intraday_plpc": text(_ratio(price - before, before)),
        "current_price": text(price),
        "lastday_price": text(before),
        "change_today": text(_ratio(price - before, before)),
    }


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(RATIO_DIGITS) if whole else ZERO
