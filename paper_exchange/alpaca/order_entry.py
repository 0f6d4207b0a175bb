"""Placing, replacing and cancelling orders."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid5

from paper_exchange.alpaca.account import dollars_of
from paper_exchange.alpaca.instruments import IDS_OF_THIS_FRONT
from paper_exchange.alpaca.order_checks import (
    check_account,
    check_day_trading,
    check_funds,
    check_own_orders,
    cost_basis,
    insufficient_buying_power,
)
from paper_exchange.alpaca.order_forms import (
    OrderForm,
    amount_or_none,
    asked_listing,
    new_order,
    read_client_order_id,
    read_form,
)
from paper_exchange.alpaca.order_lookup import find_order
from paper_exchange.alpaca.order_records import render_order, status_of
from paper_exchange.alpaca.order_terms import Terms
from paper_exchange.alpaca.replies import (
    BAD_PARAMETER,
    FORBIDDEN,
    NOT_POSSIBLE,
    ApiError,
    json_reply,
    nothing_to_say,
)
from paper_exchange.alpaca.routes import Request
from paper_exchange.http import Reply
from paper_exchange.orders import (
    CloseReason,
    NewOrder,
    Order,
    OrderAlreadyClosed,
    Refusal,
    RefusalCode,
    Side,
    UnknownOrder,
)

MULTI_STATUS = 207


def submit(request: Request) -> Reply:
    """A client order id is unique for good: a second order of the same id is refused whatever became of the first.

    An order that was refused never existed, so its id is free.
    """
    form = read_form(request.body)
    order = place(request, form)
    return json_reply(render_order(request.venue, order, request.now_ns))


def place(request: Request, form: OrderForm) -> Order:
    """Raises ApiError, and then nothing has changed."""
    form = _with_client_order_id(request, form)
    check_account(request)
    new = new_order(request, form, asked_listing(request, form.stock))
    check_day_trading(request, new)
    check_own_orders(request, new)
    check_funds(request, new)
    return _placed(request, new)


def change(request: Request) -> Reply:
    """Replace an order by one with other terms and an id of its own; the old one's status says so."""
    order, body = find_order(request, request.parameters["order_id"]), request.body
    if not order.is_live:
        raise _already(request, order)
    form = _with_client_order_id(request, _changed_form(order, body))
    check_account(request)
    new = new_order(request, form, asked_listing(request, form.stock), replaces=order.order_id)
    check_funds(request, new, freed=order.reserved)
    _check_engine(request, new)
    request.exchange.engine.cancel(order.account_id, order.order_id, request.now_ns, CloseReason.REPLACED)
    return json_reply(render_order(request.venue, _placed(request, new), request.now_ns))


def cancel(request: Request) -> Reply:
    """204 and no body."""
    order = find_order(request, request.parameters["order_id"])
    try:
        request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
    except OrderAlreadyClosed:
        raise _already(request, order) from None
    return nothing_to_say()


def cancel_all(request: Request) -> Reply:
    """207 and a status for each order that was open."""
    rows = []
    for order in request.exchange.engine.open_orders(request.account_id):
        try:
            request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
            rows.append({"id": order.order_id, "status": 200})
        except (OrderAlreadyClosed, UnknownOrder):
            rows.append({"id": order.order_id, "status": 422})
    return json_reply(rows, status=MULTI_STATUS)


def _with_client_order_id(request: Request, form: OrderForm) -> OrderForm:
    """The form with the id that was given, or else with a new one. Raises ApiError for one that is known."""
    given = form.client_order_id
    if given is None:
        made = uuid5(IDS_OF_THIS_FRONT, f"{request.account_id}:{request.now_ns}:{request.exchange.journal.last_seq}")
        return replace(form, client_order_id=str(made))
    if request.venue.client_orders.find(request.account_id, given) is not None:
        raise ApiError(BAD_PARAMETER, "client_order_id must be unique")
    return form


def _placed(request: Request, new: NewOrder) -> Order:
    try:
        order = request.exchange.engine.place(new, request.now_ns)
    except Refusal as refusal:
        raise _problem_of(request, new, refusal) from None
    request.venue.client_orders.note(order)
    request.call.order_id = order.order_id
    return order


def _check_engine(request: Request, new: NewOrder) -> None:
    """Raises ApiError for what the engine would refuse, funds apart: the order to be replaced still holds them."""
    try:
        request.exchange.engine.validate(new, request.now_ns)
    except Refusal as refusal:
        if refusal.code is not RefusalCode.INSUFFICIENT_FUNDS:
            raise _problem_of(request, new, refusal) from None


def _problem_of(request: Request, new: NewOrder, refusal: Refusal) -> ApiError:
    match refusal.code:
        case RefusalCode.INSUFFICIENT_FUNDS if new.side is Side.BUY:
            return insufficient_buying_power(dollars_of(request).available, cost_basis(request, new))
        case RefusalCode.INSUFFICIENT_FUNDS:
            return ApiError(FORBIDDEN, f"insufficient qty available for order: {refusal.detail}")
        case RefusalCode.NOTIONAL_BELOW_MINIMUM | RefusalCode.QUANTITY_BELOW_MINIMUM:
            return ApiError(NOT_POSSIBLE, f"cost basis must be >= minimal amount of order 1: {refusal.detail}")
        case RefusalCode.TICK_SIZE:
            detail = "sub-penny increment does not fulfill minimum pricing criteria"
            return ApiError(NOT_POSSIBLE, f"{refusal.detail} {detail}")
        case RefusalCode.MARKET_HALTED:
            return ApiError(NOT_POSSIBLE, f'asset "{new.symbol.partition("/")[0]}" is not tradable')
    return ApiError(NOT_POSSIBLE, refusal.detail)


def _changed_form(order: Order, body: dict[str, object]) -> OrderForm:
    """The order's own terms with those that the body changes; ``qty`` counts what is filled already."""
    terms, new = Terms.of(order.new), order.new
    if terms.notional is not None or new.quantity is None:
        raise ApiError(NOT_POSSIBLE, "notional orders cannot be replaced")
    quantity = (amount_or_none(body.get("qty"), "qty") or new.quantity) - order.filled_quantity
    given_limit, given_stop = (amount_or_none(body.get(name), name) for name in ("limit_price", "stop_price"))
    own_limit = new.limit_price if terms.kind in ("limit", "stop_limit") else None
    changed = {
        "symbol": order.symbol.partition("/")[0],
        "side": order.side.value,
        "type": terms.kind,
        "time_in_force": body.get("time_in_force") or terms.time_in_force,
        "qty": quantity,
        "limit_price": given_limit or own_limit,
        "stop_price": given_stop or new.trigger_price,
        "extended_hours": terms.extended_hours,
        "client_order_id": read_client_order_id(body),
    }
    return read_form(changed)


def _already(request: Request, order: Order) -> ApiError:
    current = request.exchange.engine.order(order.order_id)
    return ApiError(NOT_POSSIBLE, f'order is already in "{status_of(request.venue, current)}" state')
