"""Coinbase's orders and fills, as values of ours."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.amounts import wire_number
from bot.brokers.coinbase.errors import refusal
from bot.brokers.coinbase.products import product_id_of, symbol_of
from bot.brokers.replies import (
    as_object,
    flag_of,
    id_of,
    iso_time,
    number_of,
    optional_number,
    optional_text,
    text_of,
)
from bot.domain.errors import OutcomeUnknown, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.money import floor_to_step
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import quote_of

_LIVE = VenueOrderStatus.OPEN
STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "PENDING": VenueOrderStatus.PENDING,
        "QUEUED": VenueOrderStatus.PENDING,
        "OPEN": _LIVE,
        "CANCEL_QUEUED": _LIVE,
        "EDIT_QUEUED": _LIVE,
        "FILLED": VenueOrderStatus.FILLED,
        "CANCELLED": VenueOrderStatus.CANCELLED,
        "EXPIRED": VenueOrderStatus.EXPIRED,
        "FAILED": VenueOrderStatus.REJECTED,
    }
)
SHAPES: Mapping[OrderType, str] = MappingProxyType(
    {
        OrderType.MARKET: "market_market_ioc",
        OrderType.LIMIT_IOC: "sor_limit_ioc",
        OrderType.LIMIT_GTC: "limit_limit_gtc",
        OrderType.STOP: "stop_limit_stop_limit_gtc",
    }
)
OPEN_STATUS = "OPEN"
QUEUED_STATUSES = ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
REFUSAL_REASONS = ("error", "new_order_failure_reason", "preview_failure_reason")
LIQUIDITY = {"MAKER": True, "TAKER": False}


def order_body(request: OrderRequest) -> dict[str, object]:
    """The body of `POST /orders`. Sizes are always base, also for market buys: that is what was planned and rounded."""
    sizes: dict[str, object] = {"base_size": wire_number(request.quantity, name="quantity")}
    if request.limit_price is not None:
        sizes["limit_price"] = wire_number(request.limit_price, name="limit price")
    if request.order_type is OrderType.LIMIT_GTC:
        sizes["post_only"] = False
    if request.stop_price is not None:
        sizes["stop_price"] = wire_number(request.stop_price, name="stop price")
        sizes["stop_direction"] = "STOP_DIRECTION_STOP_DOWN" if request.side is Side.SELL else "STOP_DIRECTION_STOP_UP"
    return {
        "client_order_id": request.client_order_id,
        "product_id": product_id_of(request.symbol),
        "side": request.side.value.upper(),
        "order_configuration": {SHAPES[request.order_type]: sizes},
    }


def accepted_order_id(reply: Mapping[str, object], request: OrderRequest, *, where: str) -> str:
    """The venue's id for our order.

    Raises what `refusal` makes of a plain "no", and `UnreadableReply` or `OutcomeUnknown` when the answer says neither
    yes nor no, says both, or speaks of another order than ours.
    """
    accepted, refused = (reply.get(name) or None for name in ("success_response", "error_response"))
    success = reply.get("success")
    if success is True and refused is None:
        return _named_order(reply, accepted, request, where)
    if success is False and accepted is None and not reply.get("order_id"):
        fields = as_object(refused, where=where)
        reasons = [text_of(fields, name, where=where) for name in REFUSAL_REASONS if fields.get(name) is not None]
        raise refusal(reasons, optional_text(fields, "message") or "", where=where)
    raise OutcomeUnknown(f"{where}: the answer says neither yes nor no, or both")


def _named_order(reply: Mapping[str, object], accepted: object, request: OrderRequest, where: str) -> str:
    named = reply if accepted is None else as_object(accepted, where=where)
    order_id = id_of(named, "order_id", where=where)
    expected = {
        "client_order_id": request.client_order_id,
        "product_id": product_id_of(request.symbol),
        "side": request.side.value.upper(),
    }
    told = {name: named[name] for name in expected if named.get(name) is not None}
    elsewhere = reply.get("order_id") or order_id
    if elsewhere != order_id or any(told[name] != expected[name] for name in told):
        raise OutcomeUnknown(f"{where}: the answer names order {order_id}, and it is not what was asked for")
    return order_id


def order_from(value: object) -> VenueOrder:
    """One order of the list or of `GET /orders/historical/{id}`. Raises `UnreadableReply`."""
    fields = as_object(value, where="Coinbase order")
    order_id = id_of(fields, "order_id", where="Coinbase order")
    where = f"Coinbase order {order_id}"
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {fields.get('status')!r}")
    created = optional_text(fields, "created_time")
    filled = number_of(fields, "filled_size", where=where)
    return VenueOrder(
        venue_order_id=order_id,
        # Required: an order whose id cannot be read could be ours.
        client_order_id=text_of(fields, "client_order_id", where=where) or None,
        symbol=symbol_of(text_of(fields, "product_id", where=where)),
        side=_side(fields, where),
        status=status,
        quantity=_ordered_quantity(fields, where) or filled,
        filled_quantity=filled,
        average_price=optional_number(fields, "average_filled_price", where=where) or None,
        fee_quote=optional_number(fields, "total_fees", where=where),
        opened_at=iso_time(created, where=where) if created is not None else None,
        reason=_reason(fields),
    )


def _reason(fields: Mapping[str, object]) -> str:
    """Why it ended, without the venue's way of saying "no reason"."""
    for name in ("reject_message", "cancel_message", "reject_reason"):
        words = optional_text(fields, name)
        if words is not None and words != "REJECT_REASON_UNSPECIFIED":
            return words
    return ""


def _ordered_quantity(fields: Mapping[str, object], where: str) -> Decimal | None:
    """Base units, None when the order was made in quote units or its configuration is left out."""
    configuration = fields.get("order_configuration")
    if not isinstance(configuration, dict):
        return None
    for shape in configuration.values():
        if isinstance(shape, dict) and shape.get("base_size"):
            return number_of(shape, "base_size", where=where)
    return None


def fills_from(values: Iterable[object], instruments: Mapping[str, Instrument]) -> list[Fill]:
    """Fills oldest first, each trade once. A trade id is one only within its market. Raises `UnreadableReply`."""
    unique = {
        (fill.symbol, fill.venue_order_id, fill.trade_id): fill
        for fill in (_fill(value, instruments) for value in values)
    }
    return sorted(unique.values(), key=lambda fill: (fill.executed_at, fill.trade_id))


def _fill(value: object, instruments: Mapping[str, Instrument]) -> Fill:
    fields = as_object(value, where="Coinbase fill")
    trade_id = id_of(fields, "trade_id", where="Coinbase fill")
    where = f"Coinbase fill {trade_id}"
    symbol = symbol_of(text_of(fields, "product_id", where=where))
    price = number_of(fields, "price", where=where)
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=id_of(fields, "order_id", where=where),
            symbol=symbol,
            side=_side(fields, where),
            quantity=_base_size(fields, price, instruments.get(symbol), where),
            price=price,
            fee=number_of(fields, "commission", where=where),
            fee_currency=quote_of(symbol),
            executed_at=iso_time(text_of(fields, "trade_time", where=where), where=where),
            maker=LIQUIDITY.get(optional_text(fields, "liquidity_indicator") or ""),
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def _base_size(fields: Mapping[str, object], price: Decimal, instrument: Instrument | None, where: str) -> Decimal:
    size = number_of(fields, "size", where=where)
    if not flag_of(fields, "size_in_quote", default=False, where=where):
        return size
    if price <= 0:
        raise UnreadableReply(f"{where}: a size in quote without a price")
    # Down to the step: what we believe to hold must never be more than what is there.
    step = instrument.lot_step if instrument is not None else Decimal("0.00000001")
    return floor_to_step(size / price, step)


def _side(fields: Mapping[str, object], where: str) -> Side:
    try:
        return Side(text_of(fields, "side", where=where).lower())
    except ValueError as error:
        raise UnreadableReply(f"{where}: neither a buy nor a sell") from error
