"""Orders as the user channel shows them: what has been filled in all, never a single fill."""

from __future__ import annotations

from paper_exchange.api_keys import Account
from paper_exchange.clock import rfc3339
from paper_exchange.coinbase.order_records import TIMES_IN_FORCE, order_type, render_order
from paper_exchange.coinbase.products import text
from paper_exchange.orders import Canceled, Event, Order, OrderKind, Side

NO_TIME = "0001-01-01T00:00:00Z"
SAME_AS_IN_LISTS = (
    "client_order_id",
    "completion_percentage",
    "number_of_fills",
    "order_id",
    "outstanding_hold_amount",
    "product_id",
    "product_type",
    "filled_value",
    "status",
    "total_fees",
    "total_value_after_fees",
    "trigger_status",
)
TYPE_NAMES = {"MARKET": "Market", "LIMIT": "Limit", "STOP_LIMIT": "Stop Limit"}


def user_order(order: Order, account: Account, event: Event | None = None) -> dict[str, object]:
    """The order as it stood right after ``event``, or as it is."""
    listed = render_order(order, account, None)
    return {
        **{name: listed[name] for name in SAME_AS_IN_LISTS},
        "avg_price": listed["average_filled_price"],
        "cancel_reason": str(listed["cancel_message"]) if isinstance(event, Canceled) else "",
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "creation_time": rfc3339(order.opened_at_ns),
        "cumulative_quantity": text(order.filled_quantity),
        "end_time": rfc3339(order.expires_at_ns) if order.expires_at_ns is not None else NO_TIME,
        "leaves_quantity": text(order.remaining),
        "limit_price": text(order.limit_price) if order.limit_price is not None else "0",
        "order_side": "BUY" if order.side is Side.BUY else "SELL",
        "order_type": TYPE_NAMES[order_type(order)],
        "post_only": "true" if order.post_only else "false",
        "reject_reason": "",
        "retail_portfolio_id": "",
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "start_time": NO_TIME,
        "stop_price": text(order.trigger_price) if order.trigger_price is not None else "",
        "time_in_force": "IMMEDIATE_OR_CANCEL"
        if order.kind is OrderKind.MARKET
        else TIMES_IN_FORCE[order.time_in_force],
    }
