"""Looking up algo orders."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.http import Reply
from paper_exchange.okx.algo_entry import algo_orders_named
from paper_exchange.okx.algo_ids import algo_id_of, has_failed, is_algo, kind_of
from paper_exchange.okx.instruments import SPOT, inst_id_of, symbol_of
from paper_exchange.okx.order_lookup import ARCHIVE_NS, MOST_ROWS, instrument_type
from paper_exchange.okx.query import amount, milliseconds, page
from paper_exchange.okx.replies import ApiError, data_reply
from paper_exchange.okx.routes import Request
from paper_exchange.orders import STOP_LOSS_KINDS, ZERO, Order


def one_order(request: Request) -> Reply:
    """By ``algoId``, or the latest by ``algoClOrdId``; 51603 if there is none."""
    query = request.query
    for order in algo_orders_named(request, query.text("algoId"), query.text("algoClOrdId")):
        if request.is_visible(order.opened_at_ns):
            return data_reply([_render(request, order)])
    raise ApiError("51603")


def pending(request: Request) -> Reply:
    """Those of one type that wait for their price, newest first."""
    waiting = [order for order in request.exchange.engine.open_orders(request.account_id) if _waits(order)]
    return _orders(request, waiting)


def history(request: Request) -> Reply:
    """Those of one type that have triggered or were cancelled, newest first."""
    state = request.query.text("state")
    if state is None and request.query.text("algoId") is None:
        raise ApiError("50015", "Either parameter state or algoId is required")
    engine, account_id = request.exchange.engine, request.account_id
    known = (*engine.closed_orders(account_id), *engine.open_orders(account_id))
    done = (order for order in known if is_algo(order) and not _waits(order))
    recent = (order for order in done if request.now_ns - order.opened_at_ns <= ARCHIVE_NS)
    return _orders(request, [order for order in recent if state in (None, _state(order))])


def _orders(request: Request, known: Iterable[Order]) -> Reply:
    query = request.query
    types = query.required("ordType").split(",")
    kind, inst_id, algo_id = instrument_type(request), query.text("instId"), query.text("algoId")
    chosen = [
        order
        for order in known
        if kind == SPOT
        and kind_of(order) in types
        and request.is_visible(order.opened_at_ns)
        and (inst_id is None or order.symbol == symbol_of(inst_id))
        and algo_id in (None, algo_id_of(order))
    ]
    rows = page(query, chosen, lambda order: int(algo_id_of(order)), limit=query.limit(MOST_ROWS, MOST_ROWS))
    return data_reply([_render(request, order) for order in rows])


def _waits(order: Order) -> bool:
    return is_algo(order) and order.is_live and order.triggered_at_ns is None


def _state(order: Order) -> str:
    if order.triggered_at_ns is None:
        return "live" if order.is_live else "canceled"
    return "order_failed" if has_failed(order) else "effective"


def _render(request: Request, order: Order) -> dict[str, object]:
    made = order.order_id if _state(order) == "effective" else ""
    return {
        "instType": SPOT,
        "instId": inst_id_of(order.symbol),
        "algoId": algo_id_of(order),
        "algoClOrdId": order.client_order_id or "",
        "ordId": made,
        "ordIdList": [made] if made else [],
        "ordType": kind_of(order),
        "side": order.side.value,
        "posSide": "net",
        "tdMode": "cash",
        "sz": amount(order.quantity or ZERO),
        "tgtCcy": "base_ccy",
        "state": _state(order),
        **_trigger(order),
        "actualSz": amount(order.filled_quantity),
        "actualPx": amount(order.average_price) if order.average_price is not None else "",
        "actualSide": _purpose(order) if made and kind_of(order) == "conditional" else "",
        "triggerTime": milliseconds(order.triggered_at_ns) if order.triggered_at_ns else "",
        "failCode": "51008" if has_failed(order) else "0" if made else "",
        "last": amount(request.exchange.market.last(order.symbol)),
        "cTime": milliseconds(order.opened_at_ns),
        "uTime": milliseconds(order.triggered_at_ns or order.closed_at_ns or order.opened_at_ns),
        "reduceOnly": "false",
        "linkedOrd": {"ordId": ""},
        "attachAlgoOrds": [],
        **dict.fromkeys(
            ("ccy", "clOrdId", "closeFraction", "lever", "tag", "quickMgnType", "amendPxOnTriggerType"), ""
        ),
    }


def _purpose(order: Order) -> str:
    return "sl" if order.kind in STOP_LOSS_KINDS else "tp"


def _trigger(order: Order) -> dict[str, str]:
    """The prices under the names of the order's type; the others are empty."""
    names = ("tpTriggerPx", "tpTriggerPxType", "tpOrdPx", "slTriggerPx", "slTriggerPxType", "slOrdPx")
    fields = dict.fromkeys((*names, "triggerPx", "triggerPxType", "ordPx"), "")
    trigger = amount(order.trigger_price or ZERO)
    price = "-1" if order.limit_price is None else amount(order.limit_price)
    if kind_of(order) == "trigger":
        return fields | {"triggerPx": trigger, "triggerPxType": "last", "ordPx": price}
    purpose = _purpose(order)
    return fields | {f"{purpose}TriggerPx": trigger, f"{purpose}TriggerPxType": "last", f"{purpose}OrdPx": price}
