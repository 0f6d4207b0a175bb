"""The channels ``orders`` and ``account``: what is told of an account's orders and money as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from paper_exchange.exchange import Exchange
from paper_exchange.okx.algo_ids import is_order
from paper_exchange.okx.instruments import SPOT, symbol_of
from paper_exchange.okx.order_records import fee_currency, render_order
from paper_exchange.okx.query import amount, charged
from paper_exchange.orders import Amended, Event, Filled, Order, Trade
from paper_exchange.sockets.session import SocketSession

ORDERS, ACCOUNT = "orders", "account"
CHANNELS = frozenset({ORDERS, ACCOUNT})
ANY = "ANY"


@dataclass(eq=False, slots=True)
class Subscription:
    """A channel of a connection, for one account; ``argument`` is what the client asked for, and what it is told."""

    session: SocketSession
    channel: str
    account_id: str
    argument: Mapping[str, object]
    held_back: list[bytes] = field(default_factory=list)
    """Messages that a fault puts behind the next one."""

    def wants(self, order: Order) -> bool:
        """Whether an order belongs into this channel: by type and by instrument, if one was named."""
        kind, instrument = self.argument.get("instType"), self.argument.get("instId")
        return kind in (SPOT, ANY) and (not instrument or symbol_of(str(instrument)) == order.symbol)


def order_update(exchange: Exchange, event: Event) -> dict[str, object] | None:
    """The order as it stood right after the event, with the fill that it was; None for what is no order yet."""
    order = event.order
    if not is_order(order):
        return None
    trade = event.trade if isinstance(event, Filled) else None
    known = trade or (exchange.engine.trade(order.trades[-1]) if order.trades else None)
    last = exchange.market.last(order.symbol)
    return {
        **render_order(order, known),
        **_fill(order, trade),
        "code": "0",
        "msg": "",
        "reqId": "",
        "amendResult": "0" if isinstance(event, Amended) else "",
        "amendSource": "1" if isinstance(event, Amended) else "",
        "lastPx": amount(last),
        "notionalUsd": amount(((order.quantity or order.filled_quantity) * last).quantize(Decimal("1E-8"))),
    }


def _fill(order: Order, trade: Trade | None) -> dict[str, str]:
    """Of an update that is no fill these are empty, and so are the order's own fields about its last fill."""
    if trade is None:
        empty = dict.fromkeys(("fillPx", "fillTime", "tradeId", "fillFeeCcy", "execType", "fillNotionalUsd"), "")
        return {**empty, "fillSz": "0", "fillFee": "0", "fillPnl": "0"}
    return {
        "fillFee": charged(trade.fee),
        "fillFeeCcy": fee_currency(order.symbol, order.side),
        "fillPnl": "0",
        "fillNotionalUsd": amount(trade.cost),
        "execType": "M" if trade.maker else "T",
    }
