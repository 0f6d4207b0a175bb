"""Orders and fills as Coinbase shows them."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from hashlib import sha256

from paper_exchange.api_keys import Account
from paper_exchange.clock import rfc3339
from paper_exchange.coinbase.order_forms import configuration_of
from paper_exchange.coinbase.products import product_id, text
from paper_exchange.coinbase.wallets import user_id
from paper_exchange.orders import ZERO, CloseReason, Order, OrderKind, OrderStatus, Side, TimeInForce, Trade

STATUSES = {
    OrderStatus.PENDING: "OPEN",  # A stop that waits is open; ``trigger_status`` tells it apart.
    OrderStatus.OPEN: "OPEN",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELLED",
    OrderStatus.EXPIRED: "EXPIRED",
}
TIMES_IN_FORCE = {
    TimeInForce.GTC: "GOOD_UNTIL_CANCELLED",
    TimeInForce.GTD: "GOOD_UNTIL_DATE_TIME",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}
AVERAGE_DIGITS = Decimal("1E-16")
HUNDREDTH = Decimal("0.01")


def order_type(order: Order) -> str:
    if order.kind is OrderKind.MARKET:
        return "MARKET"
    return "LIMIT" if order.trigger_price is None else "STOP_LIMIT"


def render_order(order: Order, account: Account, last_fill: Trade | None) -> dict[str, object]:
    """An order; its money is in the quote currency, its sizes in the base currency."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id or "",
        "product_id": product_id(order.symbol),
        "user_id": user_id(account),
        "side": order.side.value.upper(),
        "order_type": order_type(order),
        "order_configuration": configuration_of(order),
        "time_in_force": TIMES_IN_FORCE[order.time_in_force],
        "created_time": rfc3339(order.opened_at_ns),
        "product_type": "SPOT",
        "order_placement_source": "RETAIL_ADVANCED",
        "size_in_quote": order.quote_amount is not None,
        "size_inclusive_of_fees": order.new.quote_includes_fee,
        **_progress(order, last_fill),
        **_ending(order),
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
    }


def render_fill(trade: Trade, order: Order, account: Account) -> dict[str, object]:
    """A fill. Of an order that was sized in money, ``size`` is money too, and ``size_in_quote`` says so."""
    in_quote = order.quote_amount is not None
    size = trade.quantity * trade.price if in_quote else trade.quantity
    return {
        "entry_id": sha256(trade.trade_id.encode()).hexdigest(),
        "trade_id": trade.trade_id,
        "order_id": trade.order_id,
        "user_id": user_id(account),
        "trade_time": rfc3339(trade.time_ns),
        "sequence_timestamp": rfc3339(trade.time_ns),
        "trade_type": "FILL",
        "product_id": product_id(trade.symbol),
        "side": trade.side.value.upper(),
        "price": text(trade.price),
        "size": text(size),
        "size_in_quote": in_quote,
        "commission": text(trade.fee),
        "liquidity_indicator": "MAKER" if trade.maker else "TAKER",
        "retail_portfolio_id": "",
    }


def _progress(order: Order, last_fill: Trade | None) -> dict[str, object]:
    after_fees = order.filled_cost + order.fee if order.side is Side.BUY else order.filled_cost - order.fee
    return {
        "status": STATUSES[order.status],
        "completion_percentage": text(_completion(order)),
        "filled_size": text(order.filled_quantity),
        "average_filled_price": text(_average(order)),
        "number_of_fills": str(len(order.trades)),
        "filled_value": text(order.filled_cost),
        "fee": "",
        "total_fees": text(order.fee),
        "total_value_after_fees": text(after_fees),
        "outstanding_hold_amount": text(order.reserved if order.is_live else ZERO),
        "last_fill_time": rfc3339(last_fill.time_ns) if last_fill else None,
        "settled": not order.is_live,
        "pending_cancel": False,
    }


def _ending(order: Order) -> dict[str, object]:
    canceled = order.status is OrderStatus.CANCELED
    by_user = order.close_reason == CloseReason.USER_REQUESTED
    message = "User requested cancel" if by_user else order.close_reason or ""
    return {
        "trigger_status": _trigger_status(order),
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "reject_message": "",
        "cancel_message": message if canceled else "",
    }


def _trigger_status(order: Order) -> str:
    if order.trigger_price is None:
        return "INVALID_ORDER_TYPE"
    return "STOP_TRIGGERED" if order.triggered_at_ns is not None else "STOP_PENDING"


def _completion(order: Order) -> Decimal:
    if order.status is OrderStatus.FILLED:
        return Decimal(100)
    whole, done = order.quantity, order.filled_quantity
    if order.quote_amount is not None:
        whole, done = order.quote_amount, order.filled_cost
    return (done / whole * 100).quantize(HUNDREDTH, rounding=ROUND_DOWN) if whole and done else ZERO


def _average(order: Order) -> Decimal:
    average = order.average_price
    return ZERO if average is None else _without_tail(average.quantize(AVERAGE_DIGITS))


def _without_tail(amount: Decimal) -> Decimal:
    """The same amount without zeros at the end of its fraction."""
    whole = amount.to_integral_value()
    return whole if amount == whole else amount.normalize()
