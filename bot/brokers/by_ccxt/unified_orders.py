"""Orders and trades in ccxt's unified form, as values of ours. What is not told is not guessed."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.by_ccxt.times import time_of
from bot.brokers.replies import as_id, as_object, id_of, number_of, optional_number, optional_text, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import quote_of

STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "open": VenueOrderStatus.OPEN,
        "canceling": VenueOrderStatus.OPEN,
        "closed": VenueOrderStatus.FILLED,
        "canceled": VenueOrderStatus.CANCELLED,
        "expired": VenueOrderStatus.EXPIRED,
        "rejected": VenueOrderStatus.REJECTED,
    }
)
MAKERS = MappingProxyType({"maker": True, "taker": False})
SEPARATOR = ":"


def order_name(symbol: str, number: str) -> str:
    """How an order is called outside of the adapter: most exchanges find none by its number alone."""
    return f"{symbol}{SEPARATOR}{number}"


def named_order(venue_order_id: str) -> tuple[str, str]:
    """Symbol and number. Raises `UnreadableReply` for a number alone."""
    symbol, separator, number = venue_order_id.partition(SEPARATOR)
    if not separator or "/" not in symbol:
        raise UnreadableReply(
            f"{venue_order_id[:64]!r} names no order here: it is SYMBOL{SEPARATOR}NUMBER, as in BTC/USDT:12345"
        )
    return symbol, as_id(number, where="the number of an order")


def order_from(value: object, *, venue: str) -> VenueOrder:
    """One order, from a list or asked for. Raises `UnreadableReply`."""
    fields = as_object(value, where=f"{venue} order")
    number = id_of(fields, "id", where=f"{venue} order")
    where = f"{venue} order {number}"
    symbol = text_of(fields, "symbol", where=where)
    filled = number_of(fields, "filled", where=where)
    quantity = optional_number(fields, "amount", where=where) or filled
    return VenueOrder(
        venue_order_id=order_name(symbol, number),
        client_order_id=optional_text(fields, "clientOrderId"),
        symbol=symbol,
        side=side_of(fields, where=where),
        status=_status(fields, filled=filled, quantity=quantity, where=where),
        quantity=quantity,
        filled_quantity=filled,
        average_price=optional_number(fields, "average", where=where) or None,
        fee_quote=_fee_quote(fields, symbol, where),
        opened_at=time_of(fields, "timestamp", where=where) if fields.get("timestamp") is not None else None,
    )


def _status(fields: Mapping[str, object], *, filled: Decimal, quantity: Decimal, where: str) -> VenueOrderStatus:
    """`closed` says that it ended; whether it was filled, the quantities say."""
    status = STATUSES.get(text_of(fields, "status", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {str(fields.get('status'))[:40]!r}")
    if status is VenueOrderStatus.FILLED and filled < quantity:
        return VenueOrderStatus.CANCELLED
    return status


def _fee_quote(fields: Mapping[str, object], symbol: str, where: str) -> Decimal:
    """As far as the order tells it in money; trades tell it in full."""
    fee = fields.get("fee")
    if not isinstance(fee, dict) or fee.get("currency") != quote_of(symbol):
        return Decimal(0)
    return optional_number(fee, "cost", where=where)


def fill_from(value: object, *, venue: str) -> Fill:
    """One trade of ours. Raises `UnreadableReply`."""
    fields = as_object(value, where=f"{venue} trade")
    trade_id = id_of(fields, "id", where=f"{venue} trade")
    where = f"{venue} trade {trade_id}"
    symbol = text_of(fields, "symbol", where=where)
    fee, currency = _fee_of(fields, symbol, where)
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=order_name(symbol, id_of(fields, "order", where=where)),
            symbol=symbol,
            side=side_of(fields, where=where),
            quantity=number_of(fields, "amount", where=where),
            price=number_of(fields, "price", where=where),
            fee=fee,
            fee_currency=currency,
            executed_at=time_of(fields, "timestamp", where=where),
            maker=MAKERS.get(optional_text(fields, "takerOrMaker") or ""),
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def _fee_of(fields: Mapping[str, object], symbol: str, where: str) -> tuple[Decimal, str]:
    """The fee and its currency; an exchange that tells none with its trades takes it later or not at all.

    A negative one is a rebate. Raises `UnreadableReply` for fees in two currencies: one trade has one here.
    """
    told = [fields.get("fee"), *_listed(fields.get("fees"))]
    known = {
        str(fee["currency"]): number_of(fee, "cost", where=f"{where} fee", minimum=None)
        for fee in told
        if isinstance(fee, dict) and fee.get("cost") is not None and fee.get("currency")
    }
    if len(known) > 1:
        known = {currency: cost for currency, cost in known.items() if cost}
    if len(known) > 1:
        raise UnreadableReply(f"{where}: fees in {' and '.join(sorted(known))}")
    currency, cost = next(iter(known.items()), (quote_of(symbol), Decimal(0)))
    return cost, currency


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def side_of(fields: Mapping[str, object], *, where: str) -> Side:
    try:
        return Side(text_of(fields, "side", where=where))
    except ValueError as error:
        raise UnreadableReply(f"{where}: neither a buy nor a sell") from error
