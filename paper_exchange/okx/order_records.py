"""Orders and fills as OKX shows them: every value is text."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.okx.algo_ids import algo_id_of, is_algo, source_of
from paper_exchange.okx.instruments import SPOT, inst_id_of
from paper_exchange.okx.query import amount, charged, milliseconds
from paper_exchange.orders import ZERO, CloseReason, Order, OrderKind, OrderStatus, Side, TimeInForce, Trade

AVERAGE_DIGITS = Decimal("1E-16")
FIRST_BILL = 2 * 10**18
"""Bills are numbered like orders and fills, in a range of their own."""
CANCEL_SOURCES = {
    CloseReason.USER_REQUESTED.value: ("1", "Order canceled by user"),
    CloseReason.FILL_OR_KILL.value: ("13", "FOK order was canceled due to incompletely filled"),
    CloseReason.NOT_FILLED_AT_ONCE.value: ("14", "IOC order was partially canceled due to incompletely filled"),
    CloseReason.NO_LIQUIDITY.value: ("15", "Order canceled: price beyond the limit"),
    CloseReason.POST_ONLY.value: ("31", "The post-only order will take liquidity in maker orders"),
    CloseReason.SELF_TRADE.value: ("32", "Self trade prevention"),
}


def state_of(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "filled"
    if not order.is_live:
        return "canceled"
    return "partially_filled" if order.filled_quantity else "live"


def order_type(order: Order) -> str:
    if order.limit_price is None:
        return "market"
    if order.post_only:
        return "post_only"
    plain = order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)
    return "limit" if plain else order.time_in_force.value


def fee_currency(symbol: str, side: Side) -> str:
    """What is received: base for a buy, quote for a sell."""
    base, _, quote = symbol.partition("/")
    return base if side is Side.BUY else quote


def bill_number(trade: Trade) -> int:
    """Of the fill's line in the account's bills."""
    return FIRST_BILL + trade.trade_number


def render_order(order: Order, last_fill: Trade | None) -> dict[str, object]:
    algo = is_algo(order)
    base, _, quote = order.symbol.partition("/")
    return {
        "instType": SPOT,
        "instId": inst_id_of(order.symbol),
        "ordId": order.order_id,
        "clOrdId": "" if algo else order.client_order_id or "",
        "algoId": algo_id_of(order) if algo else "",
        "algoClOrdId": order.client_order_id or "" if algo else "",
        "side": order.side.value,
        "posSide": "net",
        "tdMode": "cash",
        "ordType": order_type(order),
        "px": amount(order.limit_price) if order.limit_price is not None else "",
        **_size(order),
        **_progress(order, last_fill),
        **_ending(order),
        "feeCcy": fee_currency(order.symbol, order.side),
        "fee": charged(order.fee),
        "rebateCcy": quote if order.side is Side.BUY else base,
        "rebate": "0",
        "pnl": "0",
        "cTime": milliseconds(order.triggered_at_ns or order.opened_at_ns),
        "uTime": milliseconds(_updated_ns(order, last_fill)),
        "source": source_of(order) if algo else "",
        "stpMode": "cancel_taker",
        "category": "normal",
        "reduceOnly": "false",
        "isTpLimit": "false",
        "quickMgnType": "",
        "tradeQuoteCcy": quote,
        "linkedAlgoOrd": {"algoId": ""},
        "attachAlgoOrds": [],
        **dict.fromkeys(EMPTY_FIELDS, ""),
    }


def render_fill(trade: Trade, order: Order) -> dict[str, object]:
    rate = order.maker_rate if trade.maker else order.taker_rate
    time = milliseconds(trade.time_ns)
    return {
        "instType": SPOT,
        "instId": inst_id_of(trade.symbol),
        "tradeId": trade.trade_id,
        "ordId": trade.order_id,
        "clOrdId": "" if is_algo(order) else order.client_order_id or "",
        "billId": str(bill_number(trade)),
        "subType": "1" if trade.side is Side.BUY else "2",
        "side": trade.side.value,
        "posSide": "net",
        "fillPx": amount(trade.price),
        "fillSz": amount(trade.quantity),
        "fee": charged(trade.fee),
        "feeCcy": fee_currency(trade.symbol, trade.side),
        "feeRate": charged(rate),
        "execType": "M" if trade.maker else "T",
        "fillPnl": "0",
        "ts": time,
        "fillTime": time,
        "tradeQuoteCcy": trade.symbol.partition("/")[2],
        **dict.fromkeys(("tag", "fillPxVol", "fillPxUsd", "fillMarkVol", "fillFwdPx", "fillMarkPx", "fillIdxPx"), ""),
    }


def _size(order: Order) -> dict[str, str]:
    if order.quote_amount is not None:
        return {"sz": amount(order.quote_amount), "tgtCcy": "quote_ccy"}
    return {"sz": amount(order.quantity or ZERO), "tgtCcy": "base_ccy" if order.kind is OrderKind.MARKET else ""}


def _progress(order: Order, last_fill: Trade | None) -> dict[str, str]:
    average = order.average_price
    return {
        "state": state_of(order),
        "accFillSz": amount(order.filled_quantity),
        "avgPx": amount(average.quantize(AVERAGE_DIGITS)) if average is not None else "",
        "fillPx": amount(last_fill.price) if last_fill else "",
        "fillSz": amount(last_fill.quantity) if last_fill else "0",
        "fillTime": milliseconds(last_fill.time_ns) if last_fill else "",
        "tradeId": last_fill.trade_id if last_fill else "",
    }


def _ending(order: Order) -> dict[str, str]:
    if order.status is not OrderStatus.CANCELED:
        return {"cancelSource": "", "cancelSourceReason": ""}
    source, reason = CANCEL_SOURCES.get(order.close_reason or "", ("0", order.close_reason or ""))
    return {"cancelSource": source, "cancelSourceReason": reason}


def _updated_ns(order: Order, last_fill: Trade | None) -> int:
    moments = (order.closed_at_ns, last_fill.time_ns if last_fill else None, order.triggered_at_ns)
    return max(order.touched_at_ns, *(moment for moment in moments if moment is not None), 0)


EMPTY_FIELDS = (
    "attachAlgoClOrdId", "ccy", "lever", "pxType", "pxUsd", "pxVol", "slOrdPx", "slTriggerPx", "slTriggerPxType",
    "stpId", "tag", "tpOrdPx", "tpTriggerPx", "tpTriggerPxType",
)  # fmt: skip
