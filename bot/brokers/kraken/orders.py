"""Kraken's orders and trades, as values of ours."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.brokers.amounts import wire_number
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.replies import (
    as_id,
    as_list,
    as_object,
    field_of,
    flag_of,
    id_of,
    number_of,
    optional_text,
    text_of,
    unix_time,
)
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import quote_of

STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "pending": VenueOrderStatus.PENDING,
        "open": VenueOrderStatus.OPEN,
        "closed": VenueOrderStatus.FILLED,
        "canceled": VenueOrderStatus.CANCELLED,
        "expired": VenueOrderStatus.EXPIRED,
    }
)
ORDER_TYPES: Mapping[OrderType, str] = MappingProxyType(
    {
        OrderType.MARKET: "market",
        OrderType.LIMIT_IOC: "limit",
        OrderType.LIMIT_GTC: "limit",
        OrderType.STOP: "stop-loss",
    }
)
SAME_MOMENT = timedelta(seconds=60)


def order_fields(request: OrderRequest, *, rest_id: str, deadline: datetime) -> dict[str, str]:
    """The parameters of `AddOrder`. After `deadline` (the venue's time) the engine must not match it any more."""
    fields = {
        "pair": rest_id,
        "type": request.side.value,
        "ordertype": ORDER_TYPES[request.order_type],
        "volume": wire_number(request.quantity, name="quantity"),
        "oflags": "fciq",  # fees in quote: the books count on it, and the venue's default for sells is in doubt
        "cl_ord_id": request.client_order_id,
        "deadline": f"{deadline:%Y-%m-%dT%H:%M:%S}.{deadline.microsecond // 1000:03d}Z",
    }
    if request.stop_price is not None:
        # Of a stop without a limit the price is that of its trigger, the last trade's by default.
        fields["price"] = wire_number(request.stop_price, name="stop price")
    elif request.limit_price is not None:
        fields["price"] = wire_number(request.limit_price, name="limit price")
    if request.order_type is OrderType.LIMIT_IOC:
        fields["timeinforce"] = "IOC"
    return fields


def order_from(order_id: str, value: object, catalogue: KrakenCatalogue) -> VenueOrder:
    """One order of OpenOrders, ClosedOrders or QueryOrders. Raises `UnreadableReply`."""
    where = f"Kraken order {as_id(order_id, where='Kraken order')}"
    fields = as_object(value, where=where)
    described = as_object(field_of(fields, "descr", where=where), where=where)
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {fields.get('status')!r}")
    average_price = number_of(fields, "price", where=where)
    return VenueOrder(
        venue_order_id=order_id,
        client_order_id=_client_id(fields, where),
        symbol=catalogue.symbol_of(text_of(described, "pair", where=where)),
        side=_side(described, where),
        status=status,
        quantity=number_of(fields, "vol", where=where),
        filled_quantity=number_of(fields, "vol_exec", where=where),
        average_price=average_price or None,
        fee_quote=number_of(fields, "fee", where=where),
        opened_at=unix_time(field_of(fields, "opentm", where=where), where=where),
        reason=optional_text(fields, "reason") or "",
    )


def orders_from(value: object, catalogue: KrakenCatalogue, *, where: str) -> list[VenueOrder]:
    return [order_from(order_id, order, catalogue) for order_id, order in as_object(value, where=where).items()]


def _client_id(fields: Mapping[str, object], where: str) -> str | None:
    """None for an order without one; anything but text would hide ours from a look-up."""
    return normal_client_id(text_of(fields, "cl_ord_id", where=where)) if fields.get("cl_ord_id") is not None else None


def normal_client_id(text: str | None) -> str | None:
    """Kraken may show a UUID with or without hyphens and in either case."""
    return text.replace("-", "").lower() if text else None


def pick_order(orders: Iterable[VenueOrder], client_order_id: str, *, not_before: datetime) -> VenueOrder | None:
    """The order that carries our id.

    Kraken's ids are unique among open orders only, so an old one may carry it too: then the one opened at or after
    `not_before` (the venue's time, a minute of doubt allowed) is meant, the latest of them.
    """
    wanted = normal_client_id(client_order_id)
    ours = [order for order in orders if order.client_order_id == wanted]
    recent = [order for order in ours if order.opened_at is None or order.opened_at >= not_before - SAME_MOMENT]
    candidates = recent or ours
    return max(candidates, key=_opened_at) if candidates else None


def _opened_at(order: VenueOrder) -> float:
    return order.opened_at.timestamp() if order.opened_at is not None else 0.0


def fills_from(trades: Mapping[str, object], catalogue: KrakenCatalogue) -> list[Fill]:
    """Trades of TradesHistory or QueryTrades, oldest first. Raises `UnreadableReply`."""
    return in_order(fill_from(trade_id, trade, catalogue) for trade_id, trade in trades.items())


def fill_from(trade_id: str, value: object, catalogue: KrakenCatalogue) -> Fill:
    where = f"Kraken trade {as_id(trade_id, where='Kraken trade')}"
    fields = as_object(value, where=where)
    symbol = catalogue.symbol_of(text_of(fields, "pair", where=where))
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=id_of(fields, "ordertxid", where=where),
            symbol=symbol,
            side=_side(fields, where),
            quantity=number_of(fields, "vol", where=where),
            price=number_of(fields, "price", where=where),
            fee=number_of(fields, "fee", where=where),
            fee_currency=quote_of(symbol),
            executed_at=unix_time(field_of(fields, "time", where=where), where=where),
            maker=flag_of(fields, "maker", default=False, where=where) if "maker" in fields else None,
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def in_order(fills: Iterable[Fill]) -> list[Fill]:
    """Oldest first, each trade id once."""
    unique = {fill.trade_id: fill for fill in fills}
    return sorted(unique.values(), key=lambda fill: (fill.executed_at, fill.trade_id))


def trade_ids(value: object, *, where: str) -> Sequence[str]:
    """The trades an order lists (only there when it was asked with `trades`)."""
    listed = as_object(value, where=where).get("trades") or []
    return [as_id(item, where=f"{where} trades") for item in as_list(listed, where=f"{where} trades")]


def _side(fields: Mapping[str, object], where: str) -> Side:
    try:
        return Side(text_of(fields, "type", where=where))
    except ValueError as error:
        raise UnreadableReply(f"{where}: neither a buy nor a sell") from error
