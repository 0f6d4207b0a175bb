"""Orders, fills and the answers to placing and cancelling, as Binance shows them."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.binance.amounts import milliseconds, text
from paper_exchange.binance.order_form import type_name
from paper_exchange.binance.routes import Request
from paper_exchange.binance.symbols import SELF_TRADE_PREVENTION
from paper_exchange.orders import ZERO, CloseReason, Order, OrderStatus, Side, Trade

NO_LIST = -1
BY_USER = frozenset({CloseReason.USER_REQUESTED.value, CloseReason.REPLACED.value})


def status(order: Order) -> str:
    """What ended otherwise than by its owner's wish has expired, at this venue."""
    if order.is_live:
        return "PARTIALLY_FILLED" if order.filled_quantity else "NEW"
    if order.status is OrderStatus.FILLED:
        return "FILLED"
    if order.close_reason == CloseReason.SELF_TRADE.value:
        return "EXPIRED_IN_MATCH"
    by_user = order.status is OrderStatus.CANCELED and order.close_reason in BY_USER
    return "CANCELED" if by_user else "EXPIRED"


def commission_asset(trade: Trade) -> str:
    """Commissions are paid in what a trade brings."""
    base, _, quote = trade.symbol.partition("/")
    return base if trade.fee_in_base else quote


def quantity_of(order: Order) -> Decimal:
    """Base units asked for; of an order by an amount of money, those it has traded."""
    return order.filled_quantity if order.quantity is None else order.quantity


def render_order(request: Request, order: Order) -> dict[str, object]:
    """An order as look-ups show it."""
    return {
        "symbol": request.symbols.name(order.symbol),
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": order.client_order_id or "",
        **_terms(order),
        "stopPrice": text(order.trigger_price or ZERO),
        "icebergQty": text(ZERO),
        "time": milliseconds(order.opened_at_ns),
        "updateTime": milliseconds(changed_ns(request, order)),
        "isWorking": is_working(order),
        "workingTime": working_ms(order),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
    }


def render_placed(request: Request, order: Order, response_type: str) -> dict[str, object]:
    """The answer to an accepted order, of the type asked for."""
    head: dict[str, object] = {
        "symbol": request.symbols.name(order.symbol),
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": order.client_order_id or "",
        "transactTime": milliseconds(changed_ns(request, order)),
    }
    if response_type == "ACK":
        return head
    result = {
        **head,
        **_terms(order),
        "workingTime": working_ms(order),
        **({"stopPrice": text(order.trigger_price)} if order.trigger_price is not None else {}),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
    }
    if response_type == "FULL":
        result["fills"] = [_fill(request.exchange.engine.trade(trade_id)) for trade_id in order.trades]
    return result


def render_cancelled(request: Request, order: Order, cancel_id: str) -> dict[str, object]:
    """The answer to a cancel, which has a client id of its own beside the order's."""
    return {
        "symbol": request.symbols.name(order.symbol),
        "origClientOrderId": order.client_order_id or "",
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": cancel_id,
        "transactTime": milliseconds(order.closed_at_ns or request.now_ns),
        **_terms(order),
        **({"stopPrice": text(order.trigger_price)} if order.trigger_price is not None else {}),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
    }


def render_trade(request: Request, trade: Trade) -> dict[str, object]:
    """A fill in the list of fills: it names its order's id, never its client id."""
    return {
        "symbol": request.symbols.name(trade.symbol),
        "id": int(trade.trade_id),
        "orderId": int(trade.order_id),
        "orderListId": NO_LIST,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.cost),
        "commission": text(trade.fee),
        "commissionAsset": commission_asset(trade),
        "time": milliseconds(trade.time_ns),
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def is_working(order: Order) -> bool:
    """Whether it is or was in the book: a stop is not before it triggers."""
    return order.trigger_price is None or order.triggered_at_ns is not None


def working_ms(order: Order) -> int:
    """Since when it is in the book, -1 for a stop that waits."""
    if order.trigger_price is None:
        return milliseconds(order.opened_at_ns)
    return NO_LIST if order.triggered_at_ns is None else milliseconds(order.triggered_at_ns)


def changed_ns(request: Request, order: Order) -> int:
    """When anything last happened to it."""
    last_fill = request.exchange.engine.trade(order.trades[-1]).time_ns if order.trades else 0
    return max(order.touched_at_ns, order.triggered_at_ns or 0, last_fill, order.closed_at_ns or 0)


def _terms(order: Order) -> dict[str, object]:
    return {
        "price": text(order.limit_price or ZERO),
        "origQty": text(quantity_of(order)),
        "executedQty": text(order.filled_quantity),
        "origQuoteOrderQty": text(order.quote_amount or ZERO),
        "cummulativeQuoteQty": text(order.filled_cost),
        "status": status(order),
        "timeInForce": order.time_in_force.value.upper(),
        "type": type_name(order),
        "side": order.side.value.upper(),
    }


def _fill(trade: Trade) -> dict[str, object]:
    return {
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "commission": text(trade.fee),
        "commissionAsset": commission_asset(trade),
        "tradeId": int(trade.trade_id),
    }
