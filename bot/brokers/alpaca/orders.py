"""Alpaca's orders and fills, as values of ours."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.alpaca.stocks import CURRENCY, STOCKS, symbol_of, ticker_of
from bot.brokers.amounts import wire_number
from bot.brokers.replies import (
    as_id,
    as_object,
    id_of,
    iso_time,
    number_of,
    optional_number,
    optional_text,
    text_of,
)
from bot.domain.errors import OutcomeUnknown, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus

_LIVE, _WAITS = VenueOrderStatus.OPEN, VenueOrderStatus.PENDING
STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "new": _LIVE,
        "partially_filled": _LIVE,
        "pending_cancel": _LIVE,
        "pending_replace": _LIVE,
        "stopped": _LIVE,
        "suspended": _LIVE,
        # Nothing more today: what becomes of it is said later, at its expiry or the next opening.
        "done_for_day": _LIVE,
        "calculated": _LIVE,
        # Taken, and not in the market yet.
        "accepted": _WAITS,
        "pending_new": _WAITS,
        "accepted_for_bidding": _WAITS,
        "pending_review": _WAITS,
        "held": _WAITS,
        "filled": VenueOrderStatus.FILLED,
        "canceled": VenueOrderStatus.CANCELLED,
        # Somebody has put another order in its place; that one has an id of its own.
        "replaced": VenueOrderStatus.CANCELLED,
        "expired": VenueOrderStatus.EXPIRED,
        "rejected": VenueOrderStatus.REJECTED,
    }
)
SIDES: Mapping[str, Side] = MappingProxyType({"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL})
# Trading has no commission; what the regulators take is booked later, apart from the trade.
NO_FEE = Decimal(0)
DAY = "day"
# Fractions are taken as day orders alone; whatever is of whole shares may say how long it is meant to stand.
TIMES_IN_FORCE: Mapping[OrderType, str] = MappingProxyType(
    {OrderType.MARKET: DAY, OrderType.LIMIT_IOC: "ioc", OrderType.LIMIT_GTC: "gtc", OrderType.STOP: "gtc"}
)


def order_body(request: OrderRequest) -> dict[str, str]:
    """The body of `POST /orders`, all of it text. Sizes are always shares: that is what was planned and rounded."""
    whole = request.quantity == request.quantity.to_integral_value()
    body = {
        "client_order_id": request.client_order_id,
        "symbol": ticker_of(request.symbol),
        "side": str(request.side),
        "type": _form(request),
        "time_in_force": TIMES_IN_FORCE[request.order_type] if whole else DAY,
        "qty": wire_number(request.quantity, name="quantity"),
    }
    if request.limit_price is not None:
        body["limit_price"] = wire_number(request.limit_price, name="limit price")
    if request.stop_price is not None:
        body["stop_price"] = wire_number(request.stop_price, name="stop price")
    return body


def _form(request: OrderRequest) -> str:
    if request.order_type is OrderType.STOP:
        return "stop" if request.limit_price is None else "stop_limit"
    return "market" if request.limit_price is None else "limit"


def accepted_order_id(document: object, request: OrderRequest, *, where: str) -> str:
    """The venue's id for our order. Raises `UnreadableReply`, or `OutcomeUnknown` for an answer about another order."""
    reply = as_object(document, where=where)
    order_id = id_of(reply, "id", where=where)
    expected = {
        "client_order_id": request.client_order_id,
        "symbol": ticker_of(request.symbol),
        "side": str(request.side),
    }
    told = {name: reply[name] for name in expected if reply.get(name) is not None}
    if any(told[name] != expected[name] for name in told):
        raise OutcomeUnknown(f"{where}: the answer names order {order_id}, and it is not what was asked for")
    return order_id


def order_from(value: object) -> VenueOrder:
    """One order of a list or of `GET /orders/{id}`. Raises `UnreadableReply`."""
    fields = as_object(value, where="Alpaca order")
    order_id = id_of(fields, "id", where="Alpaca order")
    where = f"Alpaca order {order_id}"
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {fields.get('status')!r}")
    filled = number_of(fields, "filled_qty", where=where)
    # None for an order by its cost, which only other people's are.
    quantity = optional_number(fields, "qty", where=where)
    opened = optional_text(fields, "submitted_at") or optional_text(fields, "created_at")
    return VenueOrder(
        venue_order_id=order_id,
        # Required: an order whose id cannot be read could be ours.
        client_order_id=text_of(fields, "client_order_id", where=where) or None,
        symbol=_symbol(fields, where),
        side=_side(fields, where),
        status=_status(status, filled, quantity),
        quantity=quantity or filled,
        filled_quantity=filled,
        average_price=optional_number(fields, "filled_avg_price", where=where) or None,
        fee_quote=NO_FEE,
        opened_at=iso_time(opened, where=where) if opened is not None else None,
        reason=_reason(fields),
    )


def _status(said: VenueOrderStatus, filled: Decimal, quantity: Decimal) -> VenueOrderStatus:
    """An order that is filled has ended, whatever is still being reckoned with it."""
    return VenueOrderStatus.FILLED if 0 < quantity <= filled else said


def _reason(fields: Mapping[str, object]) -> str:
    ended = optional_text(fields, "status") or ""
    if ended == "replaced":
        return f"replaced by {optional_text(fields, 'replaced_by') or 'another order'}"
    return optional_text(fields, "reject_reason") or ("" if ended != "rejected" else "rejected by the venue")


def of_stocks(value: object) -> bool:
    """Whether an order or a position is of a stock: one account may also hold coins and options."""
    return not isinstance(value, dict) or value.get("asset_class", STOCKS) == STOCKS


def fills_from(values: Iterable[object]) -> list[Fill]:
    """Fills oldest first, each trade once; those of other things than stocks are left out. Raises `UnreadableReply`."""
    fills = (_fill(value) for value in values)
    unique = {(fill.symbol, fill.venue_order_id, fill.trade_id): fill for fill in fills if fill is not None}
    return sorted(unique.values(), key=lambda fill: (fill.executed_at, fill.trade_id))


def trade_id_of(activity_id: str, *, where: str) -> str:
    """`20260130143000123::8efc7b9a-…` → the part behind the time, which no other trade has."""
    return as_id(activity_id.rpartition("::")[2], where=f"{where} id")


def _fill(value: object) -> Fill | None:
    fields = as_object(value, where="Alpaca fill")
    trade_id = trade_id_of(text_of(fields, "id", where="Alpaca fill"), where="Alpaca fill")
    where = f"Alpaca fill {trade_id}"
    if text_of(fields, "activity_type", where=where) != "FILL":
        raise UnreadableReply(f"{where}: not a fill, but a {str(fields['activity_type'])[:20]!r}")
    if "/" in text_of(fields, "symbol", where=where):
        return None  # a coin
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=id_of(fields, "order_id", where=where),
            symbol=_symbol(fields, where),
            side=_side(fields, where),
            quantity=number_of(fields, "qty", where=where),
            price=number_of(fields, "price", where=where),
            fee=NO_FEE,
            fee_currency=CURRENCY,
            executed_at=iso_time(text_of(fields, "transaction_time", where=where), where=where),
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def _symbol(fields: Mapping[str, object], where: str) -> str:
    ticker = text_of(fields, "symbol", where=where)
    try:
        return symbol_of(ticker)
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def _side(fields: Mapping[str, object], where: str) -> Side:
    side = SIDES.get(text_of(fields, "side", where=where))
    if side is None:
        raise UnreadableReply(f"{where}: neither a buy nor a sell")
    return side
