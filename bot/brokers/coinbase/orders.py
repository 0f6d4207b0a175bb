"""Coinbase's orders and fills, as values of ours."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.coinbase.products import product_id_of, symbol_of
from bot.brokers.replies import (
    as_object,
    flag_of,
    iso_time,
    number_of,
    optional_number,
    optional_text,
    text_of,
)
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.money import floor_to_step, plain
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
LIVE_STATUSES = ("PENDING", "OPEN", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
LIQUIDITY = {"MAKER": True, "TAKER": False}


def order_body(request: OrderRequest) -> dict[str, object]:
    """The body of `POST /orders`. Sizes are always base, also for market buys: that is what was planned and rounded."""
    sizes: dict[str, object] = {"base_size": plain(request.quantity)}
    if request.limit_price is not None:
        sizes["limit_price"] = plain(request.limit_price)
    if request.order_type is OrderType.LIMIT_GTC:
        sizes["post_only"] = False
    shape = {
        OrderType.MARKET: "market_market_ioc",
        OrderType.LIMIT_IOC: "sor_limit_ioc",
        OrderType.LIMIT_GTC: "limit_limit_gtc",
    }[request.order_type]
    return {
        "client_order_id": request.client_order_id,
        "product_id": product_id_of(request.symbol),
        "side": request.side.value.upper(),
        "order_configuration": {shape: sizes},
    }


def order_from(value: object) -> VenueOrder:
    """One order of the list or of `GET /orders/historical/{id}`. Raises `UnreadableReply`."""
    fields = as_object(value, where="Coinbase order")
    order_id = text_of(fields, "order_id", where="Coinbase order")
    where = f"Coinbase order {order_id}"
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {fields.get('status')!r}")
    created = optional_text(fields, "created_time")
    filled = optional_number(fields, "filled_size", where=where)
    return VenueOrder(
        venue_order_id=order_id,
        client_order_id=optional_text(fields, "client_order_id"),
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
    """Fills oldest first, each trade once. Raises `UnreadableReply`."""
    unique = {fill.trade_id: fill for fill in (_fill(value, instruments) for value in values)}
    return sorted(unique.values(), key=lambda fill: (fill.executed_at, fill.trade_id))


def _fill(value: object, instruments: Mapping[str, Instrument]) -> Fill:
    fields = as_object(value, where="Coinbase fill")
    trade_id = text_of(fields, "trade_id", where="Coinbase fill")
    where = f"Coinbase fill {trade_id}"
    symbol = symbol_of(text_of(fields, "product_id", where=where))
    price = number_of(fields, "price", where=where)
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=text_of(fields, "order_id", where=where),
            symbol=symbol,
            side=_side(fields, where),
            quantity=_base_size(fields, price, instruments.get(symbol), where),
            price=price,
            fee=optional_number(fields, "commission", where=where),
            fee_currency=quote_of(symbol),
            executed_at=iso_time(text_of(fields, "trade_time", where=where), where=where),
            maker=LIQUIDITY.get(optional_text(fields, "liquidity_indicator") or ""),
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def _base_size(fields: Mapping[str, object], price: Decimal, instrument: Instrument | None, where: str) -> Decimal:
    size = number_of(fields, "size", where=where)
    if not flag_of(fields, "size_in_quote", default=False):
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
