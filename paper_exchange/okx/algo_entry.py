"""Placing and cancelling algo orders: orders that wait for a price. Nothing is held for them before it comes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.http import Reply
from paper_exchange.matching import round_down
from paper_exchange.okx import refusals
from paper_exchange.okx.account_levels import TRADES_FOR_CASH
from paper_exchange.okx.algo_ids import CONDITIONAL, KINDS, algo_id_of, is_algo, order_id_of
from paper_exchange.okx.order_entry import GONE, batch_reply, listing_for_order
from paper_exchange.okx.order_forms import (
    CROSS,
    QUOTE,
    check_trade_mode,
    positive,
    read_id,
    read_side,
    required_positive,
    required_text,
    target,
    text,
)
from paper_exchange.okx.replies import OK, ApiError, OrderRefused, missing, wrong
from paper_exchange.okx.routes import Fields, Request
from paper_exchange.orders import (
    NewOrder,
    Order,
    OrderAlreadyClosed,
    OrderKind,
    Refusal,
    Side,
    UnknownOrder,
)

MOST_CANCELS = 10
AT_MARKET = "-1"
LAST_PRICE = "last"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The price an algo order waits for; ``stops_loss`` says on which side of the market. ``price`` None = market."""

    trigger_price: Decimal
    price: Decimal | None
    stops_loss: bool

    @property
    def kind(self) -> OrderKind:
        if self.stops_loss:
            return OrderKind.STOP_LOSS if self.price is None else OrderKind.STOP_LOSS_LIMIT
        return OrderKind.TAKE_PROFIT if self.price is None else OrderKind.TAKE_PROFIT_LIMIT


def place(request: Request) -> Reply:
    fields = request.with_instrument(request.fields)
    try:
        order = _place(request, fields)
    except OrderRefused as problem:
        return batch_reply(request, [_row(fields, "", problem.code, problem.message)])
    return batch_reply(request, [_row(fields, algo_id_of(order), OK, "")])


def cancel(request: Request) -> Reply:
    rows = request.rows
    if len(rows) > MOST_CANCELS:
        raise ApiError("51406", f"Canceled - order count exceeds the limit {MOST_CANCELS}")
    return batch_reply(request, [_cancelled(request, fields) for fields in rows])


def read_algo_order(request: Request, fields: Fields) -> NewOrder:
    """The order in the engine's terms. Raises ApiError or OrderRefused."""
    order_type = required_text(fields, "ordType")
    if order_type not in KINDS:
        raise wrong("ordType")
    side, listing = read_side(fields), listing_for_order(request, required_text(fields, "instId"))
    conditional = KINDS[order_type] == CONDITIONAL
    last = request.exchange.market.last(listing.symbol)
    trigger = _stop(fields) if conditional else _trigger(fields, side, last)
    return NewOrder(
        account_id=request.account_id,
        symbol=listing.symbol,
        side=side,
        kind=trigger.kind,
        quantity=_quantity(fields, side, trigger, listing),
        limit_price=trigger.price,
        trigger_price=trigger.trigger_price,
        client_order_id=read_id(fields, "algoClOrdId"),
        user_reference=KINDS[order_type],
    )


def _place(request: Request, fields: Fields) -> Order:
    # ccxt sends "cross" for every order that waits, and OKX takes it in spot mode too: nothing is borrowed for it.
    if required_text(fields, "tdMode") != CROSS:
        check_trade_mode(fields, takes_cash=request.levels.of(request.account_id) in TRADES_FOR_CASH)
    new = read_algo_order(request, fields)
    client_id = new.client_order_id
    if client_id is not None and request.client_ids.live(request.account_id, client_id, algo=True) is not None:
        raise OrderRefused("51065", "algoClOrdId already exists.")
    try:
        order = request.exchange.engine.place(new, request.now_ns)
    except Refusal as refusal:
        raise refusals.refused(refusal, new.side, new.kind, request.listings.listing(new.symbol)) from None
    request.client_ids.note(order)
    request.call.order_id = order.order_id
    return order


def _stop(fields: Fields) -> Trigger:
    """A stop-loss or a take-profit; of both OKX heeds only the stop-loss."""
    for name, stops_loss in (("sl", True), ("tp", False)):
        trigger_price = positive(fields, f"{name}TriggerPx")
        if trigger_price is not None:
            _check_price_type(fields, f"{name}TriggerPxType")
            return Trigger(trigger_price, _price(fields, f"{name}OrdPx"), stops_loss)
    raise missing("slTriggerPx")


def _trigger(fields: Fields, side: Side, last: Decimal) -> Trigger:
    """An order for when the price comes to ``triggerPx``, from whichever side it is now."""
    trigger_price = required_positive(fields, "triggerPx")
    _check_price_type(fields, "triggerPxType")
    waits_for_fall = trigger_price < last
    return Trigger(trigger_price, _price(fields, "orderPx"), waits_for_fall == (side is Side.SELL))


def _check_price_type(fields: Fields, name: str) -> None:
    if (text(fields, name) or LAST_PRICE) != LAST_PRICE:
        raise OrderRefused(
            "51415", "Order placement failed. Spot trading only supports using the last price as trigger price."
        )


def _price(fields: Fields, name: str) -> Decimal | None:
    """-1 is whatever the market gives then."""
    return None if required_text(fields, name) == AT_MARKET else positive(fields, name)


def _quantity(fields: Fields, side: Side, trigger: Trigger, listing: Listing) -> Decimal:
    """Base units. A market buy sized in money is taken to trade at its trigger price."""
    size = required_positive(fields, "sz")
    if trigger.price is None and side is Side.BUY and target(fields, side) == QUOTE:
        return round_down(size / trigger.trigger_price, listing.lot_step)
    return size


def _cancelled(request: Request, fields: Fields) -> Row:
    try:
        order = _waiting(request, fields)
        request.exchange.engine.cancel(request.account_id, order.order_id, request.now_ns)
    except OrderRefused as problem:
        return _row(fields, str(fields.get("algoId") or ""), problem.code, problem.message)
    except (UnknownOrder, OrderAlreadyClosed):
        return _row(fields, str(fields.get("algoId") or ""), GONE, OrderRefused(GONE).message)
    return _row(fields, algo_id_of(order), OK, "") | {"algoClOrdId": order.client_order_id or ""}


def _waiting(request: Request, fields: Fields) -> Order:
    """The algo order of that id that still waits. Raises OrderRefused."""
    for order in algo_orders_named(request, text(fields, "algoId"), text(fields, "algoClOrdId")):
        if order.is_live and order.triggered_at_ns is None:
            return order
    raise OrderRefused(GONE)


def algo_orders_named(request: Request, algo_id: str | None, client_id: str | None) -> list[Order]:
    """The account's own, the latest first. Raises ApiError if neither id is given."""
    if algo_id is None and client_id is None:
        raise ApiError("50015", "Either parameter algoId or algoClOrdId is required")
    if algo_id is None:
        return request.client_ids.orders(request.account_id, client_id or "", algo=True)
    try:
        order = request.exchange.engine.order(order_id_of(algo_id) or "")
    except UnknownOrder:
        return []
    return [order] if order.account_id == request.account_id and is_algo(order) else []


def _row(fields: Fields, algo_id: str, code: str, message: str) -> Row:
    return {
        "algoId": algo_id,
        "algoClOrdId": str(fields.get("algoClOrdId") or ""),
        "clOrdId": "",
        "sCode": code,
        "sMsg": message,
        "tag": str(fields.get("tag") or ""),
    }
