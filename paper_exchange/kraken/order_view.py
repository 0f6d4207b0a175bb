"""Orders as Kraken shows them."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.kraken.envelope import fixed, seconds
from paper_exchange.kraken.naming import Names, PairName, cost_decimals
from paper_exchange.orders import LIMIT_KINDS, LIVE_STATUSES, NewOrder, Order, OrderStatus

STATUS = {
    OrderStatus.PENDING: "open",
    OrderStatus.OPEN: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
}
"""Kraken has no word for a partial fill, and an untriggered stop is open."""
ZERO = Decimal(0)


def show_order(order: Order, names: Names, *, with_trades: bool, close: str = "") -> dict[str, object]:
    """The order object of OpenOrders, ClosedOrders and QueryOrders."""
    pair = names.pairs[order.symbol]
    listing = names.listing(pair)
    decimals = cost_decimals(listing)
    shown: dict[str, object] = {
        "refid": None,
        "userref": order.user_reference,
        "status": STATUS[order.status],
        "opentm": seconds(order.opened_at_ns),
        "starttm": 0,
        "expiretm": seconds(order.expires_at_ns) if order.expires_at_ns is not None else 0,
        "descr": {
            "pair": pair.altname,
            "aclass": "forex",
            "type": order.side.value,
            "ordertype": order.kind.value,
            "price": _first_price(order.new, listing),
            "price2": _second_price(order.new, listing),
            "leverage": "none",
            "order": describe(order.new, pair, listing),
            "close": close,
        },
        "vol": _asked_volume(order, listing),
        "vol_exec": fixed(order.filled_quantity, listing.lot_decimals),
        "cost": fixed(order.filled_cost, decimals),
        "fee": fixed(order.fee, decimals),
        "price": fixed(order.average_price or ZERO, decimals),
        "stopprice": fixed(order.trigger_price or ZERO, decimals),
        "limitprice": fixed(_limit_after_trigger(order), decimals),
        "misc": "amended" if order.amendments else "",
        "oflags": ",".join(flags_of(order.new)),
    }
    if order.client_order_id is not None:
        shown["cl_ord_id"] = order.client_order_id
    if order.trigger_price is not None:
        shown["trigger"] = "last"
    if with_trades:
        shown["trades"] = list(order.trades)
    if order.status not in LIVE_STATUSES:
        shown["closetm"] = seconds(order.closed_at_ns or order.opened_at_ns)
        shown["reason"] = order.close_reason
    return shown


def describe(new: NewOrder, pair: PairName, listing: Listing) -> str:
    """The sentence that clients parse, as in ``buy 1.25000000 XBTUSD @ limit 27500.0``."""
    volume = new.quantity if new.quantity is not None else new.quote_amount
    assert volume is not None
    words = new.kind.value.removesuffix("-limit").replace("-", " ")
    text = f"{new.side.value} {fixed(volume, listing.lot_decimals)} {pair.altname} @ {words}"
    if new.trigger_price is not None:
        text += f" {fixed(new.trigger_price, listing.price_decimals)}"
        return f"{text} -> limit {_price_text(new.limit_price, listing)}" if new.kind in LIMIT_KINDS else text
    return f"{text} {_price_text(new.limit_price, listing)}" if new.limit_price is not None else text


def flags_of(new: NewOrder) -> list[str]:
    """Fees are always in quote currency, so ``fciq`` is always set."""
    flags = ["fciq"]
    if new.post_only:
        flags.insert(0, "post")
    if new.quote_amount is not None:
        flags.append("viqc")
    return flags


def _first_price(new: NewOrder, listing: Listing) -> str:
    """The limit of a limit order, the trigger of the stop family, "0" of a market order."""
    return _price_text(new.trigger_price if new.trigger_price is not None else new.limit_price, listing)


def _second_price(new: NewOrder, listing: Listing) -> str:
    return _price_text(new.limit_price if new.trigger_price is not None else None, listing)


def _price_text(price: Decimal | None, listing: Listing) -> str:
    return "0" if price is None else fixed(price, listing.price_decimals)


def _asked_volume(order: Order, listing: Listing) -> str:
    """Base units; of an order by notional the quote amount, as Kraken does with ``viqc``."""
    asked = order.quantity if order.quantity is not None else order.quote_amount
    return fixed(asked or ZERO, listing.lot_decimals)


def _limit_after_trigger(order: Order) -> Decimal:
    return (order.limit_price or ZERO) if order.trigger_price is not None else ZERO
