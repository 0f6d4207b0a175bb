"""Closing positions: market orders to sell what is held, or a part of it."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from paper_exchange.alpaca.instruments import find_listing
from paper_exchange.alpaca.order_entry import MULTI_STATUS, place
from paper_exchange.alpaca.order_forms import MARKET, OrderForm, amount_or_none
from paper_exchange.alpaca.order_records import render_order
from paper_exchange.alpaca.order_terms import DAY
from paper_exchange.alpaca.replies import BAD_PARAMETER, NOT_FOUND, ApiError, json_reply, status_of
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply
from paper_exchange.orders import Order, Side


def close_one(request: Request) -> Reply:
    """All of it, or ``qty`` shares, or ``percentage`` percent."""
    name = request.parameters["symbol_or_asset_id"]
    listing = find_listing(request.listings, name)
    holding = request.venue.costs.holdings(request.account_id).get(listing.base) if listing is not None else None
    if listing is None or holding is None:
        raise ApiError(NOT_FOUND, f"position not found: {name}")
    order = _sell(request, listing, _part(request, listing, holding.quantity))
    return json_reply(render_order(request.venue, order, request.now_ns))


def close_all(request: Request) -> Reply:
    """207 with an order, or a refusal, for each position; ``cancel_orders`` cancels the open orders first."""
    if request.query.text("cancel_orders").lower() == "true":
        for order in request.exchange.engine.open_orders(request.account_id):
            request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
    rows: list[dict[str, object]] = []
    for stock, holding in sorted(request.venue.costs.holdings(request.account_id).items()):
        listing = find_listing(request.listings, stock)
        assert listing is not None
        try:
            order = _sell(request, listing, holding.quantity)
            body = render_order(request.venue, order, request.now_ns)
            rows.append({"symbol": stock, "status": 200, "order_id": body["id"], "body": body})
        except ApiError as problem:
            body = {"code": problem.code, "message": problem.message}
            rows.append({"symbol": stock, "status": status_of(problem.code), "body": body})
    return json_reply(rows, status=MULTI_STATUS)


def _part(request: Request, listing: Listing, held: Decimal) -> Decimal:
    quantity = amount_or_none(request.query.text("qty"), "qty")
    percentage = amount_or_none(request.query.text("percentage"), "percentage")
    if quantity is not None and percentage is not None:
        raise ApiError(BAD_PARAMETER, "only one of qty or percentage is accepted")
    if percentage is None:
        return held if quantity is None else quantity
    return (held * percentage / 100 / listing.lot_step).to_integral_value(ROUND_FLOOR) * listing.lot_step


def _sell(request: Request, listing: Listing, quantity: Decimal) -> Order:
    form = OrderForm(
        stock=listing.base,
        side=Side.SELL,
        kind=MARKET,
        time_in_force=DAY,
        quantity=quantity,
        notional=None,
        limit_price=None,
        stop_price=None,
        extended_hours=False,
        client_order_id=None,
    )
    return place(request, form)
