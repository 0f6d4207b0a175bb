"""Binance's orders and trades, as values of ours."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.amounts import wire_number
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.profile import order_name
from bot.brokers.by_ccxt.times import time_of
from bot.brokers.replies import as_object, field_of, flag_of, number_of, optional_number, optional_text, text_of
from bot.domain.errors import OutcomeUnknown, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus

STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "NEW": VenueOrderStatus.OPEN,
        "PENDING_NEW": VenueOrderStatus.PENDING,
        "PARTIALLY_FILLED": VenueOrderStatus.OPEN,
        "PENDING_CANCEL": VenueOrderStatus.OPEN,
        "FILLED": VenueOrderStatus.FILLED,
        "CANCELED": VenueOrderStatus.CANCELLED,
        "EXPIRED": VenueOrderStatus.EXPIRED,
        "EXPIRED_IN_MATCH": VenueOrderStatus.CANCELLED,
        "REJECTED": VenueOrderStatus.REJECTED,
    }
)
ORDER_TYPES: Mapping[OrderType, str] = MappingProxyType(
    {
        OrderType.MARKET: "MARKET",
        OrderType.LIMIT_IOC: "LIMIT",
        OrderType.LIMIT_GTC: "LIMIT",
        OrderType.STOP: "STOP_LOSS",
    }
)
# So the venue calls the end of what an order that ends at once could not fill.
IMMEDIATE = frozenset({"IOC", "FOK"})


def order_params(request: OrderRequest, market: Instrument) -> dict[str, object]:
    """The parameters of `POST order`. Sizes are always base, also for market buys: that is what was planned."""
    params: dict[str, object] = {
        "symbol": market.venue_symbol,
        "side": request.side.value.upper(),
        "type": ORDER_TYPES[request.order_type],
        "quantity": wire_number(request.quantity, name="quantity"),
        "newClientOrderId": request.client_order_id,
        # Trades are read from the account's history; this way the answer comes soonest.
        "newOrderRespType": "ACK",
    }
    if request.stop_price is not None:
        params["stopPrice"] = wire_number(request.stop_price, name="stop price")
    elif request.limit_price is not None:
        params["timeInForce"] = "IOC" if request.order_type is OrderType.LIMIT_IOC else "GTC"
        params["price"] = wire_number(request.limit_price, name="limit price")
    return params


def accepted_number(document: object, request: OrderRequest, market: Instrument, *, where: str) -> str:
    """The venue's number of our order. Raises `UnreadableReply` or `OutcomeUnknown` when it is not about our order."""
    fields = as_object(document, where=where)
    number = number_in(fields, "orderId", where=where)
    expected = {
        "symbol": market.venue_symbol,
        "clientOrderId": request.client_order_id,
        "side": request.side.value.upper(),
    }
    if any(fields.get(name) not in (None, value) for name, value in expected.items()):
        raise OutcomeUnknown(f"{where}: the answer names order {number}, and it is not what was asked for")
    return number


def number_in(fields: Mapping[str, object], name: str, *, where: str) -> str:
    """Orders and trades are numbered from 1, each market for itself. Raises `UnreadableReply`."""
    value = field_of(fields, name, where=where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnreadableReply(f"{where}: {str(value)[:40]!r} is no number of an order or a trade")
    return str(value)


def order_from(value: object, markets: Markets) -> VenueOrder:
    """One order, from a list or asked for. Raises `UnreadableReply`."""
    fields = as_object(value, where="Binance order")
    number = number_in(fields, "orderId", where="Binance order")
    market_name = text_of(fields, "symbol", where="Binance order")
    where = f"Binance order {market_name} {number}"
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {str(fields.get('status'))[:40]!r}")
    if status is VenueOrderStatus.EXPIRED and (
        fields.get("timeInForce") in IMMEDIATE or fields.get("type") == "MARKET"
    ):
        status = VenueOrderStatus.CANCELLED
    filled = number_of(fields, "executedQty", where=where)
    return VenueOrder(
        venue_order_id=order_name(market_name, number),
        # Required: an order whose id cannot be read could be ours.
        client_order_id=text_of(fields, "clientOrderId", where=where) or None,
        symbol=symbol_of(market_name, markets),
        side=_side(text_of(fields, "side", where=where), where=where),
        status=status,
        quantity=number_of(fields, "origQty", where=where) or filled,
        filled_quantity=filled,
        average_price=_average_price(fields, filled, where),
        # The venue tells fees with the trades only.
        fee_quote=Decimal(0),
        opened_at=time_of(fields, "time", where=where) if fields.get("time") is not None else None,
        reason=optional_text(fields, "expiryReason") or "",
    )


def _average_price(fields: Mapping[str, object], filled: Decimal, where: str) -> Decimal | None:
    """The venue says how much was paid in all; a negative sum is its way of not knowing it (old orders)."""
    name = "cummulativeQuoteQty"  # the venue's spelling
    paid = number_of(fields, name, where=where, minimum=None) if fields.get(name) is not None else Decimal(0)
    return paid / filled if filled > 0 and paid > 0 else None


def fill_from(value: object, markets: Markets) -> Fill:
    """One trade of ours. Raises `UnreadableReply`."""
    fields = as_object(value, where="Binance trade")
    trade_id = number_in(fields, "id", where="Binance trade")
    market_name = text_of(fields, "symbol", where="Binance trade")
    where = f"Binance trade {market_name} {trade_id}"
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=order_name(market_name, number_in(fields, "orderId", where=where)),
            symbol=symbol_of(market_name, markets),
            side=Side.BUY if flag_in(fields, "isBuyer", where=where) else Side.SELL,
            quantity=number_of(fields, "qty", where=where),
            price=number_of(fields, "price", where=where),
            fee=optional_number(fields, "commission", where=where),
            fee_currency=text_of(fields, "commissionAsset", where=where),
            executed_at=time_of(fields, "time", where=where),
            maker=flag_of(fields, "isMaker", default=False, where=where) if "isMaker" in fields else None,
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def flag_in(fields: Mapping[str, object], name: str, *, where: str) -> bool:
    """A flag that has to be there."""
    field_of(fields, name, where=where)
    return flag_of(fields, name, default=False, where=where)


def symbol_of(market_name: str, markets: Markets) -> str:
    """`BTCUSDT` → `BTC/USDT` by the venue's own list; a market that is not in it keeps the venue's name."""
    market = markets.named(market_name)
    return market_name if market is None else market.symbol


def _side(text: str, *, where: str) -> Side:
    try:
        return Side(text.lower())
    except ValueError as error:
        raise UnreadableReply(f"{where}: neither a buy nor a sell") from error
