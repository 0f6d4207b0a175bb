"""Placing, previewing and cancelling orders."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from hashlib import sha256
from uuid import UUID

from paper_exchange.coinbase.client_orders import ClientOrders
from paper_exchange.coinbase.market_data import find_listing
from paper_exchange.coinbase.order_forms import configuration_of, new_order, read_form
from paper_exchange.coinbase.products import CENTS, product_id, text
from paper_exchange.coinbase.refusals import OrderRefused, reason_of, refusal_reply
from paper_exchange.coinbase.replies import ApiError, json_reply
from paper_exchange.coinbase.routes import Request
from paper_exchange.faults import FaultKind
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO, NewOrder, Order, OrderAlreadyClosed, Refusal, Side, UnknownOrder

MOST_CANCELS = 100


class OrderEntry:
    """Placement keeps to the documented rule: a client order id that is known gives the existing order, not a new one.

    That holds for as long as the exchange remembers the order, whatever else the second body says. An order that was
    refused never existed, so its id is free.
    """

    def __init__(self, client_orders: ClientOrders) -> None:
        self._client_orders = client_orders

    def create(self, request: Request) -> Reply:
        body = request.body
        client_order_id = body.get("client_order_id")
        if not isinstance(client_order_id, str) or not client_order_id:
            raise ApiError("INVALID_ARGUMENT", "client_order_id is missing")
        account_id = request.account.account_id
        order = self._client_orders.find(account_id, client_order_id)
        if order is None:
            try:
                order = _place(request, _read(request, body, client_order_id))
            except OrderRefused as refused:
                return refusal_reply(refused.reason, refused.message, body.get("order_configuration"))
            self._client_orders.note(order)
        request.call.order_id = order.order_id
        return _accepted(request, order)

    def preview(self, request: Request) -> Reply:
        body = request.body
        try:
            new = _read(request, body, None)
            _validate(request, new)
        except OrderRefused as refused:
            reason = f"PREVIEW_{refused.reason.removeprefix('PREVIEW_')}"
            return json_reply({**_no_estimate(request), "errs": [reason]}, error=reason)
        return json_reply({**_estimate(request, new), "errs": []})

    def cancel(self, request: Request) -> Reply:
        order_ids = request.body.get("order_ids")
        if not isinstance(order_ids, list) or not order_ids or not all(isinstance(each, str) for each in order_ids):
            raise ApiError("INVALID_ARGUMENT", "order_ids is not a list of order ids")
        if len(order_ids) > MOST_CANCELS:
            raise ApiError("INVALID_ARGUMENT", f"at most {MOST_CANCELS} orders can be cancelled at a time")
        results = [(order_id, _cancel(request, order_id)) for order_id in order_ids]
        failures = [f"{failure} {order_id}" for order_id, failure in results if failure]
        rows = [
            {
                "success": failure is None,
                "failure_reason": failure or "UNKNOWN_CANCEL_FAILURE_REASON",
                "order_id": order_id,
            }
            for order_id, failure in results
        ]
        return json_reply({"results": rows}, error=", ".join(failures) or None)


def _read(request: Request, body: dict[str, object], client_order_id: str | None) -> NewOrder:
    form = read_form(body)
    try:
        listing = find_listing(request, str(body.get("product_id")))
    except ApiError as unknown:
        raise OrderRefused("INVALID_PRODUCT_ID", unknown.details) from None
    if not listing.trades:
        raise OrderRefused("ORDER_ENTRY_DISABLED", f"{product_id(listing.symbol)} is not traded")
    return new_order(form, listing, account_id=request.account.account_id, client_order_id=client_order_id)


def _place(request: Request, new: NewOrder) -> Order:
    try:
        return request.exchange.engine.place(new, request.now_ns)
    except Refusal as refusal:
        raise OrderRefused(reason_of(refusal.code, new), refusal.detail) from None


def _validate(request: Request, new: NewOrder) -> None:
    try:
        request.exchange.engine.validate(new, request.now_ns)
    except Refusal as refusal:
        raise OrderRefused(reason_of(refusal.code, new), refusal.detail) from None


def _accepted(request: Request, order: Order) -> Reply:
    fault = request.call.fault
    without = fault is not None and fault.kind is FaultKind.NULL_CONFIGURATION
    success = {
        "order_id": order.order_id,
        "product_id": product_id(order.symbol),
        "side": order.side.value.upper(),
        "client_order_id": order.client_order_id,
    }
    return json_reply(
        {
            "success": True,
            "failure_reason": "UNKNOWN_FAILURE_REASON",
            "order_id": order.order_id,
            "success_response": success,
            "order_configuration": None if without else configuration_of(order),
        }
    )


def _cancel(request: Request, order_id: str) -> str | None:
    """Coinbase's name for why the order can't be cancelled; None when it was."""
    try:
        request.exchange.engine.cancel(request.account.account_id, order_id, request.now_ns)
    except UnknownOrder:
        return "UNKNOWN_CANCEL_ORDER"
    except OrderAlreadyClosed:
        return "INVALID_CANCEL_REQUEST"
    return None


def _no_estimate(request: Request) -> dict[str, object]:
    return {"order_total": "0", "commission_total": "0", "warning": [], "preview_id": _preview_id(request)}


def _estimate(request: Request, new: NewOrder) -> dict[str, object]:
    """What the order would cost at the best price, or at its limit; the commission is the taker's."""
    quote = request.exchange.engine.quote(new.symbol)
    price = new.limit_price or (quote.ask if new.side is Side.BUY else quote.bid)
    _, rate = request.exchange.engine.fee_rates(new.account_id, new.symbol)
    if new.quote_amount is not None:
        cost = new.quote_amount / (1 + rate)
    else:
        cost = (new.quantity or ZERO) * price
    commission = (cost * rate).quantize(CENTS, rounding=ROUND_UP)
    total = cost + commission if new.side is Side.BUY else cost - commission
    return {
        "order_total": text(total.quantize(CENTS)),
        "commission_total": text(commission),
        "warning": [],
        "quote_size": text(cost.quantize(CENTS)),
        "base_size": text((cost / price).quantize(Decimal("1E-8"))),
        "best_bid": text(quote.bid),
        "best_ask": text(quote.ask),
        "is_max": False,
        "slippage": "0",
        "preview_id": _preview_id(request),
    }


def _preview_id(request: Request) -> str:
    seed = f"{request.account.account_id}:{request.now_ns}".encode() + request.call.body
    return str(UUID(bytes=sha256(seed).digest()[:16], version=4))
