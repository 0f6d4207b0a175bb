"""AmendOrder changes an order in place, and OrderAmends tells what was changed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    REFUSALS,
    UNKNOWN_ORDER,
    KrakenError,
    fixed,
    invalid_argument,
    milliseconds,
)
from paper_exchange.kraken.live_orders import any_order, charge, named_orders
from paper_exchange.kraken.order_entry import read_deadline
from paper_exchange.kraken.price_text import PriceText, plain_decimal
from paper_exchange.orders import Amendment, AmendRequest, Order, OrderAlreadyClosed, Refusal, UnknownOrder
from paper_exchange.rate_counters import amend_cost

TERMS = ("order_qty", "limit_price", "trigger_price")


def amend_order(context: Context) -> object:
    """The order keeps its ids and what was filled."""
    change = read_change(context)
    return {"amend_id": amend(context, replace(change, deadline_ns=read_deadline(context, context.params)))}


def read_change(context: Context) -> AmendRequest:
    """``order_qty`` (of the whole order), ``limit_price``, ``trigger_price``, ``post_only``; one term at least."""
    params = context.params
    if params.text("display_qty") is not None:
        raise invalid_argument("display_qty")  # There are no icebergs here.
    if not any(params.text(name) for name in TERMS):
        raise invalid_argument("order_qty")
    order = _one_order(context)
    return AmendRequest(
        quantity=_amount(context, "order_qty"),
        limit_price=_price(context, order, "limit_price"),
        trigger_price=_price(context, order, "trigger_price"),
        post_only=params.flag("post_only"),
    )


def amend(context: Context, change: AmendRequest) -> str:
    """Amend the order that ``txid`` or ``cl_ord_id`` names; returns the id of the amendment. Raises KrakenError."""
    order = _one_order(context)
    ends = change.quantity is not None and change.quantity <= order.filled_quantity
    charge(context, order.symbol, amend_cost(context.now_ns - order.touched_at_ns, cancels=ends))
    if context.closes.has(order.order_id):
        raise invalid_argument("close")
    try:
        amended = context.exchange.engine.amend(order.account_id, order.order_id, change, context.now_ns)
    except Refusal as refusal:
        raise KrakenError(REFUSALS[refusal.code]) from None
    except (OrderAlreadyClosed, UnknownOrder):
        raise KrakenError(UNKNOWN_ORDER) from None
    amend_id = amended.amendments[-1].amend_id
    assert amend_id is not None
    return amend_id


def order_amends(context: Context) -> object:
    """All terms an order has had, those it was placed with first."""
    order = any_order(context, context.params.text("order_id") or "")
    needed = "query-open-trades" if order.is_live else "query-closed-trades"
    if needed not in context.account.permissions:
        raise KrakenError("EGeneral:Permission denied")
    terms = order.amendments or [_first_terms(order)]
    shown = [_show(context, order, entry) for entry in terms if entry.time_ns <= context.visible_until_ns]
    return {"count": len(shown), "amends": shown}


def _one_order(context: Context) -> Order:
    """A userref may name several orders, and is no name of one."""
    orders = named_orders(context)
    if len(orders) != 1:
        raise invalid_argument("txid")
    return orders[0]


def _amount(context: Context, name: str) -> Decimal | None:
    text = context.params.text(name)
    if text is None:
        return None
    amount = plain_decimal(text)
    if amount is None or amount <= 0:
        raise invalid_argument(name)
    return amount


def _price(context: Context, order: Order, name: str) -> Decimal | None:
    """Absolute, or relative to the last price."""
    text = context.params.text(name)
    if text is None:
        return None
    written = PriceText.read(text, name)
    last = context.exchange.engine.quote(order.symbol).last if written.sign is not None else Decimal(0)
    return written.resolve(context.names.listing(context.names.pairs[order.symbol]), order.side, last)


def _first_terms(order: Order) -> Amendment:
    quantity = order.quantity if order.quantity is not None else order.filled_quantity
    return Amendment(
        amend_id=None, time_ns=order.opened_at_ns, quantity=quantity, remaining=quantity,
        limit_price=order.limit_price, trigger_price=order.trigger_price,
    )  # fmt: skip


def _show(context: Context, order: Order, entry: Amendment) -> dict[str, object]:
    listing = context.names.listing(context.names.pairs[order.symbol])
    shown: dict[str, object] = {
        # The first terms have an id too, though nobody amended anything.
        "amend_id": entry.amend_id or f"T{order.order_id[1:]}",
        "amend_type": "original" if entry.amend_id is None else "user",
        "order_qty": fixed(entry.quantity, listing.lot_decimals),
        "remaining_qty": fixed(entry.remaining, listing.lot_decimals),
        "post_only": order.post_only,
        "timestamp": milliseconds(entry.time_ns),
    }
    if entry.amend_id is not None:
        shown["reason"] = "User requested"
    for name, price in (("limit_price", entry.limit_price), ("trigger_price", entry.trigger_price)):
        if price is not None:
            shown[name] = fixed(price, listing.price_decimals)
    return shown
