"""OKX's orders and fills, as values of ours."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.amounts import wire_number
from bot.brokers.by_ccxt.meanings import Refusal, refusal_error
from bot.brokers.by_ccxt.okx_errors import OK, refusal_of
from bot.brokers.by_ccxt.profile import order_name
from bot.brokers.by_ccxt.times import time_of
from bot.brokers.replies import as_list, as_object, id_of, number_of, optional_number, optional_text, text_of
from bot.domain.errors import OutcomeUnknown, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import base_of, quote_of

STATES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "live": VenueOrderStatus.OPEN,
        "partially_filled": VenueOrderStatus.OPEN,
        "filled": VenueOrderStatus.FILLED,
        "canceled": VenueOrderStatus.CANCELLED,
        "mmp_canceled": VenueOrderStatus.CANCELLED,
    }
)
ORDER_TYPES = {OrderType.MARKET: "market", OrderType.LIMIT_IOC: "ioc", OrderType.LIMIT_GTC: "limit"}
LIQUIDITY = {"M": True, "T": False}


def order_body(request: OrderRequest, market: Instrument) -> dict[str, object]:
    """The body of `POST trade/order`. Sizes are always base, also for market buys: that is what was planned."""
    body: dict[str, object] = {
        "instId": market.venue_symbol,
        "tdMode": "cash",
        "clOrdId": request.client_order_id,
        "side": request.side.value,
        "ordType": ORDER_TYPES[request.order_type],
        "sz": wire_number(request.quantity, name="quantity"),
    }
    if request.limit_price is not None:
        body["px"] = wire_number(request.limit_price, name="limit price")
    else:
        # Left out, the size of a buy would be money; and a size that the balance can't cover would silently shrink.
        body |= {"tgtCcy": "base_ccy", "banAmend": True}
    return body


def single_answer(document: object, *, where: str) -> tuple[Mapping[str, object], Refusal | None]:
    """The answer to one order or cancel, and the "no" if it is one.

    Raises `OutcomeUnknown` when it says neither yes nor no, or both.
    """
    reply = as_object(document, where=where)
    rows = as_list(reply.get("data"), where=where)
    if len(rows) != 1:
        raise OutcomeUnknown(f"{where}: {len(rows)} answers to one order")
    row = as_object(rows[0], where=where)
    code = text_of(row, "sCode", where=where)
    if (code == OK) != (reply.get("code") == OK):
        raise OutcomeUnknown(f"{where}: the answer says both yes and no ({reply.get('code')}, {code})")
    return row, None if code == OK else refusal_of(code, optional_text(row, "sMsg") or "")


def accepted_number(document: object, request: OrderRequest, *, where: str) -> str:
    """The venue's number of our order. Raises what the venue's "no" means, or `OutcomeUnknown`."""
    row, refusal = single_answer(document, where=where)
    if refusal is not None:
        if row.get("ordId"):
            raise OutcomeUnknown(f"{where}: refused ({refusal.code}), and yet it has the number {row.get('ordId')}")
        raise refusal_error(refusal, where=where, changes_orders=True)
    number = id_of(row, "ordId", where=where)
    named = row.get("clOrdId")
    if named not in (None, "", request.client_order_id):
        raise OutcomeUnknown(f"{where}: the answer names order {number}, and it is not what was asked for")
    return number


def order_from(value: object) -> VenueOrder:
    """One order, from a list or asked for. Raises `UnreadableReply`."""
    fields = as_object(value, where="OKX order")
    number = id_of(fields, "ordId", where="OKX order")
    where = f"OKX order {number}"
    status = STATES.get(text_of(fields, "state", where=where))
    if status is None:
        raise UnreadableReply(f"{where}: unknown state {str(fields.get('state'))[:40]!r}")
    market_name = text_of(fields, "instId", where=where)
    symbol = symbol_of(market_name)
    filled = number_of(fields, "accFillSz", where=where) if fields.get("accFillSz") != "" else Decimal(0)
    price = optional_number(fields, "avgPx", where=where) or None
    return VenueOrder(
        venue_order_id=order_name(market_name, number),
        # Required: an order whose id cannot be read could be ours.
        client_order_id=text_of(fields, "clOrdId", where=where) or None,
        symbol=symbol,
        side=side_of(fields, where=where),
        status=status,
        quantity=_ordered_quantity(fields, where) or filled,
        filled_quantity=filled,
        average_price=price,
        fee_quote=_fee_quote(fields, symbol, price, where),
        opened_at=time_of(fields, "cTime", where=where) if fields.get("cTime") else None,
        reason=optional_text(fields, "cancelSourceReason") or "",
    )


def _ordered_quantity(fields: Mapping[str, object], where: str) -> Decimal | None:
    """Base units, None when the order was made in quote units."""
    if fields.get("ordType") == "market" and fields.get("tgtCcy") == "quote_ccy":
        return None
    return number_of(fields, "sz", where=where)


def _fee_quote(fields: Mapping[str, object], symbol: str, price: Decimal | None, where: str) -> Decimal:
    """What was charged so far; OKX shows that as a negative number, in the currency that was received."""
    fee = -number_of(fields, "fee", where=where, minimum=None) if fields.get("fee") else Decimal(0)
    return fee * (price or Decimal(0)) if fields.get("feeCcy") == base_of(symbol) else fee


def fill_from(value: object) -> Fill:
    """One trade of ours. Raises `UnreadableReply`."""
    fields = as_object(value, where="OKX fill")
    trade_id = id_of(fields, "tradeId", where="OKX fill")
    where = f"OKX fill {trade_id}"
    market_name = text_of(fields, "instId", where=where)
    symbol = symbol_of(market_name)
    try:
        return Fill(
            trade_id=trade_id,
            venue_order_id=order_name(market_name, id_of(fields, "ordId", where=where)),
            symbol=symbol,
            side=side_of(fields, where=where),
            quantity=number_of(fields, "fillSz", where=where),
            price=number_of(fields, "fillPx", where=where),
            # Negative = charged, positive = a rebate.
            fee=-number_of(fields, "fee", where=where, minimum=None) + 0,
            fee_currency=optional_text(fields, "feeCcy") or quote_of(symbol),
            executed_at=time_of(fields, "fillTime" if fields.get("fillTime") else "ts", where=where),
            maker=LIQUIDITY.get(optional_text(fields, "execType") or ""),
        )
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


def symbol_of(market_name: str) -> str:
    """`BTC-USDT` → `BTC/USDT`."""
    return market_name.replace("-", "/", 1)


def side_of(fields: Mapping[str, object], *, where: str) -> Side:
    try:
        return Side(text_of(fields, "side", where=where))
    except ValueError as error:
        raise UnreadableReply(f"{where}: neither a buy nor a sell") from error
