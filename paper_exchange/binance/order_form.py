"""The parameters of a new order, to the engine's terms: which belong to which type, and what each may hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.binance.errors import (
    BAD_ORDER_TYPE,
    BAD_SIDE,
    BAD_TIME_IN_FORCE,
    NEW_ORDER_REJECTED,
    BinanceError,
    filter_failure,
    missing,
    needless,
    not_valid,
)
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.symbols import LARGEST_ORDER, SELF_TRADE_PREVENTION
from paper_exchange.catalogue import Listing
from paper_exchange.orders import NewOrder, Order, OrderKind, Side, TimeInForce

TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
FORM = frozenset(
    {
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "price",
        "stopPrice",
        "newClientOrderId",
        "newOrderRespType",
        "strategyId",
        "strategyType",
        "trailingDelta",
        "icebergQty",
        "selfTradePreventionMode",
    }
)
"""What an order may be sent with."""
RESPONSE_TYPES = ("ACK", "RESULT", "FULL")
NOT_OFFERED = {
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
    "icebergQty": "Iceberg orders are not supported for this symbol.",
}


@dataclass(frozen=True, slots=True)
class OrderType:
    """One of the venue's types: the kind it is in the engine, and the parameters it must be sent with."""

    kind: OrderKind
    needs: tuple[str, ...]
    post_only: bool = False


TYPES = {
    "LIMIT": OrderType(OrderKind.LIMIT, ("timeInForce", "quantity", "price")),
    "MARKET": OrderType(OrderKind.MARKET, ()),
    "LIMIT_MAKER": OrderType(OrderKind.LIMIT, ("quantity", "price"), post_only=True),
    "STOP_LOSS": OrderType(OrderKind.STOP_LOSS, ("quantity", "stopPrice")),
    "STOP_LOSS_LIMIT": OrderType(OrderKind.STOP_LOSS_LIMIT, ("timeInForce", "quantity", "price", "stopPrice")),
    "TAKE_PROFIT": OrderType(OrderKind.TAKE_PROFIT, ("quantity", "stopPrice")),
    "TAKE_PROFIT_LIMIT": OrderType(OrderKind.TAKE_PROFIT_LIMIT, ("timeInForce", "quantity", "price", "stopPrice")),
}


def new_order(parameters: Parameters, listing: Listing, *, account_id: str, client_order_id: str | None) -> NewOrder:
    """The order in the engine's terms. Raises BinanceError for parameters that are missing, needless or unreadable."""
    side, order_type = _side(parameters), _type(parameters)
    time_in_force = _time_in_force(parameters)
    decimals = max(8, listing.price_decimals)
    quantity, quote_amount = _sizes(parameters, order_type, listing)
    price, stop_price = parameters.amount("price", decimals), parameters.amount("stopPrice", decimals)
    _check_given(parameters, order_type)
    _check_extras(parameters)
    return NewOrder(
        account_id=account_id,
        symbol=listing.symbol,
        side=side,
        kind=order_type.kind,
        quantity=quantity,
        quote_amount=quote_amount,
        limit_price=price,
        trigger_price=stop_price,
        time_in_force=time_in_force,
        post_only=order_type.post_only,
        client_order_id=client_order_id,
    )


def response_type(parameters: Parameters) -> str:
    """How much an accepted order is answered with: all of it for MARKET and LIMIT unless asked otherwise."""
    asked = parameters.text("newOrderRespType")
    if asked is None:
        return "FULL" if parameters.text("type") in ("MARKET", "LIMIT") else "ACK"
    if asked not in RESPONSE_TYPES:
        raise not_valid("newOrderRespType")
    return asked


def type_name(order: Order) -> str:
    """The venue's name of an accepted order's type."""
    if order.kind is OrderKind.LIMIT and order.post_only:
        return "LIMIT_MAKER"
    return order.kind.value.upper().replace("-", "_")


def _side(parameters: Parameters) -> Side:
    given = parameters.required("side")
    if given not in ("BUY", "SELL"):
        raise BinanceError(BAD_SIDE)
    return Side(given.lower())


def _type(parameters: Parameters) -> OrderType:
    order_type = TYPES.get(parameters.required("type"))
    if order_type is None:
        raise BinanceError(BAD_ORDER_TYPE)
    return order_type


def _time_in_force(parameters: Parameters) -> TimeInForce:
    given = parameters.text("timeInForce")
    if given is None:
        return TimeInForce.GTC
    if given not in TIMES_IN_FORCE:
        raise BinanceError(BAD_TIME_IN_FORCE)
    return TIMES_IN_FORCE[given]


def _sizes(parameters: Parameters, order_type: OrderType, listing: Listing) -> tuple[Decimal | None, Decimal | None]:
    quantity = parameters.amount("quantity", max(8, listing.lot_decimals))
    quote_amount = parameters.amount("quoteOrderQty")
    if order_type.kind is OrderKind.MARKET and quantity is None and quote_amount is None:
        raise missing("quantity")
    if quote_amount is not None and (order_type.kind is not OrderKind.MARKET or quantity is not None):
        raise needless("quoteOrderQty")
    if quantity is not None and quantity > LARGEST_ORDER:
        raise filter_failure("LOT_SIZE")
    return quantity, quote_amount


def _check_given(parameters: Parameters, order_type: OrderType) -> None:
    for name in order_type.needs:
        if name not in parameters:
            raise missing(name)
    for name in ("timeInForce", "price", "stopPrice"):
        if name in parameters and name not in order_type.needs:
            raise needless(name)


def _check_extras(parameters: Parameters) -> None:
    for name, sentence in NOT_OFFERED.items():
        if name in parameters:
            raise BinanceError(NEW_ORDER_REJECTED, sentence)
    if parameters.text("selfTradePreventionMode") not in (None, SELF_TRADE_PREVENTION):
        raise not_valid("selfTradePreventionMode")
