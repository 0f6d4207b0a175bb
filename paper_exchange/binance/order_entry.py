"""Placing, testing, cancelling and replacing orders.

A client order id is refused while an open order of the account has it, and only then: once that order is filled or
cancelled the id places a new one. So sending a market order again buys again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from paper_exchange.binance.errors import (
    CANCEL_REJECTED,
    NEW_ORDER_REJECTED,
    NOT_REPLACED,
    PARTLY_REPLACED,
    TOO_MANY_ORDERS,
    BinanceError,
    error_reply,
    filter_failure,
    json_reply,
    not_valid,
)
from paper_exchange.binance.order_form import new_order, response_type
from paper_exchange.binance.order_lookup import named_order, required_symbol
from paper_exchange.binance.order_records import render_cancelled, render_placed, status
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.refusals import DUPLICATE, problem_of
from paper_exchange.binance.routes import Request
from paper_exchange.binance.symbols import LARGEST_NOTIONAL, MOST_OPEN_STOPS, PRICE_BAND
from paper_exchange.http import Reply
from paper_exchange.orders import NewOrder, Order, OrderAlreadyClosed, Refusal, UnknownOrder

RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
"""An order is cancelled only if it has this status."""
RESTRICTED = "Order was not canceled due to cancel restrictions."
MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")


class TooManyOrders(Exception):
    """The account is over a limit of its own; ``reply`` says which."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.error)
        self.reply = reply


def create(request: Request) -> Reply:
    kind = response_type(request.parameters)
    try:
        order = place(request)
    except TooManyOrders as problem:
        return problem.reply
    return json_reply(render_placed(request, order, kind))


def test(request: Request) -> Reply:
    """Judged by all rules but those of the engine, which it never reaches: balance and book are not looked at."""
    response_type(request.parameters)
    new = read_order(request)
    _check_filters(request, new)
    try:
        request.exchange.engine.validate(new, request.now_ns)
    except Refusal as refusal:
        problem = problem_of(refusal, new)
        if problem.code != NEW_ORDER_REJECTED:
            raise problem from None
    if not request.parameters.flag("computeCommissionRates"):
        return json_reply({})
    maker, taker = request.exchange.engine.fee_rates(new.account_id, new.symbol)
    zero = {"maker": "0.00000000", "taker": "0.00000000"}
    rates = {"maker": format(maker, ".8f"), "taker": format(taker, ".8f")}
    return json_reply({"standardCommissionForOrder": rates, "taxCommissionForOrder": zero})


def cancel(request: Request) -> Reply:
    symbol = required_symbol(request)
    order = named_order(request, symbol, "orderId", "origClientOrderId")
    return json_reply(_cancel(request, order, cancel_id_name="newClientOrderId"))


def cancel_open(request: Request) -> Reply:
    """All open orders of one symbol."""
    symbol = required_symbol(request)
    live = [each for each in request.exchange.engine.open_orders(request.account.account_id) if each.symbol == symbol]
    if not live:
        raise BinanceError(CANCEL_REJECTED)
    return json_reply([_cancel(request, order, cancel_id_name="newClientOrderId") for order in live])


def cancel_replace(request: Request) -> Reply:
    """Cancel one order, then place another; 409 when only one of the two was done."""
    parameters = request.parameters
    mode, symbol, kind = parameters.required("cancelReplaceMode"), required_symbol(request), response_type(parameters)
    if mode not in MODES:
        raise not_valid("cancelReplaceMode")
    new = read_order(request)
    _check_filters(request, new)
    try:
        _charge(request)
    except TooManyOrders as problem:
        return problem.reply
    old = named_order(request, symbol, "cancelOrderId", "cancelOrigClientOrderId")
    cancelled = _attempt(lambda: _cancel(request, old, cancel_id_name="cancelNewClientOrderId"))
    if isinstance(cancelled, BinanceError) and mode == "STOP_ON_FAILURE":
        return _replace_failure(NOT_REPLACED, cancelled, None)
    placed = _attempt(lambda: render_placed(request, _enter(request, new), kind))
    if isinstance(cancelled, BinanceError) and isinstance(placed, BinanceError):
        return _replace_failure(NOT_REPLACED, cancelled, placed)
    if isinstance(cancelled, BinanceError) or isinstance(placed, BinanceError):
        return _replace_failure(PARTLY_REPLACED, cancelled, placed)
    return json_reply(_replace_body(cancelled, placed))


def place(request: Request) -> Order:
    """The order that a request asks for, accepted. Raises BinanceError or TooManyOrders."""
    new = read_order(request)
    _check_filters(request, new)
    _charge(request)
    return _enter(request, new)


def read_order(request: Request) -> NewOrder:
    """The order in the engine's terms, with a client order id made up for it if it has none. Raises BinanceError."""
    parameters = request.parameters
    required_symbol(request)
    listing = request.symbols.traded(parameters.symbol())
    client_order_id = parameters.client_id("newClientOrderId") or _made_up_id(request)
    return new_order(parameters, listing, account_id=request.account.account_id, client_order_id=client_order_id)


def _charge(request: Request) -> None:
    """Count an order; raises TooManyOrders."""
    account = request.account
    over = request.shared.limits.charge_order(account.account_id, request.now_ns, strict=account.strict)
    if over is not None:
        reply = error_reply(BinanceError(TOO_MANY_ORDERS, over.message))
        raise TooManyOrders(replace(reply, headers=(("retry-after", str(over.retry_after_seconds)),)))


def _enter(request: Request, new: NewOrder) -> Order:
    """Give it to the engine."""
    open_orders = request.exchange.engine.open_orders(new.account_id)
    if any(order.client_order_id == new.client_order_id for order in open_orders):
        raise BinanceError(NEW_ORDER_REJECTED, DUPLICATE)
    try:
        order = request.exchange.engine.place(new, request.now_ns)
    except Refusal as refusal:
        raise problem_of(refusal, new) from None
    request.shared.client_orders.note(order)
    request.call.order_id = order.order_id
    return order


def _check_filters(request: Request, new: NewOrder) -> None:
    """The filters that the engine does not know."""
    last = request.exchange.engine.quote(new.symbol).last
    if new.limit_price is not None and not last * PRICE_BAND[0] <= new.limit_price <= last * PRICE_BAND[1]:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")
    if new.limit_price is not None and new.limit_price * (new.quantity or Decimal(0)) > LARGEST_NOTIONAL:
        raise filter_failure("NOTIONAL")
    if new.trigger_price is None:
        return
    live = request.exchange.engine.open_orders(new.account_id)
    stops = sum(1 for order in live if order.symbol == new.symbol and order.trigger_price is not None)
    if stops >= MOST_OPEN_STOPS:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")


def _cancel(request: Request, order: Order | None, *, cancel_id_name: str) -> dict[str, object]:
    """The answer to a cancel that was carried out. Raises BinanceError for an order that is unknown or over."""
    cancel_id = request.parameters.client_id(cancel_id_name) or _made_up_id(request)
    if order is None:
        raise BinanceError(CANCEL_REJECTED)
    _check_restrictions(request.parameters, order)
    if order.is_live:
        request.shared.cancel_ids[order.order_id] = cancel_id
    try:
        request.exchange.engine.cancel(order.account_id, order.order_id, request.now_ns)
    except (UnknownOrder, OrderAlreadyClosed):
        raise BinanceError(CANCEL_REJECTED) from None
    return render_cancelled(request, order, cancel_id)


def _check_restrictions(parameters: Parameters, order: Order) -> None:
    given = parameters.text("cancelRestrictions")
    if given is None or not order.is_live:
        return
    if given not in RESTRICTIONS:
        raise not_valid("cancelRestrictions")
    if status(order) != RESTRICTIONS[given]:
        raise BinanceError(CANCEL_REJECTED, RESTRICTED)


def _made_up_id(request: Request) -> str:
    """22 characters, as the venue gives to orders and cancels that come without an id."""
    return sha256(request.exchange.ids.ledger_id("binance").encode()).hexdigest()[:22]


def _attempt(action: Callable[[], dict[str, object]]) -> dict[str, object] | BinanceError:
    try:
        return action()
    except BinanceError as problem:
        return problem


def _replace_failure(
    code: int, cancelled: dict[str, object] | BinanceError, placed: dict[str, object] | BinanceError | None
) -> Reply:
    partly = "partially " if code == PARTLY_REPLACED else ""
    problem = BinanceError(code, f"Order cancel-replace {partly}failed.")
    whole = error_reply(problem)
    return json_reply(
        {**problem.body, "data": _replace_body(cancelled, placed)}, status=whole.status, error=whole.error
    )


def _replace_body(
    cancelled: dict[str, object] | BinanceError, placed: dict[str, object] | BinanceError | None
) -> dict[str, object]:
    return {
        "cancelResult": _result(cancelled),
        "newOrderResult": _result(placed),
        "cancelResponse": cancelled.body if isinstance(cancelled, BinanceError) else cancelled,
        "newOrderResponse": placed.body if isinstance(placed, BinanceError) else placed,
    }


def _result(part: dict[str, object] | BinanceError | None) -> str:
    if part is None:
        return "NOT_ATTEMPTED"
    return "FAILURE" if isinstance(part, BinanceError) else "SUCCESS"
