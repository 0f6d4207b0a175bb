"""Placing, changing and cancelling orders, one by one or in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply
from paper_exchange.matching import hold_asset, round_down
from paper_exchange.okx import refusals
from paper_exchange.okx.account_levels import TRADES_FOR_CASH
from paper_exchange.okx.accounts import usd_per_unit
from paper_exchange.okx.algo_ids import is_order
from paper_exchange.okx.expiry import expiry_ns
from paper_exchange.okx.order_forms import OrderForm, check_trade_mode, flag, new_order, positive, read_form, text
from paper_exchange.okx.order_rules import check_price_band, size_problem
from paper_exchange.okx.query import milliseconds
from paper_exchange.okx.replies import FAILED, OK, PARTLY_FAILED, ApiError, OrderRefused, json_reply
from paper_exchange.okx.routes import Fields, Request
from paper_exchange.orders import (
    ZERO,
    AmendRequest,
    NewOrder,
    Order,
    OrderAlreadyClosed,
    OrderKind,
    OrderStatus,
    Refusal,
    RefusalCode,
    Side,
    UnknownOrder,
)

MOST_ORDERS_OF_A_BATCH = 20
DEPTH_LOOKED_AT = 400
GONE = "51400"
Row = dict[str, str]
Step = Callable[[Request, Fields], str]
"""Does one thing to one order and gives its id. Raises ApiError or OrderRefused."""


def place(request: Request) -> Reply:
    return _one(request, _place)


def place_batch(request: Request) -> Reply:
    return _batch(request, _place)


def cancel(request: Request) -> Reply:
    return _one(request, _cancel)


def cancel_batch(request: Request) -> Reply:
    return _batch(request, _cancel)


def amend(request: Request) -> Reply:
    return _one(request, _amend)


def amend_batch(request: Request) -> Reply:
    return _batch(request, _amend)


def batch_reply(request: Request, rows: list[Row]) -> Reply:
    """What became of every order; the envelope says whether all, some or none went well."""
    failures = [f"{row['sCode']}: {row['sMsg']}" for row in rows if row["sCode"] != OK]
    code = OK if not failures else FAILED if len(failures) == len(rows) else PARTLY_FAILED
    message = "" if not failures else "All operations failed" if code == FAILED else "Some operations failed"
    microseconds = str(request.now_ns // 1000)
    body = {"code": code, "msg": message, "data": rows, "inTime": microseconds, "outTime": microseconds}
    return json_reply(body, error=", ".join(failures) or None)


def _one(request: Request, step: Step) -> Reply:
    fields = request.with_instrument(request.fields)
    try:
        row = _done(request, fields, step(request, fields))
    except OrderRefused as problem:
        row = _not_done(request, fields, problem)
    return batch_reply(request, [row])


def _batch(request: Request, step: Step) -> Reply:
    rows = request.rows
    if len(rows) > MOST_ORDERS_OF_A_BATCH:
        raise ApiError("51111", f"Maximum {MOST_ORDERS_OF_A_BATCH} orders can be placed in bulk")
    results: list[Row] = []
    for fields in map(request.with_instrument, rows):
        try:
            results.append(_done(request, fields, step(request, fields)))
        except (OrderRefused, ApiError) as problem:
            results.append(_not_done(request, fields, problem))
    return batch_reply(request, results)


def _done(request: Request, fields: Fields, order_id: str) -> Row:
    order = request.exchange.engine.order(order_id)
    request.call.order_id = order_id
    return _row(request, fields, order_id, order.client_order_id or "", OK, "")


def _not_done(request: Request, fields: Fields, problem: OrderRefused | ApiError) -> Row:
    order_id = fields.get("ordId")
    known = order_id if isinstance(order_id, str) else ""
    return _row(request, fields, known, str(fields.get("clOrdId") or ""), problem.code, problem.message)


def _row(request: Request, fields: Fields, order_id: str, client_id: str, code: str, message: str) -> Row:
    row = {
        "ordId": order_id,
        "clOrdId": client_id,
        "tag": str(fields.get("tag") or ""),
        "ts": milliseconds(request.now_ns),
        "sCode": code,
        "sMsg": message,
        "subCode": "",
    }
    return row | {"reqId": str(fields["reqId"] or "")} if "reqId" in fields else row


def _place(request: Request, fields: Fields) -> str:
    """An order that is accepted need not be filled; a client order id that a live order has is refused."""
    check_trade_mode(fields, takes_cash=request.levels.of(request.account_id) in TRADES_FOR_CASH)
    form = read_form(fields)
    listing = listing_for_order(request, form.inst_id)
    new = read_order(request, form, listing)
    if form.client_id is not None and request.client_ids.live(request.account_id, form.client_id) is not None:
        raise OrderRefused("51016")
    check_price_band(new, listing, request.exchange.market.last(listing.symbol))
    order = _accepted(request, form, new, listing)
    request.client_ids.note(order)
    return order.order_id


def read_order(request: Request, form: OrderForm, listing: Listing) -> NewOrder:
    """The order in the engine's terms; a sell sized in money becomes the quantity that brings it now."""
    if form.in_quote and form.side is Side.SELL:
        quantity = _quantity_worth(request, form.size, listing, Side.BUY)
        form = replace(form, size=quantity or listing.lot_step, in_quote=False)
    return new_order(form, listing, account_id=request.account_id, deadline_ns=expiry_ns(request.call))


def listing_for_order(request: Request, inst_id: str) -> Listing:
    """Raises OrderRefused for an instrument that can't be traded."""
    try:
        listing = request.listing(inst_id)
    except ApiError as unknown:
        raise OrderRefused(unknown.code) from None
    if not listing.trades:
        raise OrderRefused("51021", "The pair or contract is not yet listed.")
    return listing


def _accepted(request: Request, form: OrderForm, new: NewOrder, listing: Listing) -> Order:
    try:
        try:
            return _engine_takes(request, new, listing)
        except Refusal as refusal:
            smaller = None if form.exact else _smaller(request, new, listing, refusal)
            if smaller is None:
                raise
            return _engine_takes(request, smaller, listing)
    except Refusal as refusal:
        raise refusals.refused(refusal, new.side, new.kind, listing) from None


def _engine_takes(request: Request, new: NewOrder, listing: Listing) -> Order:
    """Raises Refusal, or OrderRefused for a size that is too large; of a limit order OKX looks for its money first."""
    last = request.exchange.market.last(listing.symbol)
    too_large = size_problem(new, last, usd_per_unit(request.exchange, listing.quote))
    if too_large is not None:
        if new.kind is not OrderKind.MARKET:
            request.exchange.engine.validate(new, request.now_ns)
        raise too_large
    return request.exchange.engine.place(new, request.now_ns)


def _smaller(request: Request, new: NewOrder, listing: Listing, refusal: Refusal) -> NewOrder | None:
    """The market order that the balance does cover, None if it covers none: OKX says nothing of having shrunk it."""
    if new.kind is not OrderKind.MARKET or refusal.code is not RefusalCode.INSUFFICIENT_FUNDS:
        return None
    asset = hold_asset(new.side, listing)
    held = request.exchange.engine.balances(request.account_id).get(asset)
    available = held.available if held is not None else ZERO
    if new.quote_amount is not None:
        return replace(new, quote_amount=available) if available else None
    if new.side is Side.SELL:
        quantity = round_down(available, listing.lot_step)
    else:
        quantity = _quantity_worth(request, available, listing, Side.SELL)
    return replace(new, quantity=quantity) if quantity else None


def _quantity_worth(request: Request, budget: Decimal, listing: Listing, resting: Side) -> Decimal:
    """The quantity that the money stands for against the orders on the ``resting`` side, best first."""
    quantity = ZERO
    bids, asks = request.exchange.engine.book(listing.symbol, DEPTH_LOOKED_AT)
    for price, offered in bids if resting is Side.BUY else asks:
        taken = min(offered, round_down(budget / price, listing.lot_step))
        quantity += taken
        budget -= taken * price
        if taken < offered:
            break
    return quantity


def _cancel(request: Request, fields: Fields) -> str:
    order = named_order(request, fields, OrderRefused(GONE))
    try:
        request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
    except (UnknownOrder, OrderAlreadyClosed):
        raise OrderRefused(GONE) from None
    return order.order_id


def _amend(request: Request, fields: Fields) -> str:
    order = named_order(
        request, fields, OrderRefused("51503", "Order modification failed as the order does not exist.")
    )
    change = AmendRequest(
        quantity=positive(fields, "newSz"),
        limit_price=positive(fields, "newPx"),
        deadline_ns=expiry_ns(request.call),
    )
    if change.quantity is None and change.limit_price is None:
        raise OrderRefused("51500", "Either order price or amount is required.")
    try:
        request.exchange.engine.amend(request.account_id, order.order_id, change, request.now_ns)
    except OrderAlreadyClosed as closed:
        filled = closed.order.status is OrderStatus.FILLED
        code, word = ("51510", "completed") if filled else ("51509", "canceled")
        raise OrderRefused(code, f"Order modification failed as the order has been {word}.") from None
    except Refusal as refusal:
        if flag(fields, "cxlOnFail"):
            request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
        raise refusals.amendment_refused(refusal) from None
    return order.order_id


def named_order(request: Request, fields: Fields, unknown: OrderRefused) -> Order:
    """The account's order of that ``ordId``, or else the latest of that ``clOrdId``; raises ``unknown``, or ApiError.

    An algo order that still waits for its trigger is no order yet.
    """
    inst_id, order_id, client_id = (text(fields, name) for name in ("instId", "ordId", "clOrdId"))
    if inst_id is None:
        raise ApiError("50014", "Parameter instId can not be empty.")
    if order_id is None and client_id is None:
        raise ApiError("50015", "Either parameter ordId or clOrdId is required")
    for order in orders_named(request, order_id, client_id):
        if order.symbol == inst_id.replace("-", "/"):
            return order
    raise unknown


def orders_named(request: Request, order_id: str | None, client_id: str | None) -> list[Order]:
    """The account's own, the latest first."""
    if order_id is None:
        return request.client_ids.orders(request.account_id, client_id or "")
    try:
        order = request.exchange.engine.order(order_id)
    except UnknownOrder:
        return []
    return [order] if order.account_id == request.account_id and is_order(order) else []
